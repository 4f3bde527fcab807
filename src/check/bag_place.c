#include "check/bag.h"

#include "base/alloc.h"

#include <stdlib.h>

/* ---- gaps at which nothing can be inside ---- */

struct change {
    int64_t gap;
    int32_t zones, stays, blind;
};
struct clear {
    int64_t from, until; /* gaps, both included */
};

static int by_gap(const void *a, const void *b) {
    const struct change *x = a, *y = b;
    return x->gap < y->gap ? -1 : x->gap > y->gap;
}

/* An element is inside at the gaps behind that of its insertion, up to its removal. One that stays
 * is so until its last look, and then one to be taken. */
static uint32_t changes_of(const struct bag *bag, struct change *changes) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < bag->item_count; i++) {
        const struct item *item = &bag->items[i];
        if (item->from < item->to) {
            changes[count++] = (struct change){.gap = item->from + 1, .zones = 1};
            changes[count++] = (struct change){.gap = item->to, .zones = -1};
        }
        if (item->take == OP_NONE)
            changes[count++] =
                (struct change){.gap = bag_later(item->from + 1, item->to), .stays = 1};
    }
    for (uint32_t i = 0; i < bag->blind_count; i++)
        changes[count++] = (struct change){.gap = bag_op(bag, bag->blind[i])->call, .blind = 1};
    qsort(changes, count, sizeof *changes, by_gap);
    return count;
}

static uint32_t clear_gaps(const struct bag *bag, struct clear *clear) {
    size_t most = 3 * (size_t)bag->item_count + bag->blind_count + 1;
    struct change *changes = cairn_alloc(most * sizeof *changes);
    uint32_t count = changes_of(bag, changes), clears = 0;
    int64_t zones = 0, stays = 0, blind = 0, from = INT64_MIN;
    for (uint32_t i = 0; i <= count;) {
        int64_t gap = i < count ? changes[i].gap : INT64_MAX;
        if (zones == 0 && stays <= blind && from < gap)
            clear[clears++] = (struct clear){from, gap - 1};
        for (; i < count && changes[i].gap == gap; i++) {
            zones += changes[i].zones;
            stays += changes[i].stays;
            blind += changes[i].blind;
        }
        from = gap;
        i += gap == INT64_MAX;
    }
    cairn_free(changes);
    return clears;
}

/* The first clear gap of each; false: there is none. */
static bool place_nothing(const struct clear *clear, uint32_t count, struct nothing *nothing) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (clear[middle].until < nothing->from)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == count)
        return false;
    nothing->gap = bag_later(clear[low].from, nothing->from);
    return nothing->gap <= nothing->until;
}

/* Names what was inside meanwhile. */
static void tell_inside(struct bag *bag, const struct nothing *nothing) {
    verdict_op(bag->verdict, nothing->op);
    history_describe(bag->history, nothing->op, &bag->verdict->text);
    buf_printf(&bag->verdict->text, ": something was inside all the time");
    for (uint32_t i = 0; i < bag->item_count; i++) {
        const struct item *item = &bag->items[i];
        bool came = item->from < nothing->until, stays = item->take == OP_NONE;
        if (!came || (!stays && (item->to <= nothing->from || item->to <= item->from + 1)))
            continue;
        verdict_op_new(bag->verdict, item->put);
        if (item->take != OP_NONE)
            verdict_op_new(bag->verdict, item->take);
        for (uint32_t j = 0; j < item->seen_count; j++)
            verdict_op_new(bag->verdict, bag->looks[item->seen + j]);
    }
    for (uint32_t i = 0; i < bag->blind_count; i++)
        if ((int64_t)bag_op(bag, bag->blind[i])->call <= nothing->until)
            verdict_op_new(bag->verdict, bag->blind[i]);
}

bool bag_place_nothings(struct bag *bag) {
    size_t most = 3 * (size_t)bag->item_count + bag->blind_count + 2;
    struct clear *clear = cairn_alloc(most * sizeof *clear);
    uint32_t count = clear_gaps(bag, clear);
    bool fits = true;
    for (uint32_t i = 0; i < bag->nothing_count && fits; i++) {
        fits = place_nothing(clear, count, &bag->nothings[i]);
        if (!fits)
            tell_inside(bag, &bag->nothings[i]);
    }
    cairn_free(clear);
    return fits;
}

/* ---- the order ---- */

/* Where an operation stands: in a gap, first what is taken, then what found nothing, then what is
 * put in; looks at an element stand before what is taken where it had been put in before. */
enum rank { RANK_LOOK_BEFORE, RANK_TAKE, RANK_NOTHING, RANK_PUT, RANK_LOOK_BEHIND };
struct place {
    int64_t gap;
    enum rank rank;
    uint32_t group, step; /* what stands together in one gap: in the order of removals */
    uint32_t op;
};

struct line {
    struct place *at;
    uint32_t count;
};

static int by_start(const void *a, const void *b) {
    const struct item *x = a, *y = b;
    int64_t x_gap = bag_later(x->from + 1, x->to), y_gap = bag_later(y->from + 1, y->to);
    bool x_stays = x->take == OP_NONE, y_stays = y->take == OP_NONE;
    if (x_stays != y_stays)
        return x_stays ? -1 : 1;
    return x_gap < y_gap ? -1 : x_gap > y_gap;
}

/* Those that stay, as they become ones to be taken, each by the next removal of unknown fate; no
 * more than something found nothing after. */
static void give_blind(struct bag *bag) {
    int64_t last = INT64_MIN;
    for (uint32_t i = 0; i < bag->nothing_count; i++)
        last = bag_later(last, bag->nothings[i].gap);
    qsort(bag->items, bag->item_count, sizeof *bag->items, by_start);
    for (uint32_t i = 0; i < bag->item_count && i < bag->blind_count; i++) {
        struct item *item = &bag->items[i];
        int64_t call = bag_op(bag, bag->blind[i])->call;
        if (item->take != OP_NONE || bag_later(item->from + 1, item->to) > last || call > last)
            break;
        item->take = bag->blind[i];
        item->to = bag_later(item->to, call);
    }
}

static void place(struct line *line, int64_t gap, enum rank rank, uint32_t group, uint32_t step,
                  uint32_t op) {
    line->at[line->count++] = (struct place){gap, rank, group, step, op};
}

/* One that comes and goes in one gap is put in, looked at and taken there in a row. */
static void place_item(const struct bag *bag, struct line *line, const struct item *item) {
    bool stays = item->take == OP_NONE, at_once = !stays && item->to <= item->from;
    int64_t put = at_once ? item->to : item->from;
    place(line, put, at_once ? RANK_TAKE : RANK_PUT, item->take, 0, item->put);
    for (uint32_t i = 0; i < item->seen_count; i++) {
        uint32_t look = bag->looks[item->seen + i];
        int64_t gap = bag_later(bag_op(bag, look)->call, put);
        place(line, at_once ? put : gap,
              at_once      ? RANK_TAKE
              : gap == put ? RANK_LOOK_BEHIND
                           : RANK_LOOK_BEFORE,
              item->take, 1, look);
    }
    if (!stays)
        place(line, item->to, RANK_TAKE, item->take, 2, item->take);
}

static int by_place(const void *a, const void *b) {
    const struct place *x = a, *y = b;
    if (x->gap != y->gap)
        return x->gap < y->gap ? -1 : 1;
    if (x->rank != y->rank)
        return x->rank < y->rank ? -1 : 1;
    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    if (x->step != y->step)
        return x->step < y->step ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

void bag_tell_order(struct bag *bag, uint32_t key) {
    struct line line = {.at = cairn_alloc((bag->count + 1) * sizeof *line.at)};
    give_blind(bag);
    for (uint32_t i = 0; i < bag->item_count; i++)
        place_item(bag, &line, &bag->items[i]);
    for (uint32_t i = 0; i < bag->nothing_count; i++)
        place(&line, bag->nothings[i].gap, RANK_NOTHING, 0, 0, bag->nothings[i].op);
    qsort(line.at, line.count, sizeof *line.at, by_place);
    struct order *order = verdict_order(bag->verdict, SCOPE_KEY, key);
    for (uint32_t i = 0; i < line.count; i++)
        order_push(order, line.at[i].op);
    cairn_free(line.at);
}
