/* Sequential consistency of any model: a search over how far each process has come. Exponential in
 * the number of processes, so it is tried only where no better method applies (registers with
 * unique values go to txn.h, and what is linearizable is sequential anyway). */
#ifndef CAIRN_CHECK_SEQUENTIAL_H
#define CAIRN_CHECK_SEQUENTIAL_H

#include "check/check.h"

/* key: VALUE_NONE for the whole history, else only that key's operations. Sets the answer, and on
 * YES pushes the order found when `order` isn't NULL. */
enum answer sequential_search(const struct history *history, enum model model, uint32_t key,
                              struct limits *limits, struct order *order);
void sequential_check(const struct history *history, const struct check_options *options,
                      struct verdict *verdict);
/* Each key taken alone, for values that repeat. */
void sequential_check_keys(const struct history *history, const struct check_options *options,
                           struct verdict *verdict);

#endif
