/* Rare branches made common, in the simulator only (the idea is FoundationDB's "buggify"; Zhou et
 * al. 2021, section 4.2). A point is a place where the code asks, by name, whether it is to behave
 * as it may, but seldom does: use a window of one, try again at once, let a link go. What a point
 * makes frequent must be legal: no contract is broken by it, and whatever fails under it is a
 * fault.
 *
 * The simulator alone makes a struct rare; everywhere else the pointer is NULL and the answer no.
 * Code asks when something is opened (and keeps a limit as a field, which is all that a hot path
 * reads), or at a decision that is cold: a timer is set, a snapshot begins, a link comes up. Never
 * for an operation, an entry, a message or a byte: tools/rare looks at the binary. Only the loop
 * thread asks.
 */
#ifndef CAIRN_BASE_RARE_H
#define CAIRN_BASE_RARE_H

#include "base/prng.h"

#include <stddef.h>

/* X(constant, name, seldom, what it makes common); seldom: so many times rarer than others, where
 * nothing would come about if it happened often. */
#define RARE_LIST(X)                                                                               \
    /* core: what every protocol is made of */                                                     \
    X(PROBE_BARE, "probe-bare", 1, "a leader that probes a peer sends it no entries")              \
    X(NOTHING_SMALL, "nothing-small", 1, "no command is small enough for half of the room")        \
    X(SCRATCH_SMALL, "scratch-small", 1, "each piece of a step's scratch is memory of its own")    \
    X(READS_FEW, "reads-few", 1, "a replica takes few reads that wait, and refuses others")        \
    X(LOAD_ONE, "load-one", 1, "entries for a peer are read back one by one")                      \
    X(LOAD_FAILS, "load-fails", 1, "entries for a peer can't be read now")                         \
    X(SNAPSHOT_RATHER, "snapshot-rather", 2, "a peer that lags gets a snapshot, not old entries")  \
    X(RESEND, "resend", 2, "what a peer has not acknowledged is sent again at once")               \
    X(APPLY_LOAD_ONE, "apply-load-one", 1, "committed entries are read back one by one")           \
    X(CHANGE_IMPATIENT, "change-impatient", 4, "a change of members is given up early")            \
    /* protocols */                                                                                \
    X(RAFT_ELECTION_EARLY, "raft-election-early", 1,                                               \
      "elections begin soon after the least timeout")                                              \
    X(RAFT_PRE_VOTE_SKIPPED, "raft-pre-vote-skipped", 4,                                           \
      "a candidate asks for real votes at once")                                                   \
    X(RAFT_HEARTBEAT_LATE, "raft-heartbeat-late", 2, "a heartbeat comes as late as elections let") \
    X(RAFT_LEASE_UNUSED, "raft-lease-unused", 1, "a leader confirms every read by a round")        \
    X(RAFT_HAND_OVER, "raft-hand-over", 32, "a leader hands over without being asked")             \
    X(RAFT_TRANSFER_SHORT, "raft-transfer-short", 1, "a hand-over is given up soon")               \
    X(RAFT_REPAIR_ONE, "raft-repair-one", 1, "damaged entries are asked for one by one")           \
    X(RAFT_SNAPSHOT_REFUSED, "raft-snapshot-refused", 1,                                           \
      "a snapshot is refused, to be offered again")                                                \
    X(RAFT_COMMIT_UNTOLD, "raft-commit-untold", 1,                                                 \
      "a peer that waits for a commit is not told early")                                          \
    X(ZAB_DECIDE_EARLY, "zab-decide-early", 1, "an election ends with the first quorum of votes")  \
    X(ZAB_PING_LATE, "zab-ping-late", 2, "a ping comes as late as elections let")                  \
    X(ZAB_LEASE_UNUSED, "zab-lease-unused", 1, "a leader confirms every read by a round")          \
    X(ZAB_HAND_OVER, "zab-hand-over", 32, "a leader hands over without being asked")               \
    X(ZAB_TRANSFER_SHORT, "zab-transfer-short", 1, "a hand-over is given up soon")                 \
    X(ZAB_RUNS_FEW, "zab-runs-few", 1, "a follower tells only the end of its history")             \
    X(ZAB_SNAPSHOT_REFUSED, "zab-snapshot-refused", 1,                                             \
      "a snapshot is refused, to be offered again")                                                \
    X(ZAB_COMMIT_UNTOLD, "zab-commit-untold", 1,                                                   \
      "a peer that waits for a commit is not told early")                                          \
    X(ZAB_RESIGN, "zab-resign", 32, "a leader gives its epoch up, and stands again")               \
    /* storage */                                                                                  \
    X(SEGMENT_LEFT, "segment-left", 1, "a log goes on in the next segment after a few blocks")     \
    X(SEGMENT_NOT_KEPT, "segment-not-kept", 1, "a segment that is not needed any more is removed") \
    X(FILL_SMALL, "fill-small", 1, "a segment is filled with zeros block by block")                \
    X(SPAN_SMALL, "span-small", 1, "a log is read back extent by extent")                          \
    X(SCAN_SMALL, "scan-small", 1, "recovery reads a log block by block")                          \
    X(MARK_SOON, "mark-soon", 1, "the control page notes at once what is durable")                 \
    X(WRITE_BUFFER_FREED, "write-buffer-freed", 1, "the log keeps no buffer between writes")       \
    X(SNAPSHOT_FLUSH_OFTEN, "snapshot-flush-often", 1,                                             \
      "a snapshot goes to the disk chunk by chunk")                                                \
    X(SNAPSHOT_SYNC_OFTEN, "snapshot-sync-often", 1,                                               \
      "a received snapshot is synced piece by piece")                                              \
    /* node */                                                                                     \
    X(LINK_FRAMES_SMALL, "link-frames-small", 1, "a message goes in many frames")                  \
    X(LINK_QUEUE_SHORT, "link-queue-short", 1, "a link holds one frame of bulk at a time")         \
    X(LINK_PIECES_FEW, "link-pieces-few", 1, "a frame holds few pieces")                           \
    X(LINK_SILENCE_SHORT, "link-silence-short", 1, "a silent link is soon let go")                 \
    X(LINK_HELLO_SHORT, "link-hello-short", 1, "a link that is slow to begin is let go")           \
    X(LINK_ENDS, "link-ends", 32, "a link ends without a reason")                                  \
    X(DIAL_AT_ONCE, "dial-at-once", 1, "both nodes dial each other at the same time")              \
    X(FORWARD_ALONE, "forward-alone", 1, "each forwarded request travels by itself")               \
    X(FORWARD_SHORT, "forward-short", 1, "little is sent ahead to a leader")                       \
    X(REFUSED_RETRY_LATE, "refused-retry-late", 1, "a refused request is tried again much later")  \
    X(PROPOSE_ONE, "propose-one", 1, "requests are proposed one by one")                           \
    X(TIDY_ONE, "tidy-one", 1, "dead versions are freed one by one")                               \
    X(READ_TURN_SHORT, "read-turn-short", 1, "a turn answers hardly more than one long read")      \
    X(READ_ALL_LONG, "read-all-long", 1, "any answer makes its client one of long reads")          \
    X(READ_RETRY_LATE, "read-retry-late", 1, "a refused read is tried again much later")           \
    X(DUE_IMPATIENT, "due-impatient", 1,                                                           \
      "a read that waits for an expiry asks the leader at once")                                   \
    X(LONG_SLICE_SHORT, "long-slice-short", 1, "a long read goes on in tiny slices")               \
    X(LONG_ALONE, "long-alone", 1, "long reads are worked at one after the other")                 \
    X(LONG_GATHERS_LITTLE, "long-gathers-little", 1, "one long read at a time gathers an answer")  \
    X(UPLOAD_ALONE, "upload-alone", 1, "one long command at a time goes into the log")             \
    X(UPLOAD_WINDOW_ONE, "upload-window-one", 1, "one piece of a long command is under way")       \
    X(DUE_ONE, "due-one", 1, "one batch of what is due is under way")                              \
    X(SNAPSHOT_NOW, "snapshot-now", 1, "a snapshot is made though the log is short")               \
    X(SNAPSHOT_SLICE_ONE, "snapshot-slice-one", 1, "a snapshot is made chunk by chunk")            \
    X(SNAPSHOT_CHUNK_SMALL, "snapshot-chunk-small", 1, "a snapshot has many small chunks")         \
    X(SNAPSHOT_TRIM_ALL, "snapshot-trim-all", 1, "no entry below a snapshot stays in the log")     \
    X(SNAPSHOT_TRIM_NONE, "snapshot-trim-none", 1,                                                 \
      "every entry below a snapshot stays in the log")                                             \
    X(SEND_CHUNK_SMALL, "send-chunk-small", 1, "a snapshot is sent in many small pieces")          \
    X(SEND_WINDOW_ONE, "send-window-one", 1, "one piece of a snapshot is under way")               \
    X(SEND_ENDS, "send-ends", 8, "the sending of a snapshot ends in its middle")                   \
    X(RECEIVE_RENEWED, "receive-renewed", 8, "a snapshot's receiver has to open its file again")   \
    X(COMPARE_OFTEN, "compare-often", 1, "replicas compare their states all the time")             \
    X(SCRUB_FAST, "scrub-fast", 1, "the log is read back all the time")                            \
    X(SCRUB_SMALL, "scrub-small", 1, "the log is read back entry by entry")                        \
    X(SIGNS_AT_ONCE, "signs-at-once", 1, "each sign of life goes to the leader by itself")         \
    X(ENDS_ONE, "ends-one", 1, "one life ends at a time")                                          \
    X(OPERATOR_UNDERWAY, "operator-underway", 2, "an operator is soon told that a change goes on") \
    X(AIM_RETRY_SOON, "aim-retry-soon", 1, "the leaders of keyspaces are asked again and again")   \
    /* machines */                                                                                 \
    X(KV_DUE_ONE, "kv-due-one", 1, "keys expire one by one")                                       \
    X(TREE_REAP_ONE, "tree-reap-one", 1, "nodes of a tree expire one by one")                      \
    X(TREE_SCRATCH_FREED, "tree-scratch-freed", 1, "a tree keeps no memory for undoing")           \
    /* front ends */                                                                               \
    X(REDIS_SLICE_ONE, "redis-slice-one", 1, "a turn runs one command of a client")                \
    X(REDIS_SLOTS_FEW, "redis-slots-few", 1, "few commands of a client are under way")             \
    X(REDIS_OUTPUT_SMALL, "redis-output-small", 1, "a client may leave hardly a reply unread")     \
    X(REDIS_BUFFER_FREED, "redis-buffer-freed", 1, "a connection keeps no buffer")                 \
    X(REDIS_TAKES_ALL, "redis-takes-all", 1, "a connection gives its input to the command")        \
    X(REDIS_ALL_LONG, "redis-all-long", 1, "every reply is put out as a long one")                 \
    X(REDIS_STRETCH_SHORT, "redis-stretch-short", 1,                                               \
      "long replies are put out in short stretches")                                               \
    X(ZK_SLICE_ONE, "zk-slice-one", 1, "a turn takes one request of a client")                     \
    X(ZK_SLOTS_ONE, "zk-slots-one", 1, "one request of a client is under way")                     \
    X(ZK_OUTPUT_SMALL, "zk-output-small", 1, "a client may leave hardly an answer unread")         \
    X(ZK_BUFFER_FREED, "zk-buffer-freed", 1, "a connection keeps no buffer")                       \
    X(ZK_SWEEP_OFTEN, "zk-sweep-often", 1, "all connections are looked at with every tick")        \
    /* the env */                                                                                  \
    X(ENV_BYTES_FEW, "env-bytes-few", 4, "what arrives is read a byte at a time")                  \
    X(ENV_WORK_LATE, "env-work-late", 8, "the end of background work is told late")                \
    X(ENV_CONNECT_LATE, "env-connect-late", 1, "a connection comes about late")                    \
    /* newer ones stand behind, for a seed draws them in this order */                             \
    X(KV_REPLY_LATER, "kv-reply-later", 1, "every reply to a write is made later")

/* Of a cold part of a hot function, which is kept out of it. */
#define RARE_COLD __attribute__((noinline, cold))

enum rare_point {
#define X(constant, name, seldom, text) RARE_##constant,
    RARE_LIST(X)
#undef X
        RARE_COUNT
};

struct rare {
    struct prng prng;
    bool quiet;                  /* no decision is a rare one any more: all is to come to an end */
    uint32_t one_in[RARE_COUNT]; /* 0: never in this run */
    uint64_t hits[RARE_COUNT];
};

const char *rare_name(enum rare_point point);
const char *rare_text(enum rare_point point);
/* What a run draws: about half of the seeds have no points at all, the others a fourth of them.
 * False: none. */
bool rare_draw(struct rare *rare, uint64_t seed);
/* The same, and never none. */
void rare_draw_some(struct rare *rare, uint64_t seed);
/* Nothing but this point, always, for tests. */
void rare_only(struct rare *rare, enum rare_point point);

bool rare_ask(struct rare *rare, enum rare_point point);
/* Whether the rare branch is to be taken, which is counted. */
static inline bool rare_hit(struct rare *rare, enum rare_point point) {
    return rare != NULL && rare_ask(rare, point);
}
/* The same for a limit. */
static inline uint64_t rare_limit(struct rare *rare, enum rare_point point, uint64_t rarely,
                                  uint64_t mostly) {
    return rare_hit(rare, point) ? rarely : mostly;
}

#endif
