/* A majority whose members are whole, run at their speed and are connected with each other has a
 * leader soon (Chandra and Toueg 1996: with timely links and a majority, agreement ends), and what
 * waits in a node is bounded. */
#include "sim/sim_oracle.h"

#include <string.h>

typedef unsigned long long ull;

/* That a node makes by itself, beside its clients' and peers': a thousand ends of sessions, what is
 * due, members, versions. */
#define OWN_REQUESTS_MAX 1024u
#define LOOK_NS (20 * SIM_MS)
#define GAP_NS (100 * SIM_MS)
#define LEADERLESS_NS (2 * SIM_S)
#define LEADERLESS_TIMEOUTS 8u
#define PACE_NS (200 * SIM_US) /* of a round; a slow loop's are longer */
#define WORK_NS (50 * SIM_MS)  /* what a slow disk began stays slow when it is well again */
#define LATENCY_NS (50 * SIM_MS)

/* ---- which machines are well ---- */

/* One that holds no entry may have lost its disk, and then its voice does not count. */
static bool is_well(const struct oracle_replica *replica) {
    const struct sim_node *node = replica->node;
    const struct sim_host *host = &node->host;
    const struct sim_disk *disk = &host->disk;
    uint64_t now = host->world->now;
    if (!sim_node_is_up(node) || node->failed || replica->inner == NULL || host->paused ||
        host->off || host->profile.turn_ns > PACE_NS || host->busy_until > now + PACE_NS)
        return false;
    if (host->disk_factor != 1 || host->disk_hung_until > now ||
        sim_env_longest_job(host) > WORK_NS || disk->space != UINT64_MAX || disk->exhausted ||
        disk->damaged || disk->lied || disk->fail_write_in >= 0 || disk->fail_sync_in >= 0)
        return false;
    struct replica_status status;
    replica->protocol->status(replica->inner, &status);
    return !status.damaged && !status.failed && !status.diverged && status.config.count > 0 &&
           status.last_index > 0;
}

struct group_view {
    struct sim_oracle *oracle;
    bool well[SIM_NODES_MAX + 1];
    bool connected[SIM_NODES_MAX + 1][SIM_NODES_MAX + 1];
};

static bool is_timely(const struct sim_net *net, unsigned from, unsigned to) {
    return !net->links[from][to].blocked && net->links[from][to].latency_ns <= LATENCY_NS;
}

static void find_connected(struct group_view *view) {
    const struct sim_net *net = &view->oracle->cluster->net;
    LIST_EACH(at, &net->conns) {
        const struct sim_conn *conn = container_of(at, struct sim_conn, list);
        const struct sim_end *ends = conn->ends;
        if (!conn->peer || conn->dead || conn->stalled_until > net->world->now ||
            ends[0].stream == NULL || ends[1].stream == NULL || ends[0].closing || ends[1].closing)
            continue;
        unsigned a = ends[0].host->id, b = ends[1].host->id;
        if (a <= SIM_NODES_MAX && b <= SIM_NODES_MAX && is_timely(net, a, b) &&
            is_timely(net, b, a))
            view->connected[a][b] = view->connected[b][a] = true;
    }
}

static uint64_t is_there(const void *context, uint64_t id) {
    const struct group_view *view = context;
    return id <= SIM_NODES_MAX && view->well[id] ? 2 : 1;
}

/* ---- the longest that may go by ---- */

/* Of those that are well: all are connected with each other and are a majority, by the
 * configuration of the one that knows most, and none leads. 0: that is not so. */
static uint64_t patience(struct group_view *view, uint32_t keyspace) {
    const struct belief *newest = NULL;
    uint64_t longest = 0;
    for (unsigned a = 1; a <= SIM_NODES_MAX; a++) {
        const struct oracle_replica *replica = &view->oracle->replicas[a][keyspace];
        if (replica->inner != NULL && replica->seen.role == ROLE_LEADER)
            return 0;
        if (!view->well[a])
            continue;
        if (newest == NULL || replica->seen.commit > newest->commit)
            newest = &replica->seen;
        if (replica->node->options.election_timeout_max_ns > longest)
            longest = replica->node->options.election_timeout_max_ns;
        for (unsigned b = 1; b < a; b++)
            if (view->well[b] && !view->connected[a][b])
                return 0;
    }
    if (newest == NULL || newest->config == NULL ||
        quorum_votes(newest->config, is_there, view) != QUORUM_WON)
        return 0;
    return LEADERLESS_NS + LEADERLESS_TIMEOUTS * longest;
}

static void look_at_keyspace(struct sim_oracle *oracle, struct group_view *view,
                             uint32_t keyspace) {
    struct oracle_keyspace *of = &oracle->keyspaces[keyspace];
    uint64_t now = oracle->cluster->world.now;
    memset(view->well, 0, sizeof view->well);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        view->well[id] = is_well(&oracle->replicas[id][keyspace]);
    uint64_t most = of->leading_term > 0 ? patience(view, keyspace) : 0;
    if (most == 0)
        of->leaderless_since = now;
    else if (now - of->leaderless_since > most)
        sim_fail(&oracle->cluster->world,
                 "a majority that is connected has a leader soon: for %llu ms there has been none "
                 "(%s)",
                 (ull)((now - of->leaderless_since) / SIM_MS),
                 oracle->cluster->defaults.keyspaces[keyspace].name);
}

/* A start in between, or no round of any node for long (all were down): what was seen before does
 * not go on. */
static bool was_interrupted(struct sim_oracle *oracle) {
    uint64_t lives = 0, now = oracle->cluster->world.now;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        lives += oracle->cluster->nodes[id].lives;
    bool interrupted = lives != oracle->lives || now > oracle->look_at + GAP_NS;
    oracle->lives = lives;
    return interrupted;
}

void sim_oracle_round(struct sim_oracle *oracle, struct sim_node *node) {
    struct sim_world *world = &oracle->cluster->world;
    if (world->now < oracle->look_at)
        return;
    bool interrupted = was_interrupted(oracle);
    oracle->look_at = world->now + LOOK_NS;
    struct group_view view = {.oracle = oracle};
    find_connected(&view);
    for (uint32_t keyspace = 0; keyspace < oracle->cluster->defaults.keyspace_count; keyspace++) {
        struct node_status status;
        if (interrupted)
            oracle->keyspaces[keyspace].leaderless_since = world->now;
        look_at_keyspace(oracle, &view, keyspace);
        node_status(node->node, keyspace, &status);
        if (status.requests > node->options.requests_max + OWN_REQUESTS_MAX)
            sim_fail(world, "what waits in a node is bounded: %u requests in %s, and %u may be",
                     status.requests, node->host.name, node->options.requests_max);
    }
}
