/* From events to a history: pairs what a process asked with what it was told, gives positions, and
 * collects what is wrong on the way (check/lint.h). Readers call this; it knows no syntax.
 *
 * Two forms of events. Halves: an `invoke`, later an `ok`, `fail` or `info` of the same process,
 * or nothing. Wholes: one event with the times of call and return. Positions follow the order of
 * events, or with `by_time` (always so for wholes) their times; at equal times calls come first, so
 * that such operations count as concurrent. So an operation may overlap the one before of its own
 * process, when it was called at the very time at which that returned; the order of a process is
 * that of its calls.
 *
 * What a completion means:
 * - ok: it happened. The answer is its value; of what asks something and answers something else
 *   (add, remove, delete, set-if-absent, contains ...), its `result`, or a value that is not what
 *   was asked. A cas with the result false did not match.
 * - fail: it did not happen; but a cas in JSON without `error`, or in a console log, was answered
 *   "no match".
 * - info, or none: open for ever; it may happen at any later time, or never.
 *
 * A third form, of transactions only: no event invokes, each tells a whole transaction whose time
 * is not known (examples of Elle, tx-fuzzer). Processes are sessions then, and real time says
 * nothing; what tells no process is a session of its own.
 */
#ifndef CAIRN_CHECK_HISTORY_BUILD_H
#define CAIRN_CHECK_HISTORY_BUILD_H

#include "check/datum.h"
#include "check/history.h"
#include "check/lint.h"

/* X(constant, name in files). INITIAL and REAL_TIME stand in a line of their own, which says of the
 * history what no event can. */
#define EVENT_FIELD_LIST(X) \
    X(PROCESS, "process")   \
    X(TYPE, "type")         \
    X(F, "f")               \
    X(KEY, "key")           \
    X(VALUE, "value")       \
    X(RESULT, "result")     \
    X(TIME, "time")         \
    X(ERROR, "error")       \
    X(CALL, "call")         \
    X(RETURN, "return")     \
    X(INITIAL, "initial")   \
    X(REAL_TIME, "real_time")
enum event_field {
#define X(name, text) EVENT_##name,
    EVENT_FIELD_LIST(X)
#undef X
        EVENT_FIELD_COUNT
};
struct event {
    uint32_t line;
    uint32_t field[EVENT_FIELD_COUNT]; /* data, DATUM_NONE where the event has no such field */
    uint32_t answer, answer_name; /* what other tools' names for an answer hold: output, ret ... */
    bool process_told;
};
void event_init(struct event *event, uint32_t line);
/* Takes the member `name` with its value, where it is a field or means one: a client, thread or
 * session is the process where no `process` is told. */
void event_member(struct event *event, const struct data *data, uint32_t name, uint32_t value);

enum event_source { SOURCE_JSON, SOURCE_EDN, SOURCE_LOG };

struct build_options {
    enum event_source source;
    bool keyed;      /* values are [key value], as jepsen.independent makes them */
    bool times;      /* keep them in the history */
    bool by_time;    /* order by time, not by line */
    bool nil_absent; /* in EDN too an answer of nil is that nothing was there */
    bool strict;     /* a value that no operation wrote is one, also in EDN; and nil_absent */
};

struct build_process {
    uint32_t pending; /* an operation, OP_NONE: none */
    uint32_t crashed; /* the line at which it was last told nothing; 0: never */
    uint64_t time_ns;
};

struct history_build {
    struct history *history;
    struct lint *lint;
    struct build_options options;
    uint32_t position;
    uint32_t *dense; /* by the value of a process's name; OP_NONE: unknown */
    uint32_t dense_cap;
    struct build_process *processes;
    uint32_t process_cap;
    uint64_t last_ns, latest_ns;
    bool halves, wholes;
    bool invokes;  /* an event has */
    bool overlaps; /* a process has gone on while an operation of it was open */
    bool text_map; /* get, put, append of texts, where nothing is "" */
};

/* history: initialised and empty. lint may be NULL. */
void history_build_init(struct history_build *build, struct history *history, struct lint *lint,
                        const struct build_options *options);
void history_build_free(struct history_build *build);
void history_build_event(struct history_build *build, const struct data *data,
                         const struct event *event);
/* After the last event. */
void history_build_end(struct history_build *build);

/* history_build_time.c: positions from times. */
void history_build_by_time(struct history_build *build);
/* history_build_lanes.c: of a process that has two operations open at once, one gets a process of
 * its own. Times are still there. */
void history_build_lanes(struct history_build *build);

#endif
