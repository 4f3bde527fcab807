/* cairn sim --power: every seeded bug (or the one that the hunt names) is hunted from three
 * starting seeds, a million apart from hunt->first on, for at most hunt->cpu_ns_max each. Printed
 * for each: core-seconds until it was found (the median), from how many of the starts, and what
 * spoke; then the sum. A seed that fails without the bug too does not count.
 */
#ifndef CAIRN_CLI_SIM_POWER_H
#define CAIRN_CLI_SIM_POWER_H

#include "sim/sim.h"

/* EXIT_FINE: all were found; EXIT_NO: not all. */
int sim_power(const struct sim_hunt *hunt);

#endif
