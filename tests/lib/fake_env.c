#include "fake_env.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct env_file {
    struct fake_file *file;
    struct list link;
    bool direct;
};

static struct fake_env *fake_of(struct env *env) {
    return container_of(env, struct fake_env, env);
}

/* ---- clock, timers, work ---- */

static uint64_t fake_now(struct env *env) {
    return fake_of(env)->now;
}

static struct env_wall fake_wall(struct env *env) {
    uint64_t now = fake_of(env)->now;
    return (struct env_wall){now, now, true};
}

static void fake_entropy(struct env *env, void *out, size_t len) {
    uint8_t *at = out;
    for (size_t i = 0; i < len; i++)
        at[i] = (uint8_t)prng_next(&fake_of(env)->prng);
}

static void fake_timer_clear(struct env *env, struct env_timer *timer) {
    struct fake_env *fake = fake_of(env);
    if (timer->heap_at == 0)
        return;
    fake->timers[timer->heap_at - 1] = NULL;
    timer->heap_at = 0;
}

static void fake_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline) {
    struct fake_env *fake = fake_of(env);
    fake_timer_clear(env, timer);
    timer->deadline = deadline;
    timer->order = fake->order++;
    for (size_t i = 0; i < FAKE_TIMERS_MAX; i++) {
        if (fake->timers[i] == NULL) {
            fake->timers[i] = timer;
            timer->heap_at = i + 1;
            return;
        }
    }
    cairn_assert(false);
}

static void fake_set_turn(struct env *env, void (*turn)(void *context), void *context) {}

static void fake_wake(struct env *env) {}

static void fake_work(struct env *env, enum env_queue queue, struct env_work *work) {
    list_push(&fake_of(env)->queues[queue], &work->link);
}

static bool fire_timer(struct fake_env *fake) {
    struct env_timer *first = NULL;
    for (size_t i = 0; i < FAKE_TIMERS_MAX; i++) {
        struct env_timer *timer = fake->timers[i];
        if (timer && timer->deadline <= fake->now &&
            (!first || timer->deadline < first->deadline ||
             (timer->deadline == first->deadline && timer->order < first->order)))
            first = timer;
    }
    if (first == NULL)
        return false;
    fake_timer_clear(&fake->env, first);
    first->fire(first);
    return true;
}

static bool step(struct fake_env *fake) {
    struct list *at = list_first(&fake->done);
    if (at) {
        struct env_work *work = container_of(at, struct env_work, link);
        list_remove(at);
        work->done(work);
        return true;
    }
    if (fire_timer(fake))
        return true;
    unsigned first = (unsigned)prng_below(&fake->prng, ENV_QUEUE_COUNT);
    for (unsigned i = 0; i < ENV_QUEUE_COUNT; i++) {
        at = list_first(&fake->queues[(first + i) % ENV_QUEUE_COUNT]);
        if (at == NULL)
            continue;
        struct env_work *work = container_of(at, struct env_work, link);
        list_remove(at);
        work->run(work);
        list_push(&fake->done, at);
        return true;
    }
    return false;
}

void fake_env_run(struct fake_env *fake) {
    while (!fake->crashed && step(fake))
        ;
}

void fake_env_sleep(struct fake_env *fake, uint64_t ns) {
    fake_env_run(fake);
    fake->now += ns;
    fake_env_run(fake);
}

/* ---- files ---- */

struct fake_file *fake_env_file(struct fake_env *fake, const char *path) {
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        if (fake->files[i].path && strcmp(fake->files[i].path, path) == 0)
            return &fake->files[i];
    return NULL;
}

static struct fake_file *file_new(struct fake_env *fake, const char *path) {
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_file *file = &fake->files[i];
        if (file->used)
            continue;
        *file = (struct fake_file){.path = cairn_strdup(path), .used = true};
        return file;
    }
    cairn_assert(false);
}

static void file_end(struct fake_file *file) {
    cairn_free(file->path);
    cairn_free(file->durable_path);
    cairn_free(file->seen);
    cairn_free(file->durable);
    cairn_free(file->unread);
    *file = (struct fake_file){0};
}

static void collect(struct fake_file *file) {
    if (file->used && !file->path && !file->durable_path && file->handles == 0)
        file_end(file);
}

static void resize(uint8_t **bytes, size_t *size, size_t to) {
    *bytes = cairn_realloc(*bytes, to);
    if (to > *size)
        memset(*bytes + *size, 0, to - *size);
    *size = to;
}

static enum cairn_status fake_open(struct env *env, const char *path, unsigned flags,
                                   struct env_file **out) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *file = fake_env_file(fake, path);
    if (fake->crashed)
        return CAIRN_IO;
    if (fake->exhausted)
        return CAIRN_EXHAUSTED;
    if (file == NULL && !(flags & ENV_OPEN_CREATE))
        return CAIRN_NOT_FOUND;
    if (file != NULL && (flags & ENV_OPEN_EXCLUSIVE))
        return CAIRN_EXISTS;
    if (file == NULL)
        file = file_new(fake, path);
    file->handles++;
    *out = cairn_alloc(sizeof **out);
    **out = (struct env_file){.file = file,
                              .direct = (flags & ENV_OPEN_DIRECT) && !fake->direct_refused};
    list_push(&fake->handles, &(*out)->link);
    return CAIRN_OK;
}

static void fake_file_close(struct env *env, struct env_file *handle) {
    cairn_assert(handle->file->handles > 0);
    handle->file->handles--;
    collect(handle->file);
    list_remove(&handle->link);
    cairn_free(handle);
}

static bool fake_file_is_direct(struct env *env, struct env_file *handle) {
    return handle->direct;
}

static enum cairn_status fake_file_size(struct env *env, struct env_file *handle, uint64_t *size) {
    *size = handle->file->size;
    return fake_of(env)->crashed ? CAIRN_IO : CAIRN_OK;
}

static enum cairn_status fake_read_at(struct env *env, struct env_file *handle, uint64_t offset,
                                      void *out, size_t len) {
    const struct fake_file *file = handle->file;
    cairn_assert(!handle->direct || (offset % ENV_DISK_ALIGN == 0 && len % ENV_DISK_ALIGN == 0 &&
                                     (uintptr_t)out % ENV_DISK_ALIGN == 0));
    if (fake_of(env)->crashed)
        return CAIRN_IO;
    if (offset > file->size || len > file->size - offset)
        return CAIRN_TORN;
    for (uint64_t at = offset / FAKE_SECTOR; at * FAKE_SECTOR < offset + len; at++)
        if (at < file->unread_len && file->unread[at])
            return CAIRN_IO;
    if (len)
        memcpy(out, file->seen + offset, len);
    return CAIRN_OK;
}

static void note_written(struct fake_file *file, size_t from, size_t to) {
    bool any = file->written_from < file->written_to;
    file->written_from = any && file->written_from < from ? file->written_from : from;
    file->written_to = any && file->written_to > to ? file->written_to : to;
}

static void write_seen(struct fake_file *file, uint64_t offset, const void *data, size_t len) {
    note_written(file, offset < file->size ? (size_t)offset : file->size, (size_t)offset + len);
    if (offset + len > file->size)
        resize(&file->seen, &file->size, (size_t)(offset + len));
    memcpy(file->seen + offset, data, len);
    for (uint64_t at = offset / FAKE_SECTOR; at * FAKE_SECTOR < offset + len; at++)
        if (at < file->unread_len)
            file->unread[at] = 0;
}

static void make_durable(struct fake_file *file, size_t offset, size_t len) {
    if (file->durable_size < offset + len)
        resize(&file->durable, &file->durable_size, offset + len);
    memcpy(file->durable + offset, file->seen + offset, len);
}

static enum cairn_status fake_write_at(struct env *env, struct env_file *handle, uint64_t offset,
                                       const void *data, size_t len) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *file = handle->file;
    cairn_assert(!handle->direct || (offset % ENV_DISK_ALIGN == 0 && len % ENV_DISK_ALIGN == 0 &&
                                     (uintptr_t)data % ENV_DISK_ALIGN == 0));
    if (fake->crashed)
        return CAIRN_IO;
    fake->writes++;
    if (fake->error_after >= 0 && fake->error_after-- == 0)
        return CAIRN_IO;
    uint64_t growth = offset + len > file->size ? offset + len - file->size : 0;
    if (fake->space >= 0 && growth > (uint64_t)fake->space) {
        uint64_t fits = len - growth + (uint64_t)fake->space;
        if (offset < file->size + (uint64_t)fake->space)
            write_seen(file, offset, data, (size_t)fits);
        fake->space = 0;
        return CAIRN_NO_SPACE;
    }
    if (fake->space >= 0)
        fake->space -= (int64_t)growth;
    write_seen(file, offset, data, len);
    if (fake->crash_after >= 0 && fake->crash_after-- == 0) {
        fake->crashed = true;
        return CAIRN_IO;
    }
    if (handle->direct)
        make_durable(file, (size_t)offset, len);
    return CAIRN_OK;
}

static enum cairn_status fake_sync(struct env *env, struct env_file *handle) {
    struct fake_env *fake = fake_of(env);
    if (fake->crashed || fake->sync_fails)
        return CAIRN_IO;
    struct fake_file *file = handle->file;
    if (file->written_from < file->written_to)
        make_durable(file, file->written_from, file->written_to - file->written_from);
    file->written_from = file->written_to = 0;
    return CAIRN_OK;
}

static enum cairn_status fake_allocate(struct env *env, struct env_file *handle, uint64_t size) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *file = handle->file;
    if (fake->crashed)
        return CAIRN_IO;
    if (size <= file->size)
        return CAIRN_OK;
    if (fake->space >= 0 && size - file->size > (uint64_t)fake->space)
        return CAIRN_NO_SPACE;
    if (fake->space >= 0)
        fake->space -= (int64_t)(size - file->size);
    note_written(file, file->size, (size_t)size);
    resize(&file->seen, &file->size, (size_t)size);
    return CAIRN_OK;
}

static enum cairn_status fake_rename(struct env *env, const char *from, const char *to) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *file = fake_env_file(fake, from);
    if (fake->crashed)
        return CAIRN_IO;
    if (file == NULL)
        return CAIRN_NOT_FOUND;
    struct fake_file *old = fake_env_file(fake, to);
    if (old) {
        cairn_free(old->path);
        old->path = NULL;
        collect(old);
    }
    cairn_free(file->path);
    file->path = cairn_strdup(to);
    return CAIRN_OK;
}

static enum cairn_status fake_remove(struct env *env, const char *path) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *file = fake_env_file(fake, path);
    if (fake->crashed)
        return CAIRN_IO;
    if (file == NULL)
        return CAIRN_NOT_FOUND;
    if (fake->space >= 0)
        fake->space += (int64_t)file->size;
    cairn_free(file->path);
    file->path = NULL;
    collect(file);
    return CAIRN_OK;
}

static enum cairn_status fake_make_folder(struct env *env, const char *path) {
    return fake_of(env)->crashed ? CAIRN_IO : CAIRN_OK;
}

static void settle_name(struct fake_env *fake, struct fake_file *file) {
    for (size_t i = 0; i < FAKE_FILES_MAX && file->path; i++) {
        struct fake_file *other = &fake->files[i];
        if (other == file || !other->durable_path || strcmp(other->durable_path, file->path) != 0)
            continue;
        cairn_free(other->durable_path);
        other->durable_path = NULL;
    }
    cairn_free(file->durable_path);
    file->durable_path = file->path ? cairn_strdup(file->path) : NULL;
}

static enum cairn_status fake_sync_folder(struct env *env, const char *path) {
    struct fake_env *fake = fake_of(env);
    if (fake->crashed)
        return CAIRN_IO;
    if (fake->exhausted)
        return CAIRN_EXHAUSTED;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        if (!fake->files[i].used)
            continue;
        settle_name(fake, &fake->files[i]);
        collect(&fake->files[i]);
    }
    return CAIRN_OK;
}

static int by_path(const void *a, const void *b) {
    const struct fake_file *const *left = a, *const *right = b;
    return strcmp((*left)->path, (*right)->path);
}

static enum cairn_status fake_list(struct env *env, const char *path, env_list_visit *visit,
                                   void *context) {
    struct fake_env *fake = fake_of(env);
    struct fake_file *found[FAKE_FILES_MAX];
    size_t count = 0, len = strlen(path);
    if (fake->crashed)
        return CAIRN_IO;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_file *file = &fake->files[i];
        if (file->path && strncmp(file->path, path, len) == 0 && file->path[len] == '/' &&
            strchr(file->path + len + 1, '/') == NULL)
            found[count++] = file;
    }
    qsort(found, count, sizeof found[0], by_path);
    for (size_t i = 0; i < count; i++)
        visit(context, found[i]->path + len + 1, false, found[i]->size);
    return CAIRN_OK;
}

static enum cairn_status fake_lock(struct env *env, const char *path, struct env_file **out) {
    struct fake_file *file = fake_env_file(fake_of(env), path);
    if (file && file->handles > 0)
        return CAIRN_BUSY;
    return fake_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, out);
}

static enum cairn_status fake_free_space(struct env *env, const char *path, uint64_t *bytes) {
    struct fake_env *fake = fake_of(env);
    *bytes = fake->space >= 0 ? (uint64_t)fake->space : UINT64_MAX;
    return CAIRN_OK;
}

static const struct env_ops fake_ops = {
    .now = fake_now,
    .wall = fake_wall,
    .entropy = fake_entropy,
    .timer_set = fake_timer_set,
    .timer_clear = fake_timer_clear,
    .set_turn = fake_set_turn,
    .wake = fake_wake,
    .work = fake_work,
    .open = fake_open,
    .file_close = fake_file_close,
    .file_is_direct = fake_file_is_direct,
    .file_size = fake_file_size,
    .read_at = fake_read_at,
    .write_at = fake_write_at,
    .sync = fake_sync,
    .allocate = fake_allocate,
    .rename = fake_rename,
    .remove = fake_remove,
    .make_folder = fake_make_folder,
    .sync_folder = fake_sync_folder,
    .list = fake_list,
    .lock = fake_lock,
    .free_space = fake_free_space,
};

/* ---- the world ---- */

static void close_handles(struct fake_env *fake) {
    LIST_EACH_SAFE(at, &fake->handles) {
        list_remove(at);
        cairn_free(container_of(at, struct env_file, link));
    }
}

static void calm(struct fake_env *fake) {
    for (unsigned i = 0; i < ENV_QUEUE_COUNT; i++)
        list_init(&fake->queues[i]);
    list_init(&fake->done);
    memset(fake->timers, 0, sizeof fake->timers);
    fake->crash_after = fake->error_after = fake->space = -1;
    fake->sync_fails = fake->crashed = fake->exhausted = false;
}

struct fake_env *fake_env_new(uint64_t seed) {
    struct fake_env *fake = cairn_alloc_zero(sizeof *fake);
    fake->env.ops = &fake_ops;
    fake->now = 1000000000;
    prng_seed(&fake->prng, seed);
    list_init(&fake->handles);
    calm(fake);
    return fake;
}

void fake_env_free(struct fake_env *fake) {
    close_handles(fake);
    for (size_t i = 0; i < FAKE_FILES_MAX; i++)
        if (fake->files[i].used)
            file_end(&fake->files[i]);
    cairn_free(fake);
}

/* Sectors that were written and not synced: each is there or is not. */
static void tear(struct fake_env *fake, struct fake_file *file) {
    bool grown = file->size > file->durable_size;
    size_t size = grown && prng_chance(&fake->prng, 1, 2) ? file->size : file->durable_size;
    if (size > file->durable_size)
        resize(&file->durable, &file->durable_size, size);
    for (size_t at = 0; at < file->durable_size && at < file->size; at += FAKE_SECTOR) {
        size_t len = file->durable_size - at < FAKE_SECTOR ? file->durable_size - at : FAKE_SECTOR;
        if (len > file->size - at)
            len = file->size - at;
        if (memcmp(file->durable + at, file->seen + at, len) != 0 && prng_chance(&fake->prng, 1, 2))
            memcpy(file->durable + at, file->seen + at, len);
    }
    cairn_free(file->seen);
    file->seen = cairn_alloc(file->durable_size);
    file->size = file->durable_size;
    file->written_from = file->written_to = 0;
    if (file->size)
        memcpy(file->seen, file->durable, file->size);
}

void fake_env_crash(struct fake_env *fake) {
    close_handles(fake);
    /* Renames, creations and removals that were not synced: each took place or did not. */
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_file *file = &fake->files[i];
        file->handles = 0;
        if (file->used && prng_chance(&fake->prng, 1, 2))
            settle_name(fake, file);
    }
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        struct fake_file *file = &fake->files[i];
        if (!file->used)
            continue;
        cairn_free(file->path);
        file->path = file->durable_path ? cairn_strdup(file->durable_path) : NULL;
        if (file->path)
            tear(fake, file);
        else
            file_end(file);
    }
    calm(fake);
}

void fake_env_flip(struct fake_file *file, size_t offset, uint8_t bits) {
    cairn_assert(offset < file->size && offset < file->durable_size);
    file->seen[offset] ^= bits;
    file->durable[offset] ^= bits;
}

void fake_env_unreadable(struct fake_file *file, size_t offset) {
    size_t sector = offset / FAKE_SECTOR;
    if (sector >= file->unread_len)
        resize(&file->unread, &file->unread_len, sector + 1);
    file->unread[sector] = 1;
}

void fake_env_put(struct fake_env *fake, const char *path, struct bytes bytes) {
    struct fake_file *file = fake_env_file(fake, path);
    if (file)
        file_end(file);
    file = file_new(fake, path);
    settle_name(fake, file);
    resize(&file->seen, &file->size, bytes.len);
    resize(&file->durable, &file->durable_size, bytes.len);
    if (bytes.len) {
        memcpy(file->seen, bytes.data, bytes.len);
        memcpy(file->durable, bytes.data, bytes.len);
    }
}

struct fake_env *fake_env_copy(const struct fake_env *fake) {
    struct fake_env *copy = fake_env_new(fake->writes);
    copy->direct_refused = fake->direct_refused;
    for (size_t i = 0; i < FAKE_FILES_MAX; i++) {
        const struct fake_file *file = &fake->files[i];
        if (file->used && file->durable_path)
            fake_env_put(copy, file->durable_path, bytes_of(file->durable, file->durable_size));
    }
    return copy;
}
