/* Many runs, until one fails. */
#include "cores/cores.h"

#include <string.h>
#include <time.h>

static uint64_t cpu_ns(void) {
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static void add(struct cores_result *sum, const struct cores_result *one) {
    sum->moves += one->moves;
    sum->steps += one->steps;
    sum->elections += one->elections;
    sum->placed += one->placed;
    sum->reads += one->reads;
    for (int i = 0; i < RARE_COUNT; i++)
        sum->rare_hits[i] += one->rare_hits[i];
}

static void found(struct cores_hunt *hunt, uint64_t seed, const struct cores_result *one) {
    hunt->found = true;
    hunt->seed = seed;
    hunt->sum.broken = one->broken;
    hunt->sum.rule = one->rule;
    memcpy(hunt->sum.detail, one->detail, sizeof hunt->sum.detail);
}

void cores_hunt(struct cores_hunt *hunt) {
    struct cores_world *world = cores_world_new();
    struct cores_guide *guide = hunt->guided ? cores_guide_new() : NULL;
    uint64_t start = cpu_ns();
    for (uint64_t seed = hunt->first; seed <= hunt->last && !hunt->found; seed++) {
        struct cores_result one;
        if (hunt->guided)
            cores_run_guided(world, &hunt->options, guide, seed, &hunt->setup, &hunt->moves, &one);
        else
            cores_run(world, &hunt->options, seed, NULL, NULL, &one);
        hunt->runs++;
        hunt->cpu_ns = cpu_ns() - start;
        add(&hunt->sum, &one);
        if (one.broken != NULL)
            found(hunt, seed, &one);
        if ((hunt->cpu_ns_max != 0 && hunt->cpu_ns >= hunt->cpu_ns_max) ||
            (hunt->ran != NULL && !hunt->ran(hunt->context, hunt, seed)))
            break;
    }
    if (hunt->found && !hunt->guided) {
        struct cores_result again;
        cores_draw(&hunt->options, hunt->seed, &hunt->setup);
        cores_run(world, &hunt->options, hunt->seed, &hunt->moves, NULL, &again);
    }
    if (guide != NULL) {
        hunt->seen = cores_guide_seen(guide);
        cores_guide_free(guide);
    }
    cores_world_free(world);
}
