/* Who a data folder belongs to: written once when the folder is made, checked at every start.
 * A folder made anew for the same node has another incarnation, so that a replaced disk is never
 * taken for the one that voted before (Raft feature 21). The epoch rises only by a quorum-loss
 * repair, so that the old majority can't come back; a folder that was made to join has 0 until it
 * is a member, and then its cluster's.
 */
#ifndef CAIRN_STORAGE_IDENTITY_H
#define CAIRN_STORAGE_IDENTITY_H

#include "base/status.h"
#include "core/config.h"
#include "core/folders.h"
#include "env/env.h"

#define IDENTITY_KEYSPACES_MAX 4u

/* What a keyspace is made of, for ever: the log of one protocol means nothing to another. */
struct identity_keyspace {
    char name[16];
    char protocol[16];
    char machine[16];
};

struct identity {
    uint64_t cluster;
    uint64_t node;
    uint64_t incarnation;
    uint64_t epoch;
    uint64_t log_id; /* of the write-ahead log in the folder; 0: not known yet. Another one under
                      * the same identity means that the log was lost, with all promises in it */
    uint64_t number; /* drawn when the cluster was founded: tells it from another one of its name;
                      * 0: not known yet */
    /* The settings that commands are executed by until parameters are agreed upon: those at the
     * folder's first start, or the cluster's that it joined. 0: made before version 3. */
    uint64_t value_bytes_max;
    uint32_t session_window;
    bool diverged; /* its state differs from the others': the next start begins without it */
    struct config founders; /* the configuration at index 0, of a folder that was made when its
                             * cluster was founded; count 0: made later, to join */
    bool founding;      /* a founder that waits until the others know this folder: it has promised
                         * nothing yet */
    struct folders met; /* the other founders' folders */
    uint32_t keyspace_count; /* 0: made before there were several; then it is the first alone */
    struct identity_keyspace keyspaces[IDENTITY_KEYSPACES_MAX];
};

/* NOT_FOUND: the folder has none; CORRUPT: it has, and it is damaged. Also takes the folder's lock
 * (BUSY: another process runs on it), held until the env ends: pass NULL for lock to skip that. */
enum cairn_status identity_load(struct env *env, const char *folder, struct identity *identity,
                                struct env_file **lock);
/* Writes atomically (temporary file, sync, rename, folder sync). */
enum cairn_status identity_store(struct env *env, const char *folder,
                                 const struct identity *identity);

#endif
