#include "core/journal.h"

#include "base/alloc.h"
#include "base/assert.h"

#define PROBE_BYTES_MAX 65536u
#define SMALL_BYTES 16384u

static void set_limits(struct journal *journal, struct rare *rare) {
    journal->probe_bytes_max = rare_limit(rare, RARE_PROBE_BARE, 0, PROBE_BYTES_MAX);
    journal->small_bytes = rare_limit(rare, RARE_NOTHING_SMALL, 0, SMALL_BYTES);
    journal->out.scratch_small = rare_hit(rare, RARE_SCRATCH_SMALL);
}

void journal_open(struct journal *journal, const struct replica_options *options) {
    journal->options = options;
    journal->log.out = &journal->out;
    journal->log.window_bytes_max = options->window_bytes_max;
    journal->log.unchecked = options->mutant != MUTANT_NONE;
    journal->stamps.drift_ppm = options->clock_drift_ppm;
    set_limits(journal, options->rare);
    log_reset(&journal->log, 0, 0, 0);
    if (options->bootstrap.count > 0)
        journal_config_push(journal, 0, &options->bootstrap);
}

void journal_free(struct journal *journal) {
    log_free(&journal->log);
    cairn_free(journal->configs);
    cairn_free(journal->pending);
    cairn_free(journal->apply_points);
    outbox_free(&journal->out);
}

/* ---- persists ---- */

static void pending_push(struct journal *journal, struct journal_pending pending) {
    if (journal->pending_count == journal->pending_cap) {
        journal->pending_cap = journal->pending_cap ? journal->pending_cap * 2 : 16;
        journal->pending =
            cairn_realloc(journal->pending, journal->pending_cap * sizeof *journal->pending);
    }
    journal->pending[journal->pending_count++] = pending;
}

/* What failed is nowhere: the next try carries all that is not durable. */
static void dirty_everything(struct journal *journal) {
    journal->redo = false;
    journal->reset_dirty |= journal->reset_seq > journal->persisted_seq;
    uint64_t first = journal->durable_index + 1;
    journal->truncate_dirty = first;
    journal->entries_dirty = journal->log.last >= first ? first : 0;
}

bool journal_dirty(const struct journal *journal) {
    return journal->hard_dirty || journal->reset_dirty || journal->truncate_dirty ||
           journal->entries_dirty;
}

/* No command is among what is not durable. */
static bool all_needed(const struct journal *journal) {
    for (uint64_t at = journal->durable_index + 1; at <= journal->log.last; at++) {
        const struct entry *entry = log_entry(&journal->log, at);
        if (entry == NULL || entry->kind == ENTRY_COMMAND)
            return false;
    }
    return true;
}

/* What waits has its place in the room that is kept back. */
static bool has_room(const struct journal *journal) {
    bool waits = journal->log.last > journal->durable_index || journal->reset_dirty ||
                 journal->reset_seq > journal->persisted_seq;
    return waits && all_needed(journal);
}

/* The hard state has its place on the disk; entries wait until it is time for a try. */
static void wait_for_space(struct journal *journal) {
    journal->redo = true;
    if (journal->reset_dirty)
        journal->reset_seq = UINT64_MAX; /* no persist has carried it yet */
    journal->reset_dirty = false;
    journal->truncate_dirty = journal->entries_dirty = 0;
}

static enum room room_of(const struct journal *journal, const struct entry *entries, size_t count) {
    size_t commands = 0;
    for (size_t i = 0; i < count && commands <= journal->small_bytes; i++)
        if (entries[i].kind == ENTRY_COMMAND)
            commands += entries[i].encoded.len;
    /* A try with nothing to write asks for those that wait to be placed. */
    bool asks = journal->full_retry && count == 0 && !journal->reset_dirty;
    if (journal->options->mutant == MUTANT_KEPT_FOR_NOTHING)
        return ROOM_ALL;
    if (commands > journal->small_bytes || asks)
        return ROOM_COMMON;
    return commands > 0 ? ROOM_HALF : ROOM_ALL;
}

uint64_t journal_persist(struct journal *journal, struct bytes hard) {
    if (!journal_dirty(journal))
        return journal->persist_seq;
    if (journal->full && !journal->full_retry) {
        if (journal->starved || !has_room(journal))
            wait_for_space(journal);
        else if (journal->redo)
            dirty_everything(journal);
        if (!journal_dirty(journal))
            return journal->persist_seq;
    }
    struct log *log = &journal->log;
    struct journal_pending pending = {.seq = ++journal->persist_seq, .issued_at = journal->now};
    size_t count = 0, bytes = 0;
    const struct entry *entries = NULL;
    if (journal->entries_dirty && journal->entries_dirty <= log->last) {
        entries = log_slice(log, journal->entries_dirty, log->last, SIZE_MAX, &count, &bytes);
        pending.last = log->last;
        pending.term = log_last_term(log);
        pending.bytes = bytes;
    }
    struct effect *effect = outbox_emit(&journal->out, EFFECT_PERSIST);
    effect->persist.seq = pending.seq;
    effect->persist.hard = journal->hard_dirty ? hard : bytes_of(NULL, 0);
    effect->persist.reset = journal->reset_dirty;
    if (journal->reset_dirty)
        effect->persist.reset_base = log->base;
    effect->persist.truncate_from = journal->truncate_dirty;
    effect->persist.entries = entries;
    effect->persist.count = count;
    effect->persist.room = room_of(journal, entries, count);
    pending.kept = effect->persist.room == ROOM_ALL &&
                   (count > 0 || journal->reset_dirty || journal->truncate_dirty);
    if (journal->hard_dirty)
        journal->hard_seq = pending.seq;
    if (journal->reset_dirty)
        journal->reset_seq = pending.seq;
    journal->hard_dirty = journal->reset_dirty = false;
    journal->truncate_dirty = journal->entries_dirty = 0;
    pending_push(journal, pending);
    return pending.seq;
}

void journal_pending_cut(struct journal *journal, uint64_t index) {
    if (journal->durable_index >= index && journal->options->mutant != MUTANT_DURABLE_NOT_CUT)
        journal->durable_index = index - 1;
    if (journal->entries_dirty >= index)
        journal->entries_dirty = 0;
    for (size_t i = 0; i < journal->pending_count; i++)
        if (journal->pending[i].last >= index) {
            journal->pending[i].last = index - 1;
            log_term(&journal->log, index - 1, &journal->pending[i].term);
        }
}

void journal_cut(struct journal *journal, uint64_t index) {
    cairn_assert(index > journal->commit);
    log_truncate(&journal->log, index);
    if (journal->options->mutant != MUTANT_CONFIG_SURVIVES_CUT)
        journal_config_truncate(journal, index);
    journal_pending_cut(journal, index);
    if (!journal->truncate_dirty || index < journal->truncate_dirty)
        journal->truncate_dirty = index;
    if (journal->unreadable >= index)
        journal->unreadable = index - 1 > journal->log.before_index ? index - 1 : 0;
}

void journal_lose(struct journal *journal, uint64_t index) {
    cairn_assert(index > journal->apply_sent);
    if (journal->commit >= index)
        journal->commit = index - 1;
    if (journal->config_told >= index)
        journal->config_told = index - 1;
    journal->apply_tag = 0;
    journal_cut(journal, index);
    if (index - 1 == journal->applied_point.index)
        log_know_chain(&journal->log, index - 1, journal->applied_point.chain);
}

void journal_restore_time(struct journal *journal, uint64_t order, uint64_t time_ms) {
    if (journal->options->mutant != MUTANT_TIME_FORGOTTEN_AT_START)
        stamps_restore(&journal->stamps, order, time_ms);
}

uint64_t journal_read_index(const struct journal *journal) {
    bool applied = journal->options->mutant == MUTANT_READ_AT_APPLIED;
    return applied ? journal->applied : journal->commit;
}

/* ---- what the disk can't give back ---- */

uint64_t journal_gone(const struct journal *journal) {
    uint64_t held = journal->unreadable < journal->applied ? journal->unreadable : journal->applied;
    uint64_t trimmed = journal->log.before_index;
    return held > trimmed ? held : trimmed;
}

/* A snapshot stands for them: whatever peers still want of them, they can't have it from here. All
 * that it stands for goes, so that the damaged place on the disk does. */
void journal_trim_unreadable(struct journal *journal) {
    uint64_t index = journal->unreadable, base = journal->log.base.index;
    if (index == 0 || index > base || index > journal->durable_index)
        return;
    log_trim(&journal->log, base < journal->durable_index ? base : journal->durable_index);
    journal->unreadable = 0;
}

bool journal_unreadable(struct journal *journal, uint64_t first, uint64_t last) {
    const struct log *log = &journal->log;
    if (first > log->last || last <= log->before_index)
        return true; /* cut off, or trimmed, meanwhile */
    if (first > journal->apply_sent && first < log->window_first)
        return false;
    if (last > log->last)
        last = log->last;
    if (last > journal->unreadable)
        journal->unreadable = last;
    if (journal->options->mutant == MUTANT_LATENT_DAMAGE_ENDS)
        journal->failed = true;
    else
        journal_trim_unreadable(journal);
    return true;
}

bool journal_persisted(struct journal *journal, uint64_t seq) {
    if (seq > journal->persist_seq || seq <= journal->full_seq)
        return false;
    size_t done = 0;
    for (; done < journal->pending_count && journal->pending[done].seq <= seq; done++) {
        const struct journal_pending *pending = &journal->pending[done];
        uint64_t term;
        /* An entry of another term may stand there by now: this one was cut away since, and its
         * successor has a persist of its own. */
        if (pending->last > journal->durable_index &&
            log_term(&journal->log, pending->last, &term) && term == pending->term)
            journal->durable_index = pending->last;
    }
    journal->pending_count -= done;
    for (size_t i = 0; i < journal->pending_count; i++)
        journal->pending[i] = journal->pending[i + done];
    if (done > 0 && journal->pending_count > 0)
        journal->pending[0].issued_at = journal->now; /* until now the disk was at another */
    if (seq > journal->persisted_seq)
        journal->persisted_seq = seq;
    journal_trim_unreadable(journal);
    if (journal->full && journal->full_retry_seq != 0 && seq >= journal->full_retry_seq) {
        journal->full = false;
        if (journal->redo) /* it came while the try was under way */
            dirty_everything(journal);
        outbox_trace(&journal->out, 1, "the disk has space again");
    }
    return true;
}

void journal_persist_failed(struct journal *journal, uint64_t seq, enum cairn_status status) {
    if (status != CAIRN_NO_SPACE) {
        outbox_trace(&journal->out, 2, "write failed: this replica promises nothing any more");
        journal->failed = true;
        return;
    }
    if (seq <= journal->full_seq)
        return;
    if (journal->repaired_seq > journal->persisted_seq) {
        outbox_trace(&journal->out, 2, "the disk is full in the middle of a repair");
        journal->failed = true;
    }
    journal->full_seq = journal->persist_seq;
    for (size_t i = 0; i < journal->pending_count; i++)
        journal->starved |= journal->pending[i].kept;
    journal->pending_count = 0;
    journal->hard_dirty = journal->hard_seq > journal->persisted_seq;
    if (journal->reset_seq > journal->persisted_seq)
        journal->reset_seq = UINT64_MAX; /* whatever follows does not carry it */
    if (!journal->full)
        outbox_trace(&journal->out, 2, "the disk is full: writes are refused until it has space");
    journal->full = journal->redo = true;
    journal->full_retry_seq = 0;
    journal->full_retry_at = journal->now + journal->options->heartbeat_ns;
}

bool journal_retry_due(struct journal *journal) {
    if (!journal->full || journal->now < journal->full_retry_at)
        return false;
    journal->full_retry_at = journal->now + journal->options->heartbeat_ns;
    return true;
}

/* The hard state went before, apart from the entries: it finds room, and answers may wait for it.
 * What was let into the room that is kept back does not show that there is any other. */
void journal_retry(struct journal *journal) {
    cairn_assert(journal->full && !journal->hard_dirty);
    bool kept = has_room(journal);
    if (kept && !journal->redo)
        return; /* it is on its way */
    journal->starved = false;
    dirty_everything(journal);
    journal->full_retry = true;
    uint64_t seq = journal_persist(journal, bytes_of(NULL, 0));
    journal->full_retry = false;
    if (!kept)
        journal->full_retry_seq = seq;
}

bool journal_waits(const struct journal *journal, uint64_t index) {
    return journal->full && journal->redo && index > journal->durable_index &&
           journal->options->mutant != MUTANT_REFUSED_TOLD;
}

bool journal_takes_commands(const struct journal *journal) {
    return !journal->full && !journal->no_room;
}

void journal_room(struct journal *journal, bool there) {
    journal->no_room = !there;
    if (there)
        journal->full_retry_at = journal->now;
}

bool journal_may_take(const struct journal *journal, const struct entry *entries, uint32_t count) {
    for (uint32_t i = 0; i < count && journal->full; i++) {
        uint64_t term;
        bool held = log_term(&journal->log, entries[i].index, &term) && term == entries[i].term;
        if (entries[i].kind == ENTRY_COMMAND && !held && entries[i].index > journal->commit)
            return false;
    }
    return !journal->full || all_needed(journal);
}

/* What a persist under way carries stays: its durability may have been promised. */
bool journal_give_up(struct journal *journal) {
    uint64_t keep =
        journal->commit > journal->durable_index ? journal->commit : journal->durable_index;
    for (size_t i = 0; i < journal->pending_count; i++)
        if (journal->pending[i].last > keep)
            keep = journal->pending[i].last;
    if (!journal->full || journal->log.last <= keep ||
        journal->options->mutant == MUTANT_REFUSED_STAYS)
        return false;
    journal_cut(journal, keep + 1);
    return true;
}

/* What is durable waits for no persist, least of all for one that found no room. */
uint64_t journal_told_after(const struct journal *journal, uint64_t index) {
    cairn_assert(!journal_waits(journal, index));
    return journal->full && index <= journal->durable_index ? journal->hard_seq
                                                            : journal->persist_seq;
}

/* A slow disk is not a stalled one: a value of 64 MiB may take its time, and those behind
 * it wait for it. */
uint64_t journal_disk_late(const struct journal *journal) {
    if (journal->pending_count == 0)
        return 0;
    uint64_t taken = journal->now - journal->pending[0].issued_at;
    uint64_t fair = journal->pending[0].bytes * JOURNAL_NS_PER_BYTE;
    return taken > fair ? taken - fair : 0;
}

bool journal_disk_stalled(const struct journal *journal) {
    return journal_disk_late(journal) > journal->options->disk_stall_ns;
}

void journal_install(struct journal *journal, const struct log_base *base) {
    log_base_set(&journal->log, base);
    log_reset(&journal->log, base->index, base->term, base->chain);
    journal_pending_cut(journal, 1);
    journal->durable_index = journal->commit = base->index;
    journal->applied = journal->apply_sent = base->index;
    journal->applied_point = journal->log.base;
    journal->apply_tag = journal->unreadable = 0;
    journal->entries_dirty = journal->truncate_dirty = 0;
    journal->reset_dirty = true;
    stamps_note(&journal->stamps, base->order, base->time_ms, journal->now);
    journal->config_count = 0;
    struct config config;
    if (config_decode(base->state, &config) == CAIRN_OK)
        journal_config_push(journal, base->index, &config);
    else
        outbox_trace(&journal->out, 2, "a snapshot holds no configuration");
}

/* ---- entries ---- */

struct entry journal_place(struct journal *journal, uint64_t term, uint64_t wall_ms,
                           enum entry_kind kind, struct bytes payload, struct blob *blob,
                           uint8_t *at) {
    struct log *log = &journal->log;
    struct entry entry = {.index = log->last + 1, .term = term, .kind = kind, .blob = blob};
    uint64_t chain;
    bool known = log_chain(log, log->last, &chain);
    cairn_assert(known);
    stamps_next(&journal->stamps, journal->now, wall_ms, &entry.order, &entry.time_ms);
    entry_encode(&entry, at, payload, chain);
    log_append(log, &entry);
    if (!journal->entries_dirty)
        journal->entries_dirty = entry.index;
    return entry;
}

void journal_take(struct journal *journal, struct entry *entries, uint32_t count,
                  uint64_t chain_before, struct blob *frame) {
    struct log *log = &journal->log;
    uint64_t first = log->last + 1;
    log_know_chain(log, log->last, chain_before);
    for (uint32_t i = 0; i < count; i++) {
        struct entry *entry = &entries[i];
        entry->blob = frame;
        log_append(log, entry);
        stamps_note(&journal->stamps, entry->order, entry->time_ms, journal->now);
        struct config config;
        if (entry->kind == ENTRY_CONFIG && config_decode(entry->payload, &config) == CAIRN_OK)
            journal_config_push(journal, entry->index, &config);
    }
    if (count > 0 && (!journal->entries_dirty || first < journal->entries_dirty))
        journal->entries_dirty = first;
}

void journal_check(const struct journal *journal) {
    const struct log *log = &journal->log;
    cairn_assert(journal->applied <= journal->apply_sent && journal->apply_sent <= journal->commit);
    cairn_assert(journal->commit <= log->last && journal->durable_index <= log->last);
    cairn_assert(log->before_index <= journal->applied);
    cairn_assert(log->base.index == 0 || log->before_index <= log->base.index);
    cairn_assert(log->window_first + log->count == log->last + 1);
    cairn_assert(log->window_first > log->before_index);
    cairn_assert(journal->persisted_seq <= journal->persist_seq);
    cairn_assert(!journal->hard_dirty || journal->full || journal->failed);
    for (uint32_t i = 1; i < journal->config_count; i++)
        cairn_assert(journal->configs[i].index > journal->configs[i - 1].index);
}
