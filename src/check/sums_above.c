/* An order of a bank, replayed on one whose balances may not fall below zero. What was refused
 * moved nothing, so that the order says nothing of its place: it is put in where it could not be
 * done. */
#include "base/alloc.h"
#include "check/answers.h"
#include "check/spec.h"
#include "check/sums.h"

#include <stdlib.h>
#include <string.h>

struct refused {
    uint32_t op, call, ret;
    uint32_t place; /* how many of those that were done stand before it */
};

struct above {
    const struct history *history;
    struct spec spec;
    uint32_t *done; /* in their order */
    uint32_t done_count;
    uint32_t *states; /* before each of them, and behind the last */
    uint32_t *called; /* before each: the latest call of those before it, and one */
    uint32_t *left;   /* the earliest return of it and those behind it */
    struct refused *refused;
    uint32_t refused_count;
};

static void split(struct above *above, const struct sums_result *result) {
    for (uint32_t i = 0; i < result->order_count; i++) {
        uint32_t number = result->order[i];
        const struct op *op = &above->history->ops[number];
        uint32_t answer = answers_told(MODEL_BANK_NONNEGATIVE, above->history, op);
        if (op->f == OP_TRANSFER && answers_truth(&above->history->values, answer) == 0)
            above->refused[above->refused_count++] =
                (struct refused){.op = number, .call = op->call, .ret = op->ret};
        else
            above->done[above->done_count++] = number;
    }
}

/* False: a balance falls below zero. */
static bool replay(struct above *above, uint32_t key) {
    struct spec_op *ops = cairn_alloc((above->done_count + 1) * sizeof *ops);
    uint32_t done = 0;
    spec_prepare(&above->spec, above->done, above->done_count, ops);
    above->states[0] = spec_initial(&above->spec, key);
    while (done < above->done_count &&
           spec_step(&above->spec, above->states[done], &ops[done], &above->states[done + 1]))
        done++;
    cairn_free(ops);
    return done == above->done_count;
}

static void learn_windows(struct above *above) {
    const struct op *ops = above->history->ops;
    above->called[0] = 0;
    above->left[above->done_count] = OP_OPEN;
    for (uint32_t i = 0; i < above->done_count; i++) {
        uint32_t call = ops[above->done[i]].call + 1;
        above->called[i + 1] = call > above->called[i] ? call : above->called[i];
    }
    for (uint32_t i = above->done_count; i-- > 0;) {
        const struct op *op = &ops[above->done[i]];
        uint32_t ret = op->outcome == OP_INFO ? OP_OPEN : op->ret;
        above->left[i] = ret < above->left[i + 1] ? ret : above->left[i + 1];
    }
}

/* The first place from `from` on that lies within its interval. */
static uint32_t first_place(const struct above *above, const struct refused *refused,
                            uint32_t from) {
    uint32_t low = from, high = above->done_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (above->left[middle] < refused->call)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static bool place(struct above *above, struct refused *refused, uint32_t from) {
    struct spec_op op;
    uint32_t next;
    spec_prepare(&above->spec, &refused->op, 1, &op);
    refused->place = first_place(above, refused, from);
    for (; refused->place <= above->done_count && above->called[refused->place] <= refused->ret;
         refused->place++)
        if (spec_step(&above->spec, above->states[refused->place], &op, &next))
            return true;
    return false;
}

static int by_call(const void *a, const void *b) {
    const struct refused *x = a, *y = b;
    return x->call < y->call ? -1 : x->call > y->call;
}

static int by_ret(const void *a, const void *b, void *context) {
    const struct refused *refused = context;
    const struct refused *x = &refused[*(const uint32_t *)a], *y = &refused[*(const uint32_t *)b];
    return x->ret < y->ret ? -1 : x->ret > y->ret;
}

/* None before one that had ended before it began. */
static bool place_all(struct above *above) {
    uint32_t *ended = cairn_alloc((above->refused_count + 1) * sizeof *ended), next = 0, from = 0;
    bool fits = true;
    qsort(above->refused, above->refused_count, sizeof *above->refused, by_call);
    for (uint32_t i = 0; i < above->refused_count; i++)
        ended[i] = i;
    qsort_r(ended, above->refused_count, sizeof *ended, by_ret, above->refused);
    for (uint32_t i = 0; i < above->refused_count && fits; i++) {
        for (; above->refused[ended[next]].ret < above->refused[i].call; next++)
            if (above->refused[ended[next]].place > from)
                from = above->refused[ended[next]].place;
        fits = place(above, &above->refused[i], from);
    }
    cairn_free(ended);
    return fits;
}

static int by_place(const void *a, const void *b) {
    const struct refused *x = a, *y = b;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return by_call(a, b);
}

static void merge(struct above *above, struct sums_result *result) {
    uint32_t count = 0, next = 0;
    qsort(above->refused, above->refused_count, sizeof *above->refused, by_place);
    for (uint32_t i = 0; i <= above->done_count; i++) {
        while (next < above->refused_count && above->refused[next].place == i)
            result->order[count++] = above->refused[next++].op;
        if (i < above->done_count)
            result->order[count++] = above->done[i];
    }
}

bool sums_stay_above(const struct history *history, uint32_t key, struct sums_result *result) {
    size_t most = (size_t)result->order_count + 1;
    struct above above = {.history = history,
                          .done = cairn_alloc(most * sizeof(uint32_t)),
                          .states = cairn_alloc(most * sizeof(uint32_t)),
                          .called = cairn_alloc(most * sizeof(uint32_t)),
                          .left = cairn_alloc(most * sizeof(uint32_t)),
                          .refused = cairn_alloc(most * sizeof(struct refused))};
    spec_init(&above.spec, MODEL_BANK_NONNEGATIVE, history);
    split(&above, result);
    learn_windows(&above);
    bool fits = replay(&above, key) && place_all(&above);
    if (fits)
        merge(&above, result);
    spec_free(&above.spec);
    cairn_free(above.done);
    cairn_free(above.states);
    cairn_free(above.called);
    cairn_free(above.left);
    cairn_free(above.refused);
    return fits;
}
