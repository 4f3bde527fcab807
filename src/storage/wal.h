/* The write-ahead log of one reactor, shared by its groups: one disk write makes what all of them
 * wait for durable (group commit). DESIGN section 6 has the rules; docs/storage.md the formats.
 *
 * Writes are queued with wal_write and leave together with wal_flush: while one disk write runs,
 * the next batch gathers. Completions arrive on the loop, in order, as (group, seq, status). After
 * one failed write every later one fails too: the owner stops acknowledging, steps down and
 * restarts from the medium; the sync is never retried. NO_SPACE is the exception: nothing of the
 * batch is kept, nothing was acknowledged, and the log goes on when space returns.
 *
 * The room that is certain (the rest of the segment in use, and the spares) is not for all alike:
 * the last of it is kept back, so that with full disks a leader can still be elected and lead.
 *
 * A group's hard state (term, vote: opaque bytes) lives in three slots of its own file; a write
 * that carries it makes it durable before the entries of the same write.
 *
 * Segments are preallocated, filled with zeros once and recycled; each batch starts on a fresh
 * block, and carries a log sequence number that never repeats, the segment's incarnation, the
 * highest position known durable before it, and a chained checksum over content and position.
 */
#ifndef CAIRN_STORAGE_WAL_H
#define CAIRN_STORAGE_WAL_H

#include "base/mutant.h"
#include "base/rare.h"
#include "base/spans.h"
#include "base/status.h"
#include "core/entry.h"
#include "core/room.h"
#include "env/env.h"

#include <stdio.h>

struct wal;

#define WAL_HARD_BYTES_MAX 1024u
#define WAL_EVERY_GROUP UINT64_MAX

struct wal_options {
    uint64_t segment_bytes;  /* size of a segment; a larger batch gets a segment of its own */
    size_t batch_bytes_max;  /* the most that one disk write carries (one entry may exceed it) */
    unsigned spare_segments; /* prepared ahead, in the background; more if what is kept back asks */
    uint64_t kept_bytes;     /* of the certain room, kept back as core/room.h says */
    enum mutant mutant;
    struct rare *rare; /* NULL but in the simulator */
    /* Completion of a wal_write, on the loop, never inside a call. */
    void (*done)(void *context, uint64_t group, uint64_t seq, enum cairn_status status);
    void *context;
};

/* What wal_open tells of what it found: the end result, truncations and repairs carried out. First
 * the hard states; then for every group, by rising id, its reset and its damage; then the entries,
 * each group's with rising indexes, those of different groups mixed. A gap between two entries of a
 * group is damage that was told. No function may be NULL. Entries carry a blob (take entry_ref to
 * keep them). Nothing that is at or below the index of a whole snapshot means anything: the log may
 * still hold what was released, or an older reset. */
struct wal_recovery {
    void *context;
    void (*hard)(void *context, uint64_t group, struct bytes hard);
    /* repaired: false (entries that repaired a damaged log come in their place). */
    void (*entry)(void *context, uint64_t group, const struct entry *entry, bool repaired);
    /* The group's log begins behind a snapshot at index. Not told once entries behind index have
     * been released, or once a log that was empty has been recycled. */
    void (*reset)(void *context, uint64_t group, uint64_t index, uint64_t term, uint64_t chain);
    /* The group's log is empty, and all up to index was released: a durable snapshot had it. */
    void (*released)(void *context, uint64_t group, uint64_t index);
    /* Acknowledged entries first..last are unreadable (damage, not a torn tail). last may be
     * UINT64_MAX: behind the last entry, and unknown how many, or whether any; such damage is told
     * at every start until a write with `whole`, or a reset. */
    void (*damage)(void *context, uint64_t group, uint64_t first, uint64_t last);
    /* All slots of the hard state are bad. WAL_EVERY_GROUP: the file that holds them is lost, and
     * so is the hard state of every group of which none was told. */
    void (*hard_lost)(void *context, uint64_t group);
};

/* Reads everything, cuts a torn tail, reports damage. Blocks: call it before serving. On error
 * writes a sentence for a person to error (error_size > 0). */
enum cairn_status wal_open(struct env *env, const char *folder, const struct wal_options *options,
                           const struct wal_recovery *recovery, struct wal **out, char *error,
                           size_t error_size);
/* Nothing may be in flight (wal_idle). Notes that everything written is durable, so that damage can
 * be told from a torn tail at the next start. What background work remains ends later, on the loop;
 * the env must live until then. */
void wal_close(struct wal *wal);
/* After a crash of the world: frees everything at once and touches neither disk nor timers. The env
 * promises that no work and no timer of this log will run any more. */
void wal_drop(struct wal *wal);
uint64_t wal_id(const struct wal *wal);
/* The id of the log in data_folder/log, unopened. NOT_FOUND: there is none; else as for wal_open.
 */
enum cairn_status wal_peek_id(struct env *env, const char *data_folder, uint64_t *id);

struct wal_write {
    uint64_t group;
    uint64_t seq;      /* the caller's, rising per group; named in done */
    struct bytes hard; /* empty: unchanged. Copied. */
    bool reset;        /* the log starts anew behind reset_index */
    uint64_t reset_index;
    uint64_t reset_term;
    uint64_t reset_chain;
    uint64_t truncate_from;      /* 0: no; else entries at or above are gone */
    const struct entry *entries; /* referenced (entry_ref) until durable */
    size_t count;
    bool repaired;  /* entries replace damaged ones in place */
    bool whole;     /* ends damage of unknown extent: the owner vouches that, with this
                     * write, nothing acknowledged is missing */
    enum room room; /* without space, what of the certain room it may use */
};
/* Order within one write: hard state, reset, truncation, entries. Entries are dense; unless
 * repaired, they supersede what stands at or above their first index. They begin at the latest
 * behind the group's last index, or behind the index of a durable snapshot, which may be further
 * on. A write with none of these only completes in its turn. After NO_SPACE all writes of the group
 * that were queued before its completion was delivered have failed with it; its hard state may have
 * become durable.
 */
void wal_write(struct wal *wal, const struct wal_write *write);
/* Starts the next disk write if none runs and something waits. */
void wal_flush(struct wal *wal);
bool wal_idle(const struct wal *wal);
/* No segment can be made for want of space, and what clients ask for soon finds no room; or a write
 * just found none. It is over as soon as a segment could be made, which is tried again and again.
 */
bool wal_full(const struct wal *wal);
/* Monotonic ns since which the running disk write has been under way; 0: none runs. */
uint64_t wal_stalled_since(const struct wal *wal);

/* Reads durable entries first.. up to last or bytes_max (at least one) back, in the background.
 * done on the loop, with `first` as it was asked for: entries (borrowed for the call, take
 * entry_ref), maybe fewer than asked, or a status without entries: NOT_FOUND (released, or not
 * durable yet); CORRUPT, or IO of the medium: it gives none of the `count` entries from first on
 * back. */
typedef void wal_loaded(void *context, uint64_t tag, enum cairn_status status, uint64_t first,
                        const struct entry *entries, size_t count);
void wal_load(struct wal *wal, uint64_t group, uint64_t first, uint64_t last, size_t bytes_max,
              uint64_t tag, wal_loaded *done, void *context);

/* Entries of the group at or below index are in a durable snapshot: segments that nothing needs any
 * more are recycled. Before the last entry of a group goes, the slots of its hard state tell so. */
void wal_release(struct wal *wal, uint64_t group, uint64_t index);
/* What pins the oldest segment: false when nothing does; else a group and the index up to which it
 * must be released (by a snapshot) before the segment can go. */
bool wal_oldest_need(const struct wal *wal, uint64_t *group, uint64_t *index);

struct wal_stats {
    uint64_t bytes_written;
    uint64_t writes;
    uint64_t segments;
    uint64_t log_bytes; /* on disk in live segments */
    bool direct;        /* false: buffered fallback */
    bool failed;
    bool full;                /* wal_full */
    bool damaged;             /* a load found damage in a segment that is still there */
    uint64_t room_bytes;      /* certain room */
    struct spans write_times; /* of batches */
};
void wal_stats(const struct wal *wal, struct wal_stats *stats);

/* A group's entries as they lie in a folder that may be in use: nothing is changed, opened for
 * writing or locked. What was truncated is left out; what is not yet committed can't be told apart.
 * Of a log with damage, what lies behind it. */
struct wal_past {
    struct entry *entries; /* of consecutive indexes; each holds its blob */
    size_t count, cap;
};
/* NOT_FOUND: there is no log. OK with count 0: it holds nothing of the group. */
enum cairn_status wal_past_read(struct env *env, const char *folder, uint64_t group,
                                struct wal_past *past);
void wal_past_free(struct wal_past *past);

/* For `cairn inspect`: prints what the folder holds and verifies every checksum, changing nothing.
 * OK, or CORRUPT after having printed what is damaged. */
enum cairn_status wal_inspect(struct env *env, const char *folder, bool verbose, FILE *out);

#endif
