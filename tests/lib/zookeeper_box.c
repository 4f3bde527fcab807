#include "zookeeper_box.h"

#include "base/alloc.h"
#include "base/assert.h"
#include "base/list.h"
#include "base/prng.h"
#include "core/reply.h"
#include "machine/tree/tree.h"

#include <string.h>

#define MS 1000000ull
#define CLIENTS_MAX 64
#define TIMERS_MAX 64

struct request {
    struct list list;
    struct node_client *client; /* NULL: nobody is told */
    bool barrier;
    struct buf command;
    node_done *done;
    void *context;
};

struct zk_box_client {
    struct zk_box *box;
    struct env_stream *stream; /* NULL: it ended */
    bool asked_to_close, aborted, lazy, paused;
    char subject[64];
    struct buf output, taken, pending;
};

struct node {
    struct env env;
    struct node_options options;
    struct machine *machine;
    struct list requests;
    uint64_t now, index, lives;
    bool leader, busy, stateless;
    struct prng prng;
    struct buf reply, changes;
    struct zookeeper_front *front;
    struct env_listener *listener, *tls_listener;
    struct env_timer *timers[TIMERS_MAX];
    size_t timer_count;
    struct zk_box_client clients[CLIENTS_MAX];
    size_t client_count;
    const struct replica_status *replica; /* NULL: one member */
    struct node_sizes proposals;
};

struct zk_box {
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

static void box_wake(struct env *env) {}

static enum cairn_status box_list(struct env *env, const char *path, env_list_visit *visit,
                                  void *context) {
    return CAIRN_NOT_FOUND;
}

static enum cairn_status box_listen(struct env *env, const char *address,
                                    struct env_listener *listener) {
    *(listener->tls ? &node_of(env)->tls_listener : &node_of(env)->listener) = listener;
    return CAIRN_OK;
}

static void box_listener_close(struct env *env, struct env_listener *listener) {
    *(listener->tls ? &node_of(env)->tls_listener : &node_of(env)->listener) = NULL;
}

static struct zk_box_client *client_of(struct env_stream *stream) {
    return stream->impl;
}

static void box_write(struct env *env, struct env_stream *stream, const struct env_piece *pieces,
                      size_t count) {
    for (size_t i = 0; i < count; i++)
        buf_bytes(client_of(stream)->lazy ? &client_of(stream)->pending
                                          : &client_of(stream)->output,
                  pieces[i].data);
}

static size_t box_queued(struct env *env, const struct env_stream *stream) {
    return client_of((struct env_stream *)(uintptr_t)stream)->pending.len;
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

static const char *box_peer(struct env *env, const struct env_stream *stream) {
    const char *subject = client_of((struct env_stream *)(uintptr_t)stream)->subject;
    return subject[0] != 0 ? subject : NULL;
}

static const struct env_ops box_ops = {
    .now = box_now,
    .wall = box_wall,
    .entropy = box_entropy,
    .timer_set = box_timer_set,
    .timer_clear = box_timer_clear,
    .wake = box_wake,
    .list = box_list,
    .listen = box_listen,
    .listener_close = box_listener_close,
    .write = box_write,
    .queued = box_queued,
    .pause = box_pause,
    .close = box_close,
    .abort = box_abort,
    .peer = box_peer,
};

/* ---- the node ---- */

static enum cairn_status ask(struct node_client *client, bool barrier, struct bytes command,
                             node_done *done, void *context) {
    struct node *node = client->node;
    if (node->busy)
        return CAIRN_BUSY;
    struct request *request = cairn_alloc_zero(sizeof *request);
    request->client = client;
    request->barrier = barrier;
    request->done = done;
    request->context = context;
    buf_bytes(&request->command, command);
    list_push(&node->requests, &request->list);
    return CAIRN_OK;
}

enum cairn_status node_execute(struct node_client *client, struct bytes command, node_done *done,
                               void *context) {
    return ask(client, false, command, done, context);
}

enum cairn_status node_barrier(struct node_client *client, node_done *done, void *context) {
    return ask(client, true, bytes_of(NULL, 0), done, context);
}

bool node_removed(const struct node *node, uint32_t keyspace) {
    return false;
}

enum cairn_status node_change_members(struct node_client *client, const struct wishes *wishes,
                                      node_done *done, void *context) {
    return CAIRN_BUSY;
}

enum cairn_status node_read(struct node_client *client, struct bytes query, struct buf *reply) {
    struct node *node = client->node;
    if (node->stateless)
        return CAIRN_BUSY;
    return machine_tree.read(node->machine, &(struct read_context){.time_ms = node->now / MS},
                             query, reply);
}

void node_alive(struct node *node, uint32_t keyspace, uint64_t id) {
    node->lives++;
}

void node_client_open(struct node *node, uint32_t keyspace, struct node_client *client) {
    *client = (struct node_client){.node = node};
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
    if (node->replica != NULL) {
        status->replica = *node->replica;
        status->led_ns = 90000000000;
        status->proposals = node->proposals;
        return;
    }
    status->replica.leader = node->leader ? 1 : 0;
    status->replica.config.count = 1;
    status->replica.config.members[0] = (struct member){.id = 1, .voter = true};
}

bool node_keyspace_find(const struct node *node, const char *name, uint32_t *keyspace) {
    *keyspace = 0;
    return strcmp(name, node->options.keyspaces[0].name) == 0;
}

const struct node_options *node_get_options(const struct node *node) {
    return &node->options;
}

struct env *node_env(const struct node *node) {
    return (struct env *)&node->env;
}

/* ---- carrying out ---- */

static void apply(struct node *node, struct bytes command) {
    struct apply_context context = {.index = ++node->index,
                                    .term = 1,
                                    .order = node->index << 20,
                                    .time_ms = node->now / MS,
                                    .version = 1};
    struct change change;
    buf_clear(&node->reply);
    buf_clear(&node->changes);
    machine_tree.apply(node->machine, &context, command, &node->reply, &node->changes);
    struct reader reader = reader_of(buf_view(&node->changes));
    while (change_next(&reader, &change))
        zookeeper_front_change(node->front, &change);
}

static bool end_oldest(struct node *node, enum cairn_status status) {
    if (list_empty(&node->requests))
        return false;
    struct request *request = container_of(list_first(&node->requests), struct request, list);
    list_remove(&request->list);
    struct buf reply = {0};
    if (!request->barrier && status == CAIRN_OK) {
        apply(node, buf_view(&request->command));
        buf_bytes(&reply, buf_view(&node->reply));
    }
    if (request->client != NULL)
        request->done(request->context, status, buf_view(&reply));
    buf_free(&reply);
    buf_free(&request->command);
    cairn_free(request);
    return true;
}

bool zk_box_step(struct zk_box *box) {
    return end_oldest(&box->node, CAIRN_OK);
}

bool zk_box_fail(struct zk_box *box, enum cairn_status status) {
    cairn_assert(status != CAIRN_OK);
    return end_oldest(&box->node, status);
}

static void end_stream(struct zk_box_client *client, enum cairn_status why) {
    struct env_stream *stream = client->stream;
    client->stream = NULL;
    if (stream != NULL)
        env_tell_close(stream, why);
}

void zk_box_turn(struct zk_box *box) {
    zookeeper_front_turn(box->node.front);
    for (size_t i = 0; i < box->node.client_count; i++)
        if (box->node.clients[i].asked_to_close &&
            (box->node.clients[i].pending.len == 0 || box->node.clients[i].aborted))
            end_stream(&box->node.clients[i], CAIRN_CANCELLED);
}

void zk_box_settle(struct zk_box *box) {
    do {
        while (zk_box_step(box)) {
        }
        zk_box_turn(box);
    } while (!list_empty(&box->node.requests));
}

void zk_box_wait(struct zk_box *box, uint64_t ms) {
    struct node *node = &box->node;
    uint64_t end = node->now + ms * MS;
    while (true) {
        struct env_timer *first = NULL;
        for (size_t i = 0; i < node->timer_count; i++)
            if (first == NULL || node->timers[i]->deadline < first->deadline)
                first = node->timers[i];
        if (first == NULL || first->deadline > end)
            break;
        node->now = first->deadline > node->now ? first->deadline : node->now;
        box_timer_clear(&node->env, first);
        first->fire(first);
        zk_box_turn(box);
    }
    node->now = end;
}

void zk_box_set_replica(struct zk_box *box, const struct replica_status *replica) {
    box->node.replica = replica;
}

void zk_box_set_proposals(struct zk_box *box, uint64_t last, uint64_t min, uint64_t max) {
    box->node.proposals = (struct node_sizes){last, min, max};
}

void zk_box_set_leader(struct zk_box *box, bool there) {
    box->node.leader = there;
}

void zk_box_set_busy(struct zk_box *box, bool busy) {
    box->node.busy = busy;
}

void zk_box_set_stateless(struct zk_box *box, bool stateless) {
    box->node.stateless = stateless;
}

void zk_box_apply(struct zk_box *box, struct bytes command) {
    apply(&box->node, command);
}

void zk_box_jump(struct zk_box *box) {
    zookeeper_front_change(box->node.front, &(struct change){.kind = CHANGE_JUMP});
}

/* ---- the box ---- */

struct zk_box *zk_box_new(const struct zookeeper_options *options) {
    struct zk_box *box = cairn_alloc_zero(sizeof *box);
    struct node *node = &box->node;
    const struct machine_options machine = {
        .value_bytes_max = 1u << 20, .work_max = 1u << 30, .mutant = options->mutant};
    node->env.ops = &box_ops;
    node->now = 1700000000000ull * MS;
    node->leader = true;
    node->options.identity.node = 1;
    node->options.keyspace_count = 1;
    strcpy(node->options.keyspaces[0].name, options->keyspace);
    strcpy(node->options.keyspaces[0].machine, "tree");
    list_init(&node->requests);
    prng_seed(&node->prng, 1);
    node->machine = machine_tree.create(&machine);
    struct zookeeper_options own = *options;
    strcpy(own.address, "10.0.0.100:2181");
    strcpy(own.tls_address, "10.0.0.100:2281");
    own.tls = (struct env_tls *)box; /* any: nobody looks into it */
    enum cairn_status status = zookeeper_front_open(node, &own, &node->front);
    cairn_assert(status == CAIRN_OK);
    return box;
}

void zk_box_free(struct zk_box *box) {
    struct node *node = &box->node;
    zookeeper_front_disconnect(node->front);
    for (size_t i = 0; i < node->client_count; i++)
        node->clients[i].aborted = true;
    zk_box_turn(box);
    zookeeper_front_close(node->front);
    while (end_oldest(node, CAIRN_SHUTDOWN)) {
    }
    machine_tree.destroy(node->machine);
    for (size_t i = 0; i < node->client_count; i++) {
        buf_free(&node->clients[i].output);
        buf_free(&node->clients[i].taken);
        buf_free(&node->clients[i].pending);
    }
    buf_free(&node->reply);
    buf_free(&node->changes);
    cairn_free(box);
}

struct zookeeper_front *zk_box_front(struct zk_box *box) {
    return box->node.front;
}

static struct zk_box_client *connect_by(struct zk_box *box, struct env_listener *listener,
                                        const char *address) {
    struct node *node = &box->node;
    struct env_stream *stream = listener->accept(listener, address);
    if (stream == NULL)
        return NULL;
    cairn_assert(node->client_count < CLIENTS_MAX);
    struct zk_box_client *client = &node->clients[node->client_count++];
    *client = (struct zk_box_client){.box = box, .stream = stream};
    stream->impl = client;
    return client;
}

struct zk_box_client *zk_box_connect(struct zk_box *box, const char *address) {
    return connect_by(box, box->node.listener, address);
}

struct zk_box_client *zk_box_connect_tls(struct zk_box *box, const char *address) {
    return connect_by(box, box->node.tls_listener, address);
}

void zk_box_certify(struct zk_box_client *client, const char *subject) {
    strncpy(client->subject, subject, sizeof client->subject - 1);
    env_tell_open(client->stream);
}

void zk_box_send(struct zk_box_client *client, struct bytes bytes) {
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_data(client->stream, bytes);
}

void zk_box_reads(struct zk_box_client *client, bool reads) {
    client->lazy = !reads;
    if (!reads || client->pending.len == 0)
        return;
    buf_bytes(&client->output, buf_view(&client->pending));
    buf_free(&client->pending);
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_drain(client->stream);
}

bool zk_box_is_heard(const struct zk_box_client *client) {
    return client->stream != NULL && !client->paused && !client->asked_to_close;
}

void zk_box_end(struct zk_box_client *client) {
    if (client->stream != NULL && !client->asked_to_close)
        env_tell_end(client->stream);
}

void zk_box_hang_up(struct zk_box_client *client) {
    end_stream(client, CAIRN_CLOSED);
}

bool zk_box_closed(const struct zk_box_client *client) {
    return client->stream == NULL;
}

struct buf *zk_box_output(struct zk_box_client *client) {
    return &client->output;
}

/* ---- a client's manners ---- */

static bool next_frame(struct zk_box_client *client, struct bytes *frame) {
    size_t used = jute_frame(buf_view(&client->output), UINT32_MAX, frame);
    if (used == 0 || used == SIZE_MAX)
        return false;
    buf_clear(&client->taken);
    buf_bytes(&client->taken, *frame);
    buf_consume(&client->output, used);
    *frame = buf_view(&client->taken);
    return true;
}

bool zk_box_handshake(struct zk_box_client *client, struct jute_connect *connect) {
    struct buf out = {0};
    struct bytes frame;
    jute_put_connect(&out, connect);
    zk_box_send(client, buf_view(&out));
    buf_free(&out);
    zk_box_settle(client->box);
    if (!next_frame(client, &frame))
        return false;
    struct reader reader = reader_of(frame);
    jute_take_i32(&reader);
    connect->timeout_ms = jute_take_i32(&reader);
    connect->session = jute_take_i64(&reader);
    struct bytes password = jute_take_block(&reader);
    if (password.len == JUTE_PASSWORD_BYTES)
        memcpy(connect->password, password.data, JUTE_PASSWORD_BYTES);
    if (connect->has_read_only)
        connect->read_only = jute_take_bool(&reader);
    return !reader.bad;
}

void zk_box_request(struct zk_box_client *client, int32_t xid, int32_t op, struct bytes body) {
    struct buf out = {0};
    size_t start = jute_put_request(&out, xid, op);
    buf_bytes(&out, body);
    jute_frame_end(&out, start);
    zk_box_send(client, buf_view(&out));
    buf_free(&out);
}

bool zk_box_take(struct zk_box_client *client, struct zk_box_answer *answer) {
    struct bytes frame;
    if (!next_frame(client, &frame))
        return false;
    struct reader reader = reader_of(frame);
    answer->xid = jute_take_i32(&reader);
    answer->zxid = jute_take_i64(&reader);
    answer->error = jute_take_i32(&reader);
    answer->body = bytes_of(reader.at, reader_left(&reader));
    return !reader.bad;
}
