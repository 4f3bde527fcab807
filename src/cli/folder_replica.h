/* A keyspace's replica as a data folder has it, for the commands that look into folders: it runs
 * nowhere. */
#ifndef CAIRN_CLI_FOLDER_REPLICA_H
#define CAIRN_CLI_FOLDER_REPLICA_H

#include "core/protocol.h"
#include "storage/identity.h"

struct folder_replica {
    uint64_t group;
    const struct protocol *protocol;
    struct replica *replica;
    uint64_t base_index;     /* of the snapshot; 0: none */
    uint64_t order, time_ms; /* of the newest entry */
};

/* With what its newest snapshot says; the log's entries are the caller's to give. False: this build
 * lacks the protocol. */
bool folder_replica_open(struct env *env, const char *dir, const struct identity *identity,
                         uint32_t keyspace, struct folder_replica *out);
void folder_replica_close(struct folder_replica *replica);
/* Of a folder that was made before there were several: the first. */
uint32_t folder_keyspaces(const struct identity *identity);
const char *folder_protocol(const struct identity *identity, uint32_t keyspace);

#endif
