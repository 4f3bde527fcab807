/* Registers with unique values, as the weak levels see them: process order, reads-from, and their
 * closure, causal order, as vector clocks.
 *
 * A compare-and-set reads and writes. An open write counts when an operation read it. Memory: 4
 * bytes an operation and process for the clocks.
 */
#ifndef CAIRN_CHECK_CAUSAL_H
#define CAIRN_CHECK_CAUSAL_H

#include "check/verdict.h"

#define FROM_NOBODY UINT32_MAX /* it does not read, or what it read is not known */
#define FROM_INITIAL (UINT32_MAX - 1)

struct causal_op {
    uint32_t op;       /* in the history */
    uint32_t process;  /* dense among those that have operations here */
    uint32_t position; /* in its process, from 1 */
    uint32_t key;      /* dense */
    uint32_t from;     /* whose value it read, in causal.ops */
    bool writes;
};

/* The writes of one process to one key, in order: numbers in causal.ops. */
struct causal_writes {
    uint32_t from, count; /* in causal.write_list */
};

struct causal {
    const struct history *history;
    struct causal_op *ops;
    uint32_t count;
    uint32_t process_count, key_count;
    uint32_t *process_from; /* process_count + 1: where each process starts in by_process */
    uint32_t *by_process;
    uint32_t *key_values;         /* dense key -> value */
    struct causal_writes *writes; /* [key * process_count + process] */
    uint32_t *write_list;
    uint32_t *clocks; /* [op * process_count + process]: how many of the process's operations come
                       * before or are it; NULL until causal_clocks */
    uint32_t *topological; /* all operations, causes first */
};

enum causal_fault {
    CAUSAL_FINE,
    CAUSAL_NOT_UNIQUE, /* a value is written twice: the method does not apply */
    CAUSAL_THIN_AIR,   /* told in the verdict */
    CAUSAL_OTHER,      /* operations that are neither reads, writes nor comparisons */
    CAUSAL_CYCLE       /* of causal_clocks: told in the verdict */
};
enum causal_fault causal_make(struct causal *causal, const struct history *history,
                              struct verdict *verdict);
void causal_free(struct causal *causal);
/* False from limits: UNDECIDED is the caller's to say. */
enum causal_fault causal_clocks(struct causal *causal, struct verdict *verdict);

/* a is before b in causal order. */
static inline bool causal_before(const struct causal *causal, uint32_t a, uint32_t b) {
    return a != b && causal->clocks[(size_t)b * causal->process_count + causal->ops[a].process] >=
                         causal->ops[a].position;
}
/* The last write of the process to the key at or before the position; FROM_NOBODY: none. */
uint32_t causal_last_write(const struct causal *causal, uint32_t process, uint32_t key,
                           uint32_t position);

/* ---- a graph over the operations, for orders and cycles ---- */

struct causal_graph {
    uint32_t *head; /* first edge into each node */
    struct causal_edge {
        uint32_t from, next, by;
        enum reason reason;
    } * edges;
    uint32_t count, cap, nodes;
};
void graph_init(struct causal_graph *graph, uint32_t nodes);
void graph_free(struct causal_graph *graph);
void graph_add(struct causal_graph *graph, uint32_t from, uint32_t to, enum reason reason,
               uint32_t by);
/* Process order (neighbours) and reads-from. */
void graph_causal(struct causal_graph *graph, const struct causal *causal);
/* order: room for all nodes; emits them with all predecessors first, those of `first` before
 * others, in this order. OP_NONE, or a node that lies on a cycle. */
uint32_t graph_sort(const struct causal_graph *graph, const uint32_t *first, uint32_t first_count,
                    uint32_t *order);
/* Puts a shortest cycle through the node into the verdict. */
void graph_tell_cycle(const struct causal_graph *graph, const struct causal *causal, uint32_t node,
                      struct verdict *verdict);

#endif
