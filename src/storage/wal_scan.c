#include "storage/wal_scan.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define WINDOW_BYTES (1u << 20)

enum cairn_status wal_scan_open(struct wal_scan *scan, struct env *env, const char *path,
                                unsigned flags) {
    *scan = (struct wal_scan){.env = env, .window_bytes = WINDOW_BYTES};
    enum cairn_status status = env_open(env, path, flags, &scan->file);
    if (status != CAIRN_OK)
        return status;
    status = env_file_size(env, scan->file, &scan->bytes);
    scan->bytes = scan->bytes / ENV_DISK_ALIGN * ENV_DISK_ALIGN;
    if (status != CAIRN_OK)
        env_file_close(env, scan->file);
    return status;
}

/* One bad block must not hide its neighbours. */
static void read_blocks(struct wal_scan *scan, uint64_t offset, uint8_t *out, size_t len) {
    for (size_t at = 0; at < len; at += ENV_DISK_ALIGN) {
        enum cairn_status status =
            env_read_at(scan->env, scan->file, offset + at, out + at, ENV_DISK_ALIGN);
        if (status == CAIRN_OK)
            continue;
        memset(out + at, 0, ENV_DISK_ALIGN);
        uint64_t block = (offset + at) / ENV_DISK_ALIGN;
        if (scan->unreadable == NULL)
            scan->unreadable = cairn_alloc_zero((size_t)(scan->bytes / ENV_DISK_ALIGN / 8 + 1));
        scan->unreadable[block / 8] |= (uint8_t)(1u << block % 8);
    }
}

const uint8_t *wal_scan_bytes(struct wal_scan *scan, uint64_t offset, size_t len) {
    cairn_assert(offset + len <= scan->bytes && offset % ENV_DISK_ALIGN == 0);
    if (offset >= scan->window_at && offset + len <= scan->window_at + scan->window_len)
        return scan->window.data + (offset - scan->window_at);
    size_t want = len > scan->window_bytes ? len : scan->window_bytes;
    if (want > scan->bytes - offset)
        want = (size_t)(scan->bytes - offset);
    uint8_t *out = aligned_reserve(&scan->window, want);
    scan->window_at = offset;
    scan->window_len = want;
    if (env_read_at(scan->env, scan->file, offset, out, want) != CAIRN_OK)
        read_blocks(scan, offset, out, want);
    return out;
}

bool wal_scan_next(struct wal_scan *scan, struct wal_found *found) {
    uint64_t from = scan->at;
    for (; scan->at < scan->bytes; scan->at += ENV_DISK_ALIGN) {
        scan->place.offset = scan->at;
        const uint8_t *head = wal_scan_bytes(scan, scan->at, ENV_DISK_ALIGN);
        if (!wal_batch_decode(&found->batch, &scan->place, head))
            continue;
        uint64_t len = align_up(found->batch.bytes);
        if (len > scan->bytes - scan->at)
            continue;
        found->offset = scan->at;
        found->skipped = scan->at - from;
        found->bytes = wal_scan_bytes(scan, scan->at, (size_t)len);
        found->content_holds = wal_batch_content_holds(&found->batch, &scan->place, found->bytes);
        scan->at += len;
        return true;
    }
    return false;
}

bool wal_scan_unreadable(const struct wal_scan *scan, uint64_t offset, uint64_t len) {
    if (scan->unreadable == NULL)
        return false;
    uint64_t end = (offset + len) / ENV_DISK_ALIGN;
    for (uint64_t block = offset / ENV_DISK_ALIGN; block < end; block++)
        if (block < scan->bytes / ENV_DISK_ALIGN && (scan->unreadable[block / 8] >> block % 8 & 1))
            return true;
    return false;
}

void wal_scan_free(struct wal_scan *scan) {
    cairn_free(scan->unreadable);
    aligned_free(&scan->window);
}
