#include "check/txn_cycle.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define EDGE_NONE UINT32_MAX
#define STEPS_MAX 150000000u /* of one search for the shortest, about a second */
#define STEPS_ASK 4096u

static bool reads_before(uint32_t label) {
    return txn_label_why(label) == WHY_READ_BEFORE || txn_label_why(label) == WHY_LATER;
}

static bool allowed(enum txn_cycle_kind kind, uint32_t label) {
    if (kind == CYCLE_WRITES)
        return txn_label_why(label) != WHY_READS && !reads_before(label);
    return kind != CYCLE_FLOW || !reads_before(label);
}

/* ---- strongly connected components (Tarjan 1972), without recursion ---- */

struct tarjan {
    const struct txn_graph *graph;
    enum txn_cycle_kind kind;
    uint32_t *index, *low, *edge; /* by node; edge: the next to look at */
    uint32_t *stack, *path;
    uint32_t stacked, depth, indexed;
    uint32_t *component; /* 0: of its own */
    uint32_t components;
};

static void enter(struct tarjan *tarjan, uint32_t node) {
    tarjan->index[node] = tarjan->low[node] = ++tarjan->indexed;
    tarjan->edge[node] = tarjan->graph->out_at[node];
    tarjan->stack[tarjan->stacked++] = node;
    tarjan->path[tarjan->depth++] = node;
}

static void leave(struct tarjan *tarjan, uint32_t node) {
    if (tarjan->low[node] == tarjan->index[node]) {
        bool alone = tarjan->stack[tarjan->stacked - 1] == node;
        uint32_t component = alone ? 0 : ++tarjan->components, top;
        do {
            top = tarjan->stack[--tarjan->stacked];
            tarjan->component[top] = component;
            tarjan->index[top] = UINT32_MAX;
        } while (top != node);
    }
    tarjan->depth--;
    if (tarjan->depth > 0) {
        uint32_t below = tarjan->path[tarjan->depth - 1];
        if (tarjan->low[node] < tarjan->low[below])
            tarjan->low[below] = tarjan->low[node];
    }
}

static void visit(struct tarjan *tarjan, uint32_t root) {
    const struct txn_graph *graph = tarjan->graph;
    enter(tarjan, root);
    while (tarjan->depth > 0) {
        uint32_t node = tarjan->path[tarjan->depth - 1];
        if (tarjan->edge[node] == graph->out_at[node + 1]) {
            leave(tarjan, node);
            continue;
        }
        const struct txn_edge *edge = &graph->out[tarjan->edge[node]++];
        if (!allowed(tarjan->kind, edge->label))
            continue;
        if (tarjan->index[edge->to] == 0)
            enter(tarjan, edge->to);
        else if (tarjan->index[edge->to] < tarjan->low[node])
            tarjan->low[node] = tarjan->index[edge->to];
    }
}

/* The component of each node, 0 for nodes that are on no cycle. */
static uint32_t *components_of(const struct txn_graph *graph, enum txn_cycle_kind kind) {
    size_t nodes = graph->node_count + 1u;
    uint32_t *memory = cairn_alloc_zero(5 * nodes * sizeof *memory);
    struct tarjan tarjan = {.graph = graph,
                            .kind = kind,
                            .index = memory,
                            .low = memory + nodes,
                            .edge = memory + 2 * nodes,
                            .stack = memory + 3 * nodes,
                            .path = memory + 4 * nodes,
                            .component = cairn_alloc_zero(nodes * sizeof *memory)};
    for (uint32_t node = 0; node < graph->node_count; node++)
        if (tarjan.index[node] == 0)
            visit(&tarjan, node);
    cairn_free(memory);
    return tarjan.component;
}

/* ---- the shortest way back to where one started ---- */

/* States are nodes; for ONE_READ, node + node_count once the reading edge was taken. */
struct search {
    const struct txn_graph *graph;
    enum txn_cycle_kind kind;
    const uint32_t *component;
    uint32_t *seen, *from; /* by state: the round; the edge in `out` that led here */
    uint32_t *len;         /* by state: of the shortest way here */
    uint32_t round;
    uint32_t *now, *next; /* states of this length and of the next */
    uint32_t now_count, next_count;
    uint64_t steps;
    uint32_t *best; /* edges of the shortest so far, last first */
    uint32_t best_count, best_len;
};

/* A state may be met first by the longer of two ways: then it is on both lists. */
static void reach(struct search *search, uint32_t state, uint32_t edge, uint32_t len,
                  bool same_length) {
    if (search->seen[state] == search->round && search->len[state] <= len)
        return;
    search->seen[state] = search->round;
    search->from[state] = edge;
    search->len[state] = len;
    if (same_length)
        search->now[search->now_count++] = state;
    else
        search->next[search->next_count++] = state;
}

static void keep(struct search *search, uint32_t source, uint32_t len) {
    const struct txn_graph *graph = search->graph;
    uint32_t nodes = graph->node_count;
    uint32_t state = search->kind == CYCLE_ONE_READ ? source + nodes : source;
    search->best_count = 0;
    search->best_len = len;
    do {
        uint32_t edge = search->from[state];
        search->best[search->best_count++] = edge;
        uint32_t layer = state >= nodes ? nodes : 0;
        if (layer != 0 && reads_before(graph->out[edge].label))
            layer = 0;
        state = graph->out[edge].from + layer;
    } while (state != source);
}

static void follow(struct search *search, uint32_t state, uint32_t source, uint32_t len) {
    const struct txn_graph *graph = search->graph;
    uint32_t nodes = graph->node_count, node = state % nodes, layer = state - node;
    bool one = search->kind == CYCLE_ONE_READ;
    search->steps += graph->out_at[node + 1] - graph->out_at[node] + 1;
    for (uint32_t i = graph->out_at[node]; i < graph->out_at[node + 1]; i++) {
        const struct txn_edge *edge = &graph->out[i];
        bool reading = reads_before(edge->label);
        if (search->component[edge->to] != search->component[source] ||
            !allowed(search->kind, edge->label) || (one && reading && layer != 0))
            continue;
        uint32_t to = edge->to + (one && reading ? nodes : layer);
        uint32_t to_len = len + (txn_label_why(edge->label) != WHY_CARRY);
        if (edge->to != source || (one && to < nodes)) {
            reach(search, to, i, to_len, to_len == len);
        } else if (to_len < search->best_len) {
            search->from[to] = i;
            keep(search, source, to_len);
        }
    }
}

static void search_from(struct search *search, uint32_t source) {
    search->round++;
    search->now_count = search->next_count = 0;
    reach(search, source, EDGE_NONE, 0, true);
    for (uint32_t len = 0; len < search->best_len && search->now_count > 0; len++) {
        for (uint32_t i = 0; i < search->now_count; i++)
            if (search->len[search->now[i]] == len)
                follow(search, search->now[i], source, len);
        uint32_t *spent = search->now;
        search->now = search->next;
        search->now_count = search->next_count;
        search->next = spent;
        search->next_count = 0;
    }
}

/* Every cycle goes through the commit of a transaction. */
static void search_all(struct search *search) {
    const struct txn_graph *graph = search->graph;
    uint64_t asked = 0;
    for (uint32_t t = 0; t < graph->txns->count && search->best_len > 2; t++) {
        if (search->component[t] == 0)
            continue;
        search_from(search, t);
        bool over = limits_over(graph->limits, search->steps - asked);
        asked = search->steps;
        if (search->best_count > 0 && (over || search->steps > STEPS_MAX))
            break;
    }
}

/* ---- as reasons ---- */

static struct edge reason_of(const struct txns *txns, uint32_t from, uint32_t to, uint32_t label) {
    uint32_t index = txn_label_index(label);
    struct edge edge = {.from = txns->at[from].op,
                        .to = txns->at[to].op,
                        .by = OP_NONE,
                        .key = VALUE_NONE,
                        .reason = REASON_DERIVED};
    static const enum reason reasons[] = {
        [WHY_CARRY] = REASON_DERIVED,         [WHY_SESSION] = REASON_SESSION,
        [WHY_REAL_TIME] = REASON_REAL_TIME,   [WHY_READS] = REASON_READS_FROM,
        [WHY_OVERWRITES] = REASON_OVERWRITES, [WHY_READ_BEFORE] = REASON_READ_BEFORE,
        [WHY_EARLIER] = REASON_EARLIER_WRITE, [WHY_LATER] = REASON_LATER_WRITE,
        [WHY_CONFLICT] = REASON_OVERWRITES,
    };
    edge.reason = reasons[txn_label_why(label)];
    switch (txn_label_why(label)) {
    case WHY_EARLIER:
        edge.by = txns->at[txns->reads[index].txn].op;
        edge.key = txns->keys[txns->reads[index].key].value;
        break;
    case WHY_READS:
    case WHY_READ_BEFORE:
    case WHY_LATER:
        edge.key = txns->keys[txns->reads[index].key].value;
        break;
    case WHY_OVERWRITES:
    case WHY_CONFLICT:
        edge.key = txns->keys[txns->writes[index].key].value;
        break;
    default:
        break;
    }
    return edge;
}

/* One step of a session after another is one step. */
static void push(struct verdict *verdict, struct edge edge) {
    if (verdict->edge_count > 0 && edge.reason == REASON_SESSION &&
        verdict->edges[verdict->edge_count - 1].reason == REASON_SESSION)
        verdict->edges[verdict->edge_count - 1].to = edge.to;
    else
        verdict_edge(verdict, edge);
}

static void tell(const struct search *search, struct verdict *verdict) {
    const struct txn_graph *graph = search->graph;
    uint32_t at = graph->out[search->best[search->best_count - 1]].from;
    uint32_t label = txn_label(WHY_CARRY, 0);
    for (uint32_t i = search->best_count; i-- > 0;) {
        const struct txn_edge *edge = &graph->out[search->best[i]];
        if (txn_label_why(edge->label) != WHY_CARRY)
            label = edge->label;
        uint32_t to = txn_graph_txn(graph, edge->to);
        if (to == TXN_NONE)
            continue;
        if (to != at)
            push(verdict, reason_of(graph->txns, at, to, label));
        at = to;
        label = txn_label(WHY_CARRY, 0);
    }
}

bool txn_cycle_find(const struct txn_graph *graph, enum txn_cycle_kind kind,
                    struct verdict *verdict) {
    uint32_t *component = components_of(graph, kind);
    size_t states = 2u * graph->node_count + 1u;
    uint32_t *memory = cairn_alloc_zero(8 * states * sizeof *memory);
    struct search search = {.graph = graph,
                            .kind = kind,
                            .component = component,
                            .seen = memory,
                            .from = memory + states,
                            .len = memory + 2 * states,
                            .best = memory + 3 * states,
                            .now = memory + 4 * states,
                            .next = memory + 6 * states,
                            .best_len = UINT32_MAX};
    search_all(&search);
    if (search.best_count > 0)
        tell(&search, verdict);
    bool found = search.best_count > 0;
    cairn_free(memory);
    cairn_free(component);
    return found;
}

void txn_cycle_init(const struct txn_graph *graph, struct verdict *verdict) {
    const struct txns *txns = graph->txns;
    const struct txn_read *read = &txns->reads[graph->before_init_read];
    struct edge edge = {.from = txns->at[graph->before_init_txn].op,
                        .to = OP_NONE,
                        .by = txns->at[read->txn].op,
                        .key = txns->keys[read->key].value,
                        .reason = REASON_EARLIER_WRITE};
    verdict_edge(verdict, edge);
    edge.to = edge.from;
    edge.from = edge.by = OP_NONE;
    edge.reason = REASON_OVERWRITES;
    verdict_edge(verdict, edge);
}
