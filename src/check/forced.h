/* Which of two operations that overlap in time comes first: in some linearization the one, in
 * others the other, or in every one the same? */
#ifndef CAIRN_CHECK_FORCED_H
#define CAIRN_CHECK_FORCED_H

#include "check/check.h"

enum forced {
    FORCED_FIRST,  /* `a` stands before `b` in every linearization */
    FORCED_SECOND, /* `b` before `a` */
    FORCED_FREE,   /* both occur */
    FORCED_NEVER,  /* there is no linearization with both */
    FORCED_UNDECIDED
};

/* The cost is one check for each moment at which both are under way. Of two that do not overlap,
 * real time tells. */
enum forced forced_pair(const struct history *history, const struct check_options *options,
                        uint32_t a, uint32_t b);

#endif
