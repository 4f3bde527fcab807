/* A part of a history that violates a level only if the whole does. Which operations may be left
 * out is for depend.h; here is what becomes of those that stay.
 *
 * Lists and sets: an element that is left out with the operations that put it there (or took it
 * away) is taken out of every read too. An order of the whole that replays is one of the part: take
 * those operations out of it, and each read has exactly the elements that are left. Elements that
 * no operation is known to have added stay where they are. The length that an append was answered
 * is forgotten when an append that may stand before it is left out.
 */
#ifndef CAIRN_CHECK_PART_H
#define CAIRN_CHECK_PART_H

#include "check/model.h"

/* As history_copy, with the reads of the operations that are kept told of the others no more.
 * real_time: what was called after an operation had returned does not stand before it. */
void history_part(struct history *part, const struct history *whole, const bool *keep,
                  enum model model, bool real_time);

#endif
