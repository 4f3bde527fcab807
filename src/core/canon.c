#include "core/canon.h"

#include "base/assert.h"
#include "base/prng.h"

void canon_number(struct canon *canon, uint64_t number) {
    canon->sum = prng_mix(canon->sum, number);
}

void canon_time(struct canon *canon, uint64_t at) {
    bool comes = at > canon->now && at != UINT64_MAX;
    canon_number(canon, comes ? 1 + at - canon->now : at != 0 && at != UINT64_MAX);
}

void canon_age(struct canon *canon, uint64_t at, uint64_t longest) {
    uint64_t age = canon->now - at;
    canon_number(canon, at == 0 || age > longest ? longest + 1 : age);
}

void canon_entry(struct canon *canon, const struct entry *entry) {
    canon_number(canon, entry->index);
    canon_number(canon, entry->term);
    canon_number(canon, entry->chain);
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
    canon_number(canon, journal->stamps.order);
    canon_number(canon, stamps_time_ms(&journal->stamps, canon->now, 0));
    canon_number(canon, journal->stamps.entry_ms);
    canon_number(canon, journal->stamps.term);
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
    canon_number(canon, 2 * progress->round_trip_ns > patience_ns ? progress->round_trip_ns : 0);
    for (uint32_t i = 0; i < progress->count; i++) {
        const struct inflight *message = &progress->inflight[(progress->head + i) % progress->cap];
        canon_number(canon, message->last);
        canon_age(canon, message->sent_at, 20 * patience_ns);
    }
}

static void list(struct canon *canon, const struct read_list *reads) {
    canon_number(canon, reads->count);
    for (size_t i = 0; i < reads->count; i++) {
        const struct read_item *item = &reads->items[i];
        canon_number(canon, item->tag);
        canon_number(canon, item->from);
        canon_number(canon, item->round);
        canon_number(canon, item->index);
        canon_time(canon, item->deadline);
    }
}

void canon_reads(struct canon *canon, const struct reads *reads) {
    list(canon, &reads->leading);
    list(canon, &reads->asked);
    list(canon, &reads->waiting);
    canon_number(canon, reads->ids);
    canon_number(canon, reads->request);
    canon_time(canon, reads->request_deadline);
}
