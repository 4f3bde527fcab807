#include "wire/resp.h"

#include "base/assert.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* "<tag><decimal>\r\n", the commonest line of all. */
static void put_line(struct buf *out, char tag, int64_t value) {
    char text[24];
    size_t at = sizeof text;
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    text[--at] = '\n';
    text[--at] = '\r';
    do
        text[--at] = (char)('0' + rest % 10);
    while ((rest /= 10) != 0);
    if (value < 0)
        text[--at] = '-';
    text[--at] = tag;
    buf_append(out, text + at, sizeof text - at);
}

void resp_put_status_bytes(struct buf *out, struct bytes text) {
    buf_u8(out, '+');
    buf_bytes(out, text);
    buf_append(out, "\r\n", 2);
}

void resp_put_status(struct buf *out, const char *text) {
    resp_put_status_bytes(out, bytes_cstr(text));
}

void resp_put_error_bytes(struct buf *out, struct bytes text) {
    buf_u8(out, '-');
    for (size_t i = 0; i < text.len; i++)
        buf_u8(out, text.data[i] == '\r' || text.data[i] == '\n' ? ' ' : text.data[i]);
    buf_append(out, "\r\n", 2);
}

void resp_put_error(struct buf *out, const char *text) {
    resp_put_error_bytes(out, bytes_cstr(text));
}

void resp_put_int(struct buf *out, int64_t value) {
    put_line(out, ':', value);
}

void resp_put_bulk_head(struct buf *out, size_t len) {
    put_line(out, '$', (int64_t)len);
}

void resp_put_bulk(struct buf *out, struct bytes value) {
    resp_put_bulk_head(out, value.len);
    buf_bytes(out, value);
    buf_append(out, "\r\n", 2);
}

void resp_put_cstr(struct buf *out, const char *text) {
    resp_put_bulk(out, bytes_cstr(text));
}

void resp_put_nil(struct buf *out, int protocol) {
    buf_bytes(out, protocol >= 3 ? BYTES("_\r\n") : BYTES("$-1\r\n"));
}

void resp_put_nil_array(struct buf *out, int protocol) {
    buf_bytes(out, protocol >= 3 ? BYTES("_\r\n") : BYTES("*-1\r\n"));
}

void resp_put_array(struct buf *out, size_t count) {
    put_line(out, '*', (int64_t)count);
}

void resp_put_map(struct buf *out, int protocol, size_t pairs) {
    put_line(out, protocol >= 3 ? '%' : '*', (int64_t)(protocol >= 3 ? pairs : 2 * pairs));
}

void resp_put_set(struct buf *out, int protocol, size_t count) {
    put_line(out, protocol >= 3 ? '~' : '*', (int64_t)count);
}

void resp_put_push(struct buf *out, int protocol, size_t count) {
    put_line(out, protocol >= 3 ? '>' : '*', (int64_t)count);
}

void resp_put_verbatim(struct buf *out, int protocol, struct bytes text) {
    if (protocol < 3) {
        resp_put_bulk(out, text);
        return;
    }
    put_line(out, '=', (int64_t)text.len + 4);
    buf_bytes(out, BYTES("txt:"));
    buf_bytes(out, text);
    buf_append(out, "\r\n", 2);
}

void resp_put_double(struct buf *out, int protocol, double value) {
    char text[64];
    if (isinf(value))
        snprintf(text, sizeof text, value > 0 ? "inf" : "-inf");
    else
        snprintf(text, sizeof text, "%.17g", value);
    if (protocol < 3) {
        resp_put_cstr(out, text);
        return;
    }
    buf_printf(out, ",%s\r\n", text);
}

void resp_put_bool(struct buf *out, int protocol, bool value) {
    if (protocol >= 3)
        buf_bytes(out, value ? BYTES("#t\r\n") : BYTES("#f\r\n"));
    else
        resp_put_int(out, value);
}

/* ---- reading ---- */

static enum resp_result line_of(struct bytes bytes, struct bytes *line, size_t *used) {
    const uint8_t *end = memchr(bytes.data, '\n', bytes.len);
    if (end == NULL)
        return RESP_MORE;
    size_t len = (size_t)(end - bytes.data);
    if (len < 2 || end[-1] != '\r')
        return RESP_ERROR;
    *line = bytes_of(bytes.data + 1, len - 2);
    *used = len + 1;
    return RESP_COMMAND;
}

static bool number_of(struct bytes line, int64_t *number) {
    char text[24], *end;
    if (line.len == 0 || line.len >= sizeof text || (line.data[0] != '-' && !isdigit(line.data[0])))
        return false;
    memcpy(text, line.data, line.len);
    text[line.len] = 0;
    *number = strtoll(text, &end, 10);
    return end == text + line.len;
}

static enum resp_result bulk_value(struct bytes bytes, int64_t len, struct resp_value *value,
                                   size_t *used) {
    if (len < 0) {
        value->kind = RESP_NIL;
        return RESP_COMMAND;
    }
    if (bytes.len - *used < (size_t)len + 2)
        return RESP_MORE;
    if (memcmp(bytes.data + *used + (size_t)len, "\r\n", 2) != 0)
        return RESP_ERROR;
    value->kind = RESP_BULK;
    value->text = bytes_of(bytes.data + *used, (size_t)len);
    *used += (size_t)len + 2;
    if (bytes.data[0] == '=' && value->text.len >= 4)
        value->text = bytes_of(value->text.data + 4, value->text.len - 4);
    return RESP_COMMAND;
}

static enum resp_result counted_value(uint8_t tag, struct bytes bytes, int64_t number,
                                      struct resp_value *value, size_t *used) {
    if (tag == '$' || tag == '=' || tag == '!')
        return bulk_value(bytes, number, value, used);
    value->kind = tag == '%' ? RESP_MAP : RESP_ARRAY;
    value->push = tag == '>';
    value->count = number > 0 ? (size_t)number : 0;
    if (number < 0)
        value->kind = RESP_NIL;
    return number <= (int64_t)RESP_ELEMENTS_MAX ? RESP_COMMAND : RESP_ERROR;
}

enum resp_result resp_value_read(struct bytes bytes, struct resp_value *value, size_t *used) {
    struct bytes line;
    *value = (struct resp_value){0};
    enum resp_result result = bytes.len ? line_of(bytes, &line, used) : RESP_MORE;
    if (result != RESP_COMMAND)
        return result;
    uint8_t tag = bytes.data[0];
    value->text = line;
    switch (tag) {
    case '+':
    case '(':
        value->kind = RESP_STATUS;
        return RESP_COMMAND;
    case '-':
        value->kind = RESP_ERROR_REPLY;
        return RESP_COMMAND;
    case ',':
        value->kind = RESP_DOUBLE;
        return RESP_COMMAND;
    case '_':
        value->kind = RESP_NIL;
        return RESP_COMMAND;
    case '#':
        value->kind = RESP_BOOL;
        value->integer = line.len == 1 && line.data[0] == 't';
        return RESP_COMMAND;
    default:
        break;
    }
    if (tag == 0 || strchr(":$*%~>=!", tag) == NULL || !number_of(line, &value->integer))
        return RESP_ERROR;
    if (tag == ':') {
        value->kind = RESP_INT;
        return RESP_COMMAND;
    }
    return counted_value(tag, bytes, value->integer, value, used);
}

size_t resp_value_length(struct bytes bytes) {
    size_t total = 0;
    uint64_t left = 1;
    while (left > 0) {
        struct resp_value value;
        size_t used = 0;
        enum resp_result result =
            resp_value_read(bytes_of(bytes.data + total, bytes.len - total), &value, &used);
        if (result == RESP_MORE)
            return 0;
        if (result == RESP_ERROR)
            return SIZE_MAX;
        total += used;
        left += value.count * (value.kind == RESP_MAP ? 2 : 1);
        left--;
    }
    return total;
}
