#include "check/txn_judge.h"

#include "check/txn_cycle.h"
#include "check/txn_past.h"
#include "check/txn_strong.h"
#include "check/txn_weak.h"
#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* A level without sessions is guessed to hold with most of the session order, so many times, before
 * it is judged without any; from the third guess on sessions are taken apart as a whole. It is
 * judged at once where so many bytes are enough for that, and no more pairs of versions are open.
 */
#define GUESSES 5u
#define GUESS_WHOLE 2u
/* Clients that one may think of where no sessions are told: transactions of one of them come in the
 * order in which they are written down, so those that are further apart than this do, too. */
#define DEALT_FEW 16u
#define DEALT_SOME 64u
#define DEALT_MANY 256u
#define ALONE_BYTES_MAX ((size_t)256 << 20)
#define ALONE_PAIRS_MAX 100000u

static bool is_weak(enum level level) {
    return level_axiom(level).view < VIEW_PREFIX;
}

enum level txn_judge_weaker(enum level level) {
    if (is_weak(level))
        return LEVEL_NONE;
    return level_axiom(level).sessions ? LEVEL_TXN_CAUSAL : LEVEL_READ_ATOMIC;
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
    switch (level_axiom(verdict->level).view) {
    case VIEW_READ_BEFORE:
        txn_atomic_view(&graph);
        break;
    case VIEW_READ:
        txn_read_atomic(&graph);
        break;
    case VIEW_CAUSAL:
        txn_causal(&graph);
        break;
    default:
        cairn_assert(level_axiom(verdict->level).view == VIEW_NOTHING);
    }
    uint32_t *order = order_new(&graph);
    verdict->answer = try_known(&graph, order, verdict);
    if (verdict->answer == ANSWER_YES)
        answer_yes(txns, order, graph.node_count, want_order, verdict);
    cairn_free(order);
    txn_graph_free(&graph);
}

/* Is there no order of versions to be found? Two whose order is open ask for nothing where they
 * need not see each other and neither was read. */
static bool all_ranked(const struct txns *txns, const struct txn_rules *rules) {
    for (uint32_t k = 0; k < txns->key_count; k++) {
        const struct txn_key *key = &txns->keys[k];
        bool matters = rules->conflict;
        for (uint32_t i = key->ranked; i < key->count && !matters; i++) {
            uint32_t version = txns->by_key[key->at + i];
            matters = txns->reader_at[version + 1] > txns->reader_at[version];
        }
        if (matters && key->count > key->ranked + 1)
            return false;
    }
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

/* ---- the strong levels, of the sessions that txns has ---- */

struct strong {
    const struct txns *txns;
    struct limits *limits;
    bool want_order;
    struct verdict *verdict;
    struct txn_rules rules;
    struct txn_graph graph;
    struct txn_pairs pairs;
    uint32_t *order;
};

static void strong_open(struct strong *strong, const struct txns *txns, struct limits *limits,
                        bool want_order, struct verdict *verdict) {
    *strong = (struct strong){.txns = txns,
                              .limits = limits,
                              .want_order = want_order,
                              .verdict = verdict,
                              .rules = txn_rules_of(verdict->level)};
    txn_graph_init(&strong->graph, txns, strong->rules.split, limits);
    txn_strong_known(&strong->graph, &strong->rules);
    strong->order = order_new(&strong->graph);
    verdict->answer = try_known(&strong->graph, strong->order, verdict);
}

static void strong_close(struct strong *strong) {
    txn_pairs_free(&strong->pairs);
    cairn_free(strong->order);
    txn_graph_free(&strong->graph);
}

/* When what is known has no cycle: what follows from it, then a search. */
static void strong_search(struct strong *strong) {
    struct verdict *verdict = strong->verdict;
    struct txn_graph *graph = &strong->graph;
    if (verdict->answer == ANSWER_YES && !all_ranked(strong->txns, &strong->rules)) {
        settle(graph, &strong->rules, &strong->pairs);
        verdict->answer = try_known(graph, strong->order, verdict);
    }
    if (verdict->answer == ANSWER_YES)
        verdict->answer = txn_choose(graph, &strong->rules, &strong->pairs, strong->order);
    if (verdict->answer == ANSWER_UNDECIDED)
        buf_printf(&verdict->text,
                   "what is known has no cycle so far; %u pairs of writers were found whose order "
                   "is open",
                   strong->pairs.count);
    if (verdict->answer == ANSWER_YES)
        answer_yes(strong->txns, strong->order, graph->node_count, strong->want_order, verdict);
}

/* ---- levels without sessions, guessed with them ---- */

/* Whether `trial` says yes; its order is one without sessions, too. */
static bool guess(const struct strong *strong, const struct txns *txns, struct verdict *trial) {
    struct strong with;
    verdict_free(trial);
    verdict_init(trial, strong->verdict->model, strong->verdict->level);
    strong_open(&with, txns, strong->limits, strong->want_order, trial);
    strong_search(&with);
    strong_close(&with);
    return trial->answer == ANSWER_YES;
}

static void cut_at(const struct txns *txns, const uint32_t *txn_of, uint32_t op, bool whole,
                   bool *starts) {
    uint32_t t = op == OP_NONE ? TXN_NONE : txn_of[op];
    if (t == TXN_NONE)
        return;
    uint32_t session = txns->at[t].session, end = txns->session_at[session + 1];
    for (uint32_t i = whole ? txns->session_at[session] : t; i < end && (whole || i <= t + 1); i++)
        starts[i] = true;
}

/* Sessions are cut at the transactions of a contradiction. False: there is nothing to cut. */
static bool cut_more(const struct txns *txns, const uint32_t *txn_of, const struct verdict *trial,
                     bool whole, bool *starts) {
    for (uint32_t i = 0; i < trial->edge_count; i++) {
        cut_at(txns, txn_of, trial->edges[i].from, whole, starts);
        cut_at(txns, txn_of, trial->edges[i].by, whole, starts);
    }
    return trial->answer == ANSWER_NO && trial->edge_count > 0;
}

static bool guess_all(const struct strong *strong, const struct txns *txns, uint32_t guesses,
                      struct verdict *trial) {
    bool *starts = cairn_alloc_zero(txns->count + 1u), found = false, more = guesses > 0;
    uint32_t *txn_of = cairn_alloc((txns->history->op_count + 1u) * sizeof *txn_of);
    memset(txn_of, 0xff, (txns->history->op_count + 1u) * sizeof *txn_of);
    for (uint32_t t = 0; t < txns->count; t++)
        txn_of[txns->at[t].op] = t;
    for (uint32_t round = 0; round < guesses && more && !found; round++) {
        struct txns cut;
        txns_cut(&cut, txns, starts);
        found = guess(strong, &cut, trial);
        txns_cut_free(&cut);
        more = !found && !limits_over(strong->limits, 1) &&
               cut_more(txns, txn_of, trial, round >= GUESS_WHOLE, starts);
    }
    cairn_free(starts);
    cairn_free(txn_of);
    return found;
}

static void take_yes(struct verdict *verdict, struct verdict *trial) {
    struct verdict old = *verdict;
    *verdict = *trial;
    *trial = old;
}

/* Pairs of versions whose order is open, at most. */
static uint64_t count_open(const struct txns *txns) {
    uint64_t pairs = 0;
    for (uint32_t k = 0; k < txns->key_count; k++) {
        uint64_t open = txns->keys[k].count - txns->keys[k].ranked;
        pairs += open * open / 2;
    }
    return pairs;
}

static uint32_t guesses_for(const struct strong *strong, const struct txns *txns) {
    bool easy = all_ranked(txns, &strong->rules) ||
                (count_open(txns) <= ALONE_PAIRS_MAX &&
                 txn_past_alone_bytes(txns, strong->rules.split) <= ALONE_BYTES_MAX);
    return easy ? 0 : GUESSES;
}

/* Where there are no sessions: with the order in which the transactions were written down. */
static bool guess_dealt(const struct strong *strong, const struct txns *txns, uint32_t guesses,
                        struct verdict *trial) {
    static const uint32_t lanes[] = {DEALT_FEW, DEALT_SOME, DEALT_MANY};
    bool found = false;
    for (size_t i = 0; i < sizeof lanes / sizeof *lanes && guesses > 0 && !found; i++) {
        struct txns dealt;
        txns_deal(&dealt, txns, lanes[i]);
        found = guess_all(strong, &dealt, guesses, trial);
        txns_deal_free(&dealt);
    }
    return found;
}

static void judge_apart(struct strong *strong, const struct txns *txns) {
    struct verdict trial;
    uint32_t guesses = guesses_for(strong, txns);
    verdict_init(&trial, strong->verdict->model, strong->verdict->level);
    if (txns_alone(txns) ? guess_dealt(strong, txns, guesses, &trial)
                         : guess_all(strong, txns, guesses, &trial))
        take_yes(strong->verdict, &trial);
    else
        strong_search(strong);
    verdict_free(&trial);
}

/* ---- the reason that is told ---- */

/* What fails at a weaker level fails here; here it is also a cycle with one edge from a read: had
 * the writer that must be known come later than the one that was read, the reader would stand
 * before it. */
static void take_weaker(struct verdict *verdict, const struct verdict *weaker) {
    struct verdict own;
    verdict_init(&own, verdict->model, verdict->level);
    own.answer = ANSWER_NO;
    own.anomalies = weaker->anomalies;
    own.minimal = weaker->minimal;
    if ((weaker->anomalies & (1u << ANOMALY_FRACTURED_READ | 1u << ANOMALY_CAUSAL_VIOLATION)) !=
        0) {
        own.anomalies |= 1u << ANOMALY_G_SINGLE;
        buf_printf(&own.text, "%s, ", anomaly_name(ANOMALY_G_SINGLE));
    }
    buf_bytes(&own.text, buf_view(&weaker->text));
    for (uint32_t i = 0; i < weaker->edge_count; i++)
        verdict_edge(&own, weaker->edges[i]);
    for (uint32_t i = 0; i < weaker->op_count; i++)
        verdict_op(&own, weaker->ops[i]);
    verdict_free(verdict);
    *verdict = own;
}

/* True: the level below fails, and gives the reason. Asked only when this level does not hold as
 * far as is known, so that a yes costs nothing more. */
static bool fails_below(const struct txns *txns, struct limits *limits,
                        const struct txn_known *known, struct verdict *verdict) {
    struct verdict weaker;
    if (known != NULL && known->told) {
        if (known->weaker != NULL)
            take_weaker(verdict, known->weaker);
        return known->weaker != NULL;
    }
    verdict_init(&weaker, verdict->model, txn_judge_weaker(verdict->level));
    txn_judge(txns, limits, false, NULL, &weaker);
    bool fails = weaker.answer == ANSWER_NO;
    if (fails)
        take_weaker(verdict, &weaker);
    verdict_free(&weaker);
    return fails;
}

/* `all` has the history's sessions; `txns` those of the level. */
static void judge_strong(const struct txns *txns, const struct txns *all, struct limits *limits,
                         bool want_order, const struct txn_known *known, struct verdict *verdict) {
    struct strong strong;
    strong_open(&strong, txns, limits, want_order, verdict);
    bool open = verdict->answer == ANSWER_YES;
    if (open && known != NULL && known->told && fails_below(all, limits, known, verdict))
        open = false;
    if (open && (all != txns || txns_alone(txns)))
        judge_apart(&strong, all);
    else if (open)
        strong_search(&strong);
    if (open && verdict->answer != ANSWER_YES)
        fails_below(all, limits, known, verdict);
    strong_close(&strong);
}

void txn_judge(const struct txns *txns, struct limits *limits, bool want_order,
               const struct txn_known *known, struct verdict *verdict) {
    struct txns apart;
    bool sessions = level_axiom(verdict->level).sessions;
    limits_phase(limits, level_name(verdict->level), txns->count);
    if (!sessions)
        txns_cut(&apart, txns, NULL);
    if (is_weak(verdict->level))
        judge_weak(sessions ? txns : &apart, limits, want_order, verdict);
    else
        judge_strong(sessions ? txns : &apart, txns, limits, want_order, known, verdict);
    if (!sessions)
        txns_cut_free(&apart);
}
