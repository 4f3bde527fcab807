/* The levels of consistency, and how they imply each other. They form a lattice, not a chain.
 *
 * Definitions (T is an operation or transaction; a legal order replays on the model):
 *
 * Single operations.
 * - linearizable: one legal order containing real time (Herlihy & Wing 1990);
 * - sequential: one legal order containing each process's order (Lamport 1979);
 * - per-key-sequential: each key taken alone is sequential;
 * - pram: for each process, all writes and its own operations have a legal order containing every
 *   process's order (Lipton & Sandberg 1988);
 * - causal order is the closure of process order and reads-from; a cycle in it, or a read of what
 * no operation wrote, fails the next three (Bouajjani et al. 2017): causal: for each read, its
 * causal past has an order containing causal order that explains it; causal-memory: as pram with
 * causal order in place of process order; causal-convergence (causal+): one total order of all
 * writes, containing causal order, such that each read returns the last write of its key in its
 * causal past;
 * - the session guarantees (Terry et al. 1994), as pram with a part of the order: for each process
 *   all writes and its own reads have a legal order containing
 *   read-your-writes: its writes in their order, and each before its later reads;
 *   monotonic-reads: its reads in their order;
 *   monotonic-writes: its reads in their order, and every process's writes in theirs;
 *   writes-follow-reads: its reads in their order, and each write after what its writer had read
 *   (the last two can be seen only through reads in order, so they imply monotonic-reads here);
 * - convergence: no read of what no operation wrote, and of each key the last answered reads of all
 *   processes agree, of those that began when every write of the key had ended (an open write may
 *   take effect at any time after its call: it never has);
 * - what simple tests of one object ask:
 *   counter-bounds: no read is less than the initial value with all additions that had ended before
 *   it began and all subtractions that had begun before it ended, nor more than that with
 *   subtractions and additions exchanged;
 *   bank-total: the balances of each read of all accounts have the total of the initial ones, or,
 *   where these are not given, of the first such read;
 *   set-complete: the last read has every element whose addition had ended before it began, unless
 *   its removal was asked for before it ended, and none that was neither there at first nor asked
 *   to be added.
 *
 * Transactions: axioms over a total commit order that contains reads-from, the initial state being
 * a transaction before all (in the form of Biswas & Enea 2019): if t1 wrote the value of x that t3
 * read, and t2 wrote x and is in V to t3, then t2 commits before t1.
 * - read-committed: V is empty. Adya's PL-2, which forbids G1a, G1b, and G0 and G1c as cycles;
 * - monotonic-atomic-view: V = t3 read from t2 earlier in its own program (Bailis et al. 2013);
 * - read-atomic: V = reads-from;
 * - prefix: V = t2 commits before or is a transaction that t3 read from;
 * - snapshot-isolation: prefix, and V = t2 commits before or is a transaction that commits before
 *   t3 and writes a common key. No real time: a snapshot may be old (generalized snapshot
 *   isolation; Elle's and Cerone & Gotsman's);
 * - serializable: V = commits before.
 * Each has a session- level besides, in which the commit order contains session order too, and
 * session order stands beside reads-from in V (not where V has none: read-committed and
 * monotonic-atomic-view, nor where it has all: serializable).
 * - causal: V = the closure of session order and reads-from; the commit order contains both. It has
 *   no level without sessions.
 * - strict-serializable: session-serializable, and the commit order contains real time;
 * - strong-snapshot-isolation: session-snapshot-isolation, and a transaction sees all that had
 * ended before it began. With one operation a transaction, session-serializable is sequential,
 * strict-serializable is linearizable, and causal is causal-convergence. docs/checking.md has the
 * names that others use.
 */
#ifndef CAIRN_CHECK_LEVEL_H
#define CAIRN_CHECK_LEVEL_H

#include "base/bytes.h"

/* X(constant, name, transactional, one line) */
#define LEVEL_LIST(X)                                                                            \
    X(LINEARIZABLE, "linearizable", false, "one order for all, in real time")                    \
    X(SEQUENTIAL, "sequential", false, "one order for all, in each process's order")             \
    X(CAUSAL_CONVERGENCE, "causal-convergence", false, "causal order, and one order of writes")  \
    X(CAUSAL_MEMORY, "causal-memory", false, "causal order, one order a process")                \
    X(CAUSAL, "causal", false, "each read is explained by its causal past")                      \
    X(PRAM, "pram", false, "each process sees every process's writes in their order")            \
    X(PER_KEY_SEQUENTIAL, "per-key-sequential", false, "each key taken alone is sequential")     \
    X(READ_YOUR_WRITES, "read-your-writes", false, "a process sees what it wrote")               \
    X(MONOTONIC_READS, "monotonic-reads", false, "a process never reads backwards")              \
    X(MONOTONIC_WRITES, "monotonic-writes", false, "a process's writes are seen in their order") \
    X(WRITES_FOLLOW_READS, "writes-follow-reads", false,                                         \
      "a write is seen after what its writer had read")                                          \
    X(CONVERGENCE, "convergence", false, "when writing has ended, all read the same")            \
    X(COUNTER_BOUNDS, "counter-bounds", false,                                                   \
      "each read lies between what was surely and possibly added")                               \
    X(BANK_TOTAL, "bank-total", false, "each read of all accounts has the same total")           \
    X(SET_COMPLETE, "set-complete", false, "the last read has all that was added, nothing else") \
    X(STRICT_SERIALIZABLE, "strict-serializable", true, "one order for all, in real time")       \
    X(SESSION_SERIALIZABLE, "session-serializable", true,                                        \
      "one order for all, in each session's order")                                              \
    X(SERIALIZABLE, "serializable", true, "one order for all")                                   \
    X(STRONG_SNAPSHOT_ISOLATION, "strong-snapshot-isolation", true, "snapshots in real time")    \
    X(SESSION_SNAPSHOT_ISOLATION, "session-snapshot-isolation", true,                            \
      "snapshots that have what the session did before, no lost update")                         \
    X(SNAPSHOT_ISOLATION, "snapshot-isolation", true, "reads of one snapshot, no lost update")   \
    X(SESSION_PREFIX, "session-prefix", true,                                                    \
      "reads of a prefix of one order that has what the session did before")                     \
    X(PREFIX, "prefix", true, "reads of a prefix of one order")                                  \
    X(TXN_CAUSAL, "causal", true, "causal order, whole transactions, one order of writes")       \
    X(SESSION_READ_ATOMIC, "session-read-atomic", true,                                          \
      "all of a transaction's writes are seen, or none; all of the session's")                   \
    X(READ_ATOMIC, "read-atomic", true, "all of a transaction's writes are seen, or none")       \
    X(SESSION_ATOMIC_VIEW, "session-monotonic-atomic-view", true,                                \
      "as monotonic-atomic-view, in an order that contains each session's")                      \
    X(ATOMIC_VIEW, "monotonic-atomic-view", true,                                                \
      "once something of a transaction was read, none of it is missed any more")                 \
    X(SESSION_READ_COMMITTED, "session-read-committed", true,                                    \
      "only what was committed is read, in an order that contains each session's")               \
    X(READ_COMMITTED, "read-committed", true, "only what was committed is read")
enum level {
#define X(name, text, transactional, line) LEVEL_##name,
    LEVEL_LIST(X)
#undef X
        LEVEL_COUNT
};
#define LEVEL_NONE LEVEL_COUNT

const char *level_name(enum level level);
const char *level_line(enum level level);
bool level_transactional(enum level level);
/* By name (some synonyms: causal+, fifo, si, strong-session-serializable, ...); LEVEL_NONE: there
 * is none. */
enum level level_of(const char *name, bool transactional);
/* What a level of single operations is of transactions of one operation; itself where that is not
 * one of the three above. */
enum level level_of_transactions(enum level level);

/* The axiom of a transactional level: how much a transaction must know (V above), from little to
 * much, and which orders the commit order contains besides reads-from. */
enum level_view {
    VIEW_NOTHING,
    VIEW_READ_BEFORE, /* those that it read from earlier in its program */
    VIEW_READ,        /* those that it read from */
    VIEW_CAUSAL,      /* its causal past */
    VIEW_PREFIX,      /* each that commits before one that it must know */
    VIEW_SNAPSHOT,    /* those that write a common key and commit before it are such, too */
    VIEW_ALL          /* all that commits before it */
};
struct level_axiom {
    enum level_view view;
    bool sessions, real_time;
};
/* Of a transactional level, or of one of the three of single operations that are one. */
struct level_axiom level_axiom(enum level level);

/* Whatever satisfies `stronger` satisfies `weaker` (reflexive). */
bool level_implies(enum level stronger, enum level weaker);

#endif
