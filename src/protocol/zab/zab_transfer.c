/* Leadership is handed over by word: the leader stops proposing, waits until the target has its
 * whole history, tells all which leader to follow, and follows too. No election, and no promise to
 * wait for: by its word the leader gives up its lease in this epoch for good. */
#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

static bool is_voter(const struct replica *zab, const struct zab_peer *peer) {
    const struct member *member = config_member(journal_config(&zab->journal), peer->id);
    return peer->member && member != NULL && member->voter;
}

static bool eligible(const struct replica *zab, const struct zab_peer *peer) {
    return is_voter(zab, peer) && peer->stage == ZAB_SYNCED &&
           zab->now - peer->heard_at < zab->options.election_timeout_max_ns;
}

static bool is_better(const struct zab_peer *a, const struct zab_peer *b) {
    if (b == NULL || a->room != b->room)
        return b == NULL || a->room;
    return a->stream.progress.match > b->stream.progress.match;
}

static struct zab_peer *best(struct replica *zab) {
    struct zab_peer *best = NULL;
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        struct zab_peer *peer = &zab->peers[i];
        if (eligible(zab, peer) && is_better(peer, best))
            best = peer;
    }
    return best;
}

static void begin(struct replica *zab, struct zab_peer *peer) {
    zab->transferring = true;
    zab->transfer_to = peer->id;
    zab->transfer_deadline =
        zab->now + rare_limit(zab->options.rare, RARE_ZAB_TRANSFER_SHORT, zab->options.heartbeat_ns,
                              zab->options.election_timeout_max_ns);
    zab_replicate(zab, peer);
    zab_transfer_advance(zab);
}

void zab_on_transfer(struct replica *zab, uint64_t tag, uint64_t to) {
    if (!zab_established(zab)) {
        zab_outcome(zab, OUTCOME_TRANSFER, tag, CAIRN_NOT_LEADER, 0);
        return;
    }
    if (to == zab->options.id) {
        zab_outcome(zab, OUTCOME_TRANSFER, tag, CAIRN_OK, 0);
        return;
    }
    if (zab->transferring || zab->transfer_told || change_holds(&zab->change)) {
        zab_outcome(zab, OUTCOME_TRANSFER, tag, CAIRN_BUSY, 0);
        return;
    }
    struct zab_peer *peer = to ? zab_member(zab, to) : best(zab);
    if (peer == NULL || !is_voter(zab, peer)) {
        zab_outcome(zab, OUTCOME_TRANSFER, tag,
                    to && peer == NULL ? CAIRN_NOT_FOUND : CAIRN_REFUSED, 0);
        return;
    }
    zab->transfer_told = true;
    zab->transfer_tag = tag;
    zab->transfer_to = peer->id;
    zab->transfer_deadline = zab->now + zab->options.election_timeout_max_ns;
    if (eligible(zab, peer)) /* a new leader may not have it in step yet */
        begin(zab, peer);
}

void zab_transfer_advance(struct replica *zab) {
    if (!zab->transferring || !zab_established(zab))
        return;
    struct zab_peer *target = zab_member(zab, zab->transfer_to);
    if (target == NULL || target->stage != ZAB_SYNCED ||
        target->stream.progress.match != zab->journal.log.last)
        return;
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        struct zab_peer *peer = &zab->peers[i];
        if (!peer->member || peer->stage < ZAB_ACCEPTED)
            continue;
        struct zab_message message = {.type = ZAB_HAND_OVER,
                                      .term = zab->accepted,
                                      .nonce = peer->nonce,
                                      .leader = target->id};
        zab_send(zab, peer->id, 0, &message, NULL, 0);
    }
    zab_follow(zab, target->id);
}

static void tell(struct replica *zab, enum cairn_status status) {
    if (zab->transfer_told)
        zab_outcome(zab, OUTCOME_TRANSFER, zab->transfer_tag, status, 0);
    zab->transfer_told = false;
}

void zab_hand_over(struct replica *zab) {
    struct zab_peer *peer = zab_established(zab) ? best(zab) : NULL;
    /* From one full disk to another, leadership would come back at once. */
    bool no_better = peer != NULL && !peer->room && !journal_takes_commands(&zab->journal);
    if (zab->transferring || peer == NULL || no_better)
        return;
    tell(zab, CAIRN_REFUSED); /* of another target that was waited for */
    begin(zab, peer);
}

/* A transfer was asked for, and its target is not in step yet. */
static bool waits(const struct replica *zab) {
    return zab_established(zab) && zab->transfer_told && !zab->transferring;
}

void zab_transfer_tick(struct replica *zab) {
    struct zab_peer *peer = waits(zab) ? zab_member(zab, zab->transfer_to) : NULL;
    if (peer != NULL && eligible(zab, peer) && !change_holds(&zab->change))
        begin(zab, peer);
    if ((zab->transferring || zab->transfer_told) && zab->now >= zab->transfer_deadline) {
        tell(zab, waits(zab) ? CAIRN_REFUSED : CAIRN_TIMEOUT);
        zab->transferring = false;
    }
}

void zab_transfer_leader_known(struct replica *zab) {
    zab->transferring = false;
    tell(zab, zab->leader == zab->transfer_to ? CAIRN_OK : CAIRN_REFUSED);
}

void zab_on_hand_over(struct replica *zab, const struct zab_message *message) {
    uint64_t leader = message->leader;
    if (!journal_is_member(&zab->journal, leader) && leader != zab->options.id)
        return;
    lease_release(&zab->promise);
    if (leader != zab->options.id) {
        zab_follow(zab, leader);
        return;
    }
    if (!zab_may_lead(zab)) {
        zab_look(zab);
        return;
    }
    reads_refuse_all(&zab->reads, CAIRN_NO_QUORUM);
    zab_forget_leader(zab);
    zab->phase = ZAB_ELECTION;
    zab_lead(zab);
}
