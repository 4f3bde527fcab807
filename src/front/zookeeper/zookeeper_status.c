/* What the four-letter words, the admin's commands and the metrics tell. */
#include "front/zookeeper/zookeeper_internal.h"

#include <stdio.h>
#include <string.h>

typedef unsigned long long ull;

#define US_PER_MS 1000.0

/* ---- traffic ---- */

void zk_traffic_latency(struct zk_traffic *traffic, uint64_t us) {
    if (traffic->latency_count == 0 || us < traffic->latency_min_us)
        traffic->latency_min_us = us;
    if (us > traffic->latency_max_us)
        traffic->latency_max_us = us;
    traffic->latency_total_us += us;
    traffic->latency_count++;
}

double zk_traffic_average(const struct zk_traffic *traffic) {
    return traffic->latency_count == 0
               ? 0
               : (double)traffic->latency_total_us / (double)traffic->latency_count / US_PER_MS;
}

void zk_reset_server(struct zookeeper_front *front) {
    front->traffic = (struct zk_traffic){0};
    front->counters.response_last = front->counters.response_max = 0;
    front->counters.response_min = 0;
}

void zk_reset_connections(struct zookeeper_front *front) {
    LIST_EACH(item, &front->conns)
    container_of(item, struct zk_conn, list)->traffic = (struct zk_traffic){0};
}

/* ---- the folder ---- */

struct folder {
    struct zookeeper_front *front;
    const char *path;
    uint64_t bytes;
    int depth;
};

static void add_folder(struct folder *folder);

static void add_name(void *context, const char *name, bool is_folder, uint64_t size) {
    struct folder *folder = context;
    char path[1024];
    folder->bytes += is_folder ? 0 : size;
    if (!is_folder || folder->depth == 0 ||
        snprintf(path, sizeof path, "%s/%s", folder->path, name) >= (int)sizeof path)
        return;
    struct folder inner = {folder->front, path, 0, folder->depth - 1};
    add_folder(&inner);
    folder->bytes += inner.bytes;
}

static void add_folder(struct folder *folder) {
    env_list(folder->front->env, folder->path, add_name, folder);
}

uint64_t zk_folder_bytes(struct zookeeper_front *front) {
    struct folder folder = {front, node_get_options(front->node)->folder, 0, 3};
    add_folder(&folder);
    return folder.bytes;
}

/* ---- the state ---- */

static const char *mode_of(const struct zookeeper_front *front,
                           const struct replica_status *replica, uint64_t self) {
    const struct member *member = config_member(&replica->config, self);
    if (front->read_only)
        return "read-only";
    if (replica->config.count == 1)
        return "standalone";
    if (replica->leader == self)
        return "leader";
    return member != NULL && !member->voter ? "observer" : "follower";
}

static void summary_line(struct zk_summary *summary, struct bytes name, uint64_t value) {
    const struct {
        const char *name;
        uint64_t *at;
    } lines[] = {{"nodes", &summary->nodes},
                 {"ephemerals", &summary->ephemerals},
                 {"sessions", &summary->sessions},
                 {"data_bytes", &summary->data_bytes},
                 {"zxid", &summary->zxid}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (bytes_equal(name, bytes_cstr(lines[i].name)))
            *lines[i].at = value;
}

static void ask_summary(struct zookeeper_front *front, struct zk_summary *summary) {
    struct buf query = {0};
    struct zk_reply reply;
    struct reply_value map;
    struct bytes name;
    int64_t value;
    tree_put_head(&query, TREE_OP_SUMMARY, &(struct tree_caller){0});
    if (zk_ask(front, buf_view(&query), &front->answer) &&
        zk_reply_take(buf_view(&front->answer), &reply) && reply.error == TREE_OK &&
        reply_next(&reply.results, &map) && map.kind == REPLY_MAP)
        for (uint32_t i = 0; i < map.count; i++)
            if (zk_take_bulk(&reply.results, &name) && zk_take_int(&reply.results, &value))
                summary_line(summary, name, (uint64_t)value);
    buf_free(&query);
}

/* Those that are connected, as ZooKeeper counts them, not those that are configured. */
static void count_peers(struct zk_summary *summary, const struct replica_status *replica) {
    for (uint32_t i = 0; i < replica->peer_count; i++) {
        const struct member *member = config_member(&replica->config, replica->peers[i].id);
        bool observes = member != NULL && !member->voter;
        summary->observers += observes && replica->peers[i].active;
        summary->followers += !observes && replica->peers[i].active;
    }
}

void zk_summarise(struct zookeeper_front *front, struct zk_summary *summary) {
    *summary = (struct zk_summary){0};
    node_status(front->node, front->keyspace, &summary->node);
    const struct replica_status *replica = &summary->node.replica;
    uint64_t self = summary->node.identity.node;
    summary->serving = front->has_leader || replica->leader != 0 || front->read_only;
    summary->mode = mode_of(front, replica, self);
    count_peers(summary, replica);
    ask_summary(front, summary);
    zk_watches_count(front->watches, &summary->watches);
}

/* ---- lines of names and values ---- */

struct lines {
    zk_line *line;
    void *context;
};

static void text_line(const struct lines *lines, const char *name, const char *value) {
    lines->line(lines->context, name, value);
}

static void number_line(const struct lines *lines, const char *name, uint64_t value) {
    char text[32];
    snprintf(text, sizeof text, "%llu", (ull)value);
    text_line(lines, name, text);
}

/* Of sizes, of which there is none as long as there is no last one. */
static void size_line(const struct lines *lines, const char *name, uint64_t last, uint64_t value) {
    if (last == 0)
        text_line(lines, name, "-1");
    else
        number_line(lines, name, value);
}

static void decimal_line(const struct lines *lines, const char *name, double value) {
    char text[48];
    snprintf(text, sizeof text, "%.4f", value);
    text_line(lines, name, text);
}

static void count_name(void *context, const char *name, bool is_folder, uint64_t size) {
    ++*(uint64_t *)context;
}

static void monitor_leader(const struct lines *lines, const struct zk_summary *summary) {
    if (strcmp(summary->mode, "leader") != 0)
        return;
    const struct config *config = &summary->node.replica.config;
    uint32_t voters = 0;
    for (uint32_t i = 0; i < config->count; i++)
        voters += config->members[i].voter;
    number_line(lines, "quorum_size", voters);
    number_line(lines, "learners", summary->followers + summary->observers);
    number_line(lines, "followers", summary->followers);
    number_line(lines, "synced_followers", summary->followers);
    number_line(lines, "synced_observers", summary->observers);
    number_line(lines, "pending_syncs", 0);
    number_line(lines, "leader_uptime", summary->node.led_ns / NS_PER_MS);
    const struct node_sizes *sizes = &summary->node.proposals;
    size_line(lines, "last_proposal_size", sizes->last, sizes->last);
    size_line(lines, "max_proposal_size", sizes->last, sizes->max);
    size_line(lines, "min_proposal_size", sizes->last, sizes->min);
}

static const char *peer_state(const struct zk_summary *summary) {
    if (!summary->serving || summary->node.replica.leader == 0)
        return "looking - election";
    if (strcmp(summary->mode, "leader") == 0)
        return "leading - broadcast";
    return strcmp(summary->mode, "observer") == 0 ? "observing - broadcast"
                                                  : "following - broadcast";
}

void zk_monitor(struct zookeeper_front *front, zk_line *line, void *context) {
    const struct lines lines = {line, context};
    struct zk_summary summary;
    uint64_t files = 0;
    zk_summarise(front, &summary);
    text_line(&lines, "version", ZK_VERSION_TOLD);
    text_line(&lines, "server_state", summary.mode);
    text_line(&lines, "peer_state", peer_state(&summary));
    decimal_line(&lines, "avg_latency", zk_traffic_average(&front->traffic));
    number_line(&lines, "max_latency", front->traffic.latency_max_us / 1000);
    number_line(&lines, "min_latency", front->traffic.latency_min_us / 1000);
    number_line(&lines, "packets_received", front->traffic.received);
    number_line(&lines, "packets_sent", front->traffic.sent);
    number_line(&lines, "num_alive_connections", front->conn_count);
    number_line(&lines, "outstanding_requests", front->outstanding);
    number_line(&lines, "znode_count", summary.nodes);
    number_line(&lines, "watch_count", summary.watches.watches);
    number_line(&lines, "ephemerals_count", summary.ephemerals);
    number_line(&lines, "approximate_data_size", summary.data_bytes);
    number_line(&lines, "global_sessions", summary.sessions);
    number_line(&lines, "local_sessions", 0);
    if (env_list(front->env, "/proc/self/fd", count_name, &files) == CAIRN_OK)
        number_line(&lines, "open_file_descriptor_count", files);
    if (front->options.descriptors_max > 0)
        number_line(&lines, "max_file_descriptor_count", front->options.descriptors_max);
    number_line(&lines, "uptime", (front->now_ns - front->started_ns) / NS_PER_MS);
    uint64_t last = front->counters.response_last;
    size_line(&lines, "last_client_response_size", last, last);
    size_line(&lines, "max_client_response_size", last, front->counters.response_max);
    size_line(&lines, "min_client_response_size", last, front->counters.response_min);
    number_line(&lines, "bytes_received_count", front->counters.bytes_received);
    number_line(&lines, "connection_request_count", front->counters.connects);
    number_line(&lines, "connection_drop_count", front->counters.dropped);
    number_line(&lines, "auth_failed_count", front->counters.auth_failed);
    number_line(&lines, "connection_rejected", front->counters.rejected);
    number_line(&lines, "throttled_ops", front->counters.throttled);
    number_line(&lines, "large_requests_rejected", front->counters.large);
    number_line(&lines, "watch_bytes", summary.watches.bytes);
    number_line(&lines, "proposal_count", summary.node.counters.executed);
    number_line(&lines, "looking_count", summary.node.counters.elections);
    number_line(&lines, "machine_bytes", summary.node.machine_bytes);
    monitor_leader(&lines, &summary);
}

void zk_environment(struct zookeeper_front *front, zk_line *line, void *context) {
    const struct lines lines = {line, context};
    text_line(&lines, "zookeeper.version", ZK_VERSION_TOLD);
    text_line(&lines, "host.name", front->options.host_name);
    text_line(&lines, "cairn.version", CAIRN_VERSION);
    number_line(&lines, "process.id", front->options.process_id);
    text_line(&lines, "user.dir", node_get_options(front->node)->folder);
}

static uint64_t port_of(const char *address) {
    const char *colon = strrchr(address, ':');
    uint64_t port = 0;
    for (; colon != NULL && colon[1] >= '0' && colon[1] <= '9'; colon++)
        port = port * 10 + (uint64_t)(colon[1] - '0');
    return port;
}

void zk_configuration(struct zookeeper_front *front, zk_line *line, void *context) {
    const struct lines lines = {line, context};
    const struct zookeeper_options *options = &front->options;
    const struct node_options *node = node_get_options(front->node);
    number_line(&lines, "clientPort", port_of(options->address));
    text_line(&lines, "secureClientPort", "-1");
    text_line(&lines, "dataDir", node->folder);
    text_line(&lines, "dataLogDir", node->folder);
    number_line(&lines, "tickTime", options->tick_ms);
    number_line(&lines, "maxClientCnxns", options->clients_per_address);
    number_line(&lines, "minSessionTimeout", options->timeout_min_ms);
    number_line(&lines, "maxSessionTimeout", options->timeout_max_ms);
    number_line(&lines, "serverId", node->identity.node);
    number_line(&lines, "quorumPort", port_of(node->peer_address));
    number_line(&lines, "jute.maxbuffer", options->frame_bytes_max);
    text_line(&lines, "readonlymode.enabled", options->read_only ? "true" : "false");
    text_line(&lines, "linearizableReads", options->linearizable_reads ? "true" : "false");
}

/* ---- Prometheus ---- */

void zookeeper_front_metrics(struct zookeeper_front *front, struct metrics *metrics) {
    struct zk_summary summary;
    zk_summarise(front, &summary);
    const struct zk_traffic *traffic = &front->traffic;
    const struct {
        enum metric_id id;
        uint64_t value;
    } values[] = {
        {METRIC_ZK_CLIENTS, front->conn_count},
        {METRIC_ZK_CONNECTIONS, front->counters.connections},
        {METRIC_ZK_REJECTED, front->counters.rejected},
        {METRIC_ZK_TLS_CLIENTS, front->tls_count},
        {METRIC_ZK_TLS_CONNECTIONS, front->counters.tls_connections},
        {METRIC_ZK_TLS_FAILED, front->counters.tls_failed},
        {METRIC_ZK_REQUESTS, traffic->received},
        {METRIC_ZK_RESPONSES, traffic->sent},
        {METRIC_ZK_NOTIFICATIONS, front->counters.notifications},
        {METRIC_ZK_OUTSTANDING, front->outstanding},
        {METRIC_ZK_UNKNOWN, front->counters.unknown},
        {METRIC_ZK_THROTTLED, front->counters.throttled},
        {METRIC_ZK_AUTH_FAILED, front->counters.auth_failed},
        {METRIC_ZK_MALFORMED, front->counters.malformed},
        {METRIC_ZK_LARGE, front->counters.large},
        {METRIC_ZK_MOVED, front->counters.moved},
        {METRIC_ZK_ENDED, front->counters.expired},
        {METRIC_ZK_SESSIONS, summary.sessions},
        {METRIC_ZK_ZNODES, summary.nodes},
        {METRIC_ZK_EPHEMERALS, summary.ephemerals},
        {METRIC_ZK_DATA, summary.data_bytes},
        {METRIC_ZK_WATCHES, summary.watches.watches},
        {METRIC_ZK_WATCH_BYTES, summary.watches.bytes},
        {METRIC_ZK_READ_ONLY, front->read_only},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        metrics_put(metrics, values[i].id, NULL, values[i].value);
    metrics_put_one_span(metrics, METRIC_ZK_TIME, &front->request_times);
}
