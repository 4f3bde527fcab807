#include "check/model.h"

#include "base/assert.h"
#include "check/answers.h"

#include <string.h>

#define F(name) (1u << OP_##name)

struct model_row {
    const char *name, *line;
    bool keyed, transactional;
};
static const struct model_row rows[MODEL_COUNT] = {
#define X(name, text, keyed, transactional, line) {text, line, keyed, transactional},
    MODEL_LIST(X)
#undef X
};

static const struct {
    const char *name;
    enum model model;
} synonyms[] = {
    {"kv-register", MODEL_REGISTER},
    {"kv-cas-register", MODEL_CAS_REGISTER},
    {"rw-register", MODEL_TXN_RW},
    {"txn-rw-register", MODEL_TXN_RW},
    {"list-append", MODEL_TXN_APPEND},
    {"txn-list-append", MODEL_TXN_APPEND},
    {"kv-append", MODEL_KV},
    {"map", MODEL_KV},
    {"lock", MODEL_MUTEX},
    {"list", MODEL_APPEND},
    {"pqueue", MODEL_PRIORITY_QUEUE},
    {"bag", MODEL_UNORDERED_QUEUE},
    {"total-queue", MODEL_UNORDERED_QUEUE},
    {"owned-lock", MODEL_OWNED_MUTEX},
    {"reentrant-lock", MODEL_REENTRANT_MUTEX},
    {"fenced-lock", MODEL_FENCED_MUTEX},
    {"unique-id", MODEL_UNIQUE_IDS},
};

const char *model_name(enum model model) {
    cairn_assert(model < MODEL_COUNT);
    return rows[model].name;
}

const char *model_line(enum model model) {
    cairn_assert(model < MODEL_COUNT);
    return rows[model].line;
}

bool model_keyed(enum model model) {
    cairn_assert(model < MODEL_COUNT);
    return rows[model].keyed;
}

bool model_transactional(enum model model) {
    cairn_assert(model < MODEL_COUNT);
    return rows[model].transactional;
}

bool model_is_register(enum model model) {
    return model == MODEL_REGISTER || model == MODEL_CAS_REGISTER || model == MODEL_KV;
}

bool model_is_bank(enum model model) {
    return model == MODEL_BANK || model == MODEL_BANK_NONNEGATIVE;
}

enum model model_of(const char *name) {
    for (int model = 0; model < MODEL_COUNT; model++)
        if (strcmp(rows[model].name, name) == 0)
            return (enum model)model;
    for (size_t i = 0; i < sizeof synonyms / sizeof *synonyms; i++)
        if (strcmp(synonyms[i].name, name) == 0)
            return synonyms[i].model;
    return MODEL_NONE;
}

/* ---- which model a history is of ---- */

static bool is_list(const struct history *history, uint32_t value) {
    return value != VALUE_NONE && value_at(&history->values, value)->kind == VALUE_LIST;
}

static bool reads_lists(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].f == OP_READ && is_list(history, history->ops[i].out))
            return true;
    return false;
}

static bool appends_texts(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++)
        if (history->ops[i].f == OP_READ && history->ops[i].outcome == OP_OK &&
            history->ops[i].out != VALUE_NONE && history->ops[i].out != VALUE_NULL)
            return value_at(&history->values, history->ops[i].out)->kind == VALUE_TEXT;
    return true;
}

/* A counter takes numbers; what else is added is an element of a set. */
static bool adds_elements(const struct history *history) {
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f != OP_ADD || op->arg == VALUE_NONE)
            continue;
        enum value_kind kind = value_at(&history->values, op->arg)->kind;
        if (kind != VALUE_INT && kind != VALUE_NIL)
            return true;
    }
    return false;
}

static void tell_unknown(const struct history *history, struct buf *why) {
    uint32_t first = 0;
    while (history->ops[first].f != OP_OTHER)
        first++;
    history_place(history, history->ops[first].line, why);
    if (history->unknown_f == VALUE_NONE) {
        buf_printf(why, ": there is no function (f); it is one of ");
    } else {
        buf_printf(why, ": there is no function ");
        value_print(&history->values, history->unknown_f, why);
        buf_printf(why, "; there are ");
    }
    op_f_names(why);
}

static uint32_t operations_of(enum model model) {
    uint32_t operations = 0;
    for (int f = 0; f < OP_F_COUNT; f++)
        if (answers_has(model, (enum op_f)f))
            operations |= 1u << f;
    return operations;
}

enum model model_guess(const struct history *history, struct buf *why) {
    /* Where operations alone leave several, the one that is tried first wins. */
    static const enum model tried[] = {
        MODEL_REGISTER, MODEL_CAS_REGISTER,   MODEL_COUNTER, MODEL_SET,  MODEL_QUEUE,
        MODEL_STACK,    MODEL_PRIORITY_QUEUE, MODEL_MUTEX,   MODEL_BANK, MODEL_UNIQUE_IDS,
        MODEL_KV};
    uint32_t used = 0;
    for (uint32_t i = 0; i < history->op_count; i++)
        used |= 1u << history->ops[i].f;
    if (used == F(TXN)) {
        for (uint32_t i = 0; i < history->mop_count; i++)
            if (history->mops[i].kind == MOP_APPEND)
                return MODEL_TXN_APPEND;
        return MODEL_TXN_RW;
    }
    if ((used & ~operations_of(MODEL_APPEND)) == 0 && (used & F(APPEND)) != 0 &&
        (reads_lists(history) || !appends_texts(history)))
        return MODEL_APPEND;
    if ((used & F(ADD)) != 0 && (used & ~operations_of(MODEL_COUNTER)) == 0 &&
        (reads_lists(history) || adds_elements(history)))
        return MODEL_SET;
    if ((used & F(OTHER)) != 0) {
        tell_unknown(history, why);
        return MODEL_NONE;
    }
    for (size_t i = 0; i < sizeof tried / sizeof *tried; i++)
        if ((used & ~operations_of(tried[i])) == 0)
            return tried[i];
    buf_printf(why, "no model has all of these operations:");
    for (int f = 0; f < OP_F_COUNT; f++)
        if (used & 1u << f)
            buf_printf(why, " %s", op_f_name((enum op_f)f));
    return MODEL_NONE;
}

/* ---- does it fit? ---- */

static bool misfit(const struct history *history, uint32_t op, const char *what, struct buf *why) {
    history_describe(history, op, why);
    buf_printf(why, ": %s", what);
    return false;
}

static bool unread_answer(enum model model, const struct history *history, uint32_t op,
                          struct buf *why) {
    static const char *const texts[] = {
#define X(name, text) text,
        TELLS_LIST(X)
#undef X
    };
    enum op_f f = history->ops[op].f;
    misfit(history, op, "this answer would not be compared: ", why);
    buf_printf(why,
               "to model %s, %s tells %s; leave the answer out of the history, or give another "
               "--model",
               rows[model].name, op_f_name(f), texts[answers_of(model, f)]);
    return false;
}

static enum value_kind kind_of(const struct history *history, uint32_t value) {
    return value == VALUE_NONE ? VALUE_NIL : value_at(&history->values, value)->kind;
}

static uint32_t field_of(const struct history *history, uint32_t map, const char *name) {
    const struct value *value = value_at(&history->values, map);
    if (value->kind != VALUE_MAP)
        return VALUE_NONE;
    const uint32_t *items = value_items(&history->values, map);
    for (uint32_t i = 0; i + 1 < value->len; i += 2)
        if (value_at(&history->values, items[i])->kind == VALUE_TEXT &&
            bytes_equal(value_bytes(&history->values, items[i]), bytes_cstr(name)))
            return items[i + 1];
    return VALUE_NONE;
}

static bool is_amount(const struct history *history, uint32_t value) {
    return value_at(&history->values, value)->kind == VALUE_INT &&
           value_at(&history->values, value)->integer >= 0;
}

static const char *lock_fault(enum model model, const struct history *history,
                              const struct op *op) {
    uint32_t fence = field_of(history, op->arg, "fence");
    if (model == MODEL_SEMAPHORE && op->arg != VALUE_NULL && !is_amount(history, op->arg))
        return "a semaphore is asked for a number of permits";
    if (model == MODEL_FENCED_MUTEX && fence != VALUE_NONE &&
        value_at(&history->values, fence)->kind != VALUE_INT)
        return "a token is a number";
    return NULL;
}

static const char *shape_fault(enum model model, const struct history *history,
                               const struct op *op) {
    enum value_kind arg = kind_of(history, op->arg), out = kind_of(history, op->out);
    bool told = op->outcome == OP_OK && out != VALUE_NIL;
    if (op->f == OP_CAS && (arg != VALUE_LIST || value_at(&history->values, op->arg)->len != 2))
        return "a cas needs a list of two values, [from to]";
    if (op->f == OP_ADD && model != MODEL_SET && arg != VALUE_INT && arg != VALUE_NIL)
        return model == MODEL_COUNTER
                   ? "only a number can be added to a counter; for elements of a "
                     "set give --model set"
                   : "only a number can be added";
    if (op->f == OP_READ && told && model == MODEL_COUNTER && out != VALUE_INT)
        return "a counter reads as a number";
    if (op->f == OP_READ && told && (model == MODEL_SET || model == MODEL_APPEND) &&
        out != VALUE_LIST)
        return "the answer must be a list of elements";
    if (op->f == OP_READ && told && model_is_bank(model) && out != VALUE_LIST && out != VALUE_MAP)
        return "the answer must be a map of accounts to balances";
    if (op->f == OP_DRAIN && model == MODEL_UNORDERED_QUEUE && op->outcome == OP_OK &&
        (op->out == VALUE_NONE || (told && out != VALUE_LIST)))
        return "what a drain took out of an unordered queue must be told";
    if (op->f == OP_TRANSFER &&
        (arg != VALUE_MAP || field_of(history, op->arg, "from") == VALUE_NONE ||
         field_of(history, op->arg, "to") == VALUE_NONE ||
         field_of(history, op->arg, "amount") == VALUE_NONE))
        return "a transfer needs from, to and amount";
    if (op->f == OP_ACQUIRE || op->f == OP_TRY_ACQUIRE || op->f == OP_RELEASE)
        return lock_fault(model, history, op);
    return NULL;
}

static const char *mop_fault(enum model model, const struct history *history, const struct op *op) {
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &history->mops[op->arg + i];
        bool append = model == MODEL_TXN_APPEND;
        if (mop->kind != MOP_READ && (mop->kind == MOP_APPEND) != append)
            return append ? "list-append transactions have no writes, only r and append"
                          : "transactions on registers have r and w, no append";
        enum value_kind kind = kind_of(history, mop->value);
        if (append && mop->kind == MOP_READ && kind != VALUE_LIST && kind != VALUE_NIL)
            return "a read of a list must tell a list";
    }
    return NULL;
}

/* What an object can be at first; NULL: it can be that. */
static const char *initial_fault(enum model model, const struct history *history, uint32_t initial,
                                 bool of_key) {
    enum value_kind kind = value_at(&history->values, initial)->kind;
    switch (model) {
    case MODEL_APPEND:
    case MODEL_SET:
    case MODEL_QUEUE:
    case MODEL_UNORDERED_QUEUE:
    case MODEL_STACK:
    case MODEL_PRIORITY_QUEUE:
        return kind == VALUE_LIST ? NULL : "a list of elements";
    case MODEL_COUNTER:
        return kind == VALUE_INT ? NULL : "a number";
    case MODEL_SEMAPHORE:
        return is_amount(history, initial) ? NULL : "a number of permits, from 0";
    case MODEL_FENCED_MUTEX:
        return kind == VALUE_INT ? NULL : "the last token, a number";
    case MODEL_BANK:
    case MODEL_BANK_NONNEGATIVE:
        if (of_key)
            return kind == VALUE_INT ? NULL : "a balance, a number";
        return kind == VALUE_MAP || kind == VALUE_LIST ? NULL : "a map of accounts to balances";
    case MODEL_UNIQUE_IDS:
        return "left out";
    default:
        return NULL;
    }
}

static bool initials_fit(enum model model, const struct history *history, struct buf *why) {
    for (uint32_t i = 0; i <= history->initial_count; i++) {
        bool of_key = i < history->initial_count;
        uint32_t initial = of_key ? history->initial_of[2 * i + 1] : history->initial;
        const char *wanted =
            initial == VALUE_NULL ? NULL : initial_fault(model, history, initial, of_key);
        if (wanted == NULL)
            continue;
        buf_printf(why, "the initial value ");
        if (of_key) {
            buf_printf(why, "of key ");
            value_show(&history->values, history->initial_of[2 * i], why);
            buf_printf(why, ", ");
        }
        value_print(&history->values, initial, why);
        buf_printf(why, ": of model %s it is %s", rows[model].name, wanted);
        return false;
    }
    return true;
}

bool model_fits(enum model model, const struct history *history, struct buf *why) {
    cairn_assert(model < MODEL_COUNT);
    if (!initials_fit(model, history, why))
        return false;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_OTHER) {
            tell_unknown(history, why);
            return false;
        }
        if (!answers_has(model, op->f)) {
            buf_printf(why, "model %s has no %s; ", rows[model].name, op_f_name(op->f));
            return misfit(history, i, "give another --model", why);
        }
        if (op->outcome == OP_FAIL)
            continue;
        const char *fault =
            op->f == OP_TXN ? mop_fault(model, history, op) : shape_fault(model, history, op);
        if (fault != NULL)
            return misfit(history, i, fault, why);
        if (answers_ignored(model, history, op))
            return unread_answer(model, history, i, why);
    }
    return true;
}
