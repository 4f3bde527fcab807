#include "check/verdict.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

const char *answer_name(enum answer answer) {
    static const char *const names[] = {"yes", "no", "undecided", "undefined"};
    return names[answer];
}

const char *reason_text(enum reason reason) {
    static const char *const texts[REASON_COUNT] = {
#define X(name, text) text,
        REASON_LIST(X)
#undef X
    };
    cairn_assert(reason < REASON_COUNT);
    return texts[reason];
}

const char *anomaly_name(enum anomaly anomaly) {
    static const char *const names[ANOMALY_COUNT] = {
#define X(name, text) text,
        ANOMALY_LIST(X)
#undef X
    };
    cairn_assert(anomaly < ANOMALY_COUNT);
    return names[anomaly];
}

void verdict_init(struct verdict *verdict, enum model model, enum level level) {
    memset(verdict, 0, sizeof *verdict);
    verdict->answer = ANSWER_UNDEFINED;
    verdict->model = model;
    verdict->level = level;
}

void verdict_free(struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->order_count; i++)
        cairn_free(verdict->orders[i].ops);
    cairn_free(verdict->orders);
    cairn_free(verdict->edges);
    cairn_free(verdict->ops);
    buf_free(&verdict->text);
    memset(verdict, 0, sizeof *verdict);
}

/* An array doubles when its length is a power of two: no capacity needs to be kept. */
static bool full(uint32_t count) {
    return (count & (count - 1)) == 0;
}

static uint32_t doubled(uint32_t count) {
    return count == 0 ? 1 : count * 2;
}

struct order *verdict_order(struct verdict *verdict, enum scope scope, uint32_t of) {
    uint32_t count = verdict->order_count;
    if (full(count))
        verdict->orders = cairn_realloc(verdict->orders, doubled(count) * sizeof(struct order));
    struct order *order = &verdict->orders[verdict->order_count++];
    *order = (struct order){.scope = scope, .of = of};
    return order;
}

void order_push(struct order *order, uint32_t op) {
    if (full(order->count))
        order->ops = cairn_realloc(order->ops, doubled(order->count) * sizeof *order->ops);
    order->ops[order->count++] = op;
}

void verdict_edge(struct verdict *verdict, struct edge edge) {
    uint32_t count = verdict->edge_count;
    if (full(count))
        verdict->edges = cairn_realloc(verdict->edges, doubled(count) * sizeof edge);
    verdict->edges[verdict->edge_count++] = edge;
}

void verdict_op(struct verdict *verdict, uint32_t op) {
    for (uint32_t i = 0; i < verdict->op_count; i++)
        if (verdict->ops[i] == op)
            return;
    verdict_op_new(verdict, op);
}

void verdict_op_new(struct verdict *verdict, uint32_t op) {
    if (full(verdict->op_count))
        verdict->ops =
            cairn_realloc(verdict->ops, doubled(verdict->op_count) * sizeof *verdict->ops);
    verdict->ops[verdict->op_count++] = op;
}

void verdict_undecided(struct verdict *verdict, const struct limits *limits) {
    verdict->answer = ANSWER_UNDECIDED;
    verdict->stopped = limits ? limits->stopped : LIMITS_GO;
}
