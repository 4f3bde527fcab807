/* Which wall clock stamps go by: not the leader's own, but a majority's (core/wall.h). Followers
 * tell theirs when they accept the epoch and with answers to pings. */
#include "protocol/zab/zab_internal.h"

void zab_hear_wall(struct replica *zab, struct zab_peer *peer, const struct zab_message *answer) {
    if (answer->more)
        peer->wall = (struct wall_reading){.ms = answer->wall_ms, .at = zab->now};
    else
        peer->wall = (struct wall_reading){.silent = true};
}

static const struct wall_reading *reading_of(const void *context, uint64_t id) {
    const struct zab_peer *peer = zab_peer_of(context, id);
    return peer != NULL ? &peer->wall : NULL;
}

uint64_t zab_wall_ms(const struct replica *zab, uint64_t now, uint64_t own_wall_ms) {
    if (!zab_leads(zab) || zab->options.mutant == MUTANT_TIME_OF_ONE_CLOCK)
        return own_wall_ms;
    return wall_of_majority(journal_config(&zab->journal), stamps_last_ms(&zab->journal.stamps),
                            zab->options.id, own_wall_ms, now, reading_of, zab);
}
