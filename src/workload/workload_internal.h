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
    struct workload_line *line;     /* likewise */
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
    /* A key that this client gives more time; renew_key: one more than its number, 0: none. */
    uint32_t renew_key;
    uint64_t renew_at; /* by the env's clock */
    bool renewed;      /* just now: it is to be there */
};

#define WORKLOAD_LINES 2u
#define WORKLOAD_LINE_DEPTH 12u

struct workload_line {
    struct workload *workload;
    struct env_timer timer;
    struct prng prng;
    uint32_t client, number; /* number: of its connections so far */
    struct workload_conn *conn;
    uint64_t dialed_ns;
    uint32_t next_token;
    struct workload_op pending[WORKLOAD_LINE_DEPTH];
    uint32_t count;
    bool over; /* stopped, and nothing is under way */
};

struct workload {
    struct env *env;
    struct workload_options options;
    struct workload_client *clients;
    struct workload_line *lines;
    uint32_t line_count;
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

static inline bool workload_has_habit(const struct workload_client *client,
                                      enum workload_habit habit) {
    return client->workload->options.habits >> habit & 1;
}

/* workload_op.c: what to ask, and what an answer means */

/* Chooses the next operation and writes its first request; false: the final script is over. */
bool op_choose(struct workload_client *client);
/* After an operation: whether its key is to be given more time, and when. */
void op_renewal_plan(struct workload_client *client);
/* The request of the present stage, once more. */
void op_request(struct workload_client *client);
/* The last of the replies that were expected, and all of them. True: the operation is over, with
 * its outcome set; false: the next stage's request stands ready, or it is to be tried again. */
bool op_answer(struct workload_client *client, struct bytes replies, bool *again);

/* workload_line.c */
void workload_lines_open(struct workload *workload);
void workload_lines_start(struct workload *workload);
bool workload_lines_idle(const struct workload *workload);
void workload_lines_free(struct workload *workload);
void workload_line_data(struct workload_line *line);
void workload_line_closed(struct workload_line *line);
void op_put_line(const struct workload_op *op, struct buf *out);
enum workload_outcome op_take_line(struct workload *workload, struct workload_op *op,
                                   struct bytes reply);

/* workload.c */
void workload_write_down(struct workload *workload, const struct workload_op *op);
struct workload_conn *workload_conn_new(struct workload *workload, uint32_t node);
void workload_conn_close(struct workload_conn *conn);
void workload_report(struct workload *workload, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
