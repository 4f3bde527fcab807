#include "check/txn_strong.h"

#include "check/txn_solver.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

struct txn_rules txn_rules_of(enum level level) {
    struct level_axiom axiom = level_axiom(level);
    cairn_assert(axiom.view >= VIEW_PREFIX);
    return (struct txn_rules){.split = axiom.view != VIEW_ALL,
                              .conflict = axiom.view == VIEW_SNAPSHOT,
                              .real_time = axiom.real_time};
}

/* ---- what is known ---- */

static void known_conflicts(struct txn_graph *graph, const struct txn_key *key) {
    const struct txns *txns = graph->txns;
    const uint32_t *versions = txns->by_key + key->at;
    for (uint32_t i = 1; i < key->count && key->ranked > 0; i++) {
        uint32_t before = versions[i < key->ranked ? i - 1 : key->ranked - 1];
        uint32_t after = versions[i];
        txn_graph_edge(graph, txns->writes[before].txn,
                       txn_graph_start(graph, txns->writes[after].txn), WHY_CONFLICT, after);
    }
}

void txn_strong_known(struct txn_graph *graph, const struct txn_rules *rules) {
    const struct txns *txns = graph->txns;
    txn_graph_base(graph);
    if (rules->real_time)
        txn_graph_real_time(graph);
    for (uint32_t k = 0; k < txns->key_count && !graph->stopped; k++) {
        const struct txn_key *key = &txns->keys[k];
        txn_graph_readers_before(graph, k, txns->write_count + k, 0);
        for (uint32_t i = 0; i < key->ranked; i++)
            txn_graph_readers_before(graph, k, txns->by_key[key->at + i], i + 1);
        if (rules->conflict)
            known_conflicts(graph, key);
    }
}

/* ---- what an order of two brings ---- */

bool txn_version_edges(const struct txn_graph *graph, const struct txn_rules *rules,
                       uint32_t version, uint32_t after_version, txn_edge_use *use, void *context) {
    const struct txns *txns = graph->txns;
    uint32_t after = txns->writes[after_version].txn;
    if (rules->conflict && !use(context, txns->writes[version].txn, txn_graph_start(graph, after),
                                WHY_CONFLICT, after_version))
        return false;
    for (uint32_t i = txns->reader_at[version]; i < txns->reader_at[version + 1]; i++) {
        uint32_t reader = txns->reads[txns->readers[i]].txn;
        if (reader != after &&
            !use(context, txn_graph_start(graph, reader), after, WHY_LATER, txns->readers[i]))
            return false;
    }
    return true;
}

bool txn_pair_edges(const struct txn_graph *graph, const struct txn_rules *rules, uint32_t before,
                    uint32_t after, txn_edge_use *use, void *context) {
    const struct txns *txns = graph->txns;
    const struct txn *a = &txns->at[before], *b = &txns->at[after];
    uint32_t i = a->write_at, j = b->write_at;
    bool first = true;
    while (i < a->write_at + a->write_count && j < b->write_at + b->write_count) {
        uint32_t x = txns->writes[i].key, y = txns->writes[j].key;
        if (x == y && first && !use(context, before, after, WHY_OVERWRITES, j))
            return false;
        if (x == y && !txn_version_edges(graph, rules, i, j, use, context))
            return false;
        first = first && x != y;
        i += x <= y;
        j += y <= x;
    }
    return true;
}

/* ---- the search ---- */

struct choice {
    struct solver *solver;
    uint32_t literal;
    uint64_t edges;
};

static bool add_choice(void *context, uint32_t from, uint32_t to, enum txn_why why,
                       uint32_t index) {
    struct choice *choice = context;
    solver_edge(choice->solver, from, to, choice->literal);
    choice->edges++;
    return true;
}

static bool give_pairs(struct solver *solver, struct txn_graph *graph,
                       const struct txn_rules *rules, const struct txn_pairs *pairs) {
    struct choice choice = {.solver = solver};
    for (uint32_t p = 0; p < pairs->count; p++) {
        const struct txn_pair *pair = &pairs->at[p];
        uint32_t var = solver_var(solver, pair->first, pair->second);
        uint64_t before = choice.edges;
        choice.literal = 2 * var;
        txn_pair_edges(graph, rules, pair->first, pair->second, add_choice, &choice);
        choice.literal = 2 * var + 1;
        txn_pair_edges(graph, rules, pair->second, pair->first, add_choice, &choice);
        if (limits_over(graph->limits, 4 + choice.edges - before) ||
            (p % 1024 == 0 && !limits_room(graph->limits, choice.edges / 2 * 12)) ||
            choice.edges > UINT32_MAX / 4)
            return false;
    }
    return true;
}

static int by_place(const void *a, const void *b, void *context) {
    const uint32_t *place = context;
    const struct txn_pair *x = a, *y = b;
    uint32_t i = place[x->first] < place[x->second] ? place[x->first] : place[x->second];
    uint32_t j = place[y->first] < place[y->second] ? place[y->first] : place[y->second];
    if (i != j)
        return i < j ? -1 : 1;
    i = place[x->first] + place[x->second];
    j = place[y->first] + place[y->second];
    return i < j ? -1 : i > j;
}

/* From early to late in the order: those that contradict each other are near each other, and are
 * guessed one soon after the other, so that little is guessed anew when they do. */
static void sort_pairs(struct txn_pairs *pairs, const uint32_t *order, uint32_t node_count) {
    uint32_t *place = cairn_alloc((node_count + 1u) * sizeof *place);
    for (uint32_t i = 0; i < node_count; i++)
        place[order[i]] = i;
    qsort_r(pairs->at, pairs->count, sizeof *pairs->at, by_place, place);
    cairn_free(place);
}

enum answer txn_choose(struct txn_graph *graph, const struct txn_rules *rules,
                       struct txn_pairs *pairs, uint32_t *order) {
    uint32_t placed = txn_graph_order(graph, order);
    cairn_assert(placed == graph->node_count);
    if (pairs->count == 0)
        return ANSWER_YES;
    if (!limits_room(graph->limits, (size_t)graph->edge_count * 24 + (size_t)pairs->count * 120))
        return ANSWER_UNDECIDED;
    sort_pairs(pairs, order, graph->node_count);
    struct solver *solver = solver_new(graph->node_count, graph->limits);
    solver_start(solver, order);
    for (uint32_t e = 0; e < graph->edge_count; e++)
        solver_edge(solver, graph->out[e].from, graph->out[e].to, LITERAL_TRUE);
    enum answer answer = ANSWER_UNDECIDED;
    if (give_pairs(solver, graph, rules, pairs)) {
        enum solver_answer found = solver_run(solver);
        answer = found == SOLVER_SAT     ? ANSWER_YES
                 : found == SOLVER_UNSAT ? ANSWER_NO
                                         : ANSWER_UNDECIDED;
    }
    for (uint32_t n = 0; n < graph->node_count && answer == ANSWER_YES; n++)
        order[solver_place(solver, n)] = n;
    solver_free(solver);
    return answer;
}
