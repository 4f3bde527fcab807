#include "check/answers.h"

#include "base/assert.h"

struct answers_row {
    enum tells tells;
    const char *text; /* NULL: the model has no such operation */
};

#define DONE "nothing"
#define ELEMENT "the element; null: it was empty"
#define LENGTH "how many elements are in it then"
#define SUM "the sum"
#define ACQUIRED "true: it was acquired (also without an answer); false: it was held"
#define TRIED "true: it was acquired; false: it was held; without an answer: either"
#define RELEASED "true: it was released (also without an answer); false: it was free"
#define RELEASED_OWN \
    "true: it was released (also without an answer); false: another held it, or nothing did"
#define TRANSACTION "what was read, in its place"

/* X(model, operation, what is compared, what it says) */
#define ANSWER_LIST(X)                                                                        \
    X(REGISTER, READ, VALUE, "the value")                                                     \
    X(REGISTER, WRITE, NOTHING, DONE)                                                         \
    X(CAS_REGISTER, READ, VALUE, "the value")                                                 \
    X(CAS_REGISTER, WRITE, NOTHING, DONE)                                                     \
    X(CAS_REGISTER, CAS, TRUTH, "true: it matched (also without an answer); false: no match") \
    X(KV, READ, VALUE, "the value")                                                           \
    X(KV, WRITE, NOTHING, DONE)                                                               \
    X(KV, CAS, TRUTH, "true: it matched (also without an answer); false: no match")           \
    X(KV, APPEND, NUMBER, "how many bytes the text has then")                                 \
    X(KV, SWAP, VALUE, "the old value")                                                       \
    X(KV, DELETE, TRUTH, "true: there was a value")                                           \
    X(KV, SET_IF_ABSENT, TRUTH, "true: there was none")                                       \
    X(KV, ADD, NUMBER, SUM)                                                                   \
    X(MULTI_REGISTER, TXN, READS, TRANSACTION)                                                \
    X(APPEND, APPEND, LENGTH_OR_LIST, LENGTH ", or all of them")                              \
    X(APPEND, READ, ELEMENTS, "all elements, in their order")                                 \
    X(COUNTER, ADD, NUMBER, SUM)                                                              \
    X(COUNTER, READ, NUMBER, SUM)                                                             \
    X(SET, ADD, TRUTH, "true: it was new")                                                    \
    X(SET, REMOVE, TRUTH, "true: it was there")                                               \
    X(SET, CONTAINS, TRUTH, "true: it is there")                                              \
    X(SET, READ, ELEMENTS, "all elements")                                                    \
    X(QUEUE, ENQUEUE, NUMBER, LENGTH)                                                         \
    X(QUEUE, DEQUEUE, VALUE, ELEMENT)                                                         \
    X(QUEUE, DRAIN, ELEMENTS, "all elements, in their order")                                 \
    X(QUEUE, PEEK, VALUE, ELEMENT)                                                            \
    X(UNORDERED_QUEUE, ENQUEUE, NUMBER, LENGTH)                                               \
    X(UNORDERED_QUEUE, DEQUEUE, VALUE, ELEMENT)                                               \
    X(UNORDERED_QUEUE, DRAIN, ELEMENTS, "what came out one by one, until it was empty")       \
    X(UNORDERED_QUEUE, PEEK, VALUE, "one of the elements; null: it was empty")                \
    X(STACK, PUSH, NUMBER, LENGTH)                                                            \
    X(STACK, POP, VALUE, ELEMENT)                                                             \
    X(STACK, PEEK, VALUE, ELEMENT)                                                            \
    X(PRIORITY_QUEUE, INSERT, NOTHING, DONE)                                                  \
    X(PRIORITY_QUEUE, DELETE_MIN, VALUE, ELEMENT)                                             \
    X(PRIORITY_QUEUE, DELETE_MAX, VALUE, ELEMENT)                                             \
    X(PRIORITY_QUEUE, PEEK, VALUE, "the least element; null: it was empty")                   \
    X(MUTEX, ACQUIRE, TRUTH, ACQUIRED)                                                        \
    X(MUTEX, TRY_ACQUIRE, TRUTH, TRIED)                                                       \
    X(MUTEX, RELEASE, TRUTH, RELEASED)                                                        \
    X(OWNED_MUTEX, ACQUIRE, TRUTH, ACQUIRED)                                                  \
    X(OWNED_MUTEX, TRY_ACQUIRE, TRUTH, TRIED)                                                 \
    X(OWNED_MUTEX, RELEASE, TRUTH, RELEASED_OWN)                                              \
    X(REENTRANT_MUTEX, ACQUIRE, TRUTH,                                                        \
      "true: it was acquired (also without an answer); "                                      \
      "false: another held it")                                                               \
    X(REENTRANT_MUTEX, TRY_ACQUIRE, TRUTH,                                                    \
      "true: it was acquired; false: another held it; "                                       \
      "without an answer: either")                                                            \
    X(REENTRANT_MUTEX, RELEASE, TRUTH, RELEASED_OWN)                                          \
    X(FENCED_MUTEX, ACQUIRE, NUMBER, "a token, above all before; false: it was held")         \
    X(FENCED_MUTEX, TRY_ACQUIRE, NUMBER,                                                      \
      "a token, above all before; true: it was acquired; "                                    \
      "false: it was held; without an answer: either")                                        \
    X(FENCED_MUTEX, RELEASE, TRUTH, RELEASED_OWN)                                             \
    X(SEMAPHORE, ACQUIRE, TRUTH,                                                              \
      "true: so many were free (also without an answer); "                                    \
      "false: they were not")                                                                 \
    X(SEMAPHORE, TRY_ACQUIRE, TRUTH,                                                          \
      "true: so many were free; false: they were not; "                                       \
      "without an answer: either")                                                            \
    X(SEMAPHORE, RELEASE, TRUTH,                                                              \
      "true: so many were held (also without an answer); "                                    \
      "false: they were not")                                                                 \
    X(BANK, TRANSFER, TRUTH,                                                                  \
      "true: it was done (also without an answer); "                                          \
      "false: nothing was moved")                                                             \
    X(BANK, READ, BALANCES, "all balances")                                                   \
    X(BANK_NONNEGATIVE, TRANSFER, TRUTH,                                                      \
      "true: it was done (also without an answer); "                                          \
      "false: a balance would have come below zero")                                          \
    X(BANK_NONNEGATIVE, READ, BALANCES, "all balances")                                       \
    X(UNIQUE_IDS, GENERATE, VALUE, "a value that no other was answered")                      \
    X(TXN_RW, TXN, READS, TRANSACTION)                                                        \
    X(LONG_FORK, TXN, READS, TRANSACTION)                                                     \
    X(TXN_APPEND, TXN, READS, TRANSACTION)

static const struct answers_row rows[MODEL_COUNT][OP_F_COUNT] = {
#define X(model, f, tells, text) [MODEL_##model][OP_##f] = {TELLS_##tells, text},
    ANSWER_LIST(X)
#undef X
};

static const struct answers_row *row_of(enum model model, enum op_f f) {
    cairn_assert(model < MODEL_COUNT && f < OP_F_COUNT);
    return &rows[model][f];
}

bool answers_has(enum model model, enum op_f f) {
    return row_of(model, f)->text != NULL;
}

enum tells answers_of(enum model model, enum op_f f) {
    return row_of(model, f)->tells;
}

const char *answers_text(enum model model, enum op_f f) {
    cairn_assert(answers_has(model, f));
    return row_of(model, f)->text;
}

int answers_truth(const struct values *values, uint32_t answer) {
    if (answer == VALUE_NONE)
        return -1;
    const struct value *value = value_at(values, answer);
    bool truth = value->kind == VALUE_BOOL ||
                 (value->kind == VALUE_INT && (value->integer == 0 || value->integer == 1));
    return truth ? (int)value->integer : -1;
}

static bool is_false(const struct values *values, uint32_t answer) {
    return value_at(values, answer)->kind == VALUE_BOOL && value_at(values, answer)->integer == 0;
}

/* Is the answer of the kind that is compared? */
static bool is_compared(enum model model, enum op_f f, const struct values *values,
                        uint32_t answer) {
    enum value_kind kind = value_at(values, answer)->kind;
    switch (answers_of(model, f)) {
    case TELLS_VALUE:
        return model != MODEL_UNIQUE_IDS || kind != VALUE_NIL;
    case TELLS_ELEMENTS:
        return kind == VALUE_LIST || kind == VALUE_NIL;
    case TELLS_NUMBER: /* of a lock, false says that there is no token */
        return kind == VALUE_INT || (model == MODEL_COUNTER && f == OP_READ && kind == VALUE_NIL) ||
               (model == MODEL_FENCED_MUTEX && kind == VALUE_BOOL &&
                (f == OP_TRY_ACQUIRE || is_false(values, answer)));
    case TELLS_LENGTH_OR_LIST:
        return kind == VALUE_INT || kind == VALUE_LIST;
    case TELLS_TRUTH:
        return answers_truth(values, answer) >= 0;
    case TELLS_BALANCES:
        return kind == VALUE_LIST || kind == VALUE_MAP;
    default:
        return false;
    }
}

uint32_t answers_told(enum model model, const struct history *history, const struct op *op) {
    if (op->outcome != OP_OK || op->out == VALUE_NONE ||
        !is_compared(model, op->f, &history->values, op->out))
        return VALUE_NONE;
    return op->out;
}

bool answers_idle(enum model model, const struct history *history, const struct op *op) {
    bool observes =
        op->f == OP_READ || op->f == OP_CONTAINS || op->f == OP_PEEK || op->f == OP_GENERATE;
    return observes && answers_told(model, history, op) == VALUE_NONE;
}

static bool says_done(const struct values *values, const struct op *op) {
    const struct value *answer = value_at(values, op->out);
    if (answer->kind == VALUE_TEXT) {
        struct bytes text = value_bytes(values, op->out);
        if (bytes_equal(text, BYTES("ok")) || bytes_equal(text, BYTES("OK")))
            return true;
    }
    return answer->kind == VALUE_NIL || op->out == op->arg ||
           (answer->kind == VALUE_BOOL && answer->integer != 0);
}

bool answers_ignored(enum model model, const struct history *history, const struct op *op) {
    if (op->f == OP_TXN || op->outcome != OP_OK || op->out == VALUE_NONE)
        return false;
    return !is_compared(model, op->f, &history->values, op->out) &&
           !says_done(&history->values, op);
}
