#include "replica_world.h"

#include "base/mutant.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static struct world *plain_world(unsigned voters, enum mutant mutant) {
    struct world *world = world_empty(voters, 7);
    for (unsigned id = 1; id <= voters; id++) {
        world->nodes[id].options.incarnation = 0; /* no entries but the test's */
        world->nodes[id].options.append_bytes_max = 1;
        world->nodes[id].options.mutant = mutant;
    }
    world_boot(world);
    world->manual = true;
    return world;
}

/* Makes this node the leader, by the votes of whom it reaches; what it sends then is dropped. */
static void make_leader(struct world *world, uint64_t id) {
    for (int tries = 0; tries < 5; tries++) {
        world->now += 700 * MS;
        world_step(world, id, (struct event){.kind = EVENT_TICK});
        while (world->network.count > 0 && world_status(world, id).role != ROLE_LEADER)
            world_deliver_one(world, 0);
        if (world_status(world, id).role == ROLE_LEADER)
            break;
    }
    assert_int_equal(world_status(world, id).role, ROLE_LEADER);
}

static void drop_all(struct world *world) {
    while (world->network.count > 0)
        world_drop(world, 0);
}

static void an_entry_is_committed_by_a_majority_and_applied_everywhere(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world);
    uint64_t tag = world_propose(world, leader, "a");
    world_run(world, 100 * MS);
    struct world_outcome *outcome = &world->nodes[leader].last_outcome;
    assert_int_equal(outcome->tag, tag);
    assert_int_equal(outcome->status, CAIRN_OK);
    for (uint64_t id = 1; id <= 3; id++)
        assert_int_equal(world->nodes[id].applied, outcome->index);
    world_free(world);
}

/* Section 10.2.1 of the dissertation: the leader counts itself only once its own write is durable.
 */
static void a_leader_does_not_count_itself_before_its_disk_does(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), one = leader % 3 + 1, two = one % 3 + 1;
    uint64_t before = world_status(world, leader).commit_index;
    world->nodes[leader].hold_disk = world->nodes[one].hold_disk = true;
    world_isolate(world, two, true);
    world_propose(world, leader, "a");
    world_run(world, 20 * MS);
    world_disk(world, one, 0);
    world_deliver(world);
    assert_int_equal(world_status(world, leader).commit_index, before);
    world_disk(world, leader, 0);
    assert_int_equal(world_status(world, leader).commit_index, before + 1);
    world_free(world);
}

static void a_majority_of_followers_commits_while_the_leaders_disk_is_slow(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), before = world_status(world, leader).commit_index;
    world->nodes[leader].hold_disk = true;
    world_propose(world, leader, "a");
    world_deliver(world);
    assert_int_equal(world_status(world, leader).commit_index, before + 1);
    assert_int_equal(world_status(world, leader).durable_index, before);
    world_free(world);
}

/* Section 5.3: "the leader handles inconsistencies by forcing the followers' logs to duplicate its
 * own". */
static void divergent_logs_are_overwritten_by_the_leaders(void **state) {
    struct world *world = plain_world(3, MUTANT_NONE);
    make_leader(world, 1);
    world_deliver(world);
    world_isolate(world, 1, true);
    for (int i = 0; i < 5; i++)
        world_propose(world, 1, "lost");
    world_deliver(world);
    world_crash(world, 1);
    make_leader(world, 2);
    for (int i = 0; i < 3; i++)
        world_propose(world, 2, "kept");
    world_deliver(world);
    world_isolate(world, 1, false);
    world_restart(world, 1);
    world->manual = false;
    world_run(world, 500 * MS);
    assert_true(world_settled(world));
    assert_int_equal(world_status(world, 1).last_index, world_status(world, 2).last_index);
    assert_null(world->broken);
    world_free(world);
}

/* Figure 8: an entry of an old term on a majority may still be overwritten, so it must not count
 * as committed before one of the own term is. */
static const char *figure_8(enum mutant mutant) {
    struct world *world = plain_world(5, mutant);
    make_leader(world, 1);
    world_deliver(world);
    for (uint64_t id = 3; id <= 5; id++)
        world_cut(world, 1, id, true);
    world_propose(world, 1, "old"); /* index 2 on 1 and 2 */
    world_deliver(world);
    world_isolate(world, 2, true);
    world_crash(world, 1);
    make_leader(world, 5); /* its no-op at index 2 stays its own */
    drop_all(world);
    world_crash(world, 5);
    memset(world->cut, 0, sizeof world->cut);
    world_restart(world, 1);
    drop_all(world);
    make_leader(world, 1);
    world_cut(world, 1, 2, true);
    world_cut(world, 1, 5, true);
    while (world->network.count > 0) { /* 3 and 4 get index 2, but not the new no-op */
        char text[200];
        struct world_message *message = &world->network.items[0];
        raft_describe(blob_view(message->frame), text, sizeof text);
        bool later = strstr(text, "append term=3 index=2") && strstr(text, "entries=1") &&
                     world_status(world, message->to).last_index >= 2;
        if (later)
            world_drop(world, 0);
        else
            world_deliver_one(world, 0);
    }
    assert_int_equal(world_status(world, 3).last_index, 2);
    assert_int_equal(world_status(world, 4).last_index, 2);
    world_crash(world, 1);
    memset(world->cut, 0, sizeof world->cut);
    world_restart(world, 5);
    drop_all(world);
    make_leader(world, 5);
    world_deliver(world);
    world->manual = false;
    world_run(world, 1000 * MS);
    const char *broken = world->broken;
    world_free(world);
    return broken;
}

static void old_terms_are_not_committed_by_counting(void **state) {
    assert_null(figure_8(MUTANT_NONE));
    assert_non_null(figure_8(MUTANT_COMMIT_OLD_TERM));
}

static void a_late_append_does_not_cut_newer_entries(void **state) {
    struct world *world = plain_world(3, MUTANT_NONE);
    make_leader(world, 1);
    world_deliver(world);
    world_propose(world, 1, "a");
    struct world_message late = world->network.items[0];
    blob_ref(late.frame);
    world_deliver(world);
    world_propose(world, 1, "b");
    world_deliver(world);
    uint64_t last = world_status(world, late.to).last_index;
    struct event event = {.kind = EVENT_MESSAGE};
    event.message.from = late.from;
    event.message.frame = late.frame;
    event.message.body = blob_view(late.frame);
    world_step(world, late.to, event);
    assert_int_equal(world_status(world, late.to).last_index, last);
    blob_unref(late.frame);
    world_free(world);
}

static void what_is_too_large_or_too_much_is_refused_at_once(void **state) {
    struct world *world = world_empty(3, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        world->nodes[id].options.entry_bytes_max = 100;
        world->nodes[id].options.uncommitted_bytes_max = 300;
    }
    world_boot(world);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world);
    char large[128] = {0};
    memset(large, 'x', 100);
    world_propose(world, leader, large);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_TOO_LARGE);
    world->manual = true;
    for (int i = 0; i < 10; i++)
        world_propose(world, leader, "0123456789");
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_BUSY);
    world_propose(world, leader % 3 + 1, "a");
    assert_int_equal(world->nodes[leader % 3 + 1].last_outcome.status, CAIRN_NOT_LEADER);
    world_free(world);
}

static void a_slow_follower_is_sent_no_more_than_the_limit(void **state) {
    struct world *world = world_new(3, 1);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), slow = leader % 3 + 1;
    world->nodes[slow].hold_disk = true;
    for (int i = 0; i < 200; i++)
        world_propose(world, leader, "abc");
    world_deliver(world);
    struct replica_status status = world_status(world, leader);
    assert_int_equal(status.commit_index, status.last_index);
    for (uint32_t i = 0; i < status.peer_count; i++)
        assert_true(status.peers[i].inflight <= 16);
    world->nodes[slow].hold_disk = false;
    world_disk(world, slow, 0);
    world_run(world, 1000 * MS);
    assert_true(world_settled(world));
    world_free(world);
}

/* Entries that left memory come from the disk, for a peer that lags and after a restart. */
static void a_lagging_follower_is_fed_from_the_disk(void **state) {
    struct world *world = world_empty(3, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        world->nodes[id].options.window_bytes_max = 200;
        world->nodes[id].options.append_bytes_max = 100;
    }
    world_boot(world);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), lagging = leader % 3 + 1;
    world_isolate(world, lagging, true);
    for (int i = 0; i < 100; i++) {
        world_propose(world, leader, "abc");
        world_deliver(world);
    }
    assert_true(world_status(world, leader).memory_bytes <= 300);
    world_isolate(world, lagging, false);
    world_run(world, 1000 * MS);
    assert_true(world_settled(world));
    world_crash(world, leader);
    world_restart(world, leader);
    world_run(world, 1000 * MS);
    assert_true(world_settled(world));
    assert_null(world->broken);
    world_free(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_entry_is_committed_by_a_majority_and_applied_everywhere),
        cmocka_unit_test(a_leader_does_not_count_itself_before_its_disk_does),
        cmocka_unit_test(a_majority_of_followers_commits_while_the_leaders_disk_is_slow),
        cmocka_unit_test(divergent_logs_are_overwritten_by_the_leaders),
        cmocka_unit_test(old_terms_are_not_committed_by_counting),
        cmocka_unit_test(a_late_append_does_not_cut_newer_entries),
        cmocka_unit_test(what_is_too_large_or_too_much_is_refused_at_once),
        cmocka_unit_test(a_slow_follower_is_sent_no_more_than_the_limit),
        cmocka_unit_test(a_lagging_follower_is_fed_from_the_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
