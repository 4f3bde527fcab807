#include "check/explain_internal.h"

#include "base/assert.h"
#include "check/explain_page.h"

#include <string.h>

/* ---- the verdict ---- */

static void cstr(struct explain *explain, const char *name, const char *text) {
    buf_printf(explain->out, ",\"%s\":", name);
    explain_text(explain->out, bytes_cstr(text));
}

static void write_anomalies(struct explain *explain, uint32_t anomalies) {
    bool first = true;
    buf_printf(explain->out, ",\"anomalies\":[");
    for (int i = 0; i < ANOMALY_COUNT; i++)
        if (anomalies >> i & 1) {
            buf_printf(explain->out, first ? "" : ",");
            explain_text(explain->out, bytes_cstr(anomaly_name((enum anomaly)i)));
            first = false;
        }
    buf_u8(explain->out, ']');
}

/* from, to, by, key, reason */
static void write_edges(struct explain *explain, const struct verdict *verdict) {
    static const char *const names[REASON_COUNT] = {
#define X(name, text) #name,
        REASON_LIST(X)
#undef X
    };
    buf_printf(explain->out, ",\"edges\":[");
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        const uint32_t ops[] = {edge->from, edge->to, edge->by};
        buf_printf(explain->out, i ? ",[" : "[");
        for (int n = 0; n < 3; n++) {
            explain_op(explain, ops[n]);
            buf_u8(explain->out, ',');
        }
        explain_value(explain, edge->key == VALUE_NULL ? VALUE_NONE : edge->key);
        buf_printf(explain->out, ",\"%s\"]", names[edge->reason]);
    }
    buf_u8(explain->out, ']');
}

static void write_numbers(struct explain *explain, const uint32_t *ops, uint32_t count) {
    buf_u8(explain->out, '[');
    bool first = true;
    for (uint32_t i = 0; i < count; i++) {
        if (explain->shown[ops[i]] == OP_NONE)
            continue;
        if (!first)
            buf_u8(explain->out, ',');
        explain_op(explain, ops[i]);
        first = false;
    }
    buf_u8(explain->out, ']');
}

static void write_orders(struct explain *explain, const struct verdict *verdict) {
    static const char *const scopes[] = {"all", "key", "process"};
    buf_printf(explain->out, ",\"orders\":[");
    for (uint32_t i = 0; i < verdict->order_count; i++) {
        const struct order *order = &verdict->orders[i];
        buf_printf(explain->out, "%s{\"scope\":\"%s\",\"of\":", i ? "," : "", scopes[order->scope]);
        if (order->scope == SCOPE_KEY)
            explain_value(explain, order->of);
        else
            explain_integer(explain->out, order->scope == SCOPE_PROCESS ? (int64_t)order->of : -1);
        buf_printf(explain->out, ",\"ops\":");
        write_numbers(explain, order->ops, order->count);
        buf_u8(explain->out, '}');
    }
    buf_u8(explain->out, ']');
}

static void write_verdict(struct explain *explain) {
    const struct verdict *verdict = explain->of->verdict;
    cstr(explain, "model", model_name(verdict->model));
    cstr(explain, "model_line", model_line(verdict->model));
    cstr(explain, "level", level_name(verdict->level));
    cstr(explain, "level_line", level_line(verdict->level));
    cstr(explain, "answer", answer_name(verdict->answer));
    buf_printf(explain->out, ",\"text\":");
    explain_text(explain->out, buf_view(&verdict->text));
    cstr(explain, "stopped",
         verdict->stopped == LIMITS_GO ? "" : limits_stop_text(verdict->stopped));
    write_anomalies(explain, verdict->anomalies);
    write_edges(explain, verdict);
    buf_printf(explain->out,
               ",\"minimal\":%s,\"contradiction\":", verdict->minimal ? "true" : "false");
    write_numbers(explain, verdict->ops, verdict->op_count);
    write_orders(explain, verdict);
}

/* ---- the lattice ---- */

static bool drawn(const struct explain *explain, int level) {
    return explain->of->levels[level].answer != ANSWER_UNDEFINED;
}

/* No third level of this history stands between the two. */
static bool direct(const struct explain *explain, int stronger, int weaker) {
    if (stronger == weaker || !level_implies((enum level)stronger, (enum level)weaker))
        return false;
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (i != stronger && i != weaker && drawn(explain, i) &&
            level_implies((enum level)stronger, (enum level)i) &&
            level_implies((enum level)i, (enum level)weaker))
            return false;
    return true;
}

static void write_level(struct explain *explain, int level) {
    const struct verdict *verdict = &explain->of->levels[level];
    buf_printf(explain->out, "{\"name\":\"%s\",\"answer\":\"%s\"", level_name((enum level)level),
               answer_name(verdict->answer));
    cstr(explain, "line", level_line((enum level)level));
    buf_printf(explain->out, ",\"text\":");
    explain_text(explain->out, buf_view(&verdict->text));
    buf_printf(explain->out, ",\"weaker\":[");
    bool first = true;
    for (int i = 0; i < LEVEL_COUNT; i++)
        if (drawn(explain, i) && direct(explain, level, i)) {
            buf_printf(explain->out, "%s\"%s\"", first ? "" : ",", level_name((enum level)i));
            first = false;
        }
    buf_printf(explain->out, "]}");
}

static void write_levels(struct explain *explain) {
    bool first = true;
    buf_printf(explain->out, ",\"levels\":[");
    for (int i = 0; explain->of->levels != NULL && i < LEVEL_COUNT; i++)
        if (drawn(explain, i)) {
            buf_printf(explain->out, first ? "\n" : ",\n");
            write_level(explain, i);
            first = false;
        }
    buf_u8(explain->out, ']');
}

/* ---- the page ---- */

void explain_page(const struct explanation *explanation, struct buf *out) {
    struct explain explain;
    const struct history *history = explanation->history;
    explain_open(&explain, explanation, out);
    buf_append(out, explain_page_head, explain_page_head_len);
    buf_printf(out, "{\"name\":");
    explain_text(out, bytes_cstr(explanation->name));
    buf_printf(out, ",\"total\":%u,\"real_time\":%s,\"initial\":", history->op_count,
               history->has_real_time ? "true" : "false");
    explain_value(&explain, history->initial);
    buf_printf(out, ",\"basis\":");
    explain_text(out, explanation->basis == NULL ? BYTES("") : buf_view(explanation->basis));
    write_verdict(&explain);
    write_levels(&explain);
    buf_printf(out, ",\n");
    explain_ops(&explain);
    buf_printf(out, ",\n");
    explain_values(&explain);
    buf_u8(out, '}');
    buf_append(out, explain_page_tail, explain_page_tail_len);
    explain_close(&explain);
}
