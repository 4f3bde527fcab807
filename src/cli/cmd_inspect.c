/* cairn inspect: what a data folder holds, every checksum verified, nothing changed. */
#include "cli/cli.h"
#include "runtime/runtime.h"
#include "storage/identity.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#include <stdio.h>
#include <string.h>

static bool inspect_identity(struct env *env, const char *dir) {
    struct identity identity;
    enum cairn_status status = identity_load(env, dir, &identity, NULL);
    if (status != CAIRN_OK) {
        printf("identity: %s\n", cairn_status_text(status));
        return false;
    }
    printf("identity: node %llu of cluster %016llx, incarnation %016llx, epoch %llu, %s\n",
           (unsigned long long)identity.node, (unsigned long long)identity.cluster,
           (unsigned long long)identity.incarnation, (unsigned long long)identity.epoch,
           identity.founding         ? "a founder that has not met the others"
           : identity.founders.count ? "a founder"
                                     : "joined later");
    return true;
}

static bool inspect_all(struct env *env, const char *dir, bool verbose) {
    char path[600];
    bool ok = inspect_identity(env, dir);
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
