/* What a node tells of itself: as a struct, as JSON, as Prometheus text. */
#include "node/node_internal.h"

#include <string.h>

typedef unsigned long long ull;

struct env *node_env(const struct node *node) {
    return node->env;
}

const struct node_options *node_get_options(const struct node *node) {
    return &node->options;
}

size_t node_machine_bytes(const struct node *node, uint32_t keyspace) {
    const struct stack *stack = &node->groups[keyspace]->stack;
    return stack->kind->memory(stack->machine);
}

uint64_t node_random(struct node *node) {
    return prng_next(&node->prng);
}

bool node_chain_at(const struct node *node, uint32_t keyspace, uint64_t index, uint64_t *chain) {
    const struct group *group = node->groups[keyspace];
    return group->protocol->chain_at(group->replica, index, chain);
}

uint64_t node_applied_index(const struct node *node, uint32_t keyspace) {
    const struct group *group = node->groups[keyspace];
    return group->install != NULL || group_paused(group) ? 0 : group->applied;
}

uint64_t node_state_digest(const struct node *node, uint32_t keyspace) {
    return stack_digest(&node->groups[keyspace]->stack);
}

uint64_t node_work_max(const struct node *node) {
    return node->counted.work_max;
}

bool node_keyspace_find(const struct node *node, const char *name, uint32_t *keyspace) {
    for (uint32_t i = 0; i < node->options.keyspace_count; i++)
        if (strcmp(node->options.keyspaces[i].name, name) == 0) {
            *keyspace = i;
            return true;
        }
    return false;
}

uint32_t node_replicas_current(const struct node *node, uint32_t keyspace) {
    const struct group *group = node->groups[keyspace];
    struct replica_status status;
    group->protocol->status(group->replica, &status);
    uint32_t voters = 0, current = 0;
    for (uint32_t i = 0; i < status.config.count; i++)
        voters += status.config.members[i].voter;
    for (uint32_t i = 0; i < status.peer_count; i++)
        current += status.peers[i].match_index >= status.commit_index &&
                   config_is_voter(&status.config, status.peers[i].id);
    /* Elsewhere than on the leader only this much is sure: what is committed is on a majority. */
    uint32_t sure = voters > 0 ? voters / 2 : 0;
    return current > sure ? current : sure;
}

void node_status(const struct node *node, uint32_t keyspace, struct node_status *status) {
    struct group *group = node->groups[keyspace];
    *status = node->counted;
    status->identity = node->options.identity;
    group->protocol->status(group->replica, &status->replica);
    status->keys = group->stack.kind->count(group->stack.machine);
    status->machine_bytes = group->stack.kind->memory(group->stack.machine);
    status->state_digest = stack_digest(&group->stack);
    status->time_ms = group_time_ms(group);
    status->wall_ms = node_wall_ms(group->node);
    status->agreed = group->stack.agreed;
    status->snapshot_index = group->snapshot_index;
    status->snapshot_running = group->snapshot != NULL;
    status->sessions = once_sessions(group->stack.once);
    status->cluster_version = group->stack.agreed.version;
    status->requests = (uint32_t)group->request_count;
    for (int i = 0; i < PEERS_MAX; i++)
        status->links_up += peer_link(node, node->peers[i].id) != NULL;
    status->health = group_health(group, &status->replica);
}

static const char *role_text(enum role role) {
    static const char *const texts[] = {"?", "follower", "pre-candidate", "candidate", "leader"};
    return texts[role];
}

void json_plain(struct buf *text, size_t from) {
    for (size_t i = from; i < text->len; i++)
        if (text->data[i] < 32 || text->data[i] == '"' || text->data[i] == '\\')
            text->data[i] = '?';
}

static void json_members(const struct node_status *status, struct buf *out) {
    const struct config *config = &status->replica.config;
    buf_printf(out, "\"joint\":%s,\"members\":[", config->joint ? "true" : "false");
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        buf_printf(out,
                   "%s{\"id\":%llu,\"address\":\"%s\",\"incarnation\":\"%016llx\",\"role\":\"%s\"",
                   i ? "," : "", (ull)member->id, member->address, (ull)member->incarnation,
                   member->voter || member->voter_old ? "voter" : "learner");
        for (uint32_t p = 0; p < status->replica.peer_count; p++)
            if (status->replica.peers[p].id == member->id)
                buf_printf(out, ",\"match\":%llu,\"lag\":%llu,\"active\":%s,\"snapshot\":%s",
                           (ull)status->replica.peers[p].match_index,
                           (ull)(status->replica.last_index - status->replica.peers[p].match_index),
                           status->replica.peers[p].active ? "true" : "false",
                           status->replica.peers[p].snapshotting ? "true" : "false");
        buf_printf(out, "}");
    }
    buf_printf(out, "]");
}

/* What one keyspace tells, without the braces. */
static void json_fields(const struct node *node, uint32_t keyspace, struct buf *out) {
    struct node_status status;
    node_status(node, keyspace, &status);
    buf_printf(out,
               "\"role\":\"%s\",\"term\":%llu,\"leader\":%llu,\"cluster_version\":%u,"
               "\"first_index\":%llu,\"last_index\":%llu,\"durable_index\":%llu,",
               role_text(status.replica.role), (ull)status.replica.term, (ull)status.replica.leader,
               status.cluster_version, (ull)status.replica.first_index,
               (ull)status.replica.last_index, (ull)status.replica.durable_index);
    buf_printf(out,
               "\"commit_index\":%llu,\"applied_index\":%llu,\"snapshot_index\":%llu,"
               "\"lease_left_ms\":%llu,",
               (ull)status.replica.commit_index, (ull)status.replica.applied_index,
               (ull)status.snapshot_index, (ull)(status.replica.lease_left_ns / 1000000));
    buf_printf(out,
               "\"keys\":%llu,\"machine_bytes\":%zu,\"digest\":\"%016llx\",\"time_ms\":%llu,"
               "\"sessions\":%llu,\"requests\":%u,",
               (ull)status.keys, status.machine_bytes, (ull)status.state_digest,
               (ull)status.time_ms, (ull)status.sessions, status.requests);
    buf_printf(out, "\"clock_off_ms\":%lld,", (long long)(status.wall_ms - status.time_ms));
    json_members(&status, out);
}

static void json_keyspaces(const struct node *node, struct buf *out) {
    buf_printf(out, "\"keyspaces\":[");
    NODE_EACH_GROUP(group, node) {
        const struct node_keyspace *named = &node->options.keyspaces[group->keyspace];
        struct replica_status replica;
        group->protocol->status(group->replica, &replica);
        buf_printf(out,
                   "%s{\"name\":\"%s\",\"machine\":\"%s\",\"protocol\":\"%s\",\"health\":\"%s\",",
                   group->keyspace ? "," : "", named->name, named->machine, named->protocol,
                   group_health(group, &replica));
        json_fields(node, group->keyspace, out);
        buf_printf(out, "}");
    }
    buf_printf(out, "]");
}

/* The first keyspace's fields stand at the top too. */
void node_status_json(const struct node *node, struct buf *out) {
    const struct identity *identity = &node->options.identity;
    struct node_status status;
    struct wal_stats log;
    node_status(node, 0, &status);
    wal_stats(node->wal, &log);
    buf_printf(out,
               "{\"node\":%llu,\"cluster\":\"%016llx\",\"incarnation\":\"%016llx\",\"epoch\":%llu,"
               "\"version\":\"%s\",\"health\":\"%s\",\"links_up\":%u,\"log_bytes\":%llu,"
               "\"log_direct\":%s,",
               (ull)identity->node, (ull)identity->cluster, (ull)identity->incarnation,
               (ull)identity->epoch, CAIRN_VERSION, node_health(node), status.links_up,
               (ull)log.log_bytes, log.direct ? "true" : "false");
    buf_printf(out, "\"cluster_name\":\"");
    size_t from = out->len;
    buf_printf(out, "%s", node->options.cluster_name);
    json_plain(out, from);
    buf_printf(out, "\",");
    members_json(node, out);
    json_fields(node, 0, out);
    buf_printf(out, ",");
    json_keyspaces(node, out);
    buf_printf(out, "}\n");
}

/* X(name, type, help, value of `status`) */
#define KEYSPACE_METRICS(X)                                                                    \
    X("cairn_is_leader", "gauge", "1 on the leader", status->replica.role == ROLE_LEADER)      \
    X("cairn_has_leader", "gauge", "1 when a leader is known", status->replica.leader != 0)    \
    X("cairn_term", "gauge", "Current term", status->replica.term)                             \
    X("cairn_last_index", "gauge", "Last index in the log", status->replica.last_index)        \
    X("cairn_commit_index", "gauge", "Commit index", status->replica.commit_index)             \
    X("cairn_applied_index", "gauge", "Applied index", status->replica.applied_index)          \
    X("cairn_snapshot_index", "gauge", "Index of the newest snapshot", status->snapshot_index) \
    X("cairn_damaged", "gauge", "1 while the log waits for repair", status->replica.damaged)   \
    X("cairn_keys", "gauge", "Keys in the machine", status->keys)                              \
    X("cairn_machine_bytes", "gauge", "Memory of the machine's state", status->machine_bytes)  \
    X("cairn_log_memory_bytes", "gauge", "Log entries held in memory",                         \
      status->replica.memory_bytes)                                                            \
    X("cairn_sessions", "gauge", "Open exactly-once sessions", status->sessions)               \
    X("cairn_requests", "gauge", "Requests outstanding", status->requests)                     \
    X("cairn_clock_off_ms", "gauge", "Replicated time and this node's clock differ by this",   \
      clock_off_ms(status))                                                                    \
    X("cairn_cluster_version", "gauge", "Replicated cluster version", status->cluster_version)

static uint64_t clock_off_ms(const struct node_status *status) {
    return status->wall_ms > status->time_ms ? status->wall_ms - status->time_ms
                                             : status->time_ms - status->wall_ms;
}

static void keyspace_metrics(const struct node *node, struct buf *out) {
    struct node_status all[NODE_KEYSPACES_MAX];
    for (uint32_t i = 0; i < node->group_count; i++)
        node_status(node, i, &all[i]);
#define X(metric, type, help, value)                                                           \
    buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n", metric, help, metric, type);               \
    for (uint32_t i = 0; i < node->group_count; i++) {                                         \
        const struct node_status *status = &all[i];                                            \
        buf_printf(out, "%s{keyspace=\"%s\"} %llu\n", metric, node->options.keyspaces[i].name, \
                   (ull)(value));                                                              \
    }
    KEYSPACE_METRICS(X)
#undef X
}

struct metric {
    const char *name;
    const char *type;
    const char *help;
    uint64_t value;
};

void node_metrics(const struct node *node, struct buf *out) {
    struct node_status status;
    struct wal_stats log;
    keyspace_metrics(node, out);
    node_status(node, 0, &status);
    wal_stats(node->wal, &log);
    const struct metric metrics[] = {
        {"cairn_links_up", "gauge", "Peers linked", status.links_up},
        {"cairn_executed_total", "counter", "Requests answered", status.counters.executed},
        {"cairn_refused_total", "counter", "Requests refused, not executed",
         status.counters.refused},
        {"cairn_unknown_total", "counter", "Requests whose fate is unknown",
         status.counters.unknown},
        {"cairn_forwarded_total", "counter", "Requests sent on to the leader",
         status.counters.forwarded},
        {"cairn_reads_total", "counter", "Reads executed", status.counters.reads},
        {"cairn_applied_total", "counter", "Entries applied", status.counters.applied},
        {"cairn_elections_won_total", "counter", "Elections won", status.counters.elections},
        {"cairn_turn_work_max", "gauge", "Greatest work of one turn of a group, in units",
         status.work_max},
        {"cairn_snapshots_taken_total", "counter", "Snapshots written",
         status.counters.snapshots_taken},
        {"cairn_snapshots_sent_total", "counter", "Snapshots sent to peers",
         status.counters.snapshots_sent},
        {"cairn_snapshots_installed_total", "counter", "Snapshots installed from a leader",
         status.counters.snapshots_installed},
        {"cairn_frames_bad_total", "counter", "Peer frames refused as damaged or malformed",
         status.counters.frames_bad},
        {"cairn_links_refused_total", "counter", "Peer connections refused at hello",
         status.counters.links_refused},
        {"cairn_log_writes_total", "counter", "Disk writes of the log", log.writes},
        {"cairn_log_written_bytes_total", "counter", "Bytes written to the log", log.bytes_written},
        {"cairn_log_bytes", "gauge", "Log on disk", log.log_bytes},
        {"cairn_log_write_ns", "gauge", "Duration of the last log write", log.write_ns_last},
        {"cairn_log_full", "gauge", "1 while the disk is full", log.full},
        {"cairn_wal_damaged", "gauge", "1 while a file of the log has damage that was found",
         log.damaged},
        {"cairn_wal_scrubbed_bytes", "counter", "Bytes of the log read back to find damage",
         status.counters.scrubbed_bytes},
        {"cairn_wal_damage_found", "counter", "Damage of the log found while running",
         status.counters.damage_found},
        {"cairn_wal_damage_repaired", "counter", "Times the log was whole again after such damage",
         status.counters.damage_repaired},
        {"cairn_log_room_bytes", "gauge", "Log that can be written without asking for space",
         log.room_bytes},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", metrics[i].name, metrics[i].help,
                   metrics[i].name, metrics[i].type, metrics[i].name, (ull)metrics[i].value);
    spans_metrics(&node->slices, out, "cairn_snapshot_slice_seconds",
                  "Time of the event loop that a slice of snapshot work took");
}
