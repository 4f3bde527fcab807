/* An entry: a command at an index in a group's log.
 *
 * An entry is encoded once, by the leader that creates it, and these bytes are what the log stores,
 * what peers are sent and what a machine's command is read from. `encoded` points into `blob`,
 * which several entries of one batch or one received frame may share; every struct entry holds one
 * reference.
 *
 * chain is a running hash: XXH3 of the bytes behind it, seeded with the previous entry's chain.
 * Equal chains at an index mean equal logs up to there (Log Matching, made checkable); it also
 * proves that an entry offered for the repair of a damaged log is the one that was lost.
 *
 * Layout: u64 chain, u32 length (of all), u8 version, u8 kind, u16 zero, u64 index, u64 term,
 * u64 order, u64 time_ms, payload.
 */
#ifndef CAIRN_CORE_ENTRY_H
#define CAIRN_CORE_ENTRY_H

#include "base/bytes.h"
#include "base/status.h"

#include <stdbool.h>

#define ENTRY_HEAD_BYTES 48u
#define ENTRY_VERSION 1u

enum entry_kind {
    ENTRY_NOOP = 1, /* a new leader's first entry */
    ENTRY_COMMAND,  /* payload: for the group's stack */
    ENTRY_CONFIG,   /* payload: an encoded struct config (core/config.h) */
    ENTRY_KIND_COUNT
};

struct entry {
    uint64_t index;
    uint64_t term;
    uint64_t order;   /* hybrid logical clock: rises with every entry, orders versions */
    uint64_t time_ms; /* replicated wall time */
    uint64_t chain;
    enum entry_kind kind;
    struct bytes payload;
    struct bytes encoded;
    struct blob *blob;
};

size_t entry_size(size_t payload_len);
/* Writes the encoding of an entry to `at` (entry_size bytes) and fills entry->chain, payload and
 * encoded from it. index, term, order, time_ms and kind are read from *entry; blob is left alone.
 */
void entry_encode(struct entry *entry, uint8_t *at, struct bytes payload, uint64_t chain_before);
/* Takes the next entry from the reader: borrows from it, checks shape and length, not the chain;
 * blob is set to NULL. */
enum cairn_status entry_decode(struct reader *reader, struct entry *entry);
/* True when entry->chain follows from its bytes and the previous entry's chain. */
bool entry_chain_holds(const struct entry *entry, uint64_t chain_before);

/* A copy that holds its own reference to the blob (which must not be NULL). */
struct entry entry_ref(const struct entry *entry);
/* A copy with a blob of its own. */
struct entry entry_copy(const struct entry *entry);
/* A copy that outlives what it was taken from: by a reference where there is a blob. */
struct entry entry_keep(const struct entry *entry);
void entry_unref(struct entry *entry);

#endif
