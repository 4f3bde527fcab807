/* Changes of a group's members, as the leader of a logged protocol drives them: new voters get the
 * log first, as learners; then a joint configuration, then the final one (Ongaro 2014, chapter 4).
 * Members are bound to the incarnation of their data folder; one that returns with another is taken
 * in as a learner and made a voter again once caught up. Everything is a configuration entry; this
 * module says which is due next, the protocol appends it.
 */
#ifndef CAIRN_CORE_CHANGE_H
#define CAIRN_CORE_CHANGE_H

#include "core/journal.h"

enum change_stage { CHANGE_NONE, CHANGE_CATCH_UP, CHANGE_JOINING, CHANGE_LEAVING };

struct change { /* zero-initialised */
    enum change_stage stage;
    bool told; /* somebody waits for the outcome */
    uint64_t tag;
    struct config target;
    uint64_t index;    /* of the configuration entry under way */
    uint64_t progress; /* what the learners had when progress was last seen */
    uint64_t progress_at;
};

/* What the leader knows of a member other than itself; zero when nothing. */
struct change_member {
    uint64_t incarnation; /* of the connected data folder; 0: not connected or unknown */
    uint64_t match;       /* it has the log up to here */
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

/* An operator's wish. The outcome is OK when it is taken up, else the refusal; `next` holds a
 * configuration to append when `append` is set (the new members as learners). */
enum cairn_status change_begin(struct change *change, const struct change_leader *leader,
                               uint64_t tag, const struct config_change *asked, struct config *next,
                               bool *append);
/* To be called when everything up to the newest configuration is applied and the leader may append.
 * *done is set to a status when the change's outcome is to be told (change->tag, change->index);
 * CAIRN_STATUS_COUNT: not. */
enum change_step change_advance(struct change *change, const struct change_leader *leader,
                                struct config *next, enum cairn_status *done);
void change_appended(struct change *change, uint64_t index);
/* Leadership is lost: true when somebody must be told `status`. */
bool change_lost(struct change *change, enum cairn_status *status);

#endif
