#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

#include <inttypes.h>

void raft_role_tell(struct replica *raft) {
    if (raft->told_role == raft->role && raft->told_term == raft->term &&
        raft->told_leader == raft->leader)
        return;
    raft->told_role = raft->role;
    raft->told_term = raft->term;
    raft->told_leader = raft->leader;
    struct effect *effect = outbox_emit(&raft->journal.out, EFFECT_ROLE);
    effect->role.role = raft->role;
    effect->role.term = raft->term;
    effect->role.leader = raft->leader;
}

/* ---- which replicas may vote, and when ---- */

/* False when the configuration names another data folder than ours for this id. */
static bool is_ours(const struct replica *raft, const struct member *self) {
    return self->incarnation == 0 || raft->options.incarnation == 0 ||
           self->incarnation == raft->options.incarnation;
}

/* A learner, or a member that is not listed yet, votes when asked: it may have been made a voter
 * and not know it, and the change then waits for its vote. Candidates count only the voters of
 * their own configuration, and only under the incarnation that it names. A replica without any
 * configuration is blank, perhaps by having lost its disk, and never votes. */
bool raft_may_vote(const struct replica *raft) {
    const struct config *config = journal_config(&raft->journal);
    if (raft->journal.failed || raft_damaged(raft) || raft->mending || raft->amnesia ||
        config == NULL)
        return false;
    const struct member *self = config_member(config, raft->options.id);
    return self == NULL || is_ours(raft, self);
}

/* "A server that is not part of its own latest configuration should still start new elections, as
 * it might still be needed until the C_new entry is committed" (dissertation 4.2.2). */
bool raft_may_campaign(const struct replica *raft) {
    return raft_may_vote(raft) && journal_voter_until_committed(&raft->journal) &&
           raft->lost_from == 0 && !raft->installing && !journal_disk_stalled(&raft->journal);
}

/* No vote for another until then: what this replica promised the leaders that it heard, and in an
 * earlier life (core/lease.h); and section 6's rule against disruptive servers, which asks for
 * silence of a leader whose connection still stands. */
static uint64_t promise_until(const struct replica *raft) {
    if (raft->options.mutant == MUTANT_LEASE_IGNORED_BY_VOTER)
        return 0;
    uint64_t until = lease_promise_end(&raft->promise);
    uint64_t silence = raft->heard_at + raft->options.election_timeout_min_ns;
    bool connected = raft->heard_at != 0 && !raft->leader_lost;
    return connected && silence > until ? silence : until;
}

/* Pre-votes promise nothing; they are refused only while a leader is alive as far as known. */
static bool leader_alive(const struct replica *raft) {
    if (raft->options.mutant == MUTANT_LEASE_IGNORED_BY_VOTER)
        return false;
    if (raft->role == ROLE_LEADER)
        return true;
    return raft->heard_at != 0 && !raft->leader_lost &&
           raft->now < raft->heard_at + raft->options.election_timeout_min_ns;
}

void raft_election_reset(struct replica *raft) {
    raft->election_at = raft->now + prng_between(&raft->prng, raft->options.election_timeout_min_ns,
                                                 raft->election_timeout_max_ns);
}

/* A leader of an older version does not say which promise it relies on: it is the one that this
 * replica's own settings name. */
static void ask_promise(struct replica *raft, const struct raft_message *message) {
    uint64_t own = raft->options.election_timeout_min_ns;
    uint64_t asked = message->more ? message->lease_ns : own;
    if (raft->options.mutant == MUTANT_LEASE_OWN_LENGTH)
        asked = raft->options.lease_reads ? own : 0;
    uint64_t most = raft->options.mutant == MUTANT_PROMISE_WITHOUT_LIMIT ? LEASE_NS_MAX : own;
    bool longer = lease_ask(&raft->promise, asked, most, raft->now);
    raft->journal.hard_dirty |= longer && raft->options.mutant != MUTANT_PROMISE_NOT_DURABLE;
}

void raft_heard_leader(struct replica *raft, uint64_t leader, const struct raft_message *message) {
    if (message != NULL)
        ask_promise(raft, message);
    lease_renew(&raft->promise, raft->now);
    raft->heard_at = raft->now;
    raft->leader_lost = false;
    raft->pre_campaigns = 0;
    raft_election_reset(raft);
    if (raft->role != ROLE_FOLLOWER || raft->leader != leader)
        raft_become_follower(raft, raft->term, leader);
}

/* ---- becoming ---- */

static void leave_leadership(struct replica *raft) {
    raft_reads_refuse(raft, CAIRN_NOT_LEADER);
    raft_change_lost(raft);
    raft->lease_revoked = true;
    raft->uncommitted_bytes = 0;
    raft->term_first = 0;
    raft->leave_index = 0;
    for (uint32_t i = 0; i < raft->peer_count; i++)
        raft->peers[i].stream.load_tag = 0;
}

void raft_become_follower(struct replica *raft, uint64_t term, uint64_t leader) {
    cairn_assert(term >= raft->term);
    bool led = raft->role == ROLE_LEADER;
    if (term > raft->term) {
        raft->term = term;
        if (raft->options.mutant != MUTANT_VOTE_KEPT_OVER_TERMS)
            raft->vote = 0;
        raft->journal.hard_dirty = true;
    }
    if ((raft->told_term != raft->term || raft->told_leader != leader) &&
        raft->options.mutant != MUTANT_VERIFIED_KEPT)
        raft->verified = raft->commit_heard = 0;
    raft->role = ROLE_FOLLOWER;
    raft->leader = leader;
    raft->campaign_at = 0;
    raft_give_up_refused(raft);
    if (led)
        leave_leadership(raft);
    else
        raft_reads_refuse(raft, leader ? CAIRN_NOT_LEADER : CAIRN_NO_QUORUM);
    if (led || raft->election_at <= raft->now)
        raft_election_reset(raft);
    raft_role_tell(raft);
    raft_transfer_leader_known(raft);
}

static void become_leader(struct replica *raft) {
    cairn_assert(raft->role == ROLE_CANDIDATE && raft_may_vote(raft));
    raft->role = ROLE_LEADER;
    raft->leader = raft->options.id;
    raft->leader_since = raft->now;
    raft->pre_campaigns = 0;
    raft->lease_revoked = false;
    raft->stall_handled = false;
    raft->uncommitted_bytes = 0;
    raft->leave_index = 0;
    raft->lease_unused = rare_hit(raft->options.rare, RARE_RAFT_LEASE_UNUSED);
    change_reset(&raft->change);
    for (uint32_t i = 0; i < raft->peer_count; i++) {
        struct raft_peer *peer = &raft->peers[i];
        uint64_t match = peer->stream.progress.match;
        stream_reset(&peer->stream, raft->journal.log.last + 1);
        if (raft->options.mutant == MUTANT_MATCH_KEPT_OVER_TERMS && match <= raft->journal.log.last)
            peer->stream.progress.match = match;
        peer->heard_at = raft->now;
        peer->lease_until = peer->round = peer->received = 0;
        peer->room = peer->no_room = false;
    }
    raft->wall_ms = raft_wall_ms(raft, raft->now, raft->own_wall_ms);
    raft_role_tell(raft);
    raft_transfer_leader_known(raft);
    /* Section 8: "each leader commit a blank no-op entry into the log at the start of its term" */
    raft->term_first = raft->options.mutant == MUTANT_NO_OWN_ENTRY
                           ? raft->journal.log.last + 1
                           : raft_append_own(raft, ENTRY_NOOP, bytes_of(NULL, 0));
    raft_persist(raft);
    raft_replicate_all(raft);
    raft_heartbeat(raft);
}

/* ---- asking for votes ---- */

static void ask(struct replica *raft, uint64_t to) {
    bool pre = raft->role == ROLE_PRE_CANDIDATE;
    struct raft_message request = {.type = RAFT_VOTE_REQUEST,
                                   .term = pre ? raft->term + 1 : raft->term,
                                   .index = raft->journal.log.last,
                                   .log_term = log_last_term(&raft->journal.log)};
    request.flags =
        (pre ? RAFT_FLAG_PRE : 0) | (raft->campaign_by_transfer && !pre ? RAFT_FLAG_TRANSFER : 0);
    raft_send(raft, to, pre ? 0 : raft->vote_seq, &request, NULL, 0);
}

static void ask_all(struct replica *raft) {
    const struct config *config = journal_config(&raft->journal);
    for (uint32_t i = 0; i < config->count; i++) {
        uint64_t id = config->members[i].id;
        if (id != raft->options.id && config_is_voter(config, id))
            ask(raft, id);
    }
}

static uint64_t vote_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id) {
        bool counts = raft->role == ROLE_PRE_CANDIDATE ||
                      raft->journal.persisted_seq >= raft->vote_seq ||
                      raft->options.mutant == MUTANT_VOTE_NOT_DURABLE;
        return counts ? 2 : 0;
    }
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].vote;
    return 0;
}

/* How soon the voter's promise is over, as a value that a quorum reaches. */
static uint64_t readiness_of(const void *context, uint64_t id) {
    const struct replica *raft = context;
    if (id == raft->options.id)
        return UINT64_MAX - promise_until(raft);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return raft->peers[i].vote == 2 ? UINT64_MAX - raft->peers[i].wait_until : 0;
    return 0;
}

static struct config deciding(const struct replica *raft) {
    struct config config = *journal_config(&raft->journal);
    if (raft->options.mutant == MUTANT_JOINT_NEW_ONLY)
        config.joint = false;
    return config;
}

/* Its disk may have stalled since it asked. */
static void campaign_if_still_allowed(struct replica *raft) {
    if (raft_may_campaign(raft))
        raft_campaign(raft, false);
    else
        raft_become_follower(raft, raft->term, 0);
}

static void count_pre_votes(struct replica *raft) {
    struct config config = deciding(raft);
    enum quorum_vote result = quorum_votes(&config, vote_of, raft);
    if (result == QUORUM_LOST) {
        raft_become_follower(raft, raft->term, 0);
        return;
    }
    if (result == QUORUM_PENDING)
        return;
    uint64_t ready = UINT64_MAX - quorum_reached(&config, readiness_of, raft);
    uint64_t own = promise_until(raft);
    raft->campaign_at = ready > own ? ready : own;
    if (raft->campaign_at <= raft->now)
        campaign_if_still_allowed(raft);
    else if (raft->election_at <= raft->campaign_at)
        raft->election_at = raft->campaign_at + raft->options.election_timeout_min_ns;
}

static void count_votes(struct replica *raft) {
    /* Even a candidate that is no voter itself needs its term on disk before it leads in it. */
    if (raft->journal.persisted_seq < raft->vote_seq &&
        raft->options.mutant != MUTANT_VOTE_NOT_DURABLE)
        return;
    struct config config = deciding(raft);
    enum quorum_vote result = quorum_votes(&config, vote_of, raft);
    if (result == QUORUM_WON)
        become_leader(raft);
    else if (result == QUORUM_LOST)
        raft_become_follower(raft, raft->term, 0);
}

void raft_count_own_vote(struct replica *raft) {
    if (raft->role == ROLE_CANDIDATE)
        count_votes(raft);
}

static void clear_votes(struct replica *raft) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        raft->peers[i].vote = raft->peers[i].wait_until = 0;
}

void raft_pre_campaign(struct replica *raft) {
    raft_election_reset(raft);
    if (!raft_may_campaign(raft)) {
        if (raft->leader != 0)
            raft_become_follower(raft, raft->term, 0); /* that one is silent: it leads no more */
        return;
    }
    raft->role = ROLE_PRE_CANDIDATE;
    raft->pre_campaigns++;
    raft->leader = 0;
    raft->campaign_at = 0;
    raft->campaign_by_transfer = false;
    clear_votes(raft);
    raft_reads_refuse(raft, CAIRN_NO_QUORUM);
    raft_role_tell(raft);
    ask_all(raft);
    count_pre_votes(raft);
}

void raft_campaign(struct replica *raft, bool by_transfer) {
    cairn_assert(raft->role != ROLE_LEADER && raft_may_campaign(raft));
    raft->role = ROLE_CANDIDATE;
    raft->leader = 0;
    raft->term++;
    raft->vote = raft->options.id;
    raft->verified = raft->commit_heard = 0;
    raft->campaign_at = 0;
    raft->campaign_by_transfer = by_transfer;
    raft->journal.hard_dirty = true;
    raft->vote_seq = raft_persist(raft);
    raft_reads_refuse(raft, CAIRN_NO_QUORUM);
    if (raft->options.mutant != MUTANT_PRE_VOTES_COUNT)
        clear_votes(raft);
    raft_election_reset(raft);
    raft_role_tell(raft);
    ask_all(raft);
    count_votes(raft);
}

void raft_election_tick(struct replica *raft) {
    if (raft->role == ROLE_LEADER)
        return;
    if (raft->role == ROLE_PRE_CANDIDATE && raft->campaign_at != 0 &&
        raft->now >= raft->campaign_at) {
        campaign_if_still_allowed(raft);
    } else if (raft->now >= raft->election_at) {
        if (raft_may_campaign(raft) && raft->now >= promise_until(raft) &&
            rare_hit(raft->options.rare, RARE_RAFT_PRE_VOTE_SKIPPED))
            raft_campaign(raft, false);
        else
            raft_pre_campaign(raft);
    }
}

void raft_leader_lost(struct replica *raft) {
    raft->leader_lost = true;
    if (raft->options.mutant == MUTANT_PROMISE_ENDS_WITH_LINK)
        lease_release(&raft->promise);
    if (raft->role == ROLE_FOLLOWER)
        raft_pre_campaign(raft);
}

/* ---- giving votes ---- */

static bool log_up_to_date(const struct replica *raft, const struct raft_message *request) {
    if (raft->options.mutant == MUTANT_VOTE_STALE_LOG)
        return true;
    uint64_t term = log_last_term(&raft->journal.log);
    if (raft->options.mutant == MUTANT_VOTE_LOG_BY_TERM)
        return request->log_term >= term;
    if (raft->options.mutant == MUTANT_HISTORY_BY_LENGTH)
        return request->index >= raft->journal.log.last;
    return request->log_term > term ||
           (request->log_term == term && request->index >= raft->journal.log.last);
}

static void answer(struct replica *raft, uint64_t to, uint64_t after, uint64_t term, uint64_t flags,
                   uint64_t wait_ns) {
    struct raft_message message = {.type = RAFT_VOTE_ANSWER,
                                   .term = term,
                                   .flags = flags,
                                   .wait_ns = wait_ns,
                                   .wall_ms = raft->own_wall_ms};
    raft_send(raft, to, after, &message, NULL, 0);
}

/* Two candidates at once: the one with the older log, or the lower id, stands down; and so does one
 * that asked before and was not elected, for perhaps it does not see the majority that the other
 * one sees. */
static bool stands_down(const struct replica *raft, const struct raft_message *request) {
    return request->log_term > log_last_term(&raft->journal.log) ||
           request->index > raft->journal.log.last || request->from > raft->options.id ||
           (raft->pre_campaigns > 1 && raft->campaign_at == 0 &&
            raft->options.mutant != MUTANT_ASKED_IN_VAIN_FORGOTTEN);
}

static void on_pre_vote_request(struct replica *raft, const struct raft_message *request) {
    bool yes = request->term > raft->term && raft_may_vote(raft) && !leader_alive(raft) &&
               log_up_to_date(raft, request);
    if (yes && raft->role == ROLE_PRE_CANDIDATE) {
        yes = stands_down(raft, request);
        if (yes) {
            raft_become_follower(raft, raft->term, 0);
            raft_election_reset(raft);
        }
    }
    if (!yes) {
        answer(raft, request->from, raft->journal.hard_seq, raft->term, RAFT_FLAG_PRE, 0);
        return;
    }
    uint64_t until = promise_until(raft);
    uint64_t wait = until > raft->now ? until - raft->now : 0;
    wait += wait / 1000000 * 2 * raft->options.clock_drift_ppm;
    answer(raft, request->from, 0, request->term, RAFT_FLAG_PRE | RAFT_FLAG_YES, wait);
}

void raft_on_vote_request(struct replica *raft, const struct raft_message *request) {
    if (raft->journal.failed)
        return;
    if (request->flags & RAFT_FLAG_PRE) {
        on_pre_vote_request(raft, request);
        return;
    }
    /* Section 6: "if a server receives a RequestVote RPC within the minimum election timeout of
     * hearing from a current leader, it does not update its term or grant its vote". */
    bool promised = raft->options.mutant != MUTANT_LEASE_IGNORED_BY_VOTER &&
                    (raft->role == ROLE_LEADER || raft->now < promise_until(raft));
    if (promised && !(request->flags & RAFT_FLAG_TRANSFER)) {
        if (request->term <= raft->term)
            answer(raft, request->from, raft->journal.hard_seq, raft->term, 0, 0);
        return;
    }
    if (request->term > raft->term)
        raft_become_follower(raft, request->term, 0);
    bool free_vote = raft->vote == 0 || raft->vote == request->from ||
                     raft->options.mutant == MUTANT_VOTE_TWICE ||
                     (raft->options.mutant == MUTANT_TRANSFER_VOTES_TWICE &&
                      request->flags & RAFT_FLAG_TRANSFER);
    bool yes = request->term == raft->term && free_vote && raft_may_vote(raft) &&
               log_up_to_date(raft, request);
    if (yes) {
        if (raft->role == ROLE_PRE_CANDIDATE)
            raft_become_follower(raft, raft->term, 0);
        raft->journal.hard_dirty |= raft->vote != request->from;
        raft->vote = request->from;
        raft_election_reset(raft);
    }
    raft_persist(raft);
    uint64_t after =
        raft->options.mutant == MUTANT_VOTE_NOT_DURABLE ? 0 : raft->journal.persist_seq;
    answer(raft, request->from, after, raft->term, yes ? RAFT_FLAG_YES : 0, 0);
}

void raft_on_vote_answer(struct replica *raft, const struct raft_message *message) {
    struct raft_peer *peer = raft_peer(raft, message->from);
    bool pre = message->flags & RAFT_FLAG_PRE;
    bool yes = message->flags & RAFT_FLAG_YES;
    if (peer == NULL || raft->role != (pre ? ROLE_PRE_CANDIDATE : ROLE_CANDIDATE))
        return;
    if (pre && yes ? message->term != raft->term + 1 : message->term != raft->term)
        return;
    peer->vote = yes ? 2 : 1;
    raft_hear_wall(raft, peer, message);
    if (pre) {
        uint64_t longest = 2 * raft->options.election_timeout_max_ns;
        peer->wait_until = raft->now + (message->wait_ns < longest ? message->wait_ns : longest);
        count_pre_votes(raft);
    } else {
        count_votes(raft);
    }
}
