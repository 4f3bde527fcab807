#include "check/txn_graph.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void txn_graph_init(struct txn_graph *graph, const struct txns *txns, bool split,
                    struct limits *limits) {
    *graph = (struct txn_graph){.txns = txns,
                                .limits = limits,
                                .split = split,
                                .node_count = split ? 2 * txns->count : txns->count,
                                .before_init_txn = TXN_NONE};
    for (uint32_t t = 0; t < txns->count && split; t++)
        txn_graph_edge(graph, txn_graph_start(graph, t), t, WHY_CARRY, 0);
}

void txn_graph_free(struct txn_graph *graph) {
    cairn_free(graph->edges);
    cairn_free(graph->out);
    cairn_free(graph->out_at);
    memset(graph, 0, sizeof *graph);
}

uint32_t txn_graph_node(struct txn_graph *graph) {
    return graph->node_count++;
}

void txn_graph_edge(struct txn_graph *graph, uint32_t from, uint32_t to, enum txn_why why,
                    uint32_t index) {
    cairn_assert(index < TXN_INDEX_MAX);
    if (graph->edge_count == graph->edge_cap) {
        uint32_t cap = graph->edge_cap ? graph->edge_cap * 2 : 256;
        /* Twice: the edges will be sorted into a second array. */
        if (cap > UINT32_MAX / 4 ||
            !limits_room(graph->limits, 2u * (cap - graph->edge_cap) * sizeof *graph->edges))
            graph->stopped = true;
        if (graph->stopped)
            return;
        graph->edges = cairn_realloc(graph->edges, cap * sizeof *graph->edges);
        graph->edge_cap = cap;
    }
    graph->edges[graph->edge_count++] = (struct txn_edge){from, to, txn_label(why, index)};
}

void txn_graph_earlier(struct txn_graph *graph, uint32_t txn, uint32_t read) {
    uint32_t version = graph->txns->reads[read].version;
    if (version != TXN_INIT) {
        txn_graph_edge(graph, txn, graph->txns->writes[version].txn, WHY_EARLIER, read);
    } else if (graph->before_init_txn == TXN_NONE) {
        graph->before_init_txn = txn;
        graph->before_init_read = read;
    }
}

void txn_graph_sort(struct txn_graph *graph) {
    cairn_free(graph->out);
    cairn_free(graph->out_at);
    graph->out_at = cairn_alloc_zero((graph->node_count + 2u) * sizeof *graph->out_at);
    graph->out = cairn_alloc((graph->edge_count + 1u) * sizeof *graph->out);
    for (uint32_t i = 0; i < graph->edge_count; i++)
        graph->out_at[graph->edges[i].from + 2]++;
    for (uint32_t n = 0; n < graph->node_count; n++)
        graph->out_at[n + 2] += graph->out_at[n + 1];
    for (uint32_t i = 0; i < graph->edge_count; i++)
        graph->out[graph->out_at[graph->edges[i].from + 1]++] = graph->edges[i];
}

uint32_t txn_graph_order(const struct txn_graph *graph, uint32_t *order) {
    uint32_t *in = cairn_alloc_zero((graph->node_count + 1u) * sizeof *in);
    uint32_t placed = 0, taken = 0;
    for (uint32_t i = 0; i < graph->edge_count; i++)
        in[graph->out[i].to]++;
    for (uint32_t n = 0; n < graph->node_count; n++)
        if (in[n] == 0)
            order[placed++] = n;
    for (; taken < placed; taken++) {
        uint32_t n = order[taken];
        for (uint32_t i = graph->out_at[n]; i < graph->out_at[n + 1]; i++)
            if (--in[graph->out[i].to] == 0)
                order[placed++] = graph->out[i].to;
    }
    cairn_free(in);
    return placed;
}

/* ---- edges that many levels have ---- */

static void base_versions(struct txn_graph *graph, const struct txn_key *key) {
    const struct txns *txns = graph->txns;
    const uint32_t *versions = txns->by_key + key->at;
    for (uint32_t i = 1; i < key->ranked; i++)
        txn_graph_edge(graph, txns->writes[versions[i - 1]].txn, txns->writes[versions[i]].txn,
                       WHY_OVERWRITES, versions[i]);
    for (uint32_t i = key->ranked; i < key->count && key->ranked > 0; i++)
        txn_graph_edge(graph, txns->writes[versions[key->ranked - 1]].txn,
                       txns->writes[versions[i]].txn, WHY_OVERWRITES, versions[i]);
}

void txn_graph_base(struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    for (uint32_t t = 0; t < txns->count; t++) {
        const struct txn *txn = &txns->at[t];
        uint32_t start = txn_graph_start(graph, t);
        if (!txns_first(txns, t))
            txn_graph_edge(graph, t - 1, start, WHY_SESSION, 0);
        for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
            if (txns->reads[r].version != TXN_INIT)
                txn_graph_edge(graph, txns->writes[txns->reads[r].version].txn, start, WHY_READS,
                               r);
    }
    for (uint32_t k = 0; k < txns->key_count; k++)
        base_versions(graph, &txns->keys[k]);
}

struct moment {
    uint32_t position, txn;
    bool call;
};

static int by_position(const void *a, const void *b) {
    const struct moment *x = a, *y = b;
    if (x->position != y->position)
        return x->position < y->position ? -1 : 1;
    return (int)y->call - (int)x->call; /* ret < call is needed for before */
}

/* A chain of barriers: each stands after all that ended before it was made. A new one is needed
 * only when something begins after something ended. */
void txn_graph_real_time(struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    struct moment *moments = cairn_alloc((2u * txns->count + 1u) * sizeof *moments);
    uint32_t count = 0;
    for (uint32_t t = 0; t < txns->count; t++) {
        moments[count++] = (struct moment){txns->at[t].call, t, true};
        if (txns->at[t].ret != OP_OPEN)
            moments[count++] = (struct moment){txns->at[t].ret, t, false};
    }
    qsort(moments, count, sizeof *moments, by_position);
    uint32_t barrier = TXN_NONE;
    bool used = true;
    for (uint32_t i = 0; i < count; i++) {
        if (moments[i].call) {
            if (barrier != TXN_NONE)
                txn_graph_edge(graph, barrier, txn_graph_start(graph, moments[i].txn), WHY_CARRY,
                               0);
            used = true;
            continue;
        }
        if (used) {
            uint32_t next = txn_graph_node(graph);
            if (barrier != TXN_NONE)
                txn_graph_edge(graph, barrier, next, WHY_CARRY, 0);
            barrier = next;
            used = false;
        }
        txn_graph_edge(graph, moments[i].txn, barrier, WHY_REAL_TIME, 0);
    }
    cairn_free(moments);
}

static void reader_before(struct txn_graph *graph, uint32_t read, const struct txn_key *key,
                          uint32_t first) {
    const struct txns *txns = graph->txns;
    uint32_t t = txns->reads[read].txn;
    uint32_t end = first < key->ranked ? first + 1 : key->count;
    for (uint32_t i = first; i < end; i++) {
        uint32_t writer = txns->writes[txns->by_key[key->at + i]].txn;
        if (writer != t)
            txn_graph_edge(graph, txn_graph_start(graph, t), writer, WHY_READ_BEFORE, read);
    }
}

static bool writes_from(const struct txns *txns, uint32_t read, uint32_t first) {
    uint32_t mine = txns_write_of(txns, txns->reads[read].txn, txns->reads[read].key);
    return mine != TXN_NONE &&
           (txns->writes[mine].rank == TXN_UNRANKED || txns->writes[mine].rank == first);
}

/* Of versions in a known order only the next counts: the others come after it. Where starts are no
 * nodes of their own, a reader that writes one of the versions itself has edges of its own; of two
 * such each must come before the other, and a third adds nothing to that. */
void txn_graph_readers_before(struct txn_graph *graph, uint32_t key, uint32_t slot,
                              uint32_t first) {
    const struct txns *txns = graph->txns;
    const struct txn_key *of = &txns->keys[key];
    const uint32_t *readers = txns->readers + txns->reader_at[slot];
    uint32_t reader_count = txns->reader_at[slot + 1] - txns->reader_at[slot];
    uint64_t versions = first < of->ranked ? 1 : of->count - first;
    bool few = reader_count * versions <= reader_count + versions;
    uint32_t group = TXN_NONE, own = 0, last = TXN_NONE;
    for (uint32_t i = 0; i < reader_count && versions > 0; i++) {
        uint32_t t = txns->reads[readers[i]].txn;
        if (t == last)
            continue;
        last = t;
        if (few || (!graph->split && writes_from(txns, readers[i], first))) {
            if (few || own++ < 2)
                reader_before(graph, readers[i], of, first);
            continue;
        }
        if (group == TXN_NONE)
            group = txn_graph_node(graph);
        txn_graph_edge(graph, txn_graph_start(graph, t), group, WHY_READ_BEFORE, readers[i]);
    }
    for (uint32_t i = first; i < first + versions && group != TXN_NONE; i++)
        txn_graph_edge(graph, group, txns->writes[txns->by_key[of->at + i]].txn, WHY_CARRY, 0);
}
