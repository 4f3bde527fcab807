/* Raft (Ongaro & Ousterhout 2014; Ongaro 2014, the dissertation) as a pure core behind the protocol
 * contract (core/protocol.h). README.md lists the sections and where this differs; docs/raft.md
 * maps each rule to its function.
 *
 * Duties of the executor beyond the contract:
 * - A send that names `after` must not leave before EVENT_PERSISTED of that sequence; when a
 * persist fails, sends that wait for it, and for any sequence issued before the failure was
 * reported, are dropped. The next persist carries everything that is not durable.
 * - After an event of kind COMPACTED, the disk may forget entries below status.first_index, which
 *   may be less than `trim` allowed.
 * - EVENT_SNAPSHOT_SENT follows every EFFECT_SNAPSHOT_SEND, whatever happened.
 */
#ifndef CAIRN_PROTOCOL_RAFT_H
#define CAIRN_PROTOCOL_RAFT_H

#include "core/protocol.h"

extern const struct protocol protocol_raft;

/* For tests and simulators: asserts also what is too dear for every step (walks the whole window
 * and verifies its chain). */
void raft_check_deep(const struct replica *replica);

/* One line that tells what a message's head says, for traces; false when it is not one. */
bool raft_describe(struct bytes body, char *text, size_t size);

#endif
