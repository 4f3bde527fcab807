#include "check/linear.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

#define OPEN_MAX 256u
#define WORDS (OPEN_MAX / 64u)
#define DOMINANCE_MAX 600u

struct value {
    int64_t number;
    bool nil;
};

/* A possible state, and which of the open operations have taken effect in it. */
struct possible {
    struct value value;
    bool blind; /* the last one placed overwrites blindly, and nobody has seen it yet */
    uint64_t placed[WORDS];
};

struct set {
    struct possible *items;
    size_t count, cap;
    uint32_t *table; /* index + 1 into items */
    size_t table_size;
};

struct event {
    uint64_t time;
    bool completes;
    size_t op;
};

struct search {
    const struct linear_op *ops;
    size_t open[OPEN_MAX]; /* by slot: index into ops + 1; 0: free */
    size_t *slot_of;
    unsigned high; /* slots in use lie below */
    struct set now, next, seen;
    uint64_t steps, steps_max;
    bool gave_up;
};

/* ---- sets ---- */

static uint64_t hash_of(const struct possible *item) {
    uint64_t hash =
        (uint64_t)item->value.number * 0x9e3779b97f4a7c15ull + item->value.nil * 7u + item->blind;
    for (unsigned i = 0; i < WORDS; i++)
        hash = (hash ^ (hash >> 29) ^ item->placed[i]) * 0xbf58476d1ce4e5b9ull;
    return hash ^ (hash >> 32);
}

static bool same(const struct possible *a, const struct possible *b) {
    return a->value.number == b->value.number && a->value.nil == b->value.nil &&
           a->blind == b->blind && memcmp(a->placed, b->placed, sizeof a->placed) == 0;
}

static void set_index(struct set *set, size_t at) {
    size_t place = hash_of(&set->items[at]) & (set->table_size - 1);
    while (set->table[place] != 0)
        place = (place + 1) & (set->table_size - 1);
    set->table[place] = (uint32_t)at + 1;
}

static void set_grow(struct set *set) {
    set->cap = set->cap ? set->cap * 2 : 64;
    set->items = cairn_realloc(set->items, set->cap * sizeof *set->items);
    set->table_size = set->cap * 4;
    cairn_free(set->table);
    set->table = cairn_alloc_zero(set->table_size * sizeof *set->table);
    for (size_t i = 0; i < set->count; i++)
        set_index(set, i);
}

/* False: it was there. */
static bool set_add(struct set *set, const struct possible *item) {
    if (set->count == set->cap)
        set_grow(set);
    size_t place = hash_of(item) & (set->table_size - 1);
    for (; set->table[place] != 0; place = (place + 1) & (set->table_size - 1))
        if (same(&set->items[set->table[place] - 1], item))
            return false;
    set->items[set->count] = *item;
    set->table[place] = (uint32_t)++set->count;
    return true;
}

static void set_clear(struct set *set) {
    set->count = 0;
    if (set->table != NULL)
        memset(set->table, 0, set->table_size * sizeof *set->table);
}

static void set_free(struct set *set) {
    cairn_free(set->items);
    cairn_free(set->table);
}

/* ---- the sequential object ---- */

/* True: the operation may take effect in this state with the result that it had. */
static bool apply(const struct linear_op *op, struct value *value) {
    bool known = op->complete != UINT64_MAX;
    struct value before = *value;
    switch (op->kind) {
    case LINEAR_WRITE:
        *value = (struct value){op->argument, false};
        return true;
    case LINEAR_READ:
        return !known || (op->nil ? before.nil : !before.nil && op->result == before.number);
    case LINEAR_SETNX:
        if (before.nil)
            *value = (struct value){op->argument, false};
        return !known || op->result == before.nil;
    case LINEAR_GETSET:
        *value = (struct value){op->argument, false};
        return !known || (op->nil ? before.nil : !before.nil && op->result == before.number);
    case LINEAR_DELETE:
        *value = (struct value){0, true};
        return !known || op->result == !before.nil;
    case LINEAR_ADD:
        value->number =
            (int64_t)((uint64_t)(before.nil ? 0 : before.number) + (uint64_t)op->argument);
        value->nil = false;
        return !known || op->result == value->number;
    }
    return false;
}

static bool is_unknown(const struct linear_op *op) {
    return op->complete == UINT64_MAX;
}

static bool overwrites(const struct linear_op *op) {
    return op->kind == LINEAR_WRITE ||
           (is_unknown(op) && (op->kind == LINEAR_GETSET || op->kind == LINEAR_DELETE));
}

/* ---- the search ---- */

static bool is_placed(const struct possible *item, unsigned slot) {
    return item->placed[slot / 64] >> (slot % 64) & 1;
}

/* Another open one that does just the same, was invoked earlier, and has not been placed. */
static bool elder_waits(const struct search *search, const struct possible *item, unsigned slot) {
    const struct linear_op *op = &search->ops[search->open[slot] - 1];
    for (unsigned other = 0; other < search->high; other++) {
        if (other == slot || search->open[other] == 0 || is_placed(item, other))
            continue;
        const struct linear_op *elder = &search->ops[search->open[other] - 1];
        bool alike = is_unknown(elder) && elder->kind == op->kind &&
                     (op->kind == LINEAR_DELETE || elder->argument == op->argument);
        if (alike && (elder->invoke < op->invoke || (elder->invoke == op->invoke && other < slot)))
            return true;
    }
    return false;
}

static bool pointless(const struct search *search, const struct possible *item, unsigned slot,
                      const struct value *after) {
    const struct linear_op *op = &search->ops[search->open[slot] - 1];
    if (item->blind && overwrites(op))
        return true;
    if (!is_unknown(op))
        return false;
    bool changes = after->nil != item->value.nil || after->number != item->value.number;
    return !changes || elder_waits(search, item, slot);
}

/* Places what is needed, and at last the operation in `goal`. */
static void place(struct search *search, const struct possible *item, unsigned goal) {
    if (++search->steps > search->steps_max)
        search->gave_up = true;
    for (unsigned slot = 0; slot < search->high && !search->gave_up; slot++) {
        if (search->open[slot] == 0 || is_placed(item, slot))
            continue;
        const struct linear_op *op = &search->ops[search->open[slot] - 1];
        struct possible after = *item;
        if (!apply(op, &after.value) || pointless(search, item, slot, &after.value))
            continue;
        after.blind = is_unknown(op) && overwrites(op);
        after.placed[slot / 64] |= 1ull << (slot % 64);
        if (slot == goal) {
            after.blind = false;
            set_add(&search->next, &after);
        } else if (set_add(&search->seen, &after)) {
            place(search, &after, goal);
        }
    }
}

static bool within(const struct possible *a, const struct possible *b) {
    for (unsigned i = 0; i < WORDS; i++)
        if (a->placed[i] & ~b->placed[i])
            return false;
    return true;
}

/* Of two alike but for unknown operations that one has used and the other still can, the other is
 * enough. Only unknown ones may differ. */
static bool dominated(const struct set *set, size_t at, const uint64_t *known) {
    const struct possible *item = &set->items[at];
    for (size_t i = 0; i < set->count; i++) {
        const struct possible *other = &set->items[i];
        bool enough = i != at && other->value.nil == item->value.nil &&
                      other->value.number == item->value.number && within(other, item);
        for (unsigned w = 0; w < WORDS && enough; w++)
            enough = (other->placed[w] & known[w]) == (item->placed[w] & known[w]);
        if (enough)
            return true;
    }
    return false;
}

static void drop_dominated(const struct search *search, struct set *set) {
    uint64_t known[WORDS] = {0};
    bool drop[DOMINANCE_MAX];
    size_t kept = 0;
    if (set->count < 2 || set->count > DOMINANCE_MAX)
        return;
    for (unsigned slot = 0; slot < search->high; slot++)
        if (search->open[slot] != 0 && !is_unknown(&search->ops[search->open[slot] - 1]))
            known[slot / 64] |= 1ull << (slot % 64);
    for (size_t i = 0; i < set->count; i++)
        drop[i] = dominated(set, i, known);
    for (size_t i = 0; i < set->count; i++)
        if (!drop[i])
            set->items[kept++] = set->items[i];
    set->count = kept;
    memset(set->table, 0, set->table_size * sizeof *set->table);
    for (size_t i = 0; i < kept; i++)
        set_index(set, i);
}

static bool returns(struct search *search, size_t op) {
    unsigned slot = (unsigned)search->slot_of[op];
    set_clear(&search->next);
    set_clear(&search->seen);
    for (size_t i = 0; i < search->now.count && !search->gave_up; i++) {
        if (is_placed(&search->now.items[i], slot))
            set_add(&search->next, &search->now.items[i]);
        else
            place(search, &search->now.items[i], slot);
    }
    search->open[slot] = 0;
    drop_dominated(search, &search->next);
    set_clear(&search->now);
    for (size_t i = 0; i < search->next.count; i++) {
        search->next.items[i].placed[slot / 64] &= ~(1ull << (slot % 64));
        set_add(&search->now, &search->next.items[i]);
    }
    return search->now.count > 0;
}

static bool invoked(struct search *search, size_t op) {
    for (unsigned slot = 0; slot < OPEN_MAX; slot++)
        if (search->open[slot] == 0) {
            search->open[slot] = op + 1;
            search->slot_of[op] = slot;
            if (slot >= search->high)
                search->high = slot + 1;
            return true;
        }
    return false;
}

/* At the same moment: first what begins, so that the two count as overlapping. */
static int by_time(const void *a, const void *b) {
    const struct event *x = a, *y = b;
    if (x->time != y->time)
        return x->time < y->time ? -1 : 1;
    if (x->completes != y->completes)
        return x->completes ? 1 : -1;
    return x->op < y->op ? -1 : x->op > y->op;
}

static size_t make_events(const struct linear_op *ops, size_t count, struct event *events) {
    size_t made = 0;
    for (size_t i = 0; i < count; i++) {
        if (ops[i].kind == LINEAR_READ && is_unknown(&ops[i]))
            continue;
        events[made++] = (struct event){ops[i].invoke, false, i};
        if (!is_unknown(&ops[i]))
            events[made++] = (struct event){ops[i].complete, true, i};
    }
    qsort(events, made, sizeof *events, by_time);
    return made;
}

enum check_verdict linear_check(const struct linear_op *ops, size_t count, uint64_t steps_max,
                                size_t *where) {
    struct search search = {.ops = ops, .steps_max = steps_max};
    struct event *events = cairn_alloc((count * 2 + 1) * sizeof *events);
    size_t made = make_events(ops, count, events);
    enum check_verdict verdict = CHECK_OK;
    search.slot_of = cairn_alloc((count + 1) * sizeof *search.slot_of);
    set_add(&search.now, &(struct possible){.value = {0, true}});
    for (size_t i = 0; i < made && verdict == CHECK_OK; i++) {
        size_t op = events[i].op;
        if (!events[i].completes) {
            if (!invoked(&search, op))
                verdict = CHECK_UNDECIDED;
        } else if (!returns(&search, op) || search.gave_up) {
            verdict = search.gave_up ? CHECK_UNDECIDED : CHECK_VIOLATION;
            *where = op;
        }
    }
    set_free(&search.now);
    set_free(&search.next);
    set_free(&search.seen);
    cairn_free(search.slot_of);
    cairn_free(events);
    return verdict;
}
