/* What must hold in a world of cores, whatever the scheduler does. Each breach names the rule that
 * it breaks. The oracles see what no replica sees: every disk, every message as it leaves, every
 * belief after every step.
 */
#ifndef CAIRN_CORES_ORACLE_H
#define CAIRN_CORES_ORACLE_H

#include "cores/cores_world.h"

/* X(constant, what is broken, whose rule it is) */
#define CORES_RULE_LIST(X)                                                                         \
    X(TWO_LEADERS, "two replicas lead one term",                                                   \
      "election safety (Raft, figure 3); an epoch has one leader (Zab, III)")                      \
    X(TWO_AUTHORS, "two entries have the same index and term",                                     \
      "a leader creates at most one entry with an index in its term (Raft, 5.3; Zab, III)")        \
    X(INCOMPLETE, "a new leader lacks a committed entry, or has another one",                      \
      "leader completeness (Raft, 5.4; Zab, primary integrity)")                                   \
    X(TWO_COMMITTED, "two replicas commit different entries at one index",                         \
      "state machine safety (Raft, 5.4.3); agreement and total order (Zab, II)")                   \
    X(NO_QUORUM, "an entry is called committed that no quorum has on its disks",                   \
      "an entry is committed once it is durable on a quorum (Raft, 5.3; Zab, IV)")                 \
    X(EARLY_TERM, "a message leaves before its sender's disk has the term that it tells",          \
      "persistent state is updated on stable storage before responding (Raft, figure 2; Zab, IV)") \
    X(EARLY_VOTE, "a vote leaves before it is on the voter's disk, or after another one",          \
      "one vote a term, durable before it is told (Raft, 5.2; Zab, phase 1)")                      \
    X(EARLY_ACK, "entries are acknowledged that are not on the disk of the follower",              \
      "acknowledgements follow durability (Raft, 5.3; Zab, phases 2 and 3)")                       \
    X(FALSE_ACK, "entries are acknowledged that are not those of the leader",                      \
      "log matching (Raft, 5.3); a follower's history is a prefix of its leader's (Zab, IV)")      \
    X(EARLY_LEASE, "a lease is promised that the follower's disk would forget",                    \
      "a promise outlives its process (core/lease.h; Raft dissertation, 6.4.1)")                   \
    X(BROKEN_PROMISE, "a replica is for another leader while a promise to one runs",               \
      "no vote while a leader's lease may run (Raft, 6; dissertation, 6.4.1)")                     \
    X(LEASE_TOO_LONG, "a lease may outlive the promises that it rests on",                         \
      "a quorum's promises outlive a lease, however wrong clocks run (core/lease.h)")              \
    X(DEAF_LEADER, "a leader that hears no quorum stays",                                          \
      "a leader that can't reach a majority steps down (Raft dissertation, 6.2; Zab, IV)")         \
    X(NO_OWN_ENTRY, "a leader has no entry of its own term",                                       \
      "a leader begins its term with an entry (Raft, 8; Zab, NEWLEADER)")                          \
    X(EARLY_VOTER, "a member is made a voter that does not have the log",                          \
      "new members catch up before they vote (Raft dissertation, 4.2.1)")                          \
    X(FORGOTTEN, "a replica comes back with less than it told others",                             \
      "terms and votes survive restarts (Raft, 5.1; Zab, IV)")                                     \
    X(VOICE, "a replica votes that has lost what it acknowledged, and it is committed",            \
      "a vote goes by a log that has all that was acknowledged (Raft, 5.4.1; Zab, phase 1)")       \
    X(UNBOUND, "a change of members forgets the data folder of one that stays",                    \
      "a member is bound to its folder (core/config.h)")                                           \
    X(REFUSED_KEPT, "a follower keeps entries that its full disk refused",                         \
      "what finds no room and is not committed is given up (docs/storage.md)")                     \
    X(EARLIER_TERM, "a replica is led in a term that it had told its leader to be taken",          \
      "a new epoch is later than all that a quorum has accepted (Zab, phase 1)")                   \
    X(PROMISE_BACK, "a hard state takes back a term or a vote",                                    \
      "terms never fall, and a vote in a term stays (Raft, 5.1; Zab, IV)")                         \
    X(TAKEN_BACK, "a replica's disk loses a committed entry",                                      \
      "what is committed is never cut off (Raft, 5.3; Zab, IV)")                                   \
    X(APPLY_ORDER, "an entry is applied out of order, or before it is committed",                  \
      "entries are applied in order, once, when committed (Raft, 5.3; core/protocol.h)")           \
    X(COMMIT_BACK, "a replica's commit index goes back",                                           \
      "commit indexes only rise (Raft, fig. 2)")                                                   \
    X(OLD_SNAPSHOT, "a snapshot replaces newer state",                                             \
      "a snapshot is installed only above what is applied (Raft, 7)")                              \
    X(FALSE_CONFIG, "a configuration is in force that is not the newest one in the log",           \
      "a configuration is in force once it is in the log, and no longer (Raft, 6)")                \
    X(FALSE_SNAPSHOT, "a snapshot has another configuration than the one that is committed there", \
      "a snapshot holds committed state (Raft, 7)")                                                \
    X(STALE_LEASE, "an unexpired lease is held while a newer term has committed more",             \
      "a lease ends before another leader commits (Raft dissertation, 6.4.1)")                     \
    X(STALE_READ, "a read is allowed at an index below what was applied before it began",          \
      "reads are linearizable (Raft, 8; dissertation, 6.4)")                                       \
    X(NO_PROGRESS, "everything is healed, and the group does not go on",                           \
      "a majority that is connected elects a leader and commits")

enum cores_rule {
#define X(constant, text, rule) CORES_RULE_##constant,
    CORES_RULE_LIST(X)
#undef X
        CORES_RULE_COUNT
};

/* What a replica did that is judged by what others have and know. A world judges it at once; where
 * a replica is stepped alone (cores_local.h) it is written down, to be judged in every state of the
 * whole in which the same step is taken. */
enum cores_note_kind {
    CORES_NOTE_AUTHOR, /* an entry is written: index, term, chain */
    CORES_NOTE_LEADER, /* term, last: its log ends there */
    CORES_NOTE_APPLY,  /* index, chain */
    CORES_NOTE_COMMIT, /* the commit index rose from `last` to index in term */
    CORES_NOTE_ACK,    /* `to`, which leads term, is told that all up to index is its own */
    CORES_NOTE_ASK,    /* a read begins: tag */
    CORES_NOTE_READ    /* and is allowed: tag, index */
};

struct cores_note {
    enum cores_note_kind kind;
    uint64_t index, term, chain, last, to, tag;
};

struct cores_notes {
    struct cores_note *items;
    size_t count, cap;
};

void cores_oracle_judge(struct cores_world *world, struct cores_node *node,
                        const struct cores_note *note);

void cores_breach(struct cores_world *world, enum cores_rule rule, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

void cores_oracle_open(struct cores_world *world);
void cores_oracle_begin(struct cores_world *world);
void cores_oracle_close(struct cores_world *world);

/* At the border of a replica's effects. */
void cores_oracle_author(struct cores_world *world, const struct cores_node *node,
                         const struct entry *entry);
void cores_oracle_leader(struct cores_world *world, struct cores_node *node, uint64_t term);
void cores_oracle_apply(struct cores_world *world, struct cores_node *node,
                        const struct entry *entry);
void cores_oracle_install(struct cores_world *world, struct cores_node *node,
                          const struct log_base *base);
/* clock: the sender's, in the step that made the message. */
void cores_oracle_claim(struct cores_world *world, struct cores_node *node, uint64_t to,
                        struct bytes message, uint64_t clock);
/* Promises (cores_oracle_lease.c): what a message tells of them, what one that arrives makes void,
 * and a read that begins. */
void cores_oracle_promises(struct cores_world *world, struct cores_node *node, uint64_t to,
                           const struct claim *claim, uint64_t clock);
void cores_oracle_heard(const struct cores_world *world, struct cores_node *node, uint64_t from,
                        struct bytes message);
/* What it acknowledges, and a vote (cores_oracle_voice.c). */
void cores_oracle_acked(const struct cores_world *world, struct cores_node *node,
                        const struct claim *claim);
void cores_oracle_voice(struct cores_world *world, const struct cores_node *node,
                        const struct claim *claim);
/* A full disk refused what was under way, and the replica has heard of it. */
void cores_oracle_refused(struct cores_world *world, const struct cores_node *node);
/* A leader chooses its term by what those told it that it leads. */
void cores_oracle_informed(const struct cores_world *world, struct cores_node *node, uint64_t from,
                           const struct claim *claim);
void cores_oracle_leads(struct cores_world *world, const struct cores_node *node, uint64_t to,
                        const struct claim *claim);
void cores_oracle_lease(struct cores_world *world, const struct cores_node *node);
/* A deadline of the node has passed and was looked at. */
void cores_oracle_tick(struct cores_world *world, const struct cores_node *node);
/* A read begins; the tag that names it. */
uint64_t cores_oracle_ask(struct cores_world *world, const struct cores_node *node);
void cores_oracle_read(struct cores_world *world, const struct cores_node *node, uint64_t tag,
                       enum cairn_status status, uint64_t index);
/* The configuration in force is another one; and a snapshot was made. */
void cores_oracle_config(struct cores_world *world, struct cores_node *node, uint64_t index);
void cores_oracle_snapshot(struct cores_world *world, const struct cores_node *node,
                           const struct log_base *base);
/* After each step, and when a replica has started. */
void cores_oracle_step(struct cores_world *world, struct cores_node *node);
void cores_oracle_started(struct cores_world *world, struct cores_node *node);

/* At the disk. */
void cores_oracle_promise(struct cores_world *world, const struct cores_node *node,
                          const struct promise *before);
/* The highest committed index up to which the disk holds everything. */
uint64_t cores_oracle_held(const struct cores_world *world, const struct cores_node *node);
void cores_oracle_kept(struct cores_world *world, const struct cores_node *node, uint64_t held);

#endif
