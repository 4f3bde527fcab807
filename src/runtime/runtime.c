#include "runtime/runtime_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/timex.h>
#include <time.h>

#define SECOND 1000000000ull
/* By how much the kernel lets its own error bound grow, and we with it between two looks. */
#define CLOCK_DRIFT_PPM 500u

/* ---- clock and entropy ---- */

static uint64_t clock_ns(clockid_t clock) {
    struct timespec at;
    int result = clock_gettime(clock, &at);
    cairn_assert(result == 0);
    return (uint64_t)at.tv_sec * SECOND + (uint64_t)at.tv_nsec;
}

/* BOOTTIME, which goes on while the machine is suspended: a leader that wakes up must know that its
 * lease is over. MONOTONIC stands still meanwhile. */
uint64_t runtime_now(struct env *env) {
    return clock_ns(RUNTIME_CLOCK);
}

static void look_at_clock(struct runtime *runtime, uint64_t now) {
    struct timex state = {.modes = 0};
    int result = adjtimex(&state);
    runtime->clock_asked = now;
    runtime->clock_bounded = result >= 0 && result != TIME_ERROR && !(state.status & STA_UNSYNC);
    runtime->clock_error_ns =
        runtime->clock_bounded ? (uint64_t)state.maxerror * 1000u : runtime->options.wall_error_ns;
}

struct env_wall runtime_wall(struct env *env) {
    struct runtime *runtime = runtime_of(env);
    uint64_t now = clock_ns(RUNTIME_CLOCK), wall = clock_ns(CLOCK_REALTIME);
    if (runtime->clock_asked == 0 || now - runtime->clock_asked > SECOND)
        look_at_clock(runtime, now);
    uint64_t error = runtime->clock_error_ns;
    if (runtime->clock_bounded)
        error += (now - runtime->clock_asked) / 1000000u * CLOCK_DRIFT_PPM + 1000u;
    return (struct env_wall){.earliest = wall > error ? wall - error : 0,
                             .latest = wall + error,
                             .bounded = runtime->clock_bounded};
}

void runtime_entropy(struct env *env, void *out, size_t len) {
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = getrandom(at, len, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            cairn_fatal("the kernel gives no random bytes: %s", strerror(errno));
        at += got;
        len -= (size_t)got;
    }
}

/* ---- the loop ---- */

static void take_turn(struct runtime *runtime) {
    runtime->turn_due = false;
    if (runtime->turn)
        runtime->turn(runtime->turn_context);
}

/* Behind all callbacks of one round of the loop. */
static void on_check(uv_check_t *check) {
    struct runtime *runtime = check->data;
    uv_idle_stop(&runtime->idle);
    runtime->round++;
    runtime->handshakes_ns = 0; /* those that had to wait have timers, and come first */
    runtime_timer_fire(runtime);
    take_turn(runtime);
}

/* What of the time since the last look was not sleep, the loop was busy with one round. */
static void note_round(struct runtime *runtime) {
    uint64_t now = runtime_now(&runtime->env), idle = uv_metrics_idle_time(&runtime->loop);
    uint64_t passed = now - runtime->looked_ns, slept = idle - runtime->idle_ns;
    uint64_t worked = clock_ns(CLOCK_THREAD_CPUTIME_ID);
    if (runtime->looked_ns != 0) {
        spans_note(&runtime->rounds, passed > slept ? passed - slept : 0);
        spans_note(&runtime->worked, worked - runtime->worked_ns);
    }
    runtime->worked_ns = worked;
    runtime->looked_ns = now;
    runtime->idle_ns = idle;
}

void runtime_metrics(const struct runtime *runtime, struct metrics *metrics) {
    metrics_put_one_span(metrics, METRIC_ROUND_TIME, &runtime->rounds);
    metrics_put_one_span(metrics, METRIC_ROUND_CPU, &runtime->worked);
}

/* Before the loop sleeps: closings come behind the check, and are callbacks too. */
static void on_prepare(uv_prepare_t *prepare) {
    struct runtime *runtime = prepare->data;
    if (runtime->turn_due)
        take_turn(runtime);
    runtime_timer_arm(runtime);
    note_round(runtime);
}

static void on_idle(uv_idle_t *idle) {}

static void set_turn(struct env *env, void (*turn)(void *context), void *context) {
    struct runtime *runtime = runtime_of(env);
    runtime->turn = turn;
    runtime->turn_context = context;
    runtime->turn_due = true;
}

static void wake(struct env *env) {
    uv_idle_start(&runtime_of(env)->idle, on_idle);
}

const struct env_ops runtime_ops = {
    .now = runtime_now,
    .wall = runtime_wall,
    .entropy = runtime_entropy,
    .timer_set = runtime_timer_set,
    .timer_clear = runtime_timer_clear,
    .set_turn = set_turn,
    .wake = wake,
    .work = runtime_work,
    .open = runtime_open,
    .file_close = runtime_file_close,
    .file_is_direct = runtime_file_is_direct,
    .file_size = runtime_file_size,
    .read_at = runtime_read_at,
    .write_at = runtime_write_at,
    .sync = runtime_sync,
    .allocate = runtime_allocate,
    .rename = runtime_rename,
    .remove = runtime_remove,
    .make_folder = runtime_make_folder,
    .sync_folder = runtime_sync_folder,
    .list = runtime_list,
    .lock = runtime_lock,
    .free_space = runtime_free_space,
    .listen = runtime_listen,
    .listener_close = runtime_listener_close,
    .connect = runtime_connect,
    .write = runtime_write,
    .queued = runtime_queued,
    .pause = runtime_pause,
    .close = runtime_close,
    .abort = runtime_abort,
    .peer = runtime_peer,
};

uint64_t runtime_open_files_max(void) {
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0)
        return 0;
    struct rlimit raised = {.rlim_cur = limit.rlim_max, .rlim_max = limit.rlim_max};
    if (limit.rlim_cur < limit.rlim_max && setrlimit(RLIMIT_NOFILE, &raised) == 0)
        limit = raised;
    return limit.rlim_cur;
}

static int crowded_from(const struct runtime_options *options) {
    struct rlimit limit;
    if (options->descriptors_kept == 0 || getrlimit(RLIMIT_NOFILE, &limit) != 0 ||
        limit.rlim_cur > INT_MAX)
        return INT_MAX;
    return limit.rlim_cur > options->descriptors_kept
               ? (int)(limit.rlim_cur - options->descriptors_kept)
               : 0;
}

struct runtime *runtime_new(const struct runtime_options *options) {
    struct runtime *runtime = cairn_alloc_zero(sizeof *runtime);
    runtime->env.ops = &runtime_ops;
    runtime->options = *options;
    if (options->linger_stall_ns == 0)
        runtime->options.linger_stall_ns = ENV_LINGER_STALL_NS;
    runtime->crowded_from = crowded_from(options);
    runtime->round = 1;
    signal(SIGPIPE, SIG_IGN);
    if (uv_loop_init(&runtime->loop) != 0)
        cairn_fatal("cannot make an event loop: %s", strerror(errno));
    uv_loop_configure(&runtime->loop, UV_METRICS_IDLE_TIME);
    uv_prepare_init(&runtime->loop, &runtime->prepare);
    uv_check_init(&runtime->loop, &runtime->check);
    uv_idle_init(&runtime->loop, &runtime->idle);
    runtime->prepare.data = runtime->check.data = runtime;
    uv_prepare_start(&runtime->prepare, on_prepare);
    uv_check_start(&runtime->check, on_check);
    for (size_t i = 0; i < 3; i++)
        uv_signal_init(&runtime->loop, &runtime->signals[i]);
    runtime_timer_open(runtime);
    runtime_work_open(runtime);
    return runtime;
}

struct env *runtime_env(struct runtime *runtime) {
    return &runtime->env;
}

void runtime_run(struct runtime *runtime) {
    uv_run(&runtime->loop, UV_RUN_DEFAULT);
}

void runtime_stop(struct runtime *runtime) {
    uv_stop(&runtime->loop);
}

static void on_signal(uv_signal_t *handle, int signal) {
    struct runtime *runtime = handle->data;
    runtime->turn_due = true;
    runtime->signal_arrived(runtime->signal_context, signal);
}

void runtime_on_signal(struct runtime *runtime, void (*arrived)(void *context, int signal),
                       void *context) {
    static const int numbers[] = {SIGINT, SIGTERM};
    runtime->signal_arrived = arrived;
    runtime->signal_context = context;
    for (size_t i = 0; i < 2; i++) {
        runtime->signals[i].data = runtime;
        uv_signal_start(&runtime->signals[i], on_signal, numbers[i]);
    }
}

static void on_hangup(uv_signal_t *handle, int signal) {
    struct runtime *runtime = handle->data;
    runtime->turn_due = true;
    runtime->hangup_arrived(runtime->hangup_context);
}

void runtime_on_hangup(struct runtime *runtime, void (*arrived)(void *context), void *context) {
    runtime->hangup_arrived = arrived;
    runtime->hangup_context = context;
    runtime->signals[2].data = runtime;
    uv_signal_start(&runtime->signals[2], on_hangup, SIGHUP);
}

void runtime_settle(struct runtime *runtime) {
    runtime->turn = NULL;
    runtime->settling = true;
    while (runtime->works > 0 || runtime->streams > 0)
        uv_run(&runtime->loop, UV_RUN_ONCE);
}

void runtime_free(struct runtime *runtime) {
    runtime_settle(runtime);
    runtime_work_close(runtime);
    runtime_timer_close(runtime);
    uv_close((uv_handle_t *)&runtime->prepare, NULL);
    uv_close((uv_handle_t *)&runtime->check, NULL);
    uv_close((uv_handle_t *)&runtime->idle, NULL);
    for (size_t i = 0; i < 3; i++)
        uv_close((uv_handle_t *)&runtime->signals[i], NULL);
    while (uv_run(&runtime->loop, UV_RUN_DEFAULT) != 0)
        ;
    int result = uv_loop_close(&runtime->loop);
    cairn_assert(result == 0);
    cairn_free(runtime->heap);
    cairn_free(runtime);
}
