#include "check/txn_past.h"

#include "base/alloc.h"

#include <string.h>

/* Numbers the transactions that have to be ordered; how many there are. */
static uint32_t number_open(const struct txns *txns, uint32_t *bit) {
    uint32_t count = 0;
    memset(bit, 0xff, (txns->count + 1u) * sizeof *bit);
    for (uint32_t k = 0; k < txns->key_count; k++) {
        const struct txn_key *key = &txns->keys[k];
        for (uint32_t i = key->ranked; i < key->count && key->count > key->ranked + 1; i++) {
            uint32_t t = txns->writes[txns->by_key[key->at + i]].txn;
            if (bit[t] == TXN_NONE)
                bit[t] = count++;
        }
    }
    return count;
}

size_t txn_past_alone_bytes(const struct txns *txns, bool split) {
    uint32_t *bit = cairn_alloc((txns->count + 1u) * sizeof *bit);
    size_t nodes = split ? 2u : 1u, open = number_open(txns, bit);
    cairn_free(bit);
    return txns->count * nodes * (open * nodes / 64 + 1) * sizeof(uint64_t);
}

bool txn_past_init(struct txn_past *past, struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    *past = (struct txn_past){.graph = graph};
    past->dense = cairn_alloc_zero((txns->session_count + 1u) * sizeof *past->dense);
    for (uint32_t s = 0; s < txns->session_count; s++)
        if (txns->session_at[s + 1] > txns->session_at[s])
            past->dense[s] = past->sessions++;
    size_t nodes = graph->node_count + 1u, size = nodes * past->sessions * sizeof *past->rows;
    if (txns_alone(txns)) {
        uint32_t each = graph->split ? 2 : 1;
        past->bit = cairn_alloc((txns->count + 1u) * sizeof *past->bit);
        past->words = (size_t)number_open(txns, past->bit) * each / 64 + 1;
        for (uint32_t t = 0; t < txns->count; t++)
            past->bit[t] *= past->bit[t] == TXN_NONE ? 1 : each;
        size = nodes * past->words * sizeof *past->bits;
    }
    if (!limits_room(graph->limits, size + 2 * nodes * sizeof *past->order))
        return false;
    if (past->bit != NULL)
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
    cairn_free(past->bit);
    cairn_free(past->order);
    cairn_free(past->at);
}

/* The bit of a start or a commit; TXN_NONE: it has none. */
static uint32_t bit_of(const struct txn_past *past, uint32_t node) {
    uint32_t t = txn_graph_txn(past->graph, node);
    if (t == TXN_NONE || past->bit[t] == TXN_NONE)
        return TXN_NONE;
    return past->bit[t] + (past->graph->split && node == t);
}

static bool has_bit(const struct txn_past *past, uint32_t node, uint32_t bit) {
    return bit != TXN_NONE && (past->bits[node * past->words + bit / 64] >> (bit % 64) & 1) != 0;
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
        return has_bit(past, to, bit_of(past, from));
    uint32_t t = txn_graph_txn(past->graph, from);
    uint32_t session = past->dense[past->graph->txns->at[t].session];
    return past->rows[(size_t)to * past->sessions + session] > place_of(past, from, t);
}

uint32_t txn_past_count(const struct txn_past *past, uint32_t node, uint32_t session) {
    if (past->bits != NULL)
        return has_bit(past, node, bit_of(past, past->graph->txns->session_at[session]));
    uint32_t places = past->rows[(size_t)node * past->sessions + past->dense[session]];
    return past->graph->split ? places / 2 : places;
}

static void join_bits(struct txn_past *past, uint32_t to, uint32_t from) {
    uint64_t *row = past->bits + to * past->words;
    const uint64_t *other = past->bits + from * past->words;
    for (size_t w = 0; w < past->words; w++)
        row[w] |= other[w];
    uint32_t bit = bit_of(past, from);
    if (bit != TXN_NONE)
        row[bit / 64] |= 1ull << (bit % 64);
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
