#include "sim/sim_plan.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "sim/sim_cluster.h"

#define LOSS_LOOK_NS (50 * SIM_MS)
#define LOSS_STALL_NS (200 * SIM_MS)
#define RESETS_MAX 16

static const enum sim_fault counted_as[PLAN_FAULT_COUNT] = {
    [PLAN_KILL] = SIM_FAULT_KILL,
    [PLAN_POWER] = SIM_FAULT_POWER,
    [PLAN_PAUSE] = SIM_FAULT_PAUSE,
    [PLAN_RESTART] = SIM_FAULT_STOP,
    [PLAN_PARTITION] = SIM_FAULT_HALVES,
    [PLAN_ISOLATE] = SIM_FAULT_ISOLATE,
    [PLAN_ONE_WAY] = SIM_FAULT_ONE_WAY,
    [PLAN_BRIDGE] = SIM_FAULT_BRIDGE,
    [PLAN_HUB] = SIM_FAULT_BRIDGE,
    [PLAN_RING] = SIM_FAULT_RING,
    [PLAN_DELAY] = SIM_FAULT_SLOW_LINK,
    [PLAN_LOSS] = SIM_FAULT_STALL,
    [PLAN_RESET] = SIM_FAULT_RESET,
    [PLAN_CUT] = SIM_FAULT_RESET,
    [PLAN_DISK_FAIL] = SIM_FAULT_WRITE_FAILS,
    [PLAN_DISK_SHORT] = SIM_FAULT_WRITE_FAILS,
    [PLAN_DISK_SLOW] = SIM_FAULT_DISK_SLOW,
    [PLAN_DISK_HANG] = SIM_FAULT_DISK_HANG,
    [PLAN_DISK_FULL] = SIM_FAULT_DISK_FULL,
    [PLAN_CLOCK_OFFSET] = SIM_FAULT_WALL_JUMP,
    [PLAN_CLOCK_RATE] = SIM_FAULT_CLOCK_RATE,
};

/* One event under way. */
struct doing {
    bool on;
    uint32_t picked;
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    struct prng prng;
};

struct sim_plan {
    struct sim_cluster *cluster;
    struct plan plan; /* a copy: expanded for this seed */
    struct doing *doing;
    unsigned blocked[SIM_HOSTS_MAX + 1][SIM_HOSTS_MAX + 1]; /* by so many events */
    unsigned paused[SIM_NODES_MAX + 1];
    int64_t rates[SIM_NODES_MAX + 1]; /* as drawn */
};

/* ---- links ---- */

/* All machines that number n of a plan stands for: 0 is every machine with clients. */
static unsigned first_host(unsigned n) {
    return n > 0 ? n : SIM_NODES_MAX + 1;
}

static unsigned last_host(unsigned n) {
    return n > 0 ? n : SIM_NODES_MAX + SIM_CLIENT_HOSTS;
}

static void change_link(struct sim_plan *plan, const struct plan_fault *how, unsigned a, unsigned b,
                        bool on) {
    struct sim_net *net = &plan->cluster->net;
    struct sim_link *link = &net->links[a][b];
    uint64_t delay = how->delay_ms * SIM_MS, jitter = how->jitter_ms * SIM_MS;
    switch (how->kind) {
    case PLAN_DELAY:
        link->latency_ns += on ? delay : -delay;
        link->jitter_ns += on ? jitter : -jitter;
        return;
    case PLAN_RESET:
    case PLAN_CUT:
        for (int i = 0; on && i < RESETS_MAX && sim_net_reset_one(net, a, b); i++)
            ;
        return;
    case PLAN_LOSS:
        return;
    default:
        plan->blocked[a][b] += on ? 1u : -1u;
        sim_net_block(net, a, b, plan->blocked[a][b] > 0);
    }
}

static void change_links(struct sim_plan *plan, const struct plan_event *event,
                         const struct doing *doing, bool on) {
    for (unsigned a = 0; a <= PLAN_NODES_MAX; a++)
        for (unsigned b = 0; b <= PLAN_NODES_MAX; b++) {
            if (!doing->links[a][b])
                continue;
            for (unsigned from = first_host(a); from <= last_host(a); from++)
                for (unsigned to = first_host(b); to <= last_host(b); to++)
                    change_link(plan, event->fault, from, to, on);
        }
}

static void lose(void *target, uint64_t number) {
    struct sim_plan *plan = target;
    struct doing *doing = &plan->doing[number];
    struct sim_world *world = &plan->cluster->world;
    if (!doing->on || plan->cluster->healing)
        return;
    for (unsigned a = 1; a <= PLAN_NODES_MAX; a++)
        for (unsigned b = 1; b <= PLAN_NODES_MAX; b++)
            if (doing->links[a][b] &&
                prng_chance(&doing->prng, plan->plan.events[number].fault->percent, 100))
                sim_net_stall_one(&plan->cluster->net, a, b, LOSS_STALL_NS);
    sim_at(world, world->now + LOSS_LOOK_NS, lose, plan, number);
}

/* ---- nodes ---- */

/* One that is down when it is to stand still is left alone. */
static void pause(struct sim_plan *plan, struct sim_node *node, bool on) {
    unsigned *paused = &plan->paused[node->id];
    if (on && sim_node_is_up(node) && (*paused)++ == 0)
        sim_host_pause(&node->host, true);
    if (!on && *paused > 0 && --*paused == 0 && node->host.paused)
        sim_host_pause(&node->host, false);
}

static void change_process(struct sim_plan *plan, const struct plan_event *event,
                           struct sim_node *node, bool on) {
    enum plan_fault_kind kind = event->fault->kind;
    if (kind == PLAN_PAUSE) {
        pause(plan, node, on);
        return;
    }
    if (!on || !sim_node_is_up(node))
        return;
    if (kind == PLAN_RESTART)
        sim_node_stop(node);
    else
        sim_node_crash(node, kind == PLAN_POWER ? SIM_END_POWER : SIM_END_KILL, false,
                       event->for_ms * SIM_MS);
}

static int64_t within(int64_t ppm, int64_t bound) {
    return ppm > bound ? bound : ppm < -bound ? -bound : ppm;
}

static void change_machine(struct sim_plan *plan, const struct plan_event *event,
                           struct sim_node *node, bool on) {
    const struct plan_fault *how = event->fault;
    struct sim_host *host = &node->host;
    int64_t drift = plan->cluster->defaults.clock_drift_ppm, offset = how->offset_ms * 1000000;
    switch (how->kind) {
    case PLAN_DISK_FAIL:
        host->disk.fail_write_in = host->disk.fail_sync_in = on ? 0 : -1;
        break;
    case PLAN_DISK_SLOW:
        host->disk_factor = on ? 1 + how->delay_ms * SIM_MS / (host->profile.sync_ns + 1) : 1;
        break;
    case PLAN_DISK_HANG:
        host->disk_hung_until = on ? plan->cluster->world.now + event->for_ms * SIM_MS : 0;
        break;
    case PLAN_DISK_FULL:
        host->disk.space = on ? host->disk.used : UINT64_MAX;
        break;
    case PLAN_CLOCK_OFFSET:
        node->wall_jumped = true;
        host->wall_offset_ns += on ? offset : -offset;
        break;
    case PLAN_CLOCK_RATE:
        sim_host_rate(host, on ? within(how->rate_ppm, drift) : plan->rates[node->id]);
        break;
    default:
        break;
    }
}

/* ---- events ---- */

static void change(struct sim_plan *plan, uint64_t number, bool on) {
    const struct plan_event *event = &plan->plan.events[number];
    struct doing *doing = &plan->doing[number];
    enum plan_layer layer = plan_fault_layer(event->fault->kind);
    doing->on = on;
    if (layer == PLAN_NETWORK)
        change_links(plan, event, doing, on);
    for (unsigned id = 1; id <= plan->cluster->founders && layer != PLAN_NETWORK; id++) {
        if (!(doing->picked >> id & 1))
            continue;
        if (layer == PLAN_PROCESS)
            change_process(plan, event, &plan->cluster->nodes[id], on);
        else
            change_machine(plan, event, &plan->cluster->nodes[id], on);
    }
}

static void end(void *target, uint64_t number) {
    struct sim_plan *plan = target;
    if (plan->cluster->healing || !plan->doing[number].on)
        return;
    sim_log(&plan->cluster->world, "fault", "end of %s",
            plan_fault_name(plan->plan.events[number].fault->kind));
    change(plan, number, false);
}

static void begin(void *target, uint64_t number) {
    struct sim_plan *plan = target;
    struct sim_cluster *cluster = plan->cluster;
    const struct plan_event *event = &plan->plan.events[number];
    const struct plan_fault *how = event->fault;
    struct doing *doing = &plan->doing[number];
    const struct sim_node *leader = sim_cluster_leader(cluster, 0);
    unsigned leads = leader != NULL && leader->id <= cluster->founders ? leader->id : 0;
    if (cluster->healing)
        return;
    prng_seed(&doing->prng, event->seed);
    doing->picked = plan_pick(&how->nodes, cluster->founders, leads, 0, &doing->prng);
    uint32_t to = plan_pick(&how->to, cluster->founders, leads, doing->picked, &doing->prng);
    plan_links(how, doing->picked, to, cluster->founders, doing->links);
    sim_log(&cluster->world, "fault", "%s, nodes %x", plan_fault_name(how->kind), doing->picked);
    cluster->result->faults[counted_as[how->kind]]++;
    change(plan, number, true);
    if (how->kind == PLAN_LOSS)
        lose(plan, number);
    if (plan_fault_lasts(how->kind))
        sim_at(&cluster->world, cluster->world.now + event->for_ms * SIM_MS, end, plan, number);
    else
        doing->on = false;
}

void sim_plan_open(struct sim_cluster *cluster) {
    if (cluster->asked.plan == NULL)
        return;
    struct sim_plan *plan = cairn_alloc_zero(sizeof *plan);
    plan->cluster = cluster;
    plan->plan = *cluster->asked.plan;
    plan->plan.events = NULL;
    for (unsigned id = 1; id <= SIM_NODES_MAX; id++)
        plan->rates[id] = cluster->nodes[id].host.profile.rate_ppm;
    cluster->plan = plan;
}

void sim_plan_close(struct sim_cluster *cluster) {
    if (cluster->plan == NULL)
        return;
    plan_free(&cluster->plan->plan);
    cairn_free(cluster->plan->doing);
    cairn_free(cluster->plan);
}

void sim_plan_start(struct sim_cluster *cluster, uint64_t until) {
    struct sim_plan *plan = cluster->plan;
    uint64_t start = SIM_PLAN_START_MS * SIM_MS;
    if (plan == NULL || until <= start)
        return;
    plan_expand(&plan->plan, (until - start) / SIM_MS, cluster->asked.seed);
    plan->doing = cairn_alloc_zero(plan->plan.event_count * sizeof *plan->doing);
    for (uint32_t i = 0; i < plan->plan.event_count; i++)
        sim_at(&cluster->world, start + plan->plan.events[i].at_ms * SIM_MS, begin, plan, i);
}

void sim_plan_heal(struct sim_cluster *cluster) {
    struct sim_plan *plan = cluster->plan;
    for (uint32_t i = 0; plan != NULL && i < plan->plan.event_count; i++)
        if (plan->doing[i].on)
            change(plan, i, false);
}

bool sim_plan_jumps(const struct sim_cluster *cluster) {
    const struct sim_plan *plan = cluster->plan;
    for (uint32_t i = 0; plan != NULL && i < plan->plan.fault_count; i++)
        if (plan->plan.faults[i].kind == PLAN_CLOCK_OFFSET)
            return true;
    return false;
}
