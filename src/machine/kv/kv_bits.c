#include "machine/kv/kv_internal.h"

#include <string.h>

bool kv_bit_offset(struct kv_call *call, struct bytes text, int64_t unit, int64_t *offset) {
    uint64_t limit = call->view->machine->options.value_bytes_max;
    if (kv_parse_int(text, offset) && *offset >= 0 &&
        !__builtin_mul_overflow(*offset, unit, offset) && (uint64_t)*offset / 8 < limit)
        return true;
    reply_error(call->reply, "ERR bit offset is not an integer or out of range");
    return false;
}

static unsigned bit_at(const struct kv_value *value, uint64_t offset) {
    if (offset / 8 >= value->len)
        return 0;
    return kv_value_byte(value, offset / 8) >> (7 - offset % 8) & 1;
}

void kv_do_getbit(struct kv_call *call) {
    int64_t offset;
    const struct vmap_item *item;
    if (!kv_bit_offset(call, call->args[1], 1, &offset) ||
        !kv_get_string(call, call->args[0], &item))
        return;
    struct kv_value value = kv_value_of(call->view, item);
    reply_int(call->reply, (int64_t)bit_at(&value, (uint64_t)offset));
}

void kv_do_setbit(struct kv_call *call) {
    int64_t offset, bit;
    const struct vmap_item *old;
    if (!kv_bit_offset(call, call->args[1], 1, &offset))
        return;
    if (!kv_parse_int(call->args[2], &bit) || (bit != 0 && bit != 1)) {
        reply_error(call->reply, "ERR bit is not an integer or out of range");
        return;
    }
    if (!kv_get_string(call, call->args[0], &old))
        return;
    struct kv_value before = kv_value_of(call->view, old);
    unsigned was = bit_at(&before, (uint64_t)offset);
    uint64_t at = (uint64_t)offset / 8, len = at + 1 > before.len ? at + 1 : before.len;
    uint8_t byte = at < before.len ? kv_value_byte(&before, at) : 0;
    uint8_t mask = (uint8_t)(0x80 >> offset % 8);
    byte = (uint8_t)(bit ? byte | mask : byte & ~mask);
    kv_value_patch(call->view, call->args[0], old, len, at, bytes_of(&byte, 1));
    reply_int(call->reply, was);
}

/* A range of bits, both ends included. */
struct range {
    int64_t first;
    int64_t last;
};

/* Turns start and end, in bytes or bits and perhaps negative, into bits of a value; false when the
 * range is empty. */
static bool resolve(int64_t start, int64_t end, bool in_bits, size_t len, struct range *range) {
    int64_t total = (int64_t)len * (in_bits ? 8 : 1);
    if (start < 0)
        start = start + total < 0 ? 0 : start + total;
    if (end < 0)
        end = end + total < 0 ? 0 : end + total;
    if (end >= total)
        end = total - 1;
    if (start > end)
        return false;
    *range = in_bits ? (struct range){start, end} : (struct range){start * 8, end * 8 + 7};
    return true;
}

/* BYTE or BIT; false: a syntax error was answered. */
static bool take_unit(struct kv_call *call, size_t arg, bool *in_bits) {
    *in_bits = kv_arg_is(call, arg, "BIT");
    if (*in_bits || kv_arg_is(call, arg, "BYTE"))
        return true;
    kv_reply_syntax(call);
    return false;
}

/* The value's byte with the bits outside the range replaced by `outside` (0 or 0xff). */
static uint8_t byte_within(uint8_t value, int64_t byte, struct range range, uint8_t outside) {
    uint8_t mask = 0xff;
    if (byte == range.first / 8)
        mask = (uint8_t)(mask & 0xff >> range.first % 8);
    if (byte == range.last / 8)
        mask = (uint8_t)(mask & 0xff << (7 - range.last % 8));
    return (uint8_t)((value & mask) | (outside & ~mask));
}

/* So many bytes are looked at between two looks at the budget. */
#define SCAN_STEP 262144

/* The next stretch of the value from `byte` on, up to the byte `last`. */
static struct bytes stretch(struct kv_call *call, const struct kv_value *value, int64_t byte,
                            int64_t last) {
    int64_t end = last + 1 - byte > SCAN_STEP ? byte + SCAN_STEP : last + 1;
    struct bytes piece = kv_value_piece(value, (uint64_t)byte, (uint64_t)end);
    work_charge(call->view->work, work_of_bytes(piece.len));
    return piece;
}

static int64_t count_all(struct bytes piece) {
    int64_t count = 0;
    size_t at = 0;
    for (; at + 8 <= piece.len; at += 8)
        count += __builtin_popcountll(get_u64(piece.data + at));
    for (; at < piece.len; at++)
        count += __builtin_popcount(piece.data[at]);
    return count;
}

static int64_t count_bits(struct kv_call *call, const struct kv_value *value, struct range range) {
    int64_t count = 0, first = range.first / 8, last = range.last / 8;
    for (int64_t byte = first; byte <= last && !call->view->over;) {
        struct bytes piece = stretch(call, value, byte, last);
        count += count_all(piece);
        byte += (int64_t)piece.len;
    }
    /* What the ends hold outside of the range does not count. */
    uint8_t head = kv_value_byte(value, (uint64_t)first);
    uint8_t tail = kv_value_byte(value, (uint64_t)last);
    count -= __builtin_popcount(head) - __builtin_popcount(byte_within(head, first, range, 0));
    if (last != first)
        count -= __builtin_popcount(tail) - __builtin_popcount(byte_within(tail, last, range, 0));
    return count;
}

void kv_do_bitcount(struct kv_call *call) {
    const struct vmap_item *item;
    int64_t start = 0, end = -1;
    bool in_bits = false;
    struct range range;
    if (!kv_get_string(call, call->args[0], &item))
        return;
    if (item == NULL) {
        reply_int(call->reply, 0);
        return;
    }
    if (call->argc == 2 || call->argc > 4) {
        kv_reply_syntax(call);
        return;
    }
    if (call->argc > 2 && (!kv_arg_int(call, 1, &start) || !kv_arg_int(call, 2, &end)))
        return;
    bool backwards = start < 0 && end < 0 && start > end;
    if (!backwards && call->argc == 4 && !take_unit(call, 3, &in_bits))
        return;
    struct kv_value value = kv_value_of(call->view, item);
    bool any = !backwards && resolve(start, end, in_bits, (size_t)value.len, &range);
    reply_int(call->reply, any ? count_bits(call, &value, range) : 0);
}

/* The first bit equal to `bit` in a stretch that begins at the value's byte `base`; -1: none. */
static int64_t find_in(struct bytes piece, int64_t base, struct range range, bool bit) {
    uint8_t other = bit ? 0 : 0xff;
    for (size_t at = 0; at < piece.len; at++) {
        int64_t byte = base + (int64_t)at;
        if (byte != range.first / 8 && at + 8 < piece.len &&
            get_u64(piece.data + at) == (bit ? 0 : UINT64_MAX)) {
            at += 7;
            continue;
        }
        uint8_t found = byte_within(piece.data[at], byte, range, other) ^ other;
        if (found != 0)
            return byte * 8 + __builtin_clz(found) - 24;
    }
    return -1;
}

/* The first bit equal to `bit` in the range, -1 when there is none. */
static int64_t find_bit(struct kv_call *call, const struct kv_value *value, struct range range,
                        bool bit) {
    for (int64_t byte = range.first / 8, last = range.last / 8;
         byte <= last && !call->view->over;) {
        struct bytes piece = stretch(call, value, byte, last);
        int64_t found = find_in(piece, byte, range, bit);
        if (found >= 0)
            return found;
        byte += (int64_t)piece.len;
    }
    return -1;
}

void kv_do_bitpos(struct kv_call *call) {
    const struct vmap_item *item;
    int64_t bit, start = 0, end = -1;
    bool in_bits = false;
    struct range range;
    if (!kv_arg_int(call, 1, &bit))
        return;
    if (bit != 0 && bit != 1) {
        reply_error(call->reply, "ERR The bit argument must be 1 or 0.");
        return;
    }
    if (!kv_get_string(call, call->args[0], &item))
        return;
    if (item == NULL) {
        reply_int(call->reply, bit ? -1 : 0);
        return;
    }
    if (call->argc > 5) {
        kv_reply_syntax(call);
        return;
    }
    if (call->argc > 2 && !kv_arg_int(call, 2, &start))
        return;
    if (call->argc == 5 && !take_unit(call, 4, &in_bits))
        return;
    if (call->argc > 3 && !kv_arg_int(call, 3, &end))
        return;
    struct kv_value value = kv_value_of(call->view, item);
    if (!resolve(start, end, in_bits, (size_t)value.len, &range)) {
        reply_int(call->reply, -1);
        return;
    }
    int64_t at = find_bit(call, &value, range, bit);
    /* Without an end the value counts as followed by zeros without end. */
    if (at < 0 && bit == 0 && call->argc <= 3)
        at = (int64_t)value.len * 8;
    reply_int(call->reply, at);
}

enum bit_operation { BIT_AND, BIT_OR, BIT_XOR, BIT_NOT, BIT_OPERATIONS };

static enum bit_operation operation_of(const struct kv_call *call) {
    static const char *const names[] = {"AND", "OR", "XOR", "NOT"};
    for (size_t i = 0; i < BIT_OPERATIONS; i++) {
        if (kv_arg_is(call, 0, names[i]))
            return (enum bit_operation)i;
    }
    return BIT_OPERATIONS;
}

static void combine(uint8_t *into, struct bytes source, enum bit_operation operation) {
    for (size_t i = 0; i < source.len; i++) {
        if (operation == BIT_AND)
            into[i] &= source.data[i];
        else if (operation == BIT_OR)
            into[i] |= source.data[i];
        else
            into[i] ^= source.data[i];
    }
}

static void combine_value(struct kv_call *call, uint8_t *into, size_t len, size_t arg,
                          enum bit_operation operation) {
    struct kv_value source = kv_value_of(call->view, kv_view_get(call->view, call->args[arg]));
    for (uint64_t at = 0; at < source.len;) {
        struct bytes piece = stretch(call, &source, (int64_t)at, (int64_t)source.len - 1);
        combine(into + at, piece, operation);
        at += piece.len;
    }
    if (operation == BIT_AND) /* a shorter source goes on with zeros */
        memset(into + source.len, 0, len - source.len);
}

/* True: every source is a string, *longest and the *total of bytes are set. */
static bool measure_sources(struct kv_call *call, size_t *longest, uint64_t *total) {
    *longest = 0;
    *total = 0;
    for (size_t i = 2; i < call->argc; i++) {
        const struct vmap_item *item;
        if (!kv_get_string(call, call->args[i], &item))
            return false;
        size_t len = (size_t)kv_value_of(call->view, item).len;
        *longest = len > *longest ? len : *longest;
        *total += len;
    }
    return true;
}

void kv_do_bitop(struct kv_call *call) {
    enum bit_operation operation = operation_of(call);
    size_t longest;
    uint64_t total, work_max = call->view->machine->options.work_max;
    if (operation == BIT_OPERATIONS) {
        kv_reply_syntax(call);
        return;
    }
    if (operation == BIT_NOT && call->argc != 3) {
        reply_error(call->reply, "ERR BITOP NOT must be called with a single source key.");
        return;
    }
    if (!measure_sources(call, &longest, &total))
        return;
    if (total > work_max) {
        reply_errorf(call->reply,
                     "ERR BITOP would take too long: the sources have %llu bytes, the limit is "
                     "%llu; use fewer or smaller sources",
                     (unsigned long long)total, (unsigned long long)work_max);
        return;
    }
    struct buf result = {0};
    uint8_t *at = buf_reserve(&result, longest + 1);
    memset(at, 0, longest);
    combine_value(call, at, longest, 2, BIT_OR);
    for (size_t i = 3; i < call->argc; i++)
        combine_value(call, at, longest, i, operation);
    for (size_t i = 0; operation == BIT_NOT && i < longest; i++)
        at[i] = (uint8_t)~at[i];
    kv_view_get(call->view, call->args[1]); /* so that a due one goes as expired */
    if (longest == 0)
        kv_view_delete(call->view, call->args[1]);
    else
        kv_view_put(call->view, call->args[1], bytes_of(at, longest), 0);
    buf_free(&result);
    reply_int(call->reply, (int64_t)longest);
}
