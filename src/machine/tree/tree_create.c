#include "machine/tree/tree_internal.h"

#include <stdio.h>
#include <string.h>

static bool is_sequential(enum tree_mode mode) {
    return mode == TREE_PERSISTENT_SEQUENTIAL || mode == TREE_EPHEMERAL_SEQUENTIAL ||
           mode == TREE_TTL_SEQUENTIAL;
}

static enum tree_kind kind_of(enum tree_mode mode) {
    switch (mode) {
    case TREE_EPHEMERAL:
    case TREE_EPHEMERAL_SEQUENTIAL:
        return TREE_KIND_EPHEMERAL;
    case TREE_CONTAINER:
        return TREE_KIND_CONTAINER;
    case TREE_TTL:
    case TREE_TTL_SEQUENTIAL:
        return TREE_KIND_TTL;
    case TREE_PERSISTENT:
    case TREE_PERSISTENT_SEQUENTIAL:
        break;
    }
    return TREE_KIND_PLAIN;
}

static bool asked_well(const struct tree_view *view, const struct tree_part *part) {
    enum tree_kind kind = kind_of(part->mode);
    return part->mode <= TREE_TTL_SEQUENTIAL && part->path.len > 0 && part->path.data[0] == '/' &&
           part->path.len <= TREE_PATH_MAX && memchr(part->path.data, 0, part->path.len) == NULL &&
           part->data.len <= view->machine->options.value_bytes_max &&
           (kind != TREE_KIND_TTL || (part->ttl_ms > 0 && part->ttl_ms <= TREE_TTL_MS_MAX)) &&
           (kind != TREE_KIND_EPHEMERAL || view->call->session != 0);
}

/* The path with its suffix, which counts the parent's creations as a signed number. */
static struct bytes full_path(struct machine *machine, const struct tree_part *part,
                              const struct tree_node *parent) {
    if (!is_sequential((enum tree_mode)part->mode))
        return part->path;
    uint32_t number = machine->options.mutant == MUTANT_TREE_SEQUENCE_FROM_CHILDREN
                          ? parent->children
                          : parent->creations;
    buf_clear(&machine->path);
    buf_bytes(&machine->path, part->path);
    buf_printf(&machine->path, "%010d", (int32_t)number);
    return buf_view(&machine->path);
}

static void put(struct tree_view *view, const struct tree_part *part, struct bytes path,
                struct bytes acl, struct tree_node *node) {
    *node = (struct tree_node){.czxid = view->zxid,
                               .mzxid = view->zxid,
                               .pzxid = view->zxid,
                               .ctime_ms = view->time_ms,
                               .mtime_ms = view->time_ms,
                               .kind = kind_of((enum tree_mode)part->mode),
                               .acl = acl,
                               .data = part->data};
    if (node->kind == TREE_KIND_EPHEMERAL)
        node->owner = view->call->session;
    if (node->kind == TREE_KIND_TTL)
        node->owner = part->ttl_ms;
    tree_node_put(view, path, node);
    if (node->kind == TREE_KIND_EPHEMERAL)
        tree_item_put(view, tree_ephemeral_key(view->machine, node->owner, path), BYTES(""));
}

int32_t tree_create(struct tree_view *view, const struct tree_part *part, struct buf *reply) {
    struct machine *machine = view->machine;
    struct tree_node parent, node;
    struct bytes acl;
    if (!asked_well(view, part))
        return TREE_BAD_ARGUMENTS;
    if (!tree_acl_fix(machine, view->call, part, &acl))
        return TREE_INVALID_ACL;
    struct bytes parent_path = tree_parent(part->path);
    if (!tree_node_get(machine, parent_path, &parent))
        return TREE_NO_NODE;
    if (!tree_allowed(view->call, &parent, TREE_PERM_CREATE))
        return TREE_NO_AUTH;
    struct bytes path = full_path(machine, part, &parent);
    if (!tree_path_valid(path))
        return TREE_BAD_ARGUMENTS;
    if (tree_node_get(machine, path, &node))
        return TREE_NODE_EXISTS;
    if (parent.kind == TREE_KIND_EPHEMERAL)
        return TREE_NO_CHILDREN_FOR_EPHEMERALS;
    int32_t error = tree_quota_check(view, path, (int64_t)part->data.len, 1);
    if (error != TREE_OK)
        return error;
    parent.creations++;
    parent.children++;
    parent.pzxid = view->zxid;
    tree_node_put(view, parent_path, &parent);
    put(view, part, path, acl, &node);
    tree_quota_created(view, path);
    tree_quota_count(view, path, (int64_t)part->data.len, 1);
    tree_tell(view, path, TREE_EVENT_CREATED);
    tree_tell(view, parent_path, TREE_EVENT_CHILDREN);
    reply_bulk(reply, path);
    tree_reply_stat(reply, &node);
    return TREE_OK;
}
