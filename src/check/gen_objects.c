/* One live object of each model, on which operations take effect one after the other. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/answers.h"
#include "check/gen_objects.h"

#include <string.h>

#define BALANCE 100
#define TIMES_MAX 3u    /* that a process takes a lock before it gives it back */
#define APPENDS_MAX 64u /* to one key of lists; then a new one takes its place */
#define TEXT_PIECE_MAX 24

void gen_push(struct gen_list *list, uint32_t number) {
    if (list->count == list->cap) {
        list->cap += list->cap / 2 + 8;
        list->at = cairn_realloc(list->at, list->cap * sizeof *list->at);
    }
    list->at[list->count++] = number;
}

struct object *gen_object(struct objects *objects, uint32_t key) {
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

bool gen_has_lists(enum model model) {
    return model == MODEL_APPEND || model == MODEL_TXN_APPEND;
}

static uint32_t present_key(void *context) {
    struct objects *objects = context;
    struct gen *gen = objects->gen;
    if (!gen_has_lists(gen->options.model))
        return gen_key(gen);
    uint32_t slot = gen_below(gen, gen->options.keys);
    uint32_t key = gen_int(gen, objects->slots[slot]);
    if (gen_object(objects, key)->items.count >= APPENDS_MAX)
        key = gen_int(gen, objects->slots[slot] = (uint32_t)gen->fresh_key++);
    return key;
}

/* A map of all balances. */
uint32_t gen_balances(struct objects *objects, int64_t extra) {
    struct gen *gen = objects->gen;
    uint32_t keys = gen->options.keys;
    uint32_t *items = cairn_alloc(2 * (size_t)keys * sizeof *items);
    for (uint32_t i = 0; i < keys; i++) {
        items[2 * i] = gen_int(gen, i);
        items[2 * i + 1] = gen_int(gen, gen_object(objects, items[2 * i])->sum + extra);
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
    objects->times = cairn_alloc_zero(gen->options.clients * sizeof *objects->times);
    memset(objects->holds, 0xff, gen->options.clients * sizeof *objects->holds);
    bool bank = model_is_bank(gen->options.model);
    if (bank)
        gen->history->initial = gen_balances(objects, BALANCE);
    if (gen->options.model == MODEL_SEMAPHORE)
        gen->history->initial = gen_int(gen, GEN_PERMITS);
    for (uint32_t i = 0; i < gen->options.keys && bank; i++)
        gen_object(objects, gen_int(gen, i))->sum = BALANCE;
    return objects;
}

static void objects_close(void *system) {
    struct objects *objects = system;
    for (uint32_t i = 0; i < objects->count; i++)
        cairn_free(objects->at[i].items.at);
    cairn_free(objects->at);
    cairn_free(objects->slots);
    cairn_free(objects->holds);
    cairn_free(objects->times);
    cairn_free(objects);
}

/* ---- what a client asks for ---- */

bool gen_is_lock(enum model model) {
    return answers_has(model, OP_ACQUIRE);
}

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
    uint32_t now = gen_object(objects, key)->value;
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
    uint32_t len = gen_object(objects, key)->items.count;
    return gen_below(objects->gen, 100 + 2 * len) < percent;
}

static void choose_set(struct objects *objects, struct op *op) {
    static const enum op_f all[] = {OP_ADD, OP_ADD, OP_REMOVE, OP_CONTAINS};
    struct gen *gen = objects->gen;
    struct gen_list *items = &gen_object(objects, op->key)->items;
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

/* Reentrant mutexes and semaphores are taken more than once. */
static void choose_lock(struct objects *objects, uint32_t client, struct op *op) {
    struct gen *gen = objects->gen;
    enum model model = gen->options.model;
    bool again = model == MODEL_REENTRANT_MUTEX && objects->times[client] < TIMES_MAX;
    bool holds = objects->holds[client] >= 0;
    op->f = holds && !(again && gen_chance(gen, 40)) ? OP_RELEASE
            : gen_chance(gen, 25)                    ? OP_TRY_ACQUIRE
                                                     : OP_ACQUIRE;
    if (holds)
        op->key = gen_int(gen, objects->holds[client]);
    if (model == MODEL_SEMAPHORE)
        op->arg = gen_int(gen, holds ? objects->times[client] : 1 + gen_below(gen, GEN_PERMITS));
}

static void choose_bag(struct objects *objects, struct op *op) {
    choose_container(objects, op, OP_ENQUEUE, OP_DEQUEUE);
    if (op->f == OP_DEQUEUE && gen_chance(objects->gen, 20))
        op->f = gen_chance(objects->gen, 30) ? OP_DRAIN : OP_PEEK;
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
    } else if (model == MODEL_UNORDERED_QUEUE) {
        choose_bag(objects, op);
    } else if (gen_is_lock(model)) {
        choose_lock(objects, client, op);
    } else if (model_is_bank(model)) {
        choose_transfer(gen, op);
    } else if (model == MODEL_UNIQUE_IDS) {
        op->f = OP_GENERATE;
    } else if (op->f == OP_WRITE) {
        op->arg = gen_value(gen);
    }
}

/* A lock whose holder is not known would be held for ever; and so would one that the process under
 * which its client goes on can't give back. */
static bool objects_may_lose(void *system, uint32_t at) {
    const struct objects *objects = system;
    enum op_f f = objects->gen->history->ops[at].f;
    return f != OP_ACQUIRE && f != OP_TRY_ACQUIRE &&
           (f != OP_RELEASE || objects->gen->options.model == MODEL_MUTEX);
}

const struct gen_system gen_objects = {.open = objects_open,
                                       .close = objects_close,
                                       .choose = objects_choose,
                                       .apply = gen_objects_apply,
                                       .may_lose = objects_may_lose};
