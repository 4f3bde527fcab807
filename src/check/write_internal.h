/* Between write.c and the formats. */
#ifndef CAIRN_CHECK_WRITE_INTERNAL_H
#define CAIRN_CHECK_WRITE_INTERNAL_H

#include "check/write.h"

/* What happens at a position: a kind, and the number of an operation or fault. */
#define WRITE_CALL 0u
#define WRITE_RETURN (1u << 30)
#define WRITE_FAULT (2u << 30)
#define WRITE_KIND (3u << 30)
#define WRITE_INDEX (~WRITE_KIND)

/* In the order of positions, without those at which nothing is; the caller frees it. A fault at the
 * position of an operation's event stands before it. */
uint32_t *write_events(const struct history *history, uint32_t *count);
/* Hands out what was written, when it is much or `all`. */
void write_flush(struct history_writer *writer, bool all);
void write_number(struct buf *out, uint64_t number);

void write_forms(struct history_writer *writer);                     /* JSON, EDN */
bool write_sessions(struct history_writer *writer, struct buf *why); /* AWDIT */

#endif
