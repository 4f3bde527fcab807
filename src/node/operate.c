/* What operators ask for: members and leadership. Carried out by the leader; the others forward.
 *
 * An operation as a command: u8 operation, u64 id, block address.
 */
#include "node/node_internal.h"

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

static void refuse(struct group *group, struct request *request, const char *text) {
    struct buf reply = {0};
    reply_error(&reply, text);
    request_finish(group, request, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}

/* What stands in the way of the change, as a sentence; NULL: nothing, and target is what to ask
 * for. */
static const char *make_target(const struct group *group, enum node_operation operation,
                               uint64_t id, struct bytes address, struct config *target) {
    *target = group->config;
    struct member *member = config_find(target, id);
    if (group->config.joint)
        return "ERR another change of members is under way, try again";
    if (operation == NODE_MEMBER_ADD || operation == NODE_MEMBER_LEARNER) {
        struct member fresh = {.id = id, .voter = operation == NODE_MEMBER_ADD};
        if (id == 0 || address.len == 0 || address.len >= CONFIG_ADDRESS_MAX)
            return "ERR a member needs an id above 0 and the address of its peer port, host:port";
        if (member != NULL)
            return "ERR that id is a member already";
        memcpy(fresh.address, address.data, address.len);
        return config_add(target, &fresh) == CAIRN_OK ? NULL : "ERR too many members";
    }
    if (member == NULL)
        return "ERR no member has that id";
    if (operation == NODE_MEMBER_PROMOTE) {
        if (member->voter)
            return "ERR that member is a voter already";
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
        refuse(group, request, "ERR unknown operation");
        return;
    }
    const char *problem = NULL;
    if (operation == NODE_LEADER_TRANSFER) {
        event.kind = EVENT_TRANSFER;
        if (id != 0 && !config_is_voter(&group->config, id))
            problem = "ERR no voter has that id";
    } else {
        problem = make_target(group, operation, id, address, &event.configure.change.target);
    }
    if (problem != NULL) {
        refuse(group, request, problem);
        return;
    }
    request->tag = ++group->next_tag;
    hmap_insert(&group->by_tag, &request->by_tag, hash_u64(request->tag));
    request->state = REQUEST_OPERATING;
    list_remove(&request->queue);
    list_push(&group->operating, &request->queue);
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
