/* What an operation on a register writes, and what it was told: a compare-and-set that matched does
 * both. */
#ifndef CAIRN_CHECK_REGISTERS_H
#define CAIRN_CHECK_REGISTERS_H

#include "check/history.h"

/* VALUE_NONE: nothing. Of reads, writes and compare-and-sets only. */
static inline uint32_t register_writes(const struct history *history, const struct op *op) {
    if (op->outcome == OP_MISMATCH || (op->f != OP_WRITE && op->f != OP_CAS))
        return VALUE_NONE;
    return op->f == OP_CAS ? value_items(&history->values, op->arg)[1] : op->arg;
}

/* VALUE_NONE: it did not look, or nothing is known of what it saw. */
static inline uint32_t register_reads(const struct history *history, const struct op *op) {
    if (op->f == OP_CAS && op->outcome != OP_MISMATCH)
        return value_items(&history->values, op->arg)[0];
    return op->f == OP_READ && op->outcome == OP_OK ? op->out : VALUE_NONE;
}

#endif
