#include "check/history_build.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define SHOWN_MAX 80 /* bytes of a name in a finding */

enum event_type { TYPE_INVOKE, TYPE_OK, TYPE_FAIL, TYPE_INFO, TYPE_NONE };

enum event_field event_field_of(struct bytes name) {
    static const struct {
        const char *text;
        size_t len;
    } names[EVENT_FIELD_COUNT] = {
#define X(constant, text) {text, sizeof text - 1},
        EVENT_FIELD_LIST(X)
#undef X
    };
    for (int field = 0; field < EVENT_FIELD_COUNT; field++)
        if (names[field].len == name.len && memcmp(names[field].text, name.data, name.len) == 0)
            return (enum event_field)field;
    return EVENT_FIELD_COUNT;
}

void event_init(struct event *event, uint32_t line) {
    event->line = line;
    memset(event->field, 0xff, sizeof event->field);
}

void history_build_init(struct history_build *build, struct history *history, struct lint *lint,
                        const struct build_options *options) {
    *build = (struct history_build){.history = history, .lint = lint, .options = *options};
}

void history_build_free(struct history_build *build) {
    cairn_free(build->dense);
    cairn_free(build->processes);
    *build = (struct history_build){0};
}

/* ---- small readings of data ---- */

static bool is_nil(const struct data *data, uint32_t at) {
    return at == DATUM_NONE || data->at[at].kind == DATUM_NIL;
}

static int shown_len(struct bytes text) {
    return text.len < SHOWN_MAX ? (int)text.len : SHOWN_MAX;
}

static enum event_type type_of(const struct data *data, const struct event *event) {
    static const char *const names[] = {"invoke", "ok", "fail", "info"};
    uint32_t at = event->field[EVENT_TYPE];
    if (at == DATUM_NONE && event->field[EVENT_CALL] != DATUM_NONE)
        return is_nil(data, event->field[EVENT_RETURN]) ? TYPE_INFO : TYPE_OK;
    for (int type = TYPE_INVOKE; at != DATUM_NONE && type < TYPE_NONE; type++)
        if (data_is_word(data, at, bytes_cstr(names[type])))
            return (enum event_type)type;
    return TYPE_NONE;
}

/* UINT64_MAX: no time, or none that makes sense. */
static uint64_t time_of(const struct data *data, uint32_t at) {
    if (at == DATUM_NONE)
        return UINT64_MAX;
    if (data->at[at].kind == DATUM_INT)
        return data->at[at].integer < 0 ? UINT64_MAX : (uint64_t)data->at[at].integer;
    if (!data_is_text(data, at))
        return UINT64_MAX;
    struct bytes text = data_text(data, at);
    char digits[40];
    if (text.len == 0 || text.len >= sizeof digits)
        return UINT64_MAX;
    memcpy(digits, text.data, text.len);
    digits[text.len] = 0;
    char *end;
    double real = strtod(digits, &end);
    return *end != 0 || !(real >= 0 && real < 1e19) ? UINT64_MAX : (uint64_t)real;
}

/* ---- processes ---- */

static uint32_t dense_of(struct history_build *build, uint32_t name) {
    struct history *history = build->history;
    if (name >= build->dense_cap) {
        uint32_t cap = name + name / 2 + 64;
        build->dense = cairn_realloc(build->dense, cap * sizeof *build->dense);
        memset(build->dense + build->dense_cap, 0xff,
               (cap - build->dense_cap) * sizeof *build->dense);
        build->dense_cap = cap;
    }
    if (build->dense[name] != OP_NONE)
        return build->dense[name];
    uint32_t dense = history_add_process(history, name);
    if (dense >= build->process_cap) {
        build->process_cap += build->process_cap / 2 + 64;
        build->processes =
            cairn_realloc(build->processes, build->process_cap * sizeof *build->processes);
    }
    build->processes[dense] = (struct build_process){.pending = OP_NONE};
    build->dense[name] = dense;
    return dense;
}

static bool is_fault(const struct history_build *build, const struct data *data,
                     const struct event *event, enum event_type type) {
    uint32_t at = event->field[EVENT_PROCESS];
    if (at == DATUM_NONE)
        return false;
    if (data_is_word(data, at, BYTES("nemesis")))
        return true;
    return build->options.source != SOURCE_JSON && type == TYPE_INFO &&
           data->at[at].kind == DATUM_WORD;
}

static void add_fault(struct history_build *build, const struct data *data,
                      const struct event *event) {
    struct values *values = &build->history->values;
    uint32_t what = event->field[EVENT_F], detail = event->field[EVENT_VALUE];
    struct fault_event fault = {.position = build->position++, .time_ns = UINT64_MAX};
    fault.what = what == DATUM_NONE ? VALUE_NULL : data_value(data, what, values);
    fault.detail = detail == DATUM_NONE ? VALUE_NULL : data_value(data, detail, values);
    fault.time_ns = time_of(data, event->field[EVENT_TIME]);
    *history_fault(build->history) = fault;
}

/* ---- transactions ---- */

static bool mop_kind_of(const struct data *data, uint32_t at, enum mop_kind *kind, bool *spelled) {
    static const struct {
        const char *name;
        enum mop_kind kind;
        bool spelled;
    } kinds[] = {{"r", MOP_READ, false},
                 {"w", MOP_WRITE, false},
                 {"append", MOP_APPEND, false},
                 {"read", MOP_READ, true},
                 {"write", MOP_WRITE, true}};
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        if (data_is_word(data, at, bytes_cstr(kinds[i].name))) {
            *kind = kinds[i].kind;
            *spelled = kinds[i].spelled;
            return true;
        }
    return false;
}

/* A list of [kind key value], where the value of a read may be missing. */
static bool is_mops(const struct data *data, uint32_t at) {
    enum mop_kind kind;
    bool spelled;
    if (at == DATUM_NONE || !data_is_list(data, at))
        return false;
    uint32_t item = at + 1;
    for (uint32_t i = 0; i < data->at[at].len; i++, item = data_next(data, item))
        if (!data_is_list(data, item) || data->at[item].len < 2 || data->at[item].len > 3 ||
            !mop_kind_of(data, item + 1, &kind, &spelled) ||
            (kind != MOP_READ && data->at[item].len != 3))
            return false;
    return true;
}

/* Some write transactions under the name of read or write, or of nothing. */
static enum op_f f_of(const struct history_build *build, const struct data *data,
                      const struct event *event) {
    uint32_t at = event->field[EVENT_F], value = event->field[EVENT_VALUE];
    bool mops = value != DATUM_NONE && is_mops(data, value) && data->at[value].len != 0;
    if (at == DATUM_NONE)
        return mops ? OP_TXN : OP_OTHER;
    enum op_f f = data_is_text(data, at) ? op_f_of(data_text(data, at)) : OP_OTHER;
    bool keywords = mops && data->at[value + 2].kind == DATUM_WORD;
    return (f == OP_READ || f == OP_WRITE) && keywords && build->options.source != SOURCE_JSON
               ? OP_TXN
               : f;
}

/* Elle reads nil as the initial value; knossos, which spells :read out, as "any". */
static struct mop mop_of(struct history_build *build, const struct data *data, uint32_t item,
                         bool answered) {
    struct values *values = &build->history->values;
    struct mop mop = {.value = VALUE_NONE};
    bool spelled = false;
    uint32_t key = data_next(data, item + 1);
    mop_kind_of(data, item + 1, &mop.kind, &spelled);
    mop.key = data_value(data, key, values);
    if (mop.kind == MOP_READ && (!answered || data->at[item].len == 2))
        return mop;
    uint32_t value = data_next(data, key);
    bool any = mop.kind == MOP_READ && spelled && build->options.source == SOURCE_EDN &&
               is_nil(data, value);
    if (!any)
        mop.value = data_value(data, value, values);
    return mop;
}

/* The completion's micro-operations take the place of the invocation's, of which they differ in
 * what was read. */
static void set_mops(struct history_build *build, const struct data *data, uint32_t at,
                     uint32_t op_at, uint32_t line, bool answered) {
    struct history *history = build->history;
    uint32_t len = data->at[at].len, item = at + 1;
    uint32_t old = history->ops[op_at].arg, old_len = history->ops[op_at].out;
    bool fits = len == old_len;
    uint32_t first = fits ? old : history->mop_count;
    for (uint32_t i = 0; i < len; i++, item = data_next(data, item)) {
        struct mop mop = mop_of(build, data, item, answered);
        struct mop *place = fits ? &history->mops[first + i] : history_mop(history);
        if (fits && (place->kind != mop.kind || place->key != mop.key ||
                     (mop.kind != MOP_READ && place->value != mop.value)))
            lint_add(build->lint, LINT_ERROR, line,
                     "the transaction that ends here is not the one that was invoked on line "
                     "%" PRIu32,
                     history->ops[op_at].line);
        *place = mop;
    }
    if (!fits && old_len != 0)
        lint_add(build->lint, LINT_ERROR, line,
                 "the transaction that ends here has another number of operations than on line "
                 "%" PRIu32,
                 history->ops[op_at].line);
    history->ops[op_at].arg = first;
    history->ops[op_at].out = len;
}

static void take_mops(struct history_build *build, const struct data *data,
                      const struct event *event, uint32_t op_at, bool answered) {
    uint32_t at = event->field[EVENT_VALUE];
    if (is_nil(data, at))
        return;
    if (is_mops(data, at))
        set_mops(build, data, at, op_at, event->line, answered);
    else
        lint_add(build->lint, LINT_ERROR, event->line,
                 "the value of a transaction is a list of [r key value], [w key value] and "
                 "[append key value]");
}

/* ---- an operation begins ---- */

/* What asks for nothing but what it finds. */
static bool only_answers(enum op_f f) {
    return f == OP_READ || f == OP_DEQUEUE || f == OP_DRAIN || f == OP_POP || f == OP_DELETE_MIN ||
           f == OP_DELETE_MAX || f == OP_PEEK;
}

/* Splits [key value] where values come so. */
static void split_key(const struct history_build *build, const struct data *data,
                      const struct event *event, uint32_t *key, uint32_t *value) {
    *key = event->field[EVENT_KEY];
    *value = event->field[EVENT_VALUE];
    if (*value == DATUM_NONE || *key != DATUM_NONE)
        return;
    bool tuple = data->at[*value].kind == DATUM_TUPLE;
    if (!tuple && !build->options.keyed)
        return;
    if (!data_is_list(data, *value) || data->at[*value].len != 2) {
        if (data->at[*value].kind != DATUM_NIL)
            lint_add(build->lint, LINT_ERROR, event->line, "this value is no [key value]");
        return;
    }
    *key = *value + 1;
    *value = data_next(data, *key);
}

static bool is_pair(const struct values *values, uint32_t id) {
    return value_at(values, id)->kind == VALUE_LIST && value_at(values, id)->len == 2;
}

static void set_operands(struct history_build *build, const struct data *data,
                         const struct event *event, uint32_t op_at) {
    struct history *history = build->history;
    uint32_t key, value;
    split_key(build, data, event, &key, &value);
    uint32_t key_id = is_nil(data, key) ? VALUE_NULL : data_value(data, key, &history->values);
    bool asks = !is_nil(data, value) && !only_answers(history->ops[op_at].f);
    uint32_t arg = asks ? data_value(data, value, &history->values) : VALUE_NULL;
    history->ops[op_at].key = key_id;
    history->ops[op_at].arg = arg;
    uint32_t f = event->field[EVENT_F];
    if (build->options.source == SOURCE_EDN && f != DATUM_NONE && key_id != VALUE_NULL)
        build->text_map |=
            data_is_word(data, f, BYTES("get")) ||
            (asks && data->at[value].kind == DATUM_TEXT &&
             (data_is_word(data, f, BYTES("put")) || data_is_word(data, f, BYTES("append"))));
}

static void begin(struct history_build *build, const struct data *data, const struct event *event,
                  uint32_t process) {
    struct history *history = build->history;
    struct op *op = history_op(history);
    uint32_t op_at = history->op_count - 1;
    op->f = f_of(build, data, event);
    op->process = process;
    op->line = event->line;
    op->call = build->position++;
    op->outcome = OP_INFO;
    if (op->f == OP_OTHER) {
        uint32_t at = event->field[EVENT_F];
        struct bytes name =
            at != DATUM_NONE && data_is_text(data, at) ? data_text(data, at) : BYTES("(none)");
        lint_add(build->lint, LINT_WARNING, event->line, "unknown function '%.*s'", shown_len(name),
                 (const char *)name.data);
    }
    if (op->f == OP_TXN) {
        op->out = 0;
        take_mops(build, data, event, op_at, false);
    } else {
        set_operands(build, data, event, op_at);
    }
    build->processes[process].pending = op_at;
}

/* ---- an operation ends ---- */

static void compare_with_invoke(struct history_build *build, const struct data *data,
                                const struct event *event, struct op *op) {
    uint32_t f = event->field[EVENT_F], key, value;
    if (f != DATUM_NONE && op->f != OP_TXN && f_of(build, data, event) != op->f) {
        lint_add(build->lint, LINT_ERROR, event->line,
                 "the function is not that of the invocation on line %" PRIu32 ", %s", op->line,
                 op_f_name(op->f));
        return;
    }
    split_key(build, data, event, &key, &value);
    if (is_nil(data, key) || op->f == OP_TXN)
        return;
    uint32_t id = data_value(data, key, &build->history->values);
    if (op->key == VALUE_NULL)
        op->key = id;
    else if (op->key != id)
        lint_add(build->lint, LINT_ERROR, event->line,
                 "the key is not that of the invocation on line %" PRIu32, op->line);
}

/* nil: in EDN any value was fine (knossos); elsewhere, nothing was found. */
static uint32_t answer_of(const struct history_build *build, const struct data *data, uint32_t at,
                          enum op_f f) {
    if (at == DATUM_NONE)
        return VALUE_NONE;
    if (data->at[at].kind == DATUM_NIL && build->options.source == SOURCE_EDN && f == OP_READ)
        return VALUE_NONE;
    return data_value(data, at, &build->history->values);
}

static void end_ok(struct history_build *build, const struct data *data, const struct event *event,
                   struct op *op) {
    struct values *values = &build->history->values;
    uint32_t key, value, result = event->field[EVENT_RESULT];
    split_key(build, data, event, &key, &value);
    op->outcome = OP_OK;
    if (only_answers(op->f)) {
        op->out = answer_of(build, data, result != DATUM_NONE ? result : value, op->f);
        return;
    }
    if (result != DATUM_NONE)
        op->out = data_value(data, result, values);
    if (op->f == OP_SWAP && op->out == VALUE_NONE && !build->wholes) {
        op->out = answer_of(build, data, value, op->f);
    } else if (!is_nil(data, value)) {
        uint32_t said = data_value(data, value, values);
        if (op->arg == VALUE_NULL && value_at(values, said)->kind != VALUE_BOOL)
            op->arg = said;
        else if (said != op->arg &&
                 (op->f == OP_WRITE || (op->f == OP_CAS && is_pair(values, said))))
            lint_add(build->lint, LINT_WARNING, event->line,
                     "the value is not that of the invocation on line %" PRIu32 ", which counts",
                     op->line);
        else if (said != op->arg && op->out == VALUE_NONE)
            op->out = said;
    }
    if (op->f != OP_CAS)
        return;
    if (!is_pair(values, op->arg))
        lint_add(build->lint, LINT_ERROR, event->line, "a cas has the value [from to]");
    if (op->out != VALUE_NONE && value_at(values, op->out)->kind == VALUE_BOOL &&
        value_at(values, op->out)->integer == 0)
        op->outcome = OP_MISMATCH;
    op->out = VALUE_NONE;
}

static void end_fail(const struct history_build *build, const struct data *data,
                     const struct event *event, struct op *op) {
    uint32_t value = event->field[EVENT_VALUE];
    bool said = build->options.source == SOURCE_JSON && is_nil(data, event->field[EVENT_ERROR]);
    bool logged = build->options.source == SOURCE_LOG &&
                  (value == DATUM_NONE || data->at[value].kind != DATUM_WORD);
    op->outcome = op->f == OP_CAS && (said || logged) ? OP_MISMATCH : OP_FAIL;
    if (op->outcome == OP_MISMATCH && !is_pair(&build->history->values, op->arg))
        lint_add(build->lint, LINT_ERROR, event->line, "a cas has the value [from to]");
}

static void end(struct history_build *build, const struct data *data, const struct event *event,
                enum event_type type, uint32_t op_at) {
    struct op *op = &build->history->ops[op_at];
    uint32_t position = build->position++;
    compare_with_invoke(build, data, event, op);
    if (type == TYPE_INFO)
        return;
    op->ret = position;
    if (op->f == OP_TXN) {
        op->outcome = type == TYPE_OK ? OP_OK : OP_FAIL;
        if (type == TYPE_OK)
            take_mops(build, data, event, op_at, true);
    } else if (type == TYPE_OK) {
        end_ok(build, data, event, op);
    } else {
        end_fail(build, data, event, op);
    }
}

/* ---- events ---- */

static void show_process(const struct history_build *build, uint32_t process, struct buf *out) {
    value_show(&build->history->values, build->history->processes[process], out);
    out->len = out->len > SHOWN_MAX ? SHOWN_MAX : out->len;
    buf_u8(out, 0);
}

static void find_process(struct history_build *build, uint32_t line, uint32_t process,
                         const char *what, uint32_t earlier) {
    struct buf name = {0};
    show_process(build, process, &name);
    if (earlier == 0)
        lint_add(build->lint, LINT_ERROR, line, "process %s %s", (char *)name.data, what);
    else
        lint_add(build->lint, LINT_ERROR, line, "process %s %s, line %" PRIu32, (char *)name.data,
                 what, earlier);
    buf_free(&name);
}

static void check_clock(struct history_build *build, const struct event *event, uint64_t time_ns,
                        uint32_t process) {
    if (time_ns == UINT64_MAX) {
        if (build->options.by_time)
            lint_add(build->lint, LINT_ERROR, event->line,
                     "the order is by time, but here is none");
        return;
    }
    struct build_process *of = &build->processes[process];
    if (time_ns < of->time_ns)
        lint_add(build->lint, build->options.by_time ? LINT_ERROR : LINT_WARNING, event->line,
                 "the clock of the process went back by %" PRIu64 " ns", of->time_ns - time_ns);
    else if (time_ns < build->last_ns && !build->options.by_time)
        lint_add(build->lint, LINT_NOTE, event->line,
                 "the time is %" PRIu64 " ns before that of the line before",
                 build->last_ns - time_ns);
    of->time_ns = time_ns;
    build->last_ns = time_ns;
}

static void keep_time(struct history_build *build, uint32_t op, uint64_t call_ns, uint64_t ret_ns) {
    if (build->options.times || build->options.by_time || build->wholes)
        history_times(build->history, op, call_ns, ret_ns);
}

static void take_invoke(struct history_build *build, const struct data *data,
                        const struct event *event, uint32_t process) {
    struct build_process *of = &build->processes[process];
    if (of->pending != OP_NONE)
        find_process(build, event->line, process, "invokes again before the end of its operation",
                     build->history->ops[of->pending].line);
    else if (of->crashed != 0)
        find_process(build, event->line, process,
                     "goes on after an operation of unknown outcome, which is open for ever",
                     of->crashed);
    uint64_t time_ns = time_of(data, event->field[EVENT_TIME]);
    check_clock(build, event, time_ns, process);
    begin(build, data, event, process);
    keep_time(build, of->pending, time_ns, UINT64_MAX);
}

static void take_end(struct history_build *build, const struct data *data,
                     const struct event *event, enum event_type type, uint32_t process) {
    struct build_process *of = &build->processes[process];
    uint64_t time_ns = time_of(data, event->field[EVENT_TIME]);
    if (of->pending == OP_NONE) {
        find_process(build, event->line, process, "ends an operation that it did not invoke", 0);
        return;
    }
    check_clock(build, event, time_ns, process);
    uint32_t op = of->pending;
    end(build, data, event, type, op);
    of->pending = OP_NONE;
    of->crashed = type == TYPE_INFO ? event->line : 0;
    if (build->history->times_ns != NULL)
        keep_time(build, op, build->history->times_ns[2 * (size_t)op],
                  type == TYPE_INFO ? UINT64_MAX : time_ns);
}

static void take_whole(struct history_build *build, const struct data *data,
                       const struct event *event, enum event_type type, uint32_t process) {
    uint64_t call_ns = time_of(data, event->field[EVENT_CALL]);
    uint64_t ret_ns = time_of(data, event->field[EVENT_RETURN]);
    build->wholes = true;
    if (call_ns == UINT64_MAX || (type != TYPE_INFO && ret_ns == UINT64_MAX)) {
        lint_add(build->lint, LINT_ERROR, event->line, "call and return are times, from 0");
        return;
    }
    if (type != TYPE_INFO && ret_ns < call_ns)
        lint_add(build->lint, LINT_ERROR, event->line, "the return is before the call");
    begin(build, data, event, process);
    uint32_t op = build->processes[process].pending;
    end(build, data, event, type, op);
    build->processes[process].pending = OP_NONE;
    keep_time(build, op, call_ns, type == TYPE_INFO ? UINT64_MAX : ret_ns);
}

/* {"initial": value}, {"initial": value, "key": key}, {"real_time": false} */
static bool take_header(struct history_build *build, const struct data *data,
                        const struct event *event) {
    struct history *history = build->history;
    uint32_t initial = event->field[EVENT_INITIAL], real_time = event->field[EVENT_REAL_TIME];
    if (event->field[EVENT_TYPE] != DATUM_NONE ||
        (initial == DATUM_NONE && real_time == DATUM_NONE))
        return false;
    if (real_time != DATUM_NONE && data->at[real_time].kind == DATUM_BOOL)
        history->has_real_time = data->at[real_time].integer != 0;
    if (initial == DATUM_NONE)
        return true;
    uint32_t value = data_value(data, initial, &history->values);
    build->has_initial = true;
    if (event->field[EVENT_KEY] == DATUM_NONE)
        history->initial = value;
    else
        history_set_initial(history, data_value(data, event->field[EVENT_KEY], &history->values),
                            value);
    return true;
}

void history_build_event(struct history_build *build, const struct data *data,
                         const struct event *event) {
    if (take_header(build, data, event))
        return;
    enum event_type type = type_of(data, event);
    if (type == TYPE_NONE) {
        lint_add(build->lint, LINT_ERROR, event->line,
                 "the type of an event is invoke, ok, fail or info");
        return;
    }
    if (is_fault(build, data, event, type)) {
        add_fault(build, data, event);
        return;
    }
    uint32_t name = event->field[EVENT_PROCESS];
    uint32_t process = dense_of(
        build, name == DATUM_NONE ? VALUE_NULL : data_value(data, name, &build->history->values));
    bool whole = event->field[EVENT_CALL] != DATUM_NONE;
    if (whole ? build->halves : build->wholes) {
        lint_add(build->lint, LINT_ERROR, event->line,
                 "operations with call and return and single events don't mix");
        return;
    }
    build->halves |= !whole;
    if (whole)
        take_whole(build, data, event, type, process);
    else if (type == TYPE_INVOKE)
        take_invoke(build, data, event, process);
    else
        take_end(build, data, event, type, process);
}

void history_build_end(struct history_build *build) {
    build->history->may_miss_writes = build->options.source == SOURCE_EDN;
    struct history *history = build->history;
    history->positions = build->position;
    if (build->text_map && !build->has_initial)
        history->initial = value_text(&history->values, BYTES(""));
    if (build->options.by_time || build->wholes)
        history_build_by_time(build);
    if (!build->options.times) {
        cairn_free(history->times_ns);
        history->times_ns = NULL;
        history->times_cap = 0;
    }
}
