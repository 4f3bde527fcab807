/* The machine contract: what replicas agree on, a deterministic state machine.
 *
 * A machine is told everything: no clock, no randomness, no I/O. Two replicas that applied the same
 * entries have equal state to the byte, and the simulator compares their digests. A machine does
 * not know which protocol carries it, nor which front end speaks for it.
 *
 * All inputs are borrowed for the call. Commands come from clients by way of a front end of this
 * or of another node, so a machine checks their shape and answers an error reply; it never asserts
 * on them.
 */
#ifndef CAIRN_CORE_MACHINE_H
#define CAIRN_CORE_MACHINE_H

#include "base/bytes.h"
#include "base/mutant.h"
#include "base/rare.h"
#include "base/status.h"
#include "core/config.h"
#include "core/work.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct machine; /* each machine defines its own */

struct machine_options {
    size_t value_bytes_max; /* largest value it stores */
    uint64_t work_max;      /* elements or bytes that one command may touch before it is refused */
    size_t memory_max;      /* 0: no limit; else commands that need memory are refused above it */
    enum mutant mutant;
    struct rare *rare; /* base/rare.h: asked only for what replicas need not agree on */
    uint64_t (*local_clock)(void *); /* used by one mutant only; NULL otherwise */
    void *local_clock_context;
};

/* The stamps of the entry that is applied (docs/architecture.md, "Stamps"). */
struct apply_context {
    uint64_t index;
    uint64_t term;
    uint64_t order;   /* version of what this entry writes; rises with every entry */
    uint64_t time_ms; /* replicated wall time, Unix epoch; never decreases */
    uint32_t version; /* the cluster version in force: gates new behaviour */
    /* What the command costs is charged here as it is carried out. It may pause inside; nothing
     * but count, memory, next_due and due is called meanwhile. NULL: the cost is not counted. */
    struct work *work;
    /* Nothing on this replica waits for the reply: what is appended need not be the whole of it. */
    bool unheard;
    /* NULL: the reply is to be whole. Else a long one may be made later, so that the entries behind
     * this one do not wait for it: a task is put here, read_step makes the whole reply, and
     * read_end ends it; what was appended to `reply` is of no use then. */
    void **later;
};

/* What a read is told. */
struct read_context {
    uint64_t time_ms; /* the replicated time now */
    uint64_t random;  /* a number for commands that want one */
    bool local; /* what time has brought about counts though no entry of that time is applied */
};

/* What applying an entry set off besides its reply. The executor delivers changes on every replica
 * before any reply or read at that index. */
enum change_kind {
    CHANGE_PUBLISH = 1, /* key: channel, value: message */
    CHANGE_KEY,         /* key: the key, value: the event's name ("set", "expired") */
    CHANGE_FLUSH,       /* everything is gone */
    CHANGE_LIFE,        /* key: u64 id of a life (below); value: struct life_change */
    CHANGE_JUMP /* the executor's own: a snapshot took the state's place, and what changed in
                 * between is not told one by one */
};

/* Appended to a buffer in order; walked by change_next. */
void change_put(struct buf *changes, enum change_kind kind, struct bytes key, struct bytes value);
/* Without the value, of value_len bytes, which the caller appends. */
void change_put_head(struct buf *changes, enum change_kind kind, struct bytes key,
                     size_t value_len);
struct change {
    enum change_kind kind;
    struct bytes key;
    struct bytes value;
    struct buf *owner; /* of key and value: may be taken over; NULL: it holds others too */
};
bool change_next(struct reader *reader, struct change *change);

/* A life began, passed to another holder, or ended (timeout 0). Encoded as two u64. */
struct life_change {
    uint64_t timeout_ms; /* 0: it ended */
    uint64_t holder;     /* the machine's own token of what holds it now */
};
void change_put_life(struct buf *changes, uint64_t id, const struct life_change *life);
bool change_life(const struct change *change, uint64_t *id, struct life_change *life);

/* Keys that a command touches, found without executing it. */
struct key_use {
    struct bytes key; /* borrowed from the command */
    bool write;
};
struct key_uses {
    struct key_use *items; /* owned by the struct, grown as needed; free with key_uses_free */
    size_t count;
    size_t cap;
};
void key_uses_add(struct key_uses *uses, struct bytes key, bool write);
void key_uses_free(struct key_uses *uses);

/* Which orders of entries a machine can live with (DESIGN: Families). */
enum machine_needs { MACHINE_NEEDS_TOTAL_ORDER = 1 };

struct machine_kind {
    const char *name;
    enum machine_needs needs;
    bool pauses; /* apply may pause (core/work.h): then node_read may find no state to read */
    uint32_t snapshot_version; /* the newest format of what snapshot_chunk writes */

    struct machine *(*create)(const struct machine_options *options);
    void (*destroy)(struct machine *machine);
    /* value_bytes_max is this from now on: called at the same index on every replica. */
    void (*set_value_limit)(struct machine *machine, size_t value_bytes_max);

    /* Applies one command: appends exactly one reply value (core/reply.h) to `reply`, and any
     * changes to `changes`. Never fails: a refusal is an error reply, equal on all replicas. */
    void (*apply)(struct machine *machine, const struct apply_context *context,
                  struct bytes command, struct buf *reply, struct buf *changes);

    /* Answers a command that writes nothing, as of the current state. CAIRN_OK: one reply value was
     * appended. CAIRN_DUE: the answer depends on something that ended by time_ms, and no entry of
     * that time was applied yet; ask again, with the same time, when one was; nothing was appended.
     * CAIRN_BUSY: too long for one go: use read_begin. */
    enum cairn_status (*read)(struct machine *machine, const struct read_context *context,
                              struct bytes query, struct buf *reply);

    /* A long read, in slices over a frozen version; or the reply to a write, in slices
     * (apply_context). read_step works for about budget_ns at most
     * (counted, not by a clock: core/work.h), returns true when done. The reply is put into
     * `reply`, which is empty, at the end only; none then means CAIRN_DUE. */
    void *(*read_begin)(struct machine *machine, const struct read_context *context,
                        struct bytes query);
    bool (*read_step)(struct machine *machine, void *task, uint64_t budget_ns, struct buf *reply);
    size_t (*read_gathered)(const void *task); /* bytes of its reply so far */
    void (*read_end)(struct machine *machine, void *task);

    /* True when the command changes nothing, so that it may go to read(). Malformed commands count
     * as writes. */
    bool (*is_read)(struct bytes command);
    /* CAIRN_MALFORMED when the command can't be parsed. */
    enum cairn_status (*keys)(struct bytes command, struct key_uses *uses);

    /* The replicated time (ms) at which something becomes due; UINT64_MAX: nothing will. */
    uint64_t (*next_due)(const struct machine *machine);
    /* Appends the command that brings about what is due at time_ms: a bounded batch of it, behind
     * as many batches as are under way already; false when nothing more is due. The leader proposes
     * it like any command. */
    bool (*due)(const struct machine *machine, uint64_t time_ms, uint32_t under_way,
                struct buf *command);

    /* Lives: what a machine holds for a client only as long as it gives signs of life (sessions of
     * clients, leases of servers). The machine keeps each life's timeout and tells of it by
     * CHANGE_LIFE; signs (node_alive) go to the leader beside the log; when none came for the
     * timeout, the leader proposes the command that life_end gives. A new leader gives every life
     * its full timeout anew. NULL: this machine has none.
     * life_next: the first life with an id above `after`; false when there is none. */
    bool (*life_next)(const struct machine *machine, uint64_t after, uint64_t *id,
                      uint64_t *timeout_ms);
    /* The command that ends it if it is still held as it is now. */
    void (*life_end)(const struct machine *machine, uint64_t id, struct buf *command);

    /* Appends the command that tells the machine the group's committed members; false when it knows
     * them. The leader proposes it. NULL: this machine does not care. */
    bool (*members)(const struct machine *machine, const struct config *config,
                    struct buf *command);

    uint64_t (*digest)(const struct machine *machine);
    size_t (*memory)(const struct machine *machine);  /* bytes, estimate */
    uint64_t (*count)(const struct machine *machine); /* keys, nodes ...: for status */

    /* A snapshot is a frozen version; snapshot_chunk appends whole records until at least
     * `target` bytes were appended or all is written (then returns true). It may run on another
     * thread, one call at a time, while the owner goes on applying. Everything else: the owner. */
    void *(*snapshot_begin)(struct machine *machine);
    bool (*snapshot_chunk)(void *snapshot, size_t target, struct buf *out);
    /* All is written: is it what was put there? False: memory changed by itself. */
    bool (*snapshot_intact)(const void *snapshot);
    /* The oldest format that can hold this snapshot, so that members of an older version can read
     * what they may have. NULL: always snapshot_version. */
    uint32_t (*snapshot_format)(const void *snapshot);
    void (*snapshot_end)(struct machine *machine, void *snapshot);

    /* Restore replaces all state: begin empties, chunk takes the bytes of one snapshot_chunk call
     * (CAIRN_CORRUPT when malformed; the state is then worthless and must be restored again). */
    void (*restore_begin)(struct machine *machine);
    enum cairn_status (*restore_chunk)(struct machine *machine, uint32_t snapshot_version,
                                       struct bytes chunk);
    enum cairn_status (*restore_end)(struct machine *machine);

    /* A slice of housekeeping (freeing dead versions); true while more waits. */
    bool (*tidy)(struct machine *machine, size_t budget);
};

#endif
