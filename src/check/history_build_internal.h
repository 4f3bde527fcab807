/* Between history_build.c, which pairs events, and history_build_op.c, which says what they mean.
 */
#ifndef CAIRN_CHECK_HISTORY_BUILD_INTERNAL_H
#define CAIRN_CHECK_HISTORY_BUILD_INTERNAL_H

#include "check/history_build.h"

#define BUILD_SHOWN_MAX 80 /* bytes of a name in a finding */

enum event_type { TYPE_INVOKE, TYPE_OK, TYPE_FAIL, TYPE_INFO, TYPE_NONE };

/* "line", or "event" where those are counted. */
static inline const char *build_unit(const struct history_build *build) {
    return build->history->numbered ? "event" : "line";
}
/* What stands there as JSON, cut where it is long, ended by 0. */
void build_shown(const struct history_build *build, const struct data *data, uint32_t at,
                 struct buf *out);
/* Is this event a transaction? */
bool build_is_txn(const struct history_build *build, const struct data *data,
                  const struct event *event);
/* Missing, or nil. */
bool build_is_nil(const struct data *data, uint32_t at);
/* Makes the pending operation of this process. */
void build_begin(struct history_build *build, const struct data *data, const struct event *event,
                 uint32_t process);
void build_end(struct history_build *build, const struct data *data, const struct event *event,
               enum event_type type, uint32_t op);

#endif
