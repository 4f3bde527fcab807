/* cairn bench for ZooKeeper's protocol: sessions pinned to servers in turn, so many requests under
 * way on each all the time; any server of that protocol. A session whose connection is lost goes on
 * at the next server, so that what a failure costs can be seen.
 */
#ifndef CAIRN_CLI_BENCH_ZOOKEEPER_H
#define CAIRN_CLI_BENCH_ZOOKEEPER_H

#include <stdbool.h>
#include <stdint.h>

struct bench_zookeeper {
    const char *servers;            /* host:port,host:port */
    const char *command;            /* set, get, mix (70 % get), create */
    uint64_t sessions, outstanding; /* of each session */
    uint64_t bytes, keys, seconds, warm_up_s, timeout_ms, seed;
    bool own; /* every session writes its own node, and reads at the end that nothing is lost */
    bool json;
};
/* An exit code. */
int bench_zookeeper(const struct bench_zookeeper *options);

#endif
