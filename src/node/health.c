/* What stands in the way of a node that serves and follows, in words. */
#include "node/node_internal.h"

#include <string.h>

#define LAG_HEALTHY 1000u /* committed entries that a healthy node may have yet to apply */

static const char *const texts[] = {
#define X(constant, text, about) text,
    NODE_HEALTH_LIST(X)
#undef X
};

static bool founds(const struct node *node) {
    return founding_health(node) != NULL;
}

/* A peer refuses this node, or is refused, and that may be why it follows none. */
static bool lacks_links(const struct group *group, const struct replica_status *replica) {
    const struct node *node = group->node;
    bool follows = replica->config.count > 0 && replica->leader != 0 && !founds(node);
    return node->refused[0] != 0 && !follows && !group_removed(group) && !node->missed_repair;
}

static bool lags(const struct replica_status *replica) {
    bool nothing = replica->applied_index == 0 && replica->commit_index > 0;
    return nothing || replica->applied_index + LAG_HEALTHY < replica->commit_index;
}

static bool holds(enum node_health reason, const struct group *group,
                  const struct replica_status *replica) {
    const struct node *node = group->node;
    switch (reason) {
    case NODE_HEALTH_FAILED:
        return node->failed;
    case NODE_HEALTH_STOPPING:
        return node->stopping;
    case NODE_HEALTH_REPLICAS_DIFFER:
        return group->compare.no_majority;
    case NODE_HEALTH_DAMAGED:
        return replica->damaged;
    case NODE_HEALTH_DISK_FULL:
        return wal_full(node->wal);
    case NODE_HEALTH_INSTALLING:
        return group->install != NULL;
    case NODE_HEALTH_NO_LINK:
        return lacks_links(group, replica);
    case NODE_HEALTH_FOUNDING:
        return founds(node);
    case NODE_HEALTH_MISSED_REPAIR:
        return node->missed_repair && replica->leader == 0;
    case NODE_HEALTH_WAITING:
        return replica->config.count == 0;
    case NODE_HEALTH_REMOVED:
        return group_removed(group);
    case NODE_HEALTH_MAJORITY_LOST:
        return replica->leader == 0 && founding_majority_lost(group);
    case NODE_HEALTH_TERM_REFUSED:
        return replica->leader == 0 && replica->term_refused;
    case NODE_HEALTH_NO_LEADER:
        return replica->leader == 0;
    case NODE_HEALTH_DIVERGED:
        return replica->diverged;
    case NODE_HEALTH_LOG_DAMAGED:
        return group->unreadable != 0;
    case NODE_HEALTH_CATCHING_UP:
        return lags(replica);
    case NODE_HEALTH_OK:
    case NODE_HEALTH_COUNT:
        break;
    }
    return true;
}

const char *group_health(const struct group *group, const struct replica_status *replica) {
    enum node_health reason = 0;
    while (!holds(reason, group, replica))
        reason++;
    if (reason == NODE_HEALTH_NO_LINK)
        return group->node->refused;
    return reason == NODE_HEALTH_FOUNDING ? founding_health(group->node) : texts[reason];
}

const char *node_health(const struct node *node) {
    const char *worst = texts[NODE_HEALTH_OK];
    NODE_EACH_GROUP(group, node) {
        struct replica_status status;
        group->protocol->status(group->replica, &status);
        const char *told = group_health(group, &status);
        if (strcmp(worst, texts[NODE_HEALTH_OK]) == 0)
            worst = told;
    }
    return worst;
}
