#include "check/check.h"

#include "base/assert.h"
#include "check/containers.h"
#include "check/drains.h"
#include "check/invariant.h"
#include "check/linearizable.h"
#include "check/partition.h"
#include "check/sequential.h"
#include "check/txn.h"
#include "check/unique.h"
#include "check/unrecorded.h"
#include "check/weak.h"

#include <string.h>

#define EARLY_STEPS 1000000u
#define EARLY_STEPS_EACH 50ull /* an operation */

/* Registers with unique values and no failed comparison have a faster way. */
static bool has_mismatch_or_others(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_MISMATCH ||
            (op->f != OP_READ && op->f != OP_WRITE && op->f != OP_CAS))
            return true;
    }
    return false;
}

/* What a fast check began is thrown away. */
static void begin_again(struct verdict *verdict) {
    enum model model = verdict->model;
    enum level level = verdict->level;
    verdict_free(verdict);
    verdict_init(verdict, model, level);
}

/* Anomalies are named after transactions; here are none. */
static void tell_single(struct verdict *verdict) {
    if (verdict->answer != ANSWER_NO || verdict->edge_count == 0)
        return;
    verdict->anomalies = 0;
    buf_clear(&verdict->text);
    buf_printf(&verdict->text,
               "each of these %u operations would have to come before the next, and "
               "the last before the first",
               verdict->edge_count);
}

static bool has_unique_values(const struct history *history, struct verdict *verdict) {
    struct causal causal;
    bool unique = causal_make(&causal, history, verdict) != CAUSAL_NOT_UNIQUE;
    causal_free(&causal);
    begin_again(verdict);
    return unique;
}

/* One object of several registers, with unique values. */
static bool sequential_multi(const struct history *history, const struct check_options *options,
                             struct verdict *verdict) {
    struct partition partition;
    bool holds;
    partition_make(&partition, history, options->model);
    bool decided = partition.group_count == 1 &&
                   multi_check(history, partition.ops, partition.groups[0].count, options->limits,
                               options->want_order, &holds, verdict);
    partition_free(&partition);
    if (decided)
        verdict->answer = holds ? ANSWER_YES : ANSWER_NO;
    return decided;
}

static void sequential(const struct history *history, const struct check_options *options,
                       const struct sequential_known *known, struct verdict *verdict) {
    if (model_is_register(options->model) && !has_mismatch_or_others(history) &&
        has_unique_values(history, verdict)) {
        if (known->no_linearization ||
            sequential_try_linearizable(history, options, 0, false, verdict) != ANSWER_YES)
            txn_check(history, options, verdict);
        tell_single(verdict);
        return;
    }
    if (options->model == MODEL_MULTI_REGISTER && sequential_multi(history, options, verdict)) {
        tell_single(verdict);
        return;
    }
    sequential_check(history, options, known, verdict);
}

static void per_key(const struct history *history, const struct check_options *options,
                    const struct sequential_known *known, struct verdict *verdict) {
    if (model_is_register(options->model)) {
        weak_check(history, options, verdict);
        if (verdict->answer == ANSWER_YES || verdict->answer == ANSWER_NO)
            return;
        begin_again(verdict);
    }
    sequential_check_keys(history, options, known, verdict);
}

/* What was not recorded is left out, or given a writer; true: `whole` is to be judged instead. */
static bool complete(struct history *whole, const struct history *history,
                     const struct check_options *options, uint32_t *count) {
    *count = 0;
    if (options->model == MODEL_LONG_FORK)
        return unrecorded_invent(whole, history) > 0;
    if (options->model == MODEL_TXN_RW && history->may_miss_writes)
        *count = unrecorded_ignore(whole, history);
    return *count > 0;
}

static void tell_ignored(uint32_t count, struct verdict *verdict) {
    if (count > 0)
        buf_printf(&verdict->text,
                   "%s%u reads tell a value that no operation is known to have written; "
                   "in this format that says nothing (with --strict it counts)",
                   verdict->text.len > 0 ? "; " : "", count);
}

/* Invented writers have no number in the history that was asked about. */
static uint32_t recorded(const struct history *history, uint32_t op) {
    return op < history->op_count ? op : OP_NONE;
}

static uint32_t keep_recorded(const struct history *history, uint32_t *ops, uint32_t count) {
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++)
        if (ops[i] < history->op_count)
            ops[kept++] = ops[i];
    return kept;
}

static void forget_invented(const struct history *history, struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        struct edge *edge = &verdict->edges[i];
        edge->from = recorded(history, edge->from);
        edge->to = recorded(history, edge->to);
        edge->by = recorded(history, edge->by);
    }
    verdict->op_count = keep_recorded(history, verdict->ops, verdict->op_count);
    for (uint32_t i = 0; i < verdict->order_count; i++)
        verdict->orders[i].count =
            keep_recorded(history, verdict->orders[i].ops, verdict->orders[i].count);
}

static void judge_txn(const struct history *history, const struct check_options *options,
                      struct verdict *verdict) {
    struct history whole;
    uint32_t ignored;
    if (!complete(&whole, history, options, &ignored)) {
        txn_check(history, options, verdict);
        return;
    }
    txn_check(&whole, options, verdict);
    tell_ignored(ignored, verdict);
    forget_invented(history, verdict);
    history_free(&whole);
}

static void place_txn(const struct history *history, const struct check_options *options,
                      struct verdict *verdicts) {
    struct history whole;
    uint32_t ignored;
    if (!complete(&whole, history, options, &ignored)) {
        txn_place(history, options, verdicts);
        return;
    }
    txn_place(&whole, options, verdicts);
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (level_transactional((enum level)level)) {
            tell_ignored(ignored, &verdicts[level]);
            forget_invented(history, &verdicts[level]);
        }
    history_free(&whole);
}

static void dispatch_whole(const struct history *history, const struct check_options *options,
                           const struct sequential_known *known, struct verdict *verdict) {
    if (model_transactional(options->model) != level_transactional(options->level))
        return;
    if (level_transactional(options->level)) {
        judge_txn(history, options, verdict);
        return;
    }
    bool orders = options->level == LEVEL_LINEARIZABLE || options->level == LEVEL_SEQUENTIAL ||
                  options->level == LEVEL_PER_KEY_SEQUENTIAL;
    if (options->model == MODEL_UNIQUE_IDS && orders) {
        unique_check(history, options, verdict);
        return;
    }
    switch (options->level) {
    case LEVEL_LINEARIZABLE:
        linearizable_check(history, options, verdict);
        return;
    case LEVEL_SEQUENTIAL:
        sequential(history, options, known, verdict);
        return;
    case LEVEL_PER_KEY_SEQUENTIAL:
        if (model_keyed(options->model))
            per_key(history, options, known, verdict);
        return;
    case LEVEL_COUNTER_BOUNDS:
    case LEVEL_BANK_TOTAL:
    case LEVEL_SET_COMPLETE:
        invariant_check(history, options, verdict);
        return;
    default:
        if (model_is_register(options->model))
            weak_check(history, options, verdict);
    }
}

static void sequential_early(const struct history *history, const struct check_options *options,
                             const struct sequential_known *known, struct verdict *verdict) {
    struct limits unlimited = {0};
    struct limits_share share;
    struct check_options one = *options;
    one.limits = options->limits ? options->limits : &unlimited;
    limits_share_open(&share, one.limits, EARLY_STEPS + EARLY_STEPS_EACH * history->op_count);
    sequential_check(history, &one, known, verdict);
    limits_share_close(&share);
}

static void dispatch(const struct history *history, const struct check_options *options,
                     const struct sequential_known *known, struct verdict *verdict) {
    struct drains drains;
    if (!drains_expand(&drains, history, options->model)) {
        dispatch_whole(history, options, known, verdict);
        return;
    }
    dispatch_whole(&drains.whole, options, known, verdict);
    drains_fold(&drains, verdict);
    drains_free(&drains);
}

/* Where the method of a weak level does not apply, since values repeat or comparisons failed, what
 * holds at a stronger level holds here: as far as that is found out soon. */
static void use_stronger(const struct history *history, const struct check_options *options,
                         const struct sequential_known *known, struct verdict *verdict) {
    bool weak = level_implies(LEVEL_SEQUENTIAL, options->level) &&
                options->level != LEVEL_SEQUENTIAL && options->level != LEVEL_PER_KEY_SEQUENTIAL;
    struct verdict stronger;
    if (verdict->answer != ANSWER_UNDECIDED || verdict->stopped != LIMITS_GO || !weak)
        return;
    verdict_init(&stronger, options->model, options->level);
    sequential_early(history, options, known, &stronger);
    if (stronger.answer == ANSWER_YES) {
        verdict_free(verdict);
        *verdict = stronger;
        buf_printf(&verdict->text, "because sequential holds");
    } else {
        verdict_free(&stronger);
    }
}

void check_history(const struct history *history, const struct check_options *options,
                   struct verdict *verdict) {
    cairn_assert(options->model < MODEL_COUNT && options->level < LEVEL_COUNT);
    struct sequential_known known = {.no_linearization = history_overlaps(history)};
    verdict_init(verdict, options->model, options->level);
    dispatch(history, options, &known, verdict);
    use_stronger(history, options, &known, verdict);
    if (history->op_count == 0 && verdict->answer == ANSWER_YES)
        buf_printf(&verdict->text, "there are no operations");
}

/* ---- every level ---- */

bool check_implies(bool overlaps, enum level stronger, enum level weaker) {
    return level_implies(stronger, weaker) &&
           (stronger == weaker || stronger != LEVEL_LINEARIZABLE || !overlaps);
}

/* One that is known by another's answer: stronger ones that hold, weaker ones that don't. */
static bool implied(bool overlaps, struct verdict *verdicts, enum level level) {
    for (int other = 0; other < LEVEL_COUNT; other++) {
        const struct verdict *known = &verdicts[other];
        bool holds =
            known->answer == ANSWER_YES && check_implies(overlaps, (enum level)other, level);
        bool fails =
            known->answer == ANSWER_NO && check_implies(overlaps, level, (enum level)other);
        if (!holds && !fails)
            continue;
        verdicts[level].answer = known->answer;
        buf_printf(&verdicts[level].text, "because %s %s", level_name((enum level)other),
                   holds ? "holds" : "does not hold");
        return true;
    }
    return false;
}

static bool is_simple(enum level level) {
    return level == LEVEL_COUNTER_BOUNDS || level == LEVEL_BANK_TOTAL ||
           level == LEVEL_SET_COMPLETE;
}

static void place_level(const struct history *history, const struct check_options *options,
                        bool overlaps, struct verdict *verdicts) {
    enum level level = options->level;
    bool weak = level != LEVEL_LINEARIZABLE && level != LEVEL_SEQUENTIAL &&
                level != LEVEL_PER_KEY_SEQUENTIAL;
    struct sequential_known known = {
        .no_linearization = verdicts[LEVEL_LINEARIZABLE].answer == ANSWER_NO || overlaps,
        .keys_hold = verdicts[LEVEL_PER_KEY_SEQUENTIAL].answer == ANSWER_YES};
    if (is_simple(level) || (weak && !model_is_register(options->model)) ||
        !implied(overlaps, verdicts, level))
        dispatch(history, options, &known, &verdicts[level]);
}

/* Sequential early, with a part of the limits, where the levels that it implies take longer: one
 * order a process. What is left open is judged again at the end. */
static void place_sequential(const struct history *history, const struct check_options *options,
                             bool overlaps, struct verdict *verdicts) {
    struct limits unlimited = {0};
    struct limits_share share;
    struct check_options one = *options;
    one.level = LEVEL_SEQUENTIAL;
    one.limits = options->limits ? options->limits : &unlimited;
    limits_share_open(&share, one.limits, EARLY_STEPS + EARLY_STEPS_EACH * history->op_count);
    place_level(history, &one, overlaps, verdicts);
    limits_share_close(&share);
    if (verdicts[LEVEL_SEQUENTIAL].answer == ANSWER_UNDECIDED)
        begin_again(&verdicts[LEVEL_SEQUENTIAL]);
}

/* What was left open may follow from what was decided after it. */
static void close_open(bool overlaps, struct verdict *verdicts) {
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (verdicts[level].answer == ANSWER_UNDECIDED) {
            buf_clear(&verdicts[level].text);
            implied(overlaps, verdicts, (enum level)level);
        }
}

void check_place(const struct history *history, const struct check_options *options,
                 struct verdict *verdicts) {
    /* Cheap ones first: what they refute needs no search. */
    static const enum level in_turn[] = {LEVEL_LINEARIZABLE,
                                         LEVEL_READ_YOUR_WRITES,
                                         LEVEL_MONOTONIC_READS,
                                         LEVEL_CONVERGENCE,
                                         LEVEL_COUNTER_BOUNDS,
                                         LEVEL_BANK_TOTAL,
                                         LEVEL_SET_COMPLETE,
                                         LEVEL_CAUSAL,
                                         LEVEL_CAUSAL_CONVERGENCE,
                                         LEVEL_PER_KEY_SEQUENTIAL,
                                         LEVEL_PRAM,
                                         LEVEL_CAUSAL_MEMORY,
                                         LEVEL_MONOTONIC_WRITES,
                                         LEVEL_WRITES_FOLLOW_READS,
                                         LEVEL_SEQUENTIAL};
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_init(&verdicts[level], options->model, (enum level)level);
    if (model_transactional(options->model)) {
        place_txn(history, options, verdicts);
        return;
    }
    bool overlaps = history_overlaps(history);
    for (size_t i = 0; i < sizeof in_turn / sizeof *in_turn; i++) {
        struct check_options one = *options;
        one.level = in_turn[i];
        if (one.level == LEVEL_PRAM && model_is_register(options->model))
            place_sequential(history, options, overlaps, verdicts);
        if (verdicts[one.level].answer == ANSWER_UNDEFINED)
            place_level(history, &one, overlaps, verdicts);
    }
    close_open(overlaps, verdicts);
}
