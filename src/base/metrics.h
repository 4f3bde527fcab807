/* Every metric that a node tells: the one table from which /metrics and the documents are made. A
 * leaf.
 *
 * Units are those of Prometheus: seconds, bytes; counters end in _total. A histogram of name N has
 * N_bucket, N_sum and N_count, and the gauge N_max beside it: the greatest that was noted.
 */
#ifndef CAIRN_BASE_METRICS_H
#define CAIRN_BASE_METRICS_H

#include "base/bytes.h"
#include "base/spans.h"

enum metric_kind { METRIC_GAUGE, METRIC_COUNTER, METRIC_HISTOGRAM };

/* X(constant, name, kind, labels, what it tells) */
#define METRICS(X)                                                                                 \
    X(IS_LEADER, "cairn_is_leader", GAUGE, "keyspace", "1 on the leader")                          \
    X(HAS_LEADER, "cairn_has_leader", GAUGE, "keyspace", "1 when a leader is known")               \
    X(TERM, "cairn_term", GAUGE, "keyspace", "Current term")                                       \
    X(LAST_INDEX, "cairn_last_index", GAUGE, "keyspace", "Last index in the log")                  \
    X(COMMIT_INDEX, "cairn_commit_index", GAUGE, "keyspace", "Commit index")                       \
    X(APPLIED_INDEX, "cairn_applied_index", GAUGE, "keyspace", "Applied index")                    \
    X(SNAPSHOT_INDEX, "cairn_snapshot_index", GAUGE, "keyspace", "Index of the newest snapshot")   \
    X(SNAPSHOT_AGE, "cairn_snapshot_age_seconds", GAUGE, "keyspace",                               \
      "Replicated time since the newest snapshot; 0 without one")                                  \
    X(DAMAGED, "cairn_damaged", GAUGE, "keyspace", "1 while the log waits for repair")             \
    X(KEYS, "cairn_keys", GAUGE, "keyspace", "Keys in the machine")                                \
    X(MACHINE_BYTES, "cairn_machine_bytes", GAUGE, "keyspace", "Memory of the machine's state")    \
    X(LOG_MEMORY_BYTES, "cairn_log_memory_bytes", GAUGE, "keyspace", "Log entries held in memory") \
    X(SESSIONS, "cairn_sessions", GAUGE, "keyspace", "Open exactly-once sessions")                 \
    X(REQUESTS, "cairn_requests", GAUGE, "keyspace", "Requests outstanding")                       \
    X(CLOCK_OFF, "cairn_clock_off_seconds", GAUGE, "keyspace",                                     \
      "Replicated time and this node's clock differ by this")                                      \
    X(CLUSTER_VERSION, "cairn_cluster_version", GAUGE, "keyspace", "Replicated cluster version")   \
    X(PEER_LAG, "cairn_peer_lag_entries", GAUGE, "keyspace, peer",                                 \
      "On the leader: entries of its log that the peer is not known to have")                      \
    X(PEER_ACTIVE, "cairn_peer_active", GAUGE, "keyspace, peer",                                   \
      "On the leader: 1 while the peer answers")                                                   \
    X(COMMIT_TIME, "cairn_commit_seconds", HISTOGRAM, "keyspace",                                  \
      "From a write's arrival at this node until it is committed and applied here")                \
    X(LINKS_UP, "cairn_links_up", GAUGE, "", "Peers linked")                                       \
    X(EXECUTED, "cairn_executed_total", COUNTER, "", "Requests answered")                          \
    X(REFUSED, "cairn_refused_total", COUNTER, "", "Requests refused, not executed")               \
    X(UNKNOWN, "cairn_unknown_total", COUNTER, "", "Requests whose fate is unknown")               \
    X(FORWARDED, "cairn_forwarded_total", COUNTER, "", "Requests sent on to the leader")           \
    X(READS, "cairn_reads_total", COUNTER, "", "Reads executed")                                   \
    X(APPLIED, "cairn_applied_total", COUNTER, "", "Entries applied")                              \
    X(ELECTIONS, "cairn_elections_won_total", COUNTER, "", "Elections won")                        \
    X(TURN_WORK_MAX, "cairn_turn_work_max", GAUGE, "",                                             \
      "Greatest work of one turn of a group, in units")                                            \
    X(SNAPSHOTS_TAKEN, "cairn_snapshots_taken_total", COUNTER, "", "Snapshots written")            \
    X(SNAPSHOTS_SENT, "cairn_snapshots_sent_total", COUNTER, "", "Snapshots sent to peers")        \
    X(SNAPSHOTS_INSTALLED, "cairn_snapshots_installed_total", COUNTER, "",                         \
      "Snapshots installed from a leader")                                                         \
    X(FRAMES_BAD, "cairn_frames_bad_total", COUNTER, "",                                           \
      "Peer frames refused as damaged or malformed")                                               \
    X(LINKS_REFUSED, "cairn_links_refused_total", COUNTER, "",                                     \
      "Peer connections refused at hello")                                                         \
    X(LOG_WRITES, "cairn_log_writes_total", COUNTER, "", "Disk writes of the log")                 \
    X(LOG_WRITTEN, "cairn_log_written_bytes_total", COUNTER, "", "Bytes written to the log")       \
    X(LOG_TIME, "cairn_log_write_seconds", HISTOGRAM, "",                                          \
      "Duration of a batch's write to the log, durable at its end")                                \
    X(LOG_BYTES, "cairn_log_bytes", GAUGE, "", "Log on disk")                                      \
    X(LOG_FULL, "cairn_log_full", GAUGE, "", "1 while the disk is full")                           \
    X(LOG_ROOM, "cairn_log_room_bytes", GAUGE, "",                                                 \
      "Log that can be written without asking for space")                                          \
    X(WAL_DAMAGED, "cairn_wal_damaged", GAUGE, "",                                                 \
      "1 while a file of the log has damage that was found")                                       \
    X(WAL_SCRUBBED, "cairn_wal_scrubbed_bytes_total", COUNTER, "",                                 \
      "Bytes of the log read back to find damage")                                                 \
    X(WAL_DAMAGE_FOUND, "cairn_wal_damage_found_total", COUNTER, "",                               \
      "Damage of the log found while running")                                                     \
    X(WAL_DAMAGE_REPAIRED, "cairn_wal_damage_repaired_total", COUNTER, "",                         \
      "Times the log was whole again after such damage")                                           \
    X(SLICE_TIME, "cairn_snapshot_slice_seconds", HISTOGRAM, "",                                   \
      "Time of the event loop that a slice of snapshot work took")                                 \
    X(ROUND_TIME, "cairn_loop_round_seconds", HISTOGRAM, "",                                       \
      "Time for which one round of the event loop kept everything else waiting")                   \
    X(ROUND_CPU, "cairn_loop_round_cpu_seconds", HISTOGRAM, "",                                    \
      "Processor time of one round of the event loop")                                             \
    X(REDIS_CLIENTS, "cairn_redis_clients", GAUGE, "", "Connected Redis clients")                  \
    X(REDIS_CONNECTIONS, "cairn_redis_connections_total", COUNTER, "",                             \
      "Redis connections accepted")                                                                \
    X(REDIS_COMMANDS, "cairn_redis_commands_total", COUNTER, "", "Redis commands received")        \
    X(REDIS_TIME, "cairn_redis_command_seconds", HISTOGRAM, "",                                    \
      "From a Redis command's arrival until its reply is known; of those that read or write keys") \
    X(REDIS_REJECTED, "cairn_redis_rejected_total", COUNTER, "", "Redis connections turned away")  \
    X(REDIS_EVICTED, "cairn_redis_evicted_total", COUNTER, "",                                     \
      "Redis connections closed for what they made this node hold")                                \
    X(REDIS_WRONG_PASSWORDS, "cairn_redis_wrong_passwords_total", COUNTER, "",                     \
      "Refused Redis passwords")                                                                   \
    X(REDIS_UNREAD, "cairn_redis_unread_bytes", GAUGE, "",                                         \
      "Bytes of replies that clients have not taken")                                              \
    X(REDIS_UNEXECUTED, "cairn_redis_unexecuted_bytes", GAUGE, "",                                 \
      "Bytes of commands that were not executed yet")                                              \
    X(REDIS_PROTOCOL_ERRORS, "cairn_redis_protocol_errors_total", COUNTER, "",                     \
      "Malformed Redis requests")                                                                  \
    X(ZK_CLIENTS, "cairn_zookeeper_clients", GAUGE, "", "Connected ZooKeeper clients")             \
    X(ZK_CONNECTIONS, "cairn_zookeeper_connections_total", COUNTER, "", "Connections accepted")    \
    X(ZK_REJECTED, "cairn_zookeeper_rejected_total", COUNTER, "", "Connections turned away")       \
    X(ZK_TLS_CLIENTS, "cairn_zookeeper_tls_clients", GAUGE, "",                                    \
      "Of the connected, those with TLS")                                                          \
    X(ZK_TLS_CONNECTIONS, "cairn_zookeeper_tls_connections_total", COUNTER, "",                    \
      "TLS handshakes that succeeded")                                                             \
    X(ZK_TLS_FAILED, "cairn_zookeeper_tls_failed_total", COUNTER, "",                              \
      "Connections with TLS that ended before their handshake")                                    \
    X(ZK_REQUESTS, "cairn_zookeeper_requests_total", COUNTER, "", "Requests received")             \
    X(ZK_RESPONSES, "cairn_zookeeper_responses_total", COUNTER, "",                                \
      "Answers and notifications sent")                                                            \
    X(ZK_NOTIFICATIONS, "cairn_zookeeper_notifications_total", COUNTER, "", "Notifications sent")  \
    X(ZK_TIME, "cairn_zookeeper_request_seconds", HISTOGRAM, "",                                   \
      "From a ZooKeeper request's arrival until its answer leaves")                                \
    X(ZK_OUTSTANDING, "cairn_zookeeper_outstanding", GAUGE, "", "Requests with the node")          \
    X(ZK_UNKNOWN, "cairn_zookeeper_unknown_total", COUNTER, "",                                    \
      "Connections closed because a request's fate was unknown")                                   \
    X(ZK_THROTTLED, "cairn_zookeeper_throttled_total", COUNTER, "",                                \
      "Times that a client had to wait because of others")                                         \
    X(ZK_AUTH_FAILED, "cairn_zookeeper_auth_failed_total", COUNTER, "", "Failed authentications")  \
    X(ZK_MALFORMED, "cairn_zookeeper_malformed_total", COUNTER, "", "Malformed requests")          \
    X(ZK_LARGE, "cairn_zookeeper_large_total", COUNTER, "", "Requests above the frame limit")      \
    X(ZK_MOVED, "cairn_zookeeper_sessions_moved_total", COUNTER, "",                               \
      "Connections whose session moved to another")                                                \
    X(ZK_ENDED, "cairn_zookeeper_sessions_ended_total", COUNTER, "",                               \
      "Connections whose session ended")                                                           \
    X(ZK_SESSIONS, "cairn_zookeeper_sessions", GAUGE, "", "Sessions of the ensemble")              \
    X(ZK_ZNODES, "cairn_zookeeper_znodes", GAUGE, "", "Znodes")                                    \
    X(ZK_EPHEMERALS, "cairn_zookeeper_ephemerals", GAUGE, "", "Ephemeral znodes")                  \
    X(ZK_DATA, "cairn_zookeeper_data_bytes", GAUGE, "", "Bytes of data in znodes")                 \
    X(ZK_WATCHES, "cairn_zookeeper_watches", GAUGE, "", "Watches set at this server")              \
    X(ZK_WATCH_BYTES, "cairn_zookeeper_watch_bytes", GAUGE, "", "Memory of these watches")         \
    X(ZK_READ_ONLY, "cairn_zookeeper_read_only", GAUGE, "", "1 in read-only mode")                 \
    X(ADMIN_REFUSED, "cairn_admin_refused_total", COUNTER, "",                                     \
      "Changes asked for with a wrong token, or none")                                             \
    X(BUILD, "cairn_build_info", GAUGE, "version", "1, and which build this is")                   \
    X(DISK_FREE, "cairn_disk_free_bytes", GAUGE, "",                                               \
      "Space that this node may use on the file system of its data folder")                        \
    X(CPU, "process_cpu_seconds_total", COUNTER, "", "User and system time of this process")       \
    X(RSS, "process_resident_memory_bytes", GAUGE, "", "Resident memory")                          \
    X(VIRTUAL, "process_virtual_memory_bytes", GAUGE, "", "Virtual memory")                        \
    X(FDS, "process_open_fds", GAUGE, "", "Open file descriptors")                                 \
    X(FDS_MAX, "process_max_fds", GAUGE, "", "Most file descriptors that may be open")             \
    X(START, "process_start_time_seconds", GAUGE, "",                                              \
      "When this process started, in seconds since 1970")

enum metric_id {
#define X(constant, name, kind, labels, help) METRIC_##constant,
    METRICS(X)
#undef X
        METRIC_COUNT
};

struct metric {
    const char *name;
    enum metric_kind kind;
    const char *labels; /* names between commas; empty: none */
    const char *help;
};
const struct metric *metric_at(enum metric_id id);
const char *metric_kind_text(enum metric_kind kind);

/* Where they are written. All values of a metric are put one after the other. */
struct metrics {
    struct buf *out;
    enum metric_id begun; /* METRIC_COUNT: none */
};
struct metrics metrics_to(struct buf *out);

/* labels: as they stand between the braces, name="value"; NULL: none. */
void metrics_put(struct metrics *metrics, enum metric_id id, const char *labels, uint64_t value);
void metrics_put_seconds(struct metrics *metrics, enum metric_id id, const char *labels,
                         double seconds);
/* A histogram; spans[i] has labels[i]. */
void metrics_put_spans(struct metrics *metrics, enum metric_id id, const char *const *labels,
                       const struct spans *const *spans, size_t count);
void metrics_put_one_span(struct metrics *metrics, enum metric_id id, const struct spans *spans);

#endif
