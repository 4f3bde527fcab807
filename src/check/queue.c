/* A queue: what goes in first comes out first. One element stands before another when its insertion
 * had ended before the other's began, or its removal before the other's. The order of elements is
 * made from the front: the next is the one whose insertion ends first, unless a removal that ends
 * before its own begins keeps it back; then it is the one whose removal ends first. If that one is
 * kept back too, by the first one's insertion, the two contradict each other; otherwise one of the
 * two can't be in the way of any other. O(n log n). */
#include "check/containers.h"

#include "base/alloc.h"

#include <stdlib.h>
#include <string.h>

static int by_put(const void *a, const void *b) {
    const struct element *x = a, *y = b;
    return x->put_ret < y->put_ret ? -1 : x->put_ret > y->put_ret;
}

static int by_call(const void *a, const void *b, void *context) {
    const struct element *at = context;
    const struct element *x = &at[*(const uint32_t *)a], *y = &at[*(const uint32_t *)b];
    return x->put_call < y->put_call ? -1 : x->put_call > y->put_call;
}

static int by_take(const void *a, const void *b, void *context) {
    const struct element *at = context;
    const struct element *x = &at[*(const uint32_t *)a], *y = &at[*(const uint32_t *)b];
    return x->take_ret < y->take_ret ? -1 : x->take_ret > y->take_ret;
}

static int64_t later(int64_t a, int64_t b) {
    return a > b ? a : b;
}

struct line {
    const struct elements *elements;
    uint32_t *by_take; /* elements in the order in which their removals end */
    bool *gone;
    uint32_t first, second; /* where the search for the next goes on, in each order */
    uint32_t *order, ordered;
    uint32_t *empties, empty_count, empty_first; /* removals that found nothing, by their calls */
    int64_t busy; /* everything that stands in the line has begun by then */
};

static bool found_nothing(const struct element *element) {
    return element->put == element->take;
}

/* The least of those that are left, not `but`; UINT32_MAX: none. */
static uint32_t next_put(const struct line *line, uint32_t but) {
    for (uint32_t i = line->first; i < line->elements->count; i++)
        if (!line->gone[i] && i != but)
            return i;
    return UINT32_MAX;
}

static uint32_t next_take(const struct line *line, uint32_t but) {
    for (uint32_t i = line->second; i < line->elements->count; i++)
        if (!line->gone[line->by_take[i]] && line->by_take[i] != but)
            return line->by_take[i];
    return UINT32_MAX;
}

static void go(struct line *line, uint32_t element) {
    const struct element *at = &line->elements->at[element];
    line->order[line->ordered++] = element;
    line->gone[element] = true;
    line->busy = later(line->busy, at->put_call);
    if (at->take != OP_NONE)
        line->busy = later(line->busy, at->take_call);
    while (line->first < line->elements->count && line->gone[line->first])
        line->first++;
    while (line->second < line->elements->count && line->gone[line->by_take[line->second]])
        line->second++;
}

static void contradict(const struct line *line, const struct history *history, uint32_t a,
                       uint32_t b, struct verdict *verdict) {
    const struct element *first = &line->elements->at[a], *second = &line->elements->at[b];
    verdict_op(verdict, first->put);
    verdict_op(verdict, second->put);
    verdict_op(verdict, second->take);
    if (first->take != OP_NONE)
        verdict_op(verdict, first->take);
    if (found_nothing(first) || found_nothing(second)) {
        buf_printf(&verdict->text, "the queue was found empty while ");
        value_show(&history->values, found_nothing(first) ? second->value : first->value,
                   &verdict->text);
        buf_printf(&verdict->text, " was in it");
        return;
    }
    value_show(&history->values, first->value, &verdict->text);
    buf_printf(&verdict->text, " was in the queue before ");
    value_show(&history->values, second->value, &verdict->text);
    buf_printf(&verdict->text, first->take == OP_NONE ? ", which came out, and it never did"
                                                      : ", and came out after it");
}

/* Until when nothing else has to be put in. */
static int64_t free_until(const struct line *line) {
    for (uint32_t i = line->first; i < line->elements->count; i++)
        if (!line->gone[i] && !found_nothing(&line->elements->at[i]))
            return line->elements->at[i].put_ret;
    return INT64_MAX;
}

/* What can have found nothing now takes its place now: later there is less room. */
static void go_empties(struct line *line) {
    int64_t until = free_until(line);
    while (line->empty_first < line->empty_count && line->gone[line->empties[line->empty_first]])
        line->empty_first++;
    for (uint32_t i = line->empty_first; i < line->empty_count; i++) {
        const struct element *empty = &line->elements->at[line->empties[i]];
        if (empty->put_call >= until)
            return;
        int64_t time = later(line->busy, empty->put_call);
        if (!line->gone[line->empties[i]] && time < until && time < empty->put_ret)
            go(line, line->empties[i]);
    }
}

static bool line_up(struct line *line, const struct history *history, struct verdict *verdict) {
    const struct element *at = line->elements->at;
    for (;;) {
        go_empties(line);
        if (line->ordered == line->elements->count)
            return true;
        uint32_t a = next_put(line, UINT32_MAX), other = next_take(line, a);
        if (other == UINT32_MAX || at[other].take_ret >= at[a].take_call) {
            go(line, a);
            continue;
        }
        uint32_t rival = next_put(line, other);
        if (rival != UINT32_MAX && at[rival].put_ret < at[other].put_call) {
            contradict(line, history, a, other, verdict);
            return false;
        }
        go(line, other);
    }
}

/* Removals whose fate is unknown took away what would otherwise be in the way: those elements that
 * never came out although later ones did, the most pressing first. */
struct pressing {
    uint32_t element;
    int64_t until; /* its removal has to have begun */
};

static int by_until(const void *a, const void *b) {
    const struct pressing *x = a, *y = b;
    return x->until < y->until ? -1 : x->until > y->until;
}

/* elements: sorted by the end of their insertions. */
static void give_blind(struct elements *elements, const struct history *history) {
    struct pressing *pressing = cairn_alloc((elements->count + 1) * sizeof *pressing);
    uint32_t count = 0;
    for (uint32_t i = 0; i < elements->count && elements->blind_count > 0; i++) {
        if (elements->at[i].take != OP_NONE)
            continue;
        int64_t until = INT64_MAX;
        for (uint32_t j = 0; j < elements->count; j++)
            if (elements->at[i].put_ret < elements->at[j].put_call &&
                elements->at[j].take_ret < until)
                until = elements->at[j].take_ret;
        if (until != INT64_MAX)
            pressing[count++] = (struct pressing){i, until};
    }
    qsort(pressing, count, sizeof *pressing, by_until);
    for (uint32_t i = 0; i < count && i < elements->blind_count; i++) {
        struct element *element = &elements->at[pressing[i].element];
        element->take = elements->blind[i];
        element->take_call = history->ops[elements->blind[i]].call;
        if (element->take_call < element->put_call)
            element->take_call = element->put_call;
    }
    cairn_free(pressing);
}

/* ---- the order of operations ---- */

struct placed_op {
    int64_t time;
    uint32_t rank, op;
    bool take;
};

static int by_place(const void *a, const void *b) {
    const struct placed_op *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    return x->take - y->take;
}

/* Each operation as early as it may be; what found nothing behind all removals before it, and
 * before all insertions behind it. False: that is too late for some; then this order of elements
 * does not do, which with removals that found nothing does not mean that none does. */
static bool place_all(const struct line *line, struct placed_op *placed, uint32_t *count) {
    int64_t put = 0, take = 0;
    bool fits = true;
    for (uint32_t i = 0; i < line->ordered && fits; i++) {
        const struct element *element = &line->elements->at[line->order[i]];
        put = later(put, element->put_call);
        if (found_nothing(element)) {
            put = take = later(put, take);
            fits = put < element->put_ret;
            placed[(*count)++] = (struct placed_op){put, i, element->put, false};
            continue;
        }
        fits = put < element->put_ret;
        placed[(*count)++] = (struct placed_op){put, i, element->put, false};
        if (element->take == OP_NONE)
            continue;
        take = later(later(take, put), element->take_call);
        fits &= take < element->take_ret;
        placed[(*count)++] = (struct placed_op){take, i, element->take, true};
    }
    qsort(placed, *count, sizeof *placed, by_place);
    return fits;
}

/* No operation finds nothing while something is there. */
static bool empty_where_told(const struct line *line, const struct placed_op *placed,
                             uint32_t count) {
    uint32_t inside = 0;
    for (uint32_t i = 0; i < count; i++) {
        const struct element *element = &line->elements->at[line->order[placed[i].rank]];
        if (found_nothing(element)) {
            if (inside > 0)
                return false;
        } else {
            inside += placed[i].take ? -1u : 1u;
        }
    }
    return true;
}

static bool tell_order(const struct line *line, uint32_t key, bool want_order,
                       struct verdict *verdict) {
    struct placed_op *placed = cairn_alloc((2 * (size_t)line->ordered + 1) * sizeof *placed);
    uint32_t count = 0;
    bool fits = place_all(line, placed, &count) && empty_where_told(line, placed, count);
    if (fits && want_order) {
        struct order *order = verdict_order(verdict, SCOPE_KEY, key);
        for (uint32_t i = 0; i < count; i++)
            order_push(order, placed[i].op);
    }
    cairn_free(placed);
    return fits;
}

static bool judge(struct elements *elements, const struct history *history, uint32_t key,
                  bool want_order, bool *holds, struct verdict *verdict) {
    struct line line = {.elements = elements};
    qsort(elements->at, elements->count, sizeof *elements->at, by_put);
    give_blind(elements, history);
    line.by_take = cairn_alloc((elements->count + 1) * sizeof *line.by_take);
    line.order = cairn_alloc((elements->count + 1) * sizeof *line.order);
    line.gone = cairn_alloc_zero(elements->count + 1);
    line.empties = cairn_alloc((elements->count + 1) * sizeof *line.empties);
    for (uint32_t i = 0; i < elements->count; i++) {
        line.by_take[i] = i;
        if (found_nothing(&elements->at[i]))
            line.empties[line.empty_count++] = i;
    }
    qsort_r(line.empties, line.empty_count, sizeof *line.empties, by_call, elements->at);
    qsort_r(line.by_take, elements->count, sizeof *line.by_take, by_take, elements->at);
    *holds = line_up(&line, history, verdict);
    bool decided = !*holds || tell_order(&line, key, want_order, verdict);
    cairn_free(line.by_take);
    cairn_free(line.order);
    cairn_free(line.gone);
    cairn_free(line.empties);
    return decided;
}

bool queue_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 bool want_order, bool *holds, struct verdict *verdict) {
    struct elements elements;
    enum elements_fault fault =
        elements_make(&elements, history, ops, count, OP_ENQUEUE, OP_DEQUEUE, verdict);
    *holds = false;
    bool decided =
        fault == ELEMENTS_CONTRADICT ||
        (fault == ELEMENTS_FINE && judge(&elements, history, key, want_order, holds, verdict));
    elements_free(&elements);
    return decided;
}
