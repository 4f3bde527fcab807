/* Readers: what each format means. */
#include "read_text.h"

static void a_json_line_is_an_event(void **state) {
    assert_ops("{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
               "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"x\",\"value\":null}\n"
               "\r\n"
               "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"key\":\"x\",\"value\":null}\r\n"
               "{\"process\":0,\"type\":\"info\",\"f\":\"write\",\"key\":\"x\",\"value\":1}",
               NULL,
               "process 0: write x 1, never answered (line 1)\n"
               "process 1: read x -> null (line 2)\n");
}

static void json_may_be_an_array_over_several_lines(void **state) {
    assert_ops(
        "\xef\xbb\xbf [\n  {\"process\": 3,\n   \"type\": \"invoke\", \"f\": \"w\",\n"
        "   \"extra\": {\"deep\": [1, 2, {}]}, \"value\": \"a\\u00e4\\\"\"},\n"
        "  {\"process\": 3, \"type\": \"ok\", \"f\": \"w\", \"value\": \"a\xc3\xa4\\\"\"}]\n",
        NULL, "process 3: write \"a\xc3\xa4\\\"\" (line 2)\n");
}

/* A second one is no mark, however the bytes come; what looks like the beginning of one is none. */
static void a_byte_order_mark_is_dropped_once(void **state) {
    static const char *const texts[] = {"\xef\xbb\xbf\xef\xbb\xbf",
                                        "\xef\xbb\xbf\xef\xbb\xbf{\"process\":0}", "\xef\xbb",
                                        "\xef\xbb\xbf\xef"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct text_history read;
        read_text(&read, texts[i], NULL);
        assert_false(read.good);
        text_history_free(&read);
    }
}

static void a_failed_cas_in_json_had_no_match_unless_an_error_stands_there(void **state) {
    assert_ops("{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,2]}\n"
               "{\"process\":0,\"type\":\"fail\",\"f\":\"cas\",\"value\":[1,2]}\n"
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,3]}\n"
               "{\"process\":0,\"type\":\"fail\",\"f\":\"cas\",\"error\":\"timeout\"}\n"
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,4]}\n"
               "{\"process\":0,\"type\":\"ok\",\"f\":\"cas\",\"result\":false}\n",
               NULL,
               "process 0: cas [1,2], no match (line 1)\n"
               "process 0: cas [1,3], failed (line 3)\n"
               "process 0: cas [1,4], no match (line 5)\n");
}

static void commands_of_redis_are_functions_in_any_case(void **state) {
    assert_ops("{\"process\":0,\"type\":\"invoke\",\"f\":\"SET\",\"key\":\"x\",\"value\":1}\n"
               "{\"process\":0,\"type\":\"ok\",\"f\":\"set\"}\n"
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"RPush\",\"value\":1}\n"
               "{\"process\":1,\"type\":\"invoke\",\"f\":\"compare_and_set\",\"value\":[1,2]}\n"
               "{\"process\":2,\"type\":\"invoke\",\"f\":\"SISMEMBER\",\"value\":1}\n"
               "{\"process\":3,\"type\":\"invoke\",\"f\":\"setData\",\"value\":1}\n",
               NULL,
               "process 0: write x 1 (line 1)\n"
               "process 0: append 1, never answered (line 3)\n"
               "process 1: cas [1,2], never answered (line 4)\n"
               "process 2: contains 1, never answered (line 5)\n"
               "process 3: write 1, never answered (line 6)\n");
}

static void other_names_of_the_process_and_of_the_answer_are_taken(void **state) {
    assert_ops("{\"client\":7,\"type\":\"invoke\",\"f\":\"read\"}\n"
               "{\"client\":8,\"type\":\"invoke\",\"f\":\"cas\",\"value\":[1,2]}\n"
               "{\"client\":7,\"type\":\"ok\",\"f\":\"read\",\"output\":5}\n"
               "{\"client\":8,\"type\":\"ok\",\"f\":\"cas\",\"output\":false}\n"
               "{\"client\":7,\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}\n"
               "{\"client\":7,\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":6,"
               "\"response\":9}\n",
               NULL,
               "process 7: read -> 5 (line 1)\n"
               "process 8: cas [1,2], no match (line 2)\n"
               "process 1: read -> 6 (line 5)\n");
}

static void events_in_one_line_are_numbered(void **state) {
    assert_ops("[{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1},"
               "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":2},\n"
               "{\"process\":0,\"type\":\"ok\",\"f\":\"write\"},"
               "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}]",
               NULL,
               "process 0: write 1 (event 1)\n"
               "process 1: write 2, never answered (event 2)\n"
               "process 0: read, never answered (event 4)\n");
}

static void texts_of_digits_may_be_taken_as_numbers(void **state) {
    const struct read_options numbers = {.numbers = true};
    static const char text[] =
        "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"1\",\"value\":[\"-5\",\"05\","
        "\"9223372036854775808\",\"5.0\",\"\"]}\n";
    assert_ops(
        text, &numbers,
        "process 0: write 1 [-5,\"05\",\"9223372036854775808\",\"5.0\",\"\"], never answered "
        "(line 1)\n");
    assert_ops(text, NULL,
               "process 0: write \"1\" [\"-5\",\"05\",\"9223372036854775808\",\"5.0\",\"\"], never "
               "answered (line 1)\n");
}

static void edn_values(void **state) {
    assert_ops(
        "({:process 0 :type :invoke :f :write :value #{:b :a} :time 1.5e3 :x/y #inst \"2020\"}\n"
        "#_ {:process 9 :type :bogus} ; dropped\n"
        "{:process 0 :type :ok :f :write :value #{:a :b}}\n"
        "{:process 0 :type :invoke :f :write, :value [1/2 2.0 3M \\a \\newline nil true -7]}"
        "\n{:process 0 :type :info :f :write :value nil :error [:socket \"x\"]})",
        NULL,
        "process 0: write [\"a\",\"b\"] (line 1)\n"
        "process 0: write [\"1/2\",2,3,\"a\",\"\\n\",null,true,-7], never answered (line 4)\n");
}

static void in_edn_a_read_of_nil_fits_any_state_and_a_failed_cas_did_not_happen(void **state) {
    assert_ops("{:process 0 :type :invoke :f :read :value nil}\n"
               "{:process 0 :type :ok :f :read :value nil}\n"
               "{:process 0 :type :invoke :f :cas :value [1 2]}\n"
               "{:process 0 :type :fail :f :cas :value [1 2]}\n",
               NULL,
               "process 0: read (line 1)\n"
               "process 0: cas [1,2], failed (line 3)\n");
}

static void nil_of_edn_may_be_what_it_says(void **state) {
    static const char text[] = "{:process 0 :type :invoke :f :read :value nil}\n"
                               "{:process 0 :type :ok :f :read :value nil}\n"
                               "{:process 1 :type :invoke :f :txn :value [[:read :x nil]]}\n"
                               "{:process 1 :type :ok :f :txn :value [[:read :x nil]]}\n";
    static const char *const expected = "process 0: read -> null (line 1)\n"
                                        "process 1: txn [r x null] (line 3)\n";
    const struct read_options absent = {.nil_absent = true}, strict = {.strict = true};
    struct text_history read;
    assert_ops(text, &absent, expected);
    assert_ops(text, &strict, expected);
    read_text(&read, text, &absent);
    assert_true(read.history.may_miss_writes);
    text_history_free(&read);
    read_text(&read, text, &strict);
    assert_false(read.history.may_miss_writes);
    text_history_free(&read);
}

static void transactions_that_only_end_have_sessions_and_no_real_time(void **state) {
    static const char text[] = "{:type :ok, :process 4, :value [[:append :x 1] [:r :y [1]]]}\n"
                               "{:type :fail, :process 4, :f :txn, :value [[:append :x 2]]}\n"
                               "{:type :info, :process 4, :f :txn, :value [[:append :x 3]]}\n"
                               "{:type :ok, :process 4, :value [[:r :x [1 3]]]}\n"
                               "{:type :ok, :value [[:r :x [1]]]}\n"
                               "{:type :ok, :value [[:r :x []]]}\n";
    struct text_history read;
    read_text(&read, text, NULL);
    assert_true(read.good);
    assert_int_equal(read.lint.totals[LINT_ERROR], 0);
    assert_true(read.history.only_ends);
    assert_false(read.history.has_real_time);
    const struct op *ops = read.history.ops;
    assert_int_equal(read.history.op_count, 6);
    assert_int_equal(ops[1].outcome, OP_FAIL);
    assert_int_equal(ops[2].outcome, OP_INFO);
    assert_int_equal(ops[0].process, ops[3].process);
    assert_int_not_equal(ops[2].process, ops[3].process); /* may have happened at any time */
    assert_int_not_equal(ops[4].process, ops[5].process); /* nothing says that they are of one */
    assert_int_equal(read.history.mops[ops[0].arg + 1].kind, MOP_READ);
    text_history_free(&read);
}

static void what_ends_before_others_begin_lacks_its_beginning(void **state) {
    struct text_history read;
    read_text(&read,
              "{:type :ok, :process 4, :value [[:append :x 1]]}\n"
              "{:type :invoke, :process 4, :value [[:append :x 2]]}\n"
              "{:type :ok, :process 4, :value [[:append :x 2]]}\n",
              NULL);
    assert_true(read.good);
    assert_int_equal(read.lint.totals[LINT_ERROR], 1);
    assert_int_equal(read.lint.at[0].line, 1);
    assert_true(read.history.has_real_time);
    assert_int_equal(read.history.ops[0].outcome, OP_FAIL); /* with --lenient it is left out */
    assert_int_equal(read.history.ops[1].outcome, OP_OK);
    text_history_free(&read);
}

static void maps_of_get_put_and_append_begin_with_the_empty_text(void **state) {
    struct text_history read;
    read_text(&read,
              "{:process 0, :type :invoke, :f :append, :key \"0\", :value \"x 0 0 y\"}\n"
              "{:process 0, :type :ok, :f :append, :key \"0\", :value \"x 0 0 y\"}\n"
              "{:process 0, :type :invoke, :f :get, :key \"7\", :value nil}\n"
              "{:process 0, :type :ok, :f :get, :key \"7\", :value \"\"}\n",
              NULL);
    assert_true(read.good);
    uint32_t empty = value_text(&read.history.values, BYTES(""));
    assert_int_equal(read.history.initial, empty);
    assert_int_equal(read.history.ops[1].out, empty);
    text_history_free(&read);
}

static void transactions_take_their_reads_from_the_completion(void **state) {
    assert_ops("{:index 0 :type :invoke :value [[:append 1 2] [:r 1 nil]]}\n"
               "{:index 1 :type :ok    :value [[:append 1 2] [:r 1 [2]]]}\n"
               "{:process 1 :type :invoke :f :txn :value [[:w :x 1] [:r :y nil]]}\n"
               "{:process 1 :type :fail :f :txn :value [[:w :x 1] [:r :y nil]]}\n"
               "{:process 1 :type :invoke :f :read :value [[:r 0 nil]]}\n"
               "{:process 1 :type :ok :f :read :value [[:r 0 nil]]}\n"
               "{:process 1 :type :invoke :f :txn :value [[:read :x nil]]}\n"
               "{:process 1 :type :ok :f :txn :value [[:read :x nil]]}\n",
               NULL,
               "process null: txn [append 1 2] [r 1 [2]] (line 1)\n"
               "process 1: txn [w x 1] [r y ?], failed (line 3)\n"
               "process 1: txn [r 0 null] (line 5)\n"
               "process 1: txn [r x ?] (line 7)\n");
}

static void the_nemesis_is_a_fault_not_a_process(void **state) {
    struct text_history read;
    read_text(&read,
              "{:type :info, :f :start, :process :nemesis, :time 5, :value :majority}\n"
              "{:type :invoke, :f :acquire, :process 3}\n"
              "{:type :ok, :f :acquire, :process 3}\n",
              NULL);
    assert_true(read.good);
    assert_int_equal(read.lint.totals[LINT_ERROR], 0);
    assert_int_equal(read.history.fault_count, 1);
    assert_int_equal(read.history.faults[0].what, value_text(&read.history.values, BYTES("start")));
    assert_int_equal(read.history.process_count, 1);
    assert_int_equal(read.history.ops[0].call, 1);
    text_history_free(&read);
}

static void keyed_values_are_split(void **state) {
    const struct read_options keyed = {.keyed = true};
    assert_ops("{:process 0 :type :invoke :f :cas :value [7 [1 2]]}\n"
               "{:process 0 :type :ok :f :cas :value [7 [1 2]]}\n"
               "{:process 0 :type :invoke :f :read :value [8 nil]}\n"
               "{:process 0 :type :ok :f :read :value [8 3]}\n",
               &keyed,
               "process 0: cas 7 [1,2] (line 1)\n"
               "process 0: read 8 -> 3 (line 3)\n");
    assert_ops("{:process 0 :type :invoke :f :write :value #jepsen.independent/Tuple [7 1]}\n"
               "{:process 0 :type :ok :f :write :value #jepsen.independent/Tuple[7 1]}\n",
               NULL, "process 0: write 7 1 (line 1)\n");
}

static void a_console_log_is_events_between_noise(void **state) {
    assert_ops("WARN something happened\n"
               "INFO  jepsen.util - 3\t:invoke\t:cas\t[0 3]\n"
               "INFO  jepsen.util - 4   :invoke :read   nil\n"
               "INFO  jepsen.util - 3\t:fail\t:cas\t[0 3]\n"
               "INFO  jepsen.util - 4\t:fail\t:read\t:timed-out\n"
               "INFO  jepsen.util - 5\t:invoke\t:write\t1\n"
               "INFO  jepsen.util - 5\t:info\t:write\t:timed-out\n"
               "INFO  jepsen.util - 6\t:invoke\t:read\tnil\n"
               "INFO  jepsen.util - 6\t:ok\t:read\tnil",
               NULL,
               "process 3: cas [0,3], no match (line 2)\n"
               "process 4: read, failed (line 3)\n"
               "process 5: write 1, never answered (line 6)\n"
               "process 6: read -> null (line 8)\n");
}

static void sessions_have_transactions_and_no_real_time(void **state) {
    struct text_history read;
    read_text(&read, "w 4 1\nr x 0\n-----\nw 4 0\n=====\nr 4 1\n", NULL);
    assert_true(read.good);
    assert_int_equal(read.history.op_count, 3);
    assert_int_equal(read.history.process_count, 2);
    assert_false(read.history.has_real_time);
    struct values *values = &read.history.values;
    assert_int_equal(history_initial(&read.history, value_text(values, BYTES("x"))),
                     value_int(values, 0));
    assert_int_equal(history_initial(&read.history, value_int(values, 4)), VALUE_NULL);
    text_history_free(&read);
}

static void a_transaction_of_plume_may_stand_apart(void **state) {
    assert_ops("w(1,1,0,0)\nw(1,2,1,-1)\nr(1, 1, 1, 5)\nw(2,1,0,0)\n", NULL,
               "process 0: txn [w 1 1] [w 2 1] (line 1)\n"
               "process 1: txn [w 1 2], failed (line 2)\n"
               "process 1: txn [r 1 1] (line 3)\n");
}

static void whole_operations_are_ordered_by_their_times(void **state) {
    struct text_history read;
    read_text(&read,
              "{\"process\":1,\"f\":\"read\",\"value\":1,\"call\":20,\"return\":30}\n"
              "{\"process\":0,\"f\":\"write\",\"value\":1,\"call\":10,\"return\":20}\n"
              "{\"process\":2,\"f\":\"write\",\"value\":2,\"call\":25,\"return\":null}\n",
              NULL);
    assert_true(read.good);
    const struct op *ops = read.history.ops;
    assert_int_equal(ops[0].f, OP_WRITE);
    assert_int_equal(ops[0].line, 2);
    assert_false(op_precedes(&ops[0], &ops[1])); /* equal times are concurrent */
    assert_int_equal(ops[1].out, value_int(&read.history.values, 1));
    assert_int_equal(ops[2].ret, OP_OPEN);
    assert_int_equal(ops[2].outcome, OP_INFO);
    assert_null(read.history.times_ns);
    text_history_free(&read);
}

static void the_order_may_be_that_of_times(void **state) {
    const struct read_options by_time = {.by_time = true, .times = true};
    struct text_history read;
    read_text(&read,
              "{\"process\":1,\"type\":\"invoke\",\"f\":\"write\",\"value\":2,\"time\":50}\n"
              "{\"process\":1,\"type\":\"ok\",\"f\":\"write\",\"value\":2,\"time\":60}\n"
              "{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1,\"time\":10}\n"
              "{\"process\":0,\"type\":\"ok\",\"f\":\"write\",\"value\":1,\"time\":20}\n",
              &by_time);
    assert_true(read.good);
    assert_int_equal(read.lint.totals[LINT_ERROR], 0);
    assert_true(op_precedes(&read.history.ops[0], &read.history.ops[1]));
    assert_int_equal(read.history.ops[0].line, 3);
    assert_int_equal(read.history.times_ns[0], 10);
    text_history_free(&read);
}

static void initial_values_come_from_the_command_line(void **state) {
    struct history history;
    struct buf why = {0};
    history_init(&history);
    assert_true(history_read_initial(&history, "nil", &why));
    assert_int_equal(history.initial, VALUE_NULL);
    assert_true(history_read_initial(&history, "\"\"", &why));
    assert_int_equal(history.initial, value_text(&history.values, BYTES("")));
    assert_true(history_read_initial(&history, "x=0,y=[1, 2]", &why) == false);
    assert_true(history_read_initial(&history, "x=0,1=free", &why));
    uint32_t x = value_text(&history.values, BYTES("x")), one = value_int(&history.values, 1);
    assert_int_equal(history_initial(&history, x), value_int(&history.values, 0));
    assert_int_equal(history_initial(&history, one), value_text(&history.values, BYTES("free")));
    buf_free(&why);
    history_free(&history);
}

static void malformed_input_is_named_with_its_line(void **state) {
    assert_error("{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"value\":1}\n{\"a\":tru}\n",
                 CAIRN_MALFORMED, "line 2: this is no JSON");
    assert_error("{\"a\":\"b\n", CAIRN_MALFORMED,
                 "line 1: a string that is not closed in its line");
    assert_error("{\"a\":\"\xff\"}", CAIRN_MALFORMED, "line 1: a text that is not UTF-8");
    assert_error("{\"a\":\"\\ud800x\"}", CAIRN_MALFORMED, "line 1: half of a surrogate pair");
    assert_error("{\"a\":1}{\"a\":01}", CAIRN_MALFORMED, "line 1: this is no number");
    assert_error("{\"a\":99999999999999999999}", CAIRN_MALFORMED,
                 "line 1: an integer that does not fit into 64 bits");
    assert_error("[{\"a\":1}\n{\"a\":1}]", CAIRN_MALFORMED,
                 "line 2: ',' is missing between events");
    assert_error("[{\"a\":1}] 2", CAIRN_MALFORMED, "line 1: something stands behind the list");
    assert_error("{:a 1\n\n ]}", CAIRN_MALFORMED,
                 "line 3: a bracket closes what another kind of bracket opened");
    assert_error("{:a}", CAIRN_MALFORMED, "line 1: a map with a key without a value");
    assert_error("r 1\n", CAIRN_MALFORMED,
                 "line 1: r key value, w key value, a line of - or a line of = was expected");
    assert_error("hello\nworld\n", CAIRN_MALFORMED,
                 "no event was found: this is no history in a known format");
}

static void truncated_input_is_an_error_at_the_line_where_the_cut_form_begins(void **state) {
    assert_error("{\"a\":1}\n{\"a\":", CAIRN_TORN,
                 "line 2: the input ends within what begins here");
    assert_error("[{\"a\":1}\n", CAIRN_TORN,
                 "line 2: the input ends within the list that begins on line 1");
    assert_error("; x\n({:a 1}\n{:b\n2", CAIRN_TORN,
                 "line 3: the input ends within what begins here");
    assert_error("{:a \"\n\n", CAIRN_TORN, "line 1: the input ends within what begins here");
}

static void million_deep_nesting_is_refused_in_little_memory(void **state) {
    static const struct read_options none;
    static const char *const begins[] = {"{\"value\":", "{:value "};
    static const char fills[] = "[{(#";
    for (size_t b = 0; b < 2; b++)
        for (size_t f = 0; f < 4 - 2 * (b == 0); f++) {
            struct text_history read;
            struct buf text = {0};
            buf_append(&text, begins[b], strlen(begins[b]));
            for (int i = 0; i < 1000000; i++)
                buf_append(&text,
                           fills[f] == '#'             ? "#_"
                           : fills[f] == '{' && b == 0 ? "{\"a\":"
                                                       : &fills[f],
                           fills[f] == '#'             ? 2
                           : fills[f] == '{' && b == 0 ? 5
                                                       : 1);
            read_pieces(&read, buf_view(&text), 1000, &none);
            assert_false(read.good);
            assert_string_equal(read.error, "line 1: nested too deeply (64 levels are allowed)");
            text_history_free(&read);
            buf_free(&text);
        }
}

static void an_endless_form_is_refused_at_the_limit(void **state) {
    const struct read_options small = {.form_max = 100000};
    static const char *const texts[] = {"{\"value\":[1,", "{:value [1 ", "INFO noise ", "w 1 "};
    for (size_t i = 0; i < 4; i++) {
        struct text_history read;
        struct buf text = {0};
        buf_append(&text, texts[i], strlen(texts[i]));
        while (text.len < 300000)
            buf_append(&text, i == 0 ? "1," : "1 ", 2);
        read_pieces(&read, buf_view(&text), 997, &small);
        assert_false(read.good);
        assert_int_equal(read.status, CAIRN_TOO_LARGE);
        assert_string_equal(read.error, "line 1: what begins here is longer than 100000 bytes");
        text_history_free(&read);
        buf_free(&text);
    }
}

static void an_empty_file_is_an_empty_history_with_a_warning(void **state) {
    struct text_history read;
    read_text(&read, " \n", NULL);
    assert_true(read.good);
    assert_int_equal(read.history.op_count, 0);
    assert_int_equal(read.lint.totals[LINT_WARNING], 1);
    text_history_free(&read);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_json_line_is_an_event),
        cmocka_unit_test(json_may_be_an_array_over_several_lines),
        cmocka_unit_test(a_byte_order_mark_is_dropped_once),
        cmocka_unit_test(a_failed_cas_in_json_had_no_match_unless_an_error_stands_there),
        cmocka_unit_test(commands_of_redis_are_functions_in_any_case),
        cmocka_unit_test(other_names_of_the_process_and_of_the_answer_are_taken),
        cmocka_unit_test(events_in_one_line_are_numbered),
        cmocka_unit_test(texts_of_digits_may_be_taken_as_numbers),
        cmocka_unit_test(nil_of_edn_may_be_what_it_says),
        cmocka_unit_test(transactions_that_only_end_have_sessions_and_no_real_time),
        cmocka_unit_test(what_ends_before_others_begin_lacks_its_beginning),
        cmocka_unit_test(edn_values),
        cmocka_unit_test(in_edn_a_read_of_nil_fits_any_state_and_a_failed_cas_did_not_happen),
        cmocka_unit_test(maps_of_get_put_and_append_begin_with_the_empty_text),
        cmocka_unit_test(transactions_take_their_reads_from_the_completion),
        cmocka_unit_test(the_nemesis_is_a_fault_not_a_process),
        cmocka_unit_test(keyed_values_are_split),
        cmocka_unit_test(a_console_log_is_events_between_noise),
        cmocka_unit_test(sessions_have_transactions_and_no_real_time),
        cmocka_unit_test(a_transaction_of_plume_may_stand_apart),
        cmocka_unit_test(whole_operations_are_ordered_by_their_times),
        cmocka_unit_test(the_order_may_be_that_of_times),
        cmocka_unit_test(initial_values_come_from_the_command_line),
        cmocka_unit_test(malformed_input_is_named_with_its_line),
        cmocka_unit_test(truncated_input_is_an_error_at_the_line_where_the_cut_form_begins),
        cmocka_unit_test(million_deep_nesting_is_refused_in_little_memory),
        cmocka_unit_test(an_endless_form_is_refused_at_the_limit),
        cmocka_unit_test(an_empty_file_is_an_empty_history_with_a_warning),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
