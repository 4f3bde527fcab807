/* The checkers of histories whose order is known. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "check/order.h"

#include <string.h>

static enum answer check(const struct order_op *ops, size_t count, const uint32_t *final,
                         size_t final_count) {
    char error[200];
    size_t where;
    return order_check(ops, count, final, final_count, error, sizeof error, &where);
}

static struct order_op change(uint64_t invoke, uint64_t complete, uint32_t token, uint64_t at) {
    return (struct order_op){
        .invoke = invoke, .complete = complete, .change = true, .token = token, .position = at};
}

static struct order_op read_of(uint64_t invoke, uint64_t complete, const uint32_t *tokens,
                               uint64_t count) {
    return (struct order_op){
        .invoke = invoke, .complete = complete, .tokens = tokens, .position = count};
}

static const uint32_t text[] = {7, 8, 9};

static void a_plain_history_holds(void **state) {
    const struct order_op ops[] = {change(0, 10, 7, 1), change(5, 20, 8, 2),
                                   read_of(21, 22, text, 2), change(15, UINT64_MAX, 9, 0),
                                   read_of(50, 60, text, 3)};
    assert_int_equal(check(ops, 5, text, 3), ANSWER_YES);
}

static void an_acknowledged_change_must_be_there(void **state) {
    const struct order_op ops[] = {change(0, 10, 7, 1), change(11, 20, 8, 2)};
    assert_int_equal(check(ops, 2, text, 1), ANSWER_NO);
}

static void what_failed_must_not_be_there(void **state) {
    struct order_op ops[] = {change(0, UINT64_MAX, 7, 0)};
    assert_int_equal(check(ops, 1, text, 1), ANSWER_YES);
    ops[0].failed = true;
    assert_int_equal(check(ops, 1, text, 1), ANSWER_NO);
}

static void nothing_takes_effect_twice(void **state) {
    const uint32_t twice[] = {7, 8, 7};
    const struct order_op ops[] = {change(0, 10, 8, 2)};
    assert_int_equal(check(ops, 1, twice, 3), ANSWER_NO);
}

static void a_read_must_not_be_older_than_what_had_ended(void **state) {
    struct order_op ops[] = {change(0, 10, 7, 1), change(11, 20, 8, 2), read_of(19, 30, text, 1)};
    assert_int_equal(check(ops, 3, text, 3), ANSWER_YES);
    ops[2].invoke = 21;
    assert_int_equal(check(ops, 3, text, 3), ANSWER_NO);
}

static void a_read_must_tell_the_order_of_the_end(void **state) {
    const uint32_t other[] = {8, 7};
    const struct order_op ops[] = {change(0, 10, 7, 1), change(0, 10, 8, 2),
                                   read_of(0, 30, other, 2)};
    assert_int_equal(check(ops, 3, text, 3), ANSWER_NO);
}

/* ---- brute force: every assignment of positions is tried by hand ---- */

static bool real_time_holds(const struct order_op *ops, const uint64_t *positions, size_t count) {
    for (size_t a = 0; a < count; a++)
        for (size_t b = 0; b < count; b++) {
            if (ops[a].complete >= ops[b].invoke)
                continue;
            if (ops[b].change ? positions[b] <= positions[a] : positions[b] < positions[a])
                return false;
        }
    return true;
}

static void agrees_with_pairs_in_real_time(void **state) {
    struct prng prng;
    uint64_t good = 0;
    prng_seed(&prng, 5);
    for (int round = 0; round < 50000; round++) {
        struct order_op ops[8];
        uint64_t positions[8];
        uint32_t final[8] = {1, 2, 3, 4, 5, 6, 7, 8};
        size_t changes = 1 + prng_below(&prng, 4), count = changes + prng_below(&prng, 4);
        for (size_t i = 0; i < count; i++) {
            uint64_t invoke = prng_below(&prng, 20), end = invoke + 1 + prng_below(&prng, 15);
            positions[i] = i < changes ? i + 1 : prng_below(&prng, changes + 1);
            ops[i] = i < changes ? change(invoke, end, (uint32_t)i + 1, i + 1)
                                 : read_of(invoke, end, final, positions[i]);
        }
        bool expected = real_time_holds(ops, positions, count);
        assert_int_equal(check(ops, count, final, changes), expected ? ANSWER_YES : ANSWER_NO);
        good += expected;
    }
    assert_true(good > 1000);
}

/* ---- the bank ---- */

static enum answer check_bank(const struct bank_op *ops, size_t count) {
    char error[200];
    size_t where;
    return bank_check(ops, count, text, 2, error, sizeof error, &where);
}

static void fill_bank(struct bank_op ops[4]) {
    memset(ops, 0, 4 * sizeof *ops);
    ops[0] = (struct bank_op){.order = change(0, 10, 7, 1), .from = 0, .to = 1, .amount = 5};
    ops[0].values[0] = -5;
    ops[0].values[1] = 5;
    ops[1] = (struct bank_op){.order = change(20, 30, 8, 2), .from = 1, .to = 2, .amount = 3};
    ops[1].values[0] = 2;
    ops[1].values[1] = 3;
    ops[2] = (struct bank_op){.order = read_of(40, 50, NULL, 2)};
    ops[2].values[0] = -5;
    ops[2].values[1] = 2;
    ops[2].values[2] = 3;
    ops[3] = ops[2];
    ops[3].floating = true;
    ops[3].order.position = 0;
}

static void transfers_and_balances_agree(void **state) {
    struct bank_op ops[4];
    fill_bank(ops);
    assert_int_equal(check_bank(ops, 4), ANSWER_YES);
    ops[2].values[2] = 4;
    assert_int_equal(check_bank(ops, 4), ANSWER_NO);
}

static void half_a_transfer_is_seen_by_a_read_of_unknown_position(void **state) {
    struct bank_op ops[4];
    fill_bank(ops);
    ops[3].values[2] = 0;
    assert_int_equal(check_bank(ops, 4), ANSWER_NO);
}

static void a_stale_read_of_unknown_position_is_found(void **state) {
    struct bank_op ops[4];
    fill_bank(ops);
    ops[3].values[1] = 5;
    ops[3].values[2] = 0; /* as after the first transfer */
    assert_int_equal(check_bank(ops, 4), ANSWER_NO);
    ops[3].order.invoke = 25; /* while the second one was under way */
    assert_int_equal(check_bank(ops, 4), ANSWER_YES);
}

static void what_was_watched_must_not_have_changed(void **state) {
    struct bank_op ops[4];
    fill_bank(ops);
    ops[1].watched = true;
    ops[1].values[2] = 5;
    ops[1].values[3] = 0;
    assert_int_equal(check_bank(ops, 4), ANSWER_YES);
    ops[1].values[2] = 4;
    assert_int_equal(check_bank(ops, 4), ANSWER_NO);
}

/* ---- expiry ---- */

static enum answer check_expiry(const struct expiry_op *ops, size_t count) {
    char error[200];
    size_t where;
    return expiry_check(ops, count, 100000, error, sizeof error, &where);
}

static void a_key_that_is_gone_stays_gone(void **state) {
    const uint64_t ms = 1000000;
    struct expiry_op ops[] = {
        {.invoke = 0, .complete = 1 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 50 * ms, .complete = 51 * ms, .key = 1},
        {.invoke = 120 * ms, .complete = 121 * ms, .key = 1, .nil = true},
        {.invoke = 130 * ms, .complete = 131 * ms, .key = 1, .nil = true}};
    assert_int_equal(check_expiry(ops, 4), ANSWER_YES);
    ops[3].nil = false;
    assert_int_equal(check_expiry(ops, 4), ANSWER_NO);
}

static void a_key_lives_as_long_as_it_was_told(void **state) {
    const uint64_t ms = 1000000;
    struct expiry_op ops[] = {
        {.invoke = 0, .complete = 1 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 95 * ms, .complete = 96 * ms, .key = 1, .nil = true}};
    assert_int_equal(check_expiry(ops, 2), ANSWER_YES);
    ops[1].invoke = 60 * ms;
    ops[1].complete = 61 * ms;
    assert_int_equal(check_expiry(ops, 2), ANSWER_NO);
}

static void a_key_that_was_given_more_time_is_there(void **state) {
    const uint64_t ms = 1000000;
    struct expiry_op ops[] = {
        {.invoke = 0, .complete = 1 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 98 * ms, .complete = 99 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 150 * ms, .complete = 151 * ms, .key = 1}};
    assert_int_equal(check_expiry(ops, 3), ANSWER_YES);
    ops[2].nil = true;
    assert_int_equal(check_expiry(ops, 3), ANSWER_NO);
    ops[1].complete = UINT64_MAX; /* perhaps it never was */
    assert_int_equal(check_expiry(ops, 3), ANSWER_YES);
}

static void a_key_that_is_written_anew_may_be_back(void **state) {
    const uint64_t ms = 1000000;
    struct expiry_op ops[] = {
        {.invoke = 0, .complete = 1 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 120 * ms, .complete = 121 * ms, .key = 1, .nil = true},
        {.invoke = 122 * ms, .complete = 123 * ms, .key = 1, .write = true, .ttl_ns = 100 * ms},
        {.invoke = 124 * ms, .complete = 125 * ms, .key = 1}};
    assert_int_equal(check_expiry(ops, 4), ANSWER_YES);
    ops[2].invoke = 126 * ms;
    ops[2].complete = 127 * ms;
    assert_int_equal(check_expiry(ops, 4), ANSWER_NO);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plain_history_holds),
        cmocka_unit_test(an_acknowledged_change_must_be_there),
        cmocka_unit_test(what_failed_must_not_be_there),
        cmocka_unit_test(nothing_takes_effect_twice),
        cmocka_unit_test(a_read_must_not_be_older_than_what_had_ended),
        cmocka_unit_test(a_read_must_tell_the_order_of_the_end),
        cmocka_unit_test(agrees_with_pairs_in_real_time),
        cmocka_unit_test(transfers_and_balances_agree),
        cmocka_unit_test(half_a_transfer_is_seen_by_a_read_of_unknown_position),
        cmocka_unit_test(a_stale_read_of_unknown_position_is_found),
        cmocka_unit_test(what_was_watched_must_not_have_changed),
        cmocka_unit_test(a_key_that_is_gone_stays_gone),
        cmocka_unit_test(a_key_lives_as_long_as_it_was_told),
        cmocka_unit_test(a_key_that_was_given_more_time_is_there),
        cmocka_unit_test(a_key_that_is_written_anew_may_be_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
