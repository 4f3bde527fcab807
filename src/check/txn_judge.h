/* One level of one way to read: from txns to a verdict. */
#ifndef CAIRN_CHECK_TXN_JUDGE_H
#define CAIRN_CHECK_TXN_JUDGE_H

#include "check/check.h"
#include "check/txn_history.h"

/* Fills answer, order (when wanted), edges, anomalies, text of a blank verdict for its level. */
void txn_judge(const struct txns *txns, struct limits *limits, bool want_order,
               struct verdict *verdict);

/* A NO that no cycle shows: into the verdict's ops, operations none of which can be left out (with
 * those who read from it) without making it a yes. Nothing when that would take too long. */
void txn_core(const struct history *history, bool lists, struct limits *limits,
              struct verdict *verdict);

#endif
