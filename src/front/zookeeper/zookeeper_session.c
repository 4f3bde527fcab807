/* Sessions as connections see them: the handshake that opens one or takes one over, signs of life,
 * and the end of a connection whose session moved or ended. The sessions themselves are the tree's.
 */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/assert.h"

#include <string.h>

#define ALIVE_EVERY_NS (100 * NS_PER_MS)

/* ---- which connection serves a session ---- */

static bool session_matches(const struct hnode *node, const void *key) {
    return container_of(node, const struct zk_conn, by_session)->session == *(const uint64_t *)key;
}

static struct zk_conn *conn_of(const struct zookeeper_front *front, uint64_t session) {
    struct hnode *node =
        hmap_find(&front->by_session, hash_u64(session), session_matches, &session);
    return node == NULL ? NULL : container_of(node, struct zk_conn, by_session);
}

static void map(struct zk_conn *conn) {
    struct zk_conn *other = conn_of(conn->front, conn->session);
    if (other != NULL)
        zk_conn_lose(other);
    hmap_insert(&conn->front->by_session, &conn->by_session, hash_u64(conn->session));
    conn->mapped = true;
}

void zk_session_forget(struct zk_conn *conn) {
    if (conn->mapped)
        hmap_remove(&conn->front->by_session, &conn->by_session);
    conn->mapped = false;
}

void zk_session_alive(struct zk_conn *conn) {
    struct zookeeper_front *front = conn->front;
    if (conn->read_only || !conn->mapped || front->now_ns - conn->alive_ns < ALIVE_EVERY_NS)
        return;
    conn->alive_ns = front->now_ns;
    node_alive(front->node, front->keyspace, conn->session);
}

/* ---- what the tree tells ---- */

void zk_session_changed(struct zookeeper_front *front, const struct change *change) {
    uint64_t id;
    struct life_change life;
    if (!change_life(change, &id, &life))
        return;
    struct zk_conn *conn = conn_of(front, id);
    if (conn == NULL || conn->read_only)
        return;
    bool over = life.timeout_ms == 0;
    if (over && conn->ending)
        return; /* its own doing: it gets its answer first */
    if (!over && life.holder == conn->holder)
        return;
    if (!over && front->options.mutant == MUTANT_ZK_SESSION_MOVED_IGNORED)
        return;
    if (over)
        front->counters.expired++;
    else
        front->counters.moved++;
    zk_conn_lose(conn);
}

/* ---- the handshake's end ---- */

static void serve(struct zk_conn *conn) {
    conn->phase = ZK_SERVING;
    conn->connect.version = 0;
    conn->connect.session = (int64_t)conn->session;
    conn->connect.read_only = conn->read_only;
    conn->zxid = conn->front->zxid;
    zk_auth_changed(conn);
    jute_put_connected(&conn->out, &conn->connect);
    conn->traffic.sent++;
    conn->front->traffic.sent++;
    zk_conn_dirty(conn);
    env_wake(conn->front->env); /* it may have asked for something already */
}

/* How a client learns that its session is no more. */
static void refuse(struct zk_conn *conn) {
    const struct jute_connect gone = {.has_read_only = conn->connect.has_read_only};
    jute_put_connected(&conn->out, &gone);
    zk_conn_close(conn);
}

static void session_done(void *context, enum cairn_status status, struct bytes bytes) {
    struct zk_conn *conn = context;
    struct zk_reply reply;
    int64_t first, second;
    bool new = conn->connect.session == 0;
    if (conn->closed)
        return;
    if (status != CAIRN_OK || !zk_reply_take(bytes, &reply)) {
        zk_conn_lose(conn);
        return;
    }
    if (reply.zxid > conn->front->zxid)
        conn->front->zxid = reply.zxid;
    if (reply.error != TREE_OK) {
        refuse(conn);
        return;
    }
    if (!zk_take_int(&reply.results, &first) || !zk_take_int(&reply.results, &second)) {
        zk_conn_lose(conn);
        return;
    }
    conn->session = new ? (uint64_t)first : (uint64_t)conn->connect.session;
    conn->holder = (uint64_t)(new ? second : first);
    if (!new)
        conn->connect.timeout_ms = (int32_t)second;
    map(conn);
    serve(conn);
    zk_session_alive(conn);
}

/* ---- its beginning ---- */

static uint64_t granted(const struct zookeeper_front *front, int32_t wanted_ms) {
    const struct zookeeper_options *options = &front->options;
    uint64_t wanted = wanted_ms < 0 ? 0 : (uint64_t)wanted_ms;
    return wanted < options->timeout_min_ms   ? options->timeout_min_ms
           : wanted > options->timeout_max_ms ? options->timeout_max_ms
                                              : wanted;
}

static void begin(struct zk_conn *conn) {
    struct zookeeper_front *front = conn->front;
    struct jute_connect *connect = &conn->connect;
    const struct tree_caller caller = {.session = (uint64_t)connect->session};
    const struct tree_caller none = {0};
    uint64_t node = node_get_options(front->node)->identity.node;
    struct buf *command = &front->command;
    buf_clear(command);
    if (connect->session == 0) {
        env_entropy(front->env, connect->password, sizeof connect->password);
        tree_put_head(command, TREE_OP_SESSION_OPEN, &none);
        tree_put_session_open(command, (uint64_t)connect->timeout_ms, connect->password, node);
    } else {
        tree_put_head(command, TREE_OP_SESSION_ATTACH, &caller);
        tree_put_session_attach(command, connect->password, (uint64_t)connect->timeout_ms, node);
    }
    if (node_execute(&conn->client, buf_view(command), session_done, conn) != CAIRN_OK)
        zk_conn_lose(conn);
}

/* What a client has seen, it never sees undone: a server that has not got so far turns it away, so
 * that it tries another. */
static bool is_ahead(struct zk_conn *conn) {
    return conn->connect.zxid > 0 && (uint64_t)conn->connect.zxid > zk_zxid(conn->front);
}

static void caught_up(void *context, enum cairn_status status, struct bytes reply) {
    struct zk_conn *conn = context;
    if (conn->closed)
        return;
    if (status != CAIRN_OK || is_ahead(conn)) {
        zk_conn_lose(conn);
        return;
    }
    begin(conn);
    env_wake(conn->front->env);
}

/* ---- without a quorum ---- */

/* The session as this node knows it: it is resumed, not taken over. */
static bool known(struct zk_conn *conn) {
    struct zookeeper_front *front = conn->front;
    struct buf query = {0};
    struct zk_reply reply;
    struct bytes password;
    int64_t timeout_ms, holder;
    tree_put_head(&query, TREE_OP_SESSION, &(struct tree_caller){0});
    tree_put_u64(&query, (uint64_t)conn->connect.session);
    bool told = zk_ask(front, buf_view(&query), &front->answer) &&
                zk_reply_take(buf_view(&front->answer), &reply) && reply.error == TREE_OK &&
                zk_take_int(&reply.results, &timeout_ms) && zk_take_int(&reply.results, &holder) &&
                zk_take_bulk(&reply.results, &password);
    buf_free(&query);
    if (!told || password.len != JUTE_PASSWORD_BYTES ||
        memcmp(password.data, conn->connect.password, JUTE_PASSWORD_BYTES) != 0)
        return false;
    conn->connect.timeout_ms = (int32_t)timeout_ms;
    return true;
}

/* A new client's session is this connection's alone: no other server will ever know it. */
static void invent(struct zk_conn *conn) {
    uint8_t id[8];
    env_entropy(conn->front->env, id, sizeof id);
    env_entropy(conn->front->env, conn->connect.password, sizeof conn->connect.password);
    conn->connect.session = (int64_t)(get_u64(id) >> 1 | 1);
}

static void serve_read_only(struct zk_conn *conn) {
    if (!conn->connect.read_only || is_ahead(conn)) {
        zk_conn_lose(conn);
        return;
    }
    if (conn->connect.session == 0) {
        invent(conn);
    } else if (!known(conn)) {
        refuse(conn);
        return;
    }
    conn->read_only = true;
    conn->session = (uint64_t)conn->connect.session;
    map(conn);
    serve(conn);
}

void zk_session_connect(struct zk_conn *conn, struct bytes frame) {
    struct zookeeper_front *front = conn->front;
    conn->traffic.received++;
    front->traffic.received++;
    if (!jute_take_connect(frame, &conn->connect)) {
        front->counters.malformed++;
        zk_conn_lose(conn);
        return;
    }
    front->counters.connects++;
    conn->phase = ZK_CONNECTING;
    conn->connect.timeout_ms = (int32_t)granted(front, conn->connect.timeout_ms);
    conn->asked_ns = front->now_ns;
    if (front->read_only)
        serve_read_only(conn);
    else if (conn->connect.session != 0 && !conn->connect.password_fits)
        refuse(conn);
    else if (!is_ahead(conn))
        begin(conn);
    else if (node_barrier(&conn->client, caught_up, conn) != CAIRN_OK)
        zk_conn_lose(conn);
}
