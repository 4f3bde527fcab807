/* ZooKeeper's client protocol as bytes: frames, the handshake, headers and every record of
 * operations. Pure: no connection, no I/O; used by servers and clients alike.
 *
 * All integers are big-endian. A frame is a u32 length and that many bytes. Strings and buffers
 * ("blocks") carry an i32 length, -1 for null; vectors an i32 count, -1 for null. Decoders are
 * total: whatever the bytes, they end with success or a bad reader, and what they give is borrowed
 * from the input.
 */
#ifndef CAIRN_WIRE_JUTE_H
#define CAIRN_WIRE_JUTE_H

#include "base/bytes.h"

#define JUTE_FRAME_MAX_DEFAULT 1048575u
#define JUTE_PASSWORD_BYTES 16u
#define JUTE_STAT_BYTES 68u

/* X(constant, number, name in texts) */
#define JUTE_OP_LIST(X)                \
    X(NOTIFICATION, 0, "NOTIFICATION") \
    X(CREATE, 1, "CREA")               \
    X(DELETE, 2, "DELE")               \
    X(EXISTS, 3, "EXIS")               \
    X(GET, 4, "GETD")                  \
    X(SET, 5, "SETD")                  \
    X(GET_ACL, 6, "GETA")              \
    X(SET_ACL, 7, "SETA")              \
    X(CHILDREN, 8, "GETC")             \
    X(SYNC, 9, "SYNC")                 \
    X(PING, 11, "PING")                \
    X(CHILDREN2, 12, "GETC")           \
    X(CHECK, 13, "CHEC")               \
    X(MULTI, 14, "MULT")               \
    X(CREATE2, 15, "CRE2")             \
    X(RECONFIG, 16, "RECO")            \
    X(CHECK_WATCHES, 17, "CHKW")       \
    X(REMOVE_WATCHES, 18, "REMW")      \
    X(CREATE_CONTAINER, 19, "CREC")    \
    X(DELETE_CONTAINER, 20, "DELC")    \
    X(CREATE_TTL, 21, "CRET")          \
    X(MULTI_READ, 22, "MULR")          \
    X(AUTH, 100, "AUTH")               \
    X(SET_WATCHES, 101, "SETW")        \
    X(SASL, 102, "SASL")               \
    X(GET_EPHEMERALS, 103, "GETE")     \
    X(COUNT_CHILDREN, 104, "GACN")     \
    X(SET_WATCHES2, 105, "SEW2")       \
    X(ADD_WATCH, 106, "ADDW")          \
    X(WHO_AM_I, 107, "WHOA")           \
    X(CREATE_SESSION, -10, "SESS")     \
    X(CLOSE, -11, "CLOS")

enum jute_op {
#define X(constant, number, name) JUTE_##constant = number,
    JUTE_OP_LIST(X)
#undef X
};
/* Four or more letters; "UNKN" for a number that is none. */
const char *jute_op_name(int32_t op);

/* Xids that a client does not count. */
enum jute_xid {
    JUTE_XID_NOTIFICATION = -1,
    JUTE_XID_PING = -2,
    JUTE_XID_AUTH = -4,
    JUTE_XID_SET_WATCHES = -8
};

/* ---- primitives ---- */

void jute_put_i32(struct buf *out, int32_t value);
void jute_put_i64(struct buf *out, int64_t value);
void jute_put_bool(struct buf *out, bool value);
/* data NULL: null. */
void jute_put_block(struct buf *out, struct bytes range);

int32_t jute_take_i32(struct reader *reader);
int64_t jute_take_i64(struct reader *reader);
bool jute_take_bool(struct reader *reader);
/* Null: data is NULL and len 0; an empty one: data is not NULL. A lying length: a bad reader. */
struct bytes jute_take_block(struct reader *reader);
/* A vector's count; null is 0; a count that the rest can't hold at element_min bytes each makes
 * the reader bad. */
uint32_t jute_take_count(struct reader *reader, size_t element_min);

/* ---- frames ---- */

/* Where the frame's content will begin; jute_frame_end then writes its length. */
size_t jute_frame_begin(struct buf *out);
void jute_frame_end(struct buf *out, size_t start);
/* The next frame's content. 0: more is needed; SIZE_MAX: longer than max, or negative; else the
 * bytes taken. */
size_t jute_frame(struct bytes bytes, size_t max, struct bytes *frame);

/* ---- the handshake ---- */

struct jute_connect {
    int32_t version; /* 0 */
    int64_t zxid;    /* the newest that the client saw */
    int32_t timeout_ms;
    int64_t session; /* 0: a new one is wanted */
    uint8_t password[JUTE_PASSWORD_BYTES];
    bool password_fits; /* it had as many bytes as it must have */
    bool has_read_only; /* a 45th byte was there, and the answer has one too */
    bool read_only;
};
bool jute_take_connect(struct bytes frame, struct jute_connect *connect);
/* Append a whole frame. An answer with timeout 0 and session 0: that session is gone. */
void jute_put_connect(struct buf *out, const struct jute_connect *connect);
void jute_put_connected(struct buf *out, const struct jute_connect *connected);

/* ---- headers ---- */

struct jute_request {
    int32_t xid;
    int32_t op;
};
bool jute_take_request(struct reader *reader, struct jute_request *request);
/* Begins a frame; its start is to be given to jute_frame_end. */
size_t jute_put_request(struct buf *out, int32_t xid, int32_t op);
size_t jute_put_reply(struct buf *out, int32_t xid, int64_t zxid, int32_t error);
/* A reply without results: a whole frame. */
void jute_put_bare_reply(struct buf *out, int32_t xid, int64_t zxid, int32_t error);

/* ---- records ---- */

/* One entry of an ACL. */
struct jute_acl {
    int32_t permissions;
    struct bytes scheme, id;
};
#define JUTE_ACL_BYTES_MIN 12u
void jute_take_acl(struct reader *reader, struct jute_acl *acl);
void jute_put_acl(struct buf *out, const struct jute_acl *acl);

struct jute_create {
    struct bytes path, data;
    uint32_t acl_count;
    struct reader acl; /* acl_count entries, for jute_take_acl */
    int32_t flags;
    int64_t ttl_ms; /* of CREATE_TTL; else -1 */
};
bool jute_take_create(struct reader *reader, int32_t op, struct jute_create *create);

/* Paths with a version or type: DELETE, CHECK, CHECK_WATCHES, REMOVE_WATCHES, ADD_WATCH. */
struct jute_numbered {
    struct bytes path;
    int32_t number;
};
bool jute_take_numbered(struct reader *reader, struct jute_numbered *record);

struct jute_set {
    struct bytes path, data;
    int32_t version;
};
bool jute_take_set(struct reader *reader, struct jute_set *set);

struct jute_set_acl {
    struct bytes path;
    uint32_t acl_count;
    struct reader acl;
    int32_t version;
};
bool jute_take_set_acl(struct reader *reader, struct jute_set_acl *set);

/* EXISTS, GET, CHILDREN, CHILDREN2. */
struct jute_watched {
    struct bytes path;
    bool watch;
};
bool jute_take_watched(struct reader *reader, struct jute_watched *record);

struct jute_auth {
    int32_t type;
    struct bytes scheme, credential;
};
bool jute_take_auth(struct reader *reader, struct jute_auth *auth);

struct jute_reconfig {
    struct bytes joining, leaving, members; /* NULL: not given */
    int64_t version;                        /* -1: any */
};
bool jute_take_reconfig(struct reader *reader, struct jute_reconfig *reconfig);

/* The head of a multi's part, in requests and answers. */
struct jute_part {
    int32_t op; /* -1: the end when done is set, else an error */
    bool done;
    int32_t error;
};
bool jute_take_part(struct reader *reader, struct jute_part *part);
void jute_put_part(struct buf *out, int32_t op, bool done, int32_t error);

/* A notification, whole: event as ZooKeeper numbers them (created 1, deleted 2, data 3, children
 * 4); the state is always "connected". */
void jute_put_notification(struct buf *out, int64_t zxid, int32_t event, struct bytes path);

#endif
