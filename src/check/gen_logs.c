/* Registers of which each process sees a prefix of a log of writes: of one log for all keys
 * (sequential), or of one a key (per-key-sequential, monotonic-reads). */
#include "base/alloc.h"
#include "check/gen_internal.h"

#define LAG_MAX 500u /* writes that a process may be behind */

struct version {
    uint32_t number, value;
};

struct version_list {
    struct version *at;
    uint32_t count, cap;
};

struct logs {
    struct gen *gen;
    bool one_log;
    struct version_list *keys;
    uint32_t writes; /* of one log */
    uint32_t *views; /* by client, or by client and key: how many writes it sees */
};

static void *logs_open(struct gen *gen) {
    struct logs *logs = cairn_alloc_zero(sizeof *logs);
    logs->gen = gen;
    logs->one_log = gen->options.level == LEVEL_SEQUENTIAL;
    logs->keys = cairn_alloc_zero(gen->options.keys * sizeof *logs->keys);
    size_t views = (size_t)gen->options.clients * (logs->one_log ? 1 : gen->options.keys);
    logs->views = cairn_alloc_zero(views * sizeof *logs->views);
    return logs;
}

static void logs_close(void *system) {
    struct logs *logs = system;
    for (uint32_t i = 0; i < logs->gen->options.keys; i++)
        cairn_free(logs->keys[i].at);
    cairn_free(logs->keys);
    cairn_free(logs->views);
    cairn_free(logs);
}

static void logs_choose(void *system, uint32_t client, uint32_t at) {
    struct logs *logs = system;
    struct op *op = &logs->gen->history->ops[at];
    op->key = gen_key(logs->gen);
    op->f = gen_chance(logs->gen, 50) ? OP_READ : OP_WRITE;
    if (op->f == OP_WRITE)
        op->arg = gen_value(logs->gen);
}

static uint32_t *view_of(struct logs *logs, uint32_t client, uint32_t key) {
    return logs->one_log ? &logs->views[client]
                         : &logs->views[(size_t)client * logs->gen->options.keys + key];
}

static void push_version(struct version_list *list, uint32_t number, uint32_t value) {
    if (list->count == list->cap) {
        list->cap += list->cap / 2 + 8;
        list->at = cairn_realloc(list->at, list->cap * sizeof *list->at);
    }
    list->at[list->count++] = (struct version){number, value};
}

/* The newest of them that is among the first `view` writes. */
static uint32_t version_at(const struct version_list *list, uint32_t view) {
    uint32_t low = 0, high = list->count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (list->at[middle].number < view)
            low = middle + 1;
        else
            high = middle;
    }
    return low == 0 ? VALUE_NULL : list->at[low - 1].value;
}

static bool logs_apply(void *system, uint32_t client, uint32_t at) {
    struct logs *logs = system;
    struct gen *gen = logs->gen;
    struct op *op = &gen->history->ops[at];
    uint32_t key = (uint32_t)value_at(&gen->history->values, op->key)->integer;
    struct version_list *list = &logs->keys[key];
    uint32_t *view = view_of(logs, client, key);
    uint32_t newest = logs->one_log ? logs->writes : list->count;
    if (op->f == OP_WRITE) {
        push_version(list, newest, op->arg);
        logs->writes++;
        if (gen->options.level != LEVEL_MONOTONIC_READS)
            *view = newest + 1;
        return true;
    }
    if (newest - *view > LAG_MAX)
        *view = newest - LAG_MAX;
    if (gen_chance(gen, 40))
        *view += gen_below(gen, newest - *view + 1);
    op->out = version_at(list, *view);
    return true;
}

const struct gen_system gen_logs = {
    .open = logs_open, .close = logs_close, .choose = logs_choose, .apply = logs_apply};
