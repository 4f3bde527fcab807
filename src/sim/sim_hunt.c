/* Many seeds, one after the other. */
#include "base/assert.h"
#include "sim/sim.h"

#include <string.h>
#include <time.h>

/* Processor time, not the world's: how long the hunt may take is nothing that a run can see. */
static uint64_t cpu_now(void) {
    struct timespec time;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
    return (uint64_t)time.tv_sec * 1000000000u + (uint64_t)time.tv_nsec;
}

static void add(struct sim_result *sum, const struct sim_result *one) {
    sum->events += one->events;
    sum->virtual_ns += one->virtual_ns;
    sum->ops_ok += one->ops_ok;
    sum->ops_failed += one->ops_failed;
    sum->ops_unknown += one->ops_unknown;
    sum->sessions_resumed += one->sessions_resumed;
    sum->sessions_expired += one->sessions_expired;
    sum->notifications += one->notifications;
    sum->elections += one->elections;
    sum->snapshots += one->snapshots;
    sum->installed += one->installed;
    sum->damage_found += one->damage_found;
    sum->damage_repaired += one->damage_repaired;
    sum->restarts += one->restarts;
    sum->undecided += one->undecided;
    sum->bytes += one->bytes;
    sum->foreign_refused += one->foreign_refused;
    sum->loads += one->loads;
    sum->rare_runs += one->rare_runs;
    for (int i = 0; i < RARE_COUNT; i++)
        sum->rare_hits[i] += one->rare_hits[i];
    for (int i = 0; i < SIM_AIM_COUNT; i++)
        sum->aims[i] += one->aims[i];
    for (int i = 0; i < SIM_FAULT_COUNT; i++)
        sum->faults[i] += one->faults[i];
}

static void run_one(struct sim_hunt *hunt, struct sim_result *result) {
    sim_run(&hunt->options, result);
    if (!hunt->twice || !result->ok)
        return;
    struct sim_result again;
    sim_run(&hunt->options, &again);
    if (again.event_hash == result->event_hash && again.ok == result->ok)
        return;
    result->ok = false;
    snprintf(result->reason, sizeof result->reason,
             "the same seed went another way the second time (event hash %016llx, then %016llx)",
             (unsigned long long)result->event_hash, (unsigned long long)again.event_hash);
}

void sim_hunt(struct sim_hunt *hunt) {
    uint64_t began = cpu_now();
    hunt->ok = true;
    hunt->runs = 0;
    memset(&hunt->sum, 0, sizeof hunt->sum);
    for (uint64_t seed = hunt->first; seed <= hunt->last; seed++) {
        struct sim_result result;
        hunt->options.seed = seed;
        run_one(hunt, &result);
        hunt->runs++;
        hunt->cpu_ns = cpu_now() - began;
        add(&hunt->sum, &result);
        if (!result.ok) {
            hunt->ok = false;
            hunt->failed_seed = seed;
            memcpy(hunt->sum.reason, result.reason, sizeof hunt->sum.reason);
            memcpy(hunt->sum.machine, result.machine, sizeof result.machine);
            memcpy(hunt->sum.protocol, result.protocol, sizeof result.protocol);
        }
        bool go_on = hunt->ran == NULL || hunt->ran(hunt->context, hunt, seed, &result);
        if (!hunt->ok || !go_on || (hunt->cpu_ns_max != 0 && hunt->cpu_ns >= hunt->cpu_ns_max))
            break;
    }
}
