/* The levels below sequential consistency, on registers with unique values: exact, polynomial.
 * (Bouajjani, Enea, Guerraoui, Hamza 2017: bad patterns and saturation; definitions in level.h.)
 *
 * Where values repeat, what a read read from is not known, and the answer is UNDECIDED.
 */
#ifndef CAIRN_CHECK_WEAK_H
#define CAIRN_CHECK_WEAK_H

#include "check/causal.h"
#include "check/check.h"

/* Every level from causal-convergence down to convergence (level.h); sequential excepted. */
void weak_check(const struct history *history, const struct check_options *options,
                struct verdict *verdict);

/* ---- what weak.c shares with the files of each family; each sets the answer ---- */

/* weak_causal.c; the clocks are there */
void weak_causal(const struct causal *causal, struct verdict *verdict);
void weak_convergent(const struct causal *causal, struct verdict *verdict);
/* weak_process.c: pram, causal-memory (the clocks are there), monotonic-writes */
void weak_each_process(const struct causal *causal, enum level level, struct limits *limits,
                       struct verdict *verdict);
/* weak_follow.c */
void weak_writes_follow_reads(const struct causal *causal, struct limits *limits,
                              struct verdict *verdict);
/* weak_session.c; yes comes with an order a process when it is wanted */
void weak_read_your_writes(const struct causal *causal, bool want_order, struct verdict *verdict);
void weak_monotonic_reads(const struct causal *causal, bool want_order, struct verdict *verdict);
void weak_convergence(const struct causal *causal, struct verdict *verdict);
/* weak_session_order.c: of read-your-writes or monotonic-reads, which holds, one order a process */
void weak_session_orders(const struct causal *causal, enum level level, struct verdict *verdict);
/* weak_key.c */
void weak_per_key(const struct causal *causal, struct verdict *verdict);

#endif
