#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void change(struct world *world, const char *voters, const char *learners) {
    struct config target = world_config(voters, learners);
    uint64_t leader = world_leader(world);
    uint64_t tag = world_configure(world, leader, &target);
    world_run(world, 1000 * MS);
    assert_int_equal(world->nodes[leader].last_outcome.tag, tag);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_OK);
    assert_true(world_elect(world));
    struct replica_status status = world_status(world, world_leader(world));
    assert_false(status.config.joint);
    assert_true(status.config_committed);
    assert_int_equal(status.config.count, strlen(voters) + strlen(learners));
    for (const char *at = voters; *at; at++)
        assert_true(config_is_voter(&status.config, (uint64_t)(*at - '0')));
    assert_null(world->broken);
}

/* Section 6, and fault 59: 1 -> 3 -> 5 -> 3 -> 1. */
static void a_group_grows_and_shrinks(void **state) {
    struct world *world = world_new(1, 1);
    assert_true(world_elect(world));
    for (uint64_t id = 2; id <= 5; id++)
        world_add(world, id);
    world_propose(world, 1, "a");
    change(world, "123", "");
    change(world, "12345", "");
    change(world, "145", "");
    change(world, "5", "");
    assert_int_equal(world_leader(world), 5);
    world_propose(world, 5, "b");
    world_run(world, 100 * MS);
    assert_true(world_settled(world));
    world_free(world);
}

static void a_leader_that_is_removed_leaves_once_that_is_committed(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    uint64_t old = world_leader(world);
    change(world, old == 1 ? "23" : old == 2 ? "13" : "12", "");
    assert_int_not_equal(world_leader(world), old);
    /* It can't disturb the others afterwards. */
    uint64_t term = world_status(world, world_leader(world)).term;
    world_run(world, 10000 * MS);
    assert_int_equal(world_status(world, world_leader(world)).term, term);
    world_free(world);
}

static void a_learner_gets_the_log_and_counts_in_no_quorum(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_add(world, 4);
    world_run(world, 1000 * MS);
    change(world, "123", "4");
    assert_true(world_settled(world));
    uint64_t leader = world_leader(world), before = world_status(world, leader).commit_index;
    world_isolate(world, leader % 3 + 1, true);
    world_isolate(world, (leader + 1) % 3 + 1, true);
    world_propose(world, leader, "a");
    world_run(world, 20 * MS);
    assert_int_equal(world_status(world, leader).commit_index, before);
    world_free(world);
}

static void a_voter_that_cannot_catch_up_is_not_added(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    struct config target = world_config("1234", "");
    uint64_t leader = world_leader(world), tag = world_configure(world, leader, &target);
    world_run(world, 8000 * MS);
    assert_int_equal(world->nodes[leader].last_outcome.tag, tag);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_UNREACHABLE);
    struct replica_status status = world_status(world, leader);
    assert_false(config_is_voter(&status.config, 4));
    world_free(world);
}

static void one_change_at_a_time(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    struct config target = world_config("1234", "");
    uint64_t leader = world_leader(world);
    world_configure(world, leader, &target);
    world_configure(world, leader, &target);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_BUSY);
    world_free(world);
}

static void a_new_leader_finishes_a_joint_change(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_add(world, 4);
    world_run(world, 1000 * MS);
    uint64_t leader = world_leader(world);
    struct config target = world_config("1234", "");
    world_configure(world, leader, &target);
    for (int i = 0; i < 100 && !world_status(world, leader).config.joint; i++) {
        world->manual = true;
        if (world->network.count > 0)
            world_deliver_one(world, 0);
    }
    assert_true(world_status(world, leader).config.joint);
    world->manual = false;
    world_deliver(world);
    world_crash(world, leader);
    world_run(world, 1000 * MS);
    assert_true(world_elect(world));
    assert_false(world_status(world, world_leader(world)).config.joint);
    assert_null(world->broken);
    world_free(world);
}

static void members_are_bound_to_their_data_folders(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    struct replica_status status = world_status(world, world_leader(world));
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(status.config.members[i].incarnation, 100 * (i + 1));
    world_free(world);
}

/* A learner, a replica that waits to be let in, one with damage: none may campaign, and none goes
 * on to name a leader that it does not hear. */
static void what_may_not_campaign_forgets_a_silent_leader(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_add(world, 4);
    world_run(world, 1000 * MS);
    change(world, "123", "4");
    assert_int_equal(world_status(world, 4).leader, world_leader(world));
    for (uint64_t id = 1; id <= 3; id++)
        world_crash(world, id);
    world_run(world, 2000 * MS);
    assert_int_equal(world_status(world, 4).leader, 0);
    assert_int_equal(world_status(world, 4).role, ROLE_FOLLOWER);
    for (uint64_t id = 1; id <= 3; id++)
        world_restart(world, id);
    world_run(world, 2000 * MS);
    assert_int_equal(world_status(world, 4).leader, world_leader(world));
    assert_int_not_equal(world_leader(world), 0);
    world_isolate(world, 4, true);
    world_run(world, 2000 * MS);
    assert_int_equal(world_status(world, 4).leader, 0);
    assert_null(world->broken);
    world_free(world);
}

/* Fault 37: a replica that comes back blank under its old id is made a learner, then a voter. */
static void a_replaced_disk_rejoins_by_itself(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    uint64_t leader = world_leader(world), lost = leader % 3 + 1;
    world_propose(world, leader, "a");
    world_run(world, 50 * MS);
    world_crash(world, lost);
    world_wipe(world, lost);
    world_restart(world, lost);
    world_run(world, 1000 * MS);
    struct replica_status status = world_status(world, leader);
    const struct member *member = config_member(&status.config, lost);
    assert_int_equal(member->incarnation, 100 * lost + 1);
    assert_true(member->voter);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_group_grows_and_shrinks),
        cmocka_unit_test(a_leader_that_is_removed_leaves_once_that_is_committed),
        cmocka_unit_test(a_learner_gets_the_log_and_counts_in_no_quorum),
        cmocka_unit_test(what_may_not_campaign_forgets_a_silent_leader),
        cmocka_unit_test(a_voter_that_cannot_catch_up_is_not_added),
        cmocka_unit_test(one_change_at_a_time),
        cmocka_unit_test(a_new_leader_finishes_a_joint_change),
        cmocka_unit_test(members_are_bound_to_their_data_folders),
        cmocka_unit_test(a_replaced_disk_rejoins_by_itself),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
