#include "sim/sim_world.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdarg.h>
#include <string.h>

void sim_world_open(struct sim_world *world, uint64_t seed, FILE *log) {
    memset(world, 0, sizeof *world);
    prng_seed(&world->prng, seed);
    world->hash = prng_mix(seed, 1);
    world->log = log;
}

void sim_world_close(struct sim_world *world) {
    cairn_free(world->heap);
    world->heap = NULL;
    world->count = world->cap = 0;
}

/* ---- the heap: four children a place, so that a path down touches few cache lines ---- */

#define CHILDREN 4u

static bool before(const struct sim_event *a, const struct sim_event *b) {
    return a->time != b->time ? a->time < b->time : a->order < b->order;
}

static void rise(struct sim_event *heap, size_t at, struct sim_event event) {
    while (at > 0 && before(&event, &heap[(at - 1) / CHILDREN])) {
        heap[at] = heap[(at - 1) / CHILDREN];
        at = (at - 1) / CHILDREN;
    }
    heap[at] = event;
}

static void sink(struct sim_event *heap, size_t count, struct sim_event event) {
    size_t at = 0;
    for (;;) {
        size_t first = at * CHILDREN + 1, least = 0;
        for (size_t child = first; child < first + CHILDREN && child < count; child++)
            if (least == 0 || before(&heap[child], &heap[least]))
                least = child;
        if (least == 0 || !before(&heap[least], &event))
            break;
        heap[at] = heap[least];
        at = least;
    }
    heap[at] = event;
}

void sim_at(struct sim_world *world, uint64_t time, sim_fire *fire, void *target, uint64_t number) {
    if (world->count == world->cap) {
        world->cap = world->cap ? world->cap * 2 : 256;
        world->heap = cairn_realloc(world->heap, world->cap * sizeof *world->heap);
    }
    if (time < world->now)
        time = world->now;
    struct sim_event event = {time, world->next_order++, fire, target, number};
    rise(world->heap, world->count++, event);
}

bool sim_world_step(struct sim_world *world, uint64_t until) {
    if (world->count == 0 || world->heap[0].time > until) {
        world->now = until > world->now ? until : world->now;
        return false;
    }
    struct sim_event event = world->heap[0];
    struct sim_event last = world->heap[--world->count];
    if (world->count > 0)
        sink(world->heap, world->count, last);
    cairn_assert(event.time >= world->now);
    world->now = event.time;
    event.fire(event.target, event.number);
    return true;
}

void sim_world_leap(struct sim_world *world, uint64_t ns) {
    world->now += ns;
    for (size_t i = 0; i < world->count; i++)
        world->heap[i].time += ns;
}

/* ---- what happened ---- */

void sim_note(struct sim_world *world, enum sim_kind kind, uint64_t who, uint64_t what) {
    uint64_t hash = world->hash;
    hash = (hash ^ world->now) * 0x9e3779b97f4a7c15ull;
    hash = (hash ^ (hash >> 29) ^ (who << 8 | kind)) * 0xbf58476d1ce4e5b9ull;
    hash = (hash ^ (hash >> 32) ^ what) * 0x94d049bb133111ebull;
    world->hash = hash ^ (hash >> 31);
    world->events++;
}

void sim_log(struct sim_world *world, const char *who, const char *format, ...) {
    if (world->log == NULL)
        return;
    va_list args;
    va_start(args, format);
    fprintf(world->log, "%5llu.%06llu %-8s ", (unsigned long long)(world->now / SIM_S),
            (unsigned long long)(world->now % SIM_S / SIM_US), who);
    vfprintf(world->log, format, args);
    fputc('\n', world->log);
    va_end(args);
}

void sim_fail(struct sim_world *world, const char *format, ...) {
    if (world->failed)
        return;
    va_list args;
    va_start(args, format);
    vsnprintf(world->reason, sizeof world->reason, format, args);
    va_end(args);
    world->failed = true;
    sim_log(world, "FAILED", "%s", world->reason);
}

/* ---- chance ---- */

uint64_t sim_below(struct sim_world *world, uint64_t bound) {
    return prng_below(&world->prng, bound);
}

uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high) {
    return prng_between(&world->prng, low, high);
}

bool sim_chance(struct sim_world *world, uint64_t numerator, uint64_t denominator) {
    return prng_chance(&world->prng, numerator, denominator);
}

uint64_t sim_spread(struct sim_world *world, uint64_t low, uint64_t high) {
    cairn_assert(low > 0 && low <= high);
    unsigned doublings = 0;
    while (doublings < 63 && low << (doublings + 1) <= high && low << (doublings + 1) > low)
        doublings++;
    uint64_t floor = low << prng_between(&world->prng, 0, doublings);
    uint64_t ceiling = floor > high / 2 ? high : floor * 2;
    return prng_between(&world->prng, floor, ceiling);
}
