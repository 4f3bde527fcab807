/* What a tree keyspace went through, as the first replica to apply each entry told it by its
 * changes, and the judgement of what ZooKeeper's clients saw against that.
 *
 * An answer's header names the state that it is of (its zxid), so every answer is compared with
 * that very state: what a read shows, why a write was refused. Then orders: writes respect real
 * time, no client sees time go backwards, a read behind sync misses nothing that was acknowledged
 * before, a change is notified before any answer that shows it. And lives: ephemerals go in the
 * very entry that ends their session, nothing is written by a session that is over, and none ends
 * that gave signs.
 */
#ifndef CAIRN_SIM_TREE_H
#define CAIRN_SIM_TREE_H

#include "core/machine.h"
#include "workload/zk.h"

enum { SIM_LIFE_ENDED = 0, SIM_LIFE_HELD = -1 }; /* events of sessions */

/* One change. */
struct sim_fact {
    uint64_t index;   /* of its entry */
    uint64_t time_ms; /* likewise: replicated time */
    uint64_t zxid;
    int event; /* enum zk_event; or the session ended, or is held (again, elsewhere) */
    uint64_t session;
    uint64_t timeout_ms;    /* SIM_LIFE_HELD: from now on */
    char path[ZK_PATH_MAX]; /* longer ones are not of this workload */
};

struct sim_tree {
    struct sim_fact *facts; /* in order */
    size_t count, cap;
    uint64_t index;    /* of the newest entry recorded */
    uint64_t recorder; /* the replica that told it, in one of its lives */
};

/* A replica's change, in its order of applying; replica: another number in each of its lives. */
void sim_tree_note(struct sim_tree *tree, uint64_t replica, uint64_t index, uint64_t time_ms,
                   const struct change *change);
void sim_tree_free(struct sim_tree *tree);

struct sim_span {
    uint64_t from, to;
};

struct sim_tree_judgement {
    const struct sim_tree *tree;
    const struct zk_workload *const *workloads;
    unsigned count;
    bool calm;                    /* nothing was broken: no session may have ended by silence */
    bool unsure;                  /* replicated time may be far from what clocks say */
    bool late;                    /* something made signs of life late, which no client knows */
    const struct sim_span *still; /* times in which no server ran */
    size_t still_count;
    char error[400];        /* empty: all is well */
    const struct zk_op *op; /* where, or NULL */
};
void sim_tree_judge(struct sim_tree_judgement *judgement);

#endif
