/* cairn sim --power: how soon the simulator finds each seeded bug. A bug may end the process that
 * has it, so each hunt is a process of its own. */
#include "cli/sim_power.h"

#include "base/assert.h"
#include "cli/cli.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define STARTS 3u
#define STARTS_APART 1000000u

/* What a hunt tells of itself. */
struct find {
    bool found, plain_fails; /* plain: the same seed without the bug */
    uint64_t cpu_ns, seed;
    char reason[200];
};

struct power {
    double seconds; /* median of the starts; those that found nothing count as the whole budget */
    unsigned found; /* starts */
    struct find first;
};

static void hunt_one(const struct sim_hunt *asked, enum mutant mutant, uint64_t first, int out) {
    struct sim_hunt hunt = *asked;
    struct find find = {0};
    hunt.options.mutant = mutant;
    hunt.first = first;
    hunt.last = first + STARTS_APART - 1;
    sim_hunt(&hunt);
    find.found = !hunt.ok;
    find.cpu_ns = hunt.cpu_ns;
    if (find.found) {
        struct sim_options plain = {
            .seed = hunt.failed_seed, .machine = hunt.sum.machine, .protocol = hunt.sum.protocol};
        struct sim_result result;
        sim_run(&plain, &result);
        find.plain_fails = !result.ok;
        find.seed = hunt.failed_seed;
        snprintf(find.reason, sizeof find.reason, "%.199s", hunt.sum.reason);
    }
    cairn_assert(write(out, &find, sizeof find) == (ssize_t)sizeof find);
    _exit(0);
}

static uint64_t cpu_of(const struct rusage *usage) {
    return ((uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec) * 1000u;
}

/* A process that ended by a signal found it too: an assertion of the code's own, or worse. */
static void hunt_apart(const struct sim_hunt *hunt, enum mutant mutant, uint64_t first,
                       struct find *find) {
    int ends[2], status = 0;
    struct rusage usage;
    cairn_assert(pipe(ends) == 0);
    fflush(stdout);
    pid_t child = fork();
    cairn_assert(child >= 0);
    if (child == 0) {
        if (freopen("/dev/null", "w", stderr) == NULL)
            _exit(1);
        hunt_one(hunt, mutant, first, ends[1]);
    }
    close(ends[1]);
    bool told = read(ends[0], find, sizeof *find) == (ssize_t)sizeof *find;
    close(ends[0]);
    cairn_assert(wait4(child, &status, 0, &usage) == child);
    if (told)
        return;
    *find = (struct find){.found = WIFSIGNALED(status), .cpu_ns = cpu_of(&usage)};
    snprintf(find->reason, sizeof find->reason, "the process ended by signal %d",
             WIFSIGNALED(status) ? WTERMSIG(status) : 0);
}

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static struct power measure(const struct sim_hunt *hunt, enum mutant mutant) {
    struct power power = {0};
    double seconds[STARTS];
    for (unsigned i = 0; i < STARTS; i++) {
        struct find find;
        hunt_apart(hunt, mutant, hunt->first + (uint64_t)i * STARTS_APART, &find);
        bool counts = find.found && !find.plain_fails;
        if (counts && power.found++ == 0)
            power.first = find;
        else if (find.plain_fails)
            power.first = find;
        seconds[i] = (double)(counts ? find.cpu_ns : hunt->cpu_ns_max) / 1e9;
    }
    qsort(seconds, STARTS, sizeof *seconds, by_value);
    power.seconds = seconds[STARTS / 2];
    return power;
}

static void show(enum mutant mutant, const struct power *power) {
    printf("%-6s  ", mutant_grade_name(mutant_grade(mutant)));
    if (2 * power->found > STARTS)
        printf("%-28s %7.1f s  %u of %u  seed %" PRIu64 ": %.100s\n", mutant_name(mutant),
               power->seconds, power->found, STARTS, power->first.seed, power->first.reason);
    else
        printf("%-28s not found, %u of %u%s%.100s\n", mutant_name(mutant), power->found, STARTS,
               power->first.plain_fails ? "; without it as well: " : "  ", power->first.reason);
    fflush(stdout);
}

int sim_power(const struct sim_hunt *hunt) {
    double medians[MUTANT_COUNT], sum = 0;
    size_t count = 0, found = 0;
    for (int i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++) {
        if (hunt->options.mutant != MUTANT_NONE && hunt->options.mutant != (enum mutant)i)
            continue;
        struct power power = measure(hunt, (enum mutant)i);
        show((enum mutant)i, &power);
        found += 2 * power.found > STARTS;
        sum += power.seconds;
        medians[count++] = power.seconds;
    }
    qsort(medians, count, sizeof *medians, by_value);
    printf("%zu of %zu found within %.0f s of a core each; median %.1f s, together %.0f s\n", found,
           count, (double)hunt->cpu_ns_max / 1e9, medians[count / 2], sum);
    return found == count ? EXIT_FINE : EXIT_NO;
}
