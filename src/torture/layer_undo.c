/* What power loss does to a disk: the journal is read backwards, and what was not synced is put
 * back as it was. */
#include "torture/layer.h"

#include "base/alloc.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct journal {
    const uint8_t *data;
    size_t len;
    size_t *records; /* offsets */
    size_t count;
    const char **synced;
    size_t synced_count;
};

static void find_records(struct journal *journal) {
    size_t at = 0, cap = 0;
    while (journal->len - at >= sizeof(struct layer_record)) {
        struct layer_record record;
        memcpy(&record, journal->data + at, sizeof record);
        size_t len = sizeof record + (size_t)record.path_len + record.old_len;
        if (record.magic != LAYER_MAGIC || record.path_len == 0 || journal->len - at < len)
            return; /* the process died while it wrote this one, so the write did not happen */
        if (journal->count == cap) {
            cap = cap ? cap * 2 : 256;
            journal->records = cairn_realloc(journal->records, cap * sizeof *journal->records);
        }
        journal->records[journal->count++] = at;
        at += len;
    }
}

/* Going backwards: whose sync was seen is safe before it. */
static bool is_synced(const struct journal *journal, const char *path) {
    for (size_t i = 0; i < journal->synced_count; i++)
        if (strcmp(journal->synced[i], path) == 0)
            return true;
    return false;
}

static bool undo_write(const struct layer_record *record, const char *path) {
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = pwrite(fd, path + record->path_len, record->old_len, (off_t)record->offset) ==
                    (ssize_t)record->old_len &&
                ftruncate(fd, (off_t)record->old_size) == 0;
    close(fd);
    return done;
}

static bool undo_one(struct journal *journal, size_t n) {
    struct layer_record record;
    memcpy(&record, journal->data + journal->records[n], sizeof record);
    const char *path = (const char *)journal->data + journal->records[n] + sizeof record;
    if (path[record.path_len - 1] != 0 || is_synced(journal, path))
        return false;
    if (record.kind == LAYER_WRITTEN)
        return undo_write(&record, path);
    journal->synced = cairn_realloc((void *)journal->synced,
                                    (journal->synced_count + 1) * sizeof *journal->synced);
    journal->synced[journal->synced_count++] = path;
    return false;
}

int64_t layer_undo(const char *path) {
    struct journal journal = {0};
    struct stat about;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int64_t undone = 0;
    if (fd < 0)
        return -1;
    if (fstat(fd, &about) == 0 && about.st_size > 0) {
        journal.len = (size_t)about.st_size;
        void *map = mmap(NULL, journal.len, PROT_READ, MAP_PRIVATE, fd, 0);
        if (map != MAP_FAILED) {
            journal.data = map;
            find_records(&journal);
            for (size_t n = journal.count; n > 0; n--)
                undone += undo_one(&journal, n - 1);
            munmap(map, journal.len);
        }
    }
    close(fd);
    cairn_free(journal.records);
    cairn_free((void *)journal.synced);
    return undone;
}
