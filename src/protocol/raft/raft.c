#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>

struct effect *raft_outcome(struct replica *raft, enum outcome_of of, uint64_t tag,
                            enum cairn_status status, uint64_t index) {
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_OUTCOME);
    effect->outcome.of = of;
    effect->outcome.tag = tag;
    effect->outcome.status = status;
    effect->outcome.index = index;
    effect->outcome.term = raft->term;
    effect->outcome.leader = raft->leader;
    effect->outcome.member = 0;
    return effect;
}

/* ---- life ---- */

static struct replica *create(const struct replica_options *options) {
    cairn_assert(options->id > 0 && options->election_timeout_min_ns > 0);
    cairn_assert(options->election_timeout_max_ns >= options->election_timeout_min_ns);
    cairn_assert(options->heartbeat_ns > 0);
    cairn_assert(options->heartbeat_ns < options->election_timeout_min_ns);
    cairn_assert(options->inflight_max > 0 && options->append_bytes_max > 0);
    struct replica *raft = cairn_alloc_zero(sizeof *raft);
    raft->options = *options;
    prng_seed(&raft->prng, prng_mix(prng_mix(options->seed, options->group), options->id));
    raft->role = ROLE_FOLLOWER;
    uint64_t least = options->election_timeout_min_ns, most = options->election_timeout_max_ns;
    raft->election_timeout_max_ns =
        rare_limit(options->rare, RARE_RAFT_ELECTION_EARLY, least + (most - least) / 4, most);
    journal_open(&raft->journal, &raft->options);
    raft->reads.out = &raft->journal.out;
    raft->reads.few = rare_hit(options->rare, RARE_READS_FEW);
    raft->reads.joins = options->mutant == MUTANT_READ_JOINS_QUESTION;
    raft_config_changed(raft);
    return raft;
}

static void destroy(struct replica *raft) {
    raft_holes_drop(raft);
    reads_free(&raft->reads);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        stream_free(&raft->peers[i].stream);
    cairn_free(raft->fill);
    buf_free(&raft->install_state);
    journal_free(&raft->journal);
    cairn_free(raft);
}

static struct effects finish(struct replica *raft) {
    if (!raft->journal.failed) {
        raft_member_advance(raft);
        if (!raft->installing)
            journal_apply(&raft->journal);
        raft_persist(raft);
    }
    raft_reads_flush(raft);
    struct journal *journal = &raft->journal;
    uint64_t durable = journal->durable_index;
    log_evict(&journal->log, journal->applied < durable ? journal->applied : durable);
    raft_check(raft);
    return (struct effects){journal->out.effects, journal->out.effect_count,
                            journal->out.malformed};
}

static struct effects start(struct replica *raft, uint64_t now, uint64_t wall_ms) {
    outbox_begin(&raft->journal.out); /* what recovery emitted is stale */
    raft->now = raft->journal.now = now;
    raft->wall_ms = raft->own_wall_ms = wall_ms;
    /* Ids and nonces of another life of this replica must not be mistaken for this one's. */
    prng_seed(&raft->prng, prng_mix(prng_next(&raft->prng), prng_mix(now, wall_ms)));
    raft->reads.ids = prng_next(&raft->prng) >> 8;
    raft->repair_nonce = prng_next(&raft->prng);
    raft_recover_finish(raft);
    bool forgets = raft->options.mutant == MUTANT_PROMISE_FORGOTTEN_AT_START;
    lease_promise_start(&raft->promise, forgets ? 0 : raft->promise.length_ns, now);
    raft_election_reset(raft);
    raft_config_changed(raft);
    journal_config_tell(&raft->journal);
    raft_role_tell(raft);
    raft_repair_tick(raft);
    return finish(raft);
}

/* ---- messages ---- */

static bool from_a_leader(enum raft_message_type type) {
    return type == RAFT_APPEND || type == RAFT_HEARTBEAT || type == RAFT_COMMIT;
}

static bool is_answer(enum raft_message_type type) {
    return type == RAFT_VOTE_ANSWER || type == RAFT_APPEND_ANSWER || type == RAFT_HEARTBEAT_ANSWER;
}

/* Section 5.1: a stale leader or candidate learns the newer term, stale answers are dropped. */
static void answer_stale(struct replica *raft, const struct raft_message *message) {
    if (!from_a_leader(message->type) || raft->options.mutant == MUTANT_STALE_LEADER_NOT_TOLD)
        return;
    struct raft_message answer = {.type = RAFT_HEARTBEAT_ANSWER, .term = raft->term};
    raft_send(raft, message->from, raft->journal.hard_seq, &answer, NULL, 0);
}

/* True when the message's term is (now) ours and it should be handled. */
static bool same_term(struct replica *raft, const struct raft_message *message) {
    bool from_leader = from_a_leader(message->type);
    if (message->term > raft->term) {
        /* What is not a member may not depose a leader. */
        if (!from_leader && !journal_is_member(&raft->journal, message->from))
            return false;
        raft_become_follower(raft, message->term, from_leader ? message->from : 0);
    } else if (message->term < raft->term) {
        answer_stale(raft, message);
        return message->type == RAFT_READ_INDEX;
    }
    if (from_leader && raft->leader != 0 && raft->leader != message->from) {
        outbox_trace(&raft->journal.out, 2,
                     "%" PRIu64 " claims to lead term %" PRIu64 ", which %" PRIu64 " leads",
                     message->from, raft->term, raft->leader);
        return false;
    }
    return true;
}

static void dispatch(struct replica *raft, struct raft_message *message, struct blob *frame) {
    switch (message->type) {
    case RAFT_VOTE_REQUEST:
        raft_on_vote_request(raft, message);
        return;
    case RAFT_REPAIR_FETCH:
        raft_on_repair_fetch(raft, message);
        return;
    case RAFT_REPAIR_ENTRIES:
        raft_on_repair_entries(raft, message, frame);
        return;
    case RAFT_VOTE_ANSWER:
        if (message->flags & RAFT_FLAG_PRE && message->flags & RAFT_FLAG_YES) {
            raft_on_vote_answer(raft, message);
            return;
        }
        break;
    default:
        break;
    }
    if (!same_term(raft, message))
        return;
    switch (message->type) {
    case RAFT_VOTE_ANSWER:
        raft_on_vote_answer(raft, message);
        break;
    case RAFT_APPEND:
        raft_on_append(raft, message, frame);
        break;
    case RAFT_APPEND_ANSWER:
        raft_on_append_answer(raft, message);
        break;
    case RAFT_HEARTBEAT:
        raft_on_heartbeat(raft, message);
        break;
    case RAFT_HEARTBEAT_ANSWER:
        raft_on_heartbeat_answer(raft, message);
        break;
    case RAFT_READ_INDEX:
        raft_on_read_index(raft, message);
        break;
    case RAFT_READ_INDEX_ANSWER:
        raft_on_read_index_answer(raft, message);
        break;
    case RAFT_COMMIT:
        raft_on_commit(raft, message);
        break;
    case RAFT_TIMEOUT_NOW:
        raft_on_timeout_now(raft, message);
        break;
    default:
        break;
    }
}

bool raft_takes_term(const struct replica *raft, uint64_t term) {
    if (raft->options.mutant == MUTANT_TERM_GUARD_RELATIVE)
        return term <= raft->term + (1ull << 40);
    return term_is_possible(term, raft->term, raft->own_wall_ms);
}

static void on_message(struct replica *raft, uint64_t from, struct blob *frame, struct bytes body) {
    struct raft_message message;
    enum cairn_status status = raft_message_decode(body, &message, NULL, 0);
    if (status == CAIRN_OK && message.count > 0) {
        uint32_t count = message.count;
        struct entry *entries = outbox_scratch(&raft->journal.out, count * sizeof *entries);
        status = raft_message_decode(body, &message, entries, count);
    }
    message.from = from;
    if (status != CAIRN_OK || from == 0 || from == raft->options.id) {
        raft->journal.out.malformed = true;
        return;
    }
    if (!raft_takes_term(raft, message.term)) {
        raft->term_refused_until = raft->now + TERM_REFUSED_NS;
        outbox_trace(&raft->journal.out, 2,
                     "message from %" PRIu64 " with impossible term %" PRIu64 " dropped", from,
                     message.term);
        return;
    }
    if (is_answer(message.type) && !journal_counts(&raft->journal, from, message.incarnation))
        return;
    dispatch(raft, &message, frame);
}

/* ---- events ---- */

static void apply_loaded(struct replica *raft, enum cairn_status status,
                         const struct entry *entries, size_t count) {
    raft->journal.apply_tag = 0;
    if (!raft->installing)
        journal_apply_loaded(&raft->journal, status, entries, count);
}

static void on_loaded(struct replica *raft, const struct event *event) {
    uint64_t tag = event->loaded.tag;
    const struct entry *entries = event->loaded.entries;
    size_t count = event->loaded.count;
    if (tag == 0)
        return;
    if (tag == raft->journal.apply_tag) {
        apply_loaded(raft, event->loaded.status, entries, count);
        return;
    }
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        if (peer->stream.load_tag == tag)
            raft_replication_loaded(raft, peer, event->loaded.status, entries, count);
        else if (peer->fetch_tag == tag)
            raft_repair_loaded(raft, peer, event->loaded.status, entries, count);
    }
}

static void on_tick(struct replica *raft) {
    raft_persist_tick(raft);
    raft_repair_tick(raft);
    raft_transfer_tick(raft);
    raft_reads_tick(raft);
    if (raft->role == ROLE_LEADER)
        raft_leader_tick(raft);
    else
        raft_election_tick(raft);
}

/* A failed replica promises and proposes nothing any more, and answers what must be answered. */
static void step_failed(struct replica *raft, const struct event *event) {
    switch (event->kind) {
    case EVENT_PROPOSE:
        raft_on_propose(raft, event->propose.items, event->propose.count);
        break;
    case EVENT_READ:
        raft_on_read(raft, event->read.tag);
        break;
    case EVENT_CONFIGURE:
        raft_outcome(raft, OUTCOME_CHANGE, event->configure.tag, CAIRN_NOT_LEADER, 0);
        break;
    case EVENT_TRANSFER:
        raft_outcome(raft, OUTCOME_TRANSFER, event->transfer.tag, CAIRN_NOT_LEADER, 0);
        break;
    case EVENT_APPLIED:
        journal_applied(&raft->journal, event->applied.index);
        break;
    case EVENT_TICK:
        raft_transfer_tick(raft);
        raft_reads_tick(raft);
        break;
    default:
        break;
    }
}

static void step_event(struct replica *raft, const struct event *event) {
    switch (event->kind) {
    case EVENT_TICK:
        on_tick(raft);
        break;
    case EVENT_MESSAGE:
        on_message(raft, event->message.from, event->message.frame, event->message.body);
        break;
    case EVENT_PROPOSE:
        raft_on_propose(raft, event->propose.items, event->propose.count);
        break;
    case EVENT_READ:
        raft_on_read(raft, event->read.tag);
        break;
    case EVENT_PERSISTED:
        raft_on_persisted(raft, event->persisted.seq);
        break;
    case EVENT_PERSIST_FAILED:
        raft_on_persist_failed(raft, event->persisted.seq, event->persisted.status);
        break;
    case EVENT_LOADED:
        on_loaded(raft, event);
        break;
    case EVENT_UNREADABLE:
        raft_on_unreadable(raft, event->unreadable.first, event->unreadable.last);
        break;
    case EVENT_APPLIED:
        journal_applied(&raft->journal, event->applied.index);
        break;
    case EVENT_COMPACTED:
        raft_on_compacted(raft, &event->compacted.base, event->compacted.trim);
        break;
    case EVENT_SNAPSHOT_PROGRESS:
        raft_on_snapshot_progress(raft, event->snapshot_progress.to,
                                  event->snapshot_progress.bytes);
        break;
    case EVENT_SNAPSHOT_SENT:
        raft_on_snapshot_sent(raft, event->snapshot_sent.to, event->snapshot_sent.index,
                              event->snapshot_sent.status);
        break;
    case EVENT_SNAPSHOT_OFFERED:
        raft_on_snapshot_offered(raft, event->snapshot.from, event->snapshot.term,
                                 &event->snapshot.base);
        break;
    case EVENT_SNAPSHOT_RECEIVED:
        raft_on_snapshot_received(raft, event->snapshot.from, event->snapshot.term,
                                  &event->snapshot.base);
        break;
    case EVENT_SNAPSHOT_INSTALLED:
        raft_on_snapshot_installed(raft, event->snapshot_installed.index,
                                   event->snapshot_installed.status);
        break;
    case EVENT_PEER_UP:
        raft_on_peer_up(raft, event->peer.id, event->peer.incarnation, event->peer.wire_version);
        break;
    case EVENT_PEER_DOWN:
        raft_on_peer_down(raft, event->peer.id);
        break;
    case EVENT_CONFIGURE:
        raft_on_configure(raft, event->configure.tag, &event->configure.change);
        break;
    case EVENT_TRANSFER:
        raft_on_transfer(raft, event->transfer.tag, event->transfer.to);
        break;
    case EVENT_AWAITED:
        raft_on_awaited(raft, event->peer.id);
        break;
    case EVENT_ROOM:
        journal_room(&raft->journal, event->room.there);
        break;
    case EVENT_FOUNDERS:
        raft_on_founders(raft, event->founders.met, event->founders.founds);
        break;
    default:
        cairn_fatal("raft: an event of unknown kind %d", (int)event->kind);
    }
}

static struct effects step(struct replica *raft, const struct event *event) {
    outbox_begin(&raft->journal.out);
    if (event->now > raft->now)
        raft->now = raft->journal.now = event->now;
    raft->own_wall_ms = event->wall_ms;
    raft->wall_ms = raft_wall_ms(raft, raft->now, event->wall_ms);
    if (raft->journal.failed)
        step_failed(raft, event);
    else
        step_event(raft, event);
    return finish(raft);
}

/* ---- queries ---- */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t deadline(const struct replica *raft) {
    uint64_t at = UINT64_MAX;
    if (raft->transferring || raft->transfer_told)
        at = raft->transfer_deadline;
    if (raft->reads.request != 0)
        at = earlier(at, raft->reads.request_deadline);
    if (raft->journal.failed)
        return at;
    if (raft->journal.full)
        at = earlier(at, raft->journal.full_retry_at);
    if (raft_damaged(raft) || raft->amnesia || raft->mending || raft->lost_from != 0)
        at = earlier(at, raft->repair_at);
    at = earlier(at, journal_apply_retry_at(&raft->journal));
    if (raft->role == ROLE_LEADER)
        return earlier(at, raft->heartbeat_at);
    if (raft->role == ROLE_PRE_CANDIDATE && raft->campaign_at != 0)
        at = earlier(at, raft->campaign_at);
    bool listens = raft->role != ROLE_FOLLOWER || raft->leader != 0 || raft_may_campaign(raft);
    return listens ? earlier(at, raft->election_at) : at;
}

static uint64_t time_ms(const struct replica *raft, uint64_t now, uint64_t wall_ms) {
    return stamps_time_ms(&raft->journal.stamps, now, raft_wall_ms(raft, now, wall_ms));
}

static void status(const struct replica *raft, struct replica_status *out) {
    uint64_t lease_end = raft_lease_end(raft);
    *out = (struct replica_status){
        .role = raft->role,
        .term = raft->term,
        .vote = raft->vote == RAFT_NO_CANDIDATE ? 0 : raft->vote,
        .leader = raft->leader,
        .first_index = raft->journal.log.before_index + 1,
        .last_index = raft->journal.log.last,
        .last_term = log_last_term(&raft->journal.log),
        .durable_index = raft->journal.durable_index,
        .commit_index = raft->journal.commit,
        .applied_index = raft->journal.applied,
        .lease_left_ns = lease_end > raft->now ? lease_end - raft->now : 0,
        .lease_end_ns = lease_end,
        .term_refused = raft->now < raft->term_refused_until,
        .diverged = raft->diverged,
        .failed = raft->journal.failed,
        .damaged = raft_damaged(raft) || raft->mending || raft->amnesia || raft->lost_from != 0,
        .unreadable = raft->journal.unreadable,
        .config_committed = journal_config_index(&raft->journal) <= raft->journal.commit,
        .memory_bytes = raft->journal.log.window_bytes,
    };
    if (raft->lost_from != 0) {
        out->damaged_first = out->damaged_last = raft->lost_from;
    } else if (raft_damaged(raft)) {
        out->damaged_first = raft->holes[0].first;
        out->damaged_last = raft->holes[0].last;
    } else if (raft->mending) {
        out->damaged_first = raft->damage_first;
        out->damaged_last = raft->damage_last;
    }
    if (journal_config(&raft->journal) != NULL)
        out->config = *journal_config(&raft->journal);
    for (uint32_t i = 0; i < raft->peer_count && raft->role == ROLE_LEADER; i++) {
        const struct raft_peer *peer = &raft->peers[i];
        if (!peer->member || out->peer_count == CONFIG_MEMBERS_MAX)
            continue;
        uint32_t at = out->peer_count++;
        out->peers[at].id = peer->id;
        out->peers[at].match_index = peer->stream.progress.match;
        out->peers[at].next_index = peer->stream.progress.next;
        out->peers[at].inflight = peer->stream.progress.count;
        out->peers[at].snapshotting = peer->stream.progress.state == PROGRESS_SNAPSHOT;
        out->peers[at].active = raft->now - peer->heard_at < raft->options.election_timeout_max_ns;
    }
}

static void snapshot_base(const struct replica *raft, struct log_base *base, struct buf *state) {
    journal_snapshot_base(&raft->journal, base, state);
}

static bool chain_at(const struct replica *raft, uint64_t index, uint64_t *chain) {
    return log_chain(&raft->journal.log, index, chain);
}

/* An answer that was not asked for: what it says besides its term means nothing. */
static void say_term(uint64_t term, uint64_t incarnation, struct buf *out) {
    struct raft_message message = {
        .type = RAFT_READ_INDEX_ANSWER, .term = term, .incarnation = incarnation};
    size_t size = raft_message_size(&message);
    raft_message_encode(&message, buf_reserve(out, size));
    out->len += size;
}

const struct protocol protocol_raft = {
    .name = "raft",
    .view = &raft_view,
    .create = create,
    .destroy = destroy,
    .recover_hard = raft_recover_hard,
    .recover_base = raft_recover_base,
    .recover_entry = raft_recover_entry,
    .recover_damage = raft_recover_damage,
    .recover_hard_lost = raft_recover_hard_lost,
    .recover_replaced = raft_recover_replaced,
    .start = start,
    .step = step,
    .deadline = deadline,
    .snapshot_base = snapshot_base,
    .time_ms = time_ms,
    .status = status,
    .chain_at = chain_at,
    .say_term = say_term,
};
