/* What Prometheus' own clients tell of a process, and the space beside its data. */
#ifndef CAIRN_CLI_PROCESS_METRICS_H
#define CAIRN_CLI_PROCESS_METRICS_H

#include "base/metrics.h"

/* What the system does not tell is left out. */
void process_metrics(const char *folder, struct metrics *metrics);

/* Most file descriptors that may be open; 0: not known. */
uint64_t process_descriptors_max(void);

#endif
