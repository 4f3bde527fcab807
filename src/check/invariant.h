/* What simple tests of one object ask of every read: counter-bounds, bank-total, set-complete. */
#ifndef CAIRN_CHECK_INVARIANT_H
#define CAIRN_CHECK_INVARIANT_H

#include "check/check.h"

void invariant_check(const struct history *history, const struct check_options *options,
                     struct verdict *verdict);

#endif
