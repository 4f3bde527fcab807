/* Stories at the edges of what the protocols rest on: a log's lost end, a lost hard state, epochs
 * with one author. Each is told with the rule that it needs and, so that the story is known to
 * bite, with that rule broken on purpose. */
#include "base/mutant.h"
#include "replica_world.h"
#include "replica_world_internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static bool is(struct world *world, size_t at, const char *what) {
    char text[256];
    const struct world_message *message = &world->network.items[at];
    return !message->snapshot && world->describe(blob_view(message->frame), text, sizeof text) &&
           strncmp(text, what, strlen(what)) == 0;
}

static void drop_all(struct world *world) {
    while (world->network.count > 0)
        world_drop(world, 0);
}

static void link_between(struct world *world, uint64_t a, uint64_t b, bool up) {
    world->cut[a][b] = world->cut[b][a] = !up;
    if (up)
        world_connect(world, a, b);
    else
        world_disconnect(world, a, b);
}

static void set_mutant(struct world *world, enum mutant mutant) {
    for (unsigned id = 1; id <= world->count; id++)
        world->nodes[id].options.mutant = mutant;
}

static const char *const protocols[] = {"raft", "zab"};

/* ---- a lost end of the log, under a snapshot ---- */

/* Its owner acknowledged entries behind the snapshot; then the log's end is lost from before the
 * snapshot's index on. What it acknowledged may have been committed with its word alone. */
static const char *lost_end(const char *protocol, enum mutant mutant) {
    struct world *world = world_empty_of(protocol, 3, 7);
    set_mutant(world, mutant);
    world_boot(world);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    uint64_t leader = world_leader(world), hurt = leader % 3 + 1, third = hurt % 3 + 1;
    world_isolate(world, third, true);
    world_disconnect(world, third, leader);
    world_disconnect(world, third, hurt);
    for (int i = 0; i < 5; i++)
        world_propose(world, leader, "before the snapshot");
    world_run(world, 100 * MS);
    uint64_t snapshot = world_status(world, hurt).applied_index;
    world_compact(world, hurt, snapshot - 2);
    for (int i = 0; i < 10; i++)
        world_propose(world, leader, "acknowledged");
    world_run(world, 100 * MS);
    assert_int_equal(world_status(world, leader).commit_index,
                     world_status(world, leader).last_index);
    world_crash(world, hurt);
    world_log_cut(&world->nodes[hurt], snapshot - 1);
    world->nodes[hurt].end_lost = snapshot - 1;
    world_isolate(world, hurt, true);
    world_restart(world, hurt);
    world_crash(world, leader);
    world->cut[hurt][third] = world->cut[third][hurt] = false;
    world_connect(world, hurt, third);
    world_run(world, 5000 * MS);
    if (world_leader(world) != 0)
        world_propose(world, world_leader(world), "overwrites");
    world_run(world, 500 * MS);
    world_isolate(world, hurt, false);
    world_isolate(world, third, false);
    world_restart(world, leader);
    for (uint64_t id = 1; id <= 3; id++)
        world_connect(world, id, id % 3 + 1);
    world_run(world, 5000 * MS);
    const char *broken = world->broken;
    if (broken == NULL) /* and with the leader back everything heals */
        assert_true(world_settled(world));
    world_free(world);
    return broken;
}

static void a_lost_end_of_the_log_is_a_loss_also_under_a_snapshot(void **state) {
    for (size_t i = 0; i < 2; i++) {
        assert_null(lost_end(protocols[i], MUTANT_NONE));
        assert_non_null(lost_end(protocols[i], MUTANT_LOST_END_UNDER_SNAPSHOT));
    }
}

/* ---- a lost hard state ---- */

/* The voter of a new leader forgets its vote while the deposed leader still believes in itself. */
static const char *forgotten_vote(uint64_t seed, enum mutant mutant, bool *told) {
    struct world *world = world_empty(3, seed);
    *told = false;
    for (int id = 1; id <= 3; id++) { /* long, so that a restart fits in */
        world->nodes[id].options.election_timeout_min_ns = 1000 * MS;
        world->nodes[id].options.election_timeout_max_ns = 3000 * MS;
    }
    set_mutant(world, mutant);
    world_boot(world);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    uint64_t old = world_leader(world), next = 0;
    world->manual = true;
    uint64_t cut_at = world->now;
    while (world->now < cut_at + 2500 * MS && next == 0) {
        world_run(world, 1 * MS);
        for (size_t i = 0; i < world->network.count;) {
            const struct world_message *message = &world->network.items[i];
            if (message->from == old || message->to == old || is(world, i, "append") ||
                is(world, i, "heartbeat"))
                world_drop(world, i);
            else
                world_deliver_one(world, i);
        }
        for (uint64_t id = 1; id <= 3; id++)
            if (id != old && world_status(world, id).role == ROLE_LEADER)
                next = id;
    }
    drop_all(world);
    uint64_t voter = 6 - old - next;
    if (next == 0 || world_status(world, old).role != ROLE_LEADER) {
        world_free(world);
        return NULL;
    }
    world_isolate(world, next, true);
    world_crash(world, voter);
    world->nodes[voter].hard_lost = true;
    world_run(world, 50 * MS);
    drop_all(world);
    world_restart(world, voter);
    world->manual = false;
    world_deliver(world);
    *told = world_status(world, old).role == ROLE_LEADER;
    world_propose(world, old, "not to be acknowledged");
    world_deliver(world);
    world_read(world, old);
    world_deliver(world);
    world->cut[next][voter] = world->cut[voter][next] = false;
    world->cut[old][voter] = world->cut[voter][old] = true;
    world_connect(world, next, voter);
    world_run(world, 3000 * MS);
    world_propose(world, next, "of the new leader");
    world_run(world, 500 * MS);
    world_isolate(world, old, false);
    world_connect(world, old, next);
    world_connect(world, old, voter);
    world_run(world, 20000 * MS);
    const char *broken = world->broken;
    if (broken == NULL)
        assert_true(world_settled(world));
    world_free(world);
    return broken;
}

static bool breaks(enum mutant mutant) {
    size_t stories = 0;
    bool broken = false;
    for (uint64_t seed = 1; seed < 60 && !broken; seed++) {
        bool told;
        broken = forgotten_vote(seed, mutant, &told) != NULL;
        stories += told;
    }
    assert_true(stories > 0);
    return broken;
}

static void who_forgot_its_vote_acknowledges_no_leader_before_all_terms_are_told(void **state) {
    assert_false(breaks(MUTANT_NONE));
    assert_true(breaks(MUTANT_AMNESIA_ACKNOWLEDGES));
}

/* ---- Zab: an epoch has one author ---- */

static enum role role_of(const struct world *world, uint64_t id) {
    return world_status(world, id).role;
}

static void deliver_without(struct world *world, uint64_t silent) {
    world_run(world, 1 * MS);
    for (size_t i = 0; i < world->network.count;) {
        const struct world_message *message = &world->network.items[i];
        if (message->from == silent || message->to == silent)
            world_drop(world, i);
        else
            world_deliver_one(world, i);
    }
}

/* 3 chooses an epoch that reaches no follower; 2 is elected by 1 and chooses the same number; 1
 * has 2's NEWLEADER, 2 itself forgets it in a crash. Then 2 follows 3. */
static bool epoch_goes_to_two(enum mutant mutant) {
    struct world *world = world_empty_of("zab", 3, 11);
    set_mutant(world, mutant);
    world_boot(world);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    for (int i = 0; i < 3; i++)
        world_propose(world, world_leader(world), "a");
    world_run(world, 300 * MS);
    uint64_t last = world_status(world, 1).last_index;
    world->manual = true;
    link_between(world, 1, 2, false);
    link_between(world, 2, 3, false);
    link_between(world, 1, 3, false);
    world_crash(world, 3);
    world_restart(world, 3);
    link_between(world, 1, 3, true);
    bool chosen = false;
    for (int ms = 0; ms < 2000 && !chosen; ms++) {
        world_run(world, 1 * MS);
        for (size_t i = 0; i < world->network.count && !chosen;) {
            chosen = is(world, i, "newepoch");
            if (!chosen)
                world_deliver_one(world, i);
        }
    }
    assert_true(chosen);
    drop_all(world); /* NEWEPOCH is lost with the connection */
    link_between(world, 1, 3, false);
    link_between(world, 1, 2, true);
    bool took = false;
    for (int ms = 0; ms < 440 && !took; ms++) {
        world_run(world, 1 * MS);
        for (size_t i = 0; i < world->network.count && !took;) {
            const struct world_message *message = &world->network.items[i];
            if (message->to == 3 || message->from == 3) {
                world_drop(world, i);
                continue;
            }
            if (is(world, i, "ack-epoch"))
                world->nodes[2].hold_disk = true; /* its own NEWLEADER will not be durable */
            took = message->from == 1 && is(world, i, "ack ") &&
                   world_status(world, 1).last_index > last;
            if (!took)
                world_deliver_one(world, i);
        }
    }
    assert_true(took);
    drop_all(world);
    link_between(world, 1, 2, false);
    world_crash(world, 2);
    world->nodes[2].hold_disk = false;
    world_run(world, 20 * MS);
    drop_all(world);
    world_restart(world, 2);
    link_between(world, 2, 3, true);
    for (int ms = 0; ms < 400 && role_of(world, 3) != ROLE_LEADER; ms++)
        deliver_without(world, 1);
    if (role_of(world, 3) == ROLE_LEADER)
        for (int i = 0; i < 2; i++)
            world_propose(world, 3, "x");
    for (int ms = 0; ms < 20; ms++)
        deliver_without(world, 1);
    world->manual = false;
    link_between(world, 1, 3, true);
    link_between(world, 1, 2, true);
    world_run(world, 7000 * MS);
    assert_null(world->broken);
    bool settled = world_settled(world);
    world_crash(world, 3);
    world_run(world, 10000 * MS);
    settled = settled && world_leader(world) != 0; /* one crash does not end the group */
    world_free(world);
    return !settled;
}

static void zab_an_epoch_has_one_author(void **state) {
    assert_false(epoch_goes_to_two(MUTANT_NONE));
    assert_true(epoch_goes_to_two(MUTANT_ZAB_EPOCH_TWO_AUTHORS));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_end_of_the_log_is_a_loss_also_under_a_snapshot),
        cmocka_unit_test(who_forgot_its_vote_acknowledges_no_leader_before_all_terms_are_told),
        cmocka_unit_test(zab_an_epoch_has_one_author),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
