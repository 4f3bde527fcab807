/* One founder does not belong to the others: it was told of other founders or of another cluster's
 * name, founded a cluster of its own, or has the folder of an earlier cluster of the same name and
 * members. It stands outside of what is judged, and of what clients and operators know; the others
 * must refuse it, and what they have must stay theirs. Later it is mended: an empty folder, and the
 * configuration that the others have.
 */
#include "sim/sim_cluster.h"

#include "base/assert.h"

#include <string.h>

#define EARLIER_NS (3 * SIM_S) /* the life of the earlier cluster, at most */

static const char *const kinds[] = {
    [SIM_FOREIGN_LIST] = "was told of other founders",
    [SIM_FOREIGN_NAME] = "was told another name of the cluster",
    [SIM_FOREIGN_ALONE] = "founds a cluster of its own",
    [SIM_FOREIGN_LEFT_OVER] = "has the folder of an earlier cluster",
};

void sim_foreign_draw(struct sim_cluster *cluster) {
    struct sim_foreign *foreign = &cluster->apart.foreign;
    struct prng *prng = &cluster->apart.prng;
    if (!sim_apart_has(cluster, SIM_FAULT_FOREIGN) || cluster->founders < 3)
        return;
    foreign->id = 1 + (unsigned)prng_below(prng, cluster->founders);
    foreign->kind = SIM_FOREIGN_LIST + (enum sim_foreign_kind)prng_below(prng, 4);
    foreign->mend_ns = prng_between(prng, 500 * SIM_MS, 6 * SIM_S);
    cluster->nodes[foreign->id].foreign = foreign->kind;
}

bool sim_foreign_is_fragile(struct sim_cluster *cluster) {
    unsigned id = cluster->apart.foreign.id;
    for (unsigned other = 1; other <= SIM_NODES_MAX && id != 0; other++)
        cluster->nodes[other].fragile = other == id;
    return id != 0;
}

/* One founder less, or one more that is not there. */
static void change_list(struct sim_node *node, struct config *founders) {
    struct sim_cluster *cluster = node->cluster;
    unsigned more = cluster->founders + 1;
    struct member member = {.id = more, .voter = true};
    if (more < SIM_NODES_MAX && prng_below(&cluster->apart.prng, 2) == 0) {
        strcpy(member.address, cluster->nodes[more].address);
        cairn_assert(config_add(founders, &member) == CAIRN_OK);
    } else {
        config_remove(founders, node->id % cluster->founders + 1);
    }
}

void sim_foreign_identity(struct sim_node *node, struct identity *identity) {
    struct member own = {.id = node->id, .voter = true};
    strcpy(own.address, node->address);
    if (node->foreign == SIM_FOREIGN_NAME)
        identity->cluster ^= 2;
    else if (node->foreign == SIM_FOREIGN_LIST)
        change_list(node, &identity->founders);
    if (node->foreign != SIM_FOREIGN_ALONE)
        return;
    identity->founders = (struct config){0};
    cairn_assert(config_add(&identity->founders, &own) == CAIRN_OK);
    identity->founding = false;
}

void sim_foreign_hears(struct sim_node *node, const char *text) {
    static const char *const words[] = {"belongs to another cluster", "is from another cluster",
                                        "founded with other members"};
    if (!sim_apart_has(node->cluster, SIM_FAULT_FOREIGN))
        return;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        node->cluster->result->foreign_refused += strstr(text, words[i]) != NULL;
}

/* ---- the earlier cluster ---- */

static void begin_earlier(struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= cluster->founders; id++) {
        struct sim_node *node = &cluster->nodes[id];
        node->foreign = SIM_FOREIGN_LEFT_OVER;
        node->wire_version = WIRE_VERSION_MAX;
        sim_node_plan_start(node, cluster->world.now + sim_below(&cluster->world, 100 * SIM_MS));
    }
}

static void end_earlier(struct sim_cluster *cluster) {
    for (unsigned id = 1; id <= cluster->founders; id++) {
        struct sim_node *node = &cluster->nodes[id];
        sim_node_crash(node, SIM_END_KILL, false, SIM_S);
        node->life = SIM_ABSENT;
        if (id == cluster->apart.foreign.id)
            continue;
        sim_node_wipe(node);
        node->foreign = SIM_NATIVE;
        node->bootstraps = true;
    }
}

/* Terms rise with every leader that ends. */
static void end_some(void *target, uint64_t left) {
    struct sim_cluster *cluster = target;
    struct sim_node *node = &cluster->nodes[1 + sim_below(&cluster->world, cluster->founders)];
    if (node->foreign == SIM_NATIVE || left == 0)
        return;
    sim_node_crash(node, SIM_END_KILL, false, 50 * SIM_MS);
    sim_at(&cluster->world, cluster->world.now + EARLIER_NS / 6, end_some, cluster, left - 1);
}

void sim_foreign_before(struct sim_cluster *cluster) {
    struct sim_world *world = &cluster->world;
    if (cluster->apart.foreign.kind != SIM_FOREIGN_LEFT_OVER)
        return;
    sim_log(world, "world", "an earlier cluster");
    begin_earlier(cluster);
    uint64_t until = world->now + prng_between(&cluster->apart.prng, EARLIER_NS / 3, EARLIER_NS);
    sim_at(world, world->now + EARLIER_NS / 4, end_some, cluster, sim_below(world, 4));
    while (!world->failed && sim_world_step(world, until)) {
    }
    end_earlier(cluster);
    cluster->apart.foreign.mend_ns += world->now;
}

/* ---- its end ---- */

/* Whether it has what the others have; then it was let in. */
static void judge_apart(const struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++) {
        const struct sim_truth *truth = &cluster->truth[keyspace];
        uint64_t applied = node_applied_index(node->node, keyspace), chain;
        if (applied != 0 && applied <= truth->highest && truth->at[applied].chain != 0 &&
            node_chain_at(node->node, keyspace, applied, &chain) &&
            chain == truth->at[applied].chain)
            sim_fail(&cluster->world,
                     "a folder of another cluster is let in by none: %s, which %s, has the same "
                     "entry %llu",
                     node->host.name, kinds[node->foreign], (unsigned long long)applied);
    }
}

static bool ever_led(const struct sim_cluster *cluster) {
    for (uint32_t keyspace = 0; keyspace < cluster->defaults.keyspace_count; keyspace++)
        if (cluster->truth[keyspace].term_count > 0)
            return true;
    return false;
}

static void begin_anew(struct sim_node *node, bool founds) {
    sim_node_crash(node, SIM_END_KILL, false, 100 * SIM_MS);
    sim_node_wipe(node);
    node->guard_writes = 0;
    node->bootstraps |= founds && node->founder;
}

/* Founders that met data of another cluster before they founded their own believe that they lost
 * theirs: none can tell which of the two is so. Where none ever led, all begin anew. */
static void mend(struct sim_node *node) {
    struct sim_cluster *cluster = node->cluster;
    bool founds = !ever_led(cluster);
    if (node->node != NULL)
        judge_apart(node);
    sim_log(&cluster->world, node->host.name, "%s no more", kinds[node->foreign]);
    bool all =
        founds && (node->foreign == SIM_FOREIGN_ALONE || node->foreign == SIM_FOREIGN_LEFT_OVER);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (id == node->id || (all && cluster->nodes[id].life != SIM_ABSENT))
            begin_anew(&cluster->nodes[id], founds);
    node->foreign = SIM_NATIVE;
    node->refusals = 0;
    sim_cluster_tell_nodes(cluster);
}

bool sim_foreign_is_over(const struct sim_cluster *cluster) {
    return cluster->nodes[cluster->apart.foreign.id].foreign == SIM_NATIVE;
}

bool sim_foreign_strikes(struct sim_cluster *cluster) {
    const struct sim_foreign *foreign = &cluster->apart.foreign;
    struct sim_node *node = &cluster->nodes[foreign->id];
    if (cluster->world.now >= foreign->mend_ns)
        mend(node);
    else if (node->host.runs && prng_below(&cluster->apart.prng, 4) == 0)
        sim_node_crash(node, SIM_END_KILL, false, 50 * SIM_MS);
    else
        return false;
    return true;
}

void sim_foreign_heal(struct sim_cluster *cluster) {
    struct sim_node *node = &cluster->nodes[cluster->apart.foreign.id];
    if (node->foreign != SIM_NATIVE)
        mend(node);
}

void sim_foreign_describe(const struct sim_cluster *cluster, FILE *out) {
    const struct sim_foreign *foreign = &cluster->apart.foreign;
    if (foreign->id != 0)
        fprintf(out, "  n%u %s\n", foreign->id, kinds[foreign->kind]);
}
