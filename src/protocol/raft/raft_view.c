/* Raft as an observer sees it (core/view.h). Which message may not leave before what is durable is
 * Figure 2's "updated on stable storage before responding to RPCs". */
#include "protocol/raft/raft_internal.h"

static void belief(const struct replica *raft, struct belief *out) {
    *out = (struct belief){.role = raft->role,
                           .term = raft->term,
                           .vote = raft->vote,
                           .last = raft->journal.log.last,
                           .last_term = log_last_term(&raft->journal.log),
                           .commit = raft->journal.commit,
                           .lease_end = raft->role == ROLE_LEADER ? raft_lease_end(raft) : 0,
                           .config = journal_config(&raft->journal)};
    log_term(&raft->journal.log, out->commit, &out->commit_term);
}

static bool promise(struct bytes hard, struct promise *out) {
    struct replica raft; /* only what a hard state names is written */
    if (raft_hard_decode(&raft, hard) != CAIRN_OK)
        return false;
    *out = (struct promise){raft.term, raft.vote, raft.promise.length_ns};
    return true;
}

/* A leader counts a promise from when it sent what is answered: else there is none. */
static uint64_t promised(const struct raft_message *message) {
    return message->sent_at ? message->lease_ns : 0;
}

static bool claim(struct bytes body, uint64_t from, uint64_t to, struct claim *out) {
    struct raft_message message;
    if (raft_message_decode(body, &message, NULL, 0) != CAIRN_OK)
        return false;
    bool yes = message.flags & RAFT_FLAG_YES;
    *out = (struct claim){.term = message.term};
    switch (message.type) {
    case RAFT_VOTE_REQUEST:
        out->vote = from;
        out->releases = message.flags & RAFT_FLAG_TRANSFER;
        return !(message.flags & RAFT_FLAG_PRE);
    case RAFT_VOTE_ANSWER:
        out->vote = yes ? to : 0;
        return !(message.flags & RAFT_FLAG_PRE);
    case RAFT_APPEND_ANSWER:
        out->lease_ns = promised(&message);
        out->durable = yes ? message.index : 0;
        out->matches = yes;
        return true;
    case RAFT_HEARTBEAT_ANSWER:
        out->lease_ns = promised(&message);
        return true;
    case RAFT_APPEND:
    case RAFT_HEARTBEAT:
    case RAFT_COMMIT:
    case RAFT_TIMEOUT_NOW:
        out->vote = from;
        out->leads = true;
        out->commit = message.commit;
        out->releases = message.type == RAFT_TIMEOUT_NOW;
        return true;
    case RAFT_READ_INDEX:
        return true;
    default:
        return false;
    }
}

static uint64_t abstract_peer(const struct raft_peer *peer, const struct replica *raft) {
    const struct progress *progress = &peer->stream.progress;
    uint64_t sum = prng_mix(peer->id, peer->up | (uint64_t)peer->vote << 1);
    if (raft->role != ROLE_LEADER)
        return sum;
    sum = prng_mix(sum, view_few(raft->journal.log.last - progress->match));
    sum = prng_mix(sum, (uint64_t)progress->state << 1 | progress->paused);
    return prng_mix(sum, progress->count > 0);
}

static uint64_t abstract(const struct replica *raft) {
    const struct journal *journal = &raft->journal;
    uint64_t sum = prng_mix(raft->role, raft->leader);
    sum = prng_mix(sum, raft->vote);
    sum = prng_mix(sum, view_few(raft->term - log_last_term(&journal->log)));
    sum = prng_mix(sum, view_few(journal->log.last - journal->commit));
    sum = prng_mix(sum, view_few(journal->log.last - journal->durable_index));
    sum = prng_mix(sum, view_few(journal->log.last - raft->verified));
    sum = prng_mix(sum, raft->mending | raft->amnesia << 1 | raft->installing << 2 |
                            raft->transferring << 3 | raft->lease_revoked << 4 |
                            (raft->now < lease_promise_end(&raft->promise)) << 5);
    sum = prng_mix(sum, (uint64_t)raft->change.stage << 8 | (raft->reads.leading.count > 0));
    for (uint32_t i = 0; i < raft->peer_count; i++)
        sum = prng_mix(sum, abstract_peer(&raft->peers[i], raft));
    return sum;
}

const struct protocol_view raft_view = {
    .belief = belief,
    .promise = promise,
    .claim = claim,
    .describe = raft_describe,
    .abstract = abstract,
    .canon = raft_canon,
    .check_deep = raft_check_deep,
};
