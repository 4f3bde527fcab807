#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <string.h>

#define TICK_NS (100 * NS_PER_MS)
#define FRESH_NS (30000 * NS_PER_MS) /* a connection that asks for nothing */

void zookeeper_options_default(struct zookeeper_options *options) {
    *options = (struct zookeeper_options){
        .keyspace = "tree",
        .tick_ms = 2000,
        .clients_max = 100000,
        .clients_per_address = 0,
        .outstanding_max = 20000,
        .frame_bytes_max = JUTE_FRAME_MAX_DEFAULT,
        .output_budget = 32u << 20,
        .input_budget = 320u << 20,
        .leader_patience_ms = 4000,
        .read_only_after_ms = 2000,
        .read_only = true,
        .reconfig = true,
        .words = "*",
    };
}

/* ---- asking the tree on the node's own behalf ---- */

bool zk_ask(struct zookeeper_front *front, struct bytes query, struct buf *answer) {
    buf_clear(answer);
    return node_read(&front->client, query, answer) == CAIRN_OK;
}

uint64_t zk_zxid(struct zookeeper_front *front) {
    struct buf query = {0};
    struct zk_reply reply;
    tree_put_head(&query, TREE_OP_PEEK, &(struct tree_caller){0});
    tree_put_path(&query, BYTES("/"));
    if (zk_ask(front, buf_view(&query), &front->answer) &&
        zk_reply_take(buf_view(&front->answer), &reply) && reply.zxid > front->zxid)
        front->zxid = reply.zxid;
    buf_free(&query);
    return front->zxid;
}

uint64_t zk_wall_ms(struct zookeeper_front *front) {
    return env_wall(front->env).earliest / NS_PER_MS;
}

/* ---- changes ---- */

static void lose_all(struct zookeeper_front *front) {
    LIST_EACH_SAFE(item, &front->conns)
    zk_conn_lose(container_of(item, struct zk_conn, list));
}

void zookeeper_front_change(struct zookeeper_front *front, const struct change *change) {
    enum tree_event event;
    uint64_t zxid;
    switch (change->kind) {
    case CHANGE_KEY:
        if (!tree_change(change, &event, &zxid))
            return;
        if (zxid > front->zxid)
            front->zxid = zxid;
        zk_notify(front, change, event, zxid);
        if (bytes_equal(change->key, BYTES(ZK_CONFIG_PATH)))
            front->told = false; /* look again whether clients can find this server */
        break;
    case CHANGE_LIFE:
        zk_session_changed(front, change);
        break;
    case CHANGE_JUMP: /* clients come back and set their watches anew */
        lose_all(front);
        break;
    case CHANGE_PUBLISH:
    case CHANGE_FLUSH:
        break;
    }
}

/* ---- the tree is told where clients find this server ---- */

static void told(void *context, enum cairn_status status, struct bytes reply) {
    struct zookeeper_front *front = context;
    front->telling = false;
    front->told = status == CAIRN_OK;
    front->told_once = front->told_once || front->told;
}

/* The address in this server's line of /zookeeper/config; empty when it has none. */
static struct bytes shown_address(struct zookeeper_front *front) {
    struct bytes data, none = {0};
    struct reader rest;
    uint64_t zxid;
    char begin[32];
    snprintf(begin, sizeof begin,
             "server.%llu=", (unsigned long long)node_get_options(front->node)->identity.node);
    if (!zk_config_read(front, &data, &rest, &zxid) || data.len == 0)
        return none;
    const char *line = memmem(data.data, data.len, begin, strlen(begin));
    if (line == NULL)
        return none;
    size_t left = data.len - (size_t)((const uint8_t *)line - data.data);
    const char *end = memchr(line, '\n', left);
    size_t len = end == NULL ? left : (size_t)(end - line);
    const char *semicolon = memchr(line, ';', len);
    if (semicolon == NULL)
        return none;
    size_t before = (size_t)(semicolon + 1 - line);
    return bytes_of(semicolon + 1, len - before);
}

/* A server tells its own address once after its start, so that a changed setting counts. What an
 * operator's reconfig says behind that stays. */
static void tell_address(struct zookeeper_front *front) {
    const struct zookeeper_options *options = &front->options;
    const char *address = options->advertised[0] != 0 ? options->advertised
                          : options->address[0] != 0  ? options->address
                                                      : options->tls_address;
    struct buf *command = &front->command;
    if (front->told || front->telling || !front->has_leader || front->stopping)
        return;
    struct bytes shown = shown_address(front);
    if (front->told_once ? shown.len > 0 : bytes_equal(shown, bytes_cstr(address))) {
        front->told = front->told_once = true;
        return;
    }
    buf_clear(command);
    tree_put_head(command, TREE_OP_SERVER, &(struct tree_caller){0});
    tree_put_server(command, node_get_options(front->node)->identity.node, bytes_cstr(address));
    front->telling = node_execute(&front->client, buf_view(command), told, front) == CAIRN_OK;
}

/* ---- the leader, lost and found ---- */

static uint64_t patience_ns(const struct zk_conn *conn) {
    uint64_t ms = conn->front->options.leader_patience_ms;
    uint64_t third = (uint64_t)conn->connect.timeout_ms / 3;
    return (third > 0 && third < ms ? third : ms) * NS_PER_MS;
}

static bool is_hopeless(const struct zk_conn *conn, uint64_t now, uint64_t without_ns) {
    if (conn->phase == ZK_FRESH)
        return now - conn->since_ns > FRESH_NS;
    if (conn->front->removed) /* its state follows no leader any more */
        return true;
    if (conn->read_only || conn->front->has_leader)
        return false;
    bool wants_mode = conn->phase == ZK_CONNECTING && conn->front->read_only;
    return wants_mode || without_ns > patience_ns(conn);
}

static void watch_leader(struct zookeeper_front *front, uint64_t now) {
    struct node_status status;
    node_status(front->node, front->keyspace, &status);
    front->has_leader = status.replica.leader != 0;
    if (front->has_leader)
        front->leader_ns = now;
    front->removed = node_removed(front->node, front->keyspace);
    uint64_t without_ns = now - front->leader_ns;
    bool read_only = front->options.read_only && !front->removed &&
                     without_ns >= front->options.read_only_after_ms * NS_PER_MS &&
                     !front->has_leader;
    bool over = front->read_only && !read_only;
    front->read_only = read_only;
    bool sweep = now - front->swept_ns >=
                 front->limits.sweep_ns; /* with a leader, once in a while is enough */
    if (front->has_leader && !over && !sweep)
        return;
    front->swept_ns = now;
    LIST_EACH_SAFE(item, &front->conns) {
        struct zk_conn *conn = container_of(item, struct zk_conn, list);
        if (!conn->closed && (is_hopeless(conn, now, without_ns) || (over && conn->read_only)))
            zk_conn_lose(conn);
    }
}

static void on_tick(struct env_timer *timer) {
    struct zookeeper_front *front = container_of(timer, struct zookeeper_front, timer);
    front->now_ns = env_now(front->env);
    watch_leader(front, front->now_ns);
    tell_address(front);
    env_timer_set(front->env, &front->timer, front->now_ns + TICK_NS);
}

/* ---- opening and closing ---- */

static void fill_options(struct zookeeper_options *options) {
    if (options->timeout_min_ms == 0)
        options->timeout_min_ms = 2 * options->tick_ms;
    if (options->timeout_max_ms == 0)
        options->timeout_max_ms = 20 * options->tick_ms;
}

static struct zookeeper_front *front_new(struct node *node,
                                         const struct zookeeper_options *options) {
    struct zookeeper_front *front = cairn_alloc_zero(sizeof *front);
    front->node = node;
    front->env = node_env(node);
    front->options = *options;
    fill_options(&front->options);
    zk_limits_open(front);
    front->started_ns = front->now_ns = front->leader_ns = env_now(front->env);
    front->listener.accept = zk_accept;
    front->listener.yields = front->tls_listener.yields = true;
    front->tls_listener.accept = zk_accept_tls;
    front->tls_listener.tls = options->tls;
    front->timer.fire = on_tick;
    front->watches = zk_watches_new();
    zk_watches_break(front->watches, front->options.mutant);
    list_init(&front->conns);
    list_init(&front->dirty);
    list_init(&front->throttled);
    return front;
}

static enum cairn_status listen_at(struct zookeeper_front *front) {
    const struct zookeeper_options *options = &front->options;
    enum cairn_status status = CAIRN_OK;
    if (options->address[0] != 0) {
        status = env_listen(front->env, options->address, &front->listener);
        front->listening = status == CAIRN_OK;
    }
    if (status == CAIRN_OK && options->tls_address[0] != 0) {
        cairn_assert(options->tls != NULL);
        status = env_listen(front->env, options->tls_address, &front->tls_listener);
        front->tls_listening = status == CAIRN_OK;
    }
    return status;
}

static void listen_no_more(struct zookeeper_front *front) {
    if (front->listening)
        env_listener_close(front->env, &front->listener);
    if (front->tls_listening)
        env_listener_close(front->env, &front->tls_listener);
    front->listening = front->tls_listening = false;
}

enum cairn_status zookeeper_front_open(struct node *node, const struct zookeeper_options *options,
                                       struct zookeeper_front **out) {
    uint32_t keyspace;
    *out = NULL;
    if (!node_keyspace_find(node, options->keyspace, &keyspace) ||
        strcmp(node_get_options(node)->keyspaces[keyspace].machine, machine_tree.name) != 0)
        return CAIRN_NOT_FOUND;
    struct zookeeper_front *front = front_new(node, options);
    front->keyspace = keyspace;
    node_client_open(node, keyspace, &front->client);
    enum cairn_status status = listen_at(front);
    if (status != CAIRN_OK) {
        zookeeper_front_close(front);
        return status;
    }
    env_timer_set(front->env, &front->timer, front->started_ns + TICK_NS);
    *out = front;
    return CAIRN_OK;
}

void zookeeper_front_stop(struct zookeeper_front *front) {
    front->stopping = true;
    LIST_EACH(item, &front->conns)
    zk_conn_close(container_of(item, struct zk_conn, list));
    env_wake(front->env);
}

void zookeeper_front_disconnect(struct zookeeper_front *front) {
    front->stopping = true;
    listen_no_more(front);
    env_timer_clear(front->env, &front->timer);
    lose_all(front);
}

void zookeeper_front_close(struct zookeeper_front *front) {
    env_timer_clear(front->env, &front->timer);
    listen_no_more(front);
    zk_conn_free_all(front);
    node_client_close(&front->client);
    cairn_assert(front->outstanding == 0 && front->watches != NULL);
    zk_watches_free(front->watches);
    hmap_free(&front->by_session);
    hmap_free(&front->hosts);
    buf_free(&front->command);
    buf_free(&front->answer);
    buf_free(&front->change_frame);
    cairn_free(front);
}

uint32_t zookeeper_front_clients(const struct zookeeper_front *front) {
    return front->conn_count;
}

uint32_t zookeeper_front_keyspace(const struct zookeeper_front *front) {
    return front->keyspace;
}
