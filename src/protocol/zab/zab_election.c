/* Phase 0, fast leader election: looking replicas tell which one they would have lead, adopt better
 * votes, and agree. Who is elected only has a chance: phases 1 and 2 decide. */
#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

/* ---- which replicas take part ---- */

/* False when the configuration names another data folder than ours for this id. */
static bool is_ours(const struct replica *zab, const struct member *self) {
    return self->incarnation == 0 || zab->options.incarnation == 0 ||
           self->incarnation == zab->options.incarnation;
}

/* An observer, or a member that is not listed yet, has a voice when others count it: it may have
 * been made a voter and not know it. A replica without any configuration is blank, perhaps by
 * having lost its disk, and has none. */
bool zab_may_vote(const struct replica *zab) {
    const struct config *config = journal_config(&zab->journal);
    if (zab->journal.failed || zab->mending || zab->amnesia || config == NULL)
        return false;
    const struct member *self = config_member(config, zab->options.id);
    return self == NULL || is_ours(zab, self);
}

bool zab_may_lead(const struct replica *zab) {
    return zab_may_vote(zab) && journal_voter_until_committed(&zab->journal) && !zab->installing &&
           !journal_disk_stalled(&zab->journal);
}

static uint64_t told_at(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return zab->now;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL ? peer->heard_at : 0;
}

/* One that hears no quorum can't lead, and votes for it keep those from another that can: from one
 * that alone sees all the others, say. It steps aside once an election has gone on for a while. */
static bool hears_too_few(const struct replica *zab) {
    uint64_t patience = zab->options.election_timeout_max_ns;
    return zab->phase == ZAB_ELECTION && zab->now - zab->leaderless_since > patience &&
           zab->now - quorum_reached(journal_config(&zab->journal), told_at, zab) > patience;
}

/* One that its own configuration removes may be needed until that is committed, and one whose disk
 * is full when all others' are, but others first. */
bool zab_stands(const struct replica *zab) {
    if (!zab_may_lead(zab) || zab->now < zab->makes_way_until || hears_too_few(zab))
        return false;
    return (config_is_voter(journal_config(&zab->journal), zab->options.id) &&
            journal_takes_commands(&zab->journal)) ||
           zab->now - zab->leaderless_since > 2 * zab->options.election_timeout_max_ns;
}

uint64_t zab_voice(const struct replica *zab) {
    return (zab_may_vote(zab) ? ZAB_FLAG_VOTES : 0) | (zab_stands(zab) ? ZAB_FLAG_ELIGIBLE : 0);
}

/* What this replica promised by hearing a leader, in this life and perhaps in an earlier one: to
 * accept no other epoch until then, so that no lease is broken. */
uint64_t zab_promise_until(const struct replica *zab) {
    return zab->options.mutant == MUTANT_ZAB_PROMISE_IGNORED ? 0 : lease_promise_end(&zab->promise);
}

/* ---- votes ---- */

struct zab_vote zab_own_vote(const struct replica *zab) {
    const struct log *log = &zab->journal.log;
    return (struct zab_vote){zab->options.id, log_last_term(log), log->last};
}

bool zab_vote_better(struct zab_vote a, struct zab_vote b) {
    if (a.leader == 0 || b.leader == 0)
        return a.leader != 0 && b.leader == 0;
    if (a.term != b.term)
        return a.term > b.term;
    if (a.index != b.index)
        return a.index > b.index;
    return a.leader > b.leader;
}

static bool same(struct zab_vote a, struct zab_vote b) {
    return a.leader == b.leader && a.term == b.term && a.index == b.index;
}

void zab_notify(struct replica *zab, uint64_t to) {
    struct zab_vote vote = zab->phase == ZAB_ELECTION ? zab->vote : zab_own_vote(zab);
    struct zab_message message = {.type = ZAB_NOTIFICATION,
                                  .term = zab->accepted,
                                  .round = zab->round,
                                  .leader = vote.leader,
                                  .log_term = vote.term,
                                  .index = vote.index,
                                  .lease_ns = zab_lease_asked(zab)};
    if (zab->phase != ZAB_ELECTION) {
        message.leader = zab->leader;
        message.flags = zab_leads(zab) ? ZAB_FLAG_LEADING : ZAB_FLAG_FOLLOWING;
    }
    message.flags |= (zab->active ? ZAB_FLAG_ACTIVE : 0) | (zab_may_vote(zab) ? ZAB_FLAG_VOTES : 0);
    zab_send(zab, to, zab->journal.hard_seq, &message, NULL, 0);
}

static void notify_all(struct replica *zab) {
    zab->notify_at = zab->now + zab->options.heartbeat_ns;
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].member || (zab->peers[i].up && zab->peers[i].voted))
            zab_notify(zab, zab->peers[i].id);
}

/* ---- looking ---- */

static void forget_leadership(struct replica *zab) {
    zab->epoch_chosen = false;
    zab->term_first = 0;
    zab->uncommitted_bytes = 0;
    zab->lease_revoked = true;
    zab_change_lost(zab);
    for (uint32_t i = 0; i < zab->peer_count; i++)
        zab_peer_away(zab, &zab->peers[i]);
}

void zab_forget_leader(struct replica *zab) {
    if (zab_leads(zab))
        forget_leadership(zab);
    zab->leader = 0;
    zab->active = false;
    zab->nonce = 0;
    zab->epoch_pending = 0;
    zab->synced = false;
    zab->verified = zab->commit_heard = zab->mend_target = 0;
    zab->transferring = false;
    if (journal_give_up(&zab->journal))
        zab_peers_follow_config(zab);
}

/* A vote of the round that is on; stays until the next round begins. */
static uint64_t vote_of(const void *context, uint64_t id) {
    const struct replica *zab = context;
    if (id == zab->options.id)
        return zab_may_vote(zab) ? 2 : 0;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    if (peer == NULL || !peer->voted)
        return 0;
    return peer->vote.leader == zab->vote.leader ? 2 : 0;
}

/* All agree, also those that a newer configuration than ours may count. */
static bool all_voted(const struct replica *zab, const struct config *config) {
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].up && vote_of(zab, zab->peers[i].id) != 2)
            return false;
    for (uint32_t i = 0; i < config->count; i++)
        if (config_is_voter(config, config->members[i].id) &&
            vote_of(zab, config->members[i].id) != 2)
            return false;
    return true;
}

static void decide(struct replica *zab) {
    uint64_t leader = zab->vote.leader;
    if (leader != zab->options.id)
        zab_follow(zab, leader);
    else if (zab_may_lead(zab))
        zab_lead(zab);
    else
        zab_look(zab); /* its disk may have stalled since it voted */
}

static void count(struct replica *zab) {
    const struct config *config = journal_config(&zab->journal);
    if (zab->vote.leader == 0 || config == NULL || !zab_may_vote(zab) ||
        quorum_votes(config, vote_of, zab) != QUORUM_WON)
        zab->finalize_at = 0;
    else if (all_voted(zab, config) || zab->decides_early)
        decide(zab);
    else if (zab->finalize_at == 0)
        zab->finalize_at = zab->now + zab->options.heartbeat_ns; /* a better vote may come */
}

static void begin_round(struct replica *zab, uint64_t round) {
    zab->round = round;
    zab->finalize_at = 0;
    zab->vote = zab_stands(zab) ? zab_own_vote(zab) : (struct zab_vote){0};
    zab->decides_early = rare_hit(zab->options.rare, RARE_ZAB_DECIDE_EARLY);
    for (uint32_t i = 0; i < zab->peer_count; i++) {
        struct zab_peer *peer = &zab->peers[i];
        peer->voted = peer->voted && peer->vote_round == round;
    }
}

void zab_look(struct replica *zab) {
    if (zab->active)
        zab->leaderless_since = zab->now;
    zab_forget_leader(zab);
    zab->phase = ZAB_ELECTION;
    reads_refuse_all(&zab->reads, CAIRN_NO_QUORUM);
    begin_round(zab, zab->round + 1);
    zab_role_tell(zab);
    notify_all(zab);
    count(zab);
}

void zab_election_tick(struct replica *zab) {
    cairn_assert(zab->phase == ZAB_ELECTION);
    if (zab->finalize_at != 0 && zab->now >= zab->finalize_at) {
        decide(zab);
        return;
    }
    if (zab->now < zab->notify_at)
        return;
    /* It may have become able to lead since, or unable. */
    bool own = zab->vote.leader == zab->options.id;
    if (own != zab_stands(zab) && (own || zab->vote.leader == 0))
        zab->vote = own ? (struct zab_vote){0} : zab_own_vote(zab);
    notify_all(zab);
    count(zab);
}

/* ---- hearing of others ---- */

static void adopt(struct replica *zab, struct zab_vote vote) {
    zab->vote = vote;
    zab->finalize_at = 0;
    notify_all(zab);
}

static void note_vote(struct replica *zab, struct zab_peer *peer, uint64_t round,
                      struct zab_vote vote) {
    peer->voted = true;
    peer->vote_round = round;
    peer->vote = vote;
}

/* Another replica that looks. */
static void on_looking(struct replica *zab, struct zab_peer *peer,
                       const struct zab_message *message, struct zab_vote vote) {
    if (!zab_may_vote(zab))
        return; /* it tells every node now and then where it is, and has no vote to compare */
    if (!(message->flags & ZAB_FLAG_VOTES)) {
        zab_notify(zab, peer->id);
        return;
    }
    if (message->round < zab->round) {
        zab_notify(zab, peer->id); /* it learns the round, and votes again */
        return;
    }
    if (message->round > zab->round) {
        begin_round(zab, message->round);
        if (zab_vote_better(vote, zab->vote))
            zab->vote = vote;
        notify_all(zab);
    } else if (zab_vote_better(vote, zab->vote)) {
        adopt(zab, vote);
    } else if (!same(vote, zab->vote)) {
        zab_notify(zab, peer->id);
    }
    note_vote(zab, peer, message->round, vote);
    count(zab);
}

/* A replica that leads, or is about to, while we look. */
static void on_leading(struct replica *zab, struct zab_peer *peer,
                       const struct zab_message *message, struct zab_vote vote) {
    /* One that has less of the history is told so by the next notification, and gives up. */
    struct zab_vote own = zab_own_vote(zab);
    if (!zab_stands(zab))
        own.leader = vote.leader; /* of two with one history, the one that stands */
    bool better = zab_may_vote(zab) && !zab_vote_better(own, vote);
    if (message->flags & ZAB_FLAG_ACTIVE || better)
        zab_follow(zab, peer->id);
}

/* Told by a looking replica to one that leads or follows. */
static void answer_looking(struct replica *zab, struct zab_peer *peer,
                           const struct zab_message *message, struct zab_vote vote) {
    if (zab_leads(zab)) {
        if (!journal_is_member(&zab->journal, peer->id))
            return;               /* it was removed */
        zab_peer_away(zab, peer); /* it left, or restarted */
    }
    /* It would be given up in phase 1 anyway: the looking replica has more of the history. */
    if (zab_leads(zab) && zab->phase == ZAB_DISCOVERY && !zab->epoch_chosen &&
        message->flags & ZAB_FLAG_VOTES && zab_vote_better(vote, zab_own_vote(zab))) {
        zab_look(zab);
        return;
    }
    /* The leader that was followed looks itself, and not because its own count is not done yet. */
    if (peer->id == zab->leader && (zab->phase != ZAB_DISCOVERY || message->round > zab->round ||
                                    message->leader != peer->id)) {
        if (message->round > zab->round)
            zab->round = message->round - 1;
        zab_look(zab);
        return;
    }
    zab_notify(zab, peer->id);
}

/* A leader's word to one that leads or follows. */
static void on_rival(struct replica *zab, struct zab_peer *peer, const struct zab_message *message,
                     struct zab_vote vote) {
    bool active = message->flags & ZAB_FLAG_ACTIVE;
    if (peer->id == zab->leader) {
        /* It does not know us any more. Its word may also have crossed our CEPOCH. */
        if (zab->phase != ZAB_DISCOVERY && zab->now - zab->joined_at > zab->options.heartbeat_ns)
            zab_rejoin(zab);
        return;
    }
    if (active && (zab->active ? message->term > zab->accepted : message->term >= zab->accepted)) {
        zab_follow(zab, peer->id);
    } else if (zab_leads(zab) && zab->phase == ZAB_DISCOVERY && !zab->epoch_chosen &&
               zab_vote_better(vote, zab_own_vote(zab))) {
        zab_follow(zab, peer->id);
    }
}

void zab_on_notification(struct replica *zab, const struct zab_message *message) {
    struct zab_peer *peer = zab_peer(zab, message->from);
    if (peer == NULL)
        return;
    if (zab->amnesia) {
        if (message->term > zab->accepted) {
            zab->accepted = message->term;
            zab->accepted_from = ZAB_NO_LEADER;
            zab->journal.hard_dirty = true;
            zab_role_tell(zab);
        }
        peer->term_told = true;
        peer->lease_told = message->more ? lease_limited(message->lease_ns) : 0;
        zab_amnesia_advance(zab);
        return;
    }
    struct zab_vote vote = {message->leader, message->log_term, message->index};
    bool looks = !(message->flags & (ZAB_FLAG_LEADING | ZAB_FLAG_FOLLOWING));
    if (zab->phase != ZAB_ELECTION) {
        if (looks)
            answer_looking(zab, peer, message, vote);
        else if (message->flags & ZAB_FLAG_LEADING)
            on_rival(zab, peer, message, vote);
        else if (zab_leads(zab) && message->leader != zab->options.id)
            zab_peer_away(zab, peer); /* it follows another by now */
        else if (peer->id == zab->leader && zab->phase == ZAB_DISCOVERY &&
                 zab->now - zab->joined_at > zab->options.heartbeat_ns)
            zab_look(zab); /* it follows another, and not because word has not reached it yet */
        return;
    }
    peer->heard_at = zab->now;
    if (looks) {
        on_looking(zab, peer, message, vote);
        return;
    }
    if (message->flags & ZAB_FLAG_LEADING) {
        on_leading(zab, peer, message, vote);
        return;
    }
    if (message->round == zab->round && message->flags & ZAB_FLAG_VOTES &&
        message->leader == zab->vote.leader) {
        note_vote(zab, peer, message->round, zab->vote);
        count(zab);
    }
}

void zab_elected_by(struct replica *zab, struct zab_peer *peer) {
    if (zab->phase != ZAB_ELECTION || !zab_may_lead(zab) || zab->vote.leader != zab->options.id)
        return;
    note_vote(zab, peer, zab->round, zab->vote);
    count(zab);
}
