/* Time that does not pass as it should: a leader's machine is suspended, all nodes stand still,
 * clocks leave the bound that the settings name, or all machines sleep for a long time.
 *
 * A suspended machine's clock has gone on when it wakes (CLOCK_BOOTTIME), so leases hold. A clock
 * that stands still, jumps, or runs at another pace than raft.clock_drift_ppm allows breaks leases
 * by nature; there reads ask a majority, and all must hold but what is measured in time: sessions
 * and keys may end early.
 */
#include "sim/sim_cluster.h"

#define HOUR_NS (3600 * SIM_S)

/* Known: where replicated time leaps by a minute between the last piece of a long command and the
 * entry that executes it, the pieces are forgotten and sent again, and what its client sent behind
 * it is executed first. */
static void keep_whole(struct node_options *options) {
    options->piece_bytes = 240 << 10;
}

void sim_clock_draw(struct sim_cluster *cluster) {
    struct node_options *options = &cluster->defaults;
    struct prng *prng = &cluster->apart.prng;
    if (sim_apart_has(cluster, SIM_FAULT_SUSPEND))
        options->lease_reads = true;
    if (sim_apart_has(cluster, SIM_FAULT_CLOCK_OFF)) {
        options->lease_reads = false;
        keep_whole(options);
    }
    if (sim_apart_has(cluster, SIM_FAULT_LEAP))
        keep_whole(options);
    /* One that stands still alone leads no more when it goes on, unless it is alone. */
    bool alone = sim_apart_has(cluster, SIM_FAULT_STANDSTILL) && prng_below(prng, 2) == 0;
    if (alone && cluster->asked.nodes == 0)
        cluster->founders = 1;
}

static uint64_t draw_between(struct sim_cluster *cluster, uint64_t low, uint64_t high) {
    return prng_between(&cluster->apart.prng, low, high);
}

/* ---- suspend ---- */

static void wake(void *target, uint64_t life) {
    struct sim_node *node = target;
    struct sim_cluster *cluster = node->cluster;
    if (cluster->healing || node->lives != life || !node->host.paused)
        return;
    sim_log(&cluster->world, node->host.name, "wakes");
    sim_host_pause(&node->host, false);
}

static void connect_again(void *target, uint64_t number) {
    struct sim_cluster *cluster = target;
    if (!cluster->healing)
        sim_net_heal(&cluster->net);
}

/* Clients reach it still, and wait. */
static void cut_off(struct sim_node *node) {
    struct sim_net *net = &node->cluster->net;
    for (unsigned other = 1; other <= SIM_NODES_MAX; other++)
        if (other != node->id) {
            sim_net_block(net, node->id, other, true);
            sim_net_block(net, other, node->id, true);
        }
}

bool sim_suspend_strikes(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    uint32_t keyspace = (uint32_t)draw_between(cluster, 0, cluster->defaults.keyspace_count - 1);
    struct sim_node *node = sim_cluster_leader(cluster, keyspace);
    uint64_t timeout = cluster->defaults.election_timeout_max_ns;
    if (node == NULL || node->host.paused)
        return false;
    uint64_t asleep = draw_between(cluster, timeout / 2, 6 * timeout);
    sim_log(world, node->host.name, "is suspended for %llu ms",
            (unsigned long long)(asleep / SIM_MS));
    sim_host_pause(&node->host, true);
    cut_off(node);
    sim_at(world, world->now + asleep, wake, node, node->lives);
    sim_at(world, world->now + asleep + draw_between(cluster, 0, timeout), connect_again, cluster,
           0);
    return true;
}

/* ---- standstill ---- */

/* A leader that missed so much knows it, by whatever clock. */
#define STILL_LEAST_NS (700 * SIM_MS)

static bool all_run(const struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        const struct sim_node *node = &cluster->nodes[id];
        if (node->life != SIM_ABSENT && (!sim_node_is_up(node) || node->host.paused))
            return false;
    }
    return true;
}

static bool still_now(const struct sim_cluster *cluster) {
    const struct sim_apart *apart = &cluster->apart;
    return apart->still_count == SIM_STILL_MAX ||
           (apart->still_count > 0 &&
            cluster->world.now < apart->still[apart->still_count - 1].to + STILL_LEAST_NS);
}

bool sim_standstill_strikes(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    uint64_t length = draw_between(cluster, STILL_LEAST_NS, 8 * SIM_S);
    if (!all_run(cluster) || still_now(cluster))
        return false;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (!sim_node_is_up(node))
            continue;
        sim_host_pause(&node->host, true);
        sim_at(world, world->now + length + draw_between(cluster, 0, 10 * SIM_MS), wake, node,
               node->lives);
    }
    cluster->apart.still[cluster->apart.still_count++] =
        (struct sim_span){world->now, world->now + length};
    return true;
}

void sim_clock_runs(struct sim_cluster *cluster) {
    struct sim_apart *apart = &cluster->apart;
    if (apart->still_count > 0 && apart->still[apart->still_count - 1].to > cluster->world.now)
        apart->still[apart->still_count - 1].to = cluster->world.now;
}

/* ---- clocks out of their bound ---- */

/* Parts in a million; one that stands still is a million slow. */
static int64_t draw_rate(struct sim_cluster *cluster) {
    switch (draw_between(cluster, 0, 3)) {
    case 0:
        return -1000000;
    case 1:
        return -(int64_t)draw_between(cluster, 100000, 950000);
    default:
        return (int64_t)draw_between(cluster, 100000, 4000000);
    }
}

static void right_again(void *target, uint64_t number) {
    struct sim_node *node = target;
    if (!node->host.off)
        return;
    sim_host_rate(&node->host, node->cluster->apart.rates[node->id]);
    node->host.off = false;
}

static bool is_off(const struct sim_node *node) {
    return node->host.off;
}

static bool runs_right(const struct sim_node *node) {
    return !node->host.off;
}

bool sim_clock_off_strikes(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    struct sim_node *node = sim_apart_pick(cluster, runs_right);
    if (node == NULL)
        return false;
    node->wall_jumped = true;
    if (draw_between(cluster, 0, 3) == 0) {
        uint64_t jump = draw_between(cluster, SIM_MS, SIM_S) << draw_between(cluster, 0, 12);
        sim_log(world, node->host.name, "its clock jumps by %llu ms",
                (unsigned long long)(jump / SIM_MS));
        sim_host_jump(&node->host, jump < HOUR_NS ? jump : HOUR_NS);
        return true;
    }
    int64_t rate = draw_rate(cluster);
    sim_log(world, node->host.name, "its clock is off by %lld ppm", (long long)rate);
    cluster->apart.rates[node->id] = node->host.profile.rate_ppm;
    sim_host_rate(&node->host, rate);
    node->host.off = true;
    sim_at(world, world->now + draw_between(cluster, 50 * SIM_MS, 4 * SIM_S), right_again, node, 0);
    return true;
}

/* ---- long times ---- */

#define LEAPS_MAX 20u
#define DOUBLINGS 23u /* of a second: the longest is three months */

/* All wall clocks are right again afterwards. */
bool sim_leap_strikes(struct sim_cluster *cluster) {
    struct sim_apart *apart = &cluster->apart;
    if (apart->leaps == LEAPS_MAX || sim_apart_pick(cluster, is_off) != NULL ||
        draw_between(cluster, 0, 3) != 0)
        return false;
    uint64_t ns = draw_between(cluster, SIM_S, 2 * SIM_S)
                  << draw_between(cluster, 0, DOUBLINGS - 1);
    sim_log(&cluster->world, "world", "sleeps for %llu s", (unsigned long long)(ns / SIM_S));
    sim_world_leap(&cluster->world, ns);
    apart->leapt_ns += ns;
    apart->leaps++;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        sim_host_rate(&cluster->nodes[id].host, cluster->nodes[id].host.profile.rate_ppm);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        sim_host_rate(&cluster->clients[i], cluster->clients[i].profile.rate_ppm);
    return true;
}

void sim_clock_heal(struct sim_cluster *cluster) {
    sim_clock_runs(cluster);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        right_again(&cluster->nodes[id], 0);
}
