/* Forwarding: what this node can't serve goes to the leader as machine commands, first in, first
 * out, each with a tag. The leader's answer to a write is its place in the log: the asking node,
 * which applies the same log, waits for that index itself, and has the reply there at the very
 * moment at which its own state is the one that the write left. So a write's fate is known even if
 * its leader is gone, once it was placed. What may have been executed is never sent again, unless
 * it carries a session.
 *
 * FORWARD: u64 term, u64 epoch, repeated {u64 tag, u8 kind, u8 retry_safe, block command}. The term
 * is the one in which the sender takes the receiver for its leader; the epoch is explained at
 * request_leaves.
 * FORWARD_REPLY: repeated {u64 tag, u8 status, u64 index, u64 term, block reply}; status OK with an
 * index and no reply: placed there; with a reply: it ended with that.
 *
 * A node whose disk is full applies nothing, so it could neither answer reads nor see its writes
 * executed, though the cluster is well. It asks the leader for whole answers then: reads go there,
 * and writes carry KIND_FAR. On links of version 3.
 */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "core/reply.h"

#define FORWARD_HEAD_BYTES 16u /* term, epoch */
#define ITEM_HEAD_BYTES 14u    /* tag, kind, retry_safe, length */
/* A peer that does not take its answers is not worked for. */
#define UNTAKEN_MAX (256u << 20)
#define REPLY_HEAD_BYTES 29u /* tag, status, index, term, length */
#define KIND_FAR 64u         /* with the kind of a request: the answer is the reply */

static struct link *leader_link(struct group *group) {
    return peer_link(group->node, group->leader);
}

static void mark_forwarded(struct group *group, struct request *request) {
    request_leaves(group, request, REQUEST_FORWARDED);
    request->sent_to = group->leader;
    request_tag(group, request);
    request_read_asked(group, request);
    list_remove(&request->queue);
    list_push(&group->forwarded, &request->queue);
    group->node->counted.counters.forwarded++;
}

static void begin_batch(struct group *group) {
    buf_clear(&group->scratch);
    buf_u64(&group->scratch, group->term);
    buf_u64(&group->scratch, group->epoch);
}

static void send_batch(struct group *group, struct link *link) {
    if (group->scratch.len > FORWARD_HEAD_BYTES)
        link_send(link, LANE_BULK, FRAME_FORWARD, group->id, buf_view(&group->scratch), NULL, 0);
    begin_batch(group);
}

bool forward_leader_answers(const struct group *group) {
    const struct link *link = leader_link((struct group *)(uintptr_t)group);
    return group->role != ROLE_LEADER && link != NULL && link->wire_version >= WIRE_VERSION_3 &&
           group->stack.kind->pauses;
}

bool forward_answers_far(const struct group *group) {
    return forward_leader_answers(group) && wal_full(group->node->wal);
}

/* Only for requests that take an answer whatever this node's own state is. */
static bool is_far(const struct request *request) {
    return request->kind == REQUEST_READ ||
           (request->kind == REQUEST_WRITE && (request->client == NULL || !request->weak));
}

void forward_requests(struct group *group, struct list *queue) {
    struct link *link = leader_link(group);
    if (link == NULL)
        return;
    struct buf *body = &group->scratch;
    bool far = forward_answers_far(group);
    begin_batch(group);
    LIST_EACH_SAFE(item, queue) {
        struct request *request = container_of(item, struct request, queue);
        if (link->bulk_bytes >=
            group->node->limits.unsent_max) /* the drain of the link brings the next turn */
            break;
        if (request_held_back(group, request))
            continue;
        struct bytes command = request_body(request);
        if (body->len + ITEM_HEAD_BYTES + command.len > group->node->limits.forward_batch_bytes)
            send_batch(group, link);
        mark_forwarded(group, request);
        buf_u64(body, request->tag);
        request->far = (far || request->due_long) && is_far(request);
        buf_u8(body, (uint8_t)(request->kind | (request->far ? KIND_FAR : 0)));
        buf_u8(body, request->retry_safe);
        buf_block(body, command);
    }
    send_batch(group, link);
}

/* ---- at the leader ---- */

/* Who asked: found again by id and start, since links come and go. */
struct asker {
    struct group *group;
    uint64_t peer, boot, tag, epoch;
};

void forward_replies_flush(struct link *link) {
    if (link->replies.len == 0 || link->state != LINK_UP)
        return;
    /* A place must be known there before the news that it is committed, which may take either lane:
     * this is sent a turn before that at the latest. */
    link_send(link, LANE_CONTROL, FRAME_FORWARD_REPLY, link->replies_group,
              buf_view(&link->replies), NULL, 0);
    buf_clear(&link->replies);
    node_trim(&link->replies);
}

struct answer {
    uint64_t tag;
    enum cairn_status status;
    uint64_t index, term; /* of a placed write */
    struct bytes reply;   /* of an operation: a sentence */
};

static void put_answer(const struct group *group, struct link *link, const struct answer *answer) {
    struct buf *out = &link->replies;
    bool is_long = REPLY_HEAD_BYTES + answer->reply.len > FRAME_PAYLOAD_MAX;
    if (link->replies_group != group->id ||
        out->len + REPLY_HEAD_BYTES + answer->reply.len > FRAME_PAYLOAD_MAX)
        forward_replies_flush(link);
    link->replies_group = group->id;
    buf_u64(out, answer->tag);
    buf_u8(out, (uint8_t)answer->status);
    buf_u64(out, answer->index);
    buf_u64(out, answer->term);
    buf_block(out, answer->reply);
    if (is_long) { /* in the lane for such, by itself */
        link_send(link, LANE_BULK, FRAME_FORWARD_REPLY, group->id, buf_view(out), NULL, 0);
        buf_clear(out);
        node_trim(out);
    }
}

/* Not executed, and whatever its sender sent behind it will not be either. */
static void refuse(const struct group *group, struct link *link, uint64_t tag, uint64_t epoch,
                   enum cairn_status status) {
    struct answer answer = {.tag = tag, .status = status};
    if (epoch > link->refused_epoch[group->keyspace] &&
        group->node->options.mutant != MUTANT_FORWARD_ORDER_LOST)
        link->refused_epoch[group->keyspace] = epoch;
    put_answer(group, link, &answer);
}

static struct link *link_to(const struct asker *asker) {
    struct link *link = peer_link(asker->group->node, asker->peer);
    bool any = asker->group->node->options.mutant == MUTANT_ASKER_REBORN;
    return link != NULL && (link->hello.boot == asker->boot || any) ? link : NULL;
}

static void answered(void *context, enum cairn_status status, struct bytes reply) {
    struct asker *asker = context;
    struct link *link = link_to(asker);
    struct answer answer = {.tag = asker->tag, .status = status, .reply = reply};
    if (status == CAIRN_OK)
        answer.index = asker->group->applied;
    if (link != NULL && (status == CAIRN_NOT_LEADER || status == CAIRN_NOT_EXECUTED))
        refuse(asker->group, link, asker->tag, asker->epoch, status);
    else if (link != NULL)
        put_answer(asker->group, link, &answer);
    cairn_free(asker);
}

static void await(struct group *group, uint64_t peer, uint64_t index) {
    uint32_t at = 0;
    while (at < group->awaited_count && group->awaited[at].peer != peer)
        at++;
    if (at == PEERS_MAX)
        return;
    group->awaited_count += at == group->awaited_count;
    group->awaited[at].peer = peer;
    group->awaited[at].index = index;
}

void forward_tell_commit(struct group *group) {
    uint32_t kept = 0;
    if (group->role != ROLE_LEADER)
        group->awaited_count = 0;
    for (uint32_t i = 0; i < group->awaited_count; i++) {
        struct event event = {.kind = EVENT_AWAITED};
        event.peer.id = group->awaited[i].peer;
        group_step(group, &event);
        /* What is applied is committed. */
        if (group->awaited[i].index > group->applied)
            group->awaited[kept++] = group->awaited[i];
    }
    group->awaited_count = kept;
}

void forward_placed(struct group *group, struct request *request, uint64_t index, uint64_t term) {
    struct asker *asker = request->context;
    struct link *link = link_to(asker);
    struct answer answer = {.tag = asker->tag, .status = CAIRN_OK, .index = index, .term = term};
    cairn_assert(request->origin == ORIGIN_PEER && index > 0);
    if (link != NULL) {
        put_answer(group, link, &answer);
        await(group, asker->peer, index);
    }
    cairn_free(asker);
    request->done = NULL;
    request_finish(group, request, CAIRN_OK, bytes_of(NULL, 0));
}

/* As a leader of that term that is not about to hand over. */
static bool may_serve(const struct group *group, const struct link *link, uint64_t term,
                      uint64_t epoch) {
    return group->role == ROLE_LEADER && group->term == term && !group->node->stopping &&
           epoch > link->refused_epoch[group->keyspace];
}

static void accept_one(struct group *group, struct link *link, const struct asker *from,
                       uint8_t kind, bool retry_safe, struct bytes command) {
    if (requests_full(group, command.len) || link->bulk_bytes > UNTAKEN_MAX) {
        struct answer busy = {.tag = from->tag, .status = CAIRN_BUSY};
        put_answer(group, link, &busy);
        return;
    }
    struct asker *asker = cairn_alloc(sizeof *asker);
    *asker = *from;
    struct request *request = request_new_from(
        group, ORIGIN_PEER, (enum request_kind)(kind & ~KIND_FAR), command, answered, asker);
    request->retry_safe = retry_safe;
    request->far = kind & KIND_FAR;
}

void forward_receive(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    struct asker from = {.group = group, .peer = link->hello.node, .boot = link->hello.boot};
    uint64_t term = read_u64(&reader);
    from.epoch = read_u64(&reader);
    if (reader.bad) {
        link_malformed(link, "malformed forwarded request");
        return;
    }
    while (reader_left(&reader) > 0) {
        from.tag = read_u64(&reader);
        uint8_t kind = read_u8(&reader);
        uint8_t retry_safe = read_u8(&reader);
        struct bytes command = read_block(&reader, FRAME_MESSAGE_MAX);
        if (reader.bad ||
            (kind != REQUEST_WRITE && kind != REQUEST_OPERATE &&
             kind != (REQUEST_WRITE | KIND_FAR) && kind != (REQUEST_READ | KIND_FAR))) {
            link_malformed(link, "malformed forwarded request");
            return;
        }
        if (may_serve(group, link, term, from.epoch))
            accept_one(group, link, &from, kind, retry_safe, command);
        else
            refuse(group, link, from.tag, from.epoch, CAIRN_NOT_LEADER);
    }
}

/* ---- back at the node that asked ---- */

static void take_answer(struct group *group, struct request *request, const struct answer *answer) {
    if (answer->status == CAIRN_NOT_LEADER || answer->status == CAIRN_NOT_EXECUTED) {
        group->epoch += request->epoch == group->epoch;
        group->write_retry_ns = env_now(group->node->env) + group->node->limits.refused_retry_ns;
        if (request->kind == REQUEST_READ)
            group->read_retry_ns = group->write_retry_ns;
        request_again(group, request);
        return;
    }
    if (answer->status == CAIRN_UNKNOWN_FATE && request->upload != NULL && request->retry_safe) {
        request->maybe_executed = true;
        upload_again(group, request);
        return;
    }
    bool placed = answer->status == CAIRN_OK && request->kind == REQUEST_WRITE && !request->far;
    if (!placed) {
        if (request->client != NULL && request->client->seen_index < answer->index)
            request->client->seen_index = answer->index;
        request_finish(group, request, answer->status, answer->reply);
        return;
    }
    request->index = answer->index;
    request->term = answer->term;
    if (answer->index > group_replied(group)) /* or a snapshot that is being installed has it */
        waiter_push_forwarded(group, request);
    else /* applied before its place was told: a snapshot, or another leader, was faster */
        request_fate_unknown(group, request);
}

void forward_receive_reply(struct group *group, struct link *link, struct bytes body) {
    struct reader reader = reader_of(body);
    while (reader_left(&reader) > 0) {
        struct answer answer = {.tag = read_u64(&reader)};
        uint8_t status = read_u8(&reader);
        answer.index = read_u64(&reader);
        answer.term = read_u64(&reader);
        answer.reply = read_block(&reader, FRAME_MESSAGE_MAX);
        if (reader.bad || status >= CAIRN_STATUS_COUNT) {
            link_malformed(link, "malformed answer to a forwarded request");
            return;
        }
        answer.status = (enum cairn_status)status;
        struct request *request = request_by_tag(group, answer.tag);
        if (request != NULL && request->state == REQUEST_FORWARDED &&
            request->sent_to == link->hello.node) /* else given up meanwhile */
            take_answer(group, request, &answer);
    }
}

void forward_link_lost(struct group *group, const struct link *link) {
    struct list lost;
    list_init(&lost);
    LIST_EACH_SAFE(item, &group->forwarded) {
        if (container_of(item, struct request, queue)->sent_to != link->hello.node)
            continue;
        list_remove(item);
        list_push(&lost, item);
    }
    while (!list_empty(&lost))
        request_fate_unknown(group, container_of(list_first(&lost), struct request, queue));
}
