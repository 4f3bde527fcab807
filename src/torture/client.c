/* A client: one connection, one operation at a time. It goes to another node when the one it talks
 * to does not answer, and never repeats what may have been executed. */
#include "torture/torture_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

#define DIAL_NS 1000000000ull
#define REST_NS 30000000ull /* after a failure, times how many in a row, to a bound */
#define REST_MAX 10u

/* Lives until its stream has told its end, whatever still refers to it. */
struct conn {
    struct env_stream stream;
    struct run_client *client; /* NULL: abandoned */
    bool open, ready;
    struct buf in, out;
};

static void begin(struct run_client *client);

static void think(struct run_client *client, uint64_t ns) {
    struct run *run = client->run;
    client->state = run->stopping ? CLIENT_STOPPED : CLIENT_THINKS;
    if (!run->stopping)
        env_timer_set(run->env, &client->timer, env_now(run->env) + ns);
}

static void hang_up(struct run_client *client) {
    if (client->conn == NULL)
        return;
    client->conn->client = NULL;
    env_abort(client->run->env, &client->conn->stream);
    client->conn = NULL;
}

/* To another node, after a rest that grows. */
static void go_elsewhere(struct run_client *client) {
    struct run *run = client->run;
    hang_up(client);
    client->failures++;
    bool stays = run->options->stay && client->failures < 4;
    if (!stays)
        client->node = 1 + (unsigned)prng_below(&client->prng, run->nodes);
    unsigned times = client->failures < REST_MAX ? client->failures : REST_MAX;
    think(client, REST_NS * times + prng_below(&client->prng, REST_NS));
}

static void lose(struct run_client *client, bool surely_not) {
    if (client->busy)
        work_lost(client, surely_not);
    go_elsewhere(client);
}

void client_finish(struct run_client *client, enum op_end end) {
    struct run *run = client->run;
    cairn_assert(client->busy);
    client->busy = false;
    if (end == OP_END_OK) {
        run_look_at_gap(run);
        run->last_ok_ns = env_now(run->env);
        run->result->ok++;
    } else if (end == OP_END_NO || end == OP_END_FAIL) {
        run->result->failed++;
    } else {
        run->result->unknown++;
        client->process += run->client_count;
    }
}

/* ---- the connection ---- */

static void flush(struct conn *conn) {
    if (!conn->open || conn->out.len == 0)
        return;
    struct env_piece piece = {buf_view(&conn->out), NULL};
    env_write(conn->client->run->env, &conn->stream, &piece, 1);
    buf_clear(&conn->out);
}

static void ask(struct run_client *client) {
    struct run *run = client->run;
    client->session.stage = 0;
    run->target->store->ask(&client->session, &client->conn->out);
    client->session.fresh = false;
    client->state = CLIENT_WAITS;
    client->sent = true;
    flush(client->conn);
}

static uint64_t pause_between(struct run_client *client) {
    uint64_t think_ns = client->run->options->think_us * 1000;
    return think_ns ? think_ns / 2 + prng_below(&client->prng, think_ns) : 0;
}

static void take_outcome(struct run_client *client, enum store_outcome outcome) {
    struct run *run = client->run;
    if (outcome == STORE_BROKEN) {
        lose(client, false);
        return;
    }
    bool went_well = outcome == STORE_OK || outcome == STORE_NO;
    if (work_answer(client, outcome)) {
        ask(client);
        return;
    }
    env_timer_clear(run->env, &client->timer);
    if (went_well)
        client->failures = 0;
    if (went_well && !(run->target->tick != NULL && client->node != run->primary))
        think(client, pause_between(client));
    else
        go_elsewhere(client);
}

static void on_open(struct env_stream *stream) {
    struct conn *conn = container_of(stream, struct conn, stream);
    struct run_client *client = conn->client;
    if (client == NULL)
        return;
    conn->open = true;
    client->session.fresh = true;
    client->session.watching = false;
    const struct store *store = client->run->target->store;
    if (store->hello != NULL) {
        store->hello(&client->session, &conn->out);
        flush(conn);
    } else {
        conn->ready = true;
        begin(client);
    }
}

/* One answer, or a part of one. False: more bytes are needed, or the connection is over. */
static bool take(struct conn *conn) {
    struct run_client *client = conn->client;
    const struct store *store = client->run->target->store;
    size_t used = 0;
    enum store_outcome outcome =
        conn->ready ? store->answer(&client->session, buf_view(&conn->in), &used, &conn->out)
                    : store->welcome(&client->session, buf_view(&conn->in), &used);
    cairn_assert(used <= conn->in.len);
    buf_consume(&conn->in, used);
    flush(conn);
    if (outcome == STORE_MORE)
        return used > 0;
    if (conn->ready) {
        take_outcome(client, outcome);
    } else if (outcome == STORE_OK) {
        conn->ready = true;
        begin(client);
    } else {
        lose(client, true);
    }
    return conn->client != NULL;
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct conn *conn = container_of(stream, struct conn, stream);
    if (conn->client == NULL)
        return;
    buf_bytes(&conn->in, bytes);
    while (conn->in.len > 0 && conn->client != NULL &&
           (!conn->ready || conn->client->state == CLIENT_WAITS) && take(conn))
        ;
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct conn *conn = container_of(stream, struct conn, stream);
    struct run_client *client = conn->client;
    buf_free(&conn->in);
    buf_free(&conn->out);
    cairn_free(conn);
    if (client == NULL)
        return;
    client->conn = NULL;
    env_timer_clear(client->run->env, &client->timer);
    lose(client, false);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

static void dial(struct run_client *client) {
    struct run *run = client->run;
    struct conn *conn = cairn_alloc_zero(sizeof *conn);
    char address[96];
    conn->stream.events = &events;
    conn->client = client;
    client->conn = conn;
    client->state = CLIENT_DIALS;
    if (run->target->tick != NULL) /* a manager says which node takes writes */
        client->node = run->primary;
    run_address(run, client->node, address, sizeof address);
    env_timer_set(run->env, &client->timer, env_now(run->env) + DIAL_NS);
    env_connect(run->env, address, &conn->stream);
}

/* ---- operations ---- */

static void begin(struct run_client *client) {
    struct run *run = client->run;
    if (run->stopping || !work_begin(client)) {
        client->state = CLIENT_STOPPED;
        env_timer_clear(run->env, &client->timer);
        return;
    }
    client->busy = true;
    client->sent = false;
    env_timer_set(run->env, &client->timer,
                  env_now(run->env) + run->options->timeout_ms * 1000000u);
    ask(client);
}

static void on_timer(struct env_timer *timer) {
    struct run_client *client = container_of(timer, struct run_client, timer);
    if (client->state != CLIENT_THINKS)
        lose(client, false);
    else if (client->conn == NULL)
        dial(client);
    else
        begin(client);
}

void client_open(struct run_client *client, struct run *run, unsigned number) {
    *client = (struct run_client){.run = run,
                                  .number = number,
                                  .process = number,
                                  .node = 1 + number % run->nodes,
                                  .state = CLIENT_STOPPED,
                                  .timer.fire = on_timer};
    prng_seed(&client->prng, prng_mix(run->options->seed, 1000 + number));
    client->session.run = run;
    client->session.client = number;
    client->seen = cairn_alloc_zero(run->options->keys * sizeof *client->seen);
}

void client_start(struct run_client *client) {
    if (client->state == CLIENT_STOPPED)
        think(client, prng_below(&client->prng, 10000000));
}

void client_stop(struct run_client *client) {
    env_timer_clear(client->run->env, &client->timer);
    if (client->busy)
        work_lost(client, false);
    client->state = CLIENT_STOPPED;
    hang_up(client);
}

bool client_idle(const struct run_client *client) {
    return client->state == CLIENT_STOPPED && !client->busy;
}

void client_free(struct run_client *client) {
    for (unsigned i = 0; i < REQUEST_KEYS_MAX; i++) {
        buf_free(&client->session.request.values[i]);
        buf_free(&client->session.reply.texts[i]);
    }
    cairn_free(client->seen);
}
