#include "base/hmap.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"

#define HMAP_SIZE_MIN 16

void hmap_free(struct hmap *map) {
    cairn_free(map->buckets);
    *map = (struct hmap){0};
}

static void resize(struct hmap *map, size_t size) {
    struct hnode **buckets = cairn_alloc_zero(size * sizeof *buckets);
    for (size_t i = 0; i < map->size; i++) {
        struct hnode *node = map->buckets[i];
        while (node != NULL) {
            struct hnode *next = node->next;
            node->next = buckets[node->hash & (size - 1)];
            buckets[node->hash & (size - 1)] = node;
            node = next;
        }
    }
    cairn_free(map->buckets);
    map->buckets = buckets;
    map->size = size;
}

void hmap_insert(struct hmap *map, struct hnode *node, uint64_t hash) {
    if (map->count >= map->size)
        resize(map, map->size ? map->size * 2 : HMAP_SIZE_MIN);
    struct hnode **bucket = &map->buckets[hash & (map->size - 1)];
    node->hash = hash;
    node->next = *bucket;
    *bucket = node;
    map->count++;
}

struct hnode *hmap_find(const struct hmap *map, uint64_t hash, hmap_match *match, const void *key) {
    if (map->size == 0)
        return NULL;
    struct hnode *node = map->buckets[hash & (map->size - 1)];
    while (node != NULL && !(node->hash == hash && match(node, key)))
        node = node->next;
    return node;
}

void hmap_remove(struct hmap *map, struct hnode *node) {
    cairn_assert(map->size > 0);
    struct hnode **at = &map->buckets[node->hash & (map->size - 1)];
    while (*at != node) {
        cairn_assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = node->next;
    map->count--;
}

struct hnode *hmap_next(const struct hmap *map, const struct hnode *node) {
    size_t bucket = 0;
    if (node != NULL) {
        if (node->next != NULL)
            return node->next;
        bucket = (node->hash & (map->size - 1)) + 1;
    }
    for (; bucket < map->size; bucket++)
        if (map->buckets[bucket] != NULL)
            return map->buckets[bucket];
    return NULL;
}

uint64_t hash_u64(uint64_t key) {
    return prng_mix(key, 0x51ed270b);
}
