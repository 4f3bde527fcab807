#include "cores/cores_judge.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/prng.h"

#include <string.h>

#define AUTHORS_MAX 64u

struct author {
    uint64_t index, term, chain;
};

struct knowledge {
    uint64_t committed, commit_term, applied, highest_term;
    uint8_t leader_of[CORES_JUDGE_TERMS];
    struct cores_point history[CORES_JUDGE_INDEXES];
    uint64_t floors[CORES_JUDGE_READS];
    uint32_t author_count;
    struct author authors[AUTHORS_MAX]; /* by rising index, then term */
};

struct known {
    struct knowledge *knowledge;
    uint64_t hash, key;
};

/* What was judged lately, by a hash of all that it was judged by. */
#define JUDGED_SLOTS (1u << 18)
struct judged {
    uint32_t known, notes; /* notes: of the step; no other has the same */
    uint32_t states[CORES_IDS];
    uint32_t result;
};

struct cores_judge {
    const struct cores_locals *locals;
    struct cores_world *world; /* never moved: it holds what the oracles look at */
    struct knowledge now;      /* as the world has it */
    uint32_t loaded;
    struct known *known; /* from 1 on */
    uint32_t count, cap;
    uint32_t *slots; /* by hash; 0: free */
    size_t size;
    struct judged *judged;
};

/* The oracles ask a replica for its log only. */
static bool chain_at(const struct replica *replica, uint64_t index, uint64_t *chain) {
    const struct cores_chains *log = (const struct cores_chains *)(const void *)replica;
    if (index == 0 || index > log->count)
        return false;
    *chain = log->items[index - 1];
    return true;
}

static const struct protocol protocol_judged = {.name = "judged", .chain_at = chain_at};

/* ---- what is known ---- */

static uint64_t key_of(const struct knowledge *knowledge) {
    uint64_t sum = prng_mix(knowledge->committed, knowledge->applied);
    sum = prng_mix(sum, knowledge->commit_term);
    for (unsigned tag = 1; tag < CORES_JUDGE_READS; tag++)
        if (knowledge->floors[tag] != 0)
            sum = prng_mix(sum, knowledge->floors[tag] << 8 | tag);
    for (uint64_t term = 1; term <= knowledge->highest_term; term++)
        sum = prng_mix(sum, knowledge->leader_of[term]);
    return sum;
}

static uint64_t hash_of(const struct knowledge *knowledge) {
    return bytes_hash(bytes_of((const uint8_t *)knowledge, sizeof *knowledge), 1);
}

static void grow(struct cores_judge *judge) {
    if (judge->count * 2 < judge->size)
        return;
    judge->size = judge->size ? judge->size * 2 : 1024;
    cairn_free(judge->slots);
    judge->slots = cairn_alloc_zero(judge->size * sizeof *judge->slots);
    for (uint32_t i = 1; i <= judge->count; i++) {
        size_t at = judge->known[i].hash & (judge->size - 1);
        while (judge->slots[at] != 0)
            at = (at + 1) & (judge->size - 1);
        judge->slots[at] = i;
    }
}

static uint32_t number_of(struct cores_judge *judge) {
    uint64_t hash = hash_of(&judge->now);
    grow(judge);
    size_t at = hash & (judge->size - 1);
    for (; judge->slots[at] != 0; at = (at + 1) & (judge->size - 1)) {
        const struct known *known = &judge->known[judge->slots[at]];
        if (known->hash == hash && memcmp(known->knowledge, &judge->now, sizeof judge->now) == 0)
            return judge->slots[at];
    }
    if (judge->count + 2 > judge->cap) {
        judge->cap = judge->cap ? judge->cap * 2 : 1024;
        judge->known = cairn_realloc(judge->known, judge->cap * sizeof *judge->known);
    }
    struct knowledge *copy = cairn_alloc(sizeof *copy);
    *copy = judge->now;
    judge->known[++judge->count] = (struct known){copy, hash, key_of(copy)};
    judge->slots[at] = judge->count;
    return judge->count;
}

uint64_t cores_judge_key(const struct cores_judge *judge, uint32_t known) {
    return judge->known[known].key;
}

/* ---- the world that the oracles see ---- */

static void load(struct cores_judge *judge, uint32_t known) {
    if (judge->loaded == known)
        return;
    struct cores_world *world = judge->world;
    struct knowledge *now = &judge->now;
    *now = *judge->known[known].knowledge;
    world->committed = now->committed;
    world->commit_term = now->commit_term;
    world->applied = now->applied;
    world->highest_term = now->highest_term;
    memcpy(world->leader_of, now->leader_of, sizeof now->leader_of);
    memcpy(world->history, now->history, sizeof now->history);
    for (unsigned tag = 0; tag < CORES_JUDGE_READS; tag++) {
        world->reads[tag].tag = tag;
        world->reads[tag].floor = now->floors[tag];
    }
    world->author_life++;
    for (uint32_t i = 0; i < now->author_count; i++) {
        const struct author *author = &now->authors[i];
        cores_oracle_judge(world, &world->nodes[1],
                           &(struct cores_note){.kind = CORES_NOTE_AUTHOR,
                                                .index = author->index,
                                                .term = author->term,
                                                .chain = author->chain});
    }
    judge->loaded = known;
}

static void know_author(struct knowledge *now, const struct cores_note *note) {
    uint32_t at = now->author_count;
    for (uint32_t i = 0; i < now->author_count; i++)
        if (now->authors[i].index == note->index && now->authors[i].term == note->term)
            return;
    cairn_assert(now->author_count < AUTHORS_MAX);
    for (; at > 0 &&
           (now->authors[at - 1].index > note->index ||
            (now->authors[at - 1].index == note->index && now->authors[at - 1].term > note->term));
         at--)
        now->authors[at] = now->authors[at - 1];
    now->authors[at] = (struct author){note->index, note->term, note->chain};
    now->author_count++;
}

static void take(struct cores_judge *judge) {
    const struct cores_world *world = judge->world;
    struct knowledge *now = &judge->now;
    cairn_assert(world->committed < CORES_JUDGE_INDEXES && world->highest_term < CORES_JUDGE_TERMS);
    now->committed = world->committed;
    now->commit_term = world->commit_term;
    now->applied = world->applied;
    now->highest_term = world->highest_term;
    memcpy(now->leader_of, world->leader_of, sizeof now->leader_of);
    memcpy(now->history, world->history, sizeof now->history);
    for (unsigned tag = 0; tag < CORES_JUDGE_READS; tag++)
        now->floors[tag] = world->reads[tag].floor;
}

static void set_disk(struct cores_node *node, const struct cores_local *state) {
    struct cores_image *image = &node->image;
    cairn_assert(state->disk.count <= image->cap);
    image->first = 1;
    image->count = state->disk.count;
    image->promise.term = state->promised;
    for (uint32_t i = 0; i < state->disk.count; i++)
        image->entries[i].chain = state->disk.items[i];
}

static void set_nodes(struct cores_judge *judge, const uint32_t *states) {
    struct cores_world *world = judge->world;
    for (unsigned id = 1; id <= world->count; id++) {
        const struct cores_local *state = cores_local(judge->locals, states[id]);
        struct cores_node *node = &world->nodes[id];
        node->up = state->up;
        node->belief.term = state->term;
        node->replica = (struct replica *)(void *)(size_t)&state->log;
        set_disk(node, state);
    }
}

/* ---- judging ---- */

static bool is_longer(const struct cores_chains *now, const struct cores_chains *before) {
    return before->count == 0 || now->items == before->items ||
           (now->count >= before->count &&
            memcmp(now->items, before->items, before->count * sizeof *now->items) == 0);
}

/* Entries that were on the disk are not there any more. */
static void judge_cut(struct cores_judge *judge, struct cores_node *node,
                      const struct cores_local *before, const struct cores_local *now) {
    set_disk(node, before);
    uint64_t held = cores_oracle_held(judge->world, node);
    set_disk(node, now);
    cores_oracle_kept(judge->world, node, held);
}

static uint32_t judge_notes(struct cores_judge *judge, uint32_t known, const uint32_t *states,
                            unsigned id, uint32_t before, const struct cores_local_step *step,
                            bool cut) {
    struct cores_world *world = judge->world;
    struct cores_node *node = &world->nodes[id];
    const struct cores_note *notes = cores_local_notes(judge->locals, step);
    load(judge, known);
    set_nodes(judge, states);
    world->broken = NULL;
    if (cut)
        judge_cut(judge, node, cores_local(judge->locals, before),
                  cores_local(judge->locals, states[id]));
    for (uint32_t i = 0; i < step->note_count; i++) {
        cores_oracle_judge(world, node, &notes[i]);
        if (notes[i].kind == CORES_NOTE_AUTHOR)
            know_author(&judge->now, &notes[i]);
    }
    judge->loaded = 0;
    if (world->broken != NULL)
        return 0;
    take(judge);
    judge->loaded = number_of(judge);
    return judge->loaded;
}

uint32_t cores_judge_step(struct cores_judge *judge, uint32_t known, const uint32_t *states,
                          unsigned id, uint32_t before, const struct cores_local_step *step) {
    const struct cores_local *was = cores_local(judge->locals, before);
    const struct cores_local *is = cores_local(judge->locals, states[id]);
    bool cut = !is_longer(&is->disk, &was->disk);
    if (cut)
        return judge_notes(judge, known, states, id, before, step, true);
    if (step->note_count == 0)
        return known;
    struct judged now = {.known = known, .notes = step->notes};
    uint64_t hash = prng_mix(known, step->notes);
    for (unsigned other = 1; other <= judge->world->count; other++) {
        now.states[other] = states[other];
        hash = prng_mix(hash, states[other]);
    }
    struct judged *slot = &judge->judged[hash & (JUDGED_SLOTS - 1)];
    now.result = slot->result;
    if (memcmp(slot, &now, sizeof now) == 0)
        return now.result;
    now.result = judge_notes(judge, known, states, id, before, step, false);
    if (now.result != 0)
        *slot = now;
    return now.result;
}

/* ---- life ---- */

uint32_t cores_judge_nothing(struct cores_judge *judge) {
    memset(&judge->now, 0, sizeof judge->now);
    judge->loaded = 0;
    return number_of(judge);
}

struct cores_judge *cores_judge_new(const struct cores_setup *setup,
                                    const struct cores_locals *locals) {
    struct cores_judge *judge = cairn_alloc_zero(sizeof *judge);
    judge->locals = locals;
    judge->judged = cairn_alloc_zero(JUDGED_SLOTS * sizeof *judge->judged);
    judge->world = cores_world_new();
    cores_world_blank(judge->world, setup);
    judge->world->setup.protocol = &protocol_judged;
    for (unsigned id = 1; id <= judge->world->count; id++) {
        struct cores_node *node = &judge->world->nodes[id];
        node->config = node->options.bootstrap;
        node->image.cap = CORES_JUDGE_INDEXES;
        node->image.entries = cairn_alloc_zero(CORES_JUDGE_INDEXES * sizeof *node->image.entries);
    }
    return judge;
}

void cores_judge_free(struct cores_judge *judge) {
    for (unsigned id = 1; id <= judge->world->count; id++) {
        judge->world->nodes[id].up = false;
        judge->world->nodes[id].replica = NULL;
        judge->world->nodes[id].image.count = 0;
    }
    cores_world_free(judge->world);
    for (uint32_t i = 1; i <= judge->count; i++)
        cairn_free(judge->known[i].knowledge);
    cairn_free(judge->known);
    cairn_free(judge->slots);
    cairn_free(judge->judged);
    cairn_free(judge);
}
