/* Snapshots, recovery, damage and repair, full and stalled disks. */
#include "replica_world.h"

#include "base/mutant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct world *with_entries(unsigned voters, int count) {
    struct world *world = world_new(voters, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    for (int i = 0; i < count; i++)
        world_propose(world, world_leader(world), "abc");
    world_run(world, 200 * MS);
    assert_true(world_settled(world));
    return world;
}

static void everything_acknowledged_survives_the_loss_of_power_of_all(void **state) {
    struct world *world = with_entries(3, 10);
    uint64_t committed = world->committed;
    for (uint64_t id = 1; id <= 3; id++)
        world_crash(world, id);
    for (uint64_t id = 1; id <= 3; id++)
        world_restart(world, id);
    assert_true(world_elect(world));
    world_run(world, 500 * MS);
    assert_true(world_status(world, world_leader(world)).commit_index > committed);
    assert_null(world->broken);
    world_free(world);
}

static void what_was_not_durable_was_not_acknowledged(void **state) {
    struct world *world = with_entries(3, 1);
    uint64_t leader = world_leader(world), one = leader % 3 + 1, two = one % 3 + 1;
    uint64_t before = world_status(world, leader).commit_index;
    world->nodes[one].hold_disk = world->nodes[two].hold_disk = true;
    world_propose(world, leader, "a");
    world_deliver(world);
    assert_int_equal(world_status(world, one).last_index, before + 1);
    assert_int_equal(world_status(world, leader).commit_index, before);
    world_free(world);
}

static void a_follower_far_behind_gets_a_snapshot(void **state) {
    struct world *world = with_entries(3, 5);
    uint64_t leader = world_leader(world), lagging = leader % 3 + 1;
    world_isolate(world, lagging, true);
    for (int i = 0; i < 50; i++)
        world_propose(world, leader, "abc");
    world_run(world, 100 * MS);
    world_compact(world, leader, UINT64_MAX);
    world_propose(world, leader, "after");
    world_isolate(world, lagging, false);
    world_run(world, 1000 * MS);
    assert_true(world_settled(world));
    assert_true(world_status(world, lagging).first_index > 50);
    world_crash(world, lagging);
    world_restart(world, lagging);
    world_run(world, 500 * MS);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

/* Figure 13: an old snapshot must not replace newer state. */
static void an_older_snapshot_is_not_installed(void **state) {
    struct world *world = with_entries(3, 5);
    uint64_t leader = world_leader(world), other = leader % 3 + 1;
    world_compact(world, leader, 0);
    struct event event = {.kind = EVENT_SNAPSHOT_OFFERED};
    event.snapshot.from = leader;
    event.snapshot.term = world_status(world, leader).term;
    event.snapshot.base = world->nodes[leader].base;
    world_propose(world, leader, "newer");
    world_run(world, 100 * MS);
    uint64_t commit = world_status(world, other).commit_index;
    world->nodes[other].accepted = true;
    world_step(world, other, event);
    assert_false(world->nodes[other].accepted);
    event.kind = EVENT_SNAPSHOT_RECEIVED;
    world_step(world, other, event);
    assert_int_equal(world_status(world, other).commit_index, commit);
    assert_int_equal(world_status(world, other).last_index, commit);
    world_free(world);
}

static void restart(struct world *world, uint64_t id, uint64_t damaged) {
    world_crash(world, id);
    world_damage(world, id, damaged);
    world_restart(world, id);
}

/* Fault 23: damage in the middle is repaired from a peer, not cut. */
static void a_damaged_entry_is_repaired_from_a_peer(void **state) {
    struct world *world = with_entries(3, 10);
    uint64_t hurt = world_leader(world) % 3 + 1;
    world->manual = true;
    restart(world, hurt, 5);
    assert_true(world_status(world, hurt).damaged);
    world->manual = false;
    world_run(world, 300 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_true(world_settled(world));
    assert_false(world->nodes[hurt].damaged[5 - world->nodes[hurt].log_first]);
    world_free(world);
}

/* Every message takes so long from here on. */
static void run_slowly(struct world *world, uint64_t ns, unsigned times) {
    world->manual = true;
    while (times-- > 0) {
        size_t under_way = world->network.count;
        world_run(world, ns);
        while (under_way-- > 0)
            world_deliver_one(world, 0);
    }
    world->manual = false;
}

/* What is asked keeps its time to answer, and is not given up for the next with each heartbeat. */
static void damage_is_repaired_where_answers_take_longer_than_a_heartbeat(void **state) {
    for (uint64_t latency = 20 * MS; latency <= 60 * MS; latency += 10 * MS) {
        struct world *world = with_entries(5, 10);
        uint64_t hurt = world_leader(world) % 5 + 1;
        world->manual = true;
        restart(world, hurt, 5);
        run_slowly(world, latency, 40);
        assert_false(world_status(world, hurt).damaged);
        assert_null(world->broken);
        world_free(world);
    }
}

/* What is lost here names the leader as a member, and only it has what is lost, in its snapshot. */
static void a_leader_that_joined_later_is_asked_too(void **state) {
    struct world *world = with_entries(3, 10);
    uint64_t before = world_status(world, 1).last_index;
    world_add(world, 4);
    struct config four = world_config("1234", "");
    world_configure(world, world_leader(world), &four);
    world_run(world, 500 * MS);
    uint64_t joined = world_status(world, 1).last_index;
    world_transfer(world, world_leader(world), 4);
    world_run(world, 500 * MS);
    for (unsigned i = 0; i < 5; i++)
        world_propose(world, 4, "more");
    world_run(world, 500 * MS);
    for (uint64_t id = 2; id <= 4; id++)
        world_compact(world, id, joined + 1);
    world_crash(world, 1);
    for (uint64_t index = before + 1; index <= joined; index++)
        world_damage(world, 1, index);
    world_restart(world, 1);
    assert_true(world_status(world, 1).damaged);
    world_run(world, 1000 * MS);
    assert_int_equal(world_leader(world), 4);
    assert_false(world_status(world, 1).damaged);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

/* Fault 24. */
static void damage_at_different_entries_on_all_replicas_is_repaired(void **state) {
    struct world *world = with_entries(3, 10);
    for (uint64_t id = 1; id <= 3; id++) {
        world_crash(world, id);
        world_damage(world, id, 3 + id);
    }
    for (uint64_t id = 1; id <= 3; id++)
        world_restart(world, id);
    assert_true(world_elect(world));
    world_run(world, 500 * MS);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

/* Fault 25. */
static void damage_at_the_same_entry_on_all_is_never_served(void **state) {
    struct world *world = with_entries(3, 10);
    for (uint64_t id = 1; id <= 3; id++) {
        world_crash(world, id);
        world_damage(world, id, 5);
    }
    for (uint64_t id = 1; id <= 3; id++)
        world_restart(world, id);
    assert_false(world_elect(world));
    for (uint64_t id = 1; id <= 3; id++) {
        assert_true(world->nodes[id].applied < 5);
        world_read(world, id);
        assert_int_not_equal(world->nodes[id].last_read.status, CAIRN_OK);
    }
    world_free(world);
}

static void a_damaged_end_gives_no_votes_until_a_leader_gave_it_back(void **state) {
    struct world *world = with_entries(3, 10);
    uint64_t leader = world_leader(world), hurt = leader % 3 + 1;
    uint64_t last = world_status(world, hurt).last_index;
    world_crash(world, hurt);
    world_isolate(world, hurt, true);
    world_damage(world, hurt, last);
    world_restart(world, hurt);
    world_run(world, 2000 * MS);
    assert_true(world_status(world, hurt).damaged);
    assert_int_equal(world_status(world, hurt).role, ROLE_FOLLOWER);
    world_crash(world, hurt); /* the mark outlives the next crash, although the damage is cut */
    world->nodes[hurt].log_count--;
    entry_unref(&world->nodes[hurt].log[world->nodes[hurt].log_count]);
    world_restart(world, hurt);
    assert_true(world_status(world, hurt).damaged);
    world_isolate(world, hurt, false);
    world_run(world, 500 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_true(world_settled(world));
    world_free(world);
}

static struct world *with_an_earlier_disk(enum mutant mutant, uint64_t *hurt) {
    struct world *world = with_entries(3, 10);
    *hurt = world_leader(world) % 3 + 1;
    struct world_node *node = &world->nodes[*hurt];
    world_crash(world, *hurt);
    for (unsigned i = 0; i < 4; i++)
        entry_unref(&node->log[--node->log_count]);
    node->options.mutant = mutant;
    world_restart(world, *hurt);
    assert_false(world_status(world, *hurt).damaged);
    return world;
}

static void a_disk_as_it_was_earlier_is_noticed_and_caught_up(void **state) {
    uint64_t hurt;
    struct world *world = with_an_earlier_disk(MUTANT_NONE, &hurt);
    world->manual = true;
    while (!world_status(world, hurt).damaged) {
        assert_true(world->network.count > 0 || world->now < 10000 * MS);
        if (world->network.count > 0)
            world_deliver_one(world, 0);
        else
            world_run(world, 10 * MS);
    }
    world->manual = false;
    world_run(world, 500 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
    world = with_an_earlier_disk(MUTANT_IMAGE_UNNOTICED, &hurt);
    world_run(world, 5000 * MS);
    assert_false(world_settled(world));
    world_free(world);
}

/* Fault 26. */
static void a_lost_hard_state_gives_no_vote_until_all_others_told_their_terms(void **state) {
    struct world *world = with_entries(3, 3);
    uint64_t leader = world_leader(world), hurt = leader % 3 + 1, third = hurt % 3 + 1;
    world_crash(world, hurt);
    world_crash(world, third);
    world->nodes[hurt].hard_lost = true;
    world_restart(world, hurt);
    world_run(world, 500 * MS);
    assert_true(world_status(world, hurt).damaged);
    world_restart(world, third);
    world_run(world, 500 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_null(world->broken);
    world_free(world);
}

/* Two of five lose data at once. One gets an empty disk, so its former folder never tells its term;
 * the other has lost its hard state, and the beginning of its log, which the others have trimmed.
 * It was no founder, so its log alone names the members. */
static void a_replaced_voter_has_no_term_to_tell(void **state) {
    struct world *world = with_entries(3, 3);
    uint64_t leader = world_leader(world), hurt = 5, gone = 4;
    struct config target = world_config("12345", "");
    world_add(world, hurt);
    world_add(world, gone);
    world_configure(world, leader, &target);
    world_run(world, 2000 * MS);
    struct replica_status status = world_status(world, hurt);
    assert_true(config_is_voter(&status.config, gone));
    world_crash(world, hurt);
    world_crash(world, gone);
    world_propose(world, leader, "a");
    world_run(world, 500 * MS);
    for (uint64_t id = 1; id <= 5; id++)
        if (id < gone)
            world_compact(world, id, 3);
    world_wipe(world, gone);
    world_restart(world, gone);
    world->nodes[hurt].hard_lost = true;
    world_damage(world, hurt, 1);
    world_restart(world, hurt);
    assert_true(world_status(world, hurt).damaged);
    world_run(world, 3000 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

/* Fault 33. */
static void a_full_disk_refuses_writes_and_recovers(void **state) {
    struct world *world = with_entries(3, 3);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].disk_fails = CAIRN_NO_SPACE;
    uint64_t leader = world_leader(world);
    world_propose(world, leader, "a");
    world_run(world, 2000 * MS);
    leader = world_leader(world);
    assert_int_not_equal(leader, 0);
    world_propose(world, leader, "b");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_NO_SPACE);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].disk_fails = CAIRN_OK;
    world_run(world, 2000 * MS);
    leader = world_leader(world);
    world_propose(world, leader, "c");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_OK);
    world_run(world, 500 * MS);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

/* Fault 34. */
static void a_leader_whose_disk_hangs_hands_over(void **state) {
    struct world *world = with_entries(3, 3);
    uint64_t leader = world_leader(world);
    world->nodes[leader].hold_disk = true;
    world_propose(world, leader, "a");
    world_run(world, 1000 * MS);
    assert_int_not_equal(world_leader(world), leader);
    assert_int_not_equal(world_leader(world), 0);
    assert_null(world->broken);
    world_free(world);
}

static void after_a_failed_write_a_replica_promises_nothing(void **state) {
    struct world *world = with_entries(3, 3);
    uint64_t leader = world_leader(world);
    struct event event = {.kind = EVENT_PERSIST_FAILED};
    event.persisted.seq = 1000;
    event.persisted.status = CAIRN_IO;
    world_step(world, leader, event);
    assert_int_equal(world_status(world, leader).role, ROLE_FOLLOWER);
    world_run(world, 3000 * MS);
    assert_int_not_equal(world_leader(world), leader);
    assert_int_not_equal(world_leader(world), 0);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everything_acknowledged_survives_the_loss_of_power_of_all),
        cmocka_unit_test(what_was_not_durable_was_not_acknowledged),
        cmocka_unit_test(a_follower_far_behind_gets_a_snapshot),
        cmocka_unit_test(an_older_snapshot_is_not_installed),
        cmocka_unit_test(a_damaged_entry_is_repaired_from_a_peer),
        cmocka_unit_test(damage_is_repaired_where_answers_take_longer_than_a_heartbeat),
        cmocka_unit_test(a_leader_that_joined_later_is_asked_too),
        cmocka_unit_test(damage_at_different_entries_on_all_replicas_is_repaired),
        cmocka_unit_test(damage_at_the_same_entry_on_all_is_never_served),
        cmocka_unit_test(a_damaged_end_gives_no_votes_until_a_leader_gave_it_back),
        cmocka_unit_test(a_disk_as_it_was_earlier_is_noticed_and_caught_up),
        cmocka_unit_test(a_lost_hard_state_gives_no_vote_until_all_others_told_their_terms),
        cmocka_unit_test(a_replaced_voter_has_no_term_to_tell),
        cmocka_unit_test(a_full_disk_refuses_writes_and_recovers),
        cmocka_unit_test(a_leader_whose_disk_hangs_hands_over),
        cmocka_unit_test(after_a_failed_write_a_replica_promises_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
