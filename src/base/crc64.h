/* CRC-64 by Jones (reflected, no inversion), by which Redis protects what DUMP makes. A leaf but
 * for memory.
 *
 * Long input takes eight bytes at a time, by tables of 16 KiB that are made when it begins: that
 * takes some microseconds, and what shorter input needs without them takes no longer.
 */
#ifndef CAIRN_BASE_CRC64_H
#define CAIRN_BASE_CRC64_H

#include <stddef.h>
#include <stdint.h>

struct crc64 {
    uint64_t crc; /* of what was added */
    uint64_t (*tables)[256];
};

/* len: how much will be added in all, about. To be ended. */
void crc64_begin(struct crc64 *crc, size_t len);
void crc64_add(struct crc64 *crc, const uint8_t *data, size_t len);
/* The sum; what it held is freed. */
uint64_t crc64_end(struct crc64 *crc);

#endif
