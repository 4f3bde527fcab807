#include "core/machine.h"

#include "base/alloc.h"

void change_put(struct buf *changes, enum change_kind kind, struct bytes key, struct bytes value) {
    change_put_head(changes, kind, key, value.len);
    buf_bytes(changes, value);
}

void change_put_head(struct buf *changes, enum change_kind kind, struct bytes key,
                     size_t value_len) {
    buf_u8(changes, (uint8_t)kind);
    buf_block(changes, key);
    buf_u32(changes, (uint32_t)value_len);
}

bool change_next(struct reader *reader, struct change *change) {
    if (reader_left(reader) == 0)
        return false;
    change->kind = (enum change_kind)read_u8(reader);
    change->key = read_block(reader, UINT32_MAX);
    change->value = read_block(reader, UINT32_MAX);
    change->owner = NULL;
    return !reader->bad;
}

void change_put_life(struct buf *changes, uint64_t id, const struct life_change *life) {
    uint8_t key[8], value[16];
    put_u64(key, id);
    put_u64(value, life->timeout_ms);
    put_u64(value + 8, life->holder);
    change_put(changes, CHANGE_LIFE, bytes_of(key, sizeof key), bytes_of(value, sizeof value));
}

bool change_life(const struct change *change, uint64_t *id, struct life_change *life) {
    if (change->kind != CHANGE_LIFE || change->key.len != 8 || change->value.len != 16)
        return false;
    *id = get_u64(change->key.data);
    life->timeout_ms = get_u64(change->value.data);
    life->holder = get_u64(change->value.data + 8);
    return true;
}

void key_uses_add(struct key_uses *uses, struct bytes key, bool write) {
    if (uses->count == uses->cap) {
        uses->cap = uses->cap ? uses->cap * 2 : 8;
        uses->items = cairn_realloc(uses->items, uses->cap * sizeof *uses->items);
    }
    uses->items[uses->count++] = (struct key_use){key, write};
}

void key_uses_free(struct key_uses *uses) {
    cairn_free(uses->items);
    *uses = (struct key_uses){0};
}
