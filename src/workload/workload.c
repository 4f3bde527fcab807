/* Clients: connections, time, and what is written down. */
#include "workload/workload_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define ONCE_ATTEMPTS 12u
#define SCRIPT_ATTEMPTS 30u
#define FINISH_PATIENCE_NS 5000000000ull
#define REDIAL_NS 20000000ull

static void client_begin(struct workload_client *client);
static void client_dial(struct workload_client *client);

void workload_report(struct workload *workload, const char *format, ...) {
    if (workload->broken[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(workload->broken, sizeof workload->broken, format, args);
    va_end(args);
}

static uint64_t clock_of(const struct workload *workload) {
    return workload->options.now(workload->options.context);
}

/* ---- the history ---- */

void workload_write_down(struct workload *workload, const struct workload_op *op) {
    if (workload->count == workload->cap) {
        workload->cap = workload->cap ? workload->cap * 2 : 1024;
        workload->ops = cairn_realloc(workload->ops, workload->cap * sizeof *workload->ops);
    }
    workload->ops[workload->count++] = *op;
    workload->stats.ok += op->outcome == WORKLOAD_OK;
    workload->stats.failed += op->outcome == WORKLOAD_FAILED;
    workload->stats.unknown += op->outcome == WORKLOAD_UNKNOWN;
}

size_t workload_count(const struct workload *workload) {
    return workload->count;
}

const struct workload_op *workload_op(const struct workload *workload, size_t n) {
    return &workload->ops[n];
}

const char *workload_broken(const struct workload *workload) {
    return workload->broken[0] ? workload->broken : NULL;
}

void workload_stats(const struct workload *workload, struct workload_stats *stats) {
    *stats = workload->stats;
}

/* ---- connections ---- */

static void conn_free(struct workload_conn *conn) {
    list_remove(&conn->list);
    buf_free(&conn->in);
    buf_free(&conn->out);
    cairn_free(conn);
}

void workload_conn_close(struct workload_conn *conn) {
    if (!conn->closed)
        env_abort(conn->workload->env, &conn->stream);
    conn->closed = true;
}

static void abandon(struct workload_client *client) {
    struct workload_conn *conn = client->conn;
    client->conn = NULL;
    if (conn == NULL)
        return;
    conn->client = NULL;
    workload_conn_close(conn);
}

static void think(struct workload_client *client, uint64_t ns) {
    struct workload *workload = client->workload;
    client->state = CLIENT_THINKS;
    uint64_t at = env_now(workload->env) + ns / 2 + prng_below(&client->prng, ns + 1);
    if (client->renew_key != 0 && client->renew_at < at)
        at = client->renew_at;
    if (client->renewed)
        at = env_now(workload->env);
    env_timer_set(workload->env, &client->timer, at);
}

static void finish(struct workload_client *client, enum workload_outcome outcome) {
    struct workload *workload = client->workload;
    client->op.outcome = outcome;
    client->op.complete = outcome == WORKLOAD_OK ? clock_of(workload) : UINT64_MAX;
    if (client->op.action != 0)
        workload_write_down(workload, &client->op);
    if (client->op.action == WORKLOAD_ONCE_APPEND) {
        client->sequence_free = outcome == WORKLOAD_FAILED;
        if (outcome == WORKLOAD_UNKNOWN)
            client->session = 0; /* a gap in the sequence may be more than its window */
    }
    if (client->forced_node && outcome != WORKLOAD_OK) {
        workload->script_at--; /* this node once more */
        if (++workload->script_failures == SCRIPT_ATTEMPTS)
            workload_report(workload, "%s does not execute a write although all is healed",
                            workload->nodes[client->node]);
    }
    client->op.tokens = NULL;
    op_renewal_plan(client);
    think(client, workload->finishing ? REDIAL_NS : workload->options.think_ns);
}

static void choose_node(struct workload_client *client) {
    if (!client->forced_node && client->workload->node_count > 0)
        client->node = (uint32_t)prng_below(&client->prng, client->workload->node_count);
}

/* Whether the same operation may be sent once more although it may have been executed. */
static bool is_retried(const struct workload_client *client) {
    enum workload_action action = client->op.action;
    if (client->workload->finishing)
        return action == WORKLOAD_GET || action == WORKLOAD_LIST || action == WORKLOAD_ONCE_LIST ||
               action == WORKLOAD_BALANCES || action == WORKLOAD_TRANSFERS ||
               action == WORKLOAD_LINE_LIST;
    return action == WORKLOAD_ONCE_APPEND && client->attempts < ONCE_ATTEMPTS;
}

static void try_again(struct workload_client *client) {
    client->workload->stats.retries++;
    client->attempts++;
    client->stage = 0;
    abandon(client);
    choose_node(client);
    client_dial(client);
}

static bool changes(enum workload_action action) {
    return action == WORKLOAD_SET || action == WORKLOAD_SETNX || action == WORKLOAD_GETSET ||
           action == WORKLOAD_DEL || action == WORKLOAD_INCRBY || action == WORKLOAD_APPEND ||
           action == WORKLOAD_ONCE_APPEND || action == WORKLOAD_TRANSFER ||
           action == WORKLOAD_EXPIRE_SET;
}

/* The connection is lost, or it took too long. */
static void lose(struct workload_client *client) {
    bool unknown =
        client->sent && changes(client->op.action) &&
        !(client->op.action == WORKLOAD_TRANSFER && client->op.watched && client->stage == 0);
    if (client->opening_session)
        unknown = false;
    if (is_retried(client)) {
        try_again(client);
        return;
    }
    abandon(client);
    choose_node(client);
    finish(client, unknown ? WORKLOAD_UNKNOWN : WORKLOAD_FAILED);
}

static void send_request(struct workload_client *client) {
    struct env_piece piece = {buf_view(&client->request), NULL};
    client->state = CLIENT_WAITS;
    client->sent = true;
    env_write(client->workload->env, &client->conn->stream, &piece, 1);
}

static void on_open(struct env_stream *stream) {
    struct workload_conn *conn = container_of(stream, struct workload_conn, stream);
    conn->open = true;
    conn->workload->stats.connections++;
    if (conn->client != NULL)
        send_request(conn->client);
    else if (conn->command) {
        struct env_piece piece = {buf_view(&conn->out), NULL};
        env_write(conn->workload->env, stream, &piece, 1);
    }
}

/* How long the first `count` replies are; 0: not whole yet. */
static size_t replies_length(struct bytes in, uint32_t count) {
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        size_t len = resp_value_length(bytes_of(in.data + at, in.len - at));
        if (len == 0 || len == SIZE_MAX)
            return len;
        at += len;
    }
    return at;
}

static void take_replies(struct workload_client *client, struct workload_conn *conn) {
    size_t len = replies_length(buf_view(&conn->in), client->replies);
    if (len == 0)
        return;
    if (len == SIZE_MAX || len < conn->in.len) {
        workload_report(client->workload, "client %u got bytes that answer nothing it asked",
                        client->number);
        lose(client);
        return;
    }
    bool again = false;
    bool over = op_answer(client, buf_view(&conn->in), &again);
    buf_clear(&conn->in);
    if (again)
        try_again(client);
    else if (over)
        finish(client, client->op.outcome);
    else
        send_request(client);
}

static void log_answer(struct workload_conn *conn) {
    const struct workload_options *options = &conn->workload->options;
    char text[160];
    size_t len = resp_value_length(buf_view(&conn->in));
    if (len == 0)
        return;
    snprintf(text, sizeof text, "answer to a command: %.*s", (int)(conn->in.len - 2),
             (const char *)conn->in.data);
    if (options->log != NULL)
        options->log(options->context, text);
    workload_conn_close(conn);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct workload_conn *conn = container_of(stream, struct workload_conn, stream);
    if (conn->closed)
        return;
    buf_bytes(&conn->in, bytes);
    if (conn->command)
        log_answer(conn);
    else if (conn->line != NULL)
        workload_line_data(conn->line);
    else if (conn->client != NULL && conn->client->state == CLIENT_WAITS)
        take_replies(conn->client, conn);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct workload_conn *conn = container_of(stream, struct workload_conn, stream);
    struct workload_client *client = conn->client;
    conn->closed = true;
    if (client != NULL) {
        client->conn = NULL;
        conn->client = NULL;
        if (client->state == CLIENT_DIALS || client->state == CLIENT_WAITS)
            lose(client);
    }
    if (conn->line != NULL)
        workload_line_closed(conn->line);
    conn_free(conn);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

struct workload_conn *workload_conn_new(struct workload *workload, uint32_t node) {
    struct workload_conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->workload = workload;
    conn->stream.events = &events;
    list_push(&workload->conns, &conn->list);
    env_connect(workload->env, workload->nodes[node], &conn->stream);
    return conn;
}

/* When all is healed, no client is in a hurry: what is judged is whether it is answered. */
static uint64_t patience_of(const struct workload *workload) {
    uint64_t patience_ns = workload->options.timeout_ns;
    return workload->finishing && patience_ns < FINISH_PATIENCE_NS ? FINISH_PATIENCE_NS
                                                                   : patience_ns;
}

static void client_dial(struct workload_client *client) {
    struct workload *workload = client->workload;
    env_timer_set(workload->env, &client->timer, env_now(workload->env) + patience_of(workload));
    op_request(client);
    if (client->conn != NULL) {
        send_request(client);
        return;
    }
    client->state = CLIENT_DIALS;
    client->conn = workload_conn_new(workload, client->node);
    client->conn->client = client;
}

/* ---- a client's life ---- */

static void client_begin(struct workload_client *client) {
    struct workload *workload = client->workload;
    bool script = workload->finishing && client == workload->clients && workload->broken[0] == 0;
    client->forced_node = false;
    if ((workload->stopped && !script) || workload->node_count == 0) {
        client->state = CLIENT_STOPPED;
        return;
    }
    memset(&client->op, 0, sizeof client->op);
    client->stage = 0;
    client->attempts = 0;
    client->sent = false;
    if (client->node >= workload->node_count || prng_chance(&client->prng, 1, 50)) {
        abandon(client);
        choose_node(client);
    }
    if (!op_choose(client)) {
        client->state = CLIENT_STOPPED;
        return;
    }
    client->op.client = client->number;
    client->op.invoke = clock_of(workload);
    client_dial(client);
}

static void on_timer(struct env_timer *timer) {
    struct workload_client *client = container_of(timer, struct workload_client, timer);
    if (client->state == CLIENT_THINKS)
        client_begin(client);
    else if (client->state != CLIENT_STOPPED)
        lose(client);
}

struct workload *workload_open(struct env *env, const struct workload_options *options) {
    struct workload *workload = cairn_alloc_zero(sizeof *workload);
    workload->env = env;
    workload->options = *options;
    list_init(&workload->conns);
    workload->clients = cairn_alloc_zero(options->clients * sizeof *workload->clients);
    for (uint32_t i = 0; i < options->clients; i++) {
        struct workload_client *client = &workload->clients[i];
        client->workload = workload;
        client->number = options->first_client + i;
        client->timer.fire = on_timer;
        client->state = CLIENT_STOPPED;
        prng_seed(&client->prng, prng_mix(options->seed, client->number));
    }
    workload_lines_open(workload);
    return workload;
}

void workload_free(struct workload *workload) {
    while (!list_empty(&workload->conns))
        conn_free(container_of(list_first(&workload->conns), struct workload_conn, list));
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        buf_free(&workload->clients[i].request);
        cairn_free(workload->clients[i].op.tokens);
    }
    for (size_t i = 0; i < workload->count; i++)
        cairn_free(workload->ops[i].tokens);
    workload_lines_free(workload);
    cairn_free(workload->ops);
    cairn_free(workload->clients);
    cairn_free(workload);
}

void workload_nodes(struct workload *workload, const char *const *addresses, uint32_t count) {
    workload->node_count = count < WORKLOAD_NODES_MAX ? count : WORKLOAD_NODES_MAX;
    for (uint32_t i = 0; i < workload->node_count; i++)
        snprintf(workload->nodes[i], sizeof workload->nodes[i], "%s", addresses[i]);
}

void workload_start(struct workload *workload) {
    workload->started = true;
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        choose_node(&workload->clients[i]);
        think(&workload->clients[i], workload->options.think_ns);
    }
    workload_lines_start(workload);
}

void workload_stop(struct workload *workload) {
    workload->stopped = true;
}

bool workload_idle(const struct workload *workload) {
    for (uint32_t i = 0; i < workload->options.clients; i++)
        if (workload->clients[i].state != CLIENT_STOPPED)
            return false;
    return !workload->started || workload_lines_idle(workload);
}

void workload_finish(struct workload *workload) {
    cairn_assert(workload->stopped && workload_idle(workload));
    workload->finishing = true;
    workload->script_at = 0;
    client_begin(&workload->clients[0]);
}

bool workload_finished(const struct workload *workload) {
    return workload->finishing && workload_idle(workload);
}

void workload_command(struct workload *workload, uint32_t node, const char *const *words,
                      size_t count) {
    if (node >= workload->node_count)
        return;
    struct workload_conn *conn = workload_conn_new(workload, node);
    conn->command = true;
    resp_put_array(&conn->out, count);
    for (size_t i = 0; i < count; i++)
        resp_put_cstr(&conn->out, words[i]);
}

bool workload_commanding(const struct workload *workload) {
    LIST_EACH(at, &workload->conns) {
        const struct workload_conn *conn = container_of(at, struct workload_conn, list);
        if (conn->command && !conn->closed)
            return true;
    }
    return false;
}
