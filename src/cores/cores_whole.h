/* A state of a whole group, put together from numbers: of the state of each replica
 * (cores_local.h), of messages, of what is known (cores_judge.h). What a move makes of it is looked
 * up.
 *
 * Messages go in rounds: what leaves in one arrives in the next. In a round the replicas have their
 * turns, by their ids: one gets all that is for it, and does what else it does, before the next one
 * has its turn. What replicas do in one round does not reach the others before the next, so the
 * order of their turns means nothing: one stands for all, which is what makes this search small.
 */
#ifndef CAIRN_CORES_WHOLE_H
#define CAIRN_CORES_WHOLE_H

#include "cores/cores_judge.h"
#include "cores/cores_local.h"

#define CORES_WHOLE_MESSAGES 80u /* of a round */

/* By receiver, then sender, then as they left. */
struct cores_round {
    uint32_t count;
    uint32_t messages[CORES_WHOLE_MESSAGES];
};

struct cores_whole {
    uint32_t locals[CORES_IDS];
    uint32_t known;
    uint32_t tags;
    uint32_t turn; /* the replica whose turn it is */
    struct cores_round now, next;
};

struct cores_group {
    struct cores_locals *locals;
    struct cores_judge *judge;
    unsigned count;
    bool exhausted; /* more messages were on their way than there is room for */
};

void cores_group_open(struct cores_group *group, const struct cores_setup *setup);
void cores_group_close(struct cores_group *group);
/* All have started and met. */
void cores_whole_begin(struct cores_group *group, struct cores_whole *whole);
/* False: a rule is broken. A move that can't happen does nothing. */
bool cores_whole_do(struct cores_group *group, struct cores_whole *whole, struct cores_move move);
/* The turn passes on, perhaps to the next round. */
void cores_whole_pass(struct cores_group *group, struct cores_whole *whole);
/* The oldest message of a way, and with it what follows, will arrive a round later. */
void cores_whole_delay(struct cores_group *group, struct cores_whole *whole, unsigned way);
/* Where the oldest message of a way stands; count: there is none. */
uint32_t cores_round_find(const struct cores_group *group, const struct cores_round *round,
                          unsigned way);
const struct cores_local *cores_whole_local(const struct cores_group *group,
                                            const struct cores_whole *whole, unsigned id);
uint64_t cores_whole_key(const struct cores_group *group, const struct cores_whole *whole);

#endif
