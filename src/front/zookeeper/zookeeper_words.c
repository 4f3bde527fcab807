/* Four-letter words, with texts as ZooKeeper prints them. The connection ends after the answer. */
#include "front/zookeeper/zookeeper_internal.h"

#include <string.h>

typedef unsigned long long ull;

#define NOT_SERVING "This ZooKeeper instance is not currently serving requests\n"

struct word {
    const char *name;                                             /* of four letters */
    bool serving;                                                 /* only while there is a quorum */
    void (*tell)(struct zookeeper_front *front, struct buf *out); /* NULL: known, never answered */
};

static void tell_ruok(struct zookeeper_front *front, struct buf *out) {
    buf_printf(out, "imok");
}

static void tell_isro(struct zookeeper_front *front, struct buf *out) {
    buf_printf(out, front->read_only ? "ro" : front->has_leader ? "rw" : "null");
}

/* As few decimals as it takes, but one. */
static void put_decimal(struct buf *out, double value) {
    buf_printf(out, "%.4f", value);
    while (out->data[out->len - 1] == '0' && out->data[out->len - 2] != '.')
        out->len--;
}

static void put_server(struct zookeeper_front *front, struct buf *out) {
    struct zk_summary summary;
    const struct zk_traffic *traffic = &front->traffic;
    zk_summarise(front, &summary);
    buf_printf(out, "Latency min/avg/max: %llu/", (ull)(traffic->latency_min_us / 1000));
    put_decimal(out, zk_traffic_average(traffic));
    buf_printf(out, "/%llu\nReceived: %llu\nSent: %llu\nConnections: %u\nOutstanding: %u\n",
               (ull)(traffic->latency_max_us / 1000), (ull)traffic->received, (ull)traffic->sent,
               front->conn_count, front->outstanding);
    buf_printf(out, "Zxid: 0x%llx\nMode: %s\nNode count: %llu\n", (ull)summary.zxid, summary.mode,
               (ull)summary.nodes);
    const struct node_sizes *sizes = &summary.node.proposals;
    if (strcmp(summary.mode, "leader") != 0)
        return;
    if (sizes->last == 0)
        buf_printf(out, "Proposal sizes last/min/max: -1/-1/-1\n");
    else
        buf_printf(out, "Proposal sizes last/min/max: %llu/%llu/%llu\n", (ull)sizes->last,
                   (ull)sizes->min, (ull)sizes->max);
}

static void put_version(struct buf *out) {
    buf_printf(out, "Zookeeper version: %s\n", ZK_VERSION_TOLD);
}

static void tell_srvr(struct zookeeper_front *front, struct buf *out) {
    put_version(out);
    put_server(front, out);
}

static void put_connection(const struct zk_conn *conn, struct buf *out) {
    buf_printf(out, " /%s[%d](queued=%u,recved=%llu,sent=%llu", conn->address,
               conn->phase == ZK_SERVING, conn->slot_count, (ull)conn->traffic.received,
               (ull)conn->traffic.sent);
}

static void tell_stat(struct zookeeper_front *front, struct buf *out) {
    put_version(out);
    buf_printf(out, "Clients:\n");
    LIST_EACH(item, &front->conns) {
        put_connection(container_of(item, struct zk_conn, list), out);
        buf_printf(out, ")\n");
    }
    buf_printf(out, "\n");
    put_server(front, out);
}

static void tell_cons(struct zookeeper_front *front, struct buf *out) {
    LIST_EACH(item, &front->conns) {
        const struct zk_conn *conn = container_of(item, struct zk_conn, list);
        const struct zk_traffic *traffic = &conn->traffic;
        put_connection(conn, out);
        if (conn->phase == ZK_SERVING)
            buf_printf(out,
                       ",sid=0x%llx,lop=%s,est=%llu,to=%d,lcxid=0x%llx,lzxid=0x%llx,lresp=%llu,"
                       "llat=%llu,minlat=%llu,avglat=%llu,maxlat=%llu",
                       (ull)conn->session, jute_op_name(conn->last_op), (ull)conn->established_ms,
                       conn->connect.timeout_ms, (ull)(uint32_t)conn->last_xid, (ull)conn->zxid,
                       (ull)(conn->heard_ns / NS_PER_MS), (ull)(conn->last_latency_us / 1000),
                       (ull)(traffic->latency_min_us / 1000), (ull)zk_traffic_average(traffic),
                       (ull)(traffic->latency_max_us / 1000));
        buf_printf(out, ")\n");
    }
    buf_printf(out, "\n");
}

static void equals_line(void *context, const char *name, const char *value) {
    buf_printf(context, "%s=%s\n", name, value);
}

static void tell_conf(struct zookeeper_front *front, struct buf *out) {
    zk_configuration(front, equals_line, out);
}

static void tell_envi(struct zookeeper_front *front, struct buf *out) {
    buf_printf(out, "Environment:\n");
    zk_environment(front, equals_line, out);
}

static void monitor_line(void *context, const char *name, const char *value) {
    buf_printf(context, "zk_%s\t%s\n", name, value);
}

static void tell_mntr(struct zookeeper_front *front, struct buf *out) {
    zk_monitor(front, monitor_line, out);
}

static void tell_crst(struct zookeeper_front *front, struct buf *out) {
    zk_reset_connections(front);
    buf_printf(out, "Connection stats reset.\n");
}

static void tell_srst(struct zookeeper_front *front, struct buf *out) {
    zk_reset_server(front);
    buf_printf(out, "Server stats reset.\n");
}

static void tell_dirs(struct zookeeper_front *front, struct buf *out) {
    uint64_t bytes = zk_folder_bytes(front);
    buf_printf(out, "datadir_size: %llu\nlogdir_size: %llu\n", (ull)bytes, (ull)bytes);
}

/* ---- sessions ---- */

/* How many ephemerals it has. */
static uint32_t put_session(struct reader *reader, bool ephemerals, struct buf *out) {
    int64_t id = 0, timeout_ms = 0;
    uint32_t fields = 0, count = 0;
    struct bytes path;
    zk_take_array(reader, &fields);
    zk_take_int(reader, &id);
    zk_take_int(reader, &timeout_ms);
    zk_take_array(reader, &count);
    if (!ephemerals)
        buf_printf(out, "\t0x%llx\t(%llu ms)\n", (ull)id, (ull)timeout_ms);
    else if (count > 0)
        buf_printf(out, "0x%llx:\n", (ull)id);
    for (uint32_t i = 0; i < count && zk_take_bulk(reader, &path); i++)
        if (ephemerals)
            buf_printf(out, "\t%.*s\n", (int)path.len, (const char *)path.data);
    return count;
}

static void tell_dump(struct zookeeper_front *front, struct buf *out) {
    struct buf query = {0}, owners = {0};
    struct zk_reply reply;
    uint32_t count = 0, with = 0;
    tree_put_head(&query, TREE_OP_SESSIONS, &(struct tree_caller){0});
    if (zk_ask(front, buf_view(&query), &front->answer) &&
        zk_reply_take(buf_view(&front->answer), &reply) && reply.error == TREE_OK)
        zk_take_array(&reply.results, &count);
    else
        reply.results = reader_of(bytes_of(NULL, 0));
    struct reader again = reply.results;
    buf_printf(out, "SessionTracker dump:\nGlobal Sessions(%u):\n", count);
    for (uint32_t i = 0; i < count; i++)
        put_session(&reply.results, false, out);
    for (uint32_t i = 0; i < count; i++)
        with += put_session(&again, true, &owners) > 0;
    buf_printf(out, "ephemeral nodes dump:\nSessions with Ephemerals (%u):\n", with);
    buf_bytes(out, buf_view(&owners));
    buf_printf(out, "Connections dump:\n");
    LIST_EACH(item, &front->conns) {
        const struct zk_conn *conn = container_of(item, struct zk_conn, list);
        buf_printf(out, "\tip: /%s sessionId: 0x%llx\n", conn->address, (ull)conn->session);
    }
    buf_free(&query);
    buf_free(&owners);
}

/* ---- watches ---- */

static void tell_wchs(struct zookeeper_front *front, struct buf *out) {
    struct zk_watch_counts counts;
    zk_watches_count(front->watches, &counts);
    buf_printf(out, "%zu connections watching %zu paths\nTotal watches:%zu\n", counts.watchers,
               counts.paths, counts.watches);
}

static void tell_wchc(struct zookeeper_front *front, struct buf *out) {
    LIST_EACH(item, &front->conns) {
        const struct zk_conn *conn = container_of(item, struct zk_conn, list);
        struct bytes path;
        if (conn->watcher.count == 0)
            continue;
        buf_printf(out, "0x%llx\n", (ull)conn->session);
        for (uint32_t at = 0; zk_watches_of(front->watches, &conn->watcher, &at, &path);)
            buf_printf(out, "\t%.*s\n", (int)path.len, (const char *)path.data);
    }
    buf_printf(out, "\n");
}

static void put_path_line(void *context, struct bytes path) {
    buf_printf(context, "%.*s\n", (int)path.len, (const char *)path.data);
}

static void put_watcher_line(void *context, struct zk_watcher *watcher) {
    buf_printf(context, "\t0x%llx\n", (ull)container_of(watcher, struct zk_conn, watcher)->session);
}

static void tell_wchp(struct zookeeper_front *front, struct buf *out) {
    zk_watches_each(front->watches, put_path_line, put_watcher_line, out);
    buf_printf(out, "\n");
}

/* ---- which word ---- */

static const struct word words[] = {
    {"ruok", false, tell_ruok}, {"srvr", true, tell_srvr},  {"stat", true, tell_stat},
    {"mntr", true, tell_mntr},  {"isro", false, tell_isro}, {"conf", true, tell_conf},
    {"cons", true, tell_cons},  {"crst", true, tell_crst},  {"srst", true, tell_srst},
    {"dirs", true, tell_dirs},  {"dump", true, tell_dump},  {"envi", false, tell_envi},
    {"wchs", true, tell_wchs},  {"wchc", true, tell_wchc},  {"wchp", true, tell_wchp},
    {"gtmk", true, NULL},       {"stmk", true, NULL},       {"hash", true, NULL},
    {"orst", true, NULL},       {"lsnp", true, NULL},       {"obsr", true, NULL},
    {"sysp", true, NULL},       {"icfg", true, NULL},
};

static bool allowed(const struct zookeeper_front *front, const struct word *word) {
    const char *list = front->options.words;
    return word->tell != NULL && (strchr(list, '*') != NULL || strstr(list, word->name) != NULL);
}

bool zk_word(struct zk_conn *conn, struct bytes bytes) {
    struct zookeeper_front *front = conn->front;
    const struct word *word = NULL;
    if (bytes.len < 4)
        return false;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (memcmp(words[i].name, bytes.data, 4) == 0)
            word = &words[i];
    if (word == NULL)
        return false;
    conn->traffic.received++;
    front->traffic.received++;
    if (!allowed(front, word))
        buf_printf(&conn->out, "%s is not executed because it is not in the whitelist.\n",
                   word->name);
    else if (word->serving && !front->has_leader && !front->read_only)
        buf_printf(&conn->out, NOT_SERVING);
    else
        word->tell(front, &conn->out);
    front->traffic.sent++;
    zk_conn_close(conn);
    return true;
}
