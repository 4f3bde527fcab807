/* The protocol contract: one pure function, step(replica, event) -> effects.
 *
 * A protocol core decides how replicas agree. It makes no calls out: no I/O, no clock, no thread,
 * no global. Time is a field of the event and the next deadline a query; randomness is a generator
 * in the replica, seeded by the caller and mixed with the node id. The executor (node/) is the only
 * code that carries effects out, and the same in the server and in the simulator.
 *
 * Memory: an event's contents are borrowed for the step. Effects stay valid until the next step of
 * the same replica; entries in them are borrowed (entry_ref to keep one).
 */
#ifndef CAIRN_CORE_PROTOCOL_H
#define CAIRN_CORE_PROTOCOL_H

#include "base/mutant.h"
#include "base/rare.h"
#include "base/status.h"
#include "core/config.h"
#include "core/entry.h"
#include "core/folders.h"
#include "core/room.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct replica; /* each protocol defines its own */
struct protocol_view;

/* Wire versions that this build speaks; peers use the highest both know (the link's version), and
 * the replicated cluster version is the highest that all members know. Version 2 is version 1 under
 * another number: the synthetic upgrade that the simulator and the tests perform. What version 3
 * added is sent to a peer only on a link of version 3, and is appended to a log only when the
 * cluster version is 3 (docs/architecture.md, "Versions", lists it). */
#define WIRE_VERSION_MIN 1u
#define WIRE_VERSION_3 3u
#define WIRE_VERSION_MAX 3u

/* ---- events ---- */

enum event_kind {
    EVENT_TICK = 1,           /* time passed: the deadline was reached (or any other moment) */
    EVENT_MESSAGE,            /* a peer's message arrived */
    EVENT_PROPOSE,            /* commands to be placed in the log */
    EVENT_READ,               /* a read wants an index to wait for */
    EVENT_PERSISTED,          /* everything up to this persist sequence is durable */
    EVENT_PERSIST_FAILED,     /* a persist failed: NO_SPACE (dropped, may be tried again) or IO */
    EVENT_LOADED,             /* the answer to EFFECT_LOAD */
    EVENT_UNREADABLE,         /* entries of the log can't be read back: the medium damaged them */
    EVENT_APPLIED,            /* the executor applied entries up to an index */
    EVENT_COMPACTED,          /* a durable snapshot at an index exists; entries up to trim may go */
    EVENT_SNAPSHOT_SENT,      /* the answer to EFFECT_SNAPSHOT_SEND: a peer has one, or it failed */
    EVENT_SNAPSHOT_PROGRESS,  /* of EFFECT_SNAPSHOT_SEND: how far it is */
    EVENT_SNAPSHOT_OFFERED,   /* a peer begins to send a snapshot: accept it? */
    EVENT_SNAPSHOT_RECEIVED,  /* a whole, verified snapshot from a peer stands on disk */
    EVENT_SNAPSHOT_INSTALLED, /* the answer to EFFECT_SNAPSHOT_INSTALL */
    EVENT_PEER_UP,            /* a connection to a member was made and its hello verified */
    EVENT_PEER_DOWN,          /* the connection was lost (reset, closed) */
    EVENT_CONFIGURE,          /* an operator asks for other members */
    EVENT_TRANSFER,           /* hand leadership to a member (0: the best) */
    EVENT_AWAITED,            /* a peer waits for the end of what it forwarded */
    EVENT_ROOM,               /* the log has room for commands, or has none any more */
    EVENT_FOUNDERS,           /* with which folders the founders were met, and whether it founds */
    EVENT_KIND_COUNT
};

/* UNREADABLE: what the state machine holds, or memory, is not lost. Entries up to the last of them
 * count as trimmed from now on, and the executor makes a snapshot at or above it, whose COMPACTED
 * trims them in truth. Of what is not applied yet and only was on the disk, the replica gets a
 * copy from a leader, or fails. A failed load's LOADED follows. */

/* AWAITED: at the end of a turn in which a peer's requests wait for their entries, a leader tells
 * that peer at once what is committed, unless it was told already. Peers that wait for nothing
 * learn it from the next message.
 *
 * ROOM: told at each change, room at first. Without it, persists may still succeed: what is kept
 * back is there for what a group needs to have a leader, and for what was on its way. */

/* FOUNDERS: what a member says counts only under the folder with which it was met, as long as no
 * configuration names one. A replica that knows no members begins with those that it founds the
 * cluster with: its node tells them once the other founders know this folder (node/founding.c). */

struct proposal {
    uint64_t tag;         /* the caller's; named in the outcome */
    struct bytes command; /* copied into the entry */
    bool needed;          /* small, and reads wait for it: taken without room too */
};

/* A member of the log's history that a snapshot stands for. */
struct log_base {
    uint64_t index;
    uint64_t term;
    uint64_t chain;
    uint64_t order;
    uint64_t time_ms;
    struct bytes state; /* the protocol's own: configuration at index */
};

struct event {
    enum event_kind kind;
    uint64_t now;     /* monotonic ns, fresh */
    uint64_t wall_ms; /* wall clock, ms since the Unix epoch; only ever used for stamps */
    union {
        struct {
            uint64_t from;
            struct blob *frame; /* holds body; entries taken from it reference it */
            struct bytes body;
            uint32_t wire_version;
        } message;
        struct {
            const struct proposal *items;
            size_t count;
        } propose;
        struct {
            uint64_t tag;
        } read;
        struct {
            uint64_t seq;
            enum cairn_status status; /* PERSIST_FAILED only */
        } persisted;
        struct {
            uint64_t tag;
            enum cairn_status status;
            const struct entry *entries;
            size_t count;
        } loaded;
        struct {
            uint64_t first, last;
        } unreadable;
        struct {
            uint64_t index;
        } applied;
        struct {
            struct log_base base; /* state as the replica gave it by snapshot_state */
            uint64_t trim;        /* entries at or below may be forgotten; <= base.index */
        } compacted;
        struct {
            uint64_t to;
            uint64_t index;
            enum cairn_status status;
        } snapshot_sent;
        struct {
            uint64_t to;
            uint64_t bytes; /* made here, sent, and installed there, together */
        } snapshot_progress;
        struct {
            uint64_t from;
            uint64_t term; /* of the sender when it began */
            struct log_base base;
        } snapshot; /* OFFERED, RECEIVED */
        struct {
            uint64_t index;
            enum cairn_status status;
        } snapshot_installed;
        struct {
            uint64_t id;
            uint64_t incarnation;
            uint32_t wire_version;
        } peer; /* UP, DOWN, AWAITED (id only) */
        struct {
            uint64_t tag;
            struct config_change change;
        } configure;
        struct {
            uint64_t tag;
            uint64_t to;
        } transfer;
        struct {
            bool there;
        } room;
        struct {
            const struct folders *met;
            const struct config *founds; /* NULL: it founds nothing */
        } founders;
    };
};

/* ---- effects ---- */

enum effect_kind {
    EFFECT_PERSIST = 1,
    EFFECT_SEND,
    EFFECT_LOAD,
    EFFECT_APPLY,
    EFFECT_OUTCOME,
    EFFECT_READ_READY,
    EFFECT_SNAPSHOT_SEND,
    EFFECT_SNAPSHOT_ANSWER,
    EFFECT_SNAPSHOT_INSTALL,
    EFFECT_ROLE,
    EFFECT_CONFIG,
    EFFECT_TRACE
};

enum effect_lane {
    LANE_CONTROL, /* small: votes, heartbeats, answers; overtakes bulk */
    LANE_BULK     /* entries; FIFO among themselves, cut into frames of at most 256 KiB */
};

/* What an outcome belongs to: tags of different kinds are names of their own, and may be equal. */
enum outcome_of { OUTCOME_PROPOSAL = 1, OUTCOME_CHANGE, OUTCOME_TRANSFER };

enum role { ROLE_FOLLOWER = 1, ROLE_PRE_CANDIDATE, ROLE_CANDIDATE, ROLE_LEADER };

struct effect {
    enum effect_kind kind;
    union {
        /* Make durable, in this order: hard state (if any), log base (if reset), truncation,
         * entries. Sequences rise by one; EVENT_PERSISTED names the highest that is durable. */
        struct {
            uint64_t seq;
            struct bytes hard;
            bool reset; /* the log starts anew behind reset_base (a snapshot was installed) */
            struct log_base reset_base;
            uint64_t truncate_from;
            const struct entry *entries;
            size_t count;
            bool repaired; /* entries replace damaged ones in place */
            enum room room;
        } persist;
        /* A message: head, then the encodings of entries. Must not leave before persist sequence
         * `after` is durable (0: at once). */
        struct {
            uint64_t to;
            uint64_t after;
            enum effect_lane lane;
            struct bytes head;
            const struct entry *entries;
            size_t count;
        } send;
        /* Read entries back from the log: answered by EVENT_LOADED with the tag. */
        struct {
            uint64_t tag;
            uint64_t first;
            uint64_t last;
            size_t bytes_max;
        } load;
        /* Committed entries, in order, without gaps. Answered by EVENT_APPLIED. */
        struct {
            const struct entry *entries;
            size_t count;
        } apply;
        /* Of a proposal, a configuration change or a transfer, by tag. OK: placed at (term, index)
         * (for a transfer: done); it is executed if an entry of that term is applied at that index,
         * and will never be if another one is. Else refused, not executed: NOT_LEADER, BUSY,
         * TOO_LARGE, ... Proposals are answered in the step that proposes them. A configuration
         * change's OK comes when the final configuration is committed, so that the requester may
         * have given up by then. */
        struct {
            enum outcome_of of;
            uint64_t tag;
            enum cairn_status status;
            uint64_t index;
            uint64_t term;
            uint64_t leader; /* hint; 0: unknown */
            uint64_t member; /* of a refused change: the member that is in the way; 0: none */
        } outcome;
        /* A read may be answered from state applied at or above index. Else refused: NOT_LEADER,
         * NO_QUORUM. */
        struct {
            uint64_t tag;
            enum cairn_status status;
            uint64_t index;
        } read_ready;
        /* Stream a snapshot to a peer, at or above index (the executor makes a newer one if there
         * is none); stop when the role changes. */
        struct {
            uint64_t to;
            uint64_t index;
            uint64_t term;
        } snapshot_send;
        /* To EVENT_SNAPSHOT_OFFERED: go on, or refuse. */
        struct {
            uint64_t from;
            bool accept;
        } snapshot_answer;
        /* Replace the state by the received snapshot; nothing is applied meanwhile. */
        struct {
            struct log_base base;
        } snapshot_install;
        struct {
            enum role role;
            uint64_t term;
            uint64_t leader; /* 0: unknown */
        } role;
        /* The configuration in use changed. committed: by a committed entry. */
        struct {
            const struct config *config;
            uint64_t index; /* of its entry */
            bool committed;
        } config;
        /* One line for the log, without newline; level: 0 debug, 1 info, 2 warning. */
        struct {
            int level;
            const char *text;
        } trace;
    };
};

struct effects {
    const struct effect *items;
    size_t count;
    bool malformed; /* the event was a message that can't be read: it changed nothing */
};

/* ---- the table ---- */

struct replica_options {
    void *context; /* the caller's: no protocol looks at it */
    uint64_t group;
    uint64_t id;
    uint64_t incarnation;
    uint64_t seed;
    struct config bootstrap; /* count 0: not (yet) of a new cluster; else its first members */
    uint64_t election_timeout_min_ns;
    uint64_t election_timeout_max_ns;
    uint64_t heartbeat_ns;
    uint64_t disk_stall_ns;   /* a leader whose persist takes longer hands over */
    uint32_t clock_drift_ppm; /* bound on the rate error of any node's monotonic clock */
    bool lease_reads;         /* false: every read confirms leadership by a round */
    size_t entry_bytes_max;
    size_t append_bytes_max; /* entries in one message */
    uint32_t inflight_max;   /* unacknowledged append messages a peer */
    size_t inflight_bytes_max;
    size_t uncommitted_bytes_max; /* of a leader's tail; beyond: BUSY */
    size_t window_bytes_max;      /* applied entries kept in memory for lagging peers */
    size_t apply_bytes_max;       /* entries in one EFFECT_APPLY */
    struct rare *rare;            /* base/rare.h; NULL but in the simulator */
    enum mutant mutant;
};

struct replica_status {
    enum role role;
    uint64_t term;
    uint64_t vote;
    uint64_t leader;
    uint64_t first_index; /* of the log */
    uint64_t last_index;
    uint64_t last_term;
    uint64_t durable_index;
    uint64_t commit_index;
    uint64_t applied_index;
    uint64_t lease_left_ns; /* leader; 0: none */
    uint64_t lease_end_ns;  /* by its clock */
    bool failed;            /* it promises nothing any more until the node starts again */
    bool damaged;           /* waits for repair: neither votes nor serves */
    bool term_refused;      /* some seconds ago at most, it was told one that is not possible */
    bool diverged;          /* its history is not the leader's: it can never follow */
    uint64_t damaged_first, damaged_last;
    uint64_t unreadable; /* the highest of the entries that the disk can't give back and that a
                          * snapshot is to stand for; 0: none */
    struct config config;
    bool config_committed;
    size_t memory_bytes; /* entries held in memory */
    uint32_t peer_count;
    struct {
        uint64_t id;
        uint64_t match_index;
        uint64_t next_index;
        uint32_t inflight;
        bool snapshotting;
        bool active;             /* heard from within an election timeout */
    } peers[CONFIG_MEMBERS_MAX]; /* leader only */
};

struct protocol {
    const char *name;
    const struct protocol_view *view; /* for simulators and tests (core/view.h) */
    struct replica *(*create)(const struct replica_options *options);
    void (*destroy)(struct replica *replica);

    /* Recovery, before start: hard state if any, the snapshot that was restored if any, then every
     * entry of the log in order, as wal_recovery gives them. CORRUPT, MALFORMED on what can't be.
     */
    enum cairn_status (*recover_hard)(struct replica *replica, struct bytes hard);
    enum cairn_status (*recover_base)(struct replica *replica, const struct log_base *base);
    enum cairn_status (*recover_entry)(struct replica *replica, const struct entry *entry,
                                       bool repaired);
    void (*recover_damage)(struct replica *replica, uint64_t first, uint64_t last);
    /* Nothing that others sent to an earlier life arrives any more: what they tell is news. */
    /* had_log: there was a log, from which entries may have been lost besides; else only a snapshot
     * is there, as in a folder that an import made, and no entry was ever acknowledged. */
    void (*recover_hard_lost)(struct replica *replica, bool had_log);
    /* The node goes on under another incarnation, as one whose disk was replaced. A replica that
     * knows no members is bound by no former promise any more: the others count nothing of the
     * former incarnation, and there is no member to ask what it promised. */
    void (*recover_replaced)(struct replica *replica, uint64_t incarnation);
    /* State up to base (or 0) is applied. */
    struct effects (*start)(struct replica *replica, uint64_t now, uint64_t wall_ms);

    struct effects (*step)(struct replica *replica, const struct event *event);
    /* When the next EVENT_TICK is wanted, monotonic ns; UINT64_MAX: not. */
    uint64_t (*deadline)(const struct replica *replica);

    /* What a snapshot at the applied index must hold besides the machine: appends base.state to
     * `state` and fills the rest of base (state borrowed from the buffer). */
    void (*snapshot_base)(const struct replica *replica, struct log_base *base, struct buf *state);
    /* The replicated time that an entry placed now would get, ms. */
    uint64_t (*time_ms)(const struct replica *replica, uint64_t now, uint64_t wall_ms);
    void (*status)(const struct replica *replica, struct replica_status *status);
    /* Chain hash at an index, for comparing replicas; false when not known any more. */
    bool (*chain_at)(const struct replica *replica, uint64_t index, uint64_t *chain);
    /* Appends a message of a member of that incarnation which says no more than its term: for the
     * simulator, which forges some. */
    void (*say_term)(uint64_t term, uint64_t incarnation, struct buf *out);
};

#endif
