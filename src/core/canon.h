/* A replica's state as a number that is equal for states from which the same follows, for searches
 * that must not see one twice. Numbers that only name something (sequences, rounds, sessions) go in
 * as differences, and times as their order among each other: how long something takes is left out.
 */
#ifndef CAIRN_CORE_CANON_H
#define CAIRN_CORE_CANON_H

#include "core/journal.h"
#include "core/progress.h"
#include "core/reads.h"

#define CANON_TIMES_MAX 256u

struct canon { /* zero-initialised but for now */
    uint64_t sum;
    uint64_t now; /* of the replica whose times follow */
    uint64_t times[CANON_TIMES_MAX];
    uint32_t time_count;
};

void canon_number(struct canon *canon, uint64_t number);
/* When something will be due; what is past counts as past, 0 and UINT64_MAX as never. */
void canon_time(struct canon *canon, uint64_t at);
/* The order of the times so far goes in, and they are forgotten. */
void canon_times_end(struct canon *canon);
/* What it is, without its stamps and what follows from them. */
void canon_entry(struct canon *canon, const struct entry *entry);
/* Those that a message carries behind its head. */
void canon_entries(struct canon *canon, struct bytes message, size_t head, size_t count);
void canon_journal(struct canon *canon, const struct journal *journal);
void canon_progress(struct canon *canon, const struct progress *progress, uint64_t patience_ns);
/* round: the leader's present one. */
void canon_reads(struct canon *canon, const struct reads *reads, uint64_t round);

#endif
