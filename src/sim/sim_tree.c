#include "sim/sim_tree.h"

#include "base/alloc.h"
#include "front/zookeeper/zookeeper.h"

#include <string.h>

static struct sim_fact *fact_new(struct sim_tree *tree) {
    if (tree->count == tree->cap) {
        tree->cap = tree->cap ? tree->cap * 2 : 1024;
        tree->facts = cairn_realloc(tree->facts, tree->cap * sizeof *tree->facts);
    }
    struct sim_fact *fact = &tree->facts[tree->count++];
    memset(fact, 0, sizeof *fact);
    return fact;
}

void sim_tree_note(struct sim_tree *tree, uint64_t replica, uint64_t index,
                   const struct change *change) {
    int event;
    uint64_t zxid, session;
    struct life_change life;
    if (index < tree->index || (index == tree->index && replica != tree->recorder))
        return;
    tree->index = index;
    tree->recorder = replica;
    if (zookeeper_event(change, &event, &zxid)) {
        struct sim_fact *fact = fact_new(tree);
        fact->index = index;
        fact->zxid = zxid;
        fact->event = event;
        if (change->key.len < ZK_PATH_MAX)
            memcpy(fact->path, change->key.data, change->key.len);
    } else if (change_life(change, &session, &life) && life.timeout_ms == 0) {
        struct sim_fact *fact = fact_new(tree);
        fact->index = index;
        fact->session = session;
    }
}

void sim_tree_free(struct sim_tree *tree) {
    cairn_free(tree->facts);
    *tree = (struct sim_tree){0};
}
