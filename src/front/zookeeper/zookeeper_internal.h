/* Inside the ZooKeeper front end.
 *
 * zookeeper.c            opening, closing, the tick: leader lost and found, read-only mode
 * zookeeper_conn.c       connections: bytes in, bytes out, limits
 * zookeeper_session.c    the handshake; sessions that move or end
 * zookeeper_table.c      operations as data
 * zookeeper_order.c      answers in the order of requests
 * zookeeper_read.c       operations answered from the applied state
 * zookeeper_write.c      operations that become commands; multi
 * zookeeper_notify.c     operations on watches, notifications
 * zookeeper_watch.c      paths and their watchers
 * zookeeper_auth.c       identities
 * zookeeper_sasl.c       DIGEST-MD5
 * zookeeper_reconfig.c   members
 * zookeeper_server.c     a server's text in the configuration
 * zookeeper_words.c      four-letter words
 * zookeeper_status.c     what the words, the admin's commands and the metrics tell
 * zookeeper_command.c    the admin's commands as JSON
 */
#ifndef CAIRN_FRONT_ZOOKEEPER_INTERNAL_H
#define CAIRN_FRONT_ZOOKEEPER_INTERNAL_H

#include "base/hmap.h"
#include "base/list.h"
#include "core/reply.h"
#include "front/zookeeper/zookeeper.h"
#include "front/zookeeper/zookeeper_watch.h"
#include "machine/tree/tree.h"
#include "wire/jute.h"

#define ZK_VERSION_TOLD "3.9.3-cairn-" CAIRN_VERSION
#define NS_PER_MS 1000000ull
#define ZK_CONFIG_PATH "/zookeeper/config"

struct zk_call;
struct zk_slot;
struct zk_reconfig;

/* ---- operations ---- */

enum zk_kind {
    ZK_AT_ONCE, /* answered when it arrives: ping, auth, sasl */
    ZK_READ,    /* answered when all before it is */
    ZK_SYNC,    /* as a read, behind a barrier */
    ZK_WRITE,   /* sent to the node at once */
    ZK_OTHER    /* waits for its turn, then goes on by itself: reconfig */
};
struct zk_operation {
    int32_t op;
    enum zk_kind kind;
    bool in_read_only; /* served in read-only mode */
    bool stateless;    /* a read that asks nothing of the tree: no barrier */
    /* ZK_AT_ONCE, ZK_READ, ZK_SYNC: answers. ZK_OTHER: begins; zk_slot_answered ends it. */
    void (*run)(struct zk_call *call);
    /* ZK_WRITE: appends the command. An error is answered instead. */
    int32_t (*encode)(struct zk_call *call, struct buf *command);
    /* ZK_WRITE: appends the results behind a reply's header; NULL: there are none. False when the
     * machine's reply is malformed. */
    bool (*results)(const struct zk_slot *slot, struct reader *reply, struct buf *out);
};
/* Never NULL: what is unknown, or not served in read-only mode, is an operation that answers so. */
const struct zk_operation *zk_operation_find(int32_t op, bool read_only);

/* A request while it is handled. */
struct zk_call {
    struct zk_conn *conn;
    const struct zk_operation *operation;
    struct zk_slot *slot; /* NULL: answered at once */
    int32_t xid, op;
    struct reader body;
    struct buf *out; /* where the answer goes */
    size_t start;    /* of the answer's frame */
    uint64_t zxid;
    int32_t error;
};

/* A request's place in the order of answers. */
enum zk_slot_state {
    ZK_SLOT_HELD,  /* bytes: the request's body */
    ZK_SLOT_ASKED, /* under way */
    ZK_SLOT_DONE   /* bytes: the answer */
};
struct zk_slot {
    struct list list; /* conn->slots */
    struct zk_conn *conn;
    const struct zk_operation *operation;
    int32_t xid, op;
    uint8_t state;  /* enum zk_slot_state */
    bool barrier;   /* it needs one ... */
    bool confirmed; /* ... and has it */
    bool counted;   /* in front->outstanding */
    uint64_t since_ns;
    struct buf bytes;
    struct buf parts; /* of a multi: its operations, i32 each */
    struct zk_reconfig *reconfig;
};

/* ---- connections ---- */

enum zk_phase {
    ZK_FRESH,      /* nothing came yet: a connect request or a word */
    ZK_CONNECTING, /* the session is being opened or taken over */
    ZK_SERVING
};

struct zk_sasl;

/* What the words tell of a connection, and with the same fields of the server. */
struct zk_traffic {
    uint64_t received, sent;
    uint64_t latency_count, latency_total_us, latency_min_us, latency_max_us;
};

struct zk_conn {
    struct env_stream stream;
    struct list list;      /* front->conns */
    struct list dirty;     /* front->dirty: something to write or to read on */
    struct list throttled; /* front->throttled */
    struct zookeeper_front *front;
    struct node_client client;
    uint8_t phase; /* enum zk_phase */
    bool closing;  /* nothing is read any more; close once all is written */
    bool closed;   /* env_close was called */
    bool ended;    /* its client sends nothing more, and gets what it asked for */
    bool starved;  /* `in` holds no whole request */
    bool read_paused, in_loop;
    bool ending;    /* its client closed the session */
    bool read_only; /* served in read-only mode */
    bool mapped;    /* in front->by_session */
    bool tls;       /* came by the listener with TLS ... */
    bool opened;    /* ... and its handshake is over */
    char address[64];
    struct zk_address *host; /* of front->hosts */
    struct buf in, out;
    size_t in_at;    /* what of `in` was taken and is to be forgotten */
    struct buf late; /* used by one mutant only */

    struct hnode by_session;
    uint64_t session, holder;
    struct jute_connect connect; /* what it asked for, then what it was granted */
    uint64_t alive_ns;           /* when a sign of life was last passed on */
    uint64_t zxid;               /* the newest that it was told */

    struct buf ids;  /* identities: blocks scheme, id in turn */
    struct buf head; /* of its commands: opcode and caller */
    struct zk_sasl *sasl;
    struct zk_watcher watcher;

    struct list slots;
    uint32_t slot_count;
    uint32_t barriers; /* slots that wait for theirs: no write behind them is sent */
    uint32_t held;     /* writes that wait */
    size_t slot_bytes;
    size_t answer_bytes; /* of the largest of its last answers, about */
    uint64_t answered;

    uint64_t since_ns, heard_ns, asked_ns;
    uint64_t established_ms; /* wall time */
    struct zk_traffic traffic;
    int32_t last_op, last_xid;
    uint64_t last_latency_us, last_response_ms;
};

/* An address's connections. */
struct zk_address {
    struct hnode node;
    uint32_t count;
    char text[64];
};

/* Constants, but in the simulator, which makes some of them small (base/rare.h). */
struct zookeeper_limits {
    unsigned slice_requests; /* of one client in a turn */
    size_t slots_max;        /* requests of one client under way */
    size_t output_each_max;
    size_t buffer_kept; /* a larger buffer is given back when it is empty */
    uint64_t sweep_ns;  /* all connections are looked at so often */
};

struct zookeeper_front {
    struct node *node;
    struct env *env;
    struct zookeeper_options options;
    struct zookeeper_limits limits;
    uint32_t keyspace;
    struct env_listener listener, tls_listener;
    bool listening, tls_listening, stopping;
    struct list conns, dirty, throttled;
    struct hmap by_session, hosts;
    uint32_t conn_count;
    uint32_t tls_count; /* of these, with TLS */
    struct zk_watches *watches;
    struct spans request_times; /* never reset, other than traffic */
    struct node_client client;  /* of the front end itself: tells the tree its address */
    bool telling, told;         /* this server's own address, to the tree */
    bool told_once;             /* since the start */
    uint64_t zxid;              /* the newest applied that was heard of */
    size_t input_bytes;         /* of requests that were not taken yet */
    uint32_t outstanding;       /* requests with the node */
    uint64_t started_ns, now_ns;
    uint64_t leader_ns; /* when there last was a leader */
    uint64_t swept_ns;  /* when all connections were last looked at */
    bool has_leader;
    bool removed;   /* the node is no member any more: clients find other servers */
    bool read_only; /* the mode is on */
    struct env_timer timer;
    struct zk_traffic traffic;
    struct {
        uint64_t connections, rejected, malformed, throttled, auth_failed, large, notifications,
            moved, expired, unknown;
        uint64_t tls_connections, tls_failed;
        uint64_t bytes_received, connects;
        uint64_t dropped; /* connections that their clients ended, and not the session */
        uint64_t response_last, response_min, response_max;
    } counters;
    struct buf command, answer; /* scratch: of the command and the reply at hand */
    struct buf change_frame;    /* the notification that is being sent out */
};

/* zookeeper.c */
/* The answer of the tree to a read on the node's own behalf. False: there is none now. */
bool zk_ask(struct zookeeper_front *front, struct bytes query, struct buf *answer);
/* The newest zxid applied here. */
uint64_t zk_zxid(struct zookeeper_front *front);

uint64_t zk_wall_ms(struct zookeeper_front *front);

/* zookeeper_conn.c */
void zk_conn_dirty(struct zk_conn *conn);
/* What is answered so far still leaves. */
void zk_conn_close(struct zk_conn *conn);
/* At once: what its client asked for will not be answered. */
void zk_conn_lose(struct zk_conn *conn);
void zk_conn_throttle(struct zk_conn *conn);
/* What of its output a client may leave unread before it is read no more. */
size_t zk_output_max(const struct zookeeper_front *front);
void zk_limits_open(struct zookeeper_front *front);

struct env_stream *zk_accept(struct env_listener *listener, const char *peer_address);
/* By the listener with TLS. */
struct env_stream *zk_accept_tls(struct env_listener *listener, const char *peer_address);
void zk_conn_free_all(struct zookeeper_front *front);

/* zookeeper_session.c */
void zk_session_connect(struct zk_conn *conn, struct bytes frame);
void zk_session_alive(struct zk_conn *conn);
void zk_session_forget(struct zk_conn *conn);
void zk_session_changed(struct zookeeper_front *front, const struct change *change);

/* zookeeper_order.c */
void zk_order_take(struct zk_conn *conn, struct bytes frame);
/* Goes on where a barrier, a full node or a slot's end held it. */
void zk_order_advance(struct zk_conn *conn);
void zk_order_drop(struct zk_conn *conn);
/* A slot of ZK_OTHER has its answer in bytes. */
void zk_slot_answered(struct zk_slot *slot);
/* An answer: begin, append results, end. With an error the results are dropped. */
struct buf *zk_answer_begin(struct zk_call *call);
void zk_answer_end(struct zk_call *call, int32_t error);
/* Without results. */
void zk_answer(struct zk_call *call, int32_t error);

/* What every reply of the tree begins with; what follows are the results. */
struct zk_reply {
    int32_t error;
    uint64_t zxid;
    struct reader results;
};
bool zk_reply_take(struct bytes reply, struct zk_reply *taken);
bool zk_take_int(struct reader *reader, int64_t *value);
/* A nil is a null. */
bool zk_take_bulk(struct reader *reader, struct bytes *value);
bool zk_take_array(struct reader *reader, uint32_t *count);

/* zookeeper_read.c */
/* Begins a query of the caller in front->command. */
struct buf *zk_query(struct zk_conn *conn, enum tree_opcode opcode);
/* Asks what front->command holds; the call learns its zxid. The error to answer, or OK. */
int32_t zk_read(struct zk_call *call, struct reader *results);
/* Appends a tree's stat as clients know it. */
bool zk_put_stat(struct reader *reader, struct buf *out);

/* zookeeper_notify.c */
/* What watches the path is told, if it may read it; whether told or not, a one-time watch is used
 * up. */
void zk_notify(struct zookeeper_front *front, const struct change *change, enum tree_event event,
               uint64_t zxid);
void zk_watch(struct zk_conn *conn, struct bytes path, unsigned kinds);

/* zookeeper_auth.c */
void zk_auth_open(struct zk_conn *conn);
/* Of TLS, once the handshake is over: x509, if it showed a certificate. */
void zk_auth_certificate(struct zk_conn *conn);
/* An identity that was proven: the seam for TLS. False: too many. */
bool zk_auth_add(struct zk_conn *conn, struct bytes scheme, struct bytes id);
bool zk_auth_super(const struct zk_conn *conn);
/* The head of commands follows session, holder and identities. */
void zk_auth_changed(struct zk_conn *conn);

/* zookeeper_sasl.c */
void zk_sasl_free(struct zk_sasl *sasl);

/* zookeeper_reconfig.c */
void zk_reconfig_free(struct zk_reconfig *reconfig);
/* /zookeeper/config, whatever its rights; its stat in rest. Valid until the next question. */
bool zk_config_read(struct zookeeper_front *front, struct bytes *data, struct reader *rest,
                    uint64_t *zxid);

/* zookeeper_words.c */
/* True: the first four bytes are a word, and it was answered or refused. */
bool zk_word(struct zk_conn *conn, struct bytes bytes);

/* zookeeper_status.c */
struct zk_summary {
    bool serving;
    uint64_t nodes, ephemerals, sessions, data_bytes, zxid;
    const char *mode; /* "leader", "follower", "observer", "standalone", "read-only" */
    struct node_status node;
    struct zk_watch_counts watches;
    uint32_t followers, observers; /* of a leader: those that it hears */
};
void zk_summarise(struct zookeeper_front *front, struct zk_summary *summary);
void zk_traffic_latency(struct zk_traffic *traffic, uint64_t latency_us);
double zk_traffic_average(const struct zk_traffic *traffic);
/* mntr's lines: each name and value. */
typedef void zk_line(void *context, const char *name, const char *value);
void zk_monitor(struct zookeeper_front *front, zk_line *line, void *context);
void zk_environment(struct zookeeper_front *front, zk_line *line, void *context);
void zk_configuration(struct zookeeper_front *front, zk_line *line, void *context);
void zk_reset_server(struct zookeeper_front *front);
void zk_reset_connections(struct zookeeper_front *front);
/* Files in the node's folder and the folders within. */
uint64_t zk_folder_bytes(struct zookeeper_front *front);

/* The operations, by file; zookeeper_table.c names them. */
#define ZK_RUN(name) void zk_run_##name(struct zk_call *call)
#define ZK_ENCODE(name) int32_t zk_encode_##name(struct zk_call *call, struct buf *command)
#define ZK_RESULTS(name) \
    bool zk_results_##name(const struct zk_slot *slot, struct reader *reply, struct buf *out)
ZK_RUN(exists); /* zookeeper_read.c */
ZK_RUN(get);
ZK_RUN(get_acl);
ZK_RUN(children);
ZK_RUN(multi_read);
ZK_RUN(ephemerals);
ZK_RUN(count_children);
ZK_RUN(sync);
ZK_RUN(ping);
ZK_RUN(unknown);
ZK_RUN(refused);
ZK_RUN(leave);
ZK_RUN(check_watches); /* zookeeper_notify.c */
ZK_RUN(remove_watches);
ZK_RUN(add_watch);
ZK_RUN(set_watches);
ZK_RUN(auth); /* zookeeper_auth.c */
ZK_RUN(who_am_i);
ZK_RUN(sasl);      /* zookeeper_sasl.c */
ZK_RUN(reconfig);  /* zookeeper_reconfig.c */
ZK_ENCODE(create); /* zookeeper_write.c */
ZK_ENCODE(delete);
ZK_ENCODE(set);
ZK_ENCODE(set_acl);
ZK_ENCODE(multi);
ZK_ENCODE(close);
ZK_RESULTS(create);
ZK_RESULTS(create2);
ZK_RESULTS(set);
ZK_RESULTS(multi);

#endif
