#include "check/txn.h"

#include "check/txn_history.h"
#include "check/txn_judge.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* What needs no search first, the strongest of it before all: if it holds so does the rest. Then
 * from strong to weak. What one answer says about others is used. */
static const enum level levels[] = {
    LEVEL_TXN_CAUSAL,
    LEVEL_SESSION_READ_ATOMIC,
    LEVEL_READ_ATOMIC,
    LEVEL_SESSION_ATOMIC_VIEW,
    LEVEL_ATOMIC_VIEW,
    LEVEL_SESSION_READ_COMMITTED,
    LEVEL_READ_COMMITTED,
    LEVEL_STRICT_SERIALIZABLE,
    LEVEL_SESSION_SERIALIZABLE,
    LEVEL_SERIALIZABLE,
    LEVEL_STRONG_SNAPSHOT_ISOLATION,
    LEVEL_SESSION_SNAPSHOT_ISOLATION,
    LEVEL_SNAPSHOT_ISOLATION,
    LEVEL_SESSION_PREFIX,
    LEVEL_PREFIX,
};
#define LEVELS (sizeof levels / sizeof *levels)

static bool wants_real_time(enum level level) {
    return level_axiom(level).real_time;
}

static void clear(struct verdict *verdict) {
    enum model model = verdict->model;
    enum level level = verdict->level;
    verdict_free(verdict);
    verdict_init(verdict, model, level);
}

static void copy(struct verdict *to, const struct verdict *from) {
    clear(to);
    to->answer = from->answer;
    to->anomalies = from->anomalies;
    to->minimal = from->minimal;
    to->stopped = from->stopped;
    buf_append(&to->text, from->text.data, from->text.len);
    for (uint32_t i = 0; i < from->edge_count; i++)
        verdict_edge(to, from->edges[i]);
    for (uint32_t i = 0; i < from->op_count; i++)
        verdict_op(to, from->ops[i]);
    for (uint32_t i = 0; i < from->order_count; i++) {
        struct order *order = verdict_order(to, from->orders[i].scope, from->orders[i].of);
        for (uint32_t k = 0; k < from->orders[i].count; k++)
            order_push(order, from->orders[i].ops[k]);
    }
}

/* What the history alone says, at every level. True: nothing is left to judge. */
static bool answer_build(const struct txns *txns, enum txns_result result, struct limits *limits,
                         struct verdict *verdict) {
    if (result == TXNS_FINE)
        return false;
    clear(verdict);
    buf_append(&verdict->text, txns->text.data, txns->text.len);
    switch (result) {
    case TXNS_FAULTY:
        verdict->answer = ANSWER_NO;
        verdict->anomalies = txns->anomalies;
        verdict->minimal = true;
        for (uint32_t i = 0; i < txns->fault_op_count; i++)
            verdict_op(verdict, txns->fault_ops[i]);
        break;
    case TXNS_FOREIGN:
        verdict->answer = ANSWER_UNDEFINED;
        break;
    case TXNS_UNCLEAR:
        verdict->answer = ANSWER_UNDECIDED;
        break;
    default:
        verdict_undecided(verdict, limits);
        break;
    }
    return true;
}

/* ---- one way to read ---- */

static void judge_one(const struct txns *txns, const struct check_options *options,
                      const struct txn_known *known, struct verdict *verdict) {
    clear(verdict);
    txn_judge(txns, options->limits, options->want_order, known, verdict);
    if (verdict->answer == ANSWER_UNDECIDED)
        verdict_undecided(verdict, options->limits);
}

/* A known answer that settles this level too. */
static const struct verdict *implied_by(const struct verdict *verdicts, const bool *done,
                                        enum level level, enum answer answer) {
    for (size_t i = 0; i < LEVELS; i++) {
        if (!done[levels[i]] || levels[i] == level || verdicts[levels[i]].answer != answer)
            continue;
        if (answer == ANSWER_YES ? level_implies(levels[i], level)
                                 : level_implies(level, levels[i]))
            return &verdicts[levels[i]];
    }
    return NULL;
}

/* What the answers so far say of the level. */
static struct txn_known known_of(const struct verdict *verdicts, const bool *done,
                                 enum level level) {
    struct txn_known known = {0};
    enum level weaker = txn_judge_weaker(level);
    if (weaker != LEVEL_NONE && done[weaker] && verdicts[weaker].answer != ANSWER_UNDECIDED) {
        known.told = true;
        known.weaker = verdicts[weaker].answer == ANSWER_NO ? &verdicts[weaker] : NULL;
    }
    return known;
}

static void judge_all(const struct txns *txns, const struct check_options *options,
                      const bool *wanted, struct verdict *verdicts) {
    bool done[LEVEL_COUNT] = {0};
    for (size_t i = 0; i < LEVELS; i++) {
        enum level level = levels[i];
        if (!wanted[level])
            continue;
        const struct verdict *stronger = implied_by(verdicts, done, level, ANSWER_YES);
        struct txn_known known = known_of(verdicts, done, level);
        if (stronger != NULL)
            copy(&verdicts[level], stronger);
        else
            judge_one(txns, options, &known, &verdicts[level]);
        done[level] = true;
    }
    for (size_t i = 0; i < LEVELS; i++) {
        if (!wanted[levels[i]] || verdicts[levels[i]].answer != ANSWER_UNDECIDED)
            continue;
        const struct verdict *weaker = implied_by(verdicts, done, levels[i], ANSWER_NO);
        if (weaker != NULL)
            copy(&verdicts[levels[i]], weaker);
    }
}

/* ---- all ways to read ---- */

struct ways {
    const struct history *history;
    const struct check_options *options;
    bool lists;
    bool wanted[LEVEL_COUNT]; /* not yet answered by YES */
    bool open[LEVEL_COUNT];   /* undecided in some way */
    struct verdict *verdicts; /* by level */
    uint64_t count;
};

/* The answer of one way, for the wanted levels, into `found`. */
static void try_way(struct ways *ways, struct txn_picks *picks, struct verdict *found) {
    struct txns txns;
    struct limits *limits = ways->options->limits;
    enum txns_result result = txns_build(&txns, ways->history, ways->lists, picks, limits);
    if (result == TXNS_FINE)
        judge_all(&txns, ways->options, ways->wanted, found);
    else
        for (int level = 0; level < LEVEL_COUNT; level++)
            if (ways->wanted[level])
                answer_build(&txns, result, limits, &found[level]);
    txns_free(&txns);
}

/* YES of any way is YES. True: some level is still wanted. */
static bool take_way(struct ways *ways, const struct verdict *found) {
    bool more = false;
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (!ways->wanted[level])
            continue;
        copy(&ways->verdicts[level], &found[level]);
        ways->open[level] |= found[level].answer == ANSWER_UNDECIDED;
        ways->wanted[level] = found[level].answer != ANSWER_YES;
        more |= ways->wanted[level];
    }
    return more;
}

/* NO of every way is NO, but no single cycle shows it. */
static void answer_ways(struct ways *ways, struct verdict *verdict, bool complete) {
    struct limits *limits = ways->options->limits;
    if (!complete || ways->open[verdict->level]) {
        clear(verdict);
        verdict_undecided(verdict, limits);
        buf_printf(&verdict->text,
                   "values are written more than once; %llu ways to read were tried",
                   (unsigned long long)ways->count);
        return;
    }
    clear(verdict);
    verdict->answer = ANSWER_NO;
    buf_printf(&verdict->text,
               "values are written more than once; in none of the %llu ways to read is there "
               "an order",
               (unsigned long long)ways->count);
}

static void run(struct ways *ways) {
    struct limits *limits = ways->options->limits;
    struct txn_picks picks = {0};
    struct verdict found[LEVEL_COUNT];
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_init(&found[level], ways->options->model, (enum level)level);
    bool more, next = true;
    do {
        try_way(ways, &picks, found);
        ways->count++;
        more = take_way(ways, found);
        next = txn_picks_next(&picks);
    } while (more && next && ways->count < TXN_WAYS_MAX && !limits_over(limits, 1));
    for (int level = 0; level < LEVEL_COUNT; level++) {
        if (ways->wanted[level] && (ways->count > 1 || next))
            answer_ways(ways, &ways->verdicts[level], !next);
        if (ways->wanted[level] && ways->verdicts[level].answer == ANSWER_NO &&
            ways->verdicts[level].edge_count == 0 && ways->verdicts[level].op_count == 0)
            txn_core(ways->history, ways->lists, limits, &ways->verdicts[level]);
        verdict_free(&found[level]);
    }
    txn_picks_free(&picks);
}

static bool has_lists(enum model model) {
    return model == MODEL_TXN_APPEND || model == MODEL_APPEND;
}

/* ---- the doors ---- */

static bool without_time(const struct history *history, struct verdict *verdict) {
    if (history->has_real_time || !wants_real_time(verdict->level))
        return false;
    buf_printf(&verdict->text, "the history tells sessions only, no real time");
    return true;
}

void txn_check(const struct history *history, const struct check_options *options,
               struct verdict *verdict) {
    if (without_time(history, verdict))
        return;
    struct ways ways = {.history = history, .options = options, .lists = has_lists(options->model)};
    enum level asked = verdict->level, level = level_of_transactions(asked);
    cairn_assert(level_transactional(level));
    struct verdict verdicts[LEVEL_COUNT];
    for (int i = 0; i < LEVEL_COUNT; i++)
        verdict_init(&verdicts[i], options->model, (enum level)i);
    ways.verdicts = verdicts;
    ways.wanted[level] = true;
    run(&ways);
    copy(verdict, &verdicts[level]);
    cairn_assert(verdict->level == asked);
    for (int i = 0; i < LEVEL_COUNT; i++)
        verdict_free(&verdicts[i]);
}

void txn_place(const struct history *history, const struct check_options *options,
               struct verdict *verdicts) {
    struct ways ways = {.history = history,
                        .options = options,
                        .lists = has_lists(options->model),
                        .verdicts = verdicts};
    for (size_t i = 0; i < LEVELS; i++)
        ways.wanted[levels[i]] = !without_time(history, &verdicts[levels[i]]);
    run(&ways);
}
