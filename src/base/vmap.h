/* The ordered versioned map: the one structure in which machines keep their state.
 *
 * Byte-string keys in lexicographic order, immutable items, a copy-on-write B+ tree. A snapshot is
 * a frozen root: taking one is O(1), and afterwards a writer copies only nodes that a live snapshot
 * still shares (a node or item born after the newest snapshot is changed or freed in place). What a
 * snapshot still sees goes to that snapshot's dead list when the writer lets go of it; releasing a
 * snapshot hands its list to an older one that still sees the thing, or frees it, in slices
 * (vmap_collect), so that no call takes long.
 *
 * One thread owns the map and calls everything here except vmap_snapshot_next, which may run on
 * another thread while the owner goes on writing: all that a snapshot reaches is immutable.
 *
 * The digest is a sum over items, so equal contents have equal digests whatever the history.
 */
#ifndef CAIRN_BASE_VMAP_H
#define CAIRN_BASE_VMAP_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMAP_KEY_MAX ((1u << 24) - 1)
#define VMAP_DEPTH_MAX 16

struct vmap;
struct vmap_snapshot;

/* An item is immutable; a pointer to it stays valid until its own key is put or deleted or the map
 * is cleared. */
struct vmap_item {
    uint64_t version; /* the caller's; cairn puts the `order` of the writing entry here */
    uint64_t meta;    /* the caller's; cairn puts the deadline (ms, 0 none) and a type tag here */
    uint64_t birth : 40; /* the map's own: the snapshot epoch in which it was made */
    uint64_t key_len : 24;
    uint32_t value_len;
    uint8_t data[]; /* key, then value */
};

struct bytes vmap_item_key(const struct vmap_item *item);
struct bytes vmap_item_value(const struct vmap_item *item);

struct vmap *vmap_new(void);
void vmap_free(struct vmap *map); /* no snapshot may be live */

size_t vmap_count(const struct vmap *map);
/* Bytes that the live version occupies: items (as the allocator counts them) and nodes. */
size_t vmap_memory(const struct vmap *map);
/* The items alone, by a formula that knows neither the allocator nor the shape of the tree: equal
 * contents give equal sums on every replica. */
size_t vmap_item_bytes(const struct vmap *map);
size_t vmap_item_size(const struct vmap_item *item); /* one item's share of that */
uint64_t vmap_digest(const struct vmap *map);

/* NULL when absent. */
const struct vmap_item *vmap_get(const struct vmap *map, struct bytes key);
/* Inserts or replaces and returns the new item. key and value are copied, and may point into the
 * item that is replaced. */
const struct vmap_item *vmap_put(struct vmap *map, struct bytes key, struct bytes value,
                                 uint64_t version, uint64_t meta);
/* As put, with value_len bytes of value uninitialised, for a caller that builds it in place: the
 * caller fills the value (vmap_raw_value) and calls vmap_seal before any other call on the map. An
 * item that is replaced stays readable until vmap_seal, so the new value may be made from it. */
struct vmap_item *vmap_put_raw(struct vmap *map, struct bytes key, size_t value_len,
                               uint64_t version, uint64_t meta);
uint8_t *vmap_raw_value(struct vmap_item *item);
void vmap_seal(struct vmap *map, struct vmap_item *item);
bool vmap_delete(struct vmap *map, struct bytes key);
/* Drops everything in O(1) for the caller; vmap_collect does the freeing. */
void vmap_clear(struct vmap *map);

/* The first item at or after key; NULL at the end. O(log n). */
const struct vmap_item *vmap_seek(const struct vmap *map, struct bytes key);
/* The n-th item (0 is the first); NULL when n >= count. O(log n). */
const struct vmap_item *vmap_at(const struct vmap *map, size_t n);
/* How many items sort before key. O(log n). */
size_t vmap_rank(const struct vmap *map, struct bytes key);

/* A cursor for walking forward; any change of the map ends its validity. */
struct vmap_cursor {
    const void *path[VMAP_DEPTH_MAX]; /* from the root to a leaf */
    uint32_t slot[VMAP_DEPTH_MAX];
    int depth; /* index of the leaf in path; -1 when the walk is over */
};
void vmap_cursor_seek(struct vmap_cursor *cursor, const struct vmap *map, struct bytes key);
/* The item under the cursor, then one step forward; NULL at the end. */
const struct vmap_item *vmap_cursor_next(struct vmap_cursor *cursor);

/* Any number may live at once; takes 40 bits' worth of snapshots in a map's life. */
struct vmap_snapshot *vmap_snapshot_take(struct vmap *map);
/* In key order; NULL at the end. Thread: any one at a time. */
const struct vmap_item *vmap_snapshot_next(struct vmap_snapshot *snapshot);
/* Moves the walk so that the next item is the first at or after key. Thread: as above. */
void vmap_snapshot_seek(struct vmap_snapshot *snapshot, struct bytes key);
/* False when the walk came to its end and did not find what was put: memory changed by itself. Only
 * of walks that began at the beginning. */
bool vmap_snapshot_intact(const struct vmap_snapshot *snapshot);
size_t vmap_snapshot_count(const struct vmap_snapshot *snapshot);
/* The snapshot as a map that may be read (get, seek, at, rank, cursors), and only that. */
struct vmap *vmap_snapshot_map(struct vmap_snapshot *snapshot);
uint64_t vmap_snapshot_digest(const struct vmap_snapshot *snapshot);
void vmap_snapshot_release(struct vmap *map, struct vmap_snapshot *snapshot);

/* Frees at most `budget` dead things; true while more waits. */
bool vmap_collect(struct vmap *map, size_t budget);

/* Dead things that wait for vmap_collect or for a snapshot's release, for tests and status; a
 * cleared tree counts as one. */
size_t vmap_dead_count(const struct vmap *map);

/* Checks order, fill, counts and digest of the whole tree by walking it: for tests. */
void vmap_check(const struct vmap *map);

#endif
