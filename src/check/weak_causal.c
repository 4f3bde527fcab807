/* causal, and causal-convergence. */
#include "check/weak.h"

#include "base/alloc.h"

/* The first write that no read of the initial value can have known, among those that it knew. */
static uint32_t known_write(const struct causal *causal, uint32_t reader, uint32_t process) {
    const uint32_t *clock = causal->clocks + (size_t)reader * causal->process_count;
    uint32_t position = clock[process];
    if (process == causal->ops[reader].process)
        position--; /* a compare-and-set does not know itself */
    return causal_last_write(causal, process, causal->ops[reader].key, position);
}

/* Adds to the graph what the reader demands: of the writes to its key that it knew, the one that it
 * read is the last. In causal, only a contradiction with causal order counts. */
static void demand(const struct causal *causal, uint32_t reader, bool contradictions,
                   struct causal_graph *graph) {
    uint32_t from = causal->ops[reader].from;
    for (uint32_t p = 0; p < causal->process_count; p++) {
        uint32_t other = known_write(causal, reader, p);
        if (other == FROM_NOBODY || other == from)
            continue;
        if (from == FROM_INITIAL)
            graph_add(graph, reader, other, REASON_READ_BEFORE, FROM_NOBODY);
        else if (contradictions ? causal_before(causal, from, other)
                                : !causal_before(causal, other, from))
            graph_add(graph, other, from, REASON_EARLIER_WRITE, reader);
    }
}

static void judge(const struct causal *causal, bool convergent, struct verdict *verdict) {
    struct causal_graph graph;
    uint32_t *order = cairn_alloc((causal->count + 1) * sizeof *order);
    graph_init(&graph, causal->count);
    graph_causal(&graph, causal);
    for (uint32_t i = 0; i < causal->count; i++)
        if (causal->ops[i].from != FROM_NOBODY)
            demand(causal, i, !convergent, &graph);
    uint32_t cycle = graph_sort(&graph, NULL, 0, order);
    if (cycle != OP_NONE) {
        graph_tell_cycle(&graph, causal, cycle, verdict);
        verdict->answer = ANSWER_NO;
        buf_printf(&verdict->text, convergent ? "no order of all writes explains every read"
                                              : "a read contradicts its own causal past");
    } else {
        verdict->answer = ANSWER_YES;
        struct order *to = verdict_order(verdict, SCOPE_ALL, VALUE_NULL);
        for (uint32_t i = 0; i < causal->count; i++)
            if (!convergent || causal->ops[order[i]].writes)
                order_push(to, causal->ops[order[i]].op);
    }
    graph_free(&graph);
    cairn_free(order);
}

/* For a read of w: no other write of the key lies causally between w and the read. */
void weak_causal(const struct causal *causal, struct verdict *verdict) {
    judge(causal, false, verdict);
}

void weak_convergent(const struct causal *causal, struct verdict *verdict) {
    judge(causal, true, verdict);
}
