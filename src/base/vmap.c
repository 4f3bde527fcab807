#include "base/vmap_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* The nodes from the root to a leaf, and the child taken in each. */
struct path {
    struct vmap_node *nodes[VMAP_DEPTH_MAX];
    uint32_t slots[VMAP_DEPTH_MAX];
    int depth;
};

struct bytes vmap_item_key(const struct vmap_item *item) {
    return bytes_of(item->data, item->key_len);
}

struct bytes vmap_item_value(const struct vmap_item *item) {
    return bytes_of(item->data + item->key_len, item->value_len);
}

uint8_t *vmap_raw_value(struct vmap_item *item) {
    return item->data + item->key_len;
}

static size_t item_len(size_t key_len, size_t value_len) {
    return offsetof(struct vmap_item, data) + key_len + value_len;
}

/* Size classes as jemalloc has them: 16 bytes apart up to 128, then four to each power of two. */
size_t vmap_item_size(const struct vmap_item *item) {
    size_t len = item_len(item->key_len, item->value_len);
    if (len <= 128)
        return (len + 15) & ~(size_t)15;
    size_t step = (size_t)1 << (61 - __builtin_clzll(len - 1));
    return (len + step - 1) & ~(step - 1);
}

uint64_t vmap_item_hash(const struct vmap_item *item) {
    uint64_t hash = bytes_hash(bytes_of(item->data, item->key_len + (size_t)item->value_len), 0);
    hash = (hash ^ item->version) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ (hash >> 32) ^ item->meta) * 0xc2b2ae3d27d4eb4full;
    hash = (hash ^ (hash >> 29) ^ item->key_len) * 0x165667b19e3779f9ull;
    return hash ^ (hash >> 32);
}

struct vmap *vmap_new(void) {
    struct vmap *map = cairn_alloc_zero(sizeof *map);
    map->epoch = 1;
    list_init(&map->live);
    list_init(&map->released);
    return map;
}

void vmap_free(struct vmap *map) {
    cairn_assert(list_empty(&map->live) && map->replaced == NULL);
    vmap_collect(map, SIZE_MAX);
    if (map->root != NULL)
        vmap_free_tree(map->root);
    cairn_free(map);
}

size_t vmap_count(const struct vmap *map) {
    return map->count;
}

size_t vmap_memory(const struct vmap *map) {
    return map->item_bytes + map->node_bytes;
}

size_t vmap_item_bytes(const struct vmap *map) {
    return map->item_bytes;
}

uint64_t vmap_digest(const struct vmap *map) {
    return map->digest;
}

const struct vmap_item *vmap_get(const struct vmap *map, struct bytes key) {
    const struct vmap_node *node = map->root;
    if (node == NULL)
        return NULL;
    struct vmap_probe probe = vmap_probe_of(key);
    for (uint32_t height = node->height; height > 0; height--) {
        node = vmap_as_inner(node)->children[vmap_inner_pick(vmap_as_inner(node), &probe)];
        if (height == 1)
            vmap_leaf_prefetch(node);
    }
    const struct vmap_leaf *leaf = vmap_as_leaf(node);
    uint32_t at = vmap_leaf_find(leaf, &probe);
    return at < leaf->head.count ? leaf->items[at] : NULL;
}

static struct vmap_leaf *descend(const struct vmap *map, const struct vmap_probe *probe,
                                 struct path *path) {
    struct vmap_node *node = map->root;
    path->depth = 0;
    for (uint32_t height = node->height; height > 0; height--, path->depth++) {
        cairn_assert(path->depth + 1 < VMAP_DEPTH_MAX);
        uint32_t slot = vmap_inner_pick(vmap_as_inner(node), probe);
        path->nodes[path->depth] = node;
        path->slots[path->depth] = slot;
        node = vmap_as_inner(node)->children[slot];
        if (height == 1)
            vmap_leaf_prefetch(node);
    }
    path->nodes[path->depth] = node;
    return vmap_as_leaf(node);
}

/* The node, or a writable copy of it when a snapshot shares it. */
static struct vmap_node *own(struct vmap *map, struct vmap_node *node) {
    if (node->birth > map->shared)
        return node;
    struct vmap_node *copy = vmap_node_copy(map, node);
    vmap_drop_node(map, node);
    return copy;
}

/* Makes a path writable from the root down; returns its leaf. */
static struct vmap_leaf *own_path(struct vmap *map, struct path *path) {
    map->root = path->nodes[0] = own(map, path->nodes[0]);
    for (int level = 1; level <= path->depth; level++) {
        struct vmap_inner *parent = vmap_as_inner(path->nodes[level - 1]);
        struct vmap_node *node = own(map, path->nodes[level]);
        parent->children[path->slots[level - 1]] = path->nodes[level] = node;
    }
    return vmap_as_leaf(path->nodes[path->depth]);
}

static bool at_edge(const struct path *path) {
    for (int level = 0; level < path->depth; level++) {
        if (path->slots[level] + 1 != path->nodes[level]->count)
            return false;
    }
    return true;
}

static void grow_root(struct vmap *map, struct vmap_node *right) {
    struct vmap_node *left = map->root;
    struct vmap_inner *root = vmap_inner_new(map, left->height + 1);
    vmap_inner_insert(map, root, 0, left, false);
    vmap_inner_insert(map, root, 1, right, false);
    map->root = &root->head;
}

static void insert(struct vmap *map, struct path *path, struct vmap_item *item, uint8_t print) {
    struct vmap_leaf *leaf = own_path(map, path);
    bool edge = at_edge(path);
    uint32_t at = vmap_leaf_lower(leaf, vmap_item_key(item));
    struct vmap_node *right = vmap_leaf_insert(map, leaf, at, item, print, edge);
    for (int level = path->depth - 1; level >= 0; level--) {
        struct vmap_inner *inner = vmap_as_inner(path->nodes[level]);
        uint32_t slot = path->slots[level];
        vmap_inner_refresh(inner, slot);
        if (right == NULL) {
            inner->counts[slot]++;
            continue;
        }
        inner->counts[slot] = vmap_node_total(inner->children[slot]);
        right = vmap_inner_insert(map, inner, slot + 1, right, edge);
    }
    if (right != NULL)
        grow_root(map, right);
    map->count++;
}

/* Returns what was there before. */
static struct vmap_item *replace(struct vmap *map, struct path *path, uint32_t at,
                                 struct vmap_item *item) {
    struct vmap_leaf *leaf = own_path(map, path);
    struct vmap_item *old = leaf->items[at];
    leaf->items[at] = item;
    for (int level = path->depth - 1; at == 0 && level >= 0; level--) {
        vmap_inner_refresh(vmap_as_inner(path->nodes[level]), path->slots[level]);
        at = path->slots[level];
    }
    return old;
}

static void let_go(struct vmap *map, struct vmap_item *item) {
    map->item_bytes -= vmap_item_size(item);
    map->digest -= vmap_item_hash(item);
    vmap_drop_item(map, item);
}

/* Puts an item whose value may still be missing; returns the replaced one, not yet let go. */
static struct vmap_item *place(struct vmap *map, struct vmap_item *item) {
    struct vmap_probe probe = vmap_probe_of(vmap_item_key(item));
    map->item_bytes += vmap_item_size(item);
    if (map->root == NULL)
        map->root = &vmap_leaf_new(map)->head;
    struct path path;
    struct vmap_leaf *leaf = descend(map, &probe, &path);
    uint32_t at = vmap_leaf_find(leaf, &probe);
    if (at < leaf->head.count)
        return replace(map, &path, at, item);
    insert(map, &path, item, probe.print);
    return NULL;
}

static struct vmap_item *item_new(const struct vmap *map, struct bytes key, size_t value_len,
                                  uint64_t version, uint64_t meta) {
    cairn_assert(key.len <= VMAP_KEY_MAX && value_len <= UINT32_MAX && map->replaced == NULL);
    struct vmap_item *item = cairn_alloc(item_len(key.len, value_len));
    item->version = version;
    item->meta = meta;
    item->birth = map->epoch & VMAP_BIRTH_MAX;
    item->key_len = key.len & VMAP_KEY_MAX;
    item->value_len = (uint32_t)value_len;
    if (key.len)
        memcpy(item->data, key.data, key.len);
    return item;
}

const struct vmap_item *vmap_put(struct vmap *map, struct bytes key, struct bytes value,
                                 uint64_t version, uint64_t meta) {
    struct vmap_item *item = item_new(map, key, value.len, version, meta);
    if (value.len)
        memcpy(item->data + key.len, value.data, value.len);
    struct vmap_item *old = place(map, item);
    map->digest += vmap_item_hash(item);
    if (old != NULL)
        let_go(map, old);
    return item;
}

struct vmap_item *vmap_put_raw(struct vmap *map, struct bytes key, size_t value_len,
                               uint64_t version, uint64_t meta) {
    struct vmap_item *item = item_new(map, key, value_len, version, meta);
    map->replaced = place(map, item);
    return item;
}

void vmap_seal(struct vmap *map, struct vmap_item *item) {
    map->digest += vmap_item_hash(item);
    if (map->replaced != NULL)
        let_go(map, map->replaced);
    map->replaced = NULL;
}

/* Merges or evens out the child at slot with a neighbour; the parent is writable. */
static void join(struct vmap *map, struct vmap_inner *parent, uint32_t slot) {
    uint32_t left = slot > 0 ? slot - 1 : 0;
    for (uint32_t i = left; i <= left + 1; i++)
        parent->children[i] = own(map, parent->children[i]);
    struct vmap_node *right_node = parent->children[left + 1];
    vmap_node_join(parent->children[left], right_node);
    if (right_node->count == 0) {
        vmap_inner_remove(parent, left + 1);
        vmap_drop_node(map, right_node);
    } else {
        vmap_inner_refresh(parent, left + 1);
        parent->counts[left + 1] = vmap_node_total(right_node);
    }
    vmap_inner_refresh(parent, left);
    parent->counts[left] = vmap_node_total(parent->children[left]);
}

static void shrink_root(struct vmap *map) {
    while (map->root->height > 0 && map->root->count == 1) {
        struct vmap_node *old = map->root;
        map->root = vmap_as_inner(old)->children[0];
        vmap_drop_node(map, old);
    }
    if (map->root->count == 0) {
        vmap_drop_node(map, map->root);
        map->root = NULL;
    }
}

static bool underfull(const struct vmap_node *node) {
    return node->count < (node->height == 0 ? VMAP_LEAF_CAP / 3 : VMAP_INNER_CAP / 3);
}

bool vmap_delete(struct vmap *map, struct bytes key) {
    cairn_assert(map->replaced == NULL);
    if (map->root == NULL)
        return false;
    struct vmap_probe probe = vmap_probe_of(key);
    struct path path;
    struct vmap_leaf *leaf = descend(map, &probe, &path);
    uint32_t at = vmap_leaf_find(leaf, &probe);
    if (at == leaf->head.count)
        return false;
    leaf = own_path(map, &path);
    struct vmap_item *old = leaf->items[at];
    vmap_leaf_remove(leaf, at);
    for (int level = path.depth; level > 0; level--) {
        struct vmap_node *node = path.nodes[level];
        struct vmap_inner *parent = vmap_as_inner(path.nodes[level - 1]);
        uint32_t slot = path.slots[level - 1];
        parent->counts[slot]--;
        if (node->count == 0) {
            vmap_inner_remove(parent, slot);
            vmap_drop_node(map, node);
            continue;
        }
        vmap_inner_refresh(parent, slot);
        if (underfull(node) && parent->head.count > 1)
            join(map, parent, slot);
    }
    shrink_root(map);
    map->count--;
    let_go(map, old);
    return true;
}

const struct vmap_item *vmap_seek(const struct vmap *map, struct bytes key) {
    struct vmap_cursor cursor;
    vmap_cursor_seek(&cursor, map, key);
    return vmap_cursor_next(&cursor);
}

const struct vmap_item *vmap_at(const struct vmap *map, size_t n) {
    if (n >= map->count)
        return NULL;
    const struct vmap_node *node = map->root;
    while (node->height > 0) {
        const struct vmap_inner *inner = vmap_as_inner(node);
        uint32_t at = 0;
        for (; n >= inner->counts[at]; at++)
            n -= inner->counts[at];
        node = inner->children[at];
    }
    return vmap_as_leaf(node)->items[n];
}

size_t vmap_rank(const struct vmap *map, struct bytes key) {
    const struct vmap_node *node = map->root;
    if (node == NULL)
        return 0;
    struct vmap_probe probe = vmap_probe_of(key);
    size_t rank = 0;
    while (node->height > 0) {
        const struct vmap_inner *inner = vmap_as_inner(node);
        uint32_t slot = vmap_inner_pick(inner, &probe);
        for (uint32_t i = 0; i < slot; i++)
            rank += inner->counts[i];
        node = inner->children[slot];
    }
    return rank + vmap_leaf_lower(vmap_as_leaf(node), key);
}

/* What a walk of the whole tree adds up. */
struct tally {
    size_t count;
    size_t item_bytes;
    size_t node_bytes;
    uint64_t digest;
    const struct vmap_item *last;
};

static void check_item(struct tally *tally, const struct vmap_item *item, uint8_t print) {
    struct bytes key = vmap_item_key(item);
    cairn_assert(tally->last == NULL || bytes_compare(vmap_item_key(tally->last), key) < 0);
    cairn_assert(vmap_probe_of(key).print == print);
    tally->last = item;
    tally->count++;
    tally->item_bytes += vmap_item_size(item);
    tally->digest += vmap_item_hash(item);
}

static void check_node(const struct vmap_node *node, uint64_t shared, struct tally *tally) {
    cairn_assert(node->count > 0);
    tally->node_bytes += vmap_node_size(node);
    if (node->height == 0) {
        cairn_assert(node->count <= VMAP_LEAF_CAP);
        for (uint32_t i = 0; i < node->count; i++)
            check_item(tally, vmap_as_leaf(node)->items[i], vmap_as_leaf(node)->prints[i]);
        return;
    }
    const struct vmap_inner *inner = vmap_as_inner(node);
    cairn_assert(node->count <= VMAP_INNER_CAP);
    for (uint32_t i = 0; i < node->count; i++) {
        const struct vmap_node *child = inner->children[i];
        size_t before = tally->count;
        cairn_assert(child->height + 1 == node->height);
        cairn_assert(node->birth > shared || child->birth <= shared);
        cairn_assert(inner->mins[i] == vmap_node_first(child));
        cairn_assert(inner->prefixes[i] == vmap_probe_of(vmap_item_key(inner->mins[i])).prefix);
        check_node(child, shared, tally);
        cairn_assert(inner->counts[i] == tally->count - before);
    }
}

void vmap_check(const struct vmap *map) {
    struct tally tally = {0};
    if (map->root != NULL)
        check_node(map->root, map->shared, &tally);
    cairn_assert(tally.count == map->count && tally.item_bytes == map->item_bytes);
    cairn_assert(tally.node_bytes == map->node_bytes && tally.digest == map->digest);
}
