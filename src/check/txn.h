/* The transactional levels, for transactions of reads and writes (registers), of reads and appends
 * (lists), and for single operations taken as transactions of one operation: a read is [r], a write
 * is [w], a cas that matched is [r from][w to]. The definitions stand in level.h.
 *
 * What a history means:
 * - an operation of outcome FAIL did not happen; what it wrote can only be read by a violation;
 * - one of outcome INFO happened exactly if another read what it wrote; its own reads are not
 *   known, but for a cas, which happened only if it matched;
 * - a read of MOP value VALUE_NONE is not known and explains itself;
 * - a read after an own write of the key sees that write, and the last write of a transaction is
 *   what others see; all else fails every level (INTERNAL, G1a, G1b, THIN_AIR);
 * - a list that was read is the appends of all that committed up to its last writer; so lists of
 *   one key are prefixes of each other, and fix the commit order of their writers, at every level.
 *
 * Values written twice make it unknown which one was read. Then every way to read is tried, as far
 * as the limits and TXN_WAYS_MAX allow; a list whose elements were appended twice is left
 * undecided.
 */
#ifndef CAIRN_CHECK_TXN_H
#define CAIRN_CHECK_TXN_H

#include "check/check.h"

#define TXN_WAYS_MAX 200000u

/* options->level: any transactional level, or for single operations CAUSAL_CONVERGENCE,
 * SEQUENTIAL or LINEARIZABLE (TXN_CAUSAL, SESSION_SERIALIZABLE and STRICT_SERIALIZABLE of
 * transactions of one operation). The verdict is initialised by the caller and blank. YES comes
 * with one order of SCOPE_ALL when options->want_order: the operations that committed, in a commit
 * order. UNDEFINED: the history has operations that are no reads, writes or appends. */
void txn_check(const struct history *history, const struct check_options *options,
               struct verdict *verdict);

/* The same for all transactional levels at once: verdicts has LEVEL_COUNT places, initialised by
 * the caller with their levels; only those of transactional levels are filled in. */
void txn_place(const struct history *history, const struct check_options *options,
               struct verdict *verdicts);

#endif
