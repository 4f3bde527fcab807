/* Borrowed byte ranges, a growable buffer, a bounded reader and reference-counted blobs: the four
 * shapes in which bytes travel.
 *
 * All integers are little-endian. A reader never reads past its end: the first short read makes it
 * bad, and it stays bad and yields zeros, so that a decoder checks once at its end.
 */
#ifndef CAIRN_BASE_BYTES_H
#define CAIRN_BASE_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- a borrowed range ---- */
struct bytes {
    const uint8_t *data;
    size_t len;
};

struct bytes bytes_of(const void *data, size_t len);
struct bytes bytes_cstr(const char *text);
/* A string literal. */
#define BYTES(literal) ((struct bytes){(const uint8_t *)(literal), sizeof(literal) - 1})
bool bytes_equal(struct bytes a, struct bytes b);
/* Lexicographic; a proper prefix sorts first. <0, 0, >0. */
int bytes_compare(struct bytes a, struct bytes b);
/* ASCII case folded. */
bool bytes_equal_nocase(struct bytes a, struct bytes b);
/* XXH3 over the range. */
uint64_t bytes_hash(struct bytes range, uint64_t seed);

/* ---- a growable buffer, owned ---- */
struct buf {
    uint8_t *data;
    size_t len;
    size_t cap;
};

void buf_free(struct buf *buf);
void buf_clear(struct buf *buf);
/* Makes room for `more` bytes behind len and returns where they start. */
uint8_t *buf_reserve(struct buf *buf, size_t more);
/* Drops the first n bytes. */
void buf_consume(struct buf *buf, size_t n);
/* The same for a reader that stands at *at: it moves on by n, and what it has passed is dropped
 * only once that is most of the buffer, so that however long the rest is, a step costs its own
 * length. */
void buf_advance(struct buf *buf, size_t *at, size_t n);
void buf_append(struct buf *buf, const void *data, size_t len);
void buf_bytes(struct buf *buf, struct bytes range);
void buf_u8(struct buf *buf, uint8_t value);
void buf_u16(struct buf *buf, uint16_t value);
void buf_u32(struct buf *buf, uint32_t value);
void buf_u64(struct buf *buf, uint64_t value);
/* u32 length, then the bytes. */
void buf_block(struct buf *buf, struct bytes range);
void buf_printf(struct buf *buf, const char *format, ...) __attribute__((format(printf, 2, 3)));
struct bytes buf_view(const struct buf *buf);

/* In-place little-endian access. */
void put_u16(uint8_t *at, uint16_t value);
void put_u32(uint8_t *at, uint32_t value);
void put_u64(uint8_t *at, uint64_t value);
uint16_t get_u16(const uint8_t *at);
uint32_t get_u32(const uint8_t *at);
uint64_t get_u64(const uint8_t *at);
/* Big-endian, for keys whose byte order must be their numeric order. */
void put_u16_be(uint8_t *at, uint16_t value);
void put_u64_be(uint8_t *at, uint64_t value);
uint16_t get_u16_be(const uint8_t *at);
uint64_t get_u64_be(const uint8_t *at);

/* ---- a bounded reader ---- */
struct reader {
    const uint8_t *at;
    const uint8_t *end;
    bool bad;
};

struct reader reader_of(struct bytes range);
size_t reader_left(const struct reader *reader);
uint8_t read_u8(struct reader *reader);
uint16_t read_u16(struct reader *reader);
uint32_t read_u32(struct reader *reader);
uint64_t read_u64(struct reader *reader);
/* n bytes, borrowed from the input; empty when bad. */
struct bytes read_bytes(struct reader *reader, size_t n);
/* u32 length, then the bytes; a length beyond the input or beyond max makes the reader bad. */
struct bytes read_block(struct reader *reader, size_t max);
/* True when nothing went wrong and nothing is left. */
bool reader_done(const struct reader *reader);

/* ---- a reference-counted immutable blob ----
 * Belongs to one reactor: the count is not atomic. Another thread may read the bytes while the
 * owner holds a reference for it. */
struct blob {
    uint32_t refs;
    uint32_t len;
    uint8_t data[];
};

/* One reference, contents uninitialised; len is at most UINT32_MAX. */
struct blob *blob_new(size_t len);
struct blob *blob_from(struct bytes range);
struct blob *blob_ref(struct blob *blob);
/* NULL is allowed. */
void blob_unref(struct blob *blob);
struct bytes blob_view(const struct blob *blob);

#endif
