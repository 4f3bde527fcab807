/* Phase 3, broadcast, at a follower or an observer: proposals of the one leader, in order, onto a
 * history that is equal to its own. */
#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

#include <inttypes.h>

/* A leader of an older version does not say which promise it relies on: it is the one that this
 * replica's own settings name. */
void zab_ask_promise(struct replica *zab, const struct zab_message *message) {
    uint64_t own = zab->options.election_timeout_min_ns;
    uint64_t asked = message->more ? message->lease_ns : own;
    if (zab->options.mutant == MUTANT_LEASE_OWN_LENGTH)
        asked = zab->options.lease_reads ? own : 0;
    uint64_t most = zab->options.mutant == MUTANT_PROMISE_WITHOUT_LIMIT ? LEASE_NS_MAX : own;
    bool longer = lease_ask(&zab->promise, asked, most, zab->now);
    zab->journal.hard_dirty |= longer && zab->options.mutant != MUTANT_PROMISE_NOT_DURABLE;
}

void zab_heard(struct replica *zab, bool accepted) {
    uint64_t least = zab->options.election_timeout_min_ns;
    uint64_t most = zab->options.election_timeout_max_ns;
    zab->patience_at = zab->phase == ZAB_BROADCAST
                           ? zab->now + prng_between(&zab->prng, least, most)
                           : zab->now + most + least;
    if (accepted)
        lease_renew(&zab->promise, zab->now);
}

void zab_ack(struct replica *zab, uint64_t sent_at, uint64_t gap_at) {
    zab_persist(zab);
    if (journal_waits(&zab->journal, zab->verified))
        return; /* not all of it is on the disk, and no persist is under way to wait for */
    struct zab_message message = {.type = ZAB_ACK,
                                  .term = zab->accepted,
                                  .nonce = zab->nonce,
                                  .index = zab->verified,
                                  .last = gap_at,
                                  .flags = gap_at ? ZAB_FLAG_GAP : 0,
                                  .sent_at = sent_at,
                                  .lease_ns = zab->promise.asked_ns};
    bool early = zab->options.mutant == MUTANT_ZAB_NEWLEADER_EARLY_ACK;
    uint64_t after = journal_told_after(&zab->journal, zab->verified);
    zab_send(zab, zab->leader, early ? zab->journal.hard_seq : after, &message, NULL, 0);
}

static bool chains_hold(const struct zab_message *message) {
    uint64_t chain = message->chain;
    for (uint32_t i = 0; i < message->count; i++) {
        if (!entry_chain_holds(&message->entries[i], chain))
            return false;
        chain = message->entries[i].chain;
    }
    return true;
}

bool zab_take(struct replica *zab, struct zab_message *message, struct blob *frame) {
    struct journal *journal = &zab->journal;
    uint64_t last = message->index + message->count, chain;
    uint64_t have = zab->options.mutant == MUTANT_ZAB_NO_TRUNC ? journal->log.last : zab->verified;
    if (last > zab->verified && last <= have)
        zab->verified = last; /* the mutant keeps what it has */
    if (last <= have)
        return true;
    uint32_t known = (uint32_t)(have - message->index);
    uint64_t before = known ? message->entries[known - 1].chain : message->chain;
    bool differs = (log_chain(&journal->log, have, &chain) && chain != before) ||
                   message->entries[known].term < log_last_term(&journal->log);
    if (!chains_hold(message) || (differs && zab->options.mutant == MUTANT_NONE)) {
        outbox_trace(&journal->out, 2, "proposal from %" PRIu64 " at %" PRIu64 ": chain broken",
                     message->from, have + 1);
        return false;
    }
    cairn_assert(journal->log.last == have);
    journal_take(journal, message->entries + known, message->count - known, before, frame);
    zab->verified = journal->log.last;
    zab_peers_follow_config(zab);
    return true;
}

void zab_commit_follow(struct replica *zab, uint64_t commit) {
    if (commit > zab->commit_heard)
        zab->commit_heard = commit;
    uint64_t verified =
        zab->options.mutant == MUTANT_ZAB_COMMIT_UNVERIFIED ? zab->journal.log.last : zab->verified;
    journal_commit_to(&zab->journal, zab->commit_heard < verified ? zab->commit_heard : verified);
}

/* A replica that has NEWLEADER, and knows that a quorum has, is in the broadcast of its epoch. */
static void advance(struct replica *zab) {
    bool has_newleader = zab->synced && log_last_term(&zab->journal.log) == zab->accepted;
    if (zab->phase == ZAB_SYNCHRONISATION && has_newleader && zab->active) {
        zab->phase = ZAB_BROADCAST;
        zab_heard(zab, true);
    }
    zab_mend_advance(zab);
}

void zab_on_propose(struct replica *zab, struct zab_message *message, struct blob *frame) {
    struct journal *journal = &zab->journal;
    zab_ask_promise(zab, message);
    zab_heard(zab, true);
    /* A snapshot being installed takes nothing now, and a full disk no commands. Silence makes the
     * leader try again. */
    if (!zab->synced || zab->installing ||
        !journal_may_take(journal, message->entries, message->count))
        return;
    if (message->index > zab->verified) {
        /* Something before was lost. Or a full disk did not take it: then the leader waits, too. */
        if (!journal->full)
            zab_ack(zab, message->sent_at, message->index);
        return;
    }
    if (!zab_take(zab, message, frame))
        return;
    zab_ack(zab, message->sent_at, 0);
    zab_commit_follow(zab, message->commit);
    advance(zab);
}

static void leader_is_active(struct replica *zab) {
    if (zab->active)
        return;
    zab->active = true;
    zab_role_tell(zab);
    zab_transfer_leader_known(zab);
}

void zab_on_commit(struct replica *zab, const struct zab_message *message) {
    zab_heard(zab, true);
    leader_is_active(zab);
    zab_commit_follow(zab, message->commit);
    advance(zab);
}

void zab_on_ping(struct replica *zab, const struct zab_message *message) {
    bool accepted = zab->phase >= ZAB_SYNCHRONISATION && message->term == zab->accepted;
    if (accepted)
        zab_ask_promise(zab, message);
    zab_heard(zab, accepted);
    if (accepted)
        stamps_hear(&zab->journal.stamps, zab->accepted, message->more ? message->time_ms : 0,
                    zab->now);
    if (accepted && message->flags & ZAB_FLAG_ACTIVE)
        leader_is_active(zab);
    zab_persist(zab);
    if (accepted)
        zab_commit_follow(zab, message->commit);
    struct zab_message answer = {.type = ZAB_PONG,
                                 .term = accepted ? zab->accepted : 0,
                                 .nonce = zab->nonce,
                                 .round = message->round,
                                 .sent_at = message->sent_at,
                                 .lease_ns = zab->promise.asked_ns,
                                 .wall_ms = zab->own_wall_ms};
    answer.flags = journal_takes_commands(&zab->journal) ? 0 : ZAB_FLAG_NO_ROOM;
    zab_send(zab, message->from, zab->journal.hard_seq, &answer, NULL, 0);
    /* The leader does not know yet how far this one is: an answer was lost, or is on its way. */
    if (accepted)
        advance(zab);
}
