/* What no order of a history's operations at all allows, whatever each process did first and
 * whatever real time says: something was taken twice, or was never put; a total is wrong; a lock
 * was taken more often than it was given back. Linear, and found before any search.
 */
#ifndef CAIRN_CHECK_REFUTE_H
#define CAIRN_CHECK_REFUTE_H

#include "check/verdict.h"

/* True: the verdict is NO, with the operations that contradict each other and a sentence. The
 * evidence stands for every level whose yes would bring a legal order of each key. */
bool refute_any_order(const struct history *history, struct verdict *verdict);

#endif
