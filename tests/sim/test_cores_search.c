/* All schedules of a small group: they hold, a rule that is broken on purpose is found, and what
 * the search rests on: states that it calls one go on alike, and a state put together from those of
 * single replicas is that of the whole. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/alloc.h"
#include "base/prng.h"
#include "cores/cores_search.h"
#include "cores/cores_states.h"
#include "cores/cores_whole.h"
#include "protocol/raft/raft.h"
#include "protocol/zab/zab.h"
#include "slice.h"

#include <string.h>

static void search(struct cores_search *search, const struct protocol *protocol, enum mutant mutant,
                   struct cores_bounds bounds) {
    *search = (struct cores_search){.protocol = protocol, .mutant = mutant, .bounds = bounds};
    cores_search(search);
}

static void all_schedules_hold(const struct protocol *protocol, struct cores_bounds bounds) {
    struct cores_search one;
    search(&one, protocol, MUTANT_NONE, bounds);
    if (one.result.broken != NULL)
        fail_msg("%s: %s: %s", protocol->name, one.result.broken, one.result.detail);
    assert_true(one.complete && one.states > 100 && one.depth > 20);
    print_message("%s: %llu states, depth %zu\n", protocol->name, (unsigned long long)one.states,
                  one.depth);
    cores_moves_free(&one.moves);
}

static void all_schedules_of_a_small_configuration_hold(void **state) {
    const struct cores_bounds two = {.replicas = 3, .elections = 2, .entries = 1, .ticks = 2};
    const struct cores_bounds loss = {
        .replicas = 3, .elections = 1, .entries = 1, .lost = 1, .ticks = 1};
    const struct cores_bounds crash = {
        .replicas = 3, .elections = 1, .entries = 1, .crashes = 1, .ticks = 1};
    all_schedules_hold(&protocol_raft, two);
    all_schedules_hold(&protocol_raft, loss);
    all_schedules_hold(&protocol_raft, crash);
    all_schedules_hold(&protocol_zab, two);
    all_schedules_hold(&protocol_zab, loss);
}

static void a_search_finds_a_broken_rule_and_tells_the_moves(void **state) {
    static const struct {
        const struct protocol *protocol;
        enum mutant mutant;
        struct cores_bounds bounds;
    } cases[] = {
        {&protocol_raft,
         MUTANT_VOTE_TWICE,
         {.replicas = 3, .elections = 1, .ticks = 2, .overtaking = 1}},
        {&protocol_raft, MUTANT_ACK_BEFORE_SYNC, {.replicas = 3, .elections = 1, .ticks = 1}},
        {&protocol_raft,
         MUTANT_VOTE_STALE_LOG,
         {.replicas = 3, .elections = 2, .entries = 1, .lost = 1, .crashes = 1, .ticks = 2}},
        {&protocol_zab,
         MUTANT_ZAB_PROPOSE_BEFORE_NEWLEADER,
         {.replicas = 3, .elections = 1, .ticks = 1}},
        {&protocol_zab, MUTANT_ZAB_COMMIT_MINORITY, {.replicas = 3, .elections = 1, .ticks = 1}}};
    struct cores_world *world = cores_world_new();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct cores_search one;
        struct cores_result result;
        search(&one, cases[i].protocol, cases[i].mutant, cases[i].bounds);
        if (one.result.broken == NULL)
            fail_msg("%s is not found", mutant_name(cases[i].mutant));
        assert_true(cores_replay(world, &one.setup, &one.moves, NULL, &result));
        assert_string_equal(result.broken, one.result.broken);
        print_message("%-4s %-28s after %llu states: %s\n", cases[i].protocol->name,
                      mutant_name(cases[i].mutant), (unsigned long long)one.states,
                      one.result.broken);
        cores_moves_free(&one.moves);
    }
    cores_world_free(world);
}

/* ---- states that are called one ---- */

#define MET_MAX 65536u /* a power of two */
#define PAIRS 600
#define STEPS 45

struct met {
    uint64_t fingerprint; /* 0: free */
    struct cores_moves moves;
};

static struct cores_setup setup_of(const struct protocol *protocol, enum mutant mutant) {
    struct cores_setup setup = {
        .protocol = protocol, .mutant = mutant, .seed = 1, .voters = 3, .own_time = true};
    for (unsigned id = 1; id < CORES_IDS; id++)
        setup.election_ms[id] = 150;
    return setup;
}

static void add(struct cores_moves *moves, unsigned kind, unsigned a, unsigned b) {
    cores_moves_add(moves, (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, 0});
}

/* Everything that a search may do there, and some that can't be done. */
static void moves_of(const struct cores_world *world, struct cores_moves *moves) {
    moves->count = 0;
    for (uint64_t filled = world->filled; filled != 0; filled &= filled - 1) {
        unsigned way = (unsigned)__builtin_ctzll(filled);
        add(moves, CORES_DELIVER, way / 8, way % 8);
        add(moves, CORES_DROP, way / 8, way % 8);
    }
    for (unsigned id = 1; id <= world->count; id++) {
        add(moves, CORES_DISK, id, 1);
        add(moves, CORES_TICK, id, 0);
        add(moves, CORES_PROPOSE, id, 0);
        add(moves, CORES_READ, id, 0);
        add(moves, CORES_START, id, 0);
        add(moves, CORES_CRASH, id, 0);
    }
}

/* Mostly messages and writes, so that something comes of the rest. */
static struct cores_move some_move(const struct cores_moves *moves, struct prng *prng) {
    for (;;) {
        struct cores_move move = moves->items[prng_below(prng, moves->count)];
        bool rare =
            move.kind != CORES_DELIVER && move.kind != CORES_DISK && move.kind != CORES_START;
        if (!rare || prng_chance(prng, 1, move.kind == CORES_CRASH ? 20 : 8))
            return move;
    }
}

/* After the moves and one more. */
static uint64_t after(struct cores_world *world, const struct cores_setup *setup,
                      const struct cores_moves *moves, struct cores_move more, bool *can) {
    cores_world_begin(world, setup);
    for (size_t i = 0; i < moves->count; i++)
        cores_do(world, moves->items[i]);
    *can = cores_do(world, more);
    return prng_mix(cores_fingerprint(world), world->broken != NULL);
}

static void expect_alike(struct cores_world *world, const struct cores_setup *setup,
                         const struct cores_moves *one, const struct cores_moves *other,
                         const struct cores_moves *next) {
    for (size_t i = 0; i < next->count; i++) {
        bool can_one, can_other;
        uint64_t first = after(world, setup, one, next->items[i], &can_one);
        uint64_t second = after(world, setup, other, next->items[i], &can_other);
        if (first == second && can_one == can_other)
            continue;
        struct buf text = {0};
        cores_text_write(world, setup, one, &text);
        buf_printf(&text, "\n---- and ----\n\n");
        cores_text_write(world, setup, other, &text);
        buf_printf(&text, "\n---- differ after ");
        cores_move_print(next->items[i], &text);
        buf_u8(&text, 0);
        print_error("%s\n", (const char *)text.data);
        fail_msg("two states that are called one do not go on alike");
    }
}

static struct met *met_at(struct met *table, uint64_t fingerprint) {
    size_t at = fingerprint & (MET_MAX - 1);
    while (table[at].fingerprint != 0 && table[at].fingerprint != fingerprint)
        at = (at + 1) & (MET_MAX - 1);
    return &table[at];
}

static bool same_moves(const struct cores_moves *one, const struct cores_moves *other) {
    return one->count == other->count &&
           memcmp(one->items, other->items, one->count * sizeof *one->items) == 0;
}

static void equal_states_go_on_alike(const struct protocol *protocol) {
    struct cores_setup setup = setup_of(protocol, MUTANT_NONE);
    struct met *table = cairn_alloc_zero(MET_MAX * sizeof *table);
    struct cores_world *world = cores_world_new(), *again = cores_world_new();
    struct cores_moves moves = {0}, next = {0};
    unsigned pairs = 0;
    uint64_t count = 0;
    for (uint64_t seed = 1; pairs < slice_of(PAIRS, PAIRS / 20) && count < MET_MAX / 2; seed++) {
        struct prng prng;
        prng_seed(&prng, seed);
        cores_world_begin(world, &setup);
        moves.count = 0;
        for (unsigned step = 0; step < STEPS; step++) {
            moves_of(world, &next);
            cores_moves_add(&moves, some_move(&next, &prng));
            cores_do(world, moves.items[moves.count - 1]);
            uint64_t fingerprint = cores_fingerprint(world);
            struct met *met = met_at(table, fingerprint);
            if (met->fingerprint == 0) {
                met->fingerprint = fingerprint;
                for (size_t i = 0; i < moves.count; i++)
                    cores_moves_add(&met->moves, moves.items[i]);
                count++;
            } else if (!same_moves(&met->moves, &moves) && prng_chance(&prng, step, STEPS)) {
                moves_of(world, &next);
                expect_alike(again, &setup, &met->moves, &moves, &next);
                pairs++;
            }
        }
    }
    print_message("%s: %u pairs of ways to one state\n", protocol->name, pairs);
    for (size_t i = 0; i < MET_MAX; i++)
        cores_moves_free(&table[i].moves);
    cairn_free(table);
    cores_moves_free(&moves);
    cores_moves_free(&next);
    cores_world_free(world);
    cores_world_free(again);
}

static void states_that_are_called_one_go_on_alike(void **state) {
    equal_states_go_on_alike(&protocol_raft);
    equal_states_go_on_alike(&protocol_zab);
}

/* ---- the whole and its parts ---- */

/* What the replica whose turn it is may do: a message is taken, or the turn passes on, or it does
 * something of itself. */
static bool choose(const struct cores_group *group, const struct cores_whole *whole,
                   struct prng *prng, struct cores_move *move) {
    const struct cores_local *local = cores_whole_local(group, whole, whole->turn);
    static const uint8_t own[] = {CORES_TICK, CORES_PROPOSE, CORES_READ, CORES_CRASH};
    *move = (struct cores_move){CORES_DISK, (uint8_t)whole->turn, 1, 0};
    if (local->write_count > 0 && !prng_chance(prng, 1, 10))
        return true;
    *move = (struct cores_move){CORES_START, (uint8_t)whole->turn, 0, 0};
    if (!local->up && prng_chance(prng, 1, 3))
        return true;
    move->kind = own[prng_below(prng, sizeof own)];
    if (local->up && prng_chance(prng, 1, move->kind == CORES_CRASH ? 30 : 10))
        return true;
    if (whole->now.count == 0)
        return false;
    unsigned way = cores_local_way(group->locals, whole->now.messages[0]);
    *move = (struct cores_move){prng_chance(prng, 1, 20) ? CORES_DROP : CORES_DELIVER,
                                (uint8_t)(way / 8), (uint8_t)(way % 8), 0};
    return way % 8 == whole->turn;
}

static void compare(const struct cores_group *group, const struct cores_whole *whole,
                    const struct cores_world *world, uint64_t seed) {
    unsigned on_their_way = 0;
    for (unsigned from = 1; from <= world->count; from++)
        for (unsigned to = 1; to <= world->count; to++)
            on_their_way += world->channels[from][to].count;
    assert_int_equal(whole->now.count + whole->next.count, on_their_way);
    for (unsigned id = 1; id <= world->count; id++)
        if (cores_whole_local(group, whole, id)->key != cores_node_key(world, &world->nodes[id]))
            fail_msg("%s: seed %llu: replica %u is in another state", world->setup.protocol->name,
                     (unsigned long long)seed, id);
}

/* True: a rule is broken, in both. */
static bool follow(struct cores_world *world, struct cores_group *group,
                   const struct cores_setup *setup, uint64_t seed) {
    struct cores_whole whole;
    struct cores_move move;
    struct prng prng;
    prng_seed(&prng, seed);
    cores_world_begin(world, setup);
    cores_whole_begin(group, &whole);
    for (unsigned step = 0; step < 250; step++) {
        if (!choose(group, &whole, &prng, &move)) {
            cores_whole_pass(group, &whole);
            continue;
        }
        bool fine = cores_whole_do(group, &whole, move);
        cores_do(world, move);
        if (fine != (world->broken == NULL))
            fail_msg("%s: seed %llu: %s", setup->protocol->name, (unsigned long long)seed,
                     fine ? world->detail : "only the parts break a rule");
        if (!fine)
            return true;
        compare(group, &whole, world, seed);
    }
    return false;
}

static void parts_follow(const struct protocol *protocol, enum mutant mutant) {
    struct cores_setup setup = setup_of(protocol, mutant);
    struct cores_world *world = cores_world_new();
    struct cores_group group;
    unsigned broken = 0, seeds = (unsigned)slice_of(400, 20);
    cores_group_open(&group, &setup);
    for (uint64_t seed = 1; seed <= seeds; seed++)
        broken += follow(world, &group, &setup, seed);
    print_message("%s, %s: broken in %u of %u runs\n", protocol->name, mutant_name(mutant), broken,
                  seeds);
    assert_true(mutant != MUTANT_NONE || broken == 0);
    assert_false(group.exhausted);
    cores_group_close(&group);
    cores_world_free(world);
}

static void a_state_put_together_from_parts_is_that_of_the_whole(void **state) {
    static const enum mutant raft[] = {
        MUTANT_NONE,         MUTANT_VOTE_STALE_LOG, MUTANT_COMMIT_MINORITY, MUTANT_TRUNCATE_ALWAYS,
        MUTANT_NO_LOG_MATCH, MUTANT_READ_NO_ROUND};
    static const enum mutant zab[] = {MUTANT_NONE, MUTANT_ZAB_COMMIT_MINORITY,
                                      MUTANT_ZAB_STALE_VOTE, MUTANT_ZAB_NO_TRUNC,
                                      MUTANT_ZAB_COMMIT_UNVERIFIED};
    for (size_t i = 0; i < sizeof raft / sizeof *raft; i++)
        parts_follow(&protocol_raft, raft[i]);
    for (size_t i = 0; i < sizeof zab / sizeof *zab; i++)
        parts_follow(&protocol_zab, zab[i]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_schedules_of_a_small_configuration_hold),
        cmocka_unit_test(a_search_finds_a_broken_rule_and_tells_the_moves),
        cmocka_unit_test(states_that_are_called_one_go_on_alike),
        cmocka_unit_test(a_state_put_together_from_parts_is_that_of_the_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
