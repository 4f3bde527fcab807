/* One operation: what its two events say. */
#include "check/answers.h"
#include "check/history_build_internal.h"

#include <inttypes.h>

bool build_is_nil(const struct data *data, uint32_t at) {
    return at == DATUM_NONE || data->at[at].kind == DATUM_NIL;
}

void build_shown(const struct history_build *build, const struct data *data, uint32_t at,
                 struct buf *out) {
    struct values *values = &build->history->values;
    if (data_is_text(data, at)) {
        struct bytes text = data_text(data, at);
        text.len = text.len > BUILD_SHOWN_MAX ? BUILD_SHOWN_MAX : text.len;
        text_print_json(text, out);
    } else {
        value_print(values, data_value(data, at, values), out);
        out->len = out->len > BUILD_SHOWN_MAX ? BUILD_SHOWN_MAX : out->len;
    }
    buf_u8(out, 0);
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

bool build_is_txn(const struct history_build *build, const struct data *data,
                  const struct event *event) {
    return f_of(build, data, event) == OP_TXN;
}

/* In EDN knossos takes an answer of nil as "any", unless it is to be what it says. */
static bool nil_says_nothing(const struct history_build *build) {
    return build->options.source == SOURCE_EDN && !build->options.nil_absent &&
           !build->options.strict;
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
    bool any =
        mop.kind == MOP_READ && spelled && nil_says_nothing(build) && build_is_nil(data, value);
    build->history->nil_reads += any;
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
                     "the transaction that ends here is not the one that was invoked on %s "
                     "%" PRIu32,
                     build_unit(build), history->ops[op_at].line);
        *place = mop;
    }
    if (!fits && old_len != 0)
        lint_add(build->lint, LINT_ERROR, line,
                 "the transaction that ends here has another number of operations than on %s "
                 "%" PRIu32,
                 build_unit(build), history->ops[op_at].line);
    history->ops[op_at].arg = first;
    history->ops[op_at].out = len;
}

static void take_mops(struct history_build *build, const struct data *data,
                      const struct event *event, uint32_t op_at, bool answered) {
    uint32_t at = event->field[EVENT_VALUE];
    if (build_is_nil(data, at))
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
           f == OP_DELETE_MAX || f == OP_PEEK || f == OP_GENERATE;
}

static bool is_lock(enum op_f f) {
    return f == OP_ACQUIRE || f == OP_TRY_ACQUIRE || f == OP_RELEASE;
}

/* What needs no argument: a value that only its completion has is an answer. */
static bool asks_of_itself(enum op_f f) {
    return is_lock(f) || f == OP_ADD || f == OP_DELETE;
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
            lint_add(build->lint, LINT_ERROR, event->line,
                     "this value is no [key value], as every one is with --keyed");
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
    uint32_t key_id =
        build_is_nil(data, key) ? VALUE_NULL : data_value(data, key, &history->values);
    bool asks = !build_is_nil(data, value) && !only_answers(history->ops[op_at].f);
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

static void note_unknown(struct history_build *build, const struct data *data,
                         const struct event *event) {
    struct history *history = build->history;
    uint32_t at = event->field[EVENT_F];
    struct buf shown = {0};
    if (at == DATUM_NONE) {
        lint_add(build->lint, LINT_WARNING, event->line, "this event has no function (f)");
        return;
    }
    if (history->unknown_f == VALUE_NONE)
        history->unknown_f = data_value(data, at, &history->values);
    build_shown(build, data, at, &shown);
    lint_add(build->lint, LINT_WARNING, event->line, "unknown function %s", (char *)shown.data);
    buf_free(&shown);
}

void build_begin(struct history_build *build, const struct data *data, const struct event *event,
                 uint32_t process) {
    struct history *history = build->history;
    struct op *op = history_op(history);
    uint32_t op_at = history->op_count - 1;
    op->f = f_of(build, data, event);
    op->process = process;
    op->line = event->line;
    op->call = build->position++;
    op->outcome = OP_INFO;
    if (op->f == OP_OTHER)
        note_unknown(build, data, event);
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
                 "the function is not that of the invocation on %s %" PRIu32 ", %s",
                 build_unit(build), op->line,
                 op->f == OP_OTHER ? "which is unknown" : op_f_name(op->f));
        return;
    }
    split_key(build, data, event, &key, &value);
    if (build_is_nil(data, key) || op->f == OP_TXN)
        return;
    uint32_t id = data_value(data, key, &build->history->values);
    if (op->key == VALUE_NULL)
        op->key = id;
    else if (op->key != id)
        lint_add(build->lint, LINT_ERROR, event->line,
                 "the key is not that of the invocation on %s %" PRIu32, build_unit(build),
                 op->line);
}

/* nil: in EDN any value was fine (knossos); elsewhere, nothing was found. */
static uint32_t answer_of(struct history_build *build, const struct data *data, uint32_t at,
                          enum op_f f) {
    if (at == DATUM_NONE)
        return VALUE_NONE;
    if (data->at[at].kind == DATUM_NIL && f == OP_READ && nil_says_nothing(build)) {
        build->history->nil_reads++;
        return VALUE_NONE;
    }
    return data_value(data, at, &build->history->values);
}

/* What does not only repeat what was asked. */
static bool has_answer(enum op_f f) {
    return f != OP_WRITE && f != OP_TXN && f != OP_RELEASE && f != OP_OTHER;
}

/* An answer under another tool's name is one where nothing else can be it; where `value` says null,
 * which may well be what was found, a person is to say which. */
static uint32_t result_of(struct history_build *build, const struct data *data,
                          const struct event *event, const struct op *op, uint32_t value) {
    uint32_t result = event->field[EVENT_RESULT];
    if (result != DATUM_NONE || event->answer == DATUM_NONE || !has_answer(op->f))
        return result;
    if (!only_answers(op->f) || value == DATUM_NONE)
        return event->answer;
    if (build_is_nil(data, value) && !build_is_nil(data, event->answer)) {
        struct buf shown = {0};
        build_shown(build, data, event->answer_name, &shown);
        lint_add(build->lint, LINT_WARNING, event->line,
                 "the answer is null here, and %s is not looked at: an answer stands in value, or "
                 "in result",
                 (char *)shown.data);
        buf_free(&shown);
    }
    return result;
}

/* Of locks, a map tells on whose behalf, which some learn only at the end. */
static bool takes_argument(const struct values *values, const struct op *op, uint32_t said) {
    enum value_kind kind = value_at(values, said)->kind;
    if (op->arg != VALUE_NULL || kind == VALUE_BOOL)
        return false;
    return !asks_of_itself(op->f) || (is_lock(op->f) && kind == VALUE_MAP);
}

/* Also of an open one, or one that failed. */
static void learn_holder(struct history_build *build, const struct data *data,
                         const struct event *event, struct op *op) {
    uint32_t key, value;
    split_key(build, data, event, &key, &value);
    if (!is_lock(op->f) || build_is_nil(data, value))
        return;
    uint32_t said = data_value(data, value, &build->history->values);
    if (takes_argument(&build->history->values, op, said))
        op->arg = said;
}

static void answered_twice(struct history_build *build, const struct event *event) {
    lint_add(build->lint, LINT_ERROR, event->line,
             "value and result tell two different answers; leave one of them out");
}

/* The value of a completion, where the operation has an argument too: it repeats the argument,
 * whatever an answer could look like, or it is the answer. */
static void take_value(struct history_build *build, const struct event *event, struct op *op,
                       uint32_t said) {
    const struct values *values = &build->history->values;
    if (takes_argument(values, op, said)) {
        op->arg = said;
        return;
    }
    if (said == op->arg)
        return;
    if (op->f == OP_WRITE || (op->f == OP_CAS && is_pair(values, said)))
        lint_add(build->lint, LINT_WARNING, event->line,
                 "the value is not that of the invocation on %s %" PRIu32 ", which counts",
                 build_unit(build), op->line);
    else if (op->out == VALUE_NONE)
        op->out = said;
    else if (op->out != said)
        answered_twice(build, event);
}

/* A cas is answered whether it matched; what says something else stays, for model_fits. */
static void end_cas(struct history_build *build, const struct event *event, struct op *op) {
    const struct values *values = &build->history->values;
    if (!is_pair(values, op->arg))
        lint_add(build->lint, LINT_ERROR, event->line, "a cas has the value [from to]");
    int matched = answers_truth(values, op->out);
    if (matched == 0)
        op->outcome = OP_MISMATCH;
    if (matched >= 0)
        op->out = VALUE_NONE;
}

static void end_asking(struct history_build *build, const struct data *data,
                       const struct event *event, struct op *op, uint32_t value) {
    struct values *values = &build->history->values;
    uint32_t result = result_of(build, data, event, op, value);
    if (result != DATUM_NONE)
        op->out = answer_of(build, data, result, op->f);
    bool found_nothing = op->f == OP_SWAP && value != DATUM_NONE && build_is_nil(data, value) &&
                         op->arg != VALUE_NULL && result == DATUM_NONE && !build->wholes;
    if (found_nothing)
        op->out = VALUE_NULL;
    if (!build_is_nil(data, value))
        take_value(build, event, op, data_value(data, value, values));
    if (op->f == OP_CAS)
        end_cas(build, event, op);
}

/* What only asks is told by its value, or by its result. */
static void end_answered(struct history_build *build, const struct data *data,
                         const struct event *event, struct op *op, uint32_t value) {
    uint32_t result = result_of(build, data, event, op, value);
    op->out = answer_of(build, data, result != DATUM_NONE ? result : value, op->f);
    if (result != DATUM_NONE && !build_is_nil(data, value) &&
        answer_of(build, data, value, op->f) != op->out)
        answered_twice(build, event);
}

static void end_ok(struct history_build *build, const struct data *data, const struct event *event,
                   struct op *op) {
    uint32_t key, value;
    split_key(build, data, event, &key, &value);
    op->outcome = OP_OK;
    if (only_answers(op->f))
        end_answered(build, data, event, op, value);
    else
        end_asking(build, data, event, op, value);
}

static void end_fail(const struct history_build *build, const struct data *data,
                     const struct event *event, struct op *op) {
    uint32_t value = event->field[EVENT_VALUE];
    bool said =
        build->options.source == SOURCE_JSON && build_is_nil(data, event->field[EVENT_ERROR]);
    bool logged = build->options.source == SOURCE_LOG &&
                  (value == DATUM_NONE || data->at[value].kind != DATUM_WORD);
    op->outcome = op->f == OP_CAS && (said || logged) ? OP_MISMATCH : OP_FAIL;
    if (op->outcome == OP_MISMATCH && !is_pair(&build->history->values, op->arg))
        lint_add(build->lint, LINT_ERROR, event->line, "a cas has the value [from to]");
}

void build_end(struct history_build *build, const struct data *data, const struct event *event,
               enum event_type type, uint32_t op_at) {
    struct op *op = &build->history->ops[op_at];
    uint32_t position = build->position++;
    compare_with_invoke(build, data, event, op);
    learn_holder(build, data, event, op);
    if (type == TYPE_INFO)
        return;
    op->ret = position;
    if (op->f == OP_TXN) {
        op->outcome = type == TYPE_OK ? OP_OK : OP_FAIL;
        if (type == TYPE_OK)
            take_mops(build, data, event, op_at, true);
        if (type == TYPE_OK && !build_is_nil(data, event->field[EVENT_RESULT]))
            lint_add(build->lint, LINT_ERROR, event->line,
                     "what a transaction read stands in its value; a result is not compared");
    } else if (type == TYPE_OK) {
        end_ok(build, data, event, op);
    } else {
        end_fail(build, data, event, op);
    }
}
