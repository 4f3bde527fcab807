#include "cores/cores_world.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"
#include "cores/cores_oracle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define FOLDERS 100u /* data folders that a node may have, one after the other */
#define WALL_MS 1700000000000ull

void cores_say(struct cores_world *world, const char *format, ...) {
    if (world->log == NULL)
        return;
    char text[400];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(world->log, "%s\n", text);
}

/* ---- clocks ---- */

uint64_t cores_clock(const struct cores_world *world, const struct cores_node *node) {
    int64_t ppm = world->setup.clock_ppm[node->id];
    return world->now + node->ahead_ns + (uint64_t)((int64_t)(world->now / 1000000) * ppm);
}

uint64_t cores_deadline(const struct cores_world *world, const struct cores_node *node) {
    uint64_t at = world->setup.protocol->deadline(node->replica);
    if (at == UINT64_MAX)
        return UINT64_MAX;
    uint64_t mine = cores_clock(world, node);
    if (at <= mine)
        return world->now;
    uint64_t wait = at - mine;
    int64_t ppm = world->setup.clock_ppm[node->id];
    wait -= (uint64_t)((int64_t)(wait / 1000000) * ppm);
    return world->now + wait + 2 * (ppm != 0);
}

static uint64_t wall_of(const struct cores_world *world) {
    return WALL_MS + world->now / CORES_MS;
}

/* ---- steps ---- */

static void step_one(struct cores_world *world, struct cores_node *node, struct event *event) {
    event->now = cores_clock(world, node);
    event->wall_ms = wall_of(world);
    world->steps++;
    cores_effects(world, node, world->setup.protocol->step(node->replica, event));
    cores_oracle_step(world, node);
}

static void settle(struct cores_world *world, struct cores_node *node) {
    for (size_t at = 0; at < node->inner_count; at++) {
        struct event event = node->inner[at]; /* the list may move meanwhile */
        if (event.kind == EVENT_SNAPSHOT_INSTALLED)
            node->applied = event.snapshot_installed.index;
        step_one(world, node, &event);
    }
    node->inner_count = 0;
}

void cores_step(struct cores_world *world, struct cores_node *node, struct event event) {
    if (!node->up)
        return;
    step_one(world, node, &event);
    settle(world, node);
}

/* ---- lives ---- */

static void meet(struct cores_world *world, unsigned a, unsigned b) {
    struct event event = {.kind = EVENT_PEER_UP};
    event.peer.id = b;
    event.peer.incarnation = world->nodes[b].options.incarnation;
    event.peer.wire_version = WIRE_VERSION_MAX;
    cores_step(world, &world->nodes[a], event);
}

static void recover(const struct protocol *protocol, struct cores_node *node) {
    const struct cores_image *image = &node->image;
    enum cairn_status status = CAIRN_OK;
    if (image->hard_lost)
        protocol->recover_hard_lost(node->replica, true);
    else if (image->has_hard)
        status = protocol->recover_hard(node->replica, buf_view(&image->hard));
    cairn_assert(status == CAIRN_OK);
    if (image->has_base)
        status = protocol->recover_base(node->replica, &image->base);
    cairn_assert(status == CAIRN_OK);
    node->applied = image->has_base ? image->base.index : 0;
    for (size_t i = 0; i < image->count; i++) {
        status = protocol->recover_entry(node->replica, &image->entries[i], false);
        cairn_assert(status == CAIRN_OK);
    }
    if (image->tail_lost)
        protocol->recover_damage(node->replica, cores_disk_last(node) + 1, UINT64_MAX);
}

void cores_boot(struct cores_world *world, struct cores_node *node) {
    const struct protocol *protocol = world->setup.protocol;
    node->options.seed = prng_mix(world->setup.seed, ++node->lives); /* as a process draws one */
    node->replica = protocol->create(&node->options);
    node->up = true;
    node->durable_seq = node->refused_cut = 0;
    node->belief = (struct belief){.role = ROLE_FOLLOWER};
    node->config.count = 0;
    node->config_index = node->config_last = 0;
    recover(protocol, node);
    cores_effects(world, node,
                  protocol->start(node->replica, cores_clock(world, node), wall_of(world)));
    cores_oracle_step(world, node);
    cores_oracle_started(world, node);
    settle(world, node);
    for (unsigned id = 1; id <= world->count; id++)
        if (id != node->id && world->nodes[id].up) {
            meet(world, (unsigned)node->id, id);
            meet(world, id, (unsigned)node->id);
        }
}

static void end_life(struct cores_world *world, struct cores_node *node) {
    world->leaders -= node->belief.role == ROLE_LEADER;
    world->setup.protocol->destroy(node->replica);
    node->replica = NULL;
    node->up = false;
    while (node->send_count > 0)
        cores_message_free(node->sends[--node->send_count].message);
    node->inner_count = 0;
    cores_drop_owed(node);
}

static void part(struct cores_world *world, unsigned a, unsigned b) {
    struct event event = {.kind = EVENT_PEER_DOWN};
    event.peer.id = b;
    cores_step(world, &world->nodes[a], event);
}

void cores_crash(struct cores_world *world, struct cores_node *node, unsigned kept, unsigned torn) {
    end_life(world, node);
    node->belief = (struct belief){.role = ROLE_FOLLOWER};
    cores_disk_lose(world, node, kept, torn);
    for (unsigned id = 1; id <= world->count; id++)
        if (world->nodes[id].up && !(world->cut & cores_bit(node->id, id)))
            part(world, id, (unsigned)node->id);
}

/* ---- runs ---- */

struct config cores_config(const struct cores_world *world, unsigned voters, unsigned learners) {
    struct config config = {0};
    for (unsigned id = 1; id <= world->count; id++) {
        struct member member = {.id = id, .voter = voters >> id & 1};
        snprintf(member.address, sizeof member.address, "n%u:1", id);
        if ((voters | learners) >> id & 1)
            config_add(&config, &member);
    }
    return config;
}

struct config cores_first_config(const struct cores_world *world) {
    const struct cores_setup *setup = &world->setup;
    unsigned voters = (2u << setup->voters) - 2;
    unsigned learners = ((2u << (setup->voters + setup->learners)) - 2) & ~voters;
    struct config config = cores_config(world, voters, learners);
    /* A disk is replaced only when it is known whose it was. */
    for (uint32_t i = 0; i < config.count && setup->loss == CORES_LOSS_ALL; i++)
        config.members[i].incarnation = FOLDERS * config.members[i].id;
    return config;
}

/* Where each clock stands still until its replica's next deadline is chosen, only the order of a
 * replica's deadlines matters: nothing is drawn, and all the time that ever passes is too short for
 * a wall clock to tell. */
static struct replica_options options_of(const struct cores_setup *setup, unsigned id,
                                         struct rare *rare) {
    uint64_t ms = setup->own_time ? CORES_MS / 1000 : CORES_MS;
    uint64_t election_ns = setup->election_ms[id] * ms;
    struct replica_options options = {.group = 1,
                                      .id = id,
                                      .incarnation = FOLDERS * id,
                                      .election_timeout_min_ns = election_ns,
                                      .election_timeout_max_ns =
                                          setup->own_time ? election_ns : 2 * election_ns,
                                      .heartbeat_ns = 30 * ms,
                                      .disk_stall_ns = 400 * ms,
                                      .clock_drift_ppm = 1000,
                                      .lease_reads = setup->leases >> id & 1,
                                      .entry_bytes_max = 1 << 20,
                                      .append_bytes_max = 16 << 10,
                                      .inflight_max = 16,
                                      .inflight_bytes_max = 1 << 20,
                                      .uncommitted_bytes_max = 1 << 20,
                                      .window_bytes_max = 1 << 20,
                                      .apply_bytes_max = 64 << 10,
                                      .rare = rare,
                                      .mutant = setup->mutant};
    if (setup->small) {
        options.append_bytes_max = 120;
        options.inflight_max = 3;
        options.window_bytes_max = 300;
        options.apply_bytes_max = 200;
    }
    return options;
}

static void node_clear(struct cores_world *world, struct cores_node *node) {
    if (node->up)
        end_life(world, node);
    cores_disk_lose(world, node, 0, 0);
    cores_disk_clear(node);
    node->full = node->harmed = false;
    node->acked_count = 0;
    memset(node->informed, 0, sizeof node->informed);
    node->applied = node->told_term = node->told_vote = node->lives = 0;
    node->ahead_ns = 0;
    memset(node->promised, 0, sizeof node->promised);
    node->released_below = 0;
    memset(node->heard, 0, sizeof node->heard);
}

struct cores_world *cores_world_new(void) {
    struct cores_world *world = cairn_alloc_zero(sizeof *world);
    cores_oracle_open(world);
    return world;
}

void cores_world_blank(struct cores_world *world, const struct cores_setup *setup) {
    cores_net_clear(world);
    for (unsigned id = 1; id < CORES_IDS; id++)
        node_clear(world, &world->nodes[id]);
    cores_net_clear(world);
    world->setup = *setup;
    world->view = setup->protocol->view;
    world->count = setup->voters + setup->learners + setup->spare;
    cairn_assert(world->count <= CORES_NODES_MAX && setup->voters > 0);
    world->now = 1000 * CORES_MS;
    world->leaders = 0;
    world->exhausted = false;
    cores_oracle_begin(world);
    bool rare = rare_draw(&world->rare, setup->seed) && setup->rare;
    for (unsigned id = 1; id <= world->count; id++) {
        struct cores_node *node = &world->nodes[id];
        node->id = id;
        node->image.first = 1;
        node->options = options_of(setup, id, rare ? &world->rare : NULL);
        if (id <= setup->voters + setup->learners)
            node->options.bootstrap = cores_first_config(world);
    }
}

void cores_world_wipe(struct cores_world *world, unsigned id) {
    node_clear(world, &world->nodes[id]);
    world->tags = 0;
    world->exhausted = false;
}

void cores_world_begin(struct cores_world *world, const struct cores_setup *setup) {
    cores_world_blank(world, setup);
    for (unsigned id = 1; id <= world->count; id++)
        cores_boot(world, &world->nodes[id]);
}

void cores_world_free(struct cores_world *world) {
    cores_net_clear(world);
    for (unsigned id = 1; id < CORES_IDS; id++) {
        struct cores_node *node = &world->nodes[id];
        node_clear(world, node);
        for (size_t i = 0; i < node->persist_cap; i++) {
            buf_free(&node->persists[i].hard);
            cairn_free(node->persists[i].entries);
        }
        cairn_free(node->persists);
        cairn_free(node->sends);
        cairn_free(node->inner);
        cairn_free(node->owed);
        cairn_free(node->image.entries);
        buf_free(&node->image.hard);
        buf_free(&node->image.base_state);
    }
    cores_net_clear(world);
    cores_oracle_close(world);
    cairn_free(world);
}

/* ---- moves ---- */

/* Connections are of two processes: what an earlier life was sent does not reach a later one, and
 * what others tell settles what a lost hard state promised. (In a search it may arrive, which is
 * harder: there no hard state is lost.) */
static void ways_end(struct cores_world *world, const struct cores_node *node) {
    for (unsigned from = 1; from <= world->count; from++)
        while (world->channels[from][node->id].count > 0)
            cores_drop(world, from, node->id, 0);
}

static bool up(const struct cores_world *world, unsigned id) {
    return id >= 1 && id <= world->count && world->nodes[id].up;
}

static bool tick(struct cores_world *world, struct cores_node *node) {
    cores_apply_owed(world, node);
    uint64_t at = cores_deadline(world, node);
    if (at == UINT64_MAX)
        return false;
    if (at > world->now && world->setup.own_time)
        node->ahead_ns += at - world->now;
    else if (at > world->now)
        world->now = at;
    cores_step(world, node, (struct event){.kind = EVENT_TICK});
    cores_oracle_tick(world, node);
    return true;
}

static void propose(struct cores_world *world, struct cores_node *node) {
    uint64_t tag = ++world->tags;
    uint8_t text[8];
    put_u64(text, tag);
    struct proposal proposal = {.tag = tag, .command = bytes_of(text, sizeof text)};
    struct event event = {.kind = EVENT_PROPOSE};
    event.propose.items = &proposal;
    event.propose.count = 1;
    cores_step(world, node, event);
}

static void read_at(struct cores_world *world, struct cores_node *node) {
    struct event event = {.kind = EVENT_READ};
    event.read.tag = cores_oracle_ask(world, node);
    cores_oracle_lease(world, node);
    cores_step(world, node, event);
}

static bool compact(struct cores_world *world, struct cores_node *node, unsigned keep) {
    uint64_t applied = node->applied;
    if (applied == 0 || (node->image.has_base && node->image.base.index >= applied))
        return false;
    struct buf state = {0};
    struct event event = {.kind = EVENT_COMPACTED};
    struct replica_status status;
    world->setup.protocol->snapshot_base(node->replica, &event.compacted.base, &state);
    event.compacted.trim = applied > keep ? applied - keep : 0;
    cores_oracle_snapshot(world, node, &event.compacted.base);
    cores_disk_keep_snapshot(node, &event.compacted.base);
    cores_step(world, node, event);
    world->setup.protocol->status(node->replica, &status);
    cores_disk_trim(node, status.first_index);
    buf_free(&state);
    return true;
}

static void transfer(struct cores_world *world, struct cores_node *node, unsigned to) {
    struct event event = {.kind = EVENT_TRANSFER};
    event.transfer.tag = ++world->tags;
    event.transfer.to = to;
    cores_step(world, node, event);
}

static bool members(struct cores_world *world, struct cores_node *node, unsigned voters,
                    unsigned learners) {
    struct event event = {.kind = EVENT_CONFIGURE};
    event.configure.tag = ++world->tags;
    event.configure.change.target = cores_config(world, voters, learners & ~voters);
    if (!config_valid(&event.configure.change.target))
        return false;
    cores_step(world, node, event);
    return true;
}

static bool pair(const struct cores_world *world, struct cores_move move) {
    return move.a >= 1 && move.a <= world->count && move.b >= 1 && move.b <= world->count &&
           move.a != move.b;
}

static bool between(struct cores_world *world, struct cores_move move) {
    if (!pair(world, move))
        return false;
    uint64_t bit = cores_bit(move.a, move.b);
    struct event awaited = {.kind = EVENT_AWAITED};
    switch (move.kind) {
    case CORES_DELIVER:
        return cores_deliver(world, move.a, move.b, move.c);
    case CORES_DROP:
        return cores_drop(world, move.a, move.b, move.c);
    case CORES_COPY:
        return cores_copy(world, move.a, move.b, move.c);
    case CORES_CUT:
        world->cut |= bit;
        return true;
    case CORES_JOIN:
        world->cut &= ~bit;
        return true;
    default:
        break;
    }
    if (!up(world, move.a))
        return false;
    if (move.kind == CORES_PART) {
        part(world, move.a, move.b);
    } else if (move.kind == CORES_MEET && up(world, move.b)) {
        meet(world, move.a, move.b);
    } else if (move.kind == CORES_AWAIT) {
        awaited.peer.id = move.b;
        cores_step(world, &world->nodes[move.a], awaited);
    } else {
        return false;
    }
    return true;
}

static void room(struct cores_world *world, struct cores_node *node) {
    struct event event = {.kind = EVENT_ROOM};
    node->full = false;
    event.room.there = true;
    cores_step(world, node, event);
}

static bool is_while_down(unsigned kind) {
    return kind == CORES_START || kind == CORES_FORGET || kind == CORES_LOSE || kind == CORES_WIPE;
}

static bool while_down(struct cores_world *world, struct cores_node *node, struct cores_move move) {
    if (node->id < 1 || node->id > world->count || node->up)
        return false;
    if (move.kind == CORES_START) {
        cores_boot(world, node);
        return true;
    }
    if (move.kind == CORES_FORGET)
        cores_disk_forget(node);
    else if (move.kind == CORES_LOSE)
        cores_disk_lose_tail(node, move.b);
    else
        cores_disk_replace(node);
    ways_end(world, node);
    return true;
}

static bool at_node(struct cores_world *world, struct cores_move move) {
    struct cores_node *node = &world->nodes[move.a];
    if (is_while_down(move.kind))
        return while_down(world, node, move);
    if (!up(world, move.a))
        return false;
    switch (move.kind) {
    case CORES_TICK:
        return tick(world, node);
    case CORES_DISK:
        return cores_disk_done(world, node, move.b);
    case CORES_CRASH:
        cores_crash(world, node, move.b, move.c);
        return true;
    case CORES_PROPOSE:
        propose(world, node);
        return true;
    case CORES_READ:
        read_at(world, node);
        return true;
    case CORES_FULL:
        node->full = true;
        node->kept = move.b;
        return true;
    case CORES_ROOM:
        room(world, node);
        return true;
    case CORES_COMPACT:
        return compact(world, node, move.b);
    case CORES_TRANSFER:
        transfer(world, node, move.b);
        return true;
    case CORES_MEMBERS:
        return members(world, node, move.b, move.c);
    default:
        return false;
    }
}

bool cores_do(struct cores_world *world, struct cores_move move) {
    if (world->log != NULL) {
        buf_printf(world->log, "> ");
        cores_move_print(move, world->log);
        buf_printf(world->log, "\n");
    }
    if (move.a >= CORES_IDS)
        return false;
    switch (move.kind) {
    case CORES_DELIVER:
    case CORES_DROP:
    case CORES_COPY:
    case CORES_CUT:
    case CORES_JOIN:
    case CORES_PART:
    case CORES_MEET:
    case CORES_AWAIT:
        return between(world, move);
    case CORES_CALM:
        world->rare.quiet = true;
        return true;
    default:
        return at_node(world, move);
    }
}
