/* Identities of connections. Every connection has one of the scheme ip; addauth proves more. */
#include "front/zookeeper/zookeeper_internal.h"

#include "wire/secret.h"

#define IDS_MAX 64u
#define ID_BYTES_MAX 1024u

static bool next_id(struct reader *reader, struct tree_id *id) {
    if (reader_left(reader) == 0)
        return false;
    id->scheme = read_block(reader, ID_BYTES_MAX);
    id->id = read_block(reader, ID_BYTES_MAX);
    return !reader->bad;
}

static uint32_t list_ids(const struct zk_conn *conn, struct tree_id *ids) {
    struct reader reader = reader_of(buf_view(&conn->ids));
    uint32_t count = 0;
    while (count < IDS_MAX && next_id(&reader, &ids[count]))
        count++;
    return count;
}

void zk_auth_changed(struct zk_conn *conn) {
    struct tree_id ids[IDS_MAX];
    struct tree_caller caller = {.session = conn->read_only ? 0 : conn->session,
                                 .holder = conn->holder,
                                 .ids = ids,
                                 .id_count = list_ids(conn, ids)};
    buf_clear(&conn->head);
    tree_put_head(&conn->head, TREE_OP_SYNC, &caller); /* the opcode is set in each command */
}

bool zk_auth_add(struct zk_conn *conn, struct bytes scheme, struct bytes id) {
    struct tree_id ids[IDS_MAX];
    uint32_t count = list_ids(conn, ids);
    for (uint32_t i = 0; i < count; i++)
        if (bytes_equal(ids[i].scheme, scheme) && bytes_equal(ids[i].id, id))
            return true;
    if (count == IDS_MAX || scheme.len > ID_BYTES_MAX || id.len > ID_BYTES_MAX)
        return false;
    buf_block(&conn->ids, scheme);
    buf_block(&conn->ids, id);
    zk_auth_changed(conn);
    return true;
}

void zk_auth_open(struct zk_conn *conn) {
    zk_auth_add(conn, BYTES("ip"), bytes_cstr(conn->host->text));
}

void zk_auth_certificate(struct zk_conn *conn) {
    const char *subject = env_stream_peer(conn->front->env, &conn->stream);
    if (subject != NULL)
        zk_auth_add(conn, BYTES("x509"), bytes_cstr(subject));
}

static bool has_scheme(const struct zk_conn *conn, struct bytes scheme) {
    struct tree_id ids[IDS_MAX];
    uint32_t count = list_ids(conn, ids);
    for (uint32_t i = 0; i < count; i++)
        if (bytes_equal(ids[i].scheme, scheme))
            return true;
    return false;
}

bool zk_auth_super(const struct zk_conn *conn) {
    return has_scheme(conn, BYTES("super"));
}

static struct bytes until_colon(struct bytes text) {
    size_t len = 0;
    while (len < text.len && text.data[len] != ':')
        len++;
    return bytes_of(text.data, len);
}

/* "user:password" proves "user:base64(SHA-1(user:password))". */
static bool prove_digest(struct zk_conn *conn, struct bytes credential) {
    struct buf id = {0};
    if (credential.len == 0 || credential.len > ID_BYTES_MAX)
        return false;
    buf_bytes(&id, until_colon(credential));
    buf_u8(&id, ':');
    secret_sha1_base64(&id, credential);
    struct bytes super = bytes_cstr(conn->front->options.super_digest);
    bool added = zk_auth_add(conn, BYTES("digest"), buf_view(&id));
    if (added && super.len > 0 && secret_equal(buf_view(&id), super))
        added = zk_auth_add(conn, BYTES("super"), BYTES(""));
    buf_free(&id);
    return added;
}

/* Answered at once, as ZooKeeper does: requests sent before it may yet wait for their answers. A
 * failure ends the connection. */
void zk_run_auth(struct zk_call *call) {
    struct zk_conn *conn = call->conn;
    struct jute_auth auth;
    bool proven = false;
    if (jute_take_auth(&call->body, &auth)) {
        if (bytes_equal(auth.scheme, BYTES("digest")))
            proven = prove_digest(conn, auth.credential);
        else if (bytes_equal(auth.scheme, BYTES("ip")))
            proven = true; /* known from the beginning */
        else if (bytes_equal(auth.scheme, BYTES("x509")))
            proven = has_scheme(conn, auth.scheme); /* likewise, by the certificate */
    }
    zk_answer(call, proven ? TREE_OK : TREE_AUTH_FAILED);
    if (!proven) {
        conn->front->counters.auth_failed++;
        zk_conn_close(conn);
    }
}

void zk_run_who_am_i(struct zk_call *call) {
    struct tree_id ids[IDS_MAX];
    uint32_t count = list_ids(call->conn, ids);
    struct buf *out = zk_answer_begin(call);
    jute_put_i32(out, (int32_t)count);
    for (uint32_t i = 0; i < count; i++) {
        bool digest = bytes_equal(ids[i].scheme, BYTES("digest"));
        jute_put_block(out, ids[i].scheme);
        jute_put_block(out, digest ? until_colon(ids[i].id) : ids[i].id);
    }
    zk_answer_end(call, TREE_OK);
}
