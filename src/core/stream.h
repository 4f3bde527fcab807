/* What a leader sends of its log to one peer, and when: from memory, else read back from the disk,
 * else a snapshot must help. The protocol makes messages of it.
 */
#ifndef CAIRN_CORE_STREAM_H
#define CAIRN_CORE_STREAM_H

#include "core/journal.h"
#include "core/progress.h"

struct stream { /* zero-initialised, then stream_reset */
    struct progress progress;
    uint64_t load_tag; /* entries are being read; 0: none */
    uint64_t load_first;
    uint64_t known_index; /* the last entry read, whose chain the next message needs */
    uint64_t known_chain;
};

struct stream_message {
    uint64_t prev, prev_term, prev_chain; /* the entry before */
    const struct entry *entries;          /* in scratch */
    size_t count;                         /* 0: a probe without entries */
};

enum stream_step { STREAM_IDLE, STREAM_MESSAGE, STREAM_SNAPSHOT };

/* Nothing is known of the peer but that `next` may be sent; PROBE. */
void stream_reset(struct stream *stream, uint64_t next);
void stream_free(struct stream *stream);
/* At each heartbeat: see progress_tick; patience_ns is that with an empty message. */
void stream_tick(struct stream *stream, const struct journal *journal, uint64_t patience_ns);
/* The next message, accounted as sent; to be called until it says something else. IDLE: nothing to
 * send, limits reached, or a load was emitted. SNAPSHOT: the log does not reach back so far. */
enum stream_step stream_next(struct stream *stream, struct journal *journal,
                             struct stream_message *message);
/* The answer to the load of load_tag; call stream_next again after a MESSAGE. */
enum stream_step stream_loaded(struct stream *stream, struct journal *journal,
                               enum cairn_status status, const struct entry *entries, size_t count,
                               struct stream_message *message);

#endif
