/* The control page: the log's id, the run that gives its sequence numbers, the oldest segment, and
 * the evidence of what is durable that no batch carries yet.
 *
 * Two copies, written one after the other, the one that may be bad first, so that one always holds.
 * After open it is written on the
 * bulk queue alone, where jobs run in the order in which they were given.
 */

#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#define CONTROL_NAME "log.control"
#define HARD_NAME "log.hard"

enum cairn_status wal_control_store(struct env *env, struct env_file *file,
                                    const struct wal_control *control, unsigned first) {
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    enum cairn_status status = CAIRN_OK;
    for (unsigned i = 0; i < 2 && status == CAIRN_OK; i++) {
        unsigned copy = i == 0 ? first : 1 - first;
        wal_control_encode(control, copy, page);
        status = env_write_at(env, file, (uint64_t)copy * ENV_DISK_ALIGN, page, ENV_DISK_ALIGN);
        if (status == CAIRN_OK && !env_file_is_direct(env, file))
            status = env_sync(env, file);
    }
    aligned_free(&buffer);
    return status;
}

static enum cairn_status load(struct wal *wal) {
    struct aligned buffer = {0};
    uint8_t *page = aligned_reserve(&buffer, ENV_DISK_ALIGN);
    enum cairn_status result = CAIRN_NOT_FOUND;
    for (unsigned copy = 0; copy < 2; copy++) {
        struct wal_control found;
        enum cairn_status status = env_read_at(
            wal->env, wal->control_file, (uint64_t)copy * ENV_DISK_ALIGN, page, ENV_DISK_ALIGN);
        if (status == CAIRN_OK)
            status = wal_control_decode(&found, copy, page);
        if (status == CAIRN_WRONG_VERSION)
            result = status;
        if (status != CAIRN_OK || (result == CAIRN_OK && found.seq <= wal->control.seq))
            continue;
        wal->control = found;
        wal->control_first = 1 - copy;
        result = CAIRN_OK;
    }
    aligned_free(&buffer);
    return result;
}

static void count_segment(void *context, const char *name, bool is_folder, uint64_t size) {
    uint64_t incarnation;
    if (!is_folder && wal_segment_parse(name, &incarnation))
        ++*(size_t *)context;
}

static enum cairn_status create(struct wal *wal) {
    size_t segments = 0;
    uint64_t hard_bytes = 0;
    enum cairn_status status = env_list(wal->env, wal->folder, count_segment, &segments);
    if (status == CAIRN_OK)
        status = env_file_size(wal->env, wal->hard_file, &hard_bytes);
    if (status != CAIRN_OK)
        return status;
    /* The page is written before anything else is: with a log but no page, the page was lost. */
    if (segments > 0 || hard_bytes > 0)
        return CAIRN_CORRUPT;
    env_entropy(wal->env, &wal->control.log_id, sizeof wal->control.log_id);
    wal->control.seq = 1;
    wal->control.first_incarnation = 1;
    status = wal_control_store(wal->env, wal->control_file, &wal->control, wal->control_first);
    if (status == CAIRN_OK)
        status = wal_hard_create(wal);
    return status == CAIRN_OK ? env_sync_folder(wal->env, wal->folder) : status;
}

enum cairn_status wal_control_open(struct wal *wal, bool *fresh) {
    char path[WAL_PATH_MAX];
    unsigned flags = ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_DIRECT;
    wal_path(wal, CONTROL_NAME, path);
    enum cairn_status status = env_open(wal->env, path, flags, &wal->control_file);
    if (status != CAIRN_OK)
        return status;
    wal_path(wal, HARD_NAME, path);
    status = env_open(wal->env, path, flags, &wal->hard_file);
    if (status != CAIRN_OK)
        return status;
    status = load(wal);
    *fresh = status == CAIRN_NOT_FOUND;
    if (*fresh)
        return create(wal);
    /* The first start of all was cut off: it may not have come to the directory. */
    return status == CAIRN_OK && wal->control.run == 0 ? wal_hard_create(wal) : status;
}

enum cairn_status wal_peek_id(struct env *env, const char *data_folder, uint64_t *id) {
    char path[WAL_PATH_MAX];
    snprintf(path, sizeof path, "%s/log/" CONTROL_NAME, data_folder);
    struct wal wal = {.env = env};
    enum cairn_status status = env_open(env, path, ENV_OPEN_READ, &wal.control_file);
    if (status != CAIRN_OK)
        return status;
    status = load(&wal);
    env_file_close(env, wal.control_file);
    *id = wal.control.log_id;
    return status;
}

static uint64_t first_incarnation(const struct wal *wal) {
    return container_of(list_first(&wal->segments), struct wal_segment, link)->incarnation;
}

uint64_t wal_control_durable(const struct wal *wal) {
    return wal->last_incarnation >= first_incarnation(wal) ? wal->last_lsn : 0;
}

void wal_control_note(struct wal *wal) {
    wal->control.first_incarnation = first_incarnation(wal);
    wal->control.durable_lsn = wal_control_durable(wal);
}

/* ---- the mark: when nothing follows a batch, the page says that it is durable ---- */

struct mark_job {
    struct wal_background background;
    struct env *env;
    struct env_file *file;
    struct wal_control control;
    unsigned first;
};

static void mark_run(struct env_work *work) {
    struct mark_job *mark = container_of(work, struct mark_job, background.work);
    /* Only evidence is lost when this fails. */
    (void)wal_control_store(mark->env, mark->file, &mark->control, mark->first);
}

static void mark_free(struct wal_background *background) {
    cairn_free(container_of(background, struct mark_job, background));
}

void wal_control_arm(struct wal *wal) {
    env_timer_set(wal->env, &wal->mark_timer, env_now(wal->env) + wal->mark_after_ns);
}

void wal_control_mark(struct wal *wal) {
    if (wal->job.running || wal->failed || wal->control.durable_lsn == wal_control_durable(wal))
        return;
    cairn_assert(!wal->closing);
    wal->control.seq++;
    wal->control.durable_lsn = wal_control_durable(wal);
    struct mark_job *mark = cairn_alloc_zero(sizeof *mark);
    mark->env = wal->env;
    mark->file = wal->control_file;
    mark->control = wal->control;
    mark->first = wal->control_first;
    mark->background.finish = mark_free;
    mark->background.drop = mark_free;
    wal_background_start(wal, &mark->background, mark_run);
}
