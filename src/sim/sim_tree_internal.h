/* What the files that judge ZooKeeper's clients share. */
#ifndef CAIRN_SIM_TREE_INTERNAL_H
#define CAIRN_SIM_TREE_INTERNAL_H

#include "sim/sim_tree.h"

/* Operations of all clients; those of one client stand together, in the order of arrival. */
struct trial {
    struct sim_tree_judgement *judgement;
    const struct zk_op **ops;
    size_t count;
    const struct sim_fact **by_path; /* facts with a path, by path, then in order */
    size_t by_path_count;
    const struct zk_op **writes; /* answered well, by zxid */
    size_t write_count;
    uint64_t *before; /* by place in ops: the zxid of the client's last answer, 0: none */
    uint64_t *behind; /* and of its next one, UINT64_MAX: none */
    bool *used;       /* unanswered operations, by their place in ops: matched with what happened */
};

/* The first failure is kept; op: where, or NULL. */
void trial_fail(struct trial *at, const struct zk_op *op, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* Where the facts of a path begin in by_path. */
size_t trial_first_of_path(const struct trial *at, const char *path);

/* sim_tree_watch.c: what reached one client, in the order of arrival */
void trial_judge_watches(struct trial *at, const struct zk_op *const *ops, size_t count);

#endif
