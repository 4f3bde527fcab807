/* Proposing: what the leader places in the log, for clients and for time itself. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

static size_t gather(struct group *group) {
    size_t count = 0;
    LIST_EACH(item, &group->pending_writes) {
        struct request *request = container_of(item, struct request, queue);
        if (request_held_back(group, request))
            continue;
        if (count == group->node->limits.proposals_max) {
            env_wake(group->node->env);
            break;
        }
        if (count == group->proposals_cap) {
            group->proposals_cap = group->proposals_cap ? group->proposals_cap * 2 : 64;
            group->proposals =
                cairn_realloc(group->proposals, group->proposals_cap * sizeof *group->proposals);
            group->proposed =
                cairn_realloc(group->proposed, group->proposals_cap * sizeof *group->proposed);
        }
        group->proposals[count] = (struct proposal){
            .tag = count, .command = request_body(request), .needed = request->needed};
        group->proposed[count++] = request;
    }
    return count;
}

static void note_sizes(struct group *group, size_t count) {
    struct node_sizes *sizes = &group->proposal_sizes;
    for (size_t i = 0; i < count; i++) {
        uint64_t bytes = group->proposals[i].command.len;
        sizes->min = sizes->last == 0 || bytes < sizes->min ? bytes : sizes->min;
        sizes->max = bytes > sizes->max ? bytes : sizes->max;
        sizes->last = bytes;
    }
}

void group_propose(struct group *group, uint64_t now) {
    if (list_empty(&group->pending_writes) || now < group->write_retry_ns)
        return;
    if (group->role != ROLE_LEADER) {
        requests_refuse_foreign(group, &group->pending_writes);
        forward_requests(group, &group->pending_writes);
        return;
    }
    size_t count = gather(group);
    if (count == 0)
        return;
    struct event event = {.kind = EVENT_PROPOSE};
    event.propose.items = group->proposals;
    event.propose.count = count;
    group->proposed_count = count;
    note_sizes(group, count);
    group_step(group, &event);
    group->proposed_count = 0;
}

static void proposal_outcome(struct group *group, struct request *request,
                             const struct effect *effect) {
    cairn_assert(request->kind == REQUEST_WRITE && request->state == REQUEST_PENDING);
    switch (effect->outcome.status) {
    case CAIRN_OK:
        if (request->origin == ORIGIN_PEER && !request->far) {
            forward_placed(group, request, effect->outcome.index, effect->outcome.term);
            break;
        }
        request->index = effect->outcome.index;
        request->term = effect->outcome.term;
        waiter_push(group, request);
        break;
    case CAIRN_NOT_LEADER:
        group->write_retry_ns = env_now(group->node->env) + group->node->limits.refused_retry_ns;
        break;
    default:
        request_finish(group, request, effect->outcome.status, bytes_of(NULL, 0));
    }
}

void group_outcome(struct group *group, const struct effect *effect) {
    uint64_t tag = effect->outcome.tag;
    if (effect->outcome.of == OUTCOME_PROPOSAL) {
        /* Answered within group_propose, one after another. */
        cairn_assert(tag < group->proposed_count && group->proposed[tag] != NULL);
        struct request *request = group->proposed[tag];
        group->proposed[tag] = NULL;
        proposal_outcome(group, request, effect);
        return;
    }
    struct request *request = request_by_tag(group, tag);
    if (request != NULL) /* else its time is over, and it was answered */
        operation_outcome(group, request, effect);
}
