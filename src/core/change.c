#include "core/change.h"

#include <inttypes.h>

#define CAUGHT_UP_LAG 64u     /* entries */
#define CATCH_UP_PATIENCE 10u /* election timeouts without progress */

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

static enum cairn_status target_of(const struct config *now, const struct config *asked,
                                   struct config *target) {
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

static uint64_t self(const struct change_leader *leader) {
    return leader->journal->options->id;
}

static struct change_member member_of(const struct change_leader *leader, uint64_t id) {
    if (id == self(leader))
        return (struct change_member){leader->journal->options->incarnation,
                                      leader->journal->log.last, true};
    return leader->member(leader->context, id);
}

/* It must also have the configuration that lists it: without one it would not vote. */
static bool caught_up(const struct change_leader *leader, uint64_t id) {
    struct change_member member = member_of(leader, id);
    return member.streaming && member.match >= journal_config_index(leader->journal) &&
           member.match + CAUGHT_UP_LAG >= leader->journal->log.last;
}

/* ---- an operator's wish ---- */

enum cairn_status change_begin(struct change *change, const struct change_leader *leader,
                               uint64_t tag, const struct config_change *asked, struct config *next,
                               bool *append) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal);
    *append = false;
    if (journal->full)
        return CAIRN_NO_SPACE;
    if (change->stage != CHANGE_NONE || now->joint || leader->transferring ||
        journal_config_index(journal) > journal->applied)
        return CAIRN_BUSY;
    enum cairn_status status = target_of(now, &asked->target, &change->target);
    *next = *now;
    for (uint32_t i = 0; status == CAIRN_OK && i < change->target.count; i++) {
        struct member learner = change->target.members[i];
        if (config_member(next, learner.id) != NULL)
            continue;
        learner.voter = false;
        *append = true;
        if (config_add(next, &learner) != CAIRN_OK)
            status = CAIRN_TOO_LARGE;
    }
    if (status != CAIRN_OK) {
        *append = false;
        return status;
    }
    change->stage = CHANGE_CATCH_UP;
    change->told = true;
    change->tag = tag;
    change->progress = 0;
    change->progress_at = journal->now;
    return CAIRN_OK;
}

void change_appended(struct change *change, uint64_t index) {
    change->index = index;
}

static void end(struct change *change, enum cairn_status status, enum cairn_status *done) {
    if (change->told)
        *done = status;
    change->told = false;
    change->stage = CHANGE_NONE;
}

bool change_lost(struct change *change, enum cairn_status *status) {
    bool told = change->told;
    *status = change->stage == CHANGE_CATCH_UP ? CAIRN_NOT_LEADER : CAIRN_UNKNOWN_FATE;
    change->told = false;
    change->stage = CHANGE_NONE;
    return told;
}

/* New voters get the log first, as learners, so that the change does not cost availability
 * (dissertation 4.2.1); and of all that are to vote, a majority has it: else the joint
 * configuration might have to wait for one that itself waits for this leader, who may be gone. */
static enum change_step catch_up(struct change *change, const struct change_leader *leader,
                                 struct config *next, enum cairn_status *done) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal), *target = &change->target;
    uint64_t total = 0;
    unsigned voters = 0, ready = 0;
    bool all = true;
    for (uint32_t i = 0; i < target->count; i++) {
        uint64_t id = target->members[i].id;
        if (!target->members[i].voter)
            continue;
        bool has_it = config_member(now, id) != NULL && caught_up(leader, id);
        all = all && (has_it || config_is_voter(now, id));
        voters++;
        ready += has_it;
        total += member_of(leader, id).match;
    }
    if (!all || 2 * ready <= voters) {
        if (total > change->progress) {
            change->progress = total;
            change->progress_at = journal->now;
        }
        if (journal->now - change->progress_at >
            CATCH_UP_PATIENCE * journal->options->election_timeout_max_ns)
            end(change, CAIRN_BUSY, done);
        return CHANGE_STEP_NONE;
    }
    struct config fresh; /* incarnations may have been bound while the learners caught up */
    target_of(now, target, &fresh);
    if (!joint_of(now, &fresh, next)) {
        end(change, CAIRN_TOO_LARGE, done);
        return CHANGE_STEP_NONE;
    }
    change->stage = CHANGE_JOINING;
    return CHANGE_STEP_APPEND;
}

/* ---- what a leader does by itself ---- */

/* Binds members to the data folders that they came with, several in one entry. */
static bool bind_incarnations(const struct change_leader *leader, struct config *next) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal);
    bool news = false, all_known = true;
    for (uint32_t i = 0; i < now->count; i++) {
        if (now->members[i].incarnation != 0)
            continue;
        uint64_t seen = member_of(leader, now->members[i].id).incarnation;
        if (seen != 0 && !news)
            *next = *now; /* seldom, and large */
        news |= seen != 0;
        all_known &= seen != 0;
        if (news)
            next->members[i].incarnation = seen;
    }
    bool patient = journal->now - leader->since < journal->options->election_timeout_max_ns;
    return news && (all_known || !patient);
}

/* A member came back with another data folder: it forgot its promises and its log. It becomes a
 * learner under its new incarnation, and a voter again once it has the log. */
static bool replace_lost_disk(const struct change_leader *leader, struct config *next) {
    const struct config *now = journal_config(leader->journal);
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *member = &now->members[i];
        uint64_t seen = member_of(leader, member->id).incarnation;
        if (member->id == self(leader) || seen == 0 || member->incarnation == 0 ||
            seen == member->incarnation)
            continue;
        struct config target = *now;
        struct member *replaced = config_find(&target, member->id);
        replaced->rejoining = member->voter || member->rejoining;
        replaced->incarnation = seen;
        replaced->voter = false;
        if (!config_valid(&target) || !joint_of(now, &target, next))
            continue;
        outbox_trace(&leader->journal->out, 2,
                     "member %" PRIu64 " lost its disk: it rejoins as a learner", member->id);
        return true;
    }
    return false;
}

static bool promote_rejoined(const struct change_leader *leader, struct config *next) {
    const struct config *now = journal_config(leader->journal);
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *member = &now->members[i];
        if (!member->rejoining || member->voter || !caught_up(leader, member->id))
            continue;
        struct config target = *now;
        struct member *promoted = config_find(&target, member->id);
        promoted->voter = true;
        promoted->rejoining = false;
        if (joint_of(now, &target, next))
            return true;
    }
    return false;
}

enum change_step change_advance(struct change *change, const struct change_leader *leader,
                                struct config *next, enum cairn_status *done) {
    const struct config *now = journal_config(leader->journal);
    *done = CAIRN_STATUS_COUNT;
    if (now->joint) {
        *next = final_of(now);
        if (change->stage == CHANGE_JOINING)
            change->stage = CHANGE_LEAVING;
        return CHANGE_STEP_APPEND;
    }
    if (change->stage == CHANGE_JOINING || change->stage == CHANGE_LEAVING)
        end(change, CAIRN_OK, done);
    const struct member *own = config_member(now, self(leader));
    if (own == NULL || !own->voter)
        return CHANGE_STEP_LEAVE;
    if (change->stage == CHANGE_CATCH_UP)
        return catch_up(change, leader, next, done);
    bool due = !leader->transferring &&
               (bind_incarnations(leader, next) || replace_lost_disk(leader, next) ||
                promote_rejoined(leader, next));
    return due ? CHANGE_STEP_APPEND : CHANGE_STEP_NONE;
}
