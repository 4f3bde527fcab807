/* What sums.c (the history as numbers), sums_walk.c (the walk over events) and sums_subsets.c
 * (which changes make up a difference) share. */
#ifndef CAIRN_CHECK_SUMS_INTERNAL_H
#define CAIRN_CHECK_SUMS_INTERNAL_H

#include "check/sums.h"

#define SUMS_NOWHERE UINT32_MAX

/* The amount leaves one part and comes to another; of counters it leaves none. */
struct effect {
    uint32_t from, to;
    int64_t amount;
};

struct sums_op {
    uint32_t op, call, ret, slot; /* ret OP_OPEN: fate unknown */
    uint32_t what;                /* of a change: its effect, SUMS_NOWHERE: it changes nothing; of a
                                   * read: its row in sums.told */
    bool read;
};
struct sums_event {
    uint32_t position, entry;
    bool call;
};

struct sums {
    uint32_t parts;
    int64_t *initial, *told; /* told: a row of parts for each read */
    uint32_t told_count;
    struct effect *effects;
    uint32_t effect_count;
    struct sums_op *entries;
    struct sums_event *events;
    uint32_t count, event_count, slot_count, words;
    uint32_t *open, *place_in_open, open_count, open_at;
    struct limits *limits;
    uint32_t unknown_max; /* how many of unknown fate one read may need */
    bool cut;             /* more were tried for */
};

static inline const int64_t *sums_told(const struct sums *sums, uint32_t entry) {
    return sums->told + (size_t)sums->entries[entry].what * sums->parts;
}
static inline bool sums_placed(const struct sums *sums, const uint64_t *mask, uint32_t entry) {
    uint32_t slot = sums->entries[entry].slot;
    return (mask[slot / 64] >> (slot % 64) & 1) != 0;
}
static inline void sums_apply(const struct sums *sums, int64_t *state, uint32_t entry) {
    if (sums->entries[entry].what == SUMS_NOWHERE)
        return;
    const struct effect *effect = &sums->effects[sums->entries[entry].what];
    if (effect->from != SUMS_NOWHERE)
        state[effect->from] -= effect->amount;
    state[effect->to] += effect->amount;
}

/* sums_walk.c. UNDECIDED: a limit was met, or sums->cut. */
void sums_walk(struct sums *sums, struct sums_result *result);

/* sums_subsets.c: sets of open changes, one after the other. */
struct subset {
    uint32_t from, count, unknown; /* entries in subsets.entries */
};
struct subsets {
    uint32_t *entries, entry_count, entry_cap;
    struct subset *at;
    uint32_t count, cap;
};
/* Those that lead from `state` to `target`, best first, without the change `but`. False: a limit
 * was met. */
bool subsets_find(struct sums *sums, const uint64_t *mask, const int64_t *state,
                  const int64_t *target, uint32_t but, struct subsets *subsets);
void subsets_free(struct subsets *subsets);

#endif
