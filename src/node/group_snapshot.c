/* Taking a snapshot: a frozen version of the stack is written out in slices on the bulk queue while
 * applying goes on; only then may the log be trimmed. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>

#define RETRY_NS 5000000000ull
#define FULL_RETRY_NS 30000000000ull /* there was no space for one */
#define REST_MAX_NS 50000000ull
#define SNAPSHOTS_KEPT 1u
/* The log may be so many times as long as what sets off a snapshot, before a keyspace that writes
 * little makes one for the others' sake. */
#define LOOK_NS 1000000000ull
#define PINNED_LOGS 2u
#define PINNED_SEGMENTS 4u

struct snapshot_job {
    struct env_work work;
    struct env_timer rest;
    uint64_t slice_ns; /* when the slice under way began */
    struct group *group;
    struct snapshot_writer *writer;
    struct stack_snapshot *stack;
    struct snapshot_meta meta;
    struct log_base base;
    struct buf state;
    struct buf chunk;
    char folder[544];
    uint64_t size;
    uint64_t slices;    /* written */
    uint64_t log_bytes; /* since the last one; counted on if this one fails */
    uint64_t log_total; /* applied in this life when it began */
    bool flush_often;   /* it goes to the disk chunk by chunk (base/rare.h) */
    bool for_log;       /* the group keeps the log long: nothing stays in it */
    bool written;       /* every chunk is; the next job finishes the file */
    bool finished;
    enum cairn_status status;
};

void group_snapshot_folder(const struct group *group, char *out, size_t size) {
    snprintf(out, size, "%s/snapshots", group->node->options.folder);
}

/* Few entries of a quiet keyspace keep the shared log from being recycled, or damage from going; or
 * the disk is full, and the log is what can be made shorter: a snapshot may find room where no
 * segment does. */
static bool pins_log(const struct group *group) {
    const struct node *node = group->node;
    struct wal_stats log;
    uint64_t owner, index;
    wal_stats(node->wal, &log);
    bool is_long = log.log_bytes > PINNED_LOGS * node->options.snapshot_log_bytes +
                                       PINNED_SEGMENTS * node->options.wal_segment_bytes;
    return (is_long || log.damaged || log.full) && wal_oldest_need(node->wal, &owner, &index) &&
           owner == group->id && index <= group->applied;
}

void group_look_at_log(struct group *group, uint64_t now) {
    if (now < group->look_at_ns)
        return;
    group->look_at_ns = now + LOOK_NS;
    group->snapshot_now = rare_hit(group->node->options.rare, RARE_SNAPSHOT_NOW);
    group->pins_log = pins_log(group);
}

bool group_snapshot_wanted(const struct group *group, uint64_t now) {
    if (group->snapshot != NULL || group->install != NULL || group->node->stopping ||
        group->applied <= group->snapshot_index || now < group->snapshot_retry_ns)
        return false;
    return group->log_bytes > group->node->options.snapshot_log_bytes + group->snapshot_delay ||
           group->pins_log || group->snapshot_now || group_damage_waits(group);
}

static void free_job(struct snapshot_job *job) {
    env_timer_clear(job->group->node->env, &job->rest);
    stack_snapshot_end(&job->group->stack, job->stack);
    buf_free(&job->state);
    buf_free(&job->chunk);
    job->group->snapshot = NULL;
    cairn_free(job);
}

/* The whole state was walked: a check of the memory in passing. */
static void end_writing(struct snapshot_job *job) {
    job->written = true;
    if (!stack_snapshot_intact(job->stack))
        job->status = CAIRN_CORRUPT;
}

/* Beside the loop: touches nothing but the job. */
static void write_slice(struct env_work *work) {
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);
    struct env *env = job->group->node->env;
    if (job->writer == NULL) {
        job->status = snapshot_writer_open(env, job->folder, &job->meta, &job->writer);
        if (job->status != CAIRN_OK)
            return;
        if (job->flush_often)
            snapshot_writer_flush_at(job->writer, 1);
        if (job->group->node->options.mutant == MUTANT_SNAPSHOT_NOT_SYNCED)
            snapshot_writer_unsynced(job->writer);
    }
    if (job->written) {
        job->status = snapshot_writer_finish(job->writer, &job->size);
        job->writer = NULL;
        job->finished = true;
        if (job->status == CAIRN_OK)
            snapshot_remove_old(env, job->folder, job->meta.group, SNAPSHOTS_KEPT);
        return;
    }
    const struct node_limits *limits = &job->group->node->limits;
    for (unsigned i = 0;
         i < limits->snapshot_slice_chunks && job->status == CAIRN_OK && !job->written; i++) {
        uint32_t section, version;
        buf_clear(&job->chunk);
        if (!stack_snapshot_next(job->stack, limits->snapshot_chunk_bytes, &job->chunk, &section,
                                 &version))
            end_writing(job);
        else
            job->status =
                snapshot_writer_chunk(job->writer, section, version, buf_view(&job->chunk));
    }
}

void group_release_log(struct group *group) {
    struct replica_status status;
    group->protocol->status(group->replica, &status);
    bool early = group->node->options.mutant == MUTANT_WAL_RELEASED_EARLY;
    wal_release(group->node->wal, group->id, early ? status.applied_index : status.first_index - 1);
}

/* What stays in the log for peers that lag: a few entries below the snapshot. */
static uint64_t trim_below(const struct snapshot_job *job) {
    if (rare_hit(job->group->node->options.rare, RARE_SNAPSHOT_TRIM_NONE))
        return 0;
    if (rare_hit(job->group->node->options.rare, RARE_SNAPSHOT_TRIM_ALL))
        return job->base.index;
    uint64_t trailing = job->for_log ? 0 : job->group->node->options.snapshot_trailing;
    uint64_t by_count = job->base.index > trailing ? job->base.index - trailing : 0;
    uint64_t by_bytes = group_trailing(job->group, job->log_total);
    cairn_assert(by_bytes <= job->base.index);
    return by_bytes > by_count ? by_bytes : by_count;
}

static void complete(struct group *group, struct snapshot_job *job) {
    if (job->base.index <= group->snapshot_index) /* a leader's newer one came meanwhile */
        return;
    group->snapshot_index = job->base.index;
    group->snapshot_time_ms = job->meta.time_ms;
    group->node->counted.counters.snapshots_taken++;
    node_log(group->node, 1, "snapshot at index %llu written, %llu bytes",
             (unsigned long long)job->base.index, (unsigned long long)job->size);
    struct event event = {.kind = EVENT_COMPACTED};
    event.compacted.base = job->base;
    event.compacted.trim = trim_below(job);
    group_step(group, &event);
    group_release_log(group);
}

static void next_slice(struct snapshot_job *job) {
    struct node *node = job->group->node;
    job->slice_ns = env_now(node->env);
    node->works++;
    env_work(node->env, ENV_QUEUE_BULK, &job->work);
}

static void rested(struct env_timer *timer) {
    struct snapshot_job *job = container_of(timer, struct snapshot_job, rest);
    if (!job->group->node->closing)
        next_slice(job);
}

/* Half of the time belongs to others: processors and disk are theirs too. */
static void rest(struct snapshot_job *job) {
    struct env *env = job->group->node->env;
    uint64_t now = env_now(env), taken = now - job->slice_ns;
    env_timer_set(env, &job->rest, now + (taken < REST_MAX_NS ? taken : REST_MAX_NS));
}

static void go_on_or_end(struct snapshot_job *job) {
    struct group *group = job->group;
    bool abandoned = group->install != NULL || group->node->closing;
    if (job->status == CAIRN_OK && !job->finished && !abandoned) {
        rest(job);
        snapshot_send_made(group, ++job->slices); /* the last: that step may end much */
        return;
    }
    if (job->writer != NULL)
        snapshot_writer_abort(job->writer);
    if (job->finished && job->status == CAIRN_OK) {
        complete(group, job);
    } else if (job->status == CAIRN_CORRUPT) {
        node_fail(group->node, CAIRN_CORRUPT,
                  "the state in memory is not what was put there: this machine's memory may be "
                  "bad; started again, the state is read from the disk");
    } else if (job->status != CAIRN_OK) {
        node_log(group->node, 2, "snapshot at index %llu failed: %s",
                 (unsigned long long)job->base.index, cairn_status_text(job->status));
        group->snapshot_retry_ns =
            env_now(group->node->env) + (job->status == CAIRN_NO_SPACE ? FULL_RETRY_NS : RETRY_NS);
        group->log_bytes += job->log_bytes;
    }
    free_job(job);
    snapshot_send_ready(group);
}

static void slice_done(struct env_work *work) {
    struct snapshot_job *job = container_of(work, struct snapshot_job, work);
    struct node *node = job->group->node;
    uint64_t start = env_now(node->env);
    node->works--;
    go_on_or_end(job);
    spans_note(&node->slices, env_now(node->env) - start);
}

void group_snapshot_begin(struct group *group) {
    if (group->snapshot != NULL || group->install != NULL || group->node->stopping ||
        group->applied_fed != group->applied || group_paused(group))
        return;
    struct node *node = group->node;
    uint64_t start = env_now(node->env);
    struct snapshot_job *job = cairn_alloc_zero(sizeof *job);
    job->group = group;
    job->work = (struct env_work){.run = write_slice, .done = slice_done};
    job->rest.fire = rested;
    group->protocol->snapshot_base(group->replica, &job->base, &job->state);
    cairn_assert(job->base.index == group->applied);
    job->meta = (struct snapshot_meta){.group = group->id,
                                       .index = job->base.index,
                                       .term = job->base.term,
                                       .chain = job->base.chain,
                                       .order = job->base.order,
                                       .time_ms = job->base.time_ms,
                                       .digest = stack_digest(&group->stack),
                                       .protocol = job->base.state};
    group_snapshot_folder(group, job->folder, sizeof job->folder);
    job->stack = stack_snapshot_begin(&group->stack);
    group->snapshot = job;
    job->for_log = group->pins_log;
    group->pins_log = group->snapshot_now = false;
    job->flush_often = rare_hit(node->options.rare, RARE_SNAPSHOT_FLUSH_OFTEN);
    job->log_bytes = group->log_bytes;
    job->log_total = group->log_total;
    group->log_bytes = 0;
    /* So that the replicas do not all make theirs at the same time. */
    group->snapshot_delay = prng_below(&node->prng, node->options.snapshot_log_bytes / 2 + 1);
    next_slice(job);
    spans_note(&node->slices, env_now(node->env) - start);
}

/* The node closes: no job runs any more. */
void group_snapshot_abandon(struct group *group) {
    struct snapshot_job *job = group->snapshot;
    if (job == NULL)
        return;
    if (job->writer != NULL)
        snapshot_writer_abort(job->writer);
    free_job(job);
}
