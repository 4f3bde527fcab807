#include "core/journal.h"

#include "base/alloc.h"
#include "base/assert.h"

bool journal_commit_to(struct journal *journal, uint64_t index) {
    if (index > journal->log.last || journal->options->mutant == MUTANT_APPLY_UNCOMMITTED)
        index = journal->log.last;
    if (index <= journal->commit)
        return false;
    journal->commit = index;
    uint64_t config = journal_config_index(journal);
    if (config <= journal->commit && config > journal->config_told) {
        journal->config_told = config;
        journal_config_tell(journal);
    }
    return true;
}

struct entry *journal_hold(struct journal *journal, const struct entry *entries, size_t count) {
    struct entry *copy = outbox_scratch(&journal->out, count * sizeof *copy);
    for (size_t i = 0; i < count; i++) {
        copy[i] = entries[i];
        struct entry held = entry_ref(&entries[i]);
        outbox_bury(&journal->out, &held);
    }
    return copy;
}

static void emit_apply(struct journal *journal, const struct entry *entries, size_t count) {
    struct effect *effect = outbox_emit(&journal->out, EFFECT_APPLY);
    effect->apply.entries = entries;
    effect->apply.count = count;
    journal->apply_sent = entries[count - 1].index;
    if (count > journal->apply_cap) {
        journal->apply_cap = count;
        journal->apply_points =
            cairn_realloc(journal->apply_points, count * sizeof *journal->apply_points);
    }
    /* A snapshot may be asked for at any of them, when they have long left memory. */
    for (size_t i = 0; i < count; i++)
        journal->apply_points[i] = (struct log_base){.index = entries[i].index,
                                                     .term = entries[i].term,
                                                     .chain = entries[i].chain,
                                                     .order = entries[i].order,
                                                     .time_ms = entries[i].time_ms};
    journal->apply_count = count;
}

/* Committed entries that left memory. */
RARE_COLD static void load(struct journal *journal, uint64_t first) {
    uint64_t last = journal->log.window_first - 1;
    journal->apply_tag = ++journal->load_tags;
    struct effect *effect = outbox_emit(&journal->out, EFFECT_LOAD);
    effect->load.tag = journal->apply_tag;
    effect->load.first = first;
    effect->load.last = last < journal->commit ? last : journal->commit;
    effect->load.bytes_max = rare_limit(journal->options->rare, RARE_APPLY_LOAD_ONE, 1,
                                        journal->options->apply_bytes_max);
}

void journal_apply(struct journal *journal) {
    if (journal->apply_sent > journal->applied || journal->apply_tag != 0 ||
        journal->apply_sent >= journal->commit)
        return;
    struct log *log = &journal->log;
    uint64_t first = journal->apply_sent + 1;
    if (first >= log->window_first) {
        size_t count, bytes;
        const struct entry *entries = log_slice(log, first, journal->commit,
                                                journal->options->apply_bytes_max, &count, &bytes);
        emit_apply(journal, entries, count);
        return;
    }
    /* What a repair wrote can be read back once it is durable. */
    if (journal->now < journal->apply_retry_at || journal->repaired_seq > journal->persisted_seq)
        return;
    load(journal, first);
}

void journal_apply_loaded(struct journal *journal, enum cairn_status status,
                          const struct entry *entries, size_t count) {
    if (status != CAIRN_OK || count == 0 || entries[0].index != journal->apply_sent + 1) {
        journal->apply_retry_at = journal->now + journal->options->heartbeat_ns;
        return;
    }
    size_t used = 0;
    while (used < count && entries[used].index <= journal->commit)
        used++;
    emit_apply(journal, journal_hold(journal, entries, used), used);
}

void journal_applied(struct journal *journal, uint64_t index) {
    if (index <= journal->applied || index > journal->apply_sent)
        return;
    cairn_assert(journal->apply_count > 0);
    journal->applied = index;
    journal->applied_point = journal->apply_points[index - journal->apply_points[0].index];
    uint32_t dead = 0;
    while (dead + 1 < journal->config_count && journal->configs[dead + 1].index <= index)
        dead++;
    journal->config_count -= dead;
    for (uint32_t i = 0; dead > 0 && i < journal->config_count; i++)
        journal->configs[i] = journal->configs[i + dead];
}

uint64_t journal_apply_retry_at(const struct journal *journal) {
    bool waits = journal->apply_sent == journal->applied && journal->applied < journal->commit &&
                 journal->apply_tag == 0 && journal->apply_retry_at > journal->now;
    return waits ? journal->apply_retry_at : UINT64_MAX;
}

void journal_snapshot_base(const struct journal *journal, struct log_base *base,
                           struct buf *state) {
    size_t from = state->len;
    const struct config *config = journal->options->mutant == MUTANT_SNAPSHOT_CONFIG_NEWEST
                                      ? journal_config(journal)
                                      : journal_config_at(journal, journal->applied);
    if (config != NULL)
        config_encode(state, config);
    cairn_assert(journal->applied_point.index == journal->applied);
    *base = journal->applied_point;
    base->state = bytes_of(state->data + from, state->len - from);
}

bool journal_compacted(struct journal *journal, const struct log_base *base, uint64_t trim) {
    cairn_assert(base->index <= journal->applied && trim <= base->index);
    if (base->index <= journal->log.base.index)
        return false;
    log_base_set(&journal->log, base);
    /* What is on its way to the disk must arrive there. */
    if (trim > journal->durable_index)
        trim = journal->durable_index;
    log_trim(&journal->log, trim);
    journal_trim_unreadable(journal);
    return true;
}
