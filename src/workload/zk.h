/* ZooKeeper clients that talk to any node of a cluster and write down what they saw: sessions that
 * move between servers, many requests under way on a connection, watches, ephemerals, sequences,
 * transactions. They run on any env; the checker (check/tree_history.h) reads the history.
 *
 * A client keeps its session like the real ones do: it pings after a third of the timeout, leaves a
 * server that is silent for two thirds, comes back elsewhere with the session's password and the
 * newest zxid it saw, and registers its watches anew. A session that it is told to be over is
 * followed by a new one.
 *
 * The history has everything that reached one client in the order in which it arrived: answers,
 * notifications, handshakes. A request that a lost connection left unanswered stands where the
 * connection was lost.
 */
#ifndef CAIRN_WORKLOAD_ZK_H
#define CAIRN_WORKLOAD_ZK_H

#include "base/prng.h"
#include "env/env.h"

#define ZK_PATH_MAX 40u
#define ZK_PARTS_MAX 3u
#define ZK_NODES_MAX 16u
#define ZK_TTL_MS 1500u

/* What clients do besides, as bits of 1 << enum zk_habit. */
enum zk_habit {
    ZK_HABIT_TTL_SET,     /* nodes with a time to live are written again before they go */
    ZK_HABIT_LEAF_WATCH,  /* children are watched where a node has none, and comes and goes */
    ZK_HABIT_LATE_RETURN, /* a client is silent until just about the end of its session */
    ZK_HABIT_LINGER,      /* a client leaves its old connection open when it goes elsewhere */
    ZK_HABIT_COUNT
};

enum zk_action {
    ZK_CREATE = 1,
    ZK_DELETE,
    ZK_SET,
    ZK_CHECK, /* only in a transaction */
    ZK_GET,
    ZK_EXISTS,
    ZK_CHILDREN,
    ZK_SYNC,
    ZK_ADD_WATCH,    /* persistent; recursive when mode is 1 */
    ZK_CONNECTED,    /* the handshake's answer: of a new session, or an old one (resumed) */
    ZK_EXPIRED,      /* the handshake's answer: that session is over */
    ZK_CLOSE,        /* of the session, by its client */
    ZK_NOTIFICATION, /* mode: enum zk_event */
    ZK_LOST          /* the connection */
};

enum zk_event { ZK_EVENT_CREATED = 1, ZK_EVENT_DELETED, ZK_EVENT_DATA, ZK_EVENT_CHILDREN };
enum zk_error { ZK_NO_NODE = -101, ZK_BAD_VERSION = -103, ZK_NODE_EXISTS = -110 };

enum zk_outcome {
    ZK_ANSWERED = 1, /* error tells how */
    ZK_UNANSWERED    /* executed, or not, or still to be */
};

struct zk_stat {
    uint64_t czxid, mzxid, pzxid, owner;
    int32_t version, cversion, children;
};

/* One operation, or one part of a transaction. */
struct zk_part {
    enum zk_action action;
    char path[ZK_PATH_MAX]; /* of a created sequential node: the name that it got */
    int32_t version;        /* asked for; -1: any */
    int32_t mode;           /* create: flags; add-watch: mode; notification: enum zk_event */
    uint64_t token;         /* written, or read; 0: none, or not a token */
    int32_t error;
};

struct zk_op {
    struct zk_part parts[ZK_PARTS_MAX];
    uint32_t part_count; /* 1: not a transaction */
    enum zk_outcome outcome;
    uint32_t client;
    uint64_t session;
    uint64_t invoke, complete; /* ns */
    uint64_t zxid;             /* of the answer's header, or the notification's */
    int32_t error;             /* of the whole */
    bool watch;
    bool synced; /* a read whose client asked for sync, with nothing between, before it */
    bool resumed;
    bool final;          /* asked when all was healed */
    uint64_t timeout_ns; /* CONNECTED, EXPIRED: the session's */
    uint64_t sign_ns;    /* EXPIRED: when the last request that a server answered was sent */
    struct zk_stat stat;
    char *children; /* names, each ended by a newline; owned by the history */
};

struct zk_options {
    uint64_t seed;
    uint32_t clients;
    uint32_t first_client;
    uint32_t keys;       /* of each kind of path */
    uint32_t depth;      /* requests under way on a connection */
    uint64_t think_ns;   /* between two requests of a client, about */
    uint64_t timeout_ns; /* of sessions, as asked for */
    uint32_t habits;
    bool naps; /* now and then a client is silent for so long that its session may end */
    uint64_t (*now)(void *context);
    void *context;
};

struct zk_workload;

struct zk_workload *zk_open(struct env *env, const struct zk_options *options);
void zk_free(struct zk_workload *workload);
void zk_nodes(struct zk_workload *workload, const char *const *addresses, uint32_t count);
void zk_start(struct zk_workload *workload);
/* No new requests; those under way go on to their end, and sessions are kept. */
void zk_stop(struct zk_workload *workload);
bool zk_idle(const struct zk_workload *workload);
/* What the first client that waits for something waits for, as text. */
void zk_print_waiting(const struct zk_workload *workload, struct buf *out);
/* After stop: every client, through whichever server, syncs and reads everything. */
void zk_finish(struct zk_workload *workload);
bool zk_finished(const struct zk_workload *workload);

size_t zk_count(const struct zk_workload *workload);
const struct zk_op *zk_op(const struct zk_workload *workload, size_t n);
/* NULL, or what a client saw that can't be right by itself. */
const char *zk_broken(const struct zk_workload *workload);
struct zk_stats {
    uint64_t answered, unanswered, sessions, resumed, expired, notifications;
};
void zk_stats(const struct zk_workload *workload, struct zk_stats *stats);
void zk_print_op(const struct zk_op *op, struct buf *out);

#endif
