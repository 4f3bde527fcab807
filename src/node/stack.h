/* A group's stack: what every entry is applied through, in one fixed order: the exactly-once table,
 * then (to come) transaction records and locks, then the machine. Each part has its section in
 * snapshots and its share in the digest.
 *
 * The payload of a command entry is an envelope: a kind byte, then what the kind says. Envelopes
 * are made by the stack_* encoders below; anything else is answered with an error reply.
 */
#ifndef CAIRN_NODE_STACK_H
#define CAIRN_NODE_STACK_H

#include "core/entry.h"
#include "core/machine.h"
#include "core/protocol.h"
#include "node/agreed.h"
#include "node/aim.h"
#include "node/once.h"
#include "node/staging.h"

enum envelope_kind {
    ENVELOPE_MACHINE = 1,   /* machine command */
    ENVELOPE_ONCE,          /* u64 session, u64 sequence, machine command */
    ENVELOPE_SESSION_OPEN,  /* u64 ttl_ms */
    ENVELOPE_SESSION_CLOSE, /* u64 session */
    ENVELOPE_SESSION_DUE,   /* nothing: sessions whose time is over end */
    ENVELOPE_VERSION,       /* u32 cluster version, only ever raised */
    ENVELOPE_AIM,           /* a word of an operator's aim (node/aim.h); since version 3 */
    /* Proposed from cluster version 3 on. */
    ENVELOPE_PARAMETERS = 16, /* u64 revision in force, u32 session_window, u64 value_bytes_max */
    ENVELOPE_NUMBER,          /* u64 cluster number; the first one stays */
    ENVELOPE_TIME,            /* u64 ms, to which replicated time goes back */
    ENVELOPE_PIECE = 32,      /* upload (u64 node, u64 number), u64 total, u64 offset, bytes */
    ENVELOPE_WHOLE,           /* upload, u64 total: what its pieces make is the envelope */
    ENVELOPE_PIECES_DROP,     /* upload: it is given up */
    ENVELOPE_PIECES_DUE       /* nothing: those that were forgotten go */
};

enum stack_section {
    STACK_SECTION_HEAD = 1,
    STACK_SECTION_ONCE,
    STACK_SECTION_MACHINE,
    STACK_SECTION_AIMS,        /* when there are any */
    STACK_SECTION_STAGING = 16 /* when there is any */
};

struct stack {
    const struct machine_kind *kind;
    struct machine *machine;
    struct once *once;
    struct aims *aims; /* of operators; used in the first keyspace */
    struct staging *staging;
    struct buf gathered; /* of a WHOLE that is being executed */
    bool pieces_lost;    /* the entry applied last was a WHOLE whose pieces are not all there */
    struct agreed agreed;
    struct agreed_parameters own; /* this node's settings: in force until others are agreed */
    enum mutant mutant;
};

void stack_open(struct stack *stack, const struct machine_kind *kind,
                const struct machine_options *options, uint32_t session_window);
void stack_close(struct stack *stack);
/* Other settings than those that it was opened with; nothing was applied yet. */
void stack_set_own(struct stack *stack, const struct agreed_parameters *own);

/* As of struct apply_context (core/machine.h). */
struct stack_asks {
    struct work *work;
    bool unheard;
    void **later;
};
/* Appends exactly one reply value for a command entry; none for other kinds of entry. */
void stack_apply(struct stack *stack, const struct entry *entry, const struct stack_asks *asks,
                 struct buf *reply, struct buf *changes);
uint64_t stack_digest(const struct stack *stack);

/* What time brings about: the earliest moment, and the envelope that brings it. */
uint64_t stack_next_due(const struct stack *stack);
/* under_way: how many such envelopes were proposed and are not applied yet. */
bool stack_due(const struct stack *stack, uint64_t time_ms, uint32_t under_way,
               struct buf *envelope);

void stack_encode_machine(struct buf *out, struct bytes command);
void stack_encode_once(struct buf *out, uint64_t session, uint64_t sequence, struct bytes command);
void stack_encode_open(struct buf *out, uint64_t ttl_ms);
void stack_encode_close(struct buf *out, uint64_t session);
void stack_encode_version(struct buf *out, uint32_t version);
void stack_encode_parameters(struct buf *out, const struct agreed_parameters *wanted);
void stack_encode_number(struct buf *out, uint64_t number);
void stack_encode_time(struct buf *out, uint64_t time_ms);
/* What follows is an aim_encode_*. */
void stack_encode_aim(struct buf *out);

void stack_encode_piece(struct buf *out, struct upload_id id, uint64_t total, uint64_t offset);
void stack_encode_whole(struct buf *out, struct upload_id id, uint64_t total);
void stack_encode_pieces_drop(struct buf *out, struct upload_id id);

/* A frozen version of the whole stack. next: appends one chunk of one section; false when there
 * is no more. next may run beside the loop, one call at a time; begin and end on the loop. */
struct stack_snapshot;
struct stack_snapshot *stack_snapshot_begin(struct stack *stack);
bool stack_snapshot_next(struct stack_snapshot *snapshot, size_t target, struct buf *out,
                         uint32_t *section, uint32_t *version);
/* All of it was given: is it what was put there? False: memory changed by itself. */
bool stack_snapshot_intact(const struct stack_snapshot *snapshot);
void stack_snapshot_end(struct stack *stack, struct stack_snapshot *snapshot);

void stack_restore_begin(struct stack *stack);
enum cairn_status stack_restore_chunk(struct stack *stack, uint32_t section, uint32_t version,
                                      struct bytes chunk);
enum cairn_status stack_restore_end(struct stack *stack);

/* A slice of housekeeping; true while more waits. */
bool stack_tidy(struct stack *stack, size_t budget);

#endif
