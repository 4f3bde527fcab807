/* Probabilistic concurrency testing (Burckhardt, Kothari, Musuvathi & Nagarakatte 2010): every way,
 * disk and clock has a priority, the highest that can move does, and at d moments of chance one of
 * them falls below all others. A bug that needs d ordered decisions among n moves of k actors is
 * found with a chance of at least 1 / (k n^(d-1)) a run. */
#include "cores/cores_schedule.h"

#define IN_A_ROW 6u /* moves of a clock before others come: without them time would run alone */
#define CLIENTS_OF 16u

static void change_points(struct cores_schedule *schedule, unsigned most) {
    schedule->change_count = (unsigned)prng_between(&schedule->prng, 1, most);
    for (unsigned i = 0; i < schedule->change_count; i++)
        schedule->changes[i] = (unsigned)prng_below(&schedule->prng, schedule->length);
}

void cores_pct_begin(struct cores_schedule *schedule) {
    for (unsigned a = 0; a < CORES_IDS; a++)
        for (unsigned b = 0; b < CORES_IDS; b++)
            schedule->priorities[a][b] = (uint8_t)prng_between(&schedule->prng, 128, 255);
    schedule->low = 127;
    change_points(schedule, CORES_CHANGES_MAX);
}

static bool change_now(const struct cores_schedule *schedule) {
    for (unsigned i = 0; i < schedule->change_count; i++)
        if (schedule->changes[i] == schedule->asked)
            return true;
    return false;
}

/* The actor of the highest priority that can move: a way (from, to), a disk (0, id) or the clock
 * (id, 0) of the node that is due. */
static void highest(const struct cores_schedule *schedule, unsigned *a, unsigned *b) {
    const struct cores_world *world = schedule->world;
    uint64_t open = world->filled & ~world->cut;
    unsigned best = 0, due = cores_first_due(world);
    for (; open != 0; open &= open - 1) {
        unsigned way = (unsigned)__builtin_ctzll(open);
        if (schedule->priorities[way / 8][way % 8] > best) {
            best = schedule->priorities[way / 8][way % 8];
            *a = way / 8;
            *b = way % 8;
        }
    }
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].persist_count > 0 && schedule->priorities[0][id] > best) {
            best = schedule->priorities[0][id];
            *a = 0;
            *b = id;
        }
    if (due != 0 &&
        (best == 0 || (schedule->priorities[due][0] > best && schedule->idle < IN_A_ROW))) {
        *a = due;
        *b = 0;
    }
}

struct cores_move cores_pct_next(struct cores_schedule *schedule) {
    unsigned a = 0, b = 0;
    if (prng_chance(&schedule->prng, 1, CLIENTS_OF))
        return cores_any_move(schedule); /* clients and faults have no priority */
    highest(schedule, &a, &b);
    if (change_now(schedule) && schedule->low > 1) {
        schedule->priorities[a][b] = (uint8_t)schedule->low--;
        highest(schedule, &a, &b);
    }
    if (b == 0) {
        schedule->idle++;
        return (struct cores_move){CORES_TICK, (uint8_t)a, 0, 0};
    }
    schedule->idle = 0;
    if (a == 0)
        return (struct cores_move){CORES_DISK, (uint8_t)b, 1, 0};
    return (struct cores_move){CORES_DELIVER, (uint8_t)a, (uint8_t)b, 0};
}
