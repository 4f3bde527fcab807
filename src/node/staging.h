/* Long commands on their way into the log in pieces (node/upload.h): what has arrived of them, as
 * replicated state, until a last small entry executes the whole or time removes it. Each piece is
 * copied to its place when it comes, so that the last entry finds the command as it has to be.
 */
#ifndef CAIRN_NODE_STAGING_H
#define CAIRN_NODE_STAGING_H

#include "base/bytes.h"
#include "base/list.h"
#include "base/status.h"
#include "core/work.h"

#include <stdbool.h>

/* What all of them together may hold; beyond, a piece is refused. */
#define STAGING_BYTES_MAX (512u << 20)
/* One that nothing was added to for so much replicated time has been given up by its sender. */
#define STAGING_PATIENCE_MS 60000u

/* Who began it, and a number that never repeats there. */
struct upload_id {
    uint64_t node, number;
};

struct staging;

struct staging *staging_new(void);
void staging_free(struct staging *staging);
void staging_clear(struct staging *staging);

/* A piece at that offset of so many bytes in all; one that is there already is taken as well. OK,
 * BUSY (there is no room), MALFORMED. */
enum cairn_status staging_take(struct staging *staging, struct upload_id id, uint64_t total,
                               uint64_t offset, struct bytes bytes, uint64_t time_ms);
/* All of it, in out, which was empty; it is not staged any more. False: it is not whole, or not
 * there. */
bool staging_finish(struct staging *staging, struct upload_id id, uint64_t total, struct work *work,
                    struct buf *out);
void staging_drop(struct staging *staging, struct upload_id id);

/* When the first of them has been forgotten; UINT64_MAX: there is none. */
uint64_t staging_next_due(const struct staging *staging);
void staging_expire(struct staging *staging, uint64_t time_ms);

/* 0 when there are none. */
uint64_t staging_digest(const struct staging *staging);
size_t staging_bytes(const struct staging *staging);

/* As the machine contract's snapshot functions. */
void *staging_snapshot_begin(const struct staging *staging);
bool staging_snapshot_chunk(void *snapshot, size_t target, struct buf *out);
void staging_snapshot_end(void *snapshot);
enum cairn_status staging_restore_chunk(struct staging *staging, struct bytes chunk);

#endif
