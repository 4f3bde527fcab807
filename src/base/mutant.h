/* Seeded bugs: deliberate faults, one at most chosen at run time by `cairn sim --mutant NAME`,
 * which prove that the simulator would find them. MUTANT_NONE everywhere else.
 */
#ifndef CAIRN_BASE_MUTANT_H
#define CAIRN_BASE_MUTANT_H

#include <stdbool.h>
#include <stdint.h>

/* How plain a bug is: a rule that is missing, a slip at one of its edges, or one that shows only
 * when things happen in a certain order. */
#define MUTANT_GRADES(X) \
    X(BLUNT, "blunt")    \
    X(SUBTLE, "subtle")  \
    X(TIMING, "timing")

enum mutant_grade {
#define X(constant, name) MUTANT_##constant,
    MUTANT_GRADES(X)
#undef X
        MUTANT_GRADE_COUNT
};

/* X(constant, name, grade, what is broken) */
#define MUTANT_LIST(X)                                                                             \
    X(NONE, "none", BLUNT, "nothing is broken")                                                    \
    X(VOTE_NOT_DURABLE, "vote-not-durable", TIMING,                                                \
      "a vote leaves before it is on disk and is forgotten")                                       \
    X(READ_BEFORE_OWN_TERM, "read-before-own-term", TIMING,                                        \
      "a new leader reads at its commit index before an entry of its term is committed")           \
    X(LEASE_FROM_RECEIPT, "lease-from-receipt", TIMING,                                            \
      "a lease runs from the receipt of the answer instead of the sending of what it answers")     \
    X(LEASE_NO_DRIFT, "lease-no-drift", TIMING, "a lease trusts that all clocks run alike")        \
    X(LEASE_NOT_REVOKED, "lease-not-revoked", TIMING,                                              \
      "a leader that hands over goes on reading by its lease")                                     \
    X(PROMISE_NOT_DURABLE, "promise-not-durable", TIMING,                                          \
      "the length of a follower's promise is not written")                                         \
    X(VOTE_LOG_BY_TERM, "vote-log-by-term", SUBTLE,                                                \
      "a log whose end is of the same term gets a vote, however short")                            \
    X(HEARTBEAT_ACKNOWLEDGES, "heartbeat-acknowledges", TIMING,                                    \
      "a leader counts what the answer to a heartbeat tells, durable or not")                      \
    X(OWN_COPY_EARLY, "own-copy-early", TIMING,                                                    \
      "a leader counts its own copy before it is durable")                                         \
    X(APPLY_UNCOMMITTED, "apply-uncommitted", BLUNT,                                               \
      "what is in the log is applied, committed or not")                                           \
    X(JOINT_SKIPPED, "joint-skipped", BLUNT,                                                       \
      "members change at once, without a joint configuration between")                             \
    X(ZAB_MEET_AT_END, "zab-meet-at-end", SUBTLE,                                                  \
      "two histories meet at the end of the shorter one, whatever their epochs")                   \
    X(WAL_SYNC_FAILURE_IGNORED, "wal-sync-failure-ignored", BLUNT, "a failed sync counts as done") \
    X(WAL_RELEASED_EARLY, "wal-released-early", BLUNT,                                             \
      "the log lets go of entries that no snapshot stands for")                                    \
    X(SENT_BEFORE_DURABLE, "sent-before-durable", TIMING,                                          \
      "the executor sends at once what is to wait for the disk")                                   \
    X(FORWARD_TWICE, "forward-twice", TIMING,                                                      \
      "a request of unknown fate is sent again without a session")                                 \
    X(ONCE_NOT_SLIDING, "once-not-sliding", SUBTLE,                                                \
      "an exactly-once session forgets a reply that its window still holds")                       \
    X(TERM_TOLD_EARLY, "term-told-early", TIMING,                                                  \
      "a refusal of entries tells a term and a promise that are not on disk")                      \
    X(VOTE_TWICE, "vote-twice", BLUNT, "a second candidate gets a vote in the same term")          \
    X(VOTE_STALE_LOG, "vote-stale-log", BLUNT,                                                     \
      "a vote ignores that the candidate's log is behind")                                         \
    X(COMMIT_OLD_TERM, "commit-old-term", TIMING,                                                  \
      "old-term entries commit by counting (Figure 8)")                                            \
    X(COMMIT_MINORITY, "commit-minority", BLUNT, "one replica fewer than a majority commits")      \
    X(ACK_BEFORE_SYNC, "ack-before-sync", TIMING,                                                  \
      "a follower acknowledges entries before they are durable")                                   \
    X(TRUNCATE_ALWAYS, "truncate-always", TIMING, "a delayed append cuts newer matching entries")  \
    X(NO_LOG_MATCH, "no-log-match", BLUNT,                                                         \
      "an append is taken without checking the previous entry")                                    \
    X(LEASE_TOO_LONG, "lease-too-long", TIMING,                                                    \
      "the leader's lease outlives the followers' promise")                                        \
    X(LEASE_OWN_LENGTH, "lease-own-length", TIMING,                                                \
      "leader and followers take a lease's length from their own settings")                        \
    X(TIME_OF_ONE_CLOCK, "time-of-one-clock", BLUNT,                                               \
      "replicated time follows the leader's wall clock, whatever the others' say")                 \
    X(CLOCK_STOPS, "clock-stops", TIMING,                                                          \
      "a node's clock stands still while its machine is suspended")                                \
    X(LEASE_IGNORED_BY_VOTER, "lease-ignored-by-voter", TIMING,                                    \
      "followers vote while a lease may run")                                                      \
    X(READ_NO_ROUND, "read-no-round", BLUNT, "read-index answers without confirming leadership")   \
    X(READ_NO_WAIT, "read-no-wait", TIMING, "a read does not wait until its index is applied")     \
    X(AMNESIA_ACKNOWLEDGES, "amnesia-acknowledges", TIMING,                                        \
      "a replica that lost its hard state acknowledges a leader at once")                          \
    X(TERM_GUARD_RELATIVE, "term-guard-relative", BLUNT,                                           \
      "a term is impossible when it is too far above a replica's own")                             \
    X(FOUNDER_BY_ID, "founder-by-id", SUBTLE,                                                      \
      "a founder is known by its id alone until an entry binds its folder")                        \
    X(LEARNER_COUNTS, "learner-counts", BLUNT, "a learner counts in the commit quorum")            \
    X(COMMIT_UNVERIFIED, "commit-unverified", TIMING,                                              \
      "a follower commits what its log holds, from that leader or not")                            \
    X(JOINT_NEW_ONLY, "joint-new-only", SUBTLE,                                                    \
      "joint consensus commits by the new members alone")                                          \
    X(CHANGE_PROGRESS_OF_ALL, "change-progress-of-all", SUBTLE,                                    \
      "a change waits for an absent member as long as any replica gains something")                \
    X(AIM_FORGOTTEN, "aim-forgotten", TIMING,                                                      \
      "a new leader does not take up the change of members that is under way")                     \
    X(ZAB_EPOCH_NOT_DURABLE, "zab-epoch-not-durable", TIMING,                                      \
      "an accepted epoch is acknowledged before it is on disk and is forgotten")                   \
    X(ZAB_NEWLEADER_EARLY_ACK, "zab-newleader-early-ack", TIMING,                                  \
      "a follower acknowledges a leader's history before it is durable")                           \
    X(ZAB_PROPOSE_BEFORE_NEWLEADER, "zab-propose-before-newleader", TIMING,                        \
      "a leader is established before a quorum has its history")                                   \
    X(ZAB_NO_TRUNC, "zab-no-trunc", BLUNT, "a follower keeps what its leader tells it to cut off") \
    X(ZAB_COMMIT_MINORITY, "zab-commit-minority", BLUNT,                                           \
      "one replica fewer than a quorum commits")                                                   \
    X(ZAB_OBSERVER_COUNTS, "zab-observer-counts", BLUNT,                                           \
      "an observer counts in the commit quorum")                                                   \
    X(ZAB_STALE_VOTE, "zab-stale-vote", BLUNT,                                                     \
      "a leader is chosen without asking for its history")                                         \
    X(ZAB_COMMIT_UNVERIFIED, "zab-commit-unverified", TIMING,                                      \
      "a follower commits what its log holds, from that leader or not")                            \
    X(ZAB_STALE_ACK, "zab-stale-ack", TIMING,                                                      \
      "what a follower acknowledged before it rejoined counts")                                    \
    X(ZAB_PROMISE_IGNORED, "zab-promise-ignored", TIMING,                                          \
      "a follower accepts an epoch while its leader's lease may run")                              \
    X(ZAB_EPOCH_TWO_AUTHORS, "zab-epoch-two-authors", TIMING,                                      \
      "a replica gives the epoch that it chose itself to another leader")                          \
    X(APPLY_WITHOUT_BUDGET, "apply-without-budget", BLUNT, "a turn applies all that there is")     \
    X(WAITER_BY_INDEX, "waiter-by-index", TIMING,                                                  \
      "a waiter takes the reply of any entry at its index")                                        \
    X(OWN_PARAMETERS, "own-parameters", BLUNT,                                                     \
      "a replica executes commands by its own settings instead of the agreed ones")                \
    X(SKIPS_AN_ENTRY, "skips-an-entry", BLUNT,                                                     \
      "a replica does not execute the command at index 60")                                        \
    X(RETRY_FORGETS_ATTEMPT, "retry-forgets-attempt", TIMING,                                      \
      "a refusal of a retry says not executed, whatever became of the attempt before it")          \
    X(SESSION_NO_DEDUP, "session-no-dedup", BLUNT, "a retried sequence is executed again")         \
    X(SNAPSHOT_NO_SESSIONS, "snapshot-no-sessions", BLUNT,                                         \
      "a snapshot leaves the session table out")                                                   \
    X(SNAPSHOT_OLD_INSTALL, "snapshot-old-install", BLUNT,                                         \
      "an older snapshot replaces newer state")                                                    \
    X(WAL_NO_CHECKSUM, "wal-no-checksum", BLUNT,                                                   \
      "recovery accepts records whose checksum is wrong")                                          \
    X(WAL_LOSE_TAIL, "wal-lose-tail", TIMING, "a write is called durable before it is")            \
    X(WAL_TRUNCATE_LOST, "wal-truncate-lost", BLUNT, "a truncation record is not written")         \
    X(LOST_END_UNDER_SNAPSHOT, "lost-end-under-snapshot", SUBTLE,                                  \
      "a lost end of the log counts as whole when a snapshot lies above it")                       \
    X(LATENT_DAMAGE_ENDS, "latent-damage-ends", BLUNT,                                             \
      "a node ends when its disk can't give an entry back that is applied")                        \
    X(HARD_STATE_ABSENCE_BELIEVED, "hard-state-absence-believed", SUBTLE,                          \
      "a replica with a log and no hard state believes that it never had one")                     \
    X(HARD_STATE_ONE_SLOT, "hard-state-one-slot", TIMING,                                          \
      "the hard state is overwritten in place")                                                    \
    X(REFUSED_STAYS, "refused-stays", SUBTLE,                                                      \
      "what a full disk did not take stands before the first entry of a leader")                   \
    X(REFUSED_TOLD, "refused-told", SUBTLE,                                                        \
      "what waits for space on a full disk is told as durable")                                    \
    X(KEPT_FOR_NOTHING, "kept-for-nothing", BLUNT, "commands use the room that is kept back")      \
    X(WATCH_IGNORED, "watch-ignored", BLUNT, "a transaction does not compare what it watched")     \
    X(EXPIRE_LOCAL_CLOCK, "expire-local-clock", BLUNT, "a replica expires keys by its own clock")  \
    X(TREE_EPHEMERAL_STAYS, "tree-ephemeral-stays", SUBTLE, "one ephemeral outlives its session")  \
    X(TREE_EXPIRY_IGNORES_HOLDER, "tree-expiry-ignores-holder", TIMING,                            \
      "a session that moved meanwhile is expired all the same")                                    \
    X(TREE_MOVED_IGNORED, "tree-moved-ignored", TIMING,                                            \
      "a session's former server still writes for it")                                             \
    X(TREE_MULTI_PARTIAL, "tree-multi-partial", BLUNT,                                             \
      "a multi that fails keeps its earlier parts")                                                \
    X(TREE_SEQUENCE_FROM_CHILDREN, "tree-sequence-from-children", SUBTLE,                          \
      "a sequence suffix counts the children that are there")                                      \
    X(TREE_VERSION_IGNORED, "tree-version-ignored", BLUNT,                                         \
      "data is set whatever version was asked for")                                                \
    X(TREE_ZXID_REPEATS, "tree-zxid-repeats", BLUNT,                                               \
      "a new term counts zxids from one in the old epoch")                                         \
    X(TREE_SNAPSHOT_NO_SESSIONS, "tree-snapshot-no-sessions", BLUNT,                               \
      "a snapshot of the tree leaves the sessions out")                                            \
    X(WATCH_AFTER_READ, "watch-after-read", TIMING,                                                \
      "a notification follows an answer that shows the change already")                            \
    X(ZK_READ_OVERTAKES_WRITE, "zk-read-overtakes-write", TIMING,                                  \
      "a read is answered before the writes that its client sent first")                           \
    X(ZK_SESSION_MOVED_IGNORED, "zk-session-moved-ignored", TIMING,                                \
      "a server goes on serving a session that moved to another")                                  \
    X(ZK_SET_WATCHES_IGNORES_ZXID, "zk-setwatches-ignores-zxid", SUBTLE,                           \
      "watches set again after a reconnect do not tell what changed meanwhile")

enum mutant {
#define X(constant, name, grade, text) MUTANT_##constant,
    MUTANT_LIST(X)
#undef X
        MUTANT_COUNT
};

const char *mutant_name(enum mutant mutant);
const char *mutant_text(enum mutant mutant);
enum mutant_grade mutant_grade(enum mutant mutant);
const char *mutant_grade_name(enum mutant_grade grade);
/* False when no mutant has that name. */
bool mutant_find(const char *name, enum mutant *mutant);

#endif
