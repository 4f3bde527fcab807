#include "protocol/zab/zab_internal.h"

#include "base/assert.h"

#include <inttypes.h>

enum cairn_status zab_recover_hard(struct replica *zab, struct bytes hard) {
    return zab_hard_decode(zab, hard);
}

enum cairn_status zab_recover_base(struct replica *zab, const struct log_base *base) {
    struct journal *journal = &zab->journal;
    if (base->index == 0 || base->index > ZAB_NUMBER_MAX || base->term > ZAB_NUMBER_MAX)
        return CAIRN_MALFORMED;
    struct config config;
    enum cairn_status status = CAIRN_OK;
    if (base->state.len > 0)
        status = config_decode(base->state, &config);
    if (status != CAIRN_OK)
        return status;
    log_base_set(&journal->log, base);
    log_reset(&journal->log, base->index, base->term, base->chain);
    journal_restore_time(journal, base->order, base->time_ms);
    journal->commit = journal->applied = journal->apply_sent = base->index;
    journal->applied_point = journal->log.base;
    journal->config_count = 0;
    if (base->state.len > 0)
        journal_config_push(journal, base->index, &config);
    return CAIRN_OK;
}

/* An older log's entries behind the snapshot's index don't continue from it: they were superseded
 * when the snapshot was installed, and must not come back. */
static bool is_orphan(struct replica *zab, const struct entry *entry) {
    const struct log_base *base = &zab->journal.log.base;
    if (entry->index == base->index)
        zab->orphans = entry->chain != base->chain;
    else if (entry->index == base->index + 1)
        zab->orphans = base->index > 0 && !entry_chain_holds(entry, base->chain);
    return zab->orphans || entry->index <= base->index;
}

static void cut_from(struct replica *zab, uint64_t index) {
    log_truncate(&zab->journal.log, index);
    journal_config_truncate(&zab->journal, index);
}

/* What lies behind damage is not used: the leader has it, and gives it back with what is lost. */
static bool behind_damage(struct replica *zab, const struct entry *entry) {
    uint64_t last = zab->journal.log.last;
    if (entry->index <= last + 1)
        return false;
    if (zab->damage_first == 0 || zab->damage_first > last + 1)
        zab->damage_first = last + 1;
    if (entry->index > zab->damage_last)
        zab->damage_last = entry->index;
    return true;
}

enum cairn_status zab_recover_entry(struct replica *zab, const struct entry *entry, bool repaired) {
    struct journal *journal = &zab->journal;
    if (entry->index == 0 || entry->index > ZAB_NUMBER_MAX || entry->term == 0 ||
        entry->term > ZAB_NUMBER_MAX)
        return CAIRN_MALFORMED;
    zab->recovered_last = entry->index;
    if (is_orphan(zab, entry) || repaired || behind_damage(zab, entry))
        return CAIRN_OK;
    if (entry->index <= journal->log.last)
        cut_from(zab, entry->index);
    uint64_t chain;
    if (log_chain(&journal->log, journal->log.last, &chain) && !entry_chain_holds(entry, chain) &&
        zab->options.mutant == MUTANT_NONE)
        return CAIRN_CORRUPT;
    struct config config;
    if (entry->kind == ENTRY_CONFIG) {
        enum cairn_status status = config_decode(entry->payload, &config);
        if (status != CAIRN_OK)
            return status;
    }
    log_append(&journal->log, entry);
    log_evict_recovered(&journal->log);
    journal_restore_time(journal, entry->order, entry->time_ms);
    if (entry->kind == ENTRY_CONFIG && zab->options.mutant != MUTANT_CONFIG_LOST_AT_START)
        journal_config_push(journal, entry->index, &config);
    return CAIRN_OK;
}

void zab_recover_damage(struct replica *zab, uint64_t first, uint64_t last) {
    if (first == 0 || last < first)
        return;
    if (last == UINT64_MAX) { /* how much is lost at the end is unknown */
        if (first > zab->damage_tail)
            zab->damage_tail = first;
        return;
    }
    if (zab->damage_first == 0 || first < zab->damage_first)
        zab->damage_first = first;
    if (last > zab->damage_last)
        zab->damage_last = last;
}

void zab_recover_hard_lost(struct replica *zab, bool had_log) {
    zab->amnesia = true;
    zab->hard_lost = had_log;
    zab->promise.length_ns = LEASE_NS_MAX; /* what was promised is forgotten too */
    zab->journal.hard_dirty = true;
}

void zab_recover_replaced(struct replica *zab, uint64_t incarnation) {
    zab->options.incarnation = incarnation;
    if (journal_config(&zab->journal) != NULL)
        return; /* it asks the members that it knows */
    zab->amnesia = false;
    zab->journal.hard_dirty = true;
}

void zab_recover_finish(struct replica *zab) {
    struct journal *journal = &zab->journal;
    struct log *log = &journal->log;
    /* Damage that a later write put right, or that a snapshot stands for, is none. But a snapshot
     * speaks for what lies at or below its index only: damage of unknown extent may have reached
     * further than any snapshot. */
    bool end_lost = zab->options.mutant == MUTANT_LOST_END_UNDER_SNAPSHOT
                        ? zab->damage_tail > log->last
                        : zab->damage_tail != 0;
    bool lost = zab->damage_last > log->last || end_lost;
    if (!zab->mending && (lost || (zab->hard_lost && journal_end_may_be_lost(journal)))) {
        zab->mending = true;
        journal->hard_dirty = true;
    }
    if (lost)
        outbox_trace(&journal->out, 2,
                     "the history behind %" PRIu64
                     " is damaged: this replica has no voice until a leader gives it back",
                     log->last);
    if (zab->recovered_last > log->last && !zab->orphans)
        journal->truncate_dirty = log->last + 1;
    /* The log on disk does not reach the snapshot, or belongs to another history: what follows
     * would not continue it. */
    if (log->last == log->base.index && log->base.index > 0 &&
        (zab->orphans || zab->recovered_last < log->base.index))
        journal->reset_dirty = true;
    if (log_last_term(log) > zab->accepted) {
        /* The hard state is lost: what was accepted in that epoch is unknown. */
        zab->accepted = log_last_term(log);
        zab->accepted_from = ZAB_NO_LEADER;
        journal->hard_dirty = true;
    }
    journal->durable_index = log->last;
}

/* What the forgotten promise to a leader can have been: one of those that told asked for it. */
static uint64_t longest_promise(const struct replica *zab) {
    uint64_t longest = zab->options.election_timeout_min_ns;
    for (uint32_t i = 0; i < zab->peer_count; i++)
        if (zab->peers[i].lease_told > longest)
            longest = zab->peers[i].lease_told;
    return longest;
}

/* The forgotten promise was made to a leader whose own accepted epoch is at least that: once every
 * other voter told its epoch, giving the highest of them to none keeps the promise. One whose disk
 * was replaced meanwhile has nothing to tell, and leads nothing under its former folder any more.
 */
void zab_amnesia_advance(struct replica *zab) {
    const struct config *config = journal_config(&zab->journal);
    if (!zab->amnesia || config == NULL)
        return;
    for (uint32_t i = 0; i < config->count; i++) {
        uint64_t id = config->members[i].id;
        const struct zab_peer *peer = zab_peer_of(zab, id);
        if (id == zab->options.id || !config_is_voter(config, id))
            continue;
        if (peer == NULL ||
            (!peer->term_told && journal_counts(&zab->journal, id, peer->incarnation)))
            return;
    }
    zab->amnesia = false;
    lease_promise_start(&zab->promise, longest_promise(zab), zab->now);
    zab->accepted_from = zab->options.mutant == MUTANT_AMNESIA_VOTES ? 0 : ZAB_NO_LEADER;
    zab->journal.hard_dirty = true;
    zab_persist(zab);
    outbox_trace(&zab->journal.out, 1,
                 "the lost promise is settled: epoch %" PRIu64 " is no leader's", zab->accepted);
    zab_look(zab);
}
