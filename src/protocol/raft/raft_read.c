#include "protocol/raft/raft_internal.h"

void raft_reads_flush(struct replica *raft) {
    struct reads *reads = &raft->reads;
    for (size_t i = 0; i < reads->answer_count; i++) {
        const struct read_answer *answer = &reads->answers[i];
        struct raft_message message = {.type = RAFT_READ_INDEX_ANSWER,
                                       .term = raft->term,
                                       .request = answer->request,
                                       .status = answer->status,
                                       .index = answer->index};
        raft_send(raft, answer->to, 0, &message, NULL, 0);
    }
    reads->answer_count = 0;
}

void raft_reads_refuse(struct replica *raft, enum cairn_status status) {
    reads_refuse_all(&raft->reads, status);
}

/* ---- the lease ---- */

uint64_t raft_lease_asked(const struct replica *raft) {
    return raft->options.lease_reads ? lease_limited(raft->options.election_timeout_min_ns) : 0;
}

static uint64_t lease_until_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return lease_until(raft->now, raft_lease_asked(raft), raft->options.clock_drift_ppm);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].lease_until;
    return 0;
}

/* Until then a quorum's promises hold. Dissertation 6.4.1. */
uint64_t raft_lease_end(const struct replica *raft) {
    if (raft->role != ROLE_LEADER || !raft->options.lease_reads || raft->lease_revoked ||
        raft->lease_unused || !raft_own_term_committed(raft))
        return 0;
    return quorum_reached(journal_config(&raft->journal), lease_until_of, raft);
}

static uint32_t drift_ppm(const struct replica *raft) {
    if (raft->options.mutant == MUTANT_LEASE_NO_DRIFT)
        return 0;
    bool half = raft->options.mutant == MUTANT_LEASE_HALF_DRIFT;
    return half ? raft->options.clock_drift_ppm / 2 : raft->options.clock_drift_ppm;
}

/* The follower answers what was sent at sent_at, and tells what it promised by that. One of an
 * older version does not: its promise counts for nothing. */
void raft_lease_heard(struct replica *raft, struct raft_peer *peer,
                      const struct raft_message *answer) {
    uint64_t promised = answer->more ? answer->lease_ns : 0;
    if (raft->options.mutant == MUTANT_LEASE_OWN_LENGTH)
        promised = raft_lease_asked(raft);
    if (raft->options.mutant == MUTANT_LEASE_TOO_LONG)
        promised *= 20;
    bool late = raft->options.mutant == MUTANT_LEASE_FROM_RECEIPT;
    uint64_t until = lease_until(late ? raft->now : answer->sent_at, promised, drift_ppm(raft));
    if (answer->sent_at <= raft->now && until > peer->lease_until)
        peer->lease_until = until;
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
    if (raft->role != ROLE_LEADER || raft->reads.leading.count == 0)
        return;
    uint64_t confirmed = quorum_reached(journal_config(&raft->journal), round_of, raft);
    uint64_t commit = raft_own_term_committed(raft) ? raft->journal.commit : 0;
    if (reads_advance(&raft->reads, raft->round, confirmed, commit))
        raft_heartbeat(raft);
}

/* Dissertation 6.4: the index is noted first, leadership confirmed by a round that starts after. */
static void read_at_leader(struct replica *raft, struct read_item read) {
    bool committed =
        raft_own_term_committed(raft) || raft->options.mutant == MUTANT_READ_BEFORE_OWN_TERM;
    if (committed &&
        (raft->now < raft_lease_end(raft) || raft->options.mutant == MUTANT_READ_NO_ROUND)) {
        reads_answer(&raft->reads, read, CAIRN_OK, journal_read_index(&raft->journal));
        return;
    }
    uint64_t begun = raft->options.mutant == MUTANT_READ_ROUND_BEFORE ? 0 : 1;
    reads_lead(&raft->reads, read, raft->round + begun,
               committed ? journal_read_index(&raft->journal) : 0,
               raft->now + 2 * raft->options.election_timeout_max_ns);
    raft_reads_advance(raft);
}

void raft_on_read_index(struct replica *raft, const struct raft_message *message) {
    struct read_item read = {.tag = message->request, .from = message->from};
    if (raft->role == ROLE_LEADER)
        read_at_leader(raft, read);
    else
        reads_answer(&raft->reads, read, CAIRN_NOT_LEADER, 0);
}

/* ---- at a follower ---- */

static void ask(struct replica *raft) {
    if (!reads_ask(&raft->reads, raft->now + raft->options.election_timeout_max_ns))
        return;
    struct raft_message message = {
        .type = RAFT_READ_INDEX, .term = raft->term, .request = raft->reads.request};
    raft_send(raft, raft->leader, raft->journal.hard_seq, &message, NULL, 0);
}

void raft_on_read(struct replica *raft, uint64_t tag) {
    struct read_item read = {.tag = tag};
    if (raft->journal.failed || raft_damaged(raft)) {
        reads_answer(&raft->reads, read, CAIRN_DAMAGED, 0);
    } else if (raft->role == ROLE_LEADER) {
        read_at_leader(raft, read);
    } else if (raft->leader == 0) {
        reads_answer(&raft->reads, read, CAIRN_NO_QUORUM, 0);
    } else {
        reads_follow(&raft->reads, tag);
        ask(raft);
    }
}

void raft_on_read_index_answer(struct replica *raft, const struct raft_message *message) {
    if (message->from != raft->leader)
        return;
    /* The read waits for an index that is committed there: it need not wait to be told that again.
     */
    if (message->status == CAIRN_OK)
        raft_commit_follow(raft, message->index);
    bool any = raft->options.mutant == MUTANT_READ_ANSWER_OF_ANY;
    reads_answered(&raft->reads, any ? raft->reads.request : message->request, message->status,
                   message->index);
    ask(raft);
}

void raft_reads_tick(struct replica *raft) {
    if (raft->role == ROLE_LEADER)
        reads_tick_leader(&raft->reads, raft->now);
    else
        reads_tick_follower(&raft->reads, raft->now);
}
