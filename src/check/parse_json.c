#include "check/datum.h"

#include <string.h>

static void skip_blank(struct parse *parse) {
    while (parse->at < parse->end &&
           (*parse->at == ' ' || *parse->at == '\n' || *parse->at == '\t' || *parse->at == '\r'))
        parse->at++;
}

static enum parse_result escape(struct parse *parse) {
    static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
    uint8_t c = *parse->at++;
    if (c == 'u')
        return parse_unicode(parse);
    const char *found = c == 0 ? NULL : strchr(from, c);
    if (found == NULL) {
        parse->at--;
        return parse_fail(parse, "an unknown escape in a string");
    }
    buf_u8(&parse->data->scratch, (uint8_t)to[found - from]);
    return PARSE_OK;
}

/* The rest of a string in which an escape was met. */
static enum parse_result escaped_string(struct parse *parse, const uint8_t *start) {
    struct buf *scratch = &parse->data->scratch;
    size_t from = scratch->len;
    buf_append(scratch, start, (size_t)(parse->at - start));
    while (parse->at < parse->end) {
        const uint8_t *run = parse->at;
        while (parse->at < parse->end && *parse->at >= 0x20 && *parse->at != '"' &&
               *parse->at != '\\')
            parse->at++;
        buf_append(scratch, run, (size_t)(parse->at - run));
        if (parse->at == parse->end)
            break;
        if (*parse->at < 0x20)
            return parse_fail(parse, "a string that is not closed in its line");
        if (*parse->at++ == '"')
            return parse_scratch_text(parse, from);
        if (parse->at == parse->end)
            break;
        enum parse_result result = escape(parse);
        if (result != PARSE_OK)
            return result;
    }
    return PARSE_MORE;
}

static enum parse_result string(struct parse *parse) {
    const uint8_t *start = ++parse->at;
    uint8_t all = 0;
    for (; parse->at < parse->end; parse->at++) {
        uint8_t c = *parse->at;
        if (c == '\\')
            return escaped_string(parse, start);
        if (c < 0x20)
            return parse_fail(parse, "a string that is not closed in its line");
        if (c == '"') {
            struct datum *datum = data_push(parse->data, DATUM_TEXT);
            datum->text = start;
            datum->len = (uint32_t)(parse->at++ - start);
            if (all < 0x80 || text_is_utf8(bytes_of(start, datum->len)))
                return PARSE_OK;
            return parse_fail(parse, "a text that is not UTF-8");
        }
        all |= c;
    }
    return PARSE_MORE;
}

static enum parse_result number(struct parse *parse) {
    const uint8_t *end = parse->at, *digits = parse->at + (*parse->at == '-');
    while (end < parse->end && ((*end >= '0' && *end <= '9') || *end == '-' || *end == '+' ||
                                *end == '.' || (*end | 0x20) == 'e'))
        end++;
    if (end == parse->end)
        return PARSE_MORE;
    if (digits == end || *digits < '0' || *digits > '9' ||
        (end - digits > 1 && *digits == '0' && digits[1] >= '0' && digits[1] <= '9'))
        return parse_fail(parse, "this is no number");
    return parse_number_token(parse, end);
}

static enum parse_result literal(struct parse *parse) {
    static const struct {
        const char *text;
        enum datum_kind kind;
        int64_t integer;
    } literals[] = {{"null", DATUM_NIL, 0}, {"true", DATUM_BOOL, 1}, {"false", DATUM_BOOL, 0}};
    size_t left = (size_t)(parse->end - parse->at);
    for (size_t i = 0; i < sizeof literals / sizeof *literals; i++) {
        size_t len = strlen(literals[i].text);
        if (memcmp(parse->at, literals[i].text, len < left ? len : left) != 0)
            continue;
        if (left < len)
            return PARSE_MORE;
        parse->at += len;
        data_push(parse->data, literals[i].kind)->integer = literals[i].integer;
        return PARSE_OK;
    }
    return parse_fail(parse, "this is no JSON");
}

/* An integer as the key of an object must be a string in JSON; it is read as the integer again. */
static void key_to_integer(struct parse *parse, uint32_t at) {
    struct bytes text = data_text(parse->data, at);
    int64_t number = 0;
    bool minus = text.len > 1 && text.data[0] == '-';
    if (text.len - minus == 0 || text.len > 18 ||
        (text.data[minus] == '0' && (text.len > 1 || minus)))
        return;
    for (size_t i = minus; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return;
        number = number * 10 + (text.data[i] - '0');
    }
    parse->data->at[at] = (struct datum){.kind = DATUM_INT, .integer = minus ? -number : number};
}

static enum parse_result member_key(struct parse *parse) {
    skip_blank(parse);
    if (parse->at == parse->end)
        return PARSE_MORE;
    if (*parse->at != '"')
        return parse_fail(parse, "a member of an object begins with a string");
    uint32_t at = parse->data->count;
    enum parse_result result = string(parse);
    if (result != PARSE_OK)
        return result;
    key_to_integer(parse, at);
    skip_blank(parse);
    if (parse->at == parse->end)
        return PARSE_MORE;
    if (*parse->at != ':')
        return parse_fail(parse, "':' is missing after a member's name");
    parse->at++;
    return PARSE_OK;
}

static enum parse_result container(struct parse *parse, enum datum_kind kind, uint8_t close) {
    uint32_t self = parse->data->count, len = 0;
    enum parse_result result;
    data_push(parse->data, kind);
    parse->at++;
    for (;;) {
        skip_blank(parse);
        if (parse->at == parse->end)
            return PARSE_MORE;
        if (*parse->at == close && len == 0)
            break;
        if (kind == DATUM_MAP) {
            len++;
            if ((result = member_key(parse)) != PARSE_OK)
                return result;
        }
        len++;
        if ((result = parse_json(parse)) != PARSE_OK)
            return result;
        skip_blank(parse);
        if (parse->at == parse->end)
            return PARSE_MORE;
        if (*parse->at == close)
            break;
        if (*parse->at != ',')
            return parse_fail(parse, kind == DATUM_MAP ? "',' or '}' is missing in an object"
                                                       : "',' or ']' is missing in an array");
        parse->at++;
    }
    parse->at++;
    parse->data->at[self].len = len;
    parse->data->at[self].size = parse->data->count - self;
    return PARSE_OK;
}

enum parse_result parse_json(struct parse *parse) {
    skip_blank(parse);
    if (parse->at == parse->end)
        return PARSE_MORE;
    uint8_t c = *parse->at;
    if (c == '"')
        return string(parse);
    if (c == '-' || (c >= '0' && c <= '9'))
        return number(parse);
    if (c != '{' && c != '[')
        return literal(parse);
    if (parse->depth == PARSE_DEPTH_MAX)
        return parse_fail(parse, "nested too deeply (64 levels are allowed)");
    parse->depth++;
    enum parse_result result =
        c == '{' ? container(parse, DATUM_MAP, '}') : container(parse, DATUM_LIST, ']');
    parse->depth--;
    return result;
}
