/* Between random_history.c, which says when what happens, and random_object.c, which says what. */
#ifndef CAIRN_TESTS_RANDOM_HISTORY_INTERNAL_H
#define CAIRN_TESTS_RANDOM_HISTORY_INTERNAL_H

#include "base/prng.h"
#include "random_history.h"

#define ITEMS_MAX 16

struct object {
    int64_t items[ITEMS_MAX]; /* a register's value is items[0], present when count > 0 */
    uint32_t count;
};

struct making {
    struct history *history;
    struct prng prng;
    const struct plan *plan;
    struct object objects[2];
    int64_t next_value;
};

void random_object_initial(struct making *making);
/* Chooses an operation of the object and carries it out. */
void random_object_perform(struct making *making, struct op *op);
/* An answer that another operation was given, or none was. */
void random_object_lie(struct making *making, struct op *op);
/* Two of one kind are told each other's answers: every answer is still given as often. */
void random_object_swap(struct making *making);
/* The same for reads of transactions. */
void random_object_swap_reads(struct history *history, struct prng *prng, uint32_t swaps);

#endif
