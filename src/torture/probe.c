/* Asks every node five times a second who it is, beside the proxy: so the tormentor knows the
 * leader, and the manager of Redis what its replicas see. */
#include "torture/torture_internal.h"

#include "base/alloc.h"

#define PATIENCE_NS 600000000ull
#define FRESH_NS 1500000000ull
#define ANSWER_MAX 1048576u

struct probe {
    struct env_stream stream;
    struct run_node *node; /* NULL: abandoned */
    uint64_t since_ns;
    struct buf in;
};

static void abandon(struct probe *probe) {
    struct run_node *node = probe->node;
    probe->node = NULL;
    if (node == NULL)
        return;
    node->probe = NULL;
    env_abort(node->run->env, &probe->stream);
}

static void on_open(struct env_stream *stream) {
    struct probe *probe = container_of(stream, struct probe, stream);
    struct buf out = {0};
    if (probe->node == NULL)
        return;
    struct run *run = probe->node->run;
    run->target->probe_ask(run, probe->node, &out);
    struct env_piece piece = {buf_view(&out), NULL};
    env_write(run->env, stream, &piece, 1);
    buf_free(&out);
}

/* The leader is the node that says so with the highest term; one that was cut off may still believe
 * it. */
static void find_leader(struct run *run) {
    uint64_t now = env_now(run->env), term = 0;
    run->leader = 0;
    for (unsigned i = 1; i <= run->nodes; i++) {
        const struct node_state *state = &run->node[i].state;
        if (state->role != ROLE_LEADER || now - state->at_ns > FRESH_NS)
            continue;
        if (run->leader == 0 || state->term > term) {
            run->leader = i;
            term = state->term;
        }
    }
    if (run->target->tick != NULL)
        run->leader = run->primary;
}

static void on_data(struct env_stream *stream, struct bytes bytes) {
    struct probe *probe = container_of(stream, struct probe, stream);
    if (probe->node == NULL)
        return;
    struct run *run = probe->node->run;
    struct node_state state = {0};
    buf_bytes(&probe->in, bytes);
    if (run->target->probe_answer(run, buf_view(&probe->in), &state)) {
        state.at_ns = env_now(run->env);
        probe->node->state = state;
        probe->node->trouble = NULL;
        find_leader(run);
        abandon(probe);
    } else if (probe->in.len > ANSWER_MAX) {
        abandon(probe);
    }
}

static void on_close(struct env_stream *stream, enum cairn_status why) {
    struct probe *probe = container_of(stream, struct probe, stream);
    if (probe->node != NULL) {
        probe->node->probe = NULL;
        probe->node->trouble = cairn_status_text(why);
    }
    buf_free(&probe->in);
    cairn_free(probe);
}

static const struct env_stream_events events = {
    .open = on_open, .data = on_data, .close = on_close};

static void send_one(struct run_node *node) {
    struct run *run = node->run;
    char address[96];
    struct probe *probe = cairn_alloc_zero(sizeof *probe);
    probe->stream.events = &events;
    probe->node = node;
    probe->since_ns = env_now(run->env);
    node->probe = probe;
    if (run->options->addresses != NULL)
        snprintf(address, sizeof address, "%s", node->address);
    else
        snprintf(address, sizeof address, "127.0.0.1:%u", node->ports[0]);
    env_connect(run->env, address, &probe->stream);
}

void probes_send(struct run *run) {
    uint64_t now = env_now(run->env);
    for (unsigned i = 1; i <= run->nodes; i++) {
        struct run_node *node = &run->node[i];
        if (node->probe != NULL && now - node->probe->since_ns > PATIENCE_NS) {
            node->trouble = "no answer";
            abandon(node->probe);
        }
        if (node->probe == NULL && (node->pid > 0 || run->options->addresses != NULL))
            send_one(node);
    }
    find_leader(run);
}

void probes_close(struct run *run) {
    for (unsigned i = 1; i <= run->nodes; i++)
        if (run->node[i].probe != NULL)
            abandon(run->node[i].probe);
}

bool nodes_serve(const struct run *run) {
    for (unsigned i = 1; i <= run->nodes; i++)
        if (run->node[i].state.role == ROLE_UNKNOWN)
            return false;
    return run->leader != 0;
}
