/* Changes of members that can't be done, or take long: each ends, and leaves nothing behind. Every
 * story is told of both protocols. */
#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct world *started(void **state) {
    struct world *world = world_new_of(*state, 3, 1);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    return world;
}

static uint64_t ask(struct world *world, struct config_change change) {
    return world_change(world, world_leader(world), &change);
}

static void finish(struct world *world) {
    assert_null(world->broken);
    world_free(world);
}

static bool ended(struct world *world, uint64_t tag, enum cairn_status status) {
    const struct world_outcome *outcome = &world->nodes[world_leader(world)].last_outcome;
    return outcome->tag == tag && outcome->status == status;
}

static bool has(struct world *world, uint64_t id) {
    struct replica_status status = world_status(world, world_leader(world));
    return config_member(&status.config, id) != NULL;
}

static bool is_voter(struct world *world, uint64_t id) {
    struct replica_status status = world_status(world, world_leader(world));
    return config_is_voter(&status.config, id);
}

/* Writes go on meanwhile: what others gain is no progress of the one that is missed. */
static void an_absent_member_is_given_up_however_much_is_written(void **state) {
    struct world *world = started(state);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    assert_true(has(world, 4));
    for (int i = 0; i < 90 && !ended(world, tag, CAIRN_UNREACHABLE); i++) {
        world_step(world, world_leader(world),
                   (struct event){.kind = EVENT_PROPOSE,
                                  .propose = {.items = &(struct proposal){.command = BYTES("x")},
                                              .count = 1}});
        if (ended(world, tag, CAIRN_UNREACHABLE))
            break;
        world_run(world, 100 * MS);
    }
    struct replica_status status = world_status(world, world_leader(world));
    assert_int_equal(status.config.count, 3); /* the learner was taken out again */
    assert_true(status.config_committed);
    finish(world);
}

static void an_absent_voter_does_not_hide_an_absent_member(void **state) {
    struct world *world = started(state);
    world_crash(world, world_leader(world) == 3 ? 2 : 3);
    world_run(world, 1000 * MS);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    world_run(world, 10000 * MS);
    assert_true(ended(world, tag, CAIRN_UNREACHABLE));
    finish(world);
}

static void the_member_in_the_way_is_named(void **state) {
    struct world *world = started(state);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("12345", "")});
    world_add(world, 4);
    world_run(world, 8000 * MS);
    assert_true(ended(world, tag, CAIRN_UNREACHABLE));
    assert_int_equal(world->nodes[world_leader(world)].last_outcome.member, 5);
    finish(world);
}

static void progress_of_snapshot(struct world *world, uint64_t to, uint64_t bytes) {
    struct event event = {.kind = EVENT_SNAPSHOT_PROGRESS};
    event.snapshot_progress.to = to;
    event.snapshot_progress.bytes = bytes;
    world_step(world, world_leader(world), event);
}

static void bytes_of_a_snapshot_are_progress_while_they_rise(void **state) {
    struct world *world = started(state);
    world_add(world, 4);
    world_isolate(world, 4, true); /* connected, but nothing of the log arrives */
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    for (uint64_t i = 1; i <= 90; i++) {
        progress_of_snapshot(world, 4, i);
        world_run(world, 1000 * MS);
        assert_int_not_equal(world->nodes[world_leader(world)].last_outcome.tag, tag);
    }
    for (int i = 0; i < 40 && !ended(world, tag, CAIRN_TIMEOUT); i++) {
        progress_of_snapshot(world, 4, 90);
        if (!ended(world, tag, CAIRN_TIMEOUT))
            world_run(world, 1000 * MS);
    }
    assert_true(ended(world, tag, CAIRN_TIMEOUT));
    assert_false(has(world, 4));
    finish(world);
}

static void what_would_leave_no_majority_is_refused(void **state) {
    struct world *world = started(state);
    uint64_t leader = world_leader(world), dead = leader % 3 + 1, other = dead % 3 + 1;
    world_crash(world, dead);
    world_run(world, 1000 * MS);
    uint64_t before = world_status(world, leader).last_index;
    struct config target = world_status(world, leader).config;
    config_remove(&target, other);
    uint64_t tag = ask(world, (struct config_change){.target = target});
    assert_true(ended(world, tag, CAIRN_NO_QUORUM));
    assert_int_equal(world_status(world, leader).last_index, before);
    target = world_status(world, leader).config;
    config_remove(&target, dead); /* the dead one may go */
    tag = ask(world, (struct config_change){.target = target});
    world_run(world, 1000 * MS);
    assert_true(ended(world, tag, CAIRN_OK));
    finish(world);
}

static void a_change_that_waits_can_be_cancelled(void **state) {
    struct world *world = started(state);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    world_run(world, 500 * MS);
    assert_true(has(world, 4));
    ask(world, (struct config_change){.cancel = true});
    world_run(world, 100 * MS);
    assert_false(has(world, 4));
    assert_true(ended(world, tag, CAIRN_CANCELLED));
    tag = ask(world, (struct config_change){.cancel = true});
    assert_true(ended(world, tag, CAIRN_NOT_FOUND));
    finish(world);
}

static void another_takes_its_place_only_when_told_to(void **state) {
    struct world *world = started(state);
    ask(world, (struct config_change){.target = world_config("1234", "")});
    world_run(world, 500 * MS);
    uint64_t busy = ask(world, (struct config_change){.target = world_config("123", "5")});
    assert_true(ended(world, busy, CAIRN_BUSY));
    uint64_t tag =
        ask(world, (struct config_change){.target = world_config("123", "5"), .supersede = true});
    world_run(world, 500 * MS);
    assert_true(ended(world, tag, CAIRN_OK));
    assert_true(has(world, 5) && !has(world, 4));
    finish(world);
}

static void what_is_prepared_does_not_vote_yet(void **state) {
    struct world *world = started(state);
    world_add(world, 4);
    uint64_t tag =
        ask(world, (struct config_change){.target = world_config("124", ""), .prepare = true});
    world_run(world, 1000 * MS);
    assert_true(ended(world, tag, CAIRN_OK));
    assert_true(has(world, 4) && !is_voter(world, 4) && is_voter(world, 3));
    finish(world);
}

static void leadership_may_move_while_a_change_waits(void **state) {
    struct world *world = started(state);
    uint64_t leader = world_leader(world);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    world_run(world, 500 * MS);
    world_transfer(world, leader, leader % 3 + 1);
    world_run(world, 500 * MS);
    assert_int_equal(world_leader(world), leader % 3 + 1);
    assert_true(world->nodes[leader].outcomes > 0 && tag > 0);
    finish(world);
}

static void a_replaced_disk_is_taken_in_while_a_change_waits(void **state) {
    struct world *world = started(state);
    uint64_t leader = world_leader(world), lost = leader % 3 + 1;
    world_add(world, 4);
    world_isolate(world, 4, true);
    ask(world, (struct config_change){.target = world_config("1234", "")});
    world_crash(world, lost);
    world_wipe(world, lost);
    world_restart(world, lost);
    world_run(world, 5000 * MS);
    struct replica_status status = world_status(world, leader);
    const struct member *member = config_member(&status.config, lost);
    assert_int_equal(member->incarnation, 100 * lost + 1);
    assert_true(member->voter);
    finish(world);
}

/* One whose disk was replaced is on its way back: a change of others leaves it there. */
static void a_change_of_others_keeps_a_member_on_its_way_back(void **state) {
    struct world *world = started(state);
    uint64_t leader = world_leader(world), lost = leader % 3 + 1;
    world_crash(world, lost);
    world_wipe(world, lost);
    world->manual = true;
    world_restart(world, lost);
    world_isolate(world, lost, true); /* it will be a learner, and not catch up yet */
    world->manual = false;
    for (int i = 0; i < 1000 && is_voter(world, lost); i++)
        world_run(world, MS);
    struct config target = world_status(world, leader).config;
    assert_true(config_find(&target, lost)->rejoining);
    struct member learner = {.id = 4, .address = "host:4"};
    config_add(&target, &learner);
    world_run(world, 100 * MS);
    uint64_t tag = ask(world, (struct config_change){.target = target});
    world_run(world, 500 * MS);
    assert_true(ended(world, tag, CAIRN_OK) && has(world, 4) && !is_voter(world, lost));
    world_isolate(world, lost, false);
    world_run(world, 2000 * MS);
    assert_true(is_voter(world, lost));
    finish(world);
}

static void an_address_is_changed_and_nothing_else(void **state) {
    struct world *world = started(state);
    struct config target = world_status(world, world_leader(world)).config;
    strcpy(config_find(&target, 2)->address, "elsewhere:1");
    uint64_t tag = ask(world, (struct config_change){.target = target});
    world_run(world, 500 * MS);
    assert_true(ended(world, tag, CAIRN_OK));
    struct replica_status status = world_status(world, world_leader(world));
    assert_string_equal(config_member(&status.config, 2)->address, "elsewhere:1");
    assert_true(config_is_voter(&status.config, 2) && status.config.count == 3);
    finish(world);
}

/* Hundreds of entries are always on their way when much is written: that is no lag. */
static void a_busy_leader_finds_its_new_member_in_step(void **state) {
    struct world *world = started(state);
    world_add(world, 4);
    uint64_t tag = ask(world, (struct config_change){.target = world_config("1234", "")});
    struct proposal many[200];
    for (size_t i = 0; i < 200; i++)
        many[i] = (struct proposal){.command = BYTES("x")};
    world->manual = true; /* the member is always one batch behind */
    bool voter = false;
    for (int i = 0; i < 400 && !voter; i++) {
        world_step(world, world_leader(world),
                   (struct event){.kind = EVENT_PROPOSE, .propose = {many, 200}});
        for (size_t n = world->network.count; n > 0 && world->network.count > 0; n--)
            world_deliver_one(world, 0);
        world_run(world, MS);
        voter = is_voter(world, 4);
    }
    assert_true(voter && tag > 0);
    world->manual = false;
    finish(world);
}

#define STORY(name, protocol) \
    { #name " (" protocol ")", name, NULL, NULL, protocol }
#define BOTH(name) STORY(name, "raft"), STORY(name, "zab")

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(an_absent_member_is_given_up_however_much_is_written),
        BOTH(an_absent_voter_does_not_hide_an_absent_member),
        BOTH(the_member_in_the_way_is_named),
        BOTH(bytes_of_a_snapshot_are_progress_while_they_rise),
        BOTH(what_would_leave_no_majority_is_refused),
        BOTH(a_change_that_waits_can_be_cancelled),
        BOTH(another_takes_its_place_only_when_told_to),
        BOTH(what_is_prepared_does_not_vote_yet),
        BOTH(leadership_may_move_while_a_change_waits),
        BOTH(a_replaced_disk_is_taken_in_while_a_change_waits),
        BOTH(a_change_of_others_keeps_a_member_on_its_way_back),
        BOTH(an_address_is_changed_and_nothing_else),
        BOTH(a_busy_leader_finds_its_new_member_in_step),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
