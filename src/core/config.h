/* A group's configuration: its members with their roles. Joint while two sets of voters hold at
 * once (Ongaro & Ousterhout 2014, section 6): then every decision needs a majority of both.
 */
#ifndef CAIRN_CORE_CONFIG_H
#define CAIRN_CORE_CONFIG_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

#define CONFIG_MEMBERS_MAX 16
#define CONFIG_ADDRESS_MAX 128 /* "host:port" with its terminating zero */

struct member {
    uint64_t id;          /* > 0 */
    uint64_t incarnation; /* of its data folder; 0: not bound yet, any is accepted */
    bool voter;           /* in the (new) set of voters */
    bool voter_old;       /* in the outgoing set; meaningful while joint */
    /* neither: a learner, which receives the log and counts in no quorum */
    bool leaving;   /* joint: no member any more once the change is done; else it stays a learner */
    bool rejoining; /* a learner whose disk was replaced: made a voter again once caught up */
    char address[CONFIG_ADDRESS_MAX]; /* of its peer port */
};

struct config {
    bool joint;
    uint32_t count;
    struct member members[CONFIG_MEMBERS_MAX]; /* by rising id */
};

struct member *config_find(struct config *config, uint64_t id);
const struct member *config_member(const struct config *config, uint64_t id);
/* True for a member of either set of voters. */
bool config_is_voter(const struct config *config, uint64_t id);
/* Keeps the order by id. EXISTS, TOO_LARGE. */
enum cairn_status config_add(struct config *config, const struct member *member);
void config_remove(struct config *config, uint64_t id);
/* Well formed: ids rise, at least one voter in each active set, addresses terminated. */
bool config_valid(const struct config *config);

void config_encode(struct buf *out, const struct config *config);
enum cairn_status config_decode(struct bytes bytes, struct config *config);

/* What an operator asks for: a whole new set of members. Roles come from `voter`; voter_old and
 * joint are ignored. */
struct config_change {
    struct config target;
    bool
        prepare; /* only until the new voters, still learners, have the log: nothing else changes */
    bool supersede; /* takes the place of a change that still waits for its members */
    bool cancel;    /* no wish of its own: the change under way is given up, if it still may be */
};

/* ---- quorums over a configuration ---- */

typedef uint64_t quorum_value(const void *context, uint64_t id);
/* The highest value that a majority (of both sets, while joint) has reached: the commit rule. */
uint64_t quorum_reached(const struct config *config, quorum_value *value, const void *context);

enum quorum_vote { QUORUM_PENDING, QUORUM_WON, QUORUM_LOST };
/* vote(id): 0 no answer yet, 1 no, 2 yes. */
enum quorum_vote quorum_votes(const struct config *config, quorum_value *vote, const void *context);
/* The other members decide without that one. */
bool config_decides_without(const struct config *config, uint64_t id);

#endif
