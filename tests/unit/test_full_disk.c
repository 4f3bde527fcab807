/* Full disks: with what is kept back of the logs' room a leader is elected and leads, whatever else
 * is refused. Each story is told of both protocols. */
#include "base/bytes.h"
#include "base/mutant.h"
#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define NODES 3u

static struct world *begun_with(const char *protocol, enum mutant mutant) {
    struct world *world = world_empty_of(protocol, NODES, 5);
    for (uint64_t id = 1; id <= NODES; id++)
        world->nodes[id].options.mutant = mutant;
    world_boot(world);
    assert_true(world_elect(world));
    for (int i = 0; i < 3; i++)
        world_propose(world, world_leader(world), "abc");
    world_run(world, 300 * MS);
    assert_true(world_settled(world));
    return world;
}

static struct world *begun(void **state) {
    return begun_with(*state, MUTANT_NONE);
}

static void done(struct world *world) {
    assert_null(world->broken);
    world_free(world);
}

static void tell_room(struct world *world, uint64_t id, bool there) {
    struct event event = {.kind = EVENT_ROOM};
    event.room.there = there;
    world_step(world, id, event);
}

/* told: the log has noticed before a write was refused. */
static void fill(struct world *world, uint64_t id, unsigned kept, bool told) {
    world->nodes[id].disk_fails = CAIRN_NO_SPACE;
    world->nodes[id].kept_room = kept;
    if (told)
        tell_room(world, id, false);
}

static void empty(struct world *world, uint64_t id) {
    world->nodes[id].disk_fails = CAIRN_OK;
    tell_room(world, id, true);
}

static enum cairn_status proposed(struct world *world, uint64_t id) {
    world_propose(world, id, "abc");
    return world->nodes[id].last_outcome.status;
}

static bool reads_everywhere(struct world *world) {
    for (uint64_t id = 1; id <= NODES; id++) {
        uint64_t tag = world_read(world, id);
        world_run(world, 50 * MS);
        if (world->nodes[id].last_read.tag != tag || world->nodes[id].last_read.status != CAIRN_OK)
            return false;
    }
    return true;
}

static void goes_on_with_space(struct world *world) {
    for (uint64_t id = 1; id <= NODES; id++)
        empty(world, id);
    world_run(world, 1000 * MS);
    uint64_t leader = world_leader(world);
    assert_int_equal(proposed(world, leader), CAIRN_OK);
    world_run(world, 200 * MS);
    assert_true(world_settled(world));
}

static void change_leader(struct world *world, int how) {
    uint64_t leader = world_leader(world);
    if (how % 3 == 2) {
        world_transfer(world, leader, leader % NODES + 1);
        world_run(world, 400 * MS);
        return;
    }
    world_crash(world, leader);
    if (how % 3 == 1)
        (void)world_elect(world);
    world_restart(world, leader);
    tell_room(world, leader, false);
}

/* False: after some change no leader leads, or it answers no read. */
static bool survives(struct world *world, int changes) {
    for (int i = 0; i < changes; i++) {
        change_leader(world, i);
        if (!world_elect(world))
            return false;
        world_run(world, 200 * MS);
        if (!reads_everywhere(world))
            return false;
    }
    return true;
}

static void a_leader_leads_after_every_change_though_all_disks_are_full(void **state) {
    struct world *world = begun(state);
    for (uint64_t id = 1; id <= NODES; id++)
        fill(world, id, 60, true);
    for (int i = 0; i < 15; i++) {
        assert_true(survives(world, 3));
        assert_int_equal(proposed(world, world_leader(world)), CAIRN_NO_SPACE);
    }
    for (uint64_t id = 1; id <= NODES; id++)
        assert_true(world->nodes[id].kept_room > 0);
    goes_on_with_space(world);
    done(world);
}

/* The logs do not know yet that they are full, and commands are placed that no disk takes. */
static bool refusals_are_survived(const char *protocol, enum mutant mutant) {
    struct world *world = begun_with(protocol, mutant);
    for (uint64_t id = 1; id <= NODES; id++)
        fill(world, id, 20, false);
    for (int i = 0; i < 30; i++) {
        (void)proposed(world, world_leader(world));
        world_run(world, 50 * MS);
    }
    bool survived = survives(world, 6);
    if (survived) {
        goes_on_with_space(world);
        assert_null(world->broken);
    }
    world_free(world);
    return survived;
}

static void what_no_disk_took_is_in_no_leaders_way(void **state) {
    assert_true(refusals_are_survived(*state, MUTANT_NONE));
    assert_false(refusals_are_survived(*state, MUTANT_REFUSED_STAYS));
}

static void commands_leave_what_is_kept_back(void **state) {
    assert_false(refusals_are_survived(*state, MUTANT_KEPT_FOR_NOTHING));
}

static void a_leader_with_a_full_disk_hands_over_to_one_with_room(void **state) {
    struct world *world = begun(state);
    uint64_t leader = world_leader(world);
    fill(world, leader, 60, true);
    assert_int_equal(proposed(world, leader), CAIRN_NO_SPACE);
    world_run(world, 1000 * MS);
    uint64_t next = world_leader(world);
    assert_true(next != 0 && next != leader);
    assert_int_equal(proposed(world, next), CAIRN_OK);
    uint64_t index = world->nodes[next].last_outcome.index;
    world_run(world, 200 * MS);
    assert_true(world->nodes[next].applied >= index);
    assert_true(reads_everywhere(world));
    goes_on_with_space(world);
    done(world);
}

static void what_a_majority_has_no_room_for_is_not_placed(void **state) {
    struct world *world = begun(state);
    uint64_t leader = world_leader(world);
    for (uint64_t id = 1; id <= NODES; id++)
        if (id != leader)
            fill(world, id, 60, true);
    world_run(world, 200 * MS);
    assert_int_equal(world_leader(world), leader);
    assert_int_equal(proposed(world, leader), CAIRN_NO_SPACE);
    assert_true(reads_everywhere(world));
    goes_on_with_space(world);
    done(world);
}

static void what_reads_wait_for_is_placed(void **state) {
    struct world *world = begun(state);
    uint64_t leader = world_leader(world);
    tell_room(world, leader, false);
    struct proposal item = {.tag = 1, .command = BYTES("abc"), .needed = true};
    struct event event = {.kind = EVENT_PROPOSE};
    event.propose.items = &item;
    event.propose.count = 1;
    world_step(world, leader, event);
    assert_int_equal(world->nodes[leader].last_outcome.status, CAIRN_OK);
    done(world);
}

/* Its history is the longest, and what is longest in it is on its disk alone. */
static void a_leader_that_has_more_than_a_majority_has_room_for_makes_way(void **state) {
    struct world *world = begun(state);
    uint64_t first = world_leader(world);
    for (uint64_t id = 1; id <= NODES; id++)
        if (id != first)
            fill(world, id, 60, false);
    for (int i = 0; i < 5; i++)
        (void)proposed(world, first);
    uint64_t last = world_status(world, first).durable_index;
    world_run(world, 200 * MS);
    assert_true(world_status(world, first).commit_index < last);
    for (uint64_t id = 1; id <= NODES; id++)
        world_crash(world, id);
    for (uint64_t id = 1; id <= NODES; id++)
        world_restart(world, id);
    for (uint64_t id = 1; id <= NODES; id++)
        if (id != first)
            tell_room(world, id, false);
    bool led = false;
    for (int i = 0; i < 20 && !led; i++) {
        world_run(world, 500 * MS);
        led = world_leader(world) != 0 && reads_everywhere(world);
    }
    assert_true(led);
    goes_on_with_space(world);
    done(world);
}

#define OF_BOTH(story)                              \
    {"raft: " #story, story, NULL, NULL, "raft"}, { \
        "zab: " #story, story, NULL, NULL, "zab"    \
    }

int main(void) {
    const struct CMUnitTest tests[] = {
        OF_BOTH(a_leader_leads_after_every_change_though_all_disks_are_full),
        OF_BOTH(what_no_disk_took_is_in_no_leaders_way),
        OF_BOTH(commands_leave_what_is_kept_back),
        OF_BOTH(a_leader_with_a_full_disk_hands_over_to_one_with_room),
        OF_BOTH(what_a_majority_has_no_room_for_is_not_placed),
        OF_BOTH(what_reads_wait_for_is_placed),
        OF_BOTH(a_leader_that_has_more_than_a_majority_has_room_for_makes_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
