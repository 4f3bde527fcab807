/* Random runs of zab (tests/lib/random_run.h), and each seeded mutant must be caught.
 * With arguments, one run with its trace: SEED [MUTANT]. */
#include "random_run.h"
#include "slice.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RUNS 3000
#define MUTANT_RUNS 6000

static void random_runs_are_safe_and_end_alive(void **state) {
    uint64_t runs = slice_of(RUNS, RUNS / 4);
    for (uint64_t seed = 1; seed <= runs; seed++) {
        const char *broken = random_run("zab", seed, MUTANT_NONE, NULL);
        if (broken != NULL)
            fail_msg("run %" PRIu64 ": %s", seed, broken);
    }
}

static void every_mutant_is_caught(void **state) {
    static const enum mutant mutants[] = {
        MUTANT_ZAB_EPOCH_NOT_DURABLE,
        MUTANT_ZAB_NEWLEADER_EARLY_ACK,
        MUTANT_ZAB_PROPOSE_BEFORE_NEWLEADER,
        MUTANT_ZAB_NO_TRUNC,
        MUTANT_ZAB_COMMIT_MINORITY,
        MUTANT_ZAB_OBSERVER_COUNTS,
        MUTANT_ZAB_STALE_VOTE,
        MUTANT_ZAB_COMMIT_UNVERIFIED,
        MUTANT_ZAB_STALE_ACK,
        MUTANT_ZAB_PROMISE_IGNORED,
        MUTANT_LEASE_TOO_LONG,
        MUTANT_READ_NO_ROUND,
    };
    unsigned missed = 0;
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        char how[200] = "";
        uint64_t seed = random_run_catches("zab", mutants[i], MUTANT_RUNS, how, sizeof how);
        print_message("%-28s %s %" PRIu64 "%s\n", mutant_name(mutants[i]),
                      seed ? "caught in run" : "NOT CAUGHT", seed, how);
        missed += seed == 0;
    }
    assert_int_equal(missed, 0);
}

int main(int argc, char **argv) {
    if (argc > 1)
        return random_run_main("zab", argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_runs_are_safe_and_end_alive),
        cmocka_unit_test(every_mutant_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
