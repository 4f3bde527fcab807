/* A replica's log as a protocol core sees it: (before, last]. The tail from window_first on is in
 * memory; what lies between is on disk only. Terms of all of it are kept as runs, so that log_term
 * needs no disk. Shared by protocols whose leader streams a log of entries with dense indexes.
 */
#ifndef CAIRN_CORE_LOG_H
#define CAIRN_CORE_LOG_H

#include "core/outbox.h"

struct log_run {
    uint64_t first;
    uint64_t term; /* 0: unknown (a hole) */
};

struct log {
    struct outbox *out; /* entries that leave memory are buried there; slices are its scratch */
    size_t window_bytes_max;
    bool unchecked;        /* a seeded bug is at work: terms may fall */
    struct log_base base;  /* of the newest snapshot */
    struct buf base_state; /* holds base.state */
    uint64_t before_index; /* everything at or below was trimmed */
    uint64_t before_term;
    uint64_t before_chain;
    bool before_chain_known;
    uint64_t last;
    struct log_run *runs; /* by rising first, covering before_index + 1 .. last */
    uint32_t run_count, run_cap;
    struct entry *window; /* entries window_first..last at window[head...] */
    size_t head, count, cap;
    uint64_t window_first;
    uint64_t window_chain; /* of entry window_first - 1 */
    bool window_chain_known;
    size_t window_bytes;
};

void log_free(struct log *log);
/* A snapshot at base stands; the log itself is not touched. */
void log_base_set(struct log *log, const struct log_base *base);
/* Starts anew behind (index, term, chain). */
void log_reset(struct log *log, uint64_t index, uint64_t term, uint64_t chain);
/* False when not known: trimmed, beyond the end, in a hole. Index 0 has term 0, chain 0. */
bool log_term(const struct log *log, uint64_t index, uint64_t *term);
bool log_chain(const struct log *log, uint64_t index, uint64_t *chain);
/* The snapshot's last entry is in the log, as far as its chain is known. */
bool log_holds(const struct log *log, const struct log_base *base);
/* After a cut below the window the end's chain is unknown until a leader tells it. */
void log_know_chain(struct log *log, uint64_t index, uint64_t chain);
uint64_t log_last_term(const struct log *log);
/* The entry, if it is in memory. */
const struct entry *log_entry(const struct log *log, uint64_t index);
/* Takes its own reference (or a copy when there is no blob). The index follows the last. */
void log_append(struct log *log, const struct entry *entry);
/* Drops entries at and above index. */
void log_truncate(struct log *log, uint64_t index);
/* Forgets entries at and below index. */
void log_trim(struct log *log, uint64_t index);
/* Lets go of entries at or below `safe` (applied and durable) beyond the window's limit. */
void log_evict(struct log *log, uint64_t safe);
/* Recovery: all of it is on disk, only the end stays in memory. */
void log_evict_recovered(struct log *log);
/* Recovery: entries follow after a gap; the window starts anew behind it. */
void log_gap(struct log *log, uint64_t first);
void log_set_term(struct log *log, uint64_t index, uint64_t term);
/* The first index that is held with the term that index has. */
uint64_t log_run_first(const struct log *log, uint64_t index);
/* The last index at or below `index` whose term is at most `term`; before_index when none is. */
uint64_t log_find_term(const struct log *log, uint64_t index, uint64_t term);
/* Entries first..last (in memory) up to bytes_max, at least one, in scratch. */
const struct entry *log_slice(struct log *log, uint64_t first, uint64_t last, size_t bytes_max,
                              size_t *count, size_t *bytes);
/* Asserts also what is too dear for every step: walks the window and verifies its chain. */
void log_check_deep(const struct log *log);

#endif
