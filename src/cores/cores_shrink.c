/* A failing schedule made short: moves are left out as long as the same rule breaks (delta
 * debugging, Zeller & Hildebrandt 2002), and what distinguishes the world is made plain. A move
 * that can't happen any more in a shorter schedule is passed over by the replay. */
#include "cores/cores.h"

#include "base/alloc.h"

#include <string.h>

struct shrink {
    struct cores_world *world;
    struct cores_setup *setup;
    struct cores_moves *moves;
    const char *broken;
    unsigned replays_left;
};

static bool still(struct shrink *shrink, const struct cores_setup *setup,
                  const struct cores_moves *moves, size_t *needed) {
    struct cores_result result;
    if (shrink->replays_left == 0)
        return false;
    shrink->replays_left--;
    bool broken = cores_replay(shrink->world, setup, moves, NULL, &result);
    *needed = result.moves;
    return broken && result.broken == shrink->broken;
}

/* Leaves out moves from..to - 1. */
static bool without(struct shrink *shrink, size_t from, size_t to) {
    struct cores_moves *moves = shrink->moves;
    struct cores_moves fewer = {0};
    size_t needed;
    fewer.items = cairn_alloc((moves->count + 1) * sizeof *fewer.items);
    fewer.cap = moves->count + 1;
    fewer.count = moves->count - (to - from);
    memcpy(fewer.items, moves->items, from * sizeof *fewer.items);
    memcpy(fewer.items + from, moves->items + to, (moves->count - to) * sizeof *fewer.items);
    bool broken = still(shrink, shrink->setup, &fewer, &needed);
    if (broken) {
        fewer.count = needed;
        cores_moves_free(moves);
        *moves = fewer;
    } else {
        cores_moves_free(&fewer);
    }
    return broken;
}

static bool pass(struct shrink *shrink, size_t length) {
    bool shorter = false;
    for (size_t end = shrink->moves->count; end > 0;) {
        size_t from = end > length ? end - length : 0;
        if (without(shrink, from, end))
            shorter = true;
        end = from < shrink->moves->count ? from : shrink->moves->count;
    }
    return shorter;
}

static void plain_setup(struct shrink *shrink) {
    for (int what = 0; what < 5; what++) {
        struct cores_setup plain = *shrink->setup;
        size_t needed;
        for (unsigned id = 1; id < CORES_IDS; id++) {
            if (what == 0)
                plain.clock_ppm[id] = 0;
            if (what == 1)
                plain.election_ms[id] = 150;
        }
        plain.small &= what != 2;
        plain.rare &= what != 4;
        plain.leases = what == 3 ? 0 : plain.leases;
        if (still(shrink, &plain, shrink->moves, &needed)) {
            *shrink->setup = plain;
            shrink->moves->count = needed;
        }
    }
}

void cores_shrink(struct cores_world *world, struct cores_setup *setup, struct cores_moves *moves,
                  unsigned replays_max) {
    struct cores_result result;
    if (!cores_replay(world, setup, moves, NULL, &result))
        return;
    struct shrink shrink = {world, setup, moves, result.broken, replays_max};
    moves->count = result.moves;
    plain_setup(&shrink);
    for (size_t length = moves->count / 2 + 1; length > 0 && shrink.replays_left > 0;)
        if (!pass(&shrink, length) || length > 1)
            length /= 2;
}
