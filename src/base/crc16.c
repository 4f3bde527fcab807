#include "base/crc16.h"

/* Two lookups a byte in a table of 16 entries: 32 bytes of constants, shorter than the 256-entry
 * table and written out by hand from the polynomial 0x1021. */
static const uint16_t nibble[16] = {
    0x0000, 0x1021, 0x2042, 0x3063, 0x4084, 0x50a5, 0x60c6, 0x70e7,
    0x8108, 0x9129, 0xa14a, 0xb16b, 0xc18c, 0xd1ad, 0xe1ce, 0xf1ef,
};

uint16_t crc16(const uint8_t *data, size_t len) {
    unsigned crc = 0;
    for (size_t i = 0; i < len; i++) {
        crc = ((crc << 4) & 0xffff) ^ nibble[(crc >> 12) ^ (data[i] >> 4)];
        crc = ((crc << 4) & 0xffff) ^ nibble[(crc >> 12) ^ (data[i] & 15)];
    }
    return (uint16_t)crc;
}
