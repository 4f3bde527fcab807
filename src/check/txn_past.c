#include "check/txn_past.h"

#include "base/alloc.h"

#include <string.h>

bool txn_past_init(struct txn_past *past, struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    *past = (struct txn_past){.graph = graph};
    past->dense = cairn_alloc_zero((txns->session_count + 1u) * sizeof *past->dense);
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s])
            past->dense[s] = past->sessions++;
    size_t nodes = graph->node_count + 1u, size = nodes * past->sessions * sizeof *past->rows;
    if (!limits_room(graph->limits, size + 2 * nodes * sizeof *past->order))
        return false;
    past->rows = cairn_alloc(size + 1);
    past->order = cairn_alloc(nodes * sizeof *past->order);
    past->at = cairn_alloc(nodes * sizeof *past->at);
    return true;
}

void txn_past_free(struct txn_past *past) {
    cairn_free(past->dense);
    cairn_free(past->rows);
    cairn_free(past->order);
    cairn_free(past->at);
}

/* The place of a node in its session: start and commit of each transaction follow each other. */
static uint32_t place_of(const struct txn_past *past, uint32_t node, uint32_t t) {
    const struct txns *txns = past->graph->txns;
    uint32_t index = t - txns->session_at[txns->at[t].session];
    return past->graph->split ? 2 * index + (node < txns->count) : index;
}

bool txn_past_reaches(const struct txn_past *past, uint32_t from, uint32_t to) {
    if (from == to)
        return true;
    uint32_t t = txn_graph_txn(past->graph, from);
    uint32_t session = past->dense[past->graph->txns->at[t].session];
    return past->rows[(size_t)to * past->sessions + session] > place_of(past, from, t);
}

uint32_t txn_past_count(const struct txn_past *past, uint32_t node, uint32_t session) {
    uint32_t places = past->rows[(size_t)node * past->sessions + past->dense[session]];
    return past->graph->split ? places / 2 : places;
}

static void join(struct txn_past *past, uint32_t *row, uint32_t from) {
    const uint32_t *other = past->rows + (size_t)from * past->sessions;
    for (uint32_t s = 0; s < past->sessions; s++)
        row[s] = other[s] > row[s] ? other[s] : row[s];
    uint32_t t = txn_graph_txn(past->graph, from);
    if (t == TXN_NONE)
        return;
    uint32_t *mine = &row[past->dense[past->graph->txns->at[t].session]];
    uint32_t place = place_of(past, from, t) + 1;
    *mine = place > *mine ? place : *mine;
}

bool txn_past_update(struct txn_past *past) {
    struct txn_graph *graph = past->graph;
    txn_graph_sort(graph);
    if (txn_graph_order(graph, past->order) < graph->node_count)
        return false;
    memset(past->rows, 0, (size_t)graph->node_count * past->sessions * sizeof *past->rows);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        uint32_t n = past->order[i];
        past->at[n] = i;
        for (uint32_t e = graph->out_at[n]; e < graph->out_at[n + 1]; e++)
            join(past, past->rows + (size_t)graph->out[e].to * past->sessions, n);
        uint64_t work = (uint64_t)(graph->out_at[n + 1] - graph->out_at[n]) * past->sessions;
        if (limits_over(graph->limits, 1 + work / 32))
            return false;
    }
    return true;
}
