/* How much of the room that a log has for certain a write may use. The last of it is kept back:
 * with every disk full, what clients ask for finds none, and a group still finds what it needs to
 * have a leader and to answer reads. */
#ifndef CAIRN_CORE_ROOM_H
#define CAIRN_CORE_ROOM_H

enum room {
    ROOM_COMMON, /* commands: all that is kept back stays */
    ROOM_HALF,   /* commands so small that they may be what reads wait for: half of it stays */
    ROOM_ALL     /* a leader's first entry, configurations, what cuts entries off */
};

#endif
