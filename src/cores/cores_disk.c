/* A disk: writes are under way until the scheduler completes them, oldest first; a power loss
 * leaves the first ones, and of the next a part in the order that the contract names. */
#include "cores/cores_world.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "cores/cores_oracle.h"

#include <string.h>

static struct cores_persist *persist_new(struct cores_node *node) {
    if (node->persist_count == node->persist_cap) {
        size_t cap = node->persist_cap ? node->persist_cap * 2 : 8;
        node->persists = cairn_realloc(node->persists, cap * sizeof *node->persists);
        memset(node->persists + node->persist_cap, 0,
               (cap - node->persist_cap) * sizeof *node->persists);
        node->persist_cap = cap;
    }
    struct cores_persist *persist = &node->persists[node->persist_count++];
    persist->hard.len = 0;
    persist->count = 0;
    return persist;
}

/* Its memory is kept for the next one: it goes to the end of the list. */
static void persist_done(struct cores_node *node) {
    struct cores_persist first = node->persists[0];
    node->persist_count--;
    memmove(node->persists, node->persists + 1, node->persist_count * sizeof *node->persists);
    node->persists[node->persist_count] = first;
}

void cores_disk_write(struct cores_world *world, struct cores_node *node,
                      const struct effect *effect) {
    cairn_assert(!effect->persist.repaired); /* no entry is ever damaged here */
    struct cores_persist *persist = persist_new(node);
    persist->seq = effect->persist.seq;
    persist->has_hard = effect->persist.hard.len > 0;
    buf_bytes(&persist->hard, effect->persist.hard);
    persist->reset = effect->persist.reset;
    persist->room = effect->persist.room;
    persist->base = effect->persist.reset_base;
    persist->truncate_from = effect->persist.truncate_from;
    if (persist->cap < effect->persist.count) {
        persist->cap = effect->persist.count * 2;
        persist->entries = cairn_realloc(persist->entries, persist->cap * sizeof *persist->entries);
    }
    for (size_t i = 0; i < effect->persist.count; i++) {
        persist->entries[persist->count++] = entry_keep(&effect->persist.entries[i]);
        cores_oracle_author(world, node, &effect->persist.entries[i]);
    }
}

/* ---- the image ---- */

uint64_t cores_disk_last(const struct cores_node *node) {
    const struct cores_image *image = &node->image;
    uint64_t last = image->count > 0 ? image->first + image->count - 1 : 0;
    return image->has_base && image->base.index > last ? image->base.index : last;
}

static void log_cut(struct cores_image *image, uint64_t from) {
    while (image->count > 0 && image->first + image->count > from)
        entry_unref(&image->entries[--image->count]);
}

void cores_disk_trim(struct cores_node *node, uint64_t first) {
    struct cores_image *image = &node->image;
    size_t dead = 0;
    while (dead < image->count && image->first + dead < first)
        entry_unref(&image->entries[dead++]);
    image->count -= dead;
    memmove(image->entries, image->entries + dead, image->count * sizeof *image->entries);
    image->first += dead;
}

/* Takes the reference over. */
static void log_put(struct cores_image *image, struct entry entry) {
    log_cut(image, entry.index);
    if (image->count == 0)
        image->first = entry.index;
    cairn_assert(entry.index == image->first + image->count);
    if (image->count == image->cap) {
        image->cap = image->cap ? image->cap * 2 : 64;
        image->entries = cairn_realloc(image->entries, image->cap * sizeof *image->entries);
    }
    image->entries[image->count++] = entry;
}

static void hard_put(struct cores_world *world, struct cores_node *node, struct bytes hard) {
    struct promise before = node->image.promise;
    buf_clear(&node->image.hard);
    buf_bytes(&node->image.hard, hard);
    node->image.has_hard = true;
    node->image.hard_lost = node->image.tail_lost = false;
    bool known = world->view->promise(hard, &node->image.promise);
    cairn_assert(known);
    cores_oracle_promise(world, node, &before);
}

/* It has no voice before a leader gave it back what it gives up: a follower whose history can't be
 * told in one message, say. */
static bool gives_up(const struct cores_world *world, const struct cores_node *node) {
    struct replica_status status;
    world->setup.protocol->status(node->replica, &status);
    return status.damaged;
}

/* In the contract's order, up to `entries` of its entries. */
static void carry_out(struct cores_world *world, struct cores_node *node,
                      struct cores_persist *persist, size_t entries) {
    struct cores_image *image = &node->image;
    bool overwrites = persist->truncate_from != 0 ||
                      (persist->count > 0 && persist->entries[0].index <= cores_disk_last(node));
    bool late = node->refused_cut != 0 && persist->truncate_from >= node->refused_cut;
    bool kept = (overwrites || persist->reset) && !late && !(node->up && gives_up(world, node));
    uint64_t held = kept ? cores_oracle_held(world, node) : 0;
    if (persist->truncate_from != 0)
        node->refused_cut = 0;
    if (persist->has_hard)
        hard_put(world, node, buf_view(&persist->hard));
    if (persist->reset) {
        log_cut(image, 0);
        image->first = persist->base.index + 1;
    }
    if (persist->truncate_from)
        log_cut(image, persist->truncate_from);
    for (size_t i = 0; i < persist->count; i++) {
        if (i >= entries) {
            entry_unref(&persist->entries[i]);
            continue;
        }
        log_put(image, persist->entries[i]);
    }
    persist->count = 0;
    cores_oracle_kept(world, node, held);
}

/* The hard state has a place of its own. */
static bool fits(struct cores_node *node, const struct cores_persist *persist) {
    if (!node->full || (persist->count == 0 && !persist->reset && persist->truncate_from == 0))
        return true;
    if (persist->room != ROOM_ALL || node->kept == 0)
        return false;
    node->kept--;
    return true;
}

static void drop_entries(struct cores_persist *persist) {
    while (persist->count > 0)
        entry_unref(&persist->entries[--persist->count]);
}

/* What waits for a write that failed never leaves; one that can't go on ends. */
static void note_refused(struct cores_node *node, const struct cores_persist *persist) {
    uint64_t from = persist->truncate_from;
    if (from != 0 && (node->refused_cut == 0 || from < node->refused_cut))
        node->refused_cut = from;
}

static void no_room(struct cores_world *world, struct cores_node *node) {
    struct event event = {.kind = EVENT_PERSIST_FAILED};
    struct replica_status status;
    size_t left = 0;
    event.persisted.seq = node->persists[0].seq;
    event.persisted.status = CAIRN_NO_SPACE;
    for (; node->persist_count > 0; persist_done(node)) {
        note_refused(node, &node->persists[0]);
        drop_entries(&node->persists[0]);
    }
    for (size_t i = 0; i < node->send_count; i++) {
        if (node->sends[i].after >= event.persisted.seq)
            cores_message_free(node->sends[i].message);
        else
            node->sends[left++] = node->sends[i];
    }
    node->send_count = left;
    cores_step(world, node, event);
    world->setup.protocol->status(node->replica, &status);
    if (status.failed)
        cores_crash(world, node, 0, 0);
    else
        cores_oracle_refused(world, node);
}

bool cores_disk_done(struct cores_world *world, struct cores_node *node, unsigned count) {
    if (!node->up || count == 0 || count > node->persist_count)
        return false;
    struct event event = {.kind = EVENT_PERSISTED};
    bool fit = true;
    for (; count > 0 && (fit = fits(node, &node->persists[0])); count--) {
        carry_out(world, node, &node->persists[0], SIZE_MAX);
        event.persisted.seq = node->durable_seq = node->persists[0].seq;
        persist_done(node);
        cores_release(world, node); /* what it says holds now, and perhaps not after the next */
    }
    uint64_t failed = fit ? 0 : node->persists[0].seq;
    if (event.persisted.seq != 0)
        cores_step(world, node, event);
    if (!fit && node->persists[0].seq == failed)
        no_room(world, node);
    return true;
}

void cores_disk_forget(struct cores_node *node) {
    node->image.has_hard = false;
    node->image.hard_lost = true;
    node->image.promise = (struct promise){0};
    node->told_term = node->told_vote = 0;
}

/* What its snapshot stands for stays. */
void cores_disk_lose_tail(struct cores_node *node, unsigned count) {
    struct cores_image *image = &node->image;
    for (; count > 0 && image->count > 0; count--)
        entry_unref(&image->entries[--image->count]);
    image->tail_lost = true;
    node->harmed = true;
}

void cores_disk_replace(struct cores_node *node) {
    cores_disk_clear(node);
    node->told_term = node->told_vote = 0;
    node->acked_count = 0;
    node->options.incarnation++;
    node->options.bootstrap.count = 0; /* it is no founder any more */
    node->harmed = true;
}

void cores_disk_lose(struct cores_world *world, struct cores_node *node, unsigned kept,
                     unsigned torn) {
    for (; node->persist_count > 0; persist_done(node)) {
        struct cores_persist *persist = &node->persists[0];
        if (kept > 0) {
            carry_out(world, node, persist, SIZE_MAX);
            kept--;
            continue;
        }
        if (torn > 0 && !persist->reset)
            carry_out(world, node, persist, torn - 1);
        torn = 0;
        drop_entries(persist);
    }
}

void cores_disk_keep_snapshot(struct cores_node *node, const struct log_base *base) {
    struct cores_image *image = &node->image;
    struct buf state = {0};
    buf_bytes(&state, base->state);
    buf_free(&image->base_state);
    image->base_state = state;
    image->base = *base;
    image->base.state = buf_view(&image->base_state);
    image->has_base = true;
}

void cores_disk_clear(struct cores_node *node) {
    struct cores_image *image = &node->image;
    log_cut(image, 0);
    image->has_hard = image->has_base = image->hard_lost = image->tail_lost = false;
    image->promise = (struct promise){0};
    image->first = 1;
}

/* What the log still holds at or below a snapshot means nothing: it may be of another history. */
bool cores_disk_chain(const struct cores_node *node, uint64_t index, uint64_t *chain) {
    const struct cores_image *image = &node->image;
    if (image->has_base && index <= image->base.index) {
        *chain = image->base.chain;
        return index == image->base.index;
    }
    if (image->count == 0 || index < image->first || index >= image->first + image->count)
        return false;
    *chain = image->entries[index - image->first].chain;
    return true;
}

bool cores_disk_holds(const struct cores_node *node, uint64_t index, uint64_t chain) {
    uint64_t found;
    if (node->image.has_base && index <= node->image.base.index)
        return true;
    return cores_disk_chain(node, index, &found) && found == chain;
}
