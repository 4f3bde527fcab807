#include "check/partition.h"

#include "base/alloc.h"

#include <string.h>

static bool judged(const struct op *op) {
    return op->outcome != OP_FAIL;
}

void partition_make(struct partition *partition, const struct history *history, enum model model) {
    uint32_t *group_of = cairn_alloc(history->values.count * sizeof *group_of);
    uint32_t count = 0, groups = 0, cap = 0;
    bool keyed = model_keyed(model);
    memset(partition, 0, sizeof *partition);
    memset(group_of, 0xff, history->values.count * sizeof *group_of);
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (!judged(op))
            continue;
        uint32_t key = keyed ? op->key : VALUE_NULL;
        if (group_of[key] == UINT32_MAX) {
            if (groups == cap) {
                cap = cap ? cap * 2 : 16;
                partition->groups =
                    cairn_realloc(partition->groups, cap * sizeof *partition->groups);
            }
            partition->groups[groups] = (struct group){.key = key};
            group_of[key] = groups++;
        }
        partition->groups[group_of[key]].count++;
        count++;
    }
    partition->group_count = groups;
    partition->ops = cairn_alloc((count + 1) * sizeof *partition->ops);
    for (uint32_t i = 0, from = 0; i < groups; i++) {
        partition->groups[i].from = from;
        from += partition->groups[i].count;
        partition->groups[i].count = 0;
    }
    for (uint32_t i = 0; i < history->op_count; i++) {
        const struct op *op = &history->ops[i];
        if (!judged(op))
            continue;
        struct group *group = &partition->groups[group_of[keyed ? op->key : VALUE_NULL]];
        partition->ops[group->from + group->count++] = i;
    }
    cairn_free(group_of);
}

void partition_free(struct partition *partition) {
    cairn_free(partition->ops);
    cairn_free(partition->groups);
    memset(partition, 0, sizeof *partition);
}
