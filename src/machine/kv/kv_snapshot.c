#include "machine/kv/kv_internal.h"

#include "base/alloc.h"
#include "core/slot.h"

/* A record of a key is u64 version, u64 meta, then the map key and what it holds as blocks, in the
 * map's order, so that restoring fills the map from left to right. A machine that has never had a
 * chunked value writes nothing else, which every version can read (KV_FORMAT_KEYS).
 *
 * In KV_FORMAT_CHUNKS each record begins with a kind: the head (u64 last number of a chunked
 * value), keys, then the chunks: u64 version, u64 number of the value, u32 number of the chunk,
 * block. */
enum record_kind { RECORD_HEAD = 1, RECORD_KEY, RECORD_CHUNK };

struct kv_snapshot {
    struct vmap_snapshot *map, *chunks;
    uint64_t chunk_ids; /* 0: the older format */
    bool head_written;
    bool keys_written;
};

void *kv_snapshot_begin(struct machine *machine) {
    struct kv_snapshot *snapshot = cairn_alloc_zero(sizeof *snapshot);
    snapshot->map = vmap_snapshot_take(machine->map);
    snapshot->chunks = vmap_snapshot_take(machine->chunks);
    snapshot->chunk_ids = machine->chunk_ids;
    return snapshot;
}

uint32_t kv_snapshot_format(const void *opaque) {
    const struct kv_snapshot *snapshot = opaque;
    return snapshot->chunk_ids != 0 ? KV_FORMAT_CHUNKS : KV_FORMAT_KEYS;
}

/* False: there are no more. */
static bool put_key(struct kv_snapshot *snapshot, struct buf *out) {
    const struct vmap_item *item = vmap_snapshot_next(snapshot->map);
    if (item == NULL)
        return false;
    if (snapshot->chunk_ids != 0)
        buf_u8(out, RECORD_KEY);
    buf_u64(out, item->version);
    buf_u64(out, item->meta);
    buf_block(out, vmap_item_key(item));
    buf_block(out, vmap_item_value(item));
    return true;
}

static bool put_chunk(struct kv_snapshot *snapshot, struct buf *out) {
    const struct vmap_item *item = vmap_snapshot_next(snapshot->chunks);
    if (item == NULL)
        return false;
    buf_u8(out, RECORD_CHUNK);
    buf_u64(out, item->version);
    buf_bytes(out, vmap_item_key(item));
    buf_block(out, vmap_item_value(item));
    return true;
}

bool kv_snapshot_chunk(void *opaque, size_t target, struct buf *out) {
    struct kv_snapshot *snapshot = opaque;
    size_t end = out->len + target;
    if (snapshot->chunk_ids != 0 && !snapshot->head_written) {
        buf_u8(out, RECORD_HEAD);
        buf_u64(out, snapshot->chunk_ids);
    }
    snapshot->head_written = true;
    while (!snapshot->keys_written && out->len < end)
        snapshot->keys_written = !put_key(snapshot, out);
    while (snapshot->keys_written && out->len < end) {
        if (snapshot->chunk_ids == 0 || !put_chunk(snapshot, out))
            return true;
    }
    return false;
}

bool kv_snapshot_intact(const void *opaque) {
    const struct kv_snapshot *snapshot = opaque;
    return vmap_snapshot_intact(snapshot->map) && vmap_snapshot_intact(snapshot->chunks);
}

void kv_snapshot_end(struct machine *machine, void *opaque) {
    struct kv_snapshot *snapshot = opaque;
    vmap_snapshot_release(machine->map, snapshot->map);
    vmap_snapshot_release(machine->chunks, snapshot->chunks);
    cairn_free(snapshot);
}

/* ---- restoring ---- */

void kv_restore_begin(struct machine *machine) {
    vmap_clear(machine->map);
    vmap_clear(machine->due);
    vmap_clear(machine->chunks);
    machine->chunk_ids = 0;
}

static bool key_is_sound(struct bytes map_key) {
    return map_key.len >= KV_PREFIX && map_key.data[2] == KV_KIND_KEY &&
           get_u16_be(map_key.data) ==
               slot_of_key(bytes_of(map_key.data + KV_PREFIX, map_key.len - KV_PREFIX));
}

static bool content_is_sound(const struct machine *machine, uint64_t meta, struct bytes content) {
    uint64_t len, id;
    if (meta >> 56 == KV_STRING)
        return true;
    return meta >> 56 == KV_CHUNKED && kv_chunked_parse(content, &len, &id) &&
           id <= machine->chunk_ids;
}

static bool restore_key(struct machine *machine, struct reader *reader) {
    uint64_t order = read_u64(reader), meta = read_u64(reader);
    struct bytes key = read_block(reader, KV_KEY_MAX + KV_PREFIX);
    struct bytes content = read_block(reader, UINT32_MAX);
    if (reader->bad || !key_is_sound(key) || !content_is_sound(machine, meta, content) ||
        vmap_get(machine->map, key) != NULL)
        return false;
    vmap_put(machine->map, key, content, order, meta);
    if (machine->options.mutant != MUTANT_KV_DUE_NOT_RESTORED)
        kv_due_add(machine, meta & KV_DEADLINE_MAX, key);
    return true;
}

static bool restore_chunk(struct machine *machine, struct reader *reader) {
    uint64_t order = read_u64(reader);
    struct bytes key = read_bytes(reader, KV_CHUNK_KEY);
    struct bytes content = read_block(reader, KV_CHUNK);
    if (reader->bad || content.len == 0 || get_u64_be(key.data) > machine->chunk_ids ||
        vmap_get(machine->chunks, key) != NULL)
        return false;
    vmap_put(machine->chunks, key, content, order, 0);
    return true;
}

static bool restore_record(struct machine *machine, struct reader *reader) {
    switch ((enum record_kind)read_u8(reader)) {
    case RECORD_HEAD:
        machine->chunk_ids = read_u64(reader);
        return !reader->bad;
    case RECORD_KEY:
        return restore_key(machine, reader);
    case RECORD_CHUNK:
        return restore_chunk(machine, reader);
    }
    return false;
}

enum cairn_status kv_restore_chunk(struct machine *machine, uint32_t version, struct bytes chunk) {
    if (version != KV_FORMAT_KEYS && version != KV_FORMAT_CHUNKS)
        return CAIRN_WRONG_VERSION;
    struct reader reader = reader_of(chunk);
    while (reader_left(&reader) > 0) {
        bool fine = version == KV_FORMAT_KEYS ? restore_key(machine, &reader)
                                              : restore_record(machine, &reader);
        if (!fine)
            return CAIRN_CORRUPT;
    }
    return CAIRN_OK;
}

enum cairn_status kv_restore_end(struct machine *machine) {
    return CAIRN_OK;
}
