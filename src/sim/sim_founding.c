/* The founding of the cluster: how long founders wait for each other, and when the loss of a disk
 * would do the most harm. */
#include "sim/sim_cluster.h"

/* What takes from a replica what it promised. */
#define LOSSES                                                                                \
    (1ull << SIM_FAULT_FLIP | 1ull << SIM_FAULT_STALE | 1ull << SIM_FAULT_UNREADABLE |        \
     1ull << SIM_FAULT_LOST_WRITE | 1ull << SIM_FAULT_MISDIRECT | 1ull << SIM_FAULT_WIPE |    \
     1ull << SIM_FAULT_LOSE_FILE | 1ull << SIM_FAULT_WIPE_FOUNDER | 1ull << SIM_FAULT_IMAGE | \
     1ull << SIM_FAULT_OLD_FOLDER)

void sim_founding_draw(struct sim_cluster *cluster, uint64_t faults) {
    uint64_t drawn = sim_spread(&cluster->world, 50 * SIM_MS, 5 * SIM_S);
    bool loses = faults & LOSSES || cluster->asked.scenario == SIM_ALL_DAMAGED;
    cluster->defaults.founding_wait_ns = loses ? 0 : drawn;
}

static bool is_unbound(const struct sim_node *node) {
    struct node_status status;
    node_status(node->node, 0, &status);
    const struct member *member = config_member(&status.replica.config, node->id);
    return status.replica.term > 0 && member != NULL && member->incarnation == 0;
}

bool sim_founding_is_open(const struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= cluster->founders; id++) {
        const struct sim_node *node = &cluster->nodes[id];
        if (node->fragile && sim_node_is_up(node) && is_unbound(node))
            return true;
    }
    return false;
}
