/* Phase 2, synchronisation: followers get the leader's history, whose last entry is NEWLEADER: the
 * first of its epoch. As it is an entry, the history and the current epoch become durable together.
 * With a quorum the leader is established and the history committed. */
#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

/* ---- the leader ---- */

/* Where two histories part: each epoch's entries have one author, so equal zxids mean equal
 * histories up to there. False: what was told does not reach back so far. */
static bool find_meet(const struct replica *zab, const struct zab_message *ack, uint64_t *meet) {
    const struct log *log = &zab->journal.log;
    if (zab->options.mutant == MUTANT_ZAB_MEET_AT_END) {
        *meet = ack->index < log->last ? ack->index : log->last;
        return true;
    }
    for (uint32_t i = ack->count; i > 0; i--) {
        const struct zab_run *run = &ack->runs[i - 1];
        uint64_t last = i < ack->count ? run[1].first - 1 : ack->index, term;
        if (last < log->before_index) {
            *meet = ack->commit; /* far behind: a snapshot it is */
            return true;
        }
        *meet = log_find_term(log, last, run->term);
        if (*meet >= run->first && log_term(log, *meet, &term) && term == run->term)
            return true;
    }
    /* What comes before the told runs is committed, so it is ours too, or is all of it. */
    uint64_t before = ack->count > 0 ? ack->runs[0].first - 1 : ack->index;
    *meet = before < log->last ? before : log->last;
    return before <= ack->commit;
}

void zab_meet(struct replica *zab, struct zab_peer *peer, const struct zab_message *ack) {
    bool exact = find_meet(zab, ack, &peer->meet);
    peer->sync_flags = 0;
    if (!exact) {
        peer->meet = ack->commit < zab->journal.log.last ? ack->commit : zab->journal.log.last;
        peer->sync_flags = ZAB_FLAG_FORGET | ZAB_FLAG_TRUNC;
    } else if (peer->meet < ack->index) {
        peer->sync_flags = ZAB_FLAG_TRUNC;
    }
}

void zab_sync_peer(struct replica *zab, struct zab_peer *peer) {
    cairn_assert(peer->stage == ZAB_ACCEPTED && zab->term_first != 0);
    peer->stage = ZAB_SYNCING;
    peer->commit_told = 0;
    peer->active_told = false;
    peer->untold = rare_hit(zab->options.rare, RARE_ZAB_COMMIT_UNTOLD);
    peer->round = peer->lease_until = 0;
    uint64_t match = peer->stream.progress.match;
    stream_reset(&peer->stream, peer->meet + 1);
    if (zab->options.mutant == MUTANT_ZAB_STALE_ACK && match <= zab->journal.log.last)
        peer->stream.progress.match = match;
    zab_replicate(zab, peer);
}

void zab_sync_begin(struct replica *zab) {
    cairn_assert(zab_leads(zab) && zab->phase == ZAB_DISCOVERY && zab->epoch_chosen);
    zab->phase = ZAB_SYNCHRONISATION;
    zab->uncommitted_bytes = 0;
    zab->term_first = zab_append_own(zab, ENTRY_NOOP, bytes_of(NULL, 0));
    zab_persist(zab);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].stage == ZAB_ACCEPTED)
            zab_sync_peer(zab, &zab->peers[i]);
    zab_sync_advance(zab);
}

static void establish(struct replica *zab) {
    zab->phase = ZAB_BROADCAST;
    zab->active = true;
    zab->leader_since = zab->now;
    zab->lease_revoked = false;
    zab->lease_unused = rare_hit(zab->options.rare, RARE_ZAB_LEASE_UNUSED);
    change_reset(&zab->change);
    zab_role_tell(zab);
    zab_transfer_leader_known(zab);
    uint64_t reached = zab_reached(zab);
    journal_commit_to(&zab->journal, reached > zab->term_first ? reached : zab->term_first);
    zab->uncommitted_bytes = 0;
    zab_ping(zab);
}

void zab_sync_advance(struct replica *zab) {
    if (!zab_leads(zab) || zab->phase != ZAB_SYNCHRONISATION)
        return;
    bool early = zab->options.mutant == MUTANT_ZAB_PROPOSE_BEFORE_NEWLEADER;
    if (early || zab_reached(zab) >= zab->term_first)
        establish(zab);
}

/* ---- a follower ---- */

/* The follower lost, or gives up, entries that it may have acknowledged. */
static void forget(struct replica *zab) {
    if (!zab->mending) {
        zab->mending = true;
        zab->journal.hard_dirty = true;
    }
}

static void truncate(struct replica *zab, uint64_t meet) {
    struct journal *journal = &zab->journal;
    if (zab->options.mutant == MUTANT_ZAB_NO_TRUNC)
        return;
    if (meet < journal->log.last)
        journal_cut(journal, meet + 1);
    zab_peers_follow_config(zab);
}

/* Our history holds the entry at which it is to meet the leader's. */
static bool fits(const struct replica *zab, const struct zab_message *message) {
    const struct journal *journal = &zab->journal;
    const struct log *log = &journal->log;
    uint64_t meet = message->index, term, chain;
    if (meet > log->last || meet < journal->commit)
        return false;
    if (meet > log->before_index && (!log_term(log, meet, &term) || term != message->log_term))
        return false;
    return !log_chain(log, meet, &chain) || chain == message->chain;
}

void zab_on_sync(struct replica *zab, struct zab_message *message, struct blob *frame) {
    struct journal *journal = &zab->journal;
    zab_ask_promise(zab, message);
    zab_heard(zab, true);
    if (zab->mending && zab->mend_target == 0)
        zab->mend_target = message->last;
    if (zab->synced) {
        zab_on_propose(zab, message, frame); /* it was sent twice */
        return;
    }
    if (zab->installing || !journal_may_take(journal, message->entries, message->count))
        return;
    if (!fits(zab, message)) {
        /* A snapshot was installed since this history was told, for one. It is told again. */
        outbox_trace(&journal->out, 1, "sync at %llu does not fit this history",
                     (unsigned long long)message->index);
        if (zab->now - zab->joined_at > zab->options.heartbeat_ns) {
            zab->unfit++;
            zab_rejoin(zab);
        }
        return;
    }
    if (message->flags & ZAB_FLAG_FORGET) {
        forget(zab);
        zab->mend_target = message->last;
    }
    truncate(zab, message->index);
    log_know_chain(&journal->log, message->index, message->chain);
    zab->synced = true;
    zab->unfit = 0;
    zab->verified = message->index;
    zab_on_propose(zab, message, frame);
}

/* All that this replica ever acknowledged, and that counts, lies at or below what the leader had
 * when it synchronised us, for a quorum with a voice had chosen its epoch by then. With that much
 * of its history the promise is kept again, also while that leader waits for this very replica. */
void zab_mend_advance(struct replica *zab) {
    bool soon = zab->options.mutant == MUTANT_MENDED_TOO_SOON && zab->verified > 0;
    if (!zab->mending || ((zab->mend_target == 0 || zab->verified < zab->mend_target ||
                           zab->journal.durable_index < zab->mend_target) &&
                          !soon))
        return;
    zab->mending = false;
    zab->mend_target = 0;
    zab->damage_first = zab->damage_last = 0;
    zab->journal.hard_dirty = true;
    zab_persist(zab);
    outbox_trace(&zab->journal.out, 1, "the lost part of the history is back: it counts again");
}

/* What the disk lost and was not applied yet goes, with all behind it, as at a restart: a leader
 * that synchronises this replica gives it back. */
void zab_on_unreadable(struct replica *zab, uint64_t first, uint64_t last) {
    struct journal *journal = &zab->journal;
    if (zab->installing || journal_unreadable(journal, first, last))
        return;
    outbox_trace(&journal->out, 2, "entries from %llu are lost here: a leader gives them back",
                 (unsigned long long)first);
    forget(zab);
    zab->damage_first = first;
    zab->damage_last = last;
    journal_lose(journal, first);
    zab->seen_commit = journal->commit;
    zab_peers_follow_config(zab);
    zab_persist(zab);
    zab_look(zab);
}
