/* What a seed draws: the nodes' options, the machines, the network. Small limits are as likely as
 * large ones, for it is at limits that code is seldom tried. */
#include "sim/sim_cluster.h"

#include <string.h>

#define PICK(world, ...) \
    pick(world, (const uint64_t[]){__VA_ARGS__}, sizeof((uint64_t[]){__VA_ARGS__}) / 8)

static uint64_t pick(struct sim_world *world, const uint64_t *values, size_t count) {
    return values[sim_below(world, count)];
}

static void draw_times(struct sim_world *world, struct node_options *options) {
    options->election_timeout_min_ns = sim_spread(world, 30 * SIM_MS, 400 * SIM_MS);
    options->election_timeout_max_ns = options->election_timeout_min_ns * PICK(world, 3, 4, 6) / 2;
    options->heartbeat_ns = options->election_timeout_min_ns / PICK(world, 3, 4, 8);
    options->disk_stall_ns = sim_spread(world, 50 * SIM_MS, 1000 * SIM_MS);
    options->request_timeout_ns = sim_spread(world, 300 * SIM_MS, 3000 * SIM_MS);
    options->clock_drift_ppm = (uint32_t)PICK(world, 0, 1000, 20000, 100000);
    options->lease_reads = sim_chance(world, 1, 2);
}

static bool some_are_old(const struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (cluster->nodes[id].was_old)
            return true;
    return false;
}

void sim_draw_settings(struct sim_node *node) {
    struct sim_world *world = &node->cluster->world;
    bool differs = sim_chance(world, 1, 5);
    node->timeout_factor = differs ? sim_between(world, 1, 3) : 1;
    /* What a folder was first started with, or agreed upon, is not changed by a configuration file.
     * Nodes of older versions neither agree nor tell. */
    bool fresh = (node->bootstraps && !node->founded) || some_are_old(node->cluster);
    node->session_window = differs && !fresh ? (uint32_t)PICK(world, 1, 2, 128)
                                             : node->cluster->defaults.session_window;
    node->lease_reads = node->cluster->defaults.lease_reads ^ (differs && sim_chance(world, 1, 2));
    node->lease_reads &= !sim_apart_has(node->cluster, SIM_FAULT_CLOCK_OFF);
}

static void draw_limits(struct sim_world *world, struct node_options *options) {
    options->command_bytes_max = PICK(world, 512 << 10, 1 << 20, 8 << 20);
    options->value_bytes_max = options->command_bytes_max / 2;
    options->append_bytes_max = PICK(world, 1, 512, 4 << 10, 64 << 10, 1 << 20);
    options->inflight_max = (uint32_t)PICK(world, 1, 2, 8, 256);
    options->inflight_bytes_max = PICK(world, 1, 4 << 10, 64 << 10, 16 << 20);
    options->uncommitted_bytes_max = PICK(world, 16 << 10, 256 << 10, 256 << 20);
    options->window_bytes_max = PICK(world, 1, 1 << 10, 16 << 10, 4 << 20);
    options->apply_bytes_max = PICK(world, 1, 1 << 10, 64 << 10, 1 << 20);
    options->piece_bytes = PICK(world, 30, 150, 1000, 240 << 10);
    options->turn_work_max = PICK(world, 2000, 20000, 200000, 4000000);
    options->requests_max = (uint32_t)PICK(world, 50, 1000, 100000);
    options->wal_segment_bytes = PICK(world, 64 << 10, 128 << 10, 256 << 10, 1 << 20);
    options->wal_batch_bytes_max = PICK(world, 4 << 10, 64 << 10, 2 << 20);
    options->snapshot_log_bytes = PICK(world, 8 << 10, 32 << 10, 128 << 10, 64 << 20);
    options->snapshot_trailing = (uint32_t)PICK(world, 0, 1, 20, 1000);
    options->trailing_bytes = PICK(world, 100, 4 << 10, 64 << 20);
    options->session_window = (uint32_t)PICK(world, 1, 2, 128);
    options->scrub_every_ns = 4 * SIM_S;
}

static unsigned draw_nodes(struct sim_world *world) {
    if (sim_chance(world, 1, 12))
        return (unsigned)PICK(world, 1, 2, 4, 7);
    return sim_chance(world, 1, 3) ? 5 : 3;
}

static void draw_network(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    struct sim_net *net = &cluster->net;
    /* Far below what elections wait for, or there would be nothing but elections. */
    uint64_t most = cluster->defaults.election_timeout_min_ns / 16;
    uint64_t latency = sim_spread(world, 20 * SIM_US, most < 10 * SIM_MS ? most : 10 * SIM_MS);
    net->window = PICK(world, 4 << 10, 64 << 10, 256 << 10, 4 << 20);
    net->split_chance = PICK(world, 0, 5, 100);
    bool uneven = sim_chance(world, 1, 3);
    for (unsigned from = 1; from <= SIM_HOSTS_MAX; from++)
        for (unsigned to = 1; to <= SIM_HOSTS_MAX; to++)
            net->links[from][to] = (struct sim_link){
                .latency_ns = uneven ? sim_between(world, latency / 8 + 1, latency) : latency,
                .jitter_ns = latency / 4,
                .tail_ns = latency * 8,
                .bytes_per_us = 1000};
}

static void draw_machine(struct sim_cluster *cluster, struct sim_profile *profile) {
    struct sim_world *world = &cluster->world;
    int64_t drift = cluster->defaults.clock_drift_ppm;
    *profile = (struct sim_profile){.turn_ns = sim_spread(world, 2 * SIM_US, 60 * SIM_US),
                                    .sync_ns = sim_spread(world, 20 * SIM_US, 3 * SIM_MS),
                                    .read_ns = sim_spread(world, 10 * SIM_US, 500 * SIM_US),
                                    .bytes_per_us = sim_spread(world, 50, 2000),
                                    .direct_works = !sim_chance(world, 1, 4),
                                    .rate_ppm =
                                        (int64_t)sim_between(world, 0, 2 * (uint64_t)drift) - drift,
                                    .wall_bound_ns = sim_spread(world, 10 * SIM_US, 50 * SIM_MS)};
}

static void name_node(struct sim_node *node, unsigned id) {
    snprintf(node->address, sizeof node->address, "n%u:7100", id);
    snprintf(node->redis_address, sizeof node->redis_address, "n%u:7000", id);
    snprintf(node->zookeeper_address, sizeof node->zookeeper_address, "n%u:2181", id);
}

/* What a mutant breaks is to be there. */
static const char *of_mutant(enum mutant mutant, const char *const (*prefixes)[2], size_t count) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(mutant_name(mutant), prefixes[i][0], strlen(prefixes[i][0])) == 0)
            return prefixes[i][1];
    return NULL;
}

static void add_keyspace(struct sim_cluster *cluster, const char *machine, const char *protocol) {
    bool tree = strcmp(machine, "tree") == 0;
    uint32_t number = cluster->defaults.keyspace_count++;
    struct node_keyspace *keyspace = &cluster->defaults.keyspaces[number];
    *keyspace = (struct node_keyspace){.consistency = tree ? NODE_SEQUENTIAL : NODE_LINEARIZABLE};
    snprintf(keyspace->name, sizeof keyspace->name, "%s", machine);
    snprintf(keyspace->machine, sizeof keyspace->machine, "%s", machine);
    snprintf(keyspace->protocol, sizeof keyspace->protocol, "%s", protocol);
    *(tree ? &cluster->tree : &cluster->kv) = number;
}

/* One keyspace, or both machines, each on a protocol of its own. */
static void draw_keyspaces(struct sim_cluster *cluster) {
    static const char *const machines[][2] = {
        {"tree-", "tree"}, {"zk-", "tree"}, {"life-", "tree"}, {"watch-after", "tree"}};
    static const char *const protocols[][2] = {{"zab-", "zab"}};
    const struct sim_options *asked = &cluster->asked;
    struct sim_world *world = &cluster->world;
    bool tree = sim_chance(world, 1, 2), zab = sim_chance(world, 1, 2);
    bool both = sim_chance(world, 1, 3), other_zab = sim_chance(world, 1, 2);
    bool mutant = asked->mutant != MUTANT_NONE;
    const char *machine = of_mutant(asked->mutant, machines, 4);
    const char *protocol = of_mutant(asked->mutant, protocols, 1);
    bool of_two = asked->mutant == MUTANT_HARD_STATE_OF_OTHER;
    bool raft = mutant && machine == NULL && protocol == NULL; /* most are of raft, or of keys */
    if (machine == NULL)
        machine = tree && !raft ? "tree" : "kv";
    if (protocol == NULL)
        protocol = zab && !raft ? "zab" : "raft";
    if (sim_apart_has(cluster, SIM_FAULT_LOAD) && !mutant)
        machine = "kv";
    machine = asked->machine ? asked->machine : machine;
    protocol = asked->protocol ? asked->protocol : protocol;
    cluster->kv = cluster->tree = SIM_NO_KEYSPACE;
    cluster->defaults.keyspace_count = 0;
    add_keyspace(cluster, machine, protocol);
    if (both && (!mutant || of_two) && asked->machine == NULL)
        add_keyspace(cluster, strcmp(machine, "kv") == 0 ? "tree" : "kv",
                     asked->protocol ? asked->protocol
                     : other_zab     ? "zab"
                                     : "raft");
    struct sim_result *result = cluster->result;
    snprintf(result->machine, sizeof result->machine, "%s", machine);
    snprintf(result->protocol, sizeof result->protocol, "%s", protocol);
}

static void draw_zookeeper(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    struct zookeeper_options *options = &cluster->zookeeper;
    zookeeper_options_default(options);
    options->timeout_min_ms = 100;
    options->timeout_max_ms = 60000;
    options->leader_patience_ms = PICK(world, 200, 1000, 4000);
    options->outstanding_max = (uint32_t)PICK(world, 4, 100, 20000);
    options->linearizable_reads = sim_chance(world, 1, 8);
}

/* By a generator of its own: what the seed draws otherwise is the same with and without. */
static void draw_rare(struct sim_cluster *cluster) {
    enum sim_scenario scenario = cluster->asked.scenario;
    enum sim_rare asked = cluster->asked.rare;
    bool suits = scenario == SIM_SWARM || scenario == SIM_ALL_DAMAGED;
    if (!suits || asked == SIM_RARE_NONE)
        return;
    if (asked == SIM_RARE_ALWAYS)
        rare_draw_some(&cluster->rare, cluster->asked.seed);
    else if (!rare_draw(&cluster->rare, cluster->asked.seed))
        return;
    /* Known: a follower that gets a snapshot instead of entries may give up what it acknowledged
     * until a leader gave it back. With another's disk damaged and the leader gone none can lead.
     */
    cluster->rare.one_in[RARE_SNAPSHOT_RATHER] = 0;
    cluster->defaults.rare = cluster->world.rare = &cluster->rare;
    cluster->result->rare_runs = 1;
}

static void describe_rare(const struct rare *rare, FILE *out) {
    fprintf(out, "  rare branches made common:");
    for (int point = 0; point < RARE_COUNT; point++)
        if (rare->one_in[point] != 0)
            fprintf(out, " %s 1/%u", rare_name((enum rare_point)point), rare->one_in[point]);
    fprintf(out, "\n");
}

void sim_draw_options(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    struct sim_profile profile;
    char name[8];
    node_options_default(&cluster->defaults);
    draw_times(world, &cluster->defaults);
    draw_limits(world, &cluster->defaults);
    if (cluster->asked.scenario == SIM_CALM)
        node_options_default(&cluster->defaults);
    cluster->defaults.wal_segment_bytes = cluster->defaults.wal_segment_bytes > 4 << 20
                                              ? 4 << 20
                                              : cluster->defaults.wal_segment_bytes;
    /* What is kept back fits the one spare, unless it is to last long. */
    cluster->defaults.wal_kept_bytes =
        cluster->asked.scenario == SIM_FULL ? 256 << 10 : cluster->defaults.wal_segment_bytes / 4;
    cluster->defaults.mutant = cluster->asked.mutant;
    draw_rare(cluster);
    draw_keyspaces(cluster);
    draw_zookeeper(cluster);
    unsigned drawn = draw_nodes(world);
    if (cluster->focus.nodes != 0)
        drawn = cluster->focus.nodes;
    cluster->founders = cluster->asked.nodes ? cluster->asked.nodes : drawn;
    sim_clock_draw(cluster);
    cluster->cluster_id = sim_below(world, UINT64_MAX) | 1;
    draw_network(cluster);
    sim_load_draw(cluster);
    sim_aim_draw(cluster);
    sim_harm_draw(cluster);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        draw_machine(cluster, &profile);
        snprintf(name, sizeof name, "n%u", id);
        name_node(node, id);
        sim_host_open(&node->host, world, &cluster->net, id, name, &profile);
        sim_net_add(&cluster->net, &node->host);
    }
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        draw_machine(cluster, &profile);
        snprintf(name, sizeof name, "c%u", i + 1);
        sim_host_open(&cluster->clients[i], world, &cluster->net, SIM_NODES_MAX + 1 + i, name,
                      &profile);
        sim_net_add(&cluster->net, &cluster->clients[i]);
    }
}

void sim_names(const struct sim_options *options, struct sim_result *result) {
    sim_cluster_free(sim_cluster_new(options, result));
}

void sim_describe(const struct sim_options *options, FILE *out) {
    struct sim_result result;
    struct sim_cluster *cluster = sim_cluster_new(options, &result);
    const struct node_options *drawn = &cluster->defaults;
    for (uint32_t i = 0; i < drawn->keyspace_count; i++)
        fprintf(out, "  %s on %s\n", drawn->keyspaces[i].machine, drawn->keyspaces[i].protocol);
    fprintf(out, "  %u nodes, election %llu-%llu ms, heartbeat %llu ms, drift %u ppm, %s reads\n",
            cluster->founders, (unsigned long long)(drawn->election_timeout_min_ns / SIM_MS),
            (unsigned long long)(drawn->election_timeout_max_ns / SIM_MS),
            (unsigned long long)(drawn->heartbeat_ns / SIM_MS), drawn->clock_drift_ppm,
            drawn->lease_reads ? "lease" : "read-index");
    fprintf(
        out,
        "  append %zu, inflight %u and %zu bytes, window %zu, apply %zu, turn %llu, segment %llu, "
        "batch %zu\n",
        drawn->append_bytes_max, drawn->inflight_max, drawn->inflight_bytes_max,
        drawn->window_bytes_max, drawn->apply_bytes_max, (unsigned long long)drawn->turn_work_max,
        (unsigned long long)drawn->wal_segment_bytes, drawn->wal_batch_bytes_max);
    fprintf(out, "  snapshot every %llu bytes of log, %u entries kept, session window %u\n",
            (unsigned long long)drawn->snapshot_log_bytes, drawn->snapshot_trailing,
            drawn->session_window);
    if (sim_has_secret(cluster))
        fprintf(out, "  nodes share a secret, unless some are of an older version\n");
    if (drawn->rare != NULL)
        describe_rare(drawn->rare, out);
    sim_focus_describe(cluster, out);
    sim_faults_describe(cluster, out);
    sim_aim_describe(cluster, out);
    sim_harm_describe(cluster, out);
    sim_cluster_free(cluster);
}
