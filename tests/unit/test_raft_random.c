/* Random runs of raft (tests/lib/random_run.h), and each seeded mutant must be caught.
 * With arguments, one run with its trace: SEED [MUTANT]. */
#include "random_run.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define RUNS 1500
#define MUTANT_RUNS 6000

static void random_runs_are_safe_and_end_alive(void **state) {
    for (uint64_t seed = 1; seed <= RUNS; seed++) {
        const char *broken = random_run("raft", seed, MUTANT_NONE, NULL);
        if (broken != NULL)
            fail_msg("run %" PRIu64 ": %s", seed, broken);
    }
}

/* commit-old-term needs Figure 8 step by step: test_raft_log has it. */
static void every_mutant_is_caught(void **state) {
    static const enum mutant mutants[] = {
        MUTANT_VOTE_NOT_DURABLE,     MUTANT_VOTE_TWICE,      MUTANT_VOTE_STALE_LOG,
        MUTANT_COMMIT_MINORITY,      MUTANT_ACK_BEFORE_SYNC, MUTANT_TRUNCATE_ALWAYS,
        MUTANT_NO_LOG_MATCH,         MUTANT_LEASE_TOO_LONG,  MUTANT_LEASE_IGNORED_BY_VOTER,
        MUTANT_READ_NO_ROUND,        MUTANT_LEARNER_COUNTS,  MUTANT_JOINT_NEW_ONLY,
        MUTANT_SNAPSHOT_OLD_INSTALL, MUTANT_REFUSED_TOLD,
    };
    unsigned missed = 0;
    for (size_t i = 0; i < sizeof mutants / sizeof *mutants; i++) {
        char how[200] = "";
        uint64_t seed = random_run_catches("raft", mutants[i], MUTANT_RUNS, how, sizeof how);
        print_message("%-28s %s %" PRIu64 "%s\n", mutant_name(mutants[i]),
                      seed ? "caught in run" : "NOT CAUGHT", seed, how);
        missed += seed == 0;
    }
    assert_int_equal(missed, 0);
}

int main(int argc, char **argv) {
    if (argc > 1)
        return random_run_main("raft", argc, argv);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_runs_are_safe_and_end_alive),
        cmocka_unit_test(every_mutant_is_caught),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
