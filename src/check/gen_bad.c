/* A few operations that violate a level, and as little else as possible, by processes and on keys
 * of their own, so that nothing around them can excuse them. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/gen_internal.h"

#include <string.h>

#define PROCESSES 4u
#define KEYS 2u
#define VALUES 4u

/* Steps apart by blanks: a process, a colon, and its operations: r or w, a key, and which value of
 * that key (0: none was written). A step with several is a transaction. A list is read with all
 * that was appended up to that value. */
static const struct {
    enum level level;
    const char *steps;
} scripts[] = {
    {LEVEL_LINEARIZABLE, "a:wx1 a:wx2 b:rx1"},
    {LEVEL_SEQUENTIAL, "a:wx1 b:wy1 c:rx1 c:ry0 d:ry1 d:rx0"},
    {LEVEL_CAUSAL_CONVERGENCE, "a:wx1 b:wx2 c:rx1 c:rx2 d:rx2 d:rx1"},
    {LEVEL_CAUSAL_MEMORY, "a:wx1 a:wx2 b:rx2 b:wy1 c:ry1 c:rx1"},
    {LEVEL_CAUSAL, "a:wx1 a:wx2 b:rx2 b:wy1 c:ry1 c:rx1"},
    {LEVEL_PRAM, "a:wx1 a:wx2 b:rx2 b:rx1"},
    {LEVEL_PER_KEY_SEQUENTIAL, "a:wx1 a:wx2 b:rx2 b:rx1"},
    {LEVEL_READ_YOUR_WRITES, "a:wx1 a:rx0"},
    {LEVEL_MONOTONIC_READS, "a:wx1 a:wx2 b:rx1 b:rx2 b:rx1"},
    {LEVEL_MONOTONIC_WRITES, "a:wx1 a:wx2 b:rx2 b:rx1"},
    {LEVEL_WRITES_FOLLOW_READS, "a:wx1 b:rx1 b:wx2 c:rx2 c:rx1"},
    {LEVEL_CONVERGENCE, "a:wx1 b:wx2 c:rx1 d:rx2"},
    {LEVEL_STRICT_SERIALIZABLE, "a:wx1 a:wx2 b:rx1"},
    {LEVEL_STRONG_SNAPSHOT_ISOLATION, "a:wx1 a:wx2 b:rx1"},
    {LEVEL_SESSION_SERIALIZABLE, "b:ry0wx1 a:wy1 a:rx0"},
    {LEVEL_SERIALIZABLE, "a:wx1wy1 b:rx1ry1wx2 c:rx1ry1wy2 d:rx2ry2"},
    {LEVEL_SESSION_SNAPSHOT_ISOLATION, "b:wx1 b:wy1 a:rx0wy2 b:ry2"},
    {LEVEL_SNAPSHOT_ISOLATION, "a:wx1 b:rx1wx2 c:rx1wx3 d:rx3"},
    {LEVEL_SESSION_PREFIX, "b:wx1wy1 a:wy2 a:rx0 d:rx1ry2"},
    {LEVEL_PREFIX, "a:wx1wy1 a:wx2 b:wy2 c:rx2ry1 d:rx1ry2"},
    {LEVEL_TXN_CAUSAL, "a:wx1 a:wx2 b:rx2wy1 c:ry1rx1"},
    {LEVEL_SESSION_READ_ATOMIC, "a:wx1 a:rx0"},
    {LEVEL_READ_ATOMIC, "a:wx1wy1 a:wx2wy2 b:ry1rx2"},
    {LEVEL_SESSION_ATOMIC_VIEW, "a:wx1 a:wx2 b:rx2rx1"},
    {LEVEL_ATOMIC_VIEW, "a:wx1wy1 b:ry1rx0"},
    {LEVEL_SESSION_READ_COMMITTED, "a:rx1 a:wx1"},
    {LEVEL_READ_COMMITTED, "a:wx1ry1 b:wy1rx1"},
};

/* Of objects other than registers: operations with `y` for what was put in, and answers. */
struct act {
    enum model model;
    uint8_t process;
    enum op_f f;
    enum { NOTHING, ELEMENT, EMPTY_LIST, ZERO } arg, out; /* also: a token, an identifier */
};
static const struct act acts[] = {
    {MODEL_APPEND, 0, OP_APPEND, ELEMENT, NOTHING},
    {MODEL_APPEND, 1, OP_READ, NOTHING, EMPTY_LIST},
    {MODEL_COUNTER, 0, OP_ADD, ELEMENT, NOTHING},
    {MODEL_COUNTER, 1, OP_READ, NOTHING, ZERO},
    {MODEL_SET, 0, OP_ADD, ELEMENT, NOTHING},
    {MODEL_SET, 1, OP_READ, NOTHING, EMPTY_LIST},
    {MODEL_QUEUE, 0, OP_ENQUEUE, ELEMENT, NOTHING},
    {MODEL_QUEUE, 1, OP_DEQUEUE, NOTHING, ELEMENT},
    {MODEL_QUEUE, 1, OP_DEQUEUE, NOTHING, ELEMENT},
    {MODEL_UNORDERED_QUEUE, 0, OP_ENQUEUE, ELEMENT, NOTHING},
    {MODEL_UNORDERED_QUEUE, 1, OP_DEQUEUE, NOTHING, ELEMENT},
    {MODEL_UNORDERED_QUEUE, 1, OP_DEQUEUE, NOTHING, ELEMENT},
    {MODEL_STACK, 0, OP_PUSH, ELEMENT, NOTHING},
    {MODEL_STACK, 1, OP_POP, NOTHING, ELEMENT},
    {MODEL_STACK, 1, OP_POP, NOTHING, ELEMENT},
    {MODEL_PRIORITY_QUEUE, 0, OP_INSERT, ELEMENT, NOTHING},
    {MODEL_PRIORITY_QUEUE, 1, OP_DELETE_MIN, NOTHING, ELEMENT},
    {MODEL_PRIORITY_QUEUE, 1, OP_DELETE_MIN, NOTHING, ELEMENT},
    {MODEL_MUTEX, 0, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_MUTEX, 1, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_OWNED_MUTEX, 0, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_OWNED_MUTEX, 1, OP_RELEASE, NOTHING, NOTHING},
    {MODEL_REENTRANT_MUTEX, 0, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_REENTRANT_MUTEX, 1, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_FENCED_MUTEX, 0, OP_ACQUIRE, NOTHING, ELEMENT},
    {MODEL_FENCED_MUTEX, 0, OP_RELEASE, NOTHING, NOTHING},
    {MODEL_FENCED_MUTEX, 1, OP_ACQUIRE, NOTHING, ELEMENT},
    {MODEL_SEMAPHORE, 0, OP_ACQUIRE, NOTHING, NOTHING},
    {MODEL_SEMAPHORE, 0, OP_RELEASE, NOTHING, NOTHING},
    {MODEL_SEMAPHORE, 1, OP_RELEASE, NOTHING, NOTHING},
    {MODEL_UNIQUE_IDS, 0, OP_GENERATE, NOTHING, ELEMENT},
    {MODEL_UNIQUE_IDS, 1, OP_GENERATE, NOTHING, ELEMENT},
};

struct violation {
    struct gen *gen;
    uint32_t processes[PROCESSES], keys[KEYS], values[KEYS][VALUES];
};

static uint32_t read_value(struct violation *of, unsigned key, unsigned value) {
    struct gen *gen = of->gen;
    if (gen->options.model == MODEL_TXN_APPEND)
        return value_list(&gen->history->values, of->values[key] + 1, value);
    return value == 0 ? VALUE_NULL : of->values[key][value];
}

static void one_mop(struct violation *of, uint32_t op, const char *text) {
    struct gen *gen = of->gen;
    unsigned key = (unsigned)(text[1] - 'x'), value = (unsigned)(text[2] - '0');
    cairn_assert(key < KEYS && value < VALUES);
    bool reads = text[0] == 'r';
    uint32_t id = reads ? read_value(of, key, value) : of->values[key][value];
    if (gen->history->ops[op].f == OP_TXN) {
        enum mop_kind kind = reads                                    ? MOP_READ
                             : gen->options.model == MODEL_TXN_APPEND ? MOP_APPEND
                                                                      : MOP_WRITE;
        *history_mop(gen->history) = (struct mop){kind, of->keys[key], id};
        gen->history->ops[op].out++;
        return;
    }
    struct op *at = &gen->history->ops[op];
    at->key = of->keys[key];
    at->f = reads ? OP_READ : OP_WRITE;
    *(reads ? &at->out : &at->arg) = id;
}

static void play_steps(struct violation *of, const char *at) {
    struct gen *gen = of->gen;
    bool txns =
        model_transactional(gen->options.model) || gen->options.model == MODEL_MULTI_REGISTER;
    while (*at != 0) {
        uint32_t op = gen_call(gen, of->processes[*at - 'a']);
        if (txns) {
            gen->history->ops[op].f = OP_TXN;
            gen->history->ops[op].arg = gen->history->mop_count;
            gen->history->ops[op].out = 0;
        }
        for (at += 2; *at != ' ' && *at != 0; at += 3)
            one_mop(of, op, at);
        gen_return(gen, op);
        at += *at == ' ';
    }
}

static void play_act(struct violation *of, const struct act *act) {
    struct gen *gen = of->gen;
    uint32_t of_kind[] = {VALUE_NONE, of->values[0][1], value_list(&gen->history->values, NULL, 0),
                          gen_int(gen, 0)};
    uint32_t at = gen_call(gen, of->processes[act->process]);
    struct op *op = &gen->history->ops[at];
    op->f = act->f;
    op->key = of->keys[0];
    op->arg = act->arg == NOTHING ? VALUE_NULL : of_kind[act->arg];
    op->out = of_kind[act->out];
    gen_return(gen, at);
}

/* Money from nowhere. */
static void play_bank(struct violation *of) {
    struct gen *gen = of->gen;
    struct values *values = &gen->history->values;
    uint32_t len = value_at(values, gen->history->initial)->len;
    uint32_t at = gen_call(gen, of->processes[0]);
    struct gen_list items = {0};
    for (uint32_t i = 0; i < len; i++)
        gen_push(&items, value_items(values, gen->history->initial)[i]);
    items.at[1] = gen_int(gen, value_at(values, items.at[1])->integer + 1);
    gen->history->ops[at].f = OP_READ;
    gen->history->ops[at].out = value_map(values, items.at, len);
    cairn_free(items.at);
    gen_return(gen, at);
}

void gen_violate(struct gen *gen) {
    struct violation of = {.gen = gen};
    for (unsigned i = 0; i < PROCESSES; i++)
        of.processes[i] = gen_process(gen);
    for (unsigned key = 0; key < KEYS; key++) {
        of.keys[key] = gen_int(gen, gen->fresh_key++);
        for (unsigned i = 1; i < VALUES; i++)
            of.values[key][i] = gen_fresh(gen);
    }
    if (model_is_bank(gen->options.model))
        play_bank(&of);
    for (size_t i = 0; i < sizeof acts / sizeof *acts; i++)
        if (acts[i].model == gen->options.model)
            play_act(&of, &acts[i]);
    bool registers =
        gen->options.model <= MODEL_MULTI_REGISTER || model_transactional(gen->options.model);
    for (size_t i = 0; registers && i < sizeof scripts / sizeof *scripts; i++)
        if (scripts[i].level == gen->options.level)
            play_steps(&of, scripts[i].steps);
}

/* ---- transactions that are chosen at random, shared by the systems ---- */

static bool was_written(const struct gen *gen, const struct op *op, uint32_t key) {
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &gen->history->mops[op->arg + i];
        if (mop->key == key && mop->kind != MOP_READ)
            return true;
    }
    return false;
}

void gen_choose_txn(struct gen *gen, uint32_t at, uint32_t (*key)(void *context), void *context,
                    bool own) {
    enum mop_kind change = gen->options.model == MODEL_TXN_APPEND ? MOP_APPEND : MOP_WRITE;
    uint32_t count = 1 + gen_below(gen, GEN_TXN_MAX);
    gen->history->ops[at].f = OP_TXN;
    gen->history->ops[at].arg = gen->history->mop_count;
    gen->history->ops[at].out = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t id = key(context);
        bool again = was_written(gen, &gen->history->ops[at], id);
        bool reads = gen_chance(gen, 50);
        /* One write of a key a transaction, so that no intermediate value is left about. */
        if (again && (!reads || !own))
            continue;
        uint32_t value = reads ? VALUE_NONE : gen_value(gen);
        *history_mop(gen->history) = (struct mop){reads ? MOP_READ : change, id, value};
        gen->history->ops[at].out++;
    }
}
