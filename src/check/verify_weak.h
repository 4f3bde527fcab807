/* The orders of the weak levels, checked against their definitions; for verify.c alone. */
#ifndef CAIRN_CHECK_VERIFY_WEAK_H
#define CAIRN_CHECK_VERIFY_WEAK_H

#include "check/verify.h"

enum verify verify_weak_yes(const struct history *history, const struct verdict *verdict,
                            struct buf *why);

#endif
