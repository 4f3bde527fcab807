/* MULTI: commands are queued here and travel as one machine command, so that they are executed all
 * or none in one log entry; reads alone need no entry, and are one read. Commands of the front
 * end's own (PING, TIME ...) may be among them; they run when the transaction has. WATCH remembers
 * versions, which the machine compares. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

/* ---- the queue ---- */

static void free_multi(struct multi *multi) {
    for (size_t i = 0; i < multi->part_count; i++)
        buf_free(&multi->parts[i].buf);
    cairn_free(multi->parts);
    cairn_free(multi->items);
    buf_free(&multi->last);
    buf_free(&multi->own);
    cairn_free(multi);
}

static void account(struct conn *conn) {
    const struct multi *multi = conn->multi;
    size_t now =
        multi == NULL ? 0 : multi->bytes + multi->own.len + multi->count * sizeof *multi->items;
    input_account(conn, conn->multi_bytes, now);
    conn->multi_bytes = now;
}

void multi_discard(struct conn *conn) {
    if (conn->multi != NULL)
        free_multi(conn->multi);
    conn->multi = NULL;
    account(conn);
}

static struct queued *add_item(struct multi *multi) {
    if (multi->count == multi->cap) {
        multi->cap = multi->cap ? multi->cap * 2 : 8;
        multi->items = cairn_realloc(multi->items, multi->cap * sizeof *multi->items);
    }
    return &multi->items[multi->count++];
}

static void add_part(struct multi *multi, struct command_part part) {
    if (multi->part_count == multi->part_cap) {
        multi->part_cap = multi->part_cap ? multi->part_cap * 2 : 8;
        multi->parts = cairn_realloc(multi->parts, multi->part_cap * sizeof part);
    }
    multi->parts[multi->part_count++] = part;
}

static void close_last(struct multi *multi) {
    add_part(multi, (struct command_part){multi->last, buf_view(&multi->last)});
    multi->last = (struct buf){0};
}

static void queue_command(struct conn *conn, enum kv_opcode opcode, const struct bytes *args,
                          size_t argc, size_t len) {
    struct multi *multi = conn->multi;
    buf_u32(&multi->last, (uint32_t)len);
    if (conn->may_take) {
        close_last(multi);
        add_part(multi, conn_command(conn, opcode, args, argc));
    } else {
        kv_encode(&multi->last, opcode, args, argc);
    }
    multi->commands++;
    multi->bytes += 4 + len;
}

void multi_queue(struct conn *conn, const struct command *command, const struct bytes *args,
                 size_t argc) {
    struct multi *multi = conn->multi;
    struct buf *out = reply_begin(conn);
    size_t len = kv_encoded_len(args + 1, argc - 1), own = multi->own.len;
    if (multi->bytes + own + len > conn->front->options.bulk_bytes_max) {
        multi->broken = true;
        resp_put_error(out, "ERR the transaction is larger than the limit");
        reply_end(conn, out);
        return;
    }
    struct queued *item = add_item(multi);
    if (command->opcode == KV_PUBLISH)
        buf_block(&multi->own, args[1]);
    for (size_t i = 0; command->opcode == 0 && i < argc; i++)
        buf_block(&multi->own, args[i]);
    *item = (struct queued){command, own, multi->own.len - own, (uint32_t)argc};
    if (command->opcode != 0)
        queue_command(conn, command->opcode, args + 1, argc - 1, len);
    multi->writes |= (command->kv_flags & (KV_WRITE | KV_PUBSUB)) != 0;
    account(conn);
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

static void run_local_item(struct slot *slot, const struct multi *multi, const struct queued *item,
                           struct buf *out) {
    struct conn *conn = slot->conn;
    uint8_t protocol = conn->protocol; /* it may have changed since EXEC was asked for */
    struct bytes *args = cairn_alloc(item->argc * sizeof *args);
    struct reader reader = reader_of(bytes_of(multi->own.data + item->offset, item->len));
    for (uint32_t i = 0; i < item->argc; i++)
        args[i] = read_block(&reader, UINT32_MAX);
    conn->protocol = slot->protocol;
    exec_local(conn, item->command, args, item->argc, out);
    conn->protocol = protocol;
    cairn_free(args);
}

/* The machine can't know the listeners. */
static void put_receivers(struct conn *conn, const struct multi *multi, const struct queued *item,
                          struct reader *replies, struct buf *out) {
    struct reply_value value;
    struct reader reader = reader_of(bytes_of(multi->own.data + item->offset, item->len));
    struct bytes channel = read_block(&reader, UINT32_MAX);
    if (reply_next(replies, &value))
        resp_put_int(out, (int64_t)pubsub_receivers(conn->front, channel));
    else
        resp_put_error(out, "ERR malformed reply from the machine");
}

/* What is no list of results. */
static void exec_finish(struct slot *slot, enum cairn_status status, struct bytes reply,
                        struct buf *out) {
    struct reader reader = reader_of(reply);
    struct reply_value head;
    if (status != CAIRN_OK)
        resp_put_error(out, status_error(status));
    else if (reply_next(&reader, &head) && head.kind == REPLY_ERROR)
        resp_put_error_bytes(out, head.text);
    else if (head.kind == REPLY_NIL_ARRAY)
        resp_put_nil_array(out, slot->protocol);
    else
        resp_put_error(out, "ERR malformed reply from the machine");
}

bool exec_begins(struct slot *slot, struct bytes reply, size_t *head_len) {
    struct reader reader = reader_of(reply);
    struct reply_value head;
    if (!reply_next(&reader, &head) || head.kind != REPLY_ARRAY)
        return false;
    *head_len = (size_t)(reader.at - reply.data);
    resp_put_array(&slot->reply, slot->multi->count);
    return true;
}

bool exec_ended(const struct slot *slot) {
    return slot->multi == NULL || slot->item == slot->multi->count;
}

void exec_next(struct slot *slot, struct reader *replies, struct buf *out) {
    const struct multi *multi = slot->multi;
    const struct queued *item = &multi->items[slot->item++];
    if (item->command->opcode == 0)
        run_local_item(slot, multi, item, out);
    else if (item->command->opcode == KV_PUBLISH)
        put_receivers(slot->conn, multi, item, replies, out);
    else
        slot->values_left = 1;
}

void exec_forget(struct slot *slot) {
    if (slot->multi != NULL)
        free_multi(slot->multi);
    slot->multi = NULL;
}

static void encode_head(const struct conn *conn, const struct multi *multi, struct buf *out) {
    size_t count = conn->watched_keys.count, n = 0;
    struct kv_watch *watches = cairn_alloc(count * sizeof *watches);
    LIST_EACH(item, &conn->watched) {
        const struct watched *watched = container_of(item, struct watched, list);
        watches[n++] = (struct kv_watch){blob_view(watched->key), watched->version};
    }
    kv_encode_transaction_head(out, watches, count, multi->commands);
    cairn_free(watches);
}

/* Reads alone, of one state, whatever reads that are no transaction may see. */
static struct slot *execute_reads(struct call *call, struct buf *encoded,
                                  void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                                 struct buf *)) {
    struct node_client *client = &call->conn->client;
    enum node_consistency usual = client->consistency;
    client->consistency = NODE_LINEARIZABLE;
    call->reads = true;
    struct slot *slot = exec_encoded(call, encoded, finish);
    client->consistency = usual;
    return slot;
}

/* Its parts are moved from the queue. */
static struct slot *execute(struct call *call, struct multi *multi,
                            void (*finish)(struct slot *, enum cairn_status, struct bytes,
                                           struct buf *)) {
    struct buf head = {0};
    encode_head(call->conn, multi, &head);
    if (!multi->writes) {
        for (size_t i = 0; i < multi->part_count; i++)
            buf_bytes(&head, multi->parts[i].bytes);
        buf_bytes(&head, buf_view(&multi->last));
        return execute_reads(call, &head, finish);
    }
    size_t count = multi->part_count + 2;
    struct command_part *parts = cairn_alloc(count * sizeof *parts);
    parts[0] = (struct command_part){head, buf_view(&head)};
    for (size_t i = 0; i < multi->part_count; i++)
        parts[1 + i] = multi->parts[i];
    parts[count - 1] = (struct command_part){multi->last, buf_view(&multi->last)};
    multi->part_count = 0;
    multi->last = (struct buf){0};
    struct slot *slot = exec_parts(call, parts, count, finish);
    cairn_free(parts);
    return slot;
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
    conn->multi = NULL;
    account(conn);
    bool plain = multi->own.len == 0; /* the machine's reply is all of the answer */
    struct slot *slot = execute(call, multi, plain ? NULL : exec_finish);
    if (conn->front->options.mutant != MUTANT_WATCH_SURVIVES_EXEC)
        watch_forget(conn);
    if (plain || slot == NULL)
        free_multi(multi);
    else
        slot->multi = multi;
}

/* ---- WATCH ---- */

void watch_forget(struct conn *conn) {
    LIST_EACH_SAFE(item, &conn->watched) {
        struct watched *watched = container_of(item, struct watched, list);
        list_remove(item);
        name_removed(conn, watched->key->len);
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
    name_added(conn, key.len);
    hmap_insert(&conn->watched_keys, &watched->by_key, hash);
}

/* The machine told the versions; a key that was watched before keeps its first one. */
static void watch_finish(struct slot *slot, enum cairn_status status, struct bytes reply,
                         struct buf *out) {
    struct conn *conn = slot->conn;
    struct reader keys = reader_of(buf_view(&slot->memo));
    struct reader reader = reader_of(reply);
    struct reply_value value;
    name_removed(conn, slot->memo.len);
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
    if (conn->watched_keys.count + call->argc - 1 > NAMES_MAX) {
        resp_put_error(call->out, "ERR a client may watch 100000 keys");
        return;
    }
    struct buf encoded = {0};
    kv_encode(&encoded, KV_VERSIONS, call->args + 1, call->argc - 1);
    struct slot *slot = exec_encoded(call, &encoded, watch_finish);
    if (slot == NULL)
        return;
    for (size_t i = 1; i < call->argc; i++)
        buf_block(&slot->memo, call->args[i]);
    name_added(conn, slot->memo.len);
    conn->held = true; /* a MULTI that follows at once must know the versions */
}

void cmd_unwatch(struct call *call) {
    watch_forget(call->conn);
    resp_put_status(call->out, "OK");
}
