/* Every fast way of judging single operations against plain exhaustive search, on random tiny
 * histories: answers come from a run of the object, and now and then one is changed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/prng.h"
#include "foresee.h"
#include "judge_truth.h"
#include "check/containers.h"
#include "check/depend.h"
#include "check/drains.h"
#include "check/exhaustive.h"
#include "check/part.h"
#include "check/sums.h"
#include "check/verify.h"
#include "check/write.h"
#include "plain_orders.h"
#include "random_history.h"

static void show(const struct history *history, const struct plan *plan, enum level level,
                 bool holds, const struct verdict *verdict) {
    struct history_writer writer = {.history = history, .format = WRITE_JSON};
    struct buf why = {0};
    history_write(&writer, &why);
    fprintf(stderr,
            "model %s level %s seed %llu: exhaustive search says %s, the checker %s: %.*s\n"
            "%.*s\n",
            model_name(plan->model), level_name(level), (unsigned long long)plan->seed,
            holds ? "yes" : "no", answer_name(verdict->answer), (int)verdict->text.len,
            (const char *)verdict->text.data, (int)writer.out.len, (const char *)writer.out.data);
    buf_free(&writer.out);
    buf_free(&why);
}

static uint64_t compared, held_count;

static bool level_is_order(enum level level) {
    return level == LEVEL_LINEARIZABLE || level == LEVEL_SEQUENTIAL ||
           level == LEVEL_PER_KEY_SEQUENTIAL;
}

static void compare(const struct history *history, const struct plan *plan, enum level level,
                    bool holds) {
    /* What an object really answered is possible: the models mean what the objects here do. */
    if (plan->lies == 0 && plan->swaps == 0 && !plan->foresees && level_is_order(level))
        assert_true(holds);
    struct check_options options = {
        .model = plan->model, .level = level, .by_key = true, .want_order = true};
    struct verdict verdict;
    struct buf why = {0};
    check_history(history, &options, &verdict);
    bool agrees = verdict.answer == (holds ? ANSWER_YES : ANSWER_NO);
    /* Weak levels leave open what failed comparisons saw. */
    agrees |= verdict.answer == ANSWER_UNDECIDED && level != LEVEL_LINEARIZABLE &&
              level != LEVEL_SEQUENTIAL && !plan->unique && !holds;
    if (!agrees)
        show(history, plan, level, holds, &verdict);
    assert_true(agrees);
    enum verify verified = verify_verdict(history, &verdict, &why);
    bool order = verdict.answer == ANSWER_YES && level_is_order(level);
    if (order && verified == VERIFY_UNCHECKED)
        verified = VERIFY_WRONG;
    if (verified == VERIFY_WRONG) {
        show(history, plan, level, holds, &verdict);
        print_error("verify: %.*s\n", (int)why.len, (const char *)why.data);
    }
    assert_int_not_equal(verified, VERIFY_WRONG);
    /* A yes has evidence at every level; a no may have to be shrunk first. */
    if (verdict.answer == ANSWER_YES && verified != VERIFY_RIGHT)
        fail_msg("%s of %s can't be verified: %.*s", level_name(level), model_name(plan->model),
                 (int)why.len, (const char *)why.data);
    buf_free(&why);
    verdict_free(&verdict);
    compared++;
    held_count += holds;
}

/* Drains count for as many as came out, and one. */
static bool small_enough(const struct history *history, enum model model) {
    struct drains drains;
    if (!drains_expand(&drains, history, model))
        return true;
    bool small = drains.whole.op_count <= EXHAUSTIVE_OPS_MAX;
    drains_free(&drains);
    return small;
}

/* What holds, holds without some operations too, and all that needs them: what is shrunk is judged
 * by that. */
static void drop_some(const struct history *history, const struct plan *plan, enum level level) {
    struct check_options options = {.model = plan->model, .level = level, .by_key = true};
    bool keep[EXHAUSTIVE_OPS_MAX];
    struct depend depend;
    struct history part;
    struct verdict verdict;
    for (uint32_t i = 0; i < history->op_count; i++)
        keep[i] = (prng_mix(plan->seed, i) & 3) != 0;
    depend_make(&depend, history, plan->model, level == LEVEL_LINEARIZABLE);
    depend_drop(&depend, keep);
    history_part(&part, history, keep, plan->model, level == LEVEL_LINEARIZABLE);
    check_history(&part, &options, &verdict);
    if (verdict.answer == ANSWER_NO)
        show(&part, plan, level, true, &verdict);
    assert_int_not_equal(verdict.answer, ANSWER_NO);
    verdict_free(&verdict);
    history_free(&part);
    depend_free(&depend);
}

/* No level holds without those that it is said to imply. */
static void compare_implied(const struct history *history, const struct plan *plan,
                            const struct truth *truth) {
    struct verdict verdict = {0};
    enum level stronger, weaker;
    if (truth_is_consistent(truth, &stronger, &weaker) ||
        (stronger == LEVEL_LINEARIZABLE && history_overlaps(history)))
        return;
    show(history, plan, weaker, false, &verdict);
    fail_msg("%s holds and %s does not", level_name(stronger), level_name(weaker));
}

/* All levels at once say the same as each alone. */
static void compare_place(const struct history *history, const struct plan *plan,
                          const struct truth *truth) {
    struct check_options options = {.model = plan->model, .by_key = true};
    struct verdict verdicts[LEVEL_COUNT];
    check_place(history, &options, verdicts);
    for (int level = 0; level < LEVEL_COUNT; level++) {
        enum answer answer = verdicts[level].answer;
        bool wrong = truth->defined[level] && answer != ANSWER_UNDECIDED &&
                     answer != (truth->holds[level] ? ANSWER_YES : ANSWER_NO);
        if (wrong)
            show(history, plan, (enum level)level, truth->holds[level], &verdicts[level]);
        assert_false(wrong);
        verdict_free(&verdicts[level]);
    }
}

/* Of repeated values the weak levels know at least what sequential says. */
static void compare_weak_of_repeated(const struct history *history, const struct plan *plan,
                                     const struct truth *truth) {
    static const enum level levels[] = {LEVEL_CAUSAL, LEVEL_CAUSAL_MEMORY, LEVEL_CAUSAL_CONVERGENCE,
                                        LEVEL_PRAM, LEVEL_MONOTONIC_READS};
    enum level level = levels[plan->seed / 8 % (sizeof levels / sizeof *levels)];
    if (!plan->unique && plan->model <= MODEL_CAS_REGISTER && truth->holds[LEVEL_SEQUENTIAL])
        compare(history, plan, level, true);
}

/* The second specification says the same; what holds, holds in part. */
static void compare_meaning(const struct history *history, const struct plan *plan,
                            const struct truth *truth) {
    static const enum level levels[] = {LEVEL_LINEARIZABLE, LEVEL_SEQUENTIAL};
    for (size_t i = 0; i < 2 && plan->model != MODEL_MULTI_REGISTER; i++) {
        bool holds = truth->holds[levels[i]];
        if (holds != plain_orders(history, plan->model, levels[i] == LEVEL_LINEARIZABLE))
            fail_msg("%s, seed %llu: two specifications of the model", model_name(plan->model),
                     (unsigned long long)plan->seed);
        if (holds)
            drop_some(history, plan, levels[i]);
    }
}

static void compare_levels(const struct plan *plan) {
    struct history history;
    struct truth truth;
    struct buf why = {0};
    random_history(&history, plan);
    if (!model_fits(plan->model, &history, &why))
        fail_msg("%.*s", (int)why.len, (const char *)why.data);
    if (!small_enough(&history, plan->model)) {
        history_free(&history);
        return;
    }
    truth_tell(&truth, &history, plan->model, plan->unique);
    compare_implied(&history, plan, &truth);
    compare_meaning(&history, plan, &truth);
    for (int level = 0; level < LEVEL_COUNT; level++)
        if (truth.defined[level])
            compare(&history, plan, (enum level)level, truth.holds[level]);
    compare_weak_of_repeated(&history, plan, &truth);
    if (plan->seed % 4 == 0)
        compare_place(&history, plan, &truth);
    history_free(&history);
}

static void compare_linearizable(const struct plan *plan) {
    struct history history;
    random_history(&history, plan);
    if (small_enough(&history, plan->model))
        compare(&history, plan, LEVEL_LINEARIZABLE, exhaustive_orders(&history, plan->model, true));
    history_free(&history);
}

static struct plan plan_of(enum model model, uint64_t seed, bool unique, bool weak) {
    struct plan plan = {.model = model, .unique = unique, .seed = prng_mix(seed, model)};
    plan.ops = 3 + (uint32_t)(plan.seed % 5);
    plan.processes = 2 + (uint32_t)(plan.seed / 8 % 3);
    plan.keys = 1 + (uint32_t)(plan.seed / 32 % 2);
    plan.lies = weak ? 60 : (uint32_t)(plan.seed / 64 % 3) * 40;
    plan.open = (uint32_t)(plan.seed / 256 % 3) * 15;
    plan.unknown = weak ? 0 : (uint32_t)(plan.seed / 65536 % 3) * 15;
    plan.answers = weak ? 0 : (uint32_t)(plan.seed / 262144 % 3) * 40;
    plan.foresees = plan.seed / 768 % 4 == 0;
    plan.touches = plan.seed / 3072 % 4 == 0;
    return plan;
}

#define RUNS 6000u

static uint64_t runs(void) {
    const char *times = getenv("CAIRN_TEST_TIMES"), *slice = getenv("CAIRN_TEST_SLICE");
    if (slice != NULL)
        return RUNS / 20;
    return RUNS * (times ? strtoull(times, NULL, 10) : 1);
}

static void orders_of(enum model model, bool unique) {
    compared = held_count = 0;
    for (uint64_t seed = 1; seed <= runs(); seed++) {
        struct plan plan = plan_of(model, seed, unique, false);
        compare_levels(&plan);
    }
    print_message("%s, %s values: %llu comparisons, %llu hold\n", model_name(model),
                  unique ? "unique" : "repeated", (unsigned long long)compared,
                  (unsigned long long)held_count);
    assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
}

static void registers_with_unique_values(void **state) {
    orders_of(MODEL_REGISTER, true);
    orders_of(MODEL_CAS_REGISTER, true);
}

static void registers_with_repeated_values(void **state) {
    orders_of(MODEL_REGISTER, false);
    orders_of(MODEL_CAS_REGISTER, false);
    orders_of(MODEL_KV, false);
}

/* Much at once and few values: writes that another hides, also one of the value that is there. */
static void registers_with_much_overlap(void **state) {
    for (int model = MODEL_REGISTER; model <= MODEL_KV; model++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= 4 * runs(); seed++) {
            struct plan plan = plan_of((enum model)model, seed, false, false);
            plan.slow = true;
            plan.lies = 0;
            plan.processes = RANDOM_PROCESSES_MAX;
            plan.ops = 6 + (uint32_t)(plan.seed / 1024 % 3);
            plan.keys = 1;
            plan.swaps = (uint32_t)(plan.seed / 4096 % 2);
            compare_linearizable(&plan);
        }
        print_message("%s, much overlap: %llu comparisons, %llu hold\n",
                      model_name((enum model)model), (unsigned long long)compared,
                      (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

static void texts_and_lists(void **state) {
    orders_of(MODEL_KV, true);
    orders_of(MODEL_APPEND, true);
    orders_of(MODEL_APPEND, false);
}

static void containers(void **state) {
    orders_of(MODEL_QUEUE, true);
    orders_of(MODEL_QUEUE, false);
    orders_of(MODEL_UNORDERED_QUEUE, true);
    orders_of(MODEL_UNORDERED_QUEUE, false);
    orders_of(MODEL_STACK, true);
    orders_of(MODEL_STACK, false);
    orders_of(MODEL_PRIORITY_QUEUE, true);
    orders_of(MODEL_PRIORITY_QUEUE, false);
    orders_of(MODEL_SET, true);
    orders_of(MODEL_SET, false);
}

/* No two elements alike, and only what puts and takes: nothing is left to a search. */
static void elements_one_by_one(void **state) {
    static const enum model models[] = {MODEL_QUEUE, MODEL_UNORDERED_QUEUE, MODEL_STACK,
                                        MODEL_PRIORITY_QUEUE, MODEL_SET};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= runs(); seed++) {
            struct plan plan = plan_of(models[i], seed, true, false);
            plan.plain = models[i] != MODEL_UNORDERED_QUEUE;
            plan.unknown = 0;
            plan.answers = models[i] == MODEL_SET ? plan.answers : 0;
            plan.ops = 6 + (uint32_t)(plan.seed / 1024 % 3);
            plan.processes = 2 + (uint32_t)(plan.seed / 8 % 3);
            plan.keys = 1;
            plan.swaps = (uint32_t)(plan.seed / 4096 % 3);
            plan.lies /= 4;
            compare_linearizable(&plan);
        }
        print_message("%s, one by one: %llu comparisons, %llu hold\n", model_name(models[i]),
                      (unsigned long long)compared, (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

/* The way of transactions alone, which a short search leaves little to do. */
static void compare_transactions(const struct plan *plan) {
    struct history history;
    struct verdict verdict;
    struct buf why = {0};
    struct limits unlimited = {0};
    uint32_t ops[EXHAUSTIVE_OPS_MAX];
    bool holds;
    random_history(&history, plan);
    for (uint32_t i = 0; i < history.op_count; i++)
        ops[i] = i;
    bool expected = exhaustive_orders(&history, plan->model, true);
    compare(&history, plan, LEVEL_LINEARIZABLE, expected);
    verdict_init(&verdict, plan->model, LEVEL_LINEARIZABLE);
    if (multi_check(&history, ops, history.op_count, &unlimited, true, &holds, &verdict)) {
        if (holds != expected)
            show(&history, plan, LEVEL_LINEARIZABLE, expected, &verdict);
        assert_int_equal(holds, expected);
        assert_int_not_equal(verify_verdict(&history, &verdict, &why), VERIFY_WRONG);
    } else {
        assert_false(plan->unique);
    }
    buf_free(&why);
    verdict_free(&verdict);
    history_free(&history);
}

static void transactions_on_one_object(void **state) {
    for (int unique = 0; unique < 2; unique++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= runs(); seed++) {
            struct plan plan = plan_of(MODEL_MULTI_REGISTER, seed, unique, false);
            plan.swaps = (uint32_t)(plan.seed / 4096 % 4);
            compare_transactions(&plan);
        }
        print_message("multi-register: %llu comparisons, %llu hold\n", (unsigned long long)compared,
                      (unsigned long long)held_count);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

static uint64_t stayed; /* what adding up decided */

/* Adding up alone, which a short search leaves little to do. */
static void compare_sums(const struct plan *plan) {
    struct history history;
    struct verdict verdict;
    struct buf why = {0};
    struct sums_result result;
    uint32_t ops[EXHAUSTIVE_OPS_MAX];
    random_history(&history, plan);
    for (uint32_t i = 0; i < history.op_count; i++)
        ops[i] = i;
    bool expected = exhaustive_orders(&history, plan->model, true);
    compare(&history, plan, LEVEL_LINEARIZABLE, expected);
    verdict_init(&verdict, plan->model, LEVEL_LINEARIZABLE);
    bool nonnegative = plan->model == MODEL_BANK_NONNEGATIVE;
    assert_true(sums_check(&history, nonnegative ? MODEL_BANK : plan->model, ops, history.op_count,
                           VALUE_NULL, NULL, &result));
    if (nonnegative && result.answer == ANSWER_YES &&
        !sums_stay_above(&history, VALUE_NULL, &result)) {
        cairn_free(result.order); /* another order may do */
        verdict_free(&verdict);
        history_free(&history);
        return;
    }
    stayed++;
    verdict.answer = result.answer;
    if (result.answer != (expected ? ANSWER_YES : ANSWER_NO))
        show(&history, plan, LEVEL_LINEARIZABLE, expected, &verdict);
    assert_int_equal(result.answer, expected ? ANSWER_YES : ANSWER_NO);
    struct order *order = verdict_order(&verdict, SCOPE_ALL, VALUE_NULL);
    order->ops = result.order;
    order->count = result.order_count;
    if (expected)
        assert_int_equal(verify_verdict(&history, &verdict, &why), VERIFY_RIGHT);
    buf_free(&why);
    verdict_free(&verdict);
    history_free(&history);
}

static void sums_of_changes(void **state) {
    static const enum model models[] = {MODEL_BANK, MODEL_BANK_NONNEGATIVE, MODEL_COUNTER};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
        compared = held_count = stayed = 0;
        for (uint64_t seed = 1; seed <= 2 * runs(); seed++) {
            struct plan plan = plan_of(models[i], seed, true, false);
            plan.keys = 1;
            plan.answers = 0;
            plan.open = (uint32_t)(plan.seed / 256 % 4) * 15;
            plan.plain = true;
            plan.ops += (uint32_t)(plan.seed / 1024 % 2);
            plan.swaps = (uint32_t)(plan.seed / 4096 % 3);
            compare_sums(&plan);
        }
        print_message("%s, added up: %llu comparisons, %llu hold\n", model_name(models[i]),
                      (unsigned long long)compared, (unsigned long long)held_count);
        assert_true(stayed > compared / 2);
        assert_true(held_count > compared / 10 && held_count < compared - compared / 100);
    }
}

static void counters_locks_and_banks(void **state) {
    orders_of(MODEL_COUNTER, true);
    orders_of(MODEL_BANK, true);
    orders_of(MODEL_BANK_NONNEGATIVE, true);
    orders_of(MODEL_UNIQUE_IDS, true);
    orders_of(MODEL_MUTEX, true);
    orders_of(MODEL_OWNED_MUTEX, true);
    orders_of(MODEL_REENTRANT_MUTEX, true);
    orders_of(MODEL_FENCED_MUTEX, true);
    orders_of(MODEL_SEMAPHORE, true);
}

/* Two releases and an acquisition of one process that touch: the second release may have come
 * first, and so the first one is needed. */
static void a_release_may_come_before_the_acquisition_that_it_touches(void **state) {
    struct plan plan = plan_of(MODEL_SEMAPHORE, 82542, true, false);
    compare_levels(&plan);
}

static void weak_levels(void **state) {
    for (int model = MODEL_REGISTER; model <= MODEL_CAS_REGISTER; model++) {
        compared = held_count = 0;
        for (uint64_t seed = 1; seed <= 2 * runs(); seed++) {
            struct plan plan = plan_of((enum model)model, seed, true, true);
            compare_levels(&plan);
        }
        print_message("%s: %llu comparisons, %llu hold\n", model_name((enum model)model),
                      (unsigned long long)compared, (unsigned long long)held_count);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(registers_with_unique_values),
        cmocka_unit_test(registers_with_repeated_values),
        cmocka_unit_test(registers_with_much_overlap),
        cmocka_unit_test(texts_and_lists),
        cmocka_unit_test(containers),
        cmocka_unit_test(elements_one_by_one),
        cmocka_unit_test(transactions_on_one_object),
        cmocka_unit_test(sums_of_changes),
        cmocka_unit_test(counters_locks_and_banks),
        cmocka_unit_test(a_release_may_come_before_the_acquisition_that_it_touches),
        cmocka_unit_test(weak_levels),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
