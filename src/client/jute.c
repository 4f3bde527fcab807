#include "client/jute.h"

#include <string.h>

#define PASSWORD_BYTES 16
/* A node's numbers: zxids, times, versions, owner, lengths. */
#define STAT_BYTES 68
#define STAT_VERSION_AT 32
#define ACL_ALL 31

/* ---- writing ---- */

static void put_i32(struct buf *out, int32_t value) {
    buf_u32(out, __builtin_bswap32((uint32_t)value));
}

static void put_i64(struct buf *out, int64_t value) {
    buf_u64(out, __builtin_bswap64((uint64_t)value));
}

static void put_block(struct buf *out, struct bytes range) {
    put_i32(out, (int32_t)range.len);
    buf_bytes(out, range);
}

static size_t frame_begin(struct buf *out) {
    put_i32(out, 0);
    return out->len;
}

static void frame_end(struct buf *out, size_t start) {
    put_u32(out->data + start - 4, __builtin_bswap32((uint32_t)(out->len - start)));
}

static size_t request_begin(struct buf *out, int32_t xid, enum jute_op op) {
    size_t start = frame_begin(out);
    put_i32(out, xid);
    put_i32(out, op);
    return start;
}

void jute_connect(struct buf *out, const struct jute_session *session) {
    size_t start = frame_begin(out);
    put_i32(out, 0);
    put_i64(out, session->zxid);
    put_i32(out, session->timeout_ms);
    put_i64(out, session->id);
    put_block(out, bytes_of(session->password, PASSWORD_BYTES));
    buf_u8(out, 0);
    frame_end(out, start);
}

static void put_get(struct buf *out, const char *path) {
    put_block(out, bytes_cstr(path));
    buf_u8(out, 0); /* no watch */
}

void jute_get(struct buf *out, int32_t xid, const char *path) {
    size_t start = request_begin(out, xid, JUTE_GET);
    put_get(out, path);
    frame_end(out, start);
}

static void put_set(struct buf *out, const char *path, struct bytes data, int32_t version) {
    put_block(out, bytes_cstr(path));
    put_block(out, data);
    put_i32(out, version);
}

void jute_set(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t version) {
    size_t start = request_begin(out, xid, JUTE_SET);
    put_set(out, path, data, version);
    frame_end(out, start);
}

void jute_create(struct buf *out, int32_t xid, const char *path, struct bytes data, int32_t flags) {
    size_t start = request_begin(out, xid, JUTE_CREATE);
    put_block(out, bytes_cstr(path));
    put_block(out, data);
    put_i32(out, 1); /* one access rule: all, for everybody */
    put_i32(out, ACL_ALL);
    put_block(out, BYTES("world"));
    put_block(out, BYTES("anyone"));
    put_i32(out, flags);
    frame_end(out, start);
}

void jute_delete(struct buf *out, int32_t xid, const char *path, int32_t version) {
    size_t start = request_begin(out, xid, JUTE_DELETE);
    put_block(out, bytes_cstr(path));
    put_i32(out, version);
    frame_end(out, start);
}

void jute_children(struct buf *out, int32_t xid, const char *path) {
    size_t start = request_begin(out, xid, JUTE_CHILDREN);
    put_get(out, path);
    frame_end(out, start);
}

void jute_sync(struct buf *out, int32_t xid, const char *path) {
    size_t start = request_begin(out, xid, JUTE_SYNC);
    put_block(out, bytes_cstr(path));
    frame_end(out, start);
}

static void put_part(struct buf *out, int32_t type, bool done) {
    put_i32(out, type);
    buf_u8(out, done);
    put_i32(out, -1);
}

void jute_multi_set(struct buf *out, int32_t xid, const char *const *paths,
                    const struct bytes *data, const int32_t *versions, size_t count) {
    size_t start = request_begin(out, xid, JUTE_MULTI);
    for (size_t i = 0; i < count; i++) {
        put_part(out, JUTE_SET, false);
        put_set(out, paths[i], data[i], versions[i]);
    }
    put_part(out, -1, true);
    frame_end(out, start);
}

void jute_multi_get(struct buf *out, int32_t xid, const char *const *paths, size_t count) {
    size_t start = request_begin(out, xid, JUTE_MULTI_READ);
    for (size_t i = 0; i < count; i++) {
        put_part(out, JUTE_GET, false);
        put_get(out, paths[i]);
    }
    put_part(out, -1, true);
    frame_end(out, start);
}

/* ---- reading ---- */

static int32_t get_i32(struct reader *reader) {
    return (int32_t)__builtin_bswap32(read_u32(reader));
}

static int64_t get_i64(struct reader *reader) {
    return (int64_t)__builtin_bswap64(read_u64(reader));
}

/* A length of -1 is "nothing". */
static struct bytes get_block(struct reader *reader) {
    int32_t len = get_i32(reader);
    if (len < -1)
        reader->bad = true;
    return len <= 0 || reader->bad ? bytes_of(NULL, 0) : read_bytes(reader, (size_t)len);
}

size_t jute_frame(struct bytes bytes, struct bytes *frame) {
    struct reader reader = reader_of(bytes);
    if (bytes.len < 4)
        return 0;
    int32_t len = get_i32(&reader);
    if (len < 0 || (uint32_t)len > JUTE_FRAME_MAX)
        return SIZE_MAX;
    if (reader_left(&reader) < (size_t)len)
        return 0;
    *frame = read_bytes(&reader, (size_t)len);
    return 4 + (size_t)len;
}

bool jute_connected(struct bytes frame, struct jute_session *session) {
    struct reader reader = reader_of(frame);
    get_i32(&reader);
    int32_t timeout = get_i32(&reader);
    int64_t id = get_i64(&reader);
    struct bytes password = get_block(&reader);
    if (reader.bad || password.len > PASSWORD_BYTES)
        return false;
    session->timeout_ms = timeout;
    session->id = timeout > 0 ? id : 0;
    memset(session->password, 0, PASSWORD_BYTES);
    if (password.len > 0)
        memcpy(session->password, password.data, password.len);
    return true;
}

bool jute_answer(struct bytes frame, struct jute_answer *answer) {
    struct reader reader = reader_of(frame);
    answer->xid = get_i32(&reader);
    answer->zxid = get_i64(&reader);
    answer->error = get_i32(&reader);
    answer->body = read_bytes(&reader, reader_left(&reader));
    return !reader.bad;
}

static int32_t get_stat(struct reader *reader) {
    struct bytes stat = read_bytes(reader, STAT_BYTES);
    return reader->bad ? 0 : (int32_t)__builtin_bswap32(get_u32(stat.data + STAT_VERSION_AT));
}

bool jute_got(struct bytes body, struct bytes *data, int32_t *version) {
    struct reader reader = reader_of(body);
    *data = get_block(&reader);
    *version = get_stat(&reader);
    return !reader.bad;
}

/* The head of a part of a multi's answer; false: the end, or malformed. */
static bool get_part(struct reader *reader, int32_t *type, int32_t *error) {
    *type = get_i32(reader);
    bool done = read_u8(reader);
    *error = get_i32(reader);
    if (*type == -1 && !done && !reader->bad)
        *error = get_i32(reader); /* an error part says it once more */
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
            *data = get_block(&reader);
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
    int32_t count = get_i32(&reader);
    *name = bytes_of(NULL, 0);
    for (int32_t i = 0; i < count && !reader.bad; i++) {
        struct bytes child = get_block(&reader);
        if (i == 0 || bytes_compare(child, *name) < 0)
            *name = child;
    }
    return !reader.bad;
}
