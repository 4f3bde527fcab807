#include "core/fields.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

size_t fields_size(unsigned mask) {
    return 8 * (size_t)__builtin_popcount(mask);
}

uint8_t *fields_encode(const struct field *fields, unsigned mask, const void *message,
                       uint8_t *at) {
    for (; mask != 0; mask &= mask - 1) {
        uint64_t value;
        memcpy(&value, (const char *)message + fields[__builtin_ctz(mask)].offset, sizeof value);
        put_u64(at, value);
        at += 8;
    }
    return at;
}

void fields_decode(const struct field *fields, unsigned mask, void *message,
                   struct reader *reader) {
    for (; mask != 0; mask &= mask - 1) {
        uint64_t value = read_u64(reader);
        memcpy((char *)message + fields[__builtin_ctz(mask)].offset, &value, sizeof value);
    }
}

size_t fields_describe(const struct field *fields, unsigned mask, const void *message, char *text,
                       size_t size) {
    size_t used = 0;
    for (; mask != 0 && used < size; mask &= mask - 1) {
        const struct field *field = &fields[__builtin_ctz(mask)];
        uint64_t value;
        memcpy(&value, (const char *)message + field->offset, sizeof value);
        used += (size_t)snprintf(text + used, size - used, " %s=%" PRIu64, field->name, value);
    }
    return used < size ? used : size - 1;
}
