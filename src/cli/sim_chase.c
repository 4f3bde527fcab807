#include "cli/sim_chase.h"

#include "base/assert.h"
#include "cores/cores.h"
#include "node/registry.h"
#include "sim/sim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define TURN_NS 500000000u
#define RUN_S_MAX 30u /* a run that takes longer does not end */

/* What a process that hunts tells; it is in memory that both processes have. */
struct told {
    uint64_t next; /* the first seed that was not run to its end */
    bool found;    /* in that before the next */
    char reason[200];
};

struct turn {
    enum chase_world world;
    enum mutant hunted;
    enum sim_focus_asked focus;
    bool plain; /* the same runs without the bug */
    uint64_t cpu_ns_max;
    uint64_t last; /* seed */
    struct told *told;
};

const char *chase_world_name(enum chase_world world) {
    static const char *const names[] = {
#define X(constant, name) name,
        CHASE_WORLDS(X)
#undef X
    };
    return names[world];
}

bool chase_suits(enum chase_world world, enum mutant mutant) {
    enum mutant_site site = mutant_site(mutant);
    return world == CHASE_NODES || site == MUTANT_OF_BOTH ||
           (world == CHASE_CORES_RAFT && site == MUTANT_OF_RAFT) ||
           (world == CHASE_CORES_ZAB && site == MUTANT_OF_ZAB);
}

/* ---- a world's turn, in the process that has the bug ---- */

static bool core_ran(void *context, const struct cores_hunt *hunt, uint64_t seed) {
    struct told *told = context;
    told->next = seed + 1;
    return true;
}

static void hunt_cores(const struct turn *turn) {
    enum mutant mutant = turn->plain ? MUTANT_NONE : turn->hunted;
    const char *protocol = turn->world == CHASE_CORES_RAFT ? "raft" : "zab";
    struct cores_hunt hunt = {.options = {.protocol = registry_protocol(protocol),
                                          .mutant = mutant,
                                          .scheduler = CORES_SCHEDULER_COUNT},
                              .first = turn->told->next,
                              .last = turn->last,
                              .cpu_ns_max = turn->cpu_ns_max,
                              .ran = core_ran,
                              .context = turn->told};
    cores_hunt(&hunt);
    turn->told->found = hunt.found;
    if (hunt.found)
        snprintf(turn->told->reason, sizeof turn->told->reason, "%.199s", hunt.sum.broken);
}

static bool nodes_ran(void *context, const struct sim_hunt *hunt, uint64_t seed,
                      const struct sim_result *result) {
    struct told *told = context;
    told->next = seed + 1;
    return true;
}

static void hunt_nodes(const struct turn *turn) {
    struct sim_options options = {.seed = turn->told->next, .mutant = turn->hunted};
    struct sim_result drawn;
    if (turn->plain) { /* on the machine and the protocol that the bug asked for */
        sim_names(&options, &drawn);
        options = (struct sim_options){.machine = drawn.machine, .protocol = drawn.protocol};
    }
    options.focus = turn->focus;
    struct sim_hunt hunt = {.options = options,
                            .first = turn->told->next,
                            .last = turn->last,
                            .cpu_ns_max = turn->cpu_ns_max,
                            .ran = nodes_ran,
                            .context = turn->told};
    sim_hunt(&hunt);
    turn->told->found = !hunt.ok;
    if (!hunt.ok)
        snprintf(turn->told->reason, sizeof turn->told->reason, "%.199s", hunt.sum.reason);
}

/* ---- processes ---- */

static uint64_t cpu_of(const struct rusage *usage) {
    return ((uint64_t)usage->ru_utime.tv_sec + (uint64_t)usage->ru_stime.tv_sec) * 1000000000u +
           ((uint64_t)usage->ru_utime.tv_usec + (uint64_t)usage->ru_stime.tv_usec) * 1000u;
}

static void begin_apart(const struct turn *turn, FILE *says) {
    rlim_t cpu_s = turn->cpu_ns_max / 1000000000u + RUN_S_MAX;
    setrlimit(RLIMIT_CPU, &(struct rlimit){cpu_s, cpu_s + 10});
    setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
    if (dup2(fileno(says), STDERR_FILENO) < 0)
        _exit(1);
    if (turn->world == CHASE_NODES)
        hunt_nodes(turn);
    else
        hunt_cores(turn);
    _exit(0);
}

/* An assertion of the code's own, or worse. */
static void reason_of_end(int status, FILE *says, struct told *told) {
    rewind(says);
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU)
        snprintf(told->reason, sizeof told->reason, "a run does not end");
    else if (fgets(told->reason, sizeof told->reason, says) == NULL)
        snprintf(told->reason, sizeof told->reason, "the process ended by signal %d",
                 WIFSIGNALED(status) ? WTERMSIG(status) : 0);
    told->reason[strcspn(told->reason, "\n")] = 0;
}

static uint64_t run_apart(const struct turn *turn) {
    int status = 0;
    struct rusage usage;
    FILE *says = tmpfile();
    cairn_assert(says != NULL);
    fflush(stdout);
    turn->told->found = false;
    pid_t child = fork();
    cairn_assert(child >= 0);
    if (child == 0)
        begin_apart(turn, says);
    cairn_assert(wait4(child, &status, 0, &usage) == child);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
        turn->told->found = true;
        turn->told->next++;
        reason_of_end(status, says, turn->told);
    }
    fclose(says);
    return cpu_of(&usage);
}

/* ---- the hunt ---- */

/* The seed that the turn ended with. */
static bool plain_fails(const struct turn *turn) {
    struct told told = *turn->told, *shared = turn->told;
    struct turn plain = *turn;
    plain.last = --shared->next;
    plain.plain = true;
    run_apart(&plain);
    bool fails = shared->found;
    *shared = told;
    return fails;
}

static void note(struct chase *chase, const struct turn *turn) {
    uint64_t seed = turn->told->next - 1;
    if (!plain_fails(turn)) {
        chase->found = true;
        chase->world = turn->world;
        chase->seed = seed;
        memcpy(chase->reason, turn->told->reason, sizeof chase->reason);
    } else if (chase->plain++ == 0) {
        chase->plain_world = turn->world;
        chase->plain_seed = seed;
    }
}

/* The one that had the least time. */
static enum chase_world whose_turn(enum mutant mutant, const uint64_t *cpu_ns) {
    enum chase_world least = CHASE_NODES; /* it suits always; of equal ones it is the last */
    for (int i = CHASE_NODES - 1; i >= 0; i--)
        if (chase_suits((enum chase_world)i, mutant) && cpu_ns[i] <= cpu_ns[least])
            least = (enum chase_world)i;
    return least;
}

void chase(struct chase *chase) {
    uint64_t cpu_ns[CHASE_WORLD_COUNT] = {0}, next[CHASE_WORLD_COUNT];
    struct told *told =
        mmap(NULL, sizeof *told, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    cairn_assert(told != MAP_FAILED);
    for (int i = 0; i < CHASE_WORLD_COUNT; i++)
        next[i] = chase->first;
    while (!chase->found && chase->cpu_ns < chase->cpu_ns_max) {
        enum chase_world world = whose_turn(chase->mutant, cpu_ns);
        struct turn turn = {.world = world,
                            .hunted = chase->mutant,
                            .focus = chase->focus,
                            .cpu_ns_max = TURN_NS,
                            .last = UINT64_MAX - 1,
                            .told = told};
        told->next = next[world];
        uint64_t took = run_apart(&turn);
        next[world] = told->next;
        cpu_ns[world] += took;
        chase->cpu_ns += took;
        if (told->found)
            note(chase, &turn);
        chase->world_cpu_ns = cpu_ns[world];
    }
    munmap(told, sizeof *told);
}
