#include "check/txn_dag.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>
#include <string.h>

void dag_init(struct dag *dag, uint32_t node_count) {
    memset(dag, 0, sizeof *dag);
    size_t size = (node_count + 1u) * sizeof(uint32_t);
    dag->node_count = node_count;
    dag->out = cairn_alloc(size);
    dag->in = cairn_alloc(size);
    memset(dag->out, 0xff, size);
    memset(dag->in, 0xff, size);
    dag->place = cairn_alloc(size);
    dag->seen = cairn_alloc_zero(size);
    dag->parent = cairn_alloc(size);
    dag->queue = cairn_alloc(size);
    dag->back = cairn_alloc(size);
    dag->slots = cairn_alloc(2 * size);
    for (uint32_t n = 0; n < node_count; n++)
        dag->place[n] = n;
}

void dag_free(struct dag *dag) {
    cairn_free(dag->edges);
    cairn_free(dag->out);
    cairn_free(dag->in);
    cairn_free(dag->place);
    cairn_free(dag->seen);
    cairn_free(dag->parent);
    cairn_free(dag->queue);
    cairn_free(dag->back);
    cairn_free(dag->slots);
    memset(dag, 0, sizeof *dag);
}

void dag_order(struct dag *dag, const uint32_t *order) {
    for (uint32_t i = 0; i < dag->node_count; i++)
        dag->place[order[i]] = i;
}

/* Breadth first, so that a cycle is short; only nodes placed up to `from` can lead there. True: it
 * was reached. */
static bool forward(struct dag *dag, uint32_t from, uint32_t to, uint32_t *count) {
    *count = 0;
    dag->queue[(*count)++] = to;
    dag->seen[to] = dag->round;
    dag->parent[to] = DAG_NONE;
    for (uint32_t i = 0; i < *count; i++)
        for (uint32_t e = dag->out[dag->queue[i]]; e != DAG_NONE; e = dag->edges[e].next_out) {
            uint32_t next = dag->edges[e].to;
            dag->steps++;
            if (dag->seen[next] == dag->round || dag->place[next] > dag->place[from])
                continue;
            dag->seen[next] = dag->round;
            dag->parent[next] = e;
            if (next == from)
                return true;
            dag->queue[(*count)++] = next;
        }
    return false;
}

static uint32_t backward(struct dag *dag, uint32_t from, uint32_t to) {
    uint32_t count = 0;
    dag->back[count++] = from;
    dag->seen[from] = dag->round;
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t e = dag->in [dag->back[i]]; e != DAG_NONE; e = dag->edges[e].next_in) {
            uint32_t next = dag->edges[e].from;
            dag->steps++;
            if (dag->seen[next] == dag->round || dag->place[next] < dag->place[to])
                continue;
            dag->seen[next] = dag->round;
            dag->back[count++] = next;
        }
    return count;
}

static int by_number(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* The nodes that lead to the new edge, then those that it leads to, each in their order so far, on
 * the places that they all had. */
static void reorder(struct dag *dag, uint32_t back_count, uint32_t forward_count) {
    uint32_t count = back_count + forward_count;
    uint64_t *keyed = cairn_alloc((count + 1u) * sizeof *keyed);
    for (uint32_t i = 0; i < back_count; i++)
        keyed[i] = (uint64_t)dag->place[dag->back[i]] << 32 | dag->back[i];
    for (uint32_t i = 0; i < forward_count; i++)
        keyed[back_count + i] = (uint64_t)dag->place[dag->queue[i]] << 32 | dag->queue[i];
    qsort(keyed, back_count, sizeof *keyed, by_number);
    qsort(keyed + back_count, forward_count, sizeof *keyed, by_number);
    uint32_t left = 0, right = back_count;
    for (uint32_t i = 0; i < count; i++)
        dag->slots[i] = right == count || (left < back_count && keyed[left] < keyed[right])
                            ? (uint32_t)(keyed[left++] >> 32)
                            : (uint32_t)(keyed[right++] >> 32);
    for (uint32_t i = 0; i < count; i++)
        dag->place[(uint32_t)keyed[i]] = dag->slots[i];
    cairn_free(keyed);
}

static void link_edge(struct dag *dag, uint32_t from, uint32_t to, uint32_t tag) {
    if (dag->edge_count == dag->edge_cap) {
        dag->edge_cap = dag->edge_cap ? dag->edge_cap * 2 : 256;
        dag->edges = cairn_realloc(dag->edges, dag->edge_cap * sizeof *dag->edges);
    }
    uint32_t edge = dag->edge_count++;
    dag->edges[edge] = (struct dag_edge){from, to, dag->out[from], dag->in[to], tag};
    dag->out[from] = dag->in[to] = edge;
}

bool dag_add(struct dag *dag, uint32_t from, uint32_t to, uint32_t tag, const uint32_t **cycle,
             uint32_t *cycle_count) {
    cairn_assert(from < dag->node_count && to < dag->node_count);
    *cycle_count = 0;
    *cycle = dag->slots;
    if (from == to)
        return false;
    if (dag->place[from] > dag->place[to]) {
        uint32_t count;
        dag->round++;
        if (forward(dag, from, to, &count)) {
            for (uint32_t n = from; n != to; n = dag->edges[dag->parent[n]].from)
                dag->slots[(*cycle_count)++] = dag->parent[n];
            return false;
        }
        dag->round++;
        reorder(dag, backward(dag, from, to), count);
    }
    link_edge(dag, from, to, tag);
    return true;
}

void dag_cut(struct dag *dag, uint32_t count) {
    while (dag->edge_count > count) {
        const struct dag_edge *edge = &dag->edges[--dag->edge_count];
        dag->out[edge->from] = edge->next_out;
        dag->in[edge->to] = edge->next_in;
    }
}
