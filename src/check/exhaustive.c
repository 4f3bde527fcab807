#include "check/exhaustive.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/drains.h"
#include "check/spec.h"

#include <string.h>

/* ---- one order of some operations, legal, containing a relation ---- */

struct attempt {
    const struct history *history;
    uint32_t count;
    bool before[EXHAUSTIVE_OPS_MAX][EXHAUSTIVE_OPS_MAX];
    bool must[EXHAUSTIVE_OPS_MAX], may[EXHAUSTIVE_OPS_MAX], placed[EXHAUSTIVE_OPS_MAX];
    bool told[EXHAUSTIVE_OPS_MAX]; /* its answer has to be right */
};

static bool open_op(const struct history *history, uint32_t op) {
    return history->ops[op].outcome == OP_INFO;
}

static bool ready(const struct attempt *attempt, uint32_t op) {
    if (attempt->placed[op] || !(attempt->must[op] || attempt->may[op]))
        return false;
    for (uint32_t i = 0; i < attempt->count; i++)
        if (attempt->before[i][op] && !attempt->placed[i] && attempt->must[i])
            return false;
    return true;
}

static bool complete(const struct attempt *attempt) {
    for (uint32_t i = 0; i < attempt->count; i++)
        if (attempt->must[i] && !attempt->placed[i])
            return false;
    return true;
}

/* Any model: states[key]. */
static bool place_spec(struct attempt *attempt, struct spec *spec, const struct spec_op *ops,
                       const uint32_t *key_of, uint32_t *states) {
    if (complete(attempt))
        return true;
    for (uint32_t i = 0; i < attempt->count; i++) {
        uint32_t next, old = states[key_of[i]];
        if (!ready(attempt, i) || !spec_step(spec, old, &ops[i], &next))
            continue;
        attempt->placed[i] = true;
        states[key_of[i]] = next;
        bool found = place_spec(attempt, spec, ops, key_of, states);
        attempt->placed[i] = false;
        states[key_of[i]] = old;
        if (found)
            return true;
    }
    return false;
}

static void keys_of(const struct history *history, bool keyed, uint32_t *key_of) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        key_of[i] = i;
        for (uint32_t j = 0; j < i; j++)
            if (!keyed || history->ops[j].key == history->ops[i].key) {
                key_of[i] = key_of[j];
                break;
            }
    }
}

/* What an order must satisfy besides: of one key alone; two that occur, the first before the
 * second.
 */
struct wish {
    bool real_time;
    uint32_t key, first, second; /* VALUE_NONE, OP_NONE: no such wish */
};

static bool orders_of(const struct history *history, enum model model, const struct wish *wish) {
    struct attempt attempt = {.history = history, .count = history->op_count};
    struct spec spec;
    struct spec_op ops[EXHAUSTIVE_OPS_MAX];
    uint32_t all[EXHAUSTIVE_OPS_MAX], key_of[EXHAUSTIVE_OPS_MAX], states[EXHAUSTIVE_OPS_MAX];
    cairn_assert(history->op_count <= EXHAUSTIVE_OPS_MAX);
    spec_init(&spec, model, history);
    for (uint32_t i = 0; i < attempt.count; i++) {
        const struct op *a = &history->ops[i];
        bool counts = a->outcome != OP_FAIL && (wish->key == VALUE_NONE || a->key == wish->key);
        bool named = i == wish->first || i == wish->second;
        all[i] = i;
        attempt.must[i] = counts && (!open_op(history, i) || named);
        attempt.may[i] = counts;
        for (uint32_t j = 0; j < attempt.count; j++) {
            const struct op *b = &history->ops[j];
            attempt.before[i][j] = wish->real_time ? !open_op(history, i) && a->ret < b->call
                                                   : a->process == b->process && a->call < b->call;
            attempt.before[i][j] |= i == wish->first && j == wish->second;
        }
    }
    spec_prepare(&spec, all, attempt.count, ops);
    cairn_free(spec.alive); /* every state counts here */
    spec.alive = NULL;
    keys_of(history, model_keyed(model), key_of);
    for (uint32_t i = 0; i < attempt.count; i++)
        states[i] = spec_initial(&spec, model_keyed(model) ? history->ops[i].key : VALUE_NULL);
    bool found = place_spec(&attempt, &spec, ops, key_of, states);
    spec_free(&spec);
    return found;
}

/* Of drains, the last part of the first stands before the first part of the second. */
static bool orders(const struct history *history, enum model model, const struct wish *wish) {
    struct drains drains;
    struct wish parts = *wish;
    if (!drains_expand(&drains, history, model))
        return orders_of(history, model, wish);
    if (wish->first != OP_NONE) {
        bool last = wish->first + 1 == history->op_count;
        parts.first = (last ? drains.whole.op_count : drains.first[wish->first + 1]) - 1;
        parts.second = drains.first[wish->second];
    }
    bool found = orders_of(&drains.whole, model, &parts);
    drains_free(&drains);
    return found;
}

bool exhaustive_orders(const struct history *history, enum model model, bool real_time) {
    struct wish wish = {real_time, VALUE_NONE, OP_NONE, OP_NONE};
    return orders(history, model, &wish);
}

bool exhaustive_before(const struct history *history, enum model model, uint32_t a, uint32_t b) {
    struct wish wish = {true, VALUE_NONE, a, b};
    return orders(history, model, &wish);
}

bool exhaustive_per_key(const struct history *history, enum model model) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        struct wish wish = {false, history->ops[i].key, OP_NONE, OP_NONE};
        if (!orders(history, model, &wish))
            return false;
    }
    return true;
}

/* ---- registers, without the spec: what is written and read, spelled out ---- */

static uint32_t writes(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->f == OP_CAS)
        return value_items(&history->values, at->arg)[1];
    return at->f == OP_WRITE ? at->arg : VALUE_NONE;
}

static uint32_t reads(const struct history *history, uint32_t op) {
    const struct op *at = &history->ops[op];
    if (at->f == OP_CAS)
        return value_items(&history->values, at->arg)[0];
    return at->f == OP_READ && at->outcome == OP_OK ? at->out : VALUE_NONE;
}

/* Its own answer, if it counts, is the last write of the key among those placed. */
static bool place_register(struct attempt *attempt, const uint32_t *key_of, uint32_t *states) {
    if (complete(attempt))
        return true;
    for (uint32_t i = 0; i < attempt->count; i++) {
        uint32_t old = states[key_of[i]], read = reads(attempt->history, i);
        if (!ready(attempt, i) || (attempt->told[i] && read != VALUE_NONE && read != old))
            continue;
        attempt->placed[i] = true;
        if (writes(attempt->history, i) != VALUE_NONE)
            states[key_of[i]] = writes(attempt->history, i);
        bool found = place_register(attempt, key_of, states);
        attempt->placed[i] = false;
        states[key_of[i]] = old;
        if (found)
            return true;
    }
    return false;
}

static bool legal(struct attempt *attempt) {
    uint32_t key_of[EXHAUSTIVE_OPS_MAX], states[EXHAUSTIVE_OPS_MAX];
    keys_of(attempt->history, true, key_of);
    for (uint32_t i = 0; i < attempt->count; i++)
        states[i] = history_initial(attempt->history, attempt->history->ops[i].key);
    memset(attempt->placed, 0, sizeof attempt->placed);
    return place_register(attempt, key_of, states);
}

struct world {
    const struct history *history;
    uint32_t count;
    bool here[EXHAUSTIVE_OPS_MAX]; /* happened */
    bool causal[EXHAUSTIVE_OPS_MAX][EXHAUSTIVE_OPS_MAX];
    uint32_t from[EXHAUSTIVE_OPS_MAX]; /* OP_NONE: reads nothing, or the initial value */
    bool thin_air;
};

static bool session(const struct world *world, uint32_t a, uint32_t b) {
    const struct op *x = &world->history->ops[a], *y = &world->history->ops[b];
    return world->here[a] && world->here[b] && x->process == y->process && x->call < y->call;
}

static void find_writers(struct world *world) {
    const struct history *history = world->history;
    for (uint32_t i = 0; i < world->count; i++) {
        uint32_t value = reads(history, i);
        world->from[i] = OP_NONE;
        if (!world->here[i] || value == VALUE_NONE ||
            value == history_initial(history, history->ops[i].key))
            continue;
        for (uint32_t j = 0; j < world->count; j++)
            if (world->here[j] && history->ops[j].key == history->ops[i].key &&
                writes(history, j) == value)
                world->from[i] = j;
        world->thin_air |= world->from[i] == OP_NONE;
    }
}

static void close_causal(struct world *world) {
    for (uint32_t i = 0; i < world->count; i++)
        for (uint32_t j = 0; j < world->count; j++)
            world->causal[i][j] = session(world, i, j) || (world->here[j] && world->from[j] == i);
    for (uint32_t k = 0; k < world->count; k++)
        for (uint32_t i = 0; i < world->count; i++)
            for (uint32_t j = 0; j < world->count; j++)
                world->causal[i][j] |= world->causal[i][k] && world->causal[k][j];
}

static bool cyclic(const struct world *world) {
    for (uint32_t i = 0; i < world->count; i++)
        if (world->causal[i][i])
            return true;
    return false;
}

static bool is_write(const struct world *world, uint32_t op) {
    return writes(world->history, op) != VALUE_NONE;
}

static bool is_read(const struct world *world, uint32_t op) {
    return reads(world->history, op) != VALUE_NONE;
}

/* One order for each process: its operations and all writes, containing what `level` demands. */
static bool base_order(const struct world *world, enum level level, uint32_t process, uint32_t a,
                       uint32_t b) {
    bool own =
        world->history->ops[a].process == process && world->history->ops[b].process == process;
    bool own_reads = own && is_read(world, a) && is_read(world, b) && session(world, a, b);
    switch (level) {
    case LEVEL_PRAM:
        return session(world, a, b);
    case LEVEL_CAUSAL_MEMORY:
        return world->causal[a][b];
    case LEVEL_MONOTONIC_READS:
        return own_reads;
    case LEVEL_READ_YOUR_WRITES:
        return own && session(world, a, b) && is_write(world, a);
    case LEVEL_MONOTONIC_WRITES:
        return own_reads || (session(world, a, b) && is_write(world, a) && is_write(world, b));
    default: { /* writes follow reads: b is written after a reader of a, in the reader's process */
        bool follows = false;
        for (uint32_t r = 0; r < world->count; r++)
            follows |=
                is_write(world, b) && world->here[r] && world->from[r] == a && session(world, r, b);
        return own_reads || follows;
    }
    }
}

static bool each_process(const struct world *world, enum level level) {
    for (uint32_t p = 0; p < world->history->process_count; p++) {
        struct attempt attempt = {.history = world->history, .count = world->count};
        for (uint32_t i = 0; i < world->count; i++) {
            bool own = world->history->ops[i].process == p;
            attempt.must[i] = world->here[i] && (own || is_write(world, i));
            attempt.told[i] = own;
            for (uint32_t j = 0; j < world->count; j++)
                attempt.before[i][j] = base_order(world, level, p, i, j);
        }
        if (!legal(&attempt))
            return false;
    }
    return true;
}

/* For each read: its causal past in an order that contains causal order and explains it alone. */
static bool causal(const struct world *world) {
    for (uint32_t r = 0; r < world->count; r++) {
        struct attempt attempt = {.history = world->history, .count = world->count};
        if (!world->here[r] || !is_read(world, r))
            continue;
        for (uint32_t i = 0; i < world->count; i++) {
            attempt.must[i] = i == r || world->causal[i][r];
            attempt.told[i] = i == r;
            for (uint32_t j = 0; j < world->count; j++)
                attempt.before[i][j] = world->causal[i][j];
        }
        if (!legal(&attempt))
            return false;
    }
    return true;
}

static bool explains_all(const struct world *world, const uint32_t *order, uint32_t count) {
    const struct op *ops = world->history->ops;
    for (uint32_t r = 0; r < world->count; r++) {
        uint32_t last = OP_NONE;
        if (!world->here[r] || !is_read(world, r))
            continue;
        for (uint32_t i = 0; i < count; i++)
            if (order[i] != r && world->causal[order[i]][r] && ops[order[i]].key == ops[r].key)
                last = order[i];
        if (last != world->from[r])
            return false;
    }
    return true;
}

static bool convergent(const struct world *world, uint32_t *order, uint32_t count, uint32_t all) {
    if (count == all)
        return explains_all(world, order, count);
    for (uint32_t i = 0; i < world->count; i++) {
        bool fits = world->here[i] && is_write(world, i);
        for (uint32_t j = 0; j < count; j++)
            fits &= order[j] != i && !world->causal[i][order[j]];
        order[count] = i;
        if (fits && convergent(world, order, count + 1, all))
            return true;
    }
    return false;
}

static bool holds_in(struct world *world, enum level level) {
    uint32_t order[EXHAUSTIVE_OPS_MAX + 1], all = 0;
    find_writers(world);
    close_causal(world);
    if (world->thin_air)
        return false;
    switch (level) {
    case LEVEL_CAUSAL:
        return !cyclic(world) && causal(world);
    case LEVEL_CAUSAL_CONVERGENCE:
        for (uint32_t i = 0; i < world->count; i++)
            all += world->here[i] && is_write(world, i);
        return !cyclic(world) && convergent(world, order, 0, all);
    case LEVEL_CAUSAL_MEMORY:
        return !cyclic(world) && each_process(world, level);
    default:
        return each_process(world, level);
    }
}

/* Open operations happened or not, in every combination. */
bool exhaustive_weak(const struct history *history, enum level level) {
    uint32_t open = 0;
    for (uint32_t i = 0; i < history->op_count; i++)
        open += open_op(history, i);
    for (uint32_t choice = 0; choice < 1u << open; choice++) {
        struct world world = {.history = history, .count = history->op_count};
        uint32_t bit = 0;
        for (uint32_t i = 0; i < world.count; i++) {
            world.here[i] = history->ops[i].outcome == OP_OK;
            if (open_op(history, i))
                world.here[i] = (choice >> bit++ & 1) != 0;
        }
        if (holds_in(&world, level))
            return true;
    }
    return false;
}
