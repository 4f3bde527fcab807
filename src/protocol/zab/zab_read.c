#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

void zab_reads_flush(struct replica *zab) {
    struct reads *reads = &zab->reads;
    for (size_t i = 0; i < reads->answer_count; i++) {
        const struct read_answer *answer = &reads->answers[i];
        struct zab_message message = {.type = ZAB_READ_ANSWER,
                                      .term = zab->accepted,
                                      .request = answer->request,
                                      .status = answer->status,
                                      .index = answer->index};
        zab_send(zab, answer->to, 0, &message, NULL, 0);
    }
    reads->answer_count = 0;
}

/* ---- the lease ---- */

uint64_t zab_lease_asked(const struct replica *zab) {
    return zab->options.lease_reads ? lease_limited(zab->options.election_timeout_min_ns) : 0;
}

static uint64_t lease_until_of(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return lease_until(zab->now, zab_lease_asked(zab), zab->options.clock_drift_ppm);
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL && peer->stage >= ZAB_ACCEPTED ? peer->lease_until : 0;
}

/* Until then a quorum's promises hold to accept no other epoch. */
uint64_t zab_lease_end(const struct replica *zab) {
    if (!zab_established(zab) || !zab->options.lease_reads || zab->lease_revoked ||
        zab->lease_unused)
        return 0;
    return quorum_reached(journal_config(&zab->journal), lease_until_of, zab);
}

static uint32_t drift_ppm(const struct replica *zab) {
    if (zab->options.mutant == MUTANT_LEASE_NO_DRIFT)
        return 0;
    bool half = zab->options.mutant == MUTANT_LEASE_HALF_DRIFT;
    return half ? zab->options.clock_drift_ppm / 2 : zab->options.clock_drift_ppm;
}

/* The follower answers what was sent at sent_at, and tells what it promised by that. One of an
 * older version does not: its promise counts for nothing. */
void zab_lease_heard(struct replica *zab, struct zab_peer *peer, const struct zab_message *answer) {
    uint64_t promised = answer->more ? answer->lease_ns : 0;
    if (zab->options.mutant == MUTANT_LEASE_OWN_LENGTH)
        promised = zab_lease_asked(zab);
    if (zab->options.mutant == MUTANT_LEASE_TOO_LONG)
        promised *= 20;
    bool late = zab->options.mutant == MUTANT_LEASE_FROM_RECEIPT;
    uint64_t until = lease_until(late ? zab->now : answer->sent_at, promised, drift_ppm(zab));
    if (answer->sent_at <= zab->now && until > peer->lease_until)
        peer->lease_until = until;
}

/* ---- at the leader ---- */

static uint64_t round_of(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return UINT64_MAX;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL && peer->stage >= ZAB_ACCEPTED ? peer->round : 0;
}

void zab_reads_advance(struct replica *zab) {
    if (!zab_established(zab) || zab->reads.leading.count == 0)
        return;
    uint64_t confirmed = quorum_reached(journal_config(&zab->journal), round_of, zab);
    if (reads_advance(&zab->reads, zab->ping_round, confirmed, zab->journal.commit))
        zab_ping(zab);
}

/* The index is noted first, leadership confirmed by a round that starts after. */
static void read_at_leader(struct replica *zab, struct read_item read) {
    if (zab->now < zab_lease_end(zab) || zab->options.mutant == MUTANT_READ_NO_ROUND) {
        reads_answer(&zab->reads, read, CAIRN_OK, journal_read_index(&zab->journal));
        return;
    }
    uint64_t begun = zab->options.mutant == MUTANT_READ_ROUND_BEFORE ? 0 : 1;
    reads_lead(&zab->reads, read, zab->ping_round + begun, journal_read_index(&zab->journal),
               zab->now + 2 * zab->options.election_timeout_max_ns);
    zab_reads_advance(zab);
}

void zab_on_read_message(struct replica *zab, const struct zab_message *message) {
    struct read_item read = {.tag = message->request, .from = message->from};
    if (zab_established(zab))
        read_at_leader(zab, read);
    else
        reads_answer(&zab->reads, read, CAIRN_NOT_LEADER, 0);
}

/* ---- at a follower ---- */

static void ask(struct replica *zab) {
    if (!reads_ask(&zab->reads, zab->now + zab->options.election_timeout_max_ns))
        return;
    struct zab_message message = {
        .type = ZAB_READ, .term = zab->accepted, .request = zab->reads.request};
    zab_send(zab, zab->leader, zab->journal.hard_seq, &message, NULL, 0);
}

void zab_on_read(struct replica *zab, uint64_t tag) {
    struct read_item read = {.tag = tag};
    if (zab->journal.failed) {
        reads_answer(&zab->reads, read, CAIRN_DAMAGED, 0);
    } else if (zab_established(zab)) {
        read_at_leader(zab, read);
    } else if (!zab->active || zab_leads(zab)) {
        reads_answer(&zab->reads, read, CAIRN_NO_QUORUM, 0);
    } else {
        reads_follow(&zab->reads, tag);
        ask(zab);
    }
}

void zab_on_read_answer(struct replica *zab, const struct zab_message *message) {
    if (message->from != zab->leader || zab_leads(zab))
        return;
    bool any = zab->options.mutant == MUTANT_READ_ANSWER_OF_ANY;
    reads_answered(&zab->reads, any ? zab->reads.request : message->request, message->status,
                   message->index);
    if (zab->active)
        ask(zab);
}

void zab_reads_tick(struct replica *zab) {
    if (zab_leads(zab))
        reads_tick_leader(&zab->reads, zab->now);
    else
        reads_tick_follower(&zab->reads, zab->now);
}
