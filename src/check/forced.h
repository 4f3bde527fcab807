/* Which of two operations comes first: in some linearization the one, in others the other, or in
 * every one the same? */
#ifndef CAIRN_CHECK_FORCED_H
#define CAIRN_CHECK_FORCED_H

#include "check/check.h"

/* Of linearizations in which both occur. An open operation occurs in some, and not in others. */
enum forced {
    FORCED_FIRST,  /* `a` stands before `b` in all of them */
    FORCED_SECOND, /* `b` before `a` */
    FORCED_FREE,   /* there are both kinds */
    FORCED_NEVER,  /* there is none */
    FORCED_UNDECIDED
};

/* Of two different operations that did not fail. The cost is one check for each moment at which
 * both are under way, or one check when they do not overlap. */
enum forced forced_pair(const struct history *history, const struct check_options *options,
                        uint32_t a, uint32_t b);
/* "first", "second", "free", "never", "undecided" */
const char *forced_name(enum forced forced);

#endif
