#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

uint64_t raft_match_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return raft->durable_index;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].member ? raft->peers[i].progress.match : 0;
    return 0;
}

bool raft_own_term_committed(const struct replica *raft) {
    return raft->role == ROLE_LEADER && raft->commit >= raft->term_first;
}

/* The commit rule, broken on purpose. */
static uint64_t mutant_reached(const struct replica *raft) {
    struct config config = *raft_config(raft);
    uint64_t values[CONFIG_MEMBERS_MAX];
    uint32_t count = 0, voters = 0;
    bool learners = raft->options.mutant == MUTANT_LEARNER_COUNTS;
    for (uint32_t i = 0; i < config.count; i++) {
        voters += config.members[i].voter;
        if (!learners && !config.members[i].voter)
            continue;
        uint64_t next = raft_match_of(raft, config.members[i].id);
        uint32_t at = count++;
        for (; at > 0 && values[at - 1] < next; at--)
            values[at] = values[at - 1];
        values[at] = next;
    }
    uint32_t needed = voters / 2 + 1;
    if (raft->options.mutant == MUTANT_COMMIT_MINORITY && needed > 1)
        needed--;
    return count >= needed ? values[needed - 1] : 0;
}

void raft_maybe_commit(struct replica *raft) {
    cairn_assert(raft->role == ROLE_LEADER);
    uint64_t reached;
    switch (raft->options.mutant) {
    case MUTANT_LEARNER_COUNTS:
    case MUTANT_COMMIT_MINORITY:
    case MUTANT_JOINT_NEW_ONLY:
        reached = mutant_reached(raft);
        break;
    default:
        reached = quorum_reached(raft_config(raft), raft_match_of, raft);
    }
    /* Section 5.4.2: "Only log entries from the leader's current term are committed by counting
     * replicas". */
    if (reached < raft->term_first && raft->options.mutant != MUTANT_COMMIT_OLD_TERM)
        return;
    if (reached <= raft->commit)
        return;
    for (uint64_t index = raft->commit + 1; index <= reached; index++) {
        const struct entry *entry = raft_log_entry(raft, index);
        if (entry != NULL && index >= raft->term_first)
            raft->uncommitted_bytes -= entry->encoded.len;
    }
    raft_commit_to(raft, reached);
    raft_reads_advance(raft);
}

void raft_commit_to(struct replica *raft, uint64_t index) {
    if (index > raft->log.last)
        index = raft->log.last;
    if (raft->hole_count > 0 && index >= raft->holes[0].first)
        index = raft->holes[0].first - 1;
    if (index <= raft->commit)
        return;
    raft->commit = index;
    raft_config_committed(raft);
}

/* ---- applying ---- */

static void emit_apply(struct replica *raft, const struct entry *entries, size_t count) {
    struct effect *effect = raft_emit(raft, EFFECT_APPLY);
    effect->apply.entries = entries;
    effect->apply.count = count;
    raft->apply_sent = entries[count - 1].index;
    if (count > raft->apply_cap) {
        raft->apply_cap = count;
        raft->apply_points = cairn_realloc(raft->apply_points, count * sizeof *raft->apply_points);
    }
    /* A snapshot may be asked for at any of them, when they have long left memory. */
    for (size_t i = 0; i < count; i++)
        raft->apply_points[i] = (struct log_base){.index = entries[i].index,
                                                  .term = entries[i].term,
                                                  .chain = entries[i].chain,
                                                  .order = entries[i].order,
                                                  .time_ms = entries[i].time_ms};
    raft->apply_count = count;
}

void raft_apply(struct replica *raft) {
    if (raft->installing || raft->apply_sent > raft->applied || raft->apply_tag != 0 ||
        raft->apply_sent >= raft->commit)
        return;
    uint64_t first = raft->apply_sent + 1;
    if (first >= raft->log.window_first) {
        size_t count, bytes;
        const struct entry *entries = raft_log_slice(raft, first, raft->commit,
                                                     raft->options.apply_bytes_max, &count, &bytes);
        emit_apply(raft, entries, count);
        return;
    }
    /* What a repair wrote can be read back once it is durable. */
    if (raft->now < raft->apply_retry_at || raft->repaired_seq > raft->persisted_seq)
        return;
    uint64_t last = raft->log.window_first - 1;
    raft->apply_tag = ++raft->load_tags;
    struct effect *effect = raft_emit(raft, EFFECT_LOAD);
    effect->load.tag = raft->apply_tag;
    effect->load.first = first;
    effect->load.last = last < raft->commit ? last : raft->commit;
    effect->load.bytes_max = raft->options.apply_bytes_max;
}

void raft_apply_loaded(struct replica *raft, enum cairn_status status, const struct entry *entries,
                       size_t count) {
    raft->apply_tag = 0;
    if (raft->installing)
        return;
    if (status == CAIRN_CORRUPT || status == CAIRN_IO) {
        raft_trace(raft, 2, "committed entries cannot be read: %s", cairn_status_name(status));
        if (raft->role != ROLE_FOLLOWER)
            raft_become_follower(raft, raft->term, 0);
        raft->failed = true;
        return;
    }
    if (status != CAIRN_OK || count == 0 || entries[0].index != raft->apply_sent + 1) {
        raft->apply_retry_at = raft->now + raft->options.heartbeat_ns;
        return;
    }
    struct entry *copy = raft_scratch(raft, count * sizeof *copy);
    size_t used = 0;
    for (; used < count && entries[used].index <= raft->commit; used++) {
        copy[used] = entries[used];
        struct entry held = entry_ref(&entries[used]);
        raft_bury(raft, &held);
    }
    emit_apply(raft, copy, used);
}

void raft_on_applied(struct replica *raft, uint64_t index) {
    if (index <= raft->applied || index > raft->apply_sent)
        return;
    cairn_assert(raft->apply_count > 0);
    raft->applied = index;
    raft->applied_point = raft->apply_points[index - raft->apply_points[0].index];
    raft_config_forget(raft);
}
