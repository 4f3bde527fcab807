/* The real world: implements env on libuv, files and threads, for one reactor.
 *
 * The thread that calls runtime_run is the loop's; all functions here are called on it. Two more
 * threads carry out env_work, one a queue. Timers are a timerfd with the kernel's own precision
 * (libuv's round to milliseconds of a cached clock).
 */
#ifndef CAIRN_RUNTIME_RUNTIME_H
#define CAIRN_RUNTIME_RUNTIME_H

#include "base/metrics.h"
#include "env/env.h"

struct runtime;

struct runtime_options {
    /* Half the width of env_wall where the kernel says that the clock is not disciplined. */
    uint64_t wall_error_ns;
    uint64_t linger_stall_ns; /* 0: ENV_LINGER_STALL_NS */
    /* Of the limit of open files; from here on clients' connections are refused. 0: never. */
    uint64_t descriptors_kept;
};

/* Raises the process's limit of open files as far as it may; what it is then. */
uint64_t runtime_open_files_max(void);

/* Also ignores SIGPIPE for the process. */
struct runtime *runtime_new(const struct runtime_options *options);
/* Runs what is still under way to its end, callbacks included, without further turns: closings and
 * background work. Afterwards nothing calls back any more. */
void runtime_settle(struct runtime *runtime);
/* Everything that was built on the env must have been closed before. */
void runtime_free(struct runtime *runtime);
struct env *runtime_env(struct runtime *runtime);

/* Returns after runtime_stop. May be called again. */
void runtime_run(struct runtime *runtime);
/* Appends how long the rounds of the loop took: what is longer keeps heartbeats and all clients
 * waiting. */
void runtime_metrics(const struct runtime *runtime, struct metrics *metrics);
void runtime_stop(struct runtime *runtime);
/* SIGINT or SIGTERM arrived; on the loop. From then on the process no longer ends by them. */
void runtime_on_signal(struct runtime *runtime, void (*arrived)(void *context, int signal),
                       void *context);
/* Likewise SIGHUP. */
void runtime_on_hangup(struct runtime *runtime, void (*arrived)(void *context), void *context);

#endif
