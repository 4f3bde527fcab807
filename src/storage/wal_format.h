/* The bytes of the write-ahead log: batches and their sections, the control page, the slots of the
 * hard state. Pure functions over memory; docs/storage.md has the layouts byte by byte.
 *
 * Every checksum is an XXH3 seeded with the log's id and with the place where the bytes belong, so
 * that a block which lands elsewhere, or comes from another log or another life of its segment,
 * does not verify. `check` false is the mutant wal-no-checksum: sums are taken on trust.
 */
#ifndef CAIRN_STORAGE_WAL_FORMAT_H
#define CAIRN_STORAGE_WAL_FORMAT_H

#include "base/bytes.h"
#include "base/status.h"
#include "storage/aligned.h"

#define WAL_BATCH_HEAD_BYTES 128u
#define WAL_SECTION_HEAD_BYTES 128u
#define WAL_FORMAT_VERSION 1u
/* A log sequence number: the run (how often the log was opened) above, a count below. */
#define WAL_RUN_SHIFT 40

/* Where a batch is expected. */
struct wal_place {
    uint64_t log_id;
    uint64_t incarnation; /* of the segment */
    uint64_t offset;      /* in the segment */
    bool check;
};

struct wal_batch {
    uint64_t lsn;
    uint64_t prev_lsn;    /* of the batch before it in the log */
    uint64_t prev_sum;    /* and that one's head sum: the chain */
    uint64_t durable_lsn; /* highest known durable when this one was written */
    uint64_t bytes;       /* head and sections; padded with zeros to whole blocks */
    uint64_t content_sum; /* over all behind the head, padding included */
    uint64_t sum;         /* over the head */
    uint32_t sections;
};

/* `at` is the whole batch, padded; fills content_sum and sum. */
void wal_batch_seal(struct wal_batch *batch, const struct wal_place *place, uint8_t *at);
/* False: no batch of this log begins here. */
bool wal_batch_decode(struct wal_batch *batch, const struct wal_place *place, const uint8_t *at);
bool wal_batch_content_holds(const struct wal_batch *batch, const struct wal_place *place,
                             const uint8_t *at);

enum wal_section_flags {
    WAL_SECTION_RESET = 1,    /* the log of the group starts anew behind base */
    WAL_SECTION_REPAIRED = 2, /* the entries replace damaged ones in place */
    WAL_SECTION_OPEN = 4,     /* written while damage of unknown extent stood */
    WAL_SECTION_WHOLE = 8     /* the owner vouches that such damage is repaired */
};

/* What one wal_write puts in a batch. */
struct wal_section {
    uint32_t flags;
    uint64_t bytes; /* head and entries */
    uint64_t group;
    uint64_t ordinal;     /* counts the group's sections */
    uint64_t cut_ordinal; /* the last section before this one that truncated or reset */
    uint64_t cut_index;   /* and the first index that it took away */
    uint64_t release;
    uint64_t first_index;
    uint64_t count;
    uint64_t truncate_from; /* 0: no */
    uint64_t base_index;    /* of the last reset */
    uint64_t base_term;
    uint64_t base_chain;
    uint64_t last_before; /* the group's last index before this section */
    uint64_t body_sum;
};

/* Where a section stands: place->offset is its own position in the segment. */
void wal_section_seal(struct wal_section *section, const struct wal_place *place, uint64_t lsn,
                      uint8_t *at);
/* Takes the head only; `left` bounds section->bytes. */
bool wal_section_decode(struct wal_section *section, const struct wal_place *place, uint64_t lsn,
                        const uint8_t *at, size_t left);
bool wal_section_body_holds(const struct wal_section *section, const struct wal_place *place,
                            uint64_t lsn, const uint8_t *at);

/* The control page: two copies, written one after the other. */
struct wal_control {
    uint64_t log_id;
    uint64_t seq;
    uint64_t run;
    uint64_t durable_lsn;       /* everything up to here was durable: evidence against "torn" */
    uint64_t first_incarnation; /* the oldest segment that recovery must find */
    uint64_t fresh;             /* the segment made after the tail was lost; 0: none */
};
void wal_control_encode(const struct wal_control *control, unsigned copy, uint8_t *page);
enum cairn_status wal_control_decode(struct wal_control *control, unsigned copy,
                                     const uint8_t *page);

/* One slot of a group's hard state. */
struct wal_slot {
    uint64_t group;
    uint64_t seq;
    uint64_t release;  /* as in its sections; 0 in those of earlier versions */
    struct bytes hard; /* decode: borrowed from the page */
};
void wal_slot_encode(const struct wal_slot *slot, uint64_t log_id, uint64_t offset, uint8_t *page);
bool wal_slot_decode(struct wal_slot *slot, uint64_t log_id, uint64_t offset, bool check,
                     const uint8_t *page);

/* A page of the hard-state file that names the groups of the slot pairs behind it. */
#define WAL_DIRECTORY_GROUPS 126u
void wal_directory_encode(const uint64_t *groups, size_t count, uint64_t seq, uint64_t log_id,
                          uint64_t offset, uint8_t *page);
bool wal_directory_decode(uint64_t *groups, size_t *count, uint64_t *seq, uint64_t log_id,
                          uint64_t offset, const uint8_t *page);

#endif
