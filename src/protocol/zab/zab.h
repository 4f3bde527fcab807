/* Zab (Junqueira, Reed & Serafini 2011; Hunt et al. 2010; Shraer et al. 2012) as a pure core behind
 * the protocol contract (core/protocol.h). README.md lists the sections and where this differs;
 * docs/zab.md maps each rule to its function.
 *
 * An entry's term is the epoch in which it was proposed, its index the place in the history; a zxid
 * is the pair, ordered by epoch first. The duties of the executor are those that raft.h names.
 */
#ifndef CAIRN_PROTOCOL_ZAB_H
#define CAIRN_PROTOCOL_ZAB_H

#include "core/protocol.h"

extern const struct protocol protocol_zab;

/* For tests and simulators: asserts also what is too dear for every step. */
void zab_check_deep(const struct replica *replica);

/* One line that tells what a message's head says, for traces; false when it is not one. */
bool zab_describe(struct bytes body, char *text, size_t size);

#endif
