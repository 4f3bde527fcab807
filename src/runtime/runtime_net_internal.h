/* A connection as the files of the network share it: runtime_net.c carries bytes, runtime_linger.c
 * ends it. */
#ifndef CAIRN_RUNTIME_NET_INTERNAL_H
#define CAIRN_RUNTIME_NET_INTERNAL_H

#include "runtime/runtime_internal.h"
#include "runtime/runtime_tls_internal.h"

struct connection;

/* What a connection has besides while it ends. */
struct farewell {
    struct connection *connection;
    struct env_timer timer;
    uv_shutdown_t shutdown;
    uint64_t began, moved; /* when it did, and when the peer last took something */
    size_t left;           /* what the peer had not taken then */
};

/* What a connection with TLS has besides. */
struct secure {
    struct connection *connection;
    struct tls_session *session;
    struct env_timer timer; /* the handshake's deadline, or: go on with what lies here */
    uint64_t deadline;      /* of the handshake */
    struct buf early;       /* written before the handshake was over; counted in queued */
    bool resting;           /* received bytes wait in the session */
    bool waiting;           /* for a round that has time for its handshake */
};

struct connection {
    uv_tcp_t tcp;
    struct runtime *runtime;
    struct env_stream *stream; /* NULL: refused at accept */
    struct secure *secure;     /* NULL: no TLS */
    enum cairn_status why;
    size_t queued;
    uint64_t read_in; /* the round of the loop in which it was read last */
    bool open;
    bool paused;
    bool ended;     /* the peer sends nothing more */
    bool lingering; /* env_close was called, and the peer does not have all of it yet */
    bool shut;      /* it was told that nothing follows, as far as the kernel is concerned */
    bool closing;
    bool closed;     /* the handle's close callback ran */
    bool looking_up; /* a name, in the background */
    char port[8];
    uv_getaddrinfo_t lookup;
    uv_connect_t connect;
    struct farewell *farewell; /* while lingering */
};

static inline struct connection *connection_of_stream(const struct env_stream *stream) {
    return stream->impl;
}

/* It was opened, with TLS if it has that: what is written has a way to the peer. */
bool connection_stands(const struct connection *connection);
void connection_start_reading(struct connection *connection);
/* What TLS has to say leaves. */
void connection_send_output(struct connection *connection);

/* runtime_linger.c */
/* The close event follows from the loop. */
void connection_end(struct connection *connection, enum cairn_status why);
void connection_free_when_over(struct connection *connection);
/* What arrives behind env_close: nothing but the peer's end matters. */
void connection_linger_read(struct connection *connection, ssize_t count);

#endif
