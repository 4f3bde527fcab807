#include "core/wall.h"

#include <stddef.h>

#define NS_PER_MS 1000000u

struct walls {
    uint64_t self, own_ms, now, time_ms;
    wall_reading_of *reading;
    const void *context;
};

/* 0: it has not told. */
static uint64_t wall_of(const void *context, uint64_t id) {
    const struct walls *walls = context;
    if (id == walls->self)
        return walls->own_ms;
    const struct wall_reading *reading = walls->reading(walls->context, id);
    if (reading == NULL)
        return 0;
    if (reading->ms == 0)
        return reading->silent ? walls->own_ms : 0;
    uint64_t elapsed = walls->now > reading->at ? walls->now - reading->at : 0;
    return reading->ms + elapsed / NS_PER_MS;
}

static bool went_back(const struct walls *walls, uint64_t ms) {
    return ms > 0 && ms + WALL_BEHIND_MS < walls->time_ms;
}

static uint64_t is_back(const void *context, uint64_t id) {
    return went_back(context, wall_of(context, id)) ? 2 : 1;
}

static uint64_t least_but_back(const struct walls *walls, const struct config *config) {
    uint64_t least = UINT64_MAX;
    for (uint32_t i = 0; i < config->count; i++) {
        uint64_t ms = wall_of(walls, config->members[i].id);
        if (config_is_voter(config, config->members[i].id) && ms > 0 && ms < least &&
            !went_back(walls, ms))
            least = ms;
    }
    return least < UINT64_MAX ? least : walls->own_ms;
}

uint64_t wall_of_majority(const struct config *config, uint64_t time_ms, uint64_t self,
                          uint64_t own_ms, uint64_t now, wall_reading_of *reading,
                          const void *context) {
    const struct walls walls = {self, own_ms, now, time_ms, reading, context};
    uint64_t reached = config != NULL ? quorum_reached(config, wall_of, &walls) : 0;
    if (reached == 0)
        return own_ms;
    if (!went_back(&walls, reached) || quorum_votes(config, is_back, &walls) == QUORUM_WON)
        return reached;
    return least_but_back(&walls, config);
}
