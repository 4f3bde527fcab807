/* A TLS connection's state without its socket: ciphertext in, plaintext out, and the reverse.
 * runtime_net.c carries the bytes.
 */
#ifndef CAIRN_RUNTIME_TLS_INTERNAL_H
#define CAIRN_RUNTIME_TLS_INTERNAL_H

#include "runtime/openssl.h"
#include "runtime/runtime_tls.h"

/* Room that runtime_tls_take wants: the longest record. */
#define RUNTIME_TLS_PLAIN_BYTES 16384u

struct env_tls {
    struct openssl openssl;
    SSL_CTX *context;
    BIO *in; /* what the session at hand reads: one for all, empty between them */
    char *certificate, *key, *authorities;
    enum runtime_tls_clients clients;
    uint64_t handshake_ns;
};

struct tls_session;

/* Little until the first tls_session_take: a peer that says nothing costs next to nothing. */
struct tls_session *tls_session_new(const struct env_tls *tls);
void tls_session_free(struct tls_session *session);
/* The handshake is over: peer's identity is known, and tls_session_put may be called. */
bool tls_session_open(const struct tls_session *session);
/* RFC 2253 text of the subject of the certificate that the peer showed; NULL: none. */
const char *tls_session_peer(const struct tls_session *session);

/* Ciphertext that arrived: borrowed until tls_session_keep. */
void tls_session_feed(struct tls_session *session, struct bytes cipher);
/* Goes one step on with what was fed: the handshake, or one record into room. OK with empty plain
 * and no change of tls_session_open: it needs more. CLOSED: the peer has ended, DENIED: the
 * handshake failed, MALFORMED: what arrived makes no sense, IO: OpenSSL has no memory. Output may
 * have come about in any case. */
enum cairn_status tls_session_take(struct tls_session *session, uint8_t *room, struct bytes *plain);
/* To follow the last tls_session_take: copies what was fed and not taken; true: there is some. */
bool tls_session_keep(struct tls_session *session);
/* Encrypts pieces from *at and *offset on, some at a time, and moves these; IO: it failed. */
enum cairn_status tls_session_put(struct tls_session *session, const struct env_piece *pieces,
                                  size_t count, size_t *at, size_t *offset);
/* The peer is told that nothing more comes. */
void tls_session_finish(struct tls_session *session);
/* Ciphertext to send, valid until tls_session_sent, which forgets it. */
struct bytes tls_session_output(const struct tls_session *session);
void tls_session_sent(struct tls_session *session);

/* The subject of a certificate as the Java client and server write it: RFC 2253, other types of
 * attributes than those of its table by their number, text beyond ASCII as it is. */
void tls_name(const struct openssl *openssl, X509 *certificate, struct buf *out);

#endif
