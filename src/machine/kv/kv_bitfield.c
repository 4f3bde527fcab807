#include "machine/kv/kv_internal.h"

#include "base/alloc.h"

#include <string.h>

enum field_kind { FIELD_GET, FIELD_SET, FIELD_INCRBY };
enum field_overflow { OVERFLOW_WRAP, OVERFLOW_SAT, OVERFLOW_FAIL };

struct field {
    enum field_kind kind;
    enum field_overflow overflow;
    bool is_signed;
    unsigned bits;
    int64_t offset;
    int64_t operand;
};

static bool take_type(struct kv_call *call, size_t arg, struct field *field) {
    struct bytes text = call->args[arg];
    int64_t bits = 0;
    field->is_signed = text.len > 0 && text.data[0] == 'i';
    if (text.len > 1 && (field->is_signed || text.data[0] == 'u') &&
        kv_parse_int(bytes_of(text.data + 1, text.len - 1), &bits) && bits >= 1 &&
        bits <= (field->is_signed ? 64 : 63)) {
        field->bits = (unsigned)bits;
        return true;
    }
    reply_error(call->reply, "ERR Invalid bitfield type. Use something like i16 u8. Note that u64 "
                             "is not supported but i64 is.");
    return false;
}

static bool take_offset(struct kv_call *call, size_t arg, struct field *field) {
    struct bytes text = call->args[arg];
    bool in_fields = text.len > 0 && text.data[0] == '#';
    if (in_fields)
        text = bytes_of(text.data + 1, text.len - 1);
    return kv_bit_offset(call, text, in_fields ? field->bits : 1, &field->offset);
}

static bool take_overflow(struct kv_call *call, size_t arg, enum field_overflow *overflow) {
    static const char *const names[] = {"WRAP", "SAT", "FAIL"};
    for (size_t i = 0; i < 3; i++) {
        if (kv_arg_is(call, arg, names[i])) {
            *overflow = (enum field_overflow)i;
            return true;
        }
    }
    reply_error(call->reply, "ERR Invalid OVERFLOW type specified");
    return false;
}

/* The operation that starts at *arg; moves *arg to its last argument. */
static bool take_field(struct kv_call *call, size_t *arg, struct field *field) {
    size_t left = call->argc - *arg - 1;
    if (kv_arg_is(call, *arg, "GET") && left >= 2)
        field->kind = FIELD_GET;
    else if (kv_arg_is(call, *arg, "SET") && left >= 3)
        field->kind = FIELD_SET;
    else if (kv_arg_is(call, *arg, "INCRBY") && left >= 3)
        field->kind = FIELD_INCRBY;
    else {
        kv_reply_syntax(call);
        return false;
    }
    if (!take_type(call, *arg + 1, field) || !take_offset(call, *arg + 2, field))
        return false;
    *arg += 2;
    return field->kind == FIELD_GET || kv_arg_int(call, ++*arg, &field->operand);
}

static uint64_t read_field(const uint8_t *data, size_t len, const struct field *field) {
    uint64_t value = 0;
    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = (uint64_t)field->offset + i;
        unsigned bit = at / 8 < len ? data[at / 8] >> (7 - at % 8) & 1 : 0;
        value = value << 1 | bit;
    }
    return value;
}

static void write_field(uint8_t *data, const struct field *field, uint64_t value) {
    for (unsigned i = 0; i < field->bits; i++) {
        uint64_t at = (uint64_t)field->offset + i;
        uint8_t mask = (uint8_t)(0x80 >> at % 8);
        bool bit = value >> (field->bits - 1 - i) & 1;
        data[at / 8] = (uint8_t)(bit ? data[at / 8] | mask : data[at / 8] & ~mask);
    }
}

/* The bits as the number that they stand for. */
static int64_t number_of(uint64_t raw, const struct field *field) {
    if (field->is_signed && field->bits < 64 && raw >> (field->bits - 1))
        raw |= UINT64_MAX << field->bits;
    return (int64_t)raw;
}

/* False: overflow, and the operation is to fail. */
static bool new_value(const struct field *field, int64_t old, int64_t *value) {
    __int128 one = 1;
    __int128 max = (one << (field->bits - field->is_signed)) - 1;
    __int128 min = field->is_signed ? -max - 1 : 0;
    /* A negative operand of SET on an unsigned field counts as a huge one. */
    __int128 operand = field->kind == FIELD_SET && !field->is_signed
                           ? (__int128)(uint64_t)field->operand
                           : (__int128)field->operand;
    __int128 result = field->kind == FIELD_SET ? operand : old + operand;
    if (result > max || result < min) {
        if (field->overflow == OVERFLOW_FAIL)
            return false;
        if (field->overflow == OVERFLOW_SAT)
            result = result > max ? max : min;
        else
            result = number_of((uint64_t)result & (UINT64_MAX >> (64 - field->bits)), field);
    }
    *value = (int64_t)result;
    return true;
}

/* Carries out one operation on bytes that hold its field; true when they have changed. */
static bool run_field(struct kv_call *call, const struct field *field, uint8_t *data, size_t len) {
    int64_t old = number_of(read_field(data, len, field), field), value;
    work_charge(call->view->work, WORK_LOOKUP);
    if (field->kind == FIELD_GET) {
        reply_int(call->reply, old);
        return false;
    }
    if (!new_value(field, old, &value)) {
        reply_nil(call->reply);
        return false;
    }
    write_field(data, field, (uint64_t)value);
    reply_int(call->reply, field->kind == FIELD_SET ? old : value);
    return true;
}

static void run_whole(struct kv_call *call, const struct vmap_item *item,
                      const struct field *fields, size_t count, uint64_t grown) {
    struct bytes value = kv_value_of(call->view, item).whole;
    size_t len = grown > value.len ? (size_t)grown : value.len;
    uint8_t *data = (uint8_t *)(size_t)value.data; /* written only when grown != 0 */
    if (grown != 0) {
        data = kv_view_make(call->view, call->args[0], len, item ? kv_item_deadline(item) : 0);
        if (value.len)
            memcpy(data, value.data, value.len);
        memset(data + value.len, 0, len - value.len);
    }
    for (size_t i = 0; i < count && !kv_view_over(call->view); i++)
        run_field(call, &fields[i], data, len);
    if (grown != 0)
        kv_view_seal(call->view);
}

#define FIELD_BYTES 9 /* that 64 bits at any offset may lie in */

/* A stretch of a long value on which operations work: a chunk, and what a field at its end needs.
 * It is written back when another one is looked at, so that many operations on one chunk write it
 * once. */
struct window {
    uint64_t base;
    size_t len;                     /* 0: none */
    size_t dirty_from, dirty_until; /* equal: clean */
    uint8_t bytes[KV_CHUNK + FIELD_BYTES];
};

static void window_close(struct kv_call *call, struct window *window, uint64_t len) {
    if (window->dirty_from == window->dirty_until)
        return;
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    struct bytes patch =
        bytes_of(window->bytes + window->dirty_from, window->dirty_until - window->dirty_from);
    kv_value_patch(call->view, call->args[0], item, len, window->base + window->dirty_from, patch);
    window->dirty_from = window->dirty_until = 0;
}

static void window_open(struct kv_call *call, struct window *window, uint64_t base, uint64_t len) {
    if (window->len > 0 && window->base == base)
        return;
    window_close(call, window, len);
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    struct kv_value value = kv_value_of(call->view, item);
    uint64_t left = base < value.len ? value.len - base : 0;
    window->base = base;
    window->len = sizeof window->bytes;
    memset(window->bytes, 0, sizeof window->bytes);
    size_t have = left < sizeof window->bytes ? (size_t)left : sizeof window->bytes;
    if (have > 0)
        kv_value_read(call->view, &value, base, have, window->bytes);
}

static void window_touch(struct window *window, size_t from, size_t until) {
    if (window->dirty_from == window->dirty_until) {
        window->dirty_from = from;
        window->dirty_until = until;
        return;
    }
    window->dirty_from = from < window->dirty_from ? from : window->dirty_from;
    window->dirty_until = until > window->dirty_until ? until : window->dirty_until;
}

/* A long value: only what the operations touch is read and written. */
static void run_chunked(struct kv_call *call, const struct vmap_item *item,
                        const struct field *fields, size_t count, uint64_t grown) {
    struct window window = {0};
    uint64_t len = kv_value_of(call->view, item).len;
    if (grown != 0) { /* the value grows even when every operation fails */
        len = grown > len ? grown : len;
        kv_value_patch(call->view, call->args[0], item, len, 0, bytes_of(NULL, 0));
    }
    for (size_t i = 0; i < count && !kv_view_over(call->view); i++) {
        struct field field = fields[i];
        uint64_t first = (uint64_t)field.offset / 8;
        window_open(call, &window, first - first % KV_CHUNK, len);
        size_t at = (size_t)(first - window.base);
        size_t want = ((size_t)(field.offset % 8) + field.bits + 7) / 8;
        field.offset -= (int64_t)window.base * 8;
        if (run_field(call, &field, window.bytes, sizeof window.bytes))
            window_touch(&window, at, at + want);
    }
    window_close(call, &window, len);
}

/* Carries out parsed operations; grown: the bytes that the value must have for the writes, 0 when
 * all are reads. */
static void run_fields(struct kv_call *call, const struct field *fields, size_t count,
                       uint64_t grown) {
    const struct vmap_item *item;
    if (!kv_get_string(call, call->args[0], &item) || !kv_fits(call, grown))
        return;
    bool chunked = (item != NULL && kv_item_type(item) == KV_CHUNKED) ||
                   (call->view->chunked && grown > KV_WHOLE_MAX);
    reply_array(call->reply, (uint32_t)count);
    if (chunked)
        run_chunked(call, item, fields, count, grown);
    else
        run_whole(call, item, fields, count, grown);
}

/* BITFIELD, BITFIELD_RO */
void kv_do_bitfield(struct kv_call *call) {
    struct field *fields = cairn_alloc((call->argc + 1) * sizeof *fields);
    enum field_overflow overflow = OVERFLOW_WRAP;
    size_t count = 0;
    uint64_t grown = 0;
    bool fine = true;
    for (size_t arg = 1; fine && arg < call->argc; arg++) {
        struct field *field = &fields[count];
        if (kv_arg_is(call, arg, "OVERFLOW") && arg + 1 < call->argc) {
            fine = take_overflow(call, ++arg, &overflow);
            continue;
        }
        fine = take_field(call, &arg, field);
        if (!fine)
            break;
        field->overflow = overflow;
        count++;
        uint64_t end = ((uint64_t)field->offset + field->bits + 7) / 8;
        if (field->kind != FIELD_GET && end > grown)
            grown = end;
    }
    if (fine && grown != 0 && call->command->opcode == KV_BITFIELD_RO)
        reply_error(call->reply, "ERR BITFIELD_RO only supports the GET subcommand");
    else if (fine)
        run_fields(call, fields, count, grown);
    cairn_free(fields);
}
