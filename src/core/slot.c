#include "core/slot.h"

#include "base/crc16.h"

#include <string.h>

uint16_t slot_of_key(struct bytes key) {
    const uint8_t *open = key.len ? memchr(key.data, '{', key.len) : NULL;
    if (open != NULL) {
        const uint8_t *tag = open + 1;
        const uint8_t *close = memchr(tag, '}', (size_t)(key.data + key.len - tag));
        if (close != NULL && close != tag)
            return crc16(tag, (size_t)(close - tag)) % SLOT_COUNT;
    }
    return crc16(key.data, key.len) % SLOT_COUNT;
}
