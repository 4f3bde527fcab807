#include "base/rare.h"

#include <string.h>

#define SALT 0x72617265u
#define OFTEN 4u /* an enabled point is taken once in about so many times, and never always */

static const struct {
    const char *name;
    uint32_t seldom;
    const char *text;
} points[] = {
#define X(constant, name, seldom, text) {name, seldom, text},
    RARE_LIST(X)
#undef X
};

const char *rare_name(enum rare_point point) {
    return points[point].name;
}

const char *rare_text(enum rare_point point) {
    return points[point].text;
}

static void draw_points(struct rare *rare) {
    for (int point = 0; point < RARE_COUNT; point++) {
        uint32_t spread = 2u + (uint32_t)prng_below(&rare->prng, 2 * OFTEN - 2);
        bool enabled = prng_chance(&rare->prng, 1, 4);
        rare->one_in[point] = enabled ? spread * points[point].seldom : 0;
    }
}

/* The generator is derived from the seed and no part of the run's own: what a run draws otherwise
 * stays what it is. */
bool rare_draw(struct rare *rare, uint64_t seed) {
    memset(rare, 0, sizeof *rare);
    prng_seed(&rare->prng, prng_mix(seed, SALT));
    if (!prng_chance(&rare->prng, 1, 2))
        return false;
    draw_points(rare);
    return true;
}

void rare_draw_some(struct rare *rare, uint64_t seed) {
    if (!rare_draw(rare, seed))
        draw_points(rare);
}

void rare_only(struct rare *rare, enum rare_point point) {
    memset(rare, 0, sizeof *rare);
    prng_seed(&rare->prng, SALT);
    rare->one_in[point] = 1;
}

bool rare_ask(struct rare *rare, enum rare_point point) {
    uint32_t one_in = rare->one_in[point];
    if (rare->quiet || one_in == 0 || prng_below(&rare->prng, one_in) != 0)
        return false;
    rare->hits[point]++;
    return true;
}
