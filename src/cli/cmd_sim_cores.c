/* cairn sim --cores: the second world of the simulator, protocol cores alone. */
#include "cli/cli.h"
#include "cli/sim_rare.h"
#include "cores/cores.h"
#include "node/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SEEDS_DEFAULT 20000u
#define REPLAYS_MAX 20000u
#define LINES_SHOWN 40

struct cores_command {
    const char *seeds, *protocol, *mutant, *scheduler, *save, *play;
    uint64_t minutes, seconds, replicas;
    bool log, json, rare, terminal;
    uint64_t last_shown_ns;
};

static bool ran(void *context, const struct cores_hunt *hunt, uint64_t seed) {
    struct cores_command *command = context;
    if (!command->terminal || hunt->cpu_ns - command->last_shown_ns < 200000000)
        return true;
    command->last_shown_ns = hunt->cpu_ns;
    fprintf(stderr, "\r%s: %" PRIu64 " runs, seed %" PRIu64 ", %" PRIu64 " million steps ",
            hunt->options.protocol->name, hunt->runs, seed, hunt->sum.steps / 1000000);
    return true;
}

/* The end of a text, by lines. */
static const char *tail_of(const struct buf *text, int lines) {
    const char *start = (const char *)text->data, *at = start + text->len;
    for (int seen = 0; at > start; at--)
        if (at[-1] == '\n' && seen++ == lines)
            break;
    return at;
}

/* The failing run as a short scenario. False: it can't be written to the file. */
static bool scenario_of(const struct cores_command *command, struct cores_hunt *hunt) {
    struct cores_world *world = cores_world_new();
    struct buf text = {0};
    size_t before = hunt->moves.count;
    cores_shrink(world, &hunt->setup, &hunt->moves, REPLAYS_MAX);
    cores_text_write(world, &hunt->setup, &hunt->moves, &text);
    bool written = true;
    if (command->save != NULL) {
        FILE *file = fopen(command->save, "w");
        written = file != NULL && fwrite(text.data, 1, text.len, file) == text.len;
        written &= file != NULL && fclose(file) == 0;
    } else {
        const char *tail = tail_of(&text, LINES_SHOWN);
        printf("%zu of its %zu moves do the same; the end of them (all: --save FILE):\n",
               hunt->moves.count, before);
        fwrite(tail, 1, (size_t)((const char *)text.data + text.len - tail), stdout);
    }
    buf_free(&text);
    cores_world_free(world);
    return written;
}

/* A guided run is not its seed's alone: it is repeated by what is saved. */
static void show_command(const struct cores_command *command, const struct cores_hunt *hunt) {
    printf("To repeat it:\n  cairn sim --cores --protocol %s --seeds %" PRIu64,
           hunt->options.protocol->name, hunt->seed);
    if (command->mutant != NULL)
        printf(" --mutant %s", command->mutant);
    if (command->scheduler != NULL)
        printf(" --scheduler %s", command->scheduler);
    if (command->replicas != 0)
        printf(" --nodes %" PRIu64, command->replicas);
    printf(" --log\n");
}

static void show_failure(const struct cores_command *command, struct cores_hunt *hunt) {
    printf("seed %" PRIu64 " of %s failed: %s: %s.\nThe rule: %s.\n", hunt->seed,
           hunt->options.protocol->name, hunt->sum.broken, hunt->sum.detail, hunt->sum.rule);
    if (!hunt->guided)
        show_command(command, hunt);
    if (!scenario_of(command, hunt))
        misuse("sim --cores", "can't write to %s", command->save);
}

/* ---- a scenario is played ---- */

static struct buf read_text(const char *path) {
    struct buf text = {0};
    FILE *file = fopen(path, "r");
    size_t got;
    while (file != NULL && (got = fread(buf_reserve(&text, 4096), 1, 4096, file)) > 0)
        text.len += got;
    if (file != NULL)
        fclose(file);
    buf_u8(&text, 0);
    return text;
}

static int play(const char *path) {
    struct buf text = read_text(path), log = {0};
    struct cores_setup setup;
    struct cores_moves moves = {0};
    struct cores_result result;
    unsigned line;
    int code;
    if (!cores_text_read((const char *)text.data, registry_protocol, &setup, &moves, &line)) {
        code = misuse("sim --cores", "%s: line %u is no part of a scenario of cores", path, line);
    } else {
        struct cores_world *world = cores_world_new();
        bool broken = cores_replay(world, &setup, &moves, &log, &result);
        fwrite(log.data, 1, log.len, stdout);
        if (broken)
            printf("%s: %s.\nThe rule: %s.\n", result.broken, result.detail, result.rule);
        else
            printf("everything held\n");
        code = broken ? EXIT_NO : EXIT_FINE;
        cores_world_free(world);
    }
    buf_free(&text);
    buf_free(&log);
    cores_moves_free(&moves);
    return code;
}

static void show_log(const struct cores_hunt *hunt, uint64_t seed) {
    struct cores_world *world = cores_world_new();
    struct cores_result result;
    struct buf log = {0};
    cores_run(world, &hunt->options, seed, NULL, &log, &result);
    cores_world_free(world);
    fwrite(log.data, 1, log.len, stdout);
    buf_free(&log);
}

static void show_json(const struct cores_hunt *hunt) {
    const struct cores_result *sum = &hunt->sum;
    printf("{\"protocol\":\"%s\",\"ok\":%s,\"runs\":%" PRIu64 ",\"cpu_s\":%.3f,\"steps\":%" PRIu64
           ",\"elections\":%" PRIu64 ",\"placed\":%" PRIu64 ",\"reads\":%" PRIu64,
           hunt->options.protocol->name, hunt->found ? "false" : "true", hunt->runs,
           (double)hunt->cpu_ns / 1e9, sum->steps, sum->elections, sum->placed, sum->reads);
    if (hunt->found)
        printf(",\"failed_seed\":%" PRIu64 ",\"reason\":\"%s\"", hunt->seed, sum->broken);
    printf("}\n");
}

static void show_sum(const struct cores_hunt *hunt) {
    const struct cores_result *sum = &hunt->sum;
    double cpu_s = (double)hunt->cpu_ns / 1e9;
    printf("%s: %" PRIu64 " runs, %" PRIu64 " steps in %.1f s of cpu (%.2f million a second); "
           "%" PRIu64 " elections, %" PRIu64 " commands placed, %" PRIu64 " reads\n",
           hunt->options.protocol->name, hunt->runs, sum->steps, cpu_s,
           (double)sum->steps / cpu_s / 1e6, sum->elections, sum->placed, sum->reads);
    if (hunt->guided)
        printf("%" PRIu64 " abstract states\n", hunt->seen);
}

static bool hunt_one(struct cores_command *command, struct cores_hunt hunt,
                     const struct protocol *protocol) {
    hunt.options.protocol = protocol;
    hunt.context = command;
    command->last_shown_ns = 0;
    if (command->log)
        show_log(&hunt, hunt.first);
    cores_hunt(&hunt);
    if (command->terminal)
        fprintf(stderr, "\r\033[K");
    if (command->json) {
        show_json(&hunt);
        cores_moves_free(&hunt.moves);
        return !hunt.found;
    }
    if (hunt.found)
        show_failure(command, &hunt);
    show_sum(&hunt);
    if (command->rare)
        sim_rare_print(hunt.sum.rare_hits);
    cores_moves_free(&hunt.moves);
    return !hunt.found;
}

/* The time is shared among the protocols. */
static int hunt_all(struct cores_command *command, struct cores_hunt *hunt) {
    size_t count = 0;
    bool fine = true;
    if (command->protocol != NULL)
        return hunt_one(command, *hunt, registry_protocol(command->protocol)) ? EXIT_FINE : EXIT_NO;
    while (registry_protocol_at(count) != NULL)
        count++;
    hunt->cpu_ns_max /= count;
    for (size_t i = 0; i < count; i++)
        fine &= hunt_one(command, *hunt, registry_protocol_at(i));
    return fine ? EXIT_FINE : EXIT_NO;
}

int cmd_sim_cores(int argc, char **argv) {
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "--exhaustive") == 0)
            return cmd_sim_search(argc, argv);
    struct cores_command command = {0};
    struct cores_hunt hunt = {
        .first = 1, .last = SEEDS_DEFAULT, .ran = ran, .options.scheduler = CORES_SCHEDULER_COUNT};
    bool cores;
    const struct flag flags[] = {{"cores", FLAG_SWITCH, &cores},
                                 {"seeds", FLAG_TEXT, &command.seeds},
                                 {"minutes", FLAG_NUMBER, &command.minutes},
                                 {"seconds", FLAG_NUMBER, &command.seconds},
                                 {"protocol", FLAG_TEXT, &command.protocol},
                                 {"mutant", FLAG_TEXT, &command.mutant},
                                 {"scheduler", FLAG_TEXT, &command.scheduler},
                                 {"nodes", FLAG_NUMBER, &command.replicas},
                                 {"save", FLAG_TEXT, &command.save},
                                 {"play", FLAG_TEXT, &command.play},
                                 {"guided", FLAG_SWITCH, &hunt.guided},
                                 {"log", FLAG_SWITCH, &command.log},
                                 {"rare", FLAG_SWITCH, &command.rare},
                                 {"json", FLAG_SWITCH, &command.json}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("sim --cores", "unexpected '%s'", argv[1]);
    if (command.play != NULL)
        return play(command.play);
    if (command.seeds != NULL && !seeds_parse(command.seeds, &hunt.first, &hunt.last))
        return misuse("sim --cores", "--seeds wants a number or a range such as 1-1000, not '%s'",
                      command.seeds);
    if (command.protocol != NULL && registry_protocol(command.protocol) == NULL)
        return misuse("sim --cores", "there is no protocol '%s'", command.protocol);
    if (!mutant_parse("sim --cores", command.mutant, &hunt.options.mutant))
        return EXIT_MISUSE;
    if (command.scheduler != NULL &&
        !cores_scheduler_find(command.scheduler, &hunt.options.scheduler))
        return misuse("sim --cores", "there is no scheduler '%s' (there are: walk, pct, delay)",
                      command.scheduler);
    if (command.replicas > 5)
        return misuse("sim --cores", "--nodes is a number from 1 to 5");
    command.terminal = isatty(STDERR_FILENO) && !command.log && !command.json;
    hunt.options.replicas = (unsigned)command.replicas;
    hunt.cpu_ns_max = (command.minutes * 60 + command.seconds) * 1000000000;
    if (hunt.cpu_ns_max != 0 && command.seeds == NULL)
        hunt.last = UINT64_MAX - 1;
    return hunt_all(&command, &hunt);
}
