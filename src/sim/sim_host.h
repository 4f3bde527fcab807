/* A machine of the virtual world: an env for whatever process runs on it, with a clock of its own,
 * timers, background work, a disk and sockets. The process may end at any moment (sim_host_kill);
 * the machine, its clock and its disk go on.
 *
 * The process's loop goes round when something waits for it and the last round is over: then due
 * timers, ended work and network events are delivered in one batch, and the turn function is
 * called.
 */
#ifndef CAIRN_SIM_HOST_H
#define CAIRN_SIM_HOST_H

#include "sim/sim_disk.h"

struct sim_net;
struct sim_host;

/* Something that waits for a host's loop. Embedded in its owner. */
struct sim_input {
    struct list link;
    void (*deliver)(struct sim_input *input);
};

/* What the machine is like: drawn for each run. Latencies in ns. */
struct sim_profile {
    uint64_t turn_ns; /* a round of the loop takes about this */
    uint64_t sync_ns; /* a durable write */
    uint64_t read_ns;
    uint64_t bytes_per_us;  /* of the disk */
    bool direct_works;      /* the file system knows direct writes */
    int64_t rate_ppm;       /* error of the monotonic clock */
    uint64_t wall_bound_ns; /* half of the interval that wall time is told as */
};

struct sim_host {
    struct env env; /* first */
    struct sim_world *world;
    struct sim_net *net;
    unsigned id; /* from 1; the network's place of it */
    char name[8];
    bool runs;   /* a process is there */
    bool paused; /* stopped by a signal: time goes on, nothing is delivered */
    uint64_t paused_at;
    bool off;         /* its clock is out of its bound */
    bool clock_stops; /* a seeded bug: not while it is paused */
    struct sim_profile profile;
    struct sim_disk disk;

    /* clock */
    uint64_t clock_base, clock_since; /* monotonic time at a virtual time, for the rate */
    int64_t wall_offset_ns;
    uint64_t stalled_until;
    uint64_t stall_ns;    /* the running round was stopped in its middle for so long */
    uint64_t stall_after; /* look at the clock this many times, then stop; 0: no */
    uint64_t stall_length;

    /* timers: a binary heap, places counted from 1 */
    struct env_timer **timers;
    size_t timer_count, timer_cap;
    uint64_t timer_order;

    /* the loop */
    void (*turn)(void *context);
    void *turn_context;
    struct list inbox; /* struct sim_input */
    bool in_round, woken;
    uint64_t busy_until;
    uint64_t round_at;                  /* when the next round is planned; SIM_NEVER: not */
    uint64_t round_number;              /* tells a planned round from one that was replaced */
    void (*after_round)(void *context); /* the cluster's look at what became of it */
    void *after_context;

    /* background work */
    struct list queues[ENV_QUEUE_COUNT];   /* env_work, waiting */
    struct sim_job *jobs[ENV_QUEUE_COUNT]; /* running */
    struct list all_jobs; /* those of processes that are gone too, until their time */
    uint64_t works;
    uint64_t disk_factor;     /* slower by this; 1: as the profile says */
    uint64_t disk_hung_until; /* nothing ends before */

    /* kill points: the process ends at the n-th call of the env from now; 0: no */
    uint64_t kill_in_calls;
    bool dying; /* it ends when the callback that runs returns; nothing has an effect any more */

    struct list listeners; /* struct sim_listener */
    struct list ends;      /* struct sim_end */
};

void sim_host_open(struct sim_host *host, struct sim_world *world, struct sim_net *net, unsigned id,
                   const char *name, const struct sim_profile *profile);
void sim_host_close(struct sim_host *host);

/* A process begins: the env may be used. */
void sim_host_start(struct sim_host *host);
/* The process ends here: nothing is delivered any more, nothing that it calls has an effect. What
 * it was made of may then be freed (node_close), and after that sim_host_settle. */
void sim_host_kill(struct sim_host *host, bool silent);
/* The disk after the end of a process: see sim_disk_crash. */
void sim_host_settle(struct sim_host *host, bool tear, bool keep);
void sim_host_pause(struct sim_host *host, bool paused);
/* Plans a round. */
void sim_host_ring(struct sim_host *host);
void sim_host_input(struct sim_host *host, struct sim_input *input);

uint64_t sim_host_clock(const struct sim_host *host);
/* From now on the monotonic clock runs at this rate. */
void sim_host_rate(struct sim_host *host, int64_t ppm);
/* It has gone on by so much at once; the wall clock has not. */
void sim_host_jump(struct sim_host *host, uint64_t ns);

/* Counts a call with an effect; true: it has none, for the process is ending. */
bool sim_host_ends_here(struct sim_host *host);

/* sim_env.c */
void sim_env_free_jobs(struct sim_host *host);
/* For how long the oldest background work has been under way. */
uint64_t sim_env_longest_job(const struct sim_host *host);
extern const struct env_ops sim_env_ops;

#endif
