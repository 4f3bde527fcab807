/* Signs of life: the executor's service for machines that hold something for a client only while it
 * lives (core/machine.h, "Lives").
 *
 * Every node gathers the signs that its clients give and passes them on to the leader a few times a
 * second, beside the log. The leader alone keeps time: when none came for a life's timeout it
 * proposes the command that ends it; so an end is decided by the quorum that commits it. A new
 * leader gives every life its full timeout. Time during which the leader itself stood still (a
 * paused process, an overloaded loop) does not count: signs may lie unread in its sockets.
 *
 * LIVES frame: u64 ids.
 */
#ifndef CAIRN_NODE_LIFE_H
#define CAIRN_NODE_LIFE_H

#include "base/hmap.h"
#include "base/list.h"

#include <stdbool.h>
#include <stdint.h>

#define LIVES_SLOTS 256u
#define LIVES_SLOT_NS 64000000ull

struct life {
    struct hnode by_id;
    struct list slot; /* of the wheel, at or before its deadline */
    uint64_t id;
    uint64_t timeout_ns;
    uint64_t deadline_ns; /* on the clock of lives */
    bool ending;          /* its end is proposed */
};

/* The leader's table: a wheel whose slots are looked at when their time has come; a sign only moves
 * the deadline. */
struct lives {
    struct hmap by_id;
    struct list slots[LIVES_SLOTS];
    struct list due;  /* left the wheel */
    uint64_t next;    /* number of the first slot not looked at */
    uint64_t lost_ns; /* during which this leader stood still */
    uint64_t seen_ns; /* the last look at the clock */
    bool kept;        /* this node leads */
    bool counts_all;  /* a seeded bug: time during which it stood still counts */
};

void lives_open(struct lives *lives);
/* Forgets all. */
void lives_clear(struct lives *lives);
/* This node leads from now on: the table is filled by lives_put. */
void lives_begin(struct lives *lives, uint64_t now);
/* It began, or changed hands: it has its full timeout from now. */
void lives_put(struct lives *lives, uint64_t id, uint64_t timeout_ms, uint64_t now);
void lives_remove(struct lives *lives, uint64_t id);
void lives_sign(struct lives *lives, uint64_t id, uint64_t now);
/* One whose time is over, marked as ending; 0: none (more) is due. To be asked until 0. */
uint64_t lives_due(struct lives *lives, uint64_t now);
/* Its end was not committed. It gets a little more time before it is proposed again. */
void lives_again(struct lives *lives, uint64_t id, uint64_t now);
/* When lives_due wants to be asked; UINT64_MAX: never. */
uint64_t lives_deadline(const struct lives *lives);

#endif
