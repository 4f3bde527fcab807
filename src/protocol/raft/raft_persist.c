#include "protocol/raft/raft_internal.h"

#define HARD_VERSION 2u /* 1 had no promise */
#define HARD_BYTES 26u
enum { HARD_MENDING = 1, HARD_AMNESIA = 2 };

void raft_hard_encode(const struct replica *raft, struct buf *out) {
    bool mending = raft->mending && raft->options.mutant != MUTANT_MENDING_FORGOTTEN;
    buf_u8(out, HARD_VERSION);
    buf_u8(out, (uint8_t)((mending ? HARD_MENDING : 0) | (raft->amnesia ? HARD_AMNESIA : 0)));
    buf_u64(out, raft->term);
    buf_u64(out, raft->vote);
    buf_u64(out, raft->promise.length_ns);
}

enum cairn_status raft_hard_decode(struct replica *raft, struct bytes hard) {
    struct reader reader = reader_of(hard);
    uint8_t version = read_u8(&reader);
    uint8_t flags = read_u8(&reader);
    uint64_t term = read_u64(&reader);
    uint64_t vote = read_u64(&reader);
    if (version == 0 || version > HARD_VERSION)
        return CAIRN_WRONG_VERSION;
    uint64_t promise = version >= 2 ? read_u64(&reader) : raft->options.election_timeout_min_ns;
    if (!reader_done(&reader) || term > RAFT_NUMBER_MAX || flags > (HARD_MENDING | HARD_AMNESIA) ||
        promise > RAFT_NUMBER_MAX)
        return CAIRN_MALFORMED;
    raft->promise.length_ns = promise;
    raft->term = term;
    raft->vote = vote;
    raft->mending = flags & HARD_MENDING;
    raft->amnesia = flags & HARD_AMNESIA;
    return CAIRN_OK;
}

uint64_t raft_persist(struct replica *raft) {
    struct journal *journal = &raft->journal;
    if (raft->options.mutant == MUTANT_VOTE_NOT_DURABLE && !journal->entries_dirty)
        journal->hard_dirty = false;
    struct buf hard = {0};
    if (journal->hard_dirty) {
        hard = (struct buf){outbox_scratch(&journal->out, HARD_BYTES), 0, HARD_BYTES};
        raft_hard_encode(raft, &hard);
    }
    return journal_persist(journal, buf_view(&hard));
}

void raft_on_persisted(struct replica *raft, uint64_t seq) {
    if (!journal_persisted(&raft->journal, seq))
        return;
    raft_persist(raft);
    raft_count_own_vote(raft);
    if (raft->role == ROLE_LEADER)
        raft_maybe_commit(raft);
    raft_mend_advance(raft);
}

void raft_on_persist_failed(struct replica *raft, uint64_t seq, enum cairn_status status) {
    journal_persist_failed(&raft->journal, seq, status);
    if (raft->journal.failed && raft->role != ROLE_FOLLOWER)
        raft_become_follower(raft, raft->term, 0);
    raft_give_up_refused(raft);
}

void raft_persist_tick(struct replica *raft) {
    struct journal *journal = &raft->journal;
    if (!journal_retry_due(journal))
        return;
    if (journal->pending_count == 0) {
        raft_persist(raft);
        journal_retry(journal);
    }
    /* Another replica's disk took what ours did not: it should lead. When all are full this one
     * stays, and goes on answering reads. */
    if (raft->role == ROLE_LEADER && journal->log.last > journal->durable_index &&
        journal->commit == journal->log.last)
        raft_hand_over(raft);
}
