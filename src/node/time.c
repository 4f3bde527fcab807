/* What the leader proposes by itself: what has become due, a higher cluster version, what the
 * cluster is founded with, and the members for a machine that asks for them. */
#include "node/node_internal.h"

#include "base/assert.h"

#define NS_PER_MS 1000000ull
#define CLOCK_OFF_MS 10000
#define CLOCK_WATCH_NS 1000000000ull
#define CLOCK_WARN_NS (60ull * 1000000000ull)
/* With a full disk, for each takes of the room that is kept back; and only while a read waits. */
#define DUE_SPARED_NS 1000000000ull
#define DUE_CHECK_MAX_NS (3600ull * 1000000000ull)

static void due_done(void *context, enum cairn_status status, struct bytes reply) {
    struct group *group = context;
    group->due_inflight--;
}

void group_propose_due(struct group *group, uint64_t now) {
    group->due_at_ns = UINT64_MAX;
    if (group->role != ROLE_LEADER || group->install != NULL)
        return;
    uint64_t due_ms = stack_next_due(&group->stack);
    if (due_ms == UINT64_MAX)
        return;
    uint64_t time_ms = group_time_ms(group);
    if (due_ms > time_ms) {
        uint64_t wait_ns = due_ms - time_ms < DUE_CHECK_MAX_NS / NS_PER_MS
                               ? (due_ms - time_ms) * NS_PER_MS
                               : DUE_CHECK_MAX_NS;
        group->due_at_ns = now + wait_ns;
        return;
    }
    bool spare = wal_full(group->node->wal);
    if (spare && list_empty(&group->reads_due))
        return;
    if (spare && now < group->due_spared_ns) {
        group->due_at_ns = group->due_spared_ns;
        return;
    }
    group->due_spared_ns = now + DUE_SPARED_NS;
    struct buf *envelope = &group->scratch;
    while (group->due_inflight < (spare ? 1 : group->node->limits.due_inflight)) {
        buf_clear(envelope);
        if (!stack_due(&group->stack, time_ms, group->due_inflight, envelope))
            return;
        group->due_inflight++;
        request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), due_done, group)
            ->needed = spare;
    }
}

static void version_done(void *context, enum cairn_status status, struct bytes reply) {
    struct group *group = context;
    group->version_inflight = false;
}

/* The highest version that every member speaks, known only while all are linked; 0: not known. */
static uint32_t common_version(const struct group *group) {
    struct node *node = group->node;
    uint32_t common = node->options.wire_version_max;
    for (uint32_t i = 0; i < group->config.count; i++) {
        uint64_t id = group->config.members[i].id;
        if (id == node->options.identity.node)
            continue;
        const struct peer *peer = peer_find(node, id);
        if (peer == NULL || peer->link == NULL)
            return 0;
        if (peer->link->hello.wire_max < common)
            common = peer->link->hello.wire_max;
    }
    return common;
}

void group_propose_version(struct group *group) {
    if (group->role != ROLE_LEADER || group->version_inflight ||
        group->stack.agreed.version >= group->node->options.wire_version_max)
        return;
    uint32_t common = common_version(group);
    if (common <= group->stack.agreed.version)
        return;
    struct buf *envelope = &group->scratch;
    buf_clear(envelope);
    stack_encode_version(envelope, common);
    group->version_inflight = true;
    request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), version_done, group);
}

static void agreed_done(void *context, enum cairn_status status, struct bytes reply) {
    struct group *group = context;
    group->agreed_inflight = false;
}

static void propose_agreed(struct group *group, const struct buf *envelope) {
    group->agreed_inflight = true;
    request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), agreed_done, group);
}

/* What a cluster is founded with: the first leader's settings become the group's parameters, and
 * the first keyspace gets a number that tells this cluster from any other of its name. */
void group_propose_agreed(struct group *group) {
    const struct agreed *agreed = &group->stack.agreed;
    struct buf *envelope = &group->scratch;
    if (group->role != ROLE_LEADER || group->agreed_inflight || agreed->version < WIRE_VERSION_3)
        return;
    buf_clear(envelope);
    if (agreed->parameters.revision == 0) {
        stack_encode_parameters(envelope, &group->stack.own);
        propose_agreed(group, envelope);
    } else if (group->keyspace == 0 && agreed->cluster_number == 0) {
        uint64_t number;
        env_entropy(group->node->env, &number, sizeof number);
        stack_encode_number(envelope, number | 1);
        propose_agreed(group, envelope);
    }
}

static void members_done(void *context, enum cairn_status status, struct bytes reply) {
    struct group *group = context;
    group->members_inflight = false;
    group->members_asked = true; /* until the machine knows them */
}

/* A machine that wants to know the group's members is told by a command. */
void group_propose_members(struct group *group) {
    const struct machine_kind *kind = group->stack.kind;
    if (group->role != ROLE_LEADER || !group->members_asked || group->members_inflight ||
        !group->config_committed || group->config.joint || group->install != NULL)
        return;
    group->members_asked = false;
    if (kind->members == NULL)
        return;
    struct buf *envelope = &group->scratch;
    buf_clear(envelope);
    stack_encode_machine(envelope, bytes_of(NULL, 0));
    if (!kind->members(group->stack.machine, &group->config, envelope))
        return;
    group->members_inflight = true;
    request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), members_done, group);
}

/* This node's clock is outvoted by the others', and replicated time does not follow it. Or all of
 * them jumped, and time follows slowly. Said now and then, of one keyspace. */
void group_watch_clock(struct group *group, uint64_t now) {
    struct node *node = group->node;
    if (group->keyspace != 0 || now < node->clock_watch_ns || group->leader == 0)
        return;
    node->clock_watch_ns = now + CLOCK_WATCH_NS;
    int64_t off = (int64_t)(node_wall_ms(node) - group_time_ms(group));
    if (off >= -CLOCK_OFF_MS && off <= CLOCK_OFF_MS)
        return;
    node->clock_watch_ns = now + CLOCK_WARN_NS;
    node_log(node, 2,
             "this node's clock is %lld s %s replicated time, which follows the clocks of a "
             "majority; CAIRN.TIME shows it",
             (long long)(off > 0 ? off : -off) / 1000, off > 0 ? "ahead of" : "behind");
}
