/* Shared by the files of the world of memory (replica_world.h). */
#ifndef CAIRN_TESTS_REPLICA_WORLD_INTERNAL_H
#define CAIRN_TESTS_REPLICA_WORLD_INTERNAL_H

#include "replica_world.h"

#define GROW(items, count, cap)                                        \
    do {                                                               \
        if ((count) == (cap)) {                                        \
            (cap) = (cap) ? (cap)*2 : 16;                              \
            (items) = cairn_realloc((items), (cap) * sizeof *(items)); \
        }                                                              \
    } while (0)

/* A line of the trace. */
void world_say(struct world *world, const char *format, ...) __attribute__((format(printf, 2, 3)));
void world_log_cut(struct world_node *node, uint64_t from);
void world_log_drop_front(struct world_node *node, uint64_t first);
void world_log_put(struct world_node *node, const struct entry *entry);
void world_persist_free(struct world_persist *persist);
void world_message_free(struct world_message *message);
void world_keep_snapshot(struct world_node *node, const struct log_base *base);
void world_effects(struct world *world, struct world_node *node, struct effects effects);
uint64_t world_wall_of(const struct world *world, const struct world_node *node);
uint64_t world_clock_of(const struct world *world, const struct world_node *node);
void world_settle(struct world *world, struct world_node *node);

#endif
