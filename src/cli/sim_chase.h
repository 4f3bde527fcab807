/* One seeded bug, hunted from one starting seed in every world that can show it, with one budget of
 * processor time for all: the one that had the least time so far has the next half second, and
 * goes on where it stopped, so that a bug which one of them shows soon costs little, whichever that
 * is. Which worlds there are for a bug, its site says (base/mutant.h).
 *
 * A bug may end or hang the process that has it, so each turn is a process of its own. What fails
 * without the bug as well is no find: it is counted, and the hunt goes on behind it.
 */
#ifndef CAIRN_CLI_SIM_CHASE_H
#define CAIRN_CLI_SIM_CHASE_H

#include "base/mutant.h"
#include "sim/sim.h"

/* X(constant, name) */
#define CHASE_WORLDS(X)            \
    X(CORES_RAFT, "cores of Raft") \
    X(CORES_ZAB, "cores of Zab")   \
    X(NODES, "whole nodes")

enum chase_world {
#define X(constant, name) CHASE_##constant,
    CHASE_WORLDS(X)
#undef X
        CHASE_WORLD_COUNT
};
const char *chase_world_name(enum chase_world world);
bool chase_suits(enum chase_world world, enum mutant mutant);

struct chase {
    enum mutant mutant;
    enum sim_focus_asked focus; /* of whole nodes */
    uint64_t first;             /* seed, in each world */
    uint64_t cpu_ns_max;        /* of all worlds together; exceeded by one run at most */
    /* results */
    bool found;
    uint64_t cpu_ns;       /* of all worlds */
    uint64_t world_cpu_ns; /* of the one that found it; this and the rest: when found */
    enum chase_world world;
    uint64_t seed;
    char reason[200];
    unsigned plain; /* failures without the bug as well; of the first: */
    enum chase_world plain_world;
    uint64_t plain_seed;
};
void chase(struct chase *chase);

#endif
