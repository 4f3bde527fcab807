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

static unsigned bit_at(struct bytes value, uint64_t offset) {
    if (offset / 8 >= value.len)
        return 0;
    return value.data[offset / 8] >> (7 - offset % 8) & 1;
}

void kv_do_getbit(struct kv_call *call) {
    int64_t offset;
    const struct vmap_item *item;
    if (!kv_bit_offset(call, call->args[1], 1, &offset) ||
        !kv_get_string(call, call->args[0], &item))
        return;
    reply_int(call->reply, item ? (int64_t)bit_at(kv_item_value(item), (uint64_t)offset) : 0);
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
    struct bytes before = old ? kv_item_value(old) : BYTES("");
    unsigned was = bit_at(before, (uint64_t)offset);
    size_t byte = (size_t)offset / 8, len = byte + 1 > before.len ? byte + 1 : before.len;
    uint8_t *at = kv_view_make(call->view, call->args[0], len, old ? kv_item_deadline(old) : 0);
    memcpy(at, before.data, before.len);
    memset(at + before.len, 0, len - before.len);
    uint8_t mask = (uint8_t)(0x80 >> offset % 8);
    at[byte] = (uint8_t)(bit ? at[byte] | mask : at[byte] & ~mask);
    kv_view_seal(call->view);
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

/* A byte of the value with the bits outside the range replaced by `outside` (0 or 0xff). */
static uint8_t byte_within(struct bytes value, int64_t byte, struct range range, uint8_t outside) {
    uint8_t mask = 0xff;
    if (byte == range.first / 8)
        mask = (uint8_t)(mask & 0xff >> range.first % 8);
    if (byte == range.last / 8)
        mask = (uint8_t)(mask & 0xff << (7 - range.last % 8));
    return (uint8_t)((value.data[byte] & mask) | (outside & ~mask));
}

static int64_t count_bits(struct bytes value, struct range range) {
    int64_t count = 0, byte = range.first / 8, last = range.last / 8;
    count += __builtin_popcount(byte_within(value, byte, range, 0));
    if (byte == last)
        return count;
    for (byte++; byte + 8 <= last; byte += 8)
        count += __builtin_popcountll(get_u64(value.data + byte));
    for (; byte < last; byte++)
        count += __builtin_popcount(value.data[byte]);
    return count + __builtin_popcount(byte_within(value, last, range, 0));
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
    struct bytes value = kv_item_value(item);
    bool any = !backwards && resolve(start, end, in_bits, value.len, &range);
    reply_int(call->reply, any ? count_bits(value, range) : 0);
}

/* The first bit equal to `bit` in the range, -1 when there is none. */
static int64_t find_bit(struct bytes value, struct range range, bool bit) {
    uint8_t other = bit ? 0 : 0xff;
    for (int64_t byte = range.first / 8; byte <= range.last / 8; byte++) {
        if (byte != range.first / 8 && byte + 8 <= range.last / 8 &&
            get_u64(value.data + byte) == (bit ? 0 : UINT64_MAX)) {
            byte += 7;
            continue;
        }
        uint8_t found = byte_within(value, byte, range, other) ^ other;
        if (found != 0)
            return byte * 8 + __builtin_clz(found) - 24;
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
    struct bytes value = kv_item_value(item);
    if (!resolve(start, end, in_bits, value.len, &range)) {
        reply_int(call->reply, -1);
        return;
    }
    int64_t at = find_bit(value, range, bit);
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

static void combine(uint8_t *into, size_t len, struct bytes source, enum bit_operation operation) {
    for (size_t i = 0; i < source.len; i++) {
        if (operation == BIT_AND)
            into[i] &= source.data[i];
        else if (operation == BIT_OR)
            into[i] |= source.data[i];
        else
            into[i] ^= source.data[i];
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
        size_t len = item ? kv_item_value(item).len : 0;
        *longest = len > *longest ? len : *longest;
        *total += len;
    }
    return true;
}

static struct bytes source_at(struct kv_call *call, size_t arg) {
    const struct vmap_item *item = kv_view_get(call->view, call->args[arg]);
    return item ? kv_item_value(item) : BYTES("");
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
    struct bytes first = source_at(call, 2);
    memset(at, 0, longest);
    if (first.len)
        memcpy(at, first.data, first.len);
    for (size_t i = 3; i < call->argc; i++)
        combine(at, longest, source_at(call, i), operation);
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
