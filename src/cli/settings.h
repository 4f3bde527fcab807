/* A server's configuration: INI, one table of keys (settings.c) from which parsing, checks, the
 * commented example file and --help come.
 */
#ifndef CAIRN_CLI_SETTINGS_H
#define CAIRN_CLI_SETTINGS_H

#include "front/redis/redis.h"
#include "front/zookeeper/zookeeper.h"
#include "node/node.h"

#include <stdio.h>

/* A server's keyspaces, by their numbers. */
enum { SETTINGS_KV, SETTINGS_TREE, SETTINGS_KEYSPACES };

struct settings {
    uint64_t node;
    char dir[400];
    char cluster[128];        /* the cluster's name: nodes of another one are refused */
    char members[1024];       /* "1=127.0.0.1:7101 2=... ": the founding members, or those to ask */
    uint64_t founding_wait_s; /* then a founder goes on with a majority of them; 0: never */
    bool bootstrap;           /* found the cluster with these members if the folder is new */
    bool beyond_loopback;     /* without TLS and without a password, say that it is meant */
    char kv_protocol[16], tree_protocol[16];
    char redis_listen[128];     /* empty: no Redis clients */
    char zookeeper_listen[128]; /* empty: no ZooKeeper clients without TLS */
    char zookeeper_tls_listen[128];
    char zookeeper_tls_cert[400], zookeeper_tls_key[400], zookeeper_tls_ca[400];
    char zookeeper_tls_clients[16]; /* none, wanted, required */
    char zookeeper_advertised[128];
    uint64_t zookeeper_tick_ms, zookeeper_timeout_min_ms, zookeeper_timeout_max_ms;
    uint64_t zookeeper_clients_max, zookeeper_clients_per_address, zookeeper_outstanding_max;
    uint64_t zookeeper_frame_bytes_max;
    bool zookeeper_read_only, zookeeper_linearizable_reads, zookeeper_reconfig;
    char zookeeper_super_digest[128], zookeeper_sasl_users[1024], zookeeper_words[256];
    char peer_listen[128];
    char peer_secret_file[400]; /* empty: nodes prove nothing to each other */
    char admin_listen[128];
    char admin_token_file[400];
    char password[128];
    uint64_t clients_max;
    uint64_t idle_timeout_s;
    uint64_t memory_max_mb;
    uint64_t value_max_mb;
    uint64_t election_timeout_min_ms, election_timeout_max_ms, heartbeat_ms;
    uint64_t request_timeout_ms, disk_stall_ms;
    uint64_t clock_drift_ppm;
    uint64_t clock_error_ms;
    bool lease_reads;
    char consistency[16]; /* linearizable, sequential, stale */
    uint64_t snapshot_log_mb;
    uint64_t snapshot_trailing;
    uint64_t segment_mb;
    uint64_t window_mb;
    uint64_t session_window;
    uint64_t seed;         /* 0: from the system */
    uint64_t wire_version; /* 0: the newest; lower plays an older build */
    char test_mutant[32];
    char log_format[16]; /* auto, terminal, logfmt */
    char log_level[16];  /* debug, info, warning */
};

void settings_default(struct settings *settings);
/* False: a sentence in error says what is wrong and in which line. */
bool settings_read(struct settings *settings, const char *path, char *error, size_t error_size);
/* One key as on the command line: --set section.key=value, or a line of the file. */
bool settings_set(struct settings *settings, const char *section, const char *key,
                  const char *value, char *error, size_t error_size);
/* A word of the command line, section.key=value. */
bool settings_set_word(struct settings *settings, const char *word, char *error, size_t error_size);
/* Parses already opened text: for tests and fuzzing. */
bool settings_parse(struct settings *settings, const char *text, char *error, size_t error_size);
/* Checks what only makes sense as a whole. */
bool settings_check(const struct settings *settings, char *error, size_t error_size);
/* The table, for documents; false behind its end. about: may be NULL, as of the one before. */
struct setting_help {
    const char *section, *key, *value, *about;
};
bool settings_help_at(size_t n, struct setting_help *help);
/* The commented example file with every key and its default. */
void settings_print_example(FILE *out);

/* The members list as a configuration; false on malformed text. */
bool settings_members(const char *text, struct config *config);
void settings_to_node(const struct settings *settings, struct node_options *options);
/* Of a folder that is made new: the cluster, the node, its keyspaces, and when it bootstraps the
 * founders. The incarnation is the caller's to draw. */
void settings_to_identity(const struct settings *settings, struct identity *identity);
uint64_t settings_cluster(const char *name);
void settings_to_redis(const struct settings *settings, struct redis_options *options);
void settings_to_zookeeper(const struct settings *settings, struct zookeeper_options *options);
/* Whether any client at the port may ask for things: not with certificates required. */
bool settings_tls_is_closed(const struct settings *settings);
bool address_is_loopback(const char *address);

#endif
