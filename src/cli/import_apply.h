/* What ZooKeeper's files say, put into a tree machine: bytes in, no files here. One snapshot, then
 * any number of logs in order.
 */
#ifndef CAIRN_CLI_IMPORT_APPLY_H
#define CAIRN_CLI_IMPORT_APPLY_H

#include "base/vmap.h"
#include "machine/tree/tree_import.h"
#include "wire/zkfile.h"

struct import_list {
    struct reader entries;
    uint32_t count;
};

struct import_apply {
    struct machine *machine;
    struct tree_import_step step; /* the newest transaction: time 0 when it is the snapshot's */
    uint64_t transactions;
    char error[160]; /* of import_apply_log, "" when the status says it all */
    /* Its own. */
    struct vmap *lists; /* id -> place in list_of */
    struct import_list *list_of;
    uint32_t list_count;
    struct tree_acl *acl; /* the one at hand */
    uint32_t acl_cap;
};

/* order: the version of all that is put (core/machine.h). */
void import_apply_open(struct import_apply *apply, struct machine *machine, uint64_t order);
void import_apply_close(struct import_apply *apply);

/* Begins afresh, so that after a failure another one may be tried. MALFORMED, TORN, CORRUPT. */
enum cairn_status import_apply_snapshot(struct import_apply *apply, struct bytes file,
                                        uint64_t zxid);
/* What it tells of transactions behind the newest one. TORN: it ends within a transaction; those
 * before it are done. MALFORMED, CORRUPT: it can't be gone on. */
enum cairn_status import_apply_log(struct import_apply *apply, struct bytes file);
/* What must be there comes, what can't be goes: the machine may serve. */
void import_apply_end(struct import_apply *apply);

#endif
