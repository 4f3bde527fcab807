/* cairn server: one node, real: settings, identity, node, front end and admin pages joined on one
 * event loop. The only place, with the simulator's host, where these parts meet. */
#include "cli/admin.h"
#include "cli/cli.h"
#include "cli/cluster_file.h"
#include "cli/lock_wait.h"
#include "cli/log.h"
#include "cli/pid_file.h"
#include "cli/process_metrics.h"
#include "cli/secret_file.h"
#include "cli/settings.h"
#include "cli/signals.h"
#include "cli/token.h"
#include "front/redis/redis.h"
#include "front/zookeeper/zookeeper.h"
#include "node/node.h"
#include "runtime/runtime.h"
#include "runtime/runtime_tls.h"
#include "storage/identity.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct server {
    struct settings settings;
    struct log log;
    struct runtime *runtime;
    struct env *env;
    struct node *node;
    struct redis_front *redis;         /* NULL: no Redis clients are served */
    struct zookeeper_front *zookeeper; /* NULL: no ZooKeeper clients are served */
    struct env_tls *tls;               /* of its clients; NULL: none */
    struct admin *admin;
    struct env_file *lock;
    const char *config; /* the file; NULL: none */
    bool ready, stopping, failed;
};

static void on_log(void *context, int level, const char *text) {
    struct server *server = context;
    log_line(&server->log, level, text);
}

static void on_change(void *context, uint32_t keyspace, const struct change *change) {
    struct server *server = context;
    if (server->redis != NULL && keyspace == SETTINGS_KV)
        redis_front_change(server->redis, change);
    if (server->zookeeper != NULL && keyspace == SETTINGS_TREE)
        zookeeper_front_change(server->zookeeper, change);
}

static void on_failed(void *context, enum cairn_status status, const char *text) {
    struct server *server = context;
    server->failed = true;
    runtime_stop(server->runtime);
}

/* ---- stopping ---- */

static void on_stopped(void *context) {
    struct server *server = context;
    if (server->redis != NULL) {
        redis_front_stop(server->redis);
        redis_front_turn(server->redis);
    }
    if (server->zookeeper != NULL) {
        zookeeper_front_stop(server->zookeeper);
        zookeeper_front_turn(server->zookeeper);
    }
    runtime_stop(server->runtime);
}

static void on_signal(void *context, int number) {
    struct server *server = context;
    if (server->stopping) { /* asked twice: now */
        runtime_stop(server->runtime);
        return;
    }
    server->stopping = true;
    log_line(&server->log, 1, "stopping: leadership is handed over");
    node_stop(server->node, on_stopped, server);
}

/* ---- the turn ---- */

static const char *zookeeper_address(const struct settings *settings) {
    return settings->zookeeper_listen[0] != 0 ? settings->zookeeper_listen
                                              : settings->zookeeper_tls_listen;
}

/* One line on standard output when this node first serves: `cairn dev` and scripts wait for it. */
static void tell_ready(struct server *server) {
    struct node_status status;
    if (server->ready)
        return;
    node_status(server->node, SETTINGS_KV, &status);
    /* With a full disk it answers reads. */
    const char *health = node_health(server->node);
    bool full = strcmp(health, "disk full") == 0 && status.replica.leader != 0;
    if (strcmp(health, "ok") != 0 && !full)
        return;
    server->ready = true;
    char fields[2600];
    snprintf(fields, sizeof fields, "redis=%s zookeeper=%s peer=%s admin=http://%s leader=%llu",
             server->redis ? server->settings.redis_listen : "none",
             server->zookeeper ? zookeeper_address(&server->settings) : "none",
             server->settings.peer_listen, server->settings.admin_listen,
             (unsigned long long)status.replica.leader);
    log_ready(&server->log, fields);
}

static void on_turn(void *context) {
    struct server *server = context;
    node_turn(server->node);
    if (server->redis != NULL)
        redis_front_turn(server->redis);
    if (server->zookeeper != NULL)
        zookeeper_front_turn(server->zookeeper);
    log_turn(&server->log);
    if (!server->ready)
        tell_ready(server);
}

/* ---- identity ---- */

/* As the system says it. */
static const char *file_problem(enum cairn_status status) {
    return status == CAIRN_NOT_FOUND ? "No such file or directory" : cairn_status_text(status);
}

static bool fresh_identity(struct server *server, struct identity *identity) {
    struct settings *settings = &server->settings;
    settings_to_identity(settings, identity);
    while (identity->incarnation == 0)
        env_entropy(server->env, &identity->incarnation, sizeof identity->incarnation);
    enum cairn_status status = identity_store(server->env, settings->dir, identity);
    if (status != CAIRN_OK)
        fprintf(stderr, "cairn server: can't write to %s: %s\n", settings->dir,
                file_problem(status));
    return status == CAIRN_OK;
}

/* A log of one protocol means nothing to another. */
static bool keyspaces_fit(const struct server *server, const struct identity *identity) {
    struct node_options options;
    settings_to_node(&server->settings, &options);
    for (uint32_t i = 0; i < identity->keyspace_count; i++) {
        const struct identity_keyspace *made = &identity->keyspaces[i];
        const struct node_keyspace *asked = &options.keyspaces[i];
        bool known = i < options.keyspace_count && strcmp(made->name, asked->name) == 0;
        if (known && strcmp(made->protocol, asked->protocol) == 0)
            continue;
        fprintf(stderr,
                "cairn server: %s was made with the keyspace %s on %s, and the configuration says "
                "%s. A folder keeps its protocols.\n",
                server->settings.dir, made->name, made->protocol,
                known ? asked->protocol : "that there is none");
        return false;
    }
    return true;
}

static enum cairn_status load_identity(struct server *server, struct identity *identity) {
    const char *dir = server->settings.dir;
    char text[700];
    unsigned waited_ms = 0;
    enum cairn_status status = identity_load(server->env, dir, identity, &server->lock);
    if (status == CAIRN_BUSY) {
        snprintf(text, sizeof text,
                 "another process runs on %.600s: waiting up to %u s for its end", dir,
                 LOCK_PATIENCE_MS / 1000);
        log_line(&server->log, 1, text);
    }
    while (status == CAIRN_BUSY && lock_wait(&waited_ms, LOCK_PATIENCE_MS))
        status = identity_load(server->env, dir, identity, &server->lock);
    return status;
}

/* Which node's folder it is: ours, none's yet, or a reason not to start. */
static bool find_identity(struct server *server, struct identity *identity) {
    struct settings *settings = &server->settings;
    enum cairn_status status = env_make_folder(server->env, settings->dir);
    if (status != CAIRN_OK) {
        fprintf(stderr, "cairn server: can't make %s: %s\n", settings->dir, file_problem(status));
        return false;
    }
    status = load_identity(server, identity);
    if (status == CAIRN_NOT_FOUND)
        return fresh_identity(server, identity);
    if (status == CAIRN_BUSY)
        fprintf(stderr, "cairn server: another process runs on %s\n", settings->dir);
    else if (status != CAIRN_OK)
        fprintf(stderr, "cairn server: can't use %s: %s\n", settings->dir,
                cairn_status_text(status));
    else if (identity->node != settings->node)
        fprintf(stderr,
                "cairn server: %s holds the data of node %llu, and this is node %llu. Was a folder "
                "swapped?\n",
                settings->dir, (unsigned long long)identity->node,
                (unsigned long long)settings->node);
    else if (identity->cluster != settings_cluster(settings->cluster))
        fprintf(stderr, "cairn server: %s belongs to another cluster than '%s'\n", settings->dir,
                settings->cluster);
    else
        return keyspaces_fit(server, identity);
    return false;
}

static void fill_options(struct server *server, const struct identity *identity,
                         struct node_options *options) {
    struct config members;
    settings_to_node(&server->settings, options);
    options->identity = *identity;
    if (identity->keyspace_count == 0) /* made before there were several */
        options->keyspace_count = 1;
    options->bootstrap = identity->founders;
    settings_members(server->settings.members, &members);
    for (uint32_t i = 0; i < members.count; i++) {
        if (members.members[i].id == identity->node)
            continue;
        options->seeds[options->seed_count].id = members.members[i].id;
        memcpy(options->seeds[options->seed_count].address, members.members[i].address,
               sizeof members.members[i].address);
        options->seed_count++;
    }
    if (options->seed == 0)
        env_entropy(server->env, &options->seed, sizeof options->seed);
    options->context = server;
    options->log = on_log;
    options->change = on_change;
    options->failed = on_failed;
}

/* ---- start ---- */

static bool open_tls(struct server *server) {
    const struct settings *settings = &server->settings;
    const struct runtime_tls_options options = {
        .certificate = settings->zookeeper_tls_cert,
        .key = settings->zookeeper_tls_key,
        .authorities = settings->zookeeper_tls_ca,
        .clients = settings_tls_is_closed(settings)                       ? RUNTIME_TLS_REQUIRED
                   : strcmp(settings->zookeeper_tls_clients, "none") == 0 ? RUNTIME_TLS_NONE
                                                                          : RUNTIME_TLS_WANTED};
    char error[600] = "";
    if (runtime_tls_new(&options, &server->tls, error, sizeof error) == CAIRN_OK)
        return true;
    fprintf(stderr, "cairn server: %s\n", error);
    return false;
}

static void reload_tls(struct server *server) {
    char error[600] = "";
    if (runtime_tls_reload(server->tls, error, sizeof error) == CAIRN_OK)
        log_line(&server->log, 1, "certificates were read again");
    else
        log_line(&server->log, 2, error);
}

static void reload_secrets(struct server *server) {
    struct peer_secrets secrets;
    char error[600] = "", text[100];
    if (!secret_file_read(server->settings.peer_secret_file, &secrets, error, sizeof error)) {
        log_line(&server->log, 2, error);
        return;
    }
    node_set_secrets(server->node, &secrets);
    snprintf(text, sizeof text, "the secret file was read again: %s%s",
             secrets.count > 1 ? "two secrets are accepted" : "one secret is accepted",
             secrets.optional ? ", and nodes without any" : "");
    log_line(&server->log, 1, text);
}

static bool open_zookeeper(struct server *server) {
    struct zookeeper_options options;
    settings_to_zookeeper(&server->settings, &options);
    if (options.address[0] == 0 && options.tls_address[0] == 0)
        return true;
    if (options.tls_address[0] != 0 && !open_tls(server))
        return false;
    options.tls = server->tls;
    options.descriptors_max = process_descriptors_max();
    gethostname(options.host_name, sizeof options.host_name - 1);
    options.process_id = (uint64_t)getpid();
    enum cairn_status status = zookeeper_front_open(server->node, &options, &server->zookeeper);
    if (status == CAIRN_NOT_FOUND) {
        log_line(&server->log, 2,
                 "this folder was made before there was a tree: no ZooKeeper clients are served");
        return true;
    }
    if (status != CAIRN_OK)
        fprintf(stderr, "cairn server: can't listen on %s%s%s for ZooKeeper clients: %s\n",
                options.address, options.address[0] && options.tls_address[0] ? " and " : "",
                options.tls_address, cairn_status_text(status));
    return status == CAIRN_OK;
}

static bool open_redis(struct server *server) {
    struct redis_options options;
    settings_to_redis(&server->settings, &options);
    if (options.address[0] == 0)
        return true;
    options.process_id = (uint64_t)getpid();
    enum cairn_status status = redis_front_open(server->node, &options, &server->redis);
    if (status != CAIRN_OK)
        fprintf(stderr, "cairn server: can't listen on %s for Redis clients: %s\n", options.address,
                cairn_status_text(status));
    return status == CAIRN_OK;
}

static bool read_token(struct server *server, const uint8_t random[TOKEN_BYTES],
                       char token[TOKEN_SIZE]) {
    const struct settings *settings = &server->settings;
    char path[TOKEN_PATH_SIZE], error[TOKEN_PATH_SIZE + 100], text[TOKEN_PATH_SIZE + 200];
    bool wide;
    token_path(settings->dir, settings->admin_token_file, path, sizeof path);
    if (!token_read_or_make(path, random, token, &wide, error, sizeof error)) {
        log_line(&server->log, 2, error);
        return false;
    }
    if (wide) {
        snprintf(text, sizeof text,
                 "others than its owner can read %s, and may change members and leaders with it "
                 "(chmod 600)",
                 path);
        log_line(&server->log, 2, text);
    }
    return true;
}

/* True: it is another one now. */
static bool reload_token(struct server *server) {
    char token[TOKEN_SIZE];
    uint8_t random[TOKEN_BYTES];
    env_entropy(server->env, random, sizeof random);
    if (!read_token(server, random, token) || !admin_set_token(server->admin, token))
        return false;
    log_line(&server->log, 1, "the operators' token was read again");
    return true;
}

static void on_hangup(void *context) {
    struct server *server = context;
    bool has_secret = server->settings.peer_secret_file[0] != 0;
    bool has_token = reload_token(server);
    if (server->tls != NULL)
        reload_tls(server);
    if (has_secret)
        reload_secrets(server);
    if (server->tls == NULL && !has_secret && !has_token)
        log_line(&server->log, 1, "SIGHUP: there is nothing to read again");
}

static bool open_admin(struct server *server) {
    const struct admin_parts parts = {server->runtime, server->node, server->redis,
                                      server->zookeeper};
    const char *address = server->settings.admin_listen;
    char token[TOKEN_SIZE];
    uint8_t random[TOKEN_BYTES];
    env_entropy(server->env, random, sizeof random);
    if (!read_token(server, random, token)) /* a full disk, say: the node serves all the same */
        token_text(random, token);
    enum cairn_status status = admin_open(&parts, address, token, &server->admin);
    if (status != CAIRN_OK)
        fprintf(stderr, "cairn server: can't listen on %s for admin pages: %s\n", address,
                cairn_status_text(status));
    return status == CAIRN_OK;
}

static bool open_parts(struct server *server, const struct identity *identity) {
    struct node_options options;
    char error[512] = "";
    fill_options(server, identity, &options);
    if (server->settings.peer_secret_file[0] != 0 &&
        !secret_file_read(server->settings.peer_secret_file, &options.secrets, error,
                          sizeof error)) {
        fprintf(stderr, "cairn server: %s\n", error);
        return false;
    }
    if (node_open(server->env, &options, &server->node, error, sizeof error) != CAIRN_OK) {
        fprintf(stderr, "cairn server: %s\n", error);
        return false;
    }
    return open_redis(server) && open_zookeeper(server) && open_admin(server);
}

static void close_parts(struct server *server) {
    if (server->admin != NULL)
        admin_close(server->admin);
    if (server->redis != NULL)
        redis_front_disconnect(server->redis);
    if (server->zookeeper != NULL)
        zookeeper_front_disconnect(server->zookeeper);
    if (server->node != NULL)
        node_disconnect(server->node);
    runtime_settle(server->runtime);
    if (server->redis != NULL)
        redis_front_close(server->redis);
    if (server->zookeeper != NULL)
        zookeeper_front_close(server->zookeeper);
    if (server->node != NULL)
        node_close(server->node);
    if (server->lock != NULL)
        env_file_close(server->env, server->lock);
    runtime_tls_free(server->tls);
    runtime_free(server->runtime);
}

/* Its ZooKeeper ports, to more than this machine. */
static bool is_open_to_all(const struct server *server) {
    const struct settings *settings = &server->settings;
    const char *plain = settings->zookeeper_listen, *tls = settings->zookeeper_tls_listen;
    return server->zookeeper != NULL &&
           ((plain[0] != 0 && !address_is_loopback(plain)) ||
            (tls[0] != 0 && !address_is_loopback(tls) && !settings_tls_is_closed(settings)));
}

/* ---- descriptors ---- */

/* For the program itself, peers, admin pages and operators, besides files. */
#define DESCRIPTORS_OWN 160u

/* What files, peers and operators may need: a log may grow to several times what makes a snapshot
 * due. Never more than half of all. */
static uint64_t descriptors_kept(const struct settings *settings, uint64_t limit) {
    uint64_t segments =
        4 * settings->snapshot_log_mb / settings->segment_mb * NODE_KEYSPACES_MAX + 8;
    uint64_t kept = DESCRIPTORS_OWN + segments;
    return kept < limit / 2 ? kept : limit / 2;
}

/* Neither door may take all that is left; together they are held by the descriptors themselves,
 * the last of which no client gets (env_listener.yields). */
static void fit_clients(struct server *server, uint64_t limit, uint64_t kept) {
    struct settings *settings = &server->settings;
    bool tree = settings->zookeeper_listen[0] != 0 || settings->zookeeper_tls_listen[0] != 0;
    uint64_t left = limit - kept, most = tree ? left - left / 8 : left;
    bool fits = settings->clients_max <= most && (!tree || settings->zookeeper_clients_max <= most);
    if (limit == 0 || fits)
        return;
    most = most > 0 ? most : 1;
    if (settings->clients_max > most)
        settings->clients_max = most;
    if (tree && settings->zookeeper_clients_max > most)
        settings->zookeeper_clients_max = most;
    char text[300];
    snprintf(text, sizeof text,
             "the limit of open files is %llu (ulimit -n, LimitNOFILE): %llu are kept for files, "
             "peers and operators, so clients_max is %llu for Redis and %llu for ZooKeeper",
             (unsigned long long)limit, (unsigned long long)kept,
             (unsigned long long)settings->clients_max,
             (unsigned long long)(tree ? settings->zookeeper_clients_max : 0));
    log_line(&server->log, most < 1000 ? 2 : 1, text);
}

static void tell_start(struct server *server) {
    const struct settings *settings = &server->settings;
    const char *tls = settings->zookeeper_tls_listen, *plain = settings->zookeeper_listen;
    char text[2600];
    snprintf(text, sizeof text,
             "cairn %s: node %llu of cluster %s, configuration %s, folder %s; listens for Redis "
             "on %s, ZooKeeper on %s%s%s, peers on %s, operators on %s",
             CAIRN_VERSION, (unsigned long long)settings->node, settings->cluster,
             server->config ? server->config : "by --set alone", settings->dir,
             settings->redis_listen[0] ? settings->redis_listen : "nothing",
             plain[0] || !tls[0] ? (plain[0] ? plain : "nothing") : "",
             plain[0] && tls[0] ? " and " : "", tls, settings->peer_listen, settings->admin_listen);
    log_line(&server->log, 1, text);
}

static int run(struct server *server) {
    struct identity identity;
    uint64_t limit = runtime_open_files_max();
    uint64_t kept = descriptors_kept(&server->settings, limit);
    struct runtime_options options = {.wall_error_ns = server->settings.clock_error_ms * 1000000u,
                                      .descriptors_kept = kept};
    tell_start(server);
    fit_clients(server, limit, kept);
    server->runtime = runtime_new(&options);
    server->env = runtime_env(server->runtime);
    if (!find_identity(server, &identity) || !open_parts(server, &identity)) {
        close_parts(server);
        return EXIT_NO;
    }
    pid_file_write(server->settings.dir);
    cluster_file_write(server->settings.dir, server->settings.cluster);
    if ((server->redis != NULL && !address_is_loopback(server->settings.redis_listen)) ||
        !address_is_loopback(server->settings.peer_listen) || is_open_to_all(server))
        log_line(
            &server->log, 2,
            "listening beyond loopback without asking for certificates: any client at the ports "
            "can read and change everything");
    if (identity.founders.count == 0 && !server->ready)
        log_line(&server->log, 1,
                 "this folder was not founded with the cluster: waiting to be let "
                 "in by its members (cairn member add), unless that happened "
                 "before");
    runtime_on_signal(server->runtime, on_signal, server);
    runtime_on_hangup(server->runtime, on_hangup, server);
    env_set_turn(server->env, on_turn, server);
    env_wake(server->env);
    runtime_run(server->runtime);
    log_line(&server->log, 1, server->failed ? "ended after a failure" : "stopped");
    pid_file_remove(server->settings.dir);
    close_parts(server);
    log_close(&server->log);
    return server->failed ? EXIT_NO : EXIT_FINE;
}

#define SETS_MAX 64

int cmd_server(int argc, char **argv) {
    static struct server server;
    const char *config = NULL, *sets[SETS_MAX];
    bool bootstrap = false, example = false;
    char error[512] = "";
    int set_count = 0, kept = 0;
    signals_ignore_strays();
    signal(SIGHUP, SIG_IGN); /* until there is a loop */
    for (int i = 0; i < argc; i++) {
        if (strcmp(argv[i], "--set") == 0 && i + 1 < argc && set_count < SETS_MAX)
            sets[set_count++] = argv[++i];
        else
            argv[kept++] = argv[i];
    }
    const struct flag flags[] = {{"config", FLAG_TEXT, &config},
                                 {"bootstrap", FLAG_SWITCH, &bootstrap},
                                 {"example", FLAG_SWITCH, &example}};
    if (!flags_parse(&kept, argv, flags, 3))
        return EXIT_MISUSE;
    if (kept > 1)
        return misuse("server", "unexpected '%s'", argv[1]);
    if (example) {
        settings_print_example(stdout);
        return EXIT_FINE;
    }
    if (config == NULL && set_count == 0)
        return misuse("server", "--config FILE is needed (--example prints one)");
    settings_default(&server.settings);
    if (config != NULL && !settings_read(&server.settings, config, error, sizeof error))
        return misuse("server", "%s", error);
    for (int i = 0; i < set_count; i++)
        if (!settings_set_word(&server.settings, sets[i], error, sizeof error))
            return misuse("server", "%s", error);
    server.config = config;
    server.settings.bootstrap |= bootstrap;
    if (!settings_check(&server.settings, error, sizeof error))
        return misuse("server", "%s", error);
    log_open(&server.log, server.settings.log_level, server.settings.log_format,
             server.settings.node);
    return run(&server);
}
