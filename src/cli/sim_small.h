/* cairn sim --shrink: makes the failing seed hunt->first small (sim/sim_shrink.h) and prints the
 * rule that it breaks and the command that repeats it.
 */
#ifndef CAIRN_CLI_SIM_SMALL_H
#define CAIRN_CLI_SIM_SMALL_H

#include "sim/sim.h"

/* EXIT_NO: it fails; EXIT_FINE: it does not. */
int sim_small(const struct sim_hunt *hunt);

#endif
