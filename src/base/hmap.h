/* An intrusive chained hash map: the caller embeds struct hnode and compares keys itself.
 * Iteration order depends on hashes: never use it where order reaches a machine's state or a reply
 * that replicas compare.
 */
#ifndef CAIRN_BASE_HMAP_H
#define CAIRN_BASE_HMAP_H

#include "base/list.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hnode {
    struct hnode *next;
    uint64_t hash;
};

struct hmap {
    struct hnode **buckets; /* a power of two, NULL while empty */
    size_t size;
    size_t count;
};

typedef bool hmap_match(const struct hnode *node, const void *key);

void hmap_free(struct hmap *map); /* the table only, not the nodes */
void hmap_insert(struct hmap *map, struct hnode *node, uint64_t hash);
struct hnode *hmap_find(const struct hmap *map, uint64_t hash, hmap_match *match, const void *key);
/* The node must be in the map. */
void hmap_remove(struct hmap *map, struct hnode *node);
/* Walks all nodes: start with NULL, ends with NULL. Remove nothing but the node just returned. */
struct hnode *hmap_next(const struct hmap *map, const struct hnode *node);

/* A mixing hash for integer keys. */
uint64_t hash_u64(uint64_t key);

#endif
