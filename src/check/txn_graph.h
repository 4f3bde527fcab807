/* What must come before what: nodes, labelled edges, one total order of them, or a short cycle.
 *
 * Node t (below `txns`) is transaction t, or its commit; node start(t) = txns + t is its start,
 * where a level tells the two apart; further nodes only carry edges on (a barrier in real time, a
 * group of readers), so that the graph stays linear in the history.
 */
#ifndef CAIRN_CHECK_TXN_GRAPH_H
#define CAIRN_CHECK_TXN_GRAPH_H

#include "check/txn_history.h"

/* Why an edge is there. `index` of a label: a read of txns, or a write, or nothing. */
enum txn_why {
    WHY_CARRY,       /* nothing: it goes on what came in */
    WHY_SESSION,     /* process order */
    WHY_REAL_TIME,   /* ended before the other began */
    WHY_READS,       /* wr; index: the read */
    WHY_OVERWRITES,  /* ww, known; index: the later version */
    WHY_READ_BEFORE, /* rw, known; index: the read */
    WHY_EARLIER,     /* must come before the version that a third one read; index: that read */
    WHY_LATER,       /* must come after the reader of an older version; index: that read */
    WHY_CONFLICT /* both write a key, in this order, so this one sees that one; index: version */
};

struct txn_edge {
    uint32_t from, to;
    uint32_t label;
};
static inline uint32_t txn_label(enum txn_why why, uint32_t index) {
    return (uint32_t)why << 28 | index;
}
static inline enum txn_why txn_label_why(uint32_t label) {
    return (enum txn_why)(label >> 28);
}
static inline uint32_t txn_label_index(uint32_t label) {
    return label & (TXN_INDEX_MAX - 1);
}

struct txn_graph {
    const struct txns *txns;
    struct limits *limits;
    bool split; /* starts are nodes of their own */
    uint32_t node_count;
    struct txn_edge *edges;
    uint32_t edge_count, edge_cap;
    uint32_t *out_at; /* after txn_graph_sort: edges from n are [out_at[n], out_at[n + 1]) */
    struct txn_edge *out;
    bool stopped; /* too many edges for the limits */
    /* A version that was read, and the first version stands after it: no order can help. */
    uint32_t before_init_txn, before_init_read; /* TXN_NONE: there is none */
};

void txn_graph_init(struct txn_graph *graph, const struct txns *txns, bool split,
                    struct limits *limits);
void txn_graph_free(struct txn_graph *graph);
uint32_t txn_graph_node(struct txn_graph *graph);
void txn_graph_edge(struct txn_graph *graph, uint32_t from, uint32_t to, enum txn_why why,
                    uint32_t index);
/* `txn` wrote the key of `read` and must come before the version that was read. */
void txn_graph_earlier(struct txn_graph *graph, uint32_t txn, uint32_t read);
/* Groups the edges by where they start. */
void txn_graph_sort(struct txn_graph *graph);
/* Into `order`, of node_count places, the nodes in an order that the edges allow; how many found a
 * place: fewer than node_count when there is a cycle. Sorted first. */
uint32_t txn_graph_order(const struct txn_graph *graph, uint32_t *order);

static inline uint32_t txn_graph_start(const struct txn_graph *graph, uint32_t t) {
    return graph->split ? graph->txns->count + t : t;
}
/* The transaction of a node; TXN_NONE: it only carries edges. */
static inline uint32_t txn_graph_txn(const struct txn_graph *graph, uint32_t node) {
    uint32_t count = graph->txns->count;
    if (node < count)
        return node;
    return graph->split && node < 2 * count ? node - count : TXN_NONE;
}

/* Edges that every level has: session order, reads-from, and known version order. */
void txn_graph_base(struct txn_graph *graph);
/* Edges of real time: what ended before another began stands before its start (when nodes are
 * split: it sees it). */
void txn_graph_real_time(struct txn_graph *graph);
/* What read version `slot` (as in txns.reader_at) of the key stands before all of the key's
 * versions from number `first` on. */
void txn_graph_readers_before(struct txn_graph *graph, uint32_t key, uint32_t slot, uint32_t first);

#endif
