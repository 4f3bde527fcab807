/* Histories that do not tell all that was written. Both change the history in place, before it is
 * checked, verified or shown, so that all of these see the same operations.
 */
#ifndef CAIRN_CHECK_TXN_UNSEEN_H
#define CAIRN_CHECK_TXN_UNSEEN_H

#include "check/history.h"

/* For MODEL_LONG_FORK, where each key is written once and the writers may be unrecorded: adds, for
 * each value that was read and that nobody wrote, a write of unknown fate by a process of its own
 * (line 0). How many. */
uint32_t txn_unseen_add(struct history *history);
/* For files in which a read of what nobody wrote is no evidence (read/write registers of Elle):
 * such reads become unknown (VALUE_NONE). How many. */
uint32_t txn_unseen_forget(struct history *history);

#endif
