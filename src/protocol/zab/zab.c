#include "protocol/zab/zab_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>

#define UNFIT_DIVERGED 10u /* a snapshot on its way explains one or two */

#define HARD_VERSION 2u /* 1 had no promise */
#define HARD_BYTES 26u
enum { HARD_MENDING = 1, HARD_AMNESIA = 2 };

/* ---- what the outside sees ---- */

struct effect *zab_outcome(struct replica *zab, enum outcome_of of, uint64_t tag,
                           enum cairn_status status, uint64_t index) {
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_OUTCOME);
    effect->outcome.of = of;
    effect->outcome.tag = tag;
    effect->outcome.status = status;
    effect->outcome.index = index;
    effect->outcome.term = zab->accepted;
    effect->outcome.leader = zab->active ? zab->leader : 0;
    effect->outcome.member = 0;
    return effect;
}

bool zab_leads(const struct replica *zab) {
    return zab->leader == zab->options.id;
}

bool zab_established(const struct replica *zab) {
    return zab_leads(zab) && zab->phase == ZAB_BROADCAST;
}

enum role zab_role(const struct replica *zab) {
    if (zab_leads(zab))
        return zab->phase == ZAB_BROADCAST ? ROLE_LEADER : ROLE_CANDIDATE;
    return zab->phase == ZAB_ELECTION && zab_may_lead(zab) ? ROLE_PRE_CANDIDATE : ROLE_FOLLOWER;
}

/* A leader that is not established yet is none to those that have requests. */
void zab_role_tell(struct replica *zab) {
    enum role role = zab_role(zab);
    uint64_t leader = zab->active ? zab->leader : 0;
    if (zab->told_role == role && zab->told_term == zab->accepted && zab->told_leader == leader)
        return;
    zab->told_role = role;
    zab->told_term = zab->accepted;
    zab->told_leader = leader;
    struct effect *effect = outbox_emit(&zab->journal.out, EFFECT_ROLE);
    effect->role.role = role;
    effect->role.term = zab->accepted;
    effect->role.leader = leader;
}

/* ---- hard state ---- */

void zab_hard_encode(const struct replica *zab, struct buf *out) {
    bool mending = zab->mending && zab->options.mutant != MUTANT_MENDING_FORGOTTEN;
    buf_u8(out, HARD_VERSION);
    buf_u8(out, (uint8_t)((mending ? HARD_MENDING : 0) | (zab->amnesia ? HARD_AMNESIA : 0)));
    buf_u64(out, zab->accepted);
    buf_u64(out, zab->accepted_from);
    buf_u64(out, zab->promise.length_ns);
}

enum cairn_status zab_hard_decode(struct replica *zab, struct bytes hard) {
    struct reader reader = reader_of(hard);
    uint8_t version = read_u8(&reader);
    uint8_t flags = read_u8(&reader);
    uint64_t accepted = read_u64(&reader);
    uint64_t from = read_u64(&reader);
    if (version == 0 || version > HARD_VERSION)
        return CAIRN_WRONG_VERSION;
    uint64_t promise = version >= 2 ? read_u64(&reader) : zab->options.election_timeout_min_ns;
    if (!reader_done(&reader) || accepted > ZAB_NUMBER_MAX ||
        flags > (HARD_MENDING | HARD_AMNESIA) || promise > ZAB_NUMBER_MAX)
        return CAIRN_MALFORMED;
    zab->promise.length_ns = promise;
    zab->accepted = accepted;
    zab->accepted_from = from;
    zab->mending = flags & HARD_MENDING;
    zab->amnesia = flags & HARD_AMNESIA;
    return CAIRN_OK;
}

uint64_t zab_persist(struct replica *zab) {
    struct journal *journal = &zab->journal;
    if (zab->options.mutant == MUTANT_ZAB_EPOCH_NOT_DURABLE && !journal->entries_dirty)
        journal->hard_dirty = false;
    struct buf hard = {0};
    if (journal->hard_dirty) {
        hard = (struct buf){outbox_scratch(&journal->out, HARD_BYTES), 0, HARD_BYTES};
        zab_hard_encode(zab, &hard);
    }
    return journal_persist(journal, buf_view(&hard));
}

/* ---- life ---- */

static struct replica *create(const struct replica_options *options) {
    cairn_assert(options->id > 0 && options->election_timeout_min_ns > 0);
    cairn_assert(options->election_timeout_max_ns >= options->election_timeout_min_ns);
    cairn_assert(options->heartbeat_ns > 0);
    cairn_assert(options->heartbeat_ns < options->election_timeout_min_ns);
    cairn_assert(options->inflight_max > 0 && options->append_bytes_max > 0);
    struct replica *zab = cairn_alloc_zero(sizeof *zab);
    zab->options = *options;
    prng_seed(&zab->prng, prng_mix(prng_mix(options->seed, options->group), options->id));
    journal_open(&zab->journal, &zab->options);
    zab->reads.out = &zab->journal.out;
    zab->reads.few = rare_hit(options->rare, RARE_READS_FEW);
    zab->reads.joins = options->mutant == MUTANT_READ_JOINS_QUESTION;
    zab_peers_follow_config(zab);
    return zab;
}

static void destroy(struct replica *zab) {
    reads_free(&zab->reads);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        stream_free(&zab->peers[i].stream);
    buf_free(&zab->install_state);
    journal_free(&zab->journal);
    cairn_free(zab);
}

static struct effects finish(struct replica *zab) {
    struct journal *journal = &zab->journal;
    if (journal->failed && zab->leader != 0)
        zab_look(zab);
    if (!journal->failed) {
        zab_member_advance(zab);
        zab_persist(zab);
        zab_commit_tell(zab);
        if (!zab->installing)
            journal_apply(journal);
    }
    zab_reads_flush(zab);
    uint64_t durable = journal->durable_index;
    log_evict(&journal->log, journal->applied < durable ? journal->applied : durable);
    zab_check(zab);
    return (struct effects){journal->out.effects, journal->out.effect_count,
                            journal->out.malformed};
}

static struct effects start(struct replica *zab, uint64_t now, uint64_t wall_ms) {
    outbox_begin(&zab->journal.out); /* what recovery emitted is stale */
    zab->now = zab->journal.now = zab->leaderless_since = now;
    zab->wall_ms = zab->own_wall_ms = wall_ms;
    /* Ids and nonces of another life of this replica must not be mistaken for this one's. */
    prng_seed(&zab->prng, prng_mix(prng_next(&zab->prng), prng_mix(now, wall_ms)));
    zab->reads.ids = prng_next(&zab->prng) >> 8;
    zab->nonces = prng_next(&zab->prng) >> 8;
    zab_recover_finish(zab);
    bool forgets = zab->options.mutant == MUTANT_PROMISE_FORGOTTEN_AT_START;
    lease_promise_start(&zab->promise, forgets ? 0 : zab->promise.length_ns, now);
    zab_peers_follow_config(zab);
    journal_config_tell(&zab->journal);
    zab_look(zab);
    return finish(zab);
}

/* ---- messages ---- */

static bool is_followers(enum zab_message_type type) {
    return type == ZAB_CEPOCH || type == ZAB_ACK_EPOCH || type == ZAB_ACK || type == ZAB_PONG;
}

static bool is_leaders(enum zab_message_type type) {
    return type == ZAB_NEWEPOCH || type == ZAB_SYNC || type == ZAB_PROPOSE || type == ZAB_COMMIT ||
           type == ZAB_UPTODATE || type == ZAB_PING || type == ZAB_HAND_OVER;
}

/* Of the session that this follower has with its leader. What an old session left in the network
 * does not count. */
static bool of_session(const struct replica *zab, const struct zab_message *message) {
    if (zab_leads(zab) || zab->leader != message->from || zab->nonce != message->nonce)
        return false;
    if (message->type == ZAB_NEWEPOCH || message->type == ZAB_PING)
        return true;
    return zab->phase >= ZAB_SYNCHRONISATION && message->term == zab->accepted;
}

static void dispatch_leaders(struct replica *zab, struct zab_message *message, struct blob *frame) {
    switch (message->type) {
    case ZAB_NEWEPOCH:
        zab_on_newepoch(zab, message);
        break;
    case ZAB_SYNC:
        zab_on_sync(zab, message, frame);
        break;
    case ZAB_PROPOSE:
        zab_on_propose(zab, message, frame);
        break;
    case ZAB_COMMIT:
    case ZAB_UPTODATE:
        zab_on_commit(zab, message);
        break;
    case ZAB_PING:
        zab_on_ping(zab, message);
        break;
    default:
        zab_on_hand_over(zab, message);
    }
}

static void dispatch(struct replica *zab, struct zab_message *message, struct blob *frame) {
    if (is_leaders(message->type)) {
        if (of_session(zab, message))
            dispatch_leaders(zab, message, frame);
        else if (message->type == ZAB_PING && zab->leader != message->from && !zab->amnesia)
            zab_notify(zab, message->from); /* it takes us for its follower, and may be unknown */
        return;
    }
    if (is_followers(message->type) &&
        !journal_counts(&zab->journal, message->from, message->incarnation))
        return;
    switch (message->type) {
    case ZAB_NOTIFICATION:
        zab_on_notification(zab, message);
        break;
    case ZAB_CEPOCH:
        zab_on_cepoch(zab, message);
        break;
    case ZAB_ACK_EPOCH:
        zab_on_ack_epoch(zab, message);
        break;
    case ZAB_ACK:
        zab_on_ack(zab, message);
        break;
    case ZAB_PONG:
        zab_on_pong(zab, message);
        break;
    case ZAB_READ:
        zab_on_read_message(zab, message);
        break;
    case ZAB_READ_ANSWER:
        zab_on_read_answer(zab, message);
        break;
    default:
        break;
    }
}

static void on_message(struct replica *zab, uint64_t from, struct blob *frame, struct bytes body) {
    struct zab_message message;
    enum cairn_status status = zab_message_decode(body, &message, &zab->journal.out);
    message.from = from;
    if (status != CAIRN_OK || from == 0 || from == zab->options.id) {
        zab->journal.out.malformed = true;
        return;
    }
    bool far = zab->options.mutant == MUTANT_TERM_GUARD_RELATIVE
                   ? message.term > zab->accepted + (1ull << 40)
                   : !term_is_possible(message.term, zab->accepted, zab->own_wall_ms);
    if (far) {
        zab->term_refused_until = zab->now + TERM_REFUSED_NS;
        outbox_trace(&zab->journal.out, 2,
                     "message from %" PRIu64 " with impossible epoch %" PRIu64 " dropped", from,
                     message.term);
        return;
    }
    dispatch(zab, &message, frame);
}

/* ---- events ---- */

static void on_loaded(struct replica *zab, const struct event *event) {
    uint64_t tag = event->loaded.tag;
    if (tag == 0)
        return;
    if (tag == zab->journal.apply_tag) {
        zab->journal.apply_tag = 0;
        if (!zab->installing)
            journal_apply_loaded(&zab->journal, event->loaded.status, event->loaded.entries,
                                 event->loaded.count);
        return;
    }
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].stream.load_tag == tag)
            zab_replication_loaded(zab, &zab->peers[i], event->loaded.status, event->loaded.entries,
                                   event->loaded.count);
}

static void on_persisted(struct replica *zab, uint64_t seq) {
    if (!journal_persisted(&zab->journal, seq))
        return;
    zab_persist(zab);
    zab_discovery_advance(zab);
    zab_sync_advance(zab);
    zab_maybe_commit(zab);
    zab_mend_advance(zab);
}

static void persist_tick(struct replica *zab) {
    struct journal *journal = &zab->journal;
    if (!journal_retry_due(journal))
        return;
    if (journal->pending_count == 0) {
        zab_persist(zab);
        journal_retry(journal);
    }
    /* Another replica's disk took what ours did not: it should lead. */
    if (zab_established(zab) && journal->log.last > journal->durable_index &&
        journal->commit == journal->log.last)
        zab_hand_over(zab);
}

static void on_tick(struct replica *zab) {
    persist_tick(zab);
    zab_transfer_tick(zab);
    zab_reads_tick(zab);
    if (zab->phase == ZAB_ELECTION)
        zab_election_tick(zab);
    else if (!zab_leads(zab))
        zab_follower_tick(zab);
    else
        zab_leader_tick(zab);
}

/* A failed replica promises and proposes nothing any more, and answers what must be answered. */
static void step_failed(struct replica *zab, const struct event *event) {
    switch (event->kind) {
    case EVENT_PROPOSE:
        zab_on_proposals(zab, event->propose.items, event->propose.count);
        break;
    case EVENT_READ:
        zab_on_read(zab, event->read.tag);
        break;
    case EVENT_CONFIGURE:
        zab_outcome(zab, OUTCOME_CHANGE, event->configure.tag, CAIRN_NOT_LEADER, 0);
        break;
    case EVENT_TRANSFER:
        zab_outcome(zab, OUTCOME_TRANSFER, event->transfer.tag, CAIRN_NOT_LEADER, 0);
        break;
    case EVENT_APPLIED:
        journal_applied(&zab->journal, event->applied.index);
        break;
    case EVENT_TICK:
        zab_transfer_tick(zab);
        zab_reads_tick(zab);
        break;
    default:
        break;
    }
}

static void step_event(struct replica *zab, const struct event *event) {
    switch (event->kind) {
    case EVENT_TICK:
        on_tick(zab);
        break;
    case EVENT_MESSAGE:
        on_message(zab, event->message.from, event->message.frame, event->message.body);
        break;
    case EVENT_PROPOSE:
        zab_on_proposals(zab, event->propose.items, event->propose.count);
        break;
    case EVENT_READ:
        zab_on_read(zab, event->read.tag);
        break;
    case EVENT_PERSISTED:
        on_persisted(zab, event->persisted.seq);
        break;
    case EVENT_PERSIST_FAILED:
        journal_persist_failed(&zab->journal, event->persisted.seq, event->persisted.status);
        zab_give_up_refused(zab);
        break;
    case EVENT_LOADED:
        on_loaded(zab, event);
        break;
    case EVENT_UNREADABLE:
        zab_on_unreadable(zab, event->unreadable.first, event->unreadable.last);
        break;
    case EVENT_APPLIED:
        journal_applied(&zab->journal, event->applied.index);
        break;
    case EVENT_COMPACTED:
        zab_on_compacted(zab, &event->compacted.base, event->compacted.trim);
        break;
    case EVENT_SNAPSHOT_PROGRESS:
        zab_on_snapshot_progress(zab, event->snapshot_progress.to, event->snapshot_progress.bytes);
        break;
    case EVENT_SNAPSHOT_SENT:
        zab_on_snapshot_sent(zab, event->snapshot_sent.to, event->snapshot_sent.index,
                             event->snapshot_sent.status);
        break;
    case EVENT_SNAPSHOT_OFFERED:
        zab_on_snapshot_offered(zab, event->snapshot.from, event->snapshot.term,
                                &event->snapshot.base);
        break;
    case EVENT_SNAPSHOT_RECEIVED:
        zab_on_snapshot_received(zab, event->snapshot.from, event->snapshot.term,
                                 &event->snapshot.base);
        break;
    case EVENT_SNAPSHOT_INSTALLED:
        zab_on_snapshot_installed(zab, event->snapshot_installed.index,
                                  event->snapshot_installed.status);
        break;
    case EVENT_PEER_UP:
        zab_on_peer_up(zab, event->peer.id, event->peer.incarnation, event->peer.wire_version);
        break;
    case EVENT_PEER_DOWN:
        zab_on_peer_down(zab, event->peer.id);
        break;
    case EVENT_CONFIGURE:
        zab_on_configure(zab, event->configure.tag, &event->configure.change);
        break;
    case EVENT_TRANSFER:
        zab_on_transfer(zab, event->transfer.tag, event->transfer.to);
        break;
    case EVENT_ROOM:
        journal_room(&zab->journal, event->room.there);
        break;
    case EVENT_AWAITED: /* every follower learns of a commit at once (zab_commit_tell) */
        break;
    case EVENT_FOUNDERS:
        zab_on_founders(zab, event->founders.met, event->founders.founds);
        break;
    default:
        cairn_fatal("zab: an event of unknown kind %d", (int)event->kind);
    }
}

static struct effects step(struct replica *zab, const struct event *event) {
    outbox_begin(&zab->journal.out);
    if (event->now > zab->now)
        zab->now = zab->journal.now = event->now;
    zab->own_wall_ms = event->wall_ms;
    zab->wall_ms = zab_wall_ms(zab, zab->now, event->wall_ms);
    if (zab->journal.failed)
        step_failed(zab, event);
    else
        step_event(zab, event);
    return finish(zab);
}

/* ---- queries ---- */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static uint64_t follower_deadline(const struct replica *zab) {
    uint64_t at = zab->patience_at;
    if (zab->phase == ZAB_DISCOVERY || (zab->phase == ZAB_SYNCHRONISATION && !zab->synced))
        at = earlier(at, zab->join_at);
    if (zab->epoch_pending != 0)
        at = earlier(at, zab_promise_until(zab));
    return at;
}

static uint64_t leader_deadline(const struct replica *zab) {
    uint64_t at = zab->ping_at;
    if (zab->phase == ZAB_DISCOVERY) {
        at = earlier(at, zab->give_up_at);
        uint64_t promise = zab_promise_until(zab);
        if (!zab->epoch_chosen && promise > zab->now)
            at = earlier(at, promise);
    }
    return at;
}

static uint64_t deadline(const struct replica *zab) {
    uint64_t at = UINT64_MAX;
    if (zab->transferring || zab->transfer_told)
        at = zab->transfer_deadline;
    if (zab->reads.request != 0)
        at = earlier(at, zab->reads.request_deadline);
    if (zab->journal.failed)
        return at;
    if (zab->journal.full)
        at = earlier(at, zab->journal.full_retry_at);
    at = earlier(at, journal_apply_retry_at(&zab->journal));
    if (zab_leads(zab))
        return earlier(at, leader_deadline(zab));
    if (zab->phase != ZAB_ELECTION)
        return earlier(at, follower_deadline(zab));
    if (zab->finalize_at != 0)
        at = earlier(at, zab->finalize_at);
    return earlier(at, zab->notify_at);
}

static uint64_t time_ms(const struct replica *zab, uint64_t now, uint64_t wall_ms) {
    return stamps_time_ms(&zab->journal.stamps, now, zab_wall_ms(zab, now, wall_ms));
}

static void status_peers(const struct replica *zab, struct replica_status *out) {
    for (uint32_t i = 0; i < zab->peer_count && zab_established(zab); i++) {
        const struct zab_peer *peer = &zab->peers[i];
        if (!peer->member || out->peer_count == CONFIG_MEMBERS_MAX)
            continue;
        uint32_t at = out->peer_count++;
        out->peers[at].id = peer->id;
        out->peers[at].match_index = peer->stream.progress.match;
        out->peers[at].next_index = peer->stream.progress.next;
        out->peers[at].inflight = peer->stream.progress.count;
        out->peers[at].snapshotting = peer->stream.progress.state == PROGRESS_SNAPSHOT;
        out->peers[at].active = peer->stage != ZAB_AWAY &&
                                zab->now - peer->heard_at < zab->options.election_timeout_max_ns;
    }
}

static void status(const struct replica *zab, struct replica_status *out) {
    const struct journal *journal = &zab->journal;
    uint64_t lease_end = zab_lease_end(zab);
    *out = (struct replica_status){
        .role = zab_role(zab),
        .term = zab->accepted,
        .vote = zab->phase == ZAB_ELECTION ? zab->vote.leader : zab->leader,
        .leader = zab->active ? zab->leader : 0,
        .first_index = journal->log.before_index + 1,
        .last_index = journal->log.last,
        .last_term = log_last_term(&journal->log),
        .durable_index = journal->durable_index,
        .commit_index = journal->commit,
        .applied_index = journal->applied,
        .lease_left_ns = lease_end > zab->now ? lease_end - zab->now : 0,
        .lease_end_ns = lease_end,
        .term_refused = zab->now < zab->term_refused_until,
        .diverged = zab->unfit >= UNFIT_DIVERGED,
        .failed = zab->journal.failed,
        .damaged = zab->mending || zab->amnesia,
        .unreadable = journal->unreadable,
        .config_committed = journal_config_index(journal) <= journal->commit,
        .memory_bytes = journal->log.window_bytes,
    };
    if (zab->mending) {
        out->damaged_first = zab->damage_first;
        out->damaged_last = zab->damage_last;
    }
    if (journal_config(journal) != NULL)
        out->config = *journal_config(journal);
    status_peers(zab, out);
}

static void snapshot_base(const struct replica *zab, struct log_base *base, struct buf *state) {
    journal_snapshot_base(&zab->journal, base, state);
}

static bool chain_at(const struct replica *zab, uint64_t index, uint64_t *chain) {
    return log_chain(&zab->journal.log, index, chain);
}

/* A word of a follower to a leader that it means to join. */
static void say_term(uint64_t term, uint64_t incarnation, struct buf *out) {
    struct zab_message message = {
        .type = ZAB_CEPOCH, .term = term, .incarnation = incarnation, .nonce = 1};
    size_t size = zab_message_size(&message);
    zab_message_encode(&message, buf_reserve(out, size));
    out->len += size;
}

const struct protocol protocol_zab = {
    .name = "zab",
    .view = &zab_view,
    .create = create,
    .destroy = destroy,
    .recover_hard = zab_recover_hard,
    .recover_base = zab_recover_base,
    .recover_entry = zab_recover_entry,
    .recover_damage = zab_recover_damage,
    .recover_hard_lost = zab_recover_hard_lost,
    .recover_replaced = zab_recover_replaced,
    .start = start,
    .step = step,
    .deadline = deadline,
    .snapshot_base = snapshot_base,
    .time_ms = time_ms,
    .status = status,
    .chain_at = chain_at,
    .say_term = say_term,
};
