#include "base/prng.h"

#include "base/assert.h"

static uint64_t splitmix(uint64_t *state) {
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

uint64_t prng_mix(uint64_t seed, uint64_t salt) {
    uint64_t state = seed ^ (salt * 0xd6e8feb86659fd93u);
    return splitmix(&state);
}

void prng_seed(struct prng *prng, uint64_t seed) {
    for (int i = 0; i < 4; i++)
        prng->state[i] = splitmix(&seed);
}

static uint64_t rotl(uint64_t x, int k) {
    return (x << k) | (x >> (64 - k));
}

uint64_t prng_next(struct prng *prng) {
    uint64_t *s = prng->state;
    uint64_t result = rotl(s[1] * 5, 7) * 9;
    uint64_t t = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotl(s[3], 45);
    return result;
}

uint64_t prng_below(struct prng *prng, uint64_t bound) {
    cairn_assert(bound > 0);
    return (uint64_t)(((unsigned __int128)prng_next(prng) * bound) >> 64);
}

uint64_t prng_between(struct prng *prng, uint64_t low, uint64_t high) {
    cairn_assert(low <= high);
    return high - low == UINT64_MAX ? prng_next(prng) : low + prng_below(prng, high - low + 1);
}

bool prng_chance(struct prng *prng, uint64_t numerator, uint64_t denominator) {
    return prng_below(prng, denominator) < numerator;
}
