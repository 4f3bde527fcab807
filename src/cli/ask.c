#include "cli/ask.h"

#include "base/alloc.h"
#include "cli/cli.h"
#include "cli/settings.h"
#include "cli/token.h"
#include "client/http.h"
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_DIR "cairn-data"
#define DEFAULT_PORT 7201u
#define DEFAULT_NODES 9u
#define ADMIN_ABOVE_REDIS 200
#define ANSWER_BYTES_MAX (16u << 20)

/* ---- one request, one answer ---- */

struct asking {
    struct env_stream stream;
    struct env *env;
    struct runtime *runtime;
    struct env_timer timer;
    struct buf request, got, body;
    struct ask_answer *answer;
    bool done, closed;
};

static void end(struct asking *asking, enum cairn_status status) {
    if (asking->done)
        return;
    asking->done = true;
    asking->answer->status = status;
    runtime_stop(asking->runtime);
}

static void on_open(struct env_stream *stream) {
    struct asking *asking = container_of(stream, struct asking, stream);
    struct env_piece piece = {buf_view(&asking->request), NULL};
    env_write(asking->env, stream, &piece, 1);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct asking *asking = container_of(stream, struct asking, stream);
    buf_bytes(&asking->got, bytes);
    size_t used = http_answer(buf_view(&asking->got), &asking->answer->http, &asking->body);
    if (used == SIZE_MAX || asking->got.len > ANSWER_BYTES_MAX)
        end(asking, CAIRN_MALFORMED);
    else if (used > 0)
        end(asking, CAIRN_OK);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct asking *asking = container_of(stream, struct asking, stream);
    asking->closed = true;
    end(asking, why == CAIRN_OK ? CAIRN_CLOSED : why);
}

static void on_timeout(struct env_timer *timer) {
    end(container_of(timer, struct asking, timer), CAIRN_TIMEOUT);
}

void ask_http(const char *address, const char *method, const char *path, const char *token,
              uint64_t timeout_ms, struct ask_answer *answer) {
    static const struct env_stream_events events = {
        .open = on_open, .data = on_data, .close = on_close};
    struct runtime_options options = {0};
    struct asking asking = {.stream.events = &events, .timer.fire = on_timeout, .answer = answer};
    *answer = (struct ask_answer){0};
    asking.runtime = runtime_new(&options);
    asking.env = runtime_env(asking.runtime);
    http_request(&asking.request, method, path, token);
    env_connect(asking.env, address, &asking.stream);
    env_timer_set(asking.env, &asking.timer, env_now(asking.env) + timeout_ms * 1000000u);
    runtime_run(asking.runtime);
    if (answer->status == CAIRN_OK)
        answer->body = json_loadb((const char *)asking.body.data, asking.body.len, 0, NULL);
    if (!asking.closed) {
        env_abort(asking.env, &asking.stream);
        runtime_settle(asking.runtime);
    }
    env_timer_clear(asking.env, &asking.timer);
    runtime_free(asking.runtime);
    buf_free(&asking.request);
    buf_free(&asking.got);
    buf_free(&asking.body);
}

/* ---- nodes of a folder ---- */

static bool put_token_file(struct ask_node *node, const char *dir, const char *setting) {
    char path[sizeof node->token_file];
    token_path(dir, setting, path, sizeof path);
    memcpy(node->token_file, path, sizeof path);
    return true;
}

/* One node of cairn dev, by the file that it is started with. */
static bool node_of_file(const char *path, struct settings *settings, struct ask_node *node) {
    char error[512];
    settings_default(settings);
    if (access(path, R_OK) != 0 || !settings_read(settings, path, error, sizeof error))
        return false;
    *node = (struct ask_node){.sure = true};
    snprintf(node->address, sizeof node->address, "%s", settings->admin_listen);
    return put_token_file(node, settings->dir, settings->admin_token_file);
}

struct folder {
    struct ask_node nodes[DEFAULT_NODES];
    char redis[DEFAULT_NODES][ASK_ADDRESS_MAX];
    size_t count;
};

static void read_folder(const char *dir, struct folder *folder) {
    struct settings *settings = cairn_alloc(sizeof *settings);
    char path[640];
    folder->count = 0;
    for (unsigned i = 1; i <= DEFAULT_NODES; i++) {
        snprintf(path, sizeof path, "%s/node-%u.ini", dir, i);
        struct ask_node *node = &folder->nodes[folder->count];
        if (!node_of_file(path, settings, node))
            continue;
        snprintf(folder->redis[folder->count++], ASK_ADDRESS_MAX, "%s", settings->redis_listen);
    }
    cairn_free(settings);
}

static const struct ask_node *find_in(const struct folder *folder, const char *address) {
    for (size_t i = 0; i < folder->count; i++)
        if (strcmp(folder->nodes[i].address, address) == 0 ||
            strcmp(folder->redis[i], address) == 0)
            return &folder->nodes[i];
    return NULL;
}

/* ---- nodes ---- */

static bool named(const char *subcommand, const char *list, const struct folder *folder,
                  struct ask_node *nodes, size_t *count) {
    for (size_t len; *list != 0; list += len + (list[len] != 0)) {
        struct ask_node node = {0};
        len = strcspn(list, ",");
        if (len == 0)
            continue;
        if (len < sizeof node.address)
            memcpy(node.address, list, len);
        if (!address_is_one(node.address) || *count == ASK_NODES_MAX) {
            misuse(subcommand, "--node wants HOST:PORT[,HOST:PORT...] of admin ports, not '%.*s'",
                   (int)len, list);
            return false;
        }
        const struct ask_node *known = find_in(folder, node.address);
        nodes[(*count)++] = known != NULL ? *known : node;
    }
    if (*count == 0)
        misuse(subcommand, "--node wants HOST:PORT[,HOST:PORT...]");
    return *count > 0;
}

bool ask_nodes(const char *subcommand, const struct ask_flags *flags, struct ask_node *nodes,
               size_t *count) {
    struct folder folder;
    const char *dir = flags->dir != NULL ? flags->dir : DEFAULT_DIR;
    read_folder(dir, &folder);
    *count = 0;
    if (flags->node != NULL)
        return named(subcommand, flags->node, &folder, nodes, count);
    if (flags->dir != NULL && folder.count == 0) {
        misuse(subcommand, "%s has no node-1.ini: it is no folder of cairn dev", dir);
        return false;
    }
    for (; *count < folder.count; ++*count)
        nodes[*count] = folder.nodes[*count];
    for (unsigned i = 0; folder.count == 0 && i < DEFAULT_NODES; i++) {
        struct ask_node *node = &nodes[(*count)++];
        *node = (struct ask_node){.sure = true};
        snprintf(node->address, sizeof node->address, "127.0.0.1:%u", DEFAULT_PORT + i);
    }
    return true;
}

/* ---- status ---- */

static json_t *status_at(const char *address, enum cairn_status *status) {
    struct ask_answer answer;
    ask_http(address, "GET", "/status", NULL, ASK_PATIENCE_MS, &answer);
    *status = answer.status;
    if (answer.body != NULL && answer.http == 200 && json_object_get(answer.body, "node") != NULL)
        return answer.body;
    json_decref(answer.body);
    if (answer.status == CAIRN_OK)
        *status = CAIRN_MALFORMED;
    return NULL;
}

/* The admin port's address by the default numbers, if this is a Redis port. */
static bool address_above(const char *address, char *out, size_t size) {
    const char *colon = strrchr(address, ':');
    long port = strtol(colon + 1, NULL, 10) + ADMIN_ABOVE_REDIS;
    snprintf(out, size, "%.*s:%ld", (int)(colon - address), address, port);
    return port < 65536;
}

json_t *ask_status(struct ask_node *node, char *why, size_t why_size) {
    enum cairn_status status, second;
    char above[ASK_ADDRESS_MAX];
    json_t *found = status_at(node->address, &status);
    if (found == NULL && !node->sure && address_above(node->address, above, sizeof above)) {
        found = status_at(above, &second);
        if (found != NULL)
            memcpy(node->address, above, sizeof above);
    }
    node->sure |= found != NULL;
    if (found != NULL)
        return found;
    if (status == CAIRN_MALFORMED || status == CAIRN_CLOSED)
        snprintf(why, why_size,
                 "%s is no admin port of cairn (admin.listen; with the default ports 7200 + id)",
                 node->address);
    else
        snprintf(why, why_size, "no answer from %s: %s", node->address, cairn_status_text(status));
    return NULL;
}
