/* Unordered queues: between bag.c, which says when each element can be inside, and bag_place.c,
 * which finds moments for what found nothing, and an order. */
#ifndef CAIRN_CHECK_BAG_H
#define CAIRN_CHECK_BAG_H

#include "check/containers.h"

struct item {
    uint32_t value, put, take; /* take OP_NONE: it stays */
    uint32_t seen, seen_count; /* looks at it, in bag.looks */
    int64_t put_call, put_ret, take_call, take_ret;
    int64_t from, to; /* the gaps of its insertion and removal */
};

struct nothing {
    uint32_t op;
    int64_t from, until; /* gaps, both included */
    int64_t gap;
};

struct bag {
    const struct history *history;
    const uint32_t *ops;
    uint32_t count;
    uint32_t *of_value; /* value -> item */
    struct item *items;
    uint32_t item_count;
    uint32_t *looks, look_count; /* by item, once sorted */
    struct nothing *nothings;
    uint32_t nothing_count;
    uint32_t *blind, blind_count; /* removals of unknown fate, by their calls */
    struct verdict *verdict;
};

static inline const struct op *bag_op(const struct bag *bag, uint32_t number) {
    return &bag->history->ops[number];
}

static inline int64_t bag_later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* False: one that found nothing has no gap; told in the verdict. */
bool bag_place_nothings(struct bag *bag);
/* The last thing to do: elements are sorted anew. */
void bag_tell_order(struct bag *bag, uint32_t key);

#endif
