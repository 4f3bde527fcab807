#include "torture/torture_internal.h"

#include "client/http.h"

#include <stdlib.h>
#include <string.h>

static bool prepare(struct run *run, struct run_node *node) {
    return folders_make(node->dir);
}

static void command(struct run *run, const struct run_node *node, struct args *args) {
    struct buf cluster = {0};
    for (unsigned i = 1; i <= run->nodes; i++)
        buf_printf(&cluster, "%sn%u=http://127.0.0.1:%u", i > 1 ? "," : "", i,
                   run->node[i].proxied[1]);
    buf_u8(&cluster, 0);
    args_add(args, "etcd");
    args_addf(args, "--name=n%u", node->number);
    args_addf(args, "--data-dir=%s", node->dir);
    args_addf(args, "--listen-client-urls=http://127.0.0.1:%u", node->ports[0]);
    args_addf(args, "--advertise-client-urls=http://127.0.0.1:%u", node->proxied[0]);
    args_addf(args, "--listen-peer-urls=http://127.0.0.1:%u", node->ports[1]);
    args_addf(args, "--initial-advertise-peer-urls=http://127.0.0.1:%u", node->proxied[1]);
    args_addf(args, "--initial-cluster=%s", (const char *)cluster.data);
    args_addf(args, "--initial-cluster-token=%s", run->cluster);
    args_add(args, "--initial-cluster-state=new");
    buf_free(&cluster);
}

static void probe_ask(struct run *run, const struct run_node *node, struct buf *out) {
    http_post(out, "/v3/maintenance/status", BYTES("{}"));
}

static bool probe_answer(struct run *run, struct bytes bytes, struct node_state *state) {
    struct buf body = {0};
    int status;
    size_t taken = http_answer(bytes, &status, &body), at = 0;
    if (taken > 0 && taken != SIZE_MAX && status == 200) {
        struct bytes json = buf_view(&body), own, leader, term;
        char number[24] = "";
        if (json_next(json, "member_id", &at, &own) && json_next(json, "leader", &at, &leader) &&
            !bytes_equal(leader, BYTES("0"))) {
            state->role = bytes_equal(own, leader) ? ROLE_LEADER : ROLE_FOLLOWER;
            at = 0;
            if (json_next(json, "raft_term", &at, &term) && term.len < sizeof number)
                memcpy(number, term.data, term.len);
            state->term = strtoull(number, NULL, 10);
        }
    }
    buf_free(&body);
    return taken > 0;
}

const struct target target_etcd = {.name = "etcd",
                                   .program = "etcd",
                                   .package = "etcd-server",
                                   .nodes = 3,
                                   .channels = 2,
                                   .workloads = (1u << TORTURE_WORKLOAD_COUNT) - 1,
                                   .store = &store_etcd,
                                   .prepare = prepare,
                                   .command = command,
                                   .probe_ask = probe_ask,
                                   .probe_answer = probe_answer};
