/* ZooKeeper: a key is a node below one root, its version guards the swap. Queues are sequential
 * children, locks are ephemeral nodes. */
#include "torture/torture_internal.h"

#include "client/jute.h"

#include <string.h>

#define SESSION_MS 6000
#define ROOT "/torture"

/* The request that an answer belongs to. */
enum stage {
    STAGE_MAIN,
    STAGE_SYNC,
    STAGE_CREATE,
    STAGE_PARENT,
    STAGE_LIST,
    STAGE_CHILD,
    STAGE_TAKE
};

static void path_of(char *out, size_t size, const char *key, const char *child) {
    snprintf(out, size, *key ? ROOT "/%s%s%s" : ROOT, key, *child ? "/" : "", child);
}

static void hello(struct store_session *session, struct buf *out) {
    struct jute_session wanted = {
        .id = session->session_id, .zxid = session->zxid, .timeout_ms = SESSION_MS};
    memcpy(wanted.password, session->password, sizeof wanted.password);
    session->xid = 0;
    jute_connect(out, &wanted);
}

static enum store_outcome welcome(struct store_session *session, struct bytes bytes, size_t *used) {
    struct bytes frame;
    struct jute_session granted = {0};
    size_t taken = jute_frame(bytes, JUTE_FRAME_MAX, &frame);
    if (taken == 0)
        return STORE_MORE;
    if (taken == SIZE_MAX || !jute_connected(frame, &granted))
        return STORE_BROKEN;
    *used = taken;
    session->session_id = granted.id; /* 0: it has expired; the next one is new */
    memcpy(session->password, granted.password, sizeof session->password);
    return granted.id != 0 ? STORE_OK : STORE_BROKEN;
}

/* ---- asking ---- */

static void ask_read(struct store_session *session, struct buf *out) {
    const struct store_request *request = &session->request;
    char paths[REQUEST_KEYS_MAX][80];
    const char *pointers[REQUEST_KEYS_MAX];
    for (uint32_t i = 0; i < request->count; i++) {
        path_of(paths[i], sizeof paths[i], request->keys[i], "");
        pointers[i] = paths[i];
    }
    if (request->count == 1)
        jute_get(out, ++session->xid, paths[0]);
    else
        jute_multi_get(out, ++session->xid, pointers, request->count);
}

static void ask_swap(struct store_session *session, struct buf *out) {
    const struct store_request *request = &session->request;
    char paths[REQUEST_KEYS_MAX][80];
    const char *pointers[REQUEST_KEYS_MAX];
    struct bytes data[REQUEST_KEYS_MAX];
    int32_t versions[REQUEST_KEYS_MAX];
    for (uint32_t i = 0; i < request->count; i++) {
        path_of(paths[i], sizeof paths[i], request->keys[i], "");
        pointers[i] = paths[i];
        data[i] = buf_view(&request->values[i]);
        versions[i] = (int32_t)session->reply.versions[i];
    }
    if (request->count > 1)
        jute_multi_set(out, ++session->xid, pointers, data, versions, request->count);
    else if (session->reply.absent[0])
        jute_create(out, ++session->xid, paths[0], data[0], JUTE_PERSISTENT);
    else
        jute_set(out, ++session->xid, paths[0], data[0], versions[0]);
}

/* The request of the present stage. */
static void ask_stage(struct store_session *session, struct buf *out) {
    const struct store_request *request = &session->request;
    struct bytes data = buf_view(&request->values[0]);
    char path[80], child[128];
    path_of(path, sizeof path, request->keys[0], "");
    path_of(child, sizeof child, request->keys[0], session->child);
    int32_t xid = session->xid + 1;
    switch ((enum stage)session->stage) {
    case STAGE_SYNC:
        jute_sync(out, xid, ROOT);
        break;
    case STAGE_CREATE:
    case STAGE_PARENT:
        jute_create(out, xid, path, session->stage == STAGE_CREATE ? data : bytes_of("", 0),
                    JUTE_PERSISTENT);
        break;
    case STAGE_LIST:
        jute_children(out, xid, path);
        break;
    case STAGE_CHILD:
        jute_get(out, xid, child);
        break;
    case STAGE_TAKE:
        jute_delete(out, xid, child, (int32_t)session->reply.versions[0]);
        break;
    case STAGE_MAIN:
        if (request->kind == STORE_READ) {
            ask_read(session, out);
            return;
        }
        if (request->kind == STORE_SWAP) {
            ask_swap(session, out);
            return;
        }
        if (request->kind == STORE_WRITE)
            jute_set(out, xid, path, data, -1);
        else if (request->kind == STORE_CREATE)
            jute_create(out, xid, path, data, JUTE_EPHEMERAL);
        else if (request->kind == STORE_REMOVE)
            jute_delete(out, xid, path, (int32_t)session->reply.versions[0]);
        else {
            path_of(child, sizeof child, request->keys[0], "n");
            jute_create(out, xid, child, data, JUTE_PERSISTENT | JUTE_SEQUENTIAL);
        }
        break;
    }
    session->xid = xid;
}

static void ask(struct store_session *session, struct buf *out) {
    enum store_kind kind = session->request.kind;
    session->stage = kind == STORE_POP ? STAGE_LIST : STAGE_MAIN;
    if (session->run->options->sync && (kind == STORE_READ || kind == STORE_POP))
        session->stage = STAGE_SYNC;
    ask_stage(session, out);
}

/* ---- answers ---- */

static enum store_outcome go_on(struct store_session *session, enum stage stage, struct buf *out) {
    session->stage = (int)stage;
    ask_stage(session, out);
    return STORE_MORE;
}

static void keep(struct store_session *session, uint32_t i, struct bytes data, int32_t version,
                 bool absent) {
    buf_clear(&session->reply.texts[i]);
    buf_bytes(&session->reply.texts[i], data);
    session->reply.versions[i] = version;
    session->reply.absent[i] = absent;
}

static enum store_outcome got_one(struct store_session *session, const struct jute_answer *answer) {
    struct bytes data = {0};
    int32_t version = -1;
    if (answer->error != JUTE_NO_NODE && !jute_got(answer->body, &data, &version))
        return STORE_BROKEN;
    keep(session, 0, data, version, answer->error == JUTE_NO_NODE);
    return STORE_OK;
}

static enum store_outcome got_many(struct store_session *session,
                                   const struct jute_answer *answer) {
    for (uint32_t i = 0; i < session->request.count; i++) {
        struct bytes data;
        int32_t error, version;
        if (!jute_multi_got(answer->body, i, &error, &data, &version))
            return STORE_BROKEN;
        keep(session, i, data, version, error != JUTE_OK);
    }
    return STORE_OK;
}

static enum store_outcome end_change(const struct jute_answer *answer) {
    switch (answer->error) {
    case JUTE_OK:
        return STORE_OK;
    case JUTE_NO_NODE:
    case JUTE_BAD_VERSION:
    case JUTE_NODE_EXISTS:
        return STORE_NO;
    case JUTE_EXPIRED:
    case JUTE_MOVED:
        return STORE_FAILED;
    default:
        return STORE_UNKNOWN;
    }
}

static enum store_outcome end_main(struct store_session *session, const struct jute_answer *answer,
                                   struct buf *out) {
    enum store_kind kind = session->request.kind;
    int32_t error = answer->error;
    if (kind == STORE_READ) {
        if (error != JUTE_OK && error != JUTE_NO_NODE)
            return STORE_FAILED;
        return session->request.count == 1 ? got_one(session, answer) : got_many(session, answer);
    }
    if (kind == STORE_WRITE && error == JUTE_NO_NODE)
        return go_on(session, STAGE_CREATE, out);
    if (kind == STORE_PUSH && error == JUTE_NO_NODE)
        return go_on(session, STAGE_PARENT, out);
    if (kind == STORE_SWAP && session->request.count > 1 && error == JUTE_OK) {
        int32_t inner;
        if (!jute_multi_error(answer->body, &inner))
            return STORE_BROKEN;
        return inner == JUTE_OK ? STORE_OK : STORE_NO;
    }
    return end_change(answer);
}

/* A queue: the first child is read, then deleted; who is late begins again. */
static enum store_outcome end_pop(struct store_session *session, const struct jute_answer *answer,
                                  struct buf *out) {
    struct bytes name = {0};
    if (session->stage == STAGE_LIST) {
        if (answer->error == JUTE_OK && !jute_first_child(answer->body, &name))
            return STORE_BROKEN;
        if (answer->error != JUTE_OK && answer->error != JUTE_NO_NODE)
            return STORE_FAILED;
        keep(session, 0, bytes_of(NULL, 0), -1, true);
        if (name.len == 0 || name.len >= sizeof session->child)
            return STORE_OK;
        memcpy(session->child, name.data, name.len);
        session->child[name.len] = 0;
        return go_on(session, STAGE_CHILD, out);
    }
    if (answer->error == JUTE_NO_NODE)
        return go_on(session, session->run->options->sync ? STAGE_SYNC : STAGE_LIST, out);
    if (session->stage == STAGE_TAKE)
        return end_change(answer);
    if (answer->error != JUTE_OK)
        return STORE_FAILED;
    enum store_outcome got = got_one(session, answer);
    return got == STORE_OK ? go_on(session, STAGE_TAKE, out) : got;
}

static enum store_outcome end_stage(struct store_session *session, const struct jute_answer *answer,
                                    struct buf *out) {
    switch ((enum stage)session->stage) {
    case STAGE_SYNC:
        if (answer->error != JUTE_OK)
            return STORE_FAILED;
        return go_on(session, session->request.kind == STORE_POP ? STAGE_LIST : STAGE_MAIN, out);
    case STAGE_CREATE: /* another client was faster: then there is something to set */
    case STAGE_PARENT:
        if (answer->error == JUTE_NODE_EXISTS ||
            (session->stage == STAGE_PARENT && answer->error == JUTE_OK))
            return go_on(session, STAGE_MAIN, out);
        return end_change(answer);
    case STAGE_MAIN:
        return end_main(session, answer, out);
    default:
        return end_pop(session, answer, out);
    }
}

static enum store_outcome answer(struct store_session *session, struct bytes bytes, size_t *used,
                                 struct buf *out) {
    while (*used < bytes.len) {
        struct bytes frame, rest = bytes_of(bytes.data + *used, bytes.len - *used);
        struct jute_answer answer;
        size_t taken = jute_frame(rest, JUTE_FRAME_MAX, &frame);
        if (taken == SIZE_MAX || (taken > 0 && !jute_answer(frame, &answer)))
            return STORE_BROKEN;
        if (taken == 0)
            return STORE_MORE;
        *used += taken;
        if (answer.xid < 0) /* a notification or a ping's answer */
            continue;
        if (answer.xid != session->xid)
            return STORE_BROKEN;
        if (answer.zxid > session->zxid)
            session->zxid = answer.zxid;
        return end_stage(session, &answer, out);
    }
    return STORE_MORE;
}

const struct store store_zookeeper = {.native = 1u << STORE_CREATE | 1u << STORE_REMOVE |
                                                1u << STORE_PUSH | 1u << STORE_POP,
                                      .rooted = true,
                                      .hello = hello,
                                      .welcome = welcome,
                                      .ask = ask,
                                      .answer = answer};
