/* Reads the data of a stopped ZooKeeper server into a tree machine: the newest snapshot that is
 * whole, then what the logs tell behind it.
 */
#ifndef CAIRN_CLI_IMPORT_ZOOKEEPER_H
#define CAIRN_CLI_IMPORT_ZOOKEEPER_H

#include "core/machine.h"

struct import_zookeeper {
    struct machine *machine; /* of kind tree */
    uint64_t order;          /* the version of all that is put */
    /* What came of it. */
    char snapshot[300]; /* the file's name */
    uint64_t zxid;      /* of the newest transaction */
    uint64_t transactions;
    char note[600]; /* what was passed over, "" when nothing */
    char error[700];
};

/* dir: with files snapshot.* and log.*, or one that holds them in version-2. log_dir NULL: the
 * same. False: error says what is wrong and where. */
bool import_zookeeper(struct import_zookeeper *import, const char *dir, const char *log_dir);

#endif
