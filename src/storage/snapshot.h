/* Snapshots on disk: one file each, streamed in checksummed, zstd-compressed chunks, made without
 * a pause and complete only once renamed into place. docs/storage.md has the format.
 *
 * A file holds a meta block, then chunks, each belonging to a numbered section of the group's stack
 * (the exactly-once table, the machine ...), then an end mark with the totals. The same bytes are
 * what a peer is sent, so a receiver verifies exactly what a reader does.
 *
 * Everything here blocks on the disk: call it from env_work on ENV_QUEUE_BULK, or at start.
 */
#ifndef CAIRN_STORAGE_SNAPSHOT_H
#define CAIRN_STORAGE_SNAPSHOT_H

#include "base/status.h"
#include "env/env.h"

#include <stdio.h>

#define SNAPSHOT_META_BYTES_MAX (64u << 10)
#define SNAPSHOT_CHUNK_BYTES                                             \
    262144u /* uncompressed, about; a larger record makes a larger chunk \
             */

struct snapshot_meta {
    uint64_t group;
    uint64_t index;
    uint64_t term;
    uint64_t chain;
    uint64_t order;
    uint64_t time_ms;
    uint64_t digest;       /* of the group's stack at index */
    struct bytes protocol; /* the protocol's own (configuration); borrowed */
};

/* ---- writing ---- */
struct snapshot_writer;
enum cairn_status snapshot_writer_open(struct env *env, const char *folder,
                                       const struct snapshot_meta *meta,
                                       struct snapshot_writer **out);
/* Gathers no more than so many bytes before a write. */
void snapshot_writer_flush_at(struct snapshot_writer *writer, size_t bytes);
enum cairn_status snapshot_writer_chunk(struct snapshot_writer *writer, uint32_t section,
                                        uint32_t version, struct bytes bytes);
/* Syncs, renames into place, syncs the folder, frees the writer. size: bytes of the file. */
/* A seeded bug: nothing is synced but the folder. */
void snapshot_writer_unsynced(struct snapshot_writer *writer);
enum cairn_status snapshot_writer_finish(struct snapshot_writer *writer, uint64_t *size);
/* Removes the unfinished file, frees the writer. */
void snapshot_writer_abort(struct snapshot_writer *writer);

/* ---- reading ---- */
struct snapshot_reader;
/* Opens the group's snapshot at index (0: the newest that is whole). NOT_FOUND, CORRUPT ... */
enum cairn_status snapshot_reader_open(struct env *env, const char *folder, uint64_t group,
                                       uint64_t index, struct snapshot_reader **out);
/* meta->protocol is borrowed from the reader. */
void snapshot_reader_meta(const struct snapshot_reader *reader, struct snapshot_meta *meta);
uint64_t snapshot_reader_size(const struct snapshot_reader *reader);
/* The next chunk, verified and decompressed, borrowed until the next call; end is set (and OK
 * returned) after the last, once the totals agree. */
enum cairn_status snapshot_reader_chunk(struct snapshot_reader *reader, uint32_t *section,
                                        uint32_t *version, struct bytes *bytes, bool *end);
/* Raw bytes of the file, for sending. */
enum cairn_status snapshot_reader_raw(struct snapshot_reader *reader, uint64_t offset, void *out,
                                      size_t len);
void snapshot_reader_close(struct snapshot_reader *reader);

/* ---- receiving, resumable ---- */
struct snapshot_receiver;
/* Goes on with a partial file of the same (group, index, term, size, source) if one is there:
 * *have tells from which offset. */
enum cairn_status snapshot_receiver_open(struct env *env, const char *folder, uint64_t group,
                                         uint64_t index, uint64_t term, uint64_t size,
                                         uint64_t source, struct snapshot_receiver **out,
                                         uint64_t *have);
/* Syncs after so many bytes. */
void snapshot_receiver_sync_at(struct snapshot_receiver *receiver, uint64_t bytes);
/* offset must be where the last one ended; else INVALID. */
enum cairn_status snapshot_receiver_write(struct snapshot_receiver *receiver, uint64_t offset,
                                          struct bytes bytes);
/* Verifies every checksum, that the meta says what was announced, and renames into place; CORRUPT:
 * the partial file is gone. Frees the receiver either way. */
/* A seeded bug: it takes its place as it came. */
void snapshot_receiver_unverified(struct snapshot_receiver *receiver);
enum cairn_status snapshot_receiver_finish(struct snapshot_receiver *receiver);
/* Keeps the partial file for a later resume, frees the receiver. */
void snapshot_receiver_close(struct snapshot_receiver *receiver);

/* Removes all but the newest `keep` whole snapshots of the group, and stale partial files. */
void snapshot_remove_old(struct env *env, const char *folder, uint64_t group, unsigned keep);
/* For `cairn inspect`. */
enum cairn_status snapshot_inspect(struct env *env, const char *folder, bool verbose, FILE *out);

#endif
