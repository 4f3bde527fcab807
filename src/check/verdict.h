/* What a check says: yes with an order that replays, no with a reason that can be checked, or
 * undecided with what was proved so far. verify.c judges all three again by separate routines.
 */
#ifndef CAIRN_CHECK_VERDICT_H
#define CAIRN_CHECK_VERDICT_H

#include "check/history.h"
#include "check/level.h"
#include "check/limits.h"
#include "check/model.h"

enum answer { ANSWER_YES, ANSWER_NO, ANSWER_UNDECIDED, ANSWER_UNDEFINED /* not for this model */ };
const char *answer_name(enum answer answer); /* "yes", ... */

/* Why one operation stands before another in every order that the level allows. */
#define REASON_LIST(X)                                                                      \
    X(SESSION, "process order")                                                             \
    X(REAL_TIME, "ended before the other began")                                            \
    X(READS_FROM, "wrote what the other read")             /* wr; key, value of the read */ \
    X(OVERWRITES, "is overwritten by the other")           /* ww */                         \
    X(READ_BEFORE, "read what the other overwrote")        /* rw, anti-dependency */        \
    X(EARLIER_WRITE, "must come before what a third read") /* by: the reader; see below */  \
    X(LATER_WRITE, "must come after a reader of an older value")                            \
    X(VERSION, "its value is a proper prefix of the other's")                               \
    X(TOGETHER, "of one value, which was written once: no other stands between")            \
    X(DERIVED, "follows from the edges before")
enum reason {
#define X(name, text) REASON_##name,
    REASON_LIST(X)
#undef X
        REASON_COUNT
};
const char *reason_text(enum reason reason);

/* from must come before to. EARLIER_WRITE: `to` wrote the value of `key` that `by` read, and `from`
 * wrote that key too and has to be known to `by`. */
struct edge {
    uint32_t from, to; /* operations; OP_NONE: the initial state */
    uint32_t by;       /* OP_NONE: none */
    uint32_t key;      /* a value, VALUE_NONE: no key */
    enum reason reason;
};

/* An order of operations, for one scope. */
enum scope { SCOPE_ALL, SCOPE_KEY, SCOPE_PROCESS };
struct order {
    enum scope scope;
    uint32_t of; /* the key (a value) or the process (dense) */
    uint32_t *ops;
    uint32_t count;
};

/* X(constant, name in output) of Adya et al. 2000 and of the literature after it. */
#define ANOMALY_LIST(X)                                                              \
    X(G0, "G0 (dirty write)")                                                        \
    X(G1A, "G1a (aborted read)")                                                     \
    X(G1B, "G1b (intermediate read)")                                                \
    X(G1C, "G1c (circular information flow)")                                        \
    X(G_SINGLE, "G-single (read skew)")                                              \
    X(G_NONADJACENT, "G-nonadjacent")                                                \
    X(G2_ITEM, "G2-item (anti-dependency cycle)")                                    \
    X(LOST_UPDATE, "lost update")                                                    \
    X(WRITE_SKEW, "write skew")                                                      \
    X(LONG_FORK, "long fork")                                                        \
    X(INTERNAL, "internal (own write not read)")                                     \
    X(THIN_AIR, "read of a value that no operation wrote")                           \
    X(DUPLICATE, "an element twice in one list")                                     \
    X(INCOMPATIBLE_ORDER, "two reads of one key that are no prefixes of each other") \
    X(FRACTURED_READ, "fractured read")                                              \
    X(CAUSAL_VIOLATION, "causality violated")
enum anomaly {
#define X(name, text) ANOMALY_##name,
    ANOMALY_LIST(X)
#undef X
        ANOMALY_COUNT
};
const char *anomaly_name(enum anomaly anomaly);

struct verdict {
    enum answer answer;
    enum model model;
    enum level level;
    /* YES: as many orders as the level wants (one for all, one a key, one a process). */
    struct order *orders;
    uint32_t order_count;
    /* NO: a cycle (edges[i].to == edges[i + 1].from, closed), or operations that contradict each
     * other (with edges empty), 1-minimal when `minimal`. */
    struct edge *edges;
    uint32_t edge_count;
    uint32_t *ops;
    uint32_t op_count;
    bool minimal;
    uint32_t anomalies; /* bits 1 << enum anomaly */
    struct buf text;    /* one or a few sentences for a person: why no, what was proved so far */
    enum limits_stop stopped; /* of UNDECIDED */
};

void verdict_init(struct verdict *verdict, enum model model, enum level level);
void verdict_free(struct verdict *verdict);
struct order *verdict_order(struct verdict *verdict, enum scope scope, uint32_t of);
void order_push(struct order *order, uint32_t op); /* grows by doubling */
void verdict_edge(struct verdict *verdict, struct edge edge);
/* Once, however often it is told; where there are many, that they are different is to be known. */
void verdict_op(struct verdict *verdict, uint32_t op);
void verdict_op_new(struct verdict *verdict, uint32_t op);
void verdict_undecided(struct verdict *verdict, const struct limits *limits);

#endif
