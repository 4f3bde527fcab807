/* Monotonic atomic view: when t read from w, and later in its program reads key x from v, and w
 * wrote x, then w commits before v. */
#include "check/txn_weak.h"

#include "base/alloc.h"

#include <string.h>

struct committed {
    struct txn_graph *graph;
    uint32_t *next;    /* by key: the next read of it, seen from where one stands */
    uint32_t *next_of; /* and whose it is */
    uint32_t *later;   /* keys read later, each once */
    uint32_t later_count;
    uint32_t *first; /* by writer: the first read of it by the reader that is looked at */
};

static void force(struct committed *committed, uint32_t writer, uint32_t key) {
    const struct txns *txns = committed->graph->txns;
    uint32_t read = committed->next[key];
    if (txns_writer(txns, txns->reads[read].version) != writer)
        txn_graph_earlier(committed->graph, writer, read);
}

/* The writer's keys and the keys read later: the fewer ones are walked. */
static void force_all(struct committed *committed, uint32_t t, uint32_t writer) {
    const struct txns *txns = committed->graph->txns;
    const struct txn *from = &txns->at[writer];
    if (from->write_count <= committed->later_count) {
        for (uint32_t w = from->write_at; w < from->write_at + from->write_count; w++)
            if (committed->next_of[txns->writes[w].key] == t)
                force(committed, writer, txns->writes[w].key);
        return;
    }
    for (uint32_t i = 0; i < committed->later_count; i++)
        if (txns_write_of(txns, writer, committed->later[i]) != TXN_NONE)
            force(committed, writer, committed->later[i]);
}

/* Only from the first read of each writer, and only to the next read of each key: reads of one key
 * that follow each other chain the rest. */
static void look(struct committed *committed, uint32_t t) {
    const struct txns *txns = committed->graph->txns;
    const struct txn *txn = &txns->at[t];
    for (uint32_t r = txn->read_at + txn->read_count; r-- > txn->read_at;) {
        uint32_t writer = txns_writer(txns, txns->reads[r].version);
        if (writer != TXN_INIT)
            committed->first[writer] = r;
    }
    committed->later_count = 0;
    for (uint32_t r = txn->read_at + txn->read_count; r-- > txn->read_at;) {
        uint32_t key = txns->reads[r].key;
        uint32_t writer = txns_writer(txns, txns->reads[r].version);
        if (writer != TXN_INIT) {
            if (committed->next_of[key] == t)
                force(committed, writer, key);
            if (committed->first[writer] == r)
                force_all(committed, t, writer);
        }
        if (committed->next_of[key] != t)
            committed->later[committed->later_count++] = key;
        committed->next_of[key] = t;
        committed->next[key] = r;
    }
}

void txn_atomic_view(struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    size_t keys = txns->key_count + 1u, count = txns->count + 1u;
    uint32_t *memory = cairn_alloc_ones((3 * keys + count) * sizeof *memory);
    struct committed committed = {.graph = graph,
                                  .next = memory,
                                  .next_of = memory + keys,
                                  .later = memory + 2 * keys,
                                  .first = memory + 3 * keys};
    for (uint32_t t = 0; t < txns->count && !limits_over(graph->limits, 1); t++)
        look(&committed, t);
    cairn_free(memory);
}
