/* Nodes that share a secret: in a quarter of the drawn runs, all but those with nodes of an older
 * version, which know none. Drawn apart from the run's chances, which so stay what they are in
 * other runs. */
#include "sim/sim_cluster.h"

#include "base/bytes.h"

#include <string.h>

#define DRAWN_APART 0x5ec7e7u

bool sim_has_secret(const struct sim_cluster *cluster) {
    uint8_t seed[8];
    put_u64(seed, cluster->asked.seed);
    if (cluster->older || cluster->asked.scenario != SIM_SWARM)
        return false;
    return bytes_hash(bytes_of(seed, sizeof seed), DRAWN_APART) % 4 == 0;
}

static void put(struct peer_secrets *secrets, char what) {
    struct peer_secret *secret = &secrets->of[secrets->count++];
    secret->len = PEER_SECRET_LEAST;
    memset(secret->bytes, what, PEER_SECRET_LEAST);
}

/* Of two in use, some prove the one and some the other, as while they are changed. */
void sim_secret_give(struct sim_node *node) {
    struct peer_secrets *secrets = &node->options.secrets;
    *secrets = (struct peer_secrets){0};
    if (!sim_has_secret(node->cluster))
        return;
    bool other_first = (node->lives + node->id) % 2 == 0;
    put(secrets, other_first ? 'b' : 'a');
    put(secrets, other_first ? 'a' : 'b');
}
