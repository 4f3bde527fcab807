/* The virtual world's time: one queue of what will happen, one generator of chance, one hash over
 * all that did. Nothing here knows what a host or a network is. Same seed, same run: events of the
 * same time happen in the order in which they were planned.
 */
#ifndef CAIRN_SIM_WORLD_H
#define CAIRN_SIM_WORLD_H

#include "base/bytes.h"
#include "base/prng.h"
#include "base/rare.h"

#include <stdio.h>

#define SIM_US 1000ull
#define SIM_MS 1000000ull
#define SIM_S 1000000000ull
#define SIM_NEVER UINT64_MAX

/* What happened, for the event hash and the log. */
enum sim_kind {
    SIM_RUN = 1, /* a host's loop went round */
    SIM_TIMER,   /* a timer fired */
    SIM_DATA,    /* bytes were delivered */
    SIM_STREAM,  /* a connection opened or closed */
    SIM_WORK,    /* background work ended */
    SIM_FAULT    /* the plan did something to a node */
};

typedef void sim_fire(void *target, uint64_t number);

struct sim_event {
    uint64_t time;
    uint64_t order;
    sim_fire *fire;
    void *target;
    uint64_t number;
};

struct sim_world {
    uint64_t now; /* virtual ns since the run began */
    uint64_t next_order;
    struct sim_event *heap;
    size_t count, cap;
    struct prng prng;
    struct rare *rare; /* NULL: this run has no rare branches */
    uint64_t events;
    uint64_t hash;
    FILE *log;   /* one line a change; NULL: none */
    bool failed; /* a check failed: the run ends */
    char reason[512];
};

void sim_world_open(struct sim_world *world, uint64_t seed, FILE *log);
void sim_world_close(struct sim_world *world);
/* Plans fire(target, number) at a time (not before now). It can't be taken back: a target that may
 * go away counts what is planned for it, or lets number tell stale from current. */
void sim_at(struct sim_world *world, uint64_t time, sim_fire *fire, void *target, uint64_t number);
/* The next event happens; false: nothing is planned before `until`, and time has moved there. */
bool sim_world_step(struct sim_world *world, uint64_t until);
/* Time goes on by so much, and with it everything that is planned. */
void sim_world_leap(struct sim_world *world, uint64_t ns);
/* Folds what happened into the event hash and counts it. */
void sim_note(struct sim_world *world, enum sim_kind kind, uint64_t who, uint64_t what);
/* who: 0 is the world itself. */
void sim_log(struct sim_world *world, const char *who, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
/* The first failure stays. */
void sim_fail(struct sim_world *world, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Chance, from the world's generator. */
uint64_t sim_below(struct sim_world *world, uint64_t bound);
uint64_t sim_between(struct sim_world *world, uint64_t low, uint64_t high);
bool sim_chance(struct sim_world *world, uint64_t numerator, uint64_t denominator);
/* Between low and high, each order of magnitude as likely as another; low > 0. */
uint64_t sim_spread(struct sim_world *world, uint64_t low, uint64_t high);

#endif
