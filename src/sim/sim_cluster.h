/* Nodes on machines: their options, their lives, and what is looked at after each of their rounds.
 */
#ifndef CAIRN_SIM_CLUSTER_H
#define CAIRN_SIM_CLUSTER_H

#include "front/redis/redis.h"
#include "front/zookeeper/zookeeper.h"
#include "node/node.h"
#include "sim/sim.h"
#include "sim/sim_aim.h"
#include "sim/sim_apart.h"
#include "sim/sim_focus.h"
#include "sim/sim_host.h"
#include "sim/sim_net.h"
#include "sim/sim_tree.h"
#include "workload/workload.h"

#define SIM_NODES_MAX 9u
#define SIM_CLIENT_HOSTS 2u
#define SIM_KEYSPACES_MAX 2u
#define SIM_NO_KEYSPACE UINT32_MAX

enum sim_life {
    SIM_ABSENT = 1, /* not started yet, or gone for good */
    SIM_UP,
    SIM_STOPPING, /* node_stop was called */
    SIM_DOWN      /* will be started again */
};

struct sim_cluster;
struct sim_oracle;

struct sim_node {
    struct sim_host host;
    struct sim_cluster *cluster;
    unsigned id;
    uint64_t incarnation; /* of the disk that it started from last */
    enum sim_life life;
    bool founder;
    bool bootstraps; /* its configuration file says so: a folder made anew is a founder's */
    bool founded;    /* it has its identity on disk */
    bool removed;    /* asked out of the cluster, and not back */
    enum sim_foreign_kind foreign; /* it is no part of the cluster */
    bool fragile;                  /* its disk may be damaged or lost */
    struct node *node;
    struct redis_front *front;         /* without kv: for operators alone */
    struct zookeeper_front *zookeeper; /* NULL: the machine is no tree */
    struct node_options options;
    char address[32], redis_address[32], zookeeper_address[32];
    bool failed, stopped, role_news;
    bool wall_jumped; /* its wall clock is not the world's */
    bool kill_silent; /* how its next end in the middle of a round is felt */
    uint32_t wire_version;
    bool was_old; /* of an older version, now or before */
    /* Its own settings, where nodes may differ. */
    uint64_t timeout_factor; /* of the election timeouts */
    bool lease_reads;
    uint32_t session_window;
    uint64_t start_at;                   /* DOWN: when; tells a planned start from a replaced one */
    uint64_t crash_loop;                 /* so many more starts end early */
    uint64_t guard_writes;               /* not killed before its disk has seen so many writes */
    bool lying;                          /* its disk is to be replaced before it starts again */
    uint64_t lives;                      /* starts of its process */
    uint64_t refusals;                   /* starts that node_open refused in a row */
    uint64_t applied[SIM_KEYSPACES_MAX]; /* at the last look */
    uint64_t term[SIM_KEYSPACES_MAX];
};

/* What the whole cluster agreed upon in one keyspace, learnt from the replica that was there first.
 */
struct sim_truth {
    struct {
        uint64_t chain, digest, due;
    } * at; /* by index; 0: not known */
    uint64_t cap;
    uint64_t highest;
    struct {
        uint64_t term;
        unsigned leader;
    } * terms;
    size_t term_count, term_cap;
};

struct sim_cluster {
    struct sim_world world;
    struct sim_net net;
    struct sim_options asked;
    struct sim_result *result;
    struct node_options defaults;             /* drawn for this run */
    unsigned founders;                        /* how many */
    unsigned majority_kept;                   /* so many machines never lose data */
    struct sim_node nodes[SIM_NODES_MAX + 1]; /* by id */
    struct sim_host clients[SIM_CLIENT_HOSTS];
    uint32_t kv, tree; /* numbers of the keyspaces; SIM_NO_KEYSPACE: there is none */
    struct workload *workloads[SIM_CLIENT_HOSTS]; /* without kv: for operators alone */
    struct zk_workload *zk[SIM_CLIENT_HOSTS];
    struct sim_tree tree_truth;
    struct zookeeper_options zookeeper;
    struct sim_truth truth[SIM_KEYSPACES_MAX];
    struct sim_oracle *oracle;
    struct sim_faults *faults;
    struct sim_plan *plan; /* NULL: none was asked for */
    struct sim_aim aim;
    struct sim_apart apart;
    struct sim_harm harm;
    struct sim_focus focus;
    struct rare rare; /* used when defaults.rare names it */
    uint64_t cluster_id;
    bool healing; /* the first phase is over */
    bool damage_allowed_everywhere;
    bool older;               /* some began as a version that knows no aims */
    bool changed_before_aims; /* members, as the operator asked */
    bool read_at_end;         /* everything was read when all was over */
};

/* Machines stand ready, nothing runs yet. */
struct sim_cluster *sim_cluster_new(const struct sim_options *options, struct sim_result *result);
void sim_cluster_free(struct sim_cluster *cluster);

/* Draws the options of the run. */
void sim_draw_options(struct sim_cluster *cluster);
/* The node's own settings, where nodes may differ. */
void sim_draw_settings(struct sim_node *node);

void sim_node_start(struct sim_node *node);
enum sim_end_kind { SIM_END_KILL, SIM_END_POWER };
/* The process ends now; it starts again after restart_ns. */
void sim_node_crash(struct sim_node *node, enum sim_end_kind kind, bool silent,
                    uint64_t restart_ns);
/* In order. */
void sim_node_stop(struct sim_node *node);
/* It runs, and its log is far enough: what was written last on a damaged disk can't be told from a
 * torn tail. */
bool sim_node_may_end(const struct sim_node *node);
/* Whether the others would notice: as founders they know its disk, or a leader does. */
bool sim_node_may_be_wiped(struct sim_node *node);
/* Its disk is replaced. Only when it is down. */
void sim_node_wipe(struct sim_node *node);
void sim_node_plan_start(struct sim_node *node, uint64_t time);

/* Tells the workloads where nodes are. */
void sim_cluster_tell_nodes(struct sim_cluster *cluster);
/* NULL: none leads, as far as is known. */
struct sim_node *sim_cluster_leader(struct sim_cluster *cluster, uint32_t keyspace);
static inline bool sim_has_tree(const struct sim_cluster *cluster) {
    return cluster->tree != SIM_NO_KEYSPACE;
}
static inline bool sim_has_keys(const struct sim_cluster *cluster) {
    return cluster->kv != SIM_NO_KEYSPACE;
}
/* It runs, and is a part of the cluster. */
bool sim_node_is_up(const struct sim_node *node);

/* sim_founding.c */
/* Founders wait for all others where these faults may take from one what it promised: only so is
 * every such loss noticed. */
void sim_founding_draw(struct sim_cluster *cluster, uint64_t faults);
/* A machine that may lose its data has promised something, and its own log names no folder for it
 * yet. */
bool sim_founding_is_open(const struct sim_cluster *cluster);

/* sim_secret.c: the secret that nodes share, in some runs */
bool sim_has_secret(const struct sim_cluster *cluster);
void sim_secret_give(struct sim_node *node);

/* sim_forge.c: terms that no member told */
bool sim_forges(const struct sim_cluster *cluster);
bool sim_forge_term(struct sim_node *node);

/* sim_judge.c: after every round of a node */
void sim_judge_round(struct sim_node *node);
/* The node ended by itself for damage: not for damage to what its state machine holds, and only if
 * its disk was harmed. */
void sim_judge_end(struct sim_node *node, const char *why);
void sim_judge_close(struct sim_cluster *cluster);
/* All members stand at the same index with the same state, and a leader leads; else why not. */
bool sim_judge_converged(struct sim_cluster *cluster, char *why, size_t size);
/* How many entries members have still to apply, in all; UINT64_MAX: that can't be told now. */
uint64_t sim_judge_behind(struct sim_cluster *cluster);
/* The clients' history through the checkers. */
void sim_judge_history(struct sim_cluster *cluster);

enum { SIM_KEY_HABITS, SIM_TREE_HABITS };
/* sim_habits.c: of `count` habits of clients of that kind, as bits; in most runs none */
uint32_t sim_habits(const struct sim_cluster *cluster, uint32_t kind, uint32_t count);

/* sim_full.c: SIM_FULL, once the cluster runs */
void sim_full_run(struct sim_cluster *cluster);

/* sim_operator.c: what the operator asks for; false: nothing was asked */
bool sim_operator_adds(struct sim_cluster *cluster);
bool sim_operator_adds_absent(struct sim_cluster *cluster);
bool sim_operator_cancels(struct sim_cluster *cluster);
bool sim_operator_removes(struct sim_cluster *cluster);
bool sim_operator_transfers(struct sim_cluster *cluster);

/* sim_fault.c */
void sim_faults_open(struct sim_cluster *cluster);
void sim_faults_close(struct sim_cluster *cluster);
void sim_faults_start(struct sim_cluster *cluster, uint64_t until);
/* A fault of that kind, now. */
void sim_faults_strike(struct sim_cluster *cluster, enum sim_fault kind);
/* Everything works from now on. */
void sim_faults_heal(struct sim_cluster *cluster);
/* Whether wall clocks may jump in this run. */
bool sim_faults_jump(const struct sim_cluster *cluster);
void sim_faults_describe(const struct sim_cluster *cluster, FILE *out);

#endif
