/* writes-follow-reads: each write comes after what its writer had read before; a process's writes
 * are not ordered by themselves, so that what comes before what is kept as bits: n^2 / 8 bytes. */
#include "check/weak.h"

#include "base/alloc.h"

#include <string.h>

struct follow {
    const struct causal *causal;
    struct causal_graph graph;
    uint32_t *order;
    uint64_t *before; /* [node * words]: the writes that come before it */
    uint32_t words;
    struct limits *limits;
};

/* What each process's writes follow: all that it had read before, which is as many edges as there
 * are such pairs. False: a limit was met. */
static bool link_writes(struct follow *follow) {
    const struct causal *causal = follow->causal;
    for (uint32_t p = 0; p < causal->process_count; p++)
        for (uint32_t i = causal->process_from[p]; i < causal->process_from[p + 1]; i++) {
            uint32_t read = causal->by_process[i], later = causal->process_from[p + 1] - i;
            if (causal->ops[read].from >= FROM_INITIAL)
                continue;
            if (limits_over(follow->limits, later) ||
                !limits_room(follow->limits, later * sizeof *follow->graph.edges))
                return false;
            for (uint32_t j = i + 1; j < causal->process_from[p + 1]; j++)
                if (causal->ops[causal->by_process[j]].writes)
                    graph_add(&follow->graph, causal->ops[read].from, causal->by_process[j],
                              REASON_SESSION, read);
        }
    return true;
}

static bool link_reads(struct follow *follow, uint32_t process) {
    const struct causal *causal = follow->causal;
    uint32_t last = FROM_NOBODY;
    for (uint32_t i = causal->process_from[process]; i < causal->process_from[process + 1]; i++) {
        uint32_t at = causal->by_process[i], from = causal->ops[at].from;
        if (from == FROM_NOBODY)
            continue;
        if (last != FROM_NOBODY)
            graph_add(&follow->graph, last, at, REASON_SESSION, FROM_NOBODY);
        last = at;
        if (from != FROM_INITIAL) {
            graph_add(&follow->graph, from, at, REASON_READS_FROM, FROM_NOBODY);
            continue;
        }
        if (limits_over(follow->limits, causal->count))
            return false;
        for (uint32_t other = 0; other < causal->count; other++)
            if (causal->ops[other].writes && other != at &&
                causal->ops[other].key == causal->ops[at].key)
                graph_add(&follow->graph, at, other, REASON_READ_BEFORE, FROM_NOBODY);
    }
    return true;
}

static bool is_before(const struct follow *follow, uint32_t a, uint32_t b) {
    return (follow->before[(size_t)b * follow->words + a / 64] >> (a % 64) & 1) != 0;
}

/* False: a limit was met. */
static bool close_order(struct follow *follow) {
    memset(follow->before, 0, (size_t)follow->causal->count * follow->words * sizeof(uint64_t));
    for (uint32_t i = 0; i < follow->causal->count; i++) {
        uint32_t at = follow->order[i];
        uint64_t *mine = follow->before + (size_t)at * follow->words;
        uint32_t edges = 0;
        for (uint32_t edge = follow->graph.head[at]; edge != UINT32_MAX;
             edge = follow->graph.edges[edge].next, edges++) {
            uint32_t from = follow->graph.edges[edge].from;
            const uint64_t *theirs = follow->before + (size_t)from * follow->words;
            for (uint32_t w = 0; w < follow->words; w++)
                mine[w] |= theirs[w];
            mine[from / 64] |= 1ull << (from % 64);
        }
        if (limits_over(follow->limits, (uint64_t)edges * (1 + follow->words / 64)))
            return false;
    }
    return true;
}

/* True: edges were added, or a limit was met: look again. */
static bool saturate(struct follow *follow, uint32_t process) {
    const struct causal *causal = follow->causal;
    bool changed = false;
    for (uint32_t i = causal->process_from[process]; i < causal->process_from[process + 1]; i++) {
        uint32_t at = causal->by_process[i], from = causal->ops[at].from;
        if (from < FROM_INITIAL && limits_over(follow->limits, causal->count))
            return true;
        for (uint32_t other = 0; from < FROM_INITIAL && other < causal->count; other++) {
            const struct causal_op *write = &causal->ops[other];
            if (!write->writes || write->key != causal->ops[at].key || other == from ||
                other == at || !is_before(follow, other, at) || is_before(follow, other, from))
                continue;
            graph_add(&follow->graph, other, from, REASON_EARLIER_WRITE, at);
            changed = true;
        }
    }
    return changed;
}

/* NO, UNDECIDED, or YES with the order. */
static enum answer judge_process(struct follow *follow, uint32_t process, struct verdict *verdict) {
    const struct causal *causal = follow->causal;
    const uint32_t *own = causal->by_process + causal->process_from[process];
    uint32_t *reads = cairn_alloc((causal->count + 1) * sizeof *reads), count = 0;
    enum answer answer = ANSWER_YES;
    for (uint32_t i = 0; own + i < causal->by_process + causal->process_from[process + 1]; i++)
        if (causal->ops[own[i]].from != FROM_NOBODY)
            reads[count++] = own[i];
    if (!link_writes(follow) || !link_reads(follow, process))
        answer = ANSWER_UNDECIDED;
    while (answer == ANSWER_YES) {
        uint32_t cycle = graph_sort(&follow->graph, reads, count, follow->order);
        if (cycle != OP_NONE) {
            graph_tell_cycle(&follow->graph, causal, cycle, verdict);
            answer = ANSWER_NO;
        } else if (!close_order(follow)) {
            answer = ANSWER_UNDECIDED;
        } else if (!saturate(follow, process)) {
            break;
        }
    }
    cairn_free(reads);
    return answer;
}

static void tell_order(const struct follow *follow, uint32_t process, struct verdict *verdict) {
    const struct causal *causal = follow->causal;
    uint32_t first = causal->by_process[causal->process_from[process]];
    struct order *order =
        verdict_order(verdict, SCOPE_PROCESS, causal->history->ops[causal->ops[first].op].process);
    for (uint32_t i = 0; i < causal->count; i++) {
        const struct causal_op *op = &causal->ops[follow->order[i]];
        if (op->writes || (op->process == process && op->from != FROM_NOBODY))
            order_push(order, op->op);
    }
}

void weak_writes_follow_reads(const struct causal *causal, struct limits *limits,
                              struct verdict *verdict) {
    struct follow follow = {.causal = causal, .words = (causal->count + 63) / 64, .limits = limits};
    size_t bits = (size_t)causal->count * follow.words * sizeof(uint64_t);
    if (!limits_room(limits, bits)) {
        verdict_undecided(verdict, limits);
        return;
    }
    follow.before = cairn_alloc(bits + 1);
    follow.order = cairn_alloc((causal->count + 1) * sizeof *follow.order);
    verdict->answer = ANSWER_YES;
    limits_phase(limits, "processes", causal->process_count);
    for (uint32_t p = 0; p < causal->process_count && verdict->answer == ANSWER_YES; p++) {
        limits_done(limits, p);
        graph_init(&follow.graph, causal->count);
        verdict->answer = judge_process(&follow, p, verdict);
        if (verdict->answer == ANSWER_YES)
            tell_order(&follow, p, verdict);
        else if (verdict->answer == ANSWER_NO)
            buf_printf(&verdict->text,
                       "a write was seen before something that its writer had read");
        else {
            verdict_undecided(verdict, limits);
            buf_printf(&verdict->text, "it holds for %u of %u processes", p, causal->process_count);
        }
        graph_free(&follow.graph);
    }
    cairn_free(follow.before);
    cairn_free(follow.order);
}
