#include "cores/cores_search.h"

#include "base/alloc.h"
#include "base/prng.h"
#include "cores/cores_states.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define TELL_EVERY (1u << 14) /* transitions between two looks at the clock */

/* What may still happen. */
struct budget {
    unsigned entries, reads, crashes, lost, ticks, late, overtaking;
};

/* A state on the path from the first one: the move that led to it, and those that lead on. */
struct frame {
    struct cores_move move;
    struct budget budget;
    struct cores_moves next;
    size_t taken;
};

struct search {
    struct cores_search *told;
    struct cores_world *world;
    struct cores_states states;
    struct frame *path;
    size_t depth, cap;
    bool stale; /* the world is not in the state of the last frame */
    struct timespec start;
};

/* ---- what may happen in a state ---- */

static void offer(struct frame *frame, unsigned kind, unsigned a, unsigned b, unsigned c) {
    cores_moves_add(&frame->next,
                    (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, (uint8_t)c});
}

static void offer_crashes(struct frame *frame, const struct cores_node *node) {
    unsigned id = (unsigned)node->id;
    for (unsigned kept = 0; kept <= node->persist_count; kept++) {
        offer(frame, CORES_CRASH, id, kept, 0);
        if (kept == node->persist_count || node->persists[kept].reset)
            continue;
        const struct cores_persist *torn = &node->persists[kept];
        if (torn->has_hard || torn->truncate_from)
            offer(frame, CORES_CRASH, id, kept, 1);
        for (unsigned entries = 1; entries < torn->count; entries++)
            offer(frame, CORES_CRASH, id, kept, 1 + entries);
    }
}

static void offer_at(struct frame *frame, const struct cores_world *world, unsigned id) {
    const struct cores_node *node = &world->nodes[id];
    if (!node->up) {
        offer(frame, CORES_START, id, 0, 0);
        return;
    }
    if (node->belief.role == ROLE_LEADER && frame->budget.entries > 0)
        offer(frame, CORES_PROPOSE, id, 0, 0);
    if (node->belief.role == ROLE_LEADER && frame->budget.reads > 0)
        offer(frame, CORES_READ, id, 0, 0);
    if (frame->budget.ticks > 0)
        offer(frame, CORES_TICK, id, 0, 0);
    if (frame->budget.crashes > 0)
        offer_crashes(frame, node);
}

/* A write ends, or its replica crashes, before anything else happens, unless it may be late. */
static bool offer_disk(struct frame *frame, const struct cores_world *world) {
    for (unsigned id = 1; id <= world->count; id++) {
        const struct cores_node *node = &world->nodes[id];
        if (node->persist_count == 0)
            continue;
        offer(frame, CORES_DISK, id, 1, 0);
        if (frame->budget.late > 0)
            continue;
        if (frame->budget.crashes > 0)
            offer_crashes(frame, node);
        return true;
    }
    return false;
}

static void offer_all(struct frame *frame, const struct cores_world *world) {
    frame->next.count = frame->taken = 0;
    if (offer_disk(frame, world))
        return;
    unsigned oldest = cores_oldest(world, NULL);
    for (uint64_t filled = world->filled; filled != 0; filled &= filled - 1) {
        unsigned way = (unsigned)__builtin_ctzll(filled);
        if (way != oldest && frame->budget.overtaking == 0)
            continue;
        offer(frame, CORES_DELIVER, way / 8, way % 8, 0);
        /* No replica sees when a message is lost: it may as well be when it would arrive. */
        if (frame->budget.lost > 0)
            offer(frame, CORES_DROP, way / 8, way % 8, 0);
    }
    for (unsigned id = 1; id <= world->count; id++)
        offer_at(frame, world, id);
}

static bool writes(const struct cores_world *world) {
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].persist_count > 0)
            return true;
    return false;
}

/* What is done while a write is under way makes that late. */
static struct budget spend(struct budget budget, const struct cores_world *world,
                           struct cores_move move) {
    unsigned kind = move.kind, way = move.a * 8u + move.b;
    budget.overtaking -= kind == CORES_DELIVER && way != cores_oldest(world, NULL);
    budget.entries -= kind == CORES_PROPOSE;
    budget.reads -= kind == CORES_READ;
    budget.crashes -= kind == CORES_CRASH;
    budget.lost -= kind == CORES_DROP;
    budget.ticks -= kind == CORES_TICK;
    budget.late -= budget.late > 0 && kind != CORES_DISK && kind != CORES_CRASH && writes(world);
    return budget;
}

static uint64_t mix_budget(uint64_t sum, struct budget budget) {
    sum = prng_mix(sum, budget.entries | (uint64_t)budget.reads << 32);
    sum = prng_mix(sum, budget.crashes | (uint64_t)budget.lost << 32);
    sum = prng_mix(sum, budget.ticks | (uint64_t)budget.late << 32);
    return prng_mix(sum, budget.overtaking);
}

static bool within(const struct cores_world *world, const struct cores_bounds *bounds) {
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].belief.term > bounds->elections)
            return false;
    return !world->exhausted;
}

/* ---- the path ---- */

static struct frame *push(struct search *search, struct cores_move move, struct budget budget) {
    if (search->depth == search->cap) {
        size_t cap = search->cap ? search->cap * 2 : 256;
        search->path = cairn_realloc(search->path, cap * sizeof *search->path);
        memset(search->path + search->cap, 0, (cap - search->cap) * sizeof *search->path);
        search->cap = cap;
    }
    struct frame *frame = &search->path[search->depth++];
    frame->move = move;
    frame->budget = budget;
    offer_all(frame, search->world);
    if (search->depth > search->told->depth)
        search->told->depth = search->depth;
    return frame;
}

/* Cores can't be copied: a state is reached again from the first one. */
static void reach(struct search *search) {
    cores_world_begin(search->world, &search->told->setup);
    for (size_t i = 1; i < search->depth; i++)
        cores_do(search->world, search->path[i].move);
    search->stale = false;
}

static void keep_moves(struct search *search, struct cores_move last) {
    for (size_t i = 1; i < search->depth; i++)
        cores_moves_add(&search->told->moves, search->path[i].move);
    cores_moves_add(&search->told->moves, last);
}

/* One move on from the last frame. False: a rule is broken. */
static bool advance(struct search *search) {
    struct cores_search *told = search->told;
    struct frame *frame = &search->path[search->depth - 1];
    if (frame->taken == frame->next.count) {
        search->depth--;
        search->stale = true;
        return true;
    }
    struct cores_move move = frame->next.items[frame->taken++];
    if (search->stale)
        reach(search);
    struct budget budget = spend(frame->budget, search->world, move);
    search->stale = true;
    cores_do(search->world, move);
    told->transitions++;
    if (search->world->broken != NULL) {
        keep_moves(search, move);
        return false;
    }
    if (!within(search->world, &told->bounds) ||
        !cores_states_add(&search->states, mix_budget(cores_fingerprint(search->world), budget)))
        return true;
    told->states++;
    push(search, move, budget);
    search->stale = false;
    return true;
}

/* ---- the whole ---- */

static void look_at_clock(struct search *search) {
    struct cores_search *told = search->told;
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    told->cpu_ns = (uint64_t)((now.tv_sec - search->start.tv_sec) * 1000000000 +
                              (now.tv_nsec - search->start.tv_nsec));
    told->memory_bytes = cores_states_bytes(&search->states);
    if (told->told != NULL)
        told->told(told->context, told);
}

static bool may_go_on(struct search *search) {
    struct cores_search *told = search->told;
    if (told->transitions % TELL_EVERY != 0)
        return true;
    look_at_clock(search);
    return (told->cpu_ns_max == 0 || told->cpu_ns < told->cpu_ns_max) &&
           (told->memory_max == 0 || told->memory_bytes * 2 <= told->memory_max ||
            search->states.count * 2 < search->states.size);
}

static void first_state(struct search *search) {
    struct cores_search *told = search->told;
    const struct cores_bounds *bounds = &told->bounds;
    told->setup = (struct cores_setup){.protocol = told->protocol,
                                       .mutant = told->mutant,
                                       .seed = 1,
                                       .voters = bounds->replicas,
                                       .own_time = true};
    for (unsigned id = 1; id < CORES_IDS; id++)
        told->setup.election_ms[id] = 150;
    cores_world_begin(search->world, &told->setup);
    struct budget budget = {bounds->entries, bounds->reads, bounds->crashes,   bounds->lost,
                            bounds->ticks,   bounds->late,  bounds->overtaking};
    push(search, (struct cores_move){0}, budget);
    told->states = 1;
}

void cores_search(struct cores_search *told) {
    struct search search = {.told = told, .world = cores_world_new()};
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &search.start);
    told->complete = false;
    told->states = told->transitions = told->depth = 0;
    first_state(&search);
    bool fine = true;
    while (search.depth > 0 && fine && may_go_on(&search))
        fine = advance(&search);
    told->complete = search.depth == 0;
    look_at_clock(&search);
    told->result = (struct cores_result){
        .broken = search.world->broken, .rule = search.world->rule, .moves = told->moves.count};
    if (!fine)
        snprintf(told->result.detail, sizeof told->result.detail, "%s", search.world->detail);
    else
        told->result.broken = NULL;
    for (size_t i = 0; i < search.cap; i++)
        cores_moves_free(&search.path[i].next);
    cairn_free(search.path);
    cores_states_free(&search.states);
    cores_world_free(search.world);
}
