/* The exactly-once table: client sessions in the replicated state (Ongaro 2014, section 6.3).
 *
 * A session is opened explicitly, and ends when it was unused for its ttl of replicated time, on
 * every replica at the same log position. Within a session, sequence numbers of the last W
 * commands have their replies cached: a retry gets the first reply. A sequence below the window, or
 * an unknown session, is an error and never an execution.
 */
#ifndef CAIRN_NODE_ONCE_H
#define CAIRN_NODE_ONCE_H

#include "base/bytes.h"
#include "base/mutant.h"
#include "base/status.h"

#include <stdbool.h>

/* A longer reply is not cached: its retry is told that it was executed. */
#define ONCE_REPLY_BYTES_MAX 65536u
#define ONCE_TTL_MS_MIN 1000u
#define ONCE_TTL_MS_MAX (30ull * 24 * 3600 * 1000)

struct once;

struct once *once_new(uint32_t window, enum mutant mutant);
void once_free(struct once *once);
void once_set_window(struct once *once, uint32_t window);

/* Opens a session whose id is the caller's (the entry's index, which never repeats). */
void once_open(struct once *once, uint64_t session, uint64_t ttl_ms, uint64_t time_ms,
               uint64_t order);
bool once_close(struct once *once, uint64_t session);
/* Ends what is due at time_ms, at most `most` sessions. */
void once_expire(struct once *once, uint64_t time_ms, size_t most);
uint64_t once_next_due(const struct once *once);
uint64_t once_sessions(const struct once *once);

enum once_verdict {
    ONCE_EXECUTE, /* new: execute, then once_record */
    ONCE_REPEAT,  /* executed before: *reply is the first reply */
    ONCE_NO_SESSION,
    ONCE_OUT_OF_WINDOW
};
/* Also marks the session as used at time_ms. */
enum once_verdict once_check(struct once *once, uint64_t session, uint64_t sequence,
                             uint64_t time_ms, uint64_t order, struct bytes *reply);
void once_record(struct once *once, uint64_t session, uint64_t sequence, uint64_t order,
                 struct bytes reply);

uint64_t once_digest(const struct once *once);

/* As the machine contract's snapshot functions. */
void *once_snapshot_begin(struct once *once);
bool once_snapshot_chunk(void *snapshot, size_t target, struct buf *out);
void once_snapshot_end(struct once *once, void *snapshot);
void once_restore_begin(struct once *once);
enum cairn_status once_restore_chunk(struct once *once, struct bytes chunk);
bool once_tidy(struct once *once, size_t budget);

#endif
