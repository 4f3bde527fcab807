/* What a leader knows of one peer's log, and how much it may send it (Ongaro 2014, sections 3.5 and
 * 10.2.1). Shared by protocols whose leader streams a log.
 *
 * PROBE: where the logs meet is not known; one message at a time, repeated at heartbeats without
 * its entries, which may still be on their way.
 * REPLICATE: they meet at match; messages are pipelined, next runs ahead of match, limits on
 * their number and bytes hold. SNAPSHOT: entries wait until the peer has snapshot_index.
 */
#ifndef CAIRN_CORE_PROGRESS_H
#define CAIRN_CORE_PROGRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum progress_state { PROGRESS_PROBE = 1, PROGRESS_REPLICATE, PROGRESS_SNAPSHOT };

struct inflight {
    uint64_t last; /* index of the message's last entry */
    uint64_t sent_at;
    size_t bytes;
};

struct progress {
    enum progress_state state;
    uint64_t match; /* the peer's log is ours up to here, durably */
    uint64_t next;  /* the next index to send */
    bool paused;    /* PROBE: a message is out, or there is reason to wait for a heartbeat */
    bool bare;      /* PROBE: entries are out, or may be: messages carry none until an answer */
    uint64_t round_trip_ns; /* of the last message that was answered; 0: none yet */
    uint64_t snapshot_index;
    struct inflight *inflight; /* ring, oldest first */
    uint32_t head;
    uint32_t count;
    uint32_t cap;
    size_t inflight_bytes;
};

struct progress_limits {
    uint32_t count_max;
    size_t bytes_max;
};

/* Forgets everything: PROBE from next on. The ring is kept for reuse. Zero-initialise once. */
void progress_reset(struct progress *progress, uint64_t next);
void progress_free(struct progress *progress);

/* Back to what is known to match; what was in flight counts as lost. */
void progress_probe(struct progress *progress);
void progress_snapshot(struct progress *progress, uint64_t index);

/* May a message be sent now? */
bool progress_may_send(const struct progress *progress, const struct progress_limits *limits);
/* A message with entries up to `last` (next - 1: none) was sent. */
void progress_sent(struct progress *progress, uint64_t last, size_t bytes, uint64_t now);
/* The peer has everything up to `index`, durably. True when that is news. */
bool progress_acked(struct progress *progress, uint64_t index);
/* The peer has no entry as ours at prev; try `next` (it is clamped to what makes sense). False: an
 * old answer, nothing changed. */
bool progress_rejected(struct progress *progress, uint64_t prev, uint64_t next);
/* An answer came to a message that left at sent_at. */
void progress_answered(struct progress *progress, uint64_t sent_at, uint64_t now);
/* At each heartbeat: a message that is not answered within patience_ns, or twice the last round
 * trip where that is longer (20 times patience_ns at most), may be lost; a probe is repeated. */
void progress_tick(struct progress *progress, uint64_t patience_ns, uint64_t now);
/* Asserts what must hold between the fields. */
void progress_check(const struct progress *progress, uint64_t last);

#endif
