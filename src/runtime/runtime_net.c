/* Byte streams over TCP, and over TLS on it.
 *
 * A connection that only waits costs its handle: reading goes through one buffer of the loop, and
 * writes that the kernel takes at once leave nothing behind.
 */

#include "runtime/runtime_net_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#define BACKLOG 1024
/* Bytes that the kernel takes beyond what the network does. */
#define UNSENT_BYTES_MAX 131072
/* Pieces given to the kernel in one call. */
#define PIECES_AT_ONCE 64u
/* TLS handshakes take so much of a round of the loop; a thousand clients that come back at once
 * would else hold up heartbeats for a second. */
#define HANDSHAKES_NS_MAX 3000000u
#define HANDSHAKE_WAIT_NS 1000000u

struct listening {
    uv_tcp_t tcp;
    struct runtime *runtime;
    struct env_listener *listener;
};

/* What the kernel did not take at once. */
struct pending {
    uv_write_t request;
    struct connection *connection;
    size_t len;
    size_t count;
    struct blob **blobs; /* count of them, some NULL */
    uv_buf_t *bufs;
};

enum cairn_status runtime_status(int uv_error) {
    switch (uv_error) {
    case UV_ECANCELED:
        return CAIRN_CANCELLED;
    case UV_ECONNREFUSED:
    case UV_EADDRNOTAVAIL:
    case UV_ENETUNREACH:
    case UV_EHOSTUNREACH:
        return CAIRN_REFUSED;
    case UV_EOF:
    case UV_EPIPE:
    case UV_ECONNRESET:
    case UV_ECONNABORTED:
        return CAIRN_CLOSED;
    case UV_ETIMEDOUT:
        return CAIRN_TIMEOUT;
    case UV_EADDRINUSE:
        return CAIRN_IN_USE;
    case UV_EACCES:
    case UV_EPERM:
        return CAIRN_DENIED;
    case UV_EMFILE:
    case UV_ENFILE:
    case UV_ENOMEM:
    case UV_ENOBUFS:
        return CAIRN_EXHAUSTED;
    case UV_EAI_NONAME:
    case UV_EAI_NODATA:
        return CAIRN_NOT_FOUND;
    default:
        return CAIRN_IO;
    }
}

/* ---- addresses ---- */

bool runtime_address_parse(const char *text, struct runtime_address *address) {
    *address = (struct runtime_address){0};
    const char *colon = strrchr(text, ':'), *host = text;
    if (colon == NULL)
        return false;
    size_t len = (size_t)(colon - text), port_len = strlen(colon + 1);
    if (len >= 2 && text[0] == '[' && text[len - 1] == ']') {
        host++;
        len -= 2;
    }
    if (len >= sizeof address->host || port_len == 0 || port_len > 5)
        return false;
    memcpy(address->host, host, len);
    memcpy(address->port, colon + 1, port_len);
    char *end;
    unsigned long port = strtoul(address->port, &end, 10);
    if (*end != '\0' || address->port[0] == '-' || address->port[0] == '+' || port > 65535)
        return false;
    const char *name = len == 0 ? "0.0.0.0" : address->host;
    if (strcmp(name, "localhost") == 0)
        name = "127.0.0.1";
    address->numeric = uv_ip4_addr(name, (int)port, (struct sockaddr_in *)&address->socket) == 0 ||
                       uv_ip6_addr(name, (int)port, (struct sockaddr_in6 *)&address->socket) == 0;
    return true;
}

static void address_text(const uv_tcp_t *tcp, char *text, size_t size) {
    struct sockaddr_storage peer;
    int len = sizeof peer;
    char host[64];
    snprintf(text, size, "?");
    if (uv_tcp_getpeername(tcp, (struct sockaddr *)&peer, &len) != 0)
        return;
    if (peer.ss_family == AF_INET6) {
        const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)&peer;
        if (uv_ip6_name(six, host, sizeof host) == 0)
            snprintf(text, size, "[%s]:%u", host, ntohs(six->sin6_port));
    } else {
        const struct sockaddr_in *four = (const struct sockaddr_in *)&peer;
        if (uv_ip4_name(four, host, sizeof host) == 0)
            snprintf(text, size, "%s:%u", host, ntohs(four->sin_port));
    }
}

/* ---- reading ---- */

/* libuv would read on for as long as there is more. One buffer a round, then it is the others'
 * turn, a leader's heartbeats for one: without room it asks again in the next round. */
static void on_room(uv_handle_t *handle, size_t suggested, uv_buf_t *buf) {
    struct connection *connection = handle->data;
    struct runtime *runtime = connection->runtime;
    *buf = uv_buf_init(NULL, 0);
    if (connection->read_in == runtime->round)
        return;
    connection->read_in = runtime->round;
    size_t share = RUNTIME_READ_SHARE_BYTES / runtime->streams;
    size_t bytes = share < RUNTIME_READ_BYTES_MIN ? RUNTIME_READ_BYTES_MIN : share;
    if (bytes > RUNTIME_READ_BYTES)
        bytes = RUNTIME_READ_BYTES;
    *buf = uv_buf_init((char *)runtime->read_buffer, (unsigned)bytes);
}

static void read_secure(struct connection *connection, struct bytes cipher);

/* The owner's wish does not hold up a handshake. */
static bool is_paused(const struct connection *connection) {
    const struct secure *secure = connection->secure;
    return connection->paused && (secure == NULL || tls_session_open(secure->session));
}

/* The peer may have closed, or only have said all that it has to say: what it can still take is its
 * owner's to send. */
static void peer_ended(struct connection *connection) {
    const struct env_stream_events *events = connection->stream->events;
    if (connection->ended || connection->closing)
        return;
    if (events->end == NULL || !connection_stands(connection)) {
        connection_end(connection, CAIRN_CLOSED);
        return;
    }
    connection->ended = true;
    env_tell_end(connection->stream);
}

static void on_read(uv_stream_t *handle, ssize_t count, const uv_buf_t *buf) {
    struct connection *connection = handle->data;
    if (count == UV_ENOBUFS)
        return;
    connection->runtime->turn_due = true;
    if (connection->lingering)
        connection_linger_read(connection, count);
    else if (count == UV_EOF)
        peer_ended(connection);
    else if (count < 0)
        connection_end(connection, runtime_status((int)count));
    else if (connection->ended) /* behind the end that TLS told */
        return;
    else if (count > 0 && connection->secure)
        read_secure(connection, bytes_of(buf->base, (size_t)count));
    else if (count > 0)
        env_tell_data(connection->stream, bytes_of(buf->base, (size_t)count));
}

void connection_start_reading(struct connection *connection) {
    if (is_paused(connection) || connection->closing || !connection->open || connection->ended ||
        (connection->secure && connection->secure->waiting))
        return;
    int result = uv_read_start((uv_stream_t *)&connection->tcp, on_room, on_read);
    if (result != 0 && result != UV_EALREADY)
        connection_end(connection, runtime_status(result));
}

void runtime_pause(struct env *env, struct env_stream *stream, bool paused) {
    struct connection *connection = connection_of_stream(stream);
    if (connection == NULL || connection->closing || connection->lingering ||
        connection->paused == paused)
        return;
    connection->paused = paused;
    if (is_paused(connection))
        uv_read_stop((uv_stream_t *)&connection->tcp);
    else if (!paused && connection->secure && connection->secure->resting)
        env_timer_set(env, &connection->secure->timer, 0); /* not within this call */
    else
        connection_start_reading(connection);
}

/* ---- writing ---- */

static void write_secure(struct connection *connection, const struct env_piece *pieces,
                         size_t count);

static void on_written(uv_write_t *request, int status) {
    struct pending *pending = container_of(request, struct pending, request);
    struct connection *connection = pending->connection;
    cairn_assert(connection->queued >= pending->len);
    connection->queued -= pending->len;
    for (size_t i = 0; i < pending->count; i++)
        blob_unref(pending->blobs[i]);
    cairn_free(pending);
    connection->runtime->turn_due = true;
    if (status != 0)
        connection_end(connection, runtime_status(status));
    else if (connection->queued == 0 && !connection->closing && !connection->lingering)
        env_tell_drain(connection->stream);
}

/* Gives the kernel what it takes of the pieces: *at and *offset move on. */
static void write_now(struct connection *connection, const struct env_piece *pieces, size_t count,
                      size_t *at, size_t *offset) {
    while (*at < count) {
        uv_buf_t bufs[PIECES_AT_ONCE];
        unsigned n = 0;
        size_t asked = 0;
        for (size_t i = *at; i < count && n < PIECES_AT_ONCE; i++) {
            size_t skip = i == *at ? *offset : 0;
            bufs[n].base = (char *)(uintptr_t)(pieces[i].data.data + skip);
            bufs[n].len = pieces[i].data.len - skip;
            asked += bufs[n++].len;
        }
        int put = asked ? uv_try_write((uv_stream_t *)&connection->tcp, bufs, n) : 0;
        if (put < 0 && put != UV_EAGAIN) {
            connection_end(connection, runtime_status(put));
            return;
        }
        size_t left = put > 0 ? (size_t)put : 0;
        bool all = left == asked;
        while (*at < count && left >= pieces[*at].data.len - *offset) {
            left -= pieces[*at].data.len - *offset;
            *offset = 0;
            ++*at;
        }
        *offset += left;
        if (!all)
            return;
    }
}

static void write_later(struct connection *connection, const struct env_piece *pieces, size_t count,
                        size_t offset) {
    size_t copied = 0;
    for (size_t i = 0; i < count; i++)
        if (pieces[i].blob == NULL)
            copied += pieces[i].data.len;
    size_t size = sizeof(struct pending) + count * (sizeof(uv_buf_t) + sizeof(struct blob *));
    struct pending *pending = cairn_alloc(size + copied);
    *pending = (struct pending){.connection = connection, .count = count};
    pending->bufs = (uv_buf_t *)(pending + 1);
    pending->blobs = (struct blob **)(pending->bufs + count);
    char *room = (char *)(pending->blobs + count);
    for (size_t i = 0; i < count; i++) {
        size_t skip = i == 0 ? offset : 0, len = pieces[i].data.len - skip;
        char *data = (char *)(uintptr_t)(pieces[i].data.data + skip);
        pending->blobs[i] = pieces[i].blob ? blob_ref(pieces[i].blob) : NULL;
        if (pieces[i].blob == NULL && len) {
            memcpy(room, data, len);
            data = room;
            room += len;
        }
        pending->bufs[i].base = data;
        pending->bufs[i].len = len;
        pending->len += len;
    }
    connection->queued += pending->len;
    int result = uv_write(&pending->request, (uv_stream_t *)&connection->tcp, pending->bufs,
                          (unsigned)count, on_written);
    if (result == 0)
        return;
    connection->queued -= pending->len;
    for (size_t i = 0; i < count; i++)
        blob_unref(pending->blobs[i]);
    cairn_free(pending);
    connection_end(connection, runtime_status(result));
}

static void write_raw(struct connection *connection, const struct env_piece *pieces, size_t count) {
    size_t at = 0, offset = 0;
    if (connection->closing)
        return;
    if (connection->open && connection->queued == 0)
        write_now(connection, pieces, count, &at, &offset);
    if (at < count && !connection->closing)
        write_later(connection, pieces + at, count - at, offset);
}

void runtime_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                   size_t count) {
    struct connection *connection = connection_of_stream(stream);
    if (connection == NULL || connection->closing || connection->lingering)
        return;
    if (connection->secure)
        write_secure(connection, pieces, count);
    else
        write_raw(connection, pieces, count);
}

/* libuv counts what the kernel has taken of a long piece, connection->queued whole pieces. */
size_t runtime_queued(struct env *env, const struct env_stream *stream) {
    const struct connection *connection = connection_of_stream(stream);
    if (connection == NULL)
        return 0;
    size_t early = connection->secure ? connection->secure->early.len : 0;
    return uv_stream_get_write_queue_size((const uv_stream_t *)&connection->tcp) + early;
}

/* ---- TLS ---- */

void connection_send_output(struct connection *connection) {
    struct tls_session *session = connection->secure->session;
    struct env_piece piece = {tls_session_output(session), NULL};
    if (piece.data.len == 0)
        return;
    write_raw(connection, &piece, 1);
    tls_session_sent(session);
}

static void write_secure(struct connection *connection, const struct env_piece *pieces,
                         size_t count) {
    struct secure *secure = connection->secure;
    size_t at = 0, offset = 0;
    if (!tls_session_open(secure->session)) {
        for (size_t i = 0; i < count; i++) {
            buf_bytes(&secure->early, pieces[i].data);
            connection->queued += pieces[i].data.len;
        }
        return;
    }
    while (at < count && !connection->closing) {
        enum cairn_status status = tls_session_put(secure->session, pieces, count, &at, &offset);
        connection_send_output(connection);
        if (status != CAIRN_OK)
            connection_end(connection, status);
    }
}

static void secure_opened(struct connection *connection) {
    struct secure *secure = connection->secure;
    struct buf early = secure->early;
    env_timer_clear(&connection->runtime->env, &secure->timer);
    if (connection->paused)
        uv_read_stop((uv_stream_t *)&connection->tcp);
    secure->early = (struct buf){0};
    connection->queued -= early.len;
    if (early.len > 0)
        write_secure(connection, &(struct env_piece){.data = buf_view(&early)}, 1);
    buf_free(&early);
    if (!connection->closing)
        env_tell_open(connection->stream);
}

/* Part of a handshake, if this round still has time for it; else later. */
static bool shake_hands(struct connection *connection) {
    struct secure *secure = connection->secure;
    struct runtime *runtime = connection->runtime;
    uint64_t began = runtime_now(&runtime->env);
    struct bytes nothing;
    secure->waiting = runtime->handshakes_ns >= HANDSHAKES_NS_MAX;
    if (secure->waiting) {
        uv_read_stop((uv_stream_t *)&connection->tcp);
        env_timer_set(&runtime->env, &secure->timer, began + HANDSHAKE_WAIT_NS);
        return false;
    }
    enum cairn_status status = tls_session_take(secure->session, NULL, &nothing);
    connection_send_output(connection);
    runtime->handshakes_ns += runtime_now(&runtime->env) - began;
    if (status != CAIRN_OK)
        connection_end(connection, status);
    else if (tls_session_open(secure->session))
        secure_opened(connection);
    else
        env_timer_set(&runtime->env, &secure->timer, secure->deadline);
    return tls_session_open(secure->session);
}

/* Every byte that was fed is taken, or kept: the next session finds nothing of this one's. */
static void read_secure(struct connection *connection, struct bytes cipher) {
    struct secure *secure = connection->secure;
    uint8_t room[RUNTIME_TLS_PLAIN_BYTES];
    struct bytes plain;
    tls_session_feed(secure->session, cipher);
    bool open = tls_session_open(secure->session) || shake_hands(connection);
    while (open && !connection->closing && !connection->lingering && !connection->paused) {
        enum cairn_status status = tls_session_take(secure->session, room, &plain);
        connection_send_output(connection);
        if (status == CAIRN_CLOSED)
            peer_ended(connection);
        else if (status != CAIRN_OK)
            connection_end(connection, status);
        if (status != CAIRN_OK || plain.len == 0)
            break;
        if (!connection->closing)
            env_tell_data(connection->stream, plain);
    }
    secure->resting = tls_session_keep(secure->session);
}

static void on_secure_timer(struct env_timer *timer) {
    struct secure *secure = container_of(timer, struct secure, timer);
    struct connection *connection = secure->connection;
    connection->runtime->turn_due = true;
    if (!tls_session_open(secure->session) &&
        env_now(&connection->runtime->env) >= secure->deadline) {
        connection_end(connection, CAIRN_TIMEOUT);
        return;
    }
    read_secure(connection, bytes_of(NULL, 0));
    connection_start_reading(connection);
}

static void secure_begin(struct connection *connection, const struct env_tls *tls) {
    struct env *env = &connection->runtime->env;
    struct secure *secure = cairn_alloc_zero(sizeof *secure);
    secure->connection = connection;
    secure->session = tls_session_new(tls);
    secure->timer.fire = on_secure_timer;
    secure->deadline = env_now(env) + tls->handshake_ns;
    connection->secure = secure;
    env_timer_set(env, &secure->timer, secure->deadline);
}

const char *runtime_peer(struct env *env, const struct env_stream *stream) {
    const struct connection *connection = connection_of_stream(stream);
    return connection && connection->secure ? tls_session_peer(connection->secure->session) : NULL;
}

/* ---- connecting ---- */

static struct connection *connection_new(struct runtime *runtime, struct env_stream *stream) {
    struct connection *connection = cairn_alloc_zero(sizeof *connection);
    connection->runtime = runtime;
    connection->stream = stream;
    connection->tcp.data = connection;
    runtime->streams++;
    int result = uv_tcp_init(&runtime->loop, &connection->tcp);
    cairn_assert(result == 0);
    if (stream)
        stream->impl = connection;
    return connection;
}

/* What is written later, a heartbeat behind bulk, must not stand behind megabytes in the kernel. */
static void limit_unsent(struct connection *connection) {
    int fd, bytes = UNSENT_BYTES_MAX;
    if (uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0)
        setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
}

static void begin(struct connection *connection) {
    connection->open = true;
    uv_tcp_nodelay(&connection->tcp, 1);
    limit_unsent(connection);
    connection_start_reading(connection);
}

static void on_connect(uv_connect_t *request, int status) {
    struct connection *connection = request->data;
    connection->runtime->turn_due = true;
    if (status != 0) {
        connection_end(connection, runtime_status(status));
        return;
    }
    if (connection->closing)
        return;
    begin(connection);
    env_tell_open(connection->stream);
}

static void connect_to(struct connection *connection, const struct sockaddr *address) {
    connection->connect.data = connection;
    int result = uv_tcp_connect(&connection->connect, &connection->tcp, address, on_connect);
    if (result != 0)
        connection_end(connection, runtime_status(result));
}

static void on_lookup(uv_getaddrinfo_t *request, int status, struct addrinfo *found) {
    struct connection *connection = request->data;
    connection->looking_up = false;
    connection->runtime->turn_due = true;
    if (status == 0 && !connection->closing)
        connect_to(connection, found->ai_addr);
    else
        connection_end(connection, runtime_status(status));
    if (status == 0)
        uv_freeaddrinfo(found);
    connection_free_when_over(connection);
}

void runtime_connect(struct env *env, const char *text, struct env_stream *stream) {
    struct runtime *runtime = runtime_of(env);
    struct runtime_address address;
    struct connection *connection = connection_new(runtime, stream);
    if (!runtime_address_parse(text, &address)) {
        connection_end(connection, CAIRN_INVALID);
    } else if (address.numeric) {
        connect_to(connection, (const struct sockaddr *)&address.socket);
    } else {
        struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
        connection->lookup.data = connection;
        connection->looking_up = true;
        int result = uv_getaddrinfo(&runtime->loop, &connection->lookup, on_lookup, address.host,
                                    address.port, &hints);
        if (result != 0) {
            connection->looking_up = false;
            connection_end(connection, runtime_status(result));
        }
    }
}

/* ---- listening ---- */

static void refuse(struct connection *connection, const struct env_listener *listener) {
    uv_buf_t text = {(char *)(uintptr_t)listener->refusal.data, listener->refusal.len};
    if (text.len > 0 && listener->tls == NULL)
        uv_try_write((uv_stream_t *)&connection->tcp, &text, 1);
    connection_end(connection, CAIRN_REFUSED);
}

static void on_connection(uv_stream_t *handle, int status) {
    struct listening *listening = handle->data;
    struct runtime *runtime = listening->runtime;
    char peer[80];
    int fd;
    runtime->turn_due = true;
    if (status != 0)
        return;
    struct connection *connection = connection_new(runtime, NULL);
    int result = uv_accept(handle, (uv_stream_t *)&connection->tcp);
    if (result != 0) {
        connection_end(connection, runtime_status(result));
        return;
    }
    address_text(&connection->tcp, peer, sizeof peer);
    /* The kernel hands out the lowest number that is free. */
    listening->listener->crowded = listening->listener->yields &&
                                   uv_fileno((uv_handle_t *)&connection->tcp, &fd) == 0 &&
                                   fd >= runtime->crowded_from;
    struct env_stream *stream = listening->listener->accept(listening->listener, peer);
    if (stream == NULL) {
        refuse(connection, listening->listener);
        return;
    }
    connection->stream = stream;
    stream->impl = connection;
    if (listening->listener->tls != NULL)
        secure_begin(connection, listening->listener->tls);
    begin(connection);
}

static void on_listener_closed(uv_handle_t *handle) {
    struct listening *listening = handle->data;
    struct env_listener *listener = listening->listener;
    listening->runtime->streams--;
    listening->runtime->turn_due = true;
    cairn_free(listening);
    if (listener == NULL)
        return;
    listener->impl = NULL;
    if (listener->closed)
        listener->closed(listener);
}

enum cairn_status runtime_listen(struct env *env, const char *text, struct env_listener *listener) {
    struct runtime *runtime = runtime_of(env);
    struct runtime_address address;
    if (!runtime_address_parse(text, &address) || !address.numeric)
        return CAIRN_INVALID;
    struct listening *listening = cairn_alloc_zero(sizeof *listening);
    listening->runtime = runtime;
    listening->listener = listener;
    listening->tcp.data = listening;
    runtime->streams++;
    uv_tcp_init(&runtime->loop, &listening->tcp);
    /* libuv sets SO_REUSEADDR. */
    int result = uv_tcp_bind(&listening->tcp, (const struct sockaddr *)&address.socket, 0);
    if (result == 0)
        result = uv_listen((uv_stream_t *)&listening->tcp, BACKLOG, on_connection);
    if (result == 0) {
        listener->impl = listening;
        return CAIRN_OK;
    }
    listening->listener = NULL;
    uv_close((uv_handle_t *)&listening->tcp, on_listener_closed);
    return runtime_status(result);
}

void runtime_listener_close(struct env *env, struct env_listener *listener) {
    struct listening *listening = listener->impl;
    if (listening && !uv_is_closing((uv_handle_t *)&listening->tcp))
        uv_close((uv_handle_t *)&listening->tcp, on_listener_closed);
}
