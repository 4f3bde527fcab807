/* How long and in how much memory a check may go on. Time and memory are asked from the caller,
 * because check/ reads no clock. A checker asks limits_over now and then (at least every
 * millisecond of work, it is cheap), and limits_room before a big allocation; when told so it
 * stops, with UNDECIDED and what is proved so far.
 */
#ifndef CAIRN_CHECK_LIMITS_H
#define CAIRN_CHECK_LIMITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum limits_stop { LIMITS_GO, LIMITS_TIME, LIMITS_MEMORY, LIMITS_STEPS, LIMITS_CANCELLED };

struct limits {
    uint64_t (*now_ns)(void *context);     /* NULL: no limit of time */
    size_t (*memory_bytes)(void *context); /* used by the process; NULL: no limit of memory */
    /* Called from limits_over about ten times a second; false: cancelled. May be NULL. */
    bool (*progress)(void *context, const char *phase, uint64_t done, uint64_t total);
    void *context;
    uint64_t deadline_ns; /* of now_ns; 0: none */
    size_t memory_max;    /* 0: none */
    uint64_t steps_max;   /* of search, for callers without a clock; 0: none */

    /* own */
    enum limits_stop stopped; /* stays once it is set */
    uint64_t steps, asked, last_progress_ns;
    const char *phase;
    uint64_t done, total;
};

/* Counts `steps` of work; true: stop now (also said by limits->stopped). limits may be NULL. */
bool limits_over(struct limits *limits, uint64_t steps);
/* May `more` bytes be allocated? False: stop now. */
bool limits_room(struct limits *limits, size_t more);
/* A part of what is left: the steps of a search that may end before all do. `limits` is not NULL.
 */
struct limits_share {
    struct limits *limits;
    uint64_t steps_max; /* of all */
    bool own;           /* this share ends before all do */
};
/* steps: of the share; 0: all that is left. */
void limits_share_open(struct limits_share *share, struct limits *limits, uint64_t steps);
/* True: the share was used up, and nothing else was. Work may go on. */
bool limits_share_close(struct limits_share *share);
/* What progress is told from now on. */
void limits_phase(struct limits *limits, const char *phase, uint64_t total);
void limits_done(struct limits *limits, uint64_t done);
const char *limits_stop_text(enum limits_stop stop); /* "the time limit", ... */

#endif
