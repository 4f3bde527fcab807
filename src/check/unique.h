/* Identifiers that are never answered twice, for one key. The order of operations does not matter,
 * so that all levels are one: n log n. */
#ifndef CAIRN_CHECK_UNIQUE_H
#define CAIRN_CHECK_UNIQUE_H

#include "check/check.h"

/* The verdict is initialised by the caller. */
void unique_check(const struct history *history, const struct check_options *options,
                  struct verdict *verdict);

#endif
