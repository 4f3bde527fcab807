#include "cores/cores.h"

#include "cores/cores_oracle.h"

#include <stdio.h>
#include <string.h>

#define CALM_OF 4u        /* one run of so many ends in calm */
#define CALM_MOVES 60000u /* far more than a healed group needs */

static const char *const scheduler_names[] = {
#define X(constant, name, text) name,
    CORES_SCHEDULER_LIST(X)
#undef X
};

const char *cores_scheduler_name(enum cores_scheduler scheduler) {
    return scheduler_names[scheduler];
}

bool cores_scheduler_find(const char *name, enum cores_scheduler *scheduler) {
    for (int i = 0; i < CORES_SCHEDULER_COUNT; i++)
        if (strcmp(name, scheduler_names[i]) == 0) {
            *scheduler = (enum cores_scheduler)i;
            return true;
        }
    return false;
}

/* ---- what a seed draws ---- */

static void draw_size(struct prng *prng, const struct cores_options *options,
                      struct cores_setup *setup) {
    static const uint8_t sizes[] = {3, 3, 3, 3, 3, 2, 4, 5};
    setup->voters = options->replicas != 0 ? options->replicas : sizes[prng_below(prng, 8)];
    if (setup->voters < 5 && prng_chance(prng, 1, 4))
        setup->learners = 1;
    if (setup->voters < 5 && prng_chance(prng, 1, 4))
        setup->spare = 1;
}

/* Mostly the same on all nodes, as an operator means them to be. */
static void draw_settings(struct prng *prng, struct cores_setup *setup) {
    bool differ = prng_chance(prng, 1, 5);
    setup->leases = prng_chance(prng, 2, 3) ? 0xff : 0;
    for (unsigned id = 1; id < CORES_IDS; id++) {
        setup->election_ms[id] = 150;
        if (differ && prng_chance(prng, 1, 3))
            setup->election_ms[id] = (uint16_t)prng_between(prng, 40, 1500);
        if (differ && prng_chance(prng, 1, 4))
            setup->leases ^= (uint8_t)(1u << id);
    }
}

/* Apart from the rest, which later additions to it leave as it is. */
static void draw_more(uint64_t seed, struct cores_setup *setup) {
    struct prng prng;
    prng_seed(&prng, prng_mix(seed, 7));
    if (prng_chance(&prng, 1, 5))
        setup->slow = (uint8_t)prng_below(&prng, 256);
    if (setup->victim != 0 && prng_chance(&prng, 1, 2))
        setup->loss = (enum cores_loss)prng_below(&prng, CORES_LOSS_COUNT);
}

enum cores_scheduler cores_draw(const struct cores_options *options, uint64_t seed,
                                struct cores_setup *setup) {
    struct prng prng;
    prng_seed(&prng, prng_mix(seed, 1));
    *setup = (struct cores_setup){
        .protocol = options->protocol, .mutant = options->mutant, .seed = seed, .rare = true};
    draw_size(&prng, options, setup);
    draw_settings(&prng, setup);
    setup->small = prng_chance(&prng, 1, 3);
    if (setup->voters >= 3 && setup->spare == 0 && prng_chance(&prng, 1, 4))
        setup->victim = 1 + (unsigned)prng_below(&prng, setup->voters);
    draw_more(seed, setup);
    bool drifts = prng_chance(&prng, 1, 2);
    for (unsigned id = 1; id < CORES_IDS && drifts; id++)
        setup->clock_ppm[id] = (int32_t)prng_below(&prng, 2001) - 1000;
    if (options->scheduler < CORES_SCHEDULER_COUNT)
        return options->scheduler;
    return (enum cores_scheduler)prng_below(&prng, CORES_SCHEDULER_COUNT);
}

/* ---- one run ---- */

static struct cores_move next(struct cores_schedule *schedule, enum cores_scheduler scheduler) {
    if (schedule->taken < schedule->queued)
        return schedule->queue[schedule->taken++];
    schedule->taken = schedule->queued = 0;
    cores_aim(schedule);
    if (schedule->queued > 0)
        return schedule->queue[schedule->taken++];
    switch (scheduler) {
    case CORES_SCHEDULER_PCT:
        return cores_pct_next(schedule);
    case CORES_SCHEDULER_DELAY:
        return cores_delay_next(schedule);
    default:
        return cores_walk_next(schedule);
    }
}

static bool over(const struct cores_world *world) {
    return world->broken != NULL || world->exhausted;
}

static void play(struct cores_world *world, struct cores_move move, struct cores_moves *moves) {
    if (moves != NULL)
        cores_moves_add(moves, move);
    cores_do(world, move);
}

/* Does any node lack what another one applied, or has none of them a leader's entry? */
static bool settled(const struct cores_world *world) {
    const struct cores_node *leader = NULL;
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].belief.role == ROLE_LEADER &&
            (leader == NULL || world->nodes[id].belief.term > leader->belief.term))
            leader = &world->nodes[id];
    if (leader == NULL || leader->config.joint ||
        !config_is_voter(&leader->config, leader->id)) /* it was removed, and makes way */
        return false;
    for (uint32_t i = 0; i < leader->config.count; i++) {
        const struct member *member = &leader->config.members[i];
        if (world->nodes[member->id].applied != leader->belief.last ||
            (member->rejoining && !member->voter))
            return false;
    }
    return true;
}

/* Everything is healed and stays so: a leader must lead, and all its members apply all. */
static void calm(struct cores_schedule *schedule, struct cores_moves *moves) {
    struct cores_world *world = schedule->world;
    play(world, (struct cores_move){CORES_CALM, 0, 0, 0}, moves);
    for (unsigned id = 1; id <= world->count; id++) {
        play(world, (struct cores_move){CORES_START, (uint8_t)id, 0, 0}, moves);
        play(world, (struct cores_move){CORES_ROOM, (uint8_t)id, 0, 0}, moves);
    }
    for (unsigned a = 1; a <= world->count; a++)
        for (unsigned b = 1; b <= world->count; b++)
            if (a != b) {
                play(world, (struct cores_move){CORES_JOIN, (uint8_t)a, (uint8_t)b, 0}, moves);
                play(world, (struct cores_move){CORES_MEET, (uint8_t)a, (uint8_t)b, 0}, moves);
            }
    for (unsigned i = 0; i < CALM_MOVES && !over(world); i++) {
        if (world->filled == 0 && settled(world))
            return;
        play(world, cores_orderly_move(schedule), moves);
    }
    if (!over(world))
        cores_breach(world, CORES_RULE_NO_PROGRESS, "after %u moves", CALM_MOVES);
}

static void note(const struct cores_world *world, uint64_t moves, struct cores_result *result) {
    *result = (struct cores_result){.broken = world->broken,
                                    .rule = world->rule,
                                    .moves = moves,
                                    .steps = world->steps,
                                    .elections = world->elections,
                                    .placed = world->acked,
                                    .reads = world->reads_done};
    memcpy(result->rare_hits, world->rare.hits, sizeof result->rare_hits);
    snprintf(result->detail, sizeof result->detail, "%s",
             world->broken != NULL ? world->detail : "");
}

void cores_run(struct cores_world *world, const struct cores_options *options, uint64_t seed,
               struct cores_moves *moves, struct buf *log, struct cores_result *result) {
    struct cores_setup setup;
    struct cores_schedule schedule;
    enum cores_scheduler scheduler = cores_draw(options, seed, &setup);
    world->log = log;
    world->steps = 0;
    cores_world_begin(world, &setup);
    cores_schedule_begin(&schedule, world, scheduler, seed);
    for (; schedule.asked < schedule.length && !over(world); schedule.asked++)
        play(world, next(&schedule, scheduler), moves);
    if (!over(world) && prng_chance(&schedule.prng, 1, CALM_OF))
        calm(&schedule, moves);
    note(world, schedule.asked, result);
}

void cores_run_guided(struct cores_world *world, const struct cores_options *options,
                      struct cores_guide *guide, uint64_t seed, struct cores_setup *setup,
                      struct cores_moves *moves, struct cores_result *result) {
    struct cores_schedule schedule;
    struct prng prng;
    enum cores_scheduler scheduler = cores_draw(options, seed, setup);
    prng_seed(&prng, prng_mix(seed, 5));
    cores_guide_draw(guide, &prng, setup, moves);
    world->log = NULL;
    world->steps = 0;
    cores_world_begin(world, setup);
    for (size_t i = 0; i < moves->count && !over(world); i++)
        cores_do(world, moves->items[i]);
    cores_schedule_begin(&schedule, world, scheduler, seed);
    for (; schedule.asked < schedule.length && !over(world); schedule.asked++) {
        play(world, next(&schedule, scheduler), moves);
        cores_guide_see(guide, world);
    }
    cores_guide_keep(guide, &prng, setup, moves);
    if (!over(world) && prng_chance(&prng, 1, CALM_OF))
        calm(&schedule, moves);
    note(world, moves->count, result);
}

bool cores_replay(struct cores_world *world, const struct cores_setup *setup,
                  const struct cores_moves *moves, struct buf *log, struct cores_result *result) {
    world->log = log;
    world->steps = 0;
    cores_world_begin(world, setup);
    size_t at = 0;
    while (at < moves->count && !over(world))
        cores_do(world, moves->items[at++]);
    note(world, at, result);
    return world->broken != NULL;
}
