#include "sim/sim_apart.h"

#include "base/assert.h"
#include "sim/sim_cluster.h"

_Static_assert(SIM_APART_NODES == SIM_NODES_MAX && SIM_APART_KEYSPACES == SIM_KEYSPACES_MAX,
               "as the cluster has them");

#define SALT 0x6170617274u
#define KINDS (SIM_FAULT_COUNT - SIM_FAULT_APART)
#define ALL (((1ull << KINDS) - 1) << SIM_FAULT_APART)
#define ONE_IN 4u /* seeds has one of the kinds */

static bool (*const strikes[KINDS])(struct sim_cluster *cluster) = {
    [SIM_FAULT_IMAGE - SIM_FAULT_APART] = sim_image_strikes,
    [SIM_FAULT_OLD_FOLDER - SIM_FAULT_APART] = sim_old_folder_strikes,
    [SIM_FAULT_FOREIGN - SIM_FAULT_APART] = sim_foreign_strikes,
    [SIM_FAULT_SUSPEND - SIM_FAULT_APART] = sim_suspend_strikes,
    [SIM_FAULT_STANDSTILL - SIM_FAULT_APART] = sim_standstill_strikes,
    [SIM_FAULT_CLOCK_OFF - SIM_FAULT_APART] = sim_clock_off_strikes,
    [SIM_FAULT_LEAP - SIM_FAULT_APART] = sim_leap_strikes,
    [SIM_FAULT_LOAD - SIM_FAULT_APART] = sim_load_strikes,
};

bool sim_apart_has(const struct sim_cluster *cluster, enum sim_fault fault) {
    return cluster->apart.mask >> fault & 1;
}

uint64_t sim_apart_drawn(uint64_t seed) {
    struct prng prng;
    prng_seed(&prng, prng_mix(seed, SALT));
    uint64_t drawn = prng_below(&prng, ONE_IN * KINDS);
    return drawn < KINDS ? 1ull << (SIM_FAULT_APART + drawn) : 0;
}

void sim_apart_draw(struct sim_cluster *cluster) {
    struct sim_apart *apart = &cluster->apart;
    const struct sim_options *asked = &cluster->asked;
    prng_seed(&apart->prng, prng_mix(asked->seed, SALT + 1));
    apart->pace_ns = prng_between(&apart->prng, 20, 400) * SIM_MS;
    if (asked->scenario != SIM_SWARM || asked->plan != NULL)
        return;
    apart->mask = asked->fault_mask != 0 ? asked->fault_mask & ALL : sim_apart_drawn(asked->seed);
}

struct sim_node *sim_apart_pick(struct sim_cluster *cluster,
                                bool (*fits)(const struct sim_node *node)) {
    struct sim_node *found = NULL;
    uint64_t seen = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (sim_node_is_up(node) && fits(node) && prng_below(&cluster->apart.prng, ++seen) == 0)
            found = node;
    }
    return found;
}

bool sim_apart_strike(struct sim_cluster *cluster, enum sim_fault fault) {
    cairn_assert(fault >= SIM_FAULT_APART && fault < SIM_FAULT_COUNT);
    return strikes[fault - SIM_FAULT_APART](cluster);
}

static void strike_due(void *target, uint64_t fault) {
    struct sim_cluster *cluster = target;
    struct sim_apart *apart = &cluster->apart;
    struct sim_world *world = &cluster->world;
    bool over = fault == SIM_FAULT_FOREIGN && sim_foreign_is_over(cluster);
    if (cluster->healing || world->now >= apart->until + apart->leapt_ns || over)
        return;
    sim_faults_strike(cluster, (enum sim_fault)fault);
    uint64_t next = prng_between(&apart->prng, apart->pace_ns / 4, apart->pace_ns * 2);
    sim_at(world, world->now + next, strike_due, cluster, fault);
}

void sim_apart_start(struct sim_cluster *cluster, uint64_t until) {
    struct sim_apart *apart = &cluster->apart;
    apart->until = until;
    for (int fault = SIM_FAULT_APART; fault < SIM_FAULT_COUNT; fault++)
        if (sim_apart_has(cluster, (enum sim_fault)fault))
            sim_at(&cluster->world, cluster->world.now + apart->pace_ns, strike_due, cluster,
                   (uint64_t)fault);
}

void sim_apart_heal(struct sim_cluster *cluster) {
    sim_foreign_heal(cluster);
    sim_clock_heal(cluster);
}

void sim_apart_describe(const struct sim_cluster *cluster, FILE *out) {
    sim_foreign_describe(cluster, out);
}

void sim_apart_close(struct sim_cluster *cluster) {
    sim_folder_close(cluster);
    sim_load_close(cluster);
}
