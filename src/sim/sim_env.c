/* env.h as a machine of the virtual world has it: clock, timers, work and the way to disk and
 * network. */
#include "base/alloc.h"
#include "base/assert.h"
#include "sim/sim_host.h"
#include "sim/sim_net.h"

#include <string.h>

#define WALL_START_NS 1800000000000000000ull /* some day in 2027 */

static struct sim_host *host_of(struct env *env) {
    return container_of(env, struct sim_host, env);
}

/* ---- clock and entropy ---- */

static uint64_t do_now(struct env *env) {
    struct sim_host *host = host_of(env);
    if (host->stall_after > 0 && host->in_round && --host->stall_after == 0) {
        host->stall_ns = host->stall_length;
        sim_log(host->world, host->name, "stopped in the middle of a round for %llu ms",
                (unsigned long long)(host->stall_length / SIM_MS));
    }
    return sim_host_clock(host);
}

static struct env_wall do_wall(struct env *env) {
    struct sim_host *host = host_of(env);
    uint64_t wall = WALL_START_NS + sim_host_clock(host) - host->clock_base + host->clock_since +
                    (uint64_t)host->wall_offset_ns;
    uint64_t bound = host->profile.wall_bound_ns;
    return (struct env_wall){wall - bound, wall + bound, true};
}

static void do_entropy(struct env *env, void *out, size_t len) {
    struct sim_host *host = host_of(env);
    for (size_t at = 0; at < len; at++)
        ((uint8_t *)out)[at] = (uint8_t)sim_below(host->world, 256);
}

/* ---- timers ---- */

static bool timer_before(const struct env_timer *a, const struct env_timer *b) {
    return a->deadline != b->deadline ? a->deadline < b->deadline : a->order < b->order;
}

static void timer_put(struct sim_host *host, size_t at, struct env_timer *timer) {
    host->timers[at - 1] = timer;
    timer->heap_at = at;
}

static void timer_rise(struct sim_host *host, size_t at) {
    struct env_timer *timer = host->timers[at - 1];
    while (at > 1 && timer_before(timer, host->timers[at / 2 - 1])) {
        timer_put(host, at, host->timers[at / 2 - 1]);
        at /= 2;
    }
    timer_put(host, at, timer);
}

static void timer_sink(struct sim_host *host, size_t at) {
    struct env_timer *timer = host->timers[at - 1];
    for (;;) {
        size_t child = at * 2;
        if (child > host->timer_count)
            break;
        if (child < host->timer_count && timer_before(host->timers[child], host->timers[child - 1]))
            child++;
        if (!timer_before(host->timers[child - 1], timer))
            break;
        timer_put(host, at, host->timers[child - 1]);
        at = child;
    }
    timer_put(host, at, timer);
}

static void do_timer_clear(struct env *env, struct env_timer *timer) {
    struct sim_host *host = host_of(env);
    size_t at = timer->heap_at;
    if (at == 0)
        return;
    cairn_assert(at <= host->timer_count && host->timers[at - 1] == timer);
    struct env_timer *last = host->timers[--host->timer_count];
    timer->heap_at = 0;
    if (last == timer)
        return;
    timer_put(host, at, last);
    timer_rise(host, at);
    timer_sink(host, last->heap_at);
}

static void do_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline) {
    struct sim_host *host = host_of(env);
    do_timer_clear(env, timer);
    if (!host->runs)
        return;
    timer->deadline = deadline;
    timer->order = ++host->timer_order;
    if (host->timer_count == host->timer_cap) {
        host->timer_cap = host->timer_cap ? host->timer_cap * 2 : 16;
        host->timers = cairn_realloc(host->timers, host->timer_cap * sizeof(struct env_timer *));
    }
    host->timers[host->timer_count++] = timer;
    timer_rise(host, host->timer_count);
    sim_host_ring(host);
}

/* ---- the loop ---- */

static void do_set_turn(struct env *env, void (*turn)(void *context), void *context) {
    struct sim_host *host = host_of(env);
    host->turn = turn;
    host->turn_context = context;
}

static void do_wake(struct env *env) {
    struct sim_host *host = host_of(env);
    host->woken = true;
    sim_host_ring(host);
}

/* ---- background work ---- */

struct sim_job {
    struct list all; /* host->all_jobs */
    struct sim_input input;
    struct sim_host *host;
    struct env_work *work;
    enum env_queue queue;
    uint64_t began_at;
};

#define HANG_LOOK_NS (20 * SIM_MS)
#define WORK_LATE_NS (4 * SIM_MS)

static void job_start(struct sim_host *host, enum env_queue queue);

static void job_free(struct sim_job *job) {
    list_remove(&job->all);
    cairn_free(job);
}

void sim_env_free_jobs(struct sim_host *host) {
    while (!list_empty(&host->all_jobs))
        job_free(container_of(list_first(&host->all_jobs), struct sim_job, all));
}

uint64_t sim_env_longest_job(const struct sim_host *host) {
    uint64_t longest = 0;
    for (int i = 0; i < ENV_QUEUE_COUNT; i++)
        if (host->jobs[i] != NULL && host->world->now - host->jobs[i]->began_at > longest)
            longest = host->world->now - host->jobs[i]->began_at;
    return longest;
}

static void job_deliver(struct sim_input *input) {
    struct sim_job *job = container_of(input, struct sim_job, input);
    struct sim_host *host = job->host;
    struct env_work *work = job->work;
    host->jobs[job->queue] = NULL;
    sim_note(host->world, SIM_WORK, host->id, (uint64_t)job->queue);
    sim_disk_work_end(&host->disk, work);
    job_start(host, job->queue);
    job_free(job);
    work->done(work);
}

static void job_ended(void *target, uint64_t number) {
    struct sim_job *job = target;
    struct sim_host *host = job->host;
    if (host->jobs[job->queue] != job) { /* the process that had it is gone */
        job_free(job);
        return;
    }
    if (host->disk_hung_until > host->world->now) { /* a hang may be healed before its time */
        uint64_t look_at = host->world->now + HANG_LOOK_NS;
        sim_at(host->world, look_at < host->disk_hung_until ? look_at : host->disk_hung_until,
               job_ended, job, 0);
        return;
    }
    sim_host_input(host, &job->input);
}

static uint64_t job_latency(struct sim_host *host) {
    const struct sim_disk *disk = &host->disk;
    const struct sim_profile *profile = &host->profile;
    uint64_t ns = 2 * SIM_US + disk->work_syncs * profile->sync_ns +
                  disk->work_reads * profile->read_ns +
                  disk->work_bytes * 1000 / profile->bytes_per_us;
    ns = ns / 2 + sim_below(host->world, ns + 1);
    if (sim_chance(host->world, 1, 500)) /* the medium's own housekeeping */
        ns *= 20;
    if (rare_hit(host->world->rare, RARE_ENV_WORK_LATE))
        ns += WORK_LATE_NS;
    return ns * host->disk_factor;
}

static void job_start(struct sim_host *host, enum env_queue queue) {
    if (host->jobs[queue] != NULL || list_empty(&host->queues[queue]) || host->dying)
        return;
    struct list *first = list_first(&host->queues[queue]);
    list_remove(first);
    struct sim_job *job = cairn_alloc_zero(sizeof *job);
    job->host = host;
    job->work = container_of(first, struct env_work, link);
    job->queue = queue;
    job->began_at = host->world->now;
    job->input.deliver = job_deliver;
    list_init(&job->input.link);
    list_push(&host->all_jobs, &job->all);
    host->jobs[queue] = job;
    host->works++;
    sim_disk_work_begin(&host->disk, job->work);
    job->work->run(job->work);
    sim_disk_work_ran(&host->disk);
    sim_at(host->world, host->world->now + host->stall_ns + job_latency(host), job_ended, job, 0);
}

static void do_work(struct env *env, enum env_queue queue, struct env_work *work) {
    struct sim_host *host = host_of(env);
    if (sim_host_ends_here(host)) {
        list_init(&work->link);
        return;
    }
    list_push(&host->queues[queue], &work->link);
    job_start(host, queue);
}

/* ---- disk ---- */

static enum cairn_status do_open(struct env *env, const char *path, unsigned flags,
                                 struct env_file **file) {
    struct sim_host *host = host_of(env);
    return sim_disk_open_file(&host->disk, path, flags, host->profile.direct_works, file);
}

static void do_file_close(struct env *env, struct env_file *file) {
    sim_disk_close_file(&host_of(env)->disk, file);
}

static bool do_file_is_direct(struct env *env, struct env_file *file) {
    return sim_disk_is_direct(file);
}

static enum cairn_status do_file_size(struct env *env, struct env_file *file, uint64_t *size) {
    return sim_disk_size(file, size);
}

static enum cairn_status do_read_at(struct env *env, struct env_file *file, uint64_t offset,
                                    void *out, size_t len) {
    return sim_disk_read(&host_of(env)->disk, file, offset, out, len);
}

static enum cairn_status do_write_at(struct env *env, struct env_file *file, uint64_t offset,
                                     const void *data, size_t len) {
    sim_host_ends_here(host_of(env));
    return sim_disk_write(&host_of(env)->disk, file, offset, data, len);
}

static enum cairn_status do_sync(struct env *env, struct env_file *file) {
    sim_host_ends_here(host_of(env));
    return sim_disk_sync(&host_of(env)->disk, file);
}

static enum cairn_status do_allocate(struct env *env, struct env_file *file, uint64_t size) {
    return sim_disk_allocate(&host_of(env)->disk, file, size);
}

static enum cairn_status do_rename(struct env *env, const char *from, const char *to) {
    sim_host_ends_here(host_of(env));
    return sim_disk_rename(&host_of(env)->disk, from, to);
}

static enum cairn_status do_remove(struct env *env, const char *path) {
    return sim_disk_remove(&host_of(env)->disk, path);
}

static enum cairn_status do_make_folder(struct env *env, const char *path) {
    return sim_disk_make_folder(&host_of(env)->disk, path);
}

static enum cairn_status do_sync_folder(struct env *env, const char *path) {
    sim_host_ends_here(host_of(env));
    return sim_disk_sync_folder(&host_of(env)->disk, path);
}

static enum cairn_status do_list(struct env *env, const char *path, env_list_visit *visit,
                                 void *context) {
    return sim_disk_list(&host_of(env)->disk, path, visit, context);
}

static enum cairn_status do_lock(struct env *env, const char *path, struct env_file **file) {
    return sim_disk_lock(&host_of(env)->disk, path, file);
}

static enum cairn_status do_free_space(struct env *env, const char *path, uint64_t *bytes) {
    const struct sim_disk *disk = &host_of(env)->disk;
    *bytes = disk->space > disk->used ? disk->space - disk->used : 0;
    return CAIRN_OK;
}

/* ---- network ---- */

static enum cairn_status do_listen(struct env *env, const char *address,
                                   struct env_listener *listener) {
    return listener->tls ? CAIRN_UNSUPPORTED : sim_net_listen(host_of(env), address, listener);
}

static void do_listener_close(struct env *env, struct env_listener *listener) {
    sim_net_unlisten(host_of(env), listener);
}

static void do_connect(struct env *env, const char *address, struct env_stream *stream) {
    sim_net_connect(host_of(env), address, stream);
}

static void do_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                     size_t count) {
    if (!sim_host_ends_here(host_of(env)))
        sim_net_write(stream, pieces, count);
}

static size_t do_queued(struct env *env, const struct env_stream *stream) {
    return sim_net_queued(stream);
}

static void do_pause(struct env *env, struct env_stream *stream, bool paused) {
    sim_net_pause(stream, paused);
}

static void do_close(struct env *env, struct env_stream *stream) {
    if (!host_of(env)->dying)
        sim_net_close_stream(stream);
}

static void do_abort(struct env *env, struct env_stream *stream) {
    if (!host_of(env)->dying)
        sim_net_abort(stream);
}

static const char *do_peer(struct env *env, const struct env_stream *stream) {
    return NULL;
}

const struct env_ops sim_env_ops = {
    .now = do_now,
    .wall = do_wall,
    .entropy = do_entropy,
    .timer_set = do_timer_set,
    .timer_clear = do_timer_clear,
    .set_turn = do_set_turn,
    .wake = do_wake,
    .work = do_work,
    .open = do_open,
    .file_close = do_file_close,
    .file_is_direct = do_file_is_direct,
    .file_size = do_file_size,
    .read_at = do_read_at,
    .write_at = do_write_at,
    .sync = do_sync,
    .allocate = do_allocate,
    .rename = do_rename,
    .remove = do_remove,
    .make_folder = do_make_folder,
    .sync_folder = do_sync_folder,
    .list = do_list,
    .lock = do_lock,
    .free_space = do_free_space,
    .listen = do_listen,
    .listener_close = do_listener_close,
    .connect = do_connect,
    .write = do_write,
    .queued = do_queued,
    .pause = do_pause,
    .close = do_close,
    .abort = do_abort,
    .peer = do_peer,
};
