/* A world of replicas in memory: what becomes of events and effects, and what must hold. */
#include "replica_world_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void world_say(struct world *world, const char *format, ...) {
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

/* ---- the disk ---- */

void world_log_cut(struct world_node *node, uint64_t from) {
    while (node->log_count > 0 && node->log_first + node->log_count > from)
        entry_unref(&node->log[--node->log_count]);
}

void world_log_drop_front(struct world_node *node, uint64_t first) {
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

void world_log_put(struct world_node *node, const struct entry *entry) {
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
    node->log[at] = entry_copy(entry);
    node->damaged[at] = false;
}

void world_persist_free(struct world_persist *persist) {
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
        node->end_lost = 0; /* the executor writes such a hard state as `whole` */
    }
    if (persist->reset) {
        world_log_cut(node, 0);
        node->log_first = persist->base.index + 1;
    }
    if (persist->truncate_from)
        world_log_cut(node, persist->truncate_from);
    for (size_t i = 0; i < persist->count; i++) {
        if (!persist->repaired && node->log_count > 0)
            world_log_cut(node, persist->entries[i].index);
        world_log_put(node, &persist->entries[i]);
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

void world_message_free(struct world_message *message) {
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
        world_persist_free(&node->persists[i]);
    node->persist_count = 0;
    for (size_t i = 0; i < node->send_count;) {
        if (node->sends[i].after >= seq) {
            world_message_free(&node->sends[i].message);
            node->sends[i] = node->sends[--node->send_count];
        } else {
            i++;
        }
    }
    struct event event = {.kind = EVENT_PERSIST_FAILED};
    event.persisted.seq = seq;
    event.persisted.status = node->disk_fails == CAIRN_IO ? CAIRN_IO : CAIRN_NO_SPACE;
    node->failing++;
    inner(node, event);
    world_say(world, "  %" PRIu64 ": disk: %s", node->id,
              cairn_status_name(event.persisted.status));
}

/* The hard state has a place of its own that a full disk leaves it. */
static bool fits(struct world_node *node) {
    unsigned needed = 0;
    bool common = false;
    for (size_t i = 0; i < node->persist_count; i++) {
        const struct world_persist *persist = &node->persists[i];
        bool in_log = persist->count > 0 || persist->truncate_from > 0 || persist->reset;
        needed += in_log;
        common |= in_log && persist->room != ROOM_ALL;
    }
    if (common || needed > node->kept_room)
        return false;
    node->kept_room -= needed;
    return true;
}

static void complete(struct world *world, struct world_node *node, size_t count) {
    if (node->persist_count == 0)
        return;
    bool full = node->failing > 0 || (node->disk_fails == CAIRN_NO_SPACE && !fits(node));
    if (node->disk_fails == CAIRN_IO || full) {
        fail_persists(world, node);
        return;
    }
    if (count == 0 || count > node->persist_count)
        count = node->persist_count;
    for (size_t i = 0; i < count; i++) {
        persist_do(node, &node->persists[i]);
        node->durable_seq = node->persists[i].seq;
        world_persist_free(&node->persists[i]);
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
        if (world->protocol->chain_at(node->replica, index, &chain) &&
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
                                    .room = effect->persist.room,
                                    .base = effect->persist.reset_base,
                                    .truncate_from = effect->persist.truncate_from,
                                    .count = effect->persist.count};
    if (effect->persist.hard.len)
        persist.hard = blob_from(effect->persist.hard);
    persist.entries = cairn_alloc((persist.count + 1) * sizeof *persist.entries);
    for (size_t i = 0; i < persist.count; i++)
        persist.entries[i] = entry_copy(&effect->persist.entries[i]);
    GROW(node->persists, node->persist_count, node->persist_cap);
    node->persists[node->persist_count++] = persist;
    if (world->log_traffic)
        world_say(world, "  %" PRIu64 ": persist %s%s%s%zu entries", node->id,
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
            world_say(world, "  %" PRIu64 ": apply %" PRIu64 "/%" PRIu64 " %.*s", node->id,
                      entry->index, entry->term, (int)entry->payload.len,
                      (const char *)entry->payload.data);
        else
            world_say(world, "  %" PRIu64 ": apply %" PRIu64 "/%" PRIu64 " %s", node->id,
                      entry->index, entry->term,
                      entry->kind == ENTRY_NOOP ? "(no-op)" : "(configuration)");
    }
    struct event event = {.kind = EVENT_APPLIED};
    event.applied.index = node->applied;
    inner(node, event);
}

void world_keep_snapshot(struct world_node *node, const struct log_base *base) {
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
    world_say(world, "  %" PRIu64 ": install snapshot %" PRIu64, node->id, base->index);
    struct event event = {.kind = EVENT_SNAPSHOT_INSTALLED};
    event.snapshot_installed.index = base->index;
    inner(node, event);
}

static void do_snapshot_send(struct world *world, struct world_node *node,
                             const struct effect *effect) {
    world_say(world, "  %" PRIu64 ": snapshot %" PRIu64 " to %" PRIu64, node->id,
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
                                                    effect->outcome.index, effect->outcome.term,
                                                    effect->outcome.member};
        world_say(world, "  %" PRIu64 ": outcome %s at %" PRIu64, node->id,
                  cairn_status_name(effect->outcome.status), effect->outcome.index);
        break;
    case EFFECT_READ_READY:
        node->reads++;
        node->last_read.tag = effect->read_ready.tag;
        node->last_read.status = effect->read_ready.status;
        node->last_read.index = effect->read_ready.index;
        read_note(world, effect->read_ready.tag, effect->read_ready.status,
                  effect->read_ready.index);
        world_say(world, "  %" PRIu64 ": read %s at %" PRIu64, node->id,
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
        world_say(world, "  %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64, node->id,
                  role_name(effect->role.role), effect->role.term, effect->role.leader);
        if (effect->role.role == ROLE_LEADER) {
            leader_note(world, effect->role.term, node->id);
            check_completeness(world, node);
        }
        break;
    case EFFECT_CONFIG: {
        struct buf text = {0};
        config_text(effect->config.config, &text);
        world_say(world, "  %" PRIu64 ": config%.*s%s%s", node->id, (int)text.len,
                  (const char *)text.data, effect->config.config->joint ? " joint" : "",
                  effect->config.committed ? " committed" : "");
        buf_free(&text);
        break;
    }
    case EFFECT_TRACE:
        world_say(world, "  %" PRIu64 ": %s%s", node->id,
                  effect->trace.level == 2 ? "WARNING " : "", effect->trace.text);
        break;
    }
}

void world_effects(struct world *world, struct world_node *node, struct effects effects) {
    for (size_t i = 0; i < effects.count; i++)
        do_effect(world, node, &effects.items[i]);
    release_sends(world, node);
    if (!node->hold_disk)
        complete(world, node, 0);
}

uint64_t world_wall_of(const struct world *world, const struct world_node *node) {
    return world->wall_ms + world->now / MS + (uint64_t)node->wall_off_ms;
}

uint64_t world_clock_of(const struct world *world, const struct world_node *node) {
    return world->now + (uint64_t)((int64_t)(world->now / 1000000) * node->clock_ppm);
}

static void step_one(struct world *world, struct world_node *node, struct event event) {
    event.now = world_clock_of(world, node);
    event.wall_ms = world_wall_of(world, node);
    world->steps++;
    if (event.kind == EVENT_PERSIST_FAILED && node->failing > 0)
        node->failing--;
    world_effects(world, node, world->protocol->step(node->replica, &event));
    if (event.kind != EVENT_PERSIST_FAILED)
        return;
    struct replica_status status;
    world->protocol->status(node->replica, &status);
    node->stopped |= status.failed; /* also by a disk that was full in the middle of a repair */
}

static void tell_unreadable(struct world *world, struct world_node *node, uint64_t first) {
    struct event event = {.kind = EVENT_UNREADABLE};
    event.unreadable.first = event.unreadable.last = first;
    node->rotten = true;
    step_one(world, node, event);
}

/* As node/damage.c: a snapshot takes the place of what the disk can't give back; a replica that
 * can't be helped ends, and starts again. */
static void mend(struct world *world, struct world_node *node) {
    struct replica_status status = world_status(world, node->id);
    if (status.failed) {
        world_crash(world, node->id);
        return;
    }
    world_log_drop_front(node, status.first_index);
    if (status.unreadable != 0 && node->applied >= status.unreadable && !node->by_hand)
        world_compact(world, node->id, 0);
    else if (status.unreadable == 0 && !status.damaged)
        node->rotten = false;
}

void world_settle(struct world *world, struct world_node *node) {
    while (node->inner_count > 0) {
        struct world_inner next = node->inner[0];
        memmove(node->inner, node->inner + 1, --node->inner_count * sizeof *node->inner);
        if (next.event.kind == EVENT_LOADED)
            read_back(node, &next);
        if (next.event.kind == EVENT_LOADED && next.event.loaded.status == CAIRN_CORRUPT)
            tell_unreadable(world, node, next.first);
        step_one(world, node, next.event);
    }
    if (node->rotten)
        mend(world, node);
}

void world_step(struct world *world, uint64_t id, struct event event) {
    struct world_node *node = &world->nodes[id];
    if (!node->up || node->stopped)
        return;
    step_one(world, node, event);
    world_settle(world, node);
}

void world_disk(struct world *world, uint64_t id, size_t count) {
    struct world_node *node = &world->nodes[id];
    if (!node->up)
        return;
    complete(world, node, count);
    world_settle(world, node);
}

/* ---- lives ---- */
