#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

static void check_role(const struct replica *raft) {
    switch (raft->role) {
    case ROLE_LEADER:
        cairn_assert(raft->leader == raft->options.id && raft->vote == raft->options.id);
        cairn_assert(raft->term_first > 0 && raft->heartbeat_at > 0);
        cairn_assert(!raft_damaged(raft) && !raft->mending && !raft->journal.failed);
        cairn_assert(raft->lost_from == 0);
        break;
    case ROLE_CANDIDATE:
        cairn_assert(raft->vote == raft->options.id);
        /* fall through */
    case ROLE_PRE_CANDIDATE:
        cairn_assert(raft->leader == 0 && raft->election_at > 0);
        break;
    default:
        cairn_assert(raft->leader != raft->options.id);
    }
    cairn_assert(raft->role == ROLE_LEADER || raft->reads.leading.count == 0);
}

static void check_peers(const struct replica *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        cairn_assert(peer->id != 0 && peer->id != raft->options.id);
        if (raft->role == ROLE_LEADER && peer->member)
            progress_check(&peer->stream.progress, raft->journal.log.last);
    }
}

static void check_configs(const struct replica *raft) {
    uint32_t unapplied = 0;
    for (uint32_t i = 0; i < raft->journal.config_count; i++) {
        unapplied += raft->journal.configs[i].index > raft->journal.commit;
    }
    if (raft->role == ROLE_LEADER)
        cairn_assert(unapplied <= 1 || raft->journal.commit < raft->term_first);
}

void raft_check(struct replica *raft) {
    if (raft->options.mutant != MUTANT_NONE)
        return; /* what a broken rule leads to is for the outside to find */
    cairn_assert(raft->term >= raft->seen_term);
    cairn_assert(raft->term > raft->seen_term || raft->seen_vote == 0 ||
                 raft->vote == raft->seen_vote);
    cairn_assert(raft->journal.commit >= raft->seen_commit);
    raft->seen_term = raft->term;
    raft->seen_vote = raft->vote;
    raft->seen_commit = raft->journal.commit;
    cairn_assert(raft->hole_count == 0 || raft->journal.commit < raft->holes[0].first);
    journal_check(&raft->journal);
    check_role(raft);
    check_peers(raft);
    check_configs(raft);
}

void raft_check_deep(const struct replica *raft) {
    if (raft->options.mutant == MUTANT_NONE)
        log_check_deep(&raft->journal.log);
}
