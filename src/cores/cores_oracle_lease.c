/* Promises to leaders, and the leases that rest on them (core/lease.h; Ongaro 2014, section 6.4). A
 * promise counts from the step in which it was made, once the message that tells it has left. */
#include "cores/cores_oracle.h"

#include <inttypes.h>
#include <string.h>

#define ROUNDED_NS 2000u

static bool is_released(const struct cores_node *node, const struct cores_promised *promised,
                        uint64_t term) {
    return term < node->released_below || term == promised->released;
}

/* Its disk was replaced: it is another node, and promised nothing. */
static bool is_another(const struct cores_world *world, const struct cores_node *node) {
    return node->harmed && world->setup.loss == CORES_LOSS_ALL;
}

void cores_oracle_promises(struct cores_world *world, struct cores_node *node, uint64_t to,
                           const struct claim *claim, uint64_t clock) {
    struct cores_promised *promised = &node->promised[to < CORES_IDS ? to : 0];
    if (claim->lease_ns > 0) {
        uint64_t until = clock + claim->lease_ns;
        promised->until = until > promised->until ? until : promised->until;
        promised->term = claim->term;
    }
    bool bound = claim->vote != 0 && !claim->releases && !is_another(world, node);
    for (unsigned id = 1; id <= world->count && bound; id++) {
        const struct cores_promised *other = &node->promised[id];
        if (id != claim->vote && other->until > clock && other->term < claim->term &&
            !is_released(node, other, other->term))
            cores_breach(world, CORES_RULE_BROKEN_PROMISE,
                         "%" PRIu64 " is for %" PRIu64 " in term %" PRIu64 ", and %" PRIu64
                         " us of what it promised to %u are left",
                         node->id, claim->vote, claim->term, (other->until - clock) / 1000, id);
    }
}

/* Heard or not: a leader that hands over relies on no promise any more, from then on. */
void cores_oracle_heard(const struct cores_world *world, struct cores_node *node, uint64_t from,
                        struct bytes message) {
    struct claim claim;
    if (!world->view->claim(message, from, node->id, &claim))
        return;
    cores_oracle_informed(world, node, from, &claim);
    if (!claim.releases)
        return;
    if (claim.term > node->released_below)
        node->released_below = claim.term;
    if (claim.leads)
        node->promised[from].released = claim.term;
}

struct question {
    const struct cores_world *world;
    const struct cores_node *leader;
    uint64_t left_ns; /* of its lease, by its clock */
};

/* However wrong both clocks run within the bound, what is left of the promise outlives the lease.
 */
static uint64_t is_bound(const void *context, uint64_t id) {
    const struct question *question = context;
    if (id == 0 || id > question->world->count || id == question->leader->id)
        return 2;
    const struct cores_node *voter = &question->world->nodes[id];
    const struct cores_promised *promised = &voter->promised[question->leader->id];
    bool released = is_released(voter, promised, question->leader->belief.term);
    uint64_t until = released ? 0 : promised->until;
    uint64_t clock = cores_clock(question->world, voter);
    double drift = question->leader->options.clock_drift_ppm / 1e6;
    if (is_another(question->world, voter))
        return 2;
    if (until <= clock)
        return 1;
    double least = (double)(until - clock) * (1 - drift) / (1 + drift);
    return (double)question->left_ns <= least + ROUNDED_NS ? 2 : 1;
}

void cores_oracle_lease(struct cores_world *world, const struct cores_node *node) {
    uint64_t clock = cores_clock(world, node);
    if (node->belief.role != ROLE_LEADER || node->belief.lease_end <= clock)
        return;
    struct question question = {world, node, node->belief.lease_end - clock};
    if (quorum_votes(&node->config, is_bound, &question) != QUORUM_WON)
        cores_breach(world, CORES_RULE_LEASE_TOO_LONG,
                     "%" PRIu64 " in term %" PRIu64 " has %" PRIu64 " us left", node->id,
                     node->belief.term, question.left_ns / 1000);
}
