/* XXH3 over bytes that lie in several pieces. */
#ifndef CAIRN_BASE_HASH_H
#define CAIRN_BASE_HASH_H

#include "base/bytes.h"

/* Equals bytes_hash of the concatenation. */
uint64_t hash_pieces(const struct bytes *pieces, size_t count, uint64_t seed);

#endif
