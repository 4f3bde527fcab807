/* cairn sim: the simulator over a range of seeds. */
#include "cli/cli.h"
#include "cli/sim_rare.h"
#include "cli/sim_small.h"
#include "node/registry.h"
#include "sim/sim.h"
#include "sim/sim_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LOG_LINES 60
#define CLIENTS_MAX 64u /* of each of two machines */

struct sim_command {
    const char *seeds, *mutant, *history, *scenario, *plan, *protocol, *machine, *faults;
    const char *node_count, *points, *aims, *focus;
    uint64_t minutes, nodes, clients, length;
    bool log, json, once, describe, shrink, rare;
    bool terminal;
    uint64_t last_shown_ns;
};

bool seeds_parse(const char *text, uint64_t *first, uint64_t *last) {
    const char *dash = strchr(text, '-');
    char head[24];
    if (dash == NULL)
        return parse_number(text, first) && parse_number(text, last);
    size_t len = (size_t)(dash - text);
    if (len == 0 || len >= sizeof head)
        return false;
    memcpy(head, text, len);
    head[len] = 0;
    return parse_number(head, first) && parse_number(dash + 1, last) && *first <= *last;
}

bool mutant_parse(const char *subcommand, const char *name, enum mutant *mutant) {
    if (name == NULL || mutant_find(name, mutant))
        return true;
    misuse(subcommand, "there is no mutant '%s'; there are:", name);
    for (int i = MUTANT_NONE + 1; i < MUTANT_COUNT; i++)
        fprintf(stderr, "  %-6s  %-28s  %s\n", mutant_grade_name(mutant_grade((enum mutant)i)),
                mutant_name((enum mutant)i), mutant_text((enum mutant)i));
    return false;
}

static bool ran(void *context, const struct sim_hunt *hunt, uint64_t seed,
                const struct sim_result *result) {
    struct sim_command *command = context;
    if (!command->terminal || hunt->cpu_ns - command->last_shown_ns < 200000000)
        return true;
    command->last_shown_ns = hunt->cpu_ns;
    fprintf(stderr,
            "\r%" PRIu64 " runs, seed %" PRIu64 ", %" PRIu64 " operations, %" PRIu64 " s of cpu ",
            hunt->runs, seed, hunt->sum.ops_ok, hunt->cpu_ns / 1000000000);
    return true;
}

/* The same run again, to see its end. */
static void show_log(const struct sim_options *options) {
    struct sim_options again = *options;
    struct sim_result result;
    char *text = NULL;
    size_t size = 0;
    again.log = open_memstream(&text, &size);
    again.history = NULL;
    sim_run(&again, &result);
    fclose(again.log);
    const char *from = text + size;
    for (int lines = 0; from > text; from--)
        if (from[-1] == '\n' && lines++ == LOG_LINES)
            break;
    fputs(from, stdout);
    free(text);
}

static void show_failure(const struct sim_command *command, struct sim_hunt *hunt) {
    hunt->options.seed = hunt->failed_seed;
    printf("seed %" PRIu64 " failed: %s\n\nThe run had:\n", hunt->failed_seed, hunt->sum.reason);
    sim_describe(&hunt->options, stdout);
    printf("\nIts end:\n");
    show_log(&hunt->options);
    printf("\nTo repeat it:\n  cairn sim --seeds %" PRIu64, hunt->failed_seed);
    if (command->mutant != NULL)
        printf(" --mutant %s", command->mutant);
    if (command->scenario != NULL)
        printf(" --scenario %s", command->scenario);
    if (command->nodes != 0)
        printf(" --nodes %" PRIu64, command->nodes);
    if (command->protocol != NULL)
        printf(" --protocol %s", command->protocol);
    if (command->machine != NULL)
        printf(" --machine %s", command->machine);
    if (command->faults != NULL)
        printf(" --faults %s", command->faults);
    if (command->points != NULL)
        printf(" --points %s", command->points);
    if (command->aims != NULL)
        printf(" --aim %s", command->aims);
    if (command->focus != NULL)
        printf(" --focus %s", command->focus);
    printf(" --log\n");
}

static void show_faults(const struct sim_result *sum) {
    printf("faults:");
    for (int kind = 0; kind < SIM_FAULT_COUNT; kind++)
        if (sum->faults[kind] > 0)
            printf(" %s %" PRIu64, sim_fault_name((enum sim_fault)kind), sum->faults[kind]);
    printf("\n");
}

static bool parse_points(const char *text, enum sim_rare *rare) {
    static const char *const names[] = {"drawn", "none", "always"};
    for (int i = 0; i < 3; i++)
        if (strcmp(text, names[i]) == 0) {
            *rare = (enum sim_rare)i;
            return true;
        }
    return false;
}

static void show_aims(const struct sim_result *sum) {
    printf("with aim:");
    for (int row = 0; row < SIM_AIM_COUNT; row++)
        if (sum->aims[row] > 0)
            printf(" %s %" PRIu64, sim_aim_name((enum sim_aim_row)row), sum->aims[row]);
    printf("\n");
}

static void show_json(const struct sim_hunt *hunt) {
    const struct sim_result *sum = &hunt->sum;
    printf("{\"ok\":%s,\"runs\":%" PRIu64 ",\"cpu_s\":%.3f,\"virtual_s\":%.3f,\"events\":%" PRIu64
           ",\"ops_ok\":%" PRIu64 ",\"ops_failed\":%" PRIu64 ",\"ops_unknown\":%" PRIu64
           ",\"elections\":%" PRIu64 ",\"undecided\":%" PRIu64,
           hunt->ok ? "true" : "false", hunt->runs, (double)hunt->cpu_ns / 1e9,
           (double)sum->virtual_ns / 1e9, sum->events, sum->ops_ok, sum->ops_failed,
           sum->ops_unknown, sum->elections, sum->undecided);
    if (!hunt->ok)
        printf(",\"failed_seed\":%" PRIu64 ",\"reason\":\"", hunt->failed_seed);
    for (const char *at = hunt->ok ? "" : sum->reason; *at; at++)
        putchar(*at == '"' || *at == '\\' || *at < ' ' ? '\'' : *at);
    printf("%s}\n", hunt->ok ? "" : "\"");
}

static void show_sum(const struct sim_hunt *hunt) {
    const struct sim_result *sum = &hunt->sum;
    double cpu_s = (double)hunt->cpu_ns / 1e9;
    printf("%" PRIu64 " runs, %.0f s of virtual time in %.1f s of cpu (%.0f times faster), %.2f "
           "million events a second\n",
           hunt->runs, (double)sum->virtual_ns / 1e9, cpu_s, (double)sum->virtual_ns / 1e9 / cpu_s,
           (double)sum->events / cpu_s / 1e6);
    printf("%" PRIu64 " operations, %" PRIu64 " refused, %" PRIu64 " of unknown fate; %" PRIu64
           " histories undecided\n%" PRIu64 " elections, %" PRIu64 " starts, %" PRIu64
           " snapshots, %" PRIu64 " installed from peers; damage found while running %" PRIu64
           " times, repaired %" PRIu64 "\n",
           sum->ops_ok, sum->ops_failed, sum->ops_unknown, sum->undecided, sum->elections,
           sum->restarts, sum->snapshots, sum->installed, sum->damage_found, sum->damage_repaired);
    printf("%" PRIu64 " sessions resumed, %" PRIu64 " expired, %" PRIu64 " notifications\n",
           sum->sessions_resumed, sum->sessions_expired, sum->notifications);
    show_faults(sum);
    show_aims(sum);
}

static bool parse_scenario(const char *text, enum sim_scenario *scenario) {
    static const char *const names[] = {"swarm", "calm", "all-damaged", "full"};
    for (int i = 0; i < SIM_SCENARIO_COUNT; i++)
        if (strcmp(text, names[i]) == 0) {
            *scenario = (enum sim_scenario)i;
            return true;
        }
    return false;
}

static bool take_fault(struct bytes name, uint64_t *mask) {
    for (int i = 0; i < SIM_FAULT_COUNT; i++) {
        const char *known = sim_fault_name((enum sim_fault)i);
        if (strlen(known) == name.len && memcmp(known, name.data, name.len) == 0) {
            *mask |= 1ull << i;
            return true;
        }
    }
    return false;
}

/* Names between commas. */
static bool parse_faults(const char *text, uint64_t *mask) {
    for (size_t len; *text != 0; text += len + (text[len] != 0)) {
        len = strcspn(text, ",");
        if (!take_fault(bytes_of(text, len), mask))
            return false;
    }
    return true;
}

static bool take_aim(struct bytes name, uint32_t *mask) {
    for (int i = 0; i < SIM_AIM_COUNT; i++)
        if (bytes_equal(name, bytes_cstr(sim_aim_name((enum sim_aim_row)i)))) {
            *mask |= 1u << i;
            return true;
        }
    return false;
}

static bool parse_aims(const char *text, uint32_t *mask) {
    if (strcmp(text, "none") == 0)
        *mask = SIM_AIM_NONE;
    for (size_t len; *mask != SIM_AIM_NONE && *text != 0; text += len + (text[len] != 0)) {
        len = strcspn(text, ",");
        if (!take_aim(bytes_of(text, len), mask))
            return false;
    }
    return true;
}

/* The faults, the length and the nodes of a plan; what clients do is the simulator's own. */
static bool take_plan(const char *path, struct plan *plan, struct sim_options *options) {
    char error[300];
    struct buf text = {0};
    FILE *file = fopen(path, "r");
    size_t got;
    while (file != NULL && (got = fread(buf_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += got;
    bool readable = file != NULL && !ferror(file);
    int why = errno;
    if (file != NULL)
        fclose(file);
    bool ok = readable && plan_parse(plan, buf_view(&text), error, sizeof error);
    buf_free(&text);
    if (!readable)
        misuse("sim", "can't read the plan %s: %s", path, strerror(why));
    else if (!ok)
        misuse("sim", "%s: %s", path, error);
    options->plan = plan;
    options->fault_ms = SIM_PLAN_START_MS + (plan->run.time_ms ? plan->run.time_ms : 20000);
    return ok;
}

static int run(struct sim_command *command, struct sim_hunt *hunt) {
    if (command->describe) {
        hunt->options.seed = hunt->first;
        sim_describe(&hunt->options, stdout);
        return EXIT_FINE;
    }
    if (command->shrink)
        return sim_small(hunt);
    sim_hunt(hunt);
    if (command->terminal)
        fprintf(stderr, "\r\033[K");
    if (command->json)
        show_json(hunt);
    else if (!hunt->ok && command->log)
        printf("seed %" PRIu64 " failed: %s\n", hunt->failed_seed, hunt->sum.reason);
    else if (!hunt->ok)
        show_failure(command, hunt);
    if (!command->json)
        show_sum(hunt);
    if (command->rare)
        sim_rare_print(hunt->sum.rare_hits);
    return hunt->ok ? EXIT_FINE : EXIT_NO;
}

int cmd_sim(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--cores") == 0)
            return cmd_sim_cores(argc, argv);
        else if (strcmp(argv[i], "--power") == 0)
            return cmd_sim_power(argc, argv);
    struct sim_command command = {.seeds = "1-100"};
    struct sim_hunt hunt = {0};
    const struct flag flags[] = {
        {"seeds", FLAG_TEXT, &command.seeds},     {"minutes", FLAG_NUMBER, &command.minutes},
        {"mutant", FLAG_TEXT, &command.mutant},   {"log", FLAG_SWITCH, &command.log},
        {"history", FLAG_TEXT, &command.history}, {"nodes", FLAG_TEXT, &command.node_count},
        {"json", FLAG_SWITCH, &command.json},     {"scenario", FLAG_TEXT, &command.scenario},
        {"once", FLAG_SWITCH, &command.once},     {"describe", FLAG_SWITCH, &command.describe},
        {"plan", FLAG_TEXT, &command.plan},       {"protocol", FLAG_TEXT, &command.protocol},
        {"machine", FLAG_TEXT, &command.machine}, {"faults", FLAG_TEXT, &command.faults},
        {"shrink", FLAG_SWITCH, &command.shrink}, {"clients", FLAG_NUMBER, &command.clients},
        {"length", FLAG_NUMBER, &command.length}, {"rare", FLAG_SWITCH, &command.rare},
        {"points", FLAG_TEXT, &command.points},   {"aim", FLAG_TEXT, &command.aims},
        {"focus", FLAG_TEXT, &command.focus}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("sim", "unexpected '%s'", argv[1]);
    if (!seeds_parse(command.seeds, &hunt.first, &hunt.last))
        return misuse("sim", "--seeds wants a number or a range such as 1-1000, not '%s'",
                      command.seeds);
    if (!mutant_parse("sim", command.mutant, &hunt.options.mutant))
        return EXIT_MISUSE;
    if (command.scenario != NULL && !parse_scenario(command.scenario, &hunt.options.scenario))
        return misuse("sim",
                      "there is no scenario '%s' (there are: swarm, calm, all-damaged, full)",
                      command.scenario);
    if (command.faults != NULL && !parse_faults(command.faults, &hunt.options.fault_mask))
        return misuse("sim",
                      "--faults wants names between commas, as the last line of a run has them");
    if (command.aims != NULL && !parse_aims(command.aims, &hunt.options.aim_mask)) {
        sim_aim_list(stderr);
        return misuse("sim", "--aim wants 'none', or names between commas, of those above");
    }
    if (command.points != NULL && !parse_points(command.points, &hunt.options.rare))
        return misuse("sim", "--points is drawn, none or always, not '%s'", command.points);
    if (command.focus != NULL && !sim_focus_find(command.focus, &hunt.options.focus))
        return misuse("sim", "--focus is drawn, none or always, not '%s'", command.focus);
    if (command.protocol != NULL && registry_protocol(command.protocol) == NULL)
        return misuse("sim", "there is no protocol '%s'", command.protocol);
    if (command.machine != NULL && registry_machine(command.machine) == NULL)
        return misuse("sim", "there is no machine '%s'", command.machine);
    if (command.node_count != NULL && (!parse_number(command.node_count, &command.nodes) ||
                                       command.nodes == 0 || command.nodes > 7))
        return misuse("sim", "--nodes is a number from 1 to 7, not '%s'", command.node_count);
    static struct plan plan; /* large; there is one */
    if (command.plan != NULL && !take_plan(command.plan, &plan, &hunt.options))
        return EXIT_MISUSE;
    if (command.history != NULL) {
        hunt.options.history = fopen(command.history, "w");
        if (hunt.options.history == NULL)
            return misuse("sim", "can't write to %s", command.history);
    }
    command.terminal = isatty(STDERR_FILENO) && !command.log && !command.json;
    if (command.clients > CLIENTS_MAX)
        return misuse("sim", "--clients is a number up to %u", CLIENTS_MAX);
    hunt.options.nodes = (unsigned)command.nodes;
    hunt.options.clients = (uint32_t)command.clients;
    if (command.length != 0)
        hunt.options.fault_ms = command.length;
    hunt.options.protocol = command.protocol;
    hunt.options.machine = command.machine;
    hunt.options.log = command.log ? stdout : NULL;
    hunt.cpu_ns_max = command.minutes * 60 * 1000000000;
    hunt.twice = !command.once && !command.log && hunt.options.history == NULL;
    hunt.ran = ran;
    hunt.context = &command;
    int code = run(&command, &hunt);
    if (hunt.options.history != NULL)
        fclose(hunt.options.history);
    return code;
}
