/* A priority queue: what comes out is the least of what is inside. Elements are looked at from the
 * least upwards, because only lesser ones are in the way. Each is inside at least from the end of
 * its insertion to the first instant, from the beginning of its removal on, at which no lesser one
 * is: its zone. Any order has it inside for all of that; and the order in which it is inside for
 * no longer is legal if there is one. So it is enough that each removal has such an instant before
 * its end, and what found nothing one that lies in no zone. O(n log n), but for moving zones. */
#include "check/containers.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

struct zone {
    int64_t from, to; /* both outside */
};
struct queued_op {
    int64_t time;
    uint32_t rank, op;
};

struct heap {
    const struct history *history;
    struct elements *elements; /* the least first */
    struct zone *zones;        /* of all that were looked at, merged where they overlap, in order */
    uint32_t zone_count;
    struct zone *own; /* of each element; empty where from > to */
    struct queued_op *placed;
    uint32_t placed_count;
    struct verdict *verdict;
};

static bool found_nothing(const struct element *element) {
    return element->put == element->take;
}

/* The least first; what found nothing behind all. */
static int by_priority(const void *a, const void *b, void *context) {
    const struct element *x = a, *y = b;
    if (found_nothing(x) != found_nothing(y))
        return found_nothing(x) ? 1 : -1;
    if (found_nothing(x))
        return x->put < y->put ? -1 : x->put > y->put;
    return value_compare(context, x->value, y->value);
}

/* The first zone that ends at `time` or behind it. */
static uint32_t zone_at(const struct heap *heap, int64_t time) {
    uint32_t low = 0, high = heap->zone_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (heap->zones[middle].to < time)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static int64_t first_free(const struct heap *heap, int64_t time) {
    uint32_t at = zone_at(heap, time);
    return at < heap->zone_count && heap->zones[at].from < time ? heap->zones[at].to : time;
}

static void add_zone(struct heap *heap, struct zone zone) {
    uint32_t first = zone_at(heap, zone.from), end = first;
    for (; end < heap->zone_count && heap->zones[end].from <= zone.to; end++) {
        if (heap->zones[end].from < zone.from)
            zone.from = heap->zones[end].from;
        if (heap->zones[end].to > zone.to)
            zone.to = heap->zones[end].to;
    }
    memmove(heap->zones + first + 1, heap->zones + end,
            (heap->zone_count - end) * sizeof *heap->zones);
    heap->zone_count = heap->zone_count - (end - first) + 1;
    heap->zones[first] = zone;
}

static void place(struct heap *heap, uint32_t op, int64_t time, uint32_t rank) {
    heap->placed[heap->placed_count++] = (struct queued_op){time, rank, op};
}

/* ---- what contradicts ---- */

/* Names those before `element` whose zones cover its removal up to `until`, and what makes these
 * zones as long as they are. */
static void name_cover(const struct heap *heap, uint32_t element, int64_t until, bool *named) {
    int64_t time = heap->elements->at[element].take_call;
    while (time < until) {
        uint32_t best = UINT32_MAX;
        for (uint32_t i = 0; i < element; i++)
            if (heap->own[i].from < time && heap->own[i].to > time &&
                (best == UINT32_MAX || heap->own[i].to > heap->own[best].to))
                best = i;
        if (best == UINT32_MAX)
            return;
        named[best] = true;
        time = heap->own[best].to;
    }
}

static void contradict(const struct heap *heap, uint32_t element) {
    bool *named = cairn_alloc_zero(heap->elements->count + 1);
    const struct elements *elements = heap->elements;
    bool unknown = false;
    name_cover(heap, element, elements->at[element].take_ret + 1, named);
    named[element] = true;
    for (uint32_t i = element + 1; i-- > 0;) {
        const struct element *at = &elements->at[i];
        if (!named[i])
            continue;
        if (i != element && heap->own[i].to > at->take_call)
            name_cover(heap, i, heap->own[i].to, named);
        verdict_op(heap->verdict, at->put);
        bool known = at->take != OP_NONE && heap->history->ops[at->take].outcome == OP_OK;
        if (known)
            verdict_op(heap->verdict, at->take);
        unknown |= !known;
    }
    for (uint32_t i = 0; unknown && i < elements->blind_count; i++)
        verdict_op(heap->verdict, elements->blind[i]);
    history_describe(heap->history, elements->at[element].take, &heap->verdict->text);
    buf_printf(&heap->verdict->text, found_nothing(&elements->at[element])
                                         ? ": something was inside all the time"
                                         : ": something less was inside all the time");
    cairn_free(named);
}

/* ---- the order ---- */

static bool look_at(struct heap *heap, uint32_t number) {
    const struct element *element = &heap->elements->at[number];
    struct zone *own = &heap->own[number];
    *own = (struct zone){.from = element->put_ret, .to = INT64_MAX};
    if (element->take == OP_NONE) {
        place(heap, element->put, element->put_ret, 2 * number);
        add_zone(heap, *own);
        return true;
    }
    own->to = first_free(heap, element->take_call);
    if (own->to > element->take_ret) {
        contradict(heap, number);
        return false;
    }
    if (!found_nothing(element))
        place(heap, element->put, own->from < own->to ? own->from : own->to, 2 * number);
    place(heap, element->take, own->to, 2 * number + 1);
    if (!found_nothing(element) && own->from < own->to)
        add_zone(heap, *own);
    return true;
}

static bool look_at_all(struct heap *heap) {
    heap->zone_count = heap->placed_count = 0;
    for (uint32_t i = 0; i < heap->elements->count; i++)
        if (!look_at(heap, i))
            return false;
    return true;
}

static int by_time(const void *a, const void *b) {
    const struct queued_op *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void tell_order(struct heap *heap, uint32_t key) {
    struct order *order = verdict_order(heap->verdict, SCOPE_KEY, key);
    qsort(heap->placed, heap->placed_count, sizeof *heap->placed, by_time);
    for (uint32_t i = 0; i < heap->placed_count; i++)
        order_push(order, heap->placed[i].op);
}

/* Before something greater comes out, or nothing is found. */
static int64_t has_to_go(const struct elements *elements, uint32_t number) {
    int64_t until = INT64_MAX;
    for (uint32_t i = number + 1; i < elements->count; i++) {
        const struct element *other = &elements->at[i];
        if (elements->at[number].put_ret < other->take_call && other->take_ret < until)
            until = other->take_ret;
    }
    return until;
}

/* With removals of which it is not known what they took: yes if it is with those that press; no if
 * it is no even when one of them took all that stayed; else nothing is decided. */
static bool judge(struct heap *heap, bool *holds) {
    struct elements *elements = heap->elements;
    blind_share(elements, heap->history, has_to_go);
    *holds = look_at_all(heap);
    if (*holds || elements->blind_count == 0)
        return true;
    heap->verdict->op_count = 0;
    buf_clear(&heap->verdict->text);
    blind_spread(elements, heap->history);
    if (!look_at_all(heap))
        return true;
    heap->verdict->op_count = 0;
    buf_clear(&heap->verdict->text);
    return false;
}

bool priority_check(const struct history *history, const uint32_t *ops, uint32_t count,
                    uint32_t key, bool want_order, bool *holds, struct verdict *verdict) {
    struct elements elements;
    struct heap heap = {.history = history, .elements = &elements, .verdict = verdict};
    enum elements_fault fault =
        elements_make(&elements, history, ops, count, OP_INSERT, OP_DELETE_MIN, verdict);
    bool decided = fault == ELEMENTS_CONTRADICT;
    *holds = false;
    if (fault == ELEMENTS_FINE) {
        qsort_r(elements.at, elements.count, sizeof *elements.at, by_priority,
                (void *)(uintptr_t)&history->values);
        heap.zones = cairn_alloc((elements.count + 2) * sizeof *heap.zones);
        heap.own = cairn_alloc_zero((elements.count + 1) * sizeof *heap.own);
        heap.placed = cairn_alloc((2 * (size_t)elements.count + 1) * sizeof *heap.placed);
        decided = judge(&heap, holds);
        if (decided && *holds && want_order)
            tell_order(&heap, key);
        cairn_free(heap.zones);
        cairn_free(heap.own);
        cairn_free(heap.placed);
    }
    elements_free(&elements);
    return decided;
}
