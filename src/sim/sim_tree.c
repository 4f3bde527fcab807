#include "sim/sim_tree.h"

#include "base/alloc.h"
#include "front/zookeeper/zookeeper.h"

#include <string.h>

static struct sim_fact *fact_new(struct sim_tree *tree, uint64_t index, uint64_t time_ms) {
    if (tree->count == tree->cap) {
        tree->cap = tree->cap ? tree->cap * 2 : 1024;
        tree->facts = cairn_realloc(tree->facts, tree->cap * sizeof *tree->facts);
    }
    struct sim_fact *fact = &tree->facts[tree->count++];
    *fact = (struct sim_fact){.index = index, .time_ms = time_ms};
    return fact;
}

void sim_tree_note(struct sim_tree *tree, uint64_t replica, uint64_t index, uint64_t time_ms,
                   const struct change *change) {
    int event;
    uint64_t zxid, session;
    struct life_change life;
    if (index < tree->index || (index == tree->index && replica != tree->recorder))
        return;
    tree->index = index;
    tree->recorder = replica;
    if (zookeeper_event(change, &event, &zxid)) {
        struct sim_fact *fact = fact_new(tree, index, time_ms);
        fact->zxid = zxid;
        fact->event = event;
        if (change->key.len < ZK_PATH_MAX)
            memcpy(fact->path, change->key.data, change->key.len);
    } else if (change_life(change, &session, &life)) {
        struct sim_fact *fact = fact_new(tree, index, time_ms);
        fact->event = life.timeout_ms == 0 ? SIM_LIFE_ENDED : SIM_LIFE_HELD;
        fact->session = session;
        fact->timeout_ms = life.timeout_ms;
    }
}

void sim_tree_free(struct sim_tree *tree) {
    cairn_free(tree->facts);
    *tree = (struct sim_tree){0};
}
