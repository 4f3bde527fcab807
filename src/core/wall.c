#include "core/wall.h"

#include <stddef.h>

#define NS_PER_MS 1000000u

struct walls {
    uint64_t self, own_ms, now;
    wall_reading_of *reading;
    const void *context;
};

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

uint64_t wall_of_majority(const struct config *config, uint64_t self, uint64_t own_ms, uint64_t now,
                          wall_reading_of *reading, const void *context) {
    const struct walls walls = {self, own_ms, now, reading, context};
    uint64_t reached = config != NULL ? quorum_reached(config, wall_of, &walls) : 0;
    return reached > 0 ? reached : own_ms;
}
