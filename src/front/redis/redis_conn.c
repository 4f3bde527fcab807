/* Client connections: accepted, read, cut into commands, written to, closed. A client that does not
 * read its replies is read no more, so that what it can make the server hold is bounded. */
#include "front/redis/redis_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define OUTPUT_EACH_MIN 1024u
#define OUTPUT_EACH_MAX (1u << 20)
#define SLOTS_MAX 4096u    /* commands of one client under way */
#define BUFFER_KEPT 16384u /* a larger buffer is given back when it is empty */
#define SLICE_COMMANDS 2048u
#define SLOTS_FIRST 32u /* commands under way while little is known of a client's replies */
#define REPLY_BYTES_MIN 64u

static const struct env_stream_events conn_events;

size_t conn_output_max(const struct redis_front *front) {
    size_t each = front->options.output_budget / (front->conn_count ? front->conn_count : 1);
    return each < OUTPUT_EACH_MIN   ? OUTPUT_EACH_MIN
           : each > OUTPUT_EACH_MAX ? OUTPUT_EACH_MAX
                                    : each;
}

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
    size_t share = conn_output_max(front) / 4;
    if (buf->len == 0 && buf->cap > (share < BUFFER_KEPT ? share : BUFFER_KEPT))
        buf_free(buf);
}

static void close_now(struct conn *conn) {
    conn->closing = true;
    if (!conn->closed)
        env_close(conn->front->env, &conn->stream);
    conn->closed = true;
}

/* ---- reading ---- */

/* How many commands may be under way: their replies come all at once, wanted or not, so their
 * number times the size that this client's replies lately had is kept within its share. */
static size_t slots_max(const struct conn *conn) {
    size_t bytes = conn->reply_bytes > REPLY_BYTES_MIN ? conn->reply_bytes : REPLY_BYTES_MIN;
    size_t share = conn_output_max(conn->front);
    size_t fitting = share < bytes ? 1 : share / bytes;
    size_t earned = conn->answered < SLOTS_MAX ? SLOTS_FIRST + (size_t)conn->answered : SLOTS_MAX;
    size_t most = fitting < earned ? fitting : earned;
    return most < SLOTS_MAX ? most : SLOTS_MAX;
}

static bool may_read_on(const struct conn *conn) {
    return !conn->closing && !conn->held && conn->slot_count < slots_max(conn) &&
           conn->out.len < conn_output_max(conn->front) &&
           env_stream_queued(conn->front->env, &conn->stream) == 0;
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

/* Executes whole commands from the front of bytes; how many bytes they had. */
static size_t run_commands(struct conn *conn, struct bytes bytes) {
    struct redis_front *front = conn->front;
    size_t taken = 0;
    for (unsigned n = 0; may_read_on(conn); n++) {
        struct bytes rest = bytes_of(bytes.data + taken, bytes.len - taken);
        size_t used = 0;
        const char *error = NULL;
        if (n == SLICE_COMMANDS) { /* others' turn */
            conn_dirty(conn);
            env_wake(front->env);
            break;
        }
        enum resp_result result =
            resp_request_read(&conn->request, rest, front->options.bulk_bytes_max, &used, &error);
        if (result == RESP_MORE)
            break;
        if (result == RESP_ERROR) {
            protocol_error(conn, error);
            break;
        }
        size_t argc = conn->request.count;
        struct bytes *args = args_room(front, argc);
        resp_request_args(&conn->request, rest, args);
        bool paused = argc > 0 && pause_holds(conn, args[0]);
        if (argc > 0 && !paused)
            exec_command(conn, args, argc);
        resp_request_reset(&conn->request);
        if (paused)
            break;
        taken += used;
    }
    return taken;
}

/* Whether the client may go on sending: not while what it sent waits here. */
static void set_reading(struct conn *conn) {
    bool pause = conn->closing || (!may_read_on(conn) && conn->in.len > 0);
    if (pause == conn->read_paused || conn->closed)
        return;
    conn->read_paused = pause;
    env_pause(conn->front->env, &conn->stream, pause);
}

static void keep_rest(struct conn *conn, struct bytes bytes, size_t taken, bool buffered) {
    struct redis_front *front = conn->front;
    size_t before = buffered ? bytes.len : 0;
    if (buffered)
        buf_consume(&conn->in, taken);
    else
        buf_append(&conn->in, bytes.data + taken, bytes.len - taken);
    front->input_bytes += conn->in.len - before;
    give_back(front, &conn->in);
    if (front->input_bytes > front->options.input_budget && conn->in.len > BUFFER_KEPT) {
        front->input_bytes -= conn->in.len;
        buf_free(&conn->in);
        protocol_error(conn, "ERR the server holds too many incomplete commands");
    }
}

static void read_on(struct conn *conn, struct bytes fresh) {
    bool buffered = conn->in.len > 0;
    if (conn->closing || conn->in_loop)
        return;
    if (buffered) {
        buf_bytes(&conn->in, fresh);
        conn->front->input_bytes += fresh.len;
        fresh = buf_view(&conn->in);
    }
    if (fresh.len == 0)
        return;
    conn->in_loop = true;
    size_t taken = run_commands(conn, fresh);
    conn->in_loop = false;
    keep_rest(conn, fresh, taken, buffered);
    set_reading(conn);
    if (conn->out.len > 0)
        conn_dirty(conn);
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
    read_on(conn, bytes);
}

static void on_drain(struct env_stream *stream) {
    conn_dirty(container_of(stream, struct conn, stream));
}

static void conn_free(struct conn *conn) {
    struct redis_front *front = conn->front;
    front->input_bytes -= conn->in.len;
    front->conn_count--;
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
    .data = on_data, .drain = on_drain, .close = on_close};

static struct env_stream *on_accept(struct env_listener *listener, const char *peer_address) {
    struct redis_front *front = container_of(listener, struct redis_front, listener);
    if (front->stopping || front->conn_count >= front->options.clients_max) {
        front->rejected_connections++;
        return NULL;
    }
    struct conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->stream.events = &conn_events;
    conn->front = front;
    conn->id = ++front->next_id;
    conn->protocol = 2;
    conn->reply_bytes = front->reply_bytes;
    conn->authenticated = front->options.password[0] == 0;
    conn->since_ns = conn->heard_ns = env_now(front->env);
    strncpy(conn->address, peer_address, sizeof conn->address - 1);
    list_init(&conn->dirty);
    list_init(&conn->waits);
    list_init(&conn->slots);
    list_init(&conn->subscriptions);
    list_push(&front->conns, &conn->list);
    hmap_insert(&front->by_id, &conn->by_id, hash_u64(conn->id));
    node_client_open(front->node, front->options.keyspace, &conn->client);
    front->conn_count++;
    front->total_connections++;
    return &conn->stream;
}

/* ---- the turn's end: replies leave, one write a client ---- */

static void write_out(struct conn *conn) {
    if (conn->out.len == 0)
        return;
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(conn->front->env, &conn->stream, &piece, 1);
    buf_clear(&conn->out);
    give_back(conn->front, &conn->out);
}

static void conn_turn(struct conn *conn) {
    if (conn->closed)
        return;
    write_out(conn);
    if (conn->closing) {
        if (list_empty(&conn->slots))
            close_now(conn);
        return;
    }
    size_t had = conn->in.len;
    if (had > 0 && may_read_on(conn)) {
        read_on(conn, bytes_of(NULL, 0));
        if (conn->in.len != had || conn->out.len > 0)
            env_wake(conn->front->env); /* it may have asked the node for something */
    }
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
    if (front->options.idle_timeout_ns != 0)
        env_timer_set(front->env, &front->timer, now + SWEEP_NS);
}

void redis_front_turn(struct redis_front *front) {
    waits_turn(front, env_now(front->env));
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
        .input_budget = 512u << 20,
    };
}

enum cairn_status redis_front_open(struct node *node, const struct redis_options *options,
                                   struct redis_front **out) {
    struct redis_front *front = cairn_alloc_zero(sizeof *front);
    front->node = node;
    front->env = node_env(node);
    front->options = *options;
    front->started_ns = env_now(front->env);
    front->listener.accept = on_accept;
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
    if (options->idle_timeout_ns != 0)
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

void redis_front_metrics(const struct redis_front *front, struct buf *out) {
    const struct {
        const char *name, *type, *help;
        unsigned long long value;
    } metrics[] = {
        {"cairn_redis_clients", "gauge", "Connected Redis clients", front->conn_count},
        {"cairn_redis_connections_total", "counter", "Redis connections accepted",
         front->total_connections},
        {"cairn_redis_commands_total", "counter", "Redis commands received", front->total_commands},
        {"cairn_redis_rejected_total", "counter", "Redis connections turned away",
         front->rejected_connections},
        {"cairn_redis_protocol_errors_total", "counter", "Malformed Redis requests",
         front->protocol_errors},
    };
    for (size_t i = 0; i < sizeof metrics / sizeof *metrics; i++)
        buf_printf(out, "# HELP %s %s\n# TYPE %s %s\n%s %llu\n", metrics[i].name, metrics[i].help,
                   metrics[i].name, metrics[i].type, metrics[i].name, metrics[i].value);
}
