/* Events as maps, in JSON or EDN. */
#include "check/read_internal.h"

#include <inttypes.h>
#include <string.h>

static uint32_t lines_in(const uint8_t *at, const uint8_t *end) {
    uint32_t lines = 0;
    while (at < end && (at = memchr(at, '\n', (size_t)(end - at))) != NULL) {
        lines++;
        at++;
    }
    return lines;
}

/* The line; where the first two events share theirs, as when a program writes all in one line, the
 * number of the event, so that each can be named. */
static uint32_t place_of(struct history_reader *reader) {
    struct history *history = reader->history;
    if (reader->events == 0)
        reader->first_line = reader->line;
    if (reader->events == 1 && reader->line == reader->first_line) {
        history->numbered = true;
        if (history->op_count == 1)
            history->ops[0].line = 1;
        if (reader->lint != NULL)
            reader->lint->numbered = true;
    }
    return history->numbered ? (uint32_t)reader->events + 1 : reader->line;
}

static void take_event(struct history_reader *reader, uint32_t map) {
    const struct data *data = &reader->data;
    struct event event;
    event_init(&event, place_of(reader));
    uint32_t key = map + 1;
    for (uint32_t i = 0; i < data->at[map].len; i += 2) {
        uint32_t value = data_next(data, key);
        event_member(&event, data, key, value);
        key = data_next(data, value);
    }
    reader->events++;
    history_build_event(&reader->build, data, &event);
}

/* Blanks between events; commas between those of a JSON array. */
static enum parse_result skip(struct history_reader *reader, struct parse *parse) {
    if (reader->format == READ_EDN)
        return parse_edn_blank(parse);
    for (; parse->at < parse->end; parse->at++) {
        uint8_t c = *parse->at;
        bool comma =
            c == ',' && reader->place == READ_INSIDE && !reader->comma && reader->events != 0;
        if (comma)
            reader->comma = true;
        else if (c != ' ' && c != '\n' && c != '\t' && c != '\r')
            return PARSE_OK;
    }
    return PARSE_MORE;
}

static bool fail_at(struct history_reader *reader, const struct parse *parse,
                    const uint8_t *start) {
    return read_fail(reader, CAIRN_MALFORMED, reader->line + lines_in(start, parse->at), "%s",
                     parse->error);
}

/* A list begins or ends here. */
static bool is_bracket(struct history_reader *reader, uint8_t c) {
    if (reader->place == READ_START && (c == '[' || (c == '(' && reader->format == READ_EDN))) {
        reader->place = READ_INSIDE;
        reader->close = c == '[' ? ']' : ')';
        reader->list_line = reader->line;
        return true;
    }
    if (reader->place == READ_INSIDE && c == reader->close && !reader->comma) {
        reader->place = READ_AFTER;
        return true;
    }
    return false;
}

static bool one_form(struct history_reader *reader, struct parse *parse, const uint8_t *start) {
    uint8_t c = *parse->at;
    if (reader->place == READ_AFTER)
        return read_fail(reader, CAIRN_MALFORMED, reader->line, "something stands behind the list");
    if (c != '{' && c != '#')
        return read_fail(reader, CAIRN_MALFORMED, reader->line,
                         "an event is a map, but this begins with '%c'",
                         c >= ' ' && c < 0x7f ? c : '?');
    if (reader->format == READ_JSON && reader->place == READ_INSIDE && reader->events != 0 &&
        !reader->comma)
        return read_fail(reader, CAIRN_MALFORMED, reader->line, "',' is missing between events");
    enum parse_result result = reader->format == READ_EDN ? parse_edn(parse) : parse_json(parse);
    if (result == PARSE_BAD)
        return fail_at(reader, parse, start);
    if (result == PARSE_MORE)
        return true;
    if (reader->data.at[0].kind != DATUM_MAP)
        return read_fail(reader, CAIRN_MALFORMED, reader->line, "an event is a map");
    if (reader->place == READ_START)
        reader->place = READ_SINGLE;
    take_event(reader, 0);
    reader->comma = false;
    return true;
}

/* At the end of the input: comments may end without a line end, but no form may be cut. */
static bool cut(struct history_reader *reader, const uint8_t **at, const uint8_t *end) {
    if (!reader->final)
        return true;
    const uint8_t *start = *at;
    if (start < end && *start == ';' && memchr(start, '\n', (size_t)(end - start)) == NULL) {
        *at = end;
        return true;
    }
    return read_fail(reader, CAIRN_TORN, reader->line, "the input ends within what begins here");
}

bool read_forms(struct history_reader *reader, const uint8_t **at, const uint8_t *end) {
    while (*at < end) {
        struct parse parse = {.at = *at, .end = end, .data = &reader->data};
        data_clear(&reader->data);
        enum parse_result result = skip(reader, &parse);
        if (result == PARSE_BAD)
            return fail_at(reader, &parse, *at);
        const uint8_t *start = parse.at;
        reader->line += lines_in(*at, start);
        *at = start;
        if (start == end)
            return true;
        if (result == PARSE_MORE)
            return cut(reader, at, end); /* a comment or a discarded form */
        if (is_bracket(reader, *start)) {
            *at = start + 1;
            continue;
        }
        uint64_t events = reader->events;
        if (!one_form(reader, &parse, start))
            return false;
        if (reader->events == events)
            return cut(reader, at, end);
        reader->line += lines_in(start, parse.at);
        *at = parse.at;
    }
    return true;
}
