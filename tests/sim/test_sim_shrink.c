/* A failing seed is made small, and still breaks the same rule. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim_shrink.h"

#include <string.h>

static void a_failing_seed_is_made_small(void **state) {
    struct sim_options options = {.seed = 33, .mutant = MUTANT_COMMIT_MINORITY};
    struct sim_shrink shrink = {.options = options, .seeds = 10};
    struct sim_result first, again;
    char before[128], after[128];
    sim_run(&options, &first);
    assert_false(first.ok);
    sim_shrink(&shrink);
    assert_false(shrink.result.ok);
    sim_rule(first.reason, before, sizeof before);
    sim_rule(shrink.result.reason, after, sizeof after);
    assert_string_equal(before, after);
    assert_true(shrink.options.nodes >= 1 && shrink.options.nodes <= 3);
    assert_int_equal(shrink.options.clients, 1);
    sim_run(&shrink.options, &again);
    assert_string_equal(again.reason, shrink.result.reason);
}

static void a_seed_that_holds_is_left_alone(void **state) {
    struct sim_shrink shrink = {.options = {.seed = 22}, .seeds = 10};
    sim_shrink(&shrink);
    assert_true(shrink.result.ok);
    assert_int_equal(shrink.runs, 1);
}

static void a_rule_ends_where_its_numbers_begin(void **state) {
    char rule[64];
    sim_rule("one voice in a term: for 2 in term 10", rule, sizeof rule);
    assert_string_equal(rule, "one voice in a term");
    sim_rule("n5 leads", rule, sizeof rule);
    assert_string_equal(rule, "n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failing_seed_is_made_small),
        cmocka_unit_test(a_seed_that_holds_is_left_alone),
        cmocka_unit_test(a_rule_ends_where_its_numbers_begin),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
