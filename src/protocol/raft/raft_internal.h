/* Raft's own state, shared by the files of this folder only. In the order of the folder: effects,
 * log, codec, hard state and persists, election, replication, reads, members, transfer, snapshots,
 * repair. `raft` is always the replica that takes a step; `raft->now` the step's time. */
#ifndef CAIRN_PROTOCOL_RAFT_INTERNAL_H
#define CAIRN_PROTOCOL_RAFT_INTERNAL_H

#include "protocol/raft/raft.h"

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

#define RAFT_NUMBER_MAX TERM_MAX
#define RAFT_NO_CANDIDATE UINT64_MAX /* as vote: given to none, and to be given to none */
#define RAFT_PEERS_MAX (2 * CONFIG_MEMBERS_MAX)
#define RAFT_HOLES_MAX 64

/* Where entries are known and lost (damage that recovery reported). */
struct raft_hole {
    uint64_t first;
    uint64_t last;
    uint64_t chain_before;
    bool chain_known;
    struct entry behind; /* the first entry after it: the chain's other end */
};

/* ---- peers ---- */

struct raft_peer {
    uint64_t id;
    uint64_t incarnation; /* as its last hello said; 0: unknown */
    bool up;
    uint32_t wire_version; /* of the connection; 0: none yet */
    bool member;           /* listed in the configuration in use */
    uint64_t bound;        /* the incarnation that progress speaks of */
    struct stream stream;  /* leader: what it is sent */
    uint64_t heard_at;     /* leader: last sign of life */
    uint64_t round;        /* leader: highest heartbeat round answered */
    uint64_t lease_until;  /* leader: by our clock, its promise holds until then */
    uint64_t commit_told;  /* leader: highest commit index that a message to it carried */
    uint64_t fetch_tag;    /* entries for its repair are being read */
    uint64_t fetch_nonce;
    uint64_t vote;       /* (pre-)candidate: 0 none, 1 no, 2 yes */
    uint64_t wait_until; /* pre-candidate: its promise runs until then */
    uint64_t received;   /* leader: of a snapshot on its way, as EVENT_SNAPSHOT_PROGRESS counts */
    bool room;           /* leader: its log has room for commands, it said */
    bool no_room;        /* or has none; neither: it has not said, as older versions do not */
    bool untold;         /* it is not told early of commits that it waits for (base/rare.h) */
    bool term_told;      /* amnesia: it told its term, and what it asks for when it leads */
    uint64_t lease_told; /* 0: nothing */
    struct wall_reading wall;
};

struct replica {
    struct replica_options options;
    struct prng prng;
    struct journal journal;
    uint64_t now;
    uint64_t wall_ms;     /* that stamps go by: a majority's while this replica leads */
    uint64_t own_wall_ms; /* of this node's clock */

    /* hard state */
    uint64_t term;
    uint64_t vote;
    bool mending;   /* acknowledged entries were lost: no votes until caught up with a leader */
    bool amnesia;   /* the hard state was lost: no votes until all other voters told their terms */
    bool hard_lost; /* found so at this start, beside a log */
    struct lease_promise promise; /* its length is hard state; to the leader that is followed */

    enum role role;
    uint64_t leader;

    uint64_t verified;     /* follower: equal to the term's leader up to here */
    uint64_t commit_heard; /* follower: what the term's leader has committed, as far as it told */

    uint64_t config_seen; /* version that peers follow */
    struct raft_peer peers[RAFT_PEERS_MAX];
    uint32_t peer_count;

    /* elections */
    uint64_t heard_at;           /* from a live leader; 0: never */
    uint64_t term_refused_until; /* core/term.h */
    bool diverged;               /* the leader's log contradicts this one */
    bool leader_lost;            /* its connection ended */
    uint64_t election_at;
    uint64_t election_timeout_max_ns; /* the options' */
    uint32_t pre_campaigns;           /* since a leader was heard */
    uint64_t campaign_at;             /* pre-candidate with a quorum: when promises have run out */
    uint64_t vote_seq;                /* the own vote counts when this is durable */
    bool campaign_by_transfer;

    /* leader */
    uint64_t term_first; /* index of its no-op */
    uint64_t leader_since;
    uint64_t heartbeat_at;
    uint64_t round;
    bool lease_revoked; /* TIMEOUT_NOW was sent in this term */
    bool lease_unused;  /* no read of this term goes by it (base/rare.h) */
    size_t uncommitted_bytes;

    /* reads */
    struct reads reads;

    /* transfer */
    bool transferring;
    bool transfer_sent;
    bool transfer_told; /* a requester waits for the outcome */
    uint64_t transfer_to;
    uint64_t transfer_tag;
    uint64_t transfer_deadline;
    bool stall_handled; /* of the present disk stall */

    /* membership */
    struct change change;
    uint64_t leave_index; /* of the final configuration without this leader; 0: none */

    /* snapshots */
    bool installing;
    struct log_base install;
    struct buf install_state;
    uint64_t install_from;

    /* repair */
    struct raft_hole holes[RAFT_HOLES_MAX];
    uint32_t hole_count;
    uint64_t damage_first, damage_last; /* at the tail; 0: none */
    uint64_t lost_from; /* the disk lost entries from here on that are not applied, while this
                         * replica ran; 0: none. Until a leader is known they are its log still. */
    uint64_t lost_at;
    bool end_lost;           /* the log's end is lost, and how much of it is unknown */
    bool orphans;            /* recovery: entries behind base are of a superseded log */
    uint64_t recovered_last; /* index of the last entry that recovery gave */
    uint64_t repair_at;
    uint64_t repair_peer;       /* that is asked for what lies in the first hole; 0: none */
    uint64_t repair_peer_until; /* and has until then to answer */
    uint64_t repair_nonce;
    uint64_t repair_refused; /* ids that lack what is missing, as bits by peer slot */
    uint64_t mend_target;    /* 0: not known yet */
    bool repair_warned;
    struct entry *fill;
    size_t fill_count, fill_cap, fill_bytes;

    /* what was last told by EFFECT_ROLE; what raft_check saw last */
    enum role told_role;
    uint64_t told_term, told_leader;
    uint64_t seen_term, seen_commit, seen_vote;
};

struct effect *raft_outcome(struct replica *raft, enum outcome_of of, uint64_t tag,
                            enum cairn_status status, uint64_t index);

/* ---- codec (raft_codec.c) ---- */
#define RAFT_FIELDS(X)              \
    X(TERM, term)                   \
    X(INDEX, index)                 \
    X(LOG_TERM, log_term)           \
    X(CHAIN, chain)                 \
    X(COMMIT, commit)               \
    X(SENT_AT, sent_at)             \
    X(ROUND, round)                 \
    X(FLAGS, flags)                 \
    X(WAIT_NS, wait_ns)             \
    X(CONFLICT_TERM, conflict_term) \
    X(FIRST, first)                 \
    X(LAST, last)                   \
    X(REQUEST, request)             \
    X(STATUS, status)               \
    X(LEASE_NS, lease_ns)           \
    X(TIME_MS, time_ms)             \
    X(WALL_MS, wall_ms)

/* Which fields a type has, and which more for peers of wire version 3; made of FIELD_ bits, which
 * only raft_codec.c knows. */
#define RAFT_MESSAGES(X)                                                                        \
    X(VOTE_REQUEST, "vote-request", FIELD_TERM | FIELD_INDEX | FIELD_LOG_TERM | FIELD_FLAGS, 0) \
    X(VOTE_ANSWER, "vote-answer", FIELD_TERM | FIELD_FLAGS | FIELD_WAIT_NS, FIELD_WALL_MS)      \
    X(APPEND, "append",                                                                         \
      FIELD_TERM | FIELD_INDEX | FIELD_LOG_TERM | FIELD_CHAIN | FIELD_COMMIT | FIELD_SENT_AT,   \
      FIELD_LEASE_NS)                                                                           \
    X(APPEND_ANSWER, "append-answer",                                                           \
      FIELD_TERM | FIELD_FLAGS | FIELD_INDEX | FIELD_CONFLICT_TERM | FIELD_FIRST | FIELD_LAST | \
          FIELD_SENT_AT,                                                                        \
      FIELD_LEASE_NS)                                                                           \
    X(HEARTBEAT, "heartbeat", FIELD_TERM | FIELD_COMMIT | FIELD_ROUND | FIELD_SENT_AT,          \
      FIELD_LEASE_NS | FIELD_TIME_MS)                                                           \
    X(HEARTBEAT_ANSWER, "heartbeat-answer",                                                     \
      FIELD_TERM | FIELD_FLAGS | FIELD_INDEX | FIELD_ROUND | FIELD_SENT_AT,                     \
      FIELD_LEASE_NS | FIELD_WALL_MS)                                                           \
    X(READ_INDEX, "read-index", FIELD_TERM | FIELD_REQUEST, 0)                                  \
    X(READ_INDEX_ANSWER, "read-index-answer",                                                   \
      FIELD_TERM | FIELD_REQUEST | FIELD_STATUS | FIELD_INDEX, 0)                               \
    X(TIMEOUT_NOW, "timeout-now", FIELD_TERM, 0)                                                \
    X(REPAIR_FETCH, "repair-fetch", FIELD_TERM | FIELD_REQUEST | FIELD_FIRST | FIELD_LAST, 0)   \
    X(REPAIR_ENTRIES, "repair-entries",                                                         \
      FIELD_TERM | FIELD_FLAGS | FIELD_REQUEST | FIELD_FIRST | FIELD_LAST, FIELD_LEASE_NS)      \
    X(COMMIT, "commit", FIELD_TERM | FIELD_COMMIT, 0)

enum raft_message_type {
    RAFT_NO_MESSAGE,
#define X(constant, name, fields, added) RAFT_##constant,
    RAFT_MESSAGES(X)
#undef X
        RAFT_MESSAGE_COUNT
};

#define RAFT_MORE_FIELDS 0x80u

enum {
    RAFT_FLAG_PRE = 1,      /* votes: only asks whether one would be given */
    RAFT_FLAG_TRANSFER = 2, /* vote request: by the leader's wish, overrides promises */
    RAFT_FLAG_YES = 4,      /* votes: granted; appends: matched */
    RAFT_FLAG_FORGOT = 8,   /* the sender lost entries that it had acknowledged */
    RAFT_FLAG_LEADER = 16,  /* repair: from a leader */
    RAFT_FLAG_GONE = 32,    /* repair: the entries asked for are trimmed here */
    RAFT_FLAG_NO_ROOM = 64  /* answers: the sender's log has no room for commands */
};

/* What each field means depends on the type; the encoding holds only those that RAFT_MESSAGES
 * lists, u64 each, after the type (u8, with RAFT_MORE_FIELDS set when those of version 3 follow),
 * the sender's incarnation (u64) and the count of entries (u32); the entries' encodings follow. */
struct raft_message {
    enum raft_message_type type;
    bool more; /* with the fields of version 3 */
    uint64_t from;
    uint64_t incarnation;
    uint64_t term;
    uint64_t index;
    uint64_t log_term;
    uint64_t chain;
    uint64_t commit;
    uint64_t sent_at;
    uint64_t round;
    uint64_t flags;
    uint64_t wait_ns;
    uint64_t conflict_term;
    uint64_t first;
    uint64_t last;
    uint64_t request;
    uint64_t status;
    uint64_t lease_ns; /* from a leader: the promise that it asks for; answers: what is promised */
    uint64_t time_ms;  /* replicated time, as the leader would stamp an entry now */
    uint64_t wall_ms;  /* the sender's wall clock */
    uint32_t count;
    struct entry *entries; /* in scratch, borrowing the frame */
};

const char *raft_message_name(enum raft_message_type type);
size_t raft_message_size(const struct raft_message *message);
void raft_message_encode(const struct raft_message *message, uint8_t *at);
/* Total: any bytes give OK or MALFORMED. entries: room for entries_max of them, or NULL to leave
 * them undecoded. Entries are dense, start at index + 1 (APPEND) or first (REPAIR_ENTRIES) and have
 * sane stamps and terms. */
enum cairn_status raft_message_decode(struct bytes body, struct raft_message *message,
                                      struct entry *entries, uint32_t entries_max);
void raft_send(struct replica *raft, uint64_t to, uint64_t after, struct raft_message *message,
               const struct entry *entries, size_t count);

/* ---- hard state and persists (raft_persist.c) ---- */
void raft_hard_encode(const struct replica *raft, struct buf *out);
enum cairn_status raft_hard_decode(struct replica *raft, struct bytes hard);
/* Issues what is dirty as one persist; returns the sequence that covers everything so far. */
uint64_t raft_persist(struct replica *raft);
void raft_on_persisted(struct replica *raft, uint64_t seq);
void raft_on_persist_failed(struct replica *raft, uint64_t seq, enum cairn_status status);
void raft_persist_tick(struct replica *raft);

/* ---- roles and elections (raft_election.c) ---- */
void raft_role_tell(struct replica *raft);
/* core/term.h */
bool raft_takes_term(const struct replica *raft, uint64_t term);
void raft_become_follower(struct replica *raft, uint64_t term, uint64_t leader);
bool raft_may_vote(const struct replica *raft);
bool raft_may_campaign(const struct replica *raft);
void raft_election_reset(struct replica *raft);
/* message: what was heard, which says for which promise it asks; NULL: something else of its. */
void raft_heard_leader(struct replica *raft, uint64_t leader, const struct raft_message *message);
void raft_pre_campaign(struct replica *raft);
void raft_campaign(struct replica *raft, bool by_transfer);
void raft_election_tick(struct replica *raft);
void raft_count_own_vote(struct replica *raft);
void raft_on_vote_request(struct replica *raft, const struct raft_message *message);
void raft_on_vote_answer(struct replica *raft, const struct raft_message *message);
void raft_leader_lost(struct replica *raft);

/* ---- replication and commit (raft_replication.c, raft_commit.c) ---- */
void raft_on_propose(struct replica *raft, const struct proposal *items, size_t count);
/* Leader: appends one entry of its own. */
uint64_t raft_append_own(struct replica *raft, enum entry_kind kind, struct bytes payload);
void raft_replicate(struct replica *raft, struct raft_peer *peer);
void raft_replicate_all(struct replica *raft);
void raft_heartbeat(struct replica *raft);
void raft_heartbeat_to(struct replica *raft, struct raft_peer *peer);
void raft_on_append(struct replica *raft, struct raft_message *message, struct blob *frame);
void raft_on_append_answer(struct replica *raft, const struct raft_message *message);
void raft_on_heartbeat(struct replica *raft, const struct raft_message *message);
void raft_on_heartbeat_answer(struct replica *raft, const struct raft_message *message);
void raft_replication_loaded(struct replica *raft, struct raft_peer *peer, enum cairn_status status,
                             const struct entry *entries, size_t count);
void raft_leader_tick(struct replica *raft);
uint64_t raft_match_of(const void *context, uint64_t id);
void raft_maybe_commit(struct replica *raft);
void raft_commit_to(struct replica *raft, uint64_t index);
bool raft_own_term_committed(const struct replica *raft);
/* Leader: the peer waits for something that it forwarded. */
void raft_on_awaited(struct replica *raft, uint64_t id);
void raft_on_commit(struct replica *raft, const struct raft_message *message);
/* Follower: the leader of this term has committed up to there; takes what is verified of it. */
void raft_commit_follow(struct replica *raft, uint64_t commit);

/* ---- full disks (raft_room.c) ---- */
/* What every answer to a leader tells besides. */
uint64_t raft_answer_flags(const struct replica *raft);
/* Leader: it and a majority have room for commands. */
bool raft_takes_commands(const struct replica *raft);
/* Only a leader keeps what its disk had no room for: others may have it. */
void raft_give_up_refused(struct replica *raft);
void raft_room_tick(struct replica *raft);

/* ---- reads (raft_read.c) ---- */
void raft_on_read(struct replica *raft, uint64_t tag);
void raft_on_read_index(struct replica *raft, const struct raft_message *message);
void raft_on_read_index_answer(struct replica *raft, const struct raft_message *message);
/* Leader: answers reads whose round is confirmed, starts a round if some wait for one. */
void raft_reads_advance(struct replica *raft);
void raft_reads_refuse(struct replica *raft, enum cairn_status status);
void raft_reads_tick(struct replica *raft);
/* Sends what waits for peers; at the end of a step. */
void raft_reads_flush(struct replica *raft);
uint64_t raft_lease_end(const struct replica *raft);
void raft_lease_heard(struct replica *raft, struct raft_peer *peer,
                      const struct raft_message *answer);
/* The length of the promise that this leader asks its followers for. */
uint64_t raft_lease_asked(const struct replica *raft);

/* ---- wall time (raft_time.c) ---- */
/* A peer's answer tells its wall clock. */
void raft_hear_wall(struct replica *raft, struct raft_peer *peer,
                    const struct raft_message *answer);
/* The wall time that stamps go by: a majority's at a leader, else this node's own. */
uint64_t raft_wall_ms(const struct replica *raft, uint64_t now, uint64_t own_wall_ms);

/* ---- members (raft_member.c) ---- */
/* Peers follow the configuration in force: after every push or truncation of one. */
void raft_config_changed(struct replica *raft);
const struct raft_peer *raft_peer_of(const struct replica *raft, uint64_t id);
struct raft_peer *raft_peer(struct replica *raft, uint64_t id);
struct raft_peer *raft_member(struct replica *raft, uint64_t id);
void raft_on_founders(struct replica *raft, const struct folders *met, const struct config *founds);
void raft_on_peer_up(struct replica *raft, uint64_t id, uint64_t incarnation,
                     uint32_t wire_version);
void raft_on_peer_down(struct replica *raft, uint64_t id);
void raft_on_configure(struct replica *raft, uint64_t tag, const struct config_change *change);
void raft_member_advance(struct replica *raft);
void raft_change_lost(struct replica *raft);

/* ---- transfer (raft_transfer.c) ---- */
void raft_on_transfer(struct replica *raft, uint64_t tag, uint64_t to);
/* Hands over without a client waiting for the outcome. */
void raft_hand_over(struct replica *raft);
void raft_transfer_advance(struct replica *raft, const struct raft_peer *peer);
void raft_transfer_tick(struct replica *raft);
void raft_transfer_leader_known(struct replica *raft);
void raft_on_timeout_now(struct replica *raft, const struct raft_message *message);

/* ---- snapshots (raft_snapshot.c) ---- */
void raft_snapshot_send(struct replica *raft, struct raft_peer *peer);
void raft_on_compacted(struct replica *raft, const struct log_base *base, uint64_t trim);
void raft_on_snapshot_progress(struct replica *raft, uint64_t to, uint64_t bytes);
void raft_on_snapshot_sent(struct replica *raft, uint64_t to, uint64_t index,
                           enum cairn_status status);
void raft_on_snapshot_offered(struct replica *raft, uint64_t from, uint64_t term,
                              const struct log_base *base);
void raft_on_snapshot_received(struct replica *raft, uint64_t from, uint64_t term,
                               const struct log_base *base);
void raft_on_snapshot_installed(struct replica *raft, uint64_t index, enum cairn_status status);

/* ---- damage (raft_repair.c, raft_recover.c) ---- */
bool raft_damaged(const struct replica *raft);
bool raft_hole_covers(const struct replica *raft, uint64_t index);
void raft_repair_tick(struct replica *raft);
void raft_on_unreadable(struct replica *raft, uint64_t first, uint64_t last);
void raft_notice_forgotten(struct replica *raft, uint64_t commit);
void raft_mend_advance(struct replica *raft);
void raft_holes_drop(struct replica *raft);
/* Takes the first `count` entries of the hole as known and shrinks it. */
void raft_hole_fill(struct replica *raft, struct raft_hole *hole, const struct entry *entries,
                    size_t count);
void raft_on_repair_fetch(struct replica *raft, const struct raft_message *message);
void raft_on_repair_entries(struct replica *raft, struct raft_message *message, struct blob *frame);
void raft_repair_loaded(struct replica *raft, struct raft_peer *peer, enum cairn_status status,
                        const struct entry *entries, size_t count);
enum cairn_status raft_recover_hard(struct replica *raft, struct bytes hard);
enum cairn_status raft_recover_base(struct replica *raft, const struct log_base *base);
enum cairn_status raft_recover_entry(struct replica *raft, const struct entry *entry,
                                     bool repaired);
void raft_recover_damage(struct replica *raft, uint64_t first, uint64_t last);
void raft_recover_hard_lost(struct replica *raft, bool had_log);
void raft_recover_replaced(struct replica *raft, uint64_t incarnation);
void raft_recover_finish(struct replica *raft);

extern const struct protocol_view raft_view;                      /* raft_view.c */
void raft_canon(const struct replica *raft, struct canon *canon); /* raft_canon.c */

/* Asserts the invariants that one replica can see (raft_check.c). */
void raft_check(struct replica *raft);

#endif
