#include "check/drains.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static bool has_drains(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].f == OP_DRAIN && history->ops[i].outcome != OP_FAIL)
            return true;
    return false;
}

/* As many as can be in the queue. */
static uint32_t elements_of(const struct history *history, uint32_t key) {
    uint32_t initial = history_initial(history, key), count = 0;
    if (value_at(&history->values, initial)->kind == VALUE_LIST)
        count = value_at(&history->values, initial)->len;
    for (uint32_t i = 0; i < history->op_count; i++)
        count += history->ops[i].f == OP_ENQUEUE && history->ops[i].key == key &&
                 history->ops[i].outcome != OP_FAIL;
    return count;
}

static struct op *add(struct drains *drains, const struct history *history, uint32_t from,
                      uint32_t *cap) {
    struct op *op = history_op(&drains->whole);
    if (drains->whole.op_count > *cap) {
        *cap = 2 * drains->whole.op_count;
        drains->of = cairn_realloc(drains->of, *cap * sizeof *drains->of);
    }
    drains->of[drains->whole.op_count - 1] = from;
    *op = history->ops[from];
    return op;
}

static void add_parts(struct drains *drains, const struct history *history, uint32_t from,
                      uint32_t *cap) {
    uint32_t out = history->ops[from].out;
    uint32_t len = out == VALUE_NULL ? 0 : value_at(&history->values, out)->len;
    for (uint32_t i = 0; i <= len; i++) {
        uint32_t number = value_int(&drains->whole.values, i);
        struct op *op = add(drains, history, from, cap);
        op->arg = number;
        op->out = i == len ? VALUE_NULL : value_items(&history->values, out)[i];
    }
}

static void add_removals(struct drains *drains, const struct history *history, uint32_t from,
                         uint32_t *cap) {
    uint32_t count = elements_of(history, history->ops[from].key);
    for (uint32_t i = 0; i < count; i++)
        add(drains, history, from, cap)->f = OP_DEQUEUE;
}

bool drains_expand(struct drains *drains, const struct history *history, enum model model) {
    uint32_t cap = 0;
    if (model != MODEL_UNORDERED_QUEUE || !has_drains(history))
        return false;
    bool *none = cairn_alloc_zero(history->op_count + 1);
    *drains = (struct drains){.first = cairn_alloc((history->op_count + 1) * sizeof(uint32_t))};
    history_copy(&drains->whole, history, none);
    cairn_free(none);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        drains->first[i] = drains->whole.op_count;
        if (op->f != OP_DRAIN || op->outcome == OP_FAIL)
            add(drains, history, i, &cap);
        else if (op->outcome == OP_OK && op->out != VALUE_NONE)
            add_parts(drains, history, i, &cap);
        else
            add_removals(drains, history, i, &cap);
    }
    return true;
}

void drains_free(struct drains *drains) {
    history_free(&drains->whole);
    cairn_free(drains->of);
    cairn_free(drains->first);
}

uint32_t drains_part(const struct history *whole, uint32_t op) {
    const struct value *part = value_at(&whole->values, whole->ops[op].arg);
    cairn_assert(whole->ops[op].f == OP_DRAIN && part->kind == VALUE_INT && part->integer <= op);
    return (uint32_t)part->integer;
}

void drains_fold(const struct drains *drains, struct verdict *verdict) {
    bool *named = cairn_alloc_zero(drains->whole.op_count + 1);
    uint32_t kept = 0;
    for (uint32_t i = 0; i < verdict->op_count; i++) {
        uint32_t op = drains->of[verdict->ops[i]];
        if (!named[op])
            verdict->ops[kept++] = op;
        named[op] = true;
    }
    verdict->op_count = kept;
    for (uint32_t i = 0; i < verdict->order_count; i++)
        for (uint32_t j = 0; j < verdict->orders[i].count; j++)
            verdict->orders[i].ops[j] = drains->of[verdict->orders[i].ops[j]];
    cairn_free(named);
}

bool drains_unfold(const struct drains *drains, const struct history *history,
                   const struct order *order, struct order *to) {
    uint32_t *next = cairn_alloc((history->op_count + 1) * sizeof *next);
    bool fits = true;
    memcpy(next, drains->first, history->op_count * sizeof *next);
    *to = (struct order){.scope = order->scope, .of = order->of};
    for (uint32_t i = 0; i < order->count && fits; i++) {
        uint32_t op = order->ops[i], part = next[op]++;
        fits = part < drains->whole.op_count && drains->of[part] == op;
        order_push(to, fits ? part : 0);
    }
    cairn_free(next);
    return fits;
}
