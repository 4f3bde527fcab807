#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

/* ---- lists of reads ---- */

static void push(struct raft_reads *reads, struct raft_read read) {
    if (reads->count == reads->cap) {
        reads->cap = reads->cap ? reads->cap * 2 : 32;
        reads->items = cairn_realloc(reads->items, reads->cap * sizeof *reads->items);
    }
    reads->items[reads->count++] = read;
}

void raft_reads_free(struct replica *raft) {
    cairn_free(raft->reads.items);
    cairn_free(raft->asked.items);
    cairn_free(raft->waiting.items);
}

static void answer(struct replica *raft, const struct raft_read *read, enum cairn_status status,
                   uint64_t index) {
    if (read->from == 0) {
        struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_READ_READY);
        effect->read_ready.tag = read->tag;
        effect->read_ready.status = status;
        effect->read_ready.index = index;
        return;
    }
    struct raft_message message = {.type = RAFT_READ_INDEX_ANSWER,
                                   .term = raft->term,
                                   .request = read->tag,
                                   .status = status,
                                   .index = index};
    raft_send(raft, read->from, 0, &message, NULL, 0);
}

static void refuse_all(struct replica *raft, struct raft_reads *reads, enum cairn_status status) {
    for (size_t i = 0; i < reads->count; i++)
        answer(raft, &reads->items[i], status, 0);
    reads->count = 0;
}

void raft_reads_refuse(struct replica *raft, enum cairn_status status) {
    refuse_all(raft, &raft->reads, status);
    refuse_all(raft, &raft->asked, status);
    refuse_all(raft, &raft->waiting, status);
    raft->read_request = 0;
}

/* ---- the lease ---- */

static uint64_t lease_at_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return raft->now;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].lease_at;
    return 0;
}

/* A quorum promised at or after `sent` (by our clock) not to elect another for an election
 * timeout of theirs; clocks may run apart by the drift on both sides. Dissertation 6.4.1. */
uint64_t raft_lease_end(const struct replica *raft) {
    if (raft->role != ROLE_LEADER || !raft->options.lease_reads || raft->lease_revoked ||
        !raft_own_term_committed(raft))
        return 0;
    uint64_t sent = quorum_reached(journal_config(&raft->journal), lease_at_of, raft);
    if (sent == 0)
        return 0;
    uint64_t million = 1000000, drift = raft->options.clock_drift_ppm;
    uint64_t length = raft->options.election_timeout_min_ns / (million + drift) * (million - drift);
    if (raft->options.mutant == MUTANT_LEASE_TOO_LONG)
        length *= 20;
    return sent + length;
}

/* ---- at the leader ---- */

static uint64_t round_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return raft->round;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].round;
    return 0;
}

void raft_reads_advance(struct replica *raft) {
    if (raft->role != ROLE_LEADER || raft->reads.count == 0)
        return;
    uint64_t confirmed = quorum_reached(journal_config(&raft->journal), round_of, raft);
    bool committed = raft_own_term_committed(raft), wants_round = false;
    size_t left = 0;
    for (size_t i = 0; i < raft->reads.count; i++) {
        struct raft_read *read = &raft->reads.items[i];
        if (committed && read->index == 0)
            read->index = raft->journal.commit;
        if (committed && read->round <= confirmed) {
            answer(raft, read, CAIRN_OK, read->index);
            continue;
        }
        wants_round |= read->round > raft->round;
        raft->reads.items[left++] = *read;
    }
    raft->reads.count = left;
    if (wants_round && confirmed >= raft->round)
        raft_heartbeat(raft);
}

/* Dissertation 6.4: the index is noted first, leadership confirmed by a round that starts after. */
static void read_at_leader(struct replica *raft, struct raft_read read) {
    bool committed = raft_own_term_committed(raft);
    if (committed &&
        (raft->now < raft_lease_end(raft) || raft->options.mutant == MUTANT_READ_NO_ROUND)) {
        answer(raft, &read, CAIRN_OK, raft->journal.commit);
        return;
    }
    if (raft->reads.count >= RAFT_READS_MAX) {
        answer(raft, &read, CAIRN_BUSY, 0);
        return;
    }
    read.round = raft->round + 1;
    read.index = committed ? raft->journal.commit : 0;
    read.deadline = raft->now + 2 * raft->options.election_timeout_max_ns;
    push(&raft->reads, read);
    raft_reads_advance(raft);
}

void raft_on_read_index(struct replica *raft, const struct raft_message *message) {
    struct raft_read read = {.tag = message->request, .from = message->from};
    if (raft->role == ROLE_LEADER)
        read_at_leader(raft, read);
    else
        answer(raft, &read, CAIRN_NOT_LEADER, 0);
}

/* ---- at a follower ---- */

static void ask(struct replica *raft) {
    if (raft->read_request != 0 || raft->waiting.count == 0)
        return;
    struct raft_reads swap = raft->asked;
    raft->asked = raft->waiting;
    raft->waiting = swap;
    raft->waiting.count = 0;
    raft->read_request = ++raft->read_ids;
    raft->read_deadline = raft->now + raft->options.election_timeout_max_ns;
    struct raft_message message = {
        .type = RAFT_READ_INDEX, .term = raft->term, .request = raft->read_request};
    raft_send(raft, raft->leader, raft->journal.hard_seq, &message, NULL, 0);
}

void raft_on_read(struct replica *raft, uint64_t tag) {
    struct raft_read read = {.tag = tag};
    if (raft->journal.failed || raft_damaged(raft)) {
        answer(raft, &read, CAIRN_DAMAGED, 0);
    } else if (raft->role == ROLE_LEADER) {
        read_at_leader(raft, read);
    } else if (raft->leader == 0) {
        answer(raft, &read, CAIRN_NO_QUORUM, 0);
    } else if (raft->waiting.count >= RAFT_READS_MAX) {
        answer(raft, &read, CAIRN_BUSY, 0);
    } else {
        push(&raft->waiting, read);
        ask(raft);
    }
}

void raft_on_read_index_answer(struct replica *raft, const struct raft_message *message) {
    if (raft->read_request == 0 || message->request != raft->read_request ||
        message->from != raft->leader)
        return;
    enum cairn_status status =
        message->status < CAIRN_STATUS_COUNT ? (enum cairn_status)message->status : CAIRN_NO_QUORUM;
    raft->read_request = 0;
    for (size_t i = 0; i < raft->asked.count; i++)
        answer(raft, &raft->asked.items[i], status, message->index);
    raft->asked.count = 0;
    ask(raft);
}

void raft_reads_tick(struct replica *raft) {
    if (raft->role == ROLE_LEADER) {
        if (raft->reads.count > 0 && raft->now >= raft->reads.items[0].deadline)
            refuse_all(raft, &raft->reads, CAIRN_NO_QUORUM);
    } else if (raft->read_request != 0 && raft->now >= raft->read_deadline) {
        raft_reads_refuse(raft, CAIRN_NO_QUORUM);
    }
}
