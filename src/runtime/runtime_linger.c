/* The end of a stream. A socket that is closed while something of its peer's lies unread makes the
 * kernel send a reset, which throws away what the peer was sent before: so an orderly end writes
 * all of it, tells the peer that nothing follows, and reads on until the peer ends too.
 */

#include "runtime/runtime_net_internal.h"

#include "base/alloc.h"

#include <sys/ioctl.h>
#include <linux/sockios.h>

/* How often a lingering connection is looked at. */
#define LOOK_NS 100000000ull
/* A peer that has it all may take so long to end its side. */
#define FAREWELL_NS 1000000000ull

/* ---- the end of a stream ---- */

static void secure_free(struct secure *secure) {
    if (secure == NULL)
        return;
    tls_session_free(secure->session);
    buf_free(&secure->early);
    cairn_free(secure);
}

void connection_free_when_over(struct connection *connection) {
    if (!connection->closed || connection->looking_up)
        return;
    connection->runtime->streams--;
    cairn_free(connection->farewell);
    secure_free(connection->secure);
    cairn_free(connection);
}

static void on_closed(uv_handle_t *handle) {
    struct connection *connection = handle->data;
    struct env_stream *stream = connection->stream;
    enum cairn_status why = connection->why;
    connection->closed = true;
    connection->runtime->turn_due = true;
    connection_free_when_over(connection);
    if (stream) {
        stream->impl = NULL;
        env_tell_close(stream, why);
    }
}

void connection_end(struct connection *connection, enum cairn_status why) {
    if (connection->closing)
        return;
    connection->closing = true;
    connection->why = why;
    if (connection->secure)
        env_timer_clear(&connection->runtime->env, &connection->secure->timer);
    if (connection->farewell)
        env_timer_clear(&connection->runtime->env, &connection->farewell->timer);
    if (connection->looking_up)
        uv_cancel((uv_req_t *)&connection->lookup);
    uv_close((uv_handle_t *)&connection->tcp, on_closed);
}

/* ---- lingering ---- */

bool connection_stands(const struct connection *connection) {
    return connection->open &&
           (connection->secure == NULL || tls_session_open(connection->secure->session));
}

/* What the peer has not confirmed: here, and with the kernel. */
static size_t untaken(const struct connection *connection) {
    int fd, unsent = 0;
    if (uv_fileno((const uv_handle_t *)&connection->tcp, &fd) == 0)
        ioctl(fd, SIOCOUTQ, &unsent);
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp) +
           (size_t)(unsent > 0 ? unsent : 0);
}

static bool is_over(struct farewell *farewell, uint64_t now) {
    const struct connection *connection = farewell->connection;
    size_t left = untaken(connection);
    if (left < farewell->left)
        farewell->moved = now;
    farewell->left = left;
    if (left > 0)
        return now - farewell->moved >= connection->runtime->options.linger_stall_ns ||
               now - farewell->began >= ENV_LINGER_NS;
    return connection->shut &&
           (connection->runtime->settling || now - farewell->moved >= FAREWELL_NS);
}

static void on_look(struct env_timer *timer) {
    struct farewell *farewell = container_of(timer, struct farewell, timer);
    struct env *env = &farewell->connection->runtime->env;
    uint64_t now = env_now(env);
    if (is_over(farewell, now))
        connection_end(farewell->connection, CAIRN_CANCELLED);
    else
        env_timer_set(env, timer, now + LOOK_NS);
}

static void on_shut(uv_shutdown_t *request, int status) {
    struct connection *connection = container_of(request, struct farewell, shutdown)->connection;
    connection->shut = true;
    if (status != 0 || connection->ended)
        connection_end(connection, CAIRN_CANCELLED);
}

void connection_linger_read(struct connection *connection, ssize_t count) {
    if (count >= 0)
        return;
    connection->ended = true;
    if (count != UV_EOF || connection->shut)
        connection_end(connection, CAIRN_CANCELLED);
}

static void linger(struct connection *connection) {
    struct env *env = &connection->runtime->env;
    struct farewell *farewell = cairn_alloc_zero(sizeof *farewell);
    farewell->connection = connection;
    farewell->began = farewell->moved = env_now(env);
    farewell->left = SIZE_MAX;
    farewell->timer.fire = on_look;
    connection->farewell = farewell;
    if (connection->secure) {
        tls_session_finish(connection->secure->session);
        connection_send_output(connection);
        env_timer_clear(env, &connection->secure->timer);
        connection->secure->waiting = false;
    }
    connection->lingering = true;
    connection->paused = false;
    connection_start_reading(connection);
    if (connection->closing) /* it turned out to be broken */
        return;
    if (uv_shutdown(&farewell->shutdown, (uv_stream_t *)&connection->tcp, on_shut) != 0)
        connection_end(connection, CAIRN_CANCELLED);
    else
        env_timer_set(env, &farewell->timer, farewell->began + LOOK_NS);
}

void runtime_close(struct env *env, struct env_stream *stream) {
    struct connection *connection = connection_of_stream(stream);
    if (connection == NULL || connection->closing || connection->lingering)
        return;
    if (connection_stands(connection))
        linger(connection);
    else
        connection_end(connection, CAIRN_CANCELLED);
}

void runtime_abort(struct env *env, struct env_stream *stream) {
    struct connection *connection = connection_of_stream(stream);
    if (connection == NULL || connection->closing)
        return;
    if (connection->secure && !connection->lingering) {
        tls_session_finish(connection->secure->session);
        connection_send_output(connection);
    }
    connection_end(connection, CAIRN_CANCELLED);
}
