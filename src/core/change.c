#include "core/change.h"

#include <inttypes.h>
#include <string.h>

/* Election timeouts without progress, until a change is given up: a connected member may be
 * installing a snapshot, one that is not connected does not come for a change's sake. */
#define CONNECTED_PATIENCE 100u
#define ABSENT_PATIENCE 20u
#define IMPATIENCE 2u /* of some changes in the simulator */

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

/* What a change enters first. */
static bool next_of(const struct change_leader *leader, const struct config *now,
                    const struct config *target, struct config *next) {
    if (!joint_of(now, target, next))
        return false;
    if (leader->journal->options->mutant == MUTANT_JOINT_SKIPPED)
        *next = final_of(next);
    return true;
}

static bool untouched(const struct member *was, const struct member *asked) {
    return was != NULL && was->voter == asked->voter && was->rejoining == asked->rejoining &&
           strcmp(was->address, asked->address) == 0;
}

/* What is asked for, as of now: it was asked in view of `before`, and what it left as it was there
 * may have become something else since. Members keep the folders that they are bound to. */
static enum cairn_status target_of(const struct config *now, const struct config *before,
                                   const struct config *asked, bool unbinds,
                                   struct config *target) {
    *target = *asked;
    target->joint = false;
    if (target->count > CONFIG_MEMBERS_MAX)
        return CAIRN_TOO_LARGE;
    for (uint32_t i = 0; i < target->count; i++) {
        struct member *member = &target->members[i];
        const struct member *present = config_member(now, member->id);
        bool same = untouched(config_member(before, member->id), member);
        if (same && present != NULL)
            *member = *present;
        else
            member->rejoining = false;
        member->voter_old = member->leaving = false;
        if (present != NULL)
            member->incarnation = unbinds ? 0 : present->incarnation;
    }
    return config_valid(target) ? CAIRN_OK : CAIRN_INVALID;
}

static bool has_mutant(const struct change_leader *leader, enum mutant mutant) {
    return leader->journal->options->mutant == mutant;
}

static bool unbinds(const struct change_leader *leader) {
    return has_mutant(leader, MUTANT_CHANGE_UNBINDS);
}

static uint64_t self(const struct change_leader *leader) {
    return leader->journal->options->id;
}

static struct change_member member_of(const struct change_leader *leader, uint64_t id) {
    if (id == self(leader))
        return (struct change_member){.connected = true,
                                      .active = true,
                                      .incarnation = leader->journal->options->incarnation,
                                      .match = leader->journal->log.last,
                                      .streaming = true};
    return leader->member(leader->context, id);
}

/* ---- what is seen of the members ---- */

void change_reset(struct change *change) {
    *change = (struct change){0};
}

static struct change_seen *seen_of(struct change *change, uint64_t id) {
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX; i++)
        if (change->seen[i].id == id)
            return &change->seen[i];
    return NULL;
}

static void forget_strangers(struct change *change, const struct config *now) {
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX; i++)
        if (change->seen[i].id != 0 && config_member(now, change->seen[i].id) == NULL)
            change->seen[i] = (struct change_seen){0};
}

/* It must also have the configuration that lists it: without one it would not vote. */
static void look_at(struct change_seen *seen, const struct change_leader *leader,
                    const struct change_member *member) {
    const struct journal *journal = leader->journal;
    if (member->connected)
        seen->connected_at = journal->now;
    if (member->match > seen->match || member->received > seen->received)
        seen->progress_at = journal->now;
    seen->match = member->match > seen->match ? member->match : seen->match;
    seen->received = member->received > seen->received ? member->received : seen->received;
    uint64_t round = journal->now - seen->goal_at;
    bool short_round = round <= journal->options->election_timeout_min_ns;
    if (!member->streaming || !member->active || member->match < journal_config_index(journal) ||
        !short_round)
        seen->ready = false;
    else if (member->match >= seen->goal)
        seen->ready = true;
    if (member->match >= seen->goal || !member->streaming) {
        seen->goal = journal->log.last;
        seen->goal_at = journal->now;
    }
}

static void look_at_members(struct change *change, const struct change_leader *leader) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal);
    forget_strangers(change, now);
    for (uint32_t i = 0; i < now->count; i++) {
        uint64_t id = now->members[i].id;
        struct change_seen *seen = seen_of(change, id);
        if (seen == NULL) {
            seen = seen_of(change, 0);
            *seen = (struct change_seen){.id = id,
                                         .goal = journal->log.last,
                                         .goal_at = journal->now,
                                         .progress_at = journal->now,
                                         .connected_at = journal->now};
        }
        struct change_member member = member_of(leader, id);
        look_at(seen, leader, &member);
    }
}

static bool caught_up(struct change *change, const struct change_leader *leader, uint64_t id) {
    const struct change_seen *seen = seen_of(change, id);
    return id == self(leader) || (seen != NULL && seen->ready);
}

/* ---- an operator's wish ---- */

/* Of all that are to vote, so many may be there in time. */
static bool may_have_quorum(const struct change_leader *leader, const struct config *target) {
    const struct config *now = journal_config(leader->journal);
    unsigned voters = 0, reachable = 0;
    for (uint32_t i = 0; i < target->count; i++) {
        uint64_t id = target->members[i].id;
        if (!target->members[i].voter)
            continue;
        voters++;
        reachable += !config_is_voter(now, id) || member_of(leader, id).active;
    }
    return 2 * reachable > voters;
}

/* The new members as learners, and addresses as asked. True when that differs from what is. */
static bool with_learners(const struct config *now, const struct config *target,
                          struct config *next, enum cairn_status *status) {
    bool news = false;
    *next = *now;
    for (uint32_t i = 0; i < target->count; i++) {
        struct member learner = target->members[i];
        struct member *present = config_find(next, learner.id);
        learner.voter = false;
        if (present == NULL) {
            news = true;
            if (config_add(next, &learner) != CAIRN_OK)
                *status = CAIRN_TOO_LARGE;
        } else if (strcmp(present->address, learner.address) != 0) {
            news = true;
            memcpy(present->address, learner.address, sizeof present->address);
        }
    }
    return news;
}

static void be_patient(struct change *change, uint64_t now) {
    for (uint32_t i = 0; i < CONFIG_MEMBERS_MAX; i++)
        change->seen[i].progress_at = change->seen[i].connected_at = now;
}

enum cairn_status change_begin(struct change *change, const struct change_leader *leader,
                               uint64_t tag, const struct config_change *asked, struct config *next,
                               bool *append) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal);
    struct config target;
    *append = false;
    if (journal->full)
        return CAIRN_NO_SPACE;
    if (change->stage != CHANGE_NONE || now->joint || leader->transferring ||
        journal_config_index(journal) > journal->applied)
        return CAIRN_BUSY;
    enum cairn_status status = target_of(now, now, &asked->target, unbinds(leader), &target);
    if (status == CAIRN_OK && !may_have_quorum(leader, &target))
        status = CAIRN_NO_QUORUM;
    bool news = status == CAIRN_OK && with_learners(now, &target, next, &status);
    if (status != CAIRN_OK)
        return status;
    *append = news;
    change->stage = CHANGE_CATCH_UP;
    change->told = true;
    change->impatient = rare_hit(journal->options->rare, RARE_CHANGE_IMPATIENT);
    change->tag = tag;
    change->asked = (struct config_change){.target = target, .prepare = asked->prepare};
    change->before = *now;
    change->obstacle = 0;
    be_patient(change, journal->now);
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

bool change_supersede(struct change *change, const struct config_change *asked, uint64_t *tag) {
    bool told = change->told;
    if (!asked->supersede || change->stage != CHANGE_CATCH_UP)
        return false;
    *tag = change->tag;
    change->told = false;
    change->stage = CHANGE_NONE;
    return told;
}

static void give_up(struct change *change, enum cairn_status status, uint64_t obstacle) {
    change->stage = CHANGE_BACK;
    change->status = status;
    change->obstacle = obstacle;
}

enum cairn_status change_cancel(struct change *change, const struct change_leader *leader) {
    if (change->stage == CHANGE_CATCH_UP)
        give_up(change, CAIRN_CANCELLED, 0);
    else if (change->stage != CHANGE_NONE || journal_config(leader->journal)->joint)
        return CAIRN_BUSY;
    else
        return CAIRN_NOT_FOUND;
    return CAIRN_OK;
}

bool change_holds(const struct change *change) {
    return change->stage != CHANGE_NONE && change->stage != CHANGE_CATCH_UP;
}

bool change_lost(struct change *change, enum cairn_status *status) {
    bool told = change->told;
    bool forward = change->stage == CHANGE_JOINING || change->stage == CHANGE_LEAVING;
    *status = forward ? CAIRN_UNKNOWN_FATE : CAIRN_NOT_LEADER;
    change->told = false;
    change->stage = CHANGE_NONE;
    return told;
}

/* ---- waiting for the members ---- */

/* Nothing came of it for too long; OK: there is still hope. */
static enum cairn_status verdict_on(struct change *change, const struct change_leader *leader,
                                    uint64_t id) {
    const struct journal *journal = leader->journal;
    const struct change_seen *seen = seen_of(change, id);
    uint64_t unit = journal->options->election_timeout_max_ns;
    if (seen == NULL) /* its entry was appended in this very step */
        return CAIRN_OK;
    bool connected = member_of(leader, id).connected;
    uint64_t patience = change->impatient ? IMPATIENCE
                        : connected       ? CONNECTED_PATIENCE
                                          : ABSENT_PATIENCE;
    uint64_t since = connected ? seen->progress_at : seen->connected_at;
    if (journal->now - since <= unit * patience)
        return CAIRN_OK;
    if (config_is_voter(journal_config(journal), id))
        return CAIRN_NO_QUORUM;
    return connected ? CAIRN_TIMEOUT : CAIRN_UNREACHABLE;
}

/* A mutant: what all have is taken for progress of each. */
static void note_all(struct change *change, const struct change_leader *leader) {
    if (leader->journal->options->mutant == MUTANT_CHANGE_PROGRESS_OF_ALL)
        be_patient(change, leader->journal->now);
}

/* The new voters have the log, and of all that are to vote, a majority has it: else the joint
 * configuration might have to wait for one that itself waits for this leader, which may be gone. */
static bool all_in_step(struct change *change, const struct change_leader *leader,
                        const struct config *target, enum cairn_status *verdict,
                        uint64_t *obstacle) {
    const struct config *now = journal_config(leader->journal);
    unsigned voters = 0, ready = 0;
    uint64_t away = 0; /* a voter that is there now, and not in step */
    bool all = true;
    *verdict = CAIRN_OK;
    note_all(change, leader);
    for (uint32_t i = 0; i < target->count; i++) {
        uint64_t id = target->members[i].id;
        if (!target->members[i].voter)
            continue;
        bool has_it = config_member(now, id) != NULL && caught_up(change, leader, id);
        all = all && (has_it || config_is_voter(now, id));
        voters++;
        ready += has_it;
        if (has_it || *verdict != CAIRN_OK)
            continue;
        enum cairn_status one = verdict_on(change, leader, id);
        if (one == CAIRN_NO_QUORUM) {
            away = id;
        } else if (one != CAIRN_OK) {
            *verdict = one;
            *obstacle = id;
        }
    }
    bool majority = 2 * ready > voters;
    if (away != 0 && *verdict == CAIRN_OK && !majority) { /* else it goes without that one */
        *verdict = CAIRN_NO_QUORUM;
        *obstacle = away;
    }
    return (all && majority) || has_mutant(leader, MUTANT_VOTER_BEFORE_LOG);
}

static bool same_members(const struct config *a, const struct config *b) {
    bool same = a->joint == b->joint && a->count == b->count;
    for (uint32_t i = 0; same && i < a->count; i++) {
        const struct member *x = &a->members[i], *y = &b->members[i];
        same = x->id == y->id && x->incarnation == y->incarnation && x->voter == y->voter &&
               x->voter_old == y->voter_old && x->leaving == y->leaving &&
               x->rejoining == y->rejoining && strcmp(x->address, y->address) == 0;
    }
    return same;
}

/* New voters get the log first, as learners, so that the change does not cost availability
 * (dissertation 4.2.1). */
static enum change_step catch_up(struct change *change, const struct change_leader *leader,
                                 struct config *next, enum cairn_status *done) {
    const struct config *now = journal_config(leader->journal);
    enum cairn_status verdict;
    uint64_t obstacle = 0;
    struct config target;
    target_of(now, &change->before, &change->asked.target, unbinds(leader), &target);
    if (!all_in_step(change, leader, &target, &verdict, &obstacle)) {
        if (verdict != CAIRN_OK)
            give_up(change, verdict, obstacle);
        return CHANGE_STEP_NONE;
    }
    if (change->asked.prepare) {
        end(change, CAIRN_OK, done);
        return CHANGE_STEP_NONE;
    }
    if (!next_of(leader, now, &target, next)) {
        give_up(change, CAIRN_TOO_LARGE, 0);
        return CHANGE_STEP_NONE;
    }
    if (same_members(now, next)) {
        end(change, CAIRN_OK, done);
        return CHANGE_STEP_NONE;
    }
    change->stage = CHANGE_JOINING;
    return CHANGE_STEP_APPEND;
}

/* What the change brought leaves again; what it had to move has its former address. */
static enum change_step go_back(struct change *change, const struct change_leader *leader,
                                struct config *next, enum cairn_status *done) {
    const struct config *now = journal_config(leader->journal), *target = &change->asked.target;
    *next = *now;
    for (uint32_t i = 0; i < target->count; i++) {
        uint64_t id = target->members[i].id;
        const struct member *former = config_member(&change->before, id);
        struct member *present = config_find(next, id);
        if (present != NULL && former == NULL && !present->voter)
            config_remove(next, id);
        else if (present != NULL && former != NULL)
            memcpy(present->address, former->address, sizeof present->address);
    }
    if (!same_members(now, next))
        return CHANGE_STEP_APPEND;
    end(change, change->status, done);
    return CHANGE_STEP_NONE;
}

/* ---- what a leader does by itself ---- */

/* Binds members to the data folders that they came with, several in one entry. A founder is bound
 * to the one with which it was met first, wherever it is now. Founders wait for no other. */
static bool bind_incarnations(const struct change_leader *leader, struct config *next) {
    const struct journal *journal = leader->journal;
    const struct config *now = journal_config(journal);
    bool news = false, all_known = true, founding = journal_config_index(journal) == 0;
    for (uint32_t i = 0; i < now->count; i++) {
        if (now->members[i].incarnation != 0)
            continue;
        uint64_t seen = journal_folder(journal, &now->members[i]);
        if (seen == 0)
            seen = member_of(leader, now->members[i].id).incarnation;
        if (seen != 0 && !news)
            *next = *now; /* seldom, and large */
        news |= seen != 0;
        all_known &= seen != 0;
        if (news)
            next->members[i].incarnation = seen;
    }
    bool patient = journal->now - leader->since < journal->options->election_timeout_max_ns;
    return news && (all_known || founding || !patient);
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
        replaced->voter &= has_mutant(leader, MUTANT_REPLACED_STAYS_VOTER);
        if (!config_valid(&target) || !next_of(leader, now, &target, next))
            continue;
        outbox_trace(&leader->journal->out, 2,
                     "member %" PRIu64 " lost its disk: it rejoins as a learner", member->id);
        return true;
    }
    return false;
}

static bool promote_rejoined(struct change *change, const struct change_leader *leader,
                             struct config *next) {
    const struct config *now = journal_config(leader->journal);
    for (uint32_t i = 0; i < now->count; i++) {
        const struct member *member = &now->members[i];
        if (!member->rejoining || member->voter || !caught_up(change, leader, member->id) ||
            has_mutant(leader, MUTANT_REJOINED_STAYS))
            continue;
        struct config target = *now;
        struct member *promoted = config_find(&target, member->id);
        promoted->voter = true;
        promoted->rejoining = false;
        if (next_of(leader, now, &target, next))
            return true;
    }
    return false;
}

/* An operator's change that waits for its members keeps no other member from coming back. */
static enum change_step by_itself(struct change *change, const struct change_leader *leader,
                                  struct config *next) {
    bool due = !leader->transferring &&
               (bind_incarnations(leader, next) || replace_lost_disk(leader, next) ||
                promote_rejoined(change, leader, next));
    return due ? CHANGE_STEP_APPEND : CHANGE_STEP_NONE;
}

enum change_step change_advance(struct change *change, const struct change_leader *leader,
                                struct config *next, enum cairn_status *done) {
    const struct config *now = journal_config(leader->journal);
    *done = CAIRN_STATUS_COUNT;
    look_at_members(change, leader);
    if (now->joint) {
        if (change->stage != CHANGE_JOINING && has_mutant(leader, MUTANT_JOINT_STAYS))
            return CHANGE_STEP_NONE;
        *next = final_of(now);
        if (change->stage == CHANGE_JOINING)
            change->stage = CHANGE_LEAVING;
        return CHANGE_STEP_APPEND;
    }
    if (change->stage == CHANGE_JOINING || change->stage == CHANGE_LEAVING)
        end(change, CAIRN_OK, done);
    const struct member *own = config_member(now, self(leader));
    if ((own == NULL || !own->voter) && !has_mutant(leader, MUTANT_REMOVED_LEADER_STAYS))
        return CHANGE_STEP_LEAVE;
    enum change_step step = CHANGE_STEP_NONE;
    if (change->stage == CHANGE_CATCH_UP && !leader->transferring)
        step = catch_up(change, leader, next, done);
    if (change->stage == CHANGE_BACK && !leader->transferring)
        step = go_back(change, leader, next, done);
    bool idle = change->stage == CHANGE_NONE || change->stage == CHANGE_CATCH_UP;
    return step == CHANGE_STEP_NONE && idle ? by_itself(change, leader, next) : step;
}
