/* One level of one way to read: from txns to a verdict. */
#ifndef CAIRN_CHECK_TXN_JUDGE_H
#define CAIRN_CHECK_TXN_JUDGE_H

#include "check/check.h"
#include "check/txn_history.h"

/* What is known from other levels of the same history. */
struct txn_known {
    bool told; /* `weaker` is known, also when it is NULL; else it is found out if need be */
    const struct verdict *weaker; /* NO of txn_judge_weaker; NULL: it holds */
};

/* The level that gives the reason when a strong one (prefix and above) does not hold and no known
 * order of versions shows it: the strongest of those below that need no search. LEVEL_NONE for
 * levels that need none themselves. */
enum level txn_judge_weaker(enum level level);

/* Fills answer, order (when wanted), edges, anomalies, text of a blank verdict for its level. The
 * reason of a NO is the same whatever is known (NULL: nothing). */
void txn_judge(const struct txns *txns, struct limits *limits, bool want_order,
               const struct txn_known *known, struct verdict *verdict);

/* A NO that no cycle shows: into the verdict's ops, operations none of which can be left out (with
 * those that read from it) without making it a yes. Nothing when that would take too long. */
void txn_core(const struct history *history, bool lists, struct limits *limits,
              struct verdict *verdict);

#endif
