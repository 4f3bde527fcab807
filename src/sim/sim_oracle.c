/* The protocol as the executor of a simulated node sees it: the real one, looked at. */
#include "sim/sim_oracle.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "node/registry.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

struct replica {
    struct sim_oracle *oracle;
    struct oracle_replica *watched;
    const struct protocol *protocol;
    struct replica *inner;
};

void oracle_fail(struct oracle_replica *replica, const char *format, ...) {
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    sim_fail(&replica->node->cluster->world, "%s (%s, %s)", text, replica->node->host.name,
             replica->node->options.keyspaces[replica->keyspace].name);
}

struct oracle_index *oracle_index(struct sim_oracle *oracle, uint32_t keyspace, uint64_t index) {
    struct oracle_keyspace *of = &oracle->keyspaces[keyspace];
    if (index >= of->cap) {
        uint64_t cap = of->cap ? of->cap : 4096;
        while (cap <= index)
            cap *= 2;
        of->at = cairn_realloc(of->at, cap * sizeof *of->at);
        memset(of->at + of->cap, 0, (cap - of->cap) * sizeof *of->at);
        of->cap = cap;
    }
    return &of->at[index];
}

struct sim_oracle *sim_oracle_open(struct sim_cluster *cluster) {
    struct sim_oracle *oracle = cairn_alloc_zero(sizeof *oracle);
    oracle->cluster = cluster;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++)
            oracle->replicas[id][keyspace] =
                (struct oracle_replica){.node = &cluster->nodes[id], .keyspace = keyspace};
        oracle_disk_watch(oracle, &cluster->nodes[id]);
    }
    oracle_leave_watch(oracle);
    return oracle;
}

void sim_oracle_close(struct sim_oracle *oracle) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++) {
            oracle_image_free(&oracle->replicas[id][keyspace].image);
            oracle_log_free(&oracle->replicas[id][keyspace].found);
        }
    for (uint32_t keyspace = 0; keyspace < SIM_KEYSPACES_MAX; keyspace++)
        oracle_commit_close(&oracle->keyspaces[keyspace]);
    cairn_free(oracle);
}

/* ---- a life ---- */

static struct replica *create(const struct replica_options *options) {
    struct sim_node *node = options->context;
    struct replica *replica = cairn_alloc_zero(sizeof *replica);
    uint32_t keyspace = (uint32_t)(options->group - NODE_GROUP_OF(0));
    replica->oracle = node->cluster->oracle;
    replica->watched = &replica->oracle->replicas[node->id][keyspace];
    replica->protocol = registry_protocol(node->options.keyspaces[keyspace].protocol);
    replica->inner = replica->protocol->create(options);
    struct oracle_replica *watched = replica->watched;
    if (watched->incarnation != options->incarnation)
        watched->image.known = false; /* it goes on as one whose disk was replaced */
    watched->incarnation = options->incarnation;
    watched->protocol = replica->protocol;
    watched->inner = replica->inner;
    watched->seen = (struct belief){0};
    watched->read_count = 0;
    oracle_start_begin(watched);
    return replica;
}

static void destroy(struct replica *replica) {
    replica->watched->inner = NULL;
    oracle_process_ended(replica->watched);
    replica->protocol->destroy(replica->inner);
    cairn_free(replica);
}

static enum cairn_status recover_hard(struct replica *replica, struct bytes hard) {
    struct oracle_replica *watched = replica->watched;
    watched->found_has_hard = replica->protocol->view->promise(hard, &watched->found_hard);
    return replica->protocol->recover_hard(replica->inner, hard);
}

static enum cairn_status recover_base(struct replica *replica, const struct log_base *base) {
    oracle_log_reset(&replica->watched->found, base->index, base->chain);
    return replica->protocol->recover_base(replica->inner, base);
}

static enum cairn_status recover_entry(struct replica *replica, const struct entry *entry,
                                       bool repaired) {
    oracle_log_take(&replica->watched->found, entry->index, entry->term, entry->chain);
    return replica->protocol->recover_entry(replica->inner, entry, repaired);
}

static void recover_damage(struct replica *replica, uint64_t first, uint64_t last) {
    replica->watched->found_damage = true;
    replica->protocol->recover_damage(replica->inner, first, last);
}

static void recover_hard_lost(struct replica *replica, bool had_log) {
    replica->watched->found_damage = true;
    replica->protocol->recover_hard_lost(replica->inner, had_log);
}

static void recover_replaced(struct replica *replica, uint64_t incarnation) {
    replica->watched->found_damage = true;
    replica->watched->incarnation = incarnation;
    replica->protocol->recover_replaced(replica->inner, incarnation);
}

/* ---- steps ---- */

static void look_at_effects(struct replica *replica, const struct event *event,
                            struct effects effects) {
    struct oracle_replica *watched = replica->watched;
    for (size_t i = 0; i < effects.count; i++) {
        const struct effect *effect = &effects.items[i];
        if (effect->kind == EFFECT_SEND)
            oracle_told(watched, event, effect);
        else if (effect->kind == EFFECT_PERSIST)
            oracle_persist(replica->oracle, watched, effect);
        else if (effect->kind == EFFECT_APPLY)
            oracle_apply(replica->oracle, watched, effect);
        else if (effect->kind == EFFECT_READ_READY)
            oracle_read_ready(watched, effect);
        else if (effect->kind == EFFECT_SNAPSHOT_INSTALL)
            oracle_snapshot(replica->oracle, watched, &effect->snapshot_install.base);
    }
}

static void look(struct replica *replica, const struct event *event, struct effects effects) {
    struct oracle_replica *watched = replica->watched;
    struct belief now, before = watched->seen;
    watched->protocol->view->belief(replica->inner, &now);
    oracle_time_look(replica->oracle);
    oracle_commit_step(replica->oracle, watched, &now);
    look_at_effects(replica, event, effects);
    watched->seen = now;
    struct sim_sight sight = {.node = watched->node,
                              .view = watched->protocol->view,
                              .event = event,
                              .before = &before,
                              .now = &now,
                              .effects = effects};
    sim_aim_look(&sight);
    sim_harm_look(&sight);
}

static struct effects start(struct replica *replica, uint64_t now, uint64_t wall_ms) {
    struct event none = {.now = now};
    struct effects effects = replica->protocol->start(replica->inner, now, wall_ms);
    oracle_start_end(replica->watched);
    look(replica, &none, effects);
    return effects;
}

static struct effects step(struct replica *replica, const struct event *event) {
    if (event->kind == EVENT_READ)
        oracle_read_begins(replica->oracle, replica->watched, event);
    else if (event->kind == EVENT_MESSAGE)
        oracle_heard(replica->watched, event);
    else if (event->kind == EVENT_SNAPSHOT_RECEIVED)
        oracle_snapshot_stands(replica->watched, event->snapshot.base.index);
    else if (event->kind == EVENT_COMPACTED)
        oracle_snapshot_stands(replica->watched, event->compacted.base.index);
    struct effects effects = replica->protocol->step(replica->inner, event);
    look(replica, event, effects);
    return effects;
}

static void snapshot_base(const struct replica *replica, struct log_base *base, struct buf *state) {
    replica->protocol->snapshot_base(replica->inner, base, state);
    oracle_snapshot(replica->oracle, replica->watched, base);
}

/* ---- what is only handed on ---- */

static uint64_t deadline(const struct replica *replica) {
    return replica->protocol->deadline(replica->inner);
}

static uint64_t time_ms(const struct replica *replica, uint64_t now, uint64_t wall_ms) {
    return replica->protocol->time_ms(replica->inner, now, wall_ms);
}

static void status(const struct replica *replica, struct replica_status *out) {
    replica->protocol->status(replica->inner, out);
}

static bool chain_at(const struct replica *replica, uint64_t index, uint64_t *chain) {
    return replica->protocol->chain_at(replica->inner, index, chain);
}

/* The forger has no replica to name the protocol by: see sim_forge.c. */
const struct protocol sim_oracle_protocol = {
    .name = "watched",
    .create = create,
    .destroy = destroy,
    .recover_hard = recover_hard,
    .recover_base = recover_base,
    .recover_entry = recover_entry,
    .recover_damage = recover_damage,
    .recover_hard_lost = recover_hard_lost,
    .recover_replaced = recover_replaced,
    .start = start,
    .step = step,
    .deadline = deadline,
    .snapshot_base = snapshot_base,
    .time_ms = time_ms,
    .status = status,
    .chain_at = chain_at,
};
