/* A history's operations by key: the groups that are judged one by one. */
#ifndef CAIRN_CHECK_PARTITION_H
#define CAIRN_CHECK_PARTITION_H

#include "check/model.h"

struct group {
    uint32_t key;
    uint32_t from, count; /* in partition.ops */
};
struct partition {
    uint32_t *ops; /* in the order of their calls within each group; without FAIL */
    struct group *groups;
    uint32_t group_count;
};
/* One group for all when the model is not keyed. Groups stand in the order of their first call. */
void partition_make(struct partition *partition, const struct history *history, enum model model);
void partition_free(struct partition *partition);

#endif
