/* What a requester is told when a request ended without a reply of the machine: one table, for
 * every door and for the documentation. */
#include "node/node.h"

static const struct node_error table[] = {
    {CAIRN_NO_QUORUM, NODE_EXECUTED_NOT,
     "CLUSTERDOWN no quorum: a majority of the replicas can't be reached; not executed"},
    {CAIRN_TIMEOUT, NODE_EXECUTED_READ,
     "CLUSTERDOWN the answer did not come in time; a read changes nothing, try again"},
    {CAIRN_REMOVED, NODE_EXECUTED_NOT,
     "CLUSTERDOWN this node was removed from the cluster; not executed, ask another node"},
    {CAIRN_NOT_LEADER, NODE_EXECUTED_NOT, "TRYAGAIN the leader changed; not executed"},
    {CAIRN_NOT_EXECUTED, NODE_EXECUTED_NOT, "TRYAGAIN the leader changed; not executed"},
    {CAIRN_UNKNOWN_FATE, NODE_EXECUTED_PERHAPS,
     "UNKNOWN the outcome is unknown: the command may or may not have been executed, or may still "
     "be"},
    {CAIRN_BUSY, NODE_EXECUTED_NOT, "BUSY too much work is outstanding; not executed, try again"},
    {CAIRN_TOO_LARGE, NODE_EXECUTED_NOT, "ERR the command is larger than the limit; not executed"},
    {CAIRN_NO_SPACE, NODE_EXECUTED_NOT,
     "MISCONF the disk is full; not executed (reads go on, and writes when there is space again)"},
    {CAIRN_DAMAGED, NODE_EXECUTED_NOT,
     "DAMAGED this node's data is damaged, or the replicas differ; not executed (see cairn "
     "status)"},
    {CAIRN_INVALID, NODE_EXECUTED_NOT,
     "ERR a member needs an id above 0 and the address of its peer port, host:port"},
    {CAIRN_SHUTDOWN, NODE_EXECUTED_NOT,
     "SHUTDOWN this node is stopping; not executed, ask another node"},
    /* Any other status. */
    {CAIRN_OK, NODE_EXECUTED_NOT, "ERR the command failed on this node; not executed"},
};
#define COUNT (sizeof table / sizeof *table)

const struct node_error *node_error_at(size_t n) {
    return n < COUNT ? &table[n] : NULL;
}

const char *node_error_text(enum cairn_status status) {
    for (size_t i = 0; i < COUNT; i++)
        if (table[i].status == status)
            return table[i].text;
    return table[COUNT - 1].text;
}
