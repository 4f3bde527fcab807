#include "core/stream.h"

#include "base/assert.h"

static struct progress_limits limits_of(const struct journal *journal) {
    return (struct progress_limits){journal->options->inflight_max,
                                    journal->options->inflight_bytes_max};
}

void stream_reset(struct stream *stream, uint64_t next) {
    progress_reset(&stream->progress, next);
    stream->load_tag = 0;
    stream->known_index = UINT64_MAX;
}

void stream_free(struct stream *stream) {
    progress_free(&stream->progress);
}

/* Whether the next message may carry so many bytes of entries. */
static bool may_carry(const struct journal *journal, const struct progress *progress,
                      size_t bytes) {
    return progress->state != PROGRESS_PROBE ||
           (!progress->bare && bytes <= journal->probe_bytes_max);
}

static bool chain_before(const struct stream *stream, const struct journal *journal,
                         uint64_t *chain) {
    uint64_t prev = stream->progress.next - 1;
    *chain = stream->known_chain;
    return stream->known_index == prev || log_chain(&journal->log, prev, chain);
}

static bool from_memory(struct stream *stream, struct journal *journal,
                        struct stream_message *message) {
    struct log *log = &journal->log;
    uint64_t next = stream->progress.next;
    if (next <= log->last && next < log->window_first && may_carry(journal, &stream->progress, 0))
        return false;
    *message = (struct stream_message){.prev = next - 1};
    if (!log_term(log, next - 1, &message->prev_term) ||
        !chain_before(stream, journal, &message->prev_chain))
        return false;
    size_t bytes = 0;
    if (may_carry(journal, &stream->progress, 0))
        message->entries = log_slice(log, next, log->last, journal->options->append_bytes_max,
                                     &message->count, &bytes);
    if (!may_carry(journal, &stream->progress, bytes))
        message->count = bytes = 0;
    progress_sent(&stream->progress, message->prev + message->count, bytes, journal->now);
    return true;
}

static void load(struct stream *stream, struct journal *journal, uint64_t first, uint64_t last) {
    stream->load_tag = ++journal->load_tags;
    stream->load_first = first;
    struct effect *effect = outbox_emit(&journal->out, EFFECT_LOAD);
    effect->load.tag = stream->load_tag;
    effect->load.first = first;
    effect->load.last = last > first ? last : first;
    effect->load.bytes_max =
        rare_limit(journal->options->rare, RARE_LOAD_ONE, 1, journal->options->append_bytes_max);
}

/* Entries that left memory: read from one before the first wanted, for its chain. */
RARE_COLD static enum stream_step from_disk(struct stream *stream, struct journal *journal) {
    struct log *log = &journal->log;
    uint64_t next = stream->progress.next, term, chain;
    if (stream->load_tag != 0)
        return STREAM_IDLE;
    uint64_t last = log->window_first - 1 < log->last ? log->window_first - 1 : log->last;
    uint64_t gone = journal_gone(journal);
    if (next <= gone || !log_term(log, next - 1, &term) ||
        rare_hit(journal->options->rare, RARE_SNAPSHOT_RATHER))
        return STREAM_SNAPSHOT;
    if (chain_before(stream, journal, &chain))
        load(stream, journal, next, last);
    else if (next - 1 > gone)
        load(stream, journal, next - 1, last);
    else
        return STREAM_SNAPSHOT;
    return STREAM_IDLE;
}

void stream_tick(struct stream *stream, const struct journal *journal, uint64_t patience_ns) {
    struct progress *progress = &stream->progress;
    if (progress->count > 0 && rare_hit(journal->options->rare, RARE_RESEND))
        progress_probe(progress);
    progress_tick(progress, patience_ns + progress->inflight_bytes * JOURNAL_NS_PER_BYTE,
                  journal->now);
}

enum stream_step stream_next(struct stream *stream, struct journal *journal,
                             struct stream_message *message) {
    struct progress_limits limits = limits_of(journal);
    const struct progress *progress = &stream->progress;
    if (!progress_may_send(progress, &limits))
        return STREAM_IDLE;
    if (progress->state != PROGRESS_PROBE && progress->next > journal->log.last)
        return STREAM_IDLE;
    return from_memory(stream, journal, message) ? STREAM_MESSAGE : from_disk(stream, journal);
}

enum stream_step stream_loaded(struct stream *stream, struct journal *journal,
                               enum cairn_status status, const struct entry *entries, size_t count,
                               struct stream_message *message) {
    struct progress *progress = &stream->progress;
    struct progress_limits limits = limits_of(journal);
    stream->load_tag = 0;
    if (rare_hit(journal->options->rare, RARE_LOAD_FAILS))
        status = CAIRN_BUSY;
    if (status != CAIRN_OK || count == 0) {
        outbox_trace(&journal->out, 1, "entries from %llu cannot be read: %s",
                     (unsigned long long)stream->load_first, cairn_status_name(status));
        if (journal->log.base.index >= stream->load_first ||
            journal_gone(journal) >= stream->load_first)
            return STREAM_SNAPSHOT;
        progress->paused = true;
        return STREAM_IDLE;
    }
    if (!progress_may_send(progress, &limits))
        return STREAM_IDLE;
    *message = (struct stream_message){.prev = progress->next - 1};
    size_t skip = entries[0].index == message->prev;
    if (skip) {
        stream->known_index = message->prev;
        stream->known_chain = entries[0].chain;
    }
    if (count == skip && progress->next <= journal->log.last) /* no room was left for more */
        return stream_next(stream, journal, message);
    /* The peer may have moved on meanwhile. */
    if ((!skip && entries[0].index != progress->next) ||
        !chain_before(stream, journal, &message->prev_chain) ||
        !log_term(&journal->log, message->prev, &message->prev_term))
        return STREAM_IDLE;
    size_t bytes = 0;
    for (size_t i = skip; i < count; i++)
        bytes += entries[i].encoded.len;
    if (may_carry(journal, progress, bytes)) {
        message->entries = journal_hold(journal, entries, count) + skip;
        message->count = count - skip;
        stream->known_index = entries[count - 1].index;
        stream->known_chain = entries[count - 1].chain;
    } else {
        bytes = 0;
    }
    progress_sent(progress, message->prev + message->count, bytes, journal->now);
    return STREAM_MESSAGE;
}
