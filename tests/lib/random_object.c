#include "random_history_internal.h"

#include "check/answers.h"

#include <stdio.h>
#include <string.h>

#define DOMAIN_REPEATED 3

static uint32_t integer(struct making *making, int64_t number) {
    return value_int(&making->history->values, number);
}

static uint32_t truth(struct making *making, bool true_or_false) {
    return prng_chance(&making->prng, 1, 3) ? integer(making, true_or_false)
                                            : value_bool(&making->history->values, true_or_false);
}

static bool answered(struct making *making) {
    return prng_below(&making->prng, 100) < making->plan->answers;
}

static int64_t fresh(struct making *making) {
    return making->plan->unique ? ++making->next_value
                                : 1 + (int64_t)prng_below(&making->prng, DOMAIN_REPEATED);
}

static uint32_t list_of(struct making *making, const int64_t *items, uint32_t count) {
    uint32_t ids[ITEMS_MAX];
    for (uint32_t i = 0; i < count; i++)
        ids[i] = integer(making, items[i]);
    return value_list(&making->history->values, ids, count);
}

static void remove_at(struct object *object, uint32_t at) {
    object->count--;
    memmove(object->items + at, object->items + at + 1, (object->count - at) * sizeof(int64_t));
}

static uint32_t smallest(const struct object *object) {
    uint32_t at = 0;
    for (uint32_t i = 1; i < object->count; i++)
        if (object->items[i] < object->items[at])
            at = i;
    return at;
}

static uint32_t find(const struct object *object, int64_t value) {
    uint32_t at = 0;
    while (at < object->count && object->items[at] != value)
        at++;
    return at;
}

/* What the register held, as an answer. */
static uint32_t held(struct making *making, const struct object *object) {
    return object->count == 0 ? VALUE_NULL : integer(making, object->items[0]);
}

static void hold(struct object *object, int64_t value) {
    object->items[0] = value;
    object->count = 1;
}

static void do_register(struct making *making, struct object *object, struct op *op) {
    uint64_t choice = prng_below(&making->prng, making->plan->model == MODEL_REGISTER       ? 2
                                                : making->plan->model == MODEL_CAS_REGISTER ? 3
                                                                                            : 7);
    int64_t value = fresh(making);
    op->arg = integer(making, value);
    if (choice == 0) {
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = held(making, object);
    } else if (choice == 1) {
        op->f = OP_WRITE;
        hold(object, value);
    } else if (choice == 2) {
        int64_t from = object->count > 0 && prng_chance(&making->prng, 2, 3) ? object->items[0]
                                                                             : fresh(making);
        bool match = object->count > 0 && object->items[0] == from;
        op->f = OP_CAS;
        op->arg = list_of(making, (int64_t[]){from, value}, 2);
        op->outcome = match ? OP_OK : making->plan->unique ? OP_FAIL : OP_MISMATCH;
        if (match)
            hold(object, value);
    } else if (choice == 3) {
        op->f = OP_SWAP;
        op->out = held(making, object);
        hold(object, value);
    } else if (choice == 4) {
        op->f = OP_DELETE;
        op->arg = VALUE_NULL;
        op->out = truth(making, object->count > 0);
        object->count = 0;
    } else if (choice == 5) {
        op->f = OP_SET_IF_ABSENT;
        op->out = truth(making, object->count == 0);
        if (object->count == 0)
            hold(object, value);
    } else {
        op->f = OP_ADD;
        hold(object, (object->count > 0 ? object->items[0] : 0) + value);
        op->out = held(making, object);
    }
}

/* Texts: put, append, get. */
static void do_text(struct making *making, struct object *object, struct op *op) {
    char text[ITEMS_MAX * 2 + 1];
    uint64_t choice = prng_below(&making->prng, 5);
    int64_t value = fresh(making) % 8;
    uint32_t len = 0;
    snprintf(text, sizeof text, "%d", (int)value);
    op->arg = value_text(&making->history->values, bytes_cstr(text));
    if (choice < 2 && object->count < ITEMS_MAX) {
        op->f = OP_APPEND;
        object->items[object->count++] = value;
        if (answered(making)) /* each piece is one digit */
            op->out = integer(making, object->count);
    } else if (choice == 2) {
        op->f = OP_WRITE;
        hold(object, value);
    } else {
        for (uint32_t i = 0; i < object->count; i++)
            len += (uint32_t)snprintf(text + len, sizeof text - len, "%d", (int)object->items[i]);
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = object->count == 0 ? VALUE_NULL
                                     : value_text(&making->history->values, bytes_of(text, len));
    }
}

static void do_drain(struct making *making, struct object *object, struct op *op) {
    op->f = OP_DRAIN;
    op->out = list_of(making, object->items, object->count);
    object->count = 0;
}

static void do_put(struct making *making, struct object *object, struct op *op) {
    enum model model = making->plan->model;
    int64_t value = fresh(making);
    op->arg = integer(making, value);
    op->f = model == MODEL_STACK ? OP_PUSH : model == MODEL_PRIORITY_QUEUE ? OP_INSERT : OP_ENQUEUE;
    object->items[object->count++] = value;
    if (model != MODEL_PRIORITY_QUEUE && answered(making))
        op->out = integer(making, object->count);
}

static void do_container(struct making *making, struct object *object, struct op *op) {
    enum model model = making->plan->model;
    bool put = prng_chance(&making->prng, 1, 2) && object->count < ITEMS_MAX;
    bool queue = model == MODEL_QUEUE || model == MODEL_UNORDERED_QUEUE;
    op->arg = VALUE_NULL;
    if (put) {
        do_put(making, object, op);
        return;
    }
    if (queue && !making->plan->plain && prng_chance(&making->prng, 1, 8)) {
        do_drain(making, object, op);
        return;
    }
    bool peek = prng_chance(&making->prng, 1, 5) && !making->plan->plain;
    uint32_t at = model == MODEL_QUEUE             ? 0
                  : model == MODEL_STACK           ? object->count - 1
                  : model == MODEL_UNORDERED_QUEUE ? (uint32_t)prng_below(&making->prng, ITEMS_MAX)
                                                   : smallest(object);
    op->f = peek ? OP_PEEK : queue ? OP_DEQUEUE : model == MODEL_STACK ? OP_POP : OP_DELETE_MIN;
    op->out = VALUE_NULL;
    if (object->count == 0)
        return;
    at %= object->count;
    op->out = integer(making, object->items[at]);
    if (!peek)
        remove_at(object, at);
}

static void do_set(struct making *making, struct object *object, struct op *op) {
    uint64_t choice = prng_below(&making->prng, 5);
    int64_t value =
        choice == 2 || choice == 3 ? 1 + (int64_t)prng_below(&making->prng, 3) : fresh(making);
    uint32_t at = find(object, value);
    bool there = at < object->count;
    op->arg = integer(making, value);
    if (choice < 2) {
        op->f = OP_ADD;
        if (answered(making))
            op->out = truth(making, !there);
        if (!there && object->count < ITEMS_MAX)
            object->items[object->count++] = value;
    } else if (choice == 2) {
        op->f = OP_CONTAINS;
        op->out = truth(making, there);
    } else if (choice == 3) {
        op->f = OP_REMOVE;
        op->out = truth(making, there);
        if (there)
            remove_at(object, at);
    } else {
        op->f = OP_READ;
        op->arg = VALUE_NULL;
        op->out = list_of(making, object->items, object->count);
    }
}

static void do_append(struct making *making, struct object *object, struct op *op) {
    op->arg = VALUE_NULL;
    if (prng_chance(&making->prng, 1, 2) || object->count == ITEMS_MAX) {
        op->f = OP_READ;
        op->out = list_of(making, object->items, object->count);
        if (object->count == 0)
            op->out = VALUE_NULL;
        return;
    }
    op->f = OP_APPEND;
    object->items[object->count] = fresh(making);
    op->arg = integer(making, object->items[object->count++]);
    if (answered(making))
        op->out = prng_chance(&making->prng, 2, 3) ? integer(making, object->count)
                                                   : list_of(making, object->items, object->count);
}

static void do_counter(struct making *making, struct object *object, struct op *op) {
    if (object->count == 0)
        hold(object, 0);
    op->f = prng_chance(&making->prng, 1, 2) ? OP_READ : OP_ADD;
    op->arg = VALUE_NULL;
    if (op->f == OP_ADD) {
        int64_t amount = 1 + (int64_t)prng_below(&making->prng, 2);
        amount = prng_chance(&making->prng, 1, 3) ? -amount : amount;
        object->items[0] += amount;
        op->arg = integer(making, amount);
    }
    if (op->f == OP_READ || answered(making))
        op->out = integer(making, object->items[0]);
}

#define PERMITS 2

/* items: the holder, how often or how much, the last token. Is the operation possible? */
static bool lock_fits(const struct making *making, const struct object *object, const struct op *op,
                      int64_t asked) {
    bool free = object->items[1] == 0, mine = !free && object->items[0] == op->process;
    switch (making->plan->model) {
    case MODEL_MUTEX:
        return (op->f != OP_RELEASE) == free;
    case MODEL_REENTRANT_MUTEX:
        return mine || (op->f != OP_RELEASE && free);
    case MODEL_SEMAPHORE:
        return op->f == OP_RELEASE ? asked <= object->items[1]
                                   : asked + object->items[1] <= PERMITS;
    default:
        return op->f == OP_RELEASE ? mine : free;
    }
}

static void lock_changes(struct making *making, struct object *object, struct op *op,
                         int64_t asked) {
    object->items[1] += op->f == OP_RELEASE ? -asked : asked;
    if (op->f == OP_RELEASE)
        return;
    object->items[0] = op->process;
    object->items[2] += 1 + (int64_t)prng_below(&making->prng, 2);
}

static void do_lock(struct making *making, struct object *object, struct op *op) {
    bool semaphore = making->plan->model == MODEL_SEMAPHORE;
    int64_t asked = semaphore ? 1 + (int64_t)prng_below(&making->prng, 2) : 1;
    bool held = object->items[1] > 0;
    op->f = held == prng_chance(&making->prng, 3, 4) ? OP_RELEASE
            : prng_chance(&making->prng, 1, 3)       ? OP_TRY_ACQUIRE
                                                     : OP_ACQUIRE;
    op->arg = semaphore && asked != 1 ? integer(making, asked) : VALUE_NULL;
    bool fits = lock_fits(making, object, op, asked);
    bool lies = prng_below(&making->prng, 400) < making->plan->lies;
    bool token = making->plan->model == MODEL_FENCED_MUTEX && op->f != OP_RELEASE;
    if (fits || lies)
        lock_changes(making, object, op, asked);
    if (!fits && !lies)
        op->out = value_bool(&making->history->values, false);
    else if (token && answered(making))
        op->out = integer(making, object->items[2]);
    else if (op->f == OP_TRY_ACQUIRE || answered(making))
        op->out = value_bool(&making->history->values, true);
}

static void do_id(struct making *making, struct op *op) {
    op->f = OP_GENERATE;
    op->arg = VALUE_NULL;
    op->out = integer(making, ++making->next_value);
}

/* One to three reads and writes of the two objects. */
static void do_txn(struct making *making, struct op *op) {
    struct history *history = making->history;
    op->f = OP_TXN;
    op->key = VALUE_NULL;
    op->arg = history->mop_count;
    op->out = 1 + (uint32_t)prng_below(&making->prng, 3);
    for (uint32_t i = 0; i < op->out; i++) {
        uint32_t key = (uint32_t)prng_below(&making->prng, 2);
        struct object *object = &making->objects[key];
        struct mop mop = {.kind = prng_chance(&making->prng, 1, 2) ? MOP_READ : MOP_WRITE,
                          .key = integer(making, key)};
        if (mop.kind == MOP_WRITE)
            hold(object, fresh(making));
        mop.value = held(making, object);
        *history_mop(history) = mop;
    }
}

void random_object_swap_reads(struct history *history, struct prng *prng, uint32_t swaps) {
    for (uint32_t i = 0; i < swaps * 8 && history->mop_count > 0; i++) {
        struct mop *a = &history->mops[prng_below(prng, history->mop_count)];
        struct mop *b = &history->mops[prng_below(prng, history->mop_count)];
        if (a->kind != MOP_READ || b->kind != MOP_READ || a->key != b->key || i % 4 != 0)
            continue;
        uint32_t value = a->value;
        a->value = b->value;
        b->value = value;
    }
}

#define ACCOUNTS 3

static uint32_t balances(struct making *making, uint32_t accounts) {
    uint32_t items[2 * ACCOUNTS];
    for (uint32_t i = 0; i < accounts; i++) {
        items[2 * i] = integer(making, i);
        items[2 * i + 1] = integer(making, making->objects[0].items[i]);
    }
    return value_map(&making->history->values, items, 2 * accounts);
}

static void do_bank(struct making *making, struct op *op) {
    struct values *values = &making->history->values;
    op->key = VALUE_NULL;
    op->f = prng_chance(&making->prng, 2, 5) ? OP_READ : OP_TRANSFER;
    op->arg = VALUE_NULL;
    op->out = balances(making, ACCOUNTS - (op->f == OP_READ && !making->plan->plain &&
                                           prng_chance(&making->prng, 1, 6)));
    if (op->f == OP_READ)
        return;
    int64_t from = (int64_t)prng_below(&making->prng, ACCOUNTS),
            to = (int64_t)prng_below(&making->prng, ACCOUNTS),
            amount = (int64_t)prng_below(&making->prng, 3);
    uint32_t items[] = {value_text(values, BYTES("from")),   integer(making, from),
                        value_text(values, BYTES("to")),     integer(making, to),
                        value_text(values, BYTES("amount")), integer(making, amount)};
    op->arg = value_map(values, items, 6);
    bool refused = making->plan->model == MODEL_BANK_NONNEGATIVE
                       ? making->objects[0].items[from] < amount
                       : prng_chance(&making->prng, 1, 20);
    op->out = refused || answered(making) ? truth(making, !refused) : VALUE_NONE;
    if (refused)
        return;
    making->objects[0].items[from] -= amount;
    making->objects[0].items[to] += amount;
}

void random_object_perform(struct making *making, struct op *op) {
    struct object *object = &making->objects[op->key == VALUE_NULL ? 0 : 1];
    switch (making->plan->model) {
    case MODEL_COUNTER:
        do_counter(making, object, op);
        return;
    case MODEL_SET:
        do_set(making, object, op);
        return;
    case MODEL_APPEND:
        do_append(making, object, op);
        return;
    case MODEL_MUTEX:
    case MODEL_OWNED_MUTEX:
    case MODEL_REENTRANT_MUTEX:
    case MODEL_FENCED_MUTEX:
    case MODEL_SEMAPHORE:
        do_lock(making, object, op);
        return;
    case MODEL_UNIQUE_IDS:
        do_id(making, op);
        return;
    case MODEL_MULTI_REGISTER:
        do_txn(making, op);
        return;
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        do_bank(making, op);
        return;
    case MODEL_QUEUE:
    case MODEL_UNORDERED_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        do_container(making, object, op);
        return;
    default:
        if (making->plan->model == MODEL_KV && making->plan->unique)
            do_text(making, object, op);
        else
            do_register(making, object, op);
    }
}

static uint32_t without_last(struct values *values, uint32_t list) {
    uint32_t items[ITEMS_MAX], len = value_at(values, list)->len - 1;
    memcpy(items, value_items(values, list), len * sizeof *items);
    return value_list(values, items, len);
}

/* Something near the answer: of lists, one element less. */
static void miss(struct making *making, struct op *op) {
    struct values *values = &making->history->values;
    const struct value *out = value_at(values, op->out);
    int64_t step = prng_chance(&making->prng, 1, 2) ? 1 : -1;
    if (answers_truth(values, op->out) >= 0 &&
        answers_of(making->plan->model, op->f) == TELLS_TRUTH)
        op->out = truth(making, out->integer == 0);
    else if (out->kind == VALUE_INT)
        op->out = integer(making, out->integer + step);
    else if (out->kind == VALUE_LIST && out->len > 0)
        op->out = without_last(values, op->out);
}

void random_object_lie(struct making *making, struct op *op) {
    struct history *history = making->history;
    const struct op *from = &history->ops[prng_below(&making->prng, history->op_count)];
    for (int tries = 0; tries < 8 && (from == op || from->f != op->f); tries++)
        from = &history->ops[prng_below(&making->prng, history->op_count)];
    bool near = prng_below(&making->prng, 100) < making->plan->answers;
    if (op->f == OP_TXN)
        return;
    if (near && op->out != VALUE_NONE)
        miss(making, op);
    else if (op->f == from->f && from->out != VALUE_NONE)
        op->out = from->out;
    else if (op->f == OP_READ && from->f == OP_WRITE)
        op->out = from->arg;
}

void random_object_swap(struct making *making) {
    struct history *history = making->history;
    if (history->op_count == 0)
        return;
    struct op *a = &history->ops[prng_below(&making->prng, history->op_count)];
    for (int tries = 0; tries < 8; tries++) {
        struct op *b = &history->ops[prng_below(&making->prng, history->op_count)];
        if (a == b || a->f != b->f || a->f == OP_TXN || a->outcome != OP_OK || b->outcome != OP_OK)
            continue;
        uint32_t out = a->out;
        a->out = b->out;
        b->out = out;
        return;
    }
}

static bool is_container(enum model model) {
    return model == MODEL_APPEND || model == MODEL_SET || model == MODEL_QUEUE ||
           model == MODEL_UNORDERED_QUEUE || model == MODEL_STACK || model == MODEL_PRIORITY_QUEUE;
}

/* Both objects: of containers, one or two elements that nothing else puts in. */
static void fill(struct making *making) {
    static const int64_t items[] = {-2, -1};
    uint32_t count = 1 + (uint32_t)prng_below(&making->prng, 2);
    for (int i = 0; i < 2; i++) {
        memcpy(making->objects[i].items, items, count * sizeof *items);
        making->objects[i].count = count;
    }
    making->history->initial = list_of(making, items, count);
}

void random_object_initial(struct making *making) {
    enum model model = making->plan->model;
    if (model == MODEL_SEMAPHORE)
        making->history->initial = integer(making, PERMITS);
    if (is_container(model) && !making->plan->plain && prng_chance(&making->prng, 1, 6))
        fill(making);
    if (model != MODEL_BANK_NONNEGATIVE)
        return;
    for (uint32_t i = 0; i < ACCOUNTS; i++)
        making->objects[0].items[i] = i;
    making->history->initial = balances(making, ACCOUNTS);
}
