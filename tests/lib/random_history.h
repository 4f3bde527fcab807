/* Random tiny histories: answers come from a run of an object of the model, by code that shares
 * nothing with the checkers' spec, and now and then one is changed, left out, or never comes.
 */
#ifndef CAIRN_TESTS_RANDOM_HISTORY_H
#define CAIRN_TESTS_RANDOM_HISTORY_H

#include "check/model.h"

#define RANDOM_PROCESSES_MAX 6

struct plan {
    enum model model;
    uint32_t ops, processes, keys;
    bool unique;
    uint32_t lies;    /* of 100 answers */
    uint32_t open;    /* of 100 operations */
    uint32_t swaps;   /* pairs of answers that change places */
    uint32_t unknown; /* of 100 answers */
    uint32_t answers; /* of 100 operations whose answer says more than "done" */
    bool plain;       /* containers: no peeks, no drains; banks: reads tell all accounts */
    bool slow;        /* answers come late: much is open at once */
    bool touches;     /* some are called at the very time at which their process was answered */
    bool foresees;    /* some are told what is done only later, mostly by their own process */
    uint64_t seed;
};

/* Initialised here. At most EXHAUSTIVE_OPS_MAX operations. */
void random_history(struct history *history, const struct plan *plan);

#endif
