/* The layer itself: loaded into servers, so it takes nothing of cairn's with it but layer.h, and
 * makes its system calls directly: a lookup of the functions that it stands before could come back
 * to them before the process has begun.
 *
 * Power loss is played afterwards: before a write that is not durable at once, what it will replace
 * is appended to a journal; a sync says there that all before is safe. When the process has been
 * killed, the tormentor undoes what was not safe (layer_undo.c). Names (renames, new files, files
 * emptied by open) are taken to be durable at once.
 */
#undef _FILE_OFFSET_BITS /* both names of each call are needed: the plain one and that with 64 */
#include "torture/layer.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#define SECOND 1000000000
#define OLD_MAX (64u << 20)
#define DIRTY_MAX 64
#define ALIGN 4096u

/* What a preloaded object knows can only hang off the object itself. */
static struct {
    struct layer_control *control;
    char folder[PATH_MAX];
    size_t folder_len;
    int journal; /* descriptor, -1: none yet */
    char journal_path[PATH_MAX];
    pthread_mutex_t mutex; /* the journal and the dirty ones */
    ino_t dirty[DIRTY_MAX];
    unsigned dirty_count;
    bool dirty_overflow;
    _Atomic uint64_t chance;
    int (*cond_timedwait)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
} layer = {.journal = -1, .mutex = PTHREAD_MUTEX_INITIALIZER};

static void after_fork(void) {
    pthread_mutex_init(&layer.mutex, NULL);
}

__attribute__((constructor)) static void attach(void) {
    const char *control = getenv(LAYER_CONTROL_ENV), *folder = getenv(LAYER_FOLDER_ENV),
               *journal = getenv(LAYER_JOURNAL_ENV);
    if (control == NULL || folder == NULL || journal == NULL ||
        strlen(folder) >= sizeof layer.folder || strlen(journal) >= sizeof layer.journal_path)
        return;
    int fd = (int)syscall(SYS_openat, AT_FDCWD, control, O_RDWR | O_CLOEXEC, 0);
    if (fd < 0)
        return;
    void *map = mmap(NULL, sizeof *layer.control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    syscall(SYS_close, fd);
    if (map == MAP_FAILED)
        return;
    memcpy(layer.folder, folder, strlen(folder) + 1);
    memcpy(layer.journal_path, journal, strlen(journal) + 1);
    layer.folder_len = strlen(folder);
    layer.chance = (uint64_t)getpid() * 0x9e3779b97f4a7c15u;
    void *next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
    memcpy(&layer.cond_timedwait, &next, sizeof next);
    pthread_atfork(NULL, NULL, after_fork);
    layer.control = map;
    layer.control->attached = getpid();
}

static bool hits(uint32_t percent) {
    if (percent == 0)
        return false;
    uint64_t x = atomic_fetch_add(&layer.chance, 0x9e3779b97f4a7c15u);
    x = (x ^ (x >> 31)) * 0xbf58476d1ce4e5b9u;
    return (x >> 33) % 100 < percent;
}

/* ---- which files ---- */

struct target_file {
    char path[PATH_MAX];
    struct stat about;
    bool durable; /* opened so that writes are on the disk when they return */
};

static bool is_ours(int fd, struct target_file *file) {
    char link[40];
    if (layer.control == NULL ||
        syscall(SYS_newfstatat, fd, "", &file->about, AT_EMPTY_PATH) != 0 ||
        !S_ISREG(file->about.st_mode))
        return false;
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t len = readlink(link, file->path, sizeof file->path - 1);
    if (len <= (ssize_t)layer.folder_len ||
        memcmp(file->path, layer.folder, layer.folder_len) != 0 ||
        file->path[layer.folder_len] != '/')
        return false;
    file->path[len] = 0;
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
    file->durable = flags >= 0 && (flags & O_DSYNC);
    return true;
}

/* ---- the journal ---- */

static bool open_journal(void) {
    if (layer.journal < 0)
        layer.journal = (int)syscall(SYS_openat, AT_FDCWD, layer.journal_path,
                                     O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    return layer.journal >= 0;
}

static void append(const struct layer_record *record, const char *path, const void *old) {
    struct iovec parts[] = {{(void *)(uintptr_t)record, sizeof *record},
                            {(void *)(uintptr_t)path, record->path_len},
                            {(void *)(uintptr_t)old, record->old_len}};
    syscall(SYS_writev, layer.journal, parts, record->old_len ? 3 : 2);
}

static void mark_dirty(ino_t inode) {
    for (unsigned i = 0; i < layer.dirty_count; i++)
        if (layer.dirty[i] == inode)
            return;
    if (layer.dirty_count < DIRTY_MAX)
        layer.dirty[layer.dirty_count++] = inode;
    else
        layer.dirty_overflow = true;
}

static void mark_clean(ino_t inode) {
    for (unsigned i = 0; i < layer.dirty_count; i++)
        if (layer.dirty[i] == inode)
            layer.dirty[i--] = layer.dirty[--layer.dirty_count];
}

static void *read_old(const char *path, off_t offset, size_t len) {
    void *old = malloc(len);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
    ssize_t got = old && fd >= 0 ? syscall(SYS_pread64, fd, old, len, offset) : -1;
    if (fd >= 0)
        syscall(SYS_close, fd);
    if (got == (ssize_t)len)
        return old;
    free(old);
    return NULL;
}

/* Bytes offset .. offset + len of the file are about to change, or its size. */
static void remember(const struct target_file *file, off_t offset, size_t len) {
    if (!layer.control->journal || file->durable)
        return;
    int error = errno;
    off_t size = file->about.st_size;
    size_t within = offset >= size                  ? 0
                    : (size_t)(size - offset) < len ? (size_t)(size - offset)
                                                    : len;
    void *old = within > 0 && within <= OLD_MAX ? read_old(file->path, offset, within) : NULL;
    struct layer_record record = {.magic = LAYER_MAGIC,
                                  .kind = LAYER_WRITTEN,
                                  .path_len = (uint32_t)strlen(file->path) + 1,
                                  .old_len = old ? (uint32_t)within : 0,
                                  .offset = (uint64_t)offset,
                                  .old_size = (uint64_t)size};
    pthread_mutex_lock(&layer.mutex);
    if (open_journal()) {
        append(&record, file->path, old);
        mark_dirty(file->about.st_ino);
    }
    pthread_mutex_unlock(&layer.mutex);
    free(old);
    errno = error;
}

static void remember_sync(const struct target_file *file) {
    if (!layer.control->journal)
        return;
    struct layer_record record = {
        .magic = LAYER_MAGIC, .kind = LAYER_SYNCED, .path_len = (uint32_t)strlen(file->path) + 1};
    pthread_mutex_lock(&layer.mutex);
    mark_clean(file->about.st_ino);
    if (open_journal()) {
        append(&record, file->path, NULL);
        if (layer.dirty_count == 0 && !layer.dirty_overflow)
            syscall(SYS_ftruncate, layer.journal, 0);
    }
    pthread_mutex_unlock(&layer.mutex);
}

/* ---- what happens to a write ---- */

static void nap(uint32_t us) {
    struct timespec time = {us / 1000000, (long)(us % 1000000) * 1000};
    while (us > 0 && syscall(SYS_nanosleep, &time, &time) != 0 && errno == EINTR)
        ;
}

static void wait_for_disk(void) {
    while (layer.control->hang)
        nap(1000);
    nap(layer.control->slow_us);
}

/* False: it fails, errno says why. *len may become less. */
static bool admit(const struct target_file *file, off_t offset, size_t *len) {
    layer.control->writes++;
    wait_for_disk();
    bool grows = offset + (off_t)*len > file->about.st_size;
    if (layer.control->full && grows)
        errno = ENOSPC;
    else if (hits(layer.control->fail_percent))
        errno = EIO;
    else {
        size_t part = *len / 2;
        if (file->durable)
            part -= part % ALIGN;
        if (part > 0 && hits(layer.control->short_percent))
            *len = part;
        return true;
    }
    layer.control->failed++;
    return false;
}

static off_t position(int fd, const struct target_file *file) {
    int flags = (int)syscall(SYS_fcntl, fd, F_GETFL);
    return flags & O_APPEND ? file->about.st_size : (off_t)syscall(SYS_lseek, fd, 0, SEEK_CUR);
}

ssize_t write(int fd, const void *data, size_t len) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        off_t at = position(fd, &file);
        if (!admit(&file, at, &len))
            return -1;
        remember(&file, at, len);
    }
    return syscall(SYS_write, fd, data, len);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        if (!admit(&file, at, &len))
            return -1;
        remember(&file, at, len);
    }
    return syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t pwrite64(int fd, const void *data, size_t len, off64_t at) {
    return pwrite(fd, data, len, at);
}

static size_t total(const struct iovec *parts, int count) {
    size_t sum = 0;
    for (int i = 0; i < count; i++)
        sum += parts[i].iov_len;
    return sum;
}

ssize_t writev(int fd, const struct iovec *parts, int count) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        off_t at = position(fd, &file);
        size_t whole = total(parts, count), len = whole;
        if (!admit(&file, at, &len))
            return -1;
        remember(&file, at, len);
        if (len < whole) /* a short one: of the first part only */
            return syscall(SYS_write, fd, parts[0].iov_base,
                           parts[0].iov_len < len ? parts[0].iov_len : len);
    }
    return syscall(SYS_writev, fd, parts, count);
}

ssize_t pwritev(int fd, const struct iovec *parts, int count, off_t at) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        size_t whole = total(parts, count), len = whole;
        if (!admit(&file, at, &len))
            return -1;
        remember(&file, at, len);
        if (len < whole)
            return syscall(SYS_pwrite64, fd, parts[0].iov_base,
                           parts[0].iov_len < len ? parts[0].iov_len : len, at);
    }
    return syscall(SYS_pwritev, fd, parts, count, at, 0);
}

ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
    return pwritev(fd, parts, count, at);
}

/* ---- syncs ---- */

static int sync_by(long number, int fd) {
    struct target_file file;
    if (!is_ours(fd, &file))
        return (int)syscall(number, fd);
    layer.control->syncs++;
    wait_for_disk();
    if (hits(layer.control->fail_percent)) {
        layer.control->failed++;
        errno = EIO;
        return -1;
    }
    int result = (int)syscall(number, fd);
    if (result == 0)
        remember_sync(&file);
    return result;
}

int fsync(int fd) {
    return sync_by(SYS_fsync, fd);
}

int fdatasync(int fd) {
    return sync_by(SYS_fdatasync, fd);
}

/* ---- space ---- */

static bool no_space(const struct target_file *file, off_t size) {
    wait_for_disk();
    if (!layer.control->full || size <= file->about.st_size)
        return false;
    layer.control->failed++;
    errno = ENOSPC;
    return true;
}

int ftruncate(int fd, off_t size) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        if (no_space(&file, size))
            return -1;
        off_t old = file.about.st_size;
        remember(&file, size < old ? size : old, size < old ? (size_t)(old - size) : 0);
    }
    return (int)syscall(SYS_ftruncate, fd, size);
}

int ftruncate64(int fd, off64_t size) {
    return ftruncate(fd, size);
}

int fallocate(int fd, int mode, off_t at, off_t len) {
    struct target_file file;
    if (is_ours(fd, &file)) {
        if (no_space(&file, at + len))
            return -1;
        if (mode == 0)
            remember(&file, file.about.st_size, 0);
    }
    return (int)syscall(SYS_fallocate, fd, mode, at, len);
}

int fallocate64(int fd, int mode, off64_t at, off64_t len) {
    return fallocate(fd, mode, at, len);
}

int posix_fallocate(int fd, off_t at, off_t len) {
    return fallocate(fd, 0, at, len) == 0 ? 0 : errno;
}

int posix_fallocate64(int fd, off64_t at, off64_t len) {
    return posix_fallocate(fd, at, len);
}

int statvfs(const char *path, struct statvfs *about) {
    int (*next)(const char *, struct statvfs *);
    void *found = dlsym(RTLD_NEXT, "statvfs");
    memcpy(&next, &found, sizeof next);
    int result = next(path, about);
    if (result == 0 && layer.control != NULL && layer.control->full &&
        strncmp(path, layer.folder, layer.folder_len) == 0)
        about->f_bavail = about->f_bfree = 0;
    return result;
}

/* ---- clocks ---- */

struct clock_state {
    int64_t wall_offset, rate, wall_base, mono_base, wall_slip, mono_slip;
};

static bool clock_changed(struct clock_state *state) {
    const struct layer_control *control = layer.control;
    if (control == NULL || control->clock_turn == 0)
        return false;
    uint32_t turn;
    do {
        turn = control->clock_turn;
        *state = (struct clock_state){control->wall_offset_ns, control->rate_ppm,
                                      control->wall_base_ns,   control->mono_base_ns,
                                      control->wall_slip_ns,   control->mono_slip_ns};
    } while ((turn & 1) || turn != control->clock_turn);
    return true;
}

static bool is_wall(clockid_t clock) {
    return clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE || clock == CLOCK_TAI;
}

static bool is_mono(clockid_t clock) {
    return clock == CLOCK_MONOTONIC || clock == CLOCK_MONOTONIC_RAW ||
           clock == CLOCK_MONOTONIC_COARSE || clock == CLOCK_BOOTTIME;
}

static int64_t as_ns(const struct timespec *time) {
    return (int64_t)time->tv_sec * SECOND + time->tv_nsec;
}

static struct timespec from_ns(int64_t ns) {
    return (struct timespec){.tv_sec = ns / SECOND, .tv_nsec = ns % SECOND};
}

static int64_t gained(const struct clock_state *state, bool wall, int64_t kernel_ns) {
    int64_t base = wall ? state->wall_base : state->mono_base;
    int64_t slip = wall ? state->wall_slip + state->wall_offset : state->mono_slip;
    return slip + (int64_t)((__int128)(kernel_ns - base) * state->rate / 1000000);
}

int clock_gettime(clockid_t clock, struct timespec *time) {
    struct clock_state state;
    int result = (int)syscall(SYS_clock_gettime, clock, time);
    if (result != 0 || (!is_wall(clock) && !is_mono(clock)) || !clock_changed(&state))
        return result;
    int64_t kernel = as_ns(time);
    *time = from_ns(kernel + gained(&state, is_wall(clock), kernel));
    return 0;
}

int gettimeofday(struct timeval *restrict time, void *restrict zone) {
    struct timespec now;
    int result = clock_gettime(CLOCK_REALTIME, &now);
    *time = (struct timeval){.tv_sec = now.tv_sec, .tv_usec = now.tv_nsec / 1000};
    return result;
}

time_t time(time_t *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (out != NULL)
        *out = now.tv_sec;
    return now.tv_sec;
}

/* A deadline of the process's own clock as one of the kernel's. */
static struct timespec to_kernel(const struct clock_state *state, clockid_t clock,
                                 const struct timespec *deadline) {
    struct timespec now;
    syscall(SYS_clock_gettime, clock, &now);
    int64_t kernel = as_ns(&now);
    int64_t left = as_ns(deadline) - kernel - gained(state, is_wall(clock), kernel);
    left = (int64_t)((__int128)left * 1000000 / (1000000 + state->rate));
    int64_t at = kernel + left;
    return from_ns(at > 0 ? at : 1);
}

/* Which clock a timer goes by, by descriptor. */
static _Atomic(clockid_t) timer_clocks[1024];

int timerfd_create(clockid_t clock, int flags) {
    int fd = (int)syscall(SYS_timerfd_create, clock, flags);
    if (fd >= 0 && fd < 1024)
        timer_clocks[fd] = clock;
    return fd;
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new, struct itimerspec *old) {
    struct clock_state state;
    struct itimerspec changed = *new;
    if ((flags & TFD_TIMER_ABSTIME) && as_ns(&new->it_value) > 0 && clock_changed(&state))
        changed.it_value = to_kernel(
            &state, fd >= 0 && fd < 1024 ? timer_clocks[fd] : CLOCK_MONOTONIC, &new->it_value);
    return (int)syscall(SYS_timerfd_settime, fd, flags, &changed, old);
}

int clock_nanosleep(clockid_t clock, int flags, const struct timespec *time,
                    struct timespec *left) {
    struct clock_state state;
    struct timespec changed = *time;
    if ((flags & TIMER_ABSTIME) && clock_changed(&state))
        changed = to_kernel(&state, clock, time);
    return syscall(SYS_clock_nanosleep, clock, flags, &changed, left) == 0 ? 0 : errno;
}

/* Which clock a condition goes by is not told; a wall clock's deadlines lie decades from zero. */
int pthread_cond_timedwait(pthread_cond_t *restrict condition, pthread_mutex_t *restrict mutex,
                           const struct timespec *restrict deadline) {
    struct clock_state state;
    struct timespec changed = *deadline;
    if (clock_changed(&state))
        changed = to_kernel(
            &state, deadline->tv_sec > 1000000000 ? CLOCK_REALTIME : CLOCK_MONOTONIC, deadline);
    if (layer.cond_timedwait == NULL) {
        void *next = dlsym(RTLD_NEXT, "pthread_cond_timedwait");
        memcpy(&layer.cond_timedwait, &next, sizeof next);
    }
    return layer.cond_timedwait(condition, mutex, &changed);
}
