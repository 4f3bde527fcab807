/* The transactional levels against the axioms, on random tiny histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "txn_brute.h"
#include "base/prng.h"
#include "check/gen.h"
#include "check/txn.h"
#include "check/txn_judge.h"
#include "check/txn_verify.h"

#define TXNS_MAX 6
#define MOPS_MAX 3
#define INITIAL_MAX 3

/* ---- random histories ---- */

enum shape { REGISTERS, REPEATED, LISTS, SINGLE };

struct plan {
    enum shape shape;
    uint32_t txns, sessions, keys;
    uint32_t old_snapshots, old_reads; /* of ten */
    struct {
        enum op_outcome outcome;
        uint32_t session, mop_count;
        struct mop mops[MOPS_MAX];
        bool cas; /* of single operations: a write that expected `from` */
        uint32_t from;
        uint32_t at, call, ret; /* when it commits, in tenths */
    } txn[TXNS_MAX];
};

static void plan_writes(struct plan *plan, struct prng *prng, struct history *history) {
    int64_t next = 1;
    for (uint32_t t = 0; t < plan->txns; t++) {
        plan->txn[t].session = (uint32_t)prng_below(prng, plan->sessions);
        plan->txn[t].outcome = prng_chance(prng, 1, 12)   ? OP_INFO
                               : prng_chance(prng, 1, 20) ? OP_FAIL
                                                          : OP_OK;
        plan->txn[t].mop_count =
            plan->shape == SINGLE ? 1 : 1 + (uint32_t)prng_below(prng, MOPS_MAX);
        for (uint32_t m = 0; m < plan->txn[t].mop_count; m++) {
            struct mop *mop = &plan->txn[t].mops[m];
            mop->kind = prng_chance(prng, 1, 2) ? MOP_READ
                        : plan->shape == LISTS  ? MOP_APPEND
                                                : MOP_WRITE;
            mop->key = value_int(&history->values, 100 + (int64_t)prng_below(prng, plan->keys));
            int64_t value = plan->shape == REPEATED && prng_chance(prng, 1, 2)
                                ? 1 + (int64_t)prng_below(prng, 3)
                                : 10 + next++;
            if (plan->shape == REPEATED && prng_chance(prng, 1, 15))
                mop->value = VALUE_NULL;
            else if (mop->kind != MOP_READ)
                mop->value = value_int(&history->values, value);
        }
    }
}

/* What some keys hold at first: of lists some elements, of which one may be appended again. */
static void plan_initial(const struct plan *plan, struct prng *prng, struct history *history) {
    for (uint32_t key = 0; key < plan->keys; key++) {
        uint32_t items[INITIAL_MAX], count = (uint32_t)prng_below(prng, INITIAL_MAX + 1);
        for (uint32_t i = 0; i < count; i++)
            items[i] = value_int(&history->values, prng_chance(prng, 1, 8)
                                                       ? 11 + (int64_t)prng_below(prng, 4)
                                                       : 50 + (int64_t)i);
        uint32_t first = plan->shape == LISTS ? value_list(&history->values, items, count)
                         : count > 0          ? items[0]
                                              : VALUE_NULL;
        if (prng_chance(prng, 1, 3))
            history_set_initial(history, value_int(&history->values, 100 + key), first);
    }
}

/* The elements of an initial list, of which a read may miss some, or see one changed. */
static uint32_t first_items(struct history *history, uint32_t first, struct prng *prng,
                            uint32_t *items) {
    const struct value *list = value_at(&history->values, first);
    uint32_t count = list->kind == VALUE_LIST ? list->len : 0;
    if (count > 0)
        memcpy(items, value_items(&history->values, first), count * sizeof *items);
    if (count > 0 && prng_chance(prng, 1, 40))
        items[prng_below(prng, count)] = value_int(&history->values, 50);
    return count > 0 && prng_chance(prng, 1, 40) ? (uint32_t)prng_below(prng, count) : count;
}

/* What transaction t finds in the key when those before `seen` have committed. */
static uint32_t found(const struct plan *plan, uint32_t t, uint32_t m, uint32_t seen,
                      struct prng *prng, struct history *history) {
    uint32_t items[TXNS_MAX * MOPS_MAX + INITIAL_MAX], count = 0;
    uint32_t key = plan->txn[t].mops[m].key, last = history_initial(history, key);
    if (plan->shape == LISTS)
        count = first_items(history, last, prng, items);
    for (uint32_t other = 0; other <= plan->txns; other++) {
        bool own = other == plan->txns;
        uint32_t from = own ? t : other;
        if (!own &&
            (other == t || other >= seen || plan->txn[other].outcome == OP_FAIL ||
             plan->txn[other].outcome == OP_MISMATCH) &&
            !prng_chance(prng, 1, 100))
            continue;
        uint32_t end = own ? m : plan->txn[from].mop_count;
        end -= end > 0 && prng_chance(prng, 1, 100);
        for (uint32_t i = 0; i < end; i++)
            if (plan->txn[from].mops[i].kind != MOP_READ && plan->txn[from].mops[i].key == key)
                items[count++] = last = plan->txn[from].mops[i].value;
    }
    if (plan->shape != LISTS)
        return last;
    if (count > 1 && prng_chance(prng, 1, 50)) {
        items[0] ^= items[count - 1];
        items[count - 1] ^= items[0];
        items[0] ^= items[count - 1];
    }
    return value_list(&history->values, items, count);
}

static void plan_cas(struct plan *plan, uint32_t t, struct prng *prng, struct history *history) {
    plan->txn[t].cas = true;
    plan->txn[t].from = found(plan, t, 0, t, prng, history);
    if (plan->txn[t].outcome == OP_OK && prng_chance(prng, 1, 4)) {
        plan->txn[t].outcome = OP_MISMATCH;
        plan->txn[t].from = value_int(&history->values, 11 + (int64_t)prng_below(prng, 4));
    }
}

/* A read of what only a later transaction of its session writes, or it itself later. */
static void foresee(struct plan *plan, uint32_t t, struct prng *prng) {
    uint32_t m = (uint32_t)prng_below(prng, plan->txn[t].mop_count);
    for (uint32_t later = t; later < plan->txns && plan->shape != LISTS; later++)
        for (uint32_t w = later == t ? m + 1 : 0; w < plan->txn[later].mop_count; w++) {
            const struct mop *write = &plan->txn[later].mops[w];
            if (plan->txn[later].session != plan->txn[t].session || write->kind != MOP_WRITE ||
                write->key != plan->txn[t].mops[m].key || plan->txn[t].mops[m].kind != MOP_READ)
                continue;
            plan->txn[t].mops[m].value = write->value;
            return;
        }
}

static void plan_reads(struct plan *plan, struct prng *prng, struct history *history) {
    for (uint32_t t = 0; t < plan->txns; t++) {
        if (plan->shape == SINGLE && plan->txn[t].mops[0].kind == MOP_WRITE &&
            prng_chance(prng, 1, 3))
            plan_cas(plan, t, prng, history);
        uint32_t snapshot =
            prng_chance(prng, plan->old_snapshots, 10) ? (uint32_t)prng_below(prng, t + 1) : t;
        for (uint32_t m = 0; m < plan->txn[t].mop_count; m++) {
            struct mop *mop = &plan->txn[t].mops[m];
            if (mop->kind != MOP_READ)
                continue;
            uint32_t seen = prng_chance(prng, plan->old_reads, 10)
                                ? (uint32_t)prng_below(prng, plan->txns + 1)
                                : snapshot;
            mop->value = found(plan, t, m, seen, prng, history);
            if (prng_chance(prng, 1, 30))
                mop->value = VALUE_NONE;
        }
        if (prng_chance(prng, 1, 12))
            foresee(plan, t, prng);
    }
}

static void plan_times(struct plan *plan, struct prng *prng) {
    uint32_t ended[TXNS_MAX] = {0}, width = 1 + (uint32_t)prng_below(prng, 40);
    for (uint32_t t = 0; t < plan->txns; t++) {
        uint32_t at = 100 + 10 * t, session = plan->txn[t].session;
        uint32_t call = at - (uint32_t)prng_below(prng, width);
        plan->txn[t].at = at;
        plan->txn[t].call = call <= ended[session] ? ended[session] + 1 : call;
        plan->txn[t].ret = at + (uint32_t)prng_below(prng, width);
        if (plan->txn[t].ret <= plan->txn[t].call)
            plan->txn[t].ret = plan->txn[t].call + 1;
        ended[session] = plan->txn[t].ret;
    }
}

static void op_from(struct history *history, const struct plan *plan, uint32_t t) {
    struct op *op = history_op(history);
    *op = (struct op){.call = plan->txn[t].call * 16 + t,
                      .ret = plan->txn[t].outcome == OP_INFO ? OP_OPEN : plan->txn[t].ret * 16 + t,
                      .process = plan->txn[t].session,
                      .line = t + 1,
                      .f = OP_TXN,
                      .outcome = plan->txn[t].outcome,
                      .arg = history->mop_count,
                      .out = plan->txn[t].mop_count};
    const struct mop *mops = plan->txn[t].mops;
    if (plan->shape == SINGLE) {
        op->f = mops[0].kind == MOP_READ ? OP_READ : OP_WRITE;
        op->key = mops[0].key;
        op->arg = op->out = mops[0].value;
        if (plan->txn[t].cas) {
            op->f = OP_CAS;
            op->arg =
                value_list(&history->values, (uint32_t[]){plan->txn[t].from, mops[0].value}, 2);
        }
        return;
    }
    for (uint32_t m = 0; m < plan->txn[t].mop_count; m++)
        *history_mop(history) = mops[m];
}

static void history_random(struct history *history, struct prng *prng, enum shape shape) {
    history_init(history);
    history->has_real_time = true;
    struct plan plan = {.shape = shape,
                        .txns = 2 + (uint32_t)prng_below(prng, TXNS_MAX - 1),
                        .sessions = 1 + (uint32_t)prng_below(prng, 6),
                        .keys = 1 + (uint32_t)prng_below(prng, 4),
                        .old_snapshots = (uint32_t)prng_below(prng, 3) * 4,
                        .old_reads = (uint32_t)prng_below(prng, 3) * 3};
    if (shape == REPEATED && plan.txns > 5)
        plan.txns = 5;
    plan_writes(&plan, prng, history);
    if (prng_chance(prng, 1, 2))
        plan_initial(&plan, prng, history);
    plan_reads(&plan, prng, history);
    plan_times(&plan, prng);
    bool placed[TXNS_MAX] = {0};
    for (uint32_t i = 0; i < plan.txns; i++) {
        uint32_t first = TXNS_MAX;
        for (uint32_t t = 0; t < plan.txns; t++)
            if (!placed[t] && (first == TXNS_MAX ||
                               plan.txn[t].call * 16 + t < plan.txn[first].call * 16 + first))
                first = t;
        placed[first] = true;
        op_from(history, &plan, first);
    }
    history->process_count = plan.sessions;
    history->processes = calloc(plan.sessions, sizeof *history->processes);
    history->positions = 1u << 20;
}

/* ---- the comparison ---- */

static void show(const struct history *history) {
    for (uint32_t op = 0; op < history->op_count; op++) {
        struct buf text = {0};
        history_describe(history, op, &text);
        fprintf(stderr, "  [%u,%u] outcome %d %.*s\n", history->ops[op].call, history->ops[op].ret,
                history->ops[op].outcome, (int)text.len, (const char *)text.data);
        buf_free(&text);
    }
}

static uint64_t dealt_held;

struct tally {
    uint64_t yes[LEVEL_COUNT], no[LEVEL_COUNT], undecided, unverified;
};

static enum txn_verified verified(const struct history *history, const struct verdict *verdict,
                                  enum level level) {
    struct verdict claim = *verdict;
    claim.level = level;
    struct buf why = {0};
    enum txn_verified result = txn_verify(history, &claim, NULL, &why);
    if (result == TXN_REFUTED && level == verdict->level)
        fprintf(stderr, "%s refuted: %.*s\n", level_name(level), (int)why.len,
                (const char *)why.data);
    buf_free(&why);
    return result;
}

/* The evidence proves its own answer, and nothing that is not so. */
static void compare_evidence(const struct history *history, const struct verdict *verdict,
                             uint64_t seed, const bool *holds, struct tally *tally) {
    enum txn_verified own = verified(history, verdict, verdict->level);
    if (own == TXN_REFUTED) {
        fprintf(stderr, "seed %llu\n", (unsigned long long)seed);
        fail();
    }
    tally->unverified += own == TXN_UNVERIFIED;
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++)
        if (holds[level] != (verdict->answer == ANSWER_YES) &&
            verified(history, verdict, (enum level)level) == TXN_VERIFIED) {
            fprintf(stderr, "seed %llu: evidence of %s %s taken for %s\n", (unsigned long long)seed,
                    answer_name(verdict->answer), level_name(verdict->level),
                    level_name((enum level)level));
            fail();
        }
}

static void compare(const struct history *history, enum shape shape, uint64_t seed,
                    struct tally *tally) {
    bool holds[LEVEL_COUNT];
    txn_brute(history, shape == LISTS, holds);
    struct check_options options = {.model = shape == LISTS ? MODEL_TXN_APPEND : MODEL_TXN_RW,
                                    .want_order = true};
    struct verdict verdicts[LEVEL_COUNT];
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_init(&verdicts[level], options.model, (enum level)level);
    bool place = prng_mix(seed, 1) % 2 == 0;
    if (place)
        txn_place(history, &options, verdicts);
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        struct verdict *verdict = &verdicts[level];
        if (!place)
            txn_check(history, &options, verdict);
        if (verdict->answer == ANSWER_UNDECIDED) {
            tally->undecided++;
        } else if (verdict->answer != (holds[level] ? ANSWER_YES : ANSWER_NO)) {
            fprintf(stderr, "seed %llu shape %d: %s is %s, the axioms say %s\n",
                    (unsigned long long)seed, shape, level_name((enum level)level),
                    answer_name(verdict->answer), holds[level] ? "yes" : "no");
            show(history);
            fail();
        }
        if (verdict->answer != ANSWER_UNDECIDED)
            compare_evidence(history, verdict, seed, holds, tally);
        tally->yes[level] += verdict->answer == ANSWER_YES;
        tally->no[level] += verdict->answer == ANSWER_NO;
        verdict_free(verdict);
    }
    for (int level = 0; level < LEVEL_STRICT_SERIALIZABLE; level++)
        verdict_free(&verdicts[level]);
}

/* Dealt out to a few sessions, what holds with them holds without any, and its order shows that. */
static void compare_dealt(const struct history *history, enum shape shape, uint64_t seed) {
    static const enum level levels[][2] = {
        {LEVEL_SESSION_SERIALIZABLE, LEVEL_SERIALIZABLE},
        {LEVEL_SESSION_SNAPSHOT_ISOLATION, LEVEL_SNAPSHOT_ISOLATION},
        {LEVEL_SESSION_PREFIX, LEVEL_PREFIX}};
    struct txns txns, dealt;
    struct txn_picks picks = {0};
    struct tally tally = {0};
    bool holds[LEVEL_COUNT];
    txn_brute(history, shape == LISTS, holds);
    bool fine = txns_build(&txns, history, shape == LISTS, &picks, NULL) == TXNS_FINE;
    for (uint32_t i = 0; i < 9 && fine; i++) {
        enum level with = levels[i / 3][0], without = levels[i / 3][1];
        struct verdict verdict;
        verdict_init(&verdict, shape == LISTS ? MODEL_TXN_APPEND : MODEL_TXN_RW, with);
        txns_deal(&dealt, &txns, 1 + i % 3);
        txn_judge(&dealt, NULL, true, NULL, &verdict);
        assert_true(verdict.answer == ANSWER_NO || holds[without]);
        verdict.level = without;
        if (verdict.answer == ANSWER_YES)
            compare_evidence(history, &verdict, seed, holds, &tally);
        dealt_held += verdict.answer == ANSWER_YES;
        verdict_free(&verdict);
        txns_deal_free(&dealt);
    }
    txns_free(&txns);
    txn_picks_free(&picks);
}

/* One reason for a level, whichever other levels are judged beside it. */
static void compare_reasons(const struct history *history, enum shape shape, uint64_t seed) {
    struct check_options options = {.model = shape == LISTS ? MODEL_TXN_APPEND : MODEL_TXN_RW};
    struct verdict verdicts[LEVEL_COUNT];
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_init(&verdicts[level], options.model, (enum level)level);
    txn_place(history, &options, verdicts);
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        const struct verdict *place = &verdicts[level];
        struct verdict check;
        verdict_init(&check, options.model, (enum level)level);
        txn_check(history, &options, &check);
        if (check.answer != place->answer ||
            (check.answer == ANSWER_NO &&
             !bytes_equal(buf_view(&check.text), buf_view(&place->text)))) {
            fprintf(stderr, "seed %llu shape %d %s: %.*s\nand among all levels: %.*s\n",
                    (unsigned long long)seed, shape, level_name((enum level)level),
                    (int)check.text.len, (const char *)check.text.data, (int)place->text.len,
                    (const char *)place->text.data);
            show(history);
            fail();
        }
        verdict_free(&check);
    }
    for (int level = 0; level < LEVEL_COUNT; level++)
        verdict_free(&verdicts[level]);
}

static void compare_many(enum shape shape, uint32_t runs) {
    struct tally tally = {0};
    const char *more = getenv("TXN_RUNS");
    runs = more ? (uint32_t)strtoul(more, NULL, 10) : runs;
    for (uint32_t run = 0; run < runs; run++) {
        struct prng prng;
        uint64_t seed = (uint64_t)shape << 32 | run;
        prng_seed(&prng, seed);
        struct history history;
        history_random(&history, &prng, shape);
        compare(&history, shape, seed, &tally);
        if (seed % 8 == 0)
            compare_reasons(&history, shape, seed);
        if (seed % 32 == 1 && shape != REPEATED)
            compare_dealt(&history, shape, seed);
        history_free(&history);
    }
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        print_message("%s: %llu yes, %llu no\n", level_name((enum level)level),
                      (unsigned long long)tally.yes[level], (unsigned long long)tally.no[level]);
        /* Operations one by one break little but the order of their sessions. */
        bool rare = shape == SINGLE && !level_axiom((enum level)level).sessions;
        assert_true(tally.yes[level] > runs / 50 && tally.no[level] > runs / (rare ? 500 : 50));
    }
    print_message("%llu undecided, %llu not verified\n", (unsigned long long)tally.undecided,
                  (unsigned long long)tally.unverified);
    assert_int_equal(tally.undecided, 0);
    assert_int_equal(tally.unverified, 0);
    assert_true(shape == REPEATED || dealt_held > runs / 32);
    dealt_held = 0;
}

static void transactions_of_unique_writes_are_judged_as_the_axioms_do(void **state) {
    compare_many(REGISTERS, 60000);
}

static void transactions_of_repeated_writes_are_judged_as_the_axioms_do(void **state) {
    compare_many(REPEATED, 30000);
}

static void transactions_of_lists_are_judged_as_the_axioms_do(void **state) {
    compare_many(LISTS, 60000);
}

static void single_operations_are_judged_as_the_axioms_do(void **state) {
    compare_many(SINGLE, 20000);
}

/* Many writers whose order is open, and no sessions: too much for a search alone. */
static void transactions_without_sessions_are_judged_as_they_were_written_down(void **state) {
    static const struct gen_options made = {.model = MODEL_TXN_RW,
                                            .level = LEVEL_STRICT_SERIALIZABLE,
                                            .clients = 10,
                                            .ops = 8000,
                                            .keys = 300,
                                            .seed = 3};
    struct limits limits = {.steps_max = 20000000};
    struct history history;
    struct buf why = {0};
    assert_true(gen_history(&made, &history, &why));
    for (uint32_t op = 0; op < history.op_count; op++)
        history.ops[op].process = op;
    history.has_real_time = false;
    struct check_options options = {.model = MODEL_TXN_RW, .limits = &limits, .want_order = true};
    struct verdict verdict;
    verdict_init(&verdict, MODEL_TXN_RW, LEVEL_SNAPSHOT_ISOLATION);
    txn_check(&history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_YES);
    assert_int_equal(verified(&history, &verdict, LEVEL_SNAPSHOT_ISOLATION), TXN_VERIFIED);
    verdict_free(&verdict);
    history_free(&history);
}

/* One register that all write: pairs that contradict each other are near each other in time, so
 * what is guessed between them is little. */
static void many_writers_of_one_register_take_few_steps(void **state) {
    static const struct gen_options made = {.model = MODEL_TXN_RW,
                                            .level = LEVEL_STRICT_SERIALIZABLE,
                                            .clients = 10,
                                            .ops = 20000,
                                            .keys = 1,
                                            .seed = 1};
    struct limits limits = {.steps_max = 10000000};
    struct history history;
    struct buf why = {0};
    assert_true(gen_history(&made, &history, &why));
    struct check_options options = {.model = MODEL_TXN_RW, .limits = &limits};
    struct verdict verdict;
    verdict_init(&verdict, MODEL_TXN_RW, LEVEL_SERIALIZABLE);
    txn_check(&history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_YES);
    verdict_free(&verdict);
    history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(transactions_of_unique_writes_are_judged_as_the_axioms_do),
        cmocka_unit_test(transactions_of_repeated_writes_are_judged_as_the_axioms_do),
        cmocka_unit_test(transactions_of_lists_are_judged_as_the_axioms_do),
        cmocka_unit_test(single_operations_are_judged_as_the_axioms_do),
        cmocka_unit_test(transactions_without_sessions_are_judged_as_they_were_written_down),
        cmocka_unit_test(many_writers_of_one_register_take_few_steps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
