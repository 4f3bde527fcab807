/* Coverage guidance, as a fuzzer does with inputs: a schedule that reaches new states of the
 * abstraction which the protocol declares (view->abstract) is kept, and later runs begin with a
 * part of a kept one before they go on by chance.
 */
#ifndef CAIRN_CORES_GUIDE_H
#define CAIRN_CORES_GUIDE_H

#include "cores/cores_schedule.h"

struct cores_guide;

struct cores_guide *cores_guide_new(void);
void cores_guide_free(struct cores_guide *guide);
/* A kept schedule's world and beginning, some of its moves left out; false: begin anew. */
bool cores_guide_draw(struct cores_guide *guide, struct prng *prng, struct cores_setup *setup,
                      struct cores_moves *moves);
/* After each move. */
void cores_guide_see(struct cores_guide *guide, const struct cores_world *world);
/* The run is over: it is kept if it saw something new. */
void cores_guide_keep(struct cores_guide *guide, struct prng *prng, const struct cores_setup *setup,
                      const struct cores_moves *moves);
/* Abstract states seen so far, about. */
uint64_t cores_guide_seen(const struct cores_guide *guide);

#endif
