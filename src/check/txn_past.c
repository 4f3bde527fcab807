#include "check/txn_past.h"

#include "base/alloc.h"

#include <string.h>

static bool all_alone(const struct txns *txns) {
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s] + 1)
            return false;
    return true;
}

bool txn_past_init(struct txn_past *past, struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    *past = (struct txn_past){.graph = graph};
    past->dense = cairn_alloc_zero((txns->session_count + 1u) * sizeof *past->dense);
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s])
            past->dense[s] = past->sessions++;
    bool alone = all_alone(txns);
    size_t nodes = graph->node_count + 1u;
    past->words = ((size_t)txns->count * (graph->split ? 2 : 1)) / 64 + 1;
    size_t size = alone ? nodes * past->words * sizeof *past->bits
                        : nodes * past->sessions * sizeof *past->rows;
    if (!limits_room(graph->limits, size + 2 * nodes * sizeof *past->order))
        return false;
    if (alone)
        past->bits = cairn_alloc(size);
    else
        past->rows = cairn_alloc(size + 1);
    past->order = cairn_alloc(nodes * sizeof *past->order);
    past->at = cairn_alloc(nodes * sizeof *past->at);
    return true;
}

void txn_past_free(struct txn_past *past) {
    cairn_free(past->dense);
    cairn_free(past->rows);
    cairn_free(past->bits);
    cairn_free(past->order);
    cairn_free(past->at);
}

/* Starts and commits are the first nodes of a graph, so that a node's number is that of its bit. */
static bool bit_of(const struct txn_past *past, uint32_t node, uint32_t from) {
    return (past->bits[node * past->words + from / 64] >> (from % 64) & 1) != 0;
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
    if (past->bits != NULL)
        return bit_of(past, to, from);
    uint32_t t = txn_graph_txn(past->graph, from);
    uint32_t session = past->dense[past->graph->txns->at[t].session];
    return past->rows[(size_t)to * past->sessions + session] > place_of(past, from, t);
}

uint32_t txn_past_count(const struct txn_past *past, uint32_t node, uint32_t session) {
    if (past->bits != NULL)
        return bit_of(past, node, past->graph->txns->session_at[session]);
    uint32_t places = past->rows[(size_t)node * past->sessions + past->dense[session]];
    return past->graph->split ? places / 2 : places;
}

static void join_bits(struct txn_past *past, uint32_t to, uint32_t from) {
    uint64_t *row = past->bits + to * past->words;
    const uint64_t *other = past->bits + from * past->words;
    for (size_t w = 0; w < past->words; w++)
        row[w] |= other[w];
    if (txn_graph_txn(past->graph, from) != TXN_NONE)
        row[from / 64] |= 1ull << (from % 64);
}

static void join_rows(struct txn_past *past, uint32_t to, uint32_t from) {
    uint32_t *row = past->rows + (size_t)to * past->sessions;
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

static void clear(struct txn_past *past) {
    size_t nodes = past->graph->node_count;
    if (past->bits != NULL)
        memset(past->bits, 0, nodes * past->words * sizeof *past->bits);
    else
        memset(past->rows, 0, nodes * past->sessions * sizeof *past->rows);
}

bool txn_past_update(struct txn_past *past) {
    struct txn_graph *graph = past->graph;
    txn_graph_sort(graph);
    if (txn_graph_order(graph, past->order) < graph->node_count)
        return false;
    clear(past);
    for (uint32_t i = 0; i < graph->node_count; i++) {
        uint32_t n = past->order[i];
        past->at[n] = i;
        for (uint32_t e = graph->out_at[n]; e < graph->out_at[n + 1]; e++)
            if (past->bits != NULL)
                join_bits(past, graph->out[e].to, n);
            else
                join_rows(past, graph->out[e].to, n);
        size_t width = past->bits != NULL ? 2 * past->words : past->sessions;
        uint64_t work = (uint64_t)(graph->out_at[n + 1] - graph->out_at[n]) * width;
        if (limits_over(graph->limits, 1 + work / 32))
            return false;
    }
    return true;
}
