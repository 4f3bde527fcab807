/* Stories at the edges of what the protocols rest on: a log's lost end, a lost hard state, epochs
 * with one author. Each is told with the rule that it needs and, so that the story is known to
 * bite, with that rule broken on purpose. */
#include "base/mutant.h"
#include "core/lease.h"
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
 * snapshot's index on, and perhaps the hard state too, once the log was cut there and the hard
 * state alone said that something is missing. What it acknowledged may have been committed with its
 * word alone. */
static const char *lost_end(const char *protocol, enum mutant mutant, bool hard_too) {
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
    if (hard_too) {
        world_run(world, 100 * MS);
        world_crash(world, hurt);
        world->nodes[hurt].end_lost = 0;
        world->nodes[hurt].hard_lost = true;
        world_restart(world, hurt);
        for (uint64_t id = 1; id <= 3; id++) /* all tell their terms */
            if (id != hurt) {
                world->cut[hurt][id] = world->cut[id][hurt] = false;
                world_connect(world, hurt, id);
            }
        world_run(world, 30 * MS);
        world_isolate(world, hurt, true);
    }
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
        assert_null(lost_end(protocols[i], MUTANT_NONE, false));
        assert_null(lost_end(protocols[i], MUTANT_NONE, true));
        assert_non_null(lost_end(protocols[i], MUTANT_LOST_END_UNDER_SNAPSHOT, false));
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

/* A new leader's entries do not follow the log of a follower that lacks some, and are the first
 * that it hears of the term. What its refusal tells (the term, and the promise that the leader's
 * lease counts) must be on its disk. */
static bool a_refusal_leaves_early(enum mutant mutant) {
    struct world *world = world_empty(3, 3);
    for (uint64_t id = 1; id <= 3; id++)
        world->nodes[id].options.mutant = mutant;
    world_boot(world);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), one = leader % 3 + 1;
    world_isolate(world, one, true);
    world_propose(world, leader, "a");
    world_run(world, 100 * MS);
    world_crash(world, leader);
    world_restart(world, leader);
    world_isolate(world, one, false);
    world->nodes[one].hold_disk = true;
    world->manual = true;
    bool refused = false, early = false;
    for (int ms = 0; ms < 1000 && !refused; ms++) {
        world_run(world, 1 * MS);
        while (world->network.count > 0 && !refused) {
            const struct world_message *message = &world->network.items[0];
            refused = message->to == one && is(world, 0, "append ");
            if (message->to == one && !refused)
                world_drop(world, 0);
            else
                world_deliver_one(world, 0);
        }
    }
    assert_true(refused);
    for (size_t i = 0; i < world->network.count; i++)
        early |= world->network.items[i].from == one && is(world, i, "append-answer");
    world_free(world);
    return early;
}

static void what_a_refusal_of_entries_tells_is_on_the_disk(void **state) {
    assert_false(a_refusal_leaves_early(MUTANT_NONE));
    assert_true(a_refusal_leaves_early(MUTANT_TERM_TOLD_EARLY));
}

static void zab_an_epoch_has_one_author(void **state) {
    assert_false(epoch_goes_to_two(MUTANT_NONE));
    assert_true(epoch_goes_to_two(MUTANT_ZAB_EPOCH_TWO_AUTHORS));
}

/* ---- leases: the promise that was made, not the one that a setting names ---- */

struct lease_case {
    uint64_t leader_ms;   /* the leader's shortest election timeout */
    uint64_t follower_ms; /* the followers' */
    bool follower_leases; /* their own setting of lease_reads */
    bool restart;         /* the followers forget what is only in memory */
};

static void follower_options(struct world *world, uint64_t id, const struct lease_case *c) {
    struct replica_options *options = &world->nodes[id].options;
    uint64_t least = id == 1 ? c->leader_ms : c->follower_ms;
    options->election_timeout_min_ns = least * MS;
    options->election_timeout_max_ns = 2 * least * MS;
    options->lease_reads = id == 1 || c->follower_leases;
}

static bool made_leader(struct world *world) {
    if (!world_elect(world))
        return false;
    world_run(world, 2000 * MS);
    if (world_leader(world) != 1) {
        world_transfer(world, world_leader(world), 1);
        world_run(world, 3000 * MS);
    }
    world_propose(world, 1, "old value");
    world_run(world, 500 * MS);
    return world_leader(world) == 1 && world_status(world, 1).lease_left_ns > 0;
}

/* 1 leads with a lease and is cut off; the others see their connections to it end. Whatever a new
 * leader commits while the lease runs, a read at 1 must not miss. */
static const char *cut_off_leader(const char *protocol, uint64_t seed, const struct lease_case *c,
                                  enum mutant mutant, bool *told) {
    struct world *world = world_empty_of(protocol, 3, seed);
    for (uint64_t id = 1; id <= 3; id++)
        follower_options(world, id, c);
    set_mutant(world, mutant);
    world_boot(world);
    const char *broken = NULL;
    *told = made_leader(world);
    if (*told) {
        world_isolate(world, 1, true);
        for (uint64_t id = 2; id <= 3; id++) {
            if (c->restart) {
                world_crash(world, id);
                world_restart(world, id);
            }
            world_step(world, id, (struct event){.kind = EVENT_PEER_DOWN, .peer = {.id = 1}});
        }
        world_connect(world, 2, 3);
        for (int ms = 0; ms < 3000 && world->broken == NULL; ms++) {
            world_run(world, 1 * MS);
            for (uint64_t id = 2; id <= 3; id++)
                if (role_of(world, id) == ROLE_LEADER)
                    world_propose(world, id, "new value");
            world_deliver(world);
            if (world_status(world, 1).lease_left_ns > 0)
                world_read(world, 1);
        }
        broken = world->broken;
        assert_int_not_equal(world_leader(world), 0);
    }
    world_free(world);
    return broken;
}

static bool stale_read(const char *protocol, const struct lease_case *c, enum mutant mutant) {
    bool broken = false;
    int stories = 0;
    for (uint64_t seed = 1; seed < 12 && !broken; seed++) {
        bool told;
        broken = cut_off_leader(protocol, seed, c, mutant, &told) != NULL;
        stories += told;
    }
    assert_true(stories > 0);
    return broken;
}

static void leases_do_not_trust_that_all_have_the_same_settings(void **state) {
    const struct lease_case cases[] = {
        {1000, 150, true, false}, /* one node's timeouts are longer */
        {150, 150, false, false}, /* leases were turned off at the others */
        {1000, 150, true, true},  /* and after a restart the promise holds */
        {150, 1000, true, false}, {150, 150, true, true},
    };
    for (size_t i = 0; i < 2; i++)
        for (size_t at = 0; at < sizeof cases / sizeof *cases; at++)
            assert_false(stale_read(protocols[i], &cases[at], MUTANT_NONE));
    for (size_t i = 0; i < 2; i++)
        for (size_t at = 0; at < 2; at++)
            assert_true(stale_read(protocols[i], &cases[at], MUTANT_LEASE_OWN_LENGTH));
    assert_true(stale_read("raft", &cases[0], MUTANT_LEASE_IGNORED_BY_VOTER));
    assert_true(stale_read("zab", &cases[0], MUTANT_ZAB_PROMISE_IGNORED));
}

/* How long the others have no leader, once one is gone that asked for ten seconds. */
static uint64_t without_leader_ms(const char *protocol, enum mutant mutant) {
    const struct lease_case c = {10000, 150, true, false};
    struct world *world = world_empty_of(protocol, 3, 1);
    for (uint64_t id = 1; id <= 3; id++)
        follower_options(world, id, &c);
    set_mutant(world, mutant);
    world_boot(world);
    assert_true(made_leader(world));
    world_crash(world, 1);
    uint64_t ms = 0;
    for (uint64_t leader = 0; leader == 0 && ms < 9000; ms++) {
        world_run(world, 1 * MS);
        for (uint64_t id = 2; id <= 3; id++)
            if (role_of(world, id) == ROLE_LEADER)
                leader = id;
    }
    world_free(world);
    return ms;
}

static void no_leader_is_promised_more_than_a_replica_would_wait_for_one(void **state) {
    for (size_t i = 0; i < 2; i++) {
        assert_true(without_leader_ms(protocols[i], MUTANT_NONE) < 1000);
        assert_true(without_leader_ms(protocols[i], MUTANT_PROMISE_WITHOUT_LIMIT) > 8000);
    }
}

/* A follower of an older version promises what its own settings say, and does not tell: the leader
 * asks for rounds. */
static void what_is_not_told_counts_for_no_lease(void **state) {
    struct lease_promise promise;
    lease_promise_start(&promise, 0, 100);
    assert_int_equal(lease_promise_end(&promise), 0);
    assert_true(lease_ask(&promise, 50, 60, 100)); /* durable before the answer leaves */
    lease_renew(&promise, 100);
    assert_int_equal(lease_promise_end(&promise), 150);
    assert_false(lease_ask(&promise, 20, 60, 110)); /* a life that begins now must still keep 150 */
    lease_renew(&promise, 110);
    assert_int_equal(lease_promise_end(&promise), 150);
    assert_true(lease_ask(&promise, 90, 20, 131));
    assert_int_equal(promise.length_ns, 20);
    assert_int_equal(lease_until(100, 0, 0), 0);
    assert_int_equal(lease_until(100, 1000000000, 100000), 100 + 818100000);
}

/* ---- replicated time comes from a majority's clocks ---- */

#define DAY_MS 86400000

static uint64_t time_at(const struct world *world, uint64_t id) {
    const struct world_node *node = &world->nodes[id];
    return world->protocol->time_ms(node->replica, world->now, world_wall_of(world, node));
}

/* By how much replicated time moved beyond what passed, ms. */
static int64_t leap(const char *protocol, enum mutant mutant, bool all_restart, int64_t off_ms) {
    struct world *world = world_empty_of(protocol, 3, 5);
    set_mutant(world, mutant);
    world_boot(world);
    assert_true(world_elect(world));
    world_run(world, 1000 * MS);
    uint64_t leader = world_leader(world), wrong = leader % 3 + 1;
    world_propose(world, leader, "a");
    world_run(world, 500 * MS);
    uint64_t before = time_at(world, leader), at = world->now;
    world->nodes[wrong].wall_off_ms = off_ms;
    for (uint64_t id = 1; id <= 3; id++)
        if (id == wrong || all_restart)
            world_crash(world, id);
    world_run(world, 50 * MS);
    for (uint64_t id = 1; id <= 3; id++)
        if (!world->nodes[id].up)
            world_restart(world, id);
    assert_true(world_elect(world));
    world_run(world, 5000 * MS); /* heartbeats, and no write */
    if (world_leader(world) != wrong)
        world_transfer(world, world_leader(world), wrong);
    world_run(world, 2000 * MS);
    assert_int_equal(world_leader(world), wrong);
    world_propose(world, wrong, "b");
    world_run(world, 500 * MS);
    int64_t moved = (int64_t)(time_at(world, wrong) - before) - (int64_t)((world->now - at) / MS);
    assert_null(world->broken);
    world_free(world);
    return moved;
}

static void one_wrong_wall_clock_moves_no_time_whoever_leads(void **state) {
    for (size_t i = 0; i < 2; i++)
        for (int all = 0; all < 2; all++)
            for (int64_t off = -DAY_MS; off <= DAY_MS; off += 2 * DAY_MS)
                assert_in_range(leap(protocols[i], MUTANT_NONE, all, off) + 1000, 0, 2000);
    assert_true(leap("raft", MUTANT_TIME_OF_ONE_CLOCK, true, DAY_MS) > DAY_MS / 2);
}

/* One voter is away, unless all are there, the clocks of `back` go back by a day, and all were down
 * for a minute. How far is replicated time behind the right clock afterwards, and how much more is
 * that in the next 20 s? ms */
static int64_t held_up(const char *protocol, const char *back, bool all_there, int64_t *more) {
    struct world *world = world_empty_of(protocol, 3, 7);
    world_boot(world);
    assert_true(world_elect(world));
    world_propose(world, world_leader(world), "a");
    world_run(world, 500 * MS);
    for (uint64_t id = 1; id <= 3; id++)
        world_crash(world, id);
    world_run(world, 60000 * MS);
    for (const char *id = back; *id; id++)
        world->nodes[*id - '0'].wall_off_ms = -DAY_MS;
    for (uint64_t id = 1; id <= (all_there ? 3 : 2); id++)
        world_restart(world, id);
    assert_true(world_elect(world));
    world_run(world, 5000 * MS);
    world_propose(world, world_leader(world), "b");
    world_run(world, 500 * MS);
    int64_t behind[2];
    for (int i = 0; i < 2; i++) {
        uint64_t right = world_wall_of(world, &world->nodes[3]);
        behind[i] = (int64_t)(right - time_at(world, world_leader(world)));
        world_run(world, 20000 * MS);
    }
    *more = behind[1] - behind[0];
    assert_null(world->broken);
    world_free(world);
    return behind[0];
}

/* But a majority's clocks are right by definition, although they were put back: time goes slowly
 * until they have caught up. */
static void a_clock_that_went_back_holds_no_time_up(void **state) {
    const char *const backs[] = {"", "1", "2"};
    int64_t more;
    for (size_t i = 0; i < 2; i++) {
        for (size_t at = 0; at < 3; at++) {
            assert_in_range(held_up(protocols[i], backs[at], false, &more) + 1000, 0, 2000);
            assert_in_range(more + 100, 0, 200);
        }
        held_up(protocols[i], "12", true, &more);
        assert_in_range(more, 1500, 2500);
    }
}

/* ---- a founder whose disk is lost before an entry bound its folder ---- */

static void meet_others(struct world *world, uint64_t id, uint64_t who, uint64_t folder) {
    struct folders met = {0};
    for (uint64_t other = 1; other <= 3; other++)
        if (other != id)
            folders_put(&met, other, other == who ? folder : 100 * other);
    struct event event = {.kind = EVENT_FOUNDERS};
    event.founders.met = &met;
    world_step(world, id, event);
}

/* 2 helps 1 to commit what 3 does not hear of, and loses its disk; 3 meets it alone. By the rules
 * of node/founding.c 2 is told that it is known by another folder, and founds nothing. */
static const char *founder_again(const char *protocol, enum mutant mutant) {
    struct world *world = world_empty_of(protocol, 3, 11);
    set_mutant(world, mutant);
    world_isolate(world, 3, true);
    world_boot(world);
    for (uint64_t id = 1; id <= 3; id++)
        meet_others(world, id, 0, 0);
    world_connect(world, 1, 2);
    assert_true(world_elect(world));
    world_propose(world, world_leader(world), "acknowledged");
    world_run(world, 100 * MS);
    world_crash(world, 1);
    world_crash(world, 2);
    world_wipe(world, 2);
    if (mutant == MUTANT_FOUNDER_BY_ID)
        world->nodes[2].options.bootstrap = world_config("123", "");
    world->cut[2][3] = world->cut[3][2] = false;
    world_restart(world, 2);
    world_connect(world, 2, 3);
    world_run(world, 3000 * MS);
    if (world_leader(world) != 0)
        world_propose(world, world_leader(world), "of a second cluster");
    world_run(world, 500 * MS);
    world_isolate(world, 3, false);
    world_restart(world, 1);
    meet_others(world, 1, 0, 0);
    for (uint64_t id = 1; id <= 3; id++)
        world_connect(world, id, id % 3 + 1);
    world_run(world, 5000 * MS);
    const char *broken = world->broken;
    if (broken == NULL) {
        struct config config = world_status(world, world_leader(world)).config;
        assert_true(world_settled(world));
        assert_int_equal(config_member(&config, 2)->incarnation,
                         world->nodes[2].options.incarnation);
        assert_true(config_member(&config, 2)->voter); /* it was let in, and caught up */
    }
    world_free(world);
    return broken;
}

static void a_founder_that_lost_its_disk_founds_nothing_and_is_let_in(void **state) {
    for (size_t i = 0; i < 2; i++) {
        assert_null(founder_again(protocols[i], MUTANT_NONE));
        assert_non_null(founder_again(protocols[i], MUTANT_FOUNDER_BY_ID));
    }
}

/* 1 and 3 met 2 with another folder than the one that it comes with, on which nothing is. */
static bool commits_with_the_wrong_folder(const char *protocol, enum mutant mutant) {
    struct world *world = world_empty_of(protocol, 3, 12);
    set_mutant(world, mutant);
    world->nodes[2].options.bootstrap.count = 0;
    world_isolate(world, 2, true);
    world_boot(world);
    for (uint64_t id = 1; id <= 3; id += 2)
        meet_others(world, id, 2, 199);
    world_connect(world, 1, 3);
    assert_true(world_elect(world));
    uint64_t leader = world_leader(world), other = 4 - leader;
    uint64_t before = world_status(world, leader).commit_index;
    world_isolate(world, other, true);
    world->cut[2][leader] = world->cut[leader][2] = false;
    world_connect(world, 2, leader);
    world_propose(world, leader, "on one founder's disk");
    world_run(world, 100 * MS);
    bool commits = world_status(world, leader).commit_index > before;
    world_free(world);
    return commits;
}

static void what_a_founder_says_under_another_folder_counts_for_nothing(void **state) {
    for (size_t i = 0; i < 2; i++) {
        assert_false(commits_with_the_wrong_folder(protocols[i], MUTANT_NONE));
        assert_true(commits_with_the_wrong_folder(protocols[i], MUTANT_FOUNDER_BY_ID));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_end_of_the_log_is_a_loss_also_under_a_snapshot),
        cmocka_unit_test(who_forgot_its_vote_acknowledges_no_leader_before_all_terms_are_told),
        cmocka_unit_test(what_a_refusal_of_entries_tells_is_on_the_disk),
        cmocka_unit_test(zab_an_epoch_has_one_author),
        cmocka_unit_test(leases_do_not_trust_that_all_have_the_same_settings),
        cmocka_unit_test(no_leader_is_promised_more_than_a_replica_would_wait_for_one),
        cmocka_unit_test(what_is_not_told_counts_for_no_lease),
        cmocka_unit_test(one_wrong_wall_clock_moves_no_time_whoever_leads),
        cmocka_unit_test(a_clock_that_went_back_holds_no_time_up),
        cmocka_unit_test(a_founder_that_lost_its_disk_founds_nothing_and_is_let_in),
        cmocka_unit_test(what_a_founder_says_under_another_folder_counts_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
