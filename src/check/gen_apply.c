/* What operations do to live objects. */
#include "check/gen_objects.h"

#include <string.h>

static uint32_t list_of(struct gen *gen, const struct gen_list *items) {
    return value_list(&gen->history->values, items->at, items->count);
}

static void append_text(struct gen *gen, struct object *object, uint32_t piece) {
    struct values *values = &gen->history->values;
    struct buf text = {0};
    if (object->value != VALUE_NULL)
        buf_bytes(&text, value_bytes(values, object->value));
    buf_bytes(&text, value_bytes(values, piece));
    object->value = value_text(values, buf_view(&text));
    buf_free(&text);
}

static void apply_register(struct gen *gen, struct object *object, struct op *op) {
    struct values *values = &gen->history->values;
    if (op->f == OP_READ) {
        op->out = object->value;
    } else if (op->f == OP_WRITE) {
        object->value = op->arg;
    } else if (op->f == OP_CAS) {
        bool match = value_items(values, op->arg)[0] == object->value;
        op->outcome = match ? OP_OK : OP_MISMATCH;
        object->value = match ? value_items(values, op->arg)[1] : object->value;
    } else if (op->f == OP_SWAP) {
        op->out = object->value;
        object->value = op->arg;
    } else if (op->f == OP_DELETE) {
        op->out = value_bool(values, object->value != VALUE_NULL);
        object->value = VALUE_NULL;
    } else if (op->f == OP_SET_IF_ABSENT) {
        op->out = value_bool(values, object->value == VALUE_NULL);
        object->value = object->value == VALUE_NULL ? op->arg : object->value;
    } else {
        append_text(gen, object, op->arg);
    }
}

static void apply_list(struct gen *gen, struct object *object, struct op *op) {
    if (op->f == OP_APPEND)
        gen_push(&object->items, op->arg);
    else
        op->out = list_of(gen, &object->items);
}

static void apply_counter(struct gen *gen, struct object *object, struct op *op) {
    if (op->f == OP_ADD)
        object->sum += value_at(&gen->history->values, op->arg)->integer;
    else
        op->out = gen_int(gen, object->sum);
}

static void apply_set(struct gen *gen, struct object *object, struct op *op) {
    struct gen_list *items = &object->items;
    struct values *values = &gen->history->values;
    uint32_t place = 0;
    while (place < items->count && items->at[place] != op->arg)
        place++;
    if (op->f == OP_READ)
        op->out = value_set(values, items->at, items->count);
    else if (op->f == OP_CONTAINS)
        op->out = value_bool(values, place < items->count);
    else if (op->f == OP_ADD && place == items->count)
        gen_push(items, op->arg);
    else if (op->f == OP_REMOVE && place < items->count)
        items->at[place] = items->at[--items->count];
}

static void apply_queue(struct object *object, struct op *op) {
    struct gen_list *items = &object->items;
    if (op->f == OP_ENQUEUE) {
        gen_push(items, op->arg);
        return;
    }
    op->out = items->head < items->count ? items->at[items->head++] : VALUE_NULL;
    if (items->head > 64 && items->head > items->count / 2) {
        memmove(items->at, items->at + items->head,
                (items->count - items->head) * sizeof *items->at);
        items->count -= items->head;
        items->head = 0;
    }
}

static void apply_stack(struct object *object, struct op *op) {
    if (op->f == OP_PUSH)
        gen_push(&object->items, op->arg);
    else
        op->out = object->items.count > 0 ? object->items.at[--object->items.count] : VALUE_NULL;
}

static int64_t number_at(const struct gen *gen, const struct gen_list *items, uint32_t at) {
    return value_at(&gen->history->values, items->at[at])->integer;
}

static void swap(struct gen_list *items, uint32_t a, uint32_t b) {
    uint32_t kept = items->at[a];
    items->at[a] = items->at[b];
    items->at[b] = kept;
}

/* A binary heap. */
static void apply_priority_queue(struct gen *gen, struct object *object, struct op *op) {
    struct gen_list *items = &object->items;
    uint32_t at = items->count;
    if (op->f == OP_INSERT) {
        gen_push(items, op->arg);
        for (; at > 0 && number_at(gen, items, at) < number_at(gen, items, (at - 1) / 2);
             at = (at - 1) / 2)
            swap(items, at, (at - 1) / 2);
        return;
    }
    op->out = items->count == 0 ? VALUE_NULL : items->at[0];
    if (items->count == 0)
        return;
    items->at[0] = items->at[--items->count];
    for (at = 0;;) {
        uint32_t child = 2 * at + 1;
        if (child + 1 < items->count &&
            number_at(gen, items, child + 1) < number_at(gen, items, child))
            child++;
        if (child >= items->count || number_at(gen, items, child) >= number_at(gen, items, at))
            return;
        swap(items, at, child);
        at = child;
    }
}

/* Any of them comes out. */
static uint32_t take_any(struct gen *gen, struct gen_list *items, bool stays) {
    if (items->count == 0)
        return VALUE_NULL;
    uint32_t at = gen_below(gen, items->count), taken = items->at[at];
    if (!stays)
        items->at[at] = items->at[--items->count];
    return taken;
}

static void apply_bag(struct gen *gen, struct object *object, struct op *op) {
    struct gen_list *items = &object->items;
    if (op->f == OP_ENQUEUE) {
        gen_push(items, op->arg);
    } else if (op->f == OP_DRAIN) {
        op->out = list_of(gen, items);
        items->count = 0;
    } else {
        op->out = take_any(gen, items, op->f == OP_PEEK);
    }
}

static bool is_free(const struct gen *gen, const struct object *object, const struct op *op) {
    if (gen->options.model == MODEL_SEMAPHORE)
        return object->sum + value_at(&gen->history->values, op->arg)->integer <= GEN_PERMITS;
    return object->holder == OP_NONE ||
           (gen->options.model == MODEL_REENTRANT_MUTEX && object->holder == op->process);
}

static void acquire(struct objects *objects, struct object *object, uint32_t client,
                    struct op *op) {
    struct gen *gen = objects->gen;
    int64_t permits = op->arg == VALUE_NULL ? 1 : value_at(&gen->history->values, op->arg)->integer;
    object->holder = op->process;
    objects->holds[client] = value_at(&gen->history->values, op->key)->integer;
    objects->times[client] += (uint32_t)permits;
    object->sum += permits;
    if (gen->options.model == MODEL_FENCED_MUTEX)
        op->out = gen_int(gen, object->sum);
}

static void release(struct objects *objects, struct object *object, uint32_t client,
                    const struct op *op) {
    enum model model = objects->gen->options.model;
    uint32_t permits = model == MODEL_SEMAPHORE ? objects->times[client] : 1;
    objects->times[client] -= permits;
    if (model == MODEL_SEMAPHORE)
        object->sum -= permits;
    if (objects->times[client] > 0)
        return;
    objects->holds[client] = -1;
    if (model == MODEL_MUTEX || object->holder == op->process)
        object->holder = OP_NONE;
}

/* False: it waits. */
static bool apply_lock(struct objects *objects, struct object *object, uint32_t client,
                       struct op *op) {
    struct gen *gen = objects->gen;
    bool tries = op->f == OP_TRY_ACQUIRE, gets = op->f != OP_RELEASE && is_free(gen, object, op);
    if (op->f == OP_ACQUIRE && !gets)
        return false;
    if (tries)
        op->out = value_bool(&gen->history->values, gets);
    if (gets)
        acquire(objects, object, client, op);
    else if (op->f == OP_RELEASE)
        release(objects, object, client, op);
    return true;
}

static void apply_bank(struct objects *objects, struct op *op) {
    struct values *values = &objects->gen->history->values;
    if (op->f == OP_READ) {
        op->out = gen_balances(objects, 0);
        return;
    }
    uint32_t from = VALUE_NULL, to = VALUE_NULL;
    int64_t amount = 0;
    for (uint32_t i = 0; i < 6; i += 2) {
        uint32_t value = value_items(values, op->arg)[i + 1];
        uint8_t first = value_bytes(values, value_items(values, op->arg)[i]).data[0];
        from = first == 'f' ? value : from;
        to = first == 't' ? value : to;
        amount = first == 'a' ? value_at(values, value)->integer : amount;
    }
    bool refused = objects->gen->options.model == MODEL_BANK_NONNEGATIVE &&
                   gen_object(objects, from)->sum < amount;
    if (refused)
        op->out = value_bool(values, false);
    if (refused)
        return;
    gen_object(objects, from)->sum -= amount;
    gen_object(objects, to)->sum += amount;
}

static void apply_txn(struct objects *objects, const struct op *op) {
    struct gen *gen = objects->gen;
    for (uint32_t i = 0; i < op->out; i++) {
        struct mop *mop = &gen->history->mops[op->arg + i];
        struct object *object = gen_object(objects, mop->key);
        if (mop->kind == MOP_WRITE)
            object->value = mop->value;
        else if (mop->kind == MOP_APPEND)
            gen_push(&object->items, mop->value);
        else
            mop->value =
                gen_has_lists(gen->options.model) ? list_of(gen, &object->items) : object->value;
    }
}

bool gen_objects_apply(void *system, uint32_t client, uint32_t at) {
    struct objects *objects = system;
    struct gen *gen = objects->gen;
    struct op *op = &gen->history->ops[at];
    if (op->f == OP_TXN) {
        apply_txn(objects, op);
        return true;
    }
    if (model_is_bank(gen->options.model)) {
        apply_bank(objects, op);
        return true;
    }
    struct object *object = gen_object(objects, op->key);
    if (gen_is_lock(gen->options.model))
        return apply_lock(objects, object, client, op);
    switch (gen->options.model) {
    case MODEL_APPEND:
        apply_list(gen, object, op);
        break;
    case MODEL_COUNTER:
        apply_counter(gen, object, op);
        break;
    case MODEL_SET:
        apply_set(gen, object, op);
        break;
    case MODEL_QUEUE:
        apply_queue(object, op);
        break;
    case MODEL_STACK:
        apply_stack(object, op);
        break;
    case MODEL_PRIORITY_QUEUE:
        apply_priority_queue(gen, object, op);
        break;
    case MODEL_UNORDERED_QUEUE:
        apply_bag(gen, object, op);
        break;
    case MODEL_UNIQUE_IDS:
        op->out = gen_fresh(gen);
        break;
    default:
        apply_register(gen, object, op);
    }
    return true;
}
