#include "machine/tree/tree_internal.h"

/* ---- nodes ---- */

static int32_t get_data(const struct tree_node *node, struct buf *reply) {
    if (node->data.data == NULL)
        reply_nil(reply);
    else
        reply_bulk(reply, node->data);
    tree_reply_stat(reply, node);
    return TREE_OK;
}

static int32_t get_acl(const struct tree_call *call, const struct tree_node *node,
                       struct buf *reply) {
    struct buf acl = {0};
    tree_acl_show(&acl, node, !tree_allowed(call, node, TREE_PERM_ADMIN));
    reply_bulk(reply, buf_view(&acl));
    buf_free(&acl);
    tree_reply_stat(reply, node);
    return TREE_OK;
}

static int32_t get_children(struct machine *machine, struct bytes path,
                            const struct tree_node *node, struct buf *reply) {
    struct bytes from = tree_children_key(machine, path);
    size_t head_at = reply->len;
    uint32_t count = 0;
    struct vmap_cursor cursor;
    const struct vmap_item *item;
    reply_array(reply, 0);
    vmap_cursor_seek(&cursor, machine->map, from);
    for (; (item = vmap_cursor_next(&cursor)) != NULL; count++) {
        struct bytes key = vmap_item_key(item);
        if (!tree_has_prefix(key, from))
            break;
        reply_bulk(reply, bytes_of(key.data + from.len, key.len - from.len));
    }
    reply_patch_count(reply, head_at, count);
    tree_reply_stat(reply, node);
    return TREE_OK;
}

static uint32_t needed(enum tree_opcode opcode) {
    switch (opcode) {
    case TREE_OP_GET_DATA:
    case TREE_OP_GET_CHILDREN:
    case TREE_OP_COUNT_CHILDREN:
        return TREE_PERM_READ;
    case TREE_OP_GET_ACL:
        return TREE_PERM_READ | TREE_PERM_ADMIN;
    default:
        return 0;
    }
}

static int32_t read_node(struct machine *machine, const struct tree_call *call, struct buf *reply) {
    struct tree_node node;
    struct bytes path = call->part.path;
    if (path.len == 0 || path.len > TREE_PATH_MAX)
        return TREE_BAD_ARGUMENTS;
    if (path.data[0] != '/' || !tree_node_get(machine, path, &node))
        return TREE_NO_NODE;
    uint32_t permissions = needed(call->opcode);
    if (permissions != 0 && !tree_allowed(call, &node, permissions))
        return TREE_NO_AUTH;
    switch (call->opcode) {
    case TREE_OP_GET_DATA:
        return get_data(&node, reply);
    case TREE_OP_GET_ACL:
        return get_acl(call, &node, reply);
    case TREE_OP_GET_CHILDREN:
        return get_children(machine, path, &node, reply);
    case TREE_OP_COUNT_CHILDREN:
        reply_int(reply, (int64_t)tree_subtree_count(machine, path));
        return TREE_OK;
    default:
        tree_reply_stat(reply, &node);
        return TREE_OK;
    }
}

/* ---- sessions ---- */

static void put_ephemerals(struct machine *machine, uint64_t session, struct bytes prefix,
                           struct buf *reply) {
    struct bytes from = tree_ephemeral_key(machine, session, prefix);
    size_t head_at = reply->len;
    uint32_t count = 0;
    struct vmap_cursor cursor;
    const struct vmap_item *item;
    reply_array(reply, 0);
    vmap_cursor_seek(&cursor, machine->map, from);
    for (; (item = vmap_cursor_next(&cursor)) != NULL; count++) {
        struct bytes key = vmap_item_key(item);
        if (!tree_has_prefix(key, from))
            break;
        reply_bulk(reply, bytes_of(key.data + 9, key.len - 9));
    }
    reply_patch_count(reply, head_at, count);
}

static int32_t read_session(struct machine *machine, uint64_t id, struct buf *reply) {
    struct tree_session session;
    if (!tree_session_get(machine, id, &session))
        return TREE_SESSION_EXPIRED;
    reply_int(reply, (int64_t)session.timeout_ms);
    reply_int(reply, (int64_t)session.holder);
    reply_bulk(reply, bytes_of(session.password, TREE_PASSWORD_BYTES));
    return TREE_OK;
}

static int32_t sessions(struct machine *machine, struct buf *reply) {
    uint64_t id = 0, timeout_ms;
    size_t head_at = reply->len;
    uint32_t count = 0;
    reply_array(reply, 0);
    for (; tree_life_next(machine, id, &id, &timeout_ms); count++) {
        reply_array(reply, 3);
        reply_int(reply, (int64_t)id);
        reply_int(reply, (int64_t)timeout_ms);
        put_ephemerals(machine, id, BYTES(""), reply);
    }
    reply_patch_count(reply, head_at, count);
    return TREE_OK;
}

/* ---- all of it ---- */

static int32_t summary(struct machine *machine, struct buf *reply) {
    const struct tree_head *head = &machine->head;
    const struct {
        const char *name;
        uint64_t value;
    } lines[] = {
        {"nodes", tree_family_count(machine, TREE_FAMILY_NODE)},
        {"ephemerals", tree_family_count(machine, TREE_FAMILY_EPHEMERAL)},
        {"sessions", tree_family_count(machine, TREE_FAMILY_SESSION)},
        {"data_bytes", machine->data_bytes},
        {"zxid", (uint64_t)head->epoch << 32 | head->counter},
        {"quotas", machine->quota_count},
        {"quota_warnings", head->quota_warnings},
        {"due", vmap_count(machine->due)},
    };
    const size_t count = sizeof lines / sizeof *lines;
    reply_map(reply, (uint32_t)count);
    for (size_t i = 0; i < count; i++) {
        reply_bulk(reply, bytes_cstr(lines[i].name));
        reply_int(reply, (int64_t)lines[i].value);
    }
    return TREE_OK;
}

int32_t tree_read(struct machine *machine, const struct tree_call *call, struct buf *reply) {
    switch (call->opcode) {
    case TREE_OP_SYNC:
        reply_bulk(reply, call->part.path);
        return TREE_OK;
    case TREE_OP_GET_EPHEMERALS: {
        bool all = bytes_equal(call->part.path, BYTES("/"));
        put_ephemerals(machine, call->session, all ? BYTES("") : call->part.path, reply);
        return TREE_OK;
    }
    case TREE_OP_SESSION:
        return read_session(machine, call->id, reply);
    case TREE_OP_SUMMARY:
        return summary(machine, reply);
    case TREE_OP_SESSIONS:
        return sessions(machine, reply);
    default:
        return read_node(machine, call, reply);
    }
}
