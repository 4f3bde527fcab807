/* One run: its phases, and what is told of it. */
#include "sim/sim.h"

#include "base/alloc.h"
#include "sim/sim_cluster.h"

#include <string.h>

#define CONVERGE_NS (60 * SIM_S) /* of virtual time, until all must be well again */
#define DRAIN_NS (30 * SIM_S)
#define OPERATOR_TRIES 30u
#define CHANGE_ENDS_NS                                                        \
    (150 * SIM_S) /* what a member that is connected may take, and going back \
                   */
#define QUIET_NS (5 * SIM_S)

typedef unsigned long long ull;

static void run_until(struct sim_cluster *cluster, uint64_t until) {
    struct sim_world *world = &cluster->world;
    while (!world->failed && sim_world_step(world, until)) {
    }
}

/* ---- clients ---- */

static uint64_t world_now(void *context) {
    const struct sim_cluster *cluster = context;
    return cluster->world.now;
}

static void log_client(void *context, const char *text) {
    struct sim_cluster *cluster = context;
    sim_log(&cluster->world, "client", "%s", text);
}

/* ZooKeeper's clients; then those of Redis are there for operators alone. */
static void open_zk(struct sim_cluster *cluster, const struct workload_options *as) {
    struct sim_world *world = &cluster->world;
    struct zk_options options = {.clients = as->clients,
                                 .keys = (uint32_t)sim_between(world, 1, 4),
                                 .depth = (uint32_t)sim_spread(world, 1, 32),
                                 .think_ns = as->think_ns,
                                 .timeout_ns = sim_spread(world, 8, 40) *
                                               cluster->defaults.election_timeout_max_ns,
                                 .now = world_now,
                                 .context = cluster};
    /* A replica may lag by a second where limits are tiny, and a session that it opens is told that
     * much later. */
    if (options.timeout_ns < 2 * SIM_S || cluster->asked.scenario == SIM_CALM)
        options.timeout_ns += 2 * SIM_S;
    options.habits = sim_habits(cluster, SIM_TREE_HABITS, ZK_HABIT_COUNT);
    options.naps = cluster->asked.scenario != SIM_CALM;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        options.seed = sim_below(world, UINT64_MAX);
        options.first_client = 1 + i * 64;
        cluster->zk[i] = zk_open(&cluster->clients[i].env, &options);
    }
}

static void open_clients(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    bool calm = cluster->asked.scenario == SIM_CALM;
    uint32_t all = (1u << WORKLOAD_KIND_COUNT) - 1;
    struct workload_options options = {
        .clients = (uint32_t)sim_between(world, 1, 6),
        .kinds = (uint32_t)sim_between(world, 1, all) | (uint32_t)sim_between(world, 1, all),
        .keys = (uint32_t)sim_spread(world, 1, 5),
        .think_ns = sim_spread(world, SIM_MS, 64 * SIM_MS),
        .timeout_ns = sim_spread(world, 100 * SIM_MS, 5 * SIM_S),
        .habits = sim_habits(cluster, SIM_KEY_HABITS, WORKLOAD_HABIT_COUNT),
        .expiry_ms_max = sim_spread(world, 10, 5000),
        .sessions_may_end = sim_faults_jump(cluster),
        .now = world_now,
        .context = cluster,
        .log = cluster->asked.log != NULL ? log_client : NULL,
    };
    if (calm || cluster->asked.scenario == SIM_FULL)
        options.kinds = all;
    if (cluster->asked.clients)
        options.clients = cluster->asked.clients;
    if (cluster->asked.think_us)
        options.think_ns = cluster->asked.think_us * SIM_US;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        sim_host_start(&cluster->clients[i]);
    if (sim_has_tree(cluster))
        open_zk(cluster, &options);
    if (!sim_has_keys(cluster))
        options.clients = 0;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        options.seed = sim_below(world, UINT64_MAX);
        options.first_client = 1 + i * 64;
        cluster->workloads[i] = workload_open(&cluster->clients[i].env, &options);
    }
}

/* ---- phases ---- */

static void clients_begin(struct sim_cluster *cluster, unsigned host) {
    if (cluster->zk[host] != NULL)
        zk_start(cluster->zk[host]);
    if (sim_has_keys(cluster))
        workload_start(cluster->workloads[host]);
}

static void start_all(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    /* The cluster is to be upgraded later. */
    bool old = sim_chance(world, 1, 4) || cluster->asked.fault_mask == 1ull << SIM_FAULT_UPGRADE;
    old &= cluster->apart.mask == 0; /* what these do older versions did not survive */
    for (unsigned id = 1; id <= cluster->founders; id++) {
        cluster->nodes[id].wire_version = old ? WIRE_VERSION_MIN : WIRE_VERSION_MAX;
        cluster->older |= old;
        sim_node_plan_start(&cluster->nodes[id], world->now + sim_below(world, 200 * SIM_MS));
    }
    sim_cluster_tell_nodes(cluster);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        clients_begin(cluster, i);
}

static bool clients_idle(const struct sim_cluster *cluster) {
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        if ((cluster->zk[i] != NULL && !zk_idle(cluster->zk[i])) ||
            !workload_idle(cluster->workloads[i]))
            return false;
    return true;
}

/* Steps until done() or the time is over; false: it is. */
static bool run_while_not(struct sim_cluster *cluster, bool (*done)(const struct sim_cluster *),
                          uint64_t limit_ns) {
    uint64_t until = cluster->world.now + limit_ns;
    while (!cluster->world.failed && !done(cluster)) {
        if (cluster->world.now >= until)
            return false;
        run_until(cluster, cluster->world.now + 50 * SIM_MS);
    }
    return true;
}

/* A member that is asked for and absent is given up after twenty election timeouts of a leader,
 * whose own setting may be three times the others', and whose clock may be slow. */
static uint64_t converge_ns(const struct sim_cluster *cluster) {
    uint64_t needed = 75 * cluster->defaults.election_timeout_max_ns;
    return needed > CONVERGE_NS ? needed : CONVERGE_NS;
}

/* Replicas that are behind and come nearer are waited for: some take one entry a round trip. */
static bool try_to_converge(struct sim_cluster *cluster, char *why, size_t size) {
    uint64_t until = cluster->world.now + converge_ns(cluster), least = UINT64_MAX;
    while (!cluster->world.failed && !sim_judge_converged(cluster, why, size)) {
        uint64_t behind = sim_judge_behind(cluster);
        if (behind < least)
            until = cluster->world.now + converge_ns(cluster);
        else if (cluster->world.now >= until)
            return false;
        least = behind < least ? behind : least;
        run_until(cluster, cluster->world.now + 100 * SIM_MS);
    }
    return !cluster->world.failed;
}

static void converge(struct sim_cluster *cluster) {
    char why[300] = "";
    if (!try_to_converge(cluster, why, sizeof why))
        sim_fail(&cluster->world, "healed, and for %llu s no nearer to an end: %s",
                 (unsigned long long)(converge_ns(cluster) / SIM_S), why);
}

static bool script_over(const struct sim_cluster *cluster) {
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        if (cluster->zk[i] != NULL && !zk_finished(cluster->zk[i]))
            return false;
    return sim_load_is_over(cluster) &&
           (!sim_has_keys(cluster) || workload_finished(cluster->workloads[0]));
}

static bool members_of(struct sim_cluster *cluster, uint32_t keyspace, struct config *config) {
    struct node_status status;
    const struct sim_node *leader = sim_cluster_leader(cluster, keyspace);
    if (leader == NULL)
        return false;
    node_status(leader->node, keyspace, &status);
    *config = status.replica.config;
    return true;
}

static bool same_member(const struct member *a, const struct member *b) {
    if (a == NULL || b == NULL)
        return a == b;
    return (a->voter || a->rejoining) == (b->voter || b->rejoining) &&
           strcmp(a->address, b->address) == 0;
}

/* A node that is not the same member in both keyspaces: a change ended halfway. 0: none. */
static unsigned half_member(struct sim_cluster *cluster) {
    struct config first, second;
    if (cluster->defaults.keyspace_count < 2 || !members_of(cluster, 0, &first) ||
        !members_of(cluster, 1, &second))
        return 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (!same_member(config_member(&first, id), config_member(&second, id)))
            return id;
    return 0;
}

/* True when the first keyspace's leader has seen the end of every change that it knows. */
static bool changes_ended(const struct sim_cluster *cluster) {
    bool half;
    const struct sim_node *leader = sim_cluster_leader((struct sim_cluster *)cluster, 0);
    return leader != NULL && !node_changes_members(leader->node, &half);
}

/* Else what the operator asked may yet be done. */
static bool operator_answered(const struct sim_cluster *cluster) {
    return !workload_commanding(cluster->workloads[0]);
}

/* An aim ends by itself, in every keyspace alike, whatever became of the leaders that drove it;
 * only one that failed and could not be undone, or a change of before there were aims, is by
 * halves. */
static void judge_member_changes(struct sim_cluster *cluster) {
    bool half = false;
    run_while_not(cluster, operator_answered, CHANGE_ENDS_NS);
    if (!run_while_not(cluster, changes_ended, CHANGE_ENDS_NS) && !cluster->world.failed)
        sim_fail(&cluster->world, "a change of members does not end");
    const struct sim_node *leader = sim_cluster_leader(cluster, 0);
    if (leader == NULL || cluster->older || cluster->changed_before_aims || cluster->world.failed)
        return;
    node_changes_members(leader->node, &half);
    unsigned id = half_member(cluster);
    if (id != 0 && !half)
        sim_fail(&cluster->world,
                 "no change of members is under way, and %u is not the same in both "
                 "keyspaces",
                 id);
}

/* The operator had no answer, and asks again. */
static void end_member_changes(struct sim_cluster *cluster) {
    unsigned id;
    judge_member_changes(cluster);
    for (unsigned i = 0; i < OPERATOR_TRIES && (id = half_member(cluster)) != 0; i++) {
        char number[12];
        snprintf(number, sizeof number, "%u", id);
        workload_command(cluster->workloads[0], i % cluster->founders,
                         (const char *[]){"CAIRN.MEMBER", "REMOVE", number}, 3);
        run_until(cluster, cluster->world.now + SIM_S);
    }
}

/* Members that a leader knows are to run, all others not. */
static void settle_members(struct sim_cluster *cluster) {
    bool member[SIM_NODES_MAX + 1] = {0};
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        struct node_status status;
        const struct sim_node *leader = sim_cluster_leader(cluster, keyspace);
        if (leader == NULL)
            return;
        node_status(leader->node, keyspace, &status);
        for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
            member[id] |= config_member(&status.replica.config, id) != NULL;
    }
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (!member[id] && node->life != SIM_ABSENT) {
            sim_node_crash(node, SIM_END_KILL, false, SIM_S);
            node->life = SIM_ABSENT;
        }
    }
    sim_cluster_tell_nodes(cluster);
}

/* What keys that expire cause passes. A request that was placed in the log, given up and
 * overwritten stays until its index is applied again: a few for each client, no more. */
#define REQUESTS_LEFT_MAX 64u

static bool requests_done(const struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct node_status status;
        if (!sim_node_is_up(&cluster->nodes[id]))
            continue;
        for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
            node_status(cluster->nodes[id].node, keyspace, &status);
            if (status.requests > REQUESTS_LEFT_MAX)
                return false;
        }
    }
    return true;
}

static uint64_t applied_in_all(const struct sim_cluster *cluster) {
    return cluster->truth[0].highest + cluster->truth[1].highest;
}

static void judge_quiet(struct sim_cluster *cluster) {
    struct sim_net *net = &cluster->net;
    uint64_t up = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        up += sim_node_is_up(&cluster->nodes[id]);
    if (!run_while_not(cluster, requests_done, 2 * CONVERGE_NS) && !cluster->world.failed)
        sim_fail(&cluster->world, "a node holds requests for ever that no client waits for");
    uint64_t before = net->chunks, applied = applied_in_all(cluster);
    run_until(cluster, cluster->world.now + QUIET_NS);
    uint64_t most =
        cluster->defaults.keyspace_count * QUIET_NS / cluster->defaults.heartbeat_ns * up * 3 * 2 +
        20 * up * up + 100;
    most += (applied_in_all(cluster) - applied) * up * 4; /* what time itself brings about */
    if (net->chunks - before > most)
        sim_fail(&cluster->world,
                 "a cluster with nothing to do sends %llu pieces in %llu s (%llu would be much)",
                 (ull)(net->chunks - before), QUIET_NS / SIM_S, (ull)most);
}

static void fail_waiting(struct sim_cluster *cluster) {
    struct buf text = {0};
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        if (cluster->zk[i] != NULL)
            zk_print_waiting(cluster->zk[i], &text);
    sim_fail(&cluster->world, "a client waits for ever; %.*s", (int)text.len,
             text.data ? (const char *)text.data : "");
    buf_free(&text);
}

static void heal_and_judge(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    char why[300] = "";
    cluster->healing = cluster->rare.quiet = true;
    sim_faults_heal(cluster);
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        workload_stop(cluster->workloads[i]);
        if (cluster->zk[i] != NULL)
            zk_stop(cluster->zk[i]);
    }
    bool idle = run_while_not(cluster, clients_idle, DRAIN_NS);
    if (cluster->asked.scenario == SIM_ALL_DAMAGED &&
        (!idle || !try_to_converge(cluster, why, sizeof why)))
        return; /* no wrong answer was given; more can't be asked */
    if (!idle && !world->failed)
        fail_waiting(cluster);
    converge(cluster);
    end_member_changes(cluster);
    settle_members(cluster);
    if (world->failed)
        return;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++)
        if (cluster->zk[i] != NULL)
            zk_finish(cluster->zk[i]);
    if (sim_has_keys(cluster))
        workload_finish(cluster->workloads[0]);
    sim_load_finish(cluster);
    if (!run_while_not(cluster, script_over, DRAIN_NS * 4) && !world->failed)
        sim_fail(world, "the last reads do not end although all is healed");
    converge(cluster);
    cluster->read_at_end = !world->failed;
    judge_quiet(cluster);
}

static void count_up(struct sim_cluster *cluster) {
    struct sim_result *result = cluster->result;
    for (unsigned i = 0; i < SIM_CLIENT_HOSTS; i++) {
        struct workload_stats stats;
        workload_stats(cluster->workloads[i], &stats);
        result->ops_ok += stats.ok;
        result->ops_failed += stats.failed;
        result->ops_unknown += stats.unknown;
        if (cluster->zk[i] == NULL)
            continue;
        struct zk_stats zk;
        zk_stats(cluster->zk[i], &zk);
        result->ops_ok += zk.answered;
        result->ops_unknown += zk.unanswered;
        result->sessions_resumed += zk.resumed;
        result->sessions_expired += zk.expired;
        result->notifications += zk.notifications;
    }
    result->events = cluster->world.events;
    result->event_hash = cluster->world.hash;
    result->virtual_ns = cluster->world.now;
    result->bytes = cluster->net.bytes;
    memcpy(result->rare_hits, cluster->rare.hits, sizeof result->rare_hits);
}

void sim_run(const struct sim_options *options, struct sim_result *result) {
    struct sim_cluster *cluster = sim_cluster_new(options, result);
    struct sim_world *world = &cluster->world;
    uint64_t drawn_ms = sim_spread(world, 4000, 20000);
    uint64_t fault_ns = (options->fault_ms ? options->fault_ms : drawn_ms) * SIM_MS;
    sim_foreign_before(cluster);
    if (cluster->focus.on && options->fault_ms == 0)
        fault_ns = cluster->focus.fault_ns;
    open_clients(cluster);
    start_all(cluster);
    fault_ns += world->now;
    sim_faults_start(cluster, fault_ns);
    sim_harm_start(cluster);
    while (!world->failed && world->now < fault_ns + cluster->apart.leapt_ns)
        run_until(cluster, fault_ns + cluster->apart.leapt_ns);
    if (options->scenario == SIM_FULL && !world->failed)
        sim_full_run(cluster);
    if (!world->failed)
        heal_and_judge(cluster);
    if (!world->failed)
        sim_judge_history(cluster);
    else if (options->history != NULL)
        sim_judge_history(cluster);
    count_up(cluster);
    result->ok = !world->failed;
    memcpy(result->reason, world->reason, sizeof result->reason);
    sim_cluster_free(cluster);
}
