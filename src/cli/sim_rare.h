/* How often the runs of a hunt took rare branches (base/rare.h). */
#ifndef CAIRN_CLI_SIM_RARE_H
#define CAIRN_CLI_SIM_RARE_H

#include "base/rare.h"

/* One line a point, then those that were never taken. */
void sim_rare_print(const uint64_t *hits);

#endif
