#include "check/value.h"

#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

/* How many bytes the well-formed UTF-8 character at `at` has; 0: it is none. */
static size_t utf8_len(const uint8_t *at, size_t left) {
    static const struct {
        uint8_t mask, lead, len;
        uint32_t low;
    } shapes[] = {{0x80, 0x00, 1, 0},
                  {0xe0, 0xc0, 2, 0x80},
                  {0xf0, 0xe0, 3, 0x800},
                  {0xf8, 0xf0, 4, 0x10000}};
    for (size_t i = 0; i < 4; i++) {
        if ((at[0] & shapes[i].mask) != shapes[i].lead)
            continue;
        if (shapes[i].len > left)
            return 0;
        uint32_t point = at[0] & (uint8_t)~shapes[i].mask;
        for (size_t n = 1; n < shapes[i].len; n++) {
            if ((at[n] & 0xc0) != 0x80)
                return 0;
            point = point << 6 | (at[n] & 0x3f);
        }
        bool surrogate = point >= 0xd800 && point < 0xe000;
        return point < shapes[i].low || surrogate || point > 0x10ffff ? 0 : shapes[i].len;
    }
    return 0;
}

bool text_is_utf8(struct bytes text) {
    for (size_t i = 0; i < text.len;) {
        size_t len = utf8_len(text.data + i, text.len - i);
        if (len == 0)
            return false;
        i += len;
    }
    return true;
}

bool text_is_integer(struct bytes text, int64_t *integer) {
    bool minus = text.len != 0 && text.data[0] == '-';
    uint64_t number = 0, max = (uint64_t)INT64_MAX + minus;
    if (text.len == minus || (text.data[minus] == '0' && text.len != 1))
        return false;
    for (size_t i = minus; i < text.len; i++) {
        unsigned digit = text.data[i] - (unsigned)'0';
        if (digit > 9 || number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *integer = (int64_t)(minus ? 0 - number : number);
    return true;
}

void text_print_json(struct bytes text, struct buf *out) {
    buf_u8(out, '"');
    for (size_t i = 0; i < text.len;) {
        uint8_t byte = text.data[i];
        size_t len = utf8_len(text.data + i, text.len - i);
        if (len == 0)
            buf_printf(out, "\\ufffd");
        else if (byte == '"' || byte == '\\')
            buf_printf(out, "\\%c", byte);
        else if (byte == '\n')
            buf_printf(out, "\\n");
        else if (byte < 0x20 || byte == 0x7f)
            buf_printf(out, "\\u%04x", byte);
        else
            buf_append(out, text.data + i, len);
        i += len == 0 ? 1 : len;
    }
    buf_u8(out, '"');
}

#define KEY_INTEGER_MAX 100000000000000000 /* parse_json.c takes 18 characters for an integer */

static bool key_fits_json(const struct values *values, uint32_t id) {
    const struct value *key = value_at(values, id);
    int64_t integer;
    if (key->kind == VALUE_INT)
        return key->integer < KEY_INTEGER_MAX && key->integer > -KEY_INTEGER_MAX;
    return key->kind == VALUE_TEXT && !text_is_integer(value_bytes(values, id), &integer);
}

bool value_fits_json(const struct values *values, uint32_t id) {
    const struct value *value = value_at(values, id);
    bool map = value->kind == VALUE_MAP, fits = true;
    for (uint32_t i = 0; value->kind >= VALUE_LIST && i < value->len && fits; i++) {
        uint32_t item = value_items(values, id)[i];
        fits = map && i % 2 == 0 ? key_fits_json(values, item) : value_fits_json(values, item);
    }
    return fits;
}

static void print_key(const struct values *values, uint32_t id, struct buf *out) {
    if (value_at(values, id)->kind == VALUE_TEXT) {
        value_print(values, id, out);
        return;
    }
    struct buf inner = {0};
    value_print(values, id, &inner);
    text_print_json(buf_view(&inner), out);
    buf_free(&inner);
}

static void print_items(const struct values *values, uint32_t id, struct buf *out) {
    const struct value *value = value_at(values, id);
    bool map = value->kind == VALUE_MAP;
    buf_u8(out, map ? '{' : '[');
    for (uint32_t i = 0; i < value->len; i++) {
        uint32_t item = value_items(values, id)[i];
        if (i != 0)
            buf_u8(out, map && i % 2 == 1 ? ':' : ',');
        if (map && i % 2 == 0)
            print_key(values, item, out);
        else
            value_print(values, item, out);
    }
    buf_u8(out, map ? '}' : ']');
}

void value_print(const struct values *values, uint32_t id, struct buf *out) {
    cairn_assert(id < values->count);
    const struct value *value = value_at(values, id);
    switch (value->kind) {
    case VALUE_NIL:
        buf_printf(out, "null");
        break;
    case VALUE_BOOL:
        buf_printf(out, value->integer ? "true" : "false");
        break;
    case VALUE_INT:
        buf_printf(out, "%" PRId64, value->integer);
        break;
    case VALUE_TEXT:
        text_print_json(value_bytes(values, id), out);
        break;
    case VALUE_LIST:
    case VALUE_MAP:
        print_items(values, id, out);
        break;
    }
}

void value_plain(const struct values *values, uint32_t id, struct buf *out) {
    if (value_at(values, id)->kind == VALUE_TEXT)
        buf_bytes(out, value_bytes(values, id));
    else
        value_print(values, id, out);
}

/* A text that nothing else of what is shown could be taken for. */
static bool is_word(struct bytes text) {
    static const char *const names[] = {"null", "nil", "true", "false"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bytes_equal(text, bytes_cstr(names[i])))
            return false;
    size_t sign =
        text.len != 0 && (text.data[0] == '-' || text.data[0] == '+' || text.data[0] == '.');
    if (sign == text.len || (text.data[sign] >= '0' && text.data[sign] <= '9'))
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.data[i] <= ' ' || text.data[i] == 0x7f || strchr("\"\\,?[]{}()", text.data[i]))
            return false;
    return true;
}

void value_show(const struct values *values, uint32_t id, struct buf *out) {
    if (id == VALUE_NONE)
        buf_printf(out, "?");
    else if (value_at(values, id)->kind == VALUE_TEXT && is_word(value_bytes(values, id)))
        buf_bytes(out, value_bytes(values, id));
    else
        value_print(values, id, out);
}
