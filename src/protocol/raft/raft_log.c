#include "protocol/raft/raft_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static void drop_window(struct replica *raft, size_t from) {
    struct raft_log *log = &raft->log;
    while (log->count > from) {
        struct entry *entry = &log->window[log->head + --log->count];
        log->window_bytes -= entry->encoded.len;
        raft_bury(raft, entry);
    }
}

void raft_log_free(struct replica *raft) {
    drop_window(raft, 0);
    cairn_free(raft->log.window);
    cairn_free(raft->log.runs);
}

void raft_log_reset(struct replica *raft, uint64_t index, uint64_t term, uint64_t chain) {
    struct raft_log *log = &raft->log;
    drop_window(raft, 0);
    log->head = 0;
    log->run_count = 0;
    log->before_index = log->last = index;
    log->before_term = term;
    log->before_chain = log->window_chain = chain;
    log->before_chain_known = log->window_chain_known = true;
    log->window_first = index + 1;
}

/* The run that holds index, which lies in the log. */
static uint32_t run_of(const struct raft_log *log, uint64_t index) {
    uint32_t low = 0, high = log->run_count;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (log->runs[middle].first <= index)
            low = middle;
        else
            high = middle;
    }
    return low;
}

static uint64_t run_last(const struct raft_log *log, uint32_t run) {
    return run + 1 < log->run_count ? log->runs[run + 1].first - 1 : log->last;
}

bool raft_log_term(const struct replica *raft, uint64_t index, uint64_t *term) {
    const struct raft_log *log = &raft->log;
    *term = 0;
    if (index == log->before_index) {
        *term = log->before_term;
        return true;
    }
    if (index == raft->base.index) {
        *term = raft->base.term;
        return true;
    }
    if (index < log->before_index || index > log->last)
        return false;
    *term = log->runs[run_of(log, index)].term;
    return *term != 0;
}

bool raft_log_chain(const struct replica *raft, uint64_t index, uint64_t *chain) {
    const struct raft_log *log = &raft->log;
    const struct entry *entry = raft_log_entry(raft, index);
    if (entry != NULL) {
        *chain = entry->chain;
    } else if (index == raft->base.index && index <= log->last) {
        *chain = raft->base.chain;
    } else if (index + 1 == log->window_first && log->window_chain_known) {
        *chain = log->window_chain;
    } else if (index == log->before_index && log->before_chain_known) {
        *chain = log->before_chain;
    } else {
        return false;
    }
    return true;
}

void raft_log_know_chain(struct replica *raft, uint64_t index, uint64_t chain) {
    struct raft_log *log = &raft->log;
    if (index != log->last || log->window_chain_known || log->count > 0)
        return;
    log->window_chain = chain;
    log->window_chain_known = true;
}

uint64_t raft_log_last_term(const struct replica *raft) {
    const struct raft_log *log = &raft->log;
    return log->run_count ? log->runs[log->run_count - 1].term : log->before_term;
}

const struct entry *raft_log_entry(const struct replica *raft, uint64_t index) {
    const struct raft_log *log = &raft->log;
    if (index < log->window_first || index - log->window_first >= log->count)
        return NULL;
    return &log->window[log->head + (index - log->window_first)];
}

static void run_push(struct raft_log *log, uint64_t first, uint64_t term) {
    if (log->run_count > 0 && log->runs[log->run_count - 1].term == term)
        return;
    if (log->run_count == log->run_cap) {
        log->run_cap = log->run_cap ? log->run_cap * 2 : 16;
        log->runs = cairn_realloc(log->runs, log->run_cap * sizeof *log->runs);
    }
    log->runs[log->run_count++] = (struct raft_run){first, term};
}

static void window_room(struct raft_log *log) {
    if (log->head + log->count < log->cap)
        return;
    if (log->head > 0 && log->head >= log->count) {
        memmove(log->window, log->window + log->head, log->count * sizeof *log->window);
        log->head = 0;
        return;
    }
    log->cap = log->cap ? log->cap * 2 : 64;
    log->window = cairn_realloc(log->window, log->cap * sizeof *log->window);
}

static struct entry keep(const struct entry *entry) {
    if (entry->blob != NULL)
        return entry_ref(entry);
    struct entry copy = *entry;
    copy.blob = blob_from(entry->encoded);
    copy.encoded = blob_view(copy.blob);
    copy.payload = bytes_of(copy.blob->data + ENTRY_HEAD_BYTES, entry->payload.len);
    return copy;
}

void raft_log_append(struct replica *raft, const struct entry *entry) {
    struct raft_log *log = &raft->log;
    cairn_assert(entry->index == log->last + 1);
    cairn_assert(entry->term >= raft_log_last_term(raft) || raft->options.mutant);
    cairn_assert(log->window_first + log->count == log->last + 1);
    window_room(log);
    log->window[log->head + log->count++] = keep(entry);
    log->window_bytes += entry->encoded.len;
    run_push(log, entry->index, entry->term);
    log->last = entry->index;
}

void raft_log_truncate(struct replica *raft, uint64_t index) {
    struct raft_log *log = &raft->log;
    cairn_assert(index > log->before_index && index <= log->last);
    if (index >= log->window_first) {
        drop_window(raft, (size_t)(index - log->window_first));
    } else {
        drop_window(raft, 0);
        log->window_first = index;
        log->window_chain_known = false;
        if (index - 1 == raft->base.index) {
            log->window_chain = raft->base.chain;
            log->window_chain_known = true;
        } else if (index - 1 == log->before_index && log->before_chain_known) {
            log->window_chain = log->before_chain;
            log->window_chain_known = true;
        }
    }
    while (log->run_count > 0 && log->runs[log->run_count - 1].first >= index)
        log->run_count--;
    log->last = index - 1;
}

static void window_pop(struct replica *raft) {
    struct raft_log *log = &raft->log;
    struct entry *entry = &log->window[log->head];
    log->window_chain = entry->chain;
    log->window_chain_known = true;
    log->window_bytes -= entry->encoded.len;
    raft_bury(raft, entry);
    log->head++;
    log->count--;
    log->window_first++;
}

void raft_log_trim(struct replica *raft, uint64_t index) {
    struct raft_log *log = &raft->log;
    if (index <= log->before_index)
        return;
    cairn_assert(index <= log->last && index <= raft->applied);
    uint64_t term = 0, chain = 0;
    bool term_known = raft_log_term(raft, index, &term);
    cairn_assert(term_known);
    log->before_chain_known = raft_log_chain(raft, index, &chain);
    while (log->count > 0 && log->window_first <= index)
        window_pop(raft);
    if (log->window_first <= index) {
        log->window_first = index + 1;
        log->window_chain = chain;
        log->window_chain_known = log->before_chain_known;
    }
    uint32_t dead = 0;
    while (dead < log->run_count && run_last(log, dead) <= index)
        dead++;
    if (dead > 0)
        memmove(log->runs, log->runs + dead, (log->run_count - dead) * sizeof *log->runs);
    log->run_count -= dead;
    if (log->run_count > 0 && log->runs[0].first <= index)
        log->runs[0].first = index + 1;
    log->before_index = index;
    log->before_term = term;
    log->before_chain = chain;
}

void raft_log_evict(struct replica *raft) {
    struct raft_log *log = &raft->log;
    uint64_t safe = raft->applied < raft->durable_index ? raft->applied : raft->durable_index;
    while (log->window_bytes > raft->options.window_bytes_max && log->count > 0 &&
           log->window_first <= safe)
        window_pop(raft);
}

void raft_log_evict_recovered(struct replica *raft) {
    struct raft_log *log = &raft->log;
    while (log->window_bytes > raft->options.window_bytes_max && log->count > 1)
        window_pop(raft);
}

void raft_log_gap(struct replica *raft, uint64_t first) {
    struct raft_log *log = &raft->log;
    cairn_assert(first > log->last + 1);
    drop_window(raft, 0);
    run_push(log, log->last + 1, 0);
    log->last = first - 1;
    log->window_first = first;
    log->window_chain_known = false;
}

void raft_log_set_term(struct replica *raft, uint64_t index, uint64_t term) {
    struct raft_log *log = &raft->log;
    uint32_t at = run_of(log, index);
    cairn_assert(log->runs[at].term == 0 && log->runs[at].first == index);
    bool whole = run_last(log, at) == index;
    bool joins = at > 0 && log->runs[at - 1].term == term;
    if (whole && joins) {
        memmove(log->runs + at, log->runs + at + 1, (log->run_count - at - 1) * sizeof *log->runs);
        log->run_count--;
    } else if (whole) {
        log->runs[at].term = term;
    } else if (joins) {
        log->runs[at].first = index + 1;
    } else {
        run_push(log, UINT64_MAX, UINT64_MAX);
        memmove(log->runs + at + 1, log->runs + at, (log->run_count - at - 1) * sizeof *log->runs);
        log->runs[at] = (struct raft_run){index, term};
        log->runs[at + 1].first = index + 1;
    }
    /* Runs of one term that meet now stay two: harmless, and the next trim drops them. */
}

uint64_t raft_log_run_first(const struct replica *raft, uint64_t index) {
    const struct raft_log *log = &raft->log;
    if (index <= log->before_index || index > log->last)
        return index;
    return log->runs[run_of(log, index)].first;
}

uint64_t raft_log_find_term(const struct replica *raft, uint64_t index, uint64_t term) {
    const struct raft_log *log = &raft->log;
    if (index > log->last)
        index = log->last;
    if (index <= log->before_index)
        return log->before_index;
    for (uint32_t at = run_of(log, index) + 1; at > 0; at--)
        if (log->runs[at - 1].term <= term) {
            uint64_t last = run_last(log, at - 1);
            return last < index ? last : index;
        }
    return log->before_index;
}

const struct entry *raft_log_slice(struct replica *raft, uint64_t first, uint64_t last,
                                   size_t bytes_max, size_t *count, size_t *bytes) {
    *count = *bytes = 0;
    if (first > last)
        return NULL;
    const struct entry *from = raft_log_entry(raft, first);
    cairn_assert(from != NULL && last <= raft->log.last);
    size_t left = (size_t)(last - first + 1);
    while (*count < left && (*count == 0 || *bytes + from[*count].encoded.len <= bytes_max))
        *bytes += from[(*count)++].encoded.len;
    struct entry *copy = raft_scratch(raft, *count * sizeof *copy);
    memcpy(copy, from, *count * sizeof *copy);
    return copy;
}
