/* The plan of faults: which kinds a run has, when they strike, and when each is over. */
#include "sim/sim_cluster.h"
#include "sim/sim_plan.h"

#include "base/alloc.h"

#include <string.h>

#define YEAR_NS (365ull * 24 * 3600 * SIM_S)

static const struct {
    const char *name, *text;
} faults_told[] = {
#define X(constant, name, text) {name, text},
    SIM_FAULT_LIST(X)
#undef X
};

const char *sim_fault_name(enum sim_fault fault) {
    return faults_told[fault].name;
}

const char *sim_fault_text(enum sim_fault fault) {
    return faults_told[fault].text;
}

struct sim_faults {
    struct sim_cluster *cluster;
    uint64_t mask;
    uint64_t pace_ns;   /* between two, about */
    uint64_t length_ns; /* of one that lasts, at most */
    uint64_t until;
    unsigned removes; /* members asked out so far */
    unsigned removes_max;
    struct list undos;
    uint64_t turn_ns[SIM_NODES_MAX + 1]; /* as drawn */
};

/* Something that ends a fault later. */
struct undo {
    struct list list;
    struct sim_faults *faults;
    void (*run)(struct sim_faults *faults, unsigned a, unsigned b, uint64_t value);
    unsigned a, b;
    uint64_t value;
};

/* The time for faults is over. */
static bool is_over(const struct sim_faults *faults) {
    const struct sim_cluster *cluster = faults->cluster;
    return cluster->healing || cluster->world.now >= faults->until + cluster->apart.leapt_ns;
}

static struct sim_world *world_of(const struct sim_faults *faults) {
    return &faults->cluster->world;
}

static void undo_due(void *target, uint64_t number) {
    struct undo *undo = target;
    list_remove(&undo->list);
    if (!undo->faults->cluster->healing)
        undo->run(undo->faults, undo->a, undo->b, undo->value);
    cairn_free(undo);
}

static void later(struct sim_faults *faults, uint64_t ns,
                  void (*run)(struct sim_faults *, unsigned, unsigned, uint64_t), unsigned a,
                  unsigned b, uint64_t value) {
    struct undo *undo = cairn_alloc(sizeof *undo);
    *undo = (struct undo){.faults = faults, .run = run, .a = a, .b = b, .value = value};
    list_push(&faults->undos, &undo->list);
    sim_at(world_of(faults), world_of(faults)->now + ns, undo_due, undo, 0);
}

static uint64_t draw_length(struct sim_faults *faults) {
    return sim_spread(world_of(faults), 5 * SIM_MS, faults->length_ns);
}

/* ---- which nodes ---- */

/* A node that runs, or NULL. The leader is struck more often than its share. */
static struct sim_node *pick_up(struct sim_faults *faults) {
    struct sim_cluster *cluster = faults->cluster;
    struct sim_node *found = NULL;
    uint64_t seen = 0;
    if (sim_chance(world_of(faults), 1, 3))
        found = sim_cluster_leader(cluster, 0);
    if (found != NULL)
        return found;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (sim_node_is_up(&cluster->nodes[id]) && sim_below(world_of(faults), ++seen) == 0)
            found = &cluster->nodes[id];
    return found;
}

/* Whose data may be harmed: the others know the disk, so that a new one in its place is noticed. */
static struct sim_node *pick_fragile(struct sim_faults *faults) {
    struct sim_node *found = NULL;
    uint64_t seen = 0;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        struct sim_node *node = &faults->cluster->nodes[id];
        if (sim_node_is_up(node) && node->fragile && sim_node_may_be_wiped(node) &&
            sim_below(world_of(faults), ++seen) == 0)
            found = node;
    }
    return found;
}

/* ---- network ---- */

static void cut(struct sim_faults *faults, unsigned a, unsigned b) {
    sim_net_block(&faults->cluster->net, a, b, true);
    sim_net_block(&faults->cluster->net, b, a, true);
}

static void undo_cuts(struct sim_faults *faults, unsigned a, unsigned b, uint64_t value) {
    sim_log(world_of(faults), "world", "the network is whole again");
    sim_net_heal(&faults->cluster->net);
}

static void isolate(struct sim_faults *faults, unsigned id, bool from_clients) {
    unsigned last = from_clients ? SIM_NODES_MAX + SIM_CLIENT_HOSTS : SIM_NODES_MAX;
    for (unsigned other = 1; other <= last; other++)
        if (other != id)
            cut(faults, id, other);
}

static bool strike_isolate(struct sim_faults *faults) {
    const struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    isolate(faults, node->id, sim_chance(world_of(faults), 1, 2));
    later(faults, draw_length(faults), undo_cuts, 0, 0, 0);
    return true;
}

static bool strike_halves(struct sim_faults *faults) {
    bool side[SIM_HOSTS_MAX + 1];
    unsigned last = SIM_NODES_MAX + SIM_CLIENT_HOSTS;
    for (unsigned id = 1; id <= last; id++)
        side[id] = sim_chance(world_of(faults), 1, 2);
    for (unsigned a = 1; a <= last; a++)
        for (unsigned b = a + 1; b <= last; b++)
            if (side[a] != side[b])
                cut(faults, a, b);
    later(faults, draw_length(faults), undo_cuts, 0, 0, 0);
    return true;
}

static bool strike_one_way(struct sim_faults *faults) {
    const struct sim_node *node = pick_up(faults);
    bool out = sim_chance(world_of(faults), 1, 2);
    bool one = sim_chance(world_of(faults), 1, 3);
    if (node == NULL)
        return false;
    unsigned only = 1 + (unsigned)sim_below(world_of(faults), SIM_NODES_MAX);
    for (unsigned other = 1; other <= SIM_NODES_MAX; other++)
        if (other != node->id && (!one || other == only))
            sim_net_block(&faults->cluster->net, out ? node->id : other, out ? other : node->id,
                          true);
    later(faults, draw_length(faults), undo_cuts, 0, 0, 0);
    return true;
}

static bool strike_ring(struct sim_faults *faults) {
    unsigned count = faults->cluster->founders, reach = count / 4 > 1 ? count / 4 : 1;
    for (unsigned a = 1; a <= count; a++)
        for (unsigned b = a + 1; b <= count; b++) {
            unsigned apart = b - a < count - (b - a) ? b - a : count - (b - a);
            if (apart > reach || (count == 3 && a == 1 && b == 3))
                cut(faults, a, b);
        }
    later(faults, draw_length(faults), undo_cuts, 0, 0, 0);
    return true;
}

static bool strike_bridge(struct sim_faults *faults) {
    unsigned count = faults->cluster->founders;
    unsigned bridge = 1 + (unsigned)sim_below(world_of(faults), count);
    for (unsigned a = 1; a <= count; a++)
        for (unsigned b = a + 1; b <= count; b++)
            if (a != bridge && b != bridge && (a + bridge) % 2 != (b + bridge) % 2)
                cut(faults, a, b);
    later(faults, draw_length(faults), undo_cuts, 0, 0, 0);
    return true;
}

static void flap_on(struct sim_faults *faults, unsigned id, unsigned left, uint64_t period) {
    if (left % 2 == 0)
        isolate(faults, id, false);
    else
        sim_net_heal(&faults->cluster->net);
    if (left > 0)
        later(faults, period, flap_on, id, left - 1, period);
    else
        sim_net_heal(&faults->cluster->net);
}

static bool strike_flap(struct sim_faults *faults) {
    const struct sim_node *node = pick_up(faults);
    uint64_t election = faults->cluster->defaults.election_timeout_min_ns;
    if (node == NULL)
        return false;
    flap_on(faults, node->id, 2 * (unsigned)sim_between(world_of(faults), 2, 8),
            sim_between(world_of(faults), election / 2, election * 2));
    return true;
}

static bool strike_stall(struct sim_faults *faults) {
    return sim_net_stall_one(&faults->cluster->net, 0, 0,
                             sim_spread(world_of(faults), 5 * SIM_MS, 5 * SIM_S));
}

static bool strike_reset(struct sim_faults *faults) {
    return sim_net_reset_one(&faults->cluster->net, 0, 0);
}

static void undo_slow_link(struct sim_faults *faults, unsigned a, unsigned b, uint64_t value) {
    faults->cluster->net.links[a][b].latency_ns = value;
}

static bool strike_slow_link(struct sim_faults *faults) {
    unsigned a = 1 + (unsigned)sim_below(world_of(faults), faults->cluster->founders);
    unsigned b = 1 + (unsigned)sim_below(world_of(faults), faults->cluster->founders);
    struct sim_link *link = &faults->cluster->net.links[a][b];
    if (a == b || link->latency_ns > 50 * SIM_MS)
        return false;
    later(faults, draw_length(faults), undo_slow_link, a, b, link->latency_ns);
    link->latency_ns *= 100;
    return true;
}

static void undo_corrupt(struct sim_faults *faults, unsigned a, unsigned b, uint64_t value) {
    faults->cluster->net.corrupt_chance = 0;
}

static bool strike_corrupt(struct sim_faults *faults) {
    faults->cluster->net.corrupt_chance = sim_spread(world_of(faults), 10, 3000);
    later(faults, draw_length(faults), undo_corrupt, 0, 0, 0);
    return true;
}

/* ---- processes ---- */

static uint64_t draw_restart(struct sim_faults *faults) {
    return sim_spread(world_of(faults), 10 * SIM_MS, 3 * SIM_S);
}

static bool end_one(struct sim_faults *faults, enum sim_end_kind kind) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    sim_node_crash(node, kind, kind == SIM_END_POWER && sim_chance(world_of(faults), 1, 2),
                   draw_restart(faults));
    return true;
}

static bool strike_kill(struct sim_faults *faults) {
    return end_one(faults, SIM_END_KILL);
}

static bool strike_power(struct sim_faults *faults) {
    return end_one(faults, SIM_END_POWER);
}

static bool strike_power_all(struct sim_faults *faults) {
    uint64_t restart = draw_restart(faults);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (sim_node_may_end(&faults->cluster->nodes[id]))
            sim_node_crash(&faults->cluster->nodes[id], SIM_END_POWER, true,
                           restart + sim_below(world_of(faults), 300 * SIM_MS));
    return true;
}

static bool strike_kill_point(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    node->host.kill_in_calls = sim_spread(world_of(faults), 1, 400);
    return true;
}

static bool strike_crash_loop(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    node->crash_loop = sim_between(world_of(faults), 1, 4);
    sim_node_crash(node, SIM_END_POWER, false, sim_spread(world_of(faults), SIM_MS, 200 * SIM_MS));
    return true;
}

static void undo_pause(struct sim_faults *faults, unsigned id, unsigned b, uint64_t value) {
    struct sim_host *host = &faults->cluster->nodes[id].host;
    sim_log(world_of(faults), host->name, "goes on");
    sim_host_pause(host, false);
}

static bool strike_pause(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    sim_host_pause(&node->host, true);
    later(faults, draw_length(faults), undo_pause, node->id, 0, 0);
    return true;
}

static bool strike_stop_inside(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->host.stall_after = sim_spread(world_of(faults), 1, 60);
    node->host.stall_length = draw_length(faults);
    return true;
}

static void undo_slow_loop(struct sim_faults *faults, unsigned id, unsigned b, uint64_t value) {
    faults->cluster->nodes[id].host.profile.turn_ns = faults->turn_ns[id];
}

static bool strike_slow_loop(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->host.profile.turn_ns = sim_spread(world_of(faults), 200 * SIM_US, 20 * SIM_MS);
    later(faults, draw_length(faults), undo_slow_loop, node->id, 0, 0);
    return true;
}

static bool strike_stop(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    sim_node_stop(node);
    return true;
}

static bool strike_upgrade(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node) || node->wire_version == WIRE_VERSION_MAX)
        return false;
    node->wire_version++;
    sim_node_stop(node);
    return true;
}

/* ---- disks ---- */

static void undo_disk(struct sim_faults *faults, unsigned id, unsigned b, uint64_t value) {
    faults->cluster->nodes[id].host.disk_factor = 1;
    faults->cluster->nodes[id].host.disk.space = UINT64_MAX;
}

static bool strike_disk_slow(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->host.disk_factor = sim_between(world_of(faults), 10, 100);
    later(faults, draw_length(faults), undo_disk, node->id, 0, 0);
    return true;
}

static bool strike_disk_slow_all(struct sim_faults *faults) {
    uint64_t length = draw_length(faults);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++) {
        faults->cluster->nodes[id].host.disk_factor = 10;
        later(faults, length, undo_disk, id, 0, 0);
    }
    return true;
}

static bool strike_disk_hang(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->host.disk_hung_until = world_of(faults)->now + draw_length(faults);
    return true;
}

static void fill_disk(struct sim_faults *faults, struct sim_node *node, uint64_t length) {
    node->host.disk.space = node->host.disk.used + sim_below(world_of(faults), 100000);
    later(faults, length, undo_disk, node->id, 0, 0);
}

/* One, or all of them. */
static bool strike_disk_full(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    uint64_t length = draw_length(faults);
    bool all = sim_chance(world_of(faults), 1, 3);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (all || id == node->id)
            fill_disk(faults, &faults->cluster->nodes[id], length);
    return true;
}

static void undo_shortage(struct sim_faults *faults, unsigned id, unsigned b, uint64_t value) {
    faults->cluster->nodes[id].host.disk.exhausted = false;
}

/* A process that starts meanwhile has descriptors of its own. */
static bool strike_shortage(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->host.disk.exhausted = true;
    later(faults, draw_length(faults), undo_shortage, node->id, 0, 0);
    return true;
}

static bool strike_write_fails(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    node->host.disk.fail_write_in = (int64_t)sim_below(world_of(faults), 20);
    return true;
}

static bool strike_sync_fails(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    node->host.disk.fail_sync_in = (int64_t)sim_below(world_of(faults), 5);
    return true;
}

static bool damage_one(struct sim_faults *faults, enum sim_damage kind) {
    static const char *const parts[] = {".seg", ".seg", ".seg", "hard", "snap", ""};
    struct sim_node *node = pick_fragile(faults);
    const char *part = parts[sim_below(world_of(faults), sizeof parts / sizeof *parts)];
    return node != NULL && sim_disk_damage(&node->host.disk, part, kind);
}

static bool strike_flip(struct sim_faults *faults) {
    return damage_one(faults, SIM_DAMAGE_FLIP);
}

static bool strike_stale(struct sim_faults *faults) {
    return damage_one(faults,
                      sim_chance(world_of(faults), 1, 2) ? SIM_DAMAGE_STALE : SIM_DAMAGE_ZERO);
}

static bool strike_unreadable(struct sim_faults *faults) {
    return damage_one(faults, SIM_DAMAGE_UNREAD);
}

#define GUARD_WRITES 4u

static void guard(struct sim_node *node) {
    node->guard_writes = node->host.disk.log_writes + GUARD_WRITES;
    node->host.kill_in_calls = 0;
    node->host.disk.fail_write_in = node->host.disk.fail_sync_in = -1;
}

static bool strike_lost_write(struct sim_faults *faults) {
    struct sim_node *node = pick_fragile(faults);
    if (node == NULL || node->life == SIM_STOPPING)
        return false;
    node->host.disk.lose_next = true;
    guard(node);
    return true;
}

static bool strike_misdirect(struct sim_faults *faults) {
    struct sim_node *node = pick_fragile(faults);
    if (node == NULL)
        return false;
    node->host.disk.misdirect_next = true;
    guard(node);
    return true;
}

static bool strike_wipe(struct sim_faults *faults) {
    struct sim_node *node = pick_fragile(faults);
    if (node == NULL)
        return false;
    sim_node_crash(node, SIM_END_POWER, false, draw_restart(faults));
    sim_node_wipe(node);
    node->guard_writes = 0;
    return true;
}

/* ---- clocks ---- */

/* What a replica promised is in these. A whole log is one with its hard states and its control
 * page; one of them alone proves the others' absence. */
static bool strike_lose_file(struct sim_faults *faults) {
    static const char *const parts[] = {"/log.hard", "/log/", "/snapshots/"};
    struct sim_node *node = pick_fragile(faults);
    if (node == NULL || !sim_node_may_end(node))
        return false;
    sim_node_crash(node, SIM_END_POWER, false, draw_restart(faults));
    const char *part = parts[sim_below(world_of(faults), sizeof parts / sizeof *parts)];
    return sim_disk_lose(&node->host.disk, part);
}

static bool strike_wall_jump(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    if (node == NULL)
        return false;
    node->wall_jumped = true;
    int64_t jump = (int64_t)sim_spread(world_of(faults), SIM_MS, YEAR_NS);
    node->host.wall_offset_ns = sim_chance(world_of(faults), 1, 2) ? jump : -jump;
    return true;
}

static bool strike_clock_rate(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    int64_t drift = faults->cluster->defaults.clock_drift_ppm;
    if (node == NULL || drift == 0)
        return false;
    sim_host_rate(&node->host, sim_chance(world_of(faults), 1, 2) ? drift : -drift);
    return true;
}

/* ---- the operator ---- */

static bool strike_member_add(struct sim_faults *faults) {
    return sim_operator_adds(faults->cluster);
}

static bool strike_member_absent(struct sim_faults *faults) {
    return sim_operator_adds_absent(faults->cluster);
}

static bool strike_member_cancel(struct sim_faults *faults) {
    return sim_operator_cancels(faults->cluster);
}

static bool strike_member_remove(struct sim_faults *faults) {
    return faults->removes < faults->removes_max && ++faults->removes &&
           sim_operator_removes(faults->cluster);
}

static bool strike_transfer(struct sim_faults *faults) {
    return sim_operator_transfers(faults->cluster);
}

static bool strike_forge_term(struct sim_faults *faults) {
    struct sim_node *node = pick_up(faults);
    return node != NULL && !node->host.paused && sim_forge_term(node);
}

/* ---- the plan ---- */

static bool (*const strikes[])(struct sim_faults *faults) = {
    [SIM_FAULT_ISOLATE] = strike_isolate,
    [SIM_FAULT_HALVES] = strike_halves,
    [SIM_FAULT_ONE_WAY] = strike_one_way,
    [SIM_FAULT_RING] = strike_ring,
    [SIM_FAULT_BRIDGE] = strike_bridge,
    [SIM_FAULT_FLAP] = strike_flap,
    [SIM_FAULT_STALL] = strike_stall,
    [SIM_FAULT_RESET] = strike_reset,
    [SIM_FAULT_SLOW_LINK] = strike_slow_link,
    [SIM_FAULT_CORRUPT] = strike_corrupt,
    [SIM_FAULT_KILL] = strike_kill,
    [SIM_FAULT_POWER] = strike_power,
    [SIM_FAULT_POWER_ALL] = strike_power_all,
    [SIM_FAULT_KILL_POINT] = strike_kill_point,
    [SIM_FAULT_CRASH_LOOP] = strike_crash_loop,
    [SIM_FAULT_PAUSE] = strike_pause,
    [SIM_FAULT_STOP_INSIDE] = strike_stop_inside,
    [SIM_FAULT_SLOW_LOOP] = strike_slow_loop,
    [SIM_FAULT_DISK_SLOW] = strike_disk_slow,
    [SIM_FAULT_DISK_SLOW_ALL] = strike_disk_slow_all,
    [SIM_FAULT_DISK_HANG] = strike_disk_hang,
    [SIM_FAULT_DISK_FULL] = strike_disk_full,
    [SIM_FAULT_WRITE_FAILS] = strike_write_fails,
    [SIM_FAULT_SYNC_FAILS] = strike_sync_fails,
    [SIM_FAULT_FLIP] = strike_flip,
    [SIM_FAULT_STALE] = strike_stale,
    [SIM_FAULT_UNREADABLE] = strike_unreadable,
    [SIM_FAULT_LOST_WRITE] = strike_lost_write,
    [SIM_FAULT_MISDIRECT] = strike_misdirect,
    [SIM_FAULT_WIPE] = strike_wipe,
    [SIM_FAULT_LOSE_FILE] = strike_lose_file,
    [SIM_FAULT_WALL_JUMP] = strike_wall_jump,
    [SIM_FAULT_CLOCK_RATE] = strike_clock_rate,
    [SIM_FAULT_UPGRADE] = strike_upgrade,
    [SIM_FAULT_MEMBER_ADD] = strike_member_add,
    [SIM_FAULT_MEMBER_REMOVE] = strike_member_remove,
    [SIM_FAULT_MEMBER_ABSENT] = strike_member_absent,
    [SIM_FAULT_MEMBER_CANCEL] = strike_member_cancel,
    [SIM_FAULT_TRANSFER] = strike_transfer,
    [SIM_FAULT_STOP] = strike_stop,
    [SIM_FAULT_SHORTAGE] = strike_shortage,
    [SIM_FAULT_WIPE_FOUNDER] = strike_wipe,
    [SIM_FAULT_FORGE_TERM] = strike_forge_term,
};

static void strike_kind(struct sim_faults *faults, enum sim_fault kind) {
    struct sim_world *world = world_of(faults);
    sim_log(world, "fault", "%s", sim_fault_name(kind));
    bool struck =
        kind < SIM_FAULT_APART ? strikes[kind](faults) : sim_apart_strike(faults->cluster, kind);
    sim_note(world, SIM_FAULT, 0, (uint64_t)kind << 1 | struck);
    faults->cluster->result->faults[kind] += struck;
    if (!struck)
        sim_log(world, "fault", "(nothing to do it to)");
}

void sim_faults_strike(struct sim_cluster *cluster, enum sim_fault kind) {
    strike_kind(cluster->faults, kind);
}

static void strike(void *target, uint64_t number) {
    struct sim_faults *faults = target;
    struct sim_world *world = world_of(faults);
    if (is_over(faults))
        return;
    uint64_t kind = sim_below(world, SIM_FAULT_DRAWN);
    for (int i = 0; i < 1000 && !(faults->mask >> kind & 1); i++)
        kind = sim_below(world, SIM_FAULT_DRAWN);
    if (faults->mask >> kind & 1)
        strike_kind(faults, (enum sim_fault)kind);
    sim_at(world, world->now + sim_between(world, faults->pace_ns / 4, faults->pace_ns * 2), strike,
           faults, 0);
}

/* At a pace of its own: the other faults strike as they do without it. */
static void forge(void *target, uint64_t number) {
    struct sim_faults *faults = target;
    struct sim_world *world = world_of(faults);
    if (is_over(faults))
        return;
    strike_kind(faults, SIM_FAULT_FORGE_TERM);
    sim_at(world, world->now + sim_spread(world, 10 * SIM_MS, 2 * SIM_S), forge, faults, 0);
}

#define FOUNDING_NS (2 * SIM_S) /* the first votes, and the entry that binds folders */

static void look_at_founders(void *target, uint64_t number) {
    struct sim_faults *faults = target;
    struct sim_world *world = world_of(faults);
    if (sim_founding_is_open(faults->cluster) && sim_chance(world, 1, 4))
        strike_kind(faults, SIM_FAULT_WIPE_FOUNDER);
    uint64_t next = world->now + sim_spread(world, 100 * SIM_US, 10 * SIM_MS);
    if (next < FOUNDING_NS && !faults->cluster->healing)
        sim_at(world, next, look_at_founders, faults, 0);
}

/* A few kinds, or one in ten of them, or nearly all. */
static uint64_t draw_mask(struct sim_world *world) {
    uint64_t mask = 0;
    if (sim_chance(world, 1, 3)) {
        for (uint64_t left = sim_between(world, 1, 4); left > 0; left--)
            mask |= 1ull << sim_below(world, SIM_FAULT_DRAWN);
        return mask;
    }
    uint64_t chance = sim_between(world, 1, 8);
    for (int kind = 0; kind < SIM_FAULT_DRAWN; kind++)
        if (sim_chance(world, chance, 16))
            mask |= 1ull << kind;
    return mask;
}

#define MEMBER_FAULTS (1ull << SIM_FAULT_MEMBER_ADD | 1ull << SIM_FAULT_MEMBER_REMOVE)

static void draw_fragile(struct sim_faults *faults) {
    struct sim_cluster *cluster = faults->cluster;
    struct sim_world *world = &cluster->world;
    unsigned most = (cluster->founders - 1) / 2;
    bool members = faults->mask & MEMBER_FAULTS;
    unsigned count = members ? (most > 0 && sim_chance(world, 1, 2)) : most;
    unsigned first = (unsigned)sim_below(world, cluster->founders);
    for (unsigned i = 0; i < count; i++)
        cluster->nodes[1 + (first + i) % cluster->founders].fragile = true;
    if (sim_foreign_is_fragile(cluster))
        count = 1;
    unsigned least = count > 0 ? 3 : 1; /* a majority of what stays never loses data */
    faults->removes_max = cluster->founders > least ? cluster->founders - least : 0;
}

void sim_faults_open(struct sim_cluster *cluster) {
    struct sim_faults *faults = cairn_alloc_zero(sizeof *faults);
    struct sim_world *world = &cluster->world;
    faults->cluster = cluster;
    list_init(&faults->undos);
    cluster->faults = faults;
    uint64_t drawn = draw_mask(world);
    if (cluster->focus.fault_mask != 0)
        drawn = cluster->focus.fault_mask;
    drawn |= cluster->apart.mask;
    if (sim_forges(cluster))
        drawn |= 1ull << SIM_FAULT_FORGE_TERM;
    faults->mask = cluster->asked.fault_mask ? cluster->asked.fault_mask : drawn;
    if (cluster->asked.scenario != SIM_SWARM || cluster->asked.plan != NULL)
        faults->mask = 0;
    faults->pace_ns = sim_spread(world, 50 * SIM_MS, 2 * SIM_S);
    faults->length_ns = sim_spread(world, 100 * SIM_MS, 8 * SIM_S);
    if (cluster->focus.on) {
        faults->pace_ns = cluster->focus.pace_ns;
        faults->length_ns = cluster->focus.length_ns;
    }
    draw_fragile(faults);
    sim_founding_draw(cluster, faults->mask);
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        faults->turn_ns[id] = cluster->nodes[id].host.profile.turn_ns;
    sim_plan_open(cluster);
}

void sim_faults_close(struct sim_cluster *cluster) {
    struct sim_faults *faults = cluster->faults;
    sim_plan_close(cluster);
    while (!list_empty(&faults->undos)) {
        struct undo *undo = container_of(list_first(&faults->undos), struct undo, list);
        list_remove(&undo->list);
        cairn_free(undo);
    }
    cairn_free(faults);
}

/* Every replica's log is damaged in the same moment, each at a place of its own. */
static void damage_all(void *target, uint64_t number) {
    struct sim_faults *faults = target;
    struct sim_cluster *cluster = faults->cluster;
    for (unsigned id = 1; id <= cluster->founders; id++) {
        struct sim_node *node = &cluster->nodes[id];
        sim_node_crash(node, SIM_END_KILL, true, 500 * SIM_MS);
        for (int i = 0; i < 2 && !node->host.runs; i++)
            cluster->result->faults[SIM_FAULT_FLIP] +=
                sim_disk_damage(&node->host.disk, ".seg", SIM_DAMAGE_FLIP);
    }
}

void sim_faults_start(struct sim_cluster *cluster, uint64_t until) {
    struct sim_faults *faults = cluster->faults;
    struct sim_world *world = &cluster->world;
    faults->until = until;
    sim_plan_start(cluster, until);
    if (cluster->asked.scenario == SIM_ALL_DAMAGED) {
        cluster->damage_allowed_everywhere = true;
        sim_at(world, until / 2, damage_all, faults, 0);
    }
    sim_apart_start(cluster, until);
    if (faults->mask >> SIM_FAULT_WIPE_FOUNDER & 1)
        look_at_founders(faults, 0);
    if (faults->mask >> SIM_FAULT_FORGE_TERM & 1)
        sim_at(world, world->now + SIM_S, forge, faults, 0);
    if ((faults->mask & ((1ull << SIM_FAULT_DRAWN) - 1)) != 0)
        sim_at(world, world->now + sim_below(world, SIM_S), strike, faults, 0);
}

static void heal_node(struct sim_faults *faults, struct sim_node *node) {
    struct sim_host *host = &node->host;
    struct sim_world *world = world_of(faults);
    host->disk_factor = 1;
    host->disk_hung_until = 0;
    host->disk.space = UINT64_MAX;
    host->disk.exhausted = false;
    host->disk.fail_write_in = host->disk.fail_sync_in = -1;
    host->disk.misdirect_next = host->disk.lose_next = false;
    host->kill_in_calls = host->stall_after = 0;
    host->profile.turn_ns = faults->turn_ns[node->id];
    node->crash_loop = 0;
    if (host->paused)
        sim_host_pause(host, false);
    if (node->life == SIM_DOWN)
        sim_node_plan_start(node, world->now + sim_below(world, 100 * SIM_MS));
}

void sim_faults_heal(struct sim_cluster *cluster) {
    struct sim_faults *faults = cluster->faults;
    sim_log(&cluster->world, "world", "all is healed");
    sim_plan_heal(cluster);
    sim_apart_heal(cluster);
    sim_net_heal(&cluster->net);
    cluster->net.corrupt_chance = cluster->net.reset_chance = 0;
    LIST_EACH(at, &faults->undos) {
        struct undo *undo = container_of(at, struct undo, list);
        if (undo->run == undo_slow_link)
            undo->run(faults, undo->a, undo->b, undo->value);
    }
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        heal_node(faults, &cluster->nodes[id]);
}

bool sim_faults_jump(const struct sim_cluster *cluster) {
    return (cluster->faults->mask >> SIM_FAULT_WALL_JUMP & 1) || sim_plan_jumps(cluster) ||
           sim_apart_has(cluster, SIM_FAULT_CLOCK_OFF) || sim_apart_has(cluster, SIM_FAULT_LEAP);
}

void sim_faults_describe(const struct sim_cluster *cluster, FILE *out) {
    fprintf(out, "  a fault every %llu ms or so, of:",
            (unsigned long long)(cluster->faults->pace_ns / SIM_MS));
    for (int kind = 0; kind < SIM_FAULT_COUNT; kind++)
        if (cluster->faults->mask >> kind & 1)
            fprintf(out, " %s", sim_fault_name((enum sim_fault)kind));
    fprintf(out, "\n  machines that may lose data:");
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        if (cluster->nodes[id].fragile)
            fprintf(out, " n%u", id);
    fputc('\n', out);
    sim_apart_describe(cluster, out);
}
