#include "sim/sim_shrink.h"

#include <ctype.h>
#include <string.h>
#include <time.h>

#define RULE_BYTES 128u
#define PIECE_MS 250u /* no finer than that */

void sim_rule(const char *reason, char *rule, size_t size) {
    size_t len = 0;
    while (reason[len] != 0 && reason[len] != ':' && !isdigit((unsigned char)reason[len]) &&
           len + 1 < size) {
        rule[len] = reason[len];
        len++;
    }
    rule[len] = 0;
}

static uint64_t cpu_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static bool same_rule(const struct sim_result *a, const struct sim_result *b) {
    char first[RULE_BYTES], second[RULE_BYTES];
    sim_rule(a->reason, first, sizeof first);
    sim_rule(b->reason, second, sizeof second);
    return strcmp(first, second) == 0;
}

/* Some seed breaks the same rule in this world: it becomes the smallest. */
static bool take_smaller(struct sim_shrink *shrink, struct sim_options smaller, uint64_t until) {
    uint64_t first = shrink->options.seed;
    for (uint64_t i = 0; i < shrink->seeds; i++) {
        struct sim_result result;
        if (until != 0 && cpu_now() >= until)
            return false;
        smaller.seed = first + i;
        sim_run(&smaller, &result);
        shrink->runs++;
        if (result.ok || !same_rule(&result, &shrink->result))
            continue;
        shrink->options = smaller;
        shrink->result = result;
        return true;
    }
    return false;
}

static uint64_t struck(const struct sim_result *result) {
    uint64_t mask = 0;
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        mask |= result->faults[i] > 0 ? 1ull << i : 0;
    return mask;
}

static void fewer_faults(struct sim_shrink *shrink, uint64_t until) {
    struct sim_options smaller = shrink->options;
    smaller.fault_mask = struck(&shrink->result);
    if (smaller.fault_mask != 0)
        take_smaller(shrink, smaller, until);
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        smaller = shrink->options;
        smaller.fault_mask &= ~(1ull << i);
        if (smaller.fault_mask != 0 && smaller.fault_mask != shrink->options.fault_mask)
            take_smaller(shrink, smaller, until);
    }
}

static void fewer_nodes(struct sim_shrink *shrink, uint64_t until) {
    static const unsigned counts[] = {1, 2, 3};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        struct sim_options smaller = shrink->options;
        smaller.nodes = counts[i];
        if ((shrink->options.nodes == 0 || counts[i] < shrink->options.nodes) &&
            take_smaller(shrink, smaller, until))
            return;
    }
}

static void fewer_clients(struct sim_shrink *shrink, uint64_t until) {
    struct sim_options smaller = shrink->options;
    smaller.clients = 1;
    if (shrink->options.clients != 1)
        take_smaller(shrink, smaller, until);
}

static void less_time(struct sim_shrink *shrink, uint64_t until) {
    struct sim_options smaller = shrink->options;
    do {
        uint64_t ms = smaller.fault_ms ? smaller.fault_ms : shrink->result.virtual_ns / 1000000;
        smaller = shrink->options;
        smaller.fault_ms = ms / 2;
    } while (smaller.fault_ms >= PIECE_MS && take_smaller(shrink, smaller, until));
}

void sim_shrink(struct sim_shrink *shrink) {
    uint64_t until = shrink->cpu_ns_max ? cpu_now() + shrink->cpu_ns_max : 0;
    sim_run(&shrink->options, &shrink->result);
    shrink->runs = 1;
    if (shrink->result.ok)
        return;
    fewer_nodes(shrink, until);
    fewer_faults(shrink, until);
    fewer_clients(shrink, until);
    less_time(shrink, until);
    fewer_faults(shrink, until);
}
