#include "raft_world.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define GROW(items, count, cap)                                        \
    do {                                                               \
        if ((count) == (cap)) {                                        \
            (cap) = (cap) ? (cap)*2 : 16;                              \
            (items) = cairn_realloc((items), (cap) * sizeof *(items)); \
        }                                                              \
    } while (0)

__attribute__((format(printf, 2, 3))) static void say(struct world *world, const char *format,
                                                      ...) {
    if (world->log == NULL)
        return;
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    buf_printf(world->log, "%s\n", text);
}

static void breach(struct world *world, const char *what) {
    if (world->broken == NULL)
        world->broken = what;
}

static struct entry own_copy(const struct entry *entry) {
    struct entry copy = *entry;
    copy.blob = blob_from(entry->encoded);
    copy.encoded = blob_view(copy.blob);
    copy.payload = bytes_of(copy.blob->data + ENTRY_HEAD_BYTES, entry->payload.len);
    return copy;
}

/* ---- the disk ---- */

static void log_cut(struct world_node *node, uint64_t from) {
    while (node->log_count > 0 && node->log_first + node->log_count > from)
        entry_unref(&node->log[--node->log_count]);
}

static void log_drop_front(struct world_node *node, uint64_t first) {
    size_t dead = 0;
    while (dead < node->log_count && node->log_first + dead < first)
        entry_unref(&node->log[dead++]);
    node->log_count -= dead;
    if (node->log_count)
        memmove(node->log, node->log + dead, node->log_count * sizeof *node->log);
    if (node->log_count)
        memmove(node->damaged, node->damaged + dead, node->log_count * sizeof *node->damaged);
    node->log_first += dead;
    if (node->log_count == 0)
        node->log_first = first;
}

static void log_put(struct world_node *node, const struct entry *entry) {
    if (node->log_count == 0)
        node->log_first = entry->index;
    uint64_t at = entry->index - node->log_first;
    if (entry->index < node->log_first)
        return;
    if (at < node->log_count) {
        entry_unref(&node->log[at]);
    } else {
        cairn_assert(at == node->log_count);
        if (node->log_count == node->log_cap) {
            node->log_cap = node->log_cap ? node->log_cap * 2 : 64;
            node->log = cairn_realloc(node->log, node->log_cap * sizeof *node->log);
            node->damaged = cairn_realloc(node->damaged, node->log_cap * sizeof *node->damaged);
        }
        node->log_count++;
    }
    node->log[at] = own_copy(entry);
    node->damaged[at] = false;
}

static void persist_free(struct world_persist *persist) {
    blob_unref(persist->hard);
    for (size_t i = 0; i < persist->count; i++)
        entry_unref(&persist->entries[i]);
    cairn_free(persist->entries);
}

static void persist_do(struct world_node *node, struct world_persist *persist) {
    if (persist->hard != NULL) {
        blob_unref(node->hard);
        node->hard = blob_ref(persist->hard);
        node->hard_lost = false;
    }
    if (persist->reset) {
        log_cut(node, 0);
        node->log_first = persist->base.index + 1;
    }
    if (persist->truncate_from)
        log_cut(node, persist->truncate_from);
    for (size_t i = 0; i < persist->count; i++) {
        if (!persist->repaired && node->log_count > 0)
            log_cut(node, persist->entries[i].index);
        log_put(node, &persist->entries[i]);
    }
}

static void inner(struct world_node *node, struct event event) {
    GROW(node->inner, node->inner_count, node->inner_cap);
    node->inner[node->inner_count++] = (struct world_inner){.event = event};
}

static void network_push(struct world *world, struct world_message message) {
    struct world_messages *network = &world->network;
    GROW(network->items, network->count, network->cap);
    network->items[network->count++] = message;
}

static void message_free(struct world_message *message) {
    blob_unref(message->frame);
    blob_unref(message->state);
}

static void release_sends(struct world *world, struct world_node *node) {
    size_t left = 0;
    for (size_t i = 0; i < node->send_count; i++) {
        if (node->sends[i].after <= node->durable_seq)
            network_push(world, node->sends[i].message);
        else
            node->sends[left++] = node->sends[i];
    }
    node->send_count = left;
}

static void fail_persists(struct world *world, struct world_node *node) {
    uint64_t seq = node->persists[0].seq;
    if (node->disk_fails == CAIRN_IO)
        node->stopped = true;
    for (size_t i = 0; i < node->persist_count; i++)
        persist_free(&node->persists[i]);
    node->persist_count = 0;
    for (size_t i = 0; i < node->send_count;) {
        if (node->sends[i].after >= seq) {
            message_free(&node->sends[i].message);
            node->sends[i] = node->sends[--node->send_count];
        } else {
            i++;
        }
    }
    struct event event = {.kind = EVENT_PERSIST_FAILED};
    event.persisted.seq = seq;
    event.persisted.status = node->disk_fails;
    inner(node, event);
    say(world, "  %" PRIu64 ": disk: %s", node->id, cairn_status_name(node->disk_fails));
}

static void complete(struct world *world, struct world_node *node, size_t count) {
    if (node->persist_count == 0)
        return;
    /* The hard state has a place of its own that a full disk leaves it. */
    bool entries = false;
    for (size_t i = 0; i < node->persist_count; i++)
        entries |= node->persists[i].count > 0;
    if (node->disk_fails == CAIRN_IO || (node->disk_fails == CAIRN_NO_SPACE && entries)) {
        fail_persists(world, node);
        return;
    }
    if (count == 0 || count > node->persist_count)
        count = node->persist_count;
    for (size_t i = 0; i < count; i++) {
        persist_do(node, &node->persists[i]);
        node->durable_seq = node->persists[i].seq;
        persist_free(&node->persists[i]);
    }
    node->persist_count -= count;
    memmove(node->persists, node->persists + count, node->persist_count * sizeof *node->persists);
    release_sends(world, node);
    struct event event = {.kind = EVENT_PERSISTED};
    event.persisted.seq = node->durable_seq;
    inner(node, event);
}

/* ---- what must hold ---- */

static void history_note(struct world *world, uint64_t index, uint64_t term, uint64_t chain) {
    if (index >= world->history_cap) {
        size_t cap = index * 2 + 64;
        world->history = cairn_realloc(world->history, cap * sizeof *world->history);
        memset(world->history + world->history_cap, 0,
               (cap - world->history_cap) * sizeof *world->history);
        world->history_cap = cap;
    }
    if (world->history[index].term == 0) {
        world->history[index].term = term;
        world->history[index].chain = chain;
    } else if (world->history[index].term != term || world->history[index].chain != chain) {
        breach(world, "state machine safety: two entries applied at one index");
    }
    if (index > world->committed)
        world->committed = index;
}

/* Leader Completeness: whoever wins an election has everything that was ever applied. */
static void check_completeness(struct world *world, struct world_node *node) {
    struct replica_status status = world_status(world, node->id);
    for (uint64_t index = status.last_index; index >= status.first_index && index > 0; index--) {
        uint64_t chain;
        if (index >= world->history_cap || world->history[index].term == 0)
            continue;
        if (protocol_raft.chain_at(node->replica, index, &chain) &&
            chain != world->history[index].chain)
            breach(world, "leader completeness: a new leader has another entry");
        break;
    }
    if (status.last_index < world->committed)
        breach(world, "leader completeness: a new leader lacks a committed entry");
}

static void leader_note(struct world *world, uint64_t term, uint64_t leader) {
    for (size_t i = 0; i < world->leader_count; i++)
        if (world->leaders[i].term == term) {
            if (world->leaders[i].leader != leader)
                breach(world, "election safety: two leaders in one term");
            return;
        }
    GROW(world->leaders, world->leader_count, world->leader_cap);
    world->leaders[world->leader_count].term = term;
    world->leaders[world->leader_count++].leader = leader;
}

static void read_note(struct world *world, uint64_t tag, enum cairn_status status, uint64_t index) {
    for (size_t i = 0; i < world->asked_count; i++)
        if (world->asked[i].tag == tag) {
            if (status == CAIRN_OK && index < world->asked[i].floor)
                breach(world, "linearizability: a read is older than what was committed before");
            world->asked[i] = world->asked[--world->asked_count];
            return;
        }
}

/* ---- effects ---- */

static const char *role_name(enum role role) {
    static const char *const names[] = {"", "follower", "pre-candidate", "candidate", "leader"};
    return names[role];
}

static void do_persist(struct world *world, struct world_node *node, const struct effect *effect) {
    struct world_persist persist = {.seq = effect->persist.seq,
                                    .reset = effect->persist.reset,
                                    .repaired = effect->persist.repaired,
                                    .base = effect->persist.reset_base,
                                    .truncate_from = effect->persist.truncate_from,
                                    .count = effect->persist.count};
    if (effect->persist.hard.len)
        persist.hard = blob_from(effect->persist.hard);
    persist.entries = cairn_alloc((persist.count + 1) * sizeof *persist.entries);
    for (size_t i = 0; i < persist.count; i++)
        persist.entries[i] = own_copy(&effect->persist.entries[i]);
    GROW(node->persists, node->persist_count, node->persist_cap);
    node->persists[node->persist_count++] = persist;
    if (world->log_traffic)
        say(world, "  %" PRIu64 ": persist %s%s%s%zu entries", node->id,
            persist.hard ? "hard " : "", persist.reset ? "reset " : "",
            persist.truncate_from ? "truncate " : "", persist.count);
}

static void do_send(struct world *world, struct world_node *node, const struct effect *effect) {
    size_t size = effect->send.head.len;
    for (size_t i = 0; i < effect->send.count; i++)
        size += effect->send.entries[i].encoded.len;
    struct blob *frame = blob_new(size);
    size_t at = effect->send.head.len;
    memcpy(frame->data, effect->send.head.data, at);
    for (size_t i = 0; i < effect->send.count; i++) {
        struct bytes encoded = effect->send.entries[i].encoded;
        memcpy(frame->data + at, encoded.data, encoded.len);
        at += encoded.len;
    }
    struct world_message message = {.from = node->id, .to = effect->send.to, .frame = frame};
    GROW(node->sends, node->send_count, node->send_cap);
    node->sends[node->send_count++] = (struct world_send){effect->send.after, message};
}

static void do_load(struct world_node *node, const struct effect *effect) {
    struct event event = {.kind = EVENT_LOADED};
    event.loaded.tag = effect->load.tag;
    GROW(node->inner, node->inner_count, node->inner_cap);
    node->inner[node->inner_count++] =
        (struct world_inner){event, effect->load.first, effect->load.last, effect->load.bytes_max};
}

static void read_back(struct world_node *node, struct world_inner *next) {
    struct event *event = &next->event;
    event->loaded.status = CAIRN_NOT_FOUND;
    if (next->first < node->log_first || next->first >= node->log_first + node->log_count)
        return;
    size_t bytes = 0, count = 0, at = next->first - node->log_first;
    while (next->first + count <= next->last && at + count < node->log_count &&
           !node->damaged[at + count] && (count == 0 || bytes < next->bytes_max))
        bytes += node->log[at + count++].encoded.len;
    event->loaded.status = count ? CAIRN_OK : CAIRN_CORRUPT;
    event->loaded.entries = &node->log[at];
    event->loaded.count = count;
}

static void do_apply(struct world *world, struct world_node *node, const struct effect *effect) {
    for (size_t i = 0; i < effect->apply.count; i++) {
        const struct entry *entry = &effect->apply.entries[i];
        if (entry->index != node->applied + 1)
            breach(world, "apply: an index left out or repeated");
        node->applied = entry->index;
        history_note(world, entry->index, entry->term, entry->chain);
        if (entry->kind == ENTRY_COMMAND)
            say(world, "  %" PRIu64 ": apply %" PRIu64 "/%" PRIu64 " %.*s", node->id, entry->index,
                entry->term, (int)entry->payload.len, (const char *)entry->payload.data);
        else
            say(world, "  %" PRIu64 ": apply %" PRIu64 "/%" PRIu64 " %s", node->id, entry->index,
                entry->term, entry->kind == ENTRY_NOOP ? "(no-op)" : "(configuration)");
    }
    struct event event = {.kind = EVENT_APPLIED};
    event.applied.index = node->applied;
    inner(node, event);
}

static void keep_snapshot(struct world_node *node, const struct log_base *base) {
    struct blob *state = blob_from(base->state);
    blob_unref(node->base_state);
    node->base_state = state;
    node->base = *base;
    node->base.state = blob_view(state);
    node->has_base = true;
}

static void do_install(struct world *world, struct world_node *node, const struct effect *effect) {
    const struct log_base *base = &effect->snapshot_install.base;
    if (base->index < node->applied)
        breach(world, "a snapshot replaced newer state");
    node->applied = base->index;
    history_note(world, base->index, base->term, base->chain);
    say(world, "  %" PRIu64 ": install snapshot %" PRIu64, node->id, base->index);
    struct event event = {.kind = EVENT_SNAPSHOT_INSTALLED};
    event.snapshot_installed.index = base->index;
    inner(node, event);
}

static void do_snapshot_send(struct world *world, struct world_node *node,
                             const struct effect *effect) {
    say(world, "  %" PRIu64 ": snapshot %" PRIu64 " to %" PRIu64, node->id,
        effect->snapshot_send.index, effect->snapshot_send.to);
    struct world_message message = {.from = node->id,
                                    .to = effect->snapshot_send.to,
                                    .snapshot = true,
                                    .base = node->base,
                                    .term = effect->snapshot_send.term,
                                    .state = blob_ref(node->base_state)};
    message.base.state = blob_view(message.state);
    network_push(world, message);
}

static void config_text(const struct config *config, struct buf *out) {
    for (uint32_t i = 0; i < config->count; i++) {
        const struct member *member = &config->members[i];
        buf_printf(out, " %" PRIu64 "%s%s", member->id, member->voter ? "" : "-learner",
                   config->joint && member->voter_old ? "-old" : "");
    }
}

static void do_effect(struct world *world, struct world_node *node, const struct effect *effect) {
    switch (effect->kind) {
    case EFFECT_PERSIST:
        do_persist(world, node, effect);
        break;
    case EFFECT_SEND:
        do_send(world, node, effect);
        break;
    case EFFECT_LOAD:
        do_load(node, effect);
        break;
    case EFFECT_APPLY:
        do_apply(world, node, effect);
        break;
    case EFFECT_OUTCOME:
        node->outcomes++;
        node->last_outcome = (struct world_outcome){effect->outcome.tag, effect->outcome.status,
                                                    effect->outcome.index, effect->outcome.term};
        say(world, "  %" PRIu64 ": outcome %s at %" PRIu64, node->id,
            cairn_status_name(effect->outcome.status), effect->outcome.index);
        break;
    case EFFECT_READ_READY:
        node->reads++;
        node->last_read.tag = effect->read_ready.tag;
        node->last_read.status = effect->read_ready.status;
        node->last_read.index = effect->read_ready.index;
        read_note(world, effect->read_ready.tag, effect->read_ready.status,
                  effect->read_ready.index);
        say(world, "  %" PRIu64 ": read %s at %" PRIu64, node->id,
            cairn_status_name(effect->read_ready.status), effect->read_ready.index);
        break;
    case EFFECT_SNAPSHOT_SEND:
        do_snapshot_send(world, node, effect);
        break;
    case EFFECT_SNAPSHOT_ANSWER:
        node->accepted = effect->snapshot_answer.accept;
        break;
    case EFFECT_SNAPSHOT_INSTALL:
        do_install(world, node, effect);
        break;
    case EFFECT_ROLE:
        say(world, "  %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64, node->id,
            role_name(effect->role.role), effect->role.term, effect->role.leader);
        if (effect->role.role == ROLE_LEADER) {
            leader_note(world, effect->role.term, node->id);
            check_completeness(world, node);
        }
        break;
    case EFFECT_CONFIG: {
        struct buf text = {0};
        config_text(effect->config.config, &text);
        say(world, "  %" PRIu64 ": config%.*s%s%s", node->id, (int)text.len,
            (const char *)text.data, effect->config.config->joint ? " joint" : "",
            effect->config.committed ? " committed" : "");
        buf_free(&text);
        break;
    }
    case EFFECT_TRACE:
        say(world, "  %" PRIu64 ": %s%s", node->id, effect->trace.level == 2 ? "WARNING " : "",
            effect->trace.text);
        break;
    }
}

static void do_effects(struct world *world, struct world_node *node, struct effects effects) {
    for (size_t i = 0; i < effects.count; i++)
        do_effect(world, node, &effects.items[i]);
    release_sends(world, node);
    if (!node->hold_disk)
        complete(world, node, 0);
}

static uint64_t clock_of(const struct world *world, const struct world_node *node) {
    return world->now + (uint64_t)((int64_t)(world->now / 1000000) * node->clock_ppm);
}

static void step_one(struct world *world, struct world_node *node, struct event event) {
    event.now = clock_of(world, node);
    event.wall_ms = world->wall_ms + world->now / MS;
    world->steps++;
    do_effects(world, node, protocol_raft.step(node->replica, &event));
}

static void settle(struct world *world, struct world_node *node) {
    while (node->inner_count > 0) {
        struct world_inner next = node->inner[0];
        memmove(node->inner, node->inner + 1, --node->inner_count * sizeof *node->inner);
        if (next.event.kind == EVENT_LOADED)
            read_back(node, &next);
        step_one(world, node, next.event);
    }
}

void world_step(struct world *world, uint64_t id, struct event event) {
    struct world_node *node = &world->nodes[id];
    if (!node->up || node->stopped)
        return;
    step_one(world, node, event);
    settle(world, node);
}

void world_disk(struct world *world, uint64_t id, size_t count) {
    struct world_node *node = &world->nodes[id];
    if (!node->up)
        return;
    complete(world, node, count);
    settle(world, node);
}

/* ---- lives ---- */

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

static void damage_recover(struct world_node *node, uint64_t *from, uint64_t to) {
    if (*from != 0)
        protocol_raft.recover_damage(node->replica, *from, to);
    *from = 0;
}

static void hello(struct world *world, uint64_t a, uint64_t b) {
    if (!world->nodes[a].up || !world->nodes[b].up || world->cut[a][b] || world->cut[b][a])
        return;
    struct event event = {.kind = EVENT_PEER_UP};
    event.peer.id = b;
    event.peer.incarnation = world->nodes[b].options.incarnation;
    world_step(world, a, event);
}

static void boot(struct world *world, struct world_node *node) {
    node->replica = protocol_raft.create(&node->options);
    node->up = true;
    node->stopped = false;
    node->applied = 0;
    node->durable_seq = 0;
    enum cairn_status status = CAIRN_OK;
    if (node->hard_lost)
        protocol_raft.recover_hard_lost(node->replica);
    else if (node->hard != NULL)
        status = protocol_raft.recover_hard(node->replica, blob_view(node->hard));
    cairn_assert(status == CAIRN_OK);
    if (node->has_base) {
        status = protocol_raft.recover_base(node->replica, &node->base);
        cairn_assert(status == CAIRN_OK);
        node->applied = node->base.index;
    }
    uint64_t damaged_from = 0;
    for (size_t i = 0; i < node->log_count; i++) {
        uint64_t index = node->log_first + i;
        if (node->damaged[i]) {
            damaged_from = damaged_from ? damaged_from : index;
            continue;
        }
        damage_recover(node, &damaged_from, index - 1);
        status = protocol_raft.recover_entry(node->replica, &node->log[i], false);
        cairn_assert(status == CAIRN_OK);
    }
    damage_recover(node, &damaged_from, node->log_first + node->log_count - 1);
    do_effects(world, node,
               protocol_raft.start(node->replica, clock_of(world, node),
                                   world->wall_ms + world->now / MS));
    settle(world, node);
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++)
        if (id != node->id && world->nodes[id].up) {
            hello(world, node->id, id);
            hello(world, id, node->id);
        }
}

struct world *world_empty(unsigned voters, uint64_t seed) {
    struct world *world = cairn_alloc_zero(sizeof *world);
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

void world_boot(struct world *world) {
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++)
        if (world->nodes[id].exists && !world->nodes[id].up)
            boot(world, &world->nodes[id]);
}

struct world *world_new(unsigned voters, uint64_t seed) {
    struct world *world = world_empty(voters, seed);
    world_boot(world);
    return world;
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
        persist_free(&node->persists[i]);
    for (size_t i = 0; i < node->send_count; i++)
        message_free(&node->sends[i].message);
    node->persist_count = node->send_count = node->inner_count = 0;
}

void world_crash(struct world *world, uint64_t id) {
    struct world_node *node = &world->nodes[id];
    if (!node->up)
        return;
    node->up = false;
    protocol_raft.destroy(node->replica);
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
    log_cut(node, 0);
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
        log_put(node, &entry);
        blob_unref(entry.blob);
    }
}

void world_damage(struct world *world, uint64_t id, uint64_t index) {
    struct world_node *node = &world->nodes[id];
    cairn_assert(!node->up && index >= node->log_first &&
                 index < node->log_first + node->log_count);
    node->damaged[index - node->log_first] = true;
}

void world_free(struct world *world) {
    for (unsigned id = 1; id <= WORLD_NODES_MAX; id++) {
        struct world_node *node = &world->nodes[id];
        if (node->up)
            protocol_raft.destroy(node->replica);
        forget_volatile(node);
        disk_clear(node);
        cairn_free(node->log);
        cairn_free(node->damaged);
        cairn_free(node->persists);
        cairn_free(node->sends);
        cairn_free(node->inner);
    }
    for (size_t i = 0; i < world->network.count; i++)
        message_free(&world->network.items[i]);
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
    message_free(&message);
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
            keep_snapshot(node, &message->base);
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
        if (world->log_traffic && raft_describe(blob_view(message.frame), text, sizeof text))
            say(world, "  %" PRIu64 "->%" PRIu64 " %s", message.from, message.to, text);
        struct event event = {.kind = EVENT_MESSAGE};
        event.message.from = message.from;
        event.message.frame = message.frame;
        event.message.body = blob_view(message.frame);
        event.message.wire_version = WIRE_VERSION_MIN;
        world_step(world, message.to, event);
    }
    message_free(&message);
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
        uint64_t at = protocol_raft.deadline(node->replica);
        if (at == UINT64_MAX)
            continue;
        /* Its clock runs at another rate: the moment of ours at which it shows `at`. */
        uint64_t mine = clock_of(world, node);
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

uint64_t world_configure(struct world *world, uint64_t id, const struct config *target) {
    struct event event = {.kind = EVENT_CONFIGURE};
    event.configure.tag = ++world->next_tag;
    event.configure.change.target = *target;
    world_step(world, id, event);
    return event.configure.tag;
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
    protocol_raft.snapshot_base(node->replica, &event.compacted.base, &state);
    event.compacted.trim = trim < status.applied_index ? trim : status.applied_index;
    keep_snapshot(node, &event.compacted.base);
    world_step(world, id, event);
    log_drop_front(node, world_status(world, id).first_index);
    buf_free(&state);
}

/* ---- questions ---- */

struct replica_status world_status(const struct world *world, uint64_t id) {
    struct replica_status status = {0};
    if (world->nodes[id].up)
        protocol_raft.status(world->nodes[id].replica, &status);
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
