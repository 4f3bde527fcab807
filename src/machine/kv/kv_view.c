#include "machine/kv/kv_internal.h"

#include "base/assert.h"
#include "core/slot.h"

#include <string.h>

#define SHORT_KEY 64u /* its slot is within what a lookup costs */

struct bytes kv_item_key(const struct vmap_item *item) {
    struct bytes key = vmap_item_key(item);
    return bytes_of(key.data + KV_PREFIX, key.len - KV_PREFIX);
}

uint64_t kv_item_deadline(const struct vmap_item *item) {
    return item->meta & KV_DEADLINE_MAX;
}

enum kv_type kv_item_type(const struct vmap_item *item) {
    return (enum kv_type)(item->meta >> 56);
}

bool kv_is_string(const struct vmap_item *item) {
    return kv_item_type(item) == KV_STRING || kv_item_type(item) == KV_CHUNKED;
}

static uint64_t meta_of(enum kv_type type, uint64_t deadline_ms) {
    return (uint64_t)type << 56 | deadline_ms;
}

/* Finding the slot of a long key: a table's step a byte. */
static uint64_t work_of_key(struct bytes key) {
    return key.len > SHORT_KEY ? 2 * key.len : 0;
}

struct bytes kv_map_key(struct machine *machine, struct bytes key) {
    buf_clear(&machine->key);
    uint8_t *at = buf_reserve(&machine->key, KV_PREFIX + key.len);
    put_u16_be(at, slot_of_key(key));
    at[2] = KV_KIND_KEY;
    if (key.len)
        memcpy(at + KV_PREFIX, key.data, key.len);
    machine->key.len = KV_PREFIX + key.len;
    return buf_view(&machine->key);
}

static struct bytes due_key(struct machine *machine, uint64_t deadline_ms, struct bytes map_key) {
    buf_clear(&machine->due_key);
    put_u64_be(buf_reserve(&machine->due_key, 8), deadline_ms);
    machine->due_key.len = 8;
    buf_bytes(&machine->due_key, map_key);
    return buf_view(&machine->due_key);
}

void kv_due_add(struct machine *machine, uint64_t deadline_ms, struct bytes map_key) {
    if (deadline_ms != 0)
        vmap_put(machine->due, due_key(machine, deadline_ms, map_key), BYTES(""), 0, 0);
}

void kv_due_remove(struct machine *machine, uint64_t deadline_ms, struct bytes map_key) {
    if (deadline_ms != 0) {
        bool found = vmap_delete(machine->due, due_key(machine, deadline_ms, map_key));
        cairn_assert(found || machine->options.mutant == MUTANT_KV_DUE_NOT_RESTORED);
    }
}

static void record(struct kv_view *view, enum kv_record_kind kind, struct bytes key,
                   uint64_t version) {
    if (view->record == NULL)
        return;
    buf_u8(view->record, (uint8_t)kind);
    buf_block(view->record, key);
    buf_u64(view->record, version);
}

/* The number of the chunked value that the record describes; 0: it is whole. */
static uint64_t chunks_of(const struct vmap_item *item) {
    uint64_t len, id = 0;
    if (item == NULL || kv_item_type(item) != KV_CHUNKED)
        return 0;
    return kv_chunked_parse(vmap_item_value(item), &len, &id) ? id : 0;
}

/* Removes the record of the map key in machine->key, due index included; its chunks go too, but for
 * those that another record keeps. */
static bool remove_record(struct kv_view *view, uint64_t kept) {
    struct machine *machine = view->machine;
    struct bytes map_key = buf_view(&machine->key);
    const struct vmap_item *item = vmap_get(machine->map, map_key);
    if (item == NULL)
        return false;
    uint64_t id = chunks_of(item);
    uint64_t work = kv_item_deadline(item) != 0 ? 2 * WORK_CHANGE : WORK_CHANGE;
    kv_due_remove(machine, kv_item_deadline(item), map_key);
    vmap_delete(machine->map, map_key);
    work_charge(view->work, work);
    if (id != 0 && id != kept)
        kv_chunks_drop(view, id);
    return true;
}

const struct vmap_item *kv_view_get(struct kv_view *view, struct bytes key) {
    struct machine *machine = view->machine;
    if (view->over)
        return NULL;
    work_charge(view->work, WORK_LOOKUP + work_of_key(key));
    const struct vmap_item *item = vmap_get(machine->map, kv_map_key(machine, key));
    if (item != NULL && kv_item_deadline(item) != 0 && kv_item_deadline(item) <= view->time_ms) {
        if (view->reading) {
            view->due |= !view->local && kv_item_deadline(item) > machine->time_ms;
        } else {
            remove_record(view, 0);
            record(view, KV_RECORD_DELETE, key, view->order);
            change_put(view->changes, CHANGE_KEY, key, BYTES("expired"));
        }
        item = NULL;
    }
    record(view, KV_RECORD_READ, key, item ? item->version : 0);
    return item;
}

/* Readies the due index for a record that replaces what machine->key holds. The work, which is
 * charged once that record is there. */
static uint64_t turn_due(struct machine *machine, uint64_t deadline_ms) {
    struct bytes map_key = buf_view(&machine->key);
    uint64_t before_ms = 0;
    if (vmap_count(machine->due) != 0) {
        const struct vmap_item *old = vmap_get(machine->map, map_key);
        before_ms = old != NULL ? kv_item_deadline(old) : 0;
        if (old != NULL && before_ms == deadline_ms)
            return 0;
        if (old != NULL)
            kv_due_remove(machine, before_ms, map_key);
    }
    kv_due_add(machine, deadline_ms, map_key);
    return (before_ms != 0 ? WORK_CHANGE : 0) + (deadline_ms != 0 ? WORK_CHANGE : 0);
}

static uint64_t clamp(uint64_t deadline_ms) {
    return deadline_ms < KV_DEADLINE_MAX ? deadline_ms : KV_DEADLINE_MAX;
}

/* The chunked value that the map key in machine->key has now; 0: none. */
static uint64_t present_chunks(const struct machine *machine) {
    if (vmap_count(machine->chunks) == 0)
        return 0;
    return chunks_of(vmap_get(machine->map, buf_view(&machine->key)));
}

/* kept: the chunked value that the new record describes, or 0. */
static void put_record(struct kv_view *view, struct bytes key, enum kv_type type,
                       struct bytes content, uint64_t kept, uint64_t deadline_ms) {
    struct machine *machine = view->machine;
    cairn_assert(!view->reading && machine->made == NULL);
    deadline_ms = clamp(deadline_ms);
    struct bytes map_key = kv_map_key(machine, key);
    uint64_t before = present_chunks(machine);
    uint64_t work = WORK_CHANGE + turn_due(machine, deadline_ms);
    vmap_put(machine->map, map_key, content, view->order, meta_of(type, deadline_ms));
    record(view, KV_RECORD_WRITE, key, view->order);
    if (before != 0 && before != kept)
        kv_chunks_drop(view, before);
    work_charge(view->work, work + work_of_key(key) + work_of_bytes(content.len));
}

static bool is_over(const struct kv_view *view, uint64_t deadline_ms) {
    return deadline_ms != 0 && deadline_ms <= view->time_ms;
}

void kv_view_put(struct kv_view *view, struct bytes key, struct bytes value, uint64_t deadline_ms) {
    uint8_t at[KV_CHUNKED_RECORD];
    if (is_over(view, deadline_ms)) {
        kv_view_delete(view, key);
    } else if (view->chunked && value.len > KV_WHOLE_MAX) {
        uint64_t id = kv_chunks_store(view, value);
        put_record(view, key, KV_CHUNKED, kv_chunked_record(at, value.len, id), id, deadline_ms);
    } else {
        put_record(view, key, KV_STRING, value, 0, deadline_ms);
    }
}

void kv_view_put_chunked(struct kv_view *view, struct bytes key, struct bytes content,
                         uint64_t deadline_ms) {
    put_record(view, key, KV_CHUNKED, content, get_u64(content.data + 8), deadline_ms);
}

void kv_view_redate(struct kv_view *view, struct bytes key, const struct vmap_item *item,
                    uint64_t deadline_ms) {
    if (is_over(view, deadline_ms))
        kv_view_delete(view, key);
    else
        put_record(view, key, kv_item_type(item), vmap_item_value(item), chunks_of(item),
                   deadline_ms);
}

void kv_view_rename(struct kv_view *view, struct bytes from, const struct vmap_item *item,
                    struct bytes to) {
    uint64_t id = chunks_of(item);
    put_record(view, to, kv_item_type(item), vmap_item_value(item), id, kv_item_deadline(item));
    kv_map_key(view->machine, from);
    if (remove_record(view, id))
        record(view, KV_RECORD_DELETE, from, view->order);
}

void kv_view_copy(struct kv_view *view, const struct vmap_item *item, struct bytes to) {
    uint8_t at[KV_CHUNKED_RECORD];
    struct kv_value value = kv_value_of(view, item);
    uint64_t deadline_ms = kv_item_deadline(item);
    if (value.chunks == NULL) {
        put_record(view, to, KV_STRING, value.whole, 0, deadline_ms);
        return;
    }
    uint64_t id = kv_chunks_copy(view, &value);
    put_record(view, to, KV_CHUNKED, kv_chunked_record(at, value.len, id), id, deadline_ms);
}

uint8_t *kv_view_make(struct kv_view *view, struct bytes key, size_t len, uint64_t deadline_ms) {
    struct machine *machine = view->machine;
    cairn_assert(!view->reading && machine->made == NULL);
    deadline_ms = clamp(deadline_ms);
    struct bytes map_key = kv_map_key(machine, key);
    cairn_assert(present_chunks(machine) == 0); /* kv_value.c changes those */
    turn_due(machine, deadline_ms);
    machine->made =
        vmap_put_raw(machine->map, map_key, len, view->order, meta_of(KV_STRING, deadline_ms));
    record(view, KV_RECORD_WRITE, key, view->order);
    return vmap_raw_value(machine->made);
}

void kv_view_seal(struct kv_view *view) {
    struct vmap_item *made = view->machine->made;
    cairn_assert(made != NULL);
    vmap_seal(view->machine->map, made);
    view->machine->made = NULL;
    work_charge(view->work, (kv_item_deadline(made) != 0 ? 2 : 1) * WORK_CHANGE +
                                work_of_bytes(made->value_len));
}

bool kv_view_delete(struct kv_view *view, struct bytes key) {
    cairn_assert(!view->reading && view->machine->made == NULL);
    kv_map_key(view->machine, key);
    if (!remove_record(view, 0))
        return false;
    record(view, KV_RECORD_DELETE, key, view->order);
    return true;
}

void kv_view_clear(struct kv_view *view) {
    vmap_clear(view->machine->map);
    vmap_clear(view->machine->due);
    vmap_clear(view->machine->chunks);
}

uint64_t kv_view_count(const struct kv_view *view) {
    uint8_t after[8];
    put_u64_be(after, view->time_ms == UINT64_MAX ? UINT64_MAX : view->time_ms + 1);
    return vmap_count(view->machine->map) - vmap_rank(view->machine->due, bytes_of(after, 8));
}

/* Whatever ended up to the time of an entry that was applied is absent for every reader that has
 * applied that entry, and so for every later read (docs/redis.md, "Keys whose time is over"). */
void kv_view_range(struct kv_view *view) {
    if (!view->reading || view->local)
        return;
    uint8_t after[8];
    put_u64_be(after, view->machine->time_ms + 1);
    const struct vmap_item *next = vmap_seek(view->machine->due, bytes_of(after, 8));
    view->due |= next != NULL && get_u64_be(vmap_item_key(next).data) <= view->time_ms;
}

bool kv_view_over(const struct kv_view *view) {
    return view->over;
}
