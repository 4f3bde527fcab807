/* Operations that become commands of the tree. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"

#define ACL_MAX 4096u

/* ---- ACLs ---- */

struct acl_list {
    struct tree_acl *items;
    uint32_t count;
};

/* False: too many, or numbers that are no permissions. */
static bool take_acl(struct reader reader, uint32_t count, struct acl_list *list) {
    *list = (struct acl_list){.count = count};
    if (count == 0)
        return true;
    if (count > ACL_MAX)
        return false;
    list->items = cairn_alloc(count * sizeof *list->items);
    for (uint32_t i = 0; i < count; i++) {
        struct jute_acl acl;
        jute_take_acl(&reader, &acl);
        list->items[i] = (struct tree_acl){(uint32_t)acl.permissions, {acl.scheme, acl.id}};
    }
    return true;
}

static void free_acl(struct acl_list *list) {
    cairn_free(list->items);
}

/* ---- own fields, as commands and as parts of a multi ---- */

/* Modes fit operations: only createTTL makes nodes with a time to live. */
static bool mode_fits(int32_t op, const struct jute_create *create) {
    bool ttl = create->flags == TREE_TTL || create->flags == TREE_TTL_SEQUENTIAL;
    return create->flags >= 0 && create->flags <= TREE_TTL_SEQUENTIAL &&
           ttl == (op == JUTE_CREATE_TTL) &&
           (!ttl || (create->ttl_ms > 0 && (uint64_t)create->ttl_ms <= TREE_TTL_MS_MAX));
}

/* What does not fit goes on as what the tree refuses, so that it fails in its place. */
static int32_t put_create(int32_t op, struct reader *body, struct buf *out) {
    struct jute_create create;
    struct acl_list acl;
    if (!jute_take_create(body, op, &create))
        return TREE_MARSHALLING;
    if (!mode_fits(op, &create)) {
        create.flags = TREE_TTL;
        create.ttl_ms = 0;
    }
    if (!take_acl(create.acl, create.acl_count, &acl))
        return TREE_INVALID_ACL;
    tree_put_create(out, (enum tree_mode)create.flags, create.path, create.data, acl.items,
                    acl.count, create.ttl_ms > 0 ? (uint64_t)create.ttl_ms : 0);
    free_acl(&acl);
    return TREE_OK;
}

static int32_t put_numbered(struct reader *body, struct buf *out) {
    struct jute_numbered record;
    if (!jute_take_numbered(body, &record))
        return TREE_MARSHALLING;
    tree_put_versioned(out, record.number, record.path);
    return TREE_OK;
}

static int32_t put_set(struct reader *body, struct buf *out) {
    struct jute_set set;
    if (!jute_take_set(body, &set))
        return TREE_MARSHALLING;
    tree_put_set_data(out, set.version, set.path, set.data);
    return TREE_OK;
}

/* The command's head: the caller, encoded once a connection. */
static void put_head(struct zk_call *call, enum tree_opcode opcode, struct buf *command) {
    size_t at = command->len;
    buf_bytes(command, buf_view(&call->conn->head));
    command->data[at] = (uint8_t)opcode;
}

int32_t zk_encode_create(struct zk_call *call, struct buf *command) {
    put_head(call, TREE_OP_CREATE, command);
    return put_create(call->op, &call->body, command);
}

int32_t zk_encode_delete(struct zk_call *call, struct buf *command) {
    put_head(call, TREE_OP_DELETE, command);
    return put_numbered(&call->body, command);
}

int32_t zk_encode_set(struct zk_call *call, struct buf *command) {
    put_head(call, TREE_OP_SET_DATA, command);
    return put_set(&call->body, command);
}

int32_t zk_encode_set_acl(struct zk_call *call, struct buf *command) {
    struct jute_set_acl set;
    struct acl_list acl;
    if (!jute_take_set_acl(&call->body, &set))
        return TREE_MARSHALLING;
    if (!take_acl(set.acl, set.acl_count, &acl))
        return TREE_INVALID_ACL;
    put_head(call, TREE_OP_SET_ACL, command);
    tree_put_set_acl(command, set.version, set.path, acl.items, acl.count);
    free_acl(&acl);
    return TREE_OK;
}

int32_t zk_encode_close(struct zk_call *call, struct buf *command) {
    put_head(call, TREE_OP_SESSION_CLOSE, command);
    call->conn->ending = true;
    return TREE_OK;
}

/* ---- multi ---- */

static int32_t put_part(int32_t op, struct reader *body, struct buf *out) {
    switch (op) {
    case JUTE_CREATE:
    case JUTE_CREATE2:
    case JUTE_CREATE_CONTAINER:
    case JUTE_CREATE_TTL:
        buf_u8(out, TREE_OP_CREATE);
        return put_create(op, body, out);
    case JUTE_DELETE:
        buf_u8(out, TREE_OP_DELETE);
        return put_numbered(body, out);
    case JUTE_SET:
        buf_u8(out, TREE_OP_SET_DATA);
        return put_set(body, out);
    case JUTE_CHECK:
        buf_u8(out, TREE_OP_CHECK);
        return put_numbered(body, out);
    default:
        return TREE_MARSHALLING;
    }
}

/* What each part was is remembered for the answer. */
int32_t zk_encode_multi(struct zk_call *call, struct buf *command) {
    struct jute_part part;
    uint32_t count = 0;
    struct buf *parts = &call->slot->parts;
    buf_clear(parts);
    put_head(call, TREE_OP_MULTI, command);
    size_t count_at = command->len;
    tree_put_multi(command, 0);
    for (; jute_take_part(&call->body, &part) && !part.done; count++) {
        int32_t error =
            count == TREE_MULTI_MAX ? TREE_BAD_ARGUMENTS : put_part(part.op, &call->body, command);
        if (error != TREE_OK)
            return error;
        buf_u32(parts, (uint32_t)part.op);
    }
    if (call->body.bad)
        return TREE_MARSHALLING;
    put_u32(command->data + count_at, count);
    return TREE_OK;
}

/* ---- results ---- */

static bool put_path(struct reader *reply, struct buf *out) {
    struct bytes path;
    if (!zk_take_bulk(reply, &path))
        return false;
    jute_put_block(out, path);
    return true;
}

bool zk_results_create(const struct zk_slot *slot, struct reader *reply, struct buf *out) {
    return put_path(reply, out);
}

bool zk_results_create2(const struct zk_slot *slot, struct reader *reply, struct buf *out) {
    return put_path(reply, out) && zk_put_stat(reply, out);
}

bool zk_results_set(const struct zk_slot *slot, struct reader *reply, struct buf *out) {
    return zk_put_stat(reply, out);
}

static bool skip_value(struct reader *reply) {
    struct bytes ignored;
    return zk_take_bulk(reply, &ignored);
}

/* Clients know of two kinds of creation in a multi's answer. */
static bool put_part_results(int32_t op, struct reader *reply, struct buf *out) {
    bool with_stat = op == JUTE_CREATE2 || op == JUTE_CREATE_CONTAINER || op == JUTE_CREATE_TTL;
    jute_put_part(out, with_stat ? JUTE_CREATE2 : op, false, 0);
    if (with_stat)
        return put_path(reply, out) && zk_put_stat(reply, out);
    if (op == JUTE_CREATE)
        return put_path(reply, out) && skip_value(reply);
    return op != JUTE_SET || zk_put_stat(reply, out);
}

/* In a multi that failed every part has an error, those before the failing one 0: told by there
 * being no results where there would be some, or by the errors behind. */
static bool any_failed(struct reader reply, uint32_t count) {
    struct reply_value value;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t fields;
        int64_t error;
        if (!zk_take_array(&reply, &fields) || !zk_take_int(&reply, &error))
            return true;
        if (error != TREE_OK)
            return true;
        for (; fields > 1; fields--)
            if (!reply_next(&reply, &value))
                return true;
    }
    return false;
}

bool zk_results_multi(const struct zk_slot *slot, struct reader *reply, struct buf *out) {
    struct reader parts = reader_of(buf_view(&slot->parts));
    uint32_t count, fields;
    int64_t error;
    if (!zk_take_array(reply, &count) || (size_t)count * 4 != slot->parts.len)
        return false;
    bool failed = any_failed(*reply, count);
    for (uint32_t i = 0; i < count; i++) {
        int32_t op = (int32_t)read_u32(&parts);
        if (!zk_take_array(reply, &fields) || !zk_take_int(reply, &error))
            return false;
        if (failed) {
            jute_put_part(out, -1, false, (int32_t)error);
            jute_put_i32(out, (int32_t)error);
        } else if (!put_part_results(op, reply, out)) {
            return false;
        }
    }
    jute_put_part(out, -1, true, -1);
    return true;
}
