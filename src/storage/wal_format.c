#include "storage/wal_format.h"

#include "base/assert.h"
#include "base/prng.h"
#include "storage/wal.h"

#include <string.h>

#define MAGIC_BATCH 0x6c61776e72696163ull   /* "cairnwal" */
#define MAGIC_SECTION 0x74636573u           /* "sect" */
#define MAGIC_CONTROL 0x6c7463776e726963ull /* "cirnwctl" */
#define MAGIC_SLOT 0x64726168u              /* "hard" */
#define MAGIC_DIRECTORY 0x72696468u         /* "hdir" */
#define HEAD_SUM_AT 120u
#define SLOT_HEAD_BYTES 48u
#define SLOT_RELEASE_AT (PAGE - 16u)
#define PAGE ENV_DISK_ALIGN

static uint64_t seed_of(const struct wal_place *place, uint64_t lsn) {
    uint64_t seed = prng_mix(place->log_id, place->incarnation);
    return prng_mix(prng_mix(seed, place->offset), lsn);
}

static uint64_t padded(uint64_t bytes) {
    return align_up(bytes);
}

/* ---- batches ---- */

static uint64_t content_sum(const struct wal_batch *batch, const struct wal_place *place,
                            const uint8_t *at) {
    size_t len = (size_t)padded(batch->bytes) - WAL_BATCH_HEAD_BYTES;
    return bytes_hash(bytes_of(at + WAL_BATCH_HEAD_BYTES, len), seed_of(place, batch->lsn));
}

void wal_batch_seal(struct wal_batch *batch, const struct wal_place *place, uint8_t *at) {
    cairn_assert(batch->bytes >= WAL_BATCH_HEAD_BYTES);
    cairn_assert(place->offset % PAGE == 0);
    batch->content_sum = content_sum(batch, place, at);
    memset(at, 0, WAL_BATCH_HEAD_BYTES);
    put_u64(at, MAGIC_BATCH);
    put_u32(at + 8, WAL_FORMAT_VERSION);
    put_u32(at + 12, batch->sections);
    put_u64(at + 16, place->log_id);
    put_u64(at + 24, place->incarnation);
    put_u64(at + 32, place->offset);
    put_u64(at + 40, batch->lsn);
    put_u64(at + 48, batch->prev_lsn);
    put_u64(at + 56, batch->prev_sum);
    put_u64(at + 64, batch->durable_lsn);
    put_u64(at + 72, batch->bytes);
    put_u64(at + 80, batch->content_sum);
    batch->sum = bytes_hash(bytes_of(at, HEAD_SUM_AT), seed_of(place, 0));
    put_u64(at + HEAD_SUM_AT, batch->sum);
}

bool wal_batch_decode(struct wal_batch *batch, const struct wal_place *place, const uint8_t *at) {
    if (get_u64(at) != MAGIC_BATCH || get_u32(at + 8) != WAL_FORMAT_VERSION)
        return false;
    if (get_u64(at + 16) != place->log_id || get_u64(at + 24) != place->incarnation ||
        get_u64(at + 32) != place->offset)
        return false;
    *batch = (struct wal_batch){.sections = get_u32(at + 12),
                                .lsn = get_u64(at + 40),
                                .prev_lsn = get_u64(at + 48),
                                .prev_sum = get_u64(at + 56),
                                .durable_lsn = get_u64(at + 64),
                                .bytes = get_u64(at + 72),
                                .content_sum = get_u64(at + 80),
                                .sum = get_u64(at + HEAD_SUM_AT)};
    if (batch->bytes < WAL_BATCH_HEAD_BYTES || batch->bytes > UINT64_MAX / 2)
        return false;
    return !place->check || batch->sum == bytes_hash(bytes_of(at, HEAD_SUM_AT), seed_of(place, 0));
}

bool wal_batch_content_holds(const struct wal_batch *batch, const struct wal_place *place,
                             const uint8_t *at) {
    return !place->check || content_sum(batch, place, at) == batch->content_sum;
}

/* ---- sections ---- */

static uint64_t body_sum(const struct wal_section *section, const struct wal_place *place,
                         uint64_t lsn, const uint8_t *at) {
    size_t len = (size_t)section->bytes - WAL_SECTION_HEAD_BYTES;
    return bytes_hash(bytes_of(at + WAL_SECTION_HEAD_BYTES, len), seed_of(place, lsn));
}

void wal_section_seal(struct wal_section *section, const struct wal_place *place, uint64_t lsn,
                      uint8_t *at) {
    cairn_assert(section->bytes >= WAL_SECTION_HEAD_BYTES);
    section->body_sum = body_sum(section, place, lsn, at);
    put_u32(at, MAGIC_SECTION);
    put_u32(at + 4, section->flags);
    put_u64(at + 8, section->bytes);
    put_u64(at + 16, section->group);
    put_u64(at + 24, section->ordinal);
    put_u64(at + 32, section->cut_ordinal);
    put_u64(at + 40, section->cut_index);
    put_u64(at + 48, section->release);
    put_u64(at + 56, section->first_index);
    put_u64(at + 64, section->count);
    put_u64(at + 72, section->truncate_from);
    put_u64(at + 80, section->base_index);
    put_u64(at + 88, section->base_term);
    put_u64(at + 96, section->base_chain);
    put_u64(at + 104, section->last_before);
    put_u64(at + 112, section->body_sum);
    put_u64(at + HEAD_SUM_AT, bytes_hash(bytes_of(at, HEAD_SUM_AT), seed_of(place, lsn)));
}

bool wal_section_decode(struct wal_section *section, const struct wal_place *place, uint64_t lsn,
                        const uint8_t *at, size_t left) {
    if (left < WAL_SECTION_HEAD_BYTES || get_u32(at) != MAGIC_SECTION)
        return false;
    if (place->check &&
        get_u64(at + HEAD_SUM_AT) != bytes_hash(bytes_of(at, HEAD_SUM_AT), seed_of(place, lsn)))
        return false;
    *section = (struct wal_section){.flags = get_u32(at + 4),
                                    .bytes = get_u64(at + 8),
                                    .group = get_u64(at + 16),
                                    .ordinal = get_u64(at + 24),
                                    .cut_ordinal = get_u64(at + 32),
                                    .cut_index = get_u64(at + 40),
                                    .release = get_u64(at + 48),
                                    .first_index = get_u64(at + 56),
                                    .count = get_u64(at + 64),
                                    .truncate_from = get_u64(at + 72),
                                    .base_index = get_u64(at + 80),
                                    .base_term = get_u64(at + 88),
                                    .base_chain = get_u64(at + 96),
                                    .last_before = get_u64(at + 104),
                                    .body_sum = get_u64(at + 112)};
    return section->bytes >= WAL_SECTION_HEAD_BYTES && section->bytes <= left &&
           section->count <= section->bytes && section->first_index <= UINT64_MAX - section->count;
}

bool wal_section_body_holds(const struct wal_section *section, const struct wal_place *place,
                            uint64_t lsn, const uint8_t *at) {
    return !place->check || body_sum(section, place, lsn, at) == section->body_sum;
}

/* ---- the control page ---- */

void wal_control_encode(const struct wal_control *control, unsigned copy, uint8_t *page) {
    memset(page, 0, PAGE);
    put_u64(page, MAGIC_CONTROL);
    put_u32(page + 8, WAL_FORMAT_VERSION);
    put_u64(page + 16, control->log_id);
    put_u64(page + 24, control->seq);
    put_u64(page + 32, control->run);
    put_u64(page + 40, control->durable_lsn);
    put_u64(page + 48, control->first_incarnation);
    put_u64(page + 56, control->fresh);
    put_u64(page + PAGE - 8, bytes_hash(bytes_of(page, PAGE - 8), copy));
}

enum cairn_status wal_control_decode(struct wal_control *control, unsigned copy,
                                     const uint8_t *page) {
    if (get_u64(page) != MAGIC_CONTROL)
        return CAIRN_CORRUPT;
    if (get_u64(page + PAGE - 8) != bytes_hash(bytes_of(page, PAGE - 8), copy))
        return CAIRN_CORRUPT;
    if (get_u32(page + 8) != WAL_FORMAT_VERSION)
        return CAIRN_WRONG_VERSION;
    *control = (struct wal_control){.log_id = get_u64(page + 16),
                                    .seq = get_u64(page + 24),
                                    .run = get_u64(page + 32),
                                    .durable_lsn = get_u64(page + 40),
                                    .first_incarnation = get_u64(page + 48),
                                    .fresh = get_u64(page + 56)};
    return CAIRN_OK;
}

/* ---- the hard state ---- */

static uint64_t page_sum(uint64_t log_id, uint64_t offset, const uint8_t *page) {
    return bytes_hash(bytes_of(page, PAGE - 8), prng_mix(log_id, offset));
}

void wal_slot_encode(const struct wal_slot *slot, uint64_t log_id, uint64_t offset, uint8_t *page) {
    cairn_assert(slot->hard.len <= WAL_HARD_BYTES_MAX);
    memset(page, 0, PAGE);
    put_u32(page, MAGIC_SLOT);
    put_u32(page + 4, WAL_FORMAT_VERSION);
    put_u64(page + 8, log_id);
    put_u64(page + 16, offset);
    put_u64(page + 24, slot->group);
    put_u64(page + 32, slot->seq);
    put_u32(page + 40, (uint32_t)slot->hard.len);
    if (slot->hard.len)
        memcpy(page + SLOT_HEAD_BYTES, slot->hard.data, slot->hard.len);
    put_u64(page + SLOT_RELEASE_AT, slot->release);
    put_u64(page + PAGE - 8, page_sum(log_id, offset, page));
}

bool wal_slot_decode(struct wal_slot *slot, uint64_t log_id, uint64_t offset, bool check,
                     const uint8_t *page) {
    if (get_u32(page) != MAGIC_SLOT || get_u32(page + 4) != WAL_FORMAT_VERSION ||
        get_u64(page + 8) != log_id || get_u64(page + 16) != offset)
        return false;
    uint32_t len = get_u32(page + 40);
    if (len > WAL_HARD_BYTES_MAX)
        return false;
    if (check && get_u64(page + PAGE - 8) != page_sum(log_id, offset, page))
        return false;
    *slot = (struct wal_slot){.group = get_u64(page + 24),
                              .seq = get_u64(page + 32),
                              .release = get_u64(page + SLOT_RELEASE_AT),
                              .hard = bytes_of(page + SLOT_HEAD_BYTES, len)};
    return true;
}

void wal_directory_encode(const uint64_t *groups, size_t count, uint64_t seq, uint64_t log_id,
                          uint64_t offset, uint8_t *page) {
    cairn_assert(count <= WAL_DIRECTORY_GROUPS);
    memset(page, 0, PAGE);
    put_u32(page, MAGIC_DIRECTORY);
    put_u32(page + 4, WAL_FORMAT_VERSION);
    put_u64(page + 8, log_id);
    put_u64(page + 16, seq);
    put_u64(page + 24, count);
    for (size_t i = 0; i < count; i++)
        put_u64(page + 32 + 8 * i, groups[i]);
    put_u64(page + PAGE - 8, page_sum(log_id, offset, page));
}

bool wal_directory_decode(uint64_t *groups, size_t *count, uint64_t *seq, uint64_t log_id,
                          uint64_t offset, const uint8_t *page) {
    if (get_u32(page) != MAGIC_DIRECTORY || get_u64(page + 8) != log_id ||
        get_u64(page + PAGE - 8) != page_sum(log_id, offset, page) ||
        get_u64(page + 24) > WAL_DIRECTORY_GROUPS)
        return false;
    *seq = get_u64(page + 16);
    *count = get_u64(page + 24);
    for (size_t i = 0; i < *count; i++)
        groups[i] = get_u64(page + 32 + 8 * i);
    return true;
}
