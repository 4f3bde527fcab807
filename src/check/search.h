/* Is there a legal order of these operations that contains real time? Exact for every model: a
 * search in the manner of Wing & Gong (1993), just in time (Lowe 2017): only when an operation
 * returns must it have taken effect, and then it is placed, after whatever of the open ones is
 * needed before it. What is remembered is the operations open at one moment, not the history, so
 * that the cost grows with concurrency and not with length.
 *
 * What keeps the search small, each without losing a history:
 * - what observes is placed as soon as the state fits;
 * - what no operation was told about (a write, an append) may have been overwritten at once: from
 * the moment when something overwrites the object during its interval it is "hidden if need be",
 * and so it never has to be placed for its own sake;
 * - of operations with equal effect the one that ends first is placed first, and those that never
 *   end last: open operations are counted, not enumerated;
 * - nothing is placed before its return unless an open operation can see what it leaves; what
 *   leaves the state as it is, only when it also overwrites another that is not hidden yet;
 * - a configuration that has all the chances of another replaces it.
 */
#ifndef CAIRN_CHECK_SEARCH_H
#define CAIRN_CHECK_SEARCH_H

#include "check/limits.h"
#include "check/spec.h"
#include "check/verdict.h"

struct search_result {
    enum answer answer;
    uint32_t *order; /* of YES, when wanted: operations of the history; owned by the caller */
    uint32_t order_count;
    uint32_t stuck;  /* of NO: the operation whose return no order got past */
    uint32_t passed; /* how many of the operations had returned before it */
    uint64_t configurations;
};

/* ops: operations that act on one object, of one key where the model is keyed, in the order of
 * their calls, without FAIL. */
void search_linear(struct spec *spec, const uint32_t *ops, uint32_t count, uint32_t key,
                   struct limits *limits, bool want_order, struct search_result *result);

#endif
