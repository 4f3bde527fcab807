/* A failing seed made small: fewer kinds of fault, nodes, clients, less time, as long as some seed
 * near it still breaks the same rule. What is asked for moves what a seed draws, so each smaller
 * world is tried with a few seeds, from the failing one on (Zeller and Hildebrandt 2002, one kind
 * at a time).
 */
#ifndef CAIRN_SIM_SHRINK_H
#define CAIRN_SIM_SHRINK_H

#include "sim/sim.h"

struct sim_shrink {
    struct sim_options options; /* of the failing run; then of the smallest one found */
    uint64_t cpu_ns_max;        /* of this process; 0: no limit */
    uint64_t seeds;             /* tried of each smaller world */
    /* results */
    struct sim_result result; /* of the smallest run; ok: the first did not fail */
    uint64_t runs;
};

void sim_shrink(struct sim_shrink *shrink);

/* The rule that a failure names: its reason up to the first colon or number. Copies at most size.
 */
void sim_rule(const char *reason, char *rule, size_t size);

#endif
