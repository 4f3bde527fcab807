/* Verdicts as files (JSON), so that another program, and `cairn verify`, can check them again.
 * Operations are named by their numbers: 0 is the one whose call comes first in the history.
 */
#ifndef CAIRN_CHECK_PROOF_H
#define CAIRN_CHECK_PROOF_H

#include "check/verdict.h"

/* All of the evidence. */
void proof_write(const struct history *history, const struct verdict *verdict, struct buf *out);
/* Without the orders. */
void proof_summary(const struct history *history, const struct verdict *verdict, struct buf *out);
/* The reverse of proof_write; false: `why` says what is wrong with it. Numbers of operations are
 * checked. Keys are interned into the history. */
bool proof_read(struct history *history, struct bytes text, struct verdict *verdict,
                struct buf *why);

#endif
