/* Applying committed entries: each through the stack, its changes first, then its reply, then the
 * reads that waited for just this index. */
#include "node/node_internal.h"

#include "base/assert.h"

static void deliver_changes(struct group *group) {
    const struct node_options *options = &group->node->options;
    struct reader reader = reader_of(buf_view(&group->changes));
    struct change change;
    while (change_next(&reader, &change)) {
        if (change.kind == CHANGE_LIFE)
            group_lives_change(group, &change);
        if (options->change != NULL)
            options->change(options->context, group->keyspace, &change);
    }
    buf_clear(&group->changes);
}

static void apply_one(struct group *group, const struct entry *entry) {
    cairn_assert(entry->index == group->applied + 1);
    buf_clear(&group->reply);
    stack_apply(&group->stack, entry, &group->reply, &group->changes);
    group->applied = entry->index;
    group->turn_bytes += entry->encoded.len;
    group->log_bytes += entry->encoded.len;
    if (group->changes.len > 0)
        deliver_changes(group);
    for (struct request *request; (request = waiter_pop(group, entry->index)) != NULL;) {
        bool same =
            request->term == entry->term || group->node->options.mutant == MUTANT_WAITER_BY_INDEX;
        if (same && entry->kind == ENTRY_COMMAND)
            request_finish(group, request, CAIRN_OK, buf_view(&group->reply));
        else
            waiter_displaced(group, request);
    }
    if (entry->term != group->applied_term)
        waiters_overtaken(group, entry->term);
    group->applied_term = entry->term;
    compare_applied(group);
}

void group_apply(struct group *group, const struct entry *entries, size_t count) {
    for (size_t i = 0; i < count; i++) {
        apply_one(group, &entries[i]);
        if (!list_empty(&group->read_waiting))
            group_reads_applied(group, group->applied);
    }
    group->node->counted.counters.applied += count;
}
