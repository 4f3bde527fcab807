/* Reads: one question to the protocol for all that arrived in a turn, then answered from local
 * state once it has been applied far enough. */
#include "node/node_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

static bool is_local(const struct request *request) {
    return request->client != NULL && !request->barrier && request->weak;
}

struct read_context group_read_context(struct group *group, const struct request *request) {
    return (struct read_context){.time_ms = request->time_ms,
                                 .random = prng_next(&group->node->prng),
                                 .local = request->local};
}

/* Until an entry is applied whose time is not before the read's. */
void group_read_waits(struct group *group, struct request *request) {
    if (request->due_ns == 0)
        request->due_ns = env_now(group->node->env);
    list_remove(&request->queue);
    list_push(&group->reads_due, &request->queue);
    if (list_empty(&request->aging))
        request_ages(group, request);
}

/* What this replica believes the time to be may turn out to be more than its leader's: what a read
 * by this node's own word found gone stays gone. */
static uint64_t read_time_ms(struct group *group, const struct request *request) {
    uint64_t time_ms = group_time_ms(group);
    if (!request->local)
        return time_ms;
    if (time_ms > group->local_time_ms)
        group->local_time_ms = time_ms;
    return group->local_time_ms;
}

static void execute(struct group *group, struct request *request) {
    struct node *node = group->node;
    if (request->barrier) {
        request_finish(group, request, CAIRN_OK, bytes_of(NULL, 0));
        return;
    }
    if (request->time_ms == 0) /* kept for later tries, or constant expiry could starve it */
        request->time_ms = read_time_ms(group, request);
    struct read_context context = group_read_context(group, request);
    buf_clear(&group->reply);
    enum cairn_status status = group->stack.kind->read(
        group->stack.machine, &context, bytes_of(request->command, request->len), &group->reply);
    node->counted.counters.reads++;
    if (status == CAIRN_DUE) {
        group_read_waits(group, request);
    } else if (status == CAIRN_BUSY) {
        long_read_new(group, request);
    } else {
        group->read_bytes += group->reply.len;
        if (request->client != NULL)
            request->client->answer_bytes = group->reply.len;
        if (status == CAIRN_OK)
            request_answer(group, request, &group->reply);
        else
            request_finish(group, request, status, bytes_of(NULL, 0));
    }
}

static bool holds(const struct node_client *client) {
    return client->holds || client->reads_long;
}

static bool is_busy(const struct group *group, const struct node_client *client) {
    const struct node_limits *limits = &group->node->limits;
    bool is_long = client->answer_bytes > limits->long_answer_bytes;
    return group->read_bytes >= (is_long ? limits->turn_bytes_long : limits->turn_bytes_max);
}

/* Its front end has no room for the answer, or others are to have a turn; what came before it is
 * answered before it. Later is as good: the state it reads is at least as new. */
static bool hold_back(struct group *group, struct request *request) {
    struct node_client *client = request->client;
    if (client == NULL || request->barrier ||
        (!holds(client) && !is_busy(group, client) && list_empty(&client->held)))
        return false;
    list_remove(&request->queue);
    list_remove(&request->aging); /* it ends when its client lets it */
    list_push(&client->held, &request->queue);
    requests_uncount(group, request); /* however long it takes, others find room */
    if (!holds(client))
        node_client_hold(client, false);
    return true;
}

static struct request *first_held(struct group *group, struct node_client *client) {
    struct request *request = container_of(list_first(&client->held), struct request, queue);
    requests_count(group, request);
    return request;
}

void group_reads_resume(struct group *group) {
    if (group->install != NULL || group_paused(group))
        return;
    while (!list_empty(&group->resumed) &&
           group->read_bytes < group->node->limits.turn_bytes_long) {
        struct list *first = list_first(&group->resumed);
        struct node_client *client = container_of(first, struct node_client, resumed);
        if (!holds(client) && !list_empty(&client->held))
            execute(group, first_held(group, client));
        list_remove(first);
        if (!holds(client) && !list_empty(&client->held))
            list_push(&group->resumed, first); /* round robin */
    }
    if (!list_empty(&group->resumed))
        env_wake(group->node->env);
}

void group_reads_forget(struct group *group, struct node_client *client) {
    list_remove(&client->resumed);
    while (!list_empty(&client->held)) {
        struct request *request = first_held(group, client);
        request->done = NULL;
        request_finish(group, request, CAIRN_CANCELLED, bytes_of(NULL, 0));
    }
}

static void execute_all(struct group *group, struct list *requests) {
    while (!list_empty(requests)) {
        struct request *request = container_of(list_first(requests), struct request, queue);
        if (!hold_back(group, request))
            execute(group, request);
    }
}

static struct read_batch *batch_new(uint64_t index) {
    struct read_batch *batch = cairn_alloc_zero(sizeof *batch);
    batch->index = index;
    list_init(&batch->requests);
    return batch;
}

static void batch_free(struct read_batch *batch) {
    cairn_assert(list_empty(&batch->requests));
    list_remove(&batch->list);
    cairn_free(batch);
}

/* Executes the batch, or lets it wait for its index. */
static void batch_ready(struct group *group, struct read_batch *batch) {
    bool paused = group_paused(group) && group->node->options.mutant != MUTANT_READ_HALF_APPLIED;
    bool applied = group->applied >= batch->index && group->install == NULL && !paused;
    if (applied || group->node->options.mutant == MUTANT_READ_NO_WAIT) {
        execute_all(group, &batch->requests);
        batch_free(batch);
        return;
    }
    list_remove(&batch->list);
    struct list *before = group->read_waiting.prev;
    while (before != &group->read_waiting &&
           container_of(before, struct read_batch, list)->index > batch->index)
        before = before->prev;
    list_push(before->next, &batch->list);
}

static uint64_t local_index(const struct request *request) {
    if (request->client == NULL || request->client->consistency == NODE_STALE)
        return 0;
    return request->client->seen_index;
}

void group_reads(struct group *group, uint64_t now) {
    if (list_empty(&group->pending_reads) || now < group->read_retry_ns)
        return;
    bool may = forward_leader_answers(group), all = forward_answers_far(group), far = false;
    struct read_batch *batch = batch_new(0);
    group->read_turn++;
    LIST_EACH_SAFE(item, &group->pending_reads) {
        struct request *request = container_of(item, struct request, queue);
        if (request_held_back(group, request))
            continue;
        if ((all || (may && request->due_long)) && !request->barrier && !is_local(request)) {
            far = true;
            continue;
        }
        request->state = REQUEST_READING;
        list_remove(item);
        request->local = is_local(request);
        request_read_asked(group, request);
        if (request->local) {
            struct read_batch *alone = batch_new(local_index(request));
            list_init(&alone->list);
            list_push(&alone->requests, item);
            batch_ready(group, alone);
        } else {
            list_push(&batch->requests, item);
        }
    }
    if (far)
        forward_requests(group, &group->pending_reads);
    list_push(&group->read_asked, &batch->list);
    if (list_empty(&batch->requests)) {
        batch_free(batch);
        return;
    }
    batch->tag = ++group->next_tag;
    struct event event = {.kind = EVENT_READ};
    event.read.tag = batch->tag;
    group_step(group, &event);
}

void group_read_ready(struct group *group, uint64_t tag, enum cairn_status status, uint64_t index) {
    LIST_EACH(item, &group->read_asked) {
        struct read_batch *batch = container_of(item, struct read_batch, list);
        if (batch->tag != tag)
            continue;
        if (status == CAIRN_OK) {
            batch->index = index;
            batch_ready(group, batch);
            return;
        }
        reads_again(group, &batch->requests);
        batch_free(batch);
        group->read_retry_ns = env_now(group->node->env) + group->node->limits.read_retry_ns;
        return;
    }
}

void group_reads_applied(struct group *group, uint64_t applied) {
    if (group->install != NULL || group_paused(group))
        return;
    while (!list_empty(&group->read_waiting)) {
        struct read_batch *first =
            container_of(list_first(&group->read_waiting), struct read_batch, list);
        if (first->index > applied)
            break;
        execute_all(group, &first->requests);
        batch_free(first);
    }
}

/* A leader whose log is full places expiries for reads of its own alone. */
static void give_up_waiting(struct group *group) {
    uint64_t now = env_now(group->node->env);
    struct list late;
    list_init(&late);
    LIST_EACH_SAFE(item, &group->reads_due) {
        struct request *request = container_of(item, struct request, queue);
        if (now < request->due_ns + group->node->limits.due_patience_ns)
            continue;
        request->due_long = true;
        request->due_ns = 0;
        list_remove(item);
        list_push(&late, item);
    }
    reads_again(group, &late);
}

/* Reads that met a key whose time was over: its expiry may be committed by now. */
void group_reads_due(struct group *group) {
    if (!list_empty(&group->reads_due) && forward_leader_answers(group))
        give_up_waiting(group);
    if (group->install != NULL || group_paused(group) || group->reads_due_tried == group->applied)
        return;
    group->reads_due_tried = group->applied;
    struct list again;
    list_init(&again);
    while (!list_empty(&group->reads_due)) {
        struct list *item = list_first(&group->reads_due);
        list_remove(item);
        list_push(&again, item);
    }
    execute_all(group, &again);
}

void group_reads_close(struct group *group) {
    group_long_reads_close(group);
    struct list *lists[] = {&group->read_asked, &group->read_waiting};
    for (int i = 0; i < 2; i++)
        LIST_EACH_SAFE(waiting, lists[i]) {
            struct read_batch *batch = container_of(waiting, struct read_batch, list);
            while (!list_empty(&batch->requests))
                request_finish(group,
                               container_of(list_first(&batch->requests), struct request, queue),
                               CAIRN_NO_QUORUM, bytes_of(NULL, 0));
            batch_free(batch);
        }
}
