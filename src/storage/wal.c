#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <string.h>

static void job_done(struct env_work *work);
static void deliver_timer(struct env_timer *timer);
static void mark_timer(struct env_timer *timer);
static void later_timer(struct env_timer *timer);
static void space_timer(struct env_timer *timer);

#define LATER_NS 50000000ull

/* ---- open and close ---- */

static void wal_free(struct wal *wal) {
    cairn_assert(list_empty(&wal->queue) && list_empty(&wal->finished));
    wal_index_free(&wal->index);
    aligned_free(&wal->job.buffer);
    cairn_free(wal->job.groups);
    cairn_free(wal->pairs);
    cairn_free(wal->folder);
    cairn_free(wal);
}

static void close_files(struct wal *wal) {
    wal_segments_free(wal, true);
    if (wal->hard_file)
        env_file_close(wal->env, wal->hard_file);
    if (wal->control_file)
        env_file_close(wal->env, wal->control_file);
}

static struct wal *wal_make(struct env *env, const char *folder,
                            const struct wal_options *options) {
    struct wal *wal = cairn_alloc_zero(sizeof *wal);
    wal->env = env;
    wal->folder = cairn_strdup(folder);
    wal->options = *options;
    wal->options.segment_bytes = align_up(options->segment_bytes);
    wal->buffer_keep = rare_limit(options->rare, RARE_WRITE_BUFFER_FREED, 0, WAL_BUFFER_KEEP);
    wal->span_bytes_max = rare_limit(options->rare, RARE_SPAN_SMALL, 0, WAL_SPAN_BYTES_MAX);
    wal->mark_after_ns = rare_limit(options->rare, RARE_MARK_SOON, 0, WAL_MARK_AFTER_NS);
    wal->job.wal = wal;
    wal->job.work.run = wal_batch_run;
    wal->job.work.done = job_done;
    wal->finish_timer.fire = deliver_timer;
    wal->mark_timer.fire = mark_timer;
    wal->later_timer.fire = later_timer;
    wal->space_timer.fire = space_timer;
    list_init(&wal->segments);
    list_init(&wal->ready);
    list_init(&wal->queue);
    list_init(&wal->finished);
    list_init(&wal->job.items);
    list_init(&wal->background);
    list_init(&wal->later);
    return wal;
}

static enum cairn_status say(char *error, size_t error_size, enum cairn_status status,
                             const char *what, const char *folder) {
    snprintf(error, error_size, "%s %s: %s", what, folder, cairn_status_text(status));
    return status;
}

static enum cairn_status open_steps(struct wal *wal, const struct wal_recovery *recovery,
                                    char *error, size_t error_size) {
    enum cairn_status status = env_make_folder(wal->env, wal->folder);
    if (status != CAIRN_OK)
        return say(error, error_size, status, "cannot make the log's folder", wal->folder);
    bool fresh = false;
    status = wal_control_open(wal, &fresh);
    if (status != CAIRN_OK)
        return say(error, error_size, status, "cannot read the log's control page in", wal->folder);
    status = wal_hard_recover(wal, recovery);
    if (status != CAIRN_OK)
        return say(error, error_size, status, "cannot read the hard states in", wal->folder);
    status = wal_recover(wal, recovery, error, error_size);
    if (status != CAIRN_OK)
        return status;
    /* The new run is durable before anything carries its numbers, so that none ever repeats. */
    wal->control.seq++;
    wal_control_note(wal);
    status = wal_control_store(wal->env, wal->control_file, &wal->control, wal->control_first);
    if (status != CAIRN_OK)
        return say(error, error_size, status, "cannot write the log's control page in",
                   wal->folder);
    return CAIRN_OK;
}

enum cairn_status wal_open(struct env *env, const char *folder, const struct wal_options *options,
                           const struct wal_recovery *recovery, struct wal **out, char *error,
                           size_t error_size) {
    cairn_assert(error_size > 0 && options->done != NULL);
    cairn_assert(options->segment_bytes >= ENV_DISK_ALIGN && options->batch_bytes_max > 0);
    cairn_assert(recovery->hard && recovery->entry && recovery->reset && recovery->released &&
                 recovery->damage && recovery->hard_lost);
    error[0] = '\0';
    struct wal *wal = wal_make(env, folder, options);
    enum cairn_status status = open_steps(wal, recovery, error, error_size);
    if (status != CAIRN_OK) {
        close_files(wal);
        wal_free(wal);
        return status;
    }
    wal_segment_replenish(wal);
    *out = wal;
    return CAIRN_OK;
}

static void finish_close(struct wal *wal) {
    if (!wal->failed && wal->control.durable_lsn != wal_control_durable(wal)) {
        wal->control.seq++;
        wal_control_note(wal);
        /* Only evidence is lost when this fails. */
        (void)wal_control_store(wal->env, wal->control_file, &wal->control, wal->control_first);
    }
    close_files(wal);
    wal_free(wal);
}

static void drop_items(struct list *items) {
    LIST_EACH_SAFE(at, items) {
        list_remove(at);
        wal_item_free(container_of(at, struct wal_item, link));
    }
}

static void drop_background(struct list *jobs) {
    LIST_EACH_SAFE(at, jobs) {
        struct wal_background *background = container_of(at, struct wal_background, link);
        list_remove(at);
        background->drop(background);
    }
}

void wal_close(struct wal *wal) {
    cairn_assert(!wal->job.running && !wal->closing);
    env_timer_clear(wal->env, &wal->finish_timer);
    env_timer_clear(wal->env, &wal->mark_timer);
    env_timer_clear(wal->env, &wal->later_timer);
    env_timer_clear(wal->env, &wal->space_timer);
    LIST_EACH_SAFE(at, &wal->later) { /* it ends as one that did not succeed */
        struct wal_background *background = container_of(at, struct wal_background, link);
        list_remove(at);
        wal->closing = true;
        background->finish(background);
    }
    drop_items(&wal->queue);
    drop_items(&wal->finished);
    wal->closing = true;
    if (wal->jobs == 0)
        finish_close(wal);
}

void wal_drop(struct wal *wal) {
    drop_items(&wal->queue);
    drop_items(&wal->finished);
    drop_items(&wal->job.items);
    drop_background(&wal->background);
    drop_background(&wal->later);
    wal_segments_free(wal, false);
    wal_free(wal);
}

uint64_t wal_id(const struct wal *wal) {
    return wal->control.log_id;
}

bool wal_idle(const struct wal *wal) {
    return !wal->job.running && list_empty(&wal->queue) && list_empty(&wal->finished);
}

bool wal_full(const struct wal *wal) {
    return wal->refused || (wal->no_space && wal_segment_room(wal) < wal_low_bytes(wal));
}

uint64_t wal_stalled_since(const struct wal *wal) {
    return wal->stalled_since;
}

/* ---- background jobs ---- */

static void background_done(struct env_work *work) {
    struct wal_background *background = container_of(work, struct wal_background, work);
    struct wal *wal = background->wal;
    list_remove(&background->link);
    background->finish(background);
    cairn_assert(wal->jobs > 0);
    wal->jobs--;
    if (wal->closing && wal->jobs == 0)
        finish_close(wal);
}

void wal_background_start(struct wal *wal, struct wal_background *background,
                          void (*run)(struct env_work *work)) {
    background->wal = wal;
    background->work.run = run;
    background->work.done = background_done;
    list_push(&wal->background, &background->link);
    wal->jobs++;
    env_work(wal->env, ENV_QUEUE_BULK, &background->work);
}

void wal_background_again(struct wal_background *background) {
    struct wal *wal = background->wal;
    list_push(&wal->later, &background->link);
    env_timer_set(wal->env, &wal->later_timer, env_now(wal->env) + LATER_NS);
}

static void later_timer(struct env_timer *timer) {
    struct wal *wal = container_of(timer, struct wal, later_timer);
    LIST_EACH_SAFE(at, &wal->later) {
        struct wal_background *background = container_of(at, struct wal_background, link);
        list_remove(at);
        wal_background_start(wal, background, background->work.run);
    }
}

static void space_timer(struct env_timer *timer) {
    wal_segment_try_again(container_of(timer, struct wal, space_timer));
}

/* ---- the queue ---- */

void wal_item_free(struct wal_item *item) {
    for (uint64_t i = 0; i < item->section.count; i++)
        entry_unref(&item->entries[i]);
    cairn_free(item->entries);
    buf_free(&item->hard);
    cairn_free(item);
}

uint64_t wal_item_bytes(const struct wal_item *item) {
    return item->log ? item->section.bytes : 0;
}

/* Completes later: done is never called inside a call of the owner's. */
static void finish_later(struct wal *wal, struct wal_item *item, enum cairn_status status) {
    item->status = status;
    if (status != CAIRN_OK && !item->failing) {
        item->failing = true;
        item->group->failing++;
    }
    list_remove(&item->link);
    list_push(&wal->finished, &item->link);
    env_timer_set(wal->env, &wal->finish_timer, 0);
}

static void deliver(struct wal *wal) {
    struct list *at;
    while ((at = list_first(&wal->finished)) != NULL) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        list_remove(at);
        uint64_t group = item->group->id, seq = item->seq;
        enum cairn_status status = item->status;
        bool own = item->own;
        if (item->failing)
            item->group->failing--;
        if (own)
            item->group->telling = false;
        wal_item_free(item);
        if (!own)
            wal->options.done(wal->options.context, group, seq, status);
    }
}

static void deliver_timer(struct env_timer *timer) {
    struct wal *wal = container_of(timer, struct wal, finish_timer);
    deliver(wal);
}

static void take_entries(struct wal_item *item, const struct wal_write *write) {
    item->section.count = write->count;
    if (write->count == 0)
        return;
    item->entries = cairn_alloc(write->count * sizeof *item->entries);
    item->section.first_index = write->entries[0].index;
    for (size_t i = 0; i < write->count; i++) {
        cairn_assert(write->entries[i].index == write->entries[0].index + i);
        item->entries[i] = entry_ref(&write->entries[i]);
        item->section.bytes += write->entries[i].encoded.len;
    }
}

static struct wal_item *item_make(struct wal *wal, const struct wal_write *write) {
    struct wal_item *item = cairn_alloc_zero(sizeof *item);
    list_init(&item->link);
    item->group = wal_index_group(&wal->index, write->group);
    item->seq = write->seq;
    item->log = write->reset || write->truncate_from || write->count || write->whole;
    item->room = write->room;
    item->section.bytes = WAL_SECTION_HEAD_BYTES;
    item->section.group = write->group;
    item->section.truncate_from = write->truncate_from;
    if (write->reset) {
        item->section.flags |= WAL_SECTION_RESET;
        item->section.base_index = write->reset_index;
        item->section.base_term = write->reset_term;
        item->section.base_chain = write->reset_chain;
    }
    if (write->repaired)
        item->section.flags |= WAL_SECTION_REPAIRED;
    if (write->whole)
        item->section.flags |= WAL_SECTION_WHOLE;
    take_entries(item, write);
    if (write->hard.len) {
        cairn_assert(write->hard.len <= WAL_HARD_BYTES_MAX);
        buf_bytes(&item->hard, write->hard);
        buf_clear(&item->group->hard);
        buf_bytes(&item->group->hard, write->hard);
    }
    return item;
}

void wal_write(struct wal *wal, const struct wal_write *write) {
    cairn_assert(!wal->closing);
    struct wal_item *item = item_make(wal, write);
    if (wal->failed)
        finish_later(wal, item, CAIRN_IO);
    else if (item->group->failing)
        finish_later(wal, item, CAIRN_NO_SPACE);
    else
        list_push(&wal->queue, &item->link);
}

/* ---- flush ---- */

/* Which items the next batch may have: the queue up to the first that asks for more than this
 * leaves it. In the order of enum room; at last, what has no section. */
enum reach { REACH_ALL, REACH_HALF, REACH_KEPT, REACH_HARD, REACH_COUNT };

struct measure {
    size_t items;
    uint64_t bytes;
    bool sections;
    enum room room; /* the least that one of them may use */
};

static bool within(const struct wal_item *item, enum reach reach) {
    return !item->log || (reach < REACH_HARD && item->room >= (enum room)reach);
}

static struct measure measure(const struct wal *wal, enum reach reach) {
    struct measure batch = {.bytes = WAL_BATCH_HEAD_BYTES, .room = ROOM_ALL};
    LIST_EACH(at, &wal->queue) {
        const struct wal_item *item = container_of(at, const struct wal_item, link);
        uint64_t more = wal_item_bytes(item);
        if (!within(item, reach) ||
            (more && batch.sections && batch.bytes + more > wal->options.batch_bytes_max))
            break;
        batch.bytes += more;
        batch.sections |= item->log;
        if (item->log && item->room < batch.room)
            batch.room = item->room;
        batch.items++;
    }
    return batch;
}

static uint64_t kept_by(const struct wal *wal, enum room room) {
    static const unsigned halves[] = {[ROOM_COMMON] = 2, [ROOM_HALF] = 1};
    return room == ROOM_ALL ? 0 : wal->options.kept_bytes / 2 * halves[room];
}

/* Fills in what the section says of the group's past, as it will be when this write is done. */
static void chain_section(struct wal_item *item) {
    struct wal_group_state *state = &item->group->pending;
    struct wal_section *section = &item->section;
    section->ordinal = state->ordinal + 1;
    section->cut_ordinal = state->cut_ordinal;
    section->cut_index = state->cut_index;
    section->last_before = state->last;
    section->release = item->group->release;
    if (!(section->flags & WAL_SECTION_RESET)) {
        section->base_index = state->base_index;
        section->base_term = state->base_term;
        section->base_chain = state->base_chain;
    }
    if (state->open && !(section->flags & (WAL_SECTION_WHOLE | WAL_SECTION_RESET)))
        section->flags |= WAL_SECTION_OPEN;
    wal_group_advance(state, section);
}

/* What an earlier life released holds on, whatever this one has released so far. */
static uint64_t max_release(const struct wal_group *group) {
    return group->release > group->told_release ? group->release : group->told_release;
}

static void prepare_items(struct wal *wal, size_t count) {
    struct wal_job *job = &wal->job;
    for (size_t i = 0; i < count; i++) {
        struct wal_item *item = container_of(list_first(&wal->queue), struct wal_item, link);
        list_remove(&item->link);
        list_push(&job->items, &item->link);
        if (item->hard.len) {
            wal_hard_assign(wal, item->group);
            item->hard_seq = ++item->group->hard_seq;
            if (wal->options.mutant != MUTANT_RELEASE_UNTOLD)
                item->release = max_release(item->group);
        }
        if (item->log) {
            chain_section(item);
            job->batch.sections++;
        }
    }
}

/* The mutant: the owner hears of a write that has only begun. */
static void complete_early(struct wal *wal) {
    LIST_EACH(at, &wal->job.items) {
        const struct wal_item *item = container_of(at, const struct wal_item, link);
        struct wal_item *early = cairn_alloc_zero(sizeof *early);
        list_init(&early->link);
        early->group = item->group;
        early->seq = item->seq;
        early->own = item->own;
        finish_later(wal, early, CAIRN_OK);
    }
}

static void submit(struct wal *wal, const struct measure *batch) {
    struct wal_job *job = &wal->job;
    job->running = true;
    job->status = CAIRN_OK;
    job->bytes_written = 0;
    job->writes = 0;
    job->started = env_now(wal->env);
    job->segment = batch->sections ? wal_segment_current(wal) : NULL;
    job->room = batch->room;
    job->batch = (struct wal_batch){0};
    prepare_items(wal, batch->items);
    if (batch->sections) {
        job->file = job->segment->file;
        job->place = (struct wal_place){.log_id = wal->control.log_id,
                                        .incarnation = job->segment->incarnation,
                                        .offset = job->segment->used};
        job->batch.lsn = wal->next_lsn++;
        job->batch.prev_lsn = wal->last_lsn;
        job->batch.prev_sum = wal->last_sum;
        job->batch.durable_lsn = wal->last_lsn;
        job->batch.bytes = batch->bytes;
    }
    job->directory = wal->pairs_named < wal->pair_count;
    if (job->directory) {
        job->group_count = wal->pair_count;
        job->directory_from = wal->pairs_named;
        job->directory_seq = ++wal->directory_seq;
        job->groups = cairn_realloc(job->groups, wal->pair_count * sizeof *job->groups);
        memcpy(job->groups, wal->pairs, wal->pair_count * sizeof *job->groups);
    }
    wal->stalled_since = job->started;
    /* The flush asked for all that was queued: what did not fit follows at once. */
    wal->flush_wanted = !list_empty(&wal->queue);
    if (wal->options.mutant == MUTANT_WAL_LOSE_TAIL)
        complete_early(wal);
    env_work(wal->env, ENV_QUEUE_LOG, &job->work);
}

void wal_flush(struct wal *wal) {
    if (wal->job.running) {
        wal->flush_wanted = true;
        return;
    }
    if (list_empty(&wal->queue))
        return;
    /* What has no room waits for a segment; what needs less than it does not. */
    for (enum reach reach = REACH_ALL; reach < REACH_COUNT; reach++) {
        struct measure batch = measure(wal, reach);
        if (batch.items == 0)
            return;
        if (!batch.sections ||
            wal_segment_advance(wal, align_up(batch.bytes), kept_by(wal, batch.room))) {
            wal->waiting = reach > REACH_ALL;
            submit(wal, &batch);
            return;
        }
        if (wal->stalled_since == 0)
            wal->stalled_since = env_now(wal->env);
        wal->waiting = true;
    }
}

void wal_retry(struct wal *wal) {
    wal->waiting_status = CAIRN_OK;
    if (wal->waiting && !wal->job.running) {
        wal->waiting = false;
        wal->stalled_since = 0;
        wal_flush(wal);
    }
}

/* ---- completion ---- */

/* After a write that was dropped, whatever its group queued behind it must not follow a gap; what
 * the group queued before it goes too, so that completions keep their order. Without space, what
 * lies within `left` still finds room, if it is of other groups. */
static void fail_queue(struct wal *wal, enum cairn_status status, enum reach left) {
    LIST_EACH(at, &wal->queue) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        if (!item->failing && (status != CAIRN_NO_SPACE || !within(item, left))) {
            item->failing = true;
            item->group->failing++;
        }
    }
    LIST_EACH_SAFE(at, &wal->queue) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        if (item->group->failing)
            finish_later(wal, item, status);
    }
}

/* What needs more than the thriftiest of those that wait is given up first. */
static enum reach next_reach(const struct wal *wal) {
    enum reach reach = REACH_HARD;
    LIST_EACH(at, &wal->queue) {
        const struct wal_item *item = container_of(at, const struct wal_item, link);
        if (item->log && (enum reach)item->room + 1 < reach)
            reach = (enum reach)item->room + 1;
    }
    return reach;
}

void wal_fail_waiting(struct wal *wal, enum cairn_status status) {
    if (!wal->waiting)
        return;
    /* What is under way was asked for earlier, and completes earlier. */
    wal->waiting_status = status;
    if (wal->job.running)
        return;
    wal->waiting = false;
    wal->waiting_status = CAIRN_OK;
    wal->stalled_since = 0;
    if (status == CAIRN_NO_SPACE)
        wal->refused = true;
    else
        wal->failed = true;
    fail_queue(wal, status, next_reach(wal));
    deliver(wal);
    wal_flush(wal);
}

static void keep_batch(struct wal *wal) {
    struct wal_job *job = &wal->job;
    if (job->directory)
        wal->pairs_named = job->group_count;
    LIST_EACH(at, &job->items) {
        const struct wal_item *item = container_of(at, const struct wal_item, link);
        if (item->hard.len)
            item->group->told_release = item->release;
    }
    if (job->segment == NULL)
        return;
    wal->refused &= job->room == ROOM_ALL;
    uint64_t offset = job->segment->used + WAL_BATCH_HEAD_BYTES;
    LIST_EACH(at, &job->items) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        if (!item->log)
            continue;
        wal_group_apply(item->group, &item->section, job->segment, job->batch.lsn, offset);
        item->group->durable = item->group->pending;
        offset += item->section.bytes;
    }
    job->segment->used += align_up(job->batch.bytes);
    cairn_assert(job->segment->used <= job->segment->bytes);
    wal->last_lsn = job->batch.lsn;
    wal->last_incarnation = job->segment->incarnation;
    wal->last_sum = job->batch.sum;
    wal_control_arm(wal);
}

static void drop_batch(struct wal *wal, enum cairn_status status) {
    if (status == CAIRN_NO_SPACE)
        wal->refused = true;
    else
        wal->failed = true;
    LIST_EACH(at, &wal->job.items) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        wal->tell_refused |= item->own;
        if (wal->options.mutant != MUTANT_WAL_PENDING_KEPT)
            item->group->pending = item->group->durable;
    }
    LIST_EACH_SAFE(at, &wal->job.items) {
        if (wal->options.mutant != MUTANT_WAL_LOSE_TAIL)
            finish_later(wal, container_of(at, struct wal_item, link), status);
    }
    fail_queue(wal, status, wal->job.segment != NULL ? REACH_HARD : REACH_KEPT);
}

static void finish_batch(struct wal *wal) {
    LIST_EACH_SAFE(at, &wal->job.items) {
        struct wal_item *item = container_of(at, struct wal_item, link);
        list_remove(at);
        if (wal->options.mutant == MUTANT_WAL_LOSE_TAIL) {
            wal_item_free(item);
            continue;
        }
        item->status = CAIRN_OK;
        list_push(&wal->finished, at);
    }
}

static void job_done(struct env_work *work) {
    struct wal_job *job = container_of(work, struct wal_job, work);
    struct wal *wal = job->wal;
    enum cairn_status status = job->status;
    cairn_assert(job->running);
    job->running = false;
    wal->stalled_since = wal->waiting ? job->started : 0;
    wal->bytes_written += job->bytes_written;
    wal->writes += job->writes;
    spans_note(&wal->write_times, env_now(wal->env) - job->started);
    if (status == CAIRN_OK)
        keep_batch(wal);
    else
        drop_batch(wal, status);
    finish_batch(wal);
    /* The next write starts before the owner hears of this one: the disk does not wait. */
    if (wal->waiting_status != CAIRN_OK)
        wal_fail_waiting(wal, wal->waiting_status);
    else if (wal->flush_wanted || wal->waiting)
        wal_flush(wal);
    deliver(wal);
    wal_segment_recycle(wal);
}

static void mark_timer(struct env_timer *timer) {
    wal_control_mark(container_of(timer, struct wal, mark_timer));
}

/* ---- release and figures ---- */

static void tell_release(struct wal *wal, struct wal_group *group) {
    struct wal_item *item = cairn_alloc_zero(sizeof *item);
    list_init(&item->link);
    item->group = group;
    item->own = true;
    buf_bytes(&item->hard, buf_view(&group->hard));
    group->telling = true;
    list_push(&wal->queue, &item->link);
}

bool wal_releases_told(struct wal *wal) {
    bool told = true;
    for (struct wal_group *at = NULL; (at = wal_index_next(&wal->index, at)) != NULL;) {
        if (at->head != at->tail || at->release <= at->told_release || at->hard.len == 0 ||
            wal->options.mutant == MUTANT_RELEASE_UNTOLD)
            continue;
        told = false;
        if (!at->telling && !at->failing && !wal->tell_refused)
            tell_release(wal, at);
    }
    if (!told)
        wal_flush(wal);
    return told;
}

void wal_release(struct wal *wal, uint64_t group, uint64_t index) {
    wal->tell_refused = false;
    wal_group_release(wal_index_group(&wal->index, group), index);
    wal_segment_recycle(wal);
}

bool wal_oldest_need(const struct wal *wal, uint64_t *group, uint64_t *index) {
    const struct wal_segment *oldest =
        container_of(list_first(&wal->segments), const struct wal_segment, link);
    bool found = false;
    if (oldest->live == 0 || oldest == wal_segment_current(wal))
        return false;
    for (struct wal_group *at = NULL; (at = wal_index_next(&wal->index, at)) != NULL;) {
        uint64_t last = 0;
        for (size_t i = at->head; i < at->tail; i++)
            if (at->extents[i].segment == oldest)
                last = at->extents[i].last;
        if (last && (!found || at->id < *group)) {
            found = true;
            *group = at->id;
            *index = last;
        }
    }
    return found;
}

void wal_stats(const struct wal *wal, struct wal_stats *stats) {
    *stats = (struct wal_stats){.bytes_written = wal->bytes_written,
                                .writes = wal->writes,
                                .failed = wal->failed,
                                .full = wal_full(wal),
                                .room_bytes = wal_segment_room(wal),
                                .write_times = wal->write_times};
    LIST_EACH(at, &wal->segments) {
        const struct wal_segment *segment = container_of(at, const struct wal_segment, link);
        stats->segments++;
        stats->log_bytes += segment->bytes;
        stats->damaged |= segment->damaged;
        stats->direct = env_file_is_direct(wal->env, segment->file);
    }
}
