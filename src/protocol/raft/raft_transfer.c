#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

static bool is_voter(const struct replica *raft, const struct raft_peer *peer) {
    const struct member *member = config_member(journal_config(&raft->journal), peer->id);
    return peer->member && member != NULL && member->voter;
}

static bool eligible(const struct replica *raft, const struct raft_peer *peer) {
    return is_voter(raft, peer) &&
           raft->now - peer->heard_at < raft->options.election_timeout_max_ns;
}

static bool is_better(const struct raft_peer *a, const struct raft_peer *b) {
    if (b == NULL || a->room != b->room)
        return b == NULL || a->room;
    return a->stream.progress.match > b->stream.progress.match;
}

static struct raft_peer *best(struct replica *raft) {
    struct raft_peer *best = NULL;
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        if (eligible(raft, peer) && is_better(peer, best))
            best = peer;
    }
    return best;
}

static void begin(struct replica *raft, struct raft_peer *peer) {
    raft->transferring = true;
    raft->transfer_sent = false;
    raft->transfer_to = peer->id;
    raft->transfer_deadline =
        raft->now + rare_limit(raft->options.rare, RARE_RAFT_TRANSFER_SHORT,
                               raft->options.heartbeat_ns, raft->options.election_timeout_max_ns);
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
    if (peer == NULL || !is_voter(raft, peer)) {
        raft_outcome(raft, OUTCOME_TRANSFER, tag,
                     to && peer == NULL ? CAIRN_NOT_FOUND : CAIRN_REFUSED, 0);
        return;
    }
    raft->transfer_told = true;
    raft->transfer_tag = tag;
    raft->transfer_to = peer->id;
    raft->transfer_deadline = raft->now + raft->options.election_timeout_max_ns;
    if (eligible(raft, peer)) /* a new leader may not have heard of it yet */
        begin(raft, peer);
}

/* Dissertation 3.10: once the target has the whole log it may start an election at once. Its votes
 * override the lease promise, so no read may be served by lease in this term any more. */
void raft_transfer_advance(struct replica *raft, const struct raft_peer *peer) {
    if (!raft->transferring || raft->transfer_sent || peer->id != raft->transfer_to ||
        peer->stream.progress.match != raft->journal.log.last)
        return;
    raft->transfer_sent = true;
    raft->lease_revoked = raft->options.mutant != MUTANT_LEASE_NOT_REVOKED;
    struct raft_message message = {.type = RAFT_TIMEOUT_NOW, .term = raft->term};
    raft_send(raft, peer->id, 0, &message, NULL, 0);
}

static void tell(struct replica *raft, enum cairn_status status) {
    if (raft->transfer_told)
        raft_outcome(raft, OUTCOME_TRANSFER, raft->transfer_tag, status, 0);
    raft->transfer_told = false;
}

void raft_hand_over(struct replica *raft) {
    struct raft_peer *peer = best(raft);
    /* From one full disk to another, leadership would come back at once. */
    bool no_better = peer != NULL && !peer->room && !journal_takes_commands(&raft->journal);
    if (raft->transferring || peer == NULL || no_better)
        return;
    tell(raft, CAIRN_REFUSED); /* of another target that was waited for */
    begin(raft, peer);
}

/* A transfer was asked for, and its target has not been heard of yet. */
static bool waits(const struct replica *raft) {
    return raft->role == ROLE_LEADER && raft->transfer_told && !raft->transferring;
}

void raft_transfer_tick(struct replica *raft) {
    struct raft_peer *peer = waits(raft) ? raft_member(raft, raft->transfer_to) : NULL;
    if (peer != NULL && eligible(raft, peer) && !change_holds(&raft->change))
        begin(raft, peer);
    if ((raft->transferring || raft->transfer_told) && raft->now >= raft->transfer_deadline) {
        tell(raft, waits(raft) ? CAIRN_REFUSED : CAIRN_TIMEOUT);
        raft->lease_revoked &= raft->options.mutant != MUTANT_LEASE_BACK_AFTER_TRANSFER;
        raft->transferring = false;
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
