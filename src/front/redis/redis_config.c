/* CONFIG: parameters that work, parameters that are merely remembered because clients set them, and
 * parameters that would change a promise, which are refused with the reason. All of it is of this
 * node and this run; what must stay belongs into the configuration file. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/glob.h"

#include <stdlib.h>
#include <string.h>

enum parameter_kind { REMEMBERED, WORKS, REFUSED };

struct parameter {
    const char *name;
    const char *value; /* at start */
    enum parameter_kind kind;
    const char *reason; /* REFUSED: unless the value stays what it is */
};

static const struct parameter parameters[] = {
    {"requirepass", "", WORKS, NULL},
    {"maxmemory", "0", WORKS, NULL},
    {"maxclients", "10000", WORKS, NULL},
    {"timeout", "0", WORKS, NULL},
    {"proto-max-bulk-len", "67108864", REFUSED,
     "the value limit is the same on every node: set it in the configuration file"},
    {"appendonly", "yes", REFUSED, "every write is in the log of a majority before it is answered"},
    {"appendfsync", "always", REFUSED, "every write is on stable storage before it is answered"},
    {"maxmemory-policy", "noeviction", REFUSED, "cairn never evicts what it promised to keep"},
    {"databases", "1", REFUSED, "there is one database, number 0"},
    {"cluster-enabled", "no", REFUSED, "this port never redirects; any node takes any command"},
    {"port", "0", REFUSED, "it is set in the configuration file"},
    {"bind", "", REFUSED, "it is set in the configuration file"},
    {"dir", "", REFUSED, "it is set in the configuration file"},
    {"save", "", REMEMBERED, NULL},
    {"dbfilename", "dump.rdb", REMEMBERED, NULL},
    {"loglevel", "notice", REMEMBERED, NULL},
    {"logfile", "", REMEMBERED, NULL},
    {"hz", "10", REMEMBERED, NULL},
    {"dynamic-hz", "yes", REMEMBERED, NULL},
    {"tcp-keepalive", "300", REMEMBERED, NULL},
    {"tcp-backlog", "511", REMEMBERED, NULL},
    {"maxmemory-samples", "5", REMEMBERED, NULL},
    {"lazyfree-lazy-eviction", "no", REMEMBERED, NULL},
    {"lazyfree-lazy-expire", "no", REMEMBERED, NULL},
    {"lazyfree-lazy-server-del", "no", REMEMBERED, NULL},
    {"lazyfree-lazy-user-del", "no", REMEMBERED, NULL},
    {"lazyfree-lazy-user-flush", "no", REMEMBERED, NULL},
    {"activedefrag", "no", REMEMBERED, NULL},
    {"active-expire-effort", "1", REMEMBERED, NULL},
    {"notify-keyspace-events", "", REFUSED, "key events are not supported by this version"},
    {"slowlog-log-slower-than", "10000", REMEMBERED, NULL},
    {"slowlog-max-len", "128", REMEMBERED, NULL},
    {"latency-monitor-threshold", "0", REMEMBERED, NULL},
    {"client-output-buffer-limit",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", REMEMBERED, NULL},
    {"client-query-buffer-limit", "1073741824", REMEMBERED, NULL},
    {"lua-time-limit", "5000", REMEMBERED, NULL},
    {"busy-reply-threshold", "5000", REMEMBERED, NULL},
    {"min-replicas-to-write", "0", REMEMBERED, NULL},
    {"min-slaves-to-write", "0", REMEMBERED, NULL},
    {"repl-diskless-load", "disabled", REMEMBERED, NULL},
    {"auto-aof-rewrite-percentage", "100", REMEMBERED, NULL},
    {"auto-aof-rewrite-min-size", "67108864", REMEMBERED, NULL},
    {"no-appendfsync-on-rewrite", "no", REMEMBERED, NULL},
    {"rdbcompression", "yes", REMEMBERED, NULL},
    {"rdbchecksum", "yes", REMEMBERED, NULL},
    {"stop-writes-on-bgsave-error", "yes", REMEMBERED, NULL},
    {"hash-max-listpack-entries", "512", REMEMBERED, NULL},
    {"hash-max-listpack-value", "64", REMEMBERED, NULL},
    {"hash-max-ziplist-entries", "512", REMEMBERED, NULL},
    {"hash-max-ziplist-value", "64", REMEMBERED, NULL},
    {"list-max-listpack-size", "-2", REMEMBERED, NULL},
    {"list-max-ziplist-size", "-2", REMEMBERED, NULL},
    {"list-compress-depth", "0", REMEMBERED, NULL},
    {"set-max-intset-entries", "512", REMEMBERED, NULL},
    {"zset-max-listpack-entries", "128", REMEMBERED, NULL},
    {"zset-max-listpack-value", "64", REMEMBERED, NULL},
    {"zset-max-ziplist-entries", "128", REMEMBERED, NULL},
    {"zset-max-ziplist-value", "64", REMEMBERED, NULL},
    {"stream-node-max-bytes", "4096", REMEMBERED, NULL},
    {"stream-node-max-entries", "100", REMEMBERED, NULL},
    {"hll-sparse-max-bytes", "3000", REMEMBERED, NULL},
    {"enable-debug-command", "no", REMEMBERED, NULL},
    {"io-threads", "1", REMEMBERED, NULL},
};
#define PARAMETER_COUNT (sizeof parameters / sizeof *parameters)

/* Values that were set, by the parameter's place in the table. */
struct config_value {
    struct hnode by_place;
    size_t place;
    struct blob *value;
};

static bool place_matches(const struct hnode *node, const void *key) {
    return container_of(node, struct config_value, by_place)->place == *(const size_t *)key;
}

static struct config_value *value_at(const struct redis_front *front, size_t place) {
    struct hnode *node = hmap_find(&front->config, hash_u64(place), place_matches, &place);
    return node ? container_of(node, struct config_value, by_place) : NULL;
}

static void remember(struct redis_front *front, size_t place, struct bytes value) {
    struct config_value *at = value_at(front, place);
    if (at == NULL) {
        at = cairn_alloc_zero(sizeof *at);
        at->place = place;
        hmap_insert(&front->config, &at->by_place, hash_u64(place));
    }
    blob_unref(at->value);
    at->value = blob_from(value);
}

static size_t place_of(struct bytes name) {
    size_t i = 0;
    while (i < PARAMETER_COUNT && !bytes_equal_nocase(name, bytes_cstr(parameters[i].name)))
        i++;
    return i;
}

static void remember_number(struct redis_front *front, const char *name, uint64_t number) {
    struct buf text = {0};
    buf_printf(&text, "%llu", (unsigned long long)number);
    remember(front, place_of(bytes_cstr(name)), buf_view(&text));
    buf_free(&text);
}

void config_open(struct redis_front *front) {
    const struct redis_options *options = &front->options;
    const char *colon = strrchr(options->address, ':');
    remember(front, place_of(BYTES("requirepass")), bytes_cstr(options->password));
    remember(front, place_of(BYTES("dir")), bytes_cstr(node_get_options(front->node)->folder));
    if (colon != NULL) {
        remember(front, place_of(BYTES("port")), bytes_cstr(colon + 1));
        remember(front, place_of(BYTES("bind")),
                 bytes_of(options->address, (size_t)(colon - options->address)));
    }
    remember_number(front, "maxmemory", options->memory_max);
    remember_number(front, "maxclients", options->clients_max);
    remember_number(front, "timeout", options->idle_timeout_ns / 1000000000u);
    remember_number(front, "proto-max-bulk-len", options->bulk_bytes_max);
}

void config_close(struct redis_front *front) {
    struct hnode *node = hmap_next(&front->config, NULL);
    while (node != NULL) {
        struct config_value *value = container_of(node, struct config_value, by_place);
        node = hmap_next(&front->config, node);
        blob_unref(value->value);
        cairn_free(value);
    }
    hmap_free(&front->config);
}

static struct bytes current(const struct redis_front *front, size_t place) {
    const struct config_value *value = value_at(front, place);
    return value ? blob_view(value->value) : bytes_cstr(parameters[place].value);
}

static void get(struct call *call) {
    struct buf found = {0};
    size_t count = 0;
    for (size_t i = 0; i < PARAMETER_COUNT; i++) {
        bool wanted = false;
        for (size_t a = 2; a < call->argc && !wanted; a++)
            wanted = glob_match(call->args[a], bytes_cstr(parameters[i].name), true);
        if (!wanted)
            continue;
        resp_put_cstr(&found, parameters[i].name);
        resp_put_bulk(&found, current(call->conn->front, i));
        count++;
    }
    resp_put_map(call->out, call->conn->protocol, count);
    buf_bytes(call->out, buf_view(&found));
    buf_free(&found);
}

/* A size with Redis' units: 100mb, 1g ... */
static bool parse_size(struct bytes text, uint64_t *size) {
    char copy[32], *end;
    static const struct {
        const char *unit;
        uint64_t factor;
    } units[] = {{"", 1},        {"b", 1},        {"k", 1000},        {"kb", 1024},
                 {"m", 1000000}, {"mb", 1 << 20}, {"g", 1000000000u}, {"gb", 1u << 30}};
    if (text.len == 0 || text.len >= sizeof copy || text.data[0] < '0' || text.data[0] > '9')
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *size = strtoull(copy, &end, 10);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (strcasecmp(end, units[i].unit) == 0) {
            *size *= units[i].factor;
            return *size < UINT64_MAX / 2;
        }
    return false;
}

/* Puts a parameter that works to work; false: the value makes no sense. */
static bool put_to_work(struct redis_front *front, const char *name, struct bytes value) {
    uint64_t number = 0;
    if (strcmp(name, "requirepass") == 0) {
        if (value.len >= sizeof front->options.password)
            return false;
        memset(front->options.password, 0, sizeof front->options.password);
        if (value.len)
            memcpy(front->options.password, value.data, value.len);
        return true;
    }
    if (!parse_size(value, &number))
        return false;
    if (strcmp(name, "maxmemory") == 0)
        front->options.memory_max = number;
    else if (strcmp(name, "maxclients") == 0 && number > 0 && number <= 1000000)
        front->options.clients_max = (uint32_t)number;
    else if (strcmp(name, "timeout") == 0 && number <= 365u * 24 * 3600) {
        front->options.idle_timeout_ns = number * 1000000000u;
        env_timer_set(front->env, &front->timer, env_now(front->env));
    } else
        return false;
    return true;
}

static void set_failed(struct call *call, struct bytes name, const char *why) {
    struct buf text = {0};
    buf_printf(&text, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
               name.len < 64 ? (int)name.len : 64, (const char *)name.data, why);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

/* Checked as a whole first, so that a refused pair leaves the others alone. */
static bool set_allowed(struct call *call) {
    for (size_t i = 2; i < call->argc; i += 2) {
        size_t place = place_of(call->args[i]);
        if (place == PARAMETER_COUNT) {
            struct buf text = {0};
            buf_printf(&text, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
                       call->args[i].len < 64 ? (int)call->args[i].len : 64,
                       (const char *)call->args[i].data);
            resp_put_error_bytes(call->out, buf_view(&text));
            buf_free(&text);
            return false;
        }
        const struct parameter *parameter = &parameters[place];
        bool same = bytes_equal_nocase(call->args[i + 1], current(call->conn->front, place));
        if (parameter->kind == REFUSED && !same) {
            set_failed(call, call->args[i], parameter->reason);
            return false;
        }
        for (size_t before = 2; before < i; before += 2)
            if (place_of(call->args[before]) == place) {
                set_failed(call, call->args[i], "duplicate parameter");
                return false;
            }
    }
    return true;
}

static void set(struct call *call) {
    if (call->argc % 2 != 0 || call->argc < 4) {
        resp_put_error(call->out, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    if (!set_allowed(call))
        return;
    for (size_t i = 2; i < call->argc; i += 2) {
        size_t place = place_of(call->args[i]);
        if (parameters[place].kind == WORKS &&
            !put_to_work(call->conn->front, parameters[place].name, call->args[i + 1])) {
            bool memory = strcmp(parameters[place].name, "maxmemory") == 0;
            set_failed(call, call->args[i],
                       memory ? "argument must be a memory value"
                              : "argument couldn't be parsed into what it should be");
            return;
        }
        remember(call->conn->front, place, call->args[i + 1]);
    }
    resp_put_status(call->out, "OK");
}

static void reset_statistics(struct call *call) {
    struct redis_front *front = call->conn->front;
    front->total_commands = front->total_connections = 0;
    front->rejected_connections = front->protocol_errors = 0;
    resp_put_status(call->out, "OK");
}

void cmd_config(struct call *call) {
    static const char *const help[] = {
        "GET <pattern> [...]",
        "    Parameters whose names match.",
        "SET <parameter> <value> [...]",
        "    Of this node, until it ends. What would change a promise",
        "    is refused with the reason.",
        "RESETSTAT",
        "    Statistics that INFO tells begin anew.",
        "HELP",
        "    Print this help."};
    if (arg_is(call, 1, "GET") && call->argc > 2)
        get(call);
    else if (arg_is(call, 1, "SET"))
        set(call);
    else if (arg_is(call, 1, "RESETSTAT") && call->argc == 2)
        reset_statistics(call);
    else if (arg_is(call, 1, "REWRITE"))
        resp_put_error(call->out, "ERR the configuration file is yours to edit: cairn never "
                                  "rewrites it");
    else if (arg_is(call, 1, "HELP"))
        reply_help(call, help, sizeof help / sizeof *help);
    else
        reply_subcommand_error(call);
}
