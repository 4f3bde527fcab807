/* Between plain_orders.c, which tries orders, and plain_step.c, which carries out operations. */
#ifndef CAIRN_TESTS_PLAIN_INTERNAL_H
#define CAIRN_TESTS_PLAIN_INTERNAL_H

#include "plain_orders.h"

#define PLAIN_ITEMS 16
#define PLAIN_TEXT 64

/* One object. Of registers, `text` is what it holds as JSON ("null", "5", "\"a\""). */
struct plain {
    char text[PLAIN_TEXT];
    int64_t items[PLAIN_ITEMS]; /* of containers and lists; balances of a bank */
    uint32_t count;
    int64_t number;  /* a counter; permits that are free */
    int64_t all;     /* permits */
    int64_t holder;  /* a process, -1: none */
    int64_t times;   /* that it holds it */
    int64_t token;   /* the last; INT64_MIN: none yet */
    bool told_token; /* some token was told, or given at first */
};

void plain_init(struct plain *plain, const struct history *history, enum model model, uint32_t key);
/* Carries the operation out; false: it can't have been answered like that. choice: which element an
 * unordered queue gives, where that was not told; *choices: how many there are. */
bool plain_step(struct plain *plain, const struct history *history, enum model model,
                const struct op *op, uint32_t choice, uint32_t *choices);

#endif
