#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

/* ---- peers ---- */

struct zab_peer *zab_peer(struct replica *zab, uint64_t id) {
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].id == id)
            return &zab->peers[i];
    return NULL;
}

const struct zab_peer *zab_peer_of(const struct replica *zab, uint64_t id) {
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].id == id)
            return &zab->peers[i];
    return NULL;
}

struct zab_peer *zab_member(struct replica *zab, uint64_t id) {
    struct zab_peer *peer = zab_peer(zab, id);
    return peer != NULL && peer->member ? peer : NULL;
}

/* Its session, if it had one, is over. */
void zab_peer_away(struct replica *zab, struct zab_peer *peer) {
    peer->stage = ZAB_AWAY;
    peer->nonce = 0;
    peer->counts = peer->active_told = peer->room = peer->no_room = false;
    peer->round = peer->lease_until = peer->commit_told = 0;
    if (zab->options.mutant != MUTANT_ZAB_STALE_ACK)
        stream_reset(&peer->stream, zab->journal.log.last + 1);
}

static struct zab_peer *add_peer(struct replica *zab, uint64_t id) {
    struct zab_peer *peer = NULL;
    if (zab->peer_count < ZAB_PEERS_MAX)
        peer = &zab->peers[zab->peer_count++];
    for (uint32_t i = 0; peer == NULL && i < ZAB_PEERS_MAX; i++)
        if (!zab->peers[i].member)
            peer = &zab->peers[i];
    cairn_assert(peer != NULL);
    stream_free(&peer->stream);
    *peer = (struct zab_peer){.id = id};
    stream_reset(&peer->stream, zab->journal.log.last + 1);
    return peer;
}

static void join(struct replica *zab, const struct member *member) {
    struct zab_peer *peer = zab_peer(zab, member->id);
    if (peer == NULL)
        peer = add_peer(zab, member->id);
    bool replaced =
        peer->bound != 0 && member->incarnation != 0 && peer->bound != member->incarnation;
    if (!peer->member || replaced) {
        zab_peer_away(zab, peer);
        peer->heard_at = zab->now;
        peer->received = 0;
        peer->voted = false;
        if (zab_leads(zab))
            zab->ping_at = zab->now; /* it is told which leader to follow */
    }
    if (member->incarnation != 0)
        peer->bound = member->incarnation;
    peer->member = true;
}

void zab_peers_follow_config(struct replica *zab) {
    if (zab->config_seen == zab->journal.config_version)
        return;
    zab->config_seen = zab->journal.config_version;
    const struct config *config = journal_config(&zab->journal);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (config == NULL || config_member(config, zab->peers[i].id) == NULL) {
            zab->peers[i].member = false;
            zab_peer_away(zab, &zab->peers[i]);
        }
    for (uint32_t i = 0; config != NULL && i < config->count; i++)
        if (config->members[i].id != zab->options.id)
            join(zab, &config->members[i]);
}

void zab_on_peer_up(struct replica *zab, uint64_t id, uint64_t incarnation, uint32_t wire_version) {
    if (id == 0 || id == zab->options.id)
        return;
    struct zab_peer *peer = zab_peer(zab, id);
    if (peer == NULL)
        peer = add_peer(zab, id);
    peer->up = true;
    peer->incarnation = incarnation;
    peer->wire_version = wire_version;
    if (zab_leads(zab))
        zab_peer_away(zab, peer);
    if (id == zab->leader)
        zab_rejoin(zab); /* what was under way on the old connection is lost */
    else if (peer->member && (zab_leads(zab) || zab->phase == ZAB_ELECTION))
        zab_notify(zab, id);
}

void zab_on_peer_down(struct replica *zab, uint64_t id) {
    struct zab_peer *peer = zab_peer(zab, id);
    if (peer == NULL)
        return;
    peer->up = false;
    if (zab_leads(zab))
        zab_peer_away(zab, peer);
    bool voted_for = zab->phase == ZAB_ELECTION && zab->vote.leader == id;
    peer->voted = false;
    if (id == zab->leader && zab->options.mutant == MUTANT_PROMISE_ENDS_WITH_LINK)
        lease_release(&zab->promise);
    if (id == zab->leader || voted_for)
        zab_look(zab);
}

void zab_on_founders(struct replica *zab, const struct folders *met, const struct config *founds) {
    if (!journal_founders(&zab->journal, met, founds))
        return;
    zab_peers_follow_config(zab);
    if (zab->phase == ZAB_ELECTION)
        zab_look(zab);
}

/* ---- changes ---- */

static void append_config(struct replica *zab, const struct config *config) {
    struct journal *journal = &zab->journal;
    cairn_assert(config_valid(config));
    cairn_assert(journal_config_index(journal) <= journal->applied ||
                 zab->options.mutant == MUTANT_JOINT_LEFT_EARLY);
    struct buf payload = {0};
    config_encode(&payload, config);
    uint64_t index = zab_append_own(zab, ENTRY_CONFIG, buf_view(&payload));
    buf_free(&payload);
    journal_config_push(journal, index, config);
    zab_peers_follow_config(zab);
    change_appended(&zab->change, index);
    zab_persist(zab);
    zab_replicate_all(zab);
    zab_maybe_commit(zab);
}

static struct change_member change_member(const void *context, uint64_t id) {
    const struct replica *zab = context;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    if (peer == NULL)
        return (struct change_member){0};
    bool active = zab->now - peer->heard_at < zab->options.election_timeout_max_ns;
    bool synced = peer->member && peer->stage == ZAB_SYNCED;
    return (struct change_member){
        .connected = peer->up,
        .active = active,
        .received = peer->received,
        .incarnation = peer->up ? peer->incarnation : 0,
        .match = peer->member && peer->stage >= ZAB_SYNCING ? peer->stream.progress.match : 0,
        .streaming = synced && peer->stream.progress.state == PROGRESS_REPLICATE};
}

static struct change_leader change_leader(struct replica *zab) {
    return (struct change_leader){&zab->journal, zab->leader_since, zab->transferring,
                                  change_member, zab};
}

static void tell(struct replica *zab, enum cairn_status status) {
    const struct change *change = &zab->change;
    zab_outcome(zab, OUTCOME_CHANGE, change->tag, status, change->index)->outcome.member =
        change->obstacle;
}

void zab_change_lost(struct replica *zab) {
    enum cairn_status status;
    zab->change.obstacle = 0;
    if (change_lost(&zab->change, &status))
        tell(zab, status);
}

/* The requester of the change under way is told first, when another one takes its place. */
static enum cairn_status begin(struct replica *zab, uint64_t tag, const struct config_change *asked,
                               bool *taken_up) {
    struct change_leader leader = change_leader(zab);
    struct config next;
    bool append = false;
    uint64_t former;
    *taken_up = false;
    if (asked->cancel)
        return change_cancel(&zab->change, &leader);
    if (change_supersede(&zab->change, asked, &former))
        zab_outcome(zab, OUTCOME_CHANGE, former, CAIRN_CANCELLED, 0);
    enum cairn_status status = change_begin(&zab->change, &leader, tag, asked, &next, &append);
    *taken_up = status == CAIRN_OK;
    if (*taken_up && append)
        append_config(zab, &next);
    return status;
}

void zab_on_configure(struct replica *zab, uint64_t tag, const struct config_change *asked) {
    enum cairn_status status = CAIRN_NOT_LEADER;
    bool taken_up = false;
    if (zab_established(zab))
        status = begin(zab, tag, asked, &taken_up);
    if (!taken_up)
        zab_outcome(zab, OUTCOME_CHANGE, tag, status, 0);
}

void zab_member_advance(struct replica *zab) {
    if (!zab_established(zab) || zab->journal.full ||
        (journal_config_index(&zab->journal) > zab->journal.applied &&
         (zab->options.mutant != MUTANT_JOINT_LEFT_EARLY || !journal_config(&zab->journal)->joint)))
        return;
    struct change_leader leader = change_leader(zab);
    struct config next;
    enum cairn_status done;
    enum change_step step = change_advance(&zab->change, &leader, &next, &done);
    if (done != CAIRN_STATUS_COUNT)
        tell(zab, done);
    if (step == CHANGE_STEP_APPEND)
        append_config(zab, &next);
    else if (step == CHANGE_STEP_LEAVE)
        zab_hand_over(zab); /* it managed the group until the change was committed */
}
