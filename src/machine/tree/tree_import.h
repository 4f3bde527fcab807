/* Filling a tree machine with what another system held, before it serves: nodes as they are, then
 * what a log says was done to them. Nothing is asked of rights or versions, and doing a thing twice
 * does no harm: a ZooKeeper snapshot may hold already what its log goes on to tell.
 */
#ifndef CAIRN_MACHINE_TREE_IMPORT_H
#define CAIRN_MACHINE_TREE_IMPORT_H

#include "machine/tree/tree.h"

enum tree_import_kind {
    TREE_IMPORT_PLAIN,
    TREE_IMPORT_EPHEMERAL, /* owner: its session */
    TREE_IMPORT_CONTAINER,
    TREE_IMPORT_TTL /* owner: its TTL in ms */
};

struct tree_import_node {
    uint64_t czxid, mzxid, pzxid;
    uint64_t ctime_ms, mtime_ms;
    int32_t version, aversion;
    int32_t creations; /* of children, ever */
    enum tree_import_kind kind;
    uint64_t owner;
    const struct tree_acl *acl;
    uint32_t acl_count;
    struct bytes data; /* data NULL: null */
};

/* Empties the machine. order, below: the version of all that is put (core/machine.h). */
void tree_import_begin(struct machine *machine);
/* False: no such path can be, it is there already, or its parent is not. */
bool tree_import_node(struct machine *machine, uint64_t order, struct bytes path,
                      const struct tree_import_node *node);

/* What was done at a zxid. Of what is not there, or is there already, only the parent's count of
 * creations and pzxid are brought forward. */
struct tree_import_step {
    uint64_t order;
    uint64_t zxid;
    uint64_t time_ms;
};
/* As node, with zxids and times from the step. creations: the parent's after it; -1: one more. */
void tree_import_create(struct machine *machine, const struct tree_import_step *step,
                        struct bytes path, const struct tree_import_node *node, int32_t creations);
/* With all that is below it. */
void tree_import_delete(struct machine *machine, const struct tree_import_step *step,
                        struct bytes path);
void tree_import_set_data(struct machine *machine, const struct tree_import_step *step,
                          struct bytes path, struct bytes data, int32_t version);
void tree_import_set_acl(struct machine *machine, const struct tree_import_step *step,
                         struct bytes path, const struct tree_acl *acl, uint32_t acl_count,
                         int32_t aversion);
void tree_import_session(struct machine *machine, uint64_t order, uint64_t id, uint64_t timeout_ms,
                         const uint8_t *password);
void tree_import_session_end(struct machine *machine, const struct tree_import_step *step,
                             uint64_t id);

/* Ephemerals whose session is not there go; what must be there comes; zxids go on above the
 * step's. */
void tree_import_end(struct machine *machine, const struct tree_import_step *step);

#endif
