#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

static bool eligible(const struct replica *raft, const struct raft_peer *peer) {
    const struct config *config = journal_config(&raft->journal);
    const struct member *member = config_member(config, peer->id);
    return peer->member && member != NULL && member->voter &&
           raft->now - peer->heard_at < raft->options.election_timeout_max_ns;
}

static struct raft_peer *best(struct replica *raft) {
    struct raft_peer *best = NULL;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        if (eligible(raft, peer) &&
            (best == NULL || peer->stream.progress.match > best->stream.progress.match))
            best = peer;
    }
    return best;
}

static void begin(struct replica *raft, struct raft_peer *peer) {
    raft->transferring = true;
    raft->transfer_sent = false;
    raft->transfer_to = peer->id;
    raft->transfer_deadline = raft->now + raft->options.election_timeout_max_ns;
    raft_replicate(raft, peer);
    raft_transfer_advance(raft, peer);
}

void raft_on_transfer(struct replica *raft, uint64_t tag, uint64_t to) {
    if (raft->role != ROLE_LEADER) {
        raft_outcome(raft, OUTCOME_TRANSFER, tag, CAIRN_NOT_LEADER, 0);
        return;
    }
    if (to == raft->options.id) {
        raft_outcome(raft, OUTCOME_TRANSFER, tag, CAIRN_OK, 0);
        return;
    }
    if (raft->transferring || raft->transfer_told || change_holds(&raft->change)) {
        raft_outcome(raft, OUTCOME_TRANSFER, tag, CAIRN_BUSY, 0);
        return;
    }
    struct raft_peer *peer = to ? raft_member(raft, to) : best(raft);
    if (peer == NULL || !eligible(raft, peer)) {
        raft_outcome(raft, OUTCOME_TRANSFER, tag,
                     to && peer == NULL ? CAIRN_NOT_FOUND : CAIRN_REFUSED, 0);
        return;
    }
    raft->transfer_told = true;
    raft->transfer_tag = tag;
    begin(raft, peer);
}

void raft_hand_over(struct replica *raft) {
    struct raft_peer *peer = best(raft);
    if (!raft->transferring && peer != NULL)
        begin(raft, peer);
}

/* Dissertation 3.10: once the target has the whole log it may start an election at once. Its votes
 * override the lease promise, so no read may be served by lease in this term any more. */
void raft_transfer_advance(struct replica *raft, const struct raft_peer *peer) {
    if (!raft->transferring || raft->transfer_sent || peer->id != raft->transfer_to ||
        peer->stream.progress.match != raft->journal.log.last)
        return;
    raft->transfer_sent = true;
    raft->lease_revoked = true;
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .term = raft->term};
    raft_send(raft, peer->id, 0, &message, NULL, 0);
}

static void tell(struct replica *raft, enum cairn_status status) {
    if (raft->transfer_told)
        raft_outcome(raft, OUTCOME_TRANSFER, raft->transfer_tag, status, 0);
    raft->transfer_told = false;
}

void raft_transfer_tick(struct replica *raft) {
    if ((raft->transferring || raft->transfer_told) && raft->now >= raft->transfer_deadline) {
        raft->transferring = false;
        tell(raft, CAIRN_TIMEOUT);
    }
}

void raft_transfer_leader_known(struct replica *raft) {
    raft->transferring = false;
    if (raft->leader != 0)
        tell(raft, raft->leader == raft->transfer_to ? CAIRN_OK : CAIRN_REFUSED);
}

void raft_on_timeout_now(struct replica *raft, const struct raft_message *message) {
    if (message->term == raft->term && raft->role == ROLE_FOLLOWER &&
        message->from == raft->leader && raft_may_campaign(raft))
        raft_campaign(raft, true);
}
