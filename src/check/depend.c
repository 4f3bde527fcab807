#include "check/depend.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

/* A value that an operation gives to, or takes from, a key. */
struct cell {
    uint32_t key, value, op;
};

struct cells {
    struct cell *at;
    uint32_t count, cap;
};

static void put(struct cells *cells, uint32_t key, uint32_t value, uint32_t op) {
    if (cells->count == cells->cap) {
        cells->cap = cells->cap ? cells->cap * 2 : 256;
        cells->at = cairn_realloc(cells->at, cells->cap * sizeof *cells->at);
    }
    cells->at[cells->count++] = (struct cell){key, value, op};
}

static void put_items(struct cells *cells, const struct history *history, uint32_t key,
                      uint32_t value, uint32_t op) {
    if (value == VALUE_NONE || value == VALUE_NULL)
        return;
    const struct value *at = value_at(&history->values, value);
    if (at->kind != VALUE_LIST)
        put(cells, key, value, op);
    for (uint32_t i = 0; at->kind == VALUE_LIST && i < at->len; i++)
        put(cells, key, value_items(&history->values, value)[i], op);
}

static void mops_of(const struct history *history, uint32_t number, struct cells *given,
                    struct cells *taken) {
    const struct op *op = &history->ops[number];
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &history->mops[op->arg + i];
        if (mop->kind != MOP_READ)
            put(given, mop->key, mop->value, number);
        else if (op->outcome == OP_OK)
            put_items(taken, history, mop->key, mop->value, number);
    }
}

static void cells_of(const struct history *history, uint32_t number, struct cells *given,
                     struct cells *taken) {
    const struct op *op = &history->ops[number];
    bool told = op->outcome == OP_OK;
    switch (op->f) {
    case OP_TXN:
        mops_of(history, number, given, taken);
        return;
    case OP_CAS:
        if (op->outcome == OP_MISMATCH)
            return;
        put(taken, op->key, value_items(&history->values, op->arg)[0], number);
        put(given, op->key, value_items(&history->values, op->arg)[1], number);
        return;
    case OP_SWAP:
        put(given, op->key, op->arg, number);
        if (told)
            put_items(taken, history, op->key, op->out, number);
        return;
    case OP_READ:
    case OP_DEQUEUE:
    case OP_POP:
    case OP_DELETE_MIN:
    case OP_DELETE_MAX:
    case OP_PEEK:
    case OP_DRAIN:
        if (told)
            put_items(taken, history, op->key, op->out, number);
        return;
    default:
        if (op->arg != VALUE_NONE)
            put(given, op->key, op->arg, number);
    }
}

static int by_cell(const void *a, const void *b) {
    const struct cell *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->value != y->value)
        return x->value < y->value ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void add_writer(struct depend *depend, uint32_t writer) {
    if (depend->writer_count == depend->writer_cap) {
        depend->writer_cap = depend->writer_cap ? depend->writer_cap * 2 : 256;
        depend->writers =
            cairn_realloc(depend->writers, depend->writer_cap * sizeof *depend->writers);
    }
    depend->writers[depend->writer_count++] = writer;
}

static void add_need(struct depend *depend, uint32_t reader, uint32_t from) {
    if (depend->writer_count == from)
        return;
    if (depend->need_count == depend->need_cap) {
        depend->need_cap = depend->need_cap ? depend->need_cap * 2 : 256;
        depend->needs = cairn_realloc(depend->needs, depend->need_cap * sizeof *depend->needs);
    }
    depend->needs[depend->need_count++] = (struct need){reader, from, depend->writer_count - from};
}

static void match(struct depend *depend, struct cells *given, const struct cells *taken) {
    qsort(given->at, given->count, sizeof *given->at, by_cell);
    for (uint32_t i = 0; i < taken->count; i++) {
        struct cell want = {taken->at[i].key, taken->at[i].value, 0};
        uint32_t low = 0, high = given->count, from = depend->writer_count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (by_cell(&given->at[middle], &want) < 0)
                low = middle + 1;
            else
                high = middle;
        }
        for (; low < given->count && given->at[low].key == want.key &&
               given->at[low].value == want.value;
             low++)
            if (given->at[low].op != taken->at[i].op)
                add_writer(depend, given->at[low].op);
        add_need(depend, taken->at[i].op, from);
    }
}

/* Texts that were appended stand inside the texts that were read. */
static void match_texts(struct depend *depend, const struct history *history) {
    const struct values *values = &history->values;
    for (uint32_t r = 0; r < history->op_count; r++) {
        const struct op *read = &history->ops[r];
        if (read->f != OP_READ || read->outcome != OP_OK || read->out == VALUE_NONE ||
            value_at(values, read->out)->kind != VALUE_TEXT)
            continue;
        struct bytes text = value_bytes(values, read->out);
        for (uint32_t w = 0; w < history->op_count; w++) {
            const struct op *write = &history->ops[w];
            if ((write->f != OP_APPEND && write->f != OP_WRITE) || write->key != read->key ||
                value_at(values, write->arg)->kind != VALUE_TEXT)
                continue;
            struct bytes part = value_bytes(values, write->arg);
            uint32_t from = depend->writer_count;
            if (part.len == 0 || memmem(text.data, text.len, part.data, part.len) == NULL)
                continue;
            add_writer(depend, w);
            add_need(depend, r, from);
        }
    }
}

/* A sum was told of everything that was added. */
static void match_sums(struct depend *depend, const struct history *history) {
    for (uint32_t r = 0; r < history->op_count; r++)
        for (uint32_t w = 0; history->ops[r].f == OP_READ && w < history->op_count; w++) {
            const struct op *write = &history->ops[w];
            uint32_t from = depend->writer_count;
            if (write->f == OP_READ || write->outcome == OP_FAIL ||
                write->key != history->ops[r].key)
                continue;
            add_writer(depend, w);
            add_need(depend, r, from);
        }
}

void depend_make(struct depend *depend, const struct history *history, enum model model) {
    struct cells given = {0}, taken = {0};
    memset(depend, 0, sizeof *depend);
    if (model == MODEL_COUNTER || model == MODEL_BANK) {
        match_sums(depend, history);
        return;
    }
    bool appends = false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        cells_of(history, i, &given, &taken);
        appends |= history->ops[i].f == OP_APPEND;
    }
    if (model == MODEL_KV && appends)
        match_texts(depend, history);
    else
        match(depend, &given, &taken);
    cairn_free(given.at);
    cairn_free(taken.at);
}

void depend_free(struct depend *depend) {
    cairn_free(depend->needs);
    cairn_free(depend->writers);
}

static bool is_met(const struct depend *depend, const struct need *need, const bool *keep) {
    for (uint32_t i = 0; i < need->count; i++)
        if (keep[depend->writers[need->from + i]])
            return true;
    return false;
}

void depend_drop(const struct depend *depend, bool *keep) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < depend->need_count; i++) {
            const struct need *need = &depend->needs[i];
            if (!keep[need->reader] || is_met(depend, need, keep))
                continue;
            keep[need->reader] = false;
            changed = true;
        }
    }
}

void depend_add(const struct depend *depend, bool *keep) {
    for (bool changed = true; changed;) {
        changed = false;
        for (uint32_t i = 0; i < depend->need_count; i++) {
            const struct need *need = &depend->needs[i];
            if (!keep[need->reader] || is_met(depend, need, keep))
                continue;
            keep[depend->writers[need->from]] = true;
            changed = true;
        }
    }
}
