/* The aim of an operator: members as they shall be in every keyspace. It is replicated state of the
 * first keyspace's group, so that it is taken up again by the next leader of that one, and ends
 * with one answer: done everywhere, or nothing changed. One is under way at a time.
 *
 *   PREPARE     new voters get the log of every keyspace, as learners; no vote changes yet
 *   CARRY_OUT   each keyspace changes its members
 *   BACK        it failed, or was cancelled: each keyspace goes back to what it was
 *
 * PREPARE -> CARRY_OUT -> done; PREPARE, CARRY_OUT -> BACK -> failed, cancelled. What is done in
 * which phase, and when the next one is recorded: aim_drive.c.
 *
 * Pure: applied from entries. Only a group whose cluster version is 3 or more gets such entries.
 */
#ifndef CAIRN_NODE_AIM_H
#define CAIRN_NODE_AIM_H

#include "core/machine.h"
#include "core/wish.h"

#define AIM_KEYSPACES_MAX 4u
#define AIM_REASON_MAX 256u
#define AIMS_KEPT 4u /* that ended, for later questions */

enum aim_phase { AIM_NONE, AIM_PREPARE, AIM_CARRY_OUT, AIM_BACK };
enum aim_end {
    AIM_UNDER_WAY,
    AIM_DONE,
    AIM_FAILED,
    AIM_CANCELLED,
    AIM_HALF /* it failed, and a keyspace could not go back: asked for again, it goes on from there
              */
};

struct aim {
    uint64_t id;    /* the index of the entry that recorded it; 0: none */
    uint64_t token; /* drawn by the node that was asked: one wish sent twice is one aim */
    enum aim_phase phase;
    enum aim_end end; /* BACK: how it will have ended */
    uint64_t since_ms, ended_ms;
    struct wishes wanted;
    uint32_t keyspaces;
    struct wishes former[AIM_KEYSPACES_MAX];
    char reason[AIM_REASON_MAX]; /* why it failed */
};

struct aims {
    struct aim now;              /* id 0: none is under way */
    struct aim ended[AIMS_KEPT]; /* newest first */
    uint64_t changes;            /* rises with every change; not replicated */
};

/* Envelopes' contents. */
void aim_encode_record(struct buf *out, const struct aim *aim);
/* A later phase of the aim of that id. */
void aim_encode_phase(struct buf *out, uint64_t id, enum aim_phase phase, enum aim_end end,
                      const char *reason);
void aim_encode_end(struct buf *out, uint64_t id, enum aim_end end, const char *reason);
/* id 0: whichever is under way. */
void aim_encode_cancel(struct buf *out, uint64_t id);

/* Appends exactly one reply: the aim's id; or an error, when another one is under way (RECORD) or
 * none is (CANCEL). What is told of an aim that is not under way changes nothing. */
void aims_apply(struct aims *aims, const struct apply_context *context, struct reader *reader,
                struct buf *reply);

/* The aim of that id, under way or ended; NULL: not known (any more). */
const struct aim *aims_find(const struct aims *aims, uint64_t id);
static inline bool aims_empty(const struct aims *aims) {
    return aims->now.id == 0 && aims->ended[0].id == 0;
}
const char *aim_phase_text(const struct aim *aim);

/* For snapshots and digests. */
void aims_encode(struct buf *out, const struct aims *aims);
enum cairn_status aims_decode(struct bytes bytes, struct aims *aims);

#endif
