/* Jepsen's console: "INFO  jepsen.util - 3 :invoke :write 4", with tabs or spaces between. */
#include "check/read_internal.h"

#include <string.h>

static bool is_blank(uint8_t c) {
    return c == ' ' || c == '\t';
}

static bool is_type(struct bytes word) {
    return bytes_equal(word, BYTES(":invoke")) || bytes_equal(word, BYTES(":ok")) ||
           bytes_equal(word, BYTES(":fail")) || bytes_equal(word, BYTES(":info"));
}

/* 3 or :nemesis. */
static bool is_process(struct bytes word) {
    return word.len != 0 && (word.data[0] == ':' || (word.data[0] >= '0' && word.data[0] <= '9'));
}

/* Finds a process and a type side by side; *at: what stands behind them. */
static bool find_event(const uint8_t **at, const uint8_t *end, struct bytes *process,
                       struct bytes *type) {
    struct bytes before = {0};
    while (*at < end) {
        while (*at < end && is_blank(**at))
            ++*at;
        const uint8_t *start = *at;
        while (*at < end && !is_blank(**at))
            ++*at;
        *process = before;
        *type = before = bytes_of(start, (size_t)(*at - start));
        if (is_type(*type) && is_process(*process))
            return true;
    }
    return false;
}

/* One datum; a blank behind the line ends numbers and words. */
static enum parse_result parse_one(struct history_reader *reader, const uint8_t **at,
                                   const uint8_t *end, uint32_t *datum) {
    struct parse parse = {.at = *at, .end = end, .data = &reader->data};
    *datum = DATUM_NONE;
    if (parse_edn_blank(&parse) == PARSE_MORE && parse.at == end) {
        *at = end;
        return PARSE_OK;
    }
    uint32_t count = reader->data.count;
    enum parse_result result = parse_edn(&parse);
    if (result == PARSE_OK)
        *datum = count;
    *at = parse.at;
    return result;
}

/* Lines that hold no event are noise. */
bool read_log_line(struct history_reader *reader, struct bytes line) {
    static const enum event_field rest[] = {EVENT_F, EVENT_VALUE, EVENT_ERROR};
    struct bytes process, type;
    struct event event;
    buf_clear(&reader->log_line);
    buf_bytes(&reader->log_line, line);
    buf_u8(&reader->log_line, '\t');
    const uint8_t *at = reader->log_line.data, *end = at + reader->log_line.len;
    if (!find_event(&at, end, &process, &type))
        return true;
    data_clear(&reader->data);
    event_init(&event, reader->line);
    const uint8_t *process_at = process.data, *type_at = type.data;
    if (parse_one(reader, &process_at, end, &event.field[EVENT_PROCESS]) != PARSE_OK ||
        parse_one(reader, &type_at, end, &event.field[EVENT_TYPE]) != PARSE_OK)
        return true;
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++) {
        if (parse_one(reader, &at, end, &event.field[rest[i]]) != PARSE_OK)
            return read_fail(reader, CAIRN_MALFORMED, reader->line,
                             "the value of this event is no EDN");
        uint32_t f = event.field[EVENT_F];
        if (f == DATUM_NONE || reader->data.at[f].kind != DATUM_WORD)
            return true;
    }
    reader->events++;
    history_build_event(&reader->build, &reader->data, &event);
    return true;
}
