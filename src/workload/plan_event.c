/* From a plan to what happens: times, nodes, links. */
#include "workload/plan.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <stdlib.h>

static int by_time(const void *left, const void *right) {
    const struct plan_event *a = left, *b = right;
    if (a->at_ms != b->at_ms)
        return a->at_ms < b->at_ms ? -1 : 1;
    return a->seed < b->seed ? -1 : a->seed > b->seed;
}

static void add_event(struct plan *plan, const struct plan_fault *fault, uint64_t at_ms,
                      uint64_t seed) {
    uint32_t count = plan->event_count;
    if ((count & (count - 1)) == 0)
        plan->events = cairn_realloc(plan->events, (count ? 2 * count : 1) * sizeof *plan->events);
    plan->events[plan->event_count++] =
        (struct plan_event){.fault = fault, .at_ms = at_ms, .for_ms = fault->for_ms, .seed = seed};
}

void plan_expand(struct plan *plan, uint64_t time_ms, uint64_t seed) {
    cairn_free(plan->events);
    plan->events = NULL;
    plan->event_count = 0;
    for (uint32_t i = 0; i < plan->fault_count; i++) {
        const struct plan_fault *fault = &plan->faults[i];
        uint64_t until = fault->until_ms && fault->until_ms < time_ms ? fault->until_ms : time_ms;
        uint64_t own = prng_mix(seed, bytes_hash(bytes_cstr(fault->name), 0)), number = 0;
        for (uint64_t at = fault->at_ms; at < until && plan->event_count < PLAN_EVENTS_MAX;
             at += fault->every_ms) {
            uint64_t event_seed = prng_mix(own, ++number);
            uint64_t later = fault->spread_ms ? event_seed % fault->spread_ms : 0;
            if (at + later < until)
                add_event(plan, fault, at + later, event_seed);
            if (fault->every_ms == 0)
                break;
        }
    }
    if (plan->event_count > 1)
        qsort(plan->events, plan->event_count, sizeof *plan->events, by_time);
}

/* ---- which nodes ---- */

static uint32_t all_nodes(unsigned nodes) {
    return ((1u << nodes) - 1) << 1;
}

static uint32_t some_of(uint32_t from, unsigned count, struct prng *prng) {
    uint32_t picked = 0;
    for (; count > 0 && from != 0; count--) {
        uint64_t skip = prng_below(prng, (uint64_t)__builtin_popcount(from));
        uint32_t left = from;
        for (; skip > 0; skip--)
            left &= left - 1;
        picked |= left & -left;
        from &= ~(left & -left);
    }
    return picked;
}

uint32_t plan_pick(const struct plan_choice *choice, unsigned nodes, unsigned leader,
                   uint32_t picked, struct prng *prng) {
    cairn_assert(nodes >= 1 && nodes <= PLAN_NODES_MAX && leader <= nodes);
    uint32_t all = all_nodes(nodes), minority = (nodes - 1) / 2;
    uint32_t leads = leader ? 1u << leader : some_of(all, 1, prng);
    if (minority == 0)
        minority = 1;
    switch (choice->who) {
    case PLAN_WHO_LEADER:
        return leads;
    case PLAN_WHO_FOLLOWER:
        return nodes > 1 ? some_of(all & ~leads, 1, prng) : leads;
    case PLAN_WHO_FOLLOWERS:
        return all & ~leads;
    case PLAN_WHO_MINORITY:
        return some_of(all, 1 + (unsigned)prng_below(prng, minority), prng);
    case PLAN_WHO_MAJORITY:
        return some_of(all, nodes / 2 + 1, prng);
    case PLAN_WHO_ALL:
        return all;
    case PLAN_WHO_OTHERS: /* all nodes: every link between two of them */
        return (all & ~picked) ? all & ~picked : all;
    case PLAN_WHO_CLIENTS:
        return 1;
    case PLAN_WHO_NUMBERS:
        return choice->numbers & all;
    default:
        return some_of(all, 1, prng);
    }
}

/* ---- which links ---- */

static bool in(uint32_t set, unsigned node) {
    return set >> node & 1;
}

static bool in_ring(unsigned a, unsigned b, unsigned nodes) {
    unsigned apart = a > b ? a - b : b - a;
    return nodes > 3 ? apart == 1 || apart == nodes - 1 : apart == 1;
}

/* The two sides of a bridge: those before and those behind it, going round. */
static bool bridged(unsigned a, unsigned b, uint32_t picked, unsigned nodes) {
    unsigned bridge = (unsigned)__builtin_ctz(picked | 1u << nodes);
    if (a == bridge || b == bridge)
        return true;
    unsigned half = (nodes - 1) / 2;
    return ((a + nodes - bridge) % nodes <= half) == ((b + nodes - bridge) % nodes <= half);
}

static bool is_hub(unsigned a, uint32_t picked, unsigned nodes) {
    return a == (unsigned)__builtin_ctz(picked | 1u << nodes);
}

static bool is_hit(const struct plan_fault *fault, uint32_t picked, uint32_t to, unsigned nodes,
                   unsigned a, unsigned b) {
    bool with_clients = a == 0 || b == 0;
    if (with_clients && !fault->clients && !in(to, 0))
        return false;
    switch (fault->kind) {
    case PLAN_RING:
        return !with_clients && !in_ring(a, b, nodes);
    case PLAN_HUB:
        return !with_clients && !is_hub(a, picked, nodes) && !is_hub(b, picked, nodes);
    case PLAN_BRIDGE:
        return !with_clients && !bridged(a, b, picked, nodes);
    case PLAN_ISOLATE:
        return in(picked, a) || in(picked, b);
    default:
        break;
    }
    if (with_clients)
        to |= 1;
    bool out = in(picked, a) && in(to, b), back = in(to, a) && in(picked, b);
    enum plan_direction direction = fault->direction;
    if (fault->kind == PLAN_ONE_WAY && direction == PLAN_BOTH)
        direction = PLAN_OUT;
    return (out && direction != PLAN_IN) || (back && direction != PLAN_OUT);
}

void plan_links(const struct plan_fault *fault, uint32_t picked, uint32_t to, unsigned nodes,
                bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1]) {
    cairn_assert(nodes <= PLAN_NODES_MAX);
    for (unsigned a = 0; a <= PLAN_NODES_MAX; a++)
        for (unsigned b = 0; b <= PLAN_NODES_MAX; b++)
            links[a][b] =
                a != b && a <= nodes && b <= nodes && is_hit(fault, picked, to, nodes, a, b);
}
