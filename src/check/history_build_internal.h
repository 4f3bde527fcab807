/* Between history_build.c, which pairs events, and history_build_op.c, which says what they mean.
 */
#ifndef CAIRN_CHECK_HISTORY_BUILD_INTERNAL_H
#define CAIRN_CHECK_HISTORY_BUILD_INTERNAL_H

#include "check/history_build.h"

#define BUILD_SHOWN_MAX 80 /* bytes of a name in a finding */

enum event_type { TYPE_INVOKE, TYPE_OK, TYPE_FAIL, TYPE_INFO, TYPE_NONE };

/* Missing, or nil. */
bool build_is_nil(const struct data *data, uint32_t at);
/* Makes the pending operation of this process. */
void build_begin(struct history_build *build, const struct data *data, const struct event *event,
                 uint32_t process);
void build_end(struct history_build *build, const struct data *data, const struct event *event,
               enum event_type type, uint32_t op);

#endif
