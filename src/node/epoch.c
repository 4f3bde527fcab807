/* The cluster's epoch, as two nodes tell it each other in their hellos. It rises by a quorum-loss
 * repair alone (cairn repair): what the lost members hold must never meet what went on without
 * them, so nodes of different epochs do not talk. A folder that holds nothing has nothing to keep
 * apart: it takes the later epoch from the node that makes it a member.
 */
#include "node/node_internal.h"

bool node_holds_nothing(const struct node *node) {
    NODE_EACH_GROUP(group, node) {
        struct replica_status status;
        group->protocol->status(group->replica, &status);
        if (status.last_index > 0 || status.applied_index > 0)
            return false;
    }
    return true;
}

/* False: it could not be written now, and is as it was. */
static bool set_epoch(struct node *node, uint64_t epoch) {
    struct identity *identity = &node->options.identity;
    uint64_t before = identity->epoch;
    identity->epoch = epoch;
    if (node_store_identity(node))
        return true;
    identity->epoch = before;
    return false;
}

/* A founder votes by its founders' configuration, so it is no blank folder even without entries. */
static bool may_leave_epoch(const struct node *node) {
    const struct identity *identity = &node->options.identity;
    return identity->founders.count == 0 && !identity->founding && node_holds_nothing(node);
}

const char *epoch_refusal(struct node *node, uint64_t theirs) {
    uint64_t own = node->options.identity.epoch;
    if (theirs == own || theirs == 0 || own == 0)
        return NULL;
    if (theirs < own)
        return "it missed a quorum-loss repair: what it holds is from before (another cluster "
               "epoch); it joins again with an empty folder";
    if (may_leave_epoch(node) && set_epoch(node, 0))
        return NULL;
    node->missed_repair = true;
    return "this node missed a quorum-loss repair: what it holds is from before (another cluster "
           "epoch); it joins again with an empty folder";
}

void epoch_adopt(struct link *link) {
    struct node *node = link->node;
    const struct identity *identity = &node->options.identity;
    if (identity->epoch == 0 && link->hello.epoch != 0 && node_member(node, identity->node) != NULL)
        set_epoch(node, link->hello.epoch);
}
