/* pram, causal-memory and monotonic-writes: for each process, all writes and
 * its own operations in one legal order that contains a base order. Since its own reads stand in
 * one order, saturation decides it: a write that comes before a read comes before what that read
 * read; when that has no cycle, putting before each read whatever must come before it is legal. */
#include "check/weak.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

struct view {
    const struct causal *causal;
    enum level level;
    uint32_t process;
    struct causal_graph graph;
    uint32_t *order;  /* of all nodes, predecessors first */
    uint32_t *clocks; /* [node * processes]: of each process, the last write's position before it */
    bool *mine;       /* nodes in the view */
};

static bool in_view(const struct view *view, uint32_t op) {
    const struct causal_op *at = &view->causal->ops[op];
    return at->writes || at->process == view->process;
}

/* ---- the base order ---- */

static void link_own(struct view *view, uint32_t *last, uint32_t at, bool counts) {
    if (!counts)
        return;
    if (*last != FROM_NOBODY)
        graph_add(&view->graph, *last, at, REASON_SESSION, FROM_NOBODY);
    *last = at;
}

static void link_session(struct view *view, uint32_t process) {
    const struct causal *causal = view->causal;
    uint32_t last = FROM_NOBODY, last_write = FROM_NOBODY, last_read = FROM_NOBODY;
    bool own = process == view->process;
    for (uint32_t i = causal->process_from[process]; i < causal->process_from[process + 1]; i++) {
        uint32_t at = causal->by_process[i];
        if (!in_view(view, at))
            continue;
        if (view->level != LEVEL_MONOTONIC_WRITES || !own) {
            if (last != FROM_NOBODY)
                graph_add(&view->graph, last, at, REASON_SESSION, FROM_NOBODY);
        } else {
            link_own(view, &last_write, at, causal->ops[at].writes);
            link_own(view, &last_read, at, causal->ops[at].from != FROM_NOBODY);
        }
        last = at;
    }
}

/* A reader of the initial value comes before every write of the key. */
static void link_initial(struct view *view, uint32_t reader) {
    const struct causal *causal = view->causal;
    for (uint32_t p = 0; p < causal->process_count; p++) {
        const struct causal_writes *writes =
            &causal->writes[(size_t)causal->ops[reader].key * causal->process_count + p];
        if (writes->count > 0 && causal->write_list[writes->from] != reader)
            graph_add(&view->graph, reader, causal->write_list[writes->from], REASON_READ_BEFORE,
                      FROM_NOBODY);
    }
}

static void link_own_reads(struct view *view) {
    const struct causal *causal = view->causal;
    for (uint32_t i = causal->process_from[view->process];
         i < causal->process_from[view->process + 1]; i++) {
        uint32_t at = causal->by_process[i], from = causal->ops[at].from;
        if (from == FROM_INITIAL)
            link_initial(view, at);
        else if (from != FROM_NOBODY)
            graph_add(&view->graph, from, at, REASON_READS_FROM, FROM_NOBODY);
    }
}

static void link_base(struct view *view) {
    if (view->level == LEVEL_CAUSAL_MEMORY)
        graph_causal(&view->graph, view->causal);
    for (uint32_t p = 0; p < view->causal->process_count && view->level != LEVEL_CAUSAL_MEMORY; p++)
        link_session(view, p);
    link_own_reads(view);
}

/* ---- saturation ---- */

static void join(uint32_t *clock, const uint32_t *other, uint32_t width) {
    for (uint32_t p = 0; p < width; p++)
        if (other[p] > clock[p])
            clock[p] = other[p];
}

static void make_clocks(struct view *view) {
    const struct causal *causal = view->causal;
    uint32_t width = causal->process_count;
    memset(view->clocks, 0, (size_t)causal->count * width * sizeof *view->clocks);
    for (uint32_t i = 0; i < causal->count; i++) {
        uint32_t at = view->order[i];
        uint32_t *clock = view->clocks + (size_t)at * width;
        for (uint32_t edge = view->graph.head[at]; edge != UINT32_MAX;
             edge = view->graph.edges[edge].next) {
            uint32_t from = view->graph.edges[edge].from;
            const struct causal_op *op = &causal->ops[from];
            join(clock, view->clocks + (size_t)from * width, width);
            if (op->writes && op->position > clock[op->process])
                clock[op->process] = op->position;
        }
    }
}

/* True: something was added. */
static bool saturate(struct view *view) {
    const struct causal *causal = view->causal;
    uint32_t width = causal->process_count;
    bool changed = false;
    for (uint32_t i = causal->process_from[view->process];
         i < causal->process_from[view->process + 1]; i++) {
        uint32_t reader = causal->by_process[i], from = causal->ops[reader].from;
        if (from >= FROM_INITIAL)
            continue;
        for (uint32_t p = 0; p < width; p++) {
            uint32_t position = view->clocks[(size_t)reader * width + p];
            uint32_t other = causal_last_write(causal, p, causal->ops[reader].key, position);
            if (other == FROM_NOBODY || other == from ||
                view->clocks[(size_t)from * width + p] >= causal->ops[other].position)
                continue;
            graph_add(&view->graph, other, from, REASON_EARLIER_WRITE, reader);
            changed = true;
        }
    }
    return changed;
}

static void tell_order(const struct view *view, struct verdict *verdict) {
    const struct causal *causal = view->causal;
    uint32_t name =
        causal->history
            ->ops[causal->ops[causal->by_process[causal->process_from[view->process]]].op]
            .process;
    struct order *order = verdict_order(verdict, SCOPE_PROCESS, name);
    for (uint32_t i = 0; i < causal->count; i++)
        if (in_view(view, view->order[i]))
            order_push(order, causal->ops[view->order[i]].op);
}

static bool view_holds(struct view *view, struct limits *limits, struct verdict *verdict) {
    const struct causal *causal = view->causal;
    const uint32_t *own = causal->by_process + causal->process_from[view->process];
    uint32_t own_count =
        causal->process_from[view->process + 1] - causal->process_from[view->process];
    do {
        if (limits_over(limits, causal->count))
            return false;
        uint32_t cycle = graph_sort(&view->graph, own, own_count, view->order);
        if (cycle != OP_NONE) {
            graph_tell_cycle(&view->graph, causal, cycle, verdict);
            verdict->answer = ANSWER_NO;
            return false;
        }
        make_clocks(view);
    } while (saturate(view));
    return true;
}

/* Monotonic writes order a process's reads by themselves, so its own operations are not one line.
 */
static uint32_t reads_of(const struct view *view, uint32_t *reads) {
    const struct causal *causal = view->causal;
    uint32_t count = 0;
    for (uint32_t i = causal->process_from[view->process];
         i < causal->process_from[view->process + 1]; i++)
        if (causal->ops[causal->by_process[i]].from != FROM_NOBODY)
            reads[count++] = causal->by_process[i];
    return count;
}

static void finish_no(const struct view *view, struct verdict *verdict) {
    const struct causal *causal = view->causal;
    uint32_t first = causal->by_process[causal->process_from[view->process]];
    uint32_t process = causal->history->ops[causal->ops[first].op].process;
    buf_printf(&verdict->text, "process ");
    value_show(&causal->history->values, causal->history->processes[process], &verdict->text);
    buf_printf(&verdict->text, " can have seen no order of the writes that explains its reads");
}

static bool judge_process(const struct causal *causal, enum level level, uint32_t process,
                          struct limits *limits, struct verdict *verdict) {
    struct view view = {.causal = causal, .level = level, .process = process};
    graph_init(&view.graph, causal->count);
    view.order = cairn_alloc((causal->count + 1) * sizeof *view.order);
    view.clocks =
        cairn_alloc(((size_t)causal->count * causal->process_count + 1) * sizeof *view.clocks);
    link_base(&view);
    bool holds = view_holds(&view, limits, verdict);
    if (holds && level == LEVEL_MONOTONIC_WRITES) {
        uint32_t *reads = cairn_alloc((causal->count + 1) * sizeof *reads);
        uint32_t cycle = graph_sort(&view.graph, reads, reads_of(&view, reads), view.order);
        cairn_assert(cycle == OP_NONE);
        cairn_free(reads);
    }
    if (holds)
        tell_order(&view, verdict);
    else if (verdict->answer == ANSWER_NO)
        finish_no(&view, verdict);
    graph_free(&view.graph);
    cairn_free(view.order);
    cairn_free(view.clocks);
    return holds;
}

void weak_each_process(const struct causal *causal, enum level level, struct limits *limits,
                       struct verdict *verdict) {
    size_t clocks = (size_t)causal->count * causal->process_count * sizeof(uint32_t);
    verdict->answer = ANSWER_UNDECIDED;
    limits_phase(limits, "one order a process", causal->process_count);
    for (uint32_t p = 0; p < causal->process_count; p++) {
        limits_done(limits, p);
        if (limits_room(limits, clocks) && judge_process(causal, level, p, limits, verdict))
            continue;
        if (verdict->answer != ANSWER_NO) {
            verdict_undecided(verdict, limits);
            buf_printf(&verdict->text, "it holds for %u of %u processes", p, causal->process_count);
        }
        return;
    }
    verdict->answer = ANSWER_YES;
}
