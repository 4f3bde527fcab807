/* Who chooses the moves of a run. A scheduler is asked for one move at a time; whatever it knows of
 * the world it reads there, and all its chance comes from the seed.
 */
#ifndef CAIRN_CORES_SCHEDULE_H
#define CAIRN_CORES_SCHEDULE_H

#include "base/prng.h"
#include "cores/cores_world.h"

#define CORES_QUEUE 64u
#define CORES_CHANGES_MAX 16u

/* X(constant, name, what it does) */
#define CORES_SCHEDULER_LIST(X)                                                     \
    X(WALK, "walk", "any move at any time, kinds of fault drawn few and hard")      \
    X(PCT, "pct",                                                                   \
      "the move of the highest priority, with few changes of priority (Burckhardt " \
      "et al. 2010)")                                                               \
    X(DELAY, "delay", "an orderly run with few deviations (Emmi et al. 2011)")

enum cores_scheduler {
#define X(constant, name, text) CORES_SCHEDULER_##constant,
    CORES_SCHEDULER_LIST(X)
#undef X
        CORES_SCHEDULER_COUNT
};

struct cores_schedule {
    struct cores_world *world;
    struct prng prng;
    unsigned length; /* moves, about */
    unsigned asked;  /* so far */

    struct cores_move queue[CORES_QUEUE]; /* what a decision brought, before the next one */
    unsigned queued, taken;

    uint32_t weights[CORES_MOVE_COUNT + 2]; /* of moves, and of those below */
    uint32_t weight_sum;
    uint32_t in_order, on_time; /* of 16: messages in order; the earliest deadline first */
    bool members;               /* these may change */

    uint8_t priorities[CORES_IDS][CORES_IDS]; /* PCT: of ways; [0][id]: of disks; [id][0]: clocks */
    unsigned low;                             /* the next lowest priority */
    unsigned changes[CORES_CHANGES_MAX], change_count; /* moves before which something changes */
    uint32_t aim_of;         /* of 16 elections, so many are followed by a fault with aim */
    uint64_t elections_seen; /* and the next one strikes ... */
    unsigned strike_at;      /* ... before this move */
    unsigned turn;           /* DELAY: where the round of ways stands */
    unsigned idle;
};

/* Draws what the world is like, then `cores_world_begin`, then this. */
void cores_schedule_begin(struct cores_schedule *schedule, struct cores_world *world,
                          enum cores_scheduler scheduler, uint64_t seed);
struct cores_move cores_walk_next(struct cores_schedule *schedule);
struct cores_move cores_pct_next(struct cores_schedule *schedule);
struct cores_move cores_delay_next(struct cores_schedule *schedule);

void cores_pct_begin(struct cores_schedule *schedule);
void cores_delay_begin(struct cores_schedule *schedule);

void cores_aim_begin(struct cores_schedule *schedule);
/* Before each move: queues a fault if it is time for one. */
void cores_aim(struct cores_schedule *schedule);

/* ---- for schedulers ---- */
/* A move of chance, by the run's weights. */
struct cores_move cores_any_move(struct cores_schedule *schedule);
/* What the disk of the one that may lose something loses, while it is down. */
struct cores_move cores_loss(struct cores_schedule *schedule);
/* The next move of an orderly run. */
struct cores_move cores_orderly_move(struct cores_schedule *schedule);
/* A node, a leader more often than another; up ones unless `down`. 0: there is none. */
unsigned cores_any_node(struct cores_schedule *schedule, bool down);
/* The node whose deadline comes first; 0: none has one. */
unsigned cores_first_due(const struct cores_world *world);
/* A way on which something may arrive, as from * 8 + to; 0: there is none. */
unsigned cores_any_way(struct cores_schedule *schedule);
void cores_queue(struct cores_schedule *schedule, struct cores_move move);

const char *cores_scheduler_name(enum cores_scheduler scheduler);
bool cores_scheduler_find(const char *name, enum cores_scheduler *scheduler);

#endif
