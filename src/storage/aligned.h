/* A growable buffer whose memory suits direct disk access: start and capacity are multiples of
 * ENV_DISK_ALIGN. Contents do not survive growth.
 */
#ifndef CAIRN_STORAGE_ALIGNED_H
#define CAIRN_STORAGE_ALIGNED_H

#include "env/env.h"

struct aligned {
    uint8_t *raw;
    uint8_t *data;
    size_t cap;
};

static inline uint64_t align_up(uint64_t bytes) {
    return (bytes + ENV_DISK_ALIGN - 1) / ENV_DISK_ALIGN * ENV_DISK_ALIGN;
}

/* At least `bytes` of room; what was there before may be lost. */
uint8_t *aligned_reserve(struct aligned *aligned, size_t bytes);
/* Gives the memory back when it grew beyond `keep` bytes. */
void aligned_trim(struct aligned *aligned, size_t keep);
void aligned_free(struct aligned *aligned);

#endif
