/* Stories of Zab's phases; the scenarios in tests/scenario/zab tell others with their traffic. */
#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct world *three(void) {
    struct world *world = world_new_of("zab", 3, 1);
    assert_true(world_elect(world));
    world_run(world, 100 * MS);
    assert_true(world_settled(world));
    return world;
}

static void done(struct world *world) {
    assert_null(world->broken);
    world_free(world);
}

/* With the default timeouts a dead leader must be replaced far within half a second. */
static void a_lost_leader_is_replaced_within_250_ms(void **state) {
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct world *world = world_new_of("zab", seed % 2 ? 3 : 5, seed);
        assert_true(world_elect(world));
        world_run(world, 200 * MS);
        uint64_t leader = world_leader(world), from = world->now;
        world_crash(world, leader);
        while (world_leader(world) == 0 && world->now - from < 1000 * MS)
            world_run(world, 1 * MS);
        assert_true(world->now - from <= 250 * MS);
        done(world);
    }
}

/* The best history of a quorum wins, not the highest id. */
static void who_has_most_of_the_history_leads(void **state) {
    struct world *world = world_empty_of("zab", 3, 1);
    world_write_log(world, 1, (uint64_t[]){1, 1, 2}, 3);
    world_write_log(world, 2, (uint64_t[]){1, 1, 1, 1, 1}, 5);
    world_write_log(world, 3, (uint64_t[]){1, 1}, 2);
    world_boot(world);
    assert_true(world_elect(world));
    assert_int_equal(world_leader(world), 1);
    world_run(world, 100 * MS);
    for (uint64_t id = 1; id <= 3; id++)
        assert_true(world_status(world, id).last_index >= 4);
    assert_true(world_settled(world));
    done(world);
}

/* The histories meet below many epochs that the leader does not know: more than are told. */
static void a_history_of_too_many_epochs_is_given_up_and_given_back(void **state) {
    enum { EPOCHS = 700 };
    static uint64_t terms[EPOCHS];
    for (uint64_t i = 0; i < EPOCHS; i++)
        terms[i] = i + 1;
    struct world *world = world_empty_of("zab", 3, 1);
    world_write_log(world, 1, terms, EPOCHS);
    world_write_log(world, 2, terms, EPOCHS);
    terms[0] = EPOCHS + 1;
    world_write_log(world, 3, terms, 1);
    world_isolate(world, 1, true);
    world_boot(world);
    assert_true(world_elect(world));
    assert_int_equal(world_leader(world), 3);
    world_run(world, 200 * MS);
    assert_int_equal(world_status(world, 2).last_index, world_status(world, 3).last_index);
    assert_false(world_status(world, 2).damaged);
    done(world);
}

static void reads_at_followers_ask_the_leader(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world), follower = leader % 3 + 1;
    world_propose(world, leader, "a");
    world_run(world, 10 * MS);
    uint64_t tag = world_read(world, follower);
    world_run(world, 10 * MS);
    assert_int_equal(world->nodes[follower].last_read.tag, tag);
    assert_int_equal(world->nodes[follower].last_read.status, CAIRN_OK);
    assert_int_equal(world->nodes[follower].last_read.index,
                     world_status(world, leader).last_index);
    done(world);
}

static void a_commit_reaches_followers_at_once(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world);
    world->manual = true;
    world_propose(world, leader, "a");
    uint64_t index = world_status(world, leader).last_index;
    world_deliver(world); /* no time passes */
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(world_status(world, id).commit_index, index);
    done(world);
}

/* Invariant 21: proposals wait for NEWLEADER's quorum. */
static void a_leader_without_a_synchronised_quorum_proposes_nothing(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world);
    for (uint64_t id = 1; id <= 3; id++)
        world_crash(world, id);
    world_restart(world, leader);
    world_run(world, 2000 * MS);
    world_propose(world, leader, "a");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_NOT_LEADER);
    assert_int_equal(world_leader(world), 0);
    done(world);
}

/* A full disk takes no proposals; reads go on, and all is well when space returns. */
static void a_full_disk_refuses_writes_and_recovers(void **state) {
    struct world *world = three();
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].disk_fails = CAIRN_NO_SPACE;
    uint64_t leader = world_leader(world);
    world_propose(world, leader, "a");
    world_run(world, 50 * MS);
    world_propose(world, leader, "b");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_NO_SPACE);
    world_read(world, leader);
    world_run(world, 10 * MS);
    assert_int_equal(world->nodes[leader].last_read.status, CAIRN_OK);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].disk_fails = CAIRN_OK;
    world_run(world, 500 * MS);
    assert_true(world_settled(world));
    leader = world_leader(world);
    uint64_t tag = world_propose(world, leader, "c");
    world_run(world, 50 * MS);
    assert_int_equal(world->nodes[leader].last_outcome.tag, tag);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_OK);
    assert_true(world_settled(world));
    done(world);
}

/* Fault 26: the accepted epoch is lost. Its owner follows nobody until the others told theirs. */
static void a_lost_promise_is_settled_by_asking_all(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world), hurt = leader % 3 + 1, other = 6 - leader - hurt;
    world_crash(world, hurt);
    world_crash(world, other);
    world->nodes[hurt].hard_lost = true;
    world_restart(world, hurt);
    world_run(world, 1000 * MS);
    assert_true(world_status(world, hurt).damaged);
    assert_int_equal(world_leader(world), 0);
    world_restart(world, other);
    world_run(world, 1000 * MS);
    assert_false(world_status(world, hurt).damaged);
    assert_true(world_settled(world));
    done(world);
}

/* Fault 34: a leader whose disk hangs hands over. */
/* 1 asked for promises that outlive the others' patience, and 3 heard it longest. 2 and 3 must both
 * follow 4, and one or the other was bound by the attempt before, of the same leader. */
static void a_promise_to_a_leader_does_not_bind_against_itself(void **state) {
    for (uint64_t apart_ms = 80; apart_ms <= 200; apart_ms += 20) {
        struct world *world = world_empty_of("zab", 4, apart_ms);
        for (uint64_t id = 1; id <= 4; id++) {
            struct replica_options *options = &world->nodes[id].options;
            options->election_timeout_min_ns = (id == 1 ? 300 : 34) * MS;
            options->election_timeout_max_ns = (id == 1 ? 600 : 51) * MS;
            options->lease_reads = true;
        }
        world_boot(world);
        assert_true(world_elect(world));
        world_run(world, 2000 * MS);
        if (world_leader(world) != 1)
            world_transfer(world, world_leader(world), 1);
        world_run(world, 3000 * MS);
        assert_int_equal(world_leader(world), 1);
        for (uint64_t id = 2; id <= 4; id += 2)
            world->cut[1][id] = world->cut[id][1] = true;
        world_run(world, apart_ms * MS);
        world_crash(world, 1);
        world_run(world, 450 * MS);
        assert_in_range(world_leader(world), 2, 4);
        done(world);
    }
}

static void a_stalled_disk_costs_leadership(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world);
    world->nodes[leader].hold_disk = true;
    world_propose(world, leader, "a");
    world_run(world, 1500 * MS);
    assert_true(world_leader(world) != 0 && world_leader(world) != leader);
    done(world);
}

/* Fault 6: cut off for long and back again, a follower disturbs nobody. */
static void a_returning_follower_leaves_the_leader_alone(void **state) {
    struct world *world = three();
    uint64_t leader = world_leader(world), away = leader % 3 + 1;
    uint64_t term = world_status(world, leader).term;
    world_isolate(world, away, true);
    world_disconnect(world, away, leader);
    world_run(world, 20000 * MS);
    world_isolate(world, away, false);
    world_connect(world, away, leader);
    world_run(world, 1000 * MS);
    assert_int_equal(world_leader(world), leader);
    assert_int_equal(world_status(world, leader).term, term);
    assert_true(world_settled(world));
    done(world);
}

/* It has installed the snapshot, and its leader does not know that: the same one is offered again.
 */
static void a_snapshot_offered_again_leaves_no_follower_behind(void **state) {
    struct rare rare = {0};
    struct world *world = world_empty_of("zab", 3, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        world->nodes[id].options.window_bytes_max = 1;
        world->nodes[id].options.rare = &rare;
    }
    world_boot(world);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), away = leader % 3 + 1;
    world_isolate(world, away, true);
    world_disconnect(world, away, leader);
    for (int i = 0; i < 20; i++)
        world_propose(world, leader, "a");
    world_run(world, 100 * MS);
    uint64_t applied = world_status(world, leader).applied_index;
    world_compact(world, leader, applied - 1);
    world_propose(world, leader, "b");
    world_run(world, 10 * MS);
    rare.one_in[RARE_SNAPSHOT_RATHER] = 1;
    world_isolate(world, away, false);
    world_connect(world, away, leader);
    world_run(world, 500 * MS);
    assert_int_equal(world_status(world, away).applied_index, applied);
    assert_true(rare.hits[RARE_SNAPSHOT_RATHER] > 0);
    rare.one_in[RARE_SNAPSHOT_RATHER] = 0;
    world_run(world, 2000 * MS);
    assert_true(world_settled(world));
    done(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_leader_is_replaced_within_250_ms),
        cmocka_unit_test(who_has_most_of_the_history_leads),
        cmocka_unit_test(a_history_of_too_many_epochs_is_given_up_and_given_back),
        cmocka_unit_test(reads_at_followers_ask_the_leader),
        cmocka_unit_test(a_commit_reaches_followers_at_once),
        cmocka_unit_test(a_leader_without_a_synchronised_quorum_proposes_nothing),
        cmocka_unit_test(a_full_disk_refuses_writes_and_recovers),
        cmocka_unit_test(a_lost_promise_is_settled_by_asking_all),
        cmocka_unit_test(a_promise_to_a_leader_does_not_bind_against_itself),
        cmocka_unit_test(a_stalled_disk_costs_leadership),
        cmocka_unit_test(a_returning_follower_leaves_the_leader_alone),
        cmocka_unit_test(a_snapshot_offered_again_leaves_no_follower_behind),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
