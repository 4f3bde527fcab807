/* Worlds that few runs have: a kind of fault that changes what the rest of the run is like, or that
 * would be noticed everywhere. A quarter of the seeds have one of them, drawn by a generator of
 * their own and struck at a pace of its own: the others go as they would without.
 */
#ifndef CAIRN_SIM_APART_H
#define CAIRN_SIM_APART_H

#include "base/prng.h"
#include "core/view.h"
#include "sim/sim.h"
#include "sim/sim_disk.h"
#include "sim/sim_load.h"
#include "sim/sim_tree.h"
#include "storage/identity.h"

struct sim_cluster;
struct sim_node;

#define SIM_APART_NODES 9u
#define SIM_APART_KEYSPACES 2u
#define SIM_STILL_MAX 256u

/* What a founder has that belongs to no cluster of the others. */
enum sim_foreign_kind {
    SIM_NATIVE,
    SIM_FOREIGN_LIST,
    SIM_FOREIGN_NAME,
    SIM_FOREIGN_ALONE,
    SIM_FOREIGN_LEFT_OVER
};

struct sim_foreign {
    unsigned id; /* 0: none */
    enum sim_foreign_kind kind;
    uint64_t mend_ns; /* when it is mended */
};

/* An earlier state of a node's disk. */
struct sim_kept {
    struct sim_disk_image *disk; /* NULL: none */
    uint64_t incarnation;
    struct promise promised[SIM_APART_KEYSPACES];
    uint64_t last[SIM_APART_KEYSPACES]; /* of the log */
};

struct sim_apart {
    struct prng prng;
    uint64_t mask; /* of 1 << enum sim_fault, of those that are drawn apart */
    uint64_t pace_ns, until;
    struct sim_kept images[SIM_APART_NODES + 1];
    struct {
        unsigned id;                        /* 0: none */
        uint64_t last[SIM_APART_KEYSPACES]; /* what it had in its log */
    } restored;                             /* from an image, and lacks what it had */
    struct sim_foreign foreign;
    struct sim_span still[SIM_STILL_MAX]; /* no node ran */
    size_t still_count;
    struct sim_load *load; /* NULL: none yet */
    uint64_t leapt_ns;     /* in all */
    unsigned leaps;
    int64_t rates[SIM_APART_NODES + 1]; /* of clocks that are off, when they are right */
    struct sim_disk_image *former[SIM_APART_NODES + 1]; /* folders that were replaced */
};

/* Before anything else of the run is drawn. */
void sim_apart_draw(struct sim_cluster *cluster);
bool sim_apart_has(const struct sim_cluster *cluster, enum sim_fault fault);
void sim_apart_start(struct sim_cluster *cluster, uint64_t until);
void sim_apart_heal(struct sim_cluster *cluster);
void sim_apart_close(struct sim_cluster *cluster);
void sim_apart_describe(const struct sim_cluster *cluster, FILE *out);
bool sim_apart_strike(struct sim_cluster *cluster, enum sim_fault fault);

/* A node that runs, drawn apart from the run's chances; NULL: none that fits. */
struct sim_node *sim_apart_pick(struct sim_cluster *cluster,
                                bool (*fits)(const struct sim_node *node));

/* sim_folder.c: disks that hold what they held before */
bool sim_image_strikes(struct sim_cluster *cluster);
bool sim_old_folder_strikes(struct sim_cluster *cluster);
void sim_folder_close(struct sim_cluster *cluster);

/* sim_foreign.c: a founder that does not belong to the others */
void sim_foreign_draw(struct sim_cluster *cluster);
/* What its folder is made with. */
void sim_foreign_identity(struct sim_node *node, struct identity *identity);
/* Before clients begin: the cluster whose folder is left over. */
void sim_foreign_before(struct sim_cluster *cluster);
/* A line of a node's log. */
void sim_foreign_hears(struct sim_node *node, const char *text);
/* It loses its folder when it is mended, so no other machine may lose data. */
bool sim_foreign_is_fragile(struct sim_cluster *cluster);
bool sim_foreign_is_over(const struct sim_cluster *cluster);
bool sim_foreign_strikes(struct sim_cluster *cluster);
void sim_foreign_heal(struct sim_cluster *cluster);
void sim_foreign_describe(const struct sim_cluster *cluster, FILE *out);

/* sim_clock.c: time that does not pass as it should */
void sim_clock_draw(struct sim_cluster *cluster);
bool sim_suspend_strikes(struct sim_cluster *cluster);
bool sim_standstill_strikes(struct sim_cluster *cluster);
/* Some node runs from now on. */
void sim_clock_runs(struct sim_cluster *cluster);
bool sim_clock_off_strikes(struct sim_cluster *cluster);
bool sim_leap_strikes(struct sim_cluster *cluster);
void sim_clock_heal(struct sim_cluster *cluster);

/* sim_load.c: much at once */
void sim_load_draw(struct sim_cluster *cluster);
bool sim_load_strikes(struct sim_cluster *cluster);
/* All is healed: what must be there is read once more. */
void sim_load_finish(struct sim_cluster *cluster);
bool sim_load_is_over(const struct sim_cluster *cluster);
void sim_load_close(struct sim_cluster *cluster);

#endif
