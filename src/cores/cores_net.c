/* Messages on their way: a bag for each pair of nodes, of which the scheduler takes any. */
#include "cores/cores_world.h"

#include "base/alloc.h"
#include "cores/cores_oracle.h"

#include <inttypes.h>
#include <string.h>

void cores_message_free(struct cores_message message) {
    blob_unref(message.frame);
    if (message.offer != NULL) {
        buf_free(&message.offer->state);
        cairn_free(message.offer);
    }
}

/* The oldest message on a full way is lost; a snapshot is not, since its sender would be told, in
 * the middle of a step. There is at most one or two on any way. */
static void make_room(struct cores_world *world, uint64_t from, uint64_t to) {
    const struct cores_channel *channel = &world->channels[from][to];
    unsigned at = 0;
    while (at + 1 < channel->count && channel->items[at].offer != NULL)
        at++;
    cores_message_free(cores_take(world, from, to, at));
}

void cores_post(struct cores_world *world, uint64_t from, uint64_t to,
                struct cores_message message) {
    struct cores_channel *channel = &world->channels[from][to];
    if (channel->count == CORES_CHANNEL_MAX)
        make_room(world, from, to);
    message.at = ++world->posted;
    channel->items[channel->count++] = message;
    world->filled |= cores_bit(from, to);
}

struct cores_message cores_take(struct cores_world *world, uint64_t from, uint64_t to,
                                unsigned at) {
    struct cores_channel *channel = &world->channels[from][to];
    struct cores_message message = channel->items[at];
    channel->count--;
    memmove(channel->items + at, channel->items + at + 1,
            (channel->count - at) * sizeof *channel->items);
    if (channel->count == 0)
        world->filled &= ~cores_bit(from, to);
    return message;
}

/* The sender's executor tells how a snapshot fared; it waits for that. */
static void snapshot_ended(struct cores_world *world, uint64_t from, uint64_t to, uint64_t index,
                           enum cairn_status status) {
    struct event event = {.kind = EVENT_SNAPSHOT_SENT};
    event.snapshot_sent.to = to;
    event.snapshot_sent.index = index;
    event.snapshot_sent.status = status;
    cores_step(world, &world->nodes[from], event);
}

bool cores_drop(struct cores_world *world, uint64_t from, uint64_t to, unsigned at) {
    if (at >= world->channels[from][to].count)
        return false;
    struct cores_message message = cores_take(world, from, to, at);
    if (message.offer != NULL && world->nodes[from].up)
        snapshot_ended(world, from, to, message.offer->base.index, CAIRN_CLOSED);
    cores_message_free(message);
    return true;
}

bool cores_copy(struct cores_world *world, uint64_t from, uint64_t to, unsigned at) {
    const struct cores_channel *channel = &world->channels[from][to];
    if (at >= channel->count || channel->count == CORES_CHANNEL_MAX ||
        channel->items[at].offer != NULL)
        return false;
    blob_ref(channel->items[at].frame);
    cores_post(world, from, to, channel->items[at]);
    return true;
}

static void deliver_snapshot(struct cores_world *world, uint64_t from, struct cores_node *node,
                             const struct cores_offer *offer) {
    struct event event = {.kind = EVENT_SNAPSHOT_OFFERED};
    event.snapshot.from = from;
    event.snapshot.term = offer->term;
    event.snapshot.base = offer->base;
    node->accepted = false;
    cores_step(world, node, event);
    bool accepted = node->accepted;
    if (accepted) {
        if (!node->image.has_base || offer->base.index > node->image.base.index ||
            node->options.mutant == MUTANT_SNAPSHOT_OLD_INSTALL)
            cores_disk_keep_snapshot(node, &offer->base);
        event.kind = EVENT_SNAPSHOT_RECEIVED;
        cores_step(world, node, event);
    }
    if (world->nodes[from].up)
        snapshot_ended(world, from, node->id, offer->base.index,
                       accepted ? CAIRN_OK : CAIRN_REFUSED);
}

bool cores_deliver(struct cores_world *world, uint64_t from, uint64_t to, unsigned at) {
    struct cores_node *node = &world->nodes[to];
    if (at >= world->channels[from][to].count || world->cut & cores_bit(from, to))
        return false;
    if (!node->up)
        return cores_drop(world, from, to, at);
    struct cores_message message = cores_take(world, from, to, at);
    cores_apply_owed(world, node);
    if (message.offer != NULL) {
        cores_say(world, "%" PRIu64 "->%" PRIu64 " snapshot of %" PRIu64, from, to,
                  message.offer->base.index);
        deliver_snapshot(world, from, node, message.offer);
    } else {
        char text[200];
        if (world->log != NULL &&
            world->view->describe(blob_view(message.frame), text, sizeof text))
            cores_say(world, "%" PRIu64 "->%" PRIu64 " %s", from, to, text);
        struct event event = {.kind = EVENT_MESSAGE};
        event.message.from = from;
        event.message.frame = message.frame;
        event.message.body = blob_view(message.frame);
        event.message.wire_version = WIRE_VERSION_MAX;
        node->heard[from] = cores_clock(world, node);
        cores_oracle_heard(world, node, from, event.message.body);
        cores_step(world, node, event);
    }
    cores_message_free(message);
    return true;
}

void cores_net_clear(struct cores_world *world) {
    for (unsigned from = 1; from < CORES_IDS; from++)
        for (unsigned to = 1; to < CORES_IDS; to++) {
            struct cores_channel *channel = &world->channels[from][to];
            while (channel->count > 0)
                cores_message_free(channel->items[--channel->count]);
        }
    world->filled = world->cut = 0;
}
