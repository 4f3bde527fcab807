/* SASL with DIGEST-MD5 (RFC 2831), as ZooKeeper's clients speak it: an empty token asks for the
 * challenge, the second token is the proof, and its answer proves that the server knew the password
 * too. Users come from the configuration. */
#include "front/zookeeper/zookeeper_internal.h"

#include "base/alloc.h"
#include "wire/secret.h"

#define REALM "zk-sasl-md5"
#define NONCE_BYTES 16u

struct zk_sasl {
    struct buf nonce;
};

void zk_sasl_free(struct zk_sasl *sasl) {
    if (sasl == NULL)
        return;
    buf_free(&sasl->nonce);
    cairn_free(sasl);
}

/* ---- the client's directives: name=value or name="value", by commas ---- */

static bool next_directive(struct reader *reader, struct bytes *name, struct bytes *value) {
    while (reader->at < reader->end && (*reader->at == ',' || *reader->at == ' '))
        reader->at++;
    const uint8_t *start = reader->at;
    while (reader->at < reader->end && *reader->at != '=')
        reader->at++;
    if (reader->at == reader->end)
        return false;
    *name = bytes_of(start, (size_t)(reader->at - start));
    reader->at++;
    bool quoted = reader->at < reader->end && *reader->at == '"';
    reader->at += quoted;
    start = reader->at;
    while (reader->at < reader->end && *reader->at != (quoted ? '"' : ','))
        reader->at++;
    *value = bytes_of(start, (size_t)(reader->at - start));
    if (quoted && reader->at == reader->end)
        return false;
    reader->at += quoted;
    return true;
}

static struct bytes directive(struct bytes token, struct bytes wanted) {
    struct reader reader = reader_of(token);
    struct bytes name, value;
    while (next_directive(&reader, &name, &value))
        if (bytes_equal_nocase(name, wanted))
            return value;
    return bytes_of(NULL, 0);
}

/* "name:password" among words. */
static bool password_of(const char *users, struct bytes name, struct bytes *password) {
    for (const char *at = users; *at != 0;) {
        const char *start = at;
        while (*at != 0 && *at != ' ')
            at++;
        struct bytes user = bytes_of(start, (size_t)(at - start));
        at += *at == ' ';
        if (user.len > name.len && user.data[name.len] == ':' && name.len > 0 &&
            bytes_equal(bytes_of(user.data, name.len), name)) {
            *password = bytes_of(user.data + name.len + 1, user.len - name.len - 1);
            return true;
        }
    }
    return false;
}

/* ---- the two steps ---- */

static void put_challenge(struct zk_conn *conn, struct buf *token) {
    uint8_t nonce[NONCE_BYTES];
    if (conn->sasl == NULL)
        conn->sasl = cairn_alloc_zero(sizeof *conn->sasl);
    env_entropy(conn->front->env, nonce, sizeof nonce);
    buf_clear(&conn->sasl->nonce);
    secret_hex(&conn->sasl->nonce, nonce, sizeof nonce);
    buf_printf(token,
               "realm=\"" REALM "\",nonce=\"%.*s\",charset=utf-8,algorithm=md5-sess,qop=\"auth\"",
               (int)conn->sasl->nonce.len, (const char *)conn->sasl->nonce.data);
}

static bool check_proof(struct zk_conn *conn, struct bytes proof, struct buf *token) {
    struct buf expected = {0};
    struct secret_digest_md5 digest = {
        .user = directive(proof, BYTES("username")),
        .realm = directive(proof, BYTES("realm")),
        .nonce = directive(proof, BYTES("nonce")),
        .cnonce = directive(proof, BYTES("cnonce")),
        .count = directive(proof, BYTES("nc")),
        .quality = directive(proof, BYTES("qop")),
        .uri = directive(proof, BYTES("digest-uri")),
        .authzid = directive(proof, BYTES("authzid")), /* Java's clients name themselves again */
    };
    if (digest.quality.data == NULL)
        digest.quality = BYTES("auth");
    bool fits = bytes_equal(digest.quality, BYTES("auth")) &&
                bytes_equal(digest.count, BYTES("00000001")) && digest.cnonce.len > 0 &&
                (digest.authzid.data == NULL || bytes_equal(digest.authzid, digest.user)) &&
                bytes_equal(digest.nonce, buf_view(&conn->sasl->nonce)) &&
                password_of(conn->front->options.sasl_users, digest.user, &digest.password);
    if (fits) {
        secret_digest_md5(&expected, &digest, false);
        fits = secret_equal(buf_view(&expected), directive(proof, BYTES("response")));
    }
    if (fits) {
        buf_bytes(token, BYTES("rspauth="));
        secret_digest_md5(token, &digest, true);
        fits = zk_auth_add(conn, BYTES("sasl"), digest.user);
    }
    buf_free(&expected);
    buf_clear(&conn->sasl->nonce); /* good for one try */
    return fits;
}

void zk_run_sasl(struct zk_call *call) {
    struct zk_conn *conn = call->conn;
    struct buf token = {0};
    struct bytes given = jute_take_block(&call->body);
    bool fine = !call->body.bad;
    bool known = conn->front->options.sasl_users[0] != 0;
    bool proof = known && conn->sasl != NULL && conn->sasl->nonce.len > 0 && given.len > 0;
    if (fine && proof)
        fine = check_proof(conn, given, &token);
    else if (fine && known)
        put_challenge(conn, &token);
    if (fine) { /* without users: null, as a ZooKeeper that has none answers */
        jute_put_block(zk_answer_begin(call), buf_view(&token));
        zk_answer_end(call, TREE_OK);
    } else {
        conn->front->counters.auth_failed++;
        zk_answer(call, TREE_AUTH_FAILED);
        zk_conn_close(conn);
    }
    buf_free(&token);
}
