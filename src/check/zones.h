/* Registers whose written values are unique: linearizability in O(n log n) (Gibbons & Korach 1997).
 *
 * All operations of one value (its write and its reads) form a cluster, and clusters that a
 * compare-and-set links form a block: what belongs to a block stands in the order without a gap.
 * A block reaches from the first return in it to the last call; when the first return comes first
 * (a forward zone) it fills all of that, else it fits at any one point between. The history is
 * linearizable iff within each block no operation ends before one begins that must precede it,
 * forward zones are disjoint, and no backward zone lies inside a forward one.
 */
#ifndef CAIRN_CHECK_ZONES_H
#define CAIRN_CHECK_ZONES_H

#include "check/verdict.h"

struct zones;
struct zones *zones_new(const struct history *history);
void zones_free(struct zones *zones);

/* ops: of one key, in the order of their calls, without FAIL. False: the method does not apply (a
 * value is written twice, an operation is of another kind, a failed comparison matters). True:
 * *holds is the answer, with the key's order (when wanted) or the edges of a cycle put into the
 * verdict, whose answer stays as it was. */
bool zones_check(struct zones *zones, const uint32_t *ops, uint32_t count, uint32_t key,
                 bool want_order, bool *holds, struct verdict *verdict);

#endif
