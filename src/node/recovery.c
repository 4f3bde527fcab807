/* Recovery: the newest snapshot of every group, then what the log holds behind it. */
#include "node/node_internal.h"

#include <stdio.h>

struct recovery {
    struct node *node;
    enum cairn_status status;
};

/* Whose record it is; NULL (and the recovery ends badly) when no keyspace of ours has that id. */
static struct group *group_of(struct recovery *recovery, uint64_t id) {
    struct group *group = node_group(recovery->node, id);
    if (group == NULL && recovery->status == CAIRN_OK) {
        node_log(recovery->node, 2,
                 "the log holds keyspace number %llu, which is not configured any more",
                 (unsigned long long)id);
        recovery->status = CAIRN_INVALID;
    }
    return recovery->status == CAIRN_OK ? group : NULL;
}
static void on_hard(void *context, uint64_t id, struct bytes hard) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group != NULL)
        recovery->status = group->protocol->recover_hard(group->replica, hard);
}

static void on_entry(void *context, uint64_t id, const struct entry *entry, bool repaired) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group != NULL)
        recovery->status = group->protocol->recover_entry(group->replica, entry, repaired);
}

/* The log begins behind a snapshot: ours, or an older one than ours. */
static void on_reset(void *context, uint64_t id, uint64_t index, uint64_t term, uint64_t chain) {
    struct recovery *recovery = context;
    const struct group *group = group_of(recovery, id);
    if (group != NULL && index > group->snapshot_index) {
        node_log(group->node, 2,
                 "the log begins behind a snapshot at index %llu, which is not there",
                 (unsigned long long)index);
        recovery->status = CAIRN_CORRUPT;
    }
}

static void on_damage(void *context, uint64_t id, uint64_t first, uint64_t last) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group == NULL)
        return;
    node_log(group->node, 2,
             "log damaged: entries %llu to %llu are unreadable; waiting for repair "
             "from peers",
             (unsigned long long)first, (unsigned long long)last);
    group->tail_unknown |= last == UINT64_MAX;
    group->protocol->recover_damage(group->replica, first, last);
}

static void on_hard_lost(void *context, uint64_t id) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group == NULL)
        return;
    node_log(group->node, 2,
             "term and vote are unreadable: no votes until this replica "
             "has caught up with a leader");
    group->protocol->recover_hard_lost(group->replica);
}

static void on_wal_done(void *context, uint64_t id, uint64_t seq, enum cairn_status status) {
    struct group *group = node_group(context, id);
    if (group != NULL)
        group_persist_done(group, seq, status);
}

static enum cairn_status recover_log(struct node *node, char *error, size_t error_size) {
    struct recovery recovery = {node, CAIRN_OK};
    struct wal_options options = {
        .segment_bytes = node->options.wal_segment_bytes,
        .batch_bytes_max = node->options.wal_batch_bytes_max,
        .spare_segments = 1,
        .mutant = node->options.mutant,
        .done = on_wal_done,
        .context = node,
    };
    struct wal_recovery calls = {.context = &recovery,
                                 .hard = on_hard,
                                 .entry = on_entry,
                                 .reset = on_reset,
                                 .damage = on_damage,
                                 .hard_lost = on_hard_lost};
    char folder[sizeof node->options.folder + 8];
    snprintf(folder, sizeof folder, "%s/log", node->options.folder);
    enum cairn_status status =
        wal_open(node->env, folder, &options, &calls, &node->wal, error, error_size);
    if (status == CAIRN_OK && recovery.status != CAIRN_OK) {
        status = recovery.status;
        snprintf(error, error_size, "the log in %s can't be understood: %s", folder,
                 cairn_status_text(status));
    }
    return status;
}

enum cairn_status node_recover(struct node *node, char *error, size_t error_size) {
    for (uint32_t i = 0; i < node->options.keyspace_count; i++)
        node->groups[node->group_count++] = group_new(node, i);
    NODE_EACH_GROUP(group, node) {
        bool found = false;
        enum cairn_status status = group_restore_newest(group, &found, error, error_size);
        if (status != CAIRN_OK)
            return status;
    }
    return recover_log(node, error, error_size);
}
