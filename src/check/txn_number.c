/* From what was read and written to numbered transactions, and from these to such with shorter
 * sessions. */
#include "check/txn_build.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

uint32_t txns_write_of(const struct txns *txns, uint32_t txn, uint32_t key) {
    uint32_t low = txns->at[txn].write_at, end = low + txns->at[txn].write_count, high = end;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (txns->writes[middle].key < key)
            low = middle + 1;
        else
            high = middle;
    }
    return low < end && txns->writes[low].key == key ? low : TXN_NONE;
}

/* Sessions in order of their processes; within one, the order of calls is that of operations. */
static uint32_t *number(struct txn_build *build) {
    const struct history *history = build->history;
    struct txns *txns = build->txns;
    uint32_t *txn_of = cairn_alloc((history->op_count + 1u) * sizeof *txn_of);
    uint32_t sessions = history->process_count;
    for (uint32_t op = 0; op < history->op_count; op++)
        if (history->ops[op].process >= sessions)
            sessions = history->ops[op].process + 1;
    txns->session_count = sessions;
    txns->session_at = cairn_alloc_zero((sessions + 2u) * sizeof *txns->session_at);
    for (uint32_t op = 0; op < history->op_count; op++)
        if (build->included[op])
            txns->session_at[history->ops[op].process + 2]++;
    for (uint32_t s = 0; s < sessions; s++)
        txns->session_at[s + 2] += txns->session_at[s + 1];
    txns->count = txns->session_at[sessions + 1];
    txns->at = cairn_alloc_zero((txns->count + 1u) * sizeof *txns->at);
    for (uint32_t op = 0; op < history->op_count; op++) {
        txn_of[op] = TXN_NONE;
        if (!build->included[op])
            continue;
        const struct op *from = &history->ops[op];
        uint32_t t = txn_of[op] = txns->session_at[from->process + 1]++;
        txns->at[t] =
            (struct txn){.op = op, .session = from->process, .call = from->call, .ret = from->ret};
        if (from->outcome == OP_INFO)
            txns->at[t].ret = OP_OPEN;
    }
    return txn_of;
}

void txns_cut(struct txns *cut, const struct txns *txns, const bool *starts) {
    *cut = *txns;
    cut->text = (struct buf){0};
    cut->at = cairn_alloc((txns->count + 1u) * sizeof *cut->at);
    cut->session_at = cairn_alloc((txns->count + 2u) * sizeof *cut->session_at);
    cut->session_count = 0;
    for (uint32_t t = 0; t < txns->count; t++) {
        if (starts == NULL || starts[t] || txns_first(txns, t))
            cut->session_at[cut->session_count++] = t;
        cut->at[t] = txns->at[t];
        cut->at[t].session = cut->session_count - 1;
    }
    cut->session_at[cut->session_count] = txns->count;
}

void txns_cut_free(struct txns *cut) {
    cairn_free(cut->at);
    cairn_free(cut->session_at);
}

static int by_key_then_txn(const void *a, const void *b) {
    const struct txn_write *x = a, *y = b;
    return x->key < y->key ? -1 : x->key > y->key;
}

static void place_writes(struct txn_build *build, const uint32_t *txn_of) {
    struct txns *txns = build->txns;
    for (uint32_t i = 0; i < build->entry_count; i++)
        if (txn_of[build->entries[i].op] != TXN_NONE && build->entries[i].after == ENTRY_NONE)
            txns->at[txn_of[build->entries[i].op]].write_count++;
    for (uint32_t t = 0; t < txns->count; t++) {
        txns->at[t].write_at = txns->write_count;
        txns->write_count += txns->at[t].write_count;
        txns->at[t].write_count = 0;
    }
    txns->writes = cairn_alloc((txns->write_count + 1u) * sizeof *txns->writes);
    for (uint32_t i = 0; i < build->entry_count; i++) {
        uint32_t t = txn_of[build->entries[i].op];
        if (t == TXN_NONE || build->entries[i].after != ENTRY_NONE)
            continue;
        txns->writes[txns->at[t].write_at + txns->at[t].write_count++] =
            (struct txn_write){t, build->entries[i].key, TXN_UNRANKED};
    }
    for (uint32_t t = 0; t < txns->count; t++)
        if (txns->at[t].write_count > 1)
            qsort(txns->writes + txns->at[t].write_at, txns->at[t].write_count,
                  sizeof *txns->writes, by_key_then_txn);
}

static void place_reads(struct txn_build *build, const uint32_t *txn_of) {
    struct txns *txns = build->txns;
    for (uint32_t i = 0; i < build->source_count; i++)
        txns->at[txn_of[build->sources[i].op]].read_count++;
    for (uint32_t t = 0; t < txns->count; t++) {
        txns->at[t].read_at = txns->read_count;
        txns->read_count += txns->at[t].read_count;
        txns->at[t].read_count = 0;
    }
    txns->reads = cairn_alloc((txns->read_count + 1u) * sizeof *txns->reads);
    for (uint32_t i = 0; i < build->source_count; i++) {
        const struct txn_source *source = &build->sources[i];
        uint32_t t = txn_of[source->op];
        uint32_t version = TXN_INIT;
        if (source->writer != OP_NONE)
            version = txns_write_of(txns, txn_of[source->writer], source->key);
        cairn_assert(source->writer == OP_NONE || version != TXN_NONE);
        txns->reads[txns->at[t].read_at + txns->at[t].read_count++] =
            (struct txn_read){t, source->key, version};
    }
}

static void rank(struct txn_build *build, const uint32_t *txn_of) {
    struct txns *txns = build->txns;
    for (uint32_t key = 0; key < build->key_count && build->lists; key++)
        for (uint32_t i = build->element_at[key]; i < build->element_at[key + 1]; i++) {
            const struct txn_entry *entry = &build->entries[build->elements[i]];
            if (entry->after != ENTRY_NONE)
                continue;
            uint32_t write = txns_write_of(txns, txn_of[entry->op], key);
            txns->writes[write].rank = txns->keys[key].ranked++;
        }
}

/* The versions of each key: ranked ones first. */
static void group_versions(struct txn_build *build) {
    struct txns *txns = build->txns;
    for (uint32_t w = 0; w < txns->write_count; w++)
        txns->keys[txns->writes[w].key].count++;
    uint32_t at = 0;
    for (uint32_t key = 0; key < txns->key_count; key++) {
        txns->keys[key].value = build->keys[key];
        txns->keys[key].at = at;
        at += txns->keys[key].count;
        txns->keys[key].count = txns->keys[key].ranked;
    }
    txns->by_key = cairn_alloc((at + 1u) * sizeof *txns->by_key);
    for (uint32_t w = 0; w < txns->write_count; w++) {
        struct txn_key *key = &txns->keys[txns->writes[w].key];
        uint32_t place = txns->writes[w].rank != TXN_UNRANKED ? txns->writes[w].rank : key->count++;
        txns->by_key[key->at + place] = w;
    }
}

static void group_readers(struct txns *txns) {
    uint32_t slots = txns->write_count + txns->key_count;
    txns->reader_at = cairn_alloc_zero((slots + 2u) * sizeof *txns->reader_at);
    txns->readers = cairn_alloc((txns->read_count + 1u) * sizeof *txns->readers);
    for (uint32_t i = 0; i < txns->read_count; i++) {
        const struct txn_read *read = &txns->reads[i];
        uint32_t slot = read->version == TXN_INIT ? txns->write_count + read->key : read->version;
        txns->reader_at[slot + 2]++;
    }
    for (uint32_t slot = 0; slot < slots; slot++)
        txns->reader_at[slot + 2] += txns->reader_at[slot + 1];
    for (uint32_t i = 0; i < txns->read_count; i++) {
        const struct txn_read *read = &txns->reads[i];
        uint32_t slot = read->version == TXN_INIT ? txns->write_count + read->key : read->version;
        txns->readers[txns->reader_at[slot + 1]++] = i;
    }
}

void txn_build_number(struct txn_build *build) {
    struct txns *txns = build->txns;
    uint32_t *txn_of = number(build);
    place_writes(build, txn_of);
    place_reads(build, txn_of);
    txns->key_count = build->key_count;
    txns->keys = cairn_alloc_zero((build->key_count + 1u) * sizeof *txns->keys);
    rank(build, txn_of);
    group_versions(build);
    group_readers(txns);
    cairn_free(txn_of);
}
