#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

/* Section 5.2: "a given server will vote for at most one candidate in a given term" and one wins.
 */
static void a_group_elects_one_leader(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 2000 * MS);
    uint64_t leader = world_leader(world);
    assert_int_not_equal(leader, 0);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(world_status(world, id).leader, leader);
    assert_int_equal(world->leader_count, 1);
    assert_null(world->broken);
    world_free(world);
}

static void a_single_voter_leads_once_its_vote_is_durable(void **state) {
    struct world *world = world_empty(1, 1);
    world->nodes[1].hold_disk = true;
    world_boot(world);
    world_run(world, 400 * MS);
    assert_int_equal(world_leader(world), 0);
    world_disk(world, 1, 0);
    assert_int_equal(world_leader(world), 1);
    world_free(world);
}

static void an_isolated_node_comes_back_without_a_new_term(void **state) {
    struct world *world = world_new(3, 2);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), other = leader % 3 + 1;
    uint64_t term = world_status(world, leader).term;
    world_isolate(world, other, true);
    world_run(world, 30000 * MS);
    assert_int_equal(world_status(world, other).term, term);
    world_isolate(world, other, false);
    world_run(world, 1000 * MS);
    assert_int_equal(world_leader(world), leader);
    assert_int_equal(world_status(world, leader).term, term);
    world_free(world);
}

static void a_leader_without_quorum_steps_down(void **state) {
    struct world *world = world_new(3, 3);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world);
    world_isolate(world, leader, true);
    world_run(world, 2 * 300 * MS);
    assert_int_not_equal(world_status(world, leader).role, ROLE_LEADER);
    world_run(world, 1000 * MS);
    assert_int_not_equal(world_leader(world), 0);
    assert_null(world->broken);
    world_free(world);
}

static void failover_after_a_crash_waits_for_the_promise_and_no_longer(void **state) {
    for (uint64_t seed = 1; seed < 30; seed++) {
        struct world *world = world_new(3, seed);
        assert_true(world_elect(world));
        world_run(world, 1000 * MS);
        uint64_t leader = world_leader(world);
        world_crash(world, leader);
        world_run(world, 100 * MS);
        assert_int_equal(world_leader(world), 0); /* within the promise */
        world_run(world, 60 * MS);
        assert_int_not_equal(world_leader(world), 0);
        world_free(world);
    }
}

static void a_vote_survives_a_crash(void **state) {
    struct world *world = world_new(3, 5);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), voter = leader % 3 + 1;
    struct replica_status before = world_status(world, voter);
    world_crash(world, voter);
    world_restart(world, voter);
    struct replica_status after = world_status(world, voter);
    assert_int_equal(after.term, before.term);
    assert_int_equal(after.vote, before.vote);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_elects_one_leader),
        cmocka_unit_test(a_single_voter_leads_once_its_vote_is_durable),
        cmocka_unit_test(an_isolated_node_comes_back_without_a_new_term),
        cmocka_unit_test(a_leader_without_quorum_steps_down),
        cmocka_unit_test(failover_after_a_crash_waits_for_the_promise_and_no_longer),
        cmocka_unit_test(a_vote_survives_a_crash),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
