/* Inside the ordered versioned map: nodes, the path of a write, dead lists. Nothing outside
 * base/vmap*.c includes this.
 *
 * A leaf keeps its items sorted, with one byte of each key's hash beside them, so that a lookup
 * compares whole keys only where that byte agrees. An inner node keeps for each child the child's
 * first item and the first sixteen bytes of its key; equal prefixes are decided by the item. Sizes
 * are chosen to fill the allocator's size classes (512 and 2048 bytes).
 *
 * A node that a live snapshot sees (birth <= map->shared) is never written, so everything below it
 * is seen as well.
 */
#ifndef CAIRN_BASE_VMAP_INTERNAL_H
#define CAIRN_BASE_VMAP_INTERNAL_H

#include "base/list.h"
#include "base/vmap.h"

#define VMAP_LEAF_CAP 55
#define VMAP_INNER_CAP 50
#define VMAP_BIRTH_MAX ((1ull << 40) - 1)

/* The first bytes of a key as a number, so that numbers compare as keys do. */
typedef unsigned __int128 vmap_prefix;

struct vmap_node {
    uint64_t birth;
    uint32_t count;
    uint32_t height; /* 0: a leaf */
};

struct vmap_leaf {
    struct vmap_node head;
    uint8_t prints[56];
    struct vmap_item *items[VMAP_LEAF_CAP];
};

struct vmap_inner {
    struct vmap_node head;
    vmap_prefix prefixes[VMAP_INNER_CAP];
    const struct vmap_item *mins[VMAP_INNER_CAP];
    struct vmap_node *children[VMAP_INNER_CAP];
    uint64_t counts[VMAP_INNER_CAP]; /* items below each child */
};

/* What the writer let go of while a snapshot still sees it: tagged pointers in chunks. */
struct vmap_dead_chunk;
struct vmap_dead {
    struct vmap_dead_chunk *chunks;
    size_t count;
};
enum vmap_dead_kind { VMAP_DEAD_ITEM = 0, VMAP_DEAD_NODE = 1, VMAP_DEAD_TREE = 2 };

struct vmap {
    struct vmap_node *root;
    uint64_t epoch;  /* birth of what is made now */
    uint64_t shared; /* epoch of the newest live snapshot, 0 when there is none */
    size_t count;
    size_t item_bytes;
    size_t node_bytes;
    uint64_t digest;
    struct vmap_item *replaced; /* kept readable between vmap_put_raw and vmap_seal */
    struct list live;
    struct list released; /* their dead lists wait for vmap_collect */
};

struct vmap_snapshot {
    struct list link; /* in map->live, oldest first; after release in map->released */
    uint64_t epoch;
    struct vmap_node *root;
    size_t count;
    uint64_t digest;
    struct vmap_dead dead; /* died before the next younger live snapshot was taken */
    struct vmap_cursor cursor;
    struct vmap map; /* for reading alone */
    uint64_t walked; /* sum of what vmap_snapshot_next gave */
    bool ended, sought;
};

/* A key on its way through the tree. */
struct vmap_probe {
    struct bytes key;
    vmap_prefix prefix;
    uint8_t print;
};
struct vmap_probe vmap_probe_of(struct bytes key);

static inline struct vmap_leaf *vmap_as_leaf(const struct vmap_node *node) {
    return (struct vmap_leaf *)(void *)(size_t)node;
}
static inline struct vmap_inner *vmap_as_inner(const struct vmap_node *node) {
    return (struct vmap_inner *)(void *)(size_t)node;
}

/* Fetches all lines of a node that is a leaf at once, rather than one after the other. */
static inline void vmap_leaf_prefetch(const struct vmap_node *node) {
    for (size_t at = 0; at < sizeof(struct vmap_leaf); at += 64)
        __builtin_prefetch((const char *)node + at);
}

/* ---- vmap_node.c ---- */
struct vmap_leaf *vmap_leaf_new(struct vmap *map);
struct vmap_inner *vmap_inner_new(struct vmap *map, uint32_t height);
struct vmap_node *vmap_node_copy(struct vmap *map, const struct vmap_node *node);
size_t vmap_node_size(const struct vmap_node *node);
const struct vmap_item *vmap_node_first(const struct vmap_node *node);
uint64_t vmap_node_total(const struct vmap_node *node);

/* The index of the probe's item, or the leaf's count when it is not there. */
uint32_t vmap_leaf_find(const struct vmap_leaf *leaf, const struct vmap_probe *probe);
/* The index of the first item at or after the key. */
uint32_t vmap_leaf_lower(const struct vmap_leaf *leaf, struct bytes key);
/* The child in which the key belongs. */
uint32_t vmap_inner_pick(const struct vmap_inner *inner, const struct vmap_probe *probe);

/* Inserts; a full leaf is split and the new right half returned, else NULL. edge: the leaf is the
 * last of the tree, so that an item behind all others starts a leaf of its own and sequential
 * loads leave full leaves. */
struct vmap_node *vmap_leaf_insert(struct vmap *map, struct vmap_leaf *leaf, uint32_t at,
                                   struct vmap_item *item, uint8_t print, bool edge);
/* The same for a child of an inner node. */
struct vmap_node *vmap_inner_insert(struct vmap *map, struct vmap_inner *inner, uint32_t at,
                                    struct vmap_node *child, bool edge);
void vmap_leaf_remove(struct vmap_leaf *leaf, uint32_t at);
void vmap_inner_remove(struct vmap_inner *inner, uint32_t at);
/* Brings the entry of a child up to date with the child's first item. */
void vmap_inner_refresh(struct vmap_inner *inner, uint32_t at);
/* Moves entries between two writable siblings: all into the left one if they fit (then the right
 * one has count 0), else evenly. */
void vmap_node_join(struct vmap_node *left, struct vmap_node *right);

/* ---- vmap_snapshot.c ---- */
/* The writer lets go of it: freed, or left to the newest snapshot that sees it. */
void vmap_drop_item(struct vmap *map, struct vmap_item *item);
void vmap_drop_node(struct vmap *map, struct vmap_node *node);
void vmap_free_tree(struct vmap_node *node);
void vmap_cursor_start(struct vmap_cursor *cursor, const struct vmap_node *root, struct bytes key);

/* The item's share in the digest. */
uint64_t vmap_item_hash(const struct vmap_item *item);

#endif
