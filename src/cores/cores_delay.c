/* Delay-bounded scheduling (Emmi, Qadeer & Rakamaric 2011): an orderly run, in which messages
 * arrive in order, writes end soon and clients ask now and then, with few deviations: moves of
 * chance, and stretches in which they follow upon each other. */
#include "cores/cores_schedule.h"

#define STRETCH 6u

void cores_delay_begin(struct cores_schedule *schedule) {
    schedule->change_count = (unsigned)prng_between(&schedule->prng, 2, CORES_CHANGES_MAX);
    for (unsigned i = 0; i < schedule->change_count; i++)
        schedule->changes[i] = (unsigned)prng_below(&schedule->prng, schedule->length);
}

static bool deviates(const struct cores_schedule *schedule) {
    for (unsigned i = 0; i < schedule->change_count; i++)
        if (schedule->asked - schedule->changes[i] < STRETCH)
            return true;
    return false;
}

struct cores_move cores_orderly_move(struct cores_schedule *schedule) {
    const struct cores_world *world = schedule->world;
    uint64_t open = world->filled & ~world->cut;
    for (unsigned i = 0; i < world->count; i++) {
        unsigned id = 1 + (schedule->turn + i) % world->count;
        if (world->nodes[id].persist_count > 0) {
            schedule->turn = id;
            return (struct cores_move){CORES_DISK, (uint8_t)id, 1, 0};
        }
    }
    if (open != 0) {
        uint64_t rest = open & ~((2ull << (schedule->turn % 64)) - 1);
        unsigned way = (unsigned)__builtin_ctzll(rest != 0 ? rest : open);
        schedule->turn = way;
        return (struct cores_move){CORES_DELIVER, (uint8_t)(way / 8), (uint8_t)(way % 8), 0};
    }
    if (++schedule->idle % 3 == 0)
        return (struct cores_move){CORES_PROPOSE, (uint8_t)cores_any_node(schedule, false), 0, 0};
    return (struct cores_move){CORES_TICK, (uint8_t)cores_first_due(world), 0, 0};
}

struct cores_move cores_delay_next(struct cores_schedule *schedule) {
    return deviates(schedule) ? cores_any_move(schedule) : cores_orderly_move(schedule);
}
