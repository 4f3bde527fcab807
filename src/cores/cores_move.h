/* Everything that can happen in a world of cores, one at a time. */
#ifndef CAIRN_CORES_MOVE_H
#define CAIRN_CORES_MOVE_H

#include "base/bytes.h"

#include <stdbool.h>
#include <stdint.h>

/* X(constant, name, arguments, what happens) */
#define CORES_MOVE_LIST(X)                                                                      \
    X(DELIVER, "deliver", "FROM TO NTH", "a message arrives; 0 is the oldest on its way")       \
    X(DROP, "drop", "FROM TO NTH", "a message is lost")                                         \
    X(COPY, "copy", "FROM TO NTH", "a message will arrive twice")                               \
    X(TICK, "tick", "NODE", "time passes to the node's next deadline")                          \
    X(DISK, "disk", "NODE COUNT", "the oldest writes under way are done")                       \
    X(CRASH, "crash", "NODE KEPT TORN", "the first writes are kept, and entries of the next")   \
    X(START, "start", "NODE", "it starts from what is durable")                                 \
    X(PROPOSE, "propose", "NODE", "a client has a command")                                     \
    X(READ, "read", "NODE", "a client reads")                                                   \
    X(CUT, "cut", "FROM TO", "nothing arrives on this way")                                     \
    X(JOIN, "join", "FROM TO", "what is on this way arrives again")                             \
    X(PART, "part", "NODE PEER", "the node is told that its connection ended")                  \
    X(MEET, "meet", "NODE PEER", "the node is told that a connection stands")                   \
    X(COMPACT, "compact", "NODE KEEP", "a snapshot is made; so many entries below it are kept") \
    X(TRANSFER, "transfer", "NODE TO", "leadership is handed over; 0: to any")                  \
    X(AWAIT, "await", "NODE PEER", "the peer waits for what it forwarded to the node")          \
    X(FORGET, "forget", "NODE", "one that is down loses its hard state")                        \
    X(FULL, "full", "NODE KEPT", "its disk takes no entries, but for so many that must be")     \
    X(ROOM, "room", "NODE", "its disk has room again, and the node is told")                    \
    X(MEMBERS, "members", "NODE VOTERS LEARNERS", "other members are asked for, as bits")       \
    X(CALM, "calm", "", "no rare branch is taken any more")                                     \
    X(LOSE, "lose", "NODE COUNT", "one that is down loses the last entries of its log")         \
    X(WIPE, "wipe", "NODE", "one that is down has a new, empty disk")

enum cores_move_kind {
#define X(constant, name, arguments, text) CORES_##constant,
    CORES_MOVE_LIST(X)
#undef X
        CORES_MOVE_COUNT
};

struct cores_move {
    uint8_t kind;
    uint8_t a, b, c;
};

struct cores_moves {
    struct cores_move *items;
    size_t count, cap;
};

void cores_moves_add(struct cores_moves *moves, struct cores_move move);
void cores_moves_free(struct cores_moves *moves);
const char *cores_move_name(enum cores_move_kind kind);
/* "deliver 1 2 0" */
void cores_move_print(struct cores_move move, struct buf *out);
bool cores_move_parse(const char *text, struct cores_move *move);

#endif
