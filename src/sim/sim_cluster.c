#include "sim/sim_cluster.h"
#include "sim/sim_oracle.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define REFUSALS_MAX 3u

struct sim_cluster *sim_cluster_new(const struct sim_options *options, struct sim_result *result) {
    struct sim_cluster *cluster = cairn_alloc_zero(sizeof *cluster);
    memset(result, 0, sizeof *result);
    cluster->asked = *options;
    cluster->result = result;
    sim_world_open(&cluster->world, options->seed, options->log);
    sim_net_open(&cluster->net, &cluster->world);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        node->cluster = cluster;
        node->id = id;
        node->life = SIM_ABSENT;
    }
    sim_apart_draw(cluster);
    sim_focus_draw(cluster);
    sim_draw_options(cluster);
    cluster->oracle = sim_oracle_open(cluster);
    for (unsigned id = 1; id <= cluster->founders; id++)
        cluster->nodes[id].founder = cluster->nodes[id].bootstraps = true;
    sim_foreign_draw(cluster);
    sim_faults_open(cluster);
    return cluster;
}

static void count_up(const struct sim_node *node) {
    struct node_status status;
    struct sim_result *result = node->cluster->result;
    if (node->node == NULL)
        return;
    node_status(node->node, 0, &status);
    result->snapshots += status.counters.snapshots_taken;
    result->installed += status.counters.snapshots_installed;
    result->damage_found += status.counters.damage_found;
    result->damage_repaired += status.counters.damage_repaired;
}

static void end_process(struct sim_node *node, bool silent) {
    count_up(node);
    sim_host_kill(&node->host, silent);
    if (node->front != NULL)
        redis_front_close(node->front);
    if (node->zookeeper != NULL)
        zookeeper_front_close(node->zookeeper);
    if (node->node != NULL)
        node_drop(node->node);
    node->front = NULL;
    node->zookeeper = NULL;
    node->node = NULL;
    node->failed = node->stopped = node->role_news = false;
    memset(node->applied, 0, sizeof node->applied);
    memset(node->term, 0, sizeof node->term); /* one that was not durable yet may be forgotten */
}

void sim_cluster_free(struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (node->host.runs)
            end_process(node, true);
    }
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        if (cluster->clients[i].runs)
            sim_host_kill(&cluster->clients[i], true);
        if (cluster->workloads[i] != NULL)
            workload_free(cluster->workloads[i]);
        if (cluster->zk[i] != NULL)
            zk_free(cluster->zk[i]);
    }
    sim_net_close(&cluster->net);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        sim_host_close(&cluster->nodes[id].host);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        sim_host_close(&cluster->clients[i]);
    sim_faults_close(cluster);
    sim_apart_close(cluster);
    sim_judge_close(cluster);
    sim_oracle_close(cluster->oracle);
    sim_tree_free(&cluster->tree_truth);
    sim_world_close(&cluster->world);
    cairn_free(cluster);
}

/* ---- what a node tells ---- */

static void on_log(void *context, int level, const char *text) {
    struct sim_node *node = context;
    if (strstr(text, " in term ") != NULL)
        node->role_news = true;
    sim_foreign_hears(node, text);
    sim_log(&node->cluster->world, node->host.name, "%s", text);
}

static void on_change(void *context, uint32_t keyspace, const struct change *change) {
    struct sim_node *node = context;
    if (node->front != NULL && keyspace == node->cluster->kv)
        redis_front_change(node->front, change);
    if (keyspace != node->cluster->tree)
        return;
    uint64_t index = node_applied_index(node->node, keyspace);
    if (change->kind != CHANGE_JUMP && node->foreign == SIM_NATIVE)
        sim_tree_note(&node->cluster->tree_truth, node->lives * SIM_NODES_MAX + node->id, index,
                      sim_oracle_time(node->cluster->oracle, keyspace, index), change);
    if (node->zookeeper != NULL)
        zookeeper_front_change(node->zookeeper, change);
}

static void on_failed(void *context, enum cairn_status status, const char *text) {
    struct sim_node *node = context;
    node->failed = true;
    if (status == CAIRN_CORRUPT && node->foreign == SIM_NATIVE)
        sim_judge_end(node, text);
}

static void on_stopped(void *context) {
    struct sim_node *node = context;
    node->stopped = true;
}

static void on_turn(void *context) {
    struct sim_node *node = context;
    node_turn(node->node);
    redis_front_turn(node->front);
    if (node->zookeeper != NULL)
        zookeeper_front_turn(node->zookeeper);
}

static void after_round(void *context) {
    struct sim_node *node = context;
    struct sim_world *world = &node->cluster->world;
    if (node->host.dying) {
        sim_node_crash(node, sim_chance(world, 1, 2) ? SIM_END_POWER : SIM_END_KILL,
                       node->kill_silent, sim_spread(world, 10 * SIM_MS, 2 * SIM_S));
        return;
    }
    if (node->foreign == SIM_NATIVE)
        sim_judge_round(node);
    if (node->failed) {
        sim_log(world, node->host.name, "the process ends by itself");
        /* It found damage in what was written last, of which a restart would know nothing. */
        bool lying = node->host.disk.log_writes < node->guard_writes;
        sim_node_crash(node, SIM_END_KILL, false, sim_spread(world, 50 * SIM_MS, SIM_S));
        node->lying |= lying;
    } else if (node->stopped) {
        node->life = SIM_UP;
        sim_node_crash(node, SIM_END_KILL, false, sim_spread(world, 50 * SIM_MS, SIM_S));
    }
}

/* ---- start ---- */

static void founders_config(const struct sim_cluster *cluster, struct config *config) {
    memset(config, 0, sizeof *config);
    for (unsigned id = 1; id <= cluster->founders; id++) {
        struct member member = {.id = id, .voter = true};
        strcpy(member.address, cluster->nodes[id].address);
        cairn_assert(config_add(config, &member) == CAIRN_OK);
    }
}

/* Whose disk this is; an empty one gets an identity. */
static enum cairn_status find_identity(struct sim_node *node, struct identity *identity) {
    struct env *env = &node->host.env;
    const char *folder = node->options.folder;
    enum cairn_status status = env_make_folder(env, folder);
    if (status == CAIRN_OK)
        status = identity_load(env, folder, identity, NULL);
    if (status != CAIRN_NOT_FOUND)
        return status;
    *identity =
        (struct identity){.cluster = node->cluster->cluster_id, .node = node->id, .epoch = 1};
    env_entropy(env, &identity->incarnation, sizeof identity->incarnation);
    identity->incarnation |= 1;
    if (node->bootstraps) {
        founders_config(node->cluster, &identity->founders);
        /* What a cluster is founded with must be the same on all that found it. */
        node->session_window = node->cluster->defaults.session_window;
        node->options.session_window = node->session_window;
        identity->founding = identity->founders.count > 1 && node->wire_version >= WIRE_VERSION_3;
        sim_foreign_identity(node, identity);
    }
    status = identity_store(env, folder, identity);
    if (status == CAIRN_OK)
        node->founded = true;
    return status;
}

static void fill_options(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    node->options = cluster->defaults;
    snprintf(node->options.folder, sizeof node->options.folder, "/d");
    strcpy(node->options.peer_address, node->address);
    node->options.seed = sim_below(&cluster->world, UINT64_MAX);
    node->options.wire_version_max = node->wire_version;
    node->was_old |= node->wire_version < WIRE_VERSION_3;
    if (node->timeout_factor == 0 || sim_chance(&cluster->world, 1, 8))
        sim_draw_settings(node); /* an operator changes settings node by node */
    node->options.election_timeout_min_ns *= node->timeout_factor;
    node->options.election_timeout_max_ns *= node->timeout_factor;
    node->options.lease_reads = node->lease_reads;
    node->options.session_window = node->session_window;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        if (id == node->id || cluster->nodes[id].life == SIM_ABSENT)
            continue;
        uint32_t n = node->options.seed_count++;
        node->options.seeds[n].id = id;
        strcpy(node->options.seeds[n].address, cluster->nodes[id].address);
    }
    sim_secret_give(node);
    node->options.watched = node->foreign == SIM_NATIVE ? &sim_oracle_protocol : NULL;
    node->options.context = node;
    node->options.log = on_log;
    node->options.change = on_change;
    node->options.failed = on_failed;
}

static enum cairn_status open_node(struct sim_node *node, char *error, size_t size) {
    struct redis_options redis;
    fill_options(node);
    node->host.clock_stops = node->options.mutant == MUTANT_CLOCK_STOPS;
    enum cairn_status status = find_identity(node, &node->options.identity);
    if (status != CAIRN_OK) {
        snprintf(error, size, "its identity can't be read: %s", cairn_status_text(status));
        return status;
    }
    node->incarnation = node->options.identity.incarnation;
    node->options.bootstrap = node->options.identity.founders;
    status = node_open(&node->host.env, &node->options, &node->node, error, size);
    if (status != CAIRN_OK)
        return status;
    /* One that lost its log goes on under another incarnation. */
    node->incarnation = node_get_options(node->node)->identity.incarnation;
    redis_options_default(&redis);
    strcpy(redis.address, node->redis_address);
    redis.mutant = node->options.mutant;
    redis.keyspace = sim_has_keys(node->cluster) ? node->cluster->kv : 0;
    status = redis_front_open(node->node, &redis, &node->front);
    if (status == CAIRN_OK && sim_has_tree(node->cluster)) {
        struct zookeeper_options zookeeper = node->cluster->zookeeper;
        strcpy(zookeeper.address, node->zookeeper_address);
        zookeeper.mutant = node->options.mutant;
        status = zookeeper_front_open(node->node, &zookeeper, &node->zookeeper);
    }
    if (status != CAIRN_OK)
        snprintf(error, size, "can't listen for clients");
    return status;
}

/* The operator's answer to a node that can't start from its disk. */
static void start_refused(struct sim_node *node, const char *error, bool cut_short) {
    struct sim_world *world = &node->cluster->world;
    sim_log(world, node->host.name, "does not start: %s", error);
    node->refusals += !cut_short && node->host.disk.space == UINT64_MAX;
    if (node->refusals >= REFUSALS_MAX) {
        if (!node->fragile && !node->cluster->damage_allowed_everywhere && !node->foreign)
            sim_fail(world, "%s does not start although its disk was never damaged: %s",
                     node->host.name, error);
        if (node->fragile && sim_node_may_be_wiped(node)) {
            sim_log(world, node->host.name, "the operator gives it an empty disk");
            sim_node_wipe(node);
        }
        node->refusals = 0;
    }
}

void sim_node_start(struct sim_node *node) {
    struct sim_host *host = &node->host;
    struct sim_world *world = &node->cluster->world;
    char error[512] = "";
    cairn_assert(!host->runs);
    sim_host_start(host);
    sim_clock_runs(node->cluster);
    host->disk.exhausted = false;
    node->lives++;
    node->life = SIM_UP;
    if (node->wire_version == 0)
        node->wire_version = WIRE_VERSION_MAX;
    if (node->crash_loop > 0) {
        node->crash_loop--;
        host->kill_in_calls = 1 + sim_below(world, 60);
    }
    node->kill_silent = sim_chance(world, 1, 2);
    host->after_round = after_round;
    host->after_context = node;
    sim_note(world, SIM_FAULT, node->id, 1);
    enum cairn_status status = open_node(node, error, sizeof error);
    bool cut_short = host->dying;
    if (status != CAIRN_OK || cut_short) {
        sim_node_crash(node, cut_short && sim_chance(world, 1, 2) ? SIM_END_POWER : SIM_END_KILL,
                       false, sim_spread(world, 20 * SIM_MS, 500 * SIM_MS));
        start_refused(node, error, cut_short);
        return;
    }
    node->refusals = 0;
    node->cluster->result->restarts++;
    sim_log(world, host->name, "started, applied %llu",
            (unsigned long long)node_applied_index(node->node, 0));
    env_set_turn(&host->env, on_turn, node);
    env_wake(&host->env);
}

/* A disk that lost what it called durable, last of all, must not come back: its replica would not
 * know. It is replaced once the others would notice that. */
static bool replace_disk(struct sim_node *node) {
    if (!sim_node_may_be_wiped(node))
        return false;
    sim_log(&node->cluster->world, node->host.name, "the operator replaces its lying disk");
    sim_node_wipe(node);
    node->guard_writes = 0;
    node->lying = false;
    return true;
}

static void start_due(void *target, uint64_t number) {
    struct sim_node *node = target;
    if (node->life != SIM_DOWN || node->start_at != number)
        return;
    if (node->lying && !replace_disk(node))
        sim_node_plan_start(node, node->cluster->world.now + 200 * SIM_MS);
    else
        sim_node_start(node);
}

void sim_node_plan_start(struct sim_node *node, uint64_t time) {
    node->life = SIM_DOWN;
    node->start_at = time;
    sim_at(&node->cluster->world, time, start_due, node, time);
}

/* ---- end ---- */

void sim_node_crash(struct sim_node *node, enum sim_end_kind kind, bool silent,
                    uint64_t restart_ns) {
    struct sim_world *world = &node->cluster->world;
    if (!node->host.runs)
        return;
    sim_log(world, node->host.name, "%s", kind == SIM_END_POWER ? "power lost" : "process ended");
    sim_note(world, SIM_FAULT, node->id, 2 + (uint64_t)kind);
    end_process(node, silent);
    bool lost = kind == SIM_END_POWER;
    sim_host_settle(&node->host, lost && !sim_chance(world, 1, 4), !lost);
    sim_node_plan_start(node, world->now + restart_ns);
}

void sim_node_stop(struct sim_node *node) {
    if (!sim_node_is_up(node))
        return;
    sim_log(&node->cluster->world, node->host.name, "is asked to stop");
    node->life = SIM_STOPPING;
    redis_front_stop(node->front);
    if (node->zookeeper != NULL)
        zookeeper_front_stop(node->zookeeper);
    node_stop(node->node, on_stopped, node);
}

bool sim_node_may_be_wiped(struct sim_node *node) {
    const struct sim_cluster *cluster = node->cluster;
    /* Founders of version 3 know each other's folders from before their first votes on. */
    if (node->founder && cluster->defaults.founding_wait_ns == 0 && !cluster->older)
        return true;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        struct node_status status;
        const struct sim_node *leader = sim_cluster_leader(node->cluster, keyspace);
        if (leader == NULL)
            return false;
        node_status(leader->node, keyspace, &status);
        const struct member *member = config_member(&status.replica.config, node->id);
        if (member == NULL || !status.replica.config_committed || member->incarnation == 0)
            return false;
    }
    return true;
}

void sim_node_wipe(struct sim_node *node) {
    cairn_assert(!node->host.runs);
    sim_oracle_wiped(node->cluster->oracle, node);
    sim_disk_wipe(&node->host.disk);
    node->host.disk.used = 0;
    /* The operator should have taken that out of the configuration file. Before version 3 it was
     * believed: such a node could found the cluster again with one that never heard of the first.
     */
    node->bootstraps =
        node->founder && sim_chance(&node->cluster->world, 1, 2) && !node->cluster->older;
    node->founded = false;
}

/* ---- the cluster as a whole ---- */

bool sim_node_is_up(const struct sim_node *node) {
    return node->life == SIM_UP && node->node != NULL && !node->host.dying &&
           node->foreign == SIM_NATIVE;
}

bool sim_node_may_end(const struct sim_node *node) {
    return sim_node_is_up(node) && node->host.disk.log_writes >= node->guard_writes;
}

struct sim_node *sim_cluster_leader(struct sim_cluster *cluster, uint32_t keyspace) {
    struct sim_node *found = NULL;
    uint64_t term = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct node_status status;
        if (!sim_node_is_up(&cluster->nodes[id]))
            continue;
        node_status(cluster->nodes[id].node, keyspace, &status);
        if (status.replica.role == ROLE_LEADER && status.replica.term > term) {
            term = status.replica.term;
            found = &cluster->nodes[id];
        }
    }
    return found;
}

void sim_cluster_tell_nodes(struct sim_cluster *cluster) {
    const char *addresses[SIM_NODES_MAX], *trees[SIM_NODES_MAX];
    uint32_t count = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (cluster->nodes[id].life != SIM_ABSENT && !cluster->nodes[id].removed &&
            cluster->nodes[id].foreign == SIM_NATIVE) {
            trees[count] = cluster->nodes[id].zookeeper_address;
            addresses[count++] = cluster->nodes[id].redis_address;
        }
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        workload_nodes(cluster->workloads[i], addresses, count);
        if (cluster->zk[i] != NULL)
            zk_nodes(cluster->zk[i], trees, count);
    }
}
