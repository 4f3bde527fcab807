#include "cli/import_zookeeper.h"

#include "base/alloc.h"
#include "cli/import_apply.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* A file of one kind, named by the zxid that it is of or begins with. */
struct found {
    char name[256];
    uint64_t zxid;
};
struct files {
    char dir[500];
    struct found *items; /* by rising zxid */
    size_t count;
};

static bool fail(struct import_zookeeper *import, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static bool fail(struct import_zookeeper *import, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(import->error, sizeof import->error, format, args);
    va_end(args);
    return false;
}

/* ---- files ---- */

static int by_zxid(const void *a, const void *b) {
    const struct found *x = a, *y = b;
    return x->zxid < y->zxid ? -1 : x->zxid > y->zxid;
}

/* "snapshot.1f" -> 1f; files with further endings are others' (or compressed). */
static bool parse_name(const char *name, const char *prefix, uint64_t *zxid) {
    size_t len = strlen(prefix);
    char *end;
    if (strncmp(name, prefix, len) != 0 || name[len] == 0)
        return false;
    *zxid = strtoull(name + len, &end, 16);
    return *end == 0;
}

static bool is_compressed(const char *name) {
    const char *end = strrchr(name, '.');
    return strncmp(name, "snapshot.", 9) == 0 &&
           (strcmp(end, ".gz") == 0 || strcmp(end, ".snappy") == 0);
}

static void add_file(struct files *files, const char *name, uint64_t zxid) {
    files->items = cairn_realloc(files->items, (files->count + 1) * sizeof *files->items);
    snprintf(files->items[files->count].name, sizeof files->items->name, "%s", name);
    files->items[files->count++].zxid = zxid;
}

static bool list_files(struct import_zookeeper *import, const char *dir, const char *prefix,
                       struct files *files) {
    snprintf(files->dir, sizeof files->dir, "%s/version-2", dir);
    DIR *folder = opendir(files->dir);
    if (folder == NULL) {
        snprintf(files->dir, sizeof files->dir, "%s", dir);
        folder = opendir(dir);
    }
    if (folder == NULL)
        return fail(import, "%s: %s", dir, strerror(errno));
    const struct dirent *entry;
    uint64_t zxid;
    while ((entry = readdir(folder)) != NULL) {
        if (parse_name(entry->d_name, prefix, &zxid))
            add_file(files, entry->d_name, zxid);
        else if (is_compressed(entry->d_name))
            snprintf(import->note, sizeof import->note,
                     "%.255s is compressed and was not looked at", entry->d_name);
    }
    closedir(folder);
    if (files->count > 0)
        qsort(files->items, files->count, sizeof *files->items, by_zxid);
    return true;
}

static bool map_file(struct import_zookeeper *import, const struct files *files, size_t n,
                     struct bytes *bytes) {
    char path[800];
    struct stat stat;
    snprintf(path, sizeof path, "%s/%s", files->dir, files->items[n].name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    bool ok = fd >= 0 && fstat(fd, &stat) == 0;
    *bytes = BYTES("");
    if (ok && stat.st_size > 0) {
        void *at = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
        ok = at != MAP_FAILED;
        if (ok)
            *bytes = bytes_of(at, (size_t)stat.st_size);
    }
    if (!ok)
        fail(import, "%s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    return ok;
}

static void unmap_file(struct bytes bytes) {
    if (bytes.len > 0)
        munmap((void *)(uintptr_t)bytes.data, bytes.len);
}

/* ---- what is taken ---- */

/* The newest that is whole. */
static bool take_snapshot(struct import_zookeeper *import, struct import_apply *apply,
                          const struct files *files) {
    for (size_t n = files->count; n > 0; n--) {
        struct bytes file;
        const struct found *found = &files->items[n - 1];
        if (!map_file(import, files, n - 1, &file))
            return false;
        enum cairn_status status = import_apply_snapshot(apply, file, found->zxid);
        unmap_file(file);
        if (status == CAIRN_OK) {
            snprintf(import->snapshot, sizeof import->snapshot, "%s", found->name);
            return true;
        }
        snprintf(import->note, sizeof import->note, "%s was passed over: %s", found->name,
                 cairn_status_text(status));
    }
    return fail(import, "%s: there is no snapshot that is whole%s%s", files->dir,
                *import->note ? "; " : "", import->note);
}

/* Only the newest log may end within a transaction: its server was killed. */
static bool take_log(struct import_zookeeper *import, struct import_apply *apply, struct bytes file,
                     const char *name, bool newest) {
    if (newest && file.len == 0)
        return true;
    enum cairn_status status = import_apply_log(apply, file);
    if (status == CAIRN_OK)
        return true;
    if (status != CAIRN_TORN || !newest)
        return fail(import, "%s: %s (behind 0x%llx)", name,
                    *apply->error ? apply->error : cairn_status_text(status),
                    (unsigned long long)apply->step.zxid);
    snprintf(import->note, sizeof import->note,
             "%s ends within a transaction, which no client was told of", name);
    return true;
}

/* From the newest log that begins at or before what follows the snapshot. */
static bool take_logs(struct import_zookeeper *import, struct import_apply *apply,
                      const struct files *files) {
    size_t first = 0;
    for (size_t i = 0; i < files->count; i++)
        if (files->items[i].zxid <= apply->step.zxid + 1)
            first = i;
    for (size_t i = first; i < files->count; i++) {
        struct bytes file;
        if (!map_file(import, files, i, &file))
            return false;
        bool ok = take_log(import, apply, file, files->items[i].name, i + 1 == files->count);
        unmap_file(file);
        if (!ok)
            return false;
    }
    return true;
}

bool import_zookeeper(struct import_zookeeper *import, const char *dir, const char *log_dir) {
    struct import_apply apply;
    struct files snapshots = {0}, logs = {0};
    import_apply_open(&apply, import->machine, import->order);
    bool ok = list_files(import, dir, "snapshot.", &snapshots) &&
              list_files(import, log_dir ? log_dir : dir, "log.", &logs) &&
              take_snapshot(import, &apply, &snapshots) && take_logs(import, &apply, &logs);
    if (ok)
        import_apply_end(&apply);
    import->zxid = apply.step.zxid;
    import->transactions = apply.transactions;
    import_apply_close(&apply);
    cairn_free(snapshots.items);
    cairn_free(logs.items);
    return ok;
}
