/* Settles pairs of writers by what is known already: an order of two that would close a cycle is
 * impossible, so the other one holds. What can reach a node is kept as one number a session: the
 * last of its nodes that does. */
#include "check/txn_strong.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

struct prune {
    struct txn_graph *graph;
    const struct txn_rules *rules;
    uint32_t sessions, *dense;
    uint32_t *past; /* node_count rows of `sessions`: 1 + index of the last that leads here */
    uint32_t cause; /* the edge of an impossible order that closes a cycle */
    enum txn_why cause_why;
};

/* The place of a node in its session: start and commit of each transaction follow each other. */
static uint32_t place_of(const struct prune *prune, uint32_t node) {
    const struct txns *txns = prune->graph->txns;
    uint32_t t = txn_graph_txn(prune->graph, node);
    uint32_t index = t - txns->session_at[txns->at[t].session];
    return prune->rules->split ? 2 * index + (node < txns->count) : index;
}

static bool reaches(const struct prune *prune, uint32_t from, uint32_t to) {
    const struct txns *txns = prune->graph->txns;
    if (from == to)
        return true;
    uint32_t session = prune->dense[txns->at[txn_graph_txn(prune->graph, from)].session];
    return prune->past[(size_t)to * prune->sessions + session] > place_of(prune, from);
}

static bool possible(void *context, uint32_t from, uint32_t to, enum txn_why why, uint32_t index) {
    struct prune *prune = context;
    if (!reaches(prune, to, from))
        return true;
    prune->cause = index;
    prune->cause_why = why;
    return false;
}

static void join(struct prune *prune, uint32_t *row, uint32_t from) {
    const struct txns *txns = prune->graph->txns;
    const uint32_t *other = prune->past + (size_t)from * prune->sessions;
    for (uint32_t s = 0; s < prune->sessions; s++)
        row[s] = other[s] > row[s] ? other[s] : row[s];
    uint32_t t = txn_graph_txn(prune->graph, from);
    if (t == TXN_NONE)
        return;
    uint32_t *mine = &row[prune->dense[txns->at[t].session]];
    uint32_t place = place_of(prune, from) + 1;
    *mine = place > *mine ? place : *mine;
}

/* False: the graph has a cycle, or the limits say stop. */
static bool look_back(struct prune *prune, uint32_t *order) {
    struct txn_graph *graph = prune->graph;
    txn_graph_sort(graph);
    if (txn_graph_order(graph, order) < graph->node_count)
        return false;
    memset(prune->past, 0, (size_t)graph->node_count * prune->sessions * sizeof *prune->past);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        uint32_t n = order[i];
        for (uint32_t e = graph->out_at[n]; e < graph->out_at[n + 1]; e++)
            join(prune, prune->past + (size_t)graph->out[e].to * prune->sessions, n);
        uint64_t work = (uint64_t)(graph->out_at[n + 1] - graph->out_at[n]) * prune->sessions;
        if (limits_over(graph->limits, 1 + work / 32))
            return false;
    }
    return true;
}

/* An edge that is there already, by a shorter or longer way, needs no second one. */
static bool add(void *context, uint32_t from, uint32_t to, enum txn_why why, uint32_t index) {
    struct prune *prune = context;
    if (reaches(prune, from, to))
        return true;
    if (why == WHY_OVERWRITES && prune->cause_why == WHY_LATER) {
        why = WHY_EARLIER;
        index = prune->cause;
    }
    txn_graph_edge(prune->graph, from, to, why, index);
    return !prune->graph->stopped;
}

/* True: the pair is settled. When neither order is possible, the edges of both close a cycle. */
static bool settle(struct prune *prune, uint32_t a, uint32_t b) {
    if (txn_pair_edges(prune->graph, prune->rules, a, b, possible, prune))
        return false;
    txn_pair_edges(prune->graph, prune->rules, b, a, add, prune);
    return true;
}

static uint32_t settle_all(struct prune *prune, struct txn_pairs *pairs) {
    uint32_t kept = 0, i = 0;
    for (; i < pairs->count; i++) {
        struct txn_pair pair = pairs->at[i];
        if (!settle(prune, pair.first, pair.second) && !settle(prune, pair.second, pair.first))
            pairs->at[kept++] = pair;
        if (limits_over(prune->graph->limits, 4) || prune->graph->stopped)
            break;
    }
    uint32_t settled = i < pairs->count ? 0 : pairs->count - kept;
    pairs->count = i < pairs->count ? pairs->count : kept;
    return settled;
}

static void make_dense(struct prune *prune) {
    const struct txns *txns = prune->graph->txns;
    prune->dense = cairn_alloc_zero((txns->session_count + 1u) * sizeof *prune->dense);
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s])
            prune->dense[s] = prune->sessions++;
}

void txn_prune(struct txn_graph *graph, const struct txn_rules *rules, struct txn_pairs *pairs) {
    struct prune prune = {.graph = graph, .rules = rules};
    make_dense(&prune);
    size_t size = (size_t)graph->node_count * prune.sessions * sizeof *prune.past;
    uint32_t *order = cairn_alloc((graph->node_count + 1u) * sizeof *order);
    if (pairs->count > 0 && limits_room(graph->limits, size)) {
        prune.past = cairn_alloc(size + 1);
        while (look_back(&prune, order) && settle_all(&prune, pairs) > 0)
            ;
    }
    txn_graph_sort(graph);
    cairn_free(prune.past);
    cairn_free(prune.dense);
    cairn_free(order);
}
