/* cairn import: what another system holds becomes the data of a new cluster. Everything is made
 * under another name beside the new folder and renamed at the end: there is the whole of it, or
 * nothing. */
#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/import_zookeeper.h"
#include "cli/settings.h"
#include "core/reply.h"
#include "machine/tree/tree.h"
#include "node/registry.h"
#include "node/stack.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NODES_MAX 9
#define PEER_PORT 7100u
#define ORDER_SHIFT 20

struct import {
    struct runtime *runtime;
    struct env *env;
    const char *dir;
    const char *protocol; /* NULL: the servers' default */
    char temporary[480];  /* dir, while it is made */
    uint64_t nodes, offset;
    uint64_t time_ms;
    struct settings settings; /* of the nodes to be */
    struct node_options options;
    uint32_t keyspace;
    struct config founders;
    struct stack stack;
};

static bool complain(const char *what, const char *why) {
    fprintf(stderr, "cairn import: %s: %s\n", what, why);
    return false;
}

/* ---- the new cluster ---- */

/* Named and numbered as cairn dev does it. */
static void choose_settings(struct import *import) {
    struct settings *settings = &import->settings;
    uint64_t random;
    size_t len = 0;
    settings_default(settings);
    settings->bootstrap = true;
    env_entropy(import->env, &random, sizeof random);
    snprintf(settings->cluster, sizeof settings->cluster, "dev-%016llx",
             (unsigned long long)random);
    for (uint64_t i = 1; i <= import->nodes; i++)
        len += (size_t)snprintf(settings->members + len, sizeof settings->members - len,
                                "%llu=127.0.0.1:%llu ", (unsigned long long)i,
                                (unsigned long long)(PEER_PORT + i + import->offset));
    settings_members(settings->members, &import->founders);
}

static bool find_keyspace(struct import *import) {
    if (import->protocol != NULL)
        snprintf(import->settings.tree_protocol, sizeof import->settings.tree_protocol, "%s",
                 import->protocol);
    settings_to_node(&import->settings, &import->options);
    for (uint32_t i = 0; i < import->options.keyspace_count; i++)
        if (strcmp(import->options.keyspaces[i].machine, machine_tree.name) == 0) {
            import->keyspace = i;
            return true;
        }
    return complain("this build", "its servers have no keyspace for ZooKeeper's data");
}

static bool make_folder(const char *path) {
    return mkdir(path, 0755) == 0 || complain(path, strerror(errno));
}

static bool write_name(struct import *import) {
    char path[520];
    snprintf(path, sizeof path, "%s/cluster", import->temporary);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return complain(path, strerror(errno));
    fprintf(file, "%s\n", import->settings.cluster);
    return fclose(file) == 0 || complain(path, strerror(errno));
}

static bool write_identity(struct import *import, uint64_t node, const char *folder) {
    struct identity identity;
    import->settings.node = node;
    settings_to_identity(&import->settings, &identity);
    identity.founding = false; /* what it is founded with is there already */
    while (identity.incarnation == 0)
        env_entropy(import->env, &identity.incarnation, sizeof identity.incarnation);
    enum cairn_status status = identity_store(import->env, folder, &identity);
    return status == CAIRN_OK || complain(folder, cairn_status_text(status));
}

/* What the protocol keeps in a snapshot besides: that of a replica which has just been founded. */
static void protocol_state(struct import *import, struct buf *state) {
    const struct node_keyspace *keyspace = &import->options.keyspaces[import->keyspace];
    const struct protocol *protocol = registry_protocol(keyspace->protocol);
    const struct node_options *node = &import->options;
    struct replica_options options = {.group = NODE_GROUP_OF(import->keyspace),
                                      .id = 1,
                                      .bootstrap = import->founders,
                                      .election_timeout_min_ns = node->election_timeout_min_ns,
                                      .election_timeout_max_ns = node->election_timeout_max_ns,
                                      .heartbeat_ns = node->heartbeat_ns,
                                      .entry_bytes_max = node->command_bytes_max,
                                      .append_bytes_max = node->append_bytes_max,
                                      .inflight_max = node->inflight_max,
                                      .inflight_bytes_max = node->inflight_bytes_max,
                                      .uncommitted_bytes_max = node->uncommitted_bytes_max,
                                      .window_bytes_max = node->window_bytes_max,
                                      .apply_bytes_max = node->apply_bytes_max};
    struct log_base base;
    struct replica *replica = protocol->create(&options);
    protocol->snapshot_base(replica, &base, state);
    protocol->destroy(replica);
}

static enum cairn_status write_chunks(struct import *import, struct snapshot_writer *writer) {
    struct stack_snapshot *snapshot = stack_snapshot_begin(&import->stack);
    struct buf chunk = {0};
    enum cairn_status status = CAIRN_OK;
    uint32_t section, version;
    while (status == CAIRN_OK &&
           stack_snapshot_next(snapshot, SNAPSHOT_CHUNK_BYTES, &chunk, &section, &version)) {
        status = snapshot_writer_chunk(writer, section, version, buf_view(&chunk));
        buf_clear(&chunk);
    }
    stack_snapshot_end(&import->stack, snapshot);
    buf_free(&chunk);
    return status;
}

/* The group's log begins behind entry 1, which stands for the import. */
static bool write_snapshot(struct import *import, const char *folder) {
    struct snapshot_writer *writer;
    struct buf state = {0};
    protocol_state(import, &state);
    struct snapshot_meta meta = {.group = NODE_GROUP_OF(import->keyspace),
                                 .index = 1,
                                 .term = 1,
                                 .chain = stack_digest(&import->stack),
                                 .order = import->time_ms << ORDER_SHIFT,
                                 .time_ms = import->time_ms,
                                 .digest = stack_digest(&import->stack),
                                 .protocol = buf_view(&state)};
    uint64_t size;
    enum cairn_status status = snapshot_writer_open(import->env, folder, &meta, &writer);
    if (status == CAIRN_OK) {
        status = write_chunks(import, writer);
        if (status == CAIRN_OK)
            status = snapshot_writer_finish(writer, &size);
        else
            snapshot_writer_abort(writer);
    }
    buf_free(&state);
    return status == CAIRN_OK || complain(folder, cairn_status_text(status));
}

static void no_hard(void *context, uint64_t group, struct bytes hard) {}
static void no_entry(void *context, uint64_t group, const struct entry *entry, bool repaired) {}
static void no_reset(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain) {
}
static void no_released(void *context, uint64_t group, uint64_t index) {}
static void no_damage(void *context, uint64_t group, uint64_t first, uint64_t last) {}
static void no_hard_lost(void *context, uint64_t group) {}
static void no_done(void *context, uint64_t group, uint64_t seq, enum cairn_status status) {}

/* An empty one: a folder without is one that lost it. */
static bool make_log(struct import *import, const char *folder) {
    const struct wal_options options = {.segment_bytes = import->options.wal_segment_bytes,
                                        .batch_bytes_max = import->options.wal_batch_bytes_max,
                                        .done = no_done};
    const struct wal_recovery nothing = {.hard = no_hard,
                                         .entry = no_entry,
                                         .reset = no_reset,
                                         .released = no_released,
                                         .damage = no_damage,
                                         .hard_lost = no_hard_lost};
    struct wal *wal;
    char error[512] = "";
    if (!make_folder(folder))
        return false;
    if (wal_open(import->env, folder, &options, &nothing, &wal, error, sizeof error) != CAIRN_OK)
        return complain(folder, error);
    runtime_settle(import->runtime);
    wal_close(wal);
    return true;
}

static bool write_node(struct import *import, uint64_t node) {
    char folder[520], snapshots[540], log[540];
    snprintf(folder, sizeof folder, "%s/node-%llu", import->temporary, (unsigned long long)node);
    snprintf(snapshots, sizeof snapshots, "%s/snapshots", folder);
    snprintf(log, sizeof log, "%s/log", folder);
    return make_folder(folder) && make_log(import, log) && make_folder(snapshots) &&
           write_snapshot(import, snapshots) && write_identity(import, node, folder);
}

static bool write_all(struct import *import) {
    snprintf(import->temporary, sizeof import->temporary, "%s.importing", import->dir);
    if (access(import->dir, F_OK) == 0)
        return complain(import->dir, "it is there already; an import makes a new folder");
    if (!make_folder(import->temporary) || !write_name(import))
        return false;
    for (uint64_t i = 1; i <= import->nodes; i++)
        if (!write_node(import, i))
            return false;
    return rename(import->temporary, import->dir) == 0 || complain(import->dir, strerror(errno));
}

/* ---- what came of it ---- */

static uint64_t summary_of(struct machine *machine, const char *name) {
    struct buf query = {0}, reply = {0};
    struct reply_value value;
    uint64_t found = 0;
    tree_put_head(&query, TREE_OP_SUMMARY, NULL);
    machine_tree.read(machine, &(struct read_context){0}, buf_view(&query), &reply);
    struct reader reader = reader_of(buf_view(&reply));
    while (reader_left(&reader) > 0 && reply_next(&reader, &value)) {
        if (value.kind == REPLY_BULK && bytes_equal(value.text, bytes_cstr(name)) &&
            reply_next(&reader, &value))
            found = (uint64_t)value.integer;
    }
    buf_free(&query);
    buf_free(&reply);
    return found;
}

static void tell(struct import *import, const struct import_zookeeper *from) {
    struct machine *machine = import->stack.machine;
    if (*from->note)
        printf("Note: %s.\n", from->note);
    printf("%s and %llu transactions behind it: %llu nodes (%llu ephemeral), %llu sessions, zxid "
           "0x%llx.\n",
           from->snapshot, (unsigned long long)from->transactions,
           (unsigned long long)summary_of(machine, "nodes"),
           (unsigned long long)summary_of(machine, "ephemerals"),
           (unsigned long long)summary_of(machine, "sessions"), (unsigned long long)from->zxid);
    printf("%s holds it for %llu node%s. To serve it:\n    cairn dev --dir %s --nodes %llu",
           import->dir, (unsigned long long)import->nodes, import->nodes == 1 ? "" : "s",
           import->dir, (unsigned long long)import->nodes);
    if (import->offset > 0)
        printf(" --port-offset %llu", (unsigned long long)import->offset);
    if (import->protocol != NULL)
        printf(" --set tree.protocol=%s", import->protocol);
    printf("\n");
}

static bool run(struct import *import, const char *from_dir, const char *log_dir) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    import->time_ms = (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
    choose_settings(import);
    if (!find_keyspace(import))
        return false;
    const struct machine_options options = {.value_bytes_max = import->options.value_bytes_max,
                                            .work_max = import->options.work_max};
    stack_open(&import->stack, &machine_tree, &options, import->options.session_window);
    struct import_zookeeper from = {.machine = import->stack.machine,
                                    .order = import->time_ms << ORDER_SHIFT};
    bool ok = import_zookeeper(&from, from_dir, log_dir);
    if (!ok)
        fprintf(stderr, "cairn import: %s\n", from.error);
    ok = ok && write_all(import);
    if (ok)
        tell(import, &from);
    stack_close(&import->stack);
    return ok;
}

int cmd_import(int argc, char **argv) {
    static struct import import; /* large; there is one */
    import = (struct import){.nodes = 3, .dir = "cairn-data"};
    struct runtime_options options = {0};
    const char *log_dir = NULL;
    const struct flag flags[] = {{"dir", FLAG_TEXT, &import.dir},
                                 {"nodes", FLAG_NUMBER, &import.nodes},
                                 {"log-dir", FLAG_TEXT, &log_dir},
                                 {"port-offset", FLAG_NUMBER, &import.offset},
                                 {"protocol", FLAG_TEXT, &import.protocol}};
    if (!flags_parse(&argc, argv, flags, 5))
        return EXIT_MISUSE;
    if (argc != 3 || strcmp(argv[1], "zookeeper") != 0)
        return misuse("import", "say what: cairn import zookeeper SNAPSHOT-DIR");
    if (import.nodes == 0 || import.nodes > NODES_MAX)
        return misuse("import", "--nodes is from 1 to %d", NODES_MAX);
    if (import.protocol != NULL && registry_protocol(import.protocol) == NULL)
        return misuse("import", "there is no protocol '%s'", import.protocol);
    if (import.offset > 50000)
        return misuse("import", "--port-offset is at most 50000");
    if (strlen(import.dir) > 400 || strlen(argv[2]) > 400)
        return misuse("import", "a folder's name is too long");
    import.runtime = runtime_new(&options);
    import.env = runtime_env(import.runtime);
    bool ok = run(&import, argv[2], log_dir);
    runtime_settle(import.runtime);
    runtime_free(import.runtime);
    return ok ? EXIT_FINE : EXIT_NO;
}
