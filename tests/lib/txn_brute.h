/* The axioms of the transactional levels (check/level.h), evaluated literally over every total
 * order of a tiny history, every choice of open operations that happened, and every way to read.
 * Slow and plain: what the real checkers are compared with. */
#ifndef CAIRN_TESTS_TXN_BRUTE_H
#define CAIRN_TESTS_TXN_BRUTE_H

#include "check/check.h"

#define BRUTE_TXNS_MAX 7

/* holds: LEVEL_COUNT places; those of transactional levels are set. */
void txn_brute(const struct history *history, bool lists, bool *holds);

#endif
