#include "base/vmap_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#define CHUNK_CAP 62

struct vmap_dead_chunk {
    struct vmap_dead_chunk *next;
    size_t count;
    uintptr_t things[CHUNK_CAP]; /* pointer | enum vmap_dead_kind */
};

static void dead_push(struct vmap_dead *dead, const void *thing, enum vmap_dead_kind kind) {
    struct vmap_dead_chunk *chunk = dead->chunks;
    if (chunk == NULL || chunk->count == CHUNK_CAP) {
        chunk = cairn_alloc(sizeof *chunk);
        chunk->count = 0;
        chunk->next = dead->chunks;
        dead->chunks = chunk;
    }
    cairn_assert(((uintptr_t)thing & 3) == 0);
    chunk->things[chunk->count++] = (uintptr_t)thing | (uintptr_t)kind;
    dead->count++;
}

static uintptr_t dead_pop(struct vmap_dead *dead) {
    struct vmap_dead_chunk *chunk = dead->chunks;
    cairn_assert(dead->count > 0 && chunk->count > 0);
    uintptr_t thing = chunk->things[--chunk->count];
    dead->count--;
    if (chunk->count == 0) {
        dead->chunks = chunk->next;
        cairn_free(chunk);
    }
    return thing;
}

static struct vmap_snapshot *snapshot_at(struct list *link) {
    return container_of(link, struct vmap_snapshot, link);
}

/* The newest live snapshot older than epoch, NULL when there is none. */
static struct vmap_snapshot *newest_before(const struct vmap *map, uint64_t epoch) {
    for (struct list *link = map->live.prev; link != &map->live; link = link->prev) {
        if (snapshot_at(link)->epoch < epoch)
            return snapshot_at(link);
    }
    return NULL;
}

void vmap_drop_item(struct vmap *map, struct vmap_item *item) {
    if (item->birth <= map->shared)
        dead_push(&newest_before(map, map->epoch)->dead, item, VMAP_DEAD_ITEM);
    else
        cairn_free(item);
}

void vmap_drop_node(struct vmap *map, struct vmap_node *node) {
    map->node_bytes -= vmap_node_size(node);
    if (node->birth <= map->shared)
        dead_push(&newest_before(map, map->epoch)->dead, node, VMAP_DEAD_NODE);
    else
        cairn_free(node);
}

struct vmap_snapshot *vmap_snapshot_take(struct vmap *map) {
    cairn_assert(map->replaced == NULL && map->epoch < VMAP_BIRTH_MAX);
    struct vmap_snapshot *snapshot = cairn_alloc_zero(sizeof *snapshot);
    snapshot->epoch = map->shared = map->epoch++;
    snapshot->root = map->root;
    snapshot->count = map->count;
    snapshot->digest = map->digest;
    snapshot->map = (struct vmap){.root = map->root, .count = map->count, .digest = map->digest};
    list_push(&map->live, &snapshot->link);
    vmap_cursor_start(&snapshot->cursor, snapshot->root, bytes_of(NULL, 0));
    return snapshot;
}

void vmap_snapshot_release(struct vmap *map, struct vmap_snapshot *snapshot) {
    list_remove(&snapshot->link);
    const struct vmap_snapshot *newest = newest_before(map, map->epoch);
    map->shared = newest ? newest->epoch : 0;
    if (snapshot->dead.count == 0)
        cairn_free(snapshot);
    else
        list_push(&map->released, &snapshot->link);
}

void vmap_snapshot_seek(struct vmap_snapshot *snapshot, struct bytes key) {
    vmap_cursor_start(&snapshot->cursor, snapshot->root, key);
    snapshot->sought = true;
}

const struct vmap_item *vmap_snapshot_next(struct vmap_snapshot *snapshot) {
    const struct vmap_item *item = vmap_cursor_next(&snapshot->cursor);
    if (item != NULL)
        snapshot->walked += vmap_item_hash(item);
    else
        snapshot->ended = true;
    return item;
}

bool vmap_snapshot_intact(const struct vmap_snapshot *snapshot) {
    return snapshot->sought || !snapshot->ended || snapshot->walked == snapshot->digest;
}

struct vmap *vmap_snapshot_map(struct vmap_snapshot *snapshot) {
    return &snapshot->map;
}

size_t vmap_snapshot_count(const struct vmap_snapshot *snapshot) {
    return snapshot->count;
}

uint64_t vmap_snapshot_digest(const struct vmap_snapshot *snapshot) {
    return snapshot->digest;
}

/* To clear is to take a snapshot, start anew, and release the snapshot with the whole old tree on
 * its dead list. */
void vmap_clear(struct vmap *map) {
    if (map->root == NULL)
        return;
    struct vmap_snapshot *snapshot = vmap_snapshot_take(map);
    dead_push(&snapshot->dead, map->root, VMAP_DEAD_TREE);
    map->root = NULL;
    map->count = map->item_bytes = map->node_bytes = 0;
    map->digest = 0;
    vmap_snapshot_release(map, snapshot);
}

/* One node of a dropped tree that no snapshot sees: its parts follow, itself goes. */
static void scatter(struct vmap_dead *dead, struct vmap_node *node) {
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->height == 0)
            dead_push(dead, vmap_as_leaf(node)->items[i], VMAP_DEAD_ITEM);
        else
            dead_push(dead, vmap_as_inner(node)->children[i], VMAP_DEAD_TREE);
    }
    cairn_free(node);
}

/* Decides one thing on a released snapshot's list. What the next older snapshot sees moves to that
 * one's list; a tree whose root is seen is seen as a whole. */
static void settle(struct vmap_dead *dead, struct vmap_snapshot *older) {
    uintptr_t tagged = dead_pop(dead);
    enum vmap_dead_kind kind = (enum vmap_dead_kind)(tagged & 3);
    void *thing = (void *)(tagged & ~(uintptr_t)3);
    uint64_t birth = kind == VMAP_DEAD_ITEM ? ((struct vmap_item *)thing)->birth
                                            : ((struct vmap_node *)thing)->birth;
    if (older != NULL && birth <= older->epoch)
        dead_push(&older->dead, thing, kind);
    else if (kind == VMAP_DEAD_TREE)
        scatter(dead, thing);
    else
        cairn_free(thing);
}

bool vmap_collect(struct vmap *map, size_t budget) {
    struct list *link;
    while ((link = list_first(&map->released)) != NULL) {
        struct vmap_snapshot *snapshot = snapshot_at(link);
        struct vmap_snapshot *older = newest_before(map, snapshot->epoch);
        for (; snapshot->dead.count > 0; budget--) {
            if (budget == 0)
                return true;
            settle(&snapshot->dead, older);
        }
        list_remove(link);
        cairn_free(snapshot);
    }
    return false;
}

size_t vmap_dead_count(const struct vmap *map) {
    size_t count = 0;
    LIST_EACH(link, &map->live)
    count += snapshot_at(link)->dead.count;
    LIST_EACH(link, &map->released)
    count += snapshot_at(link)->dead.count;
    return count;
}

void vmap_free_tree(struct vmap_node *node) {
    for (uint32_t i = 0; i < node->count; i++) {
        if (node->height == 0)
            cairn_free(vmap_as_leaf(node)->items[i]);
        else
            vmap_free_tree(vmap_as_inner(node)->children[i]);
    }
    cairn_free(node);
}

/* ---- walking, for the live tree and for snapshots alike ---- */

void vmap_cursor_start(struct vmap_cursor *cursor, const struct vmap_node *root, struct bytes key) {
    cursor->depth = -1;
    if (root == NULL)
        return;
    struct vmap_probe probe = vmap_probe_of(key);
    const struct vmap_node *node = root;
    int depth = 0;
    for (; node->height > 0; depth++) {
        cursor->path[depth] = node;
        cursor->slot[depth] = vmap_inner_pick(vmap_as_inner(node), &probe);
        node = vmap_as_inner(node)->children[cursor->slot[depth]];
    }
    cursor->path[depth] = node;
    cursor->slot[depth] = vmap_leaf_lower(vmap_as_leaf(node), key);
    cursor->depth = depth;
}

void vmap_cursor_seek(struct vmap_cursor *cursor, const struct vmap *map, struct bytes key) {
    vmap_cursor_start(cursor, map->root, key);
}

/* From the end of a leaf to the start of the next one; false at the end of the tree. */
static bool next_leaf(struct vmap_cursor *cursor) {
    int depth = cursor->depth - 1;
    while (depth >= 0 &&
           cursor->slot[depth] + 1 == ((const struct vmap_node *)cursor->path[depth])->count)
        depth--;
    if (depth < 0) {
        cursor->depth = -1;
        return false;
    }
    cursor->slot[depth]++;
    for (; depth < cursor->depth; depth++) {
        const struct vmap_inner *inner = cursor->path[depth];
        cursor->path[depth + 1] = inner->children[cursor->slot[depth]];
        cursor->slot[depth + 1] = 0;
    }
    return true;
}

const struct vmap_item *vmap_cursor_next(struct vmap_cursor *cursor) {
    if (cursor->depth < 0)
        return NULL;
    const struct vmap_leaf *leaf = cursor->path[cursor->depth];
    if (cursor->slot[cursor->depth] == leaf->head.count) {
        if (!next_leaf(cursor))
            return NULL;
        leaf = cursor->path[cursor->depth];
    }
    return leaf->items[cursor->slot[cursor->depth]++];
}
