/* Wrong evidence is refused: what the judge says is only as good as this. */
#include "check/check.h"
#include "check/verify.h"
#include "read_text.h"

#define CALL(process, f, value) \
    "{\"process\":" #process ",\"type\":\"invoke\",\"f\":\"" f "\",\"value\":" value "}\n"
#define END(process, f, value) \
    "{\"process\":" #process ",\"type\":\"ok\",\"f\":\"" f "\",\"value\":" value "}\n"
#define OP(process, f, value) CALL(process, f, value) END(process, f, value)

#define INFO(process, f, value) \
    "{\"process\":" #process ",\"type\":\"info\",\"f\":\"" f "\",\"value\":" value "}\n"
#define WHOLE(process, f, value, call, end)                                         \
    "{\"process\":" #process ",\"f\":\"" f "\",\"value\":" value ",\"call\":" #call \
    ",\"return\":" #end "}\n"

struct story {
    struct text_history read;
    struct verdict verdict;
};

static void tell_story(struct story *story, const char *text, enum model model, enum level level) {
    struct check_options options = {
        .model = model, .level = level, .by_key = true, .want_order = true};
    read_text(&story->read, text, NULL);
    assert_true(story->read.good);
    check_history(&story->read.history, &options, &story->verdict);
}

static void end_story(struct story *story) {
    verdict_free(&story->verdict);
    text_history_free(&story->read);
}

static enum verify judged(const struct story *story) {
    struct buf why = {0};
    enum verify verified = verify_verdict(&story->read.history, &story->verdict, &why);
    assert_true(verified == VERIFY_RIGHT || why.len > 0);
    buf_free(&why);
    return verified;
}

/* The same verdict with this order instead: must be refused, and the right one taken. */
static void assert_order(struct story *story, const uint32_t *ops, uint32_t count,
                         enum verify expected) {
    struct order *order = &story->verdict.orders[0];
    order->count = 0;
    for (uint32_t i = 0; i < count; i++)
        order_push(order, ops[i]);
    assert_int_equal(judged(story), expected);
}
#define ASSERT_ORDER(story, expected, ...)           \
    assert_order((story), (uint32_t[]){__VA_ARGS__}, \
                 (uint32_t)(sizeof(uint32_t[]){__VA_ARGS__} / sizeof(uint32_t)), expected)

/* 0: write 1, 1: write 2 at the same time, 2: read 2 of process 2 afterwards, 3: read 2 of 0 */
static const char two_writers[] = CALL(0, "write", "1") CALL(1, "write", "2") END(1, "write", "2")
    END(0, "write", "1") OP(2, "read", "2") OP(0, "read", "2");

static void an_order_has_everything_once_and_replays(void **state) {
    struct story story;
    tell_story(&story, two_writers, MODEL_REGISTER, LEVEL_LINEARIZABLE);
    assert_int_equal(story.verdict.answer, ANSWER_YES);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    ASSERT_ORDER(&story, VERIFY_RIGHT, 0, 1, 2, 3);
    ASSERT_ORDER(&story, VERIFY_WRONG, 1, 0, 2, 3);    /* reads do not fit */
    ASSERT_ORDER(&story, VERIFY_WRONG, 0, 1, 2);       /* one is missing */
    ASSERT_ORDER(&story, VERIFY_WRONG, 1, 2, 3);       /* a write is missing */
    ASSERT_ORDER(&story, VERIFY_WRONG, 0, 1, 2, 3, 3); /* one twice */
    ASSERT_ORDER(&story, VERIFY_WRONG, 0, 1, 3, 2);    /* out of real time only */
    end_story(&story);
}

static void a_sequential_order_contains_each_process_and_no_real_time(void **state) {
    struct story story;
    tell_story(&story, two_writers, MODEL_REGISTER, LEVEL_SEQUENTIAL);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    ASSERT_ORDER(&story, VERIFY_RIGHT, 0, 1, 3, 2);
    ASSERT_ORDER(&story, VERIFY_WRONG, 1, 3, 2, 0); /* process 0 reads before it writes */
    end_story(&story);
}

static void every_key_needs_an_order(void **state) {
    struct story story;
    tell_story(&story,
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
               "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"y\"}\n"
               "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"y\",\"value\":null}\n",
               MODEL_REGISTER, LEVEL_LINEARIZABLE);
    assert_int_equal(story.verdict.order_count, 2);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    story.verdict.order_count = 1;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    story.verdict.order_count = 2;
    uint32_t key = story.verdict.orders[0].of;
    story.verdict.orders[0].of = story.verdict.orders[1].of;
    assert_int_equal(judged(&story), VERIFY_WRONG); /* operations of another key */
    story.verdict.orders[0].of = key;
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    end_story(&story);
}

/* 0: write 1, 1: cas [1,2], 2: read 1 after both */
static const char stale[] = OP(0, "write", "1") OP(1, "cas", "[1,2]") OP(2, "read", "1");

static void assert_cycle(struct story *story, const struct edge *edges, uint32_t count,
                         enum verify expected) {
    story->verdict.edge_count = 0;
    for (uint32_t i = 0; i < count; i++)
        verdict_edge(&story->verdict, edges[i]);
    assert_int_equal(judged(story), expected);
}
#define EDGE(from, to, reason) \
    { from, to, OP_NONE, VALUE_NONE, REASON_##reason }

static void every_edge_of_a_cycle_is_looked_up(void **state) {
    static const struct edge right[] = {EDGE(2, 1, READ_BEFORE), EDGE(1, 2, REAL_TIME)};
    static const struct edge open[] = {EDGE(2, 1, READ_BEFORE), EDGE(0, 2, REAL_TIME)};
    static const struct edge backwards[] = {EDGE(1, 2, REAL_TIME), EDGE(2, 1, REAL_TIME)};
    static const struct edge not_read[] = {EDGE(1, 2, REAL_TIME), EDGE(2, 1, READS_FROM)};
    static const struct edge not_before[] = {EDGE(0, 1, READ_BEFORE), EDGE(1, 0, READ_BEFORE)};
    static const struct edge apart[] = {EDGE(0, 1, REAL_TIME), EDGE(1, 0, SESSION)};
    static const struct edge other[] = {EDGE(0, 2, REAL_TIME), EDGE(2, 0, DERIVED)};
    static const struct edge from_start[] = {EDGE(OP_NONE, 0, REAL_TIME),
                                             EDGE(0, OP_NONE, TOGETHER)};
    struct story story;
    tell_story(&story, stale, MODEL_CAS_REGISTER, LEVEL_LINEARIZABLE);
    assert_int_equal(story.verdict.answer, ANSWER_NO);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    assert_cycle(&story, right, 2, VERIFY_RIGHT);
    assert_cycle(&story, open, 2, VERIFY_WRONG);
    assert_cycle(&story, backwards, 2, VERIFY_WRONG);
    assert_cycle(&story, not_read, 2, VERIFY_WRONG);
    assert_cycle(&story, not_before, 2, VERIFY_WRONG);
    assert_cycle(&story, apart, 2, VERIFY_WRONG);
    assert_cycle(&story, other, 2, VERIFY_WRONG);
    assert_cycle(&story, from_start, 2, VERIFY_WRONG);
    end_story(&story);
}

static void operations_that_overlap_are_in_no_real_time(void **state) {
    static const struct edge overlap[] = {EDGE(0, 1, REAL_TIME), EDGE(1, 0, REAL_TIME)};
    struct story story;
    tell_story(&story, two_writers, MODEL_REGISTER, LEVEL_LINEARIZABLE);
    story.verdict.answer = ANSWER_NO;
    assert_cycle(&story, overlap, 2, VERIFY_WRONG);
    end_story(&story);
}

static void operations_that_do_not_contradict_each_other_are_no_counterexample(void **state) {
    struct story story;
    tell_story(&story, stale, MODEL_CAS_REGISTER, LEVEL_LINEARIZABLE);
    story.verdict.edge_count = story.verdict.op_count = 0;
    story.verdict.minimal = true;
    for (uint32_t op = 0; op < 3; op++)
        verdict_op(&story.verdict, op);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    story.verdict.ops[2] = 1; /* the stale read is not among them */
    assert_int_equal(judged(&story), VERIFY_WRONG);
    story.verdict.minimal = false;
    assert_int_equal(judged(&story), VERIFY_UNCHECKED);
    end_story(&story);
}

/* 0: write 1, 1: write 2, both of process 0; 2: read 2, 3: write 3, of process 1; 4: read 3 of 2 */
static const char chain[] = OP(0, "write", "1") OP(0, "write", "2") OP(1, "read", "2")
    OP(1, "write", "3") OP(2, "read", "3");

static uint32_t order_of(const struct story *story, uint32_t process) {
    for (uint32_t i = 0; i < story->verdict.order_count; i++)
        if (story->verdict.orders[i].scope == SCOPE_PROCESS &&
            story->verdict.orders[i].of == process)
            return i;
    fail();
    return 0;
}

/* What process 2 saw: everything but the others' reads, in this order. */
static void assert_seen(enum level level, const uint32_t *ops, enum verify expected) {
    struct story story;
    tell_story(&story, chain, MODEL_REGISTER, level);
    assert_int_equal(story.verdict.answer, ANSWER_YES);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    struct order *order = &story.verdict.orders[order_of(&story, 2)];
    order->count = 0;
    for (uint32_t i = 0; i < 4 && ops[i] != OP_NONE; i++)
        order_push(order, ops[i]);
    if (judged(&story) != expected)
        fail_msg("%s", level_name(level));
    order->count = 0;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    end_story(&story);
}

static void each_process_has_its_own_order_of_all_writes(void **state) {
    static const uint32_t right[] = {0, 1, 3, 4}, writes_swapped[] = {1, 0, 3, 4};
    static const uint32_t not_caused[] = {0, 3, 4, 1}, not_read[] = {0, 3, 1, 4};
    static const uint32_t without_one[] = {0, 3, 4, OP_NONE}, before_read[] = {3, 4, 0, 1};
    static const enum level levels[] = {LEVEL_CAUSAL_MEMORY, LEVEL_PRAM, LEVEL_MONOTONIC_WRITES,
                                        LEVEL_WRITES_FOLLOW_READS};
    for (size_t i = 0; i < 4; i++) {
        assert_seen(levels[i], right, VERIFY_RIGHT);
        assert_seen(levels[i], not_read, VERIFY_WRONG);
        assert_seen(levels[i], without_one, VERIFY_WRONG);
    }
    assert_seen(LEVEL_CAUSAL_MEMORY, writes_swapped, VERIFY_WRONG);
    assert_seen(LEVEL_CAUSAL_MEMORY, not_caused, VERIFY_WRONG);
    assert_seen(LEVEL_PRAM, writes_swapped, VERIFY_WRONG);
    assert_seen(LEVEL_PRAM, not_caused, VERIFY_RIGHT); /* the cause was another process's read */
    assert_seen(LEVEL_MONOTONIC_WRITES, writes_swapped, VERIFY_WRONG);
    assert_seen(LEVEL_MONOTONIC_WRITES, not_caused, VERIFY_RIGHT);
    assert_seen(LEVEL_WRITES_FOLLOW_READS, writes_swapped, VERIFY_RIGHT);
    assert_seen(LEVEL_WRITES_FOLLOW_READS, before_read, VERIFY_WRONG);
}

/* 0: write 1, 1: write 2, 2: read 2, all of process 0; 3: write 3 of process 1; 4: read 3 of 0 */
static void session_guarantees_have_an_order_a_process(void **state) {
    static const char text[] = OP(0, "write", "1") OP(0, "write", "2") OP(0, "read", "2")
        OP(1, "write", "3") OP(0, "read", "3");
    static const struct {
        enum level level;
        uint32_t ops[5];
        enum verify expected;
    } tried[] = {{LEVEL_READ_YOUR_WRITES, {0, 1, 2, 3, 4}, VERIFY_RIGHT},
                 {LEVEL_READ_YOUR_WRITES, {0, 3, 1, 2, 4}, VERIFY_WRONG}, /* does not replay */
                 {LEVEL_READ_YOUR_WRITES, {3, 4, 0, 1, 2}, VERIFY_WRONG}, /* read before a write */
                 {LEVEL_READ_YOUR_WRITES, {1, 2, 0, 3, 4}, VERIFY_WRONG}, /* writes swapped */
                 {LEVEL_MONOTONIC_READS, {0, 1, 2, 3, 4}, VERIFY_RIGHT},
                 {LEVEL_MONOTONIC_READS, {1, 2, 0, 3, 4}, VERIFY_RIGHT},
                 {LEVEL_MONOTONIC_READS, {3, 4, 0, 1, 2}, VERIFY_WRONG}}; /* reads swapped */
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++) {
        struct story story;
        tell_story(&story, text, MODEL_REGISTER, tried[i].level);
        assert_int_equal(story.verdict.answer, ANSWER_YES);
        assert_int_equal(judged(&story), VERIFY_RIGHT);
        struct order *order = &story.verdict.orders[order_of(&story, 0)];
        order->count = 0;
        for (uint32_t k = 0; k < 5; k++)
            order_push(order, tried[i].ops[k]);
        if (judged(&story) != tried[i].expected)
            fail_msg("%s, order %u", level_name(tried[i].level), (unsigned)i);
        end_story(&story);
    }
}

/* An order of each key is none of all, below linearizable. */
static void orders_of_keys_do_not_show_sequential(void **state) {
    static const char text[] =
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
        "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"y\",\"value\":null}\n"
        "{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":\"y\",\"value\":null}\n"
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"y\",\"value\":1}\n"
        "{\"process\":1,\"type\":\"ok\",\"f\":\"write\",\"key\":\"y\",\"value\":1}\n"
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"x\",\"value\":null}\n"
        "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"key\":\"x\",\"value\":null}\n";
    struct story story;
    tell_story(&story, text, MODEL_REGISTER, LEVEL_PER_KEY_SEQUENTIAL);
    assert_int_equal(story.verdict.answer, ANSWER_YES);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    story.verdict.level = LEVEL_SEQUENTIAL;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    end_story(&story);
}

static void simple_levels_are_looked_at_again(void **state) {
    static const char text[] =
        OP(0, "add", "2") OP(1, "add", "-1") OP(0, "read", "1") OP(1, "read", "2");
    struct story story;
    tell_story(&story, text, MODEL_COUNTER, LEVEL_COUNTER_BOUNDS);
    assert_int_equal(story.verdict.answer, ANSWER_NO);
    assert_int_equal(story.verdict.ops[0], 3);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    story.verdict.ops[0] = 2;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    story.verdict.answer = ANSWER_YES;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    end_story(&story);
}

static void one_order_of_the_writes_explains_every_read(void **state) {
    struct story story;
    tell_story(&story, chain, MODEL_REGISTER, LEVEL_CAUSAL_CONVERGENCE);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    ASSERT_ORDER(&story, VERIFY_RIGHT, 0, 1, 3);
    ASSERT_ORDER(&story, VERIFY_WRONG, 1, 0, 3); /* against the process */
    ASSERT_ORDER(&story, VERIFY_WRONG, 0, 3, 1); /* against what its writer had read */
    ASSERT_ORDER(&story, VERIFY_WRONG, 0, 1);
    story.verdict.order_count = 0;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    story.verdict.order_count = 1;
    end_story(&story);
    tell_story(&story,
               OP(0, "write", "1") OP(1, "write", "2") OP(0, "read", "2") OP(1, "read", "2"),
               MODEL_REGISTER, LEVEL_CAUSAL_CONVERGENCE);
    ASSERT_ORDER(&story, VERIFY_RIGHT, 0, 1);
    ASSERT_ORDER(&story, VERIFY_WRONG, 1, 0); /* both read another one than the last */
    end_story(&story);
}

static void causal_pasts_are_walked_again(void **state) {
    struct story story;
    tell_story(&story,
               OP(0, "write", "1") OP(1, "read", "1") OP(1, "write", "2") OP(2, "read", "2")
                   OP(2, "read", "1"),
               MODEL_REGISTER, LEVEL_CAUSAL);
    assert_int_equal(story.verdict.answer, ANSWER_NO);
    story.verdict.answer = ANSWER_YES;
    story.verdict.edge_count = story.verdict.op_count = 0;
    assert_int_equal(judged(&story), VERIFY_WRONG);
    end_story(&story);
    tell_story(&story, chain, MODEL_REGISTER, LEVEL_CAUSAL);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    end_story(&story);
}

/* What --lenient lets through: a process that goes on after an answer that never came, or before
 * one that came later. Such an operation is of no process's order, at any level. */
static void an_operation_that_its_process_left_behind_is_of_no_order(void **state) {
    static const char *const texts[] = {
        CALL(0, "write", "1") INFO(0, "write", "1") OP(0, "read", "null") OP(1, "read", "1"),
        CALL(0, "write", "1") OP(0, "read", "null") OP(1, "read", "1"),
        OP(0, "write", "1") CALL(0, "write", "2") INFO(0, "write", "2") OP(0, "read", "1")
            OP(0, "write", "3") OP(1, "read", "3") OP(1, "read", "2") OP(0, "read", "2"),
        WHOLE(0, "write", "1", 10, 90) WHOLE(0, "read", "null", 20, 30)
            WHOLE(1, "read", "1", 40, 50)};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        for (int level = 0; level < LEVEL_COUNT; level++) {
            struct story story;
            if (level_transactional((enum level)level) || level == LEVEL_COUNTER_BOUNDS ||
                level == LEVEL_BANK_TOTAL || level == LEVEL_SET_COMPLETE)
                continue;
            tell_story(&story, texts[i], MODEL_REGISTER, (enum level)level);
            assert_true(story.read.lint.totals[LINT_ERROR] > 0);
            assert_int_equal(story.verdict.answer, ANSWER_YES);
            assert_int_equal(judged(&story), VERIFY_RIGHT);
            end_story(&story);
        }
}

/* Process 0 is called for the second at the very time at which the first was answered. */
static void the_order_of_a_process_is_no_real_time(void **state) {
    struct story story;
    tell_story(&story,
               WHOLE(0, "txn", "[[\"r\",1,3]]", 10, 20) WHOLE(0, "txn", "[[\"w\",1,3]]", 20, 30),
               MODEL_MULTI_REGISTER, LEVEL_LINEARIZABLE);
    assert_int_equal(story.verdict.answer, ANSWER_YES);
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    verdict_free(&story.verdict);
    verdict_init(&story.verdict, MODEL_MULTI_REGISTER, LEVEL_LINEARIZABLE);
    story.verdict.answer = ANSWER_NO;
    uint32_t key = story.read.history.mops[0].key;
    verdict_edge(
        &story.verdict,
        (struct edge){
            .from = 0, .to = 1, .reason = REASON_SESSION, .key = VALUE_NONE, .by = OP_NONE});
    verdict_edge(
        &story.verdict,
        (struct edge){.from = 1, .to = 0, .reason = REASON_READS_FROM, .key = key, .by = OP_NONE});
    assert_int_equal(judged(&story), VERIFY_WRONG);
    story.verdict.level = LEVEL_SEQUENTIAL;
    assert_int_equal(judged(&story), VERIFY_RIGHT);
    end_story(&story);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_order_has_everything_once_and_replays),
        cmocka_unit_test(a_sequential_order_contains_each_process_and_no_real_time),
        cmocka_unit_test(every_key_needs_an_order),
        cmocka_unit_test(every_edge_of_a_cycle_is_looked_up),
        cmocka_unit_test(operations_that_overlap_are_in_no_real_time),
        cmocka_unit_test(operations_that_do_not_contradict_each_other_are_no_counterexample),
        cmocka_unit_test(each_process_has_its_own_order_of_all_writes),
        cmocka_unit_test(one_order_of_the_writes_explains_every_read),
        cmocka_unit_test(causal_pasts_are_walked_again),
        cmocka_unit_test(session_guarantees_have_an_order_a_process),
        cmocka_unit_test(orders_of_keys_do_not_show_sequential),
        cmocka_unit_test(simple_levels_are_looked_at_again),
        cmocka_unit_test(an_operation_that_its_process_left_behind_is_of_no_order),
        cmocka_unit_test(the_order_of_a_process_is_no_real_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
