#include "client/resp_client.h"

#include "base/alloc.h"
#include "base/assert.h"

struct waiting {
    resp_client_reply *reply;
    void *context;
};

struct resp_client {
    struct env_stream stream;
    struct env *env;
    struct resp_client_events events;
    bool opened, listening, closing;
    struct buf in, out;
    struct waiting *waiting; /* a ring */
    size_t cap, head, count;
};

static void push_waiting(struct resp_client *client, resp_client_reply *reply, void *context) {
    if (client->count == client->cap) {
        size_t cap = client->cap ? client->cap * 2 : 16;
        struct waiting *ring = cairn_alloc(cap * sizeof *ring);
        for (size_t i = 0; i < client->count; i++)
            ring[i] = client->waiting[(client->head + i) & (client->cap - 1)];
        cairn_free(client->waiting);
        client->waiting = ring;
        client->cap = cap;
        client->head = 0;
    }
    client->waiting[(client->head + client->count++) & (client->cap - 1)] =
        (struct waiting){reply, context};
}

static void answer(struct resp_client *client, enum cairn_status status, struct bytes value) {
    cairn_assert(client->count > 0);
    struct waiting waiting = client->waiting[client->head];
    client->head = (client->head + 1) & (client->cap - 1);
    client->count--;
    if (waiting.reply != NULL)
        waiting.reply(waiting.context, status, value);
}

static void take_value(struct resp_client *client, struct bytes value) {
    bool push = value.data[0] == '>' || (client->listening && client->count == 0);
    if (!push && client->count > 0)
        answer(client, CAIRN_OK, value);
    else if (client->events.push != NULL)
        client->events.push(client->events.context, value);
}

static void on_open(struct env_stream *stream) {
    struct resp_client *client = container_of(stream, struct resp_client, stream);
    client->opened = true;
    if (client->events.open != NULL)
        client->events.open(client->events.context);
    resp_client_flush(client);
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct resp_client *client = container_of(stream, struct resp_client, stream);
    bool buffered = client->in.len > 0;
    if (buffered) {
        buf_bytes(&client->in, bytes);
        bytes = buf_view(&client->in);
    }
    size_t taken = 0;
    while (taken < bytes.len && !client->closing) {
        struct bytes rest = bytes_of(bytes.data + taken, bytes.len - taken);
        size_t len = resp_value_length(rest);
        if (len == SIZE_MAX) {
            resp_client_close(client);
            return;
        }
        if (len == 0)
            break;
        take_value(client, bytes_of(rest.data, len));
        taken += len;
    }
    if (client->closing)
        return;
    if (buffered)
        buf_consume(&client->in, taken);
    else
        buf_append(&client->in, bytes.data + taken, bytes.len - taken);
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct resp_client *client = container_of(stream, struct resp_client, stream);
    client->closing = true;
    while (client->count > 0)
        answer(client, why, bytes_of(NULL, 0));
    if (client->events.close != NULL)
        client->events.close(client->events.context, why);
    buf_free(&client->in);
    buf_free(&client->out);
    cairn_free(client->waiting);
    cairn_free(client);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

struct resp_client *resp_client_open(struct env *env, const char *address,
                                     const struct resp_client_events *wanted) {
    struct resp_client *client = cairn_alloc_zero(sizeof *client);
    client->stream.events = &events;
    client->env = env;
    client->events = *wanted;
    env_connect(env, address, &client->stream);
    return client;
}

void resp_client_send(struct resp_client *client, const struct bytes *args, size_t argc,
                      resp_client_reply *reply, void *context) {
    resp_put_array(&client->out, argc);
    for (size_t i = 0; i < argc; i++)
        resp_put_bulk(&client->out, args[i]);
    push_waiting(client, reply, context);
}

void resp_client_flush(struct resp_client *client) {
    if (!client->opened || client->closing || client->out.len == 0)
        return;
    struct env_piece piece = {buf_view(&client->out), NULL};
    env_write(client->env, &client->stream, &piece, 1);
    buf_clear(&client->out);
}

size_t resp_client_outstanding(const struct resp_client *client) {
    return client->count;
}

void resp_client_listen(struct resp_client *client, bool listening) {
    client->listening = listening;
}

void resp_client_close(struct resp_client *client) {
    client->closing = true;
    env_abort(client->env, &client->stream);
}
