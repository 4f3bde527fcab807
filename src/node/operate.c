/* What operators ask for: members and leadership. Carried out by the leader of each keyspace in
 * turn; the others forward. A keyspace that is already as asked is passed over, so that what failed
 * halfway can be asked for again.
 *
 * An operation as a command: u8 operation, u64 id, block address.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#include <string.h>

#define OPERATION_RETRY_NS 20000000ull

void operation_encode(struct buf *out, enum node_operation operation, uint64_t id,
                      const char *address) {
    buf_u8(out, (uint8_t)operation);
    buf_u64(out, id);
    buf_block(out, bytes_cstr(address ? address : ""));
}

static void refuse(struct group *group, struct request *request, enum cairn_status status,
                   const char *text) {
    struct buf reply = {0};
    reply_error(&reply, text);
    request_finish(group, request, status, buf_view(&reply));
    buf_free(&reply);
}

/* What stands in the way of the change, as a sentence; NULL: nothing, and target is what to ask
 * for. status: EXISTS or NOT_FOUND when the members are as asked already. */
static const char *make_target(const struct group *group, enum node_operation operation,
                               uint64_t id, struct bytes address, struct config *target,
                               enum cairn_status *status) {
    *target = group->config;
    struct member *member = config_find(target, id);
    if (group->config.joint)
        return "ERR another change of members is under way, try again";
    if (operation == NODE_MEMBER_ADD || operation == NODE_MEMBER_LEARNER) {
        struct member fresh = {.id = id, .voter = operation == NODE_MEMBER_ADD};
        if (id == 0 || address.len == 0 || address.len >= CONFIG_ADDRESS_MAX)
            return "ERR a member needs an id above 0 and the address of its peer port, host:port";
        *status = CAIRN_EXISTS;
        if (member != NULL)
            return "ERR that id is a member already";
        *status = CAIRN_OK;
        memcpy(fresh.address, address.data, address.len);
        return config_add(target, &fresh) == CAIRN_OK ? NULL : "ERR too many members";
    }
    *status = operation == NODE_MEMBER_REMOVE ? CAIRN_NOT_FOUND : CAIRN_OK;
    if (member == NULL)
        return "ERR no member has that id";
    *status = CAIRN_OK;
    if (operation == NODE_MEMBER_PROMOTE) {
        *status = CAIRN_EXISTS;
        if (member->voter)
            return "ERR that member is a voter already";
        *status = CAIRN_OK;
        member->voter = true;
        return NULL;
    }
    config_remove(target, id);
    return config_valid(target) ? NULL : "ERR the last voter can't be removed";
}

static void start(struct group *group, struct request *request) {
    struct reader reader = reader_of(bytes_of(request->command, request->len));
    enum node_operation operation = (enum node_operation)read_u8(&reader);
    uint64_t id = read_u64(&reader);
    struct bytes address = read_block(&reader, CONFIG_ADDRESS_MAX);
    struct event event = {.kind = EVENT_CONFIGURE};
    if (!reader_done(&reader) || operation < NODE_MEMBER_ADD || operation > NODE_LEADER_TRANSFER) {
        refuse(group, request, CAIRN_OK, "ERR unknown operation");
        return;
    }
    const char *problem = NULL;
    enum cairn_status status = CAIRN_OK;
    if (operation == NODE_LEADER_TRANSFER) {
        event.kind = EVENT_TRANSFER;
        if (id != 0 && !config_is_voter(&group->config, id))
            problem = "ERR no voter has that id";
    } else {
        problem =
            make_target(group, operation, id, address, &event.configure.change.target, &status);
    }
    if (problem != NULL) {
        refuse(group, request, status, problem);
        return;
    }
    request_operates(group, request);
    if (event.kind == EVENT_TRANSFER) {
        event.transfer.tag = request->tag;
        event.transfer.to = id;
    } else {
        event.configure.tag = request->tag;
    }
    group_step(group, &event);
}

void group_operations(struct group *group, uint64_t now) {
    if (list_empty(&group->operations) || now < group->write_retry_ns)
        return;
    if (group->role != ROLE_LEADER) {
        requests_refuse_foreign(group, &group->operations);
        forward_requests(group, &group->operations);
        return;
    }
    struct request *request = container_of(list_first(&group->operations), struct request, queue);
    start(group, request);
    if (!list_empty(&group->operations))
        env_wake(group->node->env);
}

void operation_outcome(struct group *group, struct request *request, enum cairn_status status) {
    struct buf reply = {0};
    switch (status) {
    case CAIRN_OK:
        reply_ok(&reply);
        break;
    case CAIRN_NOT_LEADER:
        request_again(group, request);
        group->write_retry_ns = env_now(group->node->env) + OPERATION_RETRY_NS;
        return;
    case CAIRN_BUSY:
        reply_error(&reply, "BUSY another change is under way, or the new member does not catch "
                            "up; see cairn status, and try again");
        break;
    case CAIRN_TIMEOUT:
        reply_error(&reply, "ERR it did not happen in time: the target does not answer or lags");
        break;
    default:
        reply_errorf(&reply, "ERR %s", cairn_status_text(status));
    }
    request_finish(group, request, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}

/* ---- in every keyspace ---- */

struct operation {
    struct list list; /* node->operations */
    struct node *node;
    struct node_client *client; /* NULL: gone */
    node_done *done;
    void *context;
    uint32_t keyspace; /* under way */
    uint32_t changed;
    struct buf command;
    struct buf already; /* the first keyspace's word that nothing was to be done */
};

static void operate_in(struct operation *operation);

static void operation_free(struct operation *operation) {
    list_remove(&operation->list);
    buf_free(&operation->command);
    buf_free(&operation->already);
    cairn_free(operation);
}

static void operation_end(struct operation *operation, enum cairn_status status,
                          struct bytes reply) {
    if (operation->client != NULL)
        operation->done(operation->context, status, reply);
    operation_free(operation);
}

static bool went_well(struct bytes reply) {
    struct reader reader = reader_of(reply);
    struct reply_value value;
    return reply_next(&reader, &value) && value.kind != REPLY_ERROR;
}

static void operated(void *context, enum cairn_status status, struct bytes reply) {
    struct operation *operation = context;
    bool already = status == CAIRN_EXISTS || status == CAIRN_NOT_FOUND;
    if (already && operation->already.len == 0)
        buf_bytes(&operation->already, reply);
    bool done = status == CAIRN_OK && went_well(reply);
    operation->changed += done;
    if (!done && !already) {
        operation_end(operation, status, reply);
    } else if (++operation->keyspace < operation->node->group_count && !operation->node->closing) {
        operate_in(operation);
    } else if (operation->changed > 0) {
        struct buf ok = {0};
        reply_ok(&ok);
        operation_end(operation, CAIRN_OK, buf_view(&ok));
        buf_free(&ok);
    } else {
        struct buf told = operation->already;
        operation->already = (struct buf){0};
        operation_end(operation, CAIRN_OK, buf_view(&told));
        buf_free(&told);
    }
}

static void operate_in(struct operation *operation) {
    struct group *group = operation->node->groups[operation->keyspace];
    request_new_from(group, ORIGIN_CLIENT, REQUEST_OPERATE, buf_view(&operation->command), operated,
                     operation);
    env_wake(operation->node->env);
}

enum cairn_status node_operate(struct node_client *client, enum node_operation wanted, uint64_t id,
                               const char *address, node_done *done, void *context) {
    struct node *node = client->node;
    enum cairn_status refusal = node_refusal(client, 0);
    if (refusal != CAIRN_OK)
        return refusal;
    struct operation *operation = cairn_alloc_zero(sizeof *operation);
    operation->node = node;
    operation->client = client;
    operation->done = done;
    operation->context = context;
    operation_encode(&operation->command, wanted, id, address);
    list_push(&node->operations, &operation->list);
    operate_in(operation);
    return CAIRN_OK;
}

void operations_forget_client(struct node *node, const struct node_client *client) {
    LIST_EACH(item, &node->operations) {
        struct operation *operation = container_of(item, struct operation, list);
        if (operation->client == client)
            operation->client = NULL;
    }
}
