/* The states in which one replica can be, with its disk, and what each event makes of them: a graph
 * that grows as it is asked. A search of the whole (cores_search.h) meets the same replica in the
 * same state over and over; what an event does there is found out once, by the code that is
 * shipped, in a world that has this replica alone.
 *
 * Two states are one when everything that decides what follows is equal (core/canon.h). A state is
 * reached again, when its replica is needed, by the events that led to it first.
 */
#ifndef CAIRN_CORES_LOCAL_H
#define CAIRN_CORES_LOCAL_H

#include "cores/cores_oracle.h"
#include "cores/cores_world.h"

#define CORES_LOCAL_WRITES 4u /* under way at once */

/* What happens to a replica: a move without what it does elsewhere. */
struct cores_happening {
    uint8_t kind; /* of the moves DELIVER, TICK, DISK, CRASH, START, PROPOSE, READ, PART, MEET */
    uint32_t arg; /* the message, the tag, the peer; CRASH: kept << 8 | torn */
};

struct cores_write {
    bool head; /* it has a hard state or cuts, so that it may be torn before its entries */
    bool reset;
    uint8_t entries;
};

/* Chains of a log or of a disk from its first entry on. */
struct cores_chains {
    uint32_t count;
    const uint64_t *items;
};

struct cores_local {
    uint64_t key;  /* of all that decides what follows */
    uint32_t from; /* the state and the event that led here first */
    struct cores_happening by;
    uint8_t id, up, ticks, write_count;
    struct cores_write writes[CORES_LOCAL_WRITES];
    enum role role; /* that the replica believes; 0 while it is down */
    uint64_t term;
    uint64_t promised; /* term, on its disk */
    struct cores_chains log, disk;
};

/* What an event makes of a state. */
struct cores_local_step {
    uint32_t to;
    uint32_t sent, sent_count; /* cores_locals.sent: messages in the order in which they leave */
    uint32_t notes, note_count;
    bool broken; /* a rule that the replica's own disk and words decide */
};

struct cores_locals;

struct cores_locals *cores_locals_new(const struct cores_setup *setup);
void cores_locals_free(struct cores_locals *locals);

/* The state of a replica that never ran: down, with a blank disk. */
uint32_t cores_local_blank(struct cores_locals *locals, unsigned id);
/* Valid until the next cores_local_step, as what the others return. */
const struct cores_local *cores_local(const struct cores_locals *locals, uint32_t state);
const struct cores_local_step *cores_local_step(struct cores_locals *locals, uint32_t state,
                                                struct cores_happening happening);
const uint32_t *cores_local_sent(const struct cores_locals *locals,
                                 const struct cores_local_step *step);
const struct cores_note *cores_local_notes(const struct cores_locals *locals,
                                           const struct cores_local_step *step);
/* A message's way, as from * 8 + to. */
unsigned cores_local_way(const struct cores_locals *locals, uint32_t message);
/* Terms or indexes went beyond what the tables of a world hold, or more writes were under way. */
bool cores_locals_exhausted(const struct cores_locals *locals);
uint32_t cores_locals_count(const struct cores_locals *locals);
uint32_t cores_locals_steps(const struct cores_locals *locals);
size_t cores_locals_bytes(const struct cores_locals *locals);

#endif
