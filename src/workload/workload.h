/* Clients that speak RESP to any node of a cluster and write down what they saw. They run on any
 * env: in the simulator, and against real processes.
 *
 * Each client does one operation at a time, now on this node, now on that one; it times out, goes
 * away and comes back elsewhere. What it can't know the fate of is written down as unknown. The
 * checkers (check/) read the history.
 *
 * Kinds, each with keys of its own:
 * - registers: SET, GET, SETNX, GETSET, DEL and INCRBY of unique numbers on a few keys;
 * - logs: APPEND of unique tokens, and GET; the text tells the order of all that was executed;
 * - once: the same with CAIRN.ONCE and retries elsewhere after a timeout;
 * - bank: transfers between accounts as MULTI, blind or behind WATCH, each appending its token to a
 *   log of transfers, and reads of all accounts;
 * - expiry: keys with a time to live, each written by one client, mostly once, and read around its
 *   end.
 */
#ifndef CAIRN_WORKLOAD_H
#define CAIRN_WORKLOAD_H

#include "base/prng.h"
#include "env/env.h"

#define WORKLOAD_ACCOUNTS 8
#define WORKLOAD_NODES_MAX 16
#define WORKLOAD_TOKEN_BYTES 8u

enum workload_kind {
    WORKLOAD_REGISTERS,
    WORKLOAD_LOGS,
    WORKLOAD_ONCE,
    WORKLOAD_BANK,
    WORKLOAD_EXPIRY,
    WORKLOAD_KIND_COUNT
};

enum workload_action {
    WORKLOAD_SET = 1, /* argument: the value */
    WORKLOAD_GET,     /* result or nil */
    WORKLOAD_SETNX,   /* argument; result 1 or 0 */
    WORKLOAD_GETSET,  /* argument; result or nil: the old value */
    WORKLOAD_DEL,     /* result 1 or 0 */
    WORKLOAD_INCRBY,  /* argument; result: the new value */
    WORKLOAD_APPEND,  /* argument: the token; result: tokens now there */
    WORKLOAD_LIST,    /* tokens */
    WORKLOAD_ONCE_APPEND,
    WORKLOAD_ONCE_LIST,
    WORKLOAD_TRANSFER, /* argument: the token; from, to, amount; result: transfers so far; values[0]
                        * and [1]: the two new balances; watched: those before in [2] and [3] */
    WORKLOAD_BALANCES, /* values; result: transfers so far, -1: not asked */
    WORKLOAD_TRANSFERS,   /* tokens of all transfers */
    WORKLOAD_EXPIRE_SET,  /* argument: time to live, ms; the key is its number */
    WORKLOAD_EXPIRE_GET,  /* nil or not */
    WORKLOAD_LINE_APPEND, /* as APPEND and LIST, of the text that lines write */
    WORKLOAD_LINE_LIST
};

enum workload_outcome {
    WORKLOAD_PENDING,
    WORKLOAD_OK,
    WORKLOAD_FAILED, /* surely not executed */
    WORKLOAD_UNKNOWN /* executed, not executed, or still to be */
};

/* What clients do besides, as bits of 1 << enum workload_habit. */
enum workload_habit {
    WORKLOAD_HABIT_LINES,  /* clients with many commands under way on one connection */
    WORKLOAD_HABIT_RENEWS, /* a key with a time to live is given more just as it ends */
    WORKLOAD_HABIT_COUNT
};

struct workload_op {
    enum workload_action action;
    enum workload_outcome outcome;
    uint32_t client, key;
    uint32_t line;             /* of one connection, commands as they were sent; 0: none */
    uint64_t invoke, complete; /* ns; complete: of OK only, else UINT64_MAX */
    int64_t argument, result;
    bool nil;
    bool watched;
    bool empties; /* a watched transfer of all that there is: the key goes */
    uint8_t from, to;
    int32_t amount;
    int64_t values[WORKLOAD_ACCOUNTS];
    uint32_t *tokens; /* owned by the history */
    uint32_t token_count;
};

struct workload_options {
    uint64_t seed;
    uint32_t clients;
    uint32_t first_client; /* number of the first: unique among the workloads of a run */
    uint32_t kinds;        /* bits 1 << enum workload_kind */
    uint32_t habits;
    uint32_t keys;     /* of registers, logs and once, each */
    uint64_t think_ns; /* between two operations of a client, about */
    uint64_t timeout_ns;
    uint64_t expiry_ms_max;
    bool sessions_may_end; /* clocks jump: a session may be over before its time */
    /* One clock for all workloads of a run, for the history. */
    uint64_t (*now)(void *context);
    void *context;
    void (*log)(void *context, const char *text); /* may be NULL */
};

struct workload;

struct workload *workload_open(struct env *env, const struct workload_options *options);
/* After its env has stopped calling back. */
void workload_free(struct workload *workload);
/* The nodes that clients talk to: "host:port" each; the list may change at any time. */
void workload_nodes(struct workload *workload, const char *const *addresses, uint32_t count);
/* Clients begin. */
void workload_start(struct workload *workload);
/* No new operations; those under way go on to their end. */
void workload_stop(struct workload *workload);
/* Nothing is under way. */
bool workload_idle(const struct workload *workload);
/* After stop, by one client, each until it succeeds: a write through every node, then a read of
 * everything. */
void workload_finish(struct workload *workload);
bool workload_finished(const struct workload *workload);
/* One command, once, to one node; the answer is only logged. */
void workload_command(struct workload *workload, uint32_t node, const char *const *words,
                      size_t count);
/* One of those is not answered yet. */
bool workload_commanding(const struct workload *workload);

size_t workload_count(const struct workload *workload);
const struct workload_op *workload_op(const struct workload *workload, size_t n);
/* NULL, or what a client saw that can't be right by itself. */
const char *workload_broken(const struct workload *workload);
struct workload_stats {
    uint64_t ok, failed, unknown, retries, connections;
};
void workload_stats(const struct workload *workload, struct workload_stats *stats);
/* One line of text an operation. */
void workload_print_op(const struct workload_op *op, struct buf *out);

#endif
