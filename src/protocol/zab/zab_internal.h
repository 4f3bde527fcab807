/* Zab's own state, shared by the files of this folder only. In the order of the folder: codec, hard
 * state, election (phase 0), discovery (1), synchronisation (2), broadcast (3), reads, members,
 * transfer, snapshots, recovery. `zab` is always the replica that takes a step. */
#ifndef CAIRN_PROTOCOL_ZAB_INTERNAL_H
#define CAIRN_PROTOCOL_ZAB_INTERNAL_H

#include "protocol/zab/zab.h"

#include "base/prng.h"
#include "core/change.h"
#include "core/fields.h"
#include "core/journal.h"
#include "core/lease.h"
#include "core/reads.h"
#include "core/stream.h"
#include "core/term.h"
#include "core/view.h"
#include "core/wall.h"

#define ZAB_NUMBER_MAX TERM_MAX
#define ZAB_NO_LEADER UINT64_MAX /* accepted_from: unknown, so given to none again */
#define ZAB_PEERS_MAX (2 * CONFIG_MEMBERS_MAX)
#define ZAB_RUNS_MAX 512u /* runs of epochs that a follower tells of its history */

/* ---- messages (zab_codec.c) ---- */

#define ZAB_FIELDS(X)     \
    X(TERM, term)         \
    X(NONCE, nonce)       \
    X(ROUND, round)       \
    X(LEADER, leader)     \
    X(LOG_TERM, log_term) \
    X(INDEX, index)       \
    X(CHAIN, chain)       \
    X(COMMIT, commit)     \
    X(LAST, last)         \
    X(FLAGS, flags)       \
    X(REQUEST, request)   \
    X(STATUS, status)     \
    X(SENT_AT, sent_at)   \
    X(LEASE_NS, lease_ns) \
    X(TIME_MS, time_ms)   \
    X(WALL_MS, wall_ms)

/* X(constant, name, fields, more fields for peers of wire version 3, kind of what follows the
 * fields); fields are made of FIELD_ bits, which only zab_codec.c knows. */
#define ZAB_MESSAGES(X)                                                                           \
    X(NOTIFICATION, "notification",                                                               \
      FIELD_TERM | FIELD_ROUND | FIELD_LEADER | FIELD_LOG_TERM | FIELD_INDEX | FIELD_FLAGS,       \
      FIELD_LEASE_NS, NOTHING)                                                                    \
    X(CEPOCH, "cepoch", FIELD_TERM | FIELD_NONCE | FIELD_LOG_TERM | FIELD_INDEX | FIELD_FLAGS, 0, \
      NOTHING)                                                                                    \
    X(NEWEPOCH, "newepoch", FIELD_TERM | FIELD_NONCE, 0, NOTHING)                                 \
    X(ACK_EPOCH, "ack-epoch",                                                                     \
      FIELD_TERM | FIELD_NONCE | FIELD_LOG_TERM | FIELD_INDEX | FIELD_COMMIT | FIELD_FLAGS,       \
      FIELD_WALL_MS, RUNS)                                                                        \
    X(SYNC, "sync",                                                                               \
      FIELD_TERM | FIELD_NONCE | FIELD_LOG_TERM | FIELD_INDEX | FIELD_CHAIN | FIELD_COMMIT |      \
          FIELD_LAST | FIELD_FLAGS | FIELD_SENT_AT,                                               \
      FIELD_LEASE_NS, ENTRIES)                                                                    \
    X(PROPOSE, "propose",                                                                         \
      FIELD_TERM | FIELD_NONCE | FIELD_LOG_TERM | FIELD_INDEX | FIELD_CHAIN | FIELD_COMMIT |      \
          FIELD_SENT_AT,                                                                          \
      FIELD_LEASE_NS, ENTRIES)                                                                    \
    X(ACK, "ack",                                                                                 \
      FIELD_TERM | FIELD_NONCE | FIELD_INDEX | FIELD_LAST | FIELD_FLAGS | FIELD_SENT_AT,          \
      FIELD_LEASE_NS, NOTHING)                                                                    \
    X(COMMIT, "commit", FIELD_TERM | FIELD_NONCE | FIELD_COMMIT, 0, NOTHING)                      \
    X(UPTODATE, "uptodate", FIELD_TERM | FIELD_NONCE | FIELD_COMMIT, 0, NOTHING)                  \
    X(PING, "ping",                                                                               \
      FIELD_TERM | FIELD_NONCE | FIELD_ROUND | FIELD_COMMIT | FIELD_FLAGS | FIELD_SENT_AT,        \
      FIELD_LEASE_NS | FIELD_TIME_MS, NOTHING)                                                    \
    X(PONG, "pong", FIELD_TERM | FIELD_NONCE | FIELD_ROUND | FIELD_SENT_AT,                       \
      FIELD_LEASE_NS | FIELD_WALL_MS | FIELD_FLAGS, NOTHING)                                      \
    X(READ, "read", FIELD_TERM | FIELD_REQUEST, 0, NOTHING)                                       \
    X(READ_ANSWER, "read-answer", FIELD_TERM | FIELD_REQUEST | FIELD_STATUS | FIELD_INDEX, 0,     \
      NOTHING)                                                                                    \
    X(HAND_OVER, "hand-over", FIELD_TERM | FIELD_NONCE | FIELD_LEADER, 0, NOTHING)

#define ZAB_MORE_FIELDS 0x80u

enum zab_message_type {
    ZAB_NO_MESSAGE,
#define X(constant, name, fields, added, tail) ZAB_##constant,
    ZAB_MESSAGES(X)
#undef X
        ZAB_MESSAGE_COUNT
};

/* GAP: in an ack, something before is missing; `last` is what was refused. TRUNC: in a sync, what
 * follows `index` in the follower's history goes. FORGET: with it, where the histories meet is
 * unknown, all that is not committed goes, and the follower counts as one that forgot. */
enum {
    ZAB_FLAG_LEADING = 1,   /* notification: the sender leads or is about to */
    ZAB_FLAG_FOLLOWING = 2, /* notification: the sender follows `leader` */
    ZAB_FLAG_ACTIVE = 4,    /* the leader is established: a quorum has its history */
    ZAB_FLAG_VOTES = 8,     /* the sender's word counts: it has forgotten nothing */
    ZAB_FLAG_ELIGIBLE = 16, /* cepoch, ack-epoch: the sender would lead */
    ZAB_FLAG_REFUSES = 32,  /* cepoch: that epoch was promised to another */
    ZAB_FLAG_TRUNC = 64,
    ZAB_FLAG_FORGET = 128,
    ZAB_FLAG_GAP = 256,
    ZAB_FLAG_NO_ROOM = 512 /* pong: the sender's log has no room for commands */
};

/* A stretch of a history in one epoch, from `first` on. */
struct zab_run {
    uint64_t first;
    uint64_t term;
};

/* What each field means depends on the type; the encoding holds only those that ZAB_MESSAGES lists,
 * u64 each, after the type (u8, with ZAB_MORE_FIELDS set when those of version 3 follow), the
 * sender's incarnation (u64) and a count (u32) of what follows: runs (two u64 each) or the entries'
 * encodings. */
struct zab_message {
    enum zab_message_type type;
    bool more; /* with the fields of version 3 */
    uint64_t from;
    uint64_t incarnation;
    uint64_t term;  /* the sender's accepted epoch, or the one it leads */
    uint64_t nonce; /* of the follower's session with this leader */
    uint64_t round; /* of an election, or of pings */
    uint64_t leader;
    uint64_t log_term;
    uint64_t index;
    uint64_t chain;
    uint64_t commit;
    uint64_t last;
    uint64_t flags;
    uint64_t request;
    uint64_t status;
    uint64_t sent_at;
    uint64_t lease_ns; /* from a leader: the promise that it asks for; answers: what is promised */
    uint64_t time_ms;  /* replicated time, as the leader would stamp an entry now */
    uint64_t wall_ms;  /* the sender's wall clock */
    uint32_t count;
    struct entry *entries; /* in scratch, borrowing the frame */
    struct zab_run *runs;  /* in scratch */
};

size_t zab_message_size(const struct zab_message *message);
void zab_message_encode(const struct zab_message *message, uint8_t *at);
/* Total: any bytes give OK or MALFORMED. `out`: where entries and runs are decoded to; NULL to
 * leave them. Entries are dense from index + 1 on, with sane stamps and epochs; runs rise. */
enum cairn_status zab_message_decode(struct bytes body, struct zab_message *message,
                                     struct outbox *out);
void zab_send(struct replica *zab, uint64_t to, uint64_t after, struct zab_message *message,
              const struct entry *entries, size_t count);

/* ---- state ---- */

enum zab_phase { ZAB_ELECTION, ZAB_DISCOVERY, ZAB_SYNCHRONISATION, ZAB_BROADCAST };

/* Whom a replica would have lead, by how much of the history that one has. */
struct zab_vote {
    uint64_t leader; /* 0: none */
    uint64_t term;   /* its current epoch: that of its last entry */
    uint64_t index;
};

/* How far a follower is on its way into a leader's epoch, as the leader sees it. */
enum zab_stage {
    ZAB_AWAY,     /* not following */
    ZAB_INFORMED, /* its CEPOCH came */
    ZAB_ACCEPTED, /* its ACK-E came: the epoch is promised */
    ZAB_SYNCING,  /* SYNC or a snapshot is out */
    ZAB_SYNCED    /* it acknowledged: its history is a prefix of ours */
};

struct zab_peer {
    uint64_t id;
    uint64_t incarnation; /* as its last hello said; 0: unknown */
    bool up;
    uint32_t wire_version; /* of the connection; 0: none yet */
    bool member;           /* listed in the configuration in use */
    uint64_t bound;        /* the incarnation that the configuration names */

    /* election */
    bool voted;
    uint64_t vote_round;
    struct zab_vote vote;
    uint64_t received;   /* leader: of a snapshot on its way, as EVENT_SNAPSHOT_PROGRESS counts */
    bool room;           /* leader: its log has room for commands, it said */
    bool no_room;        /* or has none; neither: it has not said, as older versions do not */
    bool term_told;      /* amnesia: it told its epoch, and what it asks for when it leads */
    uint64_t lease_told; /* 0: nothing */

    /* leader */
    enum zab_stage stage;
    uint64_t nonce; /* of its session */
    uint64_t told_term;
    struct zab_vote told; /* its history, as CEPOCH or ACK-E said */
    bool eligible;        /* it would lead itself */
    bool counts;          /* its ACK-E is that of a replica that forgot nothing */
    uint64_t meet;        /* where the histories meet */
    uint64_t sync_flags;
    struct stream stream;
    uint64_t commit_told;
    bool active_told;
    bool untold; /* it hears of commits by pings and proposals alone (base/rare.h) */
    uint64_t heard_at;
    uint64_t round;       /* highest ping round answered */
    uint64_t lease_until; /* by our clock, its promise holds until then */
    struct wall_reading wall;
};

struct replica {
    struct replica_options options;
    struct prng prng;
    struct journal journal;
    uint64_t now;
    uint64_t wall_ms;     /* that stamps go by: a majority's while this replica leads */
    uint64_t own_wall_ms; /* of this node's clock */

    /* hard state; the current epoch is that of the log's last entry */
    uint64_t accepted; /* acceptedEpoch */
    uint64_t accepted_from;
    bool mending; /* acknowledged entries were lost: no word counts until synchronised */
    bool amnesia; /* the hard state was lost: no leader is followed until all others told theirs */
    bool hard_lost;               /* found so at this start, beside a log */
    struct lease_promise promise; /* its length is hard state; to the leader that is followed */

    enum zab_phase phase;
    uint64_t leader; /* followed, or this replica itself; 0 while looking */
    bool active;     /* the leader is known to be established */
    struct zab_peer peers[ZAB_PEERS_MAX];
    uint32_t peer_count;
    uint64_t config_seen; /* version that peers follow */

    /* election */
    uint64_t round;
    uint64_t leaderless_since; /* no established leader was known since */
    uint64_t makes_way_until;  /* replicas that have less of the history lead, if they can */
    struct zab_vote vote;
    uint64_t notify_at;
    bool decides_early;   /* does not wait for better votes (base/rare.h) */
    uint64_t finalize_at; /* a quorum agrees: the wait for better votes ends; 0: no */

    /* follower */
    uint64_t nonces;
    uint64_t nonce;              /* of the session */
    uint64_t patience_at;        /* silent until then, the leader is given up */
    uint64_t joined_at;          /* the session began */
    uint64_t join_at;            /* CEPOCH is told again */
    uint64_t epoch_pending;      /* a NEWEPOCH that waits for the end of a promise; 0: none */
    uint32_t unfit;              /* histories told in a row that do not fit this one */
    uint64_t term_refused_until; /* core/term.h */
    bool synced;                 /* SYNC was taken in this session */
    uint64_t verified;           /* equal to the leader's history up to here */
    uint64_t commit_heard;
    uint64_t mend_target; /* 0: not known yet */

    /* leader */
    bool epoch_chosen;
    uint64_t give_up_at; /* discovery */
    uint64_t term_first; /* index of NEWLEADER; 0: not proposed */
    uint64_t leader_since;
    uint64_t ping_at;
    uint64_t ping_round;
    bool lease_revoked;
    bool lease_unused; /* no read of this epoch goes by it (base/rare.h) */
    size_t uncommitted_bytes;
    bool stall_handled;

    struct reads reads;

    /* transfer */
    bool transferring;
    bool transfer_told; /* a requester waits for the outcome */
    uint64_t transfer_to;
    uint64_t transfer_tag;
    uint64_t transfer_deadline;

    struct change change;

    /* snapshots */
    bool installing;
    struct log_base install;
    struct buf install_state;

    /* recovery */
    uint64_t damage_first, damage_last;
    uint64_t damage_tail; /* everything from here on may be lost; 0: no */
    bool orphans;         /* entries behind base are of a superseded log */
    uint64_t recovered_last;

    /* what was last told by EFFECT_ROLE; what zab_check saw last */
    enum role told_role;
    uint64_t told_term, told_leader;
    uint64_t seen_accepted, seen_commit;
};

/* ---- zab.c ---- */
struct effect *zab_outcome(struct replica *zab, enum outcome_of of, uint64_t tag,
                           enum cairn_status status, uint64_t index);
enum role zab_role(const struct replica *zab);
void zab_role_tell(struct replica *zab);
bool zab_leads(const struct replica *zab);
/* Leads and is established: takes proposals, answers reads. */
bool zab_established(const struct replica *zab);
void zab_hard_encode(const struct replica *zab, struct buf *out);
enum cairn_status zab_hard_decode(struct replica *zab, struct bytes hard);
/* Issues what is dirty as one persist; returns the sequence that covers everything so far. */
uint64_t zab_persist(struct replica *zab);

/* ---- phase 0: fast leader election (zab_election.c) ---- */
/* Gives up whatever it does and looks for a leader, in a new round. */
void zab_look(struct replica *zab);
/* Ends whatever it was to a leader, or as one. */
void zab_forget_leader(struct replica *zab);
bool zab_may_vote(const struct replica *zab);
bool zab_may_lead(const struct replica *zab);
/* Would have itself lead. */
bool zab_stands(const struct replica *zab);
/* VOTES and ELIGIBLE, as far as they hold. */
uint64_t zab_voice(const struct replica *zab);
struct zab_vote zab_own_vote(const struct replica *zab);
/* a is better than b: a later epoch, then more of it, then the higher id. */
bool zab_vote_better(struct zab_vote a, struct zab_vote b);
void zab_notify(struct replica *zab, uint64_t to);
void zab_on_notification(struct replica *zab, const struct zab_message *message);
/* A follower chose us before we knew that we are chosen. */
void zab_elected_by(struct replica *zab, struct zab_peer *peer);
void zab_election_tick(struct replica *zab);
/* No epoch is accepted before. */
uint64_t zab_promise_until(const struct replica *zab);

/* ---- phase 1: discovery (zab_discovery.c) ---- */
void zab_follow(struct replica *zab, uint64_t leader);
void zab_lead(struct replica *zab);
void zab_on_cepoch(struct replica *zab, const struct zab_message *message);
void zab_on_newepoch(struct replica *zab, const struct zab_message *message);
void zab_on_ack_epoch(struct replica *zab, const struct zab_message *message);
void zab_discovery_tick(struct replica *zab);
/* The own acceptance of the epoch became durable, perhaps. */
void zab_discovery_advance(struct replica *zab);
void zab_rejoin(struct replica *zab);

/* ---- phase 2: synchronisation (zab_sync.c) ---- */
void zab_sync_begin(struct replica *zab);
/* Notes where a follower's history, as its ACK-E tells it, meets ours. */
void zab_meet(struct replica *zab, struct zab_peer *peer, const struct zab_message *ack);
void zab_sync_peer(struct replica *zab, struct zab_peer *peer);
void zab_on_sync(struct replica *zab, struct zab_message *message, struct blob *frame);
/* Establishes the leader once a quorum has NEWLEADER on disk. */
void zab_sync_advance(struct replica *zab);
void zab_mend_advance(struct replica *zab);
void zab_on_unreadable(struct replica *zab, uint64_t first, uint64_t last);

/* ---- phase 3: broadcast (zab_broadcast.c, zab_follow.c) ---- */
void zab_on_proposals(struct replica *zab, const struct proposal *items, size_t count);
uint64_t zab_append_own(struct replica *zab, enum entry_kind kind, struct bytes payload);
void zab_replicate(struct replica *zab, struct zab_peer *peer);
void zab_replicate_all(struct replica *zab);
void zab_replication_loaded(struct replica *zab, struct zab_peer *peer, enum cairn_status status,
                            const struct entry *entries, size_t count);
void zab_ping(struct replica *zab);
void zab_on_ack(struct replica *zab, const struct zab_message *message);
void zab_on_pong(struct replica *zab, const struct zab_message *message);
void zab_leader_tick(struct replica *zab);
uint64_t zab_match_of(const void *context, uint64_t id);
uint64_t zab_reached(const struct replica *zab);
void zab_maybe_commit(struct replica *zab);
/* Tells followers a commit that no proposal of this step told them. */
void zab_commit_tell(struct replica *zab);
void zab_resign(struct replica *zab, const char *why);

void zab_on_propose(struct replica *zab, struct zab_message *message, struct blob *frame);
void zab_on_commit(struct replica *zab, const struct zab_message *message);
void zab_on_ping(struct replica *zab, const struct zab_message *message);
/* Appends what is new of the message's entries, which follow from `verified`. False: refused. */
bool zab_take(struct replica *zab, struct zab_message *message, struct blob *frame);
void zab_ack(struct replica *zab, uint64_t sent_at, uint64_t gap_at);
void zab_commit_follow(struct replica *zab, uint64_t commit);
/* The session's leader says which promise it relies on. */
void zab_ask_promise(struct replica *zab, const struct zab_message *message);
/* A message of the session's leader; `accepted`: of the epoch promised to it. */
void zab_heard(struct replica *zab, bool accepted);
void zab_follower_tick(struct replica *zab);

/* ---- full disks (zab_room.c) ---- */
/* Leader: it and a majority have room for commands. */
bool zab_takes_commands(const struct replica *zab);
/* Only a leader keeps what its disk had no room for: others may have it. */
void zab_give_up_refused(struct replica *zab);
void zab_room_tick(struct replica *zab);

/* ---- reads (zab_read.c) ---- */
void zab_on_read(struct replica *zab, uint64_t tag);
void zab_on_read_message(struct replica *zab, const struct zab_message *message);
void zab_on_read_answer(struct replica *zab, const struct zab_message *message);
void zab_reads_advance(struct replica *zab);
void zab_reads_tick(struct replica *zab);
void zab_reads_flush(struct replica *zab);
uint64_t zab_lease_end(const struct replica *zab);
/* The length of the promise that this leader asks its followers for. */
uint64_t zab_lease_asked(const struct replica *zab);
void zab_lease_heard(struct replica *zab, struct zab_peer *peer, const struct zab_message *answer);

/* ---- wall time (zab_time.c) ---- */
/* A follower's answer tells its wall clock. */
void zab_hear_wall(struct replica *zab, struct zab_peer *peer, const struct zab_message *answer);
/* The wall time that stamps go by: a majority's at a leader, else this node's own. */
uint64_t zab_wall_ms(const struct replica *zab, uint64_t now, uint64_t own_wall_ms);

/* ---- members (zab_member.c) ---- */
struct zab_peer *zab_peer(struct replica *zab, uint64_t id);
const struct zab_peer *zab_peer_of(const struct replica *zab, uint64_t id);
struct zab_peer *zab_member(struct replica *zab, uint64_t id);
void zab_peers_follow_config(struct replica *zab);
void zab_on_founders(struct replica *zab, const struct folders *met, const struct config *founds);
void zab_on_peer_up(struct replica *zab, uint64_t id, uint64_t incarnation, uint32_t wire_version);
void zab_on_peer_down(struct replica *zab, uint64_t id);
void zab_peer_away(struct replica *zab, struct zab_peer *peer);
void zab_on_configure(struct replica *zab, uint64_t tag, const struct config_change *change);
void zab_member_advance(struct replica *zab);
void zab_change_lost(struct replica *zab);

/* ---- transfer (zab_transfer.c) ---- */
void zab_on_transfer(struct replica *zab, uint64_t tag, uint64_t to);
void zab_hand_over(struct replica *zab);
void zab_transfer_advance(struct replica *zab);
void zab_transfer_tick(struct replica *zab);
void zab_transfer_leader_known(struct replica *zab);
void zab_on_hand_over(struct replica *zab, const struct zab_message *message);

/* ---- snapshots (zab_snapshot.c) ---- */
void zab_snapshot_send(struct replica *zab, struct zab_peer *peer);
void zab_on_compacted(struct replica *zab, const struct log_base *base, uint64_t trim);
void zab_on_snapshot_progress(struct replica *zab, uint64_t to, uint64_t bytes);
void zab_on_snapshot_sent(struct replica *zab, uint64_t to, uint64_t index,
                          enum cairn_status status);
void zab_on_snapshot_offered(struct replica *zab, uint64_t from, uint64_t term,
                             const struct log_base *base);
void zab_on_snapshot_received(struct replica *zab, uint64_t from, uint64_t term,
                              const struct log_base *base);
void zab_on_snapshot_installed(struct replica *zab, uint64_t index, enum cairn_status status);

/* ---- recovery (zab_recover.c) ---- */
enum cairn_status zab_recover_hard(struct replica *zab, struct bytes hard);
enum cairn_status zab_recover_base(struct replica *zab, const struct log_base *base);
enum cairn_status zab_recover_entry(struct replica *zab, const struct entry *entry, bool repaired);
void zab_recover_damage(struct replica *zab, uint64_t first, uint64_t last);
void zab_recover_hard_lost(struct replica *zab, bool had_log);
void zab_recover_replaced(struct replica *zab, uint64_t incarnation);
void zab_recover_finish(struct replica *zab);
/* A peer told its epoch. */
void zab_amnesia_advance(struct replica *zab);

extern const struct protocol_view zab_view;                     /* zab_view.c */
void zab_canon(const struct replica *zab, struct canon *canon); /* zab_canon.c */

/* Asserts the invariants that one replica can see (zab_check.c). */
void zab_check(struct replica *zab);

#endif
