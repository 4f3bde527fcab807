/* Shrinking: what is left violates, needs each of its operations, and violates only because the
 * whole does. */
#include "base/alloc.h"
#include "base/prng.h"
#include "check/depend.h"
#include "check/gen.h"
#include "check/part.h"
#include "check/shrink.h"
#include "check/verify.h"
#include "read_text.h"

#define SEEDS 400u
#define STEPS_MAX 2000000u

static enum answer judge(const struct history *history, enum model model, enum level level) {
    struct limits limits = {.steps_max = STEPS_MAX};
    struct check_options options = {
        .model = model, .level = level, .limits = &limits, .by_key = true};
    struct verdict verdict;
    check_history(history, &options, &verdict);
    enum answer answer = verdict.answer;
    verdict_free(&verdict);
    return answer;
}

static void make(struct history *history, enum model model, enum level level, uint64_t seed,
                 bool bad) {
    struct gen_options options = {.model = model,
                                  .level = level,
                                  .clients = 2 + (uint32_t)seed % 3,
                                  .ops = 16,
                                  .keys = 1 + (uint32_t)seed % 2,
                                  .values = seed % 4 == 0 ? 3 : 0,
                                  .info_percent = 10 * ((uint32_t)seed % 2),
                                  .bad = bad,
                                  .seed = seed};
    struct buf why = {0};
    if (model_transactional(model) || model == MODEL_BANK) {
        options.values = 0;
        options.keys = 2;
    }
    if (!gen_history(&options, history, &why))
        fail_msg("%s: %.*s", model_name(model), (int)why.len, (const char *)why.data);
    buf_free(&why);
}

static enum answer judge_part(const struct history *history, const bool *keep, enum model model,
                              enum level level) {
    struct history part;
    history_part(&part, history, keep, model, level == LEVEL_LINEARIZABLE);
    enum answer answer = judge(&part, model, level);
    history_free(&part);
    return answer;
}

static void show_part(const struct history *history, const bool *keep) {
    struct buf text = {0};
    for (uint32_t i = 0; i < history->op_count; i++) {
        buf_printf(&text, "%s ", keep[i] ? " " : "-");
        history_describe(history, i, &text);
        buf_printf(&text, " [%u, %u]\n", history->ops[i].call, history->ops[i].ret);
    }
    print_error("%.*s", (int)text.len, (const char *)text.data);
    buf_free(&text);
}

static void drop_some(const struct history *history, enum model model, enum level level,
                      uint64_t seed) {
    struct depend depend;
    struct prng prng;
    bool *keep = malloc(history->op_count + 1);
    prng_seed(&prng, seed);
    depend_make(&depend, history, model, level == LEVEL_LINEARIZABLE);
    for (int tries = 0; tries < 6; tries++) {
        for (uint32_t i = 0; i < history->op_count; i++)
            keep[i] = !prng_chance(&prng, 1, 4);
        depend_drop(&depend, keep);
        if (judge_part(history, keep, model, level) == ANSWER_NO) {
            show_part(history, keep);
            fail_msg("%s %s, seed %d: a part violates and the whole does not", model_name(model),
                     level_name(level), (int)seed);
        }
    }
    depend_free(&depend);
    free(keep);
}

static void what_holds_still_holds_in_part(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (uint64_t seed = 1; seed <= SEEDS && model != MODEL_LONG_FORK; seed++) {
            bool txn = model_transactional((enum model)model);
            enum level level = txn             ? LEVEL_SERIALIZABLE
                               : seed % 2 == 0 ? LEVEL_SEQUENTIAL
                                               : LEVEL_LINEARIZABLE;
            struct history history;
            make(&history, (enum model)model, LEVEL_NONE, seed, false);
            drop_some(&history, (enum model)model, level, seed);
            history_free(&history);
        }
}

/* Without any one, and whatever needs it, the others satisfy the level. */
static void assert_each_needed(const struct history *history, const bool *keep, enum model model,
                               enum level level) {
    struct depend depend;
    bool *trial = malloc(history->op_count + 1);
    depend_make(&depend, history, model, level == LEVEL_LINEARIZABLE);
    assert_int_equal(judge_part(history, keep, model, level), ANSWER_NO);
    for (uint32_t op = 0; op < history->op_count; op++) {
        if (!keep[op])
            continue;
        memcpy(trial, keep, history->op_count);
        trial[op] = false;
        depend_drop(&depend, trial);
        if (judge_part(history, trial, model, level) == ANSWER_NO)
            fail_msg("%s %s: not every operation is needed", model_name(model), level_name(level));
    }
    depend_free(&depend);
    free(trial);
}

static void every_operation_that_is_left_is_needed(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (int level = 0; level < LEVEL_COUNT; level++)
            for (uint64_t seed = 1; gen_has((enum model)model, (enum level)level) && seed <= 4;
                 seed++) {
                struct check_options options = {
                    .model = (enum model)model, .level = (enum level)level, .by_key = true};
                struct shrink_result result;
                struct verdict verdict;
                struct history history;
                make(&history, options.model, options.level, 2 * seed + 1, true);
                check_history(&history, &options, &verdict);
                assert_int_equal(verdict.answer, ANSWER_NO);
                shrink_violation(&history, &options, &verdict, &result);
                assert_true(result.minimal && result.kept == verdict.op_count);
                assert_each_needed(&history, result.keep, options.model, options.level);
                cairn_free(result.keep);
                verdict_free(&verdict);
                history_free(&history);
            }
}

static void stopped_by_a_limit_it_keeps_what_was_known(void **state) {
    struct limits limits = {.steps_max = STEPS_MAX};
    struct check_options options = {
        .model = MODEL_REGISTER, .level = LEVEL_LINEARIZABLE, .limits = &limits, .by_key = true};
    struct shrink_result result;
    struct verdict verdict;
    struct history history;
    struct buf why = {0};
    make(&history, options.model, options.level, 3, true);
    check_history(&history, &options, &verdict);
    limits.stopped = LIMITS_TIME;
    shrink_violation(&history, &options, &verdict, &result);
    assert_false(result.minimal || verdict.minimal);
    assert_int_equal(verdict.answer, ANSWER_NO);
    assert_true(result.kept > 0 && verdict.op_count == result.kept);
    assert_int_not_equal(verify_verdict(&history, &verdict, &why), VERIFY_WRONG);
    buf_free(&why);
    cairn_free(result.keep);
    verdict_free(&verdict);
    history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_holds_still_holds_in_part),
        cmocka_unit_test(every_operation_that_is_left_is_needed),
        cmocka_unit_test(stopped_by_a_limit_it_keeps_what_was_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
