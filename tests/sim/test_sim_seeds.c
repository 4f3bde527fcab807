/* A range of seeds, each twice: all that must hold holds, and the same seed does the same. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"
#include "slice.h"

#define SEEDS 150
#define SEEDS_SLICE 10

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
        cmocka_unit_test(another_seed_is_another_run),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
