/* What is odd with a history as a whole and changes what a verdict on it is worth. */
#include "base/alloc.h"
#include "check/lint.h"
#include "check/survey.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* What an operation gives the object: a written value, an element. */
static bool gives(enum op_f f) {
    return f == OP_WRITE || f == OP_APPEND || f == OP_ADD || f == OP_ENQUEUE || f == OP_PUSH ||
           f == OP_INSERT || f == OP_SWAP || f == OP_SET_IF_ABSENT;
}

/* ---- the order of lines ---- */

static void find_back(struct lint *lint, const struct history *history) {
    if (history->back_ns == 0 || !history->has_real_time)
        return;
    double back = (double)history->back_ns;
    const char *unit = back < 1e4 ? "ns" : back < 1e7 ? "us" : "ms";
    lint_add(lint, LINT_WARNING, 0,
             "lines tell the order here, and their times go back by up to %.0f %s: if the times "
             "are of one clock, use --order time",
             back / (back < 1e4   ? 1
                     : back < 1e7 ? 1e3
                                  : 1e6),
             unit);
}

/* ---- reads without answers ---- */

static void find_silence(struct lint *lint, const struct history *history) {
    struct survey survey;
    struct buf why = {0};
    survey_take(&survey, history);
    if (survey_is_empty(&survey, &why) && history->op_count > 0)
        lint_add(lint, LINT_WARNING, 0, "nothing can be judged: %.*s", (int)why.len,
                 (const char *)why.data);
    buf_free(&why);
    if (survey.reads == 0 || survey.answered > 0 || survey.known == 0)
        return;
    lint_add(
        lint, LINT_WARNING, 0,
        history->nil_reads > 0
            ? "no read has an answer but nil, which fits any state in this format (see --nil)"
            : "no read has an answer, so that there is nothing to contradict: an answer stands "
              "in the value or the result of the event that is ok");
}

/* The earliest end of an acknowledged operation that gives a key something, by key. */
static uint32_t *first_gifts(const struct history *history) {
    uint32_t *first = cairn_alloc(((size_t)history->values.count + 1) * sizeof *first);
    memset(first, 0xff, ((size_t)history->values.count + 1) * sizeof *first);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome != OP_OK)
            continue;
        if ((gives(op->f) || op->f == OP_CAS) && op->ret < first[op->key])
            first[op->key] = op->ret;
        for (uint32_t n = 0; op->f == OP_TXN && n < op->out; n++) {
            const struct mop *mop = &history->mops[op->arg + n];
            if (mop->kind != MOP_READ && op->ret < first[mop->key])
                first[mop->key] = op->ret;
        }
    }
    return first;
}

/* Has it an answer of nil of a key that was written before? */
static bool nil_after_write(const struct history *history, const struct op *op,
                            const uint32_t *first) {
    if (op->outcome != OP_OK)
        return false;
    if (op->f != OP_TXN)
        return op->f == OP_READ && op->out == VALUE_NONE && op->call > first[op->key];
    for (uint32_t i = 0; i < op->out; i++) {
        const struct mop *mop = &history->mops[op->arg + i];
        if (mop->kind == MOP_READ && mop->value == VALUE_NONE && op->call > first[mop->key])
            return true;
    }
    return false;
}

static void find_nil(struct lint *lint, const struct history *history) {
    if (history->nil_reads == 0)
        return;
    uint32_t *first = first_gifts(history), count = 0, at = 0;
    for (uint32_t i = 0; i < history->op_count; i++)
        if (nil_after_write(history, &history->ops[i], first) && count++ == 0)
            at = i;
    cairn_free(first);
    if (count == 0)
        return;
    struct buf place = {0};
    history_place(history, history->ops[at].line, &place);
    lint_add(lint, LINT_WARNING, 0,
             "an answer of nil fits any state in this format; %" PRIu32
             " such reads came after an acknowledged write of their key, the first on %.*s: with "
             "--nil absent they say that nothing was there",
             count, (int)place.len, (const char *)place.data);
    buf_free(&place);
}

/* ---- the number 1 and the text "1" ---- */

struct twin {
    int64_t integer;
    uint32_t text;
};

static int by_integer(const void *a, const void *b) {
    const struct twin *x = a, *y = b;
    return x->integer < y->integer ? -1 : x->integer > y->integer;
}

/* The texts of digits among the values. */
static struct twin *digit_texts(const struct values *values, uint32_t *count) {
    struct twin *twins = NULL;
    uint32_t cap = 0;
    *count = 0;
    for (uint32_t id = 0; id < values->count; id++) {
        int64_t integer;
        if (value_at(values, id)->kind != VALUE_TEXT ||
            !text_is_integer(value_bytes(values, id), &integer))
            continue;
        if (*count == cap) {
            cap += cap / 2 + 16;
            twins = cairn_realloc(twins, cap * sizeof *twins);
        }
        twins[(*count)++] = (struct twin){integer, id};
    }
    if (*count > 0)
        qsort(twins, *count, sizeof *twins, by_integer);
    return twins;
}

/* By value: the one that looks the same and is another; VALUE_NONE: there is none. NULL: there are
 * none at all. */
static uint32_t *twins_of(const struct values *values) {
    uint32_t count, *twin = NULL;
    struct twin *texts = digit_texts(values, &count);
    for (uint32_t id = 0; count > 0 && id < values->count; id++) {
        if (value_at(values, id)->kind != VALUE_INT)
            continue;
        const struct twin wanted = {.integer = value_at(values, id)->integer};
        const struct twin *found = bsearch(&wanted, texts, count, sizeof *texts, by_integer);
        if (found == NULL)
            continue;
        if (twin == NULL) {
            twin = cairn_alloc(values->count * sizeof *twin);
            memset(twin, 0xff, values->count * sizeof *twin);
        }
        twin[id] = found->text;
        twin[found->text] = id;
    }
    cairn_free(texts);
    return twin;
}

struct uses {
    const struct history *history;
    uint32_t *given, *read, *key; /* by value: the first operation that does; OP_NONE: none */
};

static void use(uint32_t *first, uint32_t value, uint32_t op) {
    if (first[value] == OP_NONE)
        first[value] = op;
}

static void use_items(const struct uses *uses, uint32_t *first, uint32_t value, uint32_t op) {
    const struct values *values = &uses->history->values;
    if (value == VALUE_NONE)
        return;
    use(first, value, op);
    for (uint32_t i = 0;
         value_at(values, value)->kind == VALUE_LIST && i < value_at(values, value)->len; i++)
        use(first, value_items(values, value)[i], op);
}

static void gather_uses(struct uses *uses) {
    const struct history *history = uses->history;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->outcome == OP_FAIL)
            continue;
        for (uint32_t n = 0; op->f == OP_TXN && n < op->out; n++) {
            const struct mop *mop = &history->mops[op->arg + n];
            use(uses->key, mop->key, i);
            use_items(uses, mop->kind == MOP_READ ? uses->read : uses->given, mop->value, i);
        }
        if (op->f == OP_TXN)
            continue;
        use(uses->key, op->key, i);
        if (gives(op->f) || op->f == OP_CAS)
            use_items(uses, uses->given, op->arg, i);
        if (op->outcome == OP_OK)
            use_items(uses, uses->read, op->out, i);
    }
}

static void tell_twins(struct lint *lint, const struct uses *uses, uint32_t value, uint32_t twin,
                       bool keys) {
    const struct history *history = uses->history;
    struct buf text = {0};
    bool is_text = value_at(&history->values, value)->kind == VALUE_TEXT;
    value_show(&history->values, value, &text);
    buf_printf(&text, keys ? " is a key as a %s (" : " was read as a %s (",
               is_text ? "text" : "number");
    uint32_t op = keys ? uses->key[value] : uses->read[value];
    history_place(history, history->ops[op].line, &text);
    buf_printf(&text, "), and ");
    value_show(&history->values, twin, &text);
    buf_printf(&text, keys ? " as a %s (" : " was written as a %s (", is_text ? "number" : "text");
    op = keys ? uses->key[twin] : uses->given[twin];
    history_place(history, history->ops[op].line, &text);
    lint_add(lint, LINT_WARNING, 0,
             "%.*s); they are two %s: with --numbers texts of digits are numbers", (int)text.len,
             (const char *)text.data, keys ? "keys" : "values");
    buf_free(&text);
}

static void find_twins(struct lint *lint, const struct history *history) {
    uint32_t *twin = twins_of(&history->values);
    if (twin == NULL)
        return;
    size_t count = history->values.count, size = count * sizeof(uint32_t);
    uint32_t *first = cairn_alloc(3 * size);
    struct uses uses = {history, first, first + count, first + 2 * count};
    memset(first, 0xff, 3 * size);
    gather_uses(&uses);
    bool values_told = false, keys_told = false;
    for (uint32_t id = 0; id < count; id++) {
        uint32_t other = twin[id];
        if (other == VALUE_NONE)
            continue;
        if (!values_told && uses.read[id] != OP_NONE && uses.given[id] == OP_NONE &&
            uses.given[other] != OP_NONE) {
            tell_twins(lint, &uses, id, other, false);
            values_told = true;
        }
        if (!keys_told && uses.key[id] != OP_NONE && uses.key[other] != OP_NONE) {
            tell_twins(lint, &uses, id, other, true);
            keys_told = true;
        }
    }
    cairn_free(first);
    cairn_free(twin);
}

/* ---- [key value] ---- */

static bool is_pair(const struct values *values, uint32_t id) {
    return id != VALUE_NONE && value_at(values, id)->kind == VALUE_LIST &&
           value_at(values, id)->len == 2;
}

/* Does this answer hold none of what was given as pairs? */
static bool answers_otherwise(const struct values *values, uint32_t answer) {
    if (answer == VALUE_NONE || answer == VALUE_NULL || is_pair(values, answer))
        return false;
    const struct value *value = value_at(values, answer);
    for (uint32_t i = 0; value->kind == VALUE_LIST && i < value->len; i++)
        if (is_pair(values, value_items(values, answer)[i]))
            return false;
    return value->kind != VALUE_LIST || value->len > 0;
}

/* Everything that is given has two parts, and answers have not: the first was meant as a key. */
static void find_pairs(struct lint *lint, const struct history *history) {
    const struct values *values = &history->values;
    uint32_t pairs = 0, other = OP_NONE;
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (op->f == OP_TXN || op->key != VALUE_NULL || (gives(op->f) && !is_pair(values, op->arg)))
            return;
        pairs += gives(op->f);
        if (op->f == OP_READ && op->outcome == OP_OK && other == OP_NONE &&
            answers_otherwise(values, op->out))
            other = i;
    }
    if (pairs == 0 || other == OP_NONE)
        return;
    struct buf place = {0};
    history_place(history, history->ops[other].line, &place);
    lint_add(lint, LINT_WARNING, 0,
             "what is written looks like [key value], and the read on %.*s answers without a key: "
             "with --keyed the first is taken as the key, in every value",
             (int)place.len, (const char *)place.data);
    buf_free(&place);
}

void lint_history(struct lint *lint, const struct history *history) {
    find_back(lint, history);
    find_silence(lint, history);
    find_nil(lint, history);
    find_twins(lint, history);
    find_pairs(lint, history);
    if (history->only_ends)
        lint_add(lint, LINT_NOTE, 0,
                 "no event invokes, so that when transactions began is not known: real time says "
                 "nothing here, and levels that need it are not defined");
}
