/* The fault proxy: a process of its own between every pair of nodes and between clients and nodes.
 *
 * Each node has one address that others are told, and the proxy listens there. Who dials is found
 * by asking the kernel which of our processes owns the other end of the connection; any other
 * is a client (number 0). What passes from a to b obeys the rule of the link (a, b), in whichever
 * direction the connection was made.
 *
 * The board is memory that the tormentor and the proxy share: the tormentor writes rules, the proxy
 * reads them before every piece that it passes on.
 */
#ifndef CAIRN_TORTURE_PROXY_H
#define CAIRN_TORTURE_PROXY_H

#include "base/prng.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define PROXY_NODES 10    /* 0: clients */
#define PROXY_CHANNELS 32 /* listening ports */

struct proxy_link {
    _Atomic uint32_t blocked; /* nothing passes; > 1: by several faults */
    _Atomic uint32_t delay_us, jitter_us;
    _Atomic uint32_t loss_percent;
    _Atomic uint32_t resets; /* counts up: connections made before end */
    _Atomic uint32_t cuts;   /* counts up: the next piece ends in its middle */
};

struct proxy_channel {
    uint32_t node;
    uint16_t listen_port, forward_port;
};

struct proxy_board {
    struct proxy_link links[PROXY_NODES][PROXY_NODES]; /* [from][to] */
    _Atomic int32_t pids[PROXY_NODES];                 /* 0: does not run */
    struct proxy_channel channels[PROXY_CHANNELS];
    uint32_t channel_count;
    uint64_t seed;
    _Atomic uint32_t ready; /* 1: listens everywhere; 2: could not */
    _Atomic uint64_t connections, pieces, delayed, cut;
};

/* Shared memory for a proxy; channels are set by the caller before the start. NULL: none left. */
struct proxy_board *proxy_board_new(uint64_t seed);
void proxy_board_free(struct proxy_board *board);
/* Starts the process; it ends when its parent does. -1: it could not. */
pid_t proxy_start(struct proxy_board *board);

/* ---- rules (proxy_rule.c): pure ---- */

/* One direction's state that a rule needs to remember. */
struct proxy_flow {
    struct prng prng;
    uint64_t last_due_ns; /* order is kept */
    uint32_t cuts_seen;
};
struct proxy_verdict {
    bool hold;       /* do not take it now: the link is blocked */
    bool cut;        /* pass on `len` bytes, then break the connection */
    uint64_t due_ns; /* when to pass it on */
    size_t len;
};
/* What happens with a piece of len > 0 bytes that stands ready at now. */
struct proxy_verdict proxy_judge(const struct proxy_link *link, struct proxy_flow *flow,
                                 uint64_t now_ns, size_t len);

/* ---- which process dialled (proxy_owner.c) ---- */

/* The inode of the socket whose own port is `port` and whose peer's is `peer`, from the text of
 * /proc/net/tcp or tcp6; 0: not there. */
uint64_t proxy_find_inode(const char *table, uint16_t port, uint16_t peer);
/* The node whose process holds the other end of a connection that came from `port` to our
 * `listen_port`; 0: a client. */
unsigned proxy_owner(const struct proxy_board *board, uint16_t port, uint16_t listen_port);

#endif
