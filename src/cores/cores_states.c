#include "cores/cores_states.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/canon.h"

#include <string.h>

#define SIZE_FIRST (1u << 16)

static uint64_t *place_of(uint64_t *slots, size_t size, uint64_t fingerprint) {
    size_t at = fingerprint & (size - 1);
    while (slots[at] != 0 && slots[at] != fingerprint)
        at = (at + 1) & (size - 1);
    return &slots[at];
}

static void grow(struct cores_states *states) {
    size_t size = states->size ? states->size * 2 : SIZE_FIRST;
    uint64_t *slots = cairn_alloc(size * sizeof *slots);
    memset(slots, 0, size * sizeof *slots);
    for (size_t i = 0; i < states->size; i++)
        if (states->slots[i] != 0)
            *place_of(slots, size, states->slots[i]) = states->slots[i];
    cairn_free(states->slots);
    states->slots = slots;
    states->size = size;
}

bool cores_states_add(struct cores_states *states, uint64_t fingerprint) {
    fingerprint |= fingerprint == 0;
    if (states->count * 3 >= states->size * 2)
        grow(states);
    uint64_t *slot = place_of(states->slots, states->size, fingerprint);
    if (*slot == fingerprint)
        return false;
    *slot = fingerprint;
    states->count++;
    return true;
}

size_t cores_states_bytes(const struct cores_states *states) {
    return states->size * sizeof *states->slots;
}

void cores_states_free(struct cores_states *states) {
    cairn_free(states->slots);
    *states = (struct cores_states){0};
}

/* ---- fingerprints ---- */

unsigned cores_oldest(const struct cores_world *world) {
    uint64_t best = UINT64_MAX;
    unsigned oldest = 0;
    for (uint64_t filled = world->filled; filled != 0; filled &= filled - 1) {
        unsigned way = (unsigned)__builtin_ctzll(filled);
        const struct cores_channel *channel = &world->channels[way / 8][way % 8];
        if (channel->items[0].at < best) {
            best = channel->items[0].at;
            oldest = way;
        }
    }
    return oldest;
}

static void of_disk(const struct cores_node *node, struct canon *canon) {
    const struct cores_image *image = &node->image;
    if (image->has_hard)
        canon->sum = bytes_hash(buf_view(&image->hard), canon->sum);
    canon_number(canon, image->first + image->count);
    for (size_t i = 0; i < image->count; i++)
        canon_entry(canon, &image->entries[i]);
    canon_number(canon, node->persist_count);
    for (size_t i = 0; i < node->persist_count; i++) {
        const struct cores_persist *persist = &node->persists[i];
        canon->sum = bytes_hash(buf_view(&persist->hard), canon->sum);
        canon_number(canon, persist->truncate_from);
        canon_number(canon, persist->count);
        for (size_t j = 0; j < persist->count; j++)
            canon_entry(canon, &persist->entries[j]);
    }
}

static void of_message(const struct cores_message *message, uint64_t to, struct canon *canon) {
    cairn_assert(message->frame != NULL); /* no snapshot is ever made */
    canon->sum = bytes_hash(blob_view(message->frame), canon->sum + to);
}

/* Messages name the sender's time, and a life draws its numbers by what it began with. */
uint64_t cores_node_key(const struct cores_world *world, const struct cores_node *node) {
    struct canon canon = {.sum = node->id};
    canon_number(&canon, node->up);
    canon_number(&canon, node->lives);
    canon_number(&canon, node->ahead_ns);
    of_disk(node, &canon);
    canon_number(&canon, node->told_term);
    canon_number(&canon, node->told_vote);
    if (!node->up)
        return canon.sum;
    canon_number(&canon, node->applied);
    world->view->canon(node->replica, &canon);
    for (size_t i = 0; i < node->send_count; i++) {
        canon_number(&canon, node->sends[i].after - node->durable_seq);
        of_message(&node->sends[i].message, node->sends[i].to, &canon);
    }
    return canon.sum;
}

/* What the oracles remember and what replicas may have forgotten. */
static void of_oracles(const struct cores_world *world, struct canon *canon) {
    canon_number(canon, world->committed);
    canon_number(canon, world->applied);
    canon_number(canon, world->commit_term);
    canon_number(canon, world->tags);
    for (uint64_t tag = 1; tag <= world->tags && tag < CORES_READS; tag++)
        canon_number(canon, world->reads[tag].floor);
    for (uint64_t term = 1; term <= world->highest_term; term++)
        canon_number(canon, world->leader_of[term]);
}

/* A way is in order; among ways there is none. */
uint64_t cores_fingerprint(const struct cores_world *world) {
    struct canon canon = {.sum = 1};
    for (unsigned id = 1; id <= world->count; id++)
        canon_number(&canon, cores_node_key(world, &world->nodes[id]));
    for (uint64_t filled = world->filled; filled != 0; filled &= filled - 1) {
        unsigned way = (unsigned)__builtin_ctzll(filled);
        const struct cores_channel *channel = &world->channels[way / 8][way % 8];
        for (unsigned i = 0; i < channel->count; i++)
            of_message(&channel->items[i], way, &canon);
    }
    of_oracles(world, &canon);
    return canon.sum;
}
