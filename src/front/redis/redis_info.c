/* INFO: what clients and monitoring read of a server, told as far as it is true here: what is not
 * counted (hits, expiries, processor time) is absent, for a zero would be taken for an answer. */
#include "front/redis/redis_internal.h"

#include <string.h>

typedef unsigned long long ull;

static void server(const struct redis_front *front, const struct node_status *status,
                   struct buf *out) {
    const char *colon = strrchr(front->options.address, ':');
    uint64_t up_s = (env_now(front->env) - front->started_ns) / 1000000000u;
    buf_printf(out,
               "redis_version:" REDIS_VERSION_TOLD "\r\nredis_git_sha1:00000000\r\n"
               "redis_git_dirty:0\r\nredis_build_id:0\r\nredis_mode:standalone\r\nos:Linux\r\n"
               "arch_bits:64\r\nmonotonic_clock:POSIX clock_gettime\r\nmultiplexing_api:epoll\r\n"
               "process_id:%llu\r\nrun_id:%016llx%016llx%08llx\r\ntcp_port:%s\r\n"
               "uptime_in_seconds:%llu\r\nuptime_in_days:%llu\r\nhz:10\r\ncairn_version:%s\r\n",
               (ull)front->options.process_id, (ull)status->identity.cluster,
               (ull)status->identity.incarnation, (ull)status->identity.node,
               colon ? colon + 1 : "0", (ull)up_s, (ull)(up_s / 86400), CAIRN_VERSION);
}

static void clients(const struct redis_front *front, const struct node_status *status,
                    struct buf *out) {
    size_t blocked = 0;
    LIST_EACH(item, &front->waiting)
    blocked++;
    buf_printf(out,
               "connected_clients:%u\r\ncluster_connections:%u\r\nmaxclients:%u\r\n"
               "blocked_clients:%zu\r\ntracking_clients:0\r\n",
               front->conn_count, status->links_up, front->options.clients_max, blocked);
}

static void memory(const struct redis_front *front, const struct node_status *status,
                   struct buf *out) {
    size_t used = status->machine_bytes + status->replica.memory_bytes;
    buf_printf(out,
               "used_memory:%zu\r\nused_memory_human:%.2fM\r\nused_memory_dataset:%zu\r\n"
               "maxmemory:%zu\r\nmaxmemory_human:%.2fM\r\nmaxmemory_policy:noeviction\r\n"
               "mem_allocator:jemalloc\r\n",
               used, (double)used / (1 << 20), status->machine_bytes, front->options.memory_max,
               (double)front->options.memory_max / (1 << 20));
}

static void persistence(const struct redis_front *front, const struct node_status *status,
                        struct buf *out) {
    buf_printf(out,
               "loading:0\r\nasync_loading:0\r\nrdb_bgsave_in_progress:%d\r\n"
               "aof_enabled:1\r\naof_rewrite_in_progress:0\r\naof_last_write_status:%s\r\n"
               "cairn_snapshot_index:%llu\r\n",
               status->snapshot_running, strcmp(status->health, "disk full") == 0 ? "err" : "ok",
               (ull)status->snapshot_index);
}

static void stats(const struct redis_front *front, const struct node_status *status,
                  struct buf *out) {
    buf_printf(
        out,
        "total_connections_received:%llu\r\ntotal_commands_processed:%llu\r\n"
        "instantaneous_ops_per_sec:%llu\r\ntotal_net_input_bytes:%llu\r\n"
        "total_net_output_bytes:%llu\r\nrejected_connections:%llu\r\n"
        "evicted_keys:0\r\nevicted_clients:%llu\r\npubsub_channels:%zu\r\n"
        "pubsub_patterns:%zu\r\ncairn_requests_unknown:%llu\r\ncairn_requests_forwarded:%llu\r\n",
        (ull)front->total_connections, (ull)front->total_commands, (ull)front->commands_per_s,
        (ull)front->bytes_in, (ull)front->bytes_out, (ull)front->rejected_connections,
        (ull)front->evicted_connections, front->channels.count, front->pattern_names.count,
        (ull)status->counters.unknown, (ull)status->counters.forwarded);
}

/* Every node takes writes, so to a client of Redis each is a master. */
static void replication(const struct redis_front *front, const struct node_status *status,
                        struct buf *out) {
    buf_printf(out,
               "role:master\r\nconnected_slaves:0\r\nmaster_failover_state:no-failover\r\n"
               "master_replid:%016llx%016llx00000000\r\nmaster_repl_offset:%llu\r\n"
               "second_repl_offset:-1\r\nrepl_backlog_active:0\r\ncairn_role:%s\r\n"
               "cairn_node:%llu\r\ncairn_leader:%llu\r\ncairn_term:%llu\r\n"
               "cairn_commit_index:%llu\r\ncairn_health:%s\r\n",
               (ull)status->identity.cluster, (ull)status->identity.cluster,
               (ull)status->replica.applied_index,
               status->replica.role == ROLE_LEADER ? "leader" : "follower",
               (ull)status->identity.node, (ull)status->replica.leader, (ull)status->replica.term,
               (ull)status->replica.commit_index, status->health);
}

static void cluster(const struct redis_front *front, const struct node_status *status,
                    struct buf *out) {
    buf_printf(out, "cluster_enabled:0\r\n");
}

static void keyspace(const struct redis_front *front, const struct node_status *status,
                     struct buf *out) {
    if (status->keys > 0)
        buf_printf(out, "db0:keys=%llu\r\n", (ull)status->keys);
}

static void nothing(const struct redis_front *front, const struct node_status *status,
                    struct buf *out) {}

static const struct {
    const char *name;
    void (*tell)(const struct redis_front *, const struct node_status *, struct buf *);
} sections[] = {
    {"Server", server},           {"Clients", clients},    {"Memory", memory},
    {"Persistence", persistence}, {"Stats", stats},        {"Replication", replication},
    {"Modules", nothing},         {"Errorstats", nothing}, {"Cluster", cluster},
    {"Keyspace", keyspace},
};

static bool wanted(const struct call *call, const char *name) {
    if (call->argc == 1)
        return true;
    for (size_t i = 1; i < call->argc; i++)
        if (arg_is(call, i, name) || arg_is(call, i, "all") || arg_is(call, i, "default") ||
            arg_is(call, i, "everything"))
            return true;
    return false;
}

void cmd_info(struct call *call) {
    struct node_status status;
    struct buf text = {0};
    node_status(call->conn->front->node, call->conn->front->options.keyspace, &status);
    for (size_t i = 0; i < sizeof sections / sizeof *sections; i++) {
        if (!wanted(call, sections[i].name))
            continue;
        buf_printf(&text, "%s# %s\r\n", text.len ? "\r\n" : "", sections[i].name);
        sections[i].tell(call->conn->front, &status, &text);
    }
    resp_put_verbatim(call->out, call->conn->protocol, buf_view(&text));
    buf_free(&text);
}
