/* A stack: what goes in last comes out first. An element is surely inside from the end of its
 * insertion to the beginning of its removal, its zone. Three facts decide:
 * - one whose removal begins before its insertion ends can come and go at one instant: it is never
 *   in the way;
 * - an instant that lies in no zone can be one at which the stack is empty: of those inside, some
 *   can be removed just before it, and the others inserted just after it;
 * - while zones follow each other without such an instant, one element lies under all others. Any
 *   one that can have been put in before the first zone and taken out after the last will do, since
 *   the others stay a legal history without it.
 * So stretches of zones are peeled, from the bottom upwards. O(n d), d: how deep they nest.
 */
#include "check/containers.h"

#include "base/alloc.h"

#include <stdlib.h>

#define SHORTEN_MAX 64u /* elements of a chain that is tried for a shorter one */

struct stretch {
    uint32_t from, to; /* in pile->line */
    uint32_t depth;
};

struct stacked_op {
    int64_t time, rank;
    uint32_t op;
};

struct pile {
    const struct history *history;
    const struct elements *elements;
    uint32_t *line; /* elements with zones, by the beginnings of these */
    uint32_t count;
    struct stretch *todo;
    uint32_t todo_count;
    struct stacked_op *placed;
    uint32_t placed_count;
    struct limits *limits;
    struct verdict *verdict; /* NULL: nothing is to be told */
};

enum piled { PILED, CONTRADICTS, STOPPED };

static bool found_nothing(const struct element *element) {
    return element->put == element->take;
}

static const struct element *at_of(const struct pile *pile, uint32_t place) {
    return &pile->elements->at[pile->line[place]];
}

static int by_zone(const void *a, const void *b, void *context) {
    const struct element *at = context;
    const struct element *x = &at[*(const uint32_t *)a], *y = &at[*(const uint32_t *)b];
    return x->put_ret < y->put_ret ? -1 : x->put_ret > y->put_ret;
}

static void place(struct pile *pile, uint32_t op, int64_t time, int64_t rank) {
    if (op != OP_NONE)
        pile->placed[pile->placed_count++] = (struct stacked_op){time, rank, op};
}

/* ---- what contradicts ---- */

static bool may_lie_under(const struct element *element, int64_t from, int64_t to) {
    return element->put_call <= from && element->take_ret >= to;
}

/* Of a chain of zones that overlap, the shortest part that has no bottom. */
static void shorten(const struct element **chain, uint32_t *first, uint32_t *count) {
    uint32_t total = *count;
    for (uint32_t len = 2; len < total && total <= SHORTEN_MAX; len++)
        for (uint32_t i = 0; i + len <= total; i++) {
            bool bottom = false;
            for (uint32_t j = i; j < i + len; j++)
                bottom |= may_lie_under(chain[j], chain[i]->put_ret, chain[i + len - 1]->take_call);
            if (!bottom) {
                *first = i;
                *count = len;
                return;
            }
        }
}

/* As few zones as cover everything from the first one of the stretch, or from `from` on, to `to`.
 */
static uint32_t cover(const struct pile *pile, const struct stretch *stretch, int64_t from,
                      int64_t to, const struct element **chain) {
    uint32_t count = 0, at = stretch->from;
    for (int64_t end = from; end < to || count == 0; end = chain[count - 1]->take_call) {
        const struct element *best = at_of(pile, at);
        for (; at < stretch->to && at_of(pile, at)->put_ret <= end; at++)
            if (at_of(pile, at)->take_call > best->take_call)
                best = at_of(pile, at);
        if (count > 0 && best->take_call <= end)
            break;
        chain[count++] = best;
        if (at == stretch->to)
            at--;
    }
    return count;
}

static void name(const struct pile *pile, const struct element **chain, uint32_t count) {
    bool unknown = false;
    for (uint32_t i = 0; i < count; i++) {
        verdict_op(pile->verdict, chain[i]->put);
        if (chain[i]->take != OP_NONE && pile->history->ops[chain[i]->take].outcome == OP_OK)
            verdict_op(pile->verdict, chain[i]->take);
        else
            unknown = true;
    }
    for (uint32_t i = 0; unknown && i < pile->elements->blind_count; i++)
        verdict_op(pile->verdict, pile->elements->blind[i]);
}

static void show_values(const struct pile *pile, const struct element **chain, uint32_t count,
                        struct buf *out) {
    for (uint32_t i = 0; i < count; i++) {
        buf_printf(out, i == 0 ? "" : i + 1 == count ? " and " : ", ");
        value_show(&pile->history->values, chain[i]->value, out);
    }
}

static void no_bottom(const struct pile *pile, const struct stretch *stretch, int64_t to) {
    const struct element **chain = cairn_alloc((pile->count + 1) * sizeof(struct element *));
    uint32_t first = 0;
    uint32_t count = cover(pile, stretch, at_of(pile, stretch->from)->put_ret, to, chain);
    shorten(chain, &first, &count);
    name(pile, chain + first, count);
    struct buf *text = &pile->verdict->text;
    show_values(pile, chain + first, count, text);
    buf_printf(text, count == 2
                         ? ": the first was put in before the second, and came out from under it"
                         : ": one or the other was always in the stack, and none of them can have "
                           "lain under the others");
    cairn_free(chain);
}

static void not_empty(const struct pile *pile, const struct stretch *stretch,
                      const struct element *empty) {
    const struct element **chain = cairn_alloc((pile->count + 1) * sizeof(struct element *));
    uint32_t count = cover(pile, stretch, empty->put_call, empty->put_ret, chain);
    verdict_op(pile->verdict, empty->put);
    name(pile, chain, count);
    buf_printf(&pile->verdict->text, "the stack was found empty while ");
    show_values(pile, chain, count, &pile->verdict->text);
    buf_printf(&pile->verdict->text, " %s in it", count == 1 ? "was" : "were");
    cairn_free(chain);
}

/* ---- the peeling ---- */

/* Where the stretch that begins at `from` ends, and when. */
static uint32_t stretch_end(const struct pile *pile, uint32_t from, uint32_t limit, int64_t *end) {
    uint32_t at = from;
    *end = at_of(pile, from)->take_call;
    while (++at < limit && at_of(pile, at)->put_ret < *end)
        if (at_of(pile, at)->take_call > *end)
            *end = at_of(pile, at)->take_call;
    return at;
}

/* Takes away what can lie under the rest of the stretch; false: nothing can. */
static bool peel(struct pile *pile, const struct stretch *stretch, int64_t end) {
    int64_t begin = at_of(pile, stretch->from)->put_ret;
    uint32_t kept = stretch->from, depth = stretch->depth;
    for (uint32_t i = stretch->from; i < stretch->to; i++) {
        const struct element *element = at_of(pile, i);
        if (!may_lie_under(element, begin, end)) {
            pile->line[kept++] = pile->line[i];
            continue;
        }
        depth++;
        place(pile, element->put, begin, depth);
        place(pile, element->take, end, -(int64_t)depth);
    }
    if (kept > stretch->from)
        pile->todo[pile->todo_count++] = (struct stretch){stretch->from, kept, depth};
    return depth > stretch->depth;
}

static enum piled peel_all(struct pile *pile) {
    pile->todo[pile->todo_count++] = (struct stretch){0, pile->count, 0};
    while (pile->todo_count > 0) {
        struct stretch all = pile->todo[--pile->todo_count];
        if (limits_over(pile->limits, all.to - all.from + 1))
            return STOPPED;
        for (uint32_t i = all.from; i < all.to;) {
            int64_t end;
            struct stretch one = {i, stretch_end(pile, i, all.to, &end), all.depth};
            if (!peel(pile, &one, end)) {
                no_bottom(pile, &one, end);
                return CONTRADICTS;
            }
            i = one.to;
        }
    }
    return PILED;
}

/* What found nothing did so outside of all stretches. */
static bool place_empty(struct pile *pile, const struct stretch *stretches, uint32_t count,
                        const int64_t *ends, const struct element *empty) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (ends[middle] < empty->put_call)
            low = middle + 1;
        else
            high = middle;
    }
    int64_t time = empty->put_call;
    if (low < count && at_of(pile, stretches[low].from)->put_ret < time)
        time = ends[low];
    if (time > empty->put_ret) {
        not_empty(pile, &stretches[low], empty);
        return false;
    }
    place(pile, empty->put, time, 0);
    return true;
}

static enum piled place_empties(struct pile *pile) {
    const struct elements *elements = pile->elements;
    struct stretch *stretches = cairn_alloc((pile->count + 1) * sizeof *stretches);
    int64_t *ends = cairn_alloc((pile->count + 1) * sizeof *ends);
    uint32_t count = 0;
    bool fits = true;
    for (uint32_t i = 0; i < pile->count; i = stretches[count++].to)
        stretches[count] = (struct stretch){i, stretch_end(pile, i, pile->count, &ends[count]), 0};
    for (uint32_t i = 0; i < elements->count && fits; i++)
        if (found_nothing(&elements->at[i]))
            fits = place_empty(pile, stretches, count, ends, &elements->at[i]);
    cairn_free(stretches);
    cairn_free(ends);
    return fits ? PILED : CONTRADICTS;
}

static void line_up(struct pile *pile) {
    const struct elements *elements = pile->elements;
    pile->count = pile->placed_count = pile->todo_count = 0;
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct element *element = &elements->at[i];
        if (found_nothing(element))
            continue;
        if (element->put_ret < element->take_call) {
            pile->line[pile->count++] = i;
            continue;
        }
        place(pile, element->put, element->take_call, 1);
        place(pile, element->take, element->take_call, 2);
    }
    qsort_r(pile->line, pile->count, sizeof *pile->line, by_zone, elements->at);
}

static enum piled pile_up(struct pile *pile) {
    line_up(pile);
    enum piled piled = place_empties(pile);
    return piled == PILED ? peel_all(pile) : piled;
}

static int by_time(const void *a, const void *b) {
    const struct stacked_op *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void tell_order(struct pile *pile, uint32_t key) {
    struct order *order = verdict_order(pile->verdict, SCOPE_KEY, key);
    qsort(pile->placed, pile->placed_count, sizeof *pile->placed, by_time);
    for (uint32_t i = 0; i < pile->placed_count; i++)
        order_push(order, pile->placed[i].op);
}

static void forget(struct verdict *verdict) {
    verdict->op_count = 0;
    buf_clear(&verdict->text);
}

/* What lies on top of something that is taken out later is taken out before; and everything is,
 * before nothing is found. */
static int64_t has_to_go(const struct elements *elements, uint32_t number) {
    const struct element *element = &elements->at[number];
    int64_t until = INT64_MAX;
    for (uint32_t i = 0; i < elements->count; i++) {
        const struct element *other = &elements->at[i];
        bool under = other->put_ret < element->put_call && element->put_ret < other->take_call &&
                     !found_nothing(other);
        bool empty = found_nothing(other) && element->put_ret < other->put_call;
        if ((under || empty) && other->take_ret < until)
            until = other->take_ret;
    }
    return until;
}

static bool judge(struct elements *elements, struct pile *pile, bool *holds) {
    blind_share(elements, pile->history, has_to_go);
    enum piled piled = pile_up(pile);
    if (piled == CONTRADICTS && elements->blind_count > 0) {
        /* Did others have to be taken? Not if it fails even when each takes as many as it likes. */
        forget(pile->verdict);
        blind_spread(elements, pile->history);
        piled = pile_up(pile) == CONTRADICTS ? CONTRADICTS : STOPPED;
        if (piled == STOPPED)
            forget(pile->verdict);
    }
    *holds = piled == PILED;
    return piled != STOPPED;
}

bool stack_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 struct limits *limits, bool want_order, bool *holds, struct verdict *verdict) {
    struct elements elements;
    struct pile pile = {
        .history = history, .elements = &elements, .limits = limits, .verdict = verdict};
    enum elements_fault fault =
        elements_make(&elements, history, ops, count, OP_PUSH, OP_POP, verdict);
    bool decided = fault == ELEMENTS_CONTRADICT;
    *holds = false;
    if (fault == ELEMENTS_FINE) {
        pile.line = cairn_alloc((elements.count + 1) * sizeof *pile.line);
        pile.todo = cairn_alloc((elements.count + 2) * sizeof *pile.todo);
        pile.placed = cairn_alloc((2 * (size_t)elements.count + 1) * sizeof *pile.placed);
        decided = judge(&elements, &pile, holds);
        if (decided && *holds && want_order)
            tell_order(&pile, key);
        cairn_free(pile.line);
        cairn_free(pile.todo);
        cairn_free(pile.placed);
    }
    elements_free(&elements);
    return decided;
}
