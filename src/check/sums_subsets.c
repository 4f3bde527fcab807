#include "base/alloc.h"
#include "base/assert.h"
#include "check/sums_internal.h"

#include <stdlib.h>
#include <string.h>

/* Open changes of one effect: those that return first are taken first. */
struct kind {
    struct effect effect;
    uint32_t from, count, known; /* in choice.members; known: how many of them returned */
    uint32_t taken;
};

struct choice {
    struct sums *sums;
    struct subsets *subsets;
    uint32_t *members;
    struct kind *kinds;
    uint32_t kind_count, unknown;
    int64_t *missing;
    int64_t *low, *high; /* a row for each kind: what it and those behind it can bring */
    bool over;
};

static int by_effect(const void *a, const void *b, void *context) {
    const struct sums *sums = context;
    const struct sums_op *x = &sums->entries[*(const uint32_t *)a];
    const struct sums_op *y = &sums->entries[*(const uint32_t *)b];
    if (x->what != y->what)
        return x->what < y->what ? -1 : 1;
    if (x->ret != y->ret)
        return x->ret < y->ret ? -1 : 1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static void collect(struct choice *choice, const uint64_t *mask, uint32_t but) {
    struct sums *sums = choice->sums;
    uint32_t count = 0;
    for (uint32_t i = 0; i < sums->open_count; i++) {
        uint32_t entry = sums->open[i];
        const struct sums_op *at = &sums->entries[entry];
        if (!at->read && at->what != SUMS_NOWHERE && entry != but &&
            !sums_placed(sums, mask, entry))
            choice->members[count++] = entry;
    }
    qsort_r(choice->members, count, sizeof *choice->members, by_effect, sums);
    for (uint32_t i = 0; i < count; i++) {
        const struct sums_op *at = &sums->entries[choice->members[i]];
        if (i == 0 || at->what != sums->entries[choice->members[i - 1]].what)
            choice->kinds[choice->kind_count++] =
                (struct kind){.effect = sums->effects[at->what], .from = i};
        struct kind *kind = &choice->kinds[choice->kind_count - 1];
        kind->count++;
        kind->known += at->ret != OP_OPEN;
    }
}

static void widen(int64_t *low, int64_t *high, uint32_t part, int64_t amount) {
    if (part == SUMS_NOWHERE)
        return;
    if (amount > 0)
        high[part] += amount;
    else
        low[part] += amount;
}

static void bound(struct choice *choice) {
    uint32_t parts = choice->sums->parts;
    memset(choice->low + choice->kind_count * parts, 0, parts * sizeof *choice->low);
    memset(choice->high + choice->kind_count * parts, 0, parts * sizeof *choice->high);
    for (uint32_t i = choice->kind_count; i-- > 0;) {
        int64_t *low = choice->low + i * parts, *high = choice->high + i * parts;
        const struct kind *kind = &choice->kinds[i];
        memcpy(low, low + parts, parts * sizeof *low);
        memcpy(high, high + parts, parts * sizeof *high);
        widen(low, high, kind->effect.from, -kind->effect.amount * kind->count);
        widen(low, high, kind->effect.to, kind->effect.amount * kind->count);
    }
}

static bool in_reach(const struct choice *choice, uint32_t from) {
    uint32_t parts = choice->sums->parts;
    for (uint32_t i = 0; i < parts; i++)
        if (choice->missing[i] < choice->low[from * parts + i] ||
            choice->missing[i] > choice->high[from * parts + i])
            return false;
    return true;
}

static void give(struct choice *choice) {
    struct subsets *subsets = choice->subsets;
    if (subsets->count == subsets->cap) {
        subsets->cap = subsets->cap ? subsets->cap * 2 : 16;
        subsets->at = cairn_realloc(subsets->at, subsets->cap * sizeof *subsets->at);
    }
    struct subset subset = {.from = subsets->entry_count, .unknown = choice->unknown};
    for (uint32_t i = 0; i < choice->kind_count; i++)
        subset.count += choice->kinds[i].taken;
    if (subsets->entry_count + subset.count > subsets->entry_cap) {
        subsets->entry_cap = 2 * (subsets->entry_count + subset.count) + 64;
        subsets->entries =
            cairn_realloc(subsets->entries, subsets->entry_cap * sizeof *subsets->entries);
    }
    for (uint32_t i = 0; i < choice->kind_count; i++)
        for (uint32_t j = 0; j < choice->kinds[i].taken; j++)
            subsets->entries[subsets->entry_count++] = choice->members[choice->kinds[i].from + j];
    subsets->at[subsets->count++] = subset;
}

static void miss(struct choice *choice, const struct kind *kind, int64_t times) {
    if (kind->effect.from != SUMS_NOWHERE)
        choice->missing[kind->effect.from] += times * kind->effect.amount;
    choice->missing[kind->effect.to] -= times * kind->effect.amount;
}

static void choose(struct choice *choice, uint32_t at) {
    if (choice->over || limits_over(choice->sums->limits, 1)) {
        choice->over = true;
        return;
    }
    if (!in_reach(choice, at))
        return;
    if (at == choice->kind_count) {
        give(choice);
        return;
    }
    struct kind *kind = &choice->kinds[at];
    uint32_t unknown = choice->unknown;
    for (kind->taken = 0;; kind->taken++) {
        choose(choice, at + 1);
        if (kind->taken == kind->count)
            break;
        if (kind->taken >= kind->known && choice->unknown == choice->sums->unknown_max) {
            choice->sums->cut = true;
            break;
        }
        choice->unknown += kind->taken >= kind->known;
        miss(choice, kind, 1);
    }
    miss(choice, kind, -(int64_t)kind->taken);
    kind->taken = 0;
    choice->unknown = unknown;
}

static int by_cost(const void *a, const void *b) {
    const struct subset *x = a, *y = b;
    if (x->unknown != y->unknown)
        return x->unknown < y->unknown ? -1 : 1;
    if (x->count != y->count)
        return x->count < y->count ? -1 : 1;
    return x->from < y->from ? -1 : x->from > y->from;
}

bool subsets_find(struct sums *sums, const uint64_t *mask, const int64_t *state,
                  const int64_t *target, uint32_t but, struct subsets *subsets) {
    struct choice choice = {.sums = sums, .subsets = subsets};
    size_t most = sums->open_count + 1;
    choice.members = cairn_alloc(most * sizeof *choice.members);
    choice.kinds = cairn_alloc(most * sizeof *choice.kinds);
    choice.missing = cairn_alloc((sums->parts + 1) * sizeof *choice.missing);
    choice.low = cairn_alloc(most * (sums->parts + 1) * sizeof *choice.low);
    choice.high = cairn_alloc(most * (sums->parts + 1) * sizeof *choice.high);
    for (uint32_t i = 0; i < sums->parts; i++)
        choice.missing[i] = target[i] - state[i];
    subsets->count = subsets->entry_count = 0;
    collect(&choice, mask, but);
    bound(&choice);
    choose(&choice, 0);
    if (subsets->count > 0)
        qsort(subsets->at, subsets->count, sizeof *subsets->at, by_cost);
    cairn_free(choice.members);
    cairn_free(choice.kinds);
    cairn_free(choice.missing);
    cairn_free(choice.low);
    cairn_free(choice.high);
    return !choice.over;
}

void subsets_free(struct subsets *subsets) {
    cairn_free(subsets->entries);
    cairn_free(subsets->at);
    memset(subsets, 0, sizeof *subsets);
}
