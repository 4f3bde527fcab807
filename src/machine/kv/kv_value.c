#include "machine/kv/kv_internal.h"
#include "machine/kv/kv_later.h"

#include "base/assert.h"

#include <string.h>

static const uint8_t zeros[KV_CHUNK];

struct bytes kv_chunked_record(uint8_t at[KV_CHUNKED_RECORD], uint64_t len, uint64_t id) {
    put_u64(at, len);
    put_u64(at + 8, id);
    return bytes_of(at, KV_CHUNKED_RECORD);
}

bool kv_chunked_parse(struct bytes record, uint64_t *len, uint64_t *id) {
    if (record.len != KV_CHUNKED_RECORD)
        return false;
    *len = get_u64(record.data);
    *id = get_u64(record.data + 8);
    return *len > KV_WHOLE_MAX && *len <= UINT32_MAX && *id != 0;
}

static struct bytes chunk_key(uint8_t at[KV_CHUNK_KEY], uint64_t id, uint32_t number) {
    put_u64_be(at, id);
    put_u16_be(at + 8, (uint16_t)(number >> 16));
    put_u16_be(at + 10, (uint16_t)number);
    return bytes_of(at, KV_CHUNK_KEY);
}

struct kv_value kv_value_of(const struct kv_view *view, const struct vmap_item *item) {
    struct kv_value value = {0};
    if (item == NULL)
        return value;
    if (kv_item_type(item) == KV_CHUNKED) {
        bool sound = kv_chunked_parse(vmap_item_value(item), &value.len, &value.id);
        cairn_assert(sound);
        value.chunks = view->machine->chunks;
    } else {
        value.whole = vmap_item_value(item);
        value.len = value.whole.len;
    }
    return value;
}

struct bytes kv_value_piece(const struct kv_value *value, uint64_t at, uint64_t end) {
    cairn_assert(at < end && end <= value->len);
    if (value->chunks == NULL)
        return bytes_of(value->whole.data + at, (size_t)(end - at));
    uint8_t key[KV_CHUNK_KEY];
    uint64_t number = at / KV_CHUNK, within = at % KV_CHUNK, room = KV_CHUNK - within;
    const struct vmap_item *item =
        vmap_get(value->chunks, chunk_key(key, value->id, (uint32_t)number));
    uint64_t want = end - at < room ? end - at : room;
    struct bytes stored = item ? vmap_item_value(item) : bytes_of(NULL, 0);
    if (within >= stored.len)
        return bytes_of(zeros, (size_t)want);
    uint64_t have = stored.len - within;
    return bytes_of(stored.data + within, (size_t)(have < want ? have : want));
}

uint8_t kv_value_byte(const struct kv_value *value, uint64_t at) {
    return kv_value_piece(value, at, at + 1).data[0];
}

void kv_value_read(struct kv_view *view, const struct kv_value *value, uint64_t from, size_t len,
                   uint8_t *out) {
    for (uint64_t at = from, end = from + len; at < end && !view->over;) {
        struct bytes piece = kv_value_piece(value, at, end);
        memcpy(out + (at - from), piece.data, piece.len);
        at += piece.len;
        work_charge(view->work, WORK_LOOKUP + work_of_bytes(piece.len));
    }
}

struct bytes kv_value_gather(struct kv_view *view, const struct kv_value *value, struct buf *room) {
    if (value->chunks == NULL)
        return value->whole;
    buf_clear(room);
    kv_value_read(view, value, 0, (size_t)value->len, buf_reserve(room, (size_t)value->len));
    room->len = (size_t)value->len;
    return buf_view(room);
}

void kv_copy(struct kv_view *view, struct bytes from, struct buf *out) {
    buf_reserve(out, from.len);
    for (size_t at = 0; at < from.len && !view->over;) {
        size_t step = from.len - at < KV_COPY_STEP ? from.len - at : KV_COPY_STEP;
        buf_append(out, from.data + at, step);
        at += step;
        work_charge(view->work, work_of_bytes(step));
    }
}

#define BULK_HEAD 5u

/* A long one is not begun in a read that must end at once, nor one that kv_run will not tell. */
static bool reply_begins(struct kv_view *view, uint64_t len, const struct buf *reply) {
    view->too_long |= kv_reply_len(view, reply) + BULK_HEAD + len > KV_REPLY_MAX;
    if (view->one_go && view->work->done + work_of_bytes((size_t)len) >= view->work->limit)
        view->over = true;
    return !view->over && !view->too_long;
}

void kv_value_reply(struct kv_view *view, const struct kv_value *value, uint64_t from, uint64_t len,
                    struct buf *reply) {
    if (!reply_begins(view, len, reply))
        return;
    reply_bulk_head(reply, (uint32_t)len);
    if (kv_later_leaves(view, value, from, len, reply))
        return;
    buf_reserve(reply, (size_t)len);
    for (uint64_t at = 0; at < len && !view->over;) {
        uint64_t step = len - at < KV_COPY_STEP ? len - at : KV_COPY_STEP;
        struct bytes piece = kv_value_piece(value, from + at, from + at + step);
        buf_bytes(reply, piece);
        at += piece.len;
        work_charge(view->work, work_of_bytes(piece.len));
    }
}

/* ---- writing chunks ---- */

/* The chunk at that number gets `patch` at `within`; what it held else stays. */
static void chunk_write(struct kv_view *view, uint64_t id, uint32_t number, size_t within,
                        struct bytes patch) {
    struct vmap *chunks = view->machine->chunks;
    uint8_t key[KV_CHUNK_KEY];
    struct bytes at = chunk_key(key, id, number);
    const struct vmap_item *item = vmap_get(chunks, at);
    struct bytes old = item ? vmap_item_value(item) : bytes_of(NULL, 0);
    size_t end = within + patch.len, len = old.len > end ? old.len : end;
    struct vmap_item *made = vmap_put_raw(chunks, at, len, view->order, 0);
    uint8_t *out = vmap_raw_value(made);
    if (old.len)
        memcpy(out, old.data, old.len);
    if (within > old.len)
        memset(out + old.len, 0, within - old.len);
    memcpy(out + within, patch.data, patch.len);
    vmap_seal(chunks, made);
    work_charge(view->work, WORK_CHANGE + work_of_bytes(len));
}

static void chunks_write(struct kv_view *view, uint64_t id, uint64_t at, struct bytes patch) {
    for (size_t used = 0; used < patch.len;) {
        uint64_t place = at + used;
        size_t within = (size_t)(place % KV_CHUNK), room = KV_CHUNK - within;
        size_t len = patch.len - used < room ? patch.len - used : room;
        chunk_write(view, id, (uint32_t)(place / KV_CHUNK), within,
                    bytes_of(patch.data + used, len));
        used += len;
    }
}

uint64_t kv_chunks_store(struct kv_view *view, struct bytes value) {
    uint64_t id = ++view->machine->chunk_ids;
    chunks_write(view, id, 0, value);
    return id;
}

/* The first chunk of the value at or behind a number; NULL: there is no more. */
static const struct vmap_item *chunk_at(const struct vmap *chunks, uint64_t id, uint32_t number) {
    uint8_t key[KV_CHUNK_KEY];
    const struct vmap_item *item = vmap_seek(chunks, chunk_key(key, id, number));
    return item != NULL && get_u64_be(item->data) == id ? item : NULL;
}

static uint32_t number_of(const struct vmap_item *item) {
    return (uint32_t)get_u16_be(item->data + 8) << 16 | get_u16_be(item->data + 10);
}

uint64_t kv_chunks_copy(struct kv_view *view, const struct kv_value *value) {
    struct vmap *chunks = view->machine->chunks;
    uint64_t id = ++view->machine->chunk_ids;
    const struct vmap_item *item;
    for (uint32_t next = 0; (item = chunk_at(chunks, value->id, next)) != NULL;) {
        uint8_t key[KV_CHUNK_KEY];
        next = number_of(item) + 1;
        struct bytes content = vmap_item_value(item);
        vmap_put(chunks, chunk_key(key, id, next - 1), content, view->order, 0);
        work_charge(view->work, WORK_CHANGE + work_of_bytes(content.len));
    }
    return id;
}

void kv_chunks_drop(struct kv_view *view, uint64_t id) {
    struct vmap *chunks = view->machine->chunks;
    const struct vmap_item *item;
    while ((item = chunk_at(chunks, id, 0)) != NULL) {
        uint8_t key[KV_CHUNK_KEY];
        vmap_delete(chunks, chunk_key(key, id, number_of(item)));
        work_charge(view->work, WORK_CHANGE + work_of_bytes(KV_CHUNK) / 2);
    }
}

size_t kv_chunks_memory(const struct machine *machine, const struct vmap_item *item) {
    uint64_t len, id;
    if (kv_item_type(item) != KV_CHUNKED || !kv_chunked_parse(vmap_item_value(item), &len, &id))
        return 0;
    uint8_t key[KV_CHUNK_KEY];
    size_t before = vmap_rank(machine->chunks, chunk_key(key, id, 0));
    size_t count = vmap_rank(machine->chunks, chunk_key(key, id + 1, 0)) - before;
    const struct vmap_item *first = chunk_at(machine->chunks, id, 0);
    return first == NULL ? 0 : count * vmap_item_size(first);
}

/* ---- changing a value ---- */

static void patch_whole(struct kv_view *view, struct bytes key, const struct vmap_item *old,
                        uint64_t len, uint64_t at, struct bytes patch) {
    struct bytes before = old ? vmap_item_value(old) : bytes_of(NULL, 0);
    uint8_t *out = kv_view_make(view, key, (size_t)len, old ? kv_item_deadline(old) : 0);
    if (before.len)
        memcpy(out, before.data, before.len);
    memset(out + before.len, 0, (size_t)len - before.len);
    if (patch.len)
        memcpy(out + at, patch.data, patch.len);
    kv_view_seal(view);
}

void kv_value_patch(struct kv_view *view, struct bytes key, const struct vmap_item *old,
                    uint64_t len, uint64_t at, struct bytes patch) {
    bool was_chunked = old != NULL && kv_item_type(old) == KV_CHUNKED;
    cairn_assert(at + patch.len <= len);
    if (!was_chunked && !(view->chunked && len > KV_WHOLE_MAX)) {
        patch_whole(view, key, old, len, at, patch);
        return;
    }
    struct kv_value before = kv_value_of(view, old);
    cairn_assert(len >= before.len);
    uint64_t deadline_ms = old ? kv_item_deadline(old) : 0;
    uint64_t id = was_chunked ? before.id : kv_chunks_store(view, before.whole);
    chunks_write(view, id, at, patch);
    uint8_t record[KV_CHUNKED_RECORD];
    kv_view_put_chunked(view, key, kv_chunked_record(record, len, id), deadline_ms);
}
