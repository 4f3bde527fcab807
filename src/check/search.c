#include "check/search.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/search_internal.h"

#include <stdlib.h>
#include <string.h>

#define NO_NODE UINT32_MAX
#define DOMINANCE_TRIES 256u

/* ---- events ---- */

/* Reads without an answer, and open ones, can stand anywhere. */
static bool says_nothing(const struct spec_op *op, bool open) {
    return op->class == SPEC_OBSERVES && (open || (!op->told && !op->mismatch));
}

/* Calls come in order; a return goes behind those that were earlier, past as many as are open. */
static uint32_t sort_returns(const struct search *search, uint32_t count, uint32_t *returns) {
    uint32_t sorted = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t ret = search->entries[i].ret, at = sorted;
        if (ret == OP_OPEN || says_nothing(&search->specs[i], false))
            continue;
        for (; at > 0 && search->entries[returns[at - 1]].ret > ret; at--)
            returns[at] = returns[at - 1];
        returns[at] = i;
        sorted++;
    }
    return sorted;
}

static void make_events(struct search *search, const uint32_t *ops, uint32_t count) {
    const struct op *all = search->spec->history->ops;
    uint32_t *returns = cairn_alloc((count + 1) * sizeof *returns), next = 0;
    for (uint32_t i = 0; i < count; i++) {
        search->entries[i].op = ops[i];
        search->entries[i].ret = all[ops[i]].outcome == OP_INFO ? OP_OPEN : all[ops[i]].ret;
    }
    uint32_t return_count = sort_returns(search, count, returns);
    search->events = cairn_alloc((2 * (size_t)count + 1) * sizeof *search->events);
    for (uint32_t i = 0; i <= count; i++) {
        uint32_t call = i < count ? all[ops[i]].call : OP_OPEN;
        for (; next < return_count && search->entries[returns[next]].ret < call; next++)
            search->events[search->event_count++] = (struct search_event){.entry = returns[next]};
        if (i < count && !says_nothing(&search->specs[i], search->entries[i].ret == OP_OPEN))
            search->events[search->event_count++] = (struct search_event){.entry = i, .call = true};
    }
    cairn_free(returns);
}

/* ---- equal effects ---- */

static uint64_t effect_hash(const struct spec_op *op) {
    uint64_t parts[] = {(uint64_t)op->f << 32 | (uint32_t)op->class << 2 | op->told << 1 |
                            op->mismatch,
                        (uint64_t)op->a << 32 | op->b, op->out};
    return bytes_hash(bytes_of(parts, sizeof parts), 0);
}

static bool same_effect(const struct spec_op *x, const struct spec_op *y) {
    return x->f == y->f && x->class == y->class && x->a == y->a && x->b == y->b &&
           x->told == y->told && x->out == y->out && x->mismatch == y->mismatch;
}

/* Each operation's effect is the number of the first that has it. */
static void number_effects(struct search *search, uint32_t count) {
    uint32_t size = 16;
    while (size < 2 * count)
        size *= 2;
    uint32_t *table = cairn_alloc(size * sizeof *table);
    memset(table, 0xff, size * sizeof *table);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = (uint32_t)effect_hash(&search->specs[i]) & (size - 1);
        while (table[at] != UINT32_MAX &&
               !same_effect(&search->specs[table[at]], &search->specs[i]))
            at = (at + 1) & (size - 1);
        if (table[at] == UINT32_MAX)
            table[at] = i;
        search->entries[i].effect = table[at];
    }
    cairn_free(table);
}

/* Each operation has a slot, a bit in the masks, from its call to its return. */
static void give_slots(struct search *search, uint32_t count) {
    uint32_t *free_slots = cairn_alloc((count + 1) * sizeof *free_slots), free_count = 0;
    for (uint32_t i = 0; i < search->event_count; i++) {
        struct search_event *event = &search->events[i];
        struct search_entry *entry = &search->entries[event->entry];
        if (event->call) {
            entry->slot = free_count > 0 ? free_slots[--free_count] : search->slot_count++;
            entry->call_event = i;
        } else {
            free_slots[free_count++] = entry->slot;
        }
    }
    cairn_free(free_slots);
    search->words = (search->slot_count + 63) / 64;
    if (search->words == 0)
        search->words = 1;
    search->open = cairn_alloc((search->slot_count + 1) * sizeof *search->open);
    search->place_in_open = cairn_alloc((search->slot_count + 1) * sizeof *search->place_in_open);
}

/* ---- which operations are open at an event: rolled forwards and backwards ---- */

static void open_add(struct search *search, uint32_t entry) {
    search->place_in_open[search->entries[entry].slot] = search->open_count;
    search->open[search->open_count++] = entry;
}

static void open_remove(struct search *search, uint32_t entry) {
    uint32_t at = search->place_in_open[search->entries[entry].slot];
    cairn_assert(search->open[at] == entry);
    uint32_t last = search->open[--search->open_count];
    search->open[at] = last;
    search->place_in_open[search->entries[last].slot] = at;
}

/* Afterwards: those open just before events[at]. */
static void roll_to(struct search *search, uint32_t at) {
    while (search->open_at < at) {
        struct search_event *event = &search->events[search->open_at++];
        if (event->call)
            open_add(search, event->entry);
        else
            open_remove(search, event->entry);
    }
    while (search->open_at > at) {
        struct search_event *event = &search->events[--search->open_at];
        if (event->call)
            open_remove(search, event->entry);
        else
            open_add(search, event->entry);
    }
}

/* ---- configurations that wait ---- */

static size_t node_size(const struct search *search) {
    return sizeof(struct search_node) + 2 * search->words * sizeof(uint64_t);
}

struct search_node *search_node(const struct search *search, uint32_t number) {
    return (struct search_node *)(void *)(search->nodes.data + number * node_size(search));
}

static uint32_t bucket_of(const struct search *search, uint32_t event, uint32_t state) {
    uint64_t key = ((uint64_t)event << 32 | state) * 0x9E3779B97F4A7C15u;
    return (uint32_t)(key >> 32) & (search->bucket_count - 1);
}

static void grow_buckets(struct search *search) {
    uint32_t count = search->bucket_count * 2;
    cairn_free(search->buckets);
    search->bucket_count = count;
    search->buckets = cairn_alloc(count * sizeof *search->buckets);
    memset(search->buckets, 0xff, count * sizeof *search->buckets);
    for (uint32_t i = 0; i < search->node_count; i++) {
        struct search_node *node = search_node(search, i);
        uint32_t bucket = bucket_of(search, node->event, node->state);
        node->next = search->buckets[bucket];
        search->buckets[bucket] = i;
    }
}

/* Has `a` every chance that `b` has? observers: the slots of operations that only observe. */
static bool dominates(const struct search *search, const uint64_t *a, const uint64_t *b) {
    const uint64_t *hidden_a = a + search->words, *hidden_b = b + search->words;
    for (uint32_t i = 0; i < search->words; i++) {
        uint64_t observers = search->observers[i];
        uint64_t worse = (observers & b[i] & ~a[i]) | (~observers & (a[i] ^ b[i]) & ~hidden_a[i]) |
                         (hidden_b[i] & ~hidden_a[i]);
        if (worse != 0)
            return false;
    }
    return true;
}

static void learn_observers(struct search *search) {
    memset(search->observers, 0, search->words * sizeof *search->observers);
    for (uint32_t i = 0; i < search->open_count; i++)
        if (search->specs[search->open[i]].class == SPEC_OBSERVES)
            bit_set(search->observers, search->entries[search->open[i]].slot);
}

static bool is_dominated(struct search *search, uint32_t event, const struct config *config) {
    uint32_t tries = 0;
    for (uint32_t at = search->buckets[bucket_of(search, event, config->state)]; at != NO_NODE;) {
        struct search_node *node = search_node(search, at);
        if (node->event == event && node->state == config->state) {
            if (dominates(search, node->masks, config->masks))
                return true;
            if (++tries == DOMINANCE_TRIES)
                return false;
        }
        at = node->next;
    }
    return false;
}

/* A configuration that stands just before events[event], with what was placed since its parent. */
static bool push_node(struct search *search, uint32_t parent, uint32_t event,
                      const struct config *config) {
    if (is_dominated(search, event, config))
        return true;
    if (search->node_count + 1 >= search->bucket_count)
        grow_buckets(search);
    if (search->nodes.cap - search->nodes.len < node_size(search) &&
        !limits_room(search->limits, search->nodes.cap))
        return false;
    uint32_t number = search->node_count++;
    buf_reserve(&search->nodes, node_size(search));
    search->nodes.len += node_size(search);
    struct search_node *node = search_node(search, number);
    node->parent = parent;
    node->event = event;
    node->state = config->state;
    node->placed_from = search->placed_count;
    node->placed_count = config->path_count;
    memcpy(node->masks, config->masks, 2 * search->words * sizeof(uint64_t));
    if (search->placed_count + config->path_count > search->placed_cap) {
        search->placed_cap = 2 * (search->placed_count + config->path_count) + 64;
        search->placed = cairn_realloc(search->placed, search->placed_cap * sizeof *search->placed);
    }
    for (uint32_t i = 0; i < config->path_count; i++)
        search->placed[search->placed_count + i] = config->path[i];
    search->placed_count += config->path_count;
    uint32_t bucket = bucket_of(search, event, config->state);
    node->next = search->buckets[bucket];
    search->buckets[bucket] = number;
    if (search->stack_count == search->stack_cap) {
        search->stack_cap = search->stack_cap ? search->stack_cap * 2 : 256;
        search->stack = cairn_realloc(search->stack, search->stack_cap * sizeof *search->stack);
    }
    search->stack[search->stack_count++] = number;
    return true;
}

/* ---- the walk over the events ---- */

static void at_call(struct search *search, struct config *config, uint32_t at) {
    uint32_t entry = search->events[at].entry;
    const struct spec_op *op = &search->specs[entry];
    uint32_t slot = search->entries[entry].slot, next;
    bit_clear(config->masks, slot);
    bit_clear(config->masks + search->words, slot);
    if (!spec_step(search->spec, config->state, op, &next) || next != config->state)
        return;
    if (search_only_observes(op))
        config_place(search, config, entry, at + 1);
    else
        bit_set(config->masks + search->words, slot);
}

/* Walks to the next return of something that is not placed. True: that is events[*at]; false: the
 * end was reached. */
static bool walk(struct search *search, struct config *config, uint32_t *at) {
    for (; *at < search->event_count; (*at)++) {
        struct search_event *event = &search->events[*at];
        uint32_t slot = search->entries[event->entry].slot;
        if (event->call) {
            at_call(search, config, *at);
        } else if (bit_test(config->masks, slot)) {
            bit_clear(config->masks, slot);
            bit_clear(config->masks + search->words, slot);
        } else {
            return true;
        }
    }
    return false;
}

static void finish_yes(struct search *search, uint32_t node, const struct config *config,
                       bool want_order, struct search_result *result) {
    result->answer = ANSWER_YES;
    if (want_order)
        search_reconstruct(search, node, config, result);
}

static void load(struct search *search, struct config *config, const struct search_node *node) {
    memcpy(config->masks, node->masks, 2 * search->words * sizeof(uint64_t));
    config->state = node->state;
    config->path_count = 0;
}

static bool expand(struct search *search, uint32_t number, bool want_order,
                   struct search_result *result) {
    struct config *config = &search->at;
    load(search, config, search_node(search, number));
    uint32_t at = search_node(search, number)->event;
    if (!walk(search, config, &at)) {
        finish_yes(search, number, config, want_order, result);
        return true;
    }
    if (at >= search->furthest) {
        search->furthest = at;
        result->stuck = search->entries[search->events[at].entry].op;
    }
    roll_to(search, at);
    learn_observers(search);
    uint32_t first = search->stack_count;
    search_resolve(search, number, at);
    /* The first that was found is the plainest: it is tried first. */
    for (uint32_t low = first, high = search->stack_count; low + 1 < high; low++, high--) {
        uint32_t swap = search->stack[low];
        search->stack[low] = search->stack[high - 1];
        search->stack[high - 1] = swap;
    }
    return false;
}

bool search_push(struct search *search, uint32_t parent, uint32_t event,
                 const struct config *config) {
    return push_node(search, parent, event, config);
}

static void run(struct search *search, uint32_t key, bool want_order,
                struct search_result *result) {
    struct config *start = &search->at;
    start->state = spec_initial(search->spec, key);
    start->path_count = 0;
    push_node(search, NO_NODE, 0, start);
    result->answer = ANSWER_NO;
    while (search->stack_count > 0) {
        uint32_t number = search->stack[--search->stack_count];
        if (limits_over(search->limits, 1))
            break;
        if (expand(search, number, want_order, result))
            return;
        limits_done(search->limits, search->furthest);
    }
    if (search->limits != NULL && search->limits->stopped != LIMITS_GO)
        result->answer = ANSWER_UNDECIDED;
}

static uint32_t returned_before(const struct search *search, uint32_t at) {
    uint32_t count = 0;
    for (uint32_t i = 0; i < at; i++)
        count += !search->events[i].call;
    return count;
}

static void search_free(struct search *search) {
    cairn_free(search->events);
    cairn_free(search->entries);
    cairn_free(search->specs);
    cairn_free(search->open);
    cairn_free(search->place_in_open);
    cairn_free(search->observers);
    cairn_free(search->buckets);
    cairn_free(search->placed);
    cairn_free(search->stack);
    buf_free(&search->nodes);
    config_free(&search->at);
    search_explore_free(search);
}

void search_linear(struct spec *spec, const uint32_t *ops, uint32_t count, uint32_t key,
                   struct limits *limits, bool want_order, struct search_result *result) {
    struct search search = {.spec = spec, .limits = limits, .count = count, .bucket_count = 64};
    memset(result, 0, sizeof *result);
    result->stuck = OP_NONE;
    search.entries = cairn_alloc_zero((count + 1) * sizeof *search.entries);
    search.specs = cairn_alloc((count + 1) * sizeof *search.specs);
    spec->real_time = true;
    spec_prepare(spec, ops, count, search.specs);
    make_events(&search, ops, count);
    number_effects(&search, count);
    give_slots(&search, count);
    search.observers = cairn_alloc_zero(search.words * sizeof(uint64_t));
    search.buckets = cairn_alloc(search.bucket_count * sizeof *search.buckets);
    memset(search.buckets, 0xff, search.bucket_count * sizeof *search.buckets);
    config_init(&search, &search.at);
    limits_phase(limits, "searching for an order", search.event_count);
    run(&search, key, want_order, result);
    result->passed = returned_before(&search, search.furthest);
    result->configurations = search.node_count;
    search_free(&search);
}
