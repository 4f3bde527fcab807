#include "foresee.h"

#define FORESEEN_ITEMS_MAX 16

/* What a read of `read` would have seen if `later` had happened before: VALUE_NONE: the same. */
static uint32_t foreseen(struct history *history, enum model model, const struct op *read,
                         const struct op *later) {
    struct values *values = &history->values;
    uint32_t items[FORESEEN_ITEMS_MAX + 1], len = 0;
    if (later->f == OP_READ)
        return read->f == OP_READ ? later->out : VALUE_NONE;
    if (later->f == OP_CAS)
        return value_items(values, later->arg)[1];
    if (model == MODEL_COUNTER)
        return value_int(values, value_at(values, read->out)->integer +
                                     value_at(values, later->arg)->integer);
    if (model != MODEL_APPEND && model != MODEL_SET)
        return later->arg;
    if (read->f != OP_READ)
        return value_bool(values, true);
    if (read->out != VALUE_NULL)
        len = value_at(values, read->out)->len;
    for (uint32_t i = 0; i < len; i++)
        items[i] = value_items(values, read->out)[i];
    items[len] = later->arg;
    return len == FORESEEN_ITEMS_MAX ? VALUE_NONE : value_list(values, items, len + 1);
}

/* A comparison that found what is written only later. */
static uint32_t expecting(struct history *history, const struct op *op, const struct op *later) {
    struct values *values = &history->values;
    uint32_t found = later->f == OP_CAS ? value_items(values, later->arg)[1] : later->arg;
    uint32_t pair[] = {found, value_items(values, op->arg)[1]};
    return value_list(values, pair, 2);
}

static bool tells(const struct op *op) {
    return op->outcome == OP_OK && op->out != VALUE_NONE &&
           (op->f == OP_READ || op->f == OP_CONTAINS || op->f == OP_PEEK || op->f == OP_DEQUEUE ||
            op->f == OP_POP || op->f == OP_DELETE_MIN);
}

static bool does(enum model model, const struct op *op) {
    bool bank = model == MODEL_BANK;
    return op->outcome != OP_FAIL && op->outcome != OP_MISMATCH &&
           (bank ? op->f == OP_READ && op->out != VALUE_NONE
                 : op->f == OP_WRITE || op->f == OP_CAS || op->f == OP_APPEND || op->f == OP_ADD ||
                       op->f == OP_ENQUEUE || op->f == OP_PUSH || op->f == OP_INSERT);
}

/* Reads in transactions: of what a later transaction writes. */
static void foresee_txn(struct history *history, const struct op *op, const struct op *later) {
    for (uint32_t r = 0; r < op->out; r++)
        for (uint32_t w = 0; w < later->out; w++) {
            struct mop *read = &history->mops[op->arg + r];
            const struct mop *write = &history->mops[later->arg + w];
            if (read->kind == MOP_READ && write->kind == MOP_WRITE && read->key == write->key)
                read->value = write->value;
        }
}

void foresee(struct history *history, enum model model, struct prng *prng) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        struct op *op = &history->ops[i];
        bool own = prng_chance(prng, 3, 4);
        if (!prng_chance(prng, 1, 2))
            continue;
        for (uint32_t j = i + 1; j < history->op_count; j++) {
            const struct op *later = &history->ops[j];
            if (later->key != op->key || (own && later->process != op->process))
                continue;
            if (op->f == OP_CAS && op->outcome == OP_OK && does(model, later))
                op->arg = expecting(history, op, later);
            else if (op->f == OP_TXN)
                foresee_txn(history, op, later);
            else if (tells(op) && does(model, later))
                op->out = foreseen(history, model, op, later);
            break;
        }
    }
}
