/* What operators ask for, at the node that they ask. Members: since version 3 one aim for all
 * keyspaces, recorded by the first one's leader (aim.h); the answer is given when this node has
 * seen its end. Before that, and for leadership, each keyspace is asked in turn, and one that is as
 * asked is passed over, so that what failed halfway can be asked for again.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#include <string.h>

/* So long an answer waits for the end; the aim goes on without it. */
#define ANSWER_WITHIN_NS 60000000000ull
#define SOON_NS 50000000ull /* of some answers in the simulator */

struct operation {
    struct list list; /* node->operations */
    struct node *node;
    struct node_client *client; /* NULL: gone */
    node_done *done;
    void *context;
    uint64_t limit_ns;
    uint64_t aim;           /* recorded: its end is waited for; 0: not yet */
    uint64_t version_by_ns; /* waits to learn of aims, so long; 0: does not */
    bool cancels;
    bool in_words; /* what is so already is told as an error's sentence, not as a status */
    bool leaves;   /* this node is to be no member any more */
    /* before version 3 */
    struct wishes wishes;
    uint32_t wish;     /* under way */
    uint32_t keyspace; /* likewise */
    uint32_t changed;
    struct buf command;
    struct buf already; /* the first word that nothing was to be done */
};

static void operation_free(struct operation *operation) {
    list_remove(&operation->list);
    buf_free(&operation->command);
    buf_free(&operation->already);
    cairn_free(operation);
}

static void end(struct operation *operation, enum cairn_status status, struct bytes reply) {
    if (operation->client != NULL)
        operation->done(operation->context, status, reply);
    operation_free(operation);
}

static void end_text(struct operation *operation, enum cairn_status status, const char *error) {
    struct buf reply = {0};
    if (error == NULL)
        reply_ok(&reply);
    else
        reply_error(&reply, error);
    end(operation, status, buf_view(&reply));
    buf_free(&reply);
}

static bool is_error(struct bytes reply) {
    struct reader reader = reader_of(reply);
    struct reply_value value;
    return !reply_next(&reader, &value) || value.kind == REPLY_ERROR;
}

/* ---- an aim, and its end ---- */

static void tell_end(struct operation *operation, const struct aim *aim) {
    struct buf reply = {0};
    bool as_asked = aim->end == (operation->cancels ? AIM_CANCELLED : AIM_DONE);
    if (as_asked)
        reply_ok(&reply);
    else if (aim->end == AIM_DONE)
        reply_error(&reply, "ERR it was done before it could be cancelled");
    else
        reply_errorf(&reply, "ERR %s", aim->reason);
    end(operation, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}

/* True when it was told. */
static bool tell_if_ended(struct operation *operation, uint64_t now) {
    const struct group *first = operation->node->groups[0];
    if (operation->aim == 0)
        return false;
    const struct aim *aim = aims_find(first->stack.aims, operation->aim);
    bool known = aim != NULL || first->applied >= operation->aim;
    if (aim != NULL && aim->ended_ms != 0) {
        tell_end(operation, aim);
    } else if (operation->leaves && group_removed(first)) {
        end_text(operation, CAIRN_OK, NULL);
    } else if (known && aim == NULL) {
        end_text(operation, CAIRN_OK,
                 "ERR it ended, and so many changes of members followed that its end is forgotten: "
                 "see cairn status");
    } else if (now >= operation->limit_ns) {
        end_text(operation, CAIRN_OK,
                 "UNDERWAY the change is still under way: cairn member status tells how far it is, "
                 "cairn member cancel gives it up");
    } else {
        return false;
    }
    return true;
}

static bool has_aims(const struct node *node) {
    return node->groups[0]->stack.agreed.version >= WIRE_VERSION_3;
}

/* Before version 3, addresses can't be changed. */
static bool needs_aims(const struct wishes *wishes) {
    for (uint32_t i = 0; i < wishes->count; i++)
        if (wishes->items[i].role == WISH_ROLE_KEPT)
            return true;
    return false;
}

/* The cluster's version is about to rise, for all that is known: it just started, or this node did.
 */
static bool aims_are_near(const struct node *node) {
    if (node->options.wire_version_max < WIRE_VERSION_3)
        return false;
    for (int i = 0; i < PEERS_MAX; i++) {
        const struct link *link = node->peers[i].link;
        if (link != NULL && link->hello.wire_max < WIRE_VERSION_3)
            return false;
    }
    return true;
}

static void go_on(struct operation *operation);
static void record(struct operation *operation);

static void wait_for_aims(struct operation *operation) {
    const struct node *node = operation->node;
    operation->version_by_ns = env_now(node->env) + node->options.request_timeout_ns;
    env_wake(operation->node->env);
}

/* This node is behind the leader, which has aims: after a restart, mostly. */
static void go_on_when_aims_are_known(struct operation *operation, uint64_t now) {
    if (has_aims(operation->node)) {
        operation->version_by_ns = 0;
        record(operation);
    } else if (now >= operation->version_by_ns) {
        operation->version_by_ns = 0;
        if (operation->cancels || needs_aims(&operation->wishes))
            end_text(operation, CAIRN_OK,
                     "ERR not before all nodes run this version, and this one has caught up");
        else
            go_on(operation);
    }
}

void operations_turn(struct node *node, uint64_t now) {
    LIST_EACH_SAFE(item, &node->operations) {
        struct operation *operation = container_of(item, struct operation, list);
        if (operation->version_by_ns != 0)
            go_on_when_aims_are_known(operation, now);
        else
            tell_if_ended(operation, now);
    }
}

uint64_t operations_deadline(const struct node *node) {
    uint64_t deadline = UINT64_MAX;
    LIST_EACH(item, &node->operations) {
        const struct operation *operation = container_of(item, const struct operation, list);
        uint64_t at = operation->aim != 0             ? operation->limit_ns
                      : operation->version_by_ns != 0 ? operation->version_by_ns
                                                      : UINT64_MAX;
        deadline = at < deadline ? at : deadline;
    }
    return deadline;
}

static void recorded(void *context, enum cairn_status status, struct bytes reply) {
    struct operation *operation = context;
    struct reader reader = reader_of(reply);
    struct reply_value value;
    if (status == CAIRN_UNKNOWN_FATE) {
        end_text(operation, CAIRN_OK,
                 "UNKNOWN the change may have been recorded, or not: cairn member status tells");
    } else if (reply.len == 0 || !reply_next(&reader, &value) || value.kind != REPLY_INT) {
        bool told = status == CAIRN_EXISTS || status == CAIRN_NOT_FOUND;
        end(operation, told && operation->in_words ? CAIRN_OK : status, reply);
    } else {
        operation->aim = (uint64_t)value.integer;
        tell_if_ended(operation, env_now(operation->node->env));
    }
}

static void record(struct operation *operation) {
    struct node *node = operation->node;
    struct buf *command = &operation->command;
    buf_clear(command);
    buf_u8(command, operation->cancels ? NODE_MEMBER_CANCEL : NODE_MEMBER_AIM);
    if (operation->cancels) {
        buf_u64(command, node->groups[0]->stack.aims->now.id);
    } else {
        buf_u64(command, prng_next(&node->prng) | 1);
        wishes_encode(command, &operation->wishes);
    }
    const struct wish *own = wishes_find(&operation->wishes, node->options.identity.node);
    operation->leaves = own != NULL && own->role == WISH_GONE;
    request_new_from(node->groups[0], ORIGIN_CLIENT, REQUEST_OPERATE, buf_view(command), recorded,
                     operation)
        ->retry_safe = true;
    env_wake(node->env);
}

/* ---- each keyspace in turn ---- */

static void operated(void *context, enum cairn_status status, struct bytes reply) {
    struct operation *operation = context;
    if (status == CAIRN_WRONG_VERSION && !operation->node->closing) {
        wait_for_aims(operation);
        return;
    }
    bool already = status == CAIRN_EXISTS || status == CAIRN_NOT_FOUND;
    if (already && operation->already.len == 0)
        buf_bytes(&operation->already, reply);
    bool done = status == CAIRN_OK && !is_error(reply);
    operation->changed += done;
    if (!done && !already) {
        end(operation, status, reply);
        return;
    }
    if (++operation->keyspace == operation->node->group_count && operation->wishes.count > 0) {
        operation->keyspace = 0;
        operation->wish++;
    }
    go_on(operation);
}

static void put_wish(struct buf *command, const struct group *group, const struct wish *wish) {
    bool member = config_member(&group->config, wish->id) != NULL;
    bool voter = wish->role == WISH_VOTER;
    enum node_operation operation = wish->role == WISH_GONE      ? NODE_MEMBER_REMOVE
                                    : wish->role == WISH_LEARNER ? NODE_MEMBER_LEARNER
                                    : voter && (member || wish->address[0] == 0)
                                        ? NODE_MEMBER_PROMOTE
                                        : NODE_MEMBER_ADD;
    bool with_address = operation == NODE_MEMBER_ADD || operation == NODE_MEMBER_LEARNER;
    buf_clear(command);
    operation_encode(command, operation, wish->id, with_address ? wish->address : "");
}

static void go_on(struct operation *operation) {
    struct node *node = operation->node;
    bool members = operation->wishes.count > 0;
    bool more = members ? operation->wish < operation->wishes.count
                        : operation->keyspace < node->group_count;
    if (!more || node->closing) {
        if (operation->changed > 0 || operation->already.len == 0)
            end_text(operation, CAIRN_OK, NULL);
        else
            end(operation, operation->in_words ? CAIRN_OK : CAIRN_EXISTS,
                buf_view(&operation->already));
        return;
    }
    struct group *group = node->groups[operation->keyspace];
    if (members)
        put_wish(&operation->command, group, &operation->wishes.items[operation->wish]);
    struct request *request = request_new_from(group, ORIGIN_CLIENT, REQUEST_OPERATE,
                                               buf_view(&operation->command), operated, operation);
    request->patient = members;
    env_wake(node->env);
}

/* ---- asked ---- */

static struct operation *operation_new(struct node_client *client, node_done *done, void *context) {
    struct operation *operation = cairn_alloc_zero(sizeof *operation);
    operation->node = client->node;
    operation->client = client;
    operation->done = done;
    operation->context = context;
    operation->limit_ns =
        env_now(client->node->env) +
        rare_limit(client->node->options.rare, RARE_OPERATOR_UNDERWAY, SOON_NS, ANSWER_WITHIN_NS);
    list_push(&client->node->operations, &operation->list);
    return operation;
}

static enum cairn_status change(struct node_client *client, const struct wishes *wishes,
                                bool in_words, node_done *done, void *context) {
    enum cairn_status refusal = node_refusal(client, 0);
    if (refusal != CAIRN_OK)
        return refusal;
    cairn_assert(wishes->count > 0);
    struct operation *operation = operation_new(client, done, context);
    operation->wishes = *wishes;
    operation->in_words = in_words;
    if (has_aims(client->node))
        record(operation);
    else if (needs_aims(wishes) || aims_are_near(client->node))
        wait_for_aims(operation);
    else
        go_on(operation);
    return CAIRN_OK;
}

enum cairn_status node_change_members(struct node_client *client, const struct wishes *wishes,
                                      node_done *done, void *context) {
    return change(client, wishes, false, done, context);
}

static enum cairn_status cancel(struct node_client *client, node_done *done, void *context) {
    struct operation *operation = operation_new(client, done, context);
    operation->cancels = true;
    if (has_aims(client->node))
        record(operation);
    else
        wait_for_aims(operation);
    return CAIRN_OK;
}

static enum cairn_status hand_over(struct node_client *client, uint64_t id, node_done *done,
                                   void *context) {
    struct operation *operation = operation_new(client, done, context);
    operation_encode(&operation->command, NODE_LEADER_TRANSFER, id, "");
    go_on(operation);
    return CAIRN_OK;
}

enum cairn_status node_operate(struct node_client *client, enum node_operation operation,
                               uint64_t id, const char *address, node_done *done, void *context) {
    static const enum wish_role roles[] = {[NODE_MEMBER_ADD] = WISH_VOTER,
                                           [NODE_MEMBER_LEARNER] = WISH_LEARNER,
                                           [NODE_MEMBER_PROMOTE] = WISH_VOTER,
                                           [NODE_MEMBER_REMOVE] = WISH_GONE,
                                           [NODE_MEMBER_MOVE] = WISH_ROLE_KEPT};
    enum cairn_status refusal = node_refusal(client, 0);
    if (refusal != CAIRN_OK)
        return refusal;
    if (operation == NODE_LEADER_TRANSFER)
        return hand_over(client, id, done, context);
    if (operation == NODE_MEMBER_CANCEL)
        return cancel(client, done, context);
    struct wishes wishes = {0};
    bool with_address = operation != NODE_MEMBER_PROMOTE && operation != NODE_MEMBER_REMOVE;
    if (with_address != (address[0] != 0) ||
        wishes_add(&wishes, id, roles[operation], bytes_cstr(address)) != CAIRN_OK)
        return CAIRN_INVALID;
    return change(client, &wishes, true, done, context);
}

void operator_wish(struct node *node, const struct wishes *wishes) {
    struct operation *operation = cairn_alloc_zero(sizeof *operation);
    operation->node = node;
    operation->limit_ns = env_now(node->env) + ANSWER_WITHIN_NS;
    operation->wishes = *wishes;
    list_push(&node->operations, &operation->list);
    record(operation);
}

void operations_forget_client(struct node *node, const struct node_client *client) {
    LIST_EACH(item, &node->operations) {
        struct operation *operation = container_of(item, struct operation, list);
        if (operation->client == client)
            operation->client = NULL;
    }
}

/* The node closes, and its requests have ended: what is left has none, and waits for an aim. */
void operations_close(struct node *node) {
    LIST_EACH_SAFE(item, &node->operations)
    end(container_of(item, struct operation, list), CAIRN_SHUTDOWN, bytes_of(NULL, 0));
}
