#include "core/stamp.h"

#include "base/assert.h"

#define NS_PER_MS 1000000u

static void rise_to(struct stamps *stamps, uint64_t time_ms) {
    if (time_ms * NS_PER_MS > stamps->time_ns)
        stamps->time_ns = time_ms * NS_PER_MS;
}

void stamps_restore(struct stamps *stamps, uint64_t order, uint64_t time_ms) {
    if (order > stamps->order)
        stamps->order = order;
    if (time_ms > stamps->entry_ms)
        stamps->entry_ms = time_ms;
    rise_to(stamps, time_ms);
    stamps->noted = false;
}

#define MILLION 1000000u

static uint64_t elapsed_ns(const struct stamps *stamps, uint64_t now) {
    return now > stamps->noted_at ? now - stamps->noted_at : 0;
}

/* The least and most that replicated time can be now, if this replica leads. */
static uint64_t low_ns(const struct stamps *stamps, uint64_t now) {
    uint64_t elapsed = elapsed_ns(stamps, now);
    return stamps->time_ns + elapsed - elapsed / 100 * STAMP_SLEW_PERCENT;
}

static uint64_t high_ns(const struct stamps *stamps, uint64_t now) {
    uint64_t elapsed = elapsed_ns(stamps, now);
    return stamps->time_ns + elapsed + elapsed / 100 * STAMP_SLEW_PERCENT;
}

/* And if another does: its clock may be as slow as this one is fast. */
static uint64_t least_ns(const struct stamps *stamps, uint64_t now) {
    uint64_t slow = MILLION - stamps->drift_ppm, fast = MILLION + stamps->drift_ppm;
    uint64_t elapsed = elapsed_ns(stamps, now);
    uint64_t there = elapsed / fast * slow + elapsed % fast * slow / fast;
    return stamps->time_ns + there - there / 100 * STAMP_SLEW_PERCENT;
}

/* What was on its way for long, or is sent again, tells a time that is over. */
static void come_to(struct stamps *stamps, uint64_t now) {
    if (stamps->noted)
        stamps->time_ns = least_ns(stamps, now);
    stamps->noted_at = now;
}

void stamps_note(struct stamps *stamps, uint64_t order, uint64_t time_ms, uint64_t now) {
    bool noted = stamps->noted;
    come_to(stamps, now);
    stamps_restore(stamps, order, time_ms);
    stamps->noted = noted;
}

static void hear(struct stamps *stamps, uint64_t term, uint64_t time_ms, uint64_t now) {
    come_to(stamps, now);
    if (term > stamps->term)
        stamps->time_ns = stamps->entry_ms * NS_PER_MS;
    stamps->term = term;
    rise_to(stamps, time_ms);
}

void stamps_hear(struct stamps *stamps, uint64_t term, uint64_t time_ms, uint64_t now) {
    if (time_ms > STAMP_TIME_MS_MAX)
        return;
    if (time_ms > 0)
        hear(stamps, term, time_ms, now);
    else if (!stamps->noted)
        stamps->noted_at = now;
    stamps->noted = stamps->time_ns > 0; /* else no time is known that this could lead on */
}

static uint64_t time_ns(const struct stamps *stamps, uint64_t now, uint64_t wall_ms) {
    if (wall_ms > STAMP_TIME_MS_MAX)
        wall_ms = STAMP_TIME_MS_MAX;
    uint64_t wall = wall_ms * NS_PER_MS;
    if (!stamps->noted)
        return wall > stamps->time_ns ? wall : stamps->time_ns;
    uint64_t low = low_ns(stamps, now), high = high_ns(stamps, now);
    return wall < low ? low : wall > high ? high : wall;
}

uint64_t stamps_last_ms(const struct stamps *stamps) {
    return stamps->time_ns / NS_PER_MS;
}

uint64_t stamps_time_ms(const struct stamps *stamps, uint64_t now, uint64_t wall_ms) {
    return time_ns(stamps, now, wall_ms) / NS_PER_MS;
}

uint64_t stamps_tell(struct stamps *stamps, uint64_t now, uint64_t wall_ms) {
    uint64_t time = time_ns(stamps, now, wall_ms);
    cairn_assert(time >= stamps->time_ns);
    stamps->time_ns = time;
    stamps->noted = true;
    stamps->noted_at = now;
    return time / NS_PER_MS;
}

void stamps_next(struct stamps *stamps, uint64_t now, uint64_t wall_ms, uint64_t *order,
                 uint64_t *time_ms) {
    *time_ms = stamps->entry_ms = stamps_tell(stamps, now, wall_ms);
    uint64_t wall = wall_ms > STAMP_TIME_MS_MAX ? STAMP_TIME_MS_MAX : wall_ms;
    uint64_t clock = wall << STAMP_ORDER_SHIFT;
    /* A wall clock in the far future would use the range up; from there on it only counts. */
    if (clock >= STAMP_ORDER_MAX / 2)
        clock = 0;
    stamps->order = stamps->order + 1 > clock ? stamps->order + 1 : clock;
    *order = stamps->order;
}
