#include "base/alloc.h"
#include "base/assert.h"
#include "check/write_internal.h"

#include <string.h>

/* A map of one event, begun by open_map: each member says what stands before it. */
struct form {
    struct history_writer *writer;
    struct buf *out;
    bool edn, first;
    uint32_t *times; /* of positions, when operations are written whole; else NULL */
};

static void put(struct form *form, const char *text) {
    buf_append(form->out, text, strlen(text));
}

static void open_map(struct form *form) {
    form->first = true;
    put(form, "{");
}

static void name(struct form *form, const char *text) {
    put(form, form->first ? "" : form->edn ? ", " : ",");
    put(form, form->edn ? ":" : "\"");
    put(form, text);
    put(form, form->edn ? " " : "\":");
    form->first = false;
}

static void word(struct form *form, const char *text) {
    put(form, form->edn ? ":" : "\"");
    put(form, text);
    put(form, form->edn ? "" : "\"");
}

static void value(struct form *form, uint32_t id);

static void items(struct form *form, uint32_t id) {
    const struct values *values = &form->writer->history->values;
    bool map = value_at(values, id)->kind == VALUE_MAP;
    put(form, map ? "{" : "[");
    for (uint32_t i = 0; i < value_at(values, id)->len; i++) {
        put(form, i == 0 ? "" : map && i % 2 == 0 ? ", " : " ");
        value(form, value_items(values, id)[i]);
    }
    put(form, map ? "}" : "]");
}

static void value(struct form *form, uint32_t id) {
    const struct values *values = &form->writer->history->values;
    const struct value *at = value_at(values, id);
    if (at->kind == VALUE_INT && at->integer >= 0)
        write_number(form->out, (uint64_t)at->integer);
    else if (form->edn && at->kind == VALUE_NIL)
        put(form, "nil");
    else if (form->edn && at->kind >= VALUE_LIST)
        items(form, id);
    else
        value_print(values, id, form->out);
    form->writer->lost += !form->edn && at->kind >= VALUE_LIST && !value_fits_json(values, id);
}

static void mops(struct form *form, const struct op *op, bool answered) {
    static const char *const kinds[] = {"r", "w", "append"};
    const char *between = form->edn ? " " : ",";
    put(form, "[");
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &form->writer->history->mops[op->arg + i];
        put(form, i == 0 ? "[" : form->edn ? " [" : ",[");
        word(form, kinds[mop->kind]);
        put(form, between);
        value(form, mop->key);
        if (mop->kind == MOP_READ && (!answered || mop->value == VALUE_NONE)) {
            if (!answered) {
                put(form, between);
                value(form, VALUE_NULL);
            }
        } else {
            put(form, between);
            value(form, mop->value);
        }
        put(form, "]");
    }
    put(form, "]");
}

static bool only_answers(enum op_f f) {
    return f == OP_READ || f == OP_DEQUEUE || f == OP_DRAIN || f == OP_POP || f == OP_DELETE_MIN ||
           f == OP_DELETE_MAX || f == OP_PEEK || f == OP_GENERATE;
}

/* What a completion says; an answer that its value can't hold stands in `result`. */
static void answer(struct form *form, const struct op *op) {
    bool ok = op->outcome == OP_OK;
    if (op->f == OP_TXN) {
        name(form, "value");
        mops(form, op, ok);
    } else if (ok && only_answers(op->f)) {
        bool nothing = op->f == OP_READ && op->out == VALUE_NULL;
        form->writer->lost += form->edn && nothing;
        if (op->out != VALUE_NONE) {
            name(form, "value");
            value(form, op->out);
        }
    } else {
        if (op->f != OP_SWAP && op->arg != VALUE_NULL) {
            name(form, "value");
            value(form, op->arg);
        }
        if (ok && op->out != VALUE_NONE) {
            name(form, "result");
            value(form, op->out);
        }
    }
    if (op->outcome == OP_FAIL && op->f == OP_CAS && !form->edn) {
        name(form, "error");
        word(form, "failed");
    }
    form->writer->lost += form->edn && op->outcome == OP_MISMATCH;
}

static void call(struct form *form, const struct op *op) {
    name(form, "value");
    if (op->f == OP_TXN)
        mops(form, op, false);
    else
        value(form, op->arg);
}

static void time_member(struct form *form, uint32_t op, bool ret) {
    const struct history *history = form->writer->history;
    if (history->times_ns == NULL || op >= history->times_cap ||
        history->times_ns[2 * (size_t)op + ret] == UINT64_MAX)
        return;
    name(form, "time");
    write_number(form->out, history->times_ns[2 * (size_t)op + ret]);
}

static void close_map(struct form *form) {
    put(form, "}\n");
    write_flush(form->writer, false);
}

static void head(struct form *form, const struct op *op, const char *type) {
    const struct history *history = form->writer->history;
    if (history->processes[op->process] != VALUE_NULL) {
        name(form, "process");
        value(form, history->processes[op->process]);
    }
    name(form, "type");
    word(form, type);
    name(form, "f");
    word(form, op_f_name(op->f));
    if (op->key != VALUE_NULL) {
        name(form, "key");
        value(form, op->key);
    }
}

static void operation(struct form *form, uint32_t index, uint32_t at, bool ret) {
    const struct history *history = form->writer->history;
    const struct op *op = &history->ops[at];
    open_map(form);
    name(form, "index");
    write_number(form->out, index);
    head(form, op, !ret ? "invoke" : op->outcome == OP_OK ? "ok" : "fail");
    if (ret)
        answer(form, op);
    else
        call(form, op);
    time_member(form, at, ret);
    close_map(form);
}

/* One form for call and return. */
static void whole(struct form *form, uint32_t index, const struct op *op) {
    static const char *const types[] = {"ok", "fail", "info", "fail"};
    open_map(form);
    name(form, "index");
    write_number(form->out, index);
    head(form, op, types[op->outcome]);
    if (op->f == OP_SWAP && op->arg != VALUE_NULL) {
        name(form, "value");
        value(form, op->arg);
    }
    answer(form, op);
    name(form, "call");
    write_number(form->out, form->times[op->call]);
    if (op->ret != OP_OPEN) {
        name(form, "return");
        write_number(form->out, form->times[op->ret]);
    }
    close_map(form);
}

static void fault(struct form *form, uint32_t index, const struct fault_event *event) {
    open_map(form);
    name(form, "index");
    write_number(form->out, index);
    name(form, "process");
    word(form, "nemesis");
    name(form, "type");
    word(form, "info");
    name(form, "f");
    value(form, event->what);
    if (event->detail != VALUE_NULL) {
        name(form, "value");
        value(form, event->detail);
    }
    uint64_t time_ns = form->times != NULL ? 2 * event->position : event->time_ns;
    if (time_ns != UINT64_MAX) {
        name(form, "time");
        write_number(form->out, time_ns);
    }
    close_map(form);
}

static void initial(struct form *form, uint32_t key, uint32_t of) {
    open_map(form);
    name(form, "initial");
    value(form, of);
    if (key != VALUE_NONE) {
        name(form, "key");
        value(form, key);
    }
    close_map(form);
}

/* In EDN appends of texts say that nothing is "", unless the file says otherwise. */
static bool must_say_nil(const struct form *form) {
    const struct history *history = form->writer->history;
    for (uint32_t i = 0; form->edn && i < history->op_count; i++)
        if (history->ops[i].f == OP_APPEND)
            return true;
    return false;
}

static void header(struct form *form) {
    const struct history *history = form->writer->history;
    if (!history->has_real_time) {
        open_map(form);
        name(form, "real_time");
        put(form, "false");
        close_map(form);
    }
    if (history->initial != VALUE_NULL || must_say_nil(form))
        initial(form, VALUE_NONE, history->initial);
    for (uint32_t i = 0; i < history->initial_count; i++)
        initial(form, history->initial_of[2 * i], history->initial_of[2 * i + 1]);
}

/* How far from each call reaches the return of the operation before, of the same process; NULL: not
 * at all, ever. Such operations can't be told by halves. */
static uint32_t *touching(const struct history *history) {
    uint32_t *returns = cairn_alloc_zero(history->process_count * sizeof *returns);
    uint32_t *reach = NULL;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        uint32_t before = returns[op->process];
        cairn_assert(op->call < history->positions);
        returns[op->process] = op->ret;
        if (before <= op->call || before == OP_OPEN)
            continue;
        if (reach == NULL)
            reach = cairn_alloc_zero((history->positions + 1) * sizeof *reach);
        reach[op->call] = before;
    }
    cairn_free(returns);
    return reach;
}

/* Do only calls stand here, and then only returns? Then they can have been at one time. */
static bool one_time(const uint32_t *kinds, uint32_t from, uint32_t to) {
    bool returned = false;
    for (uint32_t at = from; at <= to; at++) {
        if (kinds[at] == WRITE_CALL && returned)
            return false;
        returned |= kinds[at] == WRITE_RETURN;
    }
    return true;
}

static uint32_t *kinds_of(const struct history *history) {
    uint32_t *kinds = cairn_alloc_zero((history->positions + 1) * sizeof *kinds);
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].ret != OP_OPEN) {
            cairn_assert(history->ops[i].ret < history->positions);
            kinds[history->ops[i].ret] = WRITE_RETURN;
        }
    return kinds;
}

/* Turns what reaches how far into a time for each position: odd, so that faults fit between, and
 * the same for events that touch. */
static void set_times(const struct history *history, uint32_t *reach) {
    uint32_t *kinds = kinds_of(history);
    for (uint32_t at = 0; at < history->positions;) {
        uint32_t end = at;
        for (uint32_t next = at; next <= end; next++)
            end = reach[next] > end ? reach[next] : end;
        bool same = one_time(kinds, at, end);
        for (uint32_t first = at; at <= end; at++)
            reach[at] = 2 * (same ? first : at) + 1;
    }
    cairn_free(kinds);
}

void write_forms(struct history_writer *writer) {
    const struct history *history = writer->history;
    struct form form = {writer, &writer->out, writer->format == WRITE_EDN, true, touching(history)};
    uint32_t count;
    uint32_t *events = write_events(history, &count);
    if (form.times != NULL)
        set_times(history, form.times);
    header(&form);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t at = events[i] & WRITE_INDEX, kind = events[i] & WRITE_KIND;
        if (kind == WRITE_FAULT)
            fault(&form, i, &history->faults[at]);
        else if (form.times != NULL && kind == WRITE_CALL)
            whole(&form, i, &history->ops[at]);
        else if (form.times == NULL)
            operation(&form, i, at, kind == WRITE_RETURN);
    }
    cairn_free(form.times);
    cairn_free(events);
}
