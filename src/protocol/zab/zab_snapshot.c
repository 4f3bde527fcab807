#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

/* ---- sending ---- */

void zab_snapshot_send(struct replica *zab, struct zab_peer *peer) {
    const struct log_base *base = &zab->journal.log.base;
    struct progress *progress = &peer->stream.progress;
    if (base->index == 0 || base->index <= progress->match ||
        base->index < journal_gone(&zab->journal)) {
        if (progress->state != PROGRESS_PROBE)
            progress_probe(progress);
        progress->paused = true; /* a newer one is to come */
        return;
    }
    progress_snapshot(progress, base->index);
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_SNAPSHOT_SEND);
    effect->snapshot_send.to = peer->id;
    effect->snapshot_send.index = base->index;
    effect->snapshot_send.term = zab->accepted;
}

void zab_on_snapshot_progress(struct replica *zab, uint64_t to, uint64_t bytes) {
    struct zab_peer *peer = zab_member(zab, to);
    if (peer != NULL && bytes > peer->received)
        peer->received = bytes;
}

void zab_on_snapshot_sent(struct replica *zab, uint64_t to, uint64_t index,
                          enum cairn_status status) {
    struct zab_peer *peer = zab_member(zab, to);
    if (peer == NULL)
        return;
    struct progress *progress = &peer->stream.progress;
    if (!zab_leads(zab) || peer->stage < ZAB_SYNCING || progress->state != PROGRESS_SNAPSHOT)
        return;
    if (status == CAIRN_OK) {
        uint64_t last = zab->journal.log.last;
        progress->snapshot_index = index <= last ? index : last;
        progress_probe(progress);
        peer->sync_flags &= ~(uint64_t)ZAB_FLAG_FORGET;
        zab_replicate(zab, peer);
    } else {
        progress->snapshot_index = 0;
        progress_probe(progress);
        progress->paused = true; /* until the next ping */
    }
}

/* A peer that is being sent a snapshot will want the entry behind it next. */
static uint64_t needed_by_peers(const struct replica *zab, uint64_t trim) {
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        const struct zab_peer *peer = &zab->peers[i];
        const struct progress *progress = &peer->stream.progress;
        if (zab_leads(zab) && peer->member && progress->state == PROGRESS_SNAPSHOT &&
            progress->snapshot_index < trim)
            trim = progress->snapshot_index;
    }
    return trim;
}

void zab_on_compacted(struct replica *zab, const struct log_base *base, uint64_t trim) {
    if (!zab->installing)
        journal_compacted(&zab->journal, base, needed_by_peers(zab, trim));
}

/* ---- receiving ---- */

/* Only the leader whose epoch is accepted may replace the state. */
static bool from_leader(const struct replica *zab, uint64_t from, uint64_t term) {
    return !zab->journal.failed && !zab->installing && !zab_leads(zab) && zab->leader == from &&
           zab->phase >= ZAB_SYNCHRONISATION && term == zab->accepted;
}

/* We are further than the leader thinks. Before it synchronised us only our history says so. */
static void tell_more(struct replica *zab) {
    if (zab->synced)
        zab_ack(zab, 0, 0);
    else if (zab->now - zab->joined_at > zab->options.heartbeat_ns)
        zab_rejoin(zab);
}

void zab_on_snapshot_offered(struct replica *zab, uint64_t from, uint64_t term,
                             const struct log_base *base) {
    bool accept = from_leader(zab, from, term) && base->index > 0 &&
                  base->index <= ZAB_NUMBER_MAX && base->term <= zab->accepted;
    if (accept) {
        zab_heard(zab, true);
        accept = base->index > zab->journal.commit;
        if (!accept)
            tell_more(zab);
        else
            accept = !rare_hit(zab->options.rare, RARE_ZAB_SNAPSHOT_REFUSED);
    }
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_SNAPSHOT_ANSWER);
    effect->snapshot_answer.from = from;
    effect->snapshot_answer.accept = accept;
}

/* What lies behind the snapshot's entry may be the leader's too, and is acknowledged. */
static bool history_holds(const struct replica *zab, const struct log_base *base) {
    return !zab->synced && zab->options.mutant != MUTANT_ZAB_INSTALL_FORGETS &&
           log_holds(&zab->journal.log, base);
}

void zab_on_snapshot_received(struct replica *zab, uint64_t from, uint64_t term,
                              const struct log_base *base) {
    if (!from_leader(zab, from, term) || base->index <= zab->journal.commit ||
        base->index > ZAB_NUMBER_MAX || base->term > zab->accepted ||
        (zab->synced && base->index <= zab->verified))
        return;
    if (history_holds(zab, base)) {
        journal_commit_to(&zab->journal, base->index);
        zab_rejoin(zab); /* and tells that it has more */
        return;
    }
    buf_clear(&zab->install_state);
    buf_bytes(&zab->install_state, base->state);
    zab->install = *base;
    zab->install.state = buf_view(&zab->install_state);
    zab->installing = true;
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_SNAPSHOT_INSTALL);
    effect->snapshot_install.base = zab->install;
}

/* The history is the leader's up to the snapshot; SYNC goes on from there. What this replica had
 * behind it followed from other entries than the leader's: it was never committed. */
void zab_on_snapshot_installed(struct replica *zab, uint64_t index, enum cairn_status status) {
    if (!zab->installing || index != zab->install.index)
        return;
    zab->installing = false;
    if (status != CAIRN_OK) {
        /* The state may be half replaced: only a restart from the disk is safe. */
        outbox_trace(&zab->journal.out, 2, "snapshot %llu cannot be installed: %s",
                     (unsigned long long)index, cairn_status_name(status));
        zab->journal.failed = true;
        return;
    }
    bool synced = zab->synced;
    journal_install(&zab->journal, &zab->install);
    zab_peers_follow_config(zab);
    if (synced)
        zab->verified = index;
    zab_persist(zab);
    if (synced)
        zab_ack(zab, 0, 0);
}
