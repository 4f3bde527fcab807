/* Sequential consistency of any model, and of each key alone. Cheap ways first: what no order
 * allows (refute.h), and what is linearizable is sequential too. Else a search over how far each
 * process has come, exponential in the number of processes: keys by themselves, small ones first,
 * then all together, in rounds that allow ever more steps, so that what is easy to refute is not
 * left waiting behind what is hard to decide. Registers with unique values go to txn.h instead. */
#ifndef CAIRN_CHECK_SEQUENTIAL_H
#define CAIRN_CHECK_SEQUENTIAL_H

#include "check/check.h"

/* What other levels have said of the history. */
struct sequential_known {
    bool no_linearization; /* there is none, or none that tells: history_overlaps */
    bool keys_hold;        /* each key alone is sequential */
};

/* key: VALUE_NONE for the whole history, else only that key's operations. Sets the answer, and on
 * YES pushes the order found when `order` isn't NULL. */
enum answer sequential_search(const struct history *history, enum model model, uint32_t key,
                              struct limits *limits, struct order *order);
void sequential_check(const struct history *history, const struct check_options *options,
                      const struct sequential_known *known, struct verdict *verdict);
/* Each key taken alone, for values that repeat. */
void sequential_check_keys(const struct history *history, const struct check_options *options,
                           const struct sequential_known *known, struct verdict *verdict);

/* Whether the history is linearizable, within so many steps of search (0: as far as the limits go).
 * YES: the verdict, of a weaker level, has a linearization as its evidence, one for all unless
 * `by_key`. Else it stays as it is. */
enum answer sequential_try_linearizable(const struct history *history,
                                        const struct check_options *options, uint64_t steps,
                                        bool by_key, struct verdict *verdict);

#endif
