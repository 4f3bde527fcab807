#include "check/txn_judge.h"

#include "check/txn_cycle.h"
#include "check/txn_past.h"
#include "check/txn_strong.h"
#include "check/txn_weak.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static bool is_weak(enum level level) {
    return level == LEVEL_READ_COMMITTED || level == LEVEL_READ_ATOMIC ||
           level == LEVEL_TXN_CAUSAL || level == LEVEL_CAUSAL_CONVERGENCE;
}

static void answer_yes(const struct txns *txns, const uint32_t *order, uint32_t node_count,
                       bool want_order, struct verdict *verdict) {
    verdict->answer = ANSWER_YES;
    if (!want_order)
        return;
    struct order *to = verdict_order(verdict, SCOPE_ALL, VALUE_NONE);
    for (uint32_t i = 0; i < node_count; i++)
        if (order[i] < txns->count)
            order_push(to, txns->at[order[i]].op);
}

/* The worst kind of cycle names the anomaly; it is also shown, when none is shorter. */
static void answer_cycle(const struct txn_graph *graph, struct verdict *verdict) {
    bool found = txn_cycle_find(graph, CYCLE_ANY, verdict);
    cairn_assert(found);
    struct verdict worst;
    verdict_init(&worst, verdict->model, verdict->level);
    for (enum txn_cycle_kind kind = CYCLE_WRITES; kind <= CYCLE_ONE_READ; kind++)
        if (limits_over(graph->limits, 1) || txn_cycle_find(graph, kind, &worst))
            break;
    if (worst.edge_count > 0 && worst.edge_count <= verdict->edge_count) {
        verdict->edge_count = 0;
        for (uint32_t e = 0; e < worst.edge_count; e++)
            verdict_edge(verdict, worst.edges[e]);
    } else if (worst.edge_count > 0) {
        txn_cycle_name(&worst);
        verdict->anomalies |= worst.anomalies;
    }
    verdict_free(&worst);
    txn_cycle_name(verdict);
}

static bool stopped(const struct txn_graph *graph) {
    return graph->stopped || (graph->limits != NULL && graph->limits->stopped != LIMITS_GO);
}

/* NO when the graph shows it; else UNDECIDED, with an order of the known edges. */
static enum answer try_known(struct txn_graph *graph, uint32_t *order, struct verdict *verdict) {
    if (stopped(graph))
        return ANSWER_UNDECIDED;
    if (graph->before_init_txn != TXN_NONE) {
        txn_cycle_init(graph, verdict);
        txn_cycle_name(verdict);
        return ANSWER_NO;
    }
    txn_graph_sort(graph);
    if (txn_graph_order(graph, order) == graph->node_count)
        return ANSWER_YES;
    answer_cycle(graph, verdict);
    return ANSWER_NO;
}

static uint32_t *order_new(const struct txn_graph *graph) {
    return cairn_alloc((graph->node_count + 1u) * sizeof(uint32_t));
}

static void judge_weak(const struct txns *txns, struct limits *limits, bool want_order,
                       struct verdict *verdict) {
    struct txn_graph graph;
    txn_graph_init(&graph, txns, false, limits);
    txn_graph_base(&graph);
    if (verdict->level == LEVEL_READ_COMMITTED)
        txn_read_committed(&graph);
    else if (verdict->level == LEVEL_READ_ATOMIC)
        txn_read_atomic(&graph);
    else
        txn_causal(&graph);
    uint32_t *order = order_new(&graph);
    verdict->answer = try_known(&graph, order, verdict);
    if (verdict->answer == ANSWER_YES)
        answer_yes(txns, order, graph.node_count, want_order, verdict);
    cairn_free(order);
    txn_graph_free(&graph);
}

/* Is there no order of versions to be found? */
static bool all_ranked(const struct txns *txns, const struct txn_rules *rules) {
    for (uint32_t k = 0; k < txns->key_count; k++)
        if (txns->keys[k].count > txns->keys[k].ranked + 1 &&
            (rules->conflict || txns->keys[k].ranked == 0))
            return false;
    return true;
}

static void settle(struct txn_graph *graph, const struct txn_rules *rules,
                   struct txn_pairs *pairs) {
    struct txn_past past;
    if (!txn_past_init(&past, graph)) {
        graph->stopped = true;
    } else if (txn_past_update(&past)) {
        txn_pairs_find(pairs, &past, rules);
        txn_prune(pairs, &past, rules);
    }
    txn_past_free(&past);
}

static void judge_strong(const struct txns *txns, struct limits *limits, bool want_order,
                         struct verdict *verdict) {
    struct txn_rules rules = txn_rules_of(verdict->level);
    struct txn_graph graph;
    struct txn_pairs pairs = {0};
    txn_graph_init(&graph, txns, rules.split, limits);
    txn_strong_known(&graph, &rules);
    uint32_t *order = order_new(&graph);
    verdict->answer = try_known(&graph, order, verdict);
    if (verdict->answer == ANSWER_YES && !all_ranked(txns, &rules)) {
        settle(&graph, &rules, &pairs);
        verdict->answer = try_known(&graph, order, verdict);
    }
    if (verdict->answer == ANSWER_YES)
        verdict->answer = txn_choose(&graph, &rules, &pairs, order);
    if (verdict->answer == ANSWER_UNDECIDED)
        buf_printf(&verdict->text,
                   "what is known has no cycle so far; %u pairs of writers were found whose order "
                   "is open",
                   pairs.count);
    if (verdict->answer == ANSWER_YES)
        answer_yes(txns, order, graph.node_count, want_order, verdict);
    txn_pairs_free(&pairs);
    cairn_free(order);
    txn_graph_free(&graph);
}

void txn_judge(const struct txns *txns, struct limits *limits, bool want_order,
               struct verdict *verdict) {
    limits_phase(limits, level_name(verdict->level), txns->count);
    if (is_weak(verdict->level))
        judge_weak(txns, limits, want_order, verdict);
    else
        judge_strong(txns, limits, want_order, verdict);
}
