#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

/* ---- peers ---- */

const struct raft_peer *raft_peer_of(const struct replica *raft, uint64_t id) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return &raft->peers[i];
    return NULL;
}

struct raft_peer *raft_peer(struct replica *raft, uint64_t id) {
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (raft->peers[i].id == id)
            return &raft->peers[i];
    return NULL;
}

struct raft_peer *raft_member(struct replica *raft, uint64_t id) {
    struct raft_peer *peer = raft_peer(raft, id);
    return peer != NULL && peer->member ? peer : NULL;
}

static struct raft_peer *add_peer(struct replica *raft, uint64_t id) {
    struct raft_peer *peer = NULL;
    if (raft->peer_count < RAFT_PEERS_MAX)
        peer = &raft->peers[raft->peer_count++];
    for (uint32_t i = 0; peer == NULL && i < RAFT_PEERS_MAX; i++)
        if (!raft->peers[i].member)
            peer = &raft->peers[i];
    cairn_assert(peer != NULL);
    stream_free(&peer->stream);
    *peer = (struct raft_peer){.id = id};
    stream_reset(&peer->stream, raft->journal.log.last + 1);
    return peer;
}

static void join(struct replica *raft, const struct member *member) {
    struct raft_peer *peer = raft_peer(raft, member->id);
    if (peer == NULL)
        peer = add_peer(raft, member->id);
    bool replaced =
        peer->bound != 0 && member->incarnation != 0 && peer->bound != member->incarnation;
    if (!peer->member || replaced) {
        stream_reset(&peer->stream, raft->journal.log.last + 1);
        peer->heard_at = raft->now;
        peer->round = peer->lease_until = peer->vote = peer->received = 0;
    }
    if (member->incarnation != 0)
        peer->bound = member->incarnation;
    peer->member = true;
}

void raft_config_changed(struct replica *raft) {
    if (raft->config_seen == raft->journal.config_version)
        return;
    raft->config_seen = raft->journal.config_version;
    const struct config *config = journal_config(&raft->journal);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (config == NULL || config_member(config, raft->peers[i].id) == NULL)
            raft->peers[i].member = false;
    for (uint32_t i = 0; config != NULL && i < config->count; i++)
        if (config->members[i].id != raft->options.id)
            join(raft, &config->members[i]);
}

void raft_on_peer_up(struct replica *raft, uint64_t id, uint64_t incarnation,
                     uint32_t wire_version) {
    if (id == 0 || id == raft->options.id)
        return;
    struct raft_peer *peer = raft_peer(raft, id);
    if (peer == NULL)
        peer = add_peer(raft, id);
    peer->up = true;
    peer->incarnation = incarnation;
    peer->wire_version = wire_version;
    peer->commit_told = 0; /* what was on its way may be lost */
    peer->untold = rare_hit(raft->options.rare, RARE_RAFT_COMMIT_UNTOLD);
    if (id == raft->leader)
        raft->leader_lost = false;
    if (raft->role == ROLE_LEADER && peer->member) {
        if (peer->stream.progress.state != PROGRESS_SNAPSHOT)
            progress_probe(&peer->stream.progress);
        raft_heartbeat_to(raft, peer);
        raft_replicate(raft, peer);
    }
}

void raft_on_peer_down(struct replica *raft, uint64_t id) {
    struct raft_peer *peer = raft_peer(raft, id);
    if (peer == NULL)
        return;
    peer->up = false;
    if (raft->role == ROLE_LEADER && peer->member &&
        peer->stream.progress.state != PROGRESS_SNAPSHOT) {
        progress_probe(&peer->stream.progress);
        peer->stream.progress.paused = true;
    }
    if (id == raft->leader)
        raft_leader_lost(raft);
}

void raft_on_founders(struct replica *raft, const struct folders *met,
                      const struct config *founds) {
    if (!journal_founders(&raft->journal, met, founds))
        return;
    raft_config_changed(raft);
    raft_election_reset(raft);
}

/* ---- changes ---- */

static void append_config(struct replica *raft, const struct config *config) {
    cairn_assert(config_valid(config));
    cairn_assert(journal_config_index(&raft->journal) <= raft->journal.applied ||
                 raft->options.mutant == MUTANT_JOINT_LEFT_EARLY);
    struct buf payload = {0};
    config_encode(&payload, config);
    uint64_t index = raft_append_own(raft, ENTRY_CONFIG, buf_view(&payload));
    buf_free(&payload);
    journal_config_push(&raft->journal, index, config);
    raft_config_changed(raft);
    change_appended(&raft->change, index);
    raft_persist(raft);
    raft_replicate_all(raft);
    raft_maybe_commit(raft);
}

static struct change_member change_member(const void *context, uint64_t id) {
    const struct replica *raft = context;
    const struct raft_peer *peer = raft_peer_of(raft, id);
    if (peer == NULL)
        return (struct change_member){0};
    return (struct change_member){
        .connected = peer->up,
        .active = raft->now - peer->heard_at < raft->options.election_timeout_max_ns,
        .received = peer->received,
        .incarnation = peer->up ? peer->incarnation : 0,
        .match = peer->member ? peer->stream.progress.match : 0,
        .streaming = peer->member && peer->stream.progress.state == PROGRESS_REPLICATE};
}

static struct change_leader change_leader(struct replica *raft) {
    return (struct change_leader){&raft->journal, raft->leader_since, raft->transferring,
                                  change_member, raft};
}

static void tell(struct replica *raft, enum cairn_status status) {
    const struct change *change = &raft->change;
    raft_outcome(raft, OUTCOME_CHANGE, change->tag, status, change->index)->outcome.member =
        change->obstacle;
}

void raft_change_lost(struct replica *raft) {
    enum cairn_status status;
    raft->change.obstacle = 0;
    if (change_lost(&raft->change, &status))
        tell(raft, status);
}

/* The requester of the change under way is told first, when another one takes its place. */
static enum cairn_status begin(struct replica *raft, uint64_t tag,
                               const struct config_change *asked, bool *taken_up) {
    struct change_leader leader = change_leader(raft);
    struct config next;
    bool append = false;
    uint64_t former;
    *taken_up = false;
    if (asked->cancel)
        return change_cancel(&raft->change, &leader);
    if (change_supersede(&raft->change, asked, &former))
        raft_outcome(raft, OUTCOME_CHANGE, former, CAIRN_CANCELLED, 0);
    enum cairn_status status = change_begin(&raft->change, &leader, tag, asked, &next, &append);
    *taken_up = status == CAIRN_OK;
    if (*taken_up && append)
        append_config(raft, &next);
    return status;
}

void raft_on_configure(struct replica *raft, uint64_t tag, const struct config_change *asked) {
    enum cairn_status status = CAIRN_NOT_LEADER;
    bool taken_up = false;
    if (raft->role == ROLE_LEADER && raft_own_term_committed(raft))
        status = begin(raft, tag, asked, &taken_up);
    else if (raft->role == ROLE_LEADER)
        status = raft->journal.full ? CAIRN_NO_SPACE : CAIRN_BUSY;
    if (!taken_up)
        raft_outcome(raft, OUTCOME_CHANGE, tag, status, 0);
}

/* A leader outside the new configuration manages the group until that is committed, then leaves
 * (section 6). */
static void leave(struct replica *raft) {
    raft_heartbeat(raft);
    raft_hand_over(raft);
    raft_become_follower(raft, raft->term, 0);
}

void raft_member_advance(struct replica *raft) {
    if (raft->role != ROLE_LEADER || !raft_own_term_committed(raft) || raft->journal.full ||
        (journal_config_index(&raft->journal) > raft->journal.applied &&
         (raft->options.mutant != MUTANT_JOINT_LEFT_EARLY ||
          !journal_config(&raft->journal)->joint)))
        return;
    struct change_leader leader = change_leader(raft);
    struct config next;
    enum cairn_status done;
    enum change_step step = change_advance(&raft->change, &leader, &next, &done);
    if (done != CAIRN_STATUS_COUNT)
        tell(raft, done);
    if (step == CHANGE_STEP_APPEND)
        append_config(raft, &next);
    else if (step == CHANGE_STEP_LEAVE)
        leave(raft);
}
