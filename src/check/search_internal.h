/* What search.c (the walk over events), search_place.c (what may be placed) and search_order.c
 * (the order that was found) share. */
#ifndef CAIRN_CHECK_SEARCH_INTERNAL_H
#define CAIRN_CHECK_SEARCH_INTERNAL_H

#include "check/search.h"

struct search_event {
    uint32_t entry;
    bool call;
};
struct search_entry {
    uint32_t op, ret, slot, call_event;
    uint32_t effect; /* equal for operations with equal effects */
};

/* An operation that was placed, and before which event. */
struct placed {
    uint32_t entry, event;
};

/* What has taken effect. masks: the placed ones, then those hidden if need be (never both). */
struct config {
    uint64_t *masks;
    uint32_t state;
    struct placed *path; /* since the node that it came from */
    uint32_t path_count, path_cap;
};

struct search_node {
    uint32_t parent, event, state, next;
    uint64_t placed_from;
    uint32_t placed_count;
    uint64_t masks[];
};

struct search {
    struct spec *spec;
    struct limits *limits;
    struct spec_op *specs;
    struct search_entry *entries; /* as specs, one an operation */
    struct search_event *events;
    uint32_t count, event_count, slot_count, words;
    uint32_t *open, *place_in_open; /* entries that are open before events[open_at] */
    uint32_t open_count, open_at;
    uint64_t *observers;
    struct buf nodes;
    uint32_t node_count;
    uint32_t *buckets, bucket_count;
    struct placed *placed;
    uint64_t placed_count, placed_cap;
    uint32_t *stack, stack_count, stack_cap;
    uint32_t furthest;
    struct config at;
    /* of one return, search_place.c */
    struct config *levels;
    uint32_t level_count;
    struct buf seen; /* configurations met at this return */
    uint32_t *seen_table, seen_slots, seen_count;
};

/* What most operations fail at, without a step: a read or a comparison that wants another state. */
static inline bool wants_other(const struct spec_op *op, uint32_t state) {
    return (op->f == OP_CAS && (op->a == state) == op->mismatch) ||
           (op->f == OP_READ && op->whole && op->out != state);
}

static inline bool bit_test(const uint64_t *mask, uint32_t bit) {
    return (mask[bit / 64] >> (bit % 64) & 1) != 0;
}
static inline void bit_set(uint64_t *mask, uint32_t bit) {
    mask[bit / 64] |= 1ull << (bit % 64);
}
static inline void bit_clear(uint64_t *mask, uint32_t bit) {
    mask[bit / 64] &= ~(1ull << (bit % 64));
}

struct search_node *search_node(const struct search *search, uint32_t number);
bool search_push(struct search *search, uint32_t parent, uint32_t event,
                 const struct config *config);

/* search_place.c */
void config_init(struct search *search, struct config *config);
void config_free(struct config *config);
/* Marks it placed, in the path too, where it stands before events[event]; the state is the
 * caller's. */
void config_place(struct search *search, struct config *config, uint32_t entry, uint32_t event);
/* It can't change the state, whatever it is: told, and possible only where it changes nothing. */
bool search_only_observes(const struct spec_op *op);
/* events[at] is the return of something that search->at has not placed: pushes every configuration
 * behind it. */
void search_resolve(struct search *search, uint32_t parent, uint32_t at);
void search_explore_free(struct search *search);

/* search_order.c */
void search_reconstruct(struct search *search, uint32_t node, const struct config *config,
                        struct search_result *result);

#endif
