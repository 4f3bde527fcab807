/* What the machine allows: three processes that make the hops and disk writes of a replicated SET
 * without any protocol. The yardstick for one client's latency.
 */
#ifndef CAIRN_CLI_BENCH_FLOOR_H
#define CAIRN_CLI_BENCH_FLOOR_H

#include <stdbool.h>
#include <stdint.h>

int bench_floor(const char *dir, uint64_t bytes, uint64_t seconds, bool json);

#endif
