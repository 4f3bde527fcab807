/* A schedule as a text that a reader can follow and cairn sim --cores --play can play: lines that
 * begin with "> " are what is done, all others tell what happened, or comment. */
#include "cores/cores.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LINE_MAX_BYTES 256u

static void write_setup(const struct cores_setup *setup, struct buf *out) {
    buf_printf(out, "> group %s voters=%u learners=%u spare=%u seed=%" PRIu64 " small=%d",
               setup->protocol->name, setup->voters, setup->learners, setup->spare, setup->seed,
               setup->small);
    if (setup->rare)
        buf_printf(out, " rare=1");
    if (setup->own_time)
        buf_printf(out, " own_time=1");
    if (setup->loss != CORES_LOSS_HARD)
        buf_printf(out, " loss=%d", (int)setup->loss);
    if (setup->mutant != MUTANT_NONE)
        buf_printf(out, " mutant=%s", mutant_name(setup->mutant));
    buf_printf(out, "\n");
    unsigned count = setup->voters + setup->learners + setup->spare;
    for (unsigned id = 1; id <= count; id++)
        buf_printf(out, "> node %u leases=%d clock=%d election=%u%s\n", id, setup->leases >> id & 1,
                   setup->clock_ppm[id], setup->election_ms[id],
                   setup->slow >> id & 1 ? " slow=1" : "");
}

void cores_text_write(struct cores_world *world, const struct cores_setup *setup,
                      const struct cores_moves *moves, struct buf *out) {
    struct cores_result result;
    cores_replay(world, setup, moves, NULL, &result);
    if (result.broken != NULL)
        buf_printf(out, "# %s: %s.\n# The rule: %s.\n\n", result.broken, result.detail,
                   result.rule);
    write_setup(setup, out);
    cores_replay(world, setup, moves, out, &result);
    world->log = NULL;
}

/* ---- reading ---- */

static bool word_value(const char *line, const char *name, long long *value) {
    char pattern[24];
    snprintf(pattern, sizeof pattern, " %s=", name);
    const char *at = strstr(line, pattern);
    if (at == NULL)
        return false;
    char *end;
    *value = strtoll(at + strlen(pattern), &end, 10);
    return *end == 0 || *end == ' ';
}

static bool read_group(const char *line, cores_find_protocol *find, struct cores_setup *setup) {
    char name[24], mutant[64];
    long long voters, learners, spare, seed, small, own_time = 0, rare = 0, loss = 0;
    const char *word = strstr(line, " mutant=");
    if (sscanf(line, "> group %23s", name) != 1 || !word_value(line, "voters", &voters) ||
        !word_value(line, "learners", &learners) || !word_value(line, "spare", &spare) ||
        !word_value(line, "seed", &seed) || !word_value(line, "small", &small))
        return false;
    if (voters < 1 || learners < 0 || spare < 0 || voters > CORES_NODES_MAX ||
        learners > CORES_NODES_MAX || voters + learners + spare > CORES_NODES_MAX)
        return false;
    *setup = (struct cores_setup){.protocol = find(name),
                                  .seed = (uint64_t)seed,
                                  .voters = (unsigned)voters,
                                  .learners = (unsigned)learners,
                                  .spare = (unsigned)spare,
                                  .small = small != 0};
    setup->rare = word_value(line, "rare", &rare) && rare != 0;
    setup->own_time = word_value(line, "own_time", &own_time) && own_time != 0;
    if (word_value(line, "loss", &loss) && (loss < 0 || loss >= CORES_LOSS_COUNT))
        return false;
    setup->loss = (enum cores_loss)loss;
    for (unsigned id = 1; id < CORES_IDS; id++)
        setup->election_ms[id] = 150;
    if (word != NULL &&
        (sscanf(word, " mutant=%63s", mutant) != 1 || !mutant_find(mutant, &setup->mutant)))
        return false;
    return setup->protocol != NULL;
}

static bool read_node(const char *line, struct cores_setup *setup) {
    unsigned id;
    long long leases, clock, election, slow = 0;
    if (sscanf(line, "> node %u", &id) != 1 || id < 1 || id >= CORES_IDS ||
        !word_value(line, "leases", &leases) || !word_value(line, "clock", &clock) ||
        !word_value(line, "election", &election) || clock < -1000 || clock > 1000 ||
        election < 40 || election > 30000)
        return false;
    setup->leases |= (uint8_t)((leases != 0) << id);
    if (word_value(line, "slow", &slow))
        setup->slow |= (uint8_t)((slow != 0) << id);
    setup->clock_ppm[id] = (int32_t)clock;
    setup->election_ms[id] = (uint16_t)election;
    return true;
}

bool cores_text_read(const char *text, cores_find_protocol *find, struct cores_setup *setup,
                     struct cores_moves *moves, unsigned *bad_line) {
    char line[LINE_MAX_BYTES];
    bool grouped = false;
    *bad_line = 0;
    while (*text != 0) {
        size_t len = strcspn(text, "\n");
        ++*bad_line;
        struct cores_move move;
        snprintf(line, sizeof line, "%.*s", (int)len, text);
        text += len + (text[len] != 0);
        if (line[0] != '>')
            continue;
        if (!grouped) {
            if (!read_group(line, find, setup))
                return false;
            grouped = true;
        } else if (strncmp(line, "> node", 6) == 0) {
            if (!read_node(line, setup))
                return false;
        } else if (line[1] == ' ' && cores_move_parse(line + 2, &move)) {
            cores_moves_add(moves, move);
        } else {
            return false;
        }
    }
    return grouped;
}
