/* cairn sim --shrink: a failing seed made small, and told. */
#include "cli/sim_small.h"

#include "cli/cli.h"
#include "sim/sim_shrink.h"

#include <inttypes.h>

#define SEEDS_TRIED 25u
#define MINUTES 2u

static void show_faults(uint64_t mask) {
    const char *before = " --faults ";
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        if (mask & 1ull << i) {
            printf("%s%s", before, sim_fault_name((enum sim_fault)i));
            before = ",";
        }
}

static void show_command(const struct sim_options *options) {
    printf("  cairn sim --seeds %" PRIu64, options->seed);
    if (options->mutant != MUTANT_NONE)
        printf(" --mutant %s", mutant_name(options->mutant));
    if (options->nodes != 0)
        printf(" --nodes %u", options->nodes);
    if (options->machine != NULL)
        printf(" --machine %s", options->machine);
    if (options->protocol != NULL)
        printf(" --protocol %s", options->protocol);
    show_faults(options->fault_mask);
    if (options->clients != 0)
        printf(" --clients %" PRIu32, options->clients);
    if (options->fault_ms != 0)
        printf(" --length %" PRIu64, options->fault_ms);
    printf(" --log\n");
}

int sim_small(const struct sim_hunt *hunt) {
    struct sim_shrink shrink = {.options = hunt->options,
                                .cpu_ns_max =
                                    hunt->cpu_ns_max ? hunt->cpu_ns_max : MINUTES * 60000000000u,
                                .seeds = SEEDS_TRIED};
    char rule[128];
    shrink.options.seed = hunt->first;
    shrink.options.log = NULL;
    sim_shrink(&shrink);
    if (shrink.result.ok) {
        printf("seed %" PRIu64 " holds: there is nothing to make small\n", hunt->first);
        return EXIT_FINE;
    }
    sim_rule(shrink.result.reason, rule, sizeof rule);
    printf("the rule: %s\nits breach: %s\nsmallest of %" PRIu64 " runs, %.3f s of virtual time:\n",
           rule, shrink.result.reason, shrink.runs, (double)shrink.result.virtual_ns / 1e9);
    show_command(&shrink.options);
    return EXIT_NO;
}
