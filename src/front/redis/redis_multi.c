/* MULTI: commands are queued here and travel as one machine command, so that they are executed all
 * or none in one log entry. Commands of the front end's own (PING, TIME ...) may be among them;
 * they run when the transaction has. WATCH remembers versions, which the machine compares. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

/* ---- the queue ---- */

void multi_discard(struct conn *conn) {
    struct multi *multi = conn->multi;
    if (multi == NULL)
        return;
    cairn_free(multi->items);
    buf_free(&multi->bytes);
    cairn_free(multi);
    conn->multi = NULL;
}

static struct queued *add_item(struct multi *multi) {
    if (multi->count == multi->cap) {
        multi->cap = multi->cap ? multi->cap * 2 : 8;
        multi->items = cairn_realloc(multi->items, multi->cap * sizeof *multi->items);
    }
    return &multi->items[multi->count++];
}

void multi_queue(struct conn *conn, const struct command *command, const struct bytes *args,
                 size_t argc) {
    struct multi *multi = conn->multi;
    struct buf *out = reply_begin(conn);
    size_t arriving = 0;
    for (size_t i = 0; i < argc; i++)
        arriving += args[i].len + 4;
    if (multi->bytes.len + arriving > conn->front->options.bulk_bytes_max) {
        multi->broken = true;
        resp_put_error(out, "ERR the transaction is larger than the limit");
        reply_end(conn, out);
        return;
    }
    struct queued *item = add_item(multi);
    *item = (struct queued){.command = command, .offset = multi->bytes.len, .argc = (uint32_t)argc};
    if (command->opcode != 0)
        kv_encode(&multi->bytes, command->opcode, args + 1, argc - 1);
    else
        for (size_t i = 0; i < argc; i++)
            buf_block(&multi->bytes, args[i]);
    item->len = multi->bytes.len - item->offset;
    multi->writes |= (command->kv_flags & (KV_WRITE | KV_PUBSUB)) != 0;
    resp_put_status(out, "QUEUED");
    reply_end(conn, out);
}

void cmd_multi(struct call *call) {
    if (call->conn->multi != NULL) {
        resp_put_error(call->out, "ERR MULTI calls can not be nested");
        return;
    }
    call->conn->multi = cairn_alloc_zero(sizeof *call->conn->multi);
    resp_put_status(call->out, "OK");
}

void cmd_discard(struct call *call) {
    if (call->conn->multi == NULL) {
        resp_put_error(call->out, "ERR DISCARD without MULTI");
        return;
    }
    multi_discard(call->conn);
    watch_forget(call->conn);
    resp_put_status(call->out, "OK");
}

/* ---- EXEC ---- */

/* What finish needs of the queue, kept in the slot's memo: a pointer to the queue itself. */
static struct multi *memo_multi(struct slot *slot) {
    struct multi *multi;
    cairn_assert(slot->memo.len == sizeof multi);
    __builtin_memcpy(&multi, slot->memo.data, sizeof multi);
    return multi;
}

static void free_multi(struct multi *multi) {
    cairn_free(multi->items);
    buf_free(&multi->bytes);
    cairn_free(multi);
}

static void run_local_item(struct slot *slot, const struct multi *multi, const struct queued *item,
                           struct buf *out) {
    struct conn *conn = slot->conn;
    uint8_t protocol = conn->protocol; /* it may have changed since EXEC was asked for */
    struct bytes *args = cairn_alloc(item->argc * sizeof *args);
    struct reader reader = reader_of(bytes_of(multi->bytes.data + item->offset, item->len));
    for (uint32_t i = 0; i < item->argc; i++)
        args[i] = read_block(&reader, UINT32_MAX);
    conn->protocol = slot->protocol;
    exec_local(conn, item->command, args, item->argc, out);
    conn->protocol = protocol;
    cairn_free(args);
}

/* The machine can't know who listens. */
static void put_receivers(struct conn *conn, const struct multi *multi, const struct queued *item,
                          struct reader *replies, struct buf *out) {
    struct kv_parsed parsed;
    struct reply_value value;
    struct bytes encoded = bytes_of(multi->bytes.data + item->offset, item->len);
    if (!reply_next(replies, &value) || kv_decode(encoded, &parsed) != CAIRN_OK) {
        resp_put_error(out, "ERR malformed reply from the machine");
        return;
    }
    resp_put_int(out, (int64_t)pubsub_receivers(conn->front, parsed.args[0]));
    kv_parsed_free(&parsed);
}

static void put_results(struct slot *slot, const struct multi *multi, struct reader *replies,
                        struct buf *out) {
    resp_put_array(out, multi->count);
    for (size_t i = 0; i < multi->count; i++) {
        const struct queued *item = &multi->items[i];
        if (item->command->opcode == 0)
            run_local_item(slot, multi, item, out);
        else if (item->command->opcode == KV_PUBLISH)
            put_receivers(slot->conn, multi, item, replies, out);
        else if (!put_reply(out, slot->protocol, replies))
            resp_put_error(out, "ERR malformed reply from the machine");
    }
}

static void exec_finish(struct slot *slot, enum cairn_status status, struct bytes reply,
                        struct buf *out) {
    struct multi *multi = memo_multi(slot);
    struct reader reader = reader_of(reply);
    struct reply_value head;
    if (status != CAIRN_OK) {
        resp_put_error(out, status_error(status));
    } else if (!reply_next(&reader, &head)) {
        resp_put_error(out, "ERR malformed reply from the machine");
    } else if (head.kind == REPLY_ERROR) {
        resp_put_error_bytes(out, head.text);
    } else if (head.kind == REPLY_NIL_ARRAY) {
        resp_put_nil_array(out, slot->protocol);
    } else {
        put_results(slot, multi, &reader, out);
    }
}

void exec_forget(struct slot *slot) {
    if (slot->finish == exec_finish && slot->memo.len > 0)
        free_multi(memo_multi(slot));
}

static void encode_transaction(const struct conn *conn, const struct multi *multi,
                               struct buf *out) {
    struct bytes *commands = cairn_alloc(multi->count * sizeof *commands);
    size_t count = 0, watched_count = conn->watched_keys.count, n = 0;
    struct kv_watch *watches = cairn_alloc(watched_count * sizeof *watches);
    for (size_t i = 0; i < multi->count; i++)
        if (multi->items[i].command->opcode != 0)
            commands[count++] =
                bytes_of(multi->bytes.data + multi->items[i].offset, multi->items[i].len);
    LIST_EACH(item, &conn->watched) {
        const struct watched *watched = container_of(item, struct watched, list);
        watches[n++] = (struct kv_watch){blob_view(watched->key), watched->version};
    }
    kv_encode_transaction(out, watches, watched_count, commands, count);
    cairn_free(commands);
    cairn_free(watches);
}

void cmd_exec(struct call *call) {
    struct conn *conn = call->conn;
    struct multi *multi = conn->multi;
    if (multi == NULL) {
        resp_put_error(call->out, "ERR EXEC without MULTI");
        return;
    }
    if (multi->broken) {
        resp_put_error(call->out, "EXECABORT Transaction discarded because of previous errors.");
        multi_discard(conn);
        watch_forget(conn);
        return;
    }
    struct buf encoded = {0};
    encode_transaction(conn, multi, &encoded);
    conn->multi = NULL;
    watch_forget(conn);
    struct slot *slot = exec_encoded(call, &encoded, exec_finish);
    buf_free(&encoded);
    if (slot == NULL)
        free_multi(multi);
    else
        buf_append(&slot->memo, &multi, sizeof multi);
}

/* ---- WATCH ---- */

void watch_forget(struct conn *conn) {
    LIST_EACH_SAFE(item, &conn->watched) {
        struct watched *watched = container_of(item, struct watched, list);
        list_remove(item);
        blob_unref(watched->key);
        cairn_free(watched);
    }
    hmap_free(&conn->watched_keys);
}

static bool key_matches(const struct hnode *node, const void *key) {
    const struct watched *watched = container_of(node, struct watched, by_key);
    return bytes_equal(blob_view(watched->key), *(const struct bytes *)key);
}

static void watch_one(struct conn *conn, struct bytes key, uint64_t version) {
    uint64_t hash = bytes_hash(key, 0);
    if (hmap_find(&conn->watched_keys, hash, key_matches, &key) != NULL)
        return;
    struct watched *watched = cairn_alloc_zero(sizeof *watched);
    watched->key = blob_from(key);
    watched->version = version;
    list_push(&conn->watched, &watched->list);
    hmap_insert(&conn->watched_keys, &watched->by_key, hash);
}

/* The machine told the versions; a key that was watched before keeps its first one. */
static void watch_finish(struct slot *slot, enum cairn_status status, struct bytes reply,
                         struct buf *out) {
    struct conn *conn = slot->conn;
    struct reader keys = reader_of(buf_view(&slot->memo));
    struct reader reader = reader_of(reply);
    struct reply_value value;
    conn_resume(conn);
    if (status != CAIRN_OK || !reply_next(&reader, &value) || value.kind != REPLY_ARRAY) {
        resp_put_error(out, status_error(status));
        return;
    }
    while (reader_left(&keys) > 0 && reply_next(&reader, &value))
        watch_one(conn, read_block(&keys, UINT32_MAX), (uint64_t)value.integer);
    resp_put_status(out, "OK");
}

void cmd_watch(struct call *call) {
    struct conn *conn = call->conn;
    if (conn->multi != NULL) {
        resp_put_error(call->out, "ERR WATCH inside MULTI is not allowed");
        return;
    }
    struct buf encoded = {0};
    kv_encode(&encoded, KV_VERSIONS, call->args + 1, call->argc - 1);
    struct slot *slot = exec_encoded(call, &encoded, watch_finish);
    buf_free(&encoded);
    if (slot == NULL)
        return;
    for (size_t i = 1; i < call->argc; i++)
        buf_block(&slot->memo, call->args[i]);
    conn->held = true; /* a MULTI that follows at once must know the versions */
}

void cmd_unwatch(struct call *call) {
    watch_forget(call->conn);
    resp_put_status(call->out, "OK");
}
