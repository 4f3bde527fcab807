/* Histories that are made have the level that was asked for, and are read back as they were. */
#include "check/check.h"
#include "check/gen.h"
#include "read_text.h"

#define SEEDS 6

static enum answer judge(const struct history *history, enum model model, enum level level) {
    struct limits limits = {.steps_max = 20000000};
    struct check_options options = {
        .model = model, .level = level, .limits = &limits, .by_key = true};
    struct verdict verdict;
    struct buf why = {0};
    assert_true(model_fits(model, history, &why));
    check_history(history, &options, &verdict);
    enum answer answer = verdict.answer;
    verdict_free(&verdict);
    buf_free(&why);
    return answer;
}

static void make(struct history *history, enum model model, enum level level, uint64_t seed,
                 bool bad) {
    struct gen_options options = {.model = model,
                                  .level = level,
                                  .clients = 2 + (uint32_t)seed % 4,
                                  .ops = 40,
                                  .keys = 1 + (uint32_t)seed % 3,

                                  .info_percent = 5 * ((uint32_t)seed % 2),
                                  .bad = bad,
                                  .seed = seed};
    assert_true(gen_history(&options, history, NULL));
}

static void every_level_is_held_and_with_bad_is_not(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (int level = 0; level < LEVEL_COUNT; level++) {
            if (!gen_has((enum model)model, (enum level)level))
                continue;
            for (uint64_t seed = 1; seed <= SEEDS; seed++) {
                struct history good, bad;
                make(&good, (enum model)model, (enum level)level, seed, false);
                make(&bad, (enum model)model, (enum level)level, seed, true);
                if (judge(&good, (enum model)model, (enum level)level) != ANSWER_YES ||
                    judge(&bad, (enum model)model, (enum level)level) != ANSWER_NO)
                    fail_msg("%s %s, seed %d", model_name((enum model)model),
                             level_name((enum level)level), (int)seed);
                history_free(&good);
                history_free(&bad);
            }
        }
}

/* Of some seeds a weak level must break the next stronger one, or the system behind it is none. */
static void a_weak_level_is_really_weak(void **state) {
    static const struct {
        enum model model;
        enum level level, stronger;
    } pairs[] = {
        {MODEL_REGISTER, LEVEL_SEQUENTIAL, LEVEL_LINEARIZABLE},
        {MODEL_REGISTER, LEVEL_CAUSAL_CONVERGENCE, LEVEL_SEQUENTIAL},
        {MODEL_REGISTER, LEVEL_CAUSAL_MEMORY, LEVEL_SEQUENTIAL},
        {MODEL_REGISTER, LEVEL_PRAM, LEVEL_CAUSAL},
        {MODEL_REGISTER, LEVEL_PER_KEY_SEQUENTIAL, LEVEL_PRAM},
        {MODEL_REGISTER, LEVEL_MONOTONIC_READS, LEVEL_READ_YOUR_WRITES},
        {MODEL_REGISTER, LEVEL_READ_YOUR_WRITES, LEVEL_MONOTONIC_READS},
        {MODEL_REGISTER, LEVEL_MONOTONIC_WRITES, LEVEL_PRAM},
        {MODEL_TXN_RW, LEVEL_SESSION_SERIALIZABLE, LEVEL_STRICT_SERIALIZABLE},
        {MODEL_TXN_RW, LEVEL_SERIALIZABLE, LEVEL_SESSION_SERIALIZABLE},
        {MODEL_TXN_RW, LEVEL_STRONG_SNAPSHOT_ISOLATION, LEVEL_SERIALIZABLE},
        {MODEL_TXN_RW, LEVEL_SNAPSHOT_ISOLATION, LEVEL_SESSION_SNAPSHOT_ISOLATION},
        {MODEL_TXN_RW, LEVEL_SESSION_PREFIX, LEVEL_SNAPSHOT_ISOLATION},
        {MODEL_TXN_RW, LEVEL_PREFIX, LEVEL_SESSION_PREFIX},
        {MODEL_TXN_RW, LEVEL_TXN_CAUSAL, LEVEL_PREFIX},
        {MODEL_TXN_RW, LEVEL_SESSION_READ_ATOMIC, LEVEL_TXN_CAUSAL},
        {MODEL_TXN_RW, LEVEL_READ_ATOMIC, LEVEL_SESSION_READ_ATOMIC},
        {MODEL_TXN_RW, LEVEL_SESSION_ATOMIC_VIEW, LEVEL_READ_ATOMIC},
        {MODEL_TXN_RW, LEVEL_ATOMIC_VIEW, LEVEL_SESSION_ATOMIC_VIEW},
        {MODEL_TXN_RW, LEVEL_READ_COMMITTED, LEVEL_ATOMIC_VIEW},
        {MODEL_TXN_APPEND, LEVEL_SESSION_SERIALIZABLE, LEVEL_STRICT_SERIALIZABLE},
        {MODEL_TXN_APPEND, LEVEL_SERIALIZABLE, LEVEL_SESSION_SERIALIZABLE},
        {MODEL_TXN_APPEND, LEVEL_SESSION_SNAPSHOT_ISOLATION, LEVEL_SERIALIZABLE},
        {MODEL_TXN_APPEND, LEVEL_PREFIX, LEVEL_SNAPSHOT_ISOLATION},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof *pairs; i++) {
        bool broken = false;
        for (uint64_t seed = 1; seed <= 40 && !broken; seed++) {
            struct history history;
            struct gen_options options = {.model = pairs[i].model,
                                          .level = pairs[i].level,
                                          .clients = 5,
                                          .ops = 150,
                                          .keys = 4,
                                          .seed = seed};
            assert_true(gen_history(&options, &history, NULL));
            broken = judge(&history, pairs[i].model, pairs[i].stronger) == ANSWER_NO;
            history_free(&history);
        }
        if (!broken)
            fail_msg("%s is never less than %s", level_name(pairs[i].level),
                     level_name(pairs[i].stronger));
    }
}

static void the_same_seed_makes_the_same_history(void **state) {
    for (uint64_t seed = 1; seed <= 5; seed++) {
        struct history a, b, c;
        make(&a, MODEL_KV, LEVEL_NONE, seed, false);
        make(&b, MODEL_KV, LEVEL_NONE, seed, false);
        make(&c, MODEL_KV, LEVEL_NONE, seed + 4, false);
        assert_true(history_equal(&a, &b, NULL));
        assert_false(history_equal(&a, &c, NULL));
        history_free(&a);
        history_free(&b);
        history_free(&c);
    }
}

static void assert_written_and_read(const struct history *history, enum write_format format,
                                    enum model model) {
    static const struct read_options none;
    struct history_writer writer = {.history = history, .format = format};
    struct text_history again;
    struct buf why = {0};
    assert_true(history_write(&writer, &why));
    read_pieces(&again, buf_view(&writer.out), 100, &none);
    if (!again.good)
        fail_msg("%s: %s", model_name(model), again.error);
    assert_int_equal(again.lint.totals[LINT_ERROR], 0);
    if (writer.lost == 0 && !history_equal(history, &again.history, &why)) {
        buf_u8(&why, 0);
        fail_msg("%s: %s", model_name(model), (char *)why.data);
    }
    buf_free(&writer.out);
    buf_free(&why);
    text_history_free(&again);
}

static void what_is_written_is_read_back(void **state) {
    for (int model = 0; model < MODEL_COUNT; model++)
        for (uint64_t seed = 1; seed <= SEEDS; seed++) {
            struct history history;
            enum level level = model_transactional((enum model)model) ? LEVEL_STRICT_SERIALIZABLE
                                                                      : LEVEL_LINEARIZABLE;
            if (!gen_has((enum model)model, level))
                continue;
            make(&history, (enum model)model, level, seed, false);
            struct fault_event *fault = history_fault(&history);
            fault->position = history.positions++;
            fault->what = value_text(&history.values, BYTES("kill"));
            assert_written_and_read(&history, WRITE_JSON, (enum model)model);
            assert_written_and_read(&history, WRITE_EDN, (enum model)model);
            history_free(&history);
        }
}

/* At equal times calls come first, so that these two overlap, which halves could not tell. */
static void operations_that_touch_are_written_whole(void **state) {
    struct text_history read;
    read_text(&read,
              "{\"process\":0,\"f\":\"swap\",\"value\":1,\"result\":0,\"call\":10,\"return\":20}\n"
              "{\"process\":0,\"f\":\"cas\",\"value\":[2,3],\"call\":20,\"return\":30,"
              "\"type\":\"fail\"}\n"
              "{\"process\":\"nemesis\",\"type\":\"info\",\"f\":\"kill\",\"time\":25}\n"
              "{\"process\":1,\"f\":\"read\",\"value\":1,\"call\":5,\"return\":40}\n",
              NULL);
    assert_true(read.good);
    assert_int_equal(read.lint.totals[LINT_ERROR], 0);
    assert_true(read.history.ops[2].call < read.history.ops[1].ret);
    assert_int_equal(read.history.ops[2].outcome, OP_MISMATCH);
    assert_int_equal(read.history.faults[0].position, 4); /* before the second return */
    assert_written_and_read(&read.history, WRITE_JSON, MODEL_REGISTER);
    assert_written_and_read(&read.history, WRITE_EDN, MODEL_REGISTER);
    text_history_free(&read);
}

static void sessions_are_written_and_read_back(void **state) {
    static const char text[] = "w 1 5\nr x 0\n-----\nw y a\n=====\nr y a\nr 1 0\n=====\nw 1 0\n";
    struct text_history read;
    struct buf why = {0};
    read_text(&read, text, NULL);
    assert_true(read.good);
    assert_written_and_read(&read.history, WRITE_AWDIT, MODEL_TXN_RW);
    assert_written_and_read(&read.history, WRITE_JSON, MODEL_TXN_RW);
    struct history_writer writer = {.history = &read.history, .format = WRITE_AWDIT};
    assert_true(history_write(&writer, &why));
    assert_int_equal(writer.lost, 0);
    assert_int_equal(writer.out.len, strlen(text));
    assert_memory_equal(writer.out.data, text, strlen(text));
    buf_free(&writer.out);
    text_history_free(&read);
}

static void what_a_format_cannot_hold_is_refused_or_counted(void **state) {
    struct text_history read;
    struct buf why = {0};
    read_text(&read,
              "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"value\":null}\n"
              "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"value\":null}\n",
              NULL);
    struct history_writer awdit = {.history = &read.history, .format = WRITE_AWDIT};
    assert_false(history_write(&awdit, &why));
    buf_u8(&why, 0);
    assert_string_equal((char *)why.data, "line 1: this format has transactions only");
    struct history_writer edn = {.history = &read.history, .format = WRITE_EDN};
    assert_true(history_write(&edn, &why));
    assert_int_equal(edn.lost, 1);
    buf_free(&awdit.out);
    buf_free(&edn.out);
    buf_free(&why);
    text_history_free(&read);
}

static void what_cannot_be_made_is_said(void **state) {
    struct history history;
    struct gen_options options = {
        .model = MODEL_QUEUE, .level = LEVEL_CAUSAL, .clients = 2, .ops = 5, .keys = 1};
    struct buf why = {0};
    assert_false(gen_history(&options, &history, &why));
    assert_true(why.len > 0);
    history_free(&history);
    options.level = LEVEL_LINEARIZABLE;
    options.clients = 0;
    assert_false(gen_history(&options, &history, &why));
    history_free(&history);
    buf_free(&why);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_level_is_held_and_with_bad_is_not),
        cmocka_unit_test(a_weak_level_is_really_weak),
        cmocka_unit_test(the_same_seed_makes_the_same_history),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(operations_that_touch_are_written_whole),
        cmocka_unit_test(sessions_are_written_and_read_back),
        cmocka_unit_test(what_a_format_cannot_hold_is_refused_or_counted),
        cmocka_unit_test(what_cannot_be_made_is_said),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
