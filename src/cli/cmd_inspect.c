/* cairn inspect: what a data folder holds, every checksum verified, nothing changed. */
#include "cli/cli.h"
#include "cli/cluster_file.h"
#include "cli/folder_replica.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <stdio.h>
#include <string.h>

static bool inspect_identity(struct env *env, const char *dir, struct identity *identity) {
    char name[CLUSTER_NAME_SIZE] = "";
    enum cairn_status status = identity_load(env, dir, identity, NULL);
    if (status != CAIRN_OK) {
        printf("identity: %s\n", status == CAIRN_NOT_FOUND
                                     ? "none: this is no data folder of a node"
                                     : cairn_status_text(status));
        return false;
    }
    bool named = cluster_file_read(dir, name);
    printf("identity: node %llu of cluster %s%s%016llx%s, incarnation %016llx, epoch %llu, %s\n",
           (unsigned long long)identity->node, name, named ? " (" : "",
           (unsigned long long)identity->cluster, named ? ")" : "",
           (unsigned long long)identity->incarnation, (unsigned long long)identity->epoch,
           identity->founding         ? "a founder that has not met the others"
           : identity->founders.count ? "a founder"
                                      : "joined later");
    return true;
}

static void print_members(const struct config *config) {
    printf("    members%s:", config->joint ? " (a change is half way)" : "");
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        printf("%s %llu at %s, %s", i ? ";" : "", (unsigned long long)member->id, member->address,
               member->voter || member->voter_old ? "voter" : "learner");
    }
    printf("%s\n", config->count == 0 ? " none known" : "");
}

/* What decides between survivors: the last entry's term, and with equal terms its index. */
static void print_keyspace(const struct identity *identity, uint32_t keyspace,
                           const struct folder_replica *at) {
    struct replica_status status;
    at->protocol->status(at->replica, &status);
    printf("keyspace %s (group %llu, %s): last index %llu of term %llu, first index %llu, ",
           identity->keyspace_count > 0 ? identity->keyspaces[keyspace].name : "kv",
           (unsigned long long)at->group, folder_protocol(identity, keyspace),
           (unsigned long long)status.last_index, (unsigned long long)status.last_term,
           (unsigned long long)status.first_index);
    if (at->base_index > 0)
        printf("snapshot at %llu; committed at least up to there\n",
               (unsigned long long)at->base_index);
    else
        printf("no snapshot; how much is committed, a log alone does not tell\n");
    print_members(&status.config);
}

/* As far as the entries go on from the snapshot, or from each other. */
static void give_entries(struct folder_replica *at, const struct wal_past *past) {
    struct replica_status status;
    for (size_t i = 0; i < past->count; i++) {
        at->protocol->status(at->replica, &status);
        if (past->entries[i].index <= status.last_index)
            continue;
        if (past->entries[i].index != status.last_index + 1)
            break;
        at->protocol->recover_entry(at->replica, &past->entries[i], false);
    }
}

static void inspect_keyspace(struct env *env, const char *dir, const struct identity *identity,
                             uint32_t keyspace) {
    char log[600];
    struct folder_replica at;
    struct wal_past past = {0};
    snprintf(log, sizeof log, "%s/log", dir);
    if (!folder_replica_open(env, dir, identity, keyspace, &at)) {
        printf("keyspace %u is of a protocol '%s', which this build lacks\n", keyspace,
               folder_protocol(identity, keyspace));
        return;
    }
    if (wal_past_read(env, log, at.group, &past) == CAIRN_OK)
        give_entries(&at, &past);
    print_keyspace(identity, keyspace, &at);
    wal_past_free(&past);
    folder_replica_close(&at);
}

static bool inspect_all(struct env *env, const char *dir, bool verbose) {
    char path[600];
    struct identity identity;
    bool ok = inspect_identity(env, dir, &identity);
    for (uint32_t i = 0; ok && i < folder_keyspaces(&identity); i++)
        inspect_keyspace(env, dir, &identity, i);
    snprintf(path, sizeof path, "%s/snapshots", dir);
    ok &= snapshot_inspect(env, path, verbose, stdout) == CAIRN_OK;
    snprintf(path, sizeof path, "%s/log", dir);
    ok &= wal_inspect(env, path, verbose, stdout) == CAIRN_OK;
    printf(ok ? "All checksums hold.\n" : "Something is damaged or missing: see above.\n");
    return ok;
}

int cmd_inspect(int argc, char **argv) {
    bool verbose = false;
    struct runtime_options options = {0};
    const struct flag flags[] = {{"verbose", FLAG_SWITCH, &verbose}};
    if (!flags_parse(&argc, argv, flags, 1))
        return EXIT_MISUSE;
    if (argc != 2 || strlen(argv[1]) > 500)
        return misuse("inspect", "one data folder is needed, such as cairn-data/node-1");
    struct runtime *runtime = runtime_new(&options);
    bool ok = inspect_all(runtime_env(runtime), argv[1], verbose);
    runtime_free(runtime);
    return ok ? EXIT_FINE : EXIT_NO;
}
