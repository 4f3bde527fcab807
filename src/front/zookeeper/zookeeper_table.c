/* Operations as data. */
#include "front/zookeeper/zookeeper_internal.h"

#define RUN(name) .run = zk_run_##name
#define WRITE(name, told) .encode = zk_encode_##name, .results = told

static const struct zk_operation operations[] = {
    {JUTE_CREATE, ZK_WRITE, WRITE(create, zk_results_create)},
    {JUTE_DELETE, ZK_WRITE, WRITE(delete, NULL)},
    {JUTE_EXISTS, ZK_READ, true, RUN(exists)},
    {JUTE_GET, ZK_READ, true, RUN(get)},
    {JUTE_SET, ZK_WRITE, WRITE(set, zk_results_set)},
    {JUTE_GET_ACL, ZK_READ, true, RUN(get_acl)},
    {JUTE_SET_ACL, ZK_WRITE, WRITE(set_acl, zk_results_set)},
    {JUTE_CHILDREN, ZK_READ, true, RUN(children)},
    {JUTE_SYNC, ZK_SYNC, RUN(sync)},
    {JUTE_PING, ZK_AT_ONCE, true, RUN(ping)},
    {JUTE_CHILDREN2, ZK_READ, true, RUN(children)},
    {JUTE_MULTI, ZK_WRITE, WRITE(multi, zk_results_multi)},
    {JUTE_CREATE2, ZK_WRITE, WRITE(create, zk_results_create2)},
    {JUTE_RECONFIG, ZK_OTHER, RUN(reconfig)},
    {JUTE_CHECK_WATCHES, ZK_READ, true, true, RUN(check_watches)},
    {JUTE_REMOVE_WATCHES, ZK_READ, true, true, RUN(remove_watches)},
    {JUTE_CREATE_CONTAINER, ZK_WRITE, WRITE(create, zk_results_create2)},
    {JUTE_CREATE_TTL, ZK_WRITE, WRITE(create, zk_results_create2)},
    {JUTE_MULTI_READ, ZK_READ, true, RUN(multi_read)},
    {JUTE_AUTH, ZK_AT_ONCE, true, RUN(auth)},
    {JUTE_SET_WATCHES, ZK_READ, true, RUN(set_watches)},
    {JUTE_SASL, ZK_AT_ONCE, true, RUN(sasl)},
    {JUTE_GET_EPHEMERALS, ZK_READ, true, RUN(ephemerals)},
    {JUTE_COUNT_CHILDREN, ZK_READ, true, RUN(count_children)},
    {JUTE_SET_WATCHES2, ZK_READ, true, RUN(set_watches)},
    {JUTE_ADD_WATCH, ZK_READ, true, true, RUN(add_watch)},
    {JUTE_WHO_AM_I, ZK_READ, true, true, RUN(who_am_i)},
    {JUTE_CLOSE, ZK_WRITE, WRITE(close, NULL)},
};
static const struct zk_operation unknown = {0, ZK_READ, true, true, RUN(unknown)};
static const struct zk_operation refused = {0, ZK_READ, true, true, RUN(refused)};
static const struct zk_operation leave = {0, ZK_READ, true, true, RUN(leave)};

const struct zk_operation *zk_operation_find(int32_t op, bool read_only) {
    if (read_only && op == JUTE_CLOSE)
        return &leave;
    for (size_t i = 0; i < sizeof operations / sizeof *operations; i++)
        if (operations[i].op == op)
            return read_only && !operations[i].in_read_only ? &refused : &operations[i];
    return &unknown;
}
