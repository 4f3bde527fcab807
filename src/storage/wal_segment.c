/* Segments: files log-<incarnation>.seg of fixed size, allocated and filled with zeros before use,
 * so that a write into them changes no metadata. One that nothing needs any more is renamed to a
 * new incarnation: what it held before does not verify under the new name.
 */

#include "storage/wal_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define NAME_FORMAT "log-%016" PRIx64 ".seg"
#define NAME_LEN 24u

void wal_path(const struct wal *wal, const char *name, char *path) {
    snprintf(path, WAL_PATH_MAX, "%s/%s", wal->folder, name);
}

void wal_segment_path(const char *folder, uint64_t incarnation, char *path) {
    snprintf(path, WAL_PATH_MAX, "%s/" NAME_FORMAT, folder, incarnation);
}

bool wal_segment_parse(const char *name, uint64_t *incarnation) {
    if (strlen(name) != NAME_LEN || memcmp(name, "log-", 4) != 0 ||
        memcmp(name + 20, ".seg", 4) != 0)
        return false;
    *incarnation = 0;
    for (const char *at = name + 4; at < name + 20; at++) {
        bool digit = *at >= '0' && *at <= '9', letter = *at >= 'a' && *at <= 'f';
        if (!digit && !letter)
            return false;
        *incarnation = *incarnation << 4 | (uint64_t)(digit ? *at - '0' : *at - 'a' + 10);
    }
    return *incarnation > 0;
}

static void list_segment(void *context, const char *name, bool is_folder, uint64_t size) {
    struct wal_segment_list *list = context;
    uint64_t incarnation;
    if (is_folder || !wal_segment_parse(name, &incarnation))
        return;
    if (list->count == list->cap) {
        list->cap = list->cap ? list->cap * 2 : 16;
        list->incarnations =
            cairn_realloc(list->incarnations, list->cap * sizeof *list->incarnations);
    }
    list->incarnations[list->count++] = incarnation;
}

static int by_number(const void *a, const void *b) {
    const uint64_t *left = a, *right = b;
    return *left < *right ? -1 : *left > *right;
}

enum cairn_status wal_segment_list_read(struct env *env, const char *folder,
                                        struct wal_segment_list *list) {
    list->count = 0;
    enum cairn_status status = env_list(env, folder, list_segment, list);
    if (list->count > 1)
        qsort(list->incarnations, list->count, sizeof *list->incarnations, by_number);
    return status;
}

void wal_segment_list_free(struct wal_segment_list *list) {
    cairn_free(list->incarnations);
    *list = (struct wal_segment_list){0};
}

struct wal_segment *wal_segment_new(struct wal *wal, uint64_t incarnation, uint64_t bytes,
                                    struct env_file *file) {
    struct wal_segment *segment = cairn_alloc_zero(sizeof *segment);
    list_init(&segment->link);
    segment->incarnation = incarnation;
    segment->bytes = bytes;
    segment->file = file;
    if (incarnation >= wal->next_incarnation)
        wal->next_incarnation = incarnation + 1;
    return segment;
}

struct wal_segment *wal_segment_current(const struct wal *wal) {
    cairn_assert(!list_empty(&wal->segments));
    return container_of(wal->segments.prev, struct wal_segment, link);
}

/* ---- preparation ---- */

static enum cairn_status fill(struct env *env, struct env_file *file, uint64_t bytes,
                              size_t fill_bytes) {
    struct aligned zeros = {0};
    enum cairn_status status = CAIRN_OK;
    size_t step = bytes < fill_bytes ? (size_t)bytes : fill_bytes;
    memset(aligned_reserve(&zeros, step), 0, step);
    for (uint64_t at = 0; status == CAIRN_OK && at < bytes; at += step) {
        size_t len = bytes - at < step ? (size_t)(bytes - at) : step;
        status = env_write_at(env, file, at, zeros.data, len);
    }
    aligned_free(&zeros);
    return status;
}

enum cairn_status wal_segment_make(struct env *env, const char *folder, uint64_t incarnation,
                                   uint64_t bytes, size_t fill_bytes, struct env_file **file) {
    char path[WAL_PATH_MAX];
    wal_segment_path(folder, incarnation, path);
    enum cairn_status status =
        env_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE | ENV_OPEN_DIRECT, file);
    if (status != CAIRN_OK)
        return status;
    status = env_allocate(env, *file, bytes);
    if (status == CAIRN_OK && fill_bytes > 0)
        status = fill(env, *file, bytes, fill_bytes);
    if (status == CAIRN_OK)
        status = env_sync(env, *file);
    if (status == CAIRN_OK)
        status = env_sync_folder(env, folder);
    if (status == CAIRN_OK)
        return CAIRN_OK;
    env_file_close(env, *file);
    *file = NULL;
    /* What can't be removed is found again at the next start. */
    (void)env_remove(env, path);
    return status;
}

struct prepare_job {
    struct wal_background background;
    struct env *env;
    char *folder;
    uint64_t incarnation;
    uint64_t bytes;
    size_t fill_bytes;
    struct env_file *file;
    enum cairn_status status;
};

static void prepare_run(struct env_work *work) {
    struct prepare_job *job = container_of(work, struct prepare_job, background.work);
    job->status = wal_segment_make(job->env, job->folder, job->incarnation, job->bytes,
                                   job->fill_bytes, &job->file);
}

static void prepare_drop(struct wal_background *background) {
    struct prepare_job *job = container_of(background, struct prepare_job, background);
    cairn_free(job->folder);
    cairn_free(job);
}

/* Kept in the order of incarnations, which is the order of use. */
static void add_ready(struct wal *wal, struct wal_segment *segment) {
    struct list *before = &wal->ready;
    LIST_EACH(at, &wal->ready) {
        if (container_of(at, struct wal_segment, link)->incarnation > segment->incarnation) {
            before = at;
            break;
        }
    }
    list_push(before, &segment->link);
}

static void pass_over(struct wal *wal);

#define SPACE_RETRY_NS 250000000ull

/* One more segment is there, or an old one is gone; or there is no space. */
static void note_outcome(struct wal *wal, enum cairn_status status, bool added) {
    if (status == CAIRN_NO_SPACE) {
        wal->no_space = true;
        env_timer_set(wal->env, &wal->space_timer, env_now(wal->env) + SPACE_RETRY_NS);
    }
    if (status == CAIRN_OK && added)
        wal->refused = false;
    if (status == CAIRN_OK && wal->no_space)
        wal_segment_try_again(wal);
    if (status == CAIRN_OK)
        wal_retry(wal);
    else if (wal->preparing == 0)
        wal_fail_waiting(wal, status == CAIRN_NO_SPACE ? status : CAIRN_IO);
}

static void prepare_finish(struct wal_background *background) {
    struct prepare_job *job = container_of(background, struct prepare_job, background);
    struct wal *wal = background->wal;
    enum cairn_status status = job->status;
    if (status == CAIRN_EXHAUSTED && !wal->closing) {
        wal_background_again(background);
        return;
    }
    wal->preparing--;
    if (status == CAIRN_OK)
        add_ready(wal, wal_segment_new(wal, job->incarnation, job->bytes, job->file));
    if (job->bytes == wal->large_bytes)
        wal->large_bytes = 0;
    prepare_drop(background);
    if (wal->closing)
        return;
    pass_over(wal);
    note_outcome(wal, status, true);
}

static void prepare_start(struct wal *wal, uint64_t bytes) {
    struct prepare_job *job = cairn_alloc_zero(sizeof *job);
    job->env = wal->env;
    job->folder = cairn_strdup(wal->folder);
    job->incarnation = wal->next_incarnation++;
    job->bytes = bytes;
    /* For a single batch, which waits for it, the zeros that the file system answers for what was
     * never written must do. */
    if (bytes <= wal->options.segment_bytes)
        job->fill_bytes =
            rare_limit(wal->options.rare, RARE_FILL_SMALL, ENV_DISK_ALIGN, WAL_FILL_BYTES);
    job->background.finish = prepare_finish;
    job->background.drop = prepare_drop;
    wal->preparing++;
    wal_background_start(wal, &job->background, prepare_run);
}

static unsigned ready_count(const struct wal *wal) {
    unsigned count = 0;
    LIST_EACH(at, &wal->ready) {
        count++;
    }
    return count;
}

static uint64_t ready_bytes(const struct wal *wal) {
    uint64_t bytes = 0;
    LIST_EACH(at, &wal->ready) {
        bytes += container_of(at, struct wal_segment, link)->bytes;
    }
    return bytes;
}

#define LEAVE_BYTES (4 * ENV_DISK_ALIGN) /* in the simulator, of some segments */
#define LOW_FACTOR 4u                    /* of what is kept */

uint64_t wal_low_bytes(const struct wal *wal) {
    return LOW_FACTOR * wal->options.kept_bytes;
}

uint64_t wal_segment_room(const struct wal *wal) {
    const struct wal_segment *current = wal_segment_current(wal);
    return current->bytes - current->used + ready_bytes(wal);
}

/* With all of them there, the log is not full, however little the segment in use has left. */
static unsigned spares_wanted(const struct wal *wal) {
    uint64_t low = wal_low_bytes(wal), each = wal->options.segment_bytes;
    unsigned needed = (unsigned)((low + each - 1) / each);
    return needed > wal->options.spare_segments ? needed : wal->options.spare_segments;
}

void wal_segment_replenish(struct wal *wal) {
    while (ready_count(wal) + wal->preparing < spares_wanted(wal))
        prepare_start(wal, wal->options.segment_bytes);
}

void wal_segment_try_again(struct wal *wal) {
    wal_segment_replenish(wal);
    wal->no_space &= wal->preparing > 0;
}

/* ---- renaming and removing ---- */

struct rename_job {
    struct wal_background background;
    struct env *env;
    struct env_file *control_file;
    char *folder;
    struct wal_segment *segment;
    struct wal_control control; /* seq 0: leave the page alone */
    unsigned control_first;
    uint64_t to;  /* 0: remove */
    bool renamed; /* in an earlier try; only the folder is not known to be durable */
    enum cairn_status status;
};

static void rename_run(struct env_work *work) {
    struct rename_job *job = container_of(work, struct rename_job, background.work);
    char from[WAL_PATH_MAX], to[WAL_PATH_MAX];
    wal_segment_path(job->folder, job->segment->incarnation, from);
    wal_segment_path(job->folder, job->to, to);
    job->status = CAIRN_OK;
    /* First no group may need the segment, then it goes. */
    if (job->control.seq && !job->renamed)
        job->status =
            wal_control_store(job->env, job->control_file, &job->control, job->control_first);
    if (job->status != CAIRN_OK)
        return;
    if (job->to == 0 && !job->renamed)
        job->status = env_remove(job->env, from);
    else if (!job->renamed)
        job->status = env_rename(job->env, from, to);
    job->renamed = job->status == CAIRN_OK;
    if (job->renamed)
        job->status = env_sync_folder(job->env, job->folder);
}

static void rename_drop(struct wal_background *background) {
    struct rename_job *job = container_of(background, struct rename_job, background);
    cairn_free(job->segment);
    cairn_free(job->folder);
    cairn_free(job);
}

static void rename_finish(struct wal_background *background) {
    struct rename_job *job = container_of(background, struct rename_job, background);
    struct wal *wal = background->wal;
    if (job->status == CAIRN_EXHAUSTED && !wal->closing) {
        wal_background_again(background);
        return;
    }
    if (job->to)
        wal->preparing--;
    if (job->to && job->status == CAIRN_OK) {
        job->segment->incarnation = job->to;
        job->segment->used = 0;
        add_ready(wal, job->segment);
        job->segment = NULL;
    } else {
        env_file_close(wal->env, job->segment->file);
    }
    enum cairn_status status = job->status;
    bool added = job->to != 0;
    rename_drop(background);
    if (wal->closing)
        return;
    pass_over(wal);
    note_outcome(wal, status, added);
}

static void rename_start(struct wal *wal, struct wal_segment *segment, bool keep, bool note) {
    struct rename_job *job = cairn_alloc_zero(sizeof *job);
    list_remove(&segment->link);
    job->env = wal->env;
    job->control_file = wal->control_file;
    job->folder = cairn_strdup(wal->folder);
    job->segment = segment;
    job->to = keep ? wal->next_incarnation++ : 0;
    if (note) {
        wal->control.seq++;
        wal_control_note(wal);
        job->control = wal->control;
        job->control_first = wal->control_first;
    }
    if (keep)
        wal->preparing++;
    job->background.finish = rename_finish;
    job->background.drop = rename_drop;
    wal_background_start(wal, &job->background, rename_run);
}

/* What proves damage must not go before it is repaired, or a restart would know nothing of it. */
static bool damage_stands(struct wal *wal) {
    if (!wal->damaged)
        return false;
    for (struct wal_group *at = NULL; (at = wal_index_next(&wal->index, at)) != NULL;)
        if (wal_group_damaged(at))
            return true;
    wal->damaged = false;
    return false;
}

void wal_segment_recycle(struct wal *wal) {
    if (damage_stands(wal))
        return;
    while (!wal->failed && !wal->closing) {
        struct wal_segment *oldest =
            container_of(list_first(&wal->segments), struct wal_segment, link);
        if (oldest->live > 0 || oldest == wal_segment_current(wal))
            return;
        /* The write under way may have begun in it before the log moved on. */
        if (wal->job.running && wal->job.segment == oldest)
            return;
        if (!wal_releases_told(wal))
            return;
        bool keep = oldest->bytes == wal->options.segment_bytes && !oldest->damaged &&
                    ready_count(wal) + wal->preparing <= spares_wanted(wal) &&
                    !rare_hit(wal->options.rare, RARE_SEGMENT_NOT_KEPT);
        rename_start(wal, oldest, keep, true);
    }
}

/* A spare below the segment in use can't be used any more, for incarnations rise along the log. */
static void pass_over(struct wal *wal) {
    uint64_t current = wal_segment_current(wal)->incarnation;
    LIST_EACH_SAFE(at, &wal->ready) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        if (segment->incarnation < current)
            rename_start(wal, segment, segment->bytes == wal->options.segment_bytes, false);
    }
}

static struct wal_segment *first_ready(const struct wal *wal, uint64_t bytes) {
    LIST_EACH(at, &wal->ready) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        if (segment->bytes >= bytes)
            return segment;
    }
    return NULL;
}

/* It is left before its end, when the next one is there and all that is to be certain is besides.
 */
static bool leaves_early(const struct wal *wal, const struct wal_segment *current, uint64_t bytes,
                         uint64_t kept) {
    const struct wal_segment *next = first_ready(wal, bytes);
    return current->leave_at != 0 && current->used >= current->leave_at && !wal->no_space &&
           next != NULL && ready_bytes(wal) >= bytes + kept;
}

RARE_COLD static void go_on_in(struct wal *wal, struct wal_segment *next) {
    list_remove(&next->link);
    list_push(&wal->segments, &next->link);
    next->leave_at = rare_limit(wal->options.rare, RARE_SEGMENT_LEFT, LEAVE_BYTES, 0);
    pass_over(wal);
    wal_segment_replenish(wal);
}

bool wal_segment_advance(struct wal *wal, uint64_t bytes, uint64_t kept) {
    const struct wal_segment *current = wal_segment_current(wal);
    struct wal_segment *next = NULL;
    bool fits = current->used + bytes <= current->bytes && !leaves_early(wal, current, bytes, kept);
    if (fits && wal_segment_room(wal) >= bytes + kept)
        return true;
    if (!fits)
        next = first_ready(wal, bytes);
    if (next != NULL && ready_bytes(wal) >= bytes + kept) {
        go_on_in(wal, next);
        return true;
    }
    if (!fits && next == NULL && bytes > wal->options.segment_bytes && wal->large_bytes < bytes) {
        wal->large_bytes = bytes;
        prepare_start(wal, bytes);
    } else if (wal->preparing == 0) {
        prepare_start(wal, wal->options.segment_bytes);
    }
    return false;
}

static void free_all(struct wal *wal, struct list *segments, bool close_files) {
    LIST_EACH_SAFE(at, segments) {
        struct wal_segment *segment = container_of(at, struct wal_segment, link);
        list_remove(at);
        if (close_files)
            env_file_close(wal->env, segment->file);
        cairn_free(segment);
    }
}

void wal_segments_free(struct wal *wal, bool close_files) {
    free_all(wal, &wal->segments, close_files);
    free_all(wal, &wal->ready, close_files);
}
