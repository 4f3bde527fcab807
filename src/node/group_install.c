/* Putting a snapshot in place of the state: at start from our own newest one, later from one that
 * a leader sent. Nothing is applied and no read answered meanwhile. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdio.h>

#define AGAIN_NS 50000000ull
#define TELL_NS 500000000ull /* how often the sender hears how far it is */

struct install_job {
    struct env_work work;
    struct env_timer again; /* the file could not be opened for the moment */
    struct group *group;
    struct snapshot_reader *reader;
    struct log_base base;
    struct buf state;
    char folder[544];
    bool begun;
    uint32_t section, version;
    struct bytes chunk;
    bool end;
    uint64_t taken; /* bytes of state */
    uint64_t tell_at_ns;
    enum cairn_status status;
};

static void to_base(const struct snapshot_meta *meta, struct log_base *base) {
    *base = (struct log_base){.index = meta->index,
                              .term = meta->term,
                              .chain = meta->chain,
                              .order = meta->order,
                              .time_ms = meta->time_ms,
                              .state = meta->protocol};
}

static enum cairn_status restore_all(struct group *group, struct snapshot_reader *reader) {
    stack_restore_begin(&group->stack);
    for (;;) {
        uint32_t section, version;
        struct bytes chunk;
        bool end;
        enum cairn_status status = snapshot_reader_chunk(reader, &section, &version, &chunk, &end);
        if (status == CAIRN_OK && !end)
            status = stack_restore_chunk(&group->stack, section, version, chunk);
        if (status != CAIRN_OK)
            return status;
        if (end)
            return stack_restore_end(&group->stack);
    }
}

enum cairn_status group_restore_newest(struct group *group, bool *found, char *error,
                                       size_t error_size) {
    char folder[544];
    struct snapshot_reader *reader;
    struct snapshot_meta meta;
    struct log_base base;
    group_snapshot_folder(group, folder, sizeof folder);
    enum cairn_status status =
        snapshot_reader_open(group->node->env, folder, group->id, 0, &reader);
    *found = false;
    if (status == CAIRN_NOT_FOUND)
        return CAIRN_OK;
    if (status == CAIRN_OK) {
        snapshot_reader_meta(reader, &meta);
        to_base(&meta, &base);
        status = restore_all(group, reader);
        if (status == CAIRN_OK && stack_digest(&group->stack) != meta.digest)
            status = CAIRN_CORRUPT;
        if (status == CAIRN_OK)
            status = group->protocol->recover_base(group->replica, &base);
        snapshot_reader_close(reader);
    }
    if (status != CAIRN_OK) {
        snprintf(error, error_size,
                 "the snapshot in %s can't be used: %s. Remove this node's data folder and let it "
                 "rejoin as a new member.",
                 folder, cairn_status_text(status));
        return status;
    }
    *found = true;
    group->applied = group->snapshot_index = base.index;
    group->snapshot_time_ms = meta.time_ms;
    return CAIRN_OK;
}

/* Beside the loop: reads and decompresses the next chunk. */
static void read_chunk(struct env_work *work) {
    struct install_job *job = container_of(work, struct install_job, work);
    if (job->reader == NULL) {
        job->status = snapshot_reader_open(job->group->node->env, job->folder, job->group->id,
                                           job->base.index, &job->reader);
        if (job->status != CAIRN_OK)
            return;
    }
    job->status =
        snapshot_reader_chunk(job->reader, &job->section, &job->version, &job->chunk, &job->end);
}

static void install_free(struct install_job *job) {
    env_timer_clear(job->group->node->env, &job->again);
    if (job->reader != NULL)
        snapshot_reader_close(job->reader);
    buf_free(&job->state);
    cairn_free(job);
}

static void installed(struct group *group, struct install_job *job) {
    struct snapshot_meta meta;
    snapshot_reader_meta(job->reader, &meta);
    if (stack_restore_end(&group->stack) != CAIRN_OK ||
        stack_digest(&group->stack) != meta.digest) {
        node_fail(group->node, CAIRN_CORRUPT,
                  "the state restored from a leader's snapshot is not the leader's");
        return;
    }
    group->install = NULL;
    group->applied = group->applied_fed = group->snapshot_index = job->base.index;
    group->snapshot_time_ms = meta.time_ms;
    group->log_bytes = 0;
    group->mark_count = 0;
    group->node->counted.counters.snapshots_installed++;
    for (struct request *early; (early = waiter_pop(group, job->base.index)) != NULL;)
        if (group->node->options.mutant == MUTANT_INSTALL_SENDS_AGAIN)
            waiter_displaced(group, early);
        else
            request_fate_unknown(group, early);
    const struct node_options *options = &group->node->options;
    if (options->change != NULL)
        options->change(options->context, group->keyspace, &(struct change){.kind = CHANGE_JUMP});
    node_log(group->node, 1, "installed a snapshot at index %llu",
             (unsigned long long)job->base.index);
    struct event event = {.kind = EVENT_SNAPSHOT_INSTALLED};
    event.snapshot_installed.index = job->base.index;
    event.snapshot_installed.status = CAIRN_OK;
    group_step(group, &event);
    snapshot_receive_installed(group, CAIRN_OK);
    group_reads_applied(group, group->applied);
    install_free(job);
}

static void read_next(struct install_job *job) {
    job->group->node->works++;
    env_work(job->group->node->env, ENV_QUEUE_BULK, &job->work);
}

static void read_again(struct env_timer *timer) {
    struct install_job *job = container_of(timer, struct install_job, again);
    if (!job->group->node->closing)
        read_next(job);
}

static void take_chunk(struct install_job *job) {
    struct group *group = job->group;
    if (job->status == CAIRN_EXHAUSTED && job->reader == NULL) {
        struct env *env = group->node->env;
        env_timer_set(env, &job->again, env_now(env) + AGAIN_NS);
        return;
    }
    if (job->status == CAIRN_OK && !job->end)
        job->status = stack_restore_chunk(&group->stack, job->section, job->version, job->chunk);
    if (job->status != CAIRN_OK) {
        node_fail(group->node, job->status,
                  "a verified snapshot can't be restored; the state in memory is worthless");
        return;
    }
    if (job->end) {
        installed(group, job);
        return;
    }
    job->taken += job->chunk.len;
    if (env_now(group->node->env) >= job->tell_at_ns) {
        job->tell_at_ns = env_now(group->node->env) + TELL_NS;
        snapshot_receive_installing(group, job->taken);
    }
    read_next(job);
}

static void chunk_done(struct env_work *work) {
    struct install_job *job = container_of(work, struct install_job, work);
    struct node *node = job->group->node;
    uint64_t start = env_now(node->env);
    node->works--;
    if (node->closing)
        return;
    take_chunk(job);
    spans_note(&node->slices, env_now(node->env) - start);
}

void group_install(struct group *group, const struct log_base *base) {
    cairn_assert(group->install == NULL);
    group_apply_drop(group);
    struct install_job *job = cairn_alloc_zero(sizeof *job);
    job->group = group;
    job->work = (struct env_work){.run = read_chunk, .done = chunk_done};
    job->base = *base;
    buf_bytes(&job->state, base->state);
    job->base.state = buf_view(&job->state);
    group_snapshot_folder(group, job->folder, sizeof job->folder);
    group->install = job;
    job->again.fire = read_again;
    group_install_turn(group);
}

void group_install_turn(struct group *group) {
    struct install_job *job = group->install;
    if (job == NULL || job->begun || group_paused(group))
        return;
    job->begun = true;
    stack_restore_begin(&group->stack);
    read_next(job);
}

void group_install_abandon(struct group *group) {
    if (group->install != NULL)
        install_free(group->install);
    group->install = NULL;
}
