/* Redis as it is often run: a primary, replicas that follow it asynchronously, and a manager that
 * appoints a replica when a majority of the replicas has lost the primary for a while. The manager
 * is here, with the rules of Sentinel: what the replicas say decides; the replica that has received
 * most is chosen; an old primary that comes back is made a replica. */
#include "torture/torture_internal.h"

#include "wire/resp.h"

#include <stdlib.h>
#include <string.h>

#define DOWN_AFTER_NS 1000000000ull
#define FRESH_NS 1000000000ull

static bool prepare(struct run *run, struct run_node *node) {
    return folders_make(node->dir);
}

static void command(struct run *run, const struct run_node *node, struct args *args) {
    static const char *const fixed[] = {"redis-server",
                                        "--bind",
                                        "127.0.0.1",
                                        "--save",
                                        "",
                                        "--appendonly",
                                        "yes",
                                        "--appendfsync",
                                        "everysec",
                                        "--repl-timeout",
                                        "2",
                                        "--repl-ping-replica-period",
                                        "1",
                                        "--repl-diskless-sync-delay",
                                        "0",
                                        "--replica-serve-stale-data",
                                        "yes"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        args_add(args, fixed[i]);
    args_add(args, "--port");
    args_addf(args, "%u", node->ports[0]);
    args_add(args, "--dir");
    args_add(args, node->dir);
    if (node->number != run->primary) {
        args_add(args, "--replicaof");
        args_addf(args, "127.0.0.1 %u", run->node[run->primary].proxied[0]);
    }
}

static void put_words(struct buf *out, const char *const *words, size_t count) {
    resp_put_array(out, count);
    for (size_t i = 0; i < count; i++)
        resp_put_bulk(out, bytes_cstr(words[i]));
}

/* The manager reaches a node as the appointed primary does: not through a partition. */
static bool is_cut_off(const struct run *run, unsigned node) {
    const struct proxy_board *board = run->board;
    return board != NULL && node != run->primary &&
           (board->links[node][run->primary].blocked > 0 ||
            board->links[run->primary][node].blocked > 0);
}

static void probe_ask(struct run *run, const struct run_node *node, struct buf *out) {
    char port[8];
    const struct node_state *state = &node->state;
    unsigned follow = run->node[run->primary].proxied[0];
    bool primary = node->number == run->primary;
    const char *const alone[] = {"REPLICAOF", "NO", "ONE"};
    const char *const following[] = {"REPLICAOF", "127.0.0.1", port};
    const char *const info[] = {"INFO", "replication"};
    snprintf(port, sizeof port, "%u", follow);
    if (run->options->addresses == NULL && state->role != ROLE_UNKNOWN &&
        !is_cut_off(run, node->number)) {
        if (primary && state->role != ROLE_LEADER)
            put_words(out, alone, 3);
        else if (!primary && (state->role == ROLE_LEADER || state->follows != follow))
            put_words(out, following, 3);
    }
    put_words(out, info, 2);
}

static uint64_t field(struct bytes text, const char *name) {
    const uint8_t *at = memmem(text.data, text.len, name, strlen(name));
    char number[24] = "";
    if (at == NULL)
        return 0;
    at += strlen(name);
    size_t left = text.len - (size_t)(at - text.data);
    memcpy(number, at, left < sizeof number - 1 ? left : sizeof number - 1);
    return strtoull(number, NULL, 10);
}

static bool probe_answer(struct run *run, struct bytes bytes, struct node_state *state) {
    struct resp_value value;
    size_t len = resp_value_length(bytes), head;
    while (len > 0 && len != SIZE_MAX) {
        if (resp_value_read(bytes, &value, &head) != RESP_COMMAND || value.kind == RESP_ERROR_REPLY)
            return true;
        if (value.kind == RESP_BULK) {
            struct bytes text = value.text;
            bool leads = memmem(text.data, text.len, "role:master", 11) != NULL;
            state->role = leads ? ROLE_LEADER : ROLE_FOLLOWER;
            state->link_down = memmem(text.data, text.len, "master_link_status:down", 23) != NULL;
            state->offset = field(text, "slave_repl_offset:");
            state->follows = (unsigned)field(text, "master_port:");
            return true;
        }
        bytes = bytes_of(bytes.data + len, bytes.len - len);
        len = resp_value_length(bytes);
    }
    return len == SIZE_MAX;
}

static void appoint(struct run *run, unsigned node) {
    char text[64];
    snprintf(text, sizeof text, "{\"from\":%u,\"to\":%u}", run->primary, node);
    run_say(run, "the manager appoints node %u in place of node %u", node, run->primary);
    torture_history_fault(&run->history, env_now(run->env), "failover", text);
    run->primary = node;
    run->down_ns = 0;
}

static void tick(struct run *run) {
    uint64_t now = env_now(run->env);
    unsigned lost = 0, best = 0;
    if (run->options->addresses != NULL || run->phase < PHASE_TORMENT)
        return;
    for (unsigned i = 1; i <= run->nodes; i++) {
        const struct node_state *state = &run->node[i].state;
        if (i == run->primary || state->role != ROLE_FOLLOWER || now - state->at_ns > FRESH_NS)
            continue;
        if (!state->link_down)
            continue;
        lost++;
        if (best == 0 || state->offset > run->node[best].state.offset)
            best = i;
    }
    if (lost <= (run->nodes - 1) / 2)
        run->down_ns = 0;
    else if (run->down_ns == 0)
        run->down_ns = now;
    else if (now - run->down_ns > DOWN_AFTER_NS)
        appoint(run, best);
}

const struct target target_redis = {.name = "redis",
                                    .program = "redis-server",
                                    .package = "redis-server",
                                    .nodes = 3,
                                    .channels = 1,
                                    .layer = true,
                                    .workloads = (1u << TORTURE_WORKLOAD_COUNT) - 1,
                                    .store = &store_resp,
                                    .prepare = prepare,
                                    .command = command,
                                    .probe_ask = probe_ask,
                                    .probe_answer = probe_answer,
                                    .tick = tick};
