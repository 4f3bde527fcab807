#include "check/proof.h"

#include "base/alloc.h"
#include "check/read.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

static const char *const scopes[] = {"all", "key", "process"};

/* ---- writing ---- */

static void write_text(struct buf *out, struct bytes text) {
    struct values values;
    values_init(&values);
    value_print(&values, value_text(&values, text), out);
    values_free(&values);
}

static void write_number(struct buf *out, uint32_t op) {
    if (op == OP_NONE)
        buf_printf(out, "null");
    else
        buf_printf(out, "%u", op);
}

static void write_edges(const struct history *history, const struct verdict *verdict,
                        struct buf *out) {
    buf_printf(out, ",\"cycle\":[");
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        const struct edge *edge = &verdict->edges[i];
        buf_printf(out, "%s{\"from\":", i ? "," : "");
        write_number(out, edge->from);
        buf_printf(out, ",\"to\":");
        write_number(out, edge->to);
        buf_printf(out, ",\"reason\":\"%s\"", reason_text(edge->reason));
        if (edge->by != OP_NONE)
            buf_printf(out, ",\"by\":%u", edge->by);
        if (edge->key != VALUE_NONE) {
            buf_printf(out, ",\"key\":");
            value_print(&history->values, edge->key, out);
        }
        buf_printf(out, "}");
    }
    buf_printf(out, "]");
}

static void write_orders(const struct history *history, const struct verdict *verdict,
                         struct buf *out) {
    buf_printf(out, ",\"orders\":[");
    for (uint32_t i = 0; i < verdict->order_count; i++) {
        const struct order *order = &verdict->orders[i];
        buf_printf(out, "%s\n{\"scope\":\"%s\"", i ? "," : "", scopes[order->scope]);
        if (order->scope != SCOPE_ALL) {
            buf_printf(out, ",\"of\":");
            value_print(&history->values,
                        order->scope == SCOPE_KEY ? order->of : history->processes[order->of], out);
        }
        buf_printf(out, ",\"operations\":[");
        for (uint32_t j = 0; j < order->count; j++)
            buf_printf(out, j ? ",%u" : "%u", order->ops[j]);
        buf_printf(out, "]}");
    }
    buf_printf(out, "]");
}

static void write_head(const struct history *history, const struct verdict *verdict,
                       struct buf *out) {
    buf_printf(out, "{\"model\":\"%s\",\"level\":\"%s\",\"answer\":\"%s\"",
               model_name(verdict->model), level_name(verdict->level),
               answer_name(verdict->answer));
    if (verdict->text.len > 0) {
        buf_printf(out, ",\"text\":");
        write_text(out, buf_view(&verdict->text));
    }
    if (verdict->stopped != LIMITS_GO)
        buf_printf(out, ",\"stopped\":\"%s\"", limits_stop_text(verdict->stopped));
    buf_printf(out, ",\"anomalies\":[");
    bool first = true;
    for (int i = 0; i < ANOMALY_COUNT; i++)
        if (verdict->anomalies >> i & 1) {
            buf_printf(out, "%s\"%s\"", first ? "" : ",", anomaly_name((enum anomaly)i));
            first = false;
        }
    buf_printf(out, "]");
    if (verdict->edge_count > 0)
        write_edges(history, verdict, out);
    if (verdict->op_count > 0) {
        buf_printf(out, ",\"minimal\":%s,\"operations\":[", verdict->minimal ? "true" : "false");
        for (uint32_t i = 0; i < verdict->op_count; i++)
            buf_printf(out, i ? ",%u" : "%u", verdict->ops[i]);
        buf_printf(out, "]");
    }
}

void proof_summary(const struct history *history, const struct verdict *verdict, struct buf *out) {
    write_head(history, verdict, out);
    buf_printf(out, "}");
}

void proof_write(const struct history *history, const struct verdict *verdict, struct buf *out) {
    write_head(history, verdict, out);
    if (verdict->order_count > 0)
        write_orders(history, verdict, out);
    buf_printf(out, "}");
}

/* ---- reading ---- */

static bool wrong(struct buf *why, const char *what) {
    buf_printf(why, "%s", what);
    return false;
}

static const char *text_of(const json_t *object, const char *name) {
    const char *text = json_string_value(json_object_get(object, name));
    return text == NULL ? "" : text;
}

static bool op_of(const struct history *history, const json_t *number, bool may_be_null,
                  uint32_t *op) {
    *op = OP_NONE;
    if (number == NULL || json_is_null(number))
        return may_be_null;
    if (!json_is_integer(number))
        return false;
    json_int_t value = json_integer_value(number);
    if (value < 0 || value >= (json_int_t)history->op_count)
        return false;
    *op = (uint32_t)value;
    return true;
}

static bool value_of(struct history *history, const json_t *json, uint32_t *value) {
    char *text = json_dumps(json, JSON_ENCODE_ANY | JSON_COMPACT);
    bool good = text != NULL && history_read_value(&history->values, bytes_cstr(text), value);
    free(text);
    return good;
}

static bool read_edge(struct history *history, const json_t *json, struct verdict *verdict,
                      struct buf *why) {
    struct edge edge = {.key = VALUE_NONE};
    const json_t *key = json_object_get(json, "key");
    const char *reason = text_of(json, "reason");
    int found = 0;
    while (found < REASON_COUNT && strcmp(reason_text((enum reason)found), reason) != 0)
        found++;
    if (found == REASON_COUNT)
        return wrong(why, "an edge has an unknown reason");
    edge.reason = (enum reason)found;
    if (!op_of(history, json_object_get(json, "from"), true, &edge.from) ||
        !op_of(history, json_object_get(json, "to"), true, &edge.to) ||
        !op_of(history, json_object_get(json, "by"), true, &edge.by) ||
        (key != NULL && !value_of(history, key, &edge.key)))
        return wrong(why, "an edge names no operation of this history");
    verdict_edge(verdict, edge);
    return true;
}

static bool read_order(struct history *history, const json_t *json, struct verdict *verdict,
                       struct buf *why) {
    const char *scope = text_of(json, "scope");
    const json_t *of = json_object_get(json, "of"), *ops = json_object_get(json, "operations");
    uint32_t value = VALUE_NULL;
    int found = 0;
    while (found < 3 && strcmp(scopes[found], scope) != 0)
        found++;
    if (found == 3 || !json_is_array(ops) || (of != NULL && !value_of(history, of, &value)))
        return wrong(why, "an order needs a scope (all, key, process) and operations");
    if (found == SCOPE_PROCESS) {
        uint32_t process = 0;
        while (process < history->process_count && history->processes[process] != value)
            process++;
        if (process == history->process_count)
            return wrong(why, "an order is of a process that this history does not have");
        value = process;
    }
    struct order *order = verdict_order(verdict, (enum scope)found, value);
    for (size_t i = 0; i < json_array_size(ops); i++) {
        uint32_t op;
        if (!op_of(history, json_array_get(ops, i), false, &op))
            return wrong(why, "an order names no operation of this history");
        order_push(order, op);
    }
    return true;
}

static bool read_all(struct history *history, const json_t *json, struct verdict *verdict,
                     struct buf *why) {
    const char *answer = text_of(json, "answer");
    enum model model = model_of(text_of(json, "model"));
    if (model == MODEL_NONE)
        return wrong(why, "it names no model");
    enum level level = level_of(text_of(json, "level"), model_transactional(model));
    if (level == LEVEL_NONE)
        return wrong(why, "it names no level of that model");
    verdict->model = model;
    verdict->level = level;
    for (int i = ANSWER_YES; i <= ANSWER_UNDEFINED; i++)
        if (strcmp(answer_name((enum answer)i), answer) == 0)
            verdict->answer = (enum answer)i;
    const json_t *cycle = json_object_get(json, "cycle"), *orders = json_object_get(json, "orders");
    const json_t *ops = json_object_get(json, "operations");
    verdict->minimal = json_is_true(json_object_get(json, "minimal"));
    for (size_t i = 0; i < json_array_size(cycle); i++)
        if (!read_edge(history, json_array_get(cycle, i), verdict, why))
            return false;
    for (size_t i = 0; i < json_array_size(orders); i++)
        if (!read_order(history, json_array_get(orders, i), verdict, why))
            return false;
    for (size_t i = 0; i < json_array_size(ops); i++) {
        uint32_t op;
        if (!op_of(history, json_array_get(ops, i), false, &op))
            return wrong(why, "it names an operation that this history does not have");
        verdict_op_new(verdict, op);
    }
    return true;
}

bool proof_read(struct history *history, struct bytes text, struct verdict *verdict,
                struct buf *why) {
    json_error_t error;
    verdict_init(verdict, MODEL_NONE, LEVEL_NONE);
    json_t *json = json_loadb((const char *)text.data, text.len, 0, &error);
    if (json == NULL) {
        buf_printf(why, "line %d: %s", error.line, error.text);
        return false;
    }
    bool good = read_all(history, json, verdict, why);
    json_decref(json);
    return good;
}
