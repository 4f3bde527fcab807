/* Answers from the future, for random histories: some reads, comparisons and removals are told what
 * is done only later, mostly by their own process. */
#ifndef CAIRN_TESTS_FORESEE_H
#define CAIRN_TESTS_FORESEE_H

#include "base/prng.h"
#include "check/model.h"

/* Operations stand in the order of their calls. */
void foresee(struct history *history, enum model model, struct prng *prng);

#endif
