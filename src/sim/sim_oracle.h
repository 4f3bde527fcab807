/* White-box oracles: what must hold at the border between a node and its world, looked at while it
 * happens. The world knows what is durable on each disk, what each message says (core/view.h) and
 * what each replica believes, so a broken rule is noticed where it is broken, and not only if a
 * client happens to see what follows from it.
 *
 * Nothing here draws chance, plans an event or changes a replica: a run goes the same way with and
 * without. Each failure begins with the rule that was broken.
 *
 * sim_oracle.c stands between the executor and the protocol and hands on what passes; the other
 * files each hold one kind of rule.
 */
#ifndef CAIRN_SIM_ORACLE_H
#define CAIRN_SIM_ORACLE_H

#include "core/view.h"
#include "core/protocol.h"
#include "sim/sim_cluster.h"

/* An entry as far as it can be told from others: chain is over all before it too. */
struct oracle_point {
    uint64_t term, chain;
};

/* A log: what lies behind base, up to last. */
struct oracle_log {
    struct oracle_point *at; /* by index; term 0: not known */
    uint64_t cap;
    uint64_t base, base_chain, last;
};

#define ORACLE_SLOTS 3u
#define ORACLE_VOTES 32u
#define ORACLE_READS 64u

/* What a restart must find of one replica, as the disk has been told durable. */
struct oracle_image {
    bool known; /* some life of the replica was seen to begin */
    struct promise hard;
    bool has_hard;
    struct {
        uint64_t offset, seq;
    } slots[ORACLE_SLOTS];
    struct promise newest; /* of a change that is not in all slots yet */
    uint64_t newest_seq;
    struct oracle_log log;
    uint64_t snapshot;           /* index of the newest that the executor called durable */
    struct oracle_log under_way; /* log with what a crash caught unfinished */
    bool cut_short;              /* under_way means something */
    bool lied;                   /* a disk that was replaced had not done what it called done */
    struct oracle_point *ever;   /* what was durable here at some time, whatever came later */
    uint64_t ever_cap, ever_base;
};

/* One replica: a node's part of a keyspace, in all its lives. */
struct oracle_replica {
    struct sim_node *node;
    uint32_t keyspace;
    uint64_t incarnation;
    const struct protocol *protocol;
    struct replica *inner; /* NULL: it does not live */
    struct belief seen;    /* after its last step */
    struct config config;  /* as a leader, in force after its last step; none: count is 0 */
    struct oracle_image image;
    /* recovery */
    struct oracle_log found;
    struct promise found_hard;
    bool found_has_hard, found_damage;
    /* what it told others */
    struct {
        uint64_t term, incarnation, to;
    } votes[ORACLE_VOTES]; /* a ring */
    uint32_t vote_count;
    struct {
        uint64_t until;              /* by its own clock */
        uint64_t length, kept_until; /* of the last; and until when its disk knew of that length */
        uint64_t term;
        uint64_t incarnation;             /* of the folder that gave it */
        uint64_t leaves_at, until_before; /* world time; what it was before this left */
    } promises[SIM_NODES_MAX + 1];        /* by the leader's id */
    struct {
        uint64_t tag, least;
    } reads[ORACLE_READS]; /* a ring */
    uint32_t read_count;
};

/* Of one index in a keyspace. */
struct oracle_index {
    struct oracle_point author; /* the first entry seen here */
    struct oracle_other *others;
    uint64_t committed_chain; /* 0: not committed yet */
    uint64_t committed_in;    /* the term of the leader that committed it first */
    uint64_t time_ms;         /* replicated time there, once it was applied somewhere */
};

struct oracle_keyspace {
    struct oracle_index *at;
    uint64_t cap;
    uint64_t committed;        /* highest */
    uint64_t applied;          /* highest, of any replica */
    uint64_t time_ms;          /* of the entry there */
    uint64_t leading_term;     /* highest in which a leader committed an entry of its own */
    uint64_t leaderless_since; /* with a majority that could have one */
    struct {
        uint64_t index, hash;
    } * configs; /* committed ones, by rising index */
    size_t config_count, config_cap;
    struct config config; /* the newest of them */
};

#define ORACLE_REQUESTS 1024u

struct oracle_request {
    uint64_t hash; /* of keyspace, session and sequence */
    unsigned placed;
};

struct sim_oracle {
    struct sim_cluster *cluster;
    uint64_t look_at;      /* when sim_oracle_round looks again */
    uint64_t lives;        /* of all nodes, when it looked last */
    uint64_t time_most_ns; /* the latest wall time that all clocks but one allow */
    uint64_t time_looked, time_look_at;
    bool voter_alone;                                /* there was a group of one voter */
    struct oracle_request requests[ORACLE_REQUESTS]; /* by hash, the last of each place */
    struct oracle_keyspace keyspaces[SIM_KEYSPACES_MAX];
    struct oracle_replica replicas[SIM_NODES_MAX + 1][SIM_KEYSPACES_MAX];
};

/* ---- for the cluster ---- */

/* After the machines were drawn. */
struct sim_oracle *sim_oracle_open(struct sim_cluster *cluster);
void sim_oracle_close(struct sim_oracle *oracle);
/* For node_options.watched; node_options.context must be the struct sim_node. */
extern const struct protocol sim_oracle_protocol;
/* sim_oracle_leader.c: after a round of a node. */
void sim_oracle_round(struct sim_oracle *oracle, struct sim_node *node);
/* Replicated time at an entry that some replica has applied or applies. */
uint64_t sim_oracle_time(struct sim_oracle *oracle, uint32_t keyspace, uint64_t index);
/* The disk is replaced now: nothing that it held binds what will stand there. */
void sim_oracle_wiped(struct sim_oracle *oracle, const struct sim_node *node);

/* ---- for the files of the oracles ---- */

struct oracle_index *oracle_index(struct sim_oracle *oracle, uint32_t keyspace, uint64_t index);
void oracle_fail(struct oracle_replica *replica, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* sim_oracle_disk.c: what is durable */
void oracle_disk_watch(struct sim_oracle *oracle, struct sim_node *node);
void oracle_log_free(struct oracle_log *log);
void oracle_image_free(struct oracle_image *image);
/* False: the disk did not do what it called done, so the image is not what it holds. */
bool oracle_image_holds(const struct oracle_replica *replica);
/* The durable entry at index; false: there is none, or it lies under a snapshot. */
bool oracle_log_at(const struct oracle_log *log, uint64_t index, struct oracle_point *point);
void oracle_log_take(struct oracle_log *log, uint64_t index, uint64_t term, uint64_t chain);
void oracle_log_reset(struct oracle_log *log, uint64_t base, uint64_t chain);
void oracle_snapshot_stands(struct oracle_replica *replica, uint64_t index);
/* A restart found the log as it is in the image: it is durable, also what a crash caught
 * unfinished. */
void oracle_image_came_back(struct oracle_image *image);
/* That very entry was durable here at some time, or a snapshot that stands for it. */
bool oracle_was_durable(const struct oracle_replica *replica, uint64_t index, uint64_t chain);

/* sim_oracle_start.c: a restart finds what was durable */
void oracle_start_begin(struct oracle_replica *replica);
void oracle_start_end(struct oracle_replica *replica);

/* sim_oracle_leave.c: what leaves a machine */
void oracle_leave_watch(struct sim_oracle *oracle);

/* sim_oracle_commit.c: what is committed, and by which leader */
void oracle_commit_step(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct belief *now);
void oracle_persist(struct sim_oracle *oracle, struct oracle_replica *replica,
                    const struct effect *effect);
void oracle_apply(struct sim_oracle *oracle, struct oracle_replica *replica,
                  const struct effect *effect);
void oracle_snapshot(struct sim_oracle *oracle, struct oracle_replica *replica,
                     const struct log_base *base);
void oracle_commit_close(struct oracle_keyspace *keyspace);

/* sim_oracle_request.c: a leader wrote an entry */
void oracle_request_placed(struct sim_oracle *oracle, struct oracle_replica *replica,
                           const struct entry *entry);

/* sim_oracle_time.c: replicated time is a majority's */
void oracle_time_look(struct sim_oracle *oracle);
void oracle_time_applied(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct entry *entry);

/* sim_oracle_lease.c: promises to leaders, leases and reads */
void oracle_heard(struct oracle_replica *replica, const struct event *event);
void oracle_told(struct oracle_replica *replica, const struct event *event,
                 const struct effect *effect);
void oracle_process_ended(struct oracle_replica *replica);
void oracle_read_begins(struct sim_oracle *oracle, struct oracle_replica *replica,
                        const struct event *event);
void oracle_read_ready(struct oracle_replica *replica, const struct effect *effect);
/* A leader of that term committed for the first time. */
void oracle_leases_ended(struct sim_oracle *oracle, struct oracle_replica *leader, uint64_t term);

#endif
