/* Mutexes and semaphores. What a state is:
 * - mutex: null, or true while it is held; any process may release it;
 * - owned-mutex: null, or [holder];
 * - reentrant-mutex: null, or [holder, how often];
 * - fenced-mutex: [[holder] or null, the least that the last token can have been, or null];
 * - semaphore: [free permits, all permits].
 *
 * The holder is the process, or what the argument names: as it is, or the `client` of a map, as
 * histories of Hazelcast have it. */
#include "base/assert.h"
#include "check/spec_internal.h"

bool spec_is_lock(enum model model) {
    return model == MODEL_MUTEX || model == MODEL_OWNED_MUTEX || model == MODEL_REENTRANT_MUTEX ||
           model == MODEL_FENCED_MUTEX || model == MODEL_SEMAPHORE;
}

static uint32_t holder_of(struct spec *spec, const struct op *op) {
    uint32_t client = op->arg;
    if (client != VALUE_NULL && value_at(&spec->history->values, client)->kind == VALUE_MAP)
        client = spec_field(spec, client, "client");
    bool named = client != VALUE_NULL && client != VALUE_NONE;
    uint32_t name = spec_value(spec, named ? client : spec->history->processes[op->process]);
    return value_list(&spec->pool, &name, 1);
}

/* The token stands in the answer, or as the `fence` of a map. */
static void translate_fence(struct spec *spec, const struct op *op, struct spec_op *to) {
    uint32_t fence = spec_field(spec, op->arg, "fence");
    bool acquires = op->f != OP_RELEASE && op->outcome == OP_OK;
    if (!acquires)
        return;
    if (to->told && value_at(&spec->pool, to->out)->kind == VALUE_BOOL) {
        to->mismatch = value_at(&spec->pool, to->out)->integer == 0;
        to->out = VALUE_NONE; /* acquired, and the token is not known */
    } else if (!to->told && fence != VALUE_NONE) {
        to->out = spec_value(spec, fence);
        to->told = true;
    }
}

void spec_translate_lock(struct spec *spec, const struct op *op, struct spec_op *to) {
    if (spec->model == MODEL_SEMAPHORE)
        to->b = to->a == VALUE_NULL ? value_int(&spec->pool, 1) : to->a;
    else if (spec->model != MODEL_MUTEX)
        to->a = holder_of(spec, op);
    if (spec->model == MODEL_FENCED_MUTEX)
        translate_fence(spec, op, to);
}

uint32_t spec_initial_lock(struct spec *spec, uint32_t initial) {
    uint32_t value = spec_value(spec, initial), one = value_int(&spec->pool, 1);
    switch (spec->model) {
    case MODEL_MUTEX:
        return value;
    case MODEL_OWNED_MUTEX:
        return value == VALUE_NULL ? value : value_list(&spec->pool, &value, 1);
    case MODEL_REENTRANT_MUTEX:
        return value == VALUE_NULL ? value : value_list(&spec->pool, (uint32_t[]){value, one}, 2);
    case MODEL_FENCED_MUTEX:
        return value_list(&spec->pool, (uint32_t[]){VALUE_NULL, value}, 2);
    default:
        cairn_assert(spec->model == MODEL_SEMAPHORE);
        value = value == VALUE_NULL ? one : value;
        return value_list(&spec->pool, (uint32_t[]){value, value}, 2);
    }
}

/* Whether it comes to be held, for operations that are told no, or may have been. */
static bool outcome(const struct spec_op *op, bool possible) {
    return op->mismatch ? !possible : possible || (op->f == OP_TRY_ACQUIRE && !op->told);
}

static bool step_mutex(struct spec *spec, uint32_t state, const struct spec_op *op,
                       uint32_t *next) {
    bool acquire = op->f != OP_RELEASE, possible = acquire == (state == VALUE_NULL);
    if (possible && !op->mismatch)
        *next = acquire ? value_bool(&spec->pool, true) : VALUE_NULL;
    return outcome(op, possible);
}

static bool step_owned(const struct spec_op *op, uint32_t state, uint32_t *next) {
    bool acquire = op->f != OP_RELEASE, possible = state == (acquire ? VALUE_NULL : op->a);
    if (possible && !op->mismatch)
        *next = acquire ? op->a : VALUE_NULL;
    return outcome(op, possible);
}

static bool step_reentrant(struct spec *spec, uint32_t state, const struct spec_op *op,
                           uint32_t *next) {
    uint32_t me = value_items(&spec->pool, op->a)[0];
    const uint32_t *held = state == VALUE_NULL ? NULL : value_items(&spec->pool, state);
    int64_t times = held == NULL ? 0 : value_at(&spec->pool, held[1])->integer;
    bool acquire = op->f != OP_RELEASE, mine = held != NULL && held[0] == me;
    bool possible = mine || (acquire && held == NULL);
    times += acquire ? 1 : -1;
    if (possible && !op->mismatch)
        *next = times == 0
                    ? VALUE_NULL
                    : value_list(&spec->pool, (uint32_t[]){me, value_int(&spec->pool, times)}, 2);
    return outcome(op, possible);
}

/* Is the token above the last? Of one that no operation was told, the least that it can be. */
static bool rises(struct spec *spec, const struct spec_op *op, uint32_t last, uint32_t *token) {
    int64_t before = last == VALUE_NULL ? INT64_MIN : value_at(&spec->pool, last)->integer;
    *token = last;
    if (op->told && op->out != VALUE_NONE) {
        *token = op->out;
        return last == VALUE_NULL || value_at(&spec->pool, op->out)->integer > before;
    }
    if (last != VALUE_NULL && before < INT64_MAX)
        *token = value_int(&spec->pool, before + 1);
    return before < INT64_MAX;
}

static bool step_fenced(struct spec *spec, uint32_t state, const struct spec_op *op,
                        uint32_t *next) {
    uint32_t holder = value_items(&spec->pool, state)[0];
    uint32_t token = value_items(&spec->pool, state)[1];
    bool acquire = op->f != OP_RELEASE, possible = holder == (acquire ? VALUE_NULL : op->a);
    bool changes = possible && !op->mismatch;
    if (changes && acquire && !rises(spec, op, token, &token))
        return false;
    if (changes)
        *next = value_list(&spec->pool, (uint32_t[]){acquire ? op->a : VALUE_NULL, token}, 2);
    return outcome(op, possible);
}

static bool step_semaphore(struct spec *spec, uint32_t state, const struct spec_op *op,
                           uint32_t *next) {
    uint32_t all = value_items(&spec->pool, state)[1];
    int64_t left = value_at(&spec->pool, value_items(&spec->pool, state)[0])->integer;
    int64_t most = value_at(&spec->pool, all)->integer;
    int64_t asked = value_at(&spec->pool, op->b)->integer;
    bool acquire = op->f != OP_RELEASE, possible = asked <= (acquire ? left : most - left);
    if (possible && !op->mismatch) {
        left += acquire ? -asked : asked;
        *next = value_list(&spec->pool, (uint32_t[]){value_int(&spec->pool, left), all}, 2);
    }
    return outcome(op, possible);
}

bool spec_step_lock(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    *next = state;
    switch (spec->model) {
    case MODEL_MUTEX:
        return step_mutex(spec, state, op, next);
    case MODEL_OWNED_MUTEX:
        return step_owned(op, state, next);
    case MODEL_REENTRANT_MUTEX:
        return step_reentrant(spec, state, op, next);
    case MODEL_FENCED_MUTEX:
        return step_fenced(spec, state, op, next);
    default:
        cairn_assert(spec->model == MODEL_SEMAPHORE);
        return step_semaphore(spec, state, op, next);
    }
}
