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
                   LINT_ERROR, 2, "the type of an event is invoke, ok, fail or info, not \"done\"");
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

static void an_event_without_a_type_or_process_says_so(void **state) {
    assert_finding("{\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}\n"
                   "{\"process\":1,\"f\":\"read\"}\n",
                   NULL, LINT_ERROR, 2,
                   "this event has no type, which is invoke, ok, fail or info");
    assert_finding("{\"type\":\"invoke\",\"f\":\"read\"}\n{\"type\":\"invoke\",\"f\":\"read\"}\n",
                   NULL, LINT_ERROR, 2,
                   "events without a process are all of one, which invokes again before the end of "
                   "its operation, line 1");
}

static void an_unknown_function_is_named(void **state) {
    assert_finding("{\"process\":1,\"type\":\"invoke\",\"f\":\"LPOP\"}\n", NULL, LINT_WARNING, 1,
                   "unknown function \"LPOP\"");
    assert_finding("{\"process\":1,\"type\":\"invoke\"}\n", NULL, LINT_WARNING, 1,
                   "this event has no function (f)");
}

static void an_answer_under_another_name_beside_null_is_warned_of(void **state) {
    assert_finding("{\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}\n"
                   "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":null,\"output\":7}\n",
                   NULL, LINT_WARNING, 2,
                   "the answer is null here, and \"output\" is not looked at: an answer stands in "
                   "value, or in result");
}

/* ---- of the whole history ---- */

static void assert_whole(const char *text, const struct read_options *options,
                         const char *expected) {
    struct text_history read;
    struct lint whole;
    read_text(&read, text, options);
    assert_true(read.good);
    lint_init(&whole);
    lint_history(&whole, &read.history);
    assert_int_equal(whole.count, expected == NULL ? 0 : 1);
    if (expected != NULL) {
        assert_int_equal(whole.at[0].line, 0);
        struct bytes found = lint_text(&whole, 0);
        if (found.len < strlen(expected) || memcmp(found.data, expected, strlen(expected)) != 0)
            fail_msg("%.*s", (int)found.len, (const char *)found.data);
    }
    lint_free(&whole);
    text_history_free(&read);
}

#define WRITE_THEN_READ(written, key_written, key_read, answer)                                    \
    "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":" key_written                      \
    ",\"value\":" written "}\n{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"key\":" key_written \
    ",\"value\":" written "}\n{\"process\":0,\"type\":\"invoke\",\"f\":\"read\",\"key\":" key_read \
    "}\n{\"process\":0,\"type\":\"ok\",\"f\":\"read\",\"key\":" key_read answer "}\n"

static void times_that_go_back_between_processes_are_told(void **state) {
    static const char text[] = "{:process 0 :type :invoke :f :read :time 66000200}\n"
                               "{:process 0 :type :ok :f :read :value 1 :time 66000300}\n"
                               "{:process 1 :type :invoke :f :write :value 1 :time 300}\n"
                               "{:process 1 :type :ok :f :write :value 1 :time 500}\n";
    const struct read_options by_time = {.by_time = true};
    assert_whole(text, NULL, "lines tell the order here, and their times go back by up to 66 ms");
    assert_whole(text, &by_time, NULL);
}

static void reads_without_answers_are_told(void **state) {
    assert_whole(WRITE_THEN_READ("1", "\"x\"", "\"x\"", ""), NULL, "no read has an answer, so");
    assert_whole(WRITE_THEN_READ("1", "\"x\"", "\"x\"", ",\"value\":1"), NULL, NULL);
}

static void a_number_and_a_text_that_look_the_same_are_told(void **state) {
    const struct read_options numbers = {.numbers = true};
    static const char value[] = WRITE_THEN_READ("1", "\"x\"", "\"x\"", ",\"value\":\"1\"");
    assert_whole(value, NULL,
                 "\"1\" was read as a text (line 3), and 1 was written as a number (line 1); they "
                 "are two values: with --numbers");
    assert_whole(value, &numbers, NULL);
    char both[1200]; /* each was written as what it was read as */
    snprintf(both, sizeof both, "%s%s", WRITE_THEN_READ("\"1\"", "\"x\"", "\"x\"", ""), value);
    assert_whole(both, NULL, NULL);
    assert_whole(WRITE_THEN_READ("\"1\"", "\"x\"", "\"x\"", ",\"value\":1"), NULL,
                 "1 was read as a number (line 3), and \"1\" was written as a text (line 1)");
    assert_whole(
        WRITE_THEN_READ("5", "1", "\"1\"", ",\"value\":null"), NULL,
        "1 is a key as a number (line 1), and \"1\" as a text (line 3); they are two keys");
}

static void nil_after_an_acknowledged_write_is_told(void **state) {
    static const char write[] = "{:process 0 :type :invoke :f :write :value 1}\n"
                                "{:process 0 :type :ok :f :write :value 1}\n";
    static const char nil[] = "{:process 0 :type :invoke :f :read}\n"
                              "{:process 0 :type :ok :f :read :value nil}\n"
                              "{:process 0 :type :invoke :f :read}\n"
                              "{:process 0 :type :ok :f :read :value 1}\n";
    const struct read_options absent = {.nil_absent = true}, strict = {.strict = true};
    char text[600];
    snprintf(text, sizeof text, "%s%s", write, nil);
    assert_whole(text, NULL,
                 "an answer of nil fits any state in this format; 1 such reads came "
                 "after an acknowledged write of their key, the first on line 3");
    assert_whole(text, &absent, NULL);
    assert_whole(text, &strict, NULL);
    assert_whole(nil, NULL, NULL);
}

static void values_that_look_like_key_and_value_are_told(void **state) {
    assert_whole("{:process 0 :type :invoke :f :add :value [0 5]}\n"
                 "{:process 0 :type :ok :f :add :value [0 5]}\n"
                 "{:process 0 :type :invoke :f :read}\n"
                 "{:process 0 :type :ok :f :read :value #{5}}\n",
                 NULL, "what is written looks like [key value], and the read on line 3 answers");
    assert_whole("{:process 0 :type :invoke :f :add :value [0 5]}\n"
                 "{:process 0 :type :ok :f :add :value [0 5]}\n"
                 "{:process 0 :type :invoke :f :read}\n"
                 "{:process 0 :type :ok :f :read :value #{[0 5]}}\n",
                 NULL, NULL);
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
        cmocka_unit_test(an_event_without_a_type_or_process_says_so),
        cmocka_unit_test(an_unknown_function_is_named),
        cmocka_unit_test(an_answer_under_another_name_beside_null_is_warned_of),
        cmocka_unit_test(times_that_go_back_between_processes_are_told),
        cmocka_unit_test(reads_without_answers_are_told),
        cmocka_unit_test(a_number_and_a_text_that_look_the_same_are_told),
        cmocka_unit_test(nil_after_an_acknowledged_write_is_told),
        cmocka_unit_test(values_that_look_like_key_and_value_are_told),
        cmocka_unit_test(whole_operations_of_a_process_do_not_overlap),
        cmocka_unit_test(findings_beyond_the_limit_are_counted_but_not_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
