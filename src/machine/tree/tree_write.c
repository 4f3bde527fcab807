#include "machine/tree/tree_internal.h"

#include "base/assert.h"

void tree_reply_stat(struct buf *reply, const struct tree_node *node) {
    static const uint8_t blank[TREE_STAT_BYTES];
    struct tree_stat stat;
    tree_node_stat(node, &stat);
    reply_bulk(reply, bytes_of(blank, sizeof blank));
    reply->len -= sizeof blank; /* written in place */
    tree_stat_encode(reply, &stat);
}

static bool was_told(struct tree_view *view, struct bytes path, enum tree_event event) {
    struct machine *machine = view->machine;
    buf_clear(&machine->key);
    buf_u8(&machine->key, (uint8_t)event);
    buf_bytes(&machine->key, path);
    if (vmap_get(machine->told, buf_view(&machine->key)) != NULL)
        return true;
    vmap_put(machine->told, buf_view(&machine->key), BYTES(""), 0, 0);
    return false;
}

void tree_tell(struct tree_view *view, struct bytes path, enum tree_event event) {
    struct tree_node node;
    if (view->once && was_told(view, path, event))
        return;
    struct buf *value = &view->machine->value;
    buf_clear(value);
    buf_u8(value, (uint8_t)event);
    buf_u64(value, view->zxid);
    if (tree_node_get(view->machine, path, &node))
        buf_bytes(value, node.acl);
    change_put(view->changes, CHANGE_KEY, path, buf_view(value));
}

static void leave_parent(struct tree_view *view, struct bytes path) {
    struct tree_node parent;
    if (!tree_node_get(view->machine, path, &parent))
        return;
    parent.children -= parent.children > 0;
    if (view->machine->options.mutant != MUTANT_TREE_PZXID_KEPT)
        parent.pzxid = view->zxid;
    if (parent.kind == TREE_KIND_CONTAINER && parent.children == 0)
        parent.owner = view->time_ms;
    tree_node_put(view, path, &parent);
}

void tree_delete(struct tree_view *view, struct bytes path, const struct tree_node *node) {
    int64_t bytes = (int64_t)node->data.len;
    cairn_assert(path.len > 1);
    if (node->kind == TREE_KIND_EPHEMERAL &&
        view->machine->options.mutant != MUTANT_TREE_EPHEMERAL_STILL_OWNED)
        tree_item_remove(view, tree_ephemeral_key(view->machine, node->owner, path));
    tree_tell(view, path, TREE_EVENT_DELETED); /* while its ACL is there */
    tree_node_remove(view, path);
    leave_parent(view, tree_parent(path));
    tree_quota_count(view, path, -bytes, -1);
    tree_tell(view, tree_parent(path), TREE_EVENT_CHILDREN);
}

/* Nodes that are always there. */
static bool is_fixed(struct bytes path) {
    return path.len <= 1 || bytes_equal(path, BYTES("/zookeeper")) ||
           bytes_equal(path, BYTES(TREE_QUOTA_PATH)) || bytes_equal(path, BYTES(TREE_CONFIG_PATH));
}

static int32_t delete (struct tree_view *view, const struct tree_part *part) {
    struct tree_node parent, node;
    if (part->path.len == 0 || part->path.len > TREE_PATH_MAX || part->path.data[0] != '/' ||
        is_fixed(part->path))
        return TREE_BAD_ARGUMENTS;
    if (!tree_node_get(view->machine, tree_parent(part->path), &parent))
        return TREE_NO_NODE;
    if (!tree_allowed(view->call, &parent, TREE_PERM_DELETE))
        return TREE_NO_AUTH;
    if (!tree_node_get(view->machine, part->path, &node))
        return TREE_NO_NODE;
    if (part->version != -1 && part->version != node.version &&
        view->machine->options.mutant != MUTANT_TREE_DELETE_VERSION_IGNORED)
        return TREE_BAD_VERSION;
    if (node.children > 0)
        return TREE_NOT_EMPTY;
    tree_delete(view, part->path, &node);
    return TREE_OK;
}

void tree_set_data(struct tree_view *view, struct bytes path, struct tree_node *node,
                   struct bytes data) {
    int64_t more = (int64_t)data.len - (int64_t)node->data.len;
    node->data = data;
    node->mzxid = view->zxid;
    node->mtime_ms = view->time_ms;
    tree_node_put(view, path, node);
    tree_quota_count(view, path, more, 0);
    tree_tell(view, path, TREE_EVENT_DATA);
}

/* Versions wrap as Java's do, and leave out -1, which stands for any version in a request
 * (ZOOKEEPER-4743); before cluster version 3 they did not. */
static int32_t next_version(const struct tree_view *view, int32_t version) {
    int32_t next = (int32_t)((uint32_t)version + 1);
    return next == -1 && view->version >= WIRE_VERSION_3 ? 0 : next;
}

static int32_t set_data(struct tree_view *view, const struct tree_part *part, struct buf *reply) {
    struct tree_node node;
    const struct machine_options *options = &view->machine->options;
    if (!tree_path_valid(part->path) || part->data.len > options->value_bytes_max)
        return TREE_BAD_ARGUMENTS;
    if (!tree_node_get(view->machine, part->path, &node))
        return TREE_NO_NODE;
    if (!tree_allowed(view->call, &node, TREE_PERM_WRITE))
        return TREE_NO_AUTH;
    int32_t error =
        tree_quota_check(view, part->path, (int64_t)part->data.len - (int64_t)node.data.len, 0);
    if (error != TREE_OK)
        return error;
    if (part->version != -1 && part->version != node.version &&
        options->mutant != MUTANT_TREE_VERSION_IGNORED)
        return TREE_BAD_VERSION;
    node.version = next_version(view, node.version);
    tree_set_data(view, part->path, &node, part->data);
    tree_reply_stat(reply, &node);
    return TREE_OK;
}

static int32_t set_acl(struct tree_view *view, const struct tree_part *part, struct buf *reply) {
    struct tree_node node;
    struct bytes acl;
    if (!tree_path_valid(part->path))
        return TREE_BAD_ARGUMENTS;
    if (!tree_acl_fix(view->machine, view->call, part, &acl))
        return TREE_INVALID_ACL;
    if (!tree_node_get(view->machine, part->path, &node))
        return TREE_NO_NODE;
    if (!tree_allowed(view->call, &node, TREE_PERM_ADMIN))
        return TREE_NO_AUTH;
    if (part->version != -1 && part->version != node.aversion)
        return TREE_BAD_VERSION;
    node.acl = acl;
    node.aversion = next_version(view, node.aversion);
    tree_node_put(view, part->path, &node);
    tree_reply_stat(reply, &node);
    return TREE_OK;
}

static int32_t check(struct tree_view *view, const struct tree_part *part) {
    struct tree_node node;
    if (!tree_path_valid(part->path))
        return TREE_BAD_ARGUMENTS;
    if (!tree_node_get(view->machine, part->path, &node))
        return TREE_NO_NODE;
    if (!tree_allowed(view->call, &node, TREE_PERM_READ))
        return TREE_NO_AUTH;
    return part->version == -1 || part->version == node.version ? TREE_OK : TREE_BAD_VERSION;
}

int32_t tree_do_part(struct tree_view *view, const struct tree_part *part, struct buf *reply) {
    switch (part->opcode) {
    case TREE_OP_CREATE:
        return tree_create(view, part, reply);
    case TREE_OP_DELETE:
        return delete (view, part);
    case TREE_OP_SET_DATA:
        return set_data(view, part, reply);
    case TREE_OP_SET_ACL:
        return set_acl(view, part, reply);
    case TREE_OP_CHECK:
        return check(view, part);
    default:
        return TREE_UNIMPLEMENTED;
    }
}
