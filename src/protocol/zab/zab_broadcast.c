/* Phase 3, broadcast, at the leader: proposals stream to followers in order, a quorum's
 * acknowledgements commit them, and the commit is told at once. */
#include "protocol/zab/zab_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>

/* ---- own entries ---- */

static void place(struct replica *zab, enum entry_kind kind, struct bytes payload,
                  struct blob *blob, uint8_t *at) {
    cairn_assert(zab_leads(zab) && zab->phase >= ZAB_SYNCHRONISATION);
    struct entry entry =
        journal_place(&zab->journal, zab->accepted, zab->wall_ms, kind, payload, blob, at);
    zab->uncommitted_bytes += entry.encoded.len;
}

uint64_t zab_append_own(struct replica *zab, enum entry_kind kind, struct bytes payload) {
    struct blob *blob = blob_new(entry_size(payload.len));
    place(zab, kind, payload, blob, blob->data);
    blob_unref(blob);
    return zab->journal.log.last;
}

static enum cairn_status refusal(const struct replica *zab, const struct proposal *proposal,
                                 size_t uncommitted) {
    if (!zab_established(zab) || zab->transferring)
        return CAIRN_NOT_LEADER; /* a moment later the next leader is there */
    size_t size = entry_size(proposal->command.len);
    if (size > zab->options.entry_bytes_max)
        return CAIRN_TOO_LARGE;
    if (zab->journal.full || (!proposal->needed && !zab_takes_commands(zab)))
        return CAIRN_NO_SPACE;
    if (uncommitted > 0 && uncommitted + size > zab->options.uncommitted_bytes_max)
        return CAIRN_BUSY;
    return CAIRN_OK;
}

/* One blob for all of a batch: encoded once, shared by log, disk, network and apply. */
void zab_on_proposals(struct replica *zab, const struct proposal *items, size_t count) {
    enum cairn_status *status = outbox_scratch(&zab->journal.out, count * sizeof *status);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        status[i] = refusal(zab, &items[i], zab->uncommitted_bytes + total);
        if (status[i] == CAIRN_OK)
            total += entry_size(items[i].command.len);
    }
    struct blob *blob = total ? blob_new(total) : NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t index = 0;
        if (status[i] == CAIRN_OK) {
            place(zab, ENTRY_COMMAND, items[i].command, blob, blob->data + used);
            used += entry_size(items[i].command.len);
            index = zab->journal.log.last;
        }
        zab_outcome(zab, OUTCOME_PROPOSAL, items[i].tag, status[i], index);
    }
    if (blob == NULL)
        return;
    blob_unref(blob);
    zab_persist(zab); /* in parallel with the followers' disks */
    zab_replicate_all(zab);
}

/* ---- sending ---- */

static void send(struct replica *zab, struct zab_peer *peer, const struct stream_message *part) {
    bool sync = peer->stage == ZAB_SYNCING;
    struct zab_message message = {.type = sync ? ZAB_SYNC : ZAB_PROPOSE,
                                  .term = zab->accepted,
                                  .nonce = peer->nonce,
                                  .log_term = part->prev_term,
                                  .index = part->prev,
                                  .chain = part->prev_chain,
                                  .commit = zab_established(zab) ? zab->journal.commit : 0,
                                  .last = zab->journal.log.last,
                                  .flags = sync ? peer->sync_flags : 0,
                                  .sent_at = zab->now,
                                  .lease_ns = zab_lease_asked(zab)};
    zab_send(zab, peer->id, 0, &message, part->entries, part->count);
    if (peer->active_told && message.commit > peer->commit_told)
        peer->commit_told = message.commit;
}

static void proceed(struct replica *zab, struct zab_peer *peer, enum stream_step step,
                    struct stream_message *part) {
    for (; step == STREAM_MESSAGE; step = stream_next(&peer->stream, &zab->journal, part))
        send(zab, peer, part);
    if (step == STREAM_SNAPSHOT)
        zab_snapshot_send(zab, peer);
}

void zab_replicate(struct replica *zab, struct zab_peer *peer) {
    struct stream_message part;
    if (peer->stage >= ZAB_SYNCING)
        proceed(zab, peer, stream_next(&peer->stream, &zab->journal, &part), &part);
}

void zab_replicate_all(struct replica *zab) {
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].member)
            zab_replicate(zab, &zab->peers[i]);
}

void zab_replication_loaded(struct replica *zab, struct zab_peer *peer, enum cairn_status status,
                            const struct entry *entries, size_t count) {
    peer->stream.load_tag = 0;
    if (!zab_leads(zab) || !peer->member || peer->stage < ZAB_SYNCING)
        return;
    struct stream_message part;
    enum stream_step step =
        stream_loaded(&peer->stream, &zab->journal, status, entries, count, &part);
    proceed(zab, peer, step, &part);
}

/* ---- pings ---- */

/* One that is not established speaks of no time yet. */
static uint64_t told_time_ms(struct replica *zab) {
    return zab_established(zab) ? stamps_tell(&zab->journal.stamps, zab->now, zab->wall_ms) : 0;
}

static void ping_one(struct replica *zab, const struct zab_peer *peer) {
    struct zab_message message = {.type = ZAB_PING,
                                  .term = zab->accepted,
                                  .nonce = peer->nonce,
                                  .round = zab->ping_round,
                                  .commit = zab_established(zab) ? zab->journal.commit : 0,
                                  .flags = zab->active ? ZAB_FLAG_ACTIVE : 0,
                                  .sent_at = zab->now,
                                  .lease_ns = zab_lease_asked(zab),
                                  .time_ms = told_time_ms(zab)};
    zab_send(zab, peer->id, zab->journal.hard_seq, &message, NULL, 0);
}

/* Replicas that do not follow are told that there is a leader. */
void zab_ping(struct replica *zab) {
    zab->ping_round++;
    zab->ping_at = zab->now + zab->options.heartbeat_ns;
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        const struct zab_peer *peer = &zab->peers[i];
        if (peer->member && peer->stage == ZAB_AWAY)
            zab_notify(zab, peer->id);
        else if (peer->member)
            ping_one(zab, peer);
    }
    zab_reads_advance(zab); /* a leader without followers has its quorum at once */
}

static uint64_t heard_of(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return zab->now;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL ? peer->heard_at : 0;
}

void zab_resign(struct replica *zab, const char *why) {
    cairn_assert(zab_leads(zab));
    outbox_trace(&zab->journal.out, 1, "gives up epoch %" PRIu64 ": %s", zab->accepted, why);
    zab_look(zab);
}

static void probe_silent(struct replica *zab) {
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        if (zab->now - zab->peers[i].heard_at > zab->options.election_timeout_max_ns)
            zab_peer_away(zab, &zab->peers[i]);
        if (zab->peers[i].stage >= ZAB_SYNCING)
            stream_tick(&zab->peers[i].stream, &zab->journal, zab->options.election_timeout_min_ns);
    }
}

static void watch_disk(struct replica *zab) {
    if (journal_disk_stalled(&zab->journal) && !zab->stall_handled) {
        zab->stall_handled = true;
        outbox_trace(&zab->journal.out, 2, "the disk is stalled: the leader hands over");
        zab_hand_over(zab);
    }
    if (zab_leads(zab) && journal_disk_late(&zab->journal) >
                              zab->options.disk_stall_ns + zab->options.election_timeout_max_ns)
        zab_resign(zab, "the disk is stalled");
}

void zab_leader_tick(struct replica *zab) {
    cairn_assert(zab_leads(zab));
    if (zab->phase == ZAB_DISCOVERY)
        zab_discovery_tick(zab);
    if (!zab_leads(zab))
        return;
    /* "If the leader does not receive heartbeats from a quorum of followers within a given
     * timeout, it abandons its leadership" (section IV). */
    uint64_t heard = quorum_reached(journal_config(&zab->journal), heard_of, zab);
    if (zab->phase != ZAB_DISCOVERY && zab->now - heard > zab->options.election_timeout_max_ns &&
        zab->options.mutant != MUTANT_DEAF_LEADER_STAYS) {
        zab_resign(zab, "no quorum answers");
        return;
    }
    watch_disk(zab);
    if (!zab_leads(zab) || zab->now < zab->ping_at)
        return;
    zab_room_tick(zab);
    if (!zab_leads(zab))
        return;
    probe_silent(zab);
    zab_ping(zab);
    if (rare_hit(zab->options.rare, RARE_ZAB_PING_LATE))
        zab->ping_at = zab->now + zab->options.election_timeout_min_ns / 4 * 3;
    zab_replicate_all(zab);
    if (rare_hit(zab->options.rare, RARE_ZAB_HAND_OVER))
        zab_hand_over(zab);
    if (zab_leads(zab) && rare_hit(zab->options.rare, RARE_ZAB_RESIGN))
        zab_resign(zab, "for once");
}

/* ---- answers ---- */

static struct zab_peer *in_session(struct replica *zab, const struct zab_message *message) {
    struct zab_peer *peer = zab_member(zab, message->from);
    if (peer == NULL || !zab_leads(zab) || peer->stage == ZAB_AWAY)
        return NULL;
    if (peer->nonce != message->nonce && zab->options.mutant != MUTANT_ZAB_STALE_ACK)
        return NULL;
    peer->heard_at = zab->now;
    bool promised = message->term == zab->accepted && zab->epoch_chosen;
    if (promised)
        zab_lease_heard(zab, peer, message);
    return peer;
}

void zab_on_pong(struct replica *zab, const struct zab_message *message) {
    struct zab_peer *peer = in_session(zab, message);
    if (peer == NULL || message->round > zab->ping_round)
        return;
    if (message->term == zab->accepted && message->round > peer->round)
        peer->round = message->round;
    zab_hear_wall(zab, peer, message);
    peer->no_room = message->flags & ZAB_FLAG_NO_ROOM;
    peer->room = message->more && !peer->no_room;
    zab_replicate(zab, peer);
    zab_reads_advance(zab);
}

void zab_on_ack(struct replica *zab, const struct zab_message *message) {
    if (message->term != zab->accepted)
        return;
    struct zab_peer *peer = in_session(zab, message);
    if (peer == NULL || peer->stage < ZAB_SYNCING)
        return;
    struct progress *progress = &peer->stream.progress;
    progress_answered(progress, message->sent_at, zab->now);
    if (message->flags & ZAB_FLAG_GAP) {
        progress_rejected(progress, message->last, message->index + 1);
    } else if (message->index > zab->journal.log.last) {
        outbox_trace(&zab->journal.out, 2, "%" PRIu64 " acknowledges what it was never proposed",
                     peer->id);
        return;
    } else {
        peer->stage = ZAB_SYNCED;
        if (progress_acked(progress, message->index)) {
            zab_sync_advance(zab);
            zab_maybe_commit(zab);
        }
    }
    if (!zab_leads(zab))
        return;
    zab_transfer_advance(zab);
    if (!zab_leads(zab))
        return;
    zab_replicate(zab, peer);
    zab_reads_advance(zab);
}

/* ---- committing ---- */

uint64_t zab_match_of(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return zab->options.mutant == MUTANT_OWN_COPY_EARLY ? zab->journal.log.last
                                                            : zab->journal.durable_index;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL && peer->member && peer->stage >= ZAB_SYNCING ? peer->stream.progress.match
                                                                      : 0;
}

/* The commit rule, broken on purpose. */
static uint64_t mutant_reached(const struct replica *zab) {
    const struct config *config = journal_config(&zab->journal);
    uint64_t values[CONFIG_MEMBERS_MAX];
    uint32_t count = 0, voters = 0;
    bool observers = zab->options.mutant == MUTANT_ZAB_OBSERVER_COUNTS;
    for (uint32_t i = 0; i < config->count; i++) {
        voters += config->members[i].voter;
        if (!observers && !config->members[i].voter)
            continue;
        uint64_t next = zab_match_of(zab, config->members[i].id);
        uint32_t at = count++;
        for (; at > 0 && values[at - 1] < next; at--)
            values[at] = values[at - 1];
        values[at] = next;
    }
    uint32_t needed = voters / 2 + 1;
    if (!observers && needed > 1)
        needed--;
    return count >= needed ? values[needed - 1] : 0;
}

uint64_t zab_reached(const struct replica *zab) {
    if (zab->options.mutant == MUTANT_ZAB_OBSERVER_COUNTS ||
        zab->options.mutant == MUTANT_ZAB_COMMIT_MINORITY)
        return mutant_reached(zab);
    return quorum_reached(journal_config_counting(&zab->journal), zab_match_of, zab);
}

void zab_maybe_commit(struct replica *zab) {
    if (!zab_established(zab))
        return;
    struct journal *journal = &zab->journal;
    uint64_t reached = zab_reached(zab);
    for (uint64_t index = journal->commit + 1; index <= reached; index++) {
        const struct entry *entry = log_entry(&journal->log, index);
        size_t size = entry != NULL ? entry->encoded.len : 0;
        zab->uncommitted_bytes -= size < zab->uncommitted_bytes ? size : zab->uncommitted_bytes;
    }
    if (journal_commit_to(journal, reached))
        zab_reads_advance(zab);
}

/* A follower that serves clients learns of a commit at once; the first is UPTODATE. */
void zab_commit_tell(struct replica *zab) {
    if (!zab_established(zab))
        return;
    uint64_t commit = zab->journal.commit;
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        struct zab_peer *peer = &zab->peers[i];
        if (!peer->member || peer->stage != ZAB_SYNCED || peer->commit_told >= commit ||
            (peer->untold && peer->active_told))
            continue;
        struct zab_message message = {.type = peer->active_told ? ZAB_COMMIT : ZAB_UPTODATE,
                                      .term = zab->accepted,
                                      .nonce = peer->nonce,
                                      .commit = commit};
        if (!peer->active_told && peer->stream.progress.match < zab->term_first)
            continue;
        peer->active_told = true;
        peer->commit_told = commit;
        zab_send(zab, peer->id, 0, &message, NULL, 0);
    }
}
