/* What a turn does, in order: what became durable; time; reads before writes (a client's read must
 * not see its later write); then what the leader proposes itself, and housekeeping. */
#include "node/node_internal.h"

#define TIDY_NOTED_NS 10000u /* mostly there is nothing to do */

static uint64_t earlier(uint64_t a, uint64_t b) {
    return a < b ? a : b;
}

uint64_t group_deadline(const struct group *group) {
    uint64_t deadline =
        group_removed(group) ? UINT64_MAX : group->protocol->deadline(group->replica);
    deadline = earlier(deadline, group->due_at_ns);
    deadline = earlier(deadline, group_lives_deadline(group));
    deadline = earlier(deadline, compare_deadline(group));
    if (!list_empty(&group->aging))
        deadline =
            earlier(deadline, container_of(group->aging.next, struct request, aging)->deadline_ns);
    if (!list_empty(&group->pending_writes) || !list_empty(&group->operations))
        if (group->write_retry_ns != 0)
            deadline = earlier(deadline, group->write_retry_ns);
    if (!list_empty(&group->pending_reads) && group->read_retry_ns != 0)
        deadline = earlier(deadline, group->read_retry_ns);
    return deadline;
}

static void tick(struct group *group, uint64_t now) {
    if (group->protocol->deadline(group->replica) > now || group_removed(group))
        return;
    struct event event = {.kind = EVENT_TICK};
    group_step(group, &event);
}

static void tell_room(struct group *group) {
    struct event event = {.kind = EVENT_ROOM};
    bool no_room = wal_full(group->node->wal);
    if (no_room == group->no_room_told)
        return;
    group->no_room_told = no_room;
    event.room.there = !no_room;
    group_step(group, &event);
}

/* Frees what only ended snapshots still saw. */
static void tidy(struct group *group) {
    struct env *env = group->node->env;
    uint64_t start = env_now(env);
    bool more = stack_tidy(&group->stack, group->node->limits.tidy_budget);
    uint64_t taken = env_now(env) - start;
    if (more)
        env_wake(env);
    if (more || taken > TIDY_NOTED_NS)
        spans_note(&group->node->slices, taken);
}

void group_turn(struct group *group, uint64_t now) {
    group_work_begin(group);
    group->read_bytes = 0;
    /* A moment that has passed must not wake the loop again and again. */
    if (group->write_retry_ns <= now)
        group->write_retry_ns = 0;
    if (group->read_retry_ns <= now)
        group->read_retry_ns = 0;
    tell_room(group);
    group_feed_persisted(group);
    removal_turn(group);
    tick(group, now);
    group_apply_go_on(group);
    group_install_turn(group);
    group_feed_applied(group);
    group_reads(group, now);
    group_reads_due(group);
    group_reads_resume(group);
    group_propose_due(group, now);
    group_propose_version(group);
    group_propose_agreed(group);
    group_watch_clock(group, now);
    compare_turn(group, now);
    group_propose_members(group);
    group_lives_turn(group, now);
    group_operations(group, now);
    group_uploads_turn(group);
    group_propose(group, now);
    requests_expire(group, now);
    group_long_reads(group);
    group_look_at_log(group, now);
    group_damage_turn(group);
    if (group_snapshot_wanted(group, now) || snapshot_send_waits(group))
        group_snapshot_begin(group);
    if (!group_paused(group))
        tidy(group);
    node_trim(&group->scratch);
    node_trim(&group->reply);
}
