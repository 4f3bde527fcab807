#include "check/explain_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define NO_TIME UINT64_MAX

/* ---- what is shown ---- */

static void show(struct explain *explain, uint32_t op) {
    if (op != OP_NONE)
        explain->shown[op] = 0;
}

static void show_evidence(struct explain *explain, const struct verdict *verdict) {
    for (uint32_t i = 0; i < verdict->edge_count; i++) {
        show(explain, verdict->edges[i].from);
        show(explain, verdict->edges[i].to);
        show(explain, verdict->edges[i].by);
    }
    for (uint32_t i = 0; i < verdict->op_count; i++)
        show(explain, verdict->ops[i]);
}

/* Of too many operations those are shown that were called around the first of the evidence. */
static void choose(struct explain *explain) {
    uint32_t count = explain->of->history->op_count;
    uint32_t max = explain->of->ops_max ? explain->of->ops_max : EXPLAIN_OPS_MAX, first = 0;
    memset(explain->shown, 0xff, count * sizeof *explain->shown);
    show_evidence(explain, explain->of->verdict);
    while (first < count && explain->shown[first] == OP_NONE)
        first++;
    if (first == count || first < max / 2)
        first = 0;
    else
        first -= max / 2;
    for (uint32_t i = first; i < count && i - first < max; i++)
        show(explain, i);
    for (uint32_t i = 0; i < count; i++)
        if (explain->shown[i] != OP_NONE)
            explain->shown[i] = explain->op_count++;
}

void explain_open(struct explain *explain, const struct explanation *of, struct buf *out) {
    *explain = (struct explain){.of = of, .out = out};
    uint32_t values = of->history->values.count;
    explain->shown = cairn_alloc((of->history->op_count + 1) * sizeof *explain->shown);
    explain->value_at = cairn_alloc((size_t)values * sizeof *explain->value_at);
    explain->values = cairn_alloc((size_t)values * sizeof *explain->values);
    memset(explain->value_at, 0xff, values * sizeof *explain->value_at);
    choose(explain);
}

void explain_close(struct explain *explain) {
    cairn_free(explain->shown);
    cairn_free(explain->value_at);
    cairn_free(explain->values);
}

/* ---- numbers, texts, values ---- */

void explain_integer(struct buf *out, int64_t integer) {
    uint8_t digits[24];
    size_t at = sizeof digits;
    uint64_t left = integer < 0 ? 0 - (uint64_t)integer : (uint64_t)integer;
    do {
        digits[--at] = (uint8_t)('0' + left % 10);
        left /= 10;
    } while (left > 0);
    if (integer < 0)
        digits[--at] = '-';
    buf_append(out, digits + at, sizeof digits - at);
}

/* In JSON "<" stands in strings only, and a script ends at no other character. */
static void without_tags(struct buf *out, size_t from) {
    size_t count = 0;
    for (size_t i = from; i < out->len; i++)
        count += out->data[i] == '<';
    if (count == 0)
        return;
    buf_reserve(out, count * 5);
    size_t to = out->len + count * 5;
    for (size_t i = out->len; i-- > from;) {
        if (out->data[i] == '<') {
            to -= 6;
            memcpy(out->data + to, "\\u003c", 6);
        } else {
            out->data[--to] = out->data[i];
        }
    }
    cairn_assert(to == from);
    out->len += count * 5;
}

void explain_text(struct buf *out, struct bytes text) {
    size_t from = out->len;
    text_print_json(text, out);
    without_tags(out, from);
}

void explain_value(struct explain *explain, uint32_t value) {
    if (value == VALUE_NONE) {
        explain_integer(explain->out, -1);
        return;
    }
    if (explain->value_at[value] == VALUE_NONE) {
        explain->value_at[value] = explain->value_count;
        explain->values[explain->value_count++] = value;
    }
    explain_integer(explain->out, explain->value_at[value]);
}

void explain_op(struct explain *explain, uint32_t op) {
    bool there = op != OP_NONE && explain->shown[op] != OP_NONE;
    explain_integer(explain->out, there ? (int64_t)explain->shown[op] : -1);
}

/* Values travel as the texts of their JSON: numbers of 64 bits do not fit into a script's. */
void explain_values(struct explain *explain) {
    struct buf text = {0};
    buf_printf(explain->out, "\"values\":[");
    for (uint32_t i = 0; i < explain->value_count; i++) {
        buf_clear(&text);
        value_print(&explain->of->history->values, explain->values[i], &text);
        if (text.len > EXPLAIN_VALUE_BYTES_MAX) {
            size_t len = text.len;
            text.len = EXPLAIN_VALUE_BYTES_MAX;
            buf_printf(&text, " ... (%zu bytes in all)", len);
        }
        if (i > 0)
            buf_u8(explain->out, ',');
        explain_text(explain->out, buf_view(&text));
    }
    buf_u8(explain->out, ']');
    buf_free(&text);
}

/* ---- columns ---- */

static uint64_t time_of(const struct history *history, uint32_t op, int which) {
    bool kept = history->times_ns != NULL && op < history->times_cap;
    return kept ? history->times_ns[2 * (size_t)op + which] : NO_TIME;
}

/* The earliest; NO_TIME: some operation has none, and the page shows no times. */
static uint64_t first_time(const struct explain *explain) {
    const struct history *history = explain->of->history;
    uint64_t first = NO_TIME;
    for (uint32_t i = 0; i < history->op_count; i++) {
        uint64_t time = time_of(history, i, 0);
        if (time == NO_TIME)
            return NO_TIME;
        first = time < first ? time : first;
    }
    for (uint32_t i = 0; first != NO_TIME && i < history->fault_count; i++)
        if (history->faults[i].time_ns < first)
            first = history->faults[i].time_ns;
    return first;
}

enum column { CALL, RET, PROCESS, F, KEY, ARG, OUT, LINE, OUTCOME, CALL_TIME, RET_TIME };

/* Calls, lines and call times as what they are more than the one before, returns as what they are
 * more than their call: small numbers make a small page. */
static void write_cell(struct explain *explain, enum column column, uint32_t op, uint32_t before,
                       uint64_t start, int64_t *mops) {
    const struct history *history = explain->of->history;
    const struct op *at = &history->ops[op];
    const struct op *last = before == OP_NONE ? NULL : &history->ops[before];
    struct buf *out = explain->out;
    uint64_t call = time_of(history, op, 0), ret = time_of(history, op, 1);
    switch (column) {
    case CALL:
        explain_integer(out, (int64_t)at->call - (last ? last->call : 0));
        break;
    case RET:
        explain_integer(out, at->ret == OP_OPEN ? -1 : (int64_t)at->ret - at->call);
        break;
    case PROCESS:
        explain_integer(out, at->process);
        break;
    case F:
        explain_integer(out, at->f);
        break;
    case KEY:
        explain_value(explain, at->key == VALUE_NULL ? VALUE_NONE : at->key);
        break;
    case ARG:
        if (at->f == OP_TXN) {
            explain_integer(out, *mops);
            *mops += at->out;
        } else {
            explain_value(explain, at->arg);
        }
        break;
    case OUT:
        if (at->f == OP_TXN)
            explain_integer(out, at->out);
        else
            explain_value(explain, at->out);
        break;
    case LINE:
        explain_integer(out, (int64_t)at->line - (last ? last->line : 0));
        break;
    case OUTCOME:
        explain_integer(out, at->outcome);
        break;
    case CALL_TIME:
        explain_integer(out, (int64_t)(call - (last ? time_of(history, before, 0) : start)));
        break;
    case RET_TIME:
        explain_integer(out, ret == NO_TIME || ret < call ? -1 : (int64_t)(ret - call));
        break;
    }
}

static void write_column(struct explain *explain, enum column column, uint64_t start) {
    uint32_t before = OP_NONE;
    int64_t mops = 0;
    buf_u8(explain->out, '[');
    for (uint32_t i = 0; i < explain->of->history->op_count; i++) {
        if (explain->shown[i] == OP_NONE)
            continue;
        if (before != OP_NONE)
            buf_u8(explain->out, ',');
        write_cell(explain, column, i, before, start, &mops);
        before = i;
    }
    buf_u8(explain->out, ']');
}

static void write_mops(struct explain *explain) {
    const struct history *history = explain->of->history;
    bool first = true;
    buf_printf(explain->out, ",\n\"mops\":[");
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        for (uint32_t n = 0; op->f == OP_TXN && explain->shown[i] != OP_NONE && n < op->out; n++) {
            const struct mop *mop = &history->mops[op->arg + n];
            buf_printf(explain->out, first ? "%d," : ",%d,", mop->kind);
            explain_value(explain, mop->key);
            buf_u8(explain->out, ',');
            explain_value(explain, mop->value);
            first = false;
        }
    }
    buf_u8(explain->out, ']');
}

/* position, what, detail, time after the first (-1: none) */
static void write_faults(struct explain *explain, uint64_t start) {
    const struct history *history = explain->of->history;
    buf_printf(explain->out, ",\n\"faults\":[");
    for (uint32_t i = 0; i < history->fault_count; i++) {
        const struct fault_event *fault = &history->faults[i];
        bool timed = start != NO_TIME && fault->time_ns != NO_TIME;
        buf_printf(explain->out, "%s[%u,", i ? "," : "", fault->position);
        explain_value(explain, fault->what);
        buf_u8(explain->out, ',');
        explain_value(explain, fault->detail);
        buf_u8(explain->out, ',');
        explain_integer(explain->out, timed ? (int64_t)(fault->time_ns - start) : -1);
        buf_u8(explain->out, ']');
    }
    buf_u8(explain->out, ']');
}

static void write_names(struct explain *explain) {
    const struct history *history = explain->of->history;
    buf_printf(explain->out, ",\n\"fs\":[");
    for (int f = 0; f < OP_F_COUNT; f++)
        buf_printf(explain->out, "%s\"%s\"", f ? "," : "", op_f_name((enum op_f)f));
    buf_printf(explain->out, "],\"processes\":[");
    for (uint32_t i = 0; i < history->process_count; i++) {
        if (i > 0)
            buf_u8(explain->out, ',');
        explain_value(explain, history->processes[i]);
    }
    buf_u8(explain->out, ']');
}

void explain_ops(struct explain *explain) {
    static const struct {
        const char *name;
        enum column column;
    } columns[] = {{"call", CALL},        {"ret", RET},
                   {"process", PROCESS},  {"f", F},
                   {"key", KEY},          {"arg", ARG},
                   {"out", OUT},          {"line", LINE},
                   {"outcome", OUTCOME},  {"call_time", CALL_TIME},
                   {"ret_time", RET_TIME}};
    uint64_t start = first_time(explain);
    buf_printf(explain->out, "\"ops\":{\"count\":%u", explain->op_count);
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++) {
        if (columns[i].column >= CALL_TIME && start == NO_TIME)
            continue;
        buf_printf(explain->out, ",\n\"%s\":", columns[i].name);
        write_column(explain, columns[i].column, start);
    }
    buf_printf(explain->out, "}");
    write_mops(explain);
    write_faults(explain, start);
    write_names(explain);
}
