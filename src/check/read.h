/* Reads histories. A reader takes bytes as they come, in pieces of any size, and fills a history;
 * it keeps no more of the input than one event (form_max). docs/histories.md tells the formats.
 *
 *     history_init(&history); lint_init(&lint);
 *     struct history_reader *reader = history_reader_new(&options, &history, &lint);
 *     while (there is input)
 *         if (!history_reader_feed(reader, bytes)) break;
 *     if (!history_reader_end(reader)) puts(history_reader_error(reader));
 *     history_reader_free(reader);
 *
 * Two kinds of complaints: input that can't be read at all stops the reader (history_reader_error);
 * events that make no sense together are findings in lint, and a command stops when
 * lint.totals[LINT_ERROR] isn't zero.
 */
#ifndef CAIRN_CHECK_READ_H
#define CAIRN_CHECK_READ_H

#include "base/status.h"
#include "check/history.h"
#include "check/limits.h"
#include "check/lint.h"

#define READ_FORM_MAX ((size_t)16 << 20)

/* X(constant, name, one line) */
#define READ_FORMAT_LIST(X)                                               \
    X(AUTO, "auto", "told from the first bytes")                          \
    X(JSON, "jsonl", "JSON: an event a line, or an array of events")      \
    X(EDN, "edn", "Jepsen: maps one after another, or in a vector")       \
    X(LOG, "log", "Jepsen's console: process, type, function, value")     \
    X(AWDIT, "awdit", "transactions: r key value, w key value, ---, ===") \
    X(PLUME, "plume", "transactions: r(key,value,session,transaction)")
enum read_format {
#define X(name, text, line) READ_##name,
    READ_FORMAT_LIST(X)
#undef X
        READ_FORMAT_COUNT
};
const char *read_format_name(enum read_format format);
const char *read_format_line(enum read_format format);
/* READ_FORMAT_COUNT: none of that name. */
enum read_format read_format_of(const char *name);

struct read_options {
    enum read_format format;
    bool keyed;            /* values are [key value] (jepsen.independent) */
    bool times;            /* keep them: 16 bytes an operation */
    bool by_time;          /* the order of events is that of their times, not of their lines */
    bool numbers;          /* texts of digits are integers */
    bool nil_absent;       /* EDN: an answer of nil is that nothing was there */
    bool strict;           /* EDN: nil_absent, and a value that no operation wrote is one */
    size_t form_max;       /* bytes of one event or line; 0: READ_FORM_MAX */
    struct limits *limits; /* may be NULL; reading stops with an error when one is reached */
};

struct history_reader;

/* history: initialised and empty; lint may be NULL. Both are borrowed until the reader is freed. */
struct history_reader *history_reader_new(const struct read_options *options,
                                          struct history *history, struct lint *lint);
void history_reader_free(struct history_reader *reader);
/* False: an error, and nothing more is taken. */
bool history_reader_feed(struct history_reader *reader, struct bytes bytes);
bool history_reader_end(struct history_reader *reader);
/* "line 17: a text that is not UTF-8"; valid as long as the reader. */
const char *history_reader_error(const struct history_reader *reader);
/* CAIRN_MALFORMED, CAIRN_TOO_LARGE, CAIRN_TORN (it ends too early), CAIRN_CANCELLED (a limit). */
enum cairn_status history_reader_status(const struct history_reader *reader);
uint32_t history_reader_line(const struct history_reader *reader);
/* What was told from the first bytes; READ_AUTO: nothing yet. */
enum read_format history_reader_format(const struct history_reader *reader);

/* Sets initial values after reading: a value as JSON (or nil), or "x=0,y=0" for single keys. False:
 * `why` says what is wrong. */
bool history_read_initial(struct history *history, const char *text, struct buf *why);
/* Interns what a text says as JSON; false: it is none. */
bool history_read_value(struct values *values, struct bytes text, uint32_t *value);

#endif
