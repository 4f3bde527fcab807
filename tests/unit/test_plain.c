/* Reasons that a person can read: of a violation, the operations whose answers contradict each
 * other and one sentence about them. */
#include "base/alloc.h"
#include "check/check.h"
#include "check/shrink.h"
#include "check/verify.h"
#include "read_text.h"

#define CALL(process, f, value) \
    "{\"process\":" #process ",\"type\":\"invoke\",\"f\":\"" f "\",\"value\":" value "}\n"
#define END(process, f, value) \
    "{\"process\":" #process ",\"type\":\"ok\",\"f\":\"" f "\",\"value\":" value "}\n"
#define OP(process, f, value) CALL(process, f, value) END(process, f, value)

/* Violated, for this reason; shrunk to `count` operations, which prove it. */
static void assert_reason(enum model model, const char *text, const char *reason, uint32_t count) {
    struct check_options options = {
        .model = model, .level = LEVEL_LINEARIZABLE, .by_key = true, .want_order = true};
    struct text_history read;
    struct shrink_result shrunk;
    struct verdict verdict;
    struct buf why = {0};
    read_text(&read, text, NULL);
    assert_true(read.good);
    check_history(&read.history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_NO);
    buf_u8(&verdict.text, 0);
    assert_string_equal((const char *)verdict.text.data, reason);
    shrink_violation(&read.history, &options, &verdict, &shrunk);
    assert_int_equal(shrunk.kept, count);
    assert_int_equal(verify_verdict(&read.history, &verdict, &why), VERIFY_RIGHT);
    cairn_free(shrunk.keep);
    verdict_free(&verdict);
    buf_free(&why);
    text_history_free(&read);
}

/* ---- lists ---- */

#define SOME_LIST OP(0, "append", "1") OP(0, "append", "2") OP(1, "append", "3")

static void a_list_lacks_what_was_acknowledged(void **state) {
    assert_reason(MODEL_APPEND,
                  SOME_LIST OP(2, "read", "[1,2,3]") OP(1, "append", "4") OP(2, "read", "[1,2,3]"),
                  "append 4 (line 9) was acknowledged before the read of line 11 began, and is not "
                  "in it",
                  2);
}

static void a_list_has_what_was_appended_later(void **state) {
    assert_reason(MODEL_APPEND, SOME_LIST OP(2, "read", "[1,2,3,4]") OP(1, "append", "4"),
                  "the read of line 7 had ended before append 4 (line 9) began, and has it", 2);
}

static void a_list_became_shorter(void **state) {
    assert_reason(MODEL_APPEND,
                  SOME_LIST CALL(3, "append", "4") OP(2, "read", "[1,2,3,4]")
                      OP(2, "read", "[1,2,3]") END(3, "append", "4"),
                  "the read of line 10 lacks 4, which the read of line 8 had seen before it began",
                  3);
}

static void a_list_has_an_order_that_real_time_forbids(void **state) {
    assert_reason(MODEL_APPEND, SOME_LIST OP(2, "read", "[1,3,2]"),
                  "append 2 (line 3) was acknowledged before append 3 (line 5) began, but does not "
                  "stand before it in the read of line 7",
                  3);
}

static void two_lists_began_differently(void **state) {
    assert_reason(
        MODEL_APPEND,
        CALL(0, "append", "1") CALL(1, "append", "2") OP(2, "read", "[1]") OP(3, "read", "[2,1]")
            END(0, "append", "1") END(1, "append", "2"),
        "the read of line 3 has 1 where the read of line 5 has 2: neither list is how the "
        "other began",
        4);
}

static void a_list_has_what_no_operation_appended_or_one_element_twice(void **state) {
    assert_reason(MODEL_APPEND, SOME_LIST OP(2, "read", "[1,2,3,9]"),
                  "the read of line 7 has 9, which no operation appended", 1);
    assert_reason(MODEL_APPEND, SOME_LIST OP(2, "read", "[1,2,3,2]"),
                  "the read of line 7 has 2 twice, which was appended once", 2);
}

/* ---- sets ---- */

#define SOME_SET OP(0, "add", "1") OP(0, "add", "2") OP(1, "add", "3")

static void a_set_lacks_what_was_acknowledged(void **state) {
    assert_reason(MODEL_SET,
                  SOME_SET OP(2, "read", "[1,2,3]") OP(1, "add", "4") OP(2, "read", "[1,2,3]"),
                  "add 4 (line 9) was acknowledged before the read of line 11 began, which did not "
                  "find it",
                  2);
    assert_reason(MODEL_SET,
                  SOME_SET OP(2, "contains", "3") CALL(
                      2, "contains", "3") "{\"process\":2,\"type\":\"ok\",\"f\":\"contains\","
                                          "\"value\":3,\"result\":false}\n" OP(1, "remove", "3"),
                  "add 3 (line 5) was acknowledged before contains 3 (line 9) began, which did not "
                  "find it; nothing had begun to remove it",
                  3);
}

static void what_may_have_been_removed_is_not_missing(void **state) {
    assert_reason(MODEL_SET,
                  SOME_SET CALL(0, "remove", "2") OP(2, "read", "[1,3]") END(0, "remove", "2")
                      OP(2, "read", "[1]"),
                  "add 3 (line 5) was acknowledged before the read of line 11 began, which did not "
                  "find it",
                  2);
}

static void a_set_lacks_what_was_seen_before(void **state) {
    assert_reason(
        MODEL_SET,
        SOME_SET CALL(3, "add", "4") OP(2, "read", "[1,2,3,4]") OP(2, "read", "[1,2,3]")
            END(3, "add", "4"),
        "the read of line 10 did not find 4, which the read of line 8 had found before it "
        "began",
        3);
}

static void a_set_has_what_was_added_later_or_removed_before(void **state) {
    assert_reason(MODEL_SET, SOME_SET OP(2, "read", "[1,2,3,4]") OP(1, "add", "4"),
                  "the read of line 7 had ended before add 4 (line 9) began, and found it", 2);
    assert_reason(
        MODEL_SET, SOME_SET OP(1, "remove", "2") OP(2, "read", "[1,2,3]"),
        "remove 2 (line 7) had ended before the read of line 9 began, which still found it", 3);
}

/* ---- counters, registers ---- */

static void a_counter_is_out_of_bounds(void **state) {
    assert_reason(MODEL_COUNTER,
                  OP(0, "add", "2") CALL(1, "add", "3") OP(2, "read", "1") END(1, "add", "3"),
                  "process 2: read -> 1 (line 4): can only have been between 2 and 5", 3);
}

/* As it is, without being shrunk: many additions stand behind it. */
static void a_read_out_of_bounds_proves_itself(void **state) {
    struct check_options options = {
        .model = MODEL_COUNTER, .level = LEVEL_LINEARIZABLE, .by_key = true};
    struct text_history read;
    struct verdict verdict;
    struct buf text = {0}, why = {0};
    for (int i = 0; i < 40; i++)
        buf_printf(&text, OP(0, "add", "1"));
    buf_printf(&text, OP(1, "read", "37"));
    buf_u8(&text, 0);
    read_text(&read, (const char *)text.data, NULL);
    check_history(&read.history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_NO);
    assert_int_equal(verdict.op_count, 1);
    assert_int_equal(verify_verdict(&read.history, &verdict, &why), VERIFY_RIGHT);
    verdict.ops[0] = 0;
    assert_int_not_equal(verify_verdict(&read.history, &verdict, &why), VERIFY_RIGHT);
    verdict_free(&verdict);
    buf_free(&text);
    buf_free(&why);
    text_history_free(&read);
}

static void a_register_is_stale(void **state) {
    assert_reason(
        MODEL_REGISTER, OP(0, "write", "1") OP(1, "write", "2") OP(2, "read", "1"),
        "process 2: read -> 1 (line 5) is stale: write 2 (line 3) had replaced that value "
        "before it began",
        3);
    assert_reason(
        MODEL_REGISTER,
        OP(0, "write", "1") CALL(1, "write", "2") OP(2, "read", "2") OP(3, "read", "1")
            END(1, "write", "2"),
        "process 3: read -> 1 (line 6) is stale: the read of line 4 had seen a later value "
        "before it began",
        4);
}

/* ---- proofs that leave out what their operations were told of prove nothing ---- */

static void what_is_left_out_is_no_contradiction(void **state) {
    static const struct {
        enum model model;
        const char *text;
        uint32_t named;
    } stories[] = {
        {MODEL_REGISTER, OP(0, "write", "1") OP(1, "read", "1"), 1},
        {MODEL_APPEND, OP(0, "append", "1") OP(1, "read", "[1]"), 1},
        {MODEL_SET, OP(0, "add", "1") OP(1, "read", "[1]"), 1},
        {MODEL_COUNTER, OP(0, "add", "1") OP(1, "read", "1"), 1},
        {MODEL_QUEUE, OP(0, "enqueue", "1") OP(1, "dequeue", "1"), 1},
        {MODEL_MUTEX, OP(0, "acquire", "null") OP(0, "release", "null"), 1},
    };
    for (size_t i = 0; i < sizeof stories / sizeof *stories; i++) {
        struct text_history read;
        struct verdict verdict;
        struct buf why = {0};
        read_text(&read, stories[i].text, NULL);
        assert_true(read.good);
        verdict_init(&verdict, stories[i].model, LEVEL_LINEARIZABLE);
        verdict.answer = ANSWER_NO;
        verdict.minimal = true;
        verdict_op(&verdict, stories[i].named);
        assert_int_equal(verify_verdict(&read.history, &verdict, &why), VERIFY_WRONG);
        verdict_free(&verdict);
        buf_free(&why);
        text_history_free(&read);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_list_lacks_what_was_acknowledged),
        cmocka_unit_test(a_list_has_what_was_appended_later),
        cmocka_unit_test(a_list_became_shorter),
        cmocka_unit_test(a_list_has_an_order_that_real_time_forbids),
        cmocka_unit_test(two_lists_began_differently),
        cmocka_unit_test(a_list_has_what_no_operation_appended_or_one_element_twice),
        cmocka_unit_test(a_set_lacks_what_was_acknowledged),
        cmocka_unit_test(what_may_have_been_removed_is_not_missing),
        cmocka_unit_test(a_set_lacks_what_was_seen_before),
        cmocka_unit_test(a_set_has_what_was_added_later_or_removed_before),
        cmocka_unit_test(a_counter_is_out_of_bounds),
        cmocka_unit_test(a_read_out_of_bounds_proves_itself),
        cmocka_unit_test(a_register_is_stale),
        cmocka_unit_test(what_is_left_out_is_no_contradiction),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
