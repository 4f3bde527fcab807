/* What the files of torture/ share: one run. */
#ifndef CAIRN_TORTURE_INTERNAL_H
#define CAIRN_TORTURE_INTERNAL_H

#include "base/list.h"
#include "env/env.h"
#include "runtime/folders.h"
#include "runtime/runtime.h"
#include "torture/layer.h"
#include "torture/proxy.h"
#include "torture/torture.h"

#define RUN_CHANNELS 3     /* ports of a node that the proxy stands before */
#define RUN_ACCOUNTS 5     /* of the bank */
#define RUN_BALANCE 100    /* of each account at the start */
#define REQUEST_KEYS_MAX 8 /* of one request to a store */

struct run;

/* ---- processes (process.c) ---- */

struct args {
    const char *words[64]; /* NULL at the end */
    unsigned count;
    struct buf text; /* of words that were made */
};
void args_add(struct args *args, const char *word);
void args_addf(struct args *args, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Starts a program with its output in a file (appended). env_words: NAME=VALUE, NULL at the end.
 * The child is in a process group of its own and ends with this one. -1: it could not. */
pid_t process_start(const struct args *args, const char *const *env_words, const char *log);
/* True when it has ended (and is no more). */
bool process_ended(pid_t pid, int *status);
/* True: found in the path or as it is. */
bool program_exists(const char *program);
bool port_is_free(uint16_t port);

/* ---- nodes ---- */

enum node_role { ROLE_UNKNOWN, ROLE_FOLLOWER, ROLE_LEADER };

/* What a node says about itself, asked by the probe. */
struct node_state {
    enum node_role role;
    uint64_t term; /* whatever rises from leader to leader */
    uint64_t at_ns;
    /* Redis only */
    bool link_down;
    uint64_t link_down_s, offset;
    unsigned follows; /* the port */
};

struct run_node {
    struct run *run;
    unsigned number;
    uint16_t ports[RUN_CHANNELS], proxied[RUN_CHANNELS]; /* what it listens on; what others dial */
    char address[80];                                    /* running servers only */
    char dir[560], log[600];
    pid_t pid;             /* 0: does not run */
    unsigned down, paused; /* by how many faults it must not run, must stand still */
    bool lose_unsynced;    /* when it is next found dead */
    bool asked;            /* to end, and has not yet */
    uint64_t start_at_ns;
    uint32_t starts;
    struct layer_control *control; /* of the layer; NULL: none */
    char control_path[600];
    struct node_state state;
    struct probe *probe; /* under way */
    const char *trouble; /* how the last probe ended; NULL: with an answer, or there was none */
};

/* ---- targets: how servers of a kind are run (target_*.c) ---- */

struct target {
    const char *name;
    const char *program, *program_file; /* what must be there: in the path; as a file */
    const char *package;                /* Debian's, where program is missing */
    unsigned nodes;
    unsigned channels;
    bool layer;                /* the layer reaches its system calls */
    uint32_t workloads;        /* bits 1 << enum torture_workload */
    const char *why_not;       /* the others can't be */
    const char *promise;       /* the level of reads without sync; NULL: linearizable */
    const struct store *store; /* how clients talk to it */
    /* Configuration files of a node; false: they could not be written. */
    bool (*prepare)(struct run *run, struct run_node *node);
    void (*command)(struct run *run, const struct run_node *node, struct args *args);
    /* What to ask a node about itself, and its answer. False: more bytes are needed. */
    void (*probe_ask)(struct run *run, const struct run_node *node, struct buf *out);
    bool (*probe_answer)(struct run *run, struct bytes bytes, struct node_state *state);
    /* Every 100 ms; may be NULL. */
    void (*tick)(struct run *run);
};
const struct target *target_named(const char *name);
extern const struct target target_cairn, target_cairn_tree, target_redis, target_zookeeper,
    target_etcd;
/* The four letters srvr, which ZooKeeper and cairn's tree answer alike (target_zookeeper.c). */
void probe_ask_srvr(struct run *run, const struct run_node *node, struct buf *out);
bool probe_answer_srvr(struct run *run, struct bytes bytes, struct node_state *state);

/* ---- stores: what clients ask for, as bytes (store_*.c) ---- */

enum store_kind {
    STORE_READ,   /* keys; a later SWAP happens only if none of them has changed */
    STORE_WRITE,  /* keys[0] */
    STORE_SWAP,   /* keys that were read */
    STORE_APPEND, /* values[0] behind what keys[0] holds */
    STORE_ADD,    /* number to keys[0] */
    STORE_CREATE, /* keys[0], only if it is not there */
    STORE_REMOVE, /* keys[0], which was read */
    STORE_PUSH,   /* values[0] behind the queue keys[0] */
    STORE_POP     /* from the queue keys[0]: texts[0], absent when empty */
};
enum store_outcome {
    STORE_MORE, /* the answer is not whole */
    STORE_OK,
    STORE_NO,      /* the condition did not hold: nothing was changed */
    STORE_FAILED,  /* surely not executed */
    STORE_UNKNOWN, /* perhaps executed */
    STORE_BROKEN   /* the connection is of no use any more; perhaps executed */
};
struct store_request {
    enum store_kind kind;
    uint32_t count;
    char keys[REQUEST_KEYS_MAX][24];
    struct buf values[REQUEST_KEYS_MAX];
    int64_t number;
    bool guarded; /* a READ after which a SWAP may come */
};
struct store_reply {
    struct buf texts[REQUEST_KEYS_MAX];
    bool absent[REQUEST_KEYS_MAX];
    int64_t versions[REQUEST_KEYS_MAX]; /* of what was read: for SWAP */
    int64_t number;
};

/* A client's side of a connection, and what it keeps over connections. */
struct store_session {
    struct run *run;
    unsigned client;
    bool fresh;    /* the connection is new */
    bool watching; /* Redis: WATCH holds */
    int stage;     /* of a request of several */
    int32_t xid;
    int64_t session_id, zxid; /* ZooKeeper */
    uint8_t password[16];
    char child[32];
    uint32_t expected;          /* replies of what was sent */
    enum store_outcome refused; /* by one of them; MORE: by none */
    struct store_request request;
    struct store_reply reply;
};

struct store {
    uint32_t native; /* bits 1 << enum store_kind: done by the server, else by READ and SWAP */
    bool rooted;     /* key "" must be written before all others */
    /* Bytes with which a connection begins; NULL: none are needed. */
    void (*hello)(struct store_session *session, struct buf *out);
    /* OK: ready; MORE; BROKEN. *used bytes were taken. */
    enum store_outcome (*welcome)(struct store_session *session, struct bytes bytes, size_t *used);
    void (*ask)(struct store_session *session, struct buf *out);
    /* More requests may be needed for one answer: then *out is not empty with MORE. */
    enum store_outcome (*answer)(struct store_session *session, struct bytes bytes, size_t *used,
                                 struct buf *out);
};
extern const struct store store_resp, store_zookeeper, store_etcd;

/* ---- clients (client.c) and what they do (work.c) ---- */

enum client_state { CLIENT_THINKS, CLIENT_DIALS, CLIENT_WAITS, CLIENT_STOPPED };

struct conn;

struct run_client {
    struct run *run;
    unsigned number;  /* from 0 */
    uint64_t process; /* as the history calls it: rises by the number of clients */
    struct prng prng;
    struct env_timer timer;
    enum client_state state;
    struct conn *conn;
    unsigned node; /* that it talks to */
    unsigned failures;
    struct store_session session;
    /* the operation */
    bool busy; /* invoked */
    bool sent;
    int op; /* enum op, of work.c */
    uint32_t key;
    int64_t value, from, to;
    unsigned attempts;
    bool holds; /* the lock of key */
    uint32_t holds_key;
    bool final_again; /* the last one said nothing */
    unsigned final_tries;
    int64_t *seen; /* by key slot: the value read last, for cas */
};

void client_open(struct run_client *client, struct run *run, unsigned number);
void client_start(struct run_client *client);
void client_stop(struct run_client *client);
bool client_idle(const struct run_client *client);
void client_free(struct run_client *client);
/* The operation is over and was written down: counts it. */
/* NO: its condition did not hold, which says something about the state; FAIL: it was not executed.
 */
enum op_end { OP_END_OK, OP_END_NO, OP_END_FAIL, OP_END_INFO };
void client_finish(struct run_client *client, enum op_end end);

/* Chooses the next operation, writes down that it begins, and fills the first request. False:
 * nothing is left to do. */
bool work_begin(struct run_client *client);
/* An answer came. True: the session's request is the next one; false: the operation is over
 * (client_finish was called). */
bool work_answer(struct run_client *client, enum store_outcome outcome);
/* The connection is lost or the time is over. */
void work_lost(struct run_client *client, bool surely_not);
/* What must be there before the first operation: the n-th write; false: there are no more. */
bool work_setup(struct run *run, uint32_t number, struct store_request *request);

/* ---- the history (history.c) ---- */

struct history_writer {
    FILE *file;
    uint64_t index;
    uint64_t start_ns;
};
bool torture_history_open(struct history_writer *history, const char *path, uint64_t start_ns);
void torture_history_close(struct history_writer *history);
/* type: invoke, ok, fail, info. key < 0: none. value: JSON; NULL: null. error: NULL: none; the
 * judge takes a cas that failed without one for a comparison that did not match. */
void torture_history_event(struct history_writer *history, uint64_t now_ns, uint64_t process,
                           const char *type, const char *f, int64_t key, const char *value,
                           const char *error);
void torture_history_fault(struct history_writer *history, uint64_t now_ns, const char *f,
                           const char *value);

/* ---- a run (torture.c, nemesis.c, probe.c, supervise.c) ---- */

enum run_phase { PHASE_START, PHASE_SETUP, PHASE_TORMENT, PHASE_HEAL, PHASE_FINAL, PHASE_END };

struct active_fault {
    struct list list;
    struct run *run;
    struct env_timer timer;
    const struct plan_event *event;
    uint32_t picked;
    bool links[PLAN_NODES_MAX + 1][PLAN_NODES_MAX + 1];
    uint32_t delay_us, jitter_us;
};

struct run {
    const struct torture_options *options;
    const struct target *target;
    struct torture_result *result;
    struct runtime *runtime;
    struct env *env;
    struct prng prng;
    struct history_writer history;
    enum run_phase phase;
    uint64_t start_ns, phase_ns; /* when the torment, the phase began */
    unsigned nodes;
    struct run_node node[PLAN_NODES_MAX + 1]; /* from 1 */
    struct proxy_board *board;                /* NULL: no proxy */
    pid_t proxy;
    char layer[600];  /* the shared object; empty: none */
    bool journal;     /* the plan has losses of power: the layer remembers what is not synced */
    unsigned leader;  /* 0: unknown */
    unsigned primary; /* Redis: the node that the manager has appointed */
    uint64_t down_ns; /* Redis: since when the primary seems down; 0: it is not */
    uint32_t next_event;
    struct list active; /* faults that last */
    struct env_timer tick, event_timer;
    uint64_t ticks;
    struct run_client *clients;
    uint32_t client_count;
    uint32_t final_next; /* keys that were read at the end */
    int64_t next_value;
    uint32_t *key_uses;    /* by key slot */
    uint32_t key_turn_max; /* uses of a key before a new one takes its place; 0: no end */
    uint32_t keys_made;
    uint32_t *slot_keys; /* by slot: the key that is in it */
    uint32_t setup_next;
    uint64_t last_ok_ns;
    bool stopping;
    uint32_t skipped_told; /* bits of faults */
    char cluster[40];
};

void run_say(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
void run_fail(struct run *run, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What clients dial: the proxy where there is one. */
void run_address(const struct run *run, unsigned node, char *out, size_t size);
uint64_t run_ms(const struct run *run); /* since the torment began */
/* Keeps the longest time without an operation that went well; before each of these, and at the end.
 */
void run_look_at_gap(struct run *run);

/* supervise.c: processes of nodes */
bool node_start(struct run_node *node);
void node_signal(struct run_node *node, int number);
/* Looks which have ended, starts those that are due. */
void nodes_look(struct run *run);
void nodes_end(struct run *run);

/* probe.c */
void probes_send(struct run *run);
void probes_close(struct run *run);
bool nodes_serve(const struct run *run);

/* nemesis.c */
void nemesis_start(struct run *run);
/* Ends every fault that still lasts. */
void nemesis_heal(struct run *run);

/* judge.c: asks `cairn check` */
void judge_history(const struct torture_options *options, struct torture_result *result);

#endif
