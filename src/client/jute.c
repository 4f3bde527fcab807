#include "client/jute.h"

#include <string.h>

#define STAT_VERSION_AT 32
#define ACL_ALL 31

/* ---- writing ---- */

void jute_connect(struct buf *out, const struct jute_session *session) {
    struct jute_connect connect = {.zxid = session->zxid,
                                   .timeout_ms = session->timeout_ms,
                                   .session = session->id,
                                   .has_read_only = true};
    memcpy(connect.password, session->password, JUTE_PASSWORD_BYTES);
    jute_put_connect(out, &connect);
}

static void put_get(struct buf *out, const char *path) {
    jute_put_block(out, bytes_cstr(path));
    buf_u8(out, 0); /* no watch */
}

void jute_get(struct buf *out, int32_t xid, const char *path) {
    size_t start = jute_put_request(out, xid, JUTE_GET);
    put_get(out, path);
    jute_frame_end(out, start);
}

static void put_set(struct buf *out, const char *path, struct bytes data, int32_t version) {
    jute_put_block(out, bytes_cstr(path));
    jute_put_block(out, data);
    jute_put_i32(out, version);
}

void jute_set(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t version) {
    size_t start = jute_put_request(out, xid, JUTE_SET);
    put_set(out, path, data, version);
    jute_frame_end(out, start);
}

void jute_create(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t flags) {
    size_t start = jute_put_request(out, xid, JUTE_CREATE);
    jute_put_block(out, bytes_cstr(path));
    jute_put_block(out, data);
    jute_put_i32(out, 1); /* one access rule: all, for every client */
    jute_put_i32(out, ACL_ALL);
    jute_put_block(out, BYTES("world"));
    jute_put_block(out, BYTES("anyone"));
    jute_put_i32(out, flags);
    jute_frame_end(out, start);
}

void jute_delete(struct buf *out, int32_t xid, const char *path, int32_t version) {
    size_t start = jute_put_request(out, xid, JUTE_DELETE);
    jute_put_block(out, bytes_cstr(path));
    jute_put_i32(out, version);
    jute_frame_end(out, start);
}

void jute_children(struct buf *out, int32_t xid, const char *path) {
    size_t start = jute_put_request(out, xid, JUTE_CHILDREN);
    put_get(out, path);
    jute_frame_end(out, start);
}

void jute_sync(struct buf *out, int32_t xid, const char *path) {
    size_t start = jute_put_request(out, xid, JUTE_SYNC);
    jute_put_block(out, bytes_cstr(path));
    jute_frame_end(out, start);
}

void jute_multi_set(struct buf *out, int32_t xid, const char *const *paths,
                    const struct bytes *data, const int32_t *versions, size_t count) {
    size_t start = jute_put_request(out, xid, JUTE_MULTI);
    for (size_t i = 0; i < count; i++) {
        jute_put_part(out, JUTE_SET, false, -1);
        put_set(out, paths[i], data[i], versions[i]);
    }
    jute_put_part(out, -1, true, -1);
    jute_frame_end(out, start);
}

void jute_multi_get(struct buf *out, int32_t xid, const char *const *paths, size_t count) {
    size_t start = jute_put_request(out, xid, JUTE_MULTI_READ);
    for (size_t i = 0; i < count; i++) {
        jute_put_part(out, JUTE_GET, false, -1);
        put_get(out, paths[i]);
    }
    jute_put_part(out, -1, true, -1);
    jute_frame_end(out, start);
}

/* ---- reading ---- */

bool jute_connected(struct bytes frame, struct jute_session *session) {
    struct reader reader = reader_of(frame);
    jute_take_i32(&reader);
    int32_t timeout = jute_take_i32(&reader);
    int64_t id = jute_take_i64(&reader);
    struct bytes password = jute_take_block(&reader);
    if (reader.bad || password.len > JUTE_PASSWORD_BYTES)
        return false;
    session->timeout_ms = timeout;
    session->id = timeout > 0 ? id : 0;
    memset(session->password, 0, JUTE_PASSWORD_BYTES);
    if (password.len > 0)
        memcpy(session->password, password.data, password.len);
    return true;
}

bool jute_answer(struct bytes frame, struct jute_answer *answer) {
    struct reader reader = reader_of(frame);
    answer->xid = jute_take_i32(&reader);
    answer->zxid = jute_take_i64(&reader);
    answer->error = jute_take_i32(&reader);
    answer->body = read_bytes(&reader, reader_left(&reader));
    return !reader.bad;
}

static int32_t get_stat(struct reader *reader) {
    struct bytes stat = read_bytes(reader, JUTE_STAT_BYTES);
    return reader->bad ? 0 : (int32_t)__builtin_bswap32(get_u32(stat.data + STAT_VERSION_AT));
}

bool jute_got(struct bytes body, struct bytes *data, int32_t *version) {
    struct reader reader = reader_of(body);
    *data = jute_take_block(&reader);
    *version = get_stat(&reader);
    return !reader.bad;
}

/* The head of a part of a multi's answer; false: the end, or malformed. */
static bool get_part(struct reader *reader, int32_t *type, int32_t *error) {
    *type = jute_take_i32(reader);
    bool done = read_u8(reader);
    *error = jute_take_i32(reader);
    if (*type == -1 && !done && !reader->bad)
        *error = jute_take_i32(reader); /* an error part says it once more */
    return !reader->bad && !done;
}

bool jute_multi_got(struct bytes body, size_t n, int32_t *error, struct bytes *data,
                    int32_t *version) {
    struct reader reader = reader_of(body);
    int32_t type;
    for (size_t i = 0; get_part(&reader, &type, error); i++) {
        *data = bytes_of(NULL, 0);
        *version = -1;
        if (type == JUTE_GET) {
            *error = JUTE_OK;
            *data = jute_take_block(&reader);
            *version = get_stat(&reader);
        } else if (type != -1) {
            return false;
        }
        if (i == n)
            return !reader.bad;
    }
    return false;
}

bool jute_multi_error(struct bytes body, int32_t *error) {
    struct reader reader = reader_of(body);
    int32_t type, one;
    *error = JUTE_OK;
    while (get_part(&reader, &type, &one)) {
        if (type == JUTE_SET)
            get_stat(&reader);
        else if (type != -1)
            return false;
        else if (one != JUTE_OK && one != JUTE_RUNTIME)
            *error = one;
    }
    return !reader.bad;
}

bool jute_first_child(struct bytes body, struct bytes *name) {
    struct reader reader = reader_of(body);
    int32_t count = jute_take_i32(&reader);
    *name = bytes_of(NULL, 0);
    for (int32_t i = 0; i < count && !reader.bad; i++) {
        struct bytes child = jute_take_block(&reader);
        if (i == 0 || bytes_compare(child, *name) < 0)
            *name = child;
    }
    return !reader.bad;
}
