#include "check/txn_unseen.h"

#include "check/txn_history.h"
#include "base/alloc.h"
#include "base/hmap.h"

#include <string.h>

/* A set of keys with their values. */
struct pairs {
    uint64_t *slots; /* key and value; UINT64_MAX: free */
    uint64_t size;
};

static bool pairs_put(struct pairs *pairs, uint32_t key, uint32_t value) {
    uint64_t pair = (uint64_t)key << 32 | value;
    uint64_t slot = hash_u64(pair) & (pairs->size - 1);
    while (pairs->slots[slot] != UINT64_MAX && pairs->slots[slot] != pair)
        slot = (slot + 1) & (pairs->size - 1);
    bool had = pairs->slots[slot] == pair;
    pairs->slots[slot] = pair;
    return !had;
}

static bool pairs_have(const struct pairs *pairs, uint32_t key, uint32_t value) {
    uint64_t pair = (uint64_t)key << 32 | value;
    uint64_t slot = hash_u64(pair) & (pairs->size - 1);
    while (pairs->slots[slot] != UINT64_MAX && pairs->slots[slot] != pair)
        slot = (slot + 1) & (pairs->size - 1);
    return pairs->slots[slot] == pair;
}

/* All that was written, or tried; also by operations that failed, since who reads from those has
 * read something that is told. */
static struct pairs written(const struct history *history) {
    struct pairs pairs = {.size = 64};
    while (pairs.size < 2u * ((uint64_t)history->mop_count + 2u * history->op_count))
        pairs.size *= 2;
    pairs.slots = cairn_alloc(pairs.size * sizeof *pairs.slots);
    memset(pairs.slots, 0xff, pairs.size * sizeof *pairs.slots);
    for (uint32_t op = 0; op < history->op_count; op++) {
        struct mop single[2];
        const struct mop *mops;
        uint32_t count;
        if (!txn_mops(history, &history->ops[op], single, &mops, &count))
            continue;
        for (uint32_t i = 0; i < count; i++)
            if (mops[i].kind == MOP_WRITE)
                pairs_put(&pairs, mops[i].key, mops[i].value);
    }
    return pairs;
}

static bool is_unseen(const struct history *history, const struct pairs *pairs,
                      const struct mop *mop) {
    return mop->kind == MOP_READ && mop->value != VALUE_NONE &&
           mop->value != history_initial(history, mop->key) &&
           !pairs_have(pairs, mop->key, mop->value);
}

static void add_writer(struct history *history, uint32_t key, uint32_t value) {
    uint32_t process = history->process_count++;
    history->processes =
        cairn_realloc(history->processes, history->process_count * sizeof *history->processes);
    history->process_cap = history->process_count;
    history->processes[process] = VALUE_NULL;
    *history_op(history) = (struct op){.call = 0,
                                       .ret = OP_OPEN,
                                       .process = process,
                                       .key = key,
                                       .arg = value,
                                       .out = VALUE_NONE,
                                       .f = OP_WRITE,
                                       .outcome = OP_INFO};
}

uint32_t txn_unseen_add(struct history *history) {
    struct pairs pairs = written(history);
    uint32_t added = 0, count = history->op_count;
    for (uint32_t op = 0; op < count; op++) {
        if (history->ops[op].f != OP_TXN || history->ops[op].outcome != OP_OK)
            continue;
        const struct mop *mops = history->mops + history->ops[op].arg;
        for (uint32_t i = 0; i < history->ops[op].out; i++) {
            struct mop mop = mops[i];
            if (!is_unseen(history, &pairs, &mop))
                continue;
            pairs_put(&pairs, mop.key, mop.value);
            add_writer(history, mop.key, mop.value);
            added++;
        }
    }
    cairn_free(pairs.slots);
    return added;
}

uint32_t txn_unseen_forget(struct history *history) {
    struct pairs pairs = written(history);
    uint32_t forgotten = 0;
    for (uint32_t i = 0; i < history->mop_count; i++)
        if (is_unseen(history, &pairs, &history->mops[i])) {
            history->mops[i].value = VALUE_NONE;
            forgotten++;
        }
    cairn_free(pairs.slots);
    return forgotten;
}
