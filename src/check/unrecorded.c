#include "check/unrecorded.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* What was written: pairs of key and value, sorted. */
struct pairs {
    uint64_t *at;
    uint32_t count;
};

static uint64_t pair_of(uint32_t key, uint32_t value) {
    return (uint64_t)key << 32 | value;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool is_written(const struct history *history, const struct pairs *pairs,
                       const struct mop *mop) {
    uint64_t pair = pair_of(mop->key, mop->value);
    return mop->value == VALUE_NONE || mop->value == history_initial(history, mop->key) ||
           bsearch(&pair, pairs->at, pairs->count, sizeof pair, by_number) != NULL;
}

static void gather(const struct history *history, struct pairs *pairs) {
    pairs->count = 0;
    pairs->at = cairn_alloc((history->mop_count + 1) * sizeof *pairs->at);
    for (uint32_t i = 0; i < history->mop_count; i++)
        if (history->mops[i].kind == MOP_WRITE)
            pairs->at[pairs->count++] = pair_of(history->mops[i].key, history->mops[i].value);
    qsort(pairs->at, pairs->count, sizeof *pairs->at, by_number);
}

/* The reads that no write explains: numbers of micro-operations of committed transactions. */
static uint32_t unexplained(const struct history *history, uint32_t **found) {
    struct pairs pairs;
    uint32_t count = 0;
    gather(history, &pairs);
    *found = cairn_alloc((history->mop_count + 1) * sizeof **found);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        for (uint32_t j = 0; op->f == OP_TXN && op->outcome == OP_OK && j < op->out; j++) {
            const struct mop *mop = &history->mops[op->arg + j];
            if (mop->kind == MOP_READ && !is_written(history, &pairs, mop))
                (*found)[count++] = op->arg + j;
        }
    }
    cairn_free(pairs.at);
    return count;
}

static void copy_all(struct history *to, const struct history *from) {
    bool *keep = cairn_alloc(from->op_count + 1);
    memset(keep, true, from->op_count + 1);
    history_copy(to, from, keep);
    cairn_free(keep);
}

uint32_t unrecorded_ignore(struct history *to, const struct history *from) {
    uint32_t *reads, count = unexplained(from, &reads);
    struct history marked = *from;
    if (count > 0) {
        marked.mops = cairn_alloc((from->mop_count + 1) * sizeof *marked.mops);
        memcpy(marked.mops, from->mops, from->mop_count * sizeof *marked.mops);
        for (uint32_t i = 0; i < count; i++)
            marked.mops[reads[i]].value = VALUE_NONE;
        copy_all(to, &marked);
        cairn_free(marked.mops);
    }
    cairn_free(reads);
    return count;
}

static void invent_writer(struct history *history, uint32_t key, uint32_t value) {
    uint32_t first = history->mop_count;
    struct mop *mop = history_mop(history);
    *mop = (struct mop){.kind = MOP_WRITE, .key = key, .value = value};
    uint32_t name = value_text(&history->values, BYTES("unrecorded"));
    uint32_t process = history_add_process(history, name);
    struct op *op = history_op(history);
    op->f = OP_TXN;
    op->outcome = OP_INFO;
    op->process = process;
    op->ret = OP_OPEN;
    op->arg = first;
    op->out = 1;
}

uint32_t unrecorded_invent(struct history *to, const struct history *from) {
    uint32_t *reads, count = unexplained(from, &reads);
    if (count > 0)
        copy_all(to, from);
    for (uint32_t i = 0; i < count; i++) {
        const struct mop *mop = &from->mops[reads[i]];
        bool known = false;
        for (uint32_t j = 0; j < i && !known; j++)
            known =
                from->mops[reads[j]].key == mop->key && from->mops[reads[j]].value == mop->value;
        if (!known)
            invent_writer(to, mop->key, mop->value);
    }
    cairn_free(reads);
    return count;
}
