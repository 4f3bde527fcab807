#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

uint64_t raft_match_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return raft->options.mutant == MUTANT_OWN_COPY_EARLY ? raft->journal.log.last
                                                             : raft->journal.durable_index;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].member ? raft->peers[i].stream.progress.match : 0;
    return 0;
}

bool raft_own_term_committed(const struct replica *raft) {
    return raft->role == ROLE_LEADER && raft->journal.commit >= raft->term_first;
}

/* The commit rule, broken on purpose. */
static uint64_t mutant_reached(const struct replica *raft) {
    struct config config = *journal_config(&raft->journal);
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
        reached = quorum_reached(journal_config_counting(&raft->journal), raft_match_of, raft);
    }
    /* Section 5.4.2: "Only log entries from the leader's current term are committed by counting
     * replicas". */
    if (reached < raft->term_first && raft->options.mutant != MUTANT_COMMIT_OLD_TERM)
        return;
    if (reached <= raft->journal.commit)
        return;
    for (uint64_t index = raft->journal.commit + 1; index <= reached; index++) {
        const struct entry *entry = log_entry(&raft->journal.log, index);
        if (entry != NULL && index >= raft->term_first)
            raft->uncommitted_bytes -= entry->encoded.len;
    }
    raft_commit_to(raft, reached);
    raft_reads_advance(raft);
}

void raft_commit_to(struct replica *raft, uint64_t index) {
    if (raft->hole_count > 0 && index >= raft->holes[0].first)
        index = raft->holes[0].first - 1;
    journal_commit_to(&raft->journal, index);
}

/* ---- telling it ---- */

void raft_on_awaited(struct replica *raft, uint64_t id) {
    struct raft_peer *peer = raft_member(raft, id);
    if (raft->role != ROLE_LEADER || peer == NULL || !peer->up || peer->untold ||
        peer->wire_version < WIRE_VERSION_3 || peer->commit_told >= raft->journal.commit ||
        peer->stream.progress.state != PROGRESS_REPLICATE)
        return;
    struct raft_message message = {
        .type = RAFT_COMMIT, .term = raft->term, .commit = raft->journal.commit};
    peer->commit_told = message.commit;
    raft_send(raft, id, 0, &message, NULL, 0);
}

/* The news may overtake the entries that it speaks of (another lane), so it is kept for them. */
void raft_commit_follow(struct replica *raft, uint64_t commit) {
    if (commit > raft->commit_heard)
        raft->commit_heard = commit;
    uint64_t verified = raft->verified;
    if (raft->options.mutant == MUTANT_COMMIT_UNVERIFIED)
        verified = raft->journal.log.last;
    raft_commit_to(raft, raft->commit_heard < verified ? raft->commit_heard : verified);
}

void raft_on_commit(struct replica *raft, const struct raft_message *message) {
    raft_heard_leader(raft, message->from, NULL);
    raft_persist(raft);
    raft_commit_follow(raft, message->commit);
    raft_mend_advance(raft);
}
