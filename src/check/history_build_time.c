#include "check/history_build_internal.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

struct by_time {
    const uint64_t *times_ns;
    unsigned which; /* 0: calls, 1: returns */
};

static int compare(const void *a, const void *b, void *context) {
    const struct by_time *by = context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    uint64_t x_ns = by->times_ns[2 * (size_t)x + by->which];
    uint64_t y_ns = by->times_ns[2 * (size_t)y + by->which];
    if (x_ns != y_ns)
        return x_ns < y_ns ? -1 : 1;
    return x < y ? -1 : x > y;
}

/* The operations by the time of their calls or returns; those without such a time are left out. */
static uint32_t *sorted(const struct history *history, unsigned which, uint32_t *count) {
    uint32_t *order = cairn_alloc(history->op_count * sizeof *order);
    struct by_time by = {history->times_ns, which};
    bool done = true;
    *count = 0;
    for (uint32_t op = 0; op < history->op_count; op++) {
        if (which == 1 && history->times_ns[2 * (size_t)op + 1] == UINT64_MAX)
            continue;
        order[(*count)++] = op;
        done &= *count == 1 || compare(&order[*count - 2], &order[*count - 1], &by) < 0;
    }
    if (!done)
        qsort_r(order, *count, sizeof *order, compare, &by);
    return order;
}

static void set_positions(struct history *history, const uint32_t *calls, uint32_t call_count,
                          const uint32_t *returns, uint32_t return_count) {
    const uint64_t *times_ns = history->times_ns;
    uint32_t position = 0, returned = 0;
    for (uint32_t called = 0; called < call_count || returned < return_count; position++) {
        bool call = called < call_count &&
                    (returned == return_count || times_ns[2 * (size_t)calls[called]] <=
                                                     times_ns[2 * (size_t)returns[returned] + 1]);
        if (call)
            history->ops[calls[called++]].call = position;
        else
            history->ops[returns[returned++]].ret = position;
    }
    history->positions = position;
}

/* How many of the sorted times are at or before `time_ns`. */
static uint32_t rank(const struct history *history, const uint32_t *order, uint32_t count,
                     unsigned which, uint64_t time_ns) {
    uint32_t low = 0, high = count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (history->times_ns[2 * (size_t)order[middle] + which] <= time_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void reorder(struct history *history, const uint32_t *calls) {
    uint32_t count = history->op_count;
    struct op *ops = cairn_alloc(count * sizeof *ops);
    uint64_t *times_ns = cairn_alloc(2 * (size_t)count * sizeof *times_ns);
    for (uint32_t i = 0; i < count; i++) {
        ops[i] = history->ops[calls[i]];
        memcpy(times_ns + 2 * (size_t)i, history->times_ns + 2 * (size_t)calls[i],
               2 * sizeof *times_ns);
    }
    cairn_free(history->ops);
    cairn_free(history->times_ns);
    history->ops = ops;
    history->times_ns = times_ns;
    history->op_cap = history->times_cap = count;
}

/* Findings say that these times make no sense; the operation must still be one. */
static void open_impossible(struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        struct op *op = &history->ops[i];
        if (op->ret != OP_OPEN && op->ret > op->call)
            continue;
        op->ret = OP_OPEN;
        op->outcome = OP_INFO;
        if (op->f != OP_TXN)
            op->out = VALUE_NONE;
    }
}

/* Between halves this was looked at in the order of lines. */
static void find_overlaps(struct history_build *build) {
    const struct history *history = build->history;
    uint32_t *last = cairn_alloc(history->process_count * sizeof *last);
    memset(last, 0xff, history->process_count * sizeof *last);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        uint32_t before = last[op->process];
        last[op->process] = i;
        if (before == OP_NONE)
            continue;
        build->overlaps |=
            history->times_ns[2 * (size_t)before + 1] > history->times_ns[2 * (size_t)i];
        if (history->ops[before].ret == OP_OPEN)
            lint_add(build->lint, LINT_ERROR, op->line,
                     "the process goes on after an operation of unknown outcome, which is open "
                     "for ever, %s %" PRIu32,
                     build_unit(build), history->ops[before].line);
        else if (history->times_ns[2 * (size_t)before + 1] > history->times_ns[2 * (size_t)i])
            lint_add(build->lint, LINT_ERROR, op->line,
                     "the process calls again before the end of its operation, %s %" PRIu32,
                     build_unit(build), history->ops[before].line);
    }
    cairn_free(last);
}

void history_build_by_time(struct history_build *build) {
    struct history *history = build->history;
    uint32_t call_count, return_count;
    if (history->op_count == 0 || history->times_ns == NULL)
        return;
    uint32_t *calls = sorted(history, 0, &call_count);
    uint32_t *returns = sorted(history, 1, &return_count);
    for (uint32_t i = 0; i < history->op_count; i++)
        history->ops[i].ret = OP_OPEN;
    for (uint32_t i = 0; i < history->fault_count; i++)
        history->faults[i].position =
            rank(history, calls, call_count, 0, history->faults[i].time_ns) +
            rank(history, returns, return_count, 1, history->faults[i].time_ns);
    set_positions(history, calls, call_count, returns, return_count);
    reorder(history, calls);
    open_impossible(history);
    cairn_free(calls);
    cairn_free(returns);
    if (build->wholes)
        find_overlaps(build);
}
