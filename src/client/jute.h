/* A ZooKeeper client's requests and answers, on wire/jute's codec. No I/O; the caller keeps the
 * session (id, password, last zxid) and counts xids up from 1.
 */
#ifndef CAIRN_CLIENT_JUTE_H
#define CAIRN_CLIENT_JUTE_H

#include "wire/jute.h"

enum jute_flags { JUTE_PERSISTENT = 0, JUTE_EPHEMERAL = 1, JUTE_SEQUENTIAL = 2 };
/* The answers that a client must tell apart. */
enum jute_error {
    JUTE_OK = 0,
    JUTE_RUNTIME = -2, /* another part of the multi failed */
    JUTE_NO_NODE = -101,
    JUTE_BAD_VERSION = -103,
    JUTE_NODE_EXISTS = -110,
    JUTE_EXPIRED = -112,
    JUTE_MOVED = -118
};
#define JUTE_FRAME_MAX (16u * 1024 * 1024) /* of answers, for jute_frame */

/* ---- requests: each appends one frame ---- */

struct jute_session {
    int64_t id, zxid; /* 0: a new one */
    uint8_t password[16];
    int32_t timeout_ms; /* wanted, then granted */
};
void jute_connect(struct buf *out, const struct jute_session *session);
void jute_get(struct buf *out, int32_t xid, const char *path);
/* version -1: whatever it is. */
void jute_set(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t version);
void jute_create(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t flags);
void jute_delete(struct buf *out, int32_t xid, const char *path, int32_t version);
void jute_children(struct buf *out, int32_t xid, const char *path);
void jute_sync(struct buf *out, int32_t xid, const char *path);
/* All of the sets or none; all gets at one moment. */
void jute_multi_set(struct buf *out, int32_t xid, const char *const *paths,
                    const struct bytes *data, const int32_t *versions, size_t count);
void jute_multi_get(struct buf *out, int32_t xid, const char *const *paths, size_t count);

/* ---- answers ---- */

/* False: malformed. The session is filled; id 0: it has expired. */
bool jute_connected(struct bytes frame, struct jute_session *session);
struct jute_answer {
    int32_t xid, error;
    int64_t zxid;
    struct bytes body; /* borrowed */
};
bool jute_answer(struct bytes frame, struct jute_answer *answer);
/* Bodies. data is borrowed. */
bool jute_got(struct bytes body, struct bytes *data, int32_t *version);
/* The n-th part of a multi read; error: of that part. False: malformed or none there. */
bool jute_multi_got(struct bytes body, size_t n, int32_t *error, struct bytes *data,
                    int32_t *version);
/* The first error of a multi's parts that is one of its own, or OK. */
bool jute_multi_error(struct bytes body, int32_t *error);
/* Names of children: the smallest that sorts first; none: empty. */
bool jute_first_child(struct bytes body, struct bytes *name);

#endif
