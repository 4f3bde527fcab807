#include "cli/settings.h"

#include "base/alloc.h"
#include "base/ini.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#define MS 1000000ull
#define MB (1ull << 20)
#define FILE_BYTES_MAX (1u << 20)

enum setting_kind { TEXT, NUMBER, YES_NO };

struct setting {
    const char *section, *key;
    enum setting_kind kind;
    size_t offset, size;
    const char *value; /* default, as in the file */
    uint64_t least, most;
    const char *about;
};

#define AT(field) offsetof(struct settings, field), sizeof(((struct settings *)0)->field)

static const struct setting table[] = {
    {"node", "id", NUMBER, AT(node), "1", 1, UINT64_MAX, "This node's number, above 0."},
    {"node", "dir", TEXT, AT(dir), "cairn-data/node-1", 0, 0,
     "Where its data lies. One folder belongs to one node for ever."},
    {"cluster", "name", TEXT, AT(cluster), "cairn", 0, 0,
     "Nodes of a cluster of another name are refused."},
    {"cluster", "members", TEXT, AT(members), "1=127.0.0.1:7101 2=127.0.0.1:7102 3=127.0.0.1:7103",
     0, 0, "id=host:port of the peer ports: the founders, or members to ask to be let in."},
    {"cluster", "bootstrap", YES_NO, AT(bootstrap), "no", 0, 0,
     "yes: if the folder is new, found the cluster together with these members. Say it on the\n"
     "# founders' first start only: a node whose folder was lost must not, it rejoins."},
    {"cluster", "founding_wait_s", NUMBER, AT(founding_wait_s), "10", 0, 31536000,
     "A founder takes part once all the others have noted its folder, so that a lost disk is\n"
     "# noticed; after this time a majority of them is enough. 0: it waits for all."},
    {"redis", "listen", TEXT, AT(redis_listen), "127.0.0.1:7001", 0, 0,
     "For Redis clients; empty: none."},
    {"redis", "password", TEXT, AT(password), "", 0, 0, "What AUTH asks for; empty: nothing."},
    {"redis", "clients_max", NUMBER, AT(clients_max), "10000", 1, 1000000, "Connections."},
    {"redis", "idle_timeout_s", NUMBER, AT(idle_timeout_s), "0", 0, 31536000,
     "Close clients that are silent for so long; 0: never."},
    {"redis", "memory_max_mb", NUMBER, AT(memory_max_mb), "0", 0, 1u << 24,
     "Refuse commands that need memory when the keys take more; 0: no limit."},
    {"redis", "value_max_mb", NUMBER, AT(value_max_mb), "64", 1, 64,
     "The longest value; the same on every node."},
    {"zookeeper", "listen", TEXT, AT(zookeeper_listen), "127.0.0.1:2181", 0, 0,
     "For ZooKeeper clients; empty: none."},
    {"zookeeper", "tls_listen", TEXT, AT(zookeeper_tls_listen), "", 0, 0,
     "For ZooKeeper clients with TLS; empty: none."},
    {"zookeeper", "tls_cert", TEXT, AT(zookeeper_tls_cert), "", 0, 0,
     "PEM files: this server's certificate (and those between it and an authority), its key,\n"
     "# the authorities that sign clients' certificates. SIGHUP: read them again."},
    {"zookeeper", "tls_key", TEXT, AT(zookeeper_tls_key), "", 0, 0, NULL},
    {"zookeeper", "tls_ca", TEXT, AT(zookeeper_tls_ca), "", 0, 0, NULL},
    {"zookeeper", "tls_clients", TEXT, AT(zookeeper_tls_clients), "required", 0, 0,
     "Certificates of clients: required, wanted (a client may have one), none."},
    {"zookeeper", "advertised", TEXT, AT(zookeeper_advertised), "", 0, 0,
     "host:port told to clients in /zookeeper/config; empty: what is listened on."},
    {"zookeeper", "tick_ms", NUMBER, AT(zookeeper_tick_ms), "2000", 10, 3600000,
     "What session timeouts are counted in: 2 to 20 of these unless the next two say otherwise."},
    {"zookeeper", "timeout_min_ms", NUMBER, AT(zookeeper_timeout_min_ms), "0", 0, 3600000, NULL},
    {"zookeeper", "timeout_max_ms", NUMBER, AT(zookeeper_timeout_max_ms), "0", 0, 3600000, NULL},
    {"zookeeper", "clients_max", NUMBER, AT(zookeeper_clients_max), "100000", 1, 1000000,
     "Connections."},
    {"zookeeper", "clients_per_address", NUMBER, AT(zookeeper_clients_per_address), "0", 0, 1000000,
     "Connections from one address; 0: any number."},
    {"zookeeper", "outstanding_max", NUMBER, AT(zookeeper_outstanding_max), "20000", 1, 1000000,
     "Requests under way; beyond that none is read."},
    {"zookeeper", "frame_bytes_max", NUMBER, AT(zookeeper_frame_bytes_max), "1048575", 1024,
     67108864, "The longest request (jute.maxbuffer)."},
    {"zookeeper", "read_only", YES_NO, AT(zookeeper_read_only), "yes", 0, 0,
     "Without a quorum, serve reads to clients that ask for read-only mode."},
    {"zookeeper", "linearizable_reads", YES_NO, AT(zookeeper_linearizable_reads), "no", 0, 0,
     "yes: no read is stale; each costs a round trip to the leader."},
    {"zookeeper", "reconfig", YES_NO, AT(zookeeper_reconfig), "yes", 0, 0,
     "Clients with rights on /zookeeper/config may change the members."},
    {"zookeeper", "super_digest", TEXT, AT(zookeeper_super_digest), "", 0, 0,
     "super:BASE64-OF-SHA1: who gives that password has every right; empty: none has."},
    {"zookeeper", "sasl_users", TEXT, AT(zookeeper_sasl_users), "", 0, 0,
     "name:password name:password, for SASL DIGEST-MD5."},
    {"zookeeper", "words", TEXT, AT(zookeeper_words), "auto", 0, 0,
     "Four-letter words that are answered, by commas; *: all; auto: all on loopback, beyond it\n"
     "# srvr,ruok,mntr,isro, which change nothing and tell nothing of clients."},
    {"kv", "protocol", TEXT, AT(kv_protocol), "raft", 0, 0,
     "What replicates the keys of Redis clients: raft or zab. A folder keeps its protocols for\n"
     "# ever, and all nodes must agree on them."},
    {"tree", "protocol", TEXT, AT(tree_protocol), "zab", 0, 0,
     "What replicates the tree of ZooKeeper clients: zab or raft."},
    {"peer", "listen", TEXT, AT(peer_listen), "127.0.0.1:7101", 0, 0, "For the other nodes."},
    {"peer", "secret_file", TEXT, AT(peer_secret_file), "", 0, 0,
     "A file with a secret that all nodes share, and prove to each other; empty: none. Only its\n"
     "# owner, and perhaps a group, may read it. A second line: another one that is accepted too.\n"
     "# The line accept-without-secret: nodes that have none are taken as well. SIGHUP: read it\n"
     "# again."},
    {"admin", "listen", TEXT, AT(admin_listen), "127.0.0.1:7201", 0, 0,
     "HTTP: /metrics (Prometheus), /status (JSON), /health; members and leaders (cairn member)."},
    {"admin", "token_file", TEXT, AT(admin_token_file), "", 0, 0,
     "A reader of this file may change members and leaders; empty: token in node.dir. Made\n"
     "# at the first start; SIGHUP: read it again."},
    {"network", "beyond_loopback", YES_NO, AT(beyond_loopback), "no", 0, 0,
     "Any client at the ports can read and change everything, unless a certificate is required.\n"
     "# yes: listen on other addresses than loopback all the same."},
    {"raft", "election_timeout_min_ms", NUMBER, AT(election_timeout_min_ms), "150", 2, 3600000,
     "A follower that hears nothing for a random time between these two stands for election."},
    {"raft", "election_timeout_max_ms", NUMBER, AT(election_timeout_max_ms), "300", 3, 3600000,
     NULL},
    {"raft", "heartbeat_ms", NUMBER, AT(heartbeat_ms), "40", 1, 3600000, NULL},
    {"raft", "request_timeout_ms", NUMBER, AT(request_timeout_ms), "3000", 10, 3600000,
     "Without a quorum a request gets its error after this time."},
    {"raft", "disk_stall_ms", NUMBER, AT(disk_stall_ms), "200", 10, 3600000,
     "A leader whose log write takes longer hands over."},
    {"raft", "lease_reads", YES_NO, AT(lease_reads), "yes", 0, 0,
     "yes: the leader answers reads by its lease, which relies on clock_drift_ppm. no: every "
     "batch\n"
     "# of reads asks a majority."},
    {"raft", "clock_drift_ppm", NUMBER, AT(clock_drift_ppm), "100000", 0, 200000,
     "Bound on the rate error of any node's clock, parts per million, while it is slewed too: "
     "chrony\n"
     "# slews by up to 83333 (maxslewrate), adjtimex by 100000. Leases are shorter by twice as "
     "much."},
    {"raft", "consistency", TEXT, AT(consistency), "linearizable", 0, 0,
     "Of reads: linearizable, sequential (any node, never backwards in a connection), stale."},
    {"log", "segment_mb", NUMBER, AT(segment_mb), "32", 1, 1024, "Size of a log segment."},
    {"log", "window_mb", NUMBER, AT(window_mb), "4", 0, 65536,
     "Entries kept in memory for peers that lag a little."},
    {"log", "snapshot_log_mb", NUMBER, AT(snapshot_log_mb), "256", 1, 1048576,
     "Make a snapshot when the log has grown by this."},
    {"log", "snapshot_trailing", NUMBER, AT(snapshot_trailing), "10000", 0, 1000000000,
     "Entries below a snapshot that are kept for lagging peers."},
    {"session", "window", NUMBER, AT(session_window), "128", 1, 65536,
     "Replies kept for retries, by exactly-once session."},
    {"clock", "error_ms", NUMBER, AT(clock_error_ms), "250", 0, 3600000,
     "Bound on the wall clock's error where the kernel can't tell one."},
    {"test", "seed", NUMBER, AT(seed), "0", 0, UINT64_MAX, "Of random choices; 0: by chance."},
    {"test", "wire_version", NUMBER, AT(wire_version), "0", 0, WIRE_VERSION_MAX,
     "Speak like an older build; 0: the newest."},
    {"test", "mutant", TEXT, AT(test_mutant), "none", 0, 0,
     "A seeded bug, as cairn sim --mutant has them; none in earnest."},
    {"logging", "level", TEXT, AT(log_level), "info", 0, 0, "debug, info or warning."},
    {"logging", "format", TEXT, AT(log_format), "auto", 0, 0,
     "terminal (short lines for people), logfmt (key=value), or auto: by where they go."},
};
#define TABLE_COUNT (sizeof table / sizeof *table)

static bool set_one(struct settings *settings, const struct setting *setting, const char *value,
                    char *error, size_t error_size) {
    void *at = (char *)settings + setting->offset;
    if (setting->kind == TEXT) {
        if (strlen(value) >= setting->size) {
            snprintf(error, error_size, "%s.%s is too long", setting->section, setting->key);
            return false;
        }
        memset(at, 0, setting->size);
        memcpy(at, value, strlen(value));
        return true;
    }
    if (setting->kind == YES_NO) {
        bool yes = strcmp(value, "yes") == 0;
        if (!yes && strcmp(value, "no") != 0) {
            snprintf(error, error_size, "%s.%s is yes or no, not '%.64s'", setting->section,
                     setting->key, value);
            return false;
        }
        *(bool *)at = yes;
        return true;
    }
    char *end;
    errno = 0;
    uint64_t number = strtoull(value, &end, 10);
    if (errno != 0 || *end != 0 || *value < '0' || *value > '9' || number < setting->least ||
        number > setting->most) {
        snprintf(error, error_size, "%s.%s is a number from %llu to %llu, not '%.64s'",
                 setting->section, setting->key, (unsigned long long)setting->least,
                 (unsigned long long)setting->most, value);
        return false;
    }
    *(uint64_t *)at = number;
    return true;
}

void settings_default(struct settings *settings) {
    char error[160];
    memset(settings, 0, sizeof *settings);
    for (size_t i = 0; i < TABLE_COUNT; i++)
        set_one(settings, &table[i], table[i].value, error, sizeof error);
}

bool settings_set(struct settings *settings, const char *section, const char *key,
                  const char *value, char *error, size_t error_size) {
    for (size_t i = 0; i < TABLE_COUNT; i++)
        if (strcmp(table[i].section, section) == 0 && strcmp(table[i].key, key) == 0)
            return set_one(settings, &table[i], value, error, error_size);
    snprintf(error, error_size, "there is no setting %.64s.%.64s", section, key);
    return false;
}

struct parsing {
    struct settings *settings;
    char *error;
    size_t error_size;
};

static bool on_pair(void *context, const char *section, const char *name, const char *value) {
    struct parsing *parsing = context;
    return settings_set(parsing->settings, section, name, value, parsing->error,
                        parsing->error_size);
}

/* Puts the line's number before what is wrong with it. */
static bool parse(struct settings *settings, struct bytes text, const char *where, char *error,
                  size_t error_size) {
    struct parsing parsing = {settings, error, error_size};
    error[0] = 0;
    int line = ini_text(text, on_pair, &parsing);
    if (line == 0)
        return true;
    char what[256];
    snprintf(what, sizeof what, "%s",
             error[0] ? error : "neither [section] nor key = value within one");
    snprintf(error, error_size, "%s, line %d: %s", where, line, what);
    return false;
}

bool settings_read(struct settings *settings, const char *path, char *error, size_t error_size) {
    struct buf text = {0};
    FILE *file = fopen(path, "r");
    size_t got = 0;
    do {
        text.len += got;
        got = file ? fread(buf_reserve(&text, 4096), 1, 4096, file) : 0;
    } while (got > 0 && text.len < FILE_BYTES_MAX);
    bool readable = file != NULL && !ferror(file);
    int why = errno;
    if (file != NULL)
        fclose(file);
    if (!readable)
        snprintf(error, error_size, "can't read %s: %s", path, strerror(why));
    bool ok = readable && parse(settings, buf_view(&text), path, error, error_size);
    buf_free(&text);
    return ok;
}

bool settings_parse(struct settings *settings, const char *text, char *error, size_t error_size) {
    return parse(settings, bytes_cstr(text), "text", error, error_size);
}

bool settings_set_word(struct settings *settings, const char *word, char *error,
                       size_t error_size) {
    char copy[1200];
    snprintf(copy, sizeof copy, "%s", word);
    char *dot = strchr(copy, '.'), *equals = strchr(copy, '=');
    if (dot == NULL || equals == NULL || equals < dot || strlen(word) >= sizeof copy) {
        snprintf(error, error_size, "--set wants section.key=value, not '%.100s'", word);
        return false;
    }
    *dot = *equals = 0;
    return settings_set(settings, copy, dot + 1, equals + 1, error, error_size);
}

bool settings_members(const char *text, struct config *config) {
    char copy[1024];
    *config = (struct config){0};
    if (strlen(text) >= sizeof copy)
        return false;
    memcpy(copy, text, strlen(text) + 1);
    char *save = NULL;
    for (char *word = strtok_r(copy, " ,", &save); word; word = strtok_r(NULL, " ,", &save)) {
        char *equals = strchr(word, '=');
        struct member member = {.voter = true};
        if (equals == NULL || strlen(equals + 1) >= sizeof member.address ||
            strchr(equals + 1, ':') == NULL)
            return false;
        *equals = 0;
        char *end;
        member.id = strtoull(word, &end, 10);
        memcpy(member.address, equals + 1, strlen(equals + 1));
        if (*end != 0 || member.id == 0 || config_add(config, &member) != CAIRN_OK)
            return false;
    }
    return true;
}

bool address_is_loopback(const char *address) {
    return strncmp(address, "127.", 4) == 0 || strncmp(address, "localhost:", 10) == 0 ||
           strncmp(address, "[::1]:", 6) == 0;
}

static bool is_one_of(const char *text, const char *a, const char *b, const char *c) {
    return strcmp(text, a) == 0 || strcmp(text, b) == 0 || strcmp(text, c) == 0;
}

bool settings_tls_is_closed(const struct settings *settings) {
    return strcmp(settings->zookeeper_tls_clients, "required") == 0;
}

static const char *tls_problem(const struct settings *settings) {
    if (!is_one_of(settings->zookeeper_tls_clients, "none", "wanted", "required"))
        return "zookeeper.tls_clients is none, wanted or required";
    if (settings->zookeeper_tls_listen[0] == 0)
        return NULL;
    if (settings->zookeeper_tls_cert[0] == 0 || settings->zookeeper_tls_key[0] == 0)
        return "zookeeper.tls_listen needs zookeeper.tls_cert and zookeeper.tls_key";
    if (settings->zookeeper_tls_ca[0] == 0 && strcmp(settings->zookeeper_tls_clients, "none") != 0)
        return "zookeeper.tls_ca must name the authorities that sign clients' certificates, unless "
               "zookeeper.tls_clients = none";
    return NULL;
}

static const char *problem_of(const struct settings *settings) {
    struct config members;
    if (!settings_members(settings->members, &members))
        return "cluster.members must be a list like 1=127.0.0.1:7101 2=127.0.0.1:7102";
    if (settings->bootstrap && config_member(&members, settings->node) == NULL)
        return "with cluster.bootstrap = yes this node must be among cluster.members";
    if (settings->dir[0] == 0)
        return "node.dir must name a folder";
    bool loopback =
        (settings->redis_listen[0] == 0 || address_is_loopback(settings->redis_listen)) &&
        address_is_loopback(settings->peer_listen) && address_is_loopback(settings->admin_listen) &&
        (settings->zookeeper_listen[0] == 0 || address_is_loopback(settings->zookeeper_listen)) &&
        (settings->zookeeper_tls_listen[0] == 0 || settings_tls_is_closed(settings) ||
         address_is_loopback(settings->zookeeper_tls_listen));
    if (!loopback && !settings->beyond_loopback)
        return "listening beyond loopback without asking for certificates lets any client at the "
               "ports read and change everything; if the network is trusted, say "
               "network.beyond_loopback = yes";
    const char *tls = tls_problem(settings);
    if (tls != NULL)
        return tls;
    const char *consistency = settings->consistency;
    if (!is_one_of(consistency, "linearizable", "sequential", "stale"))
        return "raft.consistency is linearizable, sequential or stale";
    const char *level = settings->log_level;
    if (!is_one_of(level, "debug", "info", "warning"))
        return "logging.level is debug, info or warning";
    const char *format = settings->log_format;
    if (!is_one_of(format, "auto", "terminal", "logfmt"))
        return "logging.format is auto, terminal or logfmt";
    return NULL;
}

bool settings_check(const struct settings *settings, char *error, size_t error_size) {
    struct node_options options;
    const char *problem = problem_of(settings);
    if (problem != NULL) {
        snprintf(error, error_size, "%s", problem);
        return false;
    }
    settings_to_node(settings, &options);
    return node_options_check(&options, error, error_size) == CAIRN_OK;
}

bool settings_help_at(size_t n, struct setting_help *help) {
    if (n >= TABLE_COUNT)
        return false;
    *help = (struct setting_help){table[n].section, table[n].key, table[n].value, table[n].about};
    return true;
}

void settings_print_example(FILE *out) {
    const char *section = "";
    fprintf(out, "# cairn server: every setting with its default. Lines that begin with # are "
                 "comments.\n# Use it with: cairn server --config FILE\n");
    for (size_t i = 0; i < TABLE_COUNT; i++) {
        if (strcmp(section, table[i].section) != 0)
            fprintf(out, "\n[%s]\n", table[i].section);
        section = table[i].section;
        if (table[i].about != NULL)
            fprintf(out, "# %s\n", table[i].about);
        fprintf(out, "%s = %s\n", table[i].key, table[i].value);
    }
}

void settings_to_node(const struct settings *settings, struct node_options *options) {
    node_options_default(options);
    memcpy(options->folder, settings->dir, sizeof settings->dir);
    memcpy(options->cluster_name, settings->cluster, sizeof options->cluster_name);
    memcpy(options->peer_address, settings->peer_listen, sizeof options->peer_address);
    options->identity.node = settings->node;
    options->election_timeout_min_ns = settings->election_timeout_min_ms * MS;
    options->election_timeout_max_ns = settings->election_timeout_max_ms * MS;
    options->heartbeat_ns = settings->heartbeat_ms * MS;
    options->request_timeout_ns = settings->request_timeout_ms * MS;
    options->founding_wait_ns = settings->founding_wait_s * 1000 * MS;
    options->disk_stall_ns = settings->disk_stall_ms * MS;
    options->clock_drift_ppm = (uint32_t)settings->clock_drift_ppm;
    options->lease_reads = settings->lease_reads;
    options->keyspace_count = SETTINGS_KEYSPACES;
    options->keyspaces[SETTINGS_TREE] =
        (struct node_keyspace){.name = "tree", .machine = "tree", .consistency = NODE_SEQUENTIAL};
    memcpy(options->keyspaces[SETTINGS_KV].protocol, settings->kv_protocol,
           sizeof settings->kv_protocol);
    memcpy(options->keyspaces[SETTINGS_TREE].protocol, settings->tree_protocol,
           sizeof settings->tree_protocol);
    options->keyspaces[SETTINGS_KV].consistency =
        strcmp(settings->consistency, "stale") == 0        ? NODE_STALE
        : strcmp(settings->consistency, "sequential") == 0 ? NODE_SEQUENTIAL
                                                           : NODE_LINEARIZABLE;
    options->value_bytes_max = settings->value_max_mb * MB;
    options->command_bytes_max = settings->value_max_mb * MB + 8 * MB;
    options->wal_segment_bytes = settings->segment_mb * MB;
    options->window_bytes_max = settings->window_mb * MB;
    options->snapshot_log_bytes = settings->snapshot_log_mb * MB;
    options->snapshot_trailing = (uint32_t)settings->snapshot_trailing;
    options->session_window = (uint32_t)settings->session_window;
    options->seed = settings->seed;
    if (settings->wire_version != 0)
        options->wire_version_max = (uint32_t)settings->wire_version;
    if (!mutant_find(settings->test_mutant, &options->mutant))
        options->mutant = MUTANT_NONE;
}

uint64_t settings_cluster(const char *name) {
    uint64_t id = bytes_hash(bytes_cstr(name), 0xca1);
    return id ? id : 1;
}

void settings_to_identity(const struct settings *settings, struct identity *identity) {
    struct node_options options;
    settings_to_node(settings, &options);
    *identity = (struct identity){.cluster = settings_cluster(settings->cluster),
                                  .node = settings->node,
                                  .keyspace_count = options.keyspace_count};
    for (uint32_t i = 0; i < options.keyspace_count; i++) {
        const struct node_keyspace *from = &options.keyspaces[i];
        struct identity_keyspace *to = &identity->keyspaces[i];
        memcpy(to->name, from->name, sizeof to->name);
        memcpy(to->protocol, from->protocol, sizeof to->protocol);
        memcpy(to->machine, from->machine, sizeof to->machine);
    }
    if (!settings->bootstrap)
        return;
    settings_members(settings->members, &identity->founders);
    identity->founding = identity->founders.count > 1 && options.wire_version_max >= WIRE_VERSION_3;
    identity->epoch = 1;
}

void settings_to_redis(const struct settings *settings, struct redis_options *options) {
    redis_options_default(options);
    memcpy(options->address, settings->redis_listen, sizeof options->address);
    memcpy(options->password, settings->password, sizeof options->password);
    options->clients_max = (uint32_t)settings->clients_max;
    options->idle_timeout_ns = settings->idle_timeout_s * 1000 * MS;
    options->memory_max = settings->memory_max_mb * MB;
    options->bulk_bytes_max = settings->value_max_mb * MB;
}

void settings_to_zookeeper(const struct settings *settings, struct zookeeper_options *options) {
    zookeeper_options_default(options);
    strcpy(options->keyspace, "tree");
    memcpy(options->address, settings->zookeeper_listen, sizeof options->address);
    memcpy(options->tls_address, settings->zookeeper_tls_listen, sizeof options->tls_address);
    memcpy(options->advertised, settings->zookeeper_advertised, sizeof options->advertised);
    memcpy(options->super_digest, settings->zookeeper_super_digest, sizeof options->super_digest);
    memcpy(options->sasl_users, settings->zookeeper_sasl_users, sizeof options->sasl_users);
    bool plain =
        settings->zookeeper_listen[0] == 0 || address_is_loopback(settings->zookeeper_listen);
    bool tls = settings->zookeeper_tls_listen[0] == 0 ||
               address_is_loopback(settings->zookeeper_tls_listen);
    const char *words = strcmp(settings->zookeeper_words, "auto") != 0 ? settings->zookeeper_words
                        : plain && tls                                 ? "*"
                                                                       : "srvr,ruok,mntr,isro";
    snprintf(options->words, sizeof options->words, "%s", words);
    options->tick_ms = (uint32_t)settings->zookeeper_tick_ms;
    options->timeout_min_ms = (uint32_t)settings->zookeeper_timeout_min_ms;
    options->timeout_max_ms = (uint32_t)settings->zookeeper_timeout_max_ms;
    options->clients_max = (uint32_t)settings->zookeeper_clients_max;
    options->clients_per_address = (uint32_t)settings->zookeeper_clients_per_address;
    options->outstanding_max = (uint32_t)settings->zookeeper_outstanding_max;
    options->frame_bytes_max = settings->zookeeper_frame_bytes_max;
    options->read_only = settings->zookeeper_read_only;
    options->linearizable_reads = settings->zookeeper_linearizable_reads;
    options->reconfig = settings->zookeeper_reconfig;
}
