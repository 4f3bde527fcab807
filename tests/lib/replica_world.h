/* A world in memory for a protocol core with a leader: replicas, their disks, the network between
 * them and one clock. Everything is by hand or by a seed; nothing sleeps. Messages are delivered
 * when the test says so, persists complete at once or when the test says so, a crash leaves what
 * was durable.
 *
 * The world watches, whatever the test does: at most one leader a term, one history of applied
 * entries, no read older than what was committed when it was asked. A breach sets `broken`.
 */
#ifndef CAIRN_TESTS_REPLICA_WORLD_H
#define CAIRN_TESTS_REPLICA_WORLD_H

#include "base/bytes.h"
#include "base/prng.h"
#include "core/protocol.h"
#include "protocol/raft/raft.h"

#define WORLD_NODES_MAX 8
#define MS 1000000ull

struct world_message {
    uint64_t from, to;
    bool snapshot; /* base is being sent, not a frame */
    struct blob *frame;
    struct log_base base;
    uint64_t term;
    struct blob *state;
};

struct world_messages {
    struct world_message *items;
    size_t count, cap;
};

struct world_persist {
    uint64_t seq;
    struct blob *hard;
    bool reset, repaired;
    enum room room;
    struct log_base base;
    uint64_t truncate_from;
    struct entry *entries;
    size_t count;
};

struct world_send {
    uint64_t after;
    struct world_message message;
};

/* An event that the node's own executor owes it. */
struct world_inner {
    struct event event;
    uint64_t first, last; /* LOADED: read from the disk when it is delivered */
    size_t bytes_max;
};

struct world_outcome {
    uint64_t tag;
    enum cairn_status status;
    uint64_t index, term;
    uint64_t member;
};

struct world_node {
    uint64_t id;
    bool exists, up;
    struct replica_options options;
    struct replica *replica;
    int64_t clock_ppm;   /* its monotonic clock runs fast by this */
    int64_t wall_off_ms; /* its wall clock is ahead by this */

    /* the disk */
    struct blob *hard;
    bool has_base;
    struct log_base base;
    struct blob *base_state;
    struct entry *log; /* by index - log_first */
    bool *damaged;
    uint64_t log_first;
    size_t log_count, log_cap;
    bool hard_lost;
    uint64_t end_lost; /* from here on damage of unknown extent is told at a restart; 0: none */

    /* on its way */
    struct world_persist *persists;
    size_t persist_count, persist_cap;
    struct world_send *sends;
    size_t send_count, send_cap;
    uint64_t durable_seq;
    bool hold_disk; /* persists complete by world_disk only */
    enum cairn_status disk_fails;
    unsigned failing;   /* failed writes that the replica has not heard of: later ones fail too */
    unsigned kept_room; /* NO_SPACE: so many writes of ROOM_ALL are taken nevertheless */
    struct world_inner *inner;
    size_t inner_count, inner_cap;

    uint64_t applied;
    struct world_outcome last_outcome;
    struct {
        uint64_t tag;
        enum cairn_status status;
        uint64_t index;
    } last_read;
    size_t outcomes, reads;
    bool accepted; /* the last offered snapshot */
    bool stopped;  /* an I/O error: the process would end */
    bool rotten;   /* the disk could not give entries back: a snapshot takes their place ... */
    bool by_hand;  /* ... when the test makes it */
};

struct world {
    const struct protocol *protocol;
    bool (*describe)(struct bytes body, char *text, size_t size);
    void (*check_deep)(const struct replica *replica);
    struct world_node nodes[WORLD_NODES_MAX + 1]; /* by id */
    unsigned count;
    uint64_t now; /* ns */
    uint64_t wall_ms;
    struct prng prng;
    struct world_messages network;
    bool cut[WORLD_NODES_MAX + 1][WORLD_NODES_MAX + 1]; /* from, to */
    bool manual;                                        /* messages wait for world_deliver_one */

    /* what the world knows */
    struct {
        uint64_t term, chain;
    } * history; /* by index */
    size_t history_cap;
    uint64_t committed; /* highest index that any replica applied or led to commit */
    struct {
        uint64_t term, leader;
    } * leaders;
    size_t leader_count, leader_cap;
    struct {
        uint64_t tag, floor;
    } * asked; /* reads under way */
    size_t asked_count, asked_cap;
    const char *broken;
    uint64_t next_tag;
    struct buf *log; /* NULL, or where what happens is written */
    bool log_traffic;
    size_t steps;
};

/* Nodes 1..voters start at once as one group, lease reads on. They run raft unless the protocol is
 * named ("zab"; NULL when there is none such). */
struct world *world_new(unsigned voters, uint64_t seed);
void world_free(struct world *world);
/* The options that a node starts with; change them before world_boot. */
struct replica_options world_options(void);
struct world *world_empty(unsigned voters, uint64_t seed);
struct world *world_empty_of(const char *protocol, unsigned voters, uint64_t seed);
struct world *world_new_of(const char *protocol, unsigned voters, uint64_t seed);
void world_boot(struct world *world);

/* A node outside the configuration, blank. */
void world_add(struct world *world, uint64_t id);
void world_crash(struct world *world, uint64_t id);
void world_restart(struct world *world, uint64_t id);
/* Empties the disk of a crashed node; its next life has another incarnation. */
void world_wipe(struct world *world, uint64_t id);
/* Puts a log onto the disk of a node that is not up: commands e1, e2 ... of these terms. */
void world_write_log(struct world *world, uint64_t id, const uint64_t *terms, size_t count);
/* The entry can't be read any more: of a node that runs, when it is read back. */
void world_damage(struct world *world, uint64_t id, uint64_t index);

/* One event; `now` is filled in. */
void world_step(struct world *world, uint64_t id, struct event event);
void world_deliver_one(struct world *world, size_t at);
void world_drop(struct world *world, size_t at);
void world_deliver(struct world *world); /* until nothing is under way */
/* Lets time pass: deadlines fire, and messages arrive at once unless the world is manual. */
void world_run(struct world *world, uint64_t ns);
/* Completes persists that wait, oldest first; count 0: all. */
void world_disk(struct world *world, uint64_t id, size_t count);

void world_cut(struct world *world, uint64_t from, uint64_t to, bool cut);
/* Cuts everything between the node and the others. */
void world_isolate(struct world *world, uint64_t id, bool cut);
/* Tells both sides that their connection ended or stands again. */
void world_disconnect(struct world *world, uint64_t a, uint64_t b);
void world_connect(struct world *world, uint64_t a, uint64_t b);

uint64_t world_propose(struct world *world, uint64_t id, const char *text); /* the tag */
uint64_t world_read(struct world *world, uint64_t id);
uint64_t world_configure(struct world *world, uint64_t id, const struct config *target);
/* With the flags of a config_change as asked. */
uint64_t world_change(struct world *world, uint64_t id, const struct config_change *change);
uint64_t world_transfer(struct world *world, uint64_t id, uint64_t to);
/* Makes a snapshot at the applied index and forgets the log at or below trim. */
void world_compact(struct world *world, uint64_t id, uint64_t trim);

struct replica_status world_status(const struct world *world, uint64_t id);
/* The up node that leads the highest term; 0: none. */
uint64_t world_leader(const struct world *world);
/* Runs until somebody leads and an entry of its term is committed; false after ten seconds. */
bool world_elect(struct world *world);
/* All up members applied the same and everything. */
bool world_settled(const struct world *world);
/* A configuration with voters and learners, each a string of digits ("123"). */
struct config world_config(const char *voters, const char *learners);

#endif
