/* One object of several registers, on which transactions act: as transactions of a store, where
 * "linearizable" is called strict serializability. Which transaction wrote what is read is known
 * when no value is written twice to one register; then few orders are left open, and cycles decide.
 */
#include "check/containers.h"

#include "base/alloc.h"
#include "check/txn.h"

#include <stdlib.h>

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

static bool writes_are_unique(const struct history *history, const uint32_t *ops, uint32_t count) {
    uint64_t *written = cairn_alloc((history->mop_count + 1) * sizeof *written);
    uint32_t total = 0;
    bool unique = true;
    for (uint32_t i = 0; i < count; i++) {
        const struct op *op = &history->ops[ops[i]];
        for (uint32_t j = op->arg; j < op->arg + op->out; j++)
            if (history->mops[j].kind == MOP_WRITE)
                written[total++] = (uint64_t)history->mops[j].key << 32 | history->mops[j].value;
    }
    qsort(written, total, sizeof *written, by_number);
    for (uint32_t i = 1; i < total; i++)
        unique &= written[i] != written[i - 1];
    for (uint32_t i = 0; i < total; i++)
        unique &= (uint32_t)written[i] != history_initial(history, (uint32_t)(written[i] >> 32));
    cairn_free(written);
    return unique;
}

/* Linearizable says nothing of a process's order where that is not real time: each operation is of
 * a process of its own. */
static void forget_processes(struct history *apart, const struct history *history) {
    history_copy(apart, history, NULL);
    for (uint32_t i = 0; i < apart->op_count; i++)
        apart->ops[i].process = i;
    while (apart->process_count < apart->op_count)
        history_add_process(apart, VALUE_NULL);
}

bool multi_check(const struct history *history, const uint32_t *ops, uint32_t count,
                 struct limits *limits, bool want_order, bool *holds, struct verdict *verdict) {
    if (!writes_are_unique(history, ops, count))
        return false;
    struct check_options options = {.model = verdict->model,
                                    .level = verdict->level,
                                    .limits = limits,
                                    .want_order = want_order};
    struct verdict found;
    struct history apart;
    bool overlaps = verdict->level == LEVEL_LINEARIZABLE && history_overlaps(history);
    verdict_init(&found, verdict->model, verdict->level);
    if (overlaps)
        forget_processes(&apart, history);
    txn_check(overlaps ? &apart : history, &options, &found);
    if (overlaps)
        history_free(&apart);
    bool decided = found.answer == ANSWER_YES || found.answer == ANSWER_NO;
    *holds = found.answer == ANSWER_YES;
    if (decided) {
        verdict_free(verdict);
        *verdict = found;
    } else {
        verdict_free(&found);
    }
    return decided;
}
