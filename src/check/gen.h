/* Makes histories: seeded, of a model, and of a level by construction. For trying checkers, for
 * benchmarks, and as examples.
 *
 * How each level comes about:
 * - linearizable, strict-serializable: operations take effect at random moments between call and
 *   return, on one live object;
 * - sequential, per-key-sequential, monotonic-reads: one log of writes (or one a key), of which
 * each process sees a prefix that only grows;
 * - causal-memory, causal, pram, monotonic-writes, writes-follow-reads: a replica a process, to
 *   which writes come in causal order, or each writer's in its order;
 * - causal-convergence, convergence, and of transactions causal and the levels below it: replicas
 * on which the write with the highest stamp wins;
 * - serializable, snapshot-isolation and prefix: snapshots of a multi-version store, the second
 * with the rule that the first to commit a key wins; the strong one takes the newest snapshot.
 * Where a level has no sessions, a client's transactions go to any replica, or take a snapshot
 * older than what the client has seen.
 */
#ifndef CAIRN_CHECK_GEN_H
#define CAIRN_CHECK_GEN_H

#include "check/history.h"
#include "check/level.h"
#include "check/model.h"

struct gen_options {
    enum model model;
    enum level level;      /* LEVEL_NONE: the strongest of the model */
    uint32_t clients;      /* 1 to 1000 */
    uint32_t ops;          /* operations or transactions */
    uint32_t keys;         /* accounts of a bank */
    uint64_t values;       /* so many different values; 0: each is written once */
    uint32_t info_percent; /* of operations whose outcome no client learns */
    bool bad; /* with a few operations that violate this level, by processes of their own */
    uint64_t seed;
};

/* history is initialised here; times are kept. False: `why` says what does not go together. */
bool gen_history(const struct gen_options *options, struct history *history, struct buf *why);
/* Can histories of this model and level be made? */
bool gen_has(enum model model, enum level level);

#endif
