/* What a replica acknowledged binds it: until it has that again, whatever its disk lost or a
 * snapshot took the place of, it gives no vote. */
#include "cores/cores_oracle.h"

#include <inttypes.h>

void cores_oracle_acked(const struct cores_world *world, struct cores_node *node,
                        const struct claim *claim) {
    uint64_t chain;
    const struct cores_acked *last = &node->acked[(node->acked_count - 1) % CORES_ACKED];
    if (world->notes != NULL || !claim->matches || claim->durable == 0 ||
        !cores_disk_chain(node, claim->durable, &chain) ||
        (node->acked_count > 0 && last->index == claim->durable && last->chain == chain))
        return;
    node->acked[node->acked_count++ % CORES_ACKED] = (struct cores_acked){claim->durable, chain};
}

/* Entries that were committed with its help, as far as is known. */
static uint64_t lacks(const struct cores_world *world, const struct cores_node *node) {
    unsigned count = node->acked_count < CORES_ACKED ? node->acked_count : CORES_ACKED;
    for (unsigned i = 0; i < count; i++) {
        const struct cores_acked *acked = &node->acked[i];
        if (acked->index < CORES_INDEX_MAX && acked->index <= world->committed &&
            world->history[acked->index].chain == acked->chain &&
            !cores_disk_holds(node, acked->index, acked->chain))
            return acked->index;
    }
    return 0;
}

void cores_oracle_voice(struct cores_world *world, const struct cores_node *node,
                        const struct claim *claim) {
    struct replica_status status;
    bool may_lack = node->harmed || node->image.has_base; /* else an earlier oracle saw it lost */
    if (world->notes != NULL || claim->vote == 0 || !may_lack)
        return;
    uint64_t index = lacks(world, node);
    if (index == 0)
        return;
    world->setup.protocol->status(node->replica, &status);
    if (!status.damaged)
        cores_breach(world, CORES_RULE_VOICE,
                     "%" PRIu64 " votes in term %" PRIu64 ", and has lost %" PRIu64, node->id,
                     claim->term, index);
}

void cores_oracle_informed(const struct cores_world *world, struct cores_node *node, uint64_t from,
                           const struct claim *claim) {
    if (!claim->informs || world->notes != NULL)
        return;
    const struct promise *disk = &world->nodes[from].image.promise;
    node->informed[from] = (struct cores_informed){
        claim->term, disk->term == claim->term ? disk->vote : 0, node->belief.term};
}

void cores_oracle_leads(struct cores_world *world, const struct cores_node *node, uint64_t to,
                        const struct claim *claim) {
    if (!claim->leads || to >= CORES_IDS || world->notes != NULL)
        return;
    const struct cores_informed *informed = &node->informed[to];
    bool known = informed->vote != 0 && informed->vote <= world->count; /* it lost no hard state */
    bool taken = known && informed->vote != node->id;
    if (informed->before < claim->term &&
        (informed->term > claim->term || (informed->term == claim->term && taken)))
        cores_breach(world, CORES_RULE_EARLIER_TERM,
                     "%" PRIu64 " leads %" PRIu64 " in term %" PRIu64
                     ", which had told it term %" PRIu64,
                     node->id, to, claim->term, informed->term);
}

void cores_oracle_refused(struct cores_world *world, const struct cores_node *node) {
    uint64_t last = cores_disk_last(node);
    last = last < node->belief.commit ? node->belief.commit : last;
    for (size_t i = 0; i < node->persist_count; i++) {
        const struct cores_persist *persist = &node->persists[i];
        if (persist->count > 0 && persist->entries[persist->count - 1].index > last)
            last = persist->entries[persist->count - 1].index;
    }
    if (node->up && node->belief.role == ROLE_FOLLOWER && node->belief.last > last)
        cores_breach(world, CORES_RULE_REFUSED_KEPT,
                     "%" PRIu64 " has %" PRIu64 " entries, and %" PRIu64
                     " are durable, under way or committed",
                     node->id, node->belief.last, last);
}
