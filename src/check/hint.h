/* A violation that may be none: the initial value was assumed, and something was read that no
 * operation can have put there. Whether another initial value explains everything is tried, never
 * guessed.
 */
#ifndef CAIRN_CHECK_HINT_H
#define CAIRN_CHECK_HINT_H

#include "check/check.h"

/* After a NO on a history whose initial values were not told (history.initial_told). True: `out`
 * has a sentence that names the initial values and says whether the level holds with them. The
 * level is checked once or twice more, for `try_ns` at most (of limits->now_ns) and within the
 * limits of the options, which are not changed. */
bool hint_initial(const struct history *history, const struct check_options *options,
                  const struct verdict *verdict, uint64_t try_ns, struct buf *out);

#endif
