#include "check/linearizable.h"

#include "base/alloc.h"
#include "check/containers.h"
#include "check/partition.h"
#include "check/plain.h"
#include "check/search.h"
#include "check/sums.h"
#include "check/zones.h"

#include <stdlib.h>
#include <string.h>

/* Keys that need a search are searched in rounds: a key that is easy to refute is not left waiting
 * behind one that is hard to decide. */
#define FIRST_STEPS 20000u
#define STEPS_FACTOR 16u

struct linear_run {
    const struct history *history;
    const struct check_options *options;
    struct verdict *verdict;
    struct partition partition;
    struct zones *zones;
    struct lists *lists;
    struct spec spec;
    bool has_spec;
    bool short_search_over; /* what it did not decide is tried in other ways */
    bool *decided;
    uint32_t undecided;
};

static void say_key(struct linear_run *run, uint32_t key, struct buf *out) {
    if (run->partition.group_count > 1)
        history_say_key(run->history, key, out);
}

static void refuted(struct linear_run *run, const struct group *group) {
    struct verdict *verdict = run->verdict;
    struct buf text = {0};
    verdict->answer = ANSWER_NO;
    plain_reason(run->history, run->partition.ops + group->from, group->count, group->key, verdict);
    say_key(run, group->key, &text);
    buf_bytes(&text, buf_view(&verdict->text));
    buf_free(&verdict->text);
    verdict->text = text;
    for (uint32_t i = 0; i < verdict->order_count; i++)
        cairn_free(verdict->orders[i].ops);
    verdict->order_count = 0;
}

static void tell_stuck(struct linear_run *run, const struct group *group,
                       const struct search_result *result) {
    const uint32_t *ops = run->partition.ops + group->from;
    uint32_t ret = run->history->ops[result->stuck].ret;
    for (uint32_t i = 0; i < group->count; i++)
        if (run->history->ops[ops[i]].call <= ret)
            verdict_op_new(run->verdict, ops[i]);
    buf_printf(&run->verdict->text, "no order of what was called by then lets ");
    history_describe(run->history, result->stuck, &run->verdict->text);
    buf_printf(&run->verdict->text, " return; %u operations had returned before", result->passed);
}

static bool changes_commute(enum model model) {
    return model_is_bank(model) || model == MODEL_COUNTER;
}

/* False: the method does not apply. */
static bool add_up(const struct linear_run *run, const struct group *group, struct limits *limits,
                   struct search_result *result) {
    struct sums_result sum;
    bool nonnegative = run->options->model == MODEL_BANK_NONNEGATIVE;
    if (!changes_commute(run->options->model) ||
        !sums_check(run->history, nonnegative ? MODEL_BANK : run->options->model,
                    run->partition.ops + group->from, group->count, group->key, limits, &sum))
        return false;
    if (nonnegative && sum.answer == ANSWER_YES &&
        !sums_stay_above(run->history, group->key, &sum)) {
        cairn_free(sum.order);
        return false;
    }
    *result = (struct search_result){.answer = sum.answer,
                                     .order = sum.order,
                                     .order_count = sum.order_count,
                                     .stuck = sum.stuck,
                                     .passed = sum.passed};
    if (!run->options->want_order) {
        cairn_free(result->order);
        result->order = NULL;
    }
    return true;
}

/* True: go on with the next key. */
static bool search_key(struct linear_run *run, uint32_t number, uint64_t steps_max) {
    const struct group *group = &run->partition.groups[number];
    const struct check_options *options = run->options;
    struct search_result result;
    struct limits unlimited = {0}, *limits = options->limits ? options->limits : &unlimited;
    struct limits_share share;
    limits_share_open(&share, limits, steps_max);
    if (!run->short_search_over || !add_up(run, group, limits, &result))
        search_linear(&run->spec, run->partition.ops + group->from, group->count, group->key,
                      limits, options->want_order, &result);
    limits_share_close(&share);
    if (result.answer == ANSWER_YES && options->want_order) {
        struct order *order = verdict_order(run->verdict, SCOPE_KEY, group->key);
        order->ops = result.order;
        order->count = result.order_count;
    }
    if (result.answer == ANSWER_NO) {
        tell_stuck(run, group, &result);
        refuted(run, group);
    }
    run->decided[number] = result.answer != ANSWER_UNDECIDED;
    run->undecided -= run->decided[number];
    return result.answer != ANSWER_NO && limits->stopped == LIMITS_GO;
}

/* The method for the model that needs no search. False: it does not apply to this key. */
static bool without_search(struct linear_run *run, const struct group *group, bool *holds) {
    const uint32_t *ops = run->partition.ops + group->from;
    bool order = run->options->want_order;
    if (run->options->model == MODEL_QUEUE)
        return queue_check(run->history, ops, group->count, group->key, order, holds, run->verdict);
    if (run->options->model == MODEL_STACK)
        return stack_check(run->history, ops, group->count, group->key, run->options->limits, order,
                           holds, run->verdict);
    if (run->options->model == MODEL_PRIORITY_QUEUE)
        return priority_check(run->history, ops, group->count, group->key, order, holds,
                              run->verdict);
    if (run->options->model == MODEL_UNORDERED_QUEUE)
        return bag_check(run->history, ops, group->count, group->key, order, holds, run->verdict);
    if (run->options->model == MODEL_SET)
        return set_check(run->history, ops, group->count, group->key, run->options->limits, order,
                         holds, run->verdict);
    if (run->options->model == MODEL_APPEND)
        return list_check(run->lists, run->history, ops, group->count, group->key, order, holds,
                          run->verdict);
    return run->zones != NULL &&
           zones_check(run->zones, ops, group->count, group->key, order, holds, run->verdict);
}

static bool easy_keys(struct linear_run *run) {
    for (uint32_t i = 0; i < run->partition.group_count; i++) {
        const struct group *group = &run->partition.groups[i];
        bool holds;
        if (limits_over(run->options->limits, group->count))
            return false;
        if (!without_search(run, group, &holds))
            continue;
        run->decided[i] = true;
        run->undecided--;
        if (!holds) {
            refuted(run, group);
            return false;
        }
    }
    return true;
}

static void tell_undecided(struct linear_run *run) {
    verdict_undecided(run->verdict, run->options->limits);
    buf_printf(&run->verdict->text, "%u of %u keys are linearizable, the others are undecided",
               run->partition.group_count - run->undecided, run->partition.group_count);
}

/* What is tried on everything when a short search has not decided. False: that was the end. */
static bool another_way(struct linear_run *run) {
    const struct check_options *options = run->options;
    const struct group *group = &run->partition.groups[0];
    bool holds;
    if (!multi_check(run->history, run->partition.ops + group->from, group->count, options->limits,
                     options->want_order, &holds, run->verdict))
        return true;
    run->verdict->answer = holds ? ANSWER_YES : ANSWER_NO;
    return false;
}

static void decide(struct linear_run *run) {
    bool multi = run->options->model == MODEL_MULTI_REGISTER;
    bool other = multi || changes_commute(run->options->model);
    if (model_is_register(run->options->model))
        run->zones = zones_new(run->history);
    if (run->options->model == MODEL_APPEND)
        run->lists = lists_new(run->history);
    if (!easy_keys(run)) {
        if (run->verdict->answer != ANSWER_NO)
            tell_undecided(run);
        return;
    }
    if (run->undecided > 0) {
        spec_init(&run->spec, run->options->model, run->history);
        run->has_spec = true;
    }
    for (uint64_t steps = FIRST_STEPS; run->undecided > 0; steps *= STEPS_FACTOR) {
        bool first = steps == FIRST_STEPS, last = run->undecided == 1 && !(other && first);
        for (uint32_t i = 0; i < run->partition.group_count; i++)
            if (!run->decided[i] && !search_key(run, i, last ? 0 : steps)) {
                if (run->verdict->answer != ANSWER_NO)
                    tell_undecided(run);
                return;
            }
        if (multi && first && run->undecided > 0 && !another_way(run))
            return;
        run->short_search_over = true;
    }
    run->verdict->answer = ANSWER_YES;
}

/* ---- one order for all keys ---- */

struct timed {
    uint32_t time, rank, op;
};

static int by_timed(const void *a, const void *b) {
    const struct timed *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    return x->rank < y->rank ? -1 : x->rank > y->rank;
}

/* Each operation as early as its key's order lets it: its time is the call of one of its key, so
 * that no two keys share one, and it lies within its interval. */
static void merge_orders(const struct history *history, struct verdict *verdict) {
    uint32_t total = 0, count = 0;
    for (uint32_t i = 0; i < verdict->order_count; i++)
        total += verdict->orders[i].count;
    struct timed *timed = cairn_alloc((total + 1) * sizeof *timed);
    for (uint32_t i = 0; i < verdict->order_count; i++) {
        const struct order *order = &verdict->orders[i];
        uint32_t time = 0;
        for (uint32_t j = 0; j < order->count; j++) {
            uint32_t call = history->ops[order->ops[j]].call;
            time = call > time ? call : time;
            timed[count++] = (struct timed){time, j, order->ops[j]};
        }
        cairn_free(order->ops);
    }
    qsort(timed, count, sizeof *timed, by_timed);
    verdict->order_count = 0;
    struct order *all = verdict_order(verdict, SCOPE_ALL, VALUE_NULL);
    for (uint32_t i = 0; i < count; i++)
        order_push(all, timed[i].op);
    cairn_free(timed);
}

void linearizable_check(const struct history *history, const struct check_options *options,
                        struct verdict *verdict) {
    struct linear_run run = {.history = history, .options = options, .verdict = verdict};
    partition_make(&run.partition, history, options->model);
    run.undecided = run.partition.group_count;
    run.decided = cairn_alloc_zero(run.partition.group_count + 1);
    decide(&run);
    if (verdict->answer == ANSWER_YES && options->want_order && !options->by_key)
        merge_orders(history, verdict);
    if (run.zones != NULL)
        zones_free(run.zones);
    if (run.lists != NULL)
        lists_free(run.lists);
    if (run.has_spec)
        spec_free(&run.spec);
    partition_free(&run.partition);
    cairn_free(run.decided);
}
