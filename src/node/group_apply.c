/* Applying committed entries: each through the stack, its changes first, then its reply, then the
 * reads that waited for just this index. A turn does only so much of it: what is left of a batch
 * waits for the next, and a command that is long by itself is left in the middle (base/fiber.h), so
 * that heartbeats, links and other groups have their turn. Until it has ended nothing reads this
 * group's state, for that would be half of it.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define APPLY_STACK_BYTES (256u << 10)
#define ENTRY_WORK 300u /* what any entry costs besides its command */

static void deliver_changes(struct group *group, struct buf *changes) {
    const struct node_options *options = &group->node->options;
    struct reader reader = reader_of(buf_view(changes));
    struct change change;
    while (change_next(&reader, &change)) {
        if (change.kind == CHANGE_LIFE)
            group_lives_change(group, &change);
        if (reader_left(&reader) == 0)
            change.owner = changes; /* nothing reads there any more */
        if (options->change != NULL)
            options->change(options->context, group->keyspace, &change);
    }
    buf_clear(changes);
}

/* Twice as far as the trailing bytes reach, so that a snapshot under way finds its place. */
static void mark(struct group *group) {
    uint64_t step = group->node->options.trailing_bytes / (LOG_MARKS / 2);
    uint64_t last = group->mark_count > 0 ? group->marks[group->mark_count - 1].total : 0;
    if (group->log_total - last < step)
        return;
    if (group->mark_count == LOG_MARKS)
        memmove(group->marks, group->marks + 1, --group->mark_count * sizeof *group->marks);
    group->marks[group->mark_count++] = (struct log_mark){group->applied, group->log_total};
}

uint64_t group_trailing(const struct group *group, uint64_t total) {
    uint64_t index = 0;
    for (uint32_t i = 0; i < group->mark_count; i++) {
        const struct log_mark *at = &group->marks[i];
        if (at->total <= total && total - at->total >= group->node->options.trailing_bytes)
            index = at->index;
    }
    return index;
}

/* Whether what carries a session was executed is not known: an earlier attempt of it may have been,
 * which took the pieces. The node that asked sends it again. */
static void pieces_lost(struct group *group, struct request *request) {
    bool told = group->node->options.mutant == MUTANT_PIECES_LOST_TOLD;
    if (request->upload != NULL)
        upload_again(group, request);
    else if (request->retry_safe && !told)
        request_finish(group, request, CAIRN_UNKNOWN_FATE, bytes_of(NULL, 0));
    else
        request_answer(group, request, &group->applying.reply);
}

static void *take_later(struct applying *applying) {
    void *task = applying->later;
    applying->later = NULL;
    return task;
}

/* The entry's command is carried out: its requester gets the reply. */
static void applied(struct group *group) {
    struct applying *applying = &group->applying;
    struct entry entry = applying->now;
    applying->now = (struct entry){0};
    group->applied = entry.index;
    group->log_bytes += entry.encoded.len;
    group->log_total += entry.encoded.len;
    mark(group);
    group->node->counted.counters.applied++;
    if (applying->changes.len > 0)
        deliver_changes(group, &applying->changes);
    for (struct request *request; (request = waiter_pop(group, entry.index)) != NULL;) {
        bool same =
            request->term == entry.term || group->node->options.mutant == MUTANT_WAITER_BY_INDEX;
        if (same && group->stack.pieces_lost)
            pieces_lost(group, request);
        else if (same && applying->later != NULL)
            long_reply_new(group, request, take_later(applying));
        else if (same && entry.kind == ENTRY_COMMAND)
            request_answer(group, request, &applying->reply);
        else
            waiter_displaced(group, request);
    }
    if (applying->later != NULL)
        group->stack.kind->read_end(group->stack.machine, take_later(applying));
    if (entry.term != group->applied_term)
        waiters_overtaken(group, entry.term);
    group->applied_term = entry.term;
    compare_applied(group);
    node_trim(&applying->reply);
    node_trim(&applying->changes);
    entry_unref(&entry);
    if (!list_empty(&group->read_waiting))
        group_reads_applied(group, group->applied);
}

/* ---- the budget ---- */

bool group_paused(const struct group *group) {
    return group->applying.paused;
}

uint64_t group_replied(const struct group *group) {
    bool under_way = group->applying.paused && group->applying.unheard;
    return group->applied + (under_way ? 1 : 0);
}

bool group_spent(const struct group *group) {
    return group->node->options.mutant != MUTANT_APPLY_WITHOUT_BUDGET &&
           group->work.done >= group->node->options.turn_work_max;
}

/* Called by the machine on the fiber's stack, in the middle of a command. */
static void pause_inside(struct work *work) {
    struct group *group = container_of(work, struct group, work);
    if (group->applying.at_once || !group_spent(group))
        return;
    fiber_leave(group->applying.fiber);
}

void group_work_open(struct group *group) {
    group->work.limit = group->node->options.turn_work_max;
    group->work.pause = group->stack.kind->pauses ? pause_inside : NULL;
}

void group_work_begin(struct group *group) {
    uint64_t *greatest = &group->node->counted.work_max;
    if (group->work.done > *greatest)
        *greatest = group->work.done;
    group->work.done = 0;
}

/* ---- one after the other ---- */

static void run(void *context) {
    struct group *group = context;
    struct applying *applying = &group->applying;
    struct stack_asks asks = {.work = &group->work,
                              .unheard = applying->unheard,
                              .later = applying->unheard ? NULL : &applying->later};
    stack_apply(&group->stack, &applying->now, &asks, &applying->reply, &applying->changes);
}

/* False: it was left in the middle. */
static bool apply_one(struct group *group, const struct entry *entry) {
    struct applying *applying = &group->applying;
    cairn_assert(entry->index == group->applied + 1 && !applying->paused);
    applying->now = entry_ref(entry);
    applying->unheard = !waiter_is_at(group, entry->index);
    buf_clear(&applying->reply);
    group->work.done += ENTRY_WORK + work_of_bytes(entry->encoded.len);
    if (applying->fiber == NULL)
        applying->fiber = fiber_new(APPLY_STACK_BYTES);
    applying->paused = !fiber_run(applying->fiber, run, group);
    if (!applying->paused)
        applied(group);
    return !applying->paused;
}

static void keep(struct group *group, const struct entry *entries, size_t count) {
    struct applying *applying = &group->applying;
    if (count > applying->cap) {
        applying->cap = count;
        applying->entries = cairn_realloc(applying->entries, count * sizeof *entries);
    }
    applying->at = 0;
    applying->count = count;
    for (size_t i = 0; i < count; i++)
        applying->entries[i] = entry_ref(&entries[i]);
}

void group_apply(struct group *group, const struct entry *entries, size_t count) {
    struct applying *applying = &group->applying;
    cairn_assert(applying->at == applying->count && !applying->paused);
    size_t done = 0;
    while (done < count && !group_spent(group) && !applying->paused)
        apply_one(group, &entries[done++]);
    if (done < count)
        keep(group, entries + done, count - done);
    if (done < count || applying->paused)
        env_wake(group->node->env);
}

static void go_on_inside(struct group *group) {
    struct applying *applying = &group->applying;
    if (!applying->paused)
        return;
    applying->paused = !fiber_go_on(applying->fiber);
    if (!applying->paused)
        applied(group);
}

void group_apply_go_on(struct group *group) {
    struct applying *applying = &group->applying;
    go_on_inside(group);
    while (applying->at < applying->count && !applying->paused && !group_spent(group)) {
        struct entry entry = applying->entries[applying->at++];
        apply_one(group, &entry);
        entry_unref(&entry);
    }
    if (applying->at < applying->count || applying->paused)
        env_wake(group->node->env);
}

void group_apply_drop(struct group *group) {
    struct applying *applying = &group->applying;
    while (applying->at < applying->count)
        entry_unref(&applying->entries[applying->at++]);
}

void group_apply_close(struct group *group) {
    struct applying *applying = &group->applying;
    applying->at_once = true;
    go_on_inside(group);
    group_apply_drop(group);
    fiber_free(applying->fiber);
    buf_free(&applying->reply);
    buf_free(&applying->changes);
    cairn_free(applying->entries);
}
