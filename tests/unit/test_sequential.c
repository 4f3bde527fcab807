/* Sequential is decided where a few operations decide it, however many others there are. */
#include "check/check.h"
#include "check/gen.h"
#include "check/verify.h"
#include "read_text.h"

#define STEPS 400000u /* of search: what needs no search, or a short one, stays far below */

static enum answer judged(const struct history *history, enum model model, enum level level,
                          enum verify *verified) {
    struct limits limits = {.steps_max = STEPS};
    struct check_options options = {
        .model = model, .level = level, .limits = &limits, .by_key = true, .want_order = true};
    struct verdict verdict;
    struct buf why = {0};
    check_history(history, &options, &verdict);
    enum answer answer = verdict.answer;
    *verified = verify_verdict(history, &verdict, &why);
    verdict_free(&verdict);
    buf_free(&why);
    return answer;
}

static enum answer placed(const struct history *history, enum model model, enum level level) {
    struct limits limits = {.steps_max = STEPS};
    struct check_options options = {.model = model, .limits = &limits, .by_key = true};
    struct verdict verdicts[LEVEL_COUNT];
    check_place(history, &options, verdicts);
    enum answer answer = verdicts[level].answer;
    for (int i = 0; i < LEVEL_COUNT; i++)
        verdict_free(&verdicts[i]);
    return answer;
}

static void assert_both(const struct history *history, enum model model, enum answer expected) {
    enum verify verified;
    enum answer answer = judged(history, model, LEVEL_SEQUENTIAL, &verified);
    if (answer != expected || placed(history, model, LEVEL_SEQUENTIAL) != expected)
        fail_msg("%s: %s, in place %s", model_name(model), answer_name(answer),
                 answer_name(placed(history, model, LEVEL_SEQUENTIAL)));
    assert_int_not_equal(verified, VERIFY_WRONG);
}

static void make(struct history *history, enum model model, uint32_t ops, uint64_t seed, bool bad) {
    struct gen_options options = {.model = model,
                                  .level = LEVEL_LINEARIZABLE,
                                  .clients = 5,
                                  .ops = ops,
                                  .keys = 3,
                                  .bad = bad,
                                  .seed = seed};
    assert_true(gen_history(&options, history, NULL));
}

/* Its few operations stand on a key of their own, among hundreds of others. */
static void what_no_order_allows_is_found_before_any_search(void **state) {
    static const enum model models[] = {MODEL_QUEUE, MODEL_STACK, MODEL_PRIORITY_QUEUE, MODEL_MUTEX,
                                        MODEL_BANK};
    for (size_t i = 0; i < sizeof models / sizeof *models; i++)
        for (uint32_t ops = 40; ops <= 1000; ops *= 5)
            for (uint64_t seed = 1; seed <= 4; seed++) {
                struct history history;
                make(&history, models[i], ops, seed, true);
                assert_both(&history, models[i], ANSWER_NO);
                history_free(&history);
            }
}

static void what_is_linearizable_is_sequential_at_once(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (uint64_t seed = 1; seed <= 3 && gen_has((enum model)model, LEVEL_LINEARIZABLE);
             seed++) {
            struct history history;
            make(&history, (enum model)model, 200, seed, false);
            assert_both(&history, (enum model)model, ANSWER_YES);
            history_free(&history);
        }
}

/* ---- one story each of what no order allows ---- */

#define DID(process, f, asked, answered)                                                   \
    "{\"process\":" #process ",\"type\":\"invoke\",\"f\":\"" f "\",\"value\":" asked "}\n" \
    "{\"process\":" #process ",\"type\":\"ok\",\"f\":\"" f "\",\"value\":" answered "}\n"

static void assert_refuted(const char *text, enum model model, enum level level) {
    struct text_history read;
    enum verify verified;
    read_text(&read, text, NULL);
    assert_true(read.good);
    assert_int_equal(judged(&read.history, model, level, &verified), ANSWER_NO);
    assert_int_equal(verified, VERIFY_RIGHT);
    assert_int_equal(placed(&read.history, model, level), ANSWER_NO);
    text_history_free(&read);
}

static void each_kind_of_what_no_order_allows(void **state) {
    assert_refuted(DID(0, "enqueue", "1", "1") DID(1, "dequeue", "null", "1")
                       DID(2, "dequeue", "null", "1"),
                   MODEL_QUEUE, LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "push", "1", "1") DID(1, "pop", "null", "2"), MODEL_STACK,
                   LEVEL_PER_KEY_SEQUENTIAL);
    assert_refuted(DID(0, "insert", "1", "1") DID(1, "peek", "null", "3"), MODEL_PRIORITY_QUEUE,
                   LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "add", "1", "1") DID(1, "read", "null", "[1,2]"), MODEL_SET,
                   LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "append", "1", "1") DID(1, "read", "null", "[2]"), MODEL_APPEND,
                   LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "add", "2", "2") DID(1, "add", "-1", "-1") DID(1, "read", "null", "3"),
                   MODEL_COUNTER, LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "acquire", "null", "null") DID(1, "acquire", "null", "null"), MODEL_MUTEX,
                   LEVEL_SEQUENTIAL);
    assert_refuted(DID(0, "release", "null", "null"), MODEL_MUTEX, LEVEL_SEQUENTIAL);
    /* Where values repeat, at the weak levels too. */
    assert_refuted(DID(0, "write", "1", "1") DID(0, "write", "1", "1") DID(1, "read", "null", "2"),
                   MODEL_REGISTER, LEVEL_CAUSAL);
}

/* Nothing of it is impossible: it was put in as often as it was taken. */
static void what_some_order_allows_is_not_refuted(void **state) {
    struct text_history read;
    enum verify verified;
    read_text(&read,
              DID(0, "dequeue", "null", "1") DID(1, "enqueue", "1", "1") DID(1, "enqueue", "1", "1")
                  DID(2, "dequeue", "null", "1"),
              NULL);
    assert_int_equal(judged(&read.history, MODEL_QUEUE, LEVEL_SEQUENTIAL, &verified), ANSWER_YES);
    assert_int_equal(verified, VERIFY_RIGHT);
    text_history_free(&read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_no_order_allows_is_found_before_any_search),
        cmocka_unit_test(what_is_linearizable_is_sequential_at_once),
        cmocka_unit_test(each_kind_of_what_no_order_allows),
        cmocka_unit_test(what_some_order_allows_is_not_refuted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
