/* Damage of the log that is found while the node runs, by a peer's need, by applying, or by the
 * scrub. What the state machine holds is not lost: a snapshot takes the damaged entries' place, and
 * until it is durable they count as trimmed. The rest is the protocol's to get from its leader.
 */
#include "node/node_internal.h"

void group_unreadable(struct group *group, enum cairn_status status, uint64_t first,
                      uint64_t last) {
    struct node *node = group->node;
    if (last > group->unreadable) {
        group->unreadable = last;
        node->counted.counters.damage_found++;
        node_log(node, 2, "%s: the disk can't give entries %llu to %llu of the log back (%s)",
                 node->options.keyspaces[group->keyspace].name, (unsigned long long)first,
                 (unsigned long long)last, cairn_status_text(status));
    }
    struct event event = {.kind = EVENT_UNREADABLE};
    event.unreadable.first = first;
    event.unreadable.last = last;
    group_step(group, &event);
}

bool group_damage_waits(const struct group *group) {
    return group->unreadable != 0 && group->applied >= group->unreadable;
}

void group_damage_turn(struct group *group) {
    struct node *node = group->node;
    struct replica_status status;
    if (group->unreadable == 0)
        return;
    group->protocol->status(group->replica, &status);
    if (status.failed) {
        node_fail(node, CAIRN_CORRUPT,
                  "entries of the log that were not applied yet can't be read; after a restart "
                  "peers repair them");
        return;
    }
    if (status.unreadable != 0 && status.unreadable < group->unreadable)
        group->unreadable = status.unreadable; /* the rest was cut off */
    if (status.unreadable != 0 || status.damaged)
        return;
    group_release_log(group);
    node->counted.counters.damage_repaired++;
    node_log(node, 1, "%s: the log is whole again: what was damaged up to entry %llu is repaired",
             node->options.keyspaces[group->keyspace].name, (unsigned long long)group->unreadable);
    group->unreadable = 0;
}
