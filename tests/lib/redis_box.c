#include "redis_box.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/prng.h"
#include "core/reply.h"
#include "machine/kv/kv.h"

#include <stdio.h>
#include <string.h>

#define MS 1000000ull
#define CLIENTS_MAX 600
#define TIMERS_MAX 64

struct request {
    struct list list;
    struct node_client *client; /* NULL: nobody is told */
    struct buf command;
    bool read;
    node_done *done;
    void *context;
};

struct redis_box_client {
    struct redis_box *box;
    struct env_stream *stream; /* NULL: it ended */
    bool asked_to_close, aborted, paused, reads, gone;
    struct buf output, pending;
    size_t got;
};

struct node {
    struct env env;
    struct node_options options;
    struct machine *machine;
    struct list requests;
    uint64_t now, index, executed;
    struct prng prng;
    struct buf reply, changes;
    struct redis_front *front;
    struct env_listener *listener;
    struct env_timer *timers[TIMERS_MAX];
    size_t timer_count;
    struct redis_box_client clients[CLIENTS_MAX];
    size_t client_count;
    bool woken;
    size_t gathered;
    char log[400];
    unsigned lines;
};

struct redis_box {
    struct node node;
};

/* ---- the env ---- */

static struct node *node_of(struct env *env) {
    return container_of(env, struct node, env);
}

static uint64_t box_now(struct env *env) {
    return node_of(env)->now;
}

static struct env_wall box_wall(struct env *env) {
    return (struct env_wall){node_of(env)->now, node_of(env)->now, true};
}

static void box_entropy(struct env *env, void *out, size_t len) {
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)out)[i] = (uint8_t)prng_next(&node_of(env)->prng);
}

static void box_timer_clear(struct env *env, struct env_timer *timer) {
    struct node *node = node_of(env);
    for (size_t i = 0; i < node->timer_count; i++)
        if (node->timers[i] == timer)
            node->timers[i--] = node->timers[--node->timer_count];
}

static void box_timer_set(struct env *env, struct env_timer *timer, uint64_t deadline) {
    struct node *node = node_of(env);
    box_timer_clear(env, timer);
    cairn_assert(node->timer_count < TIMERS_MAX);
    timer->deadline = deadline;
    node->timers[node->timer_count++] = timer;
}

static void box_wake(struct env *env) {
    node_of(env)->woken = true;
}

static enum cairn_status box_listen(struct env *env, const char *address,
                                    struct env_listener *listener) {
    node_of(env)->listener = listener;
    return CAIRN_OK;
}

static void box_listener_close(struct env *env, struct env_listener *listener) {}

static struct redis_box_client *client_of(const struct env_stream *stream) {
    return stream->impl;
}

static void box_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                      size_t count) {
    struct redis_box_client *client = client_of(stream);
    cairn_assert(!client->asked_to_close);
    for (size_t i = 0; i < count; i++)
        buf_bytes(client->reads ? &client->output : &client->pending, pieces[i].data);
}

static size_t box_queued(struct env *env, const struct env_stream *stream) {
    return client_of(stream)->pending.len;
}

static void box_pause(struct env *env, struct env_stream *stream, bool paused) {
    client_of(stream)->paused = paused;
}

static void box_close(struct env *env, struct env_stream *stream) {
    client_of(stream)->asked_to_close = true;
}

static void box_abort(struct env *env, struct env_stream *stream) {
    client_of(stream)->asked_to_close = client_of(stream)->aborted = true;
}

static const struct env_ops box_ops = {
    .now = box_now,
    .wall = box_wall,
    .entropy = box_entropy,
    .timer_set = box_timer_set,
    .timer_clear = box_timer_clear,
    .wake = box_wake,
    .listen = box_listen,
    .listener_close = box_listener_close,
    .write = box_write,
    .queued = box_queued,
    .pause = box_pause,
    .close = box_close,
    .abort = box_abort,
};

/* ---- the node ---- */

enum cairn_status node_execute(struct node_client *client, struct bytes command, node_done *done,
                               void *context) {
    struct request *request = cairn_alloc_zero(sizeof *request);
    request->client = client;
    request->read = client->writes_inflight == 0 && machine_kv.is_read(command);
    client->writes_inflight += !request->read;
    request->done = done;
    request->context = context;
    buf_bytes(&request->command, command);
    list_push(&client->node->requests, &request->list);
    return CAIRN_OK;
}

enum cairn_status node_execute_parts(struct node_client *client, struct command_part *parts,
                                     size_t count, node_done *done, void *context) {
    struct buf whole = {0};
    for (size_t i = 0; i < count; i++)
        buf_bytes(&whole, parts[i].bytes);
    enum cairn_status status = node_execute(client, buf_view(&whole), done, context);
    buf_free(&whole);
    return status;
}

bool node_reply_take(struct node_client *client, struct buf *reply) {
    struct node *node = client->node;
    *reply = node->reply;
    node->reply = (struct buf){0};
    return true;
}

enum cairn_status node_once(struct node_client *client, uint64_t session, uint64_t sequence,
                            struct command_part *command, node_done *done, void *context) {
    return CAIRN_SHUTDOWN;
}

enum cairn_status node_operate(struct node_client *client, enum node_operation operation,
                               uint64_t id, const char *address, node_done *done, void *context) {
    return CAIRN_SHUTDOWN;
}

void node_members_tell(const struct node *node, struct buf *out) {}

enum cairn_status node_members_barrier(struct node_client *client, node_done *done, void *context) {
    return CAIRN_SHUTDOWN;
}

enum cairn_status node_session_open(struct node_client *client, uint64_t ttl_ms, node_done *done,
                                    void *context) {
    return CAIRN_SHUTDOWN;
}

enum cairn_status node_session_close(struct node_client *client, uint64_t session, node_done *done,
                                     void *context) {
    return CAIRN_SHUTDOWN;
}

enum cairn_status node_set_parameters(struct node_client *client,
                                      const struct agreed_parameters *wanted, node_done *done,
                                      void *context) {
    return CAIRN_SHUTDOWN;
}

enum cairn_status node_set_time(struct node_client *client, uint64_t time_ms, node_done *done,
                                void *context) {
    return CAIRN_SHUTDOWN;
}

bool node_keyspace_find(const struct node *node, const char *name, uint32_t *keyspace) {
    return false;
}

void node_client_open(struct node *node, uint32_t keyspace, struct node_client *client) {
    *client = (struct node_client){.node = node};
}

void node_client_hold(struct node_client *client, bool holds) {
    client->holds = holds;
}

void node_client_close(struct node_client *client) {
    LIST_EACH(item, &client->node->requests) {
        struct request *request = container_of(item, struct request, list);
        if (request->client == client)
            request->client = NULL;
    }
}

void node_status(const struct node *node, uint32_t keyspace, struct node_status *status) {
    *status = (struct node_status){.identity.node = 1, .health = "ok"};
    status->replica.leader = 1;
}

void node_status_json(const struct node *node, struct buf *out) {
    buf_printf(out, "{}");
}

size_t node_gathered(const struct node *node) {
    return node->gathered;
}

size_t node_machine_bytes(const struct node *node, uint32_t keyspace) {
    return machine_kv.memory(node->machine);
}

uint32_t node_replicas_current(const struct node *node, uint32_t keyspace) {
    return 0;
}

const struct node_options *node_get_options(const struct node *node) {
    return &node->options;
}

struct env *node_env(const struct node *node) {
    return (struct env *)(uintptr_t)&node->env;
}

static void take_log(void *context, int level, const char *text) {
    struct node *node = context;
    snprintf(node->log, sizeof node->log, "%s", text);
    node->lines++;
}

/* ---- carrying out ---- */

static void apply(struct node *node, struct bytes command) {
    struct apply_context context = {.index = ++node->index,
                                    .term = 1,
                                    .order = node->index << 20,
                                    .time_ms = node->now / MS,
                                    .version = WIRE_VERSION_MAX};
    struct change change;
    buf_clear(&node->changes);
    machine_kv.apply(node->machine, &context, command, &node->reply, &node->changes);
    struct reader reader = reader_of(buf_view(&node->changes));
    while (change_next(&reader, &change)) {
        change.owner = reader_left(&reader) == 0 ? &node->changes : NULL;
        redis_front_change(node->front, &change);
    }
}

/* A long one in slices, as the executor does. */
static void read_it(struct node *node, struct bytes query) {
    const struct read_context context = {.time_ms = node->now / MS};
    if (machine_kv.read(node->machine, &context, query, &node->reply) != CAIRN_BUSY)
        return;
    void *task = machine_kv.read_begin(node->machine, &context, query);
    while (!machine_kv.read_step(node->machine, task, 1000000, &node->reply))
        continue;
    machine_kv.read_end(node->machine, task);
}

static void carry_out(struct node *node, struct request *request) {
    struct node_client *client = request->client;
    struct bytes command = buf_view(&request->command);
    list_remove(&request->list);
    buf_clear(&node->reply);
    node->executed++;
    if (request->read)
        read_it(node, command);
    else
        apply(node, command);
    if (client != NULL) {
        client->writes_inflight -= !request->read;
        if (request->read)
            client->answer_bytes = node->reply.len;
        request->done(request->context, CAIRN_OK, buf_view(&node->reply));
    }
    buf_free(&request->command);
    cairn_free(request);
}

bool redis_box_step(struct redis_box *box) {
    LIST_EACH(item, &box->node.requests) {
        struct request *request = container_of(item, struct request, list);
        if (request->read && request->client != NULL && request->client->holds)
            continue;
        carry_out(&box->node, request);
        return true;
    }
    return false;
}

static void end_stream(struct redis_box_client *client, enum cairn_status why) {
    struct env_stream *stream = client->stream;
    client->stream = NULL;
    buf_clear(&client->pending);
    if (stream != NULL)
        env_tell_close(stream, why);
}

void redis_box_turn(struct redis_box *box) {
    struct node *node = &box->node;
    node->woken = false;
    redis_front_turn(node->front);
    for (size_t i = 0; i < node->client_count; i++) {
        struct redis_box_client *client = &node->clients[i];
        if (client->asked_to_close && (client->pending.len == 0 || client->aborted))
            end_stream(client, CAIRN_CANCELLED);
        else if (client->gone)
            end_stream(client, CAIRN_CLOSED);
    }
}

void redis_box_settle(struct redis_box *box) {
    bool any = true;
    while (any) {
        any = false;
        while (redis_box_step(box))
            any = true;
        redis_box_turn(box);
        any |= box->node.woken;
    }
}

void redis_box_wait(struct redis_box *box, uint64_t ms) {
    struct node *node = &box->node;
    uint64_t end = node->now + ms * MS;
    for (;;) {
        struct env_timer *first = NULL;
        for (size_t i = 0; i < node->timer_count; i++)
            if (first == NULL || node->timers[i]->deadline < first->deadline)
                first = node->timers[i];
        if (first == NULL || first->deadline > end)
            break;
        node->now = first->deadline > node->now ? first->deadline : node->now;
        box_timer_clear(&node->env, first);
        first->fire(first);
        redis_box_turn(box);
    }
    node->now = end;
    redis_box_settle(box);
}

void redis_box_gather(struct redis_box *box, size_t bytes) {
    box->node.gathered = bytes;
}

uint64_t redis_box_executed(const struct redis_box *box) {
    return box->node.executed;
}

const char *redis_box_log(const struct redis_box *box, unsigned *lines) {
    if (lines != NULL)
        *lines = box->node.lines;
    return box->node.log;
}

/* ---- the box ---- */

struct redis_box *redis_box_new(const struct redis_options *options) {
    struct redis_box *box = cairn_alloc_zero(sizeof *box);
    struct node *node = &box->node;
    const struct machine_options machine = {
        .value_bytes_max = 64u << 20, .work_max = 1u << 30, .mutant = options->mutant};
    node->env.ops = &box_ops;
    node->now = 1700000000000ull * MS;
    node->options.identity.node = 1;
    node->options.keyspace_count = 1;
    node->options.log = take_log;
    node->options.context = node;
    list_init(&node->requests);
    prng_seed(&node->prng, 1);
    node->machine = machine_kv.create(&machine);
    struct redis_options own = *options;
    strcpy(own.address, "10.0.0.100:7000");
    enum cairn_status status = redis_front_open(node, &own, &node->front);
    cairn_assert(status == CAIRN_OK);
    return box;
}

void redis_box_free(struct redis_box *box) {
    struct node *node = &box->node;
    redis_front_disconnect(node->front);
    for (size_t i = 0; i < node->client_count; i++)
        end_stream(&node->clients[i], CAIRN_CANCELLED);
    redis_front_close(node->front);
    while (!list_empty(&node->requests))
        carry_out(node, container_of(list_first(&node->requests), struct request, list));
    machine_kv.destroy(node->machine);
    for (size_t i = 0; i < node->client_count; i++) {
        buf_free(&node->clients[i].output);
        buf_free(&node->clients[i].pending);
    }
    buf_free(&node->reply);
    buf_free(&node->changes);
    cairn_free(box);
}

struct redis_front *redis_box_front(struct redis_box *box) {
    return box->node.front;
}

struct redis_box_client *redis_box_connect(struct redis_box *box, const char *address) {
    struct node *node = &box->node;
    struct env_stream *stream = node->listener->accept(node->listener, address);
    if (stream == NULL)
        return NULL;
    cairn_assert(node->client_count < CLIENTS_MAX);
    struct redis_box_client *client = &node->clients[node->client_count++];
    *client = (struct redis_box_client){.box = box, .stream = stream, .reads = true};
    stream->impl = client;
    return client;
}

void redis_box_send(struct redis_box_client *client, struct bytes bytes) {
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_data(client->stream, bytes);
}

void redis_box_say(struct redis_box_client *client, const char *words) {
    struct buf out = {0}, body = {0};
    size_t count = 0;
    for (const char *at = words;; count++) {
        size_t len = strcspn(at, " ");
        buf_printf(&body, "$%zu\r\n%.*s\r\n", len, (int)len, at);
        at += len;
        if (*at++ == 0)
            break;
    }
    buf_printf(&out, "*%zu\r\n", count + 1);
    buf_bytes(&out, buf_view(&body));
    redis_box_send(client, buf_view(&out));
    buf_free(&out);
    buf_free(&body);
}

void redis_box_end(struct redis_box_client *client) {
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_end(client->stream);
}

void redis_box_hang_up(struct redis_box_client *client) {
    client->gone = true;
    client->reads = true;
    redis_box_turn(client->box);
}

void redis_box_reads(struct redis_box_client *client, bool reads) {
    client->reads = reads;
    if (!reads || client->pending.len == 0)
        return;
    buf_bytes(&client->output, buf_view(&client->pending));
    buf_free(&client->pending);
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_drain(client->stream);
}

bool redis_box_is_heard(const struct redis_box_client *client) {
    return client->stream != NULL && !client->paused && !client->asked_to_close;
}

bool redis_box_closed(const struct redis_box_client *client) {
    return client->stream == NULL;
}

const char *redis_box_take(struct redis_box_client *client) {
    client->got += client->output.len;
    buf_u8(&client->output, 0);
    buf_clear(&client->output);
    return (const char *)client->output.data;
}

size_t redis_box_unread(const struct redis_box_client *client) {
    return client->pending.len;
}

size_t redis_box_got(const struct redis_box_client *client) {
    return client->got + client->output.len;
}
