/* Queues and stacks: what is put where it can't come out in time is refused when it is put. That
 * loses no order, since every order through such a state fails at the removal. */
#include "base/alloc.h"
#include "check/spec_internal.h"

#include <string.h>

struct taken {
    uint32_t call, ret; /* of the removal; OP_OPEN both: never */
    bool put;           /* it is put in somewhere */
};

static bool is_put(const struct spec_op *op) {
    return op->f == OP_ENQUEUE || op->f == OP_PUSH;
}

static bool is_take(const struct spec_op *op) {
    return op->f == OP_DEQUEUE || op->f == OP_POP;
}

static bool learn(struct spec *spec, const struct op *op, const struct spec_op *to) {
    uint32_t value = is_put(to) ? to->a : to->out;
    if (to->f == OP_PEEK)
        return true;
    if (!is_put(to) && (!is_take(to) || !to->told))
        return false; /* drained, or it is not known what was taken */
    if (value == VALUE_NULL)
        return is_take(to);
    struct taken *taken = &spec->taken[value];
    if (is_put(to)) {
        bool unique = !taken->put;
        taken->put = true;
        return unique;
    }
    taken->call = op->call;
    taken->ret = op->ret;
    return true;
}

void spec_learn_taken(struct spec *spec, const uint32_t *ops, const struct spec_op *to,
                      uint32_t count) {
    cairn_free(spec->taken);
    spec->taken = NULL;
    /* What was there from the start may be equal to what is put in. */
    if (count == 0 || history_initial(spec->history, spec->history->ops[ops[0]].key) != VALUE_NULL)
        return;
    spec->taken_count = spec->pool.count;
    spec->taken = cairn_alloc_zero((spec->taken_count + 1) * sizeof *spec->taken);
    for (uint32_t i = 0; i < spec->taken_count; i++)
        spec->taken[i].call = spec->taken[i].ret = OP_OPEN;
    for (uint32_t i = 0; i < count; i++)
        if (!learn(spec, &spec->history->ops[ops[i]], &to[i])) {
            cairn_free(spec->taken);
            spec->taken = NULL;
            return;
        }
}

/* Can `first` be taken out before `second`? */
static bool in_turn(const struct taken *first, const struct taken *second) {
    if (second->call == OP_OPEN)
        return true;
    return first->call != OP_OPEN && first->call < second->ret;
}

bool spec_may_put(const struct spec *spec, uint32_t state, uint32_t value) {
    if (spec->taken == NULL || value >= spec->taken_count)
        return true;
    const uint32_t *items = value_items(&spec->pool, state);
    for (uint32_t i = value_at(&spec->pool, state)->len; i > 0; i--) {
        const struct taken *other = &spec->taken[items[i - 1]], *mine = &spec->taken[value];
        if (spec->model == MODEL_QUEUE ? !in_turn(other, mine) : !in_turn(mine, other))
            return false;
    }
    return true;
}
