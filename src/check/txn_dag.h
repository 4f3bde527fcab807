/* A graph without cycles, with its nodes in an order that all edges follow, kept up while edges are
 * added and taken away again, last in first out (Pearce & Kelly, "A dynamic topological sort
 * algorithm for directed acyclic graphs", 2006).
 */
#ifndef CAIRN_CHECK_TXN_DAG_H
#define CAIRN_CHECK_TXN_DAG_H

#include <stdbool.h>
#include <stdint.h>

#define DAG_NONE UINT32_MAX

struct dag_edge {
    uint32_t from, to;
    uint32_t next_out, next_in; /* of the same node */
    uint32_t tag;
};
struct dag {
    uint32_t node_count;
    struct dag_edge *edges;
    uint32_t edge_count, edge_cap;
    uint32_t *out, *in; /* by node: its newest edge */
    uint32_t *place;    /* by node: in the order */
    /* scratch */
    uint32_t *seen, *parent, *queue, *back, *slots;
    uint32_t round;
    uint64_t steps; /* edges walked so far */
};

void dag_init(struct dag *dag, uint32_t node_count);
void dag_free(struct dag *dag);
/* False: there would be a cycle, and the edge is not added; *cycle, *cycle_count are the edges of a
 * path from `to` back to `from`, valid until the next call. */
bool dag_add(struct dag *dag, uint32_t from, uint32_t to, uint32_t tag, const uint32_t **cycle,
             uint32_t *cycle_count);
/* Takes away the newest edges, until `count` are left. */
void dag_cut(struct dag *dag, uint32_t count);
/* Takes over an order that all the edges follow already; used to start well. */
void dag_order(struct dag *dag, const uint32_t *order);

#endif
