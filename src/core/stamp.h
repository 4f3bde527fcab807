/* Stamps: what a leader gives every entry besides its index and term (DESIGN, "Stamps").
 *
 * order is a hybrid logical clock: max(last + 1, wall_ms << 20). It rises with every entry of the
 * group, whichever replica leads, and versions what the entry writes.
 *
 * time_ms is replicated wall time, for expiry. It never decreases and its rate is bounded by the
 * monotonic clock: between two entries it moves by (1 +- STAMP_SLEW_PERCENT/100) times what passed
 * here since the previous entry was noted. A wall clock that jumps is thus followed at ten percent
 * of its error a second and neither resurrects nor freezes anything. Leaders tell their time with
 * every heartbeat, so that it goes on at the same pace whichever replica leads next; what arrives
 * late does not hold it back. A leader that restarted may go on from an earlier time than another
 * replica believes it to be: the first word of a new term counts, whatever was believed, or a key
 * would go before its time once that other replica leads. After a restart, until a live leader
 * tells its time, the time that passed is unknown; then wall time is believed if it lies ahead.
 * Wall time is that of a majority of the voters (core/wall.h), not of the leader alone.
 */
#ifndef CAIRN_CORE_STAMP_H
#define CAIRN_CORE_STAMP_H

#include <stdbool.h>
#include <stdint.h>

#define STAMP_SLEW_PERCENT 10u
#define STAMP_ORDER_SHIFT 20
/* Stamps above these are not ours: entries that carry them are malformed. */
#define STAMP_TIME_MS_MAX (1ull << 43)
#define STAMP_ORDER_MAX (1ull << 63)

struct stamps {
    uint64_t order;     /* of the last entry */
    uint64_t time_ns;   /* replicated wall time of the last entry, or at noted_at */
    uint64_t entry_ms;  /* the latest time of any entry: time never falls below it */
    uint64_t term;      /* the newest whose leader told its time */
    uint64_t noted_at;  /* monotonic ns */
    bool noted;         /* false: how long ago that was is unknown */
    uint32_t drift_ppm; /* the owner's: bound on the rate error of any replica's monotonic clock */
};

/* An entry that is already in the log, read back after a restart. */
void stamps_restore(struct stamps *stamps, uint64_t order, uint64_t time_ms);
/* An entry of a live leader was appended here at `now`. It may have been placed long before: of the
 * time that passed since it tells nothing. */
void stamps_note(struct stamps *stamps, uint64_t order, uint64_t time_ms, uint64_t now);
/* The live leader of a term told its replicated time: it goes on from there, whichever replica
 * leads next. 0: it is of a version that does not tell, so time goes on from the last entry. */
void stamps_hear(struct stamps *stamps, uint64_t term, uint64_t time_ms, uint64_t now);
/* A leader tells its replicated time, ms, which never goes back from there. */
uint64_t stamps_tell(struct stamps *stamps, uint64_t now, uint64_t wall_ms);
/* Draws the stamps of a new entry. */
void stamps_next(struct stamps *stamps, uint64_t now, uint64_t wall_ms, uint64_t *order,
                 uint64_t *time_ms);
/* The time that the last entry, or a leader since, told. */
uint64_t stamps_last_ms(const struct stamps *stamps);
/* The time_ms that an entry placed now would get. */
uint64_t stamps_time_ms(const struct stamps *stamps, uint64_t now, uint64_t wall_ms);

#endif
