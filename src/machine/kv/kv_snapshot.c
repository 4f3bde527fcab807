#include "machine/kv/kv_internal.h"

#include "core/slot.h"

/* A record: u64 version, u64 meta (type and deadline), key and value as blocks; in key order, so
 * that restoring fills the map from left to right. */

void *kv_snapshot_begin(struct machine *machine) {
    return vmap_snapshot_take(machine->map);
}

bool kv_snapshot_chunk(void *snapshot, size_t target, struct buf *out) {
    size_t end = out->len + target;
    const struct vmap_item *item;
    do {
        item = vmap_snapshot_next(snapshot);
        if (item == NULL)
            return true;
        buf_u64(out, item->version);
        buf_u64(out, item->meta);
        buf_block(out, vmap_item_key(item));
        buf_block(out, vmap_item_value(item));
    } while (out->len < end);
    return false;
}

void kv_snapshot_end(struct machine *machine, void *snapshot) {
    vmap_snapshot_release(machine->map, snapshot);
}

void kv_restore_begin(struct machine *machine) {
    vmap_clear(machine->map);
    vmap_clear(machine->due);
}

static bool key_is_sound(struct bytes map_key) {
    return map_key.len >= KV_PREFIX && map_key.data[2] == KV_KIND_KEY &&
           get_u16_be(map_key.data) ==
               slot_of_key(bytes_of(map_key.data + KV_PREFIX, map_key.len - KV_PREFIX));
}

enum cairn_status kv_restore_chunk(struct machine *machine, uint32_t version, struct bytes chunk) {
    if (version != machine_kv.snapshot_version)
        return CAIRN_WRONG_VERSION;
    struct reader reader = reader_of(chunk);
    while (reader_left(&reader) > 0) {
        uint64_t order = read_u64(&reader), meta = read_u64(&reader);
        struct bytes key = read_block(&reader, KV_KEY_MAX + KV_PREFIX);
        struct bytes value = read_block(&reader, UINT32_MAX);
        if (reader.bad || !key_is_sound(key) || meta >> 56 != KV_STRING ||
            vmap_get(machine->map, key) != NULL)
            return CAIRN_CORRUPT;
        vmap_put(machine->map, key, value, order, meta);
        kv_due_add(machine, meta & KV_DEADLINE_MAX, key);
    }
    return CAIRN_OK;
}

enum cairn_status kv_restore_end(struct machine *machine) {
    return CAIRN_OK;
}
