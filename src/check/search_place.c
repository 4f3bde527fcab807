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
    if (from->path_count > 0)
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

/* Of open ones with equal effect the one that ends first goes first. */
static bool is_eldest(const struct search *search, const struct config *config, uint32_t entry) {
    const struct search_entry *mine = &search->entries[entry];
    for (uint32_t i = 0; i < search->open_count; i++) {
        uint32_t other = search->open[i];
        const struct search_entry *theirs = &search->entries[other];
        if (theirs->effect != mine->effect || other == entry ||
            bit_test(config->masks, theirs->slot))
            continue;
        if (theirs->ret < mine->ret || (theirs->ret == mine->ret && other < entry))
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
            op->class == SPEC_OVERWRITES || wants_other(op, state))
            continue;
        if (op->class == SPEC_CHANGES ? state != SPEC_DEAD
                                      : spec_step(search->spec, state, op, &next))
            return true;
    }
    return false;
}

/* Is there an open operation that an overwriting one hides, and that is not hidden yet? */
static bool hides_any(const struct search *search, const struct config *config, uint32_t entry) {
    const uint64_t *hidden = config->masks + search->words;
    for (uint32_t i = 0; i < search->open_count; i++) {
        uint32_t other = search->open[i], slot = search->entries[other].slot;
        if (other != entry && search->entries[other].ret != OP_OPEN &&
            untold(&search->specs[other]) && !bit_test(config->masks, slot) &&
            !bit_test(hidden, slot))
            return true;
    }
    return false;
}

static bool may_place(struct search *search, const struct config *config, uint32_t entry,
                      uint32_t target, uint32_t *next) {
    const struct spec_op *op = &search->specs[entry];
    if (op->class == SPEC_OBSERVES || bit_test(config->masks, search->entries[entry].slot) ||
        wants_other(op, config->state) || !spec_step(search->spec, config->state, op, next))
        return false;
    if (entry == target)
        return true;
    /* What writes the value that is there changes nothing, but may hide another write before it. */
    if (*next == config->state &&
        (op->class != SPEC_OVERWRITES || !hides_any(search, config, entry)))
        return false;
    if (!is_eldest(search, config, entry))
        return false;
    bool buried = op->class == SPEC_CHANGES && *next == SPEC_DEAD;
    if (op->class == SPEC_OVERWRITES || search->entries[entry].ret == OP_OPEN || buried)
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
        if (bit_test(config->masks, slot) || bit_test(hidden, slot) ||
            wants_other(op, config->state))
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

/* The masks and the state: compared whole, because a hash alone is no proof. */
static size_t seen_size(const struct search *search) {
    return (2 * (size_t)search->words + 1) * sizeof(uint64_t);
}

static uint32_t seen_slot(const struct search *search, const void *config) {
    size_t size = seen_size(search);
    uint32_t mask = search->seen_slots - 1;
    uint32_t at = (uint32_t)bytes_hash(bytes_of(config, size), 0) & mask;
    while (search->seen_table[at] != UINT32_MAX &&
           memcmp(search->seen.data + search->seen_table[at] * size, config, size) != 0)
        at = (at + 1) & mask;
    return at;
}

static void seen_grow(struct search *search) {
    search->seen_slots = search->seen_slots ? search->seen_slots * 2 : 64;
    cairn_free(search->seen_table);
    search->seen_table = cairn_alloc(search->seen_slots * sizeof *search->seen_table);
    memset(search->seen_table, 0xff, search->seen_slots * sizeof *search->seen_table);
    for (uint32_t i = 0; i < search->seen_count; i++)
        search->seen_table[seen_slot(search, search->seen.data + i * seen_size(search))] = i;
}

static void seen_clear(struct search *search) {
    if (search->seen_count > 0)
        memset(search->seen_table, 0xff, search->seen_slots * sizeof *search->seen_table);
    search->seen_count = 0;
    buf_clear(&search->seen);
}

static bool seen_before(struct search *search, const struct config *config) {
    if (search->seen_count * 2 >= search->seen_slots)
        seen_grow(search);
    buf_append(&search->seen, config->masks, 2 * search->words * sizeof(uint64_t));
    buf_u64(&search->seen, config->state);
    uint8_t *mine = search->seen.data + search->seen_count * seen_size(search);
    uint32_t slot = seen_slot(search, mine);
    if (search->seen_table[slot] != UINT32_MAX) {
        search->seen.len -= seen_size(search);
        return true;
    }
    search->seen_table[slot] = search->seen_count++;
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
    size_t growth = values_growth(&search->spec->pool);
    if (limits_over(search->limits, 1) || (growth > 0 && !limits_room(search->limits, growth)))
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
    seen_clear(search);
    if (bit_test(search->at.masks + search->words, slot)) {
        struct config *hidden = level_at(search, 0);
        copy_config(search, hidden, &search->at);
        if (!give(search, &way, hidden))
            return;
    }
    copy_config(search, level_at(search, 0), &search->at);
    explore(search, &way, 0);
}

void search_explore_free(struct search *search) {
    for (uint32_t i = 0; i < search->level_count; i++)
        config_free(&search->levels[i]);
    cairn_free(search->levels);
    cairn_free(search->seen_table);
    buf_free(&search->seen);
}
