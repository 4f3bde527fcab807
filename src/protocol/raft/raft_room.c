/* Full disks: which replicas have room for commands, and what that means for the one that leads.
 *
 * Every replica tells its leader, with every answer, when its log has no room left for commands. A
 * leader without any hands over to one that has some, if a majority has; else it goes on leading,
 * answers reads, and refuses commands before they are placed. Its own entries have their place in
 * the room that is kept back. */
#include "protocol/raft/raft_internal.h"

uint64_t raft_answer_flags(const struct replica *raft) {
    return (raft->mending ? RAFT_FLAG_FORGOT : 0) |
           (journal_takes_commands(&raft->journal) ? 0 : RAFT_FLAG_NO_ROOM);
}

/* A replica that has not said may have room. */
static uint64_t may_take(const void *context, uint64_t id) {
    const struct replica *raft = context;
    const struct raft_peer *peer = raft_peer_of(raft, id);
    bool none = id == raft->options.id ? !journal_takes_commands(&raft->journal)
                                       : peer != NULL && peer->no_room;
    return none ? 1 : 2;
}

static uint64_t takes(const void *context, uint64_t id) {
    const struct replica *raft = context;
    const struct raft_peer *peer = raft_peer_of(raft, id);
    return peer != NULL && peer->room ? 2 : 1;
}

static bool majority_has(const struct replica *raft, quorum_value *room) {
    return quorum_votes(journal_config(&raft->journal), room, raft) == QUORUM_WON;
}

bool raft_takes_commands(const struct replica *raft) {
    return journal_takes_commands(&raft->journal) && majority_has(raft, may_take);
}

void raft_give_up_refused(struct replica *raft) {
    if (raft->role == ROLE_LEADER || !journal_give_up(&raft->journal))
        return;
    if (raft->verified > raft->journal.log.last)
        raft->verified = raft->journal.log.last;
    raft_config_changed(raft);
    if (raft->role == ROLE_CANDIDATE) /* voters were told of the log as it was */
        raft_become_follower(raft, raft->term, 0);
}

/* What stands before this leader's first entry is more than a majority has room for. Replicas that
 * lack it can lead, unless it was committed. */
static bool is_in_the_way(const struct replica *raft) {
    return !raft_own_term_committed(raft) && !majority_has(raft, may_take) &&
           raft->now - raft->leader_since > 2 * raft->options.election_timeout_max_ns;
}

void raft_room_tick(struct replica *raft) {
    if (is_in_the_way(raft)) {
        outbox_trace(&raft->journal.out, 2,
                     "the disks of a majority are too full for what this leader has: it makes way");
        raft_become_follower(raft, raft->term, 0);
        raft->election_at = raft->now + 4 * raft->options.election_timeout_max_ns;
    } else if (!journal_takes_commands(&raft->journal) && majority_has(raft, takes)) {
        raft_hand_over(raft);
    }
}
