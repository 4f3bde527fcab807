/* What is wrong with a history is found, on the right line, with the right weight. */
#include "read_text.h"

static void assert_finding(const char *text, const struct read_options *options,
                           enum lint_severity severity, uint32_t line, const char *expected) {
    struct text_history read;
    read_text(&read, text, options);
    assert_true(read.good);
    lint_values(&read.lint, &read.history);
    lint_sort(&read.lint);
    assert_int_equal(read.lint.count, 1);
    assert_int_equal(read.lint.at[0].severity, severity);
    assert_int_equal(read.lint.at[0].line, line);
    struct bytes found = lint_text(&read.lint, 0);
    assert_int_equal(found.len, strlen(expected));
    assert_memory_equal(found.data, expected, found.len);
    text_history_free(&read);
}

static void a_process_asks_one_thing_at_a_time(void **state) {
    assert_finding("{\"process\":4,\"type\":\"invoke\",\"f\":\"read\"}\n"
                   "{\"process\":4,\"type\":\"invoke\",\"f\":\"read\"}\n",
                   NULL, LINT_ERROR, 2,
                   "process 4 invokes again before the end of its operation, line 1");
}

static void nothing_ends_that_did_not_begin(void **state) {
    assert_finding("{\"process\":\"c1\",\"type\":\"invoke\",\"f\":\"read\"}\n"
                   "{\"process\":\"c1\",\"type\":\"ok\",\"f\":\"read\",\"value\":1}\n"
                   "{\"process\":\"c1\",\"type\":\"ok\",\"f\":\"read\",\"value\":1}\n",
                   NULL, LINT_ERROR, 3, "process c1 ends an operation that it did not invoke");
}

static void a_process_ends_with_an_unknown_outcome(void **state) {
    assert_finding("{:process 1 :type :invoke :f :read}\n{:process 1 :type :info :f :read}\n"
                   "{:process 1 :type :invoke :f :read}\n{:process 1 :type :ok :f :read}\n",
                   NULL, LINT_ERROR, 3,
                   "process 1 goes on after an operation of unknown outcome, which is open for "
                   "ever, line 2");
}

static void a_clock_that_goes_back_is_a_warning_where_lines_tell_the_order(void **state) {
    static const char text[] = "{:process 1 :type :invoke :f :read :time 50}\n"
                               "{:process 1 :type :ok :f :read :time 20}\n";
    const struct read_options by_time = {.by_time = true};
    assert_finding(text, NULL, LINT_WARNING, 2, "the clock of the process went back by 30 ns");
    assert_finding(text, &by_time, LINT_ERROR, 2, "the clock of the process went back by 30 ns");
}

static void an_end_is_of_the_function_and_key_that_began(void **state) {
    assert_finding("{:process 1 :type :invoke :f :read :key :a}\n"
                   "{:process 1 :type :ok :f :write :key :a}\n",
                   NULL, LINT_ERROR, 2,
                   "the function is not that of the invocation on line 1, read");
    assert_finding("{:process 1 :type :invoke :f :read :key :a}\n"
                   "{:process 1 :type :ok :f :read :key :b}\n",
                   NULL, LINT_ERROR, 2, "the key is not that of the invocation on line 1");
    assert_finding("{:process 1 :type :invoke :f :txn :value [[:w :x 1]]}\n"
                   "{:process 1 :type :ok :f :txn :value [[:w :x 2]]}\n",
                   NULL, LINT_ERROR, 2,
                   "the transaction that ends here is not the one that was invoked on line 1");
}

static void a_cas_needs_two_values(void **state) {
    assert_finding("{:process 1 :type :invoke :f :cas :value 1}\n"
                   "{:process 1 :type :ok :f :cas :value 1}\n",
                   NULL, LINT_ERROR, 2, "a cas has the value [from to]");
}

static void a_type_is_one_of_four(void **state) {
    assert_finding("{:process 1 :type :invoke :f :read}\n{:process 1 :type :done :f :read}\n", NULL,
                   LINT_ERROR, 2, "the type of an event is invoke, ok, fail or info");
}

static void
values_written_twice_are_noted_for_registers_and_warned_of_in_transactions(void **state) {
    assert_finding(
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":7}\n"
        "{\"process\":1,\"type\":\"ok\",\"f\":\"write\",\"key\":\"x\",\"value\":7}\n"
        "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":7}\n",
        NULL, LINT_NOTE, 3, "the value 7 of key x was written before, on line 1");
    assert_finding("w 1 2\n----\nw 1 2\n", NULL, LINT_WARNING, 3,
                   "the value 2 of key 1 was written before, on line 1");
}

static void whole_operations_of_a_process_do_not_overlap(void **state) {
    assert_finding("{\"process\":1,\"f\":\"read\",\"value\":1,\"call\":20,\"return\":30}\n"
                   "{\"process\":1,\"f\":\"read\",\"value\":1,\"call\":25,\"return\":40}\n",
                   NULL, LINT_ERROR, 2,
                   "the process calls again before the end of its operation, line 1");
    assert_finding("{\"process\":1,\"f\":\"read\",\"value\":1,\"call\":20,\"return\":10}\n", NULL,
                   LINT_ERROR, 1, "the return is before the call");
}

static void findings_beyond_the_limit_are_counted_but_not_kept(void **state) {
    struct lint lint;
    lint_init(&lint);
    for (uint32_t i = 0; i < 3 * LINT_KEPT_MAX; i++)
        lint_add(&lint, LINT_NOTE, i, "a note");
    lint_add(&lint, LINT_ERROR, 1, "an error");
    assert_int_equal(lint.count, LINT_KEPT_MAX + 1);
    assert_int_equal(lint.totals[LINT_NOTE], 3 * LINT_KEPT_MAX);
    assert_int_equal(lint.totals[LINT_ERROR], 1);
    lint_free(&lint);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_process_asks_one_thing_at_a_time),
        cmocka_unit_test(nothing_ends_that_did_not_begin),
        cmocka_unit_test(a_process_ends_with_an_unknown_outcome),
        cmocka_unit_test(a_clock_that_goes_back_is_a_warning_where_lines_tell_the_order),
        cmocka_unit_test(an_end_is_of_the_function_and_key_that_began),
        cmocka_unit_test(a_cas_needs_two_values),
        cmocka_unit_test(a_type_is_one_of_four),
        cmocka_unit_test(
            values_written_twice_are_noted_for_registers_and_warned_of_in_transactions),
        cmocka_unit_test(whole_operations_of_a_process_do_not_overlap),
        cmocka_unit_test(findings_beyond_the_limit_are_counted_but_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
