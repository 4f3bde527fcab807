/* What the operator asks of a running cluster: other members, another leader. */
#include "sim/sim_cluster.h"

#include "workload/workload.h"

static void command(struct sim_cluster *cluster, const char *const *words, size_t count) {
    struct workload *workload = cluster->workloads[0];
    sim_log(&cluster->world, "operator", "%s %s %s", words[0], words[1], count > 2 ? words[2] : "");
    workload_command(workload, (uint32_t)sim_below(&cluster->world, cluster->founders), words,
                     count);
}

/* A change that is asked for before any node knows of aims goes from keyspace to keyspace, and may
 * stop halfway: a founder that is away at first keeps the version from rising. */
static void change(struct sim_cluster *cluster, const char *const *words, size_t count) {
    struct node_status status;
    bool aims = false;
    for (unsigned id = 1; id <= SIM_NODES_MAX && !aims; id++) {
        if (!sim_node_is_up(&cluster->nodes[id]))
            continue;
        node_status(cluster->nodes[id].node, 0, &status);
        aims = status.cluster_version >= WIRE_VERSION_3;
    }
    cluster->changed_before_aims |= !aims;
    command(cluster, words, count);
}

bool sim_operator_adds(struct sim_cluster *cluster) {
    for (unsigned id = cluster->founders + 1; id < SIM_NODES_MAX; id++) {
        struct sim_node *node = &cluster->nodes[id];
        if (node->life != SIM_ABSENT)
            continue;
        char number[12];
        snprintf(number, sizeof number, "%u", id);
        sim_node_plan_start(node, cluster->world.now + sim_below(&cluster->world, SIM_S));
        sim_cluster_tell_nodes(cluster);
        bool learner = sim_chance(&cluster->world, 1, 2);
        change(cluster,
               (const char *[]){"CAIRN.MEMBER", learner ? "LEARNER" : "ADD", number, node->address},
               4);
        return true;
    }
    return false;
}

static bool knows_aims(struct sim_cluster *cluster) {
    struct node_status status;
    const struct sim_node *leader = sim_cluster_leader(cluster, 0);
    if (leader == NULL)
        return false;
    node_status(leader->node, 0, &status);
    return status.cluster_version >= WIRE_VERSION_3;
}

/* The last one is never started: it can't be done, and nothing may come of it. */
bool sim_operator_adds_absent(struct sim_cluster *cluster) {
    struct sim_node *node = &cluster->nodes[SIM_NODES_MAX];
    char number[12];
    if (!knows_aims(cluster) || node->life != SIM_ABSENT)
        return false; /* a leader of before would leave a learner behind when it is replaced */
    snprintf(number, sizeof number, "%u", node->id);
    command(cluster, (const char *[]){"CAIRN.MEMBER", "ADD", number, node->address}, 4);
    return true;
}

bool sim_operator_cancels(struct sim_cluster *cluster) {
    command(cluster, (const char *[]){"CAIRN.MEMBER", "CANCEL"}, 2);
    return true;
}

bool sim_operator_removes(struct sim_cluster *cluster) {
    char number[12];
    snprintf(number, sizeof number, "%u",
             1 + (unsigned)sim_below(&cluster->world, cluster->founders));
    change(cluster, (const char *[]){"CAIRN.MEMBER", "REMOVE", number}, 3);
    return true;
}

bool sim_operator_transfers(struct sim_cluster *cluster) {
    char number[12];
    snprintf(number, sizeof number, "%u",
             (unsigned)sim_below(&cluster->world, cluster->founders + 1));
    command(cluster, (const char *[]){"CAIRN.LEADER", "TRANSFER", number}, 3);
    return true;
}
