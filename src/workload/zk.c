/* ZooKeeper clients: connections, sessions, time, and what is written down. */
#include "workload/zk_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define REDIAL_NS 20000000ull
#define HANDSHAKE_NS 1500000000ull
#define LATE_NS 200000000ull
#define FRAME_MAX (16u << 20)

void zk_report(struct zk_workload *workload, const char *format, ...) {
    if (workload->broken[0] != 0)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(workload->broken, sizeof workload->broken, format, args);
    va_end(args);
}

static uint64_t history_clock(const struct zk_client *client) {
    return client->workload->options.now(client->workload->options.context);
}

static uint64_t clock_of(const struct zk_client *client) {
    return env_now(client->workload->env);
}

void zk_write_down(struct zk_client *client, struct zk_op *op) {
    struct zk_workload *workload = client->workload;
    if (workload->count == workload->cap) {
        workload->cap = workload->cap ? workload->cap * 2 : 1024;
        workload->ops = cairn_realloc(workload->ops, workload->cap * sizeof *workload->ops);
    }
    op->client = client->number;
    op->complete = op->outcome == ZK_ANSWERED ? history_clock(client) : UINT64_MAX;
    workload->ops[workload->count++] = *op;
    workload->stats.answered += op->outcome == ZK_ANSWERED;
    workload->stats.unanswered += op->outcome == ZK_UNANSWERED;
}

/* Something that happened to the client, and no answer. */
static void note(struct zk_client *client, enum zk_action action, uint64_t session) {
    struct zk_op op = {.part_count = 1, .outcome = ZK_ANSWERED, .session = session};
    op.parts[0].action = action;
    op.invoke = history_clock(client);
    op.timeout_ns = client->timeout_ns;
    op.sign_ns = client->sign_ns;
    op.resumed = action == ZK_CONNECTED && client->session == session;
    zk_write_down(client, &op);
}

/* ---- time ---- */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

static bool wants_more(const struct zk_client *client) {
    const struct zk_workload *workload = client->workload;
    return workload->finishing ? !client->script_over && client->pending_count == 0
                               : !workload->stopped && !client->closing &&
                                     client->pending_count < workload->options.depth;
}

static void set_timer(struct zk_client *client) {
    uint64_t at = client->dial_at;
    if (client->conn != NULL) {
        bool live = client->conn->live;
        at = client->heard_ns + (live ? client->timeout_ns * 2 / 3 : HANDSHAKE_NS);
        if (live)
            at = earlier(at, client->ping_at);
        if (live && wants_more(client))
            at = earlier(at, client->think_at);
    }
    env_timer_set(client->workload->env, &client->timer, at);
}

static void think(struct zk_client *client) {
    uint64_t ns = client->workload->finishing ? REDIAL_NS : client->workload->options.think_ns;
    client->think_at = clock_of(client) + ns / 2 + prng_below(&client->prng, ns + 1);
}

/* ---- connections ---- */

static void conn_free(struct zk_conn *conn) {
    list_remove(&conn->list);
    buf_free(&conn->in);
    cairn_free(conn);
}

static void conn_close(struct zk_conn *conn) {
    if (!conn->closed)
        env_abort(conn->workload->env, &conn->stream);
    conn->closed = true;
}

static void drop_pending(struct zk_client *client) {
    while (!list_empty(&client->pending)) {
        struct zk_pending *pending =
            container_of(list_first(&client->pending), struct zk_pending, list);
        list_remove(&pending->list);
        pending->op.outcome = ZK_UNANSWERED;
        if (zk_changes(&pending->op))
            zk_write_down(client, &pending->op);
        cairn_free(pending);
    }
    client->pending_count = 0;
}

/* From now on only its server closes it: the session is held by another. */
static void linger(struct zk_client *client, struct zk_conn *conn) {
    if (client->lingering != NULL)
        conn_close(client->lingering);
    client->lingering = conn;
    conn->lingers = true;
}

/* The connection is gone, or given up. The session stays. */
static void leave(struct zk_client *client, bool lingers) {
    struct zk_conn *conn = client->conn;
    client->conn = NULL;
    if (conn != NULL) {
        bool open = lingers && conn->live && !conn->closed;
        conn->client = NULL;
        if (open)
            linger(client, conn);
        else
            conn_close(conn);
        if (conn->live)
            note(client, ZK_LOST, client->session);
    }
    drop_pending(client);
    client->closing = false;
    client->sync_ns = 0;
    client->script_at = 0;
    client->node = (uint32_t)prng_below(&client->prng, client->workload->node_count);
    client->dial_at = clock_of(client) + REDIAL_NS + prng_below(&client->prng, REDIAL_NS);
    set_timer(client);
}

static void lose(struct zk_client *client) {
    leave(client, false);
}

static void send_bytes(struct zk_client *client, const struct buf *bytes) {
    struct env_piece piece = {buf_view(bytes), NULL};
    env_write(client->workload->env, &client->conn->stream, &piece, 1);
}

static void on_open(struct env_stream *stream) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    struct zk_client *client = conn->client;
    struct buf out = {0};
    if (client == NULL)
        return;
    struct jute_connect connect = {.zxid = (int64_t)client->zxid,
                                   .timeout_ms =
                                       (int32_t)(client->workload->options.timeout_ns / 1000000),
                                   .session = (int64_t)client->session,
                                   .password_fits = true,
                                   .has_read_only = prng_chance(&client->prng, 1, 2)};
    memcpy(connect.password, client->password, sizeof connect.password);
    jute_put_connect(&out, &connect);
    client->knocked_ns = history_clock(client);
    send_bytes(client, &out);
    buf_free(&out);
}

static void session_over(struct zk_client *client) {
    client->session = 0;
    memset(client->password, 0, sizeof client->password);
    zk_watch_forget(client);
    memset(client->versions, 0, sizeof client->versions);
}

static void take_handshake(struct zk_client *client, struct bytes frame) {
    struct reader reader = reader_of(frame);
    jute_take_i32(&reader);
    int32_t timeout_ms = jute_take_i32(&reader);
    uint64_t session = (uint64_t)jute_take_i64(&reader);
    struct bytes password = jute_take_block(&reader);
    if (reader.bad || password.len != JUTE_PASSWORD_BYTES) {
        zk_report(client->workload, "client %u got a malformed handshake", client->number);
        return;
    }
    if (timeout_ms <= 0 || session == 0) {
        if (client->session == 0)
            zk_report(client->workload, "client %u was refused a new session", client->number);
        client->workload->stats.expired++;
        note(client, ZK_EXPIRED, client->session);
        session_over(client);
        lose(client);
        return;
    }
    bool resumed = session == client->session;
    if (!resumed && client->session != 0)
        zk_report(client->workload, "client %u asked for its session and got another one",
                  client->number);
    client->timeout_ns = (uint64_t)timeout_ms * 1000000;
    client->workload->stats.resumed += resumed;
    client->workload->stats.sessions += !resumed;
    note(client, ZK_CONNECTED, session);
    client->session = session;
    memcpy(client->password, password.data, JUTE_PASSWORD_BYTES);
    client->conn->live = true;
    client->sign_ns = client->knocked_ns;
    client->ping_at = clock_of(client) + client->timeout_ns / 3;
    if (!list_empty(&client->watches)) {
        struct buf out = {0};
        zk_encode_watches(&out, client);
        send_bytes(client, &out);
        buf_free(&out);
        client->conn->anew = true;
    }
    think(client);
}

/* Watches that are registered anew are told one by one: that a node is gone, also twice, if its
 * data and its children were watched. */
static bool told_anew(const struct zk_client *client, const struct zk_part *note) {
    const struct zk_workload *workload = client->workload;
    for (size_t i = workload->count; i > 0 && client->conn->anew; i--) {
        const struct zk_op *op = &workload->ops[i - 1];
        if (op->client != client->number)
            continue;
        if (op->parts[0].action != ZK_NOTIFICATION)
            break;
        if (op->parts[0].mode == note->mode && strcmp(op->parts[0].path, note->path) == 0)
            return note->mode == ZK_EVENT_DELETED;
    }
    return false;
}

static void take_notification(struct zk_client *client, uint64_t zxid, struct reader *reader) {
    struct zk_op op = {.part_count = 1, .outcome = ZK_ANSWERED, .session = client->session};
    op.parts[0].action = ZK_NOTIFICATION;
    op.parts[0].mode = jute_take_i32(reader);
    jute_take_i32(reader); /* state */
    struct bytes path = jute_take_block(reader);
    if (reader->bad || path.len >= ZK_PATH_MAX) {
        zk_report(client->workload, "client %u got a malformed notification", client->number);
        return;
    }
    memcpy(op.parts[0].path, path.data, path.len);
    op.invoke = history_clock(client);
    op.zxid = zxid == UINT64_MAX ? 0 : zxid;
    client->workload->stats.notifications++;
    if (told_anew(client, &op.parts[0]))
        return;
    if (!zk_watch_fired(client, op.parts[0].mode, op.parts[0].path))
        zk_report(client->workload, "client %u got an event that it did not watch for, %d at %s",
                  client->number, op.parts[0].mode, op.parts[0].path);
    zk_write_down(client, &op);
}

static void take_answer(struct zk_client *client, int32_t xid, uint64_t zxid, int32_t error,
                        struct reader *reader) {
    struct zk_pending *pending =
        list_empty(&client->pending)
            ? NULL
            : container_of(list_first(&client->pending), struct zk_pending, list);
    if (pending == NULL || pending->xid != xid) {
        zk_report(client->workload, "client %u got an answer out of order: %d, awaited %d",
                  client->number, xid, pending ? pending->xid : 0);
        return;
    }
    list_remove(&pending->list);
    client->pending_count--;
    struct zk_op *op = &pending->op;
    client->sign_ns = op->invoke;
    op->outcome = ZK_ANSWERED;
    op->zxid = zxid;
    op->error = op->parts[0].error = error;
    if (zxid > client->zxid)
        client->zxid = zxid;
    if ((error == 0 || op->part_count > 1) && reader_left(reader) > 0 && !zk_decode(reader, op))
        zk_report(client->workload, "client %u got a malformed answer", client->number);
    zk_watch_answered(client, op);
    if (op->parts[0].action == ZK_CLOSE) {
        zk_write_down(client, op);
        cairn_free(pending);
        session_over(client);
        lose(client);
        return;
    }
    zk_write_down(client, op);
    cairn_free(pending);
}

/* When all is healed and each client is served by the connection that it made last, the one before
 * is not served any more. */
static void take_lingering(struct zk_conn *conn) {
    if (conn->asked)
        zk_report(conn->workload, "a connection is served whose session was taken to another one");
    buf_clear(&conn->in);
}

static void ask_lingering(struct zk_client *client) {
    struct zk_conn *conn = client->lingering;
    struct zk_op op = {.part_count = 1, .parts = {{.action = ZK_EXISTS, .path = "/r0"}}};
    struct buf out = {0};
    if (conn == NULL || conn->closed)
        return;
    conn->asked = true;
    zk_encode(&out, INT32_MAX, &op);
    struct env_piece piece = {buf_view(&out), NULL};
    env_write(conn->workload->env, &conn->stream, &piece, 1);
    buf_free(&out);
}

static void take_frame(struct zk_client *client, struct bytes frame) {
    client->heard_ns = clock_of(client);
    if (!client->conn->live) {
        take_handshake(client, frame);
        return;
    }
    struct reader reader = reader_of(frame);
    int32_t xid = jute_take_i32(&reader);
    uint64_t zxid = (uint64_t)jute_take_i64(&reader);
    int32_t error = jute_take_i32(&reader);
    if (reader.bad) {
        zk_report(client->workload, "client %u got a malformed frame", client->number);
    } else if (xid == JUTE_XID_NOTIFICATION) {
        take_notification(client, zxid, &reader);
    } else if (xid == JUTE_XID_PING) {
        if (client->ping_sent_ns != 0)
            client->sign_ns = client->ping_sent_ns;
        client->ping_sent_ns = 0;
    } else if (xid == JUTE_XID_SET_WATCHES) {
        client->conn->anew = false;
        if (error != 0)
            zk_report(client->workload, "client %u could not register its watches anew: %d",
                      client->number, error);
    } else {
        take_answer(client, xid, zxid, error, &reader);
    }
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    buf_bytes(&conn->in, bytes);
    if (conn->lingers)
        take_lingering(conn);
    size_t taken = 0;
    while (conn->client != NULL) {
        struct bytes frame;
        size_t used =
            jute_frame(bytes_of(conn->in.data + taken, conn->in.len - taken), FRAME_MAX, &frame);
        if (used == SIZE_MAX)
            zk_report(conn->workload, "a server sent a frame of no sensible length");
        if (used == 0 || used == SIZE_MAX)
            break;
        taken += used;
        take_frame(conn->client, frame);
    }
    buf_consume(&conn->in, taken);
    if (conn->client != NULL)
        set_timer(conn->client);
}

static void forget_lingering(const struct zk_conn *conn) {
    struct zk_workload *workload = conn->workload;
    for (uint32_t i = 0; i < workload->options.clients && conn->lingers; i++)
        if (workload->clients[i].lingering == conn)
            workload->clients[i].lingering = NULL;
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct zk_conn *conn = container_of(stream, struct zk_conn, stream);
    conn->closed = true;
    if (conn->client != NULL)
        lose(conn->client);
    forget_lingering(conn);
    conn_free(conn);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

static void dial(struct zk_client *client) {
    struct zk_workload *workload = client->workload;
    if (client->node >= workload->node_count)
        client->node = 0;
    struct zk_conn *conn = cairn_alloc_zero(sizeof *conn);
    conn->workload = workload;
    conn->client = client;
    conn->stream.events = &events;
    list_push(&workload->conns, &conn->list);
    client->conn = conn;
    client->ping_sent_ns = 0;
    client->heard_ns = clock_of(client);
    env_connect(workload->env, workload->nodes[client->node], &conn->stream);
}

void zk_request(struct zk_client *client, const struct zk_op *op, struct buf *frame) {
    struct zk_pending *pending = cairn_alloc_zero(sizeof *pending);
    pending->op = *op;
    pending->op.session = client->session;
    pending->op.invoke = history_clock(client);
    pending->xid = client->next_xid = client->next_xid < INT32_MAX ? client->next_xid + 1 : 1;
    list_push(&client->pending, &pending->list);
    client->pending_count++;
    buf_clear(frame);
    zk_encode(frame, pending->xid, &pending->op);
    send_bytes(client, frame);
    client->ping_at = clock_of(client) + client->timeout_ns / 3;
}

/* ---- a client's life ---- */

static void ping(struct zk_client *client) {
    struct buf out = {0};
    size_t start = jute_put_request(&out, JUTE_XID_PING, JUTE_PING);
    jute_frame_end(&out, start);
    send_bytes(client, &out);
    buf_free(&out);
    if (client->ping_sent_ns == 0)
        client->ping_sent_ns = history_clock(client);
    client->ping_at = clock_of(client) + client->timeout_ns / 3;
}

/* So that its session's end and its return meet: a server may take note of a sign a little late. */
static void nap_until_the_end(struct zk_client *client) {
    uint64_t silent_ns = history_clock(client) - client->sign_ns;
    if (silent_ns < client->timeout_ns)
        client->dial_at =
            clock_of(client) + client->timeout_ns - silent_ns + prng_below(&client->prng, LATE_NS);
}

/* Off to another server, with what is under way left unanswered. */
static void go_elsewhere(struct zk_client *client) {
    bool naps = client->workload->options.naps;
    leave(client, zk_has_habit(client, ZK_HABIT_LINGER));
    if (naps && zk_has_habit(client, ZK_HABIT_LATE_RETURN) && prng_chance(&client->prng, 1, 2))
        nap_until_the_end(client);
    else if (naps && prng_chance(&client->prng, 1, 4))
        client->dial_at += prng_below(&client->prng, 2 * client->timeout_ns);
}

static void go_on(struct zk_client *client) {
    if (!wants_more(client))
        return;
    if (client->workload->finishing) {
        if (!zk_script(client)) {
            client->script_over = true;
            ask_lingering(client);
        }
    } else if (prng_chance(&client->prng, 1, 60)) {
        go_elsewhere(client);
        return;
    } else {
        zk_choose(client);
    }
    think(client);
}

static void on_timer(struct env_timer *timer) {
    struct zk_client *client = container_of(timer, struct zk_client, timer);
    uint64_t now = clock_of(client);
    if (client->workload->node_count == 0 || client->workload->broken[0] != 0)
        return;
    if (client->conn == NULL) {
        if (now >= client->dial_at)
            dial(client);
    } else if (!client->conn->live) {
        if (now >= client->heard_ns + HANDSHAKE_NS) {
            lose(client);
            return;
        }
    } else if (now >= client->heard_ns + client->timeout_ns * 2 / 3) {
        lose(client);
        return;
    } else {
        if (now >= client->ping_at)
            ping(client);
        if (now >= client->think_at)
            go_on(client);
    }
    set_timer(client);
}

/* ---- the workload ---- */

struct zk_workload *zk_open(struct env *env, const struct zk_options *options) {
    struct zk_workload *workload = cairn_alloc_zero(sizeof *workload);
    workload->env = env;
    workload->options = *options;
    list_init(&workload->conns);
    workload->clients = cairn_alloc_zero(options->clients * sizeof *workload->clients);
    for (uint32_t i = 0; i < options->clients; i++) {
        struct zk_client *client = &workload->clients[i];
        client->workload = workload;
        client->number = options->first_client + i;
        client->timer.fire = on_timer;
        client->timeout_ns = options->timeout_ns;
        list_init(&client->pending);
        list_init(&client->watches);
        prng_seed(&client->prng, prng_mix(options->seed, client->number));
    }
    return workload;
}

void zk_free(struct zk_workload *workload) {
    while (!list_empty(&workload->conns))
        conn_free(container_of(list_first(&workload->conns), struct zk_conn, list));
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        struct zk_client *client = &workload->clients[i];
        zk_watch_forget(client);
        LIST_EACH_SAFE(item, &client->pending)
        cairn_free(container_of(item, struct zk_pending, list));
    }
    for (size_t i = 0; i < workload->count; i++)
        cairn_free(workload->ops[i].children);
    cairn_free(workload->ops);
    cairn_free(workload->clients);
    cairn_free(workload);
}

void zk_nodes(struct zk_workload *workload, const char *const *addresses, uint32_t count) {
    workload->node_count = count < ZK_NODES_MAX ? count : ZK_NODES_MAX;
    for (uint32_t i = 0; i < workload->node_count; i++)
        snprintf(workload->nodes[i], sizeof workload->nodes[i], "%s", addresses[i]);
}

void zk_start(struct zk_workload *workload) {
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        struct zk_client *client = &workload->clients[i];
        client->node = (uint32_t)prng_below(&client->prng, workload->node_count);
        client->dial_at = clock_of(client) + prng_below(&client->prng, 2 * REDIAL_NS);
        set_timer(client);
    }
}

void zk_stop(struct zk_workload *workload) {
    workload->stopped = true;
}

bool zk_idle(const struct zk_workload *workload) {
    for (uint32_t i = 0; i < workload->options.clients; i++)
        if (workload->clients[i].pending_count > 0)
            return false;
    return true;
}

void zk_print_waiting(const struct zk_workload *workload, struct buf *out) {
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        const struct zk_client *client = &workload->clients[i];
        if (client->pending_count == 0)
            continue;
        buf_printf(out, "%u under way at %s, the first: ", client->pending_count,
                   workload->nodes[client->node]);
        zk_print_op(&container_of(list_first(&client->pending), struct zk_pending, list)->op, out);
        return;
    }
}

void zk_finish(struct zk_workload *workload) {
    cairn_assert(workload->stopped);
    workload->finishing = true;
    for (uint32_t i = 0; i < workload->options.clients; i++) {
        workload->clients[i].script_at = 0;
        workload->clients[i].think_at = 0;
        set_timer(&workload->clients[i]);
    }
}

bool zk_finished(const struct zk_workload *workload) {
    for (uint32_t i = 0; i < workload->options.clients; i++)
        if (!workload->clients[i].script_over || workload->clients[i].pending_count > 0)
            return false;
    return workload->finishing;
}

size_t zk_count(const struct zk_workload *workload) {
    return workload->count;
}

const struct zk_op *zk_op(const struct zk_workload *workload, size_t n) {
    return &workload->ops[n];
}

const char *zk_broken(const struct zk_workload *workload) {
    return workload->broken[0] ? workload->broken : NULL;
}

void zk_stats(const struct zk_workload *workload, struct zk_stats *stats) {
    *stats = workload->stats;
}
