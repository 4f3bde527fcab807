#include "check/unique.h"

#include "base/alloc.h"
#include "check/answers.h"

#include <stdlib.h>

struct given {
    uint32_t key, id, op;
};

static int by_id(const void *a, const void *b) {
    const struct given *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    if (x->id != y->id)
        return x->id < y->id ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void twice(const struct history *history, const struct given *first,
                  const struct given *second, struct verdict *verdict) {
    verdict->answer = ANSWER_NO;
    verdict_op(verdict, first->op);
    verdict_op(verdict, second->op);
    history_describe(history, second->op, &verdict->text);
    buf_printf(&verdict->text, ": ");
    history_describe(history, first->op, &verdict->text);
    buf_printf(&verdict->text, " was answered the same");
}

/* In the order of their calls, which contains real time and every process's order. */
static void tell_orders(const struct history *history, bool by_key, struct verdict *verdict) {
    uint32_t *place = cairn_alloc(history->values.count * sizeof *place);
    for (uint32_t i = 0; i < history->values.count; i++)
        place[i] = UINT32_MAX;
    if (!by_key) {
        place[VALUE_NULL] = 0;
        verdict_order(verdict, SCOPE_ALL, VALUE_NULL);
    }
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        uint32_t key = by_key ? op->key : VALUE_NULL;
        if (op->outcome != OP_OK)
            continue;
        if (place[key] == UINT32_MAX) {
            place[key] = verdict->order_count;
            verdict_order(verdict, SCOPE_KEY, key);
        }
        order_push(&verdict->orders[place[key]], i);
    }
    cairn_free(place);
}

void unique_check(const struct history *history, const struct check_options *options,
                  struct verdict *verdict) {
    struct given *given = cairn_alloc((history->op_count + 1) * sizeof *given);
    uint32_t count = 0;
    bool by_key = options->level == LEVEL_PER_KEY_SEQUENTIAL ||
                  (options->by_key && options->level == LEVEL_LINEARIZABLE);
    verdict->answer = ANSWER_YES;
    for (uint32_t i = 0; i < history->op_count; i++) {
        uint32_t id = answers_told(MODEL_UNIQUE_IDS, history, &history->ops[i]);
        if (id != VALUE_NONE)
            given[count++] = (struct given){history->ops[i].key, id, i};
    }
    qsort(given, count, sizeof *given, by_id);
    for (uint32_t i = 1; i < count && verdict->answer == ANSWER_YES; i++)
        if (given[i].key == given[i - 1].key && given[i].id == given[i - 1].id)
            twice(history, &given[i - 1], &given[i], verdict);
    if (verdict->answer == ANSWER_YES && options->want_order)
        tell_orders(history, by_key, verdict);
    cairn_free(given);
}
