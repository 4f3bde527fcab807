/* A world of replicas in memory: its machines, its network, and what tests ask of it. */
#include "replica_world_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "protocol/zab/zab.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

struct replica_options world_options(void) {
    return (struct replica_options){
        .group = 1,
        .election_timeout_min_ns = 150 * MS,
        .election_timeout_max_ns = 300 * MS,
        .heartbeat_ns = 30 * MS,
        .disk_stall_ns = 400 * MS,
        .clock_drift_ppm = 1000,
        .lease_reads = true,
        .entry_bytes_max = 1 << 20,
        .append_bytes_max = 16 << 10,
        .inflight_max = 16,
        .inflight_bytes_max = 1 << 20,
        .uncommitted_bytes_max = 1 << 20,
        .window_bytes_max = 1 << 20,
        .apply_bytes_max = 64 << 10,
    };
}

struct config world_config(const char *voters, const char *learners) {
    struct config config = {0};
    for (const char *both[] = {voters, learners}, **which = both; which < both + 2; which++)
        for (const char *at = *which; *at; at++) {
            struct member member = {.id = (uint64_t)(*at - '0'), .voter = which == both};
            snprintf(member.address, sizeof member.address, "n%c:1", *at);
            config_add(&config, &member);
        }
    return config;
}

static void damage_recover(struct world *world, struct world_node *node, uint64_t *from,
                           uint64_t to) {
    if (*from != 0)
        world->protocol->recover_damage(node->replica, *from, to);
    *from = 0;
}

static void hello(struct world *world, uint64_t a, uint64_t b) {
    if (!world->nodes[a].up || !world->nodes[b].up || world->cut[a][b] || world->cut[b][a])
        return;
    struct event event = {.kind = EVENT_PEER_UP};
    event.peer.id = b;
    event.peer.incarnation = world->nodes[b].options.incarnation;
    event.peer.wire_version = WIRE_VERSION_MAX;
    world_step(world, a, event);
}

static void boot(struct world *world, struct world_node *node) {
    node->replica = world->protocol->create(&node->options);
    node->up = true;
    node->stopped = node->rotten = false;
    node->failing = 0;
    node->applied = 0;
    node->durable_seq = 0;
    enum cairn_status status = CAIRN_OK;
    if (node->hard_lost)
        world->protocol->recover_hard_lost(node->replica, true);
    else if (node->hard != NULL)
        status = world->protocol->recover_hard(node->replica, blob_view(node->hard));
    cairn_assert(status == CAIRN_OK);
    if (node->has_base) {
        status = world->protocol->recover_base(node->replica, &node->base);
        cairn_assert(status == CAIRN_OK);
        node->applied = node->base.index;
    }
    if (node->end_lost != 0)
        world->protocol->recover_damage(node->replica, node->end_lost, UINT64_MAX);
    uint64_t damaged_from = 0;
    for (size_t i = 0; i < node->log_count; i++) {
        uint64_t index = node->log_first + i;
        if (node->damaged[i]) {
            damaged_from = damaged_from ? damaged_from : index;
            continue;
        }
        damage_recover(world, node, &damaged_from, index - 1);
        status = world->protocol->recover_entry(node->replica, &node->log[i], false);
        cairn_assert(status == CAIRN_OK);
    }
    damage_recover(world, node, &damaged_from, node->log_first + node->log_count - 1);
    world_effects(world, node,
                  world->protocol->start(node->replica, world_clock_of(world, node),
                                         world_wall_of(world, node)));
    world_settle(world, node);
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++)
        if (id != node->id && world->nodes[id].up) {
            hello(world, node->id, id);
            hello(world, id, node->id);
        }
}

struct world *world_empty_of(const char *protocol, unsigned voters, uint64_t seed) {
    static const struct {
        const struct protocol *protocol;
        bool (*describe)(struct bytes body, char *text, size_t size);
        void (*check_deep)(const struct replica *replica);
    } protocols[] = {{&protocol_raft, raft_describe, raft_check_deep},
                     {&protocol_zab, zab_describe, zab_check_deep}};
    size_t at = 0;
    while (at < sizeof protocols / sizeof *protocols &&
           strcmp(protocols[at].protocol->name, protocol) != 0)
        at++;
    if (at == sizeof protocols / sizeof *protocols)
        return NULL;
    struct world *world = cairn_alloc_zero(sizeof *world);
    world->protocol = protocols[at].protocol;
    world->describe = protocols[at].describe;
    world->check_deep = protocols[at].check_deep;
    world->count = voters;
    world->now = 1000 * MS;
    world->wall_ms = 1700000000000;
    prng_seed(&world->prng, seed);
    char ids[WORLD_NODES_MAX + 1] = {0};
    for (unsigned id = 1; id <= voters; id++)
        ids[id - 1] = (char)('0' + id);
    for (unsigned id = 1; id <= voters; id++) {
        struct world_node *node = &world->nodes[id];
        node->id = id;
        node->exists = true;
        node->options = world_options();
        node->options.id = id;
        node->options.incarnation = 100 * id;
        node->options.seed = seed;
        node->options.bootstrap = world_config(ids, "");
        node->log_first = 1;
    }
    return world;
}

struct world *world_empty(unsigned voters, uint64_t seed) {
    return world_empty_of("raft", voters, seed);
}

void world_boot(struct world *world) {
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++)
        if (world->nodes[id].exists && !world->nodes[id].up)
            boot(world, &world->nodes[id]);
}

struct world *world_new_of(const char *protocol, unsigned voters, uint64_t seed) {
    struct world *world = world_empty_of(protocol, voters, seed);
    world_boot(world);
    return world;
}

struct world *world_new(unsigned voters, uint64_t seed) {
    return world_new_of("raft", voters, seed);
}

void world_add(struct world *world, uint64_t id) {
    struct world_node *node = &world->nodes[id];
    node->id = id;
    node->exists = true;
    node->options = world->nodes[1].options;
    node->options.bootstrap = (struct config){0};
    node->options.id = id;
    node->options.incarnation = 100 * id;
    node->log_first = 1;
    boot(world, node);
}

static void forget_volatile(struct world_node *node) {
    for (size_t i = 0; i < node->persist_count; i++)
        world_persist_free(&node->persists[i]);
    for (size_t i = 0; i < node->send_count; i++)
        world_message_free(&node->sends[i].message);
    node->persist_count = node->send_count = node->inner_count = 0;
}

void world_crash(struct world *world, uint64_t id) {
    struct world_node *node = &world->nodes[id];
    if (!node->up)
        return;
    node->up = false;
    world->protocol->destroy(node->replica);
    node->replica = NULL;
    forget_volatile(node);
    for (unsigned other = 1; other <= WORLD_NODES_MAX; other++)
        if (world->nodes[other].up && !world->cut[id][other]) {
            struct event event = {.kind = EVENT_PEER_DOWN};
            event.peer.id = id;
            world_step(world, other, event);
        }
}

void world_restart(struct world *world, uint64_t id) {
    if (world->nodes[id].exists && !world->nodes[id].up)
        boot(world, &world->nodes[id]);
}

static void disk_clear(struct world_node *node) {
    world_log_cut(node, 0);
    blob_unref(node->hard);
    node->hard = NULL;
    blob_unref(node->base_state);
    node->base_state = NULL;
    node->has_base = false;
    node->log_first = 1;
}

void world_wipe(struct world *world, uint64_t id) {
    struct world_node *node = &world->nodes[id];
    cairn_assert(!node->up);
    disk_clear(node);
    node->options.incarnation++;
    node->options.bootstrap = (struct config){0};
}

void world_write_log(struct world *world, uint64_t id, const uint64_t *terms, size_t count) {
    struct world_node *node = &world->nodes[id];
    cairn_assert(!node->up && node->log_count == 0);
    uint64_t chain = 0;
    for (size_t i = 0; i < count; i++) {
        char text[32];
        int len = snprintf(text, sizeof text, "e%zu", i + 1);
        struct entry entry = {.index = i + 1,
                              .term = terms[i],
                              .order = i + 1,
                              .time_ms = 1,
                              .kind = ENTRY_COMMAND,
                              .blob = blob_new(entry_size((size_t)len))};
        entry_encode(&entry, entry.blob->data, bytes_of(text, (size_t)len), chain);
        chain = entry.chain;
        world_log_put(node, &entry);
        blob_unref(entry.blob);
    }
}

void world_damage(struct world *world, uint64_t id, uint64_t index) {
    struct world_node *node = &world->nodes[id];
    cairn_assert(index >= node->log_first && index < node->log_first + node->log_count);
    node->damaged[index - node->log_first] = true;
}

void world_free(struct world *world) {
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++) {
        struct world_node *node = &world->nodes[id];
        if (node->up)
            world->protocol->destroy(node->replica);
        forget_volatile(node);
        disk_clear(node);
        cairn_free(node->log);
        cairn_free(node->damaged);
        cairn_free(node->persists);
        cairn_free(node->sends);
        cairn_free(node->inner);
    }
    for (size_t i = 0; i < world->network.count; i++)
        world_message_free(&world->network.items[i]);
    cairn_free(world->network.items);
    cairn_free(world->history);
    cairn_free(world->leaders);
    cairn_free(world->asked);
    cairn_free(world);
}

/* ---- the network ---- */

static void remove_message(struct world *world, size_t at) {
    struct world_messages *network = &world->network;
    network->count--;
    memmove(network->items + at, network->items + at + 1,
            (network->count - at) * sizeof *network->items);
}

void world_drop(struct world *world, size_t at) {
    struct world_message message = world->network.items[at];
    remove_message(world, at);
    if (message.snapshot) {
        struct event sent = {.kind = EVENT_SNAPSHOT_SENT};
        sent.snapshot_sent.to = message.to;
        sent.snapshot_sent.index = message.base.index;
        sent.snapshot_sent.status = CAIRN_CLOSED;
        world_step(world, message.from, sent);
    }
    world_message_free(&message);
}

static void deliver_snapshot(struct world *world, struct world_message *message) {
    struct world_node *node = &world->nodes[message->to];
    struct event event = {.kind = EVENT_SNAPSHOT_OFFERED};
    event.snapshot.from = message->from;
    event.snapshot.term = message->term;
    event.snapshot.base = message->base;
    node->accepted = false;
    world_step(world, message->to, event);
    bool accepted = node->accepted;
    if (accepted) {
        bool newer = !node->has_base || message->base.index > node->base.index ||
                     node->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL;
        if (newer)
            world_keep_snapshot(node, &message->base);
        event.kind = EVENT_SNAPSHOT_RECEIVED;
        world_step(world, message->to, event);
    }
    struct event sent = {.kind = EVENT_SNAPSHOT_SENT};
    sent.snapshot_sent.to = message->to;
    sent.snapshot_sent.index = message->base.index;
    sent.snapshot_sent.status = accepted ? CAIRN_OK : CAIRN_REFUSED;
    world_step(world, message->from, sent);
}

void world_deliver_one(struct world *world, size_t at) {
    struct world_message message = world->network.items[at];
    struct world_node *node = &world->nodes[message.to];
    if (!node->up || node->stopped || world->cut[message.from][message.to]) {
        world_drop(world, at);
        return;
    }
    remove_message(world, at);
    if (message.snapshot) {
        deliver_snapshot(world, &message);
    } else {
        char text[256];
        if (world->log_traffic && world->describe(blob_view(message.frame), text, sizeof text))
            world_say(world, "  %" PRIu64 "->%" PRIu64 " %s", message.from, message.to, text);
        struct event event = {.kind = EVENT_MESSAGE};
        event.message.from = message.from;
        event.message.frame = message.frame;
        event.message.body = blob_view(message.frame);
        event.message.wire_version = WIRE_VERSION_MAX;
        world_step(world, message.to, event);
    }
    world_message_free(&message);
}

void world_deliver(struct world *world) {
    for (size_t i = 0; world->network.count > 0; i++) {
        cairn_assert(i < 1000000);
        world_deliver_one(world, 0);
    }
}

static uint64_t next_deadline(const struct world *world, uint64_t until, uint64_t *id) {
    uint64_t best = until;
    *id = 0;
    for (unsigned i = 1; i <= WORLD_NODES_MAX; i++) {
        const struct world_node *node = &world->nodes[i];
        if (!node->up || node->stopped)
            continue;
        uint64_t at = world->protocol->deadline(node->replica);
        if (at == UINT64_MAX)
            continue;
        /* Its clock runs at another rate: the moment of ours at which it shows `at`. */
        uint64_t mine = world_clock_of(world, node);
        uint64_t wait = at > mine ? at - mine : 0;
        wait -= (uint64_t)((int64_t)(wait / 1000000) * node->clock_ppm);
        if (node->clock_ppm != 0 && wait > 0)
            wait += 2;
        if (world->now + wait < best) {
            best = world->now + wait;
            *id = i;
        }
    }
    return best;
}

void world_run(struct world *world, uint64_t ns) {
    uint64_t until = world->now + ns;
    for (size_t i = 0;; i++) {
        cairn_assert(i < 1000000);
        if (!world->manual)
            world_deliver(world);
        uint64_t id;
        uint64_t at = next_deadline(world, until, &id);
        world->now = at;
        if (id == 0)
            break;
        world_step(world, id, (struct event){.kind = EVENT_TICK});
    }
    if (!world->manual)
        world_deliver(world);
}

void world_cut(struct world *world, uint64_t from, uint64_t to, bool cut) {
    world->cut[from][to] = cut;
}

void world_isolate(struct world *world, uint64_t id, bool cut) {
    for (unsigned other = 1; other <= WORLD_NODES_MAX; other++)
        if (other != id)
            world->cut[id][other] = world->cut[other][id] = cut;
}

void world_disconnect(struct world *world, uint64_t a, uint64_t b) {
    struct event event = {.kind = EVENT_PEER_DOWN};
    event.peer.id = b;
    world_step(world, a, event);
    event.peer.id = a;
    world_step(world, b, event);
}

void world_connect(struct world *world, uint64_t a, uint64_t b) {
    hello(world, a, b);
    hello(world, b, a);
}

/* ---- clients ---- */

uint64_t world_propose(struct world *world, uint64_t id, const char *text) {
    uint64_t tag = ++world->next_tag;
    struct proposal proposal = {tag, bytes_cstr(text)};
    struct event event = {.kind = EVENT_PROPOSE};
    event.propose.items = &proposal;
    event.propose.count = 1;
    world_step(world, id, event);
    return tag;
}

uint64_t world_read(struct world *world, uint64_t id) {
    uint64_t tag = ++world->next_tag;
    GROW(world->asked, world->asked_count, world->asked_cap);
    world->asked[world->asked_count].tag = tag;
    world->asked[world->asked_count++].floor = world->committed;
    struct event event = {.kind = EVENT_READ};
    event.read.tag = tag;
    world_step(world, id, event);
    return tag;
}

uint64_t world_change(struct world *world, uint64_t id, const struct config_change *change) {
    struct event event = {.kind = EVENT_CONFIGURE};
    event.configure.tag = ++world->next_tag;
    event.configure.change = *change;
    world_step(world, id, event);
    return event.configure.tag;
}

uint64_t world_configure(struct world *world, uint64_t id, const struct config *target) {
    return world_change(world, id, &(struct config_change){.target = *target});
}

uint64_t world_transfer(struct world *world, uint64_t id, uint64_t to) {
    struct event event = {.kind = EVENT_TRANSFER};
    event.transfer.tag = ++world->next_tag;
    event.transfer.to = to;
    world_step(world, id, event);
    return event.transfer.tag;
}

void world_compact(struct world *world, uint64_t id, uint64_t trim) {
    struct world_node *node = &world->nodes[id];
    struct buf state = {0};
    struct event event = {.kind = EVENT_COMPACTED};
    struct replica_status status = world_status(world, id);
    if (status.applied_index == 0 || status.applied_index != node->applied)
        return;
    if (node->has_base && node->base.index >= status.applied_index)
        return;
    world->protocol->snapshot_base(node->replica, &event.compacted.base, &state);
    event.compacted.trim = trim < status.applied_index ? trim : status.applied_index;
    world_keep_snapshot(node, &event.compacted.base);
    world_step(world, id, event);
    world_log_drop_front(node, world_status(world, id).first_index);
    buf_free(&state);
}

/* ---- questions ---- */

struct replica_status world_status(const struct world *world, uint64_t id) {
    struct replica_status status = {0};
    if (world->nodes[id].up)
        world->protocol->status(world->nodes[id].replica, &status);
    return status;
}

uint64_t world_leader(const struct world *world) {
    uint64_t leader = 0, term = 0;
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++) {
        struct replica_status status = world_status(world, id);
        if (status.role == ROLE_LEADER && status.term > term) {
            leader = id;
            term = status.term;
        }
    }
    return leader;
}

bool world_elect(struct world *world) {
    for (int i = 0; i < 1000; i++) {
        uint64_t leader = world_leader(world);
        if (leader != 0) {
            struct replica_status status = world_status(world, leader);
            if (status.commit_index == status.last_index && status.last_term == status.term &&
                status.config_committed)
                return true;
        }
        world_run(world, 10 * MS);
    }
    return false;
}

bool world_settled(const struct world *world) {
    uint64_t leader = world_leader(world);
    if (leader == 0)
        return false;
    struct replica_status status = world_status(world, leader);
    if (status.applied_index != status.last_index)
        return false;
    for (uint32_t i = 0; i < status.config.count; i++) {
        uint64_t id = status.config.members[i].id;
        if (world->nodes[id].up && world_status(world, id).applied_index != status.last_index)
            return false;
    }
    return true;
}
