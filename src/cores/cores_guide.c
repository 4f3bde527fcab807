#include "cores/cores_guide.h"

#include "base/alloc.h"

#include <string.h>

#define KEPT_MAX 512u
#define BITS (1u << 22)
#define LEFT_OUT_OF 24u /* one move of so many is left out */

struct kept {
    struct cores_setup setup;
    struct cores_moves moves;
};

struct cores_guide {
    struct kept kept[KEPT_MAX];
    unsigned count;
    uint64_t seen, news; /* news: of the present run */
    uint8_t bits[BITS / 8];
};

struct cores_guide *cores_guide_new(void) {
    return cairn_alloc_zero(sizeof(struct cores_guide));
}

void cores_guide_free(struct cores_guide *guide) {
    for (unsigned i = 0; i < guide->count; i++)
        cores_moves_free(&guide->kept[i].moves);
    cairn_free(guide);
}

bool cores_guide_draw(struct cores_guide *guide, struct prng *prng, struct cores_setup *setup,
                      struct cores_moves *moves) {
    moves->count = 0;
    guide->news = 0;
    if (guide->count == 0 || prng_chance(prng, 1, 2))
        return false;
    const struct kept *kept = &guide->kept[prng_below(prng, guide->count)];
    size_t length = prng_below(prng, kept->moves.count + 1);
    *setup = kept->setup;
    for (size_t i = 0; i < length; i++)
        if (!prng_chance(prng, 1, LEFT_OUT_OF))
            cores_moves_add(moves, kept->moves.items[i]);
    return true;
}

static void mark(struct cores_guide *guide, uint64_t sum) {
    uint64_t bit = sum % BITS;
    if ((guide->bits[bit / 8] >> bit % 8 & 1) != 0)
        return;
    guide->bits[bit / 8] |= (uint8_t)(1u << bit % 8);
    guide->seen++;
    guide->news++;
}

/* The states of all replicas together are nearly always new: what counts is that of the leader
 * beside that of each other one. */
void cores_guide_see(struct cores_guide *guide, const struct cores_world *world) {
    uint64_t sums[CORES_IDS] = {0};
    unsigned leader = 0;
    for (unsigned id = 1; id <= world->count; id++) {
        const struct cores_node *node = &world->nodes[id];
        sums[id] = node->up ? world->view->abstract(node->replica) : 0;
        if (node->up && node->belief.role == ROLE_LEADER &&
            (leader == 0 || node->belief.term > world->nodes[leader].belief.term))
            leader = id;
    }
    for (unsigned id = 1; id <= world->count; id++)
        if (id != leader)
            mark(guide, prng_mix(sums[id], sums[leader] + world->leaders));
}

void cores_guide_keep(struct cores_guide *guide, struct prng *prng, const struct cores_setup *setup,
                      const struct cores_moves *moves) {
    if (guide->news == 0 || moves->count == 0)
        return;
    unsigned at = guide->count < KEPT_MAX ? guide->count++ : (unsigned)prng_below(prng, KEPT_MAX);
    struct kept *kept = &guide->kept[at];
    kept->setup = *setup;
    kept->moves.count = 0;
    for (size_t i = 0; i < moves->count; i++)
        cores_moves_add(&kept->moves, moves->items[i]);
}

uint64_t cores_guide_seen(const struct cores_guide *guide) {
    return guide->seen;
}
