/* Checks a verdict again, by routines that share nothing with those that found it: an order is
 * replayed, the edges of a cycle are looked up in the history, and a small counterexample is tried
 * in every order (exhaustive.h).
 */
#ifndef CAIRN_CHECK_VERIFY_H
#define CAIRN_CHECK_VERIFY_H

#include "check/verdict.h"

enum verify {
    VERIFY_RIGHT,
    VERIFY_WRONG,    /* the evidence does not show what the verdict says; `why` says where */
    VERIFY_UNCHECKED /* the verdict has no evidence that can be checked by itself; `why` says why */
};

enum verify verify_verdict(const struct history *history, const struct verdict *verdict,
                           struct buf *why);

#endif
