/* Which terms (Raft) and epochs (Zab) a replica takes from others.
 *
 * Any term may be taken: raising one's own is always safe. But what is taken is kept for ever, and
 * whatever is near the greatest number would leave no room for elections. A bound that moves with a
 * replica's own term (at most so much above it) keeps replicas apart for ever once one of them was
 * brought beyond it in two steps. So the bound is the same for all replicas, and rises with time by
 * far more than elections can: 65,536 terms a millisecond since 1970. A replica whose clock is far
 * behind takes less, until its clock is put right.
 */
#ifndef CAIRN_CORE_TERM_H
#define CAIRN_CORE_TERM_H

#include <stdbool.h>
#include <stdint.h>

#define TERM_MAX (1ull << 62) /* no index or term is above */
#define TERM_PER_MS_BITS 16
#define TERM_STEP 1024u /* so much above the own one is taken whatever the clock says */

#define TERM_REFUSED_NS 5000000000ull /* so long a refused one is told by a replica's status */

static inline bool term_is_possible(uint64_t term, uint64_t own, uint64_t wall_ms) {
    uint64_t most = wall_ms < TERM_MAX >> TERM_PER_MS_BITS ? wall_ms << TERM_PER_MS_BITS : TERM_MAX;
    return term <= TERM_MAX && (term <= most || (term <= own + TERM_STEP && own <= TERM_MAX));
}

#endif
