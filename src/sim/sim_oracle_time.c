/* Replicated time: a leader stamps entries by the clocks of a majority, whatever its own says, and
 * time goes on no faster than clocks do once it is there (core/wall.h, core/stamp.h). */
#include "sim/sim_oracle.h"

#define LOOK_NS (50 * SIM_MS)
/* A leader knows the others' clocks as of their last answers. */
#define SLACK_NS (2 * SIM_S)
/* Less than core/wall.h says. */
#define BACK_NS (9 * SIM_S)

static uint64_t latest_entry_ns(const struct sim_oracle *oracle) {
    uint64_t latest = 0;
    for (uint32_t i = 0; i < SIM_KEYSPACES_MAX; i++)
        if (oracle->keyspaces[i].time_ms > latest)
            latest = oracle->keyspaces[i].time_ms;
    return latest * SIM_MS;
}

/* No majority of two voters or more has reached a time that only one clock has. But clocks far
 * behind the time that entries have are left out, and then one may decide. An older version tells
 * no clock, and counts as one that agrees with its leader. */
static uint64_t most_allowed(struct sim_oracle *oracle) {
    uint64_t entries = latest_entry_ns(oracle), latest = 0, second = 0;
    bool one_is_back = false;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &oracle->cluster->nodes[id];
        if (!node->founder && node->lives == 0)
            continue;
        struct env_wall wall = env_wall(&node->host.env);
        one_is_back |= node->was_old || wall.earliest + BACK_NS < entries;
        if (wall.latest > latest) {
            second = latest;
            latest = wall.latest;
        } else if (wall.latest > second) {
            second = wall.latest;
        }
    }
    return one_is_back ? latest : second;
}

static bool is_judged(const struct sim_oracle *oracle) {
    return oracle->cluster->founders > 1 && !oracle->voter_alone &&
           !sim_apart_has(oracle->cluster, SIM_FAULT_CLOCK_OFF);
}

void oracle_time_look(struct sim_oracle *oracle) {
    struct sim_cluster *cluster = oracle->cluster;
    uint64_t now = cluster->world.now;
    if (now < oracle->time_look_at || !is_judged(oracle))
        return;
    uint64_t passed = now - oracle->time_looked;
    oracle->time_most_ns += passed + passed / 1000000 * cluster->defaults.clock_drift_ppm;
    uint64_t most = most_allowed(oracle);
    if (most > oracle->time_most_ns)
        oracle->time_most_ns = most;
    oracle->time_looked = now;
    oracle->time_look_at = now + LOOK_NS;
}

void oracle_time_applied(struct sim_oracle *oracle, struct oracle_replica *replica,
                         const struct entry *entry) {
    if (!is_judged(oracle) || entry->time_ms <= (oracle->time_most_ns + SLACK_NS) / SIM_MS)
        return;
    oracle->time_look_at = 0; /* a clock may have been set just now */
    oracle_time_look(oracle);
    uint64_t most = (oracle->time_most_ns + SLACK_NS) / SIM_MS;
    if (entry->time_ms <= most)
        return;
    oracle_fail(replica,
                "replicated time is a majority's: entry %llu is %llu ms beyond all but one "
                "of the clocks",
                (unsigned long long)entry->index, (unsigned long long)(entry->time_ms - most));
}
