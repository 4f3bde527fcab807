/* Monotonic atomic view, read atomic and causal: what each read forces to commit before its writer
 * does not depend on the commit order, so it is collected once and tested for a cycle ("AWDIT",
 * Moldrup & Pavlogiannis, PLDI 2025). Each adds its edges to a graph (not split) that has the base
 * edges; the level holds exactly when the graph then has no cycle and nothing stands before the
 * first version. Read committed forces nothing: it is the base edges alone. The sessions are those
 * of txns (txns_cut).
 */
#ifndef CAIRN_CHECK_TXN_WEAK_H
#define CAIRN_CHECK_TXN_WEAK_H

#include "check/txn_graph.h"

void txn_atomic_view(struct txn_graph *graph); /* O(n^1.5) */
void txn_read_atomic(struct txn_graph *graph); /* O(n^1.5) */
/* O(n k), k sessions. Where session order and reads-from have a cycle, nothing is added. */
void txn_causal(struct txn_graph *graph);

#endif
