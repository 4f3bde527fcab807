#include "storage/aligned.h"

#include "base/alloc.h"
#include "base/assert.h"

uint8_t *aligned_reserve(struct aligned *aligned, size_t bytes) {
    if (bytes <= aligned->cap)
        return aligned->data;
    aligned_free(aligned);
    size_t cap = (size_t)align_up(bytes);
    aligned->raw = cairn_alloc(cap + ENV_DISK_ALIGN);
    aligned->data = (uint8_t *)(uintptr_t)align_up((uintptr_t)aligned->raw);
    aligned->cap = cap;
    cairn_assert(aligned->data + cap <= aligned->raw + cap + ENV_DISK_ALIGN);
    return aligned->data;
}

void aligned_trim(struct aligned *aligned, size_t keep) {
    if (aligned->cap > keep)
        aligned_free(aligned);
}

void aligned_free(struct aligned *aligned) {
    cairn_free(aligned->raw);
    *aligned = (struct aligned){0};
}
