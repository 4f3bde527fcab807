/* A seeded bug is found in whichever world shows it, and what is no fault of its own is no find. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "cli/sim_chase.h"

#define BUDGET_NS 30000000000u

static struct chase chased(enum mutant mutant, uint64_t cpu_ns_max) {
    struct chase one = {.mutant = mutant, .first = 1, .cpu_ns_max = cpu_ns_max};
    chase(&one);
    return one;
}

static void what_a_protocol_has_is_found_in_its_cores(void **state) {
    struct chase raft = chased(MUTANT_VOTE_TWICE, BUDGET_NS);
    assert_true(raft.found && raft.world == CHASE_CORES_RAFT);
    assert_true(raft.world_cpu_ns <= raft.cpu_ns && raft.cpu_ns < BUDGET_NS);
    struct chase zab = chased(MUTANT_ZAB_NEWLEADER_EARLY_ACK, BUDGET_NS);
    assert_true(zab.found && zab.world == CHASE_CORES_ZAB);
    assert_true(zab.seed >= 1 && zab.reason[0] != 0);
}

static void what_only_nodes_have_costs_no_time_in_cores(void **state) {
    assert_false(chase_suits(CHASE_CORES_RAFT, MUTANT_TREE_MULTI_PARTIAL));
    assert_false(chase_suits(CHASE_CORES_ZAB, MUTANT_VOTE_TWICE));
    assert_true(chase_suits(CHASE_CORES_ZAB, MUTANT_LEASE_TOO_LONG));
    struct chase tree = chased(MUTANT_TREE_MULTI_PARTIAL, BUDGET_NS);
    assert_true(tree.found && tree.world == CHASE_NODES);
    assert_int_equal(tree.world_cpu_ns, tree.cpu_ns);
}

/* The processes that hunt are the same; only the bug is missing. */
static void without_a_bug_the_whole_budget_is_spent_for_nothing(void **state) {
    struct chase none = chased(MUTANT_NONE, 2000000000u);
    assert_false(none.found);
    assert_int_equal(none.plain, 0);
    assert_true(none.cpu_ns >= none.cpu_ns_max);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_protocol_has_is_found_in_its_cores),
        cmocka_unit_test(what_only_nodes_have_costs_no_time_in_cores),
        cmocka_unit_test(without_a_bug_the_whole_budget_is_spent_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
