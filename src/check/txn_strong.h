/* Prefix, snapshot isolation and serializability, with and without sessions and real time, as one
 * question: are there an order for each two writers of a key so that a graph has no cycle?
 *
 * Serializable: a node is a transaction. When a comes before b, which both wrote x, what read x
 * from a comes before b.
 * Prefix and snapshot isolation: a transaction has a start and a commit; it reads what had
 * committed before its start. Commits are in the commit order; a start stands after the commits
 * that it must see: of its session before it, of those it read from, for snapshot isolation also of
 * those that committed before and wrote a key that it wrote, for strong snapshot isolation of all
 * that had ended before it began. When a commits before b and both wrote x, what read x from a
 * started before b committed. The axioms of level.h ask for just this: put each start as early as
 * it may be, and "t2 commits before or is one that t3 sees" is "t2 commits before t3 starts".
 *
 * Where lists were read the order of versions is known, and only what was not read is open; then
 * serializability is a test for a cycle.
 *
 * What sessions a history has is what txns says (txns_cut): a level without session order is one of
 * txns in which each transaction is a session of its own.
 */
#ifndef CAIRN_CHECK_TXN_STRONG_H
#define CAIRN_CHECK_TXN_STRONG_H

#include "check/txn_graph.h"

struct txn_rules {
    bool split;    /* starts and commits */
    bool conflict; /* writers of one key see each other */
    bool real_time;
};
struct txn_rules txn_rules_of(enum level level);

/* The edges that need no choice, into an initialised graph. */
void txn_strong_known(struct txn_graph *graph, const struct txn_rules *rules);

/* Two writers of a key whose order is open; first < second. */
struct txn_pair {
    uint32_t first, second;
};
struct txn_pairs {
    struct txn_pair *at;
    uint32_t count, cap;
};
void txn_pairs_free(struct txn_pairs *pairs);

/* Calls `edge` for each edge that there is when `before` commits before `after`; stops when it
 * returns false, and says so. The second is for one key alone, without the edge between them. */
typedef bool txn_edge_use(void *context, uint32_t from, uint32_t to, enum txn_why why,
                          uint32_t index);
bool txn_pair_edges(const struct txn_graph *graph, const struct txn_rules *rules, uint32_t before,
                    uint32_t after, txn_edge_use *use, void *context);
bool txn_version_edges(const struct txn_graph *graph, const struct txn_rules *rules,
                       uint32_t before_version, uint32_t after_version, txn_edge_use *use,
                       void *context);

/* All pairs that matter and whose order is not known; what follows from known orders is added to
 * the graph. The graph has no cycle before, and may have one then. graph->stopped: too many for the
 * limits. */
struct txn_past;
void txn_pairs_find(struct txn_pairs *pairs, const struct txn_past *past,
                    const struct txn_rules *rules);

/* Settles the pairs of which one order would close a cycle, as long as that settles more; adds
 * their edges to the graph, and takes them out of the pairs. The graph may have a cycle then. */
void txn_prune(struct txn_pairs *pairs, struct txn_past *past, const struct txn_rules *rules);

/* The rest, by search. YES: `order` has the nodes in an order. The graph is sorted. */
enum answer txn_choose(struct txn_graph *graph, const struct txn_rules *rules,
                       struct txn_pairs *pairs, uint32_t *order);

#endif
