/* Seeds with focus: a small cluster, a short run, and faults that strike hard, one upon the other;
 * in a fourth of them faults of one family alone, which make each other worse. A run costs a third
 * of another, and most seeded bugs are found in half of the time. Half of the seeds from a million
 * on have it, drawn by a generator of their own: the others go as they would without, and what
 * those with focus draw otherwise is the same as well.
 */
#ifndef CAIRN_SIM_FOCUS_H
#define CAIRN_SIM_FOCUS_H

#include "sim/sim.h"

struct sim_focus {
    bool on;
    unsigned nodes;      /* 0: as drawn otherwise */
    uint64_t fault_mask; /* of 1 << enum sim_fault; 0: as drawn otherwise */
    uint64_t fault_ns;   /* length of the first phase */
    uint64_t pace_ns;    /* between two faults, about */
    uint64_t length_ns;  /* of one that lasts, at most */
};

struct sim_cluster;
void sim_focus_draw(struct sim_cluster *cluster);
void sim_focus_describe(const struct sim_cluster *cluster, FILE *out);

#endif
