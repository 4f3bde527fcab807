/* All schedules of a small configuration: every order in which messages arrive, writes end, clocks
 * pass their deadlines, replicas crash with any part of their writes kept, and clients ask, within
 * bounds. Each way is in order, as connections are; a message may be lost where the bound allows.
 *
 * Time is abstracted to the order of deadlines: every replica has a clock of its own, which stands
 * still until it is moved to the replica's next deadline. Leases, which rest on clocks that run
 * alike, are therefore off.
 */
#ifndef CAIRN_CORES_SEARCH_H
#define CAIRN_CORES_SEARCH_H

#include "cores/cores.h"

struct cores_bounds {
    unsigned replicas;
    unsigned elections;  /* no term above this is entered */
    unsigned entries;    /* that clients propose, at whatever leads */
    unsigned reads;      /* likewise */
    unsigned crashes;    /* of all replicas together */
    unsigned lost;       /* messages */
    unsigned ticks;      /* deadlines that pass */
    unsigned overtaking; /* messages that arrive before older ones on other ways */
    unsigned late;       /* moves made while a write is under way, which else ends at once */
};

struct cores_search {
    const struct protocol *protocol;
    enum mutant mutant;
    struct cores_bounds bounds;
    uint64_t cpu_ns_max;                                            /* 0: no bound */
    size_t memory_max;                                              /* of the table of states */
    void (*told)(void *context, const struct cores_search *search); /* now and then; or NULL */
    void *context;

    bool complete; /* all of it was seen */
    uint64_t states, transitions, cpu_ns;
    size_t depth, memory_bytes;
    struct cores_result result; /* broken: what a schedule led to ... */
    struct cores_setup setup;   /* ... in this world, by these moves */
    struct cores_moves moves;
};

/* moves: for the caller to free. */
void cores_search(struct cores_search *search);

#endif
