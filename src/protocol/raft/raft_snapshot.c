#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

#include <inttypes.h>

/* ---- sending ---- */

void raft_snapshot_send(struct replica *raft, struct raft_peer *peer) {
    uint64_t base = raft->journal.log.base.index;
    if (base == 0 || base <= peer->stream.progress.match || base < journal_gone(&raft->journal)) {
        peer->stream.progress.paused = true; /* a newer one is to come */
        return;
    }
    progress_snapshot(&peer->stream.progress, base);
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_SNAPSHOT_SEND);
    effect->snapshot_send.to = peer->id;
    effect->snapshot_send.index = base;
    effect->snapshot_send.term = raft->term;
}

void raft_on_snapshot_progress(struct replica *raft, uint64_t to, uint64_t bytes) {
    struct raft_peer *peer = raft_member(raft, to);
    if (peer != NULL && bytes > peer->received)
        peer->received = bytes;
}

void raft_on_snapshot_sent(struct replica *raft, uint64_t to, uint64_t index,
                           enum cairn_status status) {
    struct raft_peer *peer = raft_member(raft, to);
    if (raft->role != ROLE_LEADER || peer == NULL ||
        peer->stream.progress.state != PROGRESS_SNAPSHOT)
        return;
    if (status == CAIRN_OK) {
        peer->stream.progress.snapshot_index =
            index <= raft->journal.log.last ? index : raft->journal.log.last;
        progress_probe(&peer->stream.progress);
        raft_replicate(raft, peer);
    } else {
        peer->stream.progress.snapshot_index = 0;
        progress_probe(&peer->stream.progress);
        peer->stream.progress.paused = true; /* until the next heartbeat */
    }
}

/* A peer that is being sent a snapshot will want the entry behind it next. */
static uint64_t needed_by_peers(const struct replica *raft, uint64_t trim) {
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        if (raft->role == ROLE_LEADER && peer->member &&
            peer->stream.progress.state == PROGRESS_SNAPSHOT &&
            peer->stream.progress.snapshot_index < trim)
            trim = peer->stream.progress.snapshot_index;
    }
    return trim;
}

void raft_on_compacted(struct replica *raft, const struct log_base *base, uint64_t trim) {
    if (!raft->installing)
        journal_compacted(&raft->journal, base, needed_by_peers(raft, trim));
}

/* ---- receiving ---- */

/* As far as the disk took it: what a full disk refused is in the log and in no persist. */
static void acknowledge(struct replica *raft, uint64_t to, uint64_t index) {
    if (to == raft->options.id || to == 0)
        return;
    if (raft->options.mutant == MUTANT_SNAPSHOT_ACKS_ALL)
        index = raft->journal.log.last;
    if (journal_waits(&raft->journal, index))
        index = raft->journal.durable_index;
    struct raft_message answer = {.type = RAFT_APPEND_ANSWER,
                                  .term = raft->term,
                                  .flags = RAFT_FLAG_YES | raft_answer_flags(raft),
                                  .index = index,
                                  .last = raft->journal.log.last};
    bool early = raft->options.mutant == MUTANT_INSTALL_ACKED_EARLY;
    uint64_t after = journal_told_after(&raft->journal, index);
    raft_send(raft, to, early ? 0 : after, &answer, NULL, 0);
}

void raft_on_snapshot_offered(struct replica *raft, uint64_t from, uint64_t term,
                              const struct log_base *base) {
    bool accept = !raft->journal.failed && !raft->installing && term >= raft->term &&
                  raft_takes_term(raft, term) && base->index > 0 && base->index <= RAFT_NUMBER_MAX;
    if (accept && term == raft->term && raft->role == ROLE_LEADER)
        accept = false;
    if (accept) {
        if (term > raft->term)
            raft_become_follower(raft, term, from);
        raft_heard_leader(raft, from, NULL);
        raft_persist(raft);
        accept = base->index > raft->journal.commit ||
                 raft->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL;
        if (!accept) /* we are further than the leader thinks */
            acknowledge(raft, from, raft->journal.commit);
        else /* a snapshot beside no hard state would look like one whose hard state was lost */
            accept = raft->journal.persisted_seq >= raft->journal.hard_seq &&
                     !rare_hit(raft->options.rare, RARE_RAFT_SNAPSHOT_REFUSED);
    }
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_SNAPSHOT_ANSWER);
    effect->snapshot_answer.from = from;
    effect->snapshot_answer.accept = accept;
}

/* "If existing log entry has same index and term as snapshot's last included entry, retain log
 * entries following it" (Figure 13). */
static bool holds(const struct replica *raft, const struct log_base *base) {
    if (raft->options.mutant == MUTANT_SNAPSHOT_HELD_BY_INDEX)
        return !raft_damaged(raft) && base->index <= raft->journal.log.last;
    return !raft_damaged(raft) && log_holds(&raft->journal.log, base);
}

void raft_on_snapshot_received(struct replica *raft, uint64_t from, uint64_t term,
                               const struct log_base *base) {
    bool old = base->index <= raft->journal.commit;
    if (raft->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL)
        old = false;
    if (raft->journal.failed || raft->installing || old || raft->role == ROLE_LEADER ||
        base->term > RAFT_NUMBER_MAX || base->index > RAFT_NUMBER_MAX)
        return;
    if (holds(raft, base) && raft->options.mutant != MUTANT_SNAPSHOT_OLD_INSTALL) {
        raft_commit_to(raft, base->index);
        if (from == raft->leader && base->index > raft->verified)
            raft->verified = base->index;
        acknowledge(raft, from, base->index);
        return;
    }
    buf_clear(&raft->install_state);
    buf_bytes(&raft->install_state, base->state);
    raft->install = *base;
    raft->install.state = buf_view(&raft->install_state);
    raft->installing = true;
    raft->install_from = from;
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_SNAPSHOT_INSTALL);
    effect->snapshot_install.base = raft->install;
}

void raft_on_snapshot_installed(struct replica *raft, uint64_t index, enum cairn_status status) {
    if (!raft->installing || index != raft->install.index)
        return;
    raft->installing = false;
    if (status != CAIRN_OK) {
        /* The state may be half replaced: only a restart from the disk is safe. */
        outbox_trace(&raft->journal.out, 2, "snapshot %" PRIu64 " cannot be installed: %s", index,
                     cairn_status_name(status));
        raft->journal.failed = true;
        return;
    }
    const struct log_base *base = &raft->install;
    /* Acknowledged entries behind a damaged part go too: until the leader's log is here again,
     * this replica must not vote. */
    if (raft_damaged(raft) && raft->journal.log.last > base->index && !raft->mending) {
        raft->mending = true;
        raft->mend_target = 0;
        raft->journal.hard_dirty = true;
    }
    raft_holes_drop(raft);
    raft->lost_from = 0;
    journal_install(&raft->journal, base);
    raft_config_changed(raft);
    if (raft->install_from == raft->leader)
        raft->verified = base->index;
    raft_persist(raft);
    acknowledge(raft, raft->install_from, base->index);
    raft_mend_advance(raft);
}
