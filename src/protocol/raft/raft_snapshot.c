#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

#include <inttypes.h>

static void keep_base(struct log_base *to, struct buf *state, const struct log_base *base) {
    struct buf copy = {0};
    buf_bytes(&copy, base->state);
    buf_free(state);
    *state = copy;
    *to = *base;
    to->state = buf_view(state);
}

void raft_base_set(struct replica *raft, const struct log_base *base) {
    keep_base(&raft->base, &raft->base_state, base);
}

void raft_snapshot_base(const struct replica *raft, struct log_base *base, struct buf *state) {
    size_t from = state->len;
    const struct config *config = raft_config_at(raft, raft->applied);
    if (config != NULL)
        config_encode(state, config);
    cairn_assert(raft->applied_point.index == raft->applied);
    *base = raft->applied_point;
    base->state = bytes_of(state->data + from, state->len - from);
}

/* ---- sending ---- */

void raft_snapshot_send(struct replica *raft, struct raft_peer *peer) {
    if (raft->base.index == 0 || raft->base.index <= peer->progress.match) {
        peer->progress.paused = true; /* a newer one is to come */
        return;
    }
    progress_snapshot(&peer->progress, raft->base.index);
    struct effect *effect = raft_emit(raft, EFFECT_SNAPSHOT_SEND);
    effect->snapshot_send.to = peer->id;
    effect->snapshot_send.index = raft->base.index;
    effect->snapshot_send.term = raft->term;
}

void raft_on_snapshot_sent(struct replica *raft, uint64_t to, uint64_t index,
                           enum cairn_status status) {
    struct raft_peer *peer = raft_member(raft, to);
    if (raft->role != ROLE_LEADER || peer == NULL || peer->progress.state != PROGRESS_SNAPSHOT)
        return;
    if (status == CAIRN_OK) {
        peer->progress.snapshot_index = index <= raft->log.last ? index : raft->log.last;
        progress_probe(&peer->progress);
        raft_replicate(raft, peer);
    } else {
        peer->progress.snapshot_index = 0;
        progress_probe(&peer->progress);
        peer->progress.paused = true; /* until the next heartbeat */
    }
}

/* A peer that is being sent a snapshot will want the entry behind it next. */
static uint64_t needed_by_peers(const struct replica *raft, uint64_t trim) {
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        if (raft->role == ROLE_LEADER && peer->member &&
            peer->progress.state == PROGRESS_SNAPSHOT && peer->progress.snapshot_index < trim)
            trim = peer->progress.snapshot_index;
    }
    return trim;
}

void raft_on_compacted(struct replica *raft, const struct log_base *base, uint64_t trim) {
    cairn_assert(base->index <= raft->applied && trim <= base->index);
    if (base->index <= raft->base.index || raft->installing)
        return;
    raft_base_set(raft, base);
    trim = needed_by_peers(raft, trim);
    /* What is on its way to the disk must arrive there. */
    if (trim > raft->durable_index)
        trim = raft->durable_index;
    raft_log_trim(raft, trim);
}

/* ---- receiving ---- */

static void acknowledge(struct replica *raft, uint64_t to, uint64_t index) {
    if (to == raft->options.id || to == 0)
        return;
    struct raft_message answer = {.type = RAFT_APPEND_ANSWER,
                                  .term = raft->term,
                                  .flags = RAFT_FLAG_YES | (raft->mending ? RAFT_FLAG_FORGOT : 0),
                                  .index = index,
                                  .last = raft->log.last};
    raft_send(raft, to, raft->persist_seq, &answer, NULL, 0);
}

void raft_on_snapshot_offered(struct replica *raft, uint64_t from, uint64_t term,
                              const struct log_base *base) {
    bool accept = !raft->failed && !raft->installing && term >= raft->term &&
                  term <= raft->term + RAFT_TERM_JUMP_MAX && term <= RAFT_NUMBER_MAX &&
                  base->index > 0 && base->index <= RAFT_NUMBER_MAX;
    if (accept && term == raft->term && raft->role == ROLE_LEADER)
        accept = false;
    if (accept) {
        if (term > raft->term)
            raft_become_follower(raft, term, from);
        raft_heard_leader(raft, from);
        raft_persist(raft);
        accept = base->index > raft->commit || raft->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL;
        if (!accept) /* we are further than the leader thinks */
            acknowledge(raft, from, raft->commit);
    }
    struct effect *effect = raft_emit(raft, EFFECT_SNAPSHOT_ANSWER);
    effect->snapshot_answer.from = from;
    effect->snapshot_answer.accept = accept;
}

/* "If existing log entry has same index and term as snapshot's last included entry, retain log
 * entries following it" (Figure 13). */
static bool log_holds(const struct replica *raft, const struct log_base *base) {
    uint64_t term, chain;
    if (raft_damaged(raft) || base->index > raft->log.last ||
        !raft_log_term(raft, base->index, &term) || term != base->term)
        return false;
    return !raft_log_chain(raft, base->index, &chain) || chain == base->chain;
}

void raft_on_snapshot_received(struct replica *raft, uint64_t from, uint64_t term,
                               const struct log_base *base) {
    bool old = base->index <= raft->commit;
    if (raft->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL)
        old = false;
    if (raft->failed || raft->installing || old || raft->role == ROLE_LEADER ||
        base->term > RAFT_NUMBER_MAX || base->index > RAFT_NUMBER_MAX)
        return;
    if (log_holds(raft, base) && raft->options.mutant != MUTANT_SNAPSHOT_OLD_INSTALL) {
        raft_commit_to(raft, base->index);
        if (from == raft->leader && base->index > raft->verified)
            raft->verified = base->index;
        acknowledge(raft, from, base->index);
        return;
    }
    keep_base(&raft->install, &raft->install_state, base);
    raft->installing = true;
    raft->install_from = from;
    struct effect *effect = raft_emit(raft, EFFECT_SNAPSHOT_INSTALL);
    effect->snapshot_install.base = raft->install;
}

void raft_on_snapshot_installed(struct replica *raft, uint64_t index, enum cairn_status status) {
    if (!raft->installing || index != raft->install.index)
        return;
    raft->installing = false;
    if (status != CAIRN_OK) {
        /* The state may be half replaced: only a restart from the disk is safe. */
        raft_trace(raft, 2, "snapshot %" PRIu64 " cannot be installed: %s", index,
                   cairn_status_name(status));
        raft->failed = true;
        return;
    }
    const struct log_base *base = &raft->install;
    /* Acknowledged entries behind a damaged part go too: until the leader's log is here again,
     * this replica must not vote. */
    if (raft_damaged(raft) && raft->log.last > base->index && !raft->mending) {
        raft->mending = true;
        raft->mend_target = 0;
        raft->hard_dirty = true;
    }
    raft_holes_drop(raft);
    raft_base_set(raft, base);
    raft_log_reset(raft, base->index, base->term, base->chain);
    raft_pending_cut(raft, 1);
    raft->durable_index = raft->commit = raft->applied = raft->apply_sent = base->index;
    raft->applied_point = raft->base;
    raft->apply_tag = 0;
    raft->entries_dirty = raft->truncate_dirty = 0;
    raft->reset_dirty = true;
    stamps_note(&raft->stamps, base->order, base->time_ms, raft->now);
    raft->config_count = 0;
    struct config config;
    if (config_decode(base->state, &config) == CAIRN_OK)
        raft_config_push(raft, base->index, &config);
    else
        raft_trace(raft, 2, "snapshot %" PRIu64 " holds no configuration", index);
    if (raft->install_from == raft->leader)
        raft->verified = base->index;
    raft_persist(raft);
    acknowledge(raft, raft->install_from, base->index);
    raft_mend_advance(raft);
}
