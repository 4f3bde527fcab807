/* A drain of an unordered queue is no single step: elements come out one by one while it runs, and
 * then nothing was left, while others may add and take, and drain too. So a history with drains is
 * judged, and its evidence verified, as one in which each drain is that many parts: one for each
 * element, in the order in which they came out, and one that found nothing (Jepsen's total-queue
 * counts them like that too). All parts have the drain's interval, and each stands behind the one
 * before. Of a drain whose end is not known, any number of elements may have come out.
 *
 * In an order of operations, a drain stands once for each of its parts.
 */
#ifndef CAIRN_CHECK_DRAINS_H
#define CAIRN_CHECK_DRAINS_H

#include "check/model.h"
#include "check/verdict.h"

struct drains {
    struct history whole; /* with parts for drains */
    uint32_t *of;         /* operation of the whole -> of the history */
    uint32_t *first;      /* operation of the history -> its first in the whole */
};

/* False: there is nothing to take apart, and nothing to be freed. */
bool drains_expand(struct drains *drains, const struct history *history, enum model model);
void drains_free(struct drains *drains);
/* Which part of its drain the operation of a whole is, from 0. */
uint32_t drains_part(const struct history *whole, uint32_t op);
/* A verdict on the whole becomes one on the history, and an order of the history one of the whole;
 * false: some operation stands in it too often. */
void drains_fold(const struct drains *drains, struct verdict *verdict);
bool drains_unfold(const struct drains *drains, const struct history *history,
                   const struct order *order, struct order *to);

#endif
