/* Timers: a binary heap by (deadline, order), and one timerfd for the earliest of them. */

#include "runtime/runtime_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <errno.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

static bool before(const struct env_timer *a, const struct env_timer *b) {
    return a->deadline < b->deadline || (a->deadline == b->deadline && a->order < b->order);
}

static void place(struct runtime *runtime, size_t at, struct env_timer *timer) {
    runtime->heap[at] = timer;
    timer->heap_at = at;
}

static void rise(struct runtime *runtime, size_t at, struct env_timer *timer) {
    while (at > 1 && before(timer, runtime->heap[at / 2])) {
        place(runtime, at, runtime->heap[at / 2]);
        at /= 2;
    }
    place(runtime, at, timer);
}

static void sink(struct runtime *runtime, size_t at, struct env_timer *timer) {
    for (;;) {
        size_t child = 2 * at;
        if (child > runtime->heap_count)
            break;
        if (child < runtime->heap_count && before(runtime->heap[child + 1], runtime->heap[child]))
            child++;
        if (!before(runtime->heap[child], timer))
            break;
        place(runtime, at, runtime->heap[child]);
        at = child;
    }
    place(runtime, at, timer);
}

void runtime_timer_clear(struct env *env, struct env_timer *timer) {
    struct runtime *runtime = runtime_of(env);
    size_t at = timer->heap_at;
    if (at == 0)
        return;
    cairn_assert(at <= runtime->heap_count && runtime->heap[at] == timer);
    timer->heap_at = 0;
    struct env_timer *last = runtime->heap[runtime->heap_count--];
    if (last == timer)
        return;
    if (at > 1 && before(last, runtime->heap[at / 2]))
        rise(runtime, at, last);
    else
        sink(runtime, at, last);
}

void runtime_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline) {
    struct runtime *runtime = runtime_of(env);
    runtime_timer_clear(env, timer);
    timer->deadline = deadline;
    timer->order = runtime->timer_order++;
    if (runtime->heap_count + 1 >= runtime->heap_cap) {
        runtime->heap_cap = runtime->heap_cap ? runtime->heap_cap * 2 : 64;
        runtime->heap = cairn_realloc(runtime->heap, runtime->heap_cap * sizeof *runtime->heap);
    }
    rise(runtime, ++runtime->heap_count, timer);
}

/* Those set by a timer that fires wait for the next round, so that no round is without end. */
void runtime_timer_fire(struct runtime *runtime) {
    if (runtime->heap_count == 0)
        return;
    uint64_t now = runtime_now(&runtime->env), orders = runtime->timer_order;
    while (runtime->heap_count > 0) {
        struct env_timer *timer = runtime->heap[1];
        if (timer->deadline > now || timer->order >= orders)
            return;
        runtime_timer_clear(&runtime->env, timer);
        timer->fire(timer);
    }
}

/* Set only to an earlier time: being woken once too often is cheaper than a call each time that
 * the earliest deadline moves away. */
void runtime_timer_arm(struct runtime *runtime) {
    if (runtime->heap_count == 0 || runtime->heap[1]->deadline >= runtime->armed)
        return;
    uint64_t at = runtime->heap[1]->deadline ? runtime->heap[1]->deadline : 1;
    /* Beyond what the kernel takes: a deadline for ever needs no wake-up. */
    if (at > INT64_MAX)
        return;
    struct itimerspec spec = {
        .it_value = {.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)}};
    int result = timerfd_settime(runtime->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
    cairn_assert(result == 0);
    runtime->armed = at;
}

static void on_timer(uv_poll_t *poll, int status, int events) {
    struct runtime *runtime = poll->data;
    uint64_t expirations;
    ssize_t got = read(runtime->timer_fd, &expirations, sizeof expirations);
    if (got == (ssize_t)sizeof expirations)
        runtime->armed = UINT64_MAX;
}

void runtime_timer_open(struct runtime *runtime) {
    runtime->armed = UINT64_MAX;
    runtime->timer_fd = timerfd_create(RUNTIME_CLOCK, TFD_NONBLOCK | TFD_CLOEXEC);
    if (runtime->timer_fd < 0)
        cairn_fatal("cannot make a timer: %s", strerror(errno));
    uv_poll_init(&runtime->loop, &runtime->timer_poll, runtime->timer_fd);
    runtime->timer_poll.data = runtime;
    uv_poll_start(&runtime->timer_poll, UV_READABLE, on_timer);
}

static void on_closed(uv_handle_t *handle) {
    struct runtime *runtime = handle->data;
    close(runtime->timer_fd);
}

void runtime_timer_close(struct runtime *runtime) {
    uv_close((uv_handle_t *)&runtime->timer_poll, on_closed);
}
