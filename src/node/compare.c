/* Replicas compare their states. Every few seconds a leader asks all members for the digest of
 * their state at an index that it has just applied; each answers when it has applied just that.
 * Replicas that applied the same entries must have the same state, so one that differs from an
 * agreeing majority of the voters is wrong, whatever made it so: it stops, keeps what it has as
 * evidence, and is rebuilt from the others at its next start (recovery.c). Without such a majority
 * it can't be told which is right: the group stops serving and says so.
 *
 * COMPARE: u64 index. COMPARED: u64 index, digest. DIVERGED: u64 index, u8 whether a majority
 * agrees. All since version 3, and only while the cluster version is 3: digests of older versions
 * may differ.
 */
#include "node/node_internal.h"

/* Without an answer from all voters by then, those that came decide. */
#define DECIDE_AFTER_NS (2ull * 1000000000ull)

/* Not to nodes that are away, nor to older versions, which don't know these frames. */
static void send_to(const struct group *group, uint64_t to, enum frame_type type,
                    const struct buf *body) {
    struct link *link = peer_link(group->node, to);
    if (link != NULL && link->wire_version >= WIRE_VERSION_3)
        link_send(link, LANE_CONTROL, type, group->id, buf_view(body), NULL, 0);
}

/* ---- at any replica ---- */

static void send_digest(struct group *group, uint64_t to, uint64_t index) {
    struct buf body = {0};
    buf_u64(&body, index);
    buf_u64(&body, stack_digest(&group->stack));
    send_to(group, to, FRAME_COMPARED, &body);
    buf_free(&body);
}

void compare_asked(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    uint64_t index = read_u64(&reader);
    if (!reader_done(&reader)) {
        link_malformed(link, "malformed question for the state's digest");
        return;
    }
    if (link->hello.node != group->leader || group->install != NULL || index < group->applied ||
        (index == group->applied && group_paused(group)))
        return; /* too late: its state is not that of the index any more */
    group->compare.asked_index = index;
    group->compare.asked_by = link->hello.node;
    compare_applied(group);
}

void compare_applied(struct group *group) {
    if (group->compare.asked_index == 0 || group->applied < group->compare.asked_index)
        return;
    if (group->applied == group->compare.asked_index)
        send_digest(group, group->compare.asked_by, group->applied);
    group->compare.asked_index = 0;
}

static void stop_serving(struct group *group, uint64_t index) {
    if (group->compare.no_majority)
        return;
    group->compare.no_majority = true;
    node_log(group->node, 2,
             "%s: the replicas' states differ at index %llu and no majority agrees: nothing is "
             "served any more; see \"Replicas that differ\" in docs/operations.md",
             group->node->options.keyspaces[group->keyspace].name, (unsigned long long)index);
}

/* What is on the disk stays there for people to look at; the next start begins without it. */
static void stop_replica(struct group *group, uint64_t index) {
    struct node *node = group->node;
    char text[200];
    node->options.identity.diverged = true;
    enum cairn_status status =
        identity_store(node->env, node->options.folder, &node->options.identity);
    if (status != CAIRN_OK)
        node_log(node, 2, "can't note that in the node's identity: %s", cairn_status_text(status));
    snprintf(text, sizeof text,
             "%s: this replica's state differs from that of a majority at index %llu; started "
             "again, it is rebuilt from the others, and what it has now is kept aside",
             node->options.keyspaces[group->keyspace].name, (unsigned long long)index);
    node_fail(node, CAIRN_CORRUPT, text);
}

void compare_told(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    uint64_t index = read_u64(&reader);
    bool majority = read_u8(&reader) != 0;
    if (!reader_done(&reader)) {
        link_malformed(link, "malformed word of replicas that differ");
        return;
    }
    if (link->hello.node != group->leader || group->node->failed)
        return;
    if (majority)
        stop_replica(group, index);
    else
        stop_serving(group, index);
}

/* ---- at the leader ---- */

static void tell(struct group *group, uint64_t to, bool majority) {
    struct buf body = {0};
    buf_u64(&body, group->compare.index);
    buf_u8(&body, majority);
    send_to(group, to, FRAME_DIVERGED, &body);
    buf_free(&body);
}

static void ask_all(struct group *group, uint64_t now) {
    struct compare *compare = &group->compare;
    uint64_t self = group->node->options.identity.node;
    struct buf body = {0};
    compare->index = group->applied;
    compare->asked_at_ns = now;
    compare->count = 1;
    compare->answers[0].id = self;
    compare->answers[0].digest = stack_digest(&group->stack);
    buf_u64(&body, compare->index);
    for (uint32_t i = 0; i < group->config.count; i++)
        send_to(group, group->config.members[i].id, FRAME_COMPARE, &body);
    buf_free(&body);
}

static const struct compare_answer *answer_of(const struct compare *compare, uint64_t id) {
    for (uint32_t i = 0; i < compare->count; i++)
        if (compare->answers[i].id == id)
            return &compare->answers[i];
    return NULL;
}

struct poll {
    const struct compare *compare;
    uint64_t digest;
};

/* As a vote: 2 for that digest, 1 for another one, 0 not answered. */
static uint64_t vote_of(const void *context, uint64_t id) {
    const struct poll *poll = context;
    const struct compare_answer *answer = answer_of(poll->compare, id);
    return answer == NULL ? 0 : answer->digest == poll->digest ? 2 : 1;
}

/* False: no majority of the voters (of both sets, while joint) has that digest so far. */
static bool has_majority(const struct group *group, uint64_t digest) {
    struct poll poll = {&group->compare, digest};
    return quorum_votes(&group->config, vote_of, &poll) == QUORUM_WON;
}

static bool all_voters_answered(const struct group *group) {
    for (uint32_t i = 0; i < group->config.count; i++) {
        uint64_t id = group->config.members[i].id;
        if (config_is_voter(&group->config, id) && answer_of(&group->compare, id) == NULL)
            return false;
    }
    return true;
}

static bool all_equal(const struct compare *compare) {
    for (uint32_t i = 1; i < compare->count; i++)
        if (compare->answers[i].digest != compare->answers[0].digest)
            return false;
    return true;
}

static void tell_all(struct group *group, bool majority, uint64_t right) {
    struct compare *compare = &group->compare;
    uint64_t index = compare->index;
    bool own = compare->answers[0].digest == right;
    for (uint32_t i = 1; i < compare->count; i++)
        if (!majority || compare->answers[i].digest != right)
            tell(group, compare->answers[i].id, majority);
    compare->index = 0;
    if (!majority)
        stop_serving(group, index);
    else if (!own)
        stop_replica(group, index);
}

static void decide(struct group *group, uint64_t now) {
    struct compare *compare = &group->compare;
    if (compare->index == 0 || all_equal(compare))
        return;
    for (uint32_t i = 0; i < compare->count; i++)
        if (has_majority(group, compare->answers[i].digest)) {
            tell_all(group, true, compare->answers[i].digest);
            return;
        }
    if (all_voters_answered(group) || now - compare->asked_at_ns > DECIDE_AFTER_NS)
        tell_all(group, false, 0);
}

void compare_answered(struct group *group, struct link *link, struct bytes body) {
    struct compare *compare = &group->compare;
    struct reader reader = reader_of(body);
    uint64_t index = read_u64(&reader), digest = read_u64(&reader);
    uint64_t from = link->hello.node;
    if (!reader_done(&reader)) {
        link_malformed(link, "malformed digest");
        return;
    }
    if (group->role != ROLE_LEADER || index != compare->index ||
        config_member(&group->config, from) == NULL || answer_of(compare, from) != NULL ||
        compare->count == CONFIG_MEMBERS_MAX)
        return;
    compare->answers[compare->count].id = from;
    compare->answers[compare->count++].digest = digest;
    decide(group, env_now(group->node->env));
}

void compare_turn(struct group *group, uint64_t now) {
    struct compare *compare = &group->compare;
    if (group->role != ROLE_LEADER || group->stack.agreed.version < WIRE_VERSION_3) {
        compare->index = 0;
        return;
    }
    decide(group, now);
    if (now < compare->next_ns || group->install != NULL || group->applied == 0 ||
        group_paused(group))
        return;
    compare->next_ns = now + group->node->limits.compare_every_ns;
    ask_all(group, now);
}

uint64_t compare_deadline(const struct group *group) {
    if (group->role != ROLE_LEADER || group->stack.agreed.version < WIRE_VERSION_3)
        return UINT64_MAX;
    bool undecided = group->compare.index != 0 && !all_equal(&group->compare);
    uint64_t decide_at = group->compare.asked_at_ns + DECIDE_AFTER_NS + 1;
    return undecided && decide_at < group->compare.next_ns ? decide_at : group->compare.next_ns;
}
