#include "check/txn_judge.h"

#include "check/txn.h"
#include "base/alloc.h"

#include <string.h>

#define CORE_OPS_MAX 120u
#define CORE_STEPS_MAX 5000000u

struct core {
    const struct history *history;
    bool lists;
    enum model model;
    enum level level;
    const struct limits *limits;
    uint64_t steps_left;
};

/* Is what is kept still impossible, and not only because a writer is missing? */
static bool still_no(struct core *core, const bool *keep) {
    struct history part;
    history_copy(&part, core->history, keep);
    struct limits limits = {0};
    if (core->limits != NULL)
        limits = *core->limits;
    limits.progress = NULL;
    limits.stopped = LIMITS_GO;
    limits.steps = limits.asked = 0;
    limits.steps_max = core->steps_left;
    struct txn_picks picks = {0};
    bool no = true, next = true;
    while (no && next) {
        struct txns txns;
        enum txns_result result = txns_build(&txns, &part, core->lists, &picks, &limits);
        struct verdict verdict;
        verdict_init(&verdict, core->model, core->level);
        if (result == TXNS_FINE)
            txn_judge(&txns, &limits, false, NULL, &verdict);
        no = verdict.answer == ANSWER_NO;
        verdict_free(&verdict);
        txns_free(&txns);
        next = txn_picks_next(&picks);
    }
    txn_picks_free(&picks);
    core->steps_left = limits.steps < core->steps_left ? core->steps_left - limits.steps : 1;
    history_free(&part);
    return no;
}

/* Takes `op` and all that may have read from it out of `keep`. */
static void take_out(const struct history *history, uint32_t op, bool *keep) {
    struct mop mine[2], theirs[2];
    const struct mop *writes, *reads;
    uint32_t write_count, read_count;
    keep[op] = false;
    if (!txn_mops(history, &history->ops[op], mine, &writes, &write_count))
        return;
    for (uint32_t other = 0; other < history->op_count; other++) {
        if (!keep[other] || !txn_mops(history, &history->ops[other], theirs, &reads, &read_count))
            continue;
        bool read = false;
        for (uint32_t w = 0; w < write_count; w++)
            for (uint32_t r = 0; r < read_count; r++)
                read |= writes[w].kind != MOP_READ && reads[r].kind == MOP_READ &&
                        writes[w].key == reads[r].key &&
                        (writes[w].kind == MOP_APPEND || writes[w].value == reads[r].value ||
                         history->ops[other].outcome == OP_MISMATCH);
        if (read)
            take_out(history, other, keep);
    }
}

void txn_core(const struct history *history, bool lists, struct limits *limits,
              struct verdict *verdict) {
    uint32_t count = history->op_count;
    if (count > CORE_OPS_MAX)
        return;
    struct core core = {.history = history,
                        .lists = lists,
                        .model = verdict->model,
                        .level = verdict->level,
                        .limits = limits,
                        .steps_left = CORE_STEPS_MAX};
    bool *keep = cairn_alloc(count + 1), *less = cairn_alloc(count + 1);
    memset(keep, true, count);
    for (uint32_t op = 0; op < count && !limits_over(limits, 1000); op++) {
        if (!keep[op])
            continue;
        memcpy(less, keep, count);
        take_out(history, op, less);
        if (still_no(&core, less))
            memcpy(keep, less, count);
    }
    for (uint32_t op = 0; op < count; op++)
        if (keep[op] && history->ops[op].outcome != OP_FAIL)
            verdict_op(verdict, op);
    verdict->minimal = core.steps_left > 1;
    cairn_free(keep);
    cairn_free(less);
}
