#include "check/datum.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ITEMS_ON_STACK 64u
#define NUMBER_LEN_MAX 400u

void data_free(struct data *data) {
    cairn_free(data->at);
    buf_free(&data->scratch);
    *data = (struct data){0};
}

void data_clear(struct data *data) {
    data->count = 0;
    buf_clear(&data->scratch);
}

struct datum *data_push(struct data *data, enum datum_kind kind) {
    if (data->count == data->cap) {
        data->cap += data->cap / 2 + 64;
        data->at = cairn_realloc(data->at, data->cap * sizeof *data->at);
    }
    struct datum *datum = &data->at[data->count++];
    *datum = (struct datum){.kind = kind};
    return datum;
}

struct bytes data_text(const struct data *data, uint32_t at) {
    const struct datum *datum = &data->at[at];
    cairn_assert(datum->kind == DATUM_TEXT || datum->kind == DATUM_WORD);
    return bytes_of(datum->scratch ? data->scratch.data + datum->offset : datum->text, datum->len);
}

uint32_t data_next(const struct data *data, uint32_t at) {
    return data->at[at].kind < DATUM_LIST ? at + 1 : at + (uint32_t)data->at[at].size;
}

bool data_is_text(const struct data *data, uint32_t at) {
    return data->at[at].kind == DATUM_TEXT || data->at[at].kind == DATUM_WORD;
}

bool data_is_list(const struct data *data, uint32_t at) {
    return data->at[at].kind == DATUM_LIST || data->at[at].kind == DATUM_TUPLE;
}

bool data_is_word(const struct data *data, uint32_t at, struct bytes text) {
    return data_is_text(data, at) && bytes_equal(data_text(data, at), text);
}

static uint32_t list_value(const struct data *data, uint32_t at, struct values *values) {
    const struct datum *datum = &data->at[at];
    uint32_t on_stack[ITEMS_ON_STACK];
    uint32_t *items =
        datum->len <= ITEMS_ON_STACK ? on_stack : cairn_alloc(datum->len * sizeof *items);
    uint32_t item = at + 1, id;
    for (uint32_t i = 0; i < datum->len; i++, item = data_next(data, item))
        items[i] = data_value(data, item, values);
    if (datum->kind == DATUM_MAP)
        id = value_map(values, items, datum->len);
    else if (datum->kind == DATUM_SET)
        id = value_set(values, items, datum->len);
    else
        id = value_list(values, items, datum->len);
    if (items != on_stack)
        cairn_free(items);
    return id;
}

static uint32_t text_value(const struct data *data, uint32_t at, struct values *values) {
    struct bytes text = data_text(data, at);
    int64_t integer;
    return data->numbers && text_is_integer(text, &integer) ? value_int(values, integer)
                                                            : value_text(values, text);
}

uint32_t data_value(const struct data *data, uint32_t at, struct values *values) {
    const struct datum *datum = &data->at[at];
    switch (datum->kind) {
    case DATUM_NIL:
        return VALUE_NULL;
    case DATUM_BOOL:
        return value_bool(values, datum->integer != 0);
    case DATUM_INT:
        return value_int(values, datum->integer);
    case DATUM_TEXT:
    case DATUM_WORD:
        return text_value(data, at, values);
    case DATUM_LIST:
    case DATUM_TUPLE:
    case DATUM_SET:
    case DATUM_MAP:
        break;
    }
    return list_value(data, at, values);
}

enum parse_result parse_fail(struct parse *parse, const char *error) {
    parse->error = error;
    return PARSE_BAD;
}

/* The shortest of two forms that reads back as the same number, so that 1.50 and 1.5 are equal. */
static enum parse_result push_real(struct parse *parse, const uint8_t *token_end) {
    size_t len = (size_t)(token_end - parse->at);
    char text[NUMBER_LEN_MAX + 1], *end;
    if (len > NUMBER_LEN_MAX)
        return parse_fail(parse, "a number of too many digits");
    memcpy(text, parse->at, len);
    text[len] = 0;
    double real = strtod(text, &end);
    if (*end != 0)
        return parse_fail(parse, "this is no number");
    parse->at = token_end;
    if (real == trunc(real) && fabs(real) <= 9007199254740992.0) {
        data_push(parse->data, DATUM_INT)->integer = (int64_t)real;
        return PARSE_OK;
    }
    size_t from = parse->data->scratch.len;
    snprintf(text, sizeof text, "%.15g", real);
    if (strtod(text, NULL) != real)
        snprintf(text, sizeof text, "%.17g", real);
    buf_append(&parse->data->scratch, text, strlen(text));
    return parse_scratch_text(parse, from);
}

enum parse_result parse_number_token(struct parse *parse, const uint8_t *token_end) {
    const uint8_t *at = parse->at;
    bool minus = *at == '-';
    uint64_t number = 0, max = (uint64_t)INT64_MAX + minus;
    if (*at == '-' || *at == '+')
        at++;
    if (at == token_end)
        return parse_fail(parse, "this is no number");
    for (; at < token_end; at++) {
        unsigned digit = *at - (unsigned)'0';
        if (digit > 9)
            return push_real(parse, token_end);
        if (number > (max - digit) / 10) {
            for (; at < token_end; at++)
                if (*at < '0' || *at > '9')
                    return push_real(parse, token_end);
            return parse_fail(parse, "an integer that does not fit into 64 bits");
        }
        number = number * 10 + digit;
    }
    parse->at = token_end;
    data_push(parse->data, DATUM_INT)->integer = (int64_t)(minus ? 0 - number : number);
    return PARSE_OK;
}

static enum parse_result hex4(struct parse *parse, uint32_t *point) {
    *point = 0;
    for (int i = 0; i < 4; i++, parse->at++) {
        if (parse->at == parse->end)
            return PARSE_MORE;
        uint8_t c = *parse->at, low = c | 0x20;
        if (c >= '0' && c <= '9')
            *point = *point << 4 | (uint32_t)(c - '0');
        else if (low >= 'a' && low <= 'f')
            *point = *point << 4 | (uint32_t)(low - 'a' + 10);
        else
            return parse_fail(parse, "\\u wants four hexadecimal digits");
    }
    return PARSE_OK;
}

static void push_utf8(struct buf *out, uint32_t point) {
    if (point < 0x80) {
        buf_u8(out, (uint8_t)point);
        return;
    }
    unsigned more = point < 0x800 ? 1 : point < 0x10000 ? 2 : 3;
    static const uint8_t leads[] = {0, 0xc0, 0xe0, 0xf0};
    buf_u8(out, (uint8_t)(leads[more] | point >> 6 * more));
    while (more-- > 0)
        buf_u8(out, (uint8_t)(0x80 | (point >> 6 * more & 0x3f)));
}

enum parse_result parse_unicode(struct parse *parse) {
    uint32_t point, low;
    enum parse_result result = hex4(parse, &point);
    if (result != PARSE_OK)
        return result;
    if (point >= 0xdc00 && point < 0xe000)
        return parse_fail(parse, "half of a surrogate pair");
    if (point >= 0xd800 && point < 0xdc00) {
        if (parse->end - parse->at < 2)
            return PARSE_MORE;
        if (parse->at[0] != '\\' || parse->at[1] != 'u')
            return parse_fail(parse, "half of a surrogate pair");
        parse->at += 2;
        result = hex4(parse, &low);
        if (result != PARSE_OK)
            return result;
        if (low < 0xdc00 || low >= 0xe000)
            return parse_fail(parse, "half of a surrogate pair");
        point = 0x10000 + ((point - 0xd800) << 10) + (low - 0xdc00);
    }
    push_utf8(&parse->data->scratch, point);
    return PARSE_OK;
}

enum parse_result parse_scratch_text(struct parse *parse, size_t from) {
    struct datum *datum = data_push(parse->data, DATUM_TEXT);
    datum->scratch = true;
    datum->len = (uint32_t)(parse->data->scratch.len - from);
    datum->offset = from;
    struct bytes text = data_text(parse->data, parse->data->count - 1);
    return text_is_utf8(text) ? PARSE_OK : parse_fail(parse, "a text that is not UTF-8");
}
