/* Recovery: the newest snapshot of every group, then what the log holds behind it. */
#include "node/aside.h"
#include "node/node_internal.h"

#include <stdio.h>

struct recovery {
    struct node *node;
    enum cairn_status status;
    bool has_hard[NODE_KEYSPACES_MAX];
    bool hard_lost[NODE_KEYSPACES_MAX];
    bool has_log[NODE_KEYSPACES_MAX];
    bool hard_file_lost;
    bool nothing_known; /* of a keyspace neither its promises nor its members are left */
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
    if (group == NULL)
        return;
    recovery->has_hard[group->keyspace] = true;
    recovery->status = group->protocol->recover_hard(group->replica, hard);
}

static void on_entry(void *context, uint64_t id, const struct entry *entry, bool repaired) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group == NULL)
        return;
    recovery->has_log[group->keyspace] = true;
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

/* It was in a snapshot, and in no newer one than ours. */
static void on_released(void *context, uint64_t id, uint64_t index) {
    struct recovery *recovery = context;
    struct group *group = group_of(recovery, id);
    if (group == NULL || index <= group->snapshot_index)
        return;
    node_log(group->node, 2,
             "the snapshot of %s that has entries up to %llu is not there: waiting for peers to "
             "give it back",
             group->node->options.keyspaces[group->keyspace].name, (unsigned long long)index);
    group->protocol->recover_damage(group->replica, group->snapshot_index + 1, index);
}

static void lose_hard(const struct group *group, bool had_log) {
    node_log(group->node, 2,
             "term and vote of %s are lost: this replica neither votes nor acknowledges until all "
             "other voters told their terms%s",
             group->node->options.keyspaces[group->keyspace].name,
             had_log ? ", nor votes before a leader gave it what it may miss" : "");
    group->protocol->recover_hard_lost(group->replica, had_log);
}

static void on_hard_lost(void *context, uint64_t id) {
    struct recovery *recovery = context;
    if (id == WAL_EVERY_GROUP) {
        recovery->hard_file_lost = true;
        return;
    }
    struct group *group = group_of(recovery, id);
    if (group != NULL)
        recovery->hard_lost[group->keyspace] = true;
}

/* A replica writes its hard state before its first entry and before it takes a snapshot, so one
 * that has either, and no hard state, has lost it. */
static void find_lost_hard(struct recovery *recovery) {
    NODE_EACH_GROUP(group, recovery->node) {
        bool had_log = recovery->hard_file_lost || recovery->has_log[group->keyspace] ||
                       recovery->hard_lost[group->keyspace];
        bool absent = (had_log || group->snapshot_index > 0) &&
                      !recovery->has_hard[group->keyspace] &&
                      group->node->options.mutant != MUTANT_HARD_STATE_ABSENCE_BELIEVED;
        bool lost = absent || recovery->hard_lost[group->keyspace];
        struct replica_status status;
        group->protocol->status(group->replica, &status);
        /* Without members there is none to ask for its term, or for what is damaged. */
        recovery->nothing_known |= status.config.count == 0 && (lost || status.damaged);
        if (lost && status.config.count > 0)
            lose_hard(group, had_log);
    }
}

/* ---- a node that goes on as one whose disk was replaced ---- */

static enum cairn_status store_identity(struct node *node, char *error, size_t error_size) {
    enum cairn_status status =
        identity_store(node->env, node->options.folder, &node->options.identity);
    if (status != CAIRN_OK)
        snprintf(error, error_size, "can't write this node's identity in %s: %s",
                 node->options.folder, cairn_status_text(status));
    return status;
}

/* The data is gone, and with it what this replica promised: it goes on as one whose disk was
 * replaced, under a new incarnation, and never as a founder. */
static enum cairn_status begin_anew(struct node *node, char *error, size_t error_size) {
    struct identity *identity = &node->options.identity;
    identity->log_id = 0;
    identity->diverged = false;
    identity->founders.count = node->options.bootstrap.count = 0;
    identity->founding = false;
    env_entropy(node->env, &identity->incarnation, sizeof identity->incarnation);
    identity->incarnation |= 1;
    return store_identity(node, error, error_size);
}

/* ---- the log ---- */

static void on_wal_done(void *context, uint64_t id, uint64_t seq, enum cairn_status status) {
    struct group *group = node_group(context, id);
    if (group != NULL)
        group_persist_done(group, seq, status);
}

static enum cairn_status recover_log(struct node *node, char *error, size_t error_size) {
    struct recovery recovery = {.node = node, .status = CAIRN_OK};
    struct wal_options options = {
        .segment_bytes = node->options.wal_segment_bytes,
        .batch_bytes_max = node->options.wal_batch_bytes_max,
        .spare_segments = 1,
        .kept_bytes = node->options.wal_kept_bytes,
        .mutant = node->options.mutant,
        .rare = node->options.rare,
        .done = on_wal_done,
        .context = node,
    };
    struct wal_recovery calls = {.context = &recovery,
                                 .hard = on_hard,
                                 .entry = on_entry,
                                 .reset = on_reset,
                                 .released = on_released,
                                 .damage = on_damage,
                                 .hard_lost = on_hard_lost};
    char folder[sizeof node->options.folder + 8];
    snprintf(folder, sizeof folder, "%s/log", node->options.folder);
    enum cairn_status status =
        wal_open(node->env, folder, &options, &calls, &node->wal, error, error_size);
    if (status == CAIRN_OK && recovery.status == CAIRN_OK)
        find_lost_hard(&recovery);
    if (status == CAIRN_OK && recovery.status != CAIRN_OK) {
        status = recovery.status;
        snprintf(error, error_size, "the log in %s can't be understood: %s", folder,
                 cairn_status_text(status));
    }
    if (status == CAIRN_OK && recovery.nothing_known) {
        node_log(node, 2,
                 "what this node promised is lost, and which members could tell: it goes on as one "
                 "whose disk was replaced, and waits to be let in by the others");
        status = begin_anew(node, error, error_size);
        NODE_EACH_GROUP(group, node)
        group->protocol->recover_replaced(group->replica, node->options.identity.incarnation);
    }
    return status;
}

/* ---- whose log it is ---- */

/* The folder knows its log by an id. Without that log everything that this replica promised is
 * forgotten: it goes on as one whose disk was replaced, under a new incarnation, and never as a
 * founder, whatever else of the folder is left. */
static enum cairn_status find_lost_log(struct node *node, char *error, size_t error_size) {
    struct identity *identity = &node->options.identity;
    uint64_t id = 0;
    enum cairn_status status = wal_peek_id(node->env, node->options.folder, &id);
    if (identity->log_id == 0 || (status == CAIRN_OK && id == identity->log_id) ||
        (status != CAIRN_OK && status != CAIRN_NOT_FOUND))
        return CAIRN_OK; /* what can't be read is told by wal_open */
    node_log(node, 2,
             "the log that this folder was used with is gone: this node goes on as one whose disk "
             "was replaced, and waits to be let in by the others");
    return begin_anew(node, error, error_size);
}

/* Its state was found to differ from a majority's: all of it is kept aside, in the folder
 * `diverged`, and the others give it theirs. */
static enum cairn_status leave_diverged(struct node *node, char *error, size_t error_size) {
    if (!node->options.identity.diverged)
        return CAIRN_OK;
    enum cairn_status status = aside_move(node->env, node->options.folder);
    if (status != CAIRN_OK) {
        snprintf(error, error_size, "can't keep the diverged data of %s aside: %s",
                 node->options.folder, cairn_status_text(status));
        return status;
    }
    node_log(node, 2, "what this node had differed from the others': it is kept in %s/diverged",
             node->options.folder);
    return begin_anew(node, error, error_size);
}

static enum cairn_status know_log(struct node *node, char *error, size_t error_size) {
    struct identity *identity = &node->options.identity;
    if (identity->log_id == wal_id(node->wal))
        return CAIRN_OK;
    identity->log_id = wal_id(node->wal);
    enum cairn_status status = store_identity(node, error, error_size);
    if (status != CAIRN_NO_SPACE)
        return status;
    identity->log_id = 0; /* to be noted at a later start */
    return CAIRN_OK;
}

/* A change of the configuration file must not change what the log's first entries do when they are
 * executed again. */
static enum cairn_status settle_parameters(struct node *node, char *error, size_t error_size) {
    struct identity *identity = &node->options.identity;
    if (identity->value_bytes_max != 0)
        return CAIRN_OK;
    identity->value_bytes_max = node->options.value_bytes_max;
    identity->session_window = node->options.session_window;
    enum cairn_status status = store_identity(node, error, error_size);
    return status == CAIRN_NO_SPACE ? CAIRN_OK : status;
}

static enum cairn_status make_folders(struct node *node, char *error, size_t error_size) {
    const char *const names[] = {"", "/log", "/snapshots"};
    char path[600];
    for (int i = 0; i < 3; i++) {
        snprintf(path, sizeof path, "%s%s", node->options.folder, names[i]);
        enum cairn_status status = env_make_folder(node->env, path);
        if (status != CAIRN_OK) {
            snprintf(error, error_size, "can't make the folder %s: %s", path,
                     cairn_status_text(status));
            return status;
        }
    }
    return CAIRN_OK;
}

enum cairn_status node_recover(struct node *node, char *error, size_t error_size) {
    enum cairn_status status = leave_diverged(node, error, error_size);
    if (status == CAIRN_OK)
        status = make_folders(node, error, error_size);
    if (status == CAIRN_OK)
        status = find_lost_log(node, error, error_size);
    if (status == CAIRN_OK)
        status = settle_parameters(node, error, error_size);
    if (status != CAIRN_OK)
        return status;
    for (uint32_t i = 0; i < node->options.keyspace_count; i++)
        node->groups[node->group_count++] = group_new(node, i);
    NODE_EACH_GROUP(group, node) {
        bool found = false;
        status = group_restore_newest(group, &found, error, error_size);
        if (status != CAIRN_OK)
            return status;
    }
    status = recover_log(node, error, error_size);
    return status == CAIRN_OK ? know_log(node, error, error_size) : status;
}
