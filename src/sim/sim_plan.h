/* A plan of faults (workload/plan.h) on the virtual world: the same file as for real processes. It
 * takes the place of the faults that a seed draws; everything else is drawn all the same.
 *
 * What differs from real processes: loss of packets shows as stalls of connections, a write that
 * fails does so once for each event, short writes do not reach the env at all, a cut is a reset,
 * and clock rates stay within the drift that the seed's cluster was told.
 */
#ifndef CAIRN_SIM_PLAN_H
#define CAIRN_SIM_PLAN_H

#include "workload/plan.h"

/* Virtual time before a plan's own time begins: the cluster comes up. */
#define SIM_PLAN_START_MS 2000u

struct sim_cluster;

/* After the machines were drawn; nothing when no plan was asked for. */
void sim_plan_open(struct sim_cluster *cluster);
void sim_plan_close(struct sim_cluster *cluster);
/* Plans the events of a run that ends at until. */
void sim_plan_start(struct sim_cluster *cluster, uint64_t until);
/* What the healing of all faults does not undo by itself. */
void sim_plan_heal(struct sim_cluster *cluster);
bool sim_plan_jumps(const struct sim_cluster *cluster);

#endif
