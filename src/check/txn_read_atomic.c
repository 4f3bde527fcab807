/* Read atomic: when t reads key x from v, and w, which t read from or which came before t in its
 * session, wrote x, then w commits before v. */
#include "check/txn_weak.h"

#include "base/alloc.h"

#include <string.h>

struct atomic {
    struct txn_graph *graph;
    uint32_t *wrote, *wrote_in; /* by key: which wrote it last in the session, and which session */
    uint32_t *read_of, *read;   /* by key: the reader that is looked at, and its first read of it */
    uint32_t *seen;             /* by writer: the reader that is looked at */
};

static void force(struct atomic *atomic, uint32_t writer, uint32_t read) {
    const struct txns *txns = atomic->graph->txns;
    if (txns_writer(txns, txns->reads[read].version) != writer)
        txn_graph_earlier(atomic->graph, writer, read);
}

/* Of those before in the session the last that wrote the key: the others come before it. Two reads
 * of one key from two writers force each before the other. */
static void look_at_reads(struct atomic *atomic, uint32_t t) {
    const struct txns *txns = atomic->graph->txns;
    const struct txn *txn = &txns->at[t];
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++) {
        uint32_t key = txns->reads[r].key;
        uint32_t writer = txns_writer(txns, txns->reads[r].version);
        if (atomic->wrote_in[key] == txn->session)
            force(atomic, atomic->wrote[key], r);
        if (atomic->read_of[key] != t) {
            atomic->read_of[key] = t;
            atomic->read[key] = r;
            continue;
        }
        uint32_t first = txns_writer(txns, txns->reads[atomic->read[key]].version);
        if (first != TXN_INIT)
            force(atomic, first, r);
        if (writer != TXN_INIT)
            force(atomic, writer, atomic->read[key]);
    }
}

static void look_at_writer(struct atomic *atomic, uint32_t t, uint32_t writer) {
    const struct txns *txns = atomic->graph->txns;
    const struct txn *from = &txns->at[writer], *txn = &txns->at[t];
    if (from->write_count <= txn->read_count) {
        for (uint32_t w = from->write_at; w < from->write_at + from->write_count; w++)
            if (atomic->read_of[txns->writes[w].key] == t)
                force(atomic, writer, atomic->read[txns->writes[w].key]);
        return;
    }
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++)
        if (txns_write_of(txns, writer, txns->reads[r].key) != TXN_NONE)
            force(atomic, writer, r);
}

static void look(struct atomic *atomic, uint32_t t) {
    const struct txns *txns = atomic->graph->txns;
    const struct txn *txn = &txns->at[t];
    look_at_reads(atomic, t);
    for (uint32_t r = txn->read_at; r < txn->read_at + txn->read_count; r++) {
        uint32_t writer = txns_writer(txns, txns->reads[r].version);
        if (writer == TXN_INIT || atomic->seen[writer] == t)
            continue;
        atomic->seen[writer] = t;
        look_at_writer(atomic, t, writer);
    }
    for (uint32_t w = txn->write_at; w < txn->write_at + txn->write_count; w++) {
        atomic->wrote[txns->writes[w].key] = t;
        atomic->wrote_in[txns->writes[w].key] = txn->session;
    }
}

void txn_read_atomic(struct txn_graph *graph) {
    const struct txns *txns = graph->txns;
    size_t keys = txns->key_count + 1u, count = txns->count + 1u;
    uint32_t *memory = cairn_alloc_ones((4 * keys + count) * sizeof *memory);
    struct atomic atomic = {.graph = graph,
                            .wrote = memory,
                            .wrote_in = memory + keys,
                            .read_of = memory + 2 * keys,
                            .read = memory + 3 * keys,
                            .seen = memory + 4 * keys};
    for (uint32_t t = 0; t < txns->count && !limits_over(graph->limits, 1); t++)
        look(&atomic, t);
    cairn_free(memory);
}
