/* Requests and answers of ZooKeeper's clients as bytes, and operations as text. */
#include "workload/zk_internal.h"

#include "base/alloc.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MODE_TTL 5

static bool part_changes(const struct zk_part *part) {
    return part->action == ZK_CREATE || part->action == ZK_DELETE || part->action == ZK_SET ||
           part->action == ZK_CLOSE;
}

bool zk_changes(const struct zk_op *op) {
    for (uint32_t i = 0; i < op->part_count; i++)
        if (part_changes(&op->parts[i]))
            return true;
    return false;
}

/* ---- requests ---- */

static int32_t wire_op(const struct zk_part *part, bool in_multi) {
    switch (part->action) {
    case ZK_CREATE:
        return part->mode == MODE_TTL ? JUTE_CREATE_TTL : in_multi ? JUTE_CREATE : JUTE_CREATE2;
    case ZK_DELETE:
        return JUTE_DELETE;
    case ZK_SET:
        return JUTE_SET;
    case ZK_CHECK:
        return JUTE_CHECK;
    case ZK_GET:
        return JUTE_GET;
    case ZK_EXISTS:
        return JUTE_EXISTS;
    case ZK_CHILDREN:
        return JUTE_CHILDREN2;
    case ZK_SYNC:
        return JUTE_SYNC;
    case ZK_ADD_WATCH:
        return JUTE_ADD_WATCH;
    default:
        return JUTE_CLOSE;
    }
}

static void put_token(struct buf *out, uint64_t token) {
    char text[17];
    snprintf(text, sizeof text, "%016" PRIx64, token);
    jute_put_block(out, bytes_cstr(text));
}

static void put_part(struct buf *out, const struct zk_part *part, bool watch) {
    const struct jute_acl open = {31, BYTES("world"), BYTES("anyone")};
    if (part->action == ZK_CLOSE)
        return;
    jute_put_block(out, bytes_cstr(part->path));
    switch (part->action) {
    case ZK_CREATE:
        put_token(out, part->token);
        jute_put_i32(out, 1);
        jute_put_acl(out, &open);
        jute_put_i32(out, part->mode);
        if (part->mode == MODE_TTL)
            jute_put_i64(out, ZK_TTL_MS);
        break;
    case ZK_DELETE:
    case ZK_CHECK:
        jute_put_i32(out, part->version);
        break;
    case ZK_SET:
        put_token(out, part->token);
        jute_put_i32(out, part->version);
        break;
    case ZK_GET:
    case ZK_EXISTS:
    case ZK_CHILDREN:
        jute_put_bool(out, watch);
        break;
    case ZK_ADD_WATCH:
        jute_put_i32(out, part->mode);
        break;
    default:
        break;
    }
}

void zk_encode(struct buf *out, int32_t xid, const struct zk_op *op) {
    bool multi = op->part_count > 1;
    size_t start = jute_put_request(out, xid, multi ? JUTE_MULTI : wire_op(&op->parts[0], false));
    for (uint32_t i = 0; i < op->part_count; i++) {
        if (multi)
            jute_put_part(out, wire_op(&op->parts[i], true), false, -1);
        put_part(out, &op->parts[i], op->watch);
    }
    if (multi)
        jute_put_part(out, -1, true, -1);
    jute_frame_end(out, start);
}

void zk_encode_watches(struct buf *out, const struct zk_client *client) {
    size_t start = jute_put_request(out, JUTE_XID_SET_WATCHES, JUTE_SET_WATCHES2);
    jute_put_i64(out, (int64_t)client->zxid);
    for (enum zk_watch_kind kind = ZK_WATCH_DATA; kind <= ZK_WATCH_RECURSIVE; kind++) {
        int32_t count = 0;
        LIST_EACH(item, &client->watches)
        count += container_of(item, struct zk_watch, list)->kind == kind;
        jute_put_i32(out, count);
        LIST_EACH(item, &client->watches) {
            const struct zk_watch *watch = container_of(item, struct zk_watch, list);
            if (watch->kind == kind)
                jute_put_block(out, bytes_cstr(watch->path));
        }
    }
    jute_frame_end(out, start);
}

/* ---- answers ---- */

static void take_stat(struct reader *reader, struct zk_stat *stat) {
    stat->czxid = (uint64_t)jute_take_i64(reader);
    stat->mzxid = (uint64_t)jute_take_i64(reader);
    jute_take_i64(reader); /* ctime */
    jute_take_i64(reader); /* mtime */
    stat->version = jute_take_i32(reader);
    stat->cversion = jute_take_i32(reader);
    jute_take_i32(reader); /* aversion */
    stat->owner = (uint64_t)jute_take_i64(reader);
    jute_take_i32(reader); /* data length */
    stat->children = jute_take_i32(reader);
    stat->pzxid = (uint64_t)jute_take_i64(reader);
}

static uint64_t take_token(struct reader *reader) {
    struct bytes data = jute_take_block(reader);
    char text[17] = "";
    if (data.len == 16)
        memcpy(text, data.data, 16);
    return strtoull(text, NULL, 16);
}

static void take_name(struct reader *reader, struct zk_part *part) {
    struct bytes path = jute_take_block(reader);
    if (path.len >= ZK_PATH_MAX) {
        reader->bad = true;
        return;
    }
    memset(part->path, 0, sizeof part->path);
    if (path.len > 0)
        memcpy(part->path, path.data, path.len);
}

static char *take_children(struct reader *reader) {
    struct buf names = {0};
    uint32_t count = jute_take_count(reader, 4);
    for (uint32_t i = 0; i < count; i++) {
        buf_bytes(&names, jute_take_block(reader));
        buf_u8(&names, '\n');
    }
    buf_u8(&names, 0);
    return (char *)names.data;
}

static bool decode_multi(struct reader *reader, struct zk_op *op) {
    for (uint32_t i = 0; i < op->part_count; i++) {
        struct zk_part *part = &op->parts[i];
        struct jute_part head;
        struct zk_stat unused;
        if (!jute_take_part(reader, &head) || head.done)
            return false;
        part->error = head.error;
        if (head.op == -1)
            part->error = jute_take_i32(reader);
        else if (head.op == JUTE_CREATE)
            take_name(reader, part);
        else if (head.op == JUTE_CREATE2 || head.op == JUTE_CREATE_TTL) {
            take_name(reader, part);
            take_stat(reader, &unused);
        } else if (head.op == JUTE_SET)
            take_stat(reader, &unused);
        if (part->error != 0 && op->error == 0)
            op->error = part->error;
    }
    for (uint32_t i = 0; i < op->part_count; i++) /* the one that failed, not those behind it */
        if (op->parts[i].error != 0 && op->parts[i].error != -2)
            op->error = op->parts[i].error;
    return !reader->bad;
}

bool zk_decode(struct reader *reader, struct zk_op *op) {
    struct zk_part *part = &op->parts[0];
    if (op->part_count > 1)
        return decode_multi(reader, op);
    switch (part->action) {
    case ZK_CREATE:
        take_name(reader, part);
        take_stat(reader, &op->stat);
        break;
    case ZK_GET:
        part->token = take_token(reader);
        take_stat(reader, &op->stat);
        break;
    case ZK_SET:
    case ZK_EXISTS:
        take_stat(reader, &op->stat);
        break;
    case ZK_CHILDREN:
        op->children = take_children(reader);
        take_stat(reader, &op->stat);
        break;
    default:
        return true;
    }
    return !reader->bad;
}

/* ---- text ---- */

void zk_print_op(const struct zk_op *op, struct buf *out) {
    static const char *const names[] = {"?",         "create",  "delete",   "set",   "check",
                                        "get",       "exists",  "children", "sync",  "add-watch",
                                        "connected", "expired", "close",    "event", "lost"};
    buf_printf(out, "client %u session %" PRIx64 " %" PRIu64 "-", op->client, op->session,
               op->invoke / 1000);
    if (op->outcome == ZK_ANSWERED)
        buf_printf(out, "%" PRIu64 " zxid %" PRIx64 " error %d", op->complete / 1000, op->zxid,
                   op->error);
    else
        buf_printf(out, "? unanswered");
    for (uint32_t i = 0; i < op->part_count; i++) {
        const struct zk_part *part = &op->parts[i];
        buf_printf(out, "%s %s %s version %d mode %d token %" PRIx64, i ? "," : "",
                   names[part->action], part->path, part->version, part->mode, part->token);
    }
    if (op->stat.czxid != 0)
        buf_printf(out, " czxid %" PRIx64 " mzxid %" PRIx64 " version %d children %d",
                   op->stat.czxid, op->stat.mzxid, op->stat.version, op->stat.children);
    if (op->watch)
        buf_printf(out, " watch");
    if (op->resumed)
        buf_printf(out, " resumed");
    for (const char *at = op->children; at != NULL && *at != 0; at++)
        buf_u8(out, *at == '\n' ? (uint8_t)' ' : (uint8_t)*at);
}
