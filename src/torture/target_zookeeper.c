#include "torture/torture_internal.h"

#include <stdlib.h>
#include <string.h>

#define JAR "/usr/share/java/zookeeper.jar"

/* Each server knows itself by what it listens on and the others by their proxies. */
static bool prepare(struct run *run, struct run_node *node) {
    char path[620];
    snprintf(path, sizeof path, "%s/data", node->dir);
    if (!folders_make(path))
        return false;
    snprintf(path, sizeof path, "%s/data/myid", node->dir);
    FILE *file = fopen(path, "w");
    if (file == NULL)
        return false;
    fprintf(file, "%u\n", node->number);
    fclose(file);
    snprintf(path, sizeof path, "%s/zoo.cfg", node->dir);
    file = fopen(path, "w");
    if (file == NULL)
        return false;
    fprintf(file,
            "tickTime=500\ninitLimit=10\nsyncLimit=4\ndataDir=%s/data\nclientPort=%u\n"
            "clientPortAddress=127.0.0.1\nmaxClientCnxns=0\nadmin.enableServer=false\n"
            "4lw.commands.whitelist=srvr\n",
            node->dir, node->ports[0]);
    for (unsigned i = 1; i <= run->nodes; i++) {
        const uint16_t *ports = i == node->number ? run->node[i].ports : run->node[i].proxied;
        fprintf(file, "server.%u=127.0.0.1:%u:%u\n", i, ports[1], ports[2]);
    }
    return fclose(file) == 0;
}

static void command(struct run *run, const struct run_node *node, struct args *args) {
    static const char *const fixed[] = {"java",
                                        "-Xmx128m",
                                        "-XX:+UseSerialGC",
                                        "-XX:TieredStopAtLevel=1",
                                        "-Djava.net.preferIPv4Stack=true",
                                        "-Dzookeeper.admin.enableServer=false",
                                        "-Dzookeeper.jmx.log4j.disable=true",
                                        "-cp",
                                        JAR ":/usr/share/java/slf4j-simple.jar",
                                        "org.apache.zookeeper.server.quorum.QuorumPeerMain"};
    for (size_t i = 0; i < sizeof fixed / sizeof *fixed; i++)
        args_add(args, fixed[i]);
    args_addf(args, "%s/zoo.cfg", node->dir);
}

void probe_ask_srvr(struct run *run, const struct run_node *node, struct buf *out) {
    buf_append(out, "srvr", 4);
}

/* "Zxid: 0x500000003", "Mode: leader"; or a sentence that it serves no client yet. */
bool probe_answer_srvr(struct run *run, struct bytes bytes, struct node_state *state) {
    const uint8_t *zxid = memmem(bytes.data, bytes.len, "Zxid: 0x", 8);
    const uint8_t *mode = memmem(bytes.data, bytes.len, "Mode: ", 6);
    const uint8_t *end = mode ? memchr(mode, '\n', (size_t)(bytes.data + bytes.len - mode)) : NULL;
    if (zxid == NULL || end == NULL || zxid > mode)
        return false;
    char number[24] = "";
    size_t len = (size_t)(mode - zxid) - 8;
    memcpy(number, zxid + 8, len < sizeof number - 1 ? len : sizeof number - 1);
    state->term = strtoull(number, NULL, 16) >> 32;
    state->role = mode[6] == 'l' ? ROLE_LEADER : ROLE_FOLLOWER;
    return true;
}

const struct target target_zookeeper = {.name = "zookeeper",
                                        .program = "java",
                                        .program_file = JAR,
                                        .package = "zookeeper",
                                        .nodes = 3,
                                        .channels = 3,
                                        .layer = true,
                                        .workloads = (1u << TORTURE_WORKLOAD_COUNT) - 1,
                                        .promise = "sequential",
                                        .store = &store_zookeeper,
                                        .prepare = prepare,
                                        .command = command,
                                        .probe_ask = probe_ask_srvr,
                                        .probe_answer = probe_answer_srvr};
