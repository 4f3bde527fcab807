/* Transactions on a store that keeps all versions. A transaction reads a snapshot, which it took
 * when it was called, and commits at a later moment:
 * - serializable: what only reads may take an old snapshot, what writes takes the newest at commit;
 * - snapshot-isolation: refused when another transaction committed one of its keys since its
 * snapshot;
 * - prefix, and what is weaker for lists: never refused.
 * With sessions, a snapshot has at least what its client has seen before. */
#include "base/alloc.h"
#include "check/gen_internal.h"

#include <string.h>

#define APPENDS_MAX 64u
#define LAG_MAX 200u

struct version {
    uint32_t commit, value;
};

struct version_list {
    struct version *at;
    uint32_t count, cap;
};

struct versions {
    struct gen *gen;
    bool lists;
    struct version_list *keys;
    uint32_t key_count, key_cap;
    uint32_t *slots;     /* of lists: the present keys */
    uint32_t commit;     /* the number of the last */
    uint32_t *views;     /* by client: it has seen so many commits */
    uint32_t *snapshots; /* by client: of its present transaction */
    struct gen_list scratch;
};

static struct version_list *list_of_key(struct versions *versions, uint32_t key) {
    while (versions->key_count <= key) {
        if (versions->key_count == versions->key_cap) {
            versions->key_cap += versions->key_cap / 2 + 16;
            versions->keys =
                cairn_realloc(versions->keys, versions->key_cap * sizeof *versions->keys);
        }
        versions->keys[versions->key_count++] = (struct version_list){0};
    }
    return &versions->keys[key];
}

static void *versions_open(struct gen *gen) {
    struct versions *versions = cairn_alloc_zero(sizeof *versions);
    uint32_t clients = gen->options.clients;
    versions->gen = gen;
    versions->lists = gen->options.model == MODEL_TXN_APPEND;
    versions->views = cairn_alloc_zero(clients * sizeof *versions->views);
    versions->snapshots = cairn_alloc_zero(clients * sizeof *versions->snapshots);
    versions->slots = cairn_alloc(gen->options.keys * sizeof *versions->slots);
    for (uint32_t i = 0; i < gen->options.keys; i++)
        versions->slots[i] = i;
    return versions;
}

static void versions_close(void *system) {
    struct versions *versions = system;
    for (uint32_t i = 0; i < versions->key_count; i++)
        cairn_free(versions->keys[i].at);
    cairn_free(versions->keys);
    cairn_free(versions->slots);
    cairn_free(versions->views);
    cairn_free(versions->snapshots);
    cairn_free(versions->scratch.at);
    cairn_free(versions);
}

static uint32_t present_key(void *context) {
    struct versions *versions = context;
    struct gen *gen = versions->gen;
    if (!versions->lists)
        return gen_key(gen);
    uint32_t slot = gen_below(gen, gen->options.keys);
    if (list_of_key(versions, versions->slots[slot])->count >= APPENDS_MAX)
        versions->slots[slot] = (uint32_t)gen->fresh_key++;
    return gen_int(gen, versions->slots[slot]);
}

static void versions_choose(void *system, uint32_t client, uint32_t at) {
    struct versions *versions = system;
    struct gen *gen = versions->gen;
    struct level_axiom axiom = level_axiom(gen->options.level);
    uint32_t view = axiom.sessions ? versions->views[client] : 0;
    gen_choose_txn(gen, at, present_key, versions, axiom.view > VIEW_PREFIX || !versions->lists);
    if (versions->commit - view > LAG_MAX)
        view = versions->commit - LAG_MAX;
    versions->snapshots[client] = axiom.real_time || gen_chance(gen, 30)
                                      ? versions->commit
                                      : view + gen_below(gen, versions->commit - view + 1);
}

/* How many of a key's versions belong to the snapshot. */
static uint32_t count_at(const struct version_list *list, uint32_t snapshot) {
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->at[middle].commit <= snapshot)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static uint32_t number_of(const struct versions *versions, uint32_t key) {
    return (uint32_t)value_at(&versions->gen->history->values, key)->integer;
}

/* What a read sees: the snapshot, and what its own transaction did before. */
static uint32_t read(struct versions *versions, const struct op *op, uint32_t mop_at,
                     uint32_t snapshot) {
    struct gen *gen = versions->gen;
    const struct mop *mops = &gen->history->mops[op->arg];
    struct version_list *list = list_of_key(versions, number_of(versions, mops[mop_at].key));
    uint32_t count = count_at(list, snapshot);
    struct gen_list *items = &versions->scratch;
    items->count = 0;
    for (uint32_t i = versions->lists || count == 0 ? 0 : count - 1; i < count; i++)
        gen_push(items, list->at[i].value);
    for (uint32_t i = 0; i < mop_at; i++)
        if (mops[i].key == mops[mop_at].key && mops[i].kind != MOP_READ)
            gen_push(items, mops[i].value);
    if (versions->lists)
        return value_list(&gen->history->values, items->at, items->count);
    return items->count == 0 ? VALUE_NULL : items->at[items->count - 1];
}

static bool conflicts(struct versions *versions, const struct op *op, uint32_t snapshot) {
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &versions->gen->history->mops[op->arg + i];
        const struct version_list *list = list_of_key(versions, number_of(versions, mop->key));
        if (mop->kind != MOP_READ && list->count != 0 &&
            list->at[list->count - 1].commit > snapshot)
            return true;
    }
    return false;
}

static bool writes(const struct versions *versions, const struct op *op) {
    for (uint32_t i = 0; i < op->out; i++)
        if (versions->gen->history->mops[op->arg + i].kind != MOP_READ)
            return true;
    return false;
}

static void commit(struct versions *versions, const struct op *op) {
    versions->commit++;
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &versions->gen->history->mops[op->arg + i];
        struct version_list *list = list_of_key(versions, number_of(versions, mop->key));
        if (mop->kind == MOP_READ)
            continue;
        if (list->count == list->cap) {
            list->cap += list->cap / 2 + 4;
            list->at = cairn_realloc(list->at, list->cap * sizeof *list->at);
        }
        list->at[list->count++] = (struct version){versions->commit, mop->value};
    }
}

static bool versions_apply(void *system, uint32_t client, uint32_t at) {
    struct versions *versions = system;
    struct gen *gen = versions->gen;
    struct op *op = &gen->history->ops[at];
    enum level_view view = level_axiom(gen->options.level).view;
    bool update = writes(versions, op);
    uint32_t snapshot = versions->snapshots[client];
    if (update && view == VIEW_ALL)
        snapshot = versions->commit;
    if (view == VIEW_SNAPSHOT && conflicts(versions, op, snapshot)) {
        op->outcome = OP_FAIL;
        return true;
    }
    for (uint32_t i = 0; i < op->out; i++)
        if (gen->history->mops[op->arg + i].kind == MOP_READ) {
            uint32_t value = read(versions, op, i, snapshot);
            gen->history->mops[op->arg + i].value = value;
        }
    if (update)
        commit(versions, op);
    versions->views[client] = update ? versions->commit : snapshot;
    return true;
}

const struct gen_system gen_versions = {.open = versions_open,
                                        .close = versions_close,
                                        .choose = versions_choose,
                                        .apply = versions_apply};
