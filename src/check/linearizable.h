/* Linearizability of a history: key by key where the model is keyed (it is a local property,
 * Herlihy & Wing 1990), each by the fastest method that applies. */
#ifndef CAIRN_CHECK_LINEARIZABLE_H
#define CAIRN_CHECK_LINEARIZABLE_H

#include "check/check.h"

void linearizable_check(const struct history *history, const struct check_options *options,
                        struct verdict *verdict);

#endif
