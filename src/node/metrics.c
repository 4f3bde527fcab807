/* What a node tells Prometheus. */
#include "node/node_internal.h"

#include "base/metrics.h"

#include <stdio.h>

#define LABELS_SIZE 64u

typedef unsigned long long ull;

static uint64_t behind(const struct node_status *status, uint32_t peer) {
    uint64_t last = status->replica.last_index, match = status->replica.peers[peer].match_index;
    return last > match ? last - match : 0;
}

static double clock_off_seconds(const struct node_status *status) {
    uint64_t wall = status->wall_ms, time = status->time_ms;
    return (double)(wall > time ? wall - time : time - wall) / 1e3;
}

static double snapshot_age_seconds(const struct node_status *status) {
    bool none = status->snapshot_index == 0 || status->snapshot_time_ms > status->time_ms;
    return none ? 0 : (double)(status->time_ms - status->snapshot_time_ms) / 1e3;
}

struct all {
    struct node_status status[NODE_KEYSPACES_MAX];
    char labels[NODE_KEYSPACES_MAX][LABELS_SIZE];
    uint32_t count;
};

/* X(metric, value of `status`) */
#define KEYSPACE_METRICS(X)                           \
    X(IS_LEADER, status->replica.role == ROLE_LEADER) \
    X(HAS_LEADER, status->replica.leader != 0)        \
    X(TERM, status->replica.term)                     \
    X(LAST_INDEX, status->replica.last_index)         \
    X(COMMIT_INDEX, status->replica.commit_index)     \
    X(APPLIED_INDEX, status->replica.applied_index)   \
    X(SNAPSHOT_INDEX, status->snapshot_index)         \
    X(DAMAGED, status->replica.damaged)               \
    X(KEYS, status->keys)                             \
    X(MACHINE_BYTES, status->machine_bytes)           \
    X(LOG_MEMORY_BYTES, status->replica.memory_bytes) \
    X(SESSIONS, status->sessions)                     \
    X(REQUESTS, status->requests)                     \
    X(CLUSTER_VERSION, status->cluster_version)

static void put_keyspaces(struct metrics *metrics, const struct all *all) {
#define X(metric, value)                                                          \
    for (uint32_t i = 0; i < all->count; i++) {                                   \
        const struct node_status *status = &all->status[i];                       \
        metrics_put(metrics, METRIC_##metric, all->labels[i], (uint64_t)(value)); \
    }
    KEYSPACE_METRICS(X)
#undef X
    for (uint32_t i = 0; i < all->count; i++)
        metrics_put_seconds(metrics, METRIC_CLOCK_OFF, all->labels[i],
                            clock_off_seconds(&all->status[i]));
    for (uint32_t i = 0; i < all->count; i++)
        metrics_put_seconds(metrics, METRIC_SNAPSHOT_AGE, all->labels[i],
                            snapshot_age_seconds(&all->status[i]));
}

/* What a leader knows of the others. */
static void put_peers(struct metrics *metrics, const struct all *all, enum metric_id id) {
    char labels[2 * LABELS_SIZE];
    for (uint32_t i = 0; i < all->count; i++) {
        const struct node_status *status = &all->status[i];
        if (status->replica.role != ROLE_LEADER)
            continue;
        for (uint32_t p = 0; p < status->replica.peer_count; p++) {
            snprintf(labels, sizeof labels, "%s,peer=\"%llu\"", all->labels[i],
                     (ull)status->replica.peers[p].id);
            metrics_put(metrics, id, labels,
                        id == METRIC_PEER_LAG ? behind(status, p)
                                              : status->replica.peers[p].active);
        }
    }
}

static void put_commit_times(const struct node *node, struct metrics *metrics,
                             const struct all *all) {
    const struct spans *spans[NODE_KEYSPACES_MAX];
    const char *labels[NODE_KEYSPACES_MAX];
    for (uint32_t i = 0; i < all->count; i++) {
        spans[i] = &node->groups[i]->commit_times;
        labels[i] = all->labels[i];
    }
    metrics_put_spans(metrics, METRIC_COMMIT_TIME, labels, spans, all->count);
}

static void put_node(const struct node *node, struct metrics *metrics) {
    struct node_status status;
    struct wal_stats log;
    node_status(node, 0, &status);
    wal_stats(node->wal, &log);
    const struct {
        enum metric_id id;
        uint64_t value;
    } values[] = {
        {METRIC_LINKS_UP, status.links_up},
        {METRIC_EXECUTED, status.counters.executed},
        {METRIC_REFUSED, status.counters.refused},
        {METRIC_UNKNOWN, status.counters.unknown},
        {METRIC_FORWARDED, status.counters.forwarded},
        {METRIC_READS, status.counters.reads},
        {METRIC_APPLIED, status.counters.applied},
        {METRIC_ELECTIONS, status.counters.elections},
        {METRIC_TURN_WORK_MAX, status.work_max},
        {METRIC_SNAPSHOTS_TAKEN, status.counters.snapshots_taken},
        {METRIC_SNAPSHOTS_SENT, status.counters.snapshots_sent},
        {METRIC_SNAPSHOTS_INSTALLED, status.counters.snapshots_installed},
        {METRIC_FRAMES_BAD, status.counters.frames_bad},
        {METRIC_LINKS_REFUSED, status.counters.links_refused},
        {METRIC_LOG_WRITES, log.writes},
        {METRIC_LOG_WRITTEN, log.bytes_written},
        {METRIC_LOG_BYTES, log.log_bytes},
        {METRIC_LOG_FULL, log.full},
        {METRIC_LOG_ROOM, log.room_bytes},
        {METRIC_WAL_DAMAGED, log.damaged},
        {METRIC_WAL_SCRUBBED, status.counters.scrubbed_bytes},
        {METRIC_WAL_DAMAGE_FOUND, status.counters.damage_found},
        {METRIC_WAL_DAMAGE_REPAIRED, status.counters.damage_repaired},
    };
    for (size_t i = 0; i < sizeof values / sizeof *values; i++)
        metrics_put(metrics, values[i].id, NULL, values[i].value);
    metrics_put_one_span(metrics, METRIC_LOG_TIME, &log.write_times);
    metrics_put_one_span(metrics, METRIC_SLICE_TIME, &node->slices);
}

void node_metrics(const struct node *node, struct metrics *metrics) {
    struct all all = {.count = node->group_count};
    for (uint32_t i = 0; i < all.count; i++) {
        node_status(node, i, &all.status[i]);
        snprintf(all.labels[i], LABELS_SIZE, "keyspace=\"%s\"", node->options.keyspaces[i].name);
    }
    put_keyspaces(metrics, &all);
    put_peers(metrics, &all, METRIC_PEER_LAG);
    put_peers(metrics, &all, METRIC_PEER_ACTIVE);
    put_commit_times(node, metrics, &all);
    put_node(node, metrics);
}
