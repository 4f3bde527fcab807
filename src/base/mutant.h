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

/* Where a bug stands in the code: what lies beneath it shows it as well, what has it left out
 * can't. tools/mutant_sites compares it with the code. */
#define MUTANT_SITES(X)                                    \
    X(NODES, "nodes") /* in what whole nodes alone have */ \
    X(RAFT, "raft")                                        \
    X(ZAB, "zab")                                          \
    X(BOTH, "both") /* in both protocols, or what they share */

enum mutant_site {
#define X(constant, name) MUTANT_OF_##constant,
    MUTANT_SITES(X)
#undef X
        MUTANT_SITE_COUNT
};

/* X(constant, name, grade, site, what is broken) */
#define MUTANT_LIST(X)                                                                            \
    X(NONE, "none", BLUNT, BOTH, "nothing is broken")                                             \
    X(VOTE_NOT_DURABLE, "vote-not-durable", TIMING, RAFT,                                         \
      "a vote leaves before it is on disk and is forgotten")                                      \
    X(READ_BEFORE_OWN_TERM, "read-before-own-term", TIMING, RAFT,                                 \
      "a new leader reads at its commit index before an entry of its term is committed")          \
    X(LEASE_FROM_RECEIPT, "lease-from-receipt", TIMING, BOTH,                                     \
      "a lease runs from the receipt of the answer instead of the sending of what it answers")    \
    X(LEASE_NO_DRIFT, "lease-no-drift", TIMING, BOTH, "a lease trusts that all clocks run alike") \
    X(LEASE_NOT_REVOKED, "lease-not-revoked", TIMING, RAFT,                                       \
      "a leader that hands over goes on reading by its lease")                                    \
    X(PROMISE_NOT_DURABLE, "promise-not-durable", TIMING, BOTH,                                   \
      "the length of a follower's promise is not written")                                        \
    X(VOTE_LOG_BY_TERM, "vote-log-by-term", SUBTLE, RAFT,                                         \
      "a log whose end is of the same term gets a vote, however short")                           \
    X(HEARTBEAT_ACKNOWLEDGES, "heartbeat-acknowledges", TIMING, RAFT,                             \
      "a leader counts what the answer to a heartbeat tells, durable or not")                     \
    X(OWN_COPY_EARLY, "own-copy-early", TIMING, BOTH,                                             \
      "a leader counts its own copy before it is durable")                                        \
    X(APPLY_UNCOMMITTED, "apply-uncommitted", BLUNT, BOTH,                                        \
      "what is in the log is applied, committed or not")                                          \
    X(JOINT_SKIPPED, "joint-skipped", BLUNT, BOTH,                                                \
      "members change at once, without a joint configuration between")                            \
    X(ZAB_MEET_AT_END, "zab-meet-at-end", SUBTLE, ZAB,                                            \
      "two histories meet at the end of the shorter one, whatever their epochs")                  \
    X(WAL_SYNC_FAILURE_IGNORED, "wal-sync-failure-ignored", BLUNT, NODES,                         \
      "a failed sync counts as done")                                                             \
    X(RELEASE_UNTOLD, "release-untold", SUBTLE, NODES,                                            \
      "where only a snapshot has what a group had, nothing but the snapshot says so")             \
    X(WAL_RELEASED_EARLY, "wal-released-early", BLUNT, NODES,                                     \
      "the log lets go of entries that no snapshot stands for")                                   \
    X(SENT_BEFORE_DURABLE, "sent-before-durable", TIMING, NODES,                                  \
      "the executor sends at once what is to wait for the disk")                                  \
    X(FORWARD_TWICE, "forward-twice", TIMING, NODES,                                              \
      "a request of unknown fate is sent again without a session")                                \
    X(ONCE_NOT_SLIDING, "once-not-sliding", SUBTLE, NODES,                                        \
      "an exactly-once session forgets a reply that its window still holds")                      \
    X(TERM_TOLD_EARLY, "term-told-early", TIMING, RAFT,                                           \
      "a refusal of entries tells a term and a promise that are not on disk")                     \
    X(VOTE_TWICE, "vote-twice", BLUNT, RAFT, "a second candidate gets a vote in the same term")   \
    X(VOTE_STALE_LOG, "vote-stale-log", BLUNT, RAFT,                                              \
      "a vote ignores that the candidate's log is behind")                                        \
    X(COMMIT_OLD_TERM, "commit-old-term", TIMING, RAFT,                                           \
      "old-term entries commit by counting (Figure 8)")                                           \
    X(COMMIT_MINORITY, "commit-minority", BLUNT, RAFT,                                            \
      "one replica fewer than a majority commits")                                                \
    X(ACK_BEFORE_SYNC, "ack-before-sync", TIMING, RAFT,                                           \
      "a follower acknowledges entries before they are durable")                                  \
    X(TRUNCATE_ALWAYS, "truncate-always", TIMING, RAFT,                                           \
      "a delayed append cuts newer matching entries")                                             \
    X(NO_LOG_MATCH, "no-log-match", BLUNT, RAFT,                                                  \
      "an append is taken without checking the previous entry")                                   \
    X(LEASE_TOO_LONG, "lease-too-long", TIMING, BOTH,                                             \
      "the leader's lease outlives the followers' promise")                                       \
    X(LEASE_OWN_LENGTH, "lease-own-length", TIMING, BOTH,                                         \
      "leader and followers take a lease's length from their own settings")                       \
    X(PROMISE_WITHOUT_LIMIT, "promise-without-limit", SUBTLE, BOTH,                               \
      "a follower promises a leader whatever length it asks for")                                 \
    X(TIME_OF_ONE_CLOCK, "time-of-one-clock", BLUNT, BOTH,                                        \
      "replicated time follows the leader's wall clock, whatever the others' say")                \
    X(CLOCK_STOPS, "clock-stops", TIMING, NODES,                                                  \
      "a node's clock stands still while its machine is suspended")                               \
    X(LEASE_IGNORED_BY_VOTER, "lease-ignored-by-voter", TIMING, RAFT,                             \
      "followers vote while a lease may run")                                                     \
    X(READ_NO_ROUND, "read-no-round", BLUNT, BOTH,                                                \
      "read-index answers without confirming leadership")                                         \
    X(READ_NO_WAIT, "read-no-wait", TIMING, NODES,                                                \
      "a read does not wait until its index is applied")                                          \
    X(AMNESIA_ACKNOWLEDGES, "amnesia-acknowledges", TIMING, RAFT,                                 \
      "a replica that lost its hard state acknowledges a leader at once")                         \
    X(TERM_GUARD_RELATIVE, "term-guard-relative", BLUNT, BOTH,                                    \
      "a term is impossible when it is too far above a replica's own")                            \
    X(FOUNDER_BY_ID, "founder-by-id", SUBTLE, BOTH,                                               \
      "a founder is known by its id alone until an entry binds its folder")                       \
    X(LEARNER_COUNTS, "learner-counts", BLUNT, RAFT, "a learner counts in the commit quorum")     \
    X(COMMIT_UNVERIFIED, "commit-unverified", TIMING, RAFT,                                       \
      "a follower commits what its log holds, from that leader or not")                           \
    X(JOINT_NEW_ONLY, "joint-new-only", SUBTLE, RAFT,                                             \
      "joint consensus commits by the new members alone")                                         \
    X(CHANGE_PROGRESS_OF_ALL, "change-progress-of-all", SUBTLE, BOTH,                             \
      "a change waits for an absent member as long as any replica gains something")               \
    X(AIM_FORGOTTEN, "aim-forgotten", TIMING, NODES,                                              \
      "a new leader does not take up the change of members that is under way")                    \
    X(ZAB_EPOCH_NOT_DURABLE, "zab-epoch-not-durable", TIMING, ZAB,                                \
      "an accepted epoch is acknowledged before it is on disk and is forgotten")                  \
    X(ZAB_NEWLEADER_EARLY_ACK, "zab-newleader-early-ack", TIMING, ZAB,                            \
      "a follower acknowledges a leader's history before it is durable")                          \
    X(ZAB_PROPOSE_BEFORE_NEWLEADER, "zab-propose-before-newleader", TIMING, ZAB,                  \
      "a leader is established before a quorum has its history")                                  \
    X(ZAB_NO_TRUNC, "zab-no-trunc", BLUNT, ZAB,                                                   \
      "a follower keeps what its leader tells it to cut off")                                     \
    X(ZAB_COMMIT_MINORITY, "zab-commit-minority", BLUNT, ZAB,                                     \
      "one replica fewer than a quorum commits")                                                  \
    X(ZAB_OBSERVER_COUNTS, "zab-observer-counts", BLUNT, ZAB,                                     \
      "an observer counts in the commit quorum")                                                  \
    X(ZAB_STALE_VOTE, "zab-stale-vote", BLUNT, ZAB,                                               \
      "a leader is chosen without asking for its history")                                        \
    X(ZAB_COMMIT_UNVERIFIED, "zab-commit-unverified", TIMING, ZAB,                                \
      "a follower commits what its log holds, from that leader or not")                           \
    X(ZAB_STALE_ACK, "zab-stale-ack", TIMING, ZAB,                                                \
      "what a follower acknowledged before it rejoined counts")                                   \
    X(ZAB_PROMISE_IGNORED, "zab-promise-ignored", TIMING, ZAB,                                    \
      "a follower accepts an epoch while its leader's lease may run")                             \
    X(ZAB_EPOCH_TWO_AUTHORS, "zab-epoch-two-authors", TIMING, ZAB,                                \
      "a replica gives the epoch that it chose itself to another leader")                         \
    X(APPLY_WITHOUT_BUDGET, "apply-without-budget", BLUNT, NODES,                                 \
      "a turn applies all that there is")                                                         \
    X(WAITER_BY_INDEX, "waiter-by-index", TIMING, NODES,                                          \
      "a waiter takes the reply of any entry at its index")                                       \
    X(OWN_PARAMETERS, "own-parameters", BLUNT, NODES,                                             \
      "a replica executes commands by its own settings instead of the agreed ones")               \
    X(SKIPS_AN_ENTRY, "skips-an-entry", BLUNT, NODES,                                             \
      "a replica does not execute the command at index 60")                                       \
    X(RETRY_FORGETS_ATTEMPT, "retry-forgets-attempt", TIMING, NODES,                              \
      "a refusal of a retry says not executed, whatever became of the attempt before it")         \
    X(SESSION_NO_DEDUP, "session-no-dedup", BLUNT, NODES, "a retried sequence is executed again") \
    X(SNAPSHOT_NO_SESSIONS, "snapshot-no-sessions", BLUNT, NODES,                                 \
      "a snapshot leaves the session table out")                                                  \
    X(SNAPSHOT_OLD_INSTALL, "snapshot-old-install", BLUNT, RAFT,                                  \
      "an older snapshot replaces newer state")                                                   \
    X(WAL_NO_CHECKSUM, "wal-no-checksum", BLUNT, NODES,                                           \
      "recovery accepts records whose checksum is wrong")                                         \
    X(WAL_LOSE_TAIL, "wal-lose-tail", TIMING, NODES, "a write is called durable before it is")    \
    X(WAL_TRUNCATE_LOST, "wal-truncate-lost", BLUNT, NODES, "a truncation record is not written") \
    X(LOST_END_UNDER_SNAPSHOT, "lost-end-under-snapshot", SUBTLE, BOTH,                           \
      "a lost end of the log counts as whole when a snapshot lies above it")                      \
    X(LATENT_DAMAGE_ENDS, "latent-damage-ends", BLUNT, BOTH,                                      \
      "a node ends when its disk can't give an entry back that is applied")                       \
    X(HARD_STATE_ABSENCE_BELIEVED, "hard-state-absence-believed", SUBTLE, NODES,                  \
      "a replica with a log and no hard state believes that it never had one")                    \
    X(HARD_STATE_ONE_SLOT, "hard-state-one-slot", TIMING, NODES,                                  \
      "the hard state is overwritten in place")                                                   \
    X(REFUSED_STAYS, "refused-stays", SUBTLE, BOTH,                                               \
      "what a full disk did not take stands before the first entry of a leader")                  \
    X(REFUSED_TOLD, "refused-told", SUBTLE, BOTH,                                                 \
      "what waits for space on a full disk is told as durable")                                   \
    X(KEPT_FOR_NOTHING, "kept-for-nothing", BLUNT, BOTH,                                          \
      "commands use the room that is kept back")                                                  \
    X(WATCH_IGNORED, "watch-ignored", BLUNT, NODES,                                               \
      "a transaction does not compare what it watched")                                           \
    X(EXPIRE_LOCAL_CLOCK, "expire-local-clock", BLUNT, NODES,                                     \
      "a replica expires keys by its own clock")                                                  \
    X(TREE_EPHEMERAL_STAYS, "tree-ephemeral-stays", SUBTLE, NODES,                                \
      "one ephemeral outlives its session")                                                       \
    X(TREE_EXPIRY_IGNORES_HOLDER, "tree-expiry-ignores-holder", TIMING, NODES,                    \
      "a session that moved meanwhile is expired all the same")                                   \
    X(TREE_MOVED_IGNORED, "tree-moved-ignored", TIMING, NODES,                                    \
      "a session's former server still writes for it")                                            \
    X(TREE_MULTI_PARTIAL, "tree-multi-partial", BLUNT, NODES,                                     \
      "a multi that fails keeps its earlier parts")                                               \
    X(TREE_SEQUENCE_FROM_CHILDREN, "tree-sequence-from-children", SUBTLE, NODES,                  \
      "a sequence suffix counts the children that are there")                                     \
    X(TREE_VERSION_IGNORED, "tree-version-ignored", BLUNT, NODES,                                 \
      "data is set whatever version was asked for")                                               \
    X(TREE_ZXID_REPEATS, "tree-zxid-repeats", BLUNT, NODES,                                       \
      "a new term counts zxids from one in the old epoch")                                        \
    X(TREE_SNAPSHOT_NO_SESSIONS, "tree-snapshot-no-sessions", BLUNT, NODES,                       \
      "a snapshot of the tree leaves the sessions out")                                           \
    X(WATCH_AFTER_READ, "watch-after-read", TIMING, NODES,                                        \
      "a notification follows an answer that shows the change already")                           \
    X(ZK_READ_OVERTAKES_WRITE, "zk-read-overtakes-write", TIMING, NODES,                          \
      "a read is answered before the writes that its client sent first")                          \
    X(ZK_SESSION_MOVED_IGNORED, "zk-session-moved-ignored", TIMING, NODES,                        \
      "a server goes on serving a session that moved to another")                                 \
    X(ZK_SET_WATCHES_IGNORES_ZXID, "zk-setwatches-ignores-zxid", SUBTLE, NODES,                   \
      "watches set again after a reconnect do not tell what changed meanwhile")                   \
    X(VOTE_KEPT_OVER_TERMS, "vote-kept-over-terms", SUBTLE, RAFT,                                 \
      "a vote outlives the term that it was given in")                                            \
    X(TRANSFER_VOTES_TWICE, "transfer-votes-twice", TIMING, RAFT,                                 \
      "a candidate by transfer gets the vote that another has already")                           \
    X(PRE_VOTES_COUNT, "pre-votes-count", SUBTLE, RAFT,                                           \
      "what a pre-vote answered counts as a vote")                                                \
    X(HISTORY_BY_LENGTH, "history-by-length", SUBTLE, BOTH,                                       \
      "the longer log is the newer one, whatever its last term")                                  \
    X(STALE_LEADER_NOT_TOLD, "stale-leader-not-told", SUBTLE, RAFT,                               \
      "a leader of an older term gets no answer")                                                 \
    X(ASKED_IN_VAIN_FORGOTTEN, "asked-in-vain-forgotten", SUBTLE, RAFT,                           \
      "a candidate that asked in vain stands down for no lower id")                               \
    X(MATCH_BY_DURABLE, "match-by-durable", SUBTLE, RAFT,                                         \
      "what is durable counts as the leader's without a look at its term")                        \
    X(VERIFIED_KEPT, "verified-kept", TIMING, RAFT,                                               \
      "what an earlier leader verified counts for the next")                                      \
    X(APPEND_ANSWERS_LAST, "append-answers-last", SUBTLE, RAFT,                                   \
      "a follower acknowledges all of its log, not what the append spoke for")                    \
    X(MATCH_KEPT_OVER_TERMS, "match-kept-over-terms", TIMING, RAFT,                               \
      "a leader counts what a follower had when it led before")                                   \
    X(FORGOT_IGNORED, "forgot-ignored", SUBTLE, RAFT,                                             \
      "what a follower lost of its log counts on at its leader")                                  \
    X(IMAGE_UNNOTICED, "image-unnoticed", SUBTLE, RAFT,                                           \
      "a follower does not see that its leader counts on what its disk lacks")                    \
    X(NO_OWN_ENTRY, "no-own-entry", BLUNT, RAFT,                                                  \
      "a new leader begins without an entry of its term")                                         \
    X(DURABLE_NOT_CUT, "durable-not-cut", TIMING, BOTH,                                           \
      "entries that take the place of cut ones count as durable at once")                         \
    X(CONFIG_SURVIVES_CUT, "config-survives-cut", SUBTLE, BOTH,                                   \
      "a configuration that was cut off the log stays in force")                                  \
    X(CONFIG_WHEN_COMMITTED, "config-when-committed", SUBTLE, BOTH,                               \
      "a leader counts by the last committed configuration")                                      \
    X(CONFIG_LOST_AT_START, "config-lost-at-start", SUBTLE, BOTH,                                 \
      "a start does not see configurations that only the log holds")                              \
    X(SNAPSHOT_CONFIG_NEWEST, "snapshot-config-newest", SUBTLE, BOTH,                             \
      "a snapshot holds a configuration that is not committed")                                   \
    X(JOINT_STAYS, "joint-stays", SUBTLE, BOTH,                                                   \
      "a leader leaves no joint configuration but what an operator asked of it")                  \
    X(JOINT_LEFT_EARLY, "joint-left-early", TIMING, BOTH,                                         \
      "a joint configuration is left before it is committed")                                     \
    X(VOTER_BEFORE_LOG, "voter-before-log", SUBTLE, BOTH,                                         \
      "a new member votes before it has the log")                                                 \
    X(REJOINED_STAYS, "rejoined-stays", SUBTLE, BOTH,                                             \
      "a voter whose disk was replaced stays a learner")                                          \
    X(REPLACED_STAYS_VOTER, "replaced-stays-voter", SUBTLE, BOTH,                                 \
      "a voter whose disk was replaced votes on")                                                 \
    X(REMOVED_LEADER_STAYS, "removed-leader-stays", SUBTLE, BOTH,                                 \
      "a leader that was removed leads on")                                                       \
    X(CHANGE_UNBINDS, "change-unbinds", SUBTLE, BOTH,                                             \
      "a change of members forgets their data folders")                                           \
    X(FOLDER_IGNORED, "folder-ignored", SUBTLE, BOTH, "answers count from whatever data folder")  \
    X(DEAF_LEADER_STAYS, "deaf-leader-stays", BLUNT, BOTH,                                        \
      "a leader that hears no majority stays")                                                    \
    X(PROMISE_FORGOTTEN_AT_START, "promise-forgotten-at-start", TIMING, BOTH,                     \
      "a start forgets what was promised to a leader")                                            \
    X(PROMISE_ENDS_WITH_LINK, "promise-ends-with-link", TIMING, BOTH,                             \
      "a promise ends with the connection to the leader")                                         \
    X(LEASE_HALF_DRIFT, "lease-half-drift", SUBTLE, BOTH,                                         \
      "a lease allows for half of what two clocks may differ")                                    \
    X(LEASE_BACK_AFTER_TRANSFER, "lease-back-after-transfer", TIMING, RAFT,                       \
      "a leader reads by its lease again when a transfer took too long")                          \
    X(READ_ROUND_BEFORE, "read-round-before", TIMING, BOTH,                                       \
      "a read is confirmed by a round that began before it")                                      \
    X(READ_AT_APPLIED, "read-at-applied", TIMING, BOTH,                                           \
      "a read's index is what the leader has applied")                                            \
    X(READ_JOINS_QUESTION, "read-joins-question", TIMING, BOTH,                                   \
      "a read at a follower joins the question that is under way")                                \
    X(READ_ANSWER_OF_ANY, "read-answer-of-any", TIMING, BOTH,                                     \
      "an answer to an earlier question answers the present one")                                 \
    X(TIME_FORGOTTEN_AT_START, "time-forgotten-at-start", SUBTLE, BOTH,                           \
      "replicated time begins anew with a start")                                                 \
    X(SNAPSHOT_HELD_BY_INDEX, "snapshot-held-by-index", SUBTLE, RAFT,                             \
      "entries behind a snapshot stay, of that history or not")                                   \
    X(SNAPSHOT_ACKS_ALL, "snapshot-acks-all", SUBTLE, RAFT,                                       \
      "the answer to a snapshot acknowledges all of the log")                                     \
    X(INSTALL_ACKED_EARLY, "install-acked-early", TIMING, RAFT,                                   \
      "an installed snapshot is acknowledged before the log says so")                             \
    X(HOLE_FILLED_UNCHECKED, "hole-filled-unchecked", SUBTLE, RAFT,                               \
      "a repair takes entries that do not lead on to what lies behind")                           \
    X(MENDED_TOO_SOON, "mended-too-soon", TIMING, BOTH,                                           \
      "a replica votes again before what it lost is back")                                        \
    X(MENDING_FORGOTTEN, "mending-forgotten", TIMING, BOTH,                                       \
      "a restart forgets that part of the log was lost")                                          \
    X(AMNESIA_VOTES, "amnesia-votes", TIMING, BOTH,                                               \
      "a replica that lost its vote votes in the highest term that it was told")                  \
    X(ZAB_NEWEPOCH_EARLY, "zab-newepoch-early", TIMING, ZAB,                                      \
      "an epoch is told before it is on its leader's disk")                                       \
    X(ZAB_EPOCH_OF_ITS_OWN, "zab-epoch-of-its-own", SUBTLE, ZAB,                                  \
      "a leader chooses an epoch that is later than its own alone")                               \
    X(ZAB_HISTORY_TOLD_EARLY, "zab-history-told-early", TIMING, ZAB,                              \
      "a follower tells a history that is not on its disk")                                       \
    X(ZAB_INSTALL_FORGETS, "zab-install-forgets", TIMING, ZAB,                                    \
      "a snapshot takes the place of acknowledged entries that follow from its own")              \
    X(FORWARD_ORDER_LOST, "forward-order-lost", TIMING, NODES,                                    \
      "a leader takes what a client sent behind something that it refused")                       \
    X(CLIENT_ORDER_LOST, "client-order-lost", TIMING, NODES,                                      \
      "a client's later writes go another way while earlier ones may come back")                  \
    X(WAITERS_OVERTAKEN_EARLY, "waiters-overtaken-early", SUBTLE, NODES,                          \
      "an entry of its own term counts as overtaking a placed write")                             \
    X(FORWARDED_SURELY_NOT, "forwarded-surely-not", TIMING, NODES,                                \
      "a forwarded write without an answer counts as not executed")                               \
    X(ASKER_REBORN, "asker-reborn", TIMING, NODES,                                                \
      "a restarted node gets answers to what it asked in its former life")                        \
    X(INSTALL_SENDS_AGAIN, "install-sends-again", TIMING, NODES,                                  \
      "a write that a snapshot may stand for is sent again")                                      \
    X(READ_HALF_APPLIED, "read-half-applied", TIMING, NODES,                                      \
      "a read sees a command that is left in the middle")                                         \
    X(HELD_OFF_BY_ONE, "held-off-by-one", TIMING, NODES,                                          \
      "a message waits for the write before the one that it tells of")                            \
    X(VOID_LEAVES, "void-leaves", TIMING, NODES,                                                  \
      "what waited for a write that found no space leaves with the next one")                     \
    X(LONG_ONCE_EXECUTED, "long-once-executed", SUBTLE, NODES,                                    \
      "a long command of a session is executed each time that it comes")                          \
    X(READS_OVERTAKE, "reads-overtake", TIMING, NODES,                                            \
      "a client's read may be answered of an older state than the one before it")                 \
    X(AIM_FORMER_STALE, "aim-former-stale", TIMING, NODES,                                        \
      "what a change goes back to is taken from a node that may be behind")                       \
    X(PIECES_LOST_TOLD, "pieces-lost-told", TIMING, NODES,                                        \
      "a long command of a session, sent again after it was executed, is told not to have been")  \
    X(ONCE_DUE_NOT_RESTORED, "once-due-not-restored", SUBTLE, NODES,                              \
      "sessions of a snapshot never end")                                                         \
    X(LIFE_COUNTS_STANDSTILL, "life-counts-standstill", TIMING, NODES,                            \
      "lives end while their leader stands still")                                                \
    X(HARD_STATE_OF_OTHER, "hard-state-of-other", TIMING, NODES,                                  \
      "of two keyspaces' hard states in one write only the last is written")                      \
    X(WAL_DAMAGE_IS_TORN, "wal-damage-is-torn", SUBTLE, NODES,                                    \
      "a damaged last write counts as torn, durable or not")                                      \
    X(WAL_PENDING_KEPT, "wal-pending-kept", SUBTLE, NODES,                                        \
      "the log counts sections of a write that found no space")                                   \
    X(SNAPSHOT_NOT_SYNCED, "snapshot-not-synced", TIMING, NODES,                                  \
      "a snapshot takes its place before it is on the disk")                                      \
    X(SNAPSHOT_UNVERIFIED, "snapshot-unverified", SUBTLE, NODES,                                  \
      "a received snapshot is installed as it came")                                              \
    X(WATCH_MISSES_DELETE, "watch-misses-delete", SUBTLE, NODES,                                  \
      "a watched key that is gone counts as unchanged")                                           \
    X(WATCH_SURVIVES_EXEC, "watch-survives-exec", SUBTLE, NODES, "keys stay watched behind EXEC") \
    X(EXPIRES_REDATED, "expires-redated", TIMING, NODES,                                          \
      "a key that was given more time expires all the same")                                      \
    X(KV_DUE_NOT_RESTORED, "kv-due-not-restored", SUBTLE, NODES,                                  \
      "keys of a snapshot never expire by themselves")                                            \
    X(TREE_MULTI_TELLS_UNDONE, "tree-multi-tells-undone", SUBTLE, NODES,                          \
      "watches are told of a multi that failed")                                                  \
    X(TREE_DELETE_VERSION_IGNORED, "tree-delete-version-ignored", SUBTLE, NODES,                  \
      "a node is deleted whatever version was asked for")                                         \
    X(TREE_EPHEMERAL_STILL_OWNED, "tree-ephemeral-still-owned", SUBTLE, NODES,                    \
      "what stands where a session had an ephemeral goes with the session")                       \
    X(TREE_TTL_FROM_CREATION, "tree-ttl-from-creation", SUBTLE, NODES,                            \
      "a time to live runs from the creation, not from the last change")                          \
    X(TREE_PZXID_KEPT, "tree-pzxid-kept", SUBTLE, NODES, "a deletion leaves the parent's pzxid")  \
    X(ZK_CHILD_WATCH_MISSES_DELETE, "zk-child-watch-misses-delete", SUBTLE, NODES,                \
      "a watch of children does not tell that the node is gone")                                  \
    X(ZK_ONE_SHOT_STAYS, "zk-one-shot-stays", SUBTLE, NODES,                                      \
      "a watch of children tells more than once")                                                 \
    X(ZK_RECURSIVE_ONE_LEVEL, "zk-recursive-one-level", SUBTLE, NODES,                            \
      "a recursive watch sees one level down")                                                    \
    X(ZK_SYNC_NO_BARRIER, "zk-sync-no-barrier", TIMING, NODES, "sync does not ask the leader")    \
    X(ZK_SET_WATCHES_BY_DATA, "zk-set-watches-by-data", SUBTLE, NODES,                            \
      "a watch of children set again goes by the data's zxid")

enum mutant {
#define X(constant, name, grade, site, text) MUTANT_##constant,
    MUTANT_LIST(X)
#undef X
        MUTANT_COUNT
};

const char *mutant_name(enum mutant mutant);
const char *mutant_text(enum mutant mutant);
enum mutant_grade mutant_grade(enum mutant mutant);
const char *mutant_grade_name(enum mutant_grade grade);
enum mutant_site mutant_site(enum mutant mutant);
/* False when no mutant has that name. */
bool mutant_find(const char *name, enum mutant *mutant);

#endif
