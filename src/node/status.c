/* What a node tells of itself: as a struct, and as JSON. */
#include "node/node_internal.h"

#include <string.h>

typedef unsigned long long ull;

struct env *node_env(const struct node *node) {
    return node->env;
}

const struct node_options *node_get_options(const struct node *node) {
    return &node->options;
}

size_t node_gathered(const struct node *node) {
    size_t bytes = 0;
    for (uint32_t i = 0; i < node->group_count; i++)
        bytes += node->groups[i]->gathered;
    return bytes;
}

size_t node_machine_bytes(const struct node *node, uint32_t keyspace) {
    const struct stack *stack = &node->groups[keyspace]->stack;
    return stack->kind->memory(stack->machine);
}

uint64_t node_random(struct node *node) {
    return prng_next(&node->prng);
}

bool node_chain_at(const struct node *node, uint32_t keyspace, uint64_t index, uint64_t *chain) {
    const struct group *group = node->groups[keyspace];
    return group->protocol->chain_at(group->replica, index, chain);
}

uint64_t node_applied_index(const struct node *node, uint32_t keyspace) {
    const struct group *group = node->groups[keyspace];
    return group->install != NULL || group_paused(group) ? 0 : group->applied;
}

uint64_t node_state_digest(const struct node *node, uint32_t keyspace) {
    return stack_digest(&node->groups[keyspace]->stack);
}

uint64_t node_work_max(const struct node *node) {
    return node->counted.work_max;
}

bool node_keyspace_find(const struct node *node, const char *name, uint32_t *keyspace) {
    for (uint32_t i = 0; i < node->options.keyspace_count; i++)
        if (strcmp(node->options.keyspaces[i].name, name) == 0) {
            *keyspace = i;
            return true;
        }
    return false;
}

uint32_t node_replicas_current(const struct node *node, uint32_t keyspace) {
    const struct group *group = node->groups[keyspace];
    struct replica_status status;
    group->protocol->status(group->replica, &status);
    uint32_t voters = 0, current = 0;
    for (uint32_t i = 0; i < status.config.count; i++)
        voters += status.config.members[i].voter;
    for (uint32_t i = 0; i < status.peer_count; i++)
        current += status.peers[i].match_index >= status.commit_index &&
                   config_is_voter(&status.config, status.peers[i].id);
    /* Elsewhere than on the leader only this much is sure: what is committed is on a majority. */
    uint32_t sure = voters > 0 ? voters / 2 : 0;
    return current > sure ? current : sure;
}

void node_status(const struct node *node, uint32_t keyspace, struct node_status *status) {
    struct group *group = node->groups[keyspace];
    *status = node->counted;
    status->identity = node->options.identity;
    group->protocol->status(group->replica, &status->replica);
    status->keys = group->stack.kind->count(group->stack.machine);
    status->machine_bytes = group->stack.kind->memory(group->stack.machine);
    status->state_digest = stack_digest(&group->stack);
    status->time_ms = group_time_ms(group);
    status->wall_ms = node_wall_ms(group->node);
    status->agreed = group->stack.agreed;
    status->snapshot_index = group->snapshot_index;
    status->snapshot_time_ms = group->snapshot_time_ms;
    status->snapshot_running = group->snapshot != NULL;
    status->sessions = once_sessions(group->stack.once);
    status->cluster_version = group->stack.agreed.version;
    status->requests = (uint32_t)group->request_count;
    for (int i = 0; i < PEERS_MAX; i++)
        status->links_up += peer_link(node, node->peers[i].id) != NULL;
    if (group->role == ROLE_LEADER)
        status->led_ns = env_now(node->env) - group->leads_since_ns;
    status->proposals = group->proposal_sizes;
    status->health = group_health(group, &status->replica);
}

static const char *role_text(enum role role) {
    static const char *const texts[] = {"?", "follower", "pre-candidate", "candidate", "leader"};
    return texts[role];
}

void json_plain(struct buf *text, size_t from) {
    for (size_t i = from; i < text->len; i++)
        if (text->data[i] < 32 || text->data[i] == '"' || text->data[i] == '\\')
            text->data[i] = '?';
}

/* X(name, format, about, value of `status` and `member`) */
#define MEMBER_FIELDS(X)                                                          \
    X(id, "%llu", "the member's number", (ull)member->id)                         \
    X(address, "\"%s\"", "its peer port, as it is recorded", member->address)     \
    X(incarnation, "\"%016llx\"", "of its data folder", (ull)member->incarnation) \
    X(role, "\"%s\"", "voter or learner", votes(member) ? "voter" : "learner")

/* On the leader alone. X(name, format, about, value of `status` and `p`) */
#define PEER_FIELDS(X)                                                                           \
    X(match, "%llu", "on the leader: up to here the member has its log",                         \
      (ull)status->replica.peers[p].match_index)                                                 \
    X(lag, "%llu", "on the leader: entries that the member is not known to have",                \
      (ull)(status->replica.last_index - status->replica.peers[p].match_index))                  \
    X(active, "%s", "on the leader: the member answers", truth(status->replica.peers[p].active)) \
    X(snapshot, "%s", "on the leader: a snapshot is on its way to the member",                   \
      truth(status->replica.peers[p].snapshotting))

/* X(name, format, about, value of `status`) */
#define KEYSPACE_FIELDS(X)                                                                        \
    X(role, "\"%s\"", "follower, pre-candidate, candidate or leader",                             \
      role_text(status->replica.role))                                                            \
    X(term, "%llu", "current term, or epoch", (ull)status->replica.term)                          \
    X(leader, "%llu", "the leader's number; 0: none is known", (ull)status->replica.leader)       \
    X(cluster_version, "%u", "replicated: what all members can do", status->cluster_version)      \
    X(first_index, "%llu", "of the log", (ull)status->replica.first_index)                        \
    X(last_index, "%llu", "of the log", (ull)status->replica.last_index)                          \
    X(durable_index, "%llu", "up to here the log is on this node's disk",                         \
      (ull)status->replica.durable_index)                                                         \
    X(commit_index, "%llu", "up to here a majority has it", (ull)status->replica.commit_index)    \
    X(applied_index, "%llu", "up to here it is in the state", (ull)status->replica.applied_index) \
    X(snapshot_index, "%llu", "of the newest snapshot", (ull)status->snapshot_index)              \
    X(lease_left_ms, "%llu", "of the leader's lease",                                             \
      (ull)(status->replica.lease_left_ns / 1000000))                                             \
    X(keys, "%llu", "keys, or znodes", (ull)status->keys)                                         \
    X(machine_bytes, "%zu", "memory of the state", status->machine_bytes)                         \
    X(digest, "\"%016llx\"", "of the state at applied_index", (ull)status->state_digest)          \
    X(time_ms, "%llu", "replicated time, since 1970", (ull)status->time_ms)                       \
    X(sessions, "%llu", "open exactly-once sessions", (ull)status->sessions)                      \
    X(requests, "%u", "requests outstanding at this node", status->requests)                      \
    X(clock_off_ms, "%lld", "this node's clock less replicated time",                             \
      (long long)(status->wall_ms - status->time_ms))                                             \
    X(joint, "%s", "a change of members is half way", truth(status->replica.config.joint))

static const char *truth(bool it_is) {
    return it_is ? "true" : "false";
}

static bool votes(const struct member *member) {
    return member->voter || member->voter_old;
}

#define PUT(name, format, about, value) buf_printf(out, "\"" #name "\":" format ",", value);

static void json_member(const struct node_status *status, const struct member *member,
                        struct buf *out) {
    buf_printf(out, "{");
    MEMBER_FIELDS(PUT)
    for (uint32_t p = 0; p < status->replica.peer_count; p++)
        if (status->replica.peers[p].id == member->id) {
            PEER_FIELDS(PUT)
        }
    out->len--; /* the last comma */
    buf_printf(out, "}");
}

/* What one keyspace tells, without the braces. */
static void json_fields(const struct node *node, uint32_t keyspace, struct buf *out) {
    struct node_status told;
    const struct node_status *status = &told;
    const struct config *config = &told.replica.config;
    node_status(node, keyspace, &told);
    KEYSPACE_FIELDS(PUT)
    buf_printf(out, "\"members\":[");
    for (uint32_t i = 0; i < config->count; i++) {
        buf_printf(out, "%s", i ? "," : "");
        json_member(status, &config->members[i], out);
    }
    buf_printf(out, "]");
}

/* X(name, format, about, value of `named` and `status`) */
#define KEYSPACE_HEAD_FIELDS(X)                                    \
    X(name, "\"%s\"", "the keyspace", named->name)                 \
    X(machine, "\"%s\"", "what is replicated", named->machine)     \
    X(protocol, "\"%s\"", "by what: raft or zab", named->protocol) \
    X(health, "\"%s\"", "ok, or what stands in the way", status->health)

static void json_keyspaces(const struct node *node, struct buf *out) {
    buf_printf(out, "\"keyspaces\":[");
    NODE_EACH_GROUP(group, node) {
        const struct node_keyspace *named = &node->options.keyspaces[group->keyspace];
        struct node_status told;
        const struct node_status *status = &told;
        node_status(node, group->keyspace, &told);
        buf_printf(out, "%s{", group->keyspace ? "," : "");
        KEYSPACE_HEAD_FIELDS(PUT)
        json_fields(node, group->keyspace, out);
        buf_printf(out, "}");
    }
    buf_printf(out, "]");
}

/* X(name, format, about, value of `node`, `identity`, `status`, `log`) */
#define NODE_FIELDS(X)                                                                      \
    X(node, "%llu", "this node's number", (ull)identity->node)                              \
    X(cluster, "\"%016llx\"", "a hash of the cluster's name", (ull)identity->cluster)       \
    X(incarnation, "\"%016llx\"", "of this node's data folder", (ull)identity->incarnation) \
    X(epoch, "%llu", "of the cluster: rises by cairn repair", (ull)identity->epoch)         \
    X(version, "\"%s\"", "this build", CAIRN_VERSION)                                       \
    X(health, "\"%s\"", "of all keyspaces: ok, or what stands in the way of one",           \
      node_health(node))                                                                    \
    X(links_up, "%u", "peers linked", status.links_up)                                      \
    X(log_bytes, "%llu", "log on disk", (ull)log.log_bytes)                                 \
    X(log_direct, "%s", "the log is written past the system's cache", truth(log.direct))

/* The first keyspace's fields stand at the top too. */
void node_status_json(const struct node *node, struct buf *out) {
    const struct identity *identity = &node->options.identity;
    struct node_status status;
    struct wal_stats log;
    node_status(node, 0, &status);
    wal_stats(node->wal, &log);
    buf_printf(out, "{");
    NODE_FIELDS(PUT)
    buf_printf(out, "\"cluster_name\":\"");
    size_t from = out->len;
    buf_printf(out, "%s", node->options.cluster_name);
    json_plain(out, from);
    buf_printf(out, "\",");
    members_json(node, out);
    json_fields(node, 0, out);
    buf_printf(out, ",");
    json_keyspaces(node, out);
    buf_printf(out, "}\n");
}

#define NAME(name, format, about, value) {part, #name, about},

const struct node_status_field *node_status_field_at(size_t n) {
#define part "node"
    static const struct node_status_field table[] = {
        NODE_FIELDS(NAME){part, "cluster_name", "as it was set, cluster.name"},
        {part, "change", "the change of members under way; empty: none"},
        {part, "keyspaces", "a list, with the fields below; those of the first stand here too"},
#undef part
#define part "keyspace"
        KEYSPACE_HEAD_FIELDS(NAME)
            KEYSPACE_FIELDS(NAME){part, "members", "a list, with the fields below"},
#undef part
#define part "member"
        MEMBER_FIELDS(NAME) PEER_FIELDS(NAME)
#undef part
    };
    return n < sizeof table / sizeof *table ? &table[n] : NULL;
}
