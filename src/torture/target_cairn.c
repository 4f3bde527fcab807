#include "torture/torture_internal.h"

#include "client/http.h"
#include "wire/resp.h"

#include <stdlib.h>
#include <string.h>

/* Both keyspaces are served; what this run's clients dial is the first port, and what none dials
 * is the one that the proxy would have for the admin's pages. */
static bool write_config(struct run *run, struct run_node *node, const char *dialled,
                         const char *other) {
    char path[620];
    snprintf(path, sizeof path, "%s.ini", node->dir);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    fprintf(file, "[node]\nid = %u\ndir = %s\n[cluster]\nname = %s\nmembers =", node->number,
            node->dir, run->cluster);
    for (unsigned i = 1; i <= run->nodes; i++)
        fprintf(file, " %u=127.0.0.1:%u", i, run->node[i].proxied[1]);
    fprintf(file,
            "\nbootstrap = yes\n[peer]\nlisten = 127.0.0.1:%u\n[admin]\nlisten = 127.0.0.1:%u\n"
            "[%s]\nlisten = 127.0.0.1:%u\n[%s]\nlisten = 127.0.0.1:%u\n",
            node->ports[1], node->ports[2], dialled, node->ports[0], other, node->proxied[2]);
    return fclose(file) == 0;
}

static bool prepare(struct run *run, struct run_node *node) {
    return write_config(run, node, "redis", "zookeeper");
}

static bool prepare_tree(struct run *run, struct run_node *node) {
    return write_config(run, node, "zookeeper", "redis");
}

static void command(struct run *run, const struct run_node *node, struct args *args) {
    args_add(args, run->options->program);
    args_add(args, "server");
    args_add(args, "--config");
    args_addf(args, "%s.ini", node->dir);
    for (uint32_t i = 0; i < run->options->set_count; i++) {
        args_add(args, "--set");
        args_add(args, run->options->sets[i]);
    }
}

static void probe_ask(struct run *run, const struct run_node *node, struct buf *out) {
    resp_put_array(out, 1);
    resp_put_bulk(out, BYTES("CAIRN.STATUS"));
}

static bool probe_answer(struct run *run, struct bytes bytes, struct node_state *state) {
    size_t len = resp_value_length(bytes), at = 0;
    struct bytes role, term;
    char number[24] = "";
    if (len == 0 || len == SIZE_MAX)
        return false;
    if (!json_next(bytes, "role", &at, &role))
        return true; /* an error: it does not serve yet */
    bool leads = bytes_equal(role, BYTES("leader"));
    state->role = leads ? ROLE_LEADER : ROLE_FOLLOWER;
    at = 0;
    if (json_next(bytes, "term", &at, &term) && term.len < sizeof number)
        memcpy(number, term.data, term.len);
    state->term = strtoull(number, NULL, 10);
    return true;
}

const struct target target_cairn = {.name = "cairn",
                                    .nodes = 3,
                                    .channels = 2,
                                    .layer = true,
                                    .workloads = (1u << TORTURE_WORKLOAD_COUNT) - 1,
                                    .store = &store_resp,
                                    .prepare = prepare,
                                    .command = command,
                                    .probe_ask = probe_ask,
                                    .probe_answer = probe_answer};

const struct target target_cairn_tree = {.name = "cairn-tree",
                                         .nodes = 3,
                                         .channels = 2,
                                         .layer = true,
                                         .workloads = (1u << TORTURE_WORKLOAD_COUNT) - 1,
                                         .promise = "sequential",
                                         .store = &store_zookeeper,
                                         .prepare = prepare_tree,
                                         .command = command,
                                         .probe_ask = probe_ask_srvr,
                                         .probe_answer = probe_answer_srvr};
