/* What a verdict rests on, and what a violation may come from that is none: assumed initial values.
 */
#include "check/hint.h"
#include "check/survey.h"
#include "read_text.h"

/* ---- what was judged ---- */

static void assert_survey(const char *text, const char *expected, const char *empty) {
    struct text_history read;
    struct survey survey;
    struct buf out = {0}, why = {0};
    read_text(&read, text, NULL);
    assert_true(read.good);
    survey_take(&survey, &read.history);
    survey_tell(&survey, &out);
    buf_u8(&out, 0);
    assert_string_equal((char *)out.data, expected);
    assert_int_equal(survey_is_empty(&survey, &why), empty != NULL);
    buf_u8(&why, 0);
    assert_string_equal((char *)why.data, empty == NULL ? "" : empty);
    buf_free(&out);
    buf_free(&why);
    text_history_free(&read);
}

static void what_was_judged_is_counted(void **state) {
    assert_survey("{\"process\":0,\"type\":\"invoke\",\"f\":\"write\",\"key\":\"x\",\"value\":1}\n"
                  "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"y\"}\n"
                  "{\"process\":0,\"type\":\"info\",\"f\":\"write\"}\n"
                  "{\"process\":1,\"type\":\"ok\",\"f\":\"read\",\"value\":null}\n"
                  "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"x\"}\n"
                  "{\"process\":1,\"type\":\"ok\",\"f\":\"read\"}\n"
                  "{\"process\":2,\"type\":\"invoke\",\"f\":\"read\",\"key\":\"z\"}\n"
                  "{\"process\":2,\"type\":\"fail\",\"f\":\"read\"}\n",
                  "judged: 3 operations of 2 processes on 2 keys, and 1 failed; 1 of unknown fate; "
                  "1 of 2 reads with an answer",
                  NULL);
    assert_survey("w x 1\nr y 0\n====\nr x 1\n",
                  "judged: 2 operations of 2 processes on 2 keys; 2 reads with an answer", NULL);
    assert_survey("{\"process\":0,\"type\":\"invoke\",\"f\":\"acquire\"}\n"
                  "{\"process\":0,\"type\":\"ok\",\"f\":\"acquire\"}\n",
                  "judged: 1 operation of 1 process; no reads", NULL);
}

static void where_nothing_is_known_there_is_nothing_to_judge(void **state) {
    static const char invoke[] = "{\"process\":0,\"type\":\"invoke\",\"f\":\"read\"}\n";
    static const char other[] = "{\"process\":1,\"type\":\"invoke\",\"f\":\"read\"}\n"
                                "{\"process\":1,\"type\":\"fail\",\"f\":\"read\"}\n";
    char both[400];
    snprintf(both, sizeof both, "%s%s", invoke, other);
    assert_survey("", "judged: 0 operations of 0 processes; no reads",
                  "there is no operation in this history");
    assert_survey(
        invoke, "judged: 1 operation of 1 process; 1 of unknown fate; 0 of 1 reads with an answer",
        "all 1 operations are of unknown fate");
    assert_survey(other, "judged: 0 operations of 0 processes, and 1 failed; no reads",
                  "all 1 operations failed");
    assert_survey(both,
                  "judged: 1 operation of 1 process, and 1 failed; 1 of unknown fate; 0 of 1 reads "
                  "with an answer",
                  "of 2 operations 1 failed and 1 are of unknown fate");
}

/* ---- initial values ---- */

/* expected: NULL: no hint. */
static void assert_hint(const char *text, enum model model, enum level level,
                        const char *expected) {
    struct text_history read;
    struct verdict verdict;
    struct buf out = {0};
    const struct check_options options = {.model = model, .level = level, .by_key = true};
    read_text(&read, text, NULL);
    assert_true(read.good);
    check_history(&read.history, &options, &verdict);
    assert_int_equal(verdict.answer, ANSWER_NO);
    bool told = hint_initial(&read.history, &options, &verdict, 1000000000, &out);
    buf_u8(&out, 0);
    assert_string_equal((char *)out.data, expected == NULL ? "" : expected);
    assert_int_equal(told, expected != NULL);
    buf_free(&out);
    verdict_free(&verdict);
    text_history_free(&read);
}

#define OP(process, f, key, value)                                                               \
    "{\"process\":" process ",\"type\":\"invoke\",\"f\":\"" f "\"" key ",\"value\":" value "}\n" \
    "{\"process\":" process ",\"type\":\"ok\",\"f\":\"" f "\"" key ",\"value\":" value "}\n"
#define X ",\"key\":\"x\""
#define Y ",\"key\":\"y\""

static void a_register_that_begins_with_a_value_is_told(void **state) {
    assert_hint(OP("0", "read", X, "0") OP("0", "write", X, "3") OP("1", "read", Y, "0"),
                MODEL_REGISTER, LEVEL_LINEARIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it holds");
    assert_hint(OP("0", "read", X, "0") OP("0", "read", Y, "\"free\""), MODEL_REGISTER,
                LEVEL_LINEARIZABLE,
                "perhaps keys have initial values, which were read and never written: with "
                "--initial 'x=0,y=\"free\"' it holds");
    assert_hint(OP("0", "cas", "", "[0,1]") OP("0", "read", "", "1"), MODEL_CAS_REGISTER,
                LEVEL_LINEARIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it holds");
    /* Only one key begins so; the other was found empty. */
    assert_hint(OP("0", "read", X, "0") OP("0", "read", Y, "null"), MODEL_REGISTER,
                LEVEL_LINEARIZABLE,
                "perhaps keys have initial values, which were read and never written: with "
                "--initial 'x=0' it holds");
}

static void what_no_initial_value_explains_is_not_blamed_on_it(void **state) {
    assert_hint(OP("0", "write", X, "3") OP("0", "read", X, "7"), MODEL_REGISTER,
                LEVEL_LINEARIZABLE, NULL);
    assert_hint(OP("0", "read", X, "0") OP("0", "read", X, "1"), MODEL_REGISTER, LEVEL_LINEARIZABLE,
                NULL);
    assert_hint("{\"initial\":4}\n" OP("0", "read", X, "0"), MODEL_REGISTER, LEVEL_LINEARIZABLE,
                NULL);
    assert_hint(OP("0", "write", X, "1") OP("0", "write", X, "2") OP("0", "read", X, "1"),
                MODEL_REGISTER, LEVEL_LINEARIZABLE, NULL);
    assert_hint(OP("0", "read", X, "0") OP("0", "write", X, "3") OP("0", "write", X, "4")
                    OP("0", "read", X, "3"),
                MODEL_REGISTER, LEVEL_LINEARIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it is violated all the same");
}

/* A failed operation may hold anything; it was never looked at. */
static void what_failed_has_no_shape(void **state) {
    assert_hint(OP("0", "read", "", "0") "{\"process\":0,\"type\":\"invoke\",\"f\":\"cas\","
                                         "\"value\":\"ab\"}\n"
                                         "{\"process\":0,\"type\":\"fail\",\"f\":\"cas\","
                                         "\"value\":\"ab\",\"error\":\"no\"}\n",
                MODEL_CAS_REGISTER, LEVEL_LINEARIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it holds");
}

static void other_objects_begin_with_what_was_found_first(void **state) {
    assert_hint(OP("0", "read", "", "10") OP("0", "add", "", "5") OP("0", "read", "", "15"),
                MODEL_COUNTER, LEVEL_LINEARIZABLE,
                "perhaps the initial value is 10, which was read and never written: with --initial "
                "10 it holds");
    assert_hint(OP("0", "read", "", "[1]") OP("0", "add", "", "2") OP("0", "read", "", "[1,2]"),
                MODEL_SET, LEVEL_LINEARIZABLE,
                "perhaps the initial value is [1], which was read and never written: with "
                "--initial '[1]' it holds");
    assert_hint(OP("0", "read", "", "[1]") OP("0", "append", "", "2") OP("0", "read", "", "[1,2]"),
                MODEL_APPEND, LEVEL_LINEARIZABLE,
                "perhaps the initial value is [1], which was read and never written: with "
                "--initial '[1]' it holds");
    assert_hint(OP("0", "txn", "", "[[\"r\",\"x\",0],[\"w\",\"x\",1]]"), MODEL_MULTI_REGISTER,
                LEVEL_LINEARIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it holds");
    assert_hint(OP("0", "txn", "", "[[\"r\",\"x\",0],[\"w\",\"x\",1]]"), MODEL_TXN_RW,
                LEVEL_STRICT_SERIALIZABLE,
                "perhaps the initial value is 0, which was read and never written: with --initial "
                "0 it holds");
}

static void a_bank_without_balances_is_told_its_total(void **state) {
    assert_hint(OP("0", "transfer", "", "{\"from\":0,\"to\":1,\"amount\":5}")
                    OP("1", "read", "", "{\"0\":95,\"1\":5}"),
                MODEL_BANK, LEVEL_LINEARIZABLE,
                "all accounts were taken to be empty at first, and the first read (line 3) has a "
                "total of 100: with --initial '{\"0\":100,\"1\":0}' it holds");
    assert_hint(OP("1", "read", "", "[10,10]")
                    OP("0", "transfer", "", "{\"from\":0,\"to\":1,\"amount\":5}")
                        OP("1", "read", "", "[5,16]"),
                MODEL_BANK, LEVEL_LINEARIZABLE,
                "all accounts were taken to be empty at first, and the first read (line 1) has a "
                "total of 20: with --initial '{\"0\":10,\"1\":10}' it is violated all the same");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_judged_is_counted),
        cmocka_unit_test(where_nothing_is_known_there_is_nothing_to_judge),
        cmocka_unit_test(a_register_that_begins_with_a_value_is_told),
        cmocka_unit_test(what_no_initial_value_explains_is_not_blamed_on_it),
        cmocka_unit_test(what_failed_has_no_shape),
        cmocka_unit_test(other_objects_begin_with_what_was_found_first),
        cmocka_unit_test(a_bank_without_balances_is_told_its_total),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
