/* The durable, replicated history of one replica, as every protocol needs it whose leader streams a
 * log: entries, what is on its way to the disk, what is committed and applied, the configurations
 * that the log holds, stamps. The protocol decides what to append, to cut and to commit; its hard
 * state is opaque here. Embedded in the protocol's replica; `now` is set by every step.
 */
#ifndef CAIRN_CORE_JOURNAL_H
#define CAIRN_CORE_JOURNAL_H

#include "core/folders.h"
#include "core/log.h"
#include "core/stamp.h"

/* A disk or a link may be as slow as 20 MB/s: beyond that, what is late is taken for lost. */
#define JOURNAL_NS_PER_BYTE 50u

struct journal_pending {
    uint64_t seq;
    uint64_t last; /* index of the last entry in it; 0: none */
    uint64_t term; /* of that entry */
    uint64_t bytes;
    bool kept;          /* it may use what is kept back */
    uint64_t issued_at; /* or since when it is the first */
};

struct journal_config {
    uint64_t index;
    struct config config;
};

struct journal {
    const struct replica_options *options;
    uint64_t now;
    struct outbox out;
    struct log log;
    struct stamps stamps;
    bool failed; /* an I/O error: nothing is promised any more */

    /* The disk can't give all entries up to here back (those that are not applied are in memory):
     * they count as trimmed until a snapshot stands for them. 0: none. */
    uint64_t unreadable;

    uint64_t commit;
    uint64_t applied;
    uint64_t apply_sent;
    struct log_base applied_point; /* of the entry at applied */
    struct log_base *apply_points; /* of the entries that are being applied */
    size_t apply_count, apply_cap;
    uint64_t apply_tag; /* committed entries are being read back; 0: none */
    uint64_t apply_retry_at;
    uint64_t load_tags; /* last one drawn */

    size_t probe_bytes_max; /* of entries that may be sent for nothing */
    size_t small_bytes;     /* of commands that may take half of the room */

    struct journal_config *configs; /* last at or below applied, and all above; by rising index */
    uint32_t config_count, config_cap;
    uint64_t config_version; /* rises with every change of the list above */
    uint64_t config_told;    /* index up to which a commit was told by EFFECT_CONFIG */
    struct folders met;      /* EVENT_FOUNDERS */

    uint64_t persist_seq; /* last issued */
    uint64_t persisted_seq;
    uint64_t hard_seq;  /* the one that carried the hard state in force */
    uint64_t reset_seq; /* the last that carried a reset */
    uint64_t durable_index;
    struct journal_pending *pending; /* oldest first */
    size_t pending_count, pending_cap;
    bool hard_dirty;
    bool reset_dirty;
    uint64_t truncate_dirty; /* 0: no */
    uint64_t entries_dirty;  /* first index; 0: no */
    bool no_room;            /* the log has none for commands: EVENT_ROOM */
    bool full;               /* a persist found no room: everything not durable is tried again */
    bool redo;               /* what failed is in no persist yet */
    bool starved;            /* not even what is kept back was there; until the next try */
    uint64_t full_seq;       /* persists up to here failed */
    uint64_t full_retry_at;
    uint64_t full_retry_seq; /* the try under way; 0: none */
    bool full_retry;         /* the persist being issued is a try */
    uint64_t repaired_seq;   /* entries of a repair are durable with it */
};

/* `options` is the replica's own copy. The journal must not move in memory afterwards. */
void journal_open(struct journal *journal, const struct replica_options *options);
void journal_free(struct journal *journal);

/* ---- the disk (journal.c) ---- */

/* Anything to persist? When so, the caller has its hard state encoded if journal->hard_dirty. */
bool journal_dirty(const struct journal *journal);
/* Issues what is dirty as one persist; `hard` counts only while hard_dirty. Returns the sequence
 * that covers everything so far. */
uint64_t journal_persist(struct journal *journal, struct bytes hard);
/* Entries at and above index are gone: what is on its way to disk no longer speaks of them. */
void journal_pending_cut(struct journal *journal, uint64_t index);
/* Cuts the log from index on, which is not committed. */
void journal_cut(struct journal *journal, uint64_t index);
/* The same of entries that the disk lost, committed or not, and that are not applied: a leader has
 * those that count, and the caller has no voice until they are here again. */
void journal_lose(struct journal *journal, uint64_t index);
/* What a start finds: stamps go on from there. */
void journal_restore_time(struct journal *journal, uint64_t order, uint64_t time_ms);
/* Of a read that begins now, at a leader. */
uint64_t journal_read_index(const struct journal *journal);
/* The disk can't give first..last back. False: `first` was nowhere else. */
bool journal_unreadable(struct journal *journal, uint64_t first, uint64_t last);
/* Trims them once a snapshot stands for them. */
void journal_trim_unreadable(struct journal *journal);
/* Entries at or below are not to be read from the disk: trimmed, or as good as. */
uint64_t journal_gone(const struct journal *journal);
/* False: old news. When a full disk has space again, something may be dirty now. */
bool journal_persisted(struct journal *journal, uint64_t seq);
/* Anything but NO_SPACE sets `failed`. */
void journal_persist_failed(struct journal *journal, uint64_t seq, enum cairn_status status);
/* Something at or below index is neither durable nor in a persist: it waits for space, and must not
 * be told as durable. */
bool journal_waits(const struct journal *journal, uint64_t index);
/* Commands may be placed: there is room, and nothing waits for some. */
bool journal_takes_commands(const struct journal *journal);
/* EVENT_ROOM. */
void journal_room(struct journal *journal, bool there);
/* True when there is room for these entries, of which the first ones may be in the log already:
 * with a full disk only for what has its place in the room that is kept back. */
bool journal_may_take(const struct journal *journal, const struct entry *entries, uint32_t count);
/* Forgets what the full disk did not take and is not committed: a restart would not find it either.
 * Not for a leader, whose peers may have it. True: there was something. */
bool journal_give_up(struct journal *journal);
/* The persist that an answer waits for which tells what the log holds up to index, if nothing of
 * that waits for space. */
uint64_t journal_told_after(const struct journal *journal, uint64_t index);
/* A full disk: is it time for a try? Then the caller issues its hard state and calls _retry. */
bool journal_retry_due(struct journal *journal);
void journal_retry(struct journal *journal);
/* For how long the oldest write under way has taken longer than its size explains; 0: it has not.
 */
uint64_t journal_disk_late(const struct journal *journal);
bool journal_disk_stalled(const struct journal *journal);
/* A snapshot was installed: the log starts anew behind base, which is applied. */
void journal_install(struct journal *journal, const struct log_base *base);

/* ---- entries (journal.c) ---- */

/* A leader's own next entry, encoded at `at` inside blob. */
struct entry journal_place(struct journal *journal, uint64_t term, uint64_t wall_ms,
                           enum entry_kind kind, struct bytes payload, struct blob *blob,
                           uint8_t *at);
/* Entries from a leader, in frame, which follow the log's end; configurations come into force. */
void journal_take(struct journal *journal, struct entry *entries, uint32_t count,
                  uint64_t chain_before, struct blob *frame);

/* ---- committing and applying (journal_apply.c) ---- */

/* True when that is news. Clamped to the log's end. */
bool journal_commit_to(struct journal *journal, uint64_t index);
/* Hands out what may be applied next, if nothing is under way. */
void journal_apply(struct journal *journal);
/* The answer to a load of apply_tag. */
void journal_apply_loaded(struct journal *journal, enum cairn_status status,
                          const struct entry *entries, size_t count);
void journal_applied(struct journal *journal, uint64_t index);
/* When an apply that could not read is tried again; UINT64_MAX: none waits. */
uint64_t journal_apply_retry_at(const struct journal *journal);
/* For protocol.snapshot_base: the configuration as of applied, behind what `state` holds. */
void journal_snapshot_base(const struct journal *journal, struct log_base *base, struct buf *state);
/* A snapshot at base is durable; entries at or below `trim` go as far as they are durable. False:
 * an older one than the newest. */
bool journal_compacted(struct journal *journal, const struct log_base *base, uint64_t trim);
/* Entries that were read back, held until the step ends. */
struct entry *journal_hold(struct journal *journal, const struct entry *entries, size_t count);

/* ---- configurations by index (journal_config.c) ---- */

/* In force as soon as it is in the log. NULL: none. */
const struct config *journal_config(const struct journal *journal);
uint64_t journal_config_index(const struct journal *journal);
/* The one whose quorums commit. */
const struct config *journal_config_counting(const struct journal *journal);
/* As of an index at or above applied. */
const struct config *journal_config_at(const struct journal *journal, uint64_t index);
void journal_config_push(struct journal *journal, uint64_t index, const struct config *config);
/* Those at and above index go. */
void journal_config_truncate(struct journal *journal, uint64_t index);
/* Tells the configuration in force by EFFECT_CONFIG. */
void journal_config_tell(struct journal *journal);
/* EVENT_FOUNDERS. True: it founds the cluster, so there is a configuration now. */
bool journal_founders(struct journal *journal, const struct folders *met,
                      const struct config *founds);
/* The incarnation under which a member counts: the configuration's, or with which it was met. 0:
 * any. */
uint64_t journal_folder(const struct journal *journal, const struct member *member);
/* A member of the configuration in force that may say so under this incarnation (0: it did not
 * tell). A replica that lost its disk under the same id has forgotten what it promised. */
bool journal_counts(const struct journal *journal, uint64_t id, uint64_t incarnation);
bool journal_is_member(const struct journal *journal, uint64_t id);
/* Is this replica a voter by the configuration in force, or by one before it up to the last
 * committed? */
bool journal_voter_until_committed(const struct journal *journal);
/* Of a replica whose hard state is lost, beside a log: that may also have said that the log's end
 * is lost, and have been all that did, since the log is cut there. So a leader gives back what this
 * replica may have acknowledged. False where the others can't elect one without it: then some other
 * voter is in every quorum and has what was committed. */
bool journal_end_may_be_lost(const struct journal *journal);

/* Asserts what must hold between the fields. */
void journal_check(const struct journal *journal);

#endif
