/* Disks that hold again what they held before: an image of a running machine is restored, or a disk
 * that was replaced comes back.
 *
 * A node can't know that its disk forgot what it promised since the image was made, so
 * docs/operations.md forbids to start it. The image here forgets nothing that only it knew: no vote
 * and no longer promise, and no entry that any other voter's disk lacks. Then all must hold, and
 * the node catches up: its leader counts on acknowledgements that its disk does not know of.
 *
 * What a disk that was replaced promised, the others know by its incarnation.
 */
#include "sim/sim_cluster.h"
#include "sim/sim_oracle.h"

/* ---- images ---- */

static bool is_whole(const struct sim_node *node) {
    return !node->host.disk.damaged && !node->host.disk.lied && !node->host.dying;
}

static bool same_promise(const struct promise *a, const struct promise *b) {
    return a->term == b->term && a->vote == b->vote && a->lease_ns == b->lease_ns;
}

/* Every slot has it, so the newest that is there is this one. */
static bool has_promised(const struct oracle_image *image, const struct promise *promise) {
    return image->known && image->has_hard && same_promise(&image->hard, promise) &&
           (image->newest_seq == 0 || same_promise(&image->newest, promise));
}

static bool may_be_kept(const struct sim_node *node) {
    const struct oracle_replica *replicas = node->cluster->oracle->replicas[node->id];
    for (uint32_t keyspace = 0; keyspace < node->cluster->defaults.keyspace_count; keyspace++) {
        const struct oracle_image *image = &replicas[keyspace].image;
        if (!node->fragile || !is_whole(node) || !has_promised(image, &image->hard) ||
            image->log.last == 0)
            return false;
    }
    return sim_node_may_end(node);
}

static void forget_image(struct sim_kept *kept) {
    sim_disk_image_free(kept->disk);
    *kept = (struct sim_kept){0};
}

static void keep_image(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    struct sim_kept *kept = &cluster->apart.images[node->id];
    forget_image(kept);
    kept->disk = sim_disk_keep(&node->host.disk);
    kept->incarnation = node->incarnation;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        const struct oracle_image *image = &cluster->oracle->replicas[node->id][keyspace].image;
        kept->promised[keyspace] = image->hard;
        kept->last[keyspace] = image->log.last;
    }
    sim_log(&cluster->world, node->host.name, "an image of its disk is made");
}

static bool others_have(struct sim_oracle *oracle, const struct config *config, unsigned id,
                        uint32_t keyspace) {
    const struct oracle_log *log = &oracle->replicas[id][keyspace].image.log;
    struct oracle_point own, point;
    if (!oracle_log_at(log, log->last, &own))
        return false;
    for (uint32_t i = 0; i < config->count; i++) {
        uint64_t other = config->members[i].id;
        const struct oracle_replica *replica = &oracle->replicas[other][keyspace];
        if (other == id || !config->members[i].voter)
            continue;
        if (!is_whole(replica->node) || !replica->image.known ||
            !oracle_log_at(&replica->image.log, log->last, &point) || point.chain != own.chain)
            return false;
    }
    return true;
}

/* False: the set of voters is about to change, or is not known. */
static bool members_stand(struct sim_cluster *cluster, uint32_t keyspace, struct config *config) {
    struct node_status status;
    const struct sim_node *leader = sim_cluster_leader(cluster, keyspace);
    if (leader == NULL)
        return false;
    node_status(leader->node, keyspace, &status);
    *config = status.replica.config;
    return status.replica.config_committed && !config->joint;
}

/* Its image is of this very folder, lacks something, and nothing that only it knew. */
static bool may_go_back(const struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    const struct sim_kept *kept = &cluster->apart.images[node->id];
    bool lacks = false;
    if (kept->disk == NULL || kept->incarnation != node->incarnation || !is_whole(node) ||
        !sim_node_may_end(node))
        return false;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        const struct oracle_image *image = &cluster->oracle->replicas[node->id][keyspace].image;
        struct config config;
        if (!has_promised(image, &kept->promised[keyspace]) ||
            !members_stand(cluster, keyspace, &config) ||
            !others_have(cluster->oracle, &config, node->id, keyspace))
            return false;
        lacks |= image->log.last > kept->last[keyspace];
    }
    return lacks;
}

static void restore(struct sim_node *node, const struct sim_disk_image *disk) {
    struct sim_cluster *cluster = node->cluster;
    sim_node_crash(node, SIM_END_POWER, false,
                   prng_between(&cluster->apart.prng, 10 * SIM_MS, SIM_S));
    sim_disk_restore(&node->host.disk, disk);
    sim_oracle_wiped(cluster->oracle, node);
    node->guard_writes = 0;
}

static void go_back(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    const struct oracle_replica *replicas = cluster->oracle->replicas[node->id];
    cluster->apart.restored.id = node->id;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++)
        cluster->apart.restored.last[keyspace] = replicas[keyspace].image.log.last;
    restore(node, cluster->apart.images[node->id].disk);
    sim_log(&cluster->world, node->host.name, "its disk is as the image has it");
}

static bool caught_up(const struct sim_cluster *cluster) {
    unsigned id = cluster->apart.restored.id;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++)
        if (cluster->oracle->replicas[id][keyspace].image.log.last <
            cluster->apart.restored.last[keyspace])
            return false;
    return true;
}

/* True: what it had is there again, and another one may go back. */
static bool is_settled(struct sim_cluster *cluster) {
    if (cluster->apart.restored.id != 0 && caught_up(cluster))
        cluster->apart.restored.id = 0;
    return cluster->apart.restored.id == 0;
}

bool sim_image_strikes(struct sim_cluster *cluster) {
    if (!is_settled(cluster))
        return false;
    struct sim_node *node = sim_apart_pick(cluster, may_go_back);
    if (node != NULL) {
        go_back(node);
        return true;
    }
    node = sim_apart_pick(cluster, may_be_kept);
    if (node != NULL)
        keep_image(node);
    return false;
}

/* ---- disks that were replaced ---- */

static bool may_be_replaced(const struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    return node->fragile && sim_node_may_end(node) && cluster->apart.former[node->id] == NULL &&
           sim_node_may_be_wiped(&cluster->nodes[node->id]);
}

static bool may_come_back(const struct sim_node *node) {
    return sim_node_may_end(node) && node->cluster->apart.former[node->id] != NULL;
}

/* What was under way at the end is settled first. */
static void replace(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    sim_node_crash(node, SIM_END_POWER, false,
                   prng_between(&cluster->apart.prng, 10 * SIM_MS, SIM_S));
    cluster->apart.former[node->id] = sim_disk_keep(&node->host.disk);
    sim_node_wipe(node);
    node->guard_writes = 0;
    sim_log(&cluster->world, node->host.name, "its disk is replaced, and kept");
}

static void swap(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    struct sim_disk_image **former = &cluster->apart.former[node->id], *returns = *former;
    sim_node_crash(node, SIM_END_POWER, false,
                   prng_between(&cluster->apart.prng, 10 * SIM_MS, SIM_S));
    *former = sim_disk_keep(&node->host.disk);
    sim_disk_restore(&node->host.disk, returns);
    sim_oracle_wiped(cluster->oracle, node);
    sim_disk_image_free(returns);
    node->guard_writes = 0;
    node->founded = true; /* an operator does not change what a folder began with */
    sim_log(&cluster->world, node->host.name, "its former disk is back");
}

bool sim_old_folder_strikes(struct sim_cluster *cluster) {
    struct sim_node *node = sim_apart_pick(cluster, may_come_back);
    if (node != NULL && prng_below(&cluster->apart.prng, 2) == 0) {
        swap(node);
        return true;
    }
    node = sim_apart_pick(cluster, may_be_replaced);
    if (node != NULL)
        replace(node);
    return false;
}

void sim_folder_close(struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        forget_image(&cluster->apart.images[id]);
        sim_disk_image_free(cluster->apart.former[id]);
    }
}
