/* A stranger at the peer port that poses as a member, where nodes share no secret, and brings one
 * node to a term as far above its own as was once let through in one step. In a tenth of the runs,
 * drawn apart from their other chances. */
#include "sim/sim_cluster.h"

#include "base/bytes.h"

#define DRAWN_APART 0xf0f9edu
#define FAR (1ull << 40)

bool sim_forges(const struct sim_cluster *cluster) {
    uint8_t seed[8];
    put_u64(seed, cluster->asked.seed);
    return bytes_hash(bytes_of(seed, sizeof seed), DRAWN_APART) % 10 == 0;
}

bool sim_forge_term(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    struct sim_world *world = &cluster->world;
    uint32_t keyspace = (uint32_t)sim_below(world, cluster->defaults.keyspace_count);
    uint64_t from = 1 + sim_below(world, cluster->founders);
    struct node_status status;
    if (sim_has_secret(cluster) || from == node->id)
        return false;
    if (sim_chance(world, 1, 8)) {
        node_hear_term(node->node, keyspace, from, UINT64_MAX >> sim_below(world, 3));
        return true;
    }
    for (int step = 0; step < 2; step++) {
        node_status(node->node, keyspace, &status);
        node_hear_term(node->node, keyspace, from, status.replica.term + FAR - 2);
    }
    return true;
}
