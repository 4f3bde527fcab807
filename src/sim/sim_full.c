/* Every disk is full while leaders come and go. A majority runs at any time but between two
 * changes, so after every one of them a leader must answer reads, whatever it refuses to write. */
#include "sim/sim_cluster.h"

#include <string.h>

#define FILL_NS (60 * SIM_S) /* what the logs have room for is written by then, or is too much */
#define CHANGES 24u
#define SETTLE_NS (100 * SIM_MS)
#define SERVES_NS (20 * SIM_S)
#define IN_FLIGHT_MAX 12u /* of all clients */

static void run_until(struct sim_cluster *cluster, uint64_t until) {
    while (!cluster->world.failed && sim_world_step(&cluster->world, until)) {
    }
}

static uint64_t answered(const struct sim_cluster *cluster) {
    uint64_t ok = 0;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        struct workload_stats stats;
        workload_stats(cluster->workloads[i], &stats);
        ok += stats.ok;
    }
    return ok;
}

/* With the logs of a majority full no more is written, so the others' may never be. */
static bool logs_full(const struct sim_cluster *cluster) {
    unsigned full = 0;
    for (unsigned id = 1; id <= cluster->founders; id++) {
        const struct sim_node *node = &cluster->nodes[id];
        full += sim_node_is_up(node) && strcmp(node_health(node->node), "disk full") == 0;
    }
    return full > cluster->founders / 2;
}

/* What is removed is no space either: others have taken it. */
static bool fill_up(struct sim_cluster *cluster) {
    uint64_t until = cluster->world.now + FILL_NS;
    for (unsigned id = 1; id <= cluster->founders; id++)
        cluster->nodes[id].host.disk.space = 0;
    while (!cluster->world.failed && !logs_full(cluster) && cluster->world.now < until)
        run_until(cluster, cluster->world.now + SETTLE_NS);
    return !cluster->world.failed && logs_full(cluster);
}

static void change_leader(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    struct sim_node *leader = sim_cluster_leader(cluster, cluster->kv);
    uint64_t restart_ns = sim_spread(world, 10 * SIM_MS, 2 * SIM_S);
    char to[12];
    switch (sim_below(world, 4)) {
    case 0:
        sim_node_crash(leader, SIM_END_KILL, sim_chance(world, 1, 2), restart_ns);
        break;
    case 1:
        sim_node_crash(leader, SIM_END_POWER, true, restart_ns);
        break;
    case 2:
        sim_node_stop(leader);
        break;
    default:
        snprintf(to, sizeof to, "%u", 1 + (unsigned)sim_below(world, cluster->founders));
        workload_command(cluster->workloads[0], leader->id - 1,
                         (const char *[]){"CAIRN.LEADER", "TRANSFER", to}, 3);
    }
}

/* Something is answered that was asked after the change. */
static bool serves(struct sim_cluster *cluster) {
    uint64_t before = answered(cluster), until = cluster->world.now + SERVES_NS;
    while (!cluster->world.failed && cluster->world.now < until) {
        run_until(cluster, cluster->world.now + SETTLE_NS);
        if (answered(cluster) > before + IN_FLIGHT_MAX &&
            sim_cluster_leader(cluster, cluster->kv) != NULL)
            return true;
    }
    return false;
}

void sim_full_run(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    if (!sim_has_keys(cluster) || !fill_up(cluster)) {
        sim_log(world, "world", "the logs do not get full");
        return;
    }
    for (unsigned i = 0; i < CHANGES && !world->failed; i++) {
        if (sim_cluster_leader(cluster, cluster->kv) != NULL)
            change_leader(cluster);
        run_until(cluster, world->now + SETTLE_NS);
        if (!serves(cluster) && !world->failed)
            sim_fail(world,
                     "all disks are full, and after %u changes of leader no read is answered",
                     i + 1);
        cluster->result->faults[SIM_FAULT_DISK_FULL]++;
    }
}
