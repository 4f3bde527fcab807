/* A world of protocol cores alone: replicas with perfect executors, a disk each of which only what
 * the scheduler completed is durable, bags of messages, clocks, and clients that propose and read.
 * Everything that can happen is a move; a run is a list of moves, and the same list does the same.
 * What must hold is checked while it happens (cores_oracle.c).
 */
#ifndef CAIRN_CORES_WORLD_H
#define CAIRN_CORES_WORLD_H

#include "base/bytes.h"
#include "core/protocol.h"
#include "core/view.h"
#include "cores/cores_move.h"

#define CORES_MS 1000000ull
#define CORES_NODES_MAX 7u
#define CORES_IDS (CORES_NODES_MAX + 1) /* ids are 1..CORES_NODES_MAX */
#define CORES_CHANNEL_MAX 24u           /* messages on one way; beyond, the oldest is lost */
#define CORES_TERMS_MAX 2048u           /* a run ends there */
#define CORES_INDEX_MAX 2048u
#define CORES_CONFIGS 128u /* of a run; a run ends there */
#define CORES_ACKED 32u    /* a power of two */
#define CORES_READS 1024u  /* a power of two */

/* What distinguishes the worlds of two runs before anything happens. */
struct cores_setup {
    const struct protocol *protocol;
    enum mutant mutant;
    uint64_t seed;             /* of the replicas' own generators */
    unsigned voters, learners; /* ids follow: learners behind voters */
    unsigned spare;            /* nodes outside the first configuration, blank */
    uint8_t leases;            /* nodes that use them when they lead, as bits */
    uint8_t slow;              /* nodes that apply what is committed when the next message comes */
    unsigned victim;           /* the one whose disk may lose something; 0: none does */
    enum cores_loss { CORES_LOSS_HARD, CORES_LOSS_TAIL, CORES_LOSS_ALL, CORES_LOSS_COUNT } loss;
    bool small; /* one entry a message, little memory: logs are read back, snapshots are needed */
    bool rare;  /* rare branches are made common, as the seed says (base/rare.h) */
    bool own_time; /* each clock stands still until its replica's next deadline is chosen */
    int32_t clock_ppm[CORES_IDS];
    uint16_t election_ms[CORES_IDS]; /* the shortest timeout; the longest is twice that */
};

struct cores_message {
    struct blob *frame; /* NULL: a snapshot */
    struct cores_offer *offer;
    uint64_t at; /* when it left, as a number that rises with every message */
};

struct cores_channel {
    struct cores_message items[CORES_CHANNEL_MAX]; /* oldest first */
    unsigned count;
};

struct cores_persist {
    uint64_t seq;
    bool has_hard, reset;
    enum room room;
    struct buf hard;
    struct log_base base;
    uint64_t truncate_from;
    struct entry *entries;
    size_t count, cap;
};

/* What a power loss now would leave. */
struct cores_image {
    struct buf hard;
    bool has_hard;
    bool hard_lost;
    bool tail_lost;         /* until a hard state says so */
    struct promise promise; /* what the hard state says; zero without one */
    bool has_base;
    struct log_base base;
    struct buf base_state;
    uint64_t first; /* index of entries[0] */
    struct entry *entries;
    size_t count, cap;
};

struct cores_send {
    uint64_t after;
    uint64_t to;
    uint64_t clock; /* of the sender, in the step that made it */
    struct cores_message message;
};

struct cores_node {
    uint64_t id;
    bool up;
    uint64_t lives;
    uint64_t ahead_ns; /* with time of its own: how far that has come */
    struct replica_options options;
    struct replica *replica;
    struct cores_image image;

    struct cores_persist *persists; /* under way, oldest first */
    size_t persist_count, persist_cap;
    struct cores_send *sends; /* wait for their persist */
    size_t send_count, send_cap;
    uint64_t durable_seq;
    struct event *inner; /* what the executor owes the replica */
    size_t inner_count, inner_cap;
    bool accepted; /* the last offered snapshot */
    bool harmed;   /* its disk lost something in this run */
    /* What a full disk did not cut off from there on is none of the replica's log, and is cut off
     * when there is room, under whichever leader; 0: nothing. */
    uint64_t refused_cut;
    bool full;     /* the disk: entries find no room ... */
    unsigned kept; /* ... but for so many writes of ROOM_ALL */

    struct entry *owed; /* a slow node's: to be applied */
    size_t owed_count, owed_cap;
    uint64_t applied;
    struct belief belief;             /* after its last step; config is not kept */
    struct config config;             /* in force before the present step */
    const struct config *next_config; /* and after it, while what it committed is judged */
    bool config_told;                 /* it changed in the present step */
    uint64_t config_index;            /* of the entry that holds what is in force; 0: none does */
    uint64_t config_of;               /* the same of `config` */
    uint64_t config_last;             /* the log's end when that was looked at */
    uint64_t told_term, told_vote;    /* the most that it ever said, over all its lives */
    struct cores_promised {
        uint64_t until, term; /* by its own clock */
        uint64_t released;    /* of that term it is released by the leader itself */
    } promised[CORES_IDS];    /* to each leader, over all its lives */
    struct cores_acked {
        uint64_t index, chain;
    } acked[CORES_ACKED]; /* a ring: what it acknowledged, until its disk was replaced */
    unsigned acked_count;
    struct cores_informed {
        uint64_t term, vote; /* vote: to which that term had been given; 0: to none that is known */
        uint64_t before;     /* this one's own term then: what it chose later, it chose knowing */
    } informed[CORES_IDS];   /* what each other told last that wishes to be led by this one */
    uint64_t released_below; /* of all lower terms, by a leader that hands over */
    uint64_t heard[CORES_IDS]; /* when a message of that node came last, by its own clock */
    uint64_t leads_since;      /* by this configuration: a new member counts as heard then */
};

struct cores_world {
    struct cores_setup setup;
    const struct protocol_view *view;
    struct cores_node nodes[CORES_IDS];
    unsigned count; /* ids 1..count exist */
    struct rare rare;
    uint64_t now; /* ns */
    uint64_t steps;

    struct cores_channel channels[CORES_IDS][CORES_IDS]; /* from, to */
    uint64_t posted;                                     /* messages, ever */
    uint64_t filled; /* channels that hold something: bit from * 8 + to */
    uint64_t cut;    /* through these nothing goes, likewise */

    /* what is known from outside */
    struct cores_point {
        uint64_t chain;   /* 0: not known */
        uint64_t term;    /* in which it was committed, or a later one */
    } * history;          /* committed, by index */
    uint64_t committed;   /* the highest index that any replica called committed */
    uint64_t commit_term; /* the latest term in which a leader committed */
    uint64_t applied;     /* the highest index that any replica applied: clients may know of it */
    struct cores_named {  /* a configuration's entry, committed or not */
        uint64_t index, chain, hash;
    } named[CORES_CONFIGS];
    unsigned named_count;
    uint8_t leader_of[CORES_TERMS_MAX];
    uint64_t highest_term; /* that had a leader */
    unsigned leaders;      /* replicas that believe that they lead */
    struct cores_author *authors;
    uint32_t author_life;
    struct {
        uint64_t tag, floor;
    } reads[CORES_READS];
    uint64_t tags;
    uint64_t acked, reads_done, elections;

    const char *broken; /* what does not hold, as one sentence; NULL: all does */
    const char *rule;   /* and whose rule that is */
    char detail[200];
    struct cores_notes *notes; /* NULL: what replicas do is judged at once (cores_oracle.h) */
    struct buf *log;           /* NULL, or where what happens is written */
    bool exhausted;            /* terms or indexes are beyond what the tables hold: the run ends */
};

struct cores_world *cores_world_new(void);
/* Begins a run in a world that may have had one; nodes of the first configuration are up. */
void cores_world_begin(struct cores_world *world, const struct cores_setup *setup);
/* The same, and no node has started. */
void cores_world_blank(struct cores_world *world, const struct cores_setup *setup);
/* In a blank world: the node is as if it never ran. */
void cores_world_wipe(struct cores_world *world, unsigned id);
void cores_world_free(struct cores_world *world);

/* False: it can't happen now, and nothing did. */
bool cores_do(struct cores_world *world, struct cores_move move);

/* ---- for moves ---- */
uint64_t cores_clock(const struct cores_world *world, const struct cores_node *node);
/* When the world's clock reaches the node's next deadline; UINT64_MAX: it has none. */
uint64_t cores_deadline(const struct cores_world *world, const struct cores_node *node);
void cores_step(struct cores_world *world, struct cores_node *node, struct event event);
void cores_boot(struct cores_world *world, struct cores_node *node);
/* Of its writes under way the first `kept` are on the disk, and of the next one the first `torn`
 * entries. */
void cores_crash(struct cores_world *world, struct cores_node *node, unsigned kept, unsigned torn);
/* Members whose bits are set; bit 1 is id 1. */
struct config cores_config(const struct cores_world *world, unsigned voters, unsigned learners);
struct config cores_first_config(const struct cores_world *world);
void cores_say(struct cores_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* ---- the network (cores_net.c) ---- */
static inline uint64_t cores_bit(uint64_t from, uint64_t to) {
    return 1ull << (from * 8 + to);
}
void cores_post(struct cores_world *world, uint64_t from, uint64_t to,
                struct cores_message message);
struct cores_message cores_take(struct cores_world *world, uint64_t from, uint64_t to, unsigned at);
void cores_message_free(struct cores_message message);
bool cores_deliver(struct cores_world *world, uint64_t from, uint64_t to, unsigned at);
bool cores_drop(struct cores_world *world, uint64_t from, uint64_t to, unsigned at);
bool cores_copy(struct cores_world *world, uint64_t from, uint64_t to, unsigned at);
void cores_net_clear(struct cores_world *world);

/* A snapshot on its way. */
struct cores_offer {
    struct log_base base;
    struct buf state;
    uint64_t term;
};

/* ---- disks (cores_disk.c) ---- */
void cores_disk_write(struct cores_world *world, struct cores_node *node,
                      const struct effect *effect);
/* The oldest `count` writes are done, or find no room, and the replica hears of it. False: there
 * are fewer. */
bool cores_disk_done(struct cores_world *world, struct cores_node *node, unsigned count);
/* A node that is down loses its hard state, and with it what it told others; the last entries of
 * its log; or everything: it goes on in another data folder. */
void cores_disk_forget(struct cores_node *node);
void cores_disk_lose_tail(struct cores_node *node, unsigned count);
void cores_disk_replace(struct cores_node *node);
/* At a crash. */
void cores_disk_lose(struct cores_world *world, struct cores_node *node, unsigned kept,
                     unsigned torn);
void cores_disk_keep_snapshot(struct cores_node *node, const struct log_base *base);
void cores_disk_trim(struct cores_node *node, uint64_t first);
void cores_disk_clear(struct cores_node *node);
/* Is the entry at index, whose chain that is, on the disk? */
bool cores_disk_holds(const struct cores_node *node, uint64_t index, uint64_t chain);
/* The chain of the entry at index on the disk; false: trimmed or not there. */
bool cores_disk_chain(const struct cores_node *node, uint64_t index, uint64_t *chain);
uint64_t cores_disk_last(const struct cores_node *node);

/* ---- effects (cores_effect.c) ---- */
void cores_effects(struct cores_world *world, struct cores_node *node, struct effects effects);
/* A slow node applies what it was to apply; or never does. */
void cores_apply_owed(struct cores_world *world, struct cores_node *node);
void cores_drop_owed(struct cores_node *node);
/* Sends whose persist is durable leave. */
void cores_release(struct cores_world *world, struct cores_node *node);
void cores_inner(struct cores_node *node, struct event event);

#endif
