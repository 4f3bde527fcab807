/* Background work: one thread a queue, first in, first out; completions go to the loop. */

#include "runtime/runtime_internal.h"

#include "base/assert.h"

#include <sys/resource.h>
#include <unistd.h>

#define BULK_NICE 10

static void finish(struct runtime *runtime, struct env_work *work) {
    uv_mutex_lock(&runtime->done_mutex);
    bool first = list_empty(&runtime->done);
    list_push(&runtime->done, &work->link);
    uv_mutex_unlock(&runtime->done_mutex);
    /* While some wait, the loop has been told already. */
    if (first)
        uv_async_send(&runtime->async);
}

static void serve(void *argument) {
    struct runtime_queue *queue = argument;
    /* Bulk work takes what the loop and the log leave: on Linux niceness is of the thread. */
    if (queue == &queue->runtime->queues[ENV_QUEUE_BULK])
        setpriority(PRIO_PROCESS, (id_t)gettid(), BULK_NICE);
    uv_mutex_lock(&queue->mutex);
    for (;;) {
        struct list *at;
        while ((at = list_first(&queue->works)) == NULL && !queue->stopping)
            uv_cond_wait(&queue->cond, &queue->mutex);
        if (at == NULL)
            break;
        list_remove(at);
        uv_mutex_unlock(&queue->mutex);
        struct env_work *work = container_of(at, struct env_work, link);
        work->run(work);
        finish(queue->runtime, work);
        uv_mutex_lock(&queue->mutex);
    }
    uv_mutex_unlock(&queue->mutex);
}

static void on_async(uv_async_t *async) {
    struct runtime *runtime = async->data;
    struct list ready;
    list_init(&ready);
    uv_mutex_lock(&runtime->done_mutex);
    while (!list_empty(&runtime->done)) {
        struct list *at = list_first(&runtime->done);
        list_remove(at);
        list_push(&ready, at);
    }
    uv_mutex_unlock(&runtime->done_mutex);
    runtime->turn_due = true;
    while (!list_empty(&ready)) {
        struct list *at = list_first(&ready);
        struct env_work *work = container_of(at, struct env_work, link);
        list_remove(at);
        cairn_assert(runtime->works > 0);
        runtime->works--;
        work->done(work);
    }
}

void runtime_work(struct env *env, enum env_queue which, struct env_work *work) {
    struct runtime *runtime = runtime_of(env);
    struct runtime_queue *queue = &runtime->queues[which];
    runtime->works++;
    uv_mutex_lock(&queue->mutex);
    list_push(&queue->works, &work->link);
    uv_mutex_unlock(&queue->mutex);
    uv_cond_signal(&queue->cond); /* behind the lock, or the thread would wake up to wait for it */
}

void runtime_work_open(struct runtime *runtime) {
    list_init(&runtime->done);
    runtime->async.data = runtime;
    int result = uv_async_init(&runtime->loop, &runtime->async, on_async);
    result |= uv_mutex_init(&runtime->done_mutex);
    for (unsigned i = 0; i < ENV_QUEUE_COUNT; i++) {
        struct runtime_queue *queue = &runtime->queues[i];
        queue->runtime = runtime;
        list_init(&queue->works);
        result |= uv_mutex_init(&queue->mutex) | uv_cond_init(&queue->cond);
        result |= uv_thread_create(&queue->thread, serve, queue);
    }
    if (result != 0)
        cairn_fatal("cannot start the threads for disk work");
}

void runtime_work_close(struct runtime *runtime) {
    cairn_assert(runtime->works == 0);
    for (unsigned i = 0; i < ENV_QUEUE_COUNT; i++) {
        struct runtime_queue *queue = &runtime->queues[i];
        uv_mutex_lock(&queue->mutex);
        queue->stopping = true;
        uv_cond_signal(&queue->cond);
        uv_mutex_unlock(&queue->mutex);
        uv_thread_join(&queue->thread);
        uv_cond_destroy(&queue->cond);
        uv_mutex_destroy(&queue->mutex);
    }
    uv_mutex_destroy(&runtime->done_mutex);
    uv_close((uv_handle_t *)&runtime->async, NULL);
}
