/* What the answer to each operation of each model means, as data: the one table from which it is
 * known which operations a model has, which answers are compared, and which are refused because
 * nothing would compare them. docs/histories.md prints it; test_answers.c walks over all of it.
 *
 * No answer is dropped silently: a history in which an operation was answered something that the
 * model does not compare does not fit the model (model_fits). What says no more than "done" is no
 * answer: null, true where the answer is not a truth, "ok", and a repetition of the argument, as
 * histories of Jepsen have it.
 */
#ifndef CAIRN_CHECK_ANSWERS_H
#define CAIRN_CHECK_ANSWERS_H

#include "check/model.h"

/* X(constant, what an answer that is compared looks like) */
#define TELLS_LIST(X)                                               \
    X(NOTHING, "nothing but that it is done")                       \
    X(VALUE, "a value")                                             \
    X(ELEMENTS, "a list of elements")                               \
    X(NUMBER, "a number")                                           \
    X(LENGTH_OR_LIST, "a number, or a list of elements")            \
    X(TRUTH, "true or false, or 1 or 0")                            \
    X(BALANCES, "a map of accounts to balances, or a list of them") \
    X(READS, "its operations, with what was read")
enum tells {
#define X(name, text) TELLS_##name,
    TELLS_LIST(X)
#undef X
};

/* Does the model have the operation? */
bool answers_has(enum model model, enum op_f f);
enum tells answers_of(enum model model, enum op_f f);
/* What its answer says, in a few words, as docs/histories.md has them. */
const char *answers_text(enum model model, enum op_f f);

/* The answer as far as the model compares it; VALUE_NONE: nothing is known, or it said "done". Not
 * of transactions. */
uint32_t answers_told(enum model model, const struct history *history, const struct op *op);
/* 1: true, or the number 1; 0: false, or 0; -1: neither, or VALUE_NONE. */
int answers_truth(const struct values *values, uint32_t answer);
/* The operation changes nothing whatever the state, and nothing is known of what it was told: it
 * may stand anywhere in an order, or be left out of it. */
bool answers_idle(enum model model, const struct history *history, const struct op *op);
/* Was it answered something that the model does not compare? */
bool answers_ignored(enum model model, const struct history *history, const struct op *op);

#endif
