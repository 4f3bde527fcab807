#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

static void check_role(const struct replica *raft) {
    switch (raft->role) {
    case ROLE_LEADER:
        cairn_assert(raft->leader == raft->options.id && raft->vote == raft->options.id);
        cairn_assert(raft->term_first > 0 && raft->heartbeat_at > 0);
        cairn_assert(!raft_damaged(raft) && !raft->mending && !raft->failed);
        break;
    case ROLE_CANDIDATE:
        cairn_assert(raft->vote == raft->options.id);
        /* fall through */
    case ROLE_PRE_CANDIDATE:
        cairn_assert(raft->leader == 0 && raft->election_at > 0);
        break;
    default:
        cairn_assert(raft->leader != raft->options.id);
    }
    cairn_assert(raft->role == ROLE_LEADER || raft->reads.count == 0);
}

static void check_peers(const struct replica *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        cairn_assert(peer->id != 0 && peer->id != raft->options.id);
        if (raft->role == ROLE_LEADER && peer->member)
            progress_check(&peer->progress, raft->log.last);
    }
}

static void check_configs(const struct replica *raft) {
    uint32_t unapplied = 0;
    for (uint32_t i = 0; i < raft->config_count; i++) {
        cairn_assert(i == 0 || raft->configs[i].index > raft->configs[i - 1].index);
        unapplied += raft->configs[i].index > raft->commit;
    }
    if (raft->role == ROLE_LEADER)
        cairn_assert(unapplied <= 1 || raft->commit < raft->term_first);
}

void raft_check(struct replica *raft) {
    const struct raft_log *log = &raft->log;
    if (raft->options.mutant != MUTANT_NONE)
        return; /* what a broken rule leads to is for the outside to find */
    cairn_assert(raft->term >= raft->seen_term);
    cairn_assert(raft->term > raft->seen_term || raft->seen_vote == 0 ||
                 raft->vote == raft->seen_vote);
    cairn_assert(raft->commit >= raft->seen_commit);
    raft->seen_term = raft->term;
    raft->seen_vote = raft->vote;
    raft->seen_commit = raft->commit;
    cairn_assert(raft->applied <= raft->apply_sent && raft->apply_sent <= raft->commit);
    cairn_assert(raft->commit <= log->last && raft->durable_index <= log->last);
    cairn_assert(log->before_index <= raft->applied);
    cairn_assert(raft->base.index == 0 || log->before_index <= raft->base.index);
    cairn_assert(log->window_first + log->count == log->last + 1);
    cairn_assert(log->window_first > log->before_index);
    cairn_assert(raft->hole_count == 0 || raft->commit < raft->holes[0].first);
    cairn_assert(raft->persisted_seq <= raft->persist_seq);
    cairn_assert(!raft->hard_dirty || raft->full || raft->failed);
    check_role(raft);
    check_peers(raft);
    check_configs(raft);
}

void raft_check_deep(const struct replica *raft) {
    const struct raft_log *log = &raft->log;
    if (raft->options.mutant != MUTANT_NONE)
        return;
    uint64_t chain = log->window_chain;
    bool known = log->window_chain_known;
    size_t bytes = 0;
    for (size_t i = 0; i < log->count; i++) {
        const struct entry *entry = &log->window[log->head + i];
        uint64_t term;
        cairn_assert(entry->index == log->window_first + i);
        cairn_assert(raft_log_term(raft, entry->index, &term) && term == entry->term);
        cairn_assert(!known || entry_chain_holds(entry, chain));
        cairn_assert(i == 0 || (entry->term >= entry[-1].term && entry->order > entry[-1].order &&
                                entry->time_ms >= entry[-1].time_ms));
        chain = entry->chain;
        known = true;
        bytes += entry->encoded.len;
    }
    cairn_assert(bytes == log->window_bytes);
    for (uint32_t i = 1; i < log->run_count; i++)
        cairn_assert(log->runs[i].first > log->runs[i - 1].first);
}
