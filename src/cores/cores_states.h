/* The states that a search has seen, by their fingerprints of 64 bits: that two of a hundred
 * million states share one has a chance of 3 in 10,000. */
#ifndef CAIRN_CORES_STATES_H
#define CAIRN_CORES_STATES_H

#include "cores/cores_world.h"

struct cores_states { /* zero-initialised */
    uint64_t *slots;  /* 0: free */
    size_t size, count;
};

/* True when it is new. */
bool cores_states_add(struct cores_states *states, uint64_t fingerprint);
size_t cores_states_bytes(const struct cores_states *states);
void cores_states_free(struct cores_states *states);

/* The way (from * 8 + to) whose next message left first; 0: there is no message. */
unsigned cores_oldest(const struct cores_world *world);
/* Of everything from which a replica goes on, with its disk. */
uint64_t cores_node_key(const struct cores_world *world, const struct cores_node *node);
/* Of everything from which the world goes on. */
uint64_t cores_fingerprint(const struct cores_world *world);

#endif
