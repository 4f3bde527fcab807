/* Answers in the order of requests. What is not known yet keeps its place as a slot; a read waits
 * in its place until everything before it is answered, and is then answered from this node's state:
 * inside the call that told of the write before it, so before anything behind that write is
 * applied.
 *
 * Writes are sent ahead, many at once. Only a slot with a barrier (sync, a linearizable read) holds
 * those behind it back: its read must not see them. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define HEADER_BYTES 16u

/* ---- one answer ---- */

struct buf *zk_answer_begin(struct zk_call *call) {
    call->start = jute_put_reply(call->out, call->xid, 0, 0);
    return call->out;
}

static void learn_response(struct zk_conn *conn, size_t bytes) {
    struct zookeeper_front *front = conn->front;
    size_t faded = conn->answer_bytes - conn->answer_bytes / 8;
    conn->answer_bytes = bytes > faded ? bytes : faded;
    conn->answered++;
    front->counters.response_last = bytes;
    if (bytes > front->counters.response_max)
        front->counters.response_max = bytes;
    if (bytes < front->counters.response_min || front->counters.response_min == 0)
        front->counters.response_min = bytes;
}

static void learn_latency(struct zk_conn *conn, int32_t xid, int32_t op, uint64_t since_ns) {
    struct zookeeper_front *front = conn->front;
    uint64_t us = front->now_ns > since_ns ? (front->now_ns - since_ns) / 1000 : 0;
    spans_note(&front->request_times, us * 1000);
    zk_traffic_latency(&conn->traffic, us);
    zk_traffic_latency(&front->traffic, us);
    conn->traffic.sent++;
    front->traffic.sent++;
    conn->last_op = op;
    conn->last_xid = xid;
    conn->last_latency_us = us;
}

/* A client's zxids never fall, whatever order its answers come in. */
static int64_t told_zxid(struct zk_conn *conn, uint64_t zxid) {
    if (zxid > conn->front->zxid)
        conn->front->zxid = zxid;
    if (zxid > conn->zxid)
        conn->zxid = zxid;
    return (int64_t)conn->zxid;
}

void zk_answer_end(struct zk_call *call, int32_t error) {
    struct buf *out = call->out;
    if (call->conn->closed) /* lost while it was read for: what was written is gone already */
        return;
    cairn_assert(out->len >= call->start + HEADER_BYTES);
    if (error != TREE_OK)
        out->len = call->start + HEADER_BYTES;
    uint64_t zxid = call->zxid != 0 ? call->zxid : call->conn->front->zxid;
    put_u64(out->data + call->start + 4, __builtin_bswap64((uint64_t)told_zxid(call->conn, zxid)));
    put_u32(out->data + call->start + 12, __builtin_bswap32((uint32_t)error));
    jute_frame_end(out, call->start);
    learn_response(call->conn, out->len - call->start);
    learn_latency(call->conn, call->xid, call->op,
                  call->slot != NULL ? call->slot->since_ns : call->conn->front->now_ns);
}

void zk_answer(struct zk_call *call, int32_t error) {
    zk_answer_begin(call);
    zk_answer_end(call, error);
}

/* ---- replies of the tree ---- */

bool zk_take_int(struct reader *reader, int64_t *value) {
    struct reply_value head;
    if (!reply_next(reader, &head) || head.kind != REPLY_INT)
        return false;
    *value = head.integer;
    return true;
}

bool zk_take_bulk(struct reader *reader, struct bytes *value) {
    struct reply_value head;
    if (!reply_next(reader, &head) || (head.kind != REPLY_BULK && head.kind != REPLY_NIL))
        return false;
    *value = head.kind == REPLY_NIL ? bytes_of(NULL, 0) : head.text;
    return true;
}

bool zk_take_array(struct reader *reader, uint32_t *count) {
    struct reply_value head;
    if (!reply_next(reader, &head) || head.kind != REPLY_ARRAY)
        return false;
    *count = head.count;
    return true;
}

bool zk_reply_take(struct bytes reply, struct zk_reply *taken) {
    int64_t error, zxid;
    uint32_t count;
    taken->results = reader_of(reply);
    if (!zk_take_array(&taken->results, &count) || !zk_take_int(&taken->results, &error) ||
        !zk_take_int(&taken->results, &zxid))
        return false;
    taken->error = (int32_t)error;
    taken->zxid = (uint64_t)zxid;
    return true;
}

/* ---- slots ---- */

static struct zk_slot *slot_new(struct zk_conn *conn, const struct zk_operation *operation,
                                const struct jute_request *request) {
    struct zk_slot *slot = cairn_alloc_zero(sizeof *slot);
    slot->conn = conn;
    slot->operation = operation;
    slot->xid = request->xid;
    slot->op = request->op;
    slot->since_ns = conn->front->now_ns;
    list_push(&conn->slots, &slot->list);
    conn->slot_count++;
    return slot;
}

static void slot_hold(struct zk_slot *slot, struct bytes body) {
    slot->state = ZK_SLOT_HELD;
    if (slot->bytes.len == 0 && body.len > 0) {
        buf_bytes(&slot->bytes, body);
        slot->conn->slot_bytes += body.len;
    }
    slot->conn->held += slot->operation->kind == ZK_WRITE;
}

static void slot_uncount(struct zk_slot *slot) {
    struct zookeeper_front *front = slot->conn->front;
    cairn_assert(!slot->counted || front->outstanding > 0);
    front->outstanding -= slot->counted;
    slot->counted = false;
}

/* Its request's bytes, or an answer that left, are not needed any more. */
static void slot_clear(struct zk_slot *slot) {
    cairn_assert(slot->conn->slot_bytes >= slot->bytes.len);
    slot->conn->slot_bytes -= slot->bytes.len;
    buf_clear(&slot->bytes);
}

static void slot_free(struct zk_slot *slot) {
    slot_uncount(slot);
    slot_clear(slot);
    slot->conn->slot_count--;
    slot->conn->barriers -= slot->barrier;
    list_remove(&slot->list);
    buf_free(&slot->bytes);
    buf_free(&slot->parts);
    zk_reconfig_free(slot->reconfig);
    cairn_free(slot);
}

void zk_order_drop(struct zk_conn *conn) {
    LIST_EACH_SAFE(item, &conn->slots)
    slot_free(container_of(item, struct zk_slot, list));
}

static bool is_first(const struct zk_slot *slot) {
    return slot->conn->slots.next == &slot->list;
}

static struct zk_call call_of(struct zk_slot *slot, struct buf *out) {
    return (struct zk_call){.conn = slot->conn,
                            .operation = slot->operation,
                            .slot = slot,
                            .xid = slot->xid,
                            .op = slot->op,
                            .body = reader_of(buf_view(&slot->bytes)),
                            .out = out};
}

/* ---- writes ---- */

/* The reply's results behind its header; a malformed one can't be told to any client. */
static bool put_write(struct zk_slot *slot, struct bytes reply, struct buf *out) {
    struct zk_call call = call_of(slot, out);
    struct zk_reply taken;
    if (!zk_reply_take(reply, &taken))
        return false;
    call.zxid = taken.zxid;
    zk_answer_begin(&call);
    if (taken.error == TREE_OK && slot->operation->results != NULL &&
        !slot->operation->results(slot, &taken.results, out)) {
        out->len = call.start - 4;
        return false;
    }
    zk_answer_end(&call, taken.error);
    return true;
}

static void finish_close(const struct zk_slot *slot) {
    if (slot->op == JUTE_CLOSE)
        zk_conn_close(slot->conn);
}

static void write_done(void *context, enum cairn_status status, struct bytes reply) {
    struct zk_slot *slot = context;
    struct zk_conn *conn = slot->conn;
    slot_uncount(slot);
    if (conn->closed)
        return;
    conn->front->now_ns = env_now(conn->front->env);
    bool first = is_first(slot);
    if (status != CAIRN_OK || !put_write(slot, reply, first ? &conn->out : &slot->bytes)) {
        conn->front->counters.unknown++;
        zk_conn_lose(conn);
        return;
    }
    slot->state = ZK_SLOT_DONE;
    conn->slot_bytes += slot->bytes.len;
    if (!first)
        return;
    finish_close(slot);
    slot_free(slot);
    zk_order_advance(conn);
}

/* False: it has to wait. */
static bool send_write(struct zk_slot *slot, struct bytes body) {
    struct zk_conn *conn = slot->conn;
    struct zookeeper_front *front = conn->front;
    struct zk_call call = call_of(slot, &slot->bytes);
    call.body = reader_of(body);
    buf_clear(&front->command);
    int32_t error = slot->operation->encode(&call, &front->command);
    if (error != TREE_OK) {
        slot_clear(slot);
        zk_answer(&call, error);
        conn->slot_bytes += slot->bytes.len;
        slot->state = ZK_SLOT_DONE;
        return true;
    }
    enum cairn_status status =
        node_execute(&conn->client, buf_view(&front->command), write_done, slot);
    if (status == CAIRN_BUSY) {
        zk_conn_throttle(conn);
        return false;
    }
    if (status != CAIRN_OK) {
        zk_conn_lose(conn);
        return true;
    }
    slot_clear(slot);
    slot->state = ZK_SLOT_ASKED;
    slot->counted = true;
    front->outstanding++;
    return true;
}

/* Writes that waited, as far as no barrier stands before them. */
static void send_held(struct zk_conn *conn) {
    LIST_EACH(item, &conn->slots) {
        struct zk_slot *slot = container_of(item, struct zk_slot, list);
        if (conn->closed || conn->held == 0 || slot->barrier)
            return;
        if (slot->operation->kind != ZK_WRITE || slot->state != ZK_SLOT_HELD)
            continue;
        if (!send_write(slot, buf_view(&slot->bytes)))
            return;
        conn->held--;
        env_wake(conn->front->env); /* this may be after the node's turn */
    }
}

/* ---- barriers ---- */

static void barrier_done(void *context, enum cairn_status status, struct bytes reply) {
    struct zk_slot *slot = context;
    struct zk_conn *conn = slot->conn;
    slot_uncount(slot);
    if (conn->closed)
        return;
    if (status != CAIRN_OK) {
        zk_conn_lose(conn);
        return;
    }
    slot->confirmed = true;
    if (is_first(slot))
        zk_order_advance(conn);
}

static void ask_barrier(struct zk_slot *slot) {
    struct zk_conn *conn = slot->conn;
    slot->barrier = true;
    conn->barriers++;
    if (node_barrier(&conn->client, barrier_done, slot) != CAIRN_OK) {
        zk_conn_lose(conn);
        return;
    }
    slot->counted = true;
    conn->front->outstanding++;
}

/* ---- the queue ---- */

static void run_slot(struct zk_slot *slot) {
    struct zk_call call = call_of(slot, &slot->conn->out);
    slot->operation->run(&call);
}

/* What ends by itself, later. Its request makes room for the answer. */
static void begin_slot(struct zk_slot *slot) {
    slot->conn->slot_bytes -= slot->bytes.len;
    slot->parts = slot->bytes;
    slot->bytes = (struct buf){0};
    slot->state = ZK_SLOT_ASKED;
    struct zk_call call = call_of(slot, &slot->bytes);
    call.body = reader_of(buf_view(&slot->parts));
    slot->operation->run(&call);
}

void zk_slot_answered(struct zk_slot *slot) {
    struct zk_conn *conn = slot->conn;
    slot->state = ZK_SLOT_DONE;
    conn->slot_bytes += slot->bytes.len;
    if (is_first(slot) && !conn->closed)
        zk_order_advance(conn);
}

/* True: it is answered. */
static bool settle(struct zk_slot *slot) {
    struct zk_conn *conn = slot->conn;
    if (slot->state == ZK_SLOT_DONE) {
        buf_bytes(&conn->out, buf_view(&slot->bytes));
        finish_close(slot);
        return true;
    }
    if (slot->state == ZK_SLOT_ASKED || slot->operation->kind == ZK_WRITE)
        return false;
    if (slot->operation->kind == ZK_OTHER) {
        begin_slot(slot);
        return false;
    }
    if (slot->barrier && !slot->confirmed)
        return false;
    run_slot(slot);
    return true;
}

void zk_order_advance(struct zk_conn *conn) {
    while (!conn->closed) {
        while (!list_empty(&conn->slots) && !conn->closed) {
            struct zk_slot *slot = container_of(list_first(&conn->slots), struct zk_slot, list);
            if (!settle(slot))
                break;
            slot_free(slot);
        }
        uint32_t held = conn->held;
        if (!conn->closed)
            send_held(conn);
        if (held == conn->held)
            break;
    }
    if (conn->out.len > 0)
        zk_conn_dirty(conn);
}

/* ---- a request arrives ---- */

static bool needs_barrier(const struct zk_conn *conn, const struct zk_operation *operation) {
    if (conn->read_only || conn->front->options.mutant == MUTANT_ZK_SYNC_NO_BARRIER)
        return false;
    return operation->kind == ZK_SYNC || (operation->kind == ZK_READ && !operation->stateless &&
                                          conn->front->options.linearizable_reads);
}

static bool overtakes(const struct zk_conn *conn, const struct zk_operation *operation) {
    return operation->kind == ZK_READ &&
           conn->front->options.mutant == MUTANT_ZK_READ_OVERTAKES_WRITE;
}

static void queue(struct zk_conn *conn, const struct zk_operation *operation,
                  const struct jute_request *request, struct bytes body) {
    bool idle = list_empty(&conn->slots);
    struct zk_slot *slot = slot_new(conn, operation, request);
    if (needs_barrier(conn, operation))
        ask_barrier(slot);
    if (operation->kind == ZK_WRITE && conn->barriers == 0 && conn->held == 0 &&
        send_write(slot, body)) {
        if (idle && slot->state == ZK_SLOT_DONE)
            zk_order_advance(conn);
        return;
    }
    slot_hold(slot, body);
    if (idle)
        zk_order_advance(conn);
}

void zk_order_take(struct zk_conn *conn, struct bytes frame) {
    struct reader body = reader_of(frame);
    struct jute_request request;
    conn->traffic.received++;
    conn->front->traffic.received++;
    zk_session_alive(conn);
    if (!jute_take_request(&body, &request)) {
        conn->front->counters.malformed++;
        zk_conn_lose(conn);
        return;
    }
    const struct zk_operation *operation = zk_operation_find(request.op, conn->read_only);
    struct zk_call call = {.conn = conn,
                           .operation = operation,
                           .xid = request.xid,
                           .op = request.op,
                           .body = body,
                           .out = &conn->out};
    bool now =
        operation->kind == ZK_READ && list_empty(&conn->slots) && !needs_barrier(conn, operation);
    if (operation->kind == ZK_AT_ONCE || now || overtakes(conn, operation))
        operation->run(&call);
    else
        queue(conn, operation, &request, bytes_of(body.at, reader_left(&body)));
}
