#include "protocol/raft/raft_internal.h"

#include "base/assert.h"

#include <inttypes.h>

enum cairn_status raft_recover_hard(struct replica *raft, struct bytes hard) {
    return raft_hard_decode(raft, hard);
}

enum cairn_status raft_recover_base(struct replica *raft, const struct log_base *base) {
    if (base->index == 0 || base->index > RAFT_NUMBER_MAX || base->term > RAFT_NUMBER_MAX)
        return CAIRN_MALFORMED;
    struct config config;
    enum cairn_status status = CAIRN_OK;
    if (base->state.len > 0)
        status = config_decode(base->state, &config);
    if (status != CAIRN_OK)
        return status;
    raft_base_set(raft, base);
    raft_log_reset(raft, base->index, base->term, base->chain);
    stamps_restore(&raft->stamps, base->order, base->time_ms);
    raft->commit = raft->applied = raft->apply_sent = base->index;
    raft->applied_point = raft->base;
    raft->config_count = 0;
    if (base->state.len > 0)
        raft_config_push(raft, base->index, &config);
    return CAIRN_OK;
}

/* An older log's entries behind the snapshot's index don't continue from it: they were superseded
 * when the snapshot was installed, and must not come back. */
static bool is_orphan(struct replica *raft, const struct entry *entry) {
    if (entry->index == raft->base.index) {
        raft->orphans = entry->chain != raft->base.chain;
    } else if (entry->index == raft->base.index + 1) {
        raft->orphans = raft->base.index > 0 && !entry_chain_holds(entry, raft->base.chain);
    }
    return raft->orphans || entry->index <= raft->base.index;
}

static enum cairn_status supersede(struct replica *raft, uint64_t index) {
    while (raft->hole_count > 0 && raft->holes[raft->hole_count - 1].last >= index) {
        struct raft_hole *hole = &raft->holes[raft->hole_count - 1];
        if (hole->behind.blob != NULL)
            raft_bury(raft, &hole->behind);
        raft->hole_count--;
        if (hole->first < index) { /* its rest reaches the end: as if cut off there */
            index = hole->first;
            break;
        }
    }
    raft_log_truncate(raft, index);
    raft_config_truncate(raft, index);
    return CAIRN_OK;
}

static void refill(struct replica *raft, const struct entry *entry) {
    for (uint32_t i = 0; i < raft->hole_count; i++)
        if (raft->holes[i].first == entry->index) {
            raft_hole_fill(raft, &raft->holes[i], entry, 1);
            return;
        }
}

static enum cairn_status open_hole(struct replica *raft, const struct entry *entry) {
    if (raft->hole_count == RAFT_HOLES_MAX)
        return CAIRN_CORRUPT;
    struct raft_hole *hole = &raft->holes[raft->hole_count++];
    *hole = (struct raft_hole){.first = raft->log.last + 1, .last = entry->index - 1};
    hole->chain_known = raft_log_chain(raft, raft->log.last, &hole->chain_before);
    hole->behind = *entry;
    if (entry->blob != NULL) {
        hole->behind = entry_ref(entry);
    } else {
        hole->behind.blob = blob_from(entry->encoded);
        hole->behind.encoded = blob_view(hole->behind.blob);
    }
    raft_log_gap(raft, entry->index);
    return CAIRN_OK;
}

enum cairn_status raft_recover_entry(struct replica *raft, const struct entry *entry,
                                     bool repaired) {
    if (entry->index == 0 || entry->index > RAFT_NUMBER_MAX || entry->term == 0 ||
        entry->term > RAFT_NUMBER_MAX)
        return CAIRN_MALFORMED;
    if (!repaired)
        raft->recovered_last = entry->index;
    if (is_orphan(raft, entry))
        return CAIRN_OK;
    if (repaired) {
        refill(raft, entry);
        return CAIRN_OK;
    }
    if (entry->index <= raft->log.last)
        supersede(raft, entry->index);
    uint64_t chain;
    if (entry->index > raft->log.last + 1) {
        if (open_hole(raft, entry) != CAIRN_OK)
            return CAIRN_CORRUPT;
    } else if (raft_log_chain(raft, raft->log.last, &chain) && !entry_chain_holds(entry, chain) &&
               raft->options.mutant == MUTANT_NONE) {
        return CAIRN_CORRUPT;
    }
    struct config config;
    if (entry->kind == ENTRY_CONFIG) {
        enum cairn_status status = config_decode(entry->payload, &config);
        if (status != CAIRN_OK)
            return status;
    }
    raft_log_append(raft, entry);
    raft_log_evict_recovered(raft);
    stamps_restore(&raft->stamps, entry->order, entry->time_ms);
    if (entry->kind == ENTRY_CONFIG)
        raft_config_push(raft, entry->index, &config);
    return CAIRN_OK;
}

void raft_recover_damage(struct replica *raft, uint64_t first, uint64_t last) {
    if (first == 0 || last < first)
        return;
    if (raft->damage_first == 0 || first > raft->damage_first)
        raft->damage_first = first;
    if (last > raft->damage_last)
        raft->damage_last = last;
}

void raft_recover_hard_lost(struct replica *raft) {
    raft->amnesia = true;
    raft->hard_dirty = true;
}

/* Damage that no entry follows cannot be told from the entries around it: it counts as lost, and
 * only a leader can give it back. */
void raft_recover_finish(struct replica *raft) {
    bool at_end = raft->damage_first > raft->log.last && raft->damage_last > raft->base.index;
    if (raft->damage_last > raft->log.last && raft->damage_last != UINT64_MAX &&
        raft->damage_last > raft->base.index)
        at_end = true;
    for (uint32_t i = raft->hole_count; i > 0; i--)
        if (!raft->holes[i - 1].chain_known) {
            /* Nothing before it to chain from: what lies behind is worthless. */
            supersede(raft, raft->holes[i - 1].first);
            at_end = true;
            break;
        }
    if (at_end && !raft->mending) {
        raft->mending = true;
        raft->hard_dirty = true;
        raft_trace(raft, 2,
                   "the end of the log behind %" PRIu64 " is damaged: no votes until a "
                   "leader gives it back",
                   raft->log.last);
    }
    for (uint32_t i = 0; i < raft->hole_count; i++)
        raft_trace(raft, 2, "entries %" PRIu64 "..%" PRIu64 " are damaged: asking peers",
                   raft->holes[i].first, raft->holes[i].last);
    /* The log on disk does not reach the snapshot, or belongs to another history: what follows
     * would not continue it. */
    if (raft->log.last == raft->base.index && raft->base.index > 0 &&
        (raft->orphans || raft->recovered_last < raft->base.index))
        raft->reset_dirty = true;
    uint64_t term = raft_log_last_term(raft);
    if (term > raft->term) {
        /* A snapshot arrived before the term that it came with was durable, or the hard state is
         * lost: what was voted in that term is unknown. */
        raft->term = term;
        raft->vote = RAFT_NOBODY;
        raft->hard_dirty = true;
    }
    raft->durable_index = raft->log.last;
}
