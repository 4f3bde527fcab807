/* What clients do besides, in a third of the drawn runs. Drawn apart from the run's chances, which
 * so stay what they are in other runs. */
#include "sim/sim_cluster.h"

#define DRAWN_APART 0x4ab175u

uint32_t sim_habits(const struct sim_cluster *cluster, uint32_t kind, uint32_t count) {
    struct prng prng;
    prng_seed(&prng, prng_mix(cluster->asked.seed, DRAWN_APART));
    bool drawn = prng_chance(&prng, 1, 3);
    if (!drawn || cluster->asked.scenario != SIM_SWARM || cluster->asked.plan != NULL)
        return 0;
    prng_seed(&prng, prng_mix(cluster->asked.seed, DRAWN_APART + 1 + kind));
    return (uint32_t)prng_between(&prng, 1, (1u << count) - 1);
}
