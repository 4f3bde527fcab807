/* Glob patterns as Redis understands them: * ? [a-c] [^abc] and \ before a literal. A leaf on
 * bytes.
 *
 * Each element but a star stands for one byte, so what is between two stars has a length, and is
 * looked for once, leftmost. A search that turns out to be hard goes on with a word of bits for
 * every 64 elements and one step a byte (Baeza-Yates and Gonnet 1992), so that no pattern costs
 * more than about glob_cost_max.
 */
#ifndef CAIRN_BASE_GLOB_H
#define CAIRN_BASE_GLOB_H

#include "base/bytes.h"

/* Patterns that clients may ask for: longer ones cost too much to be served. */
#define GLOB_PATTERN_MAX 1024u

bool glob_match(struct bytes pattern, struct bytes text, bool nocase);
/* Adds to *steps what it did: bytes and words that were looked at. */
bool glob_match_counted(struct bytes pattern, struct bytes text, bool nocase, uint64_t *steps);
/* Steps that a match takes at most, but for a small factor, whatever is in pattern and text. The
 * same on all replicas, in all versions: results depend on it. */
uint64_t glob_cost_max(size_t pattern_len, size_t text_len);

#endif
