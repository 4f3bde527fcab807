/* The wall clock of a majority. A leader stamps entries with replicated wall time, which decides
 * what expires; its own clock may be a day ahead. So followers tell theirs with their answers, and
 * the leader goes by the latest time which a majority of the voters' clocks has reached: one that
 * is ahead, or behind, is outvoted. When voters are away, one that is behind may be needed for a
 * majority: one far behind the time that entries already have went back, and is left out, unless
 * a majority did, which is then right.
 */
#ifndef CAIRN_CORE_WALL_H
#define CAIRN_CORE_WALL_H

#include "core/config.h"

/* What a peer told of its wall clock. */
struct wall_reading {
    uint64_t ms; /* 0: it has not told */
    uint64_t at; /* our monotonic ns when its word arrived */
    bool silent; /* its version does not tell: it counts as agreeing with this replica */
};

typedef const struct wall_reading *wall_reading_of(const void *context, uint64_t id);

#define WALL_BEHIND_MS 10000u

/* time_ms: replicated time so far. own_ms when too few told theirs for a majority. */
uint64_t wall_of_majority(const struct config *config, uint64_t time_ms, uint64_t self,
                          uint64_t own_ms, uint64_t now, wall_reading_of *reading,
                          const void *context);

#endif
