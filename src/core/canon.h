/* What decides how a replica goes on, as one number that two states share when they go on alike:
 * for searches that must not see one twice. What is only ever compared with itself goes in as a
 * difference (sequences of writes, times); numbers that messages carry go in as they are, so that
 * any message means the same to both.
 */
#ifndef CAIRN_CORE_CANON_H
#define CAIRN_CORE_CANON_H

#include "core/journal.h"
#include "core/progress.h"
#include "core/reads.h"

struct canon { /* zero-initialised but for now */
    uint64_t sum;
    uint64_t now; /* of the replica whose times follow */
};

void canon_number(struct canon *canon, uint64_t number);
/* When something will be due; what is past counts as past, 0 and UINT64_MAX as never. */
void canon_time(struct canon *canon, uint64_t at);
/* How long ago something was, which is asked for no further back than that. */
void canon_age(struct canon *canon, uint64_t at, uint64_t longest);
/* What it is and what is before it. */
void canon_entry(struct canon *canon, const struct entry *entry);
void canon_journal(struct canon *canon, const struct journal *journal);
void canon_progress(struct canon *canon, const struct progress *progress, uint64_t patience_ns);
void canon_reads(struct canon *canon, const struct reads *reads);

#endif
