#include "sim/sim_host.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "sim/sim_net.h"

#include <stdio.h>
#include <string.h>

void sim_host_open(struct sim_host *host, struct sim_world *world, struct sim_net *net, unsigned id,
                   const char *name, const struct sim_profile *profile) {
    memset(host, 0, sizeof *host);
    host->env.ops = &sim_env_ops;
    host->world = world;
    host->net = net;
    host->id = id;
    snprintf(host->name, sizeof host->name, "%s", name);
    host->profile = *profile;
    host->disk_factor = 1;
    host->clock_base = sim_below(world, 1000000) * SIM_MS;
    host->clock_since = world->now;
    host->round_at = SIM_NEVER;
    list_init(&host->inbox);
    list_init(&host->listeners);
    list_init(&host->ends);
    list_init(&host->all_jobs);
    for (int i = 0; i < ENV_QUEUE_COUNT; i++)
        list_init(&host->queues[i]);
    sim_disk_open(&host->disk, world, host->name);
}

void sim_host_close(struct sim_host *host) {
    cairn_assert(!host->runs);
    sim_env_free_jobs(host);
    sim_disk_close(&host->disk);
    cairn_free(host->timers);
}

/* ---- clock ---- */

uint64_t sim_host_clock(const struct sim_host *host) {
    int64_t passed = (int64_t)(host->world->now + host->stall_ns - host->clock_since);
    int64_t error = host->off ? passed * host->profile.rate_ppm / 1000000
                              : passed / 1000 * host->profile.rate_ppm / 1000;
    return host->clock_base + (uint64_t)(passed + error);
}

void sim_host_rate(struct sim_host *host, int64_t ppm) {
    uint64_t stall = host->stall_ns, now = host->world->now;
    /* A process that was stopped in its middle has seen the clock as it is when it goes on. */
    uint64_t from = host->stalled_until > now ? host->stalled_until : now;
    host->stall_ns = from - now;
    host->clock_base = sim_host_clock(host);
    host->clock_since = from;
    host->stall_ns = stall;
    host->profile.rate_ppm = ppm;
    sim_host_ring(host);
}

void sim_host_jump(struct sim_host *host, uint64_t ns) {
    host->clock_base += ns;
    sim_host_ring(host);
}

/* The virtual time at which the host's clock shows `clock`, or a little later. */
static uint64_t when(const struct sim_host *host, uint64_t clock) {
    uint64_t shown = sim_host_clock(host);
    if (clock <= shown)
        return host->world->now;
    if (clock - shown > 1000 * 3600 * SIM_S || host->profile.rate_ppm <= -1000000)
        return SIM_NEVER;
    uint64_t left = clock - shown;
    if (host->profile.rate_ppm < 0) {
        uint64_t slow = (uint64_t)-host->profile.rate_ppm;
        left += left / (1000000 - slow) * slow + 2 * slow + 2000;
    }
    return host->world->now + host->stall_ns + left + 1;
}

/* ---- the loop ---- */

static void round_due(void *target, uint64_t number);

static void plan(struct sim_host *host, uint64_t time) {
    if (time < host->busy_until)
        time = host->busy_until;
    if (time >= host->round_at)
        return;
    host->round_at = time;
    sim_at(host->world, time, round_due, host, ++host->round_number);
}

static void plan_next(struct sim_host *host) {
    if (!host->runs || host->paused || host->in_round)
        return;
    if (host->woken || !list_empty(&host->inbox))
        plan(host, host->world->now);
    else if (host->timer_count > 0)
        plan(host, when(host, host->timers[0]->deadline));
}

void sim_host_ring(struct sim_host *host) {
    plan_next(host);
}

void sim_host_input(struct sim_host *host, struct sim_input *input) {
    if (!list_empty(&input->link))
        return;
    list_push(&host->inbox, &input->link);
    plan_next(host);
}

static void fire_timers(struct sim_host *host) {
    uint64_t now = sim_host_clock(host);
    for (size_t left = host->timer_count; left > 0 && host->runs && !host->dying; left--) {
        if (host->timer_count == 0 || host->timers[0]->deadline > now)
            break;
        struct env_timer *timer = host->timers[0];
        env_timer_clear(&host->env, timer);
        sim_note(host->world, SIM_TIMER, host->id, timer->order);
        timer->fire(timer);
    }
}

/* What came while the batch is delivered waits for the next round. */
static void deliver_inbox(struct sim_host *host) {
    struct list batch;
    list_init(&batch);
    while (!list_empty(&host->inbox)) {
        struct list *first = list_first(&host->inbox);
        list_remove(first);
        list_push(&batch, first);
    }
    while (!list_empty(&batch)) {
        struct sim_input *input = container_of(list_first(&batch), struct sim_input, link);
        list_remove(&input->link);
        if (host->runs && !host->dying)
            input->deliver(input);
    }
}

static void go_round(struct sim_host *host) {
    bool timers_first = sim_chance(host->world, 1, 2);
    host->in_round = true;
    host->woken = false;
    sim_note(host->world, SIM_RUN, host->id, host->timer_count);
    if (timers_first)
        fire_timers(host);
    deliver_inbox(host);
    if (!timers_first)
        fire_timers(host);
    if (host->turn != NULL && !host->dying)
        host->turn(host->turn_context);
    uint64_t turn_ns = host->profile.turn_ns;
    host->busy_until =
        host->world->now + host->stall_ns + turn_ns / 2 + sim_below(host->world, turn_ns + 1);
    if (host->stall_ns > 0)
        host->stalled_until = host->world->now + host->stall_ns;
    host->stall_ns = 0;
    host->in_round = false;
}

static void round_due(void *target, uint64_t number) {
    struct sim_host *host = target;
    if (number != host->round_number)
        return;
    host->round_at = SIM_NEVER;
    if (!host->runs || host->paused)
        return;
    go_round(host);
    if (host->after_round != NULL)
        host->after_round(host->after_context);
    plan_next(host);
}

void sim_host_pause(struct sim_host *host, bool paused) {
    host->paused = paused;
    if (paused)
        host->paused_at = host->world->now;
    else if (host->clock_stops)
        host->clock_base -= host->world->now - host->paused_at;
    if (paused) {
        host->round_number++; /* what was planned is not any more */
        host->round_at = SIM_NEVER;
    } else {
        plan_next(host);
    }
}

/* ---- the life of a process ---- */

void sim_host_start(struct sim_host *host) {
    cairn_assert(!host->runs && host->timer_count == 0);
    host->runs = true;
    host->paused = host->dying = false;
    host->kill_in_calls = host->stall_after = host->stall_ns = host->stalled_until = 0;
    host->woken = false;
    host->busy_until = host->world->now;
}

void sim_host_kill(struct sim_host *host, bool silent) {
    cairn_assert(!host->in_round);
    host->runs = false;
    host->dying = true;
    host->disk.dead = true;
    host->turn = NULL;
    host->round_number++;
    host->round_at = SIM_NEVER;
    while (host->timer_count > 0)
        host->timers[--host->timer_count]->heap_at = 0;
    while (!list_empty(&host->inbox))
        list_remove(list_first(&host->inbox));
    sim_net_host_gone(host, silent);
    for (int i = 0; i < ENV_QUEUE_COUNT; i++) {
        list_init(&host->queues[i]);
        host->jobs[i] = NULL; /* its planned end, or the host's, frees it */
    }
}

void sim_host_settle(struct sim_host *host, bool tear, bool keep) {
    sim_disk_crash(&host->disk, tear, keep);
}

bool sim_host_ends_here(struct sim_host *host) {
    if (host->dying || !host->runs)
        return true;
    if (host->kill_in_calls > 0 && --host->kill_in_calls == 0) {
        host->dying = true;
        host->disk.dead = true;
        sim_log(host->world, host->name, "killed in the middle of a round");
    }
    return host->dying;
}
