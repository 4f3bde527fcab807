/* Shared by the files of the runtime. */
#ifndef CAIRN_RUNTIME_INTERNAL_H
#define CAIRN_RUNTIME_INTERNAL_H

#include "base/spans.h"
#include "runtime/runtime.h"

#include <uv.h>

/* One read buffer for all connections: an idle connection owns none. */
#define RUNTIME_READ_BYTES 262144u
/* A reader may have to keep what it can't take at once: all connections together are handed
 * about this much at a time. */
#define RUNTIME_READ_SHARE_BYTES (4u << 20)
#define RUNTIME_READ_BYTES_MIN 512u

/* The clock of env_now and of all timers. */
#define RUNTIME_CLOCK CLOCK_BOOTTIME

struct runtime_queue {
    struct runtime *runtime;
    uv_thread_t thread;
    uv_mutex_t mutex;
    uv_cond_t cond;
    struct list works;
    bool stopping;
};

struct runtime {
    struct env env;
    struct runtime_options options;
    uv_loop_t loop;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle;         /* active: the loop must not sleep */
    uv_signal_t signals[3]; /* the last: SIGHUP */
    void (*signal_arrived)(void *context, int signal);
    void *signal_context;
    void (*hangup_arrived)(void *context);
    void *hangup_context;
    void (*turn)(void *context);
    void *turn_context;
    bool turn_due; /* a callback ran since the last turn */

    struct spans rounds;         /* from waking up to going to sleep again */
    struct spans worked;         /* the same by the thread's own processor time */
    uint64_t looked_ns, idle_ns; /* when the loop last went to sleep, and how long it had slept */
    uint64_t worked_ns;          /* processor time of the loop's thread until then */

    struct env_timer **heap; /* heap[1..heap_count] */
    size_t heap_count;
    size_t heap_cap;
    uint64_t timer_order;
    uint64_t armed; /* what the timerfd waits for; UINT64_MAX: nothing */
    int timer_fd;
    uv_poll_t timer_poll;

    struct runtime_queue queues[ENV_QUEUE_COUNT];
    uv_async_t async;
    uv_mutex_t done_mutex;
    struct list done;
    size_t works; /* handed in and not done */

    uint64_t clock_asked; /* monotonic ns of the last look at the kernel's error bound; 0: none */
    uint64_t clock_error_ns;
    bool clock_bounded;

    bool settling;          /* runtime_settle: no peer is waited for that has all it was sent */
    int crowded_from;       /* the descriptor; INT_MAX: none */
    size_t streams;         /* connections not yet freed */
    uint64_t round;         /* of the loop; the first is 1 */
    uint64_t handshakes_ns; /* spent on TLS handshakes in this round */
    uint8_t read_buffer[RUNTIME_READ_BYTES];
};

static inline struct runtime *runtime_of(struct env *env) {
    return container_of(env, struct runtime, env);
}

uint64_t runtime_now(struct env *env);
struct env_wall runtime_wall(struct env *env);
void runtime_entropy(struct env *env, void *out, size_t len);

void runtime_timer_open(struct runtime *runtime);
void runtime_timer_close(struct runtime *runtime);
void runtime_timer_arm(struct runtime *runtime);
void runtime_timer_fire(struct runtime *runtime);
void runtime_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline);
void runtime_timer_clear(struct env *env, struct env_timer *timer);

void runtime_work_open(struct runtime *runtime);
/* Runs what is queued to its end. */
void runtime_work_close(struct runtime *runtime);
void runtime_work(struct env *env, enum env_queue queue, struct env_work *work);

enum cairn_status runtime_status(int uv_error);

extern const struct env_ops runtime_ops;

enum cairn_status runtime_open(struct env *env, const char *path, unsigned flags,
                               struct env_file **file);
void runtime_file_close(struct env *env, struct env_file *file);
bool runtime_file_is_direct(struct env *env, struct env_file *file);
enum cairn_status runtime_file_size(struct env *env, struct env_file *file, uint64_t *size);
enum cairn_status runtime_read_at(struct env *env, struct env_file *file, uint64_t offset,
                                  void *out, size_t len);
enum cairn_status runtime_write_at(struct env *env, struct env_file *file, uint64_t offset,
                                   const void *data, size_t len);
enum cairn_status runtime_sync(struct env *env, struct env_file *file);
enum cairn_status runtime_allocate(struct env *env, struct env_file *file, uint64_t size);
enum cairn_status runtime_rename(struct env *env, const char *from, const char *to);
enum cairn_status runtime_remove(struct env *env, const char *path);
enum cairn_status runtime_make_folder(struct env *env, const char *path);
enum cairn_status runtime_sync_folder(struct env *env, const char *path);
enum cairn_status runtime_list(struct env *env, const char *path, env_list_visit *visit,
                               void *context);
enum cairn_status runtime_lock(struct env *env, const char *path, struct env_file **file);
enum cairn_status runtime_free_space(struct env *env, const char *path, uint64_t *bytes);

/* "host:port", "[::1]:port". False: not of that form, or the host is a name (left in host). */
struct runtime_address {
    char host[256];
    char port[8];
    struct sockaddr_storage socket;
    bool numeric;
};
bool runtime_address_parse(const char *text, struct runtime_address *address);
enum cairn_status runtime_listen(struct env *env, const char *address,
                                 struct env_listener *listener);
void runtime_listener_close(struct env *env, struct env_listener *listener);
void runtime_connect(struct env *env, const char *address, struct env_stream *stream);
void runtime_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                   size_t count);
size_t runtime_queued(struct env *env, const struct env_stream *stream);
void runtime_pause(struct env *env, struct env_stream *stream, bool paused);
void runtime_close(struct env *env, struct env_stream *stream);
void runtime_abort(struct env *env, struct env_stream *stream);
const char *runtime_peer(struct env *env, const struct env_stream *stream);

#endif
