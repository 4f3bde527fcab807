/* Zab's state for a search that must not see the same twice (core/canon.h). Sessions are named as
 * they are: each life counts them from a number of its own. Left out are leases (a search has
 * none), wall clocks, lost data and changes of members. */
#include "protocol/zab/zab_internal.h"

static void vote(struct canon *canon, const struct zab_vote *vote) {
    canon_number(canon, vote->leader);
    canon_number(canon, vote->term);
    canon_number(canon, vote->index);
}

static void peer_state(struct canon *canon, const struct replica *zab,
                       const struct zab_peer *peer) {
    const struct replica_options *options = &zab->options;
    canon_number(canon, peer->id);
    canon_number(canon, (uint64_t)peer->up << 1 | peer->member);
    canon_number(canon, peer->incarnation);
    canon_age(canon, peer->heard_at, options->election_timeout_max_ns);
    /* A vote of an earlier round counts no more. */
    bool counts = peer->voted && (zab->phase == ZAB_ELECTION || peer->vote_round > zab->round);
    canon_number(canon, counts ? 1 + peer->vote_round : 0);
    if (counts)
        vote(canon, &peer->vote);
    if (!zab_leads(zab))
        return;
    canon_number(canon, peer->stage);
    if (peer->stage == ZAB_AWAY)
        return;
    canon_number(canon, peer->nonce);
    canon_number(canon, peer->told_term);
    vote(canon, &peer->told);
    canon_number(canon,
                 (uint64_t)peer->eligible << 2 | (uint64_t)peer->counts << 1 | peer->active_told);
    canon_number(canon, peer->stage < ZAB_ACCEPTED ? 0 : peer->meet << 16 | peer->sync_flags);
    canon_number(canon, peer->commit_told);
    canon_number(canon, peer->round);
    canon_progress(canon, &peer->stream.progress, options->election_timeout_min_ns);
    canon_number(canon, peer->stream.load_tag != 0);
}

static void leading(struct canon *canon, const struct replica *zab) {
    canon_number(canon, zab->epoch_chosen);
    canon_number(canon, zab->term_first);
    canon_time(canon, zab->phase == ZAB_DISCOVERY ? zab->give_up_at : 0);
    canon_time(canon, zab->ping_at);
}

static void following(struct canon *canon, const struct replica *zab) {
    canon_number(canon, zab->nonce);
    canon_number(canon, zab->epoch_pending);
    canon_number(canon, zab->synced);
    canon_number(canon, zab->verified);
    canon_number(canon, zab->commit_heard);
    canon_time(canon, zab->patience_at);
    canon_time(canon, zab->join_at);
    canon_age(canon, zab->joined_at, zab->options.heartbeat_ns);
}

void zab_canon(const struct replica *zab, struct canon *canon) {
    canon->now = zab->now;
    canon_number(canon, zab->accepted);
    canon_number(canon, zab->accepted_from);
    canon_number(canon, (uint64_t)zab->phase << 8 | zab->leader);
    canon_number(canon, zab->active | zab->mending << 1 | zab->amnesia << 2 |
                            zab->transferring << 3 | zab->installing << 4 |
                            zab->stall_handled << 5 | zab->lease_revoked << 6);
    canon_number(canon, zab->round);
    canon_number(canon, zab->ping_round);
    canon_number(canon, zab->nonces);
    canon_number(canon, zab->unfit);
    canon_number(canon, zab->told_term << 8 | zab->told_leader);
    canon_age(canon, zab->leaderless_since, 2 * zab->options.election_timeout_max_ns);
    vote(canon, &zab->vote);
    canon_time(canon, zab->phase == ZAB_ELECTION ? zab->notify_at : 0);
    canon_time(canon, zab->finalize_at);
    canon_time(canon, zab->makes_way_until);
    canon_time(canon, lease_promise_end(&zab->promise));
    if (zab_leads(zab))
        leading(canon, zab);
    else if (zab->phase != ZAB_ELECTION)
        following(canon, zab);
    canon_journal(canon, &zab->journal);
    canon_reads(canon, &zab->reads);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        peer_state(canon, zab, &zab->peers[i]);
}
