/* Registers on replicas, one a client, between which writes travel: each writer's in its order, and
 * where the level is causal, after whatever its writer had seen. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/gen_internal.h"

#include <string.h>

#define FLYING_MAX 4096u /* writes that may be under way; older ones arrive at once */
#define RECENT 64u

struct gen_write {
    uint32_t key, value, sender, next; /* next: of the same sender */
    uint64_t stamp;
};

struct replicas {
    struct gen *gen;
    uint32_t clients, keys;
    bool causal, merges, own_at_once;
    struct gen_write *writes;
    uint32_t count, cap;
    uint32_t *deps;   /* [write % FLYING_MAX][client]: how many of each its writer had seen */
    uint32_t *seen;   /* [replica][sender]: how many of the sender's writes arrived */
    uint32_t *coming; /* [replica][sender]: the next to arrive, OP_NONE: there is none yet */
    uint32_t *sent;   /* [sender]: how many */
    uint32_t *last;   /* [sender]: its last write */
    uint32_t *at;     /* [replica][key]: the write that it holds, OP_NONE */
    uint64_t *clocks;
    uint32_t *own; /* [client][key]: its own last write (read-your-writes) */
    struct gen_list *of_key;
    uint8_t *speeds;   /* [replica][sender]: per cent */
    uint32_t all_have; /* writes before this have arrived everywhere */
};

static uint32_t *filled(size_t count) {
    return cairn_alloc_ones(count * sizeof(uint32_t));
}

static void *replicas_open(struct gen *gen) {
    struct replicas *r = cairn_alloc_zero(sizeof *r);
    enum level level = gen->options.level;
    size_t clients = gen->options.clients, keys = gen->options.keys;
    r->gen = gen;
    r->clients = gen->options.clients;
    r->keys = gen->options.keys;
    r->merges = level == LEVEL_CAUSAL_CONVERGENCE || level == LEVEL_CONVERGENCE;
    r->causal = level != LEVEL_PRAM && level != LEVEL_MONOTONIC_WRITES &&
                level != LEVEL_CONVERGENCE && level != LEVEL_READ_YOUR_WRITES;
    r->own_at_once = level != LEVEL_MONOTONIC_WRITES && level != LEVEL_WRITES_FOLLOW_READS;
    r->deps = cairn_alloc(FLYING_MAX * clients * sizeof *r->deps);
    r->seen = cairn_alloc_zero(clients * clients * sizeof *r->seen);
    r->coming = filled(clients * clients);
    r->sent = cairn_alloc_zero(clients * sizeof *r->sent);
    r->last = filled(clients);
    r->at = filled(clients * keys);
    r->clocks = cairn_alloc_zero(clients * sizeof *r->clocks);
    r->own = filled(clients * keys);
    r->speeds = gen_speeds(gen);
    r->of_key = cairn_alloc_zero(keys * sizeof *r->of_key);
    return r;
}

static void replicas_close(void *system) {
    struct replicas *r = system;
    for (uint32_t i = 0; i < r->keys; i++)
        cairn_free(r->of_key[i].at);
    cairn_free(r->of_key);
    cairn_free(r->own);
    cairn_free(r->speeds);
    cairn_free(r->clocks);
    cairn_free(r->at);
    cairn_free(r->last);
    cairn_free(r->sent);
    cairn_free(r->coming);
    cairn_free(r->seen);
    cairn_free(r->deps);
    cairn_free(r->writes);
    cairn_free(r);
}

static void replicas_choose(void *system, uint32_t client, uint32_t at) {
    struct replicas *r = system;
    struct op *op = &r->gen->history->ops[at];
    op->key = gen_key(r->gen);
    op->f = gen_chance(r->gen, 50) ? OP_READ : OP_WRITE;
    if (op->f == OP_WRITE)
        op->arg = gen_value(r->gen);
}

static bool newer(const struct gen_write *a, const struct gen_write *b) {
    return a->stamp != b->stamp ? a->stamp > b->stamp : a->sender > b->sender;
}

static void arrive(struct replicas *r, uint32_t replica, uint32_t write) {
    const struct gen_write *w = &r->writes[write];
    uint32_t *held = &r->at[(size_t)replica * r->keys + w->key];
    size_t pair = (size_t)replica * r->clients + w->sender;
    cairn_assert(r->coming[pair] == write);
    if (*held == OP_NONE || !r->merges || newer(w, &r->writes[*held]))
        *held = write;
    if (r->clocks[replica] < w->stamp)
        r->clocks[replica] = w->stamp;
    r->seen[pair]++;
    r->coming[pair] = w->next;
}

static bool may_arrive(const struct replicas *r, uint32_t replica, uint32_t write) {
    const uint32_t *deps = r->deps + (size_t)(write % FLYING_MAX) * r->clients;
    const uint32_t *seen = r->seen + (size_t)replica * r->clients;
    for (uint32_t i = 0; r->causal && i < r->clients; i++)
        if (i != r->writes[write].sender && deps[i] > seen[i])
            return false;
    return true;
}

/* In the order of writing, which is causal and each writer's. */
static void arrive_everywhere(struct replicas *r, uint32_t up_to) {
    for (; r->all_have < up_to; r->all_have++)
        for (uint32_t replica = 0; replica < r->clients; replica++)
            if (r->coming[(size_t)replica * r->clients + r->writes[r->all_have].sender] ==
                r->all_have)
                arrive(r, replica, r->all_have);
}

static void replicas_drift(void *system) {
    struct replicas *r = system;
    for (uint32_t i = 0; i <= r->clients / 4; i++) {
        uint32_t replica = gen_below(r->gen, r->clients), sender = gen_below(r->gen, r->clients);
        size_t pair = (size_t)replica * r->clients + sender;
        uint32_t write = r->coming[pair];
        if (gen_chance(r->gen, r->speeds[pair]) && write != OP_NONE &&
            may_arrive(r, replica, write))
            arrive(r, replica, write);
    }
}

static uint32_t add_write(struct replicas *r, uint32_t client, uint32_t key, uint32_t value) {
    if (r->count == r->cap) {
        r->cap += r->cap / 2 + 64;
        r->writes = cairn_realloc(r->writes, r->cap * sizeof *r->writes);
    }
    uint32_t at = r->count++;
    uint64_t stamp = ++r->clocks[client];
    r->writes[at] = (struct gen_write){key, value, client, OP_NONE, stamp};
    memcpy(r->deps + (size_t)(at % FLYING_MAX) * r->clients, r->seen + (size_t)client * r->clients,
           r->clients * sizeof *r->deps);
    if (r->last[client] != OP_NONE)
        r->writes[r->last[client]].next = at;
    r->last[client] = at;
    for (uint32_t replica = 0; replica < r->clients; replica++) {
        size_t pair = (size_t)replica * r->clients + client;
        if (r->seen[pair] == r->sent[client])
            r->coming[pair] = at;
    }
    r->sent[client]++;
    return at;
}

static void write(struct replicas *r, uint32_t client, uint32_t key, uint32_t value) {
    if (r->count - r->all_have >= FLYING_MAX - 1)
        arrive_everywhere(r, r->count - FLYING_MAX / 2);
    uint32_t at = add_write(r, client, key, value);
    if (r->own_at_once)
        arrive(r, client, at);
    r->own[(size_t)client * r->keys + key] = at;
    gen_push(&r->of_key[key], at);
}

/* Read-your-writes alone: anything that others wrote, or the own last write. */
static uint32_t read_any(struct replicas *r, uint32_t client, uint32_t key) {
    const struct gen_list *list = &r->of_key[key];
    uint32_t own = r->own[(size_t)client * r->keys + key];
    uint32_t from = list->count > RECENT ? list->count - RECENT : 0;
    if (list->count == 0)
        return VALUE_NULL;
    uint32_t chosen = list->at[from + gen_below(r->gen, list->count - from)];
    if (r->writes[chosen].sender == client)
        chosen = own;
    return r->writes[chosen].value;
}

static uint32_t read(struct replicas *r, uint32_t client, uint32_t key) {
    if (r->gen->options.level == LEVEL_READ_YOUR_WRITES)
        return read_any(r, client, key);
    uint32_t held = r->at[(size_t)client * r->keys + key];
    return held == OP_NONE ? VALUE_NULL : r->writes[held].value;
}

static bool replicas_apply(void *system, uint32_t client, uint32_t at) {
    struct replicas *r = system;
    struct op *op = &r->gen->history->ops[at];
    uint32_t key = (uint32_t)value_at(&r->gen->history->values, op->key)->integer;
    if (op->f == OP_WRITE)
        write(r, client, key, op->arg);
    else
        op->out = read(r, client, key);
    return true;
}

/* For convergence: each key is written once more, everything arrives, every process reads all. */
static void replicas_settle(void *system) {
    struct replicas *r = system;
    struct gen *gen = r->gen;
    if (gen->options.level != LEVEL_CONVERGENCE)
        return;
    uint32_t writer = gen_process(gen);
    arrive_everywhere(r, r->count);
    for (uint32_t key = 0; key < r->keys; key++) {
        uint32_t at = gen_call(gen, writer);
        gen->history->ops[at].f = OP_WRITE;
        gen->history->ops[at].key = gen_int(gen, key);
        gen->history->ops[at].arg = gen_fresh(gen);
        r->clocks[0]++;
        write(r, 0, key, gen->history->ops[at].arg);
        gen_return(gen, at);
    }
    arrive_everywhere(r, r->count);
    for (uint32_t client = 0; client < r->clients; client++) {
        uint32_t reader = gen_process(gen);
        for (uint32_t key = 0; key < r->keys; key++) {
            uint32_t at = gen_call(gen, reader);
            gen->history->ops[at].f = OP_READ;
            gen->history->ops[at].key = gen_int(gen, key);
            gen->history->ops[at].out = read(r, client, key);
            gen_return(gen, at);
        }
    }
}

const struct gen_system gen_replicas = {.open = replicas_open,
                                        .close = replicas_close,
                                        .choose = replicas_choose,
                                        .apply = replicas_apply,
                                        .drift = replicas_drift,
                                        .settle = replicas_settle};
