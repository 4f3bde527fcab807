/* Of a violation that is known: a reason that one, two or three operations tell, where there is
 * one. The methods that decide see a whole that fits no order; a person asks which answer is wrong.
 *
 * - Sets: an element that was surely there is missing, one is seen before it was added, or after it
 *   was surely taken away.
 * - Counters: a read outside of what can have been added by then (level counter-bounds).
 */
#ifndef CAIRN_CHECK_PLAIN_H
#define CAIRN_CHECK_PLAIN_H

#include "check/verdict.h"

/* verdict: NO at level linearizable, of these operations of one key (in the order of their calls,
 * without FAIL). True: its operations and its text were replaced. */
bool plain_reason(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                  struct verdict *verdict);

#endif
