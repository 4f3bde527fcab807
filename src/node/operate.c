/* What operators ask for, where it is carried out: at the leader of a keyspace. The node that was
 * asked is in operator.c; how the first keyspace's leader drives the others, in aim_drive.c.
 *
 * An operation as a command: u8 operation, then
 *   ADD, LEARNER, PROMOTE, REMOVE, TRANSFER (of any version): u64 id, block address
 *   since version 3: AIM: u64 token, wishes; CANCEL: u64 aim (0: any); STEP: u64 aim, u8 phase
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OPERATION_RETRY_NS 20000000ull

void operation_encode(struct buf *out, enum node_operation operation, uint64_t id,
                      const char *address) {
    buf_u8(out, (uint8_t)operation);
    buf_u64(out, id);
    buf_block(out, bytes_cstr(address ? address : ""));
}

static void answer(struct group *group, struct request *request, enum cairn_status status,
                   const char *text) {
    struct buf reply = {0};
    if (text == NULL)
        reply_ok(&reply);
    else
        reply_error(&reply, text);
    request_finish(group, request, status, buf_view(&reply));
    buf_free(&reply);
}

/* ---- one keyspace's change, as nodes of versions below 3 ask for it ---- */

/* What is asked for, as a wish. False: malformed. */
static bool take_wish(struct bytes command, struct wishes *wishes) {
    static const enum wish_role roles[] = {[NODE_MEMBER_ADD] = WISH_VOTER,
                                           [NODE_MEMBER_LEARNER] = WISH_LEARNER,
                                           [NODE_MEMBER_PROMOTE] = WISH_VOTER,
                                           [NODE_MEMBER_REMOVE] = WISH_GONE};
    struct reader reader = reader_of(command);
    uint8_t operation = read_u8(&reader);
    uint64_t id = read_u64(&reader);
    struct bytes address = read_block(&reader, CONFIG_ADDRESS_MAX - 1);
    *wishes = (struct wishes){0};
    if (!reader_done(&reader) || operation < NODE_MEMBER_ADD || operation > NODE_MEMBER_REMOVE)
        return false;
    bool with_address = operation == NODE_MEMBER_ADD || operation == NODE_MEMBER_LEARNER;
    if (with_address != (address.len > 0))
        return false;
    return wishes_add(wishes, id, roles[operation], address) == CAIRN_OK;
}

const char *wishes_already(const struct wishes *wishes) {
    const struct wish *wish = &wishes->items[0];
    if (wish->role == WISH_GONE)
        return "ERR no member has that id";
    if (wish->role == WISH_ROLE_KEPT)
        return "ERR that member has that address already";
    return wish->address[0] != 0 ? "ERR that id is a member already"
                                 : "ERR that member is a voter already";
}

const char *wishes_problem(const struct wishes *wishes, struct config *config) {
    switch (wishes_apply(wishes, config)) {
    case CAIRN_OK:
        return NULL;
    case CAIRN_NOT_FOUND:
        return "ERR no member has that id";
    case CAIRN_INVALID:
        return "ERR the last voter can't be removed";
    default:
        return "ERR too many members";
    }
}

static void change_one(struct group *group, struct request *request) {
    struct event event = {.kind = EVENT_CONFIGURE};
    struct wishes wishes;
    if (group->node->groups[0]->stack.agreed.version >= WIRE_VERSION_3) {
        answer(group, request, CAIRN_WRONG_VERSION, NULL);
        return;
    }
    if (!take_wish(bytes_of(request->command, request->len), &wishes)) {
        answer(group, request, CAIRN_OK,
               "ERR a member needs an id above 0 and the address of its peer port, host:port");
        return;
    }
    if (wishes_hold(&wishes, &group->config)) {
        bool gone = wishes.items[0].role == WISH_GONE;
        answer(group, request, gone ? CAIRN_NOT_FOUND : CAIRN_EXISTS, wishes_already(&wishes));
        return;
    }
    struct config *target = &event.configure.change.target;
    *target = group->config;
    const char *problem = wishes_problem(&wishes, target);
    if (problem != NULL || group->config.joint) {
        answer(group, request, CAIRN_OK,
               problem ? problem : "BUSY another change of members is under way, try again");
        return;
    }
    request_operates(group, request);
    event.configure.tag = request->tag;
    group_step(group, &event);
}

static void transfer(struct group *group, struct request *request) {
    struct event event = {.kind = EVENT_TRANSFER};
    struct reader reader = reader_of(bytes_of(request->command + 1, request->len - 1));
    event.transfer.to = read_u64(&reader);
    read_block(&reader, CONFIG_ADDRESS_MAX);
    if (!reader_done(&reader) ||
        (event.transfer.to != 0 && !config_is_voter(&group->config, event.transfer.to))) {
        answer(group, request, CAIRN_OK, "ERR no voter has that id");
        return;
    }
    request_operates(group, request);
    event.transfer.tag = request->tag;
    group_step(group, &event);
}

/* ---- a keyspace's part in an aim ---- */

/* The aim of that id stands in that phase, as far as this node knows; NULL: it knows nothing of it
 * yet, or more: the leader that drives it asks again, or is the one that is behind. */
static const struct aim *known_aim(const struct group *group, uint64_t id, uint8_t phase) {
    const struct group *first = group->node->groups[0];
    const struct aim *now = &first->stack.aims->now;
    bool fits = first->install == NULL && id != 0 && now->id == id && now->phase == phase;
    return fits && group->keyspace < now->keyspaces ? now : NULL;
}

static void give_step(struct group *group, struct request *request, struct event *event) {
    request_operates(group, request);
    event->configure.tag = request->tag;
    group_step(group, event);
}

/* Nothing of the aim is to be seen here any more; but a change that still waits for its members
 * would come to life later. */
static void stand_back(struct group *group, struct request *request) {
    struct event event = {.kind = EVENT_CONFIGURE};
    event.configure.change.cancel = true;
    give_step(group, request, &event);
}

static void step(struct group *group, struct request *request) {
    struct event event = {.kind = EVENT_CONFIGURE};
    struct reader reader = reader_of(bytes_of(request->command + 1, request->len - 1));
    uint64_t id = read_u64(&reader);
    uint8_t phase = read_u8(&reader);
    const struct aim *aim = reader_done(&reader) ? known_aim(group, id, phase) : NULL;
    if (aim == NULL || group->config.joint || !group->config_committed) {
        answer(group, request, CAIRN_OK, "BUSY not yet");
        return;
    }
    const struct wishes *wishes = phase == AIM_BACK ? &aim->former[group->keyspace] : &aim->wanted;
    if (wishes_hold(wishes, &group->config)) {
        if (phase == AIM_BACK)
            stand_back(group, request);
        else
            aim_confirm(group, request);
        return;
    }
    struct config_change *change = &event.configure.change;
    change->target = group->config;
    const char *problem = wishes_problem(wishes, &change->target);
    if (problem != NULL) {
        answer(group, request, CAIRN_OK, problem);
        return;
    }
    change->prepare = phase == AIM_PREPARE;
    change->supersede = true;
    give_step(group, request, &event);
}

static void start(struct group *group, struct request *request) {
    switch (request->len == 0 ? 0 : request->command[0]) {
    case NODE_MEMBER_ADD:
    case NODE_MEMBER_LEARNER:
    case NODE_MEMBER_PROMOTE:
    case NODE_MEMBER_REMOVE:
        change_one(group, request);
        break;
    case NODE_LEADER_TRANSFER:
        transfer(group, request);
        break;
    case NODE_MEMBER_AIM:
    case NODE_MEMBER_CANCEL:
        aim_ask(group, request);
        break;
    case NODE_MEMBER_STEP:
        step(group, request);
        break;
    default:
        answer(group, request, CAIRN_OK, "ERR unknown operation");
    }
}

/* Carried out in a moment, and so not refused: when the members' last change, an operator's or the
 * leader's own, is committed; an aim, when a new leader has applied what was committed before it.
 */
static bool not_yet(const struct group *group, const struct request *request) {
    uint8_t operation = request->len == 0 ? 0 : request->command[0];
    if (operation == NODE_MEMBER_AIM || operation == NODE_MEMBER_CANCEL)
        return group->applied_term != group->term || group->install != NULL;
    bool changes = operation >= NODE_MEMBER_ADD && operation <= NODE_MEMBER_REMOVE;
    return (changes || operation == NODE_MEMBER_STEP) && !group->config_committed;
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
    if (not_yet(group, request))
        return;
    start(group, request);
    if (!list_empty(&group->operations))
        env_wake(group->node->env);
}

/* ---- how it ended, in words ---- */

static const char *address_of(const struct group *group, const struct request *request, uint64_t id,
                              struct wishes *scratch) {
    const struct member *member = config_member(&group->config, id);
    const struct aim *aim = &group->node->groups[0]->stack.aims->now;
    if (request->command[0] == NODE_MEMBER_STEP)
        *scratch = aim->wanted;
    else if (!take_wish(bytes_of(request->command, request->len), scratch))
        scratch->count = 0;
    const struct wish *wish = wishes_find(scratch, id);
    if (wish != NULL && wish->address[0] != 0)
        return wish->address;
    return member != NULL ? member->address : "?";
}

static void put_refusal(const struct group *group, const struct request *request,
                        const struct effect *effect, struct buf *reply) {
    uint64_t id = effect->outcome.member;
    struct wishes scratch;
    const char *address = id ? address_of(group, request, id, &scratch) : "";
    /* Of an aim, that is to be seen when every keyspace is back. */
    const char *tail = request->command[0] == NODE_MEMBER_STEP ? "" : "; nothing was changed";
    switch (effect->outcome.status) {
    case CAIRN_BUSY:
        reply_error(reply, "BUSY another change of members is under way, or leadership moves; "
                           "nothing was changed, try again");
        break;
    case CAIRN_UNREACHABLE:
        reply_errorf(reply, "ERR member %" PRIu64 " does not answer at %s%s", id, address, tail);
        break;
    case CAIRN_TIMEOUT:
        if (effect->outcome.of == OUTCOME_TRANSFER)
            reply_error(reply, "ERR it did not happen in time: the target does not answer or lags");
        else
            reply_errorf(reply, "ERR member %" PRIu64 " at %s is connected but does not catch up%s",
                         id, address, tail);
        break;
    case CAIRN_NO_QUORUM:
        reply_errorf(reply, "ERR a majority of the voters that would be can't be reached now%s",
                     tail);
        break;
    case CAIRN_CANCELLED:
        if (request->command[0] ==
            NODE_MEMBER_STEP) /* the same was asked anew, by another driver */
            reply_error(reply, "BUSY it was asked anew");
        else
            reply_errorf(reply, "ERR it was cancelled%s", tail);
        break;
    default:
        reply_errorf(reply, "ERR %s", cairn_status_text(effect->outcome.status));
    }
}

void operation_outcome(struct group *group, struct request *request, const struct effect *effect) {
    struct buf reply = {0};
    enum cairn_status status = effect->outcome.status;
    bool nothing = status == CAIRN_NOT_FOUND && request->command[0] == NODE_MEMBER_STEP;
    if (status == CAIRN_NOT_LEADER) {
        request_again(group, request);
        group->write_retry_ns = env_now(group->node->env) + OPERATION_RETRY_NS;
        return;
    }
    if (nothing) { /* there was no change to be given up */
        aim_confirm(group, request);
        return;
    }
    if (status == CAIRN_OK)
        reply_ok(&reply);
    else
        put_refusal(group, request, effect, &reply);
    request_finish(group, request, CAIRN_OK, buf_view(&reply));
    buf_free(&reply);
}
