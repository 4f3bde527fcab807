#include "base/hash.h"

#define XXH_STATIC_LINKING_ONLY
#include <xxhash.h>

uint64_t hash_pieces(const struct bytes *pieces, size_t count, uint64_t seed) {
    XXH3_state_t state;
    XXH3_INITSTATE(&state);
    XXH3_64bits_reset_withSeed(&state, seed);
    for (size_t i = 0; i < count; i++)
        XXH3_64bits_update(&state, pieces[i].data, pieces[i].len);
    return XXH3_64bits_digest(&state);
}
