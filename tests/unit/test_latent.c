/* Damage of the log that shows while a replica runs: what is applied is not lost, and what is not
 * comes back from a leader. */
#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static const char *const protocols[] = {"raft", "zab"};

/* Three replicas that keep next to nothing of their logs in memory. */
static struct world *three(const char *protocol) {
    struct world *world = world_empty_of(protocol, 3, 1);
    for (uint64_t id = 1; id <= 3; id++) {
        world->nodes[id].options.window_bytes_max = 1;
        world->nodes[id].options.append_bytes_max = 100;
        world->nodes[id].options.apply_bytes_max = 100;
    }
    world_boot(world);
    assert_true(world_elect(world));
    return world;
}

static void write(struct world *world, int count) {
    for (int i = 0; i < count; i++) {
        world_propose(world, world_leader(world), "abc");
        world_run(world, 20 * MS);
    }
    world_run(world, 100 * MS);
}

static void done(struct world *world) {
    assert_null(world->broken);
    world_free(world);
}

static struct world *with_one_that_lags(const char *protocol, uint64_t *leader, uint64_t *lagging) {
    struct world *world = three(protocol);
    write(world, 10);
    *leader = world_leader(world);
    *lagging = *leader % 3 + 1;
    world_isolate(world, *lagging, true);
    write(world, 30);
    assert_int_equal(world_leader(world), *leader);
    return world;
}

static void a_leader_whose_applied_entry_is_damaged_gives_a_snapshot_instead(void **state) {
    for (int i = 0; i < 2; i++) {
        uint64_t leader, lagging;
        struct world *world = with_one_that_lags(protocols[i], &leader, &lagging);
        world_damage(world, leader, 20);
        world_isolate(world, lagging, false);
        world_run(world, 1000 * MS);
        assert_true(world_settled(world));
        assert_int_equal(world_leader(world), leader);
        assert_true(world->nodes[leader].up && world->nodes[leader].base.index >= 20);
        assert_true(world_status(world, leader).first_index > 20);
        assert_int_equal(world_status(world, leader).unreadable, 0);
        assert_true(world_status(world, lagging).first_index > 20);
        done(world);
    }
}

/* A snapshot below the damage would bring the peer to where the log can't be read: again and again.
 */
static void until_its_snapshot_is_durable_a_damaged_entry_counts_as_trimmed(void **state) {
    for (int i = 0; i < 2; i++) {
        uint64_t leader, lagging;
        struct world *world = with_one_that_lags(protocols[i], &leader, &lagging);
        world_compact(world, leader, 1);
        uint64_t below = world->nodes[leader].base.index;
        write(world, 10);
        world->nodes[leader].by_hand = true;
        world_damage(world, leader, below + 5);
        world_isolate(world, lagging, false);
        world_run(world, 500 * MS);
        assert_int_equal(world_leader(world), leader);
        assert_int_equal(world_status(world, leader).unreadable, below + 5);
        assert_true(world->nodes[lagging].applied < below + 5);
        world_compact(world, leader, 1);
        assert_int_equal(world_status(world, leader).unreadable, 0);
        assert_int_equal(world_status(world, leader).first_index,
                         world->nodes[leader].base.index + 1);
        world_run(world, 1000 * MS);
        assert_true(world_settled(world));
        done(world);
    }
}

static void a_log_that_is_kept_behind_a_snapshot_is_trimmed_at_once(void **state) {
    for (int i = 0; i < 2; i++) {
        uint64_t leader, lagging;
        struct world *world = with_one_that_lags(protocols[i], &leader, &lagging);
        world_compact(world, leader, 1);
        world->nodes[leader].by_hand = true;
        world_damage(world, leader, 20);
        world_isolate(world, lagging, false);
        world_run(world, 1000 * MS);
        assert_int_equal(world_status(world, leader).first_index,
                         world->nodes[leader].base.index + 1);
        assert_true(world_settled(world));
        done(world);
    }
}

static void tell(struct world *world, uint64_t id, uint64_t first, uint64_t last) {
    struct event event = {.kind = EVENT_UNREADABLE};
    event.unreadable.first = first;
    event.unreadable.last = last;
    world_step(world, id, event);
}

static void a_follower_is_told_of_damage_and_needs_nothing_from_others(void **state) {
    for (int i = 0; i < 2; i++) {
        struct world *world = three(protocols[i]);
        write(world, 20);
        uint64_t leader = world_leader(world), hurt = leader % 3 + 1;
        world_isolate(world, hurt, true);
        tell(world, hurt, 5, 7);
        assert_int_equal(world_status(world, hurt).unreadable, 7);
        assert_false(world_status(world, hurt).damaged);
        world_compact(world, hurt, 1);
        assert_int_equal(world_status(world, hurt).unreadable, 0);
        assert_int_equal(world_status(world, hurt).first_index, world->nodes[hurt].base.index + 1);
        world_isolate(world, hurt, false);
        write(world, 3);
        world_run(world, 500 * MS);
        assert_true(world_settled(world));
        done(world);
    }
}

/* All stop with a long log, of which a restart keeps little in memory and has applied nothing. */
static struct world *with_nothing_applied(const char *protocol, uint64_t hurt, uint64_t index) {
    struct world *world = three(protocol);
    write(world, 40);
    assert_true(world_settled(world));
    for (uint64_t id = 1; id <= 3; id++)
        world_crash(world, id);
    for (uint64_t id = 1; id <= 3; id++)
        world_restart(world, id);
    world_damage(world, hurt, index);
    return world;
}

static void what_was_not_applied_yet_comes_back_from_a_leader(void **state) {
    for (int i = 0; i < 2; i++)
        for (uint64_t hurt = 1; hurt <= 3; hurt++) { /* in whichever role it is */
            struct world *world = with_nothing_applied(protocols[i], hurt, 12);
            world_run(world, 3000 * MS);
            assert_true(world_settled(world));
            assert_true(world->committed >= 41);
            for (uint64_t id = 1; id <= 3; id++)
                assert_false(world_status(world, id).damaged);
            assert_false(world->nodes[hurt].rotten);
            write(world, 2);
            assert_true(world_settled(world));
            done(world);
        }
}

/* It has the newest log, and the other that runs can't lead with its own: a restart asks peers for
 * single entries. */
static void without_a_leader_to_come_it_ends(void **state) {
    struct world *world = three("raft");
    write(world, 40);
    uint64_t alone = world_leader(world), behind = alone % 3 + 1, third = behind % 3 + 1;
    world_isolate(world, behind, true);
    write(world, 5);
    world_crash(world, alone);
    world_crash(world, third);
    world_restart(world, alone);
    world_damage(world, alone, world->committed - 2);
    world_isolate(world, behind, false);
    world_run(world, 500 * MS);
    assert_int_equal(world_leader(world), 0);
    assert_true(world_status(world, alone).damaged);
    world_run(world, 20000 * MS);
    assert_false(world->nodes[alone].up);
    world_restart(world, alone);
    world_run(world, 3000 * MS);
    world_restart(world, third);
    world_run(world, 3000 * MS);
    assert_true(world_settled(world));
    done(world);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leader_whose_applied_entry_is_damaged_gives_a_snapshot_instead),
        cmocka_unit_test(until_its_snapshot_is_durable_a_damaged_entry_counts_as_trimmed),
        cmocka_unit_test(a_log_that_is_kept_behind_a_snapshot_is_trimmed_at_once),
        cmocka_unit_test(a_follower_is_told_of_damage_and_needs_nothing_from_others),
        cmocka_unit_test(what_was_not_applied_yet_comes_back_from_a_leader),
        cmocka_unit_test(without_a_leader_to_come_it_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
