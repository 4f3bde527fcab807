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
    canon_number(canon, raft->round - peer->round);
    canon_number(canon, peer->commit_told);
    canon_time(canon, peer->heard_at + options->election_timeout_max_ns);
    canon_progress(canon, &peer->stream.progress, options->election_timeout_min_ns);
    canon_number(canon, peer->stream.load_tag != 0);
}

void raft_canon(const struct replica *raft, struct canon *canon) {
    canon->now = raft->now;
    canon_number(canon, raft->term);
    canon_number(canon, raft->vote);
    canon_number(canon, (uint64_t)raft->role << 8 | raft->leader);
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
    canon_reads(canon, &raft->reads, raft->round);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        peer_state(canon, raft, &raft->peers[i]);
    canon_times_end(canon);
}

/* Rounds are the leader's: it is the sender of heartbeats and the receiver of their answers. */
static uint64_t round_left(const struct raft_message *message, const struct replica *from,
                           const struct replica *to) {
    const struct replica *leader = message->type == RAFT_HEARTBEAT ? from : to;
    return leader != NULL && leader->role == ROLE_LEADER && leader->term == message->term
               ? leader->round - message->round
               : UINT64_MAX;
}

void raft_canon_message(struct bytes body, const struct replica *from, const struct replica *to,
                        struct canon *canon) {
    struct raft_message message;
    if (raft_message_decode(body, &message, NULL, 0) != CAIRN_OK)
        return;
    canon_number(canon, (uint64_t)message.type << 32 | message.flags);
    canon_number(canon, message.incarnation);
    canon_number(canon, message.term);
    canon_number(canon, message.index);
    canon_number(canon, message.log_term);
    canon_number(canon, message.commit);
    canon_number(canon, message.conflict_term);
    canon_number(canon, message.first);
    canon_number(canon, message.last);
    canon_number(canon, message.status);
    canon_number(canon, message.wait_ns != 0);
    if (message.type == RAFT_HEARTBEAT || message.type == RAFT_HEARTBEAT_ANSWER)
        canon_number(canon, round_left(&message, from, to));
    canon_entries(canon, body, raft_message_size(&message), message.count);
}
