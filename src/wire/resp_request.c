#include "wire/resp.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/* A decimal line "<digits>\r\n" from at; 0: not whole, <0: malformed, else where it ends. */
static long read_number(struct bytes bytes, size_t at, int64_t *value) {
    size_t start = at;
    bool negative = at < bytes.len && bytes.data[at] == '-';
    at += negative;
    int64_t number = 0;
    size_t digits = 0;
    for (; at < bytes.len && isdigit(bytes.data[at]); at++, digits++) {
        if (digits > 17 || (digits == 1 && number == 0)) /* no leading zeros */
            return -1;
        number = number * 10 + (bytes.data[at] - '0');
    }
    if (at + 1 >= bytes.len) {
        bool possible = at >= bytes.len || bytes.data[at] == '\r';
        return possible && bytes.len - start < 32 ? 0 : -1;
    }
    if (digits == 0 || bytes.data[at] != '\r' || bytes.data[at + 1] != '\n')
        return -1;
    *value = negative ? -number : number;
    return (long)(at + 2);
}

static void add_range(struct resp_request *request, size_t offset, size_t len) {
    if (request->count == request->cap) {
        request->cap = request->cap ? request->cap * 2 : 8;
        request->ranges = cairn_realloc(request->ranges, request->cap * sizeof *request->ranges);
    }
    request->ranges[request->count++] = (struct resp_range){offset, len};
}

/* ---- inline commands: words, with quotes as a shell has them ---- */

static int hex_digit(uint8_t c) {
    return isdigit(c) ? c - '0' : isxdigit(c) ? tolower(c) - 'a' + 10 : -1;
}

/* What an escape inside double quotes stands for; advances *at over it. */
static uint8_t unescape(struct bytes line, size_t *at) {
    uint8_t c = line.data[(*at)++];
    if (c == 'x' && *at + 1 < line.len && hex_digit(line.data[*at]) >= 0 &&
        hex_digit(line.data[*at + 1]) >= 0) {
        uint8_t value = (uint8_t)(hex_digit(line.data[*at]) * 16 + hex_digit(line.data[*at + 1]));
        *at += 2;
        return value;
    }
    static const char from[] = "nrtba", to[] = "\n\r\t\b\a";
    const char *known = c ? strchr(from, c) : NULL;
    return known ? (uint8_t)to[known - from] : c;
}

/* A quoted part, at stands behind the opening quote; false: the quotes don't balance. */
static bool quoted(struct buf *text, struct bytes line, size_t *at, uint8_t quote) {
    while (*at < line.len) {
        uint8_t c = line.data[(*at)++];
        if (c == quote)
            return *at >= line.len || isspace(line.data[*at]);
        if (c == '\\' && quote == '"' && *at < line.len) {
            buf_u8(text, unescape(line, at));
        } else if (c == '\\' && quote == '\'' && *at < line.len && line.data[*at] == '\'') {
            buf_u8(text, '\'');
            (*at)++;
        } else {
            buf_u8(text, c);
        }
    }
    return false;
}

static bool split_words(struct resp_request *request, struct bytes line) {
    size_t at = 0;
    for (;;) {
        while (at < line.len && isspace(line.data[at]))
            at++;
        if (at >= line.len)
            return true;
        size_t start = request->text.len;
        while (at < line.len && !isspace(line.data[at])) {
            uint8_t c = line.data[at++];
            if (c == '"' || c == '\'') {
                if (!quoted(&request->text, line, &at, c))
                    return false;
            } else {
                buf_u8(&request->text, c);
            }
        }
        add_range(request, start, request->text.len - start);
    }
}

static enum resp_result read_inline(struct resp_request *request, struct bytes bytes, size_t *used,
                                    const char **error) {
    const uint8_t *end = memchr(bytes.data, '\n', bytes.len);
    if (end == NULL) {
        *error = "ERR Protocol error: too big inline request";
        return bytes.len > RESP_INLINE_MAX ? RESP_ERROR : RESP_MORE;
    }
    size_t len = (size_t)(end - bytes.data);
    *used = len + 1;
    if (len > 0 && bytes.data[len - 1] == '\r')
        len--;
    request->inlined = true;
    if (split_words(request, bytes_of(bytes.data, len)))
        return RESP_COMMAND;
    *error = "ERR Protocol error: unbalanced quotes in request";
    return RESP_ERROR;
}

/* ---- arrays of bulk strings ---- */

static enum resp_result read_head(struct resp_request *request, struct bytes bytes,
                                  const char **error) {
    int64_t count = 0;
    long end = read_number(bytes, 1, &count);
    if (end == 0)
        return RESP_MORE;
    if (end < 0 || count > (int64_t)RESP_ARGS_MAX) {
        *error = "ERR Protocol error: invalid multibulk length";
        return RESP_ERROR;
    }
    if (request->stranger && count > (int64_t)RESP_STRANGER_ARGS_MAX) {
        *error = "ERR Protocol error: unauthenticated multibulk length";
        return RESP_ERROR;
    }
    request->at = (size_t)end;
    request->left = count > 0 ? (uint32_t)count : 0;
    request->counted = true;
    return RESP_COMMAND;
}

static enum resp_result read_bulk_head(struct resp_request *request, struct bytes bytes,
                                       size_t bulk_max, const char **error) {
    if (request->at >= bytes.len)
        return RESP_MORE;
    int64_t len = 0;
    if (bytes.data[request->at] != '$') {
        uint8_t c = bytes.data[request->at];
        snprintf(request->error, sizeof request->error,
                 "ERR Protocol error: expected '$', got '%c'", isprint(c) ? c : '?');
        *error = request->error;
        return RESP_ERROR;
    }
    long end = read_number(bytes, request->at + 1, &len);
    if (end == 0)
        return RESP_MORE;
    if (end < 0 || len < 0 || (uint64_t)len > bulk_max) {
        *error = "ERR Protocol error: invalid bulk length";
        return RESP_ERROR;
    }
    if (request->stranger && (uint64_t)len > RESP_STRANGER_BULK_MAX) {
        *error = "ERR Protocol error: unauthenticated bulk length";
        return RESP_ERROR;
    }
    request->at = (size_t)end;
    request->bulk_len = (size_t)len;
    request->bulk_known = true;
    return RESP_COMMAND;
}

enum resp_result resp_request_read(struct resp_request *request, struct bytes bytes,
                                   size_t bulk_max, size_t *used, const char **error) {
    if (bytes.len == 0)
        return RESP_MORE;
    if (bytes.data[0] != '*')
        return read_inline(request, bytes, used, error);
    enum resp_result result = RESP_COMMAND;
    if (!request->counted)
        result = read_head(request, bytes, error);
    while (result == RESP_COMMAND && request->left > 0) {
        if (!request->bulk_known) {
            result = read_bulk_head(request, bytes, bulk_max, error);
            continue;
        }
        if (bytes.len - request->at < request->bulk_len + 2)
            return RESP_MORE;
        const uint8_t *end = bytes.data + request->at + request->bulk_len;
        if (end[0] != '\r' || end[1] != '\n') {
            *error = "ERR Protocol error: bulk string without its line end";
            return RESP_ERROR;
        }
        add_range(request, request->at, request->bulk_len);
        request->at += request->bulk_len + 2;
        request->bulk_known = false;
        request->left--;
    }
    *used = request->at;
    return result;
}

void resp_request_args(const struct resp_request *request, struct bytes bytes, struct bytes *args) {
    const uint8_t *from = request->inlined ? request->text.data : bytes.data;
    for (size_t i = 0; i < request->count; i++)
        args[i] = bytes_of(from + request->ranges[i].offset, request->ranges[i].len);
}

/* Ranges of an ordinary command are kept for the next one; those of a giant are given back. */
#define RANGES_KEPT 64u

void resp_request_reset(struct resp_request *request) {
    struct resp_range *ranges = request->ranges;
    size_t cap = request->cap;
    struct buf text = request->text;
    buf_clear(&text);
    if (cap > RANGES_KEPT) {
        cairn_free(ranges);
        ranges = NULL;
        cap = 0;
    }
    if (text.cap > 1024)
        buf_free(&text);
    *request = (struct resp_request){.ranges = ranges, .cap = cap, .text = text};
}

void resp_request_free(struct resp_request *request) {
    cairn_free(request->ranges);
    buf_free(&request->text);
    *request = (struct resp_request){0};
}
