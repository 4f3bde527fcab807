#include "sim/sim_focus.h"

#include "base/prng.h"
#include "sim/sim_cluster.h"

#include <string.h>

#define SALT 0x666f6375u
#define FIRST 1000000u /* seeds below go as they did before there was focus */
#define BIT(kind) (1ull << SIM_FAULT_##kind)

/* Faults that make each other worse. */
static const uint64_t families[] = {
    BIT(ISOLATE) | BIT(HALVES) | BIT(ONE_WAY) | BIT(RING) | BIT(BRIDGE) | BIT(FLAP) | BIT(STALL) |
        BIT(RESET) | BIT(SLOW_LINK) | BIT(CORRUPT),
    BIT(KILL) | BIT(KILL_POINT) | BIT(CRASH_LOOP) | BIT(POWER) | BIT(POWER_ALL) | BIT(STOP) |
        BIT(UPGRADE) | BIT(ISOLATE),
    BIT(DISK_SLOW) | BIT(DISK_SLOW_ALL) | BIT(DISK_HANG) | BIT(DISK_FULL) | BIT(WRITE_FAILS) |
        BIT(SYNC_FAILS) | BIT(SHORTAGE) | BIT(POWER) | BIT(POWER_ALL) | BIT(KILL),
    BIT(FLIP) | BIT(STALE) | BIT(UNREADABLE) | BIT(LOST_WRITE) | BIT(MISDIRECT) | BIT(WIPE) |
        BIT(LOSE_FILE) | BIT(WIPE_FOUNDER) | BIT(POWER) | BIT(KILL),
    BIT(WALL_JUMP) | BIT(CLOCK_RATE) | BIT(PAUSE) | BIT(STOP_INSIDE) | BIT(SLOW_LOOP) |
        BIT(ISOLATE) | BIT(ONE_WAY),
    BIT(MEMBER_ADD) | BIT(MEMBER_REMOVE) | BIT(MEMBER_ABSENT) | BIT(MEMBER_CANCEL) | BIT(TRANSFER) |
        BIT(WIPE) | BIT(KILL) | BIT(ISOLATE)};

static uint64_t draw_family(struct prng *prng) {
    uint64_t family = families[prng_below(prng, sizeof families / sizeof *families)], mask = 0;
    while (mask == 0)
        for (int kind = 0; kind < SIM_FAULT_DRAWN; kind++)
            if (family >> kind & 1 && prng_chance(prng, 1, 3))
                mask |= 1ull << kind;
    return mask;
}

void sim_focus_draw(struct sim_cluster *cluster) {
    struct sim_focus *focus = &cluster->focus;
    const struct sim_options *asked = &cluster->asked;
    struct prng prng;
    prng_seed(&prng, prng_mix(asked->seed, SALT));
    bool drawn = prng_chance(&prng, 1, 2) && asked->seed >= FIRST;
    if (asked->scenario != SIM_SWARM || asked->plan != NULL || asked->focus == SIM_FOCUS_NONE ||
        (!drawn && asked->focus != SIM_FOCUS_ALWAYS))
        return;
    focus->on = true;
    focus->nodes = prng_chance(&prng, 3, 4) ? 3 : 0;
    focus->fault_mask = prng_chance(&prng, 1, 4) ? draw_family(&prng) : 0;
    focus->fault_ns = prng_between(&prng, 1000, 5000) * SIM_MS;
    focus->pace_ns = prng_between(&prng, 20, 300) * SIM_MS;
    focus->length_ns = prng_between(&prng, 50, 1500) * SIM_MS;
}

void sim_focus_describe(const struct sim_cluster *cluster, FILE *out) {
    if (cluster->focus.on)
        fprintf(out, "  with focus: faults for %llu ms\n",
                (unsigned long long)(cluster->focus.fault_ns / SIM_MS));
}

bool sim_focus_find(const char *name, enum sim_focus_asked *focus) {
    static const char *const names[] = {"drawn", "none", "always"};
    for (int i = 0; i < 3; i++)
        if (strcmp(name, names[i]) == 0) {
            *focus = (enum sim_focus_asked)i;
            return true;
        }
    return false;
}
