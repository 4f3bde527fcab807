/* Which wall clock stamps go by: not the leader's own, but a majority's (core/wall.h). Followers
 * tell theirs with votes and with answers to heartbeats. */
#include "protocol/raft/raft_internal.h"

void raft_hear_wall(struct replica *raft, struct raft_peer *peer,
                    const struct raft_message *answer) {
    if (answer->more)
        peer->wall = (struct wall_reading){.ms = answer->wall_ms, .at = raft->now};
    else
        peer->wall = (struct wall_reading){.silent = true};
}

static const struct wall_reading *reading_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return &raft->peers[i].wall;
    return NULL;
}

uint64_t raft_wall_ms(const struct replica *raft, uint64_t now, uint64_t own_wall_ms) {
    if (raft->role != ROLE_LEADER || raft->options.mutant == MUTANT_TIME_OF_ONE_CLOCK)
        return own_wall_ms;
    return wall_of_majority(journal_config(&raft->journal), stamps_last_ms(&raft->journal.stamps),
                            raft->options.id, own_wall_ms, now, reading_of, raft);
}
