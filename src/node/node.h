/* A node: the member of a cluster that hosts groups. It owns the one executor of protocol effects,
 * the links to its peers, the log, snapshots, exactly-once sessions and the forwarding of what it
 * can't serve itself. The same code runs in the server and in the simulator; everything outside is
 * an env.
 *
 * A front end talks to it through struct node_client: one per client connection. Requests of one
 * client take effect in the order in which they were made; their callbacks mostly arrive in that
 * order, but the front end must put its replies in order itself (a refusal, or a read that waits
 * for an expiry, may be overtaken). Callbacks come from node_turn, never from inside node_execute.
 */
#ifndef CAIRN_NODE_NODE_H
#define CAIRN_NODE_NODE_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/mutant.h"
#include "base/rare.h"
#include "base/status.h"
#include "core/config.h"
#include "core/machine.h"
#include "core/protocol.h"
#include "core/wish.h"
#include "env/env.h"
#include "node/agreed.h"
#include "node/proof.h"
#include "storage/identity.h"

struct node;

#define NODE_KEYSPACES_MAX 4u
/* The group that serves a keyspace: until slots are spread over many, each has one. */
#define NODE_GROUP_OF(keyspace) ((uint64_t)(keyspace) + 1)

enum node_consistency {
    NODE_LINEARIZABLE, /* leader lease or read-index */
    NODE_SEQUENTIAL,   /* local, never backwards within a client */
    NODE_STALE         /* local */
};

/* A named machine on a protocol, both named in node/registry.c. A keyspace is known by its place in
 * the list, which is the same on every node and for the cluster's life: new ones come last. */
struct node_keyspace {
    char name[16];
    char protocol[16];
    char machine[16];
    enum node_consistency consistency; /* what its clients begin with */
};

struct node_options {
    char folder[512];
    char cluster_name[128];                /* told in statuses; the identity has its hash */
    char peer_address[CONFIG_ADDRESS_MAX]; /* where peers are listened for */
    struct node_keyspace keyspaces[NODE_KEYSPACES_MAX];
    uint32_t keyspace_count;
    struct identity identity;
    struct config bootstrap; /* count 0: join an existing cluster */
    struct {
        uint64_t id;
        char address[CONFIG_ADDRESS_MAX];
    } seeds[CONFIG_MEMBERS_MAX]; /* peers to dial before a configuration is known */
    uint32_t seed_count;
    uint64_t seed;
    struct peer_secrets secrets;
    uint32_t wire_version_max; /* 0: WIRE_VERSION_MAX; less: an older build (rolling upgrade) */

    uint64_t election_timeout_min_ns;
    uint64_t election_timeout_max_ns;
    uint64_t heartbeat_ns;
    uint64_t disk_stall_ns;
    uint64_t request_timeout_ns; /* a request without quorum gets its error after this */
    uint64_t founding_wait_ns;   /* a founder goes on with a majority of them then; 0: never */
    uint32_t clock_drift_ppm;
    bool lease_reads;

    size_t command_bytes_max;
    size_t value_bytes_max;
    uint64_t work_max;
    size_t append_bytes_max;
    uint32_t inflight_max;
    size_t inflight_bytes_max;
    size_t uncommitted_bytes_max;
    size_t window_bytes_max;
    size_t apply_bytes_max;
    size_t piece_bytes;        /* a longer command goes into the log in pieces (node/upload.h) */
    uint64_t turn_work_max;    /* units of work (core/work.h) that a turn of a group may take */
    uint32_t requests_max;     /* outstanding in this node; beyond: BUSY */
    size_t requests_bytes_max; /* their commands together, likewise */
    uint64_t wal_segment_bytes;
    size_t wal_batch_bytes_max;
    uint64_t wal_kept_bytes;     /* of the log's room, for what a leader needs (core/room.h) */
    uint64_t snapshot_log_bytes; /* snapshot when the log behind the last one is larger ... */
    uint32_t snapshot_trailing;  /* ... and keep this many entries for lagging peers ... */
    uint64_t trailing_bytes;     /* ... but no more than about so many bytes of them */
    uint32_t session_window;     /* cached replies a session */
    uint64_t scrub_every_ns;     /* all of the log is read back so often, slowly */
    enum mutant mutant;
    struct rare *rare; /* base/rare.h; NULL but in the simulator */

    /* Stands in for every keyspace's protocol, which it knows by replica_options.group and calls:
     * the simulator's, which looks at what passes. NULL: none. */
    const struct protocol *watched;
    void *context; /* for the callbacks below, and in replica_options */
    /* One line about what happens (elections, links, repairs); level as EFFECT_TRACE. */
    void (*log)(void *context, int level, const char *text);
    /* A machine's change, delivered on every node before any reply or read at that index. */
    void (*change)(void *context, uint32_t keyspace, const struct change *change);
    /* The node can't go on (failed disk, foreign data): the process should end. */
    void (*failed)(void *context, enum cairn_status status, const char *text);
};

/* Every default in one place; folder, identity, addresses and bootstrap remain to be set. */
void node_options_default(struct node_options *options);
/* OK, or INVALID with a sentence in error. */
enum cairn_status node_options_check(const struct node_options *options, char *error,
                                     size_t error_size);

/* Opens the log, recovers, listens for peers. On failure writes a sentence to error. */
enum cairn_status node_open(struct env *env, const struct node_options *options, struct node **out,
                            char *error, size_t error_size);
/* Hands leadership over, refuses new requests (SHUTDOWN), then calls stopped from the loop, at the
 * latest after about two election timeouts. */
void node_stop(struct node *node, void (*stopped)(void *context), void *context);
/* Closes listener and links; what runs in the background is let go. The host then waits until
 * nothing calls back any more, and calls node_close. */
void node_disconnect(struct node *node);
/* Frees everything. Clients must have been closed. The env must go on until the log's last
 * background job has ended. */
void node_close(struct node *node);
/* The same as if the process had died here (a simulated crash): touches no disk, and the env calls
 * nothing of this node back any more. */
void node_drop(struct node *node);
/* From now on peers prove by these. Links that were proved by another one are made anew, and so are
 * those without a proof when one is asked for. */
void node_set_secrets(struct node *node, const struct peer_secrets *secrets);
/* The host (server or simulator) calls this once after every batch of env callbacks, from its turn
 * function and before the front ends write their replies: here gathered requests become one
 * proposal, one log write and one message a peer. */
void node_turn(struct node *node);

/* ---- requests ---- */

struct node_client {
    struct node *node;
    struct group *group;      /* of its keyspace */
    struct list requests;     /* outstanding, in order */
    uint32_t writes_inflight; /* not yet answered */
    uint32_t writes_sent;     /* of these: in the log, or with the leader, since ... */
    uint64_t sent_epoch;      /* ... this epoch of the group */
    uint32_t reads_inflight;
    uint32_t reads_asked;              /* of these: an index or an answer is asked for, since ... */
    uint64_t asked_turn;               /* ... this turn of the group's reads */
    uint64_t seen_index;               /* newest index that an answer carried */
    enum node_consistency consistency; /* of what is asked from now on */
    bool holds;                        /* node_client_hold */
    size_t answer_bytes;               /* of its last read */
    bool reads_long;                   /* one of its reads is worked at in slices */
    struct list held;                  /* reads that could be answered, in order */
    struct list resumed;               /* the group's: some of these may be answered now */
};

/* How a request ended. status OK: reply holds one value (core/reply.h), borrowed. Else nothing is
 * said by reply: NOT_EXECUTED, NO_QUORUM, BUSY, TOO_LARGE, SHUTDOWN: surely not executed;
 * UNKNOWN_FATE: a write that may or may not have been, or may still be. Errors of the command
 * itself, of sessions too, are replies. */
typedef void node_done(void *context, enum cairn_status status, struct bytes reply);

/* What a requester is told of a status other than OK, by every door: "CODE sentence". */
enum node_executed { NODE_EXECUTED_NOT, NODE_EXECUTED_READ, NODE_EXECUTED_PERHAPS };
struct node_error {
    enum cairn_status status;
    enum node_executed executed;
    const char *text;
};
const char *node_error_text(enum cairn_status status);
/* The table, for documents; NULL behind its end. The last row is of every other status. */
const struct node_error *node_error_at(size_t n);

void node_client_open(struct node *node, uint32_t keyspace, struct node_client *client);
/* Outstanding requests go on, but no requester is told. */
void node_client_close(struct node_client *client);
/* While it holds, no answers to its reads are made: the front end has no room for them. They keep
 * their order, take no memory but the requests', and don't run out of time; nor do writes behind
 * them. May be called from inside done. */
void node_client_hold(struct node_client *client, bool holds);

/* All of these return OK (then done is called once, later, from node_turn) or refuse at once: BUSY,
 * TOO_LARGE, SHUTDOWN (then done is never called). */

/* Executes a machine command; command is copied. Reads (by the machine's is_read) follow the
 * client's consistency. A write's OK comes while its entry is applied here: behind its changes, and
 * before anything that follows it in the log. */
enum cairn_status node_execute(struct node_client *client, struct bytes command, node_done *done,
                               void *context);
/* A stretch of a command, and the buffer that it lies in. */
struct command_part {
    struct buf buf;
    struct bytes bytes;
};
/* The same for a command in parts, of which there is more than one only in writes. A long command's
 * buffers are taken over, and empty then: it is not copied. */
enum cairn_status node_execute_parts(struct node_client *client, struct command_part *parts,
                                     size_t count, node_done *done, void *context);
/* Within done: the reply's memory, when it may be kept. False: the reply has to be copied. */
bool node_reply_take(struct node_client *client, struct buf *reply);
/* Answers a read at once from what this node has applied, whatever that is: as sequential as the
 * caller makes it, and gets the reply to a write at the moment at which it is applied here. OK: one
 * reply value was appended. BUSY: there is no state now (a snapshot is being installed); DUE, and
 * BUSY for long reads, as a machine's read. */
enum cairn_status node_read(struct node_client *client, struct bytes query, struct buf *reply);
/* done(OK) once this node has applied whatever was committed anywhere when this was called, by the
 * word of a leader that a quorum confirms: a read that follows is linearizable. */
enum cairn_status node_barrier(struct node_client *client, node_done *done, void *context);
/* A sign of life of what the keyspace's machine holds under this id (core/machine.h, "Lives"),
 * given by a client that this node serves. Cheap; a few a second are enough. */
void node_alive(struct node *node, uint32_t keyspace, uint64_t id);
/* Exactly once: session from node_session_open, sequence counted by the client from 1. A retry of a
 * sequence within the window gets the first reply. command: taken over when it is long. */
enum cairn_status node_once(struct node_client *client, uint64_t session, uint64_t sequence,
                            struct command_part *command, node_done *done, void *context);
/* Reply: the session's id, an int. It ends when unused for ttl_ms of replicated time. */
enum cairn_status node_session_open(struct node_client *client, uint64_t ttl_ms, node_done *done,
                                    void *context);
enum cairn_status node_session_close(struct node_client *client, uint64_t session, node_done *done,
                                     void *context);

/* ---- operators ---- */

/* The parameters of the client's keyspace; wanted->revision: of those in force as the caller saw
 * them. WRONG_VERSION: not every member has version 3. Reply: OK, or an error. */
enum cairn_status node_set_parameters(struct node_client *client,
                                      const struct agreed_parameters *wanted, node_done *done,
                                      void *context);
/* Replicated time of the client's keyspace goes back to time_ms, which must lie before it. */
enum cairn_status node_set_time(struct node_client *client, uint64_t time_ms, node_done *done,
                                void *context);

enum node_operation {
    NODE_MEMBER_ADD = 1,  /* id, address: as a voter (a learner first, until it has caught up) */
    NODE_MEMBER_LEARNER,  /* id, address: as a learner, to stay one */
    NODE_MEMBER_PROMOTE,  /* id: learner -> voter */
    NODE_MEMBER_REMOVE,   /* id */
    NODE_LEADER_TRANSFER, /* id; 0: the best */
    NODE_MEMBER_MOVE,     /* id, address: the member is there now */
    NODE_MEMBER_CANCEL,   /* the change of members under way is given up */
    NODE_MEMBER_AIM,      /* between nodes only: operate.c */
    NODE_MEMBER_STEP      /* likewise */
};
/* Carried out by the leaders, wherever they are, in every keyspace. A change of members is one
 * recorded aim (node/aim.h): it goes on whatever becomes of this node, ends done everywhere or with
 * nothing changed, and only one is under way at a time. Reply: status OK or an error with a
 * sentence; "UNDERWAY ..." when it lasts longer than an answer waits. ADD of a member changes its
 * role or address. Refused at once, besides what refuses a request: INVALID (no id, no address). */
enum cairn_status node_operate(struct node_client *client, enum node_operation operation,
                               uint64_t id, const char *address, node_done *done, void *context);
/* Several at once, all or nothing. At least one. Status EXISTS or NOT_FOUND: all is so already. */
enum cairn_status node_change_members(struct node_client *client, const struct wishes *wishes,
                                      node_done *done, void *context);
/* As far as this node has applied: a change of members is under way. half: it is not, but the last
 * one failed and could not be undone everywhere, so that keyspaces differ. */
bool node_changes_members(const struct node *node, bool *half);
/* Once done is called with OK, this node knows of every change of members that had been recorded or
 * had ended before. For clients of the first keyspace; UNSUPPORTED of others. */
enum cairn_status node_members_barrier(struct node_client *client, node_done *done, void *context);
/* One line a fact, as far as this node has applied: the change of members under way, what each
 * keyspace waits for, the last ends. */
void node_members_tell(const struct node *node, struct buf *out);

/* ---- queries ---- */

/* X(constant, how health tells it, what it means): in this order, the first that holds. Where the
 * text ends in a blank, what and why follow. */
#define NODE_HEALTH_LIST(X)                                                                      \
    X(FAILED, "failed", "the disk failed a write: the process ends")                             \
    X(STOPPING, "stopping", "it was asked to stop")                                              \
    X(REPLICAS_DIFFER, "replicas differ, none is right for sure",                                \
      "an operator decides which is: docs/operations.md, Replicas that differ")                  \
    X(DAMAGED, "damaged",                                                                        \
      "part of the log is unreadable and waits for repair from peers: it neither votes nor "     \
      "serves")                                                                                  \
    X(DISK_FULL, "disk full", "it answers reads, and takes no writes")                           \
    X(INSTALLING, "installing a snapshot", "its state is being replaced by a leader's")          \
    X(NO_LINK, "no leader: no link to node ", "it refuses that node, or is refused by it")       \
    X(FOUNDING, "founding: ", "other founders are waited for, or its folder can't be written")   \
    X(MISSED_REPAIR,                                                                             \
      "from before a quorum-loss repair: this node joins again with an empty folder",            \
      "what it holds is from before cairn repair was used, and is not the cluster's any more")   \
    X(WAITING, "waiting to be added to a cluster", "cairn member add lets it in")                \
    X(REMOVED, "removed from the cluster", "it rests; added again, it goes on with what it has") \
    X(MAJORITY_LOST,                                                                             \
      "no leader: a majority of the voters lost their disks, and what is left goes on by cairn " \
      "repair",                                                                                  \
      "the others can't elect")                                                                  \
    X(TERM_REFUSED, "no leader: another node's term is beyond what this node's clock allows",    \
      "its wall clock is far behind, or a term was forged")                                      \
    X(NO_LEADER, "no leader", "no majority is reachable, or an election is under way")           \
    X(DIVERGED, "diverged from the leader",                                                      \
      "its history is another one: it can never follow, and its folder must be replaced")        \
    X(LOG_DAMAGED, "log damaged, being repaired",                                                \
      "the disk can't give old entries back, which the state holds: it serves, and a snapshot "  \
      "takes their place")                                                                       \
    X(CATCHING_UP, "catching up", "it has many committed entries yet to apply")                  \
    X(OK, "ok", "it serves and follows")

enum node_health {
#define X(constant, text, about) NODE_HEALTH_##constant,
    NODE_HEALTH_LIST(X)
#undef X
        NODE_HEALTH_COUNT
};

/* In bytes; last 0: there was none. */
struct node_sizes {
    uint64_t last, min, max;
};

struct node_status {
    struct identity identity;
    struct replica_status replica;
    uint64_t keys;
    size_t machine_bytes;
    uint64_t state_digest;
    uint64_t time_ms; /* replicated time now */
    uint64_t wall_ms; /* of this node's clock */
    struct agreed agreed;
    uint64_t snapshot_index;
    uint64_t snapshot_time_ms; /* replicated */
    bool snapshot_running;
    uint64_t sessions;
    uint32_t cluster_version;
    uint32_t requests; /* outstanding */
    uint32_t links_up;
    uint64_t led_ns;             /* how long this node has been its leader; 0: it is not */
    struct node_sizes proposals; /* of commands that it proposed as that leader */
    const char *health;          /* the keyspace's: "ok", "no leader", "damaged", "disk full" ... */
    struct {
        uint64_t executed, refused, unknown, forwarded, reads, applied;
        uint64_t snapshots_taken, snapshots_sent, snapshots_installed;
        uint64_t frames_bad, links_refused, elections;
        uint64_t scrubbed_bytes, damage_found, damage_repaired; /* of the log, while it runs */
    } counters;
    uint64_t work_max; /* the greatest that one turn of a group has cost, in units of work */
};
/* Of one keyspace; identity, links and counters are the node's. */
void node_status(const struct node *node, uint32_t keyspace, struct node_status *status);
/* False when there is no keyspace of that name. */
bool node_keyspace_find(const struct node *node, const char *name, uint32_t *keyspace);
/* This node is no member of the keyspace's group any more, as far as it was told. */
bool node_removed(const struct node *node, uint32_t keyspace);
/* Of all keyspaces: "ok", or what stands in the way of one. */
const char *node_health(const struct node *node);
/* All of it as a JSON object, and for Prometheus (base/metrics.h). */
void node_status_json(const struct node *node, struct buf *out);
struct metrics;
void node_metrics(const struct node *node, struct metrics *metrics);
/* The JSON's fields, for documents; NULL behind the last. */
struct node_status_field {
    const char *part; /* node, keyspace, member */
    const char *name, *about;
};
const struct node_status_field *node_status_field_at(size_t n);

struct env *node_env(const struct node *node);
const struct node_options *node_get_options(const struct node *node);
/* Bytes that the machine's state occupies. Cheap. A limit on it is the front end's to keep, before
 * a command is placed: in apply it would have to be equal on all replicas. */
size_t node_machine_bytes(const struct node *node, uint32_t keyspace);
/* Bytes of answers to this node's reads that are being made. */
size_t node_gathered(const struct node *node);
/* How many other voters are known to hold everything that is committed. */
uint32_t node_replicas_current(const struct node *node, uint32_t keyspace);
uint64_t node_random(struct node *node);

/* For the simulator's global checks. The applied index is 0 while there is no state of one index: a
 * snapshot is being installed, or an entry is half applied. */
/* The greatest cost of one turn of a group so far, in units of work. */
uint64_t node_work_max(const struct node *node);
/* As if a connection that poses as that member had said no more than a term. Nothing happens when
 * there is no such member. */
void node_hear_term(struct node *node, uint32_t keyspace, uint64_t from, uint64_t term);
bool node_chain_at(const struct node *node, uint32_t keyspace, uint64_t index, uint64_t *chain);
uint64_t node_applied_index(const struct node *node, uint32_t keyspace);
uint64_t node_state_digest(const struct node *node, uint32_t keyspace);

#endif
