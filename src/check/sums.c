#include "check/sums.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/spec_internal.h"
#include "check/sums_internal.h"

#include <stdlib.h>
#include <string.h>

#define AMOUNT_MAX (1ll << 40)
#define FIRST_STEPS 50000u
#define STEPS_FACTOR 8u

/* ---- the history as numbers ---- */

static bool integer(const struct spec *spec, uint32_t id, int64_t *to) {
    const struct value *value = value_at(&spec->pool, id);
    *to = value->integer;
    return value->kind == VALUE_INT && value->integer <= AMOUNT_MAX &&
           value->integer >= -AMOUNT_MAX;
}

/* A state of the spec, or what a read told. */
static bool row(const struct spec *spec, uint32_t id, uint32_t parts, int64_t *to) {
    if (spec->model == MODEL_COUNTER)
        return integer(spec, id, to);
    for (uint32_t i = 0; i < parts; i++)
        if (!integer(spec, value_items(&spec->pool, id)[i], &to[i]))
            return false;
    return true;
}

static bool effect_of(const struct spec *spec, const struct spec_op *op, struct effect *effect) {
    *effect = (struct effect){.from = SUMS_NOWHERE};
    if (spec->model == MODEL_COUNTER) {
        effect->amount = spec_amount(spec, op);
        return effect->amount <= AMOUNT_MAX && effect->amount >= -AMOUNT_MAX;
    }
    effect->from = op->a;
    effect->to = op->b;
    return integer(spec, op->out, &effect->amount);
}

static int by_parts(const void *a, const void *b, void *context) {
    const struct effect *effects = context;
    const struct effect *x = &effects[*(const uint32_t *)a], *y = &effects[*(const uint32_t *)b];
    uint32_t x_low = x->from < x->to ? x->from : x->to, y_low = y->from < y->to ? y->from : y->to;
    if (x_low != y_low)
        return x_low < y_low ? -1 : 1;
    if (x->from != y->from)
        return x->from < y->from ? -1 : 1;
    if (x->to != y->to)
        return x->to < y->to ? -1 : 1;
    return x->amount < y->amount ? -1 : x->amount > y->amount;
}

/* Equal effects get one number, and those of one part stand together: then it is soon known whether
 * they can make up what that part lacks. */
static void number_effects(struct sums *sums) {
    uint32_t *order = cairn_alloc((sums->count + 1) * sizeof *order), changes = 0;
    struct effect *all = sums->effects;
    for (uint32_t i = 0; i < sums->count; i++)
        if (!sums->entries[i].read && sums->entries[i].what != SUMS_NOWHERE)
            order[changes++] = i;
    qsort_r(order, changes, sizeof *order, by_parts, all);
    struct effect *effects = cairn_alloc((changes + 1) * sizeof *effects);
    for (uint32_t i = 0; i < changes; i++) {
        if (i == 0 || by_parts(&order[i - 1], &order[i], all) != 0)
            effects[sums->effect_count++] = all[order[i]];
        sums->entries[order[i]].what = sums->effect_count - 1;
    }
    cairn_free(order);
    cairn_free(all);
    sums->effects = effects;
}

static bool take_op(struct sums *sums, const struct spec *spec, const struct spec_op *to,
                    const struct op *op, uint32_t number) {
    struct sums_op *entry = &sums->entries[sums->count];
    bool open = op->outcome == OP_INFO;
    *entry = (struct sums_op){
        .op = number, .call = op->call, .ret = open ? OP_OPEN : op->ret, .read = op->f == OP_READ};
    if (entry->read) {
        if (open || !to->told)
            return true; /* it says nothing */
        entry->what = sums->told_count++;
        sums->count++;
        return row(spec, to->out, sums->parts, sums->told + (size_t)entry->what * sums->parts);
    }
    if (to->told) /* it is a read, too */
        return false;
    struct effect *effect = &sums->effects[sums->count];
    bool fits = effect_of(spec, to, effect);
    entry->what = effect->amount == 0 || effect->from == effect->to ? SUMS_NOWHERE : 0;
    sums->count++;
    return fits;
}

static bool take_ops(struct sums *sums, const struct history *history, enum model model,
                     const uint32_t *ops, uint32_t count, uint32_t key) {
    struct spec spec;
    struct spec_op *to = cairn_alloc((count + 1) * sizeof *to);
    spec_init(&spec, model, history);
    spec_prepare(&spec, ops, count, to);
    sums->parts = model == MODEL_COUNTER ? 1 : spec.key_count;
    sums->initial = cairn_alloc((sums->parts + 1) * sizeof *sums->initial);
    sums->told = cairn_alloc(((size_t)count * sums->parts + 1) * sizeof *sums->told);
    sums->entries = cairn_alloc((count + 1) * sizeof *sums->entries);
    sums->effects = cairn_alloc((count + 1) * sizeof *sums->effects);
    bool fits = row(&spec, spec_initial(&spec, key), sums->parts, sums->initial);
    for (uint32_t i = 0; i < count && fits; i++)
        fits = take_op(sums, &spec, &to[i], &history->ops[ops[i]], ops[i]);
    spec_free(&spec);
    cairn_free(to);
    return fits;
}

/* ---- events ---- */

static int by_position(const void *a, const void *b) {
    const struct sums_event *x = a, *y = b;
    return x->position < y->position ? -1 : x->position > y->position;
}

static void make_events(struct sums *sums) {
    uint32_t *spare = cairn_alloc((sums->count + 1) * sizeof *spare), spares = 0;
    sums->events = cairn_alloc((2 * (size_t)sums->count + 1) * sizeof *sums->events);
    for (uint32_t i = 0; i < sums->count; i++) {
        sums->events[sums->event_count++] =
            (struct sums_event){.position = sums->entries[i].call, .entry = i, .call = true};
        if (sums->entries[i].ret != OP_OPEN)
            sums->events[sums->event_count++] =
                (struct sums_event){.position = sums->entries[i].ret, .entry = i};
    }
    qsort(sums->events, sums->event_count, sizeof *sums->events, by_position);
    for (uint32_t i = 0; i < sums->event_count; i++) {
        struct sums_op *entry = &sums->entries[sums->events[i].entry];
        if (sums->events[i].call)
            entry->slot = spares > 0 ? spare[--spares] : sums->slot_count++;
        else
            spare[spares++] = entry->slot;
    }
    cairn_free(spare);
    sums->words = sums->slot_count / 64 + 1;
    sums->open = cairn_alloc((sums->slot_count + 1) * sizeof *sums->open);
    sums->place_in_open = cairn_alloc((sums->slot_count + 1) * sizeof *sums->place_in_open);
}

static void sums_free(struct sums *sums) {
    cairn_free(sums->initial);
    cairn_free(sums->told);
    cairn_free(sums->effects);
    cairn_free(sums->entries);
    cairn_free(sums->events);
    cairn_free(sums->open);
    cairn_free(sums->place_in_open);
}

/* ---- the rounds ---- */

static bool any_unknown(const struct sums *sums) {
    for (uint32_t i = 0; i < sums->count; i++)
        if (sums->entries[i].ret == OP_OPEN)
            return true;
    return false;
}

static void walk_up_to(struct sums *sums, uint64_t steps, struct sums_result *result) {
    struct limits *limits = sums->limits;
    uint64_t steps_of_all = limits->steps_max, until = limits->steps + steps;
    bool own = steps_of_all == 0 || until < steps_of_all;
    if (own)
        limits->steps_max = until;
    sums_walk(sums, result);
    limits->steps_max = steps_of_all;
    if (own && limits->stopped == LIMITS_STEPS)
        limits->stopped = LIMITS_GO;
}

/* Ways that need few changes of unknown fate are mostly right, and there are not many. */
static void walk_in_rounds(struct sums *sums, struct sums_result *result) {
    static const uint32_t unknown[] = {1, 2, 4, UINT32_MAX};
    bool any = any_unknown(sums);
    limits_phase(sums->limits, "adding up", sums->event_count);
    for (uint64_t steps = FIRST_STEPS; sums->limits->stopped == LIMITS_GO; steps *= STEPS_FACTOR)
        for (size_t i = any ? 0 : 3; i < 4 && sums->limits->stopped == LIMITS_GO; i++) {
            sums->unknown_max = unknown[i];
            walk_up_to(sums, steps, result);
            if (result->answer != ANSWER_UNDECIDED)
                return;
        }
}

bool sums_check(const struct history *history, enum model model, const uint32_t *ops,
                uint32_t count, uint32_t key, struct limits *limits, struct sums_result *result) {
    struct limits unlimited = {0};
    struct sums sums = {.limits = limits ? limits : &unlimited};
    cairn_assert(model == MODEL_BANK || model == MODEL_COUNTER);
    *result = (struct sums_result){.answer = ANSWER_UNDECIDED, .stuck = OP_NONE};
    bool fits = take_ops(&sums, history, model, ops, count, key);
    if (fits) {
        number_effects(&sums);
        make_events(&sums);
        walk_in_rounds(&sums, result);
    }
    sums_free(&sums);
    return fits;
}
