/* Live objects: between gen_objects.c, which chooses what clients ask for, and gen_apply.c, which
 * carries it out. */
#ifndef CAIRN_CHECK_GEN_OBJECTS_H
#define CAIRN_CHECK_GEN_OBJECTS_H

#include "check/gen_internal.h"

#define GEN_PERMITS 3

/* Of a register `value`, of a container the items from head on. */
struct object {
    uint32_t value;
    int64_t sum;     /* of a fenced mutex: its last token; of a semaphore: what is held */
    uint32_t holder; /* of a mutex: a process, OP_NONE: it is free */
    uint32_t times;  /* that it holds it */
    struct gen_list items;
};

struct objects {
    struct gen *gen;
    struct object *at;
    uint32_t count, cap;
    uint32_t *slots; /* of models with lists: the present keys */
    int64_t *holds;  /* by client: the lock that it holds, -1: none */
    uint32_t *times; /* how often it holds it, or how many permits */
};

/* Valid until the next is asked for. */
struct object *gen_object(struct objects *objects, uint32_t key);
bool gen_has_lists(enum model model);
bool gen_is_lock(enum model model);
/* A map of all balances, each that much higher. */
uint32_t gen_balances(struct objects *objects, int64_t extra);
/* As gen_system.apply. */
bool gen_objects_apply(void *system, uint32_t client, uint32_t at);

#endif
