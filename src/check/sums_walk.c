#include "base/alloc.h"
#include "base/assert.h"
#include "check/sums_internal.h"

#include <string.h>

/* A configuration: what of the open ones is placed, just before events[event]. */
struct sums_node {
    uint32_t parent, event, path_count, next;
    uint64_t path_from;
    uint64_t words[]; /* the mask, then the state */
};

struct walk {
    struct sums *sums;
    struct buf nodes;
    uint32_t node_count, size;
    uint32_t *buckets, bucket_count;
    uint32_t *stack, stack_count, stack_cap;
    uint32_t *path, path_cap; /* of all nodes */
    uint64_t path_count;
    uint32_t *own, own_count; /* of the one that is made */
    uint64_t *mask;
    int64_t *state;
    struct subsets subsets;
    uint32_t furthest;
};

static struct sums_node *node_at(const struct walk *walk, uint32_t number) {
    return (struct sums_node *)(void *)(walk->nodes.data + (size_t)number * walk->size);
}

/* ---- what is open ---- */

static void toggle(struct sums *sums, const struct sums_event *event, bool open) {
    uint32_t slot = sums->entries[event->entry].slot;
    if (open) {
        sums->place_in_open[slot] = sums->open_count;
        sums->open[sums->open_count++] = event->entry;
        return;
    }
    uint32_t at = sums->place_in_open[slot], last = sums->open[--sums->open_count];
    sums->open[at] = last;
    sums->place_in_open[sums->entries[last].slot] = at;
}

static void roll_to(struct sums *sums, uint32_t at) {
    while (sums->open_at < at) {
        const struct sums_event *event = &sums->events[sums->open_at++];
        toggle(sums, event, event->call);
    }
    while (sums->open_at > at) {
        const struct sums_event *event = &sums->events[--sums->open_at];
        toggle(sums, event, !event->call);
    }
}

/* ---- configurations ---- */

static uint32_t bucket_of(const struct walk *walk, uint32_t event, const uint64_t *mask) {
    size_t len = walk->sums->words * sizeof *mask;
    return (uint32_t)bytes_hash(bytes_of((const void *)mask, len), event) &
           (walk->bucket_count - 1);
}

static void grow_buckets(struct walk *walk) {
    walk->bucket_count = walk->bucket_count ? walk->bucket_count * 2 : 256;
    cairn_free(walk->buckets);
    walk->buckets = cairn_alloc(walk->bucket_count * sizeof *walk->buckets);
    memset(walk->buckets, 0xff, walk->bucket_count * sizeof *walk->buckets);
    for (uint32_t i = 0; i < walk->node_count; i++) {
        struct sums_node *node = node_at(walk, i);
        uint32_t bucket = bucket_of(walk, node->event, node->words);
        node->next = walk->buckets[bucket];
        walk->buckets[bucket] = i;
    }
}

static bool known(const struct walk *walk, uint32_t event, uint32_t bucket) {
    size_t len = walk->sums->words * sizeof *walk->mask;
    for (uint32_t at = walk->buckets[bucket]; at != SUMS_NOWHERE; at = node_at(walk, at)->next)
        if (node_at(walk, at)->event == event &&
            memcmp(node_at(walk, at)->words, walk->mask, len) == 0)
            return true;
    return false;
}

/* walk->mask, state and own become a node, unless there is one like it. */
static void push(struct walk *walk, uint32_t parent, uint32_t event) {
    const struct sums *sums = walk->sums;
    if (walk->node_count >= walk->bucket_count)
        grow_buckets(walk);
    uint32_t bucket = bucket_of(walk, event, walk->mask);
    if (known(walk, event, bucket))
        return;
    if (walk->nodes.cap - walk->nodes.len < walk->size)
        limits_room(sums->limits, walk->nodes.cap);
    buf_reserve(&walk->nodes, walk->size);
    walk->nodes.len += walk->size;
    if (walk->path_count + walk->own_count > walk->path_cap) {
        walk->path_cap = (uint32_t)(2 * (walk->path_count + walk->own_count)) + 64;
        walk->path = cairn_realloc(walk->path, walk->path_cap * sizeof *walk->path);
    }
    struct sums_node *node = node_at(walk, walk->node_count);
    *node = (struct sums_node){.parent = parent,
                               .event = event,
                               .path_from = walk->path_count,
                               .path_count = walk->own_count,
                               .next = walk->buckets[bucket]};
    memcpy(node->words, walk->mask, sums->words * sizeof *walk->mask);
    memcpy(node->words + sums->words, walk->state, sums->parts * sizeof *walk->state);
    if (walk->own_count > 0)
        memcpy(walk->path + walk->path_count, walk->own, walk->own_count * sizeof *walk->own);
    walk->path_count += walk->own_count;
    walk->buckets[bucket] = walk->node_count;
    if (walk->stack_count == walk->stack_cap) {
        walk->stack_cap = walk->stack_cap ? walk->stack_cap * 2 : 256;
        walk->stack = cairn_realloc(walk->stack, walk->stack_cap * sizeof *walk->stack);
    }
    walk->stack[walk->stack_count++] = walk->node_count++;
}

static void load(struct walk *walk, uint32_t number) {
    const struct sums *sums = walk->sums;
    const struct sums_node *node = node_at(walk, number);
    memcpy(walk->mask, node->words, sums->words * sizeof *walk->mask);
    memcpy(walk->state, node->words + sums->words, sums->parts * sizeof *walk->state);
    walk->own_count = 0;
}

static void clear(struct walk *walk, uint32_t entry) {
    uint32_t slot = walk->sums->entries[entry].slot;
    walk->mask[slot / 64] &= ~(1ull << (slot % 64));
}

static void place(struct walk *walk, uint32_t entry) {
    uint32_t slot = walk->sums->entries[entry].slot;
    walk->mask[slot / 64] |= 1ull << (slot % 64);
    walk->own[walk->own_count++] = entry;
    if (!walk->sums->entries[entry].read)
        sums_apply(walk->sums, walk->state, entry);
}

static bool fits(const struct walk *walk, uint32_t entry) {
    return memcmp(sums_told(walk->sums, entry), walk->state,
                  walk->sums->parts * sizeof *walk->state) == 0;
}

/* Reads that fit are placed at once: they change nothing. */
static void settle(struct walk *walk) {
    const struct sums *sums = walk->sums;
    for (uint32_t i = 0; i < sums->open_count; i++) {
        uint32_t entry = sums->open[i];
        if (sums->entries[entry].read && !sums_placed(sums, walk->mask, entry) && fits(walk, entry))
            place(walk, entry);
    }
}

/* To the next return of something that is not placed. False: the end. */
static bool go_on(struct walk *walk, uint32_t *at) {
    struct sums *sums = walk->sums;
    for (; *at < sums->event_count; (*at)++) {
        const struct sums_event *event = &sums->events[*at];
        if (event->call) {
            clear(walk, event->entry);
            if (sums->entries[event->entry].read && fits(walk, event->entry))
                place(walk, event->entry);
        } else if (sums_placed(sums, walk->mask, event->entry)) {
            clear(walk, event->entry);
        } else {
            return true;
        }
    }
    return false;
}

/* ---- the ways on ---- */

struct step {
    uint32_t number, at, target; /* the node, and the return at which it waits */
};

/* The node as it stands at the return. */
static void come(struct walk *walk, const struct step *step) {
    uint32_t at = node_at(walk, step->number)->event;
    load(walk, step->number);
    bool waits = go_on(walk, &at);
    cairn_assert(waits && at == step->at);
}

static void leave(struct walk *walk, const struct step *step) {
    settle(walk);
    if (!sums_placed(walk->sums, walk->mask, step->target)) {
        push(walk, step->number, step->at);
        return;
    }
    clear(walk, step->target);
    push(walk, step->number, step->at + 1);
}

/* Every set of changes that lets the read be placed, the best one last: it is taken up first. */
static bool let_read(struct walk *walk, const struct step *step, uint32_t read) {
    come(walk, step);
    uint32_t but = read == step->target ? SUMS_NOWHERE : step->target;
    if (!subsets_find(walk->sums, walk->mask, walk->state, sums_told(walk->sums, read), but,
                      &walk->subsets))
        return false;
    for (uint32_t i = walk->subsets.count; i-- > 0;) {
        const struct subset *subset = &walk->subsets.at[i];
        come(walk, step);
        for (uint32_t j = 0; j < subset->count; j++)
            place(walk, walk->subsets.entries[subset->from + j]);
        leave(walk, step);
    }
    return true;
}

/* False: a limit was met. */
static bool resolve(struct walk *walk, const struct step *step) {
    struct sums *sums = walk->sums;
    bool read = sums->entries[step->target].read;
    for (uint32_t i = 0; i < sums->open_count; i++) {
        uint32_t entry = sums->open[i];
        come(walk, step);
        if (sums->entries[entry].read && entry != step->target &&
            !sums_placed(sums, walk->mask, entry) && !let_read(walk, step, entry))
            return false;
    }
    if (read)
        return let_read(walk, step, step->target);
    come(walk, step);
    place(walk, step->target);
    leave(walk, step);
    return true;
}

static void tell_order(const struct walk *walk, uint32_t number, struct sums_result *result) {
    uint32_t total = walk->own_count;
    for (uint32_t at = number; at != SUMS_NOWHERE; at = node_at(walk, at)->parent)
        total += node_at(walk, at)->path_count;
    result->order = cairn_alloc((total + 1) * sizeof *result->order);
    result->order_count = total;
    total -= walk->own_count;
    for (uint32_t i = 0; i < walk->own_count; i++)
        result->order[total + i] = walk->sums->entries[walk->own[i]].op;
    for (uint32_t at = number; at != SUMS_NOWHERE; at = node_at(walk, at)->parent) {
        const struct sums_node *node = node_at(walk, at);
        total -= node->path_count;
        for (uint32_t i = 0; i < node->path_count; i++)
            result->order[total + i] = walk->sums->entries[walk->path[node->path_from + i]].op;
    }
}

static void tell_stuck(const struct walk *walk, struct sums_result *result) {
    const struct sums *sums = walk->sums;
    result->stuck = sums->entries[sums->events[walk->furthest].entry].op;
    result->passed = 0;
    for (uint32_t i = 0; i < walk->furthest; i++)
        result->passed += !sums->events[i].call;
}

static enum answer run(struct walk *walk, struct sums_result *result) {
    struct sums *sums = walk->sums;
    memcpy(walk->state, sums->initial, sums->parts * sizeof *walk->state);
    push(walk, SUMS_NOWHERE, 0);
    while (walk->stack_count > 0) {
        struct step step = {.number = walk->stack[--walk->stack_count]};
        if (limits_over(sums->limits, 1))
            return ANSWER_UNDECIDED;
        step.at = node_at(walk, step.number)->event;
        load(walk, step.number);
        if (!go_on(walk, &step.at)) {
            tell_order(walk, step.number, result);
            return ANSWER_YES;
        }
        if (step.at >= walk->furthest)
            walk->furthest = step.at;
        step.target = sums->events[step.at].entry;
        roll_to(sums, step.at);
        limits_done(sums->limits, walk->furthest);
        if (!resolve(walk, &step))
            return ANSWER_UNDECIDED;
    }
    tell_stuck(walk, result);
    return sums->cut ? ANSWER_UNDECIDED : ANSWER_NO;
}

void sums_walk(struct sums *sums, struct sums_result *result) {
    struct walk walk = {.sums = sums};
    walk.size =
        (uint32_t)(sizeof(struct sums_node) + (sums->words + sums->parts) * sizeof(uint64_t));
    walk.mask = cairn_alloc_zero(sums->words * sizeof *walk.mask);
    walk.state = cairn_alloc((sums->parts + 1) * sizeof *walk.state);
    walk.own = cairn_alloc((sums->count + 1) * sizeof *walk.own);
    roll_to(sums, 0);
    sums->cut = false;
    result->answer = run(&walk, result);
    buf_free(&walk.nodes);
    cairn_free(walk.buckets);
    cairn_free(walk.stack);
    cairn_free(walk.path);
    cairn_free(walk.own);
    cairn_free(walk.mask);
    cairn_free(walk.state);
    subsets_free(&walk.subsets);
}
