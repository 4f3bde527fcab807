#include "runtime/runtime_tls_internal.h"

#include "base/alloc.h"
#include "base/assert.h"

#include <string.h>

/* How much is handed to OpenSSL at a time: its buffers grow to what they once held. */
#define FEED_BYTES 32768u
/* Plaintext that one call of tls_session_put encrypts: what it makes of it is sent before more. */
#define PUT_BYTES (4u * RUNTIME_TLS_PLAIN_BYTES)
/* An output buffer that held more than this is given back. */
#define OUTPUT_KEPT 1024

struct tls_session {
    const struct env_tls *tls;
    const struct openssl *openssl;
    SSL *ssl;        /* NULL: nothing was taken yet */
    BIO *out;        /* the SSL's */
    struct bytes in; /* fed, and OpenSSL does not have it yet */
    struct buf kept; /* owns `in` between feeds */
    bool open;
    bool broken; /* after an error nothing more is said */
    char *peer;
};

struct tls_session *tls_session_new(const struct env_tls *tls) {
    struct tls_session *session = cairn_alloc_zero(sizeof *session);
    session->tls = tls;
    session->openssl = &tls->openssl;
    return session;
}

static bool begin(struct tls_session *session) {
    const struct openssl *openssl = session->openssl;
    SSL *ssl = openssl->SSL_new(session->tls->context);
    BIO *out = openssl->BIO_new(openssl->BIO_s_mem());
    if (ssl == NULL || out == NULL) {
        openssl->SSL_free(ssl);
        openssl->BIO_free(out);
        return false;
    }
    session->ssl = ssl;
    session->out = out;
    openssl->BIO_up_ref(session->tls->in);
    openssl->SSL_set_bio(ssl, session->tls->in, out);
    openssl->SSL_set_accept_state(ssl);
    return true;
}

void tls_session_free(struct tls_session *session) {
    if (session == NULL)
        return;
    session->openssl->SSL_free(session->ssl);
    buf_free(&session->kept);
    cairn_free(session->peer);
    cairn_free(session);
}

bool tls_session_open(const struct tls_session *session) {
    return session->open;
}

const char *tls_session_peer(const struct tls_session *session) {
    return session->peer;
}

/* ---- in ---- */

static size_t left_in(const struct tls_session *session) {
    long left = session->openssl->BIO_ctrl(session->tls->in, BIO_CTRL_PENDING, 0, NULL);
    return left > 0 ? (size_t)left : 0;
}

void tls_session_feed(struct tls_session *session, struct bytes cipher) {
    cairn_assert(left_in(session) == 0 && session->in.len == 0);
    if (session->kept.len > 0) {
        buf_bytes(&session->kept, cipher);
        cipher = buf_view(&session->kept);
    }
    session->in = cipher;
}

static void hand_over(struct tls_session *session) {
    size_t len = session->in.len < FEED_BYTES ? session->in.len : FEED_BYTES;
    if (len == 0 || left_in(session) > 0)
        return;
    int written = session->openssl->BIO_write(session->tls->in, session->in.data, (int)len);
    cairn_assert(written == (int)len);
    session->in = bytes_of(session->in.data + len, session->in.len - len);
}

static void handshake_done(struct tls_session *session) {
    const struct openssl *openssl = session->openssl;
    X509 *certificate = openssl->SSL_get1_peer_certificate(session->ssl);
    struct buf name = {0};
    session->open = true;
    if (certificate == NULL)
        return;
    tls_name(openssl, certificate, &name);
    buf_u8(&name, 0);
    session->peer = cairn_strdup((const char *)name.data);
    buf_free(&name);
    openssl->X509_free(certificate);
}

static enum cairn_status why_not(struct tls_session *session, int result) {
    int error = session->openssl->SSL_get_error(session->ssl, result);
    if (error == SSL_ERROR_WANT_READ)
        return CAIRN_OK;
    if (error == SSL_ERROR_ZERO_RETURN)
        return CAIRN_CLOSED;
    session->broken = true;
    return session->open ? CAIRN_MALFORMED : CAIRN_DENIED;
}

enum cairn_status tls_session_take(struct tls_session *session, uint8_t *room,
                                   struct bytes *plain) {
    const struct openssl *openssl = session->openssl;
    enum cairn_status status = CAIRN_OK;
    *plain = bytes_of(NULL, 0);
    if (session->ssl == NULL && !begin(session))
        return CAIRN_IO;
    do {
        hand_over(session);
        openssl->ERR_clear_error();
        int result = session->open ? openssl->SSL_read(session->ssl, room, RUNTIME_TLS_PLAIN_BYTES)
                                   : openssl->SSL_do_handshake(session->ssl);
        if (result > 0 && session->open)
            *plain = bytes_of(room, (size_t)result);
        else if (result > 0)
            handshake_done(session);
        else
            status = why_not(session, result);
        if (result > 0 || status != CAIRN_OK)
            return status;
    } while (session->in.len > 0);
    return CAIRN_OK;
}

bool tls_session_keep(struct tls_session *session) {
    const struct openssl *openssl = session->openssl;
    struct bytes rest = bytes_of(NULL, 0);
    struct buf kept = {0};
    long len = openssl->BIO_ctrl(session->tls->in, BIO_CTRL_INFO, 0, (void *)&rest.data);
    rest.len = len > 0 ? (size_t)len : 0;
    buf_bytes(&kept, rest);
    buf_bytes(&kept, session->in);
    openssl->BIO_ctrl(session->tls->in, BIO_CTRL_RESET, 0, NULL);
    buf_free(&session->kept);
    session->kept = kept;
    session->in = bytes_of(NULL, 0);
    return kept.len > 0;
}

/* ---- out ---- */

/* The next plaintext in one piece: many small ones become one record. */
static struct bytes next_plain(const struct env_piece *pieces, size_t count, size_t *at,
                               size_t *offset, uint8_t *room) {
    size_t len = 0;
    while (*at < count) {
        struct bytes piece = pieces[*at].data;
        size_t left = piece.len - *offset, space = RUNTIME_TLS_PLAIN_BYTES - len;
        size_t some = left < space ? left : space;
        if (len == 0 && left >= RUNTIME_TLS_PLAIN_BYTES) {
            *offset += RUNTIME_TLS_PLAIN_BYTES;
            return bytes_of(piece.data + *offset - RUNTIME_TLS_PLAIN_BYTES,
                            RUNTIME_TLS_PLAIN_BYTES);
        }
        if (some > 0)
            memcpy(room + len, piece.data + *offset, some);
        len += some;
        *offset += some;
        if (*offset < piece.len)
            break;
        *offset = 0;
        ++*at;
    }
    return bytes_of(room, len);
}

enum cairn_status tls_session_put(struct tls_session *session, const struct env_piece *pieces,
                                  size_t count, size_t *at, size_t *offset) {
    uint8_t room[RUNTIME_TLS_PLAIN_BYTES];
    cairn_assert(session->open);
    for (size_t total = 0; total < PUT_BYTES && *at < count;) {
        struct bytes plain = next_plain(pieces, count, at, offset, room);
        total += plain.len;
        if (plain.len == 0)
            continue;
        session->openssl->ERR_clear_error();
        if (session->broken || session->openssl->SSL_write(session->ssl, plain.data,
                                                           (int)plain.len) != (int)plain.len) {
            session->broken = true;
            return CAIRN_IO;
        }
    }
    return CAIRN_OK;
}

void tls_session_finish(struct tls_session *session) {
    session->openssl->ERR_clear_error();
    if (session->open && !session->broken)
        session->openssl->SSL_shutdown(session->ssl);
    session->broken = true;
}

struct bytes tls_session_output(const struct tls_session *session) {
    struct bytes out = bytes_of(NULL, 0);
    if (session->ssl == NULL)
        return out;
    long len = session->openssl->BIO_ctrl(session->out, BIO_CTRL_INFO, 0, (void *)&out.data);
    out.len = len > 0 ? (size_t)len : 0;
    return out;
}

void tls_session_sent(struct tls_session *session) {
    const struct openssl *openssl = session->openssl;
    long held = openssl->BIO_ctrl(session->out, BIO_CTRL_PENDING, 0, NULL);
    BIO *fresh =
        session->open && held > OUTPUT_KEPT ? openssl->BIO_new(openssl->BIO_s_mem()) : NULL;
    if (fresh != NULL) {
        openssl->SSL_set0_wbio(session->ssl, fresh);
        session->out = fresh;
    } else {
        openssl->BIO_ctrl(session->out, BIO_CTRL_RESET, 0, NULL);
    }
}
