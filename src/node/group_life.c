/* Lives of a group: signs travel to the leader, ends travel through the log (node/life.h). */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "core/reply.h"

#define SIGNS_MAX_BYTES (4u << 20) /* beyond that the leader is not reached anyway */

void node_alive(struct node *node, uint32_t keyspace, uint64_t id) {
    struct group *group = node->groups[keyspace];
    uint64_t now = env_now(node->env);
    if (group->role == ROLE_LEADER) {
        lives_sign(&group->lives, id, now);
        return;
    }
    if (group->signs.len >= SIGNS_MAX_BYTES)
        return;
    if (group->signs.len == 0)
        group->signs_at_ns = now + node->limits.signs_ns;
    buf_u64(&group->signs, id);
}

static void send_signs(struct group *group, uint64_t now) {
    if (group->signs.len == 0 || now < group->signs_at_ns)
        return;
    struct link *link = peer_link(group->node, group->leader);
    if (group->role != ROLE_LEADER && link != NULL)
        for (size_t at = 0; at < group->signs.len; at += FRAME_PAYLOAD_MAX) {
            size_t left = group->signs.len - at;
            struct bytes part = bytes_of(group->signs.data + at,
                                         left < FRAME_PAYLOAD_MAX ? left : FRAME_PAYLOAD_MAX);
            link_send(link, LANE_CONTROL, FRAME_LIVES, group->id, part, NULL, 0);
        }
    buf_clear(&group->signs); /* without a leader: the next one gives full timeouts anyway */
    node_trim(&group->signs);
}

void group_lives_receive(struct group *group, struct link *link, struct bytes body) {
    uint64_t now = env_now(group->node->env);
    struct reader reader = reader_of(body);
    if (body.len % 8 != 0) {
        link_malformed(link, "malformed signs of life");
        return;
    }
    while (reader_left(&reader) > 0)
        lives_sign(&group->lives, read_u64(&reader), now);
}

void group_lives_role(struct group *group, bool was_leader) {
    const struct machine_kind *kind = group->stack.kind;
    bool leads = group->role == ROLE_LEADER;
    if (leads == was_leader || kind->life_next == NULL)
        return;
    lives_clear(&group->lives);
    if (!leads)
        return;
    uint64_t id = 0, timeout_ms, now = env_now(group->node->env);
    lives_begin(&group->lives, now);
    while (kind->life_next(group->stack.machine, id, &id, &timeout_ms))
        lives_put(&group->lives, id, timeout_ms, now);
}

void group_lives_change(struct group *group, const struct change *change) {
    struct life_change life;
    uint64_t id;
    if (!group->lives.kept || !change_life(change, &id, &life))
        return;
    if (life.timeout_ms == 0)
        lives_remove(&group->lives, id);
    else
        lives_put(&group->lives, id, life.timeout_ms, env_now(group->node->env));
}

struct ending {
    struct group *group;
    uint64_t id;
};

/* Whether it ended is told by its CHANGE_LIFE; if it did not, it is still there. */
static void end_done(void *context, enum cairn_status status, struct bytes reply) {
    struct ending *ending = context;
    struct group *group = ending->group;
    group->ends_under_way--;
    lives_again(&group->lives, ending->id, env_now(group->node->env));
    cairn_free(ending);
}

static void propose_end(struct group *group, uint64_t id) {
    struct buf *envelope = &group->scratch;
    struct ending *ending = cairn_alloc(sizeof *ending);
    *ending = (struct ending){group, id};
    buf_clear(envelope);
    stack_encode_machine(envelope, bytes_of(NULL, 0));
    group->stack.kind->life_end(group->stack.machine, id, envelope);
    group->ends_under_way++;
    request_new_from(group, ORIGIN_SELF, REQUEST_WRITE, buf_view(envelope), end_done, ending);
}

void group_lives_turn(struct group *group, uint64_t now) {
    send_signs(group, now);
    if (group->role != ROLE_LEADER || group->install != NULL)
        return;
    while (group->ends_under_way < group->node->limits.ends_under_way) {
        uint64_t id = lives_due(&group->lives, now);
        if (id == 0)
            break;
        propose_end(group, id);
    }
}

uint64_t group_lives_deadline(const struct group *group) {
    uint64_t deadline = group->ends_under_way < group->node->limits.ends_under_way
                            ? lives_deadline(&group->lives)
                            : UINT64_MAX;
    if (group->signs.len > 0 && group->signs_at_ns < deadline)
        deadline = group->signs_at_ns;
    return deadline;
}
