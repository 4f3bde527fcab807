#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#define HARD_VERSION 1u
#define HARD_BYTES 18u
enum { HARD_MENDING = 1, HARD_AMNESIA = 2 };

void raft_hard_encode(const struct replica *raft, struct buf *out) {
    buf_u8(out, HARD_VERSION);
    buf_u8(out, (uint8_t)((raft->mending ? HARD_MENDING : 0) | (raft->amnesia ? HARD_AMNESIA : 0)));
    buf_u64(out, raft->term);
    buf_u64(out, raft->vote);
}

enum cairn_status raft_hard_decode(struct replica *raft, struct bytes hard) {
    struct reader reader = reader_of(hard);
    uint8_t version = read_u8(&reader);
    uint8_t flags = read_u8(&reader);
    uint64_t term = read_u64(&reader);
    uint64_t vote = read_u64(&reader);
    if (!reader_done(&reader) || term > RAFT_NUMBER_MAX || flags > (HARD_MENDING | HARD_AMNESIA))
        return CAIRN_MALFORMED;
    if (version != HARD_VERSION)
        return CAIRN_WRONG_VERSION;
    raft->term = term;
    raft->vote = vote;
    raft->mending = flags & HARD_MENDING;
    raft->amnesia = flags & HARD_AMNESIA;
    return CAIRN_OK;
}

static void pending_push(struct replica *raft, struct raft_pending pending) {
    if (raft->pending_count == raft->pending_cap) {
        raft->pending_cap = raft->pending_cap ? raft->pending_cap * 2 : 16;
        raft->pending = cairn_realloc(raft->pending, raft->pending_cap * sizeof *raft->pending);
    }
    raft->pending[raft->pending_count++] = pending;
}

static struct bytes hard_bytes(struct replica *raft) {
    struct buf hard = {raft_scratch(raft, HARD_BYTES), 0, HARD_BYTES};
    raft_hard_encode(raft, &hard);
    return buf_view(&hard);
}

/* What failed is nowhere: the next try carries all that is not durable. */
static void dirty_everything(struct replica *raft) {
    raft->hard_dirty = true;
    raft->reset_dirty = raft->reset_seq > raft->persisted_seq;
    uint64_t first = raft->durable_index + 1;
    raft->truncate_dirty = first;
    raft->entries_dirty = raft->log.last >= first ? first : 0;
}

uint64_t raft_persist(struct replica *raft) {
    if (raft->options.mutant == MUTANT_VOTE_NOT_DURABLE && !raft->entries_dirty)
        raft->hard_dirty = false;
    if (!raft->hard_dirty && !raft->reset_dirty && !raft->truncate_dirty && !raft->entries_dirty)
        return raft->persist_seq;
    if (raft->full && !raft->full_retry) {
        /* The hard state has its place on the disk; entries wait until it is time for a try. */
        if (raft->reset_dirty)
            raft->reset_seq = UINT64_MAX; /* no persist has carried it yet */
        raft->reset_dirty = false;
        raft->truncate_dirty = raft->entries_dirty = 0;
        if (!raft->hard_dirty)
            return raft->persist_seq;
    }
    struct raft_pending pending = {.seq = ++raft->persist_seq, .issued_at = raft->now};
    size_t count = 0, bytes = 0;
    const struct entry *entries = NULL;
    if (raft->entries_dirty && raft->entries_dirty <= raft->log.last) {
        entries =
            raft_log_slice(raft, raft->entries_dirty, raft->log.last, SIZE_MAX, &count, &bytes);
        pending.last = raft->log.last;
        pending.term = raft_log_last_term(raft);
        pending.bytes = bytes;
    }
    struct bytes hard = raft->hard_dirty ? hard_bytes(raft) : bytes_of(NULL, 0);
    struct effect *effect = raft_emit(raft, EFFECT_PERSIST);
    effect->persist.seq = pending.seq;
    effect->persist.hard = hard;
    effect->persist.reset = raft->reset_dirty;
    if (raft->reset_dirty)
        effect->persist.reset_base = raft->base;
    effect->persist.truncate_from = raft->truncate_dirty;
    effect->persist.entries = entries;
    effect->persist.count = count;
    if (raft->hard_dirty)
        raft->hard_seq = pending.seq;
    if (raft->reset_dirty)
        raft->reset_seq = pending.seq;
    raft->hard_dirty = raft->reset_dirty = false;
    raft->truncate_dirty = raft->entries_dirty = 0;
    pending_push(raft, pending);
    return pending.seq;
}

/* Entries at and above index are gone: what is on its way to disk no longer speaks of them. */
void raft_pending_cut(struct replica *raft, uint64_t index) {
    if (raft->durable_index >= index)
        raft->durable_index = index - 1;
    if (raft->entries_dirty >= index)
        raft->entries_dirty = 0;
    for (size_t i = 0; i < raft->pending_count; i++)
        if (raft->pending[i].last >= index) {
            raft->pending[i].last = index - 1;
            raft_log_term(raft, index - 1, &raft->pending[i].term);
        }
}

void raft_on_persisted(struct replica *raft, uint64_t seq) {
    if (seq > raft->persist_seq || seq <= raft->full_seq)
        return;
    size_t done = 0;
    for (; done < raft->pending_count && raft->pending[done].seq <= seq; done++) {
        const struct raft_pending *pending = &raft->pending[done];
        uint64_t term;
        /* An entry of another term may stand there by now: this one was cut away since, and its
         * successor has a persist of its own. */
        if (pending->last > raft->durable_index && raft_log_term(raft, pending->last, &term) &&
            term == pending->term)
            raft->durable_index = pending->last;
    }
    raft->pending_count -= done;
    for (size_t i = 0; i < raft->pending_count; i++)
        raft->pending[i] = raft->pending[i + done];
    if (done > 0 && raft->pending_count > 0)
        raft->pending[0].issued_at = raft->now; /* until now the disk was at work on another */
    if (seq > raft->persisted_seq)
        raft->persisted_seq = seq;
    if (raft->full && raft->full_retry_seq != 0 && seq >= raft->full_retry_seq) {
        raft->full = false;
        raft_trace(raft, 1, "the disk has space again");
    }
    raft_count_own_vote(raft);
    if (raft->role == ROLE_LEADER)
        raft_maybe_commit(raft);
}

void raft_on_persist_failed(struct replica *raft, uint64_t seq, enum cairn_status status) {
    if (status != CAIRN_NO_SPACE) {
        raft_trace(raft, 2, "write failed: this replica promises nothing any more");
        if (raft->role != ROLE_FOLLOWER)
            raft_become_follower(raft, raft->term, 0);
        raft->failed = true;
        return;
    }
    if (seq <= raft->full_seq)
        return;
    if (raft->repaired_seq > raft->persisted_seq) {
        raft_trace(raft, 2, "the disk is full in the middle of a repair");
        raft->failed = true;
    }
    raft->full_seq = raft->persist_seq;
    raft->pending_count = 0;
    raft->hard_dirty = raft->hard_seq > raft->persisted_seq;
    if (!raft->full)
        raft_trace(raft, 2, "the disk is full: writes are refused until it has space");
    raft->full = true;
    raft->full_retry_seq = 0;
    raft->full_retry_at = raft->now + raft->options.heartbeat_ns;
}

/* A slow disk is not a stalled one: a value of 64 MiB may take its time, and those behind
 * it wait for it. */

uint64_t raft_disk_late(const struct replica *raft) {
    if (raft->pending_count == 0)
        return 0;
    uint64_t taken = raft->now - raft->pending[0].issued_at;
    uint64_t fair = raft->pending[0].bytes * RAFT_NS_PER_BYTE;
    return taken > fair ? taken - fair : 0;
}

bool raft_disk_stalled(const struct replica *raft) {
    return raft_disk_late(raft) > raft->options.disk_stall_ns;
}

void raft_persist_tick(struct replica *raft) {
    if (!raft->full || raft->now < raft->full_retry_at)
        return;
    raft->full_retry_at = raft->now + raft->options.heartbeat_ns;
    if (raft->pending_count == 0) {
        /* The hard state apart from the entries: it finds room, and answers may wait for it. */
        raft_persist(raft);
        dirty_everything(raft);
        raft->hard_dirty = false;
        raft->full_retry = true;
        raft->full_retry_seq = raft_persist(raft);
        raft->full_retry = false;
    }
    /* Somebody else's disk took what ours did not: it should lead. When all are full this one
     * stays, and goes on answering reads. */
    if (raft->role == ROLE_LEADER && raft->log.last > raft->durable_index &&
        raft->commit == raft->log.last)
        raft_hand_over(raft);
}
