/* Walking a segment file batch by batch, for recovery and for inspection. */
#ifndef CAIRN_STORAGE_WAL_SCAN_H
#define CAIRN_STORAGE_WAL_SCAN_H

#include "env/env.h"
#include "storage/wal_format.h"

/* Start with `aligned` zero, env, file, bytes and place (offset ignored) set. */
struct wal_scan {
    struct env *env;
    struct env_file *file;
    uint64_t bytes; /* of the file, whole blocks */
    struct wal_place place;
    uint64_t at;
    struct aligned window;
    uint64_t window_at;
    size_t window_len;
    size_t window_bytes; /* read at a time; a longer batch makes it longer */
    uint8_t *unreadable; /* a bit a block that the medium refused; NULL: none */
};

struct wal_found {
    struct wal_batch batch;
    uint64_t offset;      /* in the segment */
    const uint8_t *bytes; /* the batch; borrowed until the next call */
    bool content_holds;
    uint64_t skipped; /* bytes between the end of the batch before and this one */
};

/* The next batch head at or behind scan->at, which moves behind the batch; false at the end. */
bool wal_scan_next(struct wal_scan *scan, struct wal_found *found);
/* bytes of the file, borrowed until the next call; what can't be read is zeros. */
const uint8_t *wal_scan_bytes(struct wal_scan *scan, uint64_t offset, size_t len);
/* True when the medium refused a block of the range that was looked at. */
bool wal_scan_unreadable(const struct wal_scan *scan, uint64_t offset, uint64_t len);
void wal_scan_free(struct wal_scan *scan);

/* Opens a segment file and measures it. */
enum cairn_status wal_scan_open(struct wal_scan *scan, struct env *env, const char *path,
                                unsigned flags);

#endif
