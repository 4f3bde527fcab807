#include "check/history_build.h"

#include "base/alloc.h"
#include "check/history_build_internal.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* EVENT_FIELD_COUNT: none of that name. */
static enum event_field event_field_of(struct bytes name) {
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
    memset(event->field, 0xff, sizeof event->field);
    event->line = line;
    event->answer = event->answer_name = DATUM_NONE;
    event->process_told = false;
}

/* Other names of members. They are met in every event of some files: told apart by length first. */
struct other_name {
    const char *text;
    size_t len;
};
#define NAME(text) \
    { text, sizeof text - 1 }
static const struct other_name processes_named[] = {NAME("client"),  NAME("client_id"),
                                                    NAME("thread"),  NAME("thread_id"),
                                                    NAME("session"), NAME("worker")};
static const struct other_name answers_named[] = {NAME("output"), NAME("ret"),    NAME("response"),
                                                  NAME("reply"),  NAME("answer"), NAME("out")};
#undef NAME

static bool is_one_of(struct bytes name, const struct other_name *names, size_t count) {
    for (size_t i = 0; i < count; i++)
        if (name.len == names[i].len && memcmp(name.data, names[i].text, name.len) == 0)
            return true;
    return false;
}

void event_member(struct event *event, const struct data *data, uint32_t name, uint32_t value) {
    if (!data_is_text(data, name))
        return;
    struct bytes text = data_text(data, name);
    enum event_field field = event_field_of(text);
    if (field == EVENT_PROCESS) {
        event->field[EVENT_PROCESS] = value;
        event->process_told = true;
    } else if (field != EVENT_FIELD_COUNT) {
        event->field[field] = value;
    } else if (!event->process_told &&
               is_one_of(text, processes_named, sizeof processes_named / sizeof *processes_named)) {
        event->field[EVENT_PROCESS] = value;
    } else if (is_one_of(text, answers_named, sizeof answers_named / sizeof *answers_named)) {
        event->answer = value;
        event->answer_name = name;
    }
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

static enum event_type type_of(const struct data *data, const struct event *event) {
    static const char *const names[] = {"invoke", "ok", "fail", "info"};
    uint32_t at = event->field[EVENT_TYPE];
    if (at == DATUM_NONE && event->field[EVENT_CALL] != DATUM_NONE)
        return build_is_nil(data, event->field[EVENT_RETURN]) ? TYPE_INFO : TYPE_OK;
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

static uint32_t new_process(struct history_build *build, uint32_t name) {
    uint32_t dense = history_add_process(build->history, name);
    if (dense >= build->process_cap) {
        build->process_cap += build->process_cap / 2 + 64;
        build->processes =
            cairn_realloc(build->processes, build->process_cap * sizeof *build->processes);
    }
    build->processes[dense] = (struct build_process){.pending = OP_NONE};
    return dense;
}

static uint32_t dense_of(struct history_build *build, uint32_t name) {
    if (name >= build->dense_cap) {
        uint32_t cap = name + name / 2 + 64;
        build->dense = cairn_realloc(build->dense, cap * sizeof *build->dense);
        memset(build->dense + build->dense_cap, 0xff,
               (cap - build->dense_cap) * sizeof *build->dense);
        build->dense_cap = cap;
    }
    if (build->dense[name] != OP_NONE)
        return build->dense[name];
    return build->dense[name] = new_process(build, name);
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

/* ---- events ---- */

static void name_process(const struct history_build *build, uint32_t process, struct buf *out) {
    const struct history *history = build->history;
    if (history->processes[process] == VALUE_NULL) {
        buf_printf(out, "events without a process are all of one, which");
    } else {
        buf_printf(out, "process ");
        value_show(&history->values, history->processes[process], out);
        out->len = out->len > BUILD_SHOWN_MAX ? BUILD_SHOWN_MAX : out->len;
    }
    buf_u8(out, 0);
}

static void find_process(struct history_build *build, uint32_t line, uint32_t process,
                         const char *what, uint32_t earlier) {
    struct buf name = {0};
    name_process(build, process, &name);
    if (earlier == 0)
        lint_add(build->lint, LINT_ERROR, line, "%s %s", (char *)name.data, what);
    else
        lint_add(build->lint, LINT_ERROR, line, "%s %s, %s %" PRIu32, (char *)name.data, what,
                 build_unit(build), earlier);
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
                 "the time is %" PRIu64 " ns before that of the %s before",
                 build->last_ns - time_ns, build_unit(build));
    if (time_ns >= of->time_ns && build->latest_ns > time_ns &&
        build->latest_ns - time_ns > build->history->back_ns && !build->options.by_time)
        build->history->back_ns = build->latest_ns - time_ns;
    of->time_ns = time_ns;
    build->last_ns = time_ns;
    build->latest_ns = time_ns > build->latest_ns ? time_ns : build->latest_ns;
}

static void keep_time(struct history_build *build, uint32_t op, uint64_t call_ns, uint64_t ret_ns) {
    if (build->options.times || build->options.by_time || build->wholes)
        history_times(build->history, op, call_ns, ret_ns);
}

static void take_invoke(struct history_build *build, const struct data *data,
                        const struct event *event, uint32_t process) {
    struct build_process *of = &build->processes[process];
    build->overlaps |= of->pending != OP_NONE || of->crashed != 0;
    if (of->pending != OP_NONE)
        find_process(build, event->line, process, "invokes again before the end of its operation",
                     build->history->ops[of->pending].line);
    else if (of->crashed != 0)
        find_process(build, event->line, process,
                     "goes on after an operation of unknown outcome, which is open for ever",
                     of->crashed);
    uint64_t time_ns = time_of(data, event->field[EVENT_TIME]);
    check_clock(build, event, time_ns, process);
    build_begin(build, data, event, process);
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
    build_end(build, data, event, type, op);
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
    build_begin(build, data, event, process);
    uint32_t op = build->processes[process].pending;
    build_end(build, data, event, type, op);
    build->processes[process].pending = OP_NONE;
    keep_time(build, op, call_ns, type == TYPE_INFO ? UINT64_MAX : ret_ns);
}

/* ---- transactions of which only the ends are told ---- */

/* A session of its own, where the order of sessions is to say nothing. */
static uint32_t lone_session(struct history_build *build) {
    struct history *history = build->history;
    char name[32];
    snprintf(name, sizeof name, "unnamed-%" PRIu32, history->process_count);
    return new_process(build, value_text(&history->values, bytes_cstr(name)));
}

static void take_alone(struct history_build *build, const struct data *data,
                       const struct event *event, enum event_type type, uint32_t process) {
    uint64_t time_ns = time_of(data, event->field[EVENT_TIME]);
    bool told = build->history->processes[process] != VALUE_NULL;
    if (time_ns == UINT64_MAX && build->options.by_time)
        lint_add(build->lint, LINT_ERROR, event->line, "the order is by time, but here is none");
    if (!told || type == TYPE_INFO)
        process = lone_session(build);
    build->history->only_ends = true;
    build_begin(build, data, event, process);
    uint32_t op = build->processes[process].pending;
    build_end(build, data, event, type, op);
    build->processes[process].pending = OP_NONE;
    if (time_ns != UINT64_MAX)
        keep_time(build, op, time_ns, type == TYPE_INFO ? UINT64_MAX : time_ns);
}

/* Whether it is taken so: as long as no event has invoked, from the first on. */
static bool is_alone(const struct history_build *build, const struct data *data,
                     const struct event *event, enum event_type type) {
    const struct history *history = build->history;
    return type != TYPE_INVOKE && !build->invokes && build_is_txn(build, data, event) &&
           (history->only_ends || history->op_count == 0);
}

/* An event invokes after all, so the ones before lack what began them. */
static void refuse_alone(struct history_build *build) {
    struct history *history = build->history;
    if (!history->only_ends)
        return;
    history->only_ends = false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        struct op *op = &history->ops[i];
        find_process(build, op->line, op->process, "ends an operation that it did not invoke", 0);
        op->outcome = OP_FAIL;
        op->ret = op->call + 1;
    }
}

/* ---- any event ---- */

static void refuse_type(struct history_build *build, const struct data *data,
                        const struct event *event) {
    static const char *const types = "invoke, ok, fail or info";
    struct buf shown = {0};
    if (event->field[EVENT_TYPE] == DATUM_NONE) {
        lint_add(build->lint, LINT_ERROR, event->line, "this event has no type, which is %s",
                 types);
        return;
    }
    build_shown(build, data, event->field[EVENT_TYPE], &shown);
    lint_add(build->lint, LINT_ERROR, event->line, "the type of an event is %s, not %s", types,
             (char *)shown.data);
    buf_free(&shown);
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
    history->initial_told = true;
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
        refuse_type(build, data, event);
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
    if (whole) {
        take_whole(build, data, event, type, process);
    } else if (type == TYPE_INVOKE) {
        refuse_alone(build);
        build->invokes = true;
        take_invoke(build, data, event, process);
    } else if (is_alone(build, data, event, type)) {
        take_alone(build, data, event, type, process);
    } else {
        take_end(build, data, event, type, process);
    }
}

void history_build_end(struct history_build *build) {
    struct history *history = build->history;
    history->may_miss_writes = build->options.source == SOURCE_EDN && !build->options.strict;
    history->positions = build->position;
    history->has_real_time &= !history->only_ends;
    if (build->text_map && !history->initial_told)
        history->initial = value_text(&history->values, BYTES(""));
    if (build->options.by_time || build->wholes)
        history_build_by_time(build);
    if (build->overlaps)
        history_build_lanes(build);
    if (!build->options.times) {
        cairn_free(history->times_ns);
        history->times_ns = NULL;
        history->times_cap = 0;
    }
}
