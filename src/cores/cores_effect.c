/* What becomes of a core's effects: a perfect executor, as node/ is one, without its waiting. */
#include "cores/cores_world.h"

#include "base/alloc.h"
#include "cores/cores_oracle.h"

#include <inttypes.h>
#include <string.h>

void cores_inner(struct cores_node *node, struct event event) {
    if (node->inner_count == node->inner_cap) {
        node->inner_cap = node->inner_cap ? node->inner_cap * 2 : 8;
        node->inner = cairn_realloc(node->inner, node->inner_cap * sizeof *node->inner);
    }
    node->inner[node->inner_count++] = event;
}

/* ---- sending ---- */

static void leave(struct cores_world *world, struct cores_node *node, uint64_t to,
                  struct cores_message message, uint64_t clock) {
    if (message.frame != NULL)
        cores_oracle_claim(world, node, to, blob_view(message.frame), clock);
    if (to == 0 || to > world->count)
        cores_message_free(message);
    else
        cores_post(world, node->id, to, message);
}

void cores_release(struct cores_world *world, struct cores_node *node) {
    size_t left = 0;
    for (size_t i = 0; i < node->send_count; i++) {
        if (node->sends[i].after <= node->durable_seq)
            leave(world, node, node->sends[i].to, node->sends[i].message, node->sends[i].clock);
        else
            node->sends[left++] = node->sends[i];
    }
    node->send_count = left;
}

static struct blob *frame_of(const struct effect *effect) {
    size_t size = effect->send.head.len;
    for (size_t i = 0; i < effect->send.count; i++)
        size += effect->send.entries[i].encoded.len;
    struct blob *frame = blob_new(size);
    uint8_t *at = frame->data;
    memcpy(at, effect->send.head.data, effect->send.head.len);
    at += effect->send.head.len;
    for (size_t i = 0; i < effect->send.count; i++) {
        struct bytes encoded = effect->send.entries[i].encoded;
        memcpy(at, encoded.data, encoded.len);
        at += encoded.len;
    }
    return frame;
}

static void do_send(struct cores_world *world, struct cores_node *node,
                    const struct effect *effect) {
    struct cores_message message = {.frame = frame_of(effect)};
    uint64_t clock = cores_clock(world, node);
    if (effect->send.after <= node->durable_seq) {
        leave(world, node, effect->send.to, message, clock);
        return;
    }
    if (node->send_count == node->send_cap) {
        node->send_cap = node->send_cap ? node->send_cap * 2 : 8;
        node->sends = cairn_realloc(node->sends, node->send_cap * sizeof *node->sends);
    }
    node->sends[node->send_count++] =
        (struct cores_send){effect->send.after, effect->send.to, clock, message};
}

static void do_snapshot_send(struct cores_world *world, struct cores_node *node,
                             const struct effect *effect) {
    uint64_t to = effect->snapshot_send.to;
    if (!node->image.has_base || to == 0 || to > world->count)
        return;
    struct cores_offer *offer = cairn_alloc_zero(sizeof *offer);
    offer->base = node->image.base;
    offer->term = effect->snapshot_send.term;
    buf_bytes(&offer->state, node->image.base.state);
    offer->base.state = buf_view(&offer->state);
    cores_post(world, node->id, to, (struct cores_message){.offer = offer});
}

/* ---- what the executor answers ---- */

static void do_load(struct cores_node *node, const struct effect *effect) {
    const struct cores_image *image = &node->image;
    uint64_t first = effect->load.first;
    struct event event = {.kind = EVENT_LOADED};
    event.loaded.tag = effect->load.tag;
    event.loaded.status = CAIRN_NOT_FOUND;
    if (image->count > 0 && first >= image->first && first < image->first + image->count) {
        size_t at = first - image->first, bytes = 0, count = 0;
        while (first + count <= effect->load.last && at + count < image->count &&
               (count == 0 || bytes < effect->load.bytes_max))
            bytes += image->entries[at + count++].encoded.len;
        event.loaded.status = CAIRN_OK;
        event.loaded.entries = &image->entries[at];
        event.loaded.count = count;
    }
    cores_inner(node, event);
}

static void owe(struct cores_node *node, const struct entry *entry) {
    if (node->owed_count == node->owed_cap) {
        node->owed_cap = node->owed_cap ? node->owed_cap * 2 : 8;
        node->owed = cairn_realloc(node->owed, node->owed_cap * sizeof *node->owed);
    }
    node->owed[node->owed_count++] = entry_keep(entry);
}

void cores_apply_owed(struct cores_world *world, struct cores_node *node) {
    if (node->owed_count == 0)
        return;
    for (size_t i = 0; i < node->owed_count; i++)
        cores_oracle_apply(world, node, &node->owed[i]);
    cores_drop_owed(node);
    struct event event = {.kind = EVENT_APPLIED};
    event.applied.index = node->applied;
    cores_step(world, node, event);
}

void cores_drop_owed(struct cores_node *node) {
    while (node->owed_count > 0)
        entry_unref(&node->owed[--node->owed_count]);
}

static void do_apply(struct cores_world *world, struct cores_node *node,
                     const struct effect *effect) {
    bool slow = world->setup.slow >> node->id & 1;
    for (size_t i = 0; i < effect->apply.count && slow; i++)
        owe(node, &effect->apply.entries[i]);
    if (slow)
        return;
    for (size_t i = 0; i < effect->apply.count; i++)
        cores_oracle_apply(world, node, &effect->apply.entries[i]);
    struct event event = {.kind = EVENT_APPLIED};
    event.applied.index = node->applied;
    cores_inner(node, event);
}

static void do_install(struct cores_world *world, struct cores_node *node,
                       const struct effect *effect) {
    cores_drop_owed(node); /* the snapshot has it */
    cores_oracle_install(world, node, &effect->snapshot_install.base);
    struct event event = {.kind = EVENT_SNAPSHOT_INSTALLED};
    event.snapshot_installed.index = effect->snapshot_install.base.index;
    cores_inner(node, event);
}

/* ---- the trace ---- */

static void say_effect(struct cores_world *world, struct cores_node *node,
                       const struct effect *effect) {
    static const char *const roles[] = {"", "follower", "pre-candidate", "candidate", "leader"};
    switch (effect->kind) {
    case EFFECT_PERSIST:
        cores_say(world, "  %" PRIu64 ": writes %s%s%s%zu entries", node->id,
                  effect->persist.hard.len ? "hard state, " : "",
                  effect->persist.reset ? "reset, " : "",
                  effect->persist.truncate_from ? "truncation, " : "", effect->persist.count);
        break;
    case EFFECT_OUTCOME:
        cores_say(world, "  %" PRIu64 ": outcome %s at %" PRIu64, node->id,
                  cairn_status_name(effect->outcome.status), effect->outcome.index);
        break;
    case EFFECT_READ_READY:
        cores_say(world, "  %" PRIu64 ": read %s at %" PRIu64, node->id,
                  cairn_status_name(effect->read_ready.status), effect->read_ready.index);
        break;
    case EFFECT_ROLE:
        cores_say(world, "  %" PRIu64 ": %s in term %" PRIu64 ", leader %" PRIu64, node->id,
                  roles[effect->role.role], effect->role.term, effect->role.leader);
        break;
    case EFFECT_APPLY:
        cores_say(world, "  %" PRIu64 ": applies %" PRIu64 " to %" PRIu64, node->id,
                  effect->apply.entries[0].index,
                  effect->apply.entries[0].index + effect->apply.count - 1);
        break;
    case EFFECT_SNAPSHOT_INSTALL:
        cores_say(world, "  %" PRIu64 ": installs a snapshot of %" PRIu64, node->id,
                  effect->snapshot_install.base.index);
        break;
    case EFFECT_TRACE:
        cores_say(world, "  %" PRIu64 ": %s", node->id, effect->trace.text);
        break;
    default:
        break;
    }
}

static void do_effect(struct cores_world *world, struct cores_node *node,
                      const struct effect *effect) {
    if (world->log != NULL)
        say_effect(world, node, effect);
    switch (effect->kind) {
    case EFFECT_PERSIST:
        cores_disk_write(world, node, effect);
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
        world->acked += effect->outcome.status == CAIRN_OK;
        break;
    case EFFECT_READ_READY:
        cores_oracle_read(world, node, effect->read_ready.tag, effect->read_ready.status,
                          effect->read_ready.index);
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
        if (effect->role.role == ROLE_LEADER)
            cores_oracle_leader(world, node, effect->role.term);
        break;
    case EFFECT_CONFIG:
        node->config_told = true;
        cores_oracle_config(world, node, effect->config.index);
        break;
    case EFFECT_TRACE:
        break;
    }
}

void cores_effects(struct cores_world *world, struct cores_node *node, struct effects effects) {
    for (size_t i = 0; i < effects.count; i++)
        do_effect(world, node, &effects.items[i]);
}
