/* Which write was read, of registers. */
#include "check/txn_build.h"

/* A write that another could read: not surely failed, the last of its transaction. */
static bool readable(const struct txn_build *build, const struct txn_entry *entry, uint32_t op) {
    return entry->op != op && entry->after == ENTRY_NONE &&
           build->history->ops[entry->op].outcome != OP_FAIL;
}

/* No write can have been read: why does that look so? */
static void impossible(struct txn_build *build, uint32_t op, uint32_t key, uint32_t value) {
    enum anomaly anomaly = ANOMALY_THIN_AIR;
    uint32_t other = OP_NONE;
    for (uint32_t i = txn_build_find(build, key, value); i != ENTRY_NONE;
         i = build->entries[i].next) {
        const struct txn_entry *entry = &build->entries[i];
        if (entry->op == op)
            continue;
        anomaly = build->history->ops[entry->op].outcome == OP_FAIL ? ANOMALY_G1A : ANOMALY_G1B;
        other = entry->op;
        if (anomaly == ANOMALY_G1B)
            break;
    }
    txn_build_fault(build, anomaly, op, other, key, value);
}

static void read_value(struct txn_build *build, uint32_t op, uint32_t key, uint32_t value) {
    bool first = history_initial(build->history, build->keys[key]) == value;
    uint32_t candidates = first ? 1 : 0;
    uint32_t found = txn_build_find(build, key, value);
    for (uint32_t i = found; i != ENTRY_NONE; i = build->entries[i].next)
        candidates += readable(build, &build->entries[i], op);
    if (candidates == 0) {
        impossible(build, op, key, value);
        return;
    }
    uint32_t pick = txn_build_pick(build, candidates);
    struct txn_source source = {op, key, OP_NONE, VALUE_NONE, 0, ENTRY_NONE};
    if (!(first && pick == 0)) {
        pick -= first ? 1 : 0;
        uint32_t i = found;
        for (; !readable(build, &build->entries[i], op) || pick-- > 0; i = build->entries[i].next)
            ;
        source.writer = build->entries[i].op;
    }
    txn_build_include(build, source.writer);
    txn_build_source(build, &source);
}

/* A cas that did not match has read anything but what it asked for. */
static void read_other(struct txn_build *build, uint32_t op, uint32_t key, uint32_t value) {
    bool first = history_initial(build->history, build->keys[key]) != value;
    uint32_t candidates = first ? 1 : 0;
    for (uint32_t i = 0; i < build->entry_count; i++)
        candidates += build->entries[i].key == key && build->entries[i].value != value &&
                      readable(build, &build->entries[i], op);
    if (candidates == 0) {
        txn_build_fault(build, ANOMALY_THIN_AIR, op, OP_NONE, key, VALUE_NONE);
        return;
    }
    uint32_t pick = txn_build_pick(build, candidates);
    struct txn_source source = {op, key, OP_NONE, VALUE_NONE, 0, ENTRY_NONE};
    if (!(first && pick == 0)) {
        pick -= first ? 1 : 0;
        uint32_t i = 0;
        for (;; i++)
            if (build->entries[i].key == key && build->entries[i].value != value &&
                readable(build, &build->entries[i], op) && pick-- == 0)
                break;
        source.writer = build->entries[i].op;
    }
    txn_build_include(build, source.writer);
    txn_build_source(build, &source);
}

void txn_build_registers(struct txn_build *build, uint32_t op) {
    struct mop single[2];
    const struct mop *mops;
    uint32_t count;
    txn_mops(build->history, &build->history->ops[op], single, &mops, &count);
    bool other = build->history->ops[op].outcome == OP_MISMATCH;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t key = build->key_of[mops[i].key];
        uint32_t value = mops[i].value;
        if (mops[i].kind != MOP_READ) {
            build->own_op[key] = op;
            build->own[key] = value;
        } else if (value == VALUE_NONE) {
            continue;
        } else if (build->own_op[key] == op) {
            if (value != build->own[key])
                txn_build_fault(build, ANOMALY_INTERNAL, op, OP_NONE, key, value);
        } else if (other) {
            read_other(build, op, key, value);
        } else {
            read_value(build, op, key, value);
        }
    }
}
