/* Full disks: which replicas have room for commands, and what that means for the one that leads.
 *
 * Every follower tells its leader, with every pong, when its log has no room left for commands. A
 * leader without any hands over to one that has some, if a majority has; else it goes on leading,
 * answers reads, and refuses commands before they are placed. NEWLEADER has its place in the room
 * that is kept back. */
#include "protocol/zab/zab_internal.h"

/* A replica that has not said may have room. */
static uint64_t may_take(const void *context, uint64_t id) {
    const struct replica *zab = context;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    bool none = id == zab->options.id ? !journal_takes_commands(&zab->journal)
                                      : peer != NULL && peer->no_room;
    return none ? 1 : 2;
}

static uint64_t takes(const void *context, uint64_t id) {
    const struct replica *zab = context;
    const struct zab_peer *peer = zab_peer_of(zab, id);
    return peer != NULL && peer->room ? 2 : 1;
}

static bool majority_has(const struct replica *zab, quorum_value *room) {
    return quorum_votes(journal_config(&zab->journal), room, zab) == QUORUM_WON;
}

bool zab_takes_commands(const struct replica *zab) {
    return journal_takes_commands(&zab->journal) && majority_has(zab, may_take);
}

/* What the leader's session built on may be among it: the history is told anew. */
void zab_give_up_refused(struct replica *zab) {
    if (zab_leads(zab) || !journal_give_up(&zab->journal))
        return;
    zab_peers_follow_config(zab);
    if (zab->phase == ZAB_ELECTION)
        zab_look(zab);
    else
        zab_rejoin(zab);
}

/* What this replica has is more than a majority has room for. Those that lack it can lead, unless
 * it was committed. */
static bool is_in_the_way(const struct replica *zab) {
    return zab->phase == ZAB_SYNCHRONISATION && !majority_has(zab, may_take) &&
           zab->now - zab->leader_since > 3 * zab->options.election_timeout_max_ns;
}

void zab_room_tick(struct replica *zab) {
    if (is_in_the_way(zab)) {
        zab->makes_way_until = zab->now + 6 * zab->options.election_timeout_max_ns;
        zab_resign(zab, "the disks of a majority are too full for this history");
    } else if (!journal_takes_commands(&zab->journal) && majority_has(zab, takes)) {
        zab_hand_over(zab);
    }
}
