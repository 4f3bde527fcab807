/* Leases: for how long a leader may answer reads by itself. A follower promises the leader that it
 * hears, for a length that the leader asks for, to help no other replica to lead; its answer tells
 * the length that it promised, and the leader counts nothing else (Ongaro 2014, section 6.4.1;
 * Gray & Cheriton 1989). So no setting needs to be equal on all replicas, and none may change only
 * on all of them at once: a replica keeps its promise for as long as it made it.
 *
 * The promise outlives the follower's process: its length is part of the hard state, and after a
 * start it is kept from the start on.
 */
#ifndef CAIRN_CORE_LEASE_H
#define CAIRN_CORE_LEASE_H

#include <stdbool.h>
#include <stdint.h>

/* No leader asks for more; also what a replica keeps that has forgotten what it promised. */
#define LEASE_NS_MAX 10000000000ull
uint64_t lease_limited(uint64_t asked_ns);

struct lease_promise {
    uint64_t asked_ns;  /* by the leader that is followed */
    uint64_t length_ns; /* hard state: no promise that still runs is longer */
    uint64_t start_end; /* end of what an earlier life may have promised */
    uint64_t end;       /* end of what was promised in this life */
};

/* length_ns: as the hard state says. Without one nothing was ever promised: 0. */
void lease_promise_start(struct lease_promise *promise, uint64_t length_ns, uint64_t now);
/* The leader asks for this length from now on. No more than patience_ns is promised, after which
 * this replica would stand for election itself: else one message of what only calls itself a leader
 * could keep a group without one for long. True: length_ns changed, so the hard state must be
 * durable before the next answer leaves. */
bool lease_ask(struct lease_promise *promise, uint64_t asked_ns, uint64_t patience_ns,
               uint64_t now);
/* The leader was heard. */
void lease_renew(struct lease_promise *promise, uint64_t now);
/* The leader released this replica from what it promised in this life. */
void lease_release(struct lease_promise *promise);
/* No other replica is helped to lead before. */
uint64_t lease_promise_end(const struct lease_promise *promise);

/* At the leader: until when a promise of that length holds which answers a message sent at sent_at.
 * The clocks of both may run wrong by drift_ppm, in opposite directions. 0: it promises nothing. */
uint64_t lease_until(uint64_t sent_at, uint64_t promised_ns, uint32_t drift_ppm);

#endif
