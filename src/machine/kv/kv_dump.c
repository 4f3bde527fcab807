#include "machine/kv/kv_internal.h"

#include "base/alloc.h"
#include "base/crc64.h"

#include <string.h>

/* DUMP and RESTORE exchange strings with Redis: RDB type byte and string encoding, then u16 version
 * and CRC-64 over all before it. */

#define RDB_VERSION 10
#define RDB_TYPE_STRING 0
#define FOOTER 10

#define CRC_STEP 16384u /* bytes between two looks at the budget */

static uint64_t sum_of(struct kv_view *view, struct bytes range) {
    struct crc64 crc;
    crc64_begin(&crc, range.len);
    for (size_t at = 0; at < range.len && !view->over; at += CRC_STEP) {
        size_t len = range.len - at < CRC_STEP ? range.len - at : CRC_STEP;
        crc64_add(&crc, range.data + at, len);
        work_charge(view->work, len);
    }
    return crc64_end(&crc);
}

static void put_be(struct buf *out, uint64_t value, int bytes) {
    for (int shift = 8 * (bytes - 1); shift >= 0; shift -= 8)
        buf_u8(out, (uint8_t)(value >> shift));
}

static void put_length(struct buf *out, uint64_t len) {
    if (len < 1 << 6) {
        buf_u8(out, (uint8_t)len);
    } else if (len < 1 << 14) {
        put_be(out, 0x4000 | len, 2);
    } else {
        buf_u8(out, 0x80);
        put_be(out, len, 4);
    }
}

/* Numbers of at most 32 bits are stored as such, as Redis stores them. */
static void put_string(struct kv_view *view, struct buf *out, const struct kv_value *value) {
    int64_t number;
    if (!kv_parse_int(value->whole, &number) || number != (int32_t)number) {
        put_length(out, value->len);
        kv_value_read(view, value, 0, (size_t)value->len, buf_reserve(out, (size_t)value->len));
        out->len += (size_t)value->len;
    } else if (number == (int8_t)number) {
        buf_u8(out, 0xc0);
        buf_u8(out, (uint8_t)number);
    } else if (number == (int16_t)number) {
        buf_u8(out, 0xc1);
        buf_u16(out, (uint16_t)number);
    } else {
        buf_u8(out, 0xc2);
        buf_u32(out, (uint32_t)number);
    }
}

void kv_do_dump(struct kv_call *call) {
    const struct vmap_item *item = kv_view_get(call->view, call->args[0]);
    if (item == NULL) {
        reply_nil(call->reply);
        return;
    }
    struct buf *out = call->reply;
    struct kv_value value = kv_value_of(call->view, item);
    size_t head = out->len;
    reply_bulk_head(out, 0);
    size_t from = out->len;
    buf_u8(out, RDB_TYPE_STRING);
    put_string(call->view, out, &value);
    buf_u16(out, RDB_VERSION);
    buf_u64(out, sum_of(call->view, bytes_of(out->data + from, out->len - from)));
    reply_patch_count(out, head, (uint32_t)(out->len - from));
}

static uint64_t read_be(struct reader *reader, int bytes) {
    uint64_t value = 0;
    for (int i = 0; i < bytes; i++)
        value = value << 8 | read_u8(reader);
    return value;
}

/* A length; *special: the low six bits name an encoding instead. */
static uint64_t read_length(struct reader *reader, bool *special) {
    uint8_t first = read_u8(reader);
    *special = first >> 6 == 3;
    if (first >> 6 == 1)
        return (uint64_t)(first & 0x3f) << 8 | read_u8(reader);
    if (first == 0x80)
        return read_be(reader, 4);
    if (first == 0x81)
        return read_be(reader, 8);
    if (first >> 6 == 2)
        reader->bad = true;
    return first & 0x3f;
}

/* LZF: a control byte below 32 starts a literal run of that many bytes plus one; else its upper
 * three bits are a length (7: another byte is added) less two, and 13 bits a distance back, less
 * one. */
static bool lzf_expand(struct kv_view *view, struct bytes packed, uint8_t *out, size_t len) {
    struct reader reader = reader_of(packed);
    size_t at = 0;
    while (reader_left(&reader) > 0 && !reader.bad) {
        uint8_t control = read_u8(&reader);
        work_charge(view->work, 40);
        if (control < 32) {
            struct bytes run = read_bytes(&reader, control + 1u);
            if (reader.bad || run.len > len - at)
                return false;
            memcpy(out + at, run.data, run.len);
            at += run.len;
            continue;
        }
        size_t count = control >> 5;
        count = (count == 7 ? count + read_u8(&reader) : count) + 2;
        size_t back = ((size_t)(control & 0x1f) << 8 | read_u8(&reader)) + 1;
        if (reader.bad || back > at || count > len - at)
            return false;
        for (; count > 0; count--, at++) /* the two may overlap */
            out[at] = out[at - back];
    }
    return !reader.bad && at == len;
}

/* Decodes what does not stand there as it is into `room`. */
static bool read_special(struct kv_view *view, struct reader *reader, uint64_t encoding, size_t max,
                         struct buf *room) {
    bool special, plain;
    char text[24];
    switch (encoding) {
    case 0:
        buf_bytes(room, kv_int_text((int8_t)read_u8(reader), text));
        return !reader->bad;
    case 1:
        buf_bytes(room, kv_int_text((int16_t)read_u16(reader), text));
        return !reader->bad;
    case 2:
        buf_bytes(room, kv_int_text((int32_t)read_u32(reader), text));
        return !reader->bad;
    case 3: {
        uint64_t packed_len = read_length(reader, &special);
        uint64_t full_len = read_length(reader, &plain);
        struct bytes packed = read_bytes(reader, packed_len);
        /* No LZF input grows by more than this: a lying length allocates nothing. */
        if (reader->bad || special || plain || full_len > max || full_len / 264 > packed_len)
            return false;
        if (!lzf_expand(view, packed, buf_reserve(room, full_len), full_len))
            return false;
        room->len = (size_t)full_len;
        return true;
    }
    default:
        return false;
    }
}

/* A string, borrowed from the input or from `room`; false when it is not one, or longer than max.
 */
static bool read_string(struct kv_view *view, struct reader *reader, size_t max, struct buf *room,
                        struct bytes *value) {
    bool special;
    uint64_t len = read_length(reader, &special);
    if (special) {
        bool right = read_special(view, reader, len, max, room);
        *value = buf_view(room);
        return right;
    }
    if (len > max)
        return false;
    *value = read_bytes(reader, len);
    return !reader->bad;
}

struct restore {
    bool replace, absolute;
};

static bool take_options(struct kv_call *call, struct restore *restore) {
    bool idle = false, frequency = false;
    for (size_t i = 3; i < call->argc; i++) {
        int64_t number;
        bool more = i + 1 < call->argc;
        if (kv_arg_is(call, i, "REPLACE")) {
            restore->replace = true;
        } else if (kv_arg_is(call, i, "ABSTTL")) {
            restore->absolute = true;
        } else if (kv_arg_is(call, i, "IDLETIME") && more && !frequency) {
            if (!kv_arg_int(call, ++i, &number))
                return false;
            if (number < 0) {
                reply_error(call->reply, "ERR Invalid IDLETIME value, must be >= 0");
                return false;
            }
            idle = true;
        } else if (kv_arg_is(call, i, "FREQ") && more && !idle) {
            if (!kv_arg_int(call, ++i, &number))
                return false;
            if (number < 0 || number > 255) {
                reply_error(call->reply, "ERR Invalid FREQ value, must be >= 0 and <= 255");
                return false;
            }
            frequency = true;
        } else {
            kv_reply_syntax(call);
            return false;
        }
    }
    return true;
}

static bool footer_is_sound(struct kv_view *view, struct bytes payload) {
    if (payload.len < FOOTER)
        return false;
    const uint8_t *footer = payload.data + payload.len - FOOTER;
    return get_u16(footer) <= RDB_VERSION &&
           get_u64(footer + 2) == sum_of(view, bytes_of(payload.data, payload.len - 8));
}

/* room: for a value that does not lie in the payload as it is. */
static bool take_payload(struct kv_call *call, struct buf *room, struct bytes *value) {
    struct bytes payload = call->args[2];
    if (!footer_is_sound(call->view, payload)) {
        reply_error(call->reply, "ERR DUMP payload version or checksum are wrong");
        return false;
    }
    struct reader reader = reader_of(bytes_of(payload.data, payload.len - FOOTER));
    size_t max = call->view->machine->options.value_bytes_max;
    if (read_u8(&reader) == RDB_TYPE_STRING && read_string(call->view, &reader, max, room, value))
        return true;
    reply_error(call->reply, "ERR Bad data format");
    return false;
}

/* RESTORE key ttl payload [REPLACE] [ABSTTL] [IDLETIME seconds] [FREQ frequency] */
void kv_do_restore(struct kv_call *call) {
    struct restore restore = {0};
    int64_t deadline_ms;
    if (!take_options(call, &restore))
        return;
    if (kv_view_get(call->view, call->args[0]) != NULL && !restore.replace) {
        reply_error(call->reply, "BUSYKEY Target key name already exists.");
        return;
    }
    if (!kv_arg_int(call, 1, &deadline_ms))
        return;
    if (deadline_ms < 0 ||
        (deadline_ms > 0 && !restore.absolute &&
         __builtin_add_overflow(deadline_ms, (int64_t)call->view->time_ms, &deadline_ms))) {
        reply_error(call->reply, "ERR Invalid TTL value, must be >= 0");
        return;
    }
    struct buf room = {0};
    struct bytes value;
    if (take_payload(call, &room, &value)) {
        kv_view_put(call->view, call->args[0], value, (uint64_t)deadline_ms);
        reply_ok(call->reply);
    }
    buf_free(&room);
}
