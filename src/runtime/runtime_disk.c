/* Files. May be called from the work threads: touches no state of the runtime. */

#include "runtime/runtime_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#define FILE_MODE 0640
#define FOLDER_MODE 0750

struct env_file {
    int fd;
    bool direct;
};

static enum cairn_status from_errno(int error) {
    switch (error) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return CAIRN_NO_SPACE;
    case ENOENT:
    case ENOTDIR:
        return CAIRN_NOT_FOUND;
    case EEXIST:
        return CAIRN_EXISTS;
    case EACCES:
    case EPERM:
    case EROFS:
        return CAIRN_DENIED;
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return CAIRN_EXHAUSTED;
    default:
        return CAIRN_IO;
    }
}

static int open_again(const char *path, int flags) {
    int fd;
    do
        fd = open(path, flags | O_CLOEXEC, FILE_MODE);
    while (fd < 0 && errno == EINTR);
    return fd;
}

enum cairn_status runtime_open(struct env *env, const char *path, unsigned flags,
                               struct env_file **file) {
    int how = flags & ENV_OPEN_WRITE ? O_RDWR : O_RDONLY;
    if (flags & ENV_OPEN_CREATE)
        how |= O_CREAT;
    if (flags & ENV_OPEN_EXCLUSIVE)
        how |= O_EXCL;
    bool direct = flags & ENV_OPEN_DIRECT;
    int fd = open_again(path, direct ? how | O_DIRECT | O_DSYNC : how);
    if (fd < 0 && direct && errno == EINVAL) {
        direct = false;
        /* The failed attempt may have created it. */
        fd = open_again(path, how & ~O_EXCL);
    }
    if (fd < 0)
        return from_errno(errno);
    *file = cairn_alloc(sizeof **file);
    **file = (struct env_file){fd, direct};
    return CAIRN_OK;
}

void runtime_file_close(struct env *env, struct env_file *file) {
    close(file->fd);
    cairn_free(file);
}

bool runtime_file_is_direct(struct env *env, struct env_file *file) {
    return file->direct;
}

enum cairn_status runtime_file_size(struct env *env, struct env_file *file, uint64_t *size) {
    struct stat about;
    if (fstat(file->fd, &about) != 0)
        return from_errno(errno);
    *size = (uint64_t)about.st_size;
    return CAIRN_OK;
}

enum cairn_status runtime_read_at(struct env *env, struct env_file *file, uint64_t offset,
                                  void *out, size_t len) {
    uint8_t *at = out;
    while (len > 0) {
        ssize_t got = pread(file->fd, at, len, (off_t)offset);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return from_errno(errno);
        if (got == 0)
            return CAIRN_TORN;
        at += got;
        offset += (uint64_t)got;
        len -= (size_t)got;
    }
    return CAIRN_OK;
}

enum cairn_status runtime_write_at(struct env *env, struct env_file *file, uint64_t offset,
                                   const void *data, size_t len) {
    const uint8_t *at = data;
    while (len > 0) {
        ssize_t put = pwrite(file->fd, at, len, (off_t)offset);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return from_errno(errno);
        /* A short direct write ends at a full disk; going on would only be misaligned. */
        if (put == 0 || (file->direct && (size_t)put < len && put % ENV_DISK_ALIGN != 0))
            return CAIRN_NO_SPACE;
        at += put;
        offset += (uint64_t)put;
        len -= (size_t)put;
    }
    return CAIRN_OK;
}

enum cairn_status runtime_sync(struct env *env, struct env_file *file) {
    /* Not tried again, whatever the error: the kernel may have dropped what it could not write. */
    if (fdatasync(file->fd) == 0)
        return CAIRN_OK;
    return errno == ENOMEM ? CAIRN_IO : from_errno(errno);
}

enum cairn_status runtime_allocate(struct env *env, struct env_file *file, uint64_t size) {
    int result;
    do
        result = fallocate(file->fd, 0, 0, (off_t)size);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return CAIRN_OK;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return from_errno(errno);
    return ftruncate(file->fd, (off_t)size) == 0 ? CAIRN_OK : from_errno(errno);
}

/* ---- names ---- */

enum cairn_status runtime_rename(struct env *env, const char *from, const char *to) {
    return rename(from, to) == 0 ? CAIRN_OK : from_errno(errno);
}

enum cairn_status runtime_remove(struct env *env, const char *path) {
    return unlink(path) == 0 ? CAIRN_OK : from_errno(errno);
}

enum cairn_status runtime_sync_folder(struct env *env, const char *path) {
    int fd = open_again(path, O_RDONLY | O_DIRECTORY);
    if (fd < 0)
        return from_errno(errno);
    int result = fsync(fd);
    int error = errno;
    close(fd);
    if (result == 0)
        return CAIRN_OK;
    return error == ENOMEM ? CAIRN_IO : from_errno(error);
}

/* The folder that holds path: "." when it has no slash. */
static void parent_of(const char *path, char *parent) {
    snprintf(parent, PATH_MAX, "%s", path);
    size_t len = strlen(parent);
    while (len > 1 && parent[len - 1] == '/')
        parent[--len] = '\0';
    char *slash = strrchr(parent, '/');
    if (slash == NULL)
        snprintf(parent, PATH_MAX, ".");
    else
        slash[slash == parent ? 1 : 0] = '\0';
}

enum cairn_status runtime_make_folder(struct env *env, const char *path) {
    char parent[PATH_MAX];
    if (strlen(path) >= PATH_MAX)
        return CAIRN_INVALID;
    if (mkdir(path, FOLDER_MODE) != 0) {
        if (errno == EEXIST)
            return CAIRN_OK;
        if (errno != ENOENT)
            return from_errno(errno);
        parent_of(path, parent);
        if (strcmp(parent, path) == 0)
            return CAIRN_NOT_FOUND;
        enum cairn_status status = runtime_make_folder(env, parent);
        if (status != CAIRN_OK)
            return status;
        if (mkdir(path, FOLDER_MODE) != 0 && errno != EEXIST)
            return from_errno(errno);
    }
    parent_of(path, parent);
    return runtime_sync_folder(env, parent);
}

static int by_name(const struct dirent **a, const struct dirent **b) {
    return strcmp((*a)->d_name, (*b)->d_name);
}

static int is_real(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

enum cairn_status runtime_list(struct env *env, const char *path, env_list_visit *visit,
                               void *context) {
    struct dirent **entries;
    int count = scandir(path, &entries, is_real, by_name);
    if (count < 0)
        return from_errno(errno);
    for (int i = 0; i < count; i++) {
        char full[PATH_MAX + 300];
        struct stat about;
        snprintf(full, sizeof full, "%s/%s", path, entries[i]->d_name);
        /* It may be gone by now. */
        if (stat(full, &about) == 0)
            visit(context, entries[i]->d_name, S_ISDIR(about.st_mode), (uint64_t)about.st_size);
        free(entries[i]);
    }
    free(entries);
    return CAIRN_OK;
}

enum cairn_status runtime_lock(struct env *env, const char *path, struct env_file **file) {
    enum cairn_status status = runtime_open(env, path, ENV_OPEN_WRITE | ENV_OPEN_CREATE, file);
    if (status != CAIRN_OK)
        return status;
    if (flock((*file)->fd, LOCK_EX | LOCK_NB) == 0)
        return CAIRN_OK;
    status = errno == EWOULDBLOCK ? CAIRN_BUSY : from_errno(errno);
    runtime_file_close(env, *file);
    *file = NULL;
    return status;
}

enum cairn_status runtime_free_space(struct env *env, const char *path, uint64_t *bytes) {
    struct statvfs about;
    if (statvfs(path, &about) != 0)
        return from_errno(errno);
    *bytes = (uint64_t)about.f_bavail * about.f_frsize;
    return CAIRN_OK;
}
