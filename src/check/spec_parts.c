/* Objects of several parts: multi-registers (transactions of reads and writes on one object) and
 * banks. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/spec_internal.h"

#include <stdlib.h>
#include <string.h>

static void add_key(struct spec *spec, uint32_t key) {
    for (uint32_t i = 0; i < spec->key_count; i++)
        if (spec->keys[i] == key)
            return;
    spec->keys = cairn_realloc(spec->keys, (spec->key_count + 1) * sizeof *spec->keys);
    spec->keys[spec->key_count++] = key;
}

/* The part's number; the key is one of the object's. */
static uint32_t part_of(const struct spec *spec, uint32_t key) {
    for (uint32_t i = 0; i < spec->key_count; i++)
        if (spec->keys[i] == key)
            return i;
    return UINT32_MAX;
}

void spec_keys_of_txns(struct spec *spec) {
    for (uint32_t i = 0; i < spec->history->mop_count; i++)
        add_key(spec, spec_value(spec, spec->history->mops[i].key));
}

/* Accounts are numbers, or texts that read as numbers: keys of JSON's maps are texts. */
static uint32_t account_of(struct spec *spec, uint32_t id) {
    if (id == VALUE_NONE)
        return id;
    uint32_t value = spec_value(spec, id);
    if (value_at(&spec->pool, value)->kind != VALUE_TEXT)
        return value;
    struct bytes text = value_bytes(&spec->pool, value);
    int64_t number = 0;
    if (text.len == 0 || text.len > 18)
        return value;
    for (size_t i = 0; i < text.len; i++) {
        if (text.data[i] < '0' || text.data[i] > '9')
            return value;
        number = number * 10 + (text.data[i] - '0');
    }
    return value_int(&spec->pool, number);
}

uint32_t spec_field(const struct spec *spec, uint32_t map, const char *name) {
    const struct values *values = &spec->history->values;
    if (map == VALUE_NONE || value_at(values, map)->kind != VALUE_MAP)
        return VALUE_NONE;
    const uint32_t *items = value_items(values, map);
    for (uint32_t i = 0; i + 1 < value_at(values, map)->len; i += 2)
        if (value_at(values, items[i])->kind == VALUE_TEXT &&
            bytes_equal(value_bytes(values, items[i]), bytes_cstr(name)))
            return items[i + 1];
    return VALUE_NONE;
}

static void each_balance(struct spec *spec, uint32_t id,
                         void (*tell)(struct spec *spec, uint32_t account, uint32_t balance,
                                      uint32_t *to),
                         uint32_t *to) {
    const struct values *values = &spec->history->values;
    if (id == VALUE_NONE || id == VALUE_NULL)
        return;
    enum value_kind kind = value_at(values, id)->kind;
    uint32_t len = value_at(values, id)->len;
    for (uint32_t i = 0; kind == VALUE_MAP && i + 1 < len; i += 2)
        tell(spec, account_of(spec, value_items(values, id)[i]), value_items(values, id)[i + 1],
             to);
    for (uint32_t i = 0; kind == VALUE_LIST && i < len; i++)
        tell(spec, value_int(&spec->pool, i), value_items(values, id)[i], to);
}

static void learn_account(struct spec *spec, uint32_t account, uint32_t balance, uint32_t *to) {
    add_key(spec, account);
}

void spec_keys_of_bank(struct spec *spec) {
    const struct history *history = spec->history;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_READ) {
            each_balance(spec, op->out, learn_account, NULL);
        } else if (op->f == OP_TRANSFER) {
            add_key(spec, account_of(spec, spec_field(spec, op->arg, "from")));
            add_key(spec, account_of(spec, spec_field(spec, op->arg, "to")));
        }
    }
    each_balance(spec, history->initial, learn_account, NULL);
}

static void set_part(struct spec *spec, uint32_t account, uint32_t balance, uint32_t *parts) {
    uint32_t part = part_of(spec, account);
    cairn_assert(part != UINT32_MAX);
    parts[part] = spec_value(spec, balance);
}

/* The balances before the first transfer: as given, else as if nothing were there. */
uint32_t spec_initial_parts(struct spec *spec) {
    uint32_t *parts = cairn_alloc((spec->key_count + 1) * sizeof *parts);
    const struct history *history = spec->history;
    for (uint32_t i = 0; i < spec->key_count; i++)
        parts[i] = model_is_bank(spec->model) ? value_int(&spec->pool, 0)
                                              : spec_value(spec, history->initial);
    for (uint32_t i = 0; i < history->initial_count; i++) {
        uint32_t key = history->initial_of[2 * i];
        uint32_t part = part_of(spec, model_is_bank(spec->model) ? account_of(spec, key)
                                                                 : spec_value(spec, key));
        if (part != UINT32_MAX)
            parts[part] = spec_value(spec, history->initial_of[2 * i + 1]);
    }
    if (model_is_bank(spec->model))
        each_balance(spec, history->initial, set_part, parts);
    uint32_t state = value_list(&spec->pool, parts, spec->key_count);
    cairn_free(parts);
    return state;
}

/* a: the first micro-operation; b: how many. */
void spec_translate_txn(struct spec *spec, const struct op *op, struct spec_op *to) {
    bool writes = false;
    to->a = op->arg;
    to->b = op->out;
    to->told = op->outcome != OP_INFO;
    for (uint32_t i = 0; i < op->out; i++)
        writes |= spec->history->mops[op->arg + i].kind != MOP_READ;
    to->class = writes ? SPEC_CONDITIONAL : SPEC_OBSERVES;
}

bool spec_step_txn(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    uint32_t *parts = cairn_alloc((spec->key_count + 1) * sizeof *parts);
    for (uint32_t i = 0; i < spec->key_count; i++)
        parts[i] = value_items(&spec->pool, state)[i];
    bool fits = true;
    for (uint32_t i = 0; i < op->b && fits; i++) {
        const struct mop *mop = &spec->history->mops[op->a + i];
        uint32_t part = part_of(spec, spec_value(spec, mop->key));
        if (mop->kind == MOP_WRITE)
            parts[part] = spec_value(spec, mop->value);
        else if (op->told && mop->value != VALUE_NONE)
            fits = parts[part] == spec_value(spec, mop->value);
    }
    *next = fits ? value_list(&spec->pool, parts, spec->key_count) : state;
    cairn_free(parts);
    return fits;
}

/* a: from, b: to (parts), out: the amount, a value. A read: told, out: the balances, a state. What
 * a bank refused moved nothing, whatever it asked for; of one whose balances stay at zero or above
 * it also tells that they were low. */
void spec_translate_transfer(struct spec *spec, const struct op *op, struct spec_op *to) {
    to->a = part_of(spec, account_of(spec, spec_field(spec, op->arg, "from")));
    to->b = part_of(spec, account_of(spec, spec_field(spec, op->arg, "to")));
    to->out = spec_value(spec, spec_field(spec, op->arg, "amount"));
    to->told = false;
    if (to->mismatch && spec->model == MODEL_BANK) {
        to->out = value_int(&spec->pool, 0);
        to->mismatch = false;
    }
}

static int64_t integer_of(const struct spec *spec, uint32_t id) {
    const struct value *value = value_at(&spec->pool, id);
    return value->kind == VALUE_INT ? value->integer : 0;
}

/* What a read tells: the parts, null where it says nothing. */
uint32_t spec_balances(struct spec *spec, uint32_t id) {
    uint32_t *parts = cairn_alloc_zero((spec->key_count + 1) * sizeof *parts);
    each_balance(spec, id, set_part, parts);
    uint32_t state = value_list(&spec->pool, parts, spec->key_count);
    cairn_free(parts);
    return state;
}

static bool balances_are(const struct spec *spec, uint32_t state, uint32_t read) {
    const uint32_t *now = value_items(&spec->pool, state);
    const uint32_t *told = value_items(&spec->pool, read);
    for (uint32_t i = 0; i < spec->key_count; i++)
        if (told[i] != VALUE_NULL && told[i] != now[i])
            return false;
    return true;
}

/* What can't be added up is no balance. */
static bool move(struct spec *spec, uint32_t *part, int64_t amount, bool *below) {
    int64_t balance = integer_of(spec, *part);
    if (__builtin_add_overflow(balance, amount, &balance))
        return false;
    *below |= balance < 0;
    *part = value_int(&spec->pool, balance);
    return true;
}

/* The balances afterwards; VALUE_NONE: there are none. below: one fell below zero. */
static uint32_t transferred(struct spec *spec, uint32_t state, const struct spec_op *op,
                            bool *below) {
    uint32_t *parts = cairn_alloc((spec->key_count + 1) * sizeof *parts);
    memcpy(parts, value_items(&spec->pool, state), spec->key_count * sizeof *parts);
    int64_t amount = integer_of(spec, op->out);
    *below = false;
    bool fits = amount != INT64_MIN && move(spec, &parts[op->a], -amount, below) &&
                move(spec, &parts[op->b], amount, below);
    uint32_t next = fits ? value_list(&spec->pool, parts, spec->key_count) : VALUE_NONE;
    cairn_free(parts);
    return next;
}

bool spec_step_bank(struct spec *spec, uint32_t state, const struct spec_op *op, uint32_t *next) {
    bool below;
    *next = state;
    if (op->f == OP_READ)
        return !op->told || balances_are(spec, state, op->out);
    uint32_t moved = transferred(spec, state, op, &below);
    if (moved == VALUE_NONE)
        return op->mismatch;
    below &= spec->model == MODEL_BANK_NONNEGATIVE;
    if (!op->mismatch && !below)
        *next = moved;
    return op->mismatch == below;
}
