#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <string.h>

#define CAUGHT_UP_LAG 64u     /* entries */
#define CATCH_UP_PATIENCE 10u /* election timeouts without progress */

/* ---- configurations in the log ---- */

const struct config *raft_config(const struct replica *raft) {
    return raft->config_count ? &raft->configs[raft->config_count - 1].config : NULL;
}

uint64_t raft_config_index(const struct replica *raft) {
    return raft->config_count ? raft->configs[raft->config_count - 1].index : 0;
}

const struct config *raft_config_at(const struct replica *raft, uint64_t index) {
    for (uint32_t i = raft->config_count; i > 0; i--)
        if (raft->configs[i - 1].index <= index)
            return &raft->configs[i - 1].config;
    return NULL;
}

bool raft_is_member(const struct replica *raft, uint64_t id) {
    const struct config *config = raft_config(raft);
    return config != NULL && config_member(config, id) != NULL;
}

static void tell(struct replica *raft) {
    const struct config *config = raft_config(raft);
    if (config == NULL)
        return;
    struct config *copy = raft_scratch(raft, sizeof *copy);
    *copy = *config;
    struct effect *effect = raft_emit(raft, EFFECT_CONFIG);
    effect->config.config = copy;
    effect->config.committed = raft_config_index(raft) <= raft->commit;
}

/* In force as soon as it is in the log (section 6). */
void raft_config_push(struct replica *raft, uint64_t index, const struct config *config) {
    if (raft->config_count == raft->config_cap) {
        raft->config_cap = raft->config_cap ? raft->config_cap * 2 : 4;
        raft->configs = cairn_realloc(raft->configs, raft->config_cap * sizeof *raft->configs);
    }
    uint32_t at = raft->config_count++;
    for (; at > 0 && raft->configs[at - 1].index > index; at--)
        raft->configs[at] = raft->configs[at - 1];
    raft->configs[at] = (struct raft_config){index, *config};
    raft_config_changed(raft);
}

void raft_config_truncate(struct replica *raft, uint64_t index) {
    uint32_t before = raft->config_count;
    while (raft->config_count > 0 && raft_config_index(raft) >= index && index > 0)
        raft->config_count--;
    if (raft->config_count != before)
        raft_config_changed(raft);
}

void raft_config_forget(struct replica *raft) {
    uint32_t dead = 0;
    while (dead + 1 < raft->config_count && raft->configs[dead + 1].index <= raft->applied)
        dead++;
    if (dead == 0)
        return;
    raft->config_count -= dead;
    memmove(raft->configs, raft->configs + dead, raft->config_count * sizeof *raft->configs);
}

void raft_config_committed(struct replica *raft) {
    uint64_t index = raft_config_index(raft);
    if (index <= raft->commit && index > raft->config_told) {
        raft->config_told = index;
        tell(raft);
    }
}

/* ---- peers ---- */

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
    progress_free(&peer->progress);
    *peer = (struct raft_peer){.id = id, .known_index = RAFT_NOBODY};
    progress_reset(&peer->progress, raft->log.last + 1);
    return peer;
}

static void join(struct replica *raft, const struct member *member) {
    struct raft_peer *peer = raft_peer(raft, member->id);
    if (peer == NULL)
        peer = add_peer(raft, member->id);
    bool replaced =
        peer->bound != 0 && member->incarnation != 0 && peer->bound != member->incarnation;
    if (!peer->member || replaced) {
        progress_reset(&peer->progress, raft->log.last + 1);
        peer->heard_at = raft->now;
        peer->round = peer->lease_at = peer->load_tag = peer->vote = 0;
    }
    if (member->incarnation != 0)
        peer->bound = member->incarnation;
    peer->member = true;
}

void raft_config_changed(struct replica *raft) {
    const struct config *config = raft_config(raft);
    for (uint32_t i = 0; i < raft->peer_count; i++)
        if (config == NULL || config_member(config, raft->peers[i].id) == NULL)
            raft->peers[i].member = false;
    for (uint32_t i = 0; config != NULL && i < config->count; i++)
        if (config->members[i].id != raft->options.id)
            join(raft, &config->members[i]);
    raft->config_told = raft_config_index(raft) <= raft->commit ? raft_config_index(raft) : 0;
    tell(raft);
}

void raft_on_peer_up(struct replica *raft, uint64_t id, uint64_t incarnation) {
    if (id == 0 || id == raft->options.id)
        return;
    struct raft_peer *peer = raft_peer(raft, id);
    if (peer == NULL)
        peer = add_peer(raft, id);
    peer->up = true;
    peer->incarnation = incarnation;
    if (id == raft->leader)
        raft->leader_lost = false;
    if (raft->role == ROLE_LEADER && peer->member) {
        if (peer->progress.state != PROGRESS_SNAPSHOT)
            progress_probe(&peer->progress);
        raft_heartbeat_to(raft, peer);
        raft_replicate(raft, peer);
    }
}

void raft_on_peer_down(struct replica *raft, uint64_t id) {
    struct raft_peer *peer = raft_peer(raft, id);
    if (peer == NULL)
        return;
    peer->up = false;
    if (raft->role == ROLE_LEADER && peer->member && peer->progress.state != PROGRESS_SNAPSHOT) {
        progress_probe(&peer->progress);
        peer->progress.paused = true;
    }
    if (id == raft->leader)
        raft_leader_lost(raft);
}

/* ---- changes ---- */

static void append_config(struct replica *raft, const struct config *config) {
    cairn_assert(config_valid(config) && raft_config_index(raft) <= raft->applied);
    struct buf payload = {0};
    config_encode(&payload, config);
    uint64_t index = raft_append_own(raft, ENTRY_CONFIG, buf_view(&payload));
    buf_free(&payload);
    raft_config_push(raft, index, config);
    raft->change_index = index;
    raft_persist(raft);
    raft_replicate_all(raft);
    raft_maybe_commit(raft);
}

static bool same_voters(const struct config *a, const struct config *b) {
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX; i++) {
        if (i < a->count && a->members[i].voter && !config_is_voter(b, a->members[i].id))
            return false;
        if (i < b->count && b->members[i].voter && !config_is_voter(a, b->members[i].id))
            return false;
    }
    return true;
}

/* From `now` to `target`, by way of a joint configuration when the voters differ. */
static bool joint_of(const struct config *now, const struct config *target, struct config *joint) {
    *joint = *target;
    if (same_voters(now, target))
        return true;
    joint->joint = true;
    for (uint32_t i = 0; i < joint->count; i++) {
        struct member *member = &joint->members[i];
        const struct member *old = config_member(now, member->id);
        member->voter_old = old != NULL && old->voter;
    }
    for (uint32_t i = 0; i < now->count; i++) {
        struct member gone = now->members[i];
        if (!gone.voter || config_member(target, gone.id) != NULL)
            continue;
        gone.voter = false;
        gone.voter_old = gone.leaving = true;
        if (config_add(joint, &gone) != CAIRN_OK)
            return false;
    }
    return true;
}

static struct config final_of(const struct config *joint) {
    struct config final = *joint;
    final.joint = false;
    for (uint32_t i = final.count; i > 0; i--) {
        struct member *member = &final.members[i - 1];
        member->voter_old = false;
        if (member->leaving)
            config_remove(&final, member->id);
    }
    return final;
}

/* It must also have the configuration that lists it: without one it would not vote. */
static bool caught_up(struct replica *raft, uint64_t id) {
    const struct raft_peer *peer = raft_member(raft, id);
    return id == raft->options.id || (peer != NULL && peer->progress.state == PROGRESS_REPLICATE &&
                                      peer->progress.match >= raft_config_index(raft) &&
                                      peer->progress.match + CAUGHT_UP_LAG >= raft->log.last);
}

static void change_end(struct replica *raft, enum cairn_status status) {
    if (raft->change_told)
        raft_outcome(raft, raft->change_tag, status, raft->change_index);
    raft->change_told = false;
    raft->change = CHANGE_NONE;
}

void raft_change_lost(struct replica *raft) {
    if (raft->change != CHANGE_NONE)
        change_end(raft, raft->change == CHANGE_CATCH_UP ? CAIRN_NOT_LEADER : CAIRN_UNKNOWN_FATE);
}

static enum cairn_status target_of(const struct replica *raft, const struct config *asked,
                                   struct config *target) {
    const struct config *now = raft_config(raft);
    *target = *asked;
    target->joint = false;
    if (target->count > CONFIG_MEMBERS_MAX)
        return CAIRN_TOO_LARGE;
    for (uint32_t i = 0; i < target->count; i++) {
        struct member *member = &target->members[i];
        const struct member *old = config_member(now, member->id);
        member->voter_old = member->leaving = member->rejoining = false;
        if (old != NULL && member->incarnation == 0)
            member->incarnation = old->incarnation;
    }
    return config_valid(target) ? CAIRN_OK : CAIRN_INVALID;
}

void raft_on_configure(struct replica *raft, uint64_t tag, const struct config_change *change) {
    enum cairn_status status = CAIRN_OK;
    if (raft->role != ROLE_LEADER)
        status = CAIRN_NOT_LEADER;
    else if (raft->full)
        status = CAIRN_NO_SPACE;
    else if (raft->change != CHANGE_NONE || raft_config(raft)->joint || raft->transferring ||
             raft_config_index(raft) > raft->applied || !raft_own_term_committed(raft))
        status = CAIRN_BUSY;
    else
        status = target_of(raft, &change->target, &raft->change_target);
    struct config with_learners = {0};
    bool grows = false;
    if (status == CAIRN_OK) {
        with_learners = *raft_config(raft);
        for (uint32_t i = 0; i < raft->change_target.count; i++) {
            struct member learner = raft->change_target.members[i];
            if (config_member(&with_learners, learner.id) != NULL)
                continue;
            learner.voter = false;
            grows = true;
            if (config_add(&with_learners, &learner) != CAIRN_OK)
                status = CAIRN_TOO_LARGE;
        }
    }
    if (status != CAIRN_OK) {
        raft_outcome(raft, tag, status, 0);
        return;
    }
    raft->change = CHANGE_CATCH_UP;
    raft->change_told = true;
    raft->change_tag = tag;
    raft->change_progress = 0;
    raft->change_progress_at = raft->now;
    if (grows)
        append_config(raft, &with_learners);
}

/* New voters get the log first, as learners, so that the change does not cost availability
 * (dissertation 4.2.1). */
static void advance_catch_up(struct replica *raft) {
    const struct config *target = &raft->change_target;
    uint64_t total = 0;
    bool all = true;
    for (uint32_t i = 0; i < target->count; i++) {
        uint64_t id = target->members[i].id;
        const struct raft_peer *peer = raft_member(raft, id);
        if (!target->members[i].voter || config_is_voter(raft_config(raft), id))
            continue;
        all = all && caught_up(raft, id);
        total += peer != NULL ? peer->progress.match : 0;
    }
    if (!all) {
        if (total > raft->change_progress) {
            raft->change_progress = total;
            raft->change_progress_at = raft->now;
        }
        if (raft->now - raft->change_progress_at >
            CATCH_UP_PATIENCE * raft->options.election_timeout_max_ns)
            change_end(raft, CAIRN_BUSY);
        return;
    }
    struct config next;
    /* Incarnations may have been bound while the learners caught up. */
    struct config fresh;
    target_of(raft, target, &fresh);
    if (!joint_of(raft_config(raft), &fresh, &next)) {
        change_end(raft, CAIRN_TOO_LARGE);
        return;
    }
    raft->change = CHANGE_JOINING;
    append_config(raft, &next);
}

/* ---- what a leader does by itself ---- */

static uint64_t incarnation_of(struct replica *raft, uint64_t id) {
    if (id == raft->options.id)
        return raft->options.incarnation;
    const struct raft_peer *peer = raft_peer(raft, id);
    return peer != NULL && peer->up ? peer->incarnation : 0;
}

/* Binds members to the data folders that they came with, several in one entry. */
static bool bind_incarnations(struct replica *raft) {
    struct config next = *raft_config(raft);
    bool news = false, all_known = true;
    for (uint32_t i = 0; i < next.count; i++) {
        struct member *member = &next.members[i];
        if (member->incarnation != 0)
            continue;
        member->incarnation = incarnation_of(raft, member->id);
        news |= member->incarnation != 0;
        all_known &= member->incarnation != 0;
    }
    bool patient = raft->now - raft->leader_since < raft->options.election_timeout_max_ns;
    if (!news || (!all_known && patient))
        return false;
    append_config(raft, &next);
    return true;
}

/* A member came back with another data folder: it forgot its votes and its log. It becomes a
 * learner under its new incarnation, and a voter again once it has the log. */
static bool replace_lost_disk(struct replica *raft) {
    const struct config *now = raft_config(raft);
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *member = &now->members[i];
        uint64_t seen = incarnation_of(raft, member->id);
        if (member->id == raft->options.id || seen == 0 || member->incarnation == 0 ||
            seen == member->incarnation)
            continue;
        struct config target = *now, next;
        struct member *replaced = config_find(&target, member->id);
        replaced->rejoining = member->voter || member->rejoining;
        replaced->incarnation = seen;
        replaced->voter = false;
        if (!config_valid(&target) || !joint_of(now, &target, &next))
            continue;
        raft_trace(raft, 2, "member %" PRIu64 " lost its disk: it rejoins as a learner",
                   member->id);
        append_config(raft, &next);
        return true;
    }
    return false;
}

static bool promote_rejoined(struct replica *raft) {
    const struct config *now = raft_config(raft);
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *member = &now->members[i];
        if (!member->rejoining || member->voter || !caught_up(raft, member->id))
            continue;
        struct config target = *now, next;
        struct member *promoted = config_find(&target, member->id);
        promoted->voter = true;
        promoted->rejoining = false;
        if (!joint_of(now, &target, &next))
            continue;
        append_config(raft, &next);
        return true;
    }
    return false;
}

/* A leader outside the new configuration manages the group until that is committed, then leaves
 * (section 6). */
static void leave(struct replica *raft) {
    raft_heartbeat(raft);
    raft_hand_over(raft);
    raft_become_follower(raft, raft->term, 0);
}

void raft_member_advance(struct replica *raft) {
    if (raft->role != ROLE_LEADER || !raft_own_term_committed(raft) || raft->full)
        return;
    const struct config *now = raft_config(raft);
    if (raft_config_index(raft) > raft->applied)
        return;
    if (now->joint) {
        struct config final = final_of(now);
        if (raft->change == CHANGE_JOINING)
            raft->change = CHANGE_LEAVING;
        append_config(raft, &final);
        return;
    }
    if (raft->change == CHANGE_JOINING || raft->change == CHANGE_LEAVING)
        change_end(raft, CAIRN_OK);
    const struct member *self = config_member(now, raft->options.id);
    if (self == NULL || !self->voter) {
        leave(raft);
        return;
    }
    if (raft->change == CHANGE_CATCH_UP)
        advance_catch_up(raft);
    else if (!raft->transferring && !bind_incarnations(raft) && !replace_lost_disk(raft))
        promote_rejoined(raft);
}
