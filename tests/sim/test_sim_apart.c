/* Worlds that few seeds have (sim/sim_apart.h): each happens, and what must hold in it holds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "sim/sim.h"
#include "slice.h"

#define OLD_FOLDER_SEED 32000000 /* a seeded bug is found at or soon behind it */

#define DAY_NS (24ull * 3600 * 1000000000)

#define FAULT(kind) (1ull << SIM_FAULT_##kind)

static void run_one(const struct sim_options *options, struct sim_result *result) {
    sim_run(options, result);
    if (!result->ok)
        fail_msg("seed %llu, faults %llx: %s", (unsigned long long)options->seed,
                 (unsigned long long)options->fault_mask, result->reason);
}

/* How often the kind strikes in so many seeds, all of which hold. */
static uint64_t strikes(enum sim_fault kind, uint64_t others, uint64_t first, uint64_t seeds) {
    uint64_t struck = 0;
    for (uint64_t seed = first; seed < first + seeds; seed++) {
        struct sim_options options = {.seed = seed, .fault_mask = 1ull << kind | others};
        struct sim_result result;
        run_one(&options, &result);
        struck += result.faults[kind];
    }
    return struck;
}

static void finds(enum mutant mutant, uint64_t faults, uint64_t first) {
    struct sim_hunt hunt = {.options = {.mutant = mutant,
                                        .fault_mask = faults,
                                        .rare = SIM_RARE_NONE,
                                        .aim_mask = SIM_AIM_NONE},
                            .first = first,
                            .last = first + 150};
    struct sim_result plain;
    sim_hunt(&hunt);
    if (hunt.ok)
        fail_msg("%s is not found", mutant_name(mutant));
    print_message("%s: seed %llu: %.90s\n", mutant_name(mutant),
                  (unsigned long long)hunt.failed_seed, hunt.sum.reason);
    hunt.options.mutant = MUTANT_NONE;
    hunt.options.seed = hunt.failed_seed;
    hunt.options.machine = hunt.sum.machine;
    hunt.options.protocol = hunt.sum.protocol;
    run_one(&hunt.options, &plain);
}

static void some_seeds_have_one_and_the_others_none(void **state) {
    uint64_t with = 0, seeds = 2000;
    for (uint64_t seed = 1; seed <= seeds; seed++)
        with += sim_apart_drawn(seed) != 0;
    assert_in_range(with, seeds / 5, seeds / 3);
}

static void a_disk_that_is_as_its_image_was_forgets_nothing_that_matters(void **state) {
    uint64_t seeds = slice_of(30, 3);
    uint64_t struck = strikes(SIM_FAULT_IMAGE, FAULT(KILL) | FAULT(ISOLATE), 32000000, seeds);
    assert_true(struck > (seeds < 30 ? 0 : seeds)); /* one waits until the one before caught up */
}

static void a_folder_that_was_replaced_counts_no_more(void **state) {
    uint64_t seeds = slice_of(30, 3), others = FAULT(KILL) | FAULT(ISOLATE) | FAULT(FLAP);
    assert_true(strikes(SIM_FAULT_OLD_FOLDER, others, 32000000, seeds) > seeds);
    finds(MUTANT_FOLDER_IGNORED, FAULT(OLD_FOLDER) | others, OLD_FOLDER_SEED);
}

static void a_folder_of_another_cluster_is_refused(void **state) {
    uint64_t seeds = slice_of(30, 3), refused = 0, others = FAULT(KILL) | FAULT(ISOLATE);
    for (uint64_t seed = 32000000; seed < 32000000 + seeds; seed++) {
        struct sim_options options = {.seed = seed, .fault_mask = FAULT(FOREIGN) | others};
        struct sim_result result;
        run_one(&options, &result);
        refused += result.foreign_refused > 0;
    }
    assert_true(refused > seeds / 2);
}

static void a_leader_that_was_suspended_answers_nothing_old(void **state) {
    uint64_t seeds = slice_of(30, 3);
    assert_true(strikes(SIM_FAULT_SUSPEND, FAULT(KILL), 32000000, seeds) > seeds);
    finds(MUTANT_CLOCK_STOPS, FAULT(SUSPEND), 32000000);
}

static void sessions_outlive_a_standstill_of_all(void **state) {
    uint64_t seeds = slice_of(60, 6);
    assert_true(strikes(SIM_FAULT_STANDSTILL, FAULT(KILL), 32000000, seeds) > seeds / 2);
    finds(MUTANT_LIFE_COUNTS_STANDSTILL, FAULT(STANDSTILL), 32000000);
}

static void without_leases_clocks_may_do_what_they_like(void **state) {
    uint64_t seeds = slice_of(30, 3), others = FAULT(KILL) | FAULT(ISOLATE) | FAULT(TRANSFER);
    assert_true(strikes(SIM_FAULT_CLOCK_OFF, others, 32000000, seeds) > seeds);
}

static void months_may_go_by_in_between(void **state) {
    uint64_t seeds = slice_of(30, 3), slept = 0, others = FAULT(KILL) | FAULT(ISOLATE);
    for (uint64_t seed = 32000000; seed < 32000000 + seeds; seed++) {
        struct sim_options options = {.seed = seed, .fault_mask = FAULT(LEAP) | others};
        struct sim_result result;
        run_one(&options, &result);
        slept += result.virtual_ns > 60 * DAY_NS;
    }
    assert_true(slept > seeds / 4);
}

static void large_values_and_long_pipelines_are_as_all_others(void **state) {
    uint64_t seeds = slice_of(12, 2), answers = 0, others = FAULT(KILL) | FAULT(ISOLATE);
    for (uint64_t seed = 32000000; seed < 32000000 + seeds; seed++) {
        struct sim_options options = {.seed = seed, .fault_mask = FAULT(LOAD) | others};
        struct sim_result result;
        run_one(&options, &result);
        answers += result.loads;
    }
    assert_true(answers > 1000 * seeds);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(some_seeds_have_one_and_the_others_none),
        cmocka_unit_test(a_disk_that_is_as_its_image_was_forgets_nothing_that_matters),
        cmocka_unit_test(a_folder_that_was_replaced_counts_no_more),
        cmocka_unit_test(a_folder_of_another_cluster_is_refused),
        cmocka_unit_test(a_leader_that_was_suspended_answers_nothing_old),
        cmocka_unit_test(sessions_outlive_a_standstill_of_all),
        cmocka_unit_test(without_leases_clocks_may_do_what_they_like),
        cmocka_unit_test(months_may_go_by_in_between),
        cmocka_unit_test(large_values_and_long_pipelines_are_as_all_others),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
