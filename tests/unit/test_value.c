/* Interned values and histories. */
#include "check/history.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void assert_printed(const struct values *values, uint32_t id, const char *text) {
    struct buf out = {0};
    value_print(values, id, &out);
    buf_u8(&out, 0);
    assert_string_equal((char *)out.data, text);
    buf_free(&out);
}

static void equal_values_have_one_number(void **state) {
    struct values values;
    values_init(&values);
    uint32_t one = value_int(&values, 1), text = value_text(&values, BYTES("1"));
    uint32_t yes = value_bool(&values, true);
    assert_true(one != text && one != yes && text != yes && one != VALUE_NULL);
    for (int64_t i = 0; i < 10000; i++)
        value_int(&values, i * i);
    uint32_t count = values.count;
    for (int64_t i = 0; i < 10000; i++)
        assert_int_equal(value_at(&values, value_int(&values, i * i))->integer, i * i);
    assert_int_equal(values.count, count);
    assert_int_equal(value_text(&values, BYTES("1")), text);
    assert_int_equal(value_text(&values, BYTES("")), value_text(&values, bytes_of(NULL, 0)));
    values_free(&values);
}

static void sets_and_maps_forget_their_order(void **state) {
    struct values values;
    values_init(&values);
    uint32_t a = value_text(&values, BYTES("a")), b = value_text(&values, BYTES("b"));
    uint32_t one = value_int(&values, 1), two = value_int(&values, 2);
    assert_int_equal(value_set(&values, (uint32_t[]){b, a, b}, 3),
                     value_list(&values, (uint32_t[]){a, b}, 2));
    uint32_t map = value_map(&values, (uint32_t[]){b, two, a, one, b, one}, 6);
    assert_int_equal(map, value_map(&values, (uint32_t[]){a, one, b, one}, 4));
    assert_true(map != value_list(&values, (uint32_t[]){a, one, b, one}, 4));
    assert_printed(&values, map, "{\"a\":1,\"b\":1}");
    values_free(&values);
}

static void a_list_may_be_made_from_a_part_of_another(void **state) {
    struct values values;
    values_init(&values);
    uint32_t items[100];
    for (uint32_t i = 0; i < 100; i++)
        items[i] = value_int(&values, i);
    uint32_t list = value_list(&values, items, 100);
    for (uint32_t len = 0; len < 100; len++) {
        uint32_t prefix = value_list(&values, value_items(&values, list), len);
        assert_int_equal(value_at(&values, prefix)->len, len);
        if (len != 0)
            assert_memory_equal(value_items(&values, prefix), items, len * sizeof *items);
    }
    values_free(&values);
}

static void the_order_of_values_is_that_of_their_content(void **state) {
    struct values values;
    values_init(&values);
    uint32_t nine = value_int(&values, 9), minus = value_int(&values, -1);
    uint32_t b = value_text(&values, BYTES("b")), ab = value_text(&values, BYTES("ab"));
    uint32_t order[] = {VALUE_NULL,
                        value_bool(&values, true),
                        minus,
                        nine,
                        ab,
                        b,
                        value_list(&values, NULL, 0),
                        value_list(&values, (uint32_t[]){minus}, 1),
                        value_list(&values, (uint32_t[]){minus, nine}, 2),
                        value_list(&values, (uint32_t[]){nine}, 1),
                        value_map(&values, NULL, 0)};
    size_t count = sizeof order / sizeof *order;
    for (size_t i = 0; i < count; i++)
        for (size_t j = 0; j < count; j++) {
            int sign = value_compare(&values, order[i], order[j]);
            assert_int_equal((sign > 0) - (sign < 0), (i > j) - (i < j));
        }
    values_free(&values);
}

static void texts_are_printed_as_json(void **state) {
    struct values values;
    values_init(&values);
    assert_printed(&values, value_text(&values, BYTES("a\"\\\n\x01\xc3\xa4\xff")),
                   "\"a\\\"\\\\\\n\\u0001\xc3\xa4\\ufffd\"");
    assert_printed(&values, value_int(&values, INT64_MIN), "-9223372036854775808");
    assert_false(text_is_utf8(BYTES("\xc0\x80")));
    assert_false(text_is_utf8(BYTES("\xed\xa0\x80")));
    assert_false(text_is_utf8(BYTES("\xe2\x82")));
    assert_true(text_is_utf8(BYTES("\xf0\x9f\x98\x80")));
    values_free(&values);
}

static void make_history(struct history *history) {
    history_init(history);
    struct values *values = &history->values;
    uint32_t x = value_text(values, BYTES("x"));
    struct op *write = history_op(history);
    write->f = OP_WRITE;
    write->key = x;
    write->arg = value_int(values, 5);
    write->ret = 1;
    write->line = 17;
    write->process = history_process(history, value_int(values, 3));
    history_times(history, 0, 10, 20);
    for (uint32_t n = 0; n < 3; n++) {
        uint32_t first = history->mop_count;
        for (uint32_t i = 0; i <= n; i++)
            *history_mop(history) = (struct mop){MOP_READ, x, VALUE_NULL};
        struct op *txn = history_op(history);
        txn->f = OP_TXN;
        txn->arg = first;
        txn->out = n + 1;
        txn->call = 2 + n;
        txn->outcome = OP_INFO;
        txn->process = history_process(history, value_int(values, 4 + n));
    }
    history_set_initial(history, x, write->arg);
}

static void a_copy_keeps_what_it_is_told_to(void **state) {
    struct history history, copy;
    make_history(&history);
    history_copy(&copy, &history, (bool[]){true, false, false, true});
    assert_int_equal(copy.op_count, 2);
    assert_int_equal(copy.mop_count, 3);
    assert_int_equal(copy.ops[1].arg, 0);
    assert_int_equal(copy.ops[1].call, 4);
    assert_int_equal(copy.times_ns[1], 20);
    assert_int_equal(copy.times_ns[2], UINT64_MAX);
    assert_int_equal(copy.process_count, 4);
    uint32_t x = value_text(&copy.values, BYTES("x"));
    assert_int_equal(history_initial(&copy, x), value_int(&copy.values, 5));
    assert_int_equal(history_initial(&copy, VALUE_NULL), VALUE_NULL);
    for (int64_t i = 0; i < 1000; i++)
        value_int(&copy.values, i);
    history_free(&copy);
    history_free(&history);
}

static void an_operation_is_told_in_words(void **state) {
    struct history history;
    struct buf out = {0};
    make_history(&history);
    history_describe(&history, 0, &out);
    buf_printf(&out, "; ");
    history_describe(&history, 1, &out);
    buf_u8(&out, 0);
    assert_string_equal(
        (char *)out.data,
        "process 3: write x 5 (line 17); process 4: txn [r x null], never answered");
    buf_free(&out);
    history_free(&history);
}

static void initial_values_are_found_in_any_order_of_keys(void **state) {
    struct history history;
    history_init(&history);
    for (uint32_t i = 0; i < 1000; i++)
        history_set_initial(&history, i * 7919 % 1000 + 1, i + 1);
    for (uint32_t i = 0; i < 1000; i++)
        assert_int_equal(history_initial(&history, i * 7919 % 1000 + 1), i + 1);
    assert_int_equal(history_initial(&history, 1001), VALUE_NULL);
    history_free(&history);
}

static void show(const struct values *values, uint32_t id, char *to, size_t size) {
    struct buf out = {0};
    value_show(values, id, &out);
    assert_true(out.len < size);
    memcpy(to, out.data, out.len);
    to[out.len] = 0;
    buf_free(&out);
}

/* What a person sees tells any two values apart: 1 is not "1", null is no text. */
static void no_two_values_are_shown_alike(void **state) {
    static const char *const texts[] = {"",      "1",   "-1",  "+1",     "01",  "1.5", ".5",
                                        "1e3",   "-",   "+",   "null",   "nil", "?",   "true",
                                        "false", "a b", "a,b", "[1]",    "{}",  "\"",  "\"1\"",
                                        "a",     "-a",  "x1",  "[\"1\"]"};
    enum { TEXTS = sizeof texts / sizeof *texts, ALL = TEXTS + 9 };
    struct values values;
    uint32_t ids[ALL], count = 0;
    char shown[ALL + 1][64];
    values_init(&values);
    for (size_t i = 0; i < TEXTS; i++)
        ids[count++] = value_text(&values, bytes_cstr(texts[i]));
    ids[count++] = VALUE_NULL;
    ids[count++] = value_bool(&values, true);
    ids[count++] = value_bool(&values, false);
    ids[count++] = value_int(&values, 1);
    ids[count++] = value_int(&values, -1);
    ids[count++] = value_list(&values, &ids[TEXTS + 3], 1); /* [1] */
    ids[count++] = value_list(&values, &ids[1], 1);         /* ["1"] */
    ids[count++] = value_map(&values, NULL, 0);
    ids[count++] = VALUE_NONE;
    for (uint32_t i = 0; i < count; i++)
        show(&values, ids[i], shown[i], sizeof *shown);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t j = 0; j < i; j++)
            assert_string_not_equal(shown[i], shown[j]);
    assert_string_equal(shown[1], "\"1\"");
    show(&values, value_text(&values, BYTES("x1")), shown[ALL], sizeof *shown);
    assert_string_equal(shown[ALL], "x1");
    values_free(&values);
}

static void texts_that_are_integers_are_told(void **state) {
    static const struct {
        const char *text;
        bool is;
        int64_t integer;
    } cases[] = {{"0", true, 0},
                 {"-7", true, -7},
                 {"9223372036854775807", true, INT64_MAX},
                 {"-9223372036854775808", true, INT64_MIN},
                 {"9223372036854775808", false, 0},
                 {"", false, 0},
                 {"-", false, 0},
                 {"-0", false, 0},
                 {"07", false, 0},
                 {"+7", false, 0},
                 {"7 ", false, 0},
                 {"1e3", false, 0}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int64_t integer = 0;
        assert_int_equal(text_is_integer(bytes_cstr(cases[i].text), &integer), cases[i].is);
        assert_true(integer == cases[i].integer);
    }
}

static void functions_have_synonyms(void **state) {
    assert_int_equal(op_f_of(BYTES("GET")), OP_READ);
    assert_int_equal(op_f_of(BYTES("delete_min")), OP_DELETE_MIN);
    assert_int_equal(op_f_of(BYTES("DeleteMin")), OP_DELETE_MIN);
    assert_int_equal(op_f_of(BYTES("INCR")), OP_ADD);
    assert_int_equal(op_f_of(BYTES("LPOP")), OP_OTHER); /* of a queue, or of a stack? */
    assert_int_equal(op_f_of(BYTES("OTHER")), OP_OTHER);
    assert_int_equal(op_f_of(BYTES("get")), OP_READ);
    assert_int_equal(op_f_of(BYTES("delete-min")), OP_DELETE_MIN);
    assert_int_equal(op_f_of(BYTES("lock")), OP_ACQUIRE);
    assert_int_equal(op_f_of(BYTES("frobnicate")), OP_OTHER);
    assert_string_equal(op_f_name(OP_CAS), "cas");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(equal_values_have_one_number),
        cmocka_unit_test(sets_and_maps_forget_their_order),
        cmocka_unit_test(a_list_may_be_made_from_a_part_of_another),
        cmocka_unit_test(the_order_of_values_is_that_of_their_content),
        cmocka_unit_test(texts_are_printed_as_json),
        cmocka_unit_test(a_copy_keeps_what_it_is_told_to),
        cmocka_unit_test(an_operation_is_told_in_words),
        cmocka_unit_test(initial_values_are_found_in_any_order_of_keys),
        cmocka_unit_test(no_two_values_are_shown_alike),
        cmocka_unit_test(texts_that_are_integers_are_told),
        cmocka_unit_test(functions_have_synonyms),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
