/* One live object of each model, on which operations take effect one after the other. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/gen_internal.h"

#include <string.h>

#define BALANCE 100
#define APPENDS_MAX 64u /* to one key of lists; then a new one takes its place */
#define TEXT_PIECE_MAX 24

/* Of a register `value`, of a container the items from head on. */
struct object {
    uint32_t value;
    int64_t sum;
    uint32_t holder; /* of a mutex: a client, OP_NONE: nobody */
    struct gen_list items;
};

struct objects {
    struct gen *gen;
    struct object *at;
    uint32_t count, cap;
    uint32_t *slots; /* of models with lists: the present keys */
    int64_t *holds;  /* by client: the mutex that it holds, -1: none */
};

void gen_push(struct gen_list *list, uint32_t number) {
    if (list->count == list->cap) {
        list->cap += list->cap / 2 + 8;
        list->at = cairn_realloc(list->at, list->cap * sizeof *list->at);
    }
    list->at[list->count++] = number;
}

static struct object *object_of(struct objects *objects, uint32_t key) {
    int64_t number = value_at(&objects->gen->history->values, key)->integer;
    cairn_assert(number >= 0 && number < UINT32_MAX);
    while (objects->count <= number) {
        if (objects->count == objects->cap) {
            objects->cap += objects->cap / 2 + 16;
            objects->at = cairn_realloc(objects->at, objects->cap * sizeof *objects->at);
        }
        objects->at[objects->count++] = (struct object){.value = VALUE_NULL, .holder = OP_NONE};
    }
    return &objects->at[number];
}

static bool has_lists(enum model model) {
    return model == MODEL_APPEND || model == MODEL_TXN_APPEND;
}

static uint32_t present_key(void *context) {
    struct objects *objects = context;
    struct gen *gen = objects->gen;
    if (!has_lists(gen->options.model))
        return gen_key(gen);
    uint32_t slot = gen_below(gen, gen->options.keys);
    uint32_t key = gen_int(gen, objects->slots[slot]);
    if (object_of(objects, key)->items.count >= APPENDS_MAX)
        key = gen_int(gen, objects->slots[slot] = (uint32_t)gen->fresh_key++);
    return key;
}

/* A map of all balances. */
static uint32_t balances(struct objects *objects, int64_t extra) {
    struct gen *gen = objects->gen;
    uint32_t keys = gen->options.keys;
    uint32_t *items = cairn_alloc(2 * (size_t)keys * sizeof *items);
    for (uint32_t i = 0; i < keys; i++) {
        items[2 * i] = gen_int(gen, i);
        items[2 * i + 1] = gen_int(gen, object_of(objects, items[2 * i])->sum + extra);
    }
    uint32_t map = value_map(&gen->history->values, items, 2 * keys);
    cairn_free(items);
    return map;
}

static void *objects_open(struct gen *gen) {
    struct objects *objects = cairn_alloc_zero(sizeof *objects);
    objects->gen = gen;
    objects->slots = cairn_alloc(gen->options.keys * sizeof *objects->slots);
    objects->holds = cairn_alloc(gen->options.clients * sizeof *objects->holds);
    for (uint32_t i = 0; i < gen->options.keys; i++)
        objects->slots[i] = i;
    memset(objects->holds, 0xff, gen->options.clients * sizeof *objects->holds);
    if (gen->options.model == MODEL_BANK)
        gen->history->initial = balances(objects, BALANCE);
    for (uint32_t i = 0; i < gen->options.keys && gen->options.model == MODEL_BANK; i++)
        object_of(objects, gen_int(gen, i))->sum = BALANCE;
    return objects;
}

static void objects_close(void *system) {
    struct objects *objects = system;
    for (uint32_t i = 0; i < objects->count; i++)
        cairn_free(objects->at[i].items.at);
    cairn_free(objects->at);
    cairn_free(objects->slots);
    cairn_free(objects->holds);
    cairn_free(objects);
}

/* ---- what a client asks for ---- */

/* Of texts, so that some can be appended to. */
static uint32_t text_value(struct gen *gen) {
    char text[TEXT_PIECE_MAX];
    size_t at = sizeof text;
    uint64_t number = (uint64_t)value_at(&gen->history->values, gen_value(gen))->integer;
    text[--at] = ';';
    do
        text[--at] = (char)('0' + number % 10);
    while ((number /= 10) != 0);
    return value_text(&gen->history->values, bytes_of(text + at, sizeof text - at));
}

/* [from to]: half of the time from what is there at the moment. */
static uint32_t cas_value(struct objects *objects, uint32_t key, bool text) {
    struct gen *gen = objects->gen;
    uint32_t to = text ? text_value(gen) : gen_value(gen);
    uint32_t now = object_of(objects, key)->value;
    int64_t low = now != VALUE_NULL && !text ? value_at(&gen->history->values, now)->integer : 1;
    uint32_t from = gen_chance(gen, 50)        ? now
                    : gen->options.values != 0 ? gen_value(gen)
                                               : gen_int(gen, low > 1 ? low - 1 : 1);
    return value_list(&gen->history->values, (uint32_t[]){from, to}, 2);
}

static void choose_kv(struct objects *objects, struct op *op) {
    static const enum op_f all[] = {OP_READ,   OP_READ, OP_READ,          OP_WRITE, OP_APPEND,
                                    OP_APPEND, OP_CAS,  OP_SET_IF_ABSENT, OP_SWAP,  OP_DELETE};
    struct gen *gen = objects->gen;
    op->f = all[gen_below(gen, sizeof all / sizeof *all)];
    if (op->f == OP_CAS)
        op->arg = cas_value(objects, op->key, true);
    else if (op->f != OP_READ && op->f != OP_DELETE)
        op->arg = text_value(gen);
}

/* The whole is read more rarely the more it is. */
static bool reads_whole(struct objects *objects, uint32_t key, uint32_t percent) {
    uint32_t len = object_of(objects, key)->items.count;
    return gen_below(objects->gen, 100 + 2 * len) < percent;
}

static void choose_set(struct objects *objects, struct op *op) {
    static const enum op_f all[] = {OP_ADD, OP_ADD, OP_REMOVE, OP_CONTAINS};
    struct gen *gen = objects->gen;
    struct gen_list *items = &object_of(objects, op->key)->items;
    if (reads_whole(objects, op->key, 20)) {
        op->f = OP_READ;
        return;
    }
    op->f = all[gen_below(gen, sizeof all / sizeof *all)];
    op->arg = op->f == OP_ADD || items->count == 0 || gen_chance(gen, 10)
                  ? gen_value(gen)
                  : items->at[gen_below(gen, items->count)];
}

static void choose_container(struct objects *objects, struct op *op, enum op_f in, enum op_f out) {
    op->f = out;
    if (gen_chance(objects->gen, 50)) {
        op->f = in;
        op->arg = gen_value(objects->gen);
    }
}

static void choose_mutex(struct objects *objects, uint32_t client, struct op *op) {
    bool holds = objects->holds[client] >= 0;
    op->f = holds ? OP_RELEASE : OP_ACQUIRE;
    if (holds)
        op->key = gen_int(objects->gen, objects->holds[client]);
}

static void choose_transfer(struct gen *gen, struct op *op) {
    struct values *values = &gen->history->values;
    op->key = VALUE_NULL;
    op->f = gen_chance(gen, 40) ? OP_READ : OP_TRANSFER;
    if (op->f == OP_READ)
        return;
    uint32_t items[] = {value_text(values, BYTES("from")),   gen_key(gen),
                        value_text(values, BYTES("to")),     gen_key(gen),
                        value_text(values, BYTES("amount")), gen_int(gen, 1 + gen_below(gen, 5))};
    op->arg = value_map(values, items, 6);
}

static void objects_choose(void *system, uint32_t client, uint32_t at) {
    struct objects *objects = system;
    struct gen *gen = objects->gen;
    enum model model = gen->options.model;
    if (model_transactional(model) || model == MODEL_MULTI_REGISTER) {
        gen_choose_txn(gen, at, present_key, objects, true);
        return;
    }
    uint32_t key = present_key(objects);
    struct op *op = &gen->history->ops[at];
    op->key = key;
    op->f = gen_chance(gen, 50) ? OP_READ : OP_WRITE;
    if (model == MODEL_CAS_REGISTER && gen_chance(gen, 33)) {
        op->f = OP_CAS;
        op->arg = cas_value(objects, key, false);
    } else if (model == MODEL_KV) {
        choose_kv(objects, op);
    } else if (model == MODEL_APPEND) {
        op->f = reads_whole(objects, key, 50) ? OP_READ : OP_APPEND;
        op->arg = op->f == OP_APPEND ? gen_value(gen) : VALUE_NULL;
    } else if (model == MODEL_COUNTER) {
        op->f = op->f == OP_WRITE ? OP_ADD : OP_READ;
        op->arg = op->f == OP_ADD ? gen_int(gen, 1 + gen_below(gen, 5)) : VALUE_NULL;
    } else if (model == MODEL_SET) {
        choose_set(objects, op);
    } else if (model == MODEL_QUEUE) {
        choose_container(objects, op, OP_ENQUEUE, OP_DEQUEUE);
    } else if (model == MODEL_STACK) {
        choose_container(objects, op, OP_PUSH, OP_POP);
    } else if (model == MODEL_PRIORITY_QUEUE) {
        choose_container(objects, op, OP_INSERT, OP_DELETE_MIN);
    } else if (model == MODEL_MUTEX) {
        choose_mutex(objects, client, op);
    } else if (model == MODEL_BANK) {
        choose_transfer(gen, op);
    } else if (op->f == OP_WRITE) {
        op->arg = gen_value(gen);
    }
}

/* ---- what it does ---- */

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

static bool apply_mutex(struct objects *objects, struct object *object, uint32_t client,
                        struct op *op) {
    if (op->f == OP_ACQUIRE && object->holder != OP_NONE)
        return false;
    object->holder = op->f == OP_ACQUIRE ? client : OP_NONE;
    objects->holds[client] =
        op->f == OP_ACQUIRE ? value_at(&objects->gen->history->values, op->key)->integer : -1;
    return true;
}

static void apply_bank(struct objects *objects, struct op *op) {
    struct values *values = &objects->gen->history->values;
    if (op->f == OP_READ) {
        op->out = balances(objects, 0);
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
    object_of(objects, from)->sum -= amount;
    object_of(objects, to)->sum += amount;
}

static void apply_txn(struct objects *objects, const struct op *op) {
    struct gen *gen = objects->gen;
    for (uint32_t i = 0; i < op->out; i++) {
        struct mop *mop = &gen->history->mops[op->arg + i];
        struct object *object = object_of(objects, mop->key);
        if (mop->kind == MOP_WRITE)
            object->value = mop->value;
        else if (mop->kind == MOP_APPEND)
            gen_push(&object->items, mop->value);
        else
            mop->value =
                has_lists(gen->options.model) ? list_of(gen, &object->items) : object->value;
    }
}

static bool objects_apply(void *system, uint32_t client, uint32_t at) {
    struct objects *objects = system;
    struct gen *gen = objects->gen;
    struct op *op = &gen->history->ops[at];
    if (op->f == OP_TXN) {
        apply_txn(objects, op);
        return true;
    }
    struct object *object = gen->options.model == MODEL_BANK ? NULL : object_of(objects, op->key);
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
    case MODEL_MUTEX:
        return apply_mutex(objects, object, client, op);
    case MODEL_BANK:
        apply_bank(objects, op);
        break;
    default:
        apply_register(gen, object, op);
    }
    return true;
}

/* The holder of a mutex that nobody knows would keep it for ever. */
static bool objects_may_lose(void *system, uint32_t at) {
    const struct objects *objects = system;
    return objects->gen->history->ops[at].f != OP_ACQUIRE;
}

const struct gen_system gen_objects = {.open = objects_open,
                                       .close = objects_close,
                                       .choose = objects_choose,
                                       .apply = objects_apply,
                                       .may_lose = objects_may_lose};
