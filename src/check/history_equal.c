#include "base/alloc.h"
#include "check/write_internal.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

struct both {
    const struct history *a, *b;
    struct buf *why;
};

static bool differs(const struct both *both, const char *what, uint32_t at) {
    if (both->why != NULL)
        buf_printf(both->why, "%s, at %" PRIu32, what, at);
    return false;
}

static bool same_items(const struct both *both, uint32_t a, uint32_t b);

/* By content: numbers of values differ between histories. */
static bool same_value(const struct both *both, uint32_t a, uint32_t b) {
    if (a == VALUE_NONE || b == VALUE_NONE)
        return a == b;
    const struct values *in_a = &both->a->values, *in_b = &both->b->values;
    const struct value *x = value_at(in_a, a), *y = value_at(in_b, b);
    if (x->kind != y->kind)
        return false;
    if (x->kind <= VALUE_INT)
        return x->kind == VALUE_NIL || x->integer == y->integer;
    if (x->kind == VALUE_TEXT)
        return bytes_equal(value_bytes(in_a, a), value_bytes(in_b, b));
    return same_items(both, a, b);
}

static bool same_items(const struct both *both, uint32_t a, uint32_t b) {
    uint32_t len = value_at(&both->a->values, a)->len;
    if (value_at(&both->b->values, b)->len != len)
        return false;
    for (uint32_t i = 0; i < len; i++)
        if (!same_value(both, value_items(&both->a->values, a)[i],
                        value_items(&both->b->values, b)[i]))
            return false;
    return true;
}

static bool same_mops(const struct both *both, const struct op *x, const struct op *y) {
    if (x->out != y->out)
        return false;
    for (uint32_t i = 0; i < x->out; i++) {
        const struct mop *m = &both->a->mops[x->arg + i], *n = &both->b->mops[y->arg + i];
        bool known = x->outcome == OP_OK || m->kind != MOP_READ;
        if (m->kind != n->kind || !same_value(both, m->key, n->key) ||
            (known && !same_value(both, m->value, n->value)))
            return false;
    }
    return true;
}

static bool same_op(const struct both *both, const struct op *x, const struct op *y) {
    if (x->f != y->f || x->outcome != y->outcome || !same_value(both, x->key, y->key) ||
        !same_value(both, both->a->processes[x->process], both->b->processes[y->process]))
        return false;
    if (x->f == OP_TXN)
        return same_mops(both, x, y);
    return same_value(both, x->arg, y->arg) && same_value(both, x->out, y->out);
}

static bool same_initial(const struct both *both) {
    if (!same_value(both, both->a->initial, both->b->initial) ||
        both->a->initial_count != both->b->initial_count)
        return false;
    for (uint32_t i = 0; i < both->a->initial_count; i++) {
        bool found = false;
        for (uint32_t n = 0; n < both->b->initial_count && !found; n++)
            found =
                same_value(both, both->a->initial_of[2 * i], both->b->initial_of[2 * n]) &&
                same_value(both, both->a->initial_of[2 * i + 1], both->b->initial_of[2 * n + 1]);
        if (!found)
            return false;
    }
    return true;
}

static bool same_event(const struct both *both, uint32_t a, uint32_t b) {
    uint32_t i = a & WRITE_INDEX, n = b & WRITE_INDEX;
    if ((a & WRITE_KIND) != (b & WRITE_KIND))
        return false;
    if ((a & WRITE_KIND) != WRITE_FAULT)
        return i == n; /* operations stand in the order of their calls */
    return same_value(both, both->a->faults[i].what, both->b->faults[n].what) &&
           same_value(both, both->a->faults[i].detail, both->b->faults[n].detail);
}

static bool same_events(const struct both *both) {
    uint32_t a_count, b_count, at = 0;
    uint32_t *a = write_events(both->a, &a_count), *b = write_events(both->b, &b_count);
    while (at < a_count && at < b_count && same_event(both, a[at], b[at]))
        at++;
    cairn_free(a);
    cairn_free(b);
    return (at == a_count && at == b_count) || differs(both, "the order of events differs", at);
}

bool history_equal(const struct history *a, const struct history *b, struct buf *why) {
    struct both both = {a, b, why};
    if (a->op_count != b->op_count)
        return differs(&both, "the number of operations differs", a->op_count);
    if (a->has_real_time != b->has_real_time)
        return differs(&both, "only one has real time", 0);
    if (!same_initial(&both))
        return differs(&both, "the initial values differ", 0);
    for (uint32_t i = 0; i < a->op_count; i++)
        if (!same_op(&both, &a->ops[i], &b->ops[i]))
            return differs(&both, "an operation differs", i);
    return same_events(&both);
}
