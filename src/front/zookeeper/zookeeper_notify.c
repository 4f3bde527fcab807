/* Notifications, and the operations on watches. A notification is written to its client the moment
 * at which its change is applied here, hence before any answer that shows the change. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/assert.h"

#define BACKLOG_MAX (16u << 20) /* of notifications that a client leaves unread */
#define NO_ZXID (-1)            /* of what changed while nothing watched */

enum {
    REMOVE_CHILD = 1,
    REMOVE_DATA = 2,
    REMOVE_ANY = 3,
    REMOVE_PERSISTENT = 4,
    REMOVE_RECURSIVE = 5
};
enum { ADD_PERSISTENT = 0, ADD_RECURSIVE = 1 };

static void tell(void *context, struct zk_watcher *watcher) {
    struct zk_conn *conn = container_of(watcher, struct zk_conn, watcher);
    struct zookeeper_front *front = conn->front;
    if (conn->closed || !tree_change_readable(context, buf_view(&conn->ids)))
        return;
    bool late = front->options.mutant == MUTANT_WATCH_AFTER_READ;
    buf_bytes(late ? &conn->late : &conn->out, buf_view(&front->change_frame));
    front->counters.notifications++;
    conn->traffic.sent++;
    front->traffic.sent++;
    if (conn->out.len + env_stream_queued(front->env, &conn->stream) > BACKLOG_MAX)
        zk_conn_close(conn);
    zk_conn_dirty(conn);
}

void zk_notify(struct zookeeper_front *front, const struct change *change, enum tree_event event,
               uint64_t zxid) {
    struct change told = *change;
    buf_clear(&front->change_frame);
    jute_put_notification(&front->change_frame, (int64_t)zxid, (int32_t)event, change->key);
    zk_watches_fire(front->watches, (int)event, change->key, tell, &told);
}

void zk_watch(struct zk_conn *conn, struct bytes path, unsigned kinds) {
    zk_watches_add(conn->front->watches, &conn->watcher, path, kinds);
}

/* ---- adding, checking, removing ---- */

void zk_run_add_watch(struct zk_call *call) {
    struct jute_numbered asked;
    if (!jute_take_numbered(&call->body, &asked)) {
        zk_answer(call, TREE_MARSHALLING);
        return;
    }
    if ((asked.number != ADD_PERSISTENT && asked.number != ADD_RECURSIVE) || asked.path.len == 0) {
        zk_answer(call, TREE_MARSHALLING);
        return;
    }
    zk_watch(call->conn, asked.path,
             asked.number == ADD_RECURSIVE ? ZK_WATCH_RECURSIVE : ZK_WATCH_PERSISTENT);
    jute_put_i32(zk_answer_begin(call), TREE_OK);
    zk_answer_end(call, TREE_OK);
}

/* 0: no such type. */
static unsigned kinds_of(int32_t type) {
    static const unsigned kinds[] = {[REMOVE_CHILD] = ZK_WATCH_CHILD,
                                     [REMOVE_DATA] = ZK_WATCH_DATA,
                                     [REMOVE_ANY] = ZK_WATCH_ALL,
                                     [REMOVE_PERSISTENT] = ZK_WATCH_PERSISTENT,
                                     [REMOVE_RECURSIVE] = ZK_WATCH_RECURSIVE};
    return type >= REMOVE_CHILD && type <= REMOVE_RECURSIVE ? kinds[type] : 0;
}

static int32_t find_watch(struct zk_call *call, struct bytes *path, unsigned *kinds) {
    struct jute_numbered asked;
    if (!jute_take_numbered(&call->body, &asked))
        return TREE_MARSHALLING;
    *kinds = kinds_of(asked.number);
    *path = asked.path;
    if (*kinds == 0)
        return TREE_MARSHALLING;
    unsigned there = zk_watches_at(call->conn->front->watches, &call->conn->watcher, asked.path);
    return (there & *kinds) == 0 ? TREE_NO_WATCHER : TREE_OK;
}

void zk_run_check_watches(struct zk_call *call) {
    struct bytes path;
    unsigned kinds;
    zk_answer(call, find_watch(call, &path, &kinds));
}

/* Nothing is told to the watcher: its own library does that. */
void zk_run_remove_watches(struct zk_call *call) {
    struct bytes path;
    unsigned kinds;
    int32_t error = find_watch(call, &path, &kinds);
    if (error == TREE_OK)
        zk_watches_remove(call->conn->front->watches, &call->conn->watcher, path, kinds);
    zk_answer(call, error);
}

/* ---- again after a reconnect ---- */

enum watch_list { LIST_DATA, LIST_EXIST, LIST_CHILD, LIST_PERSISTENT, LIST_RECURSIVE };

/* What became of a path since: its event, or 0. */
static int event_since(enum watch_list list, bool exists, const struct tree_stat *stat,
                       uint64_t zxid) {
    switch (list) {
    case LIST_DATA:
        return !exists ? TREE_EVENT_DELETED : stat->mzxid > zxid ? TREE_EVENT_DATA : 0;
    case LIST_EXIST:
        return exists ? TREE_EVENT_CREATED : 0;
    case LIST_CHILD:
        return !exists ? TREE_EVENT_DELETED : stat->pzxid > zxid ? TREE_EVENT_CHILDREN : 0;
    default:
        return 0;
    }
}

static bool peek(struct zk_call *call, struct bytes path, bool *exists, struct tree_stat *stat) {
    struct reader results;
    struct bytes encoded;
    tree_put_path(zk_query(call->conn, TREE_OP_PEEK), path);
    int32_t error = zk_read(call, &results);
    if (call->conn->closed)
        return false;
    *exists =
        error == TREE_OK && zk_take_bulk(&results, &encoded) && tree_stat_decode(encoded, stat);
    return true;
}

static void set_one(struct zk_call *call, enum watch_list list, struct bytes path, uint64_t zxid) {
    static const unsigned kinds[] = {[LIST_DATA] = ZK_WATCH_DATA,
                                     [LIST_EXIST] = ZK_WATCH_DATA,
                                     [LIST_CHILD] = ZK_WATCH_CHILD,
                                     [LIST_PERSISTENT] = ZK_WATCH_PERSISTENT,
                                     [LIST_RECURSIVE] = ZK_WATCH_RECURSIVE};
    struct tree_stat stat = {0};
    bool exists = false;
    if (list < LIST_PERSISTENT && !peek(call, path, &exists, &stat))
        return;
    if (call->conn->front->options.mutant == MUTANT_ZK_SET_WATCHES_IGNORES_ZXID)
        zxid = UINT64_MAX;
    if (call->conn->front->options.mutant == MUTANT_ZK_SET_WATCHES_BY_DATA)
        stat.pzxid = stat.mzxid;
    int event = event_since(list, exists, &stat, zxid);
    if (event == 0) {
        zk_watch(call->conn, path, kinds[list]);
        return;
    }
    jute_put_notification(&call->conn->out, NO_ZXID, event, path);
    call->conn->traffic.sent++;
    call->conn->front->traffic.sent++;
}

/* Events of what changed meanwhile come before the answer. */
void zk_run_set_watches(struct zk_call *call) {
    /* Some clients keep the -1 of a notification's header as the last zxid that they saw. */
    int64_t seen = jute_take_i64(&call->body);
    uint64_t zxid = seen < 0 ? 0 : (uint64_t)seen;
    int lists = call->op == JUTE_SET_WATCHES2 ? LIST_RECURSIVE + 1 : LIST_PERSISTENT;
    for (int list = 0; list < lists; list++) {
        uint32_t count = jute_take_count(&call->body, 4);
        for (uint32_t i = 0; i < count && !call->body.bad && !call->conn->closed; i++) {
            struct bytes path = jute_take_block(&call->body);
            if (!call->body.bad && path.len > 0)
                set_one(call, (enum watch_list)list, path, zxid);
        }
    }
    zk_answer(call, call->body.bad ? TREE_MARSHALLING : TREE_OK);
}

bool zookeeper_event(const struct change *change, int *event, uint64_t *zxid) {
    enum tree_event told;
    if (!tree_change(change, &told, zxid))
        return false;
    *event = (int)told;
    return true;
}
