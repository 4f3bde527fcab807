#include "cores/cores_local.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"
#include "cores/cores_states.h"

#include <string.h>

#define CHAINS_BLOCK 65536u /* numbers in a block that never moves */

struct message {
    struct blob *frame;
    uint64_t hash;
    uint8_t way;
};

/* A step and where it is looked for. */
struct known {
    uint32_t state;
    struct cores_happening happening;
    struct cores_local_step step;
};

/* Where things are found by a hash: numbers of the things, 0 for none. */
struct index {
    uint32_t *slots;
    size_t size, count;
};

struct block {
    struct block *next;
    size_t used;
    uint64_t items[CHAINS_BLOCK];
};

struct cores_locals {
    struct cores_setup setup;
    struct cores_world *world[CORES_IDS]; /* in which one replica runs */
    uint32_t at[CORES_IDS];               /* in the state with this number; 0: none */
    struct cores_notes noted;

    /* all from 1 on */
    struct cores_local *states;
    uint32_t state_count, state_cap;
    struct message *messages;
    uint32_t message_count, message_cap;
    struct known *steps;
    uint32_t step_count, step_cap;
    struct index state_index, message_index, step_index;

    uint32_t *sent;
    uint32_t sent_count, sent_cap;
    struct cores_note *notes;
    uint32_t note_count, note_cap;
    struct block *chains;
    struct cores_happening *way_back;
    size_t way_back_cap;
    bool exhausted;
};

/* Room for `more` behind `count` items. */
#define ROOM(items, count, cap, more)                                        \
    do {                                                                     \
        if ((count) + (more) > (cap)) {                                      \
            (cap) = ((count) + (more)) * 2;                                  \
            (items) = cairn_realloc(items, (size_t)(cap) * sizeof *(items)); \
        }                                                                    \
    } while (0)

/* ---- finding things ---- */

static uint32_t *index_slot(struct index *index, uint64_t hash) {
    return &index->slots[hash & (index->size - 1)];
}

static uint32_t *index_next(struct index *index, uint32_t *slot) {
    return slot + 1 == index->slots + index->size ? index->slots : slot + 1;
}

/* hash_of: of the thing with that number. */
static void index_grow(struct cores_locals *locals, struct index *index,
                       uint64_t (*hash_of)(const struct cores_locals *, uint32_t)) {
    if (index->count * 2 < index->size)
        return;
    struct index old = *index;
    index->size = old.size ? old.size * 2 : 4096;
    index->slots = cairn_alloc_zero(index->size * sizeof *index->slots);
    for (size_t i = 0; i < old.size; i++) {
        if (old.slots[i] == 0)
            continue;
        uint32_t *slot = index_slot(index, hash_of(locals, old.slots[i]));
        while (*slot != 0)
            slot = index_next(index, slot);
        *slot = old.slots[i];
    }
    cairn_free(old.slots);
}

static uint64_t state_hash(const struct cores_locals *locals, uint32_t state) {
    return locals->states[state].key;
}

static uint64_t message_hash(const struct cores_locals *locals, uint32_t message) {
    return locals->messages[message].hash;
}

static uint64_t step_hash_of(uint32_t state, struct cores_happening happening) {
    return prng_mix(state, (uint64_t)happening.kind << 32 | happening.arg);
}

static uint64_t step_hash(const struct cores_locals *locals, uint32_t step) {
    return step_hash_of(locals->steps[step].state, locals->steps[step].happening);
}

/* ---- messages ---- */

static uint32_t message_number(struct cores_locals *locals, unsigned way, struct blob *frame) {
    struct bytes body = blob_view(frame);
    uint64_t hash = bytes_hash(body, way);
    index_grow(locals, &locals->message_index, message_hash);
    uint32_t *slot = index_slot(&locals->message_index, hash);
    for (; *slot != 0; slot = index_next(&locals->message_index, slot)) {
        const struct message *known = &locals->messages[*slot];
        if (known->hash == hash && known->way == way && known->frame->len == body.len &&
            memcmp(known->frame->data, body.data, body.len) == 0)
            return *slot;
    }
    ROOM(locals->messages, locals->message_count + 1, locals->message_cap, 1);
    *slot = ++locals->message_count;
    locals->message_index.count++;
    locals->messages[*slot] = (struct message){blob_from(body), hash, (uint8_t)way};
    return *slot;
}

unsigned cores_local_way(const struct cores_locals *locals, uint32_t message) {
    return locals->messages[message].way;
}

/* ---- a replica alone ---- */

static void meet(struct cores_world *world, unsigned id, unsigned peer) {
    struct event event = {.kind = EVENT_PEER_UP};
    event.peer.id = peer;
    event.peer.incarnation = world->nodes[peer].options.incarnation;
    event.peer.wire_version = WIRE_VERSION_MAX;
    cores_step(world, &world->nodes[id], event);
}

static void deliver(struct cores_locals *locals, struct cores_world *world, uint32_t number) {
    const struct message *message = &locals->messages[number];
    blob_ref(message->frame);
    cores_post(world, message->way / 8, message->way % 8,
               (struct cores_message){.frame = message->frame});
    cores_deliver(world, message->way / 8, message->way % 8, 0);
}

static void happen(struct cores_locals *locals, struct cores_world *world, unsigned id,
                   struct cores_happening happening) {
    struct cores_move move = {.kind = happening.kind, .a = (uint8_t)id};
    switch (happening.kind) {
    case CORES_DELIVER:
        deliver(locals, world, happening.arg);
        return;
    case CORES_MEET:
        meet(world, id, happening.arg);
        return;
    case CORES_PART:
        move.b = (uint8_t)happening.arg;
        break;
    case CORES_DISK:
        move.b = 1;
        break;
    case CORES_CRASH:
        move.b = (uint8_t)(happening.arg >> 8);
        move.c = (uint8_t)happening.arg;
        break;
    case CORES_PROPOSE:
    case CORES_READ:
        world->tags = happening.arg - 1;
        break;
    default:
        break;
    }
    cores_do(world, move);
}

static struct cores_world *blank_world(struct cores_locals *locals, unsigned id) {
    struct cores_world *world = locals->world[id];
    if (world == NULL) {
        locals->world[id] = world = cores_world_new();
        cores_world_blank(world, &locals->setup);
        world->notes = &locals->noted;
    }
    cores_world_wipe(world, id);
    return world;
}

/* ---- states ---- */

static struct cores_chains chains_keep(struct cores_locals *locals, const uint64_t *items,
                                       uint32_t count, struct cores_chains before) {
    if (count == before.count &&
        (count == 0 || memcmp(items, before.items, count * sizeof *items) == 0))
        return before;
    if (locals->chains == NULL || locals->chains->used + count > CHAINS_BLOCK) {
        struct block *block = cairn_alloc(sizeof *block);
        block->next = locals->chains;
        block->used = 0;
        locals->chains = block;
    }
    uint64_t *at = locals->chains->items + locals->chains->used;
    memcpy(at, items, count * sizeof *items);
    locals->chains->used += count;
    return (struct cores_chains){count, at};
}

static struct cores_chains log_of(struct cores_locals *locals, const struct cores_world *world,
                                  const struct cores_node *node, struct cores_chains before) {
    uint64_t items[CORES_INDEX_MAX];
    uint32_t count = 0;
    while (node->up && count < CORES_INDEX_MAX &&
           world->setup.protocol->chain_at(node->replica, count + 1, &items[count]))
        count++;
    return chains_keep(locals, items, count, before);
}

static struct cores_chains disk_of(struct cores_locals *locals, const struct cores_node *node,
                                   struct cores_chains before) {
    uint64_t items[CORES_INDEX_MAX];
    uint32_t count = 0;
    cairn_assert(node->image.first == 1 || node->image.count == 0); /* no snapshot is ever made */
    for (; count < node->image.count && count < CORES_INDEX_MAX; count++)
        items[count] = node->image.entries[count].chain;
    return chains_keep(locals, items, count, before);
}

static void fill_writes(struct cores_locals *locals, const struct cores_node *node,
                        struct cores_local *state) {
    locals->exhausted |= node->persist_count > CORES_LOCAL_WRITES;
    for (size_t i = 0; i < node->persist_count && i < CORES_LOCAL_WRITES; i++) {
        const struct cores_persist *write = &node->persists[i];
        state->writes[state->write_count++] =
            (struct cores_write){.head = write->has_hard || write->truncate_from != 0,
                                 .reset = write->reset,
                                 .entries = (uint8_t)write->count};
    }
}

static void fill(struct cores_locals *locals, const struct cores_world *world, unsigned id,
                 const struct cores_local *before, struct cores_local *state) {
    const struct cores_node *node = &world->nodes[id];
    state->id = (uint8_t)id;
    state->up = node->up;
    state->ticks = node->up && cores_deadline(world, node) != UINT64_MAX;
    if (node->up) {
        state->role = node->belief.role;
        state->term = node->belief.term;
    }
    state->promised = node->image.promise.term;
    fill_writes(locals, node, state);
    state->log = log_of(locals, world, node, before->log);
    state->disk = disk_of(locals, node, before->disk);
}

static uint32_t state_number(struct cores_locals *locals, const struct cores_world *world,
                             unsigned id, uint32_t from, struct cores_happening by) {
    struct cores_local state = {.from = from, .by = by};
    state.key = cores_node_key(world, &world->nodes[id]);
    index_grow(locals, &locals->state_index, state_hash);
    uint32_t *slot = index_slot(&locals->state_index, state.key);
    for (; *slot != 0; slot = index_next(&locals->state_index, slot))
        if (locals->states[*slot].key == state.key)
            return *slot;
    ROOM(locals->states, locals->state_count + 1, locals->state_cap, 1);
    fill(locals, world, id, from ? &locals->states[from] : &(struct cores_local){0}, &state);
    *slot = ++locals->state_count;
    locals->state_index.count++;
    locals->states[*slot] = state;
    return *slot;
}

uint32_t cores_local_blank(struct cores_locals *locals, unsigned id) {
    locals->at[id] =
        state_number(locals, blank_world(locals, id), id, 0, (struct cores_happening){0});
    return locals->at[id];
}

/* The replica's world comes to be in that state: by all that led to it, from the beginning. */
static struct cores_world *reach(struct cores_locals *locals, unsigned id, uint32_t state) {
    if (locals->at[id] == state)
        return locals->world[id];
    size_t count = 0;
    for (uint32_t at = state; locals->states[at].from != 0; at = locals->states[at].from) {
        ROOM(locals->way_back, count, locals->way_back_cap, 1);
        locals->way_back[count++] = locals->states[at].by;
    }
    struct cores_world *world = blank_world(locals, id);
    while (count > 0) {
        locals->noted.count = 0;
        happen(locals, world, id, locals->way_back[--count]);
        if (world->filled != 0)
            cores_net_clear(world);
    }
    locals->at[id] = state;
    return world;
}

/* ---- steps ---- */

static void keep_sent(struct cores_locals *locals, struct cores_world *world,
                      struct cores_local_step *step) {
    unsigned way;
    step->sent = locals->sent_count;
    while ((way = cores_oldest(world)) != 0) {
        struct cores_message message = cores_take(world, way / 8, way % 8, 0);
        cairn_assert(message.frame != NULL);
        ROOM(locals->sent, locals->sent_count, locals->sent_cap, 1);
        locals->sent[locals->sent_count++] = message_number(locals, way, message.frame);
        cores_message_free(message);
    }
    step->sent_count = locals->sent_count - step->sent;
}

static void keep_notes(struct cores_locals *locals, struct cores_local_step *step) {
    step->notes = locals->note_count;
    step->note_count = (uint32_t)locals->noted.count;
    if (step->note_count == 0)
        return;
    ROOM(locals->notes, locals->note_count, locals->note_cap, step->note_count);
    memcpy(locals->notes + locals->note_count, locals->noted.items,
           step->note_count * sizeof *locals->notes);
    locals->note_count += step->note_count;
}

static struct cores_local_step take_step(struct cores_locals *locals, uint32_t state,
                                         struct cores_happening happening) {
    unsigned id = locals->states[state].id;
    struct cores_world *world = reach(locals, id, state);
    struct cores_local_step step = {0};
    locals->noted.count = 0;
    world->broken = NULL;
    happen(locals, world, id, happening);
    step.broken = world->broken != NULL;
    locals->exhausted |= world->exhausted;
    keep_sent(locals, world, &step);
    keep_notes(locals, &step);
    step.to = state_number(locals, world, id, state, happening);
    /* Known already: then it was reached another way first, and is the same. */
    locals->at[id] = step.to;
    return step;
}

const struct cores_local_step *cores_local_step(struct cores_locals *locals, uint32_t state,
                                                struct cores_happening happening) {
    uint64_t hash = step_hash_of(state, happening);
    index_grow(locals, &locals->step_index, step_hash);
    uint32_t *slot = index_slot(&locals->step_index, hash);
    for (; *slot != 0; slot = index_next(&locals->step_index, slot)) {
        const struct known *known = &locals->steps[*slot];
        if (known->state == state && known->happening.kind == happening.kind &&
            known->happening.arg == happening.arg)
            return &known->step;
    }
    struct known known = {state, happening, take_step(locals, state, happening)};
    ROOM(locals->steps, locals->step_count + 1, locals->step_cap, 1);
    *slot = ++locals->step_count;
    locals->step_index.count++;
    locals->steps[*slot] = known;
    return &locals->steps[*slot].step;
}

/* ---- queries ---- */

const struct cores_local *cores_local(const struct cores_locals *locals, uint32_t state) {
    return &locals->states[state];
}

const uint32_t *cores_local_sent(const struct cores_locals *locals,
                                 const struct cores_local_step *step) {
    return locals->sent + step->sent;
}

const struct cores_note *cores_local_notes(const struct cores_locals *locals,
                                           const struct cores_local_step *step) {
    return locals->notes + step->notes;
}

bool cores_locals_exhausted(const struct cores_locals *locals) {
    return locals->exhausted;
}

uint32_t cores_locals_count(const struct cores_locals *locals) {
    return locals->state_count;
}

uint32_t cores_locals_steps(const struct cores_locals *locals) {
    return locals->step_count;
}

size_t cores_locals_bytes(const struct cores_locals *locals) {
    return locals->state_cap * sizeof *locals->states +
           locals->message_cap * sizeof *locals->messages +
           locals->step_cap * sizeof *locals->steps + locals->sent_cap * sizeof *locals->sent +
           locals->note_cap * sizeof *locals->notes +
           (locals->state_index.size + locals->message_index.size + locals->step_index.size) *
               sizeof(uint32_t);
}

/* ---- life ---- */

struct cores_locals *cores_locals_new(const struct cores_setup *setup) {
    struct cores_locals *locals = cairn_alloc_zero(sizeof *locals);
    locals->setup = *setup;
    return locals;
}

void cores_locals_free(struct cores_locals *locals) {
    for (unsigned id = 1; id < CORES_IDS; id++)
        if (locals->world[id] != NULL)
            cores_world_free(locals->world[id]);
    for (uint32_t i = 1; i <= locals->message_count; i++)
        blob_unref(locals->messages[i].frame);
    while (locals->chains != NULL) {
        struct block *next = locals->chains->next;
        cairn_free(locals->chains);
        locals->chains = next;
    }
    cairn_free(locals->noted.items);
    cairn_free(locals->states);
    cairn_free(locals->messages);
    cairn_free(locals->steps);
    cairn_free(locals->state_index.slots);
    cairn_free(locals->message_index.slots);
    cairn_free(locals->step_index.slots);
    cairn_free(locals->sent);
    cairn_free(locals->notes);
    cairn_free(locals->way_back);
    cairn_free(locals);
}
