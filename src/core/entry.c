#include "core/entry.h"

#include "base/assert.h"

#include <string.h>

#define CHAIN_BYTES 8u

size_t entry_size(size_t payload_len) {
    return ENTRY_HEAD_BYTES + payload_len;
}

static uint64_t chain_of(struct bytes encoded, uint64_t chain_before) {
    return bytes_hash(bytes_of(encoded.data + CHAIN_BYTES, encoded.len - CHAIN_BYTES),
                      chain_before);
}

void entry_encode(struct entry *entry, uint8_t *at, struct bytes payload, uint64_t chain_before) {
    size_t size = entry_size(payload.len);
    cairn_assert(size <= UINT32_MAX);
    put_u32(at + 8, (uint32_t)size);
    at[12] = ENTRY_VERSION;
    at[13] = (uint8_t)entry->kind;
    put_u16(at + 14, 0);
    put_u64(at + 16, entry->index);
    put_u64(at + 24, entry->term);
    put_u64(at + 32, entry->order);
    put_u64(at + 40, entry->time_ms);
    if (payload.len)
        memcpy(at + ENTRY_HEAD_BYTES, payload.data, payload.len);
    entry->encoded = bytes_of(at, size);
    entry->payload = bytes_of(at + ENTRY_HEAD_BYTES, payload.len);
    entry->chain = chain_of(entry->encoded, chain_before);
    put_u64(at, entry->chain);
}

enum cairn_status entry_decode(struct reader *reader, struct entry *entry) {
    *entry = (struct entry){0};
    const uint8_t *start = reader->at;
    if (reader_left(reader) < ENTRY_HEAD_BYTES)
        return CAIRN_MALFORMED;
    uint32_t size = get_u32(start + 8);
    if (size < ENTRY_HEAD_BYTES || size > reader_left(reader))
        return CAIRN_MALFORMED;
    if (start[12] != ENTRY_VERSION)
        return CAIRN_WRONG_VERSION;
    if (start[13] == 0 || start[13] >= ENTRY_KIND_COUNT || get_u16(start + 14) != 0)
        return CAIRN_MALFORMED;
    entry->chain = get_u64(start);
    entry->kind = (enum entry_kind)start[13];
    entry->index = get_u64(start + 16);
    entry->term = get_u64(start + 24);
    entry->order = get_u64(start + 32);
    entry->time_ms = get_u64(start + 40);
    entry->encoded = read_bytes(reader, size);
    entry->payload = bytes_of(start + ENTRY_HEAD_BYTES, size - ENTRY_HEAD_BYTES);
    return CAIRN_OK;
}

bool entry_chain_holds(const struct entry *entry, uint64_t chain_before) {
    return entry->chain == chain_of(entry->encoded, chain_before);
}

struct entry entry_ref(const struct entry *entry) {
    cairn_assert(entry->blob != NULL);
    blob_ref(entry->blob);
    return *entry;
}

struct entry entry_copy(const struct entry *entry) {
    struct entry copy = *entry;
    copy.blob = blob_from(entry->encoded);
    copy.encoded = blob_view(copy.blob);
    copy.payload = bytes_of(copy.blob->data + ENTRY_HEAD_BYTES, entry->payload.len);
    return copy;
}

struct entry entry_keep(const struct entry *entry) {
    return entry->blob != NULL ? entry_ref(entry) : entry_copy(entry);
}

void entry_unref(struct entry *entry) {
    blob_unref(entry->blob);
    *entry = (struct entry){0};
}
