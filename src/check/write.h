/* Writes a history in one of the formats that readers take; reading it again gives an equal history
 * (history_equal), as far as the format can hold it. What a format can't hold is counted, not
 * written silently: see `lost`.
 *
 * - jsonl holds all. Header lines tell initial values and that there is no real time.
 * - edn can't tell a read that found nothing from one whose answer is not known, nor "no match"
 *   from "failed" (both are what knossos makes of them), nor keys of maps that are no texts from
 *   symbols. Header maps as in jsonl.
 * - awdit holds committed transactions of reads and writes with integers, and sessions.
 */
#ifndef CAIRN_CHECK_WRITE_H
#define CAIRN_CHECK_WRITE_H

#include "check/history.h"

enum write_format { WRITE_JSON, WRITE_EDN, WRITE_AWDIT, WRITE_FORMAT_COUNT };
/* "jsonl", "edn", "awdit"; WRITE_FORMAT_COUNT: none of that name. */
enum write_format write_format_of(const char *name);

struct history_writer {
    const struct history *history;
    enum write_format format;
    /* Takes what was written so far, now and then; may be NULL: all stays in `out`. */
    void (*flush)(void *context, struct bytes bytes);
    void *context;
    struct buf out;
    uint32_t lost; /* operations and answers that the format can't hold */
};

/* False: the format can't hold this history at all, and `why` says so. The caller frees out. */
bool history_write(struct history_writer *writer, struct buf *why);
/* Equal in all that a checker sees: operations by their order of events, values by content, initial
 * values, faults; not lines, times and dense numbers. `why` (may be NULL) says what differs. */
bool history_equal(const struct history *a, const struct history *b, struct buf *why);

#endif
