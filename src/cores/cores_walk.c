/* The random walk, and what all schedulers draw from. */
#include "cores/cores_schedule.h"

#include <string.h>

/* Moves from CALM on come with others, never by themselves. */
#define WEIGHTED CORES_CALM
#define ISOLATE WEIGHTED    /* all ways to and from a node are cut */
#define HEAL (WEIGHTED + 1) /* and joined again, nodes started, connections told */

/* How often each kind comes before a run leaves some out and makes others frequent. */
static const uint16_t usual[WEIGHTED + 2] = {
    [CORES_DELIVER] = 400, [CORES_DROP] = 12,   [CORES_COPY] = 8,     [CORES_TICK] = 70,
    [CORES_DISK] = 160,    [CORES_CRASH] = 5,   [CORES_START] = 24,   [CORES_PROPOSE] = 50,
    [CORES_READ] = 30,     [CORES_CUT] = 4,     [CORES_JOIN] = 4,     [CORES_PART] = 4,
    [CORES_MEET] = 6,      [CORES_COMPACT] = 6, [CORES_TRANSFER] = 3, [CORES_AWAIT] = 6,
    [CORES_MEMBERS] = 3,   [CORES_FORGET] = 6,  [CORES_FULL] = 4,     [CORES_ROOM] = 8,
    [ISOLATE] = 5,         [HEAL] = 10,
};

static bool always(unsigned kind) {
    return kind == CORES_DELIVER || kind == CORES_TICK || kind == CORES_DISK ||
           kind == CORES_PROPOSE || kind == CORES_START || kind == HEAL;
}

/* Few kinds of fault, and hard: half of them are left out, a quarter is frequent. */
static void draw_weights(struct cores_schedule *schedule) {
    schedule->weight_sum = 0;
    for (unsigned kind = 0; kind < WEIGHTED + 2; kind++) {
        uint32_t weight = usual[kind];
        uint64_t luck = prng_below(&schedule->prng, 8);
        if (!always(kind) && luck < 4)
            weight = 0;
        else if (luck >= 6)
            weight *= 1 + (uint32_t)prng_below(&schedule->prng, 6);
        if ((kind == CORES_MEMBERS && !schedule->members) ||
            (kind == CORES_FORGET && schedule->world->setup.victim == 0))
            weight = 0;
        schedule->weights[kind] = weight;
        schedule->weight_sum += weight;
    }
}

void cores_schedule_begin(struct cores_schedule *schedule, struct cores_world *world,
                          enum cores_scheduler scheduler, uint64_t seed) {
    *schedule = (struct cores_schedule){.world = world};
    prng_seed(&schedule->prng, prng_mix(seed, 3));
    struct prng *prng = &schedule->prng;
    schedule->length = (unsigned)(100u << prng_below(prng, 5));
    schedule->in_order = (uint32_t)prng_between(prng, 4, 16);
    schedule->on_time = (uint32_t)prng_between(prng, 6, 16);
    schedule->members = world->setup.spare > 0 || world->setup.loss == CORES_LOSS_ALL;
    draw_weights(schedule);
    cores_aim_begin(schedule);
    if (scheduler == CORES_SCHEDULER_PCT)
        cores_pct_begin(schedule);
    else if (scheduler == CORES_SCHEDULER_DELAY)
        cores_delay_begin(schedule);
}

/* ---- what there is ---- */

unsigned cores_any_node(struct cores_schedule *schedule, bool down) {
    const struct cores_world *world = schedule->world;
    unsigned start = (unsigned)prng_below(&schedule->prng, world->count);
    if (!down && world->leaders > 0 && prng_chance(&schedule->prng, 1, 2))
        for (unsigned i = 0; i < world->count; i++) {
            unsigned id = 1 + (start + i) % world->count;
            if (world->nodes[id].up && world->nodes[id].belief.role == ROLE_LEADER)
                return id;
        }
    for (unsigned i = 0; i < world->count; i++) {
        unsigned id = 1 + (start + i) % world->count;
        if (world->nodes[id].up != down)
            return id;
    }
    return 0;
}

unsigned cores_first_due(const struct cores_world *world) {
    uint64_t best = UINT64_MAX;
    unsigned first = 0;
    for (unsigned id = 1; id <= world->count; id++) {
        if (!world->nodes[id].up)
            continue;
        uint64_t at = cores_deadline(world, &world->nodes[id]);
        if (at < best) {
            best = at;
            first = id;
        }
    }
    return first;
}

/* The n-th set bit. */
static unsigned pick_bit(uint64_t bits, unsigned n) {
    while (n-- > 0)
        bits &= bits - 1;
    return (unsigned)__builtin_ctzll(bits);
}

unsigned cores_any_way(struct cores_schedule *schedule) {
    uint64_t open = schedule->world->filled & ~schedule->world->cut;
    if (open == 0)
        return 0;
    unsigned count = (unsigned)__builtin_popcountll(open);
    return pick_bit(open, (unsigned)prng_below(&schedule->prng, count));
}

void cores_queue(struct cores_schedule *schedule, struct cores_move move) {
    if (schedule->queued < CORES_QUEUE)
        schedule->queue[schedule->queued++] = move;
}

/* ---- moves of chance ---- */

static struct cores_move move_of(unsigned kind, unsigned a, unsigned b, unsigned c) {
    return (struct cores_move){(uint8_t)kind, (uint8_t)a, (uint8_t)b, (uint8_t)c};
}

static struct cores_move on_a_way(struct cores_schedule *schedule, unsigned kind) {
    unsigned way = cores_any_way(schedule);
    unsigned from = way / 8, to = way % 8, at = 0;
    if (way != 0 && prng_below(&schedule->prng, 16) >= schedule->in_order)
        at = (unsigned)prng_below(&schedule->prng, schedule->world->channels[from][to].count);
    return move_of(kind, from, to, at);
}

static struct cores_move of_a_pair(struct cores_schedule *schedule, unsigned kind) {
    unsigned a = cores_any_node(schedule, false);
    unsigned b = 1 + (unsigned)prng_below(&schedule->prng, schedule->world->count);
    return move_of(kind, a, b, 0);
}

static struct cores_move of_a_disk(struct cores_schedule *schedule) {
    const struct cores_world *world = schedule->world;
    unsigned start = (unsigned)prng_below(&schedule->prng, world->count);
    for (unsigned i = 0; i < world->count; i++) {
        unsigned id = 1 + (start + i) % world->count;
        size_t waiting = world->nodes[id].persist_count;
        if (waiting > 0)
            return move_of(CORES_DISK, id, 1 + (unsigned)prng_below(&schedule->prng, waiting), 0);
    }
    return on_a_way(schedule, CORES_DELIVER);
}

static struct cores_move crash(struct cores_schedule *schedule) {
    unsigned id = cores_any_node(schedule, false);
    size_t waiting = id ? schedule->world->nodes[id].persist_count : 0;
    unsigned kept = (unsigned)prng_below(&schedule->prng, waiting + 1);
    return move_of(CORES_CRASH, id, kept, (unsigned)prng_below(&schedule->prng, 4));
}

static struct cores_move tick(struct cores_schedule *schedule) {
    bool on_time = prng_below(&schedule->prng, 16) < schedule->on_time;
    unsigned id = on_time ? cores_first_due(schedule->world) : cores_any_node(schedule, false);
    return move_of(CORES_TICK, id, 0, 0);
}

static struct cores_move isolate(struct cores_schedule *schedule) {
    unsigned id = cores_any_node(schedule, false);
    uint64_t told = prng_below(&schedule->prng, 4); /* neither side notices, one, or both */
    for (unsigned other = 1; other <= schedule->world->count; other++) {
        if (other == id)
            continue;
        cores_queue(schedule, move_of(CORES_CUT, id, other, 0));
        cores_queue(schedule, move_of(CORES_CUT, other, id, 0));
        if (told & 1)
            cores_queue(schedule, move_of(CORES_PART, other, id, 0));
        if (told & 2)
            cores_queue(schedule, move_of(CORES_PART, id, other, 0));
    }
    return cores_any_move(schedule);
}

static struct cores_move heal(struct cores_schedule *schedule) {
    const struct cores_world *world = schedule->world;
    for (unsigned a = 1; a <= world->count; a++)
        for (unsigned b = 1; b <= world->count; b++)
            if (world->cut & cores_bit(a, b)) {
                cores_queue(schedule, move_of(CORES_JOIN, a, b, 0));
                cores_queue(schedule, move_of(CORES_MEET, a, b, 0));
            }
    return on_a_way(schedule, CORES_DELIVER);
}

static struct cores_move members(struct cores_schedule *schedule) {
    unsigned all = (2u << schedule->world->count) - 2;
    unsigned voters = (unsigned)prng_below(&schedule->prng, all + 1) & all;
    unsigned learners = (unsigned)prng_below(&schedule->prng, all + 1) & all;
    /* Without the one whose disk may be lost there is a majority. */
    if (schedule->world->setup.loss == CORES_LOSS_ALL && __builtin_popcount(voters) < 3)
        voters = all;
    return move_of(CORES_MEMBERS, cores_any_node(schedule, false), voters, learners);
}

struct cores_move cores_loss(struct cores_schedule *schedule) {
    const struct cores_setup *setup = &schedule->world->setup;
    switch (setup->loss) {
    case CORES_LOSS_TAIL:
        return move_of(CORES_LOSE, setup->victim, (unsigned)prng_below(&schedule->prng, 5), 0);
    case CORES_LOSS_ALL:
        return move_of(CORES_WIPE, setup->victim, 0, 0);
    default:
        return move_of(CORES_FORGET, setup->victim, 0, 0);
    }
}

/* It may start again at once. */
static struct cores_move forget(struct cores_schedule *schedule) {
    unsigned victim = schedule->world->setup.victim;
    cores_queue(schedule, cores_loss(schedule));
    if (prng_chance(&schedule->prng, 1, 2))
        cores_queue(schedule, move_of(CORES_START, victim, 0, 0));
    return move_of(CORES_CRASH, victim, 0, 0);
}

struct cores_move cores_any_move(struct cores_schedule *schedule) {
    uint32_t at = (uint32_t)prng_below(&schedule->prng, schedule->weight_sum);
    unsigned kind = 0;
    while (at >= schedule->weights[kind])
        at -= schedule->weights[kind++];
    unsigned count = schedule->world->count;
    switch (kind) {
    case CORES_DELIVER:
    case CORES_DROP:
    case CORES_COPY:
        return on_a_way(schedule, kind);
    case CORES_TICK:
        return tick(schedule);
    case CORES_DISK:
        return of_a_disk(schedule);
    case CORES_CRASH:
        return crash(schedule);
    case CORES_START:
        return move_of(kind, cores_any_node(schedule, true), 0, 0);
    case CORES_COMPACT:
        return move_of(kind, cores_any_node(schedule, false),
                       (unsigned)prng_below(&schedule->prng, 6), 0);
    case CORES_TRANSFER:
        return move_of(kind, cores_any_node(schedule, false),
                       (unsigned)prng_below(&schedule->prng, count + 1), 0);
    case CORES_MEMBERS:
        return members(schedule);
    case CORES_FORGET:
        return forget(schedule);
    case CORES_FULL:
        return move_of(kind, cores_any_node(schedule, false),
                       (unsigned)prng_below(&schedule->prng, 8), 0);
    case CORES_PROPOSE:
    case CORES_READ:
    case CORES_ROOM:
        return move_of(kind, cores_any_node(schedule, false), 0, 0);
    case ISOLATE:
        return isolate(schedule);
    case HEAL:
        return heal(schedule);
    default:
        return of_a_pair(schedule, kind);
    }
}

struct cores_move cores_walk_next(struct cores_schedule *schedule) {
    return cores_any_move(schedule);
}
