/* What the definitions say of a tiny history of single operations, by exhaustive search alone: what
 * the judge's answers are compared with. */
#ifndef CAIRN_TESTS_JUDGE_TRUTH_H
#define CAIRN_TESTS_JUDGE_TRUTH_H

#include "check/forced.h"

struct truth {
    bool defined[LEVEL_COUNT], holds[LEVEL_COUNT];
};
/* unique: no value is written twice; of registers the weak levels are defined then. */
void truth_tell(struct truth *truth, const struct history *history, enum model model, bool unique);
/* False: a level holds, and one that it is said to imply does not. */
bool truth_is_consistent(const struct truth *truth, enum level *stronger, enum level *weaker);
/* Which of two operations comes first in linearizations with both. */
enum forced truth_pair(const struct history *history, enum model model, uint32_t a, uint32_t b);

#endif
