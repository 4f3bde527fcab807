/* CONFIG: parameters that work, parameters that are merely remembered because clients set them, and
 * parameters that would change a promise, which are refused with the reason. All of it is of this
 * node and this run; what must stay belongs into the configuration file. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/glob.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum parameter_kind { REMEMBERED, WORKS, REFUSED };

/* How a value is written; whatever is set is told back in one form, as Redis tells it. */
enum value_kind {
    TEXT,
    NUMBER,
    SIZE, /* a size with a unit, told in bytes */
    YES_NO,
    ONE_OF,  /* of the words in `allowed` */
    BUFFERS, /* of client-output-buffer-limit */
};

struct parameter {
    const char *name;
    const char *value; /* at start */
    enum value_kind form;
    enum parameter_kind kind;
    const char *reason;  /* REFUSED: unless the value stays what it is */
    const char *allowed; /* ONE_OF: between blanks */
};

static const struct parameter parameters[] = {
    {"requirepass", "", TEXT, WORKS, NULL, NULL},
    {"maxmemory", "0", SIZE, WORKS, NULL, NULL},
    {"maxclients", "10000", NUMBER, WORKS, NULL, NULL},
    {"timeout", "0", NUMBER, WORKS, NULL, NULL},
    {"proto-max-bulk-len", "67108864", SIZE, REFUSED,
     "the value limit is the same on every node: set it in the configuration file", NULL},
    {"appendonly", "yes", YES_NO, REFUSED,
     "every write is in the log of a majority before it is answered", NULL},
    {"appendfsync", "always", TEXT, REFUSED,
     "every write is on stable storage before it is answered", NULL},
    {"maxmemory-policy", "noeviction", TEXT, REFUSED, "cairn never evicts what it promised to keep",
     NULL},
    {"databases", "1", NUMBER, REFUSED, "there is one database, number 0", NULL},
    {"cluster-enabled", "no", YES_NO, REFUSED,
     "this port never redirects; any node takes any command", NULL},
    {"port", "0", NUMBER, REFUSED, "it is set in the configuration file", NULL},
    {"bind", "", TEXT, REFUSED, "it is set in the configuration file", NULL},
    {"dir", "", TEXT, REFUSED, "it is set in the configuration file", NULL},
    {"save", "", TEXT, REMEMBERED, NULL, NULL},
    {"dbfilename", "dump.rdb", TEXT, REMEMBERED, NULL, NULL},
    {"loglevel", "notice", ONE_OF, REMEMBERED, NULL, " debug verbose notice warning "},
    {"logfile", "", TEXT, REMEMBERED, NULL, NULL},
    {"hz", "10", NUMBER, REMEMBERED, NULL, NULL},
    {"dynamic-hz", "yes", YES_NO, REMEMBERED, NULL, NULL},
    {"tcp-keepalive", "300", NUMBER, REMEMBERED, NULL, NULL},
    {"tcp-backlog", "511", NUMBER, REMEMBERED, NULL, NULL},
    {"maxmemory-samples", "5", NUMBER, REMEMBERED, NULL, NULL},
    {"lazyfree-lazy-eviction", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"lazyfree-lazy-expire", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"lazyfree-lazy-server-del", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"lazyfree-lazy-user-del", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"lazyfree-lazy-user-flush", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"activedefrag", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"active-expire-effort", "1", NUMBER, REMEMBERED, NULL, NULL},
    {"notify-keyspace-events", "", TEXT, REFUSED, "key events are not supported by this version",
     NULL},
    {"slowlog-log-slower-than", "10000", NUMBER, REMEMBERED, NULL, NULL},
    {"slowlog-max-len", "128", NUMBER, REMEMBERED, NULL, NULL},
    {"latency-monitor-threshold", "0", NUMBER, REMEMBERED, NULL, NULL},
    {"client-output-buffer-limit",
     "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60", BUFFERS, REMEMBERED,
     NULL, NULL},
    {"client-query-buffer-limit", "1073741824", SIZE, REMEMBERED, NULL, NULL},
    {"lua-time-limit", "5000", NUMBER, REMEMBERED, NULL, NULL},
    {"busy-reply-threshold", "5000", NUMBER, REMEMBERED, NULL, NULL},
    {"min-replicas-to-write", "0", NUMBER, REMEMBERED, NULL, NULL},
    {"min-slaves-to-write", "0", NUMBER, REMEMBERED, NULL, NULL},
    {"repl-diskless-load", "disabled", ONE_OF, REMEMBERED, NULL, " disabled on-empty-db swapdb "},
    {"auto-aof-rewrite-percentage", "100", NUMBER, REMEMBERED, NULL, NULL},
    {"auto-aof-rewrite-min-size", "67108864", SIZE, REMEMBERED, NULL, NULL},
    {"no-appendfsync-on-rewrite", "no", YES_NO, REMEMBERED, NULL, NULL},
    {"rdbcompression", "yes", YES_NO, REMEMBERED, NULL, NULL},
    {"rdbchecksum", "yes", YES_NO, REMEMBERED, NULL, NULL},
    {"stop-writes-on-bgsave-error", "yes", YES_NO, REMEMBERED, NULL, NULL},
    {"hash-max-listpack-entries", "512", NUMBER, REMEMBERED, NULL, NULL},
    {"hash-max-listpack-value", "64", NUMBER, REMEMBERED, NULL, NULL},
    {"hash-max-ziplist-entries", "512", NUMBER, REMEMBERED, NULL, NULL},
    {"hash-max-ziplist-value", "64", NUMBER, REMEMBERED, NULL, NULL},
    {"list-max-listpack-size", "-2", NUMBER, REMEMBERED, NULL, NULL},
    {"list-max-ziplist-size", "-2", NUMBER, REMEMBERED, NULL, NULL},
    {"list-compress-depth", "0", NUMBER, REMEMBERED, NULL, NULL},
    {"set-max-intset-entries", "512", NUMBER, REMEMBERED, NULL, NULL},
    {"zset-max-listpack-entries", "128", NUMBER, REMEMBERED, NULL, NULL},
    {"zset-max-listpack-value", "64", NUMBER, REMEMBERED, NULL, NULL},
    {"zset-max-ziplist-entries", "128", NUMBER, REMEMBERED, NULL, NULL},
    {"zset-max-ziplist-value", "64", NUMBER, REMEMBERED, NULL, NULL},
    {"stream-node-max-bytes", "4096", SIZE, REMEMBERED, NULL, NULL},
    {"stream-node-max-entries", "100", NUMBER, REMEMBERED, NULL, NULL},
    {"hll-sparse-max-bytes", "3000", SIZE, REMEMBERED, NULL, NULL},
    {"enable-debug-command", "no", ONE_OF, REMEMBERED, NULL, " no yes local "},
    {"io-threads", "1", NUMBER, REMEMBERED, NULL, NULL},
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

/* ---- setting: all is checked before anything is carried out ---- */

static bool parse_number(struct bytes text, int64_t *number) {
    char copy[24], *end;
    if (text.len == 0 || text.len >= sizeof copy)
        return false;
    memcpy(copy, text.data, text.len);
    copy[text.len] = 0;
    *number = strtoll(copy, &end, 10);
    return *end == 0 && (copy[0] == '-' || (copy[0] >= '0' && copy[0] <= '9'));
}

static struct bytes next_word(struct bytes *text) {
    size_t from = 0, end;
    while (from < text->len && text->data[from] == ' ')
        from++;
    for (end = from; end < text->len && text->data[end] != ' ';)
        end++;
    struct bytes word = bytes_of(text->data + from, end - from);
    *text = bytes_of(text->data + end, text->len - end);
    return word;
}

/* "normal 0 0 0 slave 268435456 67108864 60 pubsub ...": each class's limits, or of some of them,
 * which leaves the others as they are. */
static bool put_buffers(struct bytes now, struct bytes text, struct buf *out) {
    static const char *const classes[] = {"normal", "slave", "pubsub"};
    struct bytes word;
    uint64_t limits[3][3] = {{0}};
    struct bytes both[] = {now, text};
    for (int which = 0; which < 2; which++) {
        while ((word = next_word(&both[which])).len > 0) {
            unsigned class = 0;
            if (bytes_equal_nocase(word, BYTES("replica")))
                word = BYTES("slave");
            while (class < 3 && !bytes_equal_nocase(word, bytes_cstr(classes[class])))
                class ++;
            if (class == 3)
                return false;
            for (int i = 0; i < 3; i++)
                if (!parse_size(next_word(&both[which]), &limits[class][i]))
                    return false;
        }
    }
    for (unsigned class = 0; class < 3; class ++)
        buf_printf(out, "%s%s %llu %llu %llu", class ? " " : "", classes[class],
                   (unsigned long long)limits[class][0], (unsigned long long)limits[class][1],
                   (unsigned long long)limits[class][2]);
    return true;
}

/* Appends the value in the one form in which it is told; else why it makes no sense. */
static const char *normalise(const struct redis_front *front, size_t place, struct bytes value,
                             struct buf *out) {
    const struct parameter *parameter = &parameters[place];
    int64_t number;
    uint64_t size;
    switch (parameter->form) {
    case TEXT:
        buf_bytes(out, value);
        return NULL;
    case NUMBER:
        if (!parse_number(value, &number))
            return "argument couldn't be parsed into an integer";
        buf_printf(out, "%lld", (long long)number);
        return NULL;
    case SIZE:
        if (!parse_size(value, &size))
            return "argument must be a memory value";
        buf_printf(out, "%llu", (unsigned long long)size);
        return NULL;
    case YES_NO:
        if (!bytes_equal_nocase(value, BYTES("yes")) && !bytes_equal_nocase(value, BYTES("no")))
            return "argument must be 'yes' or 'no'";
        buf_printf(out, "%s", value.len == 3 ? "yes" : "no");
        return NULL;
    case ONE_OF:
        buf_printf(out, " %.*s ", value.len < 40 ? (int)value.len : 40, (const char *)value.data);
        buf_u8(out, 0);
        if (value.len == 0 || out->len != value.len + 3 || memchr(value.data, ' ', value.len) ||
            strcasestr(parameter->allowed, (const char *)out->data) == NULL)
            return "argument(s) must be one of the words that Redis allows here";
        buf_clear(out);
        for (size_t i = 0; i < value.len; i++)
            buf_u8(out, (uint8_t)tolower(value.data[i]));
        return NULL;
    case BUFFERS:
        return put_buffers(current(front, place), value, out)
                   ? NULL
                   : "argument must be classes of clients with three limits each";
    }
    return NULL;
}

/* Whether a parameter that works can be what it is to be; NULL: it can. */
static const char *work_refusal(const char *name, struct bytes value) {
    uint64_t number = 0;
    if (strcmp(name, "requirepass") == 0)
        return value.len < sizeof((struct redis_options *)NULL)->password
                   ? NULL
                   : "the password is longer than 127 bytes";
    if (!parse_size(value, &number))
        return "argument must not be negative";
    if (strcmp(name, "maxclients") == 0 && (number == 0 || number > 1000000))
        return "argument must be between 1 and 1000000 inclusive";
    if (strcmp(name, "timeout") == 0 && number > 365u * 24 * 3600)
        return "argument must be between 0 and 31536000 inclusive";
    return NULL;
}

static void put_to_work(struct redis_front *front, const char *name, struct bytes value) {
    uint64_t number = 0;
    if (strcmp(name, "requirepass") == 0) {
        memset(front->options.password, 0, sizeof front->options.password);
        if (value.len)
            memcpy(front->options.password, value.data, value.len);
        return;
    }
    parse_size(value, &number);
    if (strcmp(name, "maxmemory") == 0)
        front->options.memory_max = number;
    else if (strcmp(name, "maxclients") == 0)
        front->options.clients_max = (uint32_t)number;
    else if (strcmp(name, "timeout") == 0)
        front->options.idle_timeout_ns = number * 1000000000u;
}

static void set_failed(struct call *call, struct bytes name, const char *why) {
    struct buf text = {0};
    buf_printf(&text, "ERR CONFIG SET failed (possibly related to argument '%.*s') - %s",
               name.len < 64 ? (int)name.len : 64, (const char *)name.data, why);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

static void unknown_option(struct call *call, struct bytes name) {
    struct buf text = {0};
    buf_printf(&text, "ERR Unknown option or number of arguments for CONFIG SET - '%.*s'",
               name.len < 64 ? (int)name.len : 64, (const char *)name.data);
    resp_put_error_bytes(call->out, buf_view(&text));
    buf_free(&text);
}

/* The parameters that are to be set, each at most once. */
struct setting {
    size_t place;
    struct buf value;
};

static const char *check_one(struct call *call, struct setting *settings, size_t count,
                             struct bytes value) {
    const struct redis_front *front = call->conn->front;
    struct setting *setting = &settings[count];
    const struct parameter *parameter = &parameters[setting->place];
    for (size_t i = 0; i < count; i++)
        if (settings[i].place == setting->place)
            return "duplicate parameter";
    const char *why = normalise(front, setting->place, value, &setting->value);
    struct bytes told = buf_view(&setting->value);
    if (why == NULL && parameter->kind == WORKS)
        why = work_refusal(parameter->name, told);
    if (why == NULL && parameter->kind == REFUSED &&
        !bytes_equal_nocase(told, current(front, setting->place)))
        why = parameter->reason;
    return why;
}

/* Fills settings; how many, 0: an error was told. */
static size_t check_all(struct call *call, struct setting settings[PARAMETER_COUNT + 1]) {
    size_t count = 0;
    bool refused = false;
    for (size_t i = 2; i < call->argc && !refused; i += 2) {
        settings[count] = (struct setting){.place = place_of(call->args[i])};
        bool known = settings[count].place < PARAMETER_COUNT;
        const char *why = known ? check_one(call, settings, count, call->args[i + 1]) : NULL;
        if (!known)
            unknown_option(call, call->args[i]);
        else if (why != NULL)
            set_failed(call, call->args[i], why);
        refused = !known || why != NULL;
        count++;
    }
    if (!refused)
        return count;
    while (count > 0)
        buf_free(&settings[--count].value);
    return 0;
}

static void set(struct call *call) {
    struct redis_front *front = call->conn->front;
    struct setting settings[PARAMETER_COUNT + 1];
    if (call->argc % 2 != 0 || call->argc < 4) {
        resp_put_error(call->out, "ERR wrong number of arguments for 'config|set' command");
        return;
    }
    size_t count = check_all(call, settings);
    for (size_t i = 0; i < count; i++) {
        const struct parameter *parameter = &parameters[settings[i].place];
        if (parameter->kind == WORKS)
            put_to_work(front, parameter->name, buf_view(&settings[i].value));
        remember(front, settings[i].place, buf_view(&settings[i].value));
        buf_free(&settings[i].value);
    }
    if (count > 0)
        resp_put_status(call->out, "OK");
}

static void reset_statistics(struct call *call) {
    struct redis_front *front = call->conn->front;
    front->total_commands = front->total_connections = front->commands_before = 0;
    front->bytes_in = front->bytes_out = front->evicted_connections = 0;
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
