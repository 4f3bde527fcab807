/* Registers whose states are unique: linearizability in O(n log n) (Gibbons & Korach 1997).
 *
 * All operations of one state (its write and its reads) form a cluster, and clusters that a
 * compare-and-set links form a block: what belongs to a block stands in the order without a gap.
 * A block reaches from the first return in it to the last call; when the first return comes first
 * (a forward zone) it fills all of that, else it fits at any one point between. The history is
 * linearizable iff within each block no operation ends before one begins that must precede it,
 * forward zones are disjoint, and no backward zone lies inside a forward one.
 *
 * Texts that are appended to are such registers as well (text_states.c): an append that a read
 * saw replaced one text by one longer text; one that no read saw is a write that was not read.
 */
#ifndef CAIRN_CHECK_ZONES_H
#define CAIRN_CHECK_ZONES_H

#include "check/verdict.h"

/* What an operation does, in states: small numbers, each written once, 0 the initial one. */
#define STATE_NONE UINT32_MAX
struct state_op {
    uint32_t op;
    uint32_t reads;  /* STATE_NONE: it did not look */
    uint32_t writes; /* STATE_NONE: it changes nothing */
};

struct zones;
struct zones *zones_new(const struct history *history);
void zones_free(struct zones *zones);

/* ops: of one key, in the order of their calls, without FAIL. False: the method does not apply (a
 * value is written twice, an operation is of another kind, a failed comparison matters). True:
 * *holds is the answer, with the key's order (when wanted) or the edges of a cycle put into the
 * verdict, whose answer stays as it was. */
bool zones_check(struct zones *zones, const uint32_t *ops, uint32_t count, uint32_t key,
                 bool want_order, bool *holds, struct verdict *verdict);

/* Both: false where the method does not apply. to: room for count; *states: one more than the
 * highest. */

/* value_states.c: each value is a state. state_of: STATE_NONE for every value of the history, and
 * so again afterwards. */
bool value_states(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                  uint32_t *state_of, struct state_op *to, uint32_t *states);
/* text_states.c: of texts that are appended to; not where tokens repeat, or a text can be read in
 * two ways. */
bool text_states(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 struct state_op *to, uint32_t *states);

#endif
