/* Changes of a group's members, as the leader of a logged protocol drives them: new voters get the
 * log first, as learners; then a joint configuration, then the final one (Ongaro 2014, chapter 4).
 * What can't be done leaves nothing behind: the learners that a change brought are taken out again
 * when it is given up, and a joint configuration, once begun, goes forward.
 *
 * Members are bound to the incarnation of their data folder; one that returns with another is taken
 * in as a learner and made a voter again once caught up. Everything is a configuration entry; this
 * module says which is due next, the protocol appends it.
 *
 * Only what the members that lack something have gained counts as progress: entries that match, and
 * bytes of a snapshot on its way. A change ends when one of them gains nothing for too long:
 * UNREACHABLE (it is not connected), TIMEOUT (connected, and does not catch up), or NO_QUORUM (a
 * present voter that the new set can't do without is not there).
 */
#ifndef CAIRN_CORE_CHANGE_H
#define CAIRN_CORE_CHANGE_H

#include "core/journal.h"

enum change_stage {
    CHANGE_NONE,
    CHANGE_CATCH_UP, /* may be given up */
    CHANGE_JOINING,  /* goes forward from here on */
    CHANGE_LEAVING,
    CHANGE_BACK /* is given up: what it brought leaves again */
};

/* What was seen of a member other than the leader. */
struct change_seen {
    uint64_t id;
    uint64_t match, received; /* the most that it ever had */
    uint64_t progress_at;     /* when that rose, or when a change began to wait for it */
    uint64_t connected_at;    /* when it was connected last, likewise */
    /* The rounds of dissertation 4.2.1: it has what was there when the round began. */
    uint64_t goal, goal_at;
    bool ready; /* its last round took less than an election timeout */
};

struct change { /* zero-initialised */
    enum change_stage stage;
    bool told;      /* a requester waits for the outcome */
    bool impatient; /* it is given up early (base/rare.h) */
    uint64_t tag;
    struct config_change asked;
    struct config before;     /* the configuration in which it began */
    enum cairn_status status; /* BACK: that will be told */
    uint64_t obstacle;        /* the member that was in the way when it ended; 0: none */
    uint64_t index;           /* of the configuration entry under way */
    struct change_seen seen[CONFIG_MEMBERS_MAX];
};

/* What the leader knows of a member other than itself; zero when nothing. */
struct change_member {
    bool connected;
    bool active;          /* heard from within an election timeout */
    uint64_t incarnation; /* of the connected data folder; 0: not connected or unknown */
    uint64_t match;       /* it has the log up to here */
    uint64_t received;    /* of a snapshot, as EVENT_SNAPSHOT_PROGRESS counts */
    bool streaming;       /* and receives what follows */
};
typedef struct change_member change_member_of(const void *context, uint64_t id);

/* A leader, as this module sees it. */
struct change_leader {
    struct journal *journal;
    uint64_t since; /* when it began to lead */
    bool transferring;
    change_member_of *member;
    const void *context;
};

/* What the leader does next. */
enum change_step {
    CHANGE_STEP_NONE,
    CHANGE_STEP_APPEND, /* append the configuration, tell the entry's index by change_appended */
    CHANGE_STEP_LEAVE   /* a configuration without this leader is committed: hand over */
};

/* A new leader knows of no change, and has seen no member yet. */
void change_reset(struct change *change);
/* An operator's wish. The outcome is OK when it is taken up, else the refusal; `next` holds a
 * configuration to append when `append` is set (the new members as learners). BUSY: another change
 * is under way. NO_QUORUM: of the voters that would be, a majority can't be reached now. */
enum cairn_status change_begin(struct change *change, const struct change_leader *leader,
                               uint64_t tag, const struct config_change *asked, struct config *next,
                               bool *append);
/* Gives up a change that still waits for its members, as CANCELLED, when `asked` takes its place or
 * cancels it. True: a requester waits for that outcome (tag). */
bool change_supersede(struct change *change, const struct config_change *asked, uint64_t *tag);
/* The word of an operator: the change under way ends as CANCELLED, and leaves nothing behind.
 * NOT_FOUND: there is none; BUSY: it is joint, and goes forward. */
enum cairn_status change_cancel(struct change *change, const struct change_leader *leader);
/* To be called when everything up to the newest configuration is applied and the leader may append.
 * *done is set to a status when the change's outcome is to be told (change->tag, change->index,
 * change->obstacle); CAIRN_STATUS_COUNT: not. */
enum change_step change_advance(struct change *change, const struct change_leader *leader,
                                struct config *next, enum cairn_status *done);
void change_appended(struct change *change, uint64_t index);
/* It may not be disturbed: leadership stays where it is until it is over. */
bool change_holds(const struct change *change);
/* Leadership is lost: true when a requester must be told `status`. */
bool change_lost(struct change *change, enum cairn_status *status);

#endif
