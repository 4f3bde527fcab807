/* The levels of single operations (level.h), evaluated literally by trying every order of a tiny
 * history. Slow and plain: counterexamples are checked by it (verify.h), and all the real checkers
 * are compared with it in tests.
 */
#ifndef CAIRN_CHECK_EXHAUSTIVE_H
#define CAIRN_CHECK_EXHAUSTIVE_H

#include "check/check.h"

#define EXHAUSTIVE_OPS_MAX 9

/* At most EXHAUSTIVE_OPS_MAX operations, with drains taken apart (drains.h). Open ones happened or
 * not, in every combination. */

/* Linearizable (real_time) and sequential, of any model. */
bool exhaustive_orders(const struct history *history, enum model model, bool real_time);
/* Is there a linearization in which both of two operations occur, `a` before `b`? */
bool exhaustive_before(const struct history *history, enum model model, uint32_t a, uint32_t b);
/* Each key taken alone is sequential. */
bool exhaustive_per_key(const struct history *history, enum model model);
/* The levels below, of registers with unique values; not convergence. */
bool exhaustive_weak(const struct history *history, enum level level);

/* ---- convergence (of registers), counter-bounds, bank-total, set-complete: exhaustive_simple.c
 * ---- Of any length; quadratic. */

/* Is the operation a read (of convergence also a compare-and-set) that the level forbids? */
bool exhaustive_breaks(const struct history *history, enum level level, uint32_t op);
/* There is none. */
bool exhaustive_simple(const struct history *history, enum level level);

#endif
