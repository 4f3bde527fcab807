/* What an observer outside must know of a replica and of its messages in order to judge them: each
 * protocol says it in one file (raft_view.c, zab_view.c), and the oracles of src/cores are the same
 * for all. The server never asks.
 *
 * A term is what a protocol orders its leaders by (Zab: the epoch); a vote is what is given to at
 * most one replica a term (Zab: the acceptance of an epoch).
 */
#ifndef CAIRN_CORE_VIEW_H
#define CAIRN_CORE_VIEW_H

#include "core/canon.h"
#include "core/protocol.h"

/* What a replica holds true after a step. */
struct belief {
    enum role role; /* LEADER: it may place entries and answer reads */
    uint64_t term;
    uint64_t vote; /* in that term; 0: none */
    uint64_t last; /* index of its last entry */
    uint64_t last_term;
    uint64_t commit;
    uint64_t commit_term;        /* of the entry there; 0: not known any more */
    uint64_t lease_end;          /* leader, by its own clock; 0: it has none */
    const struct config *config; /* in force; NULL: none. Borrowed until the next step */
};

/* What a replica must never forget, as its hard state holds it. */
struct promise {
    uint64_t term;
    uint64_t vote; /* 0: none */
    uint64_t lease_ns;
};

/* What a message says about its sender's disk when it leaves. */
struct claim {
    uint64_t term;     /* its hard state is at least of this term; 0: says nothing */
    uint64_t vote;     /* and gave this replica its vote in it; 0: says nothing */
    uint64_t lease_ns; /* and remembers a promise of this length; 0: none */
    uint64_t durable;  /* its log is there up to here; 0: says nothing */
    bool matches;      /* and up to there it is that of the receiver, which leads the term */
    /* What it says besides. */
    uint64_t commit; /* everything up to here is committed; 0: nothing */
    bool leads;      /* its sender leads, or is about to */
    bool informs;    /* its sender would be led by the receiver, in a later term than this one */
    bool releases;   /* the leader, or by its wish a candidate, makes promises to it void */
};

/* None, one, or more: how many more makes no new state of an abstraction. */
static inline uint64_t view_few(uint64_t count) {
    return count < 2 ? count : 2;
}

struct protocol_view {
    void (*belief)(const struct replica *replica, struct belief *belief);
    /* False: not a hard state of this protocol. */
    bool (*promise)(struct bytes hard, struct promise *promise);
    /* False: not a message of this protocol, or one that claims nothing. */
    bool (*claim)(struct bytes message, uint64_t from, uint64_t to, struct claim *claim);
    /* One line that tells what a message's head says; false when it is not one. */
    bool (*describe)(struct bytes message, char *text, size_t size);
    /* The abstraction in whose new states a search is interested: a hash of what decides how the
     * replica answers, without numbers that only grow (times, rounds, sequences). */
    uint64_t (*abstract)(const struct replica *replica);
    /* What decides how the replica goes on (core/canon.h). */
    void (*canon)(const struct replica *replica, struct canon *canon);
    /* Asserts what is too dear for every step. */
    void (*check_deep)(const struct replica *replica);
};

#endif
