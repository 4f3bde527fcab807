#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>

/* ---- the leader's own entries ---- */

/* Appends one entry whose encoding goes to `at`, inside blob. */
static void place(struct replica *raft, enum entry_kind kind, struct bytes payload,
                  struct blob *blob, uint8_t *at) {
    cairn_assert(raft->role == ROLE_LEADER);
    struct entry entry =
        journal_place(&raft->journal, raft->term, raft->wall_ms, kind, payload, blob, at);
    raft->uncommitted_bytes += entry.encoded.len;
}

uint64_t raft_append_own(struct replica *raft, enum entry_kind kind, struct bytes payload) {
    struct blob *blob = blob_new(entry_size(payload.len));
    place(raft, kind, payload, blob, blob->data);
    blob_unref(blob);
    return raft->journal.log.last;
}

static enum cairn_status refusal(const struct replica *raft, const struct proposal *proposal,
                                 size_t uncommitted) {
    if (raft->role != ROLE_LEADER)
        return CAIRN_NOT_LEADER;
    size_t size = entry_size(proposal->command.len);
    if (size > raft->options.entry_bytes_max)
        return CAIRN_TOO_LARGE;
    if (raft->transferring) /* a moment later the next leader is there */
        return CAIRN_NOT_LEADER;
    if (raft->journal.full || (!proposal->needed && !raft_takes_commands(raft)))
        return CAIRN_NO_SPACE;
    if (uncommitted > 0 && uncommitted + size > raft->options.uncommitted_bytes_max)
        return CAIRN_BUSY;
    return CAIRN_OK;
}

/* One blob for all of a batch: encoded once, shared by log, disk, network and apply. */
void raft_on_propose(struct replica *raft, const struct proposal *items, size_t count) {
    enum cairn_status *status = outbox_scratch(&raft->journal.out, count * sizeof *status);
    size_t total = 0;
    for (size_t i = 0; i < count; i++) {
        status[i] = refusal(raft, &items[i], raft->uncommitted_bytes + total);
        if (status[i] == CAIRN_OK)
            total += entry_size(items[i].command.len);
    }
    struct blob *blob = total ? blob_new(total) : NULL;
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t index = 0;
        if (status[i] == CAIRN_OK) {
            place(raft, ENTRY_COMMAND, items[i].command, blob, blob->data + used);
            used += entry_size(items[i].command.len);
            index = raft->journal.log.last;
        }
        raft_outcome(raft, OUTCOME_PROPOSAL, items[i].tag, status[i], index);
    }
    if (blob == NULL)
        return;
    blob_unref(blob);
    /* The entries leave for the peers before they are durable here: section 10.2.1. */
    raft_persist(raft);
    raft_replicate_all(raft);
}

/* ---- sending ---- */

static void send_append(struct replica *raft, struct raft_peer *peer,
                        const struct stream_message *part) {
    struct raft_message message = {.type = RAFT_APPEND,
                                   .term = raft->term,
                                   .index = part->prev,
                                   .log_term = part->prev_term,
                                   .chain = part->prev_chain,
                                   .commit = raft->journal.commit,
                                   .sent_at = raft->now,
                                   .lease_ns = raft_lease_asked(raft)};
    raft_send(raft, peer->id, 0, &message, part->entries, part->count);
    peer->commit_told = message.commit;
}

static void proceed(struct replica *raft, struct raft_peer *peer, enum stream_step step,
                    struct stream_message *part) {
    for (; step == STREAM_MESSAGE; step = stream_next(&peer->stream, &raft->journal, part))
        send_append(raft, peer, part);
    if (step == STREAM_SNAPSHOT)
        raft_snapshot_send(raft, peer);
}

void raft_replicate(struct replica *raft, struct raft_peer *peer) {
    cairn_assert(raft->role == ROLE_LEADER);
    struct stream_message part;
    proceed(raft, peer, stream_next(&peer->stream, &raft->journal, &part), &part);
}

void raft_replicate_all(struct replica *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].member)
            raft_replicate(raft, &raft->peers[i]);
}

void raft_replication_loaded(struct replica *raft, struct raft_peer *peer, enum cairn_status status,
                             const struct entry *entries, size_t count) {
    peer->stream.load_tag = 0;
    if (raft->role != ROLE_LEADER || !peer->member)
        return;
    struct stream_message part;
    enum stream_step step =
        stream_loaded(&peer->stream, &raft->journal, status, entries, count, &part);
    proceed(raft, peer, step, &part);
}

/* ---- heartbeats ---- */

void raft_heartbeat_to(struct replica *raft, struct raft_peer *peer) {
    uint64_t match = peer->stream.progress.match;
    struct raft_message message = {
        .type = RAFT_HEARTBEAT,
        .term = raft->term,
        .commit = match < raft->journal.commit ? match : raft->journal.commit,
        .round = raft->round,
        .sent_at = raft->now,
        .lease_ns = raft_lease_asked(raft),
        .time_ms = stamps_tell(&raft->journal.stamps, raft->now, raft->wall_ms)};
    raft_send(raft, peer->id, 0, &message, NULL, 0);
}

void raft_heartbeat(struct replica *raft) {
    raft->round++;
    raft->heartbeat_at = raft->now + raft->options.heartbeat_ns;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].member)
            raft_heartbeat_to(raft, &raft->peers[i]);
    raft_reads_advance(raft); /* a leader without peers has its quorum at once */
}

static uint64_t heard_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return raft->now;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].heard_at;
    return 0;
}

void raft_leader_tick(struct replica *raft) {
    cairn_assert(raft->role == ROLE_LEADER);
    /* Dissertation 6.2: a leader steps down when it cannot reach a majority. */
    uint64_t heard = quorum_reached(journal_config(&raft->journal), heard_of, raft);
    if (raft->now - heard > raft->options.election_timeout_max_ns &&
        raft->options.mutant != MUTANT_DEAF_LEADER_STAYS) {
        outbox_trace(&raft->journal.out, 1, "no quorum: the leader steps down");
        raft_become_follower(raft, raft->term, 0);
        return;
    }
    if (journal_disk_stalled(&raft->journal) && !raft->stall_handled) {
        raft->stall_handled = true;
        outbox_trace(&raft->journal.out, 2, "the disk is stalled: the leader hands over");
        raft_hand_over(raft);
    }
    if (journal_disk_late(&raft->journal) >
        raft->options.disk_stall_ns + raft->options.election_timeout_max_ns) {
        raft_become_follower(raft, raft->term, 0);
        return;
    }
    if (raft->now < raft->heartbeat_at)
        return;
    raft_room_tick(raft);
    if (raft->role != ROLE_LEADER)
        return;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        stream_tick(&raft->peers[i].stream, &raft->journal, raft->options.election_timeout_min_ns);
    raft_heartbeat(raft);
    if (rare_hit(raft->options.rare, RARE_RAFT_HEARTBEAT_LATE))
        raft->heartbeat_at = raft->now + raft->options.election_timeout_min_ns / 4 * 3;
    raft_replicate_all(raft);
    if (rare_hit(raft->options.rare, RARE_RAFT_HAND_OVER))
        raft_hand_over(raft);
}

static void heard(struct replica *raft, struct raft_peer *peer, const struct raft_message *answer) {
    peer->heard_at = raft->now;
    peer->no_room = answer->flags & RAFT_FLAG_NO_ROOM;
    peer->room = answer->more && !peer->no_room;
    raft_lease_heard(raft, peer, answer);
}

void raft_on_heartbeat_answer(struct replica *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_member(raft, message->from);
    if (peer == NULL || raft->role != ROLE_LEADER || message->round > raft->round)
        return;
    heard(raft, peer, message);
    raft_hear_wall(raft, peer, message);
    if (message->round > peer->round)
        peer->round = message->round;
    struct progress *progress = &peer->stream.progress;
    if (raft->options.mutant == MUTANT_HEARTBEAT_ACKNOWLEDGES && message->index > progress->match &&
        message->index <= raft->journal.log.last) {
        progress_acked(progress, message->index);
        raft_maybe_commit(raft);
    }
    bool forgot =
        message->flags & RAFT_FLAG_FORGOT && raft->options.mutant != MUTANT_FORGOT_IGNORED;
    if (forgot && message->index < progress->match)
        progress_reset(progress, message->index + 1);
    /* It restarted and does not know yet that its log matches: tell it. */
    if (progress->state == PROGRESS_REPLICATE && message->index < progress->match &&
        progress->count == 0) {
        uint64_t term, chain;
        if (log_term(&raft->journal.log, progress->match, &term) &&
            log_chain(&raft->journal.log, progress->match, &chain)) {
            struct raft_message probe = {.type = RAFT_APPEND,
                                         .term = raft->term,
                                         .index = progress->match,
                                         .log_term = term,
                                         .chain = chain,
                                         .commit = raft->journal.commit,
                                         .sent_at = raft->now,
                                         .lease_ns = raft_lease_asked(raft)};
            raft_send(raft, peer->id, 0, &probe, NULL, 0);
        } else {
            progress_probe(progress);
        }
    }
    raft_replicate(raft, peer);
    raft_reads_advance(raft);
}

/* Where to go on after a mismatch: a whole term of the follower's or of ours is skipped at once
 * (section 5.3, the optimisation at its end). */
static uint64_t next_after_conflict(const struct replica *raft, const struct raft_message *answer) {
    if (answer->conflict_term == 0)
        return answer->last + 1;
    uint64_t at = log_find_term(&raft->journal.log, answer->index, answer->conflict_term), term;
    if (log_term(&raft->journal.log, at, &term) && term == answer->conflict_term &&
        at >= answer->first)
        return at + 1;
    return answer->first > 0 ? answer->first : 1;
}

void raft_on_append_answer(struct replica *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_member(raft, message->from);
    if (peer == NULL || raft->role != ROLE_LEADER)
        return;
    heard(raft, peer, message);
    struct progress *progress = &peer->stream.progress;
    progress_answered(progress, message->sent_at, raft->now);
    if (message->flags & RAFT_FLAG_YES) {
        if (message->index > raft->journal.log.last) {
            outbox_trace(&raft->journal.out, 2,
                         "peer %" PRIu64 " acknowledges what it was never sent", peer->id);
            return;
        }
        /* A follower whose disk is full took nothing: it is tried again with the heartbeats. */
        if (peer->no_room && message->index <= progress->match) {
            raft_reads_advance(raft);
            return;
        }
        bool news = progress_acked(progress, message->index);
        if (news)
            raft_maybe_commit(raft);
        if (raft->role != ROLE_LEADER)
            return;
        raft_transfer_advance(raft, peer);
    } else {
        bool forgot =
            message->flags & RAFT_FLAG_FORGOT && raft->options.mutant != MUTANT_FORGOT_IGNORED;
        if (forgot && message->last < progress->match)
            progress_reset(progress, message->last + 1);
        else
            progress_rejected(progress, message->index, next_after_conflict(raft, message));
    }
    raft_replicate(raft, peer);
    raft_reads_advance(raft);
}

/* ---- following ---- */

static void reply(struct replica *raft, const struct raft_message *append, bool yes,
                  uint64_t index) {
    /* The term and the promise that it tells, whatever it says of entries. */
    if (raft->options.mutant != MUTANT_TERM_TOLD_EARLY)
        raft_persist(raft);
    struct raft_message answer = {.type = RAFT_APPEND_ANSWER,
                                  .term = raft->term,
                                  .index = index,
                                  .last = raft->journal.log.last,
                                  .sent_at = append->sent_at,
                                  .lease_ns = raft->promise.asked_ns};
    answer.flags = (yes ? RAFT_FLAG_YES : 0) | raft_answer_flags(raft);
    uint64_t after = raft->journal.hard_seq;
    if (yes && raft->options.mutant != MUTANT_ACK_BEFORE_SYNC)
        after = journal_told_after(&raft->journal, index);
    uint64_t term = 0;
    if (!yes && index <= raft->journal.log.last && log_term(&raft->journal.log, index, &term)) {
        answer.conflict_term = term;
        answer.first = log_run_first(&raft->journal.log, index);
        if (answer.first <= raft->journal.commit)
            answer.first = raft->journal.commit + 1;
    }
    raft_send(raft, append->from, after, &answer, NULL, 0);
}

/* Nothing can be taken, but the leader is followed all the same: without this it would think that
 * it lost its majority when the disks of a majority are full, and no client could read. What is
 * committed and on our disk is surely the leader's too. */
static void reply_full(struct replica *raft, const struct raft_message *append) {
    uint64_t index = raft->journal.commit < raft->journal.durable_index
                         ? raft->journal.commit
                         : raft->journal.durable_index;
    struct raft_message answer = {.type = RAFT_APPEND_ANSWER,
                                  .term = raft->term,
                                  .flags = RAFT_FLAG_YES | raft_answer_flags(raft),
                                  .index = index,
                                  .last = raft->journal.log.last,
                                  .sent_at = append->sent_at,
                                  .lease_ns = raft->promise.asked_ns};
    raft_send(raft, append->from, raft->journal.hard_seq, &answer, NULL, 0);
}

/* The leader's history is not this one's, though it can be no other: told once, and by the status.
 */
static void contradicts(struct replica *raft, const char *how, uint64_t index) {
    if (!raft->diverged)
        outbox_trace(&raft->journal.out, 2, "%s at %" PRIu64, how, index);
    raft->diverged = true;
}

/* True when our log holds the leader's entry before the new ones; else it was answered. */
static bool prev_matches(struct replica *raft, const struct raft_message *append) {
    uint64_t term, chain;
    if (append->index <= raft->journal.commit)
        return true; /* committed entries are the leader's too (section 5.4) */
    if (raft->options.mutant == MUTANT_MATCH_BY_DURABLE &&
        append->index <= raft->journal.durable_index)
        return true;
    if (raft->options.mutant == MUTANT_NO_LOG_MATCH && append->index <= raft->journal.log.last)
        return true;
    if (append->index > raft->journal.log.last ||
        !log_term(&raft->journal.log, append->index, &term) || term != append->log_term) {
        reply(raft, append, false, append->index);
        return false;
    }
    if (log_chain(&raft->journal.log, append->index, &chain) && chain != append->chain) {
        contradicts(raft, "log differs from the leader's, though terms agree,", append->index);
        return false;
    }
    return true;
}

static bool chains_hold(const struct raft_message *append) {
    uint64_t chain = append->chain;
    for (uint32_t i = 0; i < append->count; i++) {
        if (!entry_chain_holds(&append->entries[i], chain))
            return false;
        chain = append->entries[i].chain;
    }
    return true;
}

/* How many of the entries are in our log already. False: one contradicts what must not change. */
static bool count_known(struct replica *raft, const struct raft_message *append, uint32_t *known) {
    for (*known = 0; *known < append->count; (*known)++) {
        const struct entry *entry = &append->entries[*known];
        uint64_t term, chain;
        if (entry->index > raft->journal.log.last)
            break;
        if (!log_term(&raft->journal.log, entry->index, &term)) {
            if (entry->index <= raft->journal.commit)
                continue; /* trimmed */
            break;
        }
        if (term != entry->term) {
            if (entry->index <= raft->journal.commit) {
                contradicts(raft, "refused to cut a committed entry", entry->index);
                return false;
            }
            break;
        }
        if (log_chain(&raft->journal.log, entry->index, &chain) && chain != entry->chain) {
            contradicts(raft, "an entry differs from the leader's, though terms agree,",
                        entry->index);
            return false;
        }
    }
    if (raft->options.mutant == MUTANT_TRUNCATE_ALWAYS && *known == append->count &&
        append->index + append->count > raft->journal.commit)
        *known = append->count ? append->count - 1 : 0;
    return true;
}

static void cut(struct replica *raft, uint64_t index) {
    journal_cut(&raft->journal, index);
    raft_config_changed(raft);
}

static void take(struct replica *raft, struct raft_message *append, uint32_t known,
                 struct blob *frame) {
    uint64_t first = append->index + known + 1;
    if (first <= raft->journal.log.last)
        journal_cut(&raft->journal, first);
    uint64_t chain = known ? append->entries[known - 1].chain : append->chain;
    journal_take(&raft->journal, append->entries + known, append->count - known, chain, frame);
    raft_config_changed(raft);
}

/* A full disk takes no commands, nor what follows those that it did not take. */
static bool may_take(const struct replica *raft, const struct raft_message *append) {
    const struct journal *journal = &raft->journal;
    return journal_may_take(journal, append->entries, append->count) &&
           (!journal->full || append->index <= journal->log.last);
}

/* A lost hard state may have named a later term than that of the leader here: a vote in it
 * promised that this replica acknowledges no earlier leader's entries and rounds any more. So there
 * is no word for any leader until the terms of all other voters are known (raft_repair.c). */
static bool may_promise(const struct replica *raft) {
    return !raft->amnesia || raft->options.mutant == MUTANT_AMNESIA_ACKNOWLEDGES;
}

void raft_on_append(struct replica *raft, struct raft_message *append, struct blob *frame) {
    raft_heard_leader(raft, append->from, append);
    if (!may_promise(raft))
        return;
    /* A damaged log is mended first (raft_repair.c); a snapshot being installed takes nothing now,
     * and a full disk no commands. Silence makes the leader try again. */
    if (raft->installing || raft_damaged(raft) || !may_take(raft, append)) {
        raft_persist(raft);
        if (raft->journal.full && !raft->installing && !raft_damaged(raft))
            reply_full(raft, append);
        return;
    }
    if (!chains_hold(append)) {
        outbox_trace(&raft->journal.out, 2, "append from %" PRIu64 " at %" PRIu64 ": chain broken",
                     append->from, append->index);
        return;
    }
    uint32_t known;
    if (!prev_matches(raft, append) || !count_known(raft, append, &known)) {
        raft_persist(raft);
        return;
    }
    if (known < append->count) {
        uint64_t chain, first = append->index + known + 1;
        uint64_t expected = known ? append->entries[known - 1].chain : append->chain;
        if (log_chain(&raft->journal.log, first - 1, &chain) && chain != expected &&
            raft->options.mutant == MUTANT_NONE) {
            contradicts(raft, "an append does not continue this log", first);
            return;
        }
        take(raft, append, known, frame);
    } else if (raft->options.mutant == MUTANT_TRUNCATE_ALWAYS &&
               append->index + append->count < raft->journal.log.last &&
               append->index + append->count >= raft->journal.commit) {
        cut(raft, append->index + append->count + 1);
    }
    raft->diverged = false;
    log_know_chain(&raft->journal.log, append->index, append->chain);
    raft_persist(raft);
    uint64_t match = append->index + append->count;
    if (match < raft->journal.commit)
        match = raft->journal.commit;
    if (raft->options.mutant == MUTANT_APPEND_ANSWERS_LAST)
        match = raft->journal.log.last;
    if (match > raft->verified)
        raft->verified = match;
    if (journal_waits(&raft->journal, match))
        reply_full(raft, append);
    else
        reply(raft, append, true, match);
    raft_commit_follow(raft, append->commit);
    raft_mend_advance(raft);
}

void raft_on_heartbeat(struct replica *raft, const struct raft_message *message) {
    raft_heard_leader(raft, message->from, message);
    stamps_hear(&raft->journal.stamps, raft->term, message->more ? message->time_ms : 0, raft->now);
    if (!may_promise(raft))
        return;
    raft_notice_forgotten(raft, message->commit);
    raft_persist(raft);
    raft_commit_follow(raft, message->commit);
    struct raft_message answer = {.type = RAFT_HEARTBEAT_ANSWER,
                                  .term = raft->term,
                                  .flags = raft_answer_flags(raft),
                                  .index = raft->verified,
                                  .round = message->round,
                                  .sent_at = message->sent_at,
                                  .lease_ns = raft->promise.asked_ns,
                                  .wall_ms = raft->own_wall_ms};
    raft_send(raft, message->from, raft->journal.hard_seq, &answer, NULL, 0);
    raft_mend_advance(raft);
}
