#include "core/reply.h"

#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static void text_value(struct buf *out, enum reply_kind kind, struct bytes text) {
    buf_u8(out, (uint8_t)kind);
    buf_block(out, text);
}

static void count_value(struct buf *out, enum reply_kind kind, uint32_t count) {
    buf_u8(out, (uint8_t)kind);
    buf_u32(out, count);
}

void reply_nil(struct buf *out) {
    buf_u8(out, REPLY_NIL);
}

void reply_nil_array(struct buf *out) {
    buf_u8(out, REPLY_NIL_ARRAY);
}

void reply_status(struct buf *out, const char *text) {
    text_value(out, REPLY_STATUS, bytes_cstr(text));
}

void reply_ok(struct buf *out) {
    text_value(out, REPLY_STATUS, BYTES("OK"));
}

void reply_error(struct buf *out, const char *text) {
    text_value(out, REPLY_ERROR, bytes_cstr(text));
}

void reply_errorf(struct buf *out, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    reply_error(out, text);
}

void reply_int(struct buf *out, int64_t value) {
    buf_u8(out, REPLY_INT);
    buf_u64(out, (uint64_t)value);
}

void reply_bulk(struct buf *out, struct bytes value) {
    text_value(out, REPLY_BULK, value);
}

void reply_bulk_head(struct buf *out, uint32_t len) {
    buf_u8(out, REPLY_BULK);
    buf_u32(out, len);
}

void reply_double(struct buf *out, double value) {
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    buf_u8(out, REPLY_DOUBLE);
    buf_u64(out, bits);
}

void reply_bool(struct buf *out, bool value) {
    buf_u8(out, REPLY_BOOL);
    buf_u8(out, value);
}

void reply_array(struct buf *out, uint32_t count) {
    count_value(out, REPLY_ARRAY, count);
}

void reply_set(struct buf *out, uint32_t count) {
    count_value(out, REPLY_SET, count);
}

void reply_map(struct buf *out, uint32_t pairs) {
    count_value(out, REPLY_MAP, pairs);
}

void reply_patch_count(struct buf *out, size_t head_at, uint32_t count) {
    cairn_assert(head_at + 5 <= out->len);
    put_u32(out->data + head_at + 1, count);
}

bool reply_next(struct reader *reader, struct reply_value *value) {
    *value = (struct reply_value){.kind = (enum reply_kind)read_u8(reader)};
    switch (value->kind) {
    case REPLY_NIL:
    case REPLY_NIL_ARRAY:
        break;
    case REPLY_STATUS:
    case REPLY_ERROR:
    case REPLY_BULK:
        value->text = read_block(reader, UINT32_MAX);
        break;
    case REPLY_INT:
        value->integer = (int64_t)read_u64(reader);
        break;
    case REPLY_DOUBLE: {
        uint64_t bits = read_u64(reader);
        memcpy(&value->number, &bits, sizeof bits);
        break;
    }
    case REPLY_BOOL:
        value->integer = read_u8(reader) != 0;
        break;
    case REPLY_ARRAY:
    case REPLY_SET:
    case REPLY_MAP:
        value->count = read_u32(reader);
        if (value->count > reader_left(reader)) /* every element takes at least a byte */
            reader->bad = true;
        break;
    default:
        reader->bad = true;
    }
    return !reader->bad;
}
