/* What a node tells of members and of their changes. */
#include "node/node_internal.h"

#include <inttypes.h>

#define MS_PER_S 1000u

static void tell_aim(const struct node *node, const struct aim *aim, struct buf *out) {
    const struct group *first = node->groups[0];
    uint64_t now = first->protocol->time_ms(first->replica, env_now(node->env),
                                            node_wall_ms((struct node *)node));
    uint64_t from = aim->ended_ms != 0 ? aim->ended_ms : aim->since_ms;
    uint64_t seconds = now > from ? (now - from) / MS_PER_S : 0;
    buf_printf(out, "change %" PRIu64 ": ", aim->id);
    wishes_tell(&aim->wanted, out);
    if (aim->ended_ms == 0)
        buf_printf(out, "; %s, for %" PRIu64 " s", aim_phase_text(aim), seconds);
    else
        buf_printf(out, "; %s %" PRIu64 " s ago", aim_phase_text(aim), seconds);
    buf_printf(out, aim->reason[0] ? ": %s\n" : "%s\n", aim->reason);
}

/* By what this node knows: progress is known to a keyspace's leader. */
static void tell_keyspace(const struct group *group, struct buf *out) {
    struct replica_status status;
    const struct config *config = &group->config;
    group->protocol->status(group->replica, &status);
    buf_printf(out, "%s: leader %" PRIu64 "%s;",
               group->node->options.keyspaces[group->keyspace].name, group->leader,
               config->joint ? ", joint" : "");
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        bool votes = member->voter || member->voter_old;
        buf_printf(out, "%s %" PRIu64 " %s%s", i ? "," : "", member->id,
                   votes ? "voter" : "learner", member->rejoining ? " on its way back" : "");
        for (uint32_t p = 0; p < status.peer_count; p++)
            if (status.peers[p].id == member->id && !votes)
                buf_printf(out, " (%s, %" PRIu64 " entries behind%s)",
                           status.peers[p].active ? "active" : "silent",
                           status.last_index - status.peers[p].match_index,
                           status.peers[p].snapshotting ? ", is sent a snapshot" : "");
    }
    buf_printf(out, "\n");
}

void node_members_tell(const struct node *node, struct buf *out) {
    const struct aims *aims = node->groups[0]->stack.aims;
    if (aims->now.id != 0)
        tell_aim(node, &aims->now, out);
    else
        buf_printf(out, "no change of members is under way\n");
    NODE_EACH_GROUP(group, node)
    tell_keyspace(group, out);
    for (uint32_t i = 0; i < AIMS_KEPT; i++)
        if (aims->ended[i].id != 0)
            tell_aim(node, &aims->ended[i], out);
}

void members_json(const struct node *node, struct buf *out) {
    const struct aim *now = &node->groups[0]->stack.aims->now;
    buf_printf(out, "\"change\":\"");
    size_t from = out->len;
    if (now->id != 0) {
        tell_aim(node, now, out);
        out->len--; /* the end of the line */
    }
    json_plain(out, from);
    buf_printf(out, "\",");
}

bool node_changes_members(const struct node *node, bool *half) {
    const struct aims *aims = node->groups[0]->stack.aims;
    *half = aims->now.id == 0 && aims->ended[0].end == AIM_HALF;
    return aims->now.id != 0;
}
