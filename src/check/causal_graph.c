/* Orders and cycles of the graphs that the weak levels build. */
#include "check/causal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define NO_EDGE UINT32_MAX

void graph_init(struct causal_graph *graph, uint32_t nodes) {
    memset(graph, 0, sizeof *graph);
    graph->nodes = nodes;
    graph->head = cairn_alloc((nodes + 1) * sizeof *graph->head);
    memset(graph->head, 0xff, (nodes + 1) * sizeof *graph->head);
}

void graph_free(struct causal_graph *graph) {
    cairn_free(graph->head);
    cairn_free(graph->edges);
}

void graph_add(struct causal_graph *graph, uint32_t from, uint32_t to, enum reason reason,
               uint32_t by) {
    cairn_assert(from < graph->nodes && to < graph->nodes);
    if (graph->count == graph->cap) {
        graph->cap = graph->cap ? graph->cap * 2 : 256;
        graph->edges = cairn_realloc(graph->edges, graph->cap * sizeof *graph->edges);
    }
    graph->edges[graph->count] = (struct causal_edge){from, graph->head[to], by, reason};
    graph->head[to] = graph->count++;
}

void graph_causal(struct causal_graph *graph, const struct causal *causal) {
    for (uint32_t p = 0; p < causal->process_count; p++)
        for (uint32_t i = causal->process_from[p] + 1; i < causal->process_from[p + 1]; i++)
            graph_add(graph, causal->by_process[i - 1], causal->by_process[i], REASON_SESSION,
                      FROM_NOBODY);
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].from < FROM_INITIAL)
            graph_add(graph, causal->ops[i].from, i, REASON_READS_FROM, FROM_NOBODY);
}

/* ---- depth first over predecessors, without recursion ---- */

enum { UNSEEN, UNDER_WAY, EMITTED };

struct walk {
    const struct causal_graph *graph;
    uint8_t *state;
    uint32_t *edge_at; /* of each node under way: its next edge */
    uint32_t *stack, depth;
    uint32_t *order, emitted;
};

/* OP_NONE, or a node of a cycle. */
static uint32_t emit(struct walk *walk, uint32_t root) {
    if (walk->state[root] != UNSEEN)
        return OP_NONE;
    walk->state[root] = UNDER_WAY;
    walk->edge_at[root] = walk->graph->head[root];
    walk->stack[walk->depth++] = root;
    while (walk->depth > 0) {
        uint32_t node = walk->stack[walk->depth - 1], edge = walk->edge_at[node];
        if (edge == NO_EDGE) {
            walk->state[node] = EMITTED;
            walk->order[walk->emitted++] = node;
            walk->depth--;
            continue;
        }
        walk->edge_at[node] = walk->graph->edges[edge].next;
        uint32_t from = walk->graph->edges[edge].from;
        if (walk->state[from] == UNDER_WAY)
            return from;
        if (walk->state[from] == UNSEEN) {
            walk->state[from] = UNDER_WAY;
            walk->edge_at[from] = walk->graph->head[from];
            walk->stack[walk->depth++] = from;
        }
    }
    return OP_NONE;
}

/* The shortest cycle through the node: breadth first against the edges. */
void graph_tell_cycle(const struct causal_graph *graph, const struct causal *causal, uint32_t node,
                      struct verdict *verdict) {
    uint32_t *via = cairn_alloc((graph->nodes + 1) * sizeof *via); /* the edge towards the node */
    uint32_t *to = cairn_alloc((graph->nodes + 1) * sizeof *to);
    uint32_t *queue = cairn_alloc((graph->nodes + 1) * sizeof *queue), head = 0, tail = 0;
    memset(via, 0xff, (graph->nodes + 1) * sizeof *via);
    queue[tail++] = node;
    bool found = false;
    while (head < tail && !found) {
        uint32_t at = queue[head++];
        for (uint32_t edge = graph->head[at]; edge != NO_EDGE && !found;
             edge = graph->edges[edge].next) {
            uint32_t from = graph->edges[edge].from;
            if (via[from] != NO_EDGE)
                continue;
            via[from] = edge;
            to[from] = at;
            queue[tail++] = from;
            found = from == node;
        }
    }
    cairn_assert(found);
    for (uint32_t at = node;;) {
        const struct causal_edge *edge = &graph->edges[via[at]];
        uint32_t key = causal->key_values[causal->ops[at].key];
        verdict_edge(verdict, (struct edge){
                                  causal->ops[at].op, causal->ops[to[at]].op,
                                  edge->by == FROM_NOBODY ? OP_NONE : causal->ops[edge->by].op,
                                  edge->reason == REASON_SESSION ? VALUE_NONE : key, edge->reason});
        at = to[at];
        if (at == node)
            break;
    }
    cairn_free(via);
    cairn_free(to);
    cairn_free(queue);
}

uint32_t graph_sort(const struct causal_graph *graph, const uint32_t *first, uint32_t first_count,
                    uint32_t *order) {
    struct walk walk = {.graph = graph, .order = order};
    uint32_t cycle = OP_NONE;
    walk.state = cairn_alloc_zero(graph->nodes + 1);
    walk.edge_at = cairn_alloc((graph->nodes + 1) * sizeof *walk.edge_at);
    walk.stack = cairn_alloc((graph->nodes + 1) * sizeof *walk.stack);
    for (uint32_t i = 0; i < first_count && cycle == OP_NONE; i++)
        cycle = emit(&walk, first[i]);
    for (uint32_t i = 0; i < graph->nodes && cycle == OP_NONE; i++)
        cycle = emit(&walk, i);
    cairn_free(walk.state);
    cairn_free(walk.edge_at);
    cairn_free(walk.stack);
    return cycle;
}
