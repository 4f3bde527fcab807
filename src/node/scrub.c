/* Damage shows when something is read, and old entries are read rarely: the scrub reads all of the
 * log back, a piece a second, so that damage is found while others still hold what it took.
 */
#include "node/node_internal.h"

static void next_keyspace(struct node *node) {
    struct scrub *scrub = &node->scrub;
    scrub->next = 0;
    if (++scrub->keyspace < node->group_count)
        return;
    scrub->keyspace = 0;
    if (scrub->again_ns > scrub->at_ns)
        scrub->at_ns = scrub->again_ns;
}

static void on_read(void *context, uint64_t keyspace, enum cairn_status status, uint64_t first,
                    const struct entry *entries, size_t count) {
    struct node *node = context;
    struct scrub *scrub = &node->scrub;
    scrub->under_way = false;
    if (node->closing || node->failed)
        return;
    bool damaged = status == CAIRN_CORRUPT || status == CAIRN_IO;
    if (damaged)
        group_unreadable(node->groups[keyspace], status, first, first + count - 1);
    for (size_t i = 0; i < count && !damaged; i++)
        node->counted.counters.scrubbed_bytes += entries[i].encoded.len;
    if (damaged || status == CAIRN_OK)
        scrub->next = first + count;
    else
        next_keyspace(node); /* trimmed meanwhile, or the machine is short of something */
}

void scrub_turn(struct node *node, uint64_t now) {
    struct scrub *scrub = &node->scrub;
    if (scrub->under_way || now < scrub->at_ns || node->stopping)
        return;
    scrub->at_ns = now + node->limits.scrub_every_ns;
    if (scrub->keyspace == 0 && scrub->next == 0)
        scrub->again_ns = now + node->options.scrub_every_ns;
    const struct group *group = node->groups[scrub->keyspace];
    struct replica_status status;
    group->protocol->status(group->replica, &status);
    if (scrub->next < status.first_index)
        scrub->next = status.first_index;
    if (scrub->next > status.durable_index || status.damaged) {
        next_keyspace(node);
        return;
    }
    scrub->under_way = true;
    wal_load(node->wal, group->id, scrub->next, status.durable_index, node->limits.scrub_bytes,
             scrub->keyspace, on_read, node);
}

uint64_t scrub_deadline(const struct node *node) {
    bool rests = node->scrub.under_way || node->failed || node->stopping;
    return rests ? UINT64_MAX : node->scrub.at_ns;
}
