/* Unordered queues. A state is [progress, bags]: of every drain under way, how many of its elements
 * it has (drains.h), and all bags that there can be, each a sorted list. There are several when a
 * removal was not told what it took: which of them it was is known only by what comes out later. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/drains.h"
#include "check/spec_internal.h"

#include <string.h>

/* Part i of a drain needs the mark of the part before, `a`, and leaves its own, `b`. */
void spec_translate_bag(struct spec *spec, uint32_t number, struct spec_op *to) {
    const struct op *op = &spec->history->ops[number];
    if (op->f != OP_DRAIN)
        return;
    uint32_t part = drains_part(spec->history, number);
    uint32_t drain = value_int(&spec->pool, (int64_t)number - part);
    uint32_t before[] = {drain, value_int(&spec->pool, part)};
    uint32_t after[] = {drain, value_int(&spec->pool, (int64_t)part + 1)};
    to->out = spec_value(spec, op->out);
    to->told = true;
    to->a = part == 0 ? VALUE_NULL : value_list(&spec->pool, before, 2);
    to->b = op->out == VALUE_NULL ? VALUE_NULL : value_list(&spec->pool, after, 2);
}

static uint32_t state_of(struct spec *spec, uint32_t progress, uint32_t bags) {
    return value_list(&spec->pool, (uint32_t[]){progress, bags}, 2);
}

static uint32_t sorted(struct spec *spec, uint32_t list) {
    uint32_t bag = value_list(&spec->pool, NULL, 0);
    for (uint32_t i = 0; i < value_at(&spec->pool, list)->len; i++) {
        bool there;
        uint32_t item = value_items(&spec->pool, list)[i];
        bag = spec_with(spec, bag, spec_place(spec, bag, item, &there), item);
    }
    return bag;
}

uint32_t spec_initial_bag(struct spec *spec, uint32_t initial) {
    uint32_t none = value_list(&spec->pool, NULL, 0), value = spec_value(spec, initial);
    uint32_t bag = value_at(&spec->pool, value)->kind == VALUE_LIST ? sorted(spec, value) : none;
    return state_of(spec, none, value_set(&spec->pool, &bag, 1));
}

/* ---- what one bag becomes ---- */

struct bags {
    uint32_t *at, count, cap;
};

static void add(struct bags *bags, uint32_t bag) {
    if (bags->count == bags->cap) {
        bags->cap = bags->cap ? bags->cap * 2 : 8;
        bags->at = cairn_realloc(bags->at, bags->cap * sizeof *bags->at);
    }
    bags->at[bags->count++] = bag;
}

static void put(struct spec *spec, uint32_t bag, const struct spec_op *op, struct bags *to) {
    bool there;
    int64_t len = (int64_t)value_at(&spec->pool, bag)->len + 1;
    if (!op->told || value_at(&spec->pool, op->out)->integer == len)
        add(to, spec_with(spec, bag, spec_place(spec, bag, op->a, &there), op->a));
}

static void take_any(struct spec *spec, uint32_t bag, struct bags *to) {
    uint32_t len = value_at(&spec->pool, bag)->len, last = VALUE_NONE;
    if (len == 0)
        add(to, bag);
    for (uint32_t i = 0; i < len; i++) {
        uint32_t item = value_items(&spec->pool, bag)[i];
        if (item != last)
            add(to, spec_without(spec, bag, i));
        last = item;
    }
}

static void take(struct spec *spec, uint32_t bag, const struct spec_op *op, struct bags *to) {
    bool there;
    uint32_t at = spec_place(spec, bag, op->out, &there);
    if (op->out == VALUE_NULL && value_at(&spec->pool, bag)->len == 0)
        add(to, bag);
    else if (op->out != VALUE_NULL && there)
        add(to, op->f == OP_PEEK ? bag : spec_without(spec, bag, at));
}

/* ---- all of them ---- */

static bool advance(struct spec *spec, uint32_t *progress, const struct spec_op *op) {
    bool there;
    if (op->f != OP_DRAIN)
        return true;
    uint32_t at = spec_place(spec, *progress, op->a, &there);
    if (op->a != VALUE_NULL && !there)
        return false;
    if (op->a != VALUE_NULL)
        *progress = spec_without(spec, *progress, at);
    at = spec_place(spec, *progress, op->b, &there);
    if (op->b != VALUE_NULL)
        *progress = spec_with(spec, *progress, at, op->b);
    return true;
}

bool spec_step_bag(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    uint32_t progress = value_items(&spec->pool, state)[0];
    uint32_t old = value_items(&spec->pool, state)[1], count = value_at(&spec->pool, old)->len;
    struct bags bags = {0};
    *next = state;
    if (op->f == OP_PEEK && !op->told)
        return true;
    if (!advance(spec, &progress, op))
        return false;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t bag = value_items(&spec->pool, old)[i];
        if (op->f == OP_ENQUEUE)
            put(spec, bag, op, &bags);
        else if (op->told)
            take(spec, bag, op, &bags);
        else
            take_any(spec, bag, &bags);
    }
    if (bags.count > 0)
        *next = state_of(spec, progress, value_set(&spec->pool, bags.at, bags.count));
    cairn_free(bags.at);
    return bags.count > 0;
}
