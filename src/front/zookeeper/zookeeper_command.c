/* The admin server's commands: what the four-letter words tell, as JSON. */
#include "front/zookeeper/zookeeper_internal.h"

#include <stdio.h>
#include <string.h>

typedef unsigned long long ull;

/* ---- JSON ---- */

static void put_string(struct buf *out, struct bytes text) {
    buf_u8(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c == '"' || c == '\\')
            buf_printf(out, "\\%c", c);
        else if (c < 0x20)
            buf_printf(out, "\\u%04x", c);
        else
            buf_u8(out, c);
    }
    buf_u8(out, '"');
}

static void put_name(struct buf *out, const char *name) {
    if (out->len > 0 && strchr("{[,", (char)out->data[out->len - 1]) == NULL)
        buf_u8(out, ',');
    put_string(out, bytes_cstr(name));
    buf_u8(out, ':');
}

static void put_text(struct buf *out, const char *name, const char *value) {
    put_name(out, name);
    put_string(out, bytes_cstr(value));
}

static void put_number(struct buf *out, const char *name, uint64_t value) {
    put_name(out, name);
    buf_printf(out, "%llu", (ull)value);
}

static void put_bool(struct buf *out, const char *name, bool value) {
    put_name(out, name);
    buf_printf(out, value ? "true" : "false");
}

static bool is_number(const char *text) {
    text += text[0] == '-';
    return text[0] != 0 && text[strspn(text, "0123456789.")] == 0 && text[0] != '.' &&
           strchr(text, '.') == strrchr(text, '.');
}

static void json_line(void *context, const char *name, const char *value) {
    put_name(context, name);
    if (is_number(value) || strcmp(value, "true") == 0 || strcmp(value, "false") == 0)
        buf_printf(context, "%s", value);
    else
        put_string(context, bytes_cstr(value));
}

static void comma(struct buf *out) {
    if (strchr("{[", (char)out->data[out->len - 1]) == NULL)
        buf_u8(out, ',');
}

/* ---- commands ---- */

static void tell_nothing(struct zookeeper_front *front, struct buf *out) {}

static void tell_connection_reset(struct zookeeper_front *front, struct buf *out) {
    zk_reset_connections(front);
}

static void tell_server_reset(struct zookeeper_front *front, struct buf *out) {
    zk_reset_server(front);
}

static void tell_configuration(struct zookeeper_front *front, struct buf *out) {
    zk_configuration(front, json_line, out);
}

static void tell_environment(struct zookeeper_front *front, struct buf *out) {
    zk_environment(front, json_line, out);
}

static void tell_monitor(struct zookeeper_front *front, struct buf *out) {
    zk_monitor(front, json_line, out);
}

static void put_connection(const struct zk_conn *conn, struct buf *out) {
    const struct zk_traffic *traffic = &conn->traffic;
    comma(out);
    buf_u8(out, '{');
    put_text(out, "remote_socket_address", conn->address);
    put_number(out, "interest_ops", conn->phase == ZK_SERVING);
    put_number(out, "outstanding_requests", conn->slot_count);
    put_number(out, "packets_received", traffic->received);
    put_number(out, "packets_sent", traffic->sent);
    put_number(out, "session_id", conn->session);
    put_text(out, "last_operation", jute_op_name(conn->last_op));
    put_number(out, "established", conn->established_ms);
    put_number(out, "session_timeout", (uint64_t)conn->connect.timeout_ms);
    put_number(out, "last_cxid", (uint32_t)conn->last_xid);
    put_number(out, "last_zxid", conn->zxid);
    put_number(out, "last_latency", conn->last_latency_us / 1000);
    put_number(out, "min_latency", traffic->latency_min_us / 1000);
    put_number(out, "avg_latency", (uint64_t)zk_traffic_average(traffic));
    put_number(out, "max_latency", traffic->latency_max_us / 1000);
    buf_u8(out, '}');
}

static void put_connections(struct zookeeper_front *front, const char *name, bool tls,
                            struct buf *out) {
    put_name(out, name);
    buf_u8(out, '[');
    LIST_EACH(item, &front->conns) {
        struct zk_conn *conn = container_of(item, struct zk_conn, list);
        if (conn->tls == tls)
            put_connection(conn, out);
    }
    buf_u8(out, ']');
}

static void tell_connections(struct zookeeper_front *front, struct buf *out) {
    put_connections(front, "connections", false, out);
    put_connections(front, "secure_connections", true, out);
}

/* last 0: there was none yet. */
static void put_sizes(struct buf *out, const char *name, uint64_t last, uint64_t min,
                      uint64_t max) {
    put_name(out, name);
    if (last == 0)
        buf_printf(out, "{\"last_buffer_size\":-1,\"min_buffer_size\":-1,\"max_buffer_size\":-1}");
    else
        buf_printf(out,
                   "{\"last_buffer_size\":%llu,\"min_buffer_size\":%llu,\"max_buffer_size\":%llu}",
                   (ull)last, (ull)min, (ull)max);
}

static void tell_server(struct zookeeper_front *front, struct buf *out) {
    struct zk_summary summary;
    const struct zk_traffic *traffic = &front->traffic;
    zk_summarise(front, &summary);
    put_text(out, "version", ZK_VERSION_TOLD);
    put_bool(out, "read_only", front->read_only);
    put_name(out, "server_stats");
    buf_u8(out, '{');
    put_number(out, "packets_sent", traffic->sent);
    put_number(out, "packets_received", traffic->received);
    put_number(out, "max_latency", traffic->latency_max_us / 1000);
    put_number(out, "min_latency", traffic->latency_min_us / 1000);
    put_number(out, "num_alive_client_connections", front->conn_count);
    put_number(out, "outstanding_requests", front->outstanding);
    put_text(out, "server_state", summary.mode);
    put_number(out, "last_processed_zxid", summary.zxid);
    put_number(out, "data_size", summary.data_bytes);
    put_number(out, "uptime", (front->now_ns - front->started_ns) / NS_PER_MS);
    buf_u8(out, '}');
    put_number(out, "node_count", summary.nodes);
    const struct node_sizes *sizes = &summary.node.proposals;
    if (strcmp(summary.mode, "leader") == 0)
        put_sizes(out, "proposal_stats", sizes->last, sizes->min, sizes->max);
    put_sizes(out, "client_response_stats", front->counters.response_last,
              front->counters.response_min, front->counters.response_max);
}

static void tell_stats(struct zookeeper_front *front, struct buf *out) {
    tell_server(front, out);
    tell_connections(front, out);
}

static void tell_dirs(struct zookeeper_front *front, struct buf *out) {
    uint64_t bytes = zk_folder_bytes(front);
    put_number(out, "datadir_size", bytes);
    put_number(out, "logdir_size", bytes);
}

static void put_session(struct reader *reader, struct buf *sessions, struct buf *owners) {
    int64_t id = 0, timeout_ms = 0;
    uint32_t fields = 0, count = 0;
    struct bytes path;
    zk_take_array(reader, &fields);
    zk_take_int(reader, &id);
    zk_take_int(reader, &timeout_ms);
    zk_take_array(reader, &count);
    comma(sessions);
    buf_printf(sessions, "{\"session_id\":%llu,\"timeout\":%llu}", (ull)id, (ull)timeout_ms);
    if (count == 0)
        return;
    comma(owners);
    buf_printf(owners, "\"0x%llx\":[", (ull)id);
    for (uint32_t i = 0; i < count && zk_take_bulk(reader, &path); i++) {
        comma(owners);
        put_string(owners, path);
    }
    buf_u8(owners, ']');
}

static void tell_dump(struct zookeeper_front *front, struct buf *out) {
    struct buf query = {0}, sessions = {0}, owners = {0};
    struct zk_reply reply;
    uint32_t count = 0;
    buf_u8(&sessions, '[');
    buf_u8(&owners, '{');
    tree_put_head(&query, TREE_OP_SESSIONS, &(struct tree_caller){0});
    if (zk_ask(front, buf_view(&query), &front->answer) &&
        zk_reply_take(buf_view(&front->answer), &reply) && reply.error == TREE_OK &&
        zk_take_array(&reply.results, &count))
        for (uint32_t i = 0; i < count; i++)
            put_session(&reply.results, &sessions, &owners);
    buf_u8(&sessions, ']');
    buf_u8(&owners, '}');
    put_name(out, "sessions");
    buf_bytes(out, buf_view(&sessions));
    put_name(out, "session_id_to_ephemeral_paths");
    buf_bytes(out, buf_view(&owners));
    buf_free(&query);
    buf_free(&sessions);
    buf_free(&owners);
}

static void tell_is_read_only(struct zookeeper_front *front, struct buf *out) {
    put_bool(out, "read_only", front->read_only);
}

static void tell_watch_summary(struct zookeeper_front *front, struct buf *out) {
    struct zk_watch_counts counts;
    zk_watches_count(front->watches, &counts);
    put_number(out, "num_connections", counts.watchers);
    put_number(out, "num_paths", counts.paths);
    put_number(out, "num_total_watches", counts.watches);
}

static void tell_watches(struct zookeeper_front *front, struct buf *out) {
    put_name(out, "session_id_to_watched_paths");
    buf_u8(out, '{');
    LIST_EACH(item, &front->conns) {
        const struct zk_conn *conn = container_of(item, struct zk_conn, list);
        struct bytes path;
        if (conn->watcher.count == 0)
            continue;
        comma(out);
        buf_printf(out, "\"0x%llx\":[", (ull)conn->session);
        for (uint32_t at = 0; zk_watches_of(front->watches, &conn->watcher, &at, &path);) {
            comma(out);
            put_string(out, path);
        }
        buf_u8(out, ']');
    }
    buf_u8(out, '}');
}

static void path_begins(void *context, struct bytes path) {
    struct buf *out = context;
    if (out->data[out->len - 1] != '{')
        buf_printf(out, "],");
    put_string(out, path);
    buf_printf(out, ":[");
}

static void path_watcher(void *context, struct zk_watcher *watcher) {
    comma(context);
    buf_printf(context, "\"0x%llx\"", (ull)container_of(watcher, struct zk_conn, watcher)->session);
}

static void tell_watches_by_path(struct zookeeper_front *front, struct buf *out) {
    put_name(out, "path_to_session_ids");
    buf_u8(out, '{');
    zk_watches_each(front->watches, path_begins, path_watcher, out);
    buf_printf(out, out->data[out->len - 1] == '{' ? "}" : "]}");
}

static void tell_leader(struct zookeeper_front *front, struct buf *out) {
    struct zk_summary summary;
    zk_summarise(front, &summary);
    const struct replica_status *replica = &summary.node.replica;
    const struct member *leader = config_member(&replica->config, replica->leader);
    put_bool(out, "is_leader", replica->leader == summary.node.identity.node);
    put_number(out, "leader_id", replica->leader);
    put_text(out, "leader_ip", leader == NULL ? "" : leader->address);
}

static void put_members(struct zookeeper_front *front, struct buf *out, bool voters) {
    struct zk_summary summary;
    zk_summarise(front, &summary);
    const struct config *config = &summary.node.replica.config;
    buf_u8(out, '{');
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        char id[24];
        snprintf(id, sizeof id, "%llu", (ull)member->id);
        if (member->voter == voters)
            put_text(out, id, member->address);
    }
    buf_u8(out, '}');
}

static void tell_voting_view(struct zookeeper_front *front, struct buf *out) {
    put_name(out, "current_config");
    put_members(front, out, true);
}

static void tell_observers(struct zookeeper_front *front, struct buf *out) {
    put_name(out, "observers");
    put_members(front, out, false);
}

static void tell_state(struct zookeeper_front *front, struct buf *out) {
    struct zk_summary summary;
    zk_summarise(front, &summary);
    bool observer = strcmp(summary.mode, "observer") == 0;
    put_bool(out, "voting", !observer);
    put_text(out, "zabstate", front->has_leader ? "BROADCAST" : "ELECTION");
    put_text(out, "mode", summary.mode);
}

static const struct {
    const char *name, *word;
    void (*tell)(struct zookeeper_front *front, struct buf *out);
} commands[] = {
    {"configuration", "conf", tell_configuration},
    {"connection_stat_reset", "crst", tell_connection_reset},
    {"connections", "cons", tell_connections},
    {"dirs", "dirs", tell_dirs},
    {"dump", "dump", tell_dump},
    {"environment", "envi", tell_environment},
    {"is_read_only", "isro", tell_is_read_only},
    {"leader", "lead", tell_leader},
    {"monitor", "mntr", tell_monitor},
    {"observers", "obsr", tell_observers},
    {"ruok", "ruok", tell_nothing},
    {"server_stats", "srvr", tell_server},
    {"stat_reset", "srst", tell_server_reset},
    {"stats", "stat", tell_stats},
    {"voting_view", "voting_view", tell_voting_view},
    {"watch_summary", "wchs", tell_watch_summary},
    {"watches", "wchc", tell_watches},
    {"watches_by_path", "wchp", tell_watches_by_path},
    {"zabstate", "zabstate", tell_state},
};

static void list_commands(struct buf *out) {
    put_name(out, "commands");
    buf_u8(out, '[');
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        comma(out);
        put_string(out, bytes_cstr(commands[i].name));
    }
    buf_printf(out, "]}");
}

bool zookeeper_front_command(struct zookeeper_front *front, const char *name, struct buf *out) {
    if (name[0] == 0) {
        buf_u8(out, '{');
        list_commands(out);
        return true;
    }
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(commands[i].name, name) != 0 && strcmp(commands[i].word, name) != 0)
            continue;
        buf_u8(out, '{');
        commands[i].tell(front, out);
        put_text(out, "command", commands[i].name);
        put_name(out, "error");
        buf_printf(out, "null}");
        return true;
    }
    return false;
}
