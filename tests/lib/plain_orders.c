#include "plain_internal.h"

#include "base/assert.h"
#include "check/drains.h"
#include "check/exhaustive.h"

struct trial {
    const struct history *history;
    enum model model;
    bool real_time;
    bool placed[EXHAUSTIVE_OPS_MAX];
    uint32_t object_of[EXHAUSTIVE_OPS_MAX];
};

static bool is_part(const struct trial *trial, uint32_t op) {
    return trial->model == MODEL_UNORDERED_QUEUE && trial->history->ops[op].f == OP_DRAIN;
}

static bool precedes(const struct trial *trial, uint32_t a, uint32_t b) {
    const struct op *first = &trial->history->ops[a], *second = &trial->history->ops[b];
    bool same = first->process == second->process;
    if (is_part(trial, a) && is_part(trial, b) && same && first->call == second->call)
        return a < b;
    if (!trial->real_time)
        return same && first->call < second->call;
    return first->outcome != OP_INFO && first->ret < second->call;
}

/* Nothing that has to stand before it is missing. */
static bool ready(const struct trial *trial, uint32_t op) {
    if (trial->placed[op] || trial->history->ops[op].outcome == OP_FAIL)
        return false;
    for (uint32_t i = 0; i < trial->history->op_count; i++) {
        enum op_outcome outcome = trial->history->ops[i].outcome;
        if (!trial->placed[i] && (outcome == OP_OK || outcome == OP_MISMATCH) &&
            precedes(trial, i, op))
            return false;
    }
    return true;
}

static bool complete(const struct trial *trial) {
    for (uint32_t i = 0; i < trial->history->op_count; i++) {
        enum op_outcome outcome = trial->history->ops[i].outcome;
        if (!trial->placed[i] && (outcome == OP_OK || outcome == OP_MISMATCH))
            return false;
    }
    return true;
}

static bool place(struct trial *trial, struct plain *objects) {
    if (complete(trial))
        return true;
    for (uint32_t i = 0; i < trial->history->op_count; i++) {
        struct plain *object = &objects[trial->object_of[i]];
        if (!ready(trial, i))
            continue;
        for (uint32_t choice = 0, choices = 1; choice < choices; choice++) {
            struct plain before = *object;
            trial->placed[i] = true;
            bool found = plain_step(object, trial->history, trial->model, &trial->history->ops[i],
                                    choice, &choices) &&
                         place(trial, objects);
            trial->placed[i] = false;
            *object = before;
            if (found)
                return true;
        }
    }
    return false;
}

static bool try_all(const struct history *history, enum model model, bool real_time) {
    struct trial trial = {.history = history, .model = model, .real_time = real_time};
    struct plain objects[EXHAUSTIVE_OPS_MAX];
    cairn_assert(history->op_count <= EXHAUSTIVE_OPS_MAX);
    for (uint32_t i = 0; i < history->op_count; i++) {
        uint32_t first = 0;
        while (model_keyed(model) && history->ops[first].key != history->ops[i].key)
            first++;
        trial.object_of[i] = first;
        plain_init(&objects[i], history, model, history->ops[i].key);
    }
    return place(&trial, objects);
}

bool plain_orders(const struct history *history, enum model model, bool real_time) {
    struct drains drains;
    if (!drains_expand(&drains, history, model))
        return try_all(history, model, real_time);
    bool found = try_all(&drains.whole, model, real_time);
    drains_free(&drains);
    return found;
}
