/* Re-checks what txn_check answered, from the history and the evidence alone, by plain routines
 * that share nothing with the algorithms:
 * - YES: the order is read from end to end, and the axiom of the level (check/level.h) is evaluated
 *   at each read;
 * - NO with a cycle: each edge is looked up in the history; where one follows only from others, the
 *   rules of the level are applied to all transactions until nothing new follows;
 * - NO with operations: the first of them has a read that nothing explains, or they have no order,
 *   which is tried one by one.
 */
#ifndef CAIRN_CHECK_TXN_VERIFY_H
#define CAIRN_CHECK_TXN_VERIFY_H

#include "check/check.h"

enum txn_verified {
    TXN_VERIFIED,
    TXN_REFUTED,   /* the evidence proves nothing: why */
    TXN_UNVERIFIED /* it is not of a kind that can be checked, or would take too long: why */
};

enum txn_verified txn_verify(const struct history *history, const struct verdict *verdict,
                             struct limits *limits, struct buf *why);

#endif
