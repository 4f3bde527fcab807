/* Phase 1, discovery: a quorum tells its accepted epochs, the prospective leader chooses a higher
 * one, and a replica that accepts it tells its history and listens to no earlier leader any more.
 */
#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

#include <inttypes.h>

static uint64_t patience(const struct replica *zab) {
    return zab->now + zab->options.election_timeout_max_ns + zab->options.election_timeout_min_ns;
}

/* ---- a follower ---- */

static void tell_cepoch(struct replica *zab, uint64_t flags) {
    struct zab_vote own = zab_own_vote(zab);
    struct zab_message message = {.type = ZAB_CEPOCH,
                                  .term = zab->accepted,
                                  .nonce = zab->nonce,
                                  .log_term = own.term,
                                  .index = own.index,
                                  .flags = flags | zab_voice(zab)};
    zab_persist(zab);
    zab_send(zab, zab->leader, zab->journal.hard_seq, &message, NULL, 0);
    zab->join_at = zab->now + zab->options.heartbeat_ns;
}

static void join(struct replica *zab, uint64_t leader, bool active) {
    zab->phase = ZAB_DISCOVERY;
    zab->leader = leader;
    zab->active = active;
    zab->nonce = ++zab->nonces;
    zab->joined_at = zab->now;
    zab->patience_at = patience(zab);
    tell_cepoch(zab, 0);
}

void zab_follow(struct replica *zab, uint64_t leader) {
    cairn_assert(leader != zab->options.id && leader != 0);
    if (zab->active)
        zab->leaderless_since = zab->now;
    zab_forget_leader(zab);
    zab->finalize_at = 0;
    reads_refuse_all(&zab->reads, CAIRN_NO_QUORUM);
    join(zab, leader, false);
    zab_role_tell(zab);
}

/* The same leader, a new session: the old one was lost on the way. */
void zab_rejoin(struct replica *zab) {
    uint64_t leader = zab->leader;
    bool active = zab->active;
    zab->epoch_pending = 0;
    zab->synced = false;
    zab->verified = zab->commit_heard = zab->mend_target = 0;
    join(zab, leader, active);
}

/* The history as runs of epochs, newest last; only what may differ from another's. */
static void tell_runs(struct replica *zab, struct zab_message *message) {
    const struct log *log = &zab->journal.log;
    uint64_t at = log->last, term;
    struct zab_run *runs = outbox_scratch(&zab->journal.out, ZAB_RUNS_MAX * sizeof *runs);
    uint32_t count = 0,
             most = (uint32_t)rare_limit(zab->options.rare, RARE_ZAB_RUNS_FEW, 1, ZAB_RUNS_MAX);
    while (at > zab->journal.commit && at > log->before_index && count < most &&
           log_term(log, at, &term)) {
        uint64_t first = log_run_first(log, at);
        runs[ZAB_RUNS_MAX - ++count] = (struct zab_run){first, term};
        at = first - 1;
    }
    message->runs = runs + (ZAB_RUNS_MAX - count);
    message->count = count;
}

static void ack_epoch(struct replica *zab) {
    struct zab_vote own = zab_own_vote(zab);
    struct zab_message message = {.type = ZAB_ACK_EPOCH,
                                  .term = zab->accepted,
                                  .nonce = zab->nonce,
                                  .log_term = own.term,
                                  .index = own.index,
                                  .commit = zab->journal.commit,
                                  .flags = zab_voice(zab),
                                  .wall_ms = zab->own_wall_ms};
    tell_runs(zab, &message);
    bool early = zab->options.mutant == MUTANT_ZAB_EPOCH_NOT_DURABLE;
    zab_persist(zab);
    zab->join_at = zab->now + zab->options.heartbeat_ns;
    /* The history that it tells must be the one that a restart would find. */
    if (journal_waits(&zab->journal, own.index))
        return;
    uint64_t after = journal_told_after(&zab->journal, own.index);
    if (zab->options.mutant == MUTANT_ZAB_HISTORY_TOLD_EARLY)
        after = zab->journal.hard_seq;
    zab_send(zab, zab->leader, early ? 0 : after, &message, NULL, 0);
}

/* To another leader than the one that asks: when that one's last epoch was accepted, all promises
 * to others were over, and with that epoch it gave its lease up. */
static bool promised_to_another(const struct replica *zab) {
    return zab->now < zab_promise_until(zab) && zab->accepted_from != zab->leader;
}

static void accept_pending(struct replica *zab) {
    uint64_t epoch = zab->epoch_pending;
    if (epoch == 0 || (epoch > zab->accepted && promised_to_another(zab)))
        return;
    zab->epoch_pending = 0;
    if (epoch > zab->accepted || zab->accepted_from != zab->leader) {
        zab->accepted = epoch;
        zab->accepted_from = zab->leader;
        zab->journal.hard_dirty = true;
    }
    zab->phase = ZAB_SYNCHRONISATION;
    zab->synced = false;
    zab_heard(zab, true);
    ack_epoch(zab);
    zab_role_tell(zab);
}

void zab_on_newepoch(struct replica *zab, const struct zab_message *message) {
    if (zab->phase != ZAB_DISCOVERY) {
        if (message->term == zab->accepted && !zab->synced)
            ack_epoch(zab); /* the last one was lost */
        return;
    }
    zab_heard(zab, false);
    /* An epoch that this replica chose itself and gave up is not free: others may have its
     * NEWLEADER, and an epoch has one author. A refusal only costs one more epoch. */
    bool free = zab->accepted_from == message->from ||
                (zab->options.mutant == MUTANT_ZAB_EPOCH_TWO_AUTHORS &&
                 zab->accepted_from == zab->options.id) ||
                (zab->options.mutant == MUTANT_AMNESIA_VOTES && zab->accepted_from == 0);
    if (message->term < zab->accepted || (message->term == zab->accepted && !free)) {
        tell_cepoch(zab, ZAB_FLAG_REFUSES);
        return;
    }
    zab->epoch_pending = message->term;
    accept_pending(zab);
}

void zab_follower_tick(struct replica *zab) {
    if (zab->now >= zab->patience_at) {
        zab_look(zab);
        return;
    }
    accept_pending(zab);
    if (zab->now < zab->join_at)
        return;
    if (zab->phase == ZAB_DISCOVERY)
        tell_cepoch(zab, 0);
    else if (zab->phase == ZAB_SYNCHRONISATION && !zab->synced)
        ack_epoch(zab); /* the last one may have been lost, or void with a write that failed */
}

/* ---- a prospective leader ---- */

void zab_lead(struct replica *zab) {
    cairn_assert(zab->phase == ZAB_ELECTION && zab_may_lead(zab));
    zab->phase = ZAB_DISCOVERY;
    zab->leader = zab->options.id;
    zab->finalize_at = 0;
    zab->epoch_chosen = false;
    zab->term_first = 0;
    zab->give_up_at = patience(zab);
    zab->leader_since = zab->now;
    zab->stall_handled = false;
    zab_role_tell(zab);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        zab->peers[i].heard_at = zab->now;
    zab_discovery_advance(zab);
    if (zab_leads(zab))
        zab_ping(zab);
}

static void send_newepoch(struct replica *zab, struct zab_peer *peer) {
    struct zab_message message = {
        .type = ZAB_NEWEPOCH, .term = zab->accepted, .nonce = peer->nonce};
    /* No replica hears of an epoch that its leader could forget, so that none has two. */
    bool early = zab->options.mutant == MUTANT_ZAB_NEWEPOCH_EARLY;
    zab_send(zab, peer->id, early ? 0 : zab->journal.hard_seq, &message, NULL, 0);
}

void zab_on_cepoch(struct replica *zab, const struct zab_message *message) {
    struct zab_peer *peer = zab_member(zab, message->from);
    if (peer == NULL)
        return;
    if (!zab_leads(zab)) {
        bool elects = zab->phase == ZAB_ELECTION && zab->vote.leader == zab->options.id;
        if (elects && message->flags & ZAB_FLAG_VOTES)
            zab_elected_by(zab, peer);
        if (!zab_leads(zab)) {
            zab_notify(zab, peer->id);
            return;
        }
    }
    /* It promised another epoch since: only a later one than that can have it. */
    bool refuses = message->flags & ZAB_FLAG_REFUSES && message->term == zab->accepted;
    if (zab->epoch_chosen && (message->term > zab->accepted || refuses)) {
        zab_resign(zab, "a follower accepted a later epoch");
        return;
    }
    if (peer->nonce == message->nonce && peer->stage != ZAB_AWAY) {
        if (zab->epoch_chosen && peer->stage == ZAB_INFORMED)
            send_newepoch(zab, peer);
        return;
    }
    zab_peer_away(zab, peer);
    peer->stage = ZAB_INFORMED;
    peer->nonce = message->nonce;
    peer->told_term = message->term;
    peer->told = (struct zab_vote){peer->id, message->log_term, message->index};
    peer->counts = message->flags & ZAB_FLAG_VOTES;
    peer->eligible = message->flags & ZAB_FLAG_ELIGIBLE;
    peer->heard_at = zab->now;
    if (zab->epoch_chosen)
        send_newepoch(zab, peer);
    else
        zab_discovery_advance(zab);
}

/* It has more of the history than we do. */
static bool outdoes(const struct replica *zab, const struct zab_peer *peer) {
    struct zab_vote told = {zab->options.id, peer->told.term, peer->told.index};
    if (zab->options.mutant == MUTANT_HISTORY_BY_LENGTH)
        return told.index > zab->journal.log.last;
    return zab_vote_better(told, zab_own_vote(zab)) && zab->options.mutant != MUTANT_ZAB_STALE_VOTE;
}

/* Who has more of the history is in no quorum of ours: what it has may be committed. */
static bool at_least(const struct replica *zab, uint64_t id, enum zab_stage stage) {
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL && peer->counts && peer->stage >= stage && !outdoes(zab, peer);
}

static uint64_t informed(const void *context, uint64_t id) {
    const struct replica *zab = context;
    return id == zab->options.id || at_least(zab, id, ZAB_INFORMED) ? 2 : 0;
}

static uint64_t accepted(const void *context, uint64_t id) {
    const struct replica *zab = context;
    bool early = zab->options.mutant == MUTANT_ZAB_EPOCH_NOT_DURABLE;
    if (id == zab->options.id)
        return early || zab->journal.persisted_seq >= zab->journal.hard_seq ? 2 : 0;
    return at_least(zab, id, ZAB_ACCEPTED) ? 2 : 0;
}

static void choose_epoch(struct replica *zab) {
    uint64_t epoch = zab->accepted;
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].stage >= ZAB_INFORMED && zab->peers[i].told_term > epoch &&
            zab->options.mutant != MUTANT_ZAB_EPOCH_OF_ITS_OWN)
            epoch = zab->peers[i].told_term;
    zab->accepted = epoch + 1;
    zab->accepted_from = zab->options.id;
    zab->journal.hard_dirty = true;
    zab->epoch_chosen = true;
    zab_persist(zab);
    zab_role_tell(zab);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].stage == ZAB_INFORMED)
            send_newepoch(zab, &zab->peers[i]);
}

/* A follower would lead better than we do. */
static bool outdone(const struct replica *zab) {
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        const struct zab_peer *peer = &zab->peers[i];
        if (peer->stage >= ZAB_INFORMED && peer->counts && peer->eligible && outdoes(zab, peer))
            return true;
    }
    return false;
}

void zab_discovery_advance(struct replica *zab) {
    if (!zab_leads(zab) || zab->phase != ZAB_DISCOVERY)
        return;
    const struct config *config = journal_config(&zab->journal);
    if (outdone(zab)) {
        zab_resign(zab, "a follower has more of the history");
        return;
    }
    if (!zab->epoch_chosen && zab->now >= zab_promise_until(zab) &&
        quorum_votes(config, informed, zab) == QUORUM_WON)
        choose_epoch(zab);
    if (zab->epoch_chosen && quorum_votes(config, accepted, zab) == QUORUM_WON)
        zab_sync_begin(zab);
}

void zab_on_ack_epoch(struct replica *zab, const struct zab_message *message) {
    struct zab_peer *peer = zab_member(zab, message->from);
    if (peer == NULL || !zab_leads(zab) || !zab->epoch_chosen || message->term != zab->accepted ||
        peer->nonce != message->nonce || peer->stage != ZAB_INFORMED)
        return;
    peer->stage = ZAB_ACCEPTED;
    peer->heard_at = zab->now;
    peer->told = (struct zab_vote){peer->id, message->log_term, message->index};
    peer->counts = message->flags & ZAB_FLAG_VOTES;
    peer->eligible = message->flags & ZAB_FLAG_ELIGIBLE;
    zab_hear_wall(zab, peer, message);
    zab->wall_ms = zab_wall_ms(zab, zab->now, zab->own_wall_ms);
    zab_meet(zab, peer, message);
    if (zab->phase == ZAB_DISCOVERY)
        zab_discovery_advance(zab);
    else
        zab_sync_peer(zab, peer);
}

void zab_discovery_tick(struct replica *zab) {
    if (zab->phase == ZAB_DISCOVERY && zab->now >= zab->give_up_at)
        zab_resign(zab, "no quorum follows");
    else
        zab_discovery_advance(zab);
}
