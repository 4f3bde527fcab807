#include "core/canon.h"

#include "base/assert.h"
#include "base/prng.h"

void canon_number(struct canon *canon, uint64_t number) {
    canon->sum = prng_mix(canon->sum, number);
}

void canon_time(struct canon *canon, uint64_t at) {
    bool comes = at > canon->now && at != UINT64_MAX;
    canon_number(canon, comes ? 2 : at != 0 && at != UINT64_MAX);
    cairn_assert(canon->time_count < CANON_TIMES_MAX);
    canon->times[canon->time_count++] = comes ? at : 0;
}

void canon_times_end(struct canon *canon) {
    for (uint32_t i = 0; i < canon->time_count; i++) {
        uint64_t before = 0;
        for (uint32_t j = 0; j < canon->time_count && canon->times[i] != 0; j++)
            before += canon->times[j] < canon->times[i];
        canon_number(canon, before);
    }
    canon->time_count = 0;
}

void canon_entry(struct canon *canon, const struct entry *entry) {
    canon_number(canon, entry->index);
    canon_number(canon, entry->term);
    canon->sum = bytes_hash(entry->payload, canon->sum + entry->kind);
}

void canon_entries(struct canon *canon, struct bytes message, size_t head, size_t count) {
    struct reader reader = reader_of(message);
    struct entry entry;
    read_bytes(&reader, head);
    while (count-- > 0 && entry_decode(&reader, &entry) == CAIRN_OK)
        canon_entry(canon, &entry);
}

static void pending(struct canon *canon, const struct journal *journal) {
    for (size_t i = 0; i < journal->pending_count; i++) {
        const struct journal_pending *write = &journal->pending[i];
        canon_number(canon, journal->persist_seq - write->seq);
        canon_number(canon, write->last);
        canon_number(canon, write->term);
    }
    canon_time(canon, journal->pending_count == 0
                          ? 0
                          : journal->pending[0].issued_at + journal->options->disk_stall_ns);
}

void canon_journal(struct canon *canon, const struct journal *journal) {
    const struct log *log = &journal->log;
    canon_number(canon, log->before_index);
    canon_number(canon, log->before_term);
    canon_number(canon, log->last);
    for (uint64_t index = log->before_index + 1; index <= log->last; index++) {
        const struct entry *entry = log_entry(log, index);
        uint64_t term = 0;
        if (entry != NULL)
            canon_entry(canon, entry);
        else if (log_term(log, index, &term))
            canon_number(canon, term);
    }
    canon_number(canon, journal->commit);
    canon_number(canon, journal->applied);
    canon_number(canon, journal->apply_sent);
    canon_number(canon, journal->durable_index);
    canon_number(canon, journal->config_told);
    canon_number(canon, journal->hard_seq <= journal->persisted_seq
                            ? 0
                            : 1 + journal->persist_seq - journal->hard_seq);
    canon_number(canon, journal->persist_seq - journal->persisted_seq);
    canon_number(canon, journal->apply_tag != 0);
    canon_number(canon, (uint64_t)journal->failed << 1 | journal->full);
    pending(canon, journal);
}

void canon_progress(struct canon *canon, const struct progress *progress, uint64_t patience_ns) {
    canon_number(canon, progress->state);
    canon_number(canon, progress->match);
    canon_number(canon, progress->next);
    canon_number(canon, (uint64_t)progress->paused << 1 | progress->bare);
    canon_number(canon, progress->snapshot_index);
    canon_number(canon, progress->count);
    for (uint32_t i = 0; i < progress->count; i++)
        canon_number(canon, progress->inflight[(progress->head + i) % progress->cap].last);
    canon_time(canon,
               progress->count == 0 ? 0 : progress->inflight[progress->head].sent_at + patience_ns);
}

static void list(struct canon *canon, const struct read_list *reads, uint64_t round) {
    canon_number(canon, reads->count);
    for (size_t i = 0; i < reads->count; i++) {
        const struct read_item *item = &reads->items[i];
        canon_number(canon, item->from == 0 ? item->tag : 0);
        canon_number(canon, item->from);
        canon_number(canon, item->round - round);
        canon_number(canon, item->index);
        canon_time(canon, item->deadline);
    }
}

void canon_reads(struct canon *canon, const struct reads *reads, uint64_t round) {
    list(canon, &reads->leading, round);
    list(canon, &reads->asked, 0);
    list(canon, &reads->waiting, 0);
    canon_number(canon, reads->request != 0);
    canon_time(canon, reads->request_deadline);
}
