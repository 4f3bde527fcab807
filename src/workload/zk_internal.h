/* What the files of ZooKeeper's clients share. */
#ifndef CAIRN_WORKLOAD_ZK_INTERNAL_H
#define CAIRN_WORKLOAD_ZK_INTERNAL_H

#include "base/list.h"
#include "wire/jute.h"
#include "workload/zk.h"

struct zk_client;

struct zk_conn {
    struct env_stream stream;
    struct list list; /* workload->conns */
    struct zk_workload *workload;
    struct zk_client *client; /* NULL: abandoned */
    bool closed;
    bool live;    /* the handshake is over */
    bool anew;    /* it registers watches anew, and is not answered yet */
    bool lingers; /* its client went elsewhere and left it open */
    bool asked;   /* then: something that only a session's own connection is answered */
    struct buf in;
};

/* A request under way, in the order sent. */
struct zk_pending {
    struct list list;
    struct zk_op op;
    int32_t xid;
};

enum zk_watch_kind {
    ZK_WATCH_DATA = 1,
    ZK_WATCH_EXIST, /* of a node that was not there */
    ZK_WATCH_CHILD,
    ZK_WATCH_PERSISTENT,
    ZK_WATCH_RECURSIVE
};
struct zk_watch {
    struct list list;
    enum zk_watch_kind kind;
    char path[ZK_PATH_MAX];
};

#define ZK_KEYS_MAX 8u
#define ZK_SEEN_MAX 4u

struct zk_client {
    struct zk_workload *workload;
    struct env_timer timer;
    uint32_t number;
    struct prng prng;
    struct zk_conn *conn;
    struct zk_conn *lingering; /* the connection before, as long as it is open; NULL: none */
    uint32_t node;
    uint64_t session; /* 0: none */
    uint8_t password[JUTE_PASSWORD_BYTES];
    uint64_t timeout_ns;
    uint64_t zxid; /* newest seen */
    int32_t next_xid;
    struct list pending;
    uint32_t pending_count;
    struct list watches;
    uint64_t think_at, ping_at, dial_at;
    uint64_t heard_ns;
    uint64_t ping_sent_ns; /* 0: none under way */
    uint64_t knocked_ns;   /* when the handshake under way was sent */
    uint64_t sign_ns;      /* when the newest request that was answered had been sent */
    bool closing;          /* it asked for the end of its session */
    uint32_t next_token;
    int32_t versions[ZK_KEYS_MAX];        /* of registers, as last seen */
    char queue[ZK_SEEN_MAX][ZK_PATH_MAX]; /* members of the queue, as last seen */
    uint32_t script_at;
    bool script_over;
    uint64_t sync_ns; /* when the sync before the next read was sent; 0: none */
};

struct zk_workload {
    struct env *env;
    struct zk_options options;
    struct zk_client *clients;
    struct list conns;
    char nodes[ZK_NODES_MAX][80];
    uint32_t node_count;
    struct zk_op *ops;
    size_t count, cap;
    bool stopped, finishing;
    char broken[256];
    struct zk_stats stats;
};

/* zk.c */
void zk_report(struct zk_workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
void zk_write_down(struct zk_client *client, struct zk_op *op);
/* Sends a request; its answer is awaited. The op is copied. */
void zk_request(struct zk_client *client, const struct zk_op *op, struct buf *frame);

/* zk_choose.c: what to ask */
void zk_choose(struct zk_client *client);
/* The next request of the final script; false: it is over. */
bool zk_script(struct zk_client *client);

/* zk_codec.c: requests and answers */
void zk_encode(struct buf *out, int32_t xid, const struct zk_op *op);
/* Fills op from the answer's record; false: malformed. */
bool zk_decode(struct reader *reader, struct zk_op *op);
/* All watches, to be registered anew. */
void zk_encode_watches(struct buf *out, const struct zk_client *client);
bool zk_changes(const struct zk_op *op);

static inline bool zk_has_habit(const struct zk_client *client, enum zk_habit habit) {
    return client->workload->options.habits >> habit & 1;
}

/* zk_watch.c */
void zk_watch_add(struct zk_client *client, enum zk_watch_kind kind, const char *path);
/* What an answer registers. */
void zk_watch_answered(struct zk_client *client, const struct zk_op *op);
/* A notification takes one-shot watches away; false: nothing was watched there. */
bool zk_watch_fired(struct zk_client *client, int32_t event, const char *path);
void zk_watch_forget(struct zk_client *client);

#endif
