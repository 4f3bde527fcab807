/* cairn sim --power: how soon the simulator finds each seeded bug, in whichever of its worlds. */
#include "cli/cli.h"
#include "cli/sim_chase.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define MINUTES_DEFAULT 10u
#define STARTS_DEFAULT 3u
#define STARTS_MAX 15u
#define STARTS_APART 1000000u

struct power_command {
    const char *seeds, *mutant, *focus;
    enum sim_focus_asked focus_asked;
    uint64_t minutes, seconds, starts, first, cpu_ns_max;
    bool power, json;
};

/* Of one bug, from all starts. */
struct power {
    enum mutant mutant;
    double seconds; /* median of the starts; one that found nothing counts as the whole budget */
    unsigned found; /* starts */
    struct chase first; /* that found it */
    struct chase plain; /* that met a failure without the bug */
};

static int by_value(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void show_text(const char *name, const char *text) {
    printf(",\"%s\":\"", name);
    for (; *text; text++)
        putchar(*text == '"' || *text == '\\' || *text < ' ' ? '\'' : *text);
    putchar('"');
}

/* Of each start. */
static void show_json(const struct chase *one) {
    printf("{\"mutant\":\"%s\",\"grade\":\"%s\",\"first\":%" PRIu64
           ",\"budget_s\":%.0f,\"found\":%s,\"seconds\":%.2f",
           mutant_name(one->mutant), mutant_grade_name(mutant_grade(one->mutant)), one->first,
           (double)one->cpu_ns_max / 1e9, one->found ? "true" : "false", (double)one->cpu_ns / 1e9);
    if (one->found) {
        printf(",\"seed\":%" PRIu64 ",\"world_seconds\":%.2f", one->seed,
               (double)one->world_cpu_ns / 1e9);
        show_text("world", chase_world_name(one->world));
        show_text("reason", one->reason);
    }
    if (one->plain > 0) {
        printf(",\"plain\":%u,\"plain_seed\":%" PRIu64, one->plain, one->plain_seed);
        show_text("plain_world", chase_world_name(one->plain_world));
    }
    printf("}\n");
    fflush(stdout);
}

static void measure(const struct power_command *command, struct power *power) {
    double seconds[STARTS_MAX];
    for (uint64_t i = 0; i < command->starts; i++) {
        struct chase one = {.mutant = power->mutant,
                            .focus = command->focus_asked,
                            .first = command->first + i * STARTS_APART,
                            .cpu_ns_max = command->cpu_ns_max};
        chase(&one);
        if (command->json)
            show_json(&one);
        if (one.found && power->found++ == 0)
            power->first = one;
        if (one.plain > 0)
            power->plain = one;
        seconds[i] = (double)(one.found ? one.cpu_ns : one.cpu_ns_max) / 1e9;
    }
    qsort(seconds, command->starts, sizeof *seconds, by_value);
    power->seconds = seconds[command->starts / 2];
}

static bool counts(const struct power_command *command, const struct power *power) {
    return 2 * power->found > command->starts;
}

static void show(const struct power_command *command, const struct power *power) {
    printf("%-6s  %-28s ", mutant_grade_name(mutant_grade(power->mutant)),
           mutant_name(power->mutant));
    if (counts(command, power))
        printf("%7.1f s ", power->seconds);
    else
        printf("not found ");
    printf(" %u of %" PRIu64, power->found, command->starts);
    if (power->found > 0)
        printf("  %s, seed %" PRIu64 " after %.1f s of %.1f: %.100s",
               chase_world_name(power->first.world), power->first.seed,
               (double)power->first.world_cpu_ns / 1e9, (double)power->first.cpu_ns / 1e9,
               power->first.reason);
    printf("\n");
    if (power->plain.plain > 0)
        printf("        fails without it as well: %s, seed %" PRIu64 "\n",
               chase_world_name(power->plain.plain_world), power->plain.plain_seed);
    fflush(stdout);
}

static int measure_all(const struct power_command *command, enum mutant asked) {
    double medians[MUTANT_COUNT], sum = 0;
    size_t count = 0, found = 0;
    for (int i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++) {
        if (asked != MUTANT_NONE && asked != (enum mutant)i)
            continue;
        struct power power = {.mutant = (enum mutant)i};
        measure(command, &power);
        if (!command->json)
            show(command, &power);
        found += counts(command, &power);
        sum += power.seconds;
        medians[count++] = power.seconds;
    }
    qsort(medians, count, sizeof *medians, by_value);
    if (!command->json)
        printf("%zu of %zu found within %.0f s of a core each; median %.1f s, together %.0f s\n",
               found, count, (double)command->cpu_ns_max / 1e9, medians[count / 2], sum);
    return found == count ? EXIT_FINE : EXIT_NO;
}

int cmd_sim_power(int argc, char **argv) {
    struct power_command command = {.seeds = "1000001", .starts = STARTS_DEFAULT};
    enum mutant mutant = MUTANT_NONE;
    uint64_t last;
    const struct flag flags[] = {
        {"power", FLAG_SWITCH, &command.power},     {"seeds", FLAG_TEXT, &command.seeds},
        {"minutes", FLAG_NUMBER, &command.minutes}, {"seconds", FLAG_NUMBER, &command.seconds},
        {"starts", FLAG_NUMBER, &command.starts},   {"mutant", FLAG_TEXT, &command.mutant},
        {"json", FLAG_SWITCH, &command.json},       {"focus", FLAG_TEXT, &command.focus}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("sim --power", "unexpected '%s'", argv[1]);
    if (!seeds_parse(command.seeds, &command.first, &last))
        return misuse("sim --power", "--seeds wants a number, not '%s'", command.seeds);
    if (!mutant_parse("sim --power", command.mutant, &mutant))
        return EXIT_MISUSE;
    if (command.starts == 0 || command.starts > STARTS_MAX)
        return misuse("sim --power", "--starts is a number from 1 to %u", STARTS_MAX);
    if (command.focus != NULL && !sim_focus_find(command.focus, &command.focus_asked))
        return misuse("sim --power", "--focus is drawn, none or always, not '%s'", command.focus);
    if (command.minutes == 0 && command.seconds == 0)
        command.minutes = MINUTES_DEFAULT;
    command.cpu_ns_max = (command.minutes * 60 + command.seconds) * 1000000000u;
    return measure_all(&command, mutant);
}
