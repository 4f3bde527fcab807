/* Objects that need no general search: lists, queues, stacks, priority queues and sets whose
 * elements are unique, and multi-registers. Of the containers, elements are looked at one by one,
 * and each step takes one away that can't be in the way of the others (decrease and conquer: Lee &
 * Mathur 2025; the patterns of violations: Bouajjani, Emmi, Enea, Hamza 2015); sets and
 * multi-registers become edges between operations (txn_solver.h, txn.h). All are tested against
 * exhaustive search.
 */
#ifndef CAIRN_CHECK_CONTAINERS_H
#define CAIRN_CHECK_CONTAINERS_H

#include "check/verdict.h"

/* ops: of one key, in the order of their calls, without FAIL. False: the method does not apply.
 * True: *holds is the answer, with the order (when wanted), or the operations that contradict each
 * other, in the verdict, whose answer stays as it was. */
bool queue_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 bool want_order, bool *holds, struct verdict *verdict);
/* Also false when a limit was met, which the limits then say. */
bool stack_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
                 struct limits *limits, bool want_order, bool *holds, struct verdict *verdict);

bool priority_check(const struct history *history, const uint32_t *ops, uint32_t count,
                    uint32_t key, bool want_order, bool *holds, struct verdict *verdict);
/* Lists whose elements are appended once. `lists` are tables for all keys of a history, made once.
 */
struct lists;
struct lists *lists_new(const struct history *history);
void lists_free(struct lists *lists);
bool list_check(struct lists *lists, const struct history *history, const uint32_t *ops,
                uint32_t count, uint32_t key, bool want_order, bool *holds,
                struct verdict *verdict);
bool bag_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
               bool want_order, bool *holds, struct verdict *verdict);
bool set_check(const struct history *history, const uint32_t *ops, uint32_t count, uint32_t key,
               struct limits *limits, bool want_order, bool *holds, struct verdict *verdict);
/* Multi-registers, all operations together: of YES and NO, the verdict is replaced, its edges are
 * those of transactions. */
bool multi_check(const struct history *history, const uint32_t *ops, uint32_t count,
                 struct limits *limits, bool want_order, bool *holds, struct verdict *verdict);

/* ---- elements: when each was put and taken ---- */

struct element {
    uint32_t value, put, take; /* operations; take OP_NONE: it stays; both the same: a removal that
                                * found nothing, which stands at one place like an element */
    int64_t put_call, put_ret; /* within which it was put, as far as is known */
    int64_t take_call, take_ret; /* INT64_MAX both: it stays */
};
struct elements {
    struct element *at;
    uint32_t count;
    uint32_t *blind; /* removals of which it is not known what they took, by their calls */
    uint32_t blind_count;
};
enum elements_fault { ELEMENTS_FINE, ELEMENTS_NOT_UNIQUE, ELEMENTS_CONTRADICT };
/* CONTRADICT: told in the verdict: something was taken that no operation put, or twice, or too
 * early. */
enum elements_fault elements_make(struct elements *elements, const struct history *history,
                                  const uint32_t *ops, uint32_t count, enum op_f put,
                                  enum op_f take, struct verdict *verdict);
void elements_free(struct elements *elements);

/* Gives each blind removal an element that stays, the most pressing first. until: by when its
 * removal has to have begun; INT64_MAX: it may stay. */
void blind_share(struct elements *elements, const struct history *history,
                 int64_t (*until)(const struct elements *elements, uint32_t element));
/* Gives the first blind removal to every element that stays: more than can be. */
void blind_spread(struct elements *elements, const struct history *history);

#endif
