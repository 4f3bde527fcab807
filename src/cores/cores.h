/* The simulator's second world: protocol cores alone, without nodes, files and fronts, so that a
 * core of the machine tries about a million moves a second (docs/simulation.md). One seed fixes
 * everything: the world, the scheduler, chance.
 */
#ifndef CAIRN_CORES_H
#define CAIRN_CORES_H

#include "cores/cores_guide.h"
#include "cores/cores_move.h"
#include "cores/cores_schedule.h"

struct cores_options {
    const struct protocol *protocol;
    enum mutant mutant;
    enum cores_scheduler scheduler; /* CORES_SCHEDULER_COUNT: the seed draws it */
    unsigned replicas;              /* voters; 0: drawn */
};

struct cores_result {
    const char *broken; /* NULL: everything held; else one sentence, static */
    const char *rule;   /* whose rule it breaks */
    char detail[200];   /* which replica, which index */
    uint64_t moves, steps, elections, placed, reads;
    uint64_t rare_hits[RARE_COUNT];
};

/* What the seed draws: the world, and its scheduler. */
enum cores_scheduler cores_draw(const struct cores_options *options, uint64_t seed,
                                struct cores_setup *setup);

/* One run in a world that may be used again. moves: where they are recorded, or NULL; log: where
 * what happens is written, or NULL. */
void cores_run(struct cores_world *world, const struct cores_options *options, uint64_t seed,
               struct cores_moves *moves, struct buf *log, struct cores_result *result);
/* Likewise, perhaps beginning as a kept schedule did. What it is depends on all runs of the guide
 * before it: the world and the moves are told. */
void cores_run_guided(struct cores_world *world, const struct cores_options *options,
                      struct cores_guide *guide, uint64_t seed, struct cores_setup *setup,
                      struct cores_moves *moves, struct cores_result *result);
/* The same moves again, those left out that can't happen. True: the same rule is broken. */
bool cores_replay(struct cores_world *world, const struct cores_setup *setup,
                  const struct cores_moves *moves, struct buf *log, struct cores_result *result);

/* Leaves out what the breach of the same rule does not need, in at most so many replays. Nothing
 * changes when the moves break nothing. */
void cores_shrink(struct cores_world *world, struct cores_setup *setup, struct cores_moves *moves,
                  unsigned replays_max);

/* A schedule as text, with what happens beneath each move. */
void cores_text_write(struct cores_world *world, const struct cores_setup *setup,
                      const struct cores_moves *moves, struct buf *out);
typedef const struct protocol *cores_find_protocol(const char *name);
/* False: the line (from 1) is none; or there is no group at all. */
bool cores_text_read(const char *text, cores_find_protocol *find, struct cores_setup *setup,
                     struct cores_moves *moves, unsigned *bad_line);

/* Seeds first..last, or until cpu_ns_max of processor time are over (0: no bound). */
struct cores_hunt {
    struct cores_options options;
    uint64_t first, last, cpu_ns_max;
    bool guided;                                                              /* by coverage */
    bool (*ran)(void *context, const struct cores_hunt *hunt, uint64_t seed); /* false: end */
    void *context;

    bool found;
    uint64_t seed;            /* that found it */
    struct cores_setup setup; /* of the run that found it, and its moves, which the caller frees */
    struct cores_moves moves;
    uint64_t runs, cpu_ns;
    uint64_t seen;           /* guided: abstract states, about */
    struct cores_result sum; /* its texts: of the breach */
};
void cores_hunt(struct cores_hunt *hunt);

#endif
