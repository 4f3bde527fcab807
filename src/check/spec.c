#include "check/spec.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "check/answers.h"
#include "check/spec_internal.h"

#include <stdlib.h>
#include <string.h>

#define SUMS_MAX 20000u /* values that matter because of additions */

void spec_init(struct spec *spec, enum model model, const struct history *history) {
    memset(spec, 0, sizeof *spec);
    spec->model = model;
    spec->history = history;
    values_init(&spec->pool);
    spec->of_count = history->values.count;
    spec->of_history = cairn_alloc(spec->of_count * sizeof *spec->of_history);
    memset(spec->of_history, 0xff, spec->of_count * sizeof *spec->of_history);
    if (model == MODEL_MULTI_REGISTER)
        spec_keys_of_txns(spec);
    if (model_is_bank(model))
        spec_keys_of_bank(spec);
}

void spec_free(struct spec *spec) {
    values_free(&spec->pool);
    cairn_free(spec->of_history);
    cairn_free(spec->alive);
    cairn_free(spec->alive_texts);
    cairn_free(spec->taken);
    cairn_free(spec->keys);
    buf_free(&spec->scratch);
}

/* ---- values of the history in the pool ---- */

static uint32_t copy_items(struct spec *spec, uint32_t id, bool map) {
    const struct value *value = value_at(&spec->history->values, id);
    uint32_t *items = cairn_alloc((value->len + 1) * sizeof *items);
    for (uint32_t i = 0; i < value->len; i++)
        items[i] = spec_value(spec, value_items(&spec->history->values, id)[i]);
    uint32_t copy = map ? value_map(&spec->pool, items, value->len)
                        : value_list(&spec->pool, items, value->len);
    cairn_free(items);
    return copy;
}

uint32_t spec_value(struct spec *spec, uint32_t id) {
    if (id == VALUE_NONE || id == VALUE_NULL)
        return id;
    cairn_assert(id < spec->of_count);
    if (spec->of_history[id] != VALUE_NONE)
        return spec->of_history[id];
    const struct value *value = value_at(&spec->history->values, id);
    uint32_t copy;
    switch (value->kind) {
    case VALUE_INT:
        copy = value_int(&spec->pool, value->integer);
        break;
    case VALUE_BOOL:
        copy = value_bool(&spec->pool, value->integer != 0);
        break;
    case VALUE_TEXT:
        copy = value_text(&spec->pool, value_bytes(&spec->history->values, id));
        break;
    default:
        copy = copy_items(spec, id, value->kind == VALUE_MAP);
    }
    return spec->of_history[id] = copy;
}

/* ---- states that matter ---- */

static void alive_grow(struct spec *spec) {
    uint32_t size = spec->alive_size ? spec->alive_size * 2 : 64;
    uint32_t *old = spec->alive, old_size = spec->alive_size;
    spec->alive = cairn_alloc(size * sizeof *spec->alive);
    memset(spec->alive, 0xff, size * sizeof *spec->alive);
    spec->alive_size = size;
    spec->alive_count = 0;
    for (uint32_t i = 0; i < old_size; i++)
        if (old[i] != VALUE_NONE)
            spec_live(spec, old[i]);
    cairn_free(old);
}

static uint32_t alive_slot(const struct spec *spec, uint32_t state) {
    uint32_t mask = spec->alive_size - 1, at = (state * 2654435761u) & mask;
    while (spec->alive[at] != VALUE_NONE && spec->alive[at] != state)
        at = (at + 1) & mask;
    return at;
}

void spec_live(struct spec *spec, uint32_t state) {
    if (spec->alive_count * 2 >= spec->alive_size)
        alive_grow(spec);
    uint32_t at = alive_slot(spec, state);
    if (spec->alive[at] == VALUE_NONE) {
        spec->alive[at] = state;
        spec->alive_count++;
    }
}

uint32_t spec_alive(const struct spec *spec, uint32_t state) {
    if (spec->alive == NULL || spec->alive[alive_slot(spec, state)] == state)
        return state;
    return SPEC_DEAD;
}

/* ---- lists as chains: a list is all but its last element, that element, and how many they are
 * ---- */

/* The length stands there as the number that it is, not as a value. */
uint32_t spec_chain_length(const struct spec *spec, uint32_t chain) {
    bool list = chain != VALUE_NULL && value_at(&spec->pool, chain)->len == 3;
    return list ? value_items(&spec->pool, chain)[2] : 0;
}

uint32_t spec_chain(struct spec *spec, uint32_t chain, uint32_t element) {
    uint32_t length = spec_chain_length(spec, chain) + 1;
    return value_list(&spec->pool, (uint32_t[]){chain, element, length}, 3);
}

static uint32_t chain_of_list(struct spec *spec, uint32_t id) {
    const struct values *values = &spec->history->values;
    if (id == VALUE_NULL)
        return VALUE_NULL;
    uint32_t chain = VALUE_NULL, len = value_at(values, id)->len;
    if (value_at(values, id)->kind != VALUE_LIST) /* equal to no list */
        return value_list(&spec->pool, (uint32_t[]){spec_value(spec, id)}, 1);
    for (uint32_t i = 0; i < len; i++) {
        chain = spec_chain(spec, chain, spec_value(spec, value_items(values, id)[i]));
        if (spec->alive != NULL)
            spec_live(spec, chain);
    }
    return chain;
}

/* ---- one operation ---- */

static uint32_t sorted_set(struct spec *spec, uint32_t id) {
    uint32_t list = spec_value(spec, id);
    if (list == VALUE_NONE || value_at(&spec->pool, list)->kind != VALUE_LIST)
        return list == VALUE_NULL ? value_set(&spec->pool, NULL, 0) : list;
    uint32_t len = value_at(&spec->pool, list)->len;
    uint32_t *items = cairn_alloc((len + 1) * sizeof *items);
    if (len > 0)
        memcpy(items, value_items(&spec->pool, list), len * sizeof *items);
    uint32_t set = value_set(&spec->pool, items, len);
    cairn_free(items);
    return set;
}

/* The answer as the model's states are written. */
static uint32_t answer_of(struct spec *spec, const struct op *op) {
    uint32_t told = answers_told(spec->model, spec->history, op);
    bool list = told != VALUE_NONE &&
                (told == VALUE_NULL || value_at(&spec->history->values, told)->kind == VALUE_LIST);
    if (told == VALUE_NONE)
        return VALUE_NONE;
    if (spec->model == MODEL_APPEND && list)
        return chain_of_list(spec, told);
    if (spec->model == MODEL_SET && op->f == OP_READ)
        return sorted_set(spec, told);
    if (model_is_bank(spec->model) && op->f == OP_READ)
        return spec_balances(spec, told);
    if (spec->model == MODEL_COUNTER && told == VALUE_NULL)
        return value_int(&spec->pool, 0);
    return spec_value(spec, told);
}

static enum spec_class class_of(const struct spec *spec, const struct spec_op *op) {
    switch (op->f) {
    case OP_READ:
    case OP_CONTAINS:
        return SPEC_OBSERVES;
    case OP_PEEK: /* of an unordered queue, it tells what was not taken before */
        return op->told && spec->model == MODEL_UNORDERED_QUEUE ? SPEC_CONDITIONAL : SPEC_OBSERVES;
    case OP_WRITE:
        return SPEC_OVERWRITES;
    case OP_DELETE:
        return !op->told ? SPEC_OVERWRITES : op->mismatch ? SPEC_OBSERVES : SPEC_CONDITIONAL;
    case OP_SWAP:
        return op->told ? SPEC_CONDITIONAL : SPEC_OVERWRITES;
    case OP_CAS:
    case OP_SET_IF_ABSENT:
    case OP_ACQUIRE:
    case OP_RELEASE:
        return op->mismatch ? SPEC_OBSERVES : SPEC_CONDITIONAL;
    case OP_TRY_ACQUIRE:
        return op->mismatch ? SPEC_OBSERVES : op->told ? SPEC_CONDITIONAL : SPEC_CHANGES;
    case OP_APPEND:
    case OP_ENQUEUE:
    case OP_PUSH:
    case OP_INSERT:
    case OP_ADD:
    case OP_REMOVE:
        return op->told ? SPEC_CONDITIONAL : SPEC_CHANGES;
    case OP_GENERATE:
        return op->told ? SPEC_CONDITIONAL : SPEC_OBSERVES;
    case OP_TRANSFER:
        if (spec->model == MODEL_BANK)
            return SPEC_CHANGES;
        return op->mismatch ? SPEC_OBSERVES : SPEC_CONDITIONAL;
    default:
        return SPEC_CONDITIONAL;
    }
}

static void translate_cas(struct spec *spec, const struct op *op, struct spec_op *to) {
    const struct values *values = &spec->history->values;
    to->b = spec_value(spec, value_items(values, op->arg)[1]);
    to->a = spec_value(spec, value_items(values, op->arg)[0]);
    to->mismatch = op->outcome == OP_MISMATCH;
}

static void translate(struct spec *spec, uint32_t number, struct spec_op *to) {
    const struct op *op = &spec->history->ops[number];
    memset(to, 0, sizeof *to);
    to->f = op->f;
    if (op->f == OP_TXN) {
        spec_translate_txn(spec, op, to);
        return;
    }
    to->a = op->arg == VALUE_NONE ? VALUE_NULL : spec_value(spec, op->arg);
    to->out = answer_of(spec, op);
    to->told = to->out != VALUE_NONE;
    to->mismatch = to->told && answers_of(spec->model, op->f) == TELLS_TRUTH &&
                   answers_truth(&spec->pool, to->out) == 0;
    if (op->f == OP_CAS)
        translate_cas(spec, op, to);
    else if (op->f == OP_DELETE)
        to->a = VALUE_NULL;
    else if (op->f == OP_TRANSFER)
        spec_translate_transfer(spec, op, to);
    else if (spec_is_lock(spec->model))
        spec_translate_lock(spec, op, to);
    else if (spec->model == MODEL_UNORDERED_QUEUE)
        spec_translate_bag(spec, number, to);
    to->whole = to->f == OP_READ && to->told && !model_is_bank(spec->model);
    to->class = class_of(spec, to);
}

/* ---- preparation ---- */

static void forget_alive(struct spec *spec) {
    cairn_free(spec->alive);
    spec->alive = NULL;
    spec->alive_size = spec->alive_count = 0;
}

static int order_of_texts(const void *a, const void *b, void *context) {
    const struct spec *spec = context;
    return bytes_compare(value_bytes(&spec->pool, *(const uint32_t *)a),
                         value_bytes(&spec->pool, *(const uint32_t *)b));
}

/* A value of a register that an operation was told, or that it needs to find; VALUE_NONE: none. */
static uint32_t value_seen(struct spec *spec, const struct spec_op *op) {
    if (op->f == OP_CAS)
        return op->a;
    if (!op->told)
        return VALUE_NONE;
    if (op->f == OP_READ || op->f == OP_SWAP)
        return op->out;
    int64_t before;
    const struct value *sum = value_at(&spec->pool, op->out);
    if (op->f != OP_ADD || sum->kind != VALUE_INT ||
        __builtin_sub_overflow(sum->integer, spec_amount(spec, op), &before))
        return VALUE_NONE;
    return value_int(&spec->pool, before);
}

/* What may be added without any operation being told makes more values matter: those from which a
 * sum of such amounts leads to one that is seen. False: too many of them; then every state counts.
 */
static bool learn_sums(struct spec *spec, const struct spec_op *ops, uint32_t count) {
    for (uint32_t i = 0; i < count; i++) {
        if (ops[i].f != OP_ADD || ops[i].told)
            continue;
        uint32_t size = spec->alive_size;
        uint32_t *before = cairn_alloc((size + 1) * sizeof *before);
        memcpy(before, spec->alive, size * sizeof *before);
        for (uint32_t j = 0; j < size; j++) {
            int64_t value;
            if (before[j] == VALUE_NONE || value_at(&spec->pool, before[j])->kind != VALUE_INT ||
                __builtin_sub_overflow(value_at(&spec->pool, before[j])->integer,
                                       spec_amount(spec, &ops[i]), &value))
                continue;
            spec_live(spec, value_int(&spec->pool, value));
        }
        cairn_free(before);
        if (spec->alive_count > SUMS_MAX)
            return false;
    }
    return true;
}

/* A register: what is read or compared with matters; where texts are appended to, every beginning
 * of a text that is read; where numbers are added, whatever leads to them. */
static void learn_register(struct spec *spec, const struct spec_op *ops, uint32_t count) {
    bool lengths = false;
    spec->appends = false;
    spec->alive_texts = cairn_realloc(spec->alive_texts, (count + 1) * sizeof(uint32_t));
    spec->alive_text_count = 0;
    spec_live(spec, VALUE_NULL);
    for (uint32_t i = 0; i < count; i++) {
        spec->appends |= ops[i].f == OP_APPEND;
        lengths |= ops[i].f == OP_APPEND && ops[i].told;
        uint32_t seen = value_seen(spec, &ops[i]);
        if (seen == VALUE_NONE)
            continue;
        spec_live(spec, seen);
        if (value_at(&spec->pool, seen)->kind == VALUE_TEXT)
            spec->alive_texts[spec->alive_text_count++] = seen;
    }
    if (lengths || !learn_sums(spec, ops, count)) {
        forget_alive(spec);
        return;
    }
    qsort_r(spec->alive_texts, spec->alive_text_count, sizeof(uint32_t), order_of_texts, spec);
}

/* How long a list is can be told of any. */
static bool tells_lengths(const struct spec *spec, const struct spec_op *ops, uint32_t count) {
    for (uint32_t i = 0; i < count; i++)
        if (ops[i].f == OP_APPEND && ops[i].told &&
            value_at(&spec->pool, ops[i].out)->kind == VALUE_INT)
            return true;
    return false;
}

void spec_prepare(struct spec *spec, const uint32_t *ops, uint32_t count, struct spec_op *to) {
    forget_alive(spec);
    if (spec->model == MODEL_APPEND)
        spec_live(spec, VALUE_NULL);
    for (uint32_t i = 0; i < count; i++)
        translate(spec, ops[i], &to[i]);
    if (model_is_register(spec->model))
        learn_register(spec, to, count);
    else if (spec->model != MODEL_APPEND || tells_lengths(spec, to, count))
        forget_alive(spec);
    if (spec->real_time && (spec->model == MODEL_QUEUE || spec->model == MODEL_STACK))
        spec_learn_taken(spec, ops, to, count);
}

uint32_t spec_initial(struct spec *spec, uint32_t key) {
    const struct history *history = spec->history;
    uint32_t initial = history_initial(history, key);
    if (spec_is_lock(spec->model))
        return spec_initial_lock(spec, initial);
    switch (spec->model) {
    case MODEL_MULTI_REGISTER:
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        return spec_initial_parts(spec);
    case MODEL_UNORDERED_QUEUE:
        return spec_initial_bag(spec, initial);
    case MODEL_UNIQUE_IDS:
        return value_list(&spec->pool, NULL, 0);
    case MODEL_SET:
        return sorted_set(spec, initial);
    case MODEL_APPEND:
        return chain_of_list(spec, initial);
    case MODEL_COUNTER:
        return initial == VALUE_NULL ? value_int(&spec->pool, 0) : spec_value(spec, initial);
    case MODEL_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        return initial == VALUE_NULL ? value_list(&spec->pool, NULL, 0) : spec_value(spec, initial);
    default:
        return spec_value(spec, initial);
    }
}
