/* A range of seeds, each twice: all that must hold holds, and the same seed does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"
#include "slice.h"

#define SEEDS 110
#define SEEDS_SLICE 4

static void random_seeds_hold_and_repeat(void **state) {
    uint64_t seeds = slice_of(SEEDS, SEEDS_SLICE);
    struct sim_hunt hunt = {.first = 1, .last = seeds, .twice = true};
    sim_hunt(&hunt);
    if (!hunt.ok)
        fail_msg("cairn sim --seeds %llu: %s", (unsigned long long)hunt.failed_seed,
                 hunt.sum.reason);
    assert_int_equal(hunt.runs, seeds);
    assert_true(hunt.sum.ops_ok > 600 * seeds);
    assert_true(hunt.sum.elections > seeds && hunt.sum.snapshots > seeds);
    assert_true(hunt.sum.installed > 0);
    assert_in_range(hunt.sum.rare_runs, seeds / 4, seeds * 3 / 4);
}

/* Most rare branches are taken within few runs, and all within a night's (tools/soak.py). */
static void rare_branches_are_common(void **state) {
    struct sim_hunt hunt = {
        .options.rare = SIM_RARE_ALWAYS, .first = 10001, .last = 10000 + slice_of(60, 5)};
    unsigned taken = 0;
    sim_hunt(&hunt);
    if (!hunt.ok)
        fail_msg("cairn sim --points always --seeds %llu: %s", (unsigned long long)hunt.failed_seed,
                 hunt.sum.reason);
    assert_int_equal(hunt.sum.rare_runs, hunt.runs);
    for (int point = 0; point < RARE_COUNT; point++)
        taken += hunt.sum.rare_hits[point] > 0;
    assert_true(taken >= slice_of(60, 45));
}

static void without_rare_branches_a_seed_is_what_it_was(void **state) {
    unsigned without = 0;
    for (uint64_t seed = 1; seed <= 10; seed++) {
        struct sim_options options = {.seed = seed};
        struct sim_result drawn, none;
        sim_run(&options, &drawn);
        options.rare = SIM_RARE_NONE;
        sim_run(&options, &none);
        assert_int_equal(none.rare_runs, 0);
        assert_true((drawn.event_hash == none.event_hash) == (drawn.rare_runs == 0));
        without += drawn.rare_runs == 0;
    }
    assert_in_range(without, 1, 9);
}

/* Those before are what they were. */
static void half_of_the_later_seeds_have_focus(void **state) {
    unsigned with = 0;
    for (uint64_t seed = 0; seed < 10; seed++) {
        struct sim_options options = {.seed = seed < 3 ? 1 + seed : 1000000 + seed, .nodes = 3};
        struct sim_result drawn, none, always;
        sim_run(&options, &drawn);
        options.focus = SIM_FOCUS_NONE;
        sim_run(&options, &none);
        options.focus = SIM_FOCUS_ALWAYS;
        sim_run(&options, &always);
        assert_true(drawn.event_hash == none.event_hash || drawn.event_hash == always.event_hash);
        assert_true(none.event_hash != always.event_hash);
        with += drawn.event_hash == always.event_hash;
        assert_true(seed >= 3 || drawn.event_hash == none.event_hash);
    }
    assert_in_range(with, 1, 6);
}

static void another_seed_is_another_run(void **state) {
    struct sim_options options = {.seed = 1};
    struct sim_result one, two;
    sim_run(&options, &one);
    options.seed = 2;
    sim_run(&options, &two);
    assert_true(one.event_hash != two.event_hash);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_seeds_hold_and_repeat),
        cmocka_unit_test(half_of_the_later_seeds_have_focus),
        cmocka_unit_test(another_seed_is_another_run),
        cmocka_unit_test(rare_branches_are_common),
        cmocka_unit_test(without_rare_branches_a_seed_is_what_it_was),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
