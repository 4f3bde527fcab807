/* Client connections: accepted, read, cut into commands, written to, closed. What a client can make
 * the server hold is bounded by redis_limit.c. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define ARGS_A_COMMAND 16u /* so many count as a further command */
#define LARGE_ARGS 1000u
#define LARGE_BYTES (1u << 20) /* of a command that is copied */

static const struct env_stream_events conn_events;

struct blob *blob_set(struct blob **at, struct bytes value) {
    blob_unref(*at);
    *at = value.len ? blob_from(value) : NULL;
    return *at;
}

void conn_dirty(struct conn *conn) {
    if (list_empty(&conn->dirty))
        list_push(&conn->front->dirty, &conn->dirty);
}

void conn_close_after_reply(struct conn *conn) {
    conn->closing = true;
    conn_dirty(conn);
}

static void give_back(const struct redis_front *front, struct buf *buf) {
    size_t share = conn_output_max(front) / 4, kept = front->limits.buffer_kept;
    if (buf->len == 0 && buf->cap > (share < kept ? share : kept))
        buf_free(buf);
}

void conn_write(struct conn *conn) {
    if (conn->out.len == 0 || conn->closed)
        return;
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(conn->front->env, &conn->stream, &piece, 1);
    conn->front->bytes_out += conn->out.len;
    buf_clear(&conn->out);
    give_back(conn->front, &conn->out);
    conn_account(conn);
}

static void close_now(struct conn *conn) {
    conn->closing = true;
    if (!conn->closed)
        env_close(conn->front->env, &conn->stream);
    conn->closed = true;
}

/* ---- reading ---- */

struct bytes conn_input(const struct conn *conn) {
    return bytes_of(conn->in.data + conn->in_at, conn->in.len - conn->in_at);
}

static struct bytes *args_room(struct redis_front *front, size_t count) {
    if (count > front->args_cap) {
        front->args_cap = count < 64 ? 64 : count;
        front->args = cairn_realloc(front->args, front->args_cap * sizeof *front->args);
    }
    return front->args;
}

static void protocol_error(struct conn *conn, const char *text) {
    struct buf *out = reply_begin(conn);
    resp_put_error(out, text);
    reply_end(conn, out);
    conn->front->protocol_errors++;
    conn_close_after_reply(conn);
}

/* It takes milliseconds. The machine's commands are not copied when they are long. */
static bool is_large(const struct bytes *args, size_t argc, size_t bytes) {
    if (argc >= LARGE_ARGS || bytes < LARGE_BYTES)
        return argc >= LARGE_ARGS;
    const struct command *command = command_find(args[0]);
    return command == NULL || command->opcode == 0;
}

/* Executes whole commands from the front of bytes; how many bytes they had. */
static size_t run_commands(struct conn *conn, struct bytes bytes, bool buffered) {
    struct redis_front *front = conn->front;
    size_t taken = 0;
    conn->starved = false;
    for (unsigned n = 0; conn_may_run(conn); n++) {
        struct bytes rest = bytes_of(bytes.data + taken, bytes.len - taken);
        size_t used = 0;
        const char *error = NULL;
        if (n >= front->limits.slice_commands) { /* others' turn */
            conn_dirty(conn);
            env_wake(front->env);
            break;
        }
        conn->request.stranger = !conn->authenticated;
        enum resp_result result =
            resp_request_read(&conn->request, rest, front->options.bulk_bytes_max, &used, &error);
        conn->starved = result == RESP_MORE;
        if (conn->starved)
            break;
        if (result == RESP_ERROR) {
            protocol_error(conn, error);
            break;
        }
        size_t argc = conn->request.count;
        struct bytes *args = args_room(front, argc);
        resp_request_args(&conn->request, rest, args);
        bool large = is_large(args, argc, used);
        if (large && front->had_large) { /* one such a turn */
            resp_request_reset(&conn->request);
            conn_dirty(conn);
            env_wake(front->env);
            break;
        }
        front->had_large |= large;
        n += (unsigned)(argc / ARGS_A_COMMAND);
        conn->behind = bytes_of(rest.data + used, rest.len - used);
        conn->may_take = buffered && !conn->request.inlined && used >= front->limits.take_min &&
                         conn->behind.len < used / 4;
        bool paused = argc > 0 && pause_holds(conn, args[0]);
        if (argc > 0 && !paused)
            exec_command(conn, args, argc);
        resp_request_reset(&conn->request);
        if (paused || conn->taken)
            break;
        taken += used;
    }
    return taken;
}

/* Whether the client may go on sending. */
static void set_reading(struct conn *conn) {
    bool pause = !conn_may_read(conn);
    if (pause == conn->read_paused || conn->closed)
        return;
    conn->read_paused = pause;
    env_pause(conn->front->env, &conn->stream, pause);
}

void conn_forget_input(struct conn *conn) {
    input_account(conn, conn->in.len, 0);
    buf_free(&conn->in);
    conn->in_at = 0;
    resp_request_reset(&conn->request);
}

static void keep_rest(struct conn *conn, struct bytes bytes, size_t taken, bool buffered) {
    struct redis_front *front = conn->front;
    size_t before = conn->in.len;
    if (buffered)
        buf_advance(&conn->in, &conn->in_at, taken);
    else
        buf_append(&conn->in, bytes.data + taken, bytes.len - taken);
    if (taken > 0 || before == 0)
        conn->in_since_ns = conn->heard_ns;
    input_account(conn, before, conn->in.len);
    give_back(front, &conn->in);
    input_keep_budget(conn);
}

static void read_on(struct conn *conn, struct bytes fresh) {
    bool buffered = conn->in.len > 0;
    if (conn->closing || conn->in_loop)
        return;
    if (buffered) {
        buf_bytes(&conn->in, fresh);
        input_account(conn, 0, fresh.len);
        fresh = conn_input(conn);
    }
    if (fresh.len == 0)
        return;
    conn->in_loop = true;
    size_t taken = run_commands(conn, fresh, buffered);
    conn->in_loop = false;
    if (!conn->taken)
        keep_rest(conn, fresh, taken, buffered);
    set_reading(conn);
    if (conn->out.len > 0 || conn->taken)
        conn_dirty(conn);
    conn->taken = false;
}

/* What has arrived behind the command begins a new buffer. */
static struct buf take_input(struct conn *conn) {
    struct buf taken = conn->in;
    struct bytes behind = conn->behind;
    conn->in = (struct buf){0};
    conn->in_at = 0;
    buf_bytes(&conn->in, behind);
    conn->in_since_ns = conn->heard_ns;
    input_account(conn, taken.len, conn->in.len);
    conn->taken = true;
    conn->may_take = false;
    return taken;
}

struct command_part conn_command(struct conn *conn, enum kv_opcode opcode, const struct bytes *args,
                                 size_t argc) {
    struct command_part part = {0};
    if (conn->may_take && argc > 0) {
        part.buf = take_input(conn);
        part.bytes = kv_encode_in_place(opcode, args, argc);
    } else {
        kv_encode(&part.buf, opcode, args, argc);
        part.bytes = buf_view(&part.buf);
    }
    return part;
}

void conn_resume(struct conn *conn) {
    conn->held = false;
    conn_dirty(conn);
    env_wake(conn->front->env);
}

/* ---- the stream's events ---- */

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct conn *conn = container_of(stream, struct conn, stream);
    conn->heard_ns = env_now(conn->front->env);
    conn->front->bytes_in += bytes.len;
    read_on(conn, bytes);
}

static void on_drain(struct env_stream *stream) {
    struct conn *conn = container_of(stream, struct conn, stream);
    conn_account(conn);
    conn_dirty(conn);
}

/* What it asked for is still answered; what waits for something else than its turn is not. */
static void on_end(struct env_stream *stream) {
    struct conn *conn = container_of(stream, struct conn, stream);
    conn->ended = true;
    waits_leave(conn);
    conn_dirty(conn);
    env_wake(conn->front->env);
}

static void conn_free(struct conn *conn) {
    struct redis_front *front = conn->front;
    input_account(conn, conn->in.len, 0);
    conn->closing = conn->closed = conn->aborted = true;
    conn_account(conn);
    front->conn_count--;
    front->guest_count -= conn->guest;
    hmap_remove(&front->by_id, &conn->by_id);
    list_remove(&conn->list);
    list_remove(&conn->dirty);
    list_remove(&conn->waits);
    if (conn->admin_open)
        node_client_close(&conn->admin);
    node_client_close(&conn->client); /* nothing calls back into a slot from here on */
    slots_drop(conn);
    multi_discard(conn);
    watch_forget(conn);
    pubsub_leave_all(conn);
    input_account(conn, conn->named_bytes, 0);
    resp_request_free(&conn->request);
    buf_free(&conn->in);
    buf_free(&conn->out);
    blob_unref(conn->name);
    blob_unref(conn->library);
    blob_unref(conn->library_version);
    cairn_free(conn);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    conn_free(container_of(stream, struct conn, stream));
}

static const struct env_stream_events conn_events = {
    .data = on_data, .drain = on_drain, .close = on_close, .end = on_end};

struct conn *conn_new(struct redis_front *front, const char *peer_address) {
    struct conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->stream.events = &conn_events;
    conn->front = front;
    conn->id = ++front->next_id;
    conn->protocol = 2;
    conn->starved = true;
    conn->reply_bytes = front->reply_bytes;
    conn->authenticated = front->options.password[0] == 0;
    conn->since_ns = conn->heard_ns = conn->moved_ns = env_now(front->env);
    strncpy(conn->address, peer_address, sizeof conn->address - 1);
    list_init(&conn->dirty);
    list_init(&conn->waits);
    list_init(&conn->slots);
    list_init(&conn->subscriptions);
    list_init(&conn->watched);
    list_push(&front->conns, &conn->list);
    hmap_insert(&front->by_id, &conn->by_id, hash_u64(conn->id));
    node_client_open(front->node, front->options.keyspace, &conn->client);
    front->conn_count++;
    front->total_connections++;
    return conn;
}

static struct env_stream *on_accept(struct env_listener *listener, const char *peer_address) {
    struct redis_front *front = container_of(listener, struct redis_front, listener);
    if (front->stopping)
        return NULL;
    if (listener->crowded || front->conn_count - front->guest_count >= front->options.clients_max)
        return guest_accept(front, peer_address);
    return &conn_new(front, peer_address)->stream;
}

/* ---- the turn's end: replies leave, one write a client ---- */

/* A client that has said all it will say gets what is left of its answers. */
static void end_when_answered(struct conn *conn) {
    bool done = conn->starved || conn_input(conn).len == 0;
    if (conn->ended && !conn->closing && done && list_empty(&conn->slots))
        conn_close_after_reply(conn);
}

static void conn_turn(struct conn *conn) {
    if (conn->closed)
        return;
    long_go_on(conn);
    conn_write(conn);
    if (conn->closing) {
        if (list_empty(&conn->slots))
            close_now(conn);
        return;
    }
    size_t had = conn_input(conn).len;
    if (had > 0 && conn_may_run(conn)) {
        read_on(conn, bytes_of(NULL, 0));
        if (!conn->closed && (conn_input(conn).len != had || conn->out.len > 0))
            env_wake(conn->front->env); /* it may have asked the node for something */
    }
    if (!conn->closed)
        end_when_answered(conn);
    set_reading(conn);
}

static void close_idle(struct redis_front *front, uint64_t now) {
    uint64_t patience = front->options.idle_timeout_ns;
    LIST_EACH(item, &front->conns) {
        struct conn *conn = container_of(item, struct conn, list);
        bool idle = list_empty(&conn->slots) && conn->channel_count + conn->pattern_count == 0;
        if (patience != 0 && idle && now > conn->heard_ns && now - conn->heard_ns > patience)
            conn_close_after_reply(conn);
    }
}

#define SWEEP_NS 1000000000ull

static void on_timer(struct env_timer *timer) {
    struct redis_front *front = container_of(timer, struct redis_front, timer);
    uint64_t now = env_now(front->env);
    close_idle(front, now);
    limits_sweep(front, now);
    front->commands_per_s = front->total_commands - front->commands_before;
    front->commands_before = front->total_commands;
    env_timer_set(front->env, &front->timer, now + SWEEP_NS);
}

/* Others left too much unread, and that is over. */
static void let_all_on(struct redis_front *front) {
    front->lifted = false;
    LIST_EACH(item, &front->conns) {
        struct conn *conn = container_of(item, struct conn, list);
        conn_account(conn);
        conn_dirty(conn);
    }
}

void redis_front_turn(struct redis_front *front) {
    front->asked_ns = front->answered_ns = 0;
    front->long_bytes = 0;
    front->had_large = false;
    waits_turn(front, env_now(front->env));
    output_keep_budget(front);
    if (front->lifted)
        let_all_on(front);
    for (size_t left = front->conn_count; left > 0 && !list_empty(&front->dirty); left--) {
        struct conn *conn = container_of(list_first(&front->dirty), struct conn, dirty);
        list_remove(&conn->dirty);
        conn_turn(conn);
    }
    if (!list_empty(&front->dirty))
        env_wake(front->env);
}

/* ---- the front end as a whole ---- */

void redis_options_default(struct redis_options *options) {
    *options = (struct redis_options){
        .clients_max = 10000,
        .bulk_bytes_max = 64u << 20,
        .output_budget = 8u << 20,
        .output_max = 256u << 20,
        .input_budget = 256u << 20,
    };
}

enum cairn_status redis_front_open(struct node *node, const struct redis_options *options,
                                   struct redis_front **out) {
    struct redis_front *front = cairn_alloc_zero(sizeof *front);
    front->node = node;
    front->env = node_env(node);
    front->options = *options;
    redis_limits_open(front);
    front->started_ns = env_now(front->env);
    front->listener.accept = on_accept;
    front->listener.yields = true;
    front->listener.refusal = BYTES("-" GUEST_REFUSAL "\r\n");
    front->timer.fire = on_timer;
    waits_open(front);
    list_init(&front->conns);
    list_init(&front->dirty);
    list_init(&front->waiting);
    list_init(&front->patterns);
    config_open(front);
    enum cairn_status status = env_listen(front->env, options->address, &front->listener);
    front->listening = status == CAIRN_OK;
    *out = front;
    if (status != CAIRN_OK) {
        redis_front_close(front);
        *out = NULL;
        return status;
    }
    env_timer_set(front->env, &front->timer, front->started_ns + SWEEP_NS);
    return CAIRN_OK;
}

void redis_front_stop(struct redis_front *front) {
    front->stopping = true;
    LIST_EACH(item, &front->conns)
    conn_close_after_reply(container_of(item, struct conn, list));
    env_wake(front->env);
}

void redis_front_disconnect(struct redis_front *front) {
    front->stopping = true;
    if (front->listening)
        env_listener_close(front->env, &front->listener);
    front->listening = false;
    LIST_EACH(item, &front->conns)
    close_now(container_of(item, struct conn, list));
}

void redis_front_close(struct redis_front *front) {
    env_timer_clear(front->env, &front->timer);
    env_timer_clear(front->env, &front->wait_timer);
    if (front->listening)
        env_listener_close(front->env, &front->listener);
    LIST_EACH_SAFE(item, &front->conns)
    conn_free(container_of(item, struct conn, list));
    pubsub_close(front);
    config_close(front);
    hmap_free(&front->by_id);
    buf_free(&front->answer);
    cairn_free(front->args);
    cairn_free(front);
}

uint32_t redis_front_clients(const struct redis_front *front) {
    return front->conn_count;
}

void redis_front_metrics(const struct redis_front *front, struct metrics *metrics) {
    metrics_put(metrics, METRIC_REDIS_CLIENTS, NULL, front->conn_count);
    metrics_put(metrics, METRIC_REDIS_CONNECTIONS, NULL, front->total_connections);
    metrics_put(metrics, METRIC_REDIS_COMMANDS, NULL, front->total_commands);
    metrics_put_one_span(metrics, METRIC_REDIS_TIME, &front->command_times);
    metrics_put(metrics, METRIC_REDIS_REJECTED, NULL, front->rejected_connections);
    metrics_put(metrics, METRIC_REDIS_EVICTED, NULL, front->evicted_connections);
    metrics_put(metrics, METRIC_REDIS_WRONG_PASSWORDS, NULL, front->wrong_passwords);
    metrics_put(metrics, METRIC_REDIS_UNREAD, NULL, front->output_bytes);
    metrics_put(metrics, METRIC_REDIS_UNEXECUTED, NULL, front->input_bytes);
    metrics_put(metrics, METRIC_REDIS_PROTOCOL_ERRORS, NULL, front->protocol_errors);
}
