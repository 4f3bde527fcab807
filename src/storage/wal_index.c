#include "storage/wal_index.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define EXTENTS_MIN 8u

static struct wal_group *group_of(struct hnode *node) {
    return node == NULL ? NULL : container_of(node, struct wal_group, node);
}

static bool same_group(const struct hnode *node, const void *key) {
    const struct wal_group *group = container_of(node, const struct wal_group, node);
    return group->id == *(const uint64_t *)key;
}

void wal_index_free(struct wal_index *index) {
    struct wal_group *group;
    while ((group = wal_index_next(index, NULL)) != NULL) {
        hmap_remove(&index->groups, &group->node);
        buf_free(&group->hard);
        cairn_free(group->extents);
        cairn_free(group);
    }
    hmap_free(&index->groups);
}

struct wal_group *wal_index_find(const struct wal_index *index, uint64_t id) {
    return group_of(hmap_find(&index->groups, hash_u64(id), same_group, &id));
}

struct wal_group *wal_index_group(struct wal_index *index, uint64_t id) {
    struct wal_group *group = wal_index_find(index, id);
    if (group != NULL)
        return group;
    group = cairn_alloc_zero(sizeof *group);
    group->id = id;
    group->pair = WAL_NO_PAIR;
    hmap_insert(&index->groups, &group->node, hash_u64(id));
    return group;
}

struct wal_group *wal_index_next(const struct wal_index *index, const struct wal_group *group) {
    return group_of(hmap_next(&index->groups, group ? &group->node : NULL));
}

static int by_id(const void *a, const void *b) {
    const struct wal_group *const *left = a, *const *right = b;
    return (*left)->id < (*right)->id ? -1 : (*left)->id > (*right)->id;
}

struct wal_group **wal_index_sorted(const struct wal_index *index, size_t *count) {
    struct wal_group **all = cairn_alloc(index->groups.count * sizeof(struct wal_group *));
    *count = 0;
    for (struct wal_group *group = NULL; (group = wal_index_next(index, group)) != NULL;)
        all[(*count)++] = group;
    if (*count > 1)
        qsort(all, *count, sizeof(struct wal_group *), by_id);
    return all;
}

/* The first extent that ends at or above index. */
static size_t lower_bound(const struct wal_group *group, uint64_t index) {
    size_t low = group->head, high = group->tail;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (group->extents[middle].last < index)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void make_room(struct wal_group *group) {
    if (group->tail < group->cap)
        return;
    size_t count = group->tail - group->head;
    if (group->head > group->cap / 2) {
        memmove(group->extents, group->extents + group->head, count * sizeof *group->extents);
        group->head = 0;
        group->tail = count;
        return;
    }
    group->cap = group->cap ? group->cap * 2 : EXTENTS_MIN;
    group->extents = cairn_realloc(group->extents, group->cap * sizeof *group->extents);
}

static void insert_at(struct wal_group *group, size_t from_head, struct wal_extent extent) {
    cairn_assert(extent.first <= extent.last);
    make_room(group);
    size_t at = group->head + from_head;
    memmove(group->extents + at + 1, group->extents + at,
            (group->tail - at) * sizeof *group->extents);
    group->extents[at] = extent;
    group->tail++;
    extent.segment->live++;
}

static void remove_range(struct wal_group *group, size_t from, size_t to) {
    for (size_t i = from; i < to; i++) {
        cairn_assert(group->extents[i].segment->live > 0);
        group->extents[i].segment->live--;
    }
    if (from == group->head) {
        group->head = to;
    } else {
        memmove(group->extents + from, group->extents + to,
                (group->tail - to) * sizeof *group->extents);
        group->tail -= to - from;
    }
    if (group->head == group->tail)
        group->head = group->tail = 0;
}

void wal_group_carve(struct wal_group *group, uint64_t first, uint64_t last) {
    if (first > last)
        return;
    size_t at = lower_bound(group, first);
    if (at == group->tail)
        return;
    struct wal_extent *extent = &group->extents[at];
    if (extent->first < first) {
        struct wal_extent behind = *extent;
        extent->last = first - 1;
        at++;
        if (behind.last > last) {
            behind.first = last + 1;
            insert_at(group, at - group->head, behind);
            return;
        }
    }
    size_t to = at;
    while (to < group->tail && group->extents[to].last <= last)
        to++;
    if (to < group->tail && group->extents[to].first <= last)
        group->extents[to].first = last + 1;
    remove_range(group, at, to);
}

void wal_group_apply(struct wal_group *group, const struct wal_section *section,
                     struct wal_segment *segment, uint64_t lsn, uint64_t offset) {
    if (section->flags & WAL_SECTION_RESET)
        wal_group_carve(group, 0, UINT64_MAX);
    if (section->truncate_from)
        wal_group_carve(group, section->truncate_from, UINT64_MAX);
    if (section->count == 0)
        return;
    uint64_t first = section->first_index, last = first + section->count - 1;
    wal_group_carve(group, first, section->flags & WAL_SECTION_REPAIRED ? last : UINT64_MAX);
    if (last <= group->release)
        return;
    struct wal_extent extent = {.first = first > group->release ? first : group->release + 1,
                                .last = last,
                                .segment = segment,
                                .lsn = lsn,
                                .offset = offset,
                                .bytes = section->bytes};
    insert_at(group, lower_bound(group, extent.first) - group->head, extent);
}

void wal_group_advance(struct wal_group_state *state, const struct wal_section *section) {
    state->ordinal = section->ordinal;
    state->base_index = section->base_index;
    state->base_term = section->base_term;
    state->base_chain = section->base_chain;
    bool reset = section->flags & WAL_SECTION_RESET;
    uint64_t cut = reset ? section->base_index + 1 : section->truncate_from;
    bool supersedes = section->count && !(section->flags & WAL_SECTION_REPAIRED);
    if (reset)
        state->last = section->base_index;
    else if (cut && state->last >= cut)
        state->last = cut - 1;
    if (supersedes && section->first_index <= state->last &&
        (cut == 0 || section->first_index < cut))
        cut = section->first_index;
    if (cut) {
        state->cut_ordinal = section->ordinal;
        state->cut_index = cut;
    }
    uint64_t end = section->count ? section->first_index + section->count - 1 : 0;
    if (supersedes || end > state->last)
        state->last = section->count ? end : state->last;
    if (section->flags & WAL_SECTION_OPEN)
        state->open = true;
    if (section->flags & (WAL_SECTION_WHOLE | WAL_SECTION_RESET))
        state->open = false;
}

void wal_group_release(struct wal_group *group, uint64_t index) {
    if (index <= group->release)
        return;
    group->release = index;
    wal_group_carve(group, 0, index);
}

const struct wal_extent *wal_group_at(const struct wal_group *group, uint64_t index) {
    size_t at = lower_bound(group, index);
    if (at == group->tail || group->extents[at].first > index)
        return NULL;
    return &group->extents[at];
}

static uint64_t max_of(uint64_t a, uint64_t b) {
    return a > b ? a : b;
}

bool wal_group_hole(const struct wal_group *group, uint64_t from, uint64_t *first, uint64_t *last) {
    uint64_t floor = max_of(max_of(group->release, group->released), group->durable.base_index);
    uint64_t at = max_of(max_of(group->damaged_from, floor + 1), from);
    uint64_t to = group->damaged_to < group->durable.last ? group->damaged_to : group->durable.last;
    const struct wal_extent *extent;
    while (at <= to && (extent = wal_group_at(group, at)) != NULL)
        at = extent->last + 1;
    if (at > to)
        return false;
    *first = at;
    size_t next = lower_bound(group, at);
    *last = next < group->tail && group->extents[next].first <= to ? group->extents[next].first - 1
                                                                   : to;
    return true;
}

bool wal_group_damaged(const struct wal_group *group) {
    uint64_t first, last;
    return group->durable.open || wal_group_hole(group, 0, &first, &last);
}
