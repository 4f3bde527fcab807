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
 *   nobody wrote, fails the next three (Bouajjani et al. 2017):
 *   causal: for each read, its causal past has an order containing causal order that explains it;
 *   causal-memory: as pram with causal order in place of process order;
 *   causal-convergence (causal+): one total order of all writes, containing causal order, such that
 *   each read returns the last write of its key in its causal past;
 * - the session guarantees (Terry et al. 1994), as pram with a part of the order: for each process
 *   all writes and its own reads have a legal order containing
 *   read-your-writes: its writes in their order, and each before its later reads;
 *   monotonic-reads: its reads in their order;
 *   monotonic-writes: its reads in their order, and every process's writes in theirs;
 *   writes-follow-reads: its reads in their order, and each write after what its writer had read
 *   (the last two can be seen only through reads in order, so they imply monotonic-reads here);
 * - convergence: no read of what nobody wrote, and the last reads of all processes, where nothing
 *   is written at the same time or after, agree;
 * - what simple tests of one object ask: counter-bounds, bank-total, set-complete.
 *
 * Transactions: axioms over a total commit order that contains session order and reads-from, the
 * initial state being a transaction before all (Biswas & Enea 2019): if t1 wrote the value of x
 * that t3 read, and t2 wrote x and is in V to t3, then t2 commits before t1.
 * - read-committed: V = t3 read from t2 earlier in its own program;
 * - read-atomic: V = session order or reads-from;
 * - causal: V = their closure;
 * - prefix: V = t2 commits before or is a transaction that is session- or reads-from-before t3;
 * - snapshot-isolation: prefix, and V = t2 commits before or is a transaction that commits before
 *   t3 and writes a common key;
 * - serializable: V = commits before.
 * - strict-serializable: the same, and the commit order contains real time;
 * strong-snapshot-isolation: besides, a transaction sees all that had ended before it began. With
 * one operation a transaction, serializable is sequential, strict-serializable is linearizable, and
 * causal is causal-convergence.
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
    X(SERIALIZABLE, "serializable", true, "one order for all, in each session's order")          \
    X(STRONG_SNAPSHOT_ISOLATION, "strong-snapshot-isolation", true, "snapshots in real time")    \
    X(SNAPSHOT_ISOLATION, "snapshot-isolation", true, "reads of one snapshot, no lost update")   \
    X(PREFIX, "prefix", true, "reads of a prefix of one order")                                  \
    X(TXN_CAUSAL, "causal", true, "causal order, whole transactions, one order of writes")       \
    X(READ_ATOMIC, "read-atomic", true, "all of a transaction's writes are seen, or none")       \
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
/* By name (some synonyms: causal+, fifo, read-your-writes, si, ...); LEVEL_NONE: there is none. */
enum level level_of(const char *name, bool transactional);
/* What a level of single operations is of transactions of one operation; itself where that is not
 * one of the three above. */
enum level level_of_transactions(enum level level);
/* Whatever satisfies `stronger` satisfies `weaker` (reflexive). */
bool level_implies(enum level stronger, enum level weaker);

#endif
