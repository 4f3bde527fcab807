/* What the files of node/ share. No other file includes it. */
#ifndef CAIRN_NODE_INTERNAL_H
#define CAIRN_NODE_INTERNAL_H

#include "base/fiber.h"
#include "base/hmap.h"
#include "base/prng.h"
#include "base/spans.h"
#include "node/frame.h"
#include "node/life.h"
#include "node/limits.h"
#include "node/node.h"
#include "node/stack.h"
#include "node/upload.h"
#include "storage/snapshot.h"
#include "storage/wal.h"

#define PEERS_MAX (2 * CONFIG_MEMBERS_MAX)

/* ---- links (link.c, link_send.c, greet.c, peer.c) ---- */

#define LOG_MARKS 32u

/* A message that is being put together from frames of one lane. */
struct assembly {
    struct blob *blob; /* NULL: none begun */
    uint32_t filled;
    enum frame_type type;
    uint64_t group;
    uint64_t began_ns;
};

/* A message in the bulk lane, partly sent. */
struct outgoing {
    struct list list;
    enum frame_type type;
    uint64_t group;
    uint32_t total;
    uint32_t sent;
    struct blob *head;
    size_t count;
    struct entry entries[]; /* each with its reference */
};

/* What both sides of a link know of each other's folders, in LINK_FOUNDING. */
struct meeting {
    bool met;     /* its word came: */
    bool founder; /* its folder is that of a founder */
    bool noted;   /* and known here, durably */
    bool other;   /* by another incarnation */
    bool vouches; /* it knows this node's folder */
    bool settled_here, settled_there;
};

enum link_state {
    LINK_CONNECTING = 1,
    LINK_HELLO,    /* waits for the other side's hello */
    LINK_PROOF,    /* ... and, when both have a secret, for its proof */
    LINK_FACTS,    /* ... and, of version 3, for its facts (facts.c) */
    LINK_FOUNDING, /* ... and until both sides take part (founding.c) */
    LINK_UP,
    LINK_CLOSING
};

/* One connection to a peer. Owned by its stream: freed in the close event. */
struct link {
    struct env_stream stream;
    struct list list; /* node->links */
    struct node *node;
    struct peer *peer; /* when dialled, or once UP */
    enum link_state state;
    bool dialled;
    bool only_looks;    /* whether a node is there: it says no hello, and never comes up */
    uint64_t looks_for; /* that node; 0: it is known already */
    uint64_t since_ns;  /* when it entered its state */
    uint64_t heard_ns;
    uint64_t sent_ns;
    uint64_t frames_in, frames_out;
    struct link_limits limits;
    struct hello hello;               /* the other side's */
    struct buf hello_sent, hello_got; /* as they went over the link, until it is agreed upon */
    bool proved;                      /* the other side has a secret of ours: */
    struct peer_secret proved_by;
    uint32_t wire_version;
    uint64_t number; /* of the other side's cluster, as far as it is known */
    struct meeting meeting;
    struct buf in; /* an incomplete frame */
    struct assembly assembly[2];
    struct buf control; /* frames of the control lane, to be written at the turn's end */
    struct list bulk;   /* struct outgoing */
    size_t bulk_bytes;
    struct buf replies; /* of one group's forwarded requests, gathered in a turn */
    uint64_t replies_group;
    /* By keyspace: forwarded requests of this epoch and below are refused. */
    uint64_t refused_epoch[NODE_KEYSPACES_MAX];
};

/* Whether a member is at its recorded address (address.c). */
struct address_check {
    struct link *link;   /* a look under way; NULL: none */
    bool recorded_fails; /* no node of that id answered there: the announced one is looked at */
    uint64_t at_ns;      /* the next look not before */
};

/* Another node that we know of, by configuration, by seed or because it said hello. */
struct peer {
    uint64_t id; /* 0: unused place */
    char address[CONFIG_ADDRESS_MAX];
    struct link *link; /* FOUNDING or UP, or NULL */
    struct link *dialling;
    uint64_t dial_at_ns;
    uint32_t failures;
    bool wanted;                        /* keep a link to it */
    const char *refusal;                /* why the last link dialled to it can't be; NULL: it can */
    char announced[CONFIG_ADDRESS_MAX]; /* by its last hello; empty: never heard */
    struct address_check check;
};

enum cairn_status peers_open(struct node *node);
void peers_disconnect(struct node *node);
void peers_close(struct node *node);
struct peer *peer_find(struct node *node, uint64_t id);
/* The link that is up to it, or NULL. */
struct link *peer_link(const struct node *node, uint64_t id);
/* Takes addresses and the wish for links from the groups' configurations in use. */
void peers_configure(struct node *node);
/* Dials what is wanted, drops what is silent; returns when it wants to be called again. */
uint64_t peers_tick(struct node *node, uint64_t now);
/* Everything queued leaves (turn's end). */
void peers_flush(struct node *node);

/* Hello and facts are verified. Resolves duplicates; false: this link must close. */
bool peer_take_link(struct link *link);
void peer_lose_link(struct link *link);
/* Nothing finds the link by its peer any more. */
void peer_forget_link(struct link *link);

/* Puts together what health says of peers that refuse this node, or that it refuses. */
void peers_tell_refusal(struct node *node);

struct link *link_dial(struct node *node, struct peer *peer);
/* A connection that waits for a hello and says none; the end is told by address_looked. */
struct link *link_look(struct node *node, uint64_t id, const char *address);
/* greet.c: how a link begins */
/* Says hello, once. */
void link_greet(struct link *link);
/* Takes the frame if its type is one with which links begin. */
bool greet_take(struct link *link, enum frame_type type, struct bytes body);
/* The link is about to be dropped. by_peer: the other side, or the way to it, ended it. */
void greet_ended(struct link *link, bool by_peer);
/* From now on the groups use it. */
void link_up(struct link *link);
void link_drop(struct link *link, const char *why);
/* What it says can't be read: counted, and told in the log. */
void link_malformed(struct link *link, const char *what);
void link_input(struct link *link, struct bytes bytes);
/* Control: copied into the link's next write. Bulk: entries are referenced. */
void link_send(struct link *link, enum effect_lane lane, enum frame_type type, uint64_t group,
               struct bytes head, const struct entry *entries, size_t count);
void link_flush(struct link *link);
void link_discard_bulk(struct link *link);

/* stranger.c: what nodes may take that are no members */
/* Before a connection is accepted. */
void strangers_make_place(struct node *node);
/* Before a message of several frames is begun. */
void strangers_make_room(struct link *link, const struct frame_head *head);
void stranger_tick(struct link *link, uint64_t now);
/* epoch.c: what missed a quorum-loss repair stays apart */
/* No entry and no snapshot, in any keyspace. */
bool node_holds_nothing(const struct node *node);
/* Why a node of that epoch can't be talked to; NULL: it can. */
const char *epoch_refusal(struct node *node, uint64_t theirs);
/* A message of a protocol came: a node that joins takes the epoch of the one that made it a member.
 */
void epoch_adopt(struct link *link);
/* facts.c: from which cluster the data is */
void facts_send(struct link *link);
/* Why the link can't be used; NULL: it can. */
const char *facts_refusal(struct link *link, struct bytes body);
/* Keeps the cluster's number once it is known; drops links to other clusters. */
void facts_turn(struct node *node, uint64_t now);
/* founding.c: folders that founders know each other by */
void founding_begin(struct node *node);
/* The link's facts fit: each side tells what its folder is. */
void founding_meet(struct link *link);
void founding_receive(struct link *link, struct bytes body);
/* Some member's folder may be bound now. */
void founding_configured(struct node *node);
void founding_turn(struct node *node, uint64_t now);
uint64_t founding_deadline(const struct node *node);
/* What this founder waits for; NULL: nothing. */
const char *founding_health(const struct node *node);
/* So many of the group's voters lost their disks that the others are no majority, as far as this
 * node knows the voters. */
bool founding_majority_lost(const struct group *group);
/* address.c */
const char *address_to_dial(const struct node *node, const struct peer *peer);
void addresses_turn(struct node *node, uint64_t now);
void address_looked(struct node *node, uint64_t id, bool found);

/* ---- the group ---- */

enum request_kind { REQUEST_WRITE = 1, REQUEST_READ, REQUEST_OPERATE };
enum request_origin {
    ORIGIN_CLIENT = 1, /* of this node, even if it has left meanwhile */
    ORIGIN_PEER,       /* forwarded to us */
    ORIGIN_SELF        /* what a leader proposes by itself */
};
enum request_state {
    REQUEST_PENDING = 1, /* not given to the protocol, nor sent anywhere */
    REQUEST_PLACED,      /* in the log at (term, index), ours or the leader's */
    REQUEST_FORWARDED,   /* sent to the leader: fate unknown until it answers */
    REQUEST_READING,     /* a read: waits for its index */
    REQUEST_OPERATING,   /* given to the protocol, which answers later */
    REQUEST_UPLOADING    /* long: its pieces go into the log, it itself has not left */
};

struct request {
    struct list queue;          /* the group's queue of its state */
    struct list owned;          /* its client's requests; empty when none waits */
    struct list aging;          /* by deadline */
    struct node_client *client; /* NULL: closed, or asked by a peer */
    node_done *done;            /* NULL: no requester waits */
    void *context;
    uint64_t order; /* in which requests were made */
    uint64_t deadline_ns;
    uint64_t limit_ns; /* the deadline as it was made; hurried ones are nearer */
    uint64_t last_ns;  /* of a patient one: the end of all patience */
    enum request_kind kind;
    enum request_origin origin;
    enum request_state state;
    bool patient;         /* an operation whose leader may work on it for long */
    bool retry_safe;      /* carries a session: may be sent again whatever became of it */
    bool barrier;         /* a read of nothing: only its index is waited for */
    bool weak;            /* its client's reads may be older than linearizable ones */
    bool local;           /* a read of what this node has, whatever that is */
    bool asked;           /* it counts in its client's reads_asked */
    bool far;             /* it is answered by the leader: the asking node can't apply now */
    bool due_long;        /* READ: it waited for an expiry in vain: the leader is to answer it */
    bool needed;          /* proposed without room for commands too: reads wait for it */
    bool maybe_executed;  /* by an earlier attempt: no refusal says any more that it was not */
    uint64_t index, term; /* PLACED */
    uint64_t tag;         /* FORWARDED, OPERATING */
    uint64_t sent_to;     /* FORWARDED: the peer */
    uint64_t epoch;       /* PLACED, FORWARDED: the group's at that time */
    uint64_t due_ns;      /* READING: since when it waits for an expiry; 0: not yet */
    uint64_t time_ms;     /* READING: the replicated time at which it was first tried */
    struct hnode by_tag;
    struct upload *upload; /* it goes in pieces; NULL: whole */
    uint32_t len;
    uint8_t command[]; /* envelope, query, or encoded operation */
};

/* Reads that were given one index to wait for. */
struct read_batch {
    struct list list;
    uint64_t tag;
    uint64_t index;
    struct list requests;
};

/* A protocol message that waits for a persist. */
struct held {
    struct list list;
    uint64_t to, after;
    enum effect_lane lane;
    struct blob *head;
    size_t count;
    struct entry entries[];
};

/* States of replicas compared (compare.c). */
struct compare {
    uint64_t asked_index; /* any replica: its state there is asked for; 0: none */
    uint64_t asked_by;
    bool no_majority; /* replicas differ and no majority agrees: nothing is served */
    /* leader */
    uint64_t index; /* that was asked for; 0: none, or decided */
    uint64_t asked_at_ns, next_ns;
    uint32_t count;
    struct compare_answer {
        uint64_t id, digest;
    } answers[CONFIG_MEMBERS_MAX]; /* the leader's own first */
};

/* What the protocol gave to be applied and is not yet (group_apply.c). */
struct applying {
    struct fiber *fiber;   /* on which commands run */
    bool paused;           /* within `now`: the state is half of that entry's */
    bool at_once;          /* no pause: all of it ends here */
    bool unheard;          /* nothing here waited for the reply to `now` when it began */
    struct entry now;      /* with a reference of its own */
    struct entry *entries; /* those behind it, likewise, from `at` on */
    size_t at, count, cap;
    struct buf reply, changes;
    void *later; /* makes the reply to `now`, which is long; NULL: it is whole */
};

struct snapshot_job; /* group_snapshot.c */
struct install_job;  /* group_install.c */
struct sending;      /* snapshot_send.c */
struct receiving;    /* snapshot_receive.c */

struct group {
    struct node *node;
    uint64_t id;
    uint32_t keyspace;
    const struct protocol *protocol;
    struct replica *replica;
    struct stack stack;

    enum role role;
    uint64_t term, leader;
    struct config config;
    uint64_t applied;
    uint64_t applied_term; /* of the newest entry applied in this life */
    uint64_t applied_fed;  /* told to the protocol */
    uint64_t persisted;    /* highest sequence known durable */
    uint64_t persisted_fed;
    uint64_t persist_issued; /* highest sequence handed to the log */
    bool tail_unknown;       /* recovery found damage that reaches to an unknown end */
    uint64_t log_bytes;      /* applied since the last snapshot */
    uint64_t log_total;      /* applied in this life */
    /* Where in the log its bytes lie, roughly: a mark every now and then, oldest first. */
    struct log_mark {
        uint64_t index, total;
    } marks[LOG_MARKS];
    uint32_t mark_count;
    struct list held;

    uint64_t request_count;
    size_t request_bytes; /* their commands */
    uint64_t epoch;       /* rises when requests may go another way than those before them */
    uint64_t next_order, next_tag;
    struct list pending_writes;
    struct list pending_reads;
    struct list operations; /* OPERATE, pending */
    struct list uploads;    /* WRITE, uploading */
    uint64_t upload_numbers;
    struct list forwarded;
    struct list operating;
    struct hmap by_tag;
    struct list aging;        /* all requests, oldest deadline first */
    struct list read_asked;   /* struct read_batch: the protocol was asked */
    struct list read_waiting; /* struct read_batch: index known, by rising index */
    struct list reads_due;    /* struct request: wait for a committed expiry */
    uint64_t reads_due_tried; /* at which applied index */
    uint64_t read_turn;       /* of those in which reads were asked for */
    uint64_t local_time_ms;   /* the latest that a local read went by */
    struct list long_reads;   /* group_long.c */
    uint64_t leads_since_ns;
    struct node_sizes proposal_sizes;
    size_t gathered;            /* for their answers, so far ... */
    struct long_read *gatherer; /* ... mostly by this one */
    struct list resumed;        /* struct node_client: holds its reads back no more */
    size_t read_bytes;          /* answered in this turn */
    uint64_t write_retry_ns; /* pending requests are tried again then, or when the role changes */
    uint64_t read_retry_ns;

    struct request **waiters; /* a ring of PLACED requests, no index below the one before */
    size_t waiters_cap, waiters_head, waiters_count;

    uint32_t due_inflight;  /* batches */
    uint64_t due_spared_ns; /* with a full disk, none is proposed before */
    bool no_room_told;      /* what the protocol heard last: the log has none for commands */
    uint64_t due_at_ns;
    bool version_inflight;
    bool agreed_inflight;
    uint64_t config_index;
    uint64_t told_index;   /* of the newest configuration that a peer told of ... */
    bool told_gone;        /* ... which does not list this node */
    bool rests;            /* it is removed, and said so */
    bool config_committed; /* config is that of a committed entry */
    bool members_asked;    /* the machine may have to be told the members */
    bool members_inflight;

    struct compare compare;

    struct lives lives; /* leader */
    uint32_t ends_under_way;
    struct buf signs; /* for the leader: u64 ids */
    uint64_t signs_at_ns;

    struct snapshot_job *snapshot;
    uint64_t snapshot_index; /* newest on disk */
    uint64_t snapshot_time_ms;
    struct spans commit_times;
    uint64_t snapshot_retry_ns;
    uint64_t unreadable; /* the highest damaged entry, found while running; 0: none */
    bool pins_log;       /* as last looked at */
    bool snapshot_now;   /* one is made, though the log is short (base/rare.h) */
    uint64_t look_at_ns;
    uint64_t snapshot_delay; /* bytes of log by which the next one may come later */
    struct install_job *install;
    struct list sendings;
    struct receiving *receiving;
    struct list sendings_ended, receivings_ended; /* whose background job is not back yet */

    /* Peers whose forwarded requests were placed, up to which index: they are told its commit at
     * once. */
    struct {
        uint64_t peer, index;
    } awaited[PEERS_MAX];
    uint32_t awaited_count;

    struct buf reply, scratch;
    struct buf *reply_owner;    /* of the reply that a requester is told just now; NULL: none */
    struct proposal *proposals; /* under way while the protocol is asked; tags are places here */
    struct request **proposed;  /* whose they are; NULL: answered */
    size_t proposals_cap, proposed_count;
    struct work work; /* done in this turn */
    struct applying applying;
};

/* A keyspace's part in the aim under way. */
struct aim_part {
    bool asked, done;
    uint64_t asked_ns, retry_ns;
    uint64_t lost_ns; /* since when its leader can't be asked; 0: it can */
};

/* What the first keyspace's leader knows of the aim that it drives (aim_drive.c). */
struct aim_drive {
    uint64_t id, term; /* id 0: it drives none */
    enum aim_phase phase;
    uint64_t generation; /* answers to what was asked before are stale */
    uint32_t writing;    /* words on their way into the log */
    uint64_t settle_by_ns;
    struct aim_part parts[NODE_KEYSPACES_MAX];
};

/* The log is read back slowly, so that damage is found while there are other copies (scrub.c). */
struct scrub {
    bool under_way; /* a piece is being read */
    uint32_t keyspace;
    uint64_t next;     /* index */
    uint64_t at_ns;    /* the next piece */
    uint64_t again_ns; /* the next round begins then or later */
};

/* This node's part in founding the cluster (founding.c). */
struct founding {
    uint64_t since_ns; /* its start */
    uint64_t retry_ns; /* its identity could not be written: not before */
    uint64_t told_ns;  /* what it waits for is said in the log from then on */
    bool configured;   /* configurations changed since it was looked at them */
    uint64_t other;    /* this founder knows another folder of this node; 0: none */
    char waits[320];   /* for which founders; empty: for none */
    char logged[320];
};

struct node {
    struct env *env;
    struct node_options options;
    struct node_limits limits;
    struct prng prng;
    uint64_t boot;
    struct wal *wal;
    struct env_file *lock;
    struct group *groups[NODE_KEYSPACES_MAX + 1]; /* by keyspace; then NULL */
    uint32_t group_count;
    struct env_listener listener;
    bool listening;
    struct list links;
    struct list operations; /* of operators, under way (operator.c) */
    struct aim_drive aim_drive;
    struct scrub scrub;
    struct address_check own_address;
    struct peer peers[PEERS_MAX];
    char refused[240]; /* a peer that was dialled, and why there is no link; empty: none */
    struct env_timer timer;
    uint64_t peers_at_ns;
    uint64_t clock_watch_ns;  /* when the clock is compared with replicated time next */
    uint64_t number_retry_ns; /* the cluster's number could not be stored; 0: it was */
    bool settings_compared;   /* with the agreed parameters */
    bool missed_repair;       /* a node of a later epoch said so, and this one holds data */
    struct founding founding;
    bool failed;
    bool stopping;
    bool closing; /* node_close under way: callbacks only free */
    uint64_t stop_at_ns;
    void (*stopped)(void *context);
    void *stopped_context;
    struct node_status counted; /* the counters; the rest is filled by node_status */
    int works;                  /* background jobs under way */
    struct spans slices;        /* of snapshot work on the loop */
};

/* This node is no member of the group any more, as far as is known. */
bool group_removed(const struct group *group);
/* Why a request with a command of that length is not taken; OK: it is. */
enum cairn_status node_refusal(const struct node_client *client, size_t len);
void node_log(struct node *node, int level, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* An empty buffer that grew large is given back. */
void node_trim(struct buf *buf);
void node_fail(struct node *node, enum cairn_status status, const char *text);
/* False: not now, for want of space or descriptors, and it is to be tried again later. Any other
 * error ends the node. */
#define IDENTITY_RETRY_NS 100000000ull
bool node_store_identity(struct node *node);
uint64_t node_wall_ms(struct node *node);

/* The groups of a node, in the order of its keyspaces. */
#define NODE_EACH_GROUP(group, node)                                                  \
    for (struct group *const *each_ = (node)->groups, *group = *each_; group != NULL; \
         group = *++each_)
/* NULL: no keyspace of ours. */
struct group *node_group(const struct node *node, uint64_t id);
/* As some group of ours lists it; NULL: none does. */
const struct member *node_member(const struct node *node, uint64_t id);

/* recovery.c: what the disk holds. Makes the folders, fills node->groups from the keyspaces,
 * restores their newest snapshots, opens the log and hands them what it tells. */
enum cairn_status node_recover(struct node *node, char *error, size_t error_size);

/* group.c: the executor of effects */
struct group *group_new(struct node *node, uint32_t keyspace);
void group_close(struct group *group);
void group_start(struct group *group);
void group_step(struct group *group, struct event *event);
/* The wall clock as the protocol is told it: an operator may have set replicated time back. */
uint64_t group_wall_ms(const struct group *group);
/* Replicated time now, as commands and reads see it. */
uint64_t group_time_ms(const struct group *group);
void group_effects(struct group *group, struct effects effects);
void group_message(struct group *group, struct link *link, struct blob *frame);
void group_peer(struct group *group, enum event_kind kind, const struct link *link);
uint64_t group_deadline(const struct group *group);
void group_persist_done(struct group *group, uint64_t seq, enum cairn_status status);
/* What happened since the last turn and is told to the protocol at once. */
void group_feed_persisted(struct group *group);
void group_feed_applied(struct group *group);

/* health.c */
const char *group_health(const struct group *group, const struct replica_status *replica);

/* group_turn.c: what a turn does, in order */
void group_turn(struct group *group, uint64_t now);

/* group_apply.c */
void group_apply(struct group *group, const struct entry *entries, size_t count);
/* The index up to which the log may go when it is to keep about so many bytes behind it, at most up
 * to the state of which `total` was applied in this life; 0: it holds no more than that. */
uint64_t group_trailing(const struct group *group, uint64_t total);
/* Goes on with what the turns before left. */
void group_apply_go_on(struct group *group);
/* What was not begun is of no use any more; an entry that is under way goes on. */
void group_apply_drop(struct group *group);
void group_apply_close(struct group *group);
void group_work_open(struct group *group);
/* A turn begins: it has its full budget. */
void group_work_begin(struct group *group);
/* The turn's budget is used up. */
bool group_spent(const struct group *group);
/* An entry is being applied: nothing may read the state, nor freeze it. */
/* Of no entry up to there a reply can be had any more. */
uint64_t group_replied(const struct group *group);
bool group_paused(const struct group *group);

/* group_request.c: life of requests */
/* Its command is head and command together: large ones are copied once. */
struct request *request_new(struct group *group, struct node_client *client, enum request_kind kind,
                            struct bytes head, struct bytes command, node_done *done,
                            void *context);
struct request *request_new_from(struct group *group, enum request_origin origin,
                                 enum request_kind kind, struct bytes command, node_done *done,
                                 void *context);
/* A long command, whose parts are not copied but taken over. */
struct request *request_new_long(struct group *group, struct node_client *client, struct bytes head,
                                 struct command_part *parts, size_t count, node_done *done,
                                 void *context);
/* A piece of a long command: of this node, in no client's order. */
struct request *request_new_parts(struct group *group, enum request_kind kind, struct bytes head,
                                  struct bytes command, node_done *done, void *context);
/* What of it goes into the log. */
struct bytes request_body(const struct request *request);
/* Into the queue, by its order. */
void request_queue(struct list *queue, struct request *request);
/* From now on it has its full time. */
void request_ages(struct group *group, struct request *request);
/* Among those that are outstanding, as requests_full sees it; and no more. */
void requests_count(struct group *group, const struct request *request);
void requests_uncount(struct group *group, const struct request *request);
/* No room for one more with a command of that length. */
bool requests_full(const struct group *group, size_t len);
/* Tells the requester that waits, and frees it. */
void request_finish(struct group *group, struct request *request, enum cairn_status status,
                    struct bytes reply);
/* The same with OK and a reply that the requester may keep (node_reply_take). */
void request_answer(struct group *group, struct request *request, struct buf *reply);
/* Back to pending, in its order: it was surely not executed. One that is not of this node's own
 * clients ends instead: its sender keeps its clients' order. */
void request_again(struct group *group, struct request *request);
/* Reads in their order, all of them, without a walk for each. */
void reads_again(struct group *group, struct list *requests);
/* It was sent, and whether it was executed is not to be known any more. With a session it is sent
 * again, and no later refusal says that it was not executed; without one it ends as unknown. */
void request_fate_unknown(struct group *group, struct request *request);
/* It goes into the log, or to the leader. */
void request_leaves(struct group *group, struct request *request, enum request_state state);
/* Must not leave yet, or it would overtake what its client asked for before. */
bool request_held_back(const struct group *group, const struct request *request);
/* What leaves only from a leader is refused: this node leads no more. */
void requests_refuse_foreign(struct group *group, struct list *queue);
void requests_expire(struct group *group, uint64_t now);
/* There is a new leader: the one before it, if it lives, answers what it was sent by then. What
 * carries a session goes to the new one at once. */
void requests_hurry(struct group *group, uint64_t deadline_ns);
void requests_fail_all(struct group *group, enum cairn_status pending, enum cairn_status placed);
void waiter_push(struct group *group, struct request *request);
/* One that the leader told to have placed at the index and term now in it. */
void waiter_push_forwarded(struct group *group, struct request *request);
/* A request placed at index, removed; NULL: none (more). Those below it first (lost to a snapshot).
 */
struct request *waiter_pop(struct group *group, uint64_t index);
bool waiter_is_at(struct group *group, uint64_t index);
/* An entry of that term was applied below: terms never fall along a log, so those that were placed
 * in an older one were surely not executed. */
void waiters_overtaken(struct group *group, uint64_t term);
/* An entry of another term was applied in its place: it was never executed, and may be placed anew
 * if a requester still waits. */
void waiter_displaced(struct group *group, struct request *request);
/* A request that is answered later, by the part that is given its tag. */
void request_tag(struct group *group, struct request *request);
/* A read whose index or answer is asked for: its client's later ones wait for it. */
void request_read_asked(struct group *group, struct request *request);
/* The answer to its tag is not waited for any more; nothing when it has none. */
void request_untag(struct group *group, struct request *request);
/* An operation is given to the protocol, under its tag. */
void request_operates(struct group *group, struct request *request);
/* NULL: it was answered already; no requester waits for more. */
struct request *request_by_tag(struct group *group, uint64_t tag);

/* group_write.c: proposing */
void group_propose(struct group *group, uint64_t now);
void group_outcome(struct group *group, const struct effect *effect);

/* group_read.c */
void group_reads(struct group *group, uint64_t now);
void group_read_ready(struct group *group, uint64_t tag, enum cairn_status status, uint64_t index);
/* Reads that waited for an index up to `applied`. */
void group_reads_applied(struct group *group, uint64_t applied);
/* Reads that met a key whose time was over: asked again. */
void group_reads_due(struct group *group);
void group_long_reads(struct group *group);
void group_long_reads_close(struct group *group);
/* A read that the machine calls too long for one go. */
void long_read_new(struct group *group, struct request *request);
/* A write that was carried out, whose reply this task of the machine makes. */
void long_reply_new(struct group *group, struct request *request, void *task);
struct read_context group_read_context(struct group *group, const struct request *request);
/* It met what has ended by its time: until an entry of that time is applied. */
void group_read_waits(struct group *group, struct request *request);
/* Reads of clients that have room for answers again, or that came late in a busy turn. */
void group_reads_resume(struct group *group);
void group_reads_forget(struct group *group, struct node_client *client);
void group_reads_close(struct group *group);

/* forward.c */
/* There is a leader, another node, that can answer reads in this node's place. */
bool forward_leader_answers(const struct group *group);
/* This node can't append what the leader sends, so its state stands still: the leader answers for
 * it. */
bool forward_answers_far(const struct group *group);
/* Sends what it can of the queue to the leader. */
void forward_requests(struct group *group, struct list *queue);
void forward_receive(struct group *group, struct link *link, struct bytes body);
void forward_receive_reply(struct group *group, struct link *link, struct bytes body);
/* A peer's request has its place in the log: the peer is told, and waits for it itself. */
void forward_placed(struct group *group, struct request *request, uint64_t index, uint64_t term);
/* The answers gathered for that peer leave. */
void forward_replies_flush(struct link *link);
void forward_link_lost(struct group *group, const struct link *link);
/* At a turn's end, behind the answers: peers that wait for what they forwarded learn what is
 * committed. */
void forward_tell_commit(struct group *group);

/* time.c: what the leader proposes by itself */
void group_propose_due(struct group *group, uint64_t now);
void group_propose_version(struct group *group);
void group_propose_agreed(struct group *group);
void group_watch_clock(struct group *group, uint64_t now);
void group_propose_members(struct group *group);

/* compare.c */
void compare_asked(struct group *group, struct link *link, struct bytes body);
void compare_answered(struct group *group, struct link *link, struct bytes body);
void compare_told(struct group *group, struct link *link, struct bytes body);
/* An entry was applied: is this the index whose state is asked for? */
void compare_applied(struct group *group);
void compare_turn(struct group *group, uint64_t now);
uint64_t compare_deadline(const struct group *group);

/* group_life.c */
void group_lives_receive(struct group *group, struct link *link, struct bytes body);
void group_lives_role(struct group *group, bool was_leader);
void group_lives_change(struct group *group, const struct change *change);
/* Passes signs on; proposes the ends that are due. */
void group_lives_turn(struct group *group, uint64_t now);
uint64_t group_lives_deadline(const struct group *group);

/* members.c: the change under way, as a field of the node's JSON with its comma */
void members_json(const struct node *node, struct buf *out);
/* From here on the text is what a JSON string may hold as it is. */
void json_plain(struct buf *text, size_t from);

/* removal.c */
/* Tells the other side of the link the members, and so whether it is one. */
void removal_tell(struct group *group, struct link *link);
void removal_tell_all(struct group *group);
void removal_receive(struct group *group, struct link *link, struct bytes body);
/* Notices that this node was removed, or is back. */
void removal_turn(struct group *group);

/* operate.c: at the leader */
void group_operations(struct group *group, uint64_t now);
void operation_encode(struct buf *out, enum node_operation operation, uint64_t id,
                      const char *address);
void operation_outcome(struct group *group, struct request *request, const struct effect *effect);
/* The error for wishes that are fulfilled already. */
const char *wishes_already(const struct wishes *wishes);
/* Applies them; the error when that can't be. */
const char *wishes_problem(const struct wishes *wishes, struct config *config);

/* operator.c: at the node that was asked */
/* No requester waits any more; what is under way goes on. */
void operations_forget_client(struct node *node, const struct node_client *client);
void operations_turn(struct node *node, uint64_t now);
uint64_t operations_deadline(const struct node *node);
void operations_close(struct node *node);
/* The node itself wishes it; no requester waits. */
void operator_wish(struct node *node, const struct wishes *wishes);

/* aim_drive.c: at the first keyspace's leader */
/* An operation that records or cancels an aim. */
void aim_ask(struct group *group, struct request *request);
/* A part of an aim that is done already: the reply comes once it is sure that this replica leads.
 */
void aim_confirm(struct group *group, struct request *request);
void aims_turn(struct node *node, uint64_t now);
uint64_t aims_deadline(const struct node *node);

/* group_snapshot.c */
void group_snapshot_begin(struct group *group);
/* Once a second: is it this group that keeps the log long? */
void group_look_at_log(struct group *group, uint64_t now);
bool group_snapshot_wanted(const struct group *group, uint64_t now);
void group_snapshot_abandon(struct group *group);
void group_snapshot_folder(const struct group *group, char *out, size_t size);
/* The log lets go of what the protocol trimmed. */
void group_release_log(struct group *group);

/* damage.c: what the disk can't give back, found while the node runs */
void group_unreadable(struct group *group, enum cairn_status status, uint64_t first, uint64_t last);
/* A snapshot at or above the damage is due. */
bool group_damage_waits(const struct group *group);
/* Notices that the log is whole again, or can't be made so. */
void group_damage_turn(struct group *group);

/* scrub.c */
void scrub_turn(struct node *node, uint64_t now);
uint64_t scrub_deadline(const struct node *node);

/* group_install.c */
void group_install(struct group *group, const struct log_base *base);
/* Begins what waits for a command that was under way. */
void group_install_turn(struct group *group);
void group_install_abandon(struct group *group);
enum cairn_status group_restore_newest(struct group *group, bool *found, char *error,
                                       size_t error_size);

/* snapshot_send.c, snapshot_receive.c */
void snapshot_send_begin(struct group *group, uint64_t to, uint64_t index, uint64_t term);
void snapshot_send_ready(struct group *group); /* a newer snapshot stands on disk */
/* So many slices of the snapshot under way are written: the peer that waits for it is a step
 * further. */
void snapshot_send_made(struct group *group, uint64_t slices);
/* One waits for a newer snapshot than there is. */
bool snapshot_send_waits(const struct group *group);
void snapshot_send_answer(struct group *group, struct link *link, struct bytes body);
void snapshot_send_ack(struct group *group, struct link *link, struct bytes body);
void snapshot_send_link_lost(struct group *group, uint64_t peer);
void snapshot_send_stop_all(struct group *group);
/* The node closes: no job runs any more, no requester is told. */
void snapshot_send_close(struct group *group);
void snapshot_receive_offer(struct group *group, struct link *link, struct bytes body);
void snapshot_receive_answer(struct group *group, uint64_t from, bool accept);
void snapshot_receive_chunk(struct group *group, struct link *link, struct blob *message);
/* So much of it is installed; told to its sender now and then, if that one takes it. */
void snapshot_receive_installing(struct group *group, uint64_t bytes);
void snapshot_receive_installed(struct group *group, enum cairn_status status);
void snapshot_receive_close(struct group *group);

#endif
