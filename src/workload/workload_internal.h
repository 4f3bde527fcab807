/* What the files of workload/ share. */
#ifndef CAIRN_WORKLOAD_INTERNAL_H
#define CAIRN_WORKLOAD_INTERNAL_H

#include "base/list.h"
#include "wire/resp.h"
#include "workload/workload.h"

struct workload_client;

/* One connection: lives until its stream has told its end, whatever still refers to it. */
struct workload_conn {
    struct env_stream stream;
    struct list list; /* workload->conns */
    struct workload *workload;
    struct workload_client *client; /* NULL: abandoned */
    bool open, closed;
    bool watches; /* a WATCH may stand: the reads behind it were refused, and no EXEC came */
    bool command; /* of workload_command: log the answer, then close */
    struct buf in, out;
};

enum client_state { CLIENT_THINKS = 1, CLIENT_DIALS, CLIENT_WAITS, CLIENT_STOPPED };

struct workload_client {
    struct workload *workload;
    struct env_timer timer;
    uint32_t number;
    struct prng prng;
    enum client_state state;
    struct workload_conn *conn;
    uint32_t node;
    struct workload_op op;
    int stage; /* of an operation of several round trips */
    struct buf request;
    uint32_t replies; /* still to come */
    bool sent;        /* some of it may have reached a node */
    bool forced_node; /* of the final script: only there */
    uint32_t attempts;
    uint32_t next_token;
    int64_t session; /* 0: none yet */
    int64_t sequence;
    bool sequence_free; /* the last one was surely not executed: it is used again */
    bool opening_session;
};

struct workload {
    struct env *env;
    struct workload_options options;
    struct workload_client *clients;
    struct list conns;
    char nodes[WORKLOAD_NODES_MAX][80];
    uint32_t node_count;
    struct workload_op *ops;
    size_t count, cap;
    uint32_t expiry_keys; /* written so far */
    bool started, stopped, finishing;
    uint32_t script_at, script_failures;
    char broken[256];
    struct workload_stats stats;
};

/* workload_op.c: what to ask, and what an answer means */

/* Chooses the next operation and writes its first request; false: the final script is over. */
bool op_choose(struct workload_client *client);
/* The request of the present stage, once more. */
void op_request(struct workload_client *client);
/* The last of the replies that were expected, and all of them. True: the operation is over, with
 * its outcome set; false: the next stage's request stands ready, or it is to be tried again. */
bool op_answer(struct workload_client *client, struct bytes replies, bool *again);

void workload_report(struct workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
