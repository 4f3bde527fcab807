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
    log_base_set(&raft->journal.log, base);
    log_reset(&raft->journal.log, base->index, base->term, base->chain);
    journal_restore_time(&raft->journal, base->order, base->time_ms);
    raft->journal.commit = raft->journal.applied = raft->journal.apply_sent = base->index;
    raft->journal.applied_point = raft->journal.log.base;
    raft->journal.config_count = 0;
    if (base->state.len > 0)
        journal_config_push(&raft->journal, base->index, &config);
    return CAIRN_OK;
}

/* An older log's entries behind the snapshot's index don't continue from it: they were superseded
 * when the snapshot was installed, and must not come back. */
static bool is_orphan(struct replica *raft, const struct entry *entry) {
    if (entry->index == raft->journal.log.base.index) {
        raft->orphans = entry->chain != raft->journal.log.base.chain;
    } else if (entry->index == raft->journal.log.base.index + 1) {
        raft->orphans = raft->journal.log.base.index > 0 &&
                        !entry_chain_holds(entry, raft->journal.log.base.chain);
    }
    return raft->orphans || entry->index <= raft->journal.log.base.index;
}

static enum cairn_status supersede(struct replica *raft, uint64_t index) {
    while (raft->hole_count > 0 && raft->holes[raft->hole_count - 1].last >= index) {
        struct raft_hole *hole = &raft->holes[raft->hole_count - 1];
        if (hole->behind.blob != NULL)
            outbox_bury(&raft->journal.out, &hole->behind);
        raft->hole_count--;
        if (hole->first < index) { /* its rest reaches the end: as if cut off there */
            index = hole->first;
            break;
        }
    }
    log_truncate(&raft->journal.log, index);
    journal_config_truncate(&raft->journal, index);
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
    *hole = (struct raft_hole){.first = raft->journal.log.last + 1, .last = entry->index - 1};
    hole->chain_known = log_chain(&raft->journal.log, raft->journal.log.last, &hole->chain_before);
    hole->behind = *entry;
    if (entry->blob != NULL) {
        hole->behind = entry_ref(entry);
    } else {
        hole->behind.blob = blob_from(entry->encoded);
        hole->behind.encoded = blob_view(hole->behind.blob);
    }
    log_gap(&raft->journal.log, entry->index);
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
    if (entry->index <= raft->journal.log.last)
        supersede(raft, entry->index);
    uint64_t chain;
    if (entry->index > raft->journal.log.last + 1) {
        if (open_hole(raft, entry) != CAIRN_OK)
            return CAIRN_CORRUPT;
    } else if (log_chain(&raft->journal.log, raft->journal.log.last, &chain) &&
               !entry_chain_holds(entry, chain) && raft->options.mutant == MUTANT_NONE) {
        return CAIRN_CORRUPT;
    }
    struct config config;
    if (entry->kind == ENTRY_CONFIG) {
        enum cairn_status status = config_decode(entry->payload, &config);
        if (status != CAIRN_OK)
            return status;
    }
    log_append(&raft->journal.log, entry);
    log_evict_recovered(&raft->journal.log);
    journal_restore_time(&raft->journal, entry->order, entry->time_ms);
    if (entry->kind == ENTRY_CONFIG && raft->options.mutant != MUTANT_CONFIG_LOST_AT_START)
        journal_config_push(&raft->journal, entry->index, &config);
    return CAIRN_OK;
}

void raft_recover_damage(struct replica *raft, uint64_t first, uint64_t last) {
    if (first == 0 || last < first)
        return;
    raft->end_lost |= last == UINT64_MAX;
    if (raft->damage_first == 0 || first > raft->damage_first)
        raft->damage_first = first;
    if (last > raft->damage_last)
        raft->damage_last = last;
}

void raft_recover_hard_lost(struct replica *raft, bool had_log) {
    raft->amnesia = true;
    raft->hard_lost = had_log;
    raft->promise.length_ns = LEASE_NS_MAX; /* what was promised is forgotten too */
    raft->journal.hard_dirty = true;
}

void raft_recover_replaced(struct replica *raft, uint64_t incarnation) {
    raft->options.incarnation = incarnation;
    if (journal_config(&raft->journal) != NULL)
        return; /* it asks the members that it knows */
    raft->amnesia = false;
    raft->journal.hard_dirty = true;
}

/* Damage that no entry follows cannot be told from the entries around it: it counts as lost, and
 * only a leader can give it back. */
void raft_recover_finish(struct replica *raft) {
    const struct log *log = &raft->journal.log;
    bool at_end =
        !raft->end_lost && raft->damage_last > log->last && raft->damage_last > log->base.index;
    if (raft->hole_count > 0 && journal_config(&raft->journal) == NULL) {
        /* The members are among what is damaged: no peer can be asked for it. */
        supersede(raft, raft->holes[0].first);
        at_end = true;
    }
    for (uint32_t i = raft->hole_count; i > 0; i--)
        if (!raft->holes[i - 1].chain_known) {
            /* Nothing before it to chain from: what lies behind is worthless. */
            supersede(raft, raft->holes[i - 1].first);
            at_end = true;
            break;
        }
    /* A snapshot speaks for what lies at or below its index, never for what was acknowledged behind
     * it: damage whose extent is unknown may have reached further than any snapshot. */
    if (raft->end_lost && (raft->options.mutant != MUTANT_LOST_END_UNDER_SNAPSHOT ||
                           raft->damage_first > raft->journal.log.last))
        at_end = true;
    if (!raft->mending && at_end)
        outbox_trace(&raft->journal.out, 2,
                     "the end of the log behind %" PRIu64 " is damaged: no votes until a "
                     "leader gives it back",
                     raft->journal.log.last);
    if (!raft->mending &&
        (at_end || (raft->hard_lost && journal_end_may_be_lost(&raft->journal)))) {
        raft->mending = true;
        raft->journal.hard_dirty = true;
    }
    for (uint32_t i = 0; i < raft->hole_count; i++)
        outbox_trace(&raft->journal.out, 2,
                     "entries %" PRIu64 "..%" PRIu64 " are damaged: asking peers",
                     raft->holes[i].first, raft->holes[i].last);
    /* The log on disk does not reach the snapshot, or belongs to another history: what follows
     * would not continue it. */
    if (raft->journal.log.last == raft->journal.log.base.index &&
        raft->journal.log.base.index > 0 &&
        (raft->orphans || raft->recovered_last < raft->journal.log.base.index))
        raft->journal.reset_dirty = true;
    uint64_t term = log_last_term(&raft->journal.log);
    if (term > raft->term) {
        /* A snapshot arrived before the term that it came with was durable, or the hard state is
         * lost: what was voted in that term is unknown. */
        raft->term = term;
        raft->vote = RAFT_NO_CANDIDATE;
        raft->journal.hard_dirty = true;
    }
    raft->journal.durable_index = raft->journal.log.last;
}
