/* Transactions on registers, on replicas, one a client, between which whole transactions travel. Of
 * two writes of a key the one with the higher stamp wins; a stamp is higher than all that its
 * replica has seen, so that stamps are a commit order.
 * - causal: transactions arrive after all that their writers had seen;
 * - read-atomic: each writer's in their order;
 * - monotonic-atomic-view: as that, and also between the reads of one transaction;
 * - read-committed: each read is of some replica.
 * Without sessions, each transaction goes to some replica. */
#include "base/alloc.h"
#include "base/assert.h"
#include "check/gen_internal.h"

#include <string.h>

#define FLYING_MAX 4096u

struct gen_txn {
    uint32_t op, sender, next;
    uint64_t stamp;
};

struct held {
    uint64_t stamp;
    uint32_t sender, value;
};

struct merges {
    struct gen *gen;
    uint32_t clients, keys;
    bool causal;
    struct gen_txn *txns;
    uint32_t count, cap, all_have;
    uint32_t *deps, *seen, *coming, *sent, *last; /* as in gen_replicas.c */
    uint64_t *clocks;
    uint8_t *speeds; /* [replica][sender]: per cent */
    struct held *at; /* [replica][key] */
};

static void *merges_open(struct gen *gen) {
    struct merges *m = cairn_alloc_zero(sizeof *m);
    size_t clients = gen->options.clients;
    m->gen = gen;
    m->clients = gen->options.clients;
    m->keys = gen->options.keys;
    m->causal = gen->options.level == LEVEL_TXN_CAUSAL;
    m->deps = cairn_alloc(FLYING_MAX * clients * sizeof *m->deps);
    m->seen = cairn_alloc_zero(clients * clients * sizeof *m->seen);
    m->coming = cairn_alloc(clients * clients * sizeof *m->coming);
    memset(m->coming, 0xff, clients * clients * sizeof *m->coming);
    m->sent = cairn_alloc_zero(clients * sizeof *m->sent);
    m->last = cairn_alloc(clients * sizeof *m->last);
    memset(m->last, 0xff, clients * sizeof *m->last);
    m->clocks = cairn_alloc_zero(clients * sizeof *m->clocks);
    m->speeds = gen_speeds(gen);
    m->at = cairn_alloc_zero(clients * m->keys * sizeof *m->at);
    return m;
}

static void merges_close(void *system) {
    struct merges *m = system;
    cairn_free(m->txns);
    cairn_free(m->deps);
    cairn_free(m->seen);
    cairn_free(m->coming);
    cairn_free(m->sent);
    cairn_free(m->last);
    cairn_free(m->clocks);
    cairn_free(m->at);
    cairn_free(m->speeds);
    cairn_free(m);
}

static uint32_t any_key(void *context) {
    struct merges *m = context;
    return gen_key(m->gen);
}

static void merges_choose(void *system, uint32_t client, uint32_t at) {
    struct merges *m = system;
    gen_choose_txn(m->gen, at, any_key, m, true);
}

static struct held *held_at(struct merges *m, uint32_t replica, uint32_t key) {
    return &m->at[(size_t)replica * m->keys +
                  (size_t)value_at(&m->gen->history->values, key)->integer];
}

static void arrive(struct merges *m, uint32_t replica, uint32_t at) {
    const struct gen_txn *txn = &m->txns[at];
    const struct op *op = &m->gen->history->ops[txn->op];
    size_t pair = (size_t)replica * m->clients + txn->sender;
    cairn_assert(m->coming[pair] == at);
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &m->gen->history->mops[op->arg + i];
        struct held *held = held_at(m, replica, mop->key);
        bool newer =
            held->stamp != txn->stamp ? held->stamp < txn->stamp : held->sender <= txn->sender;
        if (mop->kind == MOP_WRITE && newer)
            *held = (struct held){txn->stamp, txn->sender, mop->value};
    }
    if (m->clocks[replica] < txn->stamp)
        m->clocks[replica] = txn->stamp;
    m->seen[pair]++;
    m->coming[pair] = txn->next;
}

static bool may_arrive(const struct merges *m, uint32_t replica, uint32_t at) {
    const uint32_t *deps = m->deps + (size_t)(at % FLYING_MAX) * m->clients;
    const uint32_t *seen = m->seen + (size_t)replica * m->clients;
    for (uint32_t i = 0; m->causal && i < m->clients; i++)
        if (i != m->txns[at].sender && deps[i] > seen[i])
            return false;
    return true;
}

static void arrive_everywhere(struct merges *m, uint32_t up_to) {
    for (; m->all_have < up_to; m->all_have++)
        for (uint32_t replica = 0; replica < m->clients; replica++)
            if (m->coming[(size_t)replica * m->clients + m->txns[m->all_have].sender] ==
                m->all_have)
                arrive(m, replica, m->all_have);
}

static void arrive_at(struct merges *m, uint32_t replica) {
    size_t pair = (size_t)replica * m->clients + gen_below(m->gen, m->clients);
    uint32_t at = m->coming[pair];
    if (gen_chance(m->gen, m->speeds[pair]) && at != OP_NONE && may_arrive(m, replica, at))
        arrive(m, replica, at);
}

static void merges_drift(void *system) {
    struct merges *m = system;
    for (uint32_t i = 0; i <= m->clients / 4; i++)
        arrive_at(m, gen_below(m->gen, m->clients));
}

static void send(struct merges *m, uint32_t client, uint32_t op) {
    if (m->count - m->all_have >= FLYING_MAX - 1)
        arrive_everywhere(m, m->count - FLYING_MAX / 2);
    if (m->count == m->cap) {
        m->cap += m->cap / 2 + 64;
        m->txns = cairn_realloc(m->txns, m->cap * sizeof *m->txns);
    }
    uint32_t at = m->count++;
    uint64_t stamp = ++m->clocks[client];
    m->txns[at] = (struct gen_txn){op, client, OP_NONE, stamp};
    memcpy(m->deps + (size_t)(at % FLYING_MAX) * m->clients, m->seen + (size_t)client * m->clients,
           m->clients * sizeof *m->deps);
    if (m->last[client] != OP_NONE)
        m->txns[m->last[client]].next = at;
    m->last[client] = at;
    for (uint32_t replica = 0; replica < m->clients; replica++)
        if (m->seen[(size_t)replica * m->clients + client] == m->sent[client])
            m->coming[(size_t)replica * m->clients + client] = at;
    m->sent[client]++;
    arrive(m, client, at);
}

static uint32_t own_write(const struct gen *gen, const struct op *op, uint32_t mop_at) {
    const struct mop *mops = &gen->history->mops[op->arg];
    for (uint32_t i = mop_at; i-- > 0;)
        if (mops[i].key == mops[mop_at].key && mops[i].kind == MOP_WRITE)
            return mops[i].value;
    return VALUE_NONE;
}

static bool merges_apply(void *system, uint32_t client, uint32_t at) {
    struct merges *m = system;
    struct gen *gen = m->gen;
    const struct op *op = &gen->history->ops[at];
    struct level_axiom axiom = level_axiom(gen->options.level);
    uint32_t home = axiom.sessions ? client : gen_below(gen, m->clients);
    bool writes = false;
    for (uint32_t i = 0; i < op->out; i++) {
        struct mop *mop = &gen->history->mops[op->arg + i];
        writes |= mop->kind == MOP_WRITE;
        if (mop->kind == MOP_WRITE)
            continue;
        uint32_t own = own_write(gen, op, i);
        uint32_t from = axiom.view == VIEW_NOTHING ? gen_below(gen, m->clients) : home;
        mop->value = own != VALUE_NONE ? own : held_at(m, from, mop->key)->value;
        for (uint32_t n = 0; axiom.view == VIEW_READ_BEFORE && n < 4; n++)
            arrive_at(m, home);
    }
    if (writes)
        send(m, home, at);
    return true;
}

const struct gen_system gen_merges = {.open = merges_open,
                                      .close = merges_close,
                                      .choose = merges_choose,
                                      .apply = merges_apply,
                                      .drift = merges_drift};
