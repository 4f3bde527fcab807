/* The life of requests: made, queued, answered or timed out. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* A leader may work so long on an operation that is given to it: a new member must first catch up.
 * Without a leader it waits no longer than any other request. */
#define OPERATION_PATIENCE_NS 60000000000ull

/* The oldest deadline first. Almost all have the same patience, so the walk is short. */
static void let_age(struct group *group, struct request *request) {
    request->deadline_ns = request->limit_ns;
    struct list *before = group->aging.prev;
    while (before != &group->aging &&
           container_of(before, struct request, aging)->deadline_ns > request->deadline_ns)
        before = before->prev;
    list_push(before->next, &request->aging);
}

bool requests_full(const struct group *group, size_t len) {
    const struct node_options *options = &group->node->options;
    bool bytes =
        group->request_bytes > 0 && group->request_bytes + len > options->requests_bytes_max;
    return bytes || group->request_count >= options->requests_max;
}

void requests_count(struct group *group, const struct request *request) {
    group->request_count++;
    group->request_bytes += request->len;
}

void requests_uncount(struct group *group, const struct request *request) {
    group->request_count--;
    group->request_bytes -= request->len;
}

void request_ages(struct group *group, struct request *request) {
    request->limit_ns = env_now(group->node->env) + group->node->options.request_timeout_ns;
    let_age(group, request);
}

static struct request *make(struct group *group, enum request_origin origin, enum request_kind kind,
                            struct bytes head, struct bytes command, node_done *done,
                            void *context) {
    struct request *request = cairn_alloc(sizeof *request + head.len + command.len);
    *request = (struct request){.done = done,
                                .context = context,
                                .kind = kind,
                                .origin = origin,
                                .state = REQUEST_PENDING,
                                .order = ++group->next_order,
                                .len = (uint32_t)(head.len + command.len)};
    if (head.len)
        memcpy(request->command, head.data, head.len);
    if (command.len)
        memcpy(request->command + head.len, command.data, command.len);
    list_init(&request->queue);
    list_init(&request->owned);
    request_ages(group, request);
    struct list *queue = kind == REQUEST_WRITE  ? &group->pending_writes
                         : kind == REQUEST_READ ? &group->pending_reads
                                                : &group->operations;
    list_push(queue, &request->queue);
    requests_count(group, request);
    return request;
}

struct request *request_new_from(struct group *group, enum request_origin origin,
                                 enum request_kind kind, struct bytes command, node_done *done,
                                 void *context) {
    return make(group, origin, kind, bytes_of(NULL, 0), command, done, context);
}

struct request *request_new_parts(struct group *group, enum request_kind kind, struct bytes head,
                                  struct bytes command, node_done *done, void *context) {
    return make(group, ORIGIN_CLIENT, kind, head, command, done, context);
}

struct bytes request_body(const struct request *request) {
    return request->upload != NULL ? buf_view(&request->upload->last)
                                   : bytes_of(request->command, request->len);
}

struct request *request_new(struct group *group, struct node_client *client, enum request_kind kind,
                            struct bytes head, struct bytes command, node_done *done,
                            void *context) {
    struct request *request = make(group, ORIGIN_CLIENT, kind, head, command, done, context);
    request->client = client;
    request->weak = client->consistency != NODE_LINEARIZABLE;
    list_push(&client->requests, &request->owned);
    client->writes_inflight += kind == REQUEST_WRITE;
    client->reads_inflight += kind == REQUEST_READ;
    if (kind == REQUEST_WRITE && upload_wanted(group, request->len)) {
        struct command_part whole = {.bytes = bytes_of(request->command, request->len)};
        upload_begin(group, request, bytes_of(NULL, 0), &whole, 1);
    }
    return request;
}

struct request *request_new_long(struct group *group, struct node_client *client, struct bytes head,
                                 struct command_part *parts, size_t count, node_done *done,
                                 void *context) {
    struct request *request = request_new(group, client, REQUEST_WRITE, bytes_of(NULL, 0),
                                          bytes_of(NULL, 0), done, context);
    requests_uncount(group, request);
    request->len = (uint32_t)head.len;
    for (size_t i = 0; i < count; i++)
        request->len += (uint32_t)parts[i].bytes.len;
    requests_count(group, request);
    upload_begin(group, request, head, parts, count);
    return request;
}

static bool tag_matches(const struct hnode *node, const void *key) {
    return container_of(node, struct request, by_tag)->tag == *(const uint64_t *)key;
}

struct request *request_by_tag(struct group *group, uint64_t tag) {
    struct hnode *node = hmap_find(&group->by_tag, hash_u64(tag), tag_matches, &tag);
    return node == NULL ? NULL : container_of(node, struct request, by_tag);
}

/* From now on a leader works on it. */
static void be_patient(struct group *group, struct request *request) {
    if (request->last_ns == 0)
        request->last_ns = env_now(group->node->env) + OPERATION_PATIENCE_NS;
    request->limit_ns = request->last_ns;
    list_remove(&request->aging);
    let_age(group, request);
}

/* It is as at its beginning again; one that was hurried need not hurry any more. */
static void age_anew(struct group *group, struct request *request) {
    uint64_t limit_ns = request->limit_ns;
    if (request->last_ns != 0) {
        limit_ns = env_now(group->node->env) + group->node->options.request_timeout_ns;
        limit_ns = limit_ns < request->last_ns ? limit_ns : request->last_ns;
    }
    if (request->deadline_ns == limit_ns)
        return;
    request->limit_ns = limit_ns;
    list_remove(&request->aging);
    let_age(group, request);
}

void request_tag(struct group *group, struct request *request) {
    cairn_assert(request->tag == 0);
    request->tag = ++group->next_tag;
    hmap_insert(&group->by_tag, &request->by_tag, hash_u64(request->tag));
}

void request_operates(struct group *group, struct request *request) {
    cairn_assert(request->kind == REQUEST_OPERATE && request->state == REQUEST_PENDING);
    request_tag(group, request);
    request->state = REQUEST_OPERATING;
    if (request->patient || request->origin == ORIGIN_PEER)
        be_patient(group, request);
    list_remove(&request->queue);
    list_push(&group->operating, &request->queue);
}

void request_untag(struct group *group, struct request *request) {
    if (request->tag != 0)
        hmap_remove(&group->by_tag, &request->by_tag);
    request->tag = 0;
}

/* ---- the order of a client's requests ----
 *
 * What a client asks for takes effect in that order. While its writes are on their way to one
 * leader of one term, later ones may follow them. When the way changes (another leader or term, or
 * one that refused), those that left before may still come back and be sent anew, so the client's
 * later ones wait until all of them are answered. A leader that refuses one of an epoch refuses
 * whatever follows it in that epoch, and one that was placed and lost its place goes back to the
 * node that knows the client. */

void request_leaves(struct group *group, struct request *request, enum request_state state) {
    struct node_client *client = request->client;
    cairn_assert(request->state == REQUEST_PENDING);
    request->state = state;
    if (request->patient)
        be_patient(group, request);
    request->epoch = group->epoch;
    if (client == NULL || request->kind != REQUEST_WRITE)
        return;
    client->writes_sent++;
    client->sent_epoch = group->epoch;
}

static bool has_left(const struct request *request) {
    return request->kind == REQUEST_WRITE &&
           (request->state == REQUEST_PLACED || request->state == REQUEST_FORWARDED);
}

void request_read_asked(struct group *group, struct request *request) {
    struct node_client *client = request->client;
    bool overtakes = group->node->options.mutant == MUTANT_READS_OVERTAKE;
    if (client == NULL || request->barrier || request->local || request->kind != REQUEST_READ ||
        overtakes)
        return;
    request->asked = true;
    client->reads_asked++;
    client->asked_turn = group->read_turn;
}

static void read_not_asked(struct request *request) {
    struct node_client *client = request->client;
    if (!request->asked)
        return;
    request->asked = false;
    if (client != NULL && --client->reads_asked == 0)
        env_wake(client->node->env);
}

/* Questions for an index may be answered in any order, and some refused: a client's later read
 * could be of an older state. */
static bool read_held_back(const struct group *group, const struct request *request) {
    const struct node_client *client = request->client;
    return !request->barrier && !request->weak && client->reads_asked > 0 &&
           client->asked_turn != group->read_turn;
}

bool request_held_back(const struct group *group, const struct request *request) {
    const struct node_client *client = request->client;
    if (client == NULL || request->kind == REQUEST_OPERATE)
        return false;
    if (request->kind == REQUEST_READ)
        return read_held_back(group, request);
    return client->reads_inflight > 0 || upload_before(group, request) ||
           (client->writes_sent > 0 && client->sent_epoch != group->epoch &&
            group->node->options.mutant != MUTANT_CLIENT_ORDER_LOST);
}

void requests_refuse_foreign(struct group *group, struct list *queue) {
    LIST_EACH_SAFE(item, queue) {
        struct request *request = container_of(item, struct request, queue);
        if (request->origin != ORIGIN_CLIENT)
            request_finish(group, request, CAIRN_NOT_LEADER, bytes_of(NULL, 0));
    }
}

/* No requester is told anything any more; the request itself may have to live on. */
static void detach(struct request *request) {
    struct node_client *client = request->client;
    read_not_asked(request);
    if (client != NULL) {
        client->writes_sent -= has_left(request);
        client->writes_inflight -= request->kind == REQUEST_WRITE;
        client->reads_inflight -= request->kind == REQUEST_READ;
        list_remove(&request->owned);
    }
    request->client = NULL;
    request->done = NULL;
}

/* A write's limit tells when it came. */
static void note_commit(struct group *group, const struct request *request) {
    const struct node *node = group->node;
    uint64_t came = request->limit_ns - node->options.request_timeout_ns, now = env_now(node->env);
    spans_note(&group->commit_times, now > came ? now - came : 0);
}

static void answer(struct group *group, struct request *request, enum cairn_status status,
                   struct bytes reply) {
    node_done *done = request->done;
    struct node_client *client = request->client;
    if (request->maybe_executed && status != CAIRN_OK)
        status = CAIRN_UNKNOWN_FATE;
    if (client != NULL && status == CAIRN_OK && client->seen_index < group->applied)
        client->seen_index = group->applied;
    if (status == CAIRN_OK && request->kind == REQUEST_WRITE && client != NULL)
        note_commit(group, request);
    detach(request);
    list_remove(&request->aging);
    struct node_status *counted = &group->node->counted;
    counted->counters.executed += status == CAIRN_OK && request->origin != ORIGIN_PEER;
    counted->counters.unknown += status == CAIRN_UNKNOWN_FATE;
    counted->counters.refused += status != CAIRN_OK && status != CAIRN_UNKNOWN_FATE;
    if (done != NULL)
        done(request->context, status, reply);
}

void request_answer(struct group *group, struct request *request, struct buf *reply) {
    group->reply_owner = reply;
    request_finish(group, request, CAIRN_OK, buf_view(reply));
    group->reply_owner = NULL;
}

void request_finish(struct group *group, struct request *request, enum cairn_status status,
                    struct bytes reply) {
    request_untag(group, request);
    list_remove(&request->queue);
    answer(group, request, status, reply);
    upload_end(request, status == CAIRN_OK);
    group->request_count--;
    group->request_bytes -= request->len;
    cairn_free(request);
}

/* Before which of the queue it belongs. Mostly that is near the front or the very end, and those
 * between may be many: looked for from both. */
static struct list *place_in_order(struct list *queue, uint64_t order) {
    struct list *front = queue->next, *back = queue;
    while (front != back) {
        if (container_of(front, struct request, queue)->order > order)
            return front;
        front = front->next;
        if (container_of(back->prev, struct request, queue)->order < order)
            return back;
        back = back->prev;
    }
    return back;
}

void request_queue(struct list *queue, struct request *request) {
    list_push(place_in_order(queue, request->order), &request->queue);
}

/* at: where one that is older was put back, or NULL; then where this one was. */
static void put_back(struct group *group, struct request *request, struct list **at) {
    if (request->origin != ORIGIN_CLIENT) {
        request_finish(group, request, CAIRN_NOT_EXECUTED, bytes_of(NULL, 0));
        return;
    }
    read_not_asked(request);
    if (request->client != NULL)
        request->client->writes_sent -= has_left(request);
    struct list *queue = request->kind == REQUEST_WRITE  ? &group->pending_writes
                         : request->kind == REQUEST_READ ? &group->pending_reads
                                                         : &group->operations;
    request_untag(group, request);
    list_remove(&request->queue);
    request->state = REQUEST_PENDING;
    age_anew(group, request);
    if (*at == NULL)
        *at = place_in_order(queue, request->order);
    while (*at != queue && container_of(*at, struct request, queue)->order < request->order)
        *at = (*at)->next;
    list_push(*at, &request->queue);
}

void request_again(struct group *group, struct request *request) {
    struct list *at = NULL;
    put_back(group, request, &at);
}

void reads_again(struct group *group, struct list *requests) {
    struct list *at = NULL;
    while (!list_empty(requests))
        put_back(group, container_of(list_first(requests), struct request, queue), &at);
}

void request_fate_unknown(struct group *group, struct request *request) {
    if (request->kind == REQUEST_READ && !list_empty(&request->aging)) {
        request_again(group, request); /* whatever became of it, it changed nothing */
        return;
    }
    request->maybe_executed |= group->node->options.mutant != MUTANT_RETRY_FORGETS_ATTEMPT;
    bool twice = group->node->options.mutant == MUTANT_FORWARD_TWICE;
    if ((request->retry_safe || twice) && !list_empty(&request->aging))
        request_again(group, request);
    else
        request_finish(group, request, CAIRN_UNKNOWN_FATE, bytes_of(NULL, 0));
}

/* What an unanswered request's end means to its requester. */
static enum cairn_status fate(const struct group *group, const struct request *request) {
    if (request->kind == REQUEST_READ)
        return group->leader == 0 || request->state == REQUEST_PENDING ? CAIRN_NO_QUORUM
                                                                       : CAIRN_TIMEOUT;
    if (request->state == REQUEST_PENDING || request->state == REQUEST_UPLOADING)
        return CAIRN_NO_QUORUM;
    if (request->state == REQUEST_FORWARDED &&
        group->node->options.mutant == MUTANT_FORWARDED_SURELY_NOT)
        return CAIRN_NO_QUORUM;
    return CAIRN_UNKNOWN_FATE;
}

/* A placed request stays in the ring of waiters until its index is applied; its requester is told
 * now. */
static void give_up(struct group *group, struct request *request, enum cairn_status status) {
    if (request->state == REQUEST_PLACED)
        answer(group, request, status, bytes_of(NULL, 0));
    else
        request_finish(group, request, status, bytes_of(NULL, 0));
}

void requests_hurry(struct group *group, uint64_t deadline_ns) {
    struct list *behind = group->aging.next; /* the first that may wait longer */
    while (behind != &group->aging &&
           container_of(behind, struct request, aging)->deadline_ns <= deadline_ns)
        behind = behind->next;
    LIST_EACH_SAFE(item, &group->forwarded) {
        struct request *request = container_of(item, struct request, queue);
        if (request->sent_to == group->leader || request->deadline_ns <= deadline_ns)
            continue;
        if (request->retry_safe || request->kind == REQUEST_READ) {
            request_fate_unknown(group, request);
            continue;
        }
        request->deadline_ns = deadline_ns;
        if (behind == &request->aging)
            behind = behind->next;
        list_remove(&request->aging);
        list_push(behind, &request->aging);
    }
}

void requests_expire(struct group *group, uint64_t now) {
    while (!list_empty(&group->aging)) {
        struct request *oldest = container_of(list_first(&group->aging), struct request, aging);
        if (oldest->deadline_ns > now)
            break;
        if (oldest->state == REQUEST_PENDING && request_held_back(group, oldest) &&
            !list_empty(&oldest->client->held)) {
            list_remove(&oldest->aging); /* behind reads that its client has no room for yet */
            request_ages(group, oldest);
            continue;
        }
        give_up(group, oldest, fate(group, oldest));
    }
}

void requests_fail_all(struct group *group, enum cairn_status pending, enum cairn_status placed) {
    while (!list_empty(&group->aging)) {
        struct request *oldest = container_of(list_first(&group->aging), struct request, aging);
        bool harmless = oldest->state == REQUEST_PENDING || oldest->state == REQUEST_UPLOADING ||
                        oldest->kind == REQUEST_READ;
        give_up(group, oldest, harmless ? pending : placed);
    }
}

/* ---- the ring of placed requests ---- */

static struct request **waiter_at(struct group *group, size_t n) {
    return &group->waiters[(group->waiters_head + n) & (group->waiters_cap - 1)];
}

static void grow(struct group *group) {
    size_t cap = group->waiters_cap ? group->waiters_cap * 2 : 256;
    struct request **ring = cairn_alloc(cap * sizeof(struct request *));
    for (size_t i = 0; i < group->waiters_count; i++)
        ring[i] = *waiter_at(group, i);
    cairn_free(group->waiters);
    group->waiters = ring;
    group->waiters_cap = cap;
    group->waiters_head = 0;
}

/* Leaders of different terms may have placed several at one index, or a later one below an earlier
 * one. Which of them was executed is not known before something is applied there: an entry that a
 * newer leader overwrote may still come back from a replica that holds it. */
static void insert(struct group *group, struct request *request) {
    if (group->waiters_count == group->waiters_cap)
        grow(group);
    size_t at = group->waiters_count++;
    for (; at > 0 && (*waiter_at(group, at - 1))->index > request->index; at--)
        *waiter_at(group, at) = *waiter_at(group, at - 1);
    *waiter_at(group, at) = request;
}

void waiter_push(struct group *group, struct request *request) {
    list_remove(&request->queue);
    request_leaves(group, request, REQUEST_PLACED);
    insert(group, request);
}

void waiter_push_forwarded(struct group *group, struct request *request) {
    cairn_assert(request->state == REQUEST_FORWARDED);
    request_untag(group, request);
    list_remove(&request->queue);
    request->state = REQUEST_PLACED;
    insert(group, request);
}

void waiters_overtaken(struct group *group, uint64_t term) {
    size_t kept = 0;
    for (size_t i = 0; i < group->waiters_count; i++) {
        struct request *request = *waiter_at(group, i);
        bool same = request->term == term;
        if (request->term > term ||
            (same && group->node->options.mutant != MUTANT_WAITERS_OVERTAKEN_EARLY))
            *waiter_at(group, kept++) = request;
        else
            waiter_displaced(group, request);
    }
    group->waiters_count = kept;
}

void waiter_displaced(struct group *group, struct request *request) {
    if (list_empty(&request->aging))
        request_finish(group, request, CAIRN_NOT_EXECUTED, bytes_of(NULL, 0));
    else
        request_again(group, request);
}

bool waiter_is_at(struct group *group, uint64_t index) {
    for (size_t i = 0; i < group->waiters_count && (*waiter_at(group, i))->index <= index; i++)
        if ((*waiter_at(group, i))->index == index)
            return true;
    return false;
}

struct request *waiter_pop(struct group *group, uint64_t index) {
    while (group->waiters_count > 0) {
        struct request *first = *waiter_at(group, 0);
        if (first->index > index)
            return NULL;
        group->waiters_head = (group->waiters_head + 1) & (group->waiters_cap - 1);
        group->waiters_count--;
        if (first->index == index)
            return first;
        request_fate_unknown(group, first);
    }
    return NULL;
}
