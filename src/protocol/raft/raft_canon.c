/* Raft's state and messages for a search that must not see the same twice (core/canon.h). Left out
 * are leases (a search has none), wall clocks, repair and changes of members. */
#include "protocol/raft/raft_internal.h"

static void peer_state(struct canon *canon, const struct replica *raft,
                       const struct raft_peer *peer) {
    const struct replica_options *options = &raft->options;
    canon_number(canon, peer->id);
    canon_number(canon, (uint64_t)peer->up << 1 | peer->member);
    canon_number(canon, peer->incarnation);
    if (raft->role == ROLE_PRE_CANDIDATE || raft->role == ROLE_CANDIDATE) {
        canon_number(canon, peer->vote);
        canon_time(canon, peer->wait_until);
    }
    if (raft->role != ROLE_LEADER)
        return;
    canon_number(canon, peer->round);
    canon_number(canon, peer->commit_told);
    canon_age(canon, peer->heard_at, options->election_timeout_max_ns);
    canon_progress(canon, &peer->stream.progress, options->election_timeout_min_ns);
    canon_number(canon, peer->stream.load_tag != 0);
}

void raft_canon(const struct replica *raft, struct canon *canon) {
    canon->now = raft->now;
    canon_number(canon, raft->term);
    canon_number(canon, raft->vote);
    canon_number(canon, (uint64_t)raft->role << 8 | raft->leader);
    canon_number(canon, raft->round);
    canon_number(canon, raft->pre_campaigns > 1 ? 2 : raft->pre_campaigns);
    canon_number(canon, raft->told_term << 8 | raft->told_leader);
    canon_number(canon, raft->verified);
    canon_number(canon, raft->commit_heard);
    canon_number(canon, raft->mending | raft->amnesia << 1 | raft->leader_lost << 2 |
                            raft->campaign_by_transfer << 3 | raft->lease_revoked << 4 |
                            raft->transferring << 5 | raft->installing << 6 |
                            raft->stall_handled << 7 |
                            (raft->journal.persisted_seq >= raft->vote_seq) << 8);
    canon_number(canon, raft->term_first);
    canon_time(canon, lease_promise_end(&raft->promise));
    canon_time(canon, raft->heard_at ? raft->heard_at + raft->options.election_timeout_min_ns : 0);
    canon_time(canon, raft->role == ROLE_LEADER ? 0 : raft->election_at);
    canon_time(canon, raft->campaign_at);
    canon_time(canon, raft->role == ROLE_LEADER ? raft->heartbeat_at : 0);
    canon_journal(canon, &raft->journal);
    canon_reads(canon, &raft->reads);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        peer_state(canon, raft, &raft->peers[i]);
}
