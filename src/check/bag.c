/* An unordered queue whose elements are unique. Nothing is in the way of an element but its own
 * insertion, removal and the looks at it; only what found nothing needs a moment at which nothing
 * was inside. Time is looked at in gaps: gap g lies behind position g. Each element is put in as
 * late, in gap `from`, and taken out as early as it may be, in gap `to`: it is surely inside in all
 * gaps between, its zone. What found nothing fits into any gap outside of all zones. An element
 * that stays is no hindrance from where a removal of unknown fate can have taken it; such removals
 * are alike, so that at a gap it is enough that as many began before as there are elements to be
 * taken. O(n log n). */
#include "check/bag.h"

#include "base/alloc.h"
#include "check/answers.h"
#include "check/drains.h"

#include <stdlib.h>
#include <string.h>

/* ---- what the operations are ---- */

static bool is_take(const struct op *op) {
    return op->f == OP_DEQUEUE || op->f == OP_DRAIN;
}

/* False: it is put in twice, or more is told of it. */
static bool put_in(struct bag *bag, uint32_t number) {
    const struct op *op = bag_op(bag, number);
    if (op->arg == VALUE_NULL || bag->of_value[op->arg] != UINT32_MAX ||
        answers_told(MODEL_UNORDERED_QUEUE, bag->history, op) != VALUE_NONE)
        return false;
    bag->of_value[op->arg] = bag->item_count;
    bag->items[bag->item_count++] =
        (struct item){.value = op->arg,
                      .put = number,
                      .take = OP_NONE,
                      .put_call = op->call,
                      .put_ret = op->outcome == OP_INFO ? INT64_MAX : (int64_t)op->ret,
                      .take_call = INT64_MIN,
                      .take_ret = INT64_MAX};
    return true;
}

static bool applies(struct bag *bag, uint32_t key) {
    if (history_initial(bag->history, key) != VALUE_NULL)
        return false;
    for (uint32_t i = 0; i < bag->count; i++) {
        const struct op *op = bag_op(bag, bag->ops[i]);
        bool unknown = op->outcome == OP_OK && op->out == VALUE_NONE;
        if (op->f == OP_ENQUEUE ? !put_in(bag, bag->ops[i]) : unknown && op->f != OP_PEEK)
            return false;
    }
    return true;
}

static void contradict(struct bag *bag, uint32_t op, uint32_t other, const char *what) {
    verdict_op(bag->verdict, op);
    if (other != OP_NONE)
        verdict_op(bag->verdict, other);
    history_describe(bag->history, op, &bag->verdict->text);
    buf_printf(&bag->verdict->text, ": %s", what);
}

static struct item *item_of(struct bag *bag, uint32_t number) {
    uint32_t item = bag->of_value[bag_op(bag, number)->out];
    if (item != UINT32_MAX)
        return &bag->items[item];
    bag->verdict->anomalies |= 1u << ANOMALY_THIN_AIR;
    contradict(bag, number, OP_NONE, "no operation put that in");
    return NULL;
}

static bool look_at(struct bag *bag, uint32_t number) {
    const struct op *op = bag_op(bag, number);
    struct item *item = item_of(bag, number);
    if (item == NULL)
        return false;
    bag->looks[bag->look_count++] = number;
    if ((int64_t)op->ret < item->put_call) {
        contradict(bag, number, item->put, "it was put in only later");
        return false;
    }
    if ((int64_t)op->ret < item->put_ret)
        item->put_ret = op->ret;
    item->take_call = bag_later(item->take_call, op->call);
    return true;
}

/* behind: the gap of the part of the drain before; INT64_MIN: there is none. */
static bool take_out(struct bag *bag, uint32_t number, int64_t behind) {
    const struct op *op = bag_op(bag, number);
    struct item *item = item_of(bag, number);
    if (item == NULL)
        return false;
    if (item->take != OP_NONE) {
        contradict(bag, number, item->take, "it had been taken before");
        return false;
    }
    item->take = number;
    item->take_ret = op->ret;
    if (item->take_ret < item->put_ret)
        item->put_ret = item->take_ret;
    item->to = bag_later(bag_later(item->take_call, op->call), bag_later(item->put_call, behind));
    if (item->to < item->take_ret)
        return true;
    bool later_put = item->take_ret < item->put_call;
    contradict(bag, number, item->put,
               later_put ? "it was put in only later" : "it was seen there later");
    for (uint32_t i = 0; i < bag->look_count && !later_put; i++) {
        const struct op *look = bag_op(bag, bag->looks[i]);
        if (look->out == item->value && (int64_t)look->call > item->take_ret)
            verdict_op(bag->verdict, bag->looks[i]);
    }
    return false;
}

static void find_nothing(struct bag *bag, uint32_t number, int64_t behind) {
    const struct op *op = bag_op(bag, number);
    bag->nothings[bag->nothing_count++] = (struct nothing){
        .op = number, .from = bag_later(op->call, behind), .until = (int64_t)op->ret - 1};
}

/* Looks come first: they keep an element from being taken early. */
static bool gather(struct bag *bag) {
    int64_t behind = INT64_MIN;
    for (uint32_t i = 0; i < bag->count; i++) {
        const struct op *op = bag_op(bag, bag->ops[i]);
        if (op->f == OP_PEEK && op->outcome == OP_OK && op->out == VALUE_NULL)
            find_nothing(bag, bag->ops[i], INT64_MIN);
        else if (op->f == OP_PEEK && op->outcome == OP_OK && op->out != VALUE_NONE &&
                 !look_at(bag, bag->ops[i]))
            return false;
    }
    for (uint32_t i = 0; i < bag->count; i++) {
        const struct op *op = bag_op(bag, bag->ops[i]);
        if (!is_take(op))
            continue;
        if (op->f != OP_DRAIN || drains_part(bag->history, bag->ops[i]) == 0)
            behind = INT64_MIN;
        if (op->outcome == OP_INFO)
            bag->blind[bag->blind_count++] = bag->ops[i];
        else if (op->out == VALUE_NULL)
            find_nothing(bag, bag->ops[i], behind);
        else if (!take_out(bag, bag->ops[i], behind))
            return false;
        else if (op->f == OP_DRAIN)
            behind = bag->items[bag->of_value[op->out]].to;
    }
    return true;
}

/* Open insertions that nothing saw may not have happened. */
static void settle_items(struct bag *bag) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < bag->item_count; i++) {
        struct item item = bag->items[i];
        bool stays = item.take == OP_NONE;
        if (stays && item.put_ret == INT64_MAX)
            continue;
        item.from = item.put_ret - 1;
        if (stays)
            item.to = bag_later(item.take_call, item.put_call);
        bag->of_value[item.value] = kept;
        bag->items[kept++] = item;
    }
    bag->item_count = kept;
}

/* ---- the door ---- */

static int by_value(const void *a, const void *b, void *context) {
    const struct op *ops = context;
    const struct op *x = &ops[*(const uint32_t *)a], *y = &ops[*(const uint32_t *)b];
    if (x->out != y->out)
        return x->out < y->out ? -1 : 1;
    return x->call < y->call ? -1 : x->call > y->call;
}

static void sort_looks(struct bag *bag) {
    qsort_r(bag->looks, bag->look_count, sizeof *bag->looks, by_value, bag->history->ops);
    for (uint32_t i = 0; i < bag->look_count; i++) {
        struct item *item = &bag->items[bag->of_value[bag_op(bag, bag->looks[i])->out]];
        if (item->seen_count++ == 0)
            item->seen = i;
    }
}

static bool judge(struct bag *bag, uint32_t key, bool want_order) {
    if (!gather(bag))
        return false;
    settle_items(bag);
    sort_looks(bag);
    if (!bag_place_nothings(bag))
        return false;
    if (want_order)
        bag_tell_order(bag, key);
    return true;
}

bool bag_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
               bool want_order, bool *holds, struct verdict *verdict) {
    struct bag bag = {.history = history, .ops = ops, .count = count, .verdict = verdict};
    bag.of_value = cairn_alloc(history->values.count * sizeof *bag.of_value);
    memset(bag.of_value, 0xff, history->values.count * sizeof *bag.of_value);
    bag.items = cairn_alloc((count + 1) * sizeof *bag.items);
    bag.looks = cairn_alloc((count + 1) * sizeof *bag.looks);
    bag.nothings = cairn_alloc((count + 1) * sizeof *bag.nothings);
    bag.blind = cairn_alloc((count + 1) * sizeof *bag.blind);
    bool decided = applies(&bag, key);
    *holds = decided && judge(&bag, key, want_order);
    cairn_free(bag.of_value);
    cairn_free(bag.items);
    cairn_free(bag.looks);
    cairn_free(bag.nothings);
    cairn_free(bag.blind);
    return decided;
}
