/* A short cycle of a graph that has one, as reasons, and what the literature calls it. */
#ifndef CAIRN_CHECK_TXN_CYCLE_H
#define CAIRN_CHECK_TXN_CYCLE_H

#include "check/txn_graph.h"

/* Which edges a cycle may use, and how many that read before (rw). */
enum txn_cycle_kind {
    CYCLE_ANY,
    CYCLE_WRITES,  /* only versions, and process order: G0 */
    CYCLE_FLOW,    /* no rw: G1c */
    CYCLE_ONE_READ /* exactly one rw: G-single */
};

/* Puts the shortest cycle that was found into the verdict's edges; the search is exhaustive unless
 * the graph is so big that it would take seconds. False: there is no such cycle, or, for ONE_READ,
 * none was found. The graph is sorted. */
bool txn_cycle_find(const struct txn_graph *graph, enum txn_cycle_kind kind,
                    struct verdict *verdict);
/* The two edges of a transaction that would have to come before the initial state. */
void txn_cycle_init(const struct txn_graph *graph, struct verdict *verdict);
/* Names of what the verdict's edges show, into its anomalies and text. */
void txn_cycle_name(struct verdict *verdict);

#endif
