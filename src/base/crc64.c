#include "base/crc64.h"

#include "base/alloc.h"

#define TABLES 8u
#define LONG_BYTES 1024u /* from here on the tables pay */

/* Four bits at a time: 128 bytes of constants, written out by hand from the polynomial. */
static uint64_t add_byte(uint64_t crc, uint8_t byte) {
    static const uint64_t nibble[16] = {
        0x0000000000000000ull, 0x7d08ff3b88be6f81ull, 0xfa11fe77117cdf02ull, 0x8719014c99c2b083ull,
        0xdf7adabd7a6e2d6full, 0xa2722586f2d042eeull, 0x256b24ca6b12f26dull, 0x5863dbf1e3ac9decull,
        0x95ac9329ac4bc9b5ull, 0xe8a46c1224f5a634ull, 0x6fbd6d5ebd3716b7ull, 0x12b5926535897936ull,
        0x4ad64994d625e4daull, 0x37deb6af5e9b8b5bull, 0xb0c7b7e3c7593bd8ull, 0xcdcf48d84fe75459ull};
    crc = nibble[(crc ^ byte) & 15] ^ (crc >> 4);
    return nibble[(crc ^ (byte >> 4)) & 15] ^ (crc >> 4);
}

/* tables[k][b]: what the byte b adds to the sum when k more bytes follow it. */
static void make_tables(uint64_t (*tables)[256]) {
    for (unsigned byte = 0; byte < 256; byte++) {
        tables[0][byte] = add_byte(0, (uint8_t)byte);
        for (unsigned k = 1; k < TABLES; k++)
            tables[k][byte] = add_byte(tables[k - 1][byte], 0);
    }
}

static uint64_t add_eight(const uint64_t (*tables)[256], uint64_t crc, const uint8_t *data) {
    uint64_t sum = 0;
    for (unsigned i = 0; i < TABLES; i++)
        sum ^= tables[TABLES - 1 - i][(uint8_t)(crc >> 8 * i) ^ data[i]];
    return sum;
}

void crc64_begin(struct crc64 *crc, size_t len) {
    *crc = (struct crc64){0};
    if (len >= LONG_BYTES) {
        crc->tables = cairn_alloc(TABLES * sizeof *crc->tables);
        make_tables(crc->tables);
    }
}

void crc64_add(struct crc64 *crc, const uint8_t *data, size_t len) {
    const uint64_t(*tables)[256] = (const uint64_t(*)[256])crc->tables;
    size_t at = 0;
    if (tables != NULL)
        for (; len - at >= TABLES; at += TABLES)
            crc->crc = add_eight(tables, crc->crc, data + at);
    for (; at < len; at++)
        crc->crc = add_byte(crc->crc, data[at]);
}

uint64_t crc64_end(struct crc64 *crc) {
    cairn_free(crc->tables);
    return crc->crc;
}
