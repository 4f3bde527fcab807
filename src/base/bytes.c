#include "base/bytes.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <xxhash.h>

struct bytes bytes_of(const void *data, size_t len) {
    return (struct bytes){data, len};
}

struct bytes bytes_cstr(const char *text) {
    return (struct bytes){(const uint8_t *)text, strlen(text)};
}

bool bytes_equal(struct bytes a, struct bytes b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

int bytes_compare(struct bytes a, struct bytes b) {
    size_t common = a.len < b.len ? a.len : b.len;
    int order = common ? memcmp(a.data, b.data, common) : 0;
    if (order != 0)
        return order;
    return a.len < b.len ? -1 : a.len > b.len;
}

bool bytes_equal_nocase(struct bytes a, struct bytes b) {
    return a.len == b.len &&
           (a.len == 0 || strncasecmp((const char *)a.data, (const char *)b.data, a.len) == 0);
}

uint64_t bytes_hash(struct bytes range, uint64_t seed) {
    return XXH3_64bits_withSeed(range.data, range.len, seed);
}

/* A buffer of that size is a mapping of its own: what grows to many megabytes is not copied over
 * and over, each time into fresh memory. */
#define MAPPED_BYTES (4u << 20)

void buf_free(struct buf *buf) {
    if (buf->cap >= MAPPED_BYTES)
        cairn_unmap(buf->data, buf->cap);
    else
        cairn_free(buf->data);
    *buf = (struct buf){0};
}

void buf_clear(struct buf *buf) {
    buf->len = 0;
}

static void set_cap(struct buf *buf, size_t cap) {
    if (cap < MAPPED_BYTES) {
        buf->data = cairn_realloc(buf->data, cap);
    } else if (buf->cap >= MAPPED_BYTES) {
        buf->data = cairn_map_grow(buf->data, buf->cap, cap);
    } else {
        uint8_t *data = cairn_map(cap);
        if (buf->len > 0)
            memcpy(data, buf->data, buf->len);
        cairn_free(buf->data);
        buf->data = data;
    }
    buf->cap = cap;
}

uint8_t *buf_reserve(struct buf *buf, size_t more) {
    cairn_assert(buf->len + more >= more);
    if (buf->len + more > buf->cap) {
        size_t cap = buf->cap ? buf->cap : 64;
        while (cap < buf->len + more)
            cap *= 2;
        set_cap(buf, cap);
    }
    return buf->data + buf->len;
}

void buf_consume(struct buf *buf, size_t n) {
    cairn_assert(n <= buf->len);
    if (n != 0 && n != buf->len)
        memmove(buf->data, buf->data + n, buf->len - n);
    buf->len -= n;
}

void buf_advance(struct buf *buf, size_t *at, size_t n) {
    *at += n;
    if (*at < buf->len && *at < buf->len / 2)
        return;
    buf_consume(buf, *at);
    *at = 0;
}

void buf_append(struct buf *buf, const void *data, size_t len) {
    if (len == 0)
        return;
    memcpy(buf_reserve(buf, len), data, len);
    buf->len += len;
}

void buf_bytes(struct buf *buf, struct bytes range) {
    buf_append(buf, range.data, range.len);
}

void buf_u8(struct buf *buf, uint8_t value) {
    *buf_reserve(buf, 1) = value;
    buf->len += 1;
}

void buf_u16(struct buf *buf, uint16_t value) {
    put_u16(buf_reserve(buf, 2), value);
    buf->len += 2;
}

void buf_u32(struct buf *buf, uint32_t value) {
    put_u32(buf_reserve(buf, 4), value);
    buf->len += 4;
}

void buf_u64(struct buf *buf, uint64_t value) {
    put_u64(buf_reserve(buf, 8), value);
    buf->len += 8;
}

void buf_block(struct buf *buf, struct bytes range) {
    cairn_assert(range.len <= UINT32_MAX);
    buf_u32(buf, (uint32_t)range.len);
    buf_bytes(buf, range);
}

void buf_printf(struct buf *buf, const char *format, ...) {
    va_list args;
    va_start(args, format);
    va_list again;
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    cairn_assert(len >= 0);
    vsnprintf((char *)buf_reserve(buf, (size_t)len + 1), (size_t)len + 1, format, again);
    va_end(again);
    buf->len += (size_t)len;
}

struct bytes buf_view(const struct buf *buf) {
    return (struct bytes){buf->data, buf->len};
}

/* The machine is little-endian (checked in meson.build), so plain copies will do. */
void put_u16(uint8_t *at, uint16_t value) {
    memcpy(at, &value, sizeof value);
}

void put_u32(uint8_t *at, uint32_t value) {
    memcpy(at, &value, sizeof value);
}

void put_u64(uint8_t *at, uint64_t value) {
    memcpy(at, &value, sizeof value);
}

uint16_t get_u16(const uint8_t *at) {
    uint16_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

uint32_t get_u32(const uint8_t *at) {
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

uint64_t get_u64(const uint8_t *at) {
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

void put_u16_be(uint8_t *at, uint16_t value) {
    put_u16(at, __builtin_bswap16(value));
}

void put_u64_be(uint8_t *at, uint64_t value) {
    put_u64(at, __builtin_bswap64(value));
}

uint16_t get_u16_be(const uint8_t *at) {
    return __builtin_bswap16(get_u16(at));
}

uint64_t get_u64_be(const uint8_t *at) {
    return __builtin_bswap64(get_u64(at));
}

struct reader reader_of(struct bytes range) {
    const uint8_t *end = range.len == 0 ? range.data : range.data + range.len; /* NULL + 0 */
    return (struct reader){range.data, end, false};
}

size_t reader_left(const struct reader *reader) {
    return (size_t)(reader->end - reader->at);
}

static const uint8_t *take(struct reader *reader, size_t n) {
    if (reader->bad || reader_left(reader) < n) {
        reader->bad = true;
        return NULL;
    }
    const uint8_t *at = reader->at;
    reader->at += n;
    return at;
}

uint8_t read_u8(struct reader *reader) {
    const uint8_t *at = take(reader, 1);
    return at ? *at : 0;
}

uint16_t read_u16(struct reader *reader) {
    const uint8_t *at = take(reader, 2);
    return at ? get_u16(at) : 0;
}

uint32_t read_u32(struct reader *reader) {
    const uint8_t *at = take(reader, 4);
    return at ? get_u32(at) : 0;
}

uint64_t read_u64(struct reader *reader) {
    const uint8_t *at = take(reader, 8);
    return at ? get_u64(at) : 0;
}

struct bytes read_bytes(struct reader *reader, size_t n) {
    const uint8_t *at = take(reader, n);
    return at ? bytes_of(at, n) : bytes_of(NULL, 0);
}

struct bytes read_block(struct reader *reader, size_t max) {
    size_t len = read_u32(reader);
    if (len > max)
        reader->bad = true;
    return read_bytes(reader, len);
}

bool reader_done(const struct reader *reader) {
    return !reader->bad && reader->at == reader->end;
}

struct blob *blob_new(size_t len) {
    cairn_assert(len <= UINT32_MAX);
    struct blob *blob = cairn_alloc(sizeof *blob + len);
    blob->refs = 1;
    blob->len = (uint32_t)len;
    return blob;
}

struct blob *blob_from(struct bytes range) {
    struct blob *blob = blob_new(range.len);
    if (range.len)
        memcpy(blob->data, range.data, range.len);
    return blob;
}

struct blob *blob_ref(struct blob *blob) {
    cairn_assert(blob->refs > 0 && blob->refs < UINT32_MAX);
    blob->refs++;
    return blob;
}

void blob_unref(struct blob *blob) {
    if (blob == NULL)
        return;
    cairn_assert(blob->refs > 0);
    if (--blob->refs == 0)
        cairn_free(blob);
}

struct bytes blob_view(const struct blob *blob) {
    return bytes_of(blob->data, blob->len);
}
