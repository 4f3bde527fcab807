/* What each operation does to each object. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/spec_internal.h"

#include <string.h>

#define ITEMS_ON_STACK 64

/* ---- registers ---- */

static bool is_beginning(const struct spec *spec, struct bytes text) {
    uint32_t low = 0, high = spec->alive_text_count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (bytes_compare(value_bytes(&spec->pool, spec->alive_texts[middle]), text) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    if (low == spec->alive_text_count)
        return false;
    struct bytes found = value_bytes(&spec->pool, spec->alive_texts[low]);
    return found.len >= text.len && memcmp(found.data, text.data, text.len) == 0;
}

/* What a register holds after a write: itself where it can be told from others. */
static uint32_t kept(const struct spec *spec, uint32_t value) {
    if (spec->alive == NULL || spec_alive(spec, value) == value)
        return value;
    if (spec->appends && value_at(&spec->pool, value)->kind == VALUE_TEXT &&
        is_beginning(spec, value_bytes(&spec->pool, value)))
        return value;
    return SPEC_DEAD;
}

static bool append_text(struct spec *spec, uint32_t state, const struct spec_op *op,
                        uint32_t *next) {
    *next = SPEC_DEAD;
    if (state == SPEC_DEAD)
        return true;
    buf_clear(&spec->scratch);
    if (state != VALUE_NULL)
        value_plain(&spec->pool, state, &spec->scratch);
    value_plain(&spec->pool, op->a, &spec->scratch);
    struct bytes text = buf_view(&spec->scratch);
    if (op->told && value_at(&spec->pool, op->out)->integer != (int64_t)text.len)
        return false;
    if (spec->alive == NULL || is_beginning(spec, text))
        *next = value_text(&spec->pool, text);
    return true;
}

int64_t spec_amount(const struct spec *spec, const struct spec_op *op) {
    const struct value *by = value_at(&spec->pool, op->a);
    return by->kind == VALUE_INT ? by->integer : 1;
}

static bool add_to(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    *next = SPEC_DEAD;
    if (state == SPEC_DEAD)
        return !op->told;
    const struct value *now = value_at(&spec->pool, state);
    int64_t sum;
    if ((now->kind != VALUE_INT && now->kind != VALUE_NIL) ||
        __builtin_add_overflow(now->kind == VALUE_INT ? now->integer : 0, spec_amount(spec, op),
                               &sum))
        return false;
    uint32_t value = value_int(&spec->pool, sum);
    *next = spec->model == MODEL_KV ? kept(spec, value) : value;
    return !op->told || value == op->out;
}

static bool step_register(struct spec *spec, uint32_t state, const struct spec_op *op,
                          uint32_t *next) {
    *next = state;
    switch (op->f) {
    case OP_READ:
        return !op->told || state == op->out;
    case OP_WRITE:
        *next = kept(spec, op->a);
        return true;
    case OP_CAS:
        if (op->mismatch)
            return state != op->a;
        *next = kept(spec, op->b);
        return state == op->a;
    case OP_SWAP:
        *next = kept(spec, op->a);
        return !op->told || state == op->out;
    case OP_DELETE:
        *next = VALUE_NULL;
        return !op->told || op->mismatch == (state == VALUE_NULL);
    case OP_SET_IF_ABSENT:
        if (op->mismatch)
            return state != VALUE_NULL;
        if (state == VALUE_NULL)
            *next = kept(spec, op->a);
        return state == VALUE_NULL || !op->told;
    case OP_ADD:
        return add_to(spec, state, op, next);
    default:
        cairn_assert(op->f == OP_APPEND);
        return append_text(spec, state, op, next);
    }
}

/* ---- containers: sorted lists (sets, priority queues), and lists in their order ---- */

struct items {
    uint32_t *at;
    uint32_t count;
    uint32_t few[ITEMS_ON_STACK];
};

/* Room for one more than the state has. */
static void items_take(const struct spec *spec, uint32_t state, struct items *items) {
    items->count = value_at(&spec->pool, state)->len;
    items->at = items->count < ITEMS_ON_STACK ? items->few
                                              : cairn_alloc((items->count + 1) * sizeof *items->at);
    if (items->count > 0)
        memcpy(items->at, value_items(&spec->pool, state), items->count * sizeof *items->at);
}

static uint32_t items_give(struct spec *spec, struct items *items) {
    uint32_t state = value_list(&spec->pool, items->at, items->count);
    if (items->at != items->few)
        cairn_free(items->at);
    return state;
}

uint32_t spec_with(struct spec *spec, uint32_t state, uint32_t at, uint32_t value) {
    struct items items;
    items_take(spec, state, &items);
    memmove(items.at + at + 1, items.at + at, (items.count - at) * sizeof *items.at);
    items.at[at] = value;
    items.count++;
    return items_give(spec, &items);
}

uint32_t spec_without(struct spec *spec, uint32_t state, uint32_t at) {
    struct items items;
    items_take(spec, state, &items);
    items.count--;
    memmove(items.at + at, items.at + at + 1, (items.count - at) * sizeof *items.at);
    return items_give(spec, &items);
}

/* Where the value is, or has to be, in a sorted list. */
uint32_t spec_place(const struct spec *spec, uint32_t state, uint32_t value, bool *there) {
    const uint32_t *items = value_items(&spec->pool, state);
    uint32_t low = 0, high = value_at(&spec->pool, state)->len;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (value_compare(&spec->pool, items[middle], value) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *there = low < value_at(&spec->pool, state)->len && items[low] == value;
    return low;
}

static bool step_set(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    bool there;
    *next = state;
    if (op->f == OP_READ)
        return !op->told || state == op->out;
    uint32_t at = spec_place(spec, state, op->a, &there);
    if (op->f == OP_CONTAINS)
        return !op->told || (value_at(&spec->pool, op->out)->integer != 0) == there;
    if (op->f == OP_ADD) {
        if (!there)
            *next = spec_with(spec, state, at, op->a);
        return !op->told || op->mismatch == there;
    }
    cairn_assert(op->f == OP_REMOVE);
    if (op->told && op->mismatch == there)
        return false;
    if (there)
        *next = spec_without(spec, state, at);
    return true;
}

static bool is_length(const struct spec *spec, const struct spec_op *op, uint32_t length) {
    return !op->told || value_at(&spec->pool, op->out)->integer == (int64_t)length;
}

/* At the end of a queue or stack. */
static bool put(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    uint32_t len = value_at(&spec->pool, state)->len;
    if (!is_length(spec, op, len + 1) || !spec_may_put(spec, state, op->a))
        return false;
    *next = spec_with(spec, state, len, op->a);
    return true;
}

/* Takes the item at `at`: the answer, where there is one, has to be it, and null when there is
 * none. What was told nothing took something, or found nothing. */
static bool take(struct spec *spec, uint32_t state, const struct spec_op *op, bool last, bool stays,
                 uint32_t *next) {
    uint32_t len = value_at(&spec->pool, state)->len;
    *next = state;
    if (len == 0)
        return !op->told || op->out == VALUE_NULL;
    uint32_t at = last ? len - 1 : 0;
    if (op->told && value_items(&spec->pool, state)[at] != op->out)
        return false;
    if (!stays)
        *next = spec_without(spec, state, at);
    return true;
}

static bool step_queue(struct spec *spec, uint32_t state, const struct spec_op *op,
                       uint32_t *next) {
    switch (op->f) {
    case OP_ENQUEUE:
        return put(spec, state, op, next);
    case OP_DRAIN:
        *next = value_list(&spec->pool, NULL, 0);
        return !op->told || state == op->out ||
               (op->out == VALUE_NULL && value_at(&spec->pool, state)->len == 0);
    default:
        return take(spec, state, op, false, op->f == OP_PEEK, next);
    }
}

static bool step_stack(struct spec *spec, uint32_t state, const struct spec_op *op,
                       uint32_t *next) {
    if (op->f == OP_PUSH)
        return put(spec, state, op, next);
    return take(spec, state, op, true, op->f == OP_PEEK, next);
}

static bool step_priority_queue(struct spec *spec, uint32_t state, const struct spec_op *op,
                                uint32_t *next) {
    bool there;
    if (op->f == OP_INSERT) {
        *next = spec_with(spec, state, spec_place(spec, state, op->a, &there), op->a);
        return true;
    }
    return take(spec, state, op, op->f == OP_DELETE_MAX, op->f == OP_PEEK, next);
}

static bool step_append(struct spec *spec, uint32_t state, const struct spec_op *op,
                        uint32_t *next) {
    *next = state;
    if (op->f == OP_READ)
        return !op->told || state == op->out;
    if (state == SPEC_DEAD) /* a list that an append was told is alive, as those before it are */
        return !op->told;
    uint32_t longer = spec_chain(spec, state, op->a);
    *next = spec_alive(spec, longer);
    if (!op->told || value_at(&spec->pool, op->out)->kind == VALUE_LIST)
        return !op->told || longer == op->out;
    return is_length(spec, op, spec_chain_length(spec, longer));
}

/* For what is small: unique.c and verify.c look at all answers at once. */
static bool step_ids(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    bool there = false;
    *next = state;
    uint32_t at = op->told ? spec_place(spec, state, op->out, &there) : 0;
    if (op->told && !there)
        *next = spec_with(spec, state, at, op->out);
    return !there;
}

static bool step_counter(struct spec *spec, uint32_t state, const struct spec_op *op,
                         uint32_t *next) {
    *next = state;
    if (op->f == OP_READ)
        return !op->told || state == op->out;
    return add_to(spec, state, op, next);
}

bool spec_step(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    switch (spec->model) {
    case MODEL_REGISTER:
    case MODEL_CAS_REGISTER:
    case MODEL_KV:
        return step_register(spec, state, op, next);
    case MODEL_MULTI_REGISTER:
        return spec_step_txn(spec, state, op, next);
    case MODEL_APPEND:
        return step_append(spec, state, op, next);
    case MODEL_COUNTER:
        return step_counter(spec, state, op, next);
    case MODEL_SET:
        return step_set(spec, state, op, next);
    case MODEL_QUEUE:
        return step_queue(spec, state, op, next);
    case MODEL_STACK:
        return step_stack(spec, state, op, next);
    case MODEL_PRIORITY_QUEUE:
        return step_priority_queue(spec, state, op, next);
    case MODEL_UNORDERED_QUEUE:
        return spec_step_bag(spec, state, op, next);
    case MODEL_UNIQUE_IDS:
        return step_ids(spec, state, op, next);
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        return spec_step_bank(spec, state, op, next);
    default:
        return spec_step_lock(spec, state, op, next);
    }
}
