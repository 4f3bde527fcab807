/* Networks in which not every node sees every other: while some node sees a majority, there is a
 * leader, and it stays (Omni-Paxos, Ng et al. 2023, section 2; and check-quorum and pre-vote,
 * Ongaro 2014, section 9.6, which are to make it so). */
#include "replica_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define NODES 5u
#define PAIRS (NODES * (NODES - 1) / 2)

/* A bit a pair and direction. */
static void cut(struct world *world, uint32_t ways) {
    for (uint64_t a = 1; a <= NODES; a++)
        for (uint64_t b = 1; b <= NODES; b++)
            if (a != b) {
                world_cut(world, a, b, ways & 1);
                ways >>= 1;
            }
}

/* The same from pairs that are cut both ways. */
static uint32_t both_ways(unsigned pairs) {
    bool is_cut[NODES][NODES] = {0};
    uint32_t ways = 0;
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = a + 1; b < NODES; b++, pairs >>= 1)
            is_cut[a][b] = is_cut[b][a] = pairs & 1;
    unsigned bit = 0;
    for (unsigned a = 0; a < NODES; a++)
        for (unsigned b = 0; b < NODES; b++)
            if (a != b)
                ways |= (uint32_t)is_cut[a][b] << bit++;
    return ways;
}

static bool sees_a_majority(const struct world *world, uint64_t id) {
    unsigned seen = 1;
    for (uint64_t other = 1; other <= NODES; other++)
        seen += id != other && !world->cut[id][other] && !world->cut[other][id];
    return 2 * seen > NODES;
}

static bool some_node_sees_a_majority(const struct world *world) {
    for (uint64_t id = 1; id <= NODES; id++)
        if (sees_a_majority(world, id))
            return true;
    return false;
}

/* One without a majority is asked nothing: what it gave to a few would keep the others, which lack
 * it, from being elected. */
static bool leads_and_commits(struct world *world) {
    uint64_t leader = world_leader(world);
    if (leader == 0 || !sees_a_majority(world, leader))
        return false;
    world_propose(world, leader, "a");
    world_run(world, 50 * MS);
    struct replica_status status = world_status(world, leader);
    return world_leader(world) == leader && status.commit_index == status.last_index;
}

static void try(const char *protocol, uint32_t ways, uint64_t first_leader) {
    struct world *world = world_new_of(protocol, NODES, ways + 1);
    assert_true(world_elect(world));
    world_run(world, 500 * MS);
    if (world_leader(world) != first_leader)
        world_transfer(world, world_leader(world), first_leader);
    world_run(world, 500 * MS);
    cut(world, ways);
    bool expected = some_node_sees_a_majority(world);
    bool led = false;
    for (int i = 0; i < 100 && !led; i++) {
        world_run(world, 100 * MS);
        led = leads_and_commits(world);
    }
    if (led != expected)
        fail_msg("%s: ways %#x cut under leader %u: no leader for ten seconds", protocol, ways,
                 (unsigned)first_leader);
    if (led) {
        uint64_t leader = world_leader(world), term = world_status(world, leader).term;
        world_run(world, 3000 * MS);
        if (world_leader(world) != leader || world_status(world, leader).term != term)
            fail_msg("%s: ways %#x cut under leader %u: leadership goes to and fro", protocol, ways,
                     (unsigned)first_leader);
    }
    assert_null(world->broken);
    world_free(world);
}

static void what_sees_a_majority_leads(void **state) {
    const char *protocol = *state;
    for (unsigned pairs = 0; pairs < 1u << PAIRS; pairs++)
        try(protocol, both_ways(pairs), 1 + pairs % NODES);
}

/* Connections end in both directions soon after one fails, so this does not last; Raft's votes do
 * not need that, and Zab's do. */
static void what_sees_a_majority_leads_where_some_links_carry_one_way(void **state) {
    const char *protocol = *state;
    struct prng prng;
    prng_seed(&prng, 1);
    for (int i = 0; i < 500; i++) {
        uint32_t ways = (uint32_t)(prng_next(&prng) & prng_next(&prng));
        try(protocol, ways & ((1u << 2 * PAIRS) - 1), prng_between(&prng, 1, NODES));
    }
}

static void what_alone_sees_all_leads_whichever_led_before(void **state) {
    const char *protocol = *state;
    for (unsigned hub = 0; hub < NODES; hub++)
        for (uint64_t before = 1; before <= NODES; before++) {
            unsigned pairs = 0, bit = 0;
            for (unsigned a = 0; a < NODES; a++)
                for (unsigned b = a + 1; b < NODES; b++, bit++)
                    pairs |= a != hub && b != hub ? 1u << bit : 0;
            try(protocol, both_ways(pairs), before);
        }
}

#define BOTH(test) cmocka_unit_test_prestate(test, "raft"), cmocka_unit_test_prestate(test, "zab")

int main(void) {
    const struct CMUnitTest tests[] = {
        BOTH(what_sees_a_majority_leads),
        BOTH(what_alone_sees_all_leads_whichever_led_before),
        cmocka_unit_test_prestate(what_sees_a_majority_leads_where_some_links_carry_one_way,
                                  "raft"),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
