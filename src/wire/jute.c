#include "wire/jute.h"

#include "base/assert.h"

#include <string.h>

#define STATE_CONNECTED 3

const char *jute_op_name(int32_t op) {
    static const struct {
        int32_t op;
        const char *name;
    } names[] = {
#define X(constant, number, name) {number, name},
        JUTE_OP_LIST(X)
#undef X
    };
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (names[i].op == op)
            return names[i].name;
    return "UNKN";
}

/* ---- primitives ---- */

void jute_put_i32(struct buf *out, int32_t value) {
    buf_u32(out, __builtin_bswap32((uint32_t)value));
}

void jute_put_i64(struct buf *out, int64_t value) {
    buf_u64(out, __builtin_bswap64((uint64_t)value));
}

void jute_put_bool(struct buf *out, bool value) {
    buf_u8(out, value);
}

void jute_put_block(struct buf *out, struct bytes range) {
    if (range.data == NULL) {
        jute_put_i32(out, -1);
        return;
    }
    cairn_assert(range.len <= INT32_MAX);
    jute_put_i32(out, (int32_t)range.len);
    buf_bytes(out, range);
}

int32_t jute_take_i32(struct reader *reader) {
    return (int32_t)__builtin_bswap32(read_u32(reader));
}

int64_t jute_take_i64(struct reader *reader) {
    return (int64_t)__builtin_bswap64(read_u64(reader));
}

bool jute_take_bool(struct reader *reader) {
    return read_u8(reader) != 0;
}

struct bytes jute_take_block(struct reader *reader) {
    int32_t len = jute_take_i32(reader);
    if (len < -1)
        reader->bad = true;
    if (len < 0 || reader->bad)
        return bytes_of(NULL, 0);
    struct bytes block = read_bytes(reader, (size_t)len);
    return reader->bad ? bytes_of(NULL, 0) : block;
}

uint32_t jute_take_count(struct reader *reader, size_t element_min) {
    int32_t count = jute_take_i32(reader);
    if (count < -1 || (count > 0 && (size_t)count > reader_left(reader) / element_min))
        reader->bad = true;
    return count < 0 || reader->bad ? 0 : (uint32_t)count;
}

/* ---- frames ---- */

size_t jute_frame_begin(struct buf *out) {
    jute_put_i32(out, 0);
    return out->len;
}

void jute_frame_end(struct buf *out, size_t start) {
    cairn_assert(start >= 4 && out->len >= start && out->len - start <= INT32_MAX);
    put_u32(out->data + start - 4, __builtin_bswap32((uint32_t)(out->len - start)));
}

size_t jute_frame(struct bytes bytes, size_t max, struct bytes *frame) {
    struct reader reader = reader_of(bytes);
    if (bytes.len < 4)
        return 0;
    int32_t len = jute_take_i32(&reader);
    if (len < 0 || (size_t)len > max)
        return SIZE_MAX;
    if (reader_left(&reader) < (size_t)len)
        return 0;
    *frame = read_bytes(&reader, (size_t)len);
    return 4 + (size_t)len;
}

/* ---- the handshake ---- */

bool jute_take_connect(struct bytes frame, struct jute_connect *connect) {
    struct reader reader = reader_of(frame);
    *connect = (struct jute_connect){.version = jute_take_i32(&reader)};
    connect->zxid = jute_take_i64(&reader);
    connect->timeout_ms = jute_take_i32(&reader);
    connect->session = jute_take_i64(&reader);
    struct bytes password = jute_take_block(&reader);
    connect->password_fits = password.len == JUTE_PASSWORD_BYTES;
    if (connect->password_fits)
        memcpy(connect->password, password.data, JUTE_PASSWORD_BYTES);
    connect->has_read_only = reader_left(&reader) > 0;
    connect->read_only = connect->has_read_only && jute_take_bool(&reader);
    return !reader.bad;
}

static void put_session(struct buf *out, const struct jute_connect *session) {
    jute_put_i32(out, session->timeout_ms);
    jute_put_i64(out, session->session);
    jute_put_block(out, bytes_of(session->password, JUTE_PASSWORD_BYTES));
    if (session->has_read_only)
        jute_put_bool(out, session->read_only);
}

void jute_put_connect(struct buf *out, const struct jute_connect *connect) {
    size_t start = jute_frame_begin(out);
    jute_put_i32(out, connect->version);
    jute_put_i64(out, connect->zxid);
    put_session(out, connect);
    jute_frame_end(out, start);
}

void jute_put_connected(struct buf *out, const struct jute_connect *connected) {
    size_t start = jute_frame_begin(out);
    jute_put_i32(out, connected->version);
    put_session(out, connected);
    jute_frame_end(out, start);
}

/* ---- headers ---- */

bool jute_take_request(struct reader *reader, struct jute_request *request) {
    request->xid = jute_take_i32(reader);
    request->op = jute_take_i32(reader);
    return !reader->bad;
}

size_t jute_put_request(struct buf *out, int32_t xid, int32_t op) {
    size_t start = jute_frame_begin(out);
    jute_put_i32(out, xid);
    jute_put_i32(out, op);
    return start;
}

size_t jute_put_reply(struct buf *out, int32_t xid, int64_t zxid, int32_t error) {
    size_t start = jute_frame_begin(out);
    jute_put_i32(out, xid);
    jute_put_i64(out, zxid);
    jute_put_i32(out, error);
    return start;
}

void jute_put_bare_reply(struct buf *out, int32_t xid, int64_t zxid, int32_t error) {
    jute_frame_end(out, jute_put_reply(out, xid, zxid, error));
}

void jute_put_notification(struct buf *out, int64_t zxid, int32_t event, struct bytes path) {
    size_t start = jute_put_reply(out, JUTE_XID_NOTIFICATION, zxid, 0);
    jute_put_i32(out, event);
    jute_put_i32(out, STATE_CONNECTED);
    jute_put_block(out, path);
    jute_frame_end(out, start);
}
