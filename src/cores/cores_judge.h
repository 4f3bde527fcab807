/* What replicas did, judged in a state of the whole that is put together from states of each
 * (cores_local.h). What was seen so far by the oracles is kept as numbers too: the same knowledge
 * has the same number. */
#ifndef CAIRN_CORES_JUDGE_H
#define CAIRN_CORES_JUDGE_H

#include "cores/cores_local.h"

#define CORES_JUDGE_TERMS 64u   /* what is known of terms below */
#define CORES_JUDGE_INDEXES 64u /* of indexes below */
#define CORES_JUDGE_READS 64u   /* of tags below */

struct cores_judge;

struct cores_judge *cores_judge_new(const struct cores_setup *setup,
                                    const struct cores_locals *locals);
void cores_judge_free(struct cores_judge *judge);

/* What is known when nothing happened yet. */
uint32_t cores_judge_nothing(struct cores_judge *judge);
/* Replica id went from state `before` to that in states[id]. Returns what is known then; 0: a rule
 * is broken. */
uint32_t cores_judge_step(struct cores_judge *judge, uint32_t known, const uint32_t *states,
                          unsigned id, uint32_t before, const struct cores_local_step *step);
/* Of what is known that decides what will be judged. */
uint64_t cores_judge_key(const struct cores_judge *judge, uint32_t known);

#endif
