/* Reads that are too long for one go, and long replies to writes: in slices on a frozen version,
 * one slice a turn, a few of them by turns. What they gather for their answers is memory that the
 * front ends have not counted yet: one alone gathers more than a little, and the others wait for
 * it. */
#include "node/node_internal.h"

#include "base/alloc.h"

struct long_read {
    struct list list; /* group->long_reads */
    struct request *request;
    void *task; /* NULL: not begun */
    size_t gathered;
};

static void begin(struct group *group, struct request *request, void *task) {
    struct long_read *read = cairn_alloc_zero(sizeof *read);
    read->request = request;
    read->task = task;
    if (request->client != NULL)
        request->client->reads_long = true;
    list_remove(&request->queue);
    list_push(&group->long_reads, &read->list);
    list_remove(&request->aging); /* it is under way: it ends by itself */
    env_wake(group->node->env);
}

void long_read_new(struct group *group, struct request *request) {
    begin(group, request, NULL);
}

void long_reply_new(struct group *group, struct request *request, void *task) {
    request->maybe_executed = true; /* it was */
    begin(group, request, task);
}

static void end(struct group *group, struct long_read *read) {
    struct node_client *client = read->request->client;
    list_remove(&read->list);
    group->gathered -= read->gathered;
    if (group->gatherer == read)
        group->gatherer = NULL;
    if (read->task != NULL)
        group->stack.kind->read_end(group->stack.machine, read->task);
    cairn_free(read);
    if (client == NULL)
        return;
    client->reads_long = false;
    node_client_hold(client, client->holds);
}

/* The gatherer is never far back: those that wait for it keep their places before it. */
static struct long_read *next(const struct group *group) {
    LIST_EACH(item, &group->long_reads) {
        struct long_read *read = container_of(item, struct long_read, list);
        if (group->gatherer == NULL || group->gatherer == read ||
            read->gathered <= group->node->limits.gathered_each)
            return read;
    }
    return group->gatherer;
}

static void note_gathered(struct group *group, struct long_read *read) {
    size_t now = group->stack.kind->read_gathered(read->task);
    group->gathered += now - read->gathered;
    read->gathered = now;
    if (now > group->node->limits.gathered_each && group->gatherer == NULL)
        group->gatherer = read;
}

/* Round robin among the first. */
static void give_turn(struct group *group, struct long_read *read) {
    struct list *before = &group->long_reads;
    list_remove(&read->list);
    for (unsigned i = 1; i < group->node->limits.long_at_once && before->next != &group->long_reads;
         i++)
        before = before->next;
    list_push(before->next, &read->list);
}

void group_long_reads(struct group *group) {
    if (list_empty(&group->long_reads) || group_paused(group))
        return;
    struct long_read *read = next(group);
    struct request *request = read->request;
    const struct machine_kind *kind = group->stack.kind;
    if (read->task == NULL) {
        struct read_context context = group_read_context(group, request);
        read->task = kind->read_begin(group->stack.machine, &context,
                                      bytes_of(request->command, request->len));
    }
    buf_clear(&group->reply);
    if (kind->read_step(group->stack.machine, read->task, group->node->limits.long_slice_ns,
                        &group->reply)) {
        end(group, read);
        if (group->reply.len > 0)
            request_answer(group, request, &group->reply);
        else
            group_read_waits(group, request);
    } else {
        note_gathered(group, read);
        give_turn(group, read);
    }
    if (!list_empty(&group->long_reads))
        env_wake(group->node->env);
}

void group_long_reads_close(struct group *group) {
    LIST_EACH_SAFE(item, &group->long_reads) {
        struct long_read *read = container_of(item, struct long_read, list);
        struct request *request = read->request;
        end(group, read);
        request_finish(group, request, CAIRN_NO_QUORUM, bytes_of(NULL, 0));
    }
}
