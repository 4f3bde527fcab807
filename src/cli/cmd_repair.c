/* cairn repair: when a majority is lost for good, one survivor goes on alone. Its log gets a
 * configuration that names only itself, and its folder a higher cluster epoch, so that the lost
 * majority, should it come back, is refused (Raft feature 23). Others join it afresh. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/folder_replica.h"
#include "cli/lock_wait.h"
#include "node/node.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/wal.h"

#include <stdio.h>
#include <string.h>

/* One keyspace of the folder. */
struct part {
    struct folder_replica at;
    bool damaged;
};

struct repair {
    struct runtime *runtime;
    struct env *env;
    const char *dir;
    struct identity identity;
    struct part parts[IDENTITY_KEYSPACES_MAX];
    uint32_t part_count;
    struct wal *wal;
    struct env_file *lock;
    uint32_t written;
    enum cairn_status status;
};

/* A keyspace that is not there is damage of its own: NULL, and the repair ends. */
static struct part *part_of(struct repair *repair, uint64_t group) {
    if (group > 0 && group <= repair->part_count)
        return &repair->parts[group - 1];
    repair->parts[0].damaged = true;
    return NULL;
}

static void on_hard(void *context, uint64_t group, struct bytes hard) {
    struct part *part = part_of(context, group);
    if (part != NULL)
        part->at.protocol->recover_hard(part->at.replica, hard);
}

static void on_entry(void *context, uint64_t group, const struct entry *entry, bool repaired) {
    struct part *part = part_of(context, group);
    if (part == NULL)
        return;
    part->at.order = entry->order;
    part->at.time_ms = entry->time_ms;
    part->at.protocol->recover_entry(part->at.replica, entry, repaired);
}

static void on_released(void *context, uint64_t group, uint64_t index) {
    struct part *part = part_of(context, group);
    if (part != NULL)
        part->damaged |= index > part->at.base_index;
}

static void on_reset(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain) {
    on_released(context, group, index); /* the snapshot that it begins behind may be gone */
}

static void on_damage(void *context, uint64_t group, uint64_t first, uint64_t last) {
    struct part *part = part_of(context, group);
    if (part != NULL)
        part->damaged = true;
}

static void on_hard_lost(void *context, uint64_t group) {
    on_damage(context, group, 0, 0);
}

static void on_written(void *context, uint64_t group, uint64_t seq, enum cairn_status status) {
    struct repair *repair = context;
    if (status != CAIRN_OK)
        repair->status = status;
    if (++repair->written == repair->part_count)
        runtime_stop(repair->runtime);
}

static bool open_parts(struct repair *repair) {
    const struct identity *identity = &repair->identity;
    for (uint32_t i = 0; i < folder_keyspaces(identity); i++) {
        if (!folder_replica_open(repair->env, repair->dir, identity, i, &repair->parts[i].at)) {
            fprintf(stderr,
                    "cairn repair: the folder is of a protocol '%s', which this build lacks\n",
                    folder_protocol(identity, i));
            return false;
        }
        repair->part_count = i + 1;
    }
    return true;
}

static bool recover(struct repair *repair) {
    char folder[600], error[512] = "";
    struct node_options defaults;
    node_options_default(&defaults);
    struct wal_options wal = {.segment_bytes = defaults.wal_segment_bytes,
                              .batch_bytes_max = defaults.wal_batch_bytes_max,
                              .spare_segments = 1,
                              .done = on_written,
                              .context = repair};
    struct wal_recovery calls = {.context = repair,
                                 .hard = on_hard,
                                 .entry = on_entry,
                                 .reset = on_reset,
                                 .released = on_released,
                                 .damage = on_damage,
                                 .hard_lost = on_hard_lost};
    snprintf(folder, sizeof folder, "%s/log", repair->dir);
    if (wal_open(repair->env, folder, &wal, &calls, &repair->wal, error, sizeof error) !=
        CAIRN_OK) {
        fprintf(stderr, "cairn repair: %s\n", error);
        return false;
    }
    for (uint32_t i = 0; i < repair->part_count; i++)
        if (repair->parts[i].damaged) {
            fprintf(stderr, "cairn repair: the log is damaged, so it is not known what is missing; "
                            "take another survivor\n");
            return false;
        }
    return true;
}

/* Appends a configuration of this node alone behind everything that the keyspace's log holds. */
static void write_configuration(struct repair *repair, struct part *part) {
    struct replica_status status;
    struct config alone = {0};
    struct buf payload = {0};
    uint64_t chain = 0;
    part->at.protocol->status(part->at.replica, &status);
    part->at.protocol->chain_at(part->at.replica, status.last_index, &chain);
    const struct member *own = config_member(&status.config, repair->identity.node);
    struct member member = own ? *own : (struct member){.id = repair->identity.node};
    member.voter = true;
    member.voter_old = false;
    member.incarnation = repair->identity.incarnation;
    config_add(&alone, &member);
    config_encode(&payload, &alone);
    struct entry entry = {.index = status.last_index + 1,
                          .term = status.term > status.last_term ? status.term : status.last_term,
                          .order = part->at.order + 1,
                          .time_ms = part->at.time_ms,
                          .kind = ENTRY_CONFIG};
    entry.blob = blob_new(entry_size(payload.len));
    entry_encode(&entry, entry.blob->data, buf_view(&payload), chain);
    struct wal_write write = {.group = part->at.group, .seq = 1, .entries = &entry, .count = 1};
    wal_write(repair->wal, &write);
    entry_unref(&entry);
    buf_free(&payload);
}

static void write_configurations(struct repair *repair) {
    for (uint32_t i = 0; i < repair->part_count; i++)
        write_configuration(repair, &repair->parts[i]);
    wal_flush(repair->wal);
    runtime_run(repair->runtime);
    if (repair->status == CAIRN_OK)
        printf("Node %llu is the only member now. Start it as usual, then add others with empty "
               "folders: cairn member add.\n",
               (unsigned long long)repair->identity.node);
}

static int run(struct repair *repair) {
    /* First without the lock: what is no data folder is not to get one. */
    enum cairn_status status = identity_load(repair->env, repair->dir, &repair->identity, NULL);
    unsigned waited_ms = 0;
    if (status == CAIRN_OK)
        do
            status = identity_load(repair->env, repair->dir, &repair->identity, &repair->lock);
        while (status == CAIRN_BUSY && lock_wait(&waited_ms, LOCK_PATIENCE_MS));
    if (status != CAIRN_OK) {
        fprintf(stderr, "cairn repair: %s: %s\n", repair->dir,
                status == CAIRN_BUSY        ? "a process runs on it; stop it first"
                : status == CAIRN_NOT_FOUND ? "this is no data folder of a node"
                                            : cairn_status_text(status));
        return EXIT_NO;
    }
    if (!open_parts(repair) || !recover(repair))
        return EXIT_NO;
    repair->identity.founding = false;
    repair->identity.epoch++; /* first: from here on the lost majority is refused */
    status = identity_store(repair->env, repair->dir, &repair->identity);
    if (status == CAIRN_OK) {
        write_configurations(repair);
        status = repair->status;
    }
    if (status != CAIRN_OK)
        fprintf(stderr, "cairn repair: writing failed: %s\n", cairn_status_text(status));
    return status == CAIRN_OK ? EXIT_FINE : EXIT_NO;
}

int cmd_repair(int argc, char **argv) {
    struct repair repair = {0};
    struct runtime_options options = {0};
    bool yes = false;
    const struct flag flags[] = {{"yes", FLAG_SWITCH, &yes}};
    if (!flags_parse(&argc, argv, flags, 1))
        return EXIT_MISUSE;
    if (argc != 2 || strlen(argv[1]) > 500)
        return misuse("repair", "one data folder is needed");
    if (!yes)
        return misuse("repair", "this gives up what only the lost members know; say --yes if a "
                                "majority is lost for good");
    repair.runtime = runtime_new(&options);
    repair.env = runtime_env(repair.runtime);
    repair.dir = argv[1];
    int code = run(&repair);
    runtime_settle(repair.runtime);
    if (repair.wal != NULL)
        wal_close(repair.wal);
    for (uint32_t i = 0; i < repair.part_count; i++)
        folder_replica_close(&repair.parts[i].at);
    if (repair.lock != NULL)
        env_file_close(repair.env, repair.lock);
    runtime_free(repair.runtime);
    return code;
}
