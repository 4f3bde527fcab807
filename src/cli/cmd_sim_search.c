/* cairn sim --cores --exhaustive: all schedules of a small configuration. */
#include "cli/cli.h"
#include "cores/cores_search.h"
#include "node/registry.h"

#include <inttypes.h>
#include <stdio.h>
#include <unistd.h>

#define MEMORY_MB_DEFAULT 2048u

struct search_command {
    const char *protocol, *mutant, *save;
    uint64_t minutes, seconds, memory_mb;
    uint64_t replicas, elections, entries, reads, crashes, lost, ticks, overtaking, late;
    bool cores, exhaustive, terminal;
    uint64_t last_shown_ns;
};

static void told(void *context, const struct cores_search *search) {
    struct search_command *command = context;
    if (!command->terminal || search->cpu_ns - command->last_shown_ns < 500000000)
        return;
    command->last_shown_ns = search->cpu_ns;
    fprintf(stderr, "\r%s: %" PRIu64 " states, %" PRIu64 " transitions, %zu MB ",
            search->protocol->name, search->states, search->transitions,
            search->memory_bytes >> 20);
}

static void show_breach(const struct search_command *command, struct cores_search *search) {
    struct cores_world *world = cores_world_new();
    struct buf text = {0};
    printf("%s: %s: %s.\nThe rule: %s.\n", search->protocol->name, search->result.broken,
           search->result.detail, search->result.rule);
    cores_text_write(world, &search->setup, &search->moves, &text);
    FILE *file = command->save != NULL ? fopen(command->save, "w") : stdout;
    if (file == NULL || fwrite(text.data, 1, text.len, file) != text.len)
        misuse("sim --cores", "can't write to %s", command->save);
    if (file != NULL && file != stdout)
        fclose(file);
    buf_free(&text);
    cores_world_free(world);
}

static int search_one(struct search_command *command, const struct protocol *protocol,
                      enum mutant mutant) {
    struct cores_search search = {
        .protocol = protocol,
        .mutant = mutant,
        .bounds = {(unsigned)command->replicas, (unsigned)command->elections,
                   (unsigned)command->entries, (unsigned)command->reads, (unsigned)command->crashes,
                   (unsigned)command->lost, (unsigned)command->ticks, (unsigned)command->overtaking,
                   (unsigned)command->late},
        .cpu_ns_max = (command->minutes * 60 + command->seconds) * 1000000000,
        .memory_max = command->memory_mb << 20,
        .told = told,
        .context = command};
    command->last_shown_ns = 0;
    cores_search(&search);
    if (command->terminal)
        fprintf(stderr, "\r\033[K");
    if (search.result.broken != NULL)
        show_breach(command, &search);
    printf("%s: %s: %" PRIu64 " states, %" PRIu64
           " transitions, depth %zu, %u states of single replicas, %zu MB, %.1f s of cpu\n",
           protocol->name,
           search.result.broken != NULL ? "broken"
           : search.complete            ? "complete, everything held"
                                        : "not complete",
           search.states, search.transitions, search.depth, search.locals,
           search.memory_bytes >> 20, (double)search.cpu_ns / 1e9);
    cores_moves_free(&search.moves);
    return search.result.broken != NULL ? EXIT_NO : search.complete ? EXIT_FINE : EXIT_UNDECIDED;
}

int cmd_sim_search(int argc, char **argv) {
    struct search_command command = {.replicas = 3,
                                     .elections = 2,
                                     .entries = 2,
                                     .ticks = UINT64_MAX,
                                     .memory_mb = MEMORY_MB_DEFAULT};
    enum mutant mutant = MUTANT_NONE;
    const struct flag flags[] = {{"cores", FLAG_SWITCH, &command.cores},
                                 {"exhaustive", FLAG_SWITCH, &command.exhaustive},
                                 {"protocol", FLAG_TEXT, &command.protocol},
                                 {"mutant", FLAG_TEXT, &command.mutant},
                                 {"save", FLAG_TEXT, &command.save},
                                 {"minutes", FLAG_NUMBER, &command.minutes},
                                 {"seconds", FLAG_NUMBER, &command.seconds},
                                 {"memory", FLAG_NUMBER, &command.memory_mb},
                                 {"nodes", FLAG_NUMBER, &command.replicas},
                                 {"elections", FLAG_NUMBER, &command.elections},
                                 {"entries", FLAG_NUMBER, &command.entries},
                                 {"reads", FLAG_NUMBER, &command.reads},
                                 {"crashes", FLAG_NUMBER, &command.crashes},
                                 {"lost", FLAG_NUMBER, &command.lost},
                                 {"ticks", FLAG_NUMBER, &command.ticks},
                                 {"overtaking", FLAG_NUMBER, &command.overtaking},
                                 {"late", FLAG_NUMBER, &command.late}};
    if (!flags_parse(&argc, argv, flags, sizeof flags / sizeof *flags))
        return EXIT_MISUSE;
    if (argc > 1)
        return misuse("sim --cores", "unexpected '%s'", argv[1]);
    if (command.protocol == NULL || registry_protocol(command.protocol) == NULL)
        return misuse("sim --cores", "--exhaustive wants --protocol, raft or zab");
    if (!mutant_parse("sim --cores", command.mutant, &mutant))
        return EXIT_MISUSE;
    if (command.ticks == UINT64_MAX)
        command.ticks = command.elections + 1;
    if (command.replicas < 1 || command.replicas > 5 || command.elections > 20 ||
        command.entries > 20 || command.reads > 20 || command.crashes > 20 || command.lost > 200 ||
        command.late > 200 || command.overtaking > 200 || command.ticks > 200)
        return misuse("sim --cores", "--nodes is 1 to 5, elections, entries, reads and crashes are "
                                     "at most 20, each other bound at most 200");
    command.terminal = isatty(STDERR_FILENO);
    return search_one(&command, registry_protocol(command.protocol), mutant);
}
