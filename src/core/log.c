#include "core/log.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

static void drop_window(struct log *log, size_t from) {
    while (log->count > from) {
        struct entry *entry = &log->window[log->head + --log->count];
        log->window_bytes -= entry->encoded.len;
        outbox_bury(log->out, entry);
    }
}

void log_free(struct log *log) {
    drop_window(log, 0);
    buf_free(&log->base_state);
    cairn_free(log->window);
    cairn_free(log->runs);
}

void log_base_set(struct log *log, const struct log_base *base) {
    struct buf copy = {0};
    buf_bytes(&copy, base->state);
    buf_free(&log->base_state);
    log->base_state = copy;
    log->base = *base;
    log->base.state = buf_view(&log->base_state);
}

void log_reset(struct log *log, uint64_t index, uint64_t term, uint64_t chain) {
    drop_window(log, 0);
    log->head = 0;
    log->run_count = 0;
    log->before_index = log->last = index;
    log->before_term = term;
    log->before_chain = log->window_chain = chain;
    log->before_chain_known = log->window_chain_known = true;
    log->window_first = index + 1;
}

/* The run that holds index, which lies in the log. */
static uint32_t run_of(const struct log *log, uint64_t index) {
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

static uint64_t run_last(const struct log *log, uint32_t run) {
    return run + 1 < log->run_count ? log->runs[run + 1].first - 1 : log->last;
}

bool log_term(const struct log *log, uint64_t index, uint64_t *term) {
    *term = 0;
    if (index == log->before_index) {
        *term = log->before_term;
        return true;
    }
    if (index == log->base.index) {
        *term = log->base.term;
        return true;
    }
    if (index < log->before_index || index > log->last)
        return false;
    *term = log->runs[run_of(log, index)].term;
    return *term != 0;
}

bool log_chain(const struct log *log, uint64_t index, uint64_t *chain) {
    const struct entry *entry = log_entry(log, index);
    if (entry != NULL) {
        *chain = entry->chain;
    } else if (index == log->base.index && index <= log->last) {
        *chain = log->base.chain;
    } else if (index + 1 == log->window_first && log->window_chain_known) {
        *chain = log->window_chain;
    } else if (index == log->before_index && log->before_chain_known) {
        *chain = log->before_chain;
    } else {
        return false;
    }
    return true;
}

bool log_holds(const struct log *log, const struct log_base *base) {
    uint64_t term, chain;
    if (base->index > log->last || !log_term(log, base->index, &term) || term != base->term)
        return false;
    return !log_chain(log, base->index, &chain) || chain == base->chain;
}

void log_know_chain(struct log *log, uint64_t index, uint64_t chain) {
    if (index != log->last || log->window_chain_known || log->count > 0)
        return;
    log->window_chain = chain;
    log->window_chain_known = true;
}

uint64_t log_last_term(const struct log *log) {
    return log->run_count ? log->runs[log->run_count - 1].term : log->before_term;
}

const struct entry *log_entry(const struct log *log, uint64_t index) {
    if (index < log->window_first || index - log->window_first >= log->count)
        return NULL;
    return &log->window[log->head + (index - log->window_first)];
}

static void run_push(struct log *log, uint64_t first, uint64_t term) {
    if (log->run_count > 0 && log->runs[log->run_count - 1].term == term)
        return;
    if (log->run_count == log->run_cap) {
        log->run_cap = log->run_cap ? log->run_cap * 2 : 16;
        log->runs = cairn_realloc(log->runs, log->run_cap * sizeof *log->runs);
    }
    log->runs[log->run_count++] = (struct log_run){first, term};
}

static void window_room(struct log *log) {
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

void log_append(struct log *log, const struct entry *entry) {
    cairn_assert(entry->index == log->last + 1);
    cairn_assert(entry->term >= log_last_term(log) || log->unchecked);
    cairn_assert(log->window_first + log->count == log->last + 1);
    window_room(log);
    log->window[log->head + log->count++] = entry_keep(entry);
    log->window_bytes += entry->encoded.len;
    run_push(log, entry->index, entry->term);
    log->last = entry->index;
}

void log_truncate(struct log *log, uint64_t index) {
    cairn_assert(index > log->before_index && index <= log->last);
    if (index >= log->window_first) {
        drop_window(log, (size_t)(index - log->window_first));
    } else {
        drop_window(log, 0);
        log->window_first = index;
        log->window_chain_known = false;
        if (index - 1 == log->base.index) {
            log->window_chain = log->base.chain;
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

static void window_pop(struct log *log) {
    struct entry *entry = &log->window[log->head];
    log->window_chain = entry->chain;
    log->window_chain_known = true;
    log->window_bytes -= entry->encoded.len;
    outbox_bury(log->out, entry);
    log->head++;
    log->count--;
    log->window_first++;
}

void log_trim(struct log *log, uint64_t index) {
    if (index <= log->before_index)
        return;
    cairn_assert(index <= log->last);
    uint64_t term = 0, chain = 0;
    bool term_known = log_term(log, index, &term);
    cairn_assert(term_known);
    log->before_chain_known = log_chain(log, index, &chain);
    while (log->count > 0 && log->window_first <= index)
        window_pop(log);
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

void log_evict(struct log *log, uint64_t safe) {
    while (log->window_bytes > log->window_bytes_max && log->count > 0 && log->window_first <= safe)
        window_pop(log);
}

void log_evict_recovered(struct log *log) {
    while (log->window_bytes > log->window_bytes_max && log->count > 1)
        window_pop(log);
}

void log_gap(struct log *log, uint64_t first) {
    cairn_assert(first > log->last + 1);
    drop_window(log, 0);
    run_push(log, log->last + 1, 0);
    log->last = first - 1;
    log->window_first = first;
    log->window_chain_known = false;
}

void log_set_term(struct log *log, uint64_t index, uint64_t term) {
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
        log->runs[at] = (struct log_run){index, term};
        log->runs[at + 1].first = index + 1;
    }
    /* Runs of one term that meet now stay two: harmless, and the next trim drops them. */
}

uint64_t log_run_first(const struct log *log, uint64_t index) {
    if (index <= log->before_index || index > log->last)
        return index;
    return log->runs[run_of(log, index)].first;
}

uint64_t log_find_term(const struct log *log, uint64_t index, uint64_t term) {
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

const struct entry *log_slice(struct log *log, uint64_t first, uint64_t last, size_t bytes_max,
                              size_t *count, size_t *bytes) {
    *count = *bytes = 0;
    if (first > last)
        return NULL;
    const struct entry *from = log_entry(log, first);
    cairn_assert(from != NULL && last <= log->last);
    size_t left = (size_t)(last - first + 1);
    while (*count < left && (*count == 0 || *bytes + from[*count].encoded.len <= bytes_max))
        *bytes += from[(*count)++].encoded.len;
    struct entry *copy = outbox_scratch(log->out, *count * sizeof *copy);
    memcpy(copy, from, *count * sizeof *copy);
    return copy;
}

void log_check_deep(const struct log *log) {
    uint64_t chain = log->window_chain;
    bool known = log->window_chain_known;
    size_t bytes = 0;
    for (size_t i = 0; i < log->count; i++) {
        const struct entry *entry = &log->window[log->head + i];
        uint64_t term;
        cairn_assert(entry->index == log->window_first + i);
        cairn_assert(log_term(log, entry->index, &term) && term == entry->term);
        cairn_assert(!known || entry_chain_holds(entry, chain));
        cairn_assert(i == 0 || (entry->term >= entry[-1].term && entry->order > entry[-1].order &&
                                entry->time_ms >= entry[-1].time_ms));
        chain = entry->chain;
        known = true;
        bytes += entry->encoded.len;
    }
    cairn_assert(bytes == log->window_bytes);
    for (uint32_t i = 1; i < log->run_count; i++)
        cairn_assert(log->runs[i].first > log->runs[i - 1].first);
}
