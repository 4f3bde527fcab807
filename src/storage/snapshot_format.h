/* The bytes of a snapshot file: docs/storage.md has them in full. Pure functions. */
#ifndef CAIRN_STORAGE_SNAPSHOT_FORMAT_H
#define CAIRN_STORAGE_SNAPSHOT_FORMAT_H

#include "storage/snapshot.h"

#define SNAPSHOT_HEAD_BYTES 112u
#define SNAPSHOT_CHUNK_HEAD_BYTES 48u
/* The largest chunk that is believed, uncompressed: a value of 64 MiB and what goes with it. */
#define SNAPSHOT_RAW_BYTES_MAX ((64u << 20) + SNAPSHOT_CHUNK_BYTES)
#define SNAPSHOT_SECTION_END UINT32_MAX

struct snapshot_chunk {
    uint32_t section; /* SNAPSHOT_SECTION_END: the end mark */
    uint32_t version;
    uint32_t raw_len; /* end mark: 0, and the totals are the body */
    uint32_t len;     /* as stored */
    uint64_t sum;     /* over the stored bytes, seeded with the position */
};

/* Appends head and protocol bytes. */
void snapshot_head_encode(struct buf *out, const struct snapshot_meta *meta);
/* From a whole head; *protocol_len: how many bytes of the protocol follow. */
enum cairn_status snapshot_head_decode(const uint8_t *at, struct snapshot_meta *meta,
                                       uint32_t *protocol_len, uint64_t *protocol_sum);
uint64_t snapshot_protocol_sum(struct bytes protocol);

/* The seed ties a chunk to its snapshot and place. */
uint64_t snapshot_seed(const struct snapshot_meta *meta, uint64_t offset);
void snapshot_chunk_encode(uint8_t *at, const struct snapshot_chunk *chunk, uint64_t seed);
enum cairn_status snapshot_chunk_decode(const uint8_t *at, struct snapshot_chunk *chunk,
                                        uint64_t seed);

/* snap-<group>-<index>.<ending> in the folder, numbers in hexadecimal. */
void snapshot_path(const char *folder, uint64_t group, uint64_t index, const char *ending,
                   char *path, size_t path_size);
/* False: another kind of name. */
bool snapshot_name_parse(const char *name, const char *ending, uint64_t *group, uint64_t *index);

#endif
