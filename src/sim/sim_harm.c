/* Harm to disks with aim, in a sixth of the drawn runs: a snapshot is misread as it is sent, what a
 * process wrote last can't be read when it is back, and a full disk refuses what had its place.
 * Drawn apart from the run's other chances. */
#include "sim/sim_cluster.h"

#define DRAWN_APART 0x4a12f0u
#define LOOK_NS (2 * SIM_MS)

void sim_harm_draw(struct sim_cluster *cluster) {
    struct sim_harm *harm = &cluster->harm;
    prng_seed(&harm->prng, prng_mix(cluster->asked.seed, DRAWN_APART));
    bool drawn = prng_chance(&harm->prng, 1, 6);
    uint64_t which = prng_between(&harm->prng, 1, 7);
    harm->pace_ns = prng_between(&harm->prng, 200, 3000) * SIM_MS;
    if (!drawn || cluster->asked.scenario != SIM_SWARM || cluster->asked.plan != NULL)
        return;
    harm->misreads = which & 1;
    harm->ends = which & 2;
    harm->copies = which & 4;
}

void sim_harm_describe(const struct sim_cluster *cluster, FILE *out) {
    if (cluster->harm.misreads)
        fprintf(out, "  snapshots are now and then misread as they are sent\n");
    if (cluster->harm.ends)
        fprintf(out, "  what a process wrote last can now and then not be read any more\n");
    if (cluster->harm.copies)
        fprintf(out, "  a full disk takes no write, not where a file has its place either\n");
}

/* One whose log wrote last what is longer than a block, so that it is known where it began. */
static struct sim_node *pick(struct sim_cluster *cluster) {
    struct sim_node *found = NULL;
    uint64_t seen = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (node->fragile && sim_node_may_end(node) && sim_node_may_be_wiped(node) &&
            sim_disk_end_bytes(&node->host.disk) > ENV_DISK_ALIGN &&
            prng_below(&cluster->harm.prng, ++seen) == 0)
            found = node;
    }
    return found;
}

/* No write is torn like that: a torn sector can be read. */
static void strike(void *target, uint64_t number) {
    struct sim_cluster *cluster = target;
    struct sim_harm *harm = &cluster->harm;
    if (cluster->healing)
        return;
    struct sim_node *node = pick(cluster);
    if (node != NULL) {
        bool power = prng_chance(&harm->prng, 1, 3);
        uint64_t restart_ns = prng_between(&harm->prng, 10, 500) * SIM_MS;
        sim_node_crash(node, power ? SIM_END_POWER : SIM_END_KILL, false, restart_ns);
        sim_disk_unreadable_end(&node->host.disk, &harm->prng);
    }
    uint64_t wait_ns = node != NULL ? harm->pace_ns : LOOK_NS;
    sim_at(&cluster->world, cluster->world.now + wait_ns / 2 + prng_below(&harm->prng, wait_ns),
           strike, cluster, 0);
}

/* A process starts again soon after its disk has space again: what it was refused is not to count.
 */
static void look_at_space(void *target, uint64_t number) {
    struct sim_cluster *cluster = target;
    struct sim_harm *harm = &cluster->harm;
    for (unsigned id = 1; id <= SIM_NODES_MAX && !cluster->healing; id++) {
        struct sim_node *node = &cluster->nodes[id];
        bool full = node->host.disk.space != UINT64_MAX;
        bool over = harm->was_full[id] && !full && prng_chance(&harm->prng, 1, 4);
        harm->was_full[id] = full || (harm->was_full[id] && !over);
        if (over && sim_node_may_end(node))
            sim_node_crash(node, SIM_END_KILL, false, prng_between(&harm->prng, 10, 500) * SIM_MS);
    }
    if (!cluster->healing)
        sim_at(&cluster->world, cluster->world.now + 50 * SIM_MS, look_at_space, cluster, 0);
}

void sim_harm_start(struct sim_cluster *cluster) {
    if (cluster->harm.copies)
        look_at_space(cluster, 0);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        cluster->nodes[id].host.disk.copies = cluster->harm.copies;
    if (cluster->harm.ends)
        sim_at(&cluster->world, cluster->world.now + SIM_S, strike, cluster, 0);
}

void sim_harm_look(const struct sim_sight *sight) {
    struct sim_harm *harm = &sight->node->cluster->harm;
    for (size_t i = 0; i < sight->effects.count && harm->misreads; i++)
        if (sight->effects.items[i].kind == EFFECT_SNAPSHOT_SEND && prng_chance(&harm->prng, 1, 2))
            sight->node->host.disk.misread_next = 1 + (uint32_t)prng_below(&harm->prng, 3);
}
