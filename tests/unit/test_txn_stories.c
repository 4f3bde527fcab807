/* The transactional levels on the stories that the literature tells of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "check/txn.h"
#include "check/txn_verify.h"
#include "check/unrecorded.h"

/* A transaction of process `p` over [call, ret]: "r x 1 w y 2", "a x 3" appends, "l x 12" reads the
 * list [1, 2]; "-" is nil. */
static void txn_at(struct history *history, uint32_t p, uint32_t call, uint32_t ret,
                   const char *text) {
    uint32_t at = history->mop_count, count = 0;
    for (const char *c = text; *c != 0; c += c[5] ? 6 : 5, count++) {
        uint32_t value = c[4] == '-' ? VALUE_NULL : value_int(&history->values, c[4] - '0');
        uint32_t key = value_text(&history->values, bytes_of(&c[2], 1));
        struct mop mop = {MOP_WRITE, key, value};
        if (c[0] == 'a') {
            mop.kind = MOP_APPEND;
        } else if (c[0] != 'w') {
            mop.kind = MOP_READ;
            uint32_t items[9];
            for (uint32_t i = 0; i < 9; i++)
                items[i] = value_int(&history->values, i + 1);
            if (c[0] == 'l')
                mop.value = value_list(&history->values, items, (uint32_t)(c[4] - '0'));
        }
        *history_mop(history) = mop;
    }
    *history_op(history) = (struct op){
        .call = call, .ret = ret, .process = p, .f = OP_TXN, .arg = at, .out = count, .line = call};
    if (history->process_count <= p) {
        history->process_count = p + 1;
        history->processes = realloc(history->processes, history->process_count * sizeof(uint32_t));
        history->processes[p] = value_int(&history->values, p);
    }
}

static void begin(struct history *history) {
    history_init(history);
    history->has_real_time = true;
    history->positions = 1000;
}

/* Each transaction in a process of its own, all at the same time. */
static void together(struct history *history, const char *const *texts) {
    begin(history);
    for (uint32_t i = 0; texts[i] != NULL; i++)
        txn_at(history, i, i, 100 + i, texts[i]);
}

static void judge(const struct history *history, enum model model, enum level level,
                  struct verdict *verdict) {
    struct check_options options = {.model = model, .level = level, .want_order = true};
    verdict_init(verdict, model, level);
    txn_check(history, &options, verdict);
    struct buf why = {0};
    assert_int_equal(txn_verify(history, verdict, NULL, &why), TXN_VERIFIED);
    buf_free(&why);
}

/* The strongest of the levels below strict that holds, and what the next one names. */
static uint32_t strongest(struct history *history, enum model model, enum level *level) {
    static const enum level chain[] = {
        LEVEL_READ_COMMITTED, LEVEL_ATOMIC_VIEW,        LEVEL_READ_ATOMIC, LEVEL_TXN_CAUSAL,
        LEVEL_PREFIX,         LEVEL_SNAPSHOT_ISOLATION, LEVEL_SERIALIZABLE};
    uint32_t anomalies = 0;
    *level = LEVEL_NONE;
    for (size_t i = 0; i < sizeof chain / sizeof *chain && anomalies == 0; i++) {
        struct verdict verdict;
        judge(history, model, chain[i], &verdict);
        if (verdict.answer == ANSWER_YES)
            *level = chain[i];
        else
            anomalies = verdict.anomalies;
        verdict_free(&verdict);
    }
    history_free(history);
    return anomalies;
}

static void assert_story(const char *const *texts, enum model model, enum level want,
                         enum anomaly anomaly) {
    struct history history;
    enum level level;
    together(&history, texts);
    uint32_t anomalies = strongest(&history, model, &level);
    assert_int_equal(level, want);
    if (want != LEVEL_SERIALIZABLE)
        assert_true((anomalies >> anomaly & 1) != 0);
}
#define STORY(model, level, anomaly, ...) \
    assert_story((const char *const[]){__VA_ARGS__, NULL}, model, level, anomaly)

static void write_skew_is_snapshot_isolation_and_no_more(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_SNAPSHOT_ISOLATION, ANOMALY_WRITE_SKEW, "r x - w y 1", "r y - w x 1");
    STORY(MODEL_TXN_APPEND, LEVEL_SNAPSHOT_ISOLATION, ANOMALY_WRITE_SKEW, "l x 0 a y 1",
          "l y 0 a x 1", "l x 1 l y 1");
}

static void a_lost_update_is_prefix_and_no_more(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_PREFIX, ANOMALY_LOST_UPDATE, "r x - w x 1", "r x - w x 2");
    STORY(MODEL_TXN_APPEND, LEVEL_PREFIX, ANOMALY_LOST_UPDATE, "l x 0 a x 1", "l x 0 a x 2",
          "l x 2");
}

static void a_long_fork_is_causal_and_no_more(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_TXN_CAUSAL, ANOMALY_LONG_FORK, "w x 1", "w y 1", "r x 1 r y -",
          "r x - r y 1");
    STORY(MODEL_TXN_APPEND, LEVEL_TXN_CAUSAL, ANOMALY_LONG_FORK, "a x 1", "a y 1", "l x 1 l y 0",
          "l x 0 l y 1");
}

static void an_effect_without_its_cause_is_read_atomic_and_no_more(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_READ_ATOMIC, ANOMALY_CAUSAL_VIOLATION, "w x 1", "r x 1 w y 1",
          "r y 1 r x -");
}

static void half_a_transaction_is_an_atomic_view_and_no_more(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_ATOMIC_VIEW, ANOMALY_FRACTURED_READ, "w x 1 w y 1", "r x - r y 1");
}

/* Only committed values are read, and Adya's PL-2 asks for no more (Elle agrees). */
static void a_transaction_that_is_seen_and_missed_again_is_read_committed(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_READ_COMMITTED, ANOMALY_FRACTURED_READ, "w x 1 w y 1", "r y 1 r x -");
    STORY(MODEL_TXN_APPEND, LEVEL_READ_COMMITTED, ANOMALY_FRACTURED_READ, "a x 1 a y 1",
          "l x 1 l y 0");
}

/* A reader sees the second of two appends of a process, and not the first: no level without
 * sessions is violated, each one with them is. */
static void sessions_count_only_where_the_name_says_so(void **state) {
    struct history history;
    begin(&history);
    txn_at(&history, 0, 1, 20, "l x 0 l y 1");
    txn_at(&history, 1, 2, 3, "a x 1");
    txn_at(&history, 1, 4, 5, "a y 1");
    static const enum level without[] = {
        LEVEL_SERIALIZABLE,          LEVEL_SNAPSHOT_ISOLATION, LEVEL_PREFIX,
        LEVEL_READ_ATOMIC,           LEVEL_ATOMIC_VIEW,        LEVEL_READ_COMMITTED,
        LEVEL_SESSION_READ_COMMITTED};
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        struct verdict verdict;
        bool holds = level == LEVEL_SESSION_READ_ATOMIC || level == LEVEL_SESSION_ATOMIC_VIEW;
        for (size_t i = 0; i < sizeof without / sizeof *without; i++)
            holds |= level == (int)without[i];
        judge(&history, MODEL_TXN_APPEND, (enum level)level, &verdict);
        if (verdict.answer != (holds ? ANSWER_YES : ANSWER_NO))
            fail_msg("%s: %s", level_name((enum level)level), answer_name(verdict.answer));
        verdict_free(&verdict);
    }
    history_free(&history);
}

/* Sessions are guessed to hold as far as they can: one that does not is cut, and the rest stays. */
static void one_broken_session_leaves_the_others(void **state) {
    struct history history;
    begin(&history);
    history.positions = 1u << 20;
    uint32_t key = value_text(&history.values, BYTES("y")), at = 1;
    for (uint32_t i = 0; i < 4000; i++, at += 2) {
        txn_at(&history, i % 5, at, at + 1, i % 2 == 0 ? "w x 1" : "w x 1 r x 1");
        for (uint32_t m = history.ops[i].arg; m < history.mop_count; m++)
            history.mops[m].value = value_int(&history.values, 10 + i);
    }
    txn_at(&history, 5, at, at + 1, "w y 1");
    txn_at(&history, 5, at + 2, at + 3, "r y -");
    assert_int_equal(history.mops[history.mop_count - 1].key, key);
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        struct verdict verdict;
        bool holds = !level_implies((enum level)level, LEVEL_SESSION_READ_ATOMIC);
        judge(&history, MODEL_TXN_RW, (enum level)level, &verdict);
        if (verdict.answer != (holds ? ANSWER_YES : ANSWER_NO))
            fail_msg("%s: %s", level_name((enum level)level), answer_name(verdict.answer));
        verdict_free(&verdict);
    }
    history_free(&history);
}

static void a_circle_of_information_is_nothing(void **state) {
    STORY(MODEL_TXN_RW, LEVEL_NONE, ANOMALY_G1C, "w x 1 r y 1", "w y 1 r x 1");
    STORY(MODEL_TXN_RW, LEVEL_NONE, ANOMALY_G1B, "w x 1 w x 2", "r x 1");
    STORY(MODEL_TXN_RW, LEVEL_NONE, ANOMALY_THIN_AIR, "r x 1");
    STORY(MODEL_TXN_RW, LEVEL_NONE, ANOMALY_INTERNAL, "w x 1 r x -");
    STORY(MODEL_TXN_APPEND, LEVEL_NONE, ANOMALY_G1B, "a x 1 a x 2", "l x 1");
    STORY(MODEL_TXN_APPEND, LEVEL_NONE, ANOMALY_G0, "a x 1 a x 3", "a x 2", "l x 3");
    STORY(MODEL_TXN_APPEND, LEVEL_NONE, ANOMALY_G0, "a x 1 a y 2", "a y 1 a x 2", "l x 2 l y 2");
}

static void what_failed_must_not_be_read(void **state) {
    struct history history;
    enum level level;
    together(&history, (const char *const[]){"w x 1", "r x 1", NULL});
    history.ops[0].outcome = OP_FAIL;
    assert_true((strongest(&history, MODEL_TXN_RW, &level) & 1u << ANOMALY_G1A) != 0);
    together(&history, (const char *const[]){"w x 1", "r x 1", NULL});
    history.ops[0].outcome = OP_INFO;
    strongest(&history, MODEL_TXN_RW, &level);
    assert_int_equal(level, LEVEL_SERIALIZABLE);
}

static void strong_levels_see_what_had_ended(void **state) {
    struct history history;
    begin(&history);
    txn_at(&history, 0, 1, 2, "w x 1");
    txn_at(&history, 1, 3, 4, "r x -");
    static const struct {
        enum level level;
        enum answer answer;
    } wanted[] = {{LEVEL_SESSION_SERIALIZABLE, ANSWER_YES},
                  {LEVEL_SESSION_SNAPSHOT_ISOLATION, ANSWER_YES},
                  {LEVEL_STRICT_SERIALIZABLE, ANSWER_NO},
                  {LEVEL_STRONG_SNAPSHOT_ISOLATION, ANSWER_NO}};
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        struct verdict verdict;
        judge(&history, MODEL_TXN_RW, wanted[i].level, &verdict);
        assert_int_equal(verdict.answer, wanted[i].answer);
        verdict_free(&verdict);
    }
    history_free(&history);
}

static void a_long_fork_shows_without_its_writers(void **state) {
    struct history history, whole;
    enum level level;
    together(&history, (const char *const[]){"r x 1 r y 1 r z -", "r z 1 r x 1 r y -", NULL});
    assert_true(unrecorded_invent(&whole, &history) > 0);
    uint32_t anomalies = strongest(&whole, MODEL_TXN_RW, &level);
    assert_int_equal(level, LEVEL_TXN_CAUSAL);
    assert_true((anomalies >> ANOMALY_LONG_FORK & 1) != 0);
    history_free(&history);
}

static uint64_t later(void *context) {
    return ++*(uint64_t *)context;
}

static void what_was_appended_twice_may_stand_twice(void **state) {
    struct history history;
    begin(&history);
    txn_at(&history, 0, 1, 2, "a x 1");
    txn_at(&history, 0, 3, 4, "a x 1");
    txn_at(&history, 0, 5, 6, "l x 2");
    uint32_t one = value_int(&history.values, 1);
    history.mops[2].value = value_list(&history.values, (uint32_t[]){one, one}, 2);
    struct check_options options = {.model = MODEL_TXN_APPEND, .level = LEVEL_STRICT_SERIALIZABLE};
    struct verdict verdict;
    verdict_init(&verdict, MODEL_TXN_APPEND, LEVEL_STRICT_SERIALIZABLE);
    txn_check(&history, &options, &verdict);
    assert_int_not_equal(verdict.answer, ANSWER_NO);
    verdict_free(&verdict);
    history.ops[1].outcome = OP_FAIL;
    verdict_init(&verdict, MODEL_TXN_APPEND, LEVEL_STRICT_SERIALIZABLE);
    txn_check(&history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_NO);
    verdict_free(&verdict);
    history_free(&history);
}

static void a_limit_leaves_it_undecided(void **state) {
    struct history history;
    together(&history, (const char *const[]){"w x 1", "w x 1 w y 1", "r x 1 r y 1", NULL});
    uint64_t clock = 0;
    struct limits limits = {.now_ns = later, .context = &clock, .steps_max = 1};
    struct check_options options = {.model = MODEL_TXN_RW, .limits = &limits};
    for (int level = LEVEL_STRICT_SERIALIZABLE; level < LEVEL_COUNT; level++) {
        struct verdict verdict;
        verdict_init(&verdict, MODEL_TXN_RW, (enum level)level);
        limits.stopped = LIMITS_GO;
        limits.steps = limits.asked = 0;
        txn_check(&history, &options, &verdict);
        assert_int_equal(verdict.answer, ANSWER_UNDECIDED);
        assert_int_equal(verdict.stopped, LIMITS_STEPS);
        verdict_free(&verdict);
    }
    history_free(&history);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(write_skew_is_snapshot_isolation_and_no_more),
        cmocka_unit_test(a_lost_update_is_prefix_and_no_more),
        cmocka_unit_test(a_long_fork_is_causal_and_no_more),
        cmocka_unit_test(an_effect_without_its_cause_is_read_atomic_and_no_more),
        cmocka_unit_test(half_a_transaction_is_an_atomic_view_and_no_more),
        cmocka_unit_test(a_transaction_that_is_seen_and_missed_again_is_read_committed),
        cmocka_unit_test(sessions_count_only_where_the_name_says_so),
        cmocka_unit_test(one_broken_session_leaves_the_others),
        cmocka_unit_test(a_circle_of_information_is_nothing),
        cmocka_unit_test(what_failed_must_not_be_read),
        cmocka_unit_test(strong_levels_see_what_had_ended),
        cmocka_unit_test(a_long_fork_shows_without_its_writers),
        cmocka_unit_test(what_was_appended_twice_may_stand_twice),
        cmocka_unit_test(a_limit_leaves_it_undecided),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
