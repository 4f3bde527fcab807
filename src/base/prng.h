/* A small seeded generator (xoshiro256**): same seed, same numbers, on every machine. Not for
 * secrets. No floating point: chances are ratios.
 */
#ifndef CAIRN_BASE_PRNG_H
#define CAIRN_BASE_PRNG_H

#include <stdbool.h>
#include <stdint.h>

struct prng {
    uint64_t state[4];
};

void prng_seed(struct prng *prng, uint64_t seed);
uint64_t prng_next(struct prng *prng);
/* Uniform in [0, bound); bound > 0. */
uint64_t prng_below(struct prng *prng, uint64_t bound);
/* Uniform in [low, high]. */
uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high);
/* True with chance numerator/denominator. */
bool prng_chance(struct prng *prng, uint64_t numerator, uint64_t denominator);
/* One mixing step (splitmix64): derives a seed from a seed and a salt. */
uint64_t prng_mix(uint64_t seed, uint64_t salt);

#endif
