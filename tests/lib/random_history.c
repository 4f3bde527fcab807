#include "random_history_internal.h"

#include "check/answers.h"
#include "check/exhaustive.h"
#include "foresee.h"

#include <stdlib.h>

struct interval {
    uint32_t process, key;
    uint64_t call, point, ret;
};

static int by_point(const void *a, const void *b) {
    const struct interval *x = a, *y = b;
    return x->point < y->point ? -1 : x->point > y->point;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t rank_of(const uint64_t *times, uint32_t count, uint64_t time) {
    uint32_t at = 0;
    while (at < count && times[at] != time)
        at++;
    return at;
}

static int by_call(const void *a, const void *b) {
    const struct op *x = a, *y = b;
    return x->call < y->call ? -1 : x->call > y->call;
}

/* Of some operations no answer means that they were done. */
static bool may_be_unknown(const struct making *making, const struct op *op) {
    bool done = op->f == OP_ACQUIRE || op->f == OP_RELEASE || op->f == OP_TRANSFER;
    bool refused = done && answers_truth(&making->history->values, op->out) == 0;
    bool drain = op->f == OP_DRAIN && making->plan->model == MODEL_UNORDERED_QUEUE;
    return op->f != OP_TXN && !refused && !drain;
}

void random_history(struct history *history, const struct plan *plan) {
    struct making making = {.history = history, .plan = plan};
    struct interval intervals[EXHAUSTIVE_OPS_MAX];
    uint64_t busy[RANDOM_PROCESSES_MAX] = {0}, times[2 * EXHAUSTIVE_OPS_MAX];
    bool over[RANDOM_PROCESSES_MAX] = {false};
    history_init(history);
    history->has_real_time = true;
    prng_seed(&making.prng, plan->seed);
    for (uint32_t p = 0; p < plan->processes; p++) {
        history->processes = realloc(history->processes, (p + 1) * sizeof(uint32_t));
        history->processes[p] = value_int(&history->values, p);
    }
    history->process_count = history->process_cap = plan->processes;
    uint32_t key = value_text(&history->values, BYTES("y"));
    random_object_initial(&making);
    for (uint32_t i = 0; i < plan->ops; i++) {
        struct interval *at = &intervals[i];
        at->process = (uint32_t)prng_below(&making.prng, plan->processes);
        at->key = prng_below(&making.prng, plan->keys) == 0 ? VALUE_NULL : key;
        bool touches = plan->touches && prng_below(&making.prng, 2) == 0;
        at->call = busy[at->process] + (touches ? 0 : 1 + prng_below(&making.prng, 1000));
        at->point = at->call + 1 + prng_below(&making.prng, 1000);
        at->ret = at->point + 1 + prng_below(&making.prng, plan->slow ? 4000 : 1000);
        at->call = at->call * 64 + i; /* no two alike */
        at->point = at->point * 64 + i;
        at->ret = at->ret * 64 + 32 + i;
        busy[at->process] = at->ret / 64;
        times[2 * i] = at->call;
        times[2 * i + 1] = at->ret;
    }
    qsort(times, 2 * plan->ops, sizeof *times, by_number);
    qsort(intervals, plan->ops, sizeof *intervals, by_point);
    for (uint32_t i = 0; i < plan->ops; i++) {
        const struct interval *at = &intervals[i];
        if (over[at->process])
            continue;
        struct op *op = history_op(history);
        op->process = at->process;
        op->key = at->key;
        op->call = rank_of(times, 2 * plan->ops, at->call);
        op->ret = rank_of(times, 2 * plan->ops, at->ret);
        op->line = op->call + 1;
        op->outcome = OP_OK;
        random_object_perform(&making, op);
        if (op->outcome == OP_OK && prng_below(&making.prng, 100) < plan->lies)
            random_object_lie(&making, op);
        if (op->outcome == OP_OK && may_be_unknown(&making, op) &&
            prng_below(&making.prng, 100) < plan->unknown)
            op->out = VALUE_NONE;
        if (op->outcome == OP_OK && prng_below(&making.prng, 100) < plan->open) {
            op->outcome = OP_INFO;
            op->ret = OP_OPEN;
            op->out = op->f == OP_TXN ? op->out : VALUE_NONE;
            over[at->process] = true;
        }
    }
    for (uint32_t i = 0; i < plan->swaps; i++)
        random_object_swap(&making);
    random_object_swap_reads(history, &making.prng, plan->swaps);
    history->positions = 2 * plan->ops;
    qsort(history->ops, history->op_count, sizeof *history->ops, by_call);
    if (plan->foresees)
        foresee(history, plan->model, &making.prng);
}
