#include "storage/snapshot_format.h"

#include "base/assert.h"
#include "base/prng.h"

#include <inttypes.h>
#include <string.h>

#define MAGIC 0x70616e736e726963ull /* "cirnsnap" */
#define CHUNK_MAGIC 0x6b6e6863u     /* "chnk" */
#define VERSION 1u

uint64_t snapshot_protocol_sum(struct bytes protocol) {
    return bytes_hash(protocol, MAGIC);
}

void snapshot_head_encode(struct buf *out, const struct snapshot_meta *meta) {
    cairn_assert(meta->protocol.len <= SNAPSHOT_META_BYTES_MAX);
    size_t start = out->len;
    buf_u64(out, MAGIC);
    buf_u32(out, VERSION);
    buf_u32(out, (uint32_t)meta->protocol.len);
    buf_u64(out, meta->group);
    buf_u64(out, meta->index);
    buf_u64(out, meta->term);
    buf_u64(out, meta->chain);
    buf_u64(out, meta->order);
    buf_u64(out, meta->time_ms);
    buf_u64(out, meta->digest);
    buf_u64(out, snapshot_protocol_sum(meta->protocol));
    buf_u64(out, 0);
    buf_u64(out, 0);
    buf_u64(out, bytes_hash(bytes_of(out->data + start, out->len - start), MAGIC));
    buf_u64(out, 0);
    cairn_assert(out->len - start == SNAPSHOT_HEAD_BYTES);
    buf_bytes(out, meta->protocol);
}

enum cairn_status snapshot_head_decode(const uint8_t *at, struct snapshot_meta *meta,
                                       uint32_t *protocol_len, uint64_t *protocol_sum) {
    if (get_u64(at) != MAGIC || get_u64(at + 96) != bytes_hash(bytes_of(at, 96), MAGIC) ||
        get_u64(at + 104) != 0)
        return CAIRN_CORRUPT;
    if (get_u32(at + 8) != VERSION)
        return CAIRN_WRONG_VERSION;
    *protocol_len = get_u32(at + 12);
    *protocol_sum = get_u64(at + 72);
    if (*protocol_len > SNAPSHOT_META_BYTES_MAX)
        return CAIRN_CORRUPT;
    *meta = (struct snapshot_meta){.group = get_u64(at + 16),
                                   .index = get_u64(at + 24),
                                   .term = get_u64(at + 32),
                                   .chain = get_u64(at + 40),
                                   .order = get_u64(at + 48),
                                   .time_ms = get_u64(at + 56),
                                   .digest = get_u64(at + 64)};
    return CAIRN_OK;
}

uint64_t snapshot_seed(const struct snapshot_meta *meta, uint64_t offset) {
    uint64_t seed = prng_mix(prng_mix(meta->group, meta->index), meta->chain);
    return prng_mix(prng_mix(seed, meta->digest), offset);
}

void snapshot_chunk_encode(uint8_t *at, const struct snapshot_chunk *chunk, uint64_t seed) {
    memset(at, 0, SNAPSHOT_CHUNK_HEAD_BYTES);
    put_u32(at, CHUNK_MAGIC);
    put_u32(at + 4, chunk->section);
    put_u32(at + 8, chunk->version);
    put_u32(at + 12, chunk->raw_len);
    put_u32(at + 16, chunk->len);
    put_u64(at + 24, chunk->sum);
    put_u64(at + 40, bytes_hash(bytes_of(at, 40), seed));
}

enum cairn_status snapshot_chunk_decode(const uint8_t *at, struct snapshot_chunk *chunk,
                                        uint64_t seed) {
    if (get_u32(at) != CHUNK_MAGIC || get_u64(at + 40) != bytes_hash(bytes_of(at, 40), seed))
        return CAIRN_CORRUPT;
    *chunk = (struct snapshot_chunk){.section = get_u32(at + 4),
                                     .version = get_u32(at + 8),
                                     .raw_len = get_u32(at + 12),
                                     .len = get_u32(at + 16),
                                     .sum = get_u64(at + 24)};
    /* zstd's worst case is a little over the input's size. */
    if (chunk->raw_len > SNAPSHOT_RAW_BYTES_MAX ||
        chunk->len > SNAPSHOT_RAW_BYTES_MAX + (SNAPSHOT_RAW_BYTES_MAX >> 7))
        return CAIRN_CORRUPT;
    return CAIRN_OK;
}

void snapshot_path(const char *folder, uint64_t group, uint64_t index, const char *ending,
                   char *path, size_t path_size) {
    snprintf(path, path_size, "%s/snap-%016" PRIx64 "-%016" PRIx64 ".%s", folder, group, index,
             ending);
}

static bool parse_hex(const char *at, uint64_t *value) {
    *value = 0;
    for (unsigned i = 0; i < 16; i++) {
        bool digit = at[i] >= '0' && at[i] <= '9', letter = at[i] >= 'a' && at[i] <= 'f';
        if (!digit && !letter)
            return false;
        *value = *value << 4 | (uint64_t)(digit ? at[i] - '0' : at[i] - 'a' + 10);
    }
    return true;
}

bool snapshot_name_parse(const char *name, const char *ending, uint64_t *group, uint64_t *index) {
    size_t base = strlen("snap-") + 16 + 1 + 16 + 1;
    return strlen(name) == base + strlen(ending) && memcmp(name, "snap-", 5) == 0 &&
           parse_hex(name + 5, group) && name[21] == '-' && parse_hex(name + 22, index) &&
           name[38] == '.' && strcmp(name + base, ending) == 0;
}
