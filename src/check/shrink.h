/* Makes a violation small: the fewest operations that still violate the level, as far as dropping
 * one after the other finds them (1-minimal, not minimum).
 *
 * What is dropped takes with it whatever was told of it (depend.h), so that what is left violates
 * the level only because the whole does. "1-minimal" means: no operation can be dropped together
 * with those that need it.
 */
#ifndef CAIRN_CHECK_SHRINK_H
#define CAIRN_CHECK_SHRINK_H

#include "check/check.h"

struct shrink_result {
    bool *keep; /* of each operation; the caller frees */
    uint32_t kept;
    uint32_t tries; /* checks made */
    bool minimal;   /* false: a limit stopped it on the way */
};

/* verdict: NO at options->level. It is made again from what is left: its operations are those, with
 * the numbers of `history`, and `minimal` says whether it is 1-minimal. */
void shrink_violation(const struct history *history, const struct check_options *options,
                      struct verdict *verdict, struct shrink_result *result);

#endif
