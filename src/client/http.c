#include "client/http.h"

#include <string.h>

#define HEAD_MAX 65536u

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void http_request(struct buf *out, const char *method, const char *path, const char *token) {
    buf_printf(out, "%s %s HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n", method, path);
    if (token != NULL)
        buf_printf(out, "Authorization: Bearer %s\r\n", token);
    buf_printf(out, "\r\n");
}

void http_post(struct buf *out, const char *path, struct bytes body) {
    buf_printf(out,
               "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
               "Content-Length: %zu\r\n\r\n",
               path, body.len);
    buf_bytes(out, body);
}

/* ---- heads ---- */

static size_t line_length(struct bytes bytes) {
    const uint8_t *end = memmem(bytes.data, bytes.len, "\r\n", 2);
    return end ? (size_t)(end - bytes.data) : SIZE_MAX;
}

static struct bytes behind(struct bytes bytes, size_t n) {
    return bytes_of(bytes.data + n, bytes.len - n);
}

/* The value when the line is the header `name`. */
static bool header_is(struct bytes line, const char *name, struct bytes *value) {
    size_t len = strlen(name);
    if (line.len <= len || line.data[len] != ':' ||
        !bytes_equal_nocase(bytes_of(line.data, len), bytes_cstr(name)))
        return false;
    *value = behind(line, len + 1);
    while (value->len > 0 && value->data[0] == ' ')
        *value = behind(*value, 1);
    return true;
}

/* At most eight digits, so that it can't overflow. SIZE_MAX: none. */
static size_t parse_size(struct bytes text, unsigned base) {
    size_t number = 0, digits = 0;
    for (; digits < text.len && digits < 9; digits++) {
        uint8_t c = text.data[digits];
        unsigned digit = c >= '0' && c <= '9'                 ? c - (unsigned)'0'
                         : (c | 32) >= 'a' && (c | 32) <= 'f' ? (unsigned)((c | 32) - 'a' + 10)
                                                              : 99;
        if (digit >= base)
            break;
        number = number * base + digit;
    }
    return digits == 0 || digits == 9 ? SIZE_MAX : number;
}

struct head {
    int status;
    size_t len, content; /* of the head; of the body, SIZE_MAX: not said */
    bool chunked;
};

/* 1: read; 0: more is needed; -1: malformed. */
static int read_head(struct bytes bytes, struct head *head) {
    size_t at = 0, len;
    *head = (struct head){.content = SIZE_MAX};
    for (;; at += len + 2) {
        struct bytes rest = behind(bytes, at), value;
        len = line_length(rest);
        if (len == SIZE_MAX)
            return bytes.len > HEAD_MAX ? -1 : 0;
        struct bytes line = bytes_of(rest.data, len);
        if (at == 0) {
            if (len < 12 || memcmp(line.data, "HTTP/1.", 7) != 0)
                return -1;
            head->status = (int)(parse_size(bytes_of(line.data + 9, 3), 10) & 1023);
        } else if (len == 0) {
            head->len = at + 2;
            return 1;
        } else if (header_is(line, "Content-Length", &value)) {
            head->content = parse_size(value, 10);
        } else if (header_is(line, "Transfer-Encoding", &value)) {
            head->chunked = bytes_equal_nocase(value, BYTES("chunked"));
        }
    }
}

/* Bytes taken, 0 or SIZE_MAX as http_answer. */
static size_t read_chunks(struct bytes bytes, struct buf *body) {
    size_t at = 0;
    for (;;) {
        struct bytes rest = behind(bytes, at);
        size_t line = line_length(rest);
        if (line == SIZE_MAX)
            return rest.len > 64 ? SIZE_MAX : 0;
        size_t len = parse_size(rest, 16);
        if (len == SIZE_MAX || len > HTTP_BODY_MAX)
            return SIZE_MAX;
        if (rest.len < line + 2 + len + 2)
            return 0;
        buf_append(body, rest.data + line + 2, len);
        at += line + 2 + len + 2;
        if (len == 0)
            return at;
    }
}

size_t http_answer(struct bytes bytes, int *status, struct buf *body) {
    struct head head;
    int read = read_head(bytes, &head);
    if (read <= 0)
        return read == 0 ? 0 : SIZE_MAX;
    struct bytes rest = behind(bytes, head.len);
    size_t before = body->len, taken;
    *status = head.status;
    if (head.chunked) {
        taken = read_chunks(rest, body);
        if (taken == 0 || taken == SIZE_MAX) {
            body->len = before;
            return taken;
        }
        return head.len + taken;
    }
    if (head.content == SIZE_MAX || head.content > HTTP_BODY_MAX)
        return SIZE_MAX;
    if (rest.len < head.content)
        return 0;
    buf_append(body, rest.data, head.content);
    return head.len + head.content;
}

/* ---- base64 ---- */

void base64_encode(struct buf *out, struct bytes range) {
    for (size_t i = 0; i < range.len; i += 3) {
        uint32_t three = (uint32_t)range.data[i] << 16;
        if (i + 1 < range.len)
            three |= (uint32_t)range.data[i + 1] << 8;
        if (i + 2 < range.len)
            three |= range.data[i + 2];
        buf_u8(out, (uint8_t)alphabet[three >> 18 & 63]);
        buf_u8(out, (uint8_t)alphabet[three >> 12 & 63]);
        buf_u8(out, (uint8_t)(i + 1 < range.len ? alphabet[three >> 6 & 63] : '='));
        buf_u8(out, (uint8_t)(i + 2 < range.len ? alphabet[three & 63] : '='));
    }
}

bool base64_decode(struct buf *out, struct bytes text) {
    uint32_t bits = 0, count = 0;
    while (text.len > 0 && text.data[text.len - 1] == '=')
        text.len--;
    for (size_t i = 0; i < text.len; i++) {
        const char *at = text.data[i] ? strchr(alphabet, text.data[i]) : NULL;
        if (at == NULL)
            return false;
        bits = bits << 6 | (uint32_t)(at - alphabet);
        count += 6;
        if (count >= 8) {
            count -= 8;
            buf_u8(out, (uint8_t)(bits >> count));
        }
    }
    return true;
}

/* ---- JSON ---- */

bool json_next(struct bytes json, const char *name, size_t *from, struct bytes *text) {
    char quoted[64];
    size_t len = strlen(name);
    if (len + 4 > sizeof quoted || *from > json.len)
        return false;
    quoted[0] = '"';
    memcpy(quoted + 1, name, len);
    memcpy(quoted + 1 + len, "\":", 3);
    const uint8_t *at = memmem(json.data + *from, json.len - *from, quoted, len + 3);
    if (at == NULL)
        return false;
    const uint8_t *end = json.data + json.len;
    at += len + 3;
    while (at < end && *at == ' ')
        at++;
    bool is_text = at < end && *at == '"';
    at += is_text;
    const uint8_t *stop = at;
    while (stop < end && (is_text ? *stop != '"' : strchr(",}] \r\n", *stop) == NULL))
        stop += is_text && *stop == '\\' && stop + 1 < end ? 2 : 1;
    *text = bytes_of(at, (size_t)(stop - at));
    *from = (size_t)(stop - json.data);
    return true;
}
