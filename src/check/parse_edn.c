#include "check/datum.h"

#include <string.h>

static bool is_blank(uint8_t c) {
    return c == ' ' || c == ',' || (c >= '\t' && c <= '\r');
}

static bool ends_token(uint8_t c) {
    return is_blank(c) || (c != 0 && strchr("()[]{}\";", c) != NULL);
}

/* The end of the token that begins at `at`; NULL: the input ends first. */
static const uint8_t *token_end(const struct parse *parse, const uint8_t *at) {
    while (at < parse->end && !ends_token(*at))
        at++;
    return at == parse->end ? NULL : at;
}

static enum parse_result discard(struct parse *parse) {
    uint32_t count = parse->data->count;
    enum parse_result result = parse_edn(parse);
    parse->data->count = count;
    return result;
}

enum parse_result parse_edn_blank(struct parse *parse) {
    while (parse->at < parse->end) {
        if (is_blank(*parse->at)) {
            parse->at++;
        } else if (*parse->at == ';') {
            const uint8_t *line_end = memchr(parse->at, '\n', (size_t)(parse->end - parse->at));
            if (line_end == NULL)
                return PARSE_MORE;
            parse->at = line_end + 1;
        } else if (*parse->at == '#') {
            if (parse->end - parse->at < 2)
                return PARSE_MORE;
            if (parse->at[1] != '_')
                return PARSE_OK;
            const uint8_t *start = parse->at;
            parse->at += 2;
            enum parse_result result = discard(parse);
            if (result == PARSE_MORE)
                parse->at = start;
            if (result != PARSE_OK)
                return result;
        } else {
            return PARSE_OK;
        }
    }
    return PARSE_MORE;
}

static enum parse_result push_text(struct parse *parse, enum datum_kind kind, const uint8_t *start,
                                   size_t len) {
    struct datum *datum = data_push(parse->data, kind);
    datum->text = start;
    datum->len = (uint32_t)len;
    return text_is_utf8(bytes_of(start, len)) ? PARSE_OK
                                              : parse_fail(parse, "a text that is not UTF-8");
}

static enum parse_result escape(struct parse *parse, bool pattern) {
    static const char from[] = "\"\\/bfnrt'", to[] = "\"\\/\b\f\n\r\t'";
    uint8_t c = *parse->at++;
    if (pattern) {
        buf_u8(&parse->data->scratch, '\\');
        buf_u8(&parse->data->scratch, c);
        return PARSE_OK;
    }
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

static enum parse_result string(struct parse *parse, bool pattern) {
    const uint8_t *start = ++parse->at;
    while (parse->at < parse->end && *parse->at != '"' && *parse->at != '\\')
        parse->at++;
    if (parse->at == parse->end)
        return PARSE_MORE;
    if (*parse->at == '"')
        return push_text(parse, DATUM_TEXT, start, (size_t)(parse->at++ - start));
    struct buf *scratch = &parse->data->scratch;
    size_t from = scratch->len;
    buf_append(scratch, start, (size_t)(parse->at - start));
    while (parse->at < parse->end) {
        uint8_t c = *parse->at++;
        if (c == '"')
            return parse_scratch_text(parse, from);
        if (c != '\\') {
            buf_u8(scratch, c);
            continue;
        }
        if (parse->at == parse->end)
            break;
        enum parse_result result = escape(parse, pattern);
        if (result != PARSE_OK)
            return result;
    }
    return PARSE_MORE;
}

/* \a, \newline, \u0041: texts of one character. */
static enum parse_result character(struct parse *parse) {
    static const struct {
        const char *name, *text;
    } names[] = {{"newline", "\n"}, {"space", " "},     {"tab", "\t"},
                 {"return", "\r"},  {"formfeed", "\f"}, {"backspace", "\b"}};
    if (parse->end - parse->at < 2)
        return PARSE_MORE;
    const uint8_t *start = parse->at + 1, *end = token_end(parse, start + 1);
    if (end == NULL)
        return PARSE_MORE;
    struct bytes name = bytes_of(start, (size_t)(end - start));
    size_t from = parse->data->scratch.len;
    parse->at = end;
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (bytes_equal(name, bytes_cstr(names[i].name)))
            return push_text(parse, DATUM_TEXT, (const uint8_t *)names[i].text, 1);
    if (name.len != 5 || start[0] != 'u')
        return push_text(parse, DATUM_TEXT, start, name.len);
    parse->at = start + 1;
    enum parse_result result = parse_unicode(parse);
    return result == PARSE_OK ? parse_scratch_text(parse, from) : result;
}

/* Integers, 5N, 1.5, 1.5M, 1e3; a ratio stays a text. */
static enum parse_result number(struct parse *parse, const uint8_t *end) {
    bool suffix = end[-1] == 'N' || end[-1] == 'M';
    if (memchr(parse->at, '/', (size_t)(end - parse->at)) != NULL) {
        const uint8_t *start = parse->at;
        parse->at = end;
        return push_text(parse, DATUM_TEXT, start, (size_t)(end - start));
    }
    enum parse_result result = parse_number_token(parse, end - suffix);
    if (result == PARSE_OK)
        parse->at = end;
    return result;
}

static enum parse_result token(struct parse *parse) {
    const uint8_t *start = parse->at, *end = token_end(parse, start);
    if (end == NULL)
        return PARSE_MORE;
    if (end == start)
        return parse_fail(parse, "an unexpected character");
    struct bytes text = bytes_of(start, (size_t)(end - start));
    bool sign = (start[0] == '-' || start[0] == '+') && text.len > 1;
    if (start[sign] >= '0' && start[sign] <= '9')
        return number(parse, end);
    parse->at = end;
    if (start[0] == ':')
        return text.len == 1 ? parse_fail(parse, "a keyword without a name")
                             : push_text(parse, DATUM_WORD, start + 1, text.len - 1);
    if (bytes_equal(text, BYTES("nil")))
        data_push(parse->data, DATUM_NIL);
    else if (bytes_equal(text, BYTES("true")) || bytes_equal(text, BYTES("false")))
        data_push(parse->data, DATUM_BOOL)->integer = start[0] == 't';
    else
        return push_text(parse, DATUM_WORD, start, text.len);
    return PARSE_OK;
}

static enum parse_result container(struct parse *parse, enum datum_kind kind, uint8_t close) {
    uint32_t self = parse->data->count, len = 0;
    data_push(parse->data, kind);
    parse->at++;
    for (;; len++) {
        enum parse_result result = parse_edn_blank(parse);
        if (result != PARSE_OK)
            return result;
        if (*parse->at == close)
            break;
        if (*parse->at == ')' || *parse->at == ']' || *parse->at == '}')
            return parse_fail(parse, "a bracket closes what another kind of bracket opened");
        if ((result = parse_edn(parse)) != PARSE_OK)
            return result;
    }
    if (kind == DATUM_MAP && len % 2 != 0)
        return parse_fail(parse, "a map with a key without a value");
    parse->at++;
    parse->data->at[self].len = len;
    parse->data->at[self].size = parse->data->count - self;
    return PARSE_OK;
}

/* #{set}, #"pattern", ##Inf, #tag form: of the tag only [key value] pairs are of interest. */
static enum parse_result dispatch(struct parse *parse) {
    if (parse->end - parse->at < 2)
        return PARSE_MORE;
    uint8_t next = *++parse->at;
    if (next == '{')
        return container(parse, DATUM_SET, '}');
    if (next == '"')
        return string(parse, true);
    if (next == '#') {
        parse->at++;
        return token(parse);
    }
    const uint8_t *start = parse->at, *end = token_end(parse, start);
    if (end == NULL)
        return PARSE_MORE;
    if (end == start)
        return parse_fail(parse, "'#' without a tag");
    bool tuple =
        bytes_equal(bytes_of(start, (size_t)(end - start)), BYTES("jepsen.independent/Tuple"));
    uint32_t at = parse->data->count;
    parse->at = end;
    enum parse_result result = parse_edn(parse);
    if (result == PARSE_OK && tuple && parse->data->at[at].kind == DATUM_LIST)
        parse->data->at[at].kind = DATUM_TUPLE;
    return result;
}

static enum parse_result form(struct parse *parse) {
    switch (*parse->at) {
    case '{':
        return container(parse, DATUM_MAP, '}');
    case '[':
        return container(parse, DATUM_LIST, ']');
    case '(':
        return container(parse, DATUM_LIST, ')');
    case '#':
        return dispatch(parse);
    case '"':
        return string(parse, false);
    case '\\':
        return character(parse);
    default:
        return token(parse);
    }
}

enum parse_result parse_edn(struct parse *parse) {
    if (parse->depth == PARSE_DEPTH_MAX)
        return parse_fail(parse, "nested too deeply (64 levels are allowed)");
    parse->depth++;
    enum parse_result result = parse_edn_blank(parse);
    if (result == PARSE_OK)
        result = form(parse);
    parse->depth--;
    return result;
}
