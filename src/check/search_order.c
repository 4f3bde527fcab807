/* The order that the search found: what was placed, and the hidden ones where they could hide. */
#include "check/search_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

struct story {
    struct placed *placed;
    uint64_t count;
    bool *told; /* entries that are in the order */
};

/* From the last node back to the first. */
static void collect(struct search *search, uint32_t node, const struct config *config,
                    struct story *story) {
    uint64_t total = config->path_count;
    for (uint32_t at = node; at != UINT32_MAX; at = search_node(search, at)->parent)
        total += search_node(search, at)->placed_count;
    story->placed = cairn_alloc((total + 1) * sizeof *story->placed);
    story->count = total;
    total -= config->path_count;
    if (config->path_count > 0)
        memcpy(story->placed + total, config->path, config->path_count * sizeof *story->placed);
    for (uint32_t at = node; at != UINT32_MAX; at = search_node(search, at)->parent) {
        const struct search_node *from = search_node(search, at);
        total -= from->placed_count;
        if (from->placed_count > 0)
            memcpy(story->placed + total, search->placed + from->placed_from,
                   from->placed_count * sizeof *story->placed);
    }
}

struct hidden {
    uint32_t *entries, count, first;
};

static void give(const struct search *search, struct search_result *result, uint32_t entry) {
    result->order[result->order_count++] = search->entries[entry].op;
}

/* Those of the hidden that were called before `event` and that can stand in front of what comes
 * next: because it overwrites them, or because they change nothing here. */
static void tell_hidden(struct search *search, struct hidden *hidden, uint32_t event,
                        uint32_t state, bool overwritten, struct search_result *result) {
    uint32_t next, kept = hidden->first;
    for (uint32_t i = hidden->first; i < hidden->count; i++) {
        uint32_t entry = hidden->entries[i];
        bool called = search->entries[entry].call_event < event;
        const struct spec_op *op = &search->specs[entry];
        bool idle = called && spec_step(search->spec, state, op, &next) && next == state;
        bool covered = called && overwritten && op->class != SPEC_CONDITIONAL;
        if (idle || covered)
            give(search, result, entry);
        else
            hidden->entries[kept++] = entry;
        if (!called) {
            while (++i < hidden->count)
                hidden->entries[kept++] = hidden->entries[i];
        }
    }
    hidden->count = kept;
}

void search_reconstruct(struct search *search, uint32_t node, const struct config *config,
                        struct search_result *result) {
    struct story story = {0};
    struct hidden hidden = {0};
    collect(search, node, config, &story);
    story.told = cairn_alloc_zero(search->count + 1);
    uint32_t total = 0;
    for (uint64_t i = 0; i < story.count; i++)
        story.told[story.placed[i].entry] = true;
    hidden.entries = cairn_alloc((search->event_count + 1) * sizeof *hidden.entries);
    for (uint32_t i = 0; i < search->event_count; i++) {
        uint32_t entry = search->events[i].entry;
        total += search->events[i].call;
        if (search->events[i].call && !story.told[entry] && search->entries[entry].ret != OP_OPEN)
            hidden.entries[hidden.count++] = entry;
    }
    result->order = cairn_alloc((total + 1) * sizeof *result->order);
    uint32_t state = search_node(search, 0)->state;
    for (uint64_t i = 0; i < story.count; i++) {
        const struct placed *placed = &story.placed[i];
        const struct spec_op *op = &search->specs[placed->entry];
        tell_hidden(search, &hidden, placed->event, state, op->class == SPEC_OVERWRITES, result);
        give(search, result, placed->entry);
        bool fits = spec_step(search->spec, state, op, &state);
        cairn_assert(fits);
    }
    tell_hidden(search, &hidden, UINT32_MAX, state, false, result);
    cairn_assert(hidden.count == 0);
    cairn_free(hidden.entries);
    cairn_free(story.placed);
    cairn_free(story.told);
}
