/* Operations that are answered from what this node has applied. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/assert.h"

#define MULTI_READ_BYTES_MAX (64u << 20) /* of an answer to many reads at once */

struct buf *zk_query(struct zk_conn *conn, enum tree_opcode opcode) {
    struct buf *command = &conn->front->command;
    cairn_assert(conn->head.len > 0);
    buf_clear(command);
    buf_bytes(command, buf_view(&conn->head));
    command->data[0] = (uint8_t)opcode;
    return command;
}

int32_t zk_read(struct zk_call *call, struct reader *results) {
    struct zookeeper_front *front = call->conn->front;
    struct zk_reply reply;
    buf_clear(&front->answer);
    if (node_read(&call->conn->client, buf_view(&front->command), &front->answer) != CAIRN_OK ||
        !zk_reply_take(buf_view(&front->answer), &reply)) {
        if (call->start > 0) /* an answer that was begun must not leave */
            call->out->len = call->start - 4;
        zk_conn_lose(call->conn);
        return TREE_CONNECTION_LOSS;
    }
    call->zxid = reply.zxid;
    *results = reply.results;
    return reply.error;
}

static int32_t read_path(struct zk_call *call, enum tree_opcode opcode, struct bytes path,
                         struct reader *results) {
    tree_put_path(zk_query(call->conn, opcode), path);
    return zk_read(call, results);
}

bool zk_put_stat(struct reader *reader, struct buf *out) {
    struct bytes bytes;
    struct tree_stat stat;
    if (!zk_take_bulk(reader, &bytes) || !tree_stat_decode(bytes, &stat))
        return false;
    jute_put_i64(out, (int64_t)stat.czxid);
    jute_put_i64(out, (int64_t)stat.mzxid);
    jute_put_i64(out, (int64_t)stat.ctime_ms);
    jute_put_i64(out, (int64_t)stat.mtime_ms);
    jute_put_i32(out, stat.version);
    jute_put_i32(out, stat.cversion);
    jute_put_i32(out, stat.aversion);
    jute_put_i64(out, (int64_t)stat.owner);
    jute_put_i32(out, stat.data_length);
    jute_put_i32(out, stat.child_count);
    jute_put_i64(out, (int64_t)stat.pzxid);
    return true;
}

/* ---- results ---- */

static bool put_data(struct reader *reader, struct buf *out) {
    struct bytes data;
    if (!zk_take_bulk(reader, &data))
        return false;
    jute_put_block(out, data);
    return true;
}

static bool put_names(struct reader *reader, struct buf *out) {
    uint32_t count;
    struct bytes name;
    if (!zk_take_array(reader, &count))
        return false;
    jute_put_i32(out, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        if (!zk_take_bulk(reader, &name))
            return false;
        jute_put_block(out, name);
    }
    return true;
}

static bool put_acl(struct reader *reader, struct buf *out) {
    struct bytes encoded;
    struct tree_acl acl;
    if (!zk_take_bulk(reader, &encoded))
        return false;
    struct reader entries = reader_of(encoded);
    uint32_t count = tree_acl_count(&entries);
    jute_put_i32(out, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        if (!tree_acl_next(&entries, &acl))
            return false;
        jute_put_acl(out, &(struct jute_acl){(int32_t)acl.permissions, acl.id.scheme, acl.id.id});
    }
    return true;
}

/* Ends the answer; a reply that is not what the tree promises can't be told. */
static void end(struct zk_call *call, int32_t error, bool whole) {
    if (error == TREE_OK && !whole && !call->conn->closed) {
        call->out->len = call->start - 4;
        zk_conn_lose(call->conn);
        return;
    }
    zk_answer_end(call, error);
}

static void watch_if(struct zk_call *call, const struct jute_watched *asked, unsigned kind) {
    if (asked->watch && !call->conn->closed)
        zk_watch(call->conn, asked->path, kind);
}

/* ---- operations ---- */

void zk_run_exists(struct zk_call *call) {
    struct jute_watched asked;
    struct reader results;
    struct buf *out = zk_answer_begin(call);
    if (!jute_take_watched(&call->body, &asked)) {
        zk_answer_end(call, TREE_MARSHALLING);
        return;
    }
    int32_t error = read_path(call, TREE_OP_EXISTS, asked.path, &results);
    if (error == TREE_OK || error == TREE_NO_NODE)
        watch_if(call, &asked, ZK_WATCH_DATA);
    end(call, error, error == TREE_OK && zk_put_stat(&results, out));
}

void zk_run_get(struct zk_call *call) {
    struct jute_watched asked;
    struct reader results;
    struct buf *out = zk_answer_begin(call);
    if (!jute_take_watched(&call->body, &asked)) {
        zk_answer_end(call, TREE_MARSHALLING);
        return;
    }
    int32_t error = read_path(call, TREE_OP_GET_DATA, asked.path, &results);
    if (error == TREE_OK)
        watch_if(call, &asked, ZK_WATCH_DATA);
    end(call, error, error == TREE_OK && put_data(&results, out) && zk_put_stat(&results, out));
}

void zk_run_children(struct zk_call *call) {
    struct jute_watched asked;
    struct reader results;
    struct buf *out = zk_answer_begin(call);
    if (!jute_take_watched(&call->body, &asked)) {
        zk_answer_end(call, TREE_MARSHALLING);
        return;
    }
    int32_t error = read_path(call, TREE_OP_GET_CHILDREN, asked.path, &results);
    if (error == TREE_OK)
        watch_if(call, &asked, ZK_WATCH_CHILD);
    end(call, error,
        error == TREE_OK && put_names(&results, out) &&
            (call->op == JUTE_CHILDREN || zk_put_stat(&results, out)));
}

/* Operations that take a path alone. */
static void run_path(struct zk_call *call, enum tree_opcode opcode,
                     bool (*put)(struct reader *, struct buf *)) {
    struct reader results;
    struct buf *out = zk_answer_begin(call);
    struct bytes path = jute_take_block(&call->body);
    if (call->body.bad) {
        zk_answer_end(call, TREE_MARSHALLING);
        return;
    }
    int32_t error = read_path(call, opcode, path, &results);
    end(call, error, error == TREE_OK && put(&results, out));
}

static bool put_acl_stat(struct reader *reader, struct buf *out) {
    return put_acl(reader, out) && zk_put_stat(reader, out);
}

void zk_run_get_acl(struct zk_call *call) {
    run_path(call, TREE_OP_GET_ACL, put_acl_stat);
}

void zk_run_ephemerals(struct zk_call *call) {
    run_path(call, TREE_OP_GET_EPHEMERALS, put_names);
}

static bool put_count(struct reader *reader, struct buf *out) {
    int64_t count;
    if (!zk_take_int(reader, &count))
        return false;
    jute_put_i32(out, count > INT32_MAX ? INT32_MAX : (int32_t)count);
    return true;
}

void zk_run_count_children(struct zk_call *call) {
    run_path(call, TREE_OP_COUNT_CHILDREN, put_count);
}

void zk_run_sync(struct zk_call *call) {
    run_path(call, TREE_OP_SYNC, put_data);
}

void zk_run_ping(struct zk_call *call) {
    zk_answer(call, TREE_OK);
}

void zk_run_unknown(struct zk_call *call) {
    zk_answer(call, TREE_UNIMPLEMENTED);
}

void zk_run_refused(struct zk_call *call) {
    zk_answer(call, TREE_NOT_READ_ONLY);
}

/* A session that read-only mode serves is not its to end. */
void zk_run_leave(struct zk_call *call) {
    zk_answer(call, TREE_OK);
    zk_conn_close(call->conn);
}

/* ---- many at one moment ---- */

static bool read_part(struct zk_call *call, const struct jute_part *part) {
    struct jute_watched asked;
    struct reader results;
    struct buf *out = call->out;
    bool get = part->op == JUTE_GET;
    if (!jute_take_watched(&call->body, &asked) || (!get && part->op != JUTE_CHILDREN))
        return false;
    int32_t error =
        read_path(call, get ? TREE_OP_GET_DATA : TREE_OP_GET_CHILDREN, asked.path, &results);
    if (error != TREE_OK) {
        jute_put_part(out, -1, false, error);
        jute_put_i32(out, error);
        return true;
    }
    watch_if(call, &asked, get ? ZK_WATCH_DATA : ZK_WATCH_CHILD);
    jute_put_part(out, part->op, false, 0);
    return get ? put_data(&results, out) && zk_put_stat(&results, out) : put_names(&results, out);
}

void zk_run_multi_read(struct zk_call *call) {
    struct jute_part part;
    struct buf *out = zk_answer_begin(call);
    bool whole = true, fits = true;
    while (whole && fits && !call->conn->closed) {
        whole = jute_take_part(&call->body, &part);
        if (!whole || part.done)
            break;
        whole = read_part(call, &part);
        fits = out->len - call->start <= MULTI_READ_BYTES_MAX;
    }
    if (whole)
        jute_put_part(out, -1, true, -1);
    zk_answer_end(call, !whole ? TREE_MARSHALLING : !fits ? TREE_SYSTEM : TREE_OK);
}
