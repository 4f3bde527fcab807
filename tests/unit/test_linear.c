/* The linearizability checker, against every possible order of small histories. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/prng.h"
#include "check/linear.h"

#define OPS_MAX 7
#define STEPS 1000000u

/* ---- all orders, one by one ---- */

struct brute {
    const struct linear_op *ops;
    size_t count;
    bool used[OPS_MAX];
};

struct state {
    int64_t number;
    bool nil;
};

static bool legal(const struct linear_op *op, struct state *state) {
    bool known = op->complete != UINT64_MAX;
    bool seen = op->nil ? state->nil : !state->nil && state->number == op->result;
    switch (op->kind) {
    case LINEAR_WRITE:
        *state = (struct state){op->argument, false};
        return true;
    case LINEAR_READ:
        return !known || seen;
    case LINEAR_GETSET:
        *state = (struct state){op->argument, false};
        return !known || seen;
    case LINEAR_SETNX:
        if (known && op->result != (state->nil ? 1 : 0))
            return false;
        if (state->nil)
            *state = (struct state){op->argument, false};
        return true;
    case LINEAR_DELETE:
        if (known && op->result != (state->nil ? 0 : 1))
            return false;
        *state = (struct state){0, true};
        return true;
    case LINEAR_ADD:
        *state = (struct state){(state->nil ? 0 : state->number) + op->argument, false};
        return !known || op->result == state->number;
    }
    return false;
}

/* Nothing unused ended before this one began. */
static bool may_be_next(const struct brute *brute, size_t n) {
    for (size_t i = 0; i < brute->count; i++)
        if (!brute->used[i] && i != n && brute->ops[i].complete < brute->ops[n].invoke)
            return false;
    return true;
}

static bool search(struct brute *brute, struct state state) {
    bool over = true;
    for (size_t i = 0; i < brute->count; i++)
        over &= brute->used[i] || brute->ops[i].complete == UINT64_MAX;
    for (size_t i = 0; i < brute->count && !over; i++) {
        struct state after = state;
        if (brute->used[i] || !may_be_next(brute, i) || !legal(&brute->ops[i], &after))
            continue;
        brute->used[i] = true;
        over = search(brute, after);
        brute->used[i] = false;
    }
    return over;
}

static struct linear_op random_op(struct prng *prng, int64_t values) {
    struct linear_op op = {.kind = (enum linear_kind)prng_between(prng, LINEAR_WRITE, LINEAR_ADD)};
    op.invoke = prng_below(prng, 12);
    op.complete = prng_chance(prng, 1, 4) ? UINT64_MAX : op.invoke + 1 + prng_below(prng, 6);
    op.argument = 1 + (int64_t)prng_below(prng, (uint64_t)values);
    op.nil = prng_chance(prng, 1, 3);
    op.result = (int64_t)prng_below(prng, (uint64_t)values + 2);
    if (op.kind == LINEAR_SETNX || op.kind == LINEAR_DELETE)
        op.result = (int64_t)prng_below(prng, 2);
    return op;
}

static void check_against_all_orders(uint64_t seed, int64_t values) {
    struct prng prng;
    uint64_t good = 0;
    prng_seed(&prng, seed);
    for (int round = 0; round < 60000; round++) {
        struct linear_op ops[OPS_MAX];
        size_t count = 1 + prng_below(&prng, OPS_MAX), where = 0;
        for (size_t i = 0; i < count; i++)
            ops[i] = random_op(&prng, values);
        struct brute brute = {.ops = ops, .count = count};
        bool expected = search(&brute, (struct state){0, true});
        enum check_verdict verdict = linear_check(ops, count, STEPS, &where);
        assert_int_equal(verdict, expected ? CHECK_OK : CHECK_VIOLATION);
        good += expected;
    }
    assert_true(good > 1000 && good < 59000);
}

static void agrees_with_brute_force_on_few_values(void **state) {
    check_against_all_orders(1, 1);
    check_against_all_orders(2, 2);
}

static void agrees_with_brute_force_on_many_values(void **state) {
    check_against_all_orders(3, 4);
}

static void a_stale_read_is_found_and_named(void **state) {
    const struct linear_op ops[] = {{LINEAR_WRITE, 0, 10, 1, 0, false, 0},
                                    {LINEAR_WRITE, 20, 30, 2, 0, false, 1},
                                    {LINEAR_READ, 40, 50, 0, 1, false, 2}};
    size_t where = 0;
    assert_int_equal(linear_check(ops, 3, STEPS, &where), CHECK_VIOLATION);
    assert_int_equal(where, 2);
}

static void a_write_of_unknown_fate_may_show_late_but_not_vanish(void **state) {
    struct linear_op ops[] = {{LINEAR_WRITE, 0, 10, 1, 0, false, 0},
                              {LINEAR_WRITE, 5, UINT64_MAX, 2, 0, false, 1},
                              {LINEAR_READ, 20, 30, 0, 1, false, 2},
                              {LINEAR_READ, 40, 50, 0, 2, false, 3},
                              {LINEAR_READ, 60, 70, 0, 2, false, 4}};
    size_t where = 0;
    assert_int_equal(linear_check(ops, 5, STEPS, &where), CHECK_OK);
    ops[4].result = 1;
    assert_int_equal(linear_check(ops, 5, STEPS, &where), CHECK_VIOLATION);
}

static void many_writes_of_unknown_fate_stay_cheap(void **state) {
    struct linear_op ops[400];
    size_t count = 0, where = 0;
    for (int64_t i = 0; i < 200; i++) {
        uint64_t at = (uint64_t)i * 10;
        ops[count++] = (struct linear_op){LINEAR_WRITE, at, UINT64_MAX, i + 1, 0, false, 0};
        ops[count++] = (struct linear_op){LINEAR_READ, at + 5, at + 6, 0, i + 1, false, 0};
    }
    assert_int_equal(linear_check(ops, count, STEPS, &where), CHECK_OK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_brute_force_on_few_values),
        cmocka_unit_test(agrees_with_brute_force_on_many_values),
        cmocka_unit_test(a_stale_read_is_found_and_named),
        cmocka_unit_test(a_write_of_unknown_fate_may_show_late_but_not_vanish),
        cmocka_unit_test(many_writes_of_unknown_fate_stay_cheap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
