/* cairn repair: when a majority is lost for good, one survivor goes on alone. Its log gets a
 * configuration that names only itself, and its folder a higher cluster epoch, so that the lost
 * majority, should it come back, is refused (Raft feature 23). Others join it afresh. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "node/node.h"
#include "node/registry.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <stdio.h>
#include <string.h>

struct repair {
    struct runtime *runtime;
    struct env *env;
    const char *dir;
    struct identity identity;
    const struct protocol *protocol;
    struct replica *replica;
    struct wal *wal;
    struct env_file *lock;
    uint64_t base_index;     /* of the snapshot */
    uint64_t order, time_ms; /* of the newest entry */
    bool damaged;
    enum cairn_status status;
};

static void on_hard(void *context, uint64_t group, struct bytes hard) {
    struct repair *repair = context;
    repair->protocol->recover_hard(repair->replica, hard);
}

static void on_entry(void *context, uint64_t group, const struct entry *entry, bool repaired) {
    struct repair *repair = context;
    repair->order = entry->order;
    repair->time_ms = entry->time_ms;
    repair->protocol->recover_entry(repair->replica, entry, repaired);
}

static void on_reset(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain) {
    struct repair *repair = context;
    repair->damaged |= index > repair->base_index; /* the snapshot that it begins behind is gone */
}

static void on_damage(void *context, uint64_t group, uint64_t first, uint64_t last) {
    ((struct repair *)context)->damaged = true;
}

static void on_hard_lost(void *context, uint64_t group) {
    ((struct repair *)context)->damaged = true;
}

static void on_written(void *context, uint64_t group, uint64_t seq, enum cairn_status status) {
    struct repair *repair = context;
    repair->status = status;
    runtime_stop(repair->runtime);
}

static void load_base(struct repair *repair) {
    struct snapshot_reader *reader;
    struct snapshot_meta meta;
    char folder[600];
    snprintf(folder, sizeof folder, "%s/snapshots", repair->dir);
    if (snapshot_reader_open(repair->env, folder, NODE_GROUP_OF(0), 0, &reader) != CAIRN_OK)
        return;
    snapshot_reader_meta(reader, &meta);
    struct log_base base = {.index = meta.index,
                            .term = meta.term,
                            .chain = meta.chain,
                            .order = meta.order,
                            .time_ms = meta.time_ms,
                            .state = meta.protocol};
    repair->base_index = meta.index;
    repair->order = meta.order;
    repair->time_ms = meta.time_ms;
    repair->protocol->recover_base(repair->replica, &base);
    snapshot_reader_close(reader);
}

static bool recover(struct repair *repair) {
    char folder[600], error[512] = "";
    struct node_options defaults;
    node_options_default(&defaults);
    struct replica_options options = {.group = NODE_GROUP_OF(0),
                                      .id = repair->identity.node,
                                      .incarnation = repair->identity.incarnation,
                                      .bootstrap = repair->identity.founders,
                                      .election_timeout_min_ns = defaults.election_timeout_min_ns,
                                      .election_timeout_max_ns = defaults.election_timeout_max_ns,
                                      .heartbeat_ns = defaults.heartbeat_ns,
                                      .entry_bytes_max = defaults.command_bytes_max,
                                      .append_bytes_max = defaults.append_bytes_max,
                                      .inflight_max = defaults.inflight_max,
                                      .inflight_bytes_max = defaults.inflight_bytes_max,
                                      .uncommitted_bytes_max = defaults.uncommitted_bytes_max,
                                      .window_bytes_max = defaults.window_bytes_max,
                                      .apply_bytes_max = defaults.apply_bytes_max};
    struct wal_options wal = {.segment_bytes = defaults.wal_segment_bytes,
                              .batch_bytes_max = defaults.wal_batch_bytes_max,
                              .spare_segments = 1,
                              .done = on_written,
                              .context = repair};
    struct wal_recovery calls = {.context = repair,
                                 .hard = on_hard,
                                 .entry = on_entry,
                                 .reset = on_reset,
                                 .damage = on_damage,
                                 .hard_lost = on_hard_lost};
    repair->protocol = registry_protocol(defaults.keyspaces[0].protocol);
    repair->replica = repair->protocol->create(&options);
    load_base(repair);
    snprintf(folder, sizeof folder, "%s/log", repair->dir);
    if (wal_open(repair->env, folder, &wal, &calls, &repair->wal, error, sizeof error) == CAIRN_OK)
        return true;
    fprintf(stderr, "cairn repair: %s\n", error);
    return false;
}

/* Appends a configuration of this node alone behind everything that the log holds. */
static void write_configuration(struct repair *repair) {
    struct replica_status status;
    struct config alone = {0};
    struct buf payload = {0};
    uint64_t chain = 0;
    repair->protocol->status(repair->replica, &status);
    repair->protocol->chain_at(repair->replica, status.last_index, &chain);
    const struct member *own = config_member(&status.config, repair->identity.node);
    struct member member = own ? *own : (struct member){.id = repair->identity.node};
    member.voter = true;
    member.voter_old = false;
    member.incarnation = repair->identity.incarnation;
    config_add(&alone, &member);
    config_encode(&payload, &alone);
    struct entry entry = {.index = status.last_index + 1,
                          .term = status.term > status.last_term ? status.term : status.last_term,
                          .order = repair->order + 1,
                          .time_ms = repair->time_ms,
                          .kind = ENTRY_CONFIG};
    entry.blob = blob_new(entry_size(payload.len));
    entry_encode(&entry, entry.blob->data, buf_view(&payload), chain);
    struct wal_write write = {.group = NODE_GROUP_OF(0), .seq = 1, .entries = &entry, .count = 1};
    wal_write(repair->wal, &write);
    wal_flush(repair->wal);
    runtime_run(repair->runtime);
    printf("Entry %llu makes node %llu the only member. Start it as usual, then add others with "
           "empty folders: cairn member add.\n",
           (unsigned long long)entry.index, (unsigned long long)repair->identity.node);
    entry_unref(&entry);
    buf_free(&payload);
}

static int run(struct repair *repair) {
    enum cairn_status status =
        identity_load(repair->env, repair->dir, &repair->identity, &repair->lock);
    if (status != CAIRN_OK) {
        fprintf(stderr, "cairn repair: %s: %s\n", repair->dir,
                status == CAIRN_BUSY ? "a process runs on it; stop it first"
                                     : cairn_status_text(status));
        return EXIT_NO;
    }
    if (!recover(repair))
        return EXIT_NO;
    if (repair->damaged) {
        fprintf(stderr,
                "cairn repair: the log is damaged, so nobody can tell what is missing; take "
                "another survivor\n");
        return EXIT_NO;
    }
    repair->identity.epoch++; /* first: from here on the lost majority is refused */
    status = identity_store(repair->env, repair->dir, &repair->identity);
    if (status == CAIRN_OK) {
        write_configuration(repair);
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
    if (repair.replica != NULL)
        repair.protocol->destroy(repair.replica);
    if (repair.lock != NULL)
        env_file_close(repair.env, repair.lock);
    runtime_free(repair.runtime);
    return code;
}
