/* Settles pairs of writers by what is known already: an order of two that would close a cycle is
 * impossible, so the other one holds. */
#include "check/txn_strong.h"

#include "check/txn_past.h"

struct prune {
    struct txn_past *past;
    const struct txn_rules *rules;
    enum txn_why cause; /* of the edge of an impossible order that closes a cycle */
    uint32_t cause_index;
};

static bool possible(void *context, uint32_t from, uint32_t to, enum txn_why why, uint32_t index) {
    struct prune *prune = context;
    if (!txn_past_reaches(prune->past, to, from))
        return true;
    prune->cause = why;
    prune->cause_index = index;
    return false;
}

/* What is there already, by a longer way, needs no edge of its own. */
static bool add(void *context, uint32_t from, uint32_t to, enum txn_why why, uint32_t index) {
    struct prune *prune = context;
    if (txn_past_reaches(prune->past, from, to))
        return true;
    if (why == WHY_OVERWRITES && prune->cause == WHY_LATER) {
        why = WHY_EARLIER;
        index = prune->cause_index;
    }
    txn_graph_edge(prune->past->graph, from, to, why, index);
    return !prune->past->graph->stopped;
}

/* True: `a` cannot commit before `b`, so b comes before a. When neither is possible, the edges of
 * both orders close a cycle. */
static bool settle(struct prune *prune, uint32_t a, uint32_t b) {
    const struct txn_graph *graph = prune->past->graph;
    if (txn_pair_edges(graph, prune->rules, a, b, possible, prune))
        return false;
    txn_pair_edges(graph, prune->rules, b, a, add, prune);
    return true;
}

/* How many were settled. */
static uint32_t settle_all(struct prune *prune, struct txn_pairs *pairs) {
    struct txn_graph *graph = prune->past->graph;
    uint32_t kept = 0, count = pairs->count;
    for (uint32_t i = 0; i < count; i++) {
        struct txn_pair pair = pairs->at[i];
        bool stop = graph->stopped || limits_over(graph->limits, 4);
        if (stop ||
            (!settle(prune, pair.first, pair.second) && !settle(prune, pair.second, pair.first)))
            pairs->at[kept++] = pair;
    }
    pairs->count = kept;
    return count - kept;
}

void txn_prune(struct txn_pairs *pairs, struct txn_past *past, const struct txn_rules *rules) {
    struct prune prune = {.past = past, .rules = rules};
    while (pairs->count > 0 && !past->graph->stopped && txn_past_update(past) &&
           settle_all(&prune, pairs) > 0)
        ;
}
