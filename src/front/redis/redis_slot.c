/* Replies in the order of their commands: what is not known yet keeps its place as a slot, and what
 * is known behind it waits there. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* The clock is read once for all commands, and once for all replies, of a round of the loop. */
static uint64_t now_once(struct redis_front *front, uint64_t *known) {
    if (*known == 0)
        *known = env_now(front->env);
    return *known;
}

static void learn_time(const struct slot *slot) {
    struct redis_front *front = slot->conn->front;
    if (slot->command == NULL || slot->command->opcode == 0)
        return;
    uint64_t now = now_once(front, &front->answered_ns);
    spans_note(&front->command_times, now > slot->asked_ns ? now - slot->asked_ns : 0);
}

struct slot *slot_new(struct conn *conn, const struct command *command) {
    struct slot *slot = cairn_alloc_zero(sizeof *slot);
    slot->conn = conn;
    slot->asked_ns = now_once(conn->front, &conn->front->asked_ns);
    slot->command = command;
    slot->protocol = conn->protocol;
    slot->quiet = conn->reply_mode != REPLY_MODE_ON;
    list_push(&conn->slots, &slot->list);
    conn->slot_count++;
    return slot;
}

static void slot_free(struct slot *slot) {
    list_remove(&slot->list);
    if (slot->conn->pushes_follow == slot)
        slot->conn->pushes_follow = NULL;
    slot->conn->slot_count--;
    slot->conn->heavy_count -= slot->heavy;
    slot->conn->slot_bytes -= slot->reply.len + slot->pushes.len + long_left(slot);
    exec_forget(slot);
    long_free(slot);
    buf_free(&slot->reply);
    buf_free(&slot->pushes);
    buf_free(&slot->memo);
    cairn_free(slot);
}

void slot_heavy(struct slot *slot) {
    slot->heavy = true;
    slot->conn->heavy_count++;
}

const char *status_error(enum cairn_status status) {
    return node_error_text(status);
}

/* The front of the queue leaves as far as it is known. */
void slots_release(struct conn *conn) {
    while (!list_empty(&conn->slots)) {
        struct slot *slot = container_of(list_first(&conn->slots), struct slot, list);
        if (!slot->done || (slot->is_long && !long_put(slot)))
            break;
        if (!slot->quiet)
            buf_bytes(&conn->out, buf_view(&slot->reply));
        buf_bytes(&conn->out, buf_view(&slot->pushes));
        slot_free(slot);
    }
    conn_dirty(conn);
    conn_account(conn);
}

struct buf *reply_begin(struct conn *conn) {
    if (list_empty(&conn->slots) && conn->reply_mode == REPLY_MODE_ON)
        return &conn->out;
    return &slot_new(conn, NULL)->reply;
}

void reply_end(struct conn *conn, struct buf *out) {
    if (out != &conn->out)
        slot_answered(container_of(out, struct slot, reply));
    else
        slots_release(conn);
}

/* The slot that the next push comes behind; NULL: it comes before them all. The first one's reply
 * may be on its way in part. */
static struct slot *before_push(const struct conn *conn) {
    if (conn->pushes_follow != NULL || list_empty(&conn->slots))
        return conn->pushes_follow;
    struct slot *first = container_of(list_first(&conn->slots), struct slot, list);
    return first->is_long ? first : NULL;
}

struct buf *push_begin(struct conn *conn) {
    struct slot *before = before_push(conn);
    return before == NULL ? &conn->out : &before->pushes;
}

void push_place(struct slot *slot) {
    struct conn *conn = slot->conn;
    list_remove(&slot->list);
    struct slot *before = before_push(conn);
    list_push(before == NULL ? conn->slots.next : before->list.next, &slot->list);
    conn->pushes_follow = slot;
}

void pushes_follow(struct conn *conn, struct buf *reply) {
    if (reply != &conn->out)
        conn->pushes_follow = container_of(reply, struct slot, reply);
}

void push_end(struct conn *conn, struct buf *out, size_t len_before) {
    if (out != &conn->out)
        conn->slot_bytes += out->len - len_before;
    conn_dirty(conn);
    conn_account(conn);
}

static size_t faded(size_t known, size_t part, size_t bytes) {
    known -= known / part;
    return bytes > known ? bytes : known;
}

static void learn_size(const struct slot *slot, size_t bytes) {
    struct conn *conn = slot->conn;
    struct redis_front *front = conn->front;
    if (slot->heavy) {
        conn->reply_bytes = faded(conn->reply_bytes, 8, bytes);
        front->reply_bytes = faded(front->reply_bytes, 1024, bytes);
        conn->answered++;
    } else if (slot->command != NULL && slot->command->kv_flags & KV_READ) {
        front->answer_bytes = faded(front->answer_bytes, 1024, bytes);
        conn->sized = true;
    }
}

static void put_done(struct slot *slot, enum cairn_status status, struct bytes reply,
                     struct buf *out) {
    struct reader reader = reader_of(reply);
    if (slot->finish != NULL)
        slot->finish(slot, status, reply, out);
    else if (status != CAIRN_OK)
        resp_put_error(out, status_error(status));
    else if (!slot->quiet && !put_reply(out, slot->protocol, &reader))
        resp_put_error(out, "ERR malformed reply from the machine");
}

void slot_done(void *context, enum cairn_status status, struct bytes reply) {
    struct slot *slot = context;
    struct conn *conn = slot->conn;
    bool first = conn->slots.next == &slot->list;
    bool told = conn_make_room(conn, reply.len); /* false: the client is closed */
    struct buf *out = first && !slot->quiet ? &conn->out : &slot->reply;
    learn_size(slot, reply.len);
    learn_time(slot);
    if (told && !long_reply_take(slot, reply))
        put_done(slot, status, reply, out);
    slot->done = true;
    conn->slot_bytes += slot->reply.len + long_left(slot);
    if (first)
        slots_release(conn);
    else
        conn_account(conn);
}

void slot_answered(struct slot *slot) {
    slot->done = true;
    slot->conn->slot_bytes += slot->reply.len;
    slots_release(slot->conn);
}

void slots_drop(struct conn *conn) {
    LIST_EACH_SAFE(item, &conn->slots)
    slot_free(container_of(item, struct slot, list));
}

void put_value(struct buf *out, int protocol, const struct reply_value *value, uint64_t *left) {
    (*left)--;
    switch (value->kind) {
    case REPLY_NIL:
        resp_put_nil(out, protocol);
        break;
    case REPLY_NIL_ARRAY:
        resp_put_nil_array(out, protocol);
        break;
    case REPLY_STATUS:
        resp_put_status_bytes(out, value->text);
        break;
    case REPLY_ERROR:
        resp_put_error_bytes(out, value->text);
        break;
    case REPLY_INT:
        resp_put_int(out, value->integer);
        break;
    case REPLY_BULK:
        resp_put_bulk(out, value->text);
        break;
    case REPLY_DOUBLE:
        resp_put_double(out, protocol, value->number);
        break;
    case REPLY_BOOL:
        resp_put_bool(out, protocol, value->integer);
        break;
    case REPLY_ARRAY:
        *left += value->count;
        resp_put_array(out, value->count);
        break;
    case REPLY_SET:
        *left += value->count;
        resp_put_set(out, protocol, value->count);
        break;
    case REPLY_MAP:
        *left += 2ull * value->count;
        resp_put_map(out, protocol, value->count);
        break;
    case REPLY_KIND_COUNT:
        break;
    }
}

bool put_reply(struct buf *out, int protocol, struct reader *reader) {
    uint64_t left = 1;
    while (left > 0) {
        struct reply_value value;
        if (!reply_next(reader, &value))
            return false;
        put_value(out, protocol, &value, &left);
    }
    return true;
}
