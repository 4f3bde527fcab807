/* The tree machine: ZooKeeper's hierarchy of znodes with its sessions, as replicated state (Hunt et
 * al. 2010, section 2; what clients can see is ZooKeeper 3.9's).
 *
 * A command is u8 opcode, the caller (below), then the operation's own fields as TREE_OPERATIONS
 * lists them; made by the tree_put_* encoders here. Errors are numbers that clients of ZooKeeper
 * know (enum tree_error); what is not such an error (a malformed command) is an error reply.
 *
 * A reply is an array: int error, int zxid, then the operation's results when error is 0. zxid is
 * the one that a write was given (a refused one has one too), or for reads that of the newest write
 * applied.
 *
 * Zxids are the machine's: u32 visible epoch, u32 counter; they rise with every write. The epoch
 * rises by one when the first write of another term is applied, and when the counter is used up.
 *
 * Times come from the entry (replicated time, ms since the Unix epoch). Opcodes are stored in logs:
 * a number is never given a second meaning.
 */
#ifndef CAIRN_MACHINE_TREE_H
#define CAIRN_MACHINE_TREE_H

#include "core/machine.h"

extern const struct machine_kind machine_tree;

#define TREE_PATH_MAX 65535u
#define TREE_PASSWORD_BYTES 16u
#define TREE_TTL_MS_MAX ((1ull << 40) - 1)
#define TREE_MULTI_MAX 100000u /* operations in one multi */

/* X(constant, number, text) */
#define TREE_ERROR_LIST(X)                                                                         \
    X(OK, 0, "ok")                                                                                 \
    X(SYSTEM, -1, "system error")                                                                  \
    X(INCONSISTENT, -2, "runtime inconsistency") /* also: a multi's parts behind the failed one */ \
    X(DATA_INCONSISTENT, -3, "data inconsistency")                                                 \
    X(CONNECTION_LOSS, -4, "connection loss")                                                      \
    X(MARSHALLING, -5, "marshalling error")                                                        \
    X(UNIMPLEMENTED, -6, "unimplemented")                                                          \
    X(OPERATION_TIMEOUT, -7, "operation timeout")                                                  \
    X(BAD_ARGUMENTS, -8, "bad arguments")                                                          \
    X(NEW_CONFIG_NO_QUORUM, -13, "no quorum of the new configuration is connected")                \
    X(RECONFIG_IN_PROGRESS, -14, "another reconfiguration is in progress")                         \
    X(UNKNOWN_SESSION, -12, "unknown session")                                                     \
    X(API, -100, "api error")                                                                      \
    X(NO_NODE, -101, "no node")                                                                    \
    X(NO_AUTH, -102, "not authorised")                                                             \
    X(BAD_VERSION, -103, "bad version")                                                            \
    X(NO_CHILDREN_FOR_EPHEMERALS, -108, "ephemerals may not have children")                        \
    X(NODE_EXISTS, -110, "node exists")                                                            \
    X(NOT_EMPTY, -111, "not empty")                                                                \
    X(SESSION_EXPIRED, -112, "session expired")                                                    \
    X(INVALID_CALLBACK, -113, "invalid callback")                                                  \
    X(INVALID_ACL, -114, "invalid acl")                                                            \
    X(AUTH_FAILED, -115, "authentication failed")                                                  \
    X(SESSION_MOVED, -118, "session moved")                                                        \
    X(NOT_READ_ONLY, -119, "not a read-only call")                                                 \
    X(EPHEMERAL_ON_LOCAL_SESSION, -120, "ephemeral on a local session")                            \
    X(NO_WATCHER, -121, "no such watcher")                                                         \
    X(REQUEST_TIMEOUT, -122, "request timeout")                                                    \
    X(RECONFIG_DISABLED, -123, "reconfiguration is disabled")                                      \
    X(SESSION_CLOSED_REQUIRE_SASL, -124, "authentication is required")                             \
    X(QUOTA_EXCEEDED, -125, "quota exceeded")                                                      \
    X(THROTTLED, -127, "throttled")

enum tree_error {
#define X(constant, number, text) TREE_##constant = number,
    TREE_ERROR_LIST(X)
#undef X
};

/* X(constant, opcode, reads only, own fields -> results)
 * Strings and data are blocks (u32 length, bytes); null data is the length 0xffffffff alone; acl as
 * tree_put_acl; stat: a bulk of TREE_STAT_BYTES. */
#define TREE_OPERATIONS(X)                                                                         \
    X(CREATE, 1, false, "u8 mode, block path, block data, acl, u64 ttl_ms -> path, stat")          \
    X(DELETE, 2, false, "u32 version, block path -> -")                                            \
    X(SET_DATA, 3, false, "u32 version, block path, block data -> stat")                           \
    X(SET_ACL, 4, false, "u32 aversion, block path, acl -> stat")                                  \
    X(CHECK, 5, false, "u32 version, block path -> - (within MULTI only)")                         \
    X(MULTI, 6, false,                                                                             \
      "u32 count, count x (u8 opcode, own fields) -> array of arrays: int error, results")         \
    X(SESSION_OPEN, 7, false, "u64 timeout_ms, 16 bytes password, u64 node -> int id, int holder") \
    X(SESSION_ATTACH, 8, false,                                                                    \
      "16 bytes password, u64 timeout_ms, u64 node -> int holder, int timeout_ms")                 \
    X(SESSION_CLOSE, 9, false, "- -> -")                                                           \
    X(SESSION_EXPIRE, 10, false, "u64 id, u64 holder -> - (by the leader)")                        \
    X(REAP, 11, false, "u32 count, count x (block path, u64 czxid) -> - (by the leader)")          \
    X(MEMBERS, 12, false, "an encoded struct config -> - (by the leader)")                         \
    X(SERVER, 13, false,                                                                           \
      "u64 node, block [election port/]client address -> - (by servers of themselves)")            \
    X(SYNC, 14, true, "block path -> path")                                                        \
    X(EXISTS, 20, true, "block path -> stat")                                                      \
    X(GET_DATA, 21, true, "block path -> data (nil: null), stat")                                  \
    X(GET_ACL, 22, true, "block path -> acl as blocks in one bulk, stat")                          \
    X(GET_CHILDREN, 23, true, "block path -> array of names, stat")                                \
    X(GET_EPHEMERALS, 24, true, "block prefix -> array of paths (of the caller's session)")        \
    X(COUNT_CHILDREN, 25, true, "block path -> int: nodes of the whole subtree below")             \
    X(PEEK, 26, true, "block path -> stat (no rights asked: for watches)")                         \
    X(SESSION, 27, true, "u64 id -> int timeout_ms, int holder, 16 bytes password")                \
    X(SUMMARY, 28, true, "- -> map: nodes, ephemerals, sessions, data_bytes, zxid, ... as ints")   \
    X(SESSIONS, 29, true, "- -> array of arrays: int id, int timeout_ms, array of ephemeral paths")

enum tree_opcode {
#define X(constant, opcode, reads, fields) TREE_OP_##constant = opcode,
    TREE_OPERATIONS(X)
#undef X
};

/* As in ZooKeeper's create flags. */
enum tree_mode {
    TREE_PERSISTENT = 0,
    TREE_EPHEMERAL = 1,
    TREE_PERSISTENT_SEQUENTIAL = 2,
    TREE_EPHEMERAL_SEQUENTIAL = 3,
    TREE_CONTAINER = 4,
    TREE_TTL = 5,
    TREE_TTL_SEQUENTIAL = 6
};

enum tree_permission {
    TREE_PERM_READ = 1,
    TREE_PERM_WRITE = 2,
    TREE_PERM_CREATE = 4,
    TREE_PERM_DELETE = 8,
    TREE_PERM_ADMIN = 16,
    TREE_PERM_ALL = 31
};

/* Schemes: world, auth, digest, ip, x509, sasl, super. An identity is (scheme, id); an ACL entry is
 * one with permissions. */
struct tree_id {
    struct bytes scheme;
    struct bytes id;
};
struct tree_acl {
    uint32_t permissions; /* enum tree_permission bits */
    struct tree_id id;
};

/* The caller: encoded once a connection (tree_put_caller) and copied into its commands.
 * holder: what SESSION_OPEN or SESSION_ATTACH gave: a write whose holder is not the session's
 * present one is answered TREE_SESSION_MOVED, one of a session that is gone TREE_SESSION_EXPIRED.
 * session 0: no client's (the node itself, an importer: no session is checked). An identity of
 * scheme "super" has every right. */
struct tree_caller {
    uint64_t session;
    uint64_t holder;
    const struct tree_id *ids;
    uint32_t id_count; /* at most 255 */
};

/* ---- making commands: each appends a whole command, or within a multi one part ---- */

/* Opcode and caller: the head of every command. Own fields follow. caller NULL: no client's. */
void tree_put_head(struct buf *out, enum tree_opcode opcode, const struct tree_caller *caller);
/* Own fields. The version -1 stands for any. acl NULL or count 0: an empty one (an error at apply).
 * data.data NULL: null. */
void tree_put_create(struct buf *out, enum tree_mode mode, struct bytes path, struct bytes data,
                     const struct tree_acl *acl, uint32_t acl_count, uint64_t ttl_ms);
void tree_put_versioned(struct buf *out, int32_t version, struct bytes path); /* DELETE, CHECK */
void tree_put_set_data(struct buf *out, int32_t version, struct bytes path, struct bytes data);
void tree_put_set_acl(struct buf *out, int32_t version, struct bytes path,
                      const struct tree_acl *acl, uint32_t acl_count);
void tree_put_path(struct buf *out, struct bytes path); /* reads that take a path */
/* MULTI: head, this, then for every part its opcode (u8) and own fields. */
void tree_put_multi(struct buf *out, uint32_t count);
void tree_put_session_open(struct buf *out, uint64_t timeout_ms, const uint8_t *password,
                           uint64_t node);
void tree_put_session_attach(struct buf *out, const uint8_t *password, uint64_t timeout_ms,
                             uint64_t node);
void tree_put_server(struct buf *out, uint64_t node, struct bytes address);
/* A command without its own fields, or a read by id. */
void tree_put_u64(struct buf *out, uint64_t value);

/* An encoded ACL, as commands carry it and GET_ACL answers it: u32 count, count x (u32 permissions,
 * block scheme, block id). False at the end, or when malformed (reader->bad). */
void tree_put_acl(struct buf *out, const struct tree_acl *acl, uint32_t count);
uint32_t tree_acl_count(struct reader *reader);
bool tree_acl_next(struct reader *reader, struct tree_acl *acl);

/* ---- stat ---- */

struct tree_stat {
    uint64_t czxid, mzxid, pzxid;
    uint64_t ctime_ms, mtime_ms;
    int32_t version, cversion, aversion;
    uint64_t owner; /* of an ephemeral: its session; else 0 */
    int32_t data_length;
    int32_t child_count;
};
#define TREE_STAT_BYTES 68u
void tree_stat_encode(struct buf *out, const struct tree_stat *stat);
bool tree_stat_decode(struct bytes bytes, struct tree_stat *stat);

/* ---- changes ----
 * CHANGE_KEY, key: path; value: u8 enum tree_event, u64 zxid, then the node's ACL entries (as
 * tree_acl_next reads them; none: every client has every right). CHANGE_LIFE: sessions, the holder
 * as above. A transaction's changes come in its order, whatever it did before to the same path:
 * what a persistent watch tells last must be so. The end of a session, and what time brings, tell
 * each (path, event) once. */
enum tree_event {
    TREE_EVENT_CREATED = 1,
    TREE_EVENT_DELETED = 2,
    TREE_EVENT_DATA = 3,
    TREE_EVENT_CHILDREN = 4
};
#define TREE_CHANGE_BYTES 9u /* without the ACL */
bool tree_change(const struct change *change, enum tree_event *event, uint64_t *zxid);
/* Whether a client may read the node that changed. ids: its identities, blocks scheme and id in
 * turn. */
bool tree_change_readable(const struct change *change, struct bytes ids);

const char *tree_error_text(int32_t error);
/* A path that ZooKeeper takes: absolute, no empty, "." or ".." part, no trailing slash, no NUL,
 * nothing of the surrogates, the private use area or the control characters it refuses. Front ends
 * need not ask: the machine refuses others with TREE_BAD_ARGUMENTS. */
bool tree_path_valid(struct bytes path);

#endif
