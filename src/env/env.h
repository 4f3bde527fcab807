/* The world as a node sees it: clock, entropy, timers, background work, disk, network. Interfaces
 * only: runtime/ implements them on a real machine, sim/ in a virtual one; no third way to the
 * outside exists.
 *
 * One env belongs to one reactor (one event loop thread). All callbacks arrive on that thread, and
 * everything here is called on it, except the disk functions, which may also be called from inside
 * env_work.run. A callback never runs inside a call that set it off: completions arrive from the
 * loop. After every batch of callbacks the loop calls the turn function once (env_set_turn): there
 * the node does what is worth doing once a batch.
 */
#ifndef CAIRN_ENV_ENV_H
#define CAIRN_ENV_ENV_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct env;

/* ---- clock and entropy ---- */

/* Wall time is an interval that contains true time, as TrueTime's (Corbett et al. 2012, section
 * 3). Nanoseconds since the Unix epoch. bounded: the error bound comes from a disciplined clock;
 * false: from configuration. */
struct env_wall {
    uint64_t earliest;
    uint64_t latest;
    bool bounded;
};

/* ---- timers ---- */

/* Embedded in its owner; zero-initialise. deadline, heap_at: the env's own. */
struct env_timer {
    void (*fire)(struct env_timer *timer);
    uint64_t deadline; /* monotonic ns */
    uint64_t order;    /* tie break: set earlier fires first */
    size_t heap_at;    /* 0: not set */
};

/* ---- background work ---- */

/* Each queue runs its work first in, first out, one at a time, beside the loop. */
enum env_queue {
    ENV_QUEUE_LOG,  /* log writes: nothing else, so that nothing delays them */
    ENV_QUEUE_BULK, /* snapshots, segment preparation, log reads */
    ENV_QUEUE_COUNT
};

/* Embedded in its owner; must live until done was called. run: beside the loop, no env calls but
 * disk; done: on the loop. */
struct env_work {
    void (*run)(struct env_work *work);
    void (*done)(struct env_work *work);
    struct list link; /* the env's own */
};

/* ---- disk ---- */

enum env_open_flags {
    ENV_OPEN_READ = 0,
    ENV_OPEN_WRITE = 1,     /* read and write */
    ENV_OPEN_CREATE = 2,    /* with WRITE: create if missing */
    ENV_OPEN_EXCLUSIVE = 4, /* with CREATE: fail with EXISTS if there */
    ENV_OPEN_DIRECT = 8 /* durable direct writes (O_DIRECT|O_DSYNC): when write_at returns OK the
                         * bytes are on stable storage. Offsets, lengths and memory must be
                         * multiples of ENV_DISK_ALIGN. Where the file system can't, the file is
                         * buffered and env_file_is_direct is false: then sync after writing. */
};

#define ENV_DISK_ALIGN 4096u

/* Opening and whatever needs a descriptor (sync_folder, list, lock) may say EXHAUSTED: not now, for
 * the machine is short of descriptors or memory; nothing was done, and it says nothing of the disk.
 */
struct env_file; /* opaque, owned by the env, closed by env_file_close */

/* Called for each name in a folder (without . and ..), sorted by name. */
typedef void env_list_visit(void *context, const char *name, bool is_folder, uint64_t size);

/* ---- network: byte streams ---- */

struct env_stream;
/* Any of them may be NULL: that event is of no interest, and none of an env's implementations calls
 * it (env_tell_open and the others below). */
struct env_stream_events {
    /* connect succeeded; of an accepted stream with TLS: the handshake did, and env_stream_peer is
     * known. Not called for other accepted streams. */
    void (*open)(struct env_stream *stream);
    /* Bytes arrived; borrowed for the call. Calling env_close inside is allowed. */
    void (*data)(struct env_stream *stream, struct bytes bytes);
    /* What was queued fell to the low-water mark (a quarter of what stood when the caller saw
     * env_stream_queued exceed its own limit; simply: queue became empty). */
    void (*drain)(struct env_stream *stream);
    /* The stream ended: by the peer (CLOSED), an error (IO, REFUSED, TIMEOUT; with TLS DENIED: no
     * handshake came about, MALFORMED: nonsense after it), or after env_close and env_abort
     * (CANCELLED). Called exactly once, the last call; the owner may free the struct in it. */
    void (*close)(struct env_stream *stream, enum cairn_status why);
    /* The peer sends nothing more, which says nothing of whether it still reads: what it asked for
     * before is still answered, then the owner calls env_close. No data event follows. NULL: the
     * stream closes instead, with CLOSED. */
    void (*end)(struct env_stream *stream);
};

/* Embedded in its owner (a client, a peer link). The owner sets events before connect/accept. */
struct env_stream {
    const struct env_stream_events *events;
    void *impl; /* the env's own */
};

/* Certificates and rules of a listener with TLS, made by the implementation. */
struct env_tls;

/* Zero what is not used. */
struct env_listener {
    /* A connection waits: return the stream to use for it (events set), or NULL to refuse it. */
    struct env_stream *(*accept)(struct env_listener *listener, const char *peer_address);
    void (*closed)(struct env_listener *listener); /* after env_listener_close; may be NULL */
    /* NULL: plain bytes. Else accept is called before the handshake, so that the owner's limits
     * hold for peers that never end theirs, and open after it. Must outlive the streams. */
    struct env_tls *tls;
    /* Set by the owner of clients' listeners: the last descriptors are for files, peers and
     * operators. Then crowded is set by the env for a call of accept: but for those there is none
     * left, so that the connection is to be refused, in words if the protocol has some. */
    bool yields, crowded;
    /* Told to connections that accept refused, as far as the kernel takes it at once. */
    struct bytes refusal;
    void *impl;
};

/* A piece to write. blob != NULL: data points into it, and the env takes a reference if it can't
 * write at once; NULL: the env copies what it can't write at once. */
struct env_piece {
    struct bytes data;
    struct blob *blob;
};

/* For implementations: the only way in which events are told. */
static inline void env_tell_open(struct env_stream *stream) {
    if (stream->events->open != NULL)
        stream->events->open(stream);
}
static inline void env_tell_data(struct env_stream *stream, struct bytes bytes) {
    if (stream->events->data != NULL)
        stream->events->data(stream, bytes);
}
static inline void env_tell_drain(struct env_stream *stream) {
    if (stream->events->drain != NULL)
        stream->events->drain(stream);
}
static inline void env_tell_close(struct env_stream *stream, enum cairn_status why) {
    if (stream->events->close != NULL)
        stream->events->close(stream, why);
}
static inline void env_tell_end(struct env_stream *stream) {
    if (stream->events->end != NULL)
        stream->events->end(stream);
}

struct env_ops {
    uint64_t (*now)(struct env *env);
    struct env_wall (*wall)(struct env *env);
    void (*entropy)(struct env *env, void *out, size_t len);

    void (*timer_set)(struct env *env, struct env_timer *timer, uint64_t deadline);
    void (*timer_clear)(struct env *env, struct env_timer *timer);
    void (*set_turn)(struct env *env, void (*turn)(void *context), void *context);
    void (*wake)(struct env *env);
    void (*work)(struct env *env, enum env_queue queue, struct env_work *work);

    enum cairn_status (*open)(struct env *env, const char *path, unsigned flags,
                              struct env_file **file);
    void (*file_close)(struct env *env, struct env_file *file);
    bool (*file_is_direct)(struct env *env, struct env_file *file);
    enum cairn_status (*file_size)(struct env *env, struct env_file *file, uint64_t *size);
    enum cairn_status (*read_at)(struct env *env, struct env_file *file, uint64_t offset, void *out,
                                 size_t len);
    enum cairn_status (*write_at)(struct env *env, struct env_file *file, uint64_t offset,
                                  const void *data, size_t len);
    enum cairn_status (*sync)(struct env *env, struct env_file *file);
    enum cairn_status (*allocate)(struct env *env, struct env_file *file, uint64_t size);
    enum cairn_status (*rename)(struct env *env, const char *from, const char *to);
    enum cairn_status (*remove)(struct env *env, const char *path);
    enum cairn_status (*make_folder)(struct env *env, const char *path);
    enum cairn_status (*sync_folder)(struct env *env, const char *path);
    enum cairn_status (*list)(struct env *env, const char *path, env_list_visit *visit,
                              void *context);
    enum cairn_status (*lock)(struct env *env, const char *path, struct env_file **file);
    enum cairn_status (*free_space)(struct env *env, const char *path, uint64_t *bytes);

    enum cairn_status (*listen)(struct env *env, const char *address,
                                struct env_listener *listener);
    void (*listener_close)(struct env *env, struct env_listener *listener);
    void (*connect)(struct env *env, const char *address, struct env_stream *stream);
    void (*write)(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                  size_t count);
    size_t (*queued)(struct env *env, const struct env_stream *stream);
    void (*pause)(struct env *env, struct env_stream *stream, bool paused);
    void (*close)(struct env *env, struct env_stream *stream);
    void (*abort)(struct env *env, struct env_stream *stream);
    const char *(*peer)(struct env *env, const struct env_stream *stream);
};

/* An implementation embeds this first. */
struct env {
    const struct env_ops *ops;
};

/* Monotonic ns, read afresh at every call (a lease check must not use a clock that stood still
 * while the process was paused). */
static inline uint64_t env_now(struct env *env) {
    return env->ops->now(env);
}
static inline struct env_wall env_wall(struct env *env) {
    return env->ops->wall(env);
}
static inline void env_entropy(struct env *env, void *out, size_t len) {
    env->ops->entropy(env, out, len);
}
/* Sets or moves the timer; a deadline in the past fires in the next turn. */
static inline void env_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline) {
    env->ops->timer_set(env, timer, deadline);
}
static inline void env_timer_clear(struct env *env, struct env_timer *timer) {
    env->ops->timer_clear(env, timer);
}
static inline void env_set_turn(struct env *env, void (*turn)(void *context), void *context) {
    env->ops->set_turn(env, turn, context);
}
/* Asks for one more turn although nothing from outside arrives. */
static inline void env_wake(struct env *env) {
    env->ops->wake(env);
}
static inline void env_work(struct env *env, enum env_queue queue, struct env_work *work) {
    env->ops->work(env, queue, work);
}
static inline enum cairn_status env_open(struct env *env, const char *path, unsigned flags,
                                         struct env_file **file) {
    return env->ops->open(env, path, flags, file);
}
static inline void env_file_close(struct env *env, struct env_file *file) {
    env->ops->file_close(env, file);
}
static inline bool env_file_is_direct(struct env *env, struct env_file *file) {
    return env->ops->file_is_direct(env, file);
}
static inline enum cairn_status env_file_size(struct env *env, struct env_file *file,
                                              uint64_t *size) {
    return env->ops->file_size(env, file, size);
}
/* All of len or an error: CAIRN_TORN when the file ends before, CAIRN_IO when the medium fails. */
static inline enum cairn_status env_read_at(struct env *env, struct env_file *file, uint64_t offset,
                                            void *out, size_t len) {
    return env->ops->read_at(env, file, offset, out, len);
}
/* All of len or an error (IO, NO_SPACE); after an error nothing is known of the range. */
static inline enum cairn_status env_write_at(struct env *env, struct env_file *file,
                                             uint64_t offset, const void *data, size_t len) {
    return env->ops->write_at(env, file, offset, data, len);
}
/* Content and size durable (fdatasync). After an error the file must not be trusted again. */
static inline enum cairn_status env_sync(struct env *env, struct env_file *file) {
    return env->ops->sync(env, file);
}
/* Reserves space up to size and extends the file with zeros. */
static inline enum cairn_status env_allocate(struct env *env, struct env_file *file,
                                             uint64_t size) {
    return env->ops->allocate(env, file, size);
}
/* Names are durable only after env_sync_folder of their folder. */
static inline enum cairn_status env_rename(struct env *env, const char *from, const char *to) {
    return env->ops->rename(env, from, to);
}
static inline enum cairn_status env_remove(struct env *env, const char *path) {
    return env->ops->remove(env, path);
}
/* OK also when the folder is there already. */
static inline enum cairn_status env_make_folder(struct env *env, const char *path) {
    return env->ops->make_folder(env, path);
}
static inline enum cairn_status env_sync_folder(struct env *env, const char *path) {
    return env->ops->sync_folder(env, path);
}
static inline enum cairn_status env_list(struct env *env, const char *path, env_list_visit *visit,
                                         void *context) {
    return env->ops->list(env, path, visit, context);
}
/* Takes an exclusive lock on a file (created if missing) until it is closed; BUSY: another process
 * holds it. */
static inline enum cairn_status env_lock(struct env *env, const char *path,
                                         struct env_file **file) {
    return env->ops->lock(env, path, file);
}
static inline enum cairn_status env_free_space(struct env *env, const char *path, uint64_t *bytes) {
    return env->ops->free_space(env, path, bytes);
}
/* address: "host:port". UNSUPPORTED: this env has no TLS. */
static inline enum cairn_status env_listen(struct env *env, const char *address,
                                           struct env_listener *listener) {
    return env->ops->listen(env, address, listener);
}
static inline void env_listener_close(struct env *env, struct env_listener *listener) {
    env->ops->listener_close(env, listener);
}
/* Never fails at once: the outcome is events->open or events->close. */
static inline void env_connect(struct env *env, const char *address, struct env_stream *stream) {
    env->ops->connect(env, address, stream);
}
/* In order, all of it, or the stream closes. Never calls back. */
static inline void env_write(struct env *env, struct env_stream *stream,
                             const struct env_piece *pieces, size_t count) {
    env->ops->write(env, stream, pieces, count);
}
/* Bytes accepted by env_write that have not been given to the kernel yet. */
static inline size_t env_stream_queued(struct env *env, const struct env_stream *stream) {
    return env->ops->queued(env, stream);
}
/* Paused: no more data events, so that the sender feels it. */
static inline void env_pause(struct env *env, struct env_stream *stream, bool paused) {
    env->ops->pause(env, stream, paused);
}
/* Whatever was written before is delivered, then the peer is told that nothing follows. What still
 * arrives is thrown away, so that a peer that writes on finds no reset in place of its answers. The
 * close event comes when the peer has it all; without it when nothing moved for ENV_LINGER_STALL_NS
 * or ENV_LINGER_NS have passed. No data, drain or end event follows. Calling it again is harmless.
 */
#define ENV_LINGER_STALL_NS 5000000000ull
#define ENV_LINGER_NS 60000000000ull
static inline void env_close(struct env *env, struct env_stream *stream) {
    env->ops->close(env, stream);
}
/* What has not left yet never will; the close event is called soon, from the loop. Also ends an
 * env_close that takes its time. */
static inline void env_abort(struct env *env, struct env_stream *stream) {
    env->ops->abort(env, stream);
}

/* The subject of the certificate that the peer showed and that was verified, as RFC 2253 writes it;
 * valid as long as the stream. NULL: none, or no TLS. */
static inline const char *env_stream_peer(struct env *env, const struct env_stream *stream) {
    return env->ops->peer(env, stream);
}

#endif
