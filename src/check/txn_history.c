#include "check/txn_build.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/hmap.h"

#include <string.h>

#define LIMITS_EVERY 256u

bool txn_mops(const struct history *history, const struct op *op, struct mop single[2],
              const struct mop **mops, uint32_t *count) {
    *mops = single;
    *count = 1;
    switch (op->f) {
    case OP_TXN:
        *mops = history->mops + op->arg;
        *count = op->out;
        return true;
    case OP_READ:
        single[0] = (struct mop){MOP_READ, op->key, op->out};
        return true;
    case OP_WRITE:
        single[0] = (struct mop){MOP_WRITE, op->key, op->arg};
        return true;
    case OP_APPEND:
        single[0] = (struct mop){MOP_APPEND, op->key, op->arg};
        return true;
    case OP_CAS: {
        const uint32_t *pair = value_items(&history->values, op->arg);
        single[0] = (struct mop){MOP_READ, op->key, pair[0]};
        single[1] = (struct mop){MOP_WRITE, op->key, pair[1]};
        *count = op->outcome == OP_MISMATCH ? 1 : 2;
        return true;
    }
    default:
        return false;
    }
}

static void describe_fault(struct txn_build *build, enum anomaly anomaly, uint32_t op,
                           uint32_t other, uint32_t key, uint32_t value) {
    struct buf *text = &build->txns->text;
    buf_printf(text, "%s: ", anomaly_name(anomaly));
    history_describe(build->history, op, text);
    if (value != VALUE_NONE) {
        buf_printf(text, " has read ");
        value_print(&build->history->values, value, text);
        buf_printf(text, " of key ");
        value_show(&build->history->values, build->keys[key], text);
    }
    if (other != OP_NONE) {
        buf_printf(text, "; see ");
        history_describe(build->history, other, text);
    }
}

void txn_build_fault(struct txn_build *build, enum anomaly anomaly, uint32_t op, uint32_t other,
                     uint32_t key, uint32_t value) {
    struct txns *txns = build->txns;
    if (txns->fault_op_count == 0) {
        buf_clear(&txns->text);
        txns->fault_ops[txns->fault_op_count++] = op;
        if (other != OP_NONE && other != op)
            txns->fault_ops[txns->fault_op_count++] = other;
        describe_fault(build, anomaly, op, other, key, value);
    }
    txns->anomalies |= 1u << anomaly;
    build->result = TXNS_FAULTY;
}

/* ---- written values ---- */

static uint64_t slot_of(const struct txn_build *build, uint32_t key, uint32_t value) {
    return hash_u64((uint64_t)key << 32 | value) & (build->table_size - 1);
}

uint32_t txn_build_find(const struct txn_build *build, uint32_t key, uint32_t value) {
    uint64_t slot = slot_of(build, key, value);
    for (;; slot = (slot + 1) & (build->table_size - 1)) {
        uint32_t entry = build->table[slot];
        if (entry == ENTRY_NONE ||
            (build->entries[entry].key == key && build->entries[entry].value == value))
            return entry;
    }
}

/* Equal pairs stay in the order of their operations: candidates are tried eldest first. */
static uint32_t entry_new(struct txn_build *build, uint32_t op, uint32_t key, uint32_t value) {
    cairn_assert(build->entry_count < build->entry_cap);
    uint32_t entry = build->entry_count++;
    build->entries[entry] =
        (struct txn_entry){key, value, op, ENTRY_NONE, ENTRY_NONE, ENTRY_NONE, ENTRY_NONE};
    uint64_t slot = slot_of(build, key, value);
    for (;; slot = (slot + 1) & (build->table_size - 1)) {
        uint32_t at = build->table[slot];
        if (at == ENTRY_NONE) {
            build->table[slot] = entry;
            return entry;
        }
        if (build->entries[at].key != key || build->entries[at].value != value)
            continue;
        while (build->entries[at].next != ENTRY_NONE)
            at = build->entries[at].next;
        build->entries[at].next = entry;
        return entry;
    }
}

static uint32_t key_dense(struct txn_build *build, uint32_t key) {
    if (build->key_of[key] == ENTRY_NONE) {
        build->key_of[key] = build->key_count;
        build->keys[build->key_count++] = key;
    }
    return build->key_of[key];
}

/* Enters what the operation writes, whatever became of it. */
static void enter(struct txn_build *build, uint32_t op) {
    struct mop single[2];
    const struct mop *mops;
    uint32_t count;
    if (!txn_mops(build->history, &build->history->ops[op], single, &mops, &count)) {
        build->result = TXNS_FOREIGN;
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = key_dense(build, mops[i].key);
        if (mops[i].kind == MOP_READ)
            continue;
        if ((mops[i].kind == MOP_APPEND) != build->lists) {
            build->result = TXNS_FOREIGN;
            return;
        }
        uint32_t entry = entry_new(build, op, key, mops[i].value);
        if (build->own_op[key] == op) {
            build->entries[build->own[key]].after = entry;
            build->entries[entry].before = build->own[key];
        }
        build->own_op[key] = op;
        build->own[key] = entry;
    }
}

/* ---- the reads ---- */

void txn_build_include(struct txn_build *build, uint32_t op) {
    if (op == OP_NONE || build->included[op])
        return;
    build->included[op] = true;
    /* Of what is open, only a cas says what it has read. */
    if (build->history->ops[op].outcome != OP_INFO || build->history->ops[op].f == OP_CAS)
        build->queue[build->queued++] = op;
}

void txn_build_source(struct txn_build *build, const struct txn_source *source) {
    if (build->source_count == build->source_cap) {
        build->source_cap = build->source_cap ? build->source_cap * 2 : 64;
        build->sources = cairn_realloc(build->sources, build->source_cap * sizeof *build->sources);
    }
    build->sources[build->source_count++] = *source;
}

uint32_t txn_build_pick(struct txn_build *build, uint32_t of) {
    struct txn_picks *picks = build->picks;
    if (of == 1)
        return 0;
    if (picks->used == picks->cap) {
        picks->cap = picks->cap ? picks->cap * 2 : 16;
        picks->pick = cairn_realloc(picks->pick, picks->cap * sizeof *picks->pick);
        picks->of = cairn_realloc(picks->of, picks->cap * sizeof *picks->of);
    }
    if (picks->used == picks->count)
        picks->pick[picks->count++] = 0;
    picks->of[picks->used] = of;
    return picks->pick[picks->used++];
}

void txn_picks_free(struct txn_picks *picks) {
    cairn_free(picks->pick);
    cairn_free(picks->of);
    memset(picks, 0, sizeof *picks);
}

bool txn_picks_next(struct txn_picks *picks) {
    picks->count = picks->used;
    while (picks->count > 0) {
        uint32_t last = picks->count - 1;
        if (++picks->pick[last] < picks->of[last]) {
            picks->used = 0;
            return true;
        }
        picks->count--;
    }
    picks->used = 0;
    return false;
}

/* ---- the whole ---- */

static void *filled(size_t count) {
    void *array = cairn_alloc((count + 1) * sizeof(uint32_t));
    memset(array, 0xff, (count + 1) * sizeof(uint32_t));
    return array;
}

static void begin(struct txn_build *build) {
    const struct history *history = build->history;
    uint32_t values = history->values.count;
    size_t most = (size_t)history->mop_count + 2u * history->op_count;
    build->key_of = filled(values);
    build->keys = filled(values);
    build->own_op = filled(values);
    build->own = filled(values);
    build->own_count = cairn_alloc_zero((values + 1u) * sizeof(uint32_t));
    build->entry_cap = (uint32_t)most;
    build->entries = cairn_alloc((most + 1) * sizeof *build->entries);
    build->table_size = 16;
    while (build->table_size < most * 3 / 2)
        build->table_size *= 2;
    build->table = filled(build->table_size);
    build->included = cairn_alloc_zero((history->op_count + 1u) * sizeof(bool));
    build->queue = cairn_alloc((history->op_count + 1u) * sizeof(uint32_t));
}

static void end(struct txn_build *build) {
    cairn_free(build->key_of);
    cairn_free(build->keys);
    cairn_free(build->own_op);
    cairn_free(build->own);
    cairn_free(build->own_count);
    cairn_free(build->entries);
    cairn_free(build->table);
    cairn_free(build->sources);
    cairn_free(build->included);
    cairn_free(build->queue);
    cairn_free(build->element_at);
    cairn_free(build->elements);
}

static bool stopped(struct txn_build *build, uint32_t i) {
    if (i % LIMITS_EVERY == 0 && limits_over(build->limits, LIMITS_EVERY))
        build->result = TXNS_STOPPED;
    return build->result == TXNS_STOPPED || build->result == TXNS_FOREIGN;
}

static void enter_all(struct txn_build *build) {
    const struct history *history = build->history;
    for (uint32_t op = 0; op < history->op_count && !stopped(build, op); op++)
        enter(build, op);
    memset(build->own_op, 0xff, build->key_count * sizeof *build->own_op);
}

static void read_all(struct txn_build *build) {
    const struct history *history = build->history;
    for (uint32_t op = 0; op < history->op_count; op++)
        if (history->ops[op].outcome == OP_OK || history->ops[op].outcome == OP_MISMATCH)
            txn_build_include(build, op);
    for (uint32_t i = 0; i < build->queued && !stopped(build, i); i++)
        if (build->lists)
            txn_build_lists(build, build->queue[i]);
        else
            txn_build_registers(build, build->queue[i]);
    if (build->lists && build->result == TXNS_FINE)
        txn_build_versions(build);
}

enum txns_result txns_build(struct txns *txns, const struct history *history, bool lists,
                            struct txn_picks *picks, struct limits *limits) {
    memset(txns, 0, sizeof *txns);
    txns->history = history;
    struct txn_build build = {
        .txns = txns, .history = history, .lists = lists, .picks = picks, .limits = limits};
    size_t per_op = 120u * (size_t)history->op_count + 100u * (size_t)history->mop_count;
    if (!limits_room(limits, per_op) || history->mop_count >= TXN_INDEX_MAX ||
        history->op_count >= TXN_INDEX_MAX)
        return TXNS_STOPPED;
    begin(&build);
    enter_all(&build);
    if (build.result == TXNS_FINE)
        read_all(&build);
    if (build.result == TXNS_FINE)
        txn_build_number(&build);
    end(&build);
    return build.result;
}

void txns_free(struct txns *txns) {
    cairn_free(txns->at);
    cairn_free(txns->session_at);
    cairn_free(txns->reads);
    cairn_free(txns->writes);
    cairn_free(txns->keys);
    cairn_free(txns->by_key);
    cairn_free(txns->reader_at);
    cairn_free(txns->readers);
    buf_free(&txns->text);
    memset(txns, 0, sizeof *txns);
}
