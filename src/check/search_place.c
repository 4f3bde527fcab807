/* At a return: the ways to have the operation placed. */
#include "check/search_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

void config_init(struct search *search, struct config *config) {
    memset(config, 0, sizeof *config);
    config->masks = cairn_alloc_zero(2 * search->words * sizeof(uint64_t));
}

void config_free(struct config *config) {
    cairn_free(config->masks);
    cairn_free(config->path);
}

void config_place(struct search *search, struct config *config, uint32_t entry, uint32_t event) {
    uint32_t slot = search->entries[entry].slot;
    bit_set(config->masks, slot);
    bit_clear(config->masks + search->words, slot);
    if (config->path_count == config->path_cap) {
        config->path_cap = config->path_cap ? config->path_cap * 2 : 16;
        config->path = cairn_realloc(config->path, config->path_cap * sizeof *config->path);
    }
    config->path[config->path_count++] = (struct placed){entry, event};
}

static void copy_config(const struct search *search, struct config *to, const struct config *from) {
    memcpy(to->masks, from->masks, 2 * search->words * sizeof(uint64_t));
    to->state = from->state;
    if (to->path_cap < from->path_count) {
        to->path_cap = from->path_count * 2;
        to->path = cairn_realloc(to->path, to->path_cap * sizeof *to->path);
    }
    memcpy(to->path, from->path, from->path_count * sizeof *to->path);
    to->path_count = from->path_count;
}

bool search_only_observes(const struct spec_op *op) {
    return op->class == SPEC_OBSERVES ||
           (op->class == SPEC_CONDITIONAL && op->told && op->f != OP_TXN && op->f != OP_CAS) ||
           (op->f == OP_CAS && op->a == op->b);
}

static bool untold(const struct spec_op *op) {
    return op->class == SPEC_OVERWRITES || op->class == SPEC_CHANGES;
}

static bool same_effect(const struct spec_op *x, const struct spec_op *y) {
    return x->f == y->f && x->class == y->class && x->a == y->a && x->b == y->b &&
           x->told == y->told && x->out == y->out && x->mismatch == y->mismatch;
}

/* Of open ones with equal effect the one that ends first goes first. */
static bool is_eldest(const struct search *search, const struct config *config, uint32_t entry) {
    const struct search_entry *mine = &search->entries[entry];
    for (uint32_t i = 0; i < search->open_count; i++) {
        uint32_t other = search->open[i];
        const struct search_entry *theirs = &search->entries[other];
        if (other == entry || bit_test(config->masks, theirs->slot))
            continue;
        bool before = theirs->ret < mine->ret || (theirs->ret == mine->ret && other < entry);
        if (before && same_effect(&search->specs[entry], &search->specs[other]))
            return false;
    }
    return true;
}

/* Can anything that is open see this state? */
static bool is_wanted(const struct search *search, const struct config *config, uint32_t entry,
                      uint32_t state) {
    uint32_t next;
    for (uint32_t i = 0; i < search->open_count; i++) {
        uint32_t other = search->open[i];
        const struct spec_op *op = &search->specs[other];
        if (other == entry || bit_test(config->masks, search->entries[other].slot) ||
            op->class == SPEC_OVERWRITES)
            continue;
        if (op->class == SPEC_CHANGES ? state != SPEC_DEAD
                                      : spec_step(search->spec, state, op, &next))
            return true;
    }
    return false;
}

static bool may_place(struct search *search, const struct config *config, uint32_t entry,
                      uint32_t target, uint32_t *next) {
    const struct spec_op *op = &search->specs[entry];
    if (op->class == SPEC_OBSERVES || bit_test(config->masks, search->entries[entry].slot) ||
        !spec_step(search->spec, config->state, op, next))
        return false;
    if (entry == target)
        return true;
    if (*next == config->state || !is_eldest(search, config, entry))
        return false;
    if (op->class == SPEC_OVERWRITES || search->entries[entry].ret == OP_OPEN || *next == SPEC_DEAD)
        return is_wanted(search, config, entry, *next);
    return true;
}

/* The state is new: what fits it is placed, what it would not change is hidden if need be. */
static void settle(struct search *search, struct config *config, bool overwritten) {
    uint64_t *hidden = config->masks + search->words;
    uint32_t next;
    for (uint32_t i = 0; i < search->open_count; i++) {
        uint32_t entry = search->open[i], slot = search->entries[entry].slot;
        const struct spec_op *op = &search->specs[entry];
        if (bit_test(config->masks, slot) || bit_test(hidden, slot))
            continue;
        if (overwritten && untold(op)) {
            bit_set(hidden, slot);
        } else if (spec_step(search->spec, config->state, op, &next) && next == config->state) {
            if (search_only_observes(op))
                config_place(search, config, entry, search->open_at);
            else
                bit_set(hidden, slot);
        }
    }
}

/* ---- all ways, depth first ---- */

static bool seen_before(struct search *search, const struct config *config) {
    uint64_t hash =
        bytes_hash(bytes_of(config->masks, 2 * search->words * sizeof(uint64_t)), config->state);
    if (hash == 0)
        hash = 1;
    if (search->seen_count * 2 >= search->seen_size) {
        uint32_t old_size = search->seen_size;
        uint64_t *old = search->seen;
        search->seen_size = old_size ? old_size * 2 : 64;
        search->seen = cairn_alloc_zero(search->seen_size * sizeof(uint64_t));
        for (uint32_t i = 0; i < old_size; i++)
            if (old[i] != 0) {
                uint32_t at = (uint32_t)old[i] & (search->seen_size - 1);
                while (search->seen[at] != 0)
                    at = (at + 1) & (search->seen_size - 1);
                search->seen[at] = old[i];
            }
        cairn_free(old);
    }
    uint32_t at = (uint32_t)hash & (search->seen_size - 1);
    for (; search->seen[at] != 0; at = (at + 1) & (search->seen_size - 1))
        if (search->seen[at] == hash)
            return true;
    search->seen[at] = hash;
    search->seen_count++;
    return false;
}

static struct config *level_at(struct search *search, uint32_t depth) {
    if (depth >= search->level_count) {
        search->levels =
            cairn_realloc(search->levels, (search->level_count + 1) * sizeof *search->levels);
        config_init(search, &search->levels[search->level_count++]);
    }
    return &search->levels[depth];
}

struct way {
    uint32_t parent, target, at;
};

static bool give(struct search *search, const struct way *way, struct config *config) {
    uint32_t slot = search->entries[way->target].slot;
    bit_clear(config->masks, slot);
    bit_clear(config->masks + search->words, slot);
    return search_push(search, way->parent, way->at + 1, config);
}

/* config: levels[depth]. False: a limit was met. */
static bool explore(struct search *search, const struct way *way, uint32_t depth) {
    if (limits_over(search->limits, 1))
        return false;
    if (seen_before(search, &search->levels[depth]))
        return true;
    if (bit_test(search->levels[depth].masks, search->entries[way->target].slot))
        return give(search, way, &search->levels[depth]);
    for (uint32_t i = 0; i <= search->open_count; i++) {
        /* The target itself first: the plainest way. */
        uint32_t entry = i == 0 ? way->target : search->open[i - 1], next;
        if ((i > 0 && entry == way->target) ||
            !may_place(search, &search->levels[depth], entry, way->target, &next))
            continue;
        struct config *to = level_at(search, depth + 1);
        copy_config(search, to, &search->levels[depth]);
        config_place(search, to, entry, search->open_at);
        to->state = next;
        settle(search, to, search->specs[entry].class == SPEC_OVERWRITES);
        if (!explore(search, way, depth + 1))
            return false;
    }
    return true;
}

void search_resolve(struct search *search, uint32_t parent, uint32_t at) {
    struct way way = {parent, search->events[at].entry, at};
    uint32_t slot = search->entries[way.target].slot;
    if (search->seen_count > 0) {
        memset(search->seen, 0, search->seen_size * sizeof(uint64_t));
        search->seen_count = 0;
    }
    struct config *first = level_at(search, 0);
    copy_config(search, first, &search->at);
    if (bit_test(first->masks + search->words, slot)) {
        struct config *hidden = level_at(search, 1);
        copy_config(search, hidden, first);
        if (!give(search, &way, hidden))
            return;
    }
    explore(search, &way, 0);
}

void search_explore_free(struct search *search) {
    for (uint32_t i = 0; i < search->level_count; i++)
        config_free(&search->levels[i]);
    cairn_free(search->levels);
    cairn_free(search->seen);
}
