#include "replica_world.h"

#include "base/mutant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void a_lease_answers_at_once(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 100 * MS);
    uint64_t leader = world_leader(world);
    world->manual = true;
    uint64_t tag = world_read(world, leader);
    assert_int_equal(world->nodes[leader].last_read.tag, tag);
    assert_int_equal(world->nodes[leader].last_read.status, CAIRN_OK);
    world_free(world);
}

/* Dissertation 6.4: the lease must have run out before anybody else may lead. */
static const char *lease_against_partition(enum mutant mutant) {
    struct world *world = world_empty(3, 3);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].options.mutant = mutant;
    world_boot(world);
    world_elect(world);
    world_run(world, 500 * MS);
    uint64_t old = world_leader(world), other = old % 3 + 1, third = other % 3 + 1;
    world_isolate(world, old, true);
    for (int i = 0; i < 40; i++) { /* its connections end at once, and reads go on at it */
        if (i == 0) {
            world_disconnect(world, other, old);
            world_disconnect(world, third, old);
        }
        world_run(world, 10 * MS);
        world_propose(world, other, "new");
        world_propose(world, third, "new");
        world_deliver(world);
        world_read(world, old);
    }
    const char *broken = world->broken;
    assert_int_not_equal(world_leader(world), 0);
    world_free(world);
    return broken;
}

static void no_stale_read_by_lease_during_a_partition(void **state) {
    assert_null(lease_against_partition(MUTANT_NONE));
    assert_non_null(lease_against_partition(MUTANT_LEASE_TOO_LONG));
    assert_non_null(lease_against_partition(MUTANT_LEASE_IGNORED_BY_VOTER));
}

static void without_leases_a_read_waits_for_a_round(void **state) {
    struct world *world = world_empty(3, 1);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].options.lease_reads = false;
    world_boot(world);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world);
    world->manual = true;
    uint64_t tag = world_read(world, leader);
    assert_int_not_equal(world->nodes[leader].last_read.tag, tag);
    world_deliver(world);
    assert_int_equal(world->nodes[leader].last_read.tag, tag);
    assert_int_equal(world->nodes[leader].last_read.status, CAIRN_OK);
    world_free(world);
}

static void a_follower_asks_the_leader_for_the_index(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 100 * MS);
    uint64_t leader = world_leader(world), follower = leader % 3 + 1;
    world_propose(world, leader, "a");
    world_deliver(world);
    uint64_t tag = world_read(world, follower);
    world_deliver(world);
    assert_int_equal(world->nodes[follower].last_read.tag, tag);
    assert_int_equal(world->nodes[follower].last_read.status, CAIRN_OK);
    assert_int_equal(world->nodes[follower].last_read.index,
                     world_status(world, leader).commit_index);
    world_free(world);
}

static void a_read_without_quorum_is_refused_and_never_hangs(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), follower = leader % 3 + 1;
    world_isolate(world, follower, true);
    uint64_t tag = world_read(world, follower);
    world_run(world, 700 * MS);
    assert_int_equal(world->nodes[follower].last_read.tag, tag);
    assert_int_equal(world->nodes[follower].last_read.status, CAIRN_NO_QUORUM);
    tag = world_read(world, follower);
    assert_int_equal(world->nodes[follower].last_read.tag, tag); /* no leader known: at once */
    assert_int_equal(world->nodes[follower].last_read.status, CAIRN_NO_QUORUM);
    world_free(world);
}

static void a_transfer_moves_leadership_without_waiting_for_the_promise(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t old = world_leader(world), next = old % 3 + 1;
    uint64_t tag = world_transfer(world, old, next);
    world_run(world, 10 * MS);
    assert_int_equal(world_leader(world), next);
    assert_int_equal(world->nodes[old].last_outcome.tag, tag);
    assert_int_equal(world->nodes[old].last_outcome.status, CAIRN_OK);
    assert_null(world->broken);
    world_free(world);
}

static void a_transfer_to_the_dead_ends_and_proposals_go_on(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), dead = leader % 3 + 1;
    world_isolate(world, dead, true);
    uint64_t tag = world_transfer(world, leader, dead);
    world_propose(world, leader, "a");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_NOT_LEADER);
    world_run(world, 310 * MS);
    assert_int_equal(world->nodes[leader].last_outcome.tag, tag);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_TIMEOUT);
    world_propose(world, leader, "b");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_OK);
    /* The late word may still reach the target: no lease in this term any more. */
    assert_int_equal(world_status(world, leader).lease_left_ns, 0);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lease_answers_at_once),
        cmocka_unit_test(no_stale_read_by_lease_during_a_partition),
        cmocka_unit_test(without_leases_a_read_waits_for_a_round),
        cmocka_unit_test(a_follower_asks_the_leader_for_the_index),
        cmocka_unit_test(a_read_without_quorum_is_refused_and_never_hangs),
        cmocka_unit_test(a_transfer_moves_leadership_without_waiting_for_the_promise),
        cmocka_unit_test(a_transfer_to_the_dead_ends_and_proposals_go_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
