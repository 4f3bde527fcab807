#include "base/vmap_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static vmap_prefix prefix_of(struct bytes key) {
    uint8_t head[16] = {0};
    if (key.len)
        memcpy(head, key.data, key.len < sizeof head ? key.len : sizeof head);
    return (vmap_prefix)get_u64_be(head) << 64 | get_u64_be(head + 8);
}

struct vmap_probe vmap_probe_of(struct bytes key) {
    return (struct vmap_probe){key, prefix_of(key), (uint8_t)bytes_hash(key, 0)};
}

size_t vmap_node_size(const struct vmap_node *node) {
    return node->height == 0 ? sizeof(struct vmap_leaf) : sizeof(struct vmap_inner);
}

struct vmap_leaf *vmap_leaf_new(struct vmap *map) {
    struct vmap_leaf *leaf = cairn_alloc(sizeof *leaf);
    leaf->head = (struct vmap_node){.birth = map->epoch};
    memset(leaf->prints, 0, sizeof leaf->prints);
    map->node_bytes += sizeof *leaf;
    return leaf;
}

struct vmap_inner *vmap_inner_new(struct vmap *map, uint32_t height) {
    struct vmap_inner *inner = cairn_alloc(sizeof *inner);
    inner->head = (struct vmap_node){.birth = map->epoch, .height = height};
    map->node_bytes += sizeof *inner;
    return inner;
}

struct vmap_node *vmap_node_copy(struct vmap *map, const struct vmap_node *node) {
    uint32_t count = node->count;
    if (node->height == 0) {
        const struct vmap_leaf *from = vmap_as_leaf(node);
        struct vmap_leaf *leaf = vmap_leaf_new(map);
        leaf->head.count = count;
        memcpy(leaf->prints, from->prints, sizeof leaf->prints);
        memcpy(leaf->items, from->items, count * sizeof *leaf->items);
        return &leaf->head;
    }
    const struct vmap_inner *from = vmap_as_inner(node);
    struct vmap_inner *inner = vmap_inner_new(map, node->height);
    inner->head.count = count;
    memcpy(inner->prefixes, from->prefixes, count * sizeof *inner->prefixes);
    memcpy(inner->mins, from->mins, count * sizeof *inner->mins);
    memcpy(inner->children, from->children, count * sizeof *inner->children);
    memcpy(inner->counts, from->counts, count * sizeof *inner->counts);
    return &inner->head;
}

const struct vmap_item *vmap_node_first(const struct vmap_node *node) {
    cairn_assert(node->count > 0);
    return node->height == 0 ? vmap_as_leaf(node)->items[0] : vmap_as_inner(node)->mins[0];
}

uint64_t vmap_node_total(const struct vmap_node *node) {
    if (node->height == 0)
        return node->count;
    uint64_t total = 0;
    for (uint32_t i = 0; i < node->count; i++)
        total += vmap_as_inner(node)->counts[i];
    return total;
}

uint32_t vmap_leaf_find(const struct vmap_leaf *leaf, const struct vmap_probe *probe) {
    const uint64_t low7 = 0x7f7f7f7f7f7f7f7full;
    uint64_t wanted = probe->print * 0x0101010101010101ull;
    for (uint32_t base = 0; base < leaf->head.count; base += 8) {
        uint64_t word = get_u64(leaf->prints + base) ^ wanted;
        uint64_t match = ~(((word & low7) + low7) | word | low7); /* 0x80 in each zero byte */
        for (; match != 0; match &= match - 1) {
            uint32_t at = base + (uint32_t)__builtin_ctzll(match) / 8;
            if (at < leaf->head.count && bytes_equal(vmap_item_key(leaf->items[at]), probe->key))
                return at;
        }
    }
    return leaf->head.count;
}

/* Fetches the items that the next steps of a binary search may look at. */
static void prefetch_middles(const struct vmap_leaf *leaf, uint32_t low, uint32_t high, int steps) {
    if (low >= high || steps == 0)
        return;
    uint32_t middle = (low + high) / 2;
    __builtin_prefetch(leaf->items[middle]);
    prefetch_middles(leaf, low, middle, steps - 1);
    prefetch_middles(leaf, middle + 1, high, steps - 1);
}

uint32_t vmap_leaf_lower(const struct vmap_leaf *leaf, struct bytes key) {
    uint32_t low = 0, high = leaf->head.count;
    for (int step = 0; low < high; step++) {
        /* Every comparison would be a cache miss; this way every third is. */
        if (step % 3 == 0)
            prefetch_middles(leaf, low, high, 3);
        uint32_t middle = (low + high) / 2;
        if (bytes_compare(vmap_item_key(leaf->items[middle]), key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* True when the child at `at` starts at or before the key. */
static bool starts_before(const struct vmap_inner *inner, uint32_t at,
                          const struct vmap_probe *probe) {
    if (inner->prefixes[at] != probe->prefix)
        return inner->prefixes[at] < probe->prefix;
    return bytes_compare(vmap_item_key(inner->mins[at]), probe->key) <= 0;
}

uint32_t vmap_inner_pick(const struct vmap_inner *inner, const struct vmap_probe *probe) {
    uint32_t low = 1, high = inner->head.count;
    while (low < high) {
        uint32_t middle = (low + high) / 2;
        if (starts_before(inner, middle, probe))
            low = middle + 1;
        else
            high = middle;
    }
    return low - 1;
}

/* Moves entries [from, from + count) of one leaf to place `to` of another (or the same). */
static void leaf_move(struct vmap_leaf *to_leaf, uint32_t to, const struct vmap_leaf *from_leaf,
                      uint32_t from, uint32_t count) {
    cairn_assert(to + count <= VMAP_LEAF_CAP && from + count <= VMAP_LEAF_CAP);
    memmove(to_leaf->prints + to, from_leaf->prints + from, count);
    memmove(to_leaf->items + to, from_leaf->items + from, count * sizeof *to_leaf->items);
}

static void inner_move(struct vmap_inner *to_inner, uint32_t to,
                       const struct vmap_inner *from_inner, uint32_t from, uint32_t count) {
    cairn_assert(to + count <= VMAP_INNER_CAP && from + count <= VMAP_INNER_CAP);
    memmove(to_inner->prefixes + to, from_inner->prefixes + from, count * sizeof(vmap_prefix));
    memmove(to_inner->mins + to, from_inner->mins + from, count * sizeof *to_inner->mins);
    memmove(to_inner->children + to, from_inner->children + from,
            count * sizeof *to_inner->children);
    memmove(to_inner->counts + to, from_inner->counts + from, count * sizeof(uint64_t));
}

static void leaf_place(struct vmap_leaf *leaf, uint32_t at, struct vmap_item *item, uint8_t print) {
    leaf_move(leaf, at + 1, leaf, at, leaf->head.count - at);
    leaf->prints[at] = print;
    leaf->items[at] = item;
    leaf->head.count++;
}

struct vmap_node *vmap_leaf_insert(struct vmap *map, struct vmap_leaf *leaf, uint32_t at,
                                   struct vmap_item *item, uint8_t print, bool edge) {
    cairn_assert(at <= leaf->head.count);
    if (leaf->head.count < VMAP_LEAF_CAP) {
        leaf_place(leaf, at, item, print);
        return NULL;
    }
    struct vmap_leaf *right = vmap_leaf_new(map);
    uint32_t keep = edge && at == VMAP_LEAF_CAP ? VMAP_LEAF_CAP : (VMAP_LEAF_CAP + 1) / 2;
    right->head.count = VMAP_LEAF_CAP - keep;
    leaf_move(right, 0, leaf, keep, right->head.count);
    leaf->head.count = keep;
    if (at > keep || keep == VMAP_LEAF_CAP)
        leaf_place(right, at - keep, item, print);
    else
        leaf_place(leaf, at, item, print);
    return &right->head;
}

static void inner_place(struct vmap_inner *inner, uint32_t at, struct vmap_node *child) {
    inner_move(inner, at + 1, inner, at, inner->head.count - at);
    inner->head.count++;
    inner->children[at] = child;
    inner->counts[at] = vmap_node_total(child);
    inner->mins[at] = NULL;
    vmap_inner_refresh(inner, at);
}

struct vmap_node *vmap_inner_insert(struct vmap *map, struct vmap_inner *inner, uint32_t at,
                                    struct vmap_node *child, bool edge) {
    cairn_assert(at <= inner->head.count && child->height + 1 == inner->head.height);
    if (inner->head.count < VMAP_INNER_CAP) {
        inner_place(inner, at, child);
        return NULL;
    }
    struct vmap_inner *right = vmap_inner_new(map, inner->head.height);
    uint32_t keep = edge && at == VMAP_INNER_CAP ? VMAP_INNER_CAP : (VMAP_INNER_CAP + 1) / 2;
    right->head.count = VMAP_INNER_CAP - keep;
    inner_move(right, 0, inner, keep, right->head.count);
    inner->head.count = keep;
    if (at > keep || keep == VMAP_INNER_CAP)
        inner_place(right, at - keep, child);
    else
        inner_place(inner, at, child);
    return &right->head;
}

void vmap_leaf_remove(struct vmap_leaf *leaf, uint32_t at) {
    cairn_assert(at < leaf->head.count);
    leaf_move(leaf, at, leaf, at + 1, leaf->head.count - at - 1);
    leaf->head.count--;
}

void vmap_inner_remove(struct vmap_inner *inner, uint32_t at) {
    cairn_assert(at < inner->head.count);
    inner_move(inner, at, inner, at + 1, inner->head.count - at - 1);
    inner->head.count--;
}

void vmap_inner_refresh(struct vmap_inner *inner, uint32_t at) {
    const struct vmap_item *first = vmap_node_first(inner->children[at]);
    if (inner->mins[at] == first)
        return;
    inner->mins[at] = first;
    inner->prefixes[at] = prefix_of(vmap_item_key(first));
}

/* Shifts entries so that the left sibling holds `want` of the total. */
static void leaf_share(struct vmap_leaf *left, struct vmap_leaf *right, uint32_t want) {
    uint32_t have = left->head.count, total = have + right->head.count;
    if (have < want) {
        leaf_move(left, have, right, 0, want - have);
        leaf_move(right, 0, right, want - have, total - want);
    } else {
        leaf_move(right, have - want, right, 0, total - have);
        leaf_move(right, 0, left, want, have - want);
    }
    left->head.count = want;
    right->head.count = total - want;
}

static void inner_share(struct vmap_inner *left, struct vmap_inner *right, uint32_t want) {
    uint32_t have = left->head.count, total = have + right->head.count;
    if (have < want) {
        inner_move(left, have, right, 0, want - have);
        inner_move(right, 0, right, want - have, total - want);
    } else {
        inner_move(right, have - want, right, 0, total - have);
        inner_move(right, 0, left, want, have - want);
    }
    left->head.count = want;
    right->head.count = total - want;
}

void vmap_node_join(struct vmap_node *left, struct vmap_node *right) {
    cairn_assert(left->height == right->height);
    uint32_t cap = left->height == 0 ? VMAP_LEAF_CAP : VMAP_INNER_CAP;
    uint32_t total = left->count + right->count;
    uint32_t want = total <= cap ? total : total / 2;
    if (left->height == 0)
        leaf_share(vmap_as_leaf(left), vmap_as_leaf(right), want);
    else
        inner_share(vmap_as_inner(left), vmap_as_inner(right), want);
}
