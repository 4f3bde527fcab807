#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

/* Where a replica may be after a step: phase by phase, what must hold. */
static void check_leader(const struct replica *zab) {
    const struct log *log = &zab->journal.log;
    cairn_assert(zab->phase != ZAB_ELECTION && !zab->mending && !zab->amnesia);
    cairn_assert(zab->phase == ZAB_DISCOVERY || zab->epoch_chosen);
    cairn_assert(!zab->epoch_chosen || zab->accepted_from == zab->options.id);
    /* It proposes only in its epoch, behind NEWLEADER, and is established only with a quorum. */
    if (zab->phase == ZAB_DISCOVERY) {
        cairn_assert(zab->term_first == 0 && !zab->active);
        return;
    }
    uint64_t term;
    cairn_assert(zab->term_first != 0 && zab->term_first <= log->last);
    cairn_assert(log_last_term(log) == zab->accepted);
    if (log_term(log, zab->term_first, &term))
        cairn_assert(term == zab->accepted);
    if (zab->phase == ZAB_SYNCHRONISATION)
        cairn_assert(log->last == zab->term_first && zab->journal.commit < zab->term_first);
    else
        cairn_assert(zab->journal.commit >= zab->term_first && zab->active);
}

static void check_follower(const struct replica *zab) {
    const struct log *log = &zab->journal.log;
    cairn_assert(zab->reads.leading.count == 0);
    cairn_assert(zab->phase != ZAB_ELECTION || (zab->leader == 0 && !zab->active));
    cairn_assert(zab->phase == ZAB_ELECTION || zab->leader != 0);
    cairn_assert(!zab->synced || zab->phase >= ZAB_SYNCHRONISATION);
    /* A synchronised history is a prefix of the leader's: nothing else stands behind it. */
    cairn_assert(!zab->synced || zab->verified == log->last);
    cairn_assert(zab->phase != ZAB_BROADCAST || log_last_term(log) == zab->accepted);
}

static void check_peers(const struct replica *zab) {
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        const struct zab_peer *peer = &zab->peers[i];
        cairn_assert(peer->id != 0 && peer->id != zab->options.id);
        cairn_assert(zab_leads(zab) || peer->stage == ZAB_AWAY);
        if (peer->stage >= ZAB_SYNCING)
            progress_check(&peer->stream.progress, zab->journal.log.last);
    }
}

void zab_check(struct replica *zab) {
    if (zab->options.mutant != MUTANT_NONE)
        return; /* what a broken rule leads to is for the outside to find */
    journal_check(&zab->journal);
    cairn_assert(zab->accepted >= zab->seen_accepted && zab->journal.commit >= zab->seen_commit);
    zab->seen_accepted = zab->accepted;
    zab->seen_commit = zab->journal.commit;
    /* acceptedEpoch >= currentEpoch */
    cairn_assert(zab->accepted >= log_last_term(&zab->journal.log));
    if (zab_leads(zab))
        check_leader(zab);
    else
        check_follower(zab);
    check_peers(zab);
}

void zab_check_deep(const struct replica *zab) {
    if (zab->options.mutant == MUTANT_NONE)
        log_check_deep(&zab->journal.log);
}
