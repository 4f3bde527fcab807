/* Banks and counters: linearizability where changes commute. What is read depends only on which
 * changes came before, not on their order, so that an order is a row of reads with sets of changes
 * between them. They are found event by event: a change is placed when it returns, or before a read
 * that needs it; of all open ones, those sets are tried whose sum is what the read lacks, the ones
 * with the fewest changes of unknown fate first. Exact; how many sets there are grows with what is
 * open at one moment (subset sum), not with the history.
 */
#ifndef CAIRN_CHECK_SUMS_H
#define CAIRN_CHECK_SUMS_H

#include "check/limits.h"
#include "check/verdict.h"

struct sums_result {
    enum answer answer;
    uint32_t *order, order_count; /* of YES; owned by the caller */
    uint32_t stuck, passed;       /* of NO: as in search.h */
};

/* ops: of one object, taken for one of MODEL_BANK or MODEL_COUNTER, in the order of their calls,
 * without FAIL. False: the method does not apply: a read tells some parts only, an addition was
 * told its sum, or numbers are huge. */
bool sums_check(const struct history *history, enum model model, const uint32_t *ops,
                uint32_t count, uint32_t key, struct limits *limits, struct sums_result *result);

/* Of MODEL_BANK_NONNEGATIVE: whatever order it has is one of a bank whose balances may fall below
 * zero, so that NO of sums_check holds for it too. Is the order of YES one in which none falls,
 * once the transfers that were refused stand where they could not be done? Then they do. False:
 * another order may be. */
bool sums_stay_above(const struct history *history, uint32_t key, struct sums_result *result);

#endif
