/* What clients did to registers, as a history that the judge takes (check/check.h). */
#ifndef CAIRN_SIM_HISTORY_H
#define CAIRN_SIM_HISTORY_H

#include "check/history.h"
#include "workload/workload.h"

/* ops: by rising invocation; those that do not act on registers are left out. */
void sim_history_make(struct history *history, const struct workload_op *const *ops, size_t count);

#endif
