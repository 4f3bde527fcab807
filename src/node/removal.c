/* Being no member any more. A removed node gets no log, so it would never hear of its removal, and
 * campaign and wait without end: a node that knows a committed configuration without a linked node
 * tells it. It then says so, refuses its clients at once, and rests, until a leader lists it again.
 *
 * MEMBERS (links of version 3): u64 index of the configuration, block configuration.
 */
#include "node/node_internal.h"

#include "base/assert.h"

#define CONFIG_BYTES_MAX (8u << 10)

void removal_tell(struct group *group, struct link *link) {
    bool known = group->config_committed && !group->config.joint && group->config.count > 0;
    if (!known || link->state != LINK_UP || link->wire_version < WIRE_VERSION_3)
        return;
    struct buf body = {0}, config = {0};
    config_encode(&config, &group->config);
    buf_u64(&body, group->config_index);
    buf_block(&body, buf_view(&config));
    link_send(link, LANE_CONTROL, FRAME_MEMBERS, group->id, buf_view(&body), NULL, 0);
    buf_free(&config);
    buf_free(&body);
}

void removal_tell_all(struct group *group) {
    struct node *node = group->node;
    for (int i = 0; i < PEERS_MAX; i++)
        if (node->peers[i].link != NULL)
            removal_tell(group, node->peers[i].link);
}

void removal_receive(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    struct config config;
    uint64_t index = read_u64(&reader);
    struct bytes encoded = read_block(&reader, CONFIG_BYTES_MAX);
    if (!reader_done(&reader) || config_decode(encoded, &config) != CAIRN_OK) {
        link_malformed(link, "malformed word of the members");
        return;
    }
    if (index <= group->told_index)
        return;
    group->told_index = index;
    group->told_gone = config_member(&config, group->node->options.identity.node) == NULL;
    env_wake(group->node->env);
}

/* Who follows a leader, or is being given a newer log, is none that was forgotten. */
bool group_removed(const struct group *group) {
    bool listed = config_member(&group->config, group->node->options.identity.node) != NULL;
    bool newer =
        listed ? group->told_index > group->config_index : group->told_index >= group->config_index;
    return group->told_gone && group->config.count > 0 && newer && group->leader == 0 &&
           group->role != ROLE_LEADER && group->install == NULL;
}

bool node_removed(const struct node *node, uint32_t keyspace) {
    return group_removed(node->groups[keyspace]);
}

void removal_turn(struct group *group) {
    bool removed = group_removed(group);
    if (removed == group->rests)
        return;
    group->rests = removed;
    node_log(group->node, 2, "%s: %s", group->node->options.keyspaces[group->keyspace].name,
             removed ? "this node was removed from the cluster; it rests, and refuses its clients"
                     : "this node is a member again");
    if (removed)
        requests_fail_all(group, CAIRN_REMOVED, CAIRN_UNKNOWN_FATE);
}
