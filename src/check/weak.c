#include "check/weak.h"

#include "base/assert.h"
#include "check/refute.h"

static bool has_mismatch(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].outcome == OP_MISMATCH)
            return true;
    return false;
}

static bool needs_clocks(enum level level) {
    return level == LEVEL_CAUSAL_CONVERGENCE || level == LEVEL_CAUSAL_MEMORY ||
           level == LEVEL_CAUSAL;
}

static void judge(struct causal *causal, const struct check_options *options,
                  struct verdict *verdict) {
    struct limits *limits = options->limits;
    switch (options->level) {
    case LEVEL_CAUSAL:
        weak_causal(causal, verdict);
        return;
    case LEVEL_CAUSAL_CONVERGENCE:
        weak_convergent(causal, verdict);
        return;
    case LEVEL_WRITES_FOLLOW_READS:
        weak_writes_follow_reads(causal, limits, verdict);
        return;
    case LEVEL_READ_YOUR_WRITES:
        weak_read_your_writes(causal, options->want_order, verdict);
        return;
    case LEVEL_MONOTONIC_READS:
        weak_monotonic_reads(causal, options->want_order, verdict);
        return;
    case LEVEL_CONVERGENCE:
        weak_convergence(causal, verdict);
        return;
    case LEVEL_PER_KEY_SEQUENTIAL:
        weak_per_key(causal, verdict);
        return;
    default:
        weak_each_process(causal, options->level, limits, verdict);
    }
}

static void run(struct causal *causal, const struct check_options *options,
                struct verdict *verdict) {
    uint64_t clocks = (uint64_t)causal->count * causal->process_count * sizeof(uint32_t);
    if (needs_clocks(options->level)) {
        if (!limits_room(options->limits, clocks)) {
            verdict_undecided(verdict, options->limits);
            return;
        }
        if (causal_clocks(causal, verdict) == CAUSAL_CYCLE) {
            verdict->answer = ANSWER_NO;
            buf_printf(&verdict->text, "causal order has a cycle");
            return;
        }
    }
    judge(causal, options, verdict);
}

void weak_check(const struct history *history, const struct check_options *options,
                struct verdict *verdict) {
    struct causal causal;
    switch (causal_make(&causal, history, verdict)) {
    case CAUSAL_FINE:
        run(&causal, options, verdict);
        if (verdict->answer == ANSWER_YES && has_mismatch(history)) {
            verdict->answer = ANSWER_UNDECIDED;
            buf_printf(&verdict->text, "it holds without the comparisons that failed; what those "
                                       "saw is judged by linearizable and sequential only");
        }
        break;
    case CAUSAL_THIN_AIR:
        verdict->answer = ANSWER_NO;
        break;
    case CAUSAL_NOT_UNIQUE:
        if (refute_any_order(history, verdict))
            break;
        verdict->answer = ANSWER_UNDECIDED;
        buf_printf(&verdict->text, "a key is given the same value twice, so what a read read from "
                                   "is not known");
        break;
    default:
        verdict->answer = ANSWER_UNDEFINED;
    }
    causal_free(&causal);
}
