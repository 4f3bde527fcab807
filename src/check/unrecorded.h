/* Histories that do not record every write.
 *
 * Elle's convention for registers: a read of a value that no operation is known to have written
 * says nothing, since what wrote it may not have been recorded. And in the long-fork test only
 * readers are recorded, often; each key is known to be written once.
 */
#ifndef CAIRN_CHECK_UNRECORDED_H
#define CAIRN_CHECK_UNRECORDED_H

#include "check/history.h"

/* A copy of a history of transactions on registers, in which reads of values that no operation
 * wrote have no answer. Returns how many there are; 0: `to` is not made. */
uint32_t unrecorded_ignore(struct history *to, const struct history *from);
/* The same, but each of these values is given a writer: an open transaction behind the recorded
 * ones, of a process of its own. */
uint32_t unrecorded_invent(struct history *to, const struct history *from);

#endif
