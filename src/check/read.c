#include "check/read.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/read_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ERROR_MAX 512u
#define DETECT_MAX 65536u

static const struct {
    const char *name, *line;
} formats[READ_FORMAT_COUNT] = {
#define X(constant, text, line) {text, line},
    READ_FORMAT_LIST(X)
#undef X
};

const char *read_format_name(enum read_format format) {
    cairn_assert(format < READ_FORMAT_COUNT);
    return formats[format].name;
}

const char *read_format_line(enum read_format format) {
    cairn_assert(format < READ_FORMAT_COUNT);
    return formats[format].line;
}

enum read_format read_format_of(const char *name) {
    for (int format = 0; format < READ_FORMAT_COUNT; format++)
        if (strcmp(name, formats[format].name) == 0)
            return (enum read_format)format;
    return strcmp(name, "json") == 0 ? READ_JSON : READ_FORMAT_COUNT;
}

struct history_reader *history_reader_new(const struct read_options *options,
                                          struct history *history, struct lint *lint) {
    struct history_reader *reader = cairn_alloc_zero(sizeof *reader);
    reader->options = *options;
    if (reader->options.form_max == 0)
        reader->options.form_max = READ_FORM_MAX;
    reader->history = history;
    reader->lint = lint;
    reader->line = 1;
    return reader;
}

void history_reader_free(struct history_reader *reader) {
    if (reader == NULL)
        return;
    history_build_free(&reader->build);
    data_free(&reader->data);
    read_sessions_free(reader);
    buf_free(&reader->kept);
    buf_free(&reader->log_line);
    buf_free(&reader->error);
    cairn_free(reader);
}

const char *history_reader_error(const struct history_reader *reader) {
    return reader->error.len == 0 ? "" : (const char *)reader->error.data;
}

enum cairn_status history_reader_status(const struct history_reader *reader) {
    return reader->status;
}

uint32_t history_reader_line(const struct history_reader *reader) {
    return reader->line;
}

enum read_format history_reader_format(const struct history_reader *reader) {
    return reader->format;
}

bool read_fail(struct history_reader *reader, enum cairn_status status, uint32_t line,
               const char *format, ...) {
    char text[ERROR_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reader->status = status;
    buf_clear(&reader->error);
    if (line != 0)
        buf_printf(&reader->error, "line %" PRIu32 ": ", line);
    buf_append(&reader->error, text, strlen(text) + 1);
    return false;
}

/* ---- which format ---- */

static bool is_blank(uint8_t c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum read_format told_by_bracket(const uint8_t *at, const uint8_t *end) {
    while (at < end && (is_blank(*at) || *at == ',' || *at == '[' || *at == '{'))
        at++;
    if (at == end)
        return READ_AUTO;
    if (*at == '"' || *at == '}' || *at == ']')
        return READ_JSON;
    return *at == ':' || *at == '(' || *at == '#' || *at == ';' ? READ_EDN : READ_LOG;
}

/* READ_AUTO: more must be seen. */
static enum read_format detect(const uint8_t *at, const uint8_t *end) {
    while (at < end && is_blank(*at))
        at++;
    if (at == end)
        return READ_AUTO;
    if (*at == '{' || *at == '[')
        return told_by_bracket(at, end);
    if (*at == '(' || *at == ';' || *at == '#')
        return READ_EDN;
    if (*at == '-' || *at == '=')
        return READ_AWDIT;
    if (*at != 'r' && *at != 'w')
        return READ_LOG;
    if (end - at < 2)
        return READ_AUTO;
    return at[1] == '(' ? READ_PLUME : is_blank(at[1]) ? READ_AWDIT : READ_LOG;
}

static void start(struct history_reader *reader, enum read_format format) {
    static const enum event_source sources[READ_FORMAT_COUNT] = {
        [READ_EDN] = SOURCE_EDN, [READ_LOG] = SOURCE_LOG};
    const struct read_options *asked = &reader->options;
    struct build_options options = {sources[format], asked->keyed,      asked->times,
                                    asked->by_time,  asked->nil_absent, asked->strict};
    reader->format = format;
    reader->data.numbers = asked->numbers;
    if (format == READ_AWDIT || format == READ_PLUME)
        read_sessions_init(reader);
    else
        history_build_init(&reader->build, reader->history, reader->lint, &options);
}

/* A byte order mark at the very beginning. False: what is there may become one. */
static bool mark_dropped(struct history_reader *reader) {
    struct buf *kept = &reader->kept;
    size_t mark = kept->len < 3 ? kept->len : 3;
    bool fits = mark != 0 && memcmp(kept->data, "\xef\xbb\xbf", mark) == 0;
    if (mark == 0 || (fits && mark < 3 && !reader->final))
        return false;
    if (fits && mark == 3)
        buf_consume(kept, 3);
    return true;
}

/* True: the format is known. */
static bool ready(struct history_reader *reader) {
    if (reader->format != READ_AUTO)
        return true;
    struct buf *kept = &reader->kept;
    reader->begun = reader->begun || mark_dropped(reader);
    if (!reader->begun && !reader->final)
        return false;
    enum read_format format = reader->options.format;
    if (format == READ_AUTO && kept->len != 0)
        format = detect(kept->data, kept->data + kept->len);
    if (format == READ_AUTO && (reader->final || kept->len > DETECT_MAX))
        format = READ_JSON;
    if (format != READ_AUTO)
        start(reader, format);
    return format != READ_AUTO;
}

/* ---- lines ---- */

static bool one_line(struct history_reader *reader, const uint8_t *at, size_t len) {
    if (len != 0 && at[len - 1] == '\r')
        len--;
    struct bytes line = bytes_of(at, len);
    return reader->format == READ_LOG     ? read_log_line(reader, line)
           : reader->format == READ_AWDIT ? read_awdit_line(reader, line)
                                          : read_plume_line(reader, line);
}

static bool read_lines(struct history_reader *reader, const uint8_t **at, const uint8_t *end) {
    while (*at < end) {
        const uint8_t *line_end = memchr(*at, '\n', (size_t)(end - *at));
        if (line_end == NULL && !reader->final)
            return true;
        size_t len = (size_t)((line_end == NULL ? end : line_end) - *at);
        if (!one_line(reader, *at, len))
            return false;
        *at = line_end == NULL ? end : line_end + 1;
        reader->line++;
    }
    return true;
}

/* ---- feeding ---- */

static bool limit_reached(struct history_reader *reader, size_t len) {
    size_t growth = history_growth(reader->history);
    if (!limits_over(reader->options.limits, 512 + len / 64) &&
        (growth == 0 || limits_room(reader->options.limits, growth)))
        return false;
    read_fail(reader, CAIRN_CANCELLED, reader->line, "reading was stopped by %s",
              limits_stop_text(reader->options.limits->stopped));
    return true;
}

static bool parse_kept(struct history_reader *reader) {
    struct buf *kept = &reader->kept;
    if (kept->len == 0)
        return true;
    const uint8_t *start = kept->data, *at = start, *end = start + kept->len;
    bool forms = reader->format == READ_JSON || reader->format == READ_EDN;
    bool good = forms ? read_forms(reader, &at, end) : read_lines(reader, &at, end);
    if (!good)
        return false;
    if (at != start)
        buf_consume(kept, (size_t)(at - start));
    if (kept->len > reader->options.form_max)
        return read_fail(reader, CAIRN_TOO_LARGE, reader->line,
                         "what begins here is longer than %zu bytes", reader->options.form_max);
    /* Trying again only when it has doubled keeps the sum of all tries linear. */
    size_t limit = reader->options.form_max + 1;
    reader->retry_len = 2 * kept->len < limit ? 2 * kept->len : limit;
    return true;
}

bool history_reader_feed(struct history_reader *reader, struct bytes bytes) {
    if (reader->status != CAIRN_OK || limit_reached(reader, bytes.len))
        return false;
    cairn_assert(!reader->final);
    buf_append(&reader->kept, bytes.data, bytes.len);
    if (!ready(reader) || reader->kept.len < reader->retry_len)
        return true;
    return parse_kept(reader);
}

static bool end_of_forms(struct history_reader *reader) {
    if (reader->place == READ_INSIDE)
        return read_fail(reader, CAIRN_TORN, reader->line,
                         "the input ends within the list that begins on line %" PRIu32,
                         reader->list_line);
    return true;
}

bool history_reader_end(struct history_reader *reader) {
    if (reader->status != CAIRN_OK)
        return false;
    reader->final = true;
    ready(reader);
    if (!parse_kept(reader))
        return false;
    bool sessions = reader->format == READ_AWDIT || reader->format == READ_PLUME;
    if (!sessions && !end_of_forms(reader))
        return false;
    if (reader->format == READ_LOG && reader->events == 0 && reader->line > 1)
        return read_fail(reader, CAIRN_MALFORMED, 0,
                         "no event was found: this is no history in a known format");
    if (sessions)
        read_sessions_end(reader);
    else
        history_build_end(&reader->build);
    if (reader->history->op_count == 0)
        lint_add(reader->lint, LINT_WARNING, 0, "there is no operation in this history");
    return true;
}

/* ---- values from the command line ---- */

bool history_read_value(struct values *values, struct bytes text, uint32_t *value) {
    struct data data = {0};
    struct buf copy = {0};
    buf_bytes(&copy, text);
    buf_u8(&copy, '\n'); /* ends a number */
    struct parse parse = {.at = copy.data, .end = copy.data + copy.len, .data = &data};
    bool good = parse_json(&parse) == PARSE_OK;
    while (good && parse.at < parse.end && is_blank(*parse.at))
        parse.at++;
    good &= parse.at == parse.end;
    if (good)
        *value = data_value(&data, 0, values);
    data_free(&data);
    buf_free(&copy);
    return good;
}

/* JSON, or a bare word. */
static uint32_t value_or_word(struct values *values, struct bytes text) {
    uint32_t value;
    if (bytes_equal(text, BYTES("nil")))
        return VALUE_NULL;
    return history_read_value(values, text, &value) ? value : value_text(values, text);
}

static bool read_pair(struct history *history, struct bytes pair, struct buf *why) {
    const uint8_t *equals = memchr(pair.data, '=', pair.len);
    if (equals == NULL || equals == pair.data || !text_is_utf8(pair)) {
        buf_printf(why, "'%.*s' is no key=value", (int)pair.len, (const char *)pair.data);
        return false;
    }
    size_t key_len = (size_t)(equals - pair.data);
    uint32_t key = value_or_word(&history->values, bytes_of(pair.data, key_len));
    uint32_t value = value_or_word(&history->values, bytes_of(equals + 1, pair.len - key_len - 1));
    history_set_initial(history, key, value);
    return true;
}

bool history_read_initial(struct history *history, const char *text, struct buf *why) {
    uint32_t value;
    if (strcmp(text, "nil") == 0)
        text = "null";
    history->initial_told = true;
    if (history_read_value(&history->values, bytes_cstr(text), &value)) {
        history->initial = value;
        return true;
    }
    if (strchr(text, '=') == NULL) {
        buf_printf(why, "an initial value is JSON, such as 0, null or '\"\"', or x=0,y=0");
        return false;
    }
    while (*text != 0) {
        size_t len = strcspn(text, ", ");
        if (len != 0 && !read_pair(history, bytes_of(text, len), why))
            return false;
        text += len + (text[len] != 0);
    }
    return true;
}
