/* What can reach a node of a graph without cycles, kept as one number a session: the last of its
 * nodes that does. O(k) memory a node, k sessions. Where no session has two transactions, a bit for
 * each transaction that has to be ordered among others: the writers of versions whose order is
 * open.
 */
#ifndef CAIRN_CHECK_TXN_PAST_H
#define CAIRN_CHECK_TXN_PAST_H

#include "check/txn_graph.h"

struct txn_past {
    struct txn_graph *graph;
    uint32_t sessions; /* that have transactions */
    uint32_t *dense;   /* session -> its number among them */
    uint32_t *rows;    /* by node: 1 + place of the last node of each session that leads here */
    uint64_t *bits;    /* instead, by node: a bit for each such start and commit that leads here */
    uint32_t *bit;     /* by transaction: its bit, or of two the first; TXN_NONE */
    size_t words;      /* of a node's bits */
    uint32_t *order;   /* of the nodes */
    uint32_t *at;      /* by node: its place in that order */
};

/* False: the limits have no room. To be freed in any case. No nodes are added to the graph from now
 * on; edges may be. */
bool txn_past_init(struct txn_past *past, struct txn_graph *graph);
void txn_past_free(struct txn_past *past);
/* Looks at the graph as it is now, and sorts it. False: it has a cycle, or the limits say stop. */
bool txn_past_update(struct txn_past *past);
/* Bytes that a graph of these transactions would need if no session had two. */
size_t txn_past_alone_bytes(const struct txns *txns, bool split);
/* As of the last update; both are starts or commits. False too where it is not known: of a
 * transaction without a bit. */
bool txn_past_reaches(const struct txn_past *past, uint32_t from, uint32_t to);
/* How many transactions of the session have a commit that reaches the node. */
uint32_t txn_past_count(const struct txn_past *past, uint32_t node, uint32_t session);

#endif
