#include "machine/tree/tree_internal.h"

#include "base/assert.h"

#include <string.h>

/* A record: u8 flags, czxid, ctime, then what its flags name, then the data. */
enum {
    RECORD_CHANGED = 1,    /* mzxid, mtime, version; else as created */
    RECORD_PARENT = 2,     /* pzxid, creations, children; else never had a child */
    RECORD_ACL = 4,        /* aversion, ACL as a block; else open and never set */
    RECORD_NULL = 8,       /* null data */
    RECORD_KIND_SHIFT = 4, /* two bits; owner unless plain */
    RECORD_FLAGS = 63
};

/* ---- keys ---- */

static struct bytes node_key(struct machine *machine, uint16_t depth, struct bytes path) {
    uint8_t head[3] = {TREE_FAMILY_NODE};
    put_u16_be(head + 1, depth);
    buf_clear(&machine->key);
    buf_append(&machine->key, head, sizeof head);
    buf_bytes(&machine->key, path);
    return buf_view(&machine->key);
}

struct bytes tree_node_key(struct machine *machine, struct bytes path) {
    return node_key(machine, tree_depth(path), path);
}

struct bytes tree_item_key(struct machine *machine, enum tree_family family, uint64_t number) {
    uint8_t key[9] = {(uint8_t)family};
    put_u64_be(key + 1, number);
    buf_clear(&machine->key);
    buf_append(&machine->key, key, sizeof key);
    return buf_view(&machine->key);
}

static struct bytes below_key(struct machine *machine, uint32_t depth, struct bytes path) {
    node_key(machine, (uint16_t)depth, path);
    if (path.len > 1)
        buf_u8(&machine->key, '/');
    return buf_view(&machine->key);
}

struct bytes tree_children_key(struct machine *machine, struct bytes path) {
    return below_key(machine, tree_depth(path) + 1u, path);
}

/* The nodes of one depth below a node are one range: from "path/" to what follows '/'. */
uint64_t tree_subtree_count(struct machine *machine, struct bytes path) {
    uint64_t total = 0, found = 1;
    for (uint32_t depth = tree_depth(path) + 1u; found > 0 && depth <= TREE_PATH_MAX; depth++) {
        struct bytes key = below_key(machine, depth, path);
        uint64_t from = vmap_rank(machine->map, key);
        machine->key.data[key.len - 1] = '/' + 1;
        found = vmap_rank(machine->map, key) - from;
        total += found;
    }
    return total;
}

uint64_t tree_family_count(const struct machine *machine, enum tree_family family) {
    uint8_t from = (uint8_t)family, to = (uint8_t)(family + 1);
    return vmap_rank(machine->map, bytes_of(&to, 1)) - vmap_rank(machine->map, bytes_of(&from, 1));
}

/* ---- records ---- */

static uint8_t record_flags(const struct tree_node *node) {
    unsigned flags = (unsigned)node->kind << RECORD_KIND_SHIFT;
    if (node->mzxid != node->czxid || node->mtime_ms != node->ctime_ms || node->version != 0)
        flags |= RECORD_CHANGED;
    if (node->pzxid != node->czxid || node->creations != 0 || node->children != 0)
        flags |= RECORD_PARENT;
    if (node->aversion != 0 || node->acl.len > 0)
        flags |= RECORD_ACL;
    if (node->data.data == NULL)
        flags |= RECORD_NULL;
    return (uint8_t)flags;
}

static size_t record_len(const struct tree_node *node, uint8_t flags) {
    size_t len = 17 + node->data.len;
    if (flags & RECORD_CHANGED)
        len += 20;
    if (flags & RECORD_PARENT)
        len += 16;
    if (flags & RECORD_ACL)
        len += 8 + node->acl.len;
    if (node->kind != TREE_KIND_PLAIN)
        len += 8;
    return len;
}

static uint8_t *add_u32(uint8_t *at, uint32_t value) {
    put_u32(at, value);
    return at + 4;
}

static uint8_t *add_u64(uint8_t *at, uint64_t value) {
    put_u64(at, value);
    return at + 8;
}

static uint8_t *add_bytes(uint8_t *at, struct bytes range) {
    if (range.len > 0)
        memcpy(at, range.data, range.len);
    return at + range.len;
}

static uint8_t *record_encode(uint8_t *at, const struct tree_node *node, uint8_t flags) {
    *at++ = flags;
    at = add_u64(at, node->czxid);
    at = add_u64(at, node->ctime_ms);
    if (flags & RECORD_CHANGED) {
        at = add_u64(at, node->mzxid);
        at = add_u64(at, node->mtime_ms);
        at = add_u32(at, (uint32_t)node->version);
    }
    if (flags & RECORD_PARENT) {
        at = add_u64(at, node->pzxid);
        at = add_u32(at, node->creations);
        at = add_u32(at, node->children);
    }
    if (flags & RECORD_ACL) {
        at = add_u32(at, (uint32_t)node->aversion);
        at = add_u32(at, (uint32_t)node->acl.len);
        at = add_bytes(at, node->acl);
    }
    if (node->kind != TREE_KIND_PLAIN)
        at = add_u64(at, node->owner);
    return add_bytes(at, node->data);
}

bool tree_node_decode(struct bytes record, struct tree_node *node) {
    struct reader reader = reader_of(record);
    uint8_t flags = read_u8(&reader);
    *node = (struct tree_node){.kind = (enum tree_kind)(flags >> RECORD_KIND_SHIFT & 3)};
    node->czxid = node->mzxid = node->pzxid = read_u64(&reader);
    node->ctime_ms = node->mtime_ms = read_u64(&reader);
    if (flags & RECORD_CHANGED) {
        node->mzxid = read_u64(&reader);
        node->mtime_ms = read_u64(&reader);
        node->version = (int32_t)read_u32(&reader);
    }
    if (flags & RECORD_PARENT) {
        node->pzxid = read_u64(&reader);
        node->creations = read_u32(&reader);
        node->children = read_u32(&reader);
    }
    if (flags & RECORD_ACL) {
        node->aversion = (int32_t)read_u32(&reader);
        node->acl = read_block(&reader, UINT32_MAX);
    }
    if (node->kind != TREE_KIND_PLAIN)
        node->owner = read_u64(&reader);
    bool null = (flags & RECORD_NULL) != 0;
    if (!null)
        node->data = bytes_of(reader.at, reader_left(&reader));
    return !reader.bad && flags <= RECORD_FLAGS && (!null || reader_left(&reader) == 0);
}

void tree_node_stat(const struct tree_node *node, struct tree_stat *stat) {
    *stat = (struct tree_stat){.czxid = node->czxid,
                               .mzxid = node->mzxid,
                               .pzxid = node->pzxid,
                               .ctime_ms = node->ctime_ms,
                               .mtime_ms = node->mtime_ms,
                               .version = node->version,
                               .cversion = (int32_t)(2 * node->creations - node->children),
                               .aversion = node->aversion,
                               .owner = node->kind == TREE_KIND_EPHEMERAL ? node->owner : 0,
                               .data_length = (int32_t)node->data.len,
                               .child_count = (int32_t)node->children};
}

uint64_t tree_node_deadline(const struct machine *machine, const struct tree_node *node) {
    if (node->children > 0)
        return 0;
    if (node->kind == TREE_KIND_TTL && machine->options.mutant == MUTANT_TREE_TTL_FROM_CREATION)
        return node->ctime_ms + node->owner + 1;
    if (node->kind == TREE_KIND_TTL)
        return node->mtime_ms + node->owner + 1;
    if (node->kind == TREE_KIND_CONTAINER && node->creations > 0)
        return node->owner + TREE_CONTAINER_MS;
    return 0;
}

/* ---- what follows from the map ---- */

static bool item_node(const struct vmap_item *item, struct bytes *path, struct tree_node *node) {
    struct bytes key = vmap_item_key(item);
    if (key.data[0] != TREE_FAMILY_NODE)
        return false;
    bool whole = tree_node_decode(vmap_item_value(item), node);
    cairn_assert(whole && key.len > 3);
    *path = bytes_of(key.data + 3, key.len - 3);
    return true;
}

static struct bytes due_key(struct buf *key, uint64_t deadline, struct bytes path) {
    put_u64_be(buf_reserve(key, 8), deadline);
    key->len += 8;
    buf_bytes(key, path);
    return buf_view(key);
}

static void turn_due(struct machine *machine, const struct tree_node *node, struct bytes path,
                     bool add) {
    uint64_t deadline = tree_node_deadline(machine, node);
    if (deadline == 0)
        return;
    struct buf key = {0};
    if (add)
        vmap_put(machine->due, due_key(&key, deadline, path), BYTES(""), 0, 0);
    else
        vmap_delete(machine->due, due_key(&key, deadline, path));
    buf_free(&key);
}

void tree_derive(struct machine *machine, const struct vmap_item *item) {
    struct tree_node node;
    struct bytes path;
    if (!item_node(item, &path, &node))
        return;
    machine->data_bytes += path.len + node.data.len;
    machine->quota_count += tree_quota_is_limits(path);
    turn_due(machine, &node, path, true);
}

static void underive(struct machine *machine, const struct vmap_item *item) {
    struct tree_node node;
    struct bytes path;
    if (item == NULL || !item_node(item, &path, &node))
        return;
    machine->data_bytes -= path.len + node.data.len;
    machine->quota_count -= tree_quota_is_limits(path);
    turn_due(machine, &node, path, false);
}

/* ---- undo: the items as they were, each behind its length so that it is read backwards ---- */

static void note_undo(struct tree_view *view, struct bytes key, const struct vmap_item *old) {
    if (!view->undoable)
        return;
    struct buf *undo = &view->machine->undo;
    size_t start = undo->len;
    buf_u8(undo, old != NULL);
    buf_u64(undo, old == NULL ? 0 : old->version);
    buf_block(undo, key);
    if (old != NULL)
        buf_bytes(undo, vmap_item_value(old));
    buf_u64(undo, undo->len - start);
}

static void undo_one(struct machine *machine, struct bytes record) {
    struct reader reader = reader_of(record);
    bool had = read_u8(&reader) != 0;
    uint64_t version = read_u64(&reader);
    struct bytes key = read_block(&reader, UINT32_MAX);
    underive(machine, vmap_get(machine->map, key));
    if (!had) {
        vmap_delete(machine->map, key);
        return;
    }
    struct bytes value = read_bytes(&reader, reader_left(&reader));
    tree_derive(machine, vmap_put(machine->map, key, value, version, 0));
}

void tree_undo(struct tree_view *view) {
    struct buf *undo = &view->machine->undo;
    cairn_assert(view->undoable);
    while (undo->len > 0) {
        undo->len -= 8;
        size_t len = get_u64(undo->data + undo->len);
        undo->len -= len;
        undo_one(view->machine, bytes_of(undo->data + undo->len, len));
    }
}

/* ---- reading and writing ---- */

bool tree_node_get(struct machine *machine, struct bytes path, struct tree_node *node) {
    const struct vmap_item *item = vmap_get(machine->map, tree_node_key(machine, path));
    struct bytes ignored;
    return item != NULL && item_node(item, &ignored, node);
}

void tree_node_put(struct tree_view *view, struct bytes path, const struct tree_node *node) {
    struct machine *machine = view->machine;
    struct bytes key = tree_node_key(machine, path);
    const struct vmap_item *old = vmap_get(machine->map, key);
    note_undo(view, key, old);
    underive(machine, old);
    uint8_t flags = record_flags(node);
    size_t len = record_len(node, flags);
    struct vmap_item *item = vmap_put_raw(machine->map, key, len, view->order, 0);
    uint8_t *end = record_encode(vmap_raw_value(item), node, flags);
    cairn_assert(end == vmap_raw_value(item) + len);
    vmap_seal(machine->map, item);
    tree_derive(machine, item);
}

void tree_item_put(struct tree_view *view, struct bytes key, struct bytes value) {
    note_undo(view, key, vmap_get(view->machine->map, key));
    vmap_put(view->machine->map, key, value, view->order, 0);
}

void tree_item_remove(struct tree_view *view, struct bytes key) {
    const struct vmap_item *old = vmap_get(view->machine->map, key);
    if (old == NULL)
        return;
    note_undo(view, key, old);
    underive(view->machine, old);
    vmap_delete(view->machine->map, key);
}

void tree_node_remove(struct tree_view *view, struct bytes path) {
    tree_item_remove(view, tree_node_key(view->machine, path));
}
