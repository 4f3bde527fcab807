/* All schedules of a small configuration within bounds: which messages are lost, which deadlines
 * pass and when, which replicas crash, with any part of their writes kept, and when they start
 * again, when clients ask.
 *
 * Messages go in rounds (cores_whole.h): what leaves in one arrives in the next, each way in order
 * and the senders in that of their ids; a message that overtakes arrives before those of an earlier
 * sender, or lets a round pass. A write ends before its replica does anything else, but for moves
 * that are late. A deadline passes, a client asks, and a replica starts once all that a round
 * brought was received; it crashes then, or while a write is under way. So, as a delay-bounded
 * search (Emmi et al. 2011), it tries everything that so much disorder allows.
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
    unsigned overtaking; /* messages that arrive before others of their round, or a round late */
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

    bool complete;   /* all of it was seen */
    uint64_t states; /* where there is a choice, or a round begins */
    uint64_t transitions, cpu_ns;
    uint32_t locals, local_steps; /* states of single replicas, and what events made of them */
    size_t depth;                 /* such states on the longest way */
    size_t memory_bytes;
    struct cores_result result; /* broken: what a schedule led to ... */
    struct cores_setup setup;   /* ... in this world, by these moves */
    struct cores_moves moves;
};

/* moves: for the caller to free. */
void cores_search(struct cores_search *search);

#endif
