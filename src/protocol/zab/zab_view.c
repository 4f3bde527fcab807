/* Zab as an observer sees it (core/view.h): an accepted epoch is the term, the replica that it was
 * accepted from the vote. */
#include "protocol/zab/zab_internal.h"

static void belief(const struct replica *zab, struct belief *out) {
    *out = (struct belief){.role = zab_role(zab),
                           .term = zab->accepted,
                           .vote = zab->accepted_from,
                           .last = zab->journal.log.last,
                           .last_term = log_last_term(&zab->journal.log),
                           .commit = zab->journal.commit,
                           .lease_end = zab_lease_end(zab),
                           .config = journal_config(&zab->journal)};
    log_term(&zab->journal.log, out->commit, &out->commit_term);
}

static bool promise(struct bytes hard, struct promise *out) {
    struct replica zab; /* only what a hard state names is written */
    if (zab_hard_decode(&zab, hard) != CAIRN_OK)
        return false;
    *out = (struct promise){zab.accepted, zab.accepted_from, zab.promise.length_ns};
    return true;
}

/* A leader counts a promise from when it sent what is answered: else there is none. */
static uint64_t promised(const struct zab_message *message) {
    return message->sent_at ? message->lease_ns : 0;
}

/* PING is also sent in discovery, before an epoch is chosen: it claims nothing. */
static bool claim(struct bytes body, uint64_t from, uint64_t to, struct claim *out) {
    struct zab_message message;
    if (zab_message_decode(body, &message, NULL) != CAIRN_OK)
        return false;
    *out = (struct claim){.term = message.term};
    switch (message.type) {
    case ZAB_NEWEPOCH:
    case ZAB_SYNC:
    case ZAB_PROPOSE:
    case ZAB_COMMIT:
    case ZAB_UPTODATE:
    case ZAB_HAND_OVER:
        out->vote = from;
        out->leads = true;
        out->commit = message.commit;
        out->releases = message.type == ZAB_HAND_OVER;
        return true;
    case ZAB_ACK_EPOCH:
        out->vote = to;
        out->durable = message.index;
        return true;
    case ZAB_ACK:
        out->vote = to;
        out->lease_ns = promised(&message);
        out->durable = message.index;
        out->matches = true;
        return true;
    case ZAB_PONG:
        out->lease_ns = message.term ? promised(&message) : 0;
        return true;
    case ZAB_CEPOCH:
        out->informs = true;
        return true;
    case ZAB_READ:
        return true;
    default:
        return false;
    }
}

static uint64_t abstract_peer(const struct zab_peer *peer, const struct replica *zab) {
    const struct progress *progress = &peer->stream.progress;
    uint64_t sum =
        prng_mix(peer->id, peer->up | (uint64_t)peer->voted << 1 | peer->vote.leader << 2);
    if (!zab_leads(zab))
        return sum;
    sum = prng_mix(sum,
                   (uint64_t)peer->stage << 4 | (uint64_t)progress->state << 1 | progress->paused);
    if (peer->stage >= ZAB_SYNCING)
        sum = prng_mix(sum, view_few(zab->journal.log.last - progress->match));
    return prng_mix(sum, progress->count > 0);
}

static uint64_t abstract(const struct replica *zab) {
    const struct journal *journal = &zab->journal;
    uint64_t sum = prng_mix(zab->phase, zab->leader);
    sum = prng_mix(sum, zab->accepted_from);
    sum = prng_mix(sum, view_few(zab->accepted - log_last_term(&journal->log)));
    sum = prng_mix(sum, view_few(journal->log.last - journal->commit));
    sum = prng_mix(sum, view_few(journal->log.last - journal->durable_index));
    sum = prng_mix(sum, zab->synced ? view_few(journal->log.last - zab->verified) : UINT64_MAX);
    sum = prng_mix(sum, zab->mending | zab->amnesia << 1 | zab->installing << 2 |
                            zab->transferring << 3 | zab->lease_revoked << 4 | zab->active << 5 |
                            (zab->epoch_pending != 0) << 6 | zab->epoch_chosen << 7 |
                            (zab->now < lease_promise_end(&zab->promise)) << 8);
    sum = prng_mix(sum, (uint64_t)zab->change.stage << 8 | (zab->reads.leading.count > 0));
    for (uint32_t i = 0; i < zab->peer_count; i++)
        sum = prng_mix(sum, abstract_peer(&zab->peers[i], zab));
    return sum;
}

const struct protocol_view zab_view = {
    .belief = belief,
    .promise = promise,
    .claim = claim,
    .describe = zab_describe,
    .abstract = abstract,
    .canon = zab_canon,
    .check_deep = zab_check_deep,
};
