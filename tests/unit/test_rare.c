#include "base/rare.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#define SEEDS 2000

static void without_a_simulator_nothing_is_rare(void **state) {
    for (int point = 0; point < RARE_COUNT; point++) {
        assert_false(rare_hit(NULL, (enum rare_point)point));
        assert_int_equal(rare_limit(NULL, (enum rare_point)point, 1, 100), 100);
    }
}

static void every_point_has_a_name_of_its_own(void **state) {
    assert_true(RARE_COUNT >= 60);
    for (int a = 0; a < RARE_COUNT; a++) {
        assert_true(strlen(rare_text((enum rare_point)a)) > 10);
        for (int b = 0; b < a; b++)
            assert_string_not_equal(rare_name((enum rare_point)a), rare_name((enum rare_point)b));
    }
}

static void half_of_the_seeds_have_a_fourth_of_the_points(void **state) {
    struct rare rare;
    unsigned with = 0, enabled = 0;
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        if (!rare_draw(&rare, seed))
            continue;
        with++;
        for (int point = 0; point < RARE_COUNT; point++)
            enabled += rare.one_in[point] != 0;
    }
    assert_in_range(with, SEEDS * 45 / 100, SEEDS * 55 / 100);
    assert_in_range(enabled / with, RARE_COUNT * 22 / 100, RARE_COUNT * 28 / 100);
}

static void the_same_seed_takes_the_same_branches(void **state) {
    struct rare one, other;
    unsigned taken = 0;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        assert_int_equal(rare_draw(&one, seed), rare_draw(&other, seed));
        for (int i = 0; i < 20 * RARE_COUNT; i++) {
            enum rare_point point = (enum rare_point)(i % RARE_COUNT);
            bool hit = rare_hit(&one, point);
            assert_int_equal(hit, rare_hit(&other, point));
            taken += hit;
        }
    }
    assert_true(taken > 100);
}

static void what_is_taken_is_counted_until_all_is_quiet(void **state) {
    struct rare rare;
    rare_only(&rare, RARE_PROPOSE_ONE);
    assert_int_equal(rare_limit(&rare, RARE_PROPOSE_ONE, 1, 4096), 1);
    assert_true(rare_hit(&rare, RARE_PROPOSE_ONE));
    assert_false(rare_hit(&rare, RARE_LINK_ENDS));
    assert_int_equal(rare.hits[RARE_PROPOSE_ONE], 2);
    assert_int_equal(rare.hits[RARE_LINK_ENDS], 0);
    rare.quiet = true;
    assert_false(rare_hit(&rare, RARE_PROPOSE_ONE));
    assert_int_equal(rare.hits[RARE_PROPOSE_ONE], 2);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_a_simulator_nothing_is_rare),
        cmocka_unit_test(every_point_has_a_name_of_its_own),
        cmocka_unit_test(half_of_the_seeds_have_a_fourth_of_the_points),
        cmocka_unit_test(the_same_seed_takes_the_same_branches),
        cmocka_unit_test(what_is_taken_is_counted_until_all_is_quiet),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
